package store_test

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/store"
)

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	one := store.APIKey{ID: id(1), Marketplace: "m", Name: "shop", Scope: "operate", CreatedAt: now}
	all := store.APIKey{ID: id(2), Name: "finance", Scope: "admin", CreatedAt: now.Add(time.Second)}
	hashOf := func(k store.APIKey) [sha256.Size]byte { return sha256.Sum256([]byte(k.Name)) }
	for _, k := range []store.APIKey{one, all} {
		if err := store.CreateAPIKey(t.Context(), pool, k, hashOf(k)); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []store.APIKey{one, all} {
		got, err := store.APIKeyByHash(t.Context(), pool, hashOf(k))
		if diff := cmp.Diff(k, got, cmp.Comparer(time.Time.Equal)); err != nil || diff != "" {
			t.Errorf("err %v (-want +got):\n%s", err, diff)
		}
	}
	if err := store.RevokeAPIKey(t.Context(), pool, one.ID, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.APIKeyByHash(t.Context(), pool, hashOf(one)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a revoked key: %v", err)
	}
	for name, n := range map[string]int{"revoked already": 1, "unknown": 9} {
		if err := store.RevokeAPIKey(t.Context(), pool, id(n), now); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := store.APIKeys(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	one.RevokedAt = new(now.Add(time.Hour))
	if diff := cmp.Diff([]store.APIKey{one, all}, got, cmp.Comparer(time.Time.Equal)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	request, other := sha256.Sum256([]byte("a")), sha256.Sum256([]byte("b"))
	if _, err := store.FindIdempotentAnswer(t.Context(), pool, "k", "i"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a key that was not used: %v", err)
	}
	expect := func(what string, got store.IdempotentAnswer, err error, want store.IdempotentAnswer) {
		t.Helper()
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: err %v (-want +got):\n%s", what, err, diff)
		}
	}
	begun := store.IdempotentAnswer{Request: request, Answer: []byte{}}
	got, err := store.ReserveIdempotencyKey(t.Context(), pool, "k", "i", request, now)
	expect("reserved", got, err, begun)
	got, err = store.ReserveIdempotencyKey(t.Context(), pool, "k", "i", other, now)
	expect("reserved for another request", got, err, begun)
	answered := store.IdempotentAnswer{Request: request, Status: 202, Answer: []byte("first")}
	got, err = store.SaveIdempotentAnswer(t.Context(), pool, "k", "i", 202, []byte("first"))
	expect("answered", got, err, answered)
	got, err = store.SaveIdempotentAnswer(t.Context(), pool, "k", "i", 500, []byte("second"))
	expect("answered again", got, err, answered)
	got, err = store.ReserveIdempotencyKey(t.Context(), pool, "l", "i", other, now.Add(time.Hour))
	expect("the same key of another owner", got, err, store.IdempotentAnswer{Request: other, Answer: []byte{}})

	if err := store.DropIdempotencyKeysBefore(t.Context(), pool, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := store.FindIdempotentAnswer(t.Context(), pool, "k", "i"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an old key: %v", err)
	}
	if _, err := store.FindIdempotentAnswer(t.Context(), pool, "l", "i"); err != nil {
		t.Errorf("a young key: %v", err)
	}
}

func TestPairings(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	if _, _, err := store.Pairing(t.Context(), pool, "m", "x"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before any: %v", err)
	}
	for _, pairing := range []string{"p1", "p2"} {
		if err := store.SavePairing(t.Context(), pool, "m", "x", pairing, "0xabc", now); err != nil {
			t.Fatal(err)
		}
	}
	pairing, address, err := store.Pairing(t.Context(), pool, "m", "x")
	if err != nil || pairing != "p2" || address != "0xabc" {
		t.Errorf("got %s of %s, err %v", pairing, address, err)
	}
}
