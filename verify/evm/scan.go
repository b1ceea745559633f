package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/core/types"
	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

const (
	// maxTopicValues is how many values a node takes in one place of a log filter: 1,000 in go-ethereum.
	maxTopicValues = 1000
	// fewReceipts is up to how many receipts are asked for one by one where all of a block can be had at once.
	fewReceipts = 2
	// addressPadding precedes the 20 bytes of an address in a topic.
	addressPadding = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	// receiptsAtOnce is how many calls for receipts are under way at a time.
	receiptsAtOnce = 8
)

// Scan returns the transfers of listed tokens in the canonical block of that number, for all payees, in two calls. The
// error is a *settlement.LookError. The chain's own trust decides whose word is enough.
//
// Without the native coin in the list the logs of the block are read, and a transfer's Index is -1: only a receipt tells
// the place among the transaction's own logs. With it whole transactions and all receipts are read. Logs that the block's
// bloom contradicts are not believed, nor is their absence: a third call then reads the receipts.
//
// Source: R-04 and rule 9 of the verification rules.
func (c *Chain) Scan(ctx context.Context, number uint64) (settlement.Scan, error) {
	return c.scan(ctx, number, c.query(nil))
}

// ScanFor is Scan for the payees that are waited at. The transactions that pay one of them come with all transfers of
// listed tokens in them, read from their receipts, so that Index is known.
//
// It costs one call for a block whose bloom rules out every token, two for one in which nobody is paid, three for one with
// any number of payments (where the endpoint offers eth_getBlockReceipts). Up to 1,000 payees are sent along as a filter;
// with more, all transfers of the tokens are compared in memory. Values of transactions are read only while somebody waits
// for native coin.
func (c *Chain) ScanFor(ctx context.Context, number uint64, w settlement.Watched) (settlement.Scan, error) {
	return c.scan(ctx, number, c.query(w))
}

func (c *Chain) scan(ctx context.Context, number uint64, q query) (settlement.Scan, error) {
	switch {
	case c.rule.Trust.Proof:
		return c.scanProof(ctx, number, q)
	case c.rule.Trust.Operators > 1:
		return c.scanQuorum(ctx, number, q)
	}
	var mu sync.Mutex             // guards doubted
	var doubted []settlement.Scan // absences of logs that no receipts could settle
	scans, err := gather(ctx, c, c.endpoints, c.rule, 1, func(ctx context.Context, s *session) (settlement.Scan, error) {
		scan, settled, err := s.scan(ctx, number, q)
		if err != nil || settled {
			return scan, err
		}
		mu.Lock()
		defer mu.Unlock()
		// Two endpoints that see no logs in the same block are believed.
		if slices.ContainsFunc(doubted, func(d settlement.Scan) bool { return d.Block.Hash == scan.Block.Hash }) {
			return scan, nil
		}
		doubted = append(doubted, scan)
		return scan, errAskAnother
	})
	switch {
	case err == nil:
		return scans[0], nil
	case !errors.Is(err, errAskAnother):
		return settlement.Scan{}, err
	case len(q.payees) > 0: // that nobody of few is paid is the usual case: see whether anybody is
		q.payees = nil
		return c.scan(ctx, number, q)
	}
	return settlement.Scan{}, &settlement.LookError{Code: settlement.RPCMisconfigured, Err: fmt.Errorf(
		"block %d may hold a transfer and no log came: an endpoint that offers eth_getBlockReceipts is needed, or a second one", number)}
}

// scanQuorum has as many operators scan the block as the rule demands, and compares.
func (c *Chain) scanQuorum(ctx context.Context, number uint64, q query) (settlement.Scan, error) {
	type seen struct {
		settlement.Scan
		vote vote
	}
	answers, err := gather(ctx, c, c.endpoints, c.rule, c.rule.Trust.Operators, func(ctx context.Context, s *session) (seen, error) {
		scan, _, err := s.scan(ctx, number, q) // an absence that another operator shares is settled
		return seen{scan, vote{s: s, facts: scanFacts(scan)}}, err
	})
	votes := make([]vote, len(answers))
	for i, a := range answers {
		votes[i] = a.vote
	}
	if err := c.agreed(fmt.Sprintf("block %d", number), votes); err != nil {
		return settlement.Scan{}, err
	}
	if err != nil {
		return settlement.Scan{}, err
	}
	scan := answers[0].Scan
	for _, a := range answers[1:] {
		scan.Endpoints, scan.Digests = append(scan.Endpoints, a.Endpoints...), append(scan.Digests, a.Digests...)
	}
	return scan, nil
}

func scanFacts(scan settlement.Scan) string {
	var f jsonrpc.Facts
	f.Bytes(string(scan.Block.Hash), string(scan.Parent))
	f.Number(scan.Block.Number, uint64(scan.Block.Time.Unix()))
	for _, tx := range scan.Transactions {
		f.Bytes(string(tx.TxID))
		for _, t := range tx.Transfers { // one endpoint may have read receipts and another one logs: Index may differ
			f.Bytes(string(t.Token), string(t.Payer), string(t.Payee), t.Amount.String(), t.Position)
		}
	}
	return f.Sum()
}

// scan looks at one block through one endpoint. settled is false when there are no logs although the bloom allows some,
// and no receipts tell.
func (s *session) scan(ctx context.Context, number uint64, q query) (scan settlement.Scan, settled bool, err error) {
	b, _, err := s.wholeBlock(ctx, number, q.native)
	if err != nil {
		return settlement.Scan{}, false, err
	}
	if q.watched == nil && q.native {
		scan, err := s.scanReceipts(ctx, b, q)
		return scan, err == nil, err
	}
	blooms := !s.chain.noBlooms
	mayHold := len(q.tokens) > 0 && (!blooms || q.mayHold(b.bloom))
	var found []settlement.ScannedTx
	settled = true
	if mayHold {
		var count int
		var outside bool
		found, count, outside, err = s.logs(ctx, b, q)
		if errors.Is(err, errTooMuch) {
			outside, err = true, nil
		}
		if err != nil {
			return settlement.Scan{}, false, err
		}
		switch doubt := blooms && count == 0; {
		case outside, doubt && len(q.payees) == 0:
			scan, err := s.scanReceipts(ctx, b, q)
			if errors.Is(err, errNoMethod) && !outside {
				return s.result(b, nil), false, nil
			}
			return scan, err == nil, err
		case doubt:
			settled = false
		}
	}
	if q.watched == nil {
		return s.result(b, found), true, nil
	}
	var paying []settlement.TxID
	for _, tx := range found {
		paying = append(paying, tx.TxID)
	}
	for i := range b.txs {
		if tx := &b.txs[i]; !tx.value.IsZero() && tx.to != "" && q.wants("", []byte(tx.to)) && !slices.Contains(paying, tx.txid) {
			paying = append(paying, tx.txid)
		}
	}
	if len(paying) == 0 {
		return s.result(b, nil), settled, nil
	}
	scan, err = s.confirm(ctx, b, q, paying)
	return scan, settled, err
}

// logs reads the block's Transfer logs of the query. found are those that are wanted; count is how many came; outside says
// that the header does not vouch for one.
func (s *session) logs(ctx context.Context, b block, q query) (found []settlement.ScannedTx, count int, outside bool, err error) {
	filter := q.filter()
	filter["blockHash"] = b.hash.String()
	raw, err := s.call(ctx, "eth_getLogs", filter)
	if err != nil {
		return nil, 0, false, err
	}
	return s.readLogs(raw, b, q)
}

// readLogs reads the answer of logs.
func (s *session) readLogs(raw json.RawMessage, b block, q query) (found []settlement.ScannedTx, count int, outside bool, err error) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, 0, false, unavailable("the logs are not a list")
	}
	var last, l logEntry
	ids := make(map[settlement.TxID]bool, len(b.txids))
	for _, id := range b.txids {
		ids[id] = true
	}
	all := newBloomer()
	var refused error
	_, err = decode(raw, func(c *cursor) (struct{}, error) {
		return struct{}{}, c.list(func() error {
			last, l = l, logEntry{}
			if err := c.log(&l); err != nil {
				return err
			}
			token, listed := s.chain.tokens[settlement.Address(l.address[:])]
			if refused = checkLog(b, &l, &last, count > 0, listed); refused != nil {
				return refused
			}
			count++
			outside = outside || !ids[settlement.TxID(l.txid[:])]
			all.addLog(&l)
			if !q.wants(token.Address, l.topics[2][12:]) {
				return nil
			}
			if t, ok := l.transfer(-1); ok {
				if id := settlement.TxID(l.txid[:]); len(found) == 0 || found[len(found)-1].TxID != id {
					found = append(found, settlement.ScannedTx{TxID: id})
				}
				tx := &found[len(found)-1]
				tx.Transfers = append(tx.Transfers, t)
			}
			return nil
		})
	})
	switch {
	case refused != nil:
		return nil, 0, false, refused
	case err != nil:
		return nil, 0, false, undecodable("the logs", err)
	}
	return found, count, outside || !s.chain.noBlooms && !contains(b.bloom, all.bloom), nil
}

// checkLog holds a log against the question and the log before it.
func checkLog(b block, l, last *logEntry, follows, listed bool) error {
	switch {
	case l.removed:
		return inconsistent("log %d was removed", l.index)
	case string(l.blockHash[:]) != string(b.hash) || l.number != b.number:
		return inconsistent("log %d is of another block than asked for", l.index)
	case !listed || l.topicSize == 0 || string(l.topics[0][:]) != transferTopic:
		return inconsistent("log %d was not asked for", l.index)
	case follows && l.index <= last.index:
		return inconsistent("log %d does not follow log %d", l.index, last.index)
	case follows && (l.txIndex < last.txIndex || (l.txIndex == last.txIndex) != (l.txid == last.txid)):
		return inconsistent("log %d is of another transaction than its place says", l.index)
	}
	return nil
}

// contains reports whether the one bloom holds all of the other.
func contains(whole, part types.Bloom) bool {
	for i := range part {
		if part[i]&^whole[i] != 0 {
			return false
		}
	}
	return true
}

// confirm reads the receipts of the transactions that pay: all of the block at once, or one by one. An endpoint may have a
// block's receipts before it finds one by its transaction, or after it lost that index.
func (s *session) confirm(ctx context.Context, b block, q query, paying []settlement.TxID) (settlement.Scan, error) {
	s.e.mu.Lock()
	offered := !s.e.noReceipts
	s.e.mu.Unlock()
	if !offered || len(paying) <= fewReceipts {
		scan, err := s.confirmEach(ctx, b, q, paying)
		if !offered || !errors.Is(err, errNoReceipt) {
			return scan, err
		}
	}
	scan, err := s.scanReceipts(ctx, b, q)
	switch {
	case errors.Is(err, errNoMethod), errors.Is(err, errTooMuch):
		return s.confirmEach(ctx, b, q, paying)
	case err == nil:
		err = allFound(b, paying, scan.Transactions)
	}
	return scan, err
}

func (s *session) confirmEach(ctx context.Context, b block, q query, paying []settlement.TxID) (settlement.Scan, error) {
	receipts := make([]receipt, len(paying))
	sessions := make([]session, len(paying)) // each call's digest, in the order of the transactions
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(receiptsAtOnce)
	for i, txid := range paying {
		calls.Go(func() (err error) {
			sessions[i] = session{chain: s.chain, e: s.e, rule: s.rule, client: s.client}
			receipts[i], err = sessions[i].receiptIn(ctx, b, txid)
			return err
		})
	}
	if err := calls.Wait(); err != nil {
		return settlement.Scan{}, err
	}
	slices.SortFunc(receipts, func(a, b receipt) int { return int(a.index) - int(b.index) })
	var seen []settlement.ScannedTx
	for _, r := range receipts {
		if place := slices.Index(b.txids, r.txid); place >= 0 {
			seen = s.pays(seen, b, place, r, q)
		}
	}
	for i := range sessions {
		s.digests = append(s.digests, sessions[i].digests...)
	}
	return s.result(b, seen), allFound(b, paying, seen)
}

// allFound returns an error when a transaction with a log that pays has no such log in its receipt. One whose value pays
// may have failed.
func allFound(b block, paying []settlement.TxID, seen []settlement.ScannedTx) error {
	for _, txid := range paying {
		byValue := slices.ContainsFunc(b.txs, func(tx transaction) bool { return tx.txid == txid && !tx.value.IsZero() })
		if !byValue && !slices.ContainsFunc(seen, func(tx settlement.ScannedTx) bool { return tx.TxID == txid }) {
			return inconsistent("a log of transaction %s is not in its receipt", txid)
		}
	}
	return nil
}

// receiptIn reads the receipt of a transaction of that block.
func (s *session) receiptIn(ctx context.Context, b block, txid settlement.TxID) (receipt, error) {
	raw, err := s.call(ctx, "eth_getTransactionReceipt", txid.String())
	if err != nil {
		return receipt{}, err
	}
	if isNull(raw) {
		return receipt{}, inconsistent("transaction %s is in block %d and %w", txid, b.number, errNoReceipt)
	}
	r, err := decodeObject(raw, "the receipt", decodeReceipt)
	if err == nil && (r.txid != txid || r.blockHash != b.hash) {
		err = inconsistent("the receipt of transaction %s is of another one or of another block", txid)
	}
	if err == nil {
		err = r.check(s.chain.noBlooms)
	}
	return r, err
}

// scanReceipts takes the transfers out of all receipts of the block.
func (s *session) scanReceipts(ctx context.Context, b block, q query) (settlement.Scan, error) {
	_, receipts, err := s.blockReceipts(ctx, b)
	if err != nil {
		return settlement.Scan{}, err
	}
	var seen []settlement.ScannedTx
	for i, r := range receipts {
		seen = s.pays(seen, b, i, r, q)
	}
	return s.result(b, seen), nil
}

// pays appends the transaction in that place of the block if it succeeded and one of its transfers is wanted.
func (s *session) pays(seen []settlement.ScannedTx, b block, place int, r receipt, q query) []settlement.ScannedTx {
	if r.status == nil || *r.status != 1 {
		return seen
	}
	var moved []settlement.Transfer
	sender := r.sender
	if b.txs != nil {
		moved, sender = b.txs[place].transfers(), b.txs[place].from
	}
	if len(moved) == 0 && !s.holds(r.logs, q) {
		return seen
	}
	wanted := false
	moved = slices.DeleteFunc(append(moved, transfersOf(r.logs)...), func(t settlement.Transfer) bool {
		_, listed := s.chain.tokens[t.Token]
		wanted = wanted || listed && q.wants(t.Token, []byte(t.Payee))
		return !listed
	})
	if !wanted {
		return seen
	}
	return append(seen, settlement.ScannedTx{TxID: r.txid, Sender: sender, Transfers: moved})
}

// holds reports whether one of the logs is a transfer that is wanted. It takes no memory: most receipts hold none.
func (s *session) holds(logs []logEntry, q query) bool {
	for i := range logs {
		l := &logs[i]
		if token, listed := s.chain.tokens[settlement.Address(l.address[:])]; listed && l.isTransfer() && q.wants(token.Address, l.topics[2][12:]) {
			return true
		}
	}
	return false
}

// blockReceipts reads all receipts of the block, one for each of its transactions in their order, and holds them against
// each other and against the header.
func (s *session) blockReceipts(ctx context.Context, b block) ([]json.RawMessage, []receipt, error) {
	raw, err := s.call(ctx, "eth_getBlockReceipts", b.hash.String())
	if err != nil {
		if errors.Is(err, errNoMethod) {
			s.e.mu.Lock()
			s.e.noReceipts = true
			s.e.mu.Unlock()
		}
		return nil, nil, err
	}
	if isNull(raw) {
		return nil, nil, inconsistent("block %d has no receipts", b.number)
	}
	raws, receipts, err := decodeReceipts(raw)
	if err != nil {
		return nil, nil, err
	}
	if len(receipts) != len(b.txids) {
		return nil, nil, inconsistent("block %d holds %d transactions and %d receipts", b.number, len(b.txids), len(receipts))
	}
	var all types.Bloom
	next := uint64(0) // the lowest index that a log may have
	for i := range receipts {
		r := &receipts[i]
		if r.txid != b.txids[i] || r.blockHash != b.hash || r.number != b.number {
			return nil, nil, inconsistent("receipt %d of block %d is of another transaction or block", i, b.number)
		}
		if err := r.check(s.chain.noBlooms); err != nil {
			return nil, nil, err
		}
		for j := range all {
			all[j] |= r.bloom[j]
		}
		if len(r.logs) > 0 {
			if r.logs[0].index < next {
				return nil, nil, inconsistent("log %d comes twice in block %d", r.logs[0].index, b.number)
			}
			next = r.logs[len(r.logs)-1].index + 1
		}
	}
	if !s.chain.noBlooms && !contains(all, b.bloom) {
		return nil, nil, inconsistent("block %d holds logs that are in no receipt", b.number)
	}
	return raws, receipts, nil
}

// decodeReceipts reads a list of receipts, telling an answer that is none from one we cannot read.
func decodeReceipts(raw json.RawMessage) ([]json.RawMessage, []receipt, error) {
	if len(raw) == 0 || raw[0] != '[' {
		return nil, nil, unavailable("the receipts are not a list")
	}
	var raws []json.RawMessage
	receipts, err := decode(raw, func(c *cursor) (list []receipt, err error) {
		err = c.list(func() error {
			c.next()
			start := c.at
			r, err := c.receipt()
			raws, list = append(raws, raw[start:c.at]), append(list, r)
			return err
		})
		return list, err
	})
	if err != nil {
		return nil, nil, undecodable("the receipts", err)
	}
	return raws, receipts, nil
}

func (s *session) result(b block, seen []settlement.ScannedTx) settlement.Scan {
	return settlement.Scan{
		Block: settlement.Block{Number: b.number, Hash: b.hash, Time: b.time}, Parent: b.parent, Transactions: seen,
		Trust: s.rule.Trust.String(), Endpoints: []string{s.e.name}, Digests: slices.Clone(s.digests),
	}
}

// wholeBlock reads the block of that number; whole asks for its transactions and not only their ids.
func (s *session) wholeBlock(ctx context.Context, number uint64, whole bool) (block, json.RawMessage, error) {
	raw, err := s.call(ctx, "eth_getBlockByNumber", hexNumber(number), whole)
	if err != nil {
		return block{}, nil, err
	}
	if isNull(raw) {
		return block{}, nil, inconsistent("block %d is absent", number)
	}
	b, err := decodeObject(raw, "the block", func(raw json.RawMessage) (block, error) { return decodeBlock(raw, whole) })
	if err != nil {
		return block{}, nil, err
	}
	if b.number != number || b.hash == "" || isZero(b.hash) || b.parent == "" {
		return block{}, nil, inconsistent("asked for block %d, the answer is block %d with hash %q", number, b.number, b.hash)
	}
	for i, tx := range b.txs {
		if tx.blockHash != b.hash || tx.number != b.number {
			return block{}, nil, inconsistent("transaction %d of block %d is of another block", i, number)
		}
	}
	return b, raw, nil
}
