package api

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

func TestUnknownRoutes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.do(http.MethodGet, "/nowhere", "").problem(t, RouteUnknown)
	r.do(http.MethodGet, "/v1/payments/", "").problem(t, RouteUnknown)
	a := r.do(http.MethodDelete, "/v1/payments", "")
	a.problem(t, MethodNotAllowed)
	if got, want := a.header.Get("Allow"), "GET"; got != want {
		t.Errorf("Allow: got %q, want %q", got, want)
	}
	if a := r.do(http.MethodGet, "/healthz?utm_source=x", ""); a.status != http.StatusOK {
		t.Errorf("a link with somebody's query: got %d", a.status)
	}
	if a := r.do(http.MethodHead, "/healthz", ""); a.status != http.StatusOK || len(a.body) != 0 {
		t.Errorf("HEAD: got %d %q", a.status, a.body)
	}
}

func TestPanics(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.api.router.Get("/boom", func(http.ResponseWriter, *http.Request) { panic("secret of the trade") })
	huma.Get(r.api.api, "/boom2", func(context.Context, *struct{}) (*struct{}, error) { panic("secret of the trade") })
	for _, path := range []string{"/boom", "/boom2"} {
		a := r.do(http.MethodGet, path, "")
		if p := a.problem(t, Internal); p.Detail != "" || strings.Contains(string(a.body), "secret") {
			t.Errorf("got %s, want no detail", a.body)
		}
	}
	if !strings.Contains(r.log.String(), "secret of the trade") {
		t.Error("the log does not say what happened")
	}
}

func TestDatabaseDown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeRead)
	if _, err := r.pool.Exec(t.Context(), "alter table api_keys rename to api_keys_away; alter table inbox rename to inbox_away"); err != nil {
		t.Fatal(err)
	}
	headers := sign(t, r.secret, "m1", time.Now(), orderCreated)
	r.do(http.MethodPost, webhookPath, orderCreated, headers...).problem(t, Internal)
	a := r.get("/v1/payments", key)
	a.problem(t, Internal)
	if strings.Contains(string(a.body), "api_keys") {
		t.Errorf("the answer shows our error: %s", a.body)
	}
	if _, err := r.pool.Exec(t.Context(), "alter table api_keys_away rename to api_keys; alter table inbox_away rename to inbox"); err != nil {
		t.Fatal(err)
	}
	into[accepted](t, r.do(http.MethodPost, webhookPath, orderCreated, headers...), http.StatusAccepted)
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.payable("acme")
	key, token := r.key("acme", scopeRead), r.runner.PayToken(id)
	into[payBody](t, r.do(http.MethodGet, "/v1/pay/"+token, "", "X-Request-Id", "mine-1"), http.StatusOK)
	r.do(http.MethodPost, "/v1/pay/"+token+"/transactions", `{"txid":"not-an-id"}`)
	r.get("/v1/payments?order_id=query-text", key)
	r.do(http.MethodGet, "/nowhere/"+token, "", "X-Request-Id", "bad\tid")
	var requests []map[string]any
	eventually(t, "four request lines", func() bool { // a line is written after the client has its answer
		requests = r.log.requests(t)
		return len(requests) == 4
	})
	want := []struct {
		method, route string
		status        float64
	}{
		{"GET", "/v1/pay/{token}", 200}, {"POST", "/v1/pay/{token}/transactions", 422}, {"GET", "/v1/payments", 200}, {"GET", "none", 404},
	}
	for i, w := range want {
		got := requests[i]
		if got["method"] != w.method || got["route"] != w.route || got["status"] != w.status || got["request_id"] == "" || got["duration"] == nil {
			t.Errorf("line %d: got %v, want %v", i, got, w)
		}
	}
	if got := requests[0]["request_id"]; got != "mine-1" {
		t.Errorf("request id: got %v, want the caller's", got)
	}
	for _, secret := range []string{token, key, "query-text", "not-an-id"} {
		if strings.Contains(r.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if got := into[health](t, r.do(http.MethodGet, "/healthz", ""), http.StatusOK); got != (health{"ok", "v0.0.0-test"}) {
		t.Errorf("got %+v", got)
	}
	if p := r.do(http.MethodGet, "/readyz", "").problem(t, NotReady); p.Detail != "" {
		t.Errorf("readiness tells everybody %q", p.Detail)
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() { stopped <- r.runner.Run(ctx) }()
	eventually(t, "ready", func() bool { return r.do(http.MethodGet, "/readyz", "").status == http.StatusOK })
	cancel()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	_, err := New(Config{
		PublicURL: "settler.example", TrustedProxies: []string{"10.0.0.1"}, Marketplaces: []Marketplace{{ID: "acme"}},
	})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, fault := range []string{"Runner", "PublicURL", "trusted proxy", "webhook secrets"} {
		if !strings.Contains(err.Error(), fault) {
			t.Errorf("got %v, want it to name %s", err, fault)
		}
	}
}
