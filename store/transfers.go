package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
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
	// Finality is the rule that the transfer waits for or became final under, as it is stored; saving takes it from the
	// evidence.
	Finality settlement.Finality
	// Consumed: the transfer has settled the payment. Only FinalFrom and TransfersOf tell it.
	Consumed bool
}

// SaveTransfers stores what was seen. A transfer that is final already is never changed, but for one that seemed to pay
// nothing and has settled its payment since.
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
		p.ReferenceKeys = append(p.ReferenceKeys, joinKeys(t.References))
		p.Finalities = append(p.Finalities, finalityOf(v.Evidence))
		p.Withhelds = append(p.Withhelds, t.Withheld.String())
	}
	if err := sqlcgen.New(tx).SaveSightings(ctx, p); err != nil {
		return fmt.Errorf("save %d transfers: %w", len(transfers), err)
	}
	return nil
}

func finalityOf(e *settlement.Evidence) string {
	if e == nil {
		return ""
	}
	return string(e.Finality)
}

// KeepRules makes seen transfers that wait for none of the rules wait for this one.
func KeepRules(ctx context.Context, db DB, chain settlement.ChainID, rules []settlement.Finality, own settlement.Finality) error {
	err := sqlcgen.New(db).KeepRules(ctx, sqlcgen.KeepRulesParams{Chain: string(chain), Rules: texts(rules), Own: string(own)})
	if err != nil {
		return fmt.Errorf("set the finality rule of seen transfers of %s: %w", chain, err)
	}
	return nil
}

// FinalizeTransfers marks stored transfers as final under Sighting.FinalHead. What was stored of them stays, but for the
// verdict's code and detail.
func FinalizeTransfers(ctx context.Context, tx pgx.Tx, transfers []SeenTransfer) error {
	if len(transfers) == 0 {
		return nil
	}
	var p sqlcgen.FinalizeSightingsParams
	for _, s := range transfers {
		p.PaymentIds = append(p.PaymentIds, s.Payment)
		p.Chains = append(p.Chains, string(s.Chain))
		p.Txids = append(p.Txids, []byte(s.Sighting.TxID))
		p.Positions = append(p.Positions, s.Sighting.Transfer.Position)
		p.Codes = append(p.Codes, string(s.Sighting.Verdict.Code))
		p.Details = append(p.Details, s.Sighting.Verdict.Detail)
		p.Heads = append(p.Heads, int64(s.Sighting.FinalHead))
	}
	if err := sqlcgen.New(tx).FinalizeSightings(ctx, p); err != nil {
		return fmt.Errorf("finalize %d transfers: %w", len(transfers), err)
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

// SeenUpTo returns at most limit transfers that are seen and not final, in blocks up to the number of the rule that each
// waits for, oldest first. Their evidence is left out.
func SeenUpTo(ctx context.Context, db DB, chain settlement.ChainID, upTo map[settlement.Finality]uint64, limit int) ([]SeenTransfer, error) {
	p := sqlcgen.SeenUpToParams{Chain: string(chain), RowLimit: int32(limit)}
	for rule, number := range upTo {
		p.Rules = append(p.Rules, string(rule))
		p.BlockNumbers = append(p.BlockNumbers, int64(number))
	}
	rows, err := sqlcgen.New(db).SeenUpTo(ctx, p)
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
		var amount, withheld settlement.Amount
		if err := parseAmounts([]string{r.Amount, r.Withheld}, &amount, &withheld); err != nil {
			return nil, fmt.Errorf("read transfer %s of payment %s: %w", settlement.TxID(r.Txid), r.PaymentID, err)
		}
		t := settlement.Transfer{
			Token: settlement.Address(r.Token), Payer: settlement.Address(r.Payer), Payee: settlement.Address(r.Payee),
			Amount: amount, Withheld: withheld, Position: r.Position, Index: -1, References: splitKeys(r.ReferenceKeys),
		}
		if r.ReceiptIndex != nil {
			t.Index = int(*r.ReceiptIndex)
		}
		v := settlement.Verdict{Code: settlement.Code(r.Code), Detail: r.Detail}
		if err := json.Unmarshal(r.Evidence, &v.Evidence); err != nil {
			return nil, fmt.Errorf("read evidence of %s: %w", settlement.TxID(r.Txid), err)
		}
		if v.Evidence != nil {
			v.Evidence.Finality = settlement.Finality(r.Finality) // which may have changed since
			if r.FinalHead != nil {
				v.Evidence.Head = uint64(*r.FinalHead)
			}
		}
		block := settlement.Block{Number: uint64(r.BlockNumber), Hash: settlement.BlockHash(r.BlockHash), Time: r.BlockTime.UTC()}
		out[i] = SeenTransfer{
			Payment: r.PaymentID, Chain: settlement.ChainID(r.Chain), Status: TransferStatus(r.Status), SeenAt: r.SeenAt.UTC(),
			Finality: settlement.Finality(r.Finality), Consumed: r.Consumed,
			Sighting: settlement.Sighting{TxID: settlement.TxID(r.Txid), Transfer: t, Block: block, Verdict: v},
		}
	}
	return out, nil
}

// keyLength is that of a reference key.
const keyLength = 32

func joinKeys(keys []settlement.Address) []byte {
	joined := []byte{}
	for _, k := range keys {
		joined = append(joined, k...)
	}
	return joined
}

func splitKeys(joined []byte) []settlement.Address {
	var keys []settlement.Address
	for key := range slices.Chunk(joined, keyLength) {
		keys = append(keys, settlement.Address(key))
	}
	return keys
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
	fresh, err := sqlcgen.New(tx).ConsumeTransfers(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("consume %d transfers: %w", len(transfers), err)
	}
	owned = make(map[TransferKey]settlement.PaymentID, len(transfers))
	for _, c := range fresh {
		owned[TransferKey{Chain: settlement.ChainID(c.Chain), TxID: settlement.TxID(c.Txid), Position: c.Position}] = c.PaymentID
	}
	if len(fresh) == len(transfers) { // none was consumed before, which is the usual case
		return owned, nil
	}
	consumed, err := Consumed(ctx, tx, p.Chains, transfers)
	if err != nil {
		return nil, err
	}
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
// open before its block, by what its payer signed, by proven payer, by named payer, and by amount; those settled by another
// transaction that it would pay a second time; and those whose reference it names. Where a transfer names no reference and
// is the price of open payments that its payer is proven for, those alone are returned: settlement.Attribute then decides by
// them, whatever else is open.
func OpenForTransfers(ctx context.Context, db DB, chains []settlement.ChainID, sightings []settlement.Sighting) (map[int][]settlement.OpenPayment, error) {
	q := sqlcgen.New(db)
	open := make(map[int][]settlement.OpenPayment, len(sightings))
	keep := func(r sqlcgen.OpenForTransfersRow) error {
		var amount, under, over, received settlement.Amount
		if err := parseAmounts([]string{r.Amount, r.UnderBy, r.OverBy, r.Received}, &amount, &under, &over, &received); err != nil {
			return fmt.Errorf("read payment %s: %w", r.ID, err)
		}
		i := int(r.N)
		open[i] = append(open[i], settlement.OpenPayment{ID: r.ID, Settled: !r.Open, Signed: r.Signed, Received: received, Terms: settlement.Terms{
			Token: settlement.Token{
				Chain: chains[i], Address: sightings[i].Transfer.Token, Symbol: *r.TokenSymbol, Decimals: uint8(*r.TokenDecimals),
			},
			Payee: sightings[i].Transfer.Payee, Amount: amount,
			ProvenPayer: settlement.Address(r.ProvenPayer), NamedPayer: settlement.Address(r.NamedPayer), Reference: settlement.Address(r.Reference),
			NotBefore: r.NotBefore.UTC(), FromBlock: uint64(*r.FromBlock), Deadline: r.Deadline.UTC(),
			Grace: time.Duration(*r.GraceSeconds) * time.Second, Custody: settlement.Custody(r.Custody),
			Under: under, Over: over, Parts: r.Parts, Late: time.Duration(r.LateSeconds) * time.Second, AnyPayer: r.AnyPayer,
		}})
		return nil
	}
	var p sqlcgen.OpenAtPriceParams
	for i, s := range sightings {
		if len(s.Transfer.References) > 0 {
			continue
		}
		p.Ns = append(p.Ns, int32(i))
		p.Chains = append(p.Chains, string(chains[i]))
		p.Tokens = append(p.Tokens, []byte(s.Transfer.Token))
		p.Payers = append(p.Payers, []byte(s.Transfer.Payer))
		p.Payees = append(p.Payees, []byte(s.Transfer.Payee))
		p.Amounts = append(p.Amounts, s.Transfer.Amount.String())
		p.BlockNumbers = append(p.BlockNumbers, int64(s.Block.Number))
		p.Txids = append(p.Txids, []byte(s.TxID))
	}
	if len(p.Ns) > 0 {
		atPrice, err := q.OpenAtPrice(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("read payments at the price of %d transfers: %w", len(p.Ns), err)
		}
		for _, r := range atPrice {
			if err := keep(sqlcgen.OpenForTransfersRow(r)); err != nil {
				return nil, err
			}
		}
	}
	var rest sqlcgen.OpenForTransfersParams
	for i, s := range sightings {
		if len(open[i]) > 0 {
			continue
		}
		rest.Ns = append(rest.Ns, int32(i))
		rest.Chains = append(rest.Chains, string(chains[i]))
		rest.Tokens = append(rest.Tokens, []byte(s.Transfer.Token))
		rest.Payers = append(rest.Payers, []byte(s.Transfer.Payer))
		rest.Payees = append(rest.Payees, []byte(s.Transfer.Payee))
		rest.Amounts = append(rest.Amounts, s.Transfer.Amount.String())
		rest.BlockNumbers = append(rest.BlockNumbers, int64(s.Block.Number))
		rest.Txids = append(rest.Txids, []byte(s.TxID))
		for _, key := range s.Transfer.References {
			rest.RefNs, rest.ReferenceKeys = append(rest.RefNs, int32(i)), append(rest.ReferenceKeys, []byte(key))
		}
	}
	if len(rest.Ns) == 0 {
		return open, nil
	}
	rows, err := q.OpenForTransfers(ctx, rest)
	if err != nil {
		return nil, fmt.Errorf("read payments open for %d transfers: %w", len(rest.Ns), err)
	}
	for _, r := range rows {
		if err := keep(r); err != nil {
			return nil, err
		}
	}
	return open, nil
}
