package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// OrderListing is how far the regular listing of a marketplace's orders has come.
type OrderListing struct {
	Machines       []string  // still to be listed, the first is under way
	MachinesCursor *string   // next page of machines, nil for none
	OrdersCursor   *string   // next page of the first machine's orders, nil for the first page
	StartedAt      time.Time // of this round; zero between two rounds
}

// StartOrderListing records a marketplace whose orders are to be listed; one that is recorded keeps its place.
func StartOrderListing(ctx context.Context, db DB, marketplace string, now time.Time) error {
	err := sqlcgen.New(db).StartOrderListing(ctx, sqlcgen.StartOrderListingParams{Marketplace: marketplace, Now: now})
	if err != nil {
		return fmt.Errorf("start the listing of %s: %w", marketplace, err)
	}
	return nil
}

// TakeOrderListing returns the place of a listing that is due and leases it until leaseUntil, or ErrNotFound.
func TakeOrderListing(ctx context.Context, db DB, marketplace string, now, leaseUntil time.Time) (OrderListing, error) {
	r, err := sqlcgen.New(db).TakeOrderListing(ctx, sqlcgen.TakeOrderListingParams{Marketplace: marketplace, Now: now, LeaseUntil: leaseUntil})
	if errors.Is(err, pgx.ErrNoRows) {
		return OrderListing{}, ErrNotFound
	}
	if err != nil {
		return OrderListing{}, fmt.Errorf("take the listing of %s: %w", marketplace, err)
	}
	l := OrderListing{Machines: r.Machines, MachinesCursor: r.MachinesCursor, OrdersCursor: r.OrdersCursor}
	if r.StartedAt != nil {
		l.StartedAt = r.StartedAt.UTC()
	}
	return l, nil
}

// SaveOrderListing stores the new place of the listing that was leased until leaseUntil. It returns ErrFenced when that
// lease was over and another process has taken the listing.
func SaveOrderListing(ctx context.Context, db DB, marketplace string, l OrderListing, leaseUntil, dueAt time.Time) error {
	p := sqlcgen.SaveOrderListingParams{
		Marketplace: marketplace, Machines: l.Machines, MachinesCursor: l.MachinesCursor, OrdersCursor: l.OrdersCursor, DueAt: dueAt, LeaseUntil: leaseUntil,
	}
	if p.Machines == nil {
		p.Machines = []string{} // the column is not null
	}
	if !l.StartedAt.IsZero() {
		p.StartedAt = &l.StartedAt
	}
	n, err := sqlcgen.New(db).SaveOrderListing(ctx, p)
	if err != nil {
		return fmt.Errorf("save the listing of %s: %w", marketplace, err)
	}
	if n != 1 {
		return fmt.Errorf("save the listing of %s: %w", marketplace, ErrFenced)
	}
	return nil
}

// ReleaseOrderListing makes the listing that was leased until leaseUntil due again, at the place it had. It does nothing
// when that lease is over.
func ReleaseOrderListing(ctx context.Context, db DB, marketplace string, leaseUntil, now time.Time) error {
	err := sqlcgen.New(db).ReleaseOrderListing(ctx, sqlcgen.ReleaseOrderListingParams{Marketplace: marketplace, LeaseUntil: leaseUntil, Now: now})
	if err != nil {
		return fmt.Errorf("release the listing of %s: %w", marketplace, err)
	}
	return nil
}
