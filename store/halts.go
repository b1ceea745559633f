package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// Everywhere is the scope of a halt of all chains.
const Everywhere = "*"

// Halt says that nothing is moved, on one chain or on all.
type Halt struct {
	Scope    string // CAIP-2, or Everywhere
	Reason   string
	HaltedAt time.Time
}

// Halted returns the halts that concern the chain.
func Halted(ctx context.Context, db DB, chain settlement.ChainID) ([]Halt, error) {
	rows, err := sqlcgen.New(db).Halted(ctx, string(chain))
	if err != nil {
		return nil, fmt.Errorf("read halts of %s: %w", chain, err)
	}
	halts := make([]Halt, len(rows))
	for i, r := range rows {
		halts[i] = Halt{Scope: r.Scope, Reason: r.Reason, HaltedAt: r.HaltedAt.UTC()}
	}
	return halts, nil
}

// Halts returns every halt.
func Halts(ctx context.Context, db DB) ([]Halt, error) {
	rows, err := sqlcgen.New(db).Halts(ctx)
	if err != nil {
		return nil, fmt.Errorf("read halts: %w", err)
	}
	halts := make([]Halt, len(rows))
	for i, r := range rows {
		halts[i] = Halt{Scope: r.Scope, Reason: r.Reason, HaltedAt: r.HaltedAt.UTC()}
	}
	return halts, nil
}

// SetHalt halts the scope; a later reason replaces the earlier.
func SetHalt(ctx context.Context, db DB, scope, reason string, now time.Time) error {
	if err := sqlcgen.New(db).InsertHalt(ctx, sqlcgen.InsertHaltParams{Scope: scope, Reason: reason, Now: now}); err != nil {
		return fmt.Errorf("halt %s: %w", scope, err)
	}
	return nil
}

// LiftHalt ends the halt of the scope and reports whether there was one.
func LiftHalt(ctx context.Context, db DB, scope string) (bool, error) {
	n, err := sqlcgen.New(db).DeleteHalt(ctx, scope)
	if err != nil {
		return false, fmt.Errorf("lift the halt of %s: %w", scope, err)
	}
	return n == 1, nil
}

// HaltRecord says that somebody has halted or resumed.
type HaltRecord struct {
	Scope  string
	Resume bool               // else it was halted
	Signer settlement.Address // of one that was stopped, and signs again
	Reason string
	Actor  settlement.PaymentID // zero for the command line at the database
	Name   string
	Origin string // network address
	At     time.Time
}

// Action is halt, resume or restart.
func (h HaltRecord) Action() string {
	switch {
	case h.Signer != "":
		return "restart"
	case h.Resume:
		return "resume"
	}
	return "halt"
}

// InsertHaltRecord records who has halted or resumed, in the transaction that does it.
func InsertHaltRecord(ctx context.Context, tx pgx.Tx, h HaltRecord) error {
	p := sqlcgen.InsertHaltRecordParams{Scope: h.Scope, Action: h.Action(), Reason: h.Reason, Actor: h.Actor, Name: h.Name, Origin: h.Origin, Now: h.At}
	if h.Signer != "" {
		p.Signer = []byte(h.Signer)
	}
	err := sqlcgen.New(tx).InsertHaltRecord(ctx, p)
	if err != nil {
		return fmt.Errorf("record the %s of %s: %w", p.Action, h.Scope, err)
	}
	return nil
}

// HaltRecords are the last so many, newest first. Their actors are left out.
func HaltRecords(ctx context.Context, db DB, limit int) ([]HaltRecord, error) {
	rows, err := sqlcgen.New(db).HaltRecords(ctx, int32(limit))
	if err != nil {
		return nil, fmt.Errorf("read who has halted: %w", err)
	}
	records := make([]HaltRecord, len(rows))
	for i, r := range rows {
		records[i] = HaltRecord{Scope: r.Scope, Resume: r.Action == "resume", Signer: settlement.Address(r.Signer), Reason: r.Reason, Name: r.Name, Origin: r.Origin, At: r.At.UTC()}
	}
	return records, nil
}
