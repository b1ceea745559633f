package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

const (
	// heartbeat is how often a process looks whether its own lock still stands and whether others have died.
	heartbeat = 500 * time.Millisecond
	// stopPatience is how long running jobs may take to end before they are cancelled; what they did is read back later.
	stopPatience = 5 * time.Second
	// maxWorkers is how many jobs of up to maxRows payments one process works on at once.
	maxWorkers = 8
)

// Run works until ctx ends: jobs, chain watchers, sweeper. A process whose database session is gone stops its work before
// it makes a new session, so that whoever takes its work over does not meet it. Run returns nil after a clean stop.
func (r *Runner) Run(ctx context.Context) error {
	for {
		err := r.runSession(ctx)
		if ctx.Err() != nil {
			return nil
		}
		r.cfg.Logger.ErrorContext(ctx, "database session lost; work stopped, reconnecting", "err", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// runSession is one life of this process in the database: from taking its lock to losing it.
func (r *Runner) runSession(ctx context.Context) error {
	id := "settler-" + uuid.NewString()
	locks, err := openLocks(ctx, r.cfg.DirectURL)
	if err != nil {
		return err
	}
	defer locks.close()
	if ok, err := locks.take(ctx, lockKey("process", id)); err != nil || !ok {
		return fmt.Errorf("take process lock: %t, %w", ok, err)
	}
	// River fetches and listens on connections of its own: a pooler in transaction mode would break listening.
	direct, err := pgxpool.New(ctx, r.cfg.DirectURL)
	if err != nil {
		return fmt.Errorf("connect to database.direct_url: %w", err)
	}
	defer direct.Close()
	client, err := river.NewClient(riverpgxv5.New(direct), &river.Config{
		ID: id, Schema: riverSchema, Logger: r.cfg.Logger, Workers: r.addWorkers(),
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: maxWorkers}},
		FetchCooldown: 20 * time.Millisecond, FetchPollInterval: 500 * time.Millisecond,
		JobTimeout:                  workLease - 10*time.Second, // ends before its lease does
		SoftStopTimeout:             stopPatience,
		CompletedJobRetentionPeriod: time.Hour,
	})
	if err != nil {
		return fmt.Errorf("prepare River: %w", err)
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start River: %w", err)
	}
	var loops sync.WaitGroup
	index := newWatchIndex()
	loops.Go(func() { r.sweep(work) })
	loops.Go(func() { r.feed(work) })
	loops.Go(func() { r.closeDays(work) })
	for _, m := range r.cfg.Marketplaces {
		loops.Go(func() { r.listOrders(work, m) })
	}
	for _, chain := range r.cfg.Chains {
		loops.Go(func() { r.holdChain(work, locks, chain, index) })
		for _, lane := range chain.lanes() {
			loops.Go(func() { r.holdSigner(work, locks, chain, lane) })
		}
	}
	r.setSession(true)
	err = r.beat(work, locks, id)
	r.setSession(false)
	stop()
	// The loops end at once; jobs under way get a moment, then their calls are cut off.
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
	defer cancel()
	if ctx.Err() == nil || client.Stop(stopCtx) != nil { // without a session nothing may go on
		hardCtx, cancelHard := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
		defer cancelHard()
		if stopErr := client.StopAndCancel(hardCtx); stopErr != nil {
			r.cfg.Logger.WarnContext(ctx, "jobs did not end in time", "err", stopErr)
		}
	}
	loops.Wait()
	return err
}

// beat returns when ctx ends or the lock connection is gone.
func (r *Runner) beat(ctx context.Context, locks *locks, id string) error {
	for {
		if err := r.takeOver(ctx, locks, id); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(heartbeat):
		}
	}
}

// takeOver gives the running jobs of dead processes back to River at once; its own rescuer would wait for an hour. A
// process is dead when the lock named after its client id can be taken.
func (r *Runner) takeOver(ctx context.Context, locks *locks, own string) error {
	others, err := locks.runningClients(ctx)
	if err != nil {
		return err
	}
	for _, id := range others {
		if id == own {
			continue
		}
		key := lockKey("process", id)
		dead, err := locks.take(ctx, key)
		if err != nil {
			return err
		}
		if !dead {
			continue
		}
		n, err := locks.requeue(ctx, id)
		if err != nil {
			return err
		}
		if err := locks.release(ctx, key); err != nil {
			return err
		}
		r.cfg.Logger.InfoContext(ctx, "took over the jobs of a dead process", "client", id, "jobs", n)
	}
	return nil
}

// holdChain watches the chain while this process holds its lock.
func (r *Runner) holdChain(ctx context.Context, locks *locks, chain Chain, index *watchIndex) {
	key := lockKey("chain", string(chain.ID))
	for {
		ok, err := locks.take(ctx, key)
		if err == nil && ok {
			r.headRead(chain.ID)
			err = r.watchChain(ctx, chain, index)
			r.headForgotten(chain.ID)
			releaseCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			_ = locks.release(releaseCtx, key) // it goes with the session at the latest
			cancel()
		}
		if err != nil && ctx.Err() == nil {
			r.cfg.Logger.WarnContext(ctx, "chain not held", "chain", string(chain.ID), "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(heartbeat):
		}
	}
}

func (r *Runner) setSession(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.session = on
}

// locks is the session whose end gives this process's locks away.
type locks struct {
	mu   sync.Mutex // the connection serves one caller at a time
	conn *pgx.Conn
}

func openLocks(ctx context.Context, url string) (*locks, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connect to database.direct_url: %w", err)
	}
	return &locks{conn: conn}, nil
}

func (l *locks) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.conn.Close(ctx) // the server frees the locks when the connection is gone, however it goes
}

// lockKey is the number of an advisory lock. Two names with one number would only make one wait for the other.
func lockKey(kind, name string) int64 {
	sum := sha256.Sum256([]byte("settler\x00" + kind + "\x00" + name))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}

// query runs one statement with a deadline: a connection that hangs is as lost as one that is closed.
func (l *locks) query(ctx context.Context, sql string, arg any, dest any) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A call that is cut off closes the connection, and the locks go with it while jobs are still running.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return l.conn.QueryRow(ctx, sql, arg).Scan(dest)
}

func (l *locks) take(ctx context.Context, key int64) (ok bool, err error) {
	if err := l.query(ctx, "select pg_try_advisory_lock($1)", key, &ok); err != nil {
		return false, fmt.Errorf("take advisory lock: %w", err)
	}
	return ok, nil
}

func (l *locks) release(ctx context.Context, key int64) error {
	var ok bool
	if err := l.query(ctx, "select pg_advisory_unlock($1)", key, &ok); err != nil {
		return fmt.Errorf("release advisory lock: %w", err)
	}
	return nil
}

// runningClients are the ids of the River clients that have jobs under way. River appends the id to attempted_by when it
// fetches a job.
func (l *locks) runningClients(ctx context.Context) (ids []string, err error) {
	err = l.query(ctx, `select coalesce(array_agg(distinct attempted_by[array_upper(attempted_by, 1)]), '{}')
		from `+riverSchema+`.river_job where state = $1 and attempted_by is not null`, "running", &ids)
	if err != nil {
		return nil, fmt.Errorf("read running jobs: %w", err)
	}
	return ids, nil
}

// requeue makes the running jobs of a client available again. The columns are those of River's schema 006.
func (l *locks) requeue(ctx context.Context, id string) (n int, err error) {
	err = l.query(ctx, `with jobs as (
			update `+riverSchema+`.river_job
			set state = 'available', scheduled_at = now(), max_attempts = greatest(max_attempts, attempt + 1)
			where state = 'running' and attempted_by[array_upper(attempted_by, 1)] = $1
			returning id
		) select count(*) from jobs`, id, &n)
	if err != nil {
		return 0, fmt.Errorf("requeue jobs of %s: %w", id, err)
	}
	return n, nil
}
