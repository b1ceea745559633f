package jobs_test

import (
	"net/http"
	"sync/atomic"

	"github.com/settler-pay/settler/internal/chaintest"
)

// breakRPC makes the chain's endpoint misbehave until the returned function is called.
func (r *rig) breakRPC(trouble string) (heal func()) {
	r.t.Helper()
	r.met = new(atomic.Int64)
	met := r.met
	answers := map[string]chaintest.Answer{
		"refused":       {},
		"rate limited":  {Status: http.StatusTooManyRequests, Body: `{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"limit exceeded"}}`},
		"nonsense":      {Status: http.StatusOK, Body: "<html>"},
		"null receipts": {Status: http.StatusOK, Body: `{"jsonrpc":"2.0","id":1,"result":null}`},
	}
	r.rpc.Handle(func(string) chaintest.Answer {
		met.Add(1)
		return answers[trouble]
	})
	return func() { r.rpc.Handle(nil) }
}

func (r *rig) troubled() error {
	if r.met.Load() < 3 {
		return errNotYet
	}
	return nil
}
