package api

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// What would be read as if it had been left out, or of which one of two would be taken, is refused: leaving out an amount means all of
// it, leaving out a chain all chains, leaving out dry_run doing it.
func TestNothingIsTakenForLeftOut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, everywhere := r.key("acme", scopeAdmin), r.key("", scopeAdmin)
	id := r.paid("acme", txid(1))
	action := func(name string) string { return "/v1/admin/payments/" + id.String() + "/actions/" + name }
	for _, tt := range []struct {
		name, path, body, location string
		want                       Code // VALIDATION_FAILED when absent
	}{
		{name: "an amount of null", path: action("refund"), body: `{"reason": "x", "amount": null}`, location: "body.amount"},
		{name: "a receiver of null", path: action("refund"), body: `{"reason": "x", "receiver": null}`, location: "body.receiver"},
		{name: "an amount twice", path: action("refund"), body: `{"reason": "x", "amount": "5", "amount": "7"}`, location: "body.amount"},
		{name: "an amount in two cases", path: action("refund"), body: `{"reason": "x", "amount": "5", "Amount": "7"}`, location: "body.Amount"},
		{name: "an amount of nothing", path: action("refund"), body: `{"reason": "x", "amount": "0"}`, location: "body.amount"},
		{name: "a null in an object", path: action("statement"), body: `{"reason": "x", "party": "payee", "evidence": {"sha256": null}}`, location: "body.evidence.sha256"},
		{name: "an empty dry_run", path: action("refund") + "?dry_run=", body: `{"reason": "x"}`, location: "query.dry_run"},
		{name: "a blank dry_run", path: action("refund") + "?dry_run=%20", body: `{"reason": "x"}`, location: "query.dry_run"},
		{name: "dry_run twice", path: action("refund") + "?dry_run=false&dry_run=true", body: `{"reason": "x"}`, location: "query.dry_run"},
		{name: "a reason of spaces", path: action("note"), body: `{"reason": "  \n"}`, location: "body.reason"},
		{name: "a reason nobody sees", path: action("note"), body: `{"reason": "\u200b\u0000"}`, location: "body.reason"},
		{name: "a body that is cut off", path: action("note"), body: `{"reason": null`, want: RequestMalformed},
		{name: "a body too large", path: action("note"), body: `{"reason": "` + strings.Repeat("x", maxAction) + `"}`, want: BodyTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.want == "" {
				tt.want = ValidationFailed
			}
			p := r.do(http.MethodPost, tt.path, tt.body, "Authorization", "Bearer "+key, "Idempotency-Key", tt.name, "If-Match", r.version(id)).problem(t, tt.want)
			if len(p.Errors) != 1 && tt.location != "" || tt.location != "" && p.Errors[0].Location != tt.location {
				t.Errorf("got %+v, want a fault at %s", p.Errors, tt.location)
			}
		})
	}
	b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK)
	if len(b.Movements)+len(b.Approvals) != 0 || b.History[len(b.History)-1].By != "" {
		t.Errorf("something was done: %+v, %+v, %+v", b.Movements, b.Approvals, b.History)
	}
	press := func(path, body string) answer {
		return r.do(http.MethodPost, path, body, "Authorization", "Bearer "+everywhere)
	}
	into[haltList](t, press("/v1/admin/halts/halt", because("x")), http.StatusOK)
	press("/v1/admin/halts/resume", `{"reason": "x", "chain": null}`).problem(t, ValidationFailed)
	press("/v1/admin/halts/resume", because(" ")).problem(t, ValidationFailed)
	press("/v1/admin/signers/restart", `{"reason": "x", "chain": "dev", "address": null}`).problem(t, ValidationFailed)
	if got := into[haltList](t, r.get("/v1/admin/halts", everywhere), http.StatusOK); len(got.Halts) != 1 {
		t.Errorf("a resume that was refused has resumed: %+v", got)
	}
	r.get("/v1/admin/payments?state=", key).problem(t, ValidationFailed)
	r.get("/v1/payments?state=held&state=frozen", key).problem(t, ValidationFailed)
	r.get("/v1/admin/statements?from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z&marketplace=", everywhere).problem(t, ValidationFailed)

	// Webhooks, whose bodies are others', may hold what they like.
	body := strings.Replace(orderCreated, "{", `{"extra": null, "extra": 1, "More": null,`, 1)
	if got := r.do(http.MethodPost, "/v1/webhooks/acme/orders", body, sign(t, r.secret, "strict", time.Now(), body)...); got.status != http.StatusAccepted {
		t.Errorf("a webhook with a null: got %d", got.status)
	}
}

// A conflict says in which states the action is taken.
func TestConflictSaysWhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	id := r.paid("acme", txid(1))
	p := r.act(key, id, "unfreeze", because("x")).problem(t, StateConflict)
	if want := "The payment is held, and this is for payments that are frozen."; p.Detail != want {
		t.Errorf("got %q, want %q", p.Detail, want)
	}
}
