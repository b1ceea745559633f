package store_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/store"
)

func webhook(id, body string) store.Webhook {
	return store.Webhook{
		Marketplace: "m", ID: id, BodySHA256: sha256.Sum256([]byte(body)), Type: "order.created", MachineID: "x", OrderID: "o-" + id,
	}
}

func TestInbox(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	key := func(id string) store.WebhookKey { return store.WebhookKey{Marketplace: "m", ID: id} }
	accept := func(at time.Time, webhooks ...store.Webhook) map[store.WebhookKey][sha256.Size]byte {
		t.Helper()
		var bodies map[store.WebhookKey][sha256.Size]byte
		inTx(t, pool, func(tx pgx.Tx) (err error) {
			bodies, err = store.InsertWebhooks(t.Context(), tx, webhooks, at, at)
			return err
		})
		return bodies
	}
	unread := func(ids ...string) (out []store.UnreadWebhook) {
		t.Helper()
		var keys []store.WebhookKey
		for _, id := range ids {
			keys = append(keys, key(id))
		}
		out, err := store.UnreadWebhooks(t.Context(), pool, keys)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	due := func(at time.Time) []store.WebhookKey {
		t.Helper()
		keys, err := store.TakeDueWebhooks(t.Context(), pool, at, at.Add(time.Minute), 10)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}

	accept(now, webhook("1", "a"), webhook("2", "b"))
	// Sent again beside a new one, in one batch; and an id that comes back with another body.
	bodies := accept(now.Add(time.Second), webhook("1", "a"), webhook("3", "c"), webhook("2", "other"))
	want := map[store.WebhookKey][sha256.Size]byte{
		key("1"): sha256.Sum256([]byte("a")), key("2"): sha256.Sum256([]byte("b")), key("3"): sha256.Sum256([]byte("c")),
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("bodies (-want +got):\n%s", diff)
	}

	if got := due(now); len(got) != 2 {
		t.Errorf("due: %v, want 1 and 2", got)
	}
	if got := due(now.Add(59 * time.Second)); len(got) != 1 || got[0] != key("3") {
		t.Errorf("due while the lease runs: %v, want 3", got)
	}
	err := store.SaveWebhooks(t.Context(), pool, []store.ReadWebhook{
		{Key: key("1"), DueAt: now}, {Key: key("2"), Problem: "timeout", DueAt: now.Add(time.Hour)},
	}, now)
	if err != nil {
		t.Fatal(err)
	}
	got := unread("1", "2", "4")
	wantUnread := []store.UnreadWebhook{{Key: key("2"), Type: "order.created", MachineID: "x", OrderID: "o-2", Attempts: 1, ReceivedAt: now}}
	if diff := cmp.Diff(wantUnread, got); diff != "" {
		t.Errorf("unread (-want +got):\n%s", diff)
	}
	if got := due(now.Add(time.Hour)); len(got) != 2 {
		t.Errorf("due an hour later: %v, want 2 and 3", got)
	}

	// A late result does not open again what is done.
	err = store.SaveWebhooks(t.Context(), pool, []store.ReadWebhook{{Key: key("1"), Problem: "late", DueAt: now}}, now)
	if err != nil {
		t.Fatal(err)
	}
	if got := unread("1"); len(got) != 0 {
		t.Errorf("opened again: %v", got)
	}
}
