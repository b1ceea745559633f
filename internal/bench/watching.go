package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
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
	arrived, leave chan struct{}
}

func newStepped(w jobs.Watcher) *stepped {
	return &stepped{w, make(chan struct{}), make(chan struct{})}
}

// Head waits until it is told to go on.
func (s *stepped) Head(ctx context.Context) (settlement.Head, error) {
	select {
	case s.arrived <- struct{}{}:
	case <-ctx.Done():
		return settlement.Head{}, ctx.Err()
	}
	select {
	case <-s.leave:
	case <-ctx.Done():
		return settlement.Head{}, ctx.Err()
	}
	return s.Watcher.Head(ctx)
}

// arrive waits until the Runner has ended its step and is about to ask for the head.
func (s *stepped) arrive(ctx context.Context) error { return await(ctx, s.arrived) }

// step lets the Runner, which has arrived, take one step and waits for its end.
func (s *stepped) step(ctx context.Context) error {
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
	payments []settlement.Payment
	counter  counter
	watcher  *stepped
	stop     func() error
}

// measureCalls compares the RPC calls for the same blocks of a real node with 100,000 open payments and with 100. Each
// block pays one watched payee, from a stranger's wallet, and somebody who is not watched.
func measureCalls(ctx context.Context, g *ground) (figures []float64, err error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	wallet := crypto.PubkeyToAddress(key.PublicKey)
	node, err := devnet.StartChain(devnet.ChainConfig{ChainID: 1337, Accounts: []common.Address{wallet}})
	if err != nil {
		return nil, err
	}
	defer node.Close() //nolint:errcheck // nothing is kept
	contract, err := devnet.DeployTestToken(ctx, node, key, wallet)
	if err != nil {
		return nil, err
	}
	token := settlement.Token{Chain: scriptID, Address: settlement.Address(contract[:]), Symbol: "TUSD", Decimals: devnet.TestTokenDecimals}
	few, err := follow(ctx, g, node.URL(), token, fewPayments)
	if err != nil {
		return nil, err
	}
	defer few.stop() //nolint:errcheck // Run returns nil
	many, err := follow(ctx, g, node.URL(), token, manyPayments)
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
				if _, err := devnet.SendTestToken(ctx, node, key, contract, common.Address([]byte(to)), big.NewInt(1)); err != nil {
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

// follow starts a Runner with n open payments, at the head of the chain.
func follow(ctx context.Context, g *ground, url string, token settlement.Token, n int) (*follower, error) {
	pool, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	f := &follower{}
	if f.payments, err = fill(ctx, pool, "ord", n, token); err != nil {
		return nil, err
	}
	chain, err := evm.New(evm.Config{
		Chain: token.Chain, Endpoints: []evm.Endpoint{{Name: "dev", URL: url}}, Tokens: []settlement.Token{token},
		Finality: evm.Finality{Depth: 2}, HTTPClient: &http.Client{Transport: &f.counter},
	})
	if err != nil {
		return nil, err
	}
	f.watcher = newStepped(chain)
	runner, err := newRunner(pool, jobs.Chain{
		ID: token.Chain, Tokens: []settlement.Token{token}, PollInterval: 10 * time.Millisecond, Verifier: chain, Watcher: f.watcher,
	}, "http://127.0.0.1:1")
	if err != nil {
		return nil, err
	}
	f.stop = start(ctx, runner)
	return f, warm(ctx, f.watcher)
}

// warm takes the Runner to the head with its index built: one step reads where the chain begins, one builds the index, one
// has nothing left to do.
func warm(ctx context.Context, w *stepped) error {
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
	few, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	many, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	if _, err := fill(ctx, few, "ord", fewPayments, coin); err != nil {
		return nil, err
	}
	if _, err := fill(ctx, many, "ord", manyPayments, coin); err != nil {
		return nil, err
	}
	for round := range rounds {
		var small, large float64
		err := alternate(round, func() (err error) {
			large, err = heapOfRunner(ctx, many)
			return err
		}, func() (err error) {
			small, err = heapOfRunner(ctx, few)
			return err
		})
		if err != nil {
			return nil, err
		}
		note(fmt.Sprintf("memory: %.1f MB with %d payments, %.1f MB with %d", large, manyPayments, small, fewPayments))
		figures = append(figures, large-small)
	}
	return figures, nil
}

// heapOfRunner is what a Runner adds to the heap, in MB.
func heapOfRunner(ctx context.Context, pool *pgxpool.Pool) (megabytes float64, err error) {
	before := heapInUse()
	chain := scriptedChain(nil)
	watcher := newStepped(chain.Watcher)
	chain.Watcher = watcher
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
