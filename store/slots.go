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

// CallSlots is what has become of a call that was given nonces of a signer.
type CallSlots struct {
	Made      bool      // a slot has carried it out, or may yet
	Failed    int       // slots that ended and have done nothing
	ChangedAt time.Time // of the latest change of one of them; of no meaning without any
	// Of the last slot that ended: its transaction, and why it has done nothing, empty where it was carried out.
	TxID    settlement.TxID
	Problem string
}

// SlotsOfCall looks for the signer's slots for exactly this call.
func SlotsOfCall(ctx context.Context, db DB, chain settlement.ChainID, signer settlement.Address, call settlement.Call) (CallSlots, error) {
	r, err := sqlcgen.New(db).SlotsOfCall(ctx, sqlcgen.SlotsOfCallParams{Chain: string(chain), Signer: []byte(signer), Target: []byte(call.Target), Calldata: call.Data})
	if err != nil {
		return CallSlots{}, fmt.Errorf("look for slots of %s: %w", signer, err)
	}
	return CallSlots{r.Made, int(r.Failed), r.ChangedAt.UTC(), settlement.TxID(r.Txid), r.Problem}, nil
}

// SlotState says how far a slot has come.
type SlotState string

// States of slots.
const (
	SlotPrepared SlotState = "prepared"
	SlotSigned   SlotState = "signed"
	SlotSent     SlotState = "sent"
	SlotDone     SlotState = "final"
)

// Slot is a nonce of a signer and what it is for.
type Slot struct {
	Nonce     uint64
	Call      settlement.Call
	Void      string // why its calldata will not be carried out; empty where it will
	State     SlotState
	UpdatedAt time.Time
	Signed    []settlement.SignedTx // in the order of signing
	Movements []settlement.Movement
}

// ReserveSlot takes the signer's next nonce for the call and the movements in it, which must be approved.
func ReserveSlot(ctx context.Context, tx pgx.Tx, s Signer, call settlement.Call, moved []settlement.Movement, now time.Time) error {
	q := sqlcgen.New(tx)
	n, err := q.ReserveSlot(ctx, sqlcgen.ReserveSlotParams{
		Chain: string(s.Chain), Signer: []byte(s.Address), Nonce: int64(s.NextNonce), Target: []byte(call.Target), Calldata: call.Data,
		GasLimit: int64(call.Gas), Value: call.Value.String(), Now: now,
	})
	if err != nil {
		return fmt.Errorf("reserve nonce %d: %w", s.NextNonce, err)
	}
	if n != 1 {
		return fmt.Errorf("reserve nonce %d: it is not the signer's next one", s.NextNonce)
	}
	p := sqlcgen.PrepareMovementsParams{Signer: []byte(s.Address), Nonce: int64(s.NextNonce), Now: now}
	for _, m := range moved {
		p.PaymentIds = append(p.PaymentIds, m.Payment)
		p.Parts = append(p.Parts, int16(m.Part))
	}
	prepared, err := q.PrepareMovements(ctx, p)
	if err != nil {
		return fmt.Errorf("prepare %d movements: %w", len(moved), err)
	}
	if int(prepared) != len(moved) {
		return fmt.Errorf("prepare %d movements: %d are not approved any more", len(moved), len(moved)-int(prepared))
	}
	return nil
}

// OpenSlots reads the signer's slots of which nothing is final, by nonce.
func OpenSlots(ctx context.Context, db DB, chain settlement.ChainID, signer settlement.Address) ([]Slot, error) {
	q := sqlcgen.New(db)
	rows, err := q.OpenSlots(ctx, sqlcgen.OpenSlotsParams{Chain: string(chain), Signer: []byte(signer)})
	if err != nil {
		return nil, fmt.Errorf("read open slots of %s: %w", signer, err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	slots := make([]Slot, len(rows))
	place := make(map[uint64]int, len(rows))
	for i, r := range rows {
		slots[i] = Slot{
			Nonce: uint64(r.Nonce), State: SlotState(r.State), Void: r.Void, UpdatedAt: r.UpdatedAt.UTC(),
			Call: settlement.Call{Target: settlement.Address(r.Target), Data: r.Calldata, Gas: uint64(r.GasLimit)},
		}
		if slots[i].Call.Value, err = parseAmount(r.Value); err != nil {
			return nil, fmt.Errorf("read nonce %d of %s: %w", r.Nonce, signer, err)
		}
		place[slots[i].Nonce] = i
	}
	signed, err := q.TransactionsOfSlots(ctx, sqlcgen.TransactionsOfSlotsParams{Chain: string(chain), Signer: []byte(signer)})
	if err != nil {
		return nil, fmt.Errorf("read signed transactions of %s: %w", signer, err)
	}
	for _, r := range signed {
		tx := settlement.SignedTx{TxID: settlement.TxID(r.Txid), Raw: r.Raw, LastHeight: uint64(r.LastHeight)}
		var errs [2]error
		tx.Fees.Max, errs[0] = parseAmount(r.MaxFee)
		tx.Fees.Tip, errs[1] = parseAmount(r.Tip)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, fmt.Errorf("read transaction %s: %w", tx.TxID, err)
		}
		if i, ok := place[uint64(r.Nonce)]; ok { // else the slot was opened between the two reads
			slots[i].Signed = append(slots[i].Signed, tx)
		}
	}
	in, err := q.MovementsOfSlots(ctx, sqlcgen.MovementsOfSlotsParams{Chain: string(chain), Signer: []byte(signer)})
	if err != nil {
		return nil, fmt.Errorf("read movements in slots of %s: %w", signer, err)
	}
	moved, err := movements(in, func(r sqlcgen.MovementsOfSlotsRow) sqlcgen.MovementsOfRow { return sqlcgen.MovementsOfRow(r) })
	if err != nil {
		return nil, err
	}
	for _, m := range moved {
		if i, ok := place[m.Slot.Nonce]; ok {
			slots[i].Movements = append(slots[i].Movements, m)
		}
	}
	return slots, nil
}

// KeepSigned stores a signed transaction of the slot before it is sent. The first one makes the slot signed.
func KeepSigned(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, slot settlement.Slot, signed settlement.SignedTx, now time.Time) error {
	err := sqlcgen.New(tx).InsertSlotTransaction(ctx, sqlcgen.InsertSlotTransactionParams{
		Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce), Txid: []byte(signed.TxID), Raw: signed.Raw,
		MaxFee: signed.Fees.Max.String(), Tip: signed.Fees.Tip.String(), LastHeight: int64(signed.LastHeight), Now: now,
	})
	if err != nil {
		return fmt.Errorf("keep transaction %s of nonce %d: %w", signed.TxID, slot.Nonce, err)
	}
	return nil
}

// VoidSlot says why the slot's calldata will not be carried out. What was signed before may still be, until one of all is final.
func VoidSlot(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, slot settlement.Slot, reason string) error {
	n, err := sqlcgen.New(tx).VoidSlot(ctx, sqlcgen.VoidSlotParams{
		Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce), Reason: reason,
	})
	if err == nil && n != 1 {
		err = errors.New("it is final")
	}
	if err != nil {
		return fmt.Errorf("void nonce %d: %w", slot.Nonce, err)
	}
	return nil
}

// MoveSlot takes the slot and its movements from one state to the next; to the same state again it notes the time.
func MoveSlot(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, slot settlement.Slot, from, to SlotState, now time.Time) error {
	q := sqlcgen.New(tx)
	n, err := q.MoveSlot(ctx, sqlcgen.MoveSlotParams{
		Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce), State: string(to), Now: now,
	})
	if err == nil && n != 1 {
		err = errors.New("it is final")
	}
	if err == nil && from != to {
		err = q.MoveMovements(ctx, sqlcgen.MoveMovementsParams{
			Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce), OldState: string(from), State: string(to), Now: now,
		})
	}
	if err != nil {
		return fmt.Errorf("move nonce %d from %s to %s: %w", slot.Nonce, from, to, err)
	}
	return nil
}

// EndSlot records the transaction that carried the slot out, and what became of its movements: final or reverted, with the
// problem. Without a transaction the slot must be void: nothing of it can come into a block any more.
func EndSlot(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, slot settlement.Slot, end settlement.SlotOutcome, moved []settlement.Movement, now time.Time) error {
	q := sqlcgen.New(tx)
	done := sqlcgen.MoveSlotParams{
		Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce), State: string(SlotDone), Problem: end.Problem, Block: int64(end.Block.Number), Now: now,
	}
	if end.TxID != "" {
		done.Txid = []byte(end.TxID)
	}
	if end.Block.Hash != "" {
		done.BlockHash = []byte(end.Block.Hash)
	}
	n, err := q.MoveSlot(ctx, done)
	if err == nil && n != 1 {
		err = errors.New("it is final already")
	}
	if err != nil {
		return fmt.Errorf("end nonce %d: %w", slot.Nonce, err)
	}
	p := sqlcgen.EndMovementsParams{Now: now}
	for _, m := range moved {
		p.PaymentIds = append(p.PaymentIds, m.Payment)
		p.Parts = append(p.Parts, int16(m.Part))
		p.States = append(p.States, string(m.State))
		p.Problems = append(p.Problems, m.Problem)
	}
	if _, err := q.EndMovements(ctx, p); err != nil {
		return fmt.Errorf("end %d movements of nonce %d: %w", len(moved), slot.Nonce, err)
	}
	return nil
}

// DirectRefundAt is the refund of a direct payment that the slot was reserved for, and how much it is; ErrNotFound where it was
// reserved for none.
func DirectRefundAt(ctx context.Context, db DB, chain settlement.ChainID, slot settlement.Slot) (settlement.DirectRefund, settlement.Amount, error) {
	r, err := sqlcgen.New(db).DirectRefundAt(ctx, sqlcgen.DirectRefundAtParams{Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce)})
	if errors.Is(err, pgx.ErrNoRows) {
		return settlement.DirectRefund{}, settlement.Amount{}, ErrNotFound
	}
	var amount settlement.Amount
	if err == nil {
		amount, err = parseAmount(r.Amount)
	}
	if err != nil {
		return settlement.DirectRefund{}, settlement.Amount{}, fmt.Errorf("read what nonce %d of %s is for: %w", slot.Nonce, slot.Sender, err)
	}
	return settlement.DirectRefund{Token: settlement.Address(r.Token), Receiver: settlement.Address(r.Receiver)}, amount, nil
}

// Reserved is what nonces were reserved for.
type Reserved struct {
	Payments uint64
	Amounts  map[settlement.Address]settlement.Amount // token → base units
}

// ReservedSince adds up what the signer's nonces were reserved for since a time, without the nonce that is named.
func ReservedSince(ctx context.Context, db DB, chain settlement.ChainID, slot settlement.Slot, since time.Time) (Reserved, error) {
	return reserved(ctx, db, chain, slot, since, false)
}

// ReservedOfVaults is ReservedSince for all signers that pay out of the chain's vaults together.
func ReservedOfVaults(ctx context.Context, db DB, chain settlement.ChainID, slot settlement.Slot, since time.Time) (Reserved, error) {
	return reserved(ctx, db, chain, slot, since, true)
}

func reserved(ctx context.Context, db DB, chain settlement.ChainID, slot settlement.Slot, since time.Time, allVaults bool) (Reserved, error) {
	rows, err := sqlcgen.New(db).ReservedSince(ctx, sqlcgen.ReservedSinceParams{
		Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce), Since: since, AllVaults: allVaults,
	})
	if err != nil {
		return Reserved{}, fmt.Errorf("add up what signer %s has reserved: %w", slot.Sender, err)
	}
	r := Reserved{Amounts: make(map[settlement.Address]settlement.Amount, len(rows))}
	for _, row := range rows {
		r.Payments += uint64(row.Payments)
		if r.Amounts[settlement.Address(row.Token)], err = parseAmount(row.Amount); err != nil {
			return Reserved{}, fmt.Errorf("add up what signer %s has reserved: %w", slot.Sender, err)
		}
	}
	return r, nil
}
