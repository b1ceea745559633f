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
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/ratelimiter"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

const (
	// identityLasts is how long an endpoint's word about its chain is believed: a URL may be given another network.
	identityLasts = time.Hour
	// failureLasts is how long an endpoint that failed or fell behind is asked only after the others.
	failureLasts = 30 * time.Second
	// prunedLasts is how long one that lacks history is asked for old transactions only after the others.
	prunedLasts = 10 * time.Minute
	// breakAfter looks in a row that got no answer, an endpoint is left alone for a while.
	breakAfter = 5
	// firstPause and lastPause are how long: doubled each time, and for a throttled endpoint that names no time too.
	firstPause, lastPause = time.Second, time.Minute
	// defaultConcurrency is how many calls an endpoint gets at a time.
	defaultConcurrency = 16
)

// State is what we make of an endpoint; it decides when the endpoint is asked.
type State = jsonrpc.State

// States of endpoints, the gravest first.
const (
	WrongChain = jsonrpc.WrongChain // serves another chain: asked last, and for its chain id only until that is right
	Throttled  = jsonrpc.Throttled  // wants to be left alone: not asked until then; that is no failure
	Down       = jsonrpc.Down       // gave no answer: asked last, and after a row of failures not at all for up to a minute
	Behind     = jsonrpc.Behind     // its head is older than another endpoint's: asked last until it has caught up
	Pruned     = jsonrpc.Pruned     // lacks history: asked last for transactions that somebody named, as ever for new blocks
	Healthy    = jsonrpc.Healthy    // asked in the order of the configuration
)

// endpoint is one JSON-RPC server and what we remember of it.
type endpoint struct {
	name     string
	operator string
	url      string
	secrets  jsonrpc.Secrets
	header   http.Header
	http     *http.Client
	ws       *socket // nil for http

	breaker circuitbreaker.CircuitBreaker[any]
	guarded failsafe.Executor[any]       // runs looks behind the breaker
	trips   atomic.Int32                 // how often the breaker opened since the last success
	budget  ratelimiter.RateLimiter[any] // nil: no limit of ours
	slots   chan struct{}                // holds a value for each call under way

	mu             sync.Mutex  // owns the fields below
	identifiedAt   time.Time   // when its chain id was last right; zero: it must be asked again
	identifiedOver *rpc.Client // the WebSocket connection that it was right over; nil for HTTP
	wrong          bool        // its chain id was wrong when last asked
	doubts         uint64      // how often it gave no answer or another chain's: what it answers at that time may be another node's
	failedAt       time.Time
	down           bool // the last look got no answer
	throttledUntil time.Time
	throttles      int // in a row
	behindUntil    time.Time
	prunedUntil    time.Time
	noReceipts     bool              // it does not offer eth_getBlockReceipts
	finals         map[string]uint64 // tag → the highest block that it gave that tag since identifiedAt
	head           header            // the newest that it told
	calls          uint64
	failures       map[settlement.Code]uint64
	lastError      string
}

func newEndpoint(cfg Endpoint, u *url.URL, client *http.Client) *endpoint {
	e := &endpoint{
		name: cfg.Name, operator: cfg.operator(), url: u.String(), header: cfg.Header.Clone(), http: client,
		slots: make(chan struct{}, defaultConcurrency), finals: make(map[string]uint64), failures: make(map[settlement.Code]uint64),
	}
	e.breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(breakAfter).WithSuccessThreshold(1).
		HandleIf(func(_ any, err error) bool { return noAnswer(err) }).
		WithDelayFunc(func(failsafe.ExecutionAttempt[any]) time.Duration { return jsonrpc.Pause(int(e.trips.Add(1))) }).Build()
	e.guarded = failsafe.With[any](e.breaker)
	if cfg.CallsPerSecond > 0 {
		e.budget = ratelimiter.NewBursty[any](cfg.CallsPerSecond, time.Second)
	}
	if strings.HasPrefix(u.Scheme, "ws") {
		e.ws = &socket{e: e}
	}
	e.secrets = jsonrpc.SecretsOf(u, e.header)
	return e
}

// redact takes the URL and its parts out of a text that came from outside, and makes it one short line.
func (e *endpoint) redact(text string) string { return e.secrets.Redact(text) }

// noAnswer reports whether a look ended because the endpoint did not answer at all. One that its caller gave up says nothing.
func noAnswer(err error) bool {
	look, ok := errors.AsType[*settlement.LookError](err)
	return ok && look.Code == settlement.RPCUnavailable && !errors.Is(err, errNoMethod) && !errors.Is(err, errTooMuch) && !errors.Is(err, context.Canceled)
}

func (e *endpoint) succeeded() {
	e.trips.Store(0)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failedAt, e.throttledUntil, e.throttles, e.down = time.Time{}, time.Time{}, 0, false
}

// failed notes what a look got instead of an answer. The endpoint must then prove its chain again before it is believed:
// behind the same URL there may be another node.
func (e *endpoint) failed(now time.Time, look *settlement.LookError) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures[look.Code]++
	e.lastError = fmt.Sprintf("%s: %v", look.Code, look.Err)
	if look.Code == settlement.RPCHistoryUnavailable { // it can still give out blocks
		e.prunedUntil = now.Add(prunedLasts)
		return
	}
	e.failedAt, e.identifiedAt = now, time.Time{}
	clear(e.finals)
	if e.down = noAnswer(look); e.down || look.Code == settlement.RPCMisconfigured {
		e.doubts++
	}
	wait := look.RetryAfter
	if look.Code == settlement.RPCRateLimited && wait == 0 {
		e.throttles++
		wait = jsonrpc.Pause(e.throttles)
	}
	if wait > 0 {
		e.throttledUntil = now.Add(wait)
	}
}

// finalAtLeast remembers that the endpoint gave the tag to the block with that number, and returns the highest so far.
func (e *endpoint) finalAtLeast(tag string, number uint64) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.finals[tag] = max(e.finals[tag], number)
	return e.finals[tag]
}

// state is what the endpoint is in now. The caller holds mu.
func (e *endpoint) state(now time.Time) State {
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
func (e *endpoint) rank(now time.Time) time.Duration {
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

// alone is an error while the endpoint wants to be left alone.
func (e *endpoint) alone(now time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if wait := e.throttledUntil.Sub(now); wait > 0 {
		return &settlement.LookError{
			Code: settlement.RPCRateLimited, RetryAfter: wait, Err: errors.New("it asked us to wait, and the time is not over"),
		}
	}
	return nil
}

// admit waits until the endpoint may be called, and returns what to call after it.
func (e *endpoint) admit(ctx context.Context) (leave func(), err error) {
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

// session is one look at one endpoint: all its calls go there, so that its answers can be held against each other.
type session struct {
	chain   *Chain
	e       *endpoint
	rule    Rule
	client  *rpc.Client // of a WebSocket endpoint: one connection for the whole look
	doubts  uint64      // of the endpoint when the look began
	digests []string    // SHA-256 of the answers, hex, in the order of the calls
	// What is compared with other operators: the answer that decides, and the facts in it.
	said  []byte
	facts string
}

// errAskAnother ends a look at one endpoint whose answer counts only if another gives it too. It is no failure.
var errAskAnother = jsonrpc.ErrAskAnother

// ranked puts healthy endpoints first; equal ones keep their order.
func (c *Chain) ranked(endpoints []*endpoint) []*endpoint {
	now := c.now()
	ranks := make(map[*endpoint]time.Duration, len(endpoints))
	for _, e := range endpoints {
		ranks[e] = e.rank(now)
	}
	return slices.SortedStableFunc(slices.Values(endpoints), func(a, b *endpoint) int {
		return cmp.Compare(ranks[a], ranks[b])
	})
}

// historic are all endpoints, those that lack history last.
func (c *Chain) historic() []*endpoint {
	now := c.now()
	pruned := func(e *endpoint) int {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.prunedUntil.After(now) {
			return 1
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(c.endpoints), func(a, b *endpoint) int { return pruned(a) - pruned(b) })
}

// ask runs look on one of the endpoints after the other, healthy ones first, until one answers coherently. It returns nil,
// errAskAnother when every endpoint ended with that, or a *settlement.LookError.
func (c *Chain) ask(ctx context.Context, rule Rule, endpoints []*endpoint, look func(context.Context, *session) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	order := c.ranked(endpoints)
	var failure error
	for i, e := range order {
		err := c.askOne(ctx, &session{chain: c, e: e, rule: rule}, len(order)-i, look)
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
		failure = jsonrpc.JoinFailure(failure, &settlement.LookError{
			Code: problem.Code, RetryAfter: problem.RetryAfter, Err: fmt.Errorf("endpoint %s: %w", e.name, problem.Err),
		})
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
func (c *Chain) askOne(ctx context.Context, s *session, left int, look func(context.Context, *session) error) error {
	if err := s.e.alone(c.now()); err != nil {
		return err
	}
	share := ctx
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		share, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	err := s.e.guarded.Run(func() error {
		if err := s.identify(share); err != nil {
			return err
		}
		answer := look(share, s)
		if answer == nil || errors.Is(answer, errAskAnother) {
			if err := s.settleDoubts(share); err != nil {
				return err
			}
		}
		return answer
	})
	switch problem, ok := errors.AsType[*settlement.LookError](err); {
	case err == nil, errors.Is(err, errAskAnother):
		s.e.succeeded()
	case errors.Is(err, circuitbreaker.ErrOpen):
		return &settlement.LookError{
			Code: settlement.RPCUnavailable, RetryAfter: s.e.breaker.RemainingDelay(),
			Err: fmt.Errorf("it gave no answer %d times in a row and is left alone for a while", breakAfter),
		}
	case errors.Is(ctx.Err(), context.Canceled): // the caller went away; that says nothing about the endpoint
	case ok:
		s.e.failed(c.now(), problem)
	}
	return err
}

// identify has the endpoint prove which chain it serves, unless it did so within the last hour, over the same connection,
// and has not failed since.
//
// Source: rule 11 and E-70, R-09 of the verification rules.
func (s *session) identify(ctx context.Context) error {
	e := s.e
	if e.ws != nil {
		var err error
		if s.client, err = e.ws.open(ctx); err != nil {
			return err
		}
	}
	e.mu.Lock()
	s.doubts = e.doubts
	fresh := !e.identifiedAt.IsZero() && s.chain.now().Sub(e.identifiedAt) < identityLasts && e.identifiedOver == s.client
	e.mu.Unlock()
	if fresh {
		s.explain("chain", "it serves %s, as it said within the last hour", s.chain.id)
		return nil
	}
	if err := s.prove(ctx); err != nil {
		return err
	}
	s.explain("chain", "it serves %s", s.chain.id)
	return nil
}

// settleDoubts has the endpoint prove its chain once more when another look failed while this one was under way: its answers
// may be those of the node that came up in place of the one that was asked before.
func (s *session) settleDoubts(ctx context.Context) error {
	s.e.mu.Lock()
	doubted := s.e.doubts != s.doubts
	s.e.mu.Unlock()
	if !doubted {
		return nil
	}
	return s.prove(ctx)
}

// prove asks the endpoint for its chain id.
func (s *session) prove(ctx context.Context) error {
	e, answers := s.e, len(s.digests)
	raw, err := s.call(ctx, "eth_chainId")
	s.digests = s.digests[:answers]
	if err != nil {
		return err
	}
	id, err := quantity(raw)
	if err != nil {
		return &settlement.LookError{Code: settlement.RPCUnavailable, Err: fmt.Errorf("eth_chainId: %w", err)}
	}
	got := strconv.FormatUint(id, 10)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.wrong = got != s.chain.id.Reference(); e.wrong {
		return &settlement.LookError{
			Code: settlement.RPCMisconfigured, Err: fmt.Errorf("it serves chain eip155:%s, not %s", got, s.chain.id),
		}
	}
	e.identifiedAt, e.identifiedOver = s.chain.now(), s.client
	clear(e.finals)
	return nil
}
