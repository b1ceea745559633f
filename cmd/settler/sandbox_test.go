package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
)

// startSandbox runs the command and gives its URL, and what ends it and gives its exit code.
func startSandbox(t *testing.T, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"sandbox", "--addr", "127.0.0.1:0"}, args...), &streams{Out: writer, Err: io.Discard})
		_ = writer.Close()
	}()
	line, err := bufio.NewReader(reader).ReadString('\n')
	if err != nil {
		cancel()
		t.Fatalf("the sandbox ended with %d", <-code)
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	stop = func() int {
		cancel()
		return <-code
	}
	t.Cleanup(cancel)
	return strings.TrimSpace(line), stop
}

// TestSandbox drives the command as an integrator does: a key, a machine and services of the built-in seed, webhooks, a
// fault, and a second run on the same data.
func TestSandbox(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		heard <- string(body)
	}))
	t.Cleanup(receiver.Close)
	args := []string{
		"--api-key", "k", "--data", filepath.Join(t.TempDir(), "data"), "--webhook-url", receiver.URL,
		"--webhook-secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	}
	url, stop := startSandbox(t, args...)
	client, err := orchestration.New(orchestration.Config{BaseURL: url, APIKey: "k"})
	if err != nil {
		t.Fatal(err)
	}
	key, err := agentkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	session, err := orchestration.NewSession(orchestration.SessionConfig{
		Client: client, Signer: key, MachineID: "mach_sandbox", AgentAddress: key.Address(), AgentProvider: "test", AgentRole: "buyer",
	})
	if err != nil {
		t.Fatal(err)
	}
	pairing, err := session.PairingID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	services, rails := 0, map[orchestration.RailType]bool{}
	err = session.Do(t.Context(), func(token orchestration.Secret) error {
		for service, err := range client.AllMarketServices(t.Context(), orchestration.MarketServiceFilter{}, orchestration.Page{}) {
			if err != nil {
				return err
			}
			services++
			order, err := client.CreateMarketOrder(t.Context(), token, orchestration.CreateMarketOrderRequest{
				MachineID: "mach_sandbox", AgentPairingID: pairing, ServiceID: service.ID,
			})
			if err != nil {
				return err
			}
			payment, err := client.CreatePaymentIntent(t.Context(), token, order.ID, orchestration.PaymentIntentRequest{})
			if err != nil {
				return err
			}
			rails[payment.Rail.Type] = true
		}
		return nil
	})
	if err != nil || services != 7 || len(rails) != 6 {
		t.Fatalf("%v: %d services, rails %v", err, services, rails)
	}
	for range 2 * services { // created and updated, of each
		select {
		case body := <-heard:
			if !strings.Contains(body, `"machineId":"mach_sandbox"`) {
				t.Errorf("webhook %s", body)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("a webhook is missing")
		}
	}
	res, err := http.Post(url+"/_sandbox/faults", "application/json", strings.NewReader(`{"path":"/api/v1/machines/*","kind":"error","status":404,"code":"GONE"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if _, err := client.GetMachine(t.Context(), "mach_sandbox"); err == nil || !strings.Contains(err.Error(), "GONE") {
		t.Errorf("the fault was not served: %v", err)
	}
	if code := stop(); code != 0 {
		t.Errorf("ended with %d", code)
	}
	url, stop = startSandbox(t, args...)
	if client, err = orchestration.New(orchestration.Config{BaseURL: url, APIKey: "k"}); err != nil {
		t.Fatal(err)
	}
	page, err := client.ListMarketOrders(t.Context(), "mach_sandbox", orchestration.Page{})
	if err != nil || len(page.Items) != services {
		t.Errorf("after a restart: %d orders, %v", len(page.Items), err)
	}
	if code := stop(); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

// TestSandboxManual plays the order of the manual as it stands there.
func TestSandboxManual(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/sandbox.md")
	if err != nil {
		t.Fatal(err)
	}
	_, script, _ := strings.Cut(string(manual), "```sh\n")
	script, _, found := strings.Cut(script, "```")
	if !found || !strings.HasPrefix(script, "U=http://127.0.0.1:8090\n") {
		t.Fatal("the manual has no order by hand")
	}
	url, _ := startSandbox(t)
	out, err := exec.CommandContext(t.Context(), "sh", "-euc", strings.Replace(script, "http://127.0.0.1:8090", url, 1)).CombinedOutput() //nolint:gosec // our own manual
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if last := lines[len(lines)-1]; err != nil || !strings.Contains(last, `"status":"confirmed"`) || !strings.Contains(string(out), `"status":"released"`) {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestSandboxRefuses(t *testing.T) {
	t.Parallel()
	seed := filepath.Join(t.TempDir(), "seed.json")
	if err := os.WriteFile(seed, []byte(`{"services":[],"oneSesion":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"oneSesion":              {"--seed", seed},
		"read the seed":          {"--seed", seed + ".none"},
		"go together":            {"--webhook-url", "http://127.0.0.1:1"},
		"another address with":   {"--addr", "256.0.0.1:80"},
		"make data directory":    {"--data", seed + "/x"},
		"orchestrator.jsonl: li": {"--data", brokenData(t)},
	} {
		var out, complaint bytes.Buffer
		if code := run(t.Context(), append([]string{"sandbox", "--addr", "127.0.0.1:0"}, args...), &streams{Out: &out, Err: &complaint}); code != 1 || !strings.Contains(complaint.String(), want) {
			t.Errorf("%v: %d %s", args, code, complaint.String())
		}
	}
}

// brokenData is a directory whose file is not the sandbox's.
func brokenData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "orchestrator.jsonl"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
