package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// Record is one accepted event in a payment's history.
type Record struct {
	Payment  settlement.PaymentID
	Version  int64 // the payment's version after the event
	EventID  string
	Kind     settlement.EventKind
	From, To settlement.State
	Reason   settlement.Code
	Detail   string
	TxID     settlement.TxID
	Decision *settlement.Decision // nil for what no one decided
	At       time.Time
}

// EventsSeen returns which of the events are recorded already.
func EventsSeen(ctx context.Context, tx pgx.Tx, events []settlement.Event) (map[settlement.PaymentID]map[string]bool, error) {
	var p sqlcgen.EventsSeenParams
	for _, e := range events {
		p.PaymentIds = append(p.PaymentIds, e.Payment)
		p.EventIds = append(p.EventIds, e.ID)
	}
	rows, err := sqlcgen.New(tx).EventsSeen(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("look up %d events: %w", len(events), err)
	}
	seen := make(map[settlement.PaymentID]map[string]bool)
	for _, r := range rows {
		if seen[r.PaymentID] == nil {
			seen[r.PaymentID] = make(map[string]bool)
		}
		seen[r.PaymentID][r.EventID] = true
	}
	return seen, nil
}

// AppendHistory records accepted events and closes them with one link of the audit chain. It takes the audit lock, the
// last lock of a transaction.
func AppendHistory(ctx context.Context, tx pgx.Tx, records []Record, at time.Time) error {
	if len(records) == 0 {
		return nil
	}
	q := sqlcgen.New(tx)
	if err := q.LockAudit(ctx); err != nil {
		return fmt.Errorf("lock audit chain: %w", err)
	}
	head, err := q.AuditHead(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		head.Digest, err = []byte{}, nil // empty, not null, before the first batch
	}
	if err != nil {
		return fmt.Errorf("read audit head: %w", err)
	}
	if head.Digest == nil { // the first batch follows the empty digest, not SQL's null
		head.Digest = []byte{}
	}
	p := sqlcgen.InsertEventsParams{AuditSeq: head.Seq + 1, At: at}
	for _, r := range records {
		p.PaymentIds = append(p.PaymentIds, r.Payment)
		p.Versions = append(p.Versions, r.Version)
		p.EventIds = append(p.EventIds, r.EventID)
		p.Kinds = append(p.Kinds, string(r.Kind))
		p.FromStates = append(p.FromStates, string(r.From))
		p.ToStates = append(p.ToStates, string(r.To))
		p.Reasons = append(p.Reasons, string(r.Reason))
		p.Details = append(p.Details, r.Detail)
		p.Txids = append(p.Txids, nullable(r.TxID))
		actor, name, origin, weight := r.decision()
		p.Actors, p.ActorNames = append(p.Actors, actor), append(p.ActorNames, name)
		p.Origins, p.Weights = append(p.Origins, origin), append(p.Weights, weight)
	}
	err = q.InsertAuditBatch(ctx, sqlcgen.InsertAuditBatchParams{
		Seq: head.Seq + 1, Previous: head.Digest, Digest: AuditDigest(head.Digest, records), Events: int32(len(records)), At: at,
	})
	if err != nil {
		return fmt.Errorf("append audit batch %d: %w", head.Seq+1, err)
	}
	if err := q.InsertEvents(ctx, p); err != nil {
		return fmt.Errorf("record %d events: %w", len(records), err)
	}
	return nil
}

// decision is the decision in text, empty for none.
func (r Record) decision() (actor, name, origin, weight string) {
	d := r.Decision
	if d == nil {
		return "", "", "", ""
	}
	if !d.Weight.IsZero() {
		weight = d.Weight.String()
	}
	return d.Actor.String(), d.Name, d.Origin, weight
}

// AuditDigest is SHA-256 over the previous digest and the records in the order of payment id and version, each field
// preceded by its length as eight big-endian bytes; a record that somebody decided has four fields more. Times are left out: they are recorded once for the whole batch.
func AuditDigest(previous []byte, records []Record) []byte {
	h := sha256.New()
	write := func(field []byte) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(field)))
		h.Write(length[:])
		h.Write(field)
	}
	write(previous)
	for _, r := range records {
		write(r.Payment[:])
		write(binary.BigEndian.AppendUint64(nil, uint64(r.Version)))
		for _, text := range []string{r.EventID, string(r.Kind), string(r.From), string(r.To), string(r.Reason), r.Detail, string(r.TxID)} {
			write([]byte(text))
		}
		if r.Decision != nil {
			actor, name, origin, weight := r.decision()
			for _, text := range []string{actor, name, origin, weight} {
				write([]byte(text))
			}
		}
	}
	return h.Sum(nil)
}

// History returns a payment's accepted events, oldest first.
func History(ctx context.Context, db DB, id settlement.PaymentID) ([]Record, error) {
	rows, err := sqlcgen.New(db).History(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", id, err)
	}
	records := make([]Record, len(rows))
	for i, r := range rows {
		records[i] = Record{
			Payment: id, Version: r.Version, EventID: r.EventID, Kind: settlement.EventKind(r.Kind),
			From: settlement.State(r.FromState), To: settlement.State(r.ToState), Reason: settlement.Code(r.Reason),
			Detail: r.Detail, TxID: settlement.TxID(r.Txid), At: r.At.UTC(),
		}
		if r.Actor == nil {
			continue
		}
		weight, err := parseAmount(r.Weight)
		if err != nil {
			return nil, fmt.Errorf("read history of %s: %w", id, err)
		}
		records[i].Decision = &settlement.Decision{Actor: *r.Actor, Name: text(r.ActorName), Origin: text(r.Origin), Weight: weight}
	}
	return records, nil
}
