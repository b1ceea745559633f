package jobs_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	escrow "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// keySigner signs with a key in memory.
type keySigner struct{ key *ecdsa.PrivateKey }

func (s keySigner) Address() common.Address { return address(s.key) }

func (s keySigner) SignTx(_ context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	return types.SignTx(tx, types.LatestSignerForChainID(chainID), s.key)
}

func (r *rig) newEscrow(change func(*jobs.Escrow)) *jobs.Escrow {
	r.t.Helper()
	mover, err := escrow.NewMover(r.t.Context(), escrow.MoverConfig{
		Chain: r.chainID(), Endpoints: []escrow.Endpoint{{Name: "proxy", URL: r.rpc.URL()}}, Signer: keySigner{r.operator}, Depth: 2,
		MaxFee: big.NewInt(1e12),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(mover.Close)
	e := &jobs.Escrow{
		Instrument: escrow.Instrument{}, Mover: mover, Happened: mover.Happened, Try: mover.Try, Arbiter: raw(address(r.arbiter)), HoldFor: 24 * time.Hour, DisputeFor: 24 * time.Hour,
		HoldAtLeast: time.Hour, BumpAfter: 5 * time.Second, Batch: 50,
	}
	change(e)
	return e
}

// arbitrated gives the rig's escrow the arbiter's key.
func (r *rig) arbitrated(e *jobs.Escrow) {
	mover, err := escrow.NewMover(r.t.Context(), escrow.MoverConfig{
		Chain: r.chainID(), Endpoints: []escrow.Endpoint{{Name: "proxy", URL: r.rpc.URL()}}, Signer: keySigner{r.arbiter}, Depth: 2,
		MaxFee: big.NewInt(1e12),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(mover.Close)
	e.ArbiterMover, e.FreezeCall = mover, escrow.FreezeCall
}

func raw(a common.Address) settlement.Address { return settlement.Address(a[:]) }

func text(a settlement.Address) string { return common.BytesToAddress([]byte(a)).Hex() }

// held makes a rig whose orders are held in vaults.
func held(change ...func(*jobs.Escrow)) func(*setup) {
	return func(s *setup) {
		s.rail = orchestration.RailEscrow
		s.escrow = func(e *jobs.Escrow) {
			for _, c := range change {
				c(e)
			}
		}
	}
}

// hold brings an order to held: its price is in its vault.
func (r *rig) hold() (string, settlement.Payment) {
	r.t.Helper()
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.stranger(1_500_000), common.BytesToAddress([]byte(p.Terms.Payee)), 1_500_000)
	return order, r.await(order, true, settlement.StateHeld)
}

// confirm lets the order be delivered and its buyer confirm it.
func (r *rig) confirm(order string) {
	r.t.Helper()
	r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = orchestration.OrderDelivered })
	err := r.buyer.Do(r.t.Context(), func(token orchestration.Secret) error {
		_, err := r.client.ConfirmMarketOrder(r.t.Context(), token, order)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.tell(order)
}

// refund approves a refund, as a person with the right does.
func (r *rig) refund(p settlement.Payment) {
	r.t.Helper()
	results, err := r.runner.Advance(r.t.Context(), settlement.Event{ID: "approved", Payment: p.ID, Kind: settlement.EventRefundApproved})
	if err != nil || results[0].Err != nil {
		r.t.Fatal(err, results)
	}
}

func (r *rig) balanceOf(of common.Address) int64 {
	r.t.Helper()
	balance, err := devnet.TestTokenBalance(r.t.Context(), r.chain, r.token, of)
	if err != nil {
		r.t.Fatal(err)
	}
	return balance.Int64()
}

func (r *rig) movements(p settlement.Payment) []settlement.Movement {
	r.t.Helper()
	movements, err := store.MovementsOf(r.t.Context(), r.pool, []settlement.PaymentID{p.ID})
	if err != nil {
		r.t.Fatal(err)
	}
	return movements
}

// ledger is what the payment's accounts have.
func (r *rig) ledger(p settlement.Payment) string {
	r.t.Helper()
	balances, err := store.Balances(r.t.Context(), r.pool, []settlement.PaymentID{p.ID})
	if err != nil {
		r.t.Fatal(err)
	}
	var lines []string
	for _, b := range balances {
		lines = append(lines, fmt.Sprintf("%s %s", b.Account, b.Amount))
	}
	return strings.Join(lines, ", ")
}

func (r *rig) marketPayment(order string) orchestration.MarketPayment {
	r.t.Helper()
	there, err := r.client.GetMarketPayment(r.t.Context(), order)
	if err != nil || there == nil {
		r.t.Fatal(err)
	}
	return *there
}

func TestEscrowIsHeldAndReleased(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order, p := r.hold()
	vault := text(p.Terms.Payee)
	if p.Terms.Custody != settlement.CustodyVault || p.Terms.Payee == raw(r.payee) {
		t.Errorf("terms %+v, want a vault as the payee", p.Terms)
	}
	there := r.marketPayment(order)
	if there.Status != orchestration.PaymentHeld || there.Rail.PayeeAddress != vault || there.Rail.EscrowAddress != vault || there.Proof == nil {
		t.Errorf("the orchestrator's payment is %+v, want it locked in %s", there, vault)
	}
	if got := r.ledger(p); got != "held 1500000, payer -1500000" {
		t.Errorf("the ledger says %s", got)
	}
	r.confirm(order)
	p = r.await(order, true, settlement.StateReleased)
	if got := r.balanceOf(r.payee); got != 1_500_000 {
		t.Errorf("the payee has %d, want 1500000", got)
	}
	if got := r.ledger(p); got != "held 0, payee 1500000, payer -1500000" {
		t.Errorf("the ledger says %s", got)
	}
	if m := r.movements(p); len(m) != 1 || m[0].State != settlement.MovementFinal || m[0].Purpose != settlement.PayoutRelease {
		t.Errorf("movements %+v", m)
	}
	note := "released by " + common.BytesToHash([]byte(p.PaidOut)).Hex()
	if there := r.marketPayment(order); there.Status != orchestration.PaymentReleased || !slices.Contains(there.Notes, note) {
		t.Errorf("the orchestrator's payment is %s with %q, want %q", there.Status, there.Notes, note)
	}
	want := []settlement.EventKind{
		"order_opened", "intent_ready", "transfer_seen", "payment_confirmed", "proof_accepted", "order_accepted", "payout_prepared", "paid_out", "released",
	}
	if got := r.history(p); !slices.Equal(got, want) {
		t.Errorf("history %v, want %v", got, want)
	}
}

// More than the price is held without a person, and what is above it goes back to the payer of the terms with the release, whoever
// has paid it.
func TestSurplusOfADepositGoesBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.stranger(2_000_000), common.BytesToAddress([]byte(p.Terms.Payee)), 2_000_000)
	p = r.await(order, true, settlement.StateHeld, settlement.StateNeedsReview)
	if p.State != settlement.StateHeld || !p.HasFlag(settlement.FlagOverpaid) {
		t.Fatalf("%s (%s: %s) with flags %v, want it held and overpaid", p.State, p.Reason, p.Detail, p.Flags)
	}
	before := r.balanceOf(address(r.payer))
	r.confirm(order)
	p = r.await(order, true, settlement.StateReleased)
	if payee, payer := r.balanceOf(r.payee), r.balanceOf(address(r.payer))-before; payee != 1_500_000 || payer != 500_000 {
		t.Errorf("the payee has %d and the payer got %d, want 1500000 and 500000", payee, payer)
	}
	if got := r.ledger(p); got != "held 0, payee 1500000, payer -2000000, refund 500000" {
		t.Errorf("the ledger says %s", got)
	}
	if m := r.movements(p); len(m) != 1 {
		t.Errorf("movements %+v, want one", m)
	}
}

func TestEscrowIsRefunded(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order, p := r.hold()
	before := r.balanceOf(address(r.payer))
	r.refund(p)
	p = r.await(order, true, settlement.StateRefunded)
	if got := r.balanceOf(address(r.payer)) - before; got != 1_500_000 {
		t.Errorf("the payer got %d back, want 1500000", got)
	}
	if got := r.ledger(p); got != "held 0, payer -1500000, refund 1500000" {
		t.Errorf("the ledger says %s", got)
	}
	if there := r.marketPayment(order); there.Status != orchestration.PaymentRefunded {
		t.Errorf("the orchestrator's payment is %s", there.Status)
	}
}

// Several orders that wait together are released by one transaction; one that fails in it goes by itself.
func TestReleasesGoTogether(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	if err := store.SetHalt(t.Context(), r.pool, store.Everywhere, "to gather releases", time.Now()); err != nil {
		t.Fatal(err)
	}
	var orders []string
	var payments []settlement.Payment
	for range 3 {
		order, _ := r.hold()
		r.confirm(order)
		orders, payments = append(orders, order), append(payments, r.await(order, true, settlement.StateReleasePending))
	}
	r.eventually("the halt is said", func() error { return r.logged("ERROR", "nothing is moved", "to gather releases") })
	for _, p := range payments {
		if m := r.movements(p); len(m) != 1 || m[0].State != settlement.MovementApproved {
			t.Errorf("halted, movements are %+v", m)
		}
	}
	if n := r.operatorNonce(); n != 0 {
		t.Fatalf("halted, the operator has sent %d transactions", n)
	}
	if _, err := store.LiftHalt(t.Context(), r.pool, store.Everywhere); err != nil {
		t.Fatal(err)
	}
	for _, order := range orders {
		r.await(order, true, settlement.StateReleased)
	}
	if n := r.operatorNonce(); n != 1 {
		t.Errorf("%d transactions, want one for all three", n)
	}
	if got := r.balanceOf(r.payee); got != 4_500_000 {
		t.Errorf("the payee has %d, want 4500000", got)
	}
}

func (r *rig) operatorNonce() uint64 { return r.nonceOf(r.operator) }

// nonceOf is how many transactions of the key are in blocks.
func (r *rig) nonceOf(key *ecdsa.PrivateKey) uint64 {
	r.t.Helper()
	n, err := r.chain.Client().NonceAt(r.t.Context(), address(key), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// badMember makes one member of every batch fail, in calldata that is otherwise right.
type badMember struct{ jobs.Mover }

func (b badMember) Prepare(ctx context.Context, movements []settlement.Movement) (settlement.Prepared, error) {
	if len(movements) < 2 {
		return b.Mover.Prepare(ctx, movements)
	}
	good, err := b.Mover.Prepare(ctx, movements)
	if err != nil || len(good.Movements) < 2 {
		return good, err
	}
	spoilt := slices.Clone(good.Movements)
	spoilt[0].Part += 200 // more parts than a vault has
	bad, err := b.Mover.Prepare(ctx, spoilt)
	good.Call = bad.Call
	return good, err
}

func TestMemberOfAFailedBatchGoesSingly(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(func(e *jobs.Escrow) { e.Mover = badMember{e.Mover} }))
	if err := store.SetHalt(t.Context(), r.pool, string(r.chainID()), "to gather releases", time.Now()); err != nil {
		t.Fatal(err)
	}
	var orders []string
	for range 2 {
		order, _ := r.hold()
		r.confirm(order)
		r.await(order, true, settlement.StateReleasePending)
		orders = append(orders, order)
	}
	if _, err := store.LiftHalt(t.Context(), r.pool, string(r.chainID())); err != nil {
		t.Fatal(err)
	}
	parts := 0
	for _, order := range orders {
		p := r.await(order, true, settlement.StateReleased)
		for _, m := range r.movements(p) {
			parts++
			if m.State == settlement.MovementReverted && !strings.Contains(m.Problem, "would be carried out") {
				t.Errorf("reverted because %q", m.Problem)
			}
		}
	}
	if parts != 3 {
		t.Errorf("%d movements, want 2 and one for the member that failed", parts)
	}
	if got := r.balanceOf(r.payee); got != 3_000_000 {
		t.Errorf("the payee has %d, want 3000000", got)
	}
}

// A release and a refund whose answer was lost are read back, not told again.
func TestLostPayoutAnswerIsReadBack(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"/payment/release", "/payment/refund"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, held())
			var calls atomic.Int64
			r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
				if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, end) && calls.Add(1) == 1 {
					return orchestrationtest.LoseAnswer()
				}
				return orchestrationtest.Fault{}
			})
			order, p := r.hold()
			if end == "/payment/refund" {
				r.refund(p)
				r.await(order, true, settlement.StateRefunded)
			} else {
				r.confirm(order)
				r.await(order, true, settlement.StateReleased)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("told %d times, want once", n)
			}
		})
	}
}

// Where the orchestrator does not follow, a person sees both sides.
func TestPlatformThatDoesNotFollow(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order, _ := r.hold()
	r.confirm(order)
	r.await(order, false, settlement.StateReleasePending)
	r.setPayment(order, func(p *orchestration.MarketPayment) { p.Status = orchestration.PaymentFrozen })
	p := r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != jobs.PlatformDiffers || !strings.Contains(p.Detail, common.BytesToHash([]byte(p.PaidOut)).Hex()) || !strings.Contains(p.Detail, "frozen") {
		t.Errorf("%s: %s", p.Reason, p.Detail)
	}
	// Decided for the payee once more, it is told and nothing moves again.
	r.setPayment(order, func(p *orchestration.MarketPayment) { p.Status = orchestration.PaymentReleasePending })
	if _, err := r.runner.Advance(t.Context(), settlement.Event{ID: "decided", Payment: p.ID, Kind: settlement.EventReleaseDecided}); err != nil {
		t.Fatal(err)
	}
	p = r.await(order, true, settlement.StateReleased)
	if m := r.movements(p); len(m) != 1 || r.balanceOf(r.payee) != 1_500_000 {
		t.Errorf("%d movements, the payee has %d", len(m), r.balanceOf(r.payee))
	}
}

// A nonce that somebody else's transaction used stops the key: nothing is signed with it any more.
func TestForeignTransactionStopsTheSigner(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order, _ := r.hold()
	r.confirm(order)
	r.await(order, true, settlement.StateReleased)
	if _, err := r.chain.Send(t.Context(), r.operator, &common.Address{1}, big.NewInt(1), nil); err != nil {
		t.Fatal(err)
	}
	r.chain.Commit()
	second, p := r.hold()
	r.confirm(second)
	r.eventually("the signer is stopped", func() error { return r.logged("ERROR", "signer stopped", "our books end before nonce 1") })
	r.eventually("nothing is moved", func() error { return r.logged("ERROR", "nothing is moved", "the signer is stopped") })
	if m := r.movements(p); len(m) != 1 || m[0].State != settlement.MovementApproved {
		t.Errorf("movements %+v, want one that waits", m)
	}
	// A person has looked and found nothing of ours missing.
	if err := store.RestartSigner(t.Context(), r.pool, r.chainID(), raw(address(r.operator)), 2, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.await(second, true, settlement.StateReleased)
}

// The orders that vaults cannot be made for, and why.
func TestEscrowThatIsNotHandedOut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*setup)
		want   settlement.Code
	}{
		{"nobody proved a wallet", func(*setup) {}, rails.RefundAddressMissing},
		{"nothing holds escrow here", func(s *setup) { s.escrow = nil }, rails.RailUnsupported},
		{"the payee is the arbiter", func(s *setup) {
			s.escrow = func(e *jobs.Escrow) {
				e.Arbiter = raw(common.HexToAddress("0xbeefbeefbeefbeefbeefbeefbeefbeefbeefbeef"))
			}
		}, rails.VaultImpossible},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, held(), tt.change)
			order := r.order()
			if tt.want == rails.RefundAddressMissing {
				r.setOrder(order, func(o *orchestration.MarketOrder) {
					o.AgentPairingID, o.Payment.PayerAddress = "pair_elsewhere", address(r.payer).Hex()
				})
			}
			r.tell(order)
			if p := r.await(order, false, settlement.StateNeedsReview); p.Reason != tt.want {
				t.Errorf("%s: %s, want %s", p.Reason, p.Detail, tt.want)
			}
		})
	}
}

// An escrow intent that names somebody else's address: looked at, locked, and never moved.
func TestEscrowOfSomebodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	order := r.order()
	r.vendorIntent(order, func(rail *orchestration.RailDetails) { rail.EscrowAddress = rail.PayeeAddress })
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	if p.Terms.Custody != settlement.CustodyNone || p.Terms.Payee != raw(r.payee) {
		t.Fatalf("terms %+v", p.Terms)
	}
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
	if there := r.marketPayment(order); there.Status != orchestration.PaymentHeld || there.Rail.EscrowAddress != r.payee.Hex() {
		t.Errorf("the orchestrator's payment is %+v", there)
	}
	r.confirm(order)
	p = r.await(order, true, settlement.StateReleasePending)
	for range 5 {
		r.chain.Commit()
	}
	if m := r.movements(p); len(m) != 0 || r.operatorNonce() != 0 {
		t.Errorf("movements %+v of money that is not ours to move", m)
	}
}

// instrument asks for a vault as the marketplace does before it answers an order.
func (r *rig) instrument(change func(*jobs.VaultRequest)) (settlement.Vault, error) {
	r.t.Helper()
	q := jobs.VaultRequest{
		Marketplace: marketplace, Reference: "quote 1", MachineID: r.machine, PairingID: r.agentID, Chain: "dev", Token: "TUSD",
		Amount: settlement.NewAmount(1_500_000), Payee: r.payee.Hex(),
	}
	if change != nil {
		change(&q)
	}
	return r.runner.HandOutVault(r.t.Context(), q)
}

// A vault that the marketplace asked for, and whose order names it as the payee, is paid and released like one of ours.
func TestVaultIsHandedOutBeforeItsOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	v, err := r.instrument(nil)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.instrument(func(q *jobs.VaultRequest) { q.Chain, q.Token = string(r.chainID()), r.token.Hex() }); err != nil || again != v {
		t.Errorf("asked again: %+v (%v), want the same vault", again, err)
	}
	if _, err := r.instrument(func(q *jobs.VaultRequest) { q.Amount = settlement.NewAmount(1) }); !errors.Is(err, jobs.ErrReferenceReused) {
		t.Errorf("with another amount: %v, want ErrReferenceReused", err)
	}
	named := func(rail *orchestration.RailRecommendation) { rail.PayeeAddress = text(v.Address) }
	order := r.orderWith(named)
	r.vendorIntent(order, nil) // a buyer's own tool copies the recommendation
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	if p.Terms.Payee != v.Address || p.Terms.Custody != settlement.CustodyVault {
		t.Errorf("terms %+v", p.Terms)
	}
	second := r.orderWith(named)
	r.tell(second)
	if p := r.await(second, false, settlement.StateNeedsReview); p.Reason != rails.IntentDiffers || !strings.Contains(p.Detail, "another order") {
		t.Errorf("a second order of the vault: %s, %s", p.Reason, p.Detail)
	}
	r.pay(r.payer, common.BytesToAddress([]byte(v.Address)), 1_500_000)
	r.await(order, true, settlement.StateHeld)
	r.confirm(order)
	r.await(order, true, settlement.StateReleased)
	if got := r.balanceOf(r.payee); got != 1_500_000 {
		t.Errorf("the payee has %d, want 1500000", got)
	}
}

func TestVaultThatIsNotHandedOut(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	for _, tt := range []struct {
		name   string
		change func(*jobs.VaultRequest)
		want   settlement.Code
	}{
		{"a chain on which nothing is held", func(q *jobs.VaultRequest) { q.Chain = "eip155:1" }, settlement.ChainUnsupported},
		{"a token that is not listed", func(q *jobs.VaultRequest) { q.Token = "DAI" }, settlement.TokenUnsupported},
		{"the chain's own coin", func(q *jobs.VaultRequest) { q.Token = "" }, settlement.TokenUnsupported},
		{"no address", func(q *jobs.VaultRequest) { q.Payee = "0x12" }, rails.PayeeInvalid},
		{"nobody's pairing", func(q *jobs.VaultRequest) { q.PairingID = "pair_x" }, rails.RefundAddressMissing},
		{"no machine", func(q *jobs.VaultRequest) { q.MachineID = "mach_x" }, rails.RefundAddressMissing},
		{"the payer pays himself", func(q *jobs.VaultRequest) { q.Payee = address(r.payer).Hex() }, rails.VaultImpossible},
		{"a default above the price", func(q *jobs.VaultRequest) { q.DefaultToPayee = settlement.NewAmount(1_500_001) }, rails.VaultImpossible},
	} {
		_, err := r.instrument(tt.change)
		if refusal, ok := errors.AsType[*jobs.VaultRefusal](err); !ok || refusal.Code != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	var vaults int
	if err := r.pool.QueryRow(t.Context(), "select count(*) from vaults").Scan(&vaults); err != nil || vaults != 0 {
		t.Errorf("%d vaults recorded (%v), want none", vaults, err)
	}
}

// An order that is not what its vault is for is a matter for a person before anybody pays.
func TestOrderThatItsVaultIsNotFor(t *testing.T) {
	t.Parallel()
	r := newRig(t, held())
	for name, tt := range map[string]struct {
		change func(*jobs.VaultRequest)
		want   string
	}{
		"another price": {func(q *jobs.VaultRequest) { q.Amount = settlement.NewAmount(1) }, "and the order's price is 1500000"},
		"another payer": {func(q *jobs.VaultRequest) { _, q.PairingID = r.pair(newKey(t)) }, "gives refunds to"},
	} {
		v, err := r.instrument(func(q *jobs.VaultRequest) {
			q.Reference = name
			tt.change(q)
		})
		if err != nil {
			t.Fatal(err)
		}
		order := r.orderWith(func(rail *orchestration.RailRecommendation) { rail.PayeeAddress = text(v.Address) })
		r.tell(order)
		if p := r.await(order, false, settlement.StateNeedsReview); p.Reason != rails.IntentDiffers || !strings.Contains(p.Detail, tt.want) {
			t.Errorf("%s: %s, %s", name, p.Reason, p.Detail)
		}
	}
}
