package evm

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/settlement"
)

// Version is the version of the terms that the contract serves.
const Version = 1

// Terms are what a vault holds money for. They are the vault's address: two vaults differ when one field differs, and
// nobody can change them. Amounts are in the token's base units, times in whole seconds of block time.
type Terms struct {
	ChainID         uint64   // of eip155
	OrderKey        [32]byte // names the order, and makes its vault differ from any other of the same terms
	Token           common.Address
	Amount          settlement.Amount // what the payee may receive at most; all else is the payer's
	Payer, Payee    common.Address
	Operator        common.Address    // divides the money before ReclaimDeadline
	Arbiter         common.Address    // freezes, and divides what is frozen before DisputeDeadline
	ReclaimDeadline time.Time         // from here on the payer may take back what is not frozen
	DisputeDeadline time.Time         // from here on either party may have what is frozen divided by default
	DefaultToPayee  settlement.Amount // the payee's total then
}

// maxAmount is what the contract counts with.
var maxAmount = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))

// Check says why no vault may be handed out for the terms. The contract itself serves any.
func (t Terms) Check() error {
	var none common.Address
	switch {
	case t.ChainID == 0:
		return errors.New("the chain is missing")
	case t.OrderKey == [32]byte{}:
		return errors.New("the order key is missing")
	case t.Token == none || t.Payer == none || t.Payee == none || t.Operator == none || t.Arbiter == none:
		return errors.New("token, payer, payee, operator and arbiter must all be named")
	case t.Payer == t.Payee:
		return errors.New("payer and payee are the same")
	case t.Operator == t.Payer || t.Operator == t.Payee || t.Arbiter == t.Payer || t.Arbiter == t.Payee:
		return errors.New("operator and arbiter must not be a party of the order")
	case t.Amount.IsZero() || t.Amount.Big().Cmp(maxAmount) > 0:
		return fmt.Errorf("the amount %s is not 1 to 2^128-1 base units", t.Amount)
	case t.DefaultToPayee.Cmp(t.Amount) > 0:
		return fmt.Errorf("the default of %s is more than the amount %s", t.DefaultToPayee, t.Amount)
	case t.ReclaimDeadline.Unix() <= 0 || !t.DisputeDeadline.After(t.ReclaimDeadline):
		return errors.New("the dispute deadline must be after the reclaim deadline")
	case t.ReclaimDeadline.Nanosecond() != 0 || t.DisputeDeadline.Nanosecond() != 0:
		return errors.New("the deadlines must be whole seconds")
	}
	return nil
}

// Vault is the address of the terms' vault, deployed or not. It is the same as OrderVaults.vaultOf gives.
func (t Terms) Vault() common.Address {
	args, err := termsType.Pack(t.contract())
	if err != nil {
		panic(err) // Terms has a value of the right type for each field
	}
	// An OpenZeppelin clone with immutable arguments: creation code, an EIP-1167 proxy of the implementation, the arguments.
	code := make([]byte, 0, 55+len(args))
	code = append(code, 0x61, byte((len(args)+45)>>8), byte(len(args)+45))
	code = append(code, 0x3d, 0x81, 0x60, 0x0a, 0x3d, 0x39, 0xf3)
	code = append(code, 0x36, 0x3d, 0x3d, 0x37, 0x3d, 0x3d, 0x3d, 0x36, 0x3d, 0x73)
	code = append(code, implementation[:]...)
	code = append(code, 0x5a, 0xf4, 0x3d, 0x82, 0x80, 0x3e, 0x90, 0x3d, 0x91, 0x60, 0x2b, 0x57, 0xfd, 0x5b, 0xf3)
	code = append(code, args...)
	return crypto.CreateAddress2(Factory, [32]byte{}, crypto.Keccak256(code))
}

// contract is the terms as the contract takes them.
func (t Terms) contract() contracts.Terms {
	return contracts.Terms{
		Version: big.NewInt(Version), ChainId: new(big.Int).SetUint64(t.ChainID), OrderKey: t.OrderKey, Token: t.Token, Amount: t.Amount.Big(),
		Payer: t.Payer, Payee: t.Payee, Operator: t.Operator, Arbiter: t.Arbiter,
		ReclaimDeadline: big.NewInt(t.ReclaimDeadline.Unix()), DisputeDeadline: big.NewInt(t.DisputeDeadline.Unix()),
		DefaultToPayee: t.DefaultToPayee.Big(),
	}
}

// termsType is the argument of OrderVaults.vaultOf: one tuple without dynamic parts, encoded as abi.encode does.
var termsType = vaultsABI.Methods["vaultOf"].Inputs

// Deployer is the CREATE2 deployer that stands at this address on most chains. Its input is a salt and creation code.
//
// Source: https://github.com/Arachnid/deterministic-deployment-proxy.
var Deployer = common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C")

// Factory is the address of OrderVaults, deployed through Deployer with salt 0: the same on each chain.
var Factory = crypto.CreateAddress2(Deployer, [32]byte{}, crypto.Keccak256(FactoryCode()))

// implementation is the first contract that the factory creates, in its constructor.
var implementation = crypto.CreateAddress(Factory, 1)

// FactoryCode is the creation code of OrderVaults.
func FactoryCode() []byte { return common.FromHex(contracts.OrderVaultsMetaData.Bin) }
