//go:build unix

package pgtest

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// goodBooks are those of one order, paid and held, and of one that is new.
func goodBooks(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool := New(t)
	now := time.Now().UTC()
	id := settlement.PaymentID{15: 1}
	txid := settlement.TxID(strings.Repeat("\x0a", 32))
	record := func(version int64, kind settlement.EventKind, from, to settlement.State) store.Record {
		return store.Record{Payment: id, Version: version, EventID: string(kind), Kind: kind, From: from, To: to}
	}
	confirmed := record(3, settlement.EventPaymentConfirmed, settlement.StateAwaitingPayment, settlement.StateVerified)
	confirmed.TxID = txid
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		for _, sql := range []string{
			`insert into payments (id, marketplace, order_id, machine_id, version, state, chain, token, token_symbol, token_decimals, payee,
				amount, proven_payer, not_before, from_block, deadline, grace_seconds, paid_by, pay_token_hash, due_at, created_at, updated_at)
			values ('00000000-0000-0000-0000-000000000001', 'm', 'paid', 'x', 4, 'held', 'eip155:1', '\x01', 'TUSD', 6, '\x02',
				1500000, '\x03', now(), 100, now(), 60, decode(repeat('0a', 32), 'hex'), '\xaa', now(), now(), now()),
			('00000000-0000-0000-0000-000000000002', 'm', 'new', 'x', 1, 'new', null, null, null, null, null,
				null, null, null, null, null, null, null, '\xbb', now(), now(), now())`,
			`insert into transfers (payment_id, chain, txid, position, receipt_index, token, payer, payee, amount, block_number, block_hash,
				block_time, code, evidence, status, seen_at)
			values ('00000000-0000-0000-0000-000000000001', 'eip155:1', decode(repeat('0a', 32), 'hex'), 'log/0', 0, '\x01', '\x03', '\x02',
				1500000, 101, '\x0b', now(), 'VERIFIED', '{}', 'final', now())`,
			`insert into consumed_transfers (chain, txid, position, receipt_index, payment_id, amount, consumed_at)
			values ('eip155:1', decode(repeat('0a', 32), 'hex'), 'log/0', 0, '00000000-0000-0000-0000-000000000001', 1500000, now())`,
		} {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				return err
			}
		}
		for _, batch := range [][]store.Record{
			{record(2, settlement.EventIntentReady, settlement.StateNew, settlement.StateAwaitingPayment), confirmed},
			{record(4, settlement.EventProofAccepted, settlement.StateVerified, settlement.StateHeld)},
		} {
			if err := store.AppendHistory(t.Context(), tx, batch, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func TestCheckBooksPassesGoodOnes(t *testing.T) {
	t.Parallel()
	CheckBooks(t, New(t))
	CheckBooks(t, goodBooks(t))
}

func TestCheckBooksFindsBreaches(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, change, breach string }{
		{"a payment that no transfer paid", `delete from consumed_transfers`, "settled without a consumed transfer"},
		{"another amount than the price", `update payments set amount = 1500001 where order_id = 'paid'`, "settled without a consumed transfer"},
		{"a transfer that another transaction's payment consumed", `update payments set paid_by = '\xff' where order_id = 'paid'`, "settled by another transaction"},
		{"a payment that is no longer settled", `update payments set paid_by = null, state = 'expired' where order_id = 'paid'`, "settled by another transaction or by none"},
		{"a second consumed transfer", `insert into consumed_transfers (chain, txid, position, payment_id, amount, consumed_at)
			select chain, txid, 'log/9', payment_id, amount, now() from consumed_transfers`, "several consumed transfers"},
		{"a transfer that is not final", `update transfers set status = 'withdrawn'`, "was not seen as final"},
		{"a transfer to somebody else", `update transfers set payee = '\xff'`, "not what the payment asks for"},
		{"a transfer by somebody else", `update transfers set payer = '\xff'`, "not what the payment asks for"},
		{"a transfer older than the terms", `update transfers set block_number = 100`, "not what the payment asks for"},
		{"a consumption that no event made", `update payment_events set kind = 'transfer_seen' where version = 3`, "without the event"},
		{"a proof before the payment", `update payment_events set version = 9 where version = 3`, "proof accepted before"},
		{"an event that is gone", `delete from payment_events where version = 3`, "history with a gap"},
		{"a version without an event", `update payments set version = 2 where order_id = 'new'`, "history with a gap"},
		{"a state that no event led to", `update payments set state = 'release_pending' where order_id = 'paid'`, "ends in another state"},
		{"an event from elsewhere", `update payment_events set from_state = 'expired' where version = 3`, "begins in another state"},
		{"an event that was changed", `update payment_events set detail = 'changed' where version = 3`, "audit batch 1 does not match its events"},
		{"a batch that was changed", `update audit_batches set digest = '\xff' where seq = 1`, "audit batch 2 does not follow"},
		{"a batch that is gone", `delete from audit_batches where seq = 1`, "audit batch 2 stands in place 1"},
		{"a batch that lost an event", `update payment_events set audit_seq = 2 where version = 3`, "audit batch 1 has 2 events, recorded are 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pool := goodBooks(t)
			err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
				// Past triggers and references, as a hand in the database could go.
				if _, err := tx.Exec(t.Context(), "set local session_replication_role = replica"); err != nil {
					return err
				}
				_, err := tx.Exec(t.Context(), tt.change)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			breaches, err := breachesIn(t.Context(), pool)
			if err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(breaches, "\n"); !strings.Contains(all, tt.breach) {
				t.Errorf("got %q, want %q among them", all, tt.breach)
			}
		})
	}
}
