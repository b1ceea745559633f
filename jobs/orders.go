package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// readOrder is what was read of one webhook's order.
type readOrder struct {
	webhook store.UnreadWebhook
	order   orchestration.MarketOrder
	err     error
}

// readOrders reads the orders that webhooks named from the orchestrator and hands what was read to the door. A webhook is
// only a hint: what counts is the order as it is now. An order that cannot be read is kept and looked up later.
func (r *Runner) readOrders(ctx context.Context, job *river.Job[readOrdersArgs]) error {
	unread, err := store.UnreadWebhooks(ctx, r.cfg.Pool, job.Args.Webhooks)
	if err != nil || len(unread) == 0 {
		return err
	}
	read := make([]readOrder, len(unread))
	place := make(map[[2]string]int) // several webhooks of one order are one reading
	var group errgroup.Group
	group.SetLimit(maxCalls)
	for i, w := range unread {
		read[i].webhook = w
		key := [2]string{w.Key.Marketplace, w.OrderID}
		if _, ok := place[key]; ok {
			continue
		}
		place[key] = i
		group.Go(func() error {
			m, ok := r.marketplaces[w.Key.Marketplace]
			if !ok {
				read[i].err = fmt.Errorf("marketplace %q is not in the configuration", w.Key.Marketplace)
				return nil
			}
			read[i].order, read[i].err = m.Client.GetMarketOrder(ctx, w.OrderID)
			if read[i].err == nil && w.MachineID != "" && read[i].order.MachineID != w.MachineID {
				read[i].err = fmt.Errorf("order %s belongs to machine %s, not %s", w.OrderID, read[i].order.MachineID, w.MachineID)
			}
			return nil
		})
	}
	_ = group.Wait() // errors are kept with their order
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	for i, w := range unread {
		if first := place[[2]string{w.Key.Marketplace, w.OrderID}]; first != i {
			read[i].order, read[i].err = read[first].order, read[first].err
		}
	}
	return r.openOrders(ctx, read)
}

// openOrders records new orders, sends what was read through the door and marks the webhooks, in one commit.
func (r *Runner) openOrders(ctx context.Context, read []readOrder) error {
	now := r.now()
	fresh := make(map[[2]string]store.NewPayment)
	for _, o := range read {
		if o.err != nil {
			continue
		}
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make payment id: %w", err)
		}
		payment := settlement.PaymentID(id)
		fresh[[2]string{o.webhook.Key.Marketplace, o.order.ID}] = store.NewPayment{
			ID: payment, Marketplace: o.webhook.Key.Marketplace, OrderID: o.order.ID, MachineID: o.order.MachineID,
			Rail: railOf(o.order), PayTokenHash: HashPayToken(r.PayToken(payment)),
		}
	}
	var results []Result
	err := r.begin(ctx, "orders", func(tx pgx.Tx) error {
		payments := make([]store.NewPayment, 0, len(fresh))
		for _, n := range fresh {
			payments = append(payments, n)
		}
		slices.SortFunc(payments, func(a, b store.NewPayment) int {
			return strings.Compare(a.Marketplace+"\x00"+a.OrderID, b.Marketplace+"\x00"+b.OrderID)
		})
		ids, err := store.InsertPayments(ctx, tx, payments, now.Add(workLease), now)
		if err != nil {
			return err
		}
		var events []settlement.Event
		owner := make([]int, 0, len(read)) // place of each event's webhook
		for i, o := range read {
			if o.err != nil {
				continue
			}
			id := ids[[2]string{o.webhook.Key.Marketplace, o.order.ID}]
			for _, e := range orderEvents(id, o.order) {
				events = append(events, e)
				owner = append(owner, i)
			}
		}
		if len(events) > 0 {
			if results, err = r.advance(ctx, tx, events); err != nil {
				return err
			}
		}
		problems := make([]string, len(read))
		for i, o := range read {
			if o.err != nil {
				problems[i] = plainText(o.err.Error())
			}
		}
		for n, res := range results {
			if errors.Is(res.Err, settlement.ErrNotAccepted) && waits(res) {
				problems[owner[n]] = fmt.Sprintf("%s has to wait: the payment is %s", res.Event.Kind, res.Payment.State)
			}
		}
		saved := make([]store.ReadWebhook, len(read))
		for i, o := range read {
			saved[i] = store.ReadWebhook{Key: o.webhook.Key, Problem: problems[i], DueAt: now.Add(backoff(o.webhook.Attempts))}
		}
		return store.SaveWebhooks(ctx, tx, saved, now)
	})
	if err != nil {
		return fmt.Errorf("open %d orders: %w", len(read), err)
	}
	r.logResults(ctx, results)
	for _, o := range read {
		if o.err != nil {
			r.cfg.Logger.WarnContext(ctx, "order not read", "marketplace", o.webhook.Key.Marketplace, "order_id", o.webhook.OrderID,
				"attempt", o.webhook.Attempts+1, "err", o.err)
		}
	}
	return nil
}

// waits reports whether an order's event that is not accepted now may be accepted later: the buyer can confirm or dispute
// before our own verdict is there, and while a person has the payment, whose right money may still come.
func waits(res Result) bool {
	switch res.Event.Kind {
	case settlement.EventOrderAccepted, settlement.EventOrderDisputed:
		s := res.Payment.State
		return !s.Final() && s != settlement.StateFrozen && s != settlement.StateReleasePending && s != settlement.StateRefundPending
	}
	return false
}

// railOf is the rail that we ask for, from the order's recommendation.
func railOf(o orchestration.MarketOrder) string {
	supported := make([]string, len(o.Payment.SupportedRails))
	for i, s := range o.Payment.SupportedRails {
		supported[i] = string(s)
	}
	return rails.Choose(string(o.Payment.DefaultRail), supported)
}

// orderEvents are the events that the order's present state amounts to. Those that were sent before are duplicates.
func orderEvents(id settlement.PaymentID, o orchestration.MarketOrder) []settlement.Event {
	event := func(kind settlement.EventKind, reason settlement.Code, detail string) settlement.Event {
		return settlement.Event{ID: string(kind), Payment: id, Kind: kind, Reason: reason, Detail: detail}
	}
	rail := railOf(o)
	var first settlement.Event
	switch {
	case rail == rails.NotRequired || rail == "" && !o.Payment.Required:
		first = event(settlement.EventOrderFree, "", "the order needs no payment")
	case !rails.Direct(rail):
		first = event(settlement.EventOrderRefused, rails.RailUnsupported, fmt.Sprintf("nothing carries out rail %q yet", rail))
	default:
		first = event(settlement.EventOrderOpened, "", "")
	}
	events := []settlement.Event{first}
	switch o.Status {
	case orchestration.OrderCancelled, orchestration.OrderFailed:
		events = append(events, event(settlement.EventOrderCanceled, rails.OrderClosed, fmt.Sprintf("the order is %s", o.Status)))
	case orchestration.OrderConfirmed:
		events = append(events, event(settlement.EventOrderAccepted, "", ""))
	case orchestration.OrderDisputed:
		events = append(events, event(settlement.EventOrderDisputed, "", ""))
	}
	return events
}

// listOrders sweeps the orchestrators' orders again and again, apart from the sweeper: one that answers slowly must not
// hold up the work that is due.
func (r *Runner) listOrders(ctx context.Context) {
	for {
		if err := r.sweepOrders(ctx); err != nil && ctx.Err() == nil {
			r.cfg.Logger.WarnContext(ctx, "sweep of orders", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(sweepEvery):
		}
	}
}

// sweepOrders lists the orders of the configured machines and puts those that no webhook told us of into the inbox.
func (r *Runner) sweepOrders(ctx context.Context) error {
	var faults []error
	for _, m := range r.cfg.Marketplaces {
		for _, machine := range m.Machines {
			if err := r.sweepMachine(ctx, m, machine); err != nil {
				faults = append(faults, fmt.Errorf("list orders of %s of %s: %w", machine, m.ID, err))
			}
		}
	}
	return errors.Join(faults...)
}

func (r *Runner) sweepMachine(ctx context.Context, m Marketplace, machine string) error {
	var page []store.Webhook
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		now := r.now()
		err := r.begin(ctx, "listed orders", func(tx pgx.Tx) error {
			_, err := store.InsertWebhooks(ctx, tx, page, now, now) // due at once: the sweeper reads them
			return err
		})
		page = page[:0]
		return err
	}
	for o, err := range m.Client.AllMarketOrders(ctx, machine) {
		if err != nil {
			return err
		}
		// Named after the order's last change: a sweep of unchanged orders is a repeated webhook and costs no reading.
		page = append(page, store.Webhook{
			Marketplace: m.ID, ID: "sweep/" + o.ID + "/" + o.UpdatedAt, Type: "order.updated", MachineID: machine, OrderID: o.ID,
		})
		if len(page) == maxInbox {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// sweepEvery is how often machines' orders are listed.
const sweepEvery = time.Minute
