package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// TransferStatus says what has become of a seen transfer.
type TransferStatus string

// Transfers are seen, then final or withdrawn. A withdrawn one may be seen again in another block.
const (
	TransferSeen      TransferStatus = "seen"
	TransferFinal     TransferStatus = "final"
	TransferWithdrawn TransferStatus = "withdrawn"
)

// SeenTransfer is a transfer that was seen for a payment.
type SeenTransfer struct {
	Payment  settlement.PaymentID
	Chain    settlement.ChainID
	Sighting settlement.Sighting
	Status   TransferStatus
	SeenAt   time.Time
}

// SaveTransfers stores what was seen. A transfer that is final already is never changed.
func SaveTransfers(ctx context.Context, tx pgx.Tx, transfers []SeenTransfer, now time.Time) error {
	if len(transfers) == 0 {
		return nil
	}
	p := sqlcgen.SaveSightingsParams{Now: now}
	for _, s := range transfers {
		t, v := s.Sighting.Transfer, s.Sighting.Verdict
		evidence, err := json.Marshal(v.Evidence)
		if err != nil {
			return fmt.Errorf("encode evidence of %s: %w", s.Sighting.TxID, err)
		}
		p.PaymentIds = append(p.PaymentIds, s.Payment)
		p.Chains = append(p.Chains, string(s.Chain))
		p.Txids = append(p.Txids, []byte(s.Sighting.TxID))
		p.Positions = append(p.Positions, t.Position)
		p.ReceiptIndexes = append(p.ReceiptIndexes, int32(t.Index))
		p.Tokens = append(p.Tokens, []byte(t.Token))
		p.Payers = append(p.Payers, []byte(t.Payer))
		p.Payees = append(p.Payees, []byte(t.Payee))
		p.Amounts = append(p.Amounts, t.Amount.String())
		p.BlockNumbers = append(p.BlockNumbers, int64(s.Sighting.Block.Number))
		p.BlockHashes = append(p.BlockHashes, []byte(s.Sighting.Block.Hash))
		p.BlockTimes = append(p.BlockTimes, s.Sighting.Block.Time)
		p.Codes = append(p.Codes, string(v.Code))
		p.Details = append(p.Details, v.Detail)
		p.Evidences = append(p.Evidences, evidence)
		p.Statuses = append(p.Statuses, string(s.Status))
	}
	if err := sqlcgen.New(tx).SaveSightings(ctx, p); err != nil {
		return fmt.Errorf("save %d transfers: %w", len(transfers), err)
	}
	return nil
}

// WithdrawTransfers marks seen transfers as gone from the chain.
func WithdrawTransfers(ctx context.Context, tx pgx.Tx, transfers []SeenTransfer) error {
	if len(transfers) == 0 {
		return nil
	}
	var p sqlcgen.WithdrawSightingsParams
	for _, s := range transfers {
		p.PaymentIds = append(p.PaymentIds, s.Payment)
		p.Chains = append(p.Chains, string(s.Chain))
		p.Txids = append(p.Txids, []byte(s.Sighting.TxID))
		p.Positions = append(p.Positions, s.Sighting.Transfer.Position)
	}
	if err := sqlcgen.New(tx).WithdrawSightings(ctx, p); err != nil {
		return fmt.Errorf("withdraw %d transfers: %w", len(transfers), err)
	}
	return nil
}

// SeenUpTo returns at most limit transfers that are seen and not final, in blocks up to the number, oldest first.
func SeenUpTo(ctx context.Context, db DB, chain settlement.ChainID, number uint64, limit int) ([]SeenTransfer, error) {
	rows, err := sqlcgen.New(db).SeenUpTo(ctx, sqlcgen.SeenUpToParams{Chain: string(chain), BlockNumber: int64(number), RowLimit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("read seen transfers of %s: %w", chain, err)
	}
	return collect(rows, func(r sqlcgen.SeenUpToRow) sqlcgen.TransfersOfRow { return sqlcgen.TransfersOfRow(r) })
}

// SeenFrom returns the transfers that are seen and not final, in blocks from the number on, oldest first.
func SeenFrom(ctx context.Context, db DB, chain settlement.ChainID, number uint64) ([]SeenTransfer, error) {
	rows, err := sqlcgen.New(db).SeenFrom(ctx, sqlcgen.SeenFromParams{Chain: string(chain), BlockNumber: int64(number)})
	if err != nil {
		return nil, fmt.Errorf("read seen transfers of %s: %w", chain, err)
	}
	return collect(rows, func(r sqlcgen.SeenFromRow) sqlcgen.TransfersOfRow { return sqlcgen.TransfersOfRow(r) })
}

// FinalFrom returns the transfers that count as final, in blocks from the number on, oldest first.
func FinalFrom(ctx context.Context, db DB, chain settlement.ChainID, number uint64) ([]SeenTransfer, error) {
	rows, err := sqlcgen.New(db).FinalFrom(ctx, sqlcgen.FinalFromParams{Chain: string(chain), BlockNumber: int64(number)})
	if err != nil {
		return nil, fmt.Errorf("read final transfers of %s: %w", chain, err)
	}
	return collect(rows, func(r sqlcgen.FinalFromRow) sqlcgen.TransfersOfRow { return sqlcgen.TransfersOfRow(r) })
}

// TransfersOf returns every transfer ever seen for the payments.
func TransfersOf(ctx context.Context, db DB, ids []settlement.PaymentID) ([]SeenTransfer, error) {
	rows, err := sqlcgen.New(db).TransfersOf(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read transfers of %d payments: %w", len(ids), err)
	}
	return collect(rows, func(r sqlcgen.TransfersOfRow) sqlcgen.TransfersOfRow { return r })
}

func collect[R any](rows []R, same func(R) sqlcgen.TransfersOfRow) ([]SeenTransfer, error) {
	out := make([]SeenTransfer, len(rows))
	for i := range rows {
		r := same(rows[i])
		amount, err := parseAmount(r.Amount)
		if err != nil {
			return nil, fmt.Errorf("read transfer %s of payment %s: %w", settlement.TxID(r.Txid), r.PaymentID, err)
		}
		t := settlement.Transfer{
			Token: settlement.Address(r.Token), Payer: settlement.Address(r.Payer), Payee: settlement.Address(r.Payee),
			Amount: amount, Position: r.Position, Index: -1,
		}
		if r.ReceiptIndex != nil {
			t.Index = int(*r.ReceiptIndex)
		}
		v := settlement.Verdict{Code: settlement.Code(r.Code), Detail: r.Detail}
		if err := json.Unmarshal(r.Evidence, &v.Evidence); err != nil {
			return nil, fmt.Errorf("read evidence of %s: %w", settlement.TxID(r.Txid), err)
		}
		block := settlement.Block{Number: uint64(r.BlockNumber), Hash: settlement.BlockHash(r.BlockHash), Time: r.BlockTime.UTC()}
		out[i] = SeenTransfer{
			Payment: r.PaymentID, Chain: settlement.ChainID(r.Chain), Status: TransferStatus(r.Status), SeenAt: r.SeenAt.UTC(),
			Sighting: settlement.Sighting{TxID: settlement.TxID(r.Txid), Transfer: t, Block: block, Verdict: v},
		}
	}
	return out, nil
}

// TransferKey names a transfer for ever.
type TransferKey struct {
	Chain    settlement.ChainID
	TxID     settlement.TxID
	Position string
}

// ConsumedTransfer is a transfer that has settled a payment.
type ConsumedTransfer struct {
	Key     TransferKey
	Index   int // among the transaction's own logs; -1 where it was not read
	Payment settlement.PaymentID
}

// ConsumeTransfers consumes each transfer for its payment and returns those whose payment is the owner now: a transfer
// that another payment consumed before, under either of its keys, is not among them.
func ConsumeTransfers(ctx context.Context, tx pgx.Tx, transfers []SeenTransfer, now time.Time) (owned map[TransferKey]settlement.PaymentID, err error) {
	if len(transfers) == 0 {
		return nil, nil
	}
	p := sqlcgen.ConsumeTransfersParams{Now: now}
	for _, s := range transfers {
		p.Chains = append(p.Chains, string(s.Chain))
		p.Txids = append(p.Txids, []byte(s.Sighting.TxID))
		p.Positions = append(p.Positions, s.Sighting.Transfer.Position)
		p.ReceiptIndexes = append(p.ReceiptIndexes, int32(s.Sighting.Transfer.Index))
		p.PaymentIds = append(p.PaymentIds, s.Payment)
		p.Amounts = append(p.Amounts, s.Sighting.Transfer.Amount.String())
	}
	q := sqlcgen.New(tx)
	if err := q.ConsumeTransfers(ctx, p); err != nil {
		return nil, fmt.Errorf("consume %d transfers: %w", len(transfers), err)
	}
	consumed, err := Consumed(ctx, tx, p.Chains, transfers)
	if err != nil {
		return nil, err
	}
	owned = make(map[TransferKey]settlement.PaymentID, len(consumed))
	for _, c := range consumed {
		owned[c.Key] = c.Payment
	}
	return owned, nil
}

// Consumed returns what has been consumed of the transfers' transactions.
func Consumed(ctx context.Context, db DB, chains []string, transfers []SeenTransfer) ([]ConsumedTransfer, error) {
	txids := make([][]byte, len(transfers))
	for i, s := range transfers {
		txids[i] = []byte(s.Sighting.TxID)
	}
	rows, err := sqlcgen.New(db).ConsumedOf(ctx, sqlcgen.ConsumedOfParams{Chains: chains, Txids: txids})
	if err != nil {
		return nil, fmt.Errorf("read consumed transfers: %w", err)
	}
	out := make([]ConsumedTransfer, len(rows))
	for i, r := range rows {
		out[i] = ConsumedTransfer{
			Key:   TransferKey{Chain: settlement.ChainID(r.Chain), TxID: settlement.TxID(r.Txid), Position: r.Position},
			Index: -1, Payment: r.PaymentID,
		}
		if r.ReceiptIndex != nil {
			out[i].Index = int(*r.ReceiptIndex)
		}
	}
	return out, nil
}

// OpenForTransfers returns for each transfer, by its place in the slice, the payments that it could pay: those that were
// open before its block, by proven payer, by named payer, and by amount; and those settled by another transaction that
// it would pay a second time.
func OpenForTransfers(ctx context.Context, db DB, chains []settlement.ChainID, sightings []settlement.Sighting) (map[int][]settlement.OpenPayment, error) {
	var p sqlcgen.OpenForTransfersParams
	for i, s := range sightings {
		p.Ns = append(p.Ns, int32(i))
		p.Chains = append(p.Chains, string(chains[i]))
		p.Tokens = append(p.Tokens, []byte(s.Transfer.Token))
		p.Payers = append(p.Payers, []byte(s.Transfer.Payer))
		p.Payees = append(p.Payees, []byte(s.Transfer.Payee))
		p.Amounts = append(p.Amounts, s.Transfer.Amount.String())
		p.BlockNumbers = append(p.BlockNumbers, int64(s.Block.Number))
		p.Txids = append(p.Txids, []byte(s.TxID))
	}
	rows, err := sqlcgen.New(db).OpenForTransfers(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("read payments open for %d transfers: %w", len(sightings), err)
	}
	open := make(map[int][]settlement.OpenPayment)
	for _, r := range rows {
		amount, err := parseAmount(r.Amount)
		if err != nil {
			return nil, fmt.Errorf("read payment %s: %w", r.ID, err)
		}
		i := int(r.N)
		open[i] = append(open[i], settlement.OpenPayment{ID: r.ID, Settled: !r.Open, Terms: settlement.Terms{
			Token: settlement.Token{
				Chain: chains[i], Address: sightings[i].Transfer.Token, Symbol: *r.TokenSymbol, Decimals: uint8(*r.TokenDecimals),
			},
			Payee: sightings[i].Transfer.Payee, Amount: amount,
			ProvenPayer: settlement.Address(r.ProvenPayer), NamedPayer: settlement.Address(r.NamedPayer),
			NotBefore: r.NotBefore.UTC(), FromBlock: uint64(*r.FromBlock), Deadline: r.Deadline.UTC(),
			Grace: time.Duration(*r.GraceSeconds) * time.Second,
		}})
	}
	return open, nil
}
