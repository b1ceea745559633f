package jobs

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

const (
	// sweepInterval is how often due work is looked for: one query each on an index when there is none.
	sweepInterval = time.Second
	// sweepRows is how much due work one sweep takes.
	sweepRows = 500
	// keepAnswers is how long an Idempotency-Key is remembered.
	keepAnswers = 48 * time.Hour
)

// sweep derives due work from the tables again and again: what a lost job should have done, and what was postponed. It is
// the reason why River may forget anything.
func (r *Runner) sweep(ctx context.Context) {
	var cleaned time.Time
	for {
		if err := r.unpark(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.WarnContext(ctx, "sweep of parked work", "err", err)
		}
		if err := r.sweepPayments(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.WarnContext(ctx, "sweep of payments", "err", err)
		}
		if now := r.now(); now.Sub(cleaned) >= time.Hour {
			cleaned = now
			if err := store.DropIdempotencyKeysBefore(ctx, r.cfg.Pool, now.Add(-keepAnswers)); err != nil && ctx.Err() == nil {
				r.cfg.Logger.WarnContext(ctx, "sweep of idempotency keys", "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepInterval):
		}
	}
}

// feed makes jobs of the webhooks that are due: those that have just arrived, as soon as they are stored, and those that
// a dead process has left or that were put off.
func (r *Runner) feed(ctx context.Context) {
	for {
		if err := r.sweepInbox(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.WarnContext(ctx, "sweep of the inbox", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepInterval):
		case <-r.inbox.arrived:
			time.Sleep(gather)
		}
	}
}

// gather is how long feed lets webhooks come together that arrive one after the other.
const gather = 5 * time.Millisecond

// sweepPayments inserts jobs for payments whose work is due, ends the waiting of those whose deadline has passed, and the
// watch of those that were finished long ago; and it sends what has fallen due in disputes.
func (r *Runner) sweepPayments(ctx context.Context) error {
	now := r.now()
	var expired []settlement.PaymentID
	var disputed, returns []settlement.Event
	err := r.begin(ctx, "due payments", func(tx pgx.Tx) error {
		expired = nil
		taken, err := store.TakeDuePayments(ctx, tx, now, now.Add(workLease), sweepRows)
		if err != nil {
			return err
		}
		due := make(map[settlement.State][]settlement.PaymentID)
		var open, over, frozen []settlement.PaymentID
		for _, p := range taken {
			switch {
			case p.State == settlement.StateNew, p.State == settlement.StateVerified, p.State == settlement.StateReleasePending,
				p.State == settlement.StateRefundPending, p.State == settlement.StateSplitPending:
				due[p.State] = append(due[p.State], p.ID)
			case p.State.Open():
				open = append(open, p.ID)
			case p.State.Final():
				over = append(over, p.ID)
			case p.State == settlement.StateFrozen:
				frozen = append(frozen, p.ID)
			}
		}
		payments, err := store.Payments(ctx, tx, open)
		if err != nil {
			return err
		}
		for _, p := range payments {
			switch {
			case p.Named != "":
				due[settlement.StateVerifying] = append(due[settlement.StateVerifying], p.ID)
			case p.State == settlement.StateAwaitingPayment && !now.Before(p.Terms.Deadline.Add(p.Terms.Grace)):
				expired = append(expired, p.ID)
			}
		}
		if returns, err = sweepEnded(ctx, tx, over); err != nil {
			return err
		}
		if due[settlement.StateFrozen], disputed, err = r.sweepDisputes(ctx, tx, frozen, now); err != nil {
			return err
		}
		return r.insertJobs(ctx, tx, workFor(due))
	})
	if err != nil {
		return fmt.Errorf("take due payments: %w", err)
	}
	events := slices.Concat(disputed, returns)
	for _, id := range expired {
		events = append(events, settlement.Event{
			ID: fmt.Sprintf("deadline/%d", now.Unix()), Payment: id, Kind: settlement.EventDeadline,
		})
	}
	_, err = r.Advance(ctx, events...)
	return err
}

// sweepEnded ends the watch of payments that were finished long ago. What came to the vault of one goes back to the payer, whose
// it is: the payee has his price. A vault is watched for ever; where nothing is in it, nothing is due.
func sweepEnded(ctx context.Context, tx pgx.Tx, ids []settlement.PaymentID) (returns []settlement.Event, err error) {
	held, err := store.HeldFor(ctx, tx, ids)
	if err != nil {
		return nil, err
	}
	var over, empty []settlement.PaymentID
	for _, id := range ids {
		switch h, ok := held[id]; {
		case !ok || h.Direct:
			over = append(over, id)
		case h.Amount.IsZero():
			empty = append(empty, id)
		default: // once for what has arrived: what could not be returned is for a person
			returns = append(returns, settlement.Event{
				ID: "surplus/" + h.Received.String(), Payment: id, Kind: settlement.EventSurplusRefundApproved, Detail: "arrived after the end",
			})
		}
	}
	if err := store.RestPayments(ctx, tx, empty); err != nil {
		return nil, err
	}
	return returns, store.EndWatch(ctx, tx, over)
}

// sweepInbox inserts jobs for webhooks whose order is still to be read.
func (r *Runner) sweepInbox(ctx context.Context) error {
	now := r.now()
	err := r.begin(ctx, "due webhooks", func(tx pgx.Tx) error {
		keys, err := store.TakeDueWebhooks(ctx, tx, now, now.Add(workLease), sweepRows)
		if err != nil {
			return err
		}
		return r.insertJobs(ctx, tx, readOrders(keys))
	})
	if err != nil {
		return fmt.Errorf("take due webhooks: %w", err)
	}
	return nil
}
