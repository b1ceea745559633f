package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
)

// picture is something that looks like a PNG.
const picture = "\x89PNG\x0D\x0A\x1A\x0A and a parcel"

// evidence hands in a document about the payment as it is now.
func (r *rig) evidence(credential string, id settlement.PaymentID, party, mediaType, body string) answer {
	r.t.Helper()
	return r.do(http.MethodPost, "/v1/admin/payments/"+id.String()+"/evidence?party="+party+"&reason=the+parcel", body,
		"Authorization", "Bearer "+credential, "Idempotency-Key", newID().String(), "If-Match", r.version(id), "Content-Type", mediaType)
}

func (r *rig) disputeOf(credential string, id settlement.PaymentID) dispute {
	r.t.Helper()
	b := into[paymentBody](r.t, r.get("/v1/payments/"+id.String(), credential), http.StatusOK)
	if len(b.Disputes) == 0 {
		r.t.Fatalf("no dispute: %+v", b)
	}
	return b.Disputes[len(b.Disputes)-1]
}

func TestDispute(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, support := r.key("acme", scopeAdmin), r.key("acme", scopeOperate)
	id := r.paid("acme", txid(1))
	into[acted](t, r.act(key, id, "freeze", `{"reason": "nothing came", "party": "payer", "dispute_reason": "not_delivered"}`), http.StatusOK)
	d := r.disputeOf(key, id)
	if d.Number != 1 || d.Opener != "person" || d.Reason != "not_delivered" || d.Party != "payer" || d.PlatformTold || d.Default != "none" ||
		d.DecideBy.Sub(d.OpenedAt) != jobs.DefaultDisputes.DecideWithin || d.RespondBy.Sub(d.OpenedAt) != jobs.DefaultDisputes.RespondWithin {
		t.Errorf("opened: got %+v", d)
	}

	into[acted](t, r.act(support, id, "statement", `{"reason": "it was sent", "party": "payee"}`), http.StatusOK)
	sum := sha256.Sum256([]byte(picture))
	hash := hex.EncodeToString(sum[:])
	if got := into[exhibit](t, r.evidence(support, id, "payee", "image/png", picture), http.StatusCreated); got != (exhibit{hash, int64(len(picture)), "image/png", ""}) {
		t.Errorf("evidence: got %+v", got)
	}
	pointer := `{"reason": "the film", "party": "payer", "evidence": {"sha256": "` + hash + `", "size": 1073741824, "media_type": "video/mp4", "url": "https://files.example/1"}}`
	into[acted](t, r.act(support, id, "statement", pointer), http.StatusOK)
	d = r.disputeOf(key, id)
	if d.AnsweredAt == nil || len(d.Statements) != 3 || d.Statements[0].Text != "it was sent" || d.Statements[0].By != "test" || d.Statements[0].Evidence != nil ||
		d.Statements[1].Text != "the parcel" || d.Statements[1].Evidence.URL != "" || d.Statements[2].Evidence.URL != "https://files.example/1" {
		t.Errorf("statements: got %+v", d)
	}
	a := r.get("/v1/admin/payments/"+id.String()+"/evidence/"+hash, r.key("acme", scopeRead))
	if a.status != http.StatusOK || string(a.body) != picture || a.header.Get("Content-Type") != "image/png" ||
		!strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the document: %d %v %q", a.status, a.header, a.body)
	}
	r.get("/v1/admin/payments/"+id.String()+"/evidence/"+hash, r.key("other", scopeRead)).problem(t, NotFound)
	r.get("/v1/admin/payments/"+id.String()+"/evidence/"+strings.Repeat("ab", 32), key).problem(t, NotFound)
	b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK)
	if last := b.History[len(b.History)-2]; !strings.Contains(last.Detail, hash) {
		t.Errorf("the history does not hold the hash: %+v", last)
	}

	// Decided, appealed, decided: then there is no appeal any more.
	give := `{"reason": "the parcel was found", "to_payee": "1500000", "to_payer": "0"}`
	into[acted](t, r.act(key, id, "decide", give), http.StatusOK)
	if d := r.disputeOf(key, id); d.Decision == nil || d.Decision.ToPayee != "1500000" || d.Decision.EffectiveAt.Sub(d.Decision.DecidedAt) != jobs.DefaultDisputes.AppealWithin {
		t.Errorf("decided: got %+v", d)
	}
	if p := r.act(key, id, "decide", give).problem(t, StateConflict); !strings.Contains(p.Detail, "appeals before") {
		t.Errorf("decided twice: %s", p.Detail)
	}
	into[acted](t, r.act(key, id, "appeal", `{"reason": "it is another parcel", "party": "payer"}`), http.StatusOK)
	again := into[acted](t, r.act(key, id, "decide", give), http.StatusAccepted) // together with the first above the threshold
	if again.Approval.ToPayee != "1500000" || again.Approval.ToPayer != "0" {
		t.Errorf("the request: got %+v", again.Approval)
	}
	r.person("alice", "acme", scopeAdmin)
	r.person("bob", "acme", scopeAdmin)
	for _, name := range []string{"alice", "bob"} {
		into[approval](t, r.vote(r.issuer.token(name), again.Approval.ApprovalID, "approve", "{}"), http.StatusOK)
	}
	if d := r.disputeOf(key, id); d.Decision == nil || !d.Decision.EffectiveAt.Equal(d.Decision.DecidedAt) || d.AppealedAt == nil {
		t.Errorf("decided again: got %+v", d)
	}
	if p := r.act(key, id, "appeal", `{"reason": "x", "party": "payer"}`).problem(t, StateConflict); !strings.Contains(p.Detail, "an appeal already") {
		t.Errorf("appealed twice: %s", p.Detail)
	}
	into[acted](t, r.act(key, id, "note", because("x")), http.StatusOK)

	// Dropped; then a second one is one of its own.
	second := r.paid("acme", txid(2))
	into[acted](t, r.act(key, second, "freeze", because("x")), http.StatusOK)
	r.advance(settlement.Event{ID: "dropped", Payment: second, Kind: settlement.EventDisputeDropped})
	into[acted](t, r.act(key, second, "freeze", because("x")), http.StatusOK)
	if d := r.disputeOf(key, second); d.Number != 2 || d.Outcome != "" {
		t.Errorf("a second dispute: got %+v", d)
	}
}

func TestDecisionThatDoesNotSum(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	id := r.paid("acme", txid(1))
	into[acted](t, r.act(key, id, "freeze", because("x")), http.StatusOK)
	for name, body := range map[string]string{
		"less than there is": `{"reason": "x", "to_payee": "1499999", "to_payer": "0"}`,
		"more than there is": `{"reason": "x", "to_payee": "1500000", "to_payer": "1"}`,
		"nothing":            `{"reason": "x", "to_payee": "0", "to_payer": "0"}`,
		"overflow":           `{"reason": "x", "to_payee": "` + strings.Repeat("9", 78) + `", "to_payer": "0"}`,
		"a fraction":         `{"reason": "x", "to_payee": "1499999.5", "to_payer": "0.5"}`,
		"half a decision":    `{"reason": "x", "to_payee": "1500000"}`,
	} {
		if p := r.act(key, id, "decide", body).problem(t, ValidationFailed); !strings.HasPrefix(p.Errors[0].Location, "body.to_paye") {
			t.Errorf("%s: got %+v", name, p)
		}
	}
	p := r.act(key, id, "decide", `{"reason": "x", "to_payee": "1500001", "to_payer": "0"}`).problem(t, ValidationFailed)
	if !strings.Contains(p.Errors[0].Message, "add up to 1500000") {
		t.Errorf("the answer does not say what to do: %+v", p)
	}
	// The payee of a direct payment has the money: nobody here can give it to the payer.
	if p := r.act(key, id, "decide", `{"reason": "x", "to_payee": "0", "to_payer": "1500000"}`).problem(t, StateConflict); !strings.Contains(p.Detail, "nobody holds it") {
		t.Errorf("for the payer of a direct payment: %s", p.Detail)
	}
}

// zeros is a body of so many zero bytes that it would not fit anywhere.
// The client may go on reading it after the answer.
type zeros struct {
	size int64
	read atomic.Int64
}

func (z *zeros) Read(p []byte) (int, error) {
	n := min(int64(len(p)), z.size-z.read.Load())
	if n == 0 {
		return 0, io.EOF
	}
	clear(p[:n])
	z.read.Add(n)
	return int(n), nil
}

func TestEvidenceThatIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	id := r.paid("acme", txid(1))
	into[acted](t, r.act(key, id, "freeze", because("x")), http.StatusOK)
	t.Run("of 1 GB", func(t *testing.T) {
		body := &zeros{size: 1 << 30}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/admin/payments/"+id.String()+"/evidence?party=payer&reason=x", body)
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = 1 << 30
		for name, value := range map[string]string{"Authorization": "Bearer " + key, "Idempotency-Key": "1", "If-Match": r.version(id), "Content-Type": "image/png"} {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		var broken *url.Error
		switch {
		case errors.As(err, &broken): // the server has hung up on who goes on sending
		case err != nil:
			t.Fatal(err)
		case res.StatusCode != http.StatusRequestEntityTooLarge:
			t.Errorf("got %d", res.StatusCode)
		}
		if res != nil {
			_ = res.Body.Close()
		}
		if taken := body.read.Load(); taken > 64<<20 {
			t.Errorf("%d bytes were taken before it was refused", taken)
		}
	})
	for _, tt := range []struct {
		name, mediaType, body string
		code                  Code
		says                  string
	}{
		{"of zero bytes", "image/png", "", RequestMalformed, "body is required"},
		{"HTML that calls itself an image", "image/png", "<html><script>alert(1)</script>", ValidationFailed, "look like text/html"},
		{"HTML that calls itself text", "text/plain", "<html><script>alert(1)</script>", ValidationFailed, "look like text/html"},
		{"an image that calls itself a document", "application/pdf", picture, ValidationFailed, "look like image/png"},
		{"a program", "application/x-msdownload", "MZ", MediaTypeUnsupported, "ZIP"},
	} {
		p := r.evidence(key, id, "payer", tt.mediaType, tt.body).problem(t, tt.code)
		if text := p.Detail + strings.Join(messages(p), ""); !strings.Contains(text, tt.says) {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
	for name, pointer := range map[string]string{
		"a hash too short":        `"sha256": "` + strings.Repeat("z", 64) + `", "size": 1, "media_type": "video/mp4", "url": "https://files.example/1"`,
		"a media type of its own": `"sha256": "` + strings.Repeat("a", 64) + `", "size": 1, "media_type": "text/html", "url": "https://files.example/1"`,
		"no https":                `"sha256": "` + strings.Repeat("a", 64) + `", "size": 1, "media_type": "video/mp4", "url": "javascript:alert(1)"`,
		"no bytes":                `"sha256": "` + strings.Repeat("a", 64) + `", "size": 0, "media_type": "video/mp4", "url": "https://files.example/1"`,
	} {
		if p := r.act(key, id, "statement", `{"reason": "x", "party": "payer", "evidence": {`+pointer+`}}`).problem(t, ValidationFailed); len(p.Errors) == 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	undisputed := r.paid("acme", txid(2))
	r.evidence(key, undisputed, "payer", "image/png", picture).problem(t, StateConflict)
}

func messages(p Problem) (texts []string) {
	for _, f := range p.Errors {
		texts = append(texts, f.Message)
	}
	return texts
}

// What comes after the money has gone, or while it goes, is answered with what can be done.
func TestDisputeAfterRelease(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	id := r.paid("acme", txid(1))
	r.advance(settlement.Event{ID: "accepted", Payment: id, Kind: settlement.EventOrderAccepted},
		settlement.Event{ID: "released", Payment: id, Kind: settlement.EventReleased})
	if p := r.act(key, id, "freeze", because("x")).problem(t, StateConflict); !strings.Contains(p.Detail, "payment is released, and this is for payments that are verified, held, release pending") {
		t.Errorf("after the release: %s", p.Detail)
	}
	r.advance(settlement.Event{ID: "disputed", Payment: id, Kind: settlement.EventOrderDisputed})
	if d := r.disputeOf(key, id); d.Outcome != "too_late" || d.ClosedAt == nil {
		t.Errorf("the orchestrator's dispute: got %+v", d)
	}
	flying := r.paid("acme", txid(2))
	r.advance(settlement.Event{ID: "accepted", Payment: flying, Kind: settlement.EventOrderAccepted})
	if _, err := r.pool.Exec(t.Context(), "update payments set payout = 'release' where id = $1", flying); err != nil {
		t.Fatal(err)
	}
	if p := r.act(key, flying, "freeze", because("x")).problem(t, ReleaseInFlight); !strings.Contains(p.Detail, "can no longer be stopped") {
		t.Errorf("in flight: %s", p.Detail)
	}
	if state := r.stateOf(flying); state != settlement.StateReleasePending {
		t.Errorf("the payment is %s", state)
	}
}

// What is frozen is released by nobody, until its dispute is decided or dropped.
func TestFrozenPaymentIsReleased(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	id := r.paid("acme", txid(1))
	into[acted](t, r.act(key, id, "freeze", because("nothing came")), http.StatusOK)
	if p := r.act(key, id, "release", because("x")).problem(t, StateConflict); !strings.Contains(p.Detail, "Decide the dispute") || !strings.Contains(p.Detail, "unfreeze") {
		t.Errorf("the answer does not say what to do: %s", p.Detail)
	}
	results, err := r.runner.Advance(t.Context(), settlement.Event{ID: "confirmed", Payment: id, Kind: settlement.EventOrderAccepted})
	if err != nil || !errors.Is(results[0].Err, settlement.ErrNotAccepted) {
		t.Errorf("the buyer confirms: %v, %v", err, results)
	}
	b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK)
	if b.State != "frozen" || slices.Contains(b.Actions, "release") || !slices.Contains(b.Actions, action("decide")) {
		t.Errorf("the payment is %s and takes %v", b.State, b.Actions)
	}
	into[acted](t, r.act(key, id, "unfreeze", because("it came")), http.StatusOK)
	r.advance(settlement.Event{ID: "confirmed", Payment: id, Kind: settlement.EventOrderAccepted})
	if state := r.stateOf(id); state != settlement.StateReleasePending {
		t.Errorf("after the dispute was dropped the payment is %s", state)
	}
}

func TestFieldsOfActions(t *testing.T) {
	t.Parallel()
	for kind, n := range needs {
		if err := (actBody{}).check(kind); (err != nil) != (len(n.needed) > 0) {
			t.Errorf("%s without fields: %v", kind, err)
		}
	}
	if err := (actBody{Party: "payer"}).check(jobs.ActNote); err == nil {
		t.Error("a note takes a party")
	}
	if got := orAbsent(time.Time{}); got != nil {
		t.Errorf("no time is %v", got)
	}
}

// A dispute about a direct payment that brought more than the price is decided like any other: the payee keeps the price, nothing moves, and the
// rest is a surplus afterwards.
func TestDecideOverpaidDirectPayment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	_, id := r.payable("acme")
	r.advance(settlement.Event{
		ID: "over", Payment: id, Kind: settlement.EventPaymentMispaid, Reason: settlement.AmountMismatch,
		Sighting: r.sighting(txid(1), 2_000_000, settlement.AmountMismatch, settlement.Over),
	})
	r.advance(settlement.Event{ID: "accepted", Payment: id, Kind: settlement.EventAcceptedAsPaid, Sighting: r.sighting(txid(1), 2_000_000, "", "")},
		settlement.Event{ID: "held", Payment: id, Kind: settlement.EventProofAccepted, Platform: "held"})
	into[acted](t, r.act(key, id, "freeze", because("not delivered")), http.StatusOK)
	if b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK); !slices.Contains(b.Actions, action("decide")) {
		t.Errorf("offered are %v", b.Actions)
	}
	for _, all := range []string{`"to_payee": "2000000", "to_payer": "0"`, `"to_payee": "1500000", "to_payer": "0"`} {
		r.act(key, id, "decide", `{"reason": "x", `+all+`}`).problem(t, ValidationFailed)
	}
	for _, moves := range []string{`"to_payee": "0", "to_payer": "2000000"`, `"to_payee": "1000000", "to_payer": "1000000"`} {
		if p := r.act(key, id, "decide", `{"reason": "x", `+moves+`}`).problem(t, StateConflict); !strings.Contains(p.Detail, "end the dispute by refund") {
			t.Errorf("a decision that would move what nobody holds: %s", p.Detail)
		}
	}
	into[acted](t, r.act(key, id, "decide", `{"reason": "it was delivered", "to_payee": "1500000", "to_payer": "500000"}`), http.StatusOK)
	if d := r.disputeOf(key, id); d.Decision == nil || d.Decision.ToPayee != "1500000" {
		t.Errorf("decided: got %+v", d)
	}
	r.advance(settlement.Event{ID: "effect", Payment: id, Kind: settlement.EventReleaseDecided, Reason: settlement.DecisionStands},
		settlement.Event{ID: "released", Payment: id, Kind: settlement.EventReleased})
	b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK)
	if b.State != "released" || len(b.Movements) != 0 || !slices.Contains(b.Actions, "surplus") {
		t.Errorf("after the decision: %s, %+v, offered are %v", b.State, b.Movements, b.Actions)
	}
	would := into[acted](t, r.do(http.MethodPost, "/v1/admin/payments/"+id.String()+"/actions/surplus?dry_run=true",
		`{"reason": "x", "receiver": "`+payerHex+`"}`, "Authorization", "Bearer "+key, "Idempotency-Key", "dry", "If-Match", r.version(id)), http.StatusOK)
	if would.Refund == nil || would.Refund.Amount != "500000" {
		t.Errorf("the surplus: got %+v", would.Refund)
	}
}
