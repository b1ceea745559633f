package settlement_test

import (
	"testing"

	"github.com/settler-pay/settler/settlement"
)

// A fault is found where the funnel asks for it: a sound transfer beside it still pays, and an earlier field still decides.
func TestFaults(t *testing.T) {
	t.Parallel()
	const (
		usd, alice, bob = settlement.Address("usd"), settlement.Address("alice"), settlement.Address("bob")
		price           = 100
	)
	transfer := func(position string, units uint64, fault settlement.Code) settlement.Transfer {
		return settlement.Transfer{
			Token: usd, Payer: alice, Payee: bob, Amount: settlement.NewAmount(units), Position: position, Index: -1, Fault: fault,
		}
	}
	withheld := transfer("ix/0", 95, "")
	withheld.Withheld = settlement.NewAmount(5)
	for _, c := range []struct {
		name   string
		seen   []settlement.Transfer
		code   settlement.Code
		detail string
		policy settlement.Policy
	}{
		{"mint of another program", []settlement.Transfer{transfer("ix/0", price, settlement.TokenMismatch)}, settlement.TokenMismatch, "", settlement.Policy{}},
		{"account that does not count", []settlement.Transfer{transfer("ix/0", price, settlement.PayeeMismatch)}, settlement.PayeeMismatch, "", settlement.Policy{}},
		{"closed", []settlement.Transfer{transfer("ix/0", price, settlement.DestinationClosed)}, settlement.DestinationClosed, "", settlement.Policy{}},
		{"ambiguous", []settlement.Transfer{transfer("ix/0", price, settlement.TransferAmbiguous)}, settlement.TransferAmbiguous, "", settlement.Policy{}},
		{"taken back", []settlement.Transfer{transfer("ix/0", price, settlement.AmountMismatch)}, settlement.AmountMismatch, settlement.Returned, settlement.Policy{}},
		{"without the reference", []settlement.Transfer{transfer("ix/0", price, settlement.ReferenceMismatch)}, settlement.ReferenceMismatch, "", settlement.Policy{}},
		{"amount before reference", []settlement.Transfer{transfer("ix/0", price-1, settlement.ReferenceMismatch)}, settlement.AmountMismatch, settlement.Under, settlement.Policy{}},
		{"a sound one beside it", []settlement.Transfer{transfer("ix/0", price, settlement.DestinationClosed), transfer("ix/1", price, "")}, settlement.Verified, "", settlement.Policy{}},
		{"a fee on the way", []settlement.Transfer{withheld}, settlement.AmountMismatch, settlement.FeeWithheld, settlement.Policy{}},
		{
			"no sum with a faulty part",
			[]settlement.Transfer{transfer("ix/0", 60, ""), transfer("ix/1", 40, settlement.DestinationClosed)},
			settlement.AmountMismatch, settlement.Under,
			settlement.Policy{Sum: true},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			claim := settlement.Claim{
				Want:   settlement.Transfer{Token: usd, Payee: bob, Amount: settlement.NewAmount(price)},
				Payers: []settlement.Address{alice}, Policy: c.policy,
			}
			got := settlement.Judge(claim, settlement.Block{}, c.seen)
			if got.Code != c.code || got.Detail != c.detail {
				t.Errorf("got %s (%s), want %s (%s)", got.Code, got.Detail, c.code, c.detail)
			}
			if c.code == settlement.Verified && got.Transfer.Fault != "" {
				t.Errorf("the transfer with the fault %s pays", got.Transfer.Fault)
			}
		})
	}
}
