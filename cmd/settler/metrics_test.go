package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// Every metric has a row in the documentation, with its labels.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metrics {
		row := "| `" + m.name + "` | "
		if len(m.labels) > 0 {
			row += "`" + strings.Join(m.labels, "`, `") + "` | "
		}
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/operations.md has no row that begins with %s", row)
		}
	}
}

func TestMetricsOfARunningService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cfg, err := loadConfig(writeConfig(t, w.config), []string{"SETTLER_METRICS_LISTEN=127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	var log syncBuffer
	logger, err := newLogger(LogConfig{Level: "info", Format: "json"}, &log)
	if err != nil {
		t.Fatal(err)
	}
	s, err := startService(t.Context(), cfg, logger)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context()) //nolint:errcheck // what it ends with is another test's
	var url string
	for line := range strings.Lines(log.String()) {
		var entry struct{ Msg, URL string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "metrics" {
			url = entry.URL
		}
	}
	var text string
	waitFor(t, "the chain to be scanned", func() bool {
		res, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("status %d, %v: %s", res.StatusCode, err, body)
		}
		text = string(body)
		return strings.Contains(text, "settler_chain_scanned_block{")
	})
	for _, want := range []string{
		"settler_build_info{version=", "settler_payments_due 0", "settler_webhooks_accepted_total 0", `settler_orchestrator_held_back{marketplace="`,
		`settler_orchestrator_calls_total{marketplace="`, `settler_rpc_calls_total{chain="`, `state="healthy"} 1`, "settler_chain_head_block{",
		"go_goroutines ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	if strings.Contains(text, "hunter2") || strings.Contains(text, "127.0.0.1") {
		t.Error("an endpoint's address is shown")
	}
}
