package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

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
// Lock order: payments by id, transfers by key, movements, audit head.
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
	b := batch{runner: r, now: now, events: events, seen: seen, before: make(map[settlement.PaymentID]settlement.Payment, len(locked))}
	for _, p := range locked {
		b.before[p.ID] = p
	}
	if err := b.readDisputes(ctx, tx); err != nil {
		return nil, err
	}
	if err := r.settle(ctx, tx, &b, now); err != nil {
		return nil, err
	}
	results, after := b.run()

	var changes []store.Change
	var records []store.Record
	var proofs []store.PayerProof
	var statements []store.Statement
	proved := make(map[settlement.PaymentID]bool)
	for i, res := range results {
		if res.Err != nil {
			continue
		}
		e := res.Event
		record := store.Record{
			Payment: e.Payment, Version: res.Payment.Version, EventID: e.ID, Kind: e.Kind, From: b.from[i], To: res.Payment.State,
			Reason: e.Reason, Detail: e.Detail, TxID: e.TxID, Decision: e.Decision, At: now,
		}
		if e.Sighting != nil {
			record.TxID = e.Sighting.TxID
		}
		records = append(records, record)
		if e.Kind == settlement.EventPayerProved {
			proofs = append(proofs, store.PayerProof{PayerProof: *e.Proof, Payment: e.Payment, Chain: res.Payment.Terms.Token.Chain, At: now})
			proved[e.Payment] = true
		}
		if e.Kind == settlement.EventDisputeStatement {
			statements = append(statements, store.Statement{
				Payment: e.Payment, Version: res.Payment.Version, Dispute: b.dispute[e.Payment].Number, Party: e.Dispute.Party, Evidence: e.Dispute.Evidence,
			})
		}
	}
	slices.SortStableFunc(records, func(a, b store.Record) int {
		return cmp.Or(slices.Compare(a.Payment[:], b.Payment[:]), cmp.Compare(a.Version, b.Version))
	})
	for _, p := range locked {
		if n := after[p.ID]; n.Version != p.Version {
			due := dueAt(n, now)
			if n.State == settlement.StateFrozen {
				due = r.disputeDueAt(n, b.dispute[n.ID], now)
			}
			if proved[p.ID] && n.State.Open() {
				due = now.Add(workLease) // also of a transfer that the watcher follows: it was judged without the proof
			}
			changes = append(changes, store.Change{Old: p, New: n, DueAt: due})
		}
	}
	if err := store.SavePayments(ctx, tx, changes, now); err != nil {
		return nil, err
	}
	if err := store.SaveDisputes(ctx, tx, b.disputesChanged()); err != nil {
		return nil, err
	}
	if err := store.SavePayerProofs(ctx, tx, proofs); err != nil {
		return nil, err
	}
	if err := saveSightings(ctx, tx, results, now); err != nil {
		return nil, err
	}
	if err := postTransfers(ctx, tx, results, now); err != nil {
		return nil, err
	}
	if err := r.planPayouts(ctx, tx, results, changes, now); err != nil {
		return nil, err
	}
	if err := store.AppendHistory(ctx, tx, records, now); err != nil {
		return nil, err
	}
	if err := store.InsertStatements(ctx, tx, statements); err != nil {
		return nil, err
	}
	if err := r.insertJobs(ctx, tx, followUps(changes, proved, b.dispute)); err != nil {
		return nil, err
	}
	return results, nil
}

// maxText bounds what we keep of a text that others wrote, in bytes.
const maxText = 1000

// plainText is text that Postgres takes, in an index too: what others wrote must not fail the batch it is in.
func plainText(text string) string {
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "\ufffd")
}

// PlainID reports whether somebody else's id of an order or machine can be kept and logged.
func PlainID(id string) bool {
	return id != "" && len(id) <= 255 && utf8.ValidString(id) && !strings.ContainsFunc(id, unicode.IsControl)
}

// batch is what one call of advance works on.
type batch struct {
	runner *Runner
	now    time.Time
	events []settlement.Event
	seen   map[settlement.PaymentID]map[string]bool
	before map[settlement.PaymentID]settlement.Payment
	from   []settlement.State // of each event, after run
	// consumed holds the places of the confirmations and parts whose transfer this transaction has consumed.
	consumed map[int]bool
	// repeated holds those whose transfer counts for their payment already: the watcher and a worker name it differently.
	repeated map[int]bool
	// unfit says of a person's decision why it cannot be carried out.
	unfit map[int]string
	// stored holds the latest dispute of each payment that is frozen or may become so, dispute the same after run, and
	// followed all that run has changed.
	stored, dispute map[settlement.PaymentID]settlement.Dispute
	followed        map[disputeKey]settlement.Dispute
}

// consumes reports whether the event consumes its transfer.
func consumes(e settlement.Event) bool {
	return e.Kind == settlement.EventPaymentConfirmed || e.Kind == settlement.EventPaymentPart
}

// run applies the events in their order, purely. Several events of one payment see each other's effect.
func (b *batch) run() ([]Result, map[settlement.PaymentID]settlement.Payment) {
	after := make(map[settlement.PaymentID]settlement.Payment, len(b.before))
	applied := make(map[settlement.PaymentID]map[string]bool)
	results := make([]Result, len(b.events))
	b.from = make([]settlement.State, len(b.events))
	b.dispute, b.followed = maps.Clone(b.stored), make(map[disputeKey]settlement.Dispute)
	for i, e := range b.events {
		p, ok := after[e.Payment]
		if !ok {
			if p, ok = b.before[e.Payment]; !ok {
				results[i] = Result{Event: e, Err: fmt.Errorf("payment %s: %w", e.Payment, store.ErrNotFound)}
				continue
			}
			after[e.Payment] = p
		}
		if b.seen[e.Payment][e.ID] || applied[e.Payment][e.ID] || b.repeated[i] {
			results[i] = Result{Event: e, Payment: p, Err: ErrDuplicate}
			continue
		}
		if b.consumed != nil && consumes(e) && !b.consumed[i] {
			results[i] = Result{Event: e, Payment: p, Err: fmt.Errorf("%s without its transfer: %w", e.Kind, settlement.ErrNotAccepted)}
			continue
		}
		if b.unfit[i] != "" {
			results[i] = Result{Event: e, Payment: p, Err: fmt.Errorf("%s: %s: %w", e.Kind, b.unfit[i], settlement.ErrNotAccepted)}
			continue
		}
		next, err := settlement.Next(p, e)
		if err == nil {
			err = b.follow(e, p, next)
		}
		if err != nil {
			next = p
		} else {
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

// saveSightings stores the transfers that came with the events, whether or not the event was accepted: what was seen is
// a fact.
func saveSightings(ctx context.Context, tx pgx.Tx, results []Result, now time.Time) error {
	var saved, finalized, withdrawn []store.SeenTransfer
	for _, res := range results {
		e := res.Event
		if e.Sighting == nil || errors.Is(res.Err, store.ErrNotFound) {
			continue
		}
		s := store.SeenTransfer{Payment: e.Payment, Chain: res.Payment.Terms.Token.Chain, Sighting: *e.Sighting}
		switch e.Kind {
		case settlement.EventTransferSeen:
			s.Status = store.TransferSeen
		case settlement.EventPaymentConfirmed, settlement.EventPaymentPart, settlement.EventPaymentMispaid:
			if s.Sighting.FinalHead != 0 {
				finalized = append(finalized, s)
				continue
			}
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
	if err := store.FinalizeTransfers(ctx, tx, latest(finalized)); err != nil {
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

// lateWindow is how long after its end, and after its deadline, a payment is watched for money that comes late: somebody may
// pay by an old link, or an exchange may send after days.
const lateWindow = 30 * 24 * time.Hour

// dueAt is when the sweeper takes up what the payment's state asks for. The job that follows in the same transaction is
// the usual way; the sweeper is for the day on which that job was lost.
func dueAt(p settlement.Payment, now time.Time) time.Time {
	switch {
	case p.State == settlement.StateNew, p.State == settlement.StateVerified && !p.Observed, p.Untold():
		return now.Add(workLease)
	case p.State.Open() && p.Named != "" && p.State != settlement.StateConfirming: // then the watcher follows it
		return now.Add(workLease)
	case p.State == settlement.StateAwaitingPayment:
		return p.Terms.Deadline.Add(p.Terms.Grace)
	case p.State.Final() && p.Terms.Custody == settlement.CustodyVault: // what came to its vault since goes back
		return now
	case p.State.Final() && p.Terms.Payee != "": // then the watch for it ends
		return later(now, p.Terms.Deadline.Add(p.Terms.Grace)).Add(lateWindow)
	}
	return store.Never
}

// followUps are the jobs for what the changed payments ask for: one per kind for up to maxRows payments. A payment is
// looked at when a transaction is named for it, when a payer was proved, when a part was counted, which may not be the only
// one in the transaction, and when the watcher follows its transfer no more.
func followUps(changes []store.Change, proved map[settlement.PaymentID]bool, disputes map[settlement.PaymentID]settlement.Dispute) []river.InsertManyParams {
	due := make(map[settlement.State][]settlement.PaymentID)
	for _, c := range changes {
		n := c.New
		switch {
		case n.State == settlement.StateFrozen:
			if c.Old.State != settlement.StateFrozen && !disputes[n.ID].Told {
				due[n.State] = append(due[n.State], n.ID)
			}
		case n.State == settlement.StateNew, n.State == settlement.StateVerified && !n.Observed,
			n.Untold() && (!c.Old.Untold() || n.Observed != c.Old.Observed):
			due[n.State] = append(due[n.State], n.ID)
		case n.State.Open() && n.Named != "" && (n.Named != c.Old.Named || proved[n.ID] || n.Received != c.Old.Received ||
			c.Old.State == settlement.StateConfirming && n.State != settlement.StateConfirming):
			due[settlement.StateVerifying] = append(due[settlement.StateVerifying], n.ID)
		}
	}
	return workFor(due)
}

// logResults counts what was accepted and writes one line per transition, and one for each event that was not accepted.
func (r *Runner) logResults(ctx context.Context, results []Result) {
	r.counters.count(results)
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
		case e.Kind == settlement.EventFinalityBroken: // money that counted as final has left the chain: wake someone
			level = slog.LevelError
		case e.Kind == settlement.EventPaymentMispaid && p.State.Final(): // nobody looks at a finished payment by himself
			level = slog.LevelError
		case e.Kind == settlement.EventPayoutBroken: // what somebody was paid, and was told of, is not on the chain any more
			level = slog.LevelError
		case e.Kind == settlement.EventPayoutFailed: // money that should have moved and has not
			level = slog.LevelError
		case e.Kind == settlement.EventOrderDisputed && p.State != settlement.StateFrozen: // it comes too late
			level = slog.LevelError
		case e.Kind == settlement.EventDisputeReminded:
			level = slog.LevelWarn
		}
		r.cfg.Logger.LogAttrs(ctx, level, message, attrs...)
	}
}
