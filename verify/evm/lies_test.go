package evm

import (
	"encoding/json"
	"errors"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/settlement"
)

// rewrite gives every object of a JSON answer to change, the innermost first.
func rewrite(t *testing.T, raw json.RawMessage, change func(fields)) json.RawMessage {
	t.Helper()
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Errorf("rewrite %s: %v", raw, err)
		return raw
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case fields:
			for _, item := range v {
				walk(item)
			}
			change(v)
		}
	}
	walk(value)
	out, err := json.Marshal(value)
	if err != nil {
		t.Errorf("rewrite: %v", err)
	}
	return out
}

// lie has the proxy rewrite what the node answers, and make the blooms of receipts fit: a liar that contradicts itself is
// found out by anyone. vouch makes the blocks' blooms fit too, which only a scan looks at.
func lie(t *testing.T, p *chaintest.Proxy, vouch bool, change func(fields)) {
	t.Helper()
	p.Intercept(func(c chaintest.Call) chaintest.Answer {
		result, err := c.Forward()
		if err != nil {
			return chaintest.Pass
		}
		return chaintest.Answer{Result: rewrite(t, result, func(o fields) {
			change(o)
			switch logs, isReceipt := o["logs"].([]any); {
			case isReceipt:
				o["logsBloom"] = bloomOf(logs)
			case vouch && o["logsBloom"] != nil:
				o["logsBloom"] = "0x" + strings.Repeat("f", 2*types.BloomByteLength)
			}
		})}
	})
}

// liars is a real node behind three endpoints, of which the first, in front of the proxy, lies.
type liars struct {
	*live
	proxy *chaintest.Proxy
}

func startLiars(t *testing.T) *liars {
	l := startLive(t)
	return &liars{live: l, proxy: chaintest.NewProxy(t, l.node.URL())}
}

func (l *liars) under(trust string, tokens ...settlement.Token) *Chain {
	l.t.Helper()
	rule, err := ParseTrust(trust)
	if err != nil {
		l.t.Fatal(err)
	}
	chain, err := New(Config{
		Chain: liveChain, Tokens: tokens, Finality: Finality{Depth: 2}, Trust: rule, Endpoints: []Endpoint{
			{Name: "liar", URL: l.proxy.URL(), Operator: "mallory"}, {Name: "b", URL: l.node.URL()}, {Name: "c", URL: l.node.URL()},
		},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return chain
}

// Each kind of lie that one endpoint can tell: a single one is believed, as documented; a quorum and a proof are not fooled.
// What they answer instead is the truth, or that they could not look.
func TestLyingEndpoint(t *testing.T) {
	t.Parallel()
	l := startLiars(t)
	token := l.listed().Address
	native := settlement.Token{Chain: liveChain, Symbol: "ETH", Decimals: 18}
	paid := l.pay(5)
	contract := l.token
	rejected, err := l.node.Send(t.Context(), l.key, &contract, big.NewInt(77), nil) // the token takes no coins
	if err != nil {
		t.Fatal(err)
	}
	payee := common.Address([]byte(bob))
	sent, err := l.node.Send(t.Context(), l.key, &payee, big.NewInt(88), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.node.Commit()
	for range 40 { // blocks are a second apart: older heads are noticed
		l.node.Commit()
	}
	young := l.pay(7)
	l.node.Commit()
	invented := common.HexToHash("0x1234567890")
	stranger := account("stranger")

	ofTx := func(tx *types.Transaction, change func(receipt fields, logs []any)) func(*testing.T, *chaintest.Proxy) {
		return func(t *testing.T, p *chaintest.Proxy) {
			lie(t, p, false, func(o fields) {
				if logs, ok := o["logs"].([]any); ok && o["transactionHash"] == tx.Hash().Hex() {
					change(o, logs)
				}
			})
		}
	}
	ofLog := func(name string, value any) func(*testing.T, *chaintest.Proxy) {
		return ofTx(paid, func(_ fields, logs []any) { logs[0].(fields)[name] = value })
	}
	toStranger := l.claim(paid, token, 5)
	toStranger.Want.Payee = stranger
	withCoin := l.claim(rejected, "", 77)
	withCoin.Want.Payee = token
	unknown := l.claim(paid, token, 5)
	unknown.TxID = settlement.TxID(invented[:])

	const inconsistent = settlement.RPCInconsistent
	for _, test := range []struct {
		name                  string
		lie                   func(*testing.T, *chaintest.Proxy)
		claim                 settlement.Claim
		single, quorum, proof settlement.Code
	}{
		{"nothing", func(*testing.T, *chaintest.Proxy) {}, l.claim(paid, token, 5), settlement.Verified, settlement.Verified, settlement.Verified},
		{
			"a forged log", ofLog("topics", []any{transferHash, topicOf(l.payer), topicOf(stranger)}),
			toStranger, settlement.Verified, inconsistent, settlement.PayeeMismatch,
		},
		{
			"another amount", ofLog("data", hexutil.Encode(common.LeftPadBytes([]byte{6}, 32))),
			l.claim(paid, token, 6), settlement.Verified, inconsistent, settlement.AmountMismatch,
		},
		{"a log with another number", ofLog("logIndex", "0x9"), l.claim(paid, token, 5), settlement.Verified, inconsistent, settlement.Verified},
		{
			"a forged status", ofTx(rejected, func(receipt fields, _ []any) { receipt["status"] = "0x1" }),
			withCoin, settlement.Verified, inconsistent, settlement.TxFailed,
		},
		{"a forged block hash", func(t *testing.T, p *chaintest.Proxy) {
			lie(t, p, false, func(o fields) {
				for _, name := range []string{"hash", "blockHash"} {
					if block, ok := o[name].(string); ok && (name == "blockHash" || o["parentHash"] != nil) {
						o[name] = "0xaa" + block[4:]
					}
				}
			})
		}, l.claim(paid, token, 5), settlement.Verified, inconsistent, inconsistent},
		{
			"a dropped log", ofTx(paid, func(receipt fields, _ []any) { receipt["logs"] = []any{} }),
			l.claim(paid, token, 5), settlement.NoTransfer, inconsistent, settlement.Verified,
		},
		{"another block time", func(t *testing.T, p *chaintest.Proxy) {
			lie(t, p, false, func(o fields) {
				if o["parentHash"] != nil {
					o["timestamp"] = "0x1"
				}
			})
		}, l.claim(paid, token, 5), settlement.Verified, inconsistent, inconsistent},
		{"another sender", ofTx(paid, func(receipt fields, _ []any) { receipt["from"] = stranger.String() }), l.claim(paid, token, 5), settlement.Verified, inconsistent, settlement.Verified},
		{"another type", ofTx(paid, func(receipt fields, _ []any) { receipt["type"] = "0x7f" }), l.claim(paid, token, 5), settlement.Verified, settlement.Verified, settlement.Verified},
		{"another value", ofValue(sent, 99), l.claim(sent, "", 99), settlement.Verified, inconsistent, settlement.AmountMismatch},
		{"another value, neither being the price", ofValue(sent, 99), l.claim(sent, "", 5), settlement.AmountMismatch, inconsistent, settlement.AmountMismatch},
		{"an invented transaction", func(t *testing.T, p *chaintest.Proxy) {
			p.Intercept(func(c chaintest.Call) chaintest.Answer {
				if c.Method != "eth_getTransactionReceipt" {
					return chaintest.Pass
				}
				raw, err := l.node.Client().TransactionReceipt(t.Context(), paid.Hash())
				if err != nil {
					t.Error(err)
				}
				result, err := json.Marshal(raw)
				if err != nil {
					t.Error(err)
				}
				return chaintest.Answer{Result: json.RawMessage(strings.ReplaceAll(string(result), paid.Hash().Hex(), invented.Hex()))}
			})
		}, unknown, settlement.Verified, inconsistent, inconsistent},
		{"a stale head", atLatest(3), l.claim(paid, token, 5), settlement.TxUnconfirmed, settlement.Verified, settlement.Verified},
		{"a head that is not there yet", atLatest(1000), l.claim(young, token, 7), settlement.Verified, settlement.TxUnconfirmed, settlement.TxUnconfirmed},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.lie(t, l.proxy)
			defer l.proxy.Intercept(nil)
			for trust, want := range map[string]settlement.Code{"single": test.single, "quorum:2": test.quorum, "proof:2": test.proof} {
				v, err := l.under(trust, l.listed(), native).Verify(t.Context(), test.claim)
				if got := outcome(v, err); got != want {
					t.Errorf("%s: got %s (%v), want %s", trust, got, err, want)
				}
				if trust == "proof:2" && v.Transfer != nil && v.Transfer.Token != "" && v.Transfer.Position != "log/0" {
					t.Errorf("%s: the transfer is at %s, which was not proven", trust, v.Transfer.Position)
				}
				if v.Evidence != nil && v.Evidence.Trust != trust {
					t.Errorf("the evidence names trust %q, want %q", v.Evidence.Trust, trust)
				}
			}
		})
	}
}

// A block with a type of transaction that go-ethereum cannot hash proves nothing, and that is no lie.
func TestProofOfAnUnknownType(t *testing.T) {
	t.Parallel()
	l := startLiars(t)
	paid := l.pay(5)
	for range 3 {
		l.node.Commit()
	}
	lie(t, l.proxy, false, func(o fields) {
		if _, isReceipt := o["logs"]; isReceipt {
			o["type"] = "0x7f"
		}
	})
	chain, err := New(Config{
		Chain: liveChain, Tokens: []settlement.Token{l.listed()}, Finality: Finality{Depth: 2}, Trust: Trust{Operators: 2, Proof: true},
		Endpoints: []Endpoint{{Name: "a", URL: l.proxy.URL()}, {Name: "b", URL: l.proxy.URL()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = chain.Verify(t.Context(), l.claim(paid, l.listed().Address, 5))
	if settlement.LookCode(err) != settlement.RPCDecodeFailed || !strings.Contains(err.Error(), "type 127") {
		t.Errorf("got %v, want RPC_DECODE_FAILED", err)
	}
}

// ofValue lies about the transaction's own value.
func ofValue(tx *types.Transaction, units uint64) func(*testing.T, *chaintest.Proxy) {
	return func(t *testing.T, p *chaintest.Proxy) {
		lie(t, p, false, func(o fields) {
			if o["hash"] == tx.Hash().Hex() && o["value"] != nil {
				o["value"] = hexutil.EncodeUint64(units)
			}
		})
	}
}

// Two liars of one operator are one voice.
func TestOperatorsVoteNotEndpoints(t *testing.T) {
	t.Parallel()
	l := startLiars(t)
	paid := l.pay(5)
	for range 3 {
		l.node.Commit()
	}
	lie(t, l.proxy, false, func(o fields) {
		if o["topics"] != nil {
			o["data"] = hexutil.Encode(common.LeftPadBytes([]byte{6}, 32))
		}
	})
	chain, err := New(Config{
		Chain: liveChain, Tokens: []settlement.Token{l.listed()}, Finality: Finality{Depth: 2}, Trust: Trust{Operators: 2}, Endpoints: []Endpoint{
			{Name: "a", URL: l.proxy.URL(), Operator: "mallory"}, {Name: "b", URL: l.proxy.URL(), Operator: "mallory"}, {Name: "c", URL: l.node.URL()},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := chain.Verify(t.Context(), l.claim(paid, l.listed().Address, 6))
	if outcome(v, err) != settlement.RPCInconsistent {
		t.Errorf("got %s (%v), want RPC_INCONSISTENT", outcome(v, err), err)
	}
}

// That a transaction was replaced is a rejection, so as many operators must say it; and that the final block has another
// hash at one of two ends all looking.
func TestQuorumOfRejectionsAndHeads(t *testing.T) {
	t.Parallel()
	gone := func(count string) *scene {
		s := nullScene()
		s.count = count
		return s
	}
	forked := newScene()
	fork := forked.head(110)
	fork["hash"] = payment.String()
	forked.answer = func(w http.ResponseWriter, q question) bool {
		return answerResult("eth_getBlockByNumber", "finalized", fork)(w, q) || answerResult("eth_getBlockByNumber", "0x6e", fork)(w, q)
	}
	two := func(c *Config) { c.Trust = Trust{Operators: 2} }
	claim := theClaim()
	claim.Slot = &settlement.Slot{Sender: alice, Nonce: 5}
	for _, test := range []struct {
		second string
		want   settlement.Code
	}{{"0x6", settlement.ProofExpired}, {"0x5", settlement.TxNotFound}} {
		v, err := startChain(t, two, startNode(t, gone("0x6")), startNode(t, gone(test.second))).Verify(t.Context(), claim)
		if got := outcome(v, err); got != test.want {
			t.Errorf("nonces 0x6 and %s: got %s (%v), want %s", test.second, got, err, test.want)
		}
	}
	chain := startChain(t, two, startNode(t, newScene()), startNode(t, forked))
	if head, err := chain.Head(t.Context()); settlement.LookCode(err) != settlement.RPCInconsistent || err == nil {
		t.Errorf("head %+v (%v), want RPC_INCONSISTENT", head, err)
	}
	if alarms := chain.Status().Alarms; len(alarms) != 1 || alarms[0].Kind != OperatorsDisagree {
		t.Errorf("alarms %+v", alarms)
	}
}

// atLatest lies about the number of the latest block alone.
func atLatest(number uint64) func(*testing.T, *chaintest.Proxy) {
	return func(t *testing.T, p *chaintest.Proxy) {
		p.Intercept(func(c chaintest.Call) chaintest.Answer {
			if !strings.Contains(string(c.Params), `"latest"`) {
				return chaintest.Pass
			}
			result, err := c.Forward()
			if err != nil {
				return chaintest.Pass
			}
			return chaintest.Answer{Result: rewrite(t, result, func(o fields) { o["number"] = hexutil.EncodeUint64(number) })}
		})
	}
}

// A disagreement keeps both answers, says who gave them, and is an alarm.
func TestDisagreementKeepsBothAnswers(t *testing.T) {
	t.Parallel()
	l := startLiars(t)
	paid := l.pay(5)
	for range 3 {
		l.node.Commit()
	}
	lie(t, l.proxy, false, func(o fields) {
		if o["topics"] != nil {
			o["data"] = hexutil.Encode(common.LeftPadBytes([]byte{6}, 32))
		}
	})
	chain := l.under("quorum:2", l.listed())
	_, err := chain.Verify(t.Context(), l.claim(paid, l.listed().Address, 5))
	d, ok := errors.AsType[*Disagreement](err)
	if !ok {
		t.Fatalf("got %v, want a disagreement", err)
	}
	for _, a := range d.Answers {
		amount := map[string]string{"mallory": "06", "b": "05"}[a.Operator]
		if amount == "" || !strings.Contains(string(a.JSON), amount+`"`) || len(a.Digest) != 64 {
			t.Errorf("answer of %s (%s): %s", a.Endpoint, a.Operator, a.JSON)
		}
	}
	alarms := chain.Status().Alarms
	if len(alarms) != 1 || alarms[0].Kind != OperatorsDisagree || !strings.Contains(alarms[0].Detail, "liar") {
		t.Errorf("alarms %+v, want the disagreement", alarms)
	}
}

// What is silent agrees with nobody, and is replaced by somebody who speaks.
func TestSilenceIsNoAgreement(t *testing.T) {
	t.Parallel()
	l := startLiars(t)
	paid := l.pay(5)
	for range 3 {
		l.node.Commit()
	}
	claim := l.claim(paid, l.listed().Address, 5)
	for _, test := range []struct {
		name       string
		answer     chaintest.Answer
		two, three settlement.Code
	}{
		{"down", chaintest.Answer{Status: 503}, settlement.Verified, settlement.RPCUnavailable},
		{"throttled", chaintest.Answer{Status: 429}, settlement.Verified, settlement.RPCRateLimited},
		{"without the transaction", chaintest.Hide, settlement.Verified, settlement.RPCInconsistent},
	} {
		l.proxy.Handle(func(method string) chaintest.Answer {
			if strings.HasPrefix(method, "eth_getTransaction") {
				return test.answer
			}
			return chaintest.Pass
		})
		for trust, want := range map[string]settlement.Code{"quorum:2": test.two, "quorum:3": test.three} {
			v, err := l.under(trust, l.listed()).Verify(t.Context(), claim)
			if got := outcome(v, err); got != want {
				t.Errorf("%s, %s: got %s (%v), want %s", test.name, trust, got, err, want)
			}
		}
	}
	// Two endpoints of one operator have one voice.
	_, err := New(Config{
		Chain: liveChain, Tokens: []settlement.Token{l.listed()}, Finality: Finality{Depth: 2}, Trust: Trust{Operators: 2},
		Endpoints: []Endpoint{{Name: "a", URL: l.node.URL(), Operator: "one"}, {Name: "b", URL: l.node.URL(), Operator: "one"}},
	})
	if err == nil || !strings.Contains(err.Error(), "1 operator(s)") {
		t.Errorf("got %v, want a refusal", err)
	}
}

// The same lies in a scan: what one endpoint drops or invents is neither missed nor found by two.
func TestLyingEndpointIsScanned(t *testing.T) {
	t.Parallel()
	l := startLiars(t)
	native := settlement.Token{Chain: liveChain, Symbol: "ETH", Decimals: 18}
	l.pay(5)
	payee := common.BytesToAddress([]byte(bob))
	if _, err := l.node.Send(t.Context(), l.key, &payee, big.NewInt(9), nil); err != nil {
		t.Fatal(err)
	}
	l.node.Commit()
	number := l.latest()
	waits := watching{{l.listed().Address, bob}, {"", bob}}
	found := func(trust string, tokens ...settlement.Token) (amounts string, err error) {
		scan, err := l.under(trust, tokens...).ScanFor(t.Context(), number, waits)
		for _, tx := range scan.Transactions {
			for _, transfer := range tx.Transfers {
				amounts += transfer.Amount.String() + " "
			}
		}
		return amounts, err
	}
	for _, test := range []struct {
		name   string
		tokens []settlement.Token
		change func(fields)
		single string // what a single endpoint makes us believe
		truth  string
	}{
		{"another amount", []settlement.Token{l.listed()}, func(o fields) {
			if o["topics"] != nil {
				o["data"] = hexutil.Encode(common.LeftPadBytes([]byte{6}, 32))
			}
		}, "6 ", "5 "},
		{"another value", []settlement.Token{l.listed(), native}, func(o fields) {
			if o["value"] == "0x9" {
				o["value"] = "0x8"
			}
		}, "5 8 ", "5 9 "},
		{"a failure", []settlement.Token{l.listed(), native}, func(o fields) {
			if o["status"] != nil && len(o["logs"].([]any)) == 0 {
				o["status"] = "0x0"
			}
		}, "5 ", "5 9 "},
	} {
		t.Run(test.name, func(t *testing.T) {
			lie(t, l.proxy, true, test.change)
			defer l.proxy.Intercept(nil)
			if got, err := found("single", test.tokens...); got != test.single || err != nil {
				t.Errorf("single: found %q (%v), want %q", got, err, test.single)
			}
			if got, err := found("quorum:2", test.tokens...); settlement.LookCode(err) != settlement.RPCInconsistent || got != "" {
				t.Errorf("quorum: found %q (%v), want a disagreement", got, err)
			}
			if got, err := found("proof:2", test.tokens...); settlement.LookCode(err) != settlement.RPCInconsistent && got != test.truth {
				t.Errorf("proof: found %q (%v), want %q", got, err, test.truth)
			}
		})
	}
	// An honest one, and one that is slow to show its logs.
	for _, trust := range []string{"single", "quorum:2", "quorum:3", "proof:2", "proof:3"} {
		if got, err := found(trust, l.listed(), native); got != "5 9 " || err != nil {
			t.Errorf("%s: found %q (%v), want both payments", trust, got, err)
		}
	}
	l.proxy.Handle(func(method string) chaintest.Answer {
		if method == "eth_getLogs" {
			return chaintest.Answer{Result: json.RawMessage("[]")}
		}
		return chaintest.Pass
	})
	for trust, want := range map[string]string{"single": "5 ", "proof:2": "5 "} {
		if got, err := found(trust, l.listed()); got != want || err != nil {
			t.Errorf("%s, logs dropped: found %q (%v), want %q", trust, got, err, want)
		}
	}
	if _, err := found("quorum:2", l.listed()); settlement.LookCode(err) != settlement.RPCInconsistent {
		t.Errorf("quorum, logs dropped: %v, want a disagreement", err)
	}
}

// A transaction that was signed and never carried out hashes to its own id, and is none of the block that a proof is about.
func TestProofOfATransactionOutsideTheBlock(t *testing.T) {
	t.Parallel()
	l := startLiars(t)
	elsewhere := common.Address([]byte(carol))
	mined, err := l.node.Send(t.Context(), l.key, &elsewhere, big.NewInt(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	l.node.Commit()
	number := l.latest()
	payee := common.Address([]byte(bob))
	promised, err := types.SignNewTx(l.key, types.LatestSignerForChainID(big.NewInt(31337)), &types.DynamicFeeTx{
		ChainID: big.NewInt(31337), Nonce: mined.Nonce(), To: &payee, Value: big.NewInt(9), Gas: 21_000, GasFeeCap: mined.GasFeeCap(),
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := promised.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	lies := 0
	lie(t, l.proxy, false, func(o fields) {
		if o["hash"] != mined.Hash().Hex() || o["nonce"] == nil {
			return
		}
		var other fields
		if err := json.Unmarshal(raw, &other); err != nil {
			t.Error(err)
		}
		maps.Copy(o, other) // its block and place stay
		lies++
	})
	native := settlement.Token{Chain: liveChain, Symbol: "ETH", Decimals: 18}
	scan, err := l.under("proof:2", native).ScanFor(t.Context(), number, watching{{"", bob}})
	if err != nil || len(scan.Transactions) != 0 {
		t.Errorf("found %+v (%v), want nothing", scan.Transactions, err)
	}
	if lies == 0 {
		t.Error("nobody lied")
	}
}

// watching is what a test waits for.
type watching []struct{ token, payee settlement.Address }

func (w watching) Payees(token settlement.Address, limit int) (payees []settlement.Address, ok bool) {
	for _, each := range w {
		if each.token == token {
			payees = append(payees, each.payee)
		}
	}
	return payees, len(payees) <= limit
}

func (w watching) Waits(token settlement.Address, payee []byte) bool {
	for _, each := range w {
		if each.token == token && string(each.payee) == string(payee) {
			return true
		}
	}
	return false
}
