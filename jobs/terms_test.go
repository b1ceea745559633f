package jobs_test

import (
	"strings"
	"testing"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
)

// An intent that differs from the order's own recommendation and price, and that somebody's unchecked proof may have made
// held: a person looks before anybody is told to pay, and both facts are shown.
func TestIntentThatDiffers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		intent func(*orchestration.RailDetails)
		pay    func(*orchestration.MarketPayment)
		reason settlement.Code
	}{
		{"another chain", func(d *orchestration.RailDetails) { d.Chain = "eip155:1" }, nil, rails.IntentDiffers},
		{"another token", func(d *orchestration.RailDetails) { d.TokenAddress = "0x" + strings.Repeat("12", 20) }, nil, rails.IntentDiffers},
		{"another payee", func(d *orchestration.RailDetails) { d.PayeeAddress = "0x" + strings.Repeat("66", 20) }, nil, rails.IntentDiffers},
		{"an amount below the quote", nil, func(p *orchestration.MarketPayment) { p.Amount = "1.4" }, rails.AmountConflict},
		{"an amount above the quote", nil, func(p *orchestration.MarketPayment) { p.Amount = "1.500001" }, rails.AmountConflict},
	} {
		for _, held := range []bool{false, true} {
			name := tt.name
			if held {
				name += ", held"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				order := r.order()
				r.vendorIntent(order, tt.intent)
				if tt.pay != nil {
					r.setPayment(order, tt.pay)
				}
				want := orchestration.PaymentIntentCreated
				if held {
					want = orchestration.PaymentHeld
					r.setPayment(order, func(p *orchestration.MarketPayment) { p.Status = want })
				}
				r.tell(order)
				p := r.await(order, false, settlement.StateNeedsReview)
				if p.Reason != tt.reason || p.Detail == "" || p.Terms.Payee != "" || p.Platform != string(want) {
					t.Errorf("reason %s (%q), payee %q, platform %q; want %s, no terms, %s", p.Reason, p.Detail, p.Terms.Payee, p.Platform, tt.reason, want)
				}
			})
		}
	}
}

// The marketplace tells of an order that is paid, again and again.
func TestPaidOrderIsHeardOfAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	paid := r.await(order, true, settlement.StateHeld)
	for range 3 {
		r.tell(order)
	}
	r.eventually("all webhooks are read", r.read)
	p, err := r.payment(order)
	if err != nil || p.Version != paid.Version {
		t.Errorf("version %d after %d (%v): a paid order that is heard of again changes nothing", p.Version, paid.Version, err)
	}
	if n := r.market.Intents(order); n != 1 || len(r.market.Proofs(order)) != 1 {
		t.Errorf("%d intents and %d proofs, want one of each", n, len(r.market.Proofs(order)))
	}
}
