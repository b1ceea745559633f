package jobs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// maxRows is how many rows one job takes.
const maxRows = 100

// maxCalls is how many outside calls a batch worker has under way at once.
const maxCalls = 16

// workTime is how long a job begins outside calls and waits for them. What is done by then counts, and the rest of its rows
// comes again: when the other side is slow, a hundred rows take several jobs and not for ever.
const workTime = workLease - 30*time.Second

// Kinds are released names: they never change.
type (
	readOrdersArgs struct {
		Webhooks []store.WebhookKey `json:"webhooks"`
	}
	createIntentsArgs struct {
		Payments []string `json:"payments"`
	}
	verifyTransactionsArgs struct {
		Payments []string `json:"payments"`
	}
	postProofsArgs struct {
		Payments []string `json:"payments"`
	}
	tellPayoutsArgs struct {
		Payments []string `json:"payments"`
	}
	tellDisputesArgs struct {
		Payments []string `json:"payments"`
	}
)

func (readOrdersArgs) Kind() string         { return "read_orders" }
func (createIntentsArgs) Kind() string      { return "create_intents" }
func (verifyTransactionsArgs) Kind() string { return "verify_transactions" }
func (postProofsArgs) Kind() string         { return "post_proofs" }
func (tellPayoutsArgs) Kind() string        { return "tell_payouts" }
func (tellDisputesArgs) Kind() string       { return "tell_disputes" }

// workFor turns payments whose state asks for work into jobs of up to maxRows payments.
func workFor(due map[settlement.State][]settlement.PaymentID) []river.InsertManyParams {
	var work []river.InsertManyParams
	for _, state := range []settlement.State{
		settlement.StateNew, settlement.StateVerifying, settlement.StateVerified, settlement.StateFrozen, settlement.StateReleasePending,
		settlement.StateRefundPending, settlement.StateSplitPending,
	} {
		for _, ids := range chunks(due[state]) {
			texts := make([]string, len(ids))
			for i, id := range ids {
				texts[i] = id.String()
			}
			var args river.JobArgs
			switch state {
			case settlement.StateNew:
				args = createIntentsArgs{texts}
			case settlement.StateVerifying:
				args = verifyTransactionsArgs{texts}
			case settlement.StateVerified:
				args = postProofsArgs{texts}
			case settlement.StateFrozen:
				args = tellDisputesArgs{texts}
			default:
				args = tellPayoutsArgs{texts}
			}
			work = append(work, river.InsertManyParams{Args: args})
		}
	}
	return work
}

// addWorkers registers one worker for each kind of outside effect.
func (r *Runner) addWorkers() *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(r.readOrders))
	river.AddWorker(workers, river.WorkFunc(r.createIntents))
	river.AddWorker(workers, river.WorkFunc(r.verifyTransactions))
	river.AddWorker(workers, river.WorkFunc(r.postProofs))
	river.AddWorker(workers, river.WorkFunc(r.tellPayouts))
	river.AddWorker(workers, river.WorkFunc(r.tellDisputes))
	return workers
}

// task is one claimed payment in a worker.
type task struct {
	payment  settlement.Payment
	posting  bool
	attempts int
	slot     *settlement.Slot // of the named transaction, as it was last seen waiting
}

// outcome is what a worker makes of one task: events for the door, or a time to try again.
type outcome struct {
	events []settlement.Event
	// retry, where not zero, gives the payment back to the sweeper after that time, and parked once the orchestrator is
	// back; unknown keeps the mark that the call may have acted.
	retry   time.Duration
	parked  bool
	unknown bool
	slot    *settlement.Slot // of a retry: where the named transaction waits
}

// eachPayment claims the payments in their state, does the work on each, and hands all outcomes to the door at once. A
// crash between the work and the commit leaves the claim: the same job, run again, does the work again, and every piece
// of work reads before it writes.
func (r *Runner) eachPayment(ctx context.Context, job int64, texts []string, states []settlement.State, posting bool, do func(context.Context, task) outcome) error {
	ids := make([]settlement.PaymentID, 0, len(texts))
	for _, text := range texts {
		id, err := settlement.ParsePaymentID(text)
		if err != nil {
			return river.JobCancel(err)
		}
		ids = append(ids, id)
	}
	now := r.now()
	claimed, err := store.ClaimPayments(ctx, r.cfg.Pool, job, ids, states, posting, now, now.Add(workLease))
	if err != nil || len(claimed) == 0 {
		return err
	}
	outcomes := make([]outcome, len(claimed))
	calls, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
	// A few goroutines that take one task after the other: one for each task would grow a stack for each call.
	var group sync.WaitGroup
	var next atomic.Int64
	for range min(maxCalls, len(claimed)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(claimed); i = int(next.Add(1)) - 1 {
				if calls.Err() != nil { // too late to begin: due again at once
					outcomes[i] = outcome{retry: time.Microsecond, unknown: true}
					continue
				}
				c := claimed[i]
				outcomes[i] = do(calls, task{payment: c.Payment, posting: c.Posting, attempts: c.Attempts, slot: c.Slot})
			}
		})
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped: %w", err) // outcomes may be errors of the stop itself
	}
	var events []settlement.Event
	var postponed []store.Postponed
	for i, o := range outcomes {
		events = append(events, o.events...)
		if o.retry > 0 || o.parked {
			due := r.now().Add(o.retry)
			if o.parked {
				due = store.Parked
			}
			postponed = append(postponed, store.Postponed{ID: claimed[i].ID, Version: claimed[i].Version, DueAt: due, Unknown: o.unknown, Slot: o.slot})
		}
	}
	if err := store.PostponePayments(ctx, r.cfg.Pool, job, postponed); err != nil {
		return err
	}
	_, err = r.Advance(ctx, events...)
	return err
}

// backoff is 2 s doubled with each attempt up to 10 min, spread by a fifth so that many do not come back at once.
func backoff(attempts int) time.Duration {
	d := min(2*time.Second<<min(attempts, 10), 10*time.Minute)
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}
