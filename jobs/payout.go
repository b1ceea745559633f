package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// bindVaults gives vaults to the payments whose intents name them. One that belongs to another payment makes the order a
// matter for a person: two orders must not be paid into one vault.
func bindVaults(ctx context.Context, tx pgx.Tx, b *batch, trial []Result) error {
	terms := make(map[settlement.PaymentID]settlement.Terms)
	for i, e := range b.events {
		if e.Kind == settlement.EventIntentReady && e.Terms != nil && e.Terms.Custody == settlement.CustodyVault && trial[i].Err == nil {
			terms[e.Payment] = *e.Terms
		}
	}
	bound, err := store.BindVaults(ctx, tx, terms)
	if err != nil {
		return err
	}
	for i, e := range b.events {
		if _, named := terms[e.Payment]; named && e.Kind == settlement.EventIntentReady && !bound[e.Payment] {
			b.events[i] = settlement.Event{
				ID: fmt.Sprintf("%s/%d", settlement.EventOrderRefused, e.Version), Payment: e.Payment, Kind: settlement.EventOrderRefused, Version: e.Version,
				Reason: rails.IntentDiffers, Detail: "the vault that the intent names belongs to another order", Platform: e.Platform,
			}
		}
	}
	return nil
}

// postTransfers posts what has become final: what settled a payment, and all that arrived in a vault.
func postTransfers(ctx context.Context, tx pgx.Tx, results []Result, now time.Time) error {
	var postings []store.Posting
	for _, res := range results {
		e, terms := res.Event, res.Payment.Terms
		if e.Sighting == nil || res.Err != nil {
			continue
		}
		p := store.Posting{
			Transfer: store.SeenTransfer{Payment: e.Payment, Chain: terms.Token.Chain, Sighting: *e.Sighting}, Account: store.AccountPayee,
		}
		if terms.Custody == settlement.CustodyVault {
			p.Account = store.AccountHeld
		}
		t := e.Sighting.Transfer
		switch {
		case consumes(e), e.Kind == settlement.EventAcceptedAsPaid, e.Kind == settlement.EventTransferAccepted:
			postings = append(postings, p)
		case e.Kind == settlement.EventPaymentMispaid && p.Account == store.AccountHeld && t.Payee == terms.Payee && t.Token == terms.Token.Address:
			postings = append(postings, p)
		}
	}
	return store.PostTransfers(ctx, tx, postings, now)
}

// planPayouts records the movements that payments ask for as they are now, and gives up those that they no longer ask for. A
// movement is approved with the event that led to it. A payout waits while a return of the payment is under way.
func (r *Runner) planPayouts(ctx context.Context, tx pgx.Tx, results []Result, changes []store.Change, now time.Time) error {
	decided := make(map[settlement.PaymentID]settlement.Event)
	failed := make(map[settlement.PaymentID]string)
	for _, res := range results {
		switch e := res.Event; {
		case res.Err != nil:
		case e.Kind == settlement.EventReturnFailed && e.Reason != "":
			failed[e.Payment] = cmp.Or(e.Detail, string(e.Reason))
		case decides(e):
			decided[e.Payment] = e
		}
	}
	var asked []store.Asked
	var due []settlement.PaymentID
	payments := make(map[settlement.PaymentID]settlement.Payment)
	for _, c := range changes {
		id := c.New.ID
		problem, gaveUp := failed[id]
		if gaveUp || c.Old.State != c.New.State || c.Old.PayoutDue() != c.New.PayoutDue() {
			asked = append(asked, store.Asked{
				Payment: id, Payout: c.New.PayoutDue(), Returns: c.New.State.MayReturn() && !gaveUp, Problem: cmp.Or(problem, "the payment's state has changed"),
			})
		}
		if _, ok := decided[id]; ok || c.New.PayoutDue() != "" {
			due = append(due, id)
			payments[id] = c.New
		}
	}
	if err := store.CancelMovements(ctx, tx, asked, now); err != nil || len(due) == 0 {
		return err
	}
	held, err := store.HeldFor(ctx, tx, due)
	if err != nil {
		return err
	}
	var movements []settlement.Movement
	for _, id := range due {
		p, h := payments[id], held[id]
		m := movementOf(p, decided[id], h)
		switch {
		case h.Moving:
		case m.Purpose == "":
		case m.ToPayee.Add(m.ToPayer).IsZero():
			r.cfg.Logger.ErrorContext(ctx, "nothing is held that could be moved", "payment_id", id.String(), "order_id", p.OrderID, "state", string(p.State))
		default:
			movements = append(movements, m)
		}
	}
	return store.InsertMovements(ctx, tx, movements, now)
}

// movementOf is the movement that the payment asks for after the decision, whose purpose is empty for none.
func movementOf(p settlement.Payment, decision settlement.Event, h settlement.Held) settlement.Movement {
	m := settlement.Movement{Payment: p.ID, Part: h.NextPart, Purpose: p.PayoutDue()}
	if decision.Receiver != "" {
		m.Direct = &settlement.DirectRefund{Token: p.Terms.Token.Address, Receiver: decision.Receiver}
	}
	switch {
	case decision.Kind == settlement.EventPartialRefundApproved && p.State.MayReturn():
		m.Purpose, m.Division = settlement.PayoutPartialRefund, *decision.Division
	case decision.Kind == settlement.EventSurplusRefundApproved && p.State.MayReturn():
		m.Purpose, m.ToPayer = settlement.PayoutSurplus, p.Surplus(h)
	case h.Direct && decision.Receiver == "":
		m.Purpose = "" // it was decided before, and its movement is there
	case m.Purpose == settlement.PayoutSplit && decision.Division == nil:
		m.Purpose = "" // it was decided before, and its movement is there
	case m.Purpose == settlement.PayoutSplit:
		m.Division = settlement.Divide(decision.Division.ToPayee, h.Amount)
	case m.Purpose == settlement.PayoutRefund:
		m.Division = settlement.Divide(settlement.Amount{}, h.Amount)
	case m.Purpose == settlement.PayoutRelease:
		m.Division = settlement.Divide(p.Terms.Amount, h.Amount)
	}
	return m
}

// tellPayouts tells the orchestrator that the money of payments is where it belongs: final on the chain, or with a direct
// rail at the payee from the beginning.
func (r *Runner) tellPayouts(ctx context.Context, job *river.Job[tellPayoutsArgs]) error {
	states := []settlement.State{settlement.StateReleasePending, settlement.StateRefundPending, settlement.StateSplitPending}
	return r.eachPayment(ctx, job.ID, job.Args.Payments, states, true, r.tellPayout)
}

func (r *Runner) tellPayout(ctx context.Context, t task) outcome {
	p := t.payment
	chain, ok := r.chains[p.Terms.Token.Chain]
	client := r.marketplaces[p.Marketplace].Client
	switch {
	case !p.Untold():
		return outcome{}
	case p.Observed:
		return told(p, "", "the orchestrator refuses our identity and was not told")
	case client == nil || !ok:
		return r.again(ctx, t, fmt.Errorf("marketplace %q or chain %s is not in the configuration", p.Marketplace, p.Terms.Token.Chain))
	case r.marketplaces[p.Marketplace].Gate.shut():
		return r.again(ctx, t, ErrHeldBack)
	}
	if t.posting {
		there, err := readPayment(ctx, client, p.OrderID)
		if err != nil {
			o := r.again(ctx, t, fmt.Errorf("read payment back: %w", err))
			o.unknown = true
			return o
		}
		if there != nil && isTold(p, there.Status) {
			return told(p, there.Status, "read back")
		}
	}
	session, err := r.sessionOf(p.Marketplace, p.MachineID)
	if err != nil {
		return r.again(ctx, t, err)
	}
	by := p.PaidBy
	if p.PaidOut != "" {
		by = p.PaidOut
	}
	status, text, err := r.toTell(ctx, p)
	if err != nil {
		return r.again(ctx, t, err)
	}
	var after orchestration.MarketPayment
	err = session.Do(ctx, func(token orchestration.Secret) (err error) {
		if status == orchestration.PaymentRefunded {
			after, err = client.RefundPayment(ctx, token, p.OrderID, &orchestration.RefundPaymentRequest{TransactionHash: chain.FormatTxID(by), Reason: text})
		} else {
			after, err = client.ReleasePayment(ctx, token, p.OrderID, &orchestration.ReleasePaymentRequest{TransactionHash: chain.FormatTxID(by), Notes: text})
		}
		return err
	})
	if err == nil {
		err = ofOrder(after, p.OrderID)
	}
	switch {
	case err != nil:
		return r.payoutRefused(ctx, t, err)
	case !isTold(p, after.Status):
		return payoutDiffers(p, chain, after.Status)
	}
	return told(p, after.Status, "")
}

// toTell is what the orchestrator's payment is to become, and what is said with it. It knows no splits: one is a release where
// the order was confirmed and a refund otherwise, as it takes each only from where it is, and the text says who got what.
func (r *Runner) toTell(ctx context.Context, p settlement.Payment) (status orchestration.PaymentStatus, text string, err error) {
	switch p.State {
	case settlement.StateReleasePending:
		return orchestration.PaymentReleased, "", nil
	case settlement.StateRefundPending:
		return orchestration.PaymentRefunded, "", nil
	}
	movements, err := store.MovementsOf(ctx, r.cfg.Pool, []settlement.PaymentID{p.ID})
	if err != nil {
		return "", "", err
	}
	for _, mv := range movements {
		if mv.Purpose == settlement.PayoutSplit && mv.State == settlement.MovementFinal {
			text = fmt.Sprintf("split: %s %s to the payee, %s %s to the payer", mv.ToPayee.Major(p.Terms.Token.Decimals), p.Terms.Token.Symbol,
				mv.ToPayer.Major(p.Terms.Token.Decimals), p.Terms.Token.Symbol)
		}
	}
	there, err := readPayment(ctx, r.marketplaces[p.Marketplace].Client, p.OrderID)
	if err != nil {
		return "", "", fmt.Errorf("read payment: %w", err)
	}
	if there != nil && there.Status == orchestration.PaymentReleasePending {
		return orchestration.PaymentReleased, text, nil
	}
	return orchestration.PaymentRefunded, text, nil
}

// isTold reports whether the status is what the orchestrator calls a payment once it was told.
func isTold(p settlement.Payment, status orchestration.PaymentStatus) bool {
	switch p.State {
	case settlement.StateReleasePending:
		return status == orchestration.PaymentReleased
	case settlement.StateRefundPending:
		return status == orchestration.PaymentRefunded
	}
	return status == orchestration.PaymentReleased || status == orchestration.PaymentRefunded
}

// told ends the payment.
func told(p settlement.Payment, platform orchestration.PaymentStatus, detail string) outcome {
	kind := settlement.EventReleased
	switch p.State {
	case settlement.StateRefundPending:
		kind = settlement.EventRefunded
	case settlement.StateSplitPending:
		kind = settlement.EventSplit
	}
	return outcome{events: []settlement.Event{{
		ID: fmt.Sprintf("%s/%d", kind, p.Version), Payment: p.ID, Kind: kind, Version: p.Version, TxID: p.PaidOut, Platform: string(platform), Detail: detail,
	}}}
}

// payoutDiffers shows both sides to a person: the money has moved, and the orchestrator's books do not follow.
func payoutDiffers(p settlement.Payment, chain Chain, status orchestration.PaymentStatus) outcome {
	ours := fmt.Sprintf("the money was moved by %s", chain.FormatTxID(p.PaidOut))
	if p.PaidOut == "" {
		ours = fmt.Sprintf("the payee was paid by %s", chain.FormatTxID(p.PaidBy))
	}
	return outcome{events: []settlement.Event{{
		ID: fmt.Sprintf("platform_differs/%d", p.Version), Payment: p.ID, Kind: settlement.EventPlatformDiffers, Version: p.Version,
		Reason: PlatformDiffers, Platform: string(status),
		Detail: fmt.Sprintf("%s; the orchestrator's payment is %s and does not follow", ours, status),
	}}}
}

// payoutRefused sorts the refusals of a release or refund.
func (r *Runner) payoutRefused(ctx context.Context, t task, err error) outcome {
	p := t.payment
	api, ok := refusalOf(err)
	if !ok {
		return r.again(ctx, t, fmt.Errorf("tell what became of the money: %w", err))
	}
	if identityRefused(api.Code) {
		o := forbidden(t, api.Code)
		o.events[0].ID += fmt.Sprintf("/%d", p.Version)
		return o
	}
	there, readErr := readPayment(ctx, r.marketplaces[p.Marketplace].Client, p.OrderID)
	switch {
	case readErr != nil:
		return r.again(ctx, t, fmt.Errorf("read payment back: %w, after the refusal: %w", readErr, err))
	case there == nil:
		return r.again(ctx, t, errors.Join(errors.New("the orchestrator has no payment of the order"), err))
	case isTold(p, there.Status):
		return told(p, there.Status, "read back")
	case p.State != settlement.StateReleasePending && there.Status == orchestration.PaymentIntentCreated:
		return told(p, there.Status, "the orchestrator has never held the payment: it has nothing to be told")
	case t.attempts < patience: // its own view of the order may lag behind
		return r.again(ctx, t, fmt.Errorf("tell what became of the money: %w", err))
	}
	return payoutDiffers(p, r.chains[p.Terms.Token.Chain], there.Status)
}
