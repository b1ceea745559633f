package devnet

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	embeddedpostgres "github.com/fergusstrange/embedded-postgres"
	"github.com/jackc/pgx/v5"
)

// The server's version; its major version decides whether data can be read.
const (
	serverVersion = embeddedpostgres.V18
	serverMajor   = "18"
	serverUserPG  = "settler" // its superuser
)

// Names in the server's directory. "new" holds what is being made: what is there under its own name is complete.
const (
	dataName     = "data"
	programName  = "program-" + string(serverVersion)
	passwordName = "password"
	logName      = "postgres.log" // of the last start
	newName      = "new"
)

// childVariable is the environment variable that makes a process the child. It holds a childSpec as JSON.
const childVariable = "SETTLER_POSTGRES_CHILD"

// childSpec is what the child is to do.
type childSpec struct {
	Dir     string `json:"dir"`
	Durable bool   `json:"durable"`
}

// First words of the lines that the child says on its standard output.
const (
	sayPhase = "phase" // what begins, in words
	sayReady = "ready" // the server's URL
	sayError = "error" // why there is no server, a JSON string; the last line
)

// What the child grants the server for its start, which may have to repair itself first, and for its stop.
const (
	readyTimeout = 2 * time.Minute
	fastTimeout  = 30 * time.Second
	quitTimeout  = 10 * time.Second
)

// MaybePostgresChild makes this process the child that owns a PostgreSQL server when StartPostgres has started it for that,
// and then never returns. In every other process it does nothing. It is the first line of main: PostgreSQL refuses to run
// as root, and this program is the only one that is sure to be there to be run as somebody else.
func MaybePostgresChild() {
	text := os.Getenv(childVariable)
	if text == "" {
		return
	}
	// The server is told of the death of the thread that started it: that is this one, which lives as long as the process.
	runtime.LockOSThread()
	if err := os.Unsetenv(childVariable); err != nil { // impossible: the name is good
		os.Exit(1)
	}
	var spec childSpec
	err := json.Unmarshal([]byte(text), &spec)
	if err == nil {
		err = runChild(spec)
	}
	if err != nil {
		problem, _ := json.Marshal(err.Error()) // a string always encodes
		fmt.Println(sayError, string(problem))
		os.Exit(1)
	}
	os.Exit(0)
}

// child is the process that owns a server.
type child struct {
	spec    childSpec
	stopped chan struct{} // closed when the server is no longer wanted
}

func runChild(spec childSpec) error {
	c := &child{spec: spec, stopped: make(chan struct{})}
	stop := sync.OnceFunc(func() { close(c.stopped) })
	// Who started us may die while we speak to it.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, syscall.SIGINT)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		stop()
	}()
	go func() {
		// Nothing is ever written to it: it ends when who started us stops us or dies.
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	lock := os.NewFile(3, "lock")
	if err := c.prepare(); err != nil {
		return err
	}
	return c.serve(lock)
}

func (c *child) path(name ...string) string {
	return filepath.Join(append([]string{c.spec.Dir}, name...)...)
}

func (c *child) exists(name ...string) bool {
	_, err := os.Stat(c.path(name...))
	return err == nil
}

// prepare downloads the server's program and makes an empty database cluster, each unless it is there. Both are made aside
// and renamed: a death in between leaves nothing that looks complete.
//
// embedded-postgres starts the server for a moment to do so. A death of ours alone, by SIGKILL in that moment, leaves it
// running; it ends within a minute after its files are gone, which the next start sees to.
func (c *child) prepare() error {
	// One of an earlier death. It may be a server's: see above.
	if err := os.RemoveAll(c.path(newName)); err != nil {
		return fmt.Errorf("remove what an earlier start left: %w", err)
	}
	haveProgram, haveData := c.exists(programName), c.exists(dataName)
	if haveProgram && haveData {
		return nil
	}
	program := c.path(programName)
	if haveProgram {
		fmt.Println(sayPhase, "preparing a database for PostgreSQL "+string(serverVersion))
	} else {
		program = c.path(newName, programName)
		fmt.Println(sayPhase, "downloading PostgreSQL "+string(serverVersion)+" (15 MB, once)")
	}
	logs, err := os.Create(c.path(logName))
	if err != nil {
		return fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	defer func() { _ = logs.Close() }() // the server has a copy
	password := rand.Text()
	prepared := make(chan struct{})
	defer close(prepared)
	go func() {
		// A download cannot be interrupted otherwise. Once there is a cluster, there may be processes: they are waited for.
		select {
		case <-prepared:
		case <-c.stopped:
			if !c.exists(newName, dataName) {
				os.Exit(1)
			}
		}
	}()
	var server *embeddedpostgres.EmbeddedPostgres
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		server = embeddedpostgres.NewDatabase(embeddedpostgres.DefaultConfig().
			Version(serverVersion).Port(port).Database("postgres").Username(serverUserPG).Password(password).
			CachePath(c.path(newName, "cache")).RuntimePath(c.path(newName, "run")).
			BinariesPath(program).DataPath(c.path(newName, dataName)).
			Encoding("UTF8").Locale("C").StartTimeout(readyTimeout).Logger(logs).
			StartParameters(map[string]string{"unix_socket_directories": "", "listen_addresses": "127.0.0.1"}))
		err = server.Start()
		if err == nil {
			break
		}
		if attempt == 3 || !portTaken(err) {
			return fmt.Errorf("prepare PostgreSQL %s: %w", serverVersion, err)
		}
	}
	if err := server.Stop(); err != nil {
		return fmt.Errorf("stop PostgreSQL after its first start: %w", err)
	}
	if !haveProgram {
		if err := os.Rename(program, c.path(programName)); err != nil {
			return fmt.Errorf("keep PostgreSQL's program: %w", err)
		}
	}
	if !haveData {
		if err := os.WriteFile(c.path(passwordName), []byte(password), 0o600); err != nil {
			return fmt.Errorf("keep PostgreSQL's password: %w", err)
		}
		if err := os.Rename(c.path(newName, dataName), c.path(dataName)); err != nil {
			return fmt.Errorf("keep PostgreSQL's data: %w", err)
		}
	}
	if err := os.RemoveAll(c.path(newName)); err != nil {
		return fmt.Errorf("tidy PostgreSQL's directory: %w", err)
	}
	return nil
}

// serve runs the server until it is no longer wanted.
func (c *child) serve(lock *os.File) error {
	if c.isStopped() {
		return nil
	}
	password, err := os.ReadFile(c.path(passwordName))
	if err != nil {
		return fmt.Errorf("read PostgreSQL's password: %w", err)
	}
	// The lock is ours, so no server is left that this file could speak of. Its number may be another process's by now.
	if err := os.Remove(c.path(dataName, "postmaster.pid")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the file of an earlier server: %w", err)
	}
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		address := url.URL{
			Scheme: "postgres", User: url.UserPassword(serverUserPG, string(password)),
			Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/postgres", RawQuery: "sslmode=disable",
		}
		err = c.serveOn(lock, port, address.String())
		if attempt == 3 || err == nil || !portTaken(err) {
			return err
		}
	}
}

// portTaken reports whether somebody has taken the port before the server did; embedded-postgres may see that first.
func portTaken(err error) bool {
	return strings.Contains(err.Error(), "Address already in use") || strings.Contains(err.Error(), "already listening on port")
}

func (c *child) serveOn(lock *os.File, port uint32, address string) error {
	logs, err := os.Create(c.path(logName))
	if err != nil {
		return fmt.Errorf("open PostgreSQL's log: %w", err)
	}
	defer func() { _ = logs.Close() }() // the server has a copy
	settings := []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=300", fmt.Sprintf("port=%d", port),
	}
	if !c.spec.Durable {
		settings = append(settings, "fsync=off", "full_page_writes=off", "synchronous_commit=off")
	}
	args := []string{"-D", c.path(dataName)}
	for _, s := range settings {
		args = append(args, "-c", s)
	}
	server := exec.Command(c.path(programName, "bin", "postgres"), args...) //nolint:noctx // it is stopped by signals, below
	server.Stdout, server.Stderr = logs, logs
	server.ExtraFiles = []*os.File{lock}
	server.SysProcAttr = serverAttributes()
	if err := server.Start(); err != nil {
		return fmt.Errorf("run PostgreSQL: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = server.Wait() // its log says why
		close(ended)
	}()
	ready := make(chan error, 1)
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	go func() { ready <- waitReady(ctx, address) }()
	for {
		select {
		case <-ended:
			return fmt.Errorf("PostgreSQL ended by itself: %s", c.lastLog())
		case <-c.stopped:
			stopServer(server, ended)
			return nil
		case err := <-ready:
			if err != nil {
				stopServer(server, ended)
				return fmt.Errorf("PostgreSQL is not ready after %s: %w: %s", readyTimeout, err, c.lastLog())
			}
			ready = nil
			fmt.Println(sayReady, address)
		}
	}
}

func (c *child) isStopped() bool {
	select {
	case <-c.stopped:
		return true
	default:
		return false
	}
}

// lastLog is the end of the server's log.
func (c *child) lastLog() string {
	text, err := os.ReadFile(c.path(logName))
	if err != nil {
		return err.Error()
	}
	const enough = 2000
	return strings.TrimSpace(string(text[max(0, len(text)-enough):]))
}

// stopServer asks the server to disconnect everybody and stop, and insists when it does not.
func stopServer(server *exec.Cmd, ended <-chan struct{}) {
	for _, step := range []struct {
		signal  os.Signal
		timeout time.Duration
	}{
		{syscall.SIGINT, fastTimeout},  // fast shutdown
		{syscall.SIGQUIT, quitTimeout}, // immediate shutdown: it repairs itself at its next start
		{os.Kill, quitTimeout},
	} {
		_ = server.Process.Signal(step.signal) // it may have ended
		select {
		case <-ended:
			return
		case <-time.After(step.timeout):
		}
	}
}

// waitReady returns when the server answers.
func waitReady(ctx context.Context, address string) error {
	for {
		conn, err := pgx.Connect(ctx, address)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// freePort is a port of the loopback interface that nobody listens on now.
func freePort() (uint32, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return uint32(port), listener.Close()
}
