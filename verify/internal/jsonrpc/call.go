package jsonrpc

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

	"github.com/failsafe-go/failsafe-go/ratelimiter"

	"github.com/settler-pay/settler/settlement"
)

// maxAnswer bounds the answer to one call, in bytes after decompression.
const maxAnswer = 8 << 20

// ErrRefused is in the chain of an error when the server answered, and refused.
var ErrRefused = errors.New("refused")

// Refusal is an error that the server answered, or an HTTP status without one.
type Refusal struct {
	Method  string
	Status  int // HTTP status; 0 for success
	Code    int64
	Message string
}

func (e *Refusal) Error() string {
	text := e.Message
	if e.Code != 0 {
		text = fmt.Sprintf("code %d: %s", e.Code, e.Message)
	}
	if e.Status != 0 {
		text = fmt.Sprintf("HTTP %d: %s", e.Status, text)
	}
	return text
}

// Is tells a refusal of a working server from no answer: a status without a JSON-RPC error is none.
func (e *Refusal) Is(target error) bool { return target == ErrRefused && e.Code != 0 }

// Says reports whether the message holds one of the words, in whatever letter case.
func (e *Refusal) Says(words ...string) bool {
	message := strings.ToLower(e.Message)
	for _, word := range words {
		if strings.Contains(message, word) {
			return true
		}
	}
	return false
}

func unavailable(format string, args ...any) error {
	return &settlement.LookError{Code: settlement.RPCUnavailable, Err: fmt.Errorf(format, args...)}
}

func inconsistent(problem string) error {
	return &settlement.LookError{Code: settlement.RPCInconsistent, Err: errors.New(problem)}
}

// HTTPClient is a copy of base, or a client of its own, that follows a redirect only within the host that was configured.
func HTTPClient(base *http.Client) *http.Client {
	client := http.Client{}
	if base != nil {
		client = *base
	} else if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = transport.Clone()
		transport.MaxIdleConnsPerHost = maxIdleConns
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

// Call asks one question and returns the JSON of its result, which may be null. Errors are *settlement.LookError.
func (s *Session) Call(ctx context.Context, method string, params ...any) (json.RawMessage, error) {
	if params == nil {
		params = []any{}
	}
	result, err := s.Endpoint.call(ctx, s.client, method, params)
	if err != nil {
		if problem, ok := errors.AsType[*settlement.LookError](err); ok {
			problem.Err = fmt.Errorf("%s: %w", method, problem.Err)
			return nil, problem
		}
		return nil, unavailable("%s: %w", method, err)
	}
	sum := sha256.Sum256(result)
	s.Digests = append(s.Digests, hex.EncodeToString(sum[:]))
	return result, nil
}

// admit waits until the endpoint may be called, and returns what to call after it.
func (e *Endpoint) admit(ctx context.Context) (leave func(), err error) {
	if e.budget != nil {
		patience := time.Minute
		if deadline, ok := ctx.Deadline(); ok {
			patience = time.Until(deadline)
		}
		if err := e.budget.AcquirePermitWithMaxWait(ctx, patience); errors.Is(err, ratelimiter.ErrExceeded) {
			return nil, &settlement.LookError{
				Code: settlement.RPCRateLimited, RetryAfter: firstPause, Err: errors.New("our own budget for it is used up"),
			}
		} else if err != nil {
			return nil, e.transportError(err)
		}
	}
	select {
	case e.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, e.transportError(ctx.Err())
	}
	e.mu.Lock()
	e.calls++
	e.mu.Unlock()
	return func() { <-e.slots }, nil
}

func (e *Endpoint) call(ctx context.Context, c *Client, method string, params []any) (json.RawMessage, error) {
	leave, err := e.admit(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	id := c.ids.Add(1)
	question, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	if err != nil {
		return nil, unavailable("%w", err)
	}
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
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return nil, e.transportError(err)
	}
	wait := RetryAfter(response.Header.Get("Retry-After"))
	if len(body) > maxAnswer {
		return nil, unavailable("the answer is longer than %d MiB", maxAnswer>>20)
	}
	result, err := c.open(body, id)
	refused, isRefusal := errors.AsType[*Refusal](err)
	if response.StatusCode/100 != 2 {
		// A JSON-RPC error says more than the status; anything else in a refusal says less.
		if !isRefusal {
			refused, isRefusal = &Refusal{Message: http.StatusText(response.StatusCode)}, true
		}
		refused.Status = response.StatusCode
	}
	if isRefusal {
		refused.Method, refused.Message = method, e.Redact(refused.Message)
		return nil, &settlement.LookError{Code: c.classify(refused), RetryAfter: wait, Err: refused}
	}
	if problem, ok := errors.AsType[*settlement.LookError](err); ok {
		problem.Err = errors.New(e.Redact(problem.Err.Error()))
	}
	return result, err
}

// transportError keeps what went wrong and drops the URL, which net/http puts into its errors.
//
// Source: R-11 of the verification rules.
func (e *Endpoint) transportError(err error) error {
	for _, cause := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, cause) {
			return unavailable("no answer: %w", cause)
		}
	}
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return unavailable("%s", e.Redact(err.Error()))
}

// Envelope is a JSON-RPC answer; its parts are nil where absent. Twice: one of them came more than once.
type Envelope struct {
	Version, ID, Result, Refusal, Status []byte
	Twice                                bool
}

// open takes the result out of a JSON-RPC 2.0 answer. It returns a *Refusal for an error that the server answered.
//
// Source: of the verification rules.
func (c *Client) open(body []byte, id uint64) (json.RawMessage, error) {
	answer, err := c.split(body)
	if err != nil {
		return nil, err
	}
	got := string(answer.ID)
	same := got == strconv.FormatUint(id, 10)
	switch {
	case answer.Twice:
		return nil, inconsistent("the answer holds a name twice")
	case !isNull(answer.Refusal) && !isNull(answer.Result):
		return nil, inconsistent("the answer holds a result and an error")
	case !isNull(answer.Refusal) && !same && got != "" && got != "null": // some gateways refuse without an id
		return nil, inconsistent("the answer belongs to another question")
	case !isNull(answer.Refusal):
		return nil, parseRefusal(answer.Refusal)
	case answer.Status != nil && answer.Version == nil: // an explorer's proxy puts its refusals into the result
		return nil, unavailable("the answer is not JSON-RPC: %s", answer.Result)
	case string(answer.Version) != `"2.0"`:
		return nil, inconsistent("the answer is not JSON-RPC 2.0")
	case !same:
		return nil, inconsistent("the answer belongs to another question")
	case answer.Result == nil:
		return nil, inconsistent("the answer holds neither a result nor an error")
	}
	return answer.Result, nil
}

func isNull(raw []byte) bool { return len(raw) == 0 || string(raw) == "null" }

// parseRefusal reads {"code", "message"}; servers also send a bare text.
func parseRefusal(raw json.RawMessage) *Refusal {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return &Refusal{Message: text}
	}
	var body struct {
		Code    json.RawMessage `json:"code"`
		Message json.RawMessage `json:"message"`
	}
	problem := &Refusal{}
	if json.Unmarshal(raw, &body) == nil {
		if json.Unmarshal(body.Code, &problem.Code) != nil {
			problem.Code = 0
		}
		if json.Unmarshal(body.Message, &problem.Message) != nil {
			problem.Message = string(body.Message)
		}
	}
	return problem
}

// RetryAfter reads the header of that name: seconds, or a date. It is 0 when there is none.
func RetryAfter(header string) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.ParseUint(strings.TrimSpace(header), 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		wait = time.Until(at)
	}
	return min(max(wait, 0), maxThrottle)
}
