package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/settler-pay/settler/verify/solana"
)

// solanaRecording is a payment that a real node carried out, as verify/solana keeps it.
type solanaRecording struct {
	Chain, Signature string
	Expectations     []struct{ Token, Payer, Payee, Amount string }
	Result           json.RawMessage
}

func readSolanaRecording(t *testing.T) (r solanaRecording) {
	t.Helper()
	raw, err := os.ReadFile("../../verify/solana/testdata/spl-transferchecked.json")
	if err == nil {
		err = json.Unmarshal(raw, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// node serves the payment; change alters the answer to getTransaction.
func (r solanaRecording) node(t *testing.T, change func(string) string) string {
	t.Helper()
	genesis := strings.TrimPrefix(r.Chain, "solana:") + strings.Repeat("2", 11) // of the hash, a CAIP-2 id keeps the beginning
	if _, err := solana.ParseAddress(genesis); err != nil {
		genesis += "2"
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		var question struct {
			ID     json.RawMessage
			Method string
		}
		if err := json.NewDecoder(q.Body).Decode(&question); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		result := map[string]string{
			"getGenesisHash": `"` + genesis + `"`, "getSlot": "900000000", "getTransaction": change(string(r.Result)),
		}[question.Method]
		if result == "" {
			_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"Method not found"}}`, question.ID)
			return
		}
		_, _ = fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, question.ID, result)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func same(text string) string { return text }

func (r solanaRecording) run(t *testing.T, more ...string) (exit int, out, errs string) {
	t.Helper()
	x := r.Expectations[0]
	var stdout, stderr strings.Builder
	args := append([]string{
		"verify", "solana", "--chain", r.Chain, "--token", x.Token, "--payer", x.Payer, "--payee", x.Payee, "--amount", x.Amount,
	}, more...)
	exit = run(t.Context(), args, &streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	return exit, stdout.String(), stderr.String()
}

func TestVerifySolanaExplains(t *testing.T) {
	t.Parallel()
	r := readSolanaRecording(t)
	exit, out, errs := r.run(t, "--rpc", r.node(t, same), "--tx", "https://explorer.solana.com/tx/"+r.Signature+"?cluster=custom", "--explain")
	last := -1
	for _, want := range []string{
		"rpc-1 < getGenesisHash []", `rpc-1 < getTransaction ["` + r.Signature, "rpc-1: found: yes", "rpc-1: coherent: yes: 1 signature(s)",
		"rpc-1 < getSlot", "rpc-1: finalized: yes: slot ", "rpc-1: succeeded: yes", "rpc-1: token: fits", "rpc-1: amount: fits", "rpc-1: time: fits",
	} {
		at := strings.Index(out, want)
		if at < last || at < 0 {
			t.Fatalf("exit %d, %q is missing or out of order in\n%s%s", exit, want, out, errs)
		}
		last = at
	}
	if exit != 0 {
		t.Errorf("exit %d", exit)
	}
}

func TestVerifySolanaByQuorum(t *testing.T) {
	t.Parallel()
	r := readSolanaRecording(t)
	honest := r.node(t, same)
	exit, out, errs := r.run(t, "--signature", r.Signature, "--rpc", honest, "--rpc", r.node(t, same), "--trust", "quorum:2", "-o", "json")
	if exit != 0 || !strings.Contains(out, "rpc-1") || !strings.Contains(out, "rpc-2") {
		t.Errorf("two agree: exit %d, %s %s", exit, out, errs)
	}
	liar := r.node(t, func(text string) string { return strings.Replace(text, `"err": null`, `"err": "lie"`, 1) })
	exit, out, errs = r.run(t, "--signature", r.Signature, "--rpc", honest, "--rpc", liar, "--trust", "quorum:2", "-o", "json")
	if exit != 3 || !strings.Contains(out, "RPC_INCONSISTENT") {
		t.Errorf("two disagree: exit %d, %s %s", exit, out, errs)
	}
}

func TestVerifySolanaRefuses(t *testing.T) {
	t.Parallel()
	r := readSolanaRecording(t)
	for says, more := range map[string][]string{
		"does not exist on Solana":  {"--trust", "proof:2"},
		"there are 1":               {"--trust", "quorum:2"},
		"a configuration is needed": {"-c", "nowhere.yaml", "--token", "USDC"},
	} {
		if exit, out, errs := r.run(t, append(more, "--signature", r.Signature, "--rpc", "http://127.0.0.1:1")...); exit < 4 || !strings.Contains(errs, says) {
			t.Errorf("%q: exit %d, %s %s", says, exit, out, errs)
		}
	}
	page := "https://solscan.io/tx/" + r.Signature + "?cluster=devnet"
	if exit, out, _ := r.run(t, "--tx", page, "--rpc", "http://127.0.0.1:1", "-o", "json"); exit != 1 || !strings.Contains(out, "WRONG_CHAIN") {
		t.Errorf("a page of another cluster: exit %d, %s", exit, out)
	}
}

// Names of the configuration stand for the cluster and the token, and its endpoints are asked where none is given.
func TestVerifySolanaByNames(t *testing.T) {
	t.Parallel()
	r := readSolanaRecording(t)
	x := r.Expectations[0]
	config := writeConfig(t, strings.Replace(goodConfig, "chains:\n", fmt.Sprintf(`chains:
  - id: "%s"
    aliases: [lab]
    endpoints: [{name: ours, url: "%s"}]
    tokens: [{symbol: LUSD, address: %s, decimals: 6}]
`, r.Chain, r.node(t, same), x.Token), 1))
	for _, more := range [][]string{
		{"--chain", "lab", "--token", "lusd"}, {"--chain", r.Chain, "--token", "LUSD", "--rpc", r.node(t, same)}, {"--chain", "lab"},
	} {
		args := append([]string{"-c", config, "--tx", r.Signature, "-o", "json"}, more...)
		if exit, out, errs := r.run(t, args...); exit != 0 || !strings.Contains(out, "VERIFIED") {
			t.Errorf("%v: exit %d, %s%s", more, exit, out, errs)
		}
	}
	if exit, out, errs := r.run(t, "-c", config, "--tx", r.Signature, "--chain", "elsewhere"); exit < 4 || !strings.Contains(errs, `"elsewhere"`) {
		t.Errorf("a name that is in no configuration: exit %d, %s%s", exit, out, errs)
	}
	if exit, out, _ := r.run(t, "--tx", r.Signature, "--token", "LUSD", "--rpc", r.node(t, same), "-o", "json"); exit != 1 || !strings.Contains(out, "INTENT_INVALID") {
		t.Errorf("a name without a configuration: exit %d, %s", exit, out)
	}
}
