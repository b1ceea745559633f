package evm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// indexWait is how long a node that builds its transaction index is left alone.
const indexWait = 10 * time.Second

// errNoMethod marks a call that the endpoint does not offer, or not to us; the endpoint may be fine otherwise.
var errNoMethod = errors.New("the endpoint does not offer this call")

func inconsistent(format string, args ...any) error {
	return &settlement.LookError{Code: settlement.RPCInconsistent, Err: fmt.Errorf(format, args...)}
}

func unavailable(format string, args ...any) error {
	return &settlement.LookError{Code: settlement.RPCUnavailable, Err: fmt.Errorf(format, args...)}
}

func undecodable(what string, err error) error {
	return &settlement.LookError{Code: settlement.RPCDecodeFailed, Err: fmt.Errorf("%s: %w", what, err)}
}

// rpcError is a refusal: an error that the server answered, or an HTTP status without one.
type rpcError struct {
	status  int // HTTP status; 0 for success
	code    int64
	message string
	method  string
}

func (e *rpcError) Error() string {
	text := e.message
	if e.code != 0 {
		text = fmt.Sprintf("code %d: %s", e.code, e.message)
	}
	if e.status != 0 {
		text = fmt.Sprintf("HTTP %d: %s", e.status, text)
	}
	return text
}

func (e *rpcError) Unwrap() error {
	if e.code == -32601 || e.status == http.StatusForbidden {
		return errNoMethod
	}
	return nil
}

// parseRPCError reads {"code", "message"}; servers also send a bare text.
func parseRPCError(raw json.RawMessage) *rpcError {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return &rpcError{message: text}
	}
	var body struct {
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
	}
	problem := &rpcError{}
	if json.Unmarshal(raw, &body) == nil {
		if json.Unmarshal(body.Code, &problem.code) != nil {
			problem.code = 0
		}
		if json.Unmarshal(body.Message, &problem.message) != nil {
			problem.message = string(body.Message)
		}
	}
	return problem
}

// look turns the refusal into the code that tells the caller what to do. None of them speaks about the payment.
//
// Source: the table "error dresses" of the verification rules, 9.2.
func (e *rpcError) look(wait time.Duration) *settlement.LookError {
	code := e.lookCode()
	if code == settlement.RPCHistoryUnavailable && wait == 0 && e.indexing() {
		wait = indexWait
	}
	return &settlement.LookError{Code: code, RetryAfter: wait, Err: e}
}

func (e *rpcError) lookCode() settlement.Code {
	message := strings.ToLower(e.message)
	says := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(message, word) {
				return true
			}
		}
		return false
	}
	logs := e.method == "eth_getLogs"
	switch {
	case logs && says("range", "results", "10k logs"): // too much was asked for; a narrower question may be answered
		return settlement.RPCUnavailable
	case e.status == http.StatusTooManyRequests, e.code == 429, e.code == -32016,
		e.code == -32005 && !logs,
		says("too many requests", "rate limit", "limit exceeded", "429 "):
		return settlement.RPCRateLimited
	case e.indexing(), e.code == 4444, e.code == -32801, says("pruned history"):
		return settlement.RPCHistoryUnavailable
	case e.code == -32601, e.code == -32602 && e.method == "eth_getBlockByNumber":
		return settlement.RPCMisconfigured
	}
	return settlement.RPCUnavailable
}

// indexing reports whether the node is still building the index that finds transactions by hash.
func (e *rpcError) indexing() bool {
	return strings.Contains(strings.ToLower(e.message), "indexing is in progress")
}
