package jobs_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/contracts"
	escrow "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// termsOf are the terms of the payment's vault as the contract takes them.
func (r *rig) termsOf(p settlement.Payment) contracts.Terms {
	r.t.Helper()
	kept, err := store.VaultAt(r.t.Context(), r.pool, r.chainID(), p.Terms.Payee)
	if err != nil {
		r.t.Fatal(err)
	}
	terms, err := escrow.FromVault(kept.Vault)
	if err != nil {
		r.t.Fatal(err)
	}
	return contracts.Terms{
		Version: big.NewInt(escrow.Version), ChainId: new(big.Int).SetUint64(terms.ChainID), OrderKey: terms.OrderKey, Token: terms.Token,
		Amount: terms.Amount.Big(), Payer: terms.Payer, Payee: terms.Payee, Operator: terms.Operator, Arbiter: terms.Arbiter,
		ReclaimDeadline: big.NewInt(terms.ReclaimDeadline.Unix()), DisputeDeadline: big.NewInt(terms.DisputeDeadline.Unix()),
		DefaultToPayee: terms.DefaultToPayee.Big(),
	}
}

// call sends a call of the vaults' factory.
func (r *rig) call(key *ecdsa.PrivateKey, data []byte) {
	r.t.Helper()
	factory := escrow.Factory
	if _, err := r.chain.Send(r.t.Context(), key, &factory, new(big.Int), data); err != nil {
		r.t.Fatal(err)
	}
}

// pastReclaim brings the chain's clock behind the reclaim deadline.
func (r *rig) pastReclaim() {
	r.t.Helper()
	if err := r.chain.Skip(25*time.Hour + r.setup.deadline + r.setup.grace); err != nil {
		r.t.Fatal(err)
	}
	r.chain.Commit()
}

// The payer takes the money back: what was held is refunded by it, and what was to be released is a matter for a person.
func TestReclaimMovesThePayment(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	if err := store.SetHalt(t.Context(), r.pool, store.Everywhere, "to hold the release back", time.Now()); err != nil {
		t.Fatal(err)
	}
	kept, p := r.hold()
	confirmed, q := r.hold()
	r.confirm(confirmed)
	r.await(confirmed, true, settlement.StateReleasePending)
	r.pastReclaim()
	for _, each := range []settlement.Payment{p, q} {
		r.call(r.payer, contracts.NewOrderVaults().PackReclaim(r.termsOf(each), common.Address{9}))
	}
	p = r.await(kept, true, settlement.StateRefunded)
	if got := r.ledger(p); got != "held 0, payer -1500000, refund 1500000" || len(r.movements(p)) != 0 || p.Payout != settlement.PayoutRefund {
		t.Errorf("the ledger says %s, movements %+v, payout %q", got, r.movements(p), p.Payout)
	}
	if there := r.marketPayment(kept); there.Status != orchestration.PaymentRefunded {
		t.Errorf("the orchestrator's payment is %s", there.Status)
	}
	q = r.await(confirmed, true, settlement.StateNeedsReview)
	if q.Reason != settlement.VaultReclaimed || !strings.Contains(q.Detail, `"held"`) {
		t.Errorf("%s: %s", q.Reason, q.Detail)
	}
	if _, err := store.LiftHalt(t.Context(), r.pool, store.Everywhere); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		r.chain.Commit()
	}
	if m := r.movements(q); len(m) != 1 || m[0].State != settlement.MovementCancelled || r.operatorNonce() != 0 {
		t.Errorf("movements %+v, %d transactions", m, r.operatorNonce())
	}
	// A person has it told as what it is.
	r.refund(q)
	r.await(confirmed, true, settlement.StateRefunded)
	if got := r.balanceOf(common.Address{9}); got != 3_000_000 {
		t.Errorf("the payer has taken back %d", got)
	}
}

// What others do with a vault: the payee executes what the payer signed, the arbiter freezes, and a part is paid that our
// books do not know.
func TestVaultThatOthersMove(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	frozen, p := r.hold()
	r.call(r.arbiter, contracts.NewOrderVaults().PackFreeze(r.termsOf(p)))
	r.await(frozen, true, settlement.StateFrozen)

	unknown, q := r.hold()
	r.call(r.operator, contracts.NewOrderVaults().PackPay(contracts.OrderVaultsPayment{
		Terms: r.termsOf(q), Part: big.NewInt(7), ToPayee: big.NewInt(1), ToPayer: big.NewInt(2),
	}))
	q = r.await(unknown, true, settlement.StateNeedsReview)
	if q.Reason != settlement.VaultDivided || !strings.Contains(q.Detail, "1 base units to the payee and 2 to the payer") {
		t.Errorf("%s: %s", q.Reason, q.Detail)
	}
	if got := r.ledger(q); got != "held 1499997, payee 1, payer -1500000, refund 2" {
		t.Errorf("the ledger says %s", got)
	}
	halts, err := store.Halted(t.Context(), r.pool, r.chainID())
	if err != nil || len(halts) != 1 || !strings.Contains(halts[0].Reason, "our books do not know") {
		t.Errorf("halts %+v (%v)", halts, err)
	}
	if err := r.logged("ERROR", "halted", "part 7"); err != nil {
		t.Error(err)
	}
}

// A release that was final leaves the chain: a person sees both sides, the same bytes are sent again, and pay once.
func TestReleaseThatLeavesTheChainAfterItWasFinal(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order, _ := r.hold()
	r.chain.Commit()
	fork := r.chain.Commit()
	r.confirm(order)
	r.await(order, true, settlement.StateReleased)
	r.eventually("the vault's event is kept", func() error {
		var n int
		if err := r.pool.QueryRow(t.Context(), "select count(*) from vault_events where told_at is not null").Scan(&n); err != nil || n != 1 {
			r.chain.Commit()
			return errors.Join(errNotYet, err)
		}
		return nil
	})
	head := r.head()
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	for range int(head) { // the branch without it becomes the longer one
		r.chain.CommitEmpty()
		if r.head() > head {
			break
		}
	}
	p := r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.PayoutBroken || !strings.Contains(p.Detail, common.BytesToHash([]byte(p.PaidOut)).Hex()) {
		t.Errorf("%s: %s", p.Reason, p.Detail)
	}
	r.eventually("it is told", func() error { return r.logged("ERROR", "payout_broken") })
	r.eventually("it is paid again by the same transaction", func() error {
		r.chain.Commit()
		if r.balanceOf(r.payee) != 1_500_000 {
			return errNotYet
		}
		return nil
	})
	if n := r.operatorNonce(); n != 1 {
		t.Errorf("%d transactions, want the one", n)
	}
	if _, err := r.runner.Advance(t.Context(), settlement.Event{ID: "decided", Payment: p.ID, Kind: settlement.EventReleaseDecided}); err != nil {
		t.Fatal(err)
	}
	r.await(order, true, settlement.StateReleased)
}

// The database is brought back from before the last broadcast, whose transaction still waits: all is halted, a person sees
// what was paid, and nothing moves twice.
func TestDatabaseFromBeforeTheLastBroadcast(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "high-water.json")
	r := newRig(t, held(), func(s *setup) {
		s.highWater = func() *jobs.HighWater {
			h, err := jobs.OpenHighWater(path)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
	})
	first, _ := r.hold()
	r.confirm(first)
	r.await(first, true, settlement.StateReleased)
	order, _ := r.hold()
	r.stop()
	lost, backup := r.pool, pgtest.Copy(t, r.pool)
	t.Cleanup(func() {
		r.stop()
		pgtest.CheckBooks(t, r.pool)
		r.pool = lost
		r.runner = r.newRunner(r.setup)
	})
	r.stop = r.start(r.newRunner(r.setup))
	r.confirm(order)
	r.eventually("the release is sent", func() error {
		slots, err := store.OpenSlots(t.Context(), r.pool, r.chainID(), raw(address(r.operator)))
		if err != nil || len(slots) != 1 || slots[0].State != store.SlotSent {
			return errors.Join(errNotYet, err)
		}
		return nil
	})
	r.stop()

	r.pool = backup
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	r.tell(order)
	r.await(order, false, settlement.StateReleasePending)
	r.eventually("all is halted", func() error { return r.logged("ERROR", "halted", "its books end before nonce 1, and nonce 1 was sent") })
	r.eventually("nothing is moved", func() error { return r.logged("ERROR", "nothing is moved", "halted (*)") })
	if _, err := store.LiftHalt(t.Context(), r.pool, store.Everywhere); err != nil {
		t.Fatal(err)
	}
	// Resumed too early, it is not fooled: the transaction waits in the pool.
	r.eventually("the signer is stopped", func() error { return r.logged("ERROR", "signer stopped", "the chain has 2 transactions of it") })
	p := r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.VaultPartUsed || p.Payout != settlement.PayoutRelease || p.PaidOut == "" {
		t.Errorf("%s: %s; %s by %s", p.Reason, p.Detail, p.Payout, p.PaidOut)
	}
	if got := r.ledger(p); got != "held 0, payee 1500000, payer -1500000" {
		t.Errorf("the ledger says %s", got)
	}
	if err := store.RestartSigner(t.Context(), r.pool, r.chainID(), raw(address(r.operator)), r.operatorNonce(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.LiftHalt(t.Context(), r.pool, string(r.chainID())); err != nil {
		t.Fatal(err)
	}
	if _, err := r.runner.Advance(t.Context(), settlement.Event{ID: "decided", Payment: p.ID, Kind: settlement.EventReleaseDecided}); err != nil {
		t.Fatal(err)
	}
	r.await(order, true, settlement.StateReleased)
	third, _ := r.hold()
	r.confirm(third)
	r.await(third, true, settlement.StateReleased)
	if n := r.operatorNonce(); n != 3 || r.balanceOf(r.payee) != 4_500_000 {
		t.Errorf("%d transactions, the payee has %d; want three and 4500000", n, r.balanceOf(r.payee))
	}
}

// A dispute freezes the vault on the chain, with the arbiter's key: the payer cannot take back what is in dispute, and what is
// decided is carried out with that key.
func TestDisputeFreezesTheVault(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(), func(s *setup) { s.idle = true })
	r.setup.escrow = r.arbitrated
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	order, p := r.hold()
	disputed := settlement.Event{ID: "disputed", Payment: p.ID, Kind: settlement.EventOrderDisputed}
	if results, err := r.runner.Advance(t.Context(), disputed); err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	r.eventually("the vault is frozen, and its payment knows", func() error {
		r.chain.Commit()
		if !slices.Contains(r.history(p), settlement.EventVaultFrozen) {
			return errNotYet
		}
		return nil
	})
	r.pastReclaim()
	factory := escrow.Factory
	_, err := r.chain.Client().CallContract(t.Context(), ethereum.CallMsg{
		From: address(r.payer), To: &factory, Data: contracts.NewOrderVaults().PackReclaim(r.termsOf(p), common.Address{9}),
	}, nil)
	if err == nil {
		t.Error("the payer can take back what is in dispute")
	}
	before := r.balanceOf(address(r.payer))
	r.refund(p)
	r.await(order, true, settlement.StateRefunded)
	if got := r.balanceOf(address(r.payer)) - before; got != 1_500_000 || r.operatorNonce() != 0 {
		t.Errorf("the payer got %d, and the operator has sent %d transactions; want 1500000 by the arbiter", got, r.operatorNonce())
	}
}

// What is decided while the freeze is still on its way is carried out once it has come, with the arbiter's key: never by the operator,
// whose payment a frozen vault refuses.
func TestDecidedWhileTheVaultIsBeingFrozen(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(), func(s *setup) { s.idle = true })
	r.setup.escrow = r.arbitrated
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	order, p := r.hold()
	disputed := settlement.Event{ID: "disputed", Payment: p.ID, Kind: settlement.EventOrderDisputed}
	if results, err := r.runner.Advance(t.Context(), disputed); err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	r.eventually("the freeze is sent, and in no block", func() error {
		slots, err := store.OpenSlots(t.Context(), r.pool, r.chainID(), raw(address(r.arbiter)))
		if err == nil && (len(slots) != 1 || slots[0].State != store.SlotSent) {
			err = errNotYet
		}
		return err
	})
	if err := r.decide(p, settlement.EventSplitApproved, 500_000, 1_000_000); err != nil {
		t.Fatal(err)
	}
	p = r.await(order, true, settlement.StateSplit)
	if got := r.moved(p); !slices.Equal(got, []string{"split 500000+1000000 final"}) || r.operatorNonce() != 0 {
		t.Errorf("movements %q, and the operator has sent %d transactions; want one by the arbiter", got, r.operatorNonce())
	}
}

// signing is a mover whose transactions are looked at, and changed, right before they are signed.
type signing struct {
	jobs.Mover
	change func(*settlement.Call) error
}

func (m signing) Sign(ctx context.Context, slot settlement.Slot, call settlement.Call, last *settlement.Fees, urgent bool) (settlement.SignedTx, error) {
	if err := m.change(&call); err != nil {
		return settlement.SignedTx{}, err
	}
	return m.Mover.Sign(ctx, slot, call, last, urgent)
}

// A freeze that the signer's policy refuses, or that is reverted, stops no later one; each is tried again later, and then the vault is frozen.
func TestFreezeThatFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(), func(s *setup) { s.idle = true })
	var refused, reverted atomic.Value // calldata
	var signed atomic.Int64            // with either
	r.setup.escrow = func(e *jobs.Escrow) {
		r.arbitrated(e)
		e.ArbiterMover = signing{e.ArbiterMover, func(call *settlement.Call) error {
			switch data := string(call.Data); {
			case data == "":
			case refused.CompareAndSwap(data, ""):
				signed.Add(1)
				return &escrow.Refusal{Code: escrow.RefusedDestination, Detail: "a test"}
			case reverted.CompareAndSwap(data, ""):
				signed.Add(1)
				call.Gas = 60_000
			}
			return nil
		}}
	}
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	var payments []settlement.Payment
	for range 3 {
		_, p := r.hold()
		payments = append(payments, p)
	}
	for i, fails := range []*atomic.Value{&refused, &reverted} {
		kept, err := store.VaultAt(t.Context(), r.pool, r.chainID(), payments[i].Terms.Payee)
		if err != nil {
			t.Fatal(err)
		}
		call, err := escrow.FreezeCall(kept.Vault)
		if err != nil {
			t.Fatal(err)
		}
		fails.Store(string(call.Data))
	}
	frozen := func(which ...settlement.Payment) {
		t.Helper()
		r.eventually("the vaults are frozen", func() error {
			r.chain.Commit()
			for _, p := range which {
				if !slices.Contains(r.history(p), settlement.EventVaultFrozen) {
					return errNotYet
				}
			}
			return nil
		})
	}
	for i, p := range payments {
		r.eventually("the freezes before it have come to the signer", func() error {
			if int(signed.Load()) < i {
				return errNotYet
			}
			return nil
		})
		disputed := settlement.Event{ID: "disputed", Payment: p.ID, Kind: settlement.EventOrderDisputed}
		if results, err := r.runner.Advance(t.Context(), disputed); err != nil || results[0].Err != nil {
			t.Fatal(err, results)
		}
	}
	frozen(payments[2])
	for _, words := range [][]string{{"nonce void", "a test"}, {"call reverted", "it would be carried out"}} {
		r.eventually("what failed is told", func() error { return r.logged("ERROR", words...) })
	}
	if slices.Contains(r.history(payments[0]), settlement.EventVaultFrozen) || slices.Contains(r.history(payments[1]), settlement.EventVaultFrozen) {
		t.Error("a freeze that failed was tried again at once")
	}
	r.ahead.Add(int64(11 * time.Minute))
	frozen(payments[:2]...)
	if n := r.nonceOf(r.arbiter); n != 5 {
		t.Errorf("the arbiter has sent %d transactions, want 5", n)
	}
}

// What the vault would refuse gets no nonce: by the chain's clock it is too late to freeze.
func TestFreezeThatIsTooLate(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(), func(s *setup) { s.idle = true })
	r.setup.escrow = r.arbitrated
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	_, p := r.hold()
	r.pastReclaim()
	disputed := settlement.Event{ID: "disputed", Payment: p.ID, Kind: settlement.EventOrderDisputed}
	if results, err := r.runner.Advance(t.Context(), disputed); err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	r.eventually("the refusal is logged", func() error { return r.logged("WARN", "freeze a vault", "NotAllowed") })
	if n := r.nonceOf(r.arbiter); n != 0 {
		t.Errorf("the arbiter has sent %d transactions", n)
	}
}

// Money that comes to a vault after its order has ended goes back to the payer, whoever sent it.
func TestLateDepositGoesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order, p := r.hold()
	r.confirm(order)
	r.await(order, true, settlement.StateReleased)
	before := r.balanceOf(address(r.payer))
	r.pay(r.stranger(700), common.BytesToAddress([]byte(p.Terms.Payee)), 700)
	r.eventually("it is back at the payer", func() error {
		r.chain.Commit()
		if got := r.ledger(p); got != "held 0, payee 1500000, payer -1500700, refund 700" {
			return errors.New(got)
		}
		return nil
	})
	p = r.await(order, false, settlement.StateReleased)
	if got := r.balanceOf(address(r.payer)) - before; got != 700 || !p.HasFlag(settlement.FlagDuplicateTransfer) || r.balanceOf(r.payee) != 1_500_000 {
		t.Errorf("the payer got %d back, flags %v, the payee has %d", got, p.Flags, r.balanceOf(r.payee))
	}
}
