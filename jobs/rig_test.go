package jobs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

const marketplace = "acme"

// rig is a marketplace on real parts: Postgres, an EVM node behind a proxy that can misbehave, the acting orchestrator over
// HTTP, and one or more Runners.
type rig struct {
	t       *testing.T
	pool    *pgxpool.Pool
	chain   *devnet.Chain
	rpc     *chaintest.Proxy
	market  *orchestrationtest.Server
	client  *orchestration.Client // the buyer's and the marketplace's
	token   common.Address
	payee   common.Address
	service string

	setup        setup
	orchestrator string        // the market's URL
	agent        *agentkey.Key // ours; every runner has the same
	runner       *jobs.Runner
	stop         func() // ends the runner's work and waits for it

	machine string
	agentID string // pairing of the buyer
	buyer   *orchestration.Session
	payer   *ecdsa.PrivateKey // the buyer's wallet; its key signed the pairing
	// operator divides what vaults hold, arbiter freezes them; only with setup.escrow.
	operator, arbiter *ecdsa.PrivateKey
	wallet            *ecdsa.PrivateKey // gives back direct payments; only with setup.refunds
	sent              []*types.Transaction
	met               *atomic.Int64 // how often breakRPC has misbehaved
	ahead             atomic.Int64  // by how many nanoseconds the runners' clock is ahead
	log               *testLog
}

// setup changes what a rig is made of.
type setup struct {
	deadline, grace time.Duration
	skew            time.Duration
	ahead           time.Duration // of the runners' clock
	rail            orchestration.RailType
	price           string
	advice          func(*orchestration.RailRecommendation)
	policy          settlement.Policy // of the token
	leniency        settlement.Leniency
	evm             func(*evm.Config)
	idle            bool // the runner is not started
	watcher         func(jobs.Watcher) jobs.Watcher
	poll            time.Duration     // of the chain
	more            func() jobs.Chain // beside the EVM chain
	listed          bool              // orders are listed regularly
	perSecond       int               // calls to the orchestrator, 0 for no limit
	patience        time.Duration     // for a call to the orchestrator, 0 for the client's own
	market          orchestrationtest.Config
	escrow          func(*jobs.Escrow)  // not nil: orders are held in vaults
	refunds         func(*jobs.Refunds) // not nil: direct payments are given back
	disputes        settlement.DisputePolicy
	highWater       func() *jobs.HighWater
}

func newRig(t *testing.T, change ...func(*setup)) *rig {
	t.Helper()
	s := setup{deadline: time.Hour, grace: 10 * time.Minute, skew: time.Minute, poll: 20 * time.Millisecond, rail: "wdk-usdt-transfer", price: "1.5"}
	for _, c := range change {
		c(&s)
	}
	r := &rig{t: t, setup: s, pool: pgtest.New(t), service: "svc:charge", payee: common.HexToAddress("0xbeefbeefbeefbeefbeefbeefbeefbeefbeefbeef")}
	r.log = &testLog{t: t}
	r.ahead.Store(int64(s.ahead))
	r.payer = newKey(t)
	r.operator, r.arbiter, r.wallet = newKey(t), newKey(t), newKey(t)
	wallets := []common.Address{address(r.payer), address(r.operator), address(r.arbiter), address(r.wallet)}
	var err error
	r.chain, err = devnet.StartChain(devnet.ChainConfig{ChainID: chainID(), Accounts: wallets})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.chain.Close() })
	r.token = r.deployToken(r.payer)
	if s.escrow != nil {
		if err := devnet.DeployVaults(t.Context(), r.chain, r.payer); err != nil {
			t.Fatal(err)
		}
	}
	r.rpc = chaintest.NewProxy(t, r.chain.URL())

	advice := orchestration.RailRecommendation{
		DefaultRail: s.rail, Required: true, SupportedRails: []orchestration.RailType{s.rail}, Chain: string(r.chainID()), Token: "TUSD",
		TokenAddress: r.token.Hex(), PayeeAddress: r.payee.Hex(),
	}
	if s.advice != nil {
		s.advice(&advice)
	}
	s.market.RPC = map[string]string{string(r.chainID()): r.chain.URL()}
	s.market.Services = []orchestrationtest.Service{{
		ID: r.service, Name: "Charging", ServiceType: "machine.commerce", Price: jsonNumber(s.price), Currency: "TUSD", Payment: advice,
	}}
	r.market = orchestrationtest.New(s.market)
	server := httptest.NewServer(r.market)
	t.Cleanup(server.Close)
	r.orchestrator = server.URL
	r.client, err = orchestration.New(orchestration.Config{BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	r.machine = r.registerMachine()
	r.buyer, r.agentID = r.pair(r.payer)
	if r.agent, err = agentkey.Generate(); err != nil {
		t.Fatal(err)
	}

	r.runner = r.newRunner(s)
	if !s.idle {
		r.stop = r.start(r.runner)
	}
	t.Cleanup(func() {
		if r.stop != nil {
			r.stop()
		}
		r.offersAtTheEnd(t)
		pgtest.CheckBooks(t, r.pool)
	})
	return r
}

func (r *rig) chainID() settlement.ChainID {
	return settlement.ChainID(fmt.Sprintf("eip155:%d", r.chain.ChainID()))
}

func (r *rig) newRunner(s setup) *jobs.Runner {
	r.t.Helper()
	token, err := evm.ParseAddress(r.token.Hex())
	if err != nil {
		r.t.Fatal(err)
	}
	tokens := []settlement.Token{{Chain: r.chainID(), Address: token, Symbol: "TUSD", Decimals: 6, Policy: s.policy}}
	cfg := evm.Config{
		Chain: r.chainID(), Endpoints: []evm.Endpoint{{Name: "proxy", URL: r.rpc.URL()}}, Tokens: tokens, Finality: evm.Finality{Depth: 2},
	}
	if s.evm != nil {
		s.evm(&cfg)
	}
	chain, err := evm.New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	key := r.agent
	watcher := jobs.Watcher(chain)
	if s.watcher != nil {
		watcher = s.watcher(chain)
	}
	gate := jobs.NewGate(orchestration.NewTransport(), s.perSecond)
	client, err := orchestration.New(orchestration.Config{
		BaseURL: r.orchestrator, HTTPClient: &http.Client{Transport: gate}, ReadTimeout: s.patience, WriteTimeout: s.patience,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	var interval time.Duration
	if s.listed {
		interval = 20 * time.Millisecond
	}
	chains := []jobs.Chain{{
		ID: r.chainID(), Aliases: []string{"dev"}, Tokens: cfg.Tokens, PollInterval: s.poll, Coin: settlement.Token{Symbol: "ETH", Decimals: 18},
		Verifier: chain, Watcher: watcher, ParseAddress: evm.ParseAddress, FormatAddress: evm.FormatAddress,
		ParseTxID: evm.ParseTxID, FormatTxID: evm.FormatTxID, CheckSignature: chain.CheckSignature,
		ApprovalAbove: map[settlement.Address]settlement.Amount{token: settlement.NewAmount(10_000_000)},
	}}
	if s.escrow != nil {
		chains[0].Escrow = r.newEscrow(s.escrow)
	}
	if s.refunds != nil {
		chains[0].Refunds = r.newRefunds(s.refunds)
	}
	if s.more != nil {
		chains = append(chains, s.more())
	}
	var highWater *jobs.HighWater
	if s.highWater != nil {
		highWater = s.highWater()
	}
	runner, err := jobs.New(jobs.Config{
		HighWater: highWater,
		Now:       func() time.Time { return time.Now().Add(time.Duration(r.ahead.Load())) },
		Pool:      r.pool, DirectURL: r.pool.Config().ConnString(), PayTokenKey: make([]byte, 32), Logger: slog.New(slog.NewTextHandler(r.log, nil)),
		Marketplaces: []jobs.Marketplace{{
			ID: marketplace, Client: client, Gate: gate, Deadline: s.deadline, Grace: s.grace, Skew: s.skew, Leniency: s.leniency, ListInterval: interval, Disputes: s.disputes,
			Session: func(machineID string) (*orchestration.Session, error) {
				return orchestration.NewSession(orchestration.SessionConfig{
					Client: client, Signer: key, MachineID: machineID, AgentAddress: key.Address(), AgentProvider: "settler", AgentRole: "settlement",
				})
			},
		}},
		Chains: chains,
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return runner
}

// start makes the runner work and returns what ends it.
func (r *rig) start(runner *jobs.Runner) (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	r.eventually("the runner is ready", func() error { return runner.Ready(ctx) })
	var ended bool
	return func() {
		if ended {
			return
		}
		ended = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				r.t.Errorf("Run: %v", err)
			}
		case <-time.After(2 * time.Minute):
			r.t.Error("Run did not end within 2 min")
		}
	}
}

// order creates an order at the orchestrator as the buyer does, without telling settler.
func (r *rig) order() string {
	r.t.Helper()
	return r.orderOf(r.buyer, r.agentID)
}

func (r *rig) orderOf(buyer *orchestration.Session, pairing string) string {
	r.t.Helper()
	var order orchestration.MarketOrder
	err := buyer.Do(r.t.Context(), func(token orchestration.Secret) error {
		search, err := r.client.SearchMarket(r.t.Context(), token, orchestration.MarketSearchRequest{MachineID: r.machine, AgentPairingID: pairing})
		if err != nil {
			return err
		}
		order, err = r.client.CreateMarketOrder(r.t.Context(), token, orchestration.CreateMarketOrderRequest{
			MachineID: r.machine, AgentPairingID: pairing, ServiceID: r.service, SearchID: search.ID, QuoteID: search.Quotes[0].ID,
		})
		return err
	})
	if err != nil {
		r.t.Fatalf("create order: %v", err)
	}
	return order.ID
}

// tell sends the webhook of the order.
func (r *rig) tell(order string) {
	r.t.Helper()
	r.webhook(order, fmt.Sprintf("msg_%s_%d", order, time.Now().UnixNano()))
}

func (r *rig) webhook(order, id string) {
	r.t.Helper()
	err := r.runner.AcceptWebhook(r.t.Context(), store.Webhook{
		Marketplace: marketplace, ID: id, BodySHA256: sha256.Sum256([]byte(id)), Type: "order.updated", MachineID: r.machine, OrderID: order,
	})
	if err != nil {
		r.t.Fatalf("accept webhook: %v", err)
	}
}

// payment is the order's payment as it is now.
func (r *rig) payment(order string) (settlement.Payment, error) {
	payments, err := store.ListPayments(r.t.Context(), r.pool, store.PaymentFilter{Marketplace: marketplace, OrderID: order, Limit: 2})
	if err != nil {
		return settlement.Payment{}, err
	}
	if len(payments) != 1 {
		return settlement.Payment{}, fmt.Errorf("%d payments of order %s", len(payments), order)
	}
	return payments[0], nil
}

// await waits until the order's payment is in one of the states. Blocks are made meanwhile when mine is set.
func (r *rig) await(order string, mine bool, states ...settlement.State) settlement.Payment {
	r.t.Helper()
	var last settlement.Payment
	r.eventually(fmt.Sprintf("order %s is %v", order, states), func() (err error) {
		if last, err = r.payment(order); err != nil {
			return err
		}
		if slices.Contains(states, last.State) {
			return nil
		}
		if mine {
			r.chain.Commit()
		}
		return fmt.Errorf("it is %s (%s: %s)", last.State, last.Reason, last.Detail)
	})
	return last
}

// eventually polls with a deadline.
func (r *rig) eventually(what string, check func() error) {
	r.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("waited 2 min until %s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// history is the kinds of the payment's events in order.
func (r *rig) history(p settlement.Payment) []settlement.EventKind {
	r.t.Helper()
	records, err := store.History(r.t.Context(), r.pool, p.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	kinds := make([]settlement.EventKind, len(records))
	for i, record := range records {
		kinds[i] = record.Kind
	}
	return kinds
}

func (r *rig) registerMachine() string {
	r.t.Helper()
	ctx := r.t.Context()
	const ref = "did:peaq:42"
	controller, err := agentkey.FromHex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	if err != nil {
		r.t.Fatal(err)
	}
	challenge, err := r.client.CreateMachineIdentityChallenge(ctx, ref)
	if err != nil {
		r.t.Fatal(err)
	}
	signature, err := controller.SignMessage(ctx, []byte(challenge.Message))
	if err != nil {
		r.t.Fatal(err)
	}
	machine, err := r.client.CreateMachine(ctx, orchestration.CreateMachineRequest{
		DisplayName: "Charger", OwnerID: "acme", MachineType: "ev-charger", RuntimeProfile: "test", IdentityRef: ref,
		IdentityProof: &orchestration.ChallengeProof{ChallengeID: challenge.ChallengeID, Signature: signature},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.client.UpdateMachine(ctx, machine.ID, orchestration.UpdateMachineRequest{Status: orchestration.MachineActive}); err != nil {
		r.t.Fatal(err)
	}
	return machine.ID
}

// pair makes a buyer whose wallet is the key.
func (r *rig) pair(wallet *ecdsa.PrivateKey) (*orchestration.Session, string) {
	r.t.Helper()
	key, err := agentkey.FromHex(common.Bytes2Hex(crypto.FromECDSA(wallet)))
	if err != nil {
		r.t.Fatal(err)
	}
	session, err := orchestration.NewSession(orchestration.SessionConfig{
		Client: r.client, Signer: key, MachineID: r.machine, AgentAddress: key.Address(), AgentProvider: "test", AgentRole: "buyer",
	})
	if err != nil {
		r.t.Fatal(err)
	}
	id, err := session.PairingID(r.t.Context())
	if err != nil {
		r.t.Fatalf("pair: %v", err)
	}
	return session, id
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func address(key *ecdsa.PrivateKey) common.Address { return crypto.PubkeyToAddress(key.PublicKey) }

// testLog logs through the test, so that a failure shows what the runner did, and remembers what was said.
type testLog struct {
	t     *testing.T
	mu    sync.Mutex // guards lines
	lines []string
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.lines = append(l.lines, string(p))
	l.mu.Unlock()
	defer func() { _ = recover() }() // a line that comes after the test's end is dropped
	l.t.Logf("%s", p)
	return len(p), nil
}

// logged reports whether a line of the level holds all of the words.
func (r *rig) logged(level string, words ...string) error {
	r.log.mu.Lock()
	defer r.log.mu.Unlock()
	for _, line := range r.log.lines {
		holds := strings.Contains(line, "level="+level+" ")
		for _, word := range words {
			holds = holds && strings.Contains(line, word)
		}
		if holds {
			return nil
		}
	}
	return fmt.Errorf("no line of level %s says %q", level, words)
}

var errNotYet = errors.New("not yet")
