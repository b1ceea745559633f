package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// weighTime is how far back what an actor has decided adds up.
const weighTime = 24 * time.Hour

// weigh puts the value of what is decided about into the event, and returns the request for approval where it is above the
// threshold together with what the same actor has decided in a day, or with what was decided about the same payment ever.
//
// The value is the order's or, where more has arrived, that: what is accepted, closed or waived is worth the order, whatever
// little came in.
//
// Where the receiver is in doubt, two other people must approve whatever the value.
func (r *Runner) weigh(ctx context.Context, tx pgx.Tx, a Action, p settlement.Payment, h settlement.Held, doubt string, event *settlement.Event) (*store.Approval, error) {
	now := r.now()
	value, receiver := p.Terms.Amount, p.Terms.Payee
	if value.Cmp(h.Amount) < 0 {
		value = h.Amount
	}
	if a.Receiver != "" {
		receiver = a.Receiver
	} else if award := a.Dispute.Award; award != nil && award.ToPayee.IsZero() {
		receiver = p.Terms.ProvenPayer
	}
	event.Decision.Weight = value
	byActor, ofPayment, err := store.WeighDecisions(ctx, tx, a.By.Actor, p, now.Add(-weighTime), now)
	if err != nil {
		return nil, err
	}
	above := r.chains[p.Terms.Token.Chain].ApprovalAbove[p.Terms.Token.Address]
	if doubt == "" && byActor.Add(value).Cmp(above) <= 0 && ofPayment.Add(value).Cmp(above) <= 0 {
		return nil, nil // nobody else needs to approve
	}
	because := doubt
	if because == "" {
		because = fmt.Sprintf("with what was decided before it is above the threshold of %s %s", above.Major(p.Terms.Token.Decimals), p.Terms.Token.Symbol)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make an id: %w", err)
	}
	approval := store.Approval{
		ID: settlement.PaymentID(id), Payment: p.ID, Version: p.Version, Action: string(a.Kind), TxID: a.TxID, Position: a.Position,
		Reason: plainText(a.Reason), Token: p.Terms.Token, Amount: value, Award: a.Dispute.Award, Receiver: receiver, Part: h.NextPart, EventID: event.ID,
		Requester: a.By.Actor, RequesterName: plainText(a.By.Name), RequesterKey: a.By.Key, Origin: a.By.Origin,
		Needed: 2, Because: because, State: store.ApprovalPending, CreatedAt: now, ExpiresAt: now.Add(r.cfg.ApprovalExpiry), Marketplace: p.Marketplace, OrderID: p.OrderID,
	}
	if a.By.Person && doubt == "" {
		approval.Needed = 1
	}
	approval.Hash = hashApproval(approval)
	return &approval, nil
}

// hashApproval is SHA-256 over all that is approved, each field preceded by its length as eight big-endian bytes.
func hashApproval(a store.Approval) [32]byte {
	h := sha256.New()
	toPayee, toPayer := "", ""
	if a.Award != nil {
		toPayee, toPayer = a.Award.ToPayee.String(), a.Award.ToPayer.String()
	}
	for _, field := range []string{
		a.Action, string(a.Payment[:]), fmt.Sprint(a.Version), string(a.Token.Chain), string(a.Token.Address), a.Amount.String(), string(a.Receiver),
		fmt.Sprint(a.Part), string(a.TxID), a.Position, a.Reason, string(a.Requester[:]), fmt.Sprint(a.ExpiresAt.UnixMicro()),
		toPayee, toPayer,
	} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(field)))
		h.Write(length[:])
		h.Write([]byte(field))
	}
	return [32]byte(h.Sum(nil))
}

// Verdict is what a person says to a request.
type Verdict struct {
	Approval settlement.PaymentID
	Hash     [32]byte // of the request that the person saw
	Approve  bool
	By       By
	Reason   string
}

// Decide records what a person says to a request. With the last approval that it needs the action is done in the same commit.
// It returns store.ErrNotFound, settlement.ErrNotAccepted and the errors of actions, wrapped.
func (r *Runner) Decide(ctx context.Context, v Verdict) (store.Approval, error) {
	var decided store.Approval
	var results []Result
	err := r.begin(ctx, "approval", func(tx pgx.Tx) (err error) {
		decided, results, err = r.decide(ctx, tx, v)
		return err
	})
	if err != nil {
		return store.Approval{}, fmt.Errorf("decide request %s: %w", v.Approval, err)
	}
	r.cfg.Logger.InfoContext(ctx, "approval decided", "payment_id", decided.Payment.String(), "order_id", decided.OrderID, "action", decided.Action,
		"approval_id", decided.ID.String(), "actor", v.By.Name, "approve", v.Approve, "state", string(decided.State))
	r.logResults(ctx, results)
	return decided, nil
}

func (r *Runner) decide(ctx context.Context, tx pgx.Tx, v Verdict) (store.Approval, []Result, error) {
	none := store.Approval{}
	if err := v.By.lock(ctx, tx); err != nil {
		return none, nil, err
	}
	now := r.now()
	a, err := store.ReadApproval(ctx, tx, v.Approval, now)
	if err != nil {
		return none, nil, err
	}
	p, err := lockVisible(ctx, tx, a.Payment, v.By.Marketplace)
	if err != nil {
		return none, nil, err
	}
	if err := store.LockApproval(ctx, tx, a.ID); err != nil {
		return none, nil, err
	}
	if a, err = store.ReadApproval(ctx, tx, v.Approval, now); err != nil { // as it is under the lock
		return none, nil, err
	}
	for _, said := range a.Votes {
		if said.Approver == v.By.Actor {
			if said.Approve == v.Approve { // a repeat
				return a, nil, nil
			}
			return none, nil, fmt.Errorf("the same person has said the opposite: %w", ErrDecided)
		}
	}
	switch {
	case a.State == store.ApprovalStale:
		return none, nil, fmt.Errorf("the payment has version %d, and %d was decided about: %w", p.Version, a.Version, ErrStale)
	case a.State == store.ApprovalExpired:
		return none, nil, fmt.Errorf("it expired at %s: %w", a.ExpiresAt.Format(time.RFC3339), ErrStale)
	case a.State != store.ApprovalPending:
		return none, nil, fmt.Errorf("it is %s: %w", a.State, ErrDecided)
	case a.Requester == v.By.Actor:
		return none, nil, ErrOwnRequest
	case a.Hash != v.Hash:
		return none, nil, ErrOtherHash
	}
	vote := store.Vote{Approver: v.By.Actor, Name: v.By.Name, Approve: v.Approve, Reason: plainText(v.Reason), Origin: v.By.Origin, At: now}
	if err := store.InsertVote(ctx, tx, a, vote); err != nil {
		return none, nil, err
	}
	a.Votes = append(a.Votes, vote)
	if v.Approve && len(a.Votes) < a.Needed {
		return a, nil, nil
	}
	a.State = store.ApprovalRejected
	var results []Result
	if v.Approve {
		if results, err = r.execute(ctx, tx, a, p); err != nil {
			return none, nil, err
		}
		a.State = store.ApprovalExecuted
	}
	a.DecidedAt = &now
	return a, results, store.DecideApproval(ctx, tx, a.ID, a.State, now)
}

// execute does what was approved, in the requester's name, who must still be allowed to ask.
func (r *Runner) execute(ctx context.Context, tx pgx.Tx, a store.Approval, p settlement.Payment) ([]Result, error) {
	requester := By{Actor: a.Requester, Name: a.RequesterName, Origin: a.Origin, Key: a.RequesterKey, Person: a.Requester != a.RequesterKey}
	if err := requester.lock(ctx, tx); err != nil {
		return nil, fmt.Errorf("its requester may not ask any more: %w: %w", ErrStale, err)
	}
	about, err := ReadSubject(ctx, tx, p)
	if err != nil {
		return nil, err
	}
	event, err := r.actionEvent(Action{
		Kind: ActionKind(a.Action), By: requester, Reason: a.Reason, Receiver: a.Receiver, TxID: a.TxID, Position: a.Position,
		Dispute: settlement.DisputeStep{Award: a.Award},
	}, about)
	if err != nil {
		return nil, err
	}
	event.ID, event.Decision.Weight = a.EventID, a.Amount
	results, err := r.advance(ctx, tx, []settlement.Event{event})
	if err == nil {
		err = results[0].Err
	}
	return results, err
}
