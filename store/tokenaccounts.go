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

// TokenAccountState says how far the token account of an order's wallet has come, which we make at our cost.
type TokenAccountState string

// States of such token accounts.
const (
	TokenAccountAsked    TokenAccountState = "asked"
	TokenAccountRefused  TokenAccountState = "refused" // nothing was spent; it may be asked for again
	TokenAccountCreating TokenAccountState = "creating"
	TokenAccountFailed   TokenAccountState = "failed" // the transaction was carried out and made none
	TokenAccountOpen     TokenAccountState = "open"
	TokenAccountClosing  TokenAccountState = "closing"
	TokenAccountClosed   TokenAccountState = "closed"
)

// TokenAccount is what has become of the one of a wallet.
type TokenAccount struct {
	State   TokenAccountState
	Problem string // of one that is refused or failed, in words
}

// AskTokenAccount asks for the token account of a wallet, once, and reports whether it was asked for now: not where it was before, nor where
// as many of the chain were asked for within the hour as may be.
func AskTokenAccount(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, vault settlement.Address, perHour uint64, now time.Time) (bool, error) {
	q := sqlcgen.New(tx)
	err := q.LockTokenAccounts(ctx, string(chain))
	var n int64
	if err == nil {
		n, err = q.AskTokenAccount(ctx, sqlcgen.AskTokenAccountParams{Chain: string(chain), Vault: []byte(vault), PerHour: int64(perHour), Now: now})
	}
	if err != nil {
		return false, fmt.Errorf("ask for a token account of vault %s: %w", vault, err)
	}
	return n == 1, nil
}

// ReadTokenAccount returns ErrNotFound for one that was never asked for.
func ReadTokenAccount(ctx context.Context, db DB, chain settlement.ChainID, vault settlement.Address) (TokenAccount, error) {
	r, err := sqlcgen.New(db).TokenAccount(ctx, sqlcgen.TokenAccountParams{Chain: string(chain), Vault: []byte(vault)})
	if errors.Is(err, pgx.ErrNoRows) {
		return TokenAccount{}, ErrNotFound
	}
	if err != nil {
		return TokenAccount{}, fmt.Errorf("read the token account of vault %s: %w", vault, err)
	}
	return TokenAccount{TokenAccountState(r.State), r.Problem}, nil
}

// DueTokenAccount is a wallet whose token account is to be made or closed.
type DueTokenAccount struct {
	Vault settlement.Address
	Opens bool
}

// TokenAccountsDue reads at most limit of those that the signer pays for.
func TokenAccountsDue(ctx context.Context, db DB, chain settlement.ChainID, signer settlement.Address, now time.Time, limit int) ([]DueTokenAccount, error) {
	rows, err := sqlcgen.New(db).TokenAccountsDue(ctx, sqlcgen.TokenAccountsDueParams{Chain: string(chain), Signer: []byte(signer), Now: now, RowLimit: int32(limit)})
	if err != nil {
		return nil, fmt.Errorf("read due token accounts of %s: %w", chain, err)
	}
	due := make([]DueTokenAccount, len(rows))
	for i, r := range rows {
		due[i] = DueTokenAccount{settlement.Address(r.Vault), r.Opens}
	}
	return due, nil
}

// TokenAccountMove is a step of a token account.
type TokenAccountMove struct {
	From, To TokenAccountState
	Problem  string
	Nonce    *uint64   // of the slot that makes or closes it from now on
	DueAt    time.Time // when to look again
}

// MoveTokenAccount reports whether the token account was where the step begins.
func MoveTokenAccount(ctx context.Context, db DB, chain settlement.ChainID, vault settlement.Address, m TokenAccountMove, now time.Time) (bool, error) {
	p := sqlcgen.MoveTokenAccountParams{
		Chain: string(chain), Vault: []byte(vault), OldState: string(m.From), State: string(m.To), Problem: m.Problem, DueAt: m.DueAt, Now: now,
	}
	if m.Nonce != nil {
		p.Nonce = new(int64)
		*p.Nonce = int64(*m.Nonce)
	}
	n, err := sqlcgen.New(db).MoveTokenAccount(ctx, p)
	if err != nil {
		return false, fmt.Errorf("move the token account of vault %s from %s to %s: %w", vault, m.From, m.To, err)
	}
	return n == 1, nil
}

// TokenAccountOfSlot is the vault whose token account the slot makes or closes; ErrNotFound when it does neither.
func TokenAccountOfSlot(ctx context.Context, db DB, chain settlement.ChainID, slot settlement.Slot) (settlement.Address, TokenAccountState, error) {
	r, err := sqlcgen.New(db).TokenAccountOfSlot(ctx, sqlcgen.TokenAccountOfSlotParams{Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce)})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", "", ErrNotFound
	}
	if err != nil {
		return "", "", fmt.Errorf("read the token account of nonce %d: %w", slot.Nonce, err)
	}
	return settlement.Address(r.Vault), TokenAccountState(r.State), nil
}

// CloseTokenAccounts notes that payouts have closed the wallets' token accounts, where we had made them.
func CloseTokenAccounts(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, vaults []settlement.Address, now time.Time) error {
	if len(vaults) == 0 {
		return nil
	}
	p := sqlcgen.CloseTokenAccountsParams{Chain: string(chain), Now: now}
	for _, v := range vaults {
		p.Vaults = append(p.Vaults, []byte(v))
	}
	if err := sqlcgen.New(tx).CloseTokenAccounts(ctx, p); err != nil {
		return fmt.Errorf("note %d closed token accounts: %w", len(vaults), err)
	}
	return nil
}

// TokenAccounts counts those that we were asked to make, by chain and state.
func TokenAccounts(ctx context.Context, db DB) (map[settlement.ChainID]map[TokenAccountState]int64, error) {
	rows, err := sqlcgen.New(db).CountTokenAccounts(ctx)
	if err != nil {
		return nil, fmt.Errorf("count token accounts: %w", err)
	}
	counts := make(map[settlement.ChainID]map[TokenAccountState]int64)
	for _, r := range rows {
		chain := settlement.ChainID(r.Chain)
		if counts[chain] == nil {
			counts[chain] = make(map[TokenAccountState]int64)
		}
		counts[chain][TokenAccountState(r.State)] = r.Accounts
	}
	return counts, nil
}
