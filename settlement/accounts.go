package settlement

import (
	"encoding/binary"
	"errors"
)

// A chain without logs to search is watched account by account: the transactions that name an account are listed, and each
// new one is read once.

// SeenTx is a transaction in the block in which it was seen. The same transaction in another block is another sighting:
// what it did there may differ.
type SeenTx struct {
	TxID TxID
	Slot uint64
}

// AccountCursor says which transactions of one account have been looked at. It is a value: whoever commits what a scan
// found commits the cursor that came with it in the same database transaction, and nothing is missed or lost by a crash.
//
// With nothing but Account, Payee and Slot it begins there: what is in lower slots is left out.
type AccountCursor struct {
	Account Address
	// Payee is the wallet that owns the account, or is it; empty for a reference key.
	Payee Address
	// Slot and all above are listed again each time, down to a point that no fork reaches; Seen is what was looked at there.
	Slot uint64
	Seen []SeenTx
	// Gaps are stretches below that are still to be looked at, of an account with much traffic or after a downtime.
	Gaps []AccountGap
	// Unread are transactions that were listed and that no endpoint could show, or show in a form that we know. Each scan
	// asks for some of them again.
	Unread []SeenTx
}

// AccountGap is what remains to be looked at: older than Before, in Slot or above, and not in Seen.
type AccountGap struct {
	Before SeenTx
	Slot   uint64
	Seen   []SeenTx
}

const cursorVersion = 1

var errCursor = errors.New("the account cursor is damaged")

// MarshalBinary is the form to store.
func (c AccountCursor) MarshalBinary() ([]byte, error) {
	out := appendText([]byte{cursorVersion}, string(c.Account))
	out = appendText(out, string(c.Payee))
	out = appendSeen(binary.AppendUvarint(out, c.Slot), c.Seen)
	out = appendSeen(out, c.Unread)
	out = binary.AppendUvarint(out, uint64(len(c.Gaps)))
	for _, g := range c.Gaps {
		out = appendSeen(out, []SeenTx{g.Before})
		out = appendSeen(binary.AppendUvarint(out, g.Slot), g.Seen)
	}
	return out, nil
}

// UnmarshalBinary reads what MarshalBinary wrote.
func (c *AccountCursor) UnmarshalBinary(stored []byte) error {
	r := cursorReader{rest: stored}
	if len(stored) == 0 || stored[0] != cursorVersion {
		return errCursor
	}
	r.rest = stored[1:]
	out := AccountCursor{Account: Address(r.text()), Payee: Address(r.text()), Slot: r.number(), Seen: r.seen(), Unread: r.seen()}
	for range r.count() {
		before, slot, seen := r.seen(), r.number(), r.seen()
		if len(before) != 1 {
			return errCursor
		}
		out.Gaps = append(out.Gaps, AccountGap{before[0], slot, seen})
	}
	if r.bad || len(r.rest) > 0 {
		return errCursor
	}
	*c = out
	return nil
}

func appendText(out []byte, text string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(text))), text...)
}

func appendSeen(out []byte, list []SeenTx) []byte {
	out = binary.AppendUvarint(out, uint64(len(list)))
	for _, s := range list {
		out = appendText(binary.AppendUvarint(out, s.Slot), string(s.TxID))
	}
	return out
}

// cursorReader reads a stored cursor; the first fault stays.
type cursorReader struct {
	rest []byte
	bad  bool
}

func (r *cursorReader) number() uint64 {
	n, length := binary.Uvarint(r.rest)
	if length <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[length:]
	return n
}

// count is how many items follow, each of at least one byte.
func (r *cursorReader) count() uint64 {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return 0
	}
	return n
}

func (r *cursorReader) text() string {
	n := r.count()
	text := string(r.rest[:n])
	r.rest = r.rest[n:]
	return text
}

func (r *cursorReader) seen() []SeenTx {
	var list []SeenTx
	for range r.count() {
		slot := r.number()
		list = append(list, SeenTx{TxID: TxID(r.text()), Slot: slot})
	}
	return list
}

// Holder is a wallet and the token that it may hold.
type Holder struct{ Token, Payee Address }

// Holding is what a wallet holds of a token.
type Holding struct {
	Account Address // where it gets the token
	Amount  Amount  // base units
}

// AccountScan is a portion of what names one account.
type AccountScan struct {
	Cursor AccountCursor // commit it together with what is made of Found
	Found  []FoundTx
	// Unread says of each transaction that the cursor holds as unread, and that was asked for in this scan, why it was not.
	Unread []UnreadTx
}

// FoundTx is a successful transaction. Its facts are those of the block that it was seen in.
type FoundTx struct {
	TxID   TxID
	Block  Block   // its hash is not known
	Sender Address // who paid the fee; it is nobody's payment by that
	// Final: the chain's own rule called the block final when it was read.
	Final bool
	// Transfers are those of listed tokens, each with its References, in the order in which they ran.
	Transfers []Transfer
	Memos     []string
	// Judge decides a claim on the transaction as if it were final. The verdict carries evidence.
	Judge func(Claim) Verdict
}

// UnreadTx is a transaction that was listed and not read. Err is a *LookError.
type UnreadTx struct {
	SeenTx
	Err error
}

// Fate is what became of a transaction that was seen before it was final.
type Fate string

// What becomes of transactions.
const (
	FateOpen   Fate = "open"   // not decided yet
	FateFinal  Fate = "final"  // final, and it succeeded; perhaps in another block than it was seen in, so verify it now
	FateFailed Fate = "failed" // final, and it failed in that block: nothing moved
	FateGone   Fate = "gone"   // what is final has passed the block that it was seen in, and does not hold it
)
