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

const (
	// vaultSpan is how many blocks are asked at once for what happened at vaults.
	vaultSpan = 500
	// maxTold is how much of it is told in one step: it is rare.
	maxTold = 100
	// resendFor is how long what has left the chain is sent again with each final block; a person has known since it left.
	resendFor = 24 * time.Hour
)

// vaults reads what happened at vaults in the blocks that have become final, whoever caused it, and tells their payments. It
// is one call for all vaults, and none while no vault was ever handed out.
func (w *watch) vaults(ctx context.Context, heads settlement.Heads) error {
	if w.chain.Escrow == nil {
		return nil
	}
	seen, ok, err := store.VaultsSeen(ctx, w.r.cfg.Pool, w.chain.ID)
	if err != nil || !ok {
		return err
	}
	final := min(heads.Final, w.cursor.Number)
	if seen < final {
		if err := w.resend(ctx); err != nil {
			return err
		}
	}
	for seen < final {
		to := min(seen+vaultSpan, final)
		events, err := w.chain.Escrow.Happened(ctx, seen+1, to)
		if err != nil {
			return err
		}
		name := "vault events"
		if len(events) == 0 {
			name = "empty " + name
		}
		err = w.r.begin(ctx, name, func(tx pgx.Tx) error {
			if err := store.SaveVaultEvents(ctx, tx, w.chain.ID, events, w.r.now()); err != nil {
				return err
			}
			return store.MoveVaultsSeen(ctx, tx, w.chain.ID, w.epoch, to)
		})
		if err != nil {
			return err
		}
		seen = to
	}
	untold, err := store.UntoldVaultEvents(ctx, w.r.cfg.Pool, w.chain.ID, maxTold)
	if err != nil {
		return err
	}
	var faults []error
	for _, e := range untold {
		if err := w.tellVault(ctx, e); err != nil {
			faults = append(faults, fmt.Errorf("%s at vault %s by %s: %w", e.Kind, w.chain.FormatAddress(e.Vault), w.chain.FormatTxID(e.TxID), err))
		}
	}
	return errors.Join(faults...)
}

// errUnderWay means that a payment has a movement under way, whose outcome comes first.
var errUnderWay = errors.New("a movement is under way")

// tellVault tells a payment what happened at its vault, once. What was taken out is posted in the same commit.
func (w *watch) tellVault(ctx context.Context, e store.UntoldVaultEvent) error {
	var events []settlement.Event
	unknown := false // a payment of ours that our books do not know
	switch {
	case e.Moved: // the mover has seen it, or will
	case e.Payment == nil:
		w.r.cfg.Logger.WarnContext(ctx, "something happened at a vault without an order", "chain", string(w.chain.ID),
			"vault", w.chain.FormatAddress(e.Vault), "kind", string(e.Kind), "txid", w.chain.FormatTxID(e.TxID))
	default:
		payments, err := store.Payments(ctx, w.r.cfg.Pool, []settlement.PaymentID{*e.Payment})
		if err != nil {
			return err
		}
		if err := w.takenOut(ctx, e); err != nil {
			return err
		}
		events = []settlement.Event{w.vaultEvent(payments[0], e)}
		unknown = e.Kind == settlement.VaultEventPaid && e.Part < settlement.FirstForeignPart
	}
	var results []Result
	err := w.r.begin(ctx, "vault event", func(tx pgx.Tx) (err error) {
		if len(events) > 0 {
			if results, err = w.r.advance(ctx, tx, events); err != nil {
				return err
			}
			if errors.Is(results[0].Err, settlement.ErrNotAccepted) && results[0].Payment.Moving() {
				return errUnderWay
			}
			if err := store.PostVaultEvent(ctx, tx, w.chain.ID, e, w.r.now()); err != nil {
				return err
			}
		}
		if unknown {
			reason := fmt.Sprintf("vault %s has paid part %d by %s, which our books do not know: they are older than the chain, or somebody else has the key",
				w.chain.FormatAddress(e.Vault), e.Part, w.chain.FormatTxID(e.TxID))
			if err := store.SetHalt(ctx, tx, string(w.chain.ID), reason, w.r.now()); err != nil {
				return err
			}
			w.r.cfg.Logger.ErrorContext(ctx, "halted", "chain", string(w.chain.ID), "reason", reason)
		}
		return store.TellVaultEvent(ctx, tx, w.chain.ID, e, w.r.now())
	})
	if errors.Is(err, errUnderWay) {
		return nil
	}
	if err == nil {
		w.r.logResults(ctx, results)
	}
	return err
}

// vaultEvent is what the payment is told.
func (w *watch) vaultEvent(p settlement.Payment, e store.UntoldVaultEvent) settlement.Event {
	by := w.chain.FormatTxID(e.TxID)
	event := settlement.Event{Payment: p.ID, TxID: e.TxID}
	switch e.Kind {
	case settlement.VaultEventReclaimed:
		event.Kind, event.Reason = settlement.EventVaultReclaimed, settlement.VaultReclaimed
		event.Detail = fmt.Sprintf("the payer took %s base units back to %s by %s; the orchestrator's payment was %q", e.ToPayer, w.chain.FormatAddress(e.Receiver), by, p.Platform)
	case settlement.VaultEventFrozen:
		event.Kind, event.Detail = settlement.EventVaultFrozen, fmt.Sprintf("frozen by %s: the arbiter decides", by)
	default:
		event.Kind, event.Reason = settlement.EventVaultDivided, settlement.VaultDivided
		event.Detail = fmt.Sprintf("%s gave %s base units to the payee and %s to the payer (part %d), not by a movement of ours; the orchestrator's payment was %q",
			by, e.ToPayee, e.ToPayer, e.Part, p.Platform)
		known := settlement.Code("") // by the payer's signature: what a release would do
		if e.Part < settlement.FirstForeignPart {
			known = settlement.VaultPartUsed
		}
		switch {
		case e.Owed:
			event.Reason = settlement.PayoutOwed
		case e.ToPayee == p.Terms.Amount:
			event.Reason = known
		case e.ToPayee.IsZero() && known != "":
			event.Kind, event.Reason = settlement.EventVaultReclaimed, known
		}
	}
	event.ID = fmt.Sprintf("%s/%s/%d", event.Kind, e.TxID, e.Ordinal)
	return event
}

// takenOut lets the chain's verifier confirm what is said to have been taken out of the vault: one endpoint alone must not
// make us believe it.
func (w *watch) takenOut(ctx context.Context, e store.UntoldVaultEvent) error {
	vault, err := store.VaultAt(ctx, w.r.cfg.Pool, w.chain.ID, e.Vault)
	if err != nil {
		return err
	}
	if e.Owed || e.Kind == settlement.VaultEventFrozen {
		return nil
	}
	payer := vault.Vault.Payer
	if e.Kind == settlement.VaultEventReclaimed {
		payer = e.Receiver
	}
	return w.chain.movedOut(ctx, e.TxID, vault.Vault.Address, vault.Vault.Token, leg{to: vault.Vault.Payee, amount: e.ToPayee}, leg{to: payer, amount: e.ToPayer})
}

// broken are the events for what had moved money on and has left the chain after it was final.
func (w *watch) broken(lost []store.LostVaultEvent) []settlement.Event {
	var events []settlement.Event
	for _, l := range lost {
		if l.Payment == nil || l.Kind == settlement.VaultEventFrozen {
			continue
		}
		events = append(events, settlement.Event{
			ID: fmt.Sprintf("payout_broken/%s/%d", l.TxID, w.r.now().UnixMicro()), Payment: *l.Payment, Kind: settlement.EventPayoutBroken, TxID: l.TxID,
			Reason: settlement.PayoutBroken,
			Detail: fmt.Sprintf("%s moved the money in block %d, which counted as final and has left the chain; the orchestrator was told that it moved", w.chain.FormatTxID(l.TxID), l.Block),
		})
	}
	return events
}

// resend hands to the chain again what has left it: the same bytes can be carried out once at most.
func (w *watch) resend(ctx context.Context) error {
	raws, err := store.GoneTransactions(ctx, w.r.cfg.Pool, w.chain.ID, w.r.now().Add(-resendFor), maxTold)
	if err != nil || len(raws) == 0 {
		return err
	}
	halts, err := store.Halted(ctx, w.r.cfg.Pool, w.chain.ID)
	if err != nil || len(halts) > 0 {
		return err
	}
	var faults []error
	for _, raw := range raws {
		faults = append(faults, w.chain.Escrow.Mover.Send(ctx, raw))
	}
	if err := errors.Join(faults...); err != nil {
		w.r.cfg.Logger.ErrorContext(ctx, "not sent again", "chain", string(w.chain.ID), "transactions", len(raws), "err", err)
	}
	return nil
}
