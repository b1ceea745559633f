package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
	"github.com/settler-pay/settler/verify/solana"
)

const (
	chainID  = settlement.ChainID("eip155:31337")
	tokenHex = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
	payeeHex = "0x52908400098527886E0F7030069857D2E4169EE7"
	payerHex = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"
)

const walletHex = "0x00000000000000000000000000000000000000B0"

// wallet is the operator's, which nothing leaves here.
type wallet struct{ jobs.Mover }

func (wallet) Signer() settlement.Address {
	return settlement.Address(common.HexToAddress(walletHex).Bytes())
}

// rig is the API over HTTP on a real database and a real Runner, whose chain and orchestrator cannot be reached: nothing
// here needs them, and what tests of payments need they send through the one door.
type rig struct {
	t      *testing.T
	pool   *pgxpool.Pool
	runner *jobs.Runner
	api    *server
	url    string
	log    *logBuffer
	secret string // of the marketplace acme
	old    string // the one before, still accepted
	issuer *issuer
	orders int
	nonces [2]uint64 // of every account on the EVM chain: in blocks, and with those that wait
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := rigOn(t, pgtest.New(t))
	t.Cleanup(func() { pgtest.CheckBooks(t, r.pool) })
	return r
}

// rigOn is a rig on a database whose books are not checked.
func rigOn(t *testing.T, pool *pgxpool.Pool) *rig {
	t.Helper()
	r := &rig{t: t, pool: pool, log: new(logBuffer), secret: newSecret(), old: newSecret(), issuer: newIssuer(t)}
	logger := slog.New(slog.NewJSONHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	token := settlement.Token{Chain: chainID, Address: address(t, tokenHex), Symbol: "USDC", Decimals: 6}
	chain, err := evm.New(evm.Config{
		Chain: chainID, Endpoints: []evm.Endpoint{{Name: "none", URL: "http://127.0.0.1:1"}}, Tokens: []settlement.Token{token},
		Finality: evm.Finality{Depth: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := solana.New(solana.Config{
		Chain: solana.Mainnet, Endpoints: []solana.Endpoint{{Name: "none", URL: "http://127.0.0.1:1"}},
		Tokens: []solana.Token{{Token: settlement.Token{Chain: solana.Mainnet, Symbol: "SOL", Decimals: 9}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	client, err := orchestration.New(orchestration.Config{BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	r.runner, err = jobs.New(jobs.Config{
		Pool: r.pool, DirectURL: r.pool.Config().ConnString(), PayTokenKey: make([]byte, 32), Logger: logger,
		Marketplaces: []jobs.Marketplace{{
			ID: "acme", Client: client, Gate: jobs.NewGate(http.DefaultTransport, 0), Deadline: time.Hour,
			Session: func(string) (*orchestration.Session, error) { return nil, fmt.Errorf("no orchestrator") },
		}},
		Chains: []jobs.Chain{{
			ApprovalAbove: map[settlement.Address]settlement.Amount{token.Address: settlement.NewAmount(2_000_000)},
			ID:            chainID, Aliases: []string{"dev"}, Tokens: []settlement.Token{token}, Explorer: "https://explorer.example/",
			Refunds: &jobs.Refunds{
				Mover: wallet{}, BumpAfter: time.Minute, HasCode: func(context.Context, settlement.Address) (bool, error) { return false, nil },
			},
			PollInterval: time.Second, Verifier: chain, Watcher: chain, ParseAddress: evm.ParseAddress, FormatAddress: evm.FormatAddress,
			ParseTxID: evm.ParseTxID, FormatTxID: evm.FormatTxID, CheckSignature: chain.CheckSignature,
			Nonces: func(context.Context, settlement.Address) (jobs.Standing, error) {
				return jobs.Standing{Mined: r.nonces[0], Known: r.nonces[1]}, nil
			},
		}, {
			ID: solana.Mainnet, Aliases: []string{"solana"}, PollInterval: time.Second, Verifier: cluster, Accounts: cluster, References: true,
			ParseAddress: solana.ParseAddress, FormatAddress: solana.FormatAddress, ParseTxID: solana.ParseTxID, FormatTxID: solana.FormatTxID,
			CheckSignature: solana.CheckSignature,
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r.api, err = newServer(Config{
		Identity: &Identity{Issuer: r.issuer.url, Audience: "settler", Client: http.DefaultClient},
		Runner:   r.runner, Pool: r.pool, PublicURL: "https://settler.example/", Logger: logger, Version: "v0.0.0-test",
		Marketplaces: []Marketplace{{ID: "acme", WebhookSecrets: []string{r.secret, r.old}}, {ID: "other", WebhookSecrets: []string{newSecret()}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r.api.router)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

// key makes an API key of a machine that has been known for two days.
func (r *rig) key(marketplace, scope string) string {
	r.t.Helper()
	return r.keyOf(nil, marketplace, scope, 48*time.Hour)
}

// keyOf makes an API key of the person, or of a machine, that has been known for so long.
func (r *rig) keyOf(person *store.Person, marketplace, scope string, age time.Duration) string {
	r.t.Helper()
	key, hash := NewKey()
	err := store.CreateAPIKey(r.t.Context(), r.pool, store.APIKey{
		ID: newID(), Marketplace: marketplace, Name: "test", Scope: scope, Person: person, CreatedAt: time.Now().Add(-age),
	}, hash)
	if err != nil {
		r.t.Fatal(err)
	}
	return key
}

// person makes somebody known who has had the scope for two days; the subject is the name.
func (r *rig) person(name, marketplace, scope string) *store.Person {
	r.t.Helper()
	p := &store.Person{
		ID: newID(), Issuer: r.issuer.url, Subject: name, Name: name, Marketplace: marketplace, Scope: scope, CreatedAt: time.Now().Add(-48 * time.Hour),
	}
	if err := store.CreatePerson(r.t.Context(), r.pool, *p); err != nil {
		r.t.Fatal(err)
	}
	return p
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request; headers come in pairs.
func (r *rig) do(method, path, body string, headers ...string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	a := answer{res.StatusCode, res.Header, text}
	r.documented(req, a)
	return a
}

// documented checks that the OpenAPI document promises such an answer: the status, and of a problem the code.
func (r *rig) documented(req *http.Request, a answer) {
	r.t.Helper()
	route := chi.NewRouteContext()
	if !r.api.router.Match(route, req.Method, req.URL.EscapedPath()) {
		return
	}
	path := r.api.api.OpenAPI().Paths[route.RoutePattern()]
	if path == nil {
		return
	}
	op := map[string]*huma.Operation{http.MethodGet: path.Get, http.MethodPost: path.Post}[req.Method]
	if op == nil || op.Responses["default"] != nil { // the latter is a test's own
		return
	}
	var p Problem
	promised := op.Responses[strconv.Itoa(a.status)]
	if promised == nil || a.status >= 400 && (json.Unmarshal(a.body, &p) != nil || !strings.Contains(promised.Description, "`"+string(p.Code)+"`")) {
		r.t.Errorf("%s %s is not documented to answer %d %s", req.Method, route.RoutePattern(), a.status, a.body)
	}
}

func (r *rig) get(path, key string) answer {
	r.t.Helper()
	return r.do(http.MethodGet, path, "", "Authorization", "Bearer "+key)
}

// problem checks that the answer is the problem with the code, whole and in the right form.
func (a answer) problem(t *testing.T, code Code) Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		t.Fatalf("got %d %s, want a problem %s", a.status, a.body, code)
	}
	if p.Code != code || a.status != kinds[code].status {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, kinds[code].status, code)
	}
	if got, want := a.header.Get("Content-Type"), "application/problem+json"; got != want {
		t.Errorf("content type: got %q, want %q", got, want)
	}
	if p.RequestID == "" || p.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("request id: body has %q, header %q", p.RequestID, a.header.Get("X-Request-Id"))
	}
	want := Problem{
		Type: "urn:settler:problem:" + string(code), Title: kinds[code].title, Status: kinds[code].status, Code: code,
		Detail: p.Detail, RequestID: p.RequestID, Errors: p.Errors,
	}
	if diff := cmp.Diff(want, p, cmp.AllowUnexported(Problem{})); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
	return p
}

// into decodes a success.
func into[T any](t *testing.T, a answer, status int) T {
	t.Helper()
	var v T
	if a.status != status {
		t.Fatalf("got %d %s, want %d", a.status, a.body, status)
	}
	decoder := json.NewDecoder(bytes.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("decode %s: %v", a.body, err)
	}
	return v
}

// order records an order of the marketplace; its payment is new.
func (r *rig) order(marketplace string) (orderID string, id settlement.PaymentID) {
	r.t.Helper()
	r.orders++
	orderID = fmt.Sprintf("ord_%d", r.orders)
	return orderID, r.orderNamed(marketplace, orderID)
}

func (r *rig) orderNamed(marketplace, orderID string) settlement.PaymentID {
	r.t.Helper()
	id := newID()
	err := pgx.BeginFunc(r.t.Context(), r.pool, func(tx pgx.Tx) error {
		_, err := store.InsertPayments(r.t.Context(), tx, []store.NewPayment{{
			ID: id, Marketplace: marketplace, OrderID: orderID, MachineID: "mach_1", Rail: "wallet",
			PayTokenHash: jobs.HashPayToken(r.runner.PayToken(id)),
		}}, store.Never, time.Now())
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return id
}

// payable records an order that awaits a payment of 1.5 USDC.
func (r *rig) payable(marketplace string) (orderID string, id settlement.PaymentID) {
	r.t.Helper()
	orderID, id = r.order(marketplace)
	r.open(id)
	return orderID, id
}

// open hands out the terms of the payment.
func (r *rig) open(id settlement.PaymentID) {
	r.t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	r.advance(settlement.Event{ID: "opened", Payment: id, Kind: settlement.EventOrderOpened},
		settlement.Event{ID: "ready", Payment: id, Kind: settlement.EventIntentReady, Platform: "pending", Terms: &settlement.Terms{
			Token: settlement.Token{Chain: chainID, Address: address(r.t, tokenHex), Symbol: "USDC", Decimals: 6},
			Payee: address(r.t, payeeHex), Amount: settlement.NewAmount(1_500_000), NamedPayer: address(r.t, payerHex),
			NotBefore: now.Add(-time.Minute), FromBlock: 10, Deadline: now.Add(time.Hour), Grace: 10 * time.Minute,
		}})
}

// scannedTo moves the chain's cursor to the block.
func (r *rig) scannedTo(number uint64) {
	r.t.Helper()
	now := time.Now().UTC()
	block := settlement.Block{Number: number, Hash: settlement.BlockHash(strings.Repeat("\xcc", 32)), Time: now}
	if err := store.StartChain(r.t.Context(), r.pool, chainID, block, now); err != nil {
		r.t.Fatal(err)
	}
}

// advance sends events through the one door; each must be accepted.
func (r *rig) advance(events ...settlement.Event) {
	r.t.Helper()
	results, err := r.runner.Advance(r.t.Context(), events...)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, res := range results {
		if res.Err != nil {
			r.t.Fatalf("%s: %v", res.Event.Kind, res.Err)
		}
	}
}

// sighting is a transfer of so many base units in block 11.
func (r *rig) sighting(txid string, units uint64, code settlement.Code, detail string) *settlement.Sighting {
	r.t.Helper()
	id, err := evm.ParseTxID(txid)
	if err != nil {
		r.t.Fatal(err)
	}
	at := time.Now().UTC().Truncate(time.Second)
	hash := settlement.BlockHash(strings.Repeat("\xbb", 32))
	transfer := settlement.Transfer{
		Token: address(r.t, tokenHex), Payer: address(r.t, payerHex), Payee: address(r.t, payeeHex),
		Amount: settlement.NewAmount(units), Position: "log/3", Index: 0,
	}
	return &settlement.Sighting{
		TxID: id, Transfer: transfer, Block: settlement.Block{Number: 11, Hash: hash, Time: at},
		Verdict: settlement.Verdict{Code: code, Detail: detail, Transfer: &transfer, Evidence: &settlement.Evidence{
			Chain: chainID, TxID: txid, Block: 11, BlockHash: hash.String(), BlockTime: at, Finality: "depth 2", Head: 13,
			Endpoints: []string{"alpha"}, Digests: []string{"00"}, LookedAt: at,
		}},
	}
}

// sign signs a webhook as the marketplace does.
func sign(t *testing.T, secret, id string, at time.Time, body string) []string {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := wh.Sign(id, at, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return []string{"webhook-id", id, "webhook-timestamp", fmt.Sprint(at.Unix()), "webhook-signature", signature}
}

func newSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:])
	return "whsec_" + base64.StdEncoding.EncodeToString(b[:])
}

func newID() settlement.PaymentID { return settlement.PaymentID(uuid.Must(uuid.NewV7())) }

func address(t *testing.T, text string) settlement.Address {
	t.Helper()
	a, err := evm.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// logBuffer collects log lines of several goroutines.
type logBuffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logBuffer) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// lines are the request lines so far.
func (b *logBuffer) requests(t *testing.T) []map[string]any {
	t.Helper()
	var requests []map[string]any
	for line := range strings.Lines(b.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		if fields["msg"] == "request" {
			requests = append(requests, fields)
		}
	}
	return requests
}

// eventually polls until the condition holds; two minutes are a failure.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within 2 min", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
