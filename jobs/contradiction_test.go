package jobs_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
)

// Where the orchestrator's books have the money elsewhere than the chain, a person sees both sides as soon as it is heard.
func TestOrchestratorContradictsTheChain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		released bool // on the chain; else the money is in its vault
		there    orchestration.PaymentStatus
		swept    bool // heard by the listing of orders, not by a webhook
	}{
		{"released there, held here", false, orchestration.PaymentReleased, false},
		{"refunded there, held here", false, orchestration.PaymentRefunded, true},
		{"refunded there, released here", true, orchestration.PaymentRefunded, false},
		{"held there, released here", true, orchestration.PaymentHeld, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, held(), func(s *setup) { s.listed = tt.swept })
			order, p := r.hold()
			want := text(p.Terms.Payee)
			if tt.released {
				r.confirm(order)
				p = r.await(order, true, settlement.StateReleased)
				want = p.PaidOut.String()
				r.tell(order) // both sides agree
				r.allRead()
				if p, _ = r.payment(order); p.State != settlement.StateReleased {
					t.Fatalf("told again, the payment is %s: %s", p.State, p.Detail)
				}
			}
			moved := r.operatorNonce()
			r.setPayment(order, func(p *orchestration.MarketPayment) { p.Status = tt.there })
			if tt.swept {
				r.setOrder(order, func(o *orchestration.MarketOrder) { o.UpdatedAt = time.Now().Add(time.Hour).UTC().Format(time.RFC3339) })
			} else {
				r.tell(order)
			}
			p = r.await(order, true, settlement.StateNeedsReview)
			if p.Reason != jobs.PlatformDiffers || p.Platform != string(tt.there) || !strings.Contains(p.Detail, want) || !strings.Contains(p.Detail, "is "+string(tt.there)) {
				t.Errorf("%s (%s): %s, want both sides: %s and %s", p.Reason, p.Platform, p.Detail, tt.there, want)
			}
			version := p.Version
			r.tell(order) // a person has it already
			r.allRead()
			if p, _ = r.payment(order); p.Version != version || r.operatorNonce() != moved {
				t.Errorf("told again, version %d became %d: %v; %d transactions, want %d", version, p.Version, r.history(p), r.operatorNonce(), moved)
			}
			if kinds := r.history(p); !slices.Contains(kinds, settlement.EventPlatformDiffers) {
				t.Errorf("history %v", kinds)
			}
		})
	}
}

// allRead waits until the order of every webhook was read.
func (r *rig) allRead() {
	r.t.Helper()
	r.eventually("the webhooks are read", func() error {
		var unread int
		err := r.pool.QueryRow(r.t.Context(), "select count(*) from inbox where done_at is null and attempts = 0").Scan(&unread)
		if err == nil && unread > 0 {
			err = errNotYet
		}
		return err
	})
}
