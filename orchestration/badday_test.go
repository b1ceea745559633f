package orchestration_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// confirm and machine are a write and a read to try bad answers on.
func confirm(t *testing.T, client *orchestration.Client) error {
	t.Helper()
	_, err := client.ConfirmMarketOrder(t.Context(), "token", "ord_1")
	return err
}

func machine(t *testing.T, client *orchestration.Client) error {
	t.Helper()
	_, err := client.GetMachine(t.Context(), "mach_1")
	return err
}

// answering is a client of a server that always answers so.
func answering(t *testing.T, status int, body string) *orchestration.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return clientOf(t, server.URL)
}

func TestHTMLInsteadOfJSON(t *testing.T) {
	t.Parallel()
	const page = "<html><body>Sign in to the hotel's network</body></html>"
	for _, status := range []int{200, 403, 502} {
		client := answering(t, status, page)
		for _, err := range []error{confirm(t, client), machine(t, client), client.RevokeAgentPairing(t.Context(), "mach_1", "pair_1")} {
			api, ok := errors.AsType[*orchestration.APIError](err)
			if !ok || api.Code != orchestration.CodeBadResponse || api.Status != status || strings.Contains(err.Error(), "hotel") {
				t.Errorf("%d: got %v, want BAD_RESPONSE without the page", status, err)
			}
			// Whoever answered in between, the write may have gone through before.
			if got := orchestration.OutcomeOf(err); got != orchestration.Unknown {
				t.Errorf("%d: outcome %s", status, got)
			}
		}
	}
}

func TestTruncatedBodies(t *testing.T) {
	t.Parallel()
	t.Run("the JSON ends early", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{"", " ", "null", `{"item":`, `{"item":{"id":"m"`, `{"item":{}}]`, "\xff\xfe"} {
			client := answering(t, 200, body)
			for _, err := range []error{confirm(t, client), machine(t, client)} {
				if !errors.Is(err, orchestration.CodeBadResponse) || orchestration.OutcomeOf(err) != orchestration.Unknown {
					t.Errorf("%q: got %v", body, err)
				}
			}
		}
	})
	t.Run("the connection ends early", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"order":`)
		}))
		t.Cleanup(server.Close)
		client := clientOf(t, server.URL)
		for _, err := range []error{confirm(t, client), machine(t, client)} {
			if _, ok := errors.AsType[*orchestration.NetworkError](err); !ok || orchestration.OutcomeOf(err) != orchestration.Unknown {
				t.Errorf("got %v, want a network error with outcome unknown", err)
			}
		}
	})
}

func TestBodyOf100MB(t *testing.T) {
	t.Parallel()
	const size = 100 << 20
	for _, announced := range []bool{true, false} {
		var written atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if announced {
				w.Header().Set("Content-Length", fmt.Sprint(size))
			}
			chunk := []byte(strings.Repeat(" ", 1<<20))
			for range size >> 20 {
				n, err := w.Write(chunk)
				written.Add(int64(n))
				if err != nil {
					return
				}
			}
		}))
		t.Cleanup(server.Close)
		if err := confirm(t, clientOf(t, server.URL)); !errors.Is(err, orchestration.CodeBadResponse) || orchestration.OutcomeOf(err) != orchestration.Unknown {
			t.Errorf("announced %t: got %v", announced, err)
		}
		server.Close() // waits for the handler
		if got := written.Load(); got > 32<<20 {
			t.Errorf("announced %t: %d MB were taken", announced, got>>20)
		}
	}
}

func TestWrongEnvelope(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"data":{}}`:          "item: is missing",
		`{"items":[]}`:         "item: is missing",
		`[]`:                   "answer: is not an object",
		`"done"`:               "answer: is not an object",
		`7`:                    "answer: is not an object",
		`{"item":null}`:        "item: is null",
		`{"item":[]}`:          "item: is not an object",
		`{"item":"m"}`:         "item: is not an object",
		`{"item":{"id":null}}`: "item.id: is null or empty",
		strings.Replace(machineText, `"ownerId":"o"`, `"ownerId":null`, 1): "item.ownerId: is null",
	} {
		err := machine(t, answering(t, 200, body))
		api, ok := errors.AsType[*orchestration.APIError](err)
		if !ok || api.Code != orchestration.CodeInvalidResponseShape || api.Message != want {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
	list := answering(t, 200, `{"items":[null]}`)
	if _, err := list.ListMachines(t.Context(), orchestration.Page{}); err == nil || !strings.Contains(err.Error(), "items[0]: is null") {
		t.Errorf("a record that is null: %v", err)
	}
	for body, want := range map[string]string{
		`{"item":{}}`:                   "order: is missing",
		`{"order":null,"payment":null}`: "order: is null or empty",
	} {
		err := confirm(t, answering(t, 200, body))
		if !errors.Is(err, orchestration.CodeInvalidResponseShape) || !strings.Contains(err.Error(), want) ||
			orchestration.OutcomeOf(err) != orchestration.Unknown {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

const machineText = `{"item":{"id":"m","displayName":"d","status":"active","ownerId":"o","machineType":"t","runtimeProfile":"r",` +
	`"createdAt":"c","updatedAt":"u"}}`

func TestUnknownEnumValues(t *testing.T) {
	t.Parallel()
	client := answering(t, 200, strings.Replace(machineText, `"active"`, `"hibernating"`, 1))
	got, err := client.GetMachine(t.Context(), "m")
	if err != nil || got.Status != "hibernating" {
		t.Errorf("got %+v, %v", got, err)
	}
	err = confirm(t, answering(t, 409, `{"error":{"code":"NEW_CODE","message":"m"}}`))
	if !errors.Is(err, orchestration.Code("NEW_CODE")) || orchestration.OutcomeOf(err) != orchestration.NotActed {
		t.Errorf("got %v", err)
	}
}

func TestNumbersAsStringsAndStringsAsNumbers(t *testing.T) {
	t.Parallel()
	const payment = `{"item":{"id":"p","orderId":"o","machineId":"m","status":"held","rail":{"type":"wallet"},"amount":%s,"createdAt":"","updatedAt":""}}`
	for text, want := range map[string]string{`"1.50"`: "1.50", `1.50`: "1.50", `"1e-06"`: "1e-06"} {
		got, err := answering(t, 200, fmt.Sprintf(payment, text)).GetMarketPayment(t.Context(), "o")
		if err != nil || got.Amount.String() != want {
			t.Errorf("amount %s: got %+v, %v", text, got, err)
		}
	}
	for _, test := range []struct{ from, to, want string }{
		{`"id":"m"`, `"id":5`, "item.id: is not a string"},
		{`"ownerId":"o"`, `"ownerId":1.5`, "item.ownerId: is not a string"},
		{`"createdAt":"c"`, `"createdAt":1764000000`, "item.createdAt: is not a string"},
		{`"createdAt":"c"`, `"createdAt":"c","labels":{"a":1}`, "item.labels.a: is not a string"},
	} {
		err := machine(t, answering(t, 200, strings.Replace(machineText, test.from, test.to, 1)))
		if !errors.Is(err, orchestration.CodeInvalidResponseShape) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %s", test.to, err, test.want)
		}
	}
	err := answering(t, 200, `{"ok":"true"}`).CheckHealth(t.Context())
	if !errors.Is(err, orchestration.CodeInvalidResponseShape) {
		t.Errorf("a bool in quotes: %v", err)
	}
}

func TestTLSWithAWrongName(t *testing.T) {
	t.Parallel()
	var seen, dialled atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	client, err := orchestration.New(orchestration.Config{
		BaseURL: "https://orchestrator.invalid",
		HTTPClient: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				dialled.Add(1)
				return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{confirm(t, client), machine(t, client)} {
		network, ok := errors.AsType[*orchestration.NetworkError](err)
		if !ok || !strings.Contains(network.Error(), "certificate") || orchestration.OutcomeOf(err) != orchestration.NotActed {
			t.Errorf("got %v (%s), want a network error that has not acted", err, orchestration.OutcomeOf(err))
		}
	}
	if seen.Load() != 0 || dialled.Load() != 2 {
		t.Errorf("%d requests arrived, %d connections were made; want 0 and 2 (a certificate does not mend itself)", seen.Load(), dialled.Load())
	}
}

// TestSlowLoris: bytes keep coming, so that no wait on the socket is long, but the
// answer never ends.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			time.Sleep(5 * time.Millisecond)
		}
	}))
	t.Cleanup(server.Close)
	client, err := orchestration.New(orchestration.Config{
		BaseURL: server.URL, ReadTimeout: 200 * time.Millisecond, WriteTimeout: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, err := range []error{confirm(t, client), machine(t, client)} {
		network, ok := errors.AsType[*orchestration.NetworkError](err)
		if !ok || !network.Timeout() || orchestration.OutcomeOf(err) != orchestration.Unknown {
			t.Errorf("got %v, want a timeout", err)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

func TestCursorLoops(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]map[string]string{
		"to itself":       {"": "a", "a": "a"},
		"in a circle":     {"": "a", "a": "b", "b": "c", "c": "a"},
		"empty to itself": {"": ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := map[string]int{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked[r.URL.RawQuery]++
				fmt.Fprintf(w, `{"items":[],"nextCursor":%q}`, next[r.URL.Query().Get("cursor")])
			}))
			t.Cleanup(server.Close)
			var last error
			for _, err := range clientOf(t, server.URL).AllMarketOrders(t.Context(), "m", orchestration.Page{}) {
				last = err
			}
			if !errors.Is(last, orchestration.CodeInvalidResponseShape) || !strings.Contains(last.Error(), "followed before") {
				t.Errorf("got %v", last)
			}
			for query, times := range asked {
				if times > 1 {
					t.Errorf("%s was asked %d times", query, times)
				}
			}
		})
	}
}
