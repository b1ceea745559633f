package settlement

import "time"

// Token is an asset of one chain, as our own registry lists it. Symbol and decimals read from a chain identify nothing.
type Token struct {
	Chain    ChainID
	Address  Address // empty: the chain's native coin
	Symbol   string
	Decimals uint8
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
}

// Native is the Position of an EVM transaction's own value.
const Native = "native"

// Block names the block that something was seen in.
type Block struct {
	Number uint64
	Hash   BlockHash
	Time   time.Time // UTC, whole seconds, from the block itself
}

// Claim is a transaction id and the transfer that it must contain. Everything in it comes from the stored intent, only
// TxID from whoever handed it in.
type Claim struct {
	Chain ChainID
	TxID  TxID
	Want  Transfer // Position and Index are not part of the claim

	// Payers are the wallets of which one must have paid; empty only where an instrument unique to the order replaces
	// the payer. Want.Payer is ignored.
	Payers []Address

	// A payment older than NotBefore or younger than NotAfter (block time, inclusive) does not count; zero is no bound.
	NotBefore, NotAfter time.Time
	// NotBeforeBlock, where known, is the head that was read before the intent was handed out. 0 is no bound.
	NotBeforeBlock uint64

	// Used holds the positions of this transaction that are consumed by other payments already.
	Used map[string]bool
}
