package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// TestRestartKeepsThePairing wires the program twice on one database: the second
// process rotates the pairing of the first, which it knows without a list, and
// nothing in the database is its token.
func TestRestartKeepsThePairing(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	market := orchestrationtest.New(orchestrationtest.Config{})
	var lists atomic.Int32
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/agent-pairings") {
			lists.Add(1)
		}
		market.ServeHTTP(w, r)
	}))
	t.Cleanup(host.Close)
	cfg := &Config{
		Agent:        AgentConfig{Provider: "settler", Role: "settlement"},
		Marketplaces: []MarketplaceConfig{{ID: "one", Orchestrator: OrchestratorConfig{URL: host.URL}}},
	}
	agent, err := agentkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	machine := registerMachine(t, host.URL)
	// start is one process: the pairing that it acts with.
	start := func(agent agentSigner) string {
		t.Helper()
		marketplaces, err := newMarketplaces(cfg, agent, pool)
		if err != nil {
			t.Fatal(err)
		}
		session, err := marketplaces[0].Session(machine)
		if err != nil {
			t.Fatal(err)
		}
		id, err := session.PairingID(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		err = session.Do(t.Context(), func(token orchestration.Secret) error {
			var row string
			if err := pool.QueryRow(t.Context(), "select to_jsonb(pairings)::text from pairings").Scan(&row); err != nil {
				return err
			}
			if strings.Contains(row, string(token)) || !strings.Contains(row, id) {
				t.Errorf("kept: %s", row)
			}
			_, err := marketplaces[0].Client.SearchMarket(t.Context(), token, orchestration.MarketSearchRequest{})
			return err
		})
		if err != nil {
			t.Error(err)
		}
		return id
	}
	first := start(agent)
	lists.Store(0)
	if second := start(agent); second != first || lists.Load() != 0 || len(market.Pairings(machine)) != 1 {
		t.Errorf("restarted with %s after %d lists, %d pairings; want %s alone", second, lists.Load(), len(market.Pairings(machine)), first)
	}
	// The same key, moved to a remote signer.
	remote, err := AgentConfig{Remote: RemoteSignerConfig{URL: remoteSigner(t, agent), Address: agent.Address()}}.signer()
	if err != nil {
		t.Fatal(err)
	}
	if moved := start(remote); moved != first {
		t.Errorf("the remote signer acts with %s, want %s", moved, first)
	}
	other, err := agentkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if third := start(other); third == first {
		t.Errorf("another key acts with %s", third)
	}
}

// remoteSigner serves personal_sign with the key, where the right key of the URL is given.
func remoteSigner(t *testing.T, key *agentkey.Key) secret {
	t.Helper()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var call struct {
			Method string          `json:"method"`
			Params []hexutil.Bytes `json:"params"`
		}
		err := json.NewDecoder(r.Body).Decode(&call)
		if err != nil || call.Method != "personal_sign" || len(call.Params) != 2 || r.URL.Query().Get("key") != "hunter2" {
			t.Errorf("asked %+v, %v", call, err)
			return
		}
		signature, err := key.SignMessage(r.Context(), call.Params[0])
		if err != nil {
			t.Error(err)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": 1, "result": signature})
	}))
	t.Cleanup(host.Close)
	return secret(host.URL + "/?key=hunter2")
}

// registerMachine makes an active machine, controlled by the development account.
func registerMachine(t *testing.T, url string) string {
	t.Helper()
	client, err := orchestration.New(orchestration.Config{BaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	controller, err := agentkey.FromHex(devController)
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := client.CreateMachineIdentityChallenge(t.Context(), "did:peaq:42")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := controller.SignMessage(t.Context(), []byte(challenge.Message))
	if err != nil {
		t.Fatal(err)
	}
	machine, err := client.CreateMachine(t.Context(), orchestration.CreateMachineRequest{
		DisplayName: "Charger", OwnerID: "op", MachineType: "ev-charger", RuntimeProfile: "linux", IdentityRef: "did:peaq:42",
		IdentityProof: &orchestration.ChallengeProof{ChallengeID: challenge.ChallengeID, Signature: signature},
	})
	if err == nil {
		machine, err = client.UpdateMachine(t.Context(), machine.ID, orchestration.UpdateMachineRequest{Status: orchestration.MachineActive})
	}
	if err != nil {
		t.Fatal(err)
	}
	return machine.ID
}
