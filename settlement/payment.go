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

	Rail   string // the orchestrator's own word
	Terms  Terms  // zero until the intent is ready
	Named  TxID   // the transaction somebody named last, while it is looked for
	PaidBy TxID   // the transaction whose transfer settled it
	// Platform is the orchestrator's own status of the payment when we last read it, an open string.
	Platform string
	// Observed: the orchestrator refuses our identity, so it was not told; everything else holds.
	Observed bool

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
	// says, which proves nothing. Either may be empty, not both.
	ProvenPayer, NamedPayer Address

	NotBefore time.Time // payments in older blocks do not count
	FromBlock uint64    // the chain's head before the terms were handed out; the payment is in a later block
	Deadline  time.Time // until when the payer is told to pay
	Grace     time.Duration
}

// Payers are the wallets whose payment counts.
func (t Terms) Payers() []Address {
	var payers []Address
	if t.ProvenPayer != "" {
		payers = append(payers, t.ProvenPayer)
	}
	if t.NamedPayer != "" && t.NamedPayer != t.ProvenPayer {
		payers = append(payers, t.NamedPayer)
	}
	return payers
}

// Claim is the claim that the transaction pays these terms. Used is left to the caller.
func (t Terms) Claim(id TxID) Claim {
	return Claim{
		Chain:          t.Token.Chain,
		TxID:           id,
		Want:           Transfer{Token: t.Token.Address, Payee: t.Payee, Amount: t.Amount},
		Payers:         t.Payers(),
		NotBefore:      t.NotBefore,
		NotAfter:       t.Deadline.Add(t.Grace),
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
		StateVerified, StateHeld, StateReleasePending, StateReleased, StateSplit,
	}, p.State):
		return "no transfer has settled the payment"
	}
	return ""
}

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
