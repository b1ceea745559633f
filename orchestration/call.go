package orchestration

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAnswer bounds the body of an answer, in bytes: 500 orders of 16 KiB.
	maxAnswer = 8 << 20
	// maxRepeats of a read after its first attempt.
	maxRepeats = 2
	// firstPause before a repeated read, doubled each time, half of it random.
	firstPause = 200 * time.Millisecond
)

// authMode says which of the two secrets a call carries.
type authMode int

const (
	platform authMode = iota // x-api-key when there is one
	agent                    // x-agent-pairing-token, and x-api-key when there is one
	open                     // neither
)

// request is one call before it is sent. read, write and its methods build it;
// the first argument that is refused stays in err and nothing is sent.
type request struct {
	method string
	path   string // escaped, below /api/v1
	query  []param
	auth   authMode
	token  Secret
	body   any // nil: no body and no content type
	err    error
}

// read begins a GET. Each {name} of path takes the next id, escaped as one
// segment.
func read(path string, ids ...string) request { return write(http.MethodGet, path, ids...) }

// write begins any other call.
func write(method, path string, ids ...string) request {
	r := request{method: method}
	for i := 0; ; i++ {
		before, rest, found := strings.Cut(path, "{")
		r.path += before
		if !found {
			return r
		}
		var name string
		name, path, _ = strings.Cut(rest, "}")
		r = r.need(name, ids[i])
		// A dot segment would be resolved away by whoever handles the URL.
		if ids[i] == "." || ids[i] == ".." {
			r = r.refuse(name, "not a dot segment")
		}
		r.path += url.PathEscape(ids[i])
	}
}

// need refuses a blank value.
func (r request) need(field, value string) request {
	if strings.TrimSpace(value) == "" {
		return r.refuse(field, "non-empty string")
	}
	return r
}

// refuse keeps the first refusal.
func (r request) refuse(field, constraint string) request {
	if r.err == nil {
		r.err = &ValidationError{Field: field, Constraint: constraint}
	}
	return r
}

// with sets the body.
func (r request) with(body any) request {
	r.body = body
	return r
}

// as makes it an agent's call.
func (r request) as(token Secret) request {
	r = r.need("pairing_token", string(token))
	if strings.ContainsAny(string(token), "\r\n") {
		r = r.refuse("pairing_token", "one line")
	}
	r.auth, r.token = agent, token
	return r
}

// mayAs makes it an agent's call when there is a token.
func (r request) mayAs(token Secret) request {
	if token == "" {
		return r
	}
	return r.as(token)
}

// where adds query parameters; empty filters are left out.
func (r request) where(filters ...param) request {
	for _, filter := range filters {
		if filter.value != "" {
			r.query = append(r.query, filter)
		}
	}
	return r
}

// paged adds limit and cursor, after the filters.
func (r request) paged(page Page) request {
	if page.Limit < 0 || page.Limit > 500 {
		r = r.refuse("limit", "integer between 1 and 500")
	}
	r.query = append(r.query, page.params()...)
	return r
}

// op names the call in errors: no base URL, no query.
func (r request) op() string { return r.method + " " + r.path }

// url is what is sent. The query keeps its order, as in the SDK.
func (r request) url(base string) string {
	var b strings.Builder
	b.WriteString(base + r.path)
	for i, each := range r.query {
		b.WriteByte("?&"[min(i, 1)])
		b.WriteString(url.QueryEscape(each.name) + "=" + url.QueryEscape(each.value))
	}
	return b.String()
}

// answer is what came back: a status below 400 and a body within the bound.
type answer struct {
	status int
	body   []byte // without blanks around it
}

// send makes the call and reads its answer with decode (item, list, bare, none).
// It is the only way out of this package. Its errors are *ValidationError,
// *NetworkError and *APIError.
func send[T any](ctx context.Context, c *Client, r request, decode func(answer) (T, error)) (T, error) {
	var none T
	if r.err != nil {
		return none, r.err
	}
	timeout := c.writeTimeout
	if r.method == http.MethodGet {
		timeout = c.readTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	got, err := c.exchange(ctx, r)
	if err != nil {
		return none, err
	}
	value, err := decode(got)
	if err != nil {
		if api, ok := errors.AsType[*APIError](err); ok {
			api.op = r.op()
		}
		return none, err
	}
	return value, nil
}

// exchange sends a write once and a read up to three times.
func (c *Client) exchange(ctx context.Context, r request) (answer, error) {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = encodeRequest(r.body); err != nil {
			return answer{}, &ValidationError{Field: "body", Constraint: "encodable as JSON"}
		}
	}
	for repeat := 0; ; repeat++ {
		got, wait, err := c.once(ctx, r, body)
		if err == nil || r.method != http.MethodGet || repeat == maxRepeats || !transient(err) {
			return got, err
		}
		pause := firstPause << repeat
		pause = max(wait, pause/2+rand.N(pause/2))
		// A pause that outlasts the caller's patience only hides the error.
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
			return got, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return got, err
		}
	}
}

// transient reports whether the same read may succeed a moment later.
func transient(err error) bool {
	if network, ok := errors.AsType[*NetworkError](err); ok {
		return !network.mistrusted() && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	}
	api, ok := errors.AsType[*APIError](err)
	return ok && (api.Status >= 500 || api.Status == http.StatusTooManyRequests)
}

// once sends the request one time. The duration is what Retry-After asks for.
func (c *Client) once(ctx context.Context, r request, body []byte) (answer, time.Duration, error) {
	fail := func(err error) (answer, time.Duration, error) {
		return answer{}, 0, &NetworkError{op: r.op(), Cause: withoutURL(err)}
	}
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, r.url(c.base), reader)
	if err != nil {
		return fail(err)
	}
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if r.auth != open && c.key != "" {
		req.Header.Set("X-Api-Key", string(c.key))
	}
	if r.auth == agent {
		req.Header.Set("X-Agent-Pairing-Token", string(r.token))
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fail(err)
	}
	defer res.Body.Close()
	text, err := readBody(res)
	if err != nil {
		return fail(err)
	}
	if res.StatusCode >= 300 || len(text) > maxAnswer {
		return answer{}, retryAfter(res.Header), c.refusal(r, res, text)
	}
	return answer{status: res.StatusCode, body: bytes.TrimSpace(text)}, 0, nil
}

// readBody reads the body, at most one byte more than is allowed. A length that
// is announced saves growing.
func readBody(res *http.Response) ([]byte, error) {
	if res.ContentLength >= 0 && res.ContentLength <= maxAnswer {
		text := make([]byte, res.ContentLength)
		_, err := io.ReadFull(res.Body, text)
		return text, err
	}
	return io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
}

// withoutURL takes the URL, whose query may hold what does not belong in a log,
// out of an error of net/http.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// retryAfter reads the header in either form; 0 when absent or unreadable.
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}
