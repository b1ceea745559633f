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

// Signer is a key's lane of nonces on one chain.
type Signer struct {
	Chain     settlement.ChainID
	Address   settlement.Address
	NextNonce uint64
	Stopped   string // why it signs nothing any more; empty while it does
	// LookedBelow: nonces below were used when a person last let it sign again.
	LookedBelow uint64
	// Durable is the value of its durable nonce after the last slot that ended, where slots stand on one.
	Durable []byte
}

// ReadSigner returns ErrNotFound for one that has never signed.
func ReadSigner(ctx context.Context, db DB, chain settlement.ChainID, address settlement.Address) (Signer, error) {
	r, err := sqlcgen.New(db).Signer(ctx, sqlcgen.SignerParams{Chain: string(chain), Address: []byte(address)})
	if errors.Is(err, pgx.ErrNoRows) {
		return Signer{}, ErrNotFound
	}
	if err != nil {
		return Signer{}, fmt.Errorf("read signer %s of %s: %w", address, chain, err)
	}
	return Signer{Chain: chain, Address: address, NextNonce: uint64(r.NextNonce), Stopped: r.Stopped, LookedBelow: uint64(r.LookedBelow), Durable: r.DurableNonce}, nil
}

// Signers reads every signer that has ever signed.
func Signers(ctx context.Context, db DB) ([]Signer, error) {
	rows, err := sqlcgen.New(db).Signers(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signers: %w", err)
	}
	signers := make([]Signer, len(rows))
	for i, r := range rows {
		signers[i] = Signer{Chain: settlement.ChainID(r.Chain), Address: settlement.Address(r.Address), NextNonce: uint64(r.NextNonce), Stopped: r.Stopped}
	}
	return signers, nil
}

// StartSigner records a signer whose next nonce was read from the chain; one that is known keeps its own.
func StartSigner(ctx context.Context, tx pgx.Tx, s Signer, now time.Time) error {
	err := sqlcgen.New(tx).InsertSigner(ctx, sqlcgen.InsertSignerParams{
		Chain: string(s.Chain), Address: []byte(s.Address), NextNonce: int64(s.NextNonce), DurableNonce: s.Durable, Now: now,
	})
	if err != nil {
		return fmt.Errorf("record signer %s of %s: %w", s.Address, s.Chain, err)
	}
	return nil
}

// TakeSigner makes the caller the only one whose writes for the signer are accepted, until another takes it.
func TakeSigner(ctx context.Context, db DB, s Signer) (epoch int64, err error) {
	epoch, err = sqlcgen.New(db).TakeSigner(ctx, sqlcgen.TakeSignerParams{Chain: string(s.Chain), Address: []byte(s.Address)})
	if err != nil {
		return 0, fmt.Errorf("take over signer %s of %s: %w", s.Address, s.Chain, err)
	}
	return epoch, nil
}

// HoldSigner locks the signer until the transaction ends. It returns ErrFenced when another process has taken it over, or
// when it was stopped.
func HoldSigner(ctx context.Context, tx pgx.Tx, s Signer, epoch int64) error {
	n, err := sqlcgen.New(tx).HoldSigner(ctx, sqlcgen.HoldSignerParams{Chain: string(s.Chain), Address: []byte(s.Address), Epoch: epoch})
	if err != nil {
		return fmt.Errorf("hold signer %s of %s: %w", s.Address, s.Chain, err)
	}
	if n != 1 {
		return fmt.Errorf("signer %s of %s: %w", s.Address, s.Chain, ErrFenced)
	}
	return nil
}

// StopSigner lets the signer sign nothing any more; the first reason stays.
func StopSigner(ctx context.Context, db DB, s Signer, reason string, now time.Time) error {
	_, err := sqlcgen.New(db).StopSigner(ctx, sqlcgen.StopSignerParams{Chain: string(s.Chain), Address: []byte(s.Address), Reason: reason, Now: now})
	if err != nil {
		return fmt.Errorf("stop signer %s of %s: %w", s.Address, s.Chain, err)
	}
	return nil
}

// RestartSigner lets a stopped signer sign again, from the nonce on that the chain gives it next: a person has looked at what
// has used those below. It returns ErrNotFound
// for one that was not stopped.
func RestartSigner(ctx context.Context, db DB, chain settlement.ChainID, address settlement.Address, next uint64, now time.Time) error {
	n, err := sqlcgen.New(db).RestartSigner(ctx, sqlcgen.RestartSignerParams{Chain: string(chain), Address: []byte(address), NextNonce: int64(next), Now: now})
	if err == nil && n != 1 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("restart signer %s of %s: %w", address, chain, err)
	}
	return nil
}

// SetDurableNonce records the value that the signer's durable nonce has after everything that the books, or a person, know of.
func SetDurableNonce(ctx context.Context, db DB, chain settlement.ChainID, signer settlement.Address, value []byte) error {
	err := sqlcgen.New(db).SetDurableNonce(ctx, sqlcgen.SetDurableNonceParams{Chain: string(chain), Address: []byte(signer), DurableNonce: value})
	if err != nil {
		return fmt.Errorf("record the durable nonce of signer %s of %s: %w", signer, chain, err)
	}
	return nil
}
