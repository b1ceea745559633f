package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/dashboard"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/migrations"
)

const (
	// stopTimeout bounds a stop: requests may end, then jobs; what a job did is read back by whoever takes it over.
	stopTimeout = 20 * time.Second
	// httpStopTimeout of it is for requests.
	httpStopTimeout = 10 * time.Second
)

type serveCmd struct {
	configFlag
}

// Run serves until ctx ends or a part of the service fails.
func (cmd *serveCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	logger, err := newLogger(cfg.Log, std.Err)
	if err != nil {
		return err
	}
	s, err := startService(ctx, cfg, logger)
	switch {
	case ctx.Err() != nil && err != nil: // interrupted while it started, which broke off whatever err says
		return nil
	case err != nil:
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Wait() }()
	var failure error
	select {
	case <-ctx.Done():
		logger.Info("stopping; a second signal ends at once")
	case failure = <-ended:
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(failure, s.Stop(stopCtx))
}

func newLogger(cfg LogConfig, out io.Writer) (*slog.Logger, error) {
	level, err := cfg.level()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" {
		return slog.New(slog.NewTextHandler(out, options)), nil
	}
	return slog.New(slog.NewJSONHandler(out, options)), nil
}

// service is settler at work in this process.
type service struct {
	url     string
	logger  *slog.Logger
	pool    *pgxpool.Pool
	runner  *jobs.Runner
	escrow  func() // closes what moves money, after jobs
	server  *http.Server
	metrics *http.Server
	endJobs context.CancelFunc
	jobs    chan struct{} // closed when the Runner has returned

	stop    sync.Once
	stopErr error         // result of the one Stop; read after stop
	failed  chan error    // first failure of a part
	stopped chan struct{} // closed when Stop is done
}

// startService checks what the configuration says against the world, and starts. It refuses to start on a database that is
// down, behind, or reached through a pooler in transaction mode; on an endpoint of another chain; on a token that is not
// what the configuration says; and on a chain of which no endpoint answers. ctx bounds the start only; Stop ends the service.
func startService(ctx context.Context, cfg *Config, logger *slog.Logger) (_ *service, err error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	var undo []func() // what to take back when the start does not succeed
	defer func() {
		if err != nil {
			for _, back := range undo {
				back()
			}
		}
	}()
	payTokenKey, err := cfg.payTokenKey()
	if err != nil {
		return nil, err
	}
	agent, err := cfg.Agent.signer()
	if err != nil {
		return nil, err
	}
	if err := checkSessions(ctx, cfg.directURL()); err != nil {
		return nil, err
	}
	pool, err := openPool(ctx, string(cfg.Database.URL), cfg.Database.MaxConnections)
	if err != nil {
		return nil, err
	}
	undo = append(undo, pool.Close)
	if err := migrations.Check(ctx, pool); err != nil {
		return nil, err
	}
	chains, err := newChains(ctx, cfg, logger)
	if err != nil {
		return nil, err
	}
	closeEscrow, err := addEscrow(ctx, cfg, chains, pool)
	if err != nil {
		return nil, err
	}
	undo = append(undo, closeEscrow)
	conditions, err := newConditions(cfg, chains, pool, logger)
	if err != nil {
		return nil, err
	}
	marketplaces, err := newMarketplaces(cfg, agent, pool)
	if err != nil {
		return nil, err
	}
	highWater, err := cfg.Database.highWater()
	if err != nil {
		return nil, err
	}
	runner, err := jobs.New(jobs.Config{
		Pool: pool, DirectURL: cfg.directURL(), Marketplaces: marketplaces, Chains: chains, PayTokenKey: payTokenKey, Logger: logger,
		ApprovalExpiry: cfg.Admin.ApprovalExpiry, HighWater: highWater,
	})
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, err // names what it did and the address
	}
	undo = append(undo, func() { _ = listener.Close() }) // nothing was accepted
	var scrapes net.Listener
	if cfg.MetricsListen != "" {
		if scrapes, err = (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.MetricsListen); err != nil {
			return nil, fmt.Errorf("metrics_listen: %w", err)
		}
		undo = append(undo, func() { _ = scrapes.Close() })
	}
	url := "http://" + listener.Addr().String()
	jobPages, err := newJobPages(pool, logger)
	if err != nil {
		return nil, err
	}
	identity, development := cfg.Admin.identity(), cfg.Mode == modeDevelopment
	handler, err := api.New(api.Config{
		EvidenceMaxBytes: cfg.Admin.EvidenceMaxBytes,
		Runner:           runner, Pool: pool, Marketplaces: webhookSecrets(cfg), PublicURL: publicURL(cfg, url),
		TrustedProxies: cfg.TrustedProxies, Logger: logger, Version: readBuild().Version,
		Identity: identity, Development: development,
		Pages: func(api http.Handler) (http.Handler, error) {
			return dashboard.New(dashboard.Config{
				API: api, Pool: pool, PublicURL: publicURL(cfg, url), Identity: identity, ClientSecret: string(cfg.Admin.ClientSecret),
				Keys: development, SessionLifetime: cfg.Admin.SessionLifetime, Jobs: jobPages, Logger: logger,
			})
		},
	})
	if err != nil {
		return nil, err
	}

	s := &service{
		url: url, logger: logger, pool: pool, runner: runner, escrow: closeEscrow, jobs: make(chan struct{}), failed: make(chan error, 3), stopped: make(chan struct{}),
		server: newHTTPServer(handler, logger), metrics: newHTTPServer(newMetrics(runner, chains, conditions, logger), logger),
	}
	var work context.Context
	work, s.endJobs = context.WithCancel(context.WithoutCancel(ctx))
	if err := jobPages.Start(work); err != nil {
		s.endJobs()
		return nil, fmt.Errorf("start the pages of jobs: %w", err)
	}
	go func() {
		defer close(s.jobs)
		if err := runner.Run(work); err != nil {
			s.failed <- fmt.Errorf("jobs: %w", err)
		}
	}()
	go conditions.run(work)
	go newAlarmLog(logger).run(work, chains, conditions)
	serve := func(name string, server *http.Server, listener net.Listener) {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("%s: %w", name, err)
		}
	}
	go serve("HTTP server", s.server, listener)
	if scrapes != nil {
		go serve("metrics", s.metrics, scrapes)
		logger.Info("metrics", "url", "http://"+scrapes.Addr().String()+"/metrics")
	}
	logger.Info("serving", "url", url, "agent", agent.Address(), "version", readBuild().Version)
	return s, nil
}

func newHTTPServer(handler http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
}

// URL is where the HTTP server listens, with the port that it was given.
func (s *service) URL() string { return s.url }

// Wait blocks until a part of the service fails, and returns why, or until Stop is done, and returns nil.
func (s *service) Wait() error {
	select {
	case err := <-s.failed:
		return err
	case <-s.stopped:
		return nil
	}
}

// Stop ends the HTTP server, then the work, then the pool. ctx bounds it; what is then still at work is cut off.
func (s *service) Stop(ctx context.Context) error {
	s.stop.Do(func() {
		defer close(s.stopped)
		httpCtx, cancel := context.WithTimeout(ctx, httpStopTimeout)
		defer cancel()
		if err := s.server.Shutdown(httpCtx); err != nil {
			s.stopErr = errors.Join(fmt.Errorf("stop HTTP server: %w", err), s.server.Close())
		}
		s.endJobs()
		s.stopErr = errors.Join(s.stopErr, s.metrics.Close())
		select {
		case <-s.jobs:
			s.escrow()
			s.pool.Close()
			s.logger.Info("stopped")
		case <-ctx.Done(): // jobs still hold connections, so closing the pool would wait for them
			s.stopErr = errors.Join(s.stopErr, fmt.Errorf("stop jobs: %w", ctx.Err()))
		}
	})
	return s.stopErr
}
