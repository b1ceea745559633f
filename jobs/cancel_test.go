package jobs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// cancel makes the order cancelled at the orchestrator and tells settler.
func (r *rig) cancel(order string) {
	r.t.Helper()
	r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = orchestration.OrderCancelled })
	r.tell(order)
}

// The order is cancelled while its money is on the way: the money is this order's, and nothing is told to the orchestrator.
func TestOrderCancelledWhileMoneyIsOnItsWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	hash := r.pay(r.payer, r.payee, 1_500_000)
	r.chain.Commit()
	r.await(order, false, settlement.StateConfirming)
	r.cancel(order)
	r.await(order, false, settlement.StateNeedsReview)
	r.eventually("the transfer is consumed", func() error {
		r.chain.Commit()
		if p, err := r.payment(order); err != nil || !p.Settled() {
			return errNotYet
		}
		return nil
	})
	r.eventually("the chain is scanned", r.scanned)
	p, err := r.payment(order)
	if err != nil || p.State != settlement.StateNeedsReview || p.Reason != rails.OrderClosed || p.PaidBy != txid(t, hash) || !p.HasFlag(settlement.FlagCanceled) {
		t.Errorf("%s because %s, paid by %s, flags %v (%v); want it before a person with its money", p.State, p.Reason, p.PaidBy, p.Flags, err)
	}
	if n := len(r.market.Proofs(order)); n != 0 {
		t.Errorf("%d proofs for a cancelled order", n)
	}
}

// Money that arrives after the order was cancelled is recorded, flagged and reported, for as long as late money is looked for.
func TestMoneyAfterTheOrderWasCancelled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.cancel(order)
	closed := r.await(order, false, settlement.StateClosed)
	hash := r.pay(r.payer, r.payee, 1_500_000)
	late := func() error {
		r.chain.Commit()
		p, err := r.payment(order)
		switch {
		case err != nil:
			return err
		case !p.HasFlag(settlement.FlagLate):
			return errNotYet
		case p.State != settlement.StateClosed || p.Settled() || p.Reason != rails.OrderClosed:
			return fmt.Errorf("%s because %s, settled %t", p.State, p.Reason, p.Settled())
		}
		return nil
	}
	r.eventually("the late money is flagged", late)
	seen, err := store.TransfersOf(t.Context(), r.pool, []settlement.PaymentID{closed.ID})
	if err != nil || len(seen) != 1 || seen[0].Sighting.TxID != txid(t, hash) || seen[0].Sighting.Verdict.Code != settlement.PaymentLate || seen[0].Status != store.TransferFinal {
		t.Errorf("transfers %+v (%v), want the one that came late", seen, err)
	}
	r.eventually("somebody is called", func() error {
		return r.logged("ERROR", "payment advanced", closed.ID.String(), string(settlement.PaymentLate))
	})
	if n := len(r.market.Proofs(order)); n != 0 {
		t.Errorf("%d proofs for a cancelled order", n)
	}

	r.ahead.Store(int64(32 * 24 * time.Hour))
	r.eventually("the watch has ended", func() error {
		var watched bool
		err := r.pool.QueryRow(t.Context(), "select watched from payments where id = $1", uuid.UUID(closed.ID)).Scan(&watched)
		if err == nil && watched {
			err = errNotYet
		}
		return err
	})
}
