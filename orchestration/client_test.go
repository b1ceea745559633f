package orchestration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

var recordedProof = orchestration.PaymentProof{
	VerificationMode: orchestration.VerificationRecorded, Chain: "eip155:8453", Token: "USDC", Amount: "1.50",
	PayerAddress: "0x1111111111111111111111111111111111111111", PayeeAddress: "0x2222222222222222222222222222222222222222",
	TransactionHash: "0x" + strings.Repeat("ab", 32),
}

func TestOneOrder(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	var heard []string
	m.OnOrder(func(machineID, orderID, event string) { heard = append(heard, event) })
	session := m.session(t, nil, nil)
	order := m.order(t, session)
	if order.Status != orchestration.OrderCreated || order.Payment.PayeeAddress != tokenService.Payment.PayeeAddress {
		t.Fatalf("new order: %+v", order)
	}
	if payment, err := m.client.GetMarketPayment(t.Context(), order.ID); payment != nil || err != nil {
		t.Fatalf("payment before its intent: %v, %v; want nil, nil", payment, err)
	}

	intent := orchestration.PaymentIntentRequest{Amount: "0.01", Rail: &orchestration.RailDetails{
		Type: orchestration.RailWDKUSDTTransfer, PayeeAddress: "0x3333333333333333333333333333333333333333",
	}}
	var payment orchestration.MarketPayment
	for range 2 { // the second gives the existing one
		err := session.Do(t.Context(), func(token orchestration.Secret) (err error) {
			payment, err = m.client.CreatePaymentIntent(t.Context(), token, order.ID, intent)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if payment.Amount != "1.50" || *payment.Currency != "USDC" || payment.Status != orchestration.PaymentIntentCreated {
		t.Errorf("intent: amount %q %v, %s; want the quote's 1.50 USDC, intent_created", payment.Amount, payment.Currency, payment.Status)
	}
	if payment.Rail.Type != intent.Rail.Type || payment.Rail.PayeeAddress != intent.Rail.PayeeAddress || payment.Rail.Chain != "base" {
		t.Errorf("intent's rail %+v does not echo the request", payment.Rail)
	}
	if got := string(payment.Rail.Metadata["rawAmount"]); got != `"1500000"` {
		t.Errorf("rawAmount %s", got)
	}
	if m.Intents(order.ID) != 1 {
		t.Errorf("%d intents, want 1", m.Intents(order.ID))
	}

	payment, err := m.client.SubmitPaymentProof(t.Context(), token(t, session), order.ID, recordedProof)
	if err != nil || payment.Status != orchestration.PaymentHeld || payment.Proof.TransactionHash != recordedProof.TransactionHash {
		t.Fatalf("proof: %+v, %v", payment, err)
	}
	if proofs := m.Proofs(order.ID); len(proofs) != 1 {
		t.Errorf("%d proofs accepted, want 1", len(proofs))
	}
	if _, err := m.client.ConfirmMarketOrder(t.Context(), token(t, session), order.ID); !errors.Is(err, orchestration.CodeOrderNotDelivered) {
		t.Errorf("confirm too early: %v", err)
	}
	executed, err := m.client.ExecuteMarketOrder(t.Context(), token(t, session), order.ID, orchestration.ExecuteMarketOrderRequest{})
	if err != nil || executed.Order.Status != orchestration.OrderDelivered || executed.Execution.Outcome == nil {
		t.Fatalf("execute: %+v, %v", executed, err)
	}
	confirmed, err := m.client.ConfirmMarketOrder(t.Context(), token(t, session), order.ID)
	if err != nil || confirmed.Order.Status != orchestration.OrderConfirmed || confirmed.Payment.Status != orchestration.PaymentReleasePending {
		t.Fatalf("confirm: %+v, %v", confirmed, err)
	}
	_, err = m.client.DisputeMarketOrder(t.Context(), token(t, session), order.ID, orchestration.DisputeMarketOrderRequest{Reason: "late"})
	if !errors.Is(err, orchestration.CodeOrderClosed) || orchestration.OutcomeOf(err) != orchestration.NotActed {
		t.Errorf("dispute of a closed order: %v", err)
	}
	want := []string{"order.created", "order.updated", "order.updated", "order.updated", "order.confirmed"}
	// The repeated intent changed nothing and is not told.
	if fmt.Sprint(heard) != fmt.Sprint(want) {
		t.Errorf("marketplace heard %v, want %v", heard, want)
	}
}

func TestListWalksPages(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	for i := range 205 {
		m.PutOrder(orchestration.MarketOrder{ID: fmt.Sprintf("ord_%03d", i), MachineID: m.machine, Status: "created"})
	}
	var ids []string
	for order, err := range m.client.AllMarketOrders(t.Context(), m.machine, orchestration.Page{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, order.ID)
	}
	if len(ids) != 205 || ids[0] != "ord_000" || ids[204] != "ord_204" {
		t.Errorf("%d orders from %v", len(ids), ids[:min(1, len(ids))])
	}
	_, err := m.client.ListMarketOrders(t.Context(), m.machine, orchestration.Page{Cursor: new("bad")})
	if !errors.Is(err, orchestration.CodeValidation) {
		t.Errorf("bad cursor: %v", err)
	}
}

func TestPaymentMissing(t *testing.T) {
	t.Parallel()
	for _, missing404 := range []bool{false, true} {
		m := newMarket(t, orchestrationtest.Config{Switches: orchestrationtest.Switches{PaymentMissing404: missing404}})
		order := m.order(t, m.session(t, nil, nil))
		if payment, err := m.client.GetMarketPayment(t.Context(), order.ID); payment != nil || err != nil {
			t.Errorf("404 %t, order without payment: %v, %v; want nil, nil", missing404, payment, err)
		}
		if _, err := m.client.GetMarketPayment(t.Context(), "ord_none"); !errors.Is(err, orchestration.CodeNotFound) {
			t.Errorf("404 %t, no such order: %v", missing404, err)
		}
	}
}

// TestWriteFaults plays the five faults of an outside call on a write: it is
// sent once, and the outcome says what the caller may believe.
func TestWriteFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault orchestrationtest.Fault
		want  orchestration.CallOutcome
		acted bool
	}{
		{"slow", orchestrationtest.Slow(time.Minute), orchestration.Unknown, true},
		{"500", orchestrationtest.Refuse(500), orchestration.Unknown, false},
		{"429", orchestrationtest.Refuse(429), orchestration.NotActed, false},
		{"408", orchestrationtest.Refuse(408), orchestration.Unknown, false},
		{"nonsense", orchestrationtest.Nonsense(), orchestration.Unknown, false},
		{"cut before acting", orchestrationtest.Refuse(0), orchestration.Unknown, false},
		{"acted, answer lost", orchestrationtest.LoseAnswer(), orchestration.Unknown, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newMarket(t, orchestrationtest.Config{})
			session := m.session(t, nil, nil)
			order := m.order(t, session)
			tok := token(t, session)
			if _, err := m.client.CreatePaymentIntent(t.Context(), tok, order.ID, orchestration.PaymentIntentRequest{}); err != nil {
				t.Fatal(err)
			}
			var sent atomic.Int32
			m.Fault(at(http.MethodPost, "/payment-proof", func() orchestrationtest.Fault { sent.Add(1); return test.fault }))
			client := m.client
			if test.fault.Delay > 0 { // an answer that comes too late
				var err error
				if client, err = orchestration.New(orchestration.Config{BaseURL: m.url, APIKey: platformKey, WriteTimeout: 3 * time.Second}); err != nil {
					t.Fatal(err)
				}
			}
			_, err := client.SubmitPaymentProof(t.Context(), tok, order.ID, recordedProof)
			if got := orchestration.OutcomeOf(err); got != test.want {
				t.Errorf("outcome %s, want %s (%v)", got, test.want, err)
			}
			if got := sent.Load(); got != 1 {
				t.Errorf("sent %d times, want 1", got)
			}
			m.Fault(nil)
			deadline := time.Now().Add(2 * time.Minute)
			for len(m.Proofs(order.ID)) == 0 && test.acted && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond) // the slow server acts after we left
			}
			if got := len(m.Proofs(order.ID)) == 1; got != test.acted {
				t.Errorf("acted %t, want %t", got, test.acted)
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		listener := httptest.NewServer(http.NotFoundHandler())
		listener.Close()
		_, err := clientOf(t, listener.URL).SubmitPaymentProof(t.Context(), "token", "ord_1", recordedProof)
		if got := orchestration.OutcomeOf(err); got != orchestration.NotActed {
			t.Errorf("outcome %s, want not_acted (%v)", got, err)
		}
		if _, ok := errors.AsType[*orchestration.NetworkError](err); !ok {
			t.Errorf("%T, want *NetworkError", err)
		}
	})
	t.Run("no error", func(t *testing.T) {
		t.Parallel()
		if got := orchestration.OutcomeOf(nil); got != orchestration.Acted {
			t.Errorf("outcome %s", got)
		}
	})
}

func TestReadsAreRepeated(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault orchestrationtest.Fault
		bad   int32 // so many answers are bad
		sent  int32
		ok    bool
	}{
		{"500 twice", orchestrationtest.Refuse(500), 2, 3, true},
		{"500 for ever", orchestrationtest.Refuse(500), 99, 3, false},
		{"cut once", orchestrationtest.Refuse(0), 1, 2, true},
		{"429 with Retry-After", orchestrationtest.Fault{Skip: true, Status: 429, RetryAfter: time.Second}, 1, 2, true},
		{"Retry-After beyond our patience", orchestrationtest.Fault{Skip: true, Status: 429, RetryAfter: time.Minute}, 1, 1, false},
		{"404", orchestrationtest.Refuse(404), 1, 1, false},
		{"nonsense", orchestrationtest.Nonsense(), 1, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newMarket(t, orchestrationtest.Config{})
			m.PutOrder(orchestration.MarketOrder{ID: "ord_1", MachineID: m.machine, Status: "created"})
			var sent atomic.Int32
			m.Fault(at(http.MethodGet, "/ord_1", func() orchestrationtest.Fault {
				if sent.Add(1) <= test.bad {
					return test.fault
				}
				return orchestrationtest.Fault{}
			}))
			_, err := m.client.GetMarketOrder(t.Context(), "ord_1")
			if (err == nil) != test.ok || sent.Load() != test.sent {
				t.Errorf("sent %d, want %d; err %v", sent.Load(), test.sent, err)
			}
		})
	}
}

func TestCallerShortensTheWait(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	m.Fault(func(*http.Request) orchestrationtest.Fault { return orchestrationtest.Slow(time.Minute) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := m.client.GetMachine(ctx, m.machine)
	network, ok := errors.AsType[*orchestration.NetworkError](err)
	if !ok || !network.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// secretRequests are requests and records that hold a secret.
func secretRequests(secret orchestration.Secret) []any {
	return []any{
		orchestration.MachineAgentHeartbeatRequest{AgentToken: secret, Endpoints: []orchestration.HeartbeatEndpoint{{AuthToken: secret}}},
		orchestration.UpsertRuntimeEndpointRequest{AuthToken: secret},
		orchestration.UpdateSkillConfigRequest{Credentials: map[string]orchestration.Secret{"k": secret}},
		orchestration.X402PaymentProof{PaymentSignature: secret},
		orchestration.ExecuteMarketOrderRequest{Payment: orchestration.X402Payment{PaymentSignature: secret}},
		&orchestration.X402Payment{PaymentSignature: secret},
		orchestration.PurchasePaymentProof{PaymentHeader: secret, RPCURL: secret},
		orchestration.PrepareBuyerAccessRequest{AgentToken: secret, Delivery: orchestration.PrepareDelivery{Connect: orchestration.Connect{URL: secret}}},
		orchestration.Connect{URL: secret},
		orchestration.PurchaseAccess{Delivery: orchestration.StreamDelivery{URL: secret, AccessToken: secret, Connect: orchestration.Connect{URL: secret}}},
		orchestration.MachineAgent{ProvisioningToken: secret},
	}
}

// TestNoSecretIsInAPanic lets a child of the test panic with what holds secrets.
func TestNoSecretIsInAPanic(t *testing.T) {
	t.Parallel()
	const secret = "PANICSECRET"
	client, err := orchestration.New(orchestration.Config{BaseURL: "https://a.example", APIKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	_, failed := client.GetMachine(t.Context(), "")
	values := []any{client, *client, failed, orchestration.Secret(secret), orchestration.Config{APIKey: secret}}
	if which := os.Getenv("SETTLER_TEST_PANIC"); which != "" {
		i, _ := strconv.Atoi(which)
		panic(values[i])
	}
	for i := range values {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoSecretIsInAPanic$") //nolint:gosec // ourselves
		child.Env = append(os.Environ(), "SETTLER_TEST_PANIC="+strconv.Itoa(i))
		out, err := child.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "panic:") || strings.Contains(string(out), secret) {
			t.Errorf("%T: %v\n%s", values[i], err, out)
		}
	}
}

// TestNoSecretIsShown sends what should never be seen everywhere it can come
// back from, and looks at every way of printing.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	const key, pairing = "KEYKEYKEY", "TOKTOKTOK"
	answers := map[string]string{
		"/api/v1/market/orders/echo/confirm": `{"error":{"code":"X","message":"bad KEYKEYKEY and TOKTOKTOK at peaqos-p2p://TOKTOKTOK/x now",` +
			`"details":{"apiKey":"KEYKEYKEY","list":[{"authToken":"TOKTOKTOK","note":"TOKTOKTOK","tokenAddress":"0x1"}]}}}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != key {
			t.Errorf("%s: api key is not spelled out on the wire", r.URL)
		}
		if body, ok := answers[r.URL.Path]; ok {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, body)
			return
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	cfg := orchestration.Config{BaseURL: server.URL, APIKey: key}
	client, err := orchestration.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, echoed := client.ConfirmMarketOrder(t.Context(), pairing, "echo")
	api, ok := errors.AsType[*orchestration.APIError](echoed)
	if !ok || !strings.Contains(string(api.Details), `"tokenAddress":"0x1"`) {
		t.Errorf("details lost what is no secret: %v", echoed)
	}
	_, cut := client.ListMachines(t.Context(), orchestration.Page{Cursor: new("KEYKEYKEY")})
	held := orchestration.AgentPairing{ID: "pair_1", PairingToken: pairing}
	credentials := orchestration.CreateMarketOrderRequest{
		ProviderCredentials: orchestration.ProviderCredentials{"akash": {"consoleApiKey": key}},
	}
	var log strings.Builder
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	var seen []string
	for _, value := range append(
		secretRequests(key), cfg, &cfg, client, *client, held, credentials, api, echoed, cut, orchestration.Secret(key), []orchestration.Secret{pairing},
	) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			seen = append(seen, fmt.Sprintf(verb, value))
		}
		logger.Info("value", "value", value)
		if text, err := json.Marshal(value); err == nil {
			seen = append(seen, string(text))
		}
	}
	seen = append(seen, log.String(), string(api.Details))
	for _, text := range seen {
		for _, secret := range []string{key, pairing, fmt.Sprintf("%x", key), fmt.Sprintf("%x", pairing)} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is shown in %s", secret, text)
			}
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var stolen atomic.Bool
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Store(true) }))
	t.Cleanup(thief.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(thief.URL, status))
		t.Cleanup(server.Close)
		_, err := clientOf(t, server.URL).CreateMarketOrder(t.Context(), "token", orchestration.CreateMarketOrderRequest{
			MachineID: "m", AgentPairingID: "p", ServiceID: "s",
		})
		if !errors.Is(err, orchestration.CodeBadResponse) || orchestration.OutcomeOf(err) != orchestration.Unknown {
			t.Errorf("%d: %v", status, err)
		}
	}
	if stolen.Load() {
		t.Error("a redirect was followed")
	}
}

func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"item":"`)
		chunk := []byte(strings.Repeat("x", 1<<20))
		for range 9 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
		fmt.Fprint(w, `"}`)
	}))
	t.Cleanup(server.Close)
	if _, err := clientOf(t, server.URL).GetMachine(t.Context(), "m"); !errors.Is(err, orchestration.CodeBadResponse) {
		t.Errorf("got %v", err)
	}
}

func TestPathIDIsOneSegment(t *testing.T) {
	t.Parallel()
	var path string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { path = r.RequestURI }))
	t.Cleanup(server.Close)
	client := clientOf(t, server.URL+"/base/")
	_, _ = client.GetMachine(t.Context(), "a/b?c#d%e ü")
	if want := "/base/api/v1/machines/a%2Fb%3Fc%23d%25e%20%C3%BC"; path != want {
		t.Errorf("got %s, want %s", path, want)
	}
	path = ""
	for _, id := range []string{"", "  ", ".", ".."} {
		if _, err := client.GetMachine(t.Context(), id); path != "" {
			t.Errorf("%q was sent: %v", id, err)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "ftp://a", "a.example", "http://", "https://user:SECRET@a.example", "https://a.example?key=SECRET", "https://a.example/%zzSECRET", "https://a#SECRET"} {
		_, err := orchestration.New(orchestration.Config{BaseURL: url})
		if _, ok := errors.AsType[*orchestration.ConfigError](err); !ok || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestBothNamesAreOneRail(t *testing.T) {
	t.Parallel()
	if !orchestration.RailMPP.Same(orchestration.RailXVV42) || orchestration.RailMPP.Same(orchestration.RailWallet) {
		t.Error("mpp and xvv42 are one rail, and no other")
	}
}
