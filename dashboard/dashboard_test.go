package dashboard

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

const (
	chainID  = settlement.ChainID("eip155:31337")
	tokenHex = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
	payeeHex = "0x52908400098527886E0F7030069857D2E4169EE7"
	payerHex = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"
)

// rig is the pages on the real API, a real database and a real Runner, whose chain and orchestrator cannot be reached.
type rig struct {
	t      *testing.T
	pool   *pgxpool.Pool
	runner *jobs.Runner
	url    string
	issuer *issuer
}

func newRig(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := &rig{t: t, pool: pgtest.New(t), issuer: newIssuer(t)}
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	token := settlement.Token{Chain: chainID, Address: address(t, tokenHex), Symbol: "USDC", Decimals: 6}
	chain, err := evm.New(evm.Config{
		Chain: chainID, Endpoints: []evm.Endpoint{{Name: "none", URL: "http://127.0.0.1:1"}}, Tokens: []settlement.Token{token},
		Finality: evm.Finality{Depth: 2},
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
			ApprovalAbove: map[settlement.Address]settlement.Amount{token.Address: settlement.NewAmount(200_000_000)},
			ID:            chainID, Aliases: []string{"dev"}, Tokens: []settlement.Token{token}, Explorer: "https://explorer.example",
			PollInterval: time.Second, Verifier: chain, Watcher: chain, ParseAddress: evm.ParseAddress, FormatAddress: evm.FormatAddress,
			ParseTxID: evm.ParseTxID, FormatTxID: evm.FormatTxID, CheckSignature: chain.CheckSignature,
			Nonces: func(context.Context, settlement.Address) (jobs.Standing, error) {
				return jobs.Standing{Mined: 4, Known: 4}, nil
			},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { handler.ServeHTTP(w, req) }))
	t.Cleanup(server.Close)
	r.url = server.URL
	identity := &api.Identity{Issuer: r.issuer.url, Audience: "settler", Client: http.DefaultClient}
	handler, err = api.New(api.Config{
		Runner: r.runner, Pool: r.pool, PublicURL: r.url, Logger: logger, Identity: identity, Development: true, Version: "v0.0.0-test",
		Marketplaces: []api.Marketplace{{ID: "acme", WebhookSecrets: []string{base64.StdEncoding.EncodeToString(random(32))}}},
		Pages: func(api http.Handler) (http.Handler, error) {
			cfg := Config{API: api, Pool: r.pool, PublicURL: r.url, Identity: identity, Keys: true, SessionLifetime: time.Hour, Logger: logger}
			if change != nil {
				change(&cfg)
			}
			return New(cfg)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pgtest.CheckBooks(t, r.pool) })
	return r
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
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

// person makes somebody known who may decide about money, and returns a key of his.
func (r *rig) person(name, marketplace, scope string) (key string) {
	r.t.Helper()
	p := &store.Person{
		ID: newID(), Issuer: r.issuer.url, Subject: name, Name: name, Marketplace: marketplace, Scope: scope, CreatedAt: time.Now().Add(-48 * time.Hour),
	}
	if err := store.CreatePerson(r.t.Context(), r.pool, *p); err != nil {
		r.t.Fatal(err)
	}
	key, hash := api.NewKey()
	err := store.CreateAPIKey(r.t.Context(), r.pool, store.APIKey{
		ID: newID(), Marketplace: marketplace, Name: "browser", Scope: scope, Person: p, CreatedAt: time.Now().Add(-48 * time.Hour),
	}, hash)
	if err != nil {
		r.t.Fatal(err)
	}
	return key
}

// payable records an order that awaits a payment of so many base units.
func (r *rig) payable(orderID string, units uint64) settlement.PaymentID {
	r.t.Helper()
	id := newID()
	err := pgx.BeginFunc(r.t.Context(), r.pool, func(tx pgx.Tx) error {
		_, err := store.InsertPayments(r.t.Context(), tx, []store.NewPayment{{
			ID: id, Marketplace: "acme", OrderID: orderID, MachineID: "mach_7Qm2", Rail: "wdk-usdt-transfer",
			PayTokenHash: jobs.HashPayToken(r.runner.PayToken(id)),
		}}, store.Never, time.Now())
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	r.advance(settlement.Event{ID: "opened", Payment: id, Kind: settlement.EventOrderOpened},
		settlement.Event{ID: "ready", Payment: id, Kind: settlement.EventIntentReady, Platform: "pending", Terms: &settlement.Terms{
			Token: settlement.Token{Chain: chainID, Address: address(r.t, tokenHex), Symbol: "USDC", Decimals: 6},
			Payee: address(r.t, payeeHex), Amount: settlement.NewAmount(units), NamedPayer: address(r.t, payerHex),
			NotBefore: now.Add(-time.Minute), FromBlock: 10, Deadline: now.Add(time.Hour), Grace: 10 * time.Minute,
		}})
	return id
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

func txid(n int) string { return fmt.Sprintf("0x%064x", 0xabc0000+n) }

// sighting is a transfer of so many base units in block 11.
func (r *rig) sighting(n int, units uint64, code settlement.Code, detail string) *settlement.Sighting {
	r.t.Helper()
	id, err := evm.ParseTxID(txid(n))
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
			Chain: chainID, TxID: txid(n), Block: 11, BlockHash: hash.String(), BlockTime: at, Finality: "depth 2", Head: 13, Trust: "single",
			Endpoints: []string{"alpha"}, Digests: []string{strings.Repeat("5a", 32)}, LookedAt: at,
		}},
	}
}

// short is a payment in review: less than the price has arrived.
func (r *rig) short(orderID string, n int, units uint64) settlement.PaymentID {
	r.t.Helper()
	id := r.payable(orderID, units)
	r.advance(settlement.Event{
		ID: "short", Payment: id, Kind: settlement.EventPaymentMispaid, Reason: settlement.AmountMismatch, Detail: settlement.Under,
		Sighting: r.sighting(n, units-500_000, settlement.AmountMismatch, settlement.Under),
	})
	return id
}

// paid is a payment that the orchestrator holds.
func (r *rig) paid(orderID string, n int, units uint64) settlement.PaymentID {
	r.t.Helper()
	id := r.payable(orderID, units)
	r.advance(
		settlement.Event{ID: "paid", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(n, units, settlement.Verified, "")},
		settlement.Event{ID: "held", Payment: id, Kind: settlement.EventProofAccepted, Platform: "held"})
	return id
}

// browser is somebody at the pages, without script.
type browser struct {
	t      *testing.T
	url    string
	client *http.Client
}

func (r *rig) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return &browser{r.t, r.url, &http.Client{Jar: jar}}
}

// signedIn is a browser in which somebody has signed in with the key.
func (r *rig) signedIn(key string) *browser {
	r.t.Helper()
	b := r.browser()
	if p := b.post("/dashboard/sign-in", url.Values{"key": {key}, "next": {"/dashboard/"}}); p.status != http.StatusOK || !strings.Contains(p.text, "What waits") {
		r.t.Fatalf("sign in: got %d %s", p.status, p.text)
	}
	return b
}

// shownPage is what a browser shows in the end.
type shownPage struct {
	status int
	header http.Header
	at     string // path
	text   string
}

func (b *browser) do(req *http.Request) shownPage {
	b.t.Helper()
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return shownPage{res.StatusCode, res.Header, res.Request.URL.RequestURI(), string(text)}
}

func (b *browser) get(path string, headers ...string) shownPage {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return b.do(req)
}

func (b *browser) post(path string, form url.Values, headers ...string) shownPage {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return b.do(req)
}

// hidden are the values that a page's form sends along.
func (p shownPage) hidden() url.Values {
	values := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(p.text, -1) {
		values.Set(m[1], m[2])
	}
	return values
}

func (r *rig) stateOf(id settlement.PaymentID) settlement.State {
	r.t.Helper()
	payments, err := store.Payments(r.t.Context(), r.pool, []settlement.PaymentID{id})
	if err != nil {
		r.t.Fatal(err)
	}
	return payments[0].State
}
