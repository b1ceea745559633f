package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/store"
)

const (
	// listPage is how many machines or orders one call asks for: the most that the API gives.
	listPage = 500
	// listRound is the shortest time between the beginnings of two rounds over a marketplace's machines.
	listRound = time.Minute
	// listLease is above the longest call (30 s, and twice repeated). A process that is killed while it asks holds the
	// listing up for so long; one that stops gives it back.
	listLease = 2 * time.Minute
	// listRelease is how long a stop waits to give the listing back.
	listRelease = 2 * time.Second
)

// listOrders lists a marketplace's orders again and again, to find those whose webhook was lost. It asks for one page
// each ListInterval, however many machines, orders and processes there are. Its place is a row: a restart goes on there.
func (r *Runner) listOrders(ctx context.Context, m Marketplace) {
	if m.ListInterval <= 0 {
		return
	}
	for faults := 0; ; {
		err := r.listNext(ctx, m, faults)
		switch {
		case err == nil:
			faults = 0
		case ctx.Err() == nil:
			faults++
			r.cfg.Logger.WarnContext(ctx, "listing of orders", "marketplace", m.ID, "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(m.ListInterval):
		}
	}
}

// listNext asks for the next page if it is due, and stores what it brought together with the new place.
func (r *Runner) listNext(ctx context.Context, m Marketplace, faults int) (err error) {
	now := r.now()
	lease := now.Add(listLease)
	if err := store.StartOrderListing(ctx, r.cfg.Pool, m.ID, now); err != nil {
		return err
	}
	// A process that stops gives the lease back wherever it was, also when it does not know whether it has taken it: the
	// next one need not wait until it ends.
	defer func() {
		if ctx.Err() != nil {
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), listRelease)
			defer cancel()
			err = errors.Join(err, store.ReleaseOrderListing(last, r.cfg.Pool, m.ID, lease, now))
		}
	}()
	place, err := store.TakeOrderListing(ctx, r.cfg.Pool, m.ID, now, lease)
	if err != nil {
		if errors.Is(err, store.ErrNotFound) { // not due, or another process asks
			return nil
		}
		return err
	}
	next, found, listErr := r.listStep(ctx, m, place, now)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	due := now.Add(m.ListInterval)
	switch {
	case listErr != nil:
		next, due = place, r.now().Add(backoff(faults))
	case next.StartedAt.IsZero():
		due = later(due, place.StartedAt.Add(listRound))
	}
	err = r.begin(ctx, "listed orders", func(tx pgx.Tx) error {
		if len(found) > 0 {
			if _, err := store.InsertWebhooks(ctx, tx, found, now, now); err != nil { // due at once
				return err
			}
		}
		return store.SaveOrderListing(ctx, tx, m.ID, next, lease, due)
	})
	return errors.Join(listErr, err)
}

// listStep makes at most one call and returns the place after it. A round covers the configured machines, or all that
// the orchestrator shows us.
func (r *Runner) listStep(ctx context.Context, m Marketplace, place store.OrderListing, now time.Time) (store.OrderListing, []store.Webhook, error) {
	begins := place.StartedAt.IsZero()
	if begins {
		place = store.OrderListing{Machines: m.Machines, StartedAt: now}
	}
	switch {
	case len(place.Machines) > 0:
		return r.listMachine(ctx, m, place)
	case begins || place.MachinesCursor != nil:
		page, err := m.Client.ListMachines(ctx, orchestration.Page{Limit: listPage, Cursor: place.MachinesCursor})
		if err != nil {
			if !pageRefused(err) {
				return place, nil, fmt.Errorf("list machines: %w", err)
			}
			r.cfg.Logger.WarnContext(ctx, "listing of orders ends before all machines", "marketplace", m.ID, "err", err)
		}
		place.MachinesCursor = nextCursor(place.MachinesCursor, page.NextCursor)
		for _, each := range page.Items {
			if PlainID(each.ID) {
				place.Machines = append(place.Machines, each.ID)
			}
		}
	default:
		place.StartedAt = time.Time{}
	}
	return place, nil, nil
}

// listMachine asks for the next page of the first machine's orders.
func (r *Runner) listMachine(ctx context.Context, m Marketplace, place store.OrderListing) (store.OrderListing, []store.Webhook, error) {
	machine := place.Machines[0]
	page, err := m.Client.ListMarketOrders(ctx, machine, orchestration.Page{Limit: listPage, Cursor: place.OrdersCursor})
	if err != nil {
		if !pageRefused(err) {
			return place, nil, fmt.Errorf("list orders of %s: %w", machine, err)
		}
		r.cfg.Logger.WarnContext(ctx, "listing passes over a machine until the next round", "marketplace", m.ID, "machine_id", machine, "err", err)
	}
	found := make([]store.Webhook, 0, len(page.Items))
	for _, o := range page.Items {
		if !PlainID(o.ID) {
			r.cfg.Logger.WarnContext(ctx, "listing passes over an order whose id cannot be kept", "marketplace", m.ID, "machine_id", machine, "order_id", plainText(o.ID))
			continue
		}
		// Named after the order's last change, whose time may have passed only whole seconds: an unchanged order is a
		// repeated webhook and is not read again.
		change := sha256.Sum256([]byte(string(o.Status) + " " + o.UpdatedAt))
		found = append(found, store.Webhook{
			Marketplace: m.ID, ID: "sweep/" + o.ID + "/" + hex.EncodeToString(change[:8]), Type: "order.updated", MachineID: machine, OrderID: o.ID,
		})
	}
	place.OrdersCursor = nextCursor(place.OrdersCursor, page.NextCursor)
	if place.OrdersCursor == nil {
		place.Machines = place.Machines[1:]
	}
	return place, found, nil
}

// nextCursor ends a list at a cursor that leads to itself or to the beginning, or that cannot be kept.
func nextCursor(current, next *string) *string {
	if next == nil || *next == "" || current != nil && *current == *next || strings.Contains(*next, "\x00") {
		return nil
	}
	return next
}

// pageRefused reports whether asking for the same page again is no use: the machine is gone or not ours, or the cursor is
// too old.
func pageRefused(err error) bool {
	api, ok := errors.AsType[*orchestration.APIError](err)
	if !ok || orchestration.OutcomeOf(err) != orchestration.NotActed {
		return false
	}
	switch api.Status {
	case 400, 403, 404, 410, 422:
		return true
	}
	return false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
