package solana

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/settlement"
)

// trusting is a chain with the rule, and an endpoint of its own operator for each URL.
func (p *payment) trusting(t testing.TB, change func(*Config), urls ...string) *Chain {
	t.Helper()
	cfg := Config{Chain: Mainnet, Tokens: []Token{p.x.token(t, Mainnet)}, LookTimeout: 5 * time.Second}
	for i, url := range urls {
		cfg.Endpoints = append(cfg.Endpoints, Endpoint{Name: string(rune('a' + i)), URL: url})
	}
	change(&cfg)
	chain, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

func quorum(k Trust) func(*Config) { return func(cfg *Config) { cfg.Trust = k } }

// A rule that cannot be kept is refused before anybody is asked; a proof does not exist here.
func TestTrustIsRefused(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	token := p.x.token(t, Mainnet)
	two := []Endpoint{{Name: "a", URL: "http://a.invalid", Operator: "one"}, {Name: "b", URL: "http://b.invalid", Operator: "one"}}
	one, amount := address(t, p.x.Token), settlement.NewAmount(5)
	for says, cfg := range map[string]Config{
		"of 1 operator(s) only":       {Endpoints: two, Trust: 2},
		"not negative":                {Endpoints: two, Trust: -1},
		"tier 0: trust quorum:2":      {Endpoints: two, Tiers: []Tier{{Token: one, UpTo: amount, Finality: Confirmed, Trust: 2}}},
		"tier 0: its token":           {Endpoints: two, Tiers: []Tier{{UpTo: amount, Finality: Confirmed}}},
		"tier 0: it ends at 0":        {Endpoints: two, Tiers: []Tier{{Token: one, Finality: Confirmed}}},
		`tier 0: finality "processed`: {Endpoints: two, Tiers: []Tier{{Token: one, UpTo: amount, Finality: "processed"}}},
		`finality "processed" is`:     {Endpoints: two, Finality: "processed"},
	} {
		cfg.Chain, cfg.Tokens = Mainnet, []Token{token}
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
	for text, want := range map[string]Trust{"single": 1, "quorum:2": 2, "quorum:1": -1, "proof:2": -1, "": -1, "quorum": -1, "two": -1} {
		got, err := ParseTrust(text)
		if (want < 0) != (err != nil) || err == nil && (got != want || got.String() != text) {
			t.Errorf("%q: %d %v", text, got, err)
		}
	}
	if _, err := ParseTrust("proof:2"); err == nil || !strings.Contains(err.Error(), "does not exist on Solana") {
		t.Error(err)
	}
}

// altered is the answer with one change.
func (p *payment) altered(t testing.TB, change func(result, meta map[string]any)) json.RawMessage {
	t.Helper()
	var result map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(p.result)))
	decoder.UseNumber()
	if err := decoder.Decode(&result); err != nil {
		t.Fatal(err)
	}
	change(result, result["meta"].(map[string]any))
	raw, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// lies pass every check of one answer against itself.
func (p *payment) lies(t testing.TB) map[string]json.RawMessage {
	t.Helper()
	return map[string]json.RawMessage{
		"failed": p.altered(t, func(_, meta map[string]any) { meta["err"] = "lie" }),
		"slot":   p.altered(t, func(result, _ map[string]any) { result["slot"] = 401 }),
		"time":   p.altered(t, func(result, _ map[string]any) { result["blockTime"] = 1_800_000_001 }),
		"owner": p.altered(t, func(_, meta map[string]any) {
			for _, b := range meta["postTokenBalances"].([]any) {
				if b := b.(map[string]any); b["owner"] == p.x.Payee {
					b["owner"] = p.x.Payer
				}
			}
		}),
	}
}

// Two operators that say the same are enough, and a lie of either in any field is neither believed nor a rejection.
func TestQuorum(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	good := p.node(t, nil)
	chain := p.trusting(t, quorum(2), good.URL(), p.node(t, nil).URL())
	v, err := chain.Verify(t.Context(), p.claim(t))
	if outcome(v, err) != settlement.Verified || !slices.Equal(slices.Sorted(slices.Values(v.Evidence.Endpoints)), []string{"a", "b"}) || v.Evidence.Trust != "quorum:2" {
		t.Errorf("got %s %+v (%v)", v.Code, v.Evidence, err)
	}
	for name, lie := range p.lies(t) {
		liar := p.node(t, map[string]chaintest.Answer{"getTransaction": {Result: lie}, "getSlot": result("500")})
		for _, urls := range [][]string{{good.URL(), liar.URL()}, {liar.URL(), good.URL()}} {
			chain := p.trusting(t, quorum(2), urls...)
			v, err := chain.Verify(t.Context(), p.claim(t))
			if _, told := errors.AsType[*Disagreement](err); outcome(v, err) != settlement.RPCInconsistent || !told {
				t.Errorf("%s: got %s (%v)", name, v.Code, err)
			}
			if s := chain.Status(); len(s.Alarms) != 1 || s.Alarms[0].Kind != "operators_disagree" {
				t.Errorf("%s: alarms %+v", name, s.Alarms)
			}
		}
	}
}

// Silence is no agreement: another operator is asked in place of one that does not know, or does not answer.
func TestQuorumNeedsWords(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	nothing := map[string]chaintest.Answer{"getTransaction": chaintest.Hide, "getSignatureStatuses": result(`{"value":[null]}`)}
	good, alike, ignorant, broken := p.node(t, nil), p.node(t, nil), p.node(t, nothing), p.node(t, with("getTransaction", chaintest.Answer{Status: 500}))
	for _, test := range []struct {
		name string
		urls []string
		want settlement.Code
	}{
		{"one does not know it, a third does", []string{ignorant.URL(), good.URL(), alike.URL()}, settlement.Verified},
		{"one is broken, a third is not", []string{broken.URL(), good.URL(), alike.URL()}, settlement.Verified},
		{"one does not know it", []string{good.URL(), ignorant.URL()}, settlement.RPCInconsistent},
		{"one is broken", []string{good.URL(), broken.URL()}, settlement.RPCUnavailable},
		{"nobody knows it", []string{ignorant.URL(), p.node(t, nothing).URL()}, settlement.TxNotFound},
	} {
		v, err := p.trusting(t, quorum(2), test.urls...).Verify(t.Context(), p.claim(t))
		if outcome(v, err) != test.want {
			t.Errorf("%s: got %s (%v), want %s", test.name, v.Code, err, test.want)
		}
	}
	young := p.node(t, with("getSignatureStatuses", status("confirmed")))
	young.at = map[string]json.RawMessage{"confirmed": p.result, "finalized": json.RawMessage("null")}
	for n, want := range map[int]settlement.Code{2: settlement.TxUnconfirmed, 3: settlement.Verified} {
		urls := []string{young.URL(), good.URL(), alike.URL()}[:n]
		v, err := p.trusting(t, quorum(2), urls...).Verify(t.Context(), p.claim(t))
		if outcome(v, err) != want || want == settlement.TxUnconfirmed && v.Transfer == nil {
			t.Errorf("one of %d has it at confirmed only: got %s (%v)", n, v.Code, err)
		}
	}
}

// Small sums may be believed earlier, and from fewer.
func TestTiers(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	young := p.node(t, with("getSignatureStatuses", status("confirmed")))
	young.at = map[string]json.RawMessage{"confirmed": p.result, "finalized": json.RawMessage("null")}
	for upTo, want := range map[uint64]settlement.Code{2 * million: settlement.Verified, 2*million - 1: settlement.TxUnconfirmed} {
		chain := p.trusting(t, func(cfg *Config) {
			cfg.Trust = 2
			cfg.Tiers = []Tier{{Token: address(t, p.x.Token), UpTo: settlement.NewAmount(upTo), Finality: Confirmed}}
		}, young.URL(), p.node(t, young.answers).URL())
		v, err := chain.Verify(t.Context(), p.claim(t))
		if outcome(v, err) != want && (want == settlement.Verified || v.Code != settlement.TxUnconfirmed) {
			t.Errorf("up to %d: got %s (%v), want %s", upTo, v.Code, err, want)
		}
		if want == settlement.Verified && (v.Evidence.Finality != "confirmed" || v.Evidence.Trust != "single" || len(v.Evidence.Endpoints) != 1) {
			t.Errorf("evidence %+v", v.Evidence)
		}
	}
}

// Each state of an endpoint is told, and decides when it is asked.
func TestEndpointStates(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	good := p.node(t, nil)
	throttled := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(throttled.Close)
	pruned := p.node(t, with("getTransaction", chaintest.Hide))
	for state, url := range map[State]string{
		Throttled:  throttled.URL,
		Down:       p.node(t, with("getTransaction", chaintest.Answer{Status: 502})).URL(),
		WrongChain: p.node(t, with("getGenesisHash", result(`"`+devnetGenesis+`"`))).URL(),
		Pruned:     pruned.URL(), // it calls the transaction final and does not have it
	} {
		chain := p.trusting(t, func(*Config) {}, url, good.URL())
		if v, err := chain.Verify(t.Context(), p.claim(t)); outcome(v, err) != settlement.Verified || v.Evidence.Endpoints[0] != "b" {
			t.Errorf("%s: got %s (%v)", state, v.Code, err)
		}
		s := chain.Status()
		if s.Endpoints[0].State != state || s.Endpoints[1].State != Healthy || s.Endpoints[0].LastError == "" {
			t.Errorf("%s: %+v", state, s.Endpoints)
		}
		if (len(s.Alarms) > 0) != (state == WrongChain) || s.Endpoints[0].Until.IsZero() != (state != Throttled) {
			t.Errorf("%s: alarms %+v, until %s", state, s.Alarms, s.Endpoints[0].Until)
		}
		before := good.Calls("getTransaction")
		if v, err := chain.Verify(t.Context(), p.claim(t)); outcome(v, err) != settlement.Verified {
			t.Errorf("%s, again: %s (%v)", state, v.Code, err)
		}
		if good.Calls("getTransaction") != before+1 {
			t.Errorf("%s: the healthy one was not asked first", state)
		}
	}
	late := p.node(t, with("getSlot", result("200")))
	chain := p.trusting(t, func(*Config) {}, late.URL(), p.node(t, nil).URL())
	if _, err := chain.Heads(t.Context()); err != nil { // the heads of both are compared
		t.Fatal(err)
	}
	if s := chain.Status(); s.Endpoints[0].State != Behind || s.Head.Final != 500 {
		t.Errorf("behind: %+v, head %+v", s.Endpoints, s.Head)
	}
	refused := p.node(t, with("getTransaction", refusal(-32005, "Node is behind by 900 slots")))
	chain = p.trusting(t, func(*Config) {}, refused.URL(), good.URL())
	if v, err := chain.Verify(t.Context(), p.claim(t)); outcome(v, err) != settlement.Verified || chain.Status().Endpoints[0].State != Behind {
		t.Errorf("one that says it is behind: %s (%v), %+v", v.Code, err, chain.Status().Endpoints[0])
	}
}

// Our own budget for an endpoint holds calls back, and one that is used up is no failure of the endpoint.
func TestBudget(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	chain := p.trusting(t, func(cfg *Config) { cfg.Endpoints[0].CallsPerSecond, cfg.LookTimeout = 1, 900*time.Millisecond }, p.node(t, nil).URL())
	_, err := chain.Verify(t.Context(), p.claim(t)) // three calls
	if settlement.LookCode(err) != settlement.RPCRateLimited || chain.Status().Endpoints[0].Calls > 2 {
		t.Errorf("%v after %d calls", err, chain.Status().Endpoints[0].Calls)
	}
}

// What is final stands still for too long: an alarm, and no verdict.
func TestFinalityStalls(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	now := time.Now()
	chain := p.trusting(t, func(cfg *Config) { cfg.Now = func() time.Time { return now } }, p.node(t, nil).URL())
	alarms := func() int {
		if _, err := chain.Heads(t.Context()); err != nil {
			t.Fatal(err)
		}
		return len(chain.Status().Alarms)
	}
	if n := alarms(); n != 0 {
		t.Errorf("%d alarms at once", n)
	}
	now = now.Add(defaultStall + time.Second)
	if n := alarms(); n != 1 || chain.Status().Alarms[0].Kind != "finality_stalled" {
		t.Errorf("alarms %+v", chain.Status().Alarms)
	}
}
