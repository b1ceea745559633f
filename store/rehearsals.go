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

// Rehearsal is one base unit's way through two vaults of a token.
type Rehearsal struct {
	ID             int64
	Chain          settlement.ChainID
	Token          settlement.Address
	Code           settlement.VaultCode
	Wallet         settlement.Address // pays and reclaims
	Operator       settlement.Address // pays out
	PaidVault      settlement.Address
	ReclaimedVault settlement.Address
}

// StartRehearsal records one that begins; its vaults must be kept. A token has one under way.
func StartRehearsal(ctx context.Context, tx pgx.Tx, r Rehearsal, now time.Time) error {
	err := sqlcgen.New(tx).InsertRehearsal(ctx, sqlcgen.InsertRehearsalParams{
		Chain: string(r.Chain), Token: []byte(r.Token), Factory: []byte(r.Code.Factory), CodeHash: r.Code.Hash[:], Wallet: []byte(r.Wallet),
		Operator: []byte(r.Operator), PaidVault: []byte(r.PaidVault), ReclaimedVault: []byte(r.ReclaimedVault), Now: now,
	})
	if err != nil {
		return fmt.Errorf("start rehearsal of %s: %w", r.Chain, err)
	}
	return nil
}

// RehearsalUnderWay reads the token's; ErrNotFound when there is none.
func RehearsalUnderWay(ctx context.Context, db DB, chain settlement.ChainID, token settlement.Address) (Rehearsal, error) {
	r, err := sqlcgen.New(db).RehearsalUnderWay(ctx, sqlcgen.RehearsalUnderWayParams{Chain: string(chain), Token: []byte(token)})
	if errors.Is(err, pgx.ErrNoRows) {
		return Rehearsal{}, ErrNotFound
	}
	if err != nil {
		return Rehearsal{}, fmt.Errorf("read rehearsal of %s: %w", chain, err)
	}
	return Rehearsal{
		ID: r.ID, Chain: chain, Token: token, Code: settlement.VaultCode{Factory: settlement.Address(r.Factory), Hash: [32]byte(r.CodeHash)},
		Wallet: settlement.Address(r.Wallet), Operator: settlement.Address(r.Operator),
		PaidVault: settlement.Address(r.PaidVault), ReclaimedVault: settlement.Address(r.ReclaimedVault),
	}, nil
}

// EndRehearsal records its transactions (deposit, payment, reclaim), or the problem for which it is given up.
func EndRehearsal(ctx context.Context, db DB, id int64, txids []settlement.TxID, problem string, now time.Time) error {
	p := sqlcgen.EndRehearsalParams{ID: id, Problem: problem, Now: now}
	if problem == "" {
		p.DepositTxid, p.PayTxid, p.ReclaimTxid = []byte(txids[0]), []byte(txids[1]), []byte(txids[2])
	}
	n, err := sqlcgen.New(db).EndRehearsal(ctx, p)
	if err == nil && n != 1 {
		err = errors.New("it has ended")
	}
	if err != nil {
		return fmt.Errorf("end rehearsal %d: %w", id, err)
	}
	return nil
}

// Rehearsed reports whether vaults of this code were rehearsed with the token.
func Rehearsed(ctx context.Context, db DB, chain settlement.ChainID, token settlement.Address, code settlement.VaultCode) (bool, error) {
	done, err := sqlcgen.New(db).Rehearsed(ctx, sqlcgen.RehearsedParams{
		Chain: string(chain), Token: []byte(token), Factory: []byte(code.Factory), CodeHash: code.Hash[:],
	})
	if err != nil {
		return false, fmt.Errorf("look for rehearsals of %s: %w", chain, err)
	}
	return done, nil
}
