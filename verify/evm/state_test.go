package evm

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

func states(c *Chain) string {
	var out []string
	for _, e := range c.Status().Endpoints {
		out = append(out, e.Name+" "+string(e.State))
	}
	return strings.Join(out, ", ")
}

// Each state of an endpoint, what brings it about, and what follows from it.
func TestEndpointStates(t *testing.T) {
	t.Parallel()
	look := func(t *testing.T, chain *Chain, want string) {
		t.Helper()
		v, err := chain.Verify(t.Context(), theClaim())
		if err != nil || v.Code != settlement.Verified || v.Evidence.Endpoints[0] != want {
			t.Fatalf("got %+v (%v), want VERIFIED by %s", v, err, want)
		}
	}
	t.Run("throttled without a time: left alone for about a second, then longer", func(t *testing.T) {
		t.Parallel()
		var c clock
		first := startNode(t, brokenScene(429))
		chain := startChain(t, c.configure, first, startNode(t, newScene()))
		look(t, chain, "b")
		if got := states(chain); got != "a throttled, b healthy" {
			t.Errorf("states %s", got)
		}
		first.asked()
		look(t, chain, "b")
		if asked := first.asked(); len(asked) > 0 {
			t.Errorf("asked %v while throttled", asked)
		}
		for _, e := range chain.Status().Endpoints[:1] {
			if e.Failures[settlement.RPCRateLimited] != 1 || e.Calls == 0 || !e.Until.After(c.now()) {
				t.Errorf("counted %+v", e)
			}
		}
		if first, tenth := jsonrpc.Pause(1), jsonrpc.Pause(10); first > 2*time.Second || tenth < 40*time.Second || tenth > 90*time.Second {
			t.Errorf("pauses %s and %s, want about 1 s and 60 s", first, tenth)
		}
	})
	t.Run("down: asked last, then not at all, and again later", func(t *testing.T) {
		t.Parallel()
		first := startNode(t, brokenScene(503))
		chain := startChain(t, nil, first)
		for i := range breakAfter + 3 {
			_, err := chain.Verify(t.Context(), theClaim())
			problem, ok := err.(*settlement.LookError) //nolint:errorlint // the type itself is promised
			if !ok || problem.Code != settlement.RPCUnavailable || (problem.RetryAfter > 0) != (i >= breakAfter) {
				t.Fatalf("look %d: %v", i, err)
			}
		}
		if asked := len(first.asked()); asked != 0 { // only its chain id
			t.Errorf("asked %d questions", asked)
		}
		if got := chain.Status(); got.Endpoints[0].State != Down || got.Endpoints[0].Calls != breakAfter ||
			len(got.Alarms) != 1 || got.Alarms[0].Kind != QuorumUnreachable {
			t.Errorf("status %+v", got)
		}
		first.change(func(s *scene) { s.answer = nil })
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if v, err := chain.Verify(t.Context(), theClaim()); err == nil && v.Code == settlement.Verified {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("never asked again")
			}
		}
		if got := states(chain); got != "a healthy" {
			t.Errorf("states %s", got)
		}
	})
	t.Run("down: a key that is refused everything", func(t *testing.T) {
		t.Parallel()
		chain := startChain(t, nil, startNode(t, brokenScene(403)))
		for range breakAfter {
			if _, err := chain.Verify(t.Context(), theClaim()); settlement.LookCode(err) != settlement.RPCUnavailable {
				t.Fatalf("got %v, want RPC_UNAVAILABLE", err)
			}
		}
		if got := chain.Status(); got.Endpoints[0].State != Down || len(got.Alarms) != 1 || got.Alarms[0].Kind != QuorumUnreachable {
			t.Errorf("status %+v", got)
		}
	})
	t.Run("behind: asked last until it has caught up", func(t *testing.T) {
		t.Parallel()
		var c clock
		first := startNode(t, newScene())
		chain := startChain(t, c.configure, first, startNode(t, newScene()))
		first.change(func(s *scene) { s.latest = 104; s.finalized = 101 }) // 32 s older
		if head, err := chain.Head(t.Context()); err != nil || head.Latest != 120 {
			t.Fatalf("head %+v (%v), want that of the other endpoint", head, err)
		}
		if got := states(chain); got != "a behind, b healthy" {
			t.Errorf("states %s", got)
		}
		look(t, chain, "b")
		first.change(func(s *scene) { s.latest = 121; s.finalized = 111 })
		c.pass(compareEvery)
		if head, err := chain.Head(t.Context()); err != nil || head.Latest != 121 {
			t.Fatalf("head %+v (%v), want that of the endpoint that caught up", head, err)
		}
		look(t, chain, "a")
	})
	t.Run("wrong chain: asked last, and an alarm", func(t *testing.T) {
		t.Parallel()
		wrong := newScene()
		wrong.chainID = "0x1"
		first := startNode(t, wrong)
		chain := startChain(t, nil, first, startNode(t, newScene()))
		look(t, chain, "b")
		look(t, chain, "b")
		if got := states(chain); got != "a wrong_chain, b healthy" {
			t.Errorf("states %s", got)
		}
		if asked := first.asked(); len(asked) != 0 {
			t.Errorf("asked %v of a wrong chain", asked)
		}
		if alarms := chain.Status().Alarms; len(alarms) != 1 || alarms[0].Kind != EndpointWrongChain {
			t.Errorf("alarms %+v", alarms)
		}
	})
	t.Run("pruned: still scanned, asked last for transactions", func(t *testing.T) {
		t.Parallel()
		pruned := newScene()
		pruned.answer = answerRaw("eth_getTransactionReceipt", http.StatusOK, `{"jsonrpc":"2.0","id":ID,"error":{"code":4444,"message":"pruned history unavailable"}}`)
		first := startNode(t, pruned)
		chain := startChain(t, nil, first, startNode(t, newScene()))
		look(t, chain, "b")
		if got := states(chain); got != "a pruned, b healthy" {
			t.Errorf("states %s", got)
		}
		first.asked()
		look(t, chain, "b")
		if asked := first.asked(); len(asked) > 0 {
			t.Errorf("asked %v for history", asked)
		}
		if scan, err := chain.Scan(t.Context(), 100); err != nil || scan.Endpoints[0] != "a" {
			t.Errorf("scanned by %q (%v), want a", scan.Endpoints[0], err)
		}
	})
}

// A budget of our own makes calls wait instead of being refused.
func TestBudget(t *testing.T) {
	t.Parallel()
	n := startNode(t, newScene())
	chain := startChain(t, func(c *Config) { c.Endpoints[0].CallsPerSecond = 5 }, n)
	begin := time.Now()
	for range 4 { // three calls each, and one for the chain id
		if v, err := chain.Verify(t.Context(), theClaim()); err != nil || v.Code != settlement.Verified {
			t.Fatalf("got %s (%v)", v.Code, err)
		}
	}
	if took := time.Since(begin); took < time.Second {
		t.Errorf("13 calls took %s at 5 a second", took)
	}
	hurried := startChain(t, func(c *Config) {
		c.Endpoints[0].CallsPerSecond = 1
		c.LookTimeout = 900 * time.Millisecond // before the second call may be made, and long after the first
	}, n)
	if _, err := hurried.Verify(t.Context(), theClaim()); settlement.LookCode(err) != settlement.RPCRateLimited {
		t.Errorf("got %v, want RPC_RATE_LIMITED by our own budget", err)
	}
}

// Looks that their caller gives up say nothing about the endpoint, however many they are.
func TestGivenUpLooks(t *testing.T) {
	t.Parallel()
	var slow atomic.Bool
	held := make(chan struct{})
	t.Cleanup(func() { close(held) })
	real := startNode(t, newScene())
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow.Load() {
			_, _ = io.Copy(io.Discard, r.Body) // the server sees a caller go only once it has read the question
			select {
			case <-r.Context().Done():
			case <-held:
			}
			return
		}
		real.Config.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	chain := startChain(t, func(c *Config) { c.Endpoints[0].URL = front.URL }, real)
	slow.Store(true)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if _, err := chain.Heads(ctx); err == nil {
			t.Fatal("an answer that never came")
		}
	}
	slow.Store(false)
	if v, err := chain.Verify(t.Context(), theClaim()); err != nil || v.Code != settlement.Verified {
		t.Errorf("got %s (%v)", v.Code, err)
	}
	if got := states(chain); !strings.HasSuffix(got, " healthy") {
		t.Errorf("states: %s", got)
	}
}

// A key may stand in the URL or in a header; it is sent, and told to nobody.
func TestHeadersAreSentAndHidden(t *testing.T) {
	t.Parallel()
	s := newScene()
	chain := startChain(t, func(c *Config) {
		c.Endpoints[0].Header = http.Header{"Authorization": {"Bearer hunter2-hunter2"}, "X-Api-Key": {"sesame-open"}}
	}, startNode(t, s))
	s.answer = nil
	if v, err := chain.Verify(t.Context(), theClaim()); err != nil || v.Code != settlement.Verified {
		t.Fatalf("got %s (%v)", v.Code, err)
	}
	e := chain.endpoints[0]
	for _, text := range []string{e.redact("denied: Bearer hunter2-hunter2"), e.redact("key sesame-open of " + e.url), e.redact("token hunter2-hunter2")} {
		for _, secret := range []string{"hunter2", "sesame", "secret-key"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q tells %s", text, secret)
			}
		}
	}
	failing := newScene()
	failing.answer = func(w http.ResponseWriter, q question) bool {
		return json.NewEncoder(w).Encode(fields{"jsonrpc": "2.0", "id": q.ID, "error": fields{"code": 1, "message": "no such key: sesame-open"}}) == nil
	}
	chain = startChain(t, func(c *Config) { c.Endpoints[0].Header = http.Header{"X-Api-Key": {"sesame-open"}} }, startNode(t, failing))
	_, err := chain.Verify(t.Context(), theClaim())
	for _, text := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", chain.Status())} {
		if err == nil || strings.Contains(text, "sesame") || strings.Contains(text, "secret-key") {
			t.Errorf("told: %s", text)
		}
	}
}

// A tag that is another name of latest is refused at start, where the chain is not known to be final at once.
func TestCheckFindsAliases(t *testing.T) {
	t.Parallel()
	alias := func(s *scene) { s.finalized = s.latest }
	_, err := New(Config{
		Chain: testChain, Endpoints: []Endpoint{{Name: "a", URL: "http://x"}}, Tokens: []settlement.Token{usdToken()}, Finality: Finality{Tag: "finalized"},
		Tiers: []Tier{{Token: usd, UpTo: price, Finality: Finality{Tag: "latest"}}},
	})
	if err == nil || !strings.Contains(err.Error(), "may still replace its latest block") {
		t.Errorf("latest of Base: got %v, want a refusal", err)
	}
	for _, test := range []struct {
		name   string
		tag    string
		change func(*scene)
		want   string
	}{
		{"finalized is latest", "finalized", alias, "another name of the latest block"},
		{"safe is latest", "safe", alias, "another name of the latest block"},
		{"latest is latest", "latest", alias, ""},
		{"finalized lies below", "finalized", func(*scene) {}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			test.change(s)
			chain := startChain(t, func(c *Config) {
				c.Finality.Tag = test.tag
				if test.tag == "latest" { // of a chain whose blocks stay
					c.Chain, c.Tokens[0].Chain, s.chainID = "eip155:43114", "eip155:43114", "0xa86a"
				}
			}, startNode(t, s))
			err := chain.Check(t.Context())[0].Err
			if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || settlement.LookCode(err) != settlement.RPCMisconfigured) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// Finality that stalls is an alarm. It changes no verdict.
func TestStalledFinality(t *testing.T) {
	t.Parallel()
	var c clock // a thousand seconds after the payment's block
	chain := startChain(t, func(cfg *Config) { c.configure(cfg); cfg.StallAfter = time.Hour }, startNode(t, newScene()))
	stalled := func() bool {
		if _, err := chain.Head(t.Context()); err != nil {
			t.Fatal(err)
		}
		if v, err := chain.Verify(t.Context(), theClaim()); err != nil || v.Code != settlement.Verified {
			t.Fatalf("got %s (%v), want VERIFIED", v.Code, err)
		}
		return slices.ContainsFunc(chain.Status().Alarms, func(a Alarm) bool { return a.Kind == FinalityStalled })
	}
	if stalled() {
		t.Error("an alarm before its time")
	}
	c.pass(time.Hour)
	if !stalled() {
		t.Error("no alarm after an hour")
	}
}

// Small sums may count earlier, and on the word of fewer.
func TestTiers(t *testing.T) {
	t.Parallel()
	n := startNode(t, newScene())
	configure := func(c *Config) {
		c.Endpoints = append(c.Endpoints, Endpoint{Name: "b", URL: n.URL})
		c.Trust = Trust{Operators: 2}
		c.Tiers = []Tier{
			{Token: usd, UpTo: settlement.NewAmount(2_000_000), Finality: Finality{Depth: 15}},
			{Token: usd, UpTo: settlement.NewAmount(1_000_000), Finality: Finality{Depth: 1}},
		}
	}
	chain := startChain(t, configure, n)
	for units, want := range map[uint64]string{1: "depth 1 single", 1_000_000: "depth 1 single", 1_000_001: "depth 15 single", 2_000_001: "finalized quorum:2"} {
		rule := chain.Rule(usd, settlement.NewAmount(units))
		if got := string(rule.Finality) + " " + rule.Trust; got != want {
			t.Errorf("%d units: %s, want %s", units, got, want)
		}
	}
	v, err := chain.Verify(t.Context(), theClaim())
	if err != nil || v.Code != settlement.Verified || v.Evidence.Finality != "depth 15" || v.Evidence.Trust != "single" || v.Evidence.Head != 105 {
		t.Errorf("got %+v %+v (%v)", v, v.Evidence, err)
	}
	heads, err := chain.Heads(t.Context())
	if err != nil || heads.Latest != 120 || heads.Final != 110 {
		t.Fatalf("heads %+v (%v)", heads, err)
	}
	if head := heads.Rules["depth 15"]; len(heads.Rules) != 3 || head.Final != 105 || head.Latest != 120 || heads.Rules["finalized"] != heads.Head {
		t.Errorf("rules %+v", heads.Rules)
	}
	_, err = New(Config{
		Chain: testChain, Tokens: []settlement.Token{usdToken()}, Finality: Finality{Depth: 1}, Endpoints: []Endpoint{{Name: "a", URL: "http://x"}},
		Trust: Trust{Operators: 2, Proof: true},
		Tiers: []Tier{{Token: euro, Finality: Finality{Depth: 1}}, {Token: usd, UpTo: settlement.NewAmount(1), Trust: Trust{Operators: 3}}},
	})
	for _, part := range []string{"go-ethereum cannot hash", "1 operator(s)", "not listed", "ends at 0", "tier 1: finality is required", "tier 1: trust quorum:3"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
}

func TestParseRules(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"single", "quorum:2", "proof:3"} {
		if trust, err := ParseTrust(text); err != nil || trust.String() != text {
			t.Errorf("%s: %s (%v)", text, trust, err)
		}
	}
	for _, text := range []string{"", "quorum", "quorum:1", "quorum:x", "proof:0", "single:2", "quorum:300"} {
		if trust, err := ParseTrust(text); err == nil {
			t.Errorf("%q is read as %s", text, trust)
		}
	}
	for text, want := range map[string]Finality{"finalized": {Tag: "finalized"}, "depth:12": {Depth: 12}} {
		if got, err := ParseFinality(text); err != nil || got != want {
			t.Errorf("%s: %+v (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "depth:0", "depth:x", "pending", "depth"} {
		if got, err := ParseFinality(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
}
