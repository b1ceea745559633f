package solana

import (
	"context"
	"slices"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// Fates tells of transactions that were seen before they were final what became of them, MaxStatuses in one call. That one
// is gone counts only when what is final has passed its slot, the history reaches so far down, and two endpoints say so
// (or the only one there is). Operators that must agree and do not leave it open.
func (c *Chain) Fates(ctx context.Context, seen []settlement.SeenTx) ([]settlement.Fate, error) {
	out := make([]settlement.Fate, 0, len(seen))
	for some := range slices.Chunk(seen, MaxStatuses) {
		told, err := gather(ctx, c, c.rule, func(ctx context.Context, s *session) ([]settlement.Fate, error) { return s.fates(ctx, some) })
		if err != nil {
			return nil, err
		}
		if len(told) == 1 && len(c.rpc.Endpoints) > 1 && slices.Contains(told[0], settlement.FateGone) {
			second, err := jsonrpc.Gather(ctx, c.rpc, c.rpc.Historic(), 1, under(c, c.rule, secondOpinion(some)))
			if err != nil { // nobody to agree: it is left open
				second = [][]settlement.Fate{slices.Repeat([]settlement.Fate{settlement.FateOpen}, len(some))}
				for i, fate := range told[0] {
					if fate != settlement.FateGone {
						second[0][i] = fate
					}
				}
			}
			told = append(told, second...)
		}
		fates := told[0]
		for _, other := range told[1:] {
			for i := range fates {
				if fates[i] != other[i] {
					fates[i] = settlement.FateOpen
				}
			}
		}
		out = append(out, fates...)
	}
	return out, nil
}

// secondOpinion leaves out the first endpoint that can be asked.
func secondOpinion(seen []settlement.SeenTx) func(context.Context, *session) ([]settlement.Fate, error) {
	asked := false
	return func(ctx context.Context, s *session) ([]settlement.Fate, error) {
		if !asked {
			asked = true
			return nil, errAskAnother
		}
		return s.fates(ctx, seen)
	}
}

// late is by how many slots what is final must have passed a transaction before its absence counts.
const late = 32

func (s *session) fates(ctx context.Context, seen []settlement.SeenTx) ([]settlement.Fate, error) {
	final, err := s.head(ctx, Finalized) // before the statuses: they are of this slot or later
	if err != nil {
		return nil, err
	}
	ids := make([]settlement.TxID, len(seen))
	for i, tx := range seen {
		ids[i] = tx.TxID
	}
	statuses, err := s.statuses(ctx, ids)
	if err != nil {
		return nil, err
	}
	fates := make([]settlement.Fate, len(seen))
	oldest := final
	for i, status := range statuses {
		switch fates[i] = settlement.FateOpen; {
		case status.Level == "" && seen[i].Slot+late <= final:
			fates[i] = settlement.FateGone
			oldest = min(oldest, seen[i].Slot)
		case status.Level == string(Finalized) && status.Failed:
			fates[i] = settlement.FateFailed
		case status.Level == string(Finalized):
			fates[i] = settlement.FateFinal
		}
	}
	if slices.Contains(fates, settlement.FateGone) {
		first, err := s.firstBlock(ctx)
		if err != nil {
			return nil, err
		}
		if first > oldest {
			return nil, historyUnavailable("a transaction of slot %d is asked for, and the endpoint's history begins at %d", oldest, first)
		}
	}
	return fates, nil
}
