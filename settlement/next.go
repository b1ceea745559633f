package settlement

import (
	"errors"
	"fmt"
	"slices"
)

//go:generate go run ./internal/states ../docs/states.md

// ErrNotAccepted means that the payment's state does not accept the event. Nothing changes; the event is logged, and an
// admin's action is answered with a conflict.
var ErrNotAccepted = errors.New("event not accepted in this state")

// ErrInFlight is ErrNotAccepted because the money can no longer be stopped.
var ErrInFlight = fmt.Errorf("release in flight: %w", ErrNotAccepted)

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
		// Known already, by another way; or it comes too late, and is remembered.
		StateFrozen: stay, StateReleased: stay, StateRefunded: stay, StateSplit: stay,
	},
	EventDeadline: {StateAwaitingPayment: StateExpired},

	EventTransactionNamed: {
		StateAwaitingPayment: StateVerifying, StateExpired: StateVerifying, StateVerifying: stay,
		StateConfirming: stay, StateNeedsReview: stay,
	},
	EventPayerProved: {
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
	// The part that reaches the price is as a confirmation.
	EventPaymentPart: {
		StateAwaitingPayment: stay, StateExpired: stay, StateVerifying: back, StateConfirming: back, StateNeedsReview: stay,
	},
	EventPaymentMispaid: {
		StateAwaitingPayment: StateNeedsReview, StateExpired: StateNeedsReview, StateVerifying: StateNeedsReview,
		StateConfirming: StateNeedsReview, StateNeedsReview: stay,
		// The payment is settled already: what else arrives is a flag, never a change.
		StateVerified: stay, StateHeld: stay, StateReleasePending: stay, StateReleased: stay, StateFrozen: stay,
		StateRefundPending: stay, StateRefunded: stay, StateSplitPending: stay, StateSplit: stay, StateClosed: stay,
	},
	EventFinalityBroken: {
		StateVerified: StateNeedsReview, StateHeld: StateNeedsReview, StateReleasePending: StateNeedsReview,
		StateAwaitingPayment: StateNeedsReview, StateExpired: StateNeedsReview, StateVerifying: StateNeedsReview, StateConfirming: StateNeedsReview,
		StateFrozen: stay, StateNeedsReview: stay, StateRefundPending: StateNeedsReview, StateSplitPending: StateNeedsReview, StateReleased: stay,
		StateRefunded: stay, StateSplit: stay, StateClosed: stay,
	},

	EventProofAccepted:  {StateVerified: StateHeld},
	EventProofRefused:   {StateVerified: StateNeedsReview},
	EventProofForbidden: {StateNew: stay, StateVerified: stay, StateReleasePending: stay, StateRefundPending: stay, StateSplitPending: stay},
	EventPlatformDiffers: {
		StateVerified: StateNeedsReview, StateHeld: StateNeedsReview, StateReleasePending: StateNeedsReview,
		StateAwaitingPayment: StateNeedsReview, StateExpired: StateNeedsReview, StateNeedsReview: stay,
		StateRefundPending: StateNeedsReview, StateSplitPending: StateNeedsReview, StateFrozen: StateNeedsReview,
		// It has been told otherwise, and took it.
		StateReleased: StateNeedsReview, StateRefunded: StateNeedsReview, StateSplit: StateNeedsReview,
	},

	EventPayoutPrepared: {StateReleasePending: stay, StateRefundPending: stay, StateSplitPending: stay},
	EventPaidOut:        {StateReleasePending: stay, StateRefundPending: stay, StateSplitPending: stay, StateNeedsReview: stay},
	EventPayoutFailed: {
		StateReleasePending: StateNeedsReview, StateRefundPending: StateNeedsReview, StateSplitPending: StateNeedsReview, StateNeedsReview: stay,
	},

	EventVaultReclaimed: {
		StateVerified: StateRefundPending, StateHeld: StateRefundPending, StateRefundPending: stay,
		// Somebody else is to get the money, or it has not settled the payment.
		StateReleasePending: StateNeedsReview, StateSplitPending: StateNeedsReview, StateFrozen: StateNeedsReview, StateNeedsReview: stay,
		StateAwaitingPayment: StateNeedsReview,
		StateExpired:         StateNeedsReview, StateVerifying: StateNeedsReview, StateConfirming: StateNeedsReview,
		StateReleased: stay, StateRefunded: stay, StateSplit: stay, StateClosed: stay,
	},
	EventVaultDivided: {
		StateHeld: StateReleasePending, StateReleasePending: stay,
		StateVerified: StateNeedsReview, StateFrozen: StateNeedsReview, StateRefundPending: StateNeedsReview, StateSplitPending: StateNeedsReview,
		StateNeedsReview:     stay,
		StateAwaitingPayment: StateNeedsReview, StateExpired: StateNeedsReview, StateVerifying: StateNeedsReview, StateConfirming: StateNeedsReview,
		StateReleased: stay, StateRefunded: stay, StateSplit: stay, StateClosed: stay,
	},
	EventVaultFrozen: {
		StateVerified: StateFrozen, StateHeld: StateFrozen, StateReleasePending: StateFrozen, StateFrozen: stay, StateRefundPending: stay,
		StateSplitPending: stay, StateNeedsReview: stay, StateAwaitingPayment: stay, StateExpired: stay, StateVerifying: stay, StateConfirming: stay,
		StateReleased: stay, StateRefunded: stay, StateSplit: stay, StateClosed: stay,
	},
	EventPayoutBroken: {
		StateReleasePending: StateNeedsReview, StateRefundPending: StateNeedsReview, StateSplitPending: StateNeedsReview, StateNeedsReview: stay,
		StateReleased: StateNeedsReview, StateRefunded: StateNeedsReview, StateSplit: StateNeedsReview, StateClosed: StateNeedsReview,
	},

	// After the end, only of a direct payment: nobody holds anything, before as after.
	EventPartialRefundApproved: {StateVerified: stay, StateHeld: stay, StateReleased: stay, StateClosed: stay},
	EventSurplusRefundApproved: {
		StateVerified: stay, StateHeld: stay, StateReleased: stay, StateRefunded: stay, StateSplit: stay, StateClosed: stay,
	},
	// A return that was decided goes before the payout that was decided after it. Where nothing may move, or a person must decide
	// anew, it is given up.
	EventReturnPrepared: {
		StateVerified: stay, StateHeld: stay, StateReleasePending: stay, StateRefundPending: stay, StateReleased: stay, StateRefunded: stay,
		StateSplit: stay, StateClosed: stay,
	},
	EventReturned:     everywhere,
	EventReturnFailed: everywhere,

	EventReleased: {StateReleasePending: StateReleased},
	EventRefundApproved: {
		StateVerified: StateRefundPending, StateHeld: StateRefundPending, StateReleasePending: StateRefundPending,
		StateFrozen: StateRefundPending, StateNeedsReview: StateRefundPending,
	},
	EventRefunded: {StateRefundPending: StateRefunded},
	EventSplitApproved: {
		StateVerified: StateSplitPending, StateHeld: StateSplitPending, StateFrozen: StateSplitPending, StateNeedsReview: StateSplitPending,
	},
	EventSplit:          {StateSplitPending: StateSplit},
	EventDisputeDropped: {StateFrozen: back},

	EventDisputeStatement: {StateFrozen: stay},
	EventDisputeDecided:   {StateFrozen: stay},
	EventDisputeAppealed:  {StateFrozen: stay},
	EventDisputeReminded:  {StateFrozen: stay},
	EventDisputeTold:      {StateFrozen: stay},

	EventReleaseDecided: {StateFrozen: StateReleasePending, StateNeedsReview: StateReleasePending},
	EventAcceptedAsPaid: {StateNeedsReview: StateVerified},
	EventTransferAccepted: {
		StateVerified: stay, StateHeld: stay, StateReleasePending: stay, StateReleased: stay, StateRefunded: stay, StateClosed: stay,
	},
	EventClosed: {
		StateNeedsReview: StateClosed, StateExpired: StateClosed, StateFrozen: StateClosed, StateAwaitingPayment: StateClosed,
	},
	EventNoted: everywhere,
	EventRetried: {
		StateNew: stay, StateVerifying: stay, StateVerified: stay, StateReleasePending: stay, StateRefundPending: stay, StateSplitPending: stay,
		// Only where nobody was told to pay: what was wrong with the order or the configuration may be right now.
		StateNeedsReview: StateNew,
	},
}

// everywhere is accepted in every state and leaves it.
var everywhere = func() row {
	r := make(row)
	for _, s := range States {
		r[s] = stay
	}
	return r
}()

// Takes reports whether payments in the state may accept the event.
func Takes(s State, k EventKind) bool {
	_, accepted := table[k][s]
	return accepted
}

// Next is the payment after the event, or ErrNotAccepted and the payment as it was. It is pure: the caller stores what
// comes back, and derives what is to be done from the new state.
//
// An event that lacks what its target needs (terms, a transfer, a named transaction) is not accepted either.
func Next(p Payment, e Event) (Payment, error) {
	to, accepted := table[e.Kind][p.State]
	if completes(p, e) {
		to = table[EventPaymentConfirmed][p.State]
	}
	switch {
	case !accepted, e.Version != 0 && e.Version != p.Version:
		return p, fmt.Errorf("%s in state %s: %w", e.Kind, p.State, ErrNotAccepted)
	case e.Kind == EventPaymentPart && (!p.Terms.Parts || e.Sighting == nil || p.Terms.exceeds(p.Received.Add(e.Sighting.Transfer.Amount))):
		return p, fmt.Errorf("%s that does not add up: %w", e.Kind, ErrNotAccepted)
	case (e.Kind == EventPaymentConfirmed || e.Kind == EventPaymentPart) && p.Settled():
		// After a reorganisation beyond finality a person decides which transfer counts.
		return p, fmt.Errorf("%s for a payment that is settled: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventRetried && p.State == StateNeedsReview && (p.Terms.Payee != "" || p.HasFlag(FlagCanceled) || p.HasFlag(FlagReorged)):
		return p, fmt.Errorf("%s for a payment that is not to be agreed on: %w", e.Kind, ErrNotAccepted)
	case (e.Kind == EventTransactionNamed || e.Kind == EventPayerProved) && p.Terms.Payee == "":
		return p, fmt.Errorf("%s for a payment without terms: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventTransactionNamed && (e.TxID == "" || e.TxID == p.PaidBy || e.TxID == p.Named):
		return p, fmt.Errorf("%s that is none to look at: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventPayerProved && (e.TxID == "" || e.TxID == p.PaidBy || e.Proof == nil || e.Proof.TxID != e.TxID):
		return p, fmt.Errorf("%s of no transaction to look at: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventPayerProved && (e.Proof.Signer == "" || e.Proof.Signer == p.Terms.Payee):
		return p, fmt.Errorf("%s by a wallet that cannot pay: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventAcceptedAsPaid && p.Settled() && (e.Sighting == nil || e.Sighting.TxID != p.PaidBy):
		return p, fmt.Errorf("%s of another transaction than the one that has settled the payment: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventAcceptedAsPaid && p.HasFlag(FlagCanceled):
		return p, fmt.Errorf("%s for an order that is cancelled: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventTransferAccepted && (e.Sighting == nil || p.Terms.Custody != ""):
		return p, fmt.Errorf("%s of a transfer that nobody named, or that we hold: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventTransferAccepted && p.State == StateVerified && e.Sighting.TxID == p.PaidBy:
		return p, fmt.Errorf("%s before the proof of its transaction was taken: %w", e.Kind, ErrNotAccepted)
	case e.Kind.Divides() && p.Terms.Custody == CustodyNone, e.Kind == EventSplitApproved && p.Terms.Custody != CustodyVault:
		return p, fmt.Errorf("%s of money that we do not hold: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventPartialRefundApproved && p.Terms.Custody == CustodyVault && p.State.Final():
		return p, fmt.Errorf("%s after the price was moved on: %w", e.Kind, ErrNotAccepted)
	case e.Kind.Returns() && p.Terms.Custody == "" && e.Receiver == "" && (e.Kind != EventRefundApproved || p.PaidOut == ""):
		return p, fmt.Errorf("%s of a direct payment to nobody: %w", e.Kind, ErrNotAccepted)
	case e.Kind.Returns() && e.Receiver != "" && (p.Terms.Custody != "" || e.Receiver == p.Terms.Payee):
		return p, fmt.Errorf("%s to somebody who gets none: %w", e.Kind, ErrNotAccepted)
	case !e.Division.fits(e.Kind, p.Terms.Amount):
		return p, fmt.Errorf("%s that divides nothing so: %w", e.Kind, ErrNotAccepted)
	case !p.payoutAllows(e.Kind):
		return p, fmt.Errorf("%s after money was moved: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventOrderDisputed && e.Decision != nil && (p.State == StateFrozen || p.State.Final()):
		return p, fmt.Errorf("%s in state %s: %w", e.Kind, p.State, ErrNotAccepted)
	case e.Kind == EventOrderDisputed && e.Decision != nil && p.Payout != "":
		return p, fmt.Errorf("%s by a person: %w", e.Kind, ErrInFlight)
	case e.Kind == EventOrderDisputed && p.Payout != "" && !p.State.Final():
		// Nothing can be frozen any more: a person sees the dispute beside what was moved.
		to, e.Reason = StateNeedsReview, PayoutDisputed
	case e.Kind == EventPayoutFailed && e.Reason == "":
		to = stay // it is tried again by itself
	case e.Kind == EventPaidOut && e.Reason != "":
		to = StateNeedsReview // it is not where it should be
	case p.PaidOut != "" && slices.Contains([]EventKind{EventVaultReclaimed, EventVaultDivided, EventVaultFrozen}, e.Kind):
		to = stay // what came beside the money that was moved
	case (e.Kind == EventVaultDivided && e.Reason != "" || e.Kind == EventVaultReclaimed && e.Reason == VaultPartUsed) && !p.State.Final():
		to = StateNeedsReview
	case e.Kind == EventFinalityBroken && p.State.Open() && p.State != StateNeedsReview && p.Received.IsZero():
		return p, fmt.Errorf("%s for a payment that has consumed nothing: %w", e.Kind, ErrNotAccepted)
	case e.Kind == EventDeadline && !p.Received.IsZero():
		to, e.Reason, e.Detail = StateNeedsReview, AmountMismatch, Under
	case e.Kind == EventOrderCanceled && to == StateClosed && !p.Received.IsZero():
		to = StateNeedsReview // parts of the price are here
	case completes(p, e) && p.HasFlag(FlagReorged):
		to = stay // a person decides whether all of what was received is there
	case (e.Kind == EventPaymentConfirmed || completes(p, e)) && p.HasFlag(FlagCanceled):
		to = stay // the money is this order's, and nobody delivers it any more: a person decides where the money goes
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
		return e.Kind != EventTransactionAbsent && e.Kind != EventReturned && e.Kind != EventReturnFailed && (e.Kind != EventPaymentMispaid || !p.Settled())
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
	case EventOrderCanceled:
		next = next.withFlag(FlagCanceled)
	case EventTransactionNamed, EventPayerProved:
		next.Named = e.TxID
	case EventTransactionAbsent:
		next = endLook(next, e)
	case EventDeadline:
		if !p.Received.IsZero() {
			next = next.withFlag(FlagUnderpaid)
		}
	case EventPaymentConfirmed:
		next = noteReceived(noteSettled(next, e), e)
	case EventPaymentPart:
		if completes(p, e) {
			next = noteSettled(next, e)
		}
		next = noteReceived(next, e)
	case EventPaymentMispaid:
		next = noteMispaid(next, e)
	case EventFinalityBroken:
		if !p.Settled() || e.Sighting != nil && e.Sighting.TxID != p.PaidBy {
			next = next.withFlag(FlagReorged)
		}
		if p.State == StateFrozen { // the end of the dispute alone must not let money move that may be gone
			next.Back = StateNeedsReview
		}
	case EventProofForbidden:
		next.Observed = true
	case EventRetried:
		next.Observed = false
	case EventAcceptedAsPaid:
		next = noteSettled(next, e).withFlag(FlagManual)
		if !p.Settled() {
			next = noteReceived(next, e)
		}
	case EventTransferAccepted:
		next = noteReceived(next, e).withFlag(FlagManual)
	case EventPayoutPrepared:
		next.Payout = payoutOf(p.State)
	case EventPaidOut:
		next.PaidOut = e.TxID
	case EventPayoutFailed:
		next.Payout = ""
	case EventVaultReclaimed:
		next = noteMoved(next, PayoutRefund, e)
	case EventVaultDivided:
		if e.Reason == "" || e.Reason == VaultPartUsed {
			next = noteMoved(next, PayoutRelease, e)
		}
	case EventClosed, EventReleaseDecided, EventRefundApproved, EventSplitApproved, EventPartialRefundApproved:
		next = next.withFlag(FlagManual)
	}
	return next
}

// noteMoved takes over that somebody else has moved the money of a settled payment to where the payout would.
func noteMoved(p Payment, payout Payout, e Event) Payment {
	if p.Settled() && !p.State.Final() && p.PaidOut == "" {
		p.Payout, p.PaidOut = payout, e.TxID
	}
	return p
}

// endLook ends the look at the named transaction, if the event is what it came to. What the watcher sees of the transaction
// does not: a payer may have proven himself since.
func endLook(p Payment, e Event) Payment {
	if p.Named == e.TxID {
		p.Named = ""
	}
	return p
}

// noteSettled takes over which transaction settled the payment; one that has settled it before stays.
func noteSettled(p Payment, e Event) Payment {
	p = endLook(p, e)
	if e.Sighting != nil && !p.Settled() {
		p.PaidBy = e.Sighting.TxID
	}
	return p
}

// completes reports whether the event is the part that reaches the price.
func completes(p Payment, e Event) bool {
	return e.Kind == EventPaymentPart && e.Sighting != nil && p.Terms.reaches(p.Received.Add(e.Sighting.Transfer.Amount))
}

// noteReceived adds up what the payment consumes, and flags what differs from the exact price in time once it is settled.
func noteReceived(p Payment, e Event) Payment {
	if e.Sighting == nil {
		return p
	}
	alone := p.Received.IsZero()
	p.Received = p.Received.Add(e.Sighting.Transfer.Amount)
	if limit := p.Terms.Deadline.Add(p.Terms.Grace); e.Sighting.Block.Time.After(limit) && !p.Terms.Deadline.IsZero() {
		p = p.withFlag(FlagLate)
	}
	if !p.Settled() {
		return p
	}
	detail := e.Sighting.Verdict.Detail
	if !alone {
		detail = map[int]string{-1: Under, 1: Over}[p.Received.Cmp(p.Terms.Amount)]
	}
	switch detail {
	case Under:
		p = p.withFlag(FlagUnderpaid)
	case Over:
		p = p.withFlag(FlagOverpaid)
	}
	return p
}

func noteMispaid(p Payment, e Event) Payment {
	p = endLook(p, e)
	switch {
	case p.Settled(), p.State.Final() && p.State != StateClosed:
		return p.withFlag(FlagDuplicateTransfer)
	case p.State == StateClosed:
		return p.withFlag(FlagLate)
	}
	if e.Sighting != nil {
		if flag, ok := flagOf(e.Sighting.Verdict); ok {
			p = p.withFlag(flag)
		}
	}
	return p
}
