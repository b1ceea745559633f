package settlement_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/settler-pay/settler/settlement"
)

// openPayment is an open payment: its number, its price, and who pays it.
func openPayment(number byte, price uint64, proven, named settlement.Address) settlement.OpenPayment {
	return settlement.OpenPayment{
		ID: settlement.PaymentID{number},
		Terms: settlement.Terms{
			Token: terms.Token, Payee: payee, Amount: settlement.NewAmount(price), ProvenPayer: proven, NamedPayer: named,
		},
	}
}

func settledPayment(number byte, price uint64, proven, named settlement.Address) settlement.OpenPayment {
	p := openPayment(number, price, proven, named)
	p.Settled = true
	return p
}

func transferOf(from settlement.Address, amount uint64) settlement.Transfer {
	return settlement.Transfer{Token: token, Payer: from, Payee: payee, Amount: settlement.NewAmount(amount), Position: "log/0"}
}

func TestAttribute(t *testing.T) {
	t.Parallel()
	const (
		alice   = payer
		mallory = stranger
		none    = settlement.Address("")
	)
	type payments = []settlement.OpenPayment
	mine := func(number byte) []settlement.Attribution {
		return []settlement.Attribution{{Payment: settlement.PaymentID{number}}}
	}
	coded := func(code settlement.Code, numbers ...byte) []settlement.Attribution {
		var out []settlement.Attribution
		for _, n := range numbers {
			out = append(out, settlement.Attribution{Payment: settlement.PaymentID{n}, Code: code})
		}
		return out
	}
	ambiguous := settlement.TransferAmbiguous
	// keyed gives a payment a reference, naming makes a transfer name some.
	keyed := func(p settlement.OpenPayment, key settlement.Address) settlement.OpenPayment {
		p.Terms.Reference = key
		return p
	}
	naming := func(t settlement.Transfer, keys ...settlement.Address) settlement.Transfer {
		t.References = keys
		return t
	}
	signed := func(p settlement.OpenPayment) settlement.OpenPayment {
		p.Signed = true
		return p
	}
	anybodys := func(p settlement.OpenPayment) settlement.OpenPayment {
		p.Terms.AnyPayer = true
		return p
	}
	parted := func(p settlement.OpenPayment, received uint64) settlement.OpenPayment {
		p.Terms.Parts, p.Received = true, settlement.NewAmount(received)
		return p
	}
	for _, tt := range []struct {
		name string
		t    settlement.Transfer
		open payments
		want []settlement.Attribution
	}{
		{"nothing is open", transferOf(alice, 10), nil, nil},
		{"a transfer of nothing concerns nobody", transferOf(alice, 0), payments{openPayment(1, 10, alice, none)}, nil},
		{"the proven payer pays the price", transferOf(alice, 10), payments{openPayment(1, 10, alice, none)}, mine(1)},
		{"the proven payer pays too little", transferOf(alice, 9), payments{openPayment(1, 10, alice, none)}, mine(1)},
		{"the proven payer has two orders, one at the price", transferOf(alice, 10), payments{openPayment(1, 9, alice, none), openPayment(2, 10, alice, none)}, mine(2)},
		{"the proven payer has two orders at the price", transferOf(alice, 10), payments{openPayment(1, 10, alice, none), openPayment(2, 10, alice, none)}, coded(ambiguous, 1, 2)},
		{"the proven payer has two orders, none at the price", transferOf(alice, 8), payments{openPayment(1, 9, alice, none), openPayment(2, 10, alice, none)}, coded(ambiguous, 1, 2)},
		{"a stranger names the proven payer at the same price", transferOf(alice, 10), payments{openPayment(1, 10, mallory, alice), openPayment(2, 10, alice, none)}, mine(2)},
		{"a stranger names the proven payer at the price that is paid", transferOf(alice, 9), payments{openPayment(1, 9, none, alice), openPayment(2, 10, alice, none)}, mine(2)},
		{"the named payer pays the price", transferOf(alice, 10), payments{openPayment(1, 10, none, alice)}, mine(1)},
		{"the named payer pays beside a proven other wallet", transferOf(alice, 10), payments{openPayment(1, 10, mallory, alice)}, mine(1)},
		{"two orders name the payer at the price", transferOf(alice, 10), payments{openPayment(1, 10, none, alice), openPayment(2, 10, none, alice)}, coded(ambiguous, 1, 2)},
		{"a stranger names who pays another's order at the same price", transferOf(alice, 10), payments{openPayment(1, 10, none, alice), openPayment(2, 10, none, mallory)}, coded(ambiguous, 1)},
		{"a named payer with another price open for somebody else", transferOf(alice, 10), payments{openPayment(1, 10, none, alice), openPayment(2, 11, none, mallory)}, mine(1)},
		{"the named payer pays too little", transferOf(alice, 9), payments{openPayment(1, 10, none, alice)}, mine(1)},
		{"two orders name the payer, none at the price", transferOf(alice, 8), payments{openPayment(1, 9, none, alice), openPayment(2, 10, none, alice)}, nil},
		{"somebody else pays the price", transferOf(mallory, 10), payments{openPayment(1, 10, alice, none)}, coded(settlement.PayerMismatch, 1)},
		{"somebody else pays another amount", transferOf(mallory, 9), payments{openPayment(1, 10, alice, none)}, nil},
		{"somebody else pays the price of two orders", transferOf(mallory, 10), payments{openPayment(1, 10, alice, none), openPayment(2, 10, none, alice)}, nil},
		{"somebody else pays the price and has signed", transferOf(mallory, 10), payments{signed(openPayment(1, 10, alice, none))}, mine(1)},
		{"the signature decides between twin orders", transferOf(alice, 10), payments{openPayment(1, 10, alice, none), signed(openPayment(2, 10, alice, none))}, mine(2)},
		{"the payer signs for another's order, not for the one that he paired for", transferOf(alice, 10), payments{openPayment(1, 10, alice, none), signed(openPayment(2, 10, mallory, none))}, mine(2)},
		{"the signed order has another price, that of the pairing fits", transferOf(alice, 10), payments{openPayment(1, 10, alice, none), signed(openPayment(2, 11, mallory, none))}, mine(1)},
		{"no price fits, and one order is signed for", transferOf(alice, 9), payments{openPayment(1, 10, alice, none), signed(openPayment(2, 11, mallory, none))}, mine(2)},
		{"two orders are signed for, one at the price", transferOf(alice, 10), payments{signed(openPayment(1, 10, none, mallory)), signed(openPayment(2, 11, none, mallory))}, mine(1)},
		{"two orders at the price are signed for", transferOf(alice, 10), payments{signed(openPayment(1, 10, none, mallory)), signed(openPayment(2, 10, none, mallory)), openPayment(3, 10, alice, none)}, coded(ambiguous, 1, 2)},
		{"two orders are signed for, none at the price", transferOf(alice, 9), payments{signed(openPayment(1, 10, none, mallory)), signed(openPayment(2, 11, none, mallory))}, coded(ambiguous, 1, 2)},
		{"a signature against a stranger who names the payer", transferOf(alice, 10), payments{openPayment(1, 10, none, alice), signed(openPayment(2, 10, none, mallory))}, mine(2)},
		{"a reference goes before a signature", naming(transferOf(alice, 10), "k1"), payments{keyed(openPayment(1, 10, none, mallory), "k1"), signed(openPayment(2, 10, none, mallory))}, mine(1)},
		{"the payer pays what is missing of one of two orders", transferOf(alice, 4), payments{parted(openPayment(1, 10, alice, none), 6), openPayment(2, 10, alice, none)}, mine(1)},
		{"the payer pays the price of the order that has no part", transferOf(alice, 10), payments{parted(openPayment(1, 10, alice, none), 6), openPayment(2, 10, alice, none)}, mine(2)},
		{"what is missing of one order is the price of another", transferOf(alice, 4), payments{parted(openPayment(1, 10, alice, none), 6), openPayment(2, 4, alice, none)}, coded(ambiguous, 1, 2)},
		{"a part that could be of two orders", transferOf(alice, 3), payments{parted(openPayment(1, 10, alice, none), 6), openPayment(2, 10, alice, none)}, coded(ambiguous, 1, 2)},
		{"anybody pays the price", transferOf(mallory, 10), payments{anybodys(openPayment(1, 10, alice, none))}, mine(1)},
		{"anybody pays another amount", transferOf(mallory, 9), payments{anybodys(openPayment(1, 10, alice, none))}, nil},
		{"anybody pays the price of two orders", transferOf(mallory, 10), payments{anybodys(openPayment(1, 10, alice, none)), anybodys(openPayment(2, 10, alice, none))}, nil},
		{"anybody pays the price of an order that has a strict twin", transferOf(mallory, 10), payments{anybodys(openPayment(1, 10, alice, none)), openPayment(2, 10, alice, none)}, nil},
		{"anybody, who is named by an order of another price", transferOf(mallory, 10), payments{anybodys(openPayment(1, 10, alice, none)), openPayment(2, 11, none, mallory)}, coded(settlement.PayerMismatch, 1)},
		{"anybody, who has paired for an order of another price", transferOf(mallory, 10), payments{anybodys(openPayment(1, 10, alice, none)), openPayment(2, 11, mallory, none)}, mine(2)},
		{"anybody, who has paid this price before", transferOf(mallory, 10), payments{anybodys(openPayment(1, 10, alice, none)), settledPayment(2, 10, mallory, none)}, coded(settlement.PayerMismatch, 1)},
		{"the payee moves money to himself", transferOf(payee, 10), payments{anybodys(openPayment(1, 10, alice, none))}, coded(settlement.PayerMismatch, 1)},
		{"the money is made from nothing", transferOf(settlement.Address(make([]byte, 20)), 10), payments{anybodys(openPayment(1, 10, alice, none))}, coded(settlement.PayerMismatch, 1)},
		{"anybody pays without the reference", transferOf(alice, 10), payments{anybodys(keyed(openPayment(1, 10, none, none), "k1"))}, mine(1)},
		{"the payer pays a settled order again", transferOf(alice, 10), payments{settledPayment(1, 10, alice, none)}, mine(1)},
		{"the named payer pays a settled order again", transferOf(alice, 10), payments{settledPayment(1, 10, none, alice)}, mine(1)},
		{"another amount is no second payment", transferOf(alice, 9), payments{settledPayment(1, 10, alice, none)}, nil},
		{"the reference decides between twin orders", naming(transferOf(alice, 10), "k2"), payments{keyed(openPayment(1, 10, none, alice), "k1"), keyed(openPayment(2, 10, none, alice), "k2")}, mine(2)},
		{"the reference binds whoever pays", naming(transferOf(mallory, 10), "other", "k1"), payments{keyed(openPayment(1, 10, none, none), "k1")}, mine(1)},
		{"the reference binds whatever is paid", naming(transferOf(mallory, 9), "k1"), payments{keyed(openPayment(1, 10, none, none), "k1"), openPayment(2, 9, mallory, none)}, mine(1)},
		{"the references of two orders", naming(transferOf(alice, 10), "k1", "k2"), payments{keyed(openPayment(1, 10, none, alice), "k1"), keyed(openPayment(2, 10, none, none), "k2")}, coded(ambiguous, 1, 2)},
		{"twin orders and no reference", transferOf(alice, 10), payments{keyed(openPayment(1, 10, none, alice), "k1"), keyed(openPayment(2, 10, none, alice), "k2")}, coded(ambiguous, 1, 2)},
		{"an order without a payer needs its reference", transferOf(alice, 10), payments{keyed(openPayment(1, 10, none, none), "k1")}, coded(settlement.ReferenceMismatch, 1)},
		{"the payee cannot pay himself under a reference", naming(transferOf(payee, 10), "k1"), payments{keyed(openPayment(1, 10, none, none), "k1")}, coded(settlement.ReferenceMismatch, 1)},
		{"a second payment under the reference of a settled order", naming(transferOf(mallory, 10), "k1"), payments{keyed(settledPayment(1, 10, none, none), "k1"), openPayment(2, 10, mallory, none)}, mine(1)},
		{"an open order goes before a settled one", transferOf(alice, 10), payments{settledPayment(1, 10, alice, none), openPayment(2, 10, alice, none)}, mine(2)},
		{"a second payment of one of two settled orders is seen", transferOf(alice, 10), payments{settledPayment(1, 10, alice, none), settledPayment(2, 10, alice, none)}, coded(ambiguous, 1, 2)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, settlement.Attribute(tt.t, tt.open)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// The order in which the payments are read never matters.
			slices.Reverse(tt.open)
			got := settlement.Attribute(tt.t, tt.open)
			slices.Reverse(got)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("read in reverse (-want +got):\n%s", diff)
			}
		})
	}
}

// drawOpen draws open payments of few wallets and prices, so that they get in each other's way.
func drawOpen(t *rapid.T) []settlement.OpenPayment {
	wallet := rapid.SampledFrom([]settlement.Address{"", "w1", "w2", "w3"})
	open := make([]settlement.OpenPayment, rapid.IntRange(0, 5).Draw(t, "payments"))
	for i := range open {
		proven, named := wallet.Draw(t, "proven"), wallet.Draw(t, "named")
		open[i] = openPayment(byte(i+1), rapid.Uint64Range(1, 3).Draw(t, "price"), proven, named)
		if rapid.Bool().Draw(t, "keyed") || proven == "" && named == "" {
			open[i].Terms.Reference = settlement.Address([]byte{'k', byte(i)}) // the schema keeps them apart
		}
		open[i].Settled = rapid.Bool().Draw(t, "settled")
		open[i].Signed = rapid.Bool().Draw(t, "signed")
	}
	return open
}

func drawTransfer(t *rapid.T) settlement.Transfer {
	from := rapid.SampledFrom([]settlement.Address{"w1", "w2", "w3", "w4"}).Draw(t, "from")
	out := transferOf(from, rapid.Uint64Range(0, 4).Draw(t, "amount"))
	for range rapid.IntRange(0, 2).Draw(t, "references") {
		out.References = append(out.References, settlement.Address([]byte{'k', rapid.Byte().Draw(t, "key") % 6}))
	}
	return out
}

func find(attributions []settlement.Attribution, id settlement.PaymentID) (settlement.Attribution, bool) {
	i := slices.IndexFunc(attributions, func(a settlement.Attribution) bool { return a.Payment == id })
	if i < 0 {
		return settlement.Attribution{}, false
	}
	return attributions[i], true
}

// A transfer is given without a code to at most one payment; which one does not depend on the order of reading.
func TestAttributeGivesATransferToOnePaymentAtMost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		open, transfer := drawOpen(t), drawTransfer(t)
		got := settlement.Attribute(transfer, open)
		for _, a := range got {
			if a.Code == "" && len(got) != 1 {
				t.Fatalf("%d payments concerned, one of them without a code: %v", len(got), got)
			}
			if a.Code != "" && a.Code.Outcome() != settlement.Rejected {
				t.Fatalf("code %s is no rejection", a.Code)
			}
		}
		shuffled := rapid.Permutation(open).Draw(t, "shuffled")
		again := settlement.Attribute(transfer, shuffled)
		key := func(as []settlement.Attribution) []string {
			var keys []string
			for _, a := range as {
				keys = append(keys, fmt.Sprint(a))
			}
			slices.Sort(keys)
			return keys
		}
		if diff := cmp.Diff(key(got), key(again)); diff != "" {
			t.Fatalf("depends on the order of reading:\n%s", diff)
		}
	})
}

// Whatever strangers open with a payer that they merely name, a transfer of a proven payer goes where it went before: one
// that was paired, or that signed for this very transaction.
func TestAttributeUnprovenPayerNeitherWinsNorBlocksAgainstAProvenOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price, amount := rapid.Uint64Range(1, 3).Draw(t, "price"), rapid.Uint64Range(1, 3).Draw(t, "amount")
		victim := openPayment(99, price, "victim", "")
		if rapid.Bool().Draw(t, "by signature") {
			victim = openPayment(99, price, "another wallet", "")
			victim.Signed = true
		}
		transfer := transferOf("victim", amount)
		want := settlement.Attribute(transfer, []settlement.OpenPayment{victim})
		if len(want) != 1 || want[0] != (settlement.Attribution{Payment: victim.ID}) {
			t.Fatalf("alone: got %v", want)
		}
		open := []settlement.OpenPayment{victim}
		for _, p := range drawOpen(t) { // none of them is proven to be the victim's
			p.Terms.NamedPayer, p.Signed = "victim", false
			open = append(open, p)
		}
		open = rapid.Permutation(open).Draw(t, "open")
		if diff := cmp.Diff(want, settlement.Attribute(transfer, open)); diff != "" {
			t.Fatalf("with strangers (-want +got):\n%s", diff)
		}
	})
}

// Without its reference a payment is paid by a payer who is proven or named: a transfer of anybody else, who has not signed
// either, never settles it.
func TestAttributeNeverGivesATransferOfAnUnknownWallet(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		open := drawOpen(t)
		for i := range open {
			open[i].Signed = false
		}
		transfer := transferOf("nobody", rapid.Uint64Range(0, 4).Draw(t, "amount"))
		for _, a := range settlement.Attribute(transfer, open) {
			if a.Code != settlement.PayerMismatch && a.Code != settlement.ReferenceMismatch {
				t.Fatalf("got %v", a)
			}
		}
		transfer.Payer = "" // a chain on which the payer could not be read: nobody's wallet
		for _, a := range settlement.Attribute(transfer, open) {
			if a.Code == "" {
				t.Fatalf("without a payer: got %v", a)
			}
		}
	})
}

// A settled payment whose reference is not named takes no transfer away from an open one.
func TestAttributePrefersOpenPayments(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		open, transfer := drawOpen(t), drawTransfer(t)
		transfer.References = nil
		unsettled := slices.DeleteFunc(slices.Clone(open), func(p settlement.OpenPayment) bool { return p.Settled })
		want := settlement.Attribute(transfer, unsettled)
		got := settlement.Attribute(transfer, open)
		for _, a := range want {
			if b, ok := find(got, a.Payment); !ok || a != b {
				t.Fatalf("%v without the settled payments, %v with them", want, got)
			}
		}
	})
}
