package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// TokenAccounts is how token accounts of orders' wallets are made at our cost, for payers whose wallets make none. They are closed once
// their order has ended, unless a payout has done so.
type TokenAccounts struct {
	// PerHour is how many may be asked for in an hour; 0: payers are not offered any.
	PerHour uint64
	// Call is what makes the vault's token account or closes it, by its operator. The error is settlement.ErrNotSigned where it cannot be
	// done as things are.
	Call func(ctx context.Context, v settlement.Vault, closes bool) (settlement.Call, error)
}

// Why no token account is asked for.
var (
	ErrNoTokenAccount = errors.New("no token account is made for this payment")
	ErrTokenAccounts  = errors.New("as many token accounts were asked for as may be within an hour")
)

const (
	// accountPatience is how long a token account that could not be closed is left alone.
	accountPatience = 10 * time.Minute
	// maxAccounts is how many token accounts are closed in one step.
	maxAccounts = 2
)

// tokenAccounts is how those of the payment's wallet are made; nil where payers are not offered any.
func (r *Runner) tokenAccounts(p settlement.Payment) *TokenAccounts {
	e := r.chains[p.Terms.Token.Chain].Escrow
	if e == nil || e.TokenAccounts == nil || e.TokenAccounts.PerHour == 0 || p.Terms.Custody != settlement.CustodyVault || p.Terms.Token.Address == "" {
		return nil
	}
	return e.TokenAccounts
}

// OffersTokenAccount reports whether the payer may ask for a token account of the payment's wallet now.
func (r *Runner) OffersTokenAccount(p settlement.Payment) bool {
	return r.tokenAccounts(p) != nil && p.State == settlement.StateAwaitingPayment && r.now().Before(p.Terms.Deadline)
}

// AskTokenAccount asks for the token account of the payment's wallet, and tells what has become of it: asked again it changes nothing. It
// returns ErrNoTokenAccount and ErrTokenAccounts.
func (r *Runner) AskTokenAccount(ctx context.Context, p settlement.Payment) (store.TokenAccount, error) {
	if !r.OffersTokenAccount(p) {
		return store.TokenAccount{}, ErrNoTokenAccount
	}
	chain, vault := p.Terms.Token.Chain, p.Terms.Payee
	err := r.begin(ctx, "token account asked for", func(tx pgx.Tx) error {
		_, err := store.AskTokenAccount(ctx, tx, chain, vault, r.tokenAccounts(p).PerHour, r.now())
		return err
	})
	if err != nil {
		return store.TokenAccount{}, err
	}
	there, err := store.ReadTokenAccount(ctx, r.cfg.Pool, chain, vault)
	if errors.Is(err, store.ErrNotFound) || err == nil && there.State == store.TokenAccountRefused {
		err = ErrTokenAccounts
	}
	return there, err
}

// accounts are the token accounts that the signer is to make or close.
func (m *move) accounts(ctx context.Context) ([]store.DueTokenAccount, error) {
	if m.direct || m.chain.Escrow.TokenAccounts == nil {
		return nil, nil
	}
	return store.TokenAccountsDue(ctx, m.r.cfg.Pool, m.chain.ID, m.signer.Address, m.r.now(), maxAccounts)
}

// tokenAccount begins the making or the closing of a token account in a slot without movements. What cannot be done as things are costs
// nothing: the payer may ask again, and the closing is tried again later.
func (m *move) tokenAccount(ctx context.Context, due store.DueTokenAccount) error {
	pool, now := m.r.cfg.Pool, m.r.now()
	kept, err := store.VaultAt(ctx, pool, m.chain.ID, due.Vault)
	if err != nil {
		return err
	}
	step := store.TokenAccountMove{From: store.TokenAccountOpen, To: store.TokenAccountClosing, DueAt: now}
	if due.Opens {
		step.From, step.To = store.TokenAccountAsked, store.TokenAccountCreating
	}
	call, err := m.chain.Escrow.TokenAccounts.Call(ctx, kept.Vault, !due.Opens)
	if errors.Is(err, settlement.ErrNotSigned) {
		step.Problem, step.To = plainText(err.Error()), store.TokenAccountRefused
		if !due.Opens {
			step.To, step.DueAt = store.TokenAccountOpen, now.Add(accountPatience)
		}
		m.r.cfg.Logger.WarnContext(ctx, "token account refused", "chain", string(m.chain.ID), "vault", m.chain.FormatAddress(due.Vault), "closes", !due.Opens, "detail", step.Problem)
		_, err = store.MoveTokenAccount(ctx, pool, m.chain.ID, due.Vault, step, now)
	}
	if err != nil || step.Problem != "" {
		return err
	}
	signer := m.signer
	err = m.commit(ctx, "token account prepared", func(tx pgx.Tx, now time.Time) error {
		if still, err := m.still(ctx, tx); err != nil || still != "" {
			return errors.Join(err, errMoved)
		}
		if err := store.ReserveSlot(ctx, tx, signer, call, nil, now); err != nil {
			return err
		}
		step.Nonce = &signer.NextNonce
		moved, err := store.MoveTokenAccount(ctx, tx, m.chain.ID, due.Vault, step, now)
		if err == nil && !moved {
			err = errMoved
		}
		return err
	})
	if errors.Is(err, errMoved) {
		return nil
	}
	if err != nil {
		return err
	}
	m.signer.NextNonce++
	return m.follow(ctx, store.Slot{Nonce: signer.NextNonce, Call: call, State: store.SlotPrepared})
}

// endTokenAccount records in the slot's last commit what has become of the token account that it was to make or close, and that payouts
// have closed those of their wallets.
func (m *move) endTokenAccount(ctx context.Context, tx pgx.Tx, slot store.Slot, outcome settlement.SlotOutcome, paid []store.PaidMovement) error {
	now := m.r.now()
	var closed []settlement.Address
	for _, mv := range paid {
		if d := mv.Vault.Derived; d != nil && d.RentOurs {
			closed = append(closed, mv.Vault.Address)
		}
	}
	if err := store.CloseTokenAccounts(ctx, tx, m.chain.ID, closed, now); err != nil || len(slot.Movements) > 0 {
		return err
	}
	vault, was, err := store.TokenAccountOfSlot(ctx, tx, m.chain.ID, m.slot(slot.Nonce))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	step := store.TokenAccountMove{From: was, DueAt: now}
	switch done := len(outcome.Parts) == 1 && outcome.Parts[0].Paid; {
	case was == store.TokenAccountCreating && done:
		step.To = store.TokenAccountOpen
	case was == store.TokenAccountCreating && outcome.TxID == "":
		step.To, step.Problem = store.TokenAccountRefused, slot.Void
	case was == store.TokenAccountCreating:
		step.To, step.Problem = store.TokenAccountFailed, plainText(outcome.Parts[0].Problem)
	case done:
		step.To = store.TokenAccountClosed
	default: // money has come in between: it goes on as that of any wallet
		step.To, step.DueAt = store.TokenAccountOpen, now.Add(accountPatience)
	}
	moved, err := store.MoveTokenAccount(ctx, tx, m.chain.ID, vault, step, now)
	if err == nil && !moved {
		err = fmt.Errorf("the token account of vault %s is not %s any more", m.chain.FormatAddress(vault), was)
	}
	return err
}
