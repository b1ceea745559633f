package dashboard

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

// inline matches what the content security policy would not run.
var inline = regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>[^<]|<style|\sstyle=|\son[a-z]+=|javascript:`)

func TestPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	alice := r.signedIn(r.person("alice", "acme", "admin"))
	bob := r.signedIn(r.person("bob", "acme", "admin"))
	eve := r.signedIn(r.person("eve", "other", "admin"))
	reader := r.signedIn(r.person("rose", "acme", "read"))
	id, paid := r.short("ord_<script>alert(1)</script>", 1, 12_500_000), r.paid("ord_2", 2, 1_500_000)
	at := "/dashboard/payments/" + id.String()

	for path, wants := range map[string][]string{
		"/dashboard/":                          {"Needs review", "oldest", "12.50 USDC", "ord_2", "Newest payments"},
		"/dashboard/queues/needs_review":       {"Less than the price has arrived", "12.50 USDC"},
		"/dashboard/queues/disputes":           {"Nothing waits here"},
		"/dashboard/queues/approvals":          {"Nothing waits for approval"},
		"/dashboard/search":                    {"Recorded from"},
		"/dashboard/search?state=needs_review": {"12.50 USDC"},
		"/dashboard/search?q=nothing":          {"No payments"},
		"/dashboard/search?chain=moon":         {"VALIDATION_FAILED", "query.chain"},
		"/dashboard/search?q=" + payerHex:      {"ord_2", "12.50 USDC"},
		"/dashboard/search?q=" + txid(2):       {"settles the order", "All 11 checks pass", `href="https://explorer.example/tx/` + txid(2) + `"`},
		"/dashboard/search?q=ord_2":            {"settles the order"},
		"/dashboard/search?q=" + paid.String(): {"settles the order"},
		"/dashboard/statements":                {"Posted from", "Download"},
		at:                                     {"Fails at the check: amount", "12.000000 USDC", "12.500000 USDC", "Look again", "ord_&lt;script&gt;"},
	} {
		p := alice.get(path)
		for _, want := range append(wants, "<h1", "alice") {
			if !strings.Contains(p.text, want) {
				t.Errorf("%s: no %q in %s", path, want, p.text)
			}
		}
		if p.status != http.StatusOK || p.header.Get("Content-Security-Policy") != policy || p.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d, %v", path, p.status, p.header)
		}
		if bad := inline.FindString(p.text); bad != "" {
			t.Errorf("%s: inline %q", path, bad)
		}
	}
	for path, b := range map[string]*browser{
		at: eve, "/dashboard/payments/abc": alice, "/dashboard/queues/lost": alice, "/dashboard/nowhere": alice, "/dashboard/jobs/": alice,
	} {
		if p := b.get(path); p.status != http.StatusNotFound || !strings.Contains(p.text, "NOT_FOUND") {
			t.Errorf("%s: got %d %s", path, p.status, p.text)
		}
	}
	file := "/dashboard/statements/file?chain=&marketplace=&from=2020-01-01&format=csv&to="
	if p := reader.get(file + "2020-02-01"); p.status != http.StatusOK || !strings.HasPrefix(p.text, "record,at,entry,") ||
		p.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.Contains(p.header.Get("Content-Disposition"), "statement-20200101T000000Z-20200201T000000Z.csv") {
		t.Errorf("statement: got %d %v %s", p.status, p.header, p.text)
	}
	if p := reader.get(file + "2019-12-01"); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.text, "query.from") || !strings.Contains(p.text, "<h1") {
		t.Errorf("statement of a period that ends before it begins: got %d %s", p.status, p.text)
	}
	if p := reader.get(at); strings.Contains(p.text, "<textarea") {
		t.Error("who may only look is shown actions")
	}
	act := func(b *browser, action string, form url.Values) shownPage {
		t.Helper()
		return b.post(at+"/actions/"+action, form)
	}
	form := url.Values{"version": {"4"}, "reason": {"the buyer agreed"}, "transfer": {txid(1) + " log/3"}}
	if p := act(reader, "accept", form); p.status != http.StatusForbidden || !strings.Contains(p.text, "SCOPE_INSUFFICIENT") {
		t.Errorf("an action of who may only look: got %d %s", p.status, p.text)
	}
	if p := act(alice, "accept", url.Values{"version": {"4"}, "transfer": {txid(1) + " log/3"}}); p.status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: got %d %s", p.status, p.text)
	}
	if p := alice.get(at + "/news?version=4"); p.status != http.StatusNoContent {
		t.Errorf("no news: got %d %s", p.status, p.text)
	}

	// What was filled in is kept when somebody was faster: the page says what has changed, and what it would do now.
	r.advance(settlement.Event{ID: "noted", Payment: id, Kind: settlement.EventNoted, Detail: "wait", Decision: &settlement.Decision{Name: "bob", Origin: "192.0.2.1"}})
	dry := act(alice, "accept", form)
	if dry.status != http.StatusOK || !strings.Contains(dry.text, "Since then: noted by bob.") || dry.hidden().Get("version") != "5" || dry.hidden().Get("reason") != "the buyer agreed" {
		t.Fatalf("on an earlier version: got %d %s", dry.status, dry.text)
	}
	late := dry.hidden()
	r.advance(settlement.Event{ID: "noted again", Payment: id, Kind: settlement.EventNoted, Detail: "wait", Decision: &settlement.Decision{Name: "bob", Origin: "192.0.2.1"}})
	if dry = act(alice, "accept", late); dry.status != http.StatusOK || !strings.Contains(dry.text, "noted by bob") || r.stateOf(id) != settlement.StateNeedsReview {
		t.Fatalf("confirmed too late: got %d %s", dry.status, dry.text)
	}
	// Without a script: what it would do is a page, whose form does it, once.
	form.Set("version", "6")
	dry = act(alice, "accept", form)
	if dry.status != http.StatusOK || !strings.Contains(dry.text, "would become") || r.stateOf(id) != settlement.StateNeedsReview {
		t.Fatalf("dry run: got %d %s", dry.status, dry.text)
	}
	for range 2 {
		done := act(alice, "accept", dry.hidden())
		if done.status != http.StatusOK || done.at != at || !strings.Contains(done.text, "Accept a transfer: done. The payment is verified.") {
			t.Fatalf("done: got %d at %s: %s", done.status, done.at, done.text)
		}
	}
	if p := alice.get(at); strings.Contains(p.text, "done. The payment") || strings.Count(p.text, "accepted as paid") != 1 || !strings.Contains(p.text, "by alice from 127.0.0.1") {
		t.Errorf("after: got %s", p.text)
	}
	if p := alice.get(at + "/news?version=6"); !strings.Contains(p.text, "it is verified now") {
		t.Errorf("news: got %d %s", p.status, p.text)
	}

	// Above the threshold another person approves.
	large := r.short("ord_3", 3, 250_000_000)
	at = "/dashboard/payments/" + large.String()
	dry = act(alice, "close", url.Values{"version": {"4"}, "reason": {"nobody answers"}})
	if !strings.Contains(dry.text, "Another person has to approve it first.") {
		t.Fatalf("dry run: got %s", dry.text)
	}
	asked := act(alice, "close", dry.hidden())
	if asked.status != http.StatusOK || !strings.HasPrefix(asked.at, "/dashboard/approvals/") || !strings.Contains(asked.text, "nobody answers") {
		t.Fatalf("asked: got %d at %s", asked.status, asked.at)
	}
	if p := alice.get("/dashboard/"); !strings.Contains(p.text, "nobody answers") {
		t.Error("the overview does not show the request")
	}
	if p := alice.get(at); !strings.Contains(p.text, "waits for another person") {
		t.Error("the payment does not show the request")
	}
	if p := reader.get(asked.at); strings.Contains(p.text, "<textarea") {
		t.Error("who may only look is asked for a word")
	}
	vote := func(b *browser, vote string, form url.Values) shownPage { return b.post(asked.at+"/"+vote, form) }
	if p := vote(alice, "approve", asked.hidden()); p.status != http.StatusForbidden || !strings.Contains(p.text, "OWN_REQUEST") {
		t.Errorf("one's own request: got %d %s", p.status, p.text)
	}
	if p := vote(bob, "reject", asked.hidden()); p.status != http.StatusUnprocessableEntity {
		t.Errorf("rejected without a reason: got %d", p.status)
	}
	if p := vote(bob, "approve", url.Values{"hash": {strings.Repeat("ab", 32)}}); p.status != http.StatusPreconditionFailed {
		t.Errorf("another request: got %d", p.status)
	}
	if p := vote(bob, "approve", asked.hidden()); p.status != http.StatusOK || !strings.Contains(p.text, "Approved and done.") || r.stateOf(large) != settlement.StateClosed {
		t.Errorf("approved: got %d %s", p.status, p.text)
	}
	// The script of the pages is answered with parts of them.
	part := bob.post(at+"/actions/note", url.Values{"version": {"5"}, "reason": {"x"}}, "HX-Request", "true")
	if part.status != http.StatusOK || strings.Contains(part.text, "<html") || !strings.Contains(part.text, `name="key"`) {
		t.Errorf("a part: got %d %s", part.status, part.text)
	}
	part = bob.post(at+"/actions/note", url.Values{"version": {"5"}, "reason": {"x"}, "key": {"1"}}, "HX-Request", "true")
	if part.status != http.StatusNoContent || part.header.Get("HX-Redirect") != at {
		t.Errorf("done: got %d %v", part.status, part.header)
	}
}

func TestDisputesOnPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	key := r.person("alice", "acme", "admin")
	b := r.signedIn(key)
	id := r.paid("ord_1", 1, 1_500_000)
	at := "/dashboard/payments/" + id.String()
	act := func(action string, form url.Values) shownPage {
		t.Helper()
		form.Set("version", regexp.MustCompile(`name="version" value="(\d+)"`).FindStringSubmatch(b.get(at).text)[1])
		form.Set("reason", action+" with a reason")
		dry := b.post(at+"/actions/"+action, form)
		if dry.status != http.StatusOK || !strings.Contains(dry.text, "would become") {
			t.Fatalf("%s: got %d %s", action, dry.status, dry.text)
		}
		return b.post(at+"/actions/"+action, dry.hidden())
	}
	act("freeze", url.Values{"party": {"payer"}, "dispute_reason": {"not_delivered"}})
	p := act("statement", url.Values{"party": {"payee"}})
	for _, want := range []string{"Dispute 1", "not delivered, complained about by the payer", "statement with a reason", "it stays frozen", "Decide the dispute", "1500000 base units (1.50 USDC) have arrived at the payee"} {
		if !strings.Contains(p.text, want) {
			t.Errorf("no %q in %s", want, p.text)
		}
	}
	if p := b.get("/dashboard/queues/disputes"); !strings.Contains(p.text, "Not delivered, says the payer; to be decided within") {
		t.Errorf("the queue does not say what is contested: %s", p.text)
	}
	handIn := func(name, mediaType, text string) shownPage {
		t.Helper()
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for _, field := range [][2]string{{"version", "7"}, {"party", "payer"}, {"reason", "the parcel"}} {
			if err := form.WriteField(field[0], field[1]); err != nil {
				t.Fatal(err)
			}
		}
		if name != "" {
			header := textproto.MIMEHeader{"Content-Disposition": {`form-data; name="document"; filename="` + name + `"`}, "Content-Type": {mediaType}}
			part, err := form.CreatePart(header)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = part.Write([]byte(text)) // into memory
		}
		_ = form.Close() // into memory
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+at+"/evidence", &body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", form.FormDataContentType())
		return b.do(req)
	}
	for _, refused := range []struct {
		name, mediaType, text string
		status                int
		says                  string
	}{
		{"", "", "", http.StatusBadRequest, "Choose a document"},
		{"letter.txt", "text/plain", "<html>", http.StatusUnprocessableEntity, "look like text/html"},
		{"film.png", "image/png", strings.Repeat("x", 6<<20), http.StatusRequestEntityTooLarge, "BODY_TOO_LARGE"},
	} {
		if p := handIn(refused.name, refused.mediaType, refused.text); p.status != refused.status || !strings.Contains(p.text, refused.says) {
			t.Errorf("%q: got %d %s", refused.name, p.status, p.text)
		}
	}
	if p := b.post(at+"/evidence", url.Values{"version": {"7"}}); p.status != http.StatusBadRequest {
		t.Errorf("a form without parts: got %d %s", p.status, p.text)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("a letter")))
	if p := handIn("letter.txt", "text/plain", "a letter"); p.at != at || !strings.Contains(p.text, "Handed in: letter.txt, text/plain, 8 bytes, SHA-256 "+sum) {
		t.Fatalf("evidence: got %d at %s: %s", p.status, p.at, p.text)
	}
	link := regexp.MustCompile(at + `/evidence/[0-9a-f]{64}`).FindString(b.get(at).text)
	if file := b.get(link); file.text != "a letter" || !strings.HasPrefix(file.header.Get("Content-Disposition"), "attachment") {
		t.Errorf("evidence at %q: got %d %s", link, file.status, file.text)
	}
	if file := r.signedIn(r.person("eve", "other", "admin")).get(link); file.status != http.StatusNotFound {
		t.Errorf("evidence of another marketplace: got %d", file.status)
	}
}

// The kill switch is pressed and lifted on its page; who looks at the overview sees that money stands still.
func TestHaltOnPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ada, alice := r.signedIn(r.person("ada", "", "admin")), r.signedIn(r.person("alice", "acme", "admin"))
	if p := ada.get("/dashboard/"); !strings.Contains(p.text, "Money moves.") {
		t.Error("the overview does not say that money moves")
	}
	if p := alice.get("/dashboard/halts"); strings.Contains(p.text, "<textarea") || !strings.Contains(p.text, "an admin of all of them") {
		t.Errorf("who is admin of one marketplace: got %s", p.text)
	}
	if p := alice.post("/dashboard/halts/halt", url.Values{"reason": {"x"}}); p.status != http.StatusForbidden || !strings.Contains(p.text, "MARKETPLACE_FORBIDDEN") {
		t.Errorf("halted by an admin of one marketplace: got %d %s", p.status, p.text)
	}
	if p := ada.post("/dashboard/halts/halt", url.Values{"reason": {" "}}); p.status != http.StatusUnprocessableEntity {
		t.Errorf("without a reason: got %d %s", p.status, p.text)
	}
	for chain, want := range map[string]string{"": "nothing is moved on all chains", "dev": "nothing is moved on " + string(chainID)} {
		ada.post("/dashboard/halts/halt", url.Values{"reason": {"a key is missing"}, "chain": {chain}})
		if p := alice.get("/dashboard/"); !strings.Contains(p.text, want) || !strings.Contains(p.text, "ada: a key is missing") {
			t.Errorf("the overview does not say %q: %s", want, p.text)
		}
	}
	if p := ada.post("/dashboard/halts/resume", url.Values{"reason": {"found"}, "chain": {"*"}}); !strings.Contains(p.text, "Other halts still stand.") {
		t.Errorf("one of two resumed: got %d %s", p.status, p.text)
	}
	p := ada.post("/dashboard/halts/resume", url.Values{"reason": {"found"}, "chain": {string(chainID)}})
	if !strings.Contains(p.text, "Money moves again.") || !strings.Contains(p.text, "by ada from 127.0.0.1") {
		t.Errorf("resumed: got %d %s", p.status, p.text)
	}
	if p := ada.get("/dashboard/"); strings.Contains(p.text, "nothing is moved") {
		t.Error("the overview still says that nothing is moved")
	}
}

// A stopped signer stands on the page of the kill switch, and goes on from there.
func TestRestartOnPages(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	ada, alice := r.signedIn(r.person("ada", "", "admin")), r.signedIn(r.person("alice", "acme", "admin"))
	signer := store.Signer{Chain: chainID, Address: settlement.Address("aaaaaaaaaaaaaaaaaaaa"), NextNonce: 3}
	err := pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error { return store.StartSigner(t.Context(), tx, signer, time.Now()) })
	if err == nil {
		err = store.StopSigner(t.Context(), r.pool, signer, "nonce 3 is foreign", time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"chain": {string(chainID)}, "address": {evm.FormatAddress(signer.Address)}, "reason": {"a test by hand"}}
	if p := alice.get("/dashboard/halts"); !strings.Contains(p.text, "nonce 3 is foreign") || strings.Contains(p.text, "<textarea") {
		t.Errorf("who is admin of one marketplace: got %s", p.text)
	}
	if p := alice.post("/dashboard/signers/restart", form); p.status != http.StatusForbidden || !strings.Contains(p.text, "MARKETPLACE_FORBIDDEN") {
		t.Errorf("by an admin of one marketplace: got %d %s", p.status, p.text)
	}
	if p := ada.get("/dashboard/halts"); !strings.Contains(p.text, "Let it sign again") {
		t.Errorf("got %s", p.text)
	}
	p := ada.post("/dashboard/signers/restart", form)
	if !strings.Contains(p.text, "It signs again, from nonce 4.") || !strings.Contains(p.text, "by ada from 127.0.0.1") || strings.Contains(p.text, "Stopped signers") {
		t.Errorf("restarted: got %d %s", p.status, p.text)
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min", 2 * time.Hour: "2 h", 2*time.Hour + 5*time.Minute: "2 h 5 min",
		24 * time.Hour: "1 d", 27 * time.Hour: "1 d 3 h", 200 * time.Hour: "8 d",
	} {
		if got := age(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
	for amount, want := range map[string]string{"1.500000": "1.50 USDC", "0.000001": "0.000001 USDC", "12.000000": "12.00 USDC"} {
		if got := major(api.Money{AmountMajor: amount, Symbol: "USDC", Decimals: 6}); got != want {
			t.Errorf("%s: got %q, want %q", amount, got, want)
		}
	}
	if got := major(api.Money{AmountMajor: "7", Symbol: "YEN"}); got != "7 YEN" {
		t.Errorf("without decimals: got %q", got)
	}
}
