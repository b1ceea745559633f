package orchestrationtest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// noon is for tests whose day must not end.
func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func TestPoliciesLimitOrders(t *testing.T) {
	t.Parallel()
	type policy = orchestration.DelegationPolicy
	for _, test := range []struct {
		name    string
		policy  policy
		service string
		want    orchestration.Code
	}{
		{"no limit", policy{}, "svc", ""},
		{"service denied", policy{DeniedServiceIDs: []string{"svc"}}, "svc", orchestration.CodeAgentPolicyDenied},
		{"skill denied", policy{DeniedSkillKeys: []string{"svc"}}, "svc", orchestration.CodeAgentPolicyDenied},
		{"another service allowed", policy{AllowedServiceIDs: []string{"free"}}, "svc", orchestration.CodeAgentPolicyDenied},
		{"another skill allowed", policy{AllowedSkillKeys: []string{"free"}}, "svc", orchestration.CodeAgentPolicyDenied},
		{"allowed", policy{AllowedServiceIDs: []string{"svc"}}, "svc", ""},
		{"price at the limit", policy{PerTransactionLimit: "2.00"}, "svc", ""},
		{"price above the limit", policy{PerTransactionLimit: "1.999999999999999999999"}, "svc", orchestration.CodeAgentSpendLimitExceeded},
		{"free at limit zero", policy{PerTransactionLimit: "0"}, "free", ""},
		{"limit in the price's currency", policy{PerTransactionLimit: "2e0", Currency: "USDC"}, "svc", ""},
		{"limit in another currency", policy{PerTransactionLimit: "100", Currency: "EUR"}, "svc", orchestration.CodeAgentPolicyDenied},
		{"day's limit reached", policy{DailySpendLimit: "4"}, "svc", ""}, // the bench has an order of 2 already
		{"day's limit passed", policy{DailySpendLimit: "3.9"}, "svc", orchestration.CodeAgentDailyLimitExceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, orchestrationtest.Config{Now: noon})
			b.limit(t, test.policy)
			_, err := b.try(t, test.service)
			if test.want == "" && err != nil || test.want != "" && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestTheDayOfALimit(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rolling bool
		later   time.Duration
		want    orchestration.Code
	}{
		"calendar, same day":     {false, 50 * time.Minute, orchestration.CodeAgentDailyLimitExceeded},
		"calendar, past 0:00":    {false, 70 * time.Minute, ""},
		"rolling, past 0:00":     {true, 70 * time.Minute, orchestration.CodeAgentDailyLimitExceeded},
		"rolling, 24 h and more": {true, 25 * time.Hour, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Date(2026, 3, 1, 23, 0, 0, 0, time.UTC)
			b := newBench(t, orchestrationtest.Config{
				Now: func() time.Time { return now }, SessionTTL: 1000 * time.Hour, Switches: orchestrationtest.Switches{RollingDay: test.rolling},
			})
			b.limit(t, orchestration.DelegationPolicy{DailySpendLimit: "2"})
			now = now.Add(test.later)
			_, err := b.try(t, "svc")
			if test.want == "" && err != nil || test.want != "" && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestPoliciesHideQuotes(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	b.limit(t, orchestration.DelegationPolicy{DeniedServiceIDs: []string{"vault"}})
	b.do(t, func(token orchestration.Secret) error {
		found, err := b.client.SearchMarket(t.Context(), token, orchestration.MarketSearchRequest{ServiceType: "storage"})
		if err == nil && (len(found.Quotes) != 1 || found.Quotes[0].ServiceID != "away") {
			t.Errorf("quotes %+v", found.Quotes)
		}
		return err
	})
}

// TestChangedPolicyEndsTokens: the token carries the policy's hash.
func TestChangedPolicyEndsTokens(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	var old orchestration.Secret
	b.do(t, func(token orchestration.Secret) error { old = token; return nil })
	b.limit(t, orchestration.DelegationPolicy{PerTransactionLimit: "100"})
	if _, err := b.client.CreatePaymentIntent(t.Context(), old, b.order.ID, orchestration.PaymentIntentRequest{}); !errors.Is(err, orchestration.CodeAgentAuthInvalid) {
		t.Errorf("got %v", err)
	}
}
