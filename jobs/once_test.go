package jobs_test

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// A transfer that has settled one order fits a second one, which was opened later and for which it would be in time.
func TestTransferPaysOneOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	one := r.await(order, false, settlement.StateAwaitingPayment)
	first := confirmation(one, 1)
	first.Sighting.Block.Number += 1000 // after the second order was opened, too
	results, err := r.runner.Advance(t.Context(), first)
	if err != nil || !results[0].Payment.Settled() {
		t.Fatalf("%+v, %v; want the first order settled", results, err)
	}
	order = r.order()
	r.tell(order)
	two := r.await(order, false, settlement.StateAwaitingPayment)
	second := confirmation(two, 1)
	second.Sighting.Block = first.Sighting.Block
	results, err = r.runner.Advance(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	if p := results[0].Payment; p.Settled() || p.State != settlement.StateNeedsReview || p.Reason != settlement.TransferAlreadyUsed {
		t.Errorf("second order %s with %s, settled %t; want %s with %s", p.State, p.Reason, p.Settled(), settlement.StateNeedsReview, settlement.TransferAlreadyUsed)
	}
}

// The door itself asks whose transfer it is, whatever its sender believes.
func TestDoorDecidesWhoseTransferItIs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.order(), r.order()
	r.tell(one)
	r.tell(two)
	r.await(one, false, settlement.StateAwaitingPayment)
	p := r.await(two, false, settlement.StateAwaitingPayment)
	e := confirmation(p, 1)
	e.Sighting.Block.Number += 1000
	results, err := r.runner.Advance(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if p := results[0].Payment; p.Settled() || p.Reason != settlement.TransferAmbiguous {
		t.Errorf("%s with %q, settled %t; want a review with %s", p.State, p.Reason, p.Settled(), settlement.TransferAmbiguous)
	}
	used, err := store.Consumed(t.Context(), r.pool, []string{string(r.chainID())}, []store.SeenTransfer{{Sighting: *e.Sighting}})
	if err != nil || len(used) != 0 {
		t.Errorf("consumed %v (%v), want nothing", used, err)
	}
}

// A proof whose answer was lost is read back and not posted again.
func TestLostAnswerIsReadBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var posts atomic.Int64
	r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
		if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/payment-proof") && posts.Add(1) == 1 {
			return orchestrationtest.LoseAnswer()
		}
		return orchestrationtest.Fault{}
	})
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
	if n := posts.Load(); n != 1 {
		t.Errorf("the proof was posted %d times, want once", n)
	}
}

// A chain that takes long to catch up with is no reason to send traffic elsewhere.
func TestReadyWhileCatchingUp(t *testing.T) {
	t.Parallel()
	var change atomic.Pointer[func(settlement.Scan) (settlement.Scan, error)]
	r := newRig(t, seeThrough(&change), func(s *setup) { s.idle = true })
	r.stop = r.start(r.runner)
	r.eventually("the chain is scanned", r.scanned)
	var unready atomic.Value
	slow := func(scan settlement.Scan) (settlement.Scan, error) {
		r.ahead.Add(int64(12 * time.Second)) // after three of them a head that was not read again would be too old
		if err := r.runner.Ready(t.Context()); err != nil {
			unready.Store(err)
		}
		return scan, nil
	}
	stop := r.stop
	stop() // blocks gather while nobody watches
	for range 5 {
		r.chain.Commit()
	}
	change.Store(&slow)
	r.stop = r.start(r.runner)
	r.eventually("the chain is scanned", r.scanned)
	change.Store(nil)
	if err := unready.Load(); err != nil && !strings.Contains(err.(error).Error(), "session") {
		t.Errorf("not ready while it catches up: %v", err)
	}
}

// A worker saw the transfer in a block of another branch than the one that the watcher scanned.
func TestSightingOnAnotherBranchIsWithdrawn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	r.chain.Commit()
	r.eventually("the block is scanned", r.scanned)
	e := confirmation(p, 1)
	e.ID, e.Kind = "seen elsewhere", settlement.EventTransferSeen
	if _, err := r.runner.Advance(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	r.eventually("the sighting is withdrawn", func() error {
		r.chain.Commit()
		if !slices.Contains(r.history(p), settlement.EventTransferWithdrawn) {
			return errNotYet
		}
		return nil
	})
	if p, err := r.payment(order); err != nil || p.State != settlement.StateAwaitingPayment || p.Settled() {
		t.Errorf("state %s, settled %t (%v); want it to wait as before", p.State, p.Settled(), err)
	}
}
