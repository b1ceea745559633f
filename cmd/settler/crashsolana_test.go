package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/settlement"
)

// crashCluster is the Solana side of a crashRun: the program asks the node through the proxy, as two operators.
type crashCluster struct {
	*devSolana
	proxy   *chaintest.Proxy
	refunds sdk.PublicKey // wallet that direct payments are given back from; zero before yaml
}

// yaml is the head of the configuration's chains, with the cluster as the first, and what stands before it.
func (c *crashCluster) yaml(t *testing.T, dir string) string {
	t.Helper()
	file, err := c.makeSecret(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	wallet := c.makeWallet(t, dir)
	return fmt.Sprintf(`    skew: 15m # a node on a busy machine falls behind the clock on the wall
vault_secret: {file: %q, password_file: %q, epoch: %d}
chains:
  - id: %s
    endpoints: [{name: node, url: "%s"}, {name: node again, url: "%s"}]
    poll_interval: 100ms
    tokens: [{symbol: TSOL, address: %s, decimals: 6}]
    custody: {tokens: [{token: TSOL, per_payment: "1000", per_hour: "100000"}], payments_per_hour: 1000}
    refunds: {key_file: %q, password_file: %q, tokens: [{token: TSOL, per_payment: "1000", per_hour: "100000"}], payments_per_hour: 1000}
`, file.File, file.PasswordFile, file.Epoch, c.chain(), c.proxy.URL(), c.proxy.URL(), c.token.Mint, wallet, file.PasswordFile)
}

// makeWallet puts the wallet's key into a file of the directory, next to vaults.password, which is its password too, and gives the wallet
// its nonce account, SOL for fees, and what is to be given back.
func (c *crashCluster) makeWallet(t *testing.T, dir string) (path string) {
	t.Helper()
	password, err := os.ReadFile(filepath.Join(dir, "vaults.password"))
	if err != nil {
		t.Fatal(err)
	}
	var sealed bytes.Buffer
	if err := escrowsolana.CreateWallet(&sealed, string(password), devScryptCost); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "refunds.age")
	if err := os.WriteFile(path, sealed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	wallet, err := escrowsolana.OpenWallet(&sealed, string(password))
	if err != nil {
		t.Fatal(err)
	}
	c.refunds = wallet.Address()
	if err := c.node.Fund(t.Context(), sdk.LAMPORTS_PER_SOL, c.refunds); err != nil {
		t.Fatal(err)
	}
	payer := c.payer.PublicKey()
	if _, err := c.node.Send(t.Context(), c.payer, nil, c.token.Open(payer, c.refunds), c.token.Transfer(payer, c.refunds, 1_000_000_000)); err != nil {
		t.Fatal(err)
	}
	_, _, err = escrowsolana.SetUpNonce(t.Context(), escrowsolana.RefunderConfig{
		Chain: settlement.ChainID(c.chain()), Wallet: wallet, Endpoints: []escrowsolana.Endpoint{{Name: "node", URL: c.node.URL()}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// lookDirect is as look, for an order whose payee was paid at once: what is given back comes out of the wallet of refunds.
func (c *crashCluster) lookDirect(ctx context.Context, _ *play) (verifyDivision, error) {
	wallets := []sdk.PublicKey{c.payee, c.payer.PublicKey(), c.refunds}
	balances := func(ctx context.Context) (out [3]int64, err error) {
		for i, wallet := range wallets {
			if out[i], err = c.balance(ctx, wallet); err != nil {
				return out, err
			}
		}
		return out, nil
	}
	before, err := balances(ctx)
	return func(ctx context.Context, _ string, toPayee, toPayer *big.Int) error {
		after, err := balances(ctx)
		if err != nil {
			return err
		}
		for i, want := range []int64{toPayee.Int64(), toPayer.Int64(), -toPayer.Int64()} {
			if got := after[i] - before[i]; got != want {
				return fmt.Errorf("%s has %d base units more, want %d", wallets[i], got, want)
			}
		}
		return nil
	}, err
}

// crashLife is the way of one order's money, with what comes in between.
type crashLife struct {
	name   string
	way    *way
	points []string // at which the program is killed, one after the other
	// sending is what becomes of the nth transaction, from 1, that the node is asked to send; nil: it is sent.
	sending func(n int, call chaintest.Call) chaintest.Answer
	again   bool // the transaction expires and another one is signed

	play play
	held chan struct{} // closed when the money is
	move chan struct{} // closed when it is to be moved
	done chan error
}

// TestCrashMovingMoneyOnSolana kills the real program before and after each commit, signature, broadcast and call of a release, a
// refund, a split and a refund of a direct payment on a real node, and has the node act and not answer, or answer and not act. The money is moved once, the books
// agree, and the orchestrator is told once. SETTLER_CRASH_POINTS=all takes
// each point by itself (make crash).
func TestCrashMovingMoneyOnSolana(t *testing.T) {
	if testing.Short() {
		t.Skip("a node, and a program that is started again and again, take a while; run without -short")
	}
	t.Parallel()
	node := solanaNode(t)
	world, err := newDevSolana(t.Context(), node)
	if err != nil {
		t.Fatal(err)
	}
	cluster := &crashCluster{devSolana: world, proxy: chaintest.NewProxy(t, node.URL())}
	r := newCrashRun(t, crashProgram(t), cluster)
	lives := crashLives(os.Getenv("SETTLER_CRASH_POINTS") == "all")
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(4+2*len(lives))*time.Minute)
	defer cancel()
	// The orders are paid together, so that what takes time at a node is not waited for by each.
	running := r.start(ctx)
	r.await(ctx, running)
	few := make(chan struct{}, 4) // orders that are on their way, each of which looks for its state many times a second
	for i := range lives {
		lives[i].begin(ctx, r, cluster, few)
	}
	for _, life := range lives {
		select {
		case <-life.held:
		case err := <-life.done:
			t.Fatalf("%s: not held: %v\n%s", life.name, err, r.log())
		}
	}
	for i := range lives {
		running.stop(t)
		if running = lives[i].live(ctx, r, cluster); t.Failed() {
			return
		}
	}
	running.stop(t)
}

// pointsOnSolana are those on the way of the money, in their order. Its movements are kept before it is their turn.
func pointsOnSolana(w *way) []string { return slices.Concat(movingPoints, w.last) }

func crashLives(all bool) []crashLife {
	release, refund, split, direct := wayOf("release"), wayOf("refund"), wayOf("split"), wayOf("direct refund")
	lost := func(n int, call chaintest.Call) chaintest.Answer { // acted, and said so to nobody
		if n > 1 {
			return chaintest.Pass
		}
		_, _ = call.Forward()
		return chaintest.Answer{}
	}
	if !all {
		return []crashLife{
			{name: "release", way: release, points: []string{"after commit of movements prepared", "after signature", "after broadcast"}},
			{name: "refund whose answer is lost", way: refund, sending: lost, points: []string{"before commit of final movements"}},
			{name: "split", way: split, points: []string{"after broadcast"}},
			{name: "direct refund", way: direct, points: []string{"after signature", "after broadcast"}},
		}
	}
	late := func(n int, call chaintest.Call) chaintest.Answer {
		if n > 2 { // each endpoint once
			return chaintest.Pass
		}
		result, _ := call.Forward()
		return chaintest.Answer{Delay: 20 * time.Second, Result: result}
	}
	never := func(n int, _ chaintest.Call) chaintest.Answer {
		if n > 6 {
			return chaintest.Pass
		}
		return chaintest.Answer{}
	}
	lives := []crashLife{
		{name: "every point in a row", way: release, points: pointsOnSolana(release)},
		{name: "lost answer", way: release, sending: lost},
		{name: "lost answer, then killed", way: refund, sending: lost, points: []string{"before commit of sent transaction"}},
		{name: "late answer", way: release, sending: late},
		{name: "never answered", way: refund, sending: never},
		{name: "taken and never sent", way: release, again: true, sending: neverSent()},
		{name: "taken and never sent, then killed", way: refund, again: true, sending: neverSent(), points: []string{"after commit of sent transaction", "after signature"}},

		{name: "split, lost answer, then killed", way: split, sending: lost, points: []string{"before commit of sent transaction"}},

		{name: "direct refund, every point in a row", way: direct, points: pointsOnSolana(direct)},
		{name: "direct refund, lost answer, then killed", way: direct, sending: lost, points: []string{"before commit of sent transaction"}},
		{name: "direct refund, late answer", way: direct, sending: late},
		{name: "direct refund, never answered", way: direct, sending: never},
		{name: "direct refund, taken and never sent", way: direct, again: true, sending: neverSent()},
		{name: "direct refund, taken and never sent, then killed", way: direct, again: true, sending: neverSent(), points: []string{"after commit of sent transaction", "after signature"}},
	}
	for _, w := range []*way{release, refund, split, direct} {
		for _, point := range pointsOnSolana(w) {
			lives = append(lives, crashLife{name: w.name + " " + point, way: w, points: []string{point}})
		}
	}
	return lives
}

// neverSent says that the first transaction was sent, however often it comes, and keeps it.
func neverSent() func(int, chaintest.Call) chaintest.Answer {
	var first atomic.Pointer[string]
	return func(_ int, call chaintest.Call) chaintest.Answer {
		raw := string(call.Params)
		first.CompareAndSwap(nil, &raw)
		if raw != *first.Load() {
			return chaintest.Pass
		}
		return chaintest.Answer{Result: json.RawMessage(`"` + strings.Repeat("1", 64) + `"`)}
	}
}

// await waits until the program answers.
func (r *crashRun) await(ctx context.Context, running *process) {
	r.t.Helper()
	for {
		ready, err := http.NewRequestWithContext(ctx, http.MethodGet, r.play.api+"/readyz", nil)
		if err != nil {
			r.t.Fatal(err)
		}
		if err = fetch(ready, http.StatusOK, nil); err == nil {
			return
		}
		select {
		case exit := <-running.ended:
			r.t.Fatalf("the program ended: %v\n%s", exit, r.log())
		default:
		}
		if pause(ctx) != nil {
			r.t.Fatalf("the program is not ready: %v\n%s", err, r.log())
		}
	}
}

// begin plays the order until its money is held, as one of few at a time, and on when it is to be moved.
func (l *crashLife) begin(ctx context.Context, r *crashRun, cluster *crashCluster, few chan struct{}) {
	r.orders++
	l.held, l.move, l.done = make(chan struct{}), make(chan struct{}), make(chan error, 1)
	l.play = r.play
	l.play.machineRef = fmt.Sprintf("%s%04d", r.play.machineRef, r.orders)
	look := cluster.look
	if l.play.serviceID = devCustodyService; l.way.direct {
		l.play.serviceID, look = devSolanaService, cluster.lookDirect
	}
	l.play.paired = cluster.proveRefunds
	l.play.pay = func(ctx context.Context, p *play) (string, error) {
		signature, err := cluster.node.Pay(ctx, cluster.payer, p.terms.PaymentURI)
		return signature.String(), err
	}
	l.play.look = func(context.Context, *play) (verifyDivision, error) { return nil, nil } // others of the same parties come first
	l.play.after = func(ctx context.Context, p *play, _ verifyDivision) error {
		close(l.held)
		<-few
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-l.move:
		}
		verify, err := look(ctx, p)
		if err != nil {
			return err
		}
		if err := l.way.decide(ctx, r, p, []string{p.orderID}); err != nil {
			return err
		}
		if err := r.reach(ctx, p.orderID, l.way.state); err != nil {
			return err
		}
		return verify(ctx, string(l.way.state), big.NewInt(l.way.toPayee), big.NewInt(l.way.toPayer))
	}
	go func() {
		few <- struct{}{}
		l.done <- l.play.run(ctx)
	}()
}

// live moves the money and returns the program that runs in the end.
func (l *crashLife) live(ctx context.Context, r *crashRun, cluster *crashCluster) *process {
	t := r.t
	t.Helper()
	sent := atomic.Int64{}
	cluster.proxy.Intercept(func(call chaintest.Call) chaintest.Answer {
		if call.Method != "sendTransaction" || l.sending == nil {
			return chaintest.Pass
		}
		return l.sending(int(sent.Add(1)), call)
	})
	began := time.Now()
	close(l.move)
	for _, point := range l.points {
		running := r.start(ctx, "SETTLER_CRASH_AT="+point)
		select {
		case exit := <-running.ended:
			if !killed(exit) {
				t.Fatalf("%s: the program ended before %q: %v\n%s", l.name, point, exit, r.log())
			}
		case err := <-l.done:
			t.Fatalf("%s: the program never came to %q (%v)\n%s", l.name, point, err, r.log())
		}
	}
	running := r.start(ctx)
	if err := <-l.done; err != nil {
		t.Fatalf("%s: %v\n%s", l.name, err, r.log())
	}
	t.Logf("%s: done after %s", l.name, time.Since(began).Round(100*time.Millisecond))
	there, _ := r.market.Payment(l.play.orderID)
	told := 0
	for _, note := range there.Notes {
		if strings.HasPrefix(note, string(l.way.status)+" by ") {
			told++
		}
	}
	if there.Status != l.way.status || told != 1 {
		t.Errorf("%s: the orchestrator's payment is %s, told %d times", l.name, there.Status, told)
	}
	var signed int
	err := r.pool.QueryRow(ctx, `
		select count(*) from slot_transactions t join movements m on m.chain = t.chain and m.signer = t.signer and m.nonce = t.nonce
		join payments p on p.id = m.payment_id where p.order_id = $1`, l.play.orderID).Scan(&signed)
	if want := 1; err != nil || (signed != want) != l.again {
		t.Errorf("%s: %d transactions were signed (%v); another one %t", l.name, signed, err, l.again)
	}
	pgtest.CheckBooks(t, r.pool)
	return running
}
