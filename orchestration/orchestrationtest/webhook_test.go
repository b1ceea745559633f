package orchestrationtest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver is a marketplace's end of webhooks: it checks each with the standard's
// own library and answers.
type receiver struct {
	t      *testing.T
	mu     sync.Mutex // owns what follows
	refuse int        // so many more are answered with 503, the others with 202
	ids    []string
	types  []string
	orders []string
	came   chan struct{}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	checker, err := standardwebhooks.NewWebhook(webhookSecret)
	if err == nil {
		err = checker.Verify(body, req.Header)
	}
	if err != nil {
		r.t.Errorf("webhook: %v", err)
	}
	var said struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      struct {
			MachineID string `json:"machineId"`
			OrderID   string `json:"orderId"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Data.MachineID != "mach_1" || said.Timestamp.IsZero() {
		r.t.Errorf("webhook %s: %v", body, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids, r.types = append(r.ids, req.Header.Get("webhook-id")), append(r.types, said.Type)
	r.orders = append(r.orders, said.Data.OrderID)
	if r.refuse > 0 {
		r.refuse--
		w.WriteHeader(http.StatusServiceUnavailable)
	} else {
		w.WriteHeader(http.StatusAccepted)
	}
	select {
	case r.came <- struct{}{}:
	default:
	}
}

// await waits until n webhooks came, and gives their types and ids.
func (r *receiver) await(n int) (types, ids []string) {
	r.t.Helper()
	for deadline := time.After(2 * time.Minute); ; {
		r.mu.Lock()
		types, ids = slices.Clone(r.types), slices.Clone(r.ids)
		r.mu.Unlock()
		if len(types) >= n {
			return types, ids
		}
		select {
		case <-r.came:
		case <-deadline:
			r.t.Fatalf("%d webhooks of %d: %v", len(types), n, types)
		}
	}
}

func newReceiver(t *testing.T) (*receiver, orchestrationtest.Config) {
	t.Helper()
	r := &receiver{t: t, came: make(chan struct{}, 1)}
	listener := httptest.NewServer(r)
	t.Cleanup(listener.Close)
	return r, orchestrationtest.Config{Webhook: orchestrationtest.Webhook{URL: listener.URL, Secret: webhookSecret}}
}

// deliver lets the server deliver until the returned function is called.
func deliver(t *testing.T, server *orchestrationtest.Server) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Deliver(ctx)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return stop
}

func TestWebhooksAreSentUntilAccepted(t *testing.T) {
	t.Parallel()
	r, cfg := newReceiver(t)
	r.refuse = 2
	b := newBench(t, cfg)
	deliver(t, b.Server)
	b.intent(t, b.order.ID)
	types, ids := r.await(4)
	if !slices.Equal(types, []string{"order.created", "order.created", "order.created", "order.updated"}) || ids[0] != ids[1] || ids[1] != ids[2] {
		t.Errorf("got %v %v, want the first one until it was accepted", types, ids)
	}
}

// TestWebhooksAreSentAfterARestart: those of a program that ended are sent by the
// next.
func TestWebhooksAreSentAfterARestart(t *testing.T) {
	t.Parallel()
	r, cfg := newReceiver(t)
	dir := t.TempDir()
	server, err := orchestrationtest.Open(benchConfig(cfg), dir)
	if err != nil {
		t.Fatal(err)
	}
	b := benchOn(t, server, cfg)
	again, err := orchestrationtest.Open(benchConfig(cfg), dir)
	if err != nil {
		t.Fatal(err)
	}
	stop := deliver(t, again)
	if types, _ := r.await(1); types[0] != "order.created" || r.orders[0] != b.order.ID {
		t.Errorf("got %v", types)
	}
	// The row goes after the answer; only then is it not sent again.
	for deadline := time.Now().Add(2 * time.Minute); again.Undelivered() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the accepted webhook is still to be sent")
		}
	}
	stop()
}

func TestWebhooksOnDemand(t *testing.T) {
	t.Parallel()
	r, cfg := newReceiver(t)
	b := newBench(t, cfg) // order.created
	control := httptest.NewServer(b.Control())
	t.Cleanup(control.Close)
	ask(t, control.URL, http.MethodPut, "/webhooks", `{"double":true,"hold":3}`, 200)
	deliver(t, b.Server)
	b.intent(t, b.order.ID)                                                                        // order.updated
	ask(t, control.URL, http.MethodPost, "/orders/"+b.order.ID+"/events/order.cancelled", "", 204) // a lie, on demand
	types, ids := r.await(6)
	want := []string{"order.cancelled", "order.cancelled", "order.updated", "order.updated", "order.created", "order.created"}
	if !slices.Equal(types, want) || ids[0] != ids[1] || ids[1] == ids[2] {
		t.Errorf("got %v %v", types, ids)
	}
}

// ask calls the control endpoint.
func ask(t *testing.T, url, method, path, body string, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != want {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
}
