package evm

import (
	"context"
	"errors"
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/settlement"
)

// Happened reads what the vaults' factory logged in the blocks from..to, which must be final, in their order and for all
// vaults of the chain at once.
func (m *Mover) Happened(ctx context.Context, from, to uint64) ([]settlement.VaultEvent, error) {
	var events []settlement.VaultEvent
	err := m.ask(ctx, func(ctx context.Context, client *rpc.Client) (err error) {
		events, err = happened(ctx, client, from, to)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what happened at vaults in blocks %d to %d: %w", from, to, err)
	}
	return events, nil
}

func happened(ctx context.Context, client *rpc.Client, from, to uint64) ([]settlement.VaultEvent, error) {
	var logs []types.Log
	var last *header
	abi := vaultsABI.Events
	// The block is asked for together with the logs: an endpoint that has not come to it would show too few.
	batch := []rpc.BatchElem{
		{Method: "eth_getBlockByNumber", Args: []any{hexutil.EncodeUint64(to), false}, Result: &last},
		{Method: "eth_getLogs", Args: []any{map[string]any{
			"address": Factory, "fromBlock": hexutil.EncodeUint64(from), "toBlock": hexutil.EncodeUint64(to),
			"topics": []any{[]common.Hash{abi["Paid"].ID, abi["Reclaimed"].ID, abi["Frozen"].ID}},
		}}, Result: &logs},
	}
	if err := client.BatchCallContext(ctx, batch); err != nil {
		return nil, err
	}
	if err := errors.Join(batch[0].Error, batch[1].Error); err != nil {
		return nil, err
	}
	if last == nil || uint64(last.Number) != to {
		return nil, fmt.Errorf("block %d is not there", to)
	}
	type place struct {
		txid  common.Hash
		vault common.Address
	}
	counts := make(map[place]uint16)
	events := make([]settlement.VaultEvent, 0, len(logs))
	factory := contracts.NewOrderVaults()
	for i := range logs {
		l := &logs[i]
		if l.Address != Factory || l.Removed || l.BlockNumber < from || l.BlockNumber > to || len(l.Topics) == 0 {
			return nil, fmt.Errorf("log %d of block %d was not asked for", l.Index, l.BlockNumber)
		}
		var vault, receiver common.Address
		e := settlement.VaultEvent{
			TxID:  settlement.TxID(l.TxHash[:]),
			Block: settlement.Block{Number: l.BlockNumber, Hash: settlement.BlockHash(l.BlockHash[:])},
		}
		toPayee, toPayer := new(big.Int), new(big.Int)
		var err error
		switch l.Topics[0] {
		case abi["Paid"].ID:
			var paid *contracts.OrderVaultsPaid
			if paid, err = factory.UnpackPaidEvent(l); err == nil {
				e.Kind, vault, e.Part, toPayee, toPayer = settlement.VaultEventPaid, paid.Vault, uint8(paid.Part.Uint64()), paid.ToPayee, paid.ToPayer //nolint:gosec // the vault knows parts up to 255
				e.Owed = !paid.PayeePaid || !paid.PayerPaid
			}
		case abi["Reclaimed"].ID:
			var back *contracts.OrderVaultsReclaimed
			if back, err = factory.UnpackReclaimedEvent(l); err == nil {
				e.Kind, vault, toPayer, receiver = settlement.VaultEventReclaimed, back.Vault, back.Amount, back.Receiver
				e.Receiver = settlement.Address(receiver[:])
			}
		default:
			var frozen *contracts.OrderVaultsFrozen
			if frozen, err = factory.UnpackFrozenEvent(l); err == nil {
				e.Kind, vault = settlement.VaultEventFrozen, frozen.Vault
			}
		}
		if err != nil {
			return nil, fmt.Errorf("log %d of block %d: %w", l.Index, l.BlockNumber, err)
		}
		e.Vault = settlement.Address(vault[:])
		at := place{l.TxHash, vault}
		e.Ordinal = counts[at]
		counts[at]++
		var errs [2]error
		e.ToPayee, errs[0] = settlement.AmountFromBig(toPayee)
		e.ToPayer, errs[1] = settlement.AmountFromBig(toPayer)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, fmt.Errorf("log %d of block %d: %w", l.Index, l.BlockNumber, err)
		}
		events = append(events, e)
	}
	return events, nil
}
