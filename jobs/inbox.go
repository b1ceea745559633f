package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/settler-pay/settler/store"
)

// ErrWebhookConflict means that the webhook id was used before with another body.
var ErrWebhookConflict = errors.New("webhook id was used before with another body")

// maxInbox is how many webhooks one commit takes.
const maxInbox = 256

// inbox gathers webhooks that arrive at the same time into one commit. The first that comes commits its own and whatever
// has gathered meanwhile, until nothing is left; there is no waiting for company.
type inbox struct {
	mu      sync.Mutex // guards what follows
	waiting []*incoming
	leading bool

	// arrived holds a value when webhooks were stored whose reading is due; see feed.
	arrived chan struct{}
}

// incoming is a webhook whose request waits for the commit.
type incoming struct {
	webhook store.Webhook
	done    chan error // one value
}

// AcceptWebhook stores the webhook, due to be read at once. It is durable before it returns; a crash before that leaves
// nothing, and the sender repeats it; a crash after it leaves a due row, which the next process finds. The same id with the same body is accepted again; with another body it is
// ErrWebhookConflict.
func (r *Runner) AcceptWebhook(ctx context.Context, w store.Webhook) error {
	in := &incoming{webhook: w, done: make(chan error, 1)}
	r.inbox.mu.Lock()
	r.inbox.waiting = append(r.inbox.waiting, in)
	lead := !r.inbox.leading
	r.inbox.leading = true
	r.inbox.mu.Unlock()
	if lead {
		go r.commitInbox(context.WithoutCancel(ctx)) // not in this request, which must not wait for those that come later
	}
	select {
	case err := <-in.done:
		return err
	case <-ctx.Done():
		return ctx.Err() // it may be stored; the sender repeats it and is answered alike
	}
}

// commitInbox gets a context of its own: the others' webhooks must not fail because one request's client has gone.
func (r *Runner) commitInbox(ctx context.Context) {
	for {
		r.inbox.mu.Lock()
		n := min(len(r.inbox.waiting), maxInbox)
		batch := r.inbox.waiting[:n:n]
		r.inbox.waiting = r.inbox.waiting[n:]
		if n == 0 {
			r.inbox.leading, r.inbox.waiting = false, nil
		}
		r.inbox.mu.Unlock()
		if n == 0 {
			return
		}
		commitCtx, cancel := context.WithTimeout(ctx, 15*time.Second)
		r.storeInbox(commitCtx, batch)
		cancel()
	}
}

func (r *Runner) storeInbox(ctx context.Context, batch []*incoming) {
	now := r.now()
	webhooks := make([]store.Webhook, len(batch))
	keys := make([]store.WebhookKey, len(batch))
	for i, in := range batch {
		webhooks[i] = in.webhook
		keys[i] = store.WebhookKey{Marketplace: in.webhook.Marketplace, ID: in.webhook.ID}
	}
	// One statement is one round trip and one commit: it is what a sender waits for. The jobs follow in feed.
	crashPoint("before commit of webhooks")
	stored, err := store.InsertWebhooks(ctx, r.cfg.Pool, webhooks, now, now)
	crashPoint("after commit of webhooks")
	if err == nil {
		r.counters.countWebhooks(len(batch))
		select {
		case r.inbox.arrived <- struct{}{}:
		default: // feed has not taken the last one yet
		}
	}
	for i, in := range batch {
		switch {
		case err != nil:
			in.done <- fmt.Errorf("store webhook: %w", err)
		case stored[keys[i]] != in.webhook.BodySHA256:
			in.done <- ErrWebhookConflict
		default:
			in.done <- nil
		}
	}
}

// readOrders are the jobs that read the webhooks' orders.
func readOrders(keys []store.WebhookKey) []river.InsertManyParams {
	var work []river.InsertManyParams
	for _, part := range chunks(keys) {
		work = append(work, river.InsertManyParams{Args: readOrdersArgs{part}})
	}
	return work
}

func (r *Runner) insertJobs(ctx context.Context, tx pgx.Tx, work []river.InsertManyParams) error {
	if len(work) == 0 {
		return nil
	}
	if _, err := r.river.InsertManyFastTx(ctx, tx, work); err != nil {
		return fmt.Errorf("insert %d jobs: %w", len(work), err)
	}
	return nil
}
