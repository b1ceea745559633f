package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/riverqueue/river"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// verifyTransactions looks at the transactions that somebody named. One that is in a block goes on with the watcher; only
// one that is in no block yet comes back.
func (r *Runner) verifyTransactions(ctx context.Context, job *river.Job[verifyTransactionsArgs]) error {
	open := []settlement.State{
		settlement.StateVerifying, settlement.StateConfirming, settlement.StateExpired, settlement.StateNeedsReview,
		settlement.StateAwaitingPayment,
	}
	return r.eachPayment(ctx, job.ID, job.Args.Payments, open, false, r.verifyTransaction)
}

func (r *Runner) verifyTransaction(ctx context.Context, t task) outcome {
	p := t.payment
	chain, ok := r.chains[p.Terms.Token.Chain]
	if p.Named == "" {
		return outcome{}
	}
	if !ok {
		return r.again(ctx, t, fmt.Errorf("chain %s is not in the configuration", p.Terms.Token.Chain))
	}
	signers, err := store.SignersOf(ctx, r.cfg.Pool, p, p.Named)
	if err != nil {
		return r.again(ctx, t, err)
	}
	claim := p.Terms.Claim(p.Named).WithSigners(signers...)
	used, err := store.Consumed(ctx, r.cfg.Pool, []string{string(chain.ID)},
		[]store.SeenTransfer{{Chain: chain.ID, Sighting: settlement.Sighting{TxID: p.Named}}})
	if err != nil {
		return r.again(ctx, t, err)
	}
	claim.Slot = t.slot
	claim.Used = make(map[string]bool)
	for _, c := range used {
		if c.Payment != p.ID || p.Terms.Parts { // parts that count already make way for the next one
			claim.Used[c.Key.Position] = true
		}
	}
	verdict, err := chain.Verifier.Verify(ctx, claim)
	if err != nil {
		o := r.again(ctx, t, err)
		if look, ok := errors.AsType[*settlement.LookError](err); ok && look.RetryAfter > o.retry {
			o.retry = look.RetryAfter
		}
		return o
	}
	r.cfg.Logger.InfoContext(ctx, "verdict", "payment_id", p.ID.String(), "order_id", p.OrderID, "chain", string(chain.ID),
		"txid", chain.FormatTxID(p.Named), "reason", string(verdict.Code), "detail", verdict.Detail)
	if verdict.Transfer != nil && claim.Used[verdict.Transfer.Position] && verdict.Outcome() == settlement.Rejected {
		// It counts already, whatever the funnel stopped at first.
		return absent(p, verdict.Code, "the transfer counts already, for this order or another")
	}
	return r.judged(ctx, t, verdict)
}

// absent is the end of the look for a named transaction that does not concern the payment. Where the orchestrator takes
// the payment for paid, a person must see both sides.
func absent(p settlement.Payment, reason settlement.Code, detail string) outcome {
	events := []settlement.Event{{
		ID: fmt.Sprintf("absent/%s/%d", p.Named, p.Version), Payment: p.ID, Kind: settlement.EventTransactionAbsent, Version: p.Version,
		TxID: p.Named, Reason: reason, Detail: detail,
	}}
	if heldThere(p.Platform) {
		events = append(events, settlement.Event{
			ID: fmt.Sprintf("platform_differs/%s/%d", p.Named, p.Version), Payment: p.ID, Kind: settlement.EventPlatformDiffers, Reason: PlatformDiffers,
			Detail: fmt.Sprintf("the orchestrator's payment is %s; the named transaction does not pay it: %s", p.Platform, reason),
		})
	}
	return outcome{events: events}
}

// judged turns a verdict into what happens next.
func (r *Runner) judged(ctx context.Context, t task, v settlement.Verdict) outcome {
	p := t.payment
	switch {
	case v.Code == settlement.TxUnconfirmed && v.Transfer != nil && v.Evidence != nil:
		e, ok, err := r.attributed(ctx, p, settlement.EventTransferSeen, v)
		switch {
		case err != nil:
			return r.again(ctx, t, err)
		case ok: // the watcher makes it final, or withdraws it
			return outcome{events: []settlement.Event{e}}
		}
		return outcome{retry: backoff(t.attempts)}
	case v.Outcome() == settlement.Pending:
		if v.Code == settlement.TxNotFound && r.now().After(p.Terms.Deadline.Add(p.Terms.Grace)) && t.attempts > 5 {
			return absent(p, settlement.ProofExpired, "the transaction was never found")
		}
		return outcome{retry: backoff(t.attempts), slot: v.Slot}
	case v.Code == settlement.Verified:
		e, _, err := r.attributed(ctx, p, settlement.EventPaymentConfirmed, v)
		if err != nil {
			return r.again(ctx, t, err)
		}
		return outcome{events: []settlement.Event{lookEnd(p, e)}} // the door decides whose transfer it is
	case v.IsPart():
		e, ok, err := r.attributed(ctx, p, settlement.EventPaymentPart, v)
		switch {
		case err != nil:
			return r.again(ctx, t, err)
		case !ok:
			return absent(p, v.Code, "the transaction pays somebody else's order or none")
		case e.Sighting.Verdict.IsPart():
			e.ID += fmt.Sprintf("/%d", p.Version) // and the look goes on: the transaction may hold several
			return outcome{events: []settlement.Event{e}}
		}
		e.Kind = settlement.EventPaymentMispaid
		return outcome{events: []settlement.Event{lookEnd(p, e)}}
	case v.Code.MoneyMoved() && v.Transfer != nil:
		e, ok, err := r.attributed(ctx, p, settlement.EventPaymentMispaid, v)
		if err != nil {
			return r.again(ctx, t, err)
		}
		if ok {
			return outcome{events: []settlement.Event{lookEnd(p, e)}}
		}
		// Money moved, and it is not this order's: whoever named it must not put the order before a person.
		return absent(p, v.Code, "the transaction pays somebody else's order or none")
	}
	return absent(p, v.Code, v.Detail)
}

// lookEnd makes the event the end of the look at the named transaction. Named again, it may be judged anew.
func lookEnd(p settlement.Payment, e settlement.Event) settlement.Event {
	e.TxID = p.Named
	e.ID += fmt.Sprintf("/%d", p.Version)
	return e
}

// attributed makes the event for a transfer found in a named transaction, and reports whether the transfer may concern
// the payment at all: a named transaction only makes us look, it gives no claim to what is in it.
func (r *Runner) attributed(ctx context.Context, p settlement.Payment, kind settlement.EventKind, v settlement.Verdict) (settlement.Event, bool, error) {
	hash, err := parseHash(v.Evidence.BlockHash)
	if err != nil {
		return settlement.Event{}, false, err
	}
	s := settlement.Sighting{
		TxID: p.Named, Transfer: *v.Transfer, Verdict: v,
		Block: settlement.Block{Number: v.Evidence.Block, Hash: hash, Time: v.Evidence.BlockTime},
	}
	if v.Code == settlement.TxUnconfirmed { // what it will come to once it is final
		s.Verdict.Code = settlement.Verified
	}
	open, err := store.OpenForTransfers(ctx, r.cfg.Pool, []settlement.ChainID{p.Terms.Token.Chain}, []settlement.Sighting{s})
	if err != nil {
		return settlement.Event{}, false, err
	}
	code, ok := attributionOf(p.ID, settlement.Attribute(s.Transfer, open[0]))
	if ok && code != "" {
		s.Verdict.Code, s.Verdict.Detail = code, ""
	}
	return sightingEvent(kind, p.ID, s), ok, nil
}

// sightingEvent names a chain fact after the transfer and its block: the watcher and a worker that see the same thing
// send the same event.
func sightingEvent(kind settlement.EventKind, id settlement.PaymentID, s settlement.Sighting) settlement.Event {
	e := settlement.Event{
		ID:      fmt.Sprintf("%s/%s/%s/%s", kind, s.TxID, s.Transfer.Position, s.Block.Name()),
		Payment: id, Kind: kind, Sighting: &s,
	}
	if s.Verdict.Outcome() == settlement.Rejected && kind != settlement.EventPaymentPart {
		e.Reason, e.Detail = s.Verdict.Code, s.Verdict.Detail
	}
	return e
}
