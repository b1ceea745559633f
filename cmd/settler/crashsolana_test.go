package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
)

// crashCluster is the Solana side of a crashRun: the program asks the node through the proxy, as two operators.
type crashCluster struct {
	*devSolana
	proxy *chaintest.Proxy
}

// yaml is the head of the configuration's chains, with the cluster as the first, and what stands before it.
func (c *crashCluster) yaml(t *testing.T, dir string) string {
	t.Helper()
	file, err := c.makeSecret(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`    skew: 15m # a node on a busy machine falls behind the clock on the wall
vault_secret: {file: %q, password_file: %q, epoch: %d}
chains:
  - id: %s
    endpoints: [{name: node, url: "%s"}, {name: node again, url: "%s"}]
    poll_interval: 100ms
    tokens: [{symbol: TSOL, address: %s, decimals: 6}]
    custody: {tokens: [{token: TSOL, per_payment: "1000", per_hour: "100000"}], payments_per_hour: 1000}
`, file.File, file.PasswordFile, file.Epoch, c.chain(), c.proxy.URL(), c.proxy.URL(), c.token.Mint)
}

// crashLife is the way of one order's money, with what comes in between.
type crashLife struct {
	name    string
	purpose settlement.Payout
	points  []string // at which the program is killed, one after the other
	// sending is what becomes of the nth transaction, from 1, that the node is asked to send; nil: it is sent.
	sending func(n int, call chaintest.Call) chaintest.Answer
	again   bool // the transaction expires and another one is signed

	play play
	held chan struct{} // closed when the money is
	move chan struct{} // closed when it is to be moved
	done chan error
}

// TestCrashMovingMoneyOnSolana kills the real program before and after each commit, signature, broadcast and call of a release and of a
// refund on a real node, and has the node act and not answer, or answer and not act. The money is moved once, the books
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
	cluster := &crashCluster{world, chaintest.NewProxy(t, node.URL())}
	r := newCrashRun(t, crashProgram(t), cluster)
	lives := crashLives(os.Getenv("SETTLER_CRASH_POINTS") == "all")
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(2+len(lives))*time.Minute)
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

// pointsOnSolana are those on the way of the money, in their order.
func pointsOnSolana(purpose settlement.Payout) (points []string) {
	for _, what := range []string{
		"commit of movements prepared", "signature", "commit of signed transaction", "broadcast", "commit of sent transaction", "commit of final movements",
		"POST /api/v1/market/orders/ID/payment/" + string(purpose),
	} {
		points = append(points, "before "+what, "after "+what)
	}
	return points
}

func crashLives(all bool) []crashLife {
	const release, refund = settlement.PayoutRelease, settlement.PayoutRefund
	lost := func(n int, call chaintest.Call) chaintest.Answer { // acted, and said so to nobody
		if n > 1 {
			return chaintest.Pass
		}
		_, _ = call.Forward()
		return chaintest.Answer{}
	}
	if !all {
		return []crashLife{
			{name: "release", purpose: release, points: []string{"after commit of movements prepared", "after signature", "after broadcast"}},
			{name: "refund whose answer is lost", purpose: refund, sending: lost, points: []string{"before commit of final movements"}},
		}
	}
	lives := []crashLife{
		{name: "every point in a row", purpose: release, points: pointsOnSolana(release)},
		{name: "lost answer", purpose: release, sending: lost},
		{name: "lost answer, then killed", purpose: refund, sending: lost, points: []string{"before commit of sent transaction"}},
		{name: "late answer", purpose: release, sending: func(n int, call chaintest.Call) chaintest.Answer {
			if n > 2 { // each endpoint once
				return chaintest.Pass
			}
			result, _ := call.Forward()
			return chaintest.Answer{Delay: 20 * time.Second, Result: result}
		}},
		{name: "never answered", purpose: refund, sending: func(n int, _ chaintest.Call) chaintest.Answer {
			if n > 6 {
				return chaintest.Pass
			}
			return chaintest.Answer{}
		}},
		{name: "taken and never sent", purpose: release, again: true, sending: neverSent()},
		{name: "taken and never sent, then killed", purpose: refund, again: true, sending: neverSent(), points: []string{"after commit of sent transaction", "after signature"}},
	}
	for _, purpose := range []settlement.Payout{release, refund} {
		for _, point := range pointsOnSolana(purpose) {
			lives = append(lives, crashLife{name: string(purpose) + " " + point, purpose: purpose, points: []string{point}})
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
	l.play.serviceID, l.play.paired = devCustodyService, cluster.proveRefunds
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
		verify, err := cluster.look(ctx, p)
		if err != nil {
			return err
		}
		if l.purpose == settlement.PayoutRelease {
			return release(ctx, p, verify)
		}
		return r.refund(ctx, p, verify)
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
	status := orchestration.PaymentReleased
	if l.purpose == settlement.PayoutRefund {
		status = orchestration.PaymentRefunded
	}
	there, _ := r.market.Payment(l.play.orderID)
	told := 0
	for _, note := range there.Notes {
		if strings.HasPrefix(note, string(status)+" by ") {
			told++
		}
	}
	if there.Status != status || told != 1 {
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
