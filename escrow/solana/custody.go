package solana

import (
	"errors"
	"fmt"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// Custody is the wallets of one cluster's orders: whoever has its secret holds the money in them.
type Custody struct {
	chain   settlement.ChainID
	genesis sdk.Hash
	secret  *Secret
	payer   Wallet
}

// NewCustody returns an error when the genesis hash is another cluster's than the chain's.
func NewCustody(chain settlement.ChainID, genesis sdk.Hash, secret *Secret) (*Custody, error) {
	if err := checkGenesis(chain, genesis); err != nil {
		return nil, err
	}
	payer, err := secret.FeePayer(genesis)
	return &Custody{chain, genesis, secret, payer}, err
}

func checkGenesis(chain settlement.ChainID, genesis sdk.Hash) error {
	if name := genesis.String(); chain.Namespace() != "solana" || len(name) < 32 || chain.Reference() != name[:32] { // CAIP-30
		return fmt.Errorf("chain %q is not the cluster with the genesis hash %s", chain, genesis)
	}
	return nil
}

// Epoch is the secret's.
func (c *Custody) Epoch() uint32 { return c.secret.epoch }

// FeePayer is the wallet that pays the fees of releases, and the operator of all vaults of the epoch.
func (c *Custody) FeePayer() settlement.Address { return addressOf(c.payer.Address()) }

// Address is the wallet of the vault. The error says why none may be handed out for its terms.
func (c *Custody) Address(v settlement.Vault) (settlement.Address, error) {
	v.Address = ""
	w, err := c.wallet(v)
	if err != nil {
		return "", err
	}
	at := addressOf(w.Address())
	for name, party := range map[string]settlement.Address{"payer": v.Payer, "payee": v.Payee} {
		if _, err := publicKey(party); err != nil {
			return "", fmt.Errorf("the %s: %w", name, err)
		}
		if party == at || party == c.FeePayer() {
			return "", fmt.Errorf("the %s is a wallet of ours", name)
		}
	}
	switch amount := v.Amount.Big(); {
	case v.Payer == v.Payee:
		return "", errors.New("payer and payee are the same")
	case !amount.IsUint64() || amount.Sign() == 0:
		return "", fmt.Errorf("%s base units are not 1 to 2^64-1", v.Amount)
	case v.Token == "" && amount.Uint64() < RentExempt(0):
		return "", fmt.Errorf("%s lamports are less than the %d that an account lives by: a payee without SOL could not be paid", v.Amount, RentExempt(0))
	}
	return at, nil
}

// wallet derives the vault's wallet, which must be the one of its address where it has one.
func (c *Custody) wallet(v settlement.Vault) (Wallet, error) {
	d := v.Derived
	switch {
	case v.Chain != c.chain:
		return Wallet{}, fmt.Errorf("the vault is of chain %s, not %s", v.Chain, c.chain)
	case d == nil:
		return Wallet{}, errors.New("the vault's key is not derived")
	case d.Epoch != c.secret.epoch:
		return Wallet{}, fmt.Errorf("the vault's key is of epoch %d, and the secret of epoch %d", d.Epoch, c.secret.epoch)
	}
	w, err := c.secret.Wallet(Vault{Genesis: c.genesis, Marketplace: d.Marketplace, Payment: d.Order, Generation: d.Generation})
	if err == nil && v.Address != "" && addressOf(w.Address()) != v.Address {
		err = fmt.Errorf("the secret makes wallet %s, not %s", w.Address(), sdk.PublicKeyFromBytes([]byte(v.Address)))
	}
	return w, err
}

func addressOf(k sdk.PublicKey) settlement.Address { return settlement.Address(k[:]) }

func publicKey(a settlement.Address) (sdk.PublicKey, error) {
	var k sdk.PublicKey
	if len(a) != len(k) {
		return k, fmt.Errorf("an address of %d bytes, not %d", len(a), len(k))
	}
	if copy(k[:], a); k.IsZero() {
		return k, errors.New("the zero address")
	}
	return k, nil
}
