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

// directCall is the call that gives back a direct payment out of the signer's own wallet.
func directCall(mv settlement.Movement) settlement.Call {
	if mv.Direct.Token == "" {
		return settlement.Call{Target: mv.Direct.Receiver, Data: []byte{}, Value: mv.ToPayer, Gas: gasOfOwn}
	}
	return TransferCall(mv.Direct.Token, mv.Direct.Receiver, mv.ToPayer)
}

// TransferCall is the call that transfers a token out of the signer's own wallet.
func TransferCall(token, to settlement.Address, amount settlement.Amount) settlement.Call {
	return settlement.Call{Target: token, Data: contracts.NewTestUSD().PackTransfer(common.BytesToAddress([]byte(to)), amount.Big()), Gas: gasOfOwn}
}

// prepareDirect makes the transaction of one refund out of the signer's own wallet, if the wallet has enough at the final and at the
// latest block, and the transfer would be carried out at the latter.
func (m *Mover) prepareDirect(ctx context.Context, client *rpc.Client, out settlement.Prepared, mv settlement.Movement, final string) (settlement.Prepared, error) {
	had, err := m.balance(ctx, client, mv.Direct.Token, final)
	if err != nil {
		return out, err
	}
	has, err := m.balance(ctx, client, mv.Direct.Token, "latest")
	if err != nil {
		return out, err
	}
	refuse := func(reason settlement.Code, format string, args ...any) (settlement.Prepared, error) {
		out.Refused = []settlement.RefusedMovement{{Movement: mv, Reason: reason, Detail: fmt.Sprintf(format, args...)}}
		return out, nil
	}
	for _, each := range []*big.Int{had, has} {
		if each.Cmp(mv.ToPayer.Big()) < 0 {
			return refuse(settlement.WalletShort, "the wallet %s has %s base units, and %s are to be given back", m.cfg.Signer.Address(), each, mv.ToPayer)
		}
	}
	c := directCall(mv)
	var answer hexutil.Bytes
	err = client.CallContext(ctx, &answer, "eth_call", call0{
		From: m.cfg.Signer.Address(), To: common.BytesToAddress([]byte(c.Target)), Gas: hexutil.Uint64(c.Gas), Value: (*hexutil.Big)(c.Value.Big()), Data: c.Data,
	}, "latest")
	switch {
	case err != nil && !reverted(err):
		return out, fmt.Errorf("try the transfer: %w", err)
	case err != nil:
		return refuse(settlement.PayoutRefused, "tried, the transfer is refused: %v", err)
	case mv.Direct.Token != "" && len(answer) > 0 && new(big.Int).SetBytes(answer).Cmp(big.NewInt(1)) != 0: // some tokens answer nothing
		return refuse(settlement.PayoutRefused, "tried, the token says that it does not make the transfer")
	}
	out.Available, err = settlement.AmountFromBig(had)
	out.Call, out.Movements = c, []settlement.Movement{mv}
	return out, err
}

// balance is what the signer has of the token, empty for the chain's own coin.
func (m *Mover) balance(ctx context.Context, client *rpc.Client, token settlement.Address, block string) (*big.Int, error) {
	signer := m.cfg.Signer.Address()
	if token == "" {
		var has hexutil.Big
		if err := client.CallContext(ctx, &has, "eth_getBalance", signer, block); err != nil {
			return nil, fmt.Errorf("read the wallet's balance: %w", err)
		}
		return has.ToInt(), nil
	}
	out, err := callAt(ctx, client, signer, common.BytesToAddress([]byte(token)), contracts.NewTestUSD().PackBalanceOf(signer), block)
	if err == nil && len(out) != 32 {
		err = fmt.Errorf("the token answers in %d bytes", len(out))
	}
	if err != nil {
		return nil, fmt.Errorf("read the wallet's balance: %w", err)
	}
	return new(big.Int).SetBytes(out), nil
}

// directPart says what our transaction of a final block did for a refund out of the signer's own wallet. Of a token the contract's own
// event says it, and of native coin what the transaction is: one that succeeded and does nothing takes the place of a void one.
func (m *Mover) directPart(ctx context.Context, client *rpc.Client, receipt *types.Receipt, raw []byte, mv settlement.Movement) (settlement.PartOutcome, error) {
	var tx types.Transaction
	if err := tx.UnmarshalBinary(raw); err != nil {
		return settlement.PartOutcome{}, fmt.Errorf("read transaction %s: %w", receipt.TxHash, err)
	}
	if tx.Hash() != receipt.TxHash {
		return settlement.PartOutcome{}, fmt.Errorf("the bytes of %s are those of %s", receipt.TxHash, tx.Hash())
	}
	receiver, amount := common.BytesToAddress([]byte(mv.Direct.Receiver)), mv.ToPayer.Big()
	if mv.Direct.Token == "" {
		if receipt.Status == types.ReceiptStatusSuccessful && *tx.To() == receiver && tx.Value().Cmp(amount) == 0 && len(tx.Data()) == 0 {
			return settlement.PartOutcome{Paid: true}, nil
		}
	} else {
		usd := contracts.NewTestUSD()
		for _, log := range receipt.Logs {
			if log.Address != common.BytesToAddress([]byte(mv.Direct.Token)) {
				continue
			}
			event, err := usd.UnpackTransferEvent(log)
			// The call is one transfer, so that less than its amount in the log is what the token has left of it.
			if err == nil && event.From == m.cfg.Signer.Address() && event.To == receiver && event.Value.Sign() > 0 && event.Value.Cmp(amount) <= 0 {
				kept := withheld(receipt, log.Address, event.From, receiver, mv.ToPayer)
				return settlement.PartOutcome{Paid: true, Withheld: settlement.Division{ToPayer: kept}}, nil
			}
		}
	}
	c := directCall(mv)
	_, err := callAt(ctx, client, m.cfg.Signer.Address(), common.BytesToAddress([]byte(c.Target)), c.Data, hexutil.EncodeBig(receipt.BlockNumber))
	if refusal, ok := errors.AsType[rpc.DataError](err); ok {
		return settlement.PartOutcome{Problem: fmt.Sprintf("the transfer is refused: %v", refusal)}, nil
	}
	return settlement.PartOutcome{Problem: "the transaction was carried out and made no such transfer"}, err
}

// HasCode reports whether there is code at the account.
func (m *Mover) HasCode(ctx context.Context, account settlement.Address) (there bool, err error) {
	var code hexutil.Bytes
	err = m.ask(ctx, func(ctx context.Context, client *rpc.Client) error {
		if err := client.CallContext(ctx, &code, "eth_getCode", common.BytesToAddress([]byte(account)), "latest"); err != nil {
			return fmt.Errorf("read the code at %s: %w", account, err)
		}
		return nil
	})
	return len(code) > 0, err
}
