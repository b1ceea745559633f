package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
)

// Queue is a list of payments that wait for somebody.
type Queue string

// The queues of payments.
const (
	QueueNeedsReview Queue = "needs_review" // a person must decide
	QueueDisputes    Queue = "disputes"     // frozen until a dispute is decided
	QueueParked      Queue = "parked"       // their orchestrator has to come back first
	QueueStuck       Queue = "stuck"        // it is for us to act, and nothing has come of it for StuckAfter
)

// Queues lists every queue in the order in which people look at them.
var Queues = []Queue{QueueNeedsReview, QueueDisputes, QueueStuck, QueueParked}

// StuckAfter is how long a state in which we act next may last.
const StuckAfter = 15 * time.Minute

// queues is queue → its condition. Each is that of an index whose size follows what waits, not what there is.
var queues = map[Queue]string{
	QueueNeedsReview: "state = 'needs_review'",
	QueueDisputes:    "state = 'frozen'",
	QueueParked:      "due_at = '9998-01-01 00:00:00+00'",
	QueueStuck: "state in ('new', 'verifying', 'verified', 'release_pending', 'refund_pending', 'split_pending') " +
		"and not (state = 'verified' and observed) and state_since < @stuck_before",
}

// QueueFilter selects from a queue. An empty Marketplace selects all.
type QueueFilter struct {
	Marketplace string
	Now         time.Time
	// AfterSince and After, where not zero, are the last payment of the page before.
	AfterSince time.Time
	After      settlement.PaymentID
	Limit      int
}

// where is the condition of the queue and its arguments. Like that of ListPayments it names only what is asked for.
func (f QueueFilter) where(q Queue) (string, pgx.NamedArgs) {
	args := pgx.NamedArgs{"stuck_before": f.Now.Add(-StuckAfter), "limit": f.Limit}
	condition := queues[q]
	if f.Marketplace != "" {
		args["marketplace"] = f.Marketplace
		condition += " and marketplace = @marketplace"
	}
	if !f.AfterSince.IsZero() {
		args["after_since"], args["after"] = f.AfterSince, f.After
		condition += " and (state_since, id) > (@after_since, @after)"
	}
	return condition, args
}

// CountQueue is how many payments wait in the queue, and since when the oldest of them does; nil for none.
func CountQueue(ctx context.Context, db DB, q Queue, f QueueFilter) (count int64, oldest *time.Time, err error) {
	condition, args := f.where(q)
	rows, err := db.Query(ctx, "select count(*), min(state_since) from payments where "+condition, args)
	if err == nil {
		_, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (struct{}, error) {
			return struct{}{}, row.Scan(&count, &oldest)
		})
	}
	if err != nil {
		return 0, nil, fmt.Errorf("count queue %s: %w", q, err)
	}
	return count, oldest, nil
}

// Waiting is a payment in a queue.
type Waiting struct {
	settlement.Payment
	Since time.Time // when it came into its state
}

// ListQueue reads the queue, longest waiting first.
func ListQueue(ctx context.Context, db DB, q Queue, f QueueFilter) ([]Waiting, error) {
	condition, args := f.where(q)
	rows, err := db.Query(ctx, "select id, state_since from payments where "+condition+" order by state_since, id limit @limit", args)
	if err != nil {
		return nil, fmt.Errorf("list queue %s: %w", q, err)
	}
	var waiting []Waiting
	place := make(map[settlement.PaymentID]int)
	var ids []settlement.PaymentID
	var id settlement.PaymentID
	var since time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &since}, func() error {
		place[id] = len(waiting)
		ids, waiting = append(ids, id), append(waiting, Waiting{Since: since.UTC()})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list queue %s: %w", q, err)
	}
	payments, err := Payments(ctx, db, ids)
	if err != nil {
		return nil, err
	}
	for _, p := range payments { // none is ever deleted
		waiting[place[p.ID]].Payment = p
	}
	return waiting, nil
}
