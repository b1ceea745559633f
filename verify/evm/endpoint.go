package evm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/settler-pay/settler/settlement"
)

const (
	// identityLasts is how long an endpoint's word about its chain is believed: a URL may be given another network.
	identityLasts = time.Hour
	// failureLasts is how long an endpoint that failed is asked only after the others.
	failureLasts = 30 * time.Second
	// maxThrottle bounds what an endpoint may ask us to wait.
	maxThrottle = time.Hour
)

// endpoint is one JSON-RPC server and what we remember of it.
type endpoint struct {
	name    string
	url     string
	secrets []string // parts of the URL that no text may hold, the longest first
	http    *http.Client

	mu             sync.Mutex // owns the fields below
	identifiedAt   time.Time  // when its chain id was last right; zero: it must be asked again
	failedAt       time.Time
	throttledUntil time.Time
	final          uint64 // the highest block that it called final since identifiedAt
}

func newEndpoint(name string, u *url.URL, client *http.Client) *endpoint {
	e := &endpoint{name: name, url: u.String(), http: client}
	parts := []string{e.url, u.Host, u.Hostname(), u.RequestURI(), u.EscapedPath(), u.RawQuery, u.User.String(), u.User.Username()}
	if password, ok := u.User.Password(); ok {
		parts = append(parts, password)
	}
	parts = append(parts, strings.Split(u.Path, "/")...)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	for _, part := range parts {
		if len(part) >= 6 { // shorter ones are words such as "/v3", and hide nothing
			e.secrets = append(e.secrets, part)
		}
	}
	slices.SortFunc(e.secrets, func(a, b string) int { return len(b) - len(a) })
	return e
}

// redact takes the URL and its parts out of a text that came from outside, and makes it one short line.
func (e *endpoint) redact(text string) string {
	for _, secret := range e.secrets {
		text = strings.ReplaceAll(text, secret, "…")
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

func (e *endpoint) succeeded() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failedAt, e.throttledUntil = time.Time{}, time.Time{}
}

// failed makes the endpoint prove its chain again before it is believed: behind the same URL there may be another node.
func (e *endpoint) failed(now time.Time, retryAfter time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failedAt, e.identifiedAt, e.final = now, time.Time{}, 0
	if retryAfter > 0 {
		e.throttledUntil = now.Add(retryAfter)
	}
}

// finalAtLeast remembers that the endpoint called the block with that number final, and returns the highest so far.
func (e *endpoint) finalAtLeast(number uint64) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.final = max(e.final, number)
	return e.final
}

// rank orders endpoints: 0 healthy, then those that failed, the longest ago first.
func (e *endpoint) rank(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ago := now.Sub(e.failedAt); !e.failedAt.IsZero() && ago < failureLasts {
		return failureLasts - ago
	}
	return 0
}

func (e *endpoint) throttled(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	return max(0, e.throttledUntil.Sub(now))
}

// session is one look at one endpoint: all its calls go there, so that its answers can be held against each other.
type session struct {
	chain   *Chain
	e       *endpoint
	digests []string // SHA-256 of the answers, hex, in the order of the calls
}

// errAskAnother ends a look at one endpoint whose answer counts only if another gives it too. It is no failure.
var errAskAnother = errors.New("another endpoint must be asked")

// ask runs look on one endpoint after the other, healthy ones first, until one answers coherently. It returns nil,
// errAskAnother when every endpoint ended with that, or a *settlement.LookError.
func (c *Chain) ask(ctx context.Context, look func(context.Context, *session) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	now := c.now()
	order := slices.Clone(c.endpoints)
	ranks := make(map[*endpoint]time.Duration, len(order))
	for _, e := range order {
		ranks[e] = e.rank(now)
	}
	slices.SortStableFunc(order, func(a, b *endpoint) int { return cmp.Compare(ranks[a], ranks[b]) })

	var failure *settlement.LookError
	for i, e := range order {
		err := c.askOne(ctx, e, len(order)-i, look)
		if err == nil {
			return nil
		}
		if errors.Is(err, errAskAnother) {
			continue
		}
		problem, ok := errors.AsType[*settlement.LookError](err)
		if !ok { // impossible: every call makes one
			problem = &settlement.LookError{Code: settlement.RPCUnavailable, Err: err}
		}
		named := fmt.Errorf("endpoint %s: %w", e.name, problem.Err)
		if failure == nil {
			failure = &settlement.LookError{Code: problem.Code, RetryAfter: problem.RetryAfter, Err: named}
		} else {
			failure.Err = fmt.Errorf("%w; %s: %w", failure.Err, problem.Code, named)
			failure.RetryAfter = min(failure.RetryAfter, problem.RetryAfter)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if failure == nil {
		return errAskAnother
	}
	return failure
}

// askOne gives the endpoint its share of the time that is left for so many endpoints.
func (c *Chain) askOne(ctx context.Context, e *endpoint, left int, look func(context.Context, *session) error) error {
	if wait := e.throttled(c.now()); wait > 0 {
		return &settlement.LookError{
			Code: settlement.RPCRateLimited, RetryAfter: wait, Err: errors.New("it asked us to wait, and the time is not over"),
		}
	}
	share := ctx
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		share, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	s := &session{chain: c, e: e}
	err := s.identify(share)
	if err == nil {
		err = look(share, s)
	}
	switch {
	case err == nil, errors.Is(err, errAskAnother):
		e.succeeded()
	case errors.Is(ctx.Err(), context.Canceled): // the caller went away; that says nothing about the endpoint
	default:
		var alone time.Duration
		problem, ok := errors.AsType[*settlement.LookError](err)
		if ok && problem.Code != settlement.RPCHistoryUnavailable { // one that builds its index can still give out blocks
			alone = problem.RetryAfter
		}
		e.failed(c.now(), alone)
	}
	return err
}

// identify has the endpoint prove which chain it serves, unless it did so within the last hour and has not failed since.
//
// Source: rule 11 and E-70, R-09 of the verification rules.
func (s *session) identify(ctx context.Context) error {
	e := s.e
	e.mu.Lock()
	fresh := !e.identifiedAt.IsZero() && s.chain.now().Sub(e.identifiedAt) < identityLasts
	e.mu.Unlock()
	if fresh {
		return nil
	}
	raw, err := s.call(ctx, "eth_chainId")
	if err != nil {
		return err
	}
	s.digests = nil
	id, err := quantity(raw)
	if err != nil {
		return &settlement.LookError{Code: settlement.RPCUnavailable, Err: fmt.Errorf("eth_chainId: %w", err)}
	}
	if got := strconv.FormatUint(id, 10); got != s.chain.id.Reference() {
		return &settlement.LookError{
			Code: settlement.RPCMisconfigured, Err: fmt.Errorf("it serves chain eip155:%s, not %s", got, s.chain.id),
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.identifiedAt, e.final = s.chain.now(), 0
	return nil
}
