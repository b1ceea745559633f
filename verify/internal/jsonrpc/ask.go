package jsonrpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/settler-pay/settler/settlement"
)

// Config is what New needs. All fields but HTTPClient are required.
type Config struct {
	Servers    []Server
	HTTPClient *http.Client // copied; its redirect policy is replaced. Defaults to a client of its own
	Timeout    time.Duration
	Now        func() time.Time
	// Identify has an endpoint prove which chain it serves. RPC_MISCONFIGURED means another one.
	Identify func(context.Context, *Session) error
	// Classify turns a refusal into the code that tells the caller what to do.
	Classify func(*Refusal) settlement.Code
	// Split takes an answer's envelope apart. Its errors are *settlement.LookError.
	Split func([]byte) (Envelope, error)
	// Behind reports whether a refusal says that the endpoint has not come as far as others.
	Behind func(*Refusal) bool
	// Lag is by how much an endpoint's head may be behind another's.
	Lag uint64
}

// Client asks the endpoints of one chain. It is safe for use by many goroutines.
type Client struct {
	Endpoints []*Endpoint // in the order of the configuration

	timeout  time.Duration
	now      func() time.Time
	identify func(context.Context, *Session) error
	classify func(*Refusal) settlement.Code
	behind   func(*Refusal) bool
	split    func([]byte) (Envelope, error)
	lag      uint64
	ids      atomic.Uint64 // of calls

	mu         sync.Mutex // owns the fields below
	comparedAt time.Time
	alarm      *Disagreement // the last
	alarmedAt  time.Time
}

// New asks nobody.
func New(cfg Config) *Client {
	c := &Client{
		timeout: cfg.Timeout, now: cfg.Now, identify: cfg.Identify, classify: cfg.Classify, behind: cfg.Behind, split: cfg.Split, lag: cfg.Lag,
	}
	client := HTTPClient(cfg.HTTPClient)
	for _, s := range cfg.Servers {
		c.Endpoints = append(c.Endpoints, newEndpoint(s, client))
	}
	return c
}

// Session is one look at one endpoint: all its calls go there, so that its answers can be held against each other.
type Session struct {
	Endpoint *Endpoint
	Digests  []string // SHA-256 of the answers, hex, in the order of the calls
	client   *Client
	doubts   uint64 // of the endpoint when the look began
}

// At is a session for one endpoint, whatever its state.
func (c *Client) At(e *Endpoint) *Session { return &Session{Endpoint: e, client: c} }

// ErrAskAnother ends a look at one endpoint whose answer counts only if another gives it too. It is no failure.
var ErrAskAnother = errors.New("another endpoint must be asked")

// ranked puts healthy endpoints first; equal ones keep their order.
func (c *Client) ranked(endpoints []*Endpoint) []*Endpoint {
	now := c.now()
	ranks := make(map[*Endpoint]time.Duration, len(endpoints))
	for _, e := range endpoints {
		ranks[e] = e.rank(now)
	}
	return slices.SortedStableFunc(slices.Values(endpoints), func(a, b *Endpoint) int {
		return cmp.Compare(ranks[a], ranks[b])
	})
}

// Historic are all endpoints, those that lack history last.
func (c *Client) Historic() []*Endpoint {
	now := c.now()
	pruned := func(e *Endpoint) int {
		if e.pruned(now) {
			return 1
		}
		return 0
	}
	return slices.SortedStableFunc(slices.Values(c.Endpoints), func(a, b *Endpoint) int { return pruned(a) - pruned(b) })
}

// Ask runs look on one of the endpoints after the other, healthy ones first, until one answers coherently. It returns nil,
// ErrAskAnother when every endpoint ended with that, or a *settlement.LookError.
func (c *Client) Ask(ctx context.Context, endpoints []*Endpoint, look func(context.Context, *Session) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	order := c.ranked(endpoints)
	var failure error
	for i, e := range order {
		err := c.askOne(ctx, e, len(order)-i, look)
		if err == nil {
			return nil
		}
		if errors.Is(err, ErrAskAnother) {
			continue
		}
		problem, ok := errors.AsType[*settlement.LookError](err)
		if !ok { // impossible: every call makes one
			problem = &settlement.LookError{Code: settlement.RPCUnavailable, Err: err}
		}
		failure = JoinFailure(failure, &settlement.LookError{
			Code: problem.Code, RetryAfter: problem.RetryAfter, Err: fmt.Errorf("endpoint %s: %w", e.Name, problem.Err),
		})
		if ctx.Err() != nil {
			break
		}
	}
	if failure == nil {
		return ErrAskAnother
	}
	return failure
}

// askOne gives the endpoint its share of the time that is left for so many endpoints.
func (c *Client) askOne(ctx context.Context, e *Endpoint, left int, look func(context.Context, *Session) error) error {
	if err := e.alone(c.now()); err != nil {
		return err
	}
	share := ctx
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		share, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	s := c.At(e)
	err := e.guarded.Run(func() error {
		if err := s.Identify(share); err != nil {
			return err
		}
		answer := look(share, s)
		if answer == nil || errors.Is(answer, ErrAskAnother) {
			if err := s.settleDoubts(share); err != nil {
				return err
			}
		}
		return answer
	})
	switch problem, ok := errors.AsType[*settlement.LookError](err); {
	case err == nil, errors.Is(err, ErrAskAnother):
		e.succeeded()
	case errors.Is(err, circuitbreaker.ErrOpen):
		return &settlement.LookError{
			Code: settlement.RPCUnavailable, RetryAfter: e.breaker.RemainingDelay(),
			Err: fmt.Errorf("it gave no answer %d times in a row and is left alone for a while", breakAfter),
		}
	case errors.Is(ctx.Err(), context.Canceled): // the caller went away; that says nothing about the endpoint
	case ok:
		refused, isRefusal := errors.AsType[*Refusal](err)
		e.failed(c.now(), problem, isRefusal && c.behind(refused))
	}
	return err
}

// Identify has the endpoint prove which chain it serves, unless it did so within the last hour and has not failed since.
//
// Source: rule 11 and R-09 of the verification rules.
func (s *Session) Identify(ctx context.Context) error {
	e := s.Endpoint
	e.mu.Lock()
	s.doubts = e.doubts
	fresh := !e.identifiedAt.IsZero() && s.client.now().Sub(e.identifiedAt) < identityLasts
	e.mu.Unlock()
	if fresh {
		return nil
	}
	return s.prove(ctx)
}

// settleDoubts has the endpoint prove its identity once more when another look failed while this one was under way: its
// answers may be those of the node that came up in place of the one that was asked before.
func (s *Session) settleDoubts(ctx context.Context) error {
	s.Endpoint.mu.Lock()
	doubted := s.Endpoint.doubts != s.doubts
	s.Endpoint.mu.Unlock()
	if !doubted {
		return nil
	}
	return s.prove(ctx)
}

// prove asks the endpoint which chain it serves.
func (s *Session) prove(ctx context.Context) error {
	e, now, answers := s.Endpoint, s.client.now(), len(s.Digests)
	err := s.client.identify(ctx, s)
	s.Digests = s.Digests[:answers]
	e.mu.Lock()
	defer e.mu.Unlock()
	if err == nil {
		e.identifiedAt, e.head, e.wrong = now, 0, false
	} else if settlement.LookCode(err) == settlement.RPCMisconfigured {
		e.wrong = true
	}
	return err
}

// byOperator groups the endpoints, the operator with the healthiest endpoint first.
func (c *Client) byOperator(from []*Endpoint) [][]*Endpoint {
	var groups [][]*Endpoint
	for _, e := range c.ranked(from) {
		i := slices.IndexFunc(groups, func(g []*Endpoint) bool { return g[0].Operator == e.Operator })
		if i < 0 {
			groups = append(groups, nil)
			i = len(groups) - 1
		}
		groups[i] = append(groups[i], e)
	}
	return groups
}

// Operators is how many there are.
func (c *Client) Operators() int { return len(c.byOperator(c.Endpoints)) }

// Gather asks endpoints of the list until so many operators have answered: one endpoint each, need operators at once,
// another one in place of each that stays silent. look may run in several goroutines. The answers come back also beside
// an error, which is ErrAskAnother when nobody failed, or a *settlement.LookError.
func Gather[T any](ctx context.Context, c *Client, from []*Endpoint, need int, look func(context.Context, *Session) (T, error)) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	one := func(ctx context.Context, endpoints []*Endpoint) (value T, err error) {
		err = c.Ask(ctx, endpoints, func(ctx context.Context, s *Session) (err error) {
			value, err = look(ctx, s)
			return err
		})
		return value, err
	}
	if need == 1 {
		return First(one(ctx, from))
	}
	return GatherFrom(ctx, c.byOperator(from), need, one)
}

// First is the one answer that was asked for, or none.
func First[T any](value T, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	return []T{value}, nil
}

// GatherFrom is Gather for endpoints of any kind, grouped by their operators. ask looks at one of an operator's.
func GatherFrom[T, E any](ctx context.Context, operators [][]E, need int, ask func(context.Context, []E) (T, error)) ([]T, error) {
	type answer struct {
		value T
		err   error
	}
	arrived := make(chan answer, len(operators))
	started, running := 0, 0
	start := func() {
		endpoints, share := operators[started], ctx
		started, running = started+1, running+1
		stop := context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok && len(operators) > max(need, started) { // somebody is left to ask after it
			share, stop = context.WithTimeout(ctx, time.Until(deadline)/2)
		}
		go func() {
			defer stop()
			value, err := ask(share, endpoints)
			arrived <- answer{value, err}
		}()
	}
	for range min(need, len(operators)) {
		start()
	}
	var values []T
	var failure error
	for running > 0 && len(values) < need {
		a := <-arrived
		running--
		switch {
		case a.err == nil:
			values = append(values, a.value)
			continue
		case errors.Is(a.err, ErrAskAnother):
		default:
			failure = JoinFailure(failure, a.err)
		}
		if started < len(operators) && ctx.Err() == nil {
			start()
		}
	}
	switch {
	case len(values) == need:
		return values, nil
	case failure == nil:
		return values, ErrAskAnother
	}
	return values, failure
}

// JoinFailure keeps the code of the first failure and tells all of them.
func JoinFailure(first, second error) error {
	a, ok := errors.AsType[*settlement.LookError](first)
	b, is := errors.AsType[*settlement.LookError](second)
	if !ok || !is {
		return cmp.Or(first, second)
	}
	return &settlement.LookError{
		Code: a.Code, RetryAfter: min(a.RetryAfter, b.RetryAfter), Err: fmt.Errorf("%w; %s: %w", a.Err, b.Code, b.Err),
	}
}

// compareEvery is how often the heads of all endpoints are compared.
const compareEvery = 30 * time.Second

// Compare asks all endpoints for their heads now and then, so that one that has fallen behind is noticed while it is the
// one that is asked. It waits for half of the time that a look has.
func (c *Client) Compare(ctx context.Context, head func(context.Context, *Session) (uint64, error)) {
	if len(c.Endpoints) == 1 {
		return
	}
	c.mu.Lock()
	due := c.now().Sub(c.comparedAt) >= compareEvery
	if due {
		c.comparedAt = c.now()
	}
	c.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout/2)
	defer cancel()
	heads := make([]uint64, len(c.Endpoints))
	var running sync.WaitGroup
	for i, e := range c.Endpoints {
		running.Go(func() {
			// What fails here is asked again by whoever needs it.
			_ = c.askOne(ctx, e, 1, func(ctx context.Context, s *Session) (err error) {
				heads[i], err = head(ctx, s)
				return err
			})
		})
	}
	running.Wait()
	highest := slices.Max(heads)
	until := c.now().Add(compareEvery)
	for i, e := range c.Endpoints {
		e.mu.Lock()
		e.behindUntil = time.Time{}
		if heads[i] > 0 && heads[i]+c.lag < highest {
			e.behindUntil = until
		}
		e.mu.Unlock()
	}
}
