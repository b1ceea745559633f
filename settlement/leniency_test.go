package settlement_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/settlement"
)

func TestToleranceOfAPrice(t *testing.T) {
	t.Parallel()
	most := settlement.Amount{}.Complement()
	units := settlement.NewAmount
	for _, tt := range []struct {
		name      string
		tolerance settlement.Tolerance
		price     settlement.Amount
		want      settlement.Amount
	}{
		{"nothing is said", settlement.Tolerance{}, units(1000), units(0)},
		{"a percent", settlement.Tolerance{BasisPoints: 100}, units(1000), units(10)},
		{"a percent, rounded down", settlement.Tolerance{BasisPoints: 100}, units(199), units(1)},
		{"less than a unit", settlement.Tolerance{BasisPoints: 1}, units(9999), units(0)},
		{"units", settlement.Tolerance{Units: units(7)}, units(1000), units(7)},
		{"units are narrower", settlement.Tolerance{BasisPoints: 100, Units: units(7)}, units(1000), units(7)},
		{"basis points are narrower", settlement.Tolerance{BasisPoints: 100, Units: units(7)}, units(100), units(1)},
		{"basis points of a price that is small leave nothing", settlement.Tolerance{BasisPoints: 100, Units: units(7)}, units(1), units(0)},
		{"any", settlement.Tolerance{Any: true}, units(1), most},
		{"a share of the largest price", settlement.Tolerance{BasisPoints: 20_000}, most, most},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.tolerance.Of(tt.price); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestLeniencyInTerms(t *testing.T) {
	t.Parallel()
	strict := settlement.Leniency{}.Apply(terms)
	if diff := cmp.Diff(terms, strict, amounts); diff != "" {
		t.Errorf("nothing is taken (-want +got):\n%s", diff)
	}
	all := settlement.Leniency{Under: settlement.Tolerance{Any: true}, Over: settlement.Tolerance{BasisPoints: 100}, Parts: true, Late: time.Hour, AnyPayer: true}
	got := all.Apply(terms)
	if got.Under != settlement.NewAmount(999_999) || got.Over != settlement.NewAmount(10_000) || !got.Parts || got.Late != time.Hour || !got.AnyPayer {
		t.Errorf("got %+v", got)
	}
	if claim := got.Claim(txA); !claim.NotAfter.Equal(terms.Deadline.Add(terms.Grace+time.Hour)) || claim.Under != got.Under || claim.Over != got.Over ||
		!claim.Parts || !claim.AnyPayer {
		t.Errorf("claim %+v", claim)
	}
}

// Each thing that terms may take, on both sides of its limit.
func TestJudgeLeniency(t *testing.T) {
	t.Parallel()
	const price = 1_000_000
	block := settlement.Block{Number: 200, Time: noon.Add(time.Minute)}
	seen := func(transfers ...settlement.Transfer) []settlement.Transfer { return transfers }
	with := func(change func(*settlement.Claim)) settlement.Claim {
		c := terms.Claim(txA)
		change(&c)
		return c
	}
	under := with(func(c *settlement.Claim) { c.Under = settlement.NewAmount(10) })
	over := with(func(c *settlement.Claim) { c.Over = settlement.NewAmount(10) })
	parts := with(func(c *settlement.Claim) { c.Parts = true })
	second := with(func(c *settlement.Claim) { c.Parts, c.Part = true, "log/1" })
	anybody := with(func(c *settlement.Claim) { c.AnyPayer = true })
	keyless := with(func(c *settlement.Claim) { c.AnyPayer, c.Payers, c.Instrument = true, nil, "key" })
	for _, tt := range []struct {
		name     string
		claim    settlement.Claim
		seen     []settlement.Transfer
		code     settlement.Code
		detail   string
		position string
	}{
		{"less, taken", under, seen(log(0, payer, payee, price-10)), settlement.Verified, "under", "log/0"},
		{"less than is taken", under, seen(log(0, payer, payee, price-11)), settlement.AmountMismatch, "under", "log/0"},
		{"more is not taken", under, seen(log(0, payer, payee, price+1)), settlement.AmountMismatch, "over", "log/0"},
		{"an exact one goes first", under, seen(log(0, payer, payee, price-1), log(1, payer, payee, price)), settlement.Verified, "", "log/1"},
		{"less, and some of it goes back", under, seen(log(0, payer, payee, price-5), log(1, payee, payer, 1)), settlement.AmountMismatch, "returned", "log/0"},
		{"exact, and some of it goes back", under, seen(log(0, payer, payee, price), log(1, payee, payer, 1)), settlement.AmountMismatch, "returned", "log/0"},
		{"more, taken", over, seen(log(0, payer, payee, price+10)), settlement.Verified, "over", "log/0"},
		{"more than is taken", over, seen(log(0, payer, payee, price+11)), settlement.AmountMismatch, "over", "log/0"},
		{"less is not taken", over, seen(log(0, payer, payee, price-1)), settlement.AmountMismatch, "under", "log/0"},

		{"a part", parts, seen(log(0, payer, payee, 1)), settlement.AmountMismatch, "part", "log/0"},
		{"nothing is no part", parts, seen(log(0, payer, payee, 0)), settlement.AmountMismatch, "under", "log/0"},
		{"more than the price is no part", parts, seen(log(0, payer, payee, price+1)), settlement.AmountMismatch, "over", "log/0"},
		{"the price is no part", parts, seen(log(0, payer, payee, 1), log(1, payer, payee, price)), settlement.Verified, "", "log/1"},
		{"the first of several parts", parts, seen(log(0, payer, payee, 1), log(1, payer, payee, 2)), settlement.AmountMismatch, "part", "log/0"},
		{"the part that is asked about", second, seen(log(0, payer, payee, 1), log(1, payer, payee, 2)), settlement.AmountMismatch, "part", "log/1"},
		{"a part by somebody else", parts, seen(log(0, stranger, payee, 1)), settlement.PayerMismatch, "", "log/0"},
		{"a part, and some goes back", parts, seen(log(0, payer, payee, 100), log(1, payer, payee, 100), log(2, payee, payer, 1)), settlement.AmountMismatch, "returned", "log/0"},

		{"anybody's price", anybody, seen(log(0, stranger, payee, price)), settlement.Verified, "", "log/0"},
		{"anybody's other amount", anybody, seen(log(0, stranger, payee, price-1)), settlement.PayerMismatch, "", "log/0"},
		{"the payer's goes first", anybody, seen(log(0, stranger, payee, price), log(1, payer, payee, price)), settlement.Verified, "", "log/1"},
		{"anybody's price goes back", anybody, seen(log(0, stranger, payee, price), log(1, payee, stranger, 1)), settlement.AmountMismatch, "returned", "log/0"},
		{"the payee's own", anybody, seen(log(0, payee, payee, price)), settlement.PayerMismatch, "", "log/0"},
		{"anybody's, without the reference", keyless, seen(log(0, stranger, payee, price)), settlement.Verified, "", "log/0"},
		{"anybody's other amount, without the reference", keyless, seen(log(0, stranger, payee, 1)), settlement.ReferenceMismatch, "", "log/0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := settlement.Judge(tt.claim, block, tt.seen)
			if got.Code != tt.code || got.Detail != tt.detail || got.Transfer == nil || got.Transfer.Position != tt.position {
				t.Errorf("got %s %q at %+v, want %s %q at %s", got.Code, got.Detail, got.Transfer, tt.code, tt.detail, tt.position)
			}
		})
	}
	late := terms
	late.Late = time.Hour
	for _, after := range []time.Duration{0, time.Second} {
		at := settlement.Block{Number: 200, Time: terms.Deadline.Add(terms.Grace + time.Hour + after)}
		want := settlement.Verified
		if after > 0 {
			want = settlement.PaymentLate
		}
		if got := settlement.Judge(late.Claim(txA), at, seen(log(0, payer, payee, price))); got.Code != want {
			t.Errorf("%s after the end: %s, want %s", after, got.Code, want)
		}
	}
}

// part is a part of so many units in a transaction of its own.
func part(id settlement.TxID, units uint64) settlement.Event {
	e := eventOf(settlement.EventPaymentPart)
	e.Sighting.TxID, e.Sighting.Transfer.Amount, e.Sighting.Block.Time = id, settlement.NewAmount(units), noon
	e.TxID = ""
	return e
}

func whole(id settlement.TxID, units uint64, detail string) settlement.Event {
	return settlement.Event{Kind: settlement.EventPaymentConfirmed, Sighting: &settlement.Sighting{
		TxID: id, Transfer: settlement.Transfer{Amount: settlement.NewAmount(units)}, Block: settlement.Block{Time: noon},
		Verdict: settlement.Verdict{Code: settlement.Verified, Detail: detail},
	}}
}

func TestNextAddsUp(t *testing.T) {
	t.Parallel()
	const price = 1_000_000
	later := part(txB, price-1)
	later.Sighting.Block.Time = terms.Deadline.Add(terms.Grace + time.Second)
	for _, tt := range []struct {
		name     string
		from     settlement.State
		take     settlement.Leniency
		events   []settlement.Event
		state    settlement.State
		received uint64
		paidBy   settlement.TxID
		flags    []settlement.Flag
	}{
		{"one part", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1)}, "awaiting_payment", 1, "", nil},
		{"parts that are the price", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), part(txB, price-1)}, "verified", price, txB, nil},
		{"parts within what is taken", "awaiting_payment", settlement.Leniency{Parts: true, Under: settlement.Tolerance{Units: settlement.NewAmount(10)}}, []settlement.Event{part(txA, 1), part(txB, price-11)}, "verified", price - 10, txB, []settlement.Flag{"underpaid"}},
		{"parts above the price, taken", "awaiting_payment", settlement.Leniency{Parts: true, Over: settlement.Tolerance{Units: settlement.NewAmount(10)}}, []settlement.Event{part(txA, 11), part(txB, price-1)}, "verified", price + 10, txB, []settlement.Flag{"overpaid"}},
		{"the price after a part", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), whole(txB, price, "")}, "verified", price + 1, txB, []settlement.Flag{"overpaid"}},
		{"less, taken", "awaiting_payment", settlement.Leniency{}, []settlement.Event{whole(txA, price-1, "under")}, "verified", price - 1, txA, []settlement.Flag{"underpaid"}},
		{"a late part", "expired", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), later}, "verified", price, txB, []settlement.Flag{"late"}},
		{"a part with a person, who keeps it", "needs_review", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1)}, "needs_review", 1, "", nil},
		{"the last part with a person", "needs_review", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), part(txB, price-1)}, "verified", price, txB, nil},
		{"the deadline with something received", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), eventOf("deadline")}, "needs_review", 1, "", []settlement.Flag{"underpaid"}},
		{"the rest after the deadline", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), eventOf("deadline"), part(txB, price-1)}, "verified", price, txB, []settlement.Flag{"underpaid"}},
		{"cancelled with something received", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), eventOf("order_canceled")}, "needs_review", 1, "", []settlement.Flag{"canceled"}},
		{"the last part of a cancelled order", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), eventOf("order_canceled"), part(txB, price-1)}, "needs_review", price, txB, []settlement.Flag{"canceled"}},
		{"a part that has left the chain for good", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), eventOf("finality_broken")}, "needs_review", 1, "", []settlement.Flag{"reorged"}},
		{"the rest, after a part has left the chain for good", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), eventOf("finality_broken"), part(txB, price-1)}, "needs_review", price, txB, []settlement.Flag{"reorged"}},
		{"the price, after a part has left the chain for good", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{part(txA, 1), eventOf("finality_broken"), whole(txB, price, "")}, "verified", price + 1, txB, []settlement.Flag{"overpaid", "reorged"}},
		{"a part of a named transaction, which is looked at further", "awaiting_payment", settlement.Leniency{Parts: true}, []settlement.Event{named(txA), part(txA, 1)}, "verifying", 1, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := paymentIn(tt.from)
			p.Terms = tt.take.Apply(terms)
			got := steps(t, p, tt.events...)
			if got.State != tt.state || got.Received != settlement.NewAmount(tt.received) || got.PaidBy != tt.paidBy {
				t.Errorf("got %s, received %s, paid by %q; want %s, %d, %q", got.State, got.Received, got.PaidBy, tt.state, tt.received, tt.paidBy)
			}
			if diff := cmp.Diff(tt.flags, got.Flags); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNextRefusesPartsThatDoNotAddUp(t *testing.T) {
	t.Parallel()
	open := paymentIn(settlement.StateAwaitingPayment)
	one := open
	one.Terms.Parts = false
	settled := paymentIn(settlement.StateNeedsReview)
	settled.PaidBy = txA
	blind := part(txA, 1)
	blind.Sighting = nil
	for name, tt := range map[string]struct {
		payment settlement.Payment
		event   settlement.Event
	}{
		"terms that take one transfer":        {one, part(txA, 1)},
		"more than the price":                 {steps(t, open, part(txA, 1)), part(txB, 1_000_000)},
		"a part of a settled payment":         {settled, part(txB, 1)},
		"a part without its transfer":         {open, blind},
		"a chain that lost what is not there": {open, eventOf(settlement.EventFinalityBroken)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := settlement.Next(tt.payment, tt.event); !errors.Is(err, settlement.ErrNotAccepted) {
				t.Errorf("got %s, received %s, %v", got.State, got.Received, err)
			}
		})
	}
}
