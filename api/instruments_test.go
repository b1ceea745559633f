package api

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"

	escrow "github.com/settler-pay/settler/escrow/evm"
	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/solana"
)

const instrumentBody = `{"reference":"quote 1","machine_id":"mach_1","pairing_id":"pair_1","chain":"dev","token":"USDC","amount":"1500000","payee":"` + payeeHex + `"}`

func (r *rig) post(path, body, key string) answer {
	r.t.Helper()
	return r.do(http.MethodPost, path, body, "Authorization", "Bearer "+key)
}

func TestInstrumentIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", "operate")
	r.post("/v1/instruments", instrumentBody, "").problem(t, APIKeyInvalid)
	r.post("/v1/instruments", instrumentBody, r.key("acme", "read")).problem(t, ScopeInsufficient)
	r.post("/v1/instruments?marketplace=other", instrumentBody, key).problem(t, MarketplaceForbidden)
	r.post("/v1/instruments", instrumentBody, r.key("", "admin")).problem(t, MarketplaceRequired)
	r.post("/v1/instruments?marketplace=nobody", instrumentBody, r.key("", "admin")).problem(t, MarketplaceUnknown)
	r.post("/v1/instruments", instrumentBody, r.key("nobody", "operate")).problem(t, MarketplaceUnknown)
	r.post("/v1/instruments", instrumentBody, key).problem(t, InstrumentRefused) // the chain holds nothing
	for _, broken := range []string{
		strings.Replace(instrumentBody, `"1500000"`, `"1.5"`, 1),
		strings.Replace(instrumentBody, `"1500000"`, `"0"`, 1),
		strings.Replace(instrumentBody, `"mach_1"`, `"mach\u0000"`, 1),
		strings.Replace(instrumentBody, `"reference":"quote 1",`, ``, 1),
	} {
		r.post("/v1/instruments", broken, key).problem(t, ValidationFailed)
	}
}

// operator is a mover that is asked for its address alone.
type operator struct {
	jobs.Mover
	address settlement.Address
}

func (o operator) Signer() settlement.Address { return o.address }

// hold gives the rig's chain vaults, and an orchestrator that knows one pairing, signed by the payer, and one that nobody
// has signed.
func (r *rig) hold() {
	r.t.Helper()
	pairings := []orchestration.AgentPairing{
		{ID: "pair_1", MachineID: "mach_1", AgentAddress: payerHex, Status: "active", Verification: &orchestration.PairingVerification{Method: "eip191", SignerAddress: payerHex}},
		{ID: "pair_2", MachineID: "mach_1", AgentAddress: payerHex, Status: "active"},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if !strings.HasSuffix(req.URL.Path, "/machines/mach_1/agent-pairings") {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = fmt.Fprint(w, `{"code":"INTERNAL"}`)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": pairings, "pagination": map[string]any{"limit": 500, "nextCursor": nil}})
	}))
	r.t.Cleanup(server.Close)
	client, err := orchestration.New(orchestration.Config{BaseURL: server.URL})
	if err != nil {
		r.t.Fatal(err)
	}
	chain, _ := r.runner.Chain(chainID)
	chain.Escrow = &jobs.Escrow{
		Instrument: escrow.Instrument{}, Mover: operator{address: settlement.Address(strings.Repeat("\x05", 20))}, Happened: nothing, Arbiter: settlement.Address(strings.Repeat("\x06", 20)), HoldFor: time.Hour, DisputeFor: time.Hour,
		BumpAfter: time.Minute, Batch: 1,
	}
	r.api.cfg.Runner, err = jobs.New(jobs.Config{
		Pool: r.pool, DirectURL: r.pool.Config().ConnString(), PayTokenKey: make([]byte, 32), Logger: slog.New(slog.DiscardHandler),
		Chains: []jobs.Chain{chain, r.solana()},
		Marketplaces: []jobs.Marketplace{{
			ID: "acme", Client: client, Gate: jobs.NewGate(http.DefaultTransport, 0), Deadline: time.Hour,
			Session: func(string) (*orchestration.Session, error) { return nil, fmt.Errorf("no orchestrator") },
		}},
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// nothing has happened at any vault.
func nothing(context.Context, uint64, uint64) ([]settlement.VaultEvent, error) { return nil, nil }

const (
	solanaName  = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
	solanaPayee = "9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"
)

// solana is a chain that holds SOL; nothing on it is asked.
func (r *rig) solana() jobs.Chain {
	r.t.Helper()
	var file bytes.Buffer
	if err := escrowsolana.CreateSecret(&file, "correct horse", 1, 10); err != nil {
		r.t.Fatal(err)
	}
	secret, err := escrowsolana.OpenSecret(&file, "correct horse", 1)
	if err != nil {
		r.t.Fatal(err)
	}
	custody, err := escrowsolana.NewCustody(solanaName, sdk.MustHashFromBase58("5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"), secret)
	if err != nil {
		r.t.Fatal(err)
	}
	chain, _ := r.runner.Chain(chainID)
	chain.ID, chain.Aliases, chain.Tokens = solanaName, []string{"sol"}, []settlement.Token{{Chain: solanaName, Symbol: "SOL", Decimals: 9}}
	chain.ParseAddress, chain.FormatAddress, chain.CheckSignature = solana.ParseAddress, solana.FormatAddress, solana.CheckSignature
	chain.Escrow = &jobs.Escrow{
		Instrument: custody, Mover: operator{address: custody.FeePayer()}, Happened: nothing, Arbiter: custody.FeePayer(), Epoch: custody.Epoch(), HoldFor: time.Hour,
		DisputeFor: time.Hour, BumpAfter: time.Minute, Batch: 1,
	}
	return chain
}

func TestInstrument(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hold()
	key := r.key("acme", "operate")
	got := into[instrument](t, r.post("/v1/instruments", instrumentBody, key), http.StatusOK)
	kept, err := store.VaultAt(t.Context(), r.pool, chainID, address(t, got.Address))
	if err != nil || kept.Marketplace != "acme" || kept.Payment != nil {
		t.Fatalf("the vault is recorded as %+v (%v)", kept, err)
	}
	if got.Payer != payerHex || got.Payee != payeeHex || got.Amount != "1500000" || got.Token != tokenHex || got.DefaultToPayee != "0" || got.Chain != string(chainID) {
		t.Errorf("got %+v", got)
	}
	if again := into[instrument](t, r.post("/v1/instruments?marketplace=acme", instrumentBody, r.key("", "admin")), http.StatusOK); again != got {
		t.Errorf("asked again: %+v, want %+v", again, got)
	}
	r.post("/v1/instruments", strings.Replace(instrumentBody, "1500000", "1500001", 1), key).problem(t, ReferenceReused)
	r.post("/v1/instruments", strings.Replace(instrumentBody, "pair_1", "pair_2", 1), key).problem(t, RefundAddressMissing)
	r.post("/v1/instruments", strings.Replace(instrumentBody, "mach_1", "mach_2", 1), key).problem(t, OrchestratorUnavailable)
	r.post("/v1/instruments", strings.Replace(instrumentBody, payeeHex, payerHex, 1), key).problem(t, ReferenceReused)
	other := strings.Replace(instrumentBody, "quote 1", "quote 2", 1)
	r.post("/v1/instruments", strings.Replace(other, payeeHex, payerHex, 1), key).problem(t, InstrumentRefused)
}

// On Solana a wallet signs for the pairing, and then vaults are handed out whose refunds go to it.
func TestRefundWallet(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hold()
	key := r.key("acme", "operate")
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	wallet := base58.Encode(public)
	sign := func(text string) string { return base58.Encode(ed25519.Sign(private, []byte(text))) }
	right := sign("settler: refunds of this pairing's orders go to my wallet.\nChain: " + solanaName + "\nMarketplace: acme\nPairing: pair_2")
	vault := strings.NewReplacer("pair_1", "pair_2", `"dev"`, `"sol"`, "USDC", "SOL", payeeHex, solanaPayee).Replace(instrumentBody)
	r.post("/v1/instruments", vault, key).problem(t, RefundAddressMissing)
	body := func(pairing, wallet, signature string) string {
		return fmt.Sprintf(`{"pairing_id":%q,"chain":"SOL","wallet":%q,"signature":%q}`, pairing, wallet, signature)
	}
	r.post("/v1/refund-wallets", body("pair_2", wallet, right), r.key("acme", "read")).problem(t, ScopeInsufficient)
	r.post("/v1/refund-wallets", body("pair_2", wallet, right), r.key("", "admin")).problem(t, MarketplaceRequired)
	r.post("/v1/refund-wallets", body("pair_3", wallet, right), key).problem(t, SignatureNotSigners)
	r.post("/v1/refund-wallets", body("pair_2", solanaPayee, right), key).problem(t, SignatureNotSigners)
	r.post("/v1/refund-wallets", body("pair_2", wallet, "0x00"), key).problem(t, SignatureMalformed)
	r.post("/v1/refund-wallets", body("pair_2", payerHex, right), key).problem(t, SignerMalformed)
	r.post("/v1/refund-wallets", strings.Replace(body("pair_2", wallet, right), "SOL", "moon", 1), key).problem(t, ValidationFailed)
	r.post("/v1/instruments", vault, key).problem(t, RefundAddressMissing)
	got := into[refundWalletAnswer](t, r.post("/v1/refund-wallets", body("pair_2", wallet, right), key), http.StatusOK)
	if want := (refundWalletAnswer{"pair_2", solanaName, wallet}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	handed := into[instrument](t, r.post("/v1/instruments", vault, key), http.StatusOK)
	if handed.Payer != wallet || handed.Payee != solanaPayee || handed.Custody != "operator" || handed.Chain != solanaName || handed.Token != "" {
		t.Errorf("got %+v", handed)
	}
	if again := into[instrument](t, r.post("/v1/instruments", vault, key), http.StatusOK); again != handed {
		t.Errorf("asked again: %+v, want %+v", again, handed)
	}
	at, err := solana.ParseAddress(handed.Address)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := store.VaultAt(t.Context(), r.pool, solanaName, at)
	if d := kept.Vault.Derived; err != nil || d == nil || d.Marketplace != "acme" || d.Epoch != 1 || [16]byte(d.Order) != [16]byte(kept.Vault.OrderKey[:16]) {
		t.Errorf("the vault is recorded as %+v, derived from %+v (%v)", kept.Vault, d, err)
	}
	r.post("/v1/instruments", strings.NewReplacer("quote 1", "quote 2", "1500000", "890879").Replace(vault), key).problem(t, InstrumentRefused)
}
