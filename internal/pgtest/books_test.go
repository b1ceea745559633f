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

// goodBooks are those of one order, paid and held, of one that is new, and of one that was paid into a vault and released.
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
			('00000000-0000-0000-0000-000000000003', 'm', 'vault', 'x', 8, 'new', 'eip155:1', '\x01', 'TUSD', 6, '\x22',
				2000000, '\x03', now(), 100, now(), 60, decode(repeat('0c', 32), 'hex'), '\xcc', now(), now(), now()),
			('00000000-0000-0000-0000-000000000002', 'm', 'new', 'x', 1, 'new', null, null, null, null, null,
				null, null, null, null, null, null, null, '\xbb', now(), now(), now())`,
			`insert into transfers (payment_id, chain, txid, position, receipt_index, token, payer, payee, amount, block_number, block_hash,
				block_time, code, evidence, status, seen_at)
			values ('00000000-0000-0000-0000-000000000001', 'eip155:1', decode(repeat('0a', 32), 'hex'), 'log/0', 0, '\x01', '\x03', '\x02',
				1500000, 101, '\x0b', now(), 'VERIFIED', '{}', 'final', now()),
			('00000000-0000-0000-0000-000000000003', 'eip155:1', decode(repeat('0c', 32), 'hex'), 'log/0', 0, '\x01', '\x03', '\x22',
				2000000, 101, '\x0b', now(), 'VERIFIED', '{}', 'final', now())`,
			`update transfers set withheld = 5 where amount = 2000000`,
			`insert into consumed_transfers (chain, txid, position, receipt_index, payment_id, amount, consumed_at)
			values ('eip155:1', decode(repeat('0a', 32), 'hex'), 'log/0', 0, '00000000-0000-0000-0000-000000000001', 1500000, now()),
			('eip155:1', decode(repeat('0c', 32), 'hex'), 'log/0', 0, '00000000-0000-0000-0000-000000000003', 2000000, now())`,
			`update payments set received = amount where paid_by is not null`,
			`update payments set custody = 'vault', payout = 'release', paid_out = '\x0e', state = 'released', finished_at = now() where order_id = 'vault'`,
			`insert into vaults (chain, address, marketplace, reference, payment_id, order_key, token, amount, payer, payee, operator, arbiter, reclaim_at,
				dispute_at, default_to_payee, created_at)
			values ('eip155:1', '\x22', 'm', 'r', '00000000-0000-0000-0000-000000000003', '\x01', '\x01', 2000000, '\x03', '\x04', '\x05', '\x06', now(),
				now() + interval '1 day', 0, now())`,
			`insert into signers (chain, address, next_nonce, updated_at) values ('eip155:1', '\x05', 8, now())`,
			`insert into signer_slots (chain, signer, nonce, target, calldata, calldata_hash, gas_limit, state, txid, created_at, updated_at)
			values ('eip155:1', '\x05', 7, '\x07', '', sha256(''), 1, 'final', '\x0e', now(), now())`,
			`insert into slot_transactions (chain, signer, nonce, attempt, txid, raw, max_fee, tip, last_height, signed_at)
			values ('eip155:1', '\x05', 7, 0, '\x0e', '', 1, 0, 0, now())`,
			`insert into ledger_entries (payment_id, chain, token, txid, position, at)
			select payment_id, chain, token, txid, position, now() from transfers`,
			`insert into ledger_lines select e.id, l.account, l.amount from ledger_entries e join payments p on p.id = e.payment_id
			cross join lateral (values ('payer', -p.amount), (case p.custody when 'vault' then 'held' else 'payee' end, p.amount)) l (account, amount)`,
			`insert into ledger_lines select e.id, l.account, l.amount from ledger_entries e join payments p on p.id = e.payment_id and p.custody = 'vault'
			cross join lateral (values ('payer_fee', -5), ('fee', 5)) l (account, amount)`,
			`insert into movements (payment_id, part, purpose, source, chain, token, vault, to_payee, to_payer, state, signer, nonce, created_at, updated_at)
			values ('00000000-0000-0000-0000-000000000003', 0, 'release', 'vault', 'eip155:1', '\x01', '\x22', 2000000, 0, 'final', '\x05', 7, now(), now())`,
			`set constraints movements_divided immediate`, // while it is still held
		} {
			if _, err := tx.Exec(t.Context(), sql); err != nil {
				return err
			}
		}
		settled := settlement.PaymentID{15: 3}
		if err := store.PostMovements(t.Context(), tx, []store.PaidMovement{{Movement: settlement.Movement{Payment: settled}, Withheld: settlement.Division{ToPayee: settlement.NewAmount(3)}}}, now); err != nil {
			return err
		}
		slot := settlement.Slot{Sender: "\x05", Nonce: 7}
		if err := store.PostGas(t.Context(), tx, "eip155:1", slot, settlement.SlotOutcome{Gas: settlement.NewAmount(21_000)}, now); err != nil {
			return err
		}
		var vault []store.Record
		at := settlement.StateNew
		for i, step := range []struct {
			kind settlement.EventKind
			to   settlement.State
		}{
			{settlement.EventIntentReady, settlement.StateAwaitingPayment},
			{settlement.EventPaymentConfirmed, settlement.StateVerified},
			{settlement.EventProofAccepted, settlement.StateHeld},
			{settlement.EventOrderAccepted, settlement.StateReleasePending},
			{settlement.EventPayoutPrepared, settlement.StateReleasePending},
			{settlement.EventPaidOut, settlement.StateReleasePending},
			{settlement.EventReleased, settlement.StateReleased},
		} {
			r := record(int64(i+2), step.kind, at, step.to)
			r.Payment, r.TxID, at = settled, settlement.TxID(strings.Repeat("\x0c", 32)), step.to
			vault = append(vault, r)
		}
		for _, batch := range [][]store.Record{
			{record(2, settlement.EventIntentReady, settlement.StateNew, settlement.StateAwaitingPayment), confirmed},
			{record(4, settlement.EventProofAccepted, settlement.StateVerified, settlement.StateHeld)},
			vault,
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
		{"a payment that no transfer paid", `delete from consumed_transfers where amount = 1500000`, "settled without a consumed transfer"},
		{"another amount than the price", `update payments set amount = 1500001 where order_id = 'paid'`, "settled without a consumed transfer"},
		{"a transfer that another transaction's payment consumed", `update payments set paid_by = '\xff' where order_id = 'paid'`, "settled by another transaction"},
		{"a payment that is no longer settled", `update payments set paid_by = null, received = 0, state = 'expired' where order_id = 'paid'`, "settled by another transaction or by none"},
		{"less than the price", `update payments set amount = 1500001, under_by = 1 where order_id = 'paid'`, "settled without a consumed transfer"},
		{"more received than was consumed", `update payments set received = 1500001 where order_id = 'paid'`, "has not received"},
		{"a second consumed transfer", `insert into consumed_transfers (chain, txid, position, payment_id, amount, consumed_at)
			select chain, txid, 'log/9', payment_id, amount, now() from consumed_transfers`, "several consumed transfers"},
		{"a transfer that is not final", `update transfers set status = 'withdrawn'`, "was not seen as final"},
		{"a transfer to somebody else", `update transfers set payee = '\xff'`, "not what the payment asks for"},
		{"a transfer by somebody else", `update transfers set payer = '\xff'`, "not what the payment asks for"},
		{"a part where none is asked for", `update transfers set code = 'AMOUNT_MISMATCH', detail = 'part'`, "not what the payment asks for"},
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
		{"a transfer that is not in the ledger", `delete from ledger_lines where amount = -1500000`, "not in the ledger"},
		{"an entry of a transfer that settled nothing", `update ledger_entries set position = 'log/9' where txid = decode(repeat('0a', 32), 'hex');
			insert into transfers select payment_id, chain, txid, 'log/9', null, token, payer, payee, amount, block_number, block_hash, block_time,
			code, detail, evidence, status, seen_at from transfers where position = 'log/0'`, "no payment is settled by"},
		{"totals that nothing adds up to", `insert into ledger_totals values ('1960-01-01 00:00:00+00', 'm', 'eip155:1', '', 'held', 1)`, "not what the ledger says"},
		{"a vault's money at the payee", `update ledger_lines set account = 'payee' where account = 'held' and amount > 0`, "in another account"},
		{"a fee of a transfer that is not posted", `delete from ledger_lines where account in ('fee', 'payer_fee') and amount in (-5, 5)`, "another fee than its token has kept"},
		{"a fee that no transfer says", `update transfers set withheld = 0`, "another fee than its token has kept"},
		{"a fee that the payee has paid twice", `update ledger_lines set amount = amount - 1 where account = 'payee' and amount = 1999997`, "where all that left went"},
		{"a fee that made the payee richer", `update ledger_lines set amount = amount + 4 where account = 'payee' and amount = 1999997;
			delete from ledger_lines where account = 'fee' and amount = 3; update ledger_lines set amount = amount - 1 where account = 'held' and amount < 0`, "where all that left went"},
		{"a fee of gas", `update ledger_lines set account = 'fee' where account = 'gas'`, "what no token has kept"},
		{"a vault with other terms", `update vaults set amount = 1`, "not the one that was handed out"},
		{"a vault of a direct payment", `update payments set custody = '' where order_id = 'vault'`, "pays elsewhere"},
		{"a movement that was not posted", `delete from ledger_entries where part = 0`, "final movement that is not posted"},
		{"a movement that was posted too early", `update movements set state = 'sent'`, "posted movement that is not final"},
		{"a movement beside its slot", `update signer_slots set state = 'signed', txid = null`, "not in the state of its slot"},
		{
			"a token account that nothing makes any more", `insert into token_accounts values ('eip155:1', '\x22', '\x05', 'creating', 7, '', now(), now(), now())`,
			"by a slot that has ended",
		},
		{"a nonce that is still to come", `update signers set next_nonce = 7`, "has not come to"},
		{"bytes that are gone", `delete from slot_transactions`, "without stored bytes"},
		{"a payment by no transaction", `update signer_slots set txid = null, void = 'refused'`, "a slot without a transaction has carried out"},
		{"gas that was not posted", `delete from ledger_entries where nonce = 7`, "gas is not posted"},
		{"a movement for something else", `update movements set purpose = 'refund', to_payee = 0, to_payer = 1`, "did not move it for that"},
		{"money on its way unsaid", `update movements set state = 'sent'`, "does not say so"},
		{"a movement that nobody asks for", `update movements set state = 'approved', signer = null, nonce = null`, "asks for none"},
		{"a return while nothing may move", `update movements set state = 'approved', signer = null, nonce = null, purpose = 'partial_refund', to_payee = 0, to_payer = 1;
			update payments set state = 'frozen', back = 'held', finished_at = null where order_id = 'vault'`, "asks for none"},
		{"a split that paid one side", `update payments set state = 'split', payout = 'split' where order_id = 'vault'`, "ledger says otherwise"},
		{"a release that paid nobody", `delete from ledger_lines where account = 'payee' and amount = 1999997`, "ledger says otherwise"},
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
