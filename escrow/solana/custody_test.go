package solana

import (
	"strings"
	"testing"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// mainnet is the first cluster's genesis hash, and its name.
const (
	mainnet     = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
	mainnetName = settlement.ChainID("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp")
)

func wallet32(b string) settlement.Address { return settlement.Address(strings.Repeat(b, 32)) }

func TestCustodyHandsOutWallets(t *testing.T) {
	t.Parallel()
	c, err := NewCustody(mainnetName, sdk.MustHashFromBase58(mainnet), knownSecret(1, false))
	if err != nil {
		t.Fatal(err)
	}
	terms := settlement.Vault{
		Chain: mainnetName, Token: wallet32("\x03"), Amount: settlement.NewAmount(1), Payer: wallet32("\x01"), Payee: wallet32("\x02"),
		Derived: &settlement.Derivation{Marketplace: "acme", Order: settlement.PaymentID{1}, Epoch: 1},
	}
	at, err := c.Address(terms)
	if err != nil || len(at) != 32 {
		t.Fatalf("address %x, err %v", at, err)
	}
	other := terms
	other.Derived = &settlement.Derivation{Marketplace: "acme", Order: settlement.PaymentID{2}, Epoch: 1}
	if second, err := c.Address(other); err != nil || second == at {
		t.Errorf("another order has %x, err %v", second, err)
	}
	if at == c.FeePayer() {
		t.Error("the wallet of an order is that of fees")
	}
	terms.Address = at
	if w, err := c.wallet(terms); err != nil || addressOf(w.Address()) != at {
		t.Errorf("the key is of %s, err %v", w, err)
	}
	terms.Address = wallet32("\x07")
	if _, err := c.wallet(terms); err == nil {
		t.Error("a key was derived for an address that is not its own")
	}
	for name, change := range map[string]func(*settlement.Vault){
		"another chain":        func(v *settlement.Vault) { v.Chain = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1" },
		"a contract's terms":   func(v *settlement.Vault) { v.Derived = nil },
		"another epoch":        func(v *settlement.Vault) { v.Derived = &settlement.Derivation{Marketplace: "acme", Epoch: 2} },
		"a payer of 20 bytes":  func(v *settlement.Vault) { v.Payer = v.Payer[:20] },
		"no payee":             func(v *settlement.Vault) { v.Payee = wallet32("\x00") },
		"payee and payer":      func(v *settlement.Vault) { v.Payee = v.Payer },
		"we as the payee":      func(v *settlement.Vault) { v.Payee = c.FeePayer() },
		"the vault as payer":   func(v *settlement.Vault) { v.Payer = at },
		"nothing":              func(v *settlement.Vault) { v.Amount = settlement.Amount{} },
		"more than 64 bits":    func(v *settlement.Vault) { v.Amount = settlement.NewAmount(1 << 63).Add(settlement.NewAmount(1 << 63)) },
		"SOL that nobody gets": func(v *settlement.Vault) { v.Token, v.Amount = "", settlement.NewAmount(890_879) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := terms
			v.Address = ""
			change(&v)
			if got, err := c.Address(v); err == nil {
				t.Errorf("address %x", got)
			}
		})
	}
	terms.Address, terms.Token, terms.Amount = "", "", settlement.NewAmount(890_880)
	if _, err := c.Address(terms); err != nil {
		t.Errorf("SOL that an account lives by: %v", err)
	}
	if _, err := NewCustody("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", sdk.MustHashFromBase58(mainnet), knownSecret(1, false)); err == nil {
		t.Error("a custody of another cluster")
	}
}
