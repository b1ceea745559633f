package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/uuid"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// asked are the actions of a kind as somebody may ask for them who sees what is held and what was seen.
func (r *rig) asked(kind jobs.ActionKind, s jobs.Subject) []jobs.Action {
	a := jobs.Action{
		Kind: kind, Payment: s.ID, Version: s.Version, Reason: "x", Key: uuid.NewString(),
		By: jobs.By{Actor: settlement.PaymentID(uuid.New()), Name: "alice", Origin: "192.0.2.1"}, Dispute: settlement.DisputeStep{Party: settlement.PartyPayer},
	}
	with := func(change func(*jobs.Action)) jobs.Action {
		changed := a
		change(&changed)
		return changed
	}
	there := s.Held.Amount
	if s.Terms.Custody == "" {
		there = s.Received
	}
	one, price := settlement.NewAmount(1), s.Terms.Amount
	switch kind {
	case jobs.ActRefund, jobs.ActSurplus:
		if s.Terms.Custody == "" {
			a.Receiver = (raw(address(r.payer)) + settlement.Address(slices.Repeat([]byte{1}, 12)))[:len(s.Terms.Payee)] // as long as the chain's are
		}
		if kind == jobs.ActRefund {
			return []jobs.Action{a, with(func(a *jobs.Action) { a.Dispute = award(0, 1) })}
		}
	case jobs.ActSplit, jobs.ActDecide:
		asked := []jobs.Action{
			with(func(a *jobs.Action) { a.Dispute.Award = &settlement.Division{ToPayee: one, ToPayer: there.Sub(one)} }),
			with(func(a *jobs.Action) {
				a.Dispute.Award = &settlement.Division{ToPayee: price, ToPayer: there.Sub(price)}
			}),
			with(func(a *jobs.Action) { a.Dispute.Award = &settlement.Division{ToPayer: there} }),
		}
		return asked
	case jobs.ActAttach:
		a.TxID = settlement.TxID(slices.Repeat([]byte{0xaa}, 32))
	case jobs.ActAccept:
		var asked []jobs.Action
		for _, t := range s.Seen {
			asked = append(asked, with(func(a *jobs.Action) { a.TxID, a.Position = t.Sighting.TxID, t.Sighting.Transfer.Position }))
		}
		return asked
	}
	return []jobs.Action{a}
}

// offers checks what is offered for the payment: each action can be done, and no other.
func (r *rig) offers(ctx context.Context, t testing.TB, id settlement.PaymentID) {
	t.Helper()
	try := func() error {
		payments, err := store.Payments(ctx, r.pool, []settlement.PaymentID{id})
		if err != nil {
			return err
		}
		s, err := jobs.ReadSubject(ctx, r.pool, payments[0])
		if err != nil {
			return err
		}
		offered := r.runner.ActionsOf(s)
		for _, kind := range jobs.Actions {
			var refused []error
			asked := r.asked(kind, s)
			for _, a := range asked {
				if _, err := r.runner.Act(ctx, a, true); errors.Is(err, jobs.ErrVersion) {
					return err
				} else if err != nil {
					refused = append(refused, err)
				}
			}
			if taken := len(refused) < len(asked); taken != slices.Contains(offered, kind) {
				t.Errorf("%s %q %s: offered are %s; %s: %v", s.State, s.Terms.Custody, s.Detail, offered, kind, errors.Join(refused...))
			}
		}
		return nil
	}
	for range 100 { // the payment may go on meanwhile
		err := try()
		if err == nil {
			return
		}
		if !errors.Is(err, jobs.ErrVersion) {
			t.Fatal(err)
		}
	}
	t.Error("the payment never rests")
}

// offered are the kinds of payments whose actions were checked at the end of a test.
var offered sync.Map

// offersAtTheEnd checks what the test leaves behind, as far as no other test has left the like.
func (r *rig) offersAtTheEnd(t *testing.T) {
	t.Helper()
	payments, err := store.ListPayments(context.Background(), r.pool, store.PaymentFilter{Marketplace: marketplace, Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range payments {
		kind := fmt.Sprint(p.State, p.Terms.Custody, p.Flags, p.Payout, p.PaidOut != "", r.setup.refunds != nil)
		if _, done := offered.LoadOrStore(kind, true); !done {
			r.offers(context.Background(), t, p.ID)
		}
	}
}

// Nothing is offered that only another state, or more money, would allow.
func TestWhatIsOffered(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	offered := func(id settlement.PaymentID) []jobs.ActionKind {
		t.Helper()
		payments, err := store.Payments(t.Context(), r.pool, []settlement.PaymentID{id})
		if err != nil {
			t.Fatal(err)
		}
		s, err := jobs.ReadSubject(t.Context(), r.pool, payments[0])
		if err != nil {
			t.Fatal(err)
		}
		return r.runner.ActionsOf(s)
	}
	order, p := r.hold()
	if got, want := offered(p.ID), []jobs.ActionKind{jobs.ActFreeze, jobs.ActRefund, jobs.ActNote, jobs.ActSplit}; !slices.Equal(got, want) {
		t.Errorf("held at its price: %s, want %s", got, want)
	}
	r.confirm(order)
	p = r.await(order, true, settlement.StateReleased)
	if got, want := offered(p.ID), []jobs.ActionKind{jobs.ActNote}; !slices.Equal(got, want) {
		t.Errorf("released, and nothing is left: %s, want %s", got, want)
	}
	short := r.order()
	r.tell(short)
	p = r.await(short, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, common.BytesToAddress([]byte(p.Terms.Payee)), 1_000_000)
	p = r.await(short, true, settlement.StateNeedsReview)
	want := []jobs.ActionKind{jobs.ActRefund, jobs.ActAccept, jobs.ActClose, jobs.ActAttach, jobs.ActReverify, jobs.ActNote}
	if got := offered(p.ID); !slices.Equal(got, want) {
		t.Errorf("underpaid: %s, want %s", got, want)
	}
	r.offers(t.Context(), t, p.ID)
	r.refund(p)
	p = r.await(short, true, settlement.StateRefunded)
	if got, want := offered(p.ID), []jobs.ActionKind{jobs.ActNote}; !slices.Equal(got, want) {
		t.Errorf("given back: %s, want %s", got, want)
	}
}
