package jobs_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// disconnect ends every connection to the test's database, as a restart of the server does.
func (r *rig) disconnect() {
	r.t.Helper()
	conn, err := pgx.Connect(r.t.Context(), r.pool.Config().ConnString())
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close(r.t.Context()) }()
	_, err = conn.Exec(r.t.Context(),
		"select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
	if err != nil {
		r.t.Fatal(err)
	}
}

// Connections are lost at every stage of an order's life, the one that holds this process's locks among them.
func TestDatabaseConnectionsAreLost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.disconnect()
	r.eventually("the webhook is taken", func() error {
		return r.runner.AcceptWebhook(t.Context(), store.Webhook{Marketplace: marketplace, ID: "msg_1", Type: "order.created", MachineID: r.machine, OrderID: order})
	})
	r.disconnect()
	r.awaitThrough(order, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	r.chain.Commit()
	r.disconnect()
	r.awaitThrough(order, settlement.StateConfirming)
	r.disconnect()
	r.chain.Commit()
	r.chain.Commit()
	r.awaitThrough(order, settlement.StateHeld)
	if n := r.market.Intents(order); n != 1 || len(r.market.Proofs(order)) != 1 {
		t.Errorf("%d intents and %d proofs, want one of each", n, len(r.market.Proofs(order)))
	}
}

// awaitThrough waits for a state or one after it, whatever the database answers meanwhile.
func (r *rig) awaitThrough(order string, state settlement.State) {
	r.t.Helper()
	path := []settlement.State{settlement.StateAwaitingPayment, settlement.StateConfirming, settlement.StateVerified, settlement.StateHeld}
	r.eventually("order is "+string(state), func() error {
		p, err := r.payment(order)
		if err != nil {
			return err
		}
		reached := false
		for _, s := range path {
			reached = reached || s == state
			if reached && p.State == s {
				return nil
			}
		}
		return errors.New("it is " + string(p.State))
	})
}

// Two processes serve one database: each chain is watched by one of them, and when that one loses its session the other
// goes on where it stood.
func TestSecondProcessTakesTheChainOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	second := r.newRunner(r.setup)
	stopSecond := r.start(second)
	t.Cleanup(stopSecond)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.stop() // the first one leaves
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
	if n := len(r.market.Proofs(order)); n != 1 {
		t.Errorf("%d proofs, want 1", n)
	}
}

// The fence: a watcher that was taken over cannot move the cursor any more.
func TestOldWatcherIsFenced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.eventually("the chain is scanned", r.scanned)
	epoch, err := store.TakeChain(t.Context(), r.pool, r.chainID())
	if err != nil {
		t.Fatal(err)
	}
	r.chain.Commit()
	r.eventually("the old watcher gives up and takes the chain again", func() error {
		next, err := store.TakeChain(t.Context(), r.pool, r.chainID())
		if err != nil {
			return err
		}
		if next > epoch+1 {
			return nil
		}
		epoch = next
		return errNotYet
	})
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
}
