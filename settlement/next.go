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
		StateVerified: StateFrozen, StateHeld: StateFrozen, StateReleasePending: StateFrozen, StateNeedsReview: stay,
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

	EventReleased:       {StateReleasePending: StateReleased},
	EventRefundApproved: {StateHeld: StateRefundPending, StateFrozen: StateRefundPending, StateNeedsReview: StateRefundPending, StateReleasePending: StateRefundPending, StateVerified: StateRefundPending},
	EventRefunded:       {StateRefundPending: StateRefunded},
	EventSplit:          {StateFrozen: StateSplit},
	EventDisputeDropped: {StateFrozen: back},
	EventReleaseDecided: {StateFrozen: StateReleasePending, StateNeedsReview: StateReleasePending},
	EventAcceptedAsPaid: {StateNeedsReview: StateVerified},
	EventClosed:         {StateNeedsReview: StateClosed, StateExpired: StateClosed, StateFrozen: StateClosed, StateAwaitingPayment: StateClosed},
}

// Next is the payment after the event, or ErrNotAccepted and the payment as it was. It is pure: the caller stores what
// comes back, and derives what is to be done from the new state.
func Next(p Payment, e Event) (Payment, error) {
	to, accepted := table[e.Kind][p.State]
	switch {
	case !accepted, e.Version != 0 && e.Version != p.Version:
		return p, fmt.Errorf("%s in state %s: %w", e.Kind, p.State, ErrNotAccepted)
	case e.Kind == EventPaymentConfirmed && p.Settled():
		// After a reorganisation beyond finality a person decides which transfer counts.
		return p, fmt.Errorf("%s for a payment that is settled: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventReleaseDecided && !p.Settled():
		return p, fmt.Errorf("%s for a payment that is not settled: %w", e.Kind, ErrNotAccepted)
	}
	next := p
	switch to {
	case stay:
	case back:
		next.State, next.Back = p.Back, ""
	default:
		next.State, next.Back = to, returnFrom(p, to)
		next.Reason, next.Detail = "", ""
	}
	next = note(next, p, e)
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

// note takes over what the event brings beside the state.
func note(next, p Payment, e Event) Payment {
	if e.Platform != "" {
		next.Platform = e.Platform
	}
	if (next.State == StateNeedsReview || next.State == StateClosed) && e.Reason != "" {
		next.Reason, next.Detail = e.Reason, e.Detail
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
		next.Named = ""
		if e.Sighting != nil {
			next.PaidBy = e.Sighting.TxID
		}
	case EventPaymentMispaid:
		next = noteMispaid(next, p, e)
	case EventProofForbidden:
		next.Observed = true
	case EventAcceptedAsPaid, EventClosed, EventReleaseDecided, EventRefundApproved:
		next = next.withFlag(FlagManual)
	}
	return next
}

func noteMispaid(next, p Payment, e Event) Payment {
	if p.Settled() || p.State.Final() {
		return next.withFlag(FlagDuplicateTransfer)
	}
	if e.Sighting != nil {
		if next.Named == e.Sighting.TxID {
			next.Named = ""
		}
		if flag, ok := flagOf(e.Sighting.Verdict); ok {
			next = next.withFlag(flag)
		}
	}
	return next
}
