package jobs_test

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/contracts"
	escrow "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// decide sends a decision about the payment's money through the door.
func (r *rig) decide(p settlement.Payment, kind settlement.EventKind, toPayee, toPayer uint64) error {
	r.t.Helper()
	results, err := r.runner.Advance(r.t.Context(), decision(p, kind, toPayee, toPayer))
	if err != nil {
		r.t.Fatal(err)
	}
	return results[0].Err
}

func decision(p settlement.Payment, kind settlement.EventKind, toPayee, toPayer uint64) settlement.Event {
	return settlement.Event{
		ID: fmt.Sprintf("%s/%d/%d/%s", kind, toPayee, toPayer, time.Now()), Payment: p.ID, Kind: kind,
		Division: &settlement.Division{ToPayee: settlement.NewAmount(toPayee), ToPayer: settlement.NewAmount(toPayer)},
	}
}

// freezeVault freezes the payment's vault on the chain, behind our back.
func (r *rig) freezeVault(p settlement.Payment) {
	r.t.Helper()
	kept, err := store.VaultAt(r.t.Context(), r.pool, r.chainID(), p.Terms.Payee)
	if err != nil {
		r.t.Fatal(err)
	}
	v := kept.Vault
	at := func(a settlement.Address) common.Address { return common.BytesToAddress([]byte(a)) }
	terms := contracts.Terms{
		Version: big.NewInt(escrow.Version), ChainId: new(big.Int).SetUint64(r.chain.ChainID()), OrderKey: v.OrderKey, Token: at(v.Token), Amount: v.Amount.Big(),
		Payer: at(v.Payer), Payee: at(v.Payee), Operator: at(v.Operator), Arbiter: at(v.Arbiter), ReclaimDeadline: big.NewInt(v.ReclaimAt.Unix()),
		DisputeDeadline: big.NewInt(v.DisputeAt.Unix()), DefaultToPayee: v.DefaultToPayee.Big(),
	}
	r.payNative(r.payer, address(r.arbiter), 1e18)
	r.chain.Commit()
	factory := escrow.Factory
	if _, err := r.chain.Send(r.t.Context(), r.arbiter, &factory, nil, contracts.NewOrderVaults().PackFreeze(terms)); err != nil {
		r.t.Fatal(err)
	}
	r.chain.Commit()
}

// moved is what the payment's movements are, in words.
func (r *rig) moved(p settlement.Payment) []string {
	r.t.Helper()
	var words []string
	for _, m := range r.movements(p) {
		words = append(words, fmt.Sprintf("%s %s+%s %s", m.Purpose, m.ToPayee, m.ToPayer, m.State))
	}
	return words
}

// A split pays both sides and ends the payment; a partial refund and a surplus go back while it goes on; what is decided later
// waits for them; a dispute stops what has no nonce yet.
func TestHeldMoneyIsDivided(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(func(e *jobs.Escrow) { e.Mover = badMember{e.Mover} }))
	halt := func(on bool) {
		t.Helper()
		var err error
		if on {
			err = store.SetHalt(t.Context(), r.pool, store.Everywhere, "to gather movements", time.Now())
		} else {
			_, err = store.LiftHalt(t.Context(), r.pool, store.Everywhere)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	halt(true)
	disputed, d := r.hold()
	if err := r.decide(d, settlement.EventPartialRefundApproved, 0, 1); err != nil {
		t.Fatal(err)
	}
	r.offers(t.Context(), t, d.ID) // a part of it is to go back
	if err := r.decide(d, settlement.EventOrderDisputed, 0, 0); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		kind    settlement.EventKind
		payee   uint64
		payer   uint64
		because string
	}{
		{"less than is held", settlement.EventSplitApproved, 500_000, 999_999, "1500000 are held"},
		{"more than is held", settlement.EventSplitApproved, 500_000, 1_000_001, "1500000 are held"},
		{"one side's", settlement.EventSplitApproved, 1_500_000, 0, "divides nothing so"},
		{"a partial refund while frozen", settlement.EventPartialRefundApproved, 0, 1, "in state frozen"},
		{"as divided", settlement.EventSplitApproved, 500_000, 1_000_000, ""},
		{"divided again", settlement.EventSplitApproved, 500_000, 1_000_000, "in state split_pending"},
	} {
		err := r.decide(d, tt.kind, tt.payee, tt.payer)
		if (err == nil) != (tt.because == "") || err != nil && !(errors.Is(err, settlement.ErrNotAccepted) && strings.Contains(err.Error(), tt.because)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.because)
		}
	}
	if got := r.moved(d); !slices.Equal(got, []string{"partial_refund 0+1 cancelled", "split 500000+1000000 approved"}) {
		t.Errorf("movements of the disputed order: %q", got)
	}

	paidTwice, p := r.hold()
	before := r.balanceOf(address(r.payer))
	if err := r.decide(p, settlement.EventSurplusRefundApproved, 0, 0); err == nil || !strings.Contains(err.Error(), "nothing is held above") {
		t.Errorf("a surplus of the exact price: %v", err)
	}
	r.pay(r.stranger(500_000), common.BytesToAddress([]byte(p.Terms.Payee)), 500_000)
	r.eventually("the second deposit is posted", func() error {
		r.chain.Commit()
		if got := r.ledger(p); got != "held 2000000, payer -2000000" {
			return errors.New(got)
		}
		return nil
	})
	r.offers(t.Context(), t, p.ID) // there is a surplus
	// Of two in one batch the second is turned away and the first goes on.
	results, err := r.runner.Advance(t.Context(), decision(p, settlement.EventSurplusRefundApproved, 0, 0), decision(p, settlement.EventPartialRefundApproved, 0, 5))
	if err != nil || results[0].Err != nil || results[1].Err == nil || !strings.Contains(results[1].Err.Error(), "another movement") {
		t.Fatal(err, results)
	}
	r.confirm(paidTwice)
	r.await(paidTwice, true, settlement.StateReleasePending)
	if got := r.moved(p); !slices.Equal(got, []string{"surplus 0+500000 approved"}) {
		t.Errorf("movements of the order that was paid twice: %q, want the release to wait", got)
	}

	refunded, q := r.hold()
	if err := r.decide(q, settlement.EventPartialRefundApproved, 0, 1_500_000); err == nil || !strings.Contains(err.Error(), "less than that is a partial refund") {
		t.Errorf("a part that is all: %v", err)
	}
	if err := r.decide(q, settlement.EventPartialRefundApproved, 0, 400_000); err != nil {
		t.Fatal(err)
	}
	stuck, s := r.hold()
	r.freezeVault(s)
	if err := r.decide(s, settlement.EventPartialRefundApproved, 0, 1); err != nil {
		t.Fatal(err)
	}
	returned, back := r.hold()
	r.refund(back)
	for _, moving := range []settlement.Payment{d, p, back} {
		r.offers(t.Context(), t, moving.ID)
	}
	halt(false)

	d = r.await(disputed, true, settlement.StateSplit)
	// The batch failed for it, and it went alone.
	if got := r.moved(d); !slices.Equal(got[1:], []string{"split 500000+1000000 reverted", "split 500000+1000000 final"}) {
		t.Errorf("movements of the disputed order: %q", got)
	}
	if got := r.ledger(d); got != "held 0, payee 500000, payer -1500000, refund 1000000" {
		t.Errorf("after the split the ledger says %s", got)
	}
	there := r.marketPayment(disputed)
	txid := common.BytesToHash([]byte(d.PaidOut)).Hex()
	if there.Status != orchestration.PaymentRefunded || !slices.Contains(there.Notes, "refunded by "+txid) ||
		!slices.Contains(there.Notes, "split: 0.500000 TUSD to the payee, 1.000000 TUSD to the payer") {
		t.Errorf("the orchestrator's payment is %s with %q", there.Status, there.Notes)
	}
	p = r.await(paidTwice, true, settlement.StateReleased)
	if got := r.moved(p); !slices.Equal(got, []string{"surplus 0+500000 final", "release 1500000+0 final"}) {
		t.Errorf("movements of the order that was paid twice: %q", got)
	}
	r.await(stuck, true, settlement.StateFrozen)
	r.eventually("the partial refund of a frozen vault is given up", func() error {
		r.chain.Commit()
		m := r.movements(s)
		if last := m[len(m)-1].State; last != settlement.MovementCancelled && last != settlement.MovementReverted {
			return fmt.Errorf("%+v", m)
		}
		return nil
	})
	r.eventually("the partial refund is final", func() error {
		r.chain.Commit()
		if got := r.moved(q); !slices.Equal(got, []string{"partial_refund 0+400000 final"}) {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
	if err := r.decide(q, settlement.EventPartialRefundApproved, 0, 100_000); err != nil {
		t.Fatal(err)
	}
	r.confirm(refunded)
	q = r.await(refunded, true, settlement.StateReleased)
	if got := r.ledger(q); got != "held 0, payee 1000000, payer -1500000, refund 500000" {
		t.Errorf("after two partial refunds the ledger says %s", got)
	}
	if there := r.marketPayment(refunded); there.Status != orchestration.PaymentReleased {
		t.Errorf("the orchestrator's payment is %s", there.Status)
	}
	if got := r.balanceOf(r.payee); got != 500_000+1_500_000+1_000_000 {
		t.Errorf("the payee has %d", got)
	}
	r.await(returned, true, settlement.StateRefunded)
	if got := r.balanceOf(address(r.payer)) - before; got != 1_000_000+500_000+500_000+1_500_000 {
		t.Errorf("the payer got %d back", got)
	}
	r.stop()
	r.stop = nil
	r.statementsTie("transfer", "release", "refund", "split", "partial_refund", "surplus", "gas")
}
