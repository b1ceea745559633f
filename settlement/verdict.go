package settlement

import (
	"errors"
	"fmt"
	"time"
)

// Outcome is the class of a verdict.
type Outcome string

// The three outcomes. An unsuccessful look is no verdict but a *LookError.
const (
	Confirmed Outcome = "confirmed"
	Rejected  Outcome = "rejected"
	Pending   Outcome = "pending"
)

// Code is a stable, machine-readable reason: of a verdict, of a look that could not be made, or of a review.
type Code string

// Codes of verdicts: a closed set. The comment says when each is given.
const (
	Verified Code = "VERIFIED" // one unused, final transfer fits

	IntentInvalid       Code = "INTENT_INVALID"        // our own intent cannot be paid
	ProofMalformed      Code = "PROOF_MALFORMED"       // the transaction id has the wrong shape for the chain
	ChainUnsupported    Code = "CHAIN_UNSUPPORTED"     // not in our list
	TokenUnsupported    Code = "TOKEN_UNSUPPORTED"     // not in our list, or switched off there
	WrongChain          Code = "WRONG_CHAIN"           // the proof names another chain than the intent
	TxFailed            Code = "TX_FAILED"             // included, final and failed
	TxStatusUnprovable  Code = "TX_STATUS_UNPROVABLE"  // included, but success cannot be known
	NoTransfer          Code = "NO_TRANSFER"           // succeeded, moves nothing in a form that we read
	TokenMismatch       Code = "TOKEN_MISMATCH"        // no transfer of this token
	PayeeMismatch       Code = "PAYEE_MISMATCH"        // no transfer of this token to the payee
	PayerMismatch       Code = "PAYER_MISMATCH"        // paid to the payee, by somebody else
	AmountMismatch      Code = "AMOUNT_MISMATCH"       // detail: under, over, fee_withheld, returned
	DestinationClosed   Code = "DESTINATION_CLOSED"    // arrived in an account that is gone at the end
	TransferAmbiguous   Code = "TRANSFER_AMBIGUOUS"    // more than one reading, and choosing could be wrong
	ReferenceMismatch   Code = "REFERENCE_MISMATCH"    // the memo, reference or nonce the intent demands is missing
	PaymentStale        Code = "PAYMENT_STALE"         // older than the intent
	PaymentLate         Code = "PAYMENT_LATE"          // after the deadline and its grace, or after the payment was closed
	TransferAlreadyUsed Code = "TRANSFER_ALREADY_USED" // fits, but settles another order
	ProofExpired        Code = "PROOF_EXPIRED"         // never found until the deadline; a later proof reopens it

	TxNotFound    Code = "TX_NOT_FOUND"   // unknown to a healthy endpoint of the right chain
	TxPending     Code = "TX_PENDING"     // known, in no block
	TxUnconfirmed Code = "TX_UNCONFIRMED" // in a block that is not final yet
	TxReorged     Code = "TX_REORGED"     // its block is no longer canonical
)

// Codes of looks that could not be made. They say nothing about the payment.
const (
	RPCUnavailable        Code = "RPC_UNAVAILABLE"
	RPCRateLimited        Code = "RPC_RATE_LIMITED"
	RPCInconsistent       Code = "RPC_INCONSISTENT"
	RPCMisconfigured      Code = "RPC_MISCONFIGURED"
	RPCHistoryUnavailable Code = "RPC_HISTORY_UNAVAILABLE"
	RPCDecodeFailed       Code = "RPC_DECODE_FAILED"
)

// Details of AmountMismatch; Under and Over are also those of Verified, where less or more than the price is taken.
const (
	Under       = "under"
	Over        = "over"
	FeeWithheld = "fee_withheld" // the payer sent the price, and a part of it went elsewhere in the same transaction
	Returned    = "returned"     // it arrived, and went back in the same transaction
	Part        = "part"         // less than the price, and adds up with others
)

// Replaced is the detail of ProofExpired for a transaction whose sender's nonce was used up by another one.
const Replaced = "replaced"

// Outcome is the class that a verdict's code belongs to; empty for codes that are not verdicts.
func (c Code) Outcome() Outcome {
	switch c {
	case Verified:
		return Confirmed
	case TxNotFound, TxPending, TxUnconfirmed, TxReorged:
		return Pending
	case IntentInvalid, ProofMalformed, ChainUnsupported, TokenUnsupported, WrongChain, TxFailed, TxStatusUnprovable,
		NoTransfer, TokenMismatch, PayeeMismatch, PayerMismatch, AmountMismatch, DestinationClosed, TransferAmbiguous,
		ReferenceMismatch, PaymentStale, PaymentLate, TransferAlreadyUsed, ProofExpired:
		return Rejected
	}
	return ""
}

// MoneyMoved reports whether a rejection with this code may still mean that money reached the payee, so that a person
// has to decide between refund and credit.
func (c Code) MoneyMoved() bool {
	switch c {
	case PayerMismatch, AmountMismatch, DestinationClosed, TransferAmbiguous, ReferenceMismatch, PaymentStale, PaymentLate,
		TransferAlreadyUsed:
		return true
	}
	return false
}

// Verdict is a fact about a claim.
type Verdict struct {
	Code     Code
	Detail   string    // of AmountMismatch: under, over, fee_withheld, returned, part; of Verified: under, over; of ProofExpired: replaced
	Transfer *Transfer // confirmed: the transfer that pays; rejected: the one that came nearest, if any
	// Parts are all transfers that pay together, Transfer being the first; nil where one alone pays.
	Parts    []Transfer
	Evidence *Evidence // what was seen; nil while the transaction is in no block
	Slot     *Slot     // of TxPending, for a later claim; else nil
}

// IsPart reports whether the transfer is a part of the price.
func (v Verdict) IsPart() bool { return v.Code == AmountMismatch && v.Detail == Part }

// Outcome is the class of the verdict.
func (v Verdict) Outcome() Outcome { return v.Code.Outcome() }

// Evidence is what a third party needs to look again.
type Evidence struct {
	Chain     ChainID   `json:"chain"`
	TxID      string    `json:"txid"` // in the chain's own text form
	Block     uint64    `json:"block"`
	BlockHash string    `json:"block_hash"`
	BlockTime time.Time `json:"block_time"`
	Finality  Finality  `json:"finality"`        // the rule relied on
	Head      uint64    `json:"head"`            // the highest block that the rule called final at the time of the look
	Trust     string    `json:"trust,omitempty"` // whose word was enough: "single", "quorum:2", "proof:2"
	TxSender  string    `json:"tx_sender,omitempty"`
	// Solana only, of the transfer that the verdict names: the token accounts and who allowed it.
	Source      string    `json:"source,omitempty"`
	Destination string    `json:"destination,omitempty"`
	Authority   string    `json:"authority,omitempty"`
	Endpoints   []string  `json:"endpoints"` // names from configuration, never URLs
	Digests     []string  `json:"digests"`   // SHA-256 of the answers relied on, hex
	LookedAt    time.Time `json:"looked_at"`
}

// LookError means that we could not look; it says nothing about the payment, and the look is to be repeated.
type LookError struct {
	Code       Code          // one of the RPC codes
	RetryAfter time.Duration // what the endpoint asked for; 0 when it did not
	Err        error
}

func (e *LookError) Error() string { return fmt.Sprintf("%s: %v", e.Code, e.Err) }

func (e *LookError) Unwrap() error { return e.Err }

// LookCode is the code of a failed look: that of a *LookError in err's chain, else RPCUnavailable.
func LookCode(err error) Code {
	if look, ok := errors.AsType[*LookError](err); ok {
		return look.Code
	}
	return RPCUnavailable
}
