package settlement_test

import (
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/settler-pay/settler/settlement"
)

// log is a transfer of the wanted token at a position of its own.
func log(index int, from, to settlement.Address, amount uint64) settlement.Transfer {
	return settlement.Transfer{
		Token: token, Payer: from, Payee: to, Amount: settlement.NewAmount(amount),
		Position: "log/" + strconv.Itoa(index), Index: index,
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const price = 1_000_000
	claim := terms.Claim(txA)
	block := settlement.Block{Number: 200, Time: noon.Add(time.Minute)}
	with := func(change func(*settlement.Claim)) settlement.Claim {
		c := claim
		change(&c)
		return c
	}
	used := func(positions ...string) settlement.Claim {
		c := claim
		c.Used = make(map[string]bool)
		for _, p := range positions {
			c.Used[p] = true
		}
		return c
	}
	other := log(0, payer, payee, price)
	other.Token = "another token-------"
	native := log(0, payer, payee, price)
	native.Token, native.Position, native.Index = "", settlement.Native, -1
	seen := func(transfers ...settlement.Transfer) []settlement.Transfer { return transfers }
	naming := func(t settlement.Transfer, keys ...settlement.Address) settlement.Transfer {
		t.References = keys
		return t
	}
	const key, foreignKey = settlement.Address("key"), settlement.Address("foreign key")
	keyed := with(func(c *settlement.Claim) { c.Instrument = key })
	keyAlone := with(func(c *settlement.Claim) { c.Instrument, c.Payers = key, nil })
	for _, tt := range []struct {
		name     string
		claim    settlement.Claim
		block    settlement.Block
		seen     []settlement.Transfer
		code     settlement.Code
		detail   string
		position string // of the transfer in the verdict; empty for none
	}{
		{"nothing moved", claim, block, nil, settlement.NoTransfer, "", ""},
		{"it fits", claim, block, seen(log(3, payer, payee, price)), settlement.Verified, "", "log/3"},
		{"another token", claim, block, seen(other), settlement.TokenMismatch, "", "log/0"},
		{"the native coin instead of the token", claim, block, seen(native), settlement.TokenMismatch, "", "native"},
		{"the token instead of the native coin", with(func(c *settlement.Claim) { c.Want.Token = "" }), block, seen(log(0, payer, payee, price)), settlement.TokenMismatch, "", "log/0"},
		{"the native coin", with(func(c *settlement.Claim) { c.Want.Token = "" }), block, seen(native), settlement.Verified, "", "native"},
		{"to somebody else", claim, block, seen(log(0, payer, stranger, price)), settlement.PayeeMismatch, "", "log/0"},
		{"from somebody else", claim, block, seen(log(0, stranger, payee, price)), settlement.PayerMismatch, "", "log/0"},
		{"one unit too little", claim, block, seen(log(0, payer, payee, price-1)), settlement.AmountMismatch, "under", "log/0"},
		{"one unit too much", claim, block, seen(log(0, payer, payee, price+1)), settlement.AmountMismatch, "over", "log/0"},
		{"whole units instead of base units", claim, block, seen(log(0, payer, payee, 1)), settlement.AmountMismatch, "under", "log/0"},
		{"a transfer of nothing", claim, block, seen(log(0, payer, payee, 0)), settlement.AmountMismatch, "under", "log/0"},
		{"two halves are not added up", claim, block, seen(log(0, payer, payee, price/2), log(1, payer, payee, price/2)), settlement.AmountMismatch, "under", "log/0"},
		{"fields of two logs are never mixed", claim, block, seen(log(0, payer, stranger, price), log(1, stranger, payee, price)), settlement.PayerMismatch, "", "log/1"},
		{"the right one among others of a batch", claim, block, seen(log(0, stranger, payee, price), log(1, payer, stranger, price), log(2, payer, payee, price)), settlement.Verified, "", "log/2"},
		{"of two that fit the first wins", claim, block, seen(log(4, payer, payee, price), log(9, payer, payee, price)), settlement.Verified, "", "log/4"},
		{"the first is used, the second wins", used("log/4"), block, seen(log(4, payer, payee, price), log(9, payer, payee, price)), settlement.Verified, "", "log/9"},
		{"all that fit are used", used("log/4", "log/9"), block, seen(log(4, payer, payee, price), log(9, payer, payee, price)), settlement.TransferAlreadyUsed, "", "log/4"},
		{"a used position of another amount", used("log/4"), block, seen(log(4, payer, payee, 5), log(9, payer, payee, price)), settlement.Verified, "", "log/9"},
		{"all of it goes back", claim, block, seen(log(0, payer, payee, price), log(1, payee, payer, price)), settlement.AmountMismatch, "returned", "log/0"},
		{"some of it goes back", claim, block, seen(log(0, payer, payee, price), log(1, payee, payer, 1)), settlement.AmountMismatch, "returned", "log/0"},
		{"it went back before it came", claim, block, seen(log(0, payee, payer, 1), log(1, payer, payee, price)), settlement.AmountMismatch, "returned", "log/1"},
		{"the change of a larger sum goes back", claim, block, seen(log(0, payer, payee, price), log(1, payer, payee, 7), log(2, payee, payer, 7)), settlement.Verified, "", "log/0"},
		{"one of two goes back, the first order keeps its money", claim, block, seen(log(0, payer, payee, price), log(1, payer, payee, price), log(2, payee, payer, price)), settlement.Verified, "", "log/0"},
		{"one of two goes back, nothing stays for the second order", used("log/0"), block, seen(log(0, payer, payee, price), log(1, payer, payee, price), log(2, payee, payer, price)), settlement.AmountMismatch, "returned", "log/1"},
		{"the payee pays somebody else", claim, block, seen(log(0, payer, payee, price), log(1, payee, stranger, price)), settlement.Verified, "", "log/0"},
		{"the payee moves it to itself", claim, block, seen(log(0, payer, payee, price), log(1, payee, payee, price)), settlement.Verified, "", "log/0"},
		{"either wallet of two counts", with(func(c *settlement.Claim) { c.Payers = []settlement.Address{payer, stranger} }), block, seen(log(0, stranger, payee, price)), settlement.Verified, "", "log/0"},
		{"an instrument of the order takes any payer", with(func(c *settlement.Claim) { c.Payers = nil }), block, seen(log(0, stranger, payee, price)), settlement.Verified, "", "log/0"},
		{"an instrument of the order that gives back", with(func(c *settlement.Claim) { c.Payers = nil }), block, seen(log(0, stranger, payee, price), log(1, payee, stranger, 1)), settlement.AmountMismatch, "returned", "log/0"},
		{"anybody's transfer that names the reference", keyed, block, seen(naming(log(0, stranger, payee, price), foreignKey, key)), settlement.Verified, "", "log/0"},
		{"the payer's transfer that does not name it", keyed, block, seen(log(0, payer, payee, price)), settlement.Verified, "", "log/0"},
		{"the one that names it goes before the payer's", keyed, block, seen(log(0, payer, payee, price), naming(log(1, payer, payee, price), key)), settlement.Verified, "", "log/1"},
		{"too little under the reference", keyed, block, seen(log(0, payer, payee, price), naming(log(1, stranger, payee, price-1), key)), settlement.AmountMismatch, "under", "log/1"},
		{"anybody's transfer that names another reference", keyed, block, seen(naming(log(0, stranger, payee, price), foreignKey)), settlement.PayerMismatch, "", "log/0"},
		{"no payer is known and the reference is not named", keyAlone, block, seen(naming(log(0, stranger, payee, price), foreignKey)), settlement.ReferenceMismatch, "", "log/0"},
		{"the payee pays himself under the reference", keyAlone, block, seen(naming(log(0, payee, payee, price), key)), settlement.ReferenceMismatch, "", "log/0"},
		{"under the reference, and back to its payer", keyed, block, seen(naming(log(0, stranger, payee, price), key), log(1, payee, stranger, 1)), settlement.AmountMismatch, "returned", "log/0"},
		{"the second at which it begins", claim, settlement.Block{Number: 200, Time: claim.NotBefore}, seen(log(0, payer, payee, price)), settlement.Verified, "", "log/0"},
		{"one second too early", claim, settlement.Block{Number: 200, Time: claim.NotBefore.Add(-time.Second)}, seen(log(0, payer, payee, price)), settlement.PaymentStale, "", "log/0"},
		{"in the block that was the head", claim, settlement.Block{Number: 100, Time: block.Time}, seen(log(0, payer, payee, price)), settlement.PaymentStale, "", "log/0"},
		{"in the block after it", claim, settlement.Block{Number: 101, Time: block.Time}, seen(log(0, payer, payee, price)), settlement.Verified, "", "log/0"},
		{"the last second", claim, settlement.Block{Number: 200, Time: claim.NotAfter}, seen(log(0, payer, payee, price)), settlement.Verified, "", "log/0"},
		{"one second too late", claim, settlement.Block{Number: 200, Time: claim.NotAfter.Add(time.Second)}, seen(log(0, payer, payee, price)), settlement.PaymentLate, "", "log/0"},
		{"no bounds", with(func(c *settlement.Claim) { c.NotBefore, c.NotAfter, c.NotBeforeBlock = time.Time{}, time.Time{}, 0 }), settlement.Block{}, seen(log(0, payer, payee, price)), settlement.Verified, "", "log/0"},
		{"used goes before late", used("log/0"), settlement.Block{Number: 200, Time: claim.NotAfter.Add(time.Second)}, seen(log(0, payer, payee, price)), settlement.TransferAlreadyUsed, "", "log/0"},
		{"a price of nothing is never paid", with(func(c *settlement.Claim) { c.Want.Amount = settlement.Amount{} }), block, seen(log(0, payer, payee, 0)), settlement.IntentInvalid, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := settlement.Judge(tt.claim, tt.block, tt.seen)
			position := ""
			if got.Transfer != nil {
				position = got.Transfer.Position
			}
			if got.Code != tt.code || got.Detail != tt.detail || position != tt.position {
				t.Errorf("got %s %q at %q, want %s %q at %q", got.Code, got.Detail, position, tt.code, tt.detail, tt.position)
			}
			if got.Evidence != nil {
				t.Error("the funnel has seen no evidence")
			}
		})
	}
}

// Whatever else is in the transaction: a verified transfer carries every field, is unused, and its sum has stayed.
func TestJudgeVerifiesOneTransferWithAllFields(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		account := rapid.SampledFrom([]settlement.Address{payer, payee, stranger})
		claim := settlement.Claim{Want: settlement.Transfer{Token: token, Payee: payee, Amount: settlement.NewAmount(2)}, Payers: []settlement.Address{payer}}
		claim.Used = make(map[string]bool)
		seen := make([]settlement.Transfer, rapid.IntRange(0, 6).Draw(t, "transfers"))
		arrived, back := 0, 0
		for i := range seen {
			seen[i] = log(i, account.Draw(t, "from"), account.Draw(t, "to"), rapid.Uint64Range(0, 3).Draw(t, "amount"))
			if rapid.Bool().Draw(t, "other token") {
				seen[i].Token = "another token-------"
				continue
			}
			claim.Used[seen[i].Position] = rapid.Bool().Draw(t, "used")
			amount := int(seen[i].Amount.Big().Int64())
			switch {
			case seen[i].Payer == payer && seen[i].Payee == payee && !claim.Used[seen[i].Position]:
				arrived += amount
			case seen[i].Payer == payee && seen[i].Payee == payer:
				back += amount
			}
		}
		got := settlement.Judge(claim, settlement.Block{Number: 1, Time: noon}, seen)
		switch {
		case got.Code == settlement.Verified:
			v := got.Transfer
			if v.Token != token || v.Payee != payee || v.Payer != payer || v.Amount != claim.Want.Amount {
				t.Fatalf("verified by a transfer that does not fit: %+v", v)
			}
			if claim.Used[v.Position] {
				t.Fatalf("verified by a used transfer at %s", v.Position)
			}
			if back > 0 && arrived-back < 2 {
				t.Fatalf("verified although %d of %d went back", back, arrived)
			}
			for _, s := range seen { // none before it would have done
				if s.Position == v.Position {
					break
				}
				if s.Token == token && s.Payee == payee && s.Payer == payer && s.Amount == claim.Want.Amount && !claim.Used[s.Position] {
					t.Fatalf("%s won although %s comes first", v.Position, s.Position)
				}
			}
		case got.Outcome() != settlement.Rejected:
			t.Fatalf("the funnel said %s", got.Code)
		}
	})
}

func TestClaimValid(t *testing.T) {
	t.Parallel()
	zero := settlement.Address(make([]byte, 20))
	for _, tt := range []struct {
		name   string
		change func(*settlement.Claim)
		valid  bool
	}{
		{"as it should be", func(*settlement.Claim) {}, true},
		{"without a payer", func(c *settlement.Claim) { c.Payers = nil }, true},
		{"native coin", func(c *settlement.Claim) { c.Want.Token = "" }, true},
		{"a price of nothing", func(c *settlement.Claim) { c.Want.Amount = settlement.Amount{} }, false},
		{"no payee", func(c *settlement.Claim) { c.Want.Payee = "" }, false},
		{"the zero address as payee", func(c *settlement.Claim) { c.Want.Payee = zero }, false},
		{"the token as payee", func(c *settlement.Claim) { c.Want.Payee = token }, false},
		{"the zero address as payer", func(c *settlement.Claim) { c.Payers = []settlement.Address{payer, zero} }, false},
		{"an empty payer", func(c *settlement.Claim) { c.Payers = []settlement.Address{""} }, false},
		{"the payee as payer", func(c *settlement.Claim) { c.Payers = []settlement.Address{payer, payee} }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := terms.Claim(txA)
			tt.change(&c)
			if problem := c.Valid(); (problem == "") != tt.valid {
				t.Errorf("got %q", problem)
			}
		})
	}
}

func TestTermsClaim(t *testing.T) {
	t.Parallel()
	both := terms
	both.NamedPayer = stranger
	same := terms
	same.NamedPayer = payer
	if got := both.Payers(); len(got) != 2 || got[0] != payer || got[1] != stranger {
		t.Errorf("proven and named: %v", got)
	}
	if got := same.Payers(); len(got) != 1 || got[0] != payer {
		t.Errorf("proven is named too: %v", got)
	}
	c := terms.Claim(txB)
	if c.TxID != txB || c.Chain != "eip155:1" || !c.NotAfter.Equal(noon.Add(time.Hour+time.Minute)) || c.NotBeforeBlock != 100 {
		t.Errorf("got %+v", c)
	}
}
