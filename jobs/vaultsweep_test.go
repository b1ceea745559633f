package jobs_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// idle is a mover that moves nothing.
type idle struct {
	jobs.Mover
	address settlement.Address
}

func (i idle) Signer() settlement.Address { return i.address }

func (i idle) Prepare(context.Context, []settlement.Movement) (settlement.Prepared, error) {
	return settlement.Prepared{}, nil
}

// custody makes vaults that are wallets on the cluster.
func custody(t *testing.T, genesis string) *escrowsolana.Custody {
	t.Helper()
	c, err := escrowsolana.NewCustody(settlement.ChainID("solana:"+genesis[:32]), sdk.MustHashFromBase58(genesis), newSecret(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// proveRefunds has the wallet sign for the pairing of the order, so that refunds go to it.
func (r *rig) proveRefunds(order string, chain settlement.ChainID, wallet sdk.PrivateKey) {
	r.t.Helper()
	o, err := r.client.GetMarketOrder(r.t.Context(), order)
	if err != nil {
		r.t.Fatal(err)
	}
	signature, err := wallet.Sign([]byte(settlement.RefundText(chain, "acme", o.AgentPairingID)))
	if err == nil {
		err = r.runner.ProveRefundWallet(r.t.Context(), store.RefundWallet{
			Marketplace: "acme", Pairing: o.AgentPairingID, Chain: chain, Wallet: key(wallet.PublicKey()), Signature: signature.String(),
		})
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// Deposits in vaults are found by reading what they hold, all in one call; only the history of one that has changed is asked for,
// again while the endpoint's list is late, and what is paid while nobody watches is found after the restart, also what comes to the vault
// of an order that is over.
func TestVaultDepositsAreRead(t *testing.T) {
	t.Parallel()
	var c *escrowsolana.Custody
	m := newMadeUp(t, 1, func(s *setup, chain *jobs.Chain) {
		s.rail = orchestration.RailEscrow
		if c == nil {
			c = custody(t, chaintest.NewCluster(1, 1).Genesis())
		}
		chain.Escrow = &jobs.Escrow{
			Instrument: c, Mover: idle{address: c.FeePayer()}, Arbiter: c.FeePayer(), Epoch: c.Epoch(), HoldFor: 200 * time.Hour, DisputeFor: time.Hour,
			BumpAfter: time.Second, Batch: 1,
		}
	})
	chain := settlement.ChainID("solana:" + m.cluster.Genesis()[:32])
	open := func() (string, settlement.Payment) {
		t.Helper()
		order := m.order()
		m.proveRefunds(order, chain, m.payer)
		m.tell(order)
		p := m.await(order, false, settlement.StateAwaitingPayment)
		if p.Terms.Custody != settlement.CustodyVault || p.Terms.Reference != "" || p.Terms.ProvenPayer != key(m.payer.PublicKey()) {
			t.Fatalf("terms %+v", p.Terms)
		}
		m.cluster.Advance(1)
		return order, p
	}
	pay := func(p settlement.Payment) settlement.TxID {
		t.Helper()
		m.payee = sdk.PublicKeyFromBytes([]byte(p.Terms.Payee))
		return m.send(madePrice)
	}
	held := func(order string, by settlement.TxID) {
		t.Helper()
		m.settled(due{order: order}, by)
		if there := m.marketPayment(order); there.Status != orchestration.PaymentHeld || there.Rail.EscrowAddress != m.payee.String() {
			t.Errorf("the orchestrator's payment is %s in %s, want it locked in %s", there.Status, there.Rail.EscrowAddress, m.payee)
		}
	}
	first, firstPayment := open()
	second, secondPayment := open()
	third, thirdPayment := open()
	late := atomic.Int32{}
	late.Store(3)
	m.first.Intercept(func(call chaintest.Call) chaintest.Answer {
		if call.Method == "getSignaturesForAddress" && late.Add(-1) >= 0 { // the node has not written its index yet
			return chaintest.Answer{Result: json.RawMessage("[]")}
		}
		return chaintest.Pass
	})
	reads := m.first.Calls("getMultipleAccounts")
	m.eventually("the vaults are read twice more", func() error {
		if n := m.first.Calls("getMultipleAccounts"); n < reads+2 {
			return fmt.Errorf("%d calls", n-reads)
		}
		return nil
	})
	if n := m.first.Calls("getSignaturesForAddress") + m.first.Calls("getTokenAccountsByOwner"); n > 0 {
		t.Errorf("%d calls for histories while nothing was paid", n)
	}
	held(first, pay(firstPayment))
	if n := late.Load(); n >= 0 {
		t.Errorf("the list was late %d times, want 3", 3-n)
	}
	m.eventually("what the first vault holds is recorded as explained", func() error {
		explained, err := store.HeldAccounts(t.Context(), m.pool, chain)
		if err == nil && explained[store.VaultAccount{Vault: firstPayment.Terms.Payee}] != settlement.NewAmount(madePrice) {
			err = fmt.Errorf("recorded %v", explained)
		}
		return err
	})
	over, _ := open()
	m.cancel(over)
	overPayment := m.await(over, false, settlement.StateClosed)
	m.stop()
	pay(overPayment)
	paid := pay(secondPayment)
	m.cluster.Advance(100)
	looks := m.first.Calls("getSignaturesForAddress")
	m.runner = m.newRunner(m.setup)
	m.stop = m.start(m.runner)
	held(second, paid)
	if n := m.first.Calls("getSignaturesForAddress") - looks; n > 4 { // a page and its end for each; none for the one that was looked at before
		t.Errorf("%d calls for the histories of two deposits", n)
	}
	m.eventually("what came after the end is in the books", func() error {
		if got := m.ledger(overPayment); got != fmt.Sprintf("held %d, payer -%d", madePrice, madePrice) {
			return fmt.Errorf("the ledger says %q", got)
		}
		return nil
	})
	held(third, pay(thirdPayment))
}
