package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/migrations"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
)

const (
	// headPatience is the age of the latest block at which an endpoint counts as behind its chain.
	headPatience = 5 * time.Minute
	// clockPatience is by how much our clock may differ from the orchestrator's. Its Date header has whole seconds;
	// signatures and sessions are good for minutes.
	clockPatience = 30 * time.Second
	// doctorPatience bounds one check.
	doctorPatience = 20 * time.Second
)

type doctorCmd struct {
	configFlag

	Output string `short:"o" enum:"text,json" default:"text" help:"text or json (default: ${default})."`
}

// finding is what one check found.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Do     string `json:"do,omitempty"` // what to do when it is not ok
}

// text is the finding on one line.
func (f finding) text() string {
	if f.OK {
		return fmt.Sprintf("ok    %s: %s\n", f.Check, f.Detail)
	}
	return fmt.Sprintf("FAIL  %s: %s. Do: %s\n", f.Check, strings.TrimSuffix(f.Detail, "."), f.Do)
}

// Run checks all and prints each finding when it is there; exit 1 when one failed.
func (cmd *doctorCmd) Run(ctx context.Context, std *streams) error {
	var findings []finding
	var printErr error
	d := doctor{report: func(check, detail string, err error, do string) {
		f := finding{Check: check, OK: err == nil, Detail: detail}
		if err != nil {
			f.Detail, f.Do = oneLine(strings.TrimLeft(strings.TrimPrefix(err.Error(), "configuration"), ": ")), do
		}
		findings = append(findings, f)
		if cmd.Output == "text" {
			_, err := io.WriteString(std.Out, f.text())
			printErr = cmp.Or(printErr, err)
		}
	}}
	cfg, err := cmd.load()
	d.report("configuration", "every key is right", err, "correct the file or the environment; `settler config example` shows every key")
	if err == nil {
		d.checkAgent(cfg)
		d.checkDatabase(ctx, cfg)
		d.checkChains(ctx, cfg)
		d.checkOrchestrators(ctx, cfg)
	}
	if cmd.Output == "json" {
		encoder := json.NewEncoder(std.Out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		printErr = encoder.Encode(findings)
	}
	if printErr != nil {
		return fmt.Errorf("print the findings: %w", printErr)
	}
	for _, f := range findings {
		if !f.OK {
			return exitFailed
		}
	}
	return nil
}

// oneLine puts a message of several lines on one; a line that ends in a colon leads to the next, others end in a semicolon.
func oneLine(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.Join(strings.Fields(line), " ")
		switch {
		case line == "":
			continue
		case strings.HasSuffix(b.String(), ":"):
			b.WriteString(" ")
		case b.Len() > 0:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// doctor looks at what the service depends on. Each check reports once: err nil means ok and shows detail.
type doctor struct {
	report func(check, detail string, err error, do string)
}

func (d doctor) checkAgent(cfg *Config) {
	password, err := cfg.Agent.password()
	var key *agentkey.Key
	if err == nil {
		key, err = agentkey.LoadKeystore(cfg.Agent.Keystore, password)
	}
	detail := ""
	if err == nil {
		detail = "address " + key.Address()
	}
	d.report("agent key", detail, err, "correct agent.keystore and agent.password or agent.password_file")
}

func (d doctor) checkDatabase(ctx context.Context, cfg *Config) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	pool, err := openPool(ctx, string(cfg.Database.URL), 2)
	version := ""
	if err == nil {
		defer pool.Close()
		version, err = serverVersion(ctx, pool)
	}
	d.report("database", version, err, "start Postgres, or correct database.url")

	sessions := checkSessions(ctx, cfg.directURL())
	d.report("database sessions", "each connection has its own backend", sessions, "set database.direct_url to Postgres itself")
	if err != nil {
		return
	}
	d.report("schema", "current", migrations.Check(ctx, pool), "run `settler migrate up`")
}

func serverVersion(ctx context.Context, pool *pgxpool.Pool) (string, error) {
	var version string
	if err := pool.QueryRow(ctx, "select current_setting('server_version')").Scan(&version); err != nil {
		return "", fmt.Errorf("ask for the server's version: %w", err)
	}
	return "PostgreSQL " + version, nil
}

func (d doctor) checkChains(ctx context.Context, cfg *Config) {
	for _, c := range cfg.Chains {
		chain, tokens, err := newEVM(c)
		if err != nil {
			d.report("chain "+c.ID, "", err, "correct the chain's entry")
			continue
		}
		for _, check := range chain.Check(ctx) {
			name := fmt.Sprintf("chain %s endpoint %s", c.ID, check.Name)
			age := time.Since(check.HeadTime).Round(time.Second)
			err, do := check.Err, "see whether the endpoint is up, or replace it"
			switch {
			case err != nil && misconfigured(err):
				do = "correct the chain's endpoint, tokens or finality"
			case err == nil && age > headPatience:
				err = fmt.Errorf("its latest block %d is %s old", check.Latest, age)
				do = "wait until the endpoint has caught up, or replace it"
			case err == nil && age < -clockPatience:
				err = fmt.Errorf("its latest block %d lies %s ahead of our clock", check.Latest, -age)
				do = "set this machine's clock"
			}
			d.report(name, fmt.Sprintf("right chain, block %d, %s old, %d token(s) as configured", check.Latest, max(age, 0), len(tokens)), err, do)
		}
	}
}

func (d doctor) checkOrchestrators(ctx context.Context, cfg *Config) {
	for _, m := range cfg.Marketplaces {
		date := &dateRecorder{}
		client, err := orchestration.New(orchestration.Config{BaseURL: m.Orchestrator.URL, HTTPClient: &http.Client{Transport: date}})
		if err == nil {
			err = probe(ctx, client)
		}
		d.report("orchestrator of "+m.ID, "healthy", err, "see whether it is up, or correct the marketplace's orchestrator.url")
		if date.answered.IsZero() {
			continue
		}
		offset, err := date.offset()
		if err == nil && offset.Abs() > clockPatience {
			err = fmt.Errorf("our clock differs from the orchestrator's by %s", offset)
		}
		d.report("clock against "+m.ID, fmt.Sprintf("differs by %s", offset), err, "synchronise this machine's clock (NTP)")
	}
}

func probe(ctx context.Context, client *orchestration.Client) error {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	return client.CheckHealth(ctx)
}

// dateRecorder notes what the last answer's Date header said, and when it was asked and answered by our clock.
type dateRecorder struct {
	asked, answered time.Time
	date            string
}

// RoundTrip sends the request with the default transport.
func (r *dateRecorder) RoundTrip(req *http.Request) (*http.Response, error) {
	asked := time.Now()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		r.asked, r.answered, r.date = asked, time.Now(), resp.Header.Get("Date")
	}
	return resp, err
}

// offset is how far our clock is ahead of the server's, rounded to its header's precision. The header cuts off the
// fraction of its second, so on average half a second is missing from it.
func (r *dateRecorder) offset() (time.Duration, error) {
	date, err := http.ParseTime(r.date)
	if err != nil {
		return 0, errors.New("the orchestrator's answer has no readable Date header")
	}
	middle := r.asked.Add(r.answered.Sub(r.asked) / 2)
	return middle.Sub(date.Add(500 * time.Millisecond)).Round(time.Second), nil
}
