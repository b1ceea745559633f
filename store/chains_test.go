package store_test

import (
	"errors"
	"fmt"
	"slices"
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

func block(number uint64, hash string) settlement.Block {
	return settlement.Block{
		Number: number, Hash: settlement.BlockHash(fmt.Sprintf("%-32s", hash)), Time: now.Add(time.Duration(number) * time.Second),
	}
}

func TestCursorIsFenced(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	if _, err := store.ChainCursor(t.Context(), pool, chain); !errors.Is(err, store.ErrNotFound) {
		t.Fatalf("a chain that was never scanned: %v", err)
	}
	for _, start := range []settlement.Block{block(100, "a"), block(200, "b")} { // the second changes nothing
		if err := store.StartChain(t.Context(), pool, chain, start, now); err != nil {
			t.Fatal(err)
		}
	}
	move := func(epoch int64, number, final uint64) error {
		return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			b := block(number, "c")
			return store.MoveCursor(t.Context(), tx, chain, epoch, store.Cursor{Number: number, Hash: b.Hash, Final: final, WatchXID: "7"}, now)
		})
	}
	first, err := store.TakeChain(t.Context(), pool, chain)
	if err != nil {
		t.Fatal(err)
	}
	if err := move(first, 101, 90); err != nil {
		t.Fatal(err)
	}
	second, err := store.TakeChain(t.Context(), pool, chain)
	if err != nil {
		t.Fatal(err)
	}
	if err := move(first, 102, 95); !errors.Is(err, store.ErrFenced) {
		t.Errorf("the watcher before moved the cursor: %v", err)
	}
	if err := move(second, 102, 80); err != nil {
		t.Fatal(err)
	}
	got, err := store.ChainCursor(t.Context(), pool, chain)
	want := store.Cursor{Number: 102, Hash: block(102, "c").Hash, Final: 90, WatchXID: "7"} // final never goes back
	if err != nil || got != want {
		t.Errorf("got %+v, err %v, want %+v", got, err, want)
	}
	if err := move(second, 50, 90); err != nil { // the number may: a reorganisation
		t.Error(err)
	}
}

func TestBlocksAreRememberedUntilFinal(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	if _, err := store.BlockBefore(t.Context(), pool, chain, now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before any block: %v", err)
	}
	inTx(t, pool, func(tx pgx.Tx) error {
		for n := uint64(10); n < 20; n++ {
			if err := store.SaveBlock(t.Context(), tx, chain, block(n, "a")); err != nil {
				return err
			}
		}
		if err := store.SaveBlock(t.Context(), tx, chain, block(12, "b")); err != nil { // after a reorganisation
			return err
		}
		if err := store.DropBlocksFrom(t.Context(), tx, chain, 18); err != nil {
			return err
		}
		return store.DropBlocksBelow(t.Context(), tx, chain, 12)
	})
	for n := uint64(9); n < 20; n++ {
		got, err := store.SavedBlock(t.Context(), pool, chain, n)
		want := block(n, map[bool]string{true: "b", false: "a"}[n == 12])
		switch {
		case n < 12 || n >= 18:
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("block %d: %v, want not found", n, err)
			}
		case err != nil || got != want:
			t.Errorf("block %d: got %+v, err %v, want %+v", n, got, err, want)
		}
	}
	for before, want := range map[uint64]uint64{15: 14, 100: 17, 12: 11, 1: 11} {
		got, err := store.BlockBefore(t.Context(), pool, chain, block(before, "").Time)
		if err != nil || got != want {
			t.Errorf("before block %d: got %d, err %v, want %d", before, got, err, want)
		}
	}
}

// Of blocks that were searched in ranges not every one is remembered, and one that is always stays to go back to.
func TestRememberedBlocksWithHoles(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	save := func(numbers ...uint64) {
		inTx(t, pool, func(tx pgx.Tx) (err error) {
			for _, n := range numbers {
				err = errors.Join(err, store.SaveBlock(t.Context(), tx, chain, block(n, "a")))
			}
			return err
		})
	}
	last := func(upTo, want uint64) {
		t.Helper()
		got, err := store.LastSavedBlock(t.Context(), pool, chain, upTo)
		if want == 0 && !errors.Is(err, store.ErrNotFound) || want != 0 && (err != nil || got != block(want, "a")) {
			t.Errorf("last block up to %d: %+v, %v; want %d", upTo, got, err, want)
		}
	}
	save(10, 500, 1000)
	last(9, 0)
	last(10, 10)
	last(499, 10)
	last(500, 500)
	last(2000, 1000)
	if _, err := store.SavedBlock(t.Context(), pool, chain, 501); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a block between two: %v, want not found", err)
	}
	inTx(t, pool, func(tx pgx.Tx) error { return store.DropBlocksBelow(t.Context(), tx, chain, 999) })
	last(999, 500)
	last(499, 0)
	inTx(t, pool, func(tx pgx.Tx) error { return store.DropBlocksBelow(t.Context(), tx, chain, 499) })
	last(999, 500)
}

// atRest waits until no transaction of the whole cluster, other tests' among them, is older than the last change, and
// returns the snapshot from which nothing is read again.
func atRest(t *testing.T, pool *pgxpool.Pool, snapshot string) string {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		changes, next, err := store.WatchChanges(t.Context(), pool, snapshot)
		if err != nil {
			t.Fatal(err)
		}
		if len(changes) == 0 {
			return next
		}
		if time.Now().After(deadline) {
			t.Fatalf("never at rest: %d changes again and again", len(changes))
		}
		snapshot = next
	}
}

func TestWatchedPayments(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1) // no terms: not watched
	open(t, pool, 2, terms(10, alice, ""))
	open(t, pool, 3, terms(10, alice, ""))
	open(t, pool, 5, terms(10, alice, ""))
	play(t, pool, 3, settlement.Event{Kind: settlement.EventClosed})
	play(t, pool, 5, settlement.Event{Kind: settlement.EventClosed}) // still watched for late money
	inTx(t, pool, func(tx pgx.Tx) error {
		return store.EndWatch(t.Context(), tx, []settlement.PaymentID{id(2), id(3)}) // one that can be paid stays
	})
	payments, snapshot, err := store.WatchedPayments(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(payments, func(a, b store.WatchedPayment) int { return slices.Compare(a.ID[:], b.ID[:]) })
	want := []store.WatchedPayment{
		{ID: id(2), Chain: chain, Token: token, Payee: payee, FromBlock: 100, Watched: true, Fresh: true, Awaited: true, CreatedAt: now},
		{ID: id(5), Chain: chain, Token: token, Payee: payee, FromBlock: 100, Watched: true, Fresh: true, CreatedAt: now},
	}
	if diff := cmp.Diff(want, payments); diff != "" {
		t.Errorf("watched (-want +got):\n%s", diff)
	}

	snapshot = atRest(t, pool, snapshot)
	// Once a cursor vouches for what was open up to the snapshot, only what was opened since is fresh.
	if err := store.StartChain(t.Context(), pool, chain, block(100, "a"), now); err != nil {
		t.Fatal(err)
	}
	epoch, err := store.TakeChain(t.Context(), pool, chain)
	if err != nil {
		t.Fatal(err)
	}
	inTx(t, pool, func(tx pgx.Tx) error {
		return store.MoveCursor(t.Context(), tx, chain, epoch, store.Cursor{Number: 101, Hash: block(101, "a").Hash, WatchXID: snapshot}, now)
	})
	open(t, pool, 4, terms(10, alice, ""))
	payments, _, err = store.WatchedPayments(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	fresh := make(map[settlement.PaymentID]bool)
	for _, p := range payments {
		fresh[p.ID] = p.Fresh
	}
	if diff := cmp.Diff(map[settlement.PaymentID]bool{id(2): false, id(4): true, id(5): false}, fresh); diff != "" {
		t.Errorf("fresh (-want +got):\n%s", diff)
	}

	changes, _, err := store.WatchChanges(t.Context(), pool, snapshot)
	if err != nil {
		t.Fatal(err)
	}
	if len(changes) != 1 || changes[0].ID != id(4) {
		t.Errorf("changes since the snapshot: %+v, want payment 4", changes)
	}
}

// Payments open in transactions that begin early and commit late, while a follower reads on: it sees every one.
func TestWatchChangesMissesNothing(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	const writers, each = 4, 15
	_, snapshot, err := store.WatchedPayments(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	for w := range writers {
		for n := range each {
			insert(t, pool, 1+w*each+n)
		}
	}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
					locked, err := store.LockPayments(t.Context(), tx, []settlement.PaymentID{id(1 + w*each + n)})
					if err != nil {
						return err
					}
					next, err := settlement.Next(locked[0], intentReady(terms(10, alice, "")))
					if err != nil {
						return err
					}
					if err := store.SavePayments(t.Context(), tx, []store.Change{{Old: locked[0], New: next, DueAt: now}}, now); err != nil {
						return err
					}
					// The row is written; the commit comes later than that of others that began after it.
					_, err = tx.Exec(t.Context(), "select pg_sleep($1)", float64(w)*0.004)
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()

	watched := make(map[settlement.PaymentID]bool)
	follow := func() {
		changes, next, err := store.WatchChanges(t.Context(), pool, snapshot)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			watched[c.ID] = c.Watched
		}
		snapshot = next
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		follow()
	}
	for n := 1; n <= writers*each; n++ {
		if !watched[id(n)] {
			t.Errorf("payment %d was missed", n)
		}
	}
	atRest(t, pool, snapshot)
}
