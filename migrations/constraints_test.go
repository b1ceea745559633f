package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/settler-pay/settler/internal/pgtest"
)

// row is one row of a table: column → SQL expression.
type row map[string]string

// with is the row with some columns changed; an empty expression leaves the column out.
func (r row) with(changes row) row {
	out := maps.Clone(r)
	maps.Copy(out, changes)
	return out
}

func (r row) insert(ctx context.Context, tx pgx.Tx, table string) error {
	var columns, values []string
	for _, column := range slices.Sorted(maps.Keys(r)) {
		if r[column] != "" {
			columns, values = append(columns, column), append(values, r[column])
		}
	}
	_, err := tx.Exec(ctx, fmt.Sprintf("insert into %s (%s) values (%s)", table, strings.Join(columns, ", "), strings.Join(values, ", ")))
	return err
}

const (
	id1 = "'01932f9a-7c31-7abc-8def-000000000001'"
	id2 = "'01932f9a-7c31-7abc-8def-000000000002'"
)

// rows holds one good row of each table. They fit each other in the order of tables.
var rows = map[string]row{
	"payments": {
		"id": id1, "marketplace": "'m'", "order_id": "'o1'", "machine_id": "'x'", "version": "1", "state": "'awaiting_payment'",
		"chain": "'eip155:1'", "token": `'\x01'`, "token_symbol": "'USDC'", "token_decimals": "6", "payee": `'\x02'`,
		"amount": "1000000", "proven_payer": `'\x03'`, "not_before": "now()", "from_block": "100", "deadline": "now()",
		"grace_seconds": "60", "pay_token_hash": `'\xaa'`, "due_at": "now()", "created_at": "now()", "updated_at": "now()",
	},
	"transfers": {
		"payment_id": id1, "chain": "'eip155:1'", "txid": `'\x0a'`, "position": "'log/1'", "receipt_index": "0", "token": `'\x01'`,
		"payer": `'\x03'`, "payee": `'\x02'`, "amount": "1000000", "block_number": "101", "block_hash": `'\x0b'`,
		"block_time": "now()", "code": "'VERIFIED'", "evidence": "'{}'", "status": "'seen'", "seen_at": "now()",
	},
	"consumed_transfers": {
		"chain": "'eip155:1'", "txid": `'\x0a'`, "position": "'log/1'", "receipt_index": "0", "payment_id": id1,
		"amount": "1000000", "consumed_at": "now()",
	},
	"audit_batches": {"seq": "1", "previous": "''", "digest": `'\x01'`, "events": "1", "at": "now()"},
	"payment_events": {
		"payment_id": id1, "version": "2", "event_id": "'e1'", "kind": "'deadline'", "from_state": "'awaiting_payment'",
		"to_state": "'expired'", "audit_seq": "1", "at": "now()",
	},
	"inbox": {
		"marketplace": "'m'", "webhook_id": "'w1'", "body_sha256": `'\x01'`, "type": "'order.created'", "machine_id": "'x'",
		"order_id": "'o1'", "received_at": "now()", "due_at": "now()",
	},
	"pairings":     {"marketplace": "'m'", "machine_id": "'x'", "pairing_id": "'p'", "address": "'0x'", "created_at": "now()"},
	"chains":       {"chain": "'eip155:1'", "number": "1", "hash": `'\x01'`, "updated_at": "now()"},
	"chain_blocks": {"chain": "'eip155:1'", "number": "1", "hash": `'\x01'`, "time": "now()"},
	"api_keys": {
		"id": id1, "marketplace": "'m'", "name": "'n'", "scope": "'read'", "hash": `'\x01'`, "created_at": "now()",
	},
	"idempotency_keys": {
		"api_key_id": "'k'", "key": "'i'", "request": `'\x01'`, "status": "200", "answer": "''", "created_at": "now()",
	},
}

var tables = []string{
	"payments", "transfers", "consumed_transfers", "audit_batches", "payment_events", "inbox", "pairings", "chains",
	"chain_blocks", "api_keys", "idempotency_keys",
}

// refused says for each constraint which second row it refuses beside the good rows.
var refused = []struct {
	constraint, table string
	change            row
}{
	{"payments_pkey", "payments", row{"order_id": "'o2'", "pay_token_hash": `'\xbb'`}},
	{"payments_one_per_order", "payments", row{"id": id2, "pay_token_hash": `'\xbb'`}},
	{"payments_pay_token_unique", "payments", row{"id": id2, "order_id": "'o2'"}},
	{"payments_version_positive", "payments", row{"version": "0"}},
	{"payments_state_known", "payments", row{"state": "'paid'"}},
	{"payments_back_where_remembered", "payments", row{"state": "'verifying'"}},
	{"payments_back_where_remembered", "payments", row{"back": "'expired'"}},
	{"payments_amount_positive", "payments", row{"amount": "0"}},
	{"payments_terms_complete", "payments", row{"deadline": ""}},
	{"payments_terms_complete", "payments", row{"token": ""}},
	{"payments_payer_known", "payments", row{"proven_payer": ""}},
	{"payments_payer_is_not_payee", "payments", row{"proven_payer": `'\x02'`}},
	{"payments_payer_is_not_payee", "payments", row{"named_payer": `'\x02'`}},
	{"payments_terms_before_payment", "payments", row{
		"chain": "", "token": "", "token_symbol": "", "token_decimals": "", "payee": "", "amount": "", "not_before": "",
		"from_block": "", "deadline": "", "grace_seconds": "", "proven_payer": "",
	}},
	{"payments_paid_when_settled", "payments", row{"state": "'verified'"}},
	{"payments_paid_when_settled", "payments", row{"state": "'released'", "finished_at": "now()"}},
	{"payments_finish_time", "payments", row{"state": "'closed'"}},
	{"payments_finish_time", "payments", row{"finished_at": "now()"}},

	{"transfers_pkey", "transfers", row{}},
	{"transfers_payment_fkey", "transfers", row{"payment_id": id2}},
	{"transfers_amount_positive", "transfers", row{"amount": "0"}},
	{"transfers_status_known", "transfers", row{"status": "'lost'"}},

	{"consumed_transfers_pkey", "consumed_transfers", row{"receipt_index": "7"}},
	{"consumed_transfers_one_per_log", "consumed_transfers", row{"position": "'log/77'"}},
	{"consumed_transfers_payment_fkey", "consumed_transfers", row{"txid": `'\x0c'`, "payment_id": id2}},
	{"consumed_transfers_amount_positive", "consumed_transfers", row{"txid": `'\x0c'`, "amount": "0"}},

	{"audit_batches_pkey", "audit_batches", row{"previous": `'\x01'`, "digest": `'\x02'`}},
	{"audit_batches_digest_unique", "audit_batches", row{"seq": "2", "previous": `'\x01'`}},
	{"audit_batches_previous_unique", "audit_batches", row{"seq": "2", "digest": `'\x02'`}},

	{"payment_events_pkey", "payment_events", row{"event_id": "'e2'"}},
	{"payment_events_once", "payment_events", row{"version": "3"}},
	{"payment_events_payment_fkey", "payment_events", row{"payment_id": id2}},
	{"payment_events_audit_fkey", "payment_events", row{"version": "3", "event_id": "'e2'", "audit_seq": "9"}},

	{"inbox_pkey", "inbox", row{"body_sha256": `'\x02'`}},
	{"pairings_pkey", "pairings", row{"pairing_id": "'q'"}},
	{"chains_pkey", "chains", row{"number": "2"}},
	{"chain_blocks_pkey", "chain_blocks", row{"hash": `'\x02'`}},
	{"api_keys_pkey", "api_keys", row{"hash": `'\x02'`}},
	{"api_keys_hash_unique", "api_keys", row{"id": id2}},
	{"api_keys_scope_known", "api_keys", row{"id": id2, "hash": `'\x02'`, "scope": "'root'"}},
	{"api_keys_all_needs_admin", "api_keys", row{"id": id2, "hash": `'\x02'`, "marketplace": ""}},
	{"idempotency_keys_pkey", "idempotency_keys", row{"request": `'\x02'`}},
}

// books begins a transaction that holds the good rows and is rolled back at the end of the test.
func books(t *testing.T) pgx.Tx {
	t.Helper()
	tx, err := pgtest.New(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) })
	for _, table := range tables {
		if err := rows[table].insert(t.Context(), tx, table); err != nil {
			t.Fatalf("a good row of %s: %v", table, err)
		}
	}
	return tx
}

// attempt runs f in a savepoint and returns the name of the constraint that refused it.
func attempt(t *testing.T, tx pgx.Tx, f func(pgx.Tx) error) (constraint string, err error) {
	t.Helper()
	err = pgx.BeginFunc(t.Context(), tx, func(tx pgx.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return errors.New("accepted")
	})
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgErr.ConstraintName, err
	}
	return "", err
}

func TestConstraintsRefuse(t *testing.T) {
	t.Parallel()
	tx := books(t)
	tried := make(map[string]bool)
	for _, r := range refused {
		tried[r.constraint] = true
		got, err := attempt(t, tx, func(tx pgx.Tx) error { return rows[r.table].with(r.change).insert(t.Context(), tx, r.table) })
		if got != r.constraint {
			t.Errorf("%s with %v: refused by %q (%v), want %s", r.table, r.change, got, err, r.constraint)
		}
	}
	names, err := tx.Query(t.Context(), `select conname from pg_constraint
		where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'p', 'u') and conrelid <> 'goose_db_version'::regclass`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(names, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if !tried[name] {
			t.Errorf("constraint %s is not tested", name)
		}
	}
}

func TestConstraintsAcceptWhatIsTrue(t *testing.T) {
	t.Parallel()
	tx := books(t)
	for _, r := range []struct {
		name, table string
		change      row
	}{
		{"a second log of one transaction", "consumed_transfers", row{"position": "'log/2'", "receipt_index": "1"}},
		{"the transaction's own value beside its logs", "consumed_transfers", row{"position": "'native'", "receipt_index": "null"}},
		{"two places without an index within the receipt", "consumed_transfers", row{"txid": `'\x0d'`, "receipt_index": "null"}},
		{"the same id on another chain", "consumed_transfers", row{"chain": "'eip155:10'"}},
		{"one transfer seen for two payments", "transfers", row{"payment_id": id2}},
		{"the same order id at another marketplace", "payments", row{"id": id2, "marketplace": "'n'", "pay_token_hash": `'\xbb'`}},
		{"the native coin", "payments", row{"id": id2, "order_id": "'o2'", "pay_token_hash": `'\xbb'`, "token": "''"}},
		{"the largest amount", "payments", row{
			"id": id2, "order_id": "'o2'", "pay_token_hash": `'\xbb'`,
			"amount": "115792089237316195423570985008687907853269984665640564039457584007913129639935",
		}},
		{"a key of all marketplaces", "api_keys", row{"id": id2, "hash": `'\x02'`, "marketplace": "", "scope": "'admin'"}},
	} {
		if _, err := attempt(t, tx, func(tx pgx.Tx) error {
			if r.change["payment_id"] == id2 {
				p := rows["payments"].with(row{"id": id2, "order_id": "'o2'", "pay_token_hash": `'\xbb'`})
				if err := p.insert(t.Context(), tx, "payments"); err != nil {
					return err
				}
			}
			return rows[r.table].with(r.change).insert(t.Context(), tx, r.table)
		}); err.Error() != "accepted" {
			t.Errorf("%s: %v", r.name, err)
		}
	}
}

func TestHistoryIsAppendOnly(t *testing.T) {
	t.Parallel()
	tx := books(t)
	for _, table := range []string{"consumed_transfers", "audit_batches", "payment_events"} {
		for _, statement := range []string{
			"update " + table + " set " + map[string]string{
				"consumed_transfers": "payment_id = payment_id", "audit_batches": "events = events", "payment_events": "kind = kind",
			}[table],
			"delete from " + table,
			"truncate " + table + " cascade",
		} {
			_, err := attempt(t, tx, func(tx pgx.Tx) error {
				_, err := tx.Exec(t.Context(), statement)
				return err
			})
			if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.Code != "23000" || !strings.Contains(pgErr.Message, "is append-only") {
				t.Errorf("%s: %v, want append-only", statement, err)
			}
		}
	}
	// A payment that has a history cannot be deleted, nor its table emptied.
	for _, statement := range []string{"delete from payments", "truncate payments cascade"} {
		if _, err := attempt(t, tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), statement)
			return err
		}); err.Error() == "accepted" {
			t.Errorf("%s was accepted", statement)
		}
	}
}
