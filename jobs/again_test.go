package jobs_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// The first dispute is dropped, and then the order undisputed; the buyer disputes again.
func TestOrderIsDisputedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
	change := func(status orchestration.OrderStatus, at string) {
		r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status, o.UpdatedAt = status, at })
		r.tell(order)
	}
	change(orchestration.OrderDisputed, "2026-11-25T10:00:00Z")
	p := r.await(order, false, settlement.StateFrozen)
	results, err := r.runner.Advance(t.Context(), settlement.Event{ID: "dropped", Payment: p.ID, Kind: settlement.EventDisputeDropped})
	if err != nil || results[0].Payment.State != settlement.StateHeld {
		t.Fatalf("%+v, %v; want it held again", results, err)
	}
	change(orchestration.OrderDisputed, "2026-11-25T10:30:00Z") // the first dispute, of a changed order
	r.eventually("all webhooks are read", r.read)
	if p, err := r.payment(order); err != nil || p.State != settlement.StateHeld {
		t.Errorf("%s (%v): the dropped dispute counts once more", p.State, err)
	}
	change(orchestration.OrderReady, "2026-11-25T10:45:00Z")
	r.eventually("the order is read", r.read)
	change(orchestration.OrderDisputed, "2026-11-25T11:00:00Z")
	r.await(order, false, settlement.StateFrozen)
}

// read reports whether every webhook's order has been read.
func (r *rig) read() error {
	var left int
	err := r.pool.QueryRow(r.t.Context(), "select count(*) from inbox where done_at is null").Scan(&left)
	if err == nil && left > 0 {
		err = errNotYet
	}
	return err
}

// More orders than can be read in the life of a job, because each takes long: what was read counts.
func TestSlowOrders(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes more than a minute")
	}
	r := newRig(t, func(s *setup) { s.idle = true })
	const orders = 34 // two rounds of calls at once, and the beginning of a third
	r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
		if req.Method == http.MethodGet && strings.Contains(req.URL.Path, "/orders/") {
			return orchestrationtest.Slow(28 * time.Second)
		}
		return orchestrationtest.Fault{}
	})
	for range orders {
		r.tell(r.order())
	}
	r.stop = r.start(r.runner)
	began := time.Now()
	r.eventually("two rounds were read", func() error {
		payments, err := store.ListPayments(t.Context(), r.pool, store.PaymentFilter{Marketplace: marketplace, Limit: 100})
		if err == nil && len(payments) < 32 {
			err = errNotYet
		}
		return err
	})
	if d := time.Since(began); d > 100*time.Second { // read again by a later job, they take two rounds more
		t.Errorf("it took %s", d)
	}
}
