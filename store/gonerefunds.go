package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// LostPayout is a movement of a payment that was final and has left the chain.
type LostPayout struct {
	TxID    settlement.TxID
	Block   uint64
	Payment settlement.PaymentID
	Direct  bool // out of the operator's own wallet
	Told    bool // everybody was told that the payment's money moved by it
}

// LoseRefunds notes that the blocks from a number on have left the chain, with the refunds of direct payments in them that are no UnseenSlots.
func LoseRefunds(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, number uint64, now time.Time) ([]LostPayout, error) {
	rows, err := sqlcgen.New(tx).LoseRefunds(ctx, sqlcgen.LoseRefundsParams{Chain: string(chain), BlockNumber: int64(number), Now: now})
	if err != nil {
		return nil, fmt.Errorf("lose refunds from block %d of %s: %w", number, chain, err)
	}
	lost := make([]LostPayout, len(rows))
	for i, r := range rows {
		lost[i] = LostPayout{settlement.TxID(r.Txid), uint64(*r.BlockNumber), r.PaymentID, true, r.Told}
	}
	return lost, nil
}

// GoneRefunds are the wallet's refunds that have left the chain since a time and are not there again, by nonce.
func GoneRefunds(ctx context.Context, db DB, chain settlement.ChainID, wallet settlement.Address, since time.Time) ([]Slot, error) {
	rows, err := sqlcgen.New(db).GoneRefunds(ctx, sqlcgen.GoneRefundsParams{Chain: string(chain), Signer: []byte(wallet), Since: since})
	if err != nil {
		return nil, fmt.Errorf("read refunds that have left %s: %w", chain, err)
	}
	var slots []Slot
	for _, r := range rows {
		if n := len(slots); n == 0 || slots[n-1].Nonce != uint64(r.Nonce) {
			m := settlement.Movement{
				Payment: r.PaymentID, Direct: &settlement.DirectRefund{Token: settlement.Address(r.Token), Receiver: settlement.Address(r.Receiver)},
				TxID: settlement.TxID(r.Txid),
			}
			if m.ToPayer, err = parseAmount(r.ToPayer); err != nil {
				return nil, errors.Join(fmt.Errorf("read nonce %d of %s", r.Nonce, wallet), err)
			}
			slots = append(slots, Slot{Nonce: uint64(r.Nonce), State: SlotDone, Movements: []settlement.Movement{m}})
		}
		last := &slots[len(slots)-1]
		last.Signed = append(last.Signed, settlement.SignedTx{TxID: settlement.TxID(r.Signed), Raw: r.Raw})
	}
	return slots, nil
}

// RefundIsBack notes the final block in which a refund that had left the chain is now.
func RefundIsBack(ctx context.Context, db DB, chain settlement.ChainID, slot settlement.Slot, block settlement.Block) error {
	err := sqlcgen.New(db).RefundIsBack(ctx, sqlcgen.RefundIsBackParams{
		Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce), Block: int64(block.Number), BlockHash: []byte(block.Hash),
	})
	if err != nil {
		return fmt.Errorf("note that nonce %d of %s is back: %w", slot.Nonce, slot.Sender, err)
	}
	return nil
}
