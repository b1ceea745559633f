package chaintest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/internal/chaintest"
)

// endpoint knows two facts.
func endpoint(t *testing.T) string {
	t.Helper()
	return chaintest.Replay(t,
		chaintest.Recording{Method: "eth_blockNumber", Result: json.RawMessage(`"0x10"`)},
		chaintest.Recording{Method: "eth_getCode", Params: json.RawMessage(`["0xaa", "latest"]`), Result: json.RawMessage(`"0x60"`)},
		chaintest.Recording{Method: "eth_nothing", Error: &chaintest.RPCError{Code: -32601, Message: "unknown method"}},
	)
}

// post returns the answer without white space at its ends; status 0 means that the connection broke.
func post(t *testing.T, url, body string) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, ""
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, string(raw)
	}
	return response.StatusCode, strings.TrimSpace(string(raw))
}

const (
	askNumber = `{"jsonrpc":"2.0","id":7,"method":"eth_blockNumber","params":[]}`
	askCode   = `{"jsonrpc":"2.0","id":8,"method":"eth_getCode","params":["0xaa","latest"]}`
	askWrong  = `{"jsonrpc":"2.0","id":9,"method":"eth_nothing"}`

	number = `{"jsonrpc":"2.0","id":7,"result":"0x10"}`
	code   = `{"jsonrpc":"2.0","id":8,"result":"0x60"}`
	wrong  = `{"jsonrpc":"2.0","id":9,"error":{"code":-32601,"message":"unknown method"}}`
)

func TestProxyAnswers(t *testing.T) {
	t.Parallel()
	only := func(method string, a chaintest.Answer) func(chaintest.Call) chaintest.Answer {
		return func(c chaintest.Call) chaintest.Answer {
			if c.Method == method {
				return a
			}
			return chaintest.Pass
		}
	}
	for _, tt := range []struct {
		name       string
		intercept  func(chaintest.Call) chaintest.Answer
		ask        string
		wantStatus int
		want       string
	}{
		{"one call passes when nothing is said", nil, askNumber, 200, number},
		{"a batch passes when nothing is said", nil, "[" + askNumber + "," + askCode + "]", 200, "[" + number + "," + code + "]"},
		{"a batch is answered call by call", only("eth_blockNumber", chaintest.Hide), "[" + askNumber + "," + askCode + "," + askWrong + "]", 200, `[{"jsonrpc":"2.0","id":7,"result":null},` + code + "," + wrong + "]"},
		{"an error of the endpoint passes", only("eth_blockNumber", chaintest.Hide), askWrong, 200, wrong},
		{"a result is replaced", only("eth_getCode", chaintest.Answer{Result: json.RawMessage(`"0x"`)}), askCode, 200, `{"jsonrpc":"2.0","id":8,"result":"0x"}`},
		{"an error replaces a result", only("eth_blockNumber", chaintest.Answer{Error: &chaintest.RPCError{Code: -32005, Message: "limit exceeded"}}), askNumber, 200, `{"jsonrpc":"2.0","id":7,"error":{"code":-32005,"message":"limit exceeded"}}`},
		{"a status refuses", only("eth_blockNumber", chaintest.Answer{Status: 429}), askNumber, 429, ""},
		{"a body is nonsense", only("eth_blockNumber", chaintest.Answer{Body: "<html>"}), askNumber, 200, "<html>"},
		{"the zero answer breaks the connection", only("eth_blockNumber", chaintest.Answer{}), askNumber, 0, ""},
		{"a cut answer breaks in the middle", only("eth_blockNumber", chaintest.Answer{Cut: true}), askNumber, 0, number[:len(number)/2]},
		{"a result is rewritten", func(c chaintest.Call) chaintest.Answer {
			result, err := c.Forward()
			if err != nil {
				return chaintest.Answer{}
			}
			return chaintest.Answer{Result: json.RawMessage(strings.ReplaceAll(string(result), "0x60", "0x61"))}
		}, askCode, 200, `{"jsonrpc":"2.0","id":8,"result":"0x61"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := chaintest.NewProxy(t, endpoint(t))
			p.Intercept(tt.intercept)
			status, text := post(t, p.URL(), tt.ask)
			if status != tt.wantStatus || text != tt.want {
				t.Errorf("got %d %q, want %d %q", status, text, tt.wantStatus, tt.want)
			}
		})
	}
}

func TestProxyChangesItsMindAndCounts(t *testing.T) {
	t.Parallel()
	p := chaintest.NewProxy(t, endpoint(t))
	post(t, p.URL(), askNumber)
	p.Handle(func(method string) chaintest.Answer { return chaintest.Answer{Body: method} })
	if _, text := post(t, p.URL(), "["+askNumber+","+askCode+"]"); text != "eth_blockNumber" {
		t.Errorf("handled: %q", text)
	}
	p.Handle(nil)
	if _, text := post(t, p.URL(), askCode); text != code {
		t.Errorf("healed: %q", text)
	}
	if a, b := p.Calls("eth_blockNumber"), p.Calls("eth_getCode"); a != 2 || b != 2 {
		t.Errorf("calls %d and %d, want 2 and 2", a, b)
	}
}

func TestProxyDelays(t *testing.T) {
	t.Parallel()
	p := chaintest.NewProxy(t, endpoint(t))
	const delay = 150 * time.Millisecond
	p.Handle(func(string) chaintest.Answer { return chaintest.Answer{Delay: delay, Pass: true} })
	begin := time.Now()
	if _, text := post(t, p.URL(), askNumber); text != number || time.Since(begin) < delay {
		t.Errorf("%q after %s", text, time.Since(begin))
	}
}
