package evm

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/settlement"
)

// clock is a clock that tests move.
type clock struct{ seconds atomic.Int64 }

func (c *clock) now() time.Time        { return time.Unix(1_700_001_000+c.seconds.Load(), 0) }
func (c *clock) pass(d time.Duration)  { c.seconds.Add(int64(d / time.Second)) }
func (c *clock) configure(cfg *Config) { cfg.Now = c.now }
func nullScene() *scene {
	s := newScene()
	s.null = []string{"eth_getTransactionReceipt", "eth_getTransactionByHash"}
	return s
}

func brokenScene(status int, header ...string) *scene {
	s := newScene()
	s.answer = func(w http.ResponseWriter, _ question) bool {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		return true
	}
	return s
}

func TestTwoEndpoints(t *testing.T) {
	t.Parallel()
	with := func(change func(*scene)) func() *scene {
		return func() *scene {
			s := newScene()
			change(s)
			return s
		}
	}
	pending := with(func(s *scene) { s.null, s.tx["blockHash"] = []string{"eth_getTransactionReceipt"}, nil })
	wrongChain := with(func(s *scene) { s.chainID = "0x1" })
	lagging := with(func(s *scene) { s.null = []string{"eth_getTransactionReceipt"} })
	young := with(func(s *scene) { s.finalized = 90 })
	broken := func(status int) func() *scene { return func() *scene { return brokenScene(status) } }
	tests := []struct {
		name          string
		first, second func() *scene
		want          settlement.Code
	}{
		{"null and null", nullScene, nullScene, settlement.TxNotFound},
		{"null and present", nullScene, newScene, settlement.Verified},
		{"null and pending", nullScene, pending, settlement.TxPending},
		{"pending and present", pending, newScene, settlement.Verified},
		{"null and could not look", nullScene, broken(500), settlement.RPCUnavailable},
		{"null and the wrong chain", nullScene, wrongChain, settlement.RPCMisconfigured},
		{"null and young", nullScene, young, settlement.TxUnconfirmed},
		{"429 and present", broken(429), newScene, settlement.Verified},
		{"wrong chain and right chain", wrongChain, newScene, settlement.Verified},
		{"lagging index and present", lagging, newScene, settlement.Verified},
		{"down and null", broken(503), nullScene, settlement.RPCUnavailable},
		{"both down", broken(429), broken(500), settlement.RPCRateLimited},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			chain := startChain(t, nil, startNode(t, test.first()), startNode(t, test.second()))
			v, err := chain.Verify(t.Context(), theClaim())
			if got := outcome(v, err); got != test.want {
				t.Errorf("got %s (%v), want %s", got, err, test.want)
			}
		})
	}
}

func TestSlowEndpointLeavesTimeForTheNext(t *testing.T) {
	t.Parallel()
	quit := make(chan struct{})
	slow := newScene()
	slow.answer = func(http.ResponseWriter, question) bool { <-quit; return true }
	first := startNode(t, slow)
	t.Cleanup(func() { close(quit) })
	chain := startChain(t, func(c *Config) { c.LookTimeout = 10 * time.Second }, first, startNode(t, newScene()))
	v, err := chain.Verify(t.Context(), theClaim())
	if got := outcome(v, err); got != settlement.Verified {
		t.Errorf("got %s (%v), want VERIFIED from the second endpoint", got, err)
	}
}

func TestFailedEndpointIsAskedLast(t *testing.T) {
	t.Parallel()
	var c clock
	first, second := startNode(t, brokenScene(500)), startNode(t, newScene())
	chain := startChain(t, c.configure, first, second)
	verify := func(want string) {
		t.Helper()
		v, err := chain.Verify(t.Context(), theClaim())
		if err != nil || v.Evidence == nil || v.Evidence.Endpoints[0] != want {
			t.Fatalf("got %+v (%v), want an answer of endpoint %s", v.Evidence, err, want)
		}
	}
	verify("b")
	first.change(func(s *scene) { s.answer = nil })
	verify("b") // a failed a moment ago
	c.pass(failureLasts)
	verify("a")
}

func TestThrottledEndpointIsLeftAlone(t *testing.T) {
	t.Parallel()
	var c clock
	n := startNode(t, brokenScene(429, "Retry-After", "20"))
	chain := startChain(t, c.configure, n)
	if _, err := chain.Head(t.Context()); settlement.LookCode(err) != settlement.RPCRateLimited {
		t.Fatalf("got %v, want RPC_RATE_LIMITED", err)
	}
	n.change(func(s *scene) { s.answer = nil })
	n.asked()
	c.pass(15 * time.Second)
	_, err := chain.Head(t.Context())
	look, ok := err.(*settlement.LookError) //nolint:errorlint // the type itself is promised
	if !ok || look.Code != settlement.RPCRateLimited || look.RetryAfter != 5*time.Second {
		t.Fatalf("got %v, want RPC_RATE_LIMITED for 5 s", err)
	}
	if asked := n.asked(); len(asked) > 0 {
		t.Errorf("asked %v before the time was over", asked)
	}
	c.pass(5 * time.Second)
	if _, err := chain.Head(t.Context()); err != nil {
		t.Errorf("got %v after the time was over", err)
	}
}

// A node that builds its index of transactions still gives out blocks.
func TestIndexingNodeIsStillScanned(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.answer = answerRaw("eth_getTransactionReceipt", http.StatusOK,
		`{"jsonrpc":"2.0","id":ID,"error":{"code":-32000,"message":"transaction indexing is in progress"}}`)
	chain := startChain(t, nil, startNode(t, s))
	if _, err := chain.Verify(t.Context(), theClaim()); settlement.LookCode(err) != settlement.RPCHistoryUnavailable {
		t.Fatalf("got %v, want RPC_HISTORY_UNAVAILABLE", err)
	}
	if scan, err := chain.Scan(t.Context(), 100); err != nil || len(scan.Transactions) != 1 {
		t.Errorf("got %+v (%v), want the payment", scan, err)
	}
}

// Many looks at once share the endpoint and what it said about its chain.
func TestManyLooksAtOnce(t *testing.T) {
	t.Parallel()
	n := startNode(t, newScene())
	chain := startChain(t, nil, n)
	var running sync.WaitGroup
	for range 50 {
		running.Go(func() {
			if v, err := chain.Verify(t.Context(), theClaim()); outcome(v, err) != settlement.Verified {
				t.Errorf("got %s (%v), want VERIFIED", outcome(v, err), err)
			}
			n.change(func(s *scene) { s.finalized++; s.latest++ })
		})
	}
	running.Wait()
}

func TestChainIDIsProvenAgain(t *testing.T) {
	t.Parallel()
	var c clock
	n := startNode(t, newScene())
	chain := startChain(t, c.configure, n)
	head := func() settlement.Code {
		_, err := chain.Head(t.Context())
		if err != nil {
			return settlement.LookCode(err)
		}
		return ""
	}
	if got := head(); got != "" {
		t.Fatalf("got %s", got)
	}
	n.change(func(s *scene) { s.chainID = "0x1" })
	if got := head(); got != "" {
		t.Fatalf("got %s within the hour, without a failure", got)
	}
	c.pass(time.Hour)
	if got := head(); got != settlement.RPCMisconfigured {
		t.Fatalf("got %q after an hour, want RPC_MISCONFIGURED", got)
	}
	n.change(func(s *scene) { s.chainID = "0x2105" })
	if got := head(); got != "" {
		t.Fatalf("got %s", got)
	}
	n.change(func(s *scene) { s.chainID, s.answer = "0x1", answerRaw("eth_getBlockByNumber", 502, "") })
	if got := head(); got != settlement.RPCUnavailable {
		t.Fatalf("got %q, want RPC_UNAVAILABLE", got)
	}
	n.change(func(s *scene) { s.answer = nil })
	if got := head(); got != settlement.RPCMisconfigured {
		t.Fatalf("got %q after a failure, want RPC_MISCONFIGURED", got)
	}
}

// While one look is under way, another meets a dropped connection, and behind the URL comes up a node that has the same blocks:
// what the first look then hears counts only if that node serves the same chain.
func TestChainIDIsProvenAgainByLooksUnderWay(t *testing.T) {
	t.Parallel()
	for chainID, want := range map[string]settlement.Code{"0x1": settlement.RPCMisconfigured, "0x2105": settlement.Verified} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			n := startNode(t, newScene())
			proxy := chaintest.NewProxy(t, n.URL)
			chain := startChain(t, func(cfg *Config) { cfg.Endpoints[0].URL = proxy.URL() }, n)
			if _, err := chain.Head(t.Context()); err != nil {
				t.Fatal(err)
			}
			var dropped atomic.Bool
			proxy.Handle(func(method string) chaintest.Answer {
				switch {
				case method == "eth_getTransactionReceipt" && dropped.CompareAndSwap(false, true):
					if _, err := chain.Head(t.Context()); settlement.LookCode(err) != settlement.RPCUnavailable {
						t.Errorf("got %v where the connection drops, want RPC_UNAVAILABLE", err)
					}
					n.change(func(s *scene) { s.chainID = chainID })
					proxy.Handle(nil)
				case dropped.Load():
					return chaintest.Answer{}
				}
				return chaintest.Pass
			})
			v, err := chain.Verify(t.Context(), theClaim())
			if got := outcome(v, err); got != want {
				t.Errorf("got %s (%v), want %s", got, err, want)
			}
		})
	}
}

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Config{
		Chain:     "base",
		Endpoints: []Endpoint{{Name: "", URL: "http://x"}, {Name: "a", URL: "ftp://user:hunter22@host/key-key-key"}, {Name: "a", URL: "http://x"}},
		Tokens:    []settlement.Token{{Chain: "eip155:1", Symbol: "USD"}, {Chain: "base", Address: "short", Symbol: "EUR"}},
		Finality:  Finality{Depth: 3, Tag: "finalized"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range []string{"eip155:N", "not both", "USD is of chain", "5 bytes", "no name", "used twice", `"a": the URL`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "hunter22") || strings.Contains(err.Error(), "key-key") {
		t.Errorf("the error tells a URL: %v", err)
	}
	for _, f := range []Finality{{}, {Tag: "pending"}, {Tag: "earliest"}} {
		if f.validate() == nil {
			t.Errorf("finality %+v is accepted", f)
		}
	}
	for _, id := range []settlement.ChainID{"", "eip155:", "eip155:0", "eip155:01", "eip155:x", "eip155:1:2", "solana:1", "eip155:-1"} {
		if validChainID(id) {
			t.Errorf("chain %q is accepted", id)
		}
	}
}

func TestEndpointHidesItsURL(t *testing.T) {
	t.Parallel()
	e := Endpoint{Name: "alchemy", URL: "https://host/v2/secret-key"}
	raw, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "endpoint", e)
	for _, text := range []string{fmt.Sprint(e), fmt.Sprintf("%+v %#v %s %q", e, e, e, []Endpoint{e}), string(raw), log.String()} {
		if strings.Contains(text, "secret") || !strings.Contains(text, "alchemy") {
			t.Errorf("printed %q", text)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*scene)
		want   string // part of the error; empty: none
	}{
		{"all is well", func(*scene) {}, ""},
		{"wrong chain", func(s *scene) { s.chainID = "0x1" }, "serves chain eip155:1, not eip155:8453"},
		{"no contract", func(s *scene) { s.code = "0x" }, "no contract"},
		{"eighteen decimals", func(s *scene) { s.decimals = "0x" + strings.Repeat("0", 62) + "12" }, "18 decimals, the configuration 6"},
		{"no decimals", func(s *scene) { s.decimals = "0x" }, "no decimals()"},
		{"final above latest", func(s *scene) { s.finalized = 121 }, "above the latest"},
		{"no such tag", func(s *scene) { s.answer = answerNull("eth_getBlockByNumber", "finalized") }, "names no finalized block"},
		{"the tag is another block", func(s *scene) {
			s.answer = answerResult("eth_getBlockByNumber", "0x6e", func() fields { h := s.head(110); h["hash"] = payment.String(); return h }())
		}, "is not the block with its number"},
		{"no receipts of blocks", func(s *scene) { s.noReceipts = true }, "eth_getBlockReceipts"},
		{"down", func(s *scene) { s.answer = brokenScene(500).answer }, "HTTP 500"},
		{"what is final is not safe", func(s *scene) { s.answer = answerResult("eth_getBlockByNumber", "safe", s.head(109)) }, "the finalized block 110 is above the safe one, 109"},
		{"the rule of a tier is an alias", func(s *scene) { s.answer = answerResult("eth_getBlockByNumber", "safe", s.head(120)) }, "safe is another name of the latest block"},
		{"no transaction is found by its id", func(s *scene) {
			s.null = []string{"eth_getTransactionReceipt"}
			s.answer = answerResult("eth_getBlockByNumber", "0x75", func() fields { h := s.head(117); h["transactions"] = []any{payment.String()}; return h }())
		}, "has no receipt"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bad := newScene()
			test.change(bad)
			chain := startChain(t, func(c *Config) {
				c.Tokens = append(c.Tokens, nativeToken())
				c.Tiers = []Tier{{UpTo: settlement.NewAmount(5), Finality: Finality{Tag: "safe"}}}
			}, startNode(t, newScene()), startNode(t, bad))
			checks := chain.Check(t.Context())
			if len(checks) != 2 || checks[0].Name != "a" || checks[0].Err != nil || checks[0].Latest != 120 ||
				!checks[0].HeadTime.Equal(paidAt.Add(40*time.Second)) {
				t.Fatalf("the good endpoint: %+v", checks)
			}
			err := fmt.Sprint(checks[1].Err)
			if (test.want == "") != (checks[1].Err == nil) || !strings.Contains(err, test.want) && test.want != "" {
				t.Errorf("got %s, want %q", err, test.want)
			}
		})
	}
}

// Where nobody else can be asked, the receipts must tell what logs leave open.
func TestCheckOfTheOnlyEndpoint(t *testing.T) {
	t.Parallel()
	n := startNode(t, newScene())
	if err := startChain(t, nil, n).Check(t.Context())[0].Err; err != nil {
		t.Errorf("got %v", err)
	}
	n.change(func(s *scene) { s.noReceipts, s.answer = true, answerNull("eth_getBlockByNumber", "safe") }) // not every chain has one
	if err := startChain(t, nil, n).Check(t.Context())[0].Err; err == nil || !strings.Contains(err.Error(), "one endpoint only") {
		t.Errorf("got %v, want a refusal", err)
	}
	if err := startChain(t, nil, n, n).Check(t.Context())[0].Err; err != nil {
		t.Errorf("two endpoints: %v", err)
	}
}
