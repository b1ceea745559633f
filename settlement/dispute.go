package settlement

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// Party is a side of an order, or who looks after payments.
type Party string

// Parties.
const (
	PartyPayer    Party = "payer"
	PartyPayee    Party = "payee"
	PartyOperator Party = "operator"
)

// Parties lists every party.
var Parties = []Party{PartyPayer, PartyPayee, PartyOperator}

// DisputeReason says in one word what somebody complains about.
type DisputeReason string

// Reasons of disputes.
const (
	DisputeNotDelivered   DisputeReason = "not_delivered"
	DisputeNotAsDescribed DisputeReason = "not_as_described"
	DisputeUnauthorized   DisputeReason = "unauthorized" // the payer's wallet or account was used without his knowledge
	DisputeDuplicate      DisputeReason = "duplicate"    // the same was paid twice
	DisputeFraud          DisputeReason = "fraud"
	DisputeOther          DisputeReason = "other"
	DisputeUnstated       DisputeReason = "unstated" // the orchestrator does not say
)

// DisputeReasons lists those that a person can give.
var DisputeReasons = []DisputeReason{
	DisputeNotDelivered, DisputeNotAsDescribed, DisputeUnauthorized, DisputeDuplicate, DisputeFraud, DisputeOther,
}

// Opener is where a dispute comes from.
type Opener string

// Openers.
const (
	OpenedByWebhook      Opener = "webhook"      // the marketplace's webhook said so, and the order as well
	OpenedByOrchestrator Opener = "orchestrator" // the order was found disputed
	OpenedByPerson       Opener = "person"
	OpenedByArbiter      Opener = "arbiter" // the vault was frozen on the chain
)

// DisputeDefault is what becomes of the money when nobody decides in time.
type DisputeDefault string

// Default outcomes.
const (
	DefaultNone    DisputeDefault = "none" // it stays frozen, and people are reminded
	DefaultRelease DisputeDefault = "release"
	DefaultRefund  DisputeDefault = "refund"
)

// DisputeOutcome is how a dispute ended.
type DisputeOutcome string

// Outcomes of disputes.
const (
	DisputeDropped  DisputeOutcome = "dropped"
	DisputeReleased DisputeOutcome = "released"
	DisputeRefunded DisputeOutcome = "refunded"
	DisputeSplit    DisputeOutcome = "split"
	DisputeClosed   DisputeOutcome = "closed"
	DisputeReview   DisputeOutcome = "review"   // something else came up that a person must decide first
	DisputeTooLate  DisputeOutcome = "too_late" // the money had left, or was on its way, when it was opened
)

// Reasons of reminders, and of what is decided by default.
const (
	ResponseDue      Code = "DISPUTE_RESPONSE_DUE"
	ResponseOverdue  Code = "DISPUTE_RESPONSE_OVERDUE"
	DecisionDue      Code = "DISPUTE_DECISION_DUE"
	DecisionOverdue  Code = "DISPUTE_DECISION_OVERDUE"
	DecidedByDefault Code = "DISPUTE_DEFAULT" // nobody decided in time
	DecisionStands   Code = "DISPUTE_DECIDED" // the time to appeal is over
)

// DisputePolicy is how long a marketplace gives for what.
type DisputePolicy struct {
	RespondWithin time.Duration // for the other party to answer
	DecideWithin  time.Duration // for somebody to decide, from the opening or the appeal on
	AppealWithin  time.Duration // before a decision takes effect; 0 leaves no appeal
	RemindBefore  time.Duration // each deadline
	Default       DisputeDefault
}

// effect is the event that gives everybody what the award says is his.
func effect(award Division, price Amount) EventKind {
	switch {
	case award.ToPayee.IsZero():
		return EventRefundApproved
	case award.ToPayer.IsZero(), award.ToPayee == price: // what is above the price goes back with a release
		return EventReleaseDecided
	}
	return EventSplitApproved
}

// DisputeEvidence names a document. Its bytes are kept by us, or it is a reference to where they are.
type DisputeEvidence struct {
	SHA256    [sha256.Size]byte
	Size      int64 // bytes
	MediaType string
	URL       string // where the bytes are; empty where we keep them
	Content   []byte // the bytes; nil for a reference
}

// DisputeStep is what an event of a dispute brings beside its words.
type DisputeStep struct {
	Opener   Opener           // of EventOrderDisputed
	Reason   DisputeReason    // of EventOrderDisputed
	Party    Party            // who complains, says something, or appeals
	Evidence *DisputeEvidence // of EventDisputeStatement, if any
	Award    *Division        // of EventDisputeDecided
}

// Dispute is what is contested about a payment while it is frozen, and how that ended. A payment may have several, one after
// the other. Times that have not come are zero.
type Dispute struct {
	Payment PaymentID
	Number  int // counts the payment's disputes from 1 on
	Opener  Opener
	Reason  DisputeReason
	Party   Party // who complains
	Default DisputeDefault

	OpenedAt, RespondBy, DecideBy time.Time
	AnsweredAt                    time.Time // when the other party first said something
	RemindedAt                    time.Time // reminders up to here were given
	// Award is the decision; EffectiveAt is when it moves the money unless somebody appeals before.
	Award                              *Division
	DecidedAt, EffectiveAt, AppealedAt time.Time
	Told                               bool // the orchestrator knows of it
	ClosedAt                           time.Time
	Outcome                            DisputeOutcome
	// UndisputedAt is when the orchestrator's order was seen undisputed after the dispute was dropped. Until then an order that is
	// found disputed is disputed still, and not anew.
	UndisputedAt time.Time
}

// Open reports whether it has not ended.
func (d Dispute) Open() bool { return d.ClosedAt.IsZero() }

// ErrSameDispute comes with ErrNotAccepted: the order is found disputed as before, and people have dropped that dispute.
var ErrSameDispute = errors.New("the dispute was dropped, and the order was not seen undisputed since")

// FollowDispute is the payment's dispute after an event that took the payment from before to after. last is the latest one of
// the payment, nil for none; the result is nil where it stays as it is. ErrNotAccepted is about the dispute alone: the
// payment's state had accepted the event.
func FollowDispute(last *Dispute, e Event, before, after Payment, policy DisputePolicy, at time.Time) (*Dispute, error) {
	if e.Kind == EventOrderDisputed || before.State != StateFrozen && after.State == StateFrozen {
		if after.State.Final() && last != nil && e.Dispute == nil {
			return nil, fmt.Errorf("%s: its dispute has ended, and nobody complains anew: %w", e.Kind, ErrNotAccepted)
		}
		if e.Kind == EventOrderDisputed && e.Dispute == nil && last != nil && last.Outcome == DisputeDropped && last.UndisputedAt.IsZero() {
			return nil, fmt.Errorf("%s: %w: %w", e.Kind, ErrSameDispute, ErrNotAccepted)
		}
		return openDispute(last, e, before, after, policy, at), nil
	}
	if last == nil || !last.Open() {
		return nil, nil
	}
	d, step := *last, e.Dispute
	refuse := func(why string) (*Dispute, error) { return nil, fmt.Errorf("%s: %s: %w", e.Kind, why, ErrNotAccepted) }
	switch e.Kind {
	case EventDisputeStatement:
		switch {
		case step == nil:
			return refuse("nobody says anything")
		case d.AnsweredAt.IsZero() && step.Party != d.Party && step.Party != PartyOperator:
			d.AnsweredAt = at
		}
	case EventDisputeDecided:
		switch {
		case step == nil || step.Award == nil:
			return refuse("it does not say who gets how much")
		case d.Award != nil:
			return refuse("it is decided; who disagrees appeals before " + d.EffectiveAt.Format(time.RFC3339))
		}
		d.Award, d.DecidedAt, d.EffectiveAt = step.Award, at, at
		if d.AppealedAt.IsZero() {
			d.EffectiveAt = at.Add(policy.AppealWithin)
		}
	case EventDisputeAppealed:
		switch {
		case step == nil || d.Award == nil:
			return refuse("nothing is decided yet")
		case !d.AppealedAt.IsZero():
			return refuse("there was an appeal already, and there is one alone")
		case !at.Before(d.EffectiveAt):
			return refuse("the time to appeal is over")
		}
		d.Award, d.DecidedAt, d.EffectiveAt = nil, time.Time{}, time.Time{}
		d.AppealedAt, d.DecideBy = at, at.Add(policy.DecideWithin)
	case EventDisputeReminded:
		d.RemindedAt = at
	case EventDisputeTold:
		d.Told = true
	}
	if after.State != StateFrozen {
		d.ClosedAt, d.Outcome = at, outcomeOf(e.Kind)
	}
	if d == *last {
		return nil, nil
	}
	return &d, nil
}

// openDispute is nil where the dispute is known already.
func openDispute(last *Dispute, e Event, before, after Payment, policy DisputePolicy, at time.Time) *Dispute {
	if before.State == StateFrozen {
		return nil
	}
	step := DisputeStep{Opener: OpenedByOrchestrator, Reason: DisputeUnstated, Party: PartyPayer}
	switch {
	case e.Dispute != nil:
		step = *e.Dispute
	case e.Kind == EventVaultFrozen:
		step.Opener, step.Party = OpenedByArbiter, PartyOperator
	}
	d := Dispute{
		Payment: before.ID, Number: 1, Opener: step.Opener, Reason: step.Reason, Party: step.Party, Default: policy.Default, OpenedAt: at,
		RespondBy: at.Add(policy.RespondWithin), DecideBy: at.Add(policy.DecideWithin),
		Told: step.Opener == OpenedByWebhook || step.Opener == OpenedByOrchestrator,
	}
	if d.Default == DefaultRefund && before.Terms.Custody != CustodyVault { // nobody holds it: people say from what and to whom
		d.Default = DefaultNone
	}
	if last != nil {
		d.Number = last.Number + 1
	}
	if after.State != StateFrozen {
		d.ClosedAt, d.Outcome = at, DisputeTooLate
	}
	return &d
}

func outcomeOf(kind EventKind) DisputeOutcome {
	switch kind {
	case EventDisputeDropped:
		return DisputeDropped
	case EventReleaseDecided:
		return DisputeReleased
	case EventRefundApproved:
		return DisputeRefunded
	case EventSplitApproved:
		return DisputeSplit
	case EventClosed:
		return DisputeClosed
	}
	return DisputeReview
}

// Due is what falls due next by itself, and when; a zero time is never. The event has an id of its own for each time that it
// can fall due, so that however often and by however many it is sent it happens once.
func (d Dispute) Due(policy DisputePolicy, price Amount) (Event, time.Time) {
	name := func(what string) string { return fmt.Sprintf("dispute/%d/%s", d.Number, what) }
	if !d.AppealedAt.IsZero() {
		name = func(what string) string { return fmt.Sprintf("dispute/%d/appeal/%s", d.Number, what) }
	}
	if !d.Open() {
		return Event{}, time.Time{}
	}
	if d.Award != nil {
		return Event{ID: name("effect"), Payment: d.Payment, Kind: effect(*d.Award, price), Reason: DecisionStands, Detail: "the time to appeal is over"}, d.EffectiveAt
	}
	type reminder struct {
		at   time.Time
		code Code
	}
	var reminders []reminder
	if d.AnsweredAt.IsZero() {
		reminders = append(reminders, reminder{d.RespondBy.Add(-policy.RemindBefore), ResponseDue}, reminder{d.RespondBy, ResponseOverdue})
	}
	reminders = append(reminders, reminder{d.DecideBy.Add(-policy.RemindBefore), DecisionDue})
	if d.Default == DefaultNone {
		reminders = append(reminders, reminder{d.DecideBy, DecisionOverdue})
	}
	var next reminder
	for _, r := range reminders {
		if r.at.After(d.OpenedAt) && r.at.After(d.RemindedAt) && (next.at.IsZero() || r.at.Before(next.at)) {
			next = r
		}
	}
	if d.Default != DefaultNone && (next.at.IsZero() || !next.at.Before(d.DecideBy)) {
		return Event{
			ID: name("default"), Payment: d.Payment, Kind: EventDisputeDecided, Reason: DecidedByDefault,
			Detail: fmt.Sprintf("nobody decided by %s; the default outcome is %s", d.DecideBy.Format(time.RFC3339), d.Default),
		}, d.DecideBy
	}
	return Event{
		ID: name("remind/" + string(next.code)), Payment: d.Payment, Kind: EventDisputeReminded, Reason: next.code,
		Detail: fmt.Sprintf("answer by %s, decision by %s", d.RespondBy.Format(time.RFC3339), d.DecideBy.Format(time.RFC3339)),
	}, next.at
}
