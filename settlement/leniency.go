package settlement

import (
	"math/big"
	"time"
)

// Leniency is what a marketplace takes beside one exact payment in time by one of the payers. What it does not take is for a
// person to decide, and its zero value takes nothing.
type Leniency struct {
	// Under takes less than the price, by at most so much; Over takes more.
	Under, Over Tolerance
	// Parts adds up several transfers of less than the price until they reach it.
	Parts bool
	// Late takes what is in a block up to so long after the grace.
	Late time.Duration
	// AnyPayer takes the exact price from a wallet that nobody knows, where it fits one open payment alone.
	AnyPayer bool
}

// Tolerance is a difference to a price. Of two limits the narrower one holds; without any the difference is nothing.
type Tolerance struct {
	BasisPoints uint16 // of the price, rounded down; 0 is no limit
	Units       Amount // base units; 0 is no limit
	Any         bool   // takes every difference
}

// Of is the difference that the tolerance takes to the price.
func (t Tolerance) Of(price Amount) Amount {
	if t.Any {
		return Amount{}.Complement()
	}
	share := t.Units
	if t.BasisPoints > 0 {
		part := new(big.Int).Mul(price.Big(), big.NewInt(int64(t.BasisPoints)))
		points, err := AmountFromBig(part.Div(part, big.NewInt(10_000)))
		if err != nil { // more than any amount
			points = Amount{}.Complement()
		}
		if share.IsZero() || points.Cmp(share) < 0 {
			share = points
		}
	}
	return share
}

// Apply puts into the terms what the marketplace takes for their price. Nothing is always too little. A vault takes every amount
// above the price, whatever the marketplace says: nobody loses it, since the payee's claim ends at the price and the rest goes
// back to the payer when the money moves on.
func (l Leniency) Apply(t Terms) Terms {
	t.Under, t.Over = l.Under.Of(t.Amount), l.Over.Of(t.Amount)
	if t.Under.Cmp(t.Amount) >= 0 {
		t.Under = t.Amount.Sub(NewAmount(1))
	}
	if t.Custody == CustodyVault {
		t.Over = Tolerance{Any: true}.Of(t.Amount)
	}
	t.Parts, t.Late, t.AnyPayer = l.Parts, l.Late, l.AnyPayer
	return t
}
