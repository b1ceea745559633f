package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// Webhook is an accepted webhook: a hint that an order is to be read.
type Webhook struct {
	Marketplace, ID    string
	BodySHA256         [sha256.Size]byte
	Type               string
	MachineID, OrderID string
}

// WebhookKey names a webhook.
type WebhookKey struct {
	Marketplace string `json:"marketplace"`
	ID          string `json:"id"`
}

// InsertWebhooks stores webhooks and returns for each key the hash of the body that is stored under it: another hash
// than the given one means that the id was used before with another body.
func InsertWebhooks(ctx context.Context, db DB, webhooks []Webhook, now, dueAt time.Time) (map[WebhookKey][sha256.Size]byte, error) {
	p := sqlcgen.InsertInboxParams{ReceivedAt: now, DueAt: dueAt}
	for _, w := range webhooks {
		p.Marketplaces = append(p.Marketplaces, w.Marketplace)
		p.WebhookIds = append(p.WebhookIds, w.ID)
		p.Bodies = append(p.Bodies, w.BodySHA256[:])
		p.Types = append(p.Types, w.Type)
		p.MachineIds = append(p.MachineIds, w.MachineID)
		p.OrderIds = append(p.OrderIds, w.OrderID)
	}
	q := sqlcgen.New(db)
	n, err := q.InsertInbox(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("store %d webhooks: %w", len(webhooks), err)
	}
	bodies := make(map[WebhookKey][sha256.Size]byte, len(webhooks))
	if int(n) == len(webhooks) { // none was there before, which is the usual case
		for _, w := range webhooks {
			bodies[WebhookKey{w.Marketplace, w.ID}] = w.BodySHA256
		}
		return bodies, nil
	}
	rows, err := q.InboxBodies(ctx, sqlcgen.InboxBodiesParams{Marketplaces: p.Marketplaces, WebhookIds: p.WebhookIds})
	if err != nil {
		return nil, fmt.Errorf("read back %d webhooks: %w", len(webhooks), err)
	}
	for _, r := range rows {
		bodies[WebhookKey{r.Marketplace, r.WebhookID}] = [sha256.Size]byte(r.BodySha256)
	}
	return bodies, nil
}

// UnreadWebhook is a webhook whose order is still to be read.
type UnreadWebhook struct {
	Key                WebhookKey
	Type               string
	MachineID, OrderID string
	Attempts           int
	ReceivedAt         time.Time
}

// UnreadWebhooks returns those of the webhooks whose order was not read yet, oldest first.
func UnreadWebhooks(ctx context.Context, db DB, keys []WebhookKey) ([]UnreadWebhook, error) {
	var p sqlcgen.UnreadInboxParams
	for _, k := range keys {
		p.Marketplaces = append(p.Marketplaces, k.Marketplace)
		p.WebhookIds = append(p.WebhookIds, k.ID)
	}
	rows, err := sqlcgen.New(db).UnreadInbox(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("read %d webhooks: %w", len(keys), err)
	}
	out := make([]UnreadWebhook, len(rows))
	for i, r := range rows {
		out[i] = UnreadWebhook{
			Key: WebhookKey{r.Marketplace, r.WebhookID}, Type: r.Type, MachineID: r.MachineID, OrderID: r.OrderID,
			Attempts: int(r.Attempts), ReceivedAt: r.ReceivedAt.UTC(),
		}
	}
	return out, nil
}

// TakeDueWebhooks returns webhooks whose order is to be read and leases them until leaseUntil.
func TakeDueWebhooks(ctx context.Context, db DB, now, leaseUntil time.Time, limit int) ([]WebhookKey, error) {
	rows, err := sqlcgen.New(db).TakeDueInbox(ctx, sqlcgen.TakeDueInboxParams{LeaseUntil: leaseUntil, Now: now, RowLimit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("take due webhooks: %w", err)
	}
	keys := make([]WebhookKey, len(rows))
	for i, r := range rows {
		keys[i] = WebhookKey{r.Marketplace, r.WebhookID}
	}
	return keys, nil
}

// ReadWebhook is the outcome of reading a webhook's order: done, or a problem and when to try again.
type ReadWebhook struct {
	Key     WebhookKey
	Problem string // empty: done
	DueAt   time.Time
}

// SaveWebhooks stores the outcomes.
func SaveWebhooks(ctx context.Context, db DB, read []ReadWebhook, now time.Time) error {
	if len(read) == 0 {
		return nil
	}
	p := sqlcgen.SaveInboxParams{Now: now}
	for _, r := range read {
		p.Marketplaces = append(p.Marketplaces, r.Key.Marketplace)
		p.WebhookIds = append(p.WebhookIds, r.Key.ID)
		p.Problems = append(p.Problems, r.Problem)
		p.DueAts = append(p.DueAts, r.DueAt)
	}
	if err := sqlcgen.New(db).SaveInbox(ctx, p); err != nil {
		return fmt.Errorf("save %d webhooks: %w", len(read), err)
	}
	return nil
}
