package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/settlement"
)

// crowd waits at many payees, of which few are real.
type crowd struct {
	watching
	more int
}

func (c crowd) Payees(token settlement.Address, limit int) (payees []settlement.Address, ok bool) {
	if payees, _ = c.watching.Payees(token, limit); len(payees) == 0 {
		return nil, true
	}
	for i := range c.more {
		payees = append(payees, account(fmt.Sprint(i)))
	}
	return payees, len(payees) <= limit
}

// What a scan asks and finds, with few payees and with many, and by which calls.
func TestScanForPayees(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	proxy := chaintest.NewProxy(t, l.node.URL())
	token, second := l.listed().Address, account("second")
	chain, err := New(Config{
		Chain: liveChain, Endpoints: []Endpoint{{Name: "node", URL: proxy.URL()}}, Finality: Finality{Depth: 1},
		Tokens: []settlement.Token{l.listed(), {Chain: liveChain, Symbol: "ETH", Decimals: 18}, {Chain: liveChain, Address: second, Symbol: "SND"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var filters []json.RawMessage
	var mu sync.Mutex // guards filters
	proxy.Intercept(func(c chaintest.Call) chaintest.Answer {
		if c.Method == "eth_getLogs" {
			mu.Lock()
			filters = append(filters, c.Params)
			mu.Unlock()
		}
		return chaintest.Pass
	})
	to := func(payee settlement.Address, units int64) {
		if _, err := devnet.SendTestToken(t.Context(), l.node, l.key, l.token, common.Address([]byte(payee)), big.NewInt(units)); err != nil {
			t.Fatal(err)
		}
	}
	methods := []string{"eth_getBlockByNumber", "eth_getLogs", "eth_getBlockReceipts", "eth_getTransactionReceipt"}
	counts := func() (calls [4]int) {
		for i, m := range methods {
			calls[i] = proxy.Calls(m)
		}
		return calls
	}
	if _, err := chain.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.node.Commit()
	quiet := l.latest()
	to(carol, 3)
	l.node.Commit()
	others := l.latest()
	to(carol, 3)
	to(bob, 4)
	l.node.Commit()
	one := l.latest()
	for i := range int64(5) {
		to(bob, 10+i)
		to(carol, 3)
	}
	coins := common.Address([]byte(bob))
	if _, err := l.node.Send(t.Context(), l.key, &coins, big.NewInt(77), nil); err != nil {
		t.Fatal(err)
	}
	l.node.Commit()
	many := l.latest()

	forToken, forBoth := watching{{token, bob}}, watching{{token, bob}, {"", bob}}
	forTwo := watching{{token, bob}, {second, bob}}
	for _, test := range []struct {
		name    string
		block   uint64
		watched settlement.Watched
		want    string
		calls   [4]int // of methods
	}{
		{"nobody waits", many, watching{}, "", [4]int{1, 0, 0, 0}},
		{"an empty block", quiet, forToken, "", [4]int{1, 0, 0, 0}},
		{"an empty block, a thousand wait", quiet, crowd{forToken, 999}, "", [4]int{1, 0, 0, 0}},
		{"somebody else is paid", others, watching{{token, account("nobody")}}, "", [4]int{1, 0, 0, 0}}, // the bloom tells
		{"somebody else is paid, a hundred thousand wait", others, crowd{forToken, 100_000}, "", [4]int{1, 1, 0, 0}},
		{"one is paid", one, forToken, "4", [4]int{1, 1, 0, 1}},
		{"one is paid, a thousand wait", one, crowd{forToken, 999}, "4", [4]int{1, 1, 0, 1}},
		{"one is paid, one more waits than a filter takes", one, crowd{forToken, 1000}, "4", [4]int{1, 1, 0, 1}},
		{"one is paid, a thousand wait for two tokens", one, crowd{forTwo, 499}, "4", [4]int{1, 1, 0, 1}},
		{"one is paid, more wait for two tokens than a filter takes", one, crowd{forTwo, 500}, "4", [4]int{1, 1, 0, 1}},
		{"one is paid, a hundred thousand wait", one, crowd{forToken, 100_000}, "4", [4]int{1, 1, 0, 1}},
		{"five are paid", many, forToken, "10 11 12 13 14", [4]int{1, 1, 1, 0}},
		{"six are paid, one in coins", many, forBoth, "10 11 12 13 14 77", [4]int{1, 1, 1, 0}},
		{"coins alone are waited for", many, watching{{"", bob}}, "77", [4]int{1, 0, 0, 1}},
	} {
		before := counts()
		scan, err := chain.ScanFor(t.Context(), test.block, test.watched)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		var found []string
		for _, tx := range scan.Transactions {
			for _, transfer := range tx.Transfers {
				found = append(found, transfer.Amount.String())
				if transfer.Position != settlement.Native && transfer.Index != 0 || tx.Sender != l.payer {
					t.Errorf("%s: transfer %+v of %s", test.name, transfer, tx.Sender)
				}
			}
		}
		if got := strings.Join(found, " "); got != test.want {
			t.Errorf("%s: found %q, want %q", test.name, got, test.want)
		}
		after := counts()
		for i := range after {
			after[i] -= before[i]
		}
		if after != test.calls {
			t.Errorf("%s: calls %v, want %v of %v", test.name, after, test.calls, methods)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	var sizes []int
	for _, f := range filters {
		sizes = append(sizes, strings.Count(string(f), `"0x000000000000000000000000`))
	}
	if want := []int{0, 1, 1000, 0, 1000, 0, 0, 1, 1}; !slices.Equal(sizes, want) { // go-ethereum takes 1,000 values
		t.Errorf("filters with %v payees, want %v", sizes, want)
	}

	// Without receipts of whole blocks they are read one by one, and with a refusal of the logs all at once.
	refuse := func(methods ...string) {
		proxy.Handle(func(method string) chaintest.Answer {
			switch {
			case !slices.Contains(methods, method):
				return chaintest.Pass
			case method == "eth_getLogs":
				return chaintest.Answer{Error: &chaintest.RPCError{Code: -32005, Message: "query returned more than 10000 results"}}
			}
			return chaintest.Answer{Error: &chaintest.RPCError{Code: -32601, Message: "the method does not exist"}}
		})
	}
	for _, refused := range []string{"eth_getLogs", "eth_getBlockReceipts"} {
		refuse(refused)
		scan, err := chain.ScanFor(t.Context(), many, forBoth)
		if err != nil || len(scan.Transactions) != 6 {
			t.Errorf("without %s: found %d (%v), want 6", refused, len(scan.Transactions), err)
		}
	}
}

// After a long time away, ranges are narrowed by refusals and widened again; nothing is missed and no block left out.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	token := l.listed().Address
	var want []uint64
	for i := range 120 {
		if i%17 == 0 {
			l.pay(int64(i + 1))
			want = append(want, l.latest()+1)
		}
		l.node.Commit()
	}
	for range 3 {
		l.node.Commit()
	}
	last := l.latest() - 1
	refused := chaintest.Answer{Error: &chaintest.RPCError{Code: -32000, Message: "eth_getLogs is limited to a small blocks range"}}
	for _, test := range []struct {
		name  string
		limit uint64 // blocks that the endpoint answers at once; 0 refuses every range
		first string // trust
		more  chaintest.Answer
	}{
		{"no limit", 10_000, "single", refused},
		{"a limit of 50 blocks", 50, "single", refused},
		{"a limit of 5", 5, "single", refused},
		{"one block", 1, "single", refused},
		{"no ranges at all", 0, "single", refused},
		{"a quorum", 50, "quorum:2", refused},
		{"a proof", 50, "proof:2", refused},
		{"more is too long to read", 50, "single", chaintest.Answer{Body: strings.Repeat(" ", maxAnswer+1)}},
		{"more is too large to send", 50, "single", chaintest.Answer{Status: http.StatusRequestEntityTooLarge}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			proxy := chaintest.NewProxy(t, l.node.URL())
			widest := uint64(0)
			var mu sync.Mutex // guards widest
			proxy.Intercept(func(c chaintest.Call) chaintest.Answer {
				var params []struct{ FromBlock, ToBlock hexutil.Uint64 }
				if c.Method != "eth_getLogs" || json.Unmarshal(c.Params, &params) != nil || params[0].ToBlock == 0 {
					return chaintest.Pass
				}
				width := uint64(params[0].ToBlock-params[0].FromBlock) + 1
				if width > test.limit {
					return test.more
				}
				mu.Lock()
				widest = max(widest, width)
				mu.Unlock()
				return chaintest.Pass
			})
			trust, err := ParseTrust(test.first)
			if err != nil {
				t.Fatal(err)
			}
			chain, err := New(Config{
				Chain: liveChain, Endpoints: []Endpoint{{Name: "a", URL: proxy.URL()}, {Name: "b", URL: proxy.URL()}}, Finality: Finality{Depth: 1},
				Tokens: []settlement.Token{l.listed()}, Trust: trust,
			})
			if err != nil {
				t.Fatal(err)
			}
			next := uint64(1)
			var found []uint64
			err = chain.CatchUp(t.Context(), 1, 1<<40, watching{{token, bob}}, func(span settlement.Span) error {
				if span.From != next || span.To < span.From || span.Last.Number != span.To || span.Last.Hash == "" {
					t.Errorf("span %d..%d (%+v), want it from %d", span.From, span.To, span.Last, next)
				}
				next = span.To + 1
				for _, scan := range span.Blocks {
					found = append(found, scan.Block.Number)
				}
				return nil
			})
			if err != nil || next != last+1 || !slices.Equal(found, want) {
				t.Errorf("found %v up to %d (%v), want %v up to %d", found, next-1, err, want, last)
			}
			if test.limit > 0 && widest < min(test.limit, 30)/2 {
				t.Errorf("the widest range that was answered has %d blocks, of %d allowed", widest, test.limit)
			}
		})
	}
	stop := errors.New("stop")
	if err := l.chain(l.listed()).CatchUp(t.Context(), 1, 10, watching{{token, bob}}, func(settlement.Span) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v, want the caller's error", err)
	}
}

// Values of transactions are in no log: while native coin is waited for, each block is read, in spans that end soon.
func TestCatchUpReadsBlocksForNativeCoin(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	var want, found []uint64
	for i := range 50 {
		if i%20 == 7 {
			payee := common.Address([]byte(bob))
			if _, err := l.node.Send(t.Context(), l.key, &payee, big.NewInt(int64(i)), nil); err != nil {
				t.Fatal(err)
			}
			want = append(want, l.latest()+1)
		}
		l.node.Commit()
	}
	l.node.Commit()
	coin := settlement.Token{Chain: liveChain, Symbol: "ETH", Decimals: 18}
	err := l.chain(coin).CatchUp(t.Context(), 1, 1<<40, watching{{"", bob}}, func(span settlement.Span) error {
		if n := span.To - span.From + 1; n > nativeRange {
			t.Errorf("a span of %d blocks, want at most %d", n, nativeRange)
		}
		for _, scan := range span.Blocks {
			found = append(found, scan.Block.Number)
		}
		return nil
	})
	if err != nil || !slices.Equal(found, want) {
		t.Errorf("found %v (%v), want %v", found, err, want)
	}
}

// No log in a range is believed when a second endpoint says so too.
func TestCatchUpAsksTwiceForNothing(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	l.pay(5)
	for range 5 {
		l.node.Commit()
	}
	proxy := chaintest.NewProxy(t, l.node.URL())
	proxy.Handle(func(method string) chaintest.Answer {
		if method == "eth_getLogs" {
			return chaintest.Answer{Result: json.RawMessage("[]")}
		}
		return chaintest.Pass
	})
	chain, err := New(Config{
		Chain: liveChain, Endpoints: []Endpoint{{Name: "a", URL: proxy.URL()}, {Name: "b", URL: l.node.URL()}}, Finality: Finality{Depth: 1},
		Tokens: []settlement.Token{l.listed()},
	})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	err = chain.CatchUp(t.Context(), 1, 1<<40, watching{{l.listed().Address, bob}}, func(span settlement.Span) error {
		found += len(span.Blocks)
		return nil
	})
	if err != nil || found != 1 {
		t.Errorf("found %d (%v), want the payment", found, err)
	}
}

// A range that is answered too late is tried again at half its width, by the next search.
func TestCatchUpNarrowsWhatIsTooSlow(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	for range 10 {
		l.node.Commit()
	}
	proxy := chaintest.NewProxy(t, l.node.URL())
	proxy.Intercept(func(c chaintest.Call) chaintest.Answer {
		var params []struct{ FromBlock, ToBlock hexutil.Uint64 }
		if c.Method == "eth_getLogs" && json.Unmarshal(c.Params, &params) == nil && params[0].ToBlock-params[0].FromBlock >= 4 {
			return chaintest.Answer{Pass: true, Delay: time.Minute}
		}
		return chaintest.Pass
	})
	chain, err := New(Config{
		Chain: liveChain, Endpoints: []Endpoint{{Name: "a", URL: proxy.URL()}}, Finality: Finality{Depth: 1}, Tokens: []settlement.Token{l.listed()},
		LookTimeout: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	next := uint64(1)
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); { // 500 halved until it is at most 4
		err = chain.CatchUp(t.Context(), next, 10, watching{{l.listed().Address, bob}}, func(span settlement.Span) error {
			next = span.To + 1
			return nil
		})
		if err == nil {
			break
		}
	}
	if err != nil || next != 11 {
		t.Errorf("came to %d (%v), want 10", next-1, err)
	}
}

// ranges grow again after a while.
func TestRangeWidth(t *testing.T) {
	t.Parallel()
	r := &rangeWidth{width: maxRange}
	r.refused(500)
	r.refused(250)
	if got := r.get(); got != 125 {
		t.Errorf("width %d after two refusals, want 125", got)
	}
	for range 3 * growAfter {
		r.answered()
	}
	if got := r.get(); got != maxRange {
		t.Errorf("width %d after twelve answers, want %d", got, maxRange)
	}
	r.refused(1)
	if got := r.get(); got != 1 {
		t.Errorf("width %d, want 1", got)
	}
}

// announcer is the part of a node that a WebSocket needs here.
type announcer struct {
	mu    sync.Mutex // guards the rest
	chain uint64
	head  uint64
	subs  []chan uint64
	fails bool
}

func (a *announcer) ChainId() hexutil.Uint64 { //nolint:staticcheck // the method's name on the wire is eth_chainId
	a.mu.Lock()
	defer a.mu.Unlock()
	return hexutil.Uint64(a.chain)
}

func (a *announcer) GetBlockByNumber(tag string, _ bool) (fields, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fails {
		return nil, errors.New("429 Too Many Requests")
	}
	number := a.head
	if tag == "finalized" {
		number -= 10
	}
	return newScene().head(number), nil
}

func (a *announcer) NewHeads(ctx context.Context) (*rpc.Subscription, error) {
	notifier, ok := rpc.NotifierFromContext(ctx)
	if !ok {
		return nil, rpc.ErrNotificationsUnsupported
	}
	sub, heads := notifier.CreateSubscription(), make(chan uint64, 8)
	a.mu.Lock()
	a.subs = append(a.subs, heads)
	a.mu.Unlock()
	go func() {
		for {
			select {
			case number := <-heads:
				_ = notifier.Notify(sub.ID, types.Header{Number: new(big.Int).SetUint64(number), Difficulty: new(big.Int)})
			case <-sub.Err(): //nolint:errcheck // it ended
				return
			}
		}
	}()
	return sub, nil
}

// commit makes a block and reports how many were told.
func (a *announcer) commit() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.head++
	for _, s := range a.subs {
		s <- a.head
	}
	return len(a.subs)
}

// Over a WebSocket the same questions get the same answers, and new blocks are announced. A subscription that ends is made
// again, and meanwhile nothing is lost but the hints.
func TestWebSocket(t *testing.T) {
	t.Parallel()
	node := &announcer{chain: 8453, head: 120}
	server := rpc.NewServer()
	if err := server.RegisterName("eth", node); err != nil {
		t.Fatal(err)
	}
	var connections sync.Map // the server forgets them once they are WebSockets
	listening := httptest.NewUnstartedServer(server.WebsocketHandler([]string{"*"}))
	listening.Config.ConnState = func(c net.Conn, state http.ConnState) {
		if state == http.StateHijacked {
			connections.Store(c, true)
		}
	}
	listening.Start()
	t.Cleanup(func() { server.Stop(); listening.Close() })
	dial := func() *Chain {
		chain, err := New(Config{
			Chain: testChain, Tokens: []settlement.Token{usdToken()}, Finality: Finality{Tag: "finalized"}, LookTimeout: 5 * time.Second,
			Endpoints: []Endpoint{{Name: "ws", URL: "ws" + strings.TrimPrefix(listening.URL, "http") + "/secret-key"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return chain
	}
	chain := dial()
	head := func(want uint64) {
		t.Helper()
		if got, err := chain.Head(t.Context()); err != nil || got.Latest != want || got.Final != want-10 {
			t.Fatalf("head %+v (%v), want %d", got, err, want)
		}
	}
	head(120)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hints := chain.Hints(ctx)
	announced := func() bool {
		node.commit()
		select {
		case <-hints:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	}
	until := func(what string, f func() bool) {
		t.Helper()
		for deadline := time.Now().Add(2 * time.Minute); !f(); {
			if time.Now().After(deadline) {
				t.Fatal(what)
			}
		}
	}
	until("no hint came", announced)
	head(node.head)

	hangUp := func() {
		node.mu.Lock()
		node.subs = nil
		node.mu.Unlock()
		connections.Range(func(c, _ any) bool {
			c.(net.Conn).Close()
			return true
		})
	}
	hangUp()
	// Polling finds the block although nobody announces it.
	node.commit()
	until("the head was not read again", func() bool {
		got, err := chain.Head(t.Context())
		return err == nil && got.Latest == node.head
	})
	until("no hint came after the connection broke", announced)

	node.mu.Lock()
	node.fails = true
	node.mu.Unlock()
	_, err := chain.Head(t.Context())
	if settlement.LookCode(err) != settlement.RPCRateLimited || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v, want RPC_RATE_LIMITED", err)
	}

	// Behind the next connection there is another chain, of which nothing may be believed.
	cancel()
	chain = dial()
	node.mu.Lock()
	node.fails = false
	node.mu.Unlock()
	head(node.head)
	node.mu.Lock()
	node.chain = 1
	node.mu.Unlock()
	hangUp()
	until("the other chain was not noticed", func() bool {
		got, err := chain.Head(t.Context())
		if err == nil {
			t.Fatalf("believed head %+v of another chain", got)
		}
		return settlement.LookCode(err) == settlement.RPCMisconfigured
	})
}
