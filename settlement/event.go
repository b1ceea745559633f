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
	EventPayerProved       EventKind = "payer_proved"       // a wallet signed that its transaction pays this payment; we look at it
	EventTransactionAbsent EventKind = "transaction_absent" // a named transaction was never found, or cannot pay and moved no money
	EventTransferSeen      EventKind = "transfer_seen"      // a transfer is in a block that is not final
	EventTransferWithdrawn EventKind = "transfer_withdrawn" // the block of a seen transfer is no longer canonical, or the transfer proved to be another order's
	EventPaymentConfirmed  EventKind = "payment_confirmed"  // a transfer fits, is final, and is consumed in the same commit
	EventPaymentPart       EventKind = "payment_part"       // a part of the price is final, and is consumed in the same commit; the last one settles
	EventPaymentMispaid    EventKind = "payment_mispaid"    // money moved, and it does not settle the payment
	EventFinalityBroken    EventKind = "finality_broken"    // the block of a consumed transfer is no longer canonical

	EventProofAccepted   EventKind = "proof_accepted"   // the orchestrator holds the payment by our proof
	EventProofRefused    EventKind = "proof_refused"    // the orchestrator will not take the proof
	EventProofForbidden  EventKind = "proof_forbidden"  // the orchestrator refuses our identity: we look and verify, it is not told
	EventPlatformDiffers EventKind = "platform_differs" // the orchestrator's books contradict ours

	EventPayoutPrepared EventKind = "payout_prepared" // a movement of the payment's money was given a nonce: it can no longer be taken back
	EventPaidOut        EventKind = "paid_out"        // the movement is final on the chain; the orchestrator is still to be told
	EventPayoutFailed   EventKind = "payout_failed"   // the movement moved nothing; with a reason it is not tried again by itself

	EventVaultReclaimed EventKind = "vault_reclaimed" // the payer took back what was in the vault
	EventVaultDivided   EventKind = "vault_divided"   // the vault was paid out by none of our movements; without a reason, or with VAULT_PART_USED, the payee has the price
	EventVaultFrozen    EventKind = "vault_frozen"    // the vault is frozen on the chain: the arbiter decides
	EventPayoutBroken   EventKind = "payout_broken"   // what had moved the money on was final, and has left the chain

	EventPartialRefundApproved EventKind = "partial_refund_approved" // less than what is held goes back; the division says how much
	EventSurplusRefundApproved EventKind = "surplus_refund_approved" // what is held above what the payee may get goes back
	EventReturnPrepared        EventKind = "return_prepared"         // the movement of one of those two was given a nonce
	EventReturned              EventKind = "returned"                // it is final on the chain
	EventReturnFailed          EventKind = "return_failed"           // it moved nothing; with a reason it is not tried again by itself

	EventReleased       EventKind = "released"        // the payee has the money and the orchestrator knows
	EventRefundApproved EventKind = "refund_approved" // a refund was decided and approved
	EventRefunded       EventKind = "refunded"        // the payer has the money back and the orchestrator knows
	EventSplitApproved  EventKind = "split_approved"  // a split was decided and approved; the division, which is all that is held, says how
	EventSplit          EventKind = "split"           // both parts of a split were paid and the orchestrator knows
	EventDisputeDropped EventKind = "dispute_dropped" // the dispute ended without a decision on the money

	EventDisputeStatement EventKind = "dispute_statement" // a party of the dispute said something, or handed in evidence
	EventDisputeDecided   EventKind = "dispute_decided"   // it is decided who gets how much; it takes effect when nobody may appeal any more
	EventDisputeAppealed  EventKind = "dispute_appealed"  // a party does not accept the decision: it is to be decided once more
	EventDisputeReminded  EventKind = "dispute_reminded"  // a deadline of the dispute comes near or has passed; the reason says which
	EventDisputeTold      EventKind = "dispute_told"      // the orchestrator knows of a dispute that a person has opened, or does not take it

	EventReleaseDecided   EventKind = "release_decided"   // a person decided for the payee
	EventAcceptedAsPaid   EventKind = "accepted_as_paid"  // a person accepted money that arrived under, over or late
	EventTransferAccepted EventKind = "transfer_accepted" // a person had a transfer count that pays nothing, a second one or one of an order that is over, so that it can be given back
	EventClosed           EventKind = "closed"            // a person closed the payment
	EventNoted            EventKind = "noted"             // a person left a note; nothing else has changed
	EventRetried          EventKind = "retried"           // a person had our work on it done again, also with an orchestrator that refused our identity
)

// EventKinds lists every event in the order above.
var EventKinds = []EventKind{
	EventOrderOpened, EventOrderRefused, EventOrderFree, EventIntentReady, EventOrderCanceled, EventOrderAccepted,
	EventOrderDisputed, EventDeadline, EventTransactionNamed, EventPayerProved, EventTransactionAbsent, EventTransferSeen,
	EventTransferWithdrawn, EventPaymentConfirmed, EventPaymentPart, EventPaymentMispaid, EventFinalityBroken, EventProofAccepted,
	EventProofRefused, EventProofForbidden, EventPlatformDiffers, EventPayoutPrepared, EventPaidOut, EventPayoutFailed,
	EventVaultReclaimed, EventVaultDivided, EventVaultFrozen, EventPayoutBroken, EventPartialRefundApproved, EventSurplusRefundApproved,
	EventReturnPrepared, EventReturned, EventReturnFailed, EventReleased, EventRefundApproved, EventRefunded, EventSplitApproved,
	EventSplit, EventDisputeDropped, EventDisputeStatement, EventDisputeDecided, EventDisputeAppealed, EventDisputeReminded,
	EventDisputeTold, EventReleaseDecided, EventAcceptedAsPaid, EventTransferAccepted, EventClosed, EventNoted, EventRetried,
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

	Reason Code   // of refusals and rejections
	Detail string // what a person needs to know beside the reason; never a secret
	Terms  *Terms // of EventIntentReady
	// TxID is the transaction of EventTransactionNamed, EventPayerProved, EventTransactionAbsent, EventPaidOut, EventReturned and of what
	// happened at a vault. With
	// EventPaymentConfirmed and EventPaymentMispaid it ends the look at the one that was named.
	TxID     TxID
	Proof    *PayerProof // of EventPayerProved
	Division *Division   // of EventSplitApproved and EventPartialRefundApproved
	// Receiver is who gets the refund of a direct payment: of the three events that approve one. A vault pays the payer of its terms.
	Receiver Address
	Sighting *Sighting
	Platform string // the orchestrator's own status of the payment, where the event brings one
	// Decision, where not nil, is who decided it.
	Decision *Decision
	// Dispute is of EventOrderDisputed, where it says more than that, and of the events of disputes.
	Dispute *DisputeStep
}

// Decision is who has decided something, from where, and about how much.
type Decision struct {
	Actor  PaymentID // a person, or a machine's key; a UUIDv7
	Name   string
	Origin string // network address
	// Weight is the amount that was decided about in base units; zero where it was not about money.
	Weight Amount
}

// Sighting is a transfer as seen for one payment, with what the funnel said of it.
type Sighting struct {
	TxID     TxID
	Transfer Transfer
	Block    Block
	Verdict  Verdict // what it will come to once it is final
	// FinalHead, where not 0, is the head that made a sighting final which is stored already, and stays as it is stored.
	FinalHead uint64
}
