package jobs

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// Halt has somebody stop the moving of money: on one chain, or on all with store.Everywhere. Each process reads it again before
// it reserves a nonce, signs or sends. A later reason replaces the earlier. It returns ErrRevoked, wrapped.
func (r *Runner) Halt(ctx context.Context, by By, scope, reason string) error {
	err := r.begin(ctx, "halt", func(tx pgx.Tx) error {
		if err := by.lock(ctx, tx); err != nil {
			return err
		}
		if err := store.SetHalt(ctx, tx, scope, fmt.Sprintf("%s: %s", plainText(by.Name), plainText(reason)), r.now()); err != nil {
			return err
		}
		return store.InsertHaltRecord(ctx, tx, r.haltRecord(by, scope, reason, false))
	})
	if err != nil {
		return fmt.Errorf("halt: %w", err)
	}
	r.cfg.Logger.WarnContext(ctx, "halted", "chain", scope, "reason", reason, "actor", by.Name)
	return nil
}

// Resume lifts the halt of the scope, and reports whether there was one. Others may still stand. It returns ErrRevoked, wrapped.
func (r *Runner) Resume(ctx context.Context, by By, scope, reason string) (lifted bool, err error) {
	err = r.begin(ctx, "resume", func(tx pgx.Tx) error {
		if err := by.lock(ctx, tx); err != nil {
			return err
		}
		if lifted, err = store.LiftHalt(ctx, tx, scope); err != nil || !lifted {
			return err
		}
		return store.InsertHaltRecord(ctx, tx, r.haltRecord(by, scope, reason, true))
	})
	if err != nil {
		return false, fmt.Errorf("resume: %w", err)
	}
	r.cfg.Logger.WarnContext(ctx, "resumed", "chain", scope, "lifted", lifted, "reason", reason, "actor", by.Name)
	return lifted, nil
}

// RestartSigners lets stopped signers of the chain sign again, all or the one with the address, and returns them as they are then, each with why
// it was stopped. A person has looked at what stopped them. It returns ErrSignerWaits, ErrRevoked and *settlement.LookError, wrapped.
func (r *Runner) RestartSigners(ctx context.Context, by By, chain Chain, address settlement.Address, reason string) ([]store.Signer, error) {
	signers, err := store.Signers(ctx, r.cfg.Pool)
	if err != nil {
		return nil, err
	}
	var restarted []store.Signer
	for _, s := range signers {
		if s.Chain != chain.ID || s.Stopped == "" || address != "" && s.Address != address {
			continue
		}
		record := r.haltRecord(by, string(chain.ID), reason, false)
		record.Signer = s.Address
		s, err := RestartSigner(ctx, r.cfg.Pool, s, chain.Nonces, record, by.lock)
		if err != nil {
			return restarted, err
		}
		r.cfg.Logger.WarnContext(ctx, "signer restarted", "chain", string(chain.ID), "signer", chain.FormatAddress(s.Address), "reason", reason, "actor", by.Name)
		restarted = append(restarted, s)
	}
	return restarted, nil
}

// ErrSignerWaits means that transactions of a signer which the books do not know wait for a block: they may still move money.
var ErrSignerWaits = errors.New("its transactions wait for a block and are not in our books")

// Standing is how far the chain has come with an account: how many of its transactions are in blocks, and how many there are with those that
// wait. Or, where its slots stand on one, what its durable nonce is worth at the final block.
type Standing struct {
	Mined, Known uint64
	Durable      []byte
}

// Nonces tells how an account stands.
type Nonces func(ctx context.Context, of settlement.Address) (Standing, error)

// DurableNonces are those of the mover's signer, whose slots stand on a durable nonce.
func DurableNonces(mover Mover) Nonces {
	return func(ctx context.Context, of settlement.Address) (Standing, error) {
		if of != mover.Signer() {
			return Standing{}, fmt.Errorf("%s has no durable nonce of ours", of)
		}
		now, err := mover.Prepare(ctx, nil)
		return Standing{Durable: now.Durable}, err
	}
}

// RestartSigner lets a stopped signer sign again from the nonce that the chain has come to, on record, and returns it as it is then, with why it
// was stopped. allow, if given, has the last word in the same commit. It returns ErrSignerWaits and *settlement.LookError, wrapped.
func RestartSigner(ctx context.Context, pool *pgxpool.Pool, s store.Signer, nonces Nonces, record store.HaltRecord, allow func(context.Context, pgx.Tx) error) (store.Signer, error) {
	if nonces == nil {
		return s, fmt.Errorf("signers of %s have no nonces", s.Chain)
	}
	now, err := nonces(ctx, s.Address)
	if err != nil {
		return s, err
	}
	if now.Known > now.Mined && now.Known > s.NextNonce {
		return s, fmt.Errorf("%d of signer %s: %w", now.Known-max(now.Mined, s.NextNonce), s.Address, ErrSignerWaits)
	}
	if now.Durable != nil {
		now.Mined = s.NextNonce // the slots before stood on values that are used up
	}
	err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		if allow != nil {
			if err := allow(ctx, tx); err != nil {
				return err
			}
		}
		if now.Durable != nil {
			if err := store.SetDurableNonce(ctx, tx, s.Chain, s.Address, now.Durable); err != nil {
				return err
			}
		}
		if err := store.RestartSigner(ctx, tx, s.Chain, s.Address, now.Mined, record.At); err != nil {
			return err
		}
		return store.InsertHaltRecord(ctx, tx, record)
	})
	s.NextNonce = max(now.Mined, s.NextNonce)
	return s, err
}

func (r *Runner) haltRecord(by By, scope, reason string, resume bool) store.HaltRecord {
	return store.HaltRecord{
		Scope: scope, Resume: resume, Reason: plainText(reason), Actor: by.Actor, Name: plainText(by.Name), Origin: by.Origin, At: r.now(),
	}
}
