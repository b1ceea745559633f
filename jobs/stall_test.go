package jobs_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// watcher looks through another one and can be made to fail or to see something else.
type watcher struct {
	jobs.Watcher
	change *atomic.Pointer[func(settlement.Scan) (settlement.Scan, error)]
}

func (w watcher) ScanFor(ctx context.Context, number uint64, waits settlement.Watched) (settlement.Scan, error) {
	scan, err := w.Watcher.ScanFor(ctx, number, waits)
	if change := w.change.Load(); change != nil && err == nil {
		return (*change)(scan)
	}
	return scan, err
}

// seeThrough puts a watcher between the runner and the chain; what is stored in the pointer sees every block.
func seeThrough(change *atomic.Pointer[func(settlement.Scan) (settlement.Scan, error)]) func(*setup) {
	return func(s *setup) {
		s.watcher = func(w jobs.Watcher) jobs.Watcher { return watcher{w, change} }
	}
}

// A job that comes after another one has decided about the named transaction finds nothing to do, and leaves no trace.
func TestLateJobDoesNotEndTheWaiting(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	r.stop()
	named := settlement.TxID(strings.Repeat("n", 32))
	p, err := r.runner.NameTransaction(t.Context(), p.ID, named)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.runner.Advance(t.Context(), settlement.Event{
		ID: "absent", Payment: p.ID, Kind: settlement.EventTransactionAbsent, Version: p.Version, TxID: named, Reason: settlement.NoTransfer,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.stop = r.start(r.runner)
	r.eventually("the job has run", func() error {
		var left int
		err := r.pool.QueryRow(t.Context(), "select count(*) from river.river_job where kind = 'verify_transactions' and finalized_at is null").Scan(&left)
		if err == nil && left > 0 {
			err = errNotYet
		}
		return err
	})
	r.ahead.Store(int64(10 * time.Minute)) // beyond every lease, and well before the deadline
	time.Sleep(3 * time.Second)
	if p, err = r.payment(order); err != nil || p.State != settlement.StateAwaitingPayment {
		t.Errorf("%s (%v), want still awaiting_payment: the deadline is at %s", p.State, err, p.Terms.Deadline)
	}
}

// Naming a transaction again does not put off the look at it.
func TestSameTransactionNamedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	named := settlement.TxID(strings.Repeat("n", 32))
	first, err := r.runner.NameTransaction(t.Context(), p.ID, named)
	if err != nil {
		t.Fatal(err)
	}
	r.ahead.Store(int64(3 * time.Second))
	again, err := r.runner.NameTransaction(t.Context(), p.ID, named)
	if err != nil || again.Version != first.Version {
		t.Errorf("version %d after the first time, %d after the second (%v); want no change", first.Version, again.Version, err)
	}
}

// What a buyer wrote into the orchestrator's books reaches our history, whatever it is.
func TestTextThatTheDatabaseDoesNotTake(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.vendorIntent(order, nil)
	r.vendorProof(order, "0x\x00")
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	p := r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != jobs.PlatformDiffers {
		t.Errorf("reason %s (%q), want %s", p.Reason, p.Detail, jobs.PlatformDiffers)
	}
}

// The first block that was ever scanned leaves the chain.
func TestFirstBlockIsReorganised(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setup) { s.idle = true })
	for range 4 {
		r.chain.Commit()
	}
	fork := r.chain.Commit()
	r.chain.Commit()
	r.stop = r.start(r.runner)
	r.eventually("the chain is scanned", r.scanned)
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.chain.CommitEmpty()
	}
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
}

// The chain changes to a branch on which a worker has found the payment final before the watcher gets there.
func TestWatcherComesLateToTheBranchThatPays(t *testing.T) {
	t.Parallel()
	var change atomic.Pointer[func(settlement.Scan) (settlement.Scan, error)]
	r := newRig(t, seeThrough(&change))
	r.chain.Commit()
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	fork := r.chain.Commit()
	r.chain.Commit()
	r.eventually("the branch is scanned", r.scanned)
	fail := func(settlement.Scan) (settlement.Scan, error) { return settlement.Scan{}, errors.New("slow endpoint") }
	change.Store(&fail)
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	hash := r.pay(r.payer, r.payee, 1_500_000)
	for range 4 {
		r.chain.Commit()
	}
	if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
		t.Fatal(err)
	}
	r.await(order, false, settlement.StateHeld)
	change.Store(nil)
	r.eventually("the watcher has caught up", r.scanned)
	r.chain.Commit()
	r.eventually("the watcher goes on", r.scanned)
	if p, err := r.payment(order); err != nil || p.State != settlement.StateHeld {
		t.Errorf("%s (%s: %s), want held: its block is in the chain", p.State, p.Reason, p.Detail)
	}
}

// A block that is looked at again for a new order shows another branch for one moment.
func TestBranchFlickersWhileLookingAgain(t *testing.T) {
	t.Parallel()
	var change atomic.Pointer[func(settlement.Scan) (settlement.Scan, error)]
	r := newRig(t, seeThrough(&change))
	r.chain.Commit()
	order := r.order()
	r.vendorIntent(order, nil)
	r.pay(r.payer, r.payee, 1_500_000)
	r.chain.Commit()
	r.eventually("the block is scanned", r.scanned)
	var flickered atomic.Bool
	flicker := func(scan settlement.Scan) (settlement.Scan, error) {
		if len(scan.Transactions) > 0 && flickered.CompareAndSwap(false, true) {
			scan.Block.Hash, scan.Transactions = settlement.BlockHash(strings.Repeat("f", 32)), nil
		}
		return scan, nil
	}
	change.Store(&flicker)
	r.tell(order)
	r.await(order, true, settlement.StateHeld)
	if !flickered.Load() {
		t.Error("the block was not looked at again")
	}
}

// Orders that are paid and before a person, of the same buyer at the same price, do not hide the one that is open.
func TestSettledReviewsDoNotHideAnOpenOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 12 {
		order := r.order()
		r.tell(order)
		p := r.await(order, false, settlement.StateAwaitingPayment)
		results, err := r.runner.Advance(t.Context(), confirmation(p, byte(i)), settlement.Event{
			ID: "differs", Payment: p.ID, Kind: settlement.EventPlatformDiffers, Reason: jobs.PlatformDiffers,
		})
		if err != nil || results[1].Payment.State != settlement.StateNeedsReview || !results[1].Payment.Settled() {
			t.Fatalf("%+v, %v; want a settled payment in review", results, err)
		}
	}
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
}

// The buyer confirms or disputes while a person has the payment; then the right money comes.
func TestOrderMovesOnDuringReview(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status orchestration.OrderStatus
		want   settlement.State
	}{
		{orchestration.OrderConfirmed, settlement.StateReleasePending},
		{orchestration.OrderDisputed, settlement.StateFrozen},
	} {
		t.Run(string(tt.status), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			order := r.order()
			r.tell(order)
			r.await(order, false, settlement.StateAwaitingPayment)
			r.pay(r.payer, r.payee, 1_499_999)
			r.await(order, true, settlement.StateNeedsReview)
			was, _ := r.market.Order(order)
			r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = tt.status })
			r.ahead.Store(int64(10 * time.Minute)) // the next reading comes when the clock is there again
			r.webhook(order, "msg_moved")
			r.eventually("the order was read", func() error {
				unread, err := store.UnreadWebhooks(t.Context(), r.pool, []store.WebhookKey{{Marketplace: marketplace, ID: "msg_moved"}})
				if err == nil && len(unread) == 1 && unread[0].Attempts == 0 {
					err = errNotYet
				}
				return err
			})
			r.ahead.Store(0)
			r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = was.Status }) // so that the proof is taken
			r.pay(r.payer, r.payee, 1_500_000)
			r.await(order, true, settlement.StateHeld)
			r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = tt.status })
			r.ahead.Store(int64(20 * time.Minute))
			r.await(order, false, tt.want)
		})
	}
}

// A webhook's request ends with its own commit, however many others keep coming.
func TestNoWebhookWaitsForThoseAfterIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setup) { s.idle = true })
	const each, at = 60, 64
	var taken, longest atomic.Int64 // webhooks; and how many of others were taken while one waited, at most
	var senders sync.WaitGroup
	for i := range at {
		senders.Go(func() {
			for n := range each {
				id := fmt.Sprintf("msg_%d_%d", i, n)
				before := taken.Load()
				err := r.runner.AcceptWebhook(t.Context(), store.Webhook{
					Marketplace: marketplace, ID: id, BodySHA256: sha256.Sum256([]byte(id)), Type: "order.updated", MachineID: r.machine, OrderID: "ord_1",
				})
				if err != nil {
					t.Error(err)
				}
				others := taken.Add(1) - 1 - before
				for old := longest.Load(); others > old && !longest.CompareAndSwap(old, others); old = longest.Load() {
				}
			}
		})
	}
	senders.Wait()
	if n := longest.Load(); n > each*at/3 {
		t.Errorf("one webhook waited while %d others of %d were taken", n, each*at)
	}
}

// An orchestrator that lists orders slowly does not hold up the work that is due.
func TestSlowListOfOrders(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setup) { s.listed, s.idle = true, true })
	var met atomic.Bool
	r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
		if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/orders") {
			met.Store(true)
			return orchestrationtest.Slow(25 * time.Second)
		}
		return orchestrationtest.Fault{}
	})
	r.stop = r.start(r.runner)
	r.eventually("the list is asked for", func() error {
		if !met.Load() {
			return errNotYet
		}
		return nil
	})
	r.webhook("ord_of_tomorrow", "msg_early")
	began := time.Now()
	r.eventually("the order was read a second time", func() error {
		unread, err := store.UnreadWebhooks(t.Context(), r.pool, []store.WebhookKey{{Marketplace: marketplace, ID: "msg_early"}})
		if err != nil || len(unread) != 1 || unread[0].Attempts < 2 {
			return errNotYet
		}
		return nil
	})
	if d := time.Since(began); d > 15*time.Second {
		t.Errorf("it took %s", d)
	}
}
