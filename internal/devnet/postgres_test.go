//go:build unix

package devnet_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/internal/devnet"
)

// holderVariable makes this program start a server in the directory that it names and hold it until its input ends.
const holderVariable = "DEVNET_TEST_HOLDER"

func TestMain(m *testing.M) {
	devnet.MaybePostgresChild()
	if dir := os.Getenv(holderVariable); dir != "" {
		hold(dir)
		return
	}
	os.Exit(m.Run())
}

func hold(dir string) {
	server, err := devnet.StartPostgres(context.Background(), devnet.PostgresConfig{Dir: dir})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(server.URL())
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
}

// seed is a directory with the server's program, which stays on the machine: it is downloaded once.
var seed = sync.OnceValues(func() (string, error) {
	base, err := devnet.DefaultDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "devnet-test")
	server, err := devnet.StartPostgres(context.Background(), devnet.PostgresConfig{Dir: dir, Progress: func(line string) { fmt.Println(line) }})
	if err != nil {
		return "", err
	}
	return dir, server.Stop()
})

// serverDir is a fresh directory that the server's user can reach. It has the program and no data.
func serverDir(t *testing.T) string {
	t.Helper()
	from, err := seed()
	if err != nil {
		t.Fatal(err)
	}
	parent, err := os.MkdirTemp("", "devnet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(parent) })
	if err := os.Chmod(parent, 0o711); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(parent, "postgres")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// The seed's directory is its server's user's, and so will this one be.
	info, err := os.Stat(from)
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t); os.Geteuid() == 0 {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	programs, err := filepath.Glob(filepath.Join(from, "program-*"))
	if err != nil || len(programs) != 1 {
		t.Fatalf("programs of the seed: %v, %v", programs, err)
	}
	if err := os.Symlink(programs[0], filepath.Join(dir, filepath.Base(programs[0]))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // the test is over
	var text string
	if err := conn.QueryRow(t.Context(), sql).Scan(&text); err != nil && !errors.Is(err, pgx.ErrNoRows) {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

func TestPostgresKeepsItsDataAndItsSettings(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	for round, durable := range []bool{false, true} {
		server, err := devnet.StartPostgres(t.Context(), devnet.PostgresConfig{Dir: dir, Durable: durable})
		if err != nil {
			t.Fatal(err)
		}
		url, err := server.NewDatabase(t.Context(), "settler")
		if err != nil {
			t.Fatal(err)
		}
		if got := query(t, url, "select current_database()"); got != "settler" {
			t.Errorf("round %d: database is %s", round, got)
		}
		if round == 0 {
			query(t, url, "create table kept as select 'kept' as word")
		} else if got := query(t, url, "select word from kept"); got != "kept" {
			t.Errorf("kept row is %s", got)
		}
		want := map[bool]string{false: "off", true: "on"}[durable]
		for _, name := range []string{"fsync", "full_page_writes", "synchronous_commit"} {
			if got := query(t, url, "show "+name); got != want {
				t.Errorf("durable %t: %s is %s", durable, name, got)
			}
		}
		if got := query(t, url, "show max_connections"); got != "300" {
			t.Errorf("max_connections is %s", got)
		}
		for range 2 {
			if err := server.Stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
		waitNoProcess(t, dir)
	}
}

func TestPostgresRefusesDirectories(t *testing.T) {
	t.Parallel()
	t.Run("that a living process uses", func(t *testing.T) {
		t.Parallel()
		dir := serverDir(t)
		server, err := devnet.StartPostgres(t.Context(), devnet.PostgresConfig{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer server.Stop() //nolint:errcheck // the test is over
		_, err = devnet.StartPostgres(t.Context(), devnet.PostgresConfig{Dir: dir})
		if !errors.Is(err, devnet.ErrDirInUse) || !strings.Contains(err.Error(), fmt.Sprintf("process %d uses", os.Getpid())) {
			t.Errorf("second start: %v", err)
		}
		query(t, server.URL(), "select 'the first still works'")
	})
	t.Run("that a living process uses, but not for long", func(t *testing.T) {
		t.Parallel()
		dir := serverDir(t)
		first, err := devnet.StartPostgres(t.Context(), devnet.PostgresConfig{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer first.Stop() //nolint:errcheck // it was stopped before, if all went well
		var told []string
		second, err := devnet.StartPostgres(t.Context(), devnet.PostgresConfig{Dir: dir, Progress: func(line string) {
			if told = append(told, line); len(told) == 1 {
				go first.Stop() //nolint:errcheck // the second start tells
			}
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer second.Stop() //nolint:errcheck // the test is over
		query(t, second.URL(), "select 'the second works'")
		if want := fmt.Sprintf("process %d uses %s; waiting up to 10s for it to stop …", os.Getpid(), dir); told[0] != want {
			t.Errorf("told %q, want %q first", told, want)
		}
	})
	t.Run("with data of another major version", func(t *testing.T) {
		t.Parallel()
		dir := serverDir(t)
		precious := filepath.Join(dir, "data", "precious")
		if err := os.Mkdir(filepath.Dir(precious), 0o700); err != nil {
			t.Fatal(err)
		}
		for path, text := range map[string]string{filepath.Join(dir, "data", "PG_VERSION"): "17\n", precious: "money"} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := devnet.StartPostgres(t.Context(), devnet.PostgresConfig{Dir: dir})
		if err == nil || !strings.Contains(err.Error(), "written by PostgreSQL 17") {
			t.Errorf("start: %v", err)
		}
		if text, err := os.ReadFile(precious); err != nil || string(text) != "money" {
			t.Errorf("the data was touched: %q, %v", text, err)
		}
	})
	t.Run("that the server's user cannot enter", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("only root runs the server as somebody else")
		}
		locked := t.TempDir()
		if err := os.Chmod(locked, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err := devnet.StartPostgres(t.Context(), devnet.PostgresConfig{Dir: filepath.Join(locked, "postgres")})
		if err == nil || !strings.Contains(err.Error(), "cannot enter") {
			t.Errorf("start: %v", err)
		}
	})
}

func TestPostgresStartEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := devnet.StartPostgres(ctx, devnet.PostgresConfig{Dir: dir}); err == nil {
		t.Error("a server started in 300 ms")
	}
	waitNoProcess(t, dir)
}

// TestPostgresOutlivesNobody kills the holder at every stage of the first start, while it serves, and the child as well; each
// time every process has gone and the next start works.
func TestPostgresOutlivesNobody(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	for _, after := range []time.Duration{0, 50, 100, 200, 400, 700, 1000, 1400, 1800} {
		holder, _ := startHolder(t, dir)
		time.Sleep(after * time.Millisecond) // the moment of the kill is what is tested
		kill(t, holder.Process.Pid)
		_ = holder.Wait()
		waitNoProcess(t, dir)
	}
	for _, what := range []string{"holder", "child", "both", "server"} {
		holder, url := startHolder(t, dir)
		address := <-url
		if !strings.HasPrefix(address, "postgres://") {
			t.Fatalf("start before killing %s: %s", what, address)
		}
		query(t, address, "select 'works'")
		server := serverPID(t, dir)
		child := parentOf(t, server)
		switch what {
		case "holder":
			kill(t, holder.Process.Pid)
		case "child":
			kill(t, child)
		case "both":
			kill(t, holder.Process.Pid)
			kill(t, child)
		case "server":
			kill(t, server)
		}
		if what == "child" || what == "server" {
			waitNoProcess(t, dir, holder.Process.Pid)
			kill(t, holder.Process.Pid)
		}
		_ = holder.Wait()
		if what == "both" {
			continue // the next start waits for the end by itself
		}
		waitNoProcess(t, dir)
	}
	holder, url := startHolder(t, dir)
	if address := <-url; !strings.HasPrefix(address, "postgres://") {
		t.Errorf("start after all: %s", address)
	}
	kill(t, holder.Process.Pid)
	_ = holder.Wait()
	waitNoProcess(t, dir)
}

// startHolder runs this program with a server. url gives the server's URL, or why there is none, and "" when it was killed.
func startHolder(t *testing.T, dir string) (holder *exec.Cmd, url <-chan string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	holder = exec.Command(program)
	holder.Env = append(os.Environ(), holderVariable+"="+dir)
	if _, err := holder.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 1)
	go func() {
		scanner := bufio.NewScanner(out)
		scanner.Scan()
		lines <- scanner.Text()
	}()
	return holder, lines
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("kill %d: %v", pid, err)
	}
}

func serverPID(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
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

func parentOf(t *testing.T, pid int) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ps", "-o", "ppid=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	parent, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return parent
}

// waitNoProcess waits until no process works in the directory, except the given ones.
func waitNoProcess(t *testing.T, dir string, except ...int) {
	t.Helper()
	if _, err := os.Stat("/proc/self/cwd"); err != nil {
		t.Skip("needs /proc to see processes")
	}
	var found []string
	// A server that does not stop when it is asked to, as in the first moments of its start, is told again after half a minute.
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if found = processesIn(dir, except); len(found) == 0 {
			return
		}
	}
	t.Fatalf("processes are left: %v", found)
}

func processesIn(dir string, except []int) (found []string) {
	processes, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range processes {
		pid, _ := strconv.Atoi(filepath.Base(p))
		skip := pid == os.Getpid()
		for _, e := range except {
			skip = skip || pid == e
		}
		if skip {
			continue
		}
		cwd, _ := os.Readlink(filepath.Join(p, "cwd"))
		arguments, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		if strings.HasPrefix(cwd, dir) || strings.Contains(string(arguments), dir) {
			found = append(found, fmt.Sprintf("%d %s", pid, strings.ReplaceAll(string(arguments), "\x00", " ")))
		}
	}
	return found
}
