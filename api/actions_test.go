package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// act sends an action on the payment as it is now.
func (r *rig) act(credential string, id settlement.PaymentID, action, body string, headers ...string) answer {
	r.t.Helper()
	return r.do(http.MethodPost, "/v1/admin/payments/"+id.String()+"/actions/"+action, body, append([]string{
		"Authorization", "Bearer " + credential, "Idempotency-Key", newID().String(), "If-Match", r.version(id),
	}, headers...)...)
}

func (r *rig) version(id settlement.PaymentID) string {
	r.t.Helper()
	payments, err := store.Payments(r.t.Context(), r.pool, []settlement.PaymentID{id})
	if err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprintf("%q", fmt.Sprint(payments[0].Version))
}

func because(reason string) string { return `{"reason": "` + reason + `"}` }

// short is a payment in review: a transfer of 1 of 1.5 USDC has arrived.
func (r *rig) short(marketplace, txid string) settlement.PaymentID {
	r.t.Helper()
	_, id := r.payable(marketplace)
	r.advance(settlement.Event{
		ID: "short", Payment: id, Kind: settlement.EventPaymentMispaid, Reason: settlement.AmountMismatch,
		Sighting: r.sighting(txid, 1_000_000, settlement.AmountMismatch, settlement.Under),
	})
	return id
}

// paid is a payment that the orchestrator holds.
func (r *rig) paid(marketplace, txid string) settlement.PaymentID {
	r.t.Helper()
	_, id := r.payable(marketplace)
	r.advance(
		settlement.Event{ID: "paid", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(txid, 1_500_000, settlement.Verified, "")},
		settlement.Event{ID: "held", Payment: id, Kind: settlement.EventProofAccepted, Platform: "held"})
	return id
}

func txid(n int) string { return fmt.Sprintf("0x%064x", n) }

func TestActions(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, fresh := r.order("acme")
	frozen, held := r.paid("acme", txid(1)), r.paid("acme", txid(3))
	r.advance(settlement.Event{ID: "disputed", Payment: frozen, Kind: settlement.EventOrderDisputed})
	_, observed := r.payable("acme")
	r.advance(
		settlement.Event{ID: "paid", Payment: observed, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(txid(2), 1_500_000, settlement.Verified, "")},
		settlement.Event{ID: "forbidden", Payment: observed, Kind: settlement.EventProofForbidden})
	_, waiting := r.payable("acme")
	for _, tt := range []struct {
		action  string
		payment settlement.PaymentID
		body    string
		becomes state
	}{
		{"freeze", held, because("the buyer complains"), "frozen"},
		{"unfreeze", frozen, because("the buyer is content"), "held"},
		{"attach", waiting, `{"reason": "the payer named it", "txid": "` + txA + `"}`, "verifying"},
		{"reverify", r.short("acme", txid(4)), because("look again"), "needs_review"},
		{"retry", observed, because("our agent is allowed now"), "verified"},
		{"note", fresh, because("the payer has called"), "new"},
	} {
		key := r.key("acme", scopeAdmin) // what one actor decides adds up
		before := into[paymentBody](t, r.get("/v1/payments/"+tt.payment.String(), key), http.StatusOK)
		dry := into[acted](t, r.do(http.MethodPost, "/v1/admin/payments/"+tt.payment.String()+"/actions/"+tt.action+"?dry_run=true", tt.body,
			"Authorization", "Bearer "+key, "Idempotency-Key", "dry", "If-Match", r.version(tt.payment)), http.StatusOK)
		if dry.Done || !dry.DryRun || dry.State != before.State || dry.Becomes != tt.becomes || dry.Version != before.Version {
			t.Errorf("%s, dry: got %+v", tt.action, dry)
		}
		if again := into[paymentBody](t, r.get("/v1/payments/"+tt.payment.String(), key), http.StatusOK); again.Version != before.Version {
			t.Errorf("%s: a dry run changed the payment", tt.action)
		}
		done := into[acted](t, r.act(key, tt.payment, tt.action, tt.body), http.StatusOK)
		if !done.Done || done.State != tt.becomes || done.Becomes != tt.becomes || done.Version != before.Version+1 {
			t.Errorf("%s: got %+v", tt.action, done)
		}
		a := r.get("/v1/payments/"+tt.payment.String(), key)
		after := into[paymentBody](t, a, http.StatusOK)
		last := after.History[len(after.History)-1]
		words := last.Detail[strings.LastIndex(last.Detail, ": ")+1:] // after who says it
		if last.By != "test" || last.Origin != "127.0.0.1" || !strings.Contains(tt.body, strings.TrimSpace(words)) || words == "" || last.From != before.State || last.To != tt.becomes {
			t.Errorf("%s: history says %+v", tt.action, last)
		}
		if etag := a.header.Get("ETag"); etag != fmt.Sprintf("%q", fmt.Sprint(after.Version)) {
			t.Errorf("%s: ETag %s of version %d", tt.action, etag, after.Version)
		}
	}
	if b := into[paymentBody](t, r.get("/v1/payments/"+observed.String(), r.key("acme", scopeRead)), http.StatusOK); b.Platform.Observed {
		t.Error("retry left the payment observed")
	}
}

func TestActionsAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	direct := r.paid("acme", txid(1))
	_, id := r.payable("acme")
	_, others := r.payable("other")
	path := "/v1/admin/payments/" + id.String() + "/actions/"
	auth := []string{"Authorization", "Bearer " + key, "Idempotency-Key", "1"}
	r.do(http.MethodPost, path+"note", because("x"), auth...).problem(t, VersionRequired)
	r.do(http.MethodPost, path+"note", because("x"), append(auth, "If-Match", "*")...).problem(t, ValidationFailed)
	r.do(http.MethodPost, path+"note", because("x"), "Authorization", "Bearer "+key, "If-Match", `"3"`).problem(t, ValidationFailed)
	r.act(key, id, "steal", because("x")).problem(t, ValidationFailed)
	r.act(key, id, "note", `{}`).problem(t, ValidationFailed)
	r.act(key, id, "note", `{"reason": ""}`).problem(t, ValidationFailed)
	r.act(key, id, "note", because(strings.Repeat("x", 1001))).problem(t, ValidationFailed)
	r.act(key, id, "note", `{"reason": "x", "txid": "`+txA+`"}`).problem(t, ValidationFailed)
	r.act(key, direct, "refund", `{"reason": "x", "ammount": "1"}`).problem(t, ValidationFailed)
	r.act(key, direct, "refund", `{"reason": "x", "dry_run": true}`).problem(t, ValidationFailed)
	r.act(key, direct, "refund", `{"reason": "x", "amount": ""}`).problem(t, ValidationFailed)
	r.act(key, direct, "refund", `{"reason": "x", "receiver": ""}`).problem(t, ValidationFailed)
	r.act(key, id, "attach", because("x")).problem(t, ValidationFailed)
	r.act(key, id, "attach", `{"reason": "x", "txid": "0x12"}`).problem(t, TxIDMalformed)
	r.act(key, id, "accept", `{"reason": "x", "txid": "`+txA+`"}`).problem(t, ValidationFailed)
	r.act(key, others, "note", because("x")).problem(t, NotFound)
	r.act(key, id, "reverify", because("x")).problem(t, StateConflict)
	r.act(r.key("acme", scopeRead), id, "note", because("x")).problem(t, ScopeInsufficient)
	r.act(r.key("acme", scopeOperate), id, "freeze", because("x")).problem(t, ScopeInsufficient)
	if p := r.act(r.keyOf(nil, "acme", scopeAdmin, time.Hour), id, "freeze", because("x")).problem(t, CredentialYoung); !strings.Contains(p.Detail, ": this one from 20") {
		t.Errorf("it does not say until when the key is too young: %s", p.Detail)
	}
	r.act(r.key("acme", scopeOperate), id, "attach", `{"reason": "x", "txid": "`+txA+`"}`).problem(t, ScopeInsufficient)
	into[acted](t, r.act(r.keyOf(nil, "acme", scopeAdmin, time.Hour), id, "note", because("a young key may leave a note")), http.StatusOK)
	for offered, key := range map[string]string{
		"[]": r.key("acme", scopeRead), "[note]": r.key("acme", scopeOperate), "[note] ": r.keyOf(nil, "acme", scopeAdmin, time.Hour),
		"[freeze refund note]": r.key("acme", scopeAdmin),
	} {
		if got := fmt.Sprint(into[paymentBody](t, r.get("/v1/payments/"+direct.String(), key), http.StatusOK).Actions); got != strings.TrimSpace(offered) {
			t.Errorf("offered are %s, want %s", got, offered)
		}
	}
	// What settler does not hold it cannot divide: the payee of a direct payment has the money.
	p := r.act(key, direct, "split", `{"reason": "x", "to_payee": "1", "to_payer": "1499999"}`).problem(t, StateConflict)
	if !strings.Contains(p.Detail, "holds nothing") {
		t.Errorf("a split of a direct payment: %s", p.Detail)
	}
	r.act(key, direct, "note", `{"reason": "x", "receiver": "`+payerHex+`"}`).problem(t, ValidationFailed)
	r.act(key, direct, "refund", because("x")).problem(t, RefundReceiverMissing)
	r.act(key, direct, "refund", `{"reason": "x", "receiver": "0x12"}`).problem(t, ValidationFailed)
	r.act(key, direct, "refund", `{"reason": "x", "receiver": "`+payeeHex+`"}`).problem(t, RefundReceiverRefused)
	r.act(key, direct, "refund", `{"reason": "x", "receiver": "`+payerHex+`", "amount": "1500001"}`).problem(t, StateConflict)
	for _, action := range []string{"freeze", "unfreeze", "release"} {
		if p := r.act(key, id, action, because("x")).problem(t, StateConflict); !strings.Contains(p.Detail, "payment is awaiting payment, and this is for payments that are") {
			t.Errorf("%s: %s", action, p.Detail)
		}
	}
}

func TestTwoAdminsAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.paid("acme", txid(1))
	version := r.version(id)
	keys := []string{r.key("acme", scopeAdmin), r.key("acme", scopeAdmin)}
	answers := make([]answer, len(keys))
	var wg sync.WaitGroup
	for i, key := range keys {
		wg.Go(func() { answers[i] = r.act(key, id, []string{"freeze", "note"}[i], because("x"), "If-Match", version) })
	}
	wg.Wait()
	slices.SortFunc(answers, func(a, b answer) int { return a.status - b.status })
	into[acted](t, answers[0], http.StatusOK)
	answers[1].problem(t, VersionChanged)
}

func TestActionsActOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	id := r.paid("acme", txid(1))
	version := r.version(id)
	send := func(reason string) answer {
		return r.act(key, id, "freeze", because(reason), "Idempotency-Key", "one", "If-Match", version)
	}
	first := into[acted](t, send("x"), http.StatusOK)
	if diff := cmp.Diff(first, into[acted](t, send("x"), http.StatusOK)); diff != "" {
		t.Errorf("the repeat (-first +got):\n%s", diff)
	}
	send("y").problem(t, IdempotencyKeyReused)
	// A crash between the action and its answer leaves the key without one: the repeat finds the action done.
	if _, err := r.pool.Exec(t.Context(), "update idempotency_keys set status = 0, answer = ''"); err != nil {
		t.Fatal(err)
	}
	if again := into[acted](t, send("x"), http.StatusOK); !again.Done || again.State != "frozen" || again.Version != first.Version {
		t.Errorf("the repeat after a crash: got %+v", again)
	}
	if b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK); b.Version != first.Version {
		t.Errorf("version %d after repeats, want %d", b.Version, first.Version)
	}
}

// A transfer that a person accepts is consumed: it pays no second order, whoever accepts it there.
func TestAcceptedTransferPaysOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	first, second := r.short("acme", txA), r.short("acme", txA)
	_, third := r.payable("acme")
	accept := `{"reason": "the buyer agreed", "txid": "` + txA + `", "position": "log/3"}`
	for name, body := range map[string]string{
		"a transaction that was never seen": `{"reason": "x", "txid": "` + txB + `", "position": "log/3"}`,
		"a position that was never seen":    `{"reason": "x", "txid": "` + txA + `", "position": "log/4"}`,
	} {
		if p := r.act(key, first, "accept", body).problem(t, StateConflict); !strings.Contains(p.Detail, "no final transfer") {
			t.Errorf("%s: %s", name, p.Detail)
		}
	}
	done := into[acted](t, r.act(key, first, "accept", accept), http.StatusOK)
	if done.State != "verified" {
		t.Fatalf("got %+v", done)
	}
	b := into[paymentBody](t, r.get("/v1/payments/"+first.String(), key), http.StatusOK)
	if b.PaidBy != txA || !b.Transactions[0].Settles || b.Transactions[0].Verdict.Code != "AMOUNT_MISMATCH" || !slices.Contains(b.Flags, "manual") {
		t.Errorf("accepted: got %+v", b)
	}
	if p := r.act(r.key("acme", scopeAdmin), second, "accept", accept).problem(t, StateConflict); !strings.Contains(p.Detail, "settled another order") {
		t.Errorf("the second order: %s", p.Detail)
	}
	// Nor does it settle one by itself.
	r.advance(settlement.Event{ID: "closed", Payment: second, Kind: settlement.EventClosed})
	results, err := r.runner.Advance(t.Context(), settlement.Event{
		ID: "confirmed", Payment: third, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(txA, 1_500_000, settlement.Verified, ""),
	})
	if err != nil || results[0].Payment.State != settlement.StateNeedsReview || results[0].Event.Reason != settlement.TransferAlreadyUsed {
		t.Errorf("confirmed by the same transfer: %+v, %v", results, err)
	}
}

// A second transfer to an order that is paid counts once a person has accepted it, and has settled nothing.
func TestSecondTransferIsAccepted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, id := r.key("acme", scopeAdmin), r.paid("acme", txA)
	r.advance(settlement.Event{ID: "second", Payment: id, Kind: settlement.EventPaymentMispaid, Sighting: r.sighting(txB, 1_500_000, settlement.Verified, "")})
	read := func(accepted bool) paymentBody {
		t.Helper()
		b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK)
		for _, got := range b.Transactions {
			if first := got.TxID == txA; got.Settles != first || got.Counts != (first || accepted) {
				t.Errorf("transaction %s: settles %t, counts %t", got.TxID, got.Settles, got.Counts)
			}
		}
		return b
	}
	read(false)
	accept := `{"reason": "paid twice", "txid": "` + txB + `", "position": "log/3"}`
	if done := into[acted](t, r.act(key, id, "accept", accept), http.StatusOK); done.State != "held" || done.Becomes != "held" {
		t.Errorf("got %+v", done)
	}
	if b := read(true); b.PaidBy != txA || len(b.Transactions) != 2 || b.Received == nil || b.Received.Amount != "3000000" || !slices.Contains(b.Flags, "overpaid") {
		t.Errorf("accepted: got %+v", b)
	}
	if p := r.act(key, id, "accept", accept).problem(t, StateConflict); !strings.Contains(p.Detail, "counts already") {
		t.Errorf("accepted twice: %s", p.Detail)
	}
}
