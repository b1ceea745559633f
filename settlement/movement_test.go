package settlement_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/settler-pay/settler/settlement"
)

// vaulted is a payment whose money is in a vault.
func vaulted(state settlement.State, payout settlement.Payout, paidOut settlement.TxID) settlement.Payment {
	p := paymentIn(state)
	p.Terms.Custody = settlement.CustodyVault
	p.PaidBy, p.Payout, p.PaidOut = txA, payout, paidOut
	return p
}

// What a movement that is under way, or has ended, leaves possible: written by hand, a pair that is absent is not accepted.
func TestNextFollowsTheMoney(t *testing.T) {
	t.Parallel()
	const release, refund, split = settlement.PayoutRelease, settlement.PayoutRefund, settlement.PayoutSplit
	type key struct {
		state   settlement.State
		payout  settlement.Payout
		paidOut bool
	}
	kinds := []settlement.EventKind{
		"payout_prepared", "paid_out", "payout_failed", "released", "refunded", "refund_approved", "release_decided", "order_disputed",
		"accepted_as_paid", "closed", "dispute_dropped", "split", "split_approved", "partial_refund_approved", "surplus_refund_approved", "return_prepared",
	}
	for at, want := range map[key]map[settlement.EventKind]settlement.State{
		{"release_pending", "", false}: {
			"return_prepared": "release_pending",
			"payout_prepared": "release_pending", "payout_failed": "needs_review", "refund_approved": "refund_pending", "order_disputed": "frozen",
		},
		{"release_pending", release, false}: {
			"return_prepared": "release_pending",
			"payout_prepared": "release_pending", "paid_out": "release_pending", "payout_failed": "needs_review", "order_disputed": "needs_review",
		},
		{"release_pending", release, true}: {"released": "released", "order_disputed": "needs_review", "return_prepared": "release_pending"},
		{"refund_pending", "", false}:      {"payout_prepared": "refund_pending", "payout_failed": "needs_review", "return_prepared": "refund_pending"},
		{"refund_pending", refund, false}: {
			"payout_prepared": "refund_pending", "paid_out": "refund_pending", "payout_failed": "needs_review", "return_prepared": "refund_pending",
		},
		{"refund_pending", refund, true}: {"refunded": "refunded", "return_prepared": "refund_pending"},
		{"split_pending", "", false}:     {"payout_prepared": "split_pending", "payout_failed": "needs_review"},
		{"split_pending", split, false}:  {"payout_prepared": "split_pending", "paid_out": "split_pending", "payout_failed": "needs_review"},
		{"split_pending", split, true}:   {"split": "split"},
		{"needs_review", split, true}:    {"split_approved": "split_pending", "accepted_as_paid": "verified", "closed": "closed"},
		{"frozen", "", false}: {
			"refund_approved": "refund_pending", "release_decided": "release_pending", "split_approved": "split_pending", "closed": "closed",
			"dispute_dropped": "held", "order_disputed": "frozen",
		},
		{"released", release, true}: {"order_disputed": "released", "surplus_refund_approved": "released", "return_prepared": "released"},
		{"needs_review", "", false}: {
			"split_approved": "split_pending", "refund_approved": "refund_pending", "release_decided": "release_pending", "accepted_as_paid": "verified", "closed": "closed",
		},
		{"needs_review", release, false}: {"paid_out": "needs_review", "payout_failed": "needs_review"},
		{"needs_review", release, true}:  {"release_decided": "release_pending", "accepted_as_paid": "verified", "closed": "closed"},
		{"needs_review", refund, true}:   {"refund_approved": "refund_pending", "accepted_as_paid": "verified", "closed": "closed"},
		{"held", "", false}: {
			"refund_approved": "refund_pending", "order_disputed": "frozen", "split_approved": "split_pending", "partial_refund_approved": "held",
			"surplus_refund_approved": "held", "return_prepared": "held",
		},
	} {
		t.Run(fmt.Sprintf("%s %s %t", at.state, at.payout, at.paidOut), func(t *testing.T) {
			t.Parallel()
			paidOut := settlement.TxID("")
			if at.paidOut {
				paidOut = txB
			}
			for _, kind := range kinds {
				e := eventOf(kind)
				switch kind {
				case settlement.EventPayoutFailed:
					e.Reason = settlement.PayoutReverted
				case settlement.EventSplitApproved:
					e.Division = &settlement.Division{ToPayee: settlement.NewAmount(1), ToPayer: settlement.NewAmount(999_999)}
				case settlement.EventPartialRefundApproved:
					e.Division = &settlement.Division{ToPayer: settlement.NewAmount(1)}
				}
				got, err := settlement.Next(vaulted(at.state, at.payout, paidOut), e)
				state, accepted := want[kind]
				switch {
				case !accepted && !errors.Is(err, settlement.ErrNotAccepted):
					t.Errorf("%s leads to %s, want not accepted (%v)", kind, got.State, err)
				case accepted && (err != nil || got.State != state):
					t.Errorf("%s leads to %s, want %s (%v)", kind, got.State, state, err)
				}
			}
		})
	}
}

func TestNextTellsWhatWasMoved(t *testing.T) {
	t.Parallel()
	moved := settlement.Event{Kind: settlement.EventPaidOut, TxID: txB}
	p := steps(t, vaulted(settlement.StateHeld, "", ""), eventOf(settlement.EventOrderAccepted), eventOf(settlement.EventPayoutPrepared))
	if p.Payout != settlement.PayoutRelease || !p.Moving() || p.Untold() {
		t.Errorf("prepared: %+v", p)
	}
	if told := steps(t, p, moved); told.PaidOut != txB || told.Moving() || !told.Untold() || told.PayoutDue() != "" {
		t.Errorf("moved: %+v", told)
	}
	disputed := steps(t, p, eventOf(settlement.EventOrderDisputed), moved)
	if disputed.State != settlement.StateNeedsReview || disputed.Reason != settlement.PayoutDisputed || disputed.PaidOut != txB || disputed.Untold() {
		t.Errorf("disputed on the way: %+v", disputed)
	}
	owed := moved
	owed.Reason = settlement.PayoutOwed
	if got := steps(t, p, owed); got.State != settlement.StateNeedsReview || got.Reason != settlement.PayoutOwed || got.PaidOut != txB {
		t.Errorf("owed: %+v", got)
	}
	failed := steps(t, p, settlement.Event{Kind: settlement.EventPayoutFailed, Reason: settlement.PayoutReverted, Detail: "why"})
	if failed.Payout != "" || failed.State != settlement.StateNeedsReview || failed.Reason != settlement.PayoutReverted {
		t.Errorf("failed: %+v", failed)
	}
	if singly := steps(t, p, eventOf(settlement.EventPayoutFailed)); singly.State != settlement.StateReleasePending || singly.PayoutDue() != settlement.PayoutRelease || singly.Moving() {
		t.Errorf("failed in a batch: %+v", singly)
	}
	if again := steps(t, failed, eventOf(settlement.EventReleaseDecided)); again.PayoutDue() != settlement.PayoutRelease {
		t.Errorf("decided again: %+v", again)
	}
	// What nobody holds for us is moved by nobody, and a direct rail's money is where it belongs.
	direct, elsewhere := paymentIn(settlement.StateReleasePending), paymentIn(settlement.StateReleasePending)
	elsewhere.Terms.Custody = settlement.CustodyNone
	if direct.PayoutDue() != "" || !direct.Untold() || elsewhere.PayoutDue() != "" || elsewhere.Untold() {
		t.Errorf("direct: due %q, untold %t; elsewhere: due %q, untold %t", direct.PayoutDue(), direct.Untold(), elsewhere.PayoutDue(), elsewhere.Untold())
	}
}

// A direct payment is given back out of the operator's own wallet: to somebody who is named, and never to its payee. What is in
// a vault goes to the payer of its terms, and what somebody else holds is not ours to give back.
func TestDirectPaymentIsGivenBackToSomebody(t *testing.T) {
	t.Parallel()
	to := func(kind settlement.EventKind, receiver settlement.Address) settlement.Event {
		return settlement.Event{Kind: kind, Receiver: receiver, Division: &settlement.Division{ToPayer: settlement.NewAmount(1)}}
	}
	held := settlement.Held{Direct: true, Amount: settlement.NewAmount(600_000), Received: settlement.NewAmount(1_000_000)}
	for _, kind := range []settlement.EventKind{settlement.EventRefundApproved, settlement.EventPartialRefundApproved, settlement.EventSurplusRefundApproved} {
		direct, elsewhere := paymentIn(settlement.StateHeld), paymentIn(settlement.StateHeld)
		elsewhere.Terms.Custody = settlement.CustodyNone
		for name, refused := range map[string]error{
			"to nobody":                must(settlement.Next(direct, to(kind, ""))),
			"to the payee":             must(settlement.Next(direct, to(kind, payee))),
			"of a vault, named":        must(settlement.Next(vaulted(settlement.StateHeld, "", ""), to(kind, stranger))),
			"held by others":           must(settlement.Next(elsewhere, to(kind, stranger))),
			"part of what is moved on": must(settlement.Next(vaulted(settlement.StateReleased, settlement.PayoutRelease, txB), to(settlement.EventPartialRefundApproved, ""))),
		} {
			if !errors.Is(refused, settlement.ErrNotAccepted) {
				t.Errorf("%s %s: %v, want not accepted", kind, name, refused)
			}
		}
	}
	p := steps(t, paymentIn(settlement.StateHeld), to(settlement.EventRefundApproved, stranger))
	if p.State != settlement.StateRefundPending || p.PayoutDue() != settlement.PayoutRefund || p.Untold() {
		t.Errorf("approved: %+v", p)
	}
	if p = steps(t, p, eventOf(settlement.EventPayoutPrepared), settlement.Event{Kind: settlement.EventPaidOut, TxID: txB}); !p.Untold() || p.PayoutDue() != "" {
		t.Errorf("given back: %+v", p)
	}
	for _, tt := range []struct {
		name    string
		state   settlement.State
		kind    settlement.EventKind
		amount  uint64
		left    uint64
		because string
	}{
		{"part that is all", settlement.StateHeld, settlement.EventPartialRefundApproved, 600_000, 600_000, "less than that"},
		{"part", settlement.StateHeld, settlement.EventPartialRefundApproved, 599_999, 600_000, ""},
		{"all, after the release", settlement.StateReleased, settlement.EventPartialRefundApproved, 600_000, 600_000, ""},
		{"more than is left", settlement.StateReleased, settlement.EventPartialRefundApproved, 600_001, 600_000, "600000 base units have arrived"},
		{"nothing is left", settlement.StateHeld, settlement.EventRefundApproved, 0, 0, "nothing has arrived"},
		{"what is left", settlement.StateHeld, settlement.EventRefundApproved, 0, 1, ""},
	} {
		held.Amount = settlement.NewAmount(tt.left)
		e := settlement.Event{Kind: tt.kind, Receiver: stranger, Division: &settlement.Division{ToPayer: settlement.NewAmount(tt.amount)}}
		if got := paymentIn(tt.state).Unfit(e, held); (got == "") != (tt.because == "") || !strings.Contains(got, tt.because) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.because)
		}
	}
}

// must is the error of a step.
func must(_ settlement.Payment, err error) error { return err }

func TestDivide(t *testing.T) {
	t.Parallel()
	n := settlement.NewAmount
	for _, tt := range []struct{ most, held, payee, payer uint64 }{
		{100, 100, 100, 0},
		{100, 130, 100, 30},
		{100, 90, 90, 0},
		{0, 130, 0, 130},
	} {
		got := settlement.Divide(n(tt.most), n(tt.held))
		if want := (settlement.Division{ToPayee: n(tt.payee), ToPayer: n(tt.payer)}); got != want {
			t.Errorf("at most %d of %d: %+v, want %+v", tt.most, tt.held, got, want)
		}
	}
}

// A vault's payee is its order's alone: whoever pays, and however much.
func TestDepositNamesItsOrder(t *testing.T) {
	t.Parallel()
	held := terms
	held.Custody, held.Payee = settlement.CustodyVault, "vault---------------"
	deposit := settlement.Transfer{Token: token, Payer: stranger, Payee: held.Payee, Amount: settlement.NewAmount(7)}
	for _, settled := range []bool{false, true} {
		got := settlement.Attribute(deposit, []settlement.OpenPayment{{ID: settlement.PaymentID{1}, Terms: held, Settled: settled}})
		if len(got) != 1 || got[0].Payment != (settlement.PaymentID{1}) || got[0].Code != "" {
			t.Errorf("settled %t: %+v", settled, got)
		}
	}
	deposit.Amount = held.Amount
	v := settlement.Judge(held.Claim(txA), settlement.Block{Number: 101, Time: noon}, []settlement.Transfer{deposit})
	if v.Code != settlement.Verified {
		t.Errorf("a stranger's deposit of the price: %s", v.Code)
	}
}
