package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// catchUpFrom is how many final blocks are worth searching in ranges instead of one by one.
const catchUpFrom = 32

// catchUp brings the cursor to the last final block, if that is far away. The block at the cursor is final, or was just
// found to be part of the chain. Payments that are opened meanwhile are looked for by lookAgain afterwards.
func (w *watch) catchUp(ctx context.Context, heads settlement.Heads) error {
	if heads.Final < w.cursor.Number+catchUpFrom {
		return nil
	}
	from := w.cursor.Number + 1
	err := w.chain.Watcher.CatchUp(ctx, from, heads.Final, w.index.view(), func(span settlement.Span) error {
		if err := w.index.refresh(ctx, w.r.cfg.Pool); err != nil {
			return err
		}
		for _, scan := range span.Blocks {
			if err := w.take(ctx, scan); err != nil {
				return err
			}
		}
		if w.cursor.Number < span.To {
			if err := w.take(ctx, settlement.Scan{Block: span.Last}); err != nil {
				return err
			}
		}
		return w.finalize(ctx, heads)
	})
	if err != nil {
		return fmt.Errorf("search blocks %d to %d: %w", from, heads.Final, err)
	}
	return nil
}

// lookAgain looks at the blocks after from, up to the cursor, for payments that were not known when they were scanned.
// What was seen in them before is a duplicate. reached is how far it came.
func (w *watch) lookAgain(ctx context.Context, heads settlement.Heads, from uint64) (reached uint64, err error) {
	reached = from
	if final := min(heads.Final, w.cursor.Number); final >= reached+catchUpFrom {
		err := w.chain.Watcher.CatchUp(ctx, reached+1, final, w.index.view(), func(span settlement.Span) error {
			for _, scan := range span.Blocks {
				if err := w.seeAgain(ctx, scan); err != nil {
					return err
				}
			}
			reached = span.To
			w.r.headRead(w.chain.ID) // one that searches for long is not one that stands still
			return nil
		})
		if err != nil {
			return reached, fmt.Errorf("search blocks %d to %d: %w", reached+1, final, err)
		}
	}
	for ; reached < w.cursor.Number; reached++ {
		scan, err := w.chain.Watcher.ScanFor(ctx, reached+1, w.index)
		if err != nil {
			return reached, fmt.Errorf("read block %d: %w", reached+1, err)
		}
		if err := w.seeAgain(ctx, scan); err != nil {
			return reached, err
		}
	}
	return reached, nil
}

// seeAgain sends what a block behind the cursor means through the door. After a reorganisation the cursor is before it.
func (w *watch) seeAgain(ctx context.Context, scan settlement.Scan) error {
	number := scan.Block.Number
	saved, err := store.SavedBlock(ctx, w.r.cfg.Pool, w.chain.ID, number)
	switch {
	case errors.Is(err, store.ErrNotFound): // long final, or searched in a range
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
