package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"
	"github.com/jackc/pgx/v5/pgxpool"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/solana"
)

// refundBooks are the rows that a policy asks. The rig is made after its chains.
type refundBooks struct{ pool func() *pgxpool.Pool }

func (b refundBooks) Due(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (settlement.DirectRefund, settlement.Amount, error) {
	return store.DirectRefundAt(ctx, b.pool(), chain, slot)
}

func (b refundBooks) LastHour(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (escrowsolana.Spent, error) {
	reserved, err := store.ReservedSince(ctx, b.pool(), chain, slot, time.Now().Add(-time.Hour))
	return escrowsolana.Spent(reserved), err
}

// deaf says that it has sent what it has not, while it is told to.
type deaf struct {
	*escrowsolana.Refunder
	unsent *atomic.Pointer[[]byte] // what it was last asked to send; nil: it sends
}

func (m deaf) Send(ctx context.Context, raw []byte) error {
	if last := m.unsent.Load(); last != nil && m.unsent.CompareAndSwap(last, &raw) {
		return nil
	}
	return m.Refunder.Send(ctx, raw)
}

// A direct payment goes back out of the operator's wallet to a wallet that is proven to be the payer's: in parts and then all of it, also when a
// process dies after it has signed and others of the same refund are sent together with what it had signed. Books that are older than the chain
// move nothing.
func solanaDirectPaymentIsGivenBack(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	if err := escrowsolana.CreateWallet(&file, "correct horse", 10); err != nil {
		t.Fatal(err)
	}
	wallet, err := escrowsolana.OpenWallet(&file, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	var refunder *escrowsolana.Refunder
	unsent := new(atomic.Pointer[[]byte])
	c := newCluster(t, false, func(c *cluster, _ *setup, _ *orchestration.RailRecommendation) {
		c.refunds = func() *jobs.Refunds {
			config := escrowsolana.RefunderConfig{
				Chain: c.id, Wallet: wallet, Endpoints: []escrowsolana.Endpoint{{Name: "node", URL: c.node.URL()}}, Books: refundBooks{func() *pgxpool.Pool { return c.pool }},
				Tokens: []escrowsolana.Token{{Mint: c.token.Mint, Program: c.token.Program, Decimals: 6}},
				Policy: escrowsolana.Policy{Tokens: map[sdk.PublicKey]escrowsolana.TokenLimit{
					c.token.Mint: {PerPayment: settlement.NewAmount(10_000_000), PerHour: settlement.NewAmount(10_000_000)},
				}, PaymentsPerHour: 10, MaxUnitPrice: 1_000_000, Reserve: sdk.LAMPORTS_PER_SOL / 10},
			}
			if refunder == nil {
				if err := c.node.Fund(context.Background(), sdk.LAMPORTS_PER_SOL, wallet.Address()); err != nil {
					panic(err)
				}
				if _, _, err := escrowsolana.SetUpNonce(context.Background(), config); err != nil {
					panic(err)
				}
			}
			var err error
			if refunder, err = escrowsolana.NewRefunder(context.Background(), config); err != nil {
				panic(err)
			}
			return &jobs.Refunds{Mover: deaf{refunder, unsent}, BumpAfter: time.Second, HasCode: refunder.HasCode, Durable: true}
		}
	})
	c.run(c.token.Open(c.alice.PublicKey(), wallet.Address()), c.token.Transfer(c.alice.PublicKey(), wallet.Address(), 100_000_000))
	paid := func(proven bool) (string, settlement.Payment) {
		t.Helper()
		order, p, reference := c.open()
		id := c.run(c.transfer(c.token, solPrice, reference)...)
		if proven {
			c.prove(p, id)
		}
		return order, c.await(order, false, settlement.StateHeld)
	}
	last := func(p settlement.Payment, state settlement.MovementState) settlement.Movement {
		t.Helper()
		var m settlement.Movement
		c.eventually(fmt.Sprintf("the last movement is %s", state), func() error {
			all := c.movements(p)
			if len(all) == 0 || all[len(all)-1].State != state {
				return fmt.Errorf("%+v", all)
			}
			m = all[len(all)-1]
			return nil
		})
		return m
	}
	back := func() string { return c.units(c.alice.PublicKey()) }
	_, unproven := paid(false)
	var refusal *jobs.RefundError
	if _, err := c.giveBack(unproven, 0); !errors.As(err, &refusal) || refusal.Refusal != jobs.RefundReceiverMissing {
		t.Errorf("nobody is proven to be the payer: %v", err)
	}
	for name, to := range map[string]sdk.PublicKey{"payee": c.bob.PublicKey(), "wallet itself": wallet.Address(), "mint": c.other.Mint, "token account": c.token.Account(c.alice.PublicKey())} {
		if _, err := c.giveBack(unproven, 0, func(a *jobs.Action) { a.Receiver = key(to) }); !errors.As(err, &refusal) || refusal.Refusal != jobs.RefundReceiverRefused {
			t.Errorf("to the %s: %v", name, err)
		}
	}
	if done, err := c.giveBack(unproven, 500_000, func(a *jobs.Action) { a.Receiver = key(c.alice.PublicKey()) }); err != nil || done.Needed != 2 {
		t.Errorf("to a wallet that nobody has signed with: %+v, %v", done, err)
	}
	order, p := paid(true)
	before := back()
	if done, err := c.giveBack(p, 500_000); err != nil || done.Needed != 0 || done.Refund.Receiver != key(c.alice.PublicKey()) || done.Refund.From != key(wallet.Address()) {
		t.Fatalf("a part: %+v, %v", done, err)
	}
	if m := last(p, settlement.MovementFinal); m.TxID == "" || m.Gas == nil {
		t.Errorf("%+v", m)
	}
	if after := back(); before != "897000000" || after != "897500000" {
		t.Errorf("the payer had %s and has %s", before, after)
	}

	// The process dies when it has signed and, as it believes, sent. The next one signs a dearer one, and then both are sent.
	nothing := []byte{}
	unsent.Store(&nothing)
	if _, err := c.giveBack(c.again(p), 0); err != nil {
		t.Fatal(err)
	}
	last(p, settlement.MovementSent)
	c.stop()
	early := *unsent.Load()
	c.runner = c.newRunner(c.setup)
	c.stop = c.start(c.runner)
	c.eventually("a dearer one is signed", func() error {
		var attempt int
		if err := c.pool.QueryRow(t.Context(), "select max(attempt) from slot_transactions where nonce = 1").Scan(&attempt); err != nil || attempt == 0 {
			return errors.Join(err, errNotYet)
		}
		return nil
	})
	dearer := *unsent.Swap(nil)
	for _, raw := range [][]byte{early, dearer, early} {
		if err := refunder.Send(t.Context(), raw); err != nil {
			t.Fatal(err)
		}
	}
	p = c.await(order, false, settlement.StateRefunded)
	if after := back(); after != "898500000" {
		t.Errorf("the payer has %s", after)
	}
	if got := c.ledger(p); got != "operator -1500000, payee 1500000, payer -1500000, refund 1500000" {
		t.Errorf("the ledger says %s", got)
	}
	if there := c.marketPayment(order); there.Status != orchestration.PaymentRefunded {
		t.Errorf("the orchestrator's payment is %s", there.Status)
	}

	// Books from before the last refund: the nonce was used by what they do not know.
	if _, err := c.pool.Exec(t.Context(), "update signers set durable_nonce = sha256('old')"); err != nil {
		t.Fatal(err)
	}
	order, p = paid(true)
	before = back()
	if _, err := c.giveBack(p, 0); err != nil {
		t.Fatal(err)
	}
	signer := func() store.Signer {
		t.Helper()
		s, err := store.ReadSigner(t.Context(), c.pool, c.id, key(wallet.Address()))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	c.eventually("the signer stops", func() error {
		c.ahead.Add(int64(time.Second)) // it is patient for a minute
		if !strings.Contains(signer().Stopped, "our books are older than the chain") {
			return errNotYet
		}
		return nil
	})
	if got := c.moved(p); len(got) != 1 || got[0] != "refund 0+1500000 approved" || back() != before {
		t.Errorf("movements %q, the payer has %s", got, back())
	}
	looked, err := refunder.Prepare(t.Context(), nil)
	if err == nil {
		err = store.SetDurableNonce(t.Context(), c.pool, c.id, key(wallet.Address()), looked.Durable)
	}
	if err == nil {
		err = store.RestartSigner(t.Context(), c.pool, c.id, key(wallet.Address()), signer().NextNonce, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	p = c.await(order, false, settlement.StateRefunded)
	if after := back(); after != "898500000" {
		t.Errorf("the payer had %s and has %s by %s", before, after, solana.FormatTxID(p.PaidOut))
	}
}

// again reads the payment.
func (c *cluster) again(p settlement.Payment) settlement.Payment {
	c.t.Helper()
	payments, err := store.Payments(c.t.Context(), c.pool, []settlement.PaymentID{p.ID})
	if err != nil {
		c.t.Fatal(err)
	}
	return payments[0]
}
