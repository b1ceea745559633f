package jobs

import (
	"context"
	"maps"
	"sync"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// Stats is what this process has done since its start, and what waits for any process.
type Stats struct {
	Events   map[Step]uint64      // accepted events
	Webhooks uint64               // accepted webhooks, repeated ones among them
	Calls    map[string]GateStats // marketplace → calls to its orchestrator
	Backlog  store.Backlog
	Chains   []store.ChainProgress
	// TokenAccounts counts those that we were asked to make, by chain and state.
	TokenAccounts map[settlement.ChainID]map[store.TokenAccountState]int64
}

// Step is a kind of event and the state that it led to.
type Step struct {
	Event settlement.EventKind
	State settlement.State
}

// GateStats counts the calls to one orchestrator.
type GateStats struct {
	OK, Failed, HeldBack uint64 // Failed: no answer, 5xx or 429
	Shut                 bool   // calls are held back at present
}

// counters are the part of Stats that is counted.
type counters struct {
	mu       sync.Mutex // guards what follows
	events   map[Step]uint64
	webhooks uint64
}

func (c *counters) count(results []Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, res := range results {
		if res.Err == nil {
			c.events[Step{res.Event.Kind, res.Payment.State}]++
		}
	}
}

func (c *counters) countWebhooks(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.webhooks += uint64(n)
}

// Stats reads the counters and, from the database, what waits.
func (r *Runner) Stats(ctx context.Context) (Stats, error) {
	r.counters.mu.Lock()
	s := Stats{Events: maps.Clone(r.counters.events), Webhooks: r.counters.webhooks, Calls: make(map[string]GateStats)}
	r.counters.mu.Unlock()
	for _, m := range r.cfg.Marketplaces {
		s.Calls[m.ID] = m.Gate.stats()
	}
	var err error
	if s.Backlog, err = store.ReadBacklog(ctx, r.cfg.Pool, r.now()); err != nil {
		return s, err
	}
	if s.Chains, err = store.Progress(ctx, r.cfg.Pool); err != nil {
		return s, err
	}
	s.TokenAccounts, err = store.TokenAccounts(ctx, r.cfg.Pool)
	return s, err
}
