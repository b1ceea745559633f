package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// NewPayment is an order that is not recorded yet.
type NewPayment struct {
	ID                              settlement.PaymentID
	Marketplace, OrderID, MachineID string
	Rail                            string
	PayTokenHash                    [32]byte // SHA-256 of the token in the payer's link
}

// InsertPayments records orders in state new and returns the payment of each, by marketplace and order id: the new one,
// or the one that was there before.
func InsertPayments(ctx context.Context, tx pgx.Tx, payments []NewPayment, dueAt, now time.Time) (map[[2]string]settlement.PaymentID, error) {
	p := sqlcgen.InsertPaymentsParams{DueAt: dueAt, Now: now}
	for _, n := range payments {
		p.Ids = append(p.Ids, n.ID)
		p.Marketplaces = append(p.Marketplaces, n.Marketplace)
		p.OrderIds = append(p.OrderIds, n.OrderID)
		p.MachineIds = append(p.MachineIds, n.MachineID)
		p.Rails = append(p.Rails, n.Rail)
		p.PayTokenHashes = append(p.PayTokenHashes, n.PayTokenHash[:])
	}
	q := sqlcgen.New(tx)
	if _, err := q.InsertPayments(ctx, p); err != nil {
		return nil, fmt.Errorf("insert payments: %w", err)
	}
	return PaymentsOfOrders(ctx, tx, p.Marketplaces, p.OrderIds)
}

// PaymentsOfOrders returns the payment ids of the orders that are recorded, by marketplace and order id. The two slices
// run in parallel.
func PaymentsOfOrders(ctx context.Context, db DB, marketplaces, orderIDs []string) (map[[2]string]settlement.PaymentID, error) {
	rows, err := sqlcgen.New(db).PaymentIDsOfOrders(ctx, sqlcgen.PaymentIDsOfOrdersParams{Marketplaces: marketplaces, OrderIds: orderIDs})
	if err != nil {
		return nil, fmt.Errorf("read payments of orders: %w", err)
	}
	ids := make(map[[2]string]settlement.PaymentID, len(rows))
	for _, r := range rows {
		ids[[2]string{r.Marketplace, r.OrderID}] = r.ID
	}
	return ids, nil
}

// LockPayments locks the payments in the order of their ids, so that two batches never wait for each other in a circle.
func LockPayments(ctx context.Context, tx pgx.Tx, ids []settlement.PaymentID) ([]settlement.Payment, error) {
	rows, err := sqlcgen.New(tx).LockPayments(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("lock %d payments: %w", len(ids), err)
	}
	payments := make([]settlement.Payment, len(rows))
	for i, r := range rows {
		if payments[i], err = payment(sqlcgen.PaymentsRow(r)); err != nil {
			return nil, err
		}
	}
	return payments, nil
}

// Payments reads payments without locking them, in the order of their ids; ids that do not exist are left out.
func Payments(ctx context.Context, db DB, ids []settlement.PaymentID) ([]settlement.Payment, error) {
	rows, err := sqlcgen.New(db).Payments(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read %d payments: %w", len(ids), err)
	}
	payments := make([]settlement.Payment, len(rows))
	for i, r := range rows {
		if payments[i], err = payment(r); err != nil {
			return nil, err
		}
	}
	return payments, nil
}

func payment(r sqlcgen.PaymentsRow) (settlement.Payment, error) {
	p := settlement.Payment{
		ID: r.ID, Marketplace: r.Marketplace, OrderID: r.OrderID, MachineID: r.MachineID,
		Version: r.Version, State: settlement.State(r.State), Back: settlement.State(r.Back),
		Reason: settlement.Code(r.Reason), Detail: r.Detail, Rail: r.Rail,
		Named: settlement.TxID(r.NamedTxid), PaidBy: settlement.TxID(r.PaidBy),
		Platform: r.Platform, Observed: r.Observed, Payout: settlement.Payout(r.Payout), PaidOut: settlement.TxID(r.PaidOut), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	for _, f := range r.Flags {
		p.Flags = append(p.Flags, settlement.Flag(f))
	}
	if r.Payee == nil {
		return p, nil
	}
	var amount, under, over settlement.Amount
	if err := parseAmounts([]string{r.Amount, r.UnderBy, r.OverBy, r.Received}, &amount, &under, &over, &p.Received); err != nil {
		return p, fmt.Errorf("read payment %s: %w", r.ID, err)
	}
	p.Terms = settlement.Terms{
		Token: settlement.Token{
			Chain: settlement.ChainID(*r.Chain), Address: settlement.Address(r.Token), Symbol: *r.TokenSymbol,
			Decimals: uint8(*r.TokenDecimals),
		},
		Payee: settlement.Address(r.Payee), Amount: amount, Rounded: r.Rounded,
		ProvenPayer: settlement.Address(r.ProvenPayer), NamedPayer: settlement.Address(r.NamedPayer), Reference: settlement.Address(r.Reference),
		NotBefore: r.NotBefore.UTC(), FromBlock: uint64(*r.FromBlock), Deadline: r.Deadline.UTC(),
		Grace: time.Duration(*r.GraceSeconds) * time.Second, Custody: settlement.Custody(r.Custody),
		Under: under, Over: over, Parts: r.Parts, Late: time.Duration(r.LateSeconds) * time.Second, AnyPayer: r.AnyPayer,
	}
	return p, nil
}

// Change is a payment before and after events.
type Change struct {
	Old, New settlement.Payment
	DueAt    time.Time // when the sweeper takes up what the new state asks for; Never when it asks for none
}

// SavePayments stores changes of payments that this transaction has locked. Terms are stored once and never changed.
func SavePayments(ctx context.Context, tx pgx.Tx, changes []Change, now time.Time) error {
	if len(changes) == 0 {
		return nil
	}
	p := sqlcgen.SavePaymentsParams{Now: now}
	var terms sqlcgen.SetTermsParams
	for _, c := range changes {
		n := c.New
		p.Ids = append(p.Ids, n.ID)
		p.OldVersions = append(p.OldVersions, c.Old.Version)
		p.Versions = append(p.Versions, n.Version)
		p.States = append(p.States, string(n.State))
		p.Backs = append(p.Backs, string(n.Back))
		p.Flags = append(p.Flags, strings.Join(texts(n.Flags), ","))
		p.Reasons = append(p.Reasons, string(n.Reason))
		p.Details = append(p.Details, n.Detail)
		p.NamedTxids = append(p.NamedTxids, nullable(n.Named))
		p.PaidBys = append(p.PaidBys, nullable(n.PaidBy))
		p.Platforms = append(p.Platforms, n.Platform)
		p.Observeds = append(p.Observeds, n.Observed)
		p.Payouts = append(p.Payouts, string(n.Payout))
		p.PaidOuts = append(p.PaidOuts, nullable(n.PaidOut))
		p.Receiveds = append(p.Receiveds, n.Received.String())
		p.DueAts = append(p.DueAts, c.DueAt)
		if t := n.Terms; c.Old.Terms.Payee == "" && t.Payee != "" {
			terms.Ids = append(terms.Ids, n.ID)
			terms.Chains = append(terms.Chains, string(t.Token.Chain))
			terms.Tokens = append(terms.Tokens, []byte(t.Token.Address))
			terms.TokenSymbols = append(terms.TokenSymbols, t.Token.Symbol)
			terms.TokenDecimals = append(terms.TokenDecimals, int16(t.Token.Decimals))
			terms.Payees = append(terms.Payees, []byte(t.Payee))
			terms.Amounts = append(terms.Amounts, t.Amount.String())
			terms.Roundeds = append(terms.Roundeds, t.Rounded)
			terms.ProvenPayers = append(terms.ProvenPayers, nullable(t.ProvenPayer))
			terms.NamedPayers = append(terms.NamedPayers, nullable(t.NamedPayer))
			terms.PaymentReferences = append(terms.PaymentReferences, nullable(t.Reference))
			terms.NotBefores = append(terms.NotBefores, t.NotBefore)
			terms.FromBlocks = append(terms.FromBlocks, int64(t.FromBlock))
			terms.Deadlines = append(terms.Deadlines, t.Deadline)
			terms.GraceSeconds = append(terms.GraceSeconds, int32(t.Grace/time.Second))
			terms.Custodies = append(terms.Custodies, string(t.Custody))
			terms.UnderBys = append(terms.UnderBys, t.Under.String())
			terms.OverBys = append(terms.OverBys, t.Over.String())
			terms.Parts = append(terms.Parts, t.Parts)
			terms.LateSeconds = append(terms.LateSeconds, int32(t.Late/time.Second))
			terms.AnyPayers = append(terms.AnyPayers, t.AnyPayer)
		}
	}
	q := sqlcgen.New(tx)
	// Terms first: the constraint that a payment past `new` has terms holds at every statement.
	if len(terms.Ids) > 0 {
		n, err := q.SetTerms(ctx, terms)
		if err != nil {
			return fmt.Errorf("store terms of %d payments: %w", len(terms.Ids), err)
		}
		if int(n) != len(terms.Ids) {
			return fmt.Errorf("store terms of %d payments: %d had terms already", len(terms.Ids), len(terms.Ids)-int(n))
		}
	}
	n, err := q.SavePayments(ctx, p)
	if err != nil {
		return fmt.Errorf("save %d payments: %w", len(changes), err)
	}
	if int(n) != len(changes) {
		return fmt.Errorf("save %d payments: %d had another version", len(changes), len(changes)-int(n))
	}
	return nil
}

// ClaimedPayment is a payment that one job works on.
type ClaimedPayment struct {
	settlement.Payment
	// Posting: a proof may have been posted by a run that did not come to its end; read back before posting again.
	Posting  bool
	Attempts int
	Slot     *settlement.Slot // where the named transaction waited; nil while it was not seen waiting
}

// ClaimPayments gives those of the payments that are in one of the states to the job, until leaseUntil. A payment that another
// job works on is left out; the same job, run again after a crash, gets it back at once. With posting the payments are
// marked as perhaps posted from here on.
func ClaimPayments(ctx context.Context, db DB, job int64, ids []settlement.PaymentID, states []settlement.State, posting bool, now, leaseUntil time.Time) ([]ClaimedPayment, error) {
	rows, err := sqlcgen.New(db).ClaimPayments(ctx, sqlcgen.ClaimPaymentsParams{
		JobID: job, LeaseUntil: leaseUntil, Posting: posting, Now: now, Ids: ids, States: texts(states),
	})
	if err != nil {
		return nil, fmt.Errorf("claim %d payments: %w", len(ids), err)
	}
	claimed := make([]ClaimedPayment, len(rows))
	for i, r := range rows {
		claimed[i] = ClaimedPayment{Posting: r.WasPosting, Attempts: int(r.Attempts)}
		claimed[i].Payment, err = payment(sqlcgen.PaymentsRow{
			ID: r.ID, Marketplace: r.Marketplace, OrderID: r.OrderID, MachineID: r.MachineID, Version: r.Version, State: r.State, Back: r.Back,
			Flags: r.Flags, Reason: r.Reason, Detail: r.Detail, Rail: r.Rail, Chain: r.Chain, Token: r.Token, TokenSymbol: r.TokenSymbol,
			TokenDecimals: r.TokenDecimals, Payee: r.Payee, Amount: r.Amount, Rounded: r.Rounded, ProvenPayer: r.ProvenPayer,
			NamedPayer: r.NamedPayer, Reference: r.Reference, NotBefore: r.NotBefore, FromBlock: r.FromBlock, Deadline: r.Deadline, GraceSeconds: r.GraceSeconds,
			NamedTxid: r.NamedTxid, PaidBy: r.PaidBy, Platform: r.Platform, Observed: r.Observed, Custody: r.Custody, Payout: r.Payout, PaidOut: r.PaidOut,
			UnderBy: r.UnderBy, OverBy: r.OverBy, Parts: r.Parts, LateSeconds: r.LateSeconds, AnyPayer: r.AnyPayer, Received: r.Received,
			CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
		})
		if err != nil {
			return nil, err
		}
		if r.NamedSender != nil {
			nonce, err := strconv.ParseUint(r.NamedNonce, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("read the named transaction of payment %s: %w", r.ID, err)
			}
			claimed[i].Slot = &settlement.Slot{Sender: settlement.Address(r.NamedSender), Nonce: nonce}
		}
	}
	return claimed, nil
}

// Postponed is work on a payment that could not be done now.
type Postponed struct {
	ID      settlement.PaymentID
	Version int64
	DueAt   time.Time
	Unknown bool             // the call may have acted: the mark of ClaimPayments stays
	Slot    *settlement.Slot // where the named transaction waits; nil keeps what is known
}

// PostponePayments gives payments back that the job has claimed. One that has changed since, or that another job has taken
// over, is left alone.
func PostponePayments(ctx context.Context, db DB, job int64, postponed []Postponed) error {
	if len(postponed) == 0 {
		return nil
	}
	p := sqlcgen.PostponePaymentsParams{JobID: job}
	for _, n := range postponed {
		p.Ids = append(p.Ids, n.ID)
		p.Versions = append(p.Versions, n.Version)
		p.DueAts = append(p.DueAts, n.DueAt)
		p.Unknowns = append(p.Unknowns, n.Unknown)
		slot := settlement.Slot{}
		if n.Slot != nil {
			slot = *n.Slot
		}
		p.Senders = append(p.Senders, nullable(slot.Sender))
		p.Nonces = append(p.Nonces, strconv.FormatUint(slot.Nonce, 10))
	}
	if err := sqlcgen.New(db).PostponePayments(ctx, p); err != nil {
		return fmt.Errorf("postpone %d payments: %w", len(postponed), err)
	}
	return nil
}

// RedatePayments says of payments that were taken as due when they really are.
func RedatePayments(ctx context.Context, tx pgx.Tx, dates []Postponed) error {
	if len(dates) == 0 {
		return nil
	}
	var p sqlcgen.RedatePaymentsParams
	for _, n := range dates {
		p.Ids, p.Versions, p.DueAts = append(p.Ids, n.ID), append(p.Versions, n.Version), append(p.DueAts, n.DueAt)
	}
	if err := sqlcgen.New(tx).RedatePayments(ctx, p); err != nil {
		return fmt.Errorf("date %d payments: %w", len(dates), err)
	}
	return nil
}

// DuePayment is a payment whose state asks for work.
type DuePayment struct {
	ID      settlement.PaymentID
	State   settlement.State
	Version int64
}

// TakeDuePayments returns payments whose work is due and leases them until leaseUntil.
func TakeDuePayments(ctx context.Context, db DB, now, leaseUntil time.Time, limit int) ([]DuePayment, error) {
	rows, err := sqlcgen.New(db).TakeDuePayments(ctx, sqlcgen.TakeDuePaymentsParams{LeaseUntil: leaseUntil, Now: now, RowLimit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("take due payments: %w", err)
	}
	due := make([]DuePayment, len(rows))
	for i, r := range rows {
		due[i] = DuePayment{ID: r.ID, State: settlement.State(r.State), Version: r.Version}
	}
	return due, nil
}

// RestPayments notes that nothing is due for the payments.
func RestPayments(ctx context.Context, tx pgx.Tx, ids []settlement.PaymentID) error {
	if len(ids) == 0 {
		return nil
	}
	if err := sqlcgen.New(tx).RestPayments(ctx, ids); err != nil {
		return fmt.Errorf("let %d payments rest: %w", len(ids), err)
	}
	return nil
}

// EndWatch ends the watch for late money of payments that are in a final state.
func EndWatch(ctx context.Context, tx pgx.Tx, ids []settlement.PaymentID) error {
	if len(ids) == 0 {
		return nil
	}
	if err := sqlcgen.New(tx).EndWatch(ctx, ids); err != nil {
		return fmt.Errorf("end the watch of %d payments: %w", len(ids), err)
	}
	return nil
}

// PaymentIDByPayToken returns ErrNotFound for a token that is nobody's.
func PaymentIDByPayToken(ctx context.Context, db DB, hash [32]byte) (settlement.PaymentID, error) {
	id, err := sqlcgen.New(db).PaymentIDByPayToken(ctx, hash[:])
	if errors.Is(err, pgx.ErrNoRows) {
		return id, ErrNotFound
	}
	if err != nil {
		return id, fmt.Errorf("read payment of a pay token: %w", err)
	}
	return id, nil
}
