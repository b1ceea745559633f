package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// found is the ids of a search, newest first.
func (r *rig) found(key, query string) []string {
	r.t.Helper()
	var ids []string
	for _, p := range into[searchResult](r.t, r.get("/v1/admin/payments"+query, key), http.StatusOK).Items {
		ids = append(ids, p.PaymentID)
	}
	return ids
}

func TestSearch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeRead)
	_, first := r.payable("acme")
	order, short := r.payable("acme")
	_, named := r.payable("acme")
	_, fresh := r.order("acme")
	_, others := r.payable("other")
	stranger := "0x1111111111111111111111111111111111111111"
	seen := r.sighting(txA, 1_000_000, settlement.AmountMismatch, settlement.Under)
	seen.Transfer.Payer = address(t, stranger)
	r.advance(settlement.Event{ID: "short", Payment: short, Kind: settlement.EventPaymentMispaid, Reason: settlement.AmountMismatch, Sighting: seen})
	r.advance(settlement.Event{ID: "named", Payment: named, Kind: settlement.EventTransactionNamed, TxID: settlement.TxID(strings.Repeat("\x11", 32))})
	r.scannedTo(12)

	all := []string{fresh.String(), named.String(), short.String(), first.String()}
	payable := all[1:]
	for _, tt := range []struct {
		name, query string
		want        []string
	}{
		{"everything, newest first", "", all},
		{"by order", "?order_id=" + order, []string{short.String()}},
		{"by an order that Postgres would refuse", "?order_id=" + url.QueryEscape("a\x00b"), nil},
		{"by payment", "?payment_id=" + named.String(), []string{named.String()}},
		{"another marketplace's payment", "?payment_id=" + others.String(), nil},
		{"by a transaction that was seen", "?txid=" + txA, []string{short.String()}},
		{"by a transaction that was named", "?txid=" + txB, []string{named.String()}},
		{"by a transaction that nobody knows", "?txid=0x" + strings.Repeat("22", 32), nil},
		{"by the payee", "?address=" + payeeHex, payable},
		{"by the payer that was named", "?address=" + payerHex, payable},
		{"by an address in lower case", "?address=" + strings.ToLower(payerHex), payable},
		{"by somebody else who paid", "?address=" + stranger, []string{short.String()}},
		{"by the payee of another chain", "?address=" + payeeHex + "&chain=dev", payable},
		{"by state", "?state=needs_review", []string{short.String()}},
		{"by flag", "?flag=underpaid", []string{short.String()}},
		{"by state and flag", "?state=verifying&flag=underpaid", nil},
		{"by token", "?chain=dev&token=usdc", payable},
		{"by contract", "?chain=" + string(chainID) + "&token=" + tokenHex, payable},
		{"by an amount", "?chain=dev&token=USDC&min_amount=1500000&max_amount=1500000", payable},
		{"by a higher amount", "?chain=dev&token=USDC&min_amount=1500001", nil},
		{"by a lower amount", "?chain=dev&token=USDC&max_amount=1499999", nil},
		{"from a time on", "?from=" + url.QueryEscape(time.Now().Add(-time.Minute).Format(time.RFC3339)), all},
		{"from a later time on", "?from=" + url.QueryEscape(time.Now().Add(time.Minute).Format(time.RFC3339)), nil},
		{"before a time", "?to=" + url.QueryEscape(time.Now().Add(-time.Minute).Format(time.RFC3339)), nil},
	} {
		if diff := cmp.Diff(tt.want, r.found(key, tt.query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	for _, bad := range []string{
		"?txid=abc", "?address=0x12", "?chain=moon", "?token=USDC", "?chain=dev&token=DOGE", "?min_amount=1", "?chain=dev&token=USDC&min_amount=1.5",
		"?chain=dev&token=USDC&max_amount=-1", "?payment_id=abc", "?cursor=abc", "?from=yesterday", "?state=sleeping", "?limit=0", "?stat=new",
		"?chain=solana&address=" + payeeHex,
	} {
		r.get("/v1/admin/payments"+bad, key).problem(t, ValidationFailed)
	}
	if n := len(r.found(r.key("", scopeAdmin), "?address="+payeeHex)); n != 4 {
		t.Errorf("a key of all marketplaces finds %d payments, want 4", n)
	}
	r.get("/v1/admin/payments?marketplace=other", key).problem(t, MarketplaceForbidden)

	var paged []string
	query := "?limit=3"
	for range 2 {
		page := into[searchResult](t, r.get("/v1/admin/payments"+query, key), http.StatusOK)
		for _, p := range page.Items {
			paged = append(paged, p.PaymentID)
		}
		if page.NextCursor == nil {
			break
		}
		query = "?limit=3&cursor=" + *page.NextCursor
	}
	if diff := cmp.Diff(all, paged); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestQueues(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeRead)
	review := func(marketplace string) settlement.PaymentID {
		_, id := r.order(marketplace)
		r.advance(settlement.Event{ID: "refused", Payment: id, Kind: settlement.EventOrderRefused, Reason: "RAIL_UNSUPPORTED"})
		return id
	}
	oldest, second, third := review("acme"), review("acme"), review("acme")
	foreign := review("other")
	_, disputed := r.payable("acme")
	r.advance(
		settlement.Event{ID: "paid", Payment: disputed, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(txA, 1_500_000, settlement.Verified, "")},
		settlement.Event{ID: "disputed", Payment: disputed, Kind: settlement.EventOrderDisputed})
	_, stuck := r.order("acme")
	_, parked := r.order("acme")
	_, observed := r.payable("acme")
	r.advance(
		settlement.Event{ID: "paid", Payment: observed, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(txB, 1_500_000, settlement.Verified, "")},
		settlement.Event{ID: "forbidden", Payment: observed, Kind: settlement.EventProofForbidden})
	for _, change := range []string{
		"update payments set state_since = now() - interval '2 hours' where id = '" + oldest.String() + "'",
		"update payments set state_since = now() - interval '16 minutes' where id in ('" + stuck.String() + "', '" + observed.String() + "')",
		"update payments set due_at = '9998-01-01 00:00:00+00' where id = '" + parked.String() + "'",
	} {
		if _, err := r.pool.Exec(t.Context(), change); err != nil {
			t.Fatal(err)
		}
	}
	// A change that leaves the payment in its state leaves its age.
	r.advance(settlement.Event{ID: "cancelled", Payment: oldest, Kind: settlement.EventOrderCanceled, Reason: "ORDER_CLOSED"})

	counts := func(key, query string) (got []string) {
		t.Helper()
		for _, q := range into[queueCounts](t, r.get("/v1/admin/queues"+query, key), http.StatusOK).Queues {
			got = append(got, fmt.Sprintf("%s %d %dh", q.Queue, q.Count, q.OldestAgeSeconds/3600))
			if (q.OldestSince == nil) != (q.Count == 0) {
				t.Errorf("%s: %d wait since %v", q.Queue, q.Count, q.OldestSince)
			}
		}
		return got
	}
	if diff := cmp.Diff([]string{"approvals 0 0h", "needs_review 3 2h", "disputes 1 0h", "stuck 1 0h", "parked 1 0h"}, counts(key, "")); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"approvals 0 0h", "needs_review 4 2h", "disputes 1 0h", "stuck 1 0h", "parked 1 0h"}, counts(r.key("", scopeAdmin), "")); diff != "" {
		t.Errorf("counts of all marketplaces (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"approvals 0 0h", "needs_review 1 0h", "disputes 0 0h", "stuck 0 0h", "parked 0 0h"}, counts(r.key("", scopeAdmin), "?marketplace=other")); diff != "" {
		t.Errorf("counts of another marketplace (-want +got):\n%s", diff)
	}

	list := func(queue, query string) (ids []string, next *string) {
		t.Helper()
		page := into[queuePage](t, r.get("/v1/admin/queues/"+queue+query, key), http.StatusOK)
		for _, p := range page.Items {
			ids = append(ids, p.PaymentID)
			if p.Since.IsZero() {
				t.Errorf("%s: %s waits since ever", queue, p.PaymentID)
			}
		}
		return ids, page.NextCursor
	}
	for queue, want := range map[string][]string{
		"needs_review": {oldest.String(), second.String(), third.String()}, "disputes": {disputed.String()}, "stuck": {stuck.String()}, "parked": {parked.String()},
	} {
		if ids, _ := list(queue, ""); !slices.Equal(ids, want) {
			t.Errorf("%s: got %v, want %v", queue, ids, want)
		}
	}
	ids, next := list("needs_review", "?limit=2")
	if next == nil {
		t.Fatal("no second page")
	}
	rest, end := list("needs_review", "?limit=2&cursor="+url.QueryEscape(*next))
	if got := append(ids, rest...); !slices.Equal(got, []string{oldest.String(), second.String(), third.String()}) || end != nil {
		t.Errorf("pages: got %v", got)
	}
	if ids, _ := list("needs_review", ""); slices.Contains(ids, foreign.String()) {
		t.Error("another marketplace's payment is listed")
	}
	contested := into[queuePage](t, r.get("/v1/admin/queues/disputes", key), http.StatusOK).Items[0].Dispute
	if contested == nil || contested.Reason != "unstated" || contested.Party != "payer" || contested.DecideBy.IsZero() || contested.Decided {
		t.Errorf("the dispute in the queue: %+v", contested)
	}
	r.get("/v1/admin/queues/lost", key).problem(t, ValidationFailed)
	r.get("/v1/admin/queues/stuck?cursor=abc", key).problem(t, ValidationFailed)
	r.get("/v1/admin/queues?marketplace=other", key).problem(t, MarketplaceForbidden)
}

// queries collects the statements that a pool runs.
type queries struct {
	mu  sync.Mutex // guards all
	all []pgx.TraceQueryStartData
}

func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.all = append(q.all, data)
	return ctx
}

func (q *queries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func (q *queries) take() []pgx.TraceQueryStartData {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.all
	q.all = nil
	return all
}

// manyPayments fills the tables as they are after a long time: most payments are over, few wait. The rows keep the rules
// of each table, not those of the books.
const manyPayments = `
	insert into payments (id, marketplace, order_id, machine_id, version, state, back, flags, rail, chain, token, token_symbol, token_decimals, payee, amount,
	                      named_payer, not_before, from_block, deadline, grace_seconds, paid_by, pay_token_hash, due_at, created_at, updated_at, state_since, finished_at)
	select uuidv7(at - now()), case when n % 10 = 0 then 'other' else 'acme' end, 'bulk_' || n, 'mach_1', 5, state, case when state = 'frozen' then 'held' else '' end,
	       case when n % 500 = 0 then '{underpaid}'::text[] else '{}' end, 'wallet', 'eip155:31337', $1, 'USDC', 6,
	       substr(sha256(('payee' || n % 20)::bytea), 1, 20), 1000000 + n, substr(sha256(('payer' || n % 5000)::bytea), 1, 20), at, 10, at, 600, sha256(('tx' || n)::bytea),
	       sha256(('token' || n)::bytea), case when n % 1000 = 7 then '9998-01-01 00:00:00+00'::timestamptz else '9999-01-01 00:00:00+00' end,
	       at, at, at, case when state = 'released' then at end
	from (select n, now() - (100000 - n) * interval '40 seconds' as at,
	             case when n % 400 = 1 then 'needs_review' when n % 900 = 2 then 'frozen' when n % 1500 = 3 then 'verified' else 'released' end as state
	      from generate_series(1, 100000) n) s`

const manyTransfers = `
	insert into transfers (payment_id, chain, txid, position, receipt_index, token, payer, payee, amount, block_number, block_hash, block_time, code, evidence, status, seen_at)
	select id, chain, paid_by, 'log/0', 0, token, named_payer, payee, amount, 11, '\x00', created_at, 'VERIFIED', 'null', 'final', created_at from payments`

const manyConsumed = `
	insert into consumed_transfers (chain, txid, position, receipt_index, payment_id, amount, consumed_at)
	select chain, txid, position, receipt_index, payment_id, amount, seen_at from transfers`

const manyAddresses = `
	insert into payment_addresses select payee, id from payments union all select named_payer, id from payments`

const manyEvents = `
	with batch as (insert into audit_batches (seq, previous, digest, events, at) values (1, '', '\x01', 100000, now()) returning seq)
	insert into payment_events (payment_id, version, event_id, kind, from_state, to_state, audit_seq, at)
	select id, 5, 'e', 'released', 'release_pending', state, batch.seq, created_at from payments, batch`

const manyDisputes = `
	with disputed as (
		insert into disputes (payment_id, number, opener, reason, party, default_outcome, opened_at, respond_by, decide_by, told, closed_at, outcome)
		select id, 1, 'webhook', 'other', 'payer', 'none', created_at, created_at, created_at, true,
		       case when state <> 'frozen' then created_at end, case when state <> 'frozen' then 'dropped' end
		from payments where substr(order_id, 6)::integer % 3 = 2 returning payment_id)
	insert into dispute_statements (payment_id, version, number, party) select payment_id, 5, 1, 'payer' from disputed`

const manyApprovals = `
	with asked as (
		insert into approvals (id, payment_id, version, action, reason, chain, token, amount, receiver, part, hash, event_id, requester, requester_name,
		                       origin, needed, state, created_at, expires_at, decided_at)
		select id, id, 5, 'refund', 'asked for', chain, token, amount, payee, 0, sha256(paid_by), 'action/1', id, 'ann', '127.0.0.1', 1,
		       case when substr(order_id, 6)::integer % 1000 = 501 then 'pending' else 'executed' end, created_at, now() + interval '1 day',
		       case when substr(order_id, 6)::integer % 1000 = 501 then null else created_at end
		from payments where substr(order_id, 6)::integer % 3 = 0 returning id, requester)
	insert into approval_votes (approval_id, requester, approver, vote, hash, reason, origin, at)
	select id, requester, uuidv7(), 'approve', '\x01', '', '127.0.0.1', now() from asked`

const manySessions = `
	insert into sessions (token, data, expires_at)
	select encode(sha256(n::text::bytea), 'hex'), 'somebody', now() + (n - 300) * interval '1 minute' from generate_series(1, 30000) n`

// manyPostings: the payee got it from the payer, and each tenth transaction cost gas.
const manyPostings = `
	with posted as (
		insert into ledger_entries (payment_id, chain, token, txid, position, at)
		select payment_id, chain, token, txid, position, seen_at from transfers order by seen_at returning id
	)
	insert into ledger_lines (entry_id, account, amount)
	select id, l.account, l.amount from posted cross join lateral (values ('payer', -id), ('payee', id)) l (account, amount)`

const manyGas = `
	with spent as (
		insert into ledger_entries (chain, token, signer, nonce, at)
		select chain, '', '\x05', row_number() over (order by seen_at), seen_at from transfers where block_number % 10 = 1 and get_byte(txid, 0) < 25 returning id
	)
	insert into ledger_lines (entry_id, account, amount)
	select id, l.account, l.amount from spent cross join lateral (values ('operator', -21000), ('gas', 21000)) l (account, amount)`

// No query of the API reads a large table from end to end: each statement that the reading endpoints run is explained, and those
// of what people decide, which add up what was decided before.
func TestLargeTablesAreReadByIndex(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	token := []byte(address(t, tokenHex))
	filler, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, fill := range []struct {
		statement string
		args      []any
	}{
		{"set session_replication_role = replica", nil}, // no triggers and no foreign keys: the rows fit
		{manyPayments, []any{token}},
		{manyAddresses, nil},
		{manyTransfers, nil},
		{manyConsumed, nil},
		{manyEvents, nil},
		{manyDisputes, nil},
		{manyApprovals, nil},
		{manySessions, nil},
		{manyPostings, nil},
		{manyGas, nil},
		{"analyze", nil},
	} {
		if _, err := filler.Exec(t.Context(), fill.statement, fill.args...); err != nil {
			t.Fatal(err)
		}
	}
	filler.Release()
	traced := new(queries)
	config := pool.Config().Copy()
	config.ConnConfig.Tracer = traced
	watched, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer watched.Close()
	r := rigOn(t, watched)
	r.scannedTo(12)
	var id settlement.PaymentID
	var txid, payee, payer []byte
	err = pool.QueryRow(t.Context(), "select id, paid_by, payee, named_payer from payments where order_id = 'bulk_50001'").Scan(&id, &txid, &payee, &payer)
	if err != nil {
		t.Fatal(err)
	}
	at := func(ago time.Duration) string {
		return url.QueryEscape(time.Now().Add(-ago).UTC().Format(time.RFC3339))
	}
	for _, key := range []string{r.key("acme", scopeRead), r.key("", scopeAdmin)} {
		traced.take()
		for _, path := range []string{
			"/v1/payments", "/v1/payments?state=released", "/v1/payments?state=needs_review", "/v1/payments?flag=underpaid", "/v1/payments?flag=late",
			"/v1/payments?order_id=bulk_4711", "/v1/payments?cursor=" + id.String(), "/v1/payments/" + id.String(), "/v1/orders/bulk_50001?marketplace=acme",
			"/v1/admin/payments", "/v1/admin/payments?state=released", "/v1/admin/payments?state=needs_review", "/v1/admin/payments?state=new",
			"/v1/admin/payments?flag=underpaid", "/v1/admin/payments?flag=late", "/v1/admin/payments?state=frozen&flag=underpaid",
			"/v1/admin/payments?order_id=bulk_4711", "/v1/admin/payments?payment_id=" + id.String(),
			fmt.Sprintf("/v1/admin/payments?txid=0x%x", txid), "/v1/admin/payments?txid=" + txA,
			fmt.Sprintf("/v1/admin/payments?address=0x%x", payee), fmt.Sprintf("/v1/admin/payments?address=0x%x&state=needs_review", payee),
			fmt.Sprintf("/v1/admin/payments?address=0x%x", payer), "/v1/admin/payments?address=" + payerHex, "/v1/admin/payments?cursor=" + id.String(),
			"/v1/admin/payments?chain=dev&token=USDC&min_amount=1000100&max_amount=1000200", "/v1/admin/payments?chain=dev&token=USDC&min_amount=1000100",
			"/v1/admin/payments?chain=dev&token=USDC&max_amount=1050000&state=needs_review", "/v1/admin/payments?chain=dev",
			"/v1/admin/payments?from=" + at(24*time.Hour) + "&to=" + at(23*time.Hour), "/v1/admin/payments?to=" + at(40*24*time.Hour) + "&state=frozen",
			"/v1/admin/approvals", "/v1/admin/approvals?payment_id=" + id.String(), "/v1/admin/approvals/" + id.String(),
			"/v1/admin/queues", "/v1/admin/queues/needs_review", "/v1/admin/queues/disputes", "/v1/admin/queues/parked", "/v1/admin/queues/stuck",
			"/v1/admin/queues/needs_review?cursor=" + at(time.Hour) + "," + id.String(),
			"/v1/admin/statements?from=" + at(10*24*time.Hour) + "&to=" + at(9*24*time.Hour), "/v1/admin/statements?chain=dev&format=csv&from=" + at(time.Hour) + "&to=" + at(time.Minute),
		} {
			if a := r.get(path, key); a.status != http.StatusOK && a.status != http.StatusNotFound {
				t.Errorf("%s: got %d %s", path, a.status, a.body)
			}
			ran := traced.take()
			if len(ran) < 2 {
				t.Errorf("%s ran %d statements: nothing is looked at", path, len(ran))
			}
			explained := make(map[string]bool) // what is read page by page has the same plan for each
			for _, q := range ran {
				if !explained[q.SQL] {
					explain(t, pool, path, q)
				}
				explained[q.SQL] = true
			}
		}
	}

	// What people do.
	var frozen settlement.PaymentID
	if err := pool.QueryRow(t.Context(), "select id from payments where state = 'frozen' and marketplace = 'acme' limit 1").Scan(&frozen); err != nil {
		t.Fatal(err)
	}
	operator, now := r.key("acme", scopeAdmin), time.Now()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"drop a dispute", func() error {
			if a := r.act(operator, frozen, "unfreeze", because("over")); a.status != http.StatusOK && a.status != http.StatusAccepted {
				return fmt.Errorf("%d %s", a.status, a.body)
			}
			return nil
		}},
		{"sign in", func() error {
			return store.SaveSession(t.Context(), watched, "new", []byte("somebody"), now.Add(time.Hour), now)
		}},
		{"be signed in", func() error { _, err := store.FindSession(t.Context(), watched, "new", now); return err }},
		{"sign out", func() error { return store.DeleteSession(t.Context(), watched, "new") }},
	} {
		traced.take()
		if err := step.do(); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
		ran := traced.take()
		if len(ran) == 0 {
			t.Errorf("%s ran no statement: nothing is looked at", step.name)
		}
		for _, q := range ran {
			explain(t, pool, step.name, q)
		}
	}
}

// explain fails on a plan that reads a table of some size from end to end.
func explain(t *testing.T, pool *pgxpool.Pool, path string, q pgx.TraceQueryStartData) {
	t.Helper()
	if word, _, _ := strings.Cut(q.SQL, " "); slices.Contains([]string{"begin", "savepoint", "release", "commit", "rollback", "set", "lock"}, word) {
		return
	}
	rows, err := pool.Query(t.Context(), "explain "+q.SQL, q.Args...)
	if err != nil {
		t.Errorf("%s: explain %s: %v", path, q.SQL, err)
		return
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Errorf("%s: explain %s: %v", path, q.SQL, err)
		return
	}
	for _, line := range lines {
		for _, table := range []string{
			"payments", "transfers", "payment_events", "payment_addresses", "consumed_transfers", "disputes", "dispute_statements", "approvals",
			"approval_votes", "sessions", "ledger_entries", "ledger_lines",
		} {
			if strings.HasSuffix(line, "Seq Scan on "+table) || strings.Contains(line, "Seq Scan on "+table+" ") {
				t.Errorf("%s reads %s from end to end:\n%s\n%s", path, table, q.SQL, strings.Join(lines, "\n"))
			}
		}
	}
}
