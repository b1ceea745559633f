package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
	"github.com/settler-pay/settler/verify/solana"
)

// alarmInterval is how often the chains' status is compared with what was logged. Nobody is asked for it.
const alarmInterval = 5 * time.Second

// chainStatus is what is known of a chain, whatever its kind.
type chainStatus struct {
	chain     string
	latest    uint64
	alarms    []alarm
	endpoints []endpointStatus
}

type alarm struct{ kind, detail string }

type endpointStatus struct {
	name, state, lastError string
	calls                  uint64
	failures               map[settlement.Code]uint64
}

// statusOf asks nobody.
func statusOf(chain jobs.Chain, conditions *conditions) chainStatus {
	out := chainStatus{chain: string(chain.ID)}
	if watched, ok := chain.Watcher.(*evm.Chain); ok {
		s := watched.Status()
		out.latest = s.Latest
		for _, a := range s.Alarms {
			out.alarms = append(out.alarms, alarm{string(a.Kind), a.Detail})
		}
		for _, e := range s.Endpoints {
			out.endpoints = append(out.endpoints, endpointStatus{e.Name, string(e.State), e.LastError, e.Calls, e.Failures})
		}
	}
	if watched, ok := chain.Accounts.(*solana.Chain); ok {
		s := watched.Status()
		out.latest = s.Head.Latest
		for _, a := range s.Alarms {
			out.alarms = append(out.alarms, alarm{string(a.Kind), a.Detail})
		}
		for _, e := range s.Endpoints {
			out.endpoints = append(out.endpoints, endpointStatus{e.Name, string(e.State), e.LastError, e.Calls, e.Failures})
		}
	}
	out.alarms = append(out.alarms, conditions.alarms(chain.ID)...)
	return out
}

// alarmLog says once in the log when an alarm is raised, when it ends, and when an endpoint comes into another state.
type alarmLog struct {
	logger *slog.Logger
	raised map[[2]string]bool   // chain, kind → raised when last looked at
	states map[[2]string]string // chain, endpoint → its state then
}

func newAlarmLog(logger *slog.Logger) *alarmLog {
	return &alarmLog{logger: logger, raised: make(map[[2]string]bool), states: make(map[[2]string]string)}
}

// run follows the chains until ctx ends.
func (a *alarmLog) run(ctx context.Context, chains []jobs.Chain, conditions *conditions) {
	for {
		for _, chain := range chains {
			a.note(ctx, statusOf(chain, conditions))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(alarmInterval):
		}
	}
}

func (a *alarmLog) note(ctx context.Context, s chainStatus) {
	now := make(map[[2]string]bool, len(s.alarms))
	for _, alarm := range s.alarms {
		key := [2]string{s.chain, alarm.kind}
		now[key] = true
		if !a.raised[key] {
			a.raised[key] = true
			a.logger.ErrorContext(ctx, "alarm raised", "chain", s.chain, "kind", alarm.kind, "detail", alarm.detail)
		}
	}
	for key := range a.raised {
		if key[0] == s.chain && !now[key] {
			delete(a.raised, key)
			a.logger.InfoContext(ctx, "alarm ended", "chain", s.chain, "kind", key[1])
		}
	}
	const healthy = string(evm.Healthy)
	for _, e := range s.endpoints {
		key := [2]string{s.chain, e.name}
		before, known := a.states[key]
		a.states[key] = e.state
		switch {
		case before == e.state:
		case e.state != healthy:
			a.logger.WarnContext(ctx, "endpoint changed", "chain", s.chain, "endpoint", e.name, "state", e.state, "err", e.lastError)
		case known:
			a.logger.InfoContext(ctx, "endpoint changed", "chain", s.chain, "endpoint", e.name, "state", e.state)
		}
	}
}
