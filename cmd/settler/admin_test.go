package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	neturl "net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/internal/pgtest"
)

// Every command that speaks to the API, once, against a running settler.
func TestCommandsOfPeople(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := writeConfig(t, w.config+"admin: {issuer: \"http://127.0.0.1:1\", audience: settler}\n")
	const id = "01932f9a-7c31-7abc-8def-000000000001"
	_, err := w.pool.Exec(t.Context(), `
		insert into payments (id, marketplace, order_id, machine_id, version, state, rail, chain, token, token_symbol, token_decimals, payee, amount, proven_payer,
			not_before, from_block, deadline, grace_seconds, paid_by, received, pay_token_hash, due_at, created_at, updated_at)
		values ($1, 'acme', 'ord_1', 'mach_1', 1, 'held', 'wallet', 'eip155:424242', decode(repeat('01', 20), 'hex'), 'TUSD', 6, decode(repeat('02', 20), 'hex'),
			1500000, decode(repeat('03', 20), 'hex'), now(), 1, now(), 60, decode(repeat('0a', 32), 'hex'), 1500000, '\xaa', '9999-01-01 00:00:00+00', now(), now())`, id)
	if err != nil {
		t.Fatal(err)
	}
	keyOf := func(name string, reach ...string) string {
		_, person, errs := runSettler(t, append([]string{"persons", "add", "-c", path, "--subject", name, "--name", name, "--scope", "admin"}, reach...)...)
		code, key, keyErrs := runSettler(t, append([]string{"keys", "create", "-c", path, "--name", name, "--scope", "admin", "--person", strings.TrimSpace(person)}, reach...)...)
		if code != 0 {
			t.Fatal(errs, keyErrs)
		}
		return strings.TrimSpace(key)
	}
	alice, bob, carol := keyOf("alice", "--marketplace", "acme"), keyOf("bob", "--marketplace", "acme"), keyOf("carol")

	ctx, interrupt := context.WithCancel(t.Context())
	var log syncBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "-c", path}, &streams{In: strings.NewReader(""), Out: &log, Err: &log})
	}()
	defer func() {
		interrupt()
		<-ended
	}()
	var url string
	waitFor(t, "the server's address", func() bool {
		for line := range strings.Lines(log.String()) {
			var entry struct{ Msg, URL string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
				url = entry.URL
			}
		}
		return url != "" && status(t, url+"/readyz") == http.StatusOK
	})
	picture := filepath.Join(t.TempDir(), "parcel.png")
	if err := os.WriteFile(picture, []byte("\x89PNG\x0D\x0A\x1A\x0A"), 0o600); err != nil {
		t.Fatal(err)
	}
	var approval, hash string
	november := filepath.Join(t.TempDir(), "november.csv")
	for _, tt := range []struct {
		key, command string
		code         int
		says         []string
	}{
		{alice, "orders ord_1", 0, []string{"held", "1.500000"}},
		{alice, "orders ord_2", 1, []string{"NOT_FOUND", "(request "}},
		{"", "orders ord_1", 1, []string{"SETTLER_API_KEY"}},
		{"sk_wrong", "orders ord_1", 1, []string{"API_KEY_INVALID"}},
		{alice, "payments list --state held --limit 1", 0, []string{"PAYMENT", id, "ord_1"}},
		{alice, "payments list --state lost", 1, []string{"VALIDATION_FAILED", "query.state"}},
		{alice, "payments note " + id + " --reason called", 0, []string{"done", "true"}},
		{alice, "payments show " + id, 0, []string{"noted", "called", "alice", "actions"}},
		{alice, "payments attach " + id + " --reason x --txid 0x12", 1, []string{"TXID_MALFORMED"}},
		{alice, "payments accept " + id + " --reason x --position log/1 --txid 0x" + strings.Repeat("0b", 32), 1, []string{"STATE_CONFLICT", "no final transfer of the payment's token"}},
		{alice, "payments close " + id + " --reason x", 1, []string{"STATE_CONFLICT"}},
		{alice, "payments reverify " + id + " --reason x", 1, []string{"STATE_CONFLICT"}},
		{alice, "payments retry " + id + " --reason x", 1, []string{"STATE_CONFLICT"}},
		{alice, "refund " + id + " --reason x", 1, []string{"REFUND_WALLET_MISSING", "refunds.signer"}},
		{alice, "refund " + id + " --amount= --reason x", 1, []string{"VALIDATION_FAILED", "body.amount"}},
		{alice, "refund " + id + " --amount 1 --reason x", 1, []string{"REFUND_WALLET_MISSING", "refunds.signer"}},
		{alice, "split " + id + " --to-payee 1 --to-payer 2 --reason x", 1, []string{"STATE_CONFLICT", "holds nothing"}},
		{alice, "payments surplus " + id + " --reason x", 1, []string{"REFUND_WALLET_MISSING", "refunds.signer"}},
		{alice, "release " + id + " --reason x --version 1", 1, []string{"VERSION_CHANGED"}},
		{alice, "dispute open " + id + " --reason x --party payer --about not_delivered --dry-run", 0, []string{"becomes", "frozen", "dry run"}},
		{alice, "dispute open " + id + " --reason x --party payer --about not_delivered", 0, []string{"state", "frozen"}},
		{alice, "statements --from 2020-01-01T00:00:00Z --to 2020-02-01T00:00:00Z", 0, []string{"record,at,entry,kind,"}},
		{alice, "statements --from 2020-01-01T00:00:00Z --to 2020-02-01T00:00:00Z -o json", 0, []string{`"closing":[`}},
		{alice, "statements --from 2020-01-01T00:00:00Z --to 2020-02-01T00:00:00Z --file " + november, 0, []string{""}},
		{alice, "statements --from 2020-02-01T00:00:00Z --to 2020-01-01T00:00:00Z", 1, []string{"VALIDATION_FAILED", "query.from"}},
		{alice, "queues", 0, []string{"disputes", "1"}},
		{alice, "queues disputes", 0, []string{id, "frozen", "not_delivered", "payer"}},
		{alice, "dispute statement " + id + " --reason sent --party payee", 0, []string{"frozen"}},
		{alice, "dispute evidence " + id + " " + picture + " --reason parcel --party payee", 0, []string{"sha256", "image/png"}},
		{alice, "dispute evidence " + id + " " + picture + " --reason film --party payee --reference https://files.example/1", 0, []string{"statement", "frozen"}},
		{alice, "dispute evidence " + id + " " + picture + " --reason film --party payee --reference ftp://files.example/1", 1, []string{"body.evidence.url"}},
		{alice, "payments show " + id + " -o json", 0, []string{`"url":"https://files.example/1"`, `"size":8`}},
		{alice, "dispute appeal " + id + " --reason x --party payer", 1, []string{"nothing is decided"}},
		{alice, "dispute decide " + id + " --reason x --to-payee 1 --to-payer 0", 1, []string{"body.to_payee", "1500000"}},
		{alice, "dispute decide " + id + " --reason arrived --to-payee 1500000 --to-payer 0", 0, []string{"approvals needed  1", "approval"}},
		{bob, "approvals", 0, []string{"decide", "alice", "1.500000"}},
		{bob, "approve {approval} --hash " + strings.Repeat("ab", 32), 1, []string{"APPROVAL_CHANGED"}},
		{alice, "approve {approval} --hash {hash}", 1, []string{"OWN_REQUEST"}},
		{bob, "reject {approval} --hash {hash}", 1, []string{"body.reason"}},
		{bob, "approve {approval} --hash {hash}", 0, []string{"executed"}},
		{alice, "dispute appeal " + id + " --reason x --party payer", 0, []string{"frozen"}},
		{alice, "dispute drop " + id + " --reason agreed", 0, []string{"approvals needed", "becomes"}},
		{alice, "payments close " + id, 64, []string{"--reason"}},
		{alice, "halt --reason x", 1, []string{"MARKETPLACE_FORBIDDEN", "database itself"}},
		{carol, "halt --reason a-key-is-missing", 0, []string{"carol: a-key-is-missing"}},
		{alice, "halts", 0, []string{"*", "carol: a-key-is-missing"}},
		{carol, "resume --reason found --chain eip155:424242", 1, []string{"nothing was halted there"}},
		{carol, "resume --reason found", 0, []string{"HALTED"}},
		{carol, "halts", 0, []string{"resume", "carol", "127.0.0.1", "found"}},
	} {
		args := strings.Fields(strings.NewReplacer("{approval}", approval, "{hash}", hash).Replace(tt.command))
		code, out, errs := runSettler(t, append(args, "--url", url, "--key", tt.key)...)
		for _, want := range tt.says {
			if code != tt.code || !strings.Contains(out+errs, want) {
				t.Errorf("%s: exit %d, want %d with %q:\n%s%s", tt.command, code, tt.code, want, out, errs)
			}
		}
		if tt.command != "approvals" {
			continue
		}
		var waiting struct {
			Items []struct {
				ID   string `json:"approval_id"`
				Hash string
			}
		}
		_, out, _ = runSettler(t, "approvals", "-o", "json", "--url", url, "--key", tt.key)
		if err := json.Unmarshal([]byte(out), &waiting); err != nil || len(waiting.Items) != 1 {
			t.Fatalf("approvals as JSON: %v\n%s", err, out)
		}
		approval, hash = waiting.Items[0].ID, waiting.Items[0].Hash
	}

	// The answer to a write is lost: the command that it says to repeat does nothing twice.
	loses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, _ := neturl.Parse(url)
		proxy := httputil.NewSingleHostReverseProxy(target)
		if r.Method == http.MethodPost {
			proxy.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	defer loses.Close()
	note := []string{"payments", "note", id, "--reason", "lost", "--key", alice, "--url"}
	code, out, errs := runSettler(t, append(note, loses.URL)...)
	_, again, ok := strings.Cut(errs, "with --version ")
	if code != 1 || !ok {
		t.Fatalf("exit %d: %s%s", code, out, errs)
	}
	again, _, _ = strings.Cut(again, " does it")
	code, out, errs = runSettler(t, append(append(note, url, "--version"), strings.Fields(again)...)...)
	var notes int
	if err := w.pool.QueryRow(t.Context(), "select count(*) from payment_events where payment_id = $1 and detail = 'lost'", id).Scan(&notes); err != nil || code != 0 || notes != 1 {
		t.Errorf("repeated: exit %d, %d notes (%v): %s%s", code, notes, err, out, errs)
	}

	// A statement that breaks off leaves no file that could be taken for one.
	text, err := os.ReadFile(november)
	if err != nil || !strings.Contains(string(text), "\nend,2020-02-01T00:00:00Z,0,") {
		t.Errorf("the statement's file: %s (%v)", text, err)
	}
	if _, err := w.pool.Exec(t.Context(), pgtest.BrokenLedger); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), "half.csv")
	now := time.Now().UTC()
	statement := []string{"statements", "--from", now.Add(-time.Hour).Format(time.RFC3339), "--to", now.Format(time.RFC3339Nano), "--url", url, "--key", carol}
	for _, args := range [][]string{{"--file", half}, {"-o", "json"}} {
		code, out, errs := runSettler(t, append(statement, args...)...)
		if code != 1 || !strings.Contains(errs, "the statement was cut off") || strings.Contains(out, "line_count") {
			t.Errorf("a statement that breaks off, %s: exit %d, %s", args, code, errs)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(half)); err != nil || len(left) > 0 {
		t.Errorf("what broke off has left %v (%v)", left, err)
	}
}

func TestTerminalGetsNoControlCharacters(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	f := apiFlags{Output: "table"}
	if err := f.show(&streams{Out: &out}, []byte(`{"a": "\u001b[2Jx\n", "b": ["\u0007y"]}`), "", column{"a", "a"}, column{"b", "b"}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(strings.ReplaceAll(out.String(), "\n", ""), "\x1b\x07") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("got %q", out.String())
	}
}
