package orchestrationtest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

const (
	token = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
	payer = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
	payee = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
)

var hash = "0x" + strings.Repeat("1f", 32)

// bench is a server with one machine, one session of its buyer and one order
// whose payment waits for a proof.
type bench struct {
	*orchestrationtest.Server
	url     string
	client  *orchestration.Client
	session *orchestration.Session
	pairing string
	order   orchestration.MarketOrder
}

func newBench(t *testing.T, cfg orchestrationtest.Config) *bench {
	t.Helper()
	cfg = benchConfig(cfg)
	return benchOn(t, orchestrationtest.New(cfg), cfg)
}

// benchConfig adds the bench's machine and services.
func benchConfig(cfg orchestrationtest.Config) orchestrationtest.Config {
	cfg.Machines = []orchestration.Machine{{ID: "mach_1", Status: orchestration.MachineActive, IdentityRef: "did:peaq:1"}}
	cfg.Services = []orchestrationtest.Service{
		{ID: "svc", Name: "S", ServiceType: "machine.commerce", Price: "2", Currency: "USDC", Payment: orchestration.RailRecommendation{
			DefaultRail: orchestration.RailWallet, Required: true, Chain: "eip155:31337", Token: "USDC", TokenAddress: token, PayeeAddress: payee,
		}},
		{ID: "free", Name: "F", ServiceType: "data.location", Payment: orchestration.RailRecommendation{DefaultRail: orchestration.RailNotRequired}},
		{ID: "vault", Name: "V", ServiceType: "storage.object", Price: "20", Currency: "USDC", EscrowAddress: payee, Payment: orchestration.RailRecommendation{
			DefaultRail: orchestration.RailEscrow, Required: true, Chain: "eip155:31337", Token: "USDC", TokenAddress: token, PayeeAddress: payee,
		}},
		{ID: "broken", Name: "B", ServiceType: "compute.marketplace", Fails: "out of order", Payment: orchestration.RailRecommendation{DefaultRail: orchestration.RailNotRequired}},
		{ID: "signed", Name: "X", ServiceType: "oracle.price-feed", Payment: orchestration.RailRecommendation{DefaultRail: orchestration.RailX402, Required: true, Chain: "eip155:31337"}, X402: challenge()},
		{ID: "away", Name: "A", ServiceType: "storage.object", External: true, Payment: orchestration.RailRecommendation{DefaultRail: orchestration.RailNotRequired}},
	}
	return cfg
}

func benchOn(t *testing.T, server *orchestrationtest.Server, cfg orchestrationtest.Config) *bench {
	t.Helper()
	b := &bench{Server: server}
	listener := httptest.NewServer(b.Server)
	t.Cleanup(listener.Close)
	b.url = listener.URL
	var err error
	if b.client, err = orchestration.New(orchestration.Config{BaseURL: listener.URL, APIKey: orchestration.Secret(cfg.APIKey)}); err != nil {
		t.Fatal(err)
	}
	b.session = b.pair(t, "buyer")
	if b.pairing, err = b.session.PairingID(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.order = b.place(t, "svc")
	return b
}

// challenge is what the provider of the x402 service asks for.
func challenge() *orchestrationtest.Requirements {
	wanted := &orchestrationtest.Requirements{Network: "eip155:31337", Asset: token, PayTo: payee, Amount: "10000", MaxTimeoutSeconds: 60}
	wanted.Extra.Name, wanted.Extra.Version = "USD Coin", "2"
	return wanted
}

func (b *bench) pair(t *testing.T, role string) *orchestration.Session {
	t.Helper()
	key, err := agentkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	session, err := orchestration.NewSession(orchestration.SessionConfig{
		Client: b.client, Signer: key, MachineID: "mach_1", AgentAddress: key.Address(), AgentProvider: "p", AgentRole: role,
	})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func (b *bench) place(t *testing.T, service string) (order orchestration.MarketOrder) {
	t.Helper()
	b.do(t, func(token orchestration.Secret) (err error) {
		order, err = b.client.CreateMarketOrder(t.Context(), token, orchestration.CreateMarketOrderRequest{
			MachineID: "mach_1", AgentPairingID: b.pairing, ServiceID: service,
		})
		return err
	})
	return order
}

// do makes a call that must work.
func (b *bench) do(t *testing.T, call func(orchestration.Secret) error) {
	t.Helper()
	if err := b.session.Do(t.Context(), call); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) intent(t *testing.T, orderID string) (payment orchestration.MarketPayment) {
	t.Helper()
	b.do(t, func(token orchestration.Secret) (err error) {
		payment, err = b.client.CreatePaymentIntent(t.Context(), token, orderID, orchestration.PaymentIntentRequest{})
		return err
	})
	return payment
}

func (b *bench) prove(t *testing.T, change func(*orchestration.PaymentProof)) (payment orchestration.MarketPayment, err error) {
	t.Helper()
	proof := orchestration.PaymentProof{
		VerificationMode: orchestration.VerificationRPC, Chain: "eip155:31337", Token: "USDC", PayerAddress: payer, PayeeAddress: payee,
		Amount: "2", TransactionHash: hash, TokenAddress: token, TokenDecimals: new(6), RawAmount: "2000000",
	}
	if change != nil {
		change(&proof)
	}
	err = b.session.Do(t.Context(), func(token orchestration.Secret) error {
		payment, err = b.client.SubmitPaymentProof(t.Context(), token, b.order.ID, proof)
		return err
	})
	return payment, err
}

// post sends JSON as it is, and gives code and status of the answer.
func (b *bench) post(t *testing.T, path, token, body string) (orchestration.Code, int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Agent-Pairing-Token", token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var said struct {
		Error struct {
			Code orchestration.Code `json:"code"`
		} `json:"error"`
	}
	if err := json.NewDecoder(res.Body).Decode(&said); err != nil {
		t.Fatal(err)
	}
	return said.Error.Code, res.StatusCode
}

// chain answers eth_getTransactionReceipt with what a test sets.
type chain struct {
	mu      sync.Mutex
	receipt string // JSON of the whole answer, or "" for a receipt that pays
	asked   string
}

func (c *chain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	c.asked = string(body)
	if c.receipt == "500" {
		w.WriteHeader(http.StatusInternalServerError)
	}
	_, _ = io.WriteString(w, c.receipt)
}

const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

func receiptOf(status, token, from, to, amount string) string {
	pad := func(address string) string { return "0x" + strings.Repeat("0", 24) + strings.ToLower(address[2:]) }
	return `{"jsonrpc":"2.0","id":1,"result":{"status":"` + status + `","logs":[{"address":"0x00000000000000000000000000000000000000aa","topics":[],"data":"0x"},` +
		`{"address":"` + strings.ToLower(token) + `","topics":["` + transferTopic + `","` + pad(from) + `","` + pad(to) + `"],"data":"` + amount + `"}]}}`
}

func TestRPCProofLooksAtTheChain(t *testing.T) {
	t.Parallel()
	const two = "0x00000000000000000000000000000000000000000000000000000000001e8480" // 2_000_000
	for _, test := range []struct {
		name    string
		receipt string
		want    orchestration.Code // "" is accepted
		status  int
	}{
		{"transfer matches", receiptOf("0x1", token, payer, payee, two), "", 0},
		{"no receipt", `{"jsonrpc":"2.0","id":1,"result":null}`, orchestration.CodePaymentNotMined, 409},
		{"reverted", receiptOf("0x0", token, payer, payee, two), orchestration.CodePaymentTxFailed, 402},
		{"another token", receiptOf("0x1", payer, payer, payee, two), orchestration.CodePaymentTransferNotFound, 400},
		{"another payer", receiptOf("0x1", token, payee, payee, two), orchestration.CodePaymentTransferNotFound, 400},
		{"another payee", receiptOf("0x1", token, payer, payer, two), orchestration.CodePaymentTransferNotFound, 400},
		{"one more", receiptOf("0x1", token, payer, payee, two[:65]+"1"), orchestration.CodePaymentTransferNotFound, 400},
		{"RPC error", `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"busy"}}`, orchestration.CodePaymentRPCError, 502},
		{"RPC nonsense", `<html>`, orchestration.CodePaymentRPCError, 502},
		{"RPC down", `500`, orchestration.CodePaymentRPCError, 502},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			node := &chain{receipt: test.receipt}
			listener := httptest.NewServer(node)
			t.Cleanup(listener.Close)
			b := newBench(t, orchestrationtest.Config{RPC: map[string]string{"eip155:31337": listener.URL}})
			b.intent(t, b.order.ID)
			payment, err := b.prove(t, nil)
			if !strings.Contains(node.asked, `"eth_getTransactionReceipt"`) || !strings.Contains(node.asked, hash) {
				t.Errorf("the chain was asked %q", node.asked)
			}
			order, _ := b.Order(b.order.ID)
			if test.want != "" {
				api, ok := errors.AsType[*orchestration.APIError](err)
				if !ok || api.Code != test.want || api.Status != test.status || len(b.Proofs(b.order.ID)) != 0 || order.Status != orchestration.OrderPaymentPending {
					t.Errorf("got %v, order %s; want %s (%d)", err, order.Status, test.want, test.status)
				}
				return
			}
			if err != nil || payment.Status != orchestration.PaymentHeld || payment.Rail.Type != orchestration.RailWDKUSDTTransfer || order.Status != orchestration.OrderReady {
				t.Errorf("got %+v, %v, order %s", payment, err, order.Status)
			}
			if _, err := b.prove(t, nil); !errors.Is(err, orchestration.CodeValidation) || len(b.Proofs(b.order.ID)) != 1 {
				t.Errorf("a second proof: %v, %d accepted", err, len(b.Proofs(b.order.ID)))
			}
		})
	}
}

func TestProofIsRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	if _, err := b.prove(t, nil); !errors.Is(err, orchestration.CodeNotFound) {
		t.Errorf("without an intent: %v", err)
	}
	b.intent(t, b.order.ID)
	if _, err := b.prove(t, nil); !errors.Is(err, orchestration.CodePaymentRPCRequired) {
		t.Errorf("without an RPC: %v", err)
	}
	b.SetRPC("eip155:31337", "http://127.0.0.1:1/SECRET")
	if _, err := b.prove(t, nil); !errors.Is(err, orchestration.CodePaymentRPCError) || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("RPC refused: %v", err)
	}
	for name, change := range map[string]func(*orchestration.PaymentProof){
		"no raw amount":            func(p *orchestration.PaymentProof) { p.RawAmount = "" },
		"no token":                 func(p *orchestration.PaymentProof) { p.TokenAddress = "" },
		"no transaction":           func(p *orchestration.PaymentProof) { p.TransactionHash = "" },
		"unknown mode":             func(p *orchestration.PaymentProof) { p.VerificationMode = "trust" },
		"no payee":                 func(p *orchestration.PaymentProof) { p.PayeeAddress = " " },
		"solana without signature": func(p *orchestration.PaymentProof) { p.Chain = "solana:mainnet" },
	} {
		if _, err := b.prove(t, change); !errors.Is(err, orchestration.CodeValidation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	payment, err := b.prove(t, func(p *orchestration.PaymentProof) { p.Chain, p.TransactionSignature = "solana", "5VER" })
	if err != nil || payment.Proof.VerificationMode != orchestration.VerificationRecorded || payment.Proof.TransactionSignature != "5VER" {
		t.Errorf("solana is always recorded: %+v, %v", payment.Proof, err)
	}
}

func TestOrdersByTheTable(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	execute := func(id string) (got orchestration.ExecuteMarketOrderAnswer, err error) {
		err = b.session.Do(t.Context(), func(token orchestration.Secret) error {
			got, err = b.client.ExecuteMarketOrder(t.Context(), token, id, orchestration.ExecuteMarketOrderRequest{})
			return err
		})
		return got, err
	}
	if _, err := execute(b.order.ID); !errors.Is(err, orchestration.CodePaymentRequired) {
		t.Errorf("unpaid: %v", err)
	}
	free := b.place(t, "free")
	if payment := b.intent(t, free.ID); payment.Status != orchestration.PaymentNotRequired || payment.Amount != "" {
		t.Errorf("free intent: %+v", payment)
	}
	if got, err := execute(free.ID); err != nil || got.Order.Status != orchestration.OrderDelivered {
		t.Errorf("free: %+v, %v", got, err)
	}
	if _, err := execute(free.ID); !errors.Is(err, orchestration.CodeExecutionUnsupported) {
		t.Errorf("again: %v", err)
	}
	away := b.place(t, "away")
	if got, err := execute(away.ID); err != nil || got.Execution.StatusCode != 202 || got.Order.Status != orchestration.OrderHandoff {
		t.Errorf("external: %+v, %v", got, err)
	}
	b.do(t, func(token orchestration.Secret) error {
		disputed, err := b.client.DisputeMarketOrder(t.Context(), token, away.ID, orchestration.DisputeMarketOrderRequest{Reason: "r", Evidence: map[string]any{"a_b": 1}})
		if err == nil && (disputed.Order.Status != orchestration.OrderDisputed || disputed.Payment != nil || string(disputed.Dispute.Evidence["a_b"]) != "1") {
			t.Errorf("dispute: %+v", disputed)
		}
		return err
	})
	if _, err := execute(away.ID); !errors.Is(err, orchestration.CodeOrderClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestPayoutsByTheTable posts release and refund as the SDK does: without a body.
func TestPayoutsByTheTable(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	b.intent(t, b.order.ID)
	var tok string
	b.do(t, func(token orchestration.Secret) error { tok = string(token); return nil })
	path := "/market/orders/" + b.order.ID + "/payment/"
	for _, test := range []struct {
		from orchestration.PaymentStatus
		call string
		want orchestration.PaymentStatus
	}{
		{"intent_created", "release", ""},
		{"held", "release", ""},
		{"release_pending", "release", "released"},
		{"released", "release", ""},
		{"frozen", "release", ""},
		{"held", "refund", "refunded"},
		{"frozen", "refund", "refunded"},
		{"release_pending", "refund", "refunded"},
		{"intent_created", "refund", ""},
		{"released", "refund", ""},
		{"refunded", "refund", ""},
	} {
		payment, _ := b.Payment(b.order.ID)
		payment.Status = test.from
		b.PutPayment(payment)
		code, status := b.post(t, path+test.call, tok, "")
		payment, _ = b.Payment(b.order.ID)
		if test.want == "" && (code != orchestration.CodeValidation || payment.Status != test.from) || test.want != "" && (status != 200 || payment.Status != test.want) {
			t.Errorf("%s of %s: %s %d, payment %s", test.call, test.from, code, status, payment.Status)
		}
	}
}

func TestQuoteExpires(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := newBench(t, orchestrationtest.Config{Now: func() time.Time { return now }, QuoteTTL: time.Minute})
	var found orchestration.MarketSearch
	b.do(t, func(token orchestration.Secret) (err error) {
		found, err = b.client.SearchMarket(t.Context(), token, orchestration.MarketSearchRequest{ServiceType: "commerce"})
		return err
	})
	if len(found.Quotes) != 1 || found.Quotes[0].Pricing.Amount != "2" {
		t.Fatalf("quotes: %+v", found.Quotes)
	}
	kept, err := b.client.GetMarketSearch(t.Context(), found.ID)
	if err != nil || string(kept.Request["serviceType"]) != `"commerce"` || kept.Quotes[0].ID != found.Quotes[0].ID {
		t.Errorf("kept search: %+v, %v", kept, err)
	}
	now = now.Add(time.Minute)
	err = b.session.Do(t.Context(), func(token orchestration.Secret) error {
		_, err := b.client.CreateMarketOrder(t.Context(), token, orchestration.CreateMarketOrderRequest{
			MachineID: "mach_1", AgentPairingID: b.pairing, ServiceID: "svc", SearchID: found.ID, QuoteID: found.Quotes[0].ID,
		})
		return err
	})
	if !errors.Is(err, orchestration.CodeQuoteExpired) {
		t.Errorf("got %v", err)
	}
}

func TestWhoMayCall(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{APIKey: "right", Switches: orchestrationtest.Switches{BuyerOnly: true}})
	for key, want := range map[orchestration.Secret]orchestration.Code{"": orchestration.CodeAuthRequired, "wrong": orchestration.CodeAuthInvalid} {
		client, err := orchestration.New(orchestration.Config{BaseURL: b.url, APIKey: key})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.ListMachines(t.Context(), orchestration.Page{}); !errors.Is(err, want) {
			t.Errorf("key %q: %v", string(key), err)
		}
		if err := client.CheckHealth(t.Context()); err != nil {
			t.Errorf("health needs no key: %v", err)
		}
	}
	for text, want := range map[string]orchestration.Code{
		"": orchestration.CodeAgentAuthRequired, "a.b.c": orchestration.CodeAgentAuthInvalid,
		// alg none
		"eyJhbGciOiJub25lIn0.eyJtYWNoaW5lSWQiOiJtYWNoXzEiLCJleHAiOjk5OTk5OTk5OTl9.": orchestration.CodeAgentAuthInvalid,
	} {
		if code, status := b.post(t, "/market/search", text, "{}"); code != want || status != 401 {
			t.Errorf("token %q: %s %d", text, code, status)
		}
	}
	err := b.pair(t, "settlement").Do(t.Context(), func(token orchestration.Secret) error {
		_, err := b.client.CreatePaymentIntent(t.Context(), token, b.order.ID, orchestration.PaymentIntentRequest{})
		return err
	})
	if !errors.Is(err, orchestration.CodeAgentPolicyDenied) {
		t.Errorf("another pairing: %v", err)
	}
}

func TestChallengesAreUsedOnceAndInTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	b := newBench(t, orchestrationtest.Config{Now: func() time.Time { return now }})
	key, err := agentkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	ask := func() orchestration.AgentPairingChallenge {
		challenge, err := b.client.CreateAgentPairingChallenge(t.Context(), "mach_1", orchestration.AgentPairingChallengeRequest{
			AgentAddress: key.Address(), AgentProvider: "p", AgentRole: "r",
		})
		if err != nil {
			t.Fatal(err)
		}
		return challenge
	}
	pair := func(challenge orchestration.AgentPairingChallenge, message, role string) error {
		signature, err := key.SignMessage(t.Context(), []byte(message))
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.client.CreateAgentPairing(t.Context(), "mach_1", orchestration.CreateAgentPairingRequest{
			AgentAddress: key.Address(), AgentProvider: "p", AgentRole: role,
			AgentProof: orchestration.ChallengeProof{ChallengeID: challenge.ChallengeID, Signature: signature},
		})
		return err
	}
	challenge := ask()
	if err := pair(challenge, challenge.Message+"\n", "r"); !errors.Is(err, orchestration.CodeAgentPairingProofInvalid) {
		t.Errorf("another text: %v", err)
	}
	if err := pair(challenge, challenge.Message, "other"); !errors.Is(err, orchestration.CodeAgentPairingProofInvalid) {
		t.Errorf("another role: %v", err)
	}
	if err := pair(challenge, challenge.Message, "r"); err != nil {
		t.Errorf("right: %v", err)
	}
	if err := pair(challenge, challenge.Message, "r"); !errors.Is(err, orchestration.CodeAgentPairingProofInvalid) {
		t.Errorf("twice: %v", err)
	}
	challenge = ask()
	now = now.Add(time.Hour)
	if err := pair(challenge, challenge.Message, "r"); !errors.Is(err, orchestration.CodeAgentPairingProofExpired) {
		t.Errorf("late: %v", err)
	}
	if code, _ := b.post(t, "/machines/mach_1/agent-pairings", "", `{"agentAddress":"`+key.Address()+`","agentProvider":"p","agentRole":"r"}`); code != orchestration.CodeAgentPairingProofRequired {
		t.Errorf("no proof: %s", code)
	}
}

func TestIntentTakesABareRailName(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	var tok string
	b.do(t, func(token orchestration.Secret) error { tok = string(token); return nil })
	if _, status := b.post(t, "/market/orders/"+b.order.ID+"/payment-intent", tok, `{"rail":"xvv42"}`); status != 201 {
		t.Errorf("status %d", status)
	}
	if payment, _ := b.Payment(b.order.ID); payment.Rail.Type != orchestration.RailXVV42 || payment.Rail.PayeeAddress != payee || payment.Amount != "2" {
		t.Errorf("payment %+v", payment)
	}
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// signAsController signs with the key of orchestrationtest.DevController.
func signAsController(t *testing.T, message string) string {
	t.Helper()
	key, err := agentkey.FromHex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.SignMessage(t.Context(), []byte(message))
	if err != nil {
		t.Fatal(err)
	}
	return signature
}
