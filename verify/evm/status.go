package evm

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

const (
	// behindAfter is by how much an endpoint's head may be older than another's, by the time in the blocks.
	behindAfter = 30 * time.Second
	// compareEvery is how often the heads of all endpoints are compared.
	compareEvery = 30 * time.Second
	// alarmLasts is how long a disagreement stays an alarm.
	alarmLasts = 10 * time.Minute
)

// Status is what a chain looks like from here, of what was asked so far. Making it asks nobody.
type Status struct {
	Chain      settlement.ChainID
	Rule       Rule
	Latest     uint64 // the highest block that an endpoint told; 0: none did
	LatestTime time.Time
	Final      uint64    // the highest final block under the chain's own rule, as Heads read it last
	FinalTime  time.Time // of that block, or with a depth of the latest one
	Alarms     []Alarm
	Endpoints  []EndpointStatus // in the order of the configuration
}

// Alarms are told as for other chains.
type (
	// Alarm is a condition that a person should know of. None of them is a verdict about a payment.
	Alarm = jsonrpc.Alarm
	// AlarmKind is a stable, machine-readable kind of alarm.
	AlarmKind = jsonrpc.AlarmKind
)

// Kinds of alarms.
const (
	// FinalityStalled: the highest final block is older than Config.StallAfter. Payments wait, none is lost.
	FinalityStalled = jsonrpc.FinalityStalled
	// OperatorsDisagree: two operators contradicted each other within the last ten minutes.
	OperatorsDisagree = jsonrpc.OperatorsDisagree
	// EndpointWrongChain: an endpoint serves another chain.
	EndpointWrongChain = jsonrpc.EndpointWrongChain
	// QuorumUnreachable: fewer operators than must agree have an endpoint that is not down, throttled or wrong.
	QuorumUnreachable = jsonrpc.QuorumUnreachable
)

// EndpointStatus is how one endpoint does.
type EndpointStatus struct {
	Name, Operator string
	State          State
	Until          time.Time // until when a throttled one is left alone; else zero
	Latest         uint64    // the newest head that it told
	LatestTime     time.Time
	Calls          uint64                     // since the start
	Failures       map[settlement.Code]uint64 // code → how many looks ended with it
	LastError      string                     // of the last look that failed; holds no URL and no key
}

// Status is what is known now.
func (c *Chain) Status() Status {
	now := c.now()
	c.mu.Lock()
	out := Status{
		Chain: c.id, Rule: c.rule, Latest: c.head.number, LatestTime: c.head.time, Final: c.final.number, FinalTime: c.final.time,
	}
	if age := now.Sub(c.final.time); c.finalRead && age > c.stall {
		out.Alarms = append(out.Alarms, Alarm{Kind: FinalityStalled, Detail: fmt.Sprintf(
			"the %s block %d is %s old", c.rule.Finality, c.final.number, age.Round(time.Second))})
	}
	if c.disagreement != nil && now.Sub(c.disagreedAt) < alarmLasts {
		out.Alarms = append(out.Alarms, Alarm{Kind: OperatorsDisagree, Detail: c.disagreement.Error()})
	}
	c.mu.Unlock()
	usable := make(map[string]bool)
	for _, e := range c.endpoints {
		s := e.status(now)
		switch s.State {
		case WrongChain:
			out.Alarms = append(out.Alarms, Alarm{Kind: EndpointWrongChain, Detail: fmt.Sprintf("endpoint %s: %s", s.Name, s.LastError)})
		case Healthy, Behind, Pruned:
			usable[e.operator] = true
		case Down, Throttled:
		}
		out.Endpoints = append(out.Endpoints, s)
	}
	if need := c.rule.Trust.operators(); len(usable) < need {
		out.Alarms = append(out.Alarms, Alarm{Kind: QuorumUnreachable, Detail: fmt.Sprintf(
			"%d operator(s) can be asked, trust %s needs %d", len(usable), c.rule.Trust, need)})
	}
	return out
}

func (e *endpoint) status(now time.Time) EndpointStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := EndpointStatus{
		Name: e.name, Operator: e.operator, State: e.state(now), Latest: e.head.number, LatestTime: e.head.time,
		Calls: e.calls, Failures: maps.Clone(e.failures), LastError: e.lastError,
	}
	if s.State == Throttled {
		s.Until = e.throttledUntil
	}
	return s
}

// headOf notes the head that an endpoint told, and whether it is older than what another one told before.
func (c *Chain) headOf(e *endpoint, head header) {
	c.mu.Lock()
	if head.time.After(c.head.time) || head.number > c.head.number && head.time.Equal(c.head.time) {
		c.head = head
	}
	behind := c.head.time.Sub(head.time) > behindAfter
	c.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.head, e.behindUntil = head, time.Time{}
	if behind {
		e.behindUntil = c.now().Add(failureLasts)
	}
}

func (c *Chain) finalOf(f finality) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final, c.finalRead = f, true
}

// compareHeads asks all endpoints for their heads now and then, so that one that has fallen behind is noticed while it is
// the one that is asked. It waits for half of the time that a look has.
func (c *Chain) compareHeads(ctx context.Context) {
	if len(c.endpoints) == 1 {
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
	heads := make([]header, len(c.endpoints))
	var running sync.WaitGroup
	for i, e := range c.endpoints {
		running.Go(func() {
			// What fails here is asked again by whoever needs it.
			_ = c.askOne(ctx, &session{chain: c, e: e, rule: c.rule}, 1, func(ctx context.Context, s *session) (err error) {
				heads[i], err = s.latest(ctx)
				return err
			})
		})
	}
	running.Wait()
	for i, e := range c.endpoints { // the first to answer was compared with nobody
		if heads[i].hash != "" {
			c.headOf(e, heads[i])
		}
	}
}
