package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// ActionKind is something that people do about a payment.
type ActionKind string

// Every action, with what becomes of it at the door.
const (
	ActFreeze   ActionKind = "freeze"   // nothing may move until a person has decided: order_disputed
	ActUnfreeze ActionKind = "unfreeze" // the dispute ends without a decision: dispute_dropped
	ActRelease  ActionKind = "release"  // the payee gets it: release_decided
	ActRefund   ActionKind = "refund"   // the payer gets it back: refund_approved; or a part of it: partial_refund_approved
	ActAccept   ActionKind = "accept"   // a transfer counts as what pays: accepted_as_paid; or beside that, to be given back: transfer_accepted
	ActClose    ActionKind = "close"    // nothing more is to be done: closed
	ActAttach   ActionKind = "attach"   // look at this transaction: transaction_named
	ActReverify ActionKind = "reverify" // look again at the last transaction that was seen: transaction_named
	ActRetry    ActionKind = "retry"    // do again what is for us to do, also with an orchestrator that refused us: retried
	ActNote     ActionKind = "note"     // remember this: noted

	ActStatement ActionKind = "statement" // a party of the dispute says something, or hands in evidence: dispute_statement
	ActDecide    ActionKind = "decide"    // the dispute is decided, in full or split: dispute_decided
	ActAppeal    ActionKind = "appeal"    // a party does not accept the decision: dispute_appealed

	ActSplit   ActionKind = "split"   // both sides get a part: split_approved
	ActSurplus ActionKind = "surplus" // what the payee has no claim to goes back: surplus_refund_approved
)

// Actions lists every action.
var Actions = []ActionKind{
	ActFreeze, ActUnfreeze, ActRelease, ActRefund, ActAccept, ActClose, ActAttach, ActReverify, ActRetry, ActNote,
	ActStatement, ActDecide, ActAppeal, ActSplit, ActSurplus,
}

// aboutMoney are the actions that decide who gets or keeps money: they are weighed, and above a threshold need another person.
var aboutMoney = []ActionKind{ActUnfreeze, ActRelease, ActRefund, ActAccept, ActClose, ActAttach, ActDecide, ActSplit, ActSurplus}

// Harmless reports whether the action moves no money and stops none, and decides about none.
func (k ActionKind) Harmless() bool {
	return k == ActReverify || k == ActRetry || k == ActNote || k == ActStatement
}

// actionEvents is action → the event that it becomes.
var actionEvents = map[ActionKind]settlement.EventKind{
	ActFreeze: settlement.EventOrderDisputed, ActUnfreeze: settlement.EventDisputeDropped, ActRelease: settlement.EventReleaseDecided,
	ActRefund: settlement.EventRefundApproved, ActAccept: settlement.EventAcceptedAsPaid, ActClose: settlement.EventClosed,
	ActAttach: settlement.EventTransactionNamed, ActReverify: settlement.EventTransactionNamed, ActRetry: settlement.EventRetried,
	ActNote: settlement.EventNoted, ActStatement: settlement.EventDisputeStatement, ActDecide: settlement.EventDisputeDecided,
	ActAppeal: settlement.EventDisputeAppealed, ActSplit: settlement.EventSplitApproved, ActSurplus: settlement.EventSurplusRefundApproved,
}

// By is who does something, and with what.
type By struct {
	Actor       settlement.PaymentID // a person, or a machine's key
	Name        string
	Origin      string // network address
	Person      bool
	Key         settlement.PaymentID // zero for a person who has signed in
	Marketplace string               // reach; empty for all
}

// lock keeps the credential from being revoked until the commit.
func (b By) lock(ctx context.Context, tx pgx.Tx) error {
	var person settlement.PaymentID
	if b.Person {
		person = b.Actor
	}
	err := store.LockCredential(ctx, tx, b.Key, person)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrRevoked, err)
	}
	return err
}

// Action is something that somebody does about one payment.
type Action struct {
	Kind    ActionKind
	Payment settlement.PaymentID
	Version int64 // of the payment that was looked at
	By      By
	Reason  string
	// Key names the action, so that a repeated one acts once.
	Key string
	// Receiver is of ActRefund and ActSurplus of direct payments: who gets it. Empty for the payer's proven wallet.
	Receiver settlement.Address
	// TxID is of ActAttach and ActAccept, Position of ActAccept.
	TxID     settlement.TxID
	Position string
	// Dispute is of ActFreeze, ActStatement, ActDecide and ActAppeal; its award also of ActSplit, and of a refund of a part.
	Dispute settlement.DisputeStep
}

// Acted is what became of an action, or would.
type Acted struct {
	Before, After settlement.Payment
	// Needed is how many other people must approve, and Because why; 0 when it was done at once.
	Needed  int
	Because string
	// Refund is what is given back; nil for another action, and for a refund that only has to be told.
	Refund *Refund
	// Approval is the request, where somebody else must approve; nil in a dry run.
	Approval *store.Approval
}

// AwardError says that a decision does not divide what there is.
type AwardError struct{ Disputed settlement.Amount }

func (e *AwardError) Error() string {
	return fmt.Sprintf("the parts must add up to %s, which is what there is, and the payee gets no more than the price", e.Disputed)
}

// StateError is settlement.ErrNotAccepted because of the payment's state alone.
type StateError struct {
	State settlement.State
	In    []settlement.State // that take the action
}

func (e *StateError) Error() string {
	in := make([]string, len(e.In))
	for i, s := range e.In {
		in[i] = string(s)
	}
	return fmt.Sprintf("the payment is %s, and this is for payments that are %s", e.State, strings.Join(in, ", "))
}

// Is reports whether the target is settlement.ErrNotAccepted.
func (e *StateError) Is(target error) bool { return target == settlement.ErrNotAccepted }

// VersionError is ErrVersion, and says what has changed.
type VersionError struct {
	Version int64          // now
	Since   []store.Record // oldest first
}

func (e *VersionError) Error() string {
	return fmt.Sprintf("%v: it has version %d", ErrVersion, e.Version)
}

// Is reports whether the target is ErrVersion.
func (e *VersionError) Is(target error) bool { return target == ErrVersion }

// Errors of actions and approvals.
var (
	ErrVersion     = errors.New("the payment has changed since it was looked at")
	ErrRevoked     = errors.New("the credential was revoked meanwhile")
	ErrNothing     = errors.New("no transaction was seen or named that could be looked at")
	ErrNoVault     = errors.New("settler holds nothing of this payment that it could move")
	ErrNobodyHolds = errors.New("nobody holds the money, so a decision gives the payee the price")
	ErrDisputed    = errors.New("the payment is disputed, and its payer may appeal against a decision")
	ErrOwnRequest  = errors.New("nobody approves his own request")
	ErrDecided     = errors.New("the request waits no more")
	ErrStale       = errors.New("the request is void")
	ErrOtherHash   = errors.New("the request is not the one that was looked at")
)

// errDryRun rolls a transaction back.
var errDryRun = errors.New("dry run")

// Act does what the action says through the one door, or records that other people must approve it. With dryRun nothing is
// kept. It returns store.ErrNotFound, settlement.ErrNotAccepted and the errors above, wrapped.
func (r *Runner) Act(ctx context.Context, a Action, dryRun bool) (Acted, error) {
	var acted Acted
	var results []Result
	var to recipient
	if a.Kind == ActRefund || a.Kind == ActSurplus {
		to = r.recipientOf(ctx, a)
	}
	err := r.begin(ctx, "action", func(tx pgx.Tx) (err error) {
		acted, results, err = r.act(ctx, tx, a, to)
		if err == nil && dryRun {
			return errDryRun
		}
		return err
	})
	if errors.Is(err, errDryRun) {
		acted.Approval = nil
		return acted, nil
	}
	if err != nil {
		return Acted{}, fmt.Errorf("%s payment %s: %w", a.Kind, a.Payment, err)
	}
	r.logResults(ctx, results)
	return acted, nil
}

func (r *Runner) act(ctx context.Context, tx pgx.Tx, a Action, to recipient) (Acted, []Result, error) {
	if err := a.By.lock(ctx, tx); err != nil {
		return Acted{}, nil, err
	}
	p, err := lockVisible(ctx, tx, a.Payment, a.By.Marketplace)
	if err != nil {
		return Acted{}, nil, err
	}
	eventID := fmt.Sprintf("action/%s/%s", a.By.Actor, a.Key)
	seen, err := store.EventsSeen(ctx, tx, []settlement.Event{{ID: eventID, Payment: p.ID}})
	if err != nil {
		return Acted{}, nil, err
	}
	if seen[p.ID][eventID] { // a repeat whose first answer was lost
		return Acted{Before: p, After: p}, nil, nil
	}
	switch waiting, err := store.ApprovalOfEvent(ctx, tx, p.ID, eventID, r.now()); {
	case err == nil:
		return Acted{Before: p, After: p, Needed: waiting.Needed, Because: waiting.Because, Approval: &waiting}, nil, nil
	case !errors.Is(err, store.ErrNotFound):
		return Acted{}, nil, err
	}
	switch stands, err := store.Stands(ctx, tx, p.ID, a.Version); {
	case err != nil:
		return Acted{}, nil, err
	case !stands || a.Version > p.Version:
		since, err := store.History(ctx, tx, p.ID)
		return Acted{}, nil, errors.Join(err, &VersionError{p.Version, slices.DeleteFunc(since, func(r store.Record) bool { return r.Version <= a.Version })})
	}
	if to.err != nil {
		return Acted{}, nil, to.err
	}
	a.Receiver = to.receiver
	about, err := ReadSubject(ctx, tx, p)
	if err != nil {
		return Acted{}, nil, err
	}
	event, err := r.actionEvent(a, about)
	if err != nil {
		return Acted{}, nil, err
	}
	event.ID = eventID
	if !acceptedIn(p.State, a.Kind, event) {
		in := slices.DeleteFunc(slices.Clone(settlement.States), func(s settlement.State) bool { return !acceptedIn(s, a.Kind, event) })
		return Acted{}, nil, &StateError{p.State, in}
	}
	var approval *store.Approval
	var refund *Refund
	if slices.Contains(aboutMoney, a.Kind) && p.Terms.Payee != "" {
		if approval, err = r.weigh(ctx, tx, a, p, about.Held, to.doubt, &event); err != nil {
			return Acted{}, nil, err
		}
		if to.receiver != "" {
			refund = r.refundPlan(a, p, to.receiver, about.Held)
		}
	}
	// What the door would not take needs nobody's approval.
	sub, err := tx.Begin(ctx)
	if err != nil {
		return Acted{}, nil, fmt.Errorf("set a savepoint: %w", err)
	}
	results, err := r.advance(ctx, sub, []settlement.Event{event})
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		return Acted{}, nil, errors.Join(err, sub.Rollback(ctx))
	}
	acted := Acted{Before: p, After: results[0].Payment, Refund: refund}
	if approval == nil {
		return acted, results, sub.Commit(ctx)
	}
	acted.Approval, acted.Needed, acted.Because = approval, approval.Needed, approval.Because
	if err := sub.Rollback(ctx); err != nil {
		return Acted{}, nil, fmt.Errorf("return to the savepoint: %w", err)
	}
	r.cfg.Logger.InfoContext(ctx, "approval asked for", "payment_id", p.ID.String(), "order_id", p.OrderID, "action", string(a.Kind),
		"approval_id", approval.ID.String(), "actor", a.By.Name)
	return acted, nil, store.InsertApproval(ctx, tx, *approval)
}

// acceptedIn reports whether payments in the state may take the action that becomes the event.
func acceptedIn(s settlement.State, kind ActionKind, e settlement.Event) bool {
	switch kind {
	case ActFreeze: // by others a dispute may come too late, or once more
		return settlement.Takes(s, e.Kind) && s != settlement.StateFrozen && !s.Final()
	case ActRelease:
		return settlement.Takes(s, e.Kind) && s != settlement.StateFrozen
	}
	return settlement.Takes(s, e.Kind)
}

// lockVisible locks the payment; that of another marketplace is not found, like one that does not exist.
func lockVisible(ctx context.Context, tx pgx.Tx, id settlement.PaymentID, marketplace string) (settlement.Payment, error) {
	locked, err := store.LockPayments(ctx, tx, []settlement.PaymentID{id})
	if err == nil && (len(locked) == 0 || marketplace != "" && locked[0].Marketplace != marketplace) {
		err = fmt.Errorf("payment %s: %w", id, store.ErrNotFound)
	}
	if err != nil {
		return settlement.Payment{}, err
	}
	return locked[0], nil
}

// actionEvent is what the action becomes, without an id.
func (r *Runner) actionEvent(a Action, p Subject) (settlement.Event, error) {
	e := settlement.Event{
		Kind: actionEvents[a.Kind], Payment: p.ID, Version: p.Version, Detail: a.Reason,
		Decision: &settlement.Decision{Actor: a.By.Actor, Name: plainText(a.By.Name), Origin: a.By.Origin},
	}
	switch a.Kind {
	case ActFreeze:
		e.Dispute = &a.Dispute
		e.Dispute.Opener = settlement.OpenedByPerson
		e.Detail = fmt.Sprintf("%s, says the %s: %s", a.Dispute.Reason, a.Dispute.Party, a.Reason)
	case ActRelease:
		switch {
		case p.State == settlement.StateFrozen:
			return e, ErrDisputed
		case p.Terms.Custody == settlement.CustodyNone:
			return e, ErrNoVault
		}
	case ActRefund, ActSplit, ActSurplus:
		direct := p.Terms.Custody == "" && a.Kind != ActSplit
		if p.Terms.Custody != settlement.CustodyVault && !direct {
			return e, ErrNoVault
		}
		if e.Division = a.Dispute.Award; a.Kind == ActRefund && e.Division != nil {
			e.Kind = settlement.EventPartialRefundApproved
		}
		if e.Division != nil { // what the audit chain holds of it
			e.Detail = fmt.Sprintf("%s to the payee, %s to the payer: %s", e.Division.ToPayee, e.Division.ToPayer, a.Reason)
		}
		if direct && (p.PaidOut == "" || a.Kind == ActSurplus) {
			return r.directRefund(e, a, p)
		}
	case ActAccept:
		if settlement.Takes(p.State, settlement.EventTransferAccepted) {
			e.Kind = settlement.EventTransferAccepted
		}
		e.Sighting = &settlement.Sighting{TxID: a.TxID, Transfer: settlement.Transfer{Position: a.Position}}
	case ActClose:
		e.Reason = ClosedByPerson
	case ActAttach:
		e.TxID = a.TxID
	case ActReverify:
		if len(p.Seen) == 0 {
			return e, ErrNothing
		}
		last := slices.MaxFunc(p.Seen, func(a, b store.SeenTransfer) int { return a.SeenAt.Compare(b.SeenAt) })
		e.TxID = last.Sighting.TxID
	case ActStatement:
		e.Dispute = &a.Dispute
		e.Detail = fmt.Sprintf("the %s: %s", a.Dispute.Party, a.Reason)
		if f := a.Dispute.Evidence; f != nil { // what the audit chain holds of it
			e.Detail = fmt.Sprintf("the %s hands in sha256 %x, %d bytes, %s: %s", a.Dispute.Party, f.SHA256, f.Size, f.MediaType, a.Reason)
		}
	case ActDecide:
		return decision(e, a, p.Payment, p.Held.Amount)
	case ActAppeal:
		e.Dispute = &a.Dispute
		e.Detail = fmt.Sprintf("the %s: %s", a.Dispute.Party, a.Reason)
	}
	if e.Kind == "" {
		return e, fmt.Errorf("there is no action %q", a.Kind)
	}
	return e, nil
}

// decision is the event of a decision about a dispute.
func decision(e settlement.Event, a Action, p settlement.Payment, held settlement.Amount) (settlement.Event, error) {
	award, disputed := a.Dispute.Award, disputedAmount(p, held)
	e.Dispute = &a.Dispute
	switch {
	case award == nil || award.ToPayee.Add(award.ToPayer) != disputed || p.Terms.Amount.Cmp(award.ToPayee) < 0:
		return e, &AwardError{disputed}
	case p.Terms.Custody != settlement.CustodyVault && award.ToPayer.IsZero():
	case p.Terms.Custody == "" && award.ToPayee == p.Terms.Amount: // nothing moves: the payer's is given back as a surplus afterwards
	case p.Terms.Custody != settlement.CustodyVault:
		return e, ErrNobodyHolds
	}
	e.Detail = fmt.Sprintf("%s to the payee, %s to the payer: %s", award.ToPayee, award.ToPayer, a.Reason)
	return e, nil
}

// ClosedByPerson is the reason of a payment that a person has closed; the detail says why.
const ClosedByPerson settlement.Code = "CLOSED_BY_PERSON"
