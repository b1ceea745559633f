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
	// A person may accept money that no consumed transfer stands for; the history says so.
	{"payment is settled without a consumed transfer of its transaction and price", `
		select p.id::text from payments p
		where p.paid_by is not null
		  and not exists (select from payment_events e where e.payment_id = p.id and e.kind = 'accepted_as_paid')
		  and not exists (select from consumed_transfers c
		                  where c.payment_id = p.id and c.chain = p.chain and c.txid = p.paid_by and c.amount = p.amount)`},
	{"consumed transfer whose payment is settled by another transaction or by none", `
		select c.payment_id::text from consumed_transfers c join payments p on p.id = c.payment_id
		where p.paid_by is distinct from c.txid or p.chain is distinct from c.chain`},
	{"payment with several consumed transfers", `
		select payment_id::text from consumed_transfers group by payment_id having count(*) > 1`},
	{"consumed transfer that was not seen as final for its payment, or is not what the payment asks for", `
		select c.payment_id::text from consumed_transfers c join payments p on p.id = c.payment_id
		where not exists (
			select from transfers t
			where t.payment_id = c.payment_id and t.chain = c.chain and t.txid = c.txid and t.position = c.position and t.status = 'final'
			  and t.amount = c.amount and t.amount = p.amount and t.token = p.token and t.payee = p.payee
			  and (t.payer = p.proven_payer or t.payer = p.named_payer) and t.block_number > p.from_block)`},
	{"consumed transfer without the event that consumed it", `
		select c.payment_id::text from consumed_transfers c
		where not exists (select from payment_events e
		                  where e.payment_id = c.payment_id and e.kind = 'payment_confirmed' and e.txid = c.txid)`},
	{"proof accepted before the payment was settled", `
		select e.payment_id::text from payment_events e
		where e.kind = 'proof_accepted' and not exists (
			select from payment_events s where s.payment_id = e.payment_id and s.version < e.version
			  and s.kind in ('payment_confirmed', 'accepted_as_paid'))`},
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
}

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
		select audit_seq, payment_id, version, event_id, kind, from_state, to_state, reason, detail, txid, at
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
	)
	_, err = pgx.ForEachRow(rows, []any{&seq, &r.Payment, &r.Version, &r.EventID, &r.Kind, &r.From, &r.To, &r.Reason, &r.Detail, &txid, &at}, func() error {
		r.TxID, r.At = settlement.TxID(txid), at
		history[seq] = append(history[seq], r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return history, nil
}
