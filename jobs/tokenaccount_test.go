package jobs_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// A payer whose wallet makes no token accounts asks for that of his order's wallet, once, and pays by a plain transfer. Its rent comes back
// with the release, or when the order ends unpaid, also when the process died in the middle. No more are asked for within an hour than may be.
func solanaTokenAccounts(t *testing.T) {
	t.Parallel()
	secret := newSecret(t, 1)
	var mover *escrowsolana.Mover
	c := newCluster(t, false, func(c *cluster, s *setup, _ *orchestration.RailRecommendation) {
		s.rail = orchestration.RailEscrow
		c.escrow = func() *jobs.Escrow {
			mover = c.mover(secret)
			return &jobs.Escrow{
				Instrument: mover, Mover: mover, Arbiter: mover.Signer(), Epoch: 1, HoldFor: 24 * time.Hour, DisputeFor: time.Hour, BumpAfter: time.Second, Batch: 1,
				TokenAccounts: &jobs.TokenAccounts{PerHour: 2, Call: mover.TokenAccountCall},
			}
		}
	})
	open := func() (string, settlement.Payment) {
		t.Helper()
		order := c.order()
		c.proveRefunds(order, c.id, c.alice)
		c.tell(order)
		return order, c.await(order, false, settlement.StateAwaitingPayment)
	}
	becomes := func(p settlement.Payment, states ...store.TokenAccountState) {
		t.Helper()
		c.eventually(fmt.Sprintf("the token account is one of %q", states), func() error {
			there, err := store.ReadTokenAccount(t.Context(), c.pool, c.id, p.Terms.Payee)
			for _, state := range states {
				if there.State == state {
					return nil
				}
			}
			return errors.Join(err, fmt.Errorf("%+v", there))
		})
	}
	ask := func(p settlement.Payment) {
		t.Helper()
		if there, err := c.runner.AskTokenAccount(t.Context(), p); err != nil || there.Problem != "" {
			t.Fatalf("%+v, %v", there, err)
		}
	}
	c.eventually("what pays for accounts is final", func() error {
		if has, err := mover.Balance(t.Context()); err != nil || has.IsZero() {
			return errors.Join(err, errNotYet)
		}
		return nil
	})
	paidOrder, paid := open()
	ask(paid)
	ask(paid)
	becomes(paid, store.TokenAccountOpen)
	unpaidOrder, unpaid := open()
	ask(unpaid)
	becomes(unpaid, store.TokenAccountCreating, store.TokenAccountOpen)
	c.stop()
	c.runner = c.newRunner(c.setup)
	c.stop = c.start(c.runner)
	becomes(unpaid, store.TokenAccountOpen)
	_, third := open()
	if _, err := c.runner.AskTokenAccount(t.Context(), third); !errors.Is(err, jobs.ErrTokenAccounts) {
		t.Errorf("a third one within the hour: %v", err)
	}

	c.run(c.token.Transfer(c.alice.PublicKey(), sdk.PublicKeyFromBytes([]byte(paid.Terms.Payee)), solPrice)) // opens nothing
	c.await(paidOrder, false, settlement.StateHeld)
	if _, err := c.runner.AskTokenAccount(t.Context(), c.await(paidOrder, false, settlement.StateHeld)); !errors.Is(err, jobs.ErrNoTokenAccount) {
		t.Errorf("asked for when it is paid: %v", err)
	}
	c.cancel(unpaidOrder)
	c.confirm(paidOrder)
	c.await(paidOrder, false, settlement.StateReleased)
	becomes(unpaid, store.TokenAccountClosed)
	becomes(paid, store.TokenAccountClosed)
	for _, p := range []settlement.Payment{paid, unpaid} {
		account := c.token.Account(sdk.PublicKeyFromBytes([]byte(p.Terms.Payee)))
		var there struct{ Value any }
		if err := c.node.Call(t.Context(), &there, "getAccountInfo", account, map[string]string{"commitment": "confirmed"}); err != nil || there.Value != nil {
			t.Errorf("the token account is %v (%v)", there.Value, err)
		}
	}
	var made, rent string
	err := c.pool.QueryRow(t.Context(), `
		select string_agg(l.amount::text, ' ' order by e.id) filter (where l.amount > 0), sum(l.amount)::text
		from ledger_entries e join ledger_lines l on l.entry_id = e.id where l.account = 'rent'`).Scan(&made, &rent)
	if err != nil || made != "2039280 2039280" || rent != "0" {
		t.Errorf("rent in the ledger: %s, in all %s (%v)", made, rent, err)
	}
	if stats, err := c.runner.Stats(t.Context()); err != nil || stats.TokenAccounts[c.id][store.TokenAccountClosed] != 2 {
		t.Errorf("metrics %+v (%v)", stats.TokenAccounts, err)
	}
}
