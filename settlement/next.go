package settlement

import (
	"errors"
	"fmt"
)

//go:generate go run ./internal/states ../docs/states.md

// ErrNotAccepted means that the payment's state does not accept the event. Nothing changes; the event is logged, and an
// admin's action is answered with a conflict.
var ErrNotAccepted = errors.New("event not accepted in this state")

// Targets of the table beside the states.
const (
	stay = State("stay") // accepted, recorded, the state remains
	back = State("back") // return to where verifying, confirming or frozen came from
)

// row is what every state accepts alike for one event; pairs that are absent are not accepted.
type row map[State]State

// table decides every pair of state and event. It is the only place where a state follows from another.
var table = map[EventKind]row{
	EventOrderOpened:  {StateNew: stay},
	EventOrderRefused: {StateNew: StateNeedsReview},
	EventOrderFree:    {StateNew: StateClosed},
	EventIntentReady:  {StateNew: StateAwaitingPayment},
	EventOrderCanceled: {
		StateNew: StateClosed, StateAwaitingPayment: StateClosed, StateExpired: StateClosed,
		// Money may be on its way or has arrived: a person decides.
		StateVerifying: StateNeedsReview, StateConfirming: StateNeedsReview, StateVerified: StateNeedsReview,
		StateHeld: StateNeedsReview, StateNeedsReview: stay,
	},
	EventOrderAccepted: {StateHeld: StateReleasePending},
	EventOrderDisputed: {
		// Not needs_review: the right payment may still settle it, and then the dispute must freeze it.
		StateVerified: StateFrozen, StateHeld: StateFrozen, StateReleasePending: StateFrozen,
	},
	EventDeadline: {StateAwaitingPayment: StateExpired},

	EventTransactionNamed: {
		StateAwaitingPayment: StateVerifying, StateExpired: StateVerifying, StateVerifying: stay,
		StateConfirming: stay, StateNeedsReview: stay,
	},
	EventTransactionAbsent: {StateVerifying: back, StateConfirming: stay, StateNeedsReview: stay},
	EventTransferSeen: {
		StateAwaitingPayment: StateConfirming, StateExpired: StateConfirming, StateVerifying: StateConfirming,
		StateConfirming: stay, StateNeedsReview: stay,
	},
	EventTransferWithdrawn: {StateConfirming: back, StateNeedsReview: stay, StateVerifying: stay},
	EventPaymentConfirmed: {
		StateAwaitingPayment: StateVerified, StateExpired: StateVerified, StateVerifying: StateVerified,
		StateConfirming: StateVerified, StateNeedsReview: StateVerified,
	},
	EventPaymentMispaid: {
		StateAwaitingPayment: StateNeedsReview, StateExpired: StateNeedsReview, StateVerifying: StateNeedsReview,
		StateConfirming: StateNeedsReview, StateNeedsReview: stay,
		// The payment is settled already: what else arrives is a flag, never a change.
		StateVerified: stay, StateHeld: stay, StateReleasePending: stay, StateReleased: stay, StateFrozen: stay,
		StateRefundPending: stay, StateRefunded: stay, StateSplit: stay, StateClosed: stay,
	},
	EventFinalityBroken: {
		StateVerified: StateNeedsReview, StateHeld: StateNeedsReview, StateReleasePending: StateNeedsReview,
		StateFrozen: stay, StateNeedsReview: stay, StateRefundPending: StateNeedsReview, StateReleased: stay,
		StateRefunded: stay, StateSplit: stay, StateClosed: stay,
	},

	EventProofAccepted:  {StateVerified: StateHeld},
	EventProofRefused:   {StateVerified: StateNeedsReview},
	EventProofForbidden: {StateVerified: stay},
	EventPlatformDiffers: {
		StateVerified: StateNeedsReview, StateHeld: StateNeedsReview, StateReleasePending: StateNeedsReview,
		StateAwaitingPayment: StateNeedsReview, StateNeedsReview: stay,
	},

	EventReleased: {StateReleasePending: StateReleased},
	EventRefundApproved: {
		StateVerified: StateRefundPending, StateHeld: StateRefundPending, StateReleasePending: StateRefundPending,
		StateFrozen: StateRefundPending, StateNeedsReview: StateRefundPending,
	},
	EventRefunded:       {StateRefundPending: StateRefunded},
	EventSplit:          {StateFrozen: StateSplit},
	EventDisputeDropped: {StateFrozen: back},
	EventReleaseDecided: {StateFrozen: StateReleasePending, StateNeedsReview: StateReleasePending},
	EventAcceptedAsPaid: {StateNeedsReview: StateVerified},
	EventClosed: {
		StateNeedsReview: StateClosed, StateExpired: StateClosed, StateFrozen: StateClosed, StateAwaitingPayment: StateClosed,
	},
}

// Next is the payment after the event, or ErrNotAccepted and the payment as it was. It is pure: the caller stores what
// comes back, and derives what is to be done from the new state.
//
// An event that lacks what its target needs (terms, a transfer, a named transaction) is not accepted either.
func Next(p Payment, e Event) (Payment, error) {
	to, accepted := table[e.Kind][p.State]
	switch {
	case !accepted, e.Version != 0 && e.Version != p.Version:
		return p, fmt.Errorf("%s in state %s: %w", e.Kind, p.State, ErrNotAccepted)
	case e.Kind == EventPaymentConfirmed && p.Settled():
		// After a reorganisation beyond finality a person decides which transfer counts.
		return p, fmt.Errorf("%s for a payment that is settled: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventTransactionNamed && p.Terms.Payee == "":
		return p, fmt.Errorf("%s for a payment without terms: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventTransactionNamed && (e.TxID == "" || e.TxID == p.PaidBy || e.TxID == p.Named):
		return p, fmt.Errorf("%s that is none to look at: %w", e.Kind, ErrNotAccepted)
	}
	next := note(p, e)
	switch to {
	case stay:
	case back:
		next = goBack(next)
	default:
		next.State, next.Back = to, returnFrom(p, to)
		next.Reason, next.Detail = "", ""
		if !to.Open() { // no transaction can pay it any more
			next.Named = ""
		}
	}
	if e.Reason != "" && explains(p, next, e) {
		next.Reason, next.Detail = e.Reason, e.Detail
	}
	if flaw := next.flaw(); flaw != "" {
		return p, fmt.Errorf("%s in state %s: %s: %w", e.Kind, p.State, flaw, ErrNotAccepted)
	}
	next.Version++
	return next, nil
}

// returnFrom is where the state `to` goes back to when what brought the payment there turns out not to hold.
func returnFrom(p Payment, to State) State {
	switch to {
	case StateFrozen:
		return p.State
	case StateVerifying, StateConfirming:
		if p.Back != "" { // verifying to confirming keeps where verifying came from
			return p.Back
		}
		return p.State
	}
	return ""
}

// goBack returns the payment to where it came from. A transaction that is still named is still to be looked at: then the
// payment verifies, and remembers as before.
func goBack(p Payment) Payment {
	if p.State != StateFrozen && p.Named != "" {
		p.State = StateVerifying
		return p
	}
	p.State, p.Back = p.Back, ""
	return p
}

// explains reports whether the event's reason is why a person must decide, or why the payment was closed. What a named
// transaction came to never hides the reason of a review: anybody with the payer's link can name one. Nor does a second
// transfer hide why a settled payment is reviewed.
func explains(p, next Payment, e Event) bool {
	switch {
	case p.State == StateNeedsReview && next.State == StateNeedsReview:
		return e.Kind != EventTransactionAbsent && (e.Kind != EventPaymentMispaid || !p.Settled())
	case next.State == StateFrozen:
		return e.Kind == EventFinalityBroken
	}
	return next.State != p.State && (next.State == StateNeedsReview || next.State == StateClosed)
}

// note takes over what the event brings beside the state.
func note(p Payment, e Event) Payment {
	next := p
	if e.Platform != "" {
		next.Platform = e.Platform
	}
	switch e.Kind {
	case EventIntentReady:
		if e.Terms != nil {
			next.Terms = *e.Terms
		}
	case EventTransactionNamed:
		next.Named = e.TxID
	case EventTransactionAbsent:
		if next.Named == e.TxID {
			next.Named = ""
		}
	case EventPaymentConfirmed:
		next = noteSettled(next, e)
	case EventPaymentMispaid:
		next = noteMispaid(next, e)
	case EventFinalityBroken:
		if p.State == StateFrozen { // the end of the dispute alone must not let money move that may be gone
			next.Back = StateNeedsReview
		}
	case EventProofForbidden:
		next.Observed = true
	case EventAcceptedAsPaid:
		next = noteSettled(next, e).withFlag(FlagManual)
	case EventClosed, EventReleaseDecided, EventRefundApproved:
		next = next.withFlag(FlagManual)
	}
	return next
}

// noteSettled takes over which transaction settled the payment; one that has settled it before stays.
func noteSettled(p Payment, e Event) Payment {
	if e.Sighting != nil && !p.Settled() {
		p.PaidBy = e.Sighting.TxID
	}
	return p
}

func noteMispaid(p Payment, e Event) Payment {
	if e.Sighting != nil && p.Named == e.Sighting.TxID {
		p.Named = ""
	}
	if p.Settled() || p.State.Final() {
		return p.withFlag(FlagDuplicateTransfer)
	}
	if e.Sighting != nil {
		if flag, ok := flagOf(e.Sighting.Verdict); ok {
			p = p.withFlag(flag)
		}
	}
	return p
}
