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

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/settlement"
)

// Outcome says what has become of the slot: of the transactions that were signed for it, and of the movements in it. That a
// transaction succeeded proves nothing: a movement was carried out when the factory's own event of its part says so or, out of the signer's own wallet, the token's.
func (m *Mover) Outcome(ctx context.Context, slot settlement.Slot, call settlement.Call, signed []settlement.SignedTx, movements []settlement.Movement) (settlement.SlotOutcome, error) {
	var out settlement.SlotOutcome
	err := m.ask(ctx, func(ctx context.Context, client *rpc.Client) (err error) {
		out, err = m.outcome(ctx, client, slot, call, signed, movements)
		return err
	})
	return out, err
}

func (m *Mover) outcome(ctx context.Context, client *rpc.Client, slot settlement.Slot, call settlement.Call, signed []settlement.SignedTx, movements []settlement.Movement) (settlement.SlotOutcome, error) {
	// The final block first: what is read after it is not older.
	final, err := m.final(ctx, client)
	if err != nil {
		return settlement.SlotOutcome{}, err
	}
	batch := make([]rpc.BatchElem, len(signed))
	receipts := make([]*types.Receipt, len(signed))
	for i, id := range signed {
		batch[i] = rpc.BatchElem{Method: "eth_getTransactionReceipt", Args: []any{common.BytesToHash([]byte(id.TxID))}, Result: &receipts[i]}
	}
	if err := client.BatchCallContext(ctx, batch); err != nil {
		return settlement.SlotOutcome{}, fmt.Errorf("read receipts of nonce %d: %w", slot.Nonce, err)
	}
	for i, receipt := range receipts {
		switch {
		case batch[i].Error != nil:
			return settlement.SlotOutcome{}, fmt.Errorf("read receipt %s: %w", signed[i].TxID, batch[i].Error)
		case receipt == nil:
			continue
		case receipt.BlockNumber == nil || receipt.EffectiveGasPrice == nil || receipt.TxHash != common.BytesToHash([]byte(signed[i].TxID)):
			return settlement.SlotOutcome{}, fmt.Errorf("the receipt of %s is incomplete or another's", signed[i].TxID)
		case receipt.BlockNumber.Cmp(new(big.Int).SetUint64(uint64(final.Number))) > 0:
			return settlement.SlotOutcome{Fate: settlement.SlotIncluded, TxID: signed[i].TxID}, nil
		}
		block, err := readHeader(ctx, client, hexutil.EncodeBig(receipt.BlockNumber))
		if err != nil {
			return settlement.SlotOutcome{}, err
		}
		if block.Hash != receipt.BlockHash {
			return settlement.SlotOutcome{}, fmt.Errorf("the receipt of %s is of block %s, and block %s is the canonical one", signed[i].TxID, receipt.BlockHash, block.Hash)
		}
		out := settlement.SlotOutcome{Fate: settlement.SlotFinal, TxID: signed[i].TxID, Block: settlement.Block{Number: receipt.BlockNumber.Uint64(), Hash: settlement.BlockHash(block.Hash[:])}}
		cost := new(big.Int).Mul(receipt.EffectiveGasPrice, new(big.Int).SetUint64(receipt.GasUsed))
		if out.Gas, err = settlement.AmountFromBig(cost); err != nil {
			return settlement.SlotOutcome{}, err
		}
		if len(movements) == 1 && movements[0].Direct != nil {
			out.Parts = make([]settlement.PartOutcome, 1)
			out.Parts[0], err = m.directPart(ctx, client, receipt, signed[i].Raw, movements[0])
			return out, err
		}
		if len(movements) == 0 && receipt.Status == types.ReceiptStatusFailed {
			out.Problem, err = m.revert(ctx, client, receipt, call, common.BytesToAddress([]byte(call.Target)), call.Data)
			return out, err
		}
		out.Parts, err = m.parts(ctx, client, receipt, call, movements)
		return out, err
	}
	var used hexutil.Uint64
	if err := client.CallContext(ctx, &used, "eth_getTransactionCount", m.cfg.Signer.Address(), hexutil.EncodeUint64(uint64(final.Number))); err != nil {
		return settlement.SlotOutcome{}, fmt.Errorf("read the signer's nonce: %w", err)
	}
	if uint64(used) > slot.Nonce {
		return settlement.SlotOutcome{Fate: settlement.SlotForeign}, nil
	}
	return settlement.SlotOutcome{Fate: settlement.SlotWaiting}, nil
}

// parts says for each movement what the transaction of a final block did.
func (m *Mover) parts(ctx context.Context, client *rpc.Client, receipt *types.Receipt, call settlement.Call, movements []settlement.Movement) ([]settlement.PartOutcome, error) {
	type key struct {
		vault common.Address
		part  uint64
	}
	paid := make(map[key]*contracts.OrderVaultsPaid)
	factory := contracts.NewOrderVaults()
	for _, log := range receipt.Logs {
		if log.Address != Factory {
			continue
		}
		if event, err := factory.UnpackPaidEvent(log); err == nil && event.Part.IsUint64() {
			paid[key{event.Vault, event.Part.Uint64()}] = event
		}
	}
	out := make([]settlement.PartOutcome, len(movements))
	for i, mv := range movements {
		terms, err := FromVault(mv.Vault)
		if err != nil {
			return nil, fmt.Errorf("vault of payment %s: %w", mv.Payment, err)
		}
		event := paid[key{terms.Vault(), uint64(mv.Part)}]
		switch {
		case event == nil:
			if out[i].Problem, err = m.revert(ctx, client, receipt, call, Factory, contracts.NewOrderVaults().PackPay(paymentOf(terms, mv))); err != nil {
				return nil, err
			}
		case event.OrderKey != terms.OrderKey || event.ToPayee.Cmp(mv.ToPayee.Big()) != 0 || event.ToPayer.Cmp(mv.ToPayer.Big()) != 0:
			return nil, fmt.Errorf("vault %s says that part %d paid %s and %s, not what was signed", terms.Vault(), mv.Part, event.ToPayee, event.ToPayer)
		default:
			out[i].Paid, out[i].Owed = true, !event.PayeePaid || !event.PayerPaid
			if !out[i].Owed {
				token, vault := common.BytesToAddress([]byte(mv.Vault.Token)), terms.Vault()
				out[i].Withheld = settlement.Division{
					ToPayee: withheld(receipt, token, vault, terms.Payee, mv.ToPayee), ToPayer: withheld(receipt, token, vault, terms.Payer, mv.ToPayer),
				}
			}
		}
	}
	return out, nil
}

// withheld is what the token says that it kept of a sum of which the transaction moved no other: the log to the receiver is less. A
// token that logs more than it credits, or nothing, tells of no fee.
func withheld(receipt *types.Receipt, token, from, to common.Address, sent settlement.Amount) settlement.Amount {
	usd := contracts.NewTestUSD()
	for _, log := range receipt.Logs {
		if log.Address != token {
			continue
		}
		event, err := usd.UnpackTransferEvent(log)
		if err != nil || event.From != from || event.To != to {
			continue
		}
		if arrived, err := settlement.AmountFromBig(event.Value); err == nil {
			return sent.Sub(arrived)
		}
	}
	return settlement.Amount{}
}

// revert reads why what the transaction was to do was not carried out, by carrying it out again as a question at the end of its block.
func (m *Mover) revert(ctx context.Context, client *rpc.Client, receipt *types.Receipt, call settlement.Call, to common.Address, data []byte) (string, error) {
	gas := ""
	if receipt.Status == types.ReceiptStatusFailed && receipt.GasUsed >= call.Gas-call.Gas/64 {
		gas = "the transaction used up its gas; "
	}
	_, err := callAt(ctx, client, m.cfg.Signer.Address(), to, data, hexutil.EncodeBig(receipt.BlockNumber))
	if err == nil {
		return gas + "asked again at the end of its block, it would be carried out", nil
	}
	why, ok := whyReverted(err)
	if !ok {
		return "", fmt.Errorf("read why a call was not carried out: %w", err)
	}
	return gas + why, nil
}

// whyReverted says in words why a contract refused a call; ok is false for an error that is no refusal.
func whyReverted(err error) (why string, ok bool) {
	refusal, ok := errors.AsType[rpc.DataError](err)
	if !ok {
		return "", false
	}
	text, _ := refusal.ErrorData().(string)
	raw := common.FromHex(text)
	if failure, err := contracts.NewOrderVault().UnpackError(raw); err == nil {
		return fmt.Sprintf("the vault says %s", nameOf(failure)), true
	}
	if failure, err := contracts.NewOrderVaults().UnpackError(raw); err == nil {
		return fmt.Sprintf("the factory says %s", nameOf(failure)), true
	}
	return fmt.Sprintf("it is reverted with %#x", raw), true
}

// Try asks what the account's call would do at the latest block: it says in words why the contract would refuse it, empty when it would
// carry it out. An error says nothing about the call.
func (m *Mover) Try(ctx context.Context, from settlement.Address, call settlement.Call) (refusal string, err error) {
	err = m.ask(ctx, func(ctx context.Context, client *rpc.Client) error {
		_, err := callAt(ctx, client, common.BytesToAddress([]byte(from)), common.BytesToAddress([]byte(call.Target)), call.Data, "latest")
		if err == nil || !reverted(err) {
			return err
		}
		refusal, _ = whyReverted(err)
		return nil
	})
	return refusal, err
}

// nameOf is a contract's error by its own name, with what it says.
func nameOf(failure any) string {
	name := fmt.Sprintf("%T%+v", failure, failure)
	for _, prefix := range []string{"*contracts.OrderVaults", "*contracts.OrderVault"} {
		if short, ok := strings.CutPrefix(name, prefix); ok {
			return strings.Replace(short, "&", "", 1)
		}
	}
	return name
}
