// Package jsonrpc asks a chain's JSON-RPC endpoints: each has a state, a budget and an identity to prove; one is believed,
// or several operators must agree. It knows nothing of any chain, and keeps nothing beyond what it remembers of endpoints.
//
// Read next: ask.go (who is asked), call.go (one call), trust.go (whose word is enough).
package jsonrpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"

	"github.com/settler-pay/settler/settlement"
)

const (
	// identityLasts is how long an endpoint's word about its chain is believed: a URL may be given another network.
	identityLasts = time.Hour
	// failureLasts is how long an endpoint that failed or fell behind is asked only after the others.
	failureLasts = 30 * time.Second
	// maxThrottle bounds what an endpoint may ask us to wait.
	maxThrottle = time.Hour
	// prunedLasts is how long one that lacks history is asked for old transactions only after the others.
	prunedLasts = 10 * time.Minute
	// breakAfter looks in a row that got no answer, an endpoint is left alone for a while.
	breakAfter = 5
	// firstPause and lastPause are how long: doubled each time, and for a throttled endpoint that names no time too.
	firstPause, lastPause = time.Second, time.Minute
	// concurrency is how many calls an endpoint gets at a time.
	concurrency  = 16
	maxIdleConns = 16
)

// State is what we make of an endpoint; it decides when the endpoint is asked.
type State string

// States of endpoints, the gravest first.
const (
	WrongChain State = "wrong_chain" // serves another chain: asked last, and for its identity only until that is right
	Throttled  State = "throttled"   // wants to be left alone: not asked until then; that is no failure
	Down       State = "down"        // gave no answer: asked last, and after a row of failures not at all for up to a minute
	Behind     State = "behind"      // its head is older than another endpoint's: asked last until it has caught up
	Pruned     State = "pruned"      // lacks history: asked last for old transactions, as ever for new ones
	Healthy    State = "healthy"     // asked in the order of the configuration
)

// Server is one endpoint as configured. Its URL and headers may hold keys: they are in no error, log or text.
type Server struct {
	Name           string
	URL            *url.URL
	Operator       string // who runs it; those of one operator have one voice. Empty: Name
	Header         http.Header
	CallsPerSecond uint // our own budget for it; calls beyond it wait. 0 is no budget
}

// Endpoint is one server and what we remember of it.
type Endpoint struct {
	Name, Operator string

	url     string
	secrets Secrets
	header  http.Header
	http    *http.Client

	breaker circuitbreaker.CircuitBreaker[any]
	guarded failsafe.Executor[any]       // runs looks behind the breaker
	trips   atomic.Int32                 // how often the breaker opened since the last success
	budget  ratelimiter.RateLimiter[any] // nil: no limit of ours
	slots   chan struct{}                // holds a value for each call under way

	mu             sync.Mutex // owns the fields below
	identifiedAt   time.Time  // when its identity was last right; zero: it must be asked again
	wrong          bool       // its identity was wrong when last asked
	doubts         uint64     // how often it gave no answer or another chain's: what it answers at that time may be another node's
	failedAt       time.Time
	down           bool // the last look got no answer
	throttledUntil time.Time
	throttles      int // in a row
	behindUntil    time.Time
	prunedUntil    time.Time
	head           uint64 // the highest that it told since identifiedAt
	calls          uint64
	failures       map[settlement.Code]uint64
	lastError      string
}

func newEndpoint(cfg Server, client *http.Client) *Endpoint {
	e := &Endpoint{
		Name: cfg.Name, Operator: cmp.Or(cfg.Operator, cfg.Name), url: cfg.URL.String(), header: cfg.Header.Clone(), http: client,
		slots: make(chan struct{}, concurrency), failures: make(map[settlement.Code]uint64),
	}
	e.breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(breakAfter).WithSuccessThreshold(1).
		HandleIf(func(_ any, err error) bool { return noAnswer(err) }).
		WithDelayFunc(func(failsafe.ExecutionAttempt[any]) time.Duration { return Pause(int(e.trips.Add(1))) }).Build()
	e.guarded = failsafe.With[any](e.breaker)
	if cfg.CallsPerSecond > 0 {
		e.budget = ratelimiter.NewBursty[any](cfg.CallsPerSecond, time.Second)
	}
	e.secrets = SecretsOf(cfg.URL, e.header)
	return e
}

// Secrets are parts of a URL and of headers that no text may hold, the longest first.
type Secrets []string

// SecretsOf are those of an endpoint.
func SecretsOf(u *url.URL, header http.Header) (secrets Secrets) {
	parts := []string{u.String(), u.Host, u.Hostname(), u.RequestURI(), u.EscapedPath(), u.RawQuery, u.User.String(), u.User.Username()}
	if password, ok := u.User.Password(); ok {
		parts = append(parts, password)
	}
	parts = append(parts, strings.Split(u.Path, "/")...)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	for _, values := range header {
		for _, value := range values {
			parts = append(append(parts, value), strings.Fields(value)...)
		}
	}
	for _, part := range parts {
		if len(part) >= 6 { // shorter ones are words such as "/v3", and hide nothing
			secrets = append(secrets, part)
		}
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return secrets
}

// Pause is the nth pause in a row, of about 1 s to 60 s.
func Pause(n int) time.Duration {
	d := min(firstPause<<min(max(n-1, 0), 6), lastPause)
	return d*3/4 + rand.N(d/2) //nolint:gosec // spreads load, guards nothing
}

// Redact takes the URL and its parts out of a text that came from outside, and makes it one short line.
func (e *Endpoint) Redact(text string) string { return e.secrets.Redact(text) }

// Redact takes the secrets out of a text that came from outside, and makes it one short line.
func (s Secrets) Redact(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, "…")
	}
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// noAnswer reports whether a look ended because the endpoint did not answer at all. One that its caller gave up says nothing.
func noAnswer(err error) bool {
	look, ok := errors.AsType[*settlement.LookError](err)
	return ok && look.Code == settlement.RPCUnavailable && !errors.Is(err, ErrRefused) && !errors.Is(err, context.Canceled)
}

func (e *Endpoint) succeeded() {
	e.trips.Store(0)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failedAt, e.throttledUntil, e.throttles, e.down = time.Time{}, time.Time{}, 0, false
}

// failed notes what a look got instead of an answer. The endpoint must then prove its chain again before it is believed:
// behind the same URL there may be another node.
func (e *Endpoint) failed(now time.Time, look *settlement.LookError, behind bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures[look.Code]++
	e.lastError = fmt.Sprintf("%s: %v", look.Code, look.Err)
	if look.Code == settlement.RPCHistoryUnavailable { // it can still give out what is new
		e.prunedUntil = now.Add(prunedLasts)
		return
	}
	e.failedAt, e.identifiedAt, e.head = now, time.Time{}, 0
	if e.down = noAnswer(look); e.down || look.Code == settlement.RPCMisconfigured {
		e.doubts++
	}
	if behind {
		e.behindUntil = now.Add(failureLasts)
	}
	wait := look.RetryAfter
	if look.Code == settlement.RPCRateLimited && wait == 0 {
		e.throttles++
		wait = Pause(e.throttles)
	}
	if wait > 0 {
		e.throttledUntil = now.Add(wait)
	}
}

// Head is the highest that Reached was told since the endpoint last proved its identity.
func (e *Endpoint) Head() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.head
}

// Reached remembers how far the chain has come by this endpoint.
func (e *Endpoint) Reached(head uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.head = max(e.head, head)
}

// Forget makes the endpoint prove its identity again.
func (e *Endpoint) Forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.identifiedAt = time.Time{}
}

// state is what the endpoint is in now. The caller holds mu.
func (e *Endpoint) state(now time.Time) State {
	switch {
	case e.wrong:
		return WrongChain
	case e.throttledUntil.After(now) && !e.down:
		return Throttled
	case e.down && now.Sub(e.failedAt) < failureLasts, e.breaker.IsOpen():
		return Down
	case e.behindUntil.After(now):
		return Behind
	case e.prunedUntil.After(now):
		return Pruned
	}
	return Healthy
}

// rank orders endpoints: 0 healthy, then those that are behind or failed, the longest ago first, then wrong ones.
func (e *Endpoint) rank(now time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	rank := max(0, e.behindUntil.Sub(now))
	if ago := now.Sub(e.failedAt); !e.failedAt.IsZero() && ago < failureLasts {
		rank = max(rank, failureLasts-ago)
	}
	if e.wrong {
		rank += failureLasts
	}
	return rank
}

func (e *Endpoint) pruned(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.prunedUntil.After(now)
}

// alone is an error while the endpoint wants to be left alone.
func (e *Endpoint) alone(now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if wait := e.throttledUntil.Sub(now); wait > 0 {
		return &settlement.LookError{
			Code: settlement.RPCRateLimited, RetryAfter: wait, Err: errors.New("it asked us to wait, and the time is not over"),
		}
	}
	return nil
}

// Status is how one endpoint does.
type Status struct {
	Name, Operator string
	State          State
	Until          time.Time                  // until when a throttled one is left alone; else zero
	Head           uint64                     // the highest that it told since it last proved its identity
	Calls          uint64                     // since the start
	Failures       map[settlement.Code]uint64 // code → how many looks ended with it
	LastError      string                     // of the last look that failed; holds no URL and no key
}

func (e *Endpoint) status(now time.Time) Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Status{
		Name: e.Name, Operator: e.Operator, State: e.state(now), Head: e.head,
		Calls: e.calls, Failures: maps.Clone(e.failures), LastError: e.lastError,
	}
	if s.State == Throttled {
		s.Until = e.throttledUntil
	}
	return s
}
