package orchestration_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

const (
	platformKey = "platform-key-0001"
	// controllerKey is the public development key of orchestrationtest.DevController.
	controllerKey = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
)

var tokenService = orchestrationtest.Service{
	ID: "svc_price", Name: "Price", ServiceType: "oracle.price-feed", Price: "1.50", Currency: "USDC",
	Payment: orchestration.RailRecommendation{
		DefaultRail: orchestration.RailWallet, Required: true, Chain: "base", Token: "USDC",
		SupportedRails: []orchestration.RailType{orchestration.RailWallet, orchestration.RailWDKUSDTTransfer},
		TokenAddress:   "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
		PayerAddress:   "0x1111111111111111111111111111111111111111",
		PayeeAddress:   "0x2222222222222222222222222222222222222222",
	},
	TokenDecimals: new(6), RawAmount: "1500000",
}

// market is an acting orchestrator over HTTP with one active machine.
type market struct {
	*orchestrationtest.Server
	url     string
	client  *orchestration.Client
	machine string
}

func newMarket(t *testing.T, cfg orchestrationtest.Config) *market {
	t.Helper()
	cfg.APIKey = platformKey
	if cfg.Services == nil {
		cfg.Services = []orchestrationtest.Service{tokenService}
	}
	server := orchestrationtest.New(cfg)
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	m := &market{Server: server, url: listener.URL, client: clientOf(t, listener.URL)}
	m.machine = m.register(t, "did:peaq:42")
	return m
}

func clientOf(t *testing.T, url string) *orchestration.Client {
	t.Helper()
	client, err := orchestration.New(orchestration.Config{BaseURL: url, APIKey: platformKey})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// register makes a machine and activates it.
func (m *market) register(t *testing.T, identity string) string {
	t.Helper()
	controller, err := agentkey.FromHex(controllerKey)
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := m.client.CreateMachineIdentityChallenge(t.Context(), identity)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := controller.SignMessage(t.Context(), []byte(challenge.Message))
	if err != nil {
		t.Fatal(err)
	}
	machine, err := m.client.CreateMachine(t.Context(), orchestration.CreateMachineRequest{
		DisplayName: "Charger", OwnerID: "op", MachineType: "ev-charger", RuntimeProfile: "linux", IdentityRef: identity,
		IdentityProof: &orchestration.ChallengeProof{ChallengeID: challenge.ChallengeID, Signature: signature},
	})
	if err != nil {
		t.Fatal(err)
	}
	if machine.Status != orchestration.MachineDraft {
		t.Fatalf("new machine is %s, want draft", machine.Status)
	}
	machine, err = m.client.UpdateMachine(t.Context(), machine.ID, orchestration.UpdateMachineRequest{Status: orchestration.MachineActive})
	if err != nil {
		t.Fatal(err)
	}
	return machine.ID
}

// session pairs an agent with the machine, with a key of its own unless given.
func (m *market) session(t *testing.T, key *agentkey.Key, change func(*orchestration.SessionConfig)) *orchestration.Session {
	t.Helper()
	if key == nil {
		key = newKey(t)
	}
	cfg := orchestration.SessionConfig{
		Client: m.client, Signer: key, MachineID: m.machine, AgentAddress: key.Address(), AgentProvider: "settler", AgentRole: "settlement",
	}
	if change != nil {
		change(&cfg)
	}
	session, err := orchestration.NewSession(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func newKey(t *testing.T) *agentkey.Key {
	t.Helper()
	key, err := agentkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// token is a token of a session, for calls that do not go through Do.
func token(t *testing.T, session *orchestration.Session) orchestration.Secret {
	t.Helper()
	var got orchestration.Secret
	err := session.Do(t.Context(), func(token orchestration.Secret) error { got = token; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// order places an order with a quote.
func (m *market) order(t *testing.T, session *orchestration.Session) orchestration.MarketOrder {
	t.Helper()
	pairing, err := session.PairingID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	search, err := m.client.SearchMarket(t.Context(), token(t, session), orchestration.MarketSearchRequest{ServiceType: "oracle.price-feed"})
	if err != nil {
		t.Fatal(err)
	}
	order, err := m.client.CreateMarketOrder(t.Context(), token(t, session), orchestration.CreateMarketOrderRequest{
		MachineID: m.machine, AgentPairingID: pairing, ServiceID: tokenService.ID, SearchID: search.ID, QuoteID: search.Quotes[0].ID,
	})
	if err != nil {
		t.Fatal(err)
	}
	return order
}

// at is a fault for one method and path end.
func at(method, end string, fault func() orchestrationtest.Fault) func(*http.Request) orchestrationtest.Fault {
	return func(r *http.Request) orchestrationtest.Fault {
		if r.Method != method || len(r.URL.Path) < len(end) || r.URL.Path[len(r.URL.Path)-len(end):] != end {
			return orchestrationtest.Fault{}
		}
		return fault()
	}
}
