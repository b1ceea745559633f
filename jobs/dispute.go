package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// disputeKey names one dispute of one payment.
type disputeKey struct {
	payment settlement.PaymentID
	number  int
}

// readDisputes reads what the events may be about. Most batches are not about disputes.
func (b *batch) readDisputes(ctx context.Context, tx pgx.Tx) error {
	var ids []settlement.PaymentID
	for id, p := range b.before {
		if p.State == settlement.StateFrozen {
			ids = append(ids, id)
		}
	}
	for _, e := range b.events {
		if e.Kind == settlement.EventOrderDisputed || e.Kind == settlement.EventVaultFrozen {
			ids = append(ids, e.Payment)
		}
	}
	disputes, err := store.Disputes(ctx, tx, ids)
	if err != nil {
		return err
	}
	b.stored = make(map[settlement.PaymentID]settlement.Dispute, len(disputes))
	for id, of := range disputes {
		b.stored[id] = of[len(of)-1]
	}
	return nil
}

// follow keeps the payment's dispute after an event that its state accepts.
func (b *batch) follow(e settlement.Event, before, after settlement.Payment) error {
	var last *settlement.Dispute
	if d, ok := b.dispute[e.Payment]; ok {
		last = &d
	}
	next, err := settlement.FollowDispute(last, e, before, after, b.runner.disputePolicy(before.Marketplace), b.now)
	if err != nil || next == nil {
		return err
	}
	b.dispute[e.Payment] = *next
	b.followed[disputeKey{e.Payment, next.Number}] = *next
	return nil
}

func (b *batch) disputesChanged() []settlement.Dispute {
	changed := make([]settlement.Dispute, 0, len(b.followed))
	for _, d := range b.followed {
		changed = append(changed, d)
	}
	return changed
}

func (r *Runner) disputePolicy(marketplace string) settlement.DisputePolicy {
	if policy := r.marketplaces[marketplace].Disputes; policy != (settlement.DisputePolicy{}) {
		return policy
	}
	return DefaultDisputes
}

// disputeDueAt is when the sweeper takes up a frozen payment: to tell the orchestrator, or when something falls due.
func (r *Runner) disputeDueAt(p settlement.Payment, d settlement.Dispute, now time.Time) time.Time {
	due := store.Never
	if _, at := d.Due(r.disputePolicy(p.Marketplace), p.Terms.Amount); !at.IsZero() {
		due = at
	}
	if lease := now.Add(workLease); d.Open() && !d.Told && lease.Before(due) {
		due = lease
	}
	return due
}

// sweepDisputes returns the frozen payments whose dispute the orchestrator is to be told, and the events of deadlines that have
// passed.
func (r *Runner) sweepDisputes(ctx context.Context, tx pgx.Tx, ids []settlement.PaymentID, now time.Time) (untold []settlement.PaymentID, events []settlement.Event, err error) {
	if len(ids) == 0 {
		return nil, nil, nil
	}
	disputes, err := store.Disputes(ctx, tx, ids)
	if err != nil {
		return nil, nil, err
	}
	payments, err := store.Payments(ctx, tx, ids)
	if err != nil {
		return nil, nil, err
	}
	held, err := store.HeldFor(ctx, tx, ids)
	if err != nil {
		return nil, nil, err
	}
	var later []store.Postponed
	for _, p := range payments {
		of := disputes[p.ID]
		if len(of) == 0 {
			continue
		}
		d := of[len(of)-1]
		if !d.Told {
			untold = append(untold, p.ID)
		}
		event, at := d.Due(r.disputePolicy(p.Marketplace), p.Terms.Amount)
		switch {
		case at.IsZero() || now.Before(at): // it was the orchestrator's turn, or a lease that a job has left
			later = append(later, store.Postponed{ID: p.ID, Version: p.Version, DueAt: r.disputeDueAt(p, d, now)})
			continue
		case event.Kind == settlement.EventDisputeDecided:
			event.Dispute = &settlement.DisputeStep{Award: new(defaultAward(d.Default, p, held[p.ID].Amount))}
		}
		if event.Kind == settlement.EventSplitApproved { // what came since the decision is the payer's
			event.Division = new(settlement.Divide(d.Award.ToPayee, held[p.ID].Amount))
		}
		event.Version = p.Version
		events = append(events, event)
	}
	return untold, events, store.RedatePayments(ctx, tx, later)
}

// disputedAmount is what there is to divide: what the vault holds or, where nobody holds anything, what the payee has.
func disputedAmount(p settlement.Payment, held settlement.Amount) settlement.Amount {
	if p.Terms.Custody == settlement.CustodyVault {
		return held
	}
	return p.Received
}

// defaultAward divides the money as the default outcome says.
func defaultAward(outcome settlement.DisputeDefault, p settlement.Payment, held settlement.Amount) settlement.Division {
	payee := p.Terms.Amount
	if outcome == settlement.DefaultRefund {
		payee = settlement.Amount{}
	}
	return settlement.Divide(payee, disputedAmount(p, held))
}

// tellDisputes tells the orchestrator of disputes that people have opened, so that its payment is frozen as well.
func (r *Runner) tellDisputes(ctx context.Context, job *river.Job[tellDisputesArgs]) error {
	return r.eachPayment(ctx, job.ID, job.Args.Payments, []settlement.State{settlement.StateFrozen}, true, r.tellDispute)
}

func (r *Runner) tellDispute(ctx context.Context, t task) outcome {
	p := t.payment
	disputes, err := store.Disputes(ctx, r.cfg.Pool, []settlement.PaymentID{p.ID})
	if err != nil {
		return r.again(ctx, t, err)
	}
	of := disputes[p.ID]
	if len(of) == 0 || of[len(of)-1].Told {
		return outcome{}
	}
	d := of[len(of)-1]
	client := r.marketplaces[p.Marketplace].Client
	switch {
	case p.Observed:
		return disputeTold(p, d, "", "the orchestrator refuses our identity and was not told")
	case client == nil:
		return r.again(ctx, t, fmt.Errorf("marketplace %q is not in the configuration", p.Marketplace))
	case r.marketplaces[p.Marketplace].Gate.shut():
		return r.again(ctx, t, ErrHeldBack)
	}
	if t.posting { // an earlier call may have acted
		order, err := client.GetMarketOrder(ctx, p.OrderID)
		if err != nil {
			o := r.again(ctx, t, fmt.Errorf("read order back: %w", err))
			o.unknown = true
			return o
		}
		if order.Status == orchestration.OrderDisputed {
			return disputeTold(p, d, "", "read back")
		}
	}
	session, err := r.sessionOf(p.Marketplace, p.MachineID)
	if err != nil {
		return r.again(ctx, t, err)
	}
	var answer orchestration.DisputeMarketOrderAnswer
	err = session.Do(ctx, func(token orchestration.Secret) (err error) {
		answer, err = client.DisputeMarketOrder(ctx, token, p.OrderID, orchestration.DisputeMarketOrderRequest{Reason: string(d.Reason)})
		return err
	})
	if err == nil {
		status := orchestration.PaymentStatus("")
		if answer.Payment != nil {
			status = answer.Payment.Status
		}
		return disputeTold(p, d, status, "")
	}
	api, refused := refusalOf(err)
	switch {
	case !refused:
		return r.again(ctx, t, fmt.Errorf("tell of the dispute: %w", err))
	case identityRefused(api.Code):
		return disputeTold(p, d, "", "the orchestrator refuses our identity and was not told")
	}
	order, readErr := client.GetMarketOrder(ctx, p.OrderID)
	switch {
	case readErr != nil:
		return r.again(ctx, t, errors.Join(err, readErr))
	case order.Status == orchestration.OrderDisputed:
		return disputeTold(p, d, "", "read back")
	case t.attempts < patience: // its own view of the order may lag behind
		return r.again(ctx, t, fmt.Errorf("tell of the dispute: %w", err))
	}
	return disputeTold(p, d, "", fmt.Sprintf("the orchestrator does not take it: %s; its order is %s", api.Code, order.Status))
}

func disputeTold(p settlement.Payment, d settlement.Dispute, platform orchestration.PaymentStatus, detail string) outcome {
	return outcome{events: []settlement.Event{{
		ID: fmt.Sprintf("dispute/%d/told", d.Number), Payment: p.ID, Kind: settlement.EventDisputeTold, Version: p.Version,
		Platform: string(platform), Detail: detail,
	}}}
}
