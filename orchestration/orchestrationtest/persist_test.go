package orchestrationtest_test

import (
	"bufio"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// childDir names the data directory of a server in a process of its own, which a
// test kills.
const childDir = "ORCHESTRATIONTEST_CHILD_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		server, err := orchestrationtest.Open(benchConfig(orchestrationtest.Config{}), dir)
		if err != nil {
			panic(err) // a test program's own child
		}
		fmt.Println(httptest.NewServer(server).URL)
		time.Sleep(time.Minute) // until it is killed
		return
	}
	os.Exit(m.Run())
}

// TestNothingAnsweredIsLostToAKill kills a server while orders come in, as often
// as it is started again, and finds every answered order in the next one.
func TestNothingAnsweredIsLostToAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var answered, payments []string
	var token orchestration.Secret
	var pairing string
	for range 4 {
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		url, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{url: strings.TrimSpace(url)}
		if b.client, err = orchestration.New(orchestration.Config{BaseURL: b.url}); err != nil {
			t.Fatal(err)
		}
		if token == "" {
			b.session = b.pair(t, "buyer")
			if pairing, err = b.session.PairingID(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.do(t, func(given orchestration.Secret) error { token = given; return nil })
		}
		var got []string
		for order, err := range b.client.AllMarketOrders(t.Context(), "mach_1", orchestration.Page{}) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, order.ID)
		}
		// A kill may come between a write and its answer, so there may be one more.
		if len(got) < len(answered) || len(got) > len(answered)+1 || !slices.Equal(got[:len(answered)], answered) {
			t.Fatalf("answered %v, found %v", answered, got)
		}
		answered = got
		for _, id := range payments {
			if payment, err := b.client.GetMarketPayment(t.Context(), id); err != nil || payment == nil || payment.Amount != "2" {
				t.Fatalf("payment of %s: %+v, %v", id, payment, err)
			}
		}
		var stop *time.Timer
		for { // with the token of the first life
			order, err := b.client.CreateMarketOrder(t.Context(), token, orchestration.CreateMarketOrderRequest{
				MachineID: "mach_1", AgentPairingID: pairing, ServiceID: "svc",
			})
			if err != nil {
				break
			}
			answered = append(answered, order.ID)
			if _, err = b.client.CreatePaymentIntent(t.Context(), token, order.ID, orchestration.PaymentIntentRequest{}); err != nil {
				break
			}
			payments = append(payments, order.ID)
			if stop == nil { // each life has one that must not be lost, however slow it is
				stop = time.AfterFunc(150*time.Millisecond, func() { _ = child.Process.Kill() })
			}
		}
		if stop == nil {
			_ = child.Process.Kill()
			t.Fatal("no order was paid")
		}
		stop.Stop()
		_ = child.Wait() // reports the kill
	}
}

// TestACutLineIsNoChange: what a crash left half written was never answered; what
// is wrong before the end is refused by its line.
func TestACutLineIsNoChange(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, orchestrationtest.JournalName)
	open := func() (*orchestrationtest.Server, error) {
		return orchestrationtest.Open(orchestrationtest.Config{}, dir)
	}
	server, err := open()
	if err != nil {
		t.Fatal(err)
	}
	server.PutOrder(orchestration.MarketOrder{ID: "ord_1", MachineID: "m", Status: "created", Input: nil})
	server.PutOrder(orchestration.MarketOrder{ID: "ord_2", MachineID: "m", Status: "created"})
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-5], 0o600); err != nil {
		t.Fatal(err)
	}
	if server, err = open(); err != nil {
		t.Fatal(err)
	}
	_, first := server.Order("ord_1")
	if _, second := server.Order("ord_2"); !first || second {
		t.Errorf("ord_1 kept: %t, ord_2 kept: %t", first, second)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("{}\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("nonsense: %v", err)
	}
}

// TestEverythingSurvives reads the same from a server that was opened again.
func TestEverythingSurvives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := orchestrationtest.Open(benchConfig(orchestrationtest.Config{}), dir)
	if err != nil {
		t.Fatal(err)
	}
	b := benchOn(t, server, orchestrationtest.Config{})
	b.held(t)
	asked, err := b.client.CreateMachineIdentityChallenge(t.Context(), "did:peaq:7")
	if err != nil {
		t.Fatal(err)
	}
	again, err := orchestrationtest.Open(benchConfig(orchestrationtest.Config{}), dir) // the first one only reads from here on
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(again)
	t.Cleanup(listener.Close)
	if len(again.Proofs(b.order.ID)) != 1 || again.Intents(b.order.ID) != 1 {
		t.Errorf("proofs %v, intents %d", again.Proofs(b.order.ID), again.Intents(b.order.ID))
	}
	client, err := orchestration.New(orchestration.Config{BaseURL: listener.URL})
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func(*orchestration.Client) (any, error){
		"machine": func(c *orchestration.Client) (any, error) { return c.GetMachine(t.Context(), "mach_1") },
		"pairings": func(c *orchestration.Client) (any, error) {
			return c.ListAgentPairings(t.Context(), "mach_1", orchestration.Page{})
		},
		"order":   func(c *orchestration.Client) (any, error) { return c.GetMarketOrder(t.Context(), b.order.ID) },
		"payment": func(c *orchestration.Client) (any, error) { return c.GetMarketPayment(t.Context(), b.order.ID) },
		"audit": func(c *orchestration.Client) (any, error) {
			return c.ListAuditEvents(t.Context(), orchestration.AuditEventFilter{})
		},
	} {
		before, err := read(b.client)
		if err != nil {
			t.Fatal(err)
		}
		after, err := read(client)
		if got, want := jsonOf(t, after), jsonOf(t, before); err != nil || got != want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, want)
		}
	}
	// A challenge that was asked for before can be answered now.
	machine, err := client.CreateMachine(t.Context(), orchestration.CreateMachineRequest{
		DisplayName: "d", OwnerID: "o", MachineType: "t", RuntimeProfile: "p", IdentityRef: "did:peaq:7",
		IdentityProof: &orchestration.ChallengeProof{ChallengeID: asked.ChallengeID, Signature: signAsController(t, asked.Message)},
	})
	if err != nil || machine.Status != orchestration.MachineDraft {
		t.Errorf("machine: %+v, %v", machine, err)
	}
}
