package solana

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/settler-pay/settler/settlement"
)

// page is a part of the list of an account's transactions, the newest first.
type page struct {
	rows   []settlement.SeenTx
	failed map[settlement.SeenTx]bool
	whole  bool // nothing remains between the last row and the slot that was asked for
	// shared are those that every operator who was asked lists: only from one of them can all of them go on. nil: all.
	shared map[settlement.SeenTx]bool
}

// page lists transactions of the account in slot and above, below before if that is not zero. With several operators it is
// what any of them lists, down to the lowest slot to which all of them have come.
func (c *Chain) page(
	ctx context.Context, head settlement.Head, account settlement.Address, before settlement.SeenTx, slot uint64, limit int,
) (page, error) {
	pages, err := gather(ctx, c, c.rule, func(ctx context.Context, s *session) (page, error) {
		return s.page(ctx, head, account, before, slot, limit)
	})
	if err != nil {
		return page{}, err
	}
	return union(pages), nil
}

func union(pages []page) page {
	if len(pages) == 1 {
		return pages[0]
	}
	out := page{failed: make(map[settlement.SeenTx]bool), whole: true, shared: make(map[settlement.SeenTx]bool)}
	floor := uint64(0)
	lists := make(map[settlement.SeenTx]int)
	failures := make(map[settlement.SeenTx]int)
	for _, p := range pages {
		if !p.whole {
			out.whole = false
			floor = max(floor, p.rows[len(p.rows)-1].Slot)
		}
		for _, tx := range p.rows {
			if lists[tx]++; lists[tx] == 1 {
				out.rows = append(out.rows, tx)
			}
			if p.failed[tx] {
				failures[tx]++
			}
		}
	}
	out.rows = slices.DeleteFunc(out.rows, func(tx settlement.SeenTx) bool { return tx.Slot < floor })
	slices.SortStableFunc(out.rows, func(a, b settlement.SeenTx) int { return cmp.Compare(b.Slot, a.Slot) })
	for _, tx := range out.rows {
		out.failed[tx] = failures[tx] == lists[tx] // one that calls it a success has it looked at
		out.shared[tx] = lists[tx] == len(pages)
	}
	return out
}

// end is the last of the rows from which the list can be gone on with.
func (p page) end(rows []settlement.SeenTx) (settlement.SeenTx, bool) {
	for _, tx := range slices.Backward(rows) {
		if p.shared == nil || p.shared[tx] {
			return tx, true
		}
	}
	return settlement.SeenTx{}, false
}

func (s *session) page(
	ctx context.Context, head settlement.Head, account settlement.Address, before settlement.SeenTx, slot uint64, limit int,
) (page, error) {
	options := map[string]any{"commitment": Confirmed, "limit": limit, "minContextSlot": head.Final}
	if before.TxID != "" {
		options["before"] = FormatTxID(before.TxID)
	}
	raw, err := s.call(ctx, "getSignaturesForAddress", FormatAddress(account), options)
	if err != nil {
		return page{}, err
	}
	rows, err := decodeSignatures(raw)
	if err != nil {
		return page{}, undecodable("the signatures", err)
	}
	out := page{failed: make(map[settlement.SeenTx]bool)}
	last := before.Slot
	for i, row := range rows {
		if i > 0 && row.Slot > last || i == 0 && before.TxID != "" && row.Slot > last {
			return page{}, inconsistent("signature %d is of slot %d and follows one of slot %d", i, row.Slot, last)
		}
		last = row.Slot
		if row.Slot < slot {
			out.whole = true // the list goes on below the slot: nothing can be missing at its end
			return out, nil
		}
		out.rows = append(out.rows, row.SeenTx)
		if row.failed {
			out.failed[row.SeenTx] = true
		}
	}
	if len(rows) > 0 {
		return out, nil // perhaps the end; only an empty page says so
	}
	// A node that does not know "before" answers nothing, too.
	if before.TxID != "" {
		statuses, err := s.statuses(ctx, []settlement.TxID{before.TxID})
		if err != nil {
			return page{}, err
		}
		if statuses[0].Level == "" {
			if before.Slot > head.Final {
				return page{}, inconsistent("the transaction from which the list was to go on has left the chain")
			}
			return page{}, historyUnavailable("the endpoint does not know the transaction from which its list was to go on")
		}
	}
	first, err := s.firstBlock(ctx)
	if err != nil {
		return page{}, err
	}
	if first > slot {
		return page{}, historyUnavailable("the account was looked at up to slot %d, and the endpoint's history begins at %d", slot, first)
	}
	out.whole = true
	return out, nil
}

// signatureRow is one line of the list.
type signatureRow struct {
	settlement.SeenTx
	failed bool
}

func decodeSignatures(raw json.RawMessage) ([]signatureRow, error) {
	c := cursor{text: raw}
	var rows []signatureRow
	c.list()
	for c.item(len(rows)) {
		var row signatureRow
		var seen uint32
		c.object()
		for name, ok := c.field(); ok; name, ok = c.field() {
			switch string(name) {
			case "signature":
				c.once(&seen, 1)
				txid, err := ParseTxID(string(c.str()))
				if err != nil {
					c.fail(err.Error())
				}
				row.TxID = txid
			case "slot":
				c.once(&seen, 2)
				row.Slot = c.uint()
			case "err":
				c.once(&seen, 4)
				if !c.null() {
					row.failed = true
					c.skip()
				}
			default:
				c.skip()
			}
		}
		c.need(seen, 7, "a part of a signature is missing")
		rows = append(rows, row)
	}
	c.end()
	return rows, c.err
}

// firstBlock is the oldest slot that the endpoint has.
func (s *session) firstBlock(ctx context.Context) (uint64, error) {
	raw, err := s.call(ctx, "getFirstAvailableBlock")
	if err != nil {
		return 0, err
	}
	first, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		return 0, unavailable("getFirstAvailableBlock: the answer is not a number")
	}
	return first, nil
}
