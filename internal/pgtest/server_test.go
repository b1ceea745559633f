//go:build unix

package pgtest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/internal/devnet"
)

// userVariable makes TestAsUser a user of the server that another test is about.
const userVariable = "PGTEST_TEST_USER"

func TestAsUser(t *testing.T) {
	if os.Getenv(userVariable) == "" {
		t.Skip("only TestServerStaysForItsUsers runs it")
	}
	pool := New(t)
	if _, err := os.Stdout.WriteString("\n" + pool.Config().ConnString() + "\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = bufio.NewReader(os.Stdin).ReadByte() // until it is killed
}

func TestServerStaysForItsUsers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits until the server is idle")
	}
	if os.Getenv("SETTLER_TEST_DATABASE_URL") != "" {
		t.Skip("is about the embedded server")
	}
	dir := ownDir(t)
	first, second := asUser(t, dir), asUser(t, dir)
	a, b := <-first.url, <-second.url
	if !sameServer(t, a, b) {
		t.Fatalf("two servers: %s and %s", a, b)
	}
	first.kill(t)
	// What a killed test leaves is dropped at the next start; until then the server works on for the other one.
	time.Sleep(idleTime + 2*time.Second) // longer than the server waits for nobody
	connect(t, b)
	second.kill(t)
	third := asUser(t, dir) // comes before the server is idle for long
	c := <-third.url
	if !sameServer(t, b, c) {
		t.Errorf("another server for a user who came at once: %s and %s", b, c)
	}
	postmaster := postmasterPID(t, dir)
	third.kill(t)
	for deadline := time.Now().Add(idleTime + 2*time.Minute); syscall.Kill(postmaster, 0) == nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server stays without users")
		}
	}

	// The next server drops what they left, and a killed one is replaced.
	fourth := asUser(t, dir)
	d := <-fourth.url
	if names := testDatabases(t, d); len(names) != 1 || !strings.Contains(d, names[0]) {
		t.Errorf("databases %v, want only that of %s", names, d)
	}
	if err := syscall.Kill(postmasterPID(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	fourth.kill(t)
	fifth := asUser(t, dir)
	connect(t, <-fifth.url)
	fifth.kill(t)
}

// user is a process that runs TestAsUser.
type user struct {
	process *exec.Cmd
	url     <-chan string // of its database
}

func asUser(t *testing.T, dir string) user {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.Command(program, "-test.run=^TestAsUser$")
	process.Env = append(os.Environ(), userVariable+"=1", "SETTLER_DEV_DIR="+dir)
	process.Stderr = os.Stderr
	if _, err := process.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill() }) // it is dead already when all went well
	url := make(chan string, 1)
	go func() {
		defer close(url)
		var said []string
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			if strings.HasPrefix(scanner.Text(), "postgres://") {
				url <- scanner.Text()
				return
			}
			said = append(said, scanner.Text())
		}
		url <- strings.Join(said, "; ")
	}()
	return user{process: process, url: url}
}

func (u user) kill(t *testing.T) {
	t.Helper()
	if err := u.process.Process.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	_ = u.process.Wait() // it says that it was killed
}

// ownDir is a directory for another server, which need not download its program again.
func ownDir(t *testing.T) string {
	t.Helper()
	New(t) // the usual server's program is there now
	base, err := devnet.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob(filepath.Join(base, "pgtest", "postgres", "program-*"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("no program of the usual server: %v", err)
	}
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	server := filepath.Join(dir, "pgtest", "postgres")
	for _, err := range []error{
		os.Chmod(dir, 0o711), os.Mkdir(filepath.Dir(server), 0o711), os.Mkdir(server, 0o700), //nolint:gosec // the server's user must enter
		os.Symlink(programs[len(programs)-1], filepath.Join(server, filepath.Base(programs[len(programs)-1]))),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatalf("connect to %q: %v", url, err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}

func testDatabases(t *testing.T, url string) []string {
	t.Helper()
	rows, err := connect(t, url).Query(t.Context(), "select datname from pg_database where starts_with(datname, $1)", testPrefix)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// sameServer compares when the servers behind the URLs began.
func sameServer(t *testing.T, a, b string) bool {
	t.Helper()
	var began [2]time.Time
	for i, url := range []string{a, b} {
		if err := connect(t, url).QueryRow(t.Context(), "select pg_postmaster_start_time()").Scan(&began[i]); err != nil {
			t.Fatal(err)
		}
	}
	return began[0].Equal(began[1])
}

func postmasterPID(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "pgtest", "postgres", "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
