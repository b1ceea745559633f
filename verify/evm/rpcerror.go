package evm

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// indexWait is how long a node that builds its transaction index is left alone.
const indexWait = 10 * time.Second

// errTooMuch marks a question that spans or finds too much; a narrower one may be answered.
var errTooMuch = errors.New("too much was asked for")

// errNoMethod marks a call that the endpoint does not offer, or not to us; the endpoint may be fine otherwise.
var errNoMethod = errors.New("the endpoint does not offer this call")

// errNoReceipt marks a transaction of a block whose receipt the endpoint does not find.
var errNoReceipt = errors.New("has no receipt")

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
	if e.tooMuch() {
		return errTooMuch
	}
	if e.code == -32601 || e.status == http.StatusForbidden && e.method == "eth_getBlockReceipts" {
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
	switch {
	case e.tooMuch():
		return settlement.RPCUnavailable
	case e.status == http.StatusTooManyRequests, e.code == 429, e.code == -32016,
		e.code == -32005,
		says("too many requests", "rate limit", "limit exceeded", "429 "):
		return settlement.RPCRateLimited
	case e.indexing(), e.code == 4444, e.code == -32801, says("pruned history"):
		return settlement.RPCHistoryUnavailable
	case e.code == -32601, e.code == -32602 && e.method == "eth_getBlockByNumber":
		return settlement.RPCMisconfigured
	}
	return settlement.RPCUnavailable
}

// tooMuch tells the refusals of a range, or of a number of logs or topics, from those of a rate.
func (e *rpcError) tooMuch() bool {
	if e.method != "eth_getLogs" {
		return false
	}
	if e.status == http.StatusRequestEntityTooLarge {
		return true
	}
	message := strings.ToLower(e.message)
	if e.code == -32005 { // of a query for logs it means both
		return !strings.Contains(message, "rate") && !strings.Contains(message, "request")
	}
	return slices.ContainsFunc([]string{"range", "results", "10k logs", "response size", "block limit", "too many logs", "max addresses", "topics", "requested blocks"},
		func(words string) bool { return strings.Contains(message, words) })
}

// indexing reports whether the node is still building the index that finds transactions by hash.
func (e *rpcError) indexing() bool {
	return strings.Contains(strings.ToLower(e.message), "indexing is in progress")
}
