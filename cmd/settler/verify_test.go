package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
)

// What the hand-made node of these tests knows: 1.50 from the payer to the payee, in block 100 of a chain whose final block
// is 110.
const (
	verifyTx    = "0xccb6a445e136492b242d1c2c0221dc4afd4447c96601e88c156ec4d52e993b8f"
	verifyToken = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
	verifyPayer = "0xE21c192cD270286DBBb0fBa10a8B8D9957d431E5"
	verifyPayee = "0x6e15887E2CEC81434C16D587709f64603b39b545"
)

// startVerifyNode serves the payment with that receipt status. more holds results of methods, and replaces or adds some;
// the result "refuse" is an HTTP 429.
func startVerifyNode(t *testing.T, status string, more map[string]string) string {
	t.Helper()
	block := "0x" + strings.Repeat("ab", 32)
	topics := []string{
		"0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
		common.HexToHash(verifyPayer).Hex(), common.HexToHash(verifyPayee).Hex(),
	}
	bloom := types.CreateBloom(&types.Receipt{Logs: []*types.Log{{
		Address: common.HexToAddress(verifyToken), Topics: []common.Hash{common.HexToHash(topics[0]), common.HexToHash(topics[1]), common.HexToHash(topics[2])},
	}}})
	place := fmt.Sprintf(`"transactionHash":%q,"blockHash":%q,"blockNumber":"0x64","transactionIndex":"0x0"`, verifyTx, block)
	log := fmt.Sprintf(`{%s,"address":%q,"topics":[%q,%q,%q],"data":%q,"logIndex":"0x7","removed":false}`,
		place, strings.ToLower(verifyToken), topics[0], topics[1], topics[2], hexutil.Encode(common.LeftPadBytes([]byte{0x16, 0xe3, 0x60}, 32)))
	results := map[string]string{
		"eth_chainId":               `"0x1"`,
		"eth_getTransactionReceipt": fmt.Sprintf(`{%s,"from":%q,"status":%q,"logsBloom":%q,"logs":[%s]}`, place, verifyPayer, status, hexutil.Encode(bloom[:]), log),
		"eth_getTransactionByHash":  "null",
		"finalized":                 fmt.Sprintf(`{"number":"0x6e","hash":%q,"timestamp":"0x65540000"}`, block),
		"latest":                    fmt.Sprintf(`{"number":"0x78","hash":%q,"timestamp":"0x65540000"}`, block),
		"0x64":                      fmt.Sprintf(`{"number":"0x64","hash":%q,"timestamp":"0x6553f100"}`, block),
		"eth_call":                  `"0x` + strings.Repeat("0", 62) + `06"`,
	}
	for method, result := range more {
		results[method] = result
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			ID     json.RawMessage
			Method string
			Params []any
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if q.Method == "eth_getBlockByNumber" {
			q.Method, _ = q.Params[0].(string)
		}
		result := results[q.Method]
		if result == "refuse" {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, q.ID, result)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/secret-api-key"
}

// runVerify runs settler verify evm as a person would; flags are added, and the last of equal ones counts.
func runVerify(t *testing.T, url string, flags map[string]string, more ...string) (status int, out, errs string) {
	t.Helper()
	all := map[string]string{
		"rpc": url, "chain": "eip155:1", "tx": verifyTx, "token": verifyToken, "payer": verifyPayer, "payee": verifyPayee, "amount": "1500000",
	}
	for name, value := range flags {
		all[name] = value
	}
	args := []string{"verify", "evm"}
	for name, value := range all {
		args = append(args, "--"+name+"="+value)
	}
	var stdout, stderr strings.Builder
	status = run(t.Context(), append(args, more...), &streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	for _, text := range []string{stdout.String(), stderr.String()} {
		if strings.Contains(text, "secret-api-key") {
			t.Errorf("the output tells the URL: %s", text)
		}
	}
	return status, stdout.String(), stderr.String()
}

func TestVerifyEVM(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		status  string // of the receipt
		node    map[string]string
		flags   map[string]string
		verdict string
		code    string
		exit    int
	}{
		{name: "the payment fits", verdict: "confirmed", code: "VERIFIED"},
		{name: "lower-case addresses", flags: map[string]string{"payer": strings.ToLower(verifyPayer)}, verdict: "confirmed", code: "VERIFIED"},
		{name: "within the window", flags: map[string]string{"not-before": "2023-11-14T22:00:00Z", "not-after": "2023-11-14T23:00:00Z"}, verdict: "confirmed", code: "VERIFIED"},
		{name: "final by depth", flags: map[string]string{"finality": "depth:20"}, verdict: "confirmed", code: "VERIFIED"},
		{name: "not final by depth", flags: map[string]string{"finality": "depth:21"}, verdict: "pending", code: "TX_UNCONFIRMED", exit: 2},
		{name: "failed", status: "0x0", verdict: "rejected", code: "TX_FAILED", exit: 1},
		{name: "too little", flags: map[string]string{"amount": "1500001"}, verdict: "rejected", code: "AMOUNT_MISMATCH", exit: 1},
		{name: "another payer", flags: map[string]string{"payer": verifyToken}, verdict: "rejected", code: "PAYER_MISMATCH", exit: 1},
		{name: "too old", flags: map[string]string{"not-before": "2023-11-15T00:00:00Z"}, verdict: "rejected", code: "PAYMENT_STALE", exit: 1},
		{name: "too late", flags: map[string]string{"not-after": "2023-11-01T00:00:00Z"}, verdict: "rejected", code: "PAYMENT_LATE", exit: 1},
		{name: "unknown", node: map[string]string{"eth_getTransactionReceipt": "null"}, verdict: "pending", code: "TX_NOT_FOUND", exit: 2},
		{name: "throttled", node: map[string]string{"eth_getTransactionReceipt": "refuse"}, verdict: "unknown", code: "RPC_RATE_LIMITED", exit: 3},
		{name: "another chain", node: map[string]string{"eth_chainId": `"0x2"`}, verdict: "unknown", code: "RPC_MISCONFIGURED", exit: 3},
		{name: "a short transaction id", flags: map[string]string{"tx": verifyTx[:42]}, verdict: "rejected", code: "PROOF_MALFORMED", exit: 1},
		{name: "no transaction id", flags: map[string]string{"tx": ""}, verdict: "rejected", code: "PROOF_MALFORMED", exit: 1},
		{name: "a page of a block explorer", flags: map[string]string{"tx": "https://etherscan.io/tx/" + verifyTx}, verdict: "confirmed", code: "VERIFIED"},
		{name: "a page of another chain's explorer", flags: map[string]string{"tx": "https://basescan.org/tx/" + verifyTx}, verdict: "rejected", code: "WRONG_CHAIN", exit: 1},
		{name: "a page without a transaction", flags: map[string]string{"tx": "https://etherscan.io/address/" + verifyPayer}, verdict: "rejected", code: "PROOF_MALFORMED", exit: 1},
		{name: "a nonce that is demanded", flags: map[string]string{"nonce": verifyTx}, verdict: "rejected", code: "REFERENCE_MISMATCH", exit: 1},
		{name: "an amount of zero", flags: map[string]string{"amount": "0"}, verdict: "rejected", code: "INTENT_INVALID", exit: 1},
		{name: "payer and payee are one", flags: map[string]string{"payer": verifyPayee}, verdict: "rejected", code: "INTENT_INVALID", exit: 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status := test.status
			if status == "" {
				status = "0x1"
			}
			url := startVerifyNode(t, status, test.node)
			exit, out, errs := runVerify(t, url, test.flags, "-o", "json")
			var answer struct{ Verdict, Code, Reason string }
			decoder := json.NewDecoder(strings.NewReader(out))
			if err := decoder.Decode(&answer); err != nil {
				t.Fatalf("%v: %q %q", err, out, errs)
			}
			if _, err := decoder.Token(); err != io.EOF || strings.Count(out, "\n") != 1 {
				t.Errorf("more than one JSON object: %q", out)
			}
			if exit != test.exit || answer.Verdict != test.verdict || answer.Code != test.code || answer.Reason == "" || errs != "" {
				t.Errorf("got exit %d, %+v, %q; want exit %d, %s %s", exit, answer, errs, test.exit, test.verdict, test.code)
			}
			textExit, text, _ := runVerify(t, url, test.flags)
			if textExit != exit || !strings.Contains(text, strings.ToUpper(test.verdict)+"  "+test.code) {
				t.Errorf("as text: exit %d\n%s", textExit, text)
			}
		})
	}
}

func TestVerifyEVMForPeople(t *testing.T) {
	t.Parallel()
	_, out, _ := runVerify(t, startVerifyNode(t, "0x1", nil), map[string]string{"amount": "2000000", "not-before": "2023-11-14T22:00:00Z"})
	want := strings.Join([]string{
		"REJECTED  AMOUNT_MISMATCH (under)",
		"The payer paid the payee in this token, too little.",
		"",
		"          want                                        got (log/7)",
		"token     0xdAC17F958D2ee523a2206206994597C13D831ec7  same",
		"payee     0x6e15887E2CEC81434C16D587709f64603b39b545  same",
		"payer     0xE21c192cD270286DBBb0fBa10a8B8D9957d431E5  same",
		"amount    2000000 (2.000000)                          1500000 (1.500000)",
		"from      2023-11-14 22:00:00 UTC",
		"",
		"block     100, 2023-11-14 22:13:20 UTC",
		"          0x" + strings.Repeat("ab", 32),
		"finality  finalized: final up to block 110",
		"sent by   0xE21c192cD270286DBBb0fBa10a8B8D9957d431E5",
		"",
		"transfers in this transaction",
		"log/7  0xE21c192cD270286DBBb0fBa10a8B8D9957d431E5 -> 0x6e15887E2CEC81434C16D587709f64603b39b545  1500000  0xdAC17F958D2ee523a2206206994597C13D831ec7",
		"",
	}, "\n")
	if out != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestVerifyEVMAsksTheSecondEndpoint(t *testing.T) {
	t.Parallel()
	first := startVerifyNode(t, "0x1", map[string]string{"eth_getTransactionReceipt": "null"})
	exit, out, _ := runVerify(t, first, nil, "--rpc", startVerifyNode(t, "0x1", nil), "-o", "json")
	if exit != 0 || !strings.Contains(out, `"endpoints":["rpc-2"]`) {
		t.Errorf("exit %d, %s", exit, out)
	}
}

// The names of a configuration stand for addresses and endpoints, and its rules are those of the look.
func TestVerifyEVMByName(t *testing.T) {
	t.Parallel()
	file := func(url string) string {
		return writeConfig(t, strings.NewReplacer(
			"id: eip155:8453", "id: eip155:1\n    aliases: [ethereum]", "https://rpc.example/hunter2", url, "symbol: USDC", "symbol: USDT",
			"0x833589fcd6edb6e08f4c7c32d4f71b54bda02913", verifyToken, "finality: {tag: finalized}", "finality: {depth: 21}",
		).Replace(goodConfig))
	}
	configured := file(startVerifyNode(t, "0x1", nil))
	verify := func(args ...string) (int, string) {
		code, out, errs := runSettler(t, append([]string{"verify", "evm", "--tx", verifyTx, "--payer", verifyPayer, "--payee", verifyPayee, "--amount", "1500000", "-o", "json"}, args...)...)
		return code, out + errs
	}
	for _, test := range []struct {
		name string
		args []string
		exit int
		want string
	}{
		{"the configured rule", []string{"--config", configured, "--chain", "ethereum", "--token", "usdt"}, 2, `"finality":"depth 21"`},
		{"a rule of its own", []string{"--config", configured, "--chain", "ethereum", "--token", "USDT", "--finality", "finalized"}, 0, `"endpoints":["a"]`},
		{"an endpoint of its own", []string{"--config", file("http://127.0.0.1:1"), "--chain", "ethereum", "--token", "USDT", "--finality", "depth:1", "--rpc", startVerifyNode(t, "0x1", nil)}, 0, `"endpoints":["rpc-1"]`},
		{"a contract that is not listed", []string{"--config", configured, "--chain", "ethereum", "--token", verifyPayer, "--finality", "depth:1"}, 1, "TOKEN_MISMATCH"},
		{"no such chain", []string{"--config", configured, "--chain", "base", "--token", "USDT"}, 64, "there are eip155:1, ethereum"},
		{"no such token", []string{"--config", configured, "--chain", "ethereum", "--token", "USDX"}, 64, "nor one of USDT"},
		{"no configuration", []string{"--config", configured + ".none", "--chain", "ethereum", "--token", "USDT"}, 64, "there is no file"},
	} {
		if exit, out := verify(test.args...); exit != test.exit || !strings.Contains(out, test.want) {
			t.Errorf("%s: exit %d, %s; want %d and %s", test.name, exit, out, test.exit, test.want)
		}
	}
}

func TestVerifyEVMExplains(t *testing.T) {
	t.Parallel()
	url := startVerifyNode(t, "0x1", nil)
	_, out, _ := runVerify(t, url, map[string]string{"amount": "2000000"}, "--explain")
	last := -1
	for _, want := range []string{
		`rpc-1 < eth_chainId []`, `rpc-1 > "0x1"`, `rpc-1: chain: it serves eip155:1`, `rpc-1 < eth_getTransactionReceipt ["` + verifyTx + `"]`, `rpc-1: found: in block 100`, `rpc-1: coherent: `,
		`rpc-1 < eth_getBlockByNumber ["finalized",false]`, `rpc-1 < eth_getBlockByNumber ["0x64",false]`, `rpc-1: final: finalized: yes`,
		`rpc-1: canonical: yes`, `rpc-1: succeeded: yes`, `rpc-1: token: fits`, `rpc-1: payer: fits`, `rpc-1: amount: no: AMOUNT_MISMATCH under`,
	} {
		at := strings.Index(out, want)
		if at < last || at < 0 {
			t.Fatalf("%q is missing or out of order in\n%s", want, out)
		}
		last = at
	}
	if strings.Contains(out, "unused") {
		t.Errorf("a check after the one that failed:\n%s", out)
	}
	exit, out, _ := runVerify(t, startVerifyNode(t, "0x1", map[string]string{"eth_getTransactionReceipt": "refuse"}), nil, "--explain", "-o", "json")
	if exit != 3 || !strings.Contains(out, `"check":"could not look"`) || !strings.Contains(out, "Too Many Requests") {
		t.Errorf("exit %d: %s", exit, out)
	}
}

func TestVerifyEVMByQuorum(t *testing.T) {
	t.Parallel()
	honest, liar := startVerifyNode(t, "0x1", nil), startVerifyNode(t, "0x0", nil)
	exit, out, errs := runVerify(t, honest, nil, "--rpc", startVerifyNode(t, "0x1", nil), "--trust", "quorum:2", "-o", "json")
	if exit != 0 || !strings.Contains(out, "rpc-1") || !strings.Contains(out, "rpc-2") {
		t.Errorf("two agree: exit %d, %s %s", exit, out, errs)
	}
	exit, out, errs = runVerify(t, honest, nil, "--rpc", honest+"/v2", "--trust", "quorum:2", "-o", "json")
	if exit != 64 || !strings.Contains(errs, "1 operator(s)") {
		t.Errorf("one host named twice: exit %d, %s %s", exit, out, errs)
	}
	exit, out, _ = runVerify(t, honest, nil, "--rpc", liar, "--trust", "quorum:2", "-o", "json")
	if exit != 3 || !strings.Contains(out, "RPC_INCONSISTENT") {
		t.Errorf("two disagree: exit %d, %s", exit, out)
	}
}

func TestVerifyEVMUsage(t *testing.T) {
	t.Parallel()
	for _, flags := range []map[string]string{
		{"rpc": "localhost:8545"},
		{"rpc": "ws://localhost/secret-api-key"},
		{"rpc": "http://[secret-api-key"},
		{"finality": "latest"},
		{"finality": "depth:0"},
		{"finality": "depth:-1"},
		{"not-before": "yesterday"},
		{"output": "yaml"},
		{"nonsense": "1"},
		{"amount": "1.5"},
		{"amount": "-1"},
		{"payee": strings.Replace(verifyPayee, "E2", "e2", 1)}, // the checksum is wrong
		{"payer": "alice"},
		{"token": "USDT"},
		{"token": verifyToken[:40]},
		{"chain": "base"},
		{"chain": "eip155:x"},
		{"nonce": "0x12"},
		{"trust": "most"},
		{"trust": "quorum:2"}, // of one endpoint
	} {
		if exit, out, errs := runVerify(t, "http://127.0.0.1:1", flags); exit != 64 || out != "" || errs == "" {
			t.Errorf("%v: exit %d, %q, %q", flags, exit, out, errs)
		}
	}
	var errs strings.Builder
	if exit := run(t.Context(), []string{"verify", "evm"}, &streams{Out: io.Discard, Err: &errs}); exit != 64 {
		t.Errorf("no flags: exit %d, %s", exit, errs.String())
	}
}
