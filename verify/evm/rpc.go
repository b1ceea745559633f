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
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// maxAnswer bounds the answer to one call, in bytes after decompression.
const maxAnswer = 8 << 20

// httpClient is a copy of base, or a client of its own, that follows a redirect only within the host that was configured.
func httpClient(base *http.Client) *http.Client {
	client := http.Client{}
	if base != nil {
		client = *base
	} else if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = transport.Clone()
		transport.MaxIdleConnsPerHost = maxIdlePerHost
		client.Transport = transport
	}
	client.CheckRedirect = func(request *http.Request, via []*http.Request) error {
		first := via[0].URL
		if request.URL.Host != first.Host || request.URL.Scheme != first.Scheme || len(via) > 3 {
			return errors.New("redirected to another place, which is not followed")
		}
		return nil
	}
	return &client
}

// call asks one question and returns the JSON of its result, which may be null. Errors are *settlement.LookError.
func (s *session) call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	if params == nil {
		params = []any{}
	}
	id := s.chain.calls.Add(1)
	question, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		return nil, unavailable("%s: %w", method, err)
	}
	result, err := s.e.post(ctx, question, id, method)
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

func (e *endpoint) post(ctx context.Context, question []byte, id uint64, method string) (json.RawMessage, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(question))
	if err != nil {
		return nil, e.transportError(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	response, err := e.http.Do(request)
	if err != nil {
		return nil, e.transportError(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, e.transportError(err)
	}
	wait := retryAfter(response.Header.Get("Retry-After"))
	if len(body) > maxAnswer {
		return nil, unavailable("the answer is longer than %d MiB", maxAnswer>>20)
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

// retryAfter reads the header of that name: seconds, or a date. It is 0 when there is none.
func retryAfter(header string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(strings.TrimSpace(header), 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), maxThrottle)
}
