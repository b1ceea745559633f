//go:build unix

package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/internal/devnet"
)

// The embedded server belongs to a process of its own session, which a test program becomes when it is run with
// serverVariable. Every test process holds a shared lock on the file "users" until it ends, by whatever means. The server's
// process tries to take that lock alone: when nobody has held it for idleTime, it does, stops the server and ends. A test
// process that begins in that moment waits for the lock, thus for the end, and starts the next server.
const (
	serverVariable = "SETTLER_PGTEST_SERVER" // the directory
	idleTime       = 15 * time.Second        // go test may take as long between two packages
	pollTime       = 500 * time.Millisecond
)

// Files in the server's directory.
const (
	usersName    = "users"    // locked by each user
	startingName = "starting" // locked by who starts the server or looks for it
	urlName      = "url"      // written when the server is ready, removed when it stops
	problemName  = "problem"  // why the last start did not succeed
)

// users keeps this process's lock: the file closes, and the lock ends, with the process.
var users *os.File

// joinServer returns the URL of the embedded server, which stays until this process has ended. It is started when there is
// none.
func joinServer(ctx context.Context) (string, error) {
	base, err := devnet.DefaultDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "pgtest")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a directory for the tests' server: %w", err)
	}
	starting, err := lockFile(ctx, filepath.Join(dir, startingName), syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer func() { _ = starting.Close() }() // gives the lock back
	if users == nil {
		if users, err = lockFile(ctx, filepath.Join(dir, usersName), syscall.LOCK_SH); err != nil {
			return "", err
		}
	}
	if address := runningServer(ctx, dir); address != "" {
		return address, nil
	}
	return startServer(ctx, dir)
}

// runningServer is the URL of the server; "" when none answers. A URL may be left of a server that was killed.
func runningServer(ctx context.Context, dir string) string {
	address, err := os.ReadFile(filepath.Join(dir, urlName))
	if err != nil {
		return ""
	}
	conn, err := pgx.Connect(ctx, string(address))
	if err != nil {
		return ""
	}
	_ = conn.Close(ctx) // nothing was written
	return string(address)
}

// startServer runs this program as the server's process and waits for its word.
func startServer(ctx context.Context, dir string) (string, error) {
	address, problem := filepath.Join(dir, urlName), filepath.Join(dir, problemName)
	for _, old := range []string{address, problem} {
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("remove what an earlier server left: %w", err)
		}
	}
	program, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.Command(program) //nolint:noctx // it outlives us
	cmd.Env = append(os.Environ(), serverVariable+"="+dir)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	// No standard output: go test would wait for its end.
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("run the tests' server: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		text, err := os.ReadFile(address)
		if err == nil {
			return string(text), nil
		}
		select {
		case err := <-ended:
			text, _ := os.ReadFile(problem)
			return "", fmt.Errorf("the tests' server ended: %w: %s", err, bytes.TrimSpace(text))
		case <-ctx.Done():
			return "", fmt.Errorf("wait for the tests' server, which goes on starting: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// maybeServer makes this process the server's when startServer has started it for that, and then never returns.
func maybeServer() {
	dir := os.Getenv(serverVariable)
	if dir == "" {
		return
	}
	_ = os.Unsetenv(serverVariable) // the name is good
	if err := runServer(context.Background(), dir); err != nil {
		_ = os.WriteFile(filepath.Join(dir, problemName), []byte(err.Error()), 0o600) // there is nobody else to tell
		os.Exit(1)
	}
	os.Exit(0)
}

func runServer(ctx context.Context, dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, usersName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the users' lock: %w", err)
	}
	server, err := startPostgres(ctx, filepath.Join(dir, "postgres"))
	if err != nil {
		return err
	}
	if err := dropLeftovers(ctx, server.URL()); err != nil {
		return errors.Join(err, server.Stop())
	}
	address := filepath.Join(dir, urlName)
	if err := errors.Join(os.WriteFile(address+".new", []byte(server.URL()), 0o600), os.Rename(address+".new", address)); err != nil {
		return errors.Join(fmt.Errorf("tell the server's URL: %w", err), server.Stop())
	}
	if err := waitUnused(file, server.Done()); err != nil {
		return errors.Join(err, server.Stop())
	}
	// We hold the users' lock, if we have it, until this process ends.
	return errors.Join(os.Remove(address), server.Stop())
}

// startPostgres waits for the process of a server that was killed, which notices that a moment later.
func startPostgres(ctx context.Context, dir string) (*devnet.Postgres, error) {
	for begin := time.Now(); ; time.Sleep(pollTime) {
		server, err := devnet.StartPostgres(ctx, devnet.PostgresConfig{Dir: dir})
		if !errors.Is(err, devnet.ErrDirInUse) || time.Since(begin) > idleTime {
			return server, err
		}
	}
}

// waitUnused returns with the lock when nobody has held it for idleTime, and without it when the server has ended by itself.
func waitUnused(file *os.File, ended <-chan struct{}) error {
	for idleSince := time.Now(); ; {
		select {
		case <-ended:
			return nil
		case <-time.After(pollTime):
		}
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EWOULDBLOCK):
			idleSince = time.Now()
		case err != nil:
			return fmt.Errorf("take the users' lock: %w", err)
		case time.Since(idleSince) > idleTime:
			return nil
		default:
			if err := syscall.Flock(int(file.Fd()), syscall.LOCK_UN); err != nil {
				return fmt.Errorf("give the users' lock back: %w", err)
			}
		}
	}
}

// dropLeftovers drops the databases of tests that were killed and templates of other schemas: nobody uses them before the
// server's URL is known.
func dropLeftovers(ctx context.Context, server string) error {
	keep, err := templateName()
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to the tests' server: %w", err)
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing is left to write
	rows, err := conn.Query(ctx, "select datname from pg_database")
	if err != nil {
		return fmt.Errorf("list databases: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("list databases: %w", err)
	}
	for _, name := range names {
		if name == keep || (!strings.HasPrefix(name, testPrefix) && !strings.HasPrefix(name, templatePrefix)) {
			continue
		}
		if _, err := conn.Exec(ctx, "drop database "+name+" with (force)"); err != nil {
			return fmt.Errorf("drop database %s of an earlier test: %w", name, err)
		}
	}
	return nil
}

// lockFile opens the file and waits for the lock. Closing the file gives the lock back.
func lockFile(ctx context.Context, path string, how int) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	for {
		err := syscall.Flock(int(file.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", path, errors.Join(err, file.Close()))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for lock %s: %w", path, errors.Join(ctx.Err(), file.Close()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
