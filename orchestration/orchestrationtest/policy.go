package orchestrationtest

import (
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// delegation is a delegation policy as it is sent.
type delegation struct {
	AllowedSkillKeys    []string `json:"allowedSkillKeys"`
	DeniedSkillKeys     []string `json:"deniedSkillKeys"`
	AllowedServiceIDs   []string `json:"allowedServiceIds"`
	DeniedServiceIDs    []string `json:"deniedServiceIds"`
	PerTransactionLimit number   `json:"perTransactionLimit"`
	DailySpendLimit     number   `json:"dailySpendLimit"`
	Currency            string   `json:"currency"`
}

func (d delegation) checked() (orchestration.DelegationPolicy, error) {
	for name, limit := range map[string]number{"perTransactionLimit": d.PerTransactionLimit, "dailySpendLimit": d.DailySpendLimit} {
		if amount, ok := decimal(string(limit)); limit != "" && (!ok || amount.Sign() < 0) {
			return orchestration.DelegationPolicy{}, invalid("delegationPolicy."+name, name+" is not an amount")
		}
	}
	return orchestration.DelegationPolicy{
		AllowedSkillKeys: d.AllowedSkillKeys, DeniedSkillKeys: d.DeniedSkillKeys, AllowedServiceIDs: d.AllowedServiceIDs,
		DeniedServiceIDs: d.DeniedServiceIDs, PerTransactionLimit: json.Number(d.PerTransactionLimit),
		DailySpendLimit: json.Number(d.DailySpendLimit), Currency: d.Currency,
	}, nil
}

// decimal reads an amount in major units, exponent form included. Amounts of
// more than 78 digits on a side are none: they would only cost memory.
func decimal(text string) (*big.Rat, bool) {
	if size, err := strconv.ParseFloat(text, 64); err != nil || size > 1e78 || size < -1e78 || size != 0 && size < 1e-78 && size > -1e-78 || len(text) > 200 {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// permits applies the lists of a policy to a service.
func (s *Server) permits(policy orchestration.DelegationPolicy, service Service) bool {
	list := func(allowed, denied []string, key string) bool {
		listed := slices.Contains(allowed, key)
		switch {
		case slices.Contains(denied, key):
			return s.cfg.AllowWins && listed
		case len(allowed) == 0:
			return !s.cfg.EmptyAllowsNone
		}
		return listed
	}
	return list(policy.AllowedSkillKeys, policy.DeniedSkillKeys, service.skillKey()) &&
		list(policy.AllowedServiceIDs, policy.DeniedServiceIDs, service.ID)
}

// maySpend refuses an order that the pairing's policy does not allow: its
// service, its price, or its price beside what the pairing has spent. A price in
// another currency than the limits cannot be compared and is refused. Caller
// holds s.mu.
func (s *Server) maySpend(pairing orchestration.AgentPairing, service Service, pricing orchestration.Pricing) error {
	policy := pairing.DelegationPolicy
	if !s.permits(policy, service) {
		return refuse(http.StatusForbidden, orchestration.CodeAgentPolicyDenied, "the pairing's policy does not allow "+service.ID)
	}
	price, priced := decimal(string(pricing.Amount))
	if !priced || policy.PerTransactionLimit == "" && policy.DailySpendLimit == "" {
		return nil
	}
	if policy.Currency != "" && policy.Currency != pricing.Currency {
		return refuse(http.StatusForbidden, orchestration.CodeAgentPolicyDenied, "the limits are in "+policy.Currency+", the price is in "+pricing.Currency)
	}
	if limit, ok := decimal(string(policy.PerTransactionLimit)); ok && price.Cmp(limit) > 0 {
		return refuse(http.StatusForbidden, orchestration.CodeAgentSpendLimitExceeded, "the price exceeds the limit per transaction")
	}
	if limit, ok := decimal(string(policy.DailySpendLimit)); ok {
		spent, _, _ := s.spent(pairing.ID)
		if spent.Add(spent, price).Cmp(limit) > 0 {
			return refuse(http.StatusForbidden, orchestration.CodeAgentDailyLimitExceeded, "the price exceeds what is left of the daily limit")
		}
	}
	return nil
}

// spent is what the pairing's orders of the current window cost, in major units.
// Caller holds s.mu.
func (s *Server) spent(pairingID string) (sum *big.Rat, from, to time.Time) {
	now := s.cfg.Now().UTC()
	from = now.Truncate(24 * time.Hour)
	if s.cfg.RollingDay {
		from = now.Add(-24 * time.Hour)
	}
	sum = new(big.Rat)
	orders := s.state.orders.entries
	for i := len(orders) - 1; i >= 0; i-- {
		order := orders[i].row
		at, err := time.Parse(time.RFC3339, order.CreatedAt)
		if err == nil && at.Before(from) {
			break // older ones follow
		}
		payment, _ := s.state.payments.get(order.ID)
		refunded := payment.Status == orchestration.PaymentRefunded && !s.cfg.KeepRefundsSpent
		if order.AgentPairingID != pairingID || order.Status == orchestration.OrderCancelled || refunded {
			continue
		}
		if price, ok := decimal(string(s.pricing(order).Amount)); ok {
			sum.Add(sum, price)
		}
	}
	return sum, from, from.Add(24 * time.Hour)
}

// getSpend is announced, not in the SDK (contract, 3.6).
func (s *Server) getSpend(c *call) (answer, error) {
	pairing, err := s.pairingOf(c)
	if err != nil {
		return answer{}, err
	}
	spent, from, to := s.spent(pairing.ID)
	policy := pairing.DelegationPolicy
	return item(http.StatusOK, map[string]any{
		"pairingId": pairing.ID, "currency": policy.Currency, "dailySpend": major(spent), "dailyLimit": nullable(policy.DailySpendLimit),
		"perTransactionLimit": nullable(policy.PerTransactionLimit), "windowStartedAt": stamp(from), "windowEndsAt": stamp(to),
	}), nil
}

// major writes an amount without rounding.
func major(amount *big.Rat) json.Number {
	digits, _ := amount.FloatPrec() // sums of decimals end
	return json.Number(amount.FloatString(digits))
}

// nullable is a number that may be absent.
func nullable(n json.Number) any {
	if n == "" {
		return nil
	}
	return n
}
