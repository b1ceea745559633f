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

// HeldFor reads what the payments' vaults hold and, of direct payments, what was not given back; payments whose money others hold are
// left out.
func HeldFor(ctx context.Context, db DB, ids []settlement.PaymentID) (map[settlement.PaymentID]settlement.Held, error) {
	rows, err := sqlcgen.New(db).HeldForPayments(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read what is held for %d payments: %w", len(ids), err)
	}
	held := make(map[settlement.PaymentID]settlement.Held, len(rows))
	for _, r := range rows {
		h := settlement.Held{Direct: r.Direct, NextPart: uint8(r.NextPart), Moving: r.Moving}
		var errs [3]error
		h.Amount, errs[0] = parseAmount(r.Held)
		h.Received, errs[1] = parseAmount(r.Received)
		h.Surplus, errs[2] = parseAmount(r.Surplus)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, fmt.Errorf("read what is held for payment %s: %w", r.PaymentID, err)
		}
		held[r.PaymentID] = h
	}
	return held, nil
}

// InsertMovements records movements that are decided and approved.
func InsertMovements(ctx context.Context, tx pgx.Tx, movements []settlement.Movement, now time.Time) error {
	if len(movements) == 0 {
		return nil
	}
	p := sqlcgen.InsertMovementsParams{Now: now}
	for _, m := range movements {
		p.PaymentIds = append(p.PaymentIds, m.Payment)
		p.Parts = append(p.Parts, int16(m.Part))
		p.Purposes = append(p.Purposes, string(m.Purpose))
		p.ToPayees = append(p.ToPayees, m.ToPayee.String())
		p.ToPayers = append(p.ToPayers, m.ToPayer.String())
		p.Alones = append(p.Alones, m.Alone)
		receiver := []byte{}
		if m.Direct != nil {
			receiver = []byte(m.Direct.Receiver)
		}
		p.Receivers = append(p.Receivers, receiver)
	}
	if err := sqlcgen.New(tx).InsertMovements(ctx, p); err != nil {
		return fmt.Errorf("record %d movements: %w", len(movements), err)
	}
	return nil
}

// Asked is what a payment still asks to be moved.
type Asked struct {
	Payment settlement.PaymentID
	Payout  settlement.Payout // empty for nothing
	Returns bool              // what was decided to go back to the payer may still go
	Problem string            // why all else is given up
}

// CancelMovements gives up what was decided about the payments' money, has no nonce yet, and is not asked for any more.
func CancelMovements(ctx context.Context, tx pgx.Tx, asked []Asked, now time.Time) error {
	if len(asked) == 0 {
		return nil
	}
	p := sqlcgen.CancelMovementsParams{Now: now}
	for _, a := range asked {
		p.PaymentIds = append(p.PaymentIds, a.Payment)
		p.Payouts = append(p.Payouts, string(a.Payout))
		p.Returns = append(p.Returns, a.Returns)
		p.Problems = append(p.Problems, a.Problem)
	}
	if err := sqlcgen.New(tx).CancelMovements(ctx, p); err != nil {
		return fmt.Errorf("cancel movements of %d payments: %w", len(asked), err)
	}
	return nil
}

// Waits says which movements a signer carries out.
type Waits struct {
	Chain  settlement.ChainID
	Signer settlement.Address
	// Arbitrated: what is frozen is for the arbiter alone. Direct: the signer is the wallet that refunds of direct payments come from.
	Arbitrated, Direct bool
	Only               []string // marketplaces whose vaults are paid out of; nil: all
}

// WaitingMovements reads at most limit approved movements that the signer carries out, those first whose vault the payer may
// take back from soonest.
func WaitingMovements(ctx context.Context, db DB, w Waits, limit int) ([]settlement.Movement, error) {
	rows, err := sqlcgen.New(db).WaitingMovements(ctx, sqlcgen.WaitingMovementsParams{
		Chain: string(w.Chain), Signer: []byte(w.Signer), Arbitrated: w.Arbitrated, Direct: w.Direct, Marketplaces: w.Only, RowLimit: int32(limit),
	})
	if err != nil {
		return nil, fmt.Errorf("read movements that wait on %s: %w", w.Chain, err)
	}
	return movements(rows, func(r sqlcgen.WaitingMovementsRow) sqlcgen.MovementsOfRow { return sqlcgen.MovementsOfRow(r) })
}

// VaultsToFreeze reads at most limit vaults of disputed payments that are not frozen on the chain, and still can be.
func VaultsToFreeze(ctx context.Context, db DB, chain settlement.ChainID, arbiter settlement.Address, now time.Time, limit int) ([]settlement.Address, error) {
	rows, err := sqlcgen.New(db).VaultsToFreeze(ctx, sqlcgen.VaultsToFreezeParams{Chain: string(chain), Arbiter: []byte(arbiter), Now: now, RowLimit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("read vaults to freeze on %s: %w", chain, err)
	}
	vaults := make([]settlement.Address, len(rows))
	for i, address := range rows {
		vaults[i] = settlement.Address(address)
	}
	return vaults, nil
}

// NearDeadlines are vaults whose money is still to be moved, or to be frozen, and soon cannot be any more.
type NearDeadlines struct {
	Vaults   int
	Earliest time.Time         // of no meaning without vaults
	MaxFee   settlement.Amount // the most that the last transaction of one of them offers for a unit of gas; 0 where none was signed
}

// ReadNearDeadlines reads those of the chain with a deadline between now and until.
func ReadNearDeadlines(ctx context.Context, db DB, chain settlement.ChainID, now, until time.Time) (NearDeadlines, error) {
	r, err := sqlcgen.New(db).DeadlinesNear(ctx, sqlcgen.DeadlinesNearParams{Chain: string(chain), Now: now, Until: until})
	var fee settlement.Amount
	if err == nil {
		fee, err = parseAmount(r.MaxFee)
	}
	if err != nil {
		return NearDeadlines{}, fmt.Errorf("read deadlines of vaults on %s: %w", chain, err)
	}
	return NearDeadlines{int(r.Vaults), r.Earliest.UTC(), fee}, nil
}

// MovementsOf reads every movement of the payments.
func MovementsOf(ctx context.Context, db DB, ids []settlement.PaymentID) ([]settlement.Movement, error) {
	rows, err := sqlcgen.New(db).MovementsOf(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read movements of %d payments: %w", len(ids), err)
	}
	return movements(rows, func(r sqlcgen.MovementsOfRow) sqlcgen.MovementsOfRow { return r })
}

func movements[R any](rows []R, same func(R) sqlcgen.MovementsOfRow) ([]settlement.Movement, error) {
	out := make([]settlement.Movement, len(rows))
	for i := range rows {
		r := same(rows[i])
		m := settlement.Movement{
			Payment: r.PaymentID, Part: uint8(r.Part), Purpose: settlement.Payout(r.Purpose), State: settlement.MovementState(r.State),
			Alone: r.Alone, Problem: r.Problem,
		}
		var errs [4]error
		m.ToPayee, errs[0] = parseAmount(r.ToPayee)
		m.ToPayer, errs[1] = parseAmount(r.ToPayer)
		if r.Receiver == nil {
			m.Vault, errs[2] = vault(r)
		} else {
			m.Direct = &settlement.DirectRefund{Token: settlement.Address(r.Token), Receiver: settlement.Address(r.Receiver)}
		}
		m.TxID = settlement.TxID(r.Txid)
		if r.Gas != "" {
			m.Gas = new(settlement.Amount)
			*m.Gas, errs[3] = parseAmount(r.Gas)
		}
		if err := errors.Join(errs[:]...); err != nil {
			return nil, fmt.Errorf("read movement %d of payment %s: %w", m.Part, m.Payment, err)
		}
		if r.Signer != nil {
			m.Slot = &settlement.Slot{Sender: settlement.Address(r.Signer), Nonce: uint64(r.Nonce)}
		}
		out[i] = m
	}
	return out, nil
}

// UnknownVaults gives those of the accounts that are no vault that was ever handed out on the chain.
func UnknownVaults(ctx context.Context, db DB, chain settlement.ChainID, accounts []settlement.Address) ([]settlement.Address, error) {
	p := sqlcgen.UnknownVaultsParams{Chain: string(chain)}
	for _, a := range accounts {
		p.Accounts = append(p.Accounts, []byte(a))
	}
	rows, err := sqlcgen.New(db).UnknownVaults(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("look up %d vaults on %s: %w", len(p.Accounts), chain, err)
	}
	unknown := make([]settlement.Address, len(rows))
	for i, account := range rows {
		unknown[i] = settlement.Address(account)
	}
	return unknown, nil
}
