package jobs_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// accept has a person accept the transfer of the transaction.
func (r *rig) accept(p settlement.Payment, hash common.Hash) (jobs.Acted, error) {
	r.t.Helper()
	seen, err := store.TransfersOf(r.t.Context(), r.pool, []settlement.PaymentID{p.ID})
	if err != nil {
		r.t.Fatal(err)
	}
	i := slices.IndexFunc(seen, func(s store.SeenTransfer) bool { return s.Sighting.TxID == txid(r.t, hash) })
	if i < 0 {
		r.t.Fatalf("transaction %s was not seen for the payment: %+v", hash, seen)
	}
	return r.giveBack(p, 0, func(a *jobs.Action) {
		a.Kind, a.TxID, a.Position = jobs.ActAccept, txid(r.t, hash), seen[i].Sighting.Transfer.Position
	})
}

func surplus(a *jobs.Action) { a.Kind = jobs.ActSurplus }

// flagged waits until the payment has the flag.
func (r *rig) flagged(order string, flag settlement.Flag) settlement.Payment {
	r.t.Helper()
	var p settlement.Payment
	r.eventually("the payment is flagged as "+string(flag), func() (err error) {
		r.chain.Commit()
		if p, err = r.payment(order); err == nil && !p.HasFlag(flag) {
			err = errNotYet
		}
		return err
	})
	return p
}

// Who pays a direct order twice gets the second payment back once a person has accepted it, and no more than that. The order goes on.
func TestSecondPaymentIsGivenBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, givingBack())
	r.fund(10_000_000)
	order, _ := r.paid()
	second := r.pay(r.payer, r.payee, 1_500_000)
	p := r.flagged(order, settlement.FlagDuplicateTransfer)
	if _, err := r.giveBack(p, 0, surplus); !errors.Is(err, settlement.ErrNotAccepted) {
		t.Errorf("before it was accepted: %v", err)
	}
	r.offers(t.Context(), t, p.ID)
	acted, err := r.accept(p, second)
	if err != nil || acted.After.State != settlement.StateHeld || acted.After.Received != settlement.NewAmount(3_000_000) || !acted.After.HasFlag(settlement.FlagOverpaid) {
		t.Fatalf("accepted: %s, received %s, flags %v (%v)", acted.After.State, acted.After.Received, acted.After.Flags, err)
	}
	if _, err := r.accept(acted.After, second); !errors.Is(err, settlement.ErrNotAccepted) || !strings.Contains(err.Error(), "counts already") {
		t.Errorf("accepted twice: %v", err)
	}
	r.offers(t.Context(), t, p.ID)
	before := r.balanceOf(address(r.payer))
	if acted, err = r.giveBack(acted.After, 0, surplus); err != nil || acted.Refund.Amount != settlement.NewAmount(1_500_000) {
		t.Fatalf("%+v (%v)", acted.Refund, err)
	}
	r.returned(p, settlement.MovementFinal)
	r.confirm(order)
	p = r.await(order, true, settlement.StateReleased)
	if _, err := r.giveBack(p, 0, surplus); !errors.Is(err, settlement.ErrNotAccepted) {
		t.Errorf("the price is no surplus: %v", err)
	}

	// After the end too; and one that a refund has left behind.
	third := r.pay(r.payer, r.payee, 1_500_000)
	r.eventually("the third payment is final", func() error {
		r.chain.Commit()
		seen, err := store.TransfersOf(t.Context(), r.pool, []settlement.PaymentID{p.ID})
		if err == nil && (len(seen) != 3 || slices.ContainsFunc(seen, func(s store.SeenTransfer) bool { return s.Status != store.TransferFinal })) {
			err = errNotYet
		}
		return err
	})
	if p, err = r.payment(order); err != nil {
		t.Fatal(err)
	}
	if acted, err = r.accept(p, third); err != nil || acted.After.State != settlement.StateReleased {
		t.Fatalf("accepted after the end: %s (%v)", acted.After.State, err)
	}
	if _, err = r.giveBack(acted.After, 0, surplus); err != nil {
		t.Fatal(err)
	}
	r.returned(p, settlement.MovementFinal)
	if got := r.balanceOf(address(r.payer)) - before; got != 1_500_000 { // two came back, the third was paid in between
		t.Errorf("the payer has %d more", got)
	}
	if got := r.ledger(p); got != "operator -3000000, payee 4500000, payer -4500000, refund 3000000" {
		t.Errorf("the ledger says %s", got)
	}
	r.offers(t.Context(), t, p.ID)
	r.stop()
	r.statementsTie("transfer", "surplus", "gas")
}

// All that was paid goes back where the order is refunded first, and its second payment afterwards.
func TestSecondPaymentOfARefundedOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, givingBack())
	r.fund(10_000_000)
	order, _ := r.paid()
	second := r.pay(r.payer, r.payee, 1_500_000)
	p := r.flagged(order, settlement.FlagDuplicateTransfer)
	if _, err := r.giveBack(p, 0); err != nil {
		t.Fatal(err)
	}
	p = r.await(order, true, settlement.StateRefunded)
	acted, err := r.accept(p, second)
	if err != nil {
		t.Fatal(err)
	}
	r.offers(t.Context(), t, p.ID)
	if acted, err = r.giveBack(acted.After, 0, surplus); err != nil || acted.Refund.Amount != settlement.NewAmount(1_500_000) {
		t.Fatalf("%+v (%v)", acted.Refund, err)
	}
	r.returned(p, settlement.MovementFinal)
	if got := r.ledger(p); got != "operator -3000000, payee 3000000, payer -3000000, refund 3000000" {
		t.Errorf("the ledger says %s", got)
	}
}

// Money that comes after the order was cancelled is nobody's payment. Accepted, it goes back, and the order stays closed.
func TestMoneyOfACancelledOrderIsGivenBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, givingBack())
	r.fund(10_000_000)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.cancel(order)
	r.await(order, false, settlement.StateClosed)
	late := r.pay(r.payer, r.payee, 1_500_000)
	p := r.flagged(order, settlement.FlagLate)
	r.offers(t.Context(), t, p.ID)
	acted, err := r.accept(p, late)
	if err != nil || acted.After.State != settlement.StateClosed || acted.After.Settled() {
		t.Fatalf("accepted: %s, settled %t (%v)", acted.After.State, acted.After.Settled(), err)
	}
	r.offers(t.Context(), t, p.ID)
	if acted, err = r.giveBack(acted.After, 500_000); err != nil {
		t.Fatal(err)
	}
	r.returned(p, settlement.MovementFinal)
	if p, err = r.payment(order); err != nil {
		t.Fatal(err)
	}
	if acted, err = r.giveBack(p, 0, surplus); err != nil || acted.Refund.Amount != settlement.NewAmount(1_000_000) {
		t.Fatalf("%+v (%v)", acted.Refund, err)
	}
	r.returned(p, settlement.MovementFinal)
	if got := r.ledger(p); got != "operator -1500000, payee 1500000, payer -1500000, refund 1500000" {
		t.Errorf("the ledger says %s", got)
	}
	if n := len(r.market.Proofs(order)); n != 0 {
		t.Errorf("%d proofs for a cancelled order", n)
	}
}
