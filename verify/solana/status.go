package solana

import (
	"fmt"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// What is known of endpoints, and what a person should know of, is told as for other chains.
type (
	// EndpointStatus is how one endpoint does.
	EndpointStatus = jsonrpc.Status
	// State is what we make of an endpoint; it decides when the endpoint is asked.
	State = jsonrpc.State
	// Alarm is a condition that a person should know of. None of them is a verdict about a payment.
	Alarm = jsonrpc.Alarm
	// Disagreement is in the chain of an RPC_INCONSISTENT error when two operators contradict each other.
	Disagreement = jsonrpc.Disagreement
)

// States of endpoints, the gravest first.
const (
	WrongChain = jsonrpc.WrongChain // serves another cluster: asked last, and for its genesis hash only until that is right
	Throttled  = jsonrpc.Throttled  // wants to be left alone: not asked until then; that is no failure
	Down       = jsonrpc.Down       // gave no answer: asked last, and after a row of failures not at all for up to a minute
	Behind     = jsonrpc.Behind     // its head is older than another endpoint's: asked last until it has caught up
	Pruned     = jsonrpc.Pruned     // lacks history: asked last for old transactions, as ever for new ones
	Healthy    = jsonrpc.Healthy    // asked in the order of the configuration
)

// Status is what a cluster looks like from here, of what was asked so far. Making it asks nobody.
type Status struct {
	Chain     settlement.ChainID
	Rule      settlement.Rule
	Head      settlement.Head // under the chain's own rule, as Heads read it last
	MovedAt   time.Time       // when its final slot was first read; zero: never
	Alarms    []Alarm
	Endpoints []EndpointStatus // in the order of the configuration
}

// Status is what is known now.
func (c *Chain) Status() Status {
	out := Status{Chain: c.id, Rule: c.rule.words()}
	out.Endpoints, out.Alarms = c.rpc.Status(c.rule.Trust.operators())
	c.mu.Lock()
	defer c.mu.Unlock()
	out.Head, out.MovedAt = c.heads.Head, c.movedAt
	if age := c.now().Sub(c.movedAt); !c.movedAt.IsZero() && age > c.stall {
		out.Alarms = append(out.Alarms, Alarm{Kind: jsonrpc.FinalityStalled, Detail: fmt.Sprintf(
			"the %s slot has been %d for %s", c.rule.Finality, c.heads.Final, age.Round(time.Second))})
	}
	return out
}
