package devnet

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// PostgresConfig says which PostgreSQL server to start. The zero value works.
type PostgresConfig struct {
	// Dir holds the server's program and its data. They survive restarts. Defaults to "postgres" in DefaultDir.
	Dir string
	// Durable makes the server keep what it committed when the machine loses power. It costs a disk write per
	// transaction: tests do without.
	Durable bool
	// Progress is told what takes long, one line at a time, such as the first start's download. Optional. Called from
	// within StartPostgres only.
	Progress func(line string)
}

// Postgres is a running PostgreSQL server on a port of the loopback interface that was free.
//
// The server belongs to a child process, which is this program again (see MaybePostgresChild). The child lives in a session
// of its own, so that an interrupt from the terminal reaches only us and we decide when it stops. It stops the server when
// we ask for it and when we die, however: its standard input ends then.
type Postgres struct {
	url   *url.URL
	stdin io.Closer     // ends the child
	done  chan struct{} // closed when the child has ended
	lock  *os.File      // the child and the server hold it too
	stop  sync.Once
}

// ErrDirInUse means that another process has a server in the directory.
var ErrDirInUse = errors.New("the directory of PostgreSQL is in use")

const (
	// stopTimeout is how long Stop waits for the child. It exceeds what the child grants the server.
	stopTimeout = 50 * time.Second
	// leaveTimeout is how long a start waits for a living process to leave the directory: one that was just interrupted takes
	// some seconds to stop everything, PostgreSQL last.
	leaveTimeout = 10 * time.Second
)

// StartPostgres starts a server, or returns why it cannot: another process uses the directory (ErrDirInUse), it holds the data of another
// major version, or the program could not be downloaded. The main function must begin with MaybePostgresChild.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	if cfg.Dir == "" {
		dir, err := DefaultDir()
		if err != nil {
			return nil, err
		}
		cfg.Dir = filepath.Join(dir, "postgres")
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", cfg.Dir, err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, fmt.Errorf("make a directory for PostgreSQL (set SETTLER_DEV_DIR to choose another): %w", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make a directory for PostgreSQL (set SETTLER_DEV_DIR to choose another): %w", err)
	}
	account, err := serverAccount(dir)
	if err != nil {
		return nil, err
	}
	if err := checkDataVersion(dir); err != nil {
		return nil, err
	}
	lock, err := lockDir(ctx, dir, cfg.Progress)
	if err != nil {
		return nil, err
	}
	p := &Postgres{done: make(chan struct{}), lock: lock}
	if err := p.start(ctx, childSpec{Dir: dir, Durable: cfg.Durable}, account, cfg.Progress); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return p, nil
}

// start runs the child until it says that the server is ready.
func (p *Postgres) start(ctx context.Context, spec childSpec, account *serverUser, progress func(string)) error {
	cmd, output, err := p.command(spec, account)
	if err != nil {
		return err
	}
	lines := make(chan string)
	started := make(chan error)
	var complaints bytes.Buffer // the child's standard error; read after done
	cmd.Stderr = &complaints
	go func() {
		// The child is told of the death of the thread that started it, so this one stays until the child has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		for _, f := range []io.Closer{cmd.Stdin.(*os.File), cmd.Stdout.(*os.File)} {
			_ = f.Close() // the child has copies
		}
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended was said on its output
		}
		close(p.done)
	}()
	if err := <-started; err != nil {
		_ = p.stdin.Close()
		return fmt.Errorf("start PostgreSQL's process: %w", errors.Join(err, output.Close()))
	}
	go func() {
		defer close(lines)
		defer func() { _ = output.Close() }() // read to its end
		scanner := bufio.NewScanner(output)
		for scanner.Scan() {
			lines <- scanner.Text()
		}
	}()

	reminder := time.NewTicker(5 * time.Second)
	defer reminder.Stop()
	begin, phase, problem := time.Now(), "", ""
	for {
		select {
		case <-ctx.Done():
			go drain(lines)
			return fmt.Errorf("start PostgreSQL: %w", errors.Join(context.Cause(ctx), p.end()))
		case <-reminder.C:
			if phase != "" {
				say(progress, "%s … %d s so far", phase, int(time.Since(begin).Seconds()))
			}
		case line, open := <-lines:
			if !open {
				<-p.done
				_ = p.stdin.Close()
				if problem == "" {
					problem = "its process ended without a word: " + strings.TrimSpace(complaints.String())
				}
				return fmt.Errorf("start PostgreSQL in %s: %s", spec.Dir, problem)
			}
			kind, text, _ := strings.Cut(line, " ")
			switch kind {
			case sayPhase:
				phase, begin = text, time.Now()
				say(progress, "%s …", phase)
			case sayError:
				// One line of the protocol holds a text of several lines.
				if err := json.Unmarshal([]byte(text), &problem); err != nil {
					problem = text
				}
			case sayReady:
				go drain(lines)
				p.url, err = url.Parse(text)
				if err != nil { // impossible: we made it
					return errors.Join(errors.New("start PostgreSQL: its address is no URL"), p.end())
				}
				return nil
			}
		}
	}
}

func say(progress func(string), format string, args ...any) {
	if progress != nil {
		progress(fmt.Sprintf(format, args...))
	}
}

// command is the child, with pipes for its standard input and output. output is our end of the latter.
func (p *Postgres) command(spec childSpec, account *serverUser) (cmd *exec.Cmd, output *os.File, err error) {
	program, err := ownProgram()
	if err != nil {
		return nil, nil, err
	}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, nil, fmt.Errorf("tell PostgreSQL's process what to do: %w", err)
	}
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("open a pipe: %w", err)
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("open a pipe: %w", errors.Join(err, inRead.Close(), inWrite.Close()))
	}
	cmd = exec.Command(program) //nolint:noctx // it outlives the call; the pipe ends it
	cmd.Env = []string{childVariable + "=" + string(text), "HOME=" + spec.Dir}
	for _, v := range os.Environ() {
		// PG… would change what server and clients of the child do.
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "HOME=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Dir = spec.Dir
	cmd.Stdin, cmd.Stdout = inRead, outWrite
	cmd.ExtraFiles = []*os.File{p.lock}
	cmd.SysProcAttr = childAttributes(account)
	cmd.WaitDelay = 5 * time.Second
	p.stdin = inWrite
	return cmd, outRead, nil
}

// drain reads what the child still says, so that it never waits for us.
func drain(lines <-chan string) {
	for range lines { //nolint:revive // nothing is left to do with them
	}
}

// URL is the server's address with its superuser's name and password, for the database "postgres".
func (p *Postgres) URL() string { return p.url.String() }

// NewDatabase makes a database unless it exists, and returns its URL.
func (p *Postgres) NewDatabase(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		return "", fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was left to write
	_, err = conn.Exec(ctx, "create database "+pgx.Identifier{name}.Sanitize())
	const duplicateDatabase = "42P04" // PostgreSQL, appendix A
	if e, is := errors.AsType[*pgconn.PgError](err); err != nil && !(is && e.Code == duplicateDatabase) {
		return "", fmt.Errorf("create database %s: %w", name, err)
	}
	database := *p.url
	database.Path = "/" + name
	return database.String(), nil
}

// Done is closed when the server has ended, whether or not by Stop.
func (p *Postgres) Done() <-chan struct{} { return p.done }

// Stop ends the server and waits for that. Calling it again does nothing.
func (p *Postgres) Stop() (err error) {
	p.stop.Do(func() { err = errors.Join(p.end(), p.lock.Close()) })
	return err
}

// end asks the child to stop and waits until it has.
func (p *Postgres) end() error {
	_ = p.stdin.Close()
	select {
	case <-p.done:
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("PostgreSQL did not stop within %s", stopTimeout)
	}
}

// lockDir makes the directory ours. The child and the server inherit the lock: it is free only when no process of an
// earlier server is left. One that was ours and died leaves a server that stops within moments: it is waited for, and one
// that lives may be about to stop, which is told and waited for less long.
func lockDir(ctx context.Context, dir string, progress func(string)) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of PostgreSQL's directory: %w", err)
	}
	begin, told := time.Now(), false
	for {
		locked, err := tryLock(file)
		if err != nil {
			return nil, fmt.Errorf("lock PostgreSQL's directory %s: %w", dir, errors.Join(err, file.Close()))
		}
		if locked {
			break
		}
		owner, err := lockOwner(file)
		who, patience := "another process", stopTimeout
		if err == nil {
			who = fmt.Sprintf("process %d", owner)
			if processLives(owner) {
				patience = leaveTimeout
			}
		}
		if time.Since(begin) > patience {
			return nil, errors.Join(fmt.Errorf("%w: %s uses %s; stop it, or set SETTLER_DEV_DIR to another directory",
				ErrDirInUse, who, dir), file.Close())
		}
		if !told {
			told = true
			say(progress, "%s uses %s; waiting up to %s for it to stop …", who, dir, patience)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for an earlier PostgreSQL server to stop: %w", errors.Join(context.Cause(ctx), file.Close()))
		case <-time.After(100 * time.Millisecond):
		}
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	if err != nil {
		return nil, fmt.Errorf("write the lock of PostgreSQL's directory %s: %w", dir, errors.Join(err, file.Close()))
	}
	return file, nil
}

// lockOwner reads which process took the lock.
func lockOwner(file *os.File) (pid int, err error) {
	_, err = fmt.Fscan(io.NewSectionReader(file, 0, 32), &pid)
	return pid, err
}

// checkDataVersion refuses data of another major version: this program's server cannot read it, and embedded-postgres would
// delete it.
func checkDataVersion(dir string) error {
	data := filepath.Join(dir, dataName)
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the version of the data in %s: %w", data, err)
	}
	if got := strings.TrimSpace(string(text)); got != serverMajor {
		return fmt.Errorf("the data in %s was written by PostgreSQL %s and this program brings PostgreSQL %s, which cannot read it: "+
			"move that directory away to begin with an empty database, or set SETTLER_DEV_DIR to another directory", data, got, serverMajor)
	}
	return nil
}
