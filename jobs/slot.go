package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// follow takes a slot as far as it goes now.
func (m *move) follow(ctx context.Context, slot store.Slot) error {
	if slot.State != store.SlotSent {
		return m.send(ctx, slot)
	}
	outcome, err := m.mover.Outcome(ctx, m.slot(slot.Nonce), slot.Call, slot.Signed, slot.Movements)
	if err != nil {
		return err
	}
	switch outcome.Fate {
	case settlement.SlotFinal:
		return m.finish(ctx, slot, outcome)
	case settlement.SlotForeign:
		switch {
		case m.signer.Stopped != "":
			return nil
		case slot.Nonce < m.signer.LookedBelow: // a person knows what has used it, and that it was nothing of this slot
			return m.drop(ctx, slot, errors.New("its nonce was used by a transaction that is none of ours"))
		}
		return m.stop(ctx, fmt.Sprintf("nonce %d was used by a transaction that is none of ours", slot.Nonce))
	case settlement.SlotExpired:
		return m.send(ctx, slot)
	case settlement.SlotWaiting:
		if m.r.now().Sub(slot.UpdatedAt) < m.bumpAfter {
			return nil
		}
		if last := slot.Signed[len(slot.Signed)-1]; last.LastHeight > 0 { // of one that expires no second one may be alive
			return m.broadcast(ctx, slot)
		}
		return m.send(ctx, slot)
	}
	return nil
}

// send brings the slot's transaction to the chain: signs the first one, or a dearer one where the last has waited too
// long, stores it, and sends what was signed last. Halted or stopped, it does nothing.
func (m *move) send(ctx context.Context, slot store.Slot) error {
	if still, err := m.still(ctx, m.r.cfg.Pool); err != nil || still != "" {
		return err
	}
	name := m.slot(slot.Nonce)
	if slot.State != store.SlotSigned {
		var last *settlement.Fees
		if n := len(slot.Signed); n > 0 {
			last = &slot.Signed[n-1].Fees
		}
		call := slot.Call
		if slot.Void != "" {
			call = settlement.Call{Target: m.signer.Address, Gas: gasOfNothing}
		}
		crashPoint("before signature")
		urgent := slot.Nonce < m.urgentBelow || len(slot.Movements) == 0 && m.freezeUrgent || slices.ContainsFunc(slot.Movements, m.near)
		signed, err := m.mover.Sign(ctx, name, call, last, urgent)
		crashPoint("after signature")
		wallets := !m.direct && m.chain.Escrow.Epoch != 0
		switch {
		// Here nothing of a wallet's slot is alive: it is signed for the first time, or all that was signed for it has expired.
		case wallets && (errors.Is(err, settlement.ErrNotSigned) || errors.Is(err, settlement.ErrNotHeld) && len(slot.Movements) > 0 && !m.patient(slot.Movements[0].Payment)):
			return m.drop(ctx, slot, err)
		case err != nil && last != nil && !wallets: // what was sent may still be carried out: it is sent again as it is
			m.r.cfg.Logger.ErrorContext(ctx, "fees not raised", "chain", string(m.chain.ID), "nonce", slot.Nonce, "urgent", urgent, "err", err)
		case errors.Is(err, settlement.ErrNotSigned) && slot.Void == "": // nothing of it was ever signed, and later nonces wait for this one
			m.r.cfg.Logger.ErrorContext(ctx, "nonce void", "chain", string(m.chain.ID), "nonce", slot.Nonce, "err", err)
			slot.Void = plainText(err.Error())
			err = m.commit(ctx, "void nonce", func(tx pgx.Tx, _ time.Time) error { return store.VoidSlot(ctx, tx, m.chain.ID, name, slot.Void) })
			if err != nil {
				return err
			}
			return m.send(ctx, slot)
		case err != nil:
			return err
		default:
			err = m.commit(ctx, "signed transaction", func(tx pgx.Tx, now time.Time) error {
				if err := store.KeepSigned(ctx, tx, m.chain.ID, name, signed, now); err != nil || slot.State != store.SlotPrepared {
					return err
				}
				return store.MoveSlot(ctx, tx, m.chain.ID, name, store.SlotPrepared, store.SlotSigned, now)
			})
			if err != nil {
				return err
			}
			slot.Signed = append(slot.Signed, signed)
			if slot.State == store.SlotPrepared {
				slot.State = store.SlotSigned
			}
		}
	}
	return m.broadcast(ctx, slot)
}

// broadcast hands what was signed last to the chain. Halted or stopped, it does nothing.
func (m *move) broadcast(ctx context.Context, slot store.Slot) error {
	if still, err := m.still(ctx, m.r.cfg.Pool); err != nil || still != "" {
		return err
	}
	name, latest := m.slot(slot.Nonce), slot.Signed[len(slot.Signed)-1]
	if err := m.r.cfg.HighWater.Raise(m.chain.ID, m.signer.Address, slot.Nonce+1); err != nil {
		return err // sent nevertheless, it would be forgotten with the database
	}
	crashPoint("before broadcast")
	err := m.mover.Send(ctx, latest.Raw)
	crashPoint("after broadcast")
	if err != nil {
		return err
	}
	m.r.cfg.Logger.InfoContext(ctx, "transaction sent", "chain", string(m.chain.ID), "nonce", slot.Nonce, "txid", m.chain.FormatTxID(latest.TxID),
		"movements", len(slot.Movements), "attempt", len(slot.Signed))
	return m.commit(ctx, "sent transaction", func(tx pgx.Tx, now time.Time) error {
		return store.MoveSlot(ctx, tx, m.chain.ID, name, slot.State, store.SlotSent, now)
	})
}

// commit is a transaction that only the process which holds the signer can make.
func (m *move) commit(ctx context.Context, name string, f func(pgx.Tx, time.Time) error) error {
	return m.r.begin(ctx, name, func(tx pgx.Tx) error {
		if err := store.HoldSigner(ctx, tx, m.signer, m.epoch); err != nil {
			return err
		}
		return f(tx, m.r.now())
	})
}

// drop ends a slot of which nothing is alive and nothing will be signed, and for which no later slot waits: vaults are wallets, or
// its nonce is used.
// What it was to move is for a person.
func (m *move) drop(ctx context.Context, slot store.Slot, refusal error) error {
	m.r.cfg.Logger.ErrorContext(ctx, "slot dropped", "chain", string(m.chain.ID), "nonce", slot.Nonce, "err", refusal)
	slot.Void = plainText(refusal.Error())
	return m.finish(ctx, slot, settlement.SlotOutcome{Fate: settlement.SlotFinal, Parts: make([]settlement.PartOutcome, len(slot.Movements))})
}

// finish records what a final transaction did: the movements' states, the ledger, the gas and the payments' events in one
// commit. A member of a batch that was not paid gets a movement of its own. Without a transaction the slot is dropped.
func (m *move) finish(ctx context.Context, slot store.Slot, outcome settlement.SlotOutcome) error {
	if err := m.agreed(ctx, slot, outcome); err != nil {
		return err
	}
	var results []Result
	err := m.r.begin(ctx, "final movements", func(tx pgx.Tx) error {
		now := m.r.now()
		if outcome.TxID == "" {
			// Whoever has taken the signer over since may have signed it.
			if err := store.HoldSigner(ctx, tx, m.signer, m.epoch); err != nil {
				return err
			}
			if err := store.VoidSlot(ctx, tx, m.chain.ID, m.slot(slot.Nonce), slot.Void); err != nil {
				return err
			}
		}
		ids := make([]settlement.PaymentID, len(slot.Movements))
		for i, mv := range slot.Movements {
			ids[i] = mv.Payment
		}
		locked, err := store.LockPayments(ctx, tx, ids)
		if err != nil {
			return err
		}
		due := make(map[settlement.PaymentID]settlement.Payment, len(locked))
		for _, p := range locked {
			due[p.ID] = p
		}
		var paid []store.PaidMovement
		var again []settlement.Movement
		var events []settlement.Event
		ended := slices.Clone(slot.Movements)
		for i := range ended {
			mv, part := &ended[i], outcome.Parts[i]
			if part.Paid {
				mv.State = settlement.MovementFinal
				paid = append(paid, store.PaidMovement{Movement: *mv, Withheld: part.Withheld})
				event := movementEvent(*mv, settlement.EventPaidOut)
				event.TxID = outcome.TxID
				if part.Burnt != "" {
					event.Detail = fmt.Sprintf("%s base units above the price were burnt: the payer's account could not live by them", mv.ToPayer)
				}
				if part.Owed {
					event.Reason, event.Detail = settlement.PayoutOwed, "the token refused a receiver; the vault keeps what is his until he claims it"
				}
				events = append(events, event)
				continue
			}
			reason := settlement.PayoutReverted
			if slot.Void != "" {
				reason, part.Problem = settlement.PayoutVoid, slot.Void
			}
			mv.State, mv.Problem = settlement.MovementReverted, plainText(part.Problem)
			event := movementEvent(*mv, settlement.EventPayoutFailed)
			event.TxID, event.Detail = outcome.TxID, part.Problem
			if len(slot.Movements) > 1 && due[mv.Payment].Wants(mv.Purpose) {
				again = append(again, *mv)
			} else {
				event.Reason = reason
			}
			events = append(events, event)
		}
		if err := store.EndSlot(ctx, tx, m.chain.ID, m.slot(slot.Nonce), outcome, ended, now); err != nil {
			return err
		}
		if err := m.endTokenAccount(ctx, tx, slot, outcome, paid); err != nil {
			return err
		}
		if err := store.PostMovements(ctx, tx, paid, now); err != nil {
			return err
		}
		if outcome.Durable != nil {
			if err := store.SetDurableNonce(ctx, tx, m.chain.ID, m.signer.Address, outcome.Durable); err != nil {
				return err
			}
		}
		if outcome.TxID != "" {
			if err := store.PostGas(ctx, tx, m.chain.ID, m.slot(slot.Nonce), outcome, now); err != nil {
				return err
			}
		}
		if err := goSingly(ctx, tx, again, due, now); err != nil {
			return err
		}
		results, err = m.r.advance(ctx, tx, events)
		return err
	})
	if err != nil {
		return err
	}
	if outcome.Problem != "" {
		m.r.cfg.Logger.ErrorContext(ctx, "call reverted", "chain", string(m.chain.ID), "nonce", slot.Nonce, "txid", m.chain.FormatTxID(outcome.TxID), "detail", outcome.Problem)
	}
	m.r.logResults(ctx, results)
	return nil
}

// goSingly gives each member of a failed batch a movement of its own.
func goSingly(ctx context.Context, tx pgx.Tx, failed []settlement.Movement, payments map[settlement.PaymentID]settlement.Payment, now time.Time) error {
	if len(failed) == 0 {
		return nil
	}
	ids := make([]settlement.PaymentID, len(failed))
	for i, mv := range failed {
		ids[i] = mv.Payment
	}
	held, err := store.HeldFor(ctx, tx, ids)
	if err != nil {
		return err
	}
	movements := make([]settlement.Movement, len(failed))
	for i, mv := range failed {
		movements[i] = redo(payments[mv.Payment], mv, held[mv.Payment])
		movements[i].Alone = true
	}
	return store.InsertMovements(ctx, tx, movements, now)
}

// redo is the movement as another part, of what is held now.
func redo(p settlement.Payment, mv settlement.Movement, h settlement.Held) settlement.Movement {
	next := settlement.Movement{Payment: p.ID, Part: h.NextPart, Purpose: mv.Purpose, Division: mv.Division}
	switch mv.Purpose {
	case settlement.PayoutRelease:
		next.Division = settlement.Divide(p.Terms.Amount, h.Amount)
	case settlement.PayoutRefund, settlement.PayoutSplit: // what arrived meanwhile is the payer's
		next.Division = settlement.Divide(mv.ToPayee, h.Amount)
	case settlement.PayoutSurplus:
		next.ToPayer = p.Surplus(h)
	}
	return next
}

// agreed lets the chain's verifier confirm the transfers that the mover says were made: one endpoint alone must not make us
// believe that somebody was paid.
func (m *move) agreed(ctx context.Context, slot store.Slot, outcome settlement.SlotOutcome) error {
	for i, mv := range slot.Movements {
		part := outcome.Parts[i]
		if !part.Paid || part.Owed {
			continue
		}
		if err := m.chain.agreed(ctx, outcome.TxID, m.signer.Address, mv, part); err != nil {
			return err
		}
	}
	return nil
}

// agreed returns an error unless the verifier confirms what is said to have arrived of the movement, so that it also agrees with what is said
// not to have.
func (c Chain) agreed(ctx context.Context, txid settlement.TxID, signer settlement.Address, mv settlement.Movement, part settlement.PartOutcome) error {
	legs := []leg{{mv.Vault.Payee, mv.ToPayee, part.Withheld.ToPayee}, {mv.Vault.Payer, mv.ToPayer, part.Withheld.ToPayer}}
	if part.Burnt != "" {
		legs[1] = leg{to: part.Burnt, amount: mv.ToPayer}
	}
	from, token := mv.Vault.Address, mv.Vault.Token
	if d := mv.Direct; d != nil {
		from, token, legs = signer, d.Token, []leg{{d.Receiver, mv.ToPayer, part.Withheld.ToPayer}}
	}
	if !c.plain(token) && !c.tellsFees(token) {
		return nil
	}
	return c.arrived(ctx, txid, from, token, legs...)
}

// leg is what a vault, or a wallet of ours, is said to have paid to one account, and what of it the token kept.
type leg struct {
	to               settlement.Address
	amount, withheld settlement.Amount
}

// errNotMoved means that the verifier sees no such transfer.
var errNotMoved = errors.New("no such transfer")

// movedOut returns an error unless the verifier, with all that the chain's trust demands, confirms each leg; errNotMoved, wrapped, where it
// rejects one.
func (c Chain) movedOut(ctx context.Context, txid settlement.TxID, from, token settlement.Address, legs ...leg) error {
	if !c.plain(token) {
		return nil
	}
	return c.arrived(ctx, txid, from, token, legs...)
}

func (c Chain) arrived(ctx context.Context, txid settlement.TxID, from, token settlement.Address, legs ...leg) error {
	for _, l := range legs {
		if l.amount.IsZero() {
			continue
		}
		want, nothing := l.amount.Sub(l.withheld), false
		if want.IsZero() { // nobody can be paid nothing; that the token kept all of it is a verdict too
			want, nothing = l.amount, true
		}
		verdict, err := c.Verifier.Verify(ctx, settlement.Claim{
			Chain: c.ID, TxID: txid, Payers: []settlement.Address{from},
			Want: settlement.Transfer{Token: token, Payee: l.to, Amount: want},
		})
		switch {
		case err != nil:
			return fmt.Errorf("look at the transfer to %s: %w", c.FormatAddress(l.to), err)
		case nothing && verdict.Code == settlement.AmountMismatch && verdict.Detail == settlement.FeeWithheld:
		case verdict.Outcome() == settlement.Rejected:
			return fmt.Errorf("%s to %s is said to be paid, and the transfer is %s: %w", want, c.FormatAddress(l.to), verdict.Code, errNotMoved)
		case verdict.Outcome() != settlement.Confirmed:
			return fmt.Errorf("%s to %s is said to be paid, and the transfer is %s", want, c.FormatAddress(l.to), verdict.Code)
		}
	}
	return nil
}

// plain reports whether the token moves what it logs.
func (c Chain) plain(token settlement.Address) bool {
	policy, listed := c.policy(token)
	return listed && (policy.Kind == "" || policy.Kind == settlement.Plain)
}

// tellsFees reports whether the token keeps a part of what is sent, and the verifier believes what it says of the rest.
func (c Chain) tellsFees(token settlement.Address) bool {
	policy, listed := c.policy(token)
	return listed && policy.Kind == settlement.Fee && policy.Accepts()
}

func (c Chain) policy(token settlement.Address) (policy settlement.Policy, listed bool) {
	for _, t := range c.Tokens {
		if t.Address == token {
			return t.Policy, true
		}
	}
	return policy, false
}
