package api

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/gagliardetto/solana-go/base58"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

// proofBody is what a payer hands in; empty fields are left out.
func proofBody(t *testing.T, txid, signer, signature string) string {
	t.Helper()
	body := map[string]string{"txid": txid}
	if signer != "" {
		body["signer"] = signer
	}
	if signature != "" {
		body["signature"] = signature
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A payer signs what the instructions say, with any of his wallets, and hands it in with the transaction or after it.
func TestPayProof(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.payable("acme")
	path := "/v1/pay/" + r.runner.PayToken(id)
	template := into[payBody](t, r.do(http.MethodGet, path, ""), http.StatusOK).Instructions.ProofText
	if !strings.Contains(template, id.String()) || !strings.Contains(template, string(chainID)) || !strings.HasSuffix(template, "{txid}") {
		t.Fatalf("proof_text %q", template)
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	sign := func(text string) string {
		t.Helper()
		signature, err := crypto.Sign(accounts.TextHash([]byte(text)), key)
		if err != nil {
			t.Fatal(err)
		}
		signature[64] += 27
		return hexutil.Encode(signature)
	}
	signer := crypto.PubkeyToAddress(key.PublicKey).Hex()
	text := strings.Replace(template, "{txid}", txA, 1)
	good := sign(text)

	if got := into[named](t, r.do(http.MethodPost, path+"/transactions", proofBody(t, txA, "", "")), http.StatusAccepted); got.ProofText != text {
		t.Errorf("the answer asks to sign %q, want %q", got.ProofText, text)
	}
	got := into[named](t, r.do(http.MethodPost, path+"/transactions", proofBody(t, "0x"+strings.ToUpper(txA[2:]), signer, good)), http.StatusAccepted)
	if got.State != "verifying" || got.TxID != txA {
		t.Errorf("got %+v", got)
	}
	read := r.key("acme", scopeRead)
	p := into[paymentBody](t, r.get("/v1/payments/"+id.String(), read), http.StatusOK)
	if len(p.PayerProofs) != 1 || p.PayerProofs[0].Signer != signer || p.PayerProofs[0].TxID != txA || p.PayerProofs[0].Signature != good ||
		p.PayerProofs[0].Block != 0 || time.Since(p.PayerProofs[0].At) > time.Minute {
		t.Errorf("proofs %+v", p.PayerProofs)
	}
	if last := p.History[len(p.History)-1]; last.Event != "payer_proved" || last.TxID != txA || last.Detail != "signed by "+signer || p.Named != txA {
		t.Errorf("history %+v, named %s", p.History, p.Named)
	}
	r.do(http.MethodPost, "/v1/pay/AAAAAAAAAAAAAAAAAAAAAA/transactions", proofBody(t, txA, signer, good)).problem(t, NotFound)
}

// Whatever does not prove the payer is refused with its reason, and nothing changes.
func TestPayProofRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	signer := crypto.PubkeyToAddress(key.PublicKey).Hex()
	sign := func(text string) []byte {
		t.Helper()
		signature, err := crypto.Sign(accounts.TextHash([]byte(text)), key)
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	_, other := r.payable("acme")
	for _, tt := range []struct {
		name   string
		body   func(id settlement.PaymentID) string
		code   Code
		detail string
	}{
		{"a signature without its signer", func(settlement.PaymentID) string { return proofBody(t, txA, "", "0x00") }, ValidationFailed, ""},
		{"a signer without a signature", func(settlement.PaymentID) string { return proofBody(t, txA, signer, "") }, ValidationFailed, ""},
		{"a signer that is no address", func(settlement.PaymentID) string { return proofBody(t, txA, "0x12", "0x00") }, SignerMalformed, "40 hex digits"},
		{"no transaction", func(settlement.PaymentID) string { return proofBody(t, "0x12", signer, "0x00") }, TxIDMalformed, ""},
		{"no hex", func(settlement.PaymentID) string { return proofBody(t, txA, signer, "nonsense") }, SignatureMalformed, "hex digits"},
		{"a signature that is too long", func(settlement.PaymentID) string { return proofBody(t, txA, signer, "0x"+strings.Repeat("0", 4098)) }, ValidationFailed, ""},
		{"the payee's word", func(settlement.PaymentID) string { return proofBody(t, txA, payeeHex, "0x00") }, SignatureNotSigners, "payee"},
		// Over another text the key is another one's, and only a contract could still take it; here no chain answers.
		{"for another payment", func(settlement.PaymentID) string {
			return proofBody(t, txA, signer, hexutil.Encode(sign(settlement.ProofText(other, chainID, txA))))
		}, ChainUnavailable, ""},
		{"for another transaction", func(id settlement.PaymentID) string {
			return proofBody(t, txA, signer, hexutil.Encode(sign(settlement.ProofText(id, chainID, txB))))
		}, ChainUnavailable, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, id := r.payable("acme")
			a := r.do(http.MethodPost, "/v1/pay/"+r.runner.PayToken(id)+"/transactions", tt.body(id))
			if p := a.problem(t, tt.code); !strings.Contains(p.Detail, tt.detail) {
				t.Errorf("detail %q, want %q in it", p.Detail, tt.detail)
			}
			if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); tt.code == ChainUnavailable && (err != nil || seconds < minRetry) {
				t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
			}
			p, err := r.api.read(t.Context(), id)
			if err != nil || p.Named != "" || p.State != settlement.StateAwaitingPayment {
				t.Errorf("the payment is %s and looks for %q (%v)", p.State, p.Named, err)
			}
		})
	}
}

// A settled payment takes no proof but that of the transaction that settled it, which changes nothing.
func TestPayProofOfASettledPayment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.payable("acme")
	path := "/v1/pay/" + r.runner.PayToken(id) + "/transactions"
	r.advance(settlement.Event{ID: "final", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(txA, 1_500_000, settlement.Verified, "")})
	before, err := r.api.read(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	prove := func(txid string) answer {
		signature, err := crypto.Sign(accounts.TextHash([]byte(settlement.ProofText(id, chainID, txid))), key)
		if err != nil {
			t.Fatal(err)
		}
		return r.do(http.MethodPost, path, proofBody(t, txid, crypto.PubkeyToAddress(key.PublicKey).Hex(), hexutil.Encode(signature)))
	}
	into[named](t, prove(txA), http.StatusAccepted)
	prove(txB).problem(t, StateConflict)
	after, err := r.api.read(t.Context(), id)
	if err != nil || after.Version != before.Version {
		t.Errorf("version %d after %d (%v)", after.Version, before.Version, err)
	}
}

func TestPayProofOnSolana(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, id := r.order("acme")
	now := time.Now().UTC().Truncate(time.Second)
	reference, payee, _ := ed25519.GenerateKey(nil)
	r.advance(settlement.Event{ID: "opened", Payment: id, Kind: settlement.EventOrderOpened},
		settlement.Event{ID: "ready", Payment: id, Kind: settlement.EventIntentReady, Terms: &settlement.Terms{
			Token: settlement.Token{Chain: solana.Mainnet, Symbol: "SOL", Decimals: 9}, Payee: settlement.Address(payee[:32]), Amount: settlement.NewAmount(1),
			Reference: settlement.Address(reference), NotBefore: now.Add(-time.Minute), FromBlock: 10, Deadline: now.Add(time.Hour),
		}})
	path := "/v1/pay/" + r.runner.PayToken(id)
	template := into[payBody](t, r.do(http.MethodGet, path, ""), http.StatusOK).Instructions.ProofText
	txid := base58.Encode(ed25519.Sign(private, []byte("a transaction")))
	signature := base58.Encode(ed25519.Sign(private, []byte(strings.Replace(template, "{txid}", txid, 1))))
	signer := base58.Encode(public)
	r.do(http.MethodPost, path+"/transactions", proofBody(t, txid, signer, txid)).problem(t, SignatureNotSigners)
	r.do(http.MethodPost, path+"/transactions", proofBody(t, txid, signer, "0x00")).problem(t, SignatureMalformed)
	r.do(http.MethodPost, path+"/transactions", proofBody(t, txid, payerHex, signature)).problem(t, SignerMalformed)
	if got := into[named](t, r.do(http.MethodPost, path+"/transactions", proofBody(t, txid, signer, signature)), http.StatusAccepted); got.State != "verifying" {
		t.Errorf("got %+v", got)
	}
}
