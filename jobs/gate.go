package jobs

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"

	"github.com/settler-pay/settler/store"
)

// ErrHeldBack means that a call was not made, because the orchestrator has failed several in a row.
var ErrHeldBack = errors.New("the orchestrator is failing: held back")

const (
	// gateFailures is how many calls in a row must fail before no more are made.
	gateFailures = 10
	// gateDelay is how long no call is made; then single calls try whether it is better.
	gateDelay = 5 * time.Second
)

// Gate keeps the calls to one orchestrator within a budget, and from one that is down: payments wait in the database, not
// in calls. It is the transport of the marketplace's client, so that no call goes around it.
type Gate struct {
	next    http.RoundTripper
	breaker circuitbreaker.CircuitBreaker[any]
	budget  ratelimiter.RateLimiter[any] // nil for none
	perSec  int

	ok, failed, heldBack atomic.Uint64
}

// NewGate lets at most perSecond calls a second through to next; 0 is no limit.
func NewGate(next http.RoundTripper, perSecond int) *Gate {
	g := &Gate{next: next, perSec: perSecond, breaker: circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(gateFailures).WithSuccessThreshold(1).WithDelay(gateDelay).WithJitterFactor(0.2).Build()}
	if perSecond > 0 {
		g.budget = ratelimiter.NewBursty[any](uint(perSecond), time.Second)
	}
	return g
}

// RoundTrip waits for its turn and makes the call, or returns ErrHeldBack in the dress of a connection that was never
// made, which is what it is to the caller.
func (g *Gate) RoundTrip(req *http.Request) (*http.Response, error) {
	if g.budget != nil {
		if err := g.budget.AcquirePermit(req.Context()); err != nil {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
		}
	}
	if !g.breaker.TryAcquirePermit() {
		g.heldBack.Add(1)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: ErrHeldBack}
	}
	res, err := g.next.RoundTrip(req)
	if err != nil || res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests {
		g.failed.Add(1)
		g.breaker.RecordFailure()
	} else {
		g.ok.Add(1)
		g.breaker.RecordSuccess()
	}
	return res, err
}

// shut reports whether calls are held back at present.
func (g *Gate) shut() bool { return g.breaker.IsOpen() && g.breaker.RemainingDelay() > 0 }

func (g *Gate) stats() GateStats {
	return GateStats{OK: g.ok.Load(), Failed: g.failed.Load(), HeldBack: g.heldBack.Load(), Shut: g.shut()}
}

// admits is how many parked rows may go on in one sweep: none while the gate is shut, one to try, then as many as leave
// the greater part of the budget to new orders (a payment costs up to four calls).
func (g *Gate) admits() int {
	switch {
	case g.shut():
		return 0
	case !g.breaker.IsClosed():
		return 1
	case g.perSec == 0:
		return sweepRows
	}
	return min(max(g.perSec/8, 1), sweepRows)
}

// unpark lets work go on that has waited for its orchestrator: the oldest first, and no more than the gate admits.
func (r *Runner) unpark(ctx context.Context) error {
	limits := make(map[string]int)
	for _, m := range r.cfg.Marketplaces {
		if n := m.Gate.admits(); n > 0 {
			limits[m.ID] = n
		}
	}
	if len(limits) == 0 {
		return nil
	}
	now := r.now()
	return errors.Join(store.UnparkPayments(ctx, r.cfg.Pool, limits, now), store.UnparkWebhooks(ctx, r.cfg.Pool, limits, now))
}
