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

// Cursor is how far a chain has been scanned.
type Cursor struct {
	Number uint64
	Hash   settlement.BlockHash
	Final  uint64 // highest block known to be final
	// WatchXID: payments opened by transactions before this one were looked for in every block up to the cursor.
	WatchXID string
}

// ErrFenced means that another process has taken over the chain, or the listing.
var ErrFenced = errors.New("another process has taken over")

// ChainCursor returns ErrNotFound for a chain that was never scanned.
func ChainCursor(ctx context.Context, db DB, chain settlement.ChainID) (Cursor, error) {
	r, err := sqlcgen.New(db).ChainCursor(ctx, string(chain))
	if errors.Is(err, pgx.ErrNoRows) {
		return Cursor{}, ErrNotFound
	}
	if err != nil {
		return Cursor{}, fmt.Errorf("read cursor of %s: %w", chain, err)
	}
	return Cursor{Number: uint64(r.Number), Hash: settlement.BlockHash(r.Hash), Final: uint64(r.Final), WatchXID: r.WatchXid}, nil
}

// StartChain records where the scanning of a chain begins; a chain that has a cursor keeps it.
func StartChain(ctx context.Context, db DB, chain settlement.ChainID, block settlement.Block, now time.Time) error {
	err := sqlcgen.New(db).StartChain(ctx, sqlcgen.StartChainParams{Chain: string(chain), Number: int64(block.Number), Hash: []byte(block.Hash), Now: now})
	if err != nil {
		return fmt.Errorf("start cursor of %s: %w", chain, err)
	}
	return nil
}

// TakeChain raises the chain's epoch: from here on the writes of the watcher before are refused.
func TakeChain(ctx context.Context, db DB, chain settlement.ChainID) (epoch int64, err error) {
	epoch, err = sqlcgen.New(db).TakeChain(ctx, string(chain))
	if err != nil {
		return 0, fmt.Errorf("take chain %s: %w", chain, err)
	}
	return epoch, nil
}

// MoveCursor moves the cursor, or returns ErrFenced. Final never goes back.
func MoveCursor(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, epoch int64, c Cursor, now time.Time) error {
	n, err := sqlcgen.New(tx).MoveChain(ctx, sqlcgen.MoveChainParams{
		Chain: string(chain), Epoch: epoch, Number: int64(c.Number), Hash: []byte(c.Hash), Final: int64(c.Final), WatchXid: c.WatchXID, Now: now,
	})
	if err != nil {
		return fmt.Errorf("move cursor of %s: %w", chain, err)
	}
	if n != 1 {
		return fmt.Errorf("move cursor of %s: %w", chain, ErrFenced)
	}
	return nil
}

// SaveBlock remembers a scanned block until it is final.
func SaveBlock(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, b settlement.Block) error {
	err := sqlcgen.New(tx).InsertChainBlock(ctx, sqlcgen.InsertChainBlockParams{Chain: string(chain), Number: int64(b.Number), Hash: []byte(b.Hash), Time: b.Time})
	if err != nil {
		return fmt.Errorf("save block %d of %s: %w", b.Number, chain, err)
	}
	return nil
}

// SavedBlock returns ErrNotFound for a block that is not remembered.
func SavedBlock(ctx context.Context, db DB, chain settlement.ChainID, number uint64) (settlement.Block, error) {
	b, err := LastSavedBlock(ctx, db, chain, number)
	if err == nil && b.Number != number {
		return settlement.Block{}, ErrNotFound
	}
	return b, err
}

// LastSavedBlock is the highest remembered block up to a number, or ErrNotFound. Of blocks that were searched in ranges not
// every one is remembered.
func LastSavedBlock(ctx context.Context, db DB, chain settlement.ChainID, upTo uint64) (settlement.Block, error) {
	r, err := sqlcgen.New(db).LastChainBlock(ctx, sqlcgen.LastChainBlockParams{Chain: string(chain), Number: int64(upTo)})
	if errors.Is(err, pgx.ErrNoRows) {
		return settlement.Block{}, ErrNotFound
	}
	if err != nil {
		return settlement.Block{}, fmt.Errorf("read block %d of %s: %w", upTo, chain, err)
	}
	return settlement.Block{Number: uint64(r.Number), Hash: settlement.BlockHash(r.Hash), Time: r.Time.UTC()}, nil
}

// BlockBefore is the number of the last remembered block older than the time, or ErrNotFound when none is remembered.
// Where all are younger it is the one before the oldest of them.
func BlockBefore(ctx context.Context, db DB, chain settlement.ChainID, before time.Time) (uint64, error) {
	number, err := sqlcgen.New(db).ChainBlockBefore(ctx, sqlcgen.ChainBlockBeforeParams{Chain: string(chain), Before: before})
	if err != nil {
		return 0, fmt.Errorf("read block before %s of %s: %w", before, chain, err)
	}
	if number < 0 {
		return 0, ErrNotFound
	}
	return uint64(number), nil
}

// DropBlocksFrom forgets the blocks from a number on: they have left the chain.
func DropBlocksFrom(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, number uint64) error {
	err := sqlcgen.New(tx).DropChainBlocksFrom(ctx, sqlcgen.DropChainBlocksFromParams{Chain: string(chain), Number: int64(number)})
	if err != nil {
		return fmt.Errorf("drop blocks from %d of %s: %w", number, chain, err)
	}
	return nil
}

// DropBlocksBelow forgets final blocks: those below the last one that is remembered up to the number.
func DropBlocksBelow(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, number uint64) error {
	err := sqlcgen.New(tx).DropChainBlocksBelow(ctx, sqlcgen.DropChainBlocksBelowParams{Chain: string(chain), Number: int64(number)})
	if err != nil {
		return fmt.Errorf("drop blocks below %d of %s: %w", number, chain, err)
	}
	return nil
}

// WatchedPayment is what the watch index holds of a payment.
type WatchedPayment struct {
	ID        settlement.PaymentID
	Chain     settlement.ChainID
	Token     settlement.Address
	Payee     settlement.Address
	FromBlock uint64
	Watched   bool
	Vault     bool // the payee is a vault of ours, and of this payment alone
	Fresh     bool // opened since the chain's cursor last vouched for having looked for it
	Awaited   bool // its money is expected, or on its way
	CreatedAt time.Time
}

// WatchedPayments reads every watched payment, and the snapshot to go on from with WatchChanges.
func WatchedPayments(ctx context.Context, db DB) (payments []WatchedPayment, snapshot string, err error) {
	q := sqlcgen.New(db)
	// The snapshot is read first: what commits in between is read twice rather than never.
	if snapshot, err = q.Snapshot(ctx); err != nil {
		return nil, "", fmt.Errorf("read snapshot: %w", err)
	}
	rows, err := q.WatchedPayments(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("read watched payments: %w", err)
	}
	for _, r := range rows {
		payments = append(payments, WatchedPayment{r.ID, settlement.ChainID(*r.Chain), settlement.Address(r.Token), settlement.Address(r.Payee), uint64(*r.FromBlock), true, r.Vault, r.Fresh, r.Awaited, r.CreatedAt.UTC()})
	}
	return payments, snapshot, nil
}

// WatchChanges reads the payments that have changed since the snapshot, and the snapshot to go on from. A payment may
// come again although nothing changed, never not at all: the snapshot is the oldest transaction that was still open.
func WatchChanges(ctx context.Context, db DB, since string) (payments []WatchedPayment, snapshot string, err error) {
	q := sqlcgen.New(db)
	if snapshot, err = q.Snapshot(ctx); err != nil {
		return nil, "", fmt.Errorf("read snapshot: %w", err)
	}
	rows, err := q.WatchChanges(ctx, since)
	if err != nil {
		return nil, "", fmt.Errorf("read changed payments: %w", err)
	}
	for _, r := range rows {
		payments = append(payments, WatchedPayment{r.ID, settlement.ChainID(*r.Chain), settlement.Address(r.Token), settlement.Address(r.Payee), uint64(*r.FromBlock), r.Watched, r.Vault, true, r.Awaited, r.CreatedAt.UTC()})
	}
	return payments, snapshot, nil
}
