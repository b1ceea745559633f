package jobs

import (
	"context"
	"slices"
	"strings"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// Subject is a payment with all that decides which actions it takes.
type Subject struct {
	settlement.Payment

	Held     settlement.Held
	Seen     []store.SeenTransfer // every transfer that was seen for it
	Disputes []settlement.Dispute // oldest first
	// Elsewhere holds the transfers of Seen that have settled another payment.
	Elsewhere map[store.TransferKey]bool
}

// ReadSubject reads what belongs to the payment.
func ReadSubject(ctx context.Context, db store.DB, p settlement.Payment) (Subject, error) {
	s := Subject{Payment: p, Elsewhere: make(map[store.TransferKey]bool)}
	ids := []settlement.PaymentID{p.ID}
	held, err := store.HeldFor(ctx, db, ids)
	if err != nil {
		return s, err
	}
	s.Held = held[p.ID]
	disputes, err := store.Disputes(ctx, db, ids)
	if err != nil {
		return s, err
	}
	s.Disputes = disputes[p.ID]
	if s.Seen, err = store.TransfersOf(ctx, db, ids); err != nil || len(s.Seen) == 0 {
		return s, err
	}
	chains := make([]string, len(s.Seen))
	for i, t := range s.Seen {
		chains[i] = string(t.Chain)
	}
	consumed, err := store.Consumed(ctx, db, chains, s.Seen)
	for _, c := range consumed {
		s.Elsewhere[c.Key] = c.Payment != p.ID
	}
	return s, err
}

// ActionsOf are the actions that the payment takes as it is now. Each is tried by the rules of the door, so whatever is offered is
// not refused for what the payment is or what is held of it; who gets the money, and who may decide, is seen when it is asked for.
func (r *Runner) ActionsOf(s Subject) []ActionKind {
	return slices.DeleteFunc(slices.Clone(Actions), func(k ActionKind) bool {
		return !slices.ContainsFunc(samples(k, s), func(a Action) bool {
			e, err := r.actionEvent(a, s)
			return err == nil && r.takes(s, e)
		})
	})
}

// takes reports whether the door would take the event.
func (r *Runner) takes(s Subject, e settlement.Event) bool {
	b := batch{
		runner: r, now: r.now(), events: []settlement.Event{e}, before: map[settlement.PaymentID]settlement.Payment{s.ID: s.Payment},
		stored: make(map[settlement.PaymentID]settlement.Dispute), unfit: make(map[int]string),
	}
	if n := len(s.Disputes); n > 0 {
		b.stored[s.ID] = s.Disputes[n-1]
	}
	if decides(e) {
		b.unfit[0] = r.unfit(s.Payment, e, s.Held)
	}
	results, _ := b.run()
	return results[0].Err == nil
}

// samples are ways to do the action, of which the payment takes one where it takes any.
func samples(k ActionKind, s Subject) []Action {
	a := Action{Kind: k, Payment: s.ID, Version: s.Version}
	one := settlement.NewAmount(1)
	with := func(toPayee, toPayer settlement.Amount) Action {
		divided := a
		divided.Dispute.Award = &settlement.Division{ToPayee: toPayee, ToPayer: toPayer}
		return divided
	}
	switch k {
	case ActRefund, ActSurplus:
		if s.Terms.Custody == "" { // somebody can be named; this is nobody
			a.Receiver = settlement.Address(strings.Repeat("\x01", len(s.Terms.Payee)))
		}
		if k == ActRefund {
			return []Action{a, with(settlement.Amount{}, one)}
		}
	case ActSplit:
		return []Action{with(one, s.Held.Amount.Sub(one))}
	case ActDecide:
		award := settlement.Divide(s.Terms.Amount, disputedAmount(s.Payment, s.Held.Amount))
		return []Action{with(award.ToPayee, award.ToPayer)}
	case ActFreeze, ActStatement, ActAppeal:
		a.Dispute.Party, a.Dispute.Reason = settlement.PartyPayer, settlement.DisputeOther
	case ActAttach: // one that was not seen yet
		a.TxID = settlement.TxID("\x01")
	case ActAccept:
		var accepted []Action
		for _, t := range s.Seen {
			key := store.TransferKey{Chain: t.Chain, TxID: t.Sighting.TxID, Position: t.Sighting.Transfer.Position}
			fits := acceptable(s.Terms, t) && !s.Elsewhere[key]
			if s.State == settlement.StateNeedsReview && (s.Settled() || fits) || fits && !t.Consumed {
				a.TxID, a.Position = t.Sighting.TxID, t.Sighting.Transfer.Position
				accepted = append(accepted, a)
			}
		}
		return accepted
	}
	return []Action{a}
}
