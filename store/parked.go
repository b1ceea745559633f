package store

import (
	"context"
	"fmt"
	"time"

	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// Parked is the due time of work that waits until its orchestrator is back.
var Parked = time.Date(9998, 1, 1, 0, 0, 0, 0, time.UTC)

// UnparkPayments makes the oldest parked payments of each marketplace due, up to its limit.
func UnparkPayments(ctx context.Context, db DB, limits map[string]int, now time.Time) error {
	p := sqlcgen.UnparkPaymentsParams{Now: now}
	p.Marketplaces, p.RowLimits = perMarketplace(limits)
	if _, err := sqlcgen.New(db).UnparkPayments(ctx, p); err != nil {
		return fmt.Errorf("unpark payments: %w", err)
	}
	return nil
}

// UnparkWebhooks makes the oldest parked webhooks of each marketplace due, up to its limit.
func UnparkWebhooks(ctx context.Context, db DB, limits map[string]int, now time.Time) error {
	p := sqlcgen.UnparkInboxParams{Now: now}
	p.Marketplaces, p.RowLimits = perMarketplace(limits)
	if _, err := sqlcgen.New(db).UnparkInbox(ctx, p); err != nil {
		return fmt.Errorf("unpark webhooks: %w", err)
	}
	return nil
}

func perMarketplace(limits map[string]int) (marketplaces []string, rows []int32) {
	for marketplace, n := range limits {
		marketplaces, rows = append(marketplaces, marketplace), append(rows, int32(n))
	}
	return marketplaces, rows
}
