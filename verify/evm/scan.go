package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/settler-pay/settler/settlement"
)

// Scan returns the transfers of listed tokens in the canonical block of that number, for all payees, in two calls. The
// error is a *settlement.LookError.
//
// Without the native coin in the list the logs of the block are read, and a transfer's Index is -1: only a receipt tells
// the place among the transaction's own logs. With it whole transactions and all receipts are read. Logs that the block's
// bloom contradicts are not believed, nor is their absence: a third call then reads the receipts.
//
// Source: R-04 and rule 9 of the verification rules.
func (c *Chain) Scan(ctx context.Context, number uint64) (settlement.Scan, error) {
	var scan settlement.Scan
	var doubted *settlement.Scan // an absence of logs that no receipts could settle
	err := c.ask(ctx, func(ctx context.Context, s *session) (err error) {
		if _, native := c.tokens[""]; native {
			scan, err = s.scanReceipts(ctx, number)
			return err
		}
		var settled bool
		if scan, settled, err = s.scanLogs(ctx, number); err != nil || settled {
			return err
		}
		// Two endpoints that see no logs in the same block are believed.
		if doubted != nil && doubted.Block.Hash == scan.Block.Hash {
			return nil
		}
		doubted = new(scan)
		return errAskAnother
	})
	if errors.Is(err, errAskAnother) {
		err = &settlement.LookError{Code: settlement.RPCMisconfigured, Err: fmt.Errorf(
			"block %d may hold a transfer and no log came: an endpoint that offers eth_getBlockReceipts is needed, or a second one", number,
		)}
	}
	if err != nil {
		return settlement.Scan{}, err
	}
	return scan, nil
}

// scanLogs reads the block's Transfer logs of listed tokens. settled is false when there are none although the bloom
// allows some, and the endpoint does not give out the receipts that would tell.
func (s *session) scanLogs(ctx context.Context, number uint64) (scan settlement.Scan, settled bool, err error) {
	b, err := s.wholeBlock(ctx, number, false)
	if err != nil {
		return settlement.Scan{}, false, err
	}
	addresses := make([]string, 0, len(s.chain.listed))
	mayHold := false
	for _, token := range s.chain.listed {
		addresses = append(addresses, token.Address.String())
		mayHold = mayHold || b.bloom.Test([]byte(token.Address)) && b.bloom.Test([]byte(transferTopic))
	}
	raw, err := s.call(ctx, "eth_getLogs", map[string]any{
		"blockHash": b.hash.String(), "address": addresses,
		"topics": []string{settlement.BlockHash(transferTopic).String()},
	})
	if err != nil {
		return settlement.Scan{}, false, err
	}
	logs, err := decodeList(raw, "the logs", decodeLog)
	if err != nil {
		return settlement.Scan{}, false, err
	}
	if err := s.checkLogs(b, logs); err != nil {
		return settlement.Scan{}, false, err
	}
	outside := slices.ContainsFunc(logs, func(l logEntry) bool { return !l.within(b) })
	if outside || len(logs) == 0 && mayHold {
		scan, err := s.receipts(ctx, b)
		if errors.Is(err, errNoMethod) && len(logs) == 0 {
			return s.result(b, nil), false, nil
		}
		return scan, err == nil, err
	}
	var seen []settlement.ScannedTx
	for _, l := range logs {
		if t, ok := l.transfer(-1); ok {
			if len(seen) == 0 || seen[len(seen)-1].TxID != l.txid {
				seen = append(seen, settlement.ScannedTx{TxID: l.txid})
			}
			last := &seen[len(seen)-1]
			last.Transfers = append(last.Transfers, t)
		}
	}
	return s.result(b, seen), true, nil
}

// checkLogs holds the logs against the question and against each other.
func (s *session) checkLogs(b block, logs []logEntry) error {
	for i, l := range logs {
		_, listed := s.chain.tokens[l.address]
		switch {
		case l.removed:
			return inconsistent("log %d was removed", l.index)
		case l.blockHash != b.hash || l.number != b.number:
			return inconsistent("log %d is of another block than asked for", l.index)
		case !listed || len(l.topics) == 0 || l.topics[0] != transferTopic:
			return inconsistent("log %d was not asked for", l.index)
		case i > 0 && l.index <= logs[i-1].index:
			return inconsistent("log %d does not follow log %d", l.index, logs[i-1].index)
		case i > 0 && (l.txIndex < logs[i-1].txIndex || (l.txIndex == logs[i-1].txIndex) != (l.txid == logs[i-1].txid)):
			return inconsistent("log %d is of another transaction than its place says", l.index)
		}
	}
	return nil
}

// within reports whether the header vouches for the log: its bloom holds it, and the transaction is the block's.
func (l *logEntry) within(b block) bool {
	var bloom types.Bloom
	l.addTo(&bloom)
	return contains(b.bloom, bloom) && slices.Contains(b.txids, l.txid)
}

func contains(whole, part types.Bloom) bool {
	for i := range part {
		if part[i]&^whole[i] != 0 {
			return false
		}
	}
	return true
}

// scanReceipts reads the block's transactions and receipts.
func (s *session) scanReceipts(ctx context.Context, number uint64) (settlement.Scan, error) {
	b, err := s.wholeBlock(ctx, number, true)
	if err != nil {
		return settlement.Scan{}, err
	}
	return s.receipts(ctx, b)
}

// receipts reads all receipts of the block, one for each of its transactions in their order, and takes the transfers of
// listed tokens out of those that succeeded.
func (s *session) receipts(ctx context.Context, b block) (settlement.Scan, error) {
	raw, err := s.call(ctx, "eth_getBlockReceipts", b.hash.String())
	if err != nil {
		return settlement.Scan{}, err
	}
	if isNull(raw) {
		return settlement.Scan{}, inconsistent("block %d has no receipts", b.number)
	}
	receipts, err := decodeList(raw, "the receipts", decodeReceipt)
	if err != nil {
		return settlement.Scan{}, err
	}
	if len(receipts) != len(b.txids) {
		return settlement.Scan{}, inconsistent("block %d holds %d transactions and %d receipts", b.number, len(b.txids), len(receipts))
	}
	var all types.Bloom
	var seen []settlement.ScannedTx
	next := uint64(0) // the lowest index that a log may have
	for i, r := range receipts {
		if r.txid != b.txids[i] || r.blockHash != b.hash || r.number != b.number {
			return settlement.Scan{}, inconsistent("receipt %d of block %d is of another transaction or block", i, b.number)
		}
		if err := r.check(); err != nil {
			return settlement.Scan{}, err
		}
		for j := range all {
			all[j] |= r.bloom[j]
		}
		if len(r.logs) > 0 {
			if r.logs[0].index < next {
				return settlement.Scan{}, inconsistent("log %d comes twice in block %d", r.logs[0].index, b.number)
			}
			next = r.logs[len(r.logs)-1].index + 1
		}
		if r.status == nil || *r.status != 1 {
			continue
		}
		var moved []settlement.Transfer
		sender := r.sender
		if b.txs != nil {
			moved, sender = b.txs[i].transfers(), b.txs[i].from
		}
		moved = slices.DeleteFunc(append(moved, transfersOf(r.logs)...), func(t settlement.Transfer) bool {
			_, listed := s.chain.tokens[t.Token]
			return !listed
		})
		if len(moved) > 0 {
			seen = append(seen, settlement.ScannedTx{TxID: r.txid, Sender: sender, Transfers: moved})
		}
	}
	if !contains(all, b.bloom) {
		return settlement.Scan{}, inconsistent("block %d holds logs that are in no receipt", b.number)
	}
	return s.result(b, seen), nil
}

func (s *session) result(b block, seen []settlement.ScannedTx) settlement.Scan {
	return settlement.Scan{
		Block: settlement.Block{Number: b.number, Hash: b.hash, Time: b.time}, Parent: b.parent, Transactions: seen,
		Endpoint: s.e.name, Digests: slices.Clone(s.digests),
	}
}

// wholeBlock reads the block of that number; whole asks for its transactions and not only their ids.
func (s *session) wholeBlock(ctx context.Context, number uint64, whole bool) (block, error) {
	raw, err := s.call(ctx, "eth_getBlockByNumber", hexNumber(number), whole)
	if err != nil {
		return block{}, err
	}
	if isNull(raw) {
		return block{}, inconsistent("block %d is absent", number)
	}
	b, err := decodeObject(raw, "the block", func(raw json.RawMessage) (block, error) { return decodeBlock(raw, whole) })
	if err != nil {
		return block{}, err
	}
	if b.number != number || b.hash == "" || isZero(b.hash) || b.parent == "" {
		return block{}, inconsistent("asked for block %d, the answer is block %d with hash %q", number, b.number, b.hash)
	}
	for i, tx := range b.txs {
		if tx.blockHash != b.hash || tx.number != b.number {
			return block{}, inconsistent("transaction %d of block %d is of another block", i, number)
		}
	}
	return b, nil
}

// decodeList reads a list, telling an answer that is none from one we cannot read.
func decodeList[T any](raw json.RawMessage, what string, decode func(json.RawMessage) (T, error)) ([]T, error) {
	var items []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' || json.Unmarshal(raw, &items) != nil {
		return nil, unavailable("%s are not a list", what)
	}
	out := make([]T, 0, len(items))
	for i, item := range items {
		value, err := decode(item)
		if err != nil {
			return nil, undecodable(fmt.Sprintf("%s: [%d]", what, i), err)
		}
		out = append(out, value)
	}
	return out, nil
}
