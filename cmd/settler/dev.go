package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/migrations"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// devCmd plays orders on real parts that it starts itself, all at once: one paid from a wallet, one held in a vault and released,
// one refunded from its vault, one disputed and split by two people; and the first three on Solana if asked to. Then it stays up
// to be played with.
type devCmd struct {
	Solana  bool          `help:"Also start a Solana node and play an order that is paid in SPL tokens on it. It needs solana-test-validator, from SOLANA_TEST_VALIDATOR or the PATH."`
	Once    bool          `help:"End after the orders: exit code 0 when it settled, 1 with the reason when it did not."`
	Output  string        `short:"o" enum:"text,json" default:"text" help:"Form of the steps: text, or json with one object per line."`
	Listen  string        `default:"127.0.0.1:8080" help:"host:port of the API; port 0 takes a free one."`
	Timeout time.Duration `default:"60s" help:"How long each order may take once everything is started."`
}

const (
	devMarketplace = "demo"
	devService     = "svc:charging-session"
	devFinality    = 2 // blocks
	devBlockTime   = time.Second
	// devController is the first account of every development chain in the world: it controls the acting orchestrator's
	// machine identities.
	devController = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
)

// Run starts the parts, plays the order and waits for Ctrl-C. Whatever was started is stopped in reverse, also when the
// start is broken off in the middle.
func (c *devCmd) Run(ctx context.Context, std *streams) (err error) {
	steps := &stepPrinter{out: std.Out, json: c.Output == "json", began: time.Now()}
	var stops []func() error
	defer func() {
		for i := len(stops) - 1; i >= 0; i-- {
			err = errors.Join(err, stops[i]())
		}
		if errors.Is(err, context.Canceled) && ctx.Err() != nil {
			err = nil // Ctrl-C is the way to end it
		}
	}()
	world, err := c.build(ctx, steps, func(stop func() error) { stops = append(stops, stop) })
	if err != nil {
		return err
	}
	if err := c.play(ctx, world.plays); err != nil || c.Once {
		return err
	}
	world.tell(steps)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-world.ended:
		return fmt.Errorf("settler ended: %w", err)
	}
}

// play plays the lanes at once, and the orders of a lane one after the other. With Once the first failure ends it.
func (c *devCmd) play(ctx context.Context, lanes [][]*play) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, lane := range lanes {
		group.Go(func() error {
			for _, p := range lane {
				playCtx, cancel := context.WithTimeout(ctx, c.Timeout)
				err := p.run(playCtx)
				cancel()
				switch {
				case ctx.Err() != nil:
					return ctx.Err()
				case err != nil && c.Once:
					return fmt.Errorf("the order %q did not settle: %w", p.name, err)
				case err != nil:
					p.say("failed", "the order did not settle: "+err.Error(), "order", p.orderID)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// devWorld is everything that runs.
type devWorld struct {
	plays    [][]*play // lanes; the first order on the EVM chain
	people   devPeople
	database string
	rpc      string
	ended    <-chan error // settler's own end
}

// build starts every part. stop is called with what ends each of them as soon as it runs.
func (c *devCmd) build(ctx context.Context, steps *stepPrinter, stop func(func() error)) (*devWorld, error) {
	databaseURL, err := devDatabase(ctx, steps, stop)
	if err != nil {
		return nil, err
	}
	payer, err := crypto.GenerateKey()
	if err != nil {
		return nil, err
	}
	wallet := addressOf(payer)
	// The run's own chain id, so that nothing of another run could ever count here.
	id := uuid.New()
	chainID := 1_000_000_000 + uint64(id[0])<<16 + uint64(id[1])<<8 + uint64(id[2])
	escrow, err := newDevEscrow()
	if err != nil {
		return nil, err
	}
	chain, err := devnet.StartChain(devnet.ChainConfig{ChainID: chainID, BlockTime: devBlockTime, Accounts: append(escrow.accounts(), wallet)})
	if err != nil {
		return nil, fmt.Errorf("start chain: %w", err)
	}
	stop(chain.Close)
	steps.say("chain", "an EVM node in this process, a block each second, final after 2", "chain", fmt.Sprintf("eip155:%d", chainID), "rpc", chain.URL())
	token, err := devnet.DeployTestToken(ctx, chain, payer, wallet)
	if err != nil {
		return nil, fmt.Errorf("deploy token: %w", err)
	}
	if err := escrow.share(ctx, chain, token, payer); err != nil {
		return nil, fmt.Errorf("give the payers their tokens: %w", err)
	}
	steps.say("token", "OpenZeppelin ERC-20 with 6 decimals, minted to the payers", "address", token.Hex(), "symbol", "TUSD")
	if err := devnet.DeployVaults(ctx, chain, payer); err != nil {
		return nil, err
	}
	steps.say("vaults", "factory of per-order vaults, paid out by settler's operator, frozen and divided by its arbiter", "factory", escrowevm.Factory.Hex(),
		"operator", addressOf(escrow.operator).Hex(), "arbiter", addressOf(escrow.arbiter).Hex())

	var solana *devSolana
	if c.Solana {
		if solana, err = startDevSolana(ctx, steps, stop); err != nil {
			return nil, fmt.Errorf("start Solana: %w", err)
		}
	}
	market, err := startDevMarket(fmt.Sprintf("eip155:%d", chainID), chain.URL(), token, append(solana.services(), escrow.services(fmt.Sprintf("eip155:%d", chainID))...))
	if err != nil {
		return nil, fmt.Errorf("start orchestrator: %w", err)
	}
	stop(market.stop)
	steps.say("orchestrator", "acting, over HTTP", "url", market.url)

	dir, err := os.MkdirTemp("", "settler-dev-")
	if err != nil {
		return nil, err
	}
	stop(func() error { return os.RemoveAll(dir) })
	cfg, webhookSecret, err := c.config(dir, databaseURL, market.url, chainID, chain.URL(), token)
	if err == nil {
		err = escrow.serve(cfg, dir)
	}
	if err != nil {
		return nil, err
	}
	if err := solana.serve(ctx, cfg, dir); err != nil {
		return nil, err
	}
	service, err := startService(ctx, cfg, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			err = fmt.Errorf("%w; choose another address with --listen", err)
		}
		return nil, fmt.Errorf("start settler: %w", err)
	}
	stop(func() error {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		return service.Stop(stopCtx)
	})
	ended := make(chan error, 1)
	go func() { ended <- service.Wait() }()
	market.tell(orchestrationtest.Webhook{URL: service.URL() + "/v1/webhooks/" + devMarketplace + "/orders", Secret: webhookSecret})
	people, err := newDevPeople(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	steps.say("settler", "serving, wired as `settler serve` does", "url", service.URL(), "dashboard", service.URL()+"/dashboard/")
	controller, err := agentkey.FromHex(devController)
	if err != nil {
		return nil, err
	}
	first := play{
		name: "paid", steps: steps, api: service.URL(), people: people, orchestrator: market.url, rpc: chain.URL(), marketplace: devMarketplace,
		serviceID: devService, machineRef: fmt.Sprintf("did:peaq:%d", chainID), controller: controller, payer: payer,
		found: "found in its block by watching the payee", accepted: "proof posted in rpc mode and accepted", pay: payEVM,
	}
	plays := [][]*play{{&first}}
	for _, p := range escrow.plays(first) {
		plays = append(plays, []*play{p})
	}
	// On Solana all pay from one wallet to another, so they go one after the other.
	return &devWorld{plays: append(plays, solana.plays(first)), people: people, database: databaseURL, rpc: chain.URL(), ended: ended}, nil
}

// devDatabase is a migrated database: that of DATABASE_URL when it is set, else a fresh one on an embedded server.
func devDatabase(ctx context.Context, steps *stepPrinter, stop func(func() error)) (string, error) {
	url, name := os.Getenv("DATABASE_URL"), "DATABASE_URL"
	if url == "" {
		server, err := devnet.StartPostgres(ctx, devnet.PostgresConfig{Durable: true, Progress: func(line string) { steps.say("postgres", line) }})
		if err != nil {
			return "", fmt.Errorf("start Postgres: %w", err)
		}
		stop(server.Stop)
		name = "embedded, its cluster is kept for the next run"
		if url, err = server.NewDatabase(ctx, "dev_"+time.Now().UTC().Format("20060102_150405")+"_"+uuid.NewString()[:4]); err != nil {
			return "", err
		}
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return "", errors.New("DATABASE_URL is not a Postgres connection string")
	}
	defer pool.Close()
	applied, err := migrations.Up(ctx, pool)
	if err != nil {
		return "", fmt.Errorf("migrate: %w", err)
	}
	steps.say("postgres", fmt.Sprintf("real Postgres, %s; %d migrations applied", name, len(applied)))
	return url, nil
}

// devMarket is the acting orchestrator, served.
type devMarket struct {
	handler *orchestrationtest.Server
	url     string
	stop    func() error
	deliver func() // sends its webhooks until stop
}

// tell makes it send its orders' webhooks from now on.
func (m *devMarket) tell(webhook orchestrationtest.Webhook) {
	m.handler.SetWebhook(webhook)
	go m.deliver()
}

// startDevMarket serves the acting orchestrator with one service to buy, whose provider is the payee.
func startDevMarket(chain, rpc string, token common.Address, more []orchestrationtest.Service) (*devMarket, error) {
	payee := common.HexToAddress("0xfeed00000000000000000000000000000000cafe")
	handler := orchestrationtest.New(orchestrationtest.Config{
		RPC: map[string]string{chain: rpc},
		Services: append(more, orchestrationtest.Service{
			ID: devService, Name: "Charging session", ServiceType: "machine.commerce", Price: "12.5", Currency: "TUSD",
			Payment: orchestration.RailRecommendation{
				DefaultRail: "wallet", Required: true, SupportedRails: []orchestration.RailType{"wallet", "wdk-usdt-transfer"},
				Chain: chain, Token: "TUSD", TokenAddress: token.Hex(), PayeeAddress: payee.Hex(),
			},
		}),
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close, and nothing else can go wrong on loopback
	delivering, stopDelivering := context.WithCancel(context.Background())
	return &devMarket{
		handler: handler, url: "http://" + listener.Addr().String(),
		stop: func() error {
			stopDelivering()
			return server.Close()
		},
		deliver: func() { handler.Deliver(delivering) },
	}, nil
}

// config is what `settler serve` would read, with keys of this run's own, whose keystores are in dir.
func (c *devCmd) config(dir, database, orchestrator string, chainID uint64, rpc string, token common.Address) (cfg *Config, webhookSecret string, err error) {
	password := rand.Text()
	agent, err := crypto.GenerateKey()
	if err != nil {
		return nil, "", err
	}
	account, err := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(agent, password)
	if err != nil {
		return nil, "", err
	}
	random := make([]byte, 64)
	_, _ = rand.Read(random) // never fails
	webhookSecret = "whsec_" + base64.StdEncoding.EncodeToString(random[:32])
	cfg = defaultConfig()
	cfg.Listen = c.Listen
	cfg.Database.URL = secret(database)
	cfg.PayTokenKey = secret(hex.EncodeToString(random[32:]))
	cfg.Agent.Keystore, cfg.Agent.Password = filepath.Clean(account.URL.Path), secret(password)
	market := MarketplaceConfig{ID: devMarketplace, WebhookSecrets: []secret{secret(webhookSecret)}}
	market.setDefaults()
	market.Orchestrator.URL = orchestrator
	cfg.Mode, cfg.Marketplaces = modeDevelopment, []MarketplaceConfig{market}
	chain := ChainConfig{
		ID: fmt.Sprintf("eip155:%d", chainID), Aliases: []string{"dev"}, Endpoints: []EndpointConfig{{Name: "devnet", URL: secret(rpc)}},
		Finality: FinalityConfig{Depth: devFinality}, PollInterval: 200 * time.Millisecond,
		Coin:   "ETH",
		Tokens: []TokenConfig{{Symbol: "TUSD", Address: token.Hex(), Decimals: 6}},
	}
	cfg.Chains = []ChainConfig{chain}
	if err := cfg.Check(); err != nil {
		return nil, "", err
	}
	return cfg, webhookSecret, nil
}

// tell says where everything is.
func (w *devWorld) tell(steps *stepPrinter) {
	p := w.plays[0][0]
	read := func(order string) string {
		return fmt.Sprintf("curl -s -H 'Authorization: Bearer %s' %s/v1/orders/%s", w.people.program, p.api, order)
	}
	curl := read(p.orderID)
	pay, verify := "", ""
	if p.txid != "" {
		pay = "curl -s " + p.payURL
		verify = fmt.Sprintf("%s verify evm --rpc %s --chain %s --finality depth:%d --tx %s --token %s --payer %s --payee %s --amount %s", programName(),
			w.rpc, p.terms.Chain, devFinality, p.txid, p.terms.Token, addressOf(p.payer), p.terms.Payee, p.terms.Amount)
	}
	if steps.json {
		steps.say("up", "stays up until interrupted", "api", p.api, "docs", p.api+"/docs/", "dashboard", p.api+"/dashboard/", "key", w.people.program,
			"alice", w.people.alice, "bob", w.people.bob, "database", w.database, "rpc", w.rpc, "curl", curl, "pay", pay, "verify", verify)
		return
	}
	if verify != "" {
		curl += "\n  " + pay + "\n  " + verify
	}
	for i, lane := range w.plays {
		for j, p := range lane {
			if i+j > 0 && p.orderID != "" {
				curl += "\n  " + read(p.orderID)
			}
		}
	}
	_, _ = fmt.Fprintf(steps.out, `
dashboard %s/dashboard/
          sign in as Alice with %s
                  or Bob   with %s: nobody approves what he has asked for himself
API       %s, with %s
its page  %s/docs/
database  %s
chain     %s

  %s

Everything stays up until Ctrl-C.
`, p.api, w.people.alice, w.people.bob, p.api, w.people.program, p.api, w.database, w.rpc, curl) // a terminal that is gone ends us by its signal
}

// programName is how to call this program again from the same directory.
func programName() string {
	if strings.Contains(os.Args[0], "go-build") { // of `go run`, which deletes it at the end
		return "go run ./cmd/settler"
	}
	return os.Args[0]
}

// stepPrinter prints one line for each step.
type stepPrinter struct {
	json  bool
	began time.Time
	mu    sync.Mutex // guards out
	out   io.Writer
}

// say prints a step of the whole: what happened, and ids as pairs of name and value.
func (p *stepPrinter) say(step, message string, details ...any) {
	p.sayOf("", step, message, details...)
}

// sayOf prints a step of one order.
func (p *stepPrinter) sayOf(order, step, message string, details ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	elapsed := time.Since(p.began)
	if p.json {
		line := map[string]any{"play": order, "step": step, "message": message, "elapsed_ms": elapsed.Milliseconds()}
		for i := 0; i+1 < len(details); i += 2 {
			line[fmt.Sprint(details[i])] = details[i+1]
		}
		text, err := json.Marshal(line)
		if err != nil { // impossible: strings and numbers
			text = []byte(`{"step":"` + step + `"}`)
		}
		_, _ = fmt.Fprintf(p.out, "%s\n", text)
		return
	}
	line := fmt.Sprintf("%6.2fs  %-8s  %-13s %s", elapsed.Seconds(), order, step, message)
	for i := 0; i+1 < len(details); i += 2 {
		line += fmt.Sprintf("  %v=%v", details[i], details[i+1])
	}
	_, _ = fmt.Fprintln(p.out, line)
}
