package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// testChain is one development chain with its token for all tests of this file: they only ask who it is.
var testChain = sync.OnceValues(func() (chain struct{ url, token, wallet string }, err error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return chain, err
	}
	wallet := crypto.PubkeyToAddress(key.PublicKey)
	c, err := devnet.StartChain(devnet.ChainConfig{ChainID: testChainID, BlockTime: time.Second, Accounts: []common.Address{wallet}})
	if err != nil { // it lives as long as the test binary
		return chain, err
	}
	token, err := devnet.DeployTestToken(context.Background(), c, key, wallet)
	chain.url, chain.token, chain.wallet = c.URL(), token.Hex(), wallet.Hex()
	return chain, err
})

const testChainID = 424242

// world is what one configuration refers to, all of it real.
type world struct {
	pool   *pgxpool.Pool
	config string // text, to be changed by a test and written
	agent  common.Address
}

func newWorld(t *testing.T) world {
	t.Helper()
	chain, err := testChain()
	if err != nil {
		t.Fatal(err)
	}
	market := httptest.NewServer(orchestrationtest.New(orchestrationtest.Config{}))
	t.Cleanup(market.Close)
	dir := t.TempDir()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	account, err := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(key, "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	pool := pgtest.New(t)
	return world{pool: pool, agent: account.Address, config: fmt.Sprintf(`listen: 127.0.0.1:0
database: {url: %q, max_connections: 4}
mode: development
pay_token_key: 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
agent: {keystore: %q, password: hunter2}
marketplaces:
  - id: acme
    orchestrator: {url: %q}
    webhook_secrets: [%s]
chains:
  - id: eip155:%d
    endpoints: [{name: devnet, url: %q}]
    finality: {depth: 2}
    poll_interval: 50ms
    tokens: [{symbol: TUSD, address: %q, decimals: 6}]
`, databaseURL(pool), account.URL.Path, market.URL, testSecret, testChainID, chain.url, chain.token)}
}

func databaseURL(pool *pgxpool.Pool) string { return pool.Config().ConnString() }

// syncBuffer can be read while a command writes to it.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// waitFor polls until what is wanted holds, for at most two minutes.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestServeServesAndStops(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := writeConfig(t, w.config)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var errOut syncBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "-c", path}, &streams{In: strings.NewReader(""), Out: &errOut, Err: &errOut})
	}()
	var url string
	waitFor(t, "the server's address", func() bool {
		for line := range strings.Lines(errOut.String()) {
			var entry struct{ Msg, URL, Agent string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "serving" {
				url = entry.URL
			}
		}
		return url != ""
	})
	waitFor(t, "readiness", func() bool { return status(t, url+"/readyz") == http.StatusOK })

	interrupt()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("exit code %d\n%s", code, errOut.String())
		}
	case <-time.After(stopTimeout):
		t.Fatal("it does not stop")
	}
	if !strings.Contains(errOut.String(), `"msg":"stopped"`) {
		t.Errorf("it does not say that it stopped:\n%s", errOut.String())
	}
	if strings.Contains(errOut.String(), "hunter2") {
		t.Error("a secret is logged")
	}
	pgtest.CheckBooks(t, w.pool)
}

func status(t *testing.T, url string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode
}

func TestServeStartsBesideASilentEndpoint(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg, err := loadConfig(writeConfig(t, w.config), []string{
		"SETTLER_CHAINS_0_ENDPOINTS_1_NAME=silent", "SETTLER_CHAINS_0_ENDPOINTS_1_URL=http://127.0.0.1:1/hunter2",
	})
	if err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	logger, err := newLogger(LogConfig{Level: "info", Format: "text"}, &log)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startService(t.Context(), cfg, logger)
	if err != nil {
		t.Fatal(err)
	}
	if got := status(t, s.URL()+"/healthz"); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("a stop on demand is a failure: %v", err)
	}
	if text := log.String(); !strings.Contains(text, "endpoint silent could not be checked") || strings.Contains(text, "hunter2") {
		t.Errorf("the log is\n%s", text)
	}
}

func TestServeRefusesToStart(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	chain, err := testChain()
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, replacement string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			t.Helper()
			if !strings.Contains(w.config, old) {
				t.Fatalf("the configuration has no %s", old)
			}
			w.config = strings.Replace(w.config, old, replacement, 1)
		}
	}
	tests := []struct {
		name    string
		prepare func(*testing.T, *world)
		want    string // in the message
	}{
		{"database down", func(t *testing.T, w *world) {
			t.Helper()
			w.config = strings.Replace(w.config, databaseURL(w.pool), "postgres://u:hunter2@127.0.0.1:1/db", 1)
		}, "settler: database does not answer: "},
		{"schema behind", func(t *testing.T, w *world) {
			t.Helper()
			if _, err := w.pool.Exec(t.Context(), "delete from river.river_migration where version = (select max(version) from river.river_migration)"); err != nil {
				t.Fatal(err)
			}
		}, "is missing: the database schema is behind this program; run `settler migrate up`"},
		{"pooler in transaction mode", func(t *testing.T, w *world) {
			t.Helper()
			w.config = strings.Replace(w.config, databaseURL(w.pool), startPooler(t, databaseURL(w.pool), 3), 1)
		}, "settler: a pooler in transaction mode stands before Postgres"},
		{"wrong chain", replace("eip155:424242", "eip155:1"), "settler: chain eip155:1: endpoint devnet: RPC_MISCONFIGURED: it serves chain eip155:424242, not eip155:1"},
		{"no contract", replace(chain.token, "0x00000000000000000000000000000000000000ff"), "token TUSD: RPC_MISCONFIGURED: there is no contract at 0x00000000000000000000000000000000000000ff"},
		{"other decimals", replace("decimals: 6", "decimals: 18"), "token TUSD: RPC_MISCONFIGURED: the contract has 6 decimals, the configuration 18"},
		{"no endpoint answers", replace(chain.url, "http://127.0.0.1:1/hunter2"), "endpoint devnet could not be checked: "},
		{"wrong password", replace("password: hunter2", "password: hunter3"), "settler: agent.keystore: open agent key "},
		{"address in use", replace("127.0.0.1:0", taken.Addr().String()), "settler: listen tcp " + taken.Addr().String()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.prepare(t, &w)
			code, _, errOut := runSettler(t, "serve", "-c", writeConfig(t, w.config))
			if code != 1 || !strings.Contains(errOut, tt.want) {
				t.Errorf("exit code %d, want 1 and %q in\n%s", code, tt.want, errOut)
			}
			if strings.Contains(errOut, "hunter2") {
				t.Errorf("a secret is shown:\n%s", errOut)
			}
		})
	}
}

func TestDoctorFindsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := writeConfig(t, w.config)
	code, out, errOut := runSettler(t, "doctor", "-c", path)
	var checks []string
	for line := range strings.Lines(out) {
		state, rest, _ := strings.Cut(line, "  ")
		check, _, _ := strings.Cut(strings.TrimSpace(rest), ": ")
		checks = append(checks, state+" "+check)
	}
	want := "ok configuration,ok agent key,ok database,ok database sessions,ok schema,ok chain eip155:424242 endpoint devnet," +
		"ok orchestrator of acme,ok clock against acme"
	if got := strings.Join(checks, ","); code != 0 || got != want || errOut != "" {
		t.Errorf("exit code %d, got %s\n%s%s", code, got, out, errOut)
	}
	if !strings.Contains(out, w.agent.Hex()) {
		t.Errorf("the agent's address is not shown:\n%s", out)
	}
}

func TestDoctorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.pool.Exec(t.Context(), "delete from river.river_migration where version = (select max(version) from river.river_migration)"); err != nil {
		t.Fatal(err)
	}
	late := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		// Half a minute more, so that neither the header's missing fraction nor a slow answer changes the minute.
		rw.Header().Set("Date", time.Now().Add(-time.Hour-30*time.Second).UTC().Format(http.TimeFormat))
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte(`{"ok":true}`))
	}))
	t.Cleanup(late.Close)
	text := strings.NewReplacer("eip155:424242", "eip155:1", "password: hunter2", "password: hunter3").Replace(w.config)
	text += "  - {id: eip155:5, endpoints: [{name: down, url: \"http://127.0.0.1:1/hunter2\"}], finality: {tag: safe}, tokens: [{symbol: A, native: true, decimals: 18}]}\n"
	cfg := writeConfig(t, strings.Replace(text, "chains:\n", fmt.Sprintf(
		"  - {id: late, orchestrator: {url: %q}, webhook_secrets: [%s]}\n  - {id: down, orchestrator: {url: \"http://127.0.0.1:1\"}, webhook_secrets: [%s]}\nchains:\n",
		late.URL, testSecret, testSecret), 1))

	code, out, _ := runSettler(t, "doctor", "-o", "json", "-c", cfg)
	var findings []finding
	if err := json.Unmarshal([]byte(out), &findings); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	want := map[string]string{ // check → a part of the detail; "" for ok
		"configuration": "", "database": "", "database sessions": "", "orchestrator of acme": "", "clock against acme": "", "orchestrator of late": "",
		"agent key":                      "could not decrypt key",
		"schema":                         "run `settler migrate up`",
		"chain eip155:1 endpoint devnet": "it serves chain eip155:424242",
		"chain eip155:5 endpoint down":   "RPC_UNAVAILABLE",
		"clock against late":             "our clock differs from the orchestrator's by 1h0m",
		"orchestrator of down":           "refused",
	}
	for _, f := range findings {
		detail, known := want[f.Check]
		delete(want, f.Check)
		if !known || f.OK != (detail == "") || !strings.Contains(f.Detail, detail) || f.OK == (f.Do != "") {
			t.Errorf("unexpected %+v", f)
		}
	}
	if len(want) != 0 || code != 1 || strings.Contains(out, "hunter2") {
		t.Errorf("exit code %d, missing %v in\n%s", code, want, out)
	}
}

// TestDoctorAsksTheRemoteSigner: one that signs, one that has another key, one that is down.
func TestDoctorAsksTheRemoteSigner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key, err := agentkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	agentLine := regexp.MustCompile(`agent: .*`)
	for name, c := range map[string]struct {
		url     string
		address string
		want    string
	}{
		"signs":       {string(remoteSigner(t, key)), key.Address(), "ok    agent key: address " + key.Address()},
		"another key": {string(remoteSigner(t, key)), w.agent.Hex(), "FAIL  agent key: remote signer: bad signature: made by " + key.Address()},
		"down":        {"http://127.0.0.1:1/hunter2", key.Address(), "FAIL  agent key: remote signer: personal_sign: dial tcp"},
	} {
		text := agentLine.ReplaceAllString(w.config, fmt.Sprintf("agent: {remote: {url: %q, address: %q}}", c.url, c.address))
		_, out, errOut := runSettler(t, "doctor", "-c", writeConfig(t, text))
		if !strings.Contains(out, c.want) || strings.Contains(out+errOut, "hunter2") {
			t.Errorf("%s: got\n%s%s\nwant %s", name, out, errOut, c.want)
		}
	}
}

func TestDoctorStopsAtABadConfiguration(t *testing.T) {
	t.Parallel()
	code, out, errOut := runSettler(t, "doctor", "-c", writeConfig(t, "listen: x\n"))
	if code != 1 || strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "FAIL  configuration: ") || errOut != "" {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
}

func TestMigrateOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := writeConfig(t, strings.Replace(w.config, databaseURL(w.pool), pgtest.NewEmptyURL(t), 1))

	code, out, errOut := runSettler(t, "migrate", "status", "-c", path)
	if code != 1 || !strings.HasPrefix(out, "missing 0001_payments.sql\n") || !strings.Contains(errOut, "settler migrate up") {
		t.Errorf("before: exit code %d\n%s%s", code, out, errOut)
	}
	code, out, errOut = runSettler(t, "migrate", "up", "-c", path)
	if code != 0 || !strings.HasPrefix(out, "applied 0001_payments.sql\n") || !strings.HasSuffix(out, "the schema is current\n") {
		t.Errorf("up: exit code %d\n%s%s", code, out, errOut)
	}
	if code, out, errOut = runSettler(t, "migrate", "up", "-c", path); code != 0 || out != "the schema is current\n" {
		t.Errorf("up again: exit code %d\n%s%s", code, out, errOut)
	}
	code, out, errOut = runSettler(t, "migrate", "status", "-c", path)
	if code != 0 || strings.Contains(out, "missing") || !strings.HasPrefix(out, "applied 0001_payments.sql\n") {
		t.Errorf("after: exit code %d\n%s%s", code, out, errOut)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := writeConfig(t, w.config)
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"all marketplaces without admin", []string{"--name", "x", "--scope", "read"}, "settler: to reach all marketplaces needs the scope admin; name one with --marketplace\n"},
		{"empty marketplace", []string{"--name", "x", "--scope", "admin", "--marketplace="}, "settler: marketplace \"\" is not in the configuration\n"},
		{"unknown marketplace", []string{"--name", "x", "--scope", "read", "--marketplace", "nobody"}, "settler: marketplace \"nobody\" is not in the configuration\n"},
	} {
		code, out, errOut := runSettler(t, append([]string{"keys", "create", "-c", path}, tt.args...)...)
		if code != 1 || out != "" || errOut != tt.want {
			t.Errorf("%s: exit code %d\n%s%s", tt.name, code, out, errOut)
		}
	}
	code, key, errOut := runSettler(t, "keys", "create", "-c", path, "--name", "shop floor", "--scope", "operate", "--marketplace", "acme")
	if code != 0 || !strings.HasPrefix(key, "sk_") || strings.Count(key, "\n") != 1 {
		t.Fatalf("exit code %d\n%s%s", code, key, errOut)
	}
	_, id, _ := strings.Cut(strings.TrimSpace(errOut), "keys revoke ")
	if code, _, errOut := runSettler(t, "keys", "create", "-c", path, "--name", "root", "--scope", "admin"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, errOut)
	}
	code, out, _ := runSettler(t, "keys", "list", "-c", path)
	if code != 0 || strings.Count(out, "\n") != 3 || !strings.Contains(out, id+"  operate  acme ") || !strings.Contains(out, "(all)") ||
		!strings.Contains(out, "shop floor\n") || strings.Contains(out, strings.TrimSpace(key)) {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out, errOut := runSettler(t, "keys", "revoke", "-c", path, id); code != 0 || out != "revoked "+id+"\n" {
		t.Errorf("exit code %d\n%s%s", code, out, errOut)
	}
	code, _, errOut = runSettler(t, "keys", "revoke", "-c", path, id)
	if want := "settler: there is no key " + id + " that was not revoked\n"; code != 1 || errOut != want {
		t.Errorf("exit code %d, %q", code, errOut)
	}
	if code, _, errOut := runSettler(t, "keys", "revoke", "-c", path, "x"); code != 1 || !strings.HasPrefix(errOut, `settler: "x" is not the id of a key; `) {
		t.Errorf("exit code %d, %q", code, errOut)
	}
}

func TestPersons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := writeConfig(t, w.config+"\nadmin: {issuer: \"https://login.example\", audience: settler}\n")
	run := func(want int, args ...string) (out, errOut string) {
		t.Helper()
		code, out, errOut := runSettler(t, append(args, "-c", path)...)
		if code != want {
			t.Errorf("%v: exit code %d\n%s%s", args, code, out, errOut)
		}
		return strings.TrimSpace(out), errOut
	}
	add := []string{"persons", "add", "--subject", "alice@example", "--name", "Alice"}
	if _, errOut := run(1, append(add, "--scope", "read")...); errOut != "settler: to reach all marketplaces needs the scope admin; name one with --marketplace\n" {
		t.Errorf("all marketplaces without admin: %s", errOut)
	}
	id, _ := run(0, append(add, "--scope", "operate", "--marketplace", "acme")...)
	if _, errOut := run(1, append(add, "--scope", "admin")...); !strings.Contains(errOut, "persons_subject_unique") {
		t.Errorf("the same subject twice: %s", errOut)
	}
	run(0, "keys", "create", "--name", "laptop", "--scope", "operate", "--marketplace", "acme", "--person", id)
	if out, _ := run(0, "keys", "list"); !strings.Contains(out, "  Alice   laptop") {
		t.Errorf("keys:\n%s", out)
	}
	if _, errOut := run(1, "keys", "create", "--name", "x", "--scope", "admin", "--person", "alice"); !strings.Contains(errOut, `"alice" is not the id of a person`) {
		t.Errorf("a key of nobody: %s", errOut)
	}
	if out, _ := run(0, "persons", "scope", id, "--scope", "admin"); out != "changed "+id {
		t.Errorf("scope: %s", out)
	}
	out, _ := run(0, "persons", "list")
	if !strings.Contains(out, id+"  admin  (all)") || !strings.HasSuffix(out, "-        https://login.example  alice@example  Alice") {
		t.Errorf("persons:\n%s", out)
	}
	if out, _ := run(0, "persons", "revoke", id); out != "revoked "+id {
		t.Errorf("revoke: %s", out)
	}
	for _, args := range [][]string{{"persons", "revoke", id}, {"persons", "scope", id, "--scope", "admin"}} {
		if _, errOut := run(1, args...); errOut != "settler: there is no person "+id+" who was not revoked\n" {
			t.Errorf("%v: %s", args, errOut)
		}
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "x")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args        []string
		code        int
		out, errOut string // beginnings
	}{
		{nil, 0, "Usage: settler <command>", ""},
		{[]string{"serve", "--help"}, 0, "Usage: settler serve", ""},
		{[]string{"version"}, 0, "settler  ", ""},
		{[]string{"serv"}, 64, "", "Run `settler --help` for its flags.\nsettler: unexpected argument serv, did you mean "},
		{[]string{"serve", "--port", "1"}, 64, "", "Run `settler serve --help` for its flags.\nsettler: unknown flag --port"},
		{[]string{"keys", "create"}, 64, "", "Run `settler keys create --help` for its flags.\nsettler: missing flags: --name=STRING, --scope=STRING\n"},
		{[]string{"keys", "create", "--name", "a", "--scope", "god"}, 64, "", "Run `settler keys create --help` for its flags.\nsettler: --scope must be one of "},
		{[]string{"serve", "-c", dir}, 1, "", "settler: configuration: read " + dir + ": is a directory\n"},
	} {
		code, out, errOut := runSettler(t, tt.args...)
		if code != tt.code || !strings.HasPrefix(out, tt.out) || !strings.HasPrefix(errOut, tt.errOut) || (tt.errOut == "") != (errOut == "") {
			t.Errorf("settler %s: exit code %d, want %d\n%s%s", strings.Join(tt.args, " "), code, tt.code, out, errOut)
		}
	}
}
