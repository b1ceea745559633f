package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// AccountCursors reads how far the payee's accounts for the token have been looked at, by account.
func AccountCursors(ctx context.Context, db DB, chain settlement.ChainID, token, payee settlement.Address) (map[settlement.Address]settlement.AccountCursor, error) {
	rows, err := sqlcgen.New(db).AccountCursors(ctx, sqlcgen.AccountCursorsParams{Chain: string(chain), Token: []byte(token), Payee: []byte(payee)})
	if err != nil {
		return nil, fmt.Errorf("read account cursors of %s: %w", chain, err)
	}
	cursors := make(map[settlement.Address]settlement.AccountCursor, len(rows))
	for _, r := range rows {
		var cursor settlement.AccountCursor
		if err := cursor.UnmarshalBinary(r.Cursor); err != nil {
			return nil, fmt.Errorf("read cursor of account %s: %w", settlement.Address(r.Account), err)
		}
		cursors[settlement.Address(r.Account)] = cursor
	}
	return cursors, nil
}

// SaveAccountCursor moves the cursor of one of the payee's accounts for the token, or returns ErrFenced. watchXID is the
// snapshot whose payments were looked for in everything that the cursor covers.
func SaveAccountCursor(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, epoch int64, token settlement.Address, cursor settlement.AccountCursor, watchXID string, now time.Time) error {
	text, err := cursor.MarshalBinary()
	if err != nil {
		return fmt.Errorf("encode cursor of account %s: %w", cursor.Account, err)
	}
	n, err := sqlcgen.New(tx).SaveAccountCursor(ctx, sqlcgen.SaveAccountCursorParams{
		Chain: string(chain), Epoch: epoch, Token: []byte(token), Payee: []byte(cursor.Payee), Account: []byte(cursor.Account),
		Cursor: text, WatchXid: watchXID, Now: now,
	})
	if err != nil {
		return fmt.Errorf("save cursor of account %s: %w", cursor.Account, err)
	}
	if n != 1 {
		return fmt.Errorf("save cursor of account %s: %w", cursor.Account, ErrFenced)
	}
	return nil
}

// VaultAccount names what a vault holds of a token.
type VaultAccount struct{ Token, Vault settlement.Address }

// HeldAccounts reads what each vault's account on the chain held when its history was last found to explain it.
func HeldAccounts(ctx context.Context, db DB, chain settlement.ChainID) (map[VaultAccount]settlement.Amount, error) {
	rows, err := sqlcgen.New(db).HeldAccounts(ctx, string(chain))
	if err != nil {
		return nil, fmt.Errorf("read what accounts of %s hold: %w", chain, err)
	}
	held := make(map[VaultAccount]settlement.Amount, len(rows))
	for _, r := range rows {
		of := VaultAccount{settlement.Address(r.Token), settlement.Address(r.Payee)}
		if held[of], err = parseAmount(r.Held); err != nil {
			return nil, fmt.Errorf("read what vault %s holds: %w", of.Vault, err)
		}
	}
	return held, nil
}

// HoldAccount records that the account's history explains what it holds. It returns ErrFenced when another process watches the
// chain, or nothing was ever found in the account.
func HoldAccount(ctx context.Context, db DB, chain settlement.ChainID, epoch int64, of VaultAccount, account settlement.Address, held settlement.Amount, now time.Time) error {
	n, err := sqlcgen.New(db).HoldAccount(ctx, sqlcgen.HoldAccountParams{
		Chain: string(chain), Epoch: epoch, Token: []byte(of.Token), Payee: []byte(of.Vault), Account: []byte(account), Held: held.String(), Now: now,
	})
	if err == nil && n != 1 {
		err = ErrFenced
	}
	if err != nil {
		return fmt.Errorf("record what account %s holds: %w", account, err)
	}
	return nil
}
