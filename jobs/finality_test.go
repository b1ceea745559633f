package jobs_test

import (
	"fmt"
	"testing"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

// tiers make sums up to 1.5 final after two blocks and larger ones after six.
func tiers(s *setup) {
	s.evm = func(c *evm.Config) {
		c.Finality = evm.Finality{Depth: 6}
		c.Tiers = []evm.Tier{{Token: c.Tokens[0].Address, UpTo: settlement.NewAmount(1_500_000), Finality: evm.Finality{Depth: 2}}}
	}
}

// Each payment is final under the rule of its price, found by the watcher or named.
func TestFinalityOfTheTier(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		price string
		units int64
		depth uint64
	}{{"1.5", 1_500_000, 2}, {"1.500001", 1_500_001, 6}} {
		for _, named := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s named %t", tt.price, named), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, tiers, func(s *setup) { s.price = tt.price })
				order := r.order()
				r.tell(order)
				p := r.await(order, false, settlement.StateAwaitingPayment)
				hash := r.pay(r.payer, r.payee, tt.units)
				if named {
					if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
						t.Fatal(err)
					}
				}
				r.chain.Commit()
				rule := settlement.Finality(fmt.Sprintf("depth %d", tt.depth))
				for n := range tt.depth {
					r.await(order, false, settlement.StateConfirming)
					r.eventually("the block is scanned", r.scanned)
					seen := r.transfers(p)
					if len(seen) != 1 || seen[0].Status != store.TransferSeen || seen[0].Sighting.Block.Hash == "" {
						t.Fatalf("after %d blocks: %+v", n, seen)
					}
					if got := seen[0].Sighting.Verdict.Evidence.Finality; got != rule {
						t.Errorf("waits for %s, want %s", got, rule)
					}
					r.chain.Commit()
				}
				r.await(order, false, settlement.StateVerified, settlement.StateHeld)
				seen := r.transfers(p)
				if e := seen[0].Sighting.Verdict.Evidence; seen[0].Status != store.TransferFinal || e.Finality != rule || e.Trust != "single" {
					t.Errorf("%s with evidence %+v, want final under %s, trust single", seen[0].Status, e, rule)
				}
			})
		}
	}
}

// A rule that the configuration has lost since the transfer was seen gives way to the chain's own.
func TestRuleIsGoneAfterARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, tiers)
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	r.chain.Commit()
	r.await(order, false, settlement.StateConfirming)
	r.stop()
	r.setup.evm = func(c *evm.Config) { c.Finality = evm.Finality{Depth: 4} }
	r.runner = r.newRunner(r.setup)
	for range 3 {
		r.chain.Commit()
	}
	r.stop = r.start(r.runner)
	r.eventually("the blocks are scanned", r.scanned)
	r.await(order, false, settlement.StateConfirming)
	r.chain.Commit()
	r.await(order, false, settlement.StateVerified, settlement.StateHeld)
	if got := r.transfers(p)[0].Sighting.Verdict.Evidence.Finality; got != "depth 4" {
		t.Errorf("final under %s, want depth 4", got)
	}
}

// A sum above the tier needs both operators, for what the watcher finds as for what is named; one that is silent or lies
// holds it up, and nothing is confirmed on the word of the other.
func TestTrustOfTheTier(t *testing.T) {
	t.Parallel()
	for _, trust := range []evm.Trust{{Operators: 2}, {Operators: 2, Proof: true}} {
		t.Run(trust.String(), func(t *testing.T) {
			t.Parallel()
			var second *chaintest.Proxy
			r := newRig(t, func(s *setup) {
				s.idle = true
				s.evm = func(c *evm.Config) {
					if second != nil {
						c.Endpoints = append(c.Endpoints, evm.Endpoint{Name: "second", URL: second.URL()})
						c.Trust = trust
						c.Tiers = []evm.Tier{{Token: c.Tokens[0].Address, UpTo: settlement.NewAmount(1), Finality: evm.Finality{Depth: 1}}}
					}
				}
			})
			second = chaintest.NewProxy(t, r.chain.URL())
			r.runner = r.newRunner(r.setup)
			r.stop = r.start(r.runner)
			order := r.order()
			r.tell(order)
			p := r.await(order, false, settlement.StateAwaitingPayment)
			second.Handle(func(method string) chaintest.Answer { return chaintest.Answer{Status: 503} })
			hash := r.pay(r.payer, r.payee, 1_500_000)
			if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
				t.Fatal(err)
			}
			for range 4 {
				r.chain.Commit()
			}
			calls := r.rpc.Calls("eth_getTransactionReceipt")
			r.eventually("the named transaction is looked for", func() error {
				if r.rpc.Calls("eth_getTransactionReceipt") <= calls {
					return errNotYet
				}
				return nil
			})
			if q, err := r.payment(order); err != nil || q.State != settlement.StateVerifying {
				t.Errorf("state %s (%v) on the word of one operator", q.State, err)
			}
			second.Handle(nil)
			r.await(order, true, settlement.StateHeld)
			e := r.transfers(p)[0].Sighting.Verdict.Evidence
			if e.Trust != trust.String() || len(e.Endpoints) < 2 {
				t.Errorf("evidence %+v, want trust %s and both endpoints", e, trust)
			}
		})
	}
}
