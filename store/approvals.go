package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// ApprovalState says what has become of a request.
type ApprovalState string

// States of requests. The last two are never stored: a pending request becomes void by itself.
const (
	ApprovalPending  ApprovalState = "pending"
	ApprovalExecuted ApprovalState = "executed"
	ApprovalRejected ApprovalState = "rejected"
	ApprovalExpired  ApprovalState = "expired" // nobody approved in time
	ApprovalStale    ApprovalState = "stale"   // the payment has changed since
)

// Approval is an action that waits for other people, or has waited.
type Approval struct {
	ID      settlement.PaymentID // a UUIDv7
	Payment settlement.PaymentID
	Version int64 // of the payment
	Action  string
	TxID    settlement.TxID
	// Position is that of the transfer which the action names, if any.
	Position string
	Reason   string
	Token    settlement.Token // chain, address, symbol and decimals
	Amount   settlement.Amount
	Award    *settlement.Division // nil where the action divides nothing
	Receiver settlement.Address
	Part     uint8 // next movement of the payment, 0 where none is ours to make
	Hash     [32]byte
	EventID  string

	Requester     settlement.PaymentID // person, or machine's key
	RequesterName string
	RequesterKey  settlement.PaymentID // zero for a person who had signed in
	Origin        string               // network address
	Needed        int                  // how many other people must approve
	Because       string               // why, in words
	State         ApprovalState
	CreatedAt     time.Time
	ExpiresAt     time.Time
	DecidedAt     *time.Time
	Votes         []Vote

	// Marketplace and OrderID are the payment's.
	Marketplace, OrderID string
}

// Vote is what a person said to a request.
type Vote struct {
	Approver settlement.PaymentID
	Name     string
	Approve  bool
	Reason   string
	Origin   string
	At       time.Time
}

// LockCredential keeps the key, and the person behind it or who has signed in, from being revoked until the commit. It returns
// ErrNotFound when either was revoked before. Zero ids are passed over.
func LockCredential(ctx context.Context, tx pgx.Tx, key, person settlement.PaymentID) error {
	q := sqlcgen.New(tx)
	for _, lock := range []struct {
		id   settlement.PaymentID
		lock func(context.Context, settlement.PaymentID) (settlement.PaymentID, error)
	}{{key, q.LockKey}, {person, q.LockPerson}} {
		if lock.id == (settlement.PaymentID{}) {
			continue
		}
		_, err := lock.lock(ctx, lock.id)
		if errors.Is(err, pgx.ErrNoRows) {
			return fmt.Errorf("credential %s was revoked: %w", lock.id, ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("lock credential %s: %w", lock.id, err)
		}
	}
	return nil
}

// WeighDecisions is how much of the token the actor has decided about since the time, and how much was decided about the
// payment ever. What waits for approval counts.
func WeighDecisions(ctx context.Context, tx pgx.Tx, actor settlement.PaymentID, p settlement.Payment, since, now time.Time) (byActor, ofPayment settlement.Amount, err error) {
	r, err := sqlcgen.New(tx).WeighDecisions(ctx, sqlcgen.WeighDecisionsParams{
		Actor: &actor, Since: since, Chain: string(p.Terms.Token.Chain), Token: []byte(p.Terms.Token.Address), PaymentID: p.ID, Now: now,
	})
	if err == nil {
		byActor, err = parseAmount(r.ByActor)
	}
	if err == nil {
		ofPayment, err = parseAmount(r.OfPayment)
	}
	if err != nil {
		return byActor, ofPayment, fmt.Errorf("weigh decisions about payment %s: %w", p.ID, err)
	}
	return byActor, ofPayment, nil
}

// InsertApproval records a request.
func InsertApproval(ctx context.Context, tx pgx.Tx, a Approval) error {
	p := sqlcgen.InsertApprovalParams{
		ID: a.ID, PaymentID: a.Payment, Version: a.Version, Action: a.Action, Txid: nullable(a.TxID), Position: a.Position, Reason: a.Reason,
		Chain: string(a.Token.Chain), Token: []byte(a.Token.Address), Amount: a.Amount.String(), Receiver: []byte(a.Receiver), Part: int16(a.Part),
		Hash: a.Hash[:], EventID: a.EventID, Requester: a.Requester, RequesterName: a.RequesterName, Origin: a.Origin, Needed: int16(a.Needed),
		Because: a.Because,
		Now:     a.CreatedAt, ExpiresAt: a.ExpiresAt,
	}
	if a.RequesterKey != (settlement.PaymentID{}) {
		p.RequesterKey = &a.RequesterKey
	}
	if a.Award != nil {
		p.ToPayee, p.ToPayer = new(a.Award.ToPayee.String()), new(a.Award.ToPayer.String())
	}
	if err := sqlcgen.New(tx).InsertApproval(ctx, p); err != nil {
		return fmt.Errorf("record request for approval: %w", err)
	}
	return nil
}

// ApprovalOfEvent returns ErrNotFound where no request would become the event.
func ApprovalOfEvent(ctx context.Context, tx pgx.Tx, payment settlement.PaymentID, eventID string, now time.Time) (Approval, error) {
	id, err := sqlcgen.New(tx).ApprovalOfEvent(ctx, sqlcgen.ApprovalOfEventParams{PaymentID: payment, EventID: eventID})
	if errors.Is(err, pgx.ErrNoRows) {
		return Approval{}, ErrNotFound
	}
	if err != nil {
		return Approval{}, fmt.Errorf("read request for approval: %w", err)
	}
	return ReadApproval(ctx, tx, id, now)
}

// LockApproval locks the request; its payment must be locked before.
func LockApproval(ctx context.Context, tx pgx.Tx, id settlement.PaymentID) error {
	if err := sqlcgen.New(tx).LockApproval(ctx, id); err != nil {
		return fmt.Errorf("lock request %s: %w", id, err)
	}
	return nil
}

// ReadApproval returns ErrNotFound for a request that does not exist.
func ReadApproval(ctx context.Context, db DB, id settlement.PaymentID, now time.Time) (Approval, error) {
	approvals, err := approvals(ctx, db, []settlement.PaymentID{id}, now)
	if err == nil && len(approvals) == 0 {
		err = fmt.Errorf("approval %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return Approval{}, err
	}
	return approvals[0], nil
}

// ApprovalFilter selects requests. An empty Marketplace selects those of all.
type ApprovalFilter struct {
	Marketplace string
	// Payment, where not zero, selects every request about it. Else only those are selected that wait.
	Payment settlement.PaymentID
	After   settlement.PaymentID // exclusive; zero is the beginning
	Limit   int
	Now     time.Time
}

// ListApprovals lists requests, oldest first.
func ListApprovals(ctx context.Context, db DB, f ApprovalFilter) ([]Approval, error) {
	q := sqlcgen.New(db)
	var ids []settlement.PaymentID
	var err error
	if f.Payment == (settlement.PaymentID{}) {
		ids, err = q.PendingApprovals(ctx, sqlcgen.PendingApprovalsParams{
			AllMarketplaces: f.Marketplace == "", Marketplace: f.Marketplace, Now: f.Now, After: f.After, RowLimit: int32(f.Limit),
		})
	} else {
		ids, err = q.ApprovalsOfPayment(ctx, sqlcgen.ApprovalsOfPaymentParams{
			AllMarketplaces: f.Marketplace == "", Marketplace: f.Marketplace, PaymentID: f.Payment, After: f.After, RowLimit: int32(f.Limit),
		})
	}
	if err != nil {
		return nil, fmt.Errorf("list approvals: %w", err)
	}
	return approvals(ctx, db, ids, f.Now)
}

// CountPendingApprovals is how many requests wait, and since when the oldest does; nil for none.
func CountPendingApprovals(ctx context.Context, db DB, marketplace string, now time.Time) (int64, *time.Time, error) {
	r, err := sqlcgen.New(db).CountPendingApprovals(ctx, sqlcgen.CountPendingApprovalsParams{
		AllMarketplaces: marketplace == "", Marketplace: marketplace, Now: now,
	})
	if err != nil {
		return 0, nil, fmt.Errorf("count pending approvals: %w", err)
	}
	if r.Count == 0 {
		return 0, nil, nil
	}
	return r.Count, &r.Oldest, nil
}

func approvals(ctx context.Context, db DB, ids []settlement.PaymentID, now time.Time) ([]Approval, error) {
	q := sqlcgen.New(db)
	rows, err := q.Approvals(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	votes, err := q.ApprovalVotes(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read votes: %w", err)
	}
	out := make([]Approval, len(rows))
	for i, r := range rows {
		amount, err := parseAmount(r.Amount)
		if err != nil {
			return nil, fmt.Errorf("read approval %s: %w", r.ID, err)
		}
		a := Approval{
			ID: r.ID, Payment: r.PaymentID, Version: r.Version, Action: r.Action, TxID: settlement.TxID(r.Txid), Position: r.Position, Reason: r.Reason,
			Token:  settlement.Token{Chain: settlement.ChainID(r.Chain), Address: settlement.Address(r.Token), Symbol: text(r.TokenSymbol)},
			Amount: amount, Receiver: settlement.Address(r.Receiver), Part: uint8(r.Part), Hash: [32]byte(r.Hash), EventID: r.EventID,
			Requester: r.Requester, RequesterName: r.RequesterName, Origin: r.Origin, Needed: int(r.Needed), Because: r.Because, State: ApprovalState(r.State),
			CreatedAt: r.CreatedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(), DecidedAt: r.DecidedAt, Marketplace: r.Marketplace, OrderID: r.OrderID,
		}
		if r.Divides {
			a.Award = new(settlement.Division)
			if err := parseAmounts([]string{r.ToPayee, r.ToPayer}, &a.Award.ToPayee, &a.Award.ToPayer); err != nil {
				return nil, fmt.Errorf("read approval %s: %w", r.ID, err)
			}
		}
		if r.TokenDecimals != nil {
			a.Token.Decimals = uint8(*r.TokenDecimals)
		}
		if r.RequesterKey != nil {
			a.RequesterKey = *r.RequesterKey
		}
		switch {
		case a.State != ApprovalPending:
		case !r.Stands:
			a.State = ApprovalStale
		case !now.Before(a.ExpiresAt):
			a.State = ApprovalExpired
		}
		for _, v := range votes {
			if v.ApprovalID == a.ID {
				a.Votes = append(a.Votes, Vote{
					Approver: v.Approver, Name: v.Name, Approve: v.Vote == "approve", Reason: v.Reason, Origin: v.Origin, At: v.At.UTC(),
				})
			}
		}
		out[i] = a
	}
	return out, nil
}

// Stands reports whether all that people decide on is as it was at that version of the payment.
func Stands(ctx context.Context, db DB, id settlement.PaymentID, version int64) (bool, error) {
	stands, err := sqlcgen.New(db).Stands(ctx, sqlcgen.StandsParams{PaymentID: id, Version: version})
	if err != nil {
		return false, fmt.Errorf("look for what has changed since version %d: %w", version, err)
	}
	return stands, nil
}

// InsertVote records what a person says to a request; once for each person.
func InsertVote(ctx context.Context, tx pgx.Tx, a Approval, v Vote) error {
	vote := "reject"
	if v.Approve {
		vote = "approve"
	}
	err := sqlcgen.New(tx).InsertVote(ctx, sqlcgen.InsertVoteParams{
		ApprovalID: a.ID, Requester: a.Requester, Approver: v.Approver, Vote: vote, Hash: a.Hash[:], Reason: v.Reason, Origin: v.Origin, Now: v.At,
	})
	if err != nil {
		return fmt.Errorf("record vote on %s: %w", a.ID, err)
	}
	return nil
}

// DecideApproval ends the waiting of a request.
func DecideApproval(ctx context.Context, tx pgx.Tx, id settlement.PaymentID, state ApprovalState, now time.Time) error {
	n, err := sqlcgen.New(tx).DecideApproval(ctx, sqlcgen.DecideApprovalParams{State: string(state), Now: now, ID: id})
	if err == nil && n != 1 {
		err = errors.New("it was decided before")
	}
	if err != nil {
		return fmt.Errorf("decide request %s: %w", id, err)
	}
	return nil
}
