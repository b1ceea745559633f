package evm

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/settler-pay/settler/settlement"
)

// Sign makes and signs the slot's transaction. last are the fees of the one that was signed before it, nil for none: the new
// one offers at least an eighth more, or the error is settlement.ErrFeeCap. The cap is that of urgent ones where it is urgent. Nothing but the fees ever differs.
func (m *Mover) Sign(ctx context.Context, slot settlement.Slot, call settlement.Call, last *settlement.Fees, urgent bool) (settlement.SignedTx, error) {
	var fees offer
	err := m.ask(ctx, func(ctx context.Context, client *rpc.Client) (err error) {
		fees, err = readFees(ctx, client)
		return err
	})
	if err != nil {
		return settlement.SignedTx{}, err
	}
	limit := m.cfg.MaxFee
	if urgent && m.cfg.MaxFeeUrgent != nil {
		limit = m.cfg.MaxFeeUrgent
	}
	if fees, err = fees.above(last, limit); err != nil {
		return settlement.SignedTx{}, err
	}
	to := common.BytesToAddress([]byte(call.Target))
	tx := types.NewTx(&types.DynamicFeeTx{
		ChainID: m.chainID, Nonce: slot.Nonce, GasTipCap: fees.tip, GasFeeCap: fees.max, Gas: call.Gas, To: &to, Value: call.Value.Big(), Data: call.Data,
	})
	if fees.legacy {
		tx = types.NewTx(&types.LegacyTx{Nonce: slot.Nonce, GasPrice: fees.max, Gas: call.Gas, To: &to, Value: call.Value.Big(), Data: call.Data})
	}
	signed, err := m.cfg.Signer.SignTx(ctx, tx, m.chainID)
	if err != nil {
		return settlement.SignedTx{}, fmt.Errorf("sign nonce %d: %w", slot.Nonce, err)
	}
	raw, err := signed.MarshalBinary()
	if err != nil {
		return settlement.SignedTx{}, fmt.Errorf("encode nonce %d: %w", slot.Nonce, err)
	}
	hash := signed.Hash()
	out := settlement.SignedTx{TxID: settlement.TxID(hash[:]), Raw: raw}
	var errs [2]error
	out.Fees.Max, errs[0] = settlement.AmountFromBig(fees.max)
	out.Fees.Tip, errs[1] = settlement.AmountFromBig(fees.tip)
	return out, errors.Join(errs[:]...)
}

// offer is what a transaction pays for a unit of gas.
type offer struct {
	max, tip *big.Int
	legacy   bool // the chain has no base fee
}

func readFees(ctx context.Context, client *rpc.Client) (offer, error) {
	latest, err := readHeader(ctx, client, "latest")
	if err != nil {
		return offer{}, err
	}
	var price hexutil.Big
	if latest.BaseFee == nil {
		if err := client.CallContext(ctx, &price, "eth_gasPrice"); err != nil {
			return offer{}, fmt.Errorf("read the gas price: %w", err)
		}
		return offer{max: price.ToInt(), tip: new(big.Int), legacy: true}, nil
	}
	if err := client.CallContext(ctx, &price, "eth_maxPriorityFeePerGas"); err != nil {
		return offer{}, fmt.Errorf("read the priority fee: %w", err)
	}
	dearest := new(big.Int).Mul(latest.BaseFee.ToInt(), big.NewInt(defaultAhead))
	return offer{max: dearest.Add(dearest, price.ToInt()), tip: price.ToInt()}, nil
}

// above is an offer that replaces the last one, within the cap.
func (o offer) above(last *settlement.Fees, limit *big.Int) (offer, error) {
	atLeast := func(value *big.Int, was settlement.Amount) *big.Int {
		least := new(big.Int).Div(new(big.Int).Mul(was.Big(), big.NewInt(bumpNumer)), big.NewInt(bumpDenom))
		least.Add(least, big.NewInt(1))
		if value.Cmp(least) < 0 {
			return least
		}
		return value
	}
	if last != nil {
		o.max = atLeast(o.max, last.Max)
		if !o.legacy {
			o.tip = atLeast(o.tip, last.Tip)
		}
	}
	if o.max.Cmp(limit) > 0 {
		if last != nil && atLeast(limit, last.Max).Cmp(limit) > 0 {
			return o, settlement.ErrFeeCap
		}
		o.max = new(big.Int).Set(limit)
	}
	if o.tip.Cmp(o.max) > 0 {
		o.tip = new(big.Int).Set(o.max)
	}
	return o, nil
}

// Send hands the bytes to every endpoint. It is enough that one takes them, or has them already: what becomes of them is
// for Outcome to say.
func (m *Mover) Send(ctx context.Context, raw []byte) error {
	ctx, cancel := context.WithTimeout(ctx, m.cfg.Timeout)
	defer cancel()
	var faults []error
	taken := false
	for i, client := range m.clients {
		var hash common.Hash
		err := client.CallContext(ctx, &hash, "eth_sendRawTransaction", hexutil.Bytes(raw))
		if err == nil || known(err) {
			taken = true
			continue
		}
		faults = append(faults, fmt.Errorf("endpoint %s: %w", m.names[i], quiet(err)))
	}
	if taken {
		return nil
	}
	return fmt.Errorf("send transaction: %w", errors.Join(faults...))
}

// known reports whether a node refuses a transaction because it, or another one of its nonce, is there.
//
// Source: the texts of go-ethereum (core/txpool/errors.go, core/error.go), Nethermind, Erigon and Frontier.
func known(err error) bool {
	text := strings.ToLower(err.Error())
	for _, each := range []string{"already known", "known transaction", "alreadyknown", "already imported", "nonce too low", "oldnonce", "underpriced"} {
		if strings.Contains(text, each) {
			return true
		}
	}
	return false
}
