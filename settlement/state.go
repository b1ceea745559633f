package settlement

import "slices"

// State says what is true of a payment. A payment is in exactly one.
type State string

// Every state, with what is true in it and who acts next.
const (
	// StateNew: the order is known and its rail chosen. We act next, by creating or adopting the payment intent.
	StateNew State = "new"
	// StateAwaitingPayment: the payer knows what to pay, where and until when. The payer acts next.
	StateAwaitingPayment State = "awaiting_payment"
	// StateVerifying: a transaction has been named. We act next, by looking at the chain. Remembers where it came from.
	StateVerifying State = "verifying"
	// StateConfirming: a transfer for this payment is in a block that is not final. The chain acts next, then we.
	// Remembers where it came from.
	StateConfirming State = "confirming"
	// StateVerified: the transfer fits, is final, and is consumed by this payment for good. We act next, by posting the
	// proof.
	StateVerified State = "verified"
	// StateHeld: the orchestrator has accepted the proof or the lock. The marketplace acts next: deliver, confirm or
	// dispute.
	StateHeld State = "held"
	// StateReleasePending: the order was confirmed. We act next, by releasing.
	StateReleasePending State = "release_pending"
	// StateReleased: the payee has the money and the orchestrator knows. Final.
	StateReleased State = "released"
	// StateFrozen: disputed; nothing may move. A person with the right acts next. Remembers where it came from.
	StateFrozen State = "frozen"
	// StateRefundPending: a refund is decided and approved. We act next, by refunding.
	StateRefundPending State = "refund_pending"
	// StateRefunded: the payer has the money back and the orchestrator knows. Final.
	StateRefunded State = "refunded"
	// StateSplitPending: a split is decided and approved. We act next, by paying both sides their parts.
	StateSplitPending State = "split_pending"
	// StateSplit: both sides have their part of the principal and the orchestrator knows. Final.
	StateSplit State = "split"
	// StateExpired: not paid in time; still watched for late money. The payer or a person acts next.
	StateExpired State = "expired"
	// StateNeedsReview: a person must decide; the reason says what about. A person acts next, or the right payment still
	// arrives and settles it.
	StateNeedsReview State = "needs_review"
	// StateClosed: the order was cancelled, is free, or was decided by a person. Final.
	StateClosed State = "closed"
)

// States lists every state in the order of a payment's life.
var States = []State{
	StateNew, StateAwaitingPayment, StateVerifying, StateConfirming, StateVerified, StateHeld, StateReleasePending,
	StateReleased, StateFrozen, StateRefundPending, StateRefunded, StateSplitPending, StateSplit, StateExpired, StateNeedsReview, StateClosed,
}

// Final reports whether nothing is left to do for the payment. Money that arrives later is still flagged.
func (s State) Final() bool {
	return slices.Contains([]State{StateReleased, StateRefunded, StateSplit, StateClosed}, s)
}

// Open reports whether a transfer could still pay the payment, so that the chain is watched for it.
func (s State) Open() bool {
	return slices.Contains([]State{
		StateAwaitingPayment, StateVerifying, StateConfirming, StateExpired, StateNeedsReview,
	}, s)
}

// remembers reports whether the payment keeps where it came from while it is in the state.
func (s State) remembers() bool {
	return s == StateVerifying || s == StateConfirming || s == StateFrozen
}

// Next is who acts next in the state: us, payer, chain, marketplace, person or nobody.
func (s State) Next() string {
	switch s {
	case StateNew, StateVerifying, StateVerified, StateReleasePending, StateRefundPending, StateSplitPending:
		return "us"
	case StateAwaitingPayment, StateExpired:
		return "payer"
	case StateConfirming:
		return "chain"
	case StateHeld:
		return "marketplace"
	case StateFrozen, StateNeedsReview:
		return "person"
	}
	return "nobody"
}

// Flag is a fact about a payment that is independent of its state and never goes away by itself.
type Flag string

// The flags. A payment may carry several.
const (
	FlagUnderpaid         Flag = "underpaid"          // less than the price arrived
	FlagOverpaid          Flag = "overpaid"           // more than the price arrived
	FlagLate              Flag = "late"               // money arrived after the deadline and its grace, or after an unpaid payment was closed
	FlagDuplicateTransfer Flag = "duplicate_transfer" // a further transfer arrived: beside the one that settled it, or after its end
	FlagReorged           Flag = "reorged"            // a part that counted has left the chain with its block
	FlagCanceled          Flag = "canceled"           // the marketplace cancelled the order: no proof is posted any more
	FlagManual            Flag = "manual"             // a person decided something about it
)

// Flags lists every flag.
var Flags = []Flag{FlagUnderpaid, FlagOverpaid, FlagLate, FlagDuplicateTransfer, FlagReorged, FlagCanceled, FlagManual}

// flagOf is the flag that a rejection with money moved leaves behind, if any.
func flagOf(v Verdict) (Flag, bool) {
	switch {
	case v.Code == AmountMismatch && v.Detail == Over:
		return FlagOverpaid, true
	case v.Code == AmountMismatch:
		return FlagUnderpaid, true
	case v.Code == PaymentLate:
		return FlagLate, true
	}
	return "", false
}
