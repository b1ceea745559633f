package migrations_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/migrations"
)

// balanced completes the good rows so that the ledger's deferred rules hold.
const balanced = "insert into ledger_lines values (" + entry + ", 'held', 1000000)"

// try runs statements, one after the other, in a savepoint at whose end the deferred rules are checked.
func try(t *testing.T, tx pgx.Tx, statements ...string) (constraint string, err error) {
	t.Helper()
	return attempt(t, tx, func(tx pgx.Tx) error {
		for _, statement := range statements {
			if _, err := tx.Exec(t.Context(), statement); err != nil {
				return err
			}
		}
		_, err := tx.Exec(t.Context(), "set constraints all immediate")
		return err
	})
}

// What no constraint of a single row can say.
func TestMoneyRulesRefuse(t *testing.T) {
	t.Parallel()
	tx := books(t)
	insert := func(table string, change row) string {
		r := rows[table].with(change)
		var columns, values []string
		for column, value := range r {
			if value != "" {
				columns, values = append(columns, column), append(values, value)
			}
		}
		return "insert into " + table + " (" + strings.Join(columns, ", ") + ") values (" + strings.Join(values, ", ") + ")"
	}
	own := func(change row) string {
		return insert("movements", row{"part": "1", "to_payee": "0", "source": "'operator_wallet'", "vault": "", "receiver": "'\\x15'"}.with(change))
	}
	fee := func(entry string, kept, sent int) string {
		return fmt.Sprintf("insert into ledger_lines select %s, a.account, a.amount from (values ('fee', %d), ('payer_fee', %d)) a (account, amount)", entry, kept, sent)
	}
	posted := func(lines string) string {
		return "set constraints movements_divided immediate; insert into ledger_lines select e.id, a.account, a.amount from ledger_entries e, (values " + lines +
			") a (account, amount) where e.part = 0"
	}
	second := insert("movements", row{"part": "1", "to_payer": "1", "state": "'proposed'"})
	cancel := "update movements set state = 'cancelled' where part = 0"
	slot := ", signer = '\\x05', nonce = 0"
	more := insert("transfers", row{"position": "'log/9'", "receipt_index": "9"})
	for _, tt := range []struct {
		name, constraint string
		statements       []string
	}{
		{"more than was received", "movements_within_received", []string{insert("movements", row{"part": "1", "to_payee": "0", "to_payer": "400001"})}},
		{"from our own wallet, more than was received", "movements_within_received", []string{
			own(row{"to_payer": "400001"}),
		}},
		{"all of it from our own wallet, and something stays", "movements_leave_nothing", []string{balanced, cancel, own(row{"to_payer": "999999", "purpose": "'refund'"})}},
		{"more than was left after a part", "movements_within_received", []string{
			cancel, own(row{"to_payer": "600000", "state": "'reverted'", "signer": "'\\x05'", "nonce": "0"}),
			own(row{"part": "2", "to_payer": "600000", "state": "'final'", "signer": "'\\x05'", "nonce": "0"}), own(row{"part": "3", "to_payer": "400001"}),
		}},
		{"a surplus out of the price, from our own wallet", "movements_surplus_above_price", []string{balanced, cancel, own(row{"to_payer": "1", "purpose": "'surplus'"})}},
		{"our own money for the payee", "movements_own_money_of_direct", []string{balanced, cancel, own(row{"to_payer": "1", "receiver": "'\\x02'"})}},
		{"our own money for what is in a vault", "movements_own_money_of_direct", []string{balanced, cancel, "update payments set custody = 'vault'", own(row{"to_payer": "1"})}},
		{"another receiver", "movements_kept", []string{cancel, own(row{"to_payer": "1"}), "update movements set receiver = '\\x16' where part = 1"}},
		{"more than the price for the payee", "movements_payee_within_price", []string{
			more, insert("ledger_entries", row{"position": "'log/9'"}),
			"insert into ledger_lines select id, 'payer', -2000000 from ledger_entries where position = 'log/9'",
			insert("movements", row{"part": "1", "to_payee": "1000001", "to_payer": "0", "purpose": "'release'"}),
		}},
		{"two decisions about one sum under way", "movements_one_under_way", []string{second}},
		{"a part used twice", "movements_pkey", []string{cancel, insert("movements", row{"to_payer": "1"})}},
		{"back to approved", "movements_forward", []string{cancel, "update movements set state = 'approved' where part = 0"}},
		{"sent without bytes", "movements_forward", []string{"update movements set state = 'sent'" + slot + " where part = 0"}},
		{"final without being sent", "movements_forward", []string{
			"update movements set state = 'prepared'" + slot + " where part = 0", "update movements set state = 'final' where part = 0",
		}},
		{"a token account that is made again", "token_accounts_forward", []string{
			"update token_accounts set state = 'open'", "update token_accounts set state = 'asked'",
		}},
		{"a token account that is forgotten", "token_accounts_kept", []string{"delete from token_accounts"}},
		{"another amount", "movements_kept", []string{"update movements set to_payer = 1 where part = 0"}},
		{"another slot", "movements_kept", []string{
			insert("signer_slots", row{"nonce": "1"}),
			"update movements set state = 'prepared'" + slot + " where part = 0", "update movements set state = 'signed', nonce = 1 where part = 0",
		}},
		{"a split of less than is held", "movements_leave_nothing", []string{
			balanced, cancel, insert("movements", row{"part": "1", "to_payee": "1", "to_payer": "999998", "purpose": "'split'"}),
		}},
		{"a refund of less than is held", "movements_leave_nothing", []string{
			balanced, cancel, insert("movements", row{"part": "1", "to_payer": "999999", "purpose": "'refund'"}),
		}},
		{"a part that is all", "movements_part_leaves_something", []string{balanced, cancel, insert("movements", row{"part": "1", "to_payer": "1000000"})}},
		{"a surplus out of the price", "movements_surplus_above_price", []string{
			balanced, cancel, insert("movements", row{"part": "1", "to_payer": "1", "purpose": "'surplus'"}),
		}},
		{"a movement that is gone", "movements_kept", []string{"delete from movements where part = 0"}},
		{"other terms of a vault", "vaults_kept", []string{"update vaults set payer = '\\x13'"}},
		{"a vault of another payment", "vaults_kept", []string{"update vaults set payment_id = null"}},
		{"a rehearsal that did not happen", "rehearsals_kept", []string{"update rehearsals set token = '\\x13'"}},
		{"a rehearsal that is gone", "rehearsals_kept", []string{"delete from rehearsals"}},
		{"a rehearsal that ends twice", "rehearsals_kept", []string{
			"update rehearsals set problem = 'p', ended_at = now()",
			"update rehearsals set problem = '', deposit_txid = '\\x01', pay_txid = '\\x02', reclaim_txid = '\\x03'",
		}},
		{"a vault that is gone", "vaults_kept", []string{cancel, "delete from vaults"}},
		{"an entry that is not balanced", "ledger_balanced", []string{insert("ledger_lines", row{"account": "'held'", "amount": "999999"})}},
		{"a fee of a transfer of which nothing was kept", "ledger_fee_of_cause", []string{balanced, fee(entry, 5, -5)}},
		{"another fee than was kept", "ledger_fee_of_cause", []string{balanced, "update transfers set withheld = 4", fee(entry, 5, -5)}},
		{"a fee that is paid out of what arrived", "ledger_fee_of_cause", []string{
			"update transfers set withheld = 5", "insert into ledger_lines select " + entry + ", a.account, a.amount from (values ('held', 999995), ('fee', 5)) a (account, amount)",
		}},
		{"a fee of what others took out", "ledger_fee_of_cause", []string{
			balanced, "insert into ledger_lines select id, a.account, a.amount from ledger_entries, (values ('held', -5), ('fee', 5)) a (account, amount) where event_txid is not null",
		}},
		{"a fee of a movement that the payee gets", "ledger_fee_of_cause", []string{
			balanced, posted("('held', -600000), ('payee', 599999), ('fee', 1)"),
		}},
		{"a fee of less than was moved", "ledger_fee_of_cause", []string{balanced, posted("('held', -599999), ('refund', 599998), ('fee', 1)")}},
		{"more out of a vault than arrived", "ledger_held_covered", []string{
			balanced, "set constraints movements_divided immediate",
			"insert into ledger_lines select id, 'held', -1000001 from ledger_entries where part = 0",
			"insert into ledger_lines select id, 'payee', 1000001 from ledger_entries where part = 0",
		}},
		{"what others took out, moved again", "movements_leave_what_was_taken", []string{
			balanced,
			"insert into ledger_lines select id, a.account, a.amount from ledger_entries, (values ('held', -300000), ('payee', 300000)) a (account, amount) where event_txid is not null",
			insert("movements", row{"part": "1", "to_payee": "0", "to_payer": "100001", "state": "'cancelled'"}),
		}},
		{"a ledger that is opened again", "ledger_closed_kept", []string{"update ledger_closed set until = until - interval '1 second'"}},
		{"a closing that is forgotten", "ledger_closed_kept", []string{"delete from ledger_closed"}},
	} {
		if got, err := try(t, tx, tt.statements...); got != tt.constraint {
			t.Errorf("%s: refused by %q (%v), want %s", tt.name, got, err, tt.constraint)
		}
	}
	for name, statements := range map[string][]string{
		"the way of a movement": {
			balanced,
			"update movements set state = 'prepared'" + slot + " where part = 0", "update movements set state = 'signed' where part = 0",
			"update movements set state = 'sent' where part = 0", "update movements set state = 'final' where part = 0",
		},
		"the next part after one that was reverted": {
			balanced,
			"update movements set state = 'prepared'" + slot + " where part = 0", "update movements set state = 'signed' where part = 0",
			"update movements set state = 'sent' where part = 0", "update movements set state = 'reverted' where part = 0",
			insert("movements", row{"part": "1", "to_payee": "1000000", "to_payer": "0", "purpose": "'release'"}),
		},
		"a slot that was never signed and ends": {
			balanced,
			"update movements set state = 'prepared'" + slot + " where part = 0",
			"update signer_slots set state = 'final', txid = null, void = 'refused' where nonce = 0", "update movements set state = 'reverted' where part = 0",
			insert("movements", row{"part": "1", "to_payee": "1000000", "to_payer": "0", "purpose": "'release'"}),
		},
		"what a token keeps of a transfer and of a movement": {
			balanced, "update transfers set withheld = 5", fee(entry, 5, -5), posted("('held', -600000), ('refund', 599990), ('fee', 10)"),
		},
		"a movement of which the token keeps all": {balanced, posted("('held', -600000), ('fee', 600000)")},
		"all of it back out of our own wallet":    {balanced, cancel, own(row{"to_payer": "1000000", "purpose": "'refund'"})},
		"a split of all that is held": {
			balanced, cancel, insert("movements", row{"part": "1", "to_payee": "1", "to_payer": "999999", "purpose": "'split'"}),
		},
	} {
		if _, err := try(t, tx, statements...); err.Error() != "accepted" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, table := range []string{"ledger_entries", "ledger_lines", "ledger_totals", "slot_transactions"} {
		for _, statement := range []string{"delete from " + table, "truncate " + table + " cascade"} {
			_, err := try(t, tx, balanced, "set constraints all immediate", statement)
			if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || !strings.Contains(pgErr.Message, "is append-only") {
				t.Errorf("%s: %v, want append-only", statement, err)
			}
		}
	}
}

// databaseOf is a database of an older version.
func databaseOf(t *testing.T, version int64) *pgxpool.Pool {
	t.Helper()
	pool := pgtest.New(t)
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { _ = db.Close() })
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	return pool
}

// A database of the version before, with money in it, gets a ledger that knows of that money.
func TestLedgerKnowsWhatCameBefore(t *testing.T) {
	t.Parallel()
	pool := databaseOf(t, 7)
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		for _, table := range []string{"payments", "transfers", "consumed_transfers"} {
			if err := rows[table].insert(t.Context(), tx, table); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrations.Up(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	var got string
	err = pool.QueryRow(context.WithoutCancel(t.Context()), `select string_agg(account || ' ' || amount, ', ' order by account) from ledger_balances`).Scan(&got)
	if err != nil || got != "payee 1000000, payer -1000000" {
		t.Errorf("the ledger says %q (%v)", got, err)
	}
}

// A payment that was frozen in the version before has a dispute afterwards, with as much time as one that is frozen now, and is
// due, so that its deadlines are watched. One that is not frozen has none.
func TestFrozenPaymentGetsADispute(t *testing.T) {
	t.Parallel()
	pool := databaseOf(t, 22)
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		for _, p := range []row{
			{
				"state": "'frozen'", "back": "'held'", "paid_by": `'\x0a'`, "due_at": "'9999-01-01 00:00:00+00'", "state_since": "'2026-01-02 03:04:05+00'",
			},
			{"id": id2, "order_id": "'o2'", "pay_token_hash": `'\xbb'`, "reference": "", "state": "'held'", "paid_by": `'\x0c'`, "due_at": "'9999-01-01 00:00:00+00'"},
		} {
			if err := rows["payments"].with(p).insert(t.Context(), tx, "payments"); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrations.Up(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	query, err := pool.Query(t.Context(), `
		select concat_ws(' ', p.order_id, p.state, p.version, case when p.due_at <= now() then 'due' else 'not due' end, d.number, d.opener, d.reason, d.party,
		                 d.default_outcome, d.opened_at at time zone 'UTC', d.told, d.closed_at, round(extract(epoch from d.respond_by - now()) / 3600) || ' h',
		                 round(extract(epoch from d.decide_by - now()) / 3600) || ' h', num_nulls(d.answered_at, d.to_payee, d.decided_at, d.appealed_at))
		from payments p left join disputes d on d.payment_id = p.id order by p.order_id`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(query, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"o1 frozen 1 due 1 orchestrator unstated payer none 2026-01-02 03:04:05 t 72 h 240 h 4", "o2 held 1 not due 4"}
	if !slices.Equal(got, want) {
		t.Errorf("after the migration: got %q, want %q", got, want)
	}
}

// What was final in the version before is taken for seen: its block's hash was not kept.
func TestFinalSlotOfTheVersionBeforeIsSeen(t *testing.T) {
	t.Parallel()
	pool := databaseOf(t, 42)
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		if err := rows["signers"].insert(t.Context(), tx, "signers"); err != nil {
			return err
		}
		return rows["signer_slots"].with(row{"state": "'final'", "txid": `'\x19'`, "block_number": "7"}).insert(t.Context(), tx, "signer_slots")
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrations.Up(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	var seen bool
	if err := pool.QueryRow(t.Context(), "select unseen_hash is null and block_number = 7 from signer_slots").Scan(&seen); err != nil || !seen {
		t.Errorf("seen: %t (%v)", seen, err)
	}
}
