package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/store"
)

// TestCrash kills the real program with SIGKILL before and after every commit and every outside call on an order's path,
// starts it again, and wants the order settled: one intent, one accepted proof, one consumed transfer.
//
// The points come from a run without a crash, so a new commit or call is tested without being listed here.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("a crash at each of some thirty points takes minutes on a slow machine; run without -short")
	}
	program := filepath.Join(t.TempDir(), "settler-crashtest")
	build := exec.CommandContext(t.Context(), "go", "build", "-tags", "crashtest", "-o", program, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	log := filepath.Join(t.TempDir(), "points")
	newCrashRun(t, program).settle("", log)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	points := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, must := range []string{
		"before commit of webhooks", "after commit of orders", "after commit of events", "before commit of block", "after commit of final block",
	} {
		if !slices.Contains(points, must) {
			t.Errorf("no point %q: the hooks are not where this test believes", must)
		}
	}
	for _, call := range []string{"/payment-intent", "/payment-proof"} {
		for _, side := range []string{"before POST", "after POST"} {
			if !slices.ContainsFunc(points, func(p string) bool { return strings.HasPrefix(p, side) && strings.HasSuffix(p, call) }) {
				t.Errorf("no point %s …%s", side, call)
			}
		}
	}
	for _, point := range points {
		if strings.Contains(point, "empty ") || strings.Contains(point, "due ") {
			continue // touches no payment of this path
		}
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			newCrashRun(t, program).settle(point, "")
		})
	}
}

// crashRun is a world of its own around the program: its database, chain and orchestrator live in this process and do not
// crash.
type crashRun struct {
	t       *testing.T
	program string
	config  string
	pool    *pgxpool.Pool
	market  *orchestrationtest.Server
	play    play

	mu     sync.Mutex // guards output
	output bytes.Buffer
}

func newCrashRun(t *testing.T, program string) *crashRun {
	t.Helper()
	r := &crashRun{t: t, program: program}
	url := pgtest.NewURL(t)
	var err error
	if r.pool, err = pgxpool.New(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.pool.Close)
	payer, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	wallet := crypto.PubkeyToAddress(payer.PublicKey)
	chainID := 1_000_000 + rand.Uint64N(1_000_000_000)
	chain, err := devnet.StartChain(devnet.ChainConfig{ChainID: chainID, BlockTime: 100 * time.Millisecond, Accounts: []common.Address{wallet}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	token, err := devnet.DeployTestToken(t.Context(), chain, payer, wallet)
	if err != nil {
		t.Fatal(err)
	}
	caip2 := fmt.Sprintf("eip155:%d", chainID)
	server, err := startDevMarket(caip2, chain.URL(), token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.stop() })
	r.market = server.handler

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := listener.Addr().String()
	_ = listener.Close()

	dir := t.TempDir()
	agent, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	account, err := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(agent, "crash")
	if err != nil {
		t.Fatal(err)
	}
	const webhookKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	r.config = filepath.Join(dir, "settler.yaml")
	yaml := fmt.Sprintf(`listen: %s
database: {url: %q}
pay_token_key: %s
agent: {keystore: %q, password: crash}
marketplaces:
  - id: demo
    orchestrator: {url: %s}
    webhook_secrets: [%s]
chains:
  - id: %s
    endpoints: [{name: devnet, url: %s}]
    finality: {depth: 2}
    poll_interval: 50ms
    tokens: [{symbol: TUSD, address: %q, decimals: 6}]
`, listen, url, strings.Repeat("ab", 32), account.URL.Path, server.url, webhookKey, caip2, chain.URL(), token.Hex())
	if err := os.WriteFile(r.config, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	key, hash := api.NewKey()
	err = store.CreateAPIKey(t.Context(), r.pool, store.APIKey{ID: [16]byte(id), Marketplace: "demo", Name: "test", Scope: "operate", CreatedAt: time.Now()}, hash)
	if err != nil {
		t.Fatal(err)
	}
	controller, err := agentkey.FromHex(devController)
	if err != nil {
		t.Fatal(err)
	}
	r.play = play{
		api: "http://" + listen, apiKey: key, orchestrator: server.url, rpc: chain.URL(), webhookKey: webhookKey, marketplace: "demo",
		serviceID: devService, machineRef: fmt.Sprintf("did:peaq:%d", chainID), controller: controller, payer: payer,
		say: func(string, string, ...any) {},
	}
	return r
}

// settle runs the program until the order is settled, with a crash at the point when one is named.
func (r *crashRun) settle(point, log string) {
	t := r.t
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	first := r.start(ctx, "SETTLER_CRASH_AT="+point, "SETTLER_CRASH_LOG="+log)
	var order string
	played := make(chan error, 1)
	go func() {
		var err error
		order, err = r.play.run(ctx)
		played <- err
	}()
	running := first
	var died time.Time
	var err error
	select {
	case err = <-played:
		if point != "" {
			t.Errorf("the program never came to %q", point)
		}
	case exit := <-first.ended:
		if point == "" || !killed(exit) {
			t.Fatalf("the program ended: %v\n%s", exit, r.log())
		}
		died = time.Now()
		running = r.start(ctx)
		err = <-played
	}
	if err != nil {
		t.Fatalf("after a crash %s: %v\n%s", point, err, r.log())
	}
	if !died.IsZero() {
		t.Logf("settled %s after the crash", time.Since(died).Round(10*time.Millisecond))
	}
	running.stop(t)

	if n := r.market.Intents(order); n != 1 {
		t.Errorf("%d intents, want 1", n)
	}
	if n := len(r.market.Proofs(order)); n != 1 {
		t.Errorf("%d accepted proofs, want 1", n)
	}
	if o, _ := r.market.Order(order); o.Status != orchestration.OrderReady {
		t.Errorf("order is %s, want ready", o.Status)
	}
	var consumed int
	if err := r.pool.QueryRow(ctx, "select count(*) from consumed_transfers").Scan(&consumed); err != nil || consumed != 1 {
		t.Errorf("%d transfers consumed (%v), want 1", consumed, err)
	}
	pgtest.CheckBooks(t, r.pool)
}

func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

type process struct {
	cmd   *exec.Cmd
	ended chan error
}

func (r *crashRun) start(ctx context.Context, environ ...string) *process {
	r.t.Helper()
	cmd := exec.CommandContext(ctx, r.program, "serve", "--config", r.config)
	cmd.Env = append(os.Environ(), environ...)
	output, err := cmd.StderrPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	go func() {
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			r.mu.Lock()
			r.output.WriteString(lines.Text() + "\n")
			r.mu.Unlock()
		}
		p.ended <- cmd.Wait()
	}()
	return p
}

func (p *process) stop(t *testing.T) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	if err := <-p.ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func (r *crashRun) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.output.String()
}
