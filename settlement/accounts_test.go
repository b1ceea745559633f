package settlement

import (
	"reflect"
	"strings"
	"testing"
)

func fullCursor() AccountCursor {
	tx := func(text string, slot uint64) SeenTx { return SeenTx{TxID: TxID(strings.Repeat(text, 64)), Slot: slot} }
	return AccountCursor{
		Account: Address(strings.Repeat("\xff", 32)), Payee: Address(strings.Repeat("p", 32)), Slot: 1 << 60,
		Seen: []SeenTx{tx("a", 1<<60), tx("\x00", 1<<60+9)}, Unread: []SeenTx{tx("u", 7)},
		Gaps: []AccountGap{{Before: tx("b", 500), Slot: 400, Seen: []SeenTx{tx("c", 400)}}, {Before: tx("d", 300), Slot: 200}},
	}
}

// A cursor comes out of the database as it went in, and a damaged one is noticed.
func TestAccountCursorIsStored(t *testing.T) {
	t.Parallel()
	for _, want := range []AccountCursor{{}, {Account: "a", Slot: 3}, fullCursor()} {
		stored, err := want.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var got AccountCursor
		if err := got.UnmarshalBinary(stored); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v (%v)", got, want, err)
		}
		for length := range stored {
			if got.UnmarshalBinary(stored[:length]) == nil {
				t.Errorf("the first %d of %d bytes are taken for a cursor", length, len(stored))
			}
		}
		if got.UnmarshalBinary(append(stored, 0)) == nil {
			t.Error("a byte too many is taken")
		}
	}
}

func FuzzAccountCursor(f *testing.F) {
	stored, err := fullCursor().MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stored)
	f.Add([]byte{1, 0, 0, 0, 0, 0, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, stored []byte) {
		var c AccountCursor
		if c.UnmarshalBinary(stored) != nil {
			return
		}
		again, err := c.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var same AccountCursor
		if err := same.UnmarshalBinary(again); err != nil || !reflect.DeepEqual(c, same) {
			t.Errorf("%x: %+v, then %+v (%v)", stored, c, same, err)
		}
	})
}
