package settlement

import (
	"slices"
	"time"
)

// Payment is our record of settling one order.
type Payment struct {
	ID          PaymentID
	Marketplace string // key of the configuration
	OrderID     string // the marketplace's, unique within it
	MachineID   string

	// Version counts the changes; it starts at 1 and is the guard against late and zombie workers.
	Version int64
	State   State
	Back    State // where verifying, confirming and frozen return to; empty elsewhere
	Flags   []Flag

	Reason Code   // why a person must decide, or why it was closed; empty elsewhere
	Detail string // for people, beside Reason

	Rail  string // the orchestrator's own word
	Terms Terms  // zero until the intent is ready
	// Received is how much the transfers brought that the payment has consumed.
	Received Amount
	Named    TxID // the transaction somebody named last, while it is looked for
	PaidBy   TxID // the transaction whose transfer settled it
	// Platform is the orchestrator's own status of the payment when we last read it, an open string.
	Platform string
	// Observed: the orchestrator refuses our identity, so it was not told; everything else holds.
	Observed bool

	// Payout says what money is moved for once a movement of it was prepared, and PaidOut which transaction has moved it on;
	// while the first is set alone the money may be on its way.
	Payout  Payout
	PaidOut TxID

	CreatedAt, UpdatedAt time.Time
}

// Terms are what must be paid, fixed when the intent is ready and never changed afterwards.
type Terms struct {
	Token  Token
	Payee  Address
	Amount Amount
	// Rounded: the price was finer than the token's decimals and was rounded half up.
	Rounded bool
	// ProvenPayer is the wallet that signed the pairing which the order was made with; NamedPayer is what the intent
	// says, which proves nothing. Both may be empty only where there is a Reference.
	ProvenPayer, NamedPayer Address
	// Reference is a key of this payment alone: a transfer that names it pays this payment, whoever sends it. Empty on
	// chains whose transfers name none.
	Reference Address
	// Custody says who holds the money of an escrow rail. With CustodyVault the Payee is a vault of this payment alone, and
	// ProvenPayer is where refunds go.
	Custody Custody

	// Under and Over are by how much less and more than Amount may arrive for the payment to be settled all the same. With
	// Parts several transfers of less add up.
	Under, Over Amount
	Parts       bool
	// AnyPayer: a transfer of exactly Amount counts also by a wallet that is none of the payers, where it fits this open
	// payment alone.
	AnyPayer bool

	NotBefore time.Time // payments in older blocks do not count
	FromBlock uint64    // the chain's head before the terms were handed out; the payment is in a later block
	Deadline  time.Time // until when the payer is told to pay
	Grace     time.Duration
	Late      time.Duration // how long after the grace a payment is taken all the same, and flagged
}

// Payers are the wallets whose payment counts; none where the payee is this payment's alone and anybody may pay.
func (t Terms) Payers() []Address {
	var payers []Address
	if t.Custody == CustodyVault {
		return nil
	}
	if t.ProvenPayer != "" {
		payers = append(payers, t.ProvenPayer)
	}
	if t.NamedPayer != "" && t.NamedPayer != t.ProvenPayer {
		payers = append(payers, t.NamedPayer)
	}
	return payers
}

// Missing is what is still to be paid of the price.
func (p Payment) Missing() Amount { return p.Terms.Amount.Sub(p.Received) }

// reaches reports whether the sum settles the terms, and exceeds whether it is more than they take.
func (t Terms) reaches(sum Amount) bool { return sum.Cmp(t.Amount.Sub(t.Under)) >= 0 }
func (t Terms) exceeds(sum Amount) bool { return sum.Cmp(t.Amount.Add(t.Over)) > 0 }

// Claim is the claim that the transaction pays these terms. Used is left to the caller.
func (t Terms) Claim(id TxID) Claim {
	return Claim{
		Chain:          t.Token.Chain,
		TxID:           id,
		Want:           Transfer{Token: t.Token.Address, Payee: t.Payee, Amount: t.Amount},
		Payers:         t.Payers(),
		Instrument:     t.Reference,
		AnyPayer:       t.AnyPayer,
		Under:          t.Under,
		Over:           t.Over,
		Parts:          t.Parts,
		NotBefore:      t.NotBefore,
		NotAfter:       t.Deadline.Add(t.Grace + t.Late),
		NotBeforeBlock: t.FromBlock,
	}
}

// Settled reports whether a transfer is consumed by the payment.
func (p Payment) Settled() bool { return p.PaidBy != "" }

// flaw is the first rule that the payment breaks, or "". The schema holds the same rules; here they make an event that
// would break one an event that is not accepted, which never fails the batch it came in.
func (p Payment) flaw() string {
	switch {
	case p.State == "", (p.Back != "") != p.State.remembers():
		return "nowhere to return to"
	case p.Terms.Payee == "" && !slices.Contains([]State{StateNew, StateNeedsReview, StateClosed}, p.State):
		return "no terms"
	case p.State == StateVerifying && p.Named == "":
		return "no transaction is named"
	case !p.Settled() && slices.Contains([]State{
		StateVerified, StateHeld, StateReleasePending, StateReleased, StateSplitPending, StateSplit,
	}, p.State):
		return "no transfer has settled the payment"
	case p.Terms.Custody == CustodyVault && (p.State == StateReleased || p.State == StateRefunded || p.State == StateSplit) && p.PaidOut == "":
		return "the money is still in its vault"
	case p.Terms.Custody == "" && p.State == StateRefunded && p.PaidOut == "":
		return "nothing was given back"
	}
	return ""
}

// Moving reports whether money of the payment may be on its way.
func (p Payment) Moving() bool { return p.Payout != "" && p.PaidOut == "" }

// HasFlag reports whether the payment carries the flag.
func (p Payment) HasFlag(f Flag) bool { return slices.Contains(p.Flags, f) }

// withFlag adds a flag once, in the order of Flags, without touching the slice of the payment it was copied from.
func (p Payment) withFlag(f Flag) Payment {
	if p.HasFlag(f) {
		return p
	}
	var flags []Flag
	for _, known := range Flags {
		if known == f || p.HasFlag(known) {
			flags = append(flags, known)
		}
	}
	p.Flags = flags
	return p
}
