package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// ErrDuplicate means that the event was accepted before; nothing changed.
var ErrDuplicate = errors.New("event accepted before")

// Result is what became of one event.
type Result struct {
	Event   settlement.Event   // as it was recorded: a confirmation may have become a mispayment
	Payment settlement.Payment // after the event, or as it was when Err is set
	Err     error              // nil, ErrDuplicate, settlement.ErrNotAccepted or store.ErrNotFound
}

// Advance is the one door: the only way a payment changes. It takes a batch of events and, in one transaction, drops
// those seen before, locks the payments, claims the transfers, asks settlement.Next for each, saves states and history,
// and inserts the jobs that follow. Results come in the order of the events.
//
// An event that its payment does not accept changes nothing for that payment and never fails the batch. An error means
// that nothing at all was changed.
func (r *Runner) Advance(ctx context.Context, events ...settlement.Event) (results []Result, err error) {
	if len(events) == 0 {
		return nil, nil
	}
	err = r.begin(ctx, "events", func(tx pgx.Tx) error {
		results, err = r.advance(ctx, tx, events)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("advance %d events: %w", len(events), err)
	}
	r.logResults(ctx, results)
	return results, nil
}

// begin runs f in a transaction, again when Postgres gave it up to resolve a conflict with another one. The name is for
// crash tests.
func (r *Runner) begin(ctx context.Context, name string, f func(pgx.Tx) error) error {
	for attempt := 1; ; attempt++ {
		err := pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error {
			err := f(tx)
			crashPoint("before commit of " + name)
			return err
		})
		crashPoint("after commit of " + name)
		pgErr, ok := errors.AsType[*pgconn.PgError](err)
		// 40P01 is a deadlock, 40001 a serialisation failure: the transaction left nothing behind.
		if !ok || pgErr.Code != "40P01" && pgErr.Code != "40001" || attempt == 5 {
			return err
		}
	}
}

// advance is Advance in the caller's transaction. The caller logs the results after its commit.
//
// Lock order: payments by id, transfers by key, audit head.
func (r *Runner) advance(ctx context.Context, tx pgx.Tx, events []settlement.Event) ([]Result, error) {
	now := r.now()
	ids := make([]settlement.PaymentID, 0, len(events))
	for _, e := range events {
		ids = append(ids, e.Payment)
	}
	slices.SortFunc(ids, func(a, b settlement.PaymentID) int { return slices.Compare(a[:], b[:]) })
	locked, err := store.LockPayments(ctx, tx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	// Looked up after the lock: of two batches with the same event the later one sees what the earlier one recorded.
	seen, err := store.EventsSeen(ctx, tx, events)
	if err != nil {
		return nil, err
	}
	events = slices.Clone(events)
	for i := range events {
		events[i].Detail, events[i].Platform = plainText(events[i].Detail), plainText(events[i].Platform)
	}
	b := batch{events: events, seen: seen, before: make(map[settlement.PaymentID]settlement.Payment, len(locked))}
	for _, p := range locked {
		b.before[p.ID] = p
	}
	if err := r.settle(ctx, tx, &b, now); err != nil {
		return nil, err
	}
	results, after := b.run()

	var changes []store.Change
	var records []store.Record
	for i, res := range results {
		if res.Err != nil {
			continue
		}
		e := res.Event
		record := store.Record{
			Payment: e.Payment, Version: res.Payment.Version, EventID: e.ID, Kind: e.Kind, From: b.from[i], To: res.Payment.State,
			Reason: e.Reason, Detail: e.Detail, TxID: e.TxID, At: now,
		}
		if e.Sighting != nil {
			record.TxID = e.Sighting.TxID
		}
		records = append(records, record)
	}
	slices.SortStableFunc(records, func(a, b store.Record) int {
		return cmp.Or(slices.Compare(a.Payment[:], b.Payment[:]), cmp.Compare(a.Version, b.Version))
	})
	for _, p := range locked {
		if n := after[p.ID]; n.Version != p.Version {
			changes = append(changes, store.Change{Old: p, New: n, DueAt: dueAt(n, now)})
		}
	}
	if err := store.SavePayments(ctx, tx, changes, now); err != nil {
		return nil, err
	}
	if err := saveSightings(ctx, tx, results, now); err != nil {
		return nil, err
	}
	if err := store.AppendHistory(ctx, tx, records, now); err != nil {
		return nil, err
	}
	if err := r.insertJobs(ctx, tx, followUps(changes)); err != nil {
		return nil, err
	}
	return results, nil
}

// plainText is text that Postgres takes: what others wrote must not fail the batch it is in.
func plainText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// batch is what one call of advance works on.
type batch struct {
	events []settlement.Event
	seen   map[settlement.PaymentID]map[string]bool
	before map[settlement.PaymentID]settlement.Payment
	from   []settlement.State // of each event, after run
	// consumed holds the places of the confirmations whose transfer this transaction has consumed.
	consumed map[int]bool
}

// run applies the events in their order, purely. Several events of one payment see each other's effect.
func (b *batch) run() ([]Result, map[settlement.PaymentID]settlement.Payment) {
	after := make(map[settlement.PaymentID]settlement.Payment, len(b.before))
	applied := make(map[settlement.PaymentID]map[string]bool)
	results := make([]Result, len(b.events))
	b.from = make([]settlement.State, len(b.events))
	for i, e := range b.events {
		p, ok := after[e.Payment]
		if !ok {
			if p, ok = b.before[e.Payment]; !ok {
				results[i] = Result{Event: e, Err: fmt.Errorf("payment %s: %w", e.Payment, store.ErrNotFound)}
				continue
			}
			after[e.Payment] = p
		}
		if b.seen[e.Payment][e.ID] || applied[e.Payment][e.ID] {
			results[i] = Result{Event: e, Payment: p, Err: ErrDuplicate}
			continue
		}
		if b.consumed != nil && e.Kind == settlement.EventPaymentConfirmed && !b.consumed[i] {
			results[i] = Result{Event: e, Payment: p, Err: fmt.Errorf("%s without its transfer: %w", e.Kind, settlement.ErrNotAccepted)}
			continue
		}
		next, err := settlement.Next(p, e)
		if err == nil {
			if applied[e.Payment] == nil {
				applied[e.Payment] = make(map[string]bool)
			}
			applied[e.Payment][e.ID] = true
		}
		b.from[i] = p.State
		after[e.Payment] = next
		results[i] = Result{Event: e, Payment: next, Err: err}
	}
	return results, after
}

// settle decides for each confirmation in the batch whether the transfer is this payment's, and consumes it. One that
// is not becomes a mispayment: money moved, and it settles another order or none.
func (r *Runner) settle(ctx context.Context, tx pgx.Tx, b *batch, now time.Time) error {
	b.consumed = nil
	trial, _ := b.run() // which confirmations would be accepted at all
	b.consumed = make(map[int]bool)

	var places []int
	var transfers []store.SeenTransfer
	var chains []settlement.ChainID
	var sightings []settlement.Sighting
	for i, e := range b.events {
		if e.Kind != settlement.EventPaymentConfirmed || e.Sighting == nil || errors.Is(trial[i].Err, ErrDuplicate) {
			continue
		}
		p, ok := b.before[e.Payment]
		if !ok {
			continue
		}
		if trial[i].Err != nil {
			if trial[i].Payment.Settled() && trial[i].Payment.PaidBy != e.Sighting.TxID {
				b.mispaid(i, "", "a second transfer for a payment that is settled")
			}
			continue
		}
		places = append(places, i)
		chains = append(chains, p.Terms.Token.Chain)
		sightings = append(sightings, *e.Sighting)
		transfers = append(transfers, store.SeenTransfer{Payment: e.Payment, Chain: p.Terms.Token.Chain, Sighting: *e.Sighting})
	}
	if len(places) == 0 {
		return nil
	}
	open, err := store.OpenForTransfers(ctx, tx, chains, sightings)
	if err != nil {
		return err
	}
	var owned []store.SeenTransfer
	var ownedPlaces []int
	for n, i := range places {
		code, ok := attributionOf(b.events[i].Payment, settlement.Attribute(sightings[n].Transfer, open[n]))
		if !ok || code != "" {
			b.mispaid(i, cmp.Or(code, settlement.TransferAmbiguous), "the transfer may belong to another order")
			continue
		}
		owned = append(owned, transfers[n])
		ownedPlaces = append(ownedPlaces, i)
	}
	owners, err := store.ConsumeTransfers(ctx, tx, owned, now)
	if err != nil {
		return err
	}
	for n, i := range ownedPlaces {
		key := store.TransferKey{Chain: owned[n].Chain, TxID: owned[n].Sighting.TxID, Position: owned[n].Sighting.Transfer.Position}
		if owners[key] == b.events[i].Payment {
			b.consumed[i] = true
			continue
		}
		b.mispaid(i, settlement.TransferAlreadyUsed, "the transfer settled another order")
	}
	return nil
}

// attributionOf is the attribution of one payment among several.
func attributionOf(id settlement.PaymentID, attributions []settlement.Attribution) (settlement.Code, bool) {
	for _, a := range attributions {
		if a.Payment == id {
			return a.Code, true
		}
	}
	return "", false
}

func (b *batch) mispaid(i int, code settlement.Code, detail string) {
	e := b.events[i]
	sighting := *e.Sighting
	if code != "" {
		sighting.Verdict.Code = code
	}
	e.Kind, e.Reason, e.Detail, e.Sighting = settlement.EventPaymentMispaid, code, detail, &sighting
	b.events[i] = e
}

// saveSightings stores the transfers that came with the events, whether or not the event was accepted: what was seen is
// a fact.
func saveSightings(ctx context.Context, tx pgx.Tx, results []Result, now time.Time) error {
	var saved, withdrawn []store.SeenTransfer
	for _, res := range results {
		e := res.Event
		if e.Sighting == nil || errors.Is(res.Err, store.ErrNotFound) {
			continue
		}
		s := store.SeenTransfer{Payment: e.Payment, Chain: res.Payment.Terms.Token.Chain, Sighting: *e.Sighting}
		switch e.Kind {
		case settlement.EventTransferSeen:
			s.Status = store.TransferSeen
		case settlement.EventPaymentConfirmed, settlement.EventPaymentMispaid:
			s.Status = store.TransferFinal
		case settlement.EventTransferWithdrawn:
			withdrawn = append(withdrawn, s)
			continue
		default:
			continue
		}
		saved = append(saved, s)
	}
	if err := store.SaveTransfers(ctx, tx, latest(saved), now); err != nil {
		return err
	}
	return store.WithdrawTransfers(ctx, tx, withdrawn)
}

// latest keeps the last of several rows with one key: an upsert may touch each row once.
func latest(transfers []store.SeenTransfer) []store.SeenTransfer {
	type key struct {
		payment  settlement.PaymentID
		txid     settlement.TxID
		position string
	}
	place := make(map[key]int, len(transfers))
	var kept []store.SeenTransfer
	for _, t := range transfers {
		k := key{t.Payment, t.Sighting.TxID, t.Sighting.Transfer.Position}
		if i, ok := place[k]; ok {
			kept[i] = t
			continue
		}
		place[k] = len(kept)
		kept = append(kept, t)
	}
	return kept
}

// workLease is how long a job has before the sweeper gives its work to another one. It is above the longest outside
// call (60 s) of a worker.
const workLease = 90 * time.Second

// dueAt is when the sweeper takes up what the payment's state asks for. The job that follows in the same transaction is
// the usual way; the sweeper is for the day on which that job was lost.
func dueAt(p settlement.Payment, now time.Time) time.Time {
	switch {
	case p.State == settlement.StateNew, p.State == settlement.StateVerified && !p.Observed:
		return now.Add(workLease)
	case p.State.Open() && p.Named != "" && p.State != settlement.StateConfirming: // then the watcher follows it
		return now.Add(workLease)
	case p.State == settlement.StateAwaitingPayment:
		return p.Terms.Deadline.Add(p.Terms.Grace)
	}
	return store.Never
}

// followUps are the jobs for what the changed payments ask for: one per kind for up to maxRows payments.
func followUps(changes []store.Change) []river.InsertManyParams {
	due := make(map[settlement.State][]settlement.PaymentID)
	for _, c := range changes {
		n := c.New
		switch {
		case n.State == settlement.StateNew, n.State == settlement.StateVerified && !n.Observed:
			due[n.State] = append(due[n.State], n.ID)
		case n.State.Open() && n.Named != "" && (n.Named != c.Old.Named || n.State == settlement.StateVerifying && c.Old.State == settlement.StateConfirming):
			due[settlement.StateVerifying] = append(due[settlement.StateVerifying], n.ID)
		}
	}
	return workFor(due)
}

// logResults writes one line per transition, and one for each event that was not accepted.
func (r *Runner) logResults(ctx context.Context, results []Result) {
	for _, res := range results {
		e, p := res.Event, res.Payment
		attrs := []slog.Attr{
			slog.String("payment_id", e.Payment.String()), slog.String("order_id", p.OrderID), slog.String("event", string(e.Kind)),
			slog.String("state", string(p.State)),
		}
		if e.Reason != "" {
			attrs = append(attrs, slog.String("reason", string(e.Reason)), slog.String("detail", e.Detail))
		}
		if e.Sighting != nil {
			attrs = append(attrs, slog.String("txid", e.Sighting.TxID.String()))
		}
		level, message := slog.LevelInfo, "payment advanced"
		switch {
		case errors.Is(res.Err, ErrDuplicate):
			level, message = slog.LevelDebug, "event repeated"
		case res.Err != nil:
			message = "event not accepted"
			attrs = append(attrs, slog.String("err", res.Err.Error()))
		case e.Kind == settlement.EventFinalityBroken:
			level = slog.LevelError // money that counted as final has left the chain: wake someone
		}
		r.cfg.Logger.LogAttrs(ctx, level, message, attrs...)
	}
}
