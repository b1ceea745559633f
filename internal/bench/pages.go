package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/dashboard"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

// many is how many payments there are when pages are measured.
const many = 1_000_000

// fills make a database as it is after a year: most payments are over, some are under way, few wait for somebody. The rows keep
// the rules of each table, not those of the books. $1 is how many, where it is named.
var fills = []struct{ what, statement string }{
	{"payments", `
		insert into payments (id, marketplace, order_id, machine_id, version, state, back, flags, rail, chain, token, token_symbol, token_decimals, payee, amount,
		                      named_payer, not_before, from_block, deadline, grace_seconds, paid_by, received, payout, paid_out, pay_token_hash, due_at, created_at, updated_at,
		                      state_since, finished_at)
		select uuidv7(at - now()), case when n % 10 = 0 then 'other' else '` + marketplace + `' end, 'order_' || n, 'mach_' || n % 200, 3, state,
		       case state when 'frozen' then 'held' when 'confirming' then 'awaiting_payment' else '' end,
		       case when state = 'needs_review' then '{underpaid}' when n % 700 = 0 then '{overpaid}' else '{}' end::text[], 'wallet', '` + string(pagesChain) + `',
		       decode(repeat('ab', 20), 'hex'), 'USDC', 6, substr(sha256(('payee' || n % 200)::bytea), 1, 20), 100000 + n % 50000 * 1000,
		       substr(sha256(('payer' || n % 60000)::bytea), 1, 20), at, 10, at + interval '1 hour', 600,
		       case when state not in ('awaiting_payment', 'confirming', 'closed', 'needs_review') then sha256(('tx' || n)::bytea) end,
		       case when state not in ('awaiting_payment', 'confirming', 'closed', 'needs_review') then 100000 + n % 50000 * 1000 else 0 end,
		       case state when 'refunded' then 'refund' else '' end, case state when 'refunded' then sha256(('refund' || n)::bytea) end,
		       sha256(('token' || n)::bytea),
		       case when n % 20000 = 13 then '9998-01-01 00:00:00+00'::timestamptz else '9999-01-01 00:00:00+00' end, at, at, at,
		       case when state in ('released', 'refunded', 'closed') then at end
		from (select n, now() - ($1 - n) * interval '31 seconds' as at,
		             case when n % 400 = 1 then 'needs_review' when n % 1000 = 2 then 'frozen' when n % 2500 = 3 then 'verified' when n % 100 = 4 then 'held'
		                  when n % 1000 = 5 then 'confirming' when n % 100 = 6 then 'awaiting_payment' when n % 20 = 7 then 'refunded'
		                  when n % 25 = 8 then 'closed' else 'released' end as state
		      from generate_series(1, $1::integer) n) s`},
	{"addresses", `insert into payment_addresses select payee, id from payments union all select named_payer, id from payments`},
	{"transfers", `
		insert into transfers (payment_id, chain, txid, position, receipt_index, token, payer, payee, amount, block_number, block_hash, block_time, code, evidence,
		                       status, seen_at)
		select id, chain, paid_by, 'log/0', 0, token, named_payer, payee, amount, 11, decode(repeat('0b', 32), 'hex'), created_at, 'VERIFIED', 'null', 'final', created_at
		from payments where paid_by is not null`},
	{"consumed transfers", `
		insert into consumed_transfers (chain, txid, position, receipt_index, payment_id, amount, consumed_at)
		select chain, txid, position, receipt_index, payment_id, amount, seen_at from transfers`},
	{"history", `
		with batch as (insert into audit_batches (seq, previous, digest, events, at) values (1, '', '\x01', 1, now()) returning seq)
		insert into payment_events (payment_id, version, event_id, kind, from_state, to_state, audit_seq, at)
		select id, v.version, v.kind, v.kind, 'new', case v.version when 2 then 'awaiting_payment' else state end, batch.seq, created_at
		from payments cross join (values (2, 'intent_ready'), (3, 'order_released')) v (version, kind) cross join batch`},
	{"ledger", `
		with posted as (
			insert into ledger_entries (payment_id, chain, token, txid, position, at)
			select payment_id, chain, token, txid, position, seen_at from transfers order by seen_at returning id
		)
		insert into ledger_lines (entry_id, account, amount)
		select id, l.account, l.amount from posted cross join lateral (values ('payer', -100000 - id), ('payee', 100000 + id)) l (account, amount)`},
	{"disputes", `
		insert into disputes (payment_id, number, opener, reason, party, default_outcome, opened_at, respond_by, decide_by, told, closed_at, outcome)
		select id, 1, 'webhook', 'other', 'payer', 'none', created_at, created_at, now() + interval '1 day', true,
		       case when state <> 'frozen' then created_at end, case when state <> 'frozen' then 'dropped' end
		from payments where state = 'frozen' or paid_by is not null and get_byte(paid_by, 0) < 2`},
	{"approvals", `
		insert into approvals (id, payment_id, version, action, reason, chain, token, amount, receiver, part, hash, event_id, requester, requester_name,
		                       origin, needed, state, created_at, expires_at, decided_at)
		select id, id, 3, 'refund', 'asked for', chain, token, amount, payee, 0, sha256(paid_by), 'action/1', id, 'ann', '127.0.0.1', 1,
		       case when get_byte(paid_by, 1) = 0 then 'pending' else 'executed' end, created_at, now() + interval '1 day',
		       case when get_byte(paid_by, 1) > 0 then created_at end
		from payments where paid_by is not null and get_byte(paid_by, 0) < 4`},
}

// pagesChain is named as real chains are; nobody asks it anything.
const pagesChain = settlement.ChainID("eip155:31337")

// measurePages fills a database with a million payments, serves the API with the dashboard on it and opens each kind of page. A
// figure is the slowest page's time to its first byte in that round, with redirects. It is an error when a page has read a
// large table from end to end. What each page took, and its size, is told on the way.
func measurePages(ctx context.Context, g *ground) ([]float64, error) {
	pool, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	if err := fillYear(ctx, pool); err != nil {
		return nil, err
	}
	config := pool.Config().Copy()
	traced := &statements{seen: make(map[string]pgx.TraceQueryStartData)}
	config.ConnConfig.Tracer = traced
	watched, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	defer watched.Close()
	b, closeServer, err := openBrowser(ctx, watched)
	if err != nil {
		return nil, err
	}
	defer closeServer()
	pages, err := pagesOf(ctx, pool)
	if err != nil {
		return nil, err
	}
	large, err := largeTables(ctx, pool)
	if err != nil {
		return nil, err
	}
	note(fmt.Sprintf("pages: %-28s %10s %10s %10s %10s %10s %10s", "", "cold", "first byte", "slowest", "bytes", "gzipped", "statements"))
	slowest := make([]float64, rounds)
	for _, page := range pages {
		var times []time.Duration
		var cold time.Duration
		var size, sent int
		// Round -1 fills caches; it is told apart.
		for round := -1; round < rounds; round++ {
			var took time.Duration
			if took, size, sent, err = b.open(ctx, page.path); err != nil {
				return nil, fmt.Errorf("%s: %w", page.name, err)
			}
			if round < 0 {
				cold = took
			} else {
				times = append(times, took)
				slowest[round] = max(slowest[round], float64(took.Microseconds())/1000)
			}
		}
		ran := traced.take()
		for _, q := range ran {
			if err := explain(ctx, pool, q, large); err != nil {
				return nil, fmt.Errorf("%s: %w", page.name, err)
			}
		}
		slices.Sort(times)
		note(fmt.Sprintf("pages: %-28s %10s %10s %10s %10d %10d %10d", page.name, cold.Round(100*time.Microsecond), times[len(times)/2].Round(100*time.Microsecond),
			times[len(times)-1].Round(100*time.Microsecond), size, sent, len(ran)))
	}
	return slowest, b.download(ctx, statementOf(400, 0))
}

// download tells how long the statement of a year takes, and how much memory the process has at most meanwhile.
func (b *pageBrowser) download(ctx context.Context, path string) error {
	runtime.GC()
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		var stats runtime.MemStats
		var peak uint64
		for {
			runtime.ReadMemStats(&stats)
			peak = max(peak, stats.HeapAlloc)
			select {
			case <-done:
				most <- peak
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	began := time.Now()
	size, err := b.fetch(ctx, path)
	close(done)
	note(fmt.Sprintf("pages: the statement of a year: %d bytes in %s, at most %d MiB of heap", size, time.Since(began).Round(time.Second/10), (<-most)>>20))
	return err
}

// fetch reads a file and throws it away.
func (b *pageBrowser) fetch(ctx context.Context, path string) (size int64, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.at+path, nil)
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	res, err := b.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("download: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // nothing is lost with it
	if res.StatusCode != http.StatusOK {
		return 0, errors.New(res.Status)
	}
	if size, err = io.Copy(io.Discard, res.Body); err != nil {
		err = fmt.Errorf("download: %w", err)
	}
	return size, err
}

// statementOf is the file of some days ago up to some days ago.
func statementOf(from, to int) string {
	now := time.Now().UTC()
	return "/dashboard/statements/file?format=csv&from=" + now.AddDate(0, 0, -from).Format(time.DateOnly) + "&to=" + now.AddDate(0, 0, -to).Format(time.DateOnly)
}

// fillYear fills every table, without triggers and foreign keys: the rows fit.
func fillYear(ctx context.Context, pool *pgxpool.Pool) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer conn.Release()
	for _, setting := range []string{"set session_replication_role = replica", "set synchronous_commit = off", "set work_mem = '256MB'"} {
		if _, err := conn.Exec(ctx, setting); err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
	}
	for _, fill := range fills {
		began := time.Now()
		var args []any
		if strings.Contains(fill.statement, "$1") {
			args = []any{many}
		}
		tag, err := conn.Exec(ctx, fill.statement, args...)
		if err != nil {
			return fmt.Errorf("fill %s: %w", fill.what, err)
		}
		note(fmt.Sprintf("pages: %d rows of %s in %s", tag.RowsAffected(), fill.what, time.Since(began).Round(time.Second)))
	}
	if _, err := conn.Exec(ctx, "vacuum analyze"); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	if _, err := conn.Exec(ctx, "reset all"); err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	return nil
}

type measuredPage struct{ name, path string }

// pagesOf names every kind of page, with things that exist.
func pagesOf(ctx context.Context, pool *pgxpool.Pool) ([]measuredPage, error) {
	var id, frozen, order string
	var txid, payee, payer []byte
	err := pool.QueryRow(ctx, "select id::text, order_id, paid_by, payee, named_payer from payments where state = 'released' and created_at > now() - interval '100 days' limit 1").
		Scan(&id, &order, &txid, &payee, &payer)
	if err == nil {
		err = pool.QueryRow(ctx, "select id::text from payments where state = 'frozen' limit 1").Scan(&frozen)
	}
	if err != nil {
		return nil, fmt.Errorf("choose a payment: %w", err)
	}
	search := func(q string) string { return "/dashboard/search?q=" + q }
	return []measuredPage{
		{"overview", "/dashboard/"},
		{"queue needs_review", "/dashboard/queues/needs_review"},
		{"queue disputes", "/dashboard/queues/disputes"},
		{"queue approvals", "/dashboard/queues/approvals"},
		{"queue stuck", "/dashboard/queues/stuck"},
		{"queue parked", "/dashboard/queues/parked"},
		{"search by order", search(order)},
		{"search by transaction", search(fmt.Sprintf("0x%x", txid))},
		{"search by payer", search(evm.FormatAddress(settlement.Address(payer)))},
		{"search by payee", search(evm.FormatAddress(settlement.Address(payee)))},
		{"search for nothing", search("nothing")},
		{"search by state", "/dashboard/search?state=held"},
		{"search by flag", "/dashboard/search?flag=overpaid"},
		{"search by amount", "/dashboard/search?chain=dev&token=USDC&min_amount=200000&max_amount=201000"},
		{"payment", "/dashboard/payments/" + id},
		{"payment, disputed", "/dashboard/payments/" + frozen},
		{"statements", "/dashboard/statements"},
		{"statement of a day", statementOf(1, 0)},
	}, nil
}

// openBrowser serves the API with the dashboard and signs in.
func openBrowser(ctx context.Context, pool *pgxpool.Pool) (*pageBrowser, func(), error) {
	chain := scriptedChain(nil)
	chain.ID, chain.Aliases = pagesChain, []string{"dev"}
	chain.Tokens = []settlement.Token{{Chain: pagesChain, Address: settlement.Address(strings.Repeat("\xab", 20)), Symbol: "USDC", Decimals: 6}}
	runner, err := newRunner(pool, chain, "http://127.0.0.1:1")
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, nil, fmt.Errorf("listen: %w", err)
	}
	at := "http://" + listener.Addr().String()
	handler, err := api.New(api.Config{
		Runner: runner, Pool: pool, PublicURL: at, Logger: discard(), Version: "bench", Development: true,
		Pages: func(api http.Handler) (http.Handler, error) {
			return dashboard.New(dashboard.Config{API: api, Pool: pool, PublicURL: at, Keys: true, SessionLifetime: time.Hour, Logger: discard()})
		},
	})
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener) //nolint:errcheck // it ends with Close
	key, hash := api.NewKey()
	err = store.CreateAPIKey(ctx, pool, store.APIKey{ID: settlement.PaymentID(uuid.New()), Name: "bench", Scope: "admin", CreatedAt: time.Now()}, hash)
	if err != nil {
		return nil, nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("make a browser: %w", err)
	}
	b := &pageBrowser{at, &http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true}}}
	form := url.Values{"key": {key}, "next": {"/dashboard/"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at+"/dashboard/sign-in", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, fmt.Errorf("sign in: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := b.client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("sign in: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // nothing is lost with it
	if res.StatusCode != http.StatusOK || res.Request.URL.Path != "/dashboard/" {
		return nil, nil, fmt.Errorf("sign in: %s at %s", res.Status, res.Request.URL.Path)
	}
	return b, func() { _ = server.Close() }, nil // nothing is under way any more
}

type pageBrowser struct {
	at     string
	client *http.Client
}

// open returns when the first byte of the page came, the page's size, and what of it went over the network.
func (b *pageBrowser) open(ctx context.Context, path string) (first time.Duration, size, sent int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.at+path, nil)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	began := time.Now()
	res, err := b.client.Do(req)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("open: %w", err)
	}
	first = time.Since(began)
	defer func() { _ = res.Body.Close() }() // nothing is lost with it
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, 0, 0, fmt.Errorf("read: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return 0, 0, 0, errors.New(res.Status)
	}
	plain := body
	if res.Header.Get("Content-Encoding") == "gzip" {
		unzip, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			plain, err = io.ReadAll(unzip)
		}
		if err != nil {
			return 0, 0, 0, fmt.Errorf("unzip: %w", err)
		}
	}
	return first, len(plain), len(body), nil
}

// statements keeps one of each statement that a pool runs.
type statements struct {
	mu   sync.Mutex // guards seen
	seen map[string]pgx.TraceQueryStartData
}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[data.SQL] = data
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// take returns what has run since it was called last, without what only begins and ends transactions.
func (s *statements) take() []pgx.TraceQueryStartData {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []pgx.TraceQueryStartData
	for sql, data := range s.seen {
		if word, _, _ := strings.Cut(sql, " "); !slices.Contains([]string{"begin", "commit", "rollback", "set", "lock"}, word) {
			all = append(all, data)
		}
	}
	clear(s.seen)
	slices.SortFunc(all, func(a, b pgx.TraceQueryStartData) int { return cmp.Compare(a.SQL, b.SQL) })
	return all
}

// largeTables are those that nobody may read from end to end.
func largeTables(ctx context.Context, pool *pgxpool.Pool) ([]string, error) {
	rows, err := pool.Query(ctx, "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace and reltuples > 5000")
	if err != nil {
		return nil, fmt.Errorf("list large tables: %w", err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("list large tables: %w", err)
	}
	return names, nil
}

// explain returns an error for a statement that reads one of the tables from end to end.
func explain(ctx context.Context, pool *pgxpool.Pool, q pgx.TraceQueryStartData, tables []string) error {
	rows, err := pool.Query(ctx, "explain "+q.SQL, q.Args...)
	if err != nil {
		return fmt.Errorf("explain %s: %w", q.SQL, err)
	}
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("explain %s: %w", q.SQL, err)
	}
	for _, line := range plan {
		_, scanned, ok := strings.Cut(line, "Seq Scan on ")
		if name, _, _ := strings.Cut(scanned, " "); ok && slices.Contains(tables, name) {
			return fmt.Errorf("%s is read from end to end:\n%s\n%s", name, q.SQL, strings.Join(plan, "\n"))
		}
	}
	return nil
}
