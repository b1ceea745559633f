package main

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/settler-pay/settler/jobs"
)

// metrics are all that /metrics shows beside the Go runtime and the process: name, what it says, labels. docs/operations.md
// lists them.
var metrics = []struct {
	name, help string
	labels     []string
}{
	{"settler_build_info", "1, with the version.", []string{"version"}},
	{"settler_payment_events_total", "Accepted events by kind and the state that they led to.", []string{"event", "state"}},
	{"settler_webhooks_accepted_total", "Webhooks stored, repeated ones among them.", nil},
	{"settler_orchestrator_calls_total", "Calls to the orchestrator: ok, failed (no answer, 5xx, 429), held_back (not made).", []string{"marketplace", "result"}},
	{"settler_orchestrator_held_back", "1 while calls are held back because the orchestrator fails.", []string{"marketplace"}},
	{"settler_payments_due", "Payments whose work is due and in no job.", nil},
	{"settler_payments_parked", "Payments that wait until their orchestrator is back.", []string{"marketplace"}},
	{"settler_chain_head_block", "Highest block that an endpoint told.", []string{"chain"}},
	{"settler_chain_scanned_block", "Last block that was scanned.", []string{"chain"}},
	{"settler_chain_final_block", "Highest block that counted as final at the last scan.", []string{"chain"}},
	{"settler_chain_alarm", "1 for each alarm that is raised.", []string{"chain", "kind"}},
	{"settler_token_accounts", "Token accounts of orders' wallets that payers have asked for, by state; open and closing ones have rent of ours.", []string{"chain", "state"}},
	{"settler_rpc_calls_total", "Calls to the endpoint.", []string{"chain", "endpoint"}},
	{"settler_rpc_failures_total", "Looks at the endpoint that failed, by code.", []string{"chain", "endpoint", "code"}},
	{"settler_rpc_endpoint_state", "1 for the state that the endpoint is in.", []string{"chain", "endpoint", "state"}},
}

// scrapeTimeout bounds the reading for one scrape.
const scrapeTimeout = 5 * time.Second

// collector reads everything when it is asked: nothing is kept twice.
type collector struct {
	runner     *jobs.Runner
	chains     []jobs.Chain
	conditions *conditions
	logger     *slog.Logger
	descs      map[string]*prometheus.Desc
}

// newMetrics is the handler of /metrics.
func newMetrics(runner *jobs.Runner, chains []jobs.Chain, conditions *conditions, logger *slog.Logger) http.Handler {
	c := &collector{runner: runner, chains: chains, conditions: conditions, logger: logger, descs: make(map[string]*prometheus.Desc, len(metrics))}
	for _, m := range metrics {
		c.descs[m.name] = prometheus.NewDesc(m.name, m.help, m.labels, nil)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Timeout: scrapeTimeout}))
	return mux
}

func (c *collector) Describe(descs chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		descs <- d
	}
}

func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	emit := func(name string, value uint64, labels ...string) {
		kind := prometheus.GaugeValue
		if strings.HasSuffix(name, "_total") {
			kind = prometheus.CounterValue
		}
		out <- prometheus.MustNewConstMetric(c.descs[name], kind, float64(value), labels...)
	}
	emit("settler_build_info", 1, readBuild().Version)
	stats, err := c.runner.Stats(ctx)
	if err != nil { // what this process counted is shown all the same
		c.logger.WarnContext(ctx, "metrics", "err", err)
	} else {
		emit("settler_payments_due", uint64(stats.Backlog.Due))
	}
	for step, n := range stats.Events {
		emit("settler_payment_events_total", n, string(step.Event), string(step.State))
	}
	emit("settler_webhooks_accepted_total", stats.Webhooks)
	for marketplace, calls := range stats.Calls {
		emit("settler_orchestrator_calls_total", calls.OK, marketplace, "ok")
		emit("settler_orchestrator_calls_total", calls.Failed, marketplace, "failed")
		emit("settler_orchestrator_calls_total", calls.HeldBack, marketplace, "held_back")
		emit("settler_orchestrator_held_back", one(calls.Shut), marketplace)
		emit("settler_payments_parked", uint64(stats.Backlog.Parked[marketplace]), marketplace)
	}
	for _, p := range stats.Chains {
		emit("settler_chain_scanned_block", p.Scanned, string(p.Chain))
		emit("settler_chain_final_block", p.Final, string(p.Chain))
	}
	for chain, states := range stats.TokenAccounts {
		for state, n := range states {
			emit("settler_token_accounts", uint64(n), string(chain), string(state))
		}
	}
	for _, chain := range c.chains {
		status := statusOf(chain, c.conditions)
		emit("settler_chain_head_block", status.latest, status.chain)
		raised := make(map[string]bool)
		for _, a := range status.alarms { // several of one kind are one
			raised[a.kind] = true
		}
		for kind := range raised {
			emit("settler_chain_alarm", 1, status.chain, kind)
		}
		for _, e := range status.endpoints {
			emit("settler_rpc_calls_total", e.calls, status.chain, e.name)
			for code, n := range e.failures {
				emit("settler_rpc_failures_total", n, status.chain, e.name, string(code))
			}
			emit("settler_rpc_endpoint_state", 1, status.chain, e.name, e.state)
		}
	}
}

func one(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
