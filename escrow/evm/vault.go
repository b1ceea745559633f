package evm

import (
	"fmt"
	"strconv"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/settlement"
)

// FromVault is a vault's terms as the contract knows them. The error says why there can be no such vault.
func FromVault(v settlement.Vault) (Terms, error) {
	id, err := strconv.ParseUint(v.Chain.Reference(), 10, 64)
	if err != nil || v.Chain.Namespace() != "eip155" {
		return Terms{}, fmt.Errorf("chain %q is not an EVM chain", v.Chain)
	}
	t := Terms{
		ChainID: id, OrderKey: v.OrderKey, Amount: v.Amount, ReclaimDeadline: v.ReclaimAt, DisputeDeadline: v.DisputeAt, DefaultToPayee: v.DefaultToPayee,
	}
	for _, a := range []struct {
		name string
		from settlement.Address
		to   *common.Address
	}{
		{"token", v.Token, &t.Token},
		{"payer", v.Payer, &t.Payer},
		{"payee", v.Payee, &t.Payee},
		{"operator", v.Operator, &t.Operator},
		{"arbiter", v.Arbiter, &t.Arbiter},
	} {
		if len(a.from) != common.AddressLength {
			return Terms{}, fmt.Errorf("the %s is missing, or is the chain's own coin, which no vault holds", a.name)
		}
		copy(a.to[:], a.from)
	}
	if err := t.Check(); err != nil {
		return Terms{}, err
	}
	if at := t.Vault(); v.Address != "" && settlement.Address(at[:]) != v.Address {
		return Terms{}, fmt.Errorf("the terms make vault %s, not %s", at, v.Address)
	}
	return t, nil
}

// Instrument gives addresses to vaults.
type Instrument struct{}

// Address is where the terms' vault is. The error says why no vault may be handed out for them.
func (Instrument) Address(v settlement.Vault) (settlement.Address, error) {
	v.Address = ""
	t, err := FromVault(v)
	if err != nil {
		return "", err
	}
	at := t.Vault()
	return settlement.Address(at[:]), nil
}
