package orchestrationtest_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

func TestFaultsOnDemand(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	control := httptest.NewServer(b.Control())
	t.Cleanup(control.Close)
	write := func() error {
		_, err := b.try(t, "svc")
		return err
	}
	orders := func() int {
		page, err := b.client.ListMarketOrders(t.Context(), "mach_1", orchestration.Page{})
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Items)
	}
	for _, test := range []struct {
		fault string
		check func(error) bool
		acted int
	}{
		{`"kind":"refuse"`, network, 0},
		{`"kind":"lose-answer"`, network, 1},
		{`"kind":"nonsense"`, func(err error) bool { return errors.Is(err, orchestration.CodeBadResponse) }, 0},
		{`"kind":"error","status":503,"code":"BUSY"`, func(err error) bool { return errors.Is(err, orchestration.Code("BUSY")) }, 0},
		{`"kind":"delay","delay":"1ms"`, func(err error) bool { return err == nil }, 1},
	} {
		before := orders()
		ask(t, control.URL, http.MethodPost, "/faults", `{"method":"POST","path":"/api/v1/market/orders","times":1,`+test.fault+`}`, 200)
		if err := write(); !test.check(err) {
			t.Errorf("%s: %v", test.fault, err)
		}
		if got := orders() - before; got != test.acted {
			t.Errorf("%s: %d orders made, want %d", test.fault, got, test.acted)
		}
		if err := write(); err != nil {
			t.Errorf("after %s: %v", test.fault, err)
		}
	}
	ask(t, control.URL, http.MethodPost, "/faults", `{"path":"/api/v1/*/*","kind":"error","status":500}`, 200)
	if err := write(); err == nil {
		t.Error("a fault without times was over at once, or its pattern matches nothing")
	}
	ask(t, control.URL, http.MethodDelete, "/faults", "", 204)
	if err := write(); err != nil {
		t.Error(err)
	}
	for _, wrong := range []string{`{"path":"/x","kind":"explode"}`, `{"kind":"refuse"}`, `{"path":"/x","kind":"error"}`, `{"path":"[","kind":"refuse"}`, `{"path":"/x","kind":"delay","delay":"long"}`, `nonsense`} {
		ask(t, control.URL, http.MethodPost, "/faults", wrong, 400)
	}
}

func network(err error) bool {
	_, ok := errors.AsType[*orchestration.NetworkError](err)
	return ok
}

func TestSwitchesOnDemand(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	control := httptest.NewServer(b.Control())
	t.Cleanup(control.Close)
	ask(t, control.URL, http.MethodPatch, "/switches", `{"emptyAllowsNone":true}`, 200)
	if _, err := b.try(t, "svc"); !errors.Is(err, orchestration.CodeAgentPolicyDenied) {
		t.Errorf("turned: %v", err)
	}
	ask(t, control.URL, http.MethodPatch, "/switches", `{"emptyAllowsNone":false,"nonesuch":1}`, 400)
	if _, err := b.try(t, "svc"); !errors.Is(err, orchestration.CodeAgentPolicyDenied) {
		t.Errorf("a refused change changed something: %v", err)
	}
	ask(t, control.URL, http.MethodPatch, "/switches", `{"emptyAllowsNone":false}`, 200)
	if _, err := b.try(t, "svc"); err != nil {
		t.Errorf("turned back: %v", err)
	}
	var token orchestration.Secret
	b.do(t, func(given orchestration.Secret) error { token = given; return nil })
	for path, want := range map[string]orchestration.Code{"/sessions/expire": orchestration.CodeAgentAuthExpired, "/sessions/invalidate": orchestration.CodeAgentAuthInvalid} {
		ask(t, control.URL, http.MethodPost, path, "", 204)
		if _, err := b.client.CreatePaymentIntent(t.Context(), token, b.order.ID, orchestration.PaymentIntentRequest{}); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
		b.do(t, func(given orchestration.Secret) error {
			token = given
			_, err := b.client.CreatePaymentIntent(t.Context(), token, b.order.ID, orchestration.PaymentIntentRequest{})
			return err
		})
	}
	ask(t, control.URL, http.MethodGet, "/nonesuch", "", 404)
}

// TestPairingWithoutASignature: for clients that cannot sign, and only there.
func TestPairingWithoutASignature(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	control := httptest.NewServer(b.Control())
	t.Cleanup(control.Close)
	pair := func(body string) orchestration.AgentPairing {
		t.Helper()
		answer, err := http.Post(control.URL+"/machines/mach_1/agent-pairings", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var got struct{ Item orchestration.AgentPairing }
		if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%d, %v", answer.StatusCode, err)
		}
		return got.Item
	}
	got := pair("")
	if got.AgentRole != "buyer" || got.AgentAddress != orchestrationtest.DevController || got.Verification != nil {
		t.Errorf("got %+v", got)
	}
	if _, err := b.client.SearchMarket(t.Context(), got.PairingToken, orchestration.MarketSearchRequest{}); err != nil {
		t.Error(err)
	}
	if got := pair(`{"agentRole":"seller","delegationPolicy":{"perTransactionLimit":1}}`); got.AgentRole != "seller" || got.DelegationPolicy.PerTransactionLimit != "1" {
		t.Errorf("got %+v", got)
	}
	for body, status := range map[string]int{`{"agentRole":" "}`: 400, `{"agentAddress":"0x1"}`: 400, `{"delegationPolicy":{"perTransactionLimit":"1"}}`: 400} {
		ask(t, control.URL, http.MethodPost, "/machines/mach_1/agent-pairings", body, status)
	}
	ask(t, control.URL, http.MethodPost, "/machines/mach_none/agent-pairings", "", 404)
}

// TestNoControlByDefault: an orchestrator has no such path.
func TestNoControlByDefault(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	ask(t, b.url, http.MethodPost, "/_sandbox/faults", `{"path":"/*","kind":"refuse"}`, 404)
}
