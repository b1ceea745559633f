package settlement

import (
	"errors"
	"fmt"
	"time"
)

// Custody says who holds the money of an escrow rail; empty for direct rails, where nobody does.
type Custody string

// Custodies.
const (
	CustodyVault Custody = "vault" // a vault that we handed out and operate
	CustodyNone  Custody = "none"  // an address of somebody else: we look, and move nothing
)

// Payout is what money is moved for.
type Payout string

// Payouts. The first three take all that is held and end the payment; the others leave its state as it is.
const (
	PayoutRelease       Payout = "release"        // the payee gets the price; what came above it goes back
	PayoutRefund        Payout = "refund"         // all of it goes back to the payer
	PayoutSplit         Payout = "split"          // both sides get what was decided
	PayoutPartialRefund Payout = "partial_refund" // an amount that was decided goes back to the payer
	PayoutSurplus       Payout = "surplus"        // what the payee has no claim to goes back to the payer
)

// Returns reports whether money goes back to the payer while the payment's state stays as it is.
func (p Payout) Returns() bool { return p == PayoutPartialRefund || p == PayoutSurplus }

// MayReturn reports whether a return that was decided before may be carried out in the state.
func (s State) MayReturn() bool { return table[EventReturnPrepared][s] != "" }

// Division is how much of what is held each side gets, in base units.
type Division struct{ ToPayee, ToPayer Amount }

// Divides reports whether the event decides how what is held is divided.
func (k EventKind) Divides() bool {
	return k == EventSplitApproved || k == EventPartialRefundApproved || k == EventSurplusRefundApproved
}

// Returns reports whether the event decides that money goes back to who paid.
func (k EventKind) Returns() bool {
	return k == EventRefundApproved || k == EventPartialRefundApproved || k == EventSurplusRefundApproved
}

// fits reports whether the division is one that the event's kind can bring, for that price. Whether so much is held is for
// the caller to know.
func (d *Division) fits(kind EventKind, price Amount) bool {
	switch kind {
	case EventSplitApproved:
		return d != nil && !d.ToPayee.IsZero() && !d.ToPayer.IsZero() && d.ToPayee.Cmp(price) <= 0
	case EventPartialRefundApproved:
		return d != nil && d.ToPayee.IsZero() && !d.ToPayer.IsZero()
	}
	return true
}

// Held is what is held of a payment's money, by our books. Of a direct payment nobody holds anything: it is what of the money that
// arrived has not been given back, and may be out of the operator's own wallet.
type Held struct {
	Direct   bool
	Amount   Amount
	Received Amount // all that ever arrived
	Surplus  Amount // all that ever went back as surplus, or is about to
	NextPart uint8  // of the payment's movements
	Moving   bool   // a movement of it is under way
}

// Surplus is how much of what is held the payee has no claim to: what came above the price or, where the price was moved on or
// will never be due, all of it.
func (p Payment) Surplus(h Held) Amount {
	switch {
	case p.PaidOut != "", !p.Settled() && p.State.Final():
		return h.Amount
	case !p.Settled():
		return Amount{}
	}
	return h.Received.Sub(p.Terms.Amount.Add(h.Surplus)).atMost(h.Amount)
}

// Unfit says why a decision that divides money cannot divide what is held, empty where it can.
func (p Payment) Unfit(e Event, h Held) string {
	switch {
	case h.Direct && p.PaidOut != "" && e.Kind == EventRefundApproved: // it is given back, and only to be told
		return ""
	case !h.Direct && e.Kind == EventRefundApproved: // of a vault all goes back, after what is under way
		if p.Terms.Custody == CustodyVault && p.PaidOut == "" && h.Amount.IsZero() {
			return "nothing is held that could go back"
		}
		return ""
	case h.Moving:
		return "another movement of its money is under way"
	case h.Direct && e.Kind == EventRefundApproved && h.Amount.IsZero():
		return "nothing has arrived for it that was not given back; a transfer that does not count must be accepted first"
	case h.Direct && e.Kind == EventPartialRefundApproved && p.State.Final():
		if e.Division.ToPayer.Cmp(h.Amount) <= 0 {
			return ""
		}
		return fmt.Sprintf("%s base units have arrived and were not given back", h.Amount)
	case h.Direct && e.Kind == EventPartialRefundApproved && e.Division.ToPayer.Cmp(h.Amount) >= 0:
		return fmt.Sprintf("%s base units have arrived and were not given back, and less than that is a partial refund", h.Amount)
	case e.Kind == EventSurplusRefundApproved && p.Surplus(h).IsZero():
		return "nothing is held above what the payee may get"
	case e.Kind == EventPartialRefundApproved && e.Division.ToPayer.Cmp(h.Amount) >= 0:
		return fmt.Sprintf("%s base units are held, and less than that is a partial refund", h.Amount)
	case e.Kind == EventSplitApproved && p.PaidOut == "" && e.Division.ToPayee.Add(e.Division.ToPayer).Cmp(h.Amount) != 0:
		return fmt.Sprintf("the parts are %s and %s base units, and %s are held", e.Division.ToPayee, e.Division.ToPayer, h.Amount)
	}
	return ""
}

// payoutOf is the payout that the state asks for; empty where it asks for none.
func payoutOf(s State) Payout {
	switch s {
	case StateReleasePending:
		return PayoutRelease
	case StateRefundPending:
		return PayoutRefund
	case StateSplitPending:
		return PayoutSplit
	}
	return ""
}

// PayoutDue is what the money must still be moved for in the payment's state; empty for nothing. It stays so while a
// movement of that purpose is under way, because one may have to be tried again.
func (p Payment) PayoutDue() Payout {
	due := payoutOf(p.State)
	ours := p.Terms.Custody == CustodyVault || p.Terms.Custody == "" && due == PayoutRefund // out of the operator's own wallet
	if !ours || p.PaidOut != "" || p.Payout != "" && p.Payout != due {
		return ""
	}
	return due
}

// Wants reports whether a movement for the purpose may be made, or made again, in the payment's state.
func (p Payment) Wants(purpose Payout) bool {
	if purpose.Returns() {
		return p.State.MayReturn()
	}
	return p.PayoutDue() == purpose
}

// Untold reports whether all the money is where the payment's state wants it, so that only the orchestrator must be told.
// The money of a direct rail is at the payee from the beginning.
func (p Payment) Untold() bool {
	switch p.State {
	case StateReleasePending:
		return p.Terms.Custody == "" && p.Payout == "" || p.PaidOut != ""
	case StateRefundPending, StateSplitPending:
		return p.PaidOut != ""
	}
	return false
}

// payoutAllows reports whether what was moved, or may be on its way, leaves the event possible: nobody decides anew about
// money that has left.
func (p Payment) payoutAllows(kind EventKind) bool {
	switch kind {
	case EventPayoutPrepared:
		return p.PayoutDue() != ""
	case EventPaidOut:
		return p.Moving()
	case EventPayoutFailed: // also one that was given up before it was prepared
		return p.Moving() || p.PayoutDue() != ""
	case EventVaultReclaimed, EventVaultDivided, EventVaultFrozen: // while a movement is under way its outcome comes first
		return p.Terms.Custody == CustodyVault && !p.Moving()
	case EventPayoutBroken:
		return p.PaidOut != ""
	case EventReleased, EventReleaseDecided:
		return p.Payout == "" || p.Payout == PayoutRelease && p.PaidOut != ""
	case EventRefunded, EventRefundApproved:
		return p.Payout == "" || p.Payout == PayoutRefund && p.PaidOut != ""
	case EventSplit, EventSplitApproved:
		return p.Payout == "" || p.Payout == PayoutSplit && p.PaidOut != ""
	case EventClosed, EventAcceptedAsPaid, EventDisputeDropped:
		return !p.Moving()
	}
	return true
}

// VaultCode is the code that a chain's vaults run on.
type VaultCode struct {
	Factory Address
	Hash    [32]byte // Keccak-256 of the factory's code followed by that of its vaults
}

// Vault is the terms of a vault, which are its address. Times are whole seconds of block time.
type Vault struct {
	Chain          ChainID
	Address        Address
	OrderKey       [32]byte
	Token          Address
	Amount         Amount // what the payee may receive at most; all else is the payer's
	Payer, Payee   Address
	Operator       Address
	Arbiter        Address
	ReclaimAt      time.Time // from here on the payer may take back what is not frozen
	DisputeAt      time.Time // from here on either party may have what is frozen divided by default
	DefaultToPayee Amount
	// Derived is set where the vault is a wallet whose key is ours.
	Derived *Derivation
}

// Derivation names the key of a vault that is a wallet: each vault differs from every other in one field at least.
type Derivation struct {
	Marketplace string
	// Order is the payment's id, or, of a vault that was handed out before there was a payment, the first half of its order key.
	Order      PaymentID
	Generation uint32 // 0, or more when an order gets another wallet
	Epoch      uint32 // of the secret that it is derived from
	// RentOurs: we have made its token account, so that what it holds for its rent comes back to us. No part of what names the key.
	RentOurs bool
}

// MovementState says how far a movement has come. It only goes forward.
type MovementState string

// States of movements.
const (
	MovementProposed  MovementState = "proposed"  // waits for approval
	MovementApproved  MovementState = "approved"  // waits for its turn
	MovementPrepared  MovementState = "prepared"  // has a nonce and its calldata
	MovementSigned    MovementState = "signed"    // the signed bytes are stored
	MovementSent      MovementState = "sent"      // they were handed to the chain
	MovementFinal     MovementState = "final"     // the part's own event is in a final block
	MovementReverted  MovementState = "reverted"  // its nonce is used up, and it moved nothing
	MovementCancelled MovementState = "cancelled" // given up before it had a nonce
)

// Movement is money that we move, once.
type Movement struct {
	Payment PaymentID
	Part    uint8 // counts the payment's movements; one that was tried is never used again
	Purpose Payout
	Division
	State MovementState
	Alone bool // its batch failed: it goes in a transaction of its own
	Vault Vault
	// Direct is set where the money is not in a vault but the operator's own.
	Direct  *DirectRefund
	Slot    *Slot   // nil before it was prepared
	TxID    TxID    // the transaction that carried it out or was signed last; empty before, and where it was not read
	Gas     *Amount // what that cost, in the chain's own coin; nil before it is final, and where it was not read
	Problem string
}

// DirectRefund is where money of the operator's own wallet goes. The amount is the movement's ToPayer.
type DirectRefund struct {
	Token    Address // empty: the chain's native coin
	Receiver Address
}

// Divide says who gets how much of what is held when the payee gets so much of it at most.
func Divide(payee, held Amount) Division {
	payee = payee.atMost(held)
	return Division{payee, held.Sub(payee)}
}

// Call is what one transaction of ours calls.
type Call struct {
	Target Address
	Data   []byte
	Value  Amount // of native coin that goes with it
	Gas    uint64 // that it may use
}

// Prepared is a transaction for several movements.
type Prepared struct {
	Call      Call
	Movements []Movement
	// Nonce is how many transactions of the signer are in blocks or wait for one.
	Nonce uint64
	// Durable is the value of the signer's durable nonce at the final block, where its slots stand on one: another than our books have says
	// that it was used without them.
	Durable []byte
	// Available is what the wallet has at the final block of the token of a direct refund.
	Available Amount
	// Refused cannot be carried out as the chain is now.
	Refused []RefusedMovement
}

// RefusedMovement is one that a person must look at.
type RefusedMovement struct {
	Movement Movement
	Reason   Code
	Detail   string
}

var (
	// ErrNotSigned means that the signer will not sign a call, however often it is asked.
	ErrNotSigned = errors.New("refused by the signer")
	// ErrNotHeld means that the vault does not seem to hold what the call moves.
	ErrNotHeld = errors.New("not what the vault holds")
)

// Reasons why money is not moved.
const (
	VaultShort      Code = "VAULT_SHORT"       // the vault holds less than is to be paid
	PayoutRefused   Code = "PAYOUT_REFUSED"    // the token or a receiver is such that the money would be lost, or stuck
	VaultUnreadable Code = "VAULT_UNREADABLE"  // the token or the vault refuses to say what is there
	VaultFrozen     Code = "VAULT_FROZEN"      // frozen on the chain: the arbiter decides
	VaultReclaim    Code = "VAULT_RECLAIM"     // the payer may take the money back, or may before it is moved
	VaultReclaimed  Code = "VAULT_RECLAIMED"   // the payer took the money back while it was due to somebody else, or undecided
	VaultDivided    Code = "VAULT_DIVIDED"     // the vault was paid out by none of our movements
	VaultPartUsed   Code = "VAULT_PART_USED"   // the chain knows the part already: our books are older than it
	PayoutVoid      Code = "PAYOUT_VOID"       // refused when it was to be signed: nothing of it can be carried out any more
	PayoutReverted  Code = "PAYOUT_REVERTED"   // the transaction was carried out and moved nothing
	PayoutOwed      Code = "PAYOUT_OWED"       // the token refused the receiver: the vault keeps what it owes him
	PayoutDisputed  Code = "PAYOUT_DISPUTED"   // disputed when the money was on its way or had been moved
	PayoutBroken    Code = "PAYOUT_BROKEN"     // what had moved the money on was final, and has left the chain
	WalletShort     Code = "WALLET_SHORT"      // the operator's wallet has less than is to be given back: it waits for more
	DepositNotFound Code = "DEPOSIT_NOT_FOUND" // the deposit that was final is not on the chain any more
)

// Fees are what a transaction offers for a unit of gas, in the chain's smallest unit.
type Fees struct {
	Max Amount
	Tip Amount // part of Max; zero on chains without such a part
}

// SignedTx is a transaction ready to be sent.
type SignedTx struct {
	TxID TxID
	Raw  []byte
	Fees Fees
	// LastHeight is the block height above which no block can hold it, where transactions expire; 0 where they do not.
	LastHeight uint64
}

// ErrFeeCap means that a transaction cannot be made dearer within the cap.
var ErrFeeCap = errors.New("the fee cap is reached")

// SlotOutcome is what has become of a slot.
type SlotOutcome struct {
	Fate SlotFate
	TxID TxID // the transaction that is in a block
	// Gas is what it cost, in the chain's own coin.
	Gas Amount
	// Rent is what it has left in a token account that stays ours, and RentBack what has come back from one, beside Gas.
	Rent, RentBack Amount
	// Durable is as of Prepared, once it is final.
	Durable []byte
	// Parts are what it did for each of the slot's movements, in their order. Only when final.
	Parts []PartOutcome
	// Problem is why it did nothing, in words, where the slot has no movements; empty when it was carried out. Only when final.
	Problem string
	// Block, without its time, is the one that it is in. Only when final; zero where blocks are not told.
	Block Block
}

// SlotFate says how far the slot has come.
type SlotFate string

// Fates of slots.
const (
	SlotWaiting  SlotFate = "waiting"  // in no block
	SlotIncluded SlotFate = "included" // in a block that is not final
	SlotFinal    SlotFate = "final"
	SlotExpired  SlotFate = "expired" // in no block, and no transaction that was signed for it can come into one any more
	SlotForeign  SlotFate = "foreign" // its nonce is used in a final block by a transaction that is none of ours
)

// PartOutcome is what a final transaction did for one movement.
type PartOutcome struct {
	Paid bool // the part's own event says so
	// Owed: the token refused a receiver, and the vault keeps what is his.
	Owed bool
	// Withheld is what of each side's amount did not arrive, because the token kept it on the way.
	Withheld Division
	// Burnt is where the payer's part went, for nobody to have, as it was less than his account could live by; empty where it went to him. Withheld then
	// has it too.
	Burnt   Address
	Problem string // of one that did not pay, in words
}

// VaultEventKind names what happened at a vault.
type VaultEventKind string

// Kinds of what happens at vaults.
const (
	VaultEventPaid      VaultEventKind = "paid"      // a part was divided, by whoever may
	VaultEventReclaimed VaultEventKind = "reclaimed" // the payer took back what was in it
	VaultEventFrozen    VaultEventKind = "frozen"
)

// VaultEvent is something that happened at a vault, in a final block.
type VaultEvent struct {
	Vault   Address
	Kind    VaultEventKind
	TxID    TxID
	Ordinal uint16 // counts what happened at the vault within the transaction
	Block   Block  // without its time
	// Part of what was paid: below FirstForeignPart the operator's or the arbiter's; else the payee's by the payer's signature,
	// or either party's after the dispute deadline.
	Part             uint8
	ToPayee, ToPayer Amount
	Owed             bool    // the token refused a receiver of what was paid: the vault keeps what is his
	Receiver         Address // of what was reclaimed
}

// FirstForeignPart is the first part that is none of a movement.
const FirstForeignPart = 96
