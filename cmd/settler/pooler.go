package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// errPooler means that a connection is not a session of Postgres.
var errPooler = errors.New("a pooler in transaction mode stands before Postgres: locks and notifications would be lost; " +
	"set database.direct_url to Postgres itself, or to a pooler in session mode")

// poolerPatience is how long a backend may be withheld before we take it for taken by our own other connection.
const poolerPatience = 5 * time.Second

// checkSessions returns errPooler when connections to url share the backends of Postgres, as behind a pooler in
// transaction (or statement) mode.
//
// Such a pooler lends a backend for one transaction and lends the one that came back last first. So with two connections
// open, the second one's transaction is likely served by the backend that has just served the first; and while that
// transaction is open, the first connection is served by another backend than before, or waits for one. Postgres itself,
// and a pooler in session mode, give each connection one backend for its life: the first connection always sees the same
// process id, and the second never that one. Traffic of others can hide one sign, hence several rounds. Statements are sent
// unprepared and nothing is set, so that nothing is left behind in a backend that others use.
func checkSessions(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	var conns [2]*pgx.Conn
	for i := range conns {
		conn, err := connectSimple(ctx, url)
		if err != nil {
			return fmt.Errorf("database does not answer: %w", err)
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // only read from
		conns[i] = conn
	}
	for range 3 {
		if err := compareBackends(ctx, conns[0], conns[1]); err != nil {
			return err
		}
	}
	return nil
}

func compareBackends(ctx context.Context, first, second *pgx.Conn) error {
	before, err := backendOf(ctx, first)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, second, func(tx pgx.Tx) error {
		other, err := backendOf(ctx, tx)
		if err != nil {
			return err
		}
		if other == before {
			return errPooler
		}
		short, cancel := context.WithTimeout(ctx, poolerPatience)
		defer cancel()
		after, err := backendOf(short, first)
		if err != nil && short.Err() != nil && ctx.Err() == nil || err == nil && after != before {
			return errPooler
		}
		return err
	})
}

func connectSimple(ctx context.Context, url string) (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, errors.New("not a Postgres connection string") // err quotes parts of it
	}
	cfg.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	return pgx.ConnectConfig(ctx, cfg)
}

func backendOf(ctx context.Context, db interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
},
) (pid int32, err error) {
	if err := db.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid); err != nil {
		return 0, fmt.Errorf("ask for the backend's process id: %w", err)
	}
	return pid, nil
}
