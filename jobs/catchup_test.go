package jobs_test

import (
	"crypto/ecdsa"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
)

// ofRange reports whether the call searches a range of blocks.
func ofRange(c chaintest.Call) bool {
	return c.Method == "eth_getLogs" && strings.Contains(string(c.Params), "fromBlock")
}

// away is a rig whose chain makes more blocks than an hour of payers' time would hold: each is at least a second after the
// one before, by its own clock.
func away(s *setup) { s.deadline = 6 * time.Hour }

// bought is an order with its buyer and the wallet that pays it.
type bought struct {
	order string
	buyer *orchestration.Session
	key   *ecdsa.PrivateKey
}

// buy makes n orders of as many wallets, without telling settler.
func (r *rig) buy(n int) []bought {
	r.t.Helper()
	var out []bought
	for range n {
		key := r.stranger(10_000_000)
		r.chain.Commit()
		buyer, pairing := r.pair(key)
		out = append(out, bought{r.orderOf(buyer, pairing), buyer, key})
	}
	return out
}

// open tells settler of the orders and waits for them.
func (r *rig) open(orders ...bought) {
	r.t.Helper()
	for _, o := range orders {
		r.tell(o.order)
	}
	for _, o := range orders {
		r.await(o.order, false, settlement.StateAwaitingPayment)
	}
}

// mine makes blocks and pays the order in the last one.
func (r *rig) mine(blocks int, o bought) common.Hash {
	r.t.Helper()
	for range blocks - 1 {
		r.chain.Commit()
	}
	hash := r.pay(o.key, r.payee, 1_500_000)
	r.chain.Commit()
	return hash
}

// mineEmpty makes blocks without transactions.
func (r *rig) mineEmpty(blocks int) {
	r.t.Helper()
	for range blocks {
		r.chain.CommitEmpty()
	}
}

// After 600 blocks away the payments among them are found in far fewer calls, also that of an order that settler hears of
// while it searches.
func TestCatchUpAfterDowntime(t *testing.T) {
	t.Parallel()
	r := newRig(t, away)
	orders := r.buy(4)
	r.open(orders[:3]...)
	late := orders[3]
	r.intentOf(late.buyer, late.key, late.order, nil) // before he pays
	r.eventually("the chain is scanned", r.scanned)
	r.stop()
	before, err := r.cursor()
	if err != nil {
		t.Fatal(err)
	}
	var paid []common.Hash
	for i, blocks := range []int{1, 150, 300, 90} {
		paid = append(paid, r.mine(blocks, orders[i]))
	}
	r.mineEmpty(60)

	var calls atomic.Int64
	searching, proceed := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r.rpc.Intercept(func(c chaintest.Call) chaintest.Answer {
		if !strings.Contains(string(c.Params), `"latest"`) { // the head is asked for as long as the test takes
			calls.Add(1)
		}
		if ofRange(c) {
			once.Do(func() { close(searching) })
			<-proceed
		}
		return chaintest.Pass
	})
	r.stop = r.start(r.runner)
	select {
	case <-searching:
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing is searched in ranges")
	}
	r.open(late)
	if cursor, err := r.cursor(); err != nil || cursor > before+1 {
		t.Fatalf("at block %d (%v), want it at %d: nothing was searched yet", cursor, err, before+1)
	}
	close(proceed)
	r.eventually("the chain is scanned", r.scanned)
	for i, o := range orders {
		p := r.await(o.order, false, settlement.StateHeld)
		if p.PaidBy != txid(t, paid[i]) || len(r.transfers(p)) != 1 {
			t.Errorf("order %d was paid by %s in %d transfers, want one by %s", i, p.PaidBy, len(r.transfers(p)), paid[i])
		}
	}
	if n := calls.Load(); n > 100 {
		t.Errorf("%d calls for 600 blocks, want at most 100", n)
	}
}

// A search that ends in the middle is taken up where the last commit left it: what was found before is not lost, and no
// block is left out.
func TestCatchUpIsInterrupted(t *testing.T) {
	t.Parallel()
	r := newRig(t, away)
	orders := r.buy(6)
	r.open(orders...)
	r.eventually("the chain is scanned", r.scanned)
	r.stop()
	for _, o := range orders {
		r.mine(100, o)
	}
	r.mineEmpty(5)
	// An endpoint that answers for 50 blocks at most, and at some point not at all.
	var left atomic.Int64
	r.rpc.Intercept(func(c chaintest.Call) chaintest.Answer {
		switch {
		case !ofRange(c):
			return chaintest.Pass
		case wide(c.Params, 50):
			return chaintest.Answer{Error: &chaintest.RPCError{Code: -32005, Message: "query is limited to a 50 blocks range"}}
		case left.Add(-1) < 0:
			return chaintest.Answer{}
		}
		return chaintest.Pass
	})
	var reached []uint64
	for range 3 {
		left.Store(5)
		stop := r.start(r.runner)
		r.eventually("the endpoint is away", func() error {
			if left.Load() >= 0 {
				return errNotYet
			}
			return r.logged("WARN", "chain not read", "search blocks")
		})
		stop()
		cursor, err := r.cursor()
		if err != nil {
			t.Fatal(err)
		}
		reached = append(reached, cursor)
	}
	if reached[0] == reached[2] {
		t.Errorf("reached blocks %d: no progress between two interruptions", reached)
	}
	left.Store(1 << 30)
	r.stop = r.start(r.runner)
	for _, o := range orders {
		if p := r.await(o.order, true, settlement.StateHeld); len(r.transfers(p)) != 1 {
			t.Errorf("%d transfers, want one", len(r.transfers(p)))
		}
	}
}

// The last block that was scanned has left the chain while nobody looked: what was seen in it is withdrawn before the search
// goes on.
func TestCatchUpAfterReorganisation(t *testing.T) {
	t.Parallel()
	r := newRig(t, away)
	orders := r.buy(2)
	r.open(orders...)
	fork := r.chain.Commit()
	hash := r.mine(1, orders[0])
	r.await(orders[0].order, false, settlement.StateConfirming)
	r.stop()
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	r.mineEmpty(50)
	r.mine(50, orders[1])
	r.mineEmpty(50)
	r.stop = r.start(r.runner)
	r.await(orders[1].order, true, settlement.StateHeld)
	if p := r.await(orders[0].order, false, settlement.StateAwaitingPayment); p.Settled() {
		t.Fatal("settled by a transfer that has left the chain")
	}
	r.resend(hash)
	r.await(orders[0].order, true, settlement.StateHeld)
}

// Final blocks that were searched in ranges leave the chain: the watcher goes back over those that it does not remember.
func TestReorganisationBelowASearch(t *testing.T) {
	t.Parallel()
	r := newRig(t, away)
	orders := r.buy(2)
	r.open(orders...)
	r.eventually("the chain is scanned", r.scanned)
	r.stop()
	r.mine(20, orders[0])
	for range 19 {
		r.chain.Commit()
	}
	fork := r.chain.Commit() // remembered by nobody
	r.mine(20, orders[1])
	r.mineEmpty(40)
	r.stop = r.start(r.runner)
	r.await(orders[0].order, false, settlement.StateHeld)
	r.await(orders[1].order, false, settlement.StateHeld)
	r.eventually("the chain is scanned", r.scanned)
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	r.mineEmpty(70)
	if p := r.await(orders[1].order, false, settlement.StateNeedsReview); p.Reason != settlement.TxReorged {
		t.Errorf("reason %s, want %s", p.Reason, settlement.TxReorged)
	}
	r.eventually("the other branch is scanned", r.scanned)
	if p := r.await(orders[0].order, false, settlement.StateHeld); p.Reason != "" {
		t.Errorf("%s (%s), want it untouched", p.Reason, p.Detail)
	}
}

// wide reports whether a query spans more than so many blocks.
func wide(params []byte, blocks uint64) bool {
	var from, to uint64
	text := string(params)
	for name, into := range map[string]*uint64{"fromBlock": &from, "toBlock": &to} {
		_, rest, _ := strings.Cut(text, `"`+name+`":"`)
		if _, err := fmt.Sscanf(rest, "0x%x", into); err != nil {
			return false
		}
	}
	return to-from+1 > blocks
}

// A WebSocket endpoint's announcement of a block wakes the watcher; without it a block waits for the next poll and no longer.
func TestAnnouncedBlocks(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setup) { s.idle, s.poll = true, time.Hour }) // no poll comes
	relay := chaintest.NewRelay(t, r.chain.URL())
	r.setup.evm = func(c *evm.Config) {
		c.Endpoints = append(c.Endpoints, evm.Endpoint{Name: "socket", URL: "ws://" + relay.Address()})
	}
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	announced := func(which string) {
		t.Helper()
		looks := 0
		r.eventually(which+" are announced", func() error {
			if looks++; looks%50 == 1 { // what came before the connection was not announced
				r.chain.Commit()
			}
			return r.scanned()
		})
		for range 5 {
			r.chain.Commit()
			r.eventually("the block is scanned", r.scanned)
		}
	}
	announced("blocks")
	relay.Cut(true)
	relay.Cut(false)
	announced("blocks after a cut")
	relay.Cut(true)
	r.stop()
	const poll = 4 * time.Second
	r.setup.poll = poll
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	r.eventually("the chain is scanned", r.scanned)
	r.chain.Commit()
	began := time.Now()
	r.eventually("the block is scanned", r.scanned)
	if took := time.Since(began); took > 2*poll {
		t.Errorf("a block took %s without announcements, want one poll interval of %s", took, poll)
	}
}
