package store_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

func record(n int, version int64) store.Record {
	return store.Record{
		Payment: id(n), Version: version, EventID: fmt.Sprintf("e%d", version), Kind: settlement.EventPaymentMispaid,
		From: settlement.StateExpired, To: settlement.StateNeedsReview, Reason: settlement.PaymentLate, Detail: "an hour late",
		TxID: txid("a"), At: now,
	}
}

func TestHistoryIsReadBackAndItsEventsAreSeen(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1, 2)
	bare := store.Record{Payment: id(1), Version: 4, EventID: "e4", Kind: settlement.EventClosed, From: "needs_review", To: "closed", At: now}
	inTx(t, pool, func(tx pgx.Tx) error {
		return store.AppendHistory(t.Context(), tx, []store.Record{record(1, 3), bare, record(2, 9)}, now)
	})
	got, err := store.History(t.Context(), pool, id(1))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]store.Record{record(1, 3), bare}, got); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	inTx(t, pool, func(tx pgx.Tx) error {
		seen, err := store.EventsSeen(t.Context(), tx, []settlement.Event{
			{Payment: id(1), ID: "e3"}, {Payment: id(1), ID: "e9"}, {Payment: id(2), ID: "e3"}, {Payment: id(2), ID: "e9"}, {Payment: id(3), ID: "e3"},
		})
		want := map[settlement.PaymentID]map[string]bool{id(1): {"e3": true}, id(2): {"e9": true}}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Errorf("events seen (-want +got):\n%s", diff)
		}
		return err
	})
}

// Batches that are appended at the same time form one chain without a gap, each digest over the one before.
func TestConcurrentBatchesFormOneChain(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	const writers, batches = 4, 5
	insert(t, pool, 1, 2, 3, 4)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			for b := range batches {
				err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					return store.AppendHistory(t.Context(), tx, []store.Record{record(n+1, int64(2*b)), record(n+1, int64(2*b+1))}, now)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()

	rows, err := pool.Query(t.Context(), `select b.seq, b.previous, b.digest, e.payment_id, e.version
		from audit_batches b join payment_events e on e.audit_seq = b.seq order by b.seq, e.payment_id, e.version`)
	if err != nil {
		t.Fatal(err)
	}
	type link struct {
		Seq              int64
		Previous, Digest []byte
		PaymentID        settlement.PaymentID
		Version          int64
	}
	links, err := pgx.CollectRows(rows, pgx.RowToStructByPos[link])
	if err != nil {
		t.Fatal(err)
	}
	if len(links) != 2*writers*batches {
		t.Fatalf("%d events", len(links))
	}
	previous := []byte{}
	for i := 0; i < len(links); i += 2 {
		l := links[i]
		if l.Seq != int64(i/2+1) || !bytes.Equal(l.Previous, previous) {
			t.Fatalf("batch %d follows %x, want %x", l.Seq, l.Previous, previous)
		}
		var records []store.Record
		for _, e := range links[i : i+2] {
			for n := range writers {
				if e.PaymentID == id(n+1) {
					records = append(records, record(n+1, e.Version))
				}
			}
		}
		if digest := store.AuditDigest(previous, records); !bytes.Equal(digest, l.Digest) {
			t.Fatalf("batch %d: digest %x, want %x", l.Seq, l.Digest, digest)
		}
		previous = l.Digest
	}
}

func TestAuditDigestTellsEveryFieldApart(t *testing.T) {
	t.Parallel()
	base := record(1, 3)
	digests := map[string]string{string(store.AuditDigest(nil, []store.Record{base})): "the record"}
	for name, change := range map[string]func(*store.Record){
		"payment": func(r *store.Record) { r.Payment = id(2) }, "version": func(r *store.Record) { r.Version++ },
		"event id": func(r *store.Record) { r.EventID += "x" }, "kind": func(r *store.Record) { r.Kind += "x" },
		"from": func(r *store.Record) { r.From += "x" }, "to": func(r *store.Record) { r.To += "x" },
		"reason": func(r *store.Record) { r.Reason += "x" }, "detail": func(r *store.Record) { r.Detail += "x" },
		"txid":                              func(r *store.Record) { r.TxID += "x" },
		"a letter moved to the field after": func(r *store.Record) { r.Reason, r.Detail = r.Reason[:1], string(r.Reason[1:])+r.Detail },
	} {
		r := base
		change(&r)
		digest := string(store.AuditDigest(nil, []store.Record{r}))
		if other, ok := digests[digest]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		digests[digest] = name
	}
	if bytes.Equal(store.AuditDigest([]byte{1}, []store.Record{base}), store.AuditDigest([]byte{2}, []store.Record{base})) {
		t.Error("the digest does not depend on the one before")
	}
}
