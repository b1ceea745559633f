package solana

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

const (
	// maxPage is how many signatures one call lists at most.
	//
	// Source: Agave, MAX_GET_CONFIRMED_SIGNATURES_FOR_ADDRESS2_LIMIT.
	maxPage = 1000
	// portion is how many transactions are read between two deliveries.
	portion = 100
	// readsAtOnce is how many calls for transactions are under way at a time.
	readsAtOnce = 8
	// overlap is how far below the final slot an account is listed again each time, about a minute: nodes write their
	// indices late, and those behind one URL are never quite level.
	overlap = maxStep
	// quietMove is by how many slots, about ten minutes, a cursor may move on before one of which nothing else is new is
	// delivered, so that an account without traffic costs next to no commits.
	quietMove = 1500
	// retries is how many unread transactions are asked for again in one scan.
	retries = 16
)

// Scan finds the successful transactions that name the account and that the cursor has not, the newest first, and hands
// them to deliver in portions, each with the cursor to commit together with it. An error of deliver ends the scan and is
// returned; another error is a *settlement.LookError, and what was delivered before it stays valid. When it returns nil,
// everything up to head.Final is in what was delivered, or in the last cursor's Unread.
//
// head is of Heads, read before: a node that has not come as far is not believed. It costs one call while nothing
// is new, and one for each new transaction; deliver is then not called, but for every ten minutes of slots, so that the
// cursor never falls behind what nodes keep. An endpoint whose history does not reach down to the cursor's slot is not
// believed either: a gap is RPC_HISTORY_UNAVAILABLE and never skipped.
//
// A transaction that a fork has carried to another slot is delivered again. So may be a few at the lower end of a gap.
func (c *Chain) Scan(ctx context.Context, head settlement.Head, cursor settlement.AccountCursor, deliver func(settlement.AccountScan) error) error {
	s := scan{chain: c, head: head, cursor: cursor, deliver: deliver}
	if err := s.retry(ctx); err != nil {
		return err
	}
	if err := s.top(ctx); err != nil {
		return err
	}
	for len(s.cursor.Gaps) > 0 {
		if err := s.gap(ctx); err != nil {
			return err
		}
	}
	return nil
}

// scan is one call of Scan.
type scan struct {
	chain   *Chain
	head    settlement.Head
	cursor  settlement.AccountCursor
	deliver func(settlement.AccountScan) error
}

// hand delivers, and goes on from the cursor that was delivered.
func (s *scan) hand(out settlement.AccountScan) error {
	if err := s.deliver(out); err != nil {
		return err
	}
	s.cursor = out.Cursor
	return nil
}

// retry asks again for some of what could not be read.
func (s *scan) retry(ctx context.Context) error {
	again := s.cursor.Unread[:min(retries, len(s.cursor.Unread))]
	if len(again) == 0 {
		return nil
	}
	fates, err := s.chain.Fates(ctx, again)
	if err != nil && settlement.LookCode(err) != settlement.RPCHistoryUnavailable {
		return err
	}
	var asked []settlement.SeenTx
	for i, tx := range again {
		if err != nil || fates[i] == settlement.FateOpen || fates[i] == settlement.FateFinal {
			asked = append(asked, tx)
		}
	}
	found, unread, err := s.read(ctx, asked)
	if err != nil {
		return err
	}
	cursor := s.cursor
	cursor.Unread = slices.Clone(cursor.Unread[len(again):])
	for _, u := range unread { // behind the others
		cursor.Unread = append(cursor.Unread, u.SeenTx)
	}
	return s.hand(settlement.AccountScan{Cursor: cursor, Found: found, Unread: unread})
}

// top looks at what is newest. What does not fit into one page becomes a gap.
func (s *scan) top(ctx context.Context) error {
	old := s.cursor
	list, err := s.chain.page(ctx, s.head, old.Account, settlement.SeenTx{}, old.Slot, min(len(old.Seen)+8, maxPage))
	if err != nil {
		return err
	}
	floor := old.Slot
	if s.head.Final > overlap {
		floor = max(floor, s.head.Final-overlap)
	}
	fresh := without(list.rows, old.Seen)
	if last, ok := list.end(list.rows); ok && len(fresh) == 0 && !list.whole { // perhaps the account is younger than the cursor
		tail, err := s.chain.page(ctx, s.head, old.Account, last, old.Slot, 1)
		if err != nil {
			return err
		}
		list.whole = tail.whole
	}
	if len(fresh) == 0 && list.whole {
		if floor < old.Slot+quietMove {
			return nil
		}
		return s.hand(settlement.AccountScan{Cursor: after(old, nil, floor)})
	}
	return s.portions(ctx, list, old.Seen, func(rows []settlement.SeenTx, before settlement.SeenTx, done bool) settlement.AccountCursor {
		cursor := after(old, rows, floor)
		if !done {
			cursor.Gaps = append(slices.Clone(old.Gaps), settlement.AccountGap{Before: before, Slot: old.Slot, Seen: old.Seen})
		}
		return cursor
	})
}

// gap looks at one page of what remains.
func (s *scan) gap(ctx context.Context) error {
	gap := s.cursor.Gaps[len(s.cursor.Gaps)-1]
	list, err := s.chain.page(ctx, s.head, s.cursor.Account, gap.Before, gap.Slot, maxPage)
	if err != nil {
		return err
	}
	// What is in the part that is listed each time is remembered there too.
	seen := append(slices.Clone(gap.Seen), s.cursor.Seen...)
	begin := s.cursor
	return s.portions(ctx, list, seen, func(rows []settlement.SeenTx, before settlement.SeenTx, done bool) settlement.AccountCursor {
		cursor := after(begin, rows, begin.Slot)
		cursor.Gaps = slices.Clone(begin.Gaps[:len(begin.Gaps)-1])
		if !done {
			cursor.Gaps = append(cursor.Gaps, settlement.AccountGap{Before: before, Slot: gap.Slot, Seen: gap.Seen})
		}
		return cursor
	})
}

// portions reads the page's transactions but those seen, and delivers them a portion at a time. cursorAt is the cursor
// once the first rows of the page are looked at, the list going on at before; done is true after the last, if nothing of the
// stretch remains below.
func (s *scan) portions(
	ctx context.Context, list page, seen []settlement.SeenTx, cursorAt func(rows []settlement.SeenTx, before settlement.SeenTx, done bool) settlement.AccountCursor,
) error {
	unreadBefore := s.cursor.Unread
	var unreadNow []settlement.SeenTx
	for begin, end := 0, 0; ; {
		end = min(end+portion, len(list.rows))
		done := end == len(list.rows) && list.whole
		before, ok := list.end(list.rows[:end])
		switch {
		case ok || done:
		case end < len(list.rows): // with the next ones
			continue
		default:
			return inconsistent("the operators that must agree list different transactions of %s", FormatAddress(s.cursor.Account))
		}
		var asked []settlement.SeenTx
		for _, tx := range without(list.rows[begin:end], seen) {
			if !list.failed[tx] {
				asked = append(asked, tx)
			}
		}
		found, unread, err := s.read(ctx, asked)
		if err != nil {
			return err
		}
		for _, u := range unread {
			unreadNow = append(unreadNow, u.SeenTx)
		}
		out := settlement.AccountScan{
			Cursor: cursorAt(list.rows[:end], before, done), Found: found, Unread: unread,
		}
		out.Cursor.Unread = slices.Concat(unreadBefore, without(unreadNow, unreadBefore))
		if err := s.hand(out); err != nil || end == len(list.rows) {
			return err
		}
		begin = end
	}
}

// after is the cursor after rows were looked at, with everything below slot that is not in a gap.
func after(cursor settlement.AccountCursor, rows []settlement.SeenTx, slot uint64) settlement.AccountCursor {
	var seen []settlement.SeenTx
	for _, tx := range slices.Concat(rows, without(cursor.Seen, rows)) {
		if tx.Slot >= slot {
			seen = append(seen, tx)
		}
	}
	cursor.Slot, cursor.Seen = slot, seen
	return cursor
}

// without are the rows that are not among known.
func without(rows, known []settlement.SeenTx) []settlement.SeenTx {
	is := make(map[settlement.SeenTx]bool, len(known))
	for _, tx := range known {
		is[tx] = true
	}
	var out []settlement.SeenTx
	for _, tx := range rows {
		if !is[tx] {
			out = append(out, tx)
		}
	}
	return out
}

// read looks at the transactions, several at a time. Those that every endpoint shows in no form that we know are unread;
// an endpoint that does not answer ends it.
func (s *scan) read(ctx context.Context, txs []settlement.SeenTx) (found []settlement.FoundTx, unread []settlement.UnreadTx, err error) {
	read := make([]*settlement.FoundTx, len(txs))
	failures := make([]error, len(txs))
	calls, ctx := errgroup.WithContext(ctx)
	calls.SetLimit(readsAtOnce)
	for i, tx := range txs {
		calls.Go(func() (err error) {
			read[i], err = s.chain.found(ctx, s.head, s.cursor.Payee, tx)
			switch settlement.LookCode(err) {
			case settlement.RPCDecodeFailed, settlement.RPCInconsistent, settlement.RPCHistoryUnavailable:
				failures[i] = err
				return nil
			}
			return err
		})
	}
	if err := calls.Wait(); err != nil {
		return nil, nil, err
	}
	for i, tx := range txs {
		switch {
		case failures[i] != nil:
			unread = append(unread, settlement.UnreadTx{SeenTx: tx, Err: failures[i]})
		case read[i] != nil:
			found = append(found, *read[i])
		}
	}
	return found, unread, nil
}

// found reads one transaction, at as many operators as must agree; nil when it failed.
func (c *Chain) found(ctx context.Context, head settlement.Head, payee settlement.Address, tx settlement.SeenTx) (*settlement.FoundTx, error) {
	at := Confirmed
	if tx.Slot <= head.Final {
		at = c.rule.Finality
	}
	type reading struct {
		*ledger
		vote    jsonrpc.Vote
		digests []string
	}
	readings, err := gather(ctx, c, c.rule, func(ctx context.Context, s *session) (reading, error) {
		raw, err := s.transaction(ctx, tx.TxID, at)
		if err != nil {
			return reading{}, err
		}
		if isNull(raw) {
			return reading{}, historyUnavailable("the endpoint does not have a transaction that is listed")
		}
		l, err := read(raw, tx.TxID)
		if err == nil && l.blockTime == 0 {
			l.blockTime, err = s.blockTime(ctx, l.slot)
		}
		if err != nil {
			return reading{}, err
		}
		return reading{l, jsonrpc.Vote{Endpoint: s.Endpoint, Facts: l.facts(), JSON: raw}, s.Digests}, nil
	})
	if err != nil {
		return nil, err
	}
	evidence := settlement.Evidence{Finality: c.rule.Finality, Trust: c.rule.Trust.String(), Head: head.Final}
	var votes []jsonrpc.Vote
	for _, r := range readings {
		votes = append(votes, r.vote)
		evidence.Endpoints = append(evidence.Endpoints, r.vote.Endpoint.Name)
		evidence.Digests = append(evidence.Digests, r.digests...)
	}
	if err := c.rpc.Agreed("transaction "+FormatTxID(tx.TxID), votes); err != nil {
		return nil, err
	}
	l := readings[0].ledger
	if l.failed {
		return nil, nil
	}
	return &settlement.FoundTx{
		TxID: tx.TxID, Sender: addressOf(l.keys[0]), Final: at == c.rule.Finality && l.slot <= head.Final,
		Block:     settlement.Block{Number: l.slot, Time: time.Unix(int64(l.blockTime), 0).UTC()},
		Transfers: l.listed(c, payee), Memos: l.memos(),
		Judge: func(claim settlement.Claim) settlement.Verdict {
			claim.TxID = tx.TxID
			if code := c.refuse(claim); code != "" {
				return settlement.Verdict{Code: code}
			}
			return c.judge(claim, l, true, evidence).Verdict
		},
	}, nil
}
