package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// sandboxCmd serves the acting orchestrator alone, for programs that are to speak to an orchestrator. docs/sandbox.md is its manual.
type sandboxCmd struct {
	Addr       string        `default:"127.0.0.1:8090" help:"host:port to serve at; port 0 takes a free one."`
	APIKey     string        `env:"SANDBOX_API_KEY" placeholder:"KEY" help:"Demand this platform key. Without it none is demanded."`
	Seed       string        `placeholder:"FILE" help:"Services, machines, chains and switches, as JSON. Without it, one service for each rail."`
	Data       string        `default:"memory" placeholder:"DIR" help:"Directory that keeps the state, or memory."`
	SessionTTL time.Duration `default:"24h" help:"Life of a pairing token."`
	QuoteTTL   time.Duration `default:"5m" help:"Life of a quote."`

	WebhookURL    string `placeholder:"URL" help:"Send orders' webhooks to it."`
	WebhookSecret string `env:"SANDBOX_WEBHOOK_SECRET" placeholder:"whsec_…" help:"Sign them with it."`
	PrintSeed     bool   `help:"Print the seed that is used without --seed, and end."`
	Verbose       bool   `short:"v" help:"Log each request."`
}

//go:embed sandbox.seed.json
var sandboxSeed []byte

// sandboxStop is how long calls may take to end once the program is told to stop.
const sandboxStop = 5 * time.Second

// Run serves until it is interrupted. The first line on standard output is the base URL.
func (c *sandboxCmd) Run(ctx context.Context, std *streams) (err error) {
	if c.PrintSeed {
		_, err := std.Out.Write(sandboxSeed)
		return err
	}
	market, err := c.open(std)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, market.Close()) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Addr)
	if err != nil {
		return fmt.Errorf("listen at %s: %w; choose another address with --addr", c.Addr, err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", market)
	mux.Handle("/_sandbox/", http.StripPrefix("/_sandbox", market.Control()))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	delivering, stopDelivering := context.WithCancel(ctx)
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		market.Deliver(delivering)
	}()
	defer func() {
		stopDelivering()
		<-delivered
	}()
	fmt.Fprintf(std.Out, "http://%s\n", listener.Addr())
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sandboxStop)
	defer cancel()
	if err := server.Shutdown(stopCtx); err != nil {
		return errors.Join(fmt.Errorf("stop serving: %w", err), server.Close())
	}
	return nil
}

// open makes the server from the seed, in memory or in the data directory.
func (c *sandboxCmd) open(std *streams) (*orchestrationtest.Server, error) {
	seed, name := sandboxSeed, "the built-in seed"
	if c.Seed != "" {
		var err error
		if seed, err = os.ReadFile(c.Seed); err != nil {
			return nil, fmt.Errorf("read the seed: %w", err)
		}
		name = c.Seed
	}
	var cfg orchestrationtest.Config
	decoder := json.NewDecoder(bytes.NewReader(seed))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&cfg); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if (c.WebhookURL == "") != (c.WebhookSecret == "") {
		return nil, errors.New("--webhook-url and --webhook-secret go together")
	}
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelDebug
	}
	cfg.APIKey, cfg.SessionTTL, cfg.QuoteTTL = c.APIKey, c.SessionTTL, c.QuoteTTL
	cfg.Webhook = orchestrationtest.Webhook{URL: c.WebhookURL, Secret: c.WebhookSecret}
	cfg.Logger = slog.New(slog.NewJSONHandler(std.Err, &slog.HandlerOptions{Level: level}))
	if c.Data == "memory" {
		return orchestrationtest.New(cfg), nil
	}
	return orchestrationtest.Open(cfg, c.Data)
}
