package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	escrow "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// A release whose block leaves the chain is sent again, at the same nonce, and pays once.
func TestReorganisedReleasePaysOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(func(e *jobs.Escrow) { e.BumpAfter = time.Second }))
	order, _ := r.hold()
	fork := r.chain.Commit()
	r.confirm(order)
	r.eventually("the release is in a block", func() error {
		r.chain.Commit()
		if r.operatorNonce() != 1 {
			return errNotYet
		}
		return nil
	})
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	r.chain.CommitEmpty() // its transaction is lost with the block
	if n := r.operatorNonce(); n != 0 {
		t.Fatalf("the release is still there: nonce %d", n)
	}
	p := r.await(order, true, settlement.StateReleased)
	if n, m := r.operatorNonce(), r.movements(p); n != 1 || len(m) != 1 || m[0].State != settlement.MovementFinal {
		t.Errorf("%d transactions, movements %+v", n, m)
	}
	if got := r.balanceOf(r.payee); got != 1_500_000 {
		t.Errorf("the payee has %d, want 1500000", got)
	}
}

// lastLook lets something happen right before a movement is prepared.
type lastLook struct {
	jobs.Mover
	before func()
}

func (l lastLook) Prepare(ctx context.Context, movements []settlement.Movement) (settlement.Prepared, error) {
	if len(movements) > 0 {
		l.before()
	}
	return l.Mover.Prepare(ctx, movements)
}

// A deposit that counted as final leaves the chain after its order was confirmed: nothing is signed, a person sees why.
func TestReorganisedDepositIsNotReleased(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	if err := store.SetHalt(t.Context(), r.pool, store.Everywhere, "to hold the release back", time.Now()); err != nil {
		t.Fatal(err)
	}
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	fork := r.chain.Commit()
	r.pay(r.payer, common.BytesToAddress([]byte(p.Terms.Payee)), 1_500_000)
	r.await(order, true, settlement.StateHeld)
	r.confirm(order)
	r.await(order, true, settlement.StateReleasePending)
	head, err := r.chain.Client().BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	for n := r.chain.CommitEmpty(); n != (common.Hash{}); {
		if now, err := r.chain.Client().BlockNumber(t.Context()); err != nil || now > head+3 {
			break
		}
		r.chain.Commit()
	}
	if _, err := store.LiftHalt(t.Context(), r.pool, store.Everywhere); err != nil {
		t.Fatal(err)
	}
	p = r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.TxReorged && p.Reason != settlement.DepositNotFound {
		t.Errorf("%s: %s", p.Reason, p.Detail)
	}
	for range 3 {
		r.chain.Commit()
	}
	if m := r.movements(p); len(m) != 1 || m[0].State != settlement.MovementCancelled || r.operatorNonce() != 0 {
		t.Errorf("movements %+v, %d transactions", m, r.operatorNonce())
	}
}

// A dispute that comes while the release is looked at wins: the payment has another version than the one that was looked at.
func TestDisputeBeforeTheNonceWins(t *testing.T) {
	t.Parallel()
	var r *rig
	var order atomic.Pointer[settlement.Payment]
	r = newRig(t, held(func(e *jobs.Escrow) {
		e.Mover = lastLook{e.Mover, func() {
			if p := order.Swap(nil); p != nil {
				results, err := r.runner.Advance(context.Background(), settlement.Event{ID: "disputed", Payment: p.ID, Kind: settlement.EventOrderDisputed})
				if err != nil || results[0].Err != nil {
					t.Errorf("dispute: %v %v", err, results)
				}
			}
		}}
	}))
	id, p := r.hold()
	order.Store(&p)
	r.confirm(id)
	p = r.await(id, true, settlement.StateFrozen)
	for range 5 {
		r.chain.Commit()
	}
	if m := r.movements(p); len(m) != 1 || m[0].State != settlement.MovementCancelled || r.operatorNonce() != 0 {
		t.Errorf("movements %+v, %d transactions", m, r.operatorNonce())
	}
}

// The database is older than the chain: a part that was paid before is not paid again, and nothing else is.
func TestBooksOlderThanTheChain(t *testing.T) {
	t.Parallel()
	var mover jobs.Mover
	r := newRig(t, held(func(e *jobs.Escrow) { mover = e.Mover }))
	order, p := r.hold()
	// What the lost books had: the release, carried out.
	kept, err := store.VaultAt(t.Context(), r.pool, r.chainID(), p.Terms.Payee)
	if err != nil {
		t.Fatal(err)
	}
	before, err := mover.Prepare(t.Context(), []settlement.Movement{{
		Payment: p.ID, Purpose: settlement.PayoutRelease, Division: settlement.Division{ToPayee: p.Terms.Amount}, Vault: kept.Vault,
	}})
	if err != nil || len(before.Movements) != 1 {
		t.Fatal(err, before)
	}
	signed, err := mover.Sign(t.Context(), settlement.Slot{Sender: mover.Signer(), Nonce: before.Nonce}, before.Call, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := mover.Send(t.Context(), signed.Raw); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		r.chain.Commit()
	}
	r.confirm(order)
	p = r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.VaultPartUsed {
		t.Errorf("%s: %s, want %s", p.Reason, p.Detail, settlement.VaultPartUsed)
	}
	if got := r.balanceOf(r.payee); got != 1_500_000 || r.operatorNonce() != 1 {
		t.Errorf("the payee has %d after %d transactions, want 1500000 after one", got, r.operatorNonce())
	}
}

// What waits too long for a block is offered for more, with the same calldata at the same nonce, and pays once.
func TestWaitingReleaseIsOfferedForMore(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(func(e *jobs.Escrow) { e.BumpAfter = 300 * time.Millisecond }))
	order, _ := r.hold()
	r.confirm(order)
	r.eventually("it was signed three times", func() error {
		slots, err := store.OpenSlots(t.Context(), r.pool, r.chainID(), raw(address(r.operator)))
		if err != nil || len(slots) != 1 || len(slots[0].Signed) < 3 {
			return errNotYet
		}
		if !slices.IsSortedFunc(slots[0].Signed, func(a, b settlement.SignedTx) int { return a.Fees.Max.Cmp(b.Fees.Max) }) {
			t.Error("a later transaction offers less")
		}
		return nil
	})
	p := r.await(order, true, settlement.StateReleased)
	if got := r.balanceOf(r.payee); got != 1_500_000 || r.operatorNonce() != 1 {
		t.Errorf("the payee has %d after %d transactions", got, r.operatorNonce())
	}
	if m := r.movements(p); len(m) != 1 {
		t.Errorf("movements %+v", m)
	}
}

// Near its vault's deadline a release, and the one whose nonce comes before, may cost more than otherwise; when that is not enough either it is told.
func TestReleaseNearItsDeadlineMayCostMore(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	later := func(by time.Duration) {
		t.Helper()
		if err := r.chain.Skip(by); err != nil {
			t.Fatal(err)
		}
		r.chain.Commit()
		r.ahead.Add(int64(by))
	}
	near := func() (store.NearDeadlines, error) {
		now := time.Now().Add(time.Duration(r.ahead.Load()))
		return store.ReadNearDeadlines(t.Context(), r.pool, r.chainID(), now, now.Add(6*time.Hour))
	}
	// exhausted: an eighth more is above the cap.
	exhausted := func(fee, limit settlement.Amount) bool {
		return new(big.Int).Mul(fee.Big(), big.NewInt(9)).Cmp(new(big.Int).Mul(limit.Big(), big.NewInt(8))) > 0
	}
	urgent, _ := r.hold()
	later(10 * time.Hour)
	before, _ := r.hold()
	r.stop()
	header, err := r.chain.Client().HeaderByNumber(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// Some ten raises above the first fee, whatever the blocks until here have made of it.
	times := func(n uint64) settlement.Amount { return settlement.NewAmount(n * header.BaseFee.Uint64()) }
	first, second := times(8), times(16)
	r.setup.escrow = func(e *jobs.Escrow) {
		mover, err := escrow.NewMover(t.Context(), escrow.MoverConfig{
			Chain: r.chainID(), Endpoints: []escrow.Endpoint{{Name: "proxy", URL: r.rpc.URL()}}, Signer: keySigner{r.operator}, Depth: 2,
			MaxFee: first.Big(), MaxFeeUrgent: second.Big(),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(mover.Close)
		e.Mover, e.BumpAfter, e.UrgentWithin = mover, 100*time.Millisecond, 6*time.Hour
	}
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	offered := func(slots int, most settlement.Amount) {
		t.Helper()
		r.eventually("the fees come to "+most.String(), func() error {
			open, err := store.OpenSlots(t.Context(), r.pool, r.chainID(), raw(address(r.operator)))
			if err != nil || len(open) != slots {
				return errors.Join(errNotYet, err)
			}
			for _, slot := range open {
				if n := len(slot.Signed); n == 0 || !exhausted(slot.Signed[n-1].Fees.Max, most) {
					return errNotYet
				} else if slot.Signed[n-1].Fees.Max.Cmp(most) > 0 {
					t.Errorf("nonce %d offers %s, above %s", slot.Nonce, slot.Signed[n-1].Fees.Max, most)
				}
			}
			return nil
		})
	}
	for i, order := range []string{before, urgent} {
		r.confirm(order)
		offered(i+1, first)
	}
	r.eventually("the first cap is told", func() error { return r.logged("ERROR", "fees not raised", "urgent=false") })
	soon, err := near()
	if err != nil || soon.Vaults != 0 {
		t.Errorf("near their deadlines: %+v (%v), want none", soon, err)
	}
	r.ahead.Add(int64(10 * time.Hour))
	offered(2, second)
	r.eventually("the second cap is told", func() error { return r.logged("ERROR", "fees not raised", "urgent=true") })
	soon, err = near()
	if err != nil || soon.Vaults != 1 || !exhausted(soon.MaxFee, second) {
		t.Errorf("near their deadlines: %+v (%v), want one at the second cap", soon, err)
	}
	r.await(urgent, true, settlement.StateReleased)
	r.await(before, true, settlement.StateReleased)
}

// blind is an endpoint that lies: it says that a slot's parts were paid.
type blind struct{ jobs.Mover }

func (b blind) Outcome(ctx context.Context, slot settlement.Slot, call settlement.Call, signed []settlement.SignedTx, movements []settlement.Movement) (settlement.SlotOutcome, error) {
	out, err := b.Mover.Outcome(ctx, slot, call, signed, movements)
	if err == nil && out.Fate == settlement.SlotWaiting {
		out = settlement.SlotOutcome{Fate: settlement.SlotFinal, TxID: signed[0].TxID, Gas: settlement.NewAmount(1), Parts: make([]settlement.PartOutcome, len(movements))}
		for i := range out.Parts {
			out.Parts[i].Paid = true
		}
	}
	return out, err
}

// One endpoint that says that somebody was paid is not believed: the chain's verifier must see the transfer.
func TestPaymentOutIsNotBelievedUnseen(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(func(e *jobs.Escrow) { e.Mover = blind{e.Mover} }))
	order, _ := r.hold()
	r.confirm(order)
	r.eventually("the contradiction is said", func() error { return r.logged("WARN", "money not moved", "is said to be paid") })
	if p, err := r.payment(order); err != nil || p.State != settlement.StateReleasePending || p.PaidOut != "" {
		t.Errorf("%+v (%v), want nothing believed", p, err)
	}
	r.await(order, true, settlement.StateReleased)
}

// A vault that got less than the price gives back what it got.
func TestRefundOfAnUnderpaidVault(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, common.BytesToAddress([]byte(p.Terms.Payee)), 1_000_000)
	p = r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.AmountMismatch {
		t.Fatalf("%s: %s", p.Reason, p.Detail)
	}
	if got := r.ledger(p); !strings.Contains(got, "held 1000000") {
		t.Errorf("the ledger says %s, want the deposit held", got)
	}
	before := r.balanceOf(address(r.payer))
	r.refund(p)
	p = r.await(order, true, settlement.StateRefunded)
	if got := r.balanceOf(address(r.payer)) - before; got != 1_000_000 {
		t.Errorf("the payer got %d back, want what he had paid", got)
	}
	if m := r.movements(p); len(m) != 1 || m[0].ToPayer.Big().Cmp(big.NewInt(1_000_000)) != 0 {
		t.Errorf("movements %+v", m)
	}
}

// refusing is a mover whose signer refuses the first calls that move money.
type refusing struct {
	jobs.Mover
	left *atomic.Int64
}

func (m refusing) Sign(ctx context.Context, slot settlement.Slot, call settlement.Call, last *settlement.Fees, urgent bool) (settlement.SignedTx, error) {
	if len(call.Data) > 0 && m.left.Add(-1) >= 0 {
		return settlement.SignedTx{}, fmt.Errorf("sign nonce %d: %w", slot.Nonce, &escrow.Refusal{Code: escrow.RefusedAmount, Detail: "too much at once"})
	}
	return m.Mover.Sign(ctx, slot, call, last, urgent)
}

// A nonce whose transaction is refused is filled by one that does nothing, so that later ones are not blocked; its payment is for
// a person, who can decide anew.
func TestRefusedNonceIsFilled(t *testing.T) {
	t.Parallel()
	var left atomic.Int64
	left.Store(1)
	r := newRig(t, held(func(e *jobs.Escrow) { e.Mover = refusing{e.Mover, &left} }))
	order, _ := r.hold()
	r.confirm(order)
	p := r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.PayoutVoid || !strings.Contains(p.Detail, "too much at once") || p.Payout != "" {
		t.Errorf("%s: %s, payout %q", p.Reason, p.Detail, p.Payout)
	}
	if n := r.operatorNonce(); n != 1 || r.balanceOf(r.payee) != 0 {
		t.Errorf("%d transactions, the payee has %d", n, r.balanceOf(r.payee))
	}
	if err := r.decide(p, settlement.EventReleaseDecided, 0, 0); err != nil {
		t.Fatal(err)
	}
	p = r.await(order, true, settlement.StateReleased)
	if got := r.moved(p); !slices.Equal(got, []string{"release 1500000+0 reverted", "release 1500000+0 final"}) {
		t.Errorf("movements %q", got)
	}
	if n := r.operatorNonce(); n != 2 || r.balanceOf(r.payee) != 1_500_000 {
		t.Errorf("%d transactions, the payee has %d", n, r.balanceOf(r.payee))
	}
}

// beforeSigning lets something happen right before a transaction is signed.
type beforeSigning struct {
	jobs.Mover
	do func()
}

func (b beforeSigning) Sign(ctx context.Context, slot settlement.Slot, call settlement.Call, last *settlement.Fees, urgent bool) (settlement.SignedTx, error) {
	b.do()
	return b.Mover.Sign(ctx, slot, call, last, urgent)
}

// A nonce that was reserved and that somebody else's transaction uses stops the signer once: when a person has let it go on, the
// slot ends and its payment is for that person, and the next one is released.
func TestRestartedSignerLeavesAUsedNonce(t *testing.T) {
	t.Parallel()
	var r *rig
	var once sync.Once
	r = newRig(t, held(func(e *jobs.Escrow) {
		e.Mover = beforeSigning{e.Mover, func() {
			once.Do(func() {
				if _, err := r.chain.Send(context.Background(), r.operator, &common.Address{1}, big.NewInt(1), nil); err != nil {
					t.Errorf("send: %v", err)
				}
				r.chain.Commit()
			})
		}}
	}))
	order, _ := r.hold()
	r.confirm(order)
	r.eventually("the signer is stopped", func() error {
		r.chain.Commit()
		return r.logged("ERROR", "signer stopped", "nonce 0 was used")
	})
	if err := store.RestartSigner(t.Context(), r.pool, r.chainID(), raw(address(r.operator)), r.operatorNonce(), time.Now()); err != nil {
		t.Fatal(err)
	}
	p := r.await(order, true, settlement.StateNeedsReview)
	if m := r.movements(p); p.Reason != settlement.PayoutVoid || len(m) != 1 || m[0].State != settlement.MovementReverted {
		t.Errorf("%s: %s, movements %+v", p.Reason, p.Detail, m)
	}
	second, _ := r.hold()
	r.confirm(second)
	r.await(second, true, settlement.StateReleased)
	// Decided for the payee once more, the first is released with another nonce.
	if _, err := r.runner.Advance(t.Context(), settlement.Event{ID: "decided", Payment: p.ID, Kind: settlement.EventReleaseDecided}); err != nil {
		t.Fatal(err)
	}
	r.await(order, true, settlement.StateReleased)
	if got := r.balanceOf(r.payee); got != 3_000_000 {
		t.Errorf("the payee has %d, want 3000000", got)
	}
}
