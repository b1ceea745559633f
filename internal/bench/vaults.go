package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

const (
	// releasesEach is how many payments a round releases on each side: two full batches.
	releasesEach = 100
	// fullBatch is how many of them one transaction carries out, as by default.
	fullBatch = 50
	// fewVaults is what openVaults are compared with.
	fewVaults = 10
	// releaseBlocks is how often the chain of the releases makes a block.
	releaseBlocks = 100 * time.Millisecond
)

// operatorKey signs in memory, without a policy: what a policy reads costs both sides the same.
type operatorKey struct{ key *ecdsa.PrivateKey }

func newOperatorKey() (operatorKey, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return operatorKey{}, fmt.Errorf("make a key: %w", err)
	}
	return operatorKey{key}, nil
}

// Address implements escrowevm.Signer.
func (k operatorKey) Address() common.Address { return crypto.PubkeyToAddress(k.key.PublicKey) }

// SignTx implements escrowevm.Signer.
func (k operatorKey) SignTx(_ context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	return types.SignTx(tx, types.LatestSignerForChainID(chainID), k.key)
}

// fillVaults opens n payments, each with a vault of its own.
func fillVaults(ctx context.Context, pool *pgxpool.Pool, prefix string, n int, token settlement.Token, operator common.Address) ([]settlement.Payment, error) {
	vaults := make(map[string]settlement.Vault, n)
	var fault error
	payments, err := fillWith(ctx, pool, prefix, n, func(i int, order string) settlement.Terms {
		v := settlement.Vault{
			Chain: token.Chain, OrderKey: [32]byte([]byte(hashOf(order, uint64(i)))), Token: token.Address, Amount: settlement.NewAmount(1_500_000),
			Payer: addressOf(order, "payer"), Payee: addressOf(order, "payee"), Operator: settlement.Address(operator[:]), Arbiter: addressOf("bench", "arbiter"),
			ReclaimAt: time.Now().Add(336 * time.Hour).UTC().Truncate(time.Second),
		}
		v.DisputeAt = v.ReclaimAt.Add(720 * time.Hour)
		var err error
		if v.Address, err = (escrowevm.Instrument{}).Address(v); err != nil {
			fault = fmt.Errorf("vault of order %s: %w", order, err)
		}
		vaults[order] = v
		return settlement.Terms{Token: token, Payee: v.Address, ProvenPayer: v.Payer, Custody: settlement.CustodyVault}
	})
	if err := errors.Join(fault, err); err != nil {
		return nil, err
	}
	return payments, pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		terms := make(map[settlement.PaymentID]settlement.Terms, n)
		for _, p := range payments {
			if _, err := store.KeepVault(ctx, tx, marketplace, "payment/"+p.ID.String(), vaults[p.OrderID], time.Now()); err != nil {
				return err
			}
			terms[p.ID] = p.Terms
		}
		_, err := store.BindVaults(ctx, tx, terms)
		return err
	})
}

// vaultChain is the node's entry in a Runner's configuration, with vaults that the key operates.
func vaultChain(ctx context.Context, node *payingNode, key operatorKey, batch int, transport http.RoundTripper) (chain jobs.Chain, end func(), err error) {
	client := &http.Client{Transport: transport}
	verifier, err := evm.New(evm.Config{
		Chain: scriptID, Endpoints: []evm.Endpoint{{Name: "dev", URL: node.URL()}}, Tokens: []settlement.Token{node.token}, Finality: evm.Finality{Depth: 2}, HTTPClient: client,
	})
	if err != nil {
		return jobs.Chain{}, nil, err
	}
	mover, err := escrowevm.NewMover(ctx, escrowevm.MoverConfig{
		Chain: scriptID, Endpoints: []escrowevm.Endpoint{{Name: "dev", URL: node.URL()}}, Signer: key, Depth: 2, MaxFee: big.NewInt(1e12), HTTPClient: client,
	})
	if err != nil {
		return jobs.Chain{}, nil, err
	}
	return jobs.Chain{
		ID: scriptID, Tokens: []settlement.Token{node.token}, PollInterval: 10 * time.Millisecond, Verifier: verifier, Watcher: verifier,
		Escrow: &jobs.Escrow{
			Instrument: escrowevm.Instrument{}, Mover: mover, Happened: mover.Happened, Arbiter: addressOf("bench", "arbiter"),
			HoldFor: 336 * time.Hour, DisputeFor: 720 * time.Hour, HoldAtLeast: 24 * time.Hour, BumpAfter: time.Minute, Batch: batch,
		},
	}, mover.Close, nil
}

// releasing is a Runner that releases what its vaults hold.
type releasing struct {
	node   *payingNode
	key    operatorKey
	market *orchestrationtest.Server
	pool   *pgxpool.Pool
	runner *jobs.Runner
	done   int // payments that were released
}

// startReleasing starts the Runner, halted.
func startReleasing(ctx context.Context, g *ground, node *payingNode, key operatorKey, batch int) (r *releasing, stop func(), err error) {
	r = &releasing{node: node, key: key, market: orchestrationtest.New(orchestrationtest.Config{SessionTTL: time.Hour})}
	r.market.PutMachine(orchestration.Machine{ID: machine, DisplayName: "Charger", Status: orchestration.MachineActive, OwnerID: "acme"})
	server := httptest.NewServer(r.market)
	end := server.Close
	defer func() {
		if err != nil {
			end()
		}
	}()
	if r.pool, err = g.database(ctx, poolSize, ourMode); err != nil {
		return nil, nil, err
	}
	chain, closeChain, err := vaultChain(ctx, node, key, batch, nil)
	if err != nil {
		return nil, nil, err
	}
	end = func() { closeChain(); server.Close() }
	if r.runner, err = newRunner(r.pool, chain, server.URL); err != nil {
		return nil, nil, err
	}
	if err := r.halt(ctx); err != nil {
		return nil, nil, err
	}
	stopRunner := start(ctx, r.runner)
	return r, func() {
		_ = stopRunner() // Run returns nil
		end()
	}, nil
}

func (r *releasing) halt(ctx context.Context) error {
	return store.SetHalt(ctx, r.pool, store.Everywhere, "to gather releases", time.Now())
}

// gather has payments paid and confirmed until their releases wait, and only the halt is between them and the chain.
func (r *releasing) gather(ctx context.Context, prefix string) error {
	payments, err := fillVaults(ctx, r.pool, prefix, releasesEach, r.node.token, r.key.Address())
	if err != nil {
		return err
	}
	for _, p := range payments {
		putOrder(r.market, p)
		if _, err := r.node.pay(ctx, p.Terms.Payee, 1_500_000); err != nil {
			return err
		}
	}
	open := []settlement.State{settlement.StateAwaitingPayment, settlement.StateVerifying, settlement.StateConfirming, settlement.StateVerified}
	if err := awaitState(ctx, r.pool, settlement.StateHeld, len(payments), open...); err != nil {
		return err
	}
	events := make([]settlement.Event, len(payments))
	for i, p := range payments {
		there, _ := r.market.Payment(p.OrderID)
		there.Status = orchestration.PaymentReleasePending
		r.market.PutPayment(there)
		events[i] = settlement.Event{ID: "confirmed", Payment: p.ID, Kind: settlement.EventOrderAccepted}
	}
	results, err := r.runner.Advance(ctx, events...)
	for _, res := range results {
		err = errors.Join(err, res.Err)
	}
	return err
}

// release lifts the halt until all that was gathered is final, and says how long that took. It returns once the orchestrator knows.
func (r *releasing) release(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	if _, err := store.LiftHalt(ctx, r.pool, store.Everywhere); err != nil {
		return 0, err
	}
	for final, deadline := 0, begin.Add(5*time.Minute); final < r.done+releasesEach; {
		if err := r.pool.QueryRow(ctx, "select count(*) from movements where state = 'final'").Scan(&final); err != nil {
			return 0, fmt.Errorf("count movements: %w", err)
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("%d releases are final after 5 min, not %d", final, r.done+releasesEach)
		}
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
	took := time.Since(begin)
	r.done += releasesEach
	if err := r.halt(ctx); err != nil {
		return 0, err
	}
	return took, awaitState(ctx, r.pool, settlement.StateReleased, r.done, settlement.StateReleasePending)
}

// measureBatchRelease compares how long releases take to become final in batches with the same releases in a transaction
// each, as many of those under way at once as one signer has.
func measureBatchRelease(ctx context.Context, g *ground) (figures []float64, err error) {
	var keys [2]operatorKey
	for i := range keys {
		if keys[i], err = newOperatorKey(); err != nil {
			return nil, err
		}
	}
	node, err := startPayingNode(ctx, releaseBlocks, keys[0].Address(), keys[1].Address())
	if err != nil {
		return nil, err
	}
	defer node.Close() //nolint:errcheck // nothing is kept
	if err := devnet.DeployVaults(ctx, node.Chain, node.key); err != nil {
		return nil, err
	}
	together, stop, err := startReleasing(ctx, g, node, keys[0], fullBatch)
	if err != nil {
		return nil, err
	}
	defer stop()
	singly, stop, err := startReleasing(ctx, g, node, keys[1], 1)
	if err != nil {
		return nil, err
	}
	defer stop()
	// Round -1 pairs with the machine and fills caches; it is not measured.
	for round := -1; round < rounds; round++ {
		for _, side := range []*releasing{together, singly} {
			if err := side.gather(ctx, fmt.Sprintf("ord_%d", round)); err != nil {
				return nil, err
			}
		}
		var ours, theirs time.Duration
		err := alternate(round+1, func() (err error) { ours, err = together.release(ctx); return err }, func() (err error) { theirs, err = singly.release(ctx); return err })
		if err != nil {
			return nil, err
		}
		if round < 0 {
			continue
		}
		note(fmt.Sprintf("batch-release: %.0f releases/s in batches of %d, %.0f releases/s one by one", releasesEach/ours.Seconds(), fullBatch, releasesEach/theirs.Seconds()))
		figures = append(figures, theirs.Seconds()/ours.Seconds())
	}
	return figures, nil
}

// measureReleaseGas is the gas that a release costs in a full batch, to a payee who had nothing of the token, out of a vault that
// is deployed by it.
func measureReleaseGas(ctx context.Context, g *ground) (figures []float64, err error) {
	key, err := newOperatorKey()
	if err != nil {
		return nil, err
	}
	node, err := startPayingNode(ctx, releaseBlocks, key.Address())
	if err != nil {
		return nil, err
	}
	defer node.Close() //nolint:errcheck // nothing is kept
	if err := devnet.DeployVaults(ctx, node.Chain, node.key); err != nil {
		return nil, err
	}
	r, stop, err := startReleasing(ctx, g, node, key, fullBatch)
	if err != nil {
		return nil, err
	}
	defer stop()
	before := uint64(0)
	for round := range rounds {
		if err := r.gather(ctx, fmt.Sprintf("ord_%d", round)); err != nil {
			return nil, err
		}
		if _, err := r.release(ctx); err != nil {
			return nil, err
		}
		rows, err := r.pool.Query(ctx, "select txid from signer_slots where state = 'final'")
		if err != nil {
			return nil, fmt.Errorf("read transactions: %w", err)
		}
		txids, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
		if err != nil {
			return nil, fmt.Errorf("read transactions: %w", err)
		}
		gas := uint64(0)
		for _, txid := range txids {
			receipt, err := node.Client().TransactionReceipt(ctx, common.BytesToHash(txid))
			if err != nil {
				return nil, fmt.Errorf("read a receipt: %w", err)
			}
			gas += receipt.GasUsed
		}
		note(fmt.Sprintf("release-gas: %d for %d releases, in %d transactions since the first round", gas-before, releasesEach, len(txids)))
		figures = append(figures, float64(gas-before)/releasesEach)
		before = gas
	}
	return figures, nil
}

// measureVaultCalls compares all RPC calls for the same empty blocks of a real node with 10,000 open vaults and with 10, half of
// them with their price in them. (A block with a stranger's transfer of the token costs one call more with more than a
// thousand, whatever their number: its bloom rules out each of few payees.)
func measureVaultCalls(ctx context.Context, g *ground) (figures []float64, err error) {
	key, err := newOperatorKey()
	if err != nil {
		return nil, err
	}
	node, err := startPayingNode(ctx, 0, key.Address())
	if err != nil {
		return nil, err
	}
	defer node.Close() //nolint:errcheck // nothing is kept
	if err := devnet.DeployVaults(ctx, node.Chain, node.key); err != nil {
		return nil, err
	}
	type side struct {
		counter counter
		watcher *stepped
	}
	begin := func(vaults int) (*side, func(), error) {
		s := &side{}
		pool, err := g.database(ctx, poolSize, ourMode)
		if err != nil {
			return nil, nil, err
		}
		payments, err := fillVaults(ctx, pool, "ord", vaults, node.token, key.Address())
		if err != nil {
			return nil, nil, err
		}
		if err := holdHalf(ctx, pool, payments); err != nil {
			return nil, nil, err
		}
		chain, closeChain, err := vaultChain(ctx, node, key, fullBatch, &s.counter)
		if err != nil {
			return nil, nil, err
		}
		s.watcher = newStepped(chain.Watcher)
		chain.Watcher = s.watcher
		runner, err := newRunner(pool, chain, "http://127.0.0.1:1")
		if err != nil {
			closeChain()
			return nil, nil, err
		}
		stop := start(ctx, runner)
		return s, func() {
			_ = stop() // Run returns nil
			closeChain()
		}, warm(ctx, s.watcher.barrier)
	}
	few, stop, err := begin(fewVaults)
	if err != nil {
		return nil, err
	}
	defer stop()
	many, stop, err := begin(openVaults)
	if err != nil {
		return nil, err
	}
	defer stop()
	for round := range rounds {
		few.counter.calls.Store(0)
		many.counter.calls.Store(0)
		for range blocksEach {
			node.Commit()
			err := alternate(round, func() error { return many.watcher.step(ctx) }, func() error { return few.watcher.step(ctx) })
			if err != nil {
				return nil, err
			}
		}
		a, b := few.counter.calls.Load(), many.counter.calls.Load()
		note(fmt.Sprintf("vault-calls: %.1f a block with %d open vaults, %.1f with %d", float64(b)/blocksEach, openVaults, float64(a)/blocksEach, fewVaults))
		figures = append(figures, float64(b)/float64(a))
	}
	return figures, nil
}

// holdHalf makes every second payment held, as it is long after its deposit.
func holdHalf(ctx context.Context, pool *pgxpool.Pool, payments []settlement.Payment) error {
	var changes []store.Change
	for i := 0; i < len(payments); i += 2 {
		held := payments[i]
		held.Version, held.State, held.PaidBy = held.Version+1, settlement.StateHeld, settlement.TxID(hashOf("deposit", uint64(i)))
		changes = append(changes, store.Change{Old: payments[i], New: held, DueAt: store.Never})
	}
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return store.SavePayments(ctx, tx, changes, time.Now()) })
	if err != nil {
		return fmt.Errorf("fill held payments: %w", err)
	}
	return nil
}
