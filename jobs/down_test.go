package jobs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// allowConnections opens the test's database, or ends all of its connections and refuses new ones.
func (r *rig) allowConnections(allowed bool) {
	r.t.Helper()
	config := r.pool.Config().ConnConfig.Copy()
	name := config.Database
	config.Database = "postgres"
	conn, err := pgx.ConnectConfig(r.t.Context(), config)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(r.t.Context())) }()
	_, err = conn.Exec(r.t.Context(), fmt.Sprintf("alter database %s allow_connections %t", pgx.Identifier{name}.Sanitize(), allowed))
	if err != nil {
		r.t.Fatal(err)
	}
	if allowed {
		return
	}
	quiet := 0 // one that was being made is seen a moment later
	r.eventually("no connection is left", func() error {
		var ended int
		err := conn.QueryRow(r.t.Context(), "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = $1", name).Scan(&ended)
		if quiet++; ended > 0 {
			quiet = 0
		}
		if err == nil && quiet < 5 {
			err = errNotYet
		}
		return err
	})
}

// The database takes no connections for seconds at every stage of an order's life: what was accepted goes on, and what
// was not is refused, never lost in between.
func TestDatabaseIsDownForAWhile(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	down := func(during func()) {
		r.allowConnections(false)
		during()
		if err := r.runner.Ready(t.Context()); err == nil {
			t.Error("ready without a database")
		}
		r.allowConnections(true)
	}
	hook := store.Webhook{Marketplace: marketplace, ID: "msg_1", Type: "order.created", MachineID: r.machine, OrderID: order}
	down(func() {
		if err := r.runner.AcceptWebhook(t.Context(), hook); err == nil {
			t.Error("a webhook is accepted that cannot be stored")
		}
	})
	r.eventually("the sender's repetition is taken", func() error { return r.runner.AcceptWebhook(t.Context(), hook) })
	down(func() { time.Sleep(3 * time.Second) })
	r.awaitThrough(order, settlement.StateAwaitingPayment)
	down(func() {
		r.pay(r.payer, r.payee, 1_500_000)
		for range 4 {
			r.chain.Commit()
		}
		time.Sleep(3 * time.Second)
	})
	r.awaitThrough(order, settlement.StateHeld)
	if n := r.market.Intents(order); n != 1 || len(r.market.Proofs(order)) != 1 {
		t.Errorf("%d intents and %d proofs, want one of each", n, len(r.market.Proofs(order)))
	}
}

// The one connection that holds this process's locks is lost, and no other: its work stops, and it takes new locks.
func TestLockConnectionIsLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	for range 2 {
		var ended int
		err := r.pool.QueryRow(t.Context(), `select count(pg_terminate_backend(pid)) from pg_stat_activity
			where datname = current_database() and pid in (select pid from pg_locks where locktype = 'advisory')`).Scan(&ended)
		if err != nil || ended != 1 {
			t.Fatalf("%d connections ended (%v), want the one with the locks", ended, err)
		}
		r.eventually("the process says so", func() error { return r.logged("ERROR", "database session lost") })
		r.eventually("it works again", func() error { return r.runner.Ready(t.Context()) })
		r.chain.Commit()
		r.eventually("the chain is scanned", r.scanned)
	}
	r.await(order, true, settlement.StateHeld)
	if n := r.market.Intents(order); n != 1 || len(r.market.Proofs(order)) != 1 {
		t.Errorf("%d intents and %d proofs, want one of each", n, len(r.market.Proofs(order)))
	}
}
