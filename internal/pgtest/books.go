//go:build unix

package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// rules are what holds at every moment beyond the constraints of the schema. Each query returns a row per breach.
var rules = []struct{ breach, query string }{
	{"order with several payments", `
		select marketplace || ' ' || order_id from payments group by marketplace, order_id having count(*) > 1`},
	// A person may accept another amount than the price; the history says so. The terms may take less, a token's policy or the
	// terms more; a flag says so.
	{"payment is settled without a consumed transfer of its transaction and price", `
		select p.id::text from payments p
		where p.paid_by is not null
		  and not exists (select from consumed_transfers c
		                  where c.payment_id = p.id and c.chain = p.chain and c.txid = p.paid_by and
		                        (p.received = p.amount or p.received > p.amount and 'overpaid' = any (p.flags)
		                         or p.received between p.amount - p.under_by and p.amount and 'underpaid' = any (p.flags)
		                         or exists (select from payment_events e where e.payment_id = p.id and e.kind = 'accepted_as_paid' and e.txid = c.txid)))`},
	{"payment has not received what its consumed transfers brought", `
		select p.id::text from payments p
		where p.received <> (select coalesce(sum(c.amount), 0) from consumed_transfers c where c.payment_id = p.id)`},
	{"consumed transfer whose payment is settled by another transaction or by none", `
		select c.payment_id::text from consumed_transfers c join payments p on p.id = c.payment_id
		where p.paid_by is distinct from c.txid and not p.parts
		      and not exists (select from payment_events e where e.payment_id = p.id and e.kind = 'transfer_accepted' and e.txid = c.txid)
		   or p.chain is distinct from c.chain`},
	{"payment with several consumed transfers that nobody has accepted", `
		select c.payment_id::text from consumed_transfers c join payments p on p.id = c.payment_id
		where not p.parts and not exists (select from payment_events e where e.payment_id = p.id and e.kind = 'transfer_accepted' and e.txid = c.txid)
		group by c.payment_id having count(*) > 1`},
	{"consumed transfer that was not seen as final for its payment, or is not what the payment asks for", `
		select c.payment_id::text from consumed_transfers c join payments p on p.id = c.payment_id
		where not exists (
			select from transfers t
			where t.payment_id = c.payment_id and t.chain = c.chain and t.txid = c.txid and t.position = c.position and t.status = 'final'
			  and t.amount = c.amount and t.token = p.token and t.payee = p.payee
			  and (exists (select from payment_events e where e.payment_id = p.id and e.kind in ('accepted_as_paid', 'transfer_accepted') and e.txid = t.txid)
			       or (t.code = 'VERIFIED' or p.parts and t.code = 'AMOUNT_MISMATCH' and t.detail = 'part')
			  and (t.payer = p.proven_payer or t.payer = p.named_payer or p.custody = 'vault' or p.any_payer or position(p.reference in t.reference_keys) % 32 = 1
			       or exists (select from payer_proofs f where f.payment_id = p.id and f.chain = t.chain and f.txid = t.txid and f.signer = t.payer))
			  and t.block_number > p.from_block))`},
	{"consumed transfer without the event that consumed it", `
		select c.payment_id::text from consumed_transfers c
		where not exists (select from payment_events e
		                  where e.payment_id = c.payment_id and e.kind in ('payment_confirmed', 'payment_part', 'accepted_as_paid', 'transfer_accepted')
		                    and e.txid = c.txid)`},
	{"proof accepted before the payment was settled", `
		select e.payment_id::text from payment_events e
		where e.kind = 'proof_accepted' and not exists (
			select from payment_events s where s.payment_id = e.payment_id and s.version < e.version
			  and s.kind in ('payment_confirmed', 'payment_part', 'accepted_as_paid'))`},
	// A payment is recorded with version 1 and without an event; every event raises the version by one.
	{"history with a gap, or that ends before or after the payment's version", `
		select p.id::text from payments p left join payment_events e on e.payment_id = p.id
		group by p.id having count(e.version) <> p.version - 1 or coalesce(max(e.version), 1) <> p.version`},
	{"history that ends in another state than the payment is in", `
		select p.id::text from payments p left join payment_events e on e.payment_id = p.id and e.version = p.version
		where p.state <> coalesce(e.to_state, 'new')`},
	{"event that begins in another state than the one before ended in", `
		select payment_id::text from (
			select payment_id, from_state, lag(to_state, 1, 'new') over (partition by payment_id order by version) as before
			from payment_events) e
		where from_state <> before`},

	{"frozen payment that nothing is disputed about, or open dispute about one that is not frozen", `
		select p.id::text from payments p
		where (p.state = 'frozen') <> exists (select from disputes d where d.payment_id = p.id and d.closed_at is null)`},
	{"consumed transfer that is not in the ledger with its amount", `
		select c.payment_id::text from consumed_transfers c
		where not exists (
			select from ledger_entries e join ledger_lines l on l.entry_id = e.id
			where e.chain = c.chain and e.txid = c.txid and e.position = c.position and e.payment_id = c.payment_id
			  and l.account = 'payer' and l.amount = -c.amount)`},
	{"ledger entry of a transfer that is not final, or that no payment is settled by and no vault got", `
		select e.id::text from ledger_entries e
		join transfers t on t.payment_id = e.payment_id and t.chain = e.chain and t.txid = e.txid and t.position = e.position
		join payments p on p.id = e.payment_id
		where t.status <> 'final' or p.custody <> 'vault' and not exists (
			select from consumed_transfers c where c.chain = e.chain and c.txid = e.txid and c.position = e.position)`},
	{"totals that are not what the ledger says, or of a day that is not closed", `
		select distinct t.until::text from ledger_totals t
		where t.until > (select until from ledger_closed) or t.amount <> coalesce((
			select sum(l.amount) from ledger_entries e join ledger_lines l on l.entry_id = e.id left join payments p on p.id = e.payment_id
			where e.at < t.until and coalesce(p.marketplace, '') = t.marketplace and e.chain = t.chain and e.token = t.token and l.account = t.account), 0)`},
	{"money of a vault that is in another account, or of nobody's vault that is held", `
		select p.id::text from payments p join ledger_entries e on e.payment_id = p.id and e.txid is not null join ledger_lines l on l.entry_id = e.id
		where l.account not in ('payer', 'payer_fee', 'fee', case p.custody when 'vault' then 'held' else 'payee' end)`},
	{"transfer whose entry says another fee than its token has kept", `
		select e.id::text from ledger_entries e
		join transfers t on t.payment_id = e.payment_id and t.chain = e.chain and t.txid = e.txid and t.position = e.position
		left join ledger_lines f on f.entry_id = e.id and f.account = 'fee'
		left join ledger_lines p on p.entry_id = e.id and p.account = 'payer_fee'
		where (coalesce(f.amount, 0), coalesce(p.amount, 0)) <> (t.withheld, -t.withheld)`},
	{"movement whose entry says otherwise where all that left went", `
		select m.payment_id::text from movements m join ledger_entries e on e.payment_id = m.payment_id and e.part = m.part
		where (select (coalesce(sum(l.amount) filter (where l.account = case m.source when 'vault' then 'held' else 'operator' end), 0),
		               coalesce(sum(l.amount) filter (where l.account in ('payee', 'refund', 'fee')), 0),
		               coalesce(sum(l.amount) filter (where l.account = 'payee'), 0) between 0 and m.to_payee,
		               coalesce(sum(l.amount) filter (where l.account = 'refund'), 0) between 0 and m.to_payer)
		       from ledger_lines l where l.entry_id = e.id)
		      is distinct from (-m.to_payee - m.to_payer, m.to_payee + m.to_payer, true, true)`},
	{"fee of what no token has kept", `
		select e.id::text from ledger_entries e join ledger_lines l on l.entry_id = e.id
		where l.account = 'fee' and num_nulls(e.txid, e.part) = 2 or l.account = 'payer_fee' and e.txid is null`},
	{"payment whose vault is not the one that was handed out for it", `
		select p.id::text from payments p
		where p.custody = 'vault' and not exists (
			select from vaults v where v.payment_id = p.id and v.chain = p.chain and v.address = p.payee and v.token = p.token
			  and v.amount = p.amount and v.payer = p.proven_payer and v.marketplace = p.marketplace)`},
	{"vault of a payment that pays elsewhere", `
		select v.payment_id::text from vaults v join payments p on p.id = v.payment_id where p.custody <> 'vault'`},
	{"final movement that is not posted, or posted movement that is not final", `
		select m.payment_id::text from movements m
		where (m.state = 'final') <> exists (select from ledger_entries e where e.payment_id = m.payment_id and e.part = m.part)`},
	{"movement that is not in the state of its slot", `
		select m.payment_id::text from movements m join signer_slots s on s.chain = m.chain and s.signer = m.signer and s.nonce = m.nonce
		where case when s.state = 'final' then m.state not in ('final', 'reverted') else m.state <> s.state end`},
	{"slot with a nonce that its signer has not come to", `
		select s.nonce::text from signer_slots s join signers g on g.chain = s.chain and g.address = s.signer where s.nonce >= g.next_nonce`},
	{"slot that is signed without stored bytes, or final by none of its transactions, or whose gas is not posted", `
		select s.nonce::text from signer_slots s
		where s.state <> 'prepared' and (s.state <> 'final' or s.txid is not null) and not exists (
			select from slot_transactions t where t.chain = s.chain and t.signer = s.signer and t.nonce = s.nonce and (s.txid is null or s.txid = t.txid))
		   or (s.txid is not null) <> exists (select from ledger_entries e where e.chain = s.chain and e.signer = s.signer and e.nonce = s.nonce)`},
	{"token account that is being made or closed by a slot that has ended, or was by one that has not", `
		select encode(a.vault, 'hex') from token_accounts a join signer_slots s on s.chain = a.chain and s.signer = a.signer and s.nonce = a.nonce
		where (a.state in ('creating', 'closing')) = (s.state = 'final')`},
	{"movement that a slot without a transaction has carried out", `
		select m.payment_id::text from movements m join signer_slots s on s.chain = m.chain and s.signer = m.signer and s.nonce = m.nonce
		where s.state = 'final' and s.txid is null and m.state <> 'reverted'`},
	{"payment that says its money was moved by a transaction that did not move it for that", `
		select p.id::text from payments p
		where p.paid_out is not null and not exists (
			select from movements m join signer_slots s on s.chain = m.chain and s.signer = m.signer and s.nonce = m.nonce
			where m.payment_id = p.id and m.state = 'final' and m.purpose = p.payout and s.txid = p.paid_out)
		and not exists (
			select from vault_events e join vaults v on v.chain = e.chain and v.address = e.vault
			where v.payment_id = p.id and e.txid = p.paid_out and e.told_at is not null and (e.to_payee > 0) = (p.payout = 'release'))`},
	{"what others took out of a vault and a payment was told, that is not posted", `
		select v.payment_id::text from vault_events e join vaults v on v.chain = e.chain and v.address = e.vault
		where v.payment_id is not null and e.told_at is not null and e.kind <> 'frozen'
		  and not exists (select from ledger_entries l where l.chain = e.chain and l.event_txid = e.txid and l.event_vault = e.vault and l.event_ordinal = e.ordinal)
		  and not exists (
			select from movements m join slot_transactions t on t.chain = m.chain and t.signer = m.signer and t.nonce = m.nonce
			where m.payment_id = v.payment_id and m.part = e.part and t.txid = e.txid)`},
	{"payment whose money is on its way and that does not say so", `
		select m.payment_id::text from movements m join payments p on p.id = m.payment_id
		where m.state in ('prepared', 'signed', 'sent') and m.purpose in ('release', 'refund', 'split') and (p.payout <> m.purpose or p.paid_out is not null)`},
	{"movement that waits for a payment which asks for none", `
		select m.payment_id::text from movements m join payments p on p.id = m.payment_id
		where m.state = 'approved' and case when m.purpose in ('partial_refund', 'surplus')
			then p.state not in ('verified', 'held', 'release_pending', 'refund_pending', 'released', 'refunded', 'split', 'closed')
			else p.state <> m.purpose || '_pending' end`},
	{"payment that is over and whose ledger says otherwise", `
		select p.id::text from payments p
		left join ledger_balances h on h.payment_id = p.id and h.chain = p.chain and h.token = p.token and h.account = 'payee'
		where p.custody = 'vault' and (p.state = 'released' and coalesce(h.amount, 0) not between 1 and p.amount or p.state = 'refunded' and h.amount is not null
			or p.state = 'split' and not exists (select from ledger_balances b where b.payment_id = p.id and b.chain = p.chain and b.token = p.token
				and b.account = 'refund' and b.amount > 0 and h.amount between 1 and p.amount))`},
}

// BrokenLedger posts 900 entries of gas now, of which the last but one cannot be read. What follows from it is for tests of those who read.
const BrokenLedger = `
	set session_replication_role = replica;
	with posted as (
		insert into ledger_entries (chain, token, signer, nonce, at)
		select 'eip155:31337', '', decode(repeat('01', 20), 'hex'), n, now() from generate_series(1, 900) n returning id, nonce
	)
	insert into ledger_lines (entry_id, account, amount)
	select id, l.account, case nonce when 899 then 'NaN' else l.amount end from posted cross join lateral (values ('operator', -21000::numeric), ('gas', 21000)) l (account, amount);
	set session_replication_role = origin`

// CheckBooks checks every invariant of money, history and audit chain at once. Call it at the end of each test that moved
// payments. It needs one connection and waits for no one: what runs meanwhile must not leave a breach behind even for a
// moment, because each change is one transaction.
func CheckBooks(t testing.TB, pool *pgxpool.Pool) {
	t.Helper()
	// Also called when the test is over and its context with it.
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	breaches, err := breachesIn(ctx, pool)
	if err != nil {
		t.Errorf("check the books: %v", err)
	}
	for _, breach := range breaches {
		t.Errorf("books: %s", breach)
	}
}

// breachesIn looks at one snapshot of the database.
func breachesIn(ctx context.Context, pool *pgxpool.Pool) (breaches []string, err error) {
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, rule := range rules {
			rows, err := tx.Query(ctx, rule.query)
			if err != nil {
				return fmt.Errorf("look for %s: %w", rule.breach, err)
			}
			found, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				return fmt.Errorf("look for %s: %w", rule.breach, err)
			}
			if len(found) > 0 {
				breaches = append(breaches, fmt.Sprintf("%s: %v", rule.breach, found))
			}
		}
		chain, err := auditBreaches(ctx, tx)
		breaches = append(breaches, chain...)
		return err
	})
	return breaches, err
}

// auditBreaches computes the chain of digests over the history again.
func auditBreaches(ctx context.Context, tx pgx.Tx) (breaches []string, err error) {
	type batch struct {
		seq              int64
		previous, digest []byte
		events           int
	}
	rows, err := tx.Query(ctx, `select seq, previous, digest, events from audit_batches order by seq`)
	if err != nil {
		return nil, fmt.Errorf("read audit chain: %w", err)
	}
	batches, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b batch, err error) {
		return b, row.Scan(&b.seq, &b.previous, &b.digest, &b.events)
	})
	if err != nil {
		return nil, fmt.Errorf("read audit chain: %w", err)
	}
	history, err := historyByBatch(ctx, tx)
	if err != nil {
		return nil, err
	}
	var head []byte
	for i, b := range batches {
		records := history[b.seq]
		switch {
		case b.seq != int64(i+1):
			breaches = append(breaches, fmt.Sprintf("audit batch %d stands in place %d", b.seq, i+1))
		case !bytes.Equal(b.previous, head):
			breaches = append(breaches, fmt.Sprintf("audit batch %d does not follow the one before", b.seq))
		case len(records) != b.events:
			breaches = append(breaches, fmt.Sprintf("audit batch %d has %d events, recorded are %d", b.seq, b.events, len(records)))
		case !bytes.Equal(b.digest, store.AuditDigest(b.previous, records)):
			breaches = append(breaches, fmt.Sprintf("audit batch %d does not match its events", b.seq))
		}
		head = b.digest
	}
	return breaches, nil
}

// historyByBatch is audit batch → its events, in the order of the digest.
func historyByBatch(ctx context.Context, tx pgx.Tx) (map[int64][]store.Record, error) {
	rows, err := tx.Query(ctx, `
		select audit_seq, payment_id, version, event_id, kind, from_state, to_state, reason, detail, txid, actor, actor_name, origin, coalesce(weight, 0)::text, at
		from payment_events order by audit_seq, payment_id, version`)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	history := make(map[int64][]store.Record)
	var (
		seq  int64
		r    store.Record
		txid []byte
		at   time.Time

		actor                *settlement.PaymentID
		name, origin, weight *string
	)
	_, err = pgx.ForEachRow(rows, []any{&seq, &r.Payment, &r.Version, &r.EventID, &r.Kind, &r.From, &r.To, &r.Reason, &r.Detail, &txid, &actor, &name, &origin, &weight, &at}, func() error {
		r.TxID, r.At, r.Decision = settlement.TxID(txid), at, nil
		if actor != nil {
			amount, err := settlement.ParseAmount(*weight)
			if err != nil {
				return fmt.Errorf("read weight: %w", err)
			}
			r.Decision = &settlement.Decision{Actor: *actor, Name: *name, Origin: *origin, Weight: amount}
		}
		history[seq] = append(history[seq], r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return history, nil
}
