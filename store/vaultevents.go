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

// VaultsSeen is the final block up to which what happens at the chain's vaults was read; ok is false while there is no vault.
func VaultsSeen(ctx context.Context, db DB, chain settlement.ChainID) (seen uint64, ok bool, err error) {
	n, err := sqlcgen.New(db).VaultsSeen(ctx, string(chain))
	if err != nil {
		return 0, false, fmt.Errorf("read how far vaults of %s were seen: %w", chain, err)
	}
	return uint64(max(n, 0)), n >= 0, nil
}

// MoveVaultsSeen moves that block, or returns ErrFenced.
func MoveVaultsSeen(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, epoch int64, block uint64) error {
	n, err := sqlcgen.New(tx).MoveVaultsSeen(ctx, sqlcgen.MoveVaultsSeenParams{Chain: string(chain), Epoch: epoch, Block: int64(block)})
	if err == nil && n != 1 {
		err = ErrFenced
	}
	if err != nil {
		return fmt.Errorf("move how far vaults of %s were seen: %w", chain, err)
	}
	return nil
}

// SaveVaultEvents stores those of the events that are of our vaults, each once.
func SaveVaultEvents(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, events []settlement.VaultEvent, now time.Time) error {
	if len(events) == 0 {
		return nil
	}
	p := sqlcgen.SaveVaultEventsParams{Chain: string(chain), Now: now}
	for _, e := range events {
		p.Txids = append(p.Txids, []byte(e.TxID))
		p.Vaults = append(p.Vaults, []byte(e.Vault))
		p.Ordinals = append(p.Ordinals, int16(e.Ordinal))
		p.Kinds = append(p.Kinds, string(e.Kind))
		p.Parts = append(p.Parts, int16(e.Part))
		p.ToPayees = append(p.ToPayees, e.ToPayee.String())
		p.ToPayers = append(p.ToPayers, e.ToPayer.String())
		p.Receivers = append(p.Receivers, []byte(e.Receiver))
		p.Oweds = append(p.Oweds, e.Owed)
		p.BlockNumbers = append(p.BlockNumbers, int64(e.Block.Number))
		p.BlockHashes = append(p.BlockHashes, []byte(e.Block.Hash))
	}
	q := sqlcgen.New(tx)
	err := q.SaveVaultEvents(ctx, p)
	if err == nil {
		err = q.SlotsAreBack(ctx, sqlcgen.SlotsAreBackParams{Chain: p.Chain, Txids: p.Txids, BlockNumbers: p.BlockNumbers})
	}
	if err != nil {
		return fmt.Errorf("save %d vault events of %s: %w", len(events), chain, err)
	}
	return nil
}

// UntoldVaultEvent is what a payment was not told yet.
type UntoldVaultEvent struct {
	settlement.VaultEvent                       // without its block's hash
	Payment               *settlement.PaymentID // nil where the vault's order never came in
	Moved                 bool                  // the part is a movement of ours, which was signed
}

// UntoldVaultEvents reads at most limit events, oldest first.
func UntoldVaultEvents(ctx context.Context, db DB, chain settlement.ChainID, limit int) ([]UntoldVaultEvent, error) {
	rows, err := sqlcgen.New(db).UntoldVaultEvents(ctx, sqlcgen.UntoldVaultEventsParams{Chain: string(chain), RowLimit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("read vault events of %s: %w", chain, err)
	}
	events := make([]UntoldVaultEvent, len(rows))
	for i, r := range rows {
		events[i] = UntoldVaultEvent{
			VaultEvent: settlement.VaultEvent{
				Vault: settlement.Address(r.Vault), Kind: settlement.VaultEventKind(r.Kind), TxID: settlement.TxID(r.Txid), Ordinal: uint16(r.Ordinal),
				Block: settlement.Block{Number: uint64(r.BlockNumber)}, Part: uint8(r.Part), Receiver: settlement.Address(r.Receiver), Owed: r.Owed,
			},
			Payment: r.PaymentID, Moved: r.Moved,
		}
		var errs [2]error
		events[i].ToPayee, errs[0] = parseAmount(r.ToPayee)
		events[i].ToPayer, errs[1] = parseAmount(r.ToPayer)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, fmt.Errorf("read vault event %s: %w", events[i].TxID, err)
		}
	}
	return events, nil
}

// TellVaultEvent notes that the payment was told.
func TellVaultEvent(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, e UntoldVaultEvent, now time.Time) error {
	err := sqlcgen.New(tx).TellVaultEvent(ctx, sqlcgen.TellVaultEventParams{
		Chain: string(chain), Txid: []byte(e.TxID), Vault: []byte(e.Vault), Ordinal: int16(e.Ordinal), Now: now,
	})
	if err != nil {
		return fmt.Errorf("tell vault event %s: %w", e.TxID, err)
	}
	return nil
}

// PostVaultEvent posts what others took out of a vault, as far as our books know of it.
func PostVaultEvent(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, e UntoldVaultEvent, now time.Time) error {
	err := sqlcgen.New(tx).PostVaultEvent(ctx, sqlcgen.PostVaultEventParams{
		Chain: string(chain), Txid: []byte(e.TxID), Vault: []byte(e.Vault), Ordinal: int16(e.Ordinal), Now: now,
	})
	if err != nil {
		return fmt.Errorf("post vault event %s: %w", e.TxID, err)
	}
	return nil
}

// LostVaultEvent is one that was final and has left the chain.
type LostVaultEvent struct {
	TxID    settlement.TxID
	Kind    settlement.VaultEventKind
	Block   uint64
	Payment *settlement.PaymentID
}

// LoseVaultEvents notes that the blocks from a number on have left the chain: they are read again, and what had happened in
// them comes back.
func LoseVaultEvents(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, number uint64, now time.Time) ([]LostVaultEvent, error) {
	q := sqlcgen.New(tx)
	rows, err := q.LoseVaultEvents(ctx, sqlcgen.LoseVaultEventsParams{Chain: string(chain), BlockNumber: int64(number), Now: now})
	if err == nil {
		err = q.LowerVaultsSeen(ctx, sqlcgen.LowerVaultsSeenParams{Chain: string(chain), Block: int64(number) - 1})
	}
	if err != nil {
		return nil, fmt.Errorf("lose vault events from block %d of %s: %w", number, chain, err)
	}
	lost := make([]LostVaultEvent, len(rows))
	for i, r := range rows {
		lost[i] = LostVaultEvent{settlement.TxID(r.Txid), settlement.VaultEventKind(r.Kind), uint64(r.BlockNumber), r.PaymentID}
	}
	return lost, nil
}

// GoneTransactions are our own transactions, signed, that have left the chain since a time and are not there again.
func GoneTransactions(ctx context.Context, db DB, chain settlement.ChainID, since time.Time, limit int) ([][]byte, error) {
	raws, err := sqlcgen.New(db).GoneTransactions(ctx, sqlcgen.GoneTransactionsParams{Chain: string(chain), Since: since, RowLimit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("read what has left %s: %w", chain, err)
	}
	return raws, nil
}
