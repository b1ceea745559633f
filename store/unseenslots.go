package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// UnseenSlot is a slot whose transaction was called final by the signer's own look at the chain, with the block that it was seen in.
type UnseenSlot struct {
	settlement.Slot
	Block settlement.Block // without its time
}

// UnseenSlots reads at most limit slots whose block is at most upTo and was not compared with the chain's, lowest block first.
func UnseenSlots(ctx context.Context, db DB, chain settlement.ChainID, upTo uint64, limit int) ([]UnseenSlot, error) {
	rows, err := sqlcgen.New(db).UnseenSlots(ctx, sqlcgen.UnseenSlotsParams{Chain: string(chain), BlockNumber: int64(upTo), RowLimit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("read what was called final on %s: %w", chain, err)
	}
	slots := make([]UnseenSlot, len(rows))
	for i, r := range rows {
		slots[i] = UnseenSlot{
			settlement.Slot{Sender: settlement.Address(r.Signer), Nonce: uint64(r.Nonce)},
			settlement.Block{Number: uint64(*r.BlockNumber), Hash: settlement.BlockHash(r.UnseenHash)},
		}
	}
	return slots, nil
}

// CompareSlots notes that the slots' blocks were compared with the chain's, and that those of gone have left it.
func CompareSlots(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, seen, gone []UnseenSlot, now time.Time) ([]LostPayout, error) {
	keys := func(slots []UnseenSlot) (signers [][]byte, nonces []int64) {
		for _, s := range slots {
			signers, nonces = append(signers, []byte(s.Sender)), append(nonces, int64(s.Nonce))
		}
		return signers, nonces
	}
	q := sqlcgen.New(tx)
	lose := sqlcgen.LoseSlotsParams{Chain: string(chain), Now: now}
	lose.Signers, lose.Nonces = keys(gone)
	rows, err := q.LoseSlots(ctx, lose)
	if err == nil {
		see := sqlcgen.SeeSlotsParams{Chain: string(chain)}
		see.Signers, see.Nonces = keys(slices.Concat(gone, seen))
		err = q.SeeSlots(ctx, see)
	}
	if err != nil {
		return nil, fmt.Errorf("compare blocks of %d transactions on %s: %w", len(seen)+len(gone), chain, err)
	}
	lost := make([]LostPayout, len(rows))
	for i, r := range rows {
		lost[i] = LostPayout{settlement.TxID(r.Txid), uint64(*r.BlockNumber), r.PaymentID, r.Direct, r.Told}
	}
	return lost, nil
}
