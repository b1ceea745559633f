package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// finalize sends what has become final through the door, each transfer under the rule of its payment's price.
func (w *watch) finalize(ctx context.Context, heads settlement.Heads) error {
	final := min(heads.Final, w.cursor.Number)
	upTo := make(map[settlement.Finality]uint64, len(heads.Rules))
	for rule, head := range heads.Rules {
		upTo[rule] = min(head.Final, w.cursor.Number)
	}
	upTo[""] = final // stored by an older program, which knew the chain's own rule alone
	for {
		seen, err := store.SeenUpTo(ctx, w.r.cfg.Pool, w.chain.ID, upTo, maxFinal)
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
			kind := finalKind(s.Sighting.Verdict)
			if hashes[number] != "" && hashes[number] != s.Sighting.Block.Hash { // seen by a worker on another branch
				kind = settlement.EventTransferWithdrawn
			}
			s.Sighting.FinalHead = heads.Rules[cmp.Or(s.Finality, heads.Own)].Final
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
	switch kind {
	case settlement.EventPaymentConfirmed:
		return 0
	case settlement.EventPaymentPart:
		return 1
	}
	return 2
}

// rewind goes back to the last remembered block that is still part of the chain and withdraws what was seen after it. A
// block that counted as final and is gone makes its settled payments a matter for a person.
func (w *watch) rewind(ctx context.Context) error {
	last := w.cursor.Number
	var fork uint64
	var hash settlement.BlockHash
	for {
		saved, err := store.LastSavedBlock(ctx, w.r.cfg.Pool, w.chain.ID, last)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("block %d is gone from the chain together with every block that is remembered: "+
				"the endpoint serves another chain, or finality is broken; stopping at block %d", last+1, w.cursor.Number)
		}
		if err != nil {
			return err
		}
		fork, hash = saved.Number, saved.Hash
		scan, err := w.chain.Watcher.ScanFor(ctx, fork, w.index)
		if err != nil {
			return fmt.Errorf("read block %d: %w", fork, err)
		}
		if scan.Block.Hash == hash {
			break
		}
		if fork == 0 {
			return errors.New("the endpoint serves a chain with another first block")
		}
		last = fork - 1
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
		if finalKind(s.Sighting.Verdict) == settlement.EventPaymentMispaid && !s.Consumed {
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
		lost, err := store.LoseVaultEvents(ctx, tx, w.chain.ID, fork+1, w.r.now())
		if err != nil {
			return err
		}
		refunds, err := store.LoseRefunds(ctx, tx, w.chain.ID, fork+1, w.r.now())
		if err != nil {
			return err
		}
		if all := slices.Concat(events, w.broken(lost), w.brokenPayouts(ctx, refunds)); len(all) > 0 {
			if results, err = w.r.advance(ctx, tx, all); err != nil {
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
	scan, err := w.chain.Watcher.ScanFor(ctx, block.Number, w.index)
	if err != nil {
		return false, fmt.Errorf("read block %d: %w", block.Number, err)
	}
	return scan.Block.Hash == block.Hash, nil
}
