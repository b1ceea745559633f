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
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/migrations"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/store"
)

// devCmd plays one order on real parts that it starts itself, and then stays up to be played with.
type devCmd struct {
	Once    bool          `help:"End after the order: exit code 0 when it settled, 1 with the reason when it did not."`
	Output  string        `short:"o" enum:"text,json" default:"text" help:"Form of the steps: text, or json with one object per line."`
	Listen  string        `default:"127.0.0.1:8080" help:"host:port of the API; port 0 takes a free one."`
	Timeout time.Duration `default:"60s" help:"How long the order may take once everything is started."`
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
	playCtx, cancel := context.WithTimeout(ctx, c.Timeout)
	order, err := world.play.run(playCtx)
	cancel()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && c.Once:
		return fmt.Errorf("the order did not settle: %w", err)
	case err != nil:
		steps.say("failed", "the order did not settle: "+err.Error(), "order", order)
	}
	if c.Once {
		return nil
	}
	world.tell(steps, order)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-world.ended:
		return fmt.Errorf("settler ended: %w", err)
	}
}

// devWorld is everything that runs.
type devWorld struct {
	play     play
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
	wallet := crypto.PubkeyToAddress(payer.PublicKey)
	// The run's own chain id, so that nothing of another run could ever count here.
	id := uuid.New()
	chainID := 1_000_000_000 + uint64(id[0])<<16 + uint64(id[1])<<8 + uint64(id[2])
	chain, err := devnet.StartChain(devnet.ChainConfig{ChainID: chainID, BlockTime: devBlockTime, Accounts: []common.Address{wallet}})
	if err != nil {
		return nil, fmt.Errorf("start chain: %w", err)
	}
	stop(chain.Close)
	steps.say("chain", "an EVM node in this process, a block each second, final after 2", "chain", fmt.Sprintf("eip155:%d", chainID), "rpc", chain.URL())
	token, err := devnet.DeployTestToken(ctx, chain, payer, wallet)
	if err != nil {
		return nil, fmt.Errorf("deploy token: %w", err)
	}
	steps.say("token", "OpenZeppelin ERC-20 with 6 decimals, minted to the payer", "address", token.Hex(), "symbol", "TUSD")

	market, err := startDevMarket(fmt.Sprintf("eip155:%d", chainID), chain.URL(), token)
	if err != nil {
		return nil, fmt.Errorf("start orchestrator: %w", err)
	}
	stop(market.stop)
	steps.say("orchestrator", "acting, over HTTP", "url", market.url)

	cfg, webhookSecret, cleanup, err := c.config(databaseURL, market.url, chainID, chain.URL(), token)
	if err != nil {
		return nil, err
	}
	stop(cleanup)
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
	key, err := devKey(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	steps.say("settler", "serving, wired as `settler serve` does", "url", service.URL())
	controller, err := agentkey.FromHex(devController)
	if err != nil {
		return nil, err
	}
	return &devWorld{
		play: play{
			api: service.URL(), apiKey: key, orchestrator: market.url, rpc: chain.URL(), webhookKey: webhookSecret, marketplace: devMarketplace,
			serviceID: devService, machineRef: fmt.Sprintf("did:peaq:%d", chainID), controller: controller, payer: payer, say: steps.say,
		},
		database: databaseURL, rpc: chain.URL(), ended: ended,
	}, nil
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
}

// startDevMarket serves the acting orchestrator with one service to buy, whose provider is the payee.
func startDevMarket(chain, rpc string, token common.Address) (*devMarket, error) {
	payee := common.HexToAddress("0xfeed00000000000000000000000000000000cafe")
	handler := orchestrationtest.New(orchestrationtest.Config{
		RPC: map[string]string{chain: rpc},
		Services: []orchestrationtest.Service{{
			ID: devService, Name: "Charging session", ServiceType: "machine.commerce", Price: "12.5", Currency: "TUSD",
			Payment: orchestration.RailRecommendation{
				DefaultRail: "wallet", Required: true, SupportedRails: []orchestration.RailType{"wallet", "wdk-usdt-transfer"},
				Chain: chain, Token: "TUSD", TokenAddress: token.Hex(), PayeeAddress: payee.Hex(),
			},
		}},
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close, and nothing else can go wrong on loopback
	return &devMarket{handler: handler, url: "http://" + listener.Addr().String(), stop: server.Close}, nil
}

// config is what `settler serve` would read, with keys of this run's own. cleanup removes the keystore.
func (c *devCmd) config(database, orchestrator string, chainID uint64, rpc string, token common.Address) (cfg *Config, webhookSecret string, cleanup func() error, err error) {
	dir, err := os.MkdirTemp("", "settler-dev-")
	if err != nil {
		return nil, "", nil, err
	}
	cleanup = func() error { return os.RemoveAll(dir) }
	password := rand.Text()
	agent, err := crypto.GenerateKey()
	if err != nil {
		return nil, "", nil, errors.Join(err, cleanup())
	}
	account, err := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(agent, password)
	if err != nil {
		return nil, "", nil, errors.Join(err, cleanup())
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
	cfg.Marketplaces = []MarketplaceConfig{market}
	chain := ChainConfig{
		ID: fmt.Sprintf("eip155:%d", chainID), Aliases: []string{"dev"}, Endpoints: []EndpointConfig{{Name: "devnet", URL: secret(rpc)}},
		Finality: FinalityConfig{Depth: devFinality}, PollInterval: 200 * time.Millisecond,
		Tokens: []TokenConfig{{Symbol: "TUSD", Address: token.Hex(), Decimals: 6}},
	}
	cfg.Chains = []ChainConfig{chain}
	if err := cfg.Check(); err != nil {
		return nil, "", nil, errors.Join(err, cleanup())
	}
	return cfg, webhookSecret, cleanup, nil
}

// devKey makes the API key that the marketplace reads its orders with.
func devKey(ctx context.Context, database string) (string, error) {
	pool, err := pgxpool.New(ctx, database)
	if err != nil {
		return "", err
	}
	defer pool.Close()
	id, err := uuid.NewV7()
	if err != nil {
		return "", err
	}
	key, hash := api.NewKey()
	err = store.CreateAPIKey(ctx, pool, store.APIKey{
		ID: [16]byte(id), Marketplace: devMarketplace, Name: "dev", Scope: "operate", CreatedAt: time.Now().UTC(),
	}, hash)
	return key, err
}

// tell says where everything is.
func (w *devWorld) tell(steps *stepPrinter, order string) {
	p := &w.play
	curl := fmt.Sprintf("curl -s -H 'Authorization: Bearer %s' %s/v1/orders/%s", p.apiKey, p.api, order)
	pay, verify := "", ""
	if p.txid != "" {
		pay = "curl -s " + p.payURL
		verify = fmt.Sprintf("%s verify evm --rpc %s --chain %s --finality depth:%d --tx %s --token %s --payer %s --payee %s --amount %s", programName(),
			w.rpc, p.terms.Chain, devFinality, p.txid, p.terms.Token, crypto.PubkeyToAddress(p.payer.PublicKey), p.terms.Payee, p.terms.Amount)
	}
	if steps.json {
		steps.say("up", "stays up until interrupted", "api", p.api, "docs", p.api+"/docs/", "database", w.database, "rpc", w.rpc,
			"curl", curl, "pay", pay, "verify", verify)
		return
	}
	if verify != "" {
		curl += "\n  " + pay + "\n  " + verify
	}
	_, _ = fmt.Fprintf(steps.out, `
API       %s
its page  %s/docs/
database  %s
chain     %s

  %s

Everything stays up until Ctrl-C.
`, p.api, p.api, w.database, w.rpc, curl) // a terminal that is gone ends us by its signal
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
	out   io.Writer
	json  bool
	began time.Time
}

// say prints a step: what happened, and ids as pairs of name and value.
func (p *stepPrinter) say(step, message string, details ...any) {
	elapsed := time.Since(p.began)
	if p.json {
		line := map[string]any{"step": step, "message": message, "elapsed_ms": elapsed.Milliseconds()}
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
	line := fmt.Sprintf("%6.2fs  %-13s %s", elapsed.Seconds(), step, message)
	for i := 0; i+1 < len(details); i += 2 {
		line += fmt.Sprintf("  %v=%v", details[i], details[i+1])
	}
	_, _ = fmt.Fprintln(p.out, line)
}
