package jobs_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

func (r *rig) disputes(p settlement.Payment) []settlement.Dispute {
	r.t.Helper()
	disputes, err := store.Disputes(r.t.Context(), r.pool, []settlement.PaymentID{p.ID})
	if err != nil {
		r.t.Fatal(err)
	}
	return disputes[p.ID]
}

// disputedWebhook says that somebody disputes the order now.
func (r *rig) disputedWebhook(order, id string) {
	r.t.Helper()
	err := r.runner.AcceptWebhook(r.t.Context(), store.Webhook{
		Marketplace: marketplace, ID: id, BodySHA256: sha256.Sum256([]byte(id)), Type: "order.disputed", MachineID: r.machine, OrderID: order,
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// act does something about the order's payment as it is now, as a person does.
func (r *rig) act(order string, a jobs.Action) error {
	r.t.Helper()
	now, err := r.payment(order)
	if err != nil {
		r.t.Fatal(err)
	}
	a.Payment, a.Version, a.By, a.Reason = now.ID, now.Version, jobs.By{Name: "alice", Origin: "192.0.2.1"}, "agreed"
	_, err = r.runner.Act(r.t.Context(), a, false)
	return err
}

func award(toPayee, toPayer uint64) settlement.DisputeStep {
	return settlement.DisputeStep{Award: &settlement.Division{ToPayee: settlement.NewAmount(toPayee), ToPayer: settlement.NewAmount(toPayer)}}
}

// A person freezes what is held, the orchestrator is told, and the default outcome falls due while nobody is there: it is
// carried out once, as soon as somebody is.
func TestDefaultFallsDueWhileTheServiceIsDown(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(), func(s *setup) {
		s.disputes = settlement.DisputePolicy{
			RespondWithin: time.Minute, DecideWithin: time.Hour, AppealWithin: time.Millisecond, RemindBefore: time.Second, Default: settlement.DefaultRefund,
		}
	})
	order, p := r.hold()
	_, err := r.runner.Act(t.Context(), jobs.Action{
		Kind: jobs.ActFreeze, Payment: p.ID, Version: p.Version, By: jobs.By{Name: "alice", Origin: "192.0.2.1"}, Reason: "nothing came", Key: "1",
		Dispute: settlement.DisputeStep{Party: settlement.PartyPayer, Reason: settlement.DisputeNotDelivered},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	r.eventually("the orchestrator knows", func() error {
		if d := r.disputes(p); len(d) != 1 || !d[0].Told {
			return fmt.Errorf("disputes %+v", d)
		}
		return nil
	})
	if o, _ := r.market.Order(order); o.Status != orchestration.OrderDisputed || r.marketPayment(order).Status != orchestration.PaymentFrozen {
		t.Errorf("the orchestrator's order is %s, its payment %s", o.Status, r.marketPayment(order).Status)
	}
	if p = r.await(order, false, settlement.StateFrozen); p.Platform != string(orchestration.PaymentFrozen) {
		t.Errorf("the payment says that the orchestrator's is %q", p.Platform)
	}
	r.stop()
	r.ahead.Add(int64(2 * time.Hour))
	r.stop = r.start(r.runner)
	p = r.await(order, true, settlement.StateRefunded)
	var steps []settlement.EventKind
	for _, kind := range r.history(p) {
		if slices.Contains([]settlement.EventKind{
			settlement.EventDisputeDecided, settlement.EventRefundApproved, settlement.EventPaidOut, settlement.EventRefunded, settlement.EventDisputeReminded,
		}, kind) {
			steps = append(steps, kind)
		}
	}
	if want := []settlement.EventKind{
		settlement.EventDisputeReminded, settlement.EventDisputeDecided, settlement.EventRefundApproved, settlement.EventPaidOut, settlement.EventRefunded,
	}; !slices.Equal(steps, want) {
		t.Errorf("got %s, want %s", steps, want)
	}
	if d := r.disputes(p); len(d) != 1 || d[0].Outcome != settlement.DisputeRefunded {
		t.Errorf("disputes %+v", d)
	}
}

// An order that is disputed, dropped, and disputed again; then it is decided in two parts.
func TestDisputes(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(), func(s *setup) {
		s.disputes = settlement.DisputePolicy{
			RespondWithin: time.Hour, DecideWithin: time.Hour, AppealWithin: time.Millisecond, RemindBefore: time.Second, Default: settlement.DefaultNone,
		}
	})
	// Two disputes of an order that the orchestrator changes once: each webhook says something new, and a repeated one does not.
	order, p := r.hold()
	r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = orchestration.OrderDisputed })
	r.disputedWebhook(order, "first")
	r.await(order, false, settlement.StateFrozen)
	drop := func(id string) {
		t.Helper()
		if results, err := r.runner.Advance(t.Context(), settlement.Event{ID: id, Payment: p.ID, Kind: settlement.EventDisputeDropped}); err != nil || results[0].Err != nil {
			t.Fatal(err, results)
		}
	}
	read := func() {
		t.Helper()
		r.tell(order)
		r.eventually("the orders are read", func() error {
			var unread int
			err := r.pool.QueryRow(t.Context(), "select count(*) from inbox where done_at is null").Scan(&unread)
			if err == nil && unread > 0 {
				err = fmt.Errorf("%d are not", unread)
			}
			return err
		})
	}
	drop("dropped")
	r.disputedWebhook(order, "first")
	read()
	r.await(order, false, settlement.StateHeld)
	r.disputedWebhook(order, "second")
	r.await(order, false, settlement.StateFrozen)
	if d := r.disputes(p); len(d) != 2 || d[0].Outcome != settlement.DisputeDropped || d[1].Opener != settlement.OpenedByWebhook || !d[1].Open() {
		t.Errorf("disputes %+v", d)
	}

	// A dropped dispute is over, whatever else changes about the order, until the order was seen undisputed.
	drop("dropped again")
	change := func(status orchestration.OrderStatus, at string) {
		t.Helper()
		r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status, o.UpdatedAt = status, at })
		read()
	}
	change(orchestration.OrderDisputed, "2030-01-01T00:00:01Z")
	r.await(order, false, settlement.StateHeld)
	change(orchestration.OrderReady, "2030-01-01T00:00:02Z")
	change(orchestration.OrderDisputed, "2030-01-01T00:00:03Z")
	r.await(order, false, settlement.StateFrozen)
	if d := r.disputes(p); len(d) != 3 || d[1].UndisputedAt.IsZero() || d[2].Opener != settlement.OpenedByOrchestrator || !d[2].Open() {
		t.Errorf("disputes %+v", d)
	}

	r.offers(t.Context(), t, p.ID)
	// Decided in two parts: each side gets its own.
	payee := r.balanceOf(r.payee)
	if err := r.act(order, jobs.Action{Kind: jobs.ActDecide, Key: "decide", Dispute: award(1_000_000, 500_000)}); err != nil {
		t.Fatal(err)
	}
	r.await(order, true, settlement.StateSplit)
	if got := r.balanceOf(r.payee) - payee; got != 1_000_000 {
		t.Errorf("the payee has got %d", got)
	}
	if d := r.disputes(p); d[2].Outcome != settlement.DisputeSplit {
		t.Errorf("disputes %+v", d)
	}
}

// Refunds of parts, up to what is held and no more.
func TestRefundLargerThanWhatIsHeld(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order, p := r.hold()
	if err := r.act(order, jobs.Action{Kind: jobs.ActRefund, Key: "more", Dispute: award(0, 1_500_001)}); !errors.Is(err, settlement.ErrNotAccepted) {
		t.Errorf("a refund larger than what is held: %v", err)
	}
	if err := r.act(order, jobs.Action{Kind: jobs.ActSurplus, Key: "surplus"}); !errors.Is(err, settlement.ErrNotAccepted) {
		t.Errorf("a surplus where there is none: %v", err)
	}
	if err := r.act(order, jobs.Action{Kind: jobs.ActRefund, Key: "part", Dispute: award(0, 500_000)}); err != nil {
		t.Fatal(err)
	}
	r.eventually("the part has gone back", func() error {
		r.chain.Commit()
		if m := r.movements(p); len(m) != 1 || m[0].State != settlement.MovementFinal || m[0].ToPayer != settlement.NewAmount(500_000) {
			return fmt.Errorf("movements %+v", m)
		}
		return nil
	})
	if err := r.act(order, jobs.Action{Kind: jobs.ActRefund, Key: "again", Dispute: award(0, 1_000_001)}); !errors.Is(err, settlement.ErrNotAccepted) {
		t.Errorf("a second refund larger than what is left: %v", err)
	}
	r.await(order, true, settlement.StateHeld)
}
