package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
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
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/jobs"
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
	t.Parallel()
	program := crashProgram(t)
	log := filepath.Join(t.TempDir(), "points")
	newCrashRun(t, program, nil).settle("", log)
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
			newCrashRun(t, program, nil).settle(point, "")
		})
	}
}

// One build with crash points serves all tests of a run.
var (
	programOnce sync.Once
	programDir  string
	programErr  error
)

// crashProgram is the path of the program with its crash points.
func crashProgram(t *testing.T) string {
	t.Helper()
	programOnce.Do(func() {
		if programDir, programErr = os.MkdirTemp("", "settler-crashtest-"); programErr != nil {
			return
		}
		out, err := exec.Command("go", "build", "-tags", "crashtest", "-o", filepath.Join(programDir, "settler"), ".").CombinedOutput()
		if err != nil {
			programErr = fmt.Errorf("build: %w\n%s", err, out)
		}
	})
	if programErr != nil {
		t.Fatal(programErr)
	}
	return filepath.Join(programDir, "settler")
}

// crashRun is a world of its own around the program: its database, chain and orchestrator live in this process and do not
// crash.
type crashRun struct {
	t       *testing.T
	program string
	config  string
	pool    *pgxpool.Pool
	market  *orchestrationtest.Server
	rpc     *chaintest.Proxy // between the program and its node
	escrow  *devEscrow
	cluster *crashCluster // its Solana side; nil for none
	play    play
	orders  int          // that moveMoney has played
	runner  *jobs.Runner // of door; nil before it was asked for

	mu     sync.Mutex // guards output
	output bytes.Buffer
}

// newCrashRun makes the world; cluster is its Solana side, nil for none.
func newCrashRun(t *testing.T, program string, cluster *crashCluster) *crashRun {
	t.Helper()
	r := &crashRun{t: t, program: program, cluster: cluster}
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
	if r.escrow, err = newDevEscrow(); err != nil {
		t.Fatal(err)
	}
	chain, err := devnet.StartChain(devnet.ChainConfig{ChainID: chainID, BlockTime: 100 * time.Millisecond, Accounts: append(r.escrow.accounts(), wallet)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	token, err := devnet.DeployTestToken(t.Context(), chain, payer, wallet)
	if err != nil {
		t.Fatal(err)
	}
	if err := devnet.DeployVaults(t.Context(), chain, payer); err != nil {
		t.Fatal(err)
	}
	if _, err := devnet.SendTestToken(t.Context(), chain, payer, token, addressOf(r.escrow.refunds), big.NewInt(1_000_000_000)); err != nil {
		t.Fatal(err)
	}
	r.escrow.chain, r.escrow.token = chain, token
	r.rpc = chaintest.NewProxy(t, chain.URL())
	caip2 := fmt.Sprintf("eip155:%d", chainID)
	services := r.escrow.services(caip2)
	if cluster != nil {
		services = append(services, cluster.services()...)
	}
	server, err := startDevMarket(caip2, chain.URL(), token, services)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.stop() })
	r.market = server.handler

	listen := ownAddress(t)

	dir := t.TempDir()
	agent, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	account, err := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(agent, "crash")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(r.escrow.operator, "crash")
	if err != nil {
		t.Fatal(err)
	}
	refunds, err := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(r.escrow.refunds, "crash")
	if err != nil {
		t.Fatal(err)
	}
	const webhookKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	r.config = filepath.Join(dir, "settler.yaml")
	yaml := fmt.Sprintf(`listen: %s
database: {url: %q}
mode: development
pay_token_key: %s
agent: {keystore: %q, password: crash}
marketplaces:
  - id: demo
    orchestrator: {url: %s}
    webhook_secrets: [%s]
    deadline: 24h # the chain's clock goes ten times as fast as ours
    list_interval: 100ms # so that an order's life sees all that the listing asks
chains:
  - id: %s
    endpoints: [{name: devnet, url: %s}]
    finality: {depth: 2}
    poll_interval: 50ms
    tokens: [{symbol: TUSD, address: %q, decimals: 6}]
    escrow: {signer: operator, arbiter: %q}
    refunds: {signer: refunds}
signers:
  - name: operator
    kind: keystore
    address: %q
    keystore: %q
    password: crash
    chains:
      - {chain: %q, tokens: [{token: TUSD, per_payment: "1000", per_hour: "100000"}], payments_per_hour: 1000, max_fee_per_gas: "1000", gas_reserve: "0.01"}
  - name: refunds
    kind: keystore
    address: %q
    keystore: %q
    password: crash
    chains:
      - {chain: %q, methods: [transfer], tokens: [{token: TUSD, per_payment: "1000", per_hour: "100000"}], payments_per_hour: 1000, max_fee_per_gas: "1000", gas_reserve: "0.01"}
`, listen, url, strings.Repeat("ab", 32), account.URL.Path, server.url, webhookKey, caip2, r.rpc.URL(), token.Hex(),
		addressOf(r.escrow.arbiter).Hex(), signer.Address.Hex(), signer.URL.Path, caip2,
		refunds.Address.Hex(), refunds.URL.Path, caip2)
	if cluster != nil {
		yaml = strings.Replace(yaml, "chains:\n", cluster.yaml(t, dir), 1)
	}
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
	server.tell(orchestrationtest.Webhook{URL: "http://" + listen + "/v1/webhooks/demo/orders", Secret: webhookKey})
	r.play = play{
		steps: &stepPrinter{out: io.Discard}, api: "http://" + listen, people: devPeople{program: key}, orchestrator: server.url, rpc: chain.URL(), marketplace: "demo",
		serviceID: devService, machineRef: fmt.Sprintf("did:peaq:%d", chainID), controller: controller, payer: payer, pay: payEVM,
	}
	return r
}

// ownAddress is a free address that nothing else is given while the program is down: where every loopback address is this machine's,
// one that is drawn among millions.
func ownAddress(t *testing.T) string {
	t.Helper()
	host := fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(254), rand.IntN(256), 1+rand.IntN(254))
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		if listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	defer func() { _ = listener.Close() }() // nothing was accepted
	return listener.Addr().String()
}

// settle runs the program until the order is settled, with a crash at the point when one is named.
func (r *crashRun) settle(point, log string) {
	t := r.t
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	order := r.survive(ctx, point, log, &r.play)
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

// survive plays the order against the program, which is started again after it has crashed at the point.
func (r *crashRun) survive(ctx context.Context, point, log string, order *play) (orderID string) {
	t := r.t
	t.Helper()
	// The program lists machines once a minute: that it lists this one's orders must not depend on who is faster.
	if err := order.enter(ctx); err != nil {
		t.Fatal(err)
	}
	first := r.start(ctx, "SETTLER_CRASH_AT="+point, "SETTLER_CRASH_LOG="+log)
	played := make(chan error, 1)
	go func() {
		played <- order.run(ctx)
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
	return order.orderID
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
	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan error
}

// start starts the program, and again where it ended because no endpoint answered in time, as whoever supervises it does:
// on a busy machine that is nobody's fault.
func (r *crashRun) start(ctx context.Context, environ ...string) *process {
	r.t.Helper()
	p := &process{ended: make(chan error, 1)}
	output, err := p.launch(ctx, r, environ)
	if err != nil {
		r.t.Fatal(err)
	}
	go func() {
		for {
			silent := false
			lines := bufio.NewScanner(output)
			for lines.Scan() {
				silent = silent || strings.HasPrefix(lines.Text(), "settler: chain ") && strings.Contains(lines.Text(), "could not be checked")
				r.mu.Lock()
				r.output.WriteString(lines.Text() + "\n")
				r.mu.Unlock()
			}
			err := p.cmd.Wait()
			if err != nil && silent && ctx.Err() == nil {
				if output, err = p.launch(ctx, r, environ); err == nil {
					continue
				}
			}
			p.ended <- err
			return
		}
	}()
	return p
}

func (p *process) launch(ctx context.Context, r *crashRun, environ []string) (output io.Reader, err error) {
	cmd := exec.CommandContext(ctx, r.program, "serve", "--config", r.config)
	cmd.Env = append(os.Environ(), environ...)
	if output, err = cmd.StderrPipe(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cmd = cmd
	return output, cmd.Start()
}

func (p *process) stop(t *testing.T) {
	p.mu.Lock()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.mu.Unlock()
	if err := <-p.ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func (r *crashRun) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.output.String()
}
