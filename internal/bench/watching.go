package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
)

const (
	fewPayments  = 100
	manyPayments = 100_000
	// blocksEach is how many blocks a round of rpc-calls makes.
	blocksEach = 10
)

// stepped is a Watcher whose Runner takes one step when told: the number of polls is ours to choose, not the clock's.
type stepped struct {
	jobs.Watcher
	*barrier
}

func newStepped(w jobs.Watcher) *stepped { return &stepped{w, newBarrier()} }

// Heads waits until it is told to go on.
func (s *stepped) Heads(ctx context.Context) (settlement.Heads, error) {
	if err := s.pass(ctx); err != nil {
		return settlement.Heads{}, err
	}
	return s.Watcher.Heads(ctx)
}

// barrier stops a Runner before each of its steps.
type barrier struct{ arrived, leave chan struct{} }

func newBarrier() *barrier { return &barrier{make(chan struct{}), make(chan struct{})} }

// pass is where the Runner waits.
func (s *barrier) pass(ctx context.Context) error {
	select {
	case s.arrived <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-s.leave:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// arrive waits until the Runner has ended its step and is about to ask for the head.
func (s *barrier) arrive(ctx context.Context) error { return await(ctx, s.arrived) }

// step lets the Runner, which has arrived, take one step and waits for its end.
func (s *barrier) step(ctx context.Context) error {
	select {
	case s.leave <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return s.arrive(ctx)
}

func await(ctx context.Context, c <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	select {
	case <-c:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the chain's watcher: %w", context.Cause(ctx))
	}
}

// counter counts the calls of JSON-RPC that pass, each of a batch.
type counter struct{ calls atomic.Int64 }

// RoundTrip implements http.RoundTripper.
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close() // it was read to its end
	var batch []json.RawMessage
	n := 1
	if json.Unmarshal(body, &batch) == nil {
		n = len(batch)
	}
	c.calls.Add(int64(n))
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return http.DefaultTransport.RoundTrip(r)
}

// follower is a Runner that follows the chain with its own number of open payments.
type follower struct {
	pool     *pgxpool.Pool
	payments []settlement.Payment
	counter  counter
	watcher  *stepped
	stop     func() error
}

// measureCalls compares the RPC calls for the same blocks of a real node with 100,000 open payments and with 100. Each
// block pays one watched payee, from a stranger's wallet, and somebody who is not watched.
func measureCalls(ctx context.Context, g *ground) (figures []float64, err error) {
	node, err := startPayingNode(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer node.Close() //nolint:errcheck // nothing is kept
	few, err := follow(ctx, g, following{url: node.URL(), token: node.token, payments: fewPayments, depth: 2})
	if err != nil {
		return nil, err
	}
	defer few.stop() //nolint:errcheck // Run returns nil
	many, err := follow(ctx, g, following{url: node.URL(), token: node.token, payments: manyPayments, depth: 2})
	if err != nil {
		return nil, err
	}
	defer many.stop() //nolint:errcheck // Run returns nil

	for round := range rounds {
		few.counter.calls.Store(0)
		many.counter.calls.Store(0)
		for i := range blocksEach {
			for _, to := range []settlement.Address{
				few.payments[i].Terms.Payee, many.payments[i].Terms.Payee, addressOf("nobody", "payee"),
			} {
				if _, err := node.pay(ctx, to, 1); err != nil {
					return nil, err
				}
			}
			node.Commit()
			err := alternate(round, func() error { return few.watcher.step(ctx) }, func() error { return many.watcher.step(ctx) })
			if err != nil {
				return nil, err
			}
		}
		a, b := few.counter.calls.Load(), many.counter.calls.Load()
		note(fmt.Sprintf("rpc-calls: %.1f a block with %d payments, %.1f with %d", float64(b)/blocksEach, manyPayments, float64(a)/blocksEach, fewPayments))
		figures = append(figures, float64(b)/float64(a))
	}
	return figures, nil
}

// warm takes the Runner to the head with its index built: one step reads where the chain begins, one builds the index, one
// has nothing left to do.
func warm(ctx context.Context, w *barrier) error {
	if err := w.arrive(ctx); err != nil {
		return err
	}
	for range 3 {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// measureMemory compares the heap of a working Runner that watches 100,000 open payments with that of one which watches
// 100, in MB (1,000,000 bytes) in use after a collection.
func measureMemory(ctx context.Context, g *ground) (figures []float64, err error) {
	terms := func(_ int, order string) settlement.Terms {
		return settlement.Terms{Token: coin, Payee: addressOf(order, "payee"), ProvenPayer: addressOf(order, "payer")}
	}
	return compareHeaps(ctx, g, "memory", terms, func() (jobs.Chain, *barrier, error) {
		chain := scriptedChain(nil)
		watcher := newStepped(chain.Watcher)
		chain.Watcher = watcher
		return chain, watcher.barrier, nil
	})
}

// compareHeaps is what a Runner with many open payments of these terms has in use above one with few.
func compareHeaps(
	ctx context.Context, g *ground, name string, terms func(int, string) settlement.Terms, chain func() (jobs.Chain, *barrier, error),
) (figures []float64, err error) {
	few, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	many, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	if _, err := fillWith(ctx, few, "ord", fewPayments, terms); err != nil {
		return nil, err
	}
	if _, err := fillWith(ctx, many, "ord", manyPayments, terms); err != nil {
		return nil, err
	}
	for round := range rounds {
		var small, large float64
		err := alternate(round, func() (err error) {
			large, err = heapOfRunner(ctx, many, chain)
			return err
		}, func() (err error) {
			small, err = heapOfRunner(ctx, few, chain)
			return err
		})
		if err != nil {
			return nil, err
		}
		note(fmt.Sprintf("%s: %.1f MB with %d payments, %.1f MB with %d", name, large, manyPayments, small, fewPayments))
		figures = append(figures, large-small)
	}
	return figures, nil
}

// heapOfRunner is what a Runner adds to the heap, in MB.
func heapOfRunner(ctx context.Context, pool *pgxpool.Pool, make func() (jobs.Chain, *barrier, error)) (megabytes float64, err error) {
	before := heapInUse()
	chain, watcher, err := make()
	if err != nil {
		return 0, err
	}
	runner, err := newRunner(pool, chain, "http://127.0.0.1:1")
	if err != nil {
		return 0, err
	}
	stop := start(ctx, runner)
	defer stop() //nolint:errcheck // Run returns nil
	if err := warm(ctx, watcher); err != nil {
		return 0, err
	}
	return heapInUse() - before, nil
}

// heapInUse is the heap in use after what is dead was collected, finalizers included, in MB.
func heapInUse() float64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse) / 1e6
}
