package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// compare compares with each final block the blocks of our own transactions with the chain's, once each. A mover calls them final by its own
// look at the chain, which may be before the watcher has come to the block, or too late for the watcher to take it back: then the watcher
// would know nothing of a block that has left the chain in between.
func (w *watch) compare(ctx context.Context, final uint64) error {
	if w.chain.Escrow == nil && w.chain.Refunds == nil || final == w.comparedAt {
		return nil
	}
	slots, err := store.UnseenSlots(ctx, w.r.cfg.Pool, w.chain.ID, final, maxFinal)
	if err != nil {
		return err
	}
	var seen, gone []store.UnseenSlot
	looks := make(map[settlement.Block]blockLook)
	for _, slot := range slots {
		look, ok := looks[slot.Block]
		if !ok {
			if look, err = w.look(ctx, slot.Block); err != nil {
				return err
			}
			looks[slot.Block] = look
		}
		switch look {
		case blockThere:
			seen = append(seen, slot)
		case blockGone:
			gone = append(gone, slot)
		}
	}
	if len(seen)+len(gone) > 0 {
		var results []Result
		err := w.r.begin(ctx, "compared blocks", func(tx pgx.Tx) error {
			lost, err := store.CompareSlots(ctx, tx, w.chain.ID, seen, gone, w.r.now())
			if err != nil {
				return err
			}
			if events := w.brokenPayouts(ctx, lost); len(events) > 0 {
				results, err = w.r.advance(ctx, tx, events)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("compare blocks of our transactions up to %d: %w", final, err)
		}
		w.r.logResults(ctx, results)
	}
	if len(slots) < maxFinal {
		w.comparedAt = final
	}
	return nil
}

// blockLook is where a block is.
type blockLook int

const (
	blockGone blockLook = iota
	blockThere
	blockAhead // there, and the watcher is on a branch that it will leave
)

// look looks for a block at or below the cursor.
func (w *watch) look(ctx context.Context, block settlement.Block) (blockLook, error) {
	saved, err := store.SavedBlock(ctx, w.r.cfg.Pool, w.chain.ID, block.Number)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return blockGone, err
	}
	if saved.Hash == block.Hash {
		return blockThere, nil
	}
	scan, err := w.chain.Watcher.ScanFor(ctx, block.Number, w.index)
	switch {
	case err != nil:
		return blockGone, fmt.Errorf("read block %d: %w", block.Number, err)
	case scan.Block.Hash != block.Hash:
		return blockGone, nil
	case saved.Hash != "":
		return blockAhead, nil
	}
	return blockThere, nil
}
