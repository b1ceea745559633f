package solana

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/settlement"
)

// clusterNode is an endpoint of the main cluster that has one made payment.
type clusterNode struct {
	*chaintest.Proxy
	answers map[string]chaintest.Answer // method → what it answers instead
	// at is what getTransaction answers by the commitment that was asked for; nil: the payment at each.
	at map[string]json.RawMessage
}

// payment is a made payment of 2.00, in slot 400.
type payment struct {
	x      expectation
	txid   settlement.TxID
	result json.RawMessage
	second sdk.Signature // of a co-signer
}

func newPayment(t testing.TB) *payment {
	t.Helper()
	p := newParty(t, sdk.TokenProgramID)
	m := p.make(t, 2*million, []sdk.Instruction{p.checked(2*million, signer(p.carol.PublicKey()))})
	return &payment{
		x: p.claims(2 * million), txid: settlement.TxID(m.tx.Signatures[0][:]), result: m.result(t), second: m.tx.Signatures[1],
	}
}

func (p *payment) claim(t testing.TB) settlement.Claim {
	t.Helper()
	return recording{Chain: Mainnet, Signature: FormatTxID(p.txid)}.claim(t, p.x)
}

func (p *payment) chain(t testing.TB, nodes ...*clusterNode) *Chain {
	t.Helper()
	urls := make([]string, len(nodes))
	for i, n := range nodes {
		urls[i] = n.URL()
	}
	return newChain(t, Mainnet, p.x.token(t, Mainnet), urls...)
}

func (p *payment) expect(t *testing.T, code settlement.Code, nodes ...*clusterNode) settlement.Verdict {
	t.Helper()
	v, err := p.chain(t, nodes...).Verify(t.Context(), p.claim(t))
	if outcome(v, err) != code {
		t.Errorf("got %s (%v), want %s", v.Code, err, code)
	}
	return v
}

func result(text string) chaintest.Answer { return chaintest.Answer{Result: json.RawMessage(text)} }

func refusal(code int, message string) chaintest.Answer {
	return chaintest.Answer{Error: &chaintest.RPCError{Code: code, Message: message}}
}

func status(level string) chaintest.Answer {
	return result(`{"context":{"slot":500},"value":[{"slot":400,"confirmations":null,"err":null,"status":{"Ok":null},"confirmationStatus":"` + level + `"}]}`)
}

// node starts an endpoint that has the payment.
func (p *payment) node(t testing.TB, answers map[string]chaintest.Answer) *clusterNode {
	t.Helper()
	n := &clusterNode{Proxy: chaintest.NewProxy(t, "http://127.0.0.1:1"), answers: answers}
	n.Intercept(func(c chaintest.Call) chaintest.Answer {
		if a, ok := n.answers[c.Method]; ok {
			return a
		}
		switch c.Method {
		case "getGenesisHash":
			return result(`"` + mainnetGenesis + `"`)
		case "getSlot":
			return result("500")
		case "getBlockTime":
			return result("1800000000")
		case "getSignatureStatuses":
			return status("finalized")
		case "getTransaction":
			var asked []json.RawMessage
			var options struct {
				Encoding, Commitment           string
				MaxSupportedTransactionVersion int
			}
			if json.Unmarshal(c.Params, &asked) != nil || json.Unmarshal(asked[1], &options) != nil ||
				options.Encoding != "json" || options.MaxSupportedTransactionVersion != 1 {
				return refusal(-32602, "the test's node answers the encoding json and version 1 only")
			}
			switch {
			case string(asked[0]) != `"`+FormatTxID(p.txid)+`"`:
				return chaintest.Hide
			case n.at != nil:
				return chaintest.Answer{Result: n.at[options.Commitment]}
			}
			return chaintest.Answer{Result: p.result}
		}
		return refusal(-32601, "Method not found")
	})
	return n
}

// with are answers by method.
func with(method string, a chaintest.Answer) map[string]chaintest.Answer {
	return map[string]chaintest.Answer{method: a}
}

func TestVerified(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	n := p.node(t, nil)
	chain := p.chain(t, n)
	for range 10 {
		v, err := chain.Verify(t.Context(), p.claim(t))
		if outcome(v, err) != settlement.Verified || v.Transfer.Position != "ix/0" || v.Transfer.Index != -1 {
			t.Fatalf("got %s (%v)", v.Code, err)
		}
		e := v.Evidence
		if e.Block != 400 || e.Head != 500 || e.Finality != "finalized" || e.BlockTime != time.Unix(1_800_000_000, 0).UTC() || e.Chain != Mainnet ||
			e.TxID != FormatTxID(p.txid) || e.Destination != ata(sdk.MustPublicKeyFromBase58(p.x.Payee), sdk.TokenProgramID, sdk.MustPublicKeyFromBase58(p.x.Token)).String() ||
			e.Source == "" || e.Authority != p.x.Payer || e.TxSender != p.x.Payer || len(e.Digests) != 2 {
			t.Errorf("evidence %+v", e)
		}
	}
	if n.Calls("getGenesisHash") != 1 || n.Calls("getTransaction") != 10 || n.Calls("getSlot") != 10 {
		t.Errorf("%d, %d and %d calls for ten looks", n.Calls("getGenesisHash"), n.Calls("getTransaction"), n.Calls("getSlot"))
	}
}

// C-09 to C-12: the window is about the block's time.
func TestWindow(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	chain, at := p.chain(t, p.node(t, nil)), time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		from, until time.Time
		block       uint64
		code        settlement.Code
	}{
		{at, at, 399, settlement.Verified},
		{at.Add(time.Second), time.Time{}, 0, settlement.PaymentStale},
		{time.Time{}, at.Add(-time.Second), 0, settlement.PaymentLate},
		{time.Time{}, time.Time{}, 400, settlement.PaymentStale},
	} {
		claim := p.claim(t)
		claim.NotBefore, claim.NotAfter, claim.NotBeforeBlock = c.from, c.until, c.block
		if v, err := chain.Verify(t.Context(), claim); outcome(v, err) != c.code {
			t.Errorf("%+v: got %s (%v)", c, v.Code, err)
		}
	}
}

// S-48, S-49: what is no signature is told what it is instead.
func TestNoSignature(t *testing.T) {
	t.Parallel()
	good := FormatTxID(settlement.TxID(strings.Repeat("\xab", 64)))
	for text, says := range map[string]string{
		"": "empty", "0x" + strings.Repeat("ab", 32): "hex", mainnetGenesis: "32 bytes, an account", good[:80] + "0" + good[81:]: "0, O, I and l",
		good + " ": "blanks", " " + good: "blanks", good + "1": "65 bytes", strings.Repeat("z", 5000): "too long", "https://example.com/": "names no transaction",
		"https://solscan.io/account/" + mainnetGenesis: "names no transaction", "1" + good: "65 bytes", good[:60]: "bytes in base58",
	} {
		if _, err := ParseTxID(text); err == nil || !strings.Contains(err.Error(), says) || len(err.Error()) > 400 {
			t.Errorf("%.90q: %v, want %q", text, err, says)
		}
	}
	for _, text := range []string{
		good, "https://explorer.solana.com/tx/" + good + "?cluster=devnet", "https://solscan.io/tx/" + good, "https://solana.fm/tx/" + good + "/",
	} {
		if id, err := ParseTxID(text); err != nil || FormatTxID(id) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ParseAddress(good); err == nil || !strings.Contains(err.Error(), "64 bytes, a signature") {
		t.Errorf("a signature as an address: %v", err)
	}
}

// A claim that no transaction can satisfy is refused before anybody is asked.
func TestClaimsThatCannotBe(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	n := p.node(t, nil)
	chain := p.chain(t, n)
	for name, c := range map[string]struct {
		change func(*settlement.Claim)
		code   settlement.Code
	}{
		"nothing":            {func(c *settlement.Claim) { c.Want.Amount = settlement.Amount{} }, settlement.IntentInvalid},
		"more than 64 bits":  {func(c *settlement.Claim) { c.Want.Amount = maxAmount.Add(settlement.NewAmount(1)) }, settlement.IntentInvalid},
		"to oneself (S-35)":  {func(c *settlement.Claim) { c.Payers = append(c.Payers, c.Want.Payee) }, settlement.IntentInvalid},
		"EVM payee":          {func(c *settlement.Claim) { c.Want.Payee = c.Want.Payee[:20] }, settlement.IntentInvalid},
		"EVM payer":          {func(c *settlement.Claim) { c.Payers[0] = c.Payers[0][:20] }, settlement.IntentInvalid},
		"short reference":    {func(c *settlement.Claim) { c.Reference = "r" }, settlement.IntentInvalid},
		"system program":     {func(c *settlement.Claim) { c.Want.Payee = addressOf(sdk.SystemProgramID) }, settlement.IntentInvalid},
		"account as id":      {func(c *settlement.Claim) { c.TxID = c.TxID[:32] }, settlement.ProofMalformed},
		"another cluster":    {func(c *settlement.Claim) { c.Chain = ChainOf(devnetGenesis) }, settlement.ChainUnsupported},
		"a mint not listed":  {func(c *settlement.Claim) { c.Want.Token = addressOf(newKey(t).PublicKey()) }, settlement.TokenUnsupported},
		"the payee's a mint": {func(c *settlement.Claim) { c.Want.Payee = c.Want.Token }, settlement.IntentInvalid},
	} {
		claim := p.claim(t)
		c.change(&claim)
		if v, err := chain.Verify(t.Context(), claim); outcome(v, err) != c.code {
			t.Errorf("%s: got %s (%v), want %s", name, v.Code, err, c.code)
		}
	}
	if n.Calls("getGenesisHash") != 0 {
		t.Error("the endpoint was asked")
	}
}

// S-48: a node does not know a transaction by a co-signer's signature, and one that answers with it all the same lies.
func TestCoSignersSignature(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	claim := p.claim(t)
	claim.TxID = settlement.TxID(p.second[:])
	n := p.node(t, with("getSignatureStatuses", result(`{"context":{},"value":[null]}`)))
	if v, err := p.chain(t, n).Verify(t.Context(), claim); outcome(v, err) != settlement.TxNotFound {
		t.Errorf("got %s (%v)", v.Code, err)
	}
	liar := p.node(t, with("getTransaction", chaintest.Answer{Result: p.result}))
	if v, err := p.chain(t, liar).Verify(t.Context(), claim); outcome(v, err) != settlement.RPCInconsistent {
		t.Errorf("got %s (%v)", v.Code, err)
	}
}

// S-47: an endpoint of another cluster is taken out, and the right one is asked.
func TestWrongCluster(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	wrong := p.node(t, with("getGenesisHash", result(`"`+devnetGenesis+`"`)))
	p.expect(t, settlement.RPCMisconfigured, wrong)
	if wrong.Calls("getTransaction") != 0 {
		t.Error("it was asked for the transaction")
	}
	p.expect(t, settlement.Verified, wrong, p.node(t, nil))
	for _, answer := range []string{`null`, `7`, `"short"`, `""`} {
		p.expect(t, settlement.RPCUnavailable, p.node(t, with("getGenesisHash", result(answer))))
	}
}

// While one look is under way, another meets a dropped connection, and behind the URL comes up a node that has the same
// transaction: what the first look then hears counts only if that node serves the same cluster.
func TestClusterIsProvenAgainByLooksUnderWay(t *testing.T) {
	t.Parallel()
	for genesis, want := range map[string]settlement.Code{devnetGenesis: settlement.RPCMisconfigured, mainnetGenesis: settlement.Verified} {
		t.Run(string(want), func(t *testing.T) {
			t.Parallel()
			p := newPayment(t)
			n := chaintest.NewProxy(t, p.node(t, nil).URL())
			chain := newChain(t, Mainnet, p.x.token(t, Mainnet), n.URL())
			if _, err := chain.Heads(t.Context()); err != nil {
				t.Fatal(err)
			}
			var dropped, changed atomic.Bool
			n.Handle(func(method string) chaintest.Answer {
				switch {
				case method == "getTransaction" && dropped.CompareAndSwap(false, true):
					if _, err := chain.Heads(t.Context()); settlement.LookCode(err) != settlement.RPCUnavailable {
						t.Errorf("got %v where the connection drops, want RPC_UNAVAILABLE", err)
					}
					changed.Store(true)
				case changed.Load() && method == "getGenesisHash":
					return result(`"` + genesis + `"`)
				case dropped.Load() && !changed.Load():
					return chaintest.Answer{}
				}
				return chaintest.Pass
			})
			v, err := chain.Verify(t.Context(), p.claim(t))
			if outcome(v, err) != want {
				t.Errorf("got %s (%v), want %s", v.Code, err, want)
			}
		})
	}
}

// S-03, S-04: not there yet, not final yet, or gone from this node.
func TestNotYet(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	unknown := result(`{"context":{},"value":[null]}`)
	hidden := func(state chaintest.Answer, answers ...chaintest.Answer) *clusterNode {
		return p.node(t, map[string]chaintest.Answer{"getTransaction": append(answers, chaintest.Hide)[0], "getSignatureStatuses": state})
	}
	t.Run("unknown to one of two", func(t *testing.T) { p.expect(t, settlement.Verified, hidden(unknown), p.node(t, nil)) })
	t.Run("unknown to both", func(t *testing.T) { p.expect(t, settlement.TxNotFound, hidden(unknown), hidden(unknown)) })
	t.Run("unknown to the only one", func(t *testing.T) { p.expect(t, settlement.TxNotFound, hidden(unknown)) })
	t.Run("one does not know and one cannot say", func(t *testing.T) {
		p.expect(t, settlement.RPCUnavailable, hidden(unknown), p.node(t, with("getTransaction", refusal(-32005, "Node is unhealthy"))))
	})
	t.Run("processed", func(t *testing.T) {
		if v := p.expect(t, settlement.TxUnconfirmed, hidden(status("processed"))); v.Transfer != nil {
			t.Error("a transaction that may vanish names a transfer")
		}
	})
	t.Run("confirmed", func(t *testing.T) {
		n := p.node(t, with("getSignatureStatuses", status("confirmed")))
		n.at = map[string]json.RawMessage{"finalized": json.RawMessage("null"), "confirmed": p.result}
		v := p.expect(t, settlement.TxUnconfirmed, n)
		if v.Transfer == nil || v.Transfer.Position != "ix/0" || v.Evidence == nil {
			t.Errorf("the transfer that will pay is not told: %+v", v)
		}
		failed := json.RawMessage(strings.Replace(string(p.result), `"err":null`, `"err":"AccountInUse"`, 1))
		n.at["confirmed"] = failed
		if v := p.expect(t, settlement.TxUnconfirmed, n); v.Transfer != nil {
			t.Error("a failed transaction names a transfer")
		}
	})
	t.Run("confirmed is enough by policy", func(t *testing.T) {
		n := p.node(t, nil)
		n.at = map[string]json.RawMessage{"finalized": json.RawMessage("null"), "confirmed": p.result}
		chain, err := New(Config{
			Chain: Mainnet, Tokens: []Token{p.x.token(t, Mainnet)}, Finality: Confirmed, Endpoints: []Endpoint{{Name: "a", URL: n.URL()}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if v, err := chain.Verify(t.Context(), p.claim(t)); outcome(v, err) != settlement.Verified || v.Evidence.Finality != "confirmed" {
			t.Errorf("got %s (%v)", v.Code, err)
		}
	})
}

// History pruned: the node knows that the transaction is final and has no body for it. Another one has.
func TestHistoryPruned(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	pruned := p.node(t, with("getTransaction", chaintest.Hide))
	p.expect(t, settlement.RPCHistoryUnavailable, pruned)
	p.expect(t, settlement.Verified, pruned, p.node(t, nil))
	pruned.answers = with("getTransaction", refusal(-32001, "Block 400 cleaned up, does not exist on node. First available block: 450"))
	p.expect(t, settlement.RPCHistoryUnavailable, pruned)
}

// A node behind has the transaction before it has its slot, or knows nothing yet.
func TestNodeBehind(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	p.expect(t, settlement.RPCInconsistent, p.node(t, with("getSlot", result("399"))))
	n := p.node(t, nil)
	chain := p.chain(t, n)
	if v, err := chain.Verify(t.Context(), p.claim(t)); outcome(v, err) != settlement.Verified {
		t.Fatalf("got %s (%v)", v.Code, err)
	}
	n.answers = with("getSlot", result("10000"))
	chain.Verify(t.Context(), p.claim(t)) //nolint:errcheck // the head is what counts
	n.answers = with("getSlot", result("9900"))
	if v, err := chain.Verify(t.Context(), p.claim(t)); outcome(v, err) != settlement.Verified {
		t.Errorf("100 slots back, as behind a balancer: %s (%v)", v.Code, err)
	}
	n.answers = with("getSlot", result("9000"))
	if v, err := chain.Verify(t.Context(), p.claim(t)); outcome(v, err) != settlement.RPCInconsistent {
		t.Errorf("1,000 slots back: %s (%v)", v.Code, err)
	}
}

// S-05 and the table of error dresses: none is about the payment.
func TestErrors(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	for _, c := range []struct {
		a    chaintest.Answer
		code settlement.Code
	}{
		{refusal(-32001, "Block 400 cleaned up"), settlement.RPCHistoryUnavailable},
		{refusal(-32004, "Block not available for slot 400"), settlement.RPCUnavailable},
		{refusal(-32005, "Node is behind by 42 slots"), settlement.RPCUnavailable},
		{refusal(-32007, "Slot 400 was skipped, or missing due to ledger jump to recent snapshot"), settlement.RPCUnavailable},
		{refusal(-32009, "Slot 400 was skipped, or missing in long-term storage"), settlement.RPCHistoryUnavailable},
		{refusal(-32011, "Transaction history is not available from this node"), settlement.RPCHistoryUnavailable},
		{refusal(-32014, "Block status not yet available for slot 400"), settlement.RPCUnavailable},
		{refusal(-32015, "Transaction version (2) is not supported by the requesting client"), settlement.RPCDecodeFailed},
		{refusal(-32016, "Minimum context slot has not been reached"), settlement.RPCUnavailable},
		{refusal(-32601, "Method not found"), settlement.RPCMisconfigured},
		{refusal(-32602, "Invalid params"), settlement.RPCUnavailable},
		{refusal(-32603, "Internal error"), settlement.RPCUnavailable},
		{refusal(429, "Too many requests for a specific RPC call"), settlement.RPCRateLimited},
		{refusal(-32000, "you have exceeded the rate limit"), settlement.RPCRateLimited},
		{chaintest.Answer{Status: http.StatusTooManyRequests, Body: "slow down"}, settlement.RPCRateLimited},
		{chaintest.Answer{Status: http.StatusTooManyRequests, Body: `{"jsonrpc":"2.0","error":{"code":429,"message":"Too many requests"},"id":1}`}, settlement.RPCRateLimited},
		{chaintest.Answer{Status: http.StatusBadGateway, Body: "<html>"}, settlement.RPCUnavailable},
		{chaintest.Answer{Status: http.StatusForbidden, Body: "no"}, settlement.RPCUnavailable},
		{chaintest.Answer{Body: "<html>captive portal</html>"}, settlement.RPCUnavailable},
		{chaintest.Answer{Body: `{"jsonrpc":"2.0","result":{"slot":`}, settlement.RPCUnavailable},
		{chaintest.Answer{Body: `{"jsonrpc":"2.0","id":999999,"result":null}`}, settlement.RPCInconsistent},
		{chaintest.Answer{Body: `{"jsonrpc":"2.0","id":2,"result":{},"error":{"code":1,"message":"x"}}`}, settlement.RPCInconsistent},
		{chaintest.Answer{Body: `{"jsonrpc":"2.0","id":2,"id":2,"result":null}`}, settlement.RPCInconsistent},
		{chaintest.Answer{Body: `{"jsonrpc":"2.0","id":2}`}, settlement.RPCInconsistent},
		{chaintest.Answer{Body: `[{"jsonrpc":"2.0","id":2,"result":null}]`}, settlement.RPCInconsistent},
		{chaintest.Answer{Body: `{"status":"0","result":"Max rate limit reached"}`}, settlement.RPCUnavailable},
		{result(`[]`), settlement.RPCUnavailable},
		{result(`"text"`), settlement.RPCUnavailable},
		{result(`{}`), settlement.RPCDecodeFailed},
		{chaintest.Answer{}, settlement.RPCUnavailable}, // the connection closes without a word
	} {
		n := p.node(t, with("getTransaction", c.a))
		v, err := p.chain(t, n).Verify(t.Context(), p.claim(t))
		if outcome(v, err) != c.code || err == nil {
			t.Errorf("%+v: got %s (%v), want %s", c.a, v.Code, err, c.code)
		}
		p.expect(t, settlement.Verified, n, p.node(t, nil))
	}
}

// Rate limits: who asks to be left alone is left alone, and the other endpoint answers meanwhile.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(server.Close)
	chain := newChain(t, Mainnet, p.x.token(t, Mainnet), server.URL)
	for range 3 {
		_, err := chain.Verify(t.Context(), p.claim(t))
		look, ok := errors.AsType[*settlement.LookError](err)
		if !ok || look.Code != settlement.RPCRateLimited || look.RetryAfter <= 25*time.Second || look.RetryAfter > 30*time.Second {
			t.Errorf("got %v", err)
		}
	}
	if asked != 1 {
		t.Errorf("it was asked %d times", asked)
	}
	if v, err := newChain(t, Mainnet, p.x.token(t, Mainnet), server.URL, p.node(t, nil).URL()).Verify(t.Context(), p.claim(t)); outcome(v, err) != settlement.Verified {
		t.Errorf("got %s (%v)", v.Code, err)
	}
}

// S-41: an answer without a time is completed, or not believed.
func TestBlockTimeNull(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	timeless := json.RawMessage(strings.Replace(string(p.result), `"blockTime":1800000000`, `"blockTime":null`, 1))
	answers := with("getTransaction", chaintest.Answer{Result: timeless})
	if v := p.expect(t, settlement.Verified, p.node(t, answers)); v.Evidence.BlockTime.Unix() != 1_800_000_000 {
		t.Errorf("time %s", v.Evidence.BlockTime)
	}
	answers["getBlockTime"] = result("null")
	p.expect(t, settlement.RPCInconsistent, p.node(t, answers))
}

// nothing that leaves the package holds the key in the URL or in a header.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const secret = "sk-0123456789"
	p := newPayment(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no key %s %s"}}`, r.URL, r.Header.Get("Authorization"))
	}))
	for _, url := range []string{server.URL + "/" + secret, "http://127.0.0.1:1/?api-key=" + secret, "http://user:" + secret + "@127.0.0.1:1/"} {
		e := Endpoint{Name: "a", URL: url, Header: http.Header{"Authorization": {"Bearer " + secret}}}
		chain, err := New(Config{Chain: Mainnet, Tokens: []Token{p.x.token(t, Mainnet)}, Endpoints: []Endpoint{e}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = chain.Verify(t.Context(), p.claim(t))
		shown, _ := json.Marshal(e)
		if text := fmt.Sprintf("%v %v %+v %#v %s %s", err, e, e, e, shown, e.LogValue()); err == nil || strings.Contains(text, secret) {
			t.Errorf("%s", text)
		}
	}
	server.Close()
}

// An endpoint that does not answer costs its share of the look's time, not all of it.
func TestSlowEndpoint(t *testing.T) {
	t.Parallel()
	p := newPayment(t)
	slow := p.node(t, with("getTransaction", chaintest.Answer{Delay: time.Minute}))
	chain, err := New(Config{
		Chain: Mainnet, Tokens: []Token{p.x.token(t, Mainnet)}, LookTimeout: 2 * time.Second,
		Endpoints: []Endpoint{{Name: "slow", URL: slow.URL()}, {Name: "good", URL: p.node(t, nil).URL()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := chain.Verify(t.Context(), p.claim(t)); outcome(v, err) != settlement.Verified || v.Evidence.Endpoints[0] != "good" {
		t.Errorf("got %s (%v)", v.Code, err)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	mint := addressOf(newKey(t).PublicKey())
	const alias = "solana:mainnet"
	token := Token{Token: settlement.Token{Chain: alias, Address: mint, Symbol: "USD", Decimals: 200}, Program: "other"}
	_, err := New(Config{
		Chain: alias, Finality: "processed", Tokens: []Token{token, {Token: settlement.Token{Chain: alias, Address: mint[:20], Symbol: "SHORT"}}},
		Endpoints: []Endpoint{{Name: "a", URL: "ftp://secret"}, {Name: "a", URL: "http://h"}, {URL: "http://h"}},
	})
	for _, says := range []string{
		`"solana:mainnet" is called solana:5eykt`, "finality", "neither Token nor Token-2022", "20 bytes, not 32", "used twice", "no name", `"a": the URL is not`,
	} {
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v does not say %q", err, says)
		}
	}
	if _, err := New(Config{Chain: Mainnet}); err == nil || !strings.Contains(err.Error(), "no token") || !strings.Contains(err.Error(), "no endpoint") {
		t.Errorf("got %v", err)
	}
}

func TestParseChain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]settlement.ChainID{
		"solana": Mainnet, "solana:mainnet": Mainnet, "solana:mainnet-beta": Mainnet, string(Mainnet): Mainnet,
		"solana:devnet": "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "solana:testnet": "solana:4uhcVJyU9pJkvQyS88uRDiswHXSCkY3z",
	} {
		if got, err := ParseChain(text); err != nil || got != want {
			t.Errorf("%q is %q (%v)", text, got, err)
		}
	}
	for _, text := range []string{"", "solana:", "eip155:1", "solana:" + mainnetGenesis, "solana:0eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "Solana"} {
		if got, err := ParseChain(text); err == nil {
			t.Errorf("%q is %q", text, got)
		}
	}
}
