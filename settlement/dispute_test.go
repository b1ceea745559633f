package settlement_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/settlement"
)

var patience = settlement.DisputePolicy{
	RespondWithin: 72 * time.Hour, DecideWithin: 240 * time.Hour, AppealWithin: 48 * time.Hour, RemindBefore: 24 * time.Hour,
	Default: settlement.DefaultRefund,
}

// quarrel is a payment with its dispute, whose clock starts at noon.
type quarrel struct {
	t       *testing.T
	payment settlement.Payment
	last    *settlement.Dispute
	policy  settlement.DisputePolicy
}

// at sends an event so long after noon, and says why it was not accepted.
func (q *quarrel) at(after time.Duration, e settlement.Event) string {
	q.t.Helper()
	next, err := settlement.Next(q.payment, e)
	if err != nil {
		return err.Error()
	}
	d, err := settlement.FollowDispute(q.last, e, q.payment, next, q.policy, noon.Add(after))
	if err != nil {
		if !errors.Is(err, settlement.ErrNotAccepted) {
			q.t.Errorf("%s: %v", e.Kind, err)
		}
		return err.Error()
	}
	if q.payment = next; d != nil {
		q.last = d
	}
	return ""
}

func said(kind settlement.EventKind, party settlement.Party) settlement.Event {
	return settlement.Event{Kind: kind, Dispute: &settlement.DisputeStep{Party: party}}
}

func decided(toPayee, toPayer uint64) settlement.Event {
	return settlement.Event{Kind: settlement.EventDisputeDecided, Dispute: &settlement.DisputeStep{
		Award: &settlement.Division{ToPayee: settlement.NewAmount(toPayee), ToPayer: settlement.NewAmount(toPayer)},
	}}
}

func TestDisputeIsAppealedOnce(t *testing.T) {
	t.Parallel()
	q := &quarrel{t: t, payment: paymentIn(settlement.StateHeld), policy: patience}
	steps := []struct {
		after  time.Duration
		event  settlement.Event
		refuse string
	}{
		{0, said(settlement.EventOrderDisputed, settlement.PartyPayer), ""},
		{1, said(settlement.EventDisputeStatement, settlement.PartyPayer), ""},
		{1, settlement.Event{Kind: settlement.EventDisputeStatement}, "nobody says anything"},
		{2, said(settlement.EventDisputeAppealed, settlement.PartyPayer), "nothing is decided"},
		{3, settlement.Event{Kind: settlement.EventDisputeDecided}, "who gets how much"},
		{4, decided(1_000_000, 0), ""},
		{5, decided(0, 1_000_000), "it is decided"},
		{4 + 48*time.Hour, said(settlement.EventDisputeAppealed, settlement.PartyPayer), "time to appeal is over"},
		{6, said(settlement.EventDisputeAppealed, settlement.PartyPayer), ""},
		{7, decided(0, 1_000_000), ""},
		{8, said(settlement.EventDisputeAppealed, settlement.PartyPayee), "an appeal already"},
	}
	for i, s := range steps {
		if got := q.at(s.after, s.event); (got == "") != (s.refuse == "") || !strings.Contains(got, s.refuse) {
			t.Fatalf("step %d: got %q, want %q", i, got, s.refuse)
		}
	}
	if d := q.last; d.Number != 1 || !d.AnsweredAt.IsZero() || !d.EffectiveAt.Equal(noon.Add(7)) || d.AppealedAt.IsZero() || !d.Open() {
		t.Errorf("got %+v", d)
	}
	e, at := q.last.Due(q.policy, terms.Amount)
	if e.Kind != settlement.EventRefundApproved || e.ID != "dispute/1/appeal/effect" || !at.Equal(noon.Add(7)) {
		t.Errorf("due: got %s %s at %s", e.ID, e.Kind, at)
	}
	e.Receiver = stranger // the payment is a direct one
	if got := q.at(9, e); got != "" || q.last.Open() || q.last.Outcome != settlement.DisputeRefunded || q.payment.State != settlement.StateRefundPending {
		t.Errorf("effect: %q, %+v", got, q.last)
	}
	if _, at := q.last.Due(q.policy, terms.Amount); !at.IsZero() {
		t.Errorf("an ended dispute has something due at %s", at)
	}
}

func TestDisputeEnds(t *testing.T) {
	t.Parallel()
	for kind, want := range map[settlement.EventKind]settlement.DisputeOutcome{
		settlement.EventDisputeDropped: settlement.DisputeDropped, settlement.EventReleaseDecided: settlement.DisputeReleased,
		settlement.EventRefundApproved: settlement.DisputeRefunded, settlement.EventSplitApproved: settlement.DisputeSplit,
		settlement.EventClosed: settlement.DisputeClosed, settlement.EventPlatformDiffers: settlement.DisputeReview,
	} {
		q := &quarrel{t: t, payment: paymentIn(settlement.StateHeld), policy: patience}
		q.at(0, settlement.Event{Kind: settlement.EventOrderDisputed})
		if q.last.Opener != settlement.OpenedByOrchestrator || !q.last.Told || q.last.Reason != settlement.DisputeUnstated {
			t.Errorf("opened: got %+v", q.last)
		}
		known := *q.last
		if got := q.at(1, settlement.Event{Kind: settlement.EventOrderDisputed}); got != "" || *q.last != known {
			t.Errorf("heard of again: %q, %+v", got, q.last)
		}
		q.payment.Terms.Custody = settlement.CustodyVault
		half := settlement.NewAmount(500_000)
		if got := q.at(2, settlement.Event{Kind: kind, Division: &settlement.Division{ToPayee: half, ToPayer: half}}); got != "" || q.last.Open() || q.last.Outcome != want {
			t.Errorf("%s: %q, %+v", kind, got, q.last)
		}
		if kind == settlement.EventDisputeDropped {
			if got := q.at(3, settlement.Event{Kind: settlement.EventOrderDisputed}); !strings.Contains(got, "not seen undisputed since") || q.last.Number != 1 {
				t.Errorf("found disputed as before: %q, %+v", got, q.last)
			}
			q.last.UndisputedAt = q.last.ClosedAt.Add(1)
			if q.at(4, settlement.Event{Kind: settlement.EventOrderDisputed}); q.last.Number != 2 || !q.last.Open() {
				t.Errorf("a second dispute: got %+v", q.last)
			}
		}
	}
}

func TestDecisionTakesEffect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		toPayee, toPayer uint64
		want             settlement.EventKind
	}{
		{1_000_000, 0, settlement.EventReleaseDecided},
		{900_000, 0, settlement.EventReleaseDecided},
		{1_000_000, 5, settlement.EventReleaseDecided},
		{0, 1_000_000, settlement.EventRefundApproved},
		{999_999, 1, settlement.EventSplitApproved},
		{1, 999_999, settlement.EventSplitApproved},
	} {
		award := decided(tt.toPayee, tt.toPayer).Dispute.Award
		if e, _ := (settlement.Dispute{Number: 1, Award: award, EffectiveAt: noon}).Due(patience, terms.Amount); e.Kind != tt.want {
			t.Errorf("%d and %d: got %s, want %s", tt.toPayee, tt.toPayer, e.Kind, tt.want)
		}
	}
}

func TestArbiterOpensDispute(t *testing.T) {
	t.Parallel()
	q := &quarrel{t: t, payment: paymentIn(settlement.StateHeld), policy: patience}
	q.payment.Terms.Custody = settlement.CustodyVault
	if got := q.at(0, settlement.Event{Kind: settlement.EventVaultFrozen}); got != "" || q.last == nil || q.last.Opener != settlement.OpenedByArbiter || q.last.Told || !q.last.Open() {
		t.Errorf("%q, %+v", got, q.last)
	}
}

// What comes after the money has gone is remembered, and a person is told that it is too late.
func TestDisputeTooLate(t *testing.T) {
	t.Parallel()
	byPerson := settlement.Event{Kind: settlement.EventOrderDisputed, Decision: &settlement.Decision{Name: "alice"}}
	for _, state := range []settlement.State{settlement.StateReleased, settlement.StateRefunded, settlement.StateSplit} {
		q := &quarrel{t: t, payment: paymentIn(state), policy: patience}
		if _, err := settlement.Next(q.payment, byPerson); !errors.Is(err, settlement.ErrNotAccepted) {
			t.Errorf("a person freezes what is %s: %v", state, err)
		}
		if got := q.at(0, settlement.Event{Kind: settlement.EventOrderDisputed}); got != "" || q.last.Open() || q.last.Outcome != settlement.DisputeTooLate || q.payment.State != state {
			t.Errorf("%s: %q, %+v", state, got, q.last)
		}
		if got := q.at(1, settlement.Event{Kind: settlement.EventOrderDisputed}); got == "" || q.last.Number != 1 {
			t.Errorf("%s: the order is disputed still: %q, %+v", state, got, q.last)
		}
		if got := q.at(2, said(settlement.EventOrderDisputed, settlement.PartyPayer)); got != "" || q.last.Number != 2 {
			t.Errorf("%s: somebody complains anew: %q, %+v", state, got, q.last)
		}
	}
	flying := paymentIn(settlement.StateReleasePending)
	flying.Payout = settlement.PayoutRelease
	if _, err := settlement.Next(flying, byPerson); !errors.Is(err, settlement.ErrInFlight) || !errors.Is(err, settlement.ErrNotAccepted) {
		t.Errorf("a person freezes a release in flight: %v", err)
	}
	q := &quarrel{t: t, payment: flying, policy: patience}
	if got := q.at(0, settlement.Event{Kind: settlement.EventOrderDisputed}); got != "" || q.payment.State != settlement.StateNeedsReview || q.last.Outcome != settlement.DisputeTooLate {
		t.Errorf("in flight: %q, %s, %+v", got, q.payment.State, q.last)
	}
}

// Each deadline falls due in its order, once, however late it is noticed.
func TestDisputeDeadlines(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, tt := range []struct {
		name    string
		outcome settlement.DisputeDefault
		answer  bool
		late    time.Duration
		want    string
	}{
		{"nobody answers or decides", settlement.DefaultRefund, false, 0, "remind/DISPUTE_RESPONSE_DUE 2 remind/DISPUTE_RESPONSE_OVERDUE 3 remind/DISPUTE_DECISION_DUE 9 default 10 effect 12 "},
		{"the other party answers", settlement.DefaultRelease, true, 0, "remind/DISPUTE_DECISION_DUE 9 default 10 effect 12 "},
		{"no default", settlement.DefaultNone, true, 0, "remind/DISPUTE_DECISION_DUE 9 remind/DISPUTE_DECISION_OVERDUE 10 "},
		{"the service was down for a month", settlement.DefaultRefund, false, 30 * day, "remind/DISPUTE_RESPONSE_DUE 30 default 30 effect 32 "},
	} {
		q := &quarrel{t: t, payment: paymentIn(settlement.StateHeld), policy: patience}
		q.payment.Terms.Custody = settlement.CustodyVault
		q.policy.Default = tt.outcome
		q.at(0, said(settlement.EventOrderDisputed, settlement.PartyPayer))
		if tt.answer {
			q.at(1, said(settlement.EventDisputeStatement, settlement.PartyPayee))
		}
		got := ""
		for clock := tt.late; q.last.Open() && len(got) < 500; {
			e, at := q.last.Due(q.policy, terms.Amount)
			if at.IsZero() {
				break
			}
			clock = max(clock, at.Sub(noon))
			if e.Kind == settlement.EventDisputeDecided {
				e.Dispute = decided(0, 1_000_000).Dispute
			}
			if refused := q.at(clock, e); refused != "" {
				t.Fatalf("%s: %s", tt.name, refused)
			}
			got += fmt.Sprintf("%s %d ", strings.TrimPrefix(e.ID, "dispute/1/"), clock/day)
		}
		if got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}
