package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// brokenPayouts are the events for movements that have left the chain after they were final. One of a part, beside which the payment went on,
// is told to people alone.
func (w *watch) brokenPayouts(ctx context.Context, lost []store.LostPayout) []settlement.Event {
	var events []settlement.Event
	for _, l := range lost {
		what := "payout"
		if l.Direct {
			what = "refund"
		}
		detail := fmt.Sprintf("the %s %s was in block %d, which counted as final and has left the chain; it is sent again as it was", what, w.chain.FormatTxID(l.TxID), l.Block)
		w.r.cfg.Logger.ErrorContext(ctx, what+" has left the chain", "chain", string(w.chain.ID), "payment_id", l.Payment.String(), "txid", w.chain.FormatTxID(l.TxID),
			"block", l.Block)
		if l.Told {
			events = append(events, settlement.Event{
				ID: fmt.Sprintf("payout_broken/%s/%d", l.TxID, w.r.now().UnixMicro()), Payment: l.Payment, Kind: settlement.EventPayoutBroken, TxID: l.TxID,
				Reason: settlement.PayoutBroken, Detail: detail,
			})
		}
	}
	return events
}

// refundsAgain hands refunds that have left the chain to it again with each final block, as they were, until one is in a final block.
func (w *watch) refundsAgain(ctx context.Context, final uint64) error {
	if w.chain.Refunds == nil || final == w.refundsSeen {
		return nil
	}
	mover := w.chain.Refunds.Mover
	slots, err := store.GoneRefunds(ctx, w.r.cfg.Pool, w.chain.ID, mover.Signer(), w.r.now().Add(-resendFor))
	if err != nil {
		return err
	}
	if w.refundsSeen = final; len(slots) == 0 {
		return nil
	}
	halts, err := store.Halted(ctx, w.r.cfg.Pool, w.chain.ID)
	if err != nil {
		return err
	}
	var faults []error
	for _, slot := range slots {
		if err := w.refundAgain(ctx, mover, slot, len(halts) > 0); err != nil {
			faults = append(faults, fmt.Errorf("refund of nonce %d, which has left the chain: %w", slot.Nonce, err))
		}
	}
	return errors.Join(faults...)
}

func (w *watch) refundAgain(ctx context.Context, mover Mover, slot store.Slot, halted bool) error {
	name, mv := settlement.Slot{Sender: mover.Signer(), Nonce: slot.Nonce}, slot.Movements[0]
	outcome, err := mover.Outcome(ctx, name, settlement.Call{}, slot.Signed, slot.Movements)
	switch {
	case err != nil:
		return err
	case outcome.Fate == settlement.SlotFinal && !outcome.Parts[0].Paid:
		return fmt.Errorf("%s has moved nothing: %s", w.chain.FormatTxID(outcome.TxID), outcome.Parts[0].Problem)
	case outcome.Fate == settlement.SlotFinal:
		if err := w.chain.agreed(ctx, outcome.TxID, name.Sender, mv, outcome.Parts[0]); err != nil {
			return err
		}
		w.r.cfg.Logger.InfoContext(ctx, "refund is back", "chain", string(w.chain.ID), "payment_id", mv.Payment.String(), "txid", w.chain.FormatTxID(outcome.TxID))
		return store.RefundIsBack(ctx, w.r.cfg.Pool, w.chain.ID, name, outcome.Block)
	case outcome.Fate == settlement.SlotForeign:
		return errors.New("its nonce was used by a transaction that is none of ours")
	case outcome.Fate == settlement.SlotWaiting && !halted:
		for _, signed := range slot.Signed {
			if signed.TxID == mv.TxID {
				return mover.Send(ctx, signed.Raw)
			}
		}
	}
	return nil
}
