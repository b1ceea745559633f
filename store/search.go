package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
)

// PaymentFilter selects payments; empty fields select all.
type PaymentFilter struct {
	ID          settlement.PaymentID
	Marketplace string
	State       settlement.State
	Flag        settlement.Flag
	OrderID     string

	// TxIDs are the readings of one transaction id on several chains; a payment fits that saw or was named one of them.
	TxIDs []settlement.TxID
	// Addresses are the readings of one address on several chains; a payment fits that names one of them as its payee or
	// payer, or got money from one.
	Addresses []settlement.Address
	// Chain and Token select the payments that ask for the token, between Min and Max base units inclusive. Token without
	// Chain selects nothing; nil is no bound.
	Chain    settlement.ChainID
	Token    *settlement.Address
	Min, Max *settlement.Amount
	// From is inclusive, To exclusive: when the payment was recorded.
	From, To time.Time

	// NewestFirst lists from the newest on, else from the oldest on. After is exclusive; zero is the beginning.
	NewestFirst bool
	After       settlement.PaymentID
	Limit       int
}

// maxForeignPayers bounds the payments that an address paid without being named by them: an exchange pays for many.
const maxForeignPayers = 1000

// ListPayments reads the payments that the filter selects, in the order of their ids.
//
// The statement is put together here rather than in queries/: it names only what is asked for, so that Postgres plans each
// search by an index that suits it. Values are always parameters.
func ListPayments(ctx context.Context, db DB, f PaymentFilter) ([]settlement.Payment, error) {
	statement, args := f.statement()
	rows, err := db.Query(ctx, statement, args)
	if err != nil {
		return nil, fmt.Errorf("list payments: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[settlement.PaymentID])
	if err != nil {
		return nil, fmt.Errorf("list payments: %w", err)
	}
	payments, err := Payments(ctx, db, ids)
	if err != nil {
		return nil, err
	}
	if f.NewestFirst {
		slices.Reverse(payments)
	}
	return payments, nil
}

func (f PaymentFilter) statement() (string, pgx.NamedArgs) {
	args := pgx.NamedArgs{"limit": f.Limit}
	where := []string{"true"}
	add := func(name string, value any, condition string) {
		args[name] = value
		where = append(where, condition)
	}
	if f.ID != (settlement.PaymentID{}) {
		add("id", f.ID, "id = @id")
	}
	if f.Marketplace != "" {
		add("marketplace", f.Marketplace, "marketplace = @marketplace")
	}
	if f.State != "" {
		add("state", string(f.State), "state = @state")
	}
	if f.Flag != "" { // the second condition is that of the index
		add("flag", string(f.Flag), "@flag = any (flags) and flags <> '{}'")
	}
	if f.OrderID != "" {
		add("order_id", f.OrderID, "order_id = @order_id")
	}
	if len(f.TxIDs) > 0 {
		add("txids", raws(f.TxIDs), `id = any (array(
			select payment_id from transfers where txid = any (@txids::bytea[])
			union select n.id from payments n where n.chain = any (array(select chain from chains)) and n.named_txid = any (@txids::bytea[])))`)
	}
	if len(f.Addresses) > 0 {
		args["foreign"] = maxForeignPayers
		add("addresses", raws(f.Addresses), `id in (
			select payment_id from payment_addresses where address = any (@addresses::bytea[])
			union (select distinct payment_id from transfers where payer = any (@addresses::bytea[]) order by payment_id desc limit @foreign))`)
	}
	if f.Chain != "" {
		add("chain", string(f.Chain), "chain = @chain")
	}
	if f.Token != nil {
		add("token", []byte(*f.Token), "token = @token")
	}
	if f.Min != nil {
		add("min", f.Min.String(), "amount >= @min::text::numeric")
	}
	if f.Max != nil {
		add("max", f.Max.String(), "amount <= @max::text::numeric")
	}
	// Ids hold the time at which they were made, close to created_at: the range of ids is what the index knows.
	if !f.From.IsZero() {
		args["from_id"] = firstID(f.From.Add(-idSlack))
		add("from", f.From, "id >= @from_id and created_at >= @from")
	}
	if !f.To.IsZero() {
		args["to_id"] = firstID(f.To.Add(idSlack))
		add("to", f.To, "id < @to_id and created_at < @to")
	}
	direction, after := "", "id > @after"
	if f.NewestFirst {
		direction, after = " desc", "id < @after"
	}
	if f.After != (settlement.PaymentID{}) {
		add("after", f.After, after)
	}
	return "select id from payments where " + strings.Join(where, " and ") + " order by id" + direction + " limit @limit", args
}

// idSlack is how far the time in a payment's id may be from created_at: one process takes both from its clock.
const idSlack = time.Hour

// firstID is the smallest UUIDv7 of the time. Source: RFC 9562, 5.7: 48 bits of Unix milliseconds first.
func firstID(at time.Time) settlement.PaymentID {
	var id settlement.PaymentID
	binary.BigEndian.PutUint64(id[:], uint64(max(at.UnixMilli(), 0))<<16)
	return id
}

func raws[T ~string](values []T) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		out[i] = []byte(v)
	}
	return out
}
