package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// Disputes reads every dispute of the payments, those of each in their order.
func Disputes(ctx context.Context, db DB, ids []settlement.PaymentID) (map[settlement.PaymentID][]settlement.Dispute, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := sqlcgen.New(db).Disputes(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read disputes of %d payments: %w", len(ids), err)
	}
	disputes := make(map[settlement.PaymentID][]settlement.Dispute)
	for _, r := range rows {
		d := settlement.Dispute{
			Payment: r.PaymentID, Number: int(r.Number), Opener: settlement.Opener(r.Opener), Reason: settlement.DisputeReason(r.Reason),
			Party: settlement.Party(r.Party), Default: settlement.DisputeDefault(r.DefaultOutcome), OpenedAt: r.OpenedAt.UTC(), RespondBy: r.RespondBy.UTC(),
			DecideBy: r.DecideBy.UTC(), AnsweredAt: r.AnsweredAt.UTC(), RemindedAt: r.RemindedAt.UTC(), DecidedAt: r.DecidedAt.UTC(),
			EffectiveAt: r.EffectiveAt.UTC(), AppealedAt: r.AppealedAt.UTC(), Told: r.Told, ClosedAt: r.ClosedAt.UTC(),
			Outcome: settlement.DisputeOutcome(r.Outcome), UndisputedAt: r.UndisputedAt.UTC(),
		}
		if !d.DecidedAt.IsZero() {
			d.Award = new(settlement.Division)
			if err := parseAmounts([]string{r.ToPayee, r.ToPayer}, &d.Award.ToPayee, &d.Award.ToPayer); err != nil {
				return nil, fmt.Errorf("read dispute %d of payment %s: %w", d.Number, d.Payment, err)
			}
		}
		disputes[d.Payment] = append(disputes[d.Payment], d)
	}
	return disputes, nil
}

// SaveDisputes records disputes that were opened or have gone on. Their payments must be locked.
func SaveDisputes(ctx context.Context, tx pgx.Tx, disputes []settlement.Dispute) error {
	if len(disputes) == 0 {
		return nil
	}
	var p sqlcgen.SaveDisputesParams
	for _, d := range disputes {
		p.PaymentIds = append(p.PaymentIds, d.Payment)
		p.Numbers = append(p.Numbers, int32(d.Number))
		p.Openers = append(p.Openers, string(d.Opener))
		p.Reasons = append(p.Reasons, string(d.Reason))
		p.Parties = append(p.Parties, string(d.Party))
		p.Defaults = append(p.Defaults, string(d.Default))
		p.OpenedAts = append(p.OpenedAts, d.OpenedAt)
		p.RespondBys = append(p.RespondBys, d.RespondBy)
		p.DecideBys = append(p.DecideBys, d.DecideBy)
		p.AnsweredAts = append(p.AnsweredAts, d.AnsweredAt)
		p.RemindedAts = append(p.RemindedAts, d.RemindedAt)
		toPayee, toPayer := "", ""
		if d.Award != nil {
			toPayee, toPayer = d.Award.ToPayee.String(), d.Award.ToPayer.String()
		}
		p.ToPayees, p.ToPayers = append(p.ToPayees, toPayee), append(p.ToPayers, toPayer)
		p.DecidedAts = append(p.DecidedAts, d.DecidedAt)
		p.EffectiveAts = append(p.EffectiveAts, d.EffectiveAt)
		p.AppealedAts = append(p.AppealedAts, d.AppealedAt)
		p.Tolds = append(p.Tolds, d.Told)
		p.ClosedAts = append(p.ClosedAts, d.ClosedAt)
		p.Outcomes = append(p.Outcomes, string(d.Outcome))
	}
	if err := sqlcgen.New(tx).SaveDisputes(ctx, p); err != nil {
		return fmt.Errorf("save %d disputes: %w", len(disputes), err)
	}
	return nil
}

// OrdersUndisputed records that the payments' orders were not disputed when they were read, for those whose dispute had been
// dropped by then. The payments must be locked.
func OrdersUndisputed(ctx context.Context, tx pgx.Tx, ids []settlement.PaymentID, readAt, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	if err := sqlcgen.New(tx).OrdersUndisputed(ctx, sqlcgen.OrdersUndisputedParams{PaymentIds: ids, ReadAt: readAt, Now: now}); err != nil {
		return fmt.Errorf("record %d orders as undisputed: %w", len(ids), err)
	}
	return nil
}

// Statement is what a party of a dispute has said; the words, and who wrote them down, stand in the payment's history under
// the version.
type Statement struct {
	Payment  settlement.PaymentID
	Version  int64 // of the payment after the event
	Dispute  int
	Party    settlement.Party
	Evidence *settlement.DisputeEvidence // nil for words alone; read without its content
}

// InsertStatements records what was said.
func InsertStatements(ctx context.Context, tx pgx.Tx, statements []Statement) error {
	if len(statements) == 0 {
		return nil
	}
	var p sqlcgen.InsertStatementsParams
	for _, s := range statements {
		var evidence settlement.DisputeEvidence
		var hash []byte
		if s.Evidence != nil {
			evidence = *s.Evidence
			hash = evidence.SHA256[:]
		}
		p.PaymentIds = append(p.PaymentIds, s.Payment)
		p.Versions = append(p.Versions, s.Version)
		p.Numbers = append(p.Numbers, int32(s.Dispute))
		p.Parties = append(p.Parties, string(s.Party))
		p.Hashes = append(p.Hashes, hash)
		p.Sizes = append(p.Sizes, evidence.Size)
		p.MediaTypes = append(p.MediaTypes, evidence.MediaType)
		p.Urls = append(p.Urls, evidence.URL)
		p.Contents = append(p.Contents, evidence.Content)
	}
	if err := sqlcgen.New(tx).InsertStatements(ctx, p); err != nil {
		return fmt.Errorf("record %d statements: %w", len(statements), err)
	}
	return nil
}

// Statements reads what was said in the disputes of a payment, oldest first.
func Statements(ctx context.Context, db DB, id settlement.PaymentID) ([]Statement, error) {
	rows, err := sqlcgen.New(db).Statements(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read statements about payment %s: %w", id, err)
	}
	statements := make([]Statement, len(rows))
	for i, r := range rows {
		statements[i] = Statement{Payment: id, Version: r.Version, Dispute: int(r.Number), Party: settlement.Party(r.Party)}
		if r.Sha256 != nil {
			statements[i].Evidence = &settlement.DisputeEvidence{SHA256: [sha256.Size]byte(r.Sha256), Size: r.Size, MediaType: r.MediaType, URL: r.Url}
		}
	}
	return statements, nil
}

// EvidenceContent reads the bytes of evidence; ErrNotFound where we have none with the hash.
func EvidenceContent(ctx context.Context, db DB, id settlement.PaymentID, hash [sha256.Size]byte) (mediaType string, content []byte, err error) {
	r, err := sqlcgen.New(db).EvidenceContent(ctx, sqlcgen.EvidenceContentParams{PaymentID: id, Sha256: hash[:]})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil, ErrNotFound
	}
	if err != nil {
		return "", nil, fmt.Errorf("read evidence about payment %s: %w", id, err)
	}
	return text(r.MediaType), r.Content, nil
}
