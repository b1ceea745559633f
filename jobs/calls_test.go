package jobs_test

import (
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
)

// callCount remembers which blocks were asked for, by number or hash: without their transactions, with them, and for logs.
type callCount struct {
	mu                   sync.Mutex // guards the rest
	headers, whole, logs []string   // parameters of the calls
}

func (r *rig) countCalls() *callCount {
	c := &callCount{}
	r.rpc.Intercept(func(call chaintest.Call) chaintest.Answer {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch params := string(call.Params); {
		case call.Method == "eth_getLogs":
			c.logs = append(c.logs, params)
		case call.Method != "eth_getBlockByNumber":
		case strings.HasSuffix(params, "true]"):
			c.whole = append(c.whole, params)
		default:
			c.headers = append(c.headers, params)
		}
		return chaintest.Pass
	})
	return c
}

// during is how often the blocks were asked for that f made, until they are scanned. Older ones may be looked at once more
// for a payment that has just been opened.
func (c *callCount) during(r *rig, f func()) (headers, whole, logs int) {
	r.t.Helper()
	first, err := r.chain.Client().BlockNumber(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	f()
	r.eventually("the chain is scanned", r.scanned)
	last, err := r.cursor()
	if err != nil {
		r.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for number := first + 1; number <= last; number++ {
		block, err := r.chain.Client().HeaderByNumber(r.t.Context(), new(big.Int).SetUint64(number))
		if err != nil {
			r.t.Fatal(err)
		}
		count := func(calls []string, name string) (n int) {
			for _, params := range calls {
				if strings.Contains(params, `"`+name+`"`) {
					n++
				}
			}
			return n
		}
		headers += count(c.headers, fmt.Sprintf("%#x", number))
		whole += count(c.whole, fmt.Sprintf("%#x", number))
		logs += count(c.logs, block.Hash().Hex())
	}
	return headers, whole, logs
}

// A block costs one call, whatever is open, unless it may hold what is waited for; and transactions are read only while
// a payment of native coin is open.
func TestCallsPerBlock(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setup) {
		s.evm = func(c *evm.Config) {
			c.Tokens = append(c.Tokens, settlement.Token{Chain: c.Chain, Symbol: "ETH", Decimals: 18})
		}
	})
	c := r.countCalls()
	elsewhere := common.HexToAddress("0x1111111111111111111111111111111111111111")
	foreign := func() {
		for range 5 {
			r.pay(r.payer, elsewhere, 1)
			r.payNative(r.payer, elsewhere, 1)
			r.chain.Commit()
		}
	}
	check := func(open string, wantHeaders, wantWhole, wantLogs int) {
		t.Helper()
		if headers, whole, logs := c.during(r, foreign); headers != wantHeaders || whole != wantWhole || logs != wantLogs {
			t.Errorf("%s: %d headers, %d whole blocks, %d log calls; want %d, %d, %d", open, headers, whole, logs, wantHeaders, wantWhole, wantLogs)
		}
	}
	check("nothing open", 5, 0, 0)

	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	check("a token payment open", 5, 0, 0)
	_, _, logs := c.during(r, func() {
		r.pay(r.payer, r.payee, 1_500_000)
		r.chain.Commit()
	})
	if logs != 1 {
		t.Errorf("%d log calls for the block that pays, want 1", logs)
	}

	native := r.orderWith(func(a *orchestration.RailRecommendation) { a.Token, a.TokenAddress = "ETH", "" })
	r.tell(native)
	r.await(native, false, settlement.StateAwaitingPayment)
	check("a payment of native coin open", 0, 5, 0)
}
