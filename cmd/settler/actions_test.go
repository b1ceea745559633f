package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// desk is a settler whose API, pages and commands people use. Its workers rest, so that a payment is where its scene has left it.
type desk struct {
	t      *testing.T
	s      *service
	key    string
	client *http.Client // somebody who has signed in to the pages
	n      int
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	w := newWorld(t)
	path := writeConfig(t, strings.Replace(w.config, "decimals: 6}", `decimals: 6, approval_above: "1000000"}`, 1))
	_, person, errs := runSettler(t, "persons", "add", "-c", path, "--subject", "ann", "--name", "ann", "--scope", "admin")
	code, key, keyErrs := runSettler(t, "keys", "create", "-c", path, "--name", "ann", "--scope", "admin", "--person", strings.TrimSpace(person))
	if code != 0 {
		t.Fatal(errs, keyErrs)
	}
	cfg, err := loadConfig(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startService(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		pgtest.CheckBooks(t, w.pool)
	})
	s.endJobs()
	<-s.jobs
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, s: s, key: strings.TrimSpace(key), client: &http.Client{Jar: jar}}
	if text := d.page("/dashboard/sign-in", url.Values{"key": {d.key}, "next": {"/dashboard/"}}); !strings.Contains(text, "What waits") {
		t.Fatalf("sign in: %s", text)
	}
	return d
}

// page opens a page, or sends a form to it, and returns what is shown in the end.
func (d *desk) page(path string, form url.Values) string {
	d.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.s.url+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return string(d.send(d.client, req))
}

// send returns the body of the answer.
func (d *desk) send(client *http.Client, req *http.Request) []byte {
	d.t.Helper()
	res, err := client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // nothing is lost with it
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

func (d *desk) advance(events ...settlement.Event) {
	d.t.Helper()
	results, err := d.s.runner.Advance(d.t.Context(), events...)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, res := range results {
		if res.Err != nil {
			d.t.Fatalf("%s: %v", res.Event.Kind, res.Err)
		}
	}
}

const deskPrice = 1_500_000

// opened is an order of 1.5 TUSD whose payer was told what to pay; into a vault or directly.
func (d *desk) opened(custody settlement.Custody) settlement.PaymentID {
	d.t.Helper()
	d.n++
	id, now := settlement.PaymentID(uuid.Must(uuid.NewV7())), time.Now().UTC().Truncate(time.Second)
	token := d.s.runner.Chains()[0].Tokens[0]
	account := func(role string) settlement.Address {
		return settlement.Address(common.BytesToAddress(fmt.Appendf(nil, "%s %d", role, d.n)).Bytes())
	}
	err := pgx.BeginFunc(d.t.Context(), d.s.pool, func(tx pgx.Tx) error {
		_, err := store.InsertPayments(d.t.Context(), tx, []store.NewPayment{{
			ID: id, Marketplace: "acme", OrderID: fmt.Sprint("ord_", d.n), MachineID: "mach_1", Rail: "wallet", PayTokenHash: jobs.HashPayToken(d.s.runner.PayToken(id)),
		}}, store.Never, now)
		if err != nil || custody != settlement.CustodyVault {
			return err
		}
		_, err = store.KeepVault(d.t.Context(), tx, "acme", "payment/"+id.String(), settlement.Vault{
			Chain: token.Chain, Address: account("payee"), OrderKey: sha256.Sum256(id[:]), Token: token.Address, Amount: settlement.NewAmount(deskPrice), Payer: account("payer"),
			Payee: account("seller"), Operator: account("operator"), Arbiter: account("arbiter"), ReclaimAt: now.Add(time.Hour), DisputeAt: now.Add(2 * time.Hour),
		}, now)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.advance(settlement.Event{ID: "opened", Payment: id, Kind: settlement.EventOrderOpened}, settlement.Event{
		ID: "ready", Payment: id, Kind: settlement.EventIntentReady, Platform: "pending", Terms: &settlement.Terms{
			Token: token, Payee: account("payee"), Amount: settlement.NewAmount(deskPrice), ProvenPayer: account("payer"), Custody: custody,
			NotBefore: now.Add(-time.Minute), FromBlock: 10, Deadline: now.Add(time.Hour), Grace: time.Minute,
		},
	})
	return id
}

// sighting is a final transfer of so many base units to the payment's payee.
func (d *desk) sighting(id settlement.PaymentID, units uint64, code settlement.Code, detail string) *settlement.Sighting {
	d.t.Helper()
	payments, err := store.Payments(d.t.Context(), d.s.pool, []settlement.PaymentID{id})
	if err != nil {
		d.t.Fatal(err)
	}
	terms := payments[0].Terms
	hash := sha256.Sum256(id[:])
	transfer := settlement.Transfer{
		Token: terms.Token.Address, Payer: terms.ProvenPayer, Payee: terms.Payee, Amount: settlement.NewAmount(units), Position: "log/3",
	}
	at := time.Now().UTC().Truncate(time.Second)
	return &settlement.Sighting{
		TxID: settlement.TxID(hash[:]), Transfer: transfer, Block: settlement.Block{Number: 11, Hash: settlement.BlockHash(hash[:]), Time: at},
		Verdict: settlement.Verdict{Code: code, Detail: detail, Transfer: &transfer, Evidence: &settlement.Evidence{Chain: terms.Token.Chain, Block: 11, BlockTime: at, LookedAt: at}},
	}
}

// misfit is a direct payment that is before a person.
func (d *desk) misfit(units uint64, code settlement.Code, detail string) settlement.PaymentID {
	d.t.Helper()
	id := d.opened("")
	d.advance(settlement.Event{ID: "seen", Payment: id, Kind: settlement.EventPaymentMispaid, Reason: code, Detail: detail, Sighting: d.sighting(id, units, code, detail)})
	return id
}

// held is so much in a vault, and the orchestrator knows.
func (d *desk) held(units uint64, then ...settlement.Event) settlement.PaymentID {
	d.t.Helper()
	id := d.opened(settlement.CustodyVault)
	detail := ""
	if units > deskPrice {
		detail = settlement.Over
	}
	d.advance(settlement.Event{ID: "paid", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: d.sighting(id, units, settlement.Verified, detail)})
	if len(then) == 0 || then[0].Kind != settlement.EventProofRefused {
		then = append([]settlement.Event{{ID: "held", Kind: settlement.EventProofAccepted, Platform: "held"}}, then...)
	}
	for _, e := range then {
		e.Payment = id
		d.advance(e)
	}
	return id
}

// Every action that people have, once by the API, once by a command and once by the page's form: it is offered, what it would do is
// told, it is done, and it stands in the history.
func TestEveryActionEveryWay(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	disputed := settlement.Event{ID: "disputed", Kind: settlement.EventOrderDisputed}
	decided := settlement.Event{ID: "decided", Kind: settlement.EventDisputeDecided, Dispute: &settlement.DisputeStep{Award: &settlement.Division{ToPayee: settlement.NewAmount(deskPrice)}}}
	var done []string
	for _, tt := range []struct {
		action, command string // after the payment: the command's own flags
		fields          map[string]string
		scene           func() settlement.PaymentID
		becomes         settlement.State
	}{
		{"freeze", "dispute open {id} --party payer --about fraud", map[string]string{"party": "payer", "dispute_reason": "fraud"}, func() settlement.PaymentID { return d.held(deskPrice) }, settlement.StateFrozen},
		{"unfreeze", "dispute drop {id}", nil, func() settlement.PaymentID { return d.held(deskPrice, disputed) }, settlement.StateHeld},
		{"statement", "dispute statement {id} --party payee", map[string]string{"party": "payee"}, func() settlement.PaymentID { return d.held(deskPrice, disputed) }, settlement.StateFrozen},
		{
			"decide", "dispute decide {id} --to-payee 500000 --to-payer 1000000",
			map[string]string{"to_payee": "500000", "to_payer": "1000000"},
			func() settlement.PaymentID { return d.held(deskPrice, disputed) }, settlement.StateFrozen,
		},
		{"appeal", "dispute appeal {id} --party payer", map[string]string{"party": "payer"}, func() settlement.PaymentID { return d.held(deskPrice, disputed, decided) }, settlement.StateFrozen},
		{
			"release", "release {id}", nil,
			func() settlement.PaymentID {
				return d.held(deskPrice, settlement.Event{ID: "refused", Kind: settlement.EventProofRefused, Reason: "PROOF_REFUSED"})
			}, settlement.StateReleasePending,
		},
		{"refund", "refund {id}", nil, func() settlement.PaymentID { return d.held(deskPrice) }, settlement.StateRefundPending},
		{"refund", "refund {id} --amount 400000", map[string]string{"amount": "400000"}, func() settlement.PaymentID { return d.held(deskPrice) }, settlement.StateHeld},
		{
			"split", "split {id} --to-payee 500000 --to-payer 1000000",
			map[string]string{"to_payee": "500000", "to_payer": "1000000"},
			func() settlement.PaymentID { return d.held(deskPrice) }, settlement.StateSplitPending,
		},
		{"surplus", "payments surplus {id}", nil, func() settlement.PaymentID { return d.held(deskPrice + 1) }, settlement.StateHeld},
		{
			"accept", "payments accept {id} --txid {txid} --position log/3",
			map[string]string{"txid": "{txid}", "position": "log/3"},
			func() settlement.PaymentID { return d.misfit(1_000_000, settlement.AmountMismatch, settlement.Under) }, settlement.StateVerified,
		},
		{
			"accept", "payments accept {id} --txid {txid} --position log/3",
			map[string]string{"txid": "{txid}", "position": "log/3"},
			func() settlement.PaymentID { return d.misfit(2_000_000, settlement.AmountMismatch, settlement.Over) }, settlement.StateVerified,
		},
		{
			"accept", "payments accept {id} --txid {txid} --position log/3",
			map[string]string{"txid": "{txid}", "position": "log/3"},
			func() settlement.PaymentID { return d.misfit(deskPrice, settlement.PaymentLate, "") }, settlement.StateVerified,
		},
		{
			"accept", "payments accept {id} --txid {txid} --position log/3",
			map[string]string{"txid": "{txid}", "position": "log/3"},
			func() settlement.PaymentID { return d.misfit(deskPrice, settlement.TransferAmbiguous, "") }, settlement.StateVerified,
		},
		{"close", "payments close {id}", nil, func() settlement.PaymentID { return d.misfit(deskPrice, settlement.TransferAmbiguous, "") }, settlement.StateClosed},
		{"attach", "payments attach {id} --txid {other}", map[string]string{"txid": "{other}"}, func() settlement.PaymentID { return d.opened("") }, settlement.StateVerifying},
		{"reverify", "payments reverify {id}", nil, func() settlement.PaymentID { return d.misfit(1, settlement.AmountMismatch, settlement.Under) }, settlement.StateNeedsReview},
		{
			"retry", "payments retry {id}", nil,
			func() settlement.PaymentID {
				return d.held(deskPrice, settlement.Event{ID: "confirmed", Kind: settlement.EventOrderAccepted})
			}, settlement.StateReleasePending,
		},
		{"note", "payments note {id}", nil, func() settlement.PaymentID { return d.opened("") }, settlement.StateAwaitingPayment},
	} {
		done = append(done, tt.action)
		for way, act := range map[string]func(id settlement.PaymentID, version string, fill *strings.Replacer) string{
			"the API": func(id settlement.PaymentID, version string, fill *strings.Replacer) string {
				body := map[string]string{"reason": "ticket-4711"}
				for name, value := range tt.fields {
					body[name] = fill.Replace(value)
				}
				return d.act(id, tt.action, version, body)
			},
			"the command": func(_ settlement.PaymentID, _ string, fill *strings.Replacer) string {
				args := strings.Fields(fill.Replace(tt.command) + " --reason ticket-4711 --url " + d.s.url + " --key " + d.key)
				_, would, _ := runSettler(t, append(args, "--dry-run")...)
				_, out, errs := runSettler(t, args...)
				if !strings.Contains(would, string(tt.becomes)) {
					return "dry: " + would
				}
				return out + errs
			},
			"the page": func(id settlement.PaymentID, version string, fill *strings.Replacer) string {
				at := "/dashboard/payments/" + id.String()
				form := url.Values{"version": {version}, "reason": {"ticket-4711"}}
				for name, value := range tt.fields {
					form.Set(name, fill.Replace(value))
				}
				if tt.action == "accept" {
					form = url.Values{"version": {version}, "reason": {"ticket-4711"}, "transfer": {fill.Replace("{txid} log/3")}}
				}
				shown := d.page(at, nil)
				for name := range form {
					if !strings.Contains(shown, `name="`+name+`"`) {
						return "the page has no field " + name
					}
				}
				would := d.page(at+"/actions/"+tt.action, form)
				sure := url.Values{}
				for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(would, -1) {
					sure.Set(m[1], m[2])
				}
				if !strings.Contains(would, "would become") {
					return would
				}
				return d.page(at+"/actions/"+tt.action, sure)
			},
		} {
			id := tt.scene()
			before := d.payment(id)
			if want := map[bool]string{true: "1500000", false: before.Held.Amount}[before.Custody == "vault" && tt.action != "surplus"]; before.Held.Amount != want {
				t.Errorf("%s: %s are held, want %s", tt.action, before.Held.Amount, want)
			}
			if !slices.Contains(before.Actions, tt.action) {
				t.Errorf("%s: offered are %s", tt.action, before.Actions)
			}
			hash := sha256.Sum256(id[:])
			fill := strings.NewReplacer("{id}", id.String(), "{txid}", fmt.Sprintf("0x%x", hash), "{other}", "0x"+strings.Repeat("ab", 32))
			said := act(id, fmt.Sprint(before.Version), fill)
			after := d.payment(id)
			last := after.History[len(after.History)-1]
			if after.State != string(tt.becomes) || after.Version != before.Version+1 || last.By != "ann" || last.Origin != "127.0.0.1" || !strings.HasSuffix(last.Detail, "ticket-4711") {
				t.Errorf("%s by %s: %s, version %d after %d, want %s; %+v\n%s", tt.action, way, after.State, after.Version, before.Version, tt.becomes, last, said)
			}
		}
	}
	for _, kind := range jobs.Actions {
		if !slices.Contains(done, string(kind)) {
			t.Errorf("%s was not done", kind)
		}
	}
}

// deskPayment is what the test reads of a payment.
type deskPayment struct {
	State   string
	Custody string
	Held    struct{ Amount string }
	Version int64
	Actions []string
	History []struct{ By, Origin, Detail string }
}

func (d *desk) payment(id settlement.PaymentID) (p deskPayment) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.s.url+"/v1/payments/"+id.String(), nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+d.key)
	if text := d.send(http.DefaultClient, req); json.Unmarshal(text, &p) != nil || p.State == "" {
		d.t.Fatalf("payment: %s", text)
	}
	return p
}

// act asks the API what the action would do, and to do it.
func (d *desk) act(id settlement.PaymentID, action, version string, body any) (said string) {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, query := range []string{"?dry_run=true", ""} {
		req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.s.url+"/v1/admin/payments/"+id.String()+"/actions/"+action+query, bytes.NewReader(text))
		if err != nil {
			d.t.Fatal(err)
		}
		for name, value := range map[string]string{
			"Authorization": "Bearer " + d.key, "Content-Type": "application/json", "If-Match": `"` + version + `"`, "Idempotency-Key": id.String(),
		} {
			req.Header.Set(name, value)
		}
		said += string(d.send(http.DefaultClient, req))
	}
	return said
}
