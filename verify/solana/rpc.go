package solana

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// session is one look at one endpoint under one rule.
type session struct {
	*jsonrpc.Session
	chain *Chain
	rule  rule
}

// errAskAnother ends a look at one endpoint whose answer counts only if another gives it too. It is no failure.
var errAskAnother = jsonrpc.ErrAskAnother

func (s *session) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	return s.Call(ctx, method, params...)
}

// under makes looks of the chain out of looks of one endpoint.
func under[T any](c *Chain, rule rule, look func(context.Context, *session) (T, error)) func(context.Context, *jsonrpc.Session) (T, error) {
	return func(ctx context.Context, s *jsonrpc.Session) (T, error) {
		return look(ctx, &session{Session: s, chain: c, rule: rule})
	}
}

// ask believes the first endpoint that answers coherently.
func (c *Chain) ask(ctx context.Context, look func(context.Context, *session) error) error {
	return c.rpc.Ask(ctx, c.rpc.Endpoints, func(ctx context.Context, s *jsonrpc.Session) error {
		return look(ctx, &session{Session: s, chain: c, rule: c.rule})
	})
}

// gather has as many operators answer as the rule demands.
func gather[T any](ctx context.Context, c *Chain, rule rule, look func(context.Context, *session) (T, error)) ([]T, error) {
	return jsonrpc.Gather(ctx, c.rpc, c.rpc.Historic(), rule.Trust.operators(), under(c, rule, look))
}

// identify has the endpoint tell its genesis hash.
//
// Source: rule 11 and S-47, R-09 of the verification rules.
func (c *Chain) identify(ctx context.Context, s *jsonrpc.Session) error {
	raw, err := s.Call(ctx, "getGenesisHash")
	if err != nil {
		return err
	}
	text := cursor{text: raw}
	genesis := string(text.str())
	if text.end(); text.err != nil {
		return unavailable("getGenesisHash: %w", text.err)
	}
	if _, err := ParseAddress(genesis); err != nil {
		return unavailable("getGenesisHash: the answer is not a hash")
	}
	if got := ChainOf(genesis); got != c.id {
		return misconfigured("it serves cluster %s, not %s", got, c.id)
	}
	return nil
}

// split takes the envelope of an answer apart.
func split(body []byte) (jsonrpc.Envelope, error) {
	c := cursor{text: body}
	var answer jsonrpc.Envelope
	if c.next() != '{' {
		if c.skip(); c.err != nil {
			return answer, unavailable("the answer is not JSON")
		}
		return answer, inconsistent("the answer is not one JSON-RPC answer")
	}
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		var part *[]byte
		switch string(name) {
		case "jsonrpc":
			part = &answer.Version
		case "id":
			part = &answer.ID
		case "result":
			part = &answer.Result
		case "error":
			part = &answer.Refusal
		case "status":
			part = &answer.Status
		default:
			c.skip()
			continue
		}
		answer.Twice = answer.Twice || *part != nil
		*part = c.raw()
	}
	if c.end(); c.err != nil {
		return answer, unavailable("the answer is not JSON")
	}
	return answer, nil
}

func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

func inconsistent(format string, args ...any) error {
	return &settlement.LookError{Code: settlement.RPCInconsistent, Err: fmt.Errorf(format, args...)}
}

func unavailable(format string, args ...any) error {
	return &settlement.LookError{Code: settlement.RPCUnavailable, Err: fmt.Errorf(format, args...)}
}

func misconfigured(format string, args ...any) error {
	return &settlement.LookError{Code: settlement.RPCMisconfigured, Err: fmt.Errorf(format, args...)}
}

func historyUnavailable(format string, args ...any) error {
	return &settlement.LookError{Code: settlement.RPCHistoryUnavailable, Err: fmt.Errorf(format, args...)}
}

func undecodable(what string, err error) error {
	return &settlement.LookError{Code: settlement.RPCDecodeFailed, Err: fmt.Errorf("%s: %w", what, err)}
}

// Codes of Agave's JSON-RPC server that say more than "not now".
const (
	codeCleanedUp          = -32001 // the block was cleaned up
	codeUnhealthy          = -32005 // the node is behind
	codeSlotSkipped        = -32009 // the slot was skipped, or is missing in long-term storage
	codeHistoryUnavailable = -32011
	codeVersionUnsupported = -32015
	codeContextSlot        = -32016 // it has not come to the slot that was asked for
	codeMethodNotFound     = -32601
)

// classify turns a refusal into the code that tells the caller what to do. None of them speaks about the payment.
//
// Source: the table "error dresses" of the verification rules, 9.2.
func classify(e *jsonrpc.Refusal) settlement.Code {
	switch {
	case e.Status == http.StatusTooManyRequests, e.Code == 429, e.Says("too many requests", "rate limit", "limit exceeded", "429 "):
		return settlement.RPCRateLimited
	case e.Code == codeCleanedUp, e.Code == codeSlotSkipped, e.Code == codeHistoryUnavailable:
		return settlement.RPCHistoryUnavailable
	case e.Code == codeVersionUnsupported && e.Method == "getTransaction":
		return settlement.RPCDecodeFailed
	case e.Code == codeMethodNotFound:
		return settlement.RPCMisconfigured
	}
	return settlement.RPCUnavailable
}

func behind(e *jsonrpc.Refusal) bool { return e.Code == codeUnhealthy || e.Code == codeContextSlot }
