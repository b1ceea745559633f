// Package migrations holds the database schema and applies it: ours first, then River's in a schema of its own.
//
// Released files are never edited; old code must run on the new schema. Every migration can be repeated, and processes
// that start at the same time wait for each other.
package migrations

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// RiverSchema is the Postgres schema of River's tables.
const RiverSchema = "river"

// FS holds the goose files of the schema.
//
//go:embed *.sql
var FS embed.FS

// ErrBehind means that the database lacks migrations of this program.
var ErrBehind = errors.New("the database schema is behind this program; run `settler migrate up`")

// Migration is one step of the schema.
type Migration struct {
	Name    string
	Applied bool
}

// Up applies every migration that is missing and returns their names. A session-level advisory lock, held on a
// connection of its own, makes concurrent callers wait.
func Up(ctx context.Context, pool *pgxpool.Pool) (applied []string, err error) {
	provider, closeDB, err := newProvider(pool)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeDB()) }()

	results, err := provider.Up(ctx)
	if err != nil {
		return nil, fmt.Errorf("apply schema: %w", err)
	}
	for _, r := range results {
		applied = append(applied, r.Source.Path)
	}
	river, err := riverUp(ctx, pool)
	return append(applied, river...), err
}

// riverLock serialises River's migrations, which lock nothing themselves. The number is arbitrary and fixed.
const riverLock = 7_235_102_003

func riverUp(ctx context.Context, pool *pgxpool.Pool) (applied []string, err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("connect for River's schema: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "select pg_advisory_lock($1)", riverLock); err != nil {
		return nil, fmt.Errorf("lock River's schema: %w", err)
	}
	defer func() {
		// Released also when ctx is over; a connection that cannot be unlocked must not return to the pool.
		unlockCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, unlockErr := conn.Exec(unlockCtx, "select pg_advisory_unlock($1)", riverLock); unlockErr != nil {
			err = errors.Join(err, conn.Conn().Close(unlockCtx))
		}
	}()
	if _, err := conn.Exec(ctx, "create schema if not exists "+RiverSchema); err != nil {
		return nil, fmt.Errorf("create schema %s: %w", RiverSchema, err)
	}
	migrator, err := newRiverMigrator(pool)
	if err != nil {
		return nil, err
	}
	result, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return nil, fmt.Errorf("apply River's schema: %w", err)
	}
	for _, v := range result.Versions {
		applied = append(applied, fmt.Sprintf("river/%03d_%s", v.Version, v.Name))
	}
	return applied, nil
}

// Status lists every migration of this program, oldest first, ours before River's.
func Status(ctx context.Context, pool *pgxpool.Pool) (steps []Migration, err error) {
	provider, closeDB, err := newProvider(pool)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeDB()) }()

	statuses, err := provider.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("read schema version: %w", err)
	}
	for _, s := range statuses {
		steps = append(steps, Migration{Name: s.Source.Path, Applied: s.State == goose.StateApplied})
	}
	migrator, err := newRiverMigrator(pool)
	if err != nil {
		return nil, err
	}
	existing, err := migrator.ExistingVersions(ctx)
	if err != nil {
		existing = nil // River's schema does not exist yet: nothing of it is applied
	}
	done := make(map[int]bool, len(existing))
	for _, v := range existing {
		done[v.Version] = true
	}
	for _, v := range migrator.AllVersions() {
		steps = append(steps, Migration{Name: fmt.Sprintf("river/%03d_%s", v.Version, v.Name), Applied: done[v.Version]})
	}
	return steps, nil
}

// Check returns ErrBehind when a migration is missing.
func Check(ctx context.Context, pool *pgxpool.Pool) error {
	steps, err := Status(ctx, pool)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if !step.Applied {
			return fmt.Errorf("migration %s is missing: %w", step.Name, ErrBehind)
		}
	}
	return nil
}

func newProvider(pool *pgxpool.Pool) (provider *goose.Provider, closeDB func() error, err error) {
	// Whoever waits looks every second, for five minutes.
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
	if err != nil {
		return nil, nil, fmt.Errorf("prepare schema lock: %w", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	provider, err = goose.NewProvider(goose.DialectPostgres, db, FS, goose.WithSessionLocker(locker))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read embedded schema: %w", err), db.Close())
	}
	return provider, db.Close, nil
}

func newRiverMigrator(pool *pgxpool.Pool) (*rivermigrate.Migrator[pgx.Tx], error) {
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Schema: RiverSchema})
	if err != nil {
		return nil, fmt.Errorf("prepare River's schema: %w", err)
	}
	return migrator, nil
}
