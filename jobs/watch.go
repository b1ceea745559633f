package jobs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

const (
	// keepBlocks is how many final blocks are remembered, so that a reorganisation beyond finality is noticed.
	keepBlocks = 256
	// maxFinal is how many transfers become final in one commit.
	maxFinal = 500
)

// watch follows one chain: each block is looked at once for all payments, and what it means is committed together with
// the cursor. It costs the same number of calls whatever the number of payments.
type watch struct {
	r      *Runner
	chain  Chain
	index  *watchIndex
	epoch  int64
	cursor store.Cursor
}

// watchChain follows the chain until ctx ends or another process takes the chain over.
func (r *Runner) watchChain(ctx context.Context, chain Chain, index *watchIndex) error {
	w := &watch{r: r, chain: chain, index: index}
	started := false
	for {
		err := func() error {
			if !started {
				if err := w.start(ctx); err != nil {
					return err
				}
				started = true
			}
			return w.step(ctx)
		}()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrFenced):
			return err
		case err != nil:
			r.cfg.Logger.WarnContext(ctx, "chain not read", "chain", string(chain.ID), "block", w.cursor.Number,
				"reason", string(settlement.LookCode(err)), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(chain.PollInterval):
		}
	}
}

// start takes the chain over and reads where its scanning stands; a chain that was never scanned starts at its last final
// block, so that no reorganisation goes back beyond what is remembered.
func (w *watch) start(ctx context.Context) error {
	pool, id := w.r.cfg.Pool, w.chain.ID
	_, err := store.ChainCursor(ctx, pool, id)
	if errors.Is(err, store.ErrNotFound) {
		head, err := w.chain.Watcher.Head(ctx)
		if err != nil {
			return fmt.Errorf("read head: %w", err)
		}
		first := min(head.Final, head.Latest)
		scan, err := w.chain.Watcher.Scan(ctx, first)
		if err != nil {
			return fmt.Errorf("read block %d: %w", first, err)
		}
		now := w.r.now()
		if err := w.r.begin(ctx, "first block", func(tx pgx.Tx) error {
			if err := store.StartChain(ctx, tx, id, scan.Block, now); err != nil {
				return err
			}
			return store.SaveBlock(ctx, tx, id, scan.Block)
		}); err != nil {
			return err
		}
	} else if err != nil {
		return err
	}
	if w.epoch, err = store.TakeChain(ctx, pool, id); err != nil {
		return err
	}
	w.cursor, err = store.ChainCursor(ctx, pool, id)
	return err
}

// step brings the cursor to the head.
func (w *watch) step(ctx context.Context) error {
	head, err := w.chain.Watcher.Head(ctx)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	w.r.headRead(w.chain.ID)
	// Payments that were opened after their first block was scanned: look at those blocks once more, once for all of them.
	if err := w.index.refresh(ctx, w.r.cfg.Pool); err != nil {
		return err
	}
	from, ok, snapshot := w.index.missed(w.chain.ID)
	if ok {
		for number := from + 1; number <= w.cursor.Number; number++ {
			if err := w.lookAgain(ctx, number); err != nil {
				w.index.missAgain(w.chain.ID, number-1)
				return err
			}
		}
	}
	w.cursor.WatchXID = snapshot
	for w.cursor.Number < head.Latest {
		if err := w.next(ctx); err != nil {
			return err
		}
	}
	if head.FinalHash != "" && head.Final <= w.cursor.Number {
		saved, err := store.SavedBlock(ctx, w.r.cfg.Pool, w.chain.ID, head.Final)
		if err == nil && saved.Hash != head.FinalHash {
			return w.rewind(ctx)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return w.finalize(ctx, min(head.Final, w.cursor.Number))
}

// next scans one block and commits it with the cursor.
func (w *watch) next(ctx context.Context) error {
	number := w.cursor.Number + 1
	scan, err := w.chain.Watcher.Scan(ctx, number)
	if err != nil {
		return fmt.Errorf("read block %d: %w", number, err)
	}
	if scan.Parent != w.cursor.Hash {
		return w.rewind(ctx)
	}
	if err := w.index.refresh(ctx, w.r.cfg.Pool); err != nil {
		return err
	}
	events, err := w.sightings(ctx, scan)
	if err != nil {
		return err
	}
	cursor := store.Cursor{Number: number, Hash: scan.Block.Hash, Final: w.cursor.Final, WatchXID: w.cursor.WatchXID}
	var results []Result
	err = w.r.begin(ctx, commitName("block", events), func(tx pgx.Tx) (err error) {
		if len(events) > 0 {
			if results, err = w.r.advance(ctx, tx, events); err != nil {
				return err
			}
		}
		if err := store.SaveBlock(ctx, tx, w.chain.ID, scan.Block); err != nil {
			return err
		}
		return store.MoveCursor(ctx, tx, w.chain.ID, w.epoch, cursor, w.r.now())
	})
	if err != nil {
		return fmt.Errorf("commit block %d: %w", number, err)
	}
	w.cursor = cursor
	w.r.headRead(w.chain.ID) // one that catches up for long is not one that stands still
	w.r.logResults(ctx, results)
	return nil
}

// lookAgain scans a block that is behind the cursor for payments that were not known when it was scanned. What was seen
// in it before is a duplicate.
func (w *watch) lookAgain(ctx context.Context, number uint64) error {
	scan, err := w.chain.Watcher.Scan(ctx, number)
	if err != nil {
		return fmt.Errorf("read block %d: %w", number, err)
	}
	saved, err := store.SavedBlock(ctx, w.r.cfg.Pool, w.chain.ID, number)
	switch {
	case errors.Is(err, store.ErrNotFound): // long final
	case err != nil:
		return err
	case saved.Hash != scan.Block.Hash:
		if err := w.rewind(ctx); err != nil || w.cursor.Number < number {
			return err
		}
		return fmt.Errorf("block %d was another one for a moment", number)
	}
	events, err := w.sightings(ctx, scan)
	if err != nil {
		return err
	}
	_, err = w.r.Advance(ctx, events...)
	return err
}

// sightings are the events for the block's transfers that concern our payments, with the verdict that each will have once
// it is final.
func (w *watch) sightings(ctx context.Context, scan settlement.Scan) ([]settlement.Event, error) {
	var seen []settlement.Sighting
	var txs []settlement.ScannedTx
	for _, tx := range scan.Transactions {
		for _, t := range tx.Transfers {
			if w.index.watched(w.chain.ID, t.Token, t.Payee) {
				seen = append(seen, settlement.Sighting{TxID: tx.TxID, Transfer: t, Block: scan.Block})
				txs = append(txs, tx)
			}
		}
	}
	if len(seen) == 0 {
		return nil, nil
	}
	chains := slices.Repeat([]settlement.ChainID{w.chain.ID}, len(seen))
	open, err := store.OpenForTransfers(ctx, w.r.cfg.Pool, chains, seen)
	if err != nil {
		return nil, err
	}
	used, err := w.consumed(ctx, seen)
	if err != nil {
		return nil, err
	}
	var events []settlement.Event
	for i, s := range seen {
		owner, taken := used[store.TransferKey{Chain: w.chain.ID, TxID: s.TxID, Position: s.Transfer.Position}]
		terms := make(map[settlement.PaymentID]settlement.Terms, len(open[i]))
		for _, p := range open[i] {
			terms[p.ID] = p.Terms
		}
		for _, a := range settlement.Attribute(s.Transfer, open[i]) {
			if taken && owner != a.Payment {
				continue // looked at again after it settled its order
			}
			s := s
			s.Verdict = verdictOf(a, terms[a.Payment], s, txs[i])
			s.Verdict.Evidence = w.evidence(scan, txs[i])
			events = append(events, sightingEvent(settlement.EventTransferSeen, a.Payment, s))
		}
	}
	return events, nil
}

// consumed tells which of the transfers have settled a payment already, and which one.
func (w *watch) consumed(ctx context.Context, seen []settlement.Sighting) (map[store.TransferKey]settlement.PaymentID, error) {
	transfers := make([]store.SeenTransfer, len(seen))
	chains := make([]string, len(seen))
	for i, s := range seen {
		transfers[i], chains[i] = store.SeenTransfer{Chain: w.chain.ID, Sighting: s}, string(w.chain.ID)
	}
	rows, err := store.Consumed(ctx, w.r.cfg.Pool, chains, transfers)
	if err != nil {
		return nil, err
	}
	used := make(map[store.TransferKey]settlement.PaymentID, len(rows))
	for _, c := range rows {
		used[c.Key] = c.Payment
	}
	return used, nil
}

// verdictOf judges one transfer for the payment that it is attributed to.
func verdictOf(a settlement.Attribution, terms settlement.Terms, s settlement.Sighting, tx settlement.ScannedTx) settlement.Verdict {
	if a.Code != "" {
		return settlement.Verdict{Code: a.Code, Transfer: &s.Transfer}
	}
	v := settlement.Judge(terms.Claim(s.TxID), s.Block, tx.Transfers)
	if v.Transfer == nil || v.Transfer.Position != s.Transfer.Position {
		// The funnel chose another transfer of the transaction: this one is a further payment or a part of none.
		return settlement.Verdict{Code: settlement.TransferAmbiguous, Transfer: &s.Transfer}
	}
	return v
}

func (w *watch) evidence(scan settlement.Scan, tx settlement.ScannedTx) *settlement.Evidence {
	format := w.chain.FormatTxID
	e := &settlement.Evidence{
		Chain: w.chain.ID, TxID: format(tx.TxID), Block: scan.Block.Number, BlockHash: scan.Block.Hash.String(),
		BlockTime: scan.Block.Time, Finality: w.chain.Finality, Head: w.cursor.Final, Endpoints: []string{scan.Endpoint},
		Digests: scan.Digests, LookedAt: w.r.now(),
	}
	if tx.Sender != "" {
		e.TxSender = w.chain.FormatAddress(tx.Sender)
	}
	return e
}

// finalize sends what has become final through the door.
func (w *watch) finalize(ctx context.Context, final uint64) error {
	for {
		seen, err := store.SeenUpTo(ctx, w.r.cfg.Pool, w.chain.ID, final, maxFinal)
		if err != nil {
			return err
		}
		if len(seen) == 0 && final <= w.cursor.Final {
			return nil
		}
		events := make([]settlement.Event, 0, len(seen))
		hashes := make(map[uint64]settlement.BlockHash)
		for _, s := range seen {
			number := s.Sighting.Block.Number
			if _, ok := hashes[number]; !ok {
				block, err := store.SavedBlock(ctx, w.r.cfg.Pool, w.chain.ID, number)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				hashes[number] = block.Hash
			}
			kind := settlement.EventPaymentMispaid
			switch {
			case hashes[number] != "" && hashes[number] != s.Sighting.Block.Hash: // seen by a worker on another branch
				kind = settlement.EventTransferWithdrawn
			case s.Sighting.Verdict.Code == settlement.Verified:
				kind = settlement.EventPaymentConfirmed
			}
			if e := s.Sighting.Verdict.Evidence; e != nil {
				e.Head = final
			}
			events = append(events, sightingEvent(kind, s.Payment, s.Sighting))
		}
		// Within a batch the transfer that pays comes before those that do not.
		slices.SortStableFunc(events, func(a, b settlement.Event) int {
			return finalOrder(a.Kind) - finalOrder(b.Kind)
		})
		cursor := w.cursor
		if len(seen) < maxFinal {
			cursor.Final = max(cursor.Final, final)
		}
		var results []Result
		err = w.r.begin(ctx, commitName("final block", events), func(tx pgx.Tx) (err error) {
			if len(events) > 0 {
				if results, err = w.r.advance(ctx, tx, events); err != nil {
					return err
				}
			}
			if cursor.Final > keepBlocks {
				if err := store.DropBlocksBelow(ctx, tx, w.chain.ID, cursor.Final-keepBlocks); err != nil {
					return err
				}
			}
			return store.MoveCursor(ctx, tx, w.chain.ID, w.epoch, cursor, w.r.now())
		})
		if err != nil {
			return fmt.Errorf("finalize up to block %d: %w", final, err)
		}
		w.cursor = cursor
		w.r.logResults(ctx, results)
		if len(seen) < maxFinal {
			return nil
		}
	}
}

func finalOrder(kind settlement.EventKind) int {
	if kind == settlement.EventPaymentConfirmed {
		return 0
	}
	return 1
}

// rewind goes back to the last block that is still part of the chain and withdraws what was seen after it. A block that
// counted as final and is gone makes its settled payments a matter for a person.
func (w *watch) rewind(ctx context.Context) error {
	fork := w.cursor.Number
	var hash settlement.BlockHash
	for {
		saved, err := store.SavedBlock(ctx, w.r.cfg.Pool, w.chain.ID, fork)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("block %d is gone from the chain together with every block that is remembered: "+
				"the endpoint serves another chain, or finality is broken; stopping at block %d", fork+1, w.cursor.Number)
		}
		if err != nil {
			return err
		}
		scan, err := w.chain.Watcher.Scan(ctx, fork)
		if err != nil {
			return fmt.Errorf("read block %d: %w", fork, err)
		}
		if hash = saved.Hash; scan.Block.Hash == hash {
			break
		}
		if fork == 0 {
			return errors.New("the endpoint serves a chain with another first block")
		}
		fork--
	}
	if fork == w.cursor.Number {
		return nil // the branch that looked different has gone again
	}
	seen, err := store.SeenFrom(ctx, w.r.cfg.Pool, w.chain.ID, fork+1)
	if err != nil {
		return err
	}
	broken, err := store.FinalFrom(ctx, w.r.cfg.Pool, w.chain.ID, fork+1)
	if err != nil {
		return err
	}
	var events []settlement.Event
	for _, s := range seen {
		events = append(events, sightingEvent(settlement.EventTransferWithdrawn, s.Payment, s.Sighting))
	}
	for _, s := range broken {
		if s.Sighting.Verdict.Code != settlement.Verified {
			continue
		}
		there, err := w.there(ctx, s.Sighting.Block)
		if err != nil {
			return err
		}
		if !there {
			e := sightingEvent(settlement.EventFinalityBroken, s.Payment, s.Sighting)
			e.Reason, e.Detail = settlement.TxReorged, fmt.Sprintf("block %d counted as final and has left the chain", s.Sighting.Block.Number)
			events = append(events, e)
		}
	}
	w.r.cfg.Logger.WarnContext(ctx, "chain reorganised", "chain", string(w.chain.ID), "from_block", fork+1, "to_block", w.cursor.Number,
		"transfers", len(seen), "final_transfers", len(broken))
	cursor := store.Cursor{Number: fork, Hash: hash, Final: w.cursor.Final, WatchXID: w.cursor.WatchXID}
	var results []Result
	err = w.r.begin(ctx, commitName("rewind", events), func(tx pgx.Tx) (err error) {
		if len(events) > 0 {
			if results, err = w.r.advance(ctx, tx, events); err != nil {
				return err
			}
		}
		if err := store.DropBlocksFrom(ctx, tx, w.chain.ID, fork+1); err != nil {
			return err
		}
		return store.MoveCursor(ctx, tx, w.chain.ID, w.epoch, cursor, w.r.now())
	})
	if err != nil {
		return fmt.Errorf("rewind to block %d: %w", fork, err)
	}
	w.cursor = cursor
	w.r.logResults(ctx, results)
	return nil
}

// there reports whether a block after the fork is part of the chain now: a worker may have found it on the branch that the
// watcher only comes to. One that the watcher has scanned itself has left the chain.
func (w *watch) there(ctx context.Context, block settlement.Block) (bool, error) {
	saved, err := store.SavedBlock(ctx, w.r.cfg.Pool, w.chain.ID, block.Number)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	if saved.Hash == block.Hash {
		return false, nil
	}
	scan, err := w.chain.Watcher.Scan(ctx, block.Number)
	if err != nil {
		return false, fmt.Errorf("read block %d: %w", block.Number, err)
	}
	return scan.Block.Hash == block.Hash, nil
}

// commitName tells commits that concern payments from those that only move the cursor.
func commitName(name string, events []settlement.Event) string {
	if len(events) == 0 {
		return "empty " + name
	}
	return name
}

// headRead notes that the chain's head was read.
func (r *Runner) headRead(id settlement.ChainID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heads[id] = r.now()
}

// headForgotten notes that this process no longer watches the chain.
func (r *Runner) headForgotten(id settlement.ChainID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.heads, id)
}

func parseHash(text string) (settlement.BlockHash, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		return "", fmt.Errorf("block hash %q: %w", text, err)
	}
	return settlement.BlockHash(raw), nil
}
