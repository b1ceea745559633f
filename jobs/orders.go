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
	claimed *claimedPayment // set where the orchestrator's payment is to be compared with ours
	late    bool            // there was no time left to begin
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
	began := r.now()
	place := make(map[[2]string]int) // several webhooks of one order are one reading
	calls, cancel := context.WithTimeout(ctx, workTime)
	defer cancel()
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
			if m.Gate.shut() {
				read[i].err = ErrHeldBack
				return nil
			}
			if read[i].late = calls.Err() != nil; read[i].late {
				return nil
			}
			read[i].order, read[i].err = m.Client.GetMarketOrder(calls, w.OrderID)
			switch o := read[i].order; {
			case read[i].err != nil:
			case o.ID != w.OrderID:
				read[i].err = fmt.Errorf("asked for order %s, the orchestrator answers %s", w.OrderID, o.ID)
			case !PlainID(o.MachineID) || w.MachineID != "" && o.MachineID != w.MachineID:
				read[i].err = fmt.Errorf("order %s belongs to machine %s, not %s", w.OrderID, o.MachineID, w.MachineID)
			}
			return nil
		})
	}
	_ = group.Wait() // errors are kept with their order
	if err := r.readClaims(ctx, calls, read, place); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	for i, w := range unread {
		if first := place[[2]string{w.Key.Marketplace, w.OrderID}]; first != i {
			webhook := read[i].webhook
			read[i] = read[first]
			read[i].webhook = webhook
		}
	}
	// Those that are late come again when the lease in their due time ends.
	return r.openOrders(ctx, slices.DeleteFunc(read, func(o readOrder) bool { return o.late }), began)
}

// openOrders records new orders, sends what was read through the door and marks the webhooks, in one commit. Reading began at
// the time given.
func (r *Runner) openOrders(ctx context.Context, read []readOrder, began time.Time) error {
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
			Rail: plainText(railOf(o.order)), PayTokenHash: HashPayToken(r.PayToken(payment)),
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
		var undisputed []settlement.PaymentID
		for i, o := range read {
			if o.err != nil {
				continue
			}
			id := ids[[2]string{o.webhook.Key.Marketplace, o.order.ID}]
			if o.order.Status != orchestration.OrderDisputed {
				undisputed = append(undisputed, id)
			}
			for _, e := range append(orderEvents(id, o.order, o.webhook), o.claimed.events(id)...) {
				events = append(events, e)
				owner = append(owner, i)
			}
		}
		if len(events) > 0 {
			if results, err = r.advance(ctx, tx, events); err != nil {
				return err
			}
		}
		if err := store.OrdersUndisputed(ctx, tx, undisputed, began, now); err != nil {
			return err
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
			if errors.Is(o.err, ErrHeldBack) {
				saved[i].DueAt = store.Parked
			}
		}
		return store.SaveWebhooks(ctx, tx, saved, now)
	})
	if err != nil {
		return fmt.Errorf("open %d orders: %w", len(read), err)
	}
	r.logResults(ctx, results)
	for _, o := range read {
		if o.err != nil && !errors.Is(o.err, ErrHeldBack) {
			r.cfg.Logger.WarnContext(ctx, "order not read", "marketplace", o.webhook.Key.Marketplace, "order_id", o.webhook.OrderID,
				"attempt", o.webhook.Attempts+1, "err", o.err)
		}
	}
	return nil
}

// waits reports whether an order's event that is not accepted now may be accepted later: the buyer can confirm or dispute
// before our own verdict is there, and while a person has the payment, whose right money may still come. A dispute that people
// have dropped does not wait. What was compared with a payment that has changed meanwhile is compared again.
func waits(res Result) bool {
	if errors.Is(res.Err, settlement.ErrSameDispute) {
		return false
	}
	switch res.Event.Kind {
	case settlement.EventPlatformDiffers:
		return res.Event.Version != 0 && res.Event.Version != res.Payment.Version
	case settlement.EventOrderAccepted, settlement.EventOrderDisputed:
		s := res.Payment.State
		return !s.Final() && s != settlement.StateFrozen && s != settlement.StateReleasePending && s != settlement.StateRefundPending &&
			s != settlement.StateSplitPending
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

func railUnsupported(rail string) *rails.Refusal {
	return &rails.Refusal{Code: rails.RailUnsupported, Detail: fmt.Sprintf("nothing carries out rail %q yet", rail)}
}

// orderEvents are the events that the order's present state amounts to. Those that were sent before are duplicates. An order
// can be disputed or accepted several times: such an event is named after the order's last change, too. The orchestrator
// may not change an order that is disputed anew, so a webhook that says so is an event of its own.
func orderEvents(id settlement.PaymentID, o orchestration.MarketOrder, webhook store.UnreadWebhook) []settlement.Event {
	event := func(kind settlement.EventKind, reason settlement.Code, detail string) settlement.Event {
		return settlement.Event{ID: string(kind), Payment: id, Kind: kind, Reason: reason, Detail: detail}
	}
	rail := railOf(o)
	var first settlement.Event
	switch {
	case rail == rails.NotRequired || rail == "" && !o.Payment.Required:
		first = event(settlement.EventOrderFree, "", "the order needs no payment")
	case !rails.Carried(rail):
		refusal := railUnsupported(rail)
		first = event(settlement.EventOrderRefused, refusal.Code, refusal.Detail)
	default:
		first = event(settlement.EventOrderOpened, "", "")
	}
	events := []settlement.Event{first}
	switch o.Status {
	case orchestration.OrderCancelled, orchestration.OrderFailed:
		events = append(events, event(settlement.EventOrderCanceled, rails.OrderClosed, fmt.Sprintf("the order is %s", o.Status)))
	case orchestration.OrderConfirmed:
		events = append(events, event(settlement.EventOrderAccepted, "", ""))
		events[1].ID += "/" + plainText(o.UpdatedAt)
	case orchestration.OrderDisputed:
		found := event(settlement.EventOrderDisputed, "", "")
		found.ID += "/" + plainText(o.UpdatedAt)
		if webhook.Type == "order.disputed" {
			said := event(settlement.EventOrderDisputed, "", "")
			said.ID += "/webhook/" + webhook.Key.ID
			said.Dispute = &settlement.DisputeStep{Opener: settlement.OpenedByWebhook, Reason: settlement.DisputeUnstated, Party: settlement.PartyPayer}
			events = append(events, said)
		}
		events = append(events, found)
	}
	return events
}
