package evm

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/settlement"
)

// call is what calldata says that the vaults' factory or a token is to do.
type call struct {
	method string
	spends []spend // one for each payment of a batch
}

// spend is money that a call moves, or a vault that it touches.
type spend struct {
	terms    *Terms // of the vault; nil when the money is the signer's own
	token    common.Address
	receiver common.Address    // of the signer's own money; a vault pays the parties of its terms
	amount   settlement.Amount // 0 where an earlier call or the balance decides it
}

// Methods that a signer may be allowed to call, the last one on tokens, all others on the vaults' factory. What only a
// payer or a payee can call is not among them.
const (
	MethodPay         = "pay"
	MethodPayBatch    = "payBatch"
	MethodClaim       = "claim"
	MethodFreeze      = "freeze"
	MethodReturnOther = "returnOther"
	MethodTransfer    = "transfer"
)

var (
	vaultsABI = mustParse(contracts.OrderVaultsMetaData.ParseABI())
	tokenABI  = mustParse(contracts.TestUSDMetaData.ParseABI())
)

func mustParse(parsed *abi.ABI, err error) *abi.ABI {
	if err != nil {
		panic(err) // it is generated with the program
	}
	return parsed
}

// errCalldata means that calldata is not the one encoding of a call's arguments.
var errCalldata = errors.New("the arguments are not encoded as the contract's own bindings do")

// methodOf is the method that the calldata names, or "" when the contract has none such.
func methodOf(parsed *abi.ABI, data []byte) string {
	if len(data) < 4 {
		return ""
	}
	method, err := parsed.MethodById(data[:4])
	if err != nil {
		return ""
	}
	return method.Name
}

// readCall reads what a call of the method does. Only the encoding that the bindings give is accepted, so that no two
// readings of the same bytes are possible. token is the contract that a transfer is called on. The error is errCalldata, or
// says why terms can be no vault of ours.
func readCall(method string, data []byte, token common.Address) (call, error) {
	parsed := vaultsABI
	if method == MethodTransfer {
		parsed = tokenABI
	}
	values, err := parsed.Methods[method].Inputs.Unpack(data[4:])
	if err != nil {
		return call{}, errCalldata
	}
	again, err := parsed.Pack(method, values...)
	if err != nil || !bytes.Equal(again, data) {
		return call{}, errCalldata
	}
	out := call{method: method}
	add := func(t contracts.Terms, amounts ...*big.Int) error {
		terms, err := termsOf(t)
		if err != nil {
			return err
		}
		s := spend{terms: &terms, token: terms.Token}
		for _, each := range amounts {
			if each.Cmp(maxAmount) > 0 {
				return errCalldata
			}
			amount, err := settlement.AmountFromBig(each)
			if err != nil {
				return errCalldata
			}
			s.amount = s.amount.Add(amount)
		}
		out.spends = append(out.spends, s)
		return nil
	}
	switch method {
	case MethodPay:
		p := *abi.ConvertType(values[0], new(contracts.OrderVaultsPayment)).(*contracts.OrderVaultsPayment)
		err = add(p.Terms, p.ToPayee, p.ToPayer)
	case MethodPayBatch:
		for _, p := range *abi.ConvertType(values[0], new([]contracts.OrderVaultsPayment)).(*[]contracts.OrderVaultsPayment) {
			if err = add(p.Terms, p.ToPayee, p.ToPayer); err != nil {
				break
			}
		}
	case MethodClaim, MethodFreeze, MethodReturnOther:
		err = add(*abi.ConvertType(values[0], new(contracts.Terms)).(*contracts.Terms))
	case MethodTransfer:
		var amount settlement.Amount
		amount, err = settlement.AmountFromBig(values[1].(*big.Int))
		out.spends = []spend{{token: token, receiver: values[0].(common.Address), amount: amount}}
	default:
		err = fmt.Errorf("no signer here calls %s", method)
	}
	return out, err
}

// termsOf is the inverse of Terms.contract, of terms that a vault was handed out for.
func termsOf(c contracts.Terms) (Terms, error) {
	if !c.Version.IsUint64() || c.Version.Uint64() != Version {
		return Terms{}, fmt.Errorf("their version is %s, not %d", c.Version, Version)
	}
	if !c.ChainId.IsUint64() || !c.ReclaimDeadline.IsInt64() || !c.DisputeDeadline.IsInt64() {
		return Terms{}, errors.New("chain id or deadlines are out of range")
	}
	t := Terms{
		ChainID: c.ChainId.Uint64(), OrderKey: c.OrderKey, Token: c.Token, Payer: c.Payer, Payee: c.Payee, Operator: c.Operator, Arbiter: c.Arbiter,
		ReclaimDeadline: time.Unix(c.ReclaimDeadline.Int64(), 0), DisputeDeadline: time.Unix(c.DisputeDeadline.Int64(), 0),
	}
	var err error
	if t.Amount, err = settlement.AmountFromBig(c.Amount); err != nil {
		return Terms{}, err
	}
	if t.DefaultToPayee, err = settlement.AmountFromBig(c.DefaultToPayee); err != nil {
		return Terms{}, err
	}
	return t, t.Check()
}
