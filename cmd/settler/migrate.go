package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/migrations"
)

// connectPatience is how long a database may take to answer before we say that it does not.
const connectPatience = 10 * time.Second

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply what is missing; safe to repeat, and safe when two start at once."`
	Status migrateStatusCmd `cmd:"" help:"List every migration; exit 1 when one is missing."`
}

type migrateUpCmd struct {
	configFlag
}

// Run applies the schema over the direct connection: the lock that makes concurrent callers wait needs a session.
func (cmd *migrateUpCmd) Run(ctx context.Context, std *streams) error {
	pool, err := cmd.openDirect(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	applied, err := migrations.Up(ctx, pool)
	for _, name := range applied {
		if _, err := fmt.Fprintf(std.Out, "applied %s\n", name); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.Out, "the schema is current")
	return err
}

type migrateStatusCmd struct {
	configFlag
}

// Run lists the migrations and tells by its exit code whether one is missing.
func (cmd *migrateStatusCmd) Run(ctx context.Context, std *streams) error {
	pool, err := cmd.openDirect(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	steps, err := migrations.Status(ctx, pool)
	if err != nil {
		return err
	}
	behind := false
	for _, step := range steps {
		state := "applied"
		if !step.Applied {
			state, behind = "missing", true
		}
		if _, err := fmt.Fprintf(std.Out, "%s %s\n", state, step.Name); err != nil {
			return err
		}
	}
	if behind {
		return migrations.ErrBehind
	}
	return nil
}

// openDirect reads the configuration and connects to Postgres itself, for commands that do one thing and end.
func (f configFlag) openDirect(ctx context.Context) (*pgxpool.Pool, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, err
	}
	if err := checkSessions(ctx, cfg.directURL()); err != nil {
		return nil, err
	}
	return openPool(ctx, cfg.directURL(), 4)
}

// openPool makes a pool whose database has answered once. The error holds no password.
func openPool(ctx context.Context, url string, connections int32) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("database: not a Postgres connection string") // err quotes parts of it
	}
	cfg.MaxConns = connections
	// Statements are planned each time: a plan that was made while the tables were small would be kept for good.
	cfg.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	pingCtx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	if err := pool.Ping(pingCtx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("database does not answer: %w", err)
	}
	return pool, nil
}
