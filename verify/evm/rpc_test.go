package evm

import (
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// Every dress of "could not look" is an error with a code, never a verdict.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const method = "eth_getTransactionReceipt"
	refuse := func(code int, message string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","id":ID,"error":{"code":%d,"message":%q}}`, code, message)
	}
	tests := []struct {
		name   string
		status int
		body   string
		header [2]string
		want   settlement.Code
		wait   time.Duration
	}{
		{name: "429", status: 429, want: settlement.RPCRateLimited},
		{name: "429 that says when", status: 429, header: [2]string{"Retry-After", "17"}, want: settlement.RPCRateLimited, wait: 17 * time.Second},
		{name: "429 that says never", status: 429, header: [2]string{"Retry-After", "999999999"}, want: settlement.RPCRateLimited, wait: time.Hour},
		{name: "429 with nonsense for a time", status: 429, header: [2]string{"Retry-After", "soon"}, want: settlement.RPCRateLimited},
		{name: "429 in the body", body: `{"error":{"code":429,"message":"slow down"}}`, want: settlement.RPCRateLimited},
		{name: "429 in the body without an id", status: 429, body: `{"jsonrpc":"2.0","error":{"code": 429, "message":"Too many requests for a specific RPC call"}, "id": null }`, want: settlement.RPCRateLimited},
		{name: "-32005", body: refuse(-32005, "limit exceeded"), want: settlement.RPCRateLimited},
		{name: "-32016", body: refuse(-32016, "over rate limit"), want: settlement.RPCRateLimited},
		{name: "-32016 wrapped", body: refuse(-32000, `429 Too Many Requests: {"code":-32016,"message":"over rate limit"}`), want: settlement.RPCRateLimited},
		{name: "403", status: 403, body: "Forbidden", want: settlement.RPCUnavailable},
		{name: "401", status: 401, body: `{"message":"invalid key"}`, want: settlement.RPCUnavailable},
		{name: "an explorer's proxy", body: `{"status":"0","message":"NOTOK","result":"Missing/Invalid API Key"}`, want: settlement.RPCUnavailable},
		{name: "500 with code 3", status: 500, body: refuse(3, "execution reverted"), want: settlement.RPCUnavailable},
		{name: "500", status: 500, body: "Internal Server Error", want: settlement.RPCUnavailable},
		{name: "503 that says when", status: 503, header: [2]string{"Retry-After", "2"}, want: settlement.RPCUnavailable, wait: 2 * time.Second},
		{name: "a range that is too wide", body: refuse(-32000, "eth_getLogs is limited to a 1000 blocks range"), want: settlement.RPCUnavailable},
		{name: "the index is building", body: refuse(-32000, "transaction indexing is in progress"), want: settlement.RPCHistoryUnavailable, wait: indexWait},
		{name: "pruned", body: refuse(4444, "pruned history unavailable"), want: settlement.RPCHistoryUnavailable},
		{name: "before bedrock", body: refuse(-32801, "no historical RPC is available for this historical (pre-bedrock) execution request"), want: settlement.RPCHistoryUnavailable},
		{name: "no state", body: refuse(-32002, "no state available"), want: settlement.RPCUnavailable},
		{name: "no such method", body: refuse(-32601, "the method does not exist"), want: settlement.RPCMisconfigured},
		{name: "an unknown code", body: refuse(-32099, "who knows"), want: settlement.RPCUnavailable},
		{name: "a code that is a text", body: `{"jsonrpc":"2.0","id":ID,"error":{"code":"x","message":5}}`, want: settlement.RPCUnavailable},
		{name: "an error that is a text", body: `{"jsonrpc":"2.0","id":ID,"error":"rate limit reached"}`, want: settlement.RPCRateLimited},

		{name: "HTML", body: "<!doctype html><title>Sign in to the hotel's network</title>", want: settlement.RPCUnavailable},
		{name: "nothing", body: "", want: settlement.RPCUnavailable},
		{name: "half an answer", body: `{"jsonrpc":"2.0","id":ID,"result":{"transac`, want: settlement.RPCUnavailable},
		{name: "two answers", body: `{"jsonrpc":"2.0","id":ID,"result":null}{"jsonrpc":"2.0","id":ID,"result":null}`, want: settlement.RPCUnavailable},
		{name: "a batch", body: `[{"jsonrpc":"2.0","id":ID,"result":null}]`, want: settlement.RPCInconsistent},
		{name: "a bare result", body: `null`, want: settlement.RPCInconsistent},
		{name: "too long", body: `{"jsonrpc":"2.0","id":ID,"result":null,"pad":"` + strings.Repeat("x", maxAnswer) + `"}`, want: settlement.RPCUnavailable},

		{name: "the id of another question", body: `{"jsonrpc":"2.0","id":99999,"result":null}`, want: settlement.RPCInconsistent},
		{name: "the id as a text", body: `{"jsonrpc":"2.0","id":"ID","result":null}`, want: settlement.RPCInconsistent},
		{name: "no id", body: `{"jsonrpc":"2.0","result":null}`, want: settlement.RPCInconsistent},
		{name: "a refusal of another question", body: `{"jsonrpc":"2.0","id":99999,"error":{"code":429,"message":""}}`, want: settlement.RPCInconsistent},
		{name: "JSON-RPC 1.0", body: `{"jsonrpc":"1.0","id":ID,"result":null}`, want: settlement.RPCInconsistent},
		{name: "no version", body: `{"id":ID,"result":null}`, want: settlement.RPCInconsistent},
		{name: "neither result nor error", body: `{"jsonrpc":"2.0","id":ID}`, want: settlement.RPCInconsistent},
		{name: "result and error", body: `{"jsonrpc":"2.0","id":ID,"result":"0x1","error":{"code":-32000,"message":"no"}}`, want: settlement.RPCInconsistent},
		{name: "a null error beside the result", body: `{"jsonrpc":"2.0","id":ID,"error":null,"result":{}}`, want: settlement.RPCDecodeFailed},
		{name: "two results", body: `{"jsonrpc":"2.0","id":ID,"result":null,"result":{}}`, want: settlement.RPCInconsistent},
		{name: "a result in another letter case", body: `{"jsonrpc":"2.0","id":ID,"Result":null}`, want: settlement.RPCInconsistent},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			status := max(test.status, 0)
			if status == 0 {
				status = http.StatusOK
			}
			answer := answerRaw(method, status, test.body)
			s.answer = func(w http.ResponseWriter, q question) bool {
				if test.header[0] != "" && q.Method == method {
					w.Header().Set(test.header[0], test.header[1])
				}
				return answer(w, q)
			}
			chain := startChain(t, nil, startNode(t, s))
			v, err := chain.Verify(t.Context(), theClaim())
			if err == nil {
				t.Fatalf("got the verdict %s, want the error %s", v.Code, test.want)
			}
			look := err.(*settlement.LookError) //nolint:errorlint // the type itself is promised
			if look.Code != test.want || look.RetryAfter != test.wait {
				t.Errorf("got %s after %s (%v), want %s after %s", look.Code, look.RetryAfter, err, test.want, test.wait)
			}
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("the error has more than one line: %q", err)
			}
		})
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	const key = "0123456789abcdef"
	verify := func(t *testing.T, url string, client *http.Client) error {
		t.Helper()
		chain, err := New(Config{
			Chain: testChain, Endpoints: []Endpoint{{Name: "a", URL: url}}, Tokens: []settlement.Token{usdToken()},
			Finality: Finality{Tag: "finalized"}, LookTimeout: 300 * time.Millisecond, HTTPClient: client,
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = chain.Verify(t.Context(), theClaim())
		if settlement.LookCode(err) != settlement.RPCUnavailable {
			t.Errorf("got %v, want RPC_UNAVAILABLE", err)
		}
		if err != nil && (strings.Contains(err.Error(), key) || strings.Contains(err.Error(), "://")) {
			t.Errorf("the error tells the URL: %v", err)
		}
		return err
	}
	t.Run("nobody listens", func(t *testing.T) {
		t.Parallel()
		gone := httptest.NewServer(http.NotFoundHandler())
		gone.Close()
		_ = verify(t, gone.URL+"/"+key, nil)
	})
	t.Run("no such host", func(t *testing.T) {
		t.Parallel()
		_ = verify(t, "https://"+key+".invalid/v2/"+key+"?token="+key, nil)
	})
	t.Run("no TLS", func(t *testing.T) {
		t.Parallel()
		plain := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(plain.Close)
		_ = verify(t, "https"+strings.TrimPrefix(plain.URL, "http")+"/"+key, nil)
	})
	t.Run("no answer in time", func(t *testing.T) {
		t.Parallel()
		quit := make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-quit:
			case <-r.Context().Done():
			}
		}))
		t.Cleanup(slow.Close)
		t.Cleanup(func() { close(quit) })
		start := time.Now()
		err := verify(t, slow.URL+"/"+key, nil)
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took %s", took)
		}
		if !strings.Contains(fmt.Sprint(err), context.DeadlineExceeded.Error()) {
			t.Errorf("got %v, want the deadline named", err)
		}
	})
	t.Run("the answer breaks off", func(t *testing.T) {
		t.Parallel()
		broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "500")
			_, _ = w.Write([]byte(`{"jsonrpc":`))
		}))
		t.Cleanup(broken.Close)
		_ = verify(t, broken.URL+"/"+key, nil)
	})
	t.Run("redirected to another host", func(t *testing.T) {
		t.Parallel()
		other := startNode(t, newScene())
		portal := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
		t.Cleanup(portal.Close)
		_ = verify(t, portal.URL+"/"+key, &http.Client{})
		if calls := other.calls; len(calls) > 0 {
			t.Errorf("the other host was asked %v", calls)
		}
	})
	t.Run("a small body that unpacks to a huge one", func(t *testing.T) {
		t.Parallel()
		bomb := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			chunk := make([]byte, 1<<20)
			for range 64 {
				if _, err := z.Write(chunk); err != nil {
					return
				}
			}
			_ = z.Close()
		}))
		t.Cleanup(bomb.Close)
		_ = verify(t, bomb.URL+"/"+key, nil)
	})
}

func TestRedirectWithinTheHost(t *testing.T) {
	t.Parallel()
	n := startNode(t, newScene())
	inner := n.Config.Handler
	n.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/") {
			http.Redirect(w, r, r.URL.Path+"/", http.StatusPermanentRedirect)
			return
		}
		inner.ServeHTTP(w, r)
	})
	chain := startChain(t, nil, n)
	if v, err := chain.Verify(t.Context(), theClaim()); outcome(v, err) != settlement.Verified {
		t.Errorf("got %s (%v), want VERIFIED", outcome(v, err), err)
	}
}

func TestCallerGivesUp(t *testing.T) {
	t.Parallel()
	chain := startChain(t, nil, startNode(t, newScene()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := chain.Verify(ctx, theClaim())
	if settlement.LookCode(err) != settlement.RPCUnavailable || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("got %v, want RPC_UNAVAILABLE, canceled", err)
	}
	if rank := chain.endpoints[0].rank(time.Now()); rank != 0 {
		t.Error("the endpoint is blamed for a caller that went away")
	}
}
