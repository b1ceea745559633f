package settlement

// EventKind names what happened to a payment.
type EventKind string

// Every event. The comment says what has happened when it is sent.
const (
	EventOrderOpened   EventKind = "order_opened"   // the order was read and its rail is one that we carry out
	EventOrderRefused  EventKind = "order_refused"  // the order or its intent cannot be paid as it stands; the reason says why
	EventOrderFree     EventKind = "order_free"     // nothing is to be paid
	EventIntentReady   EventKind = "intent_ready"   // the intent exists, was checked, and its terms are stored
	EventOrderCanceled EventKind = "order_canceled" // the marketplace cancelled the order
	EventOrderAccepted EventKind = "order_accepted" // the buyer confirmed the delivery
	EventOrderDisputed EventKind = "order_disputed" // the order is disputed
	EventDeadline      EventKind = "deadline"       // the deadline and its grace have passed

	EventTransactionNamed  EventKind = "transaction_named"  // somebody named a transaction for us to look at
	EventTransactionAbsent EventKind = "transaction_absent" // a named transaction was never found, or cannot pay and moved no money
	EventTransferSeen      EventKind = "transfer_seen"      // a transfer is in a block that is not final
	EventTransferWithdrawn EventKind = "transfer_withdrawn" // the block of a seen transfer is no longer canonical
	EventPaymentConfirmed  EventKind = "payment_confirmed"  // a transfer fits, is final, and is consumed in the same commit
	EventPaymentMispaid    EventKind = "payment_mispaid"    // money moved, and it does not settle the payment
	EventFinalityBroken    EventKind = "finality_broken"    // the block of a consumed transfer is no longer canonical

	EventProofAccepted   EventKind = "proof_accepted"   // the orchestrator holds the payment by our proof
	EventProofRefused    EventKind = "proof_refused"    // the orchestrator will not take the proof
	EventProofForbidden  EventKind = "proof_forbidden"  // the orchestrator refuses our identity: verified by us, platform not told
	EventPlatformDiffers EventKind = "platform_differs" // the orchestrator's books contradict ours

	EventReleased       EventKind = "released"         // the payee has the money and the orchestrator knows
	EventRefundApproved EventKind = "refund_approved"  // a refund was decided and approved
	EventRefunded       EventKind = "refunded"         // the payer has the money back and the orchestrator knows
	EventSplit          EventKind = "split"            // both parts of a split were paid and the orchestrator knows
	EventDisputeDropped EventKind = "dispute_dropped"  // the dispute ended without a decision on the money
	EventReleaseDecided EventKind = "release_decided"  // a person decided for the payee
	EventAcceptedAsPaid EventKind = "accepted_as_paid" // a person accepted money that arrived under, over or late
	EventClosed         EventKind = "closed"           // a person closed the payment
)

// EventKinds lists every event in the order above.
var EventKinds = []EventKind{
	EventOrderOpened, EventOrderRefused, EventOrderFree, EventIntentReady, EventOrderCanceled, EventOrderAccepted,
	EventOrderDisputed, EventDeadline, EventTransactionNamed, EventTransactionAbsent, EventTransferSeen,
	EventTransferWithdrawn, EventPaymentConfirmed, EventPaymentMispaid, EventFinalityBroken, EventProofAccepted,
	EventProofRefused, EventProofForbidden, EventPlatformDiffers, EventReleased, EventRefundApproved, EventRefunded,
	EventSplit, EventDisputeDropped, EventReleaseDecided, EventAcceptedAsPaid, EventClosed,
}

// Event is something that happened to one payment. Events come in batches through one door and are recorded for ever.
type Event struct {
	// ID makes a repeated event a duplicate that changes nothing. A worker's event is named after the version of the
	// payment that it worked on, a chain fact after the transfer and its block.
	ID      string
	Payment PaymentID
	Kind    EventKind
	// Version, where not 0, is the payment's version that the sender worked on: a result that comes late, from a worker
	// whose payment has moved on, changes nothing.
	Version int64

	Reason   Code   // of refusals and rejections
	Detail   string // what a person needs to know beside the reason; never a secret
	Terms    *Terms // of EventIntentReady
	TxID     TxID   // of EventTransactionNamed and EventTransactionAbsent
	Sighting *Sighting
	Platform string // the orchestrator's own status of the payment, where the event brings one
}

// Sighting is a transfer as seen for one payment, with what the funnel said of it.
type Sighting struct {
	TxID     TxID
	Transfer Transfer
	Block    Block
	Verdict  Verdict // what it will come to once it is final
}
