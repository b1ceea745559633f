package jobs_test

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/settler-pay/settler/internal/chaintest"
)

// breakRPC makes the chain's endpoint misbehave until the returned function is called.
func (r *rig) breakRPC(trouble string) (heal func()) {
	r.t.Helper()
	r.met = new(atomic.Int64)
	met := r.met
	answers := map[string]chaintest.Answer{
		"refused":      {},
		"rate limited": {Status: http.StatusTooManyRequests, Body: `{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"limit exceeded"}}`},
		"nonsense":     {Status: http.StatusOK, Body: "<html>"},
		"nulls":        chaintest.Hide,
		"slow":         {Delay: time.Hour, Pass: true}, // until the caller has gone
	}
	r.rpc.Handle(func(method string) chaintest.Answer {
		n := met.Add(1)
		switch {
		case trouble != "another chain":
			return answers[trouble]
		case n == 1: // behind the same URL comes up another node, which has the same blocks for once
			return chaintest.Answer{}
		case method == "eth_chainId":
			return chaintest.Answer{Result: json.RawMessage(`"0x1"`)}
		}
		return chaintest.Pass
	})
	if trouble == "another chain" { // whose node nobody can tell from the first before the connection is seen to drop
		r.eventually("the dropped connection is met", func() error { return r.logged("WARN", "chain not read", "EOF") })
	}
	return func() { r.rpc.Handle(nil) }
}

func (r *rig) troubled() error {
	if r.met.Load() < 3 {
		return errNotYet
	}
	return nil
}
