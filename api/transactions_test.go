package api

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

func TestNameTransaction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.payable("acme")
	path := "/v1/payments/" + id.String() + "/transactions"
	operate := r.key("acme", scopeOperate)
	body := `{"txid":"` + txA + `"}`
	post := func(path, key, idempotency, body string) answer {
		return r.do(http.MethodPost, path, body, "Authorization", "Bearer "+key, "Idempotency-Key", idempotency)
	}

	post(path, r.key("acme", scopeRead), "k", body).problem(t, ScopeInsufficient)
	post(path, operate, "", body).problem(t, ValidationFailed)
	post(path, operate, "k0", `{"txid":`).problem(t, RequestMalformed)
	post(path, operate, "k0", `{}`).problem(t, ValidationFailed)
	post(path, operate, "k0", `{"txid":"`+strings.Repeat("a", 5000)+`"}`).problem(t, BodyTooLarge)
	r.do(http.MethodPost, path, body, "Authorization", "Bearer "+operate, "Idempotency-Key", "k0", "Content-Type", "text/xml").problem(t, MediaTypeUnsupported)
	post(path, operate, "k1", `{"txid":"0x12"}`).problem(t, TxIDMalformed)
	post("/v1/payments/"+newID().String()+"/transactions", operate, "k2", body).problem(t, NotFound)
	post(path, r.key("other", scopeOperate), "k3", body).problem(t, NotFound)

	first := post(path, operate, "k4", body)
	want := named{TxID: txA, State: "verifying", ActsNext: "us", ProofText: settlement.ProofText(id, chainID, txA)}
	if got := into[named](t, first, http.StatusAccepted); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}

	// The payment moves on; the repeat is answered as before.
	seen := r.sighting(txB, 1_500_000, settlement.Verified, "")
	r.advance(settlement.Event{ID: "final", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: seen})
	if again := post(path, operate, "k4", body); string(again.body) != string(first.body) || again.status != first.status {
		t.Errorf("repeated: got %d %s, want %d %s", again.status, again.body, first.status, first.body)
	}
	post(path, operate, "k4", `{"txid":"`+txB+`"}`).problem(t, IdempotencyKeyReused)

	// Settled by another transaction: refused, and the refusal is kept too.
	third := `{"txid":"0x2222222222222222222222222222222222222222222222222222222222222222"}`
	refused := post(path, operate, "k5", third)
	refused.problem(t, StateConflict)
	again := post(path, operate, "k5", third)
	again.problem(t, StateConflict)
	// The one that settled it changes nothing.
	if got := into[named](t, post(path, operate, "k6", `{"txid":"`+txB+`"}`), http.StatusAccepted); got.State != "verified" {
		t.Errorf("got %+v, want verified", got)
	}
}

func TestNameTransactionBeforeTerms(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.order("acme")
	r.do(http.MethodPost, "/v1/payments/"+id.String()+"/transactions", `{"txid":"`+txA+`"}`,
		"Authorization", "Bearer "+r.key("acme", scopeOperate), "Idempotency-Key", "k").problem(t, StateConflict)
}

// Of requests at the same time under one key the ones with one body are answered alike, the others refused.
func TestIdempotencyRace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.payable("acme")
	key := r.key("acme", scopeOperate)
	answers := make([]answer, 16)
	var wait sync.WaitGroup
	for i := range answers {
		txid := txA
		if i%2 == 1 {
			txid = txB
		}
		wait.Go(func() {
			answers[i] = r.do(http.MethodPost, "/v1/payments/"+id.String()+"/transactions", `{"txid":"`+txid+`"}`,
				"Authorization", "Bearer "+key, "Idempotency-Key", "same")
		})
	}
	wait.Wait()
	var kept string
	accepted := 0
	for _, a := range answers {
		if a.status != http.StatusAccepted {
			a.problem(t, IdempotencyKeyReused)
			continue
		}
		accepted++
		if kept == "" {
			kept = string(a.body)
		}
		if string(a.body) != kept {
			t.Errorf("got %s and %s under one key", kept, a.body)
		}
	}
	if accepted != len(answers)/2 {
		t.Errorf("%d of %d were accepted, want half", accepted, len(answers))
	}
}

// What is no first signature of a Solana transaction is refused in words that say what it is instead.
func TestNamedOnSolana(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.order("acme")
	const account = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
	payee, err := solana.ParseAddress(account)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC().Truncate(time.Second)
	r.advance(settlement.Event{ID: "opened", Payment: id, Kind: settlement.EventOrderOpened},
		settlement.Event{ID: "ready", Payment: id, Kind: settlement.EventIntentReady, Terms: &settlement.Terms{
			Token: settlement.Token{Chain: solana.Mainnet, Symbol: "SOL", Decimals: 9}, Payee: payee, Amount: settlement.NewAmount(1),
			Reference: payee, NotBefore: now, FromBlock: 10, Deadline: now.Add(time.Hour),
		}})
	path := "/v1/pay/" + r.runner.PayToken(id) + "/transactions"
	const signature = "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW"
	for name, tt := range map[string]struct{ txid, says string }{
		"hex":              {txA, "is hex, as other chains write it; here it is base58"},
		"an account":       {account, "is 32 bytes, an account"},
		"a look-alike":     {"0" + signature[1:], "which base58 does not use"},
		"a blank":          {signature[:40] + " " + signature[40:], "holds blanks"},
		"one letter short": {signature[:60], "bytes in base58, not 64"},
	} {
		if p := r.do(http.MethodPost, path, `{"txid":"`+tt.txid+`"}`).problem(t, TxIDMalformed); !strings.Contains(p.Detail, tt.says) {
			t.Errorf("%s: %s", name, p.Detail)
		}
	}
	if got := into[named](t, r.do(http.MethodPost, path, `{"txid":"`+signature+`"}`), http.StatusAccepted); got.TxID != signature || got.State != "verifying" {
		t.Errorf("got %+v", got)
	}
}
