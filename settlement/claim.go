package settlement

import (
	"slices"
	"strconv"
	"time"
)

// Token is an asset of one chain, as our own registry lists it. Symbol and decimals read from a chain identify nothing.
type Token struct {
	Chain    ChainID
	Address  Address // empty: the chain's native coin
	Symbol   string
	Decimals uint8
	Policy   Policy
}

// TokenKind says what a token's contract does with amounts. The empty kind is Plain.
type TokenKind string

// Kinds of tokens.
const (
	Plain    TokenKind = "plain"    // what is logged is what moves, and it stays
	Fee      TokenKind = "fee"      // less arrives than is sent, and the log to the payee says how much
	Rebasing TokenKind = "rebasing" // balances grow or shrink by themselves; logs are right at their block
	Refuse   TokenKind = "refuse"   // switched off: its contract logs what does not arrive, was replaced, or is not trusted
)

// Policy is what may differ from token to token. Its zero value is the safe choice.
//
// Source: section 13 of the verification rules.
type Policy struct {
	Kind TokenKind
	// Received accepts a token of kind fee or rebasing, by what its log says arrived. Without it such a token is
	// TOKEN_UNSUPPORTED.
	Received bool
	// AtLeast accepts more than the price; the verdict's detail is then Over. An exact transfer still goes first.
	AtLeast bool
	// Sum accepts several transfers of one payer in one transaction that together are the price, when none is alone. All
	// of them are in the verdict's Parts, and all must be consumed.
	Sum bool
	// OneFit rejects as TRANSFER_AMBIGUOUS when two unused transfers fit, instead of taking the lower one.
	OneFit bool
}

// Accepts reports whether a token of this kind counts.
func (p Policy) Accepts() bool {
	switch p.Kind {
	case "", Plain:
		return true
	case Fee, Rebasing:
		return p.Received
	case Refuse:
	}
	return false
}

// Transfer is one movement of one token, at one position of a transaction. Its payer is whose balance fell, not who
// signed or paid the fee.
type Transfer struct {
	Token  Address // empty: the chain's native coin
	Payer  Address
	Payee  Address
	Amount Amount // what arrived, in base units

	// Position is the canonical text that makes the transfer unique within its transaction: "log/<logIndex>" (counted
	// from the start of the block), "native" for an EVM transaction's own value, "ix/<path>" on Solana.
	Position string
	// Index is the place among the transaction's own logs, from 0, computed from the receipt; -1 where there is none.
	// It tells one log apart from itself when endpoints disagree about Position.
	Index int
	// Authorization is the 32-byte nonce of the EIP-3009 authorisation that the transfer carries out; empty for another
	// transfer. Only a receipt tells it: Scan leaves it empty.
	Authorization string
	// References are the accounts that the transfer's own instruction names beyond those that it needs: a reference key is
	// among them. Solana only.
	References []Address
	// Withheld is what the token itself kept on the way: Amount and Withheld were sent. Solana's Token-2022 only: an EVM transaction does not tell it from
	// what the payer has sent elsewhere.
	Withheld Amount
	// Fault is why the transfer pays nothing although its fields may fit, empty for one that counts: TOKEN_MISMATCH (mint
	// of another program), PAYEE_MISMATCH (an account of the payee that does not count), DESTINATION_CLOSED,
	// TRANSFER_AMBIGUOUS, AMOUNT_MISMATCH (it left the account again), REFERENCE_MISMATCH. Set by verify/solana.
	Fault Code
}

// names reports whether the transfer names the reference key and so needs no known payer. One from the payee to itself
// brings nothing.
func (t Transfer) names(key Address) bool {
	return key != "" && t.Payer != t.Payee && slices.Contains(t.References, key)
}

// fromOutside reports whether the transfer leaves a wallet that is not the payee's own. Nobody has the zero address.
func (t Transfer) fromOutside() bool { return t.Payer != "" && t.Payer != t.Payee && !isZero(t.Payer) }

// Native is the Position of an EVM transaction's own value.
const Native = "native"

// Block names the block that something was seen in.
type Block struct {
	Number uint64
	Hash   BlockHash // empty where the chain's answers do not tell it
	Time   time.Time // UTC, whole seconds, from the block itself
}

// Name tells the block from every other of its chain, as well as what is known of it allows.
func (b Block) Name() string {
	if b.Hash == "" {
		return strconv.FormatUint(b.Number, 10)
	}
	return b.Hash.String()
}

// Claim is a transaction id and the transfer that it must contain. Everything in it comes from the stored intent, only
// TxID from whoever handed it in.
type Claim struct {
	Chain ChainID
	TxID  TxID
	Want  Transfer // Position and Index are not part of the claim; a Want.Authorization is demanded, an empty one is not

	// Payers are the wallets of which one must have paid; empty only where an instrument unique to the order replaces
	// the payer. Want.Payer is ignored.
	Payers []Address
	// Instrument is a reference key of this order alone. A transfer that names it needs none of the Payers; transfers of
	// the same transaction that do not name it then do not count. Without Payers it must be named.
	Instrument Address

	// AnyPayer accepts a transfer of exactly the price by anybody else, where there is none by the Payers and none that names
	// the Instrument.
	AnyPayer bool

	// Under and Over are by how much less and more than the price a transfer may be that pays; an exact one goes first. The
	// verdict's detail is then Under or Over.
	Under, Over Amount
	// Parts judges a transfer of even less as a part of the price: AMOUNT_MISMATCH with the detail Part, if nothing else
	// speaks against it. It is the one at the position Part, or the first unused one where that is empty.
	Parts bool
	Part  string

	// A payment older than NotBefore or younger than NotAfter (block time, inclusive) does not count; zero is no bound.
	NotBefore, NotAfter time.Time
	// NotBeforeBlock, where known, is the head that was read before the intent was handed out. 0 is no bound.
	NotBeforeBlock uint64

	// Memo and Reference, where not empty, must be in the transaction beside the transfer: a Memo instruction with exactly
	// this text, an account among those of the transfer's own instruction. Solana only; neither replaces the payer.
	Memo      string
	Reference Address

	// Used holds the positions of this transaction that are consumed by other payments already.
	Used map[string]bool

	// Slot is what an earlier TX_PENDING verdict said, nil if there was none.
	Slot *Slot

	// Policy is that of the token; verify/evm takes it from its own list.
	Policy Policy
}

// Slot is the place of a waiting EVM transaction: of all transactions with this sender and nonce, one at most is ever
// carried out.
type Slot struct {
	Sender Address
	Nonce  uint64
}
