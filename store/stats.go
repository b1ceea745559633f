package store

import (
	"context"
	"fmt"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// Backlog is the work that waits.
type Backlog struct {
	Due    int64            // payments whose work is due and in no job
	Parked map[string]int64 // marketplace → payments that wait until its orchestrator is back
}

// ReadBacklog counts on partial indexes: its cost follows what waits, not what there is.
func ReadBacklog(ctx context.Context, db DB, now time.Time) (Backlog, error) {
	q := sqlcgen.New(db)
	due, err := q.CountDue(ctx, now)
	if err != nil {
		return Backlog{}, fmt.Errorf("count due payments: %w", err)
	}
	parked, err := q.CountParked(ctx)
	if err != nil {
		return Backlog{}, fmt.Errorf("count parked payments: %w", err)
	}
	b := Backlog{Due: due, Parked: make(map[string]int64, len(parked))}
	for _, p := range parked {
		b.Parked[p.Marketplace] = p.Count
	}
	return b, nil
}

// ChainProgress is how far a chain has been scanned.
type ChainProgress struct {
	Chain          settlement.ChainID
	Scanned, Final uint64
}

// Progress returns every chain that was ever scanned.
func Progress(ctx context.Context, db DB) ([]ChainProgress, error) {
	rows, err := sqlcgen.New(db).Chains(ctx)
	if err != nil {
		return nil, fmt.Errorf("read cursors: %w", err)
	}
	out := make([]ChainProgress, len(rows))
	for i, r := range rows {
		out[i] = ChainProgress{Chain: settlement.ChainID(r.Chain), Scanned: uint64(r.Number), Final: uint64(r.Final)}
	}
	return out, nil
}
