package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/uuid"

	escrow "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

func (r *rig) newRefunds(change func(*jobs.Refunds)) *jobs.Refunds {
	r.t.Helper()
	mover, err := escrow.NewMover(r.t.Context(), escrow.MoverConfig{
		Chain: r.chainID(), Endpoints: []escrow.Endpoint{{Name: "proxy", URL: r.rpc.URL()}}, Signer: keySigner{r.wallet}, Depth: 2, MaxFee: big.NewInt(1e12),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(mover.Close)
	re := &jobs.Refunds{Mover: mover, BumpAfter: 5 * time.Second, HasCode: mover.HasCode}
	change(re)
	return re
}

// givingBack makes a rig whose direct payments are given back.
func givingBack(change ...func(*jobs.Refunds)) func(*setup) {
	return func(s *setup) {
		s.refunds = func(re *jobs.Refunds) {
			for _, c := range change {
				c(re)
			}
		}
	}
}

// paid brings a direct order to held.
func (r *rig) paid() (string, settlement.Payment) {
	r.t.Helper()
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	return order, r.await(order, true, settlement.StateHeld)
}

// fund gives the wallet tokens.
func (r *rig) fund(amount int64) {
	r.t.Helper()
	if err := devnet.MintTestToken(r.t.Context(), r.chain, r.payer, r.token, address(r.wallet), big.NewInt(amount)); err != nil {
		r.t.Fatal(err)
	}
	for range 3 {
		r.chain.Commit()
	}
}

// giveBack asks for a refund as a person does; amount 0 is all.
func (r *rig) giveBack(p settlement.Payment, amount uint64, change ...func(*jobs.Action)) (jobs.Acted, error) {
	r.t.Helper()
	a := jobs.Action{
		Kind: jobs.ActRefund, Payment: p.ID, Version: p.Version, Reason: "ticket 4711", Key: uuid.NewString(),
		By: jobs.By{Actor: settlement.PaymentID(uuid.New()), Name: "alice", Origin: "192.0.2.1"},
	}
	if amount > 0 {
		a.Dispute.Award = &settlement.Division{ToPayer: settlement.NewAmount(amount)}
	}
	for _, c := range change {
		c(&a)
	}
	return r.runner.Act(r.t.Context(), a, false)
}

// returned waits until the payment's last movement is in the state.
func (r *rig) returned(p settlement.Payment, state settlement.MovementState) settlement.Movement {
	r.t.Helper()
	var last settlement.Movement
	r.eventually(fmt.Sprintf("the last movement is %s", state), func() error {
		r.chain.Commit()
		m := r.movements(p)
		if len(m) == 0 || m[len(m)-1].State != state {
			return fmt.Errorf("%+v", m)
		}
		last = m[len(m)-1]
		return nil
	})
	return last
}

func (r *rig) walletNonce() uint64 { return r.nonceOf(r.wallet) }

// What was paid directly goes back out of the operator's own wallet: in parts, then the rest, never more than has arrived, and the
// orchestrator is told.
func TestDirectPaymentIsGivenBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, givingBack())
	r.fund(10_000_000)
	order, p := r.paid()
	before := r.balanceOf(address(r.payer))
	for _, tt := range []struct {
		name    string
		amount  uint64
		because string
	}{
		{"a part that is all", 1_500_000, "1500000 base units have arrived"},
		{"more than has arrived", 1_500_001, "1500000 base units have arrived"},
	} {
		if _, err := r.giveBack(p, tt.amount); !errors.Is(err, settlement.ErrNotAccepted) || !strings.Contains(err.Error(), tt.because) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.because)
		}
	}
	halt(t, r, true) // so that the second decision finds the first one as it was made
	acted, err := r.giveBack(p, 400_000)
	want := jobs.Refund{From: raw(address(r.wallet)), Receiver: raw(address(r.payer)), Amount: settlement.NewAmount(400_000)}
	if err != nil || acted.Needed != 0 || acted.Refund == nil || *acted.Refund != want {
		t.Fatalf("%+v, %d (%v), want %+v", acted.Refund, acted.Needed, err, want)
	}
	if _, err := r.giveBack(acted.After, 1); !errors.Is(err, settlement.ErrNotAccepted) || !strings.Contains(err.Error(), "another movement") {
		t.Errorf("a second one while the first is under way: %v", err)
	}
	r.offers(t.Context(), t, p.ID)
	halt(t, r, false)
	m := r.returned(p, settlement.MovementFinal)
	r.offers(t.Context(), t, p.ID)
	if m.TxID == "" || m.Gas == nil || m.Gas.IsZero() || m.Direct == nil || m.Direct.Receiver != want.Receiver || m.Purpose != settlement.PayoutPartialRefund {
		t.Errorf("the first part: %+v", m)
	}
	if got := r.ledger(p); got != "operator -400000, payee 1500000, payer -1500000, refund 400000" {
		t.Errorf("after a part the ledger says %s", got)
	}

	// Two people refund at once: one does, the other one is told that he was slower.
	p = r.await(order, false, settlement.StateHeld)
	var wg sync.WaitGroup
	errs := make([]error, 2)
	for i := range errs {
		wg.Go(func() { _, errs[i] = r.giveBack(p, 0) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), jobs.ErrVersion) {
		t.Errorf("two at once: %v", errs)
	}
	p = r.await(order, true, settlement.StateRefunded)
	if got := r.balanceOf(address(r.payer)) - before; got != 1_500_000 {
		t.Errorf("the payer got %d back", got)
	}
	if got := r.ledger(p); got != "operator -1500000, payee 1500000, payer -1500000, refund 1500000" {
		t.Errorf("the ledger says %s", got)
	}
	if got := r.moved(p); !slices.Equal(got, []string{"partial_refund 0+400000 final", "refund 0+1100000 final"}) {
		t.Errorf("movements %q", got)
	}
	note := "refunded by " + common.BytesToHash([]byte(p.PaidOut)).Hex()
	if there := r.marketPayment(order); there.Status != orchestration.PaymentRefunded || !slices.Contains(there.Notes, note) {
		t.Errorf("the orchestrator's payment is %s with %q", there.Status, there.Notes)
	}
	if _, err := r.giveBack(p, 1); !errors.Is(err, settlement.ErrNotAccepted) {
		t.Errorf("after all is given back: %v", err)
	}

	// After the release too, without another state.
	released, _ := r.paid()
	r.confirm(released)
	q := r.await(released, true, settlement.StateReleased)
	if _, err := r.giveBack(q, 0); err != nil {
		t.Fatal(err)
	}
	r.returned(q, settlement.MovementFinal)
	if r.await(released, false, settlement.StateReleased); r.walletNonce() != 3 {
		t.Errorf("%d transactions", r.walletNonce())
	}
	r.offers(t.Context(), t, q.ID)
	r.stop()
	r.statementsTie("transfer", "partial_refund", "refund", "gas")
}

// Who gets a direct payment back without doubt is a wallet that is proven to be the payer's and has no code.
func TestWhoGetsADirectPaymentBack(t *testing.T) {
	t.Parallel()
	code := common.Address{}
	r := newRig(t, givingBack(func(re *jobs.Refunds) {
		re.HasCode = func(_ context.Context, account settlement.Address) (bool, error) { return account == raw(code), nil }
	}))
	r.fund(10_000_000)
	_, p := r.paid()
	to := func(receiver common.Address) func(*jobs.Action) {
		return func(a *jobs.Action) { a.Receiver = raw(receiver) }
	}
	for name, receiver := range map[string]common.Address{
		"the payee": r.payee, "the wallet itself": address(r.wallet), "nobody": {}, "the token": r.token,
	} {
		_, err := r.giveBack(p, 1, to(receiver))
		if refusal, ok := errors.AsType[*jobs.RefundError](err); !ok || refusal.Refusal != jobs.RefundReceiverRefused {
			t.Errorf("to %s: %v", name, err)
		}
	}
	acted, err := r.giveBack(p, 1, to(address(r.operator)))
	if err != nil || acted.Needed != 2 || !strings.Contains(acted.Because, "no signature") || acted.Approval.Receiver != raw(address(r.operator)) {
		t.Errorf("to a stranger: %d, %q (%v)", acted.Needed, acted.Because, err)
	}
	code = address(r.payer)
	if acted, err = r.giveBack(p, 1); err != nil || acted.Needed != 2 || !strings.Contains(acted.Because, "contract") {
		t.Errorf("to a contract: %d, %q (%v)", acted.Needed, acted.Because, err)
	}
	if m := r.movements(p); len(m) != 0 {
		t.Errorf("movements without approval: %+v", m)
	}

	// A wallet that paid and signed goes before the pairing's; without either somebody must be named.
	order, q := r.opened()
	other := r.stranger(5_000_000)
	hash := r.pay(other, r.payee, 1_500_000)
	r.chain.Commit()
	r.prove(q, hash, address(other), other)
	q = r.await(order, true, settlement.StateHeld)
	if acted, err := r.giveBack(q, 1); err != nil || acted.Needed != 0 || acted.Refund.Receiver != raw(address(other)) {
		t.Fatalf("to who paid and signed: %+v, %d (%v)", acted.Refund, acted.Needed, err)
	}
	if m := r.returned(q, settlement.MovementFinal); m.Direct.Receiver != raw(address(other)) {
		t.Errorf("the movement goes to %x", m.Direct.Receiver)
	}
}

// Without a wallet in the configuration nothing is asked for, and the answer says which key to set.
func TestDirectPaymentWithoutAWallet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, p := r.paid()
	_, err := r.giveBack(p, 0)
	if refusal, ok := errors.AsType[*jobs.RefundError](err); !ok || refusal.Refusal != jobs.RefundWalletMissing || !strings.Contains(refusal.Detail, "refunds.signer") {
		t.Errorf("got %v", err)
	}
}

// A wallet that has too little keeps the refund waiting until somebody has funded it; of several that it could pay one by one no more
// go than it has.
func TestRefundWaitsForMoney(t *testing.T) {
	t.Parallel()
	r := newRig(t, givingBack())
	r.fund(1_500_000)
	var payments []settlement.Payment
	var orders []string
	halt(t, r, true)
	for range 2 {
		order, p := r.paid()
		if _, err := r.giveBack(p, 0); err != nil {
			t.Fatal(err)
		}
		orders, payments = append(orders, order), append(payments, p)
	}
	halt(t, r, false)
	r.eventually("one waits for money", func() error { return r.logged("ERROR", "refund waits for money", "1500000 of them are on their way") })
	r.eventually("one is given back", func() error {
		r.chain.Commit()
		if r.balanceOf(address(r.wallet)) != 0 {
			return errNotYet
		}
		return nil
	})
	r.ahead.Add(int64(time.Minute))
	r.eventually("the wallet is seen to be empty", func() error {
		r.chain.Commit()
		return r.logged("ERROR", "refund waits for money", "has 0 base units")
	})
	r.fund(1_500_000)
	r.ahead.Add(int64(time.Minute))
	for i, order := range orders {
		r.await(order, true, settlement.StateRefunded)
		if m := r.movements(payments[i]); len(m) != 1 {
			t.Errorf("movements %+v", m)
		}
	}
	if n := r.walletNonce(); n != 2 {
		t.Errorf("%d transactions, want two", n)
	}
}

func halt(t *testing.T, r *rig, on bool) {
	t.Helper()
	var err error
	if on {
		err = store.SetHalt(t.Context(), r.pool, store.Everywhere, "to gather refunds", time.Now())
	} else {
		_, err = store.LiftHalt(t.Context(), r.pool, store.Everywhere)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// unsent is a node that is gone when a transaction is to be sent.
type unsent struct {
	jobs.Mover
	tried chan struct{}
}

func (u unsent) Send(context.Context, []byte) error {
	select {
	case u.tried <- struct{}{}:
	default:
	}
	return errors.New("the node is gone")
}

// A process that ends between signature and broadcast leaves the signed bytes; the next one sends those, and no others.
func TestRefundIsSentOnceAfterARestart(t *testing.T) {
	t.Parallel()
	tried := make(chan struct{}, 1)
	r := newRig(t, givingBack(func(re *jobs.Refunds) { re.Mover = unsent{re.Mover, tried} }))
	r.fund(10_000_000)
	order, p := r.paid()
	if _, err := r.giveBack(p, 0); err != nil {
		t.Fatal(err)
	}
	select {
	case <-tried:
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing was sent within a minute")
	}
	r.stop()
	slots, err := store.OpenSlots(t.Context(), r.pool, r.chainID(), raw(address(r.wallet)))
	if err != nil || len(slots) != 1 || slots[0].State != store.SlotSigned || len(slots[0].Signed) != 1 {
		t.Fatalf("left behind: %+v (%v)", slots, err)
	}
	s := r.setup
	s.refunds = func(*jobs.Refunds) {}
	r.runner = r.newRunner(s)
	r.stop = r.start(r.runner)
	p = r.await(order, true, settlement.StateRefunded)
	if m := r.movements(p); len(m) != 1 || m[0].State != settlement.MovementFinal || m[0].TxID != slots[0].Signed[0].TxID || r.walletNonce() != 1 {
		t.Errorf("movements %+v, %d transactions; want the one that was signed: %s", m, r.walletNonce(), slots[0].Signed[0].TxID)
	}
	if got := r.balanceOf(address(r.wallet)); got != 8_500_000 {
		t.Errorf("the wallet has %d", got)
	}
}

// A refund that was final leaves the chain: a person sees it, and the same bytes are sent again until they are in a final block.
func TestRefundThatLeavesTheChainAfterItWasFinal(t *testing.T) {
	t.Parallel()
	r := newRig(t, givingBack())
	r.fund(1_500_000)
	order, p := r.paid()
	r.chain.Commit()
	fork := r.chain.Commit()
	before := r.balanceOf(address(r.payer))
	if _, err := r.giveBack(p, 0); err != nil {
		t.Fatal(err)
	}
	refunded := r.await(order, true, settlement.StateRefunded)
	r.eventually("the watcher has come to its block", func() error {
		var behind bool
		err := r.pool.QueryRow(t.Context(), "select bool_or(s.block_number > c.number) from signer_slots s join chains c on c.chain = s.chain").Scan(&behind)
		if err == nil && behind {
			err = errNotYet
		}
		return err
	})
	head := r.head()
	halt(t, r, true) // so that it stays away until it was looked at
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	for range int(head) {
		r.chain.CommitEmpty()
		if r.head() > head {
			break
		}
	}
	p = r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.PayoutBroken || !strings.Contains(p.Detail, common.BytesToHash([]byte(refunded.PaidOut)).Hex()) {
		t.Errorf("%s: %s", p.Reason, p.Detail)
	}
	if err := r.logged("ERROR", "refund has left the chain"); err != nil {
		t.Error(err)
	}
	if got := r.balanceOf(address(r.payer)) - before; got != 0 || r.walletNonce() != 0 {
		t.Fatalf("the payer has %d and the wallet made %d transactions: the chain still has the refund", got, r.walletNonce())
	}
	halt(t, r, false)
	r.eventually("it is back", func() error {
		r.chain.Commit()
		return r.logged("INFO", "refund is back")
	})
	if _, err := r.giveBack(p, 0); err != nil {
		t.Fatal(err)
	}
	p = r.await(order, true, settlement.StateRefunded)
	if got := r.balanceOf(address(r.payer)) - before; got != 1_500_000 || r.walletNonce() != 1 || p.PaidOut != refunded.PaidOut {
		t.Errorf("the payer got %d by %d transactions, the last of them %x; want 1500000 by one, %x", got, r.walletNonce(), p.PaidOut, refunded.PaidOut)
	}
}

// The chain's own coin goes back as the value of a transaction, and is proven by it.
func TestCoinIsGivenBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, givingBack(), func(s *setup) {
		s.evm = func(c *evm.Config) {
			c.Tokens = append(c.Tokens, settlement.Token{Chain: c.Chain, Symbol: "ETH", Decimals: 18})
		}
	})
	order := r.orderWith(func(a *orchestration.RailRecommendation) { a.Token, a.TokenAddress = "ETH", "" })
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.payNative(r.payer, r.payee, 1_500_000_000_000_000_000)
	p := r.await(order, true, settlement.StateHeld)
	balance := func() *big.Int {
		has, err := r.chain.Client().BalanceAt(t.Context(), address(r.payer), nil)
		if err != nil {
			t.Fatal(err)
		}
		return has
	}
	before := balance()
	if acted, err := r.giveBack(p, 0); err != nil || acted.Needed != 2 || !strings.Contains(acted.Because, "threshold of 0") { // a machine asks
		t.Fatalf("%d, %q (%v)", acted.Needed, acted.Because, err)
	}
	results, err := r.runner.Advance(t.Context(), settlement.Event{ID: "approved", Payment: p.ID, Kind: settlement.EventRefundApproved, Receiver: raw(address(r.payer))})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	p = r.await(order, true, settlement.StateRefunded, settlement.StateNeedsReview)
	if got := new(big.Int).Sub(balance(), before); got.Int64() != 1_500_000_000_000_000_000 || p.State != settlement.StateRefunded {
		t.Errorf("the payer got %s back; %s: %s %s", got, p.State, p.Reason, p.Detail)
	}
	if got := r.ledger(p); got != "operator -1500000000000000000, payee 1500000000000000000, payer -1500000000000000000, refund 1500000000000000000" {
		t.Errorf("the ledger says %s", got)
	}
}
