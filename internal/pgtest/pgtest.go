//go:build unix

// Package pgtest gives each test a migrated PostgreSQL database of its own, and checks the books in it.
//
// The server is the one that SETTLER_TEST_DATABASE_URL names, whose user must be allowed to create databases; else an
// embedded one that all test processes of the machine share. Read next: server.go and books.go.
package pgtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/migrations"
)

// A test program is run again for the embedded server. A package's tests then need no TestMain of their own, which is worth
// this init: it does nothing unless an environment variable says so.
func init() {
	devnet.MaybePostgresChild()
	maybeServer()
}

// Names of databases. Those of a test are dropped at its end, or at the next start of the embedded server.
const (
	testPrefix     = "test_"
	templatePrefix = "template_"
)

// patience bounds each step: the first one may download the server.
const patience = 3 * time.Minute

// maxConns is how many connections a pool may have. The server takes 300 of all tests that run at the same time.
const maxConns = 10

// New returns a pool on a fresh database with the newest schema. Both end with the test. URL: pool.Config().ConnString().
func New(t testing.TB) *pgxpool.Pool {
	t.Helper()
	return open(t, NewURL(t))
}

// NewURL is New without a pool, for programs that connect by themselves.
func NewURL(t testing.TB) string {
	t.Helper()
	return clone(t, template)
}

// NewEmptyURL is the URL of a fresh database without any schema.
func NewEmptyURL(t testing.TB) string {
	t.Helper()
	return clone(t, func(context.Context, *pgx.Conn) (string, error) { return "template0", nil })
}

// Copy returns a pool on a copy of another one's database, as a backup brings it back. Whoever is connected to that one is cut
// off.
func Copy(t testing.TB, of *pgxpool.Pool) *pgxpool.Pool {
	t.Helper()
	name := of.Config().ConnConfig.Database
	return open(t, clone(t, func(ctx context.Context, admin *pgx.Conn) (string, error) {
		of.Reset()
		_, err := admin.Exec(ctx, "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = $1", name)
		return name, err
	}))
}

// clone makes a database like the one that from names.
func clone(t testing.TB, from func(context.Context, *pgx.Conn) (string, error)) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server, err := serverURL(ctx)
	if err != nil {
		t.Fatalf("find a PostgreSQL server for the test: %v", err)
	}
	admin, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatalf("connect to the tests' PostgreSQL server: %v", err)
	}
	defer admin.Close(ctx) //nolint:errcheck // nothing is left to write
	name := testPrefix + strings.ToLower(rand.Text())
	for {
		source, err := from(ctx, admin)
		if err != nil {
			t.Fatalf("prepare the tests' schema: %v", err)
		}
		// As fast as file_copy on an idle server, and it needs no checkpoint, which writes out what other tests have changed.
		_, err = admin.Exec(ctx, fmt.Sprintf("create database %s template %s strategy wal_log", name, source))
		if err == nil {
			break
		}
		if !inUse(err) {
			t.Fatalf("clone a database for the test: %v", err)
		}
	}
	t.Cleanup(func() { drop(t, server, name) })
	address, err := withDatabase(server, name)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func drop(t testing.TB, server, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	admin, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Errorf("connect to the tests' PostgreSQL server: %v", err)
		return
	}
	defer admin.Close(ctx) //nolint:errcheck // nothing is left to write
	for {
		_, err := admin.Exec(ctx, "drop database if exists "+name+" with (force)")
		if err == nil {
			return
		}
		if !inUse(err) {
			t.Errorf("drop the test's database: %v", err)
			return
		}
	}
}

// inUse reports whether a database had connections for longer than Postgres waits, 5 s: of processes that a busy machine has not
// ended yet, or new ones of somebody who was cut off.
func inUse(err error) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	const objectInUse = "55006" // PostgreSQL, appendix A
	return ok && pgErr.Code == objectInUse
}

func open(t testing.TB, address string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		t.Fatalf("open the test's database: %v", err)
	}
	config.MaxConns = maxConns
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		t.Fatalf("open the test's database: %v", err)
	}
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() {
			pool.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Errorf("%d connections were never released", pool.Stat().AcquiredConns())
		}
	})
	return pool
}

// serverURL finds the server, once in a process: a failure is the failure of all its tests.
func serverURL(ctx context.Context) (string, error) {
	if address := os.Getenv("SETTLER_TEST_DATABASE_URL"); address != "" {
		return address, nil
	}
	shared.once.Do(func() { shared.url, shared.err = joinServer(ctx) })
	return shared.url, shared.err
}

// shared is the embedded server's URL, or why there is none.
var shared struct {
	once sync.Once
	url  string
	err  error
}

// template returns the name of a migrated database to clone. It is named after the schema: another schema makes another.
func template(ctx context.Context, admin *pgx.Conn) (string, error) {
	name, err := templateName()
	if err != nil {
		return "", err
	}
	// Made under a lock and another name, so that nobody clones half a schema. The number is arbitrary and fixed.
	const templateLock = 7_235_102_004
	if _, err := admin.Exec(ctx, "select pg_advisory_lock($1)", templateLock); err != nil {
		return "", fmt.Errorf("lock templates: %w", err)
	}
	defer admin.Exec(ctx, "select pg_advisory_unlock($1)", templateLock) //nolint:errcheck // it ends with the connection
	var exists bool
	if err := admin.QueryRow(ctx, "select exists (select from pg_database where datname = $1)", name).Scan(&exists); err != nil {
		return "", fmt.Errorf("look for template: %w", err)
	}
	if exists {
		return name, nil
	}
	unfinished := name + "_new"
	for _, sql := range []string{"drop database if exists " + unfinished + " with (force)", "create database " + unfinished} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			return "", fmt.Errorf("make template: %w", err)
		}
	}
	address, err := withDatabase(admin.Config().ConnString(), unfinished)
	if err != nil {
		return "", err
	}
	pool, err := pgxpool.New(ctx, address)
	if err != nil {
		return "", fmt.Errorf("open template: %w", err)
	}
	_, err = migrations.Up(ctx, pool)
	pool.Close()
	if err != nil {
		return "", err
	}
	// The server ends a closed connection's process a moment later.
	if _, err := admin.Exec(ctx, "select pg_terminate_backend(pid, 10000) from pg_stat_activity where datname = $1", unfinished); err != nil {
		return "", fmt.Errorf("disconnect from template: %w", err)
	}
	if _, err := admin.Exec(ctx, "alter database "+unfinished+" rename to "+name); err != nil {
		return "", fmt.Errorf("finish template: %w", err)
	}
	return name, nil
}

// templateName depends on all of our migrations and on the names of River's, which are never changed once released.
func templateName() (string, error) {
	digest := sha256.New()
	files, err := fs.Glob(migrations.FS, "*")
	if err != nil {
		return "", fmt.Errorf("list migrations: %w", err)
	}
	for _, file := range files {
		content, err := fs.ReadFile(migrations.FS, file)
		if err != nil {
			return "", fmt.Errorf("read migration: %w", err)
		}
		fmt.Fprintf(digest, "%s %d %s", file, len(content), content)
	}
	river, err := rivermigrate.New(riverpgxv5.New(nil), nil)
	if err != nil {
		return "", fmt.Errorf("list River's migrations: %w", err)
	}
	for _, v := range river.AllVersions() {
		fmt.Fprintf(digest, "%d %s %d", v.Version, v.Name, len(v.SQLUp))
	}
	return templatePrefix + hex.EncodeToString(digest.Sum(nil)[:8]), nil
}

// withDatabase is the URL of another database on the same server.
func withDatabase(server, name string) (string, error) {
	address, err := url.Parse(server)
	if err != nil || address.Scheme == "" {
		return "", fmt.Errorf("SETTLER_TEST_DATABASE_URL must have the form postgres://user:password@host:port/name")
	}
	address.Path = "/" + name
	return address.String(), nil
}
