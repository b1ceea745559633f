package evm

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/ethereum/go-ethereum/rpc"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// maxAnswer bounds the answer to one call, in bytes after decompression. maxBlockAnswer bounds one that holds a whole block,
// which no narrower question can replace and strangers may fill: with some 10 MB on Ethereum, twice that in hex.
const (
	maxAnswer      = 8 << 20
	maxBlockAnswer = 64 << 20
)

func maxAnswerTo(method string) int64 {
	if method == "eth_getBlockByNumber" || method == "eth_getBlockReceipts" {
		return maxBlockAnswer
	}
	return maxAnswer
}

// call asks one question and returns the JSON of its result, which may be null. Errors are *settlement.LookError.
func (s *session) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	if params == nil {
		params = []any{}
	}
	result, err := s.e.call(ctx, s.client, s.chain.calls.Add(1), method, params)
	if err != nil {
		if problem, ok := errors.AsType[*settlement.LookError](err); ok {
			problem.Err = fmt.Errorf("%s: %w", method, problem.Err)
			return nil, problem
		}
		return nil, unavailable("%s: %w", method, err)
	}
	sum := sha256.Sum256(result)
	s.digests = append(s.digests, hex.EncodeToString(sum[:]))
	return result, nil
}

func (e *endpoint) call(ctx context.Context, client *rpc.Client, id uint64, method string, params []any) (json.RawMessage, error) {
	leave, err := e.admit(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if e.ws != nil {
		return e.ws.call(ctx, client, method, params)
	}
	question, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		return nil, unavailable("%w", err)
	}
	return e.post(ctx, question, id, method)
}

func (e *endpoint) post(ctx context.Context, question []byte, id uint64, method string) (json.RawMessage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(question))
	if err != nil {
		return nil, e.transportError(err)
	}
	for name, values := range e.header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := e.http.Do(request)
	if err != nil {
		return nil, e.transportError(err)
	}
	defer response.Body.Close()
	limit := maxAnswerTo(method)
	body, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, e.transportError(err)
	}
	wait := jsonrpc.RetryAfter(response.Header.Get("Retry-After"))
	if int64(len(body)) > limit {
		return nil, unavailable("%w: the answer is longer than %d MiB", errTooMuch, limit>>20)
	}
	result, err := e.open(body, id, method)
	if response.StatusCode/100 != 2 {
		// A JSON-RPC error says more than the status; anything else in a refusal says less.
		refused, ok := errors.AsType[*rpcError](err)
		if !ok {
			refused = &rpcError{message: http.StatusText(response.StatusCode)}
		}
		refused.status, refused.method = response.StatusCode, method
		return nil, refused.look(wait)
	}
	if refused, ok := errors.AsType[*rpcError](err); ok {
		return nil, refused.look(wait)
	}
	return result, err
}

// transportError keeps what went wrong and drops the URL, which net/http puts into its errors.
//
// Source: R-11 of the verification rules.
func (e *endpoint) transportError(err error) error {
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, cause) {
			return unavailable("no answer: %w", cause)
		}
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return unavailable("%s", e.redact(err.Error()))
}

// open takes the result out of a JSON-RPC 2.0 answer. It returns a *rpcError for an error that the server answered.
//
// Source: of the verification rules.
func (e *endpoint) open(body []byte, id uint64, method string) (json.RawMessage, error) {
	if !json.Valid(body) {
		return nil, unavailable("the answer is not JSON")
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); trimmed[0] != '{' {
		return nil, inconsistent("the answer is not one JSON-RPC answer")
	}
	answer, err := object(body)
	if err != nil {
		return nil, inconsistent("the answer: %s", e.redact(err.Error()))
	}
	result, hasResult := answer["result"]
	if refusal, ok := answer["error"]; ok && !isNull(refusal) {
		if hasResult && !isNull(result) {
			return nil, inconsistent("the answer holds a result and an error")
		}
		if got, ok := answer["id"]; ok && !isNull(got) && !sameID(got, id) { // some gateways refuse without an id
			return nil, inconsistent("the answer belongs to another question")
		}
		problem := parseRPCError(refusal)
		problem.message, problem.method = e.redact(problem.message), method
		return nil, problem
	}
	version, hasVersion := answer["jsonrpc"]
	if _, proxy := answer["status"]; proxy && !hasVersion { // an explorer's proxy puts its refusals into the result
		return nil, unavailable("the answer is not JSON-RPC: %s", e.redact(string(result)))
	}
	switch {
	case string(version) != `"2.0"`:
		return nil, inconsistent("the answer is not JSON-RPC 2.0")
	case !sameID(answer["id"], id):
		return nil, inconsistent("the answer belongs to another question")
	case !hasResult:
		return nil, inconsistent("the answer holds neither a result nor an error")
	}
	return result, nil
}

func sameID(got json.RawMessage, id uint64) bool { return string(got) == strconv.FormatUint(id, 10) }
