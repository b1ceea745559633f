package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/settler-pay/settler/store"
)

// Errors of closing the ledger.
var (
	ErrLedgerAhead = errors.New("the time has not come yet")
	ErrLedgerBusy  = errors.New("a transaction that posts to the ledger has not ended in time")
)

// closingWait bounds how long a closing waits for transactions that have posted: others that post wait behind it.
const closingWait = "3s"

const (
	// ledgerDay is what totals are kept of.
	ledgerDay = 24 * time.Hour
	// closeInterval is how soon after its end a day is closed.
	closeInterval = 10 * time.Minute
)

// ledgerPage is how many entries of the ledger are read at a time: few enough that each is found by its key.
const ledgerPage = 200

// OpenStatement closes the ledger up to to, and returns what every account had at from. From then on nothing can be posted
// before to, so that what ReadLedger reads of the period is the same for ever, and two periods that meet share and miss no line.
//
// A transaction posts with the time at which it began to post and may commit later than one with a later time. So whoever
// closes waits for all that have posted and not ended; who posts afterwards, with whatever time, posts at the closing's.
//
// It returns ErrLedgerAhead for a period that is not over by Postgres's clock, and ErrLedgerBusy.
func (r *Runner) OpenStatement(ctx context.Context, from, to time.Time) (store.Totals, error) {
	closed, ahead, err := store.LedgerClosed(ctx, r.cfg.Pool, to)
	switch {
	case err != nil:
		return nil, err
	case ahead:
		return nil, ErrLedgerAhead
	case !closed:
		err := r.begin(ctx, "closed ledger", func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "set local lock_timeout = '"+closingWait+"'"); err != nil {
				return fmt.Errorf("bound the wait for the ledger: %w", err)
			}
			return store.CloseLedger(ctx, tx, to)
		})
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "55P03" { // lock_not_available
			return nil, fmt.Errorf("%w: %w", ErrLedgerBusy, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.totalsAt(ctx, from)
}

// totalsAt adds up what was posted before a time up to which the ledger is closed. It begins with the newest totals that were
// kept, goes on by days, and keeps those of each: so each entry is added up once, and not for each statement.
func (r *Runner) totalsAt(ctx context.Context, at time.Time) (store.Totals, error) {
	of, totals, err := store.TotalsAt(ctx, r.cfg.Pool, at)
	if err != nil {
		return nil, err
	}
	for {
		of, err = store.NextEntryAt(ctx, r.cfg.Pool, of)
		if err != nil || of.IsZero() || !of.Before(at) {
			return totals, err
		}
		day := of.Truncate(ledgerDay).Add(ledgerDay) // of absolute time: midnight in UTC
		until := day
		if day.After(at) {
			until = at
		}
		place, more := store.LedgerPlace{At: of}, true
		for more {
			if place, more, err = store.AddSums(ctx, r.cfg.Pool, place, until, ledgerPage, totals); err != nil {
				return nil, err
			}
		}
		if until != day {
			return totals, nil
		}
		if err := store.SaveTotals(ctx, r.cfg.Pool, day, totals); err != nil {
			return nil, err
		}
		of = day
	}
}

// closeDays closes the ledger up to each midnight, and keeps what every account had then, so that no statement has to add up more
// than a day.
func (r *Runner) closeDays(ctx context.Context) {
	for {
		day := r.now().Truncate(ledgerDay)
		_, err := r.OpenStatement(ctx, day, day)
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrLedgerAhead) && !errors.Is(err, ErrLedgerBusy) {
			r.cfg.Logger.WarnContext(ctx, "close the ledger's days", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(closeInterval):
		}
	}
}

// ReadLedger calls f with each line that was posted from from on and before to, by time. While it does it holds nothing of the
// database.
func (r *Runner) ReadLedger(ctx context.Context, from, to time.Time, f func(store.LedgerLine) error) error {
	place, more := store.LedgerPlace{At: from}, true
	for more {
		var err error
		if place, more, err = store.LedgerLines(ctx, r.cfg.Pool, place, to, ledgerPage, f); err != nil {
			return err
		}
	}
	return nil
}
