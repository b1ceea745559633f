package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/settlement"
)

// settleOrders is how many orders a round settles.
const settleOrders = 2000

// measureSettle compares orders that go from matched (their transfer was found and judged, its block is not final) to
// held (final, consumed, proof accepted by the orchestrator over HTTP, committed) with three transactions an order that
// store the least: the state, the consumption, the event. Each of those is one prepared statement, on as many
// connections as the Runner has.
func measureSettle(ctx context.Context, g *ground) (figures []float64, err error) {
	pool, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	plain, err := g.database(ctx, poolSize, plainMode)
	if err != nil {
		return nil, err
	}
	if _, err := plain.Exec(ctx, `insert into audit_batches (seq, previous, digest, events, at) values (1, '', '\x01', 1, now())`); err != nil {
		return nil, fmt.Errorf("begin the audit chain: %w", err)
	}
	market := orchestrationtest.New(orchestrationtest.Config{SessionTTL: time.Hour})
	market.PutMachine(orchestration.Machine{ID: machine, DisplayName: "Charger", Status: orchestration.MachineActive, OwnerID: "acme"})
	server := httptest.NewServer(market)
	defer server.Close()
	chain := newScript()
	runner, err := newRunner(pool, scriptedChain(chain), server.URL)
	if err != nil {
		return nil, err
	}
	stop := start(ctx, runner)
	defer stop() //nolint:errcheck // Run returns nil

	held := 0
	// Round -1 pairs with the machine, opens connections and fills caches; it is not measured.
	for round := -1; round < rounds; round++ {
		prefix := fmt.Sprintf("ord_%d", round)
		payments, err := fill(ctx, pool, prefix, settleOrders, coin, "")
		if err != nil {
			return nil, err
		}
		twins, err := fill(ctx, plain, prefix, settleOrders, coin, "")
		if err != nil {
			return nil, err
		}
		for _, p := range payments {
			putOrder(market, p)
		}
		block := chain.add(payments)
		if err := awaitState(ctx, pool, settlement.StateConfirming, settleOrders, settlement.StateAwaitingPayment); err != nil {
			return nil, err
		}
		held += settleOrders
		var ours, theirs time.Duration
		err = alternate(round, func() error {
			begin := time.Now()
			chain.finalize(block)
			err := awaitState(ctx, pool, settlement.StateHeld, held, settlement.StateConfirming, settlement.StateVerified)
			ours = time.Since(begin)
			return err
		}, func() (err error) {
			theirs, err = settleMinimally(ctx, plain, twins, block)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, p := range payments {
			if n := len(market.Proofs(p.OrderID)); n != 1 {
				return nil, fmt.Errorf("order %s has %d accepted proofs", p.OrderID, n)
			}
		}
		if round < 0 {
			continue
		}
		note(fmt.Sprintf("settle: %.0f orders/s against %.0f orders/s", settleOrders/ours.Seconds(), settleOrders/theirs.Seconds()))
		figures = append(figures, theirs.Seconds()/ours.Seconds())
	}
	return figures, nil
}

// putOrder gives the orchestrator the order with its intent, as both stand once the payer has been told what to pay.
func putOrder(market *orchestrationtest.Server, p settlement.Payment) {
	at, rail := time.Now().UTC().Format(time.RFC3339), railOf(p.Terms)
	market.PutOrder(orchestration.MarketOrder{
		ID: p.OrderID, MachineID: machine, ServiceID: "svc:charge", Status: orchestration.OrderPaymentPending, CreatedAt: at, UpdatedAt: at,
		Payment: orchestration.RailRecommendation{DefaultRail: rail, Required: true, SupportedRails: []orchestration.RailType{rail}},
	})
	market.PutPayment(orchestration.MarketPayment{
		ID: "pay_" + p.OrderID, OrderID: p.OrderID, MachineID: machine, Status: orchestration.PaymentIntentCreated, CreatedAt: at, UpdatedAt: at,
		Rail: orchestration.RailDetails{Type: rail, Chain: string(scriptID)},
	})
}

// awaitState returns once n payments are in the state. It counts them when none is in the states before any more: to
// count again and again would be work of ours that is not settler's.
func awaitState(ctx context.Context, pool *pgxpool.Pool, state settlement.State, n int, before ...settlement.State) error {
	deadline := time.Now().Add(5 * time.Minute)
	for {
		var waiting bool
		err := pool.QueryRow(ctx, "select exists (select from payments where marketplace = $1 and state = any($2))", marketplace, before).Scan(&waiting)
		if err != nil {
			return fmt.Errorf("look for payments: %w", err)
		}
		if !waiting {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("payments are still %s after 5 min", before)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
	var got int
	if err := pool.QueryRow(ctx, "select count(*) from payments where marketplace = $1 and state = $2", marketplace, string(state)).Scan(&got); err != nil {
		return fmt.Errorf("count payments: %w", err)
	}
	if got != n {
		return fmt.Errorf("%d payments are %s, want %d", got, state, n)
	}
	return nil
}

// settleMinimally settles each order in three transactions of one statement each.
func settleMinimally(ctx context.Context, pool *pgxpool.Pool, payments []settlement.Payment, block uint64) (time.Duration, error) {
	const (
		save = `update payments set state = 'held', version = version + 1, paid_by = $2, updated_at = $3 where id = $1 and version = $4`
		use  = `insert into consumed_transfers (chain, txid, position, payment_id, amount, consumed_at) values ($1, $2, $3, $4, 1500000, $5)`
		tell = `insert into payment_events (payment_id, version, event_id, kind, from_state, to_state, txid, audit_seq, at)
			values ($1, $2, 'settled', 'settled', 'awaiting_payment', 'held', $3, 1, $4)`
	)
	orders := make(chan int)
	group, ctx := errgroup.WithContext(ctx)
	begin := time.Now()
	for range poolSize {
		group.Go(func() error {
			for i := range orders {
				p, txid, now := payments[i], []byte(hashOf("tx", block<<32|uint64(i))), time.Now()
				for _, step := range []struct {
					sql  string
					args []any
				}{
					{use, []any{string(scriptID), txid, settlement.Native, p.ID, now}},
					{save, []any{p.ID, txid, now, p.Version}},
					{tell, []any{p.ID, p.Version + 1, txid, now}},
				} {
					_, err := pool.Exec(ctx, step.sql, step.args...)
					if err != nil {
						return fmt.Errorf("settle minimally: %w", err)
					}
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(orders)
		for i := range payments {
			select {
			case orders <- i:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	err := group.Wait()
	return time.Since(begin), err
}
