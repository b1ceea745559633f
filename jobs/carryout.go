package jobs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// errMoved means that a payment has changed since its movement was looked at, or that everything was halted; the next step
// looks again.
var errMoved = errors.New("not as it was when it was looked at")

// carryOut begins the movements as one transaction.
func (m *move) carryOut(ctx context.Context, group []settlement.Movement) error {
	ids := make([]settlement.PaymentID, len(group))
	for i, mv := range group {
		ids[i] = mv.Payment
	}
	payments, err := store.Payments(ctx, m.r.cfg.Pool, ids)
	if err != nil {
		return err
	}
	parts := make(map[settlement.PaymentID]settlement.Movement, len(group))
	for _, mv := range group {
		parts[mv.Payment] = mv
	}
	seen, err := m.deposits(ctx, payments, parts)
	if err != nil {
		return err
	}
	versions := make(map[settlement.PaymentID]int64, len(payments))
	for _, p := range payments {
		versions[p.ID] = p.Version
	}
	group = slices.DeleteFunc(slices.Clone(group), func(mv settlement.Movement) bool { return !seen[mv.Payment] })
	if group, err = m.whole(ctx, group); err != nil {
		return err
	}
	if len(group) == 0 {
		return nil
	}
	prepared, err := m.mover.Prepare(ctx, group)
	if err != nil {
		return fmt.Errorf("prepare %d movements: %w", len(group), err)
	}
	if !bytes.Equal(prepared.Durable, m.signer.Durable) { // an endpoint may lag behind the one that saw the last slot end
		if m.patient(group[0].Payment) {
			return nil
		}
		return m.stop(ctx, "its durable nonce was used by a transaction that is none of ours, or our books are older than the chain")
	}
	m.cover(&prepared)
	if prepared.Nonce > m.signer.NextNonce {
		return m.stop(ctx, fmt.Sprintf("the chain has %d transactions of it, and our books end before nonce %d", prepared.Nonce, m.signer.NextNonce))
	}
	if err := m.giveUp(ctx, prepared.Refused); err != nil || len(prepared.Movements) == 0 {
		return err
	}
	signer, now := m.signer, m.r.now()
	var results []Result
	err = m.r.begin(ctx, "movements prepared", func(tx pgx.Tx) error {
		if err := store.HoldSigner(ctx, tx, signer, m.epoch); err != nil {
			return err
		}
		switch still, err := m.still(ctx, tx); {
		case err != nil:
			return err
		case still != "":
			return errMoved
		}
		events := make([]settlement.Event, len(prepared.Movements))
		for i, mv := range prepared.Movements {
			delete(m.short, mv.Payment)
			events[i] = movementEvent(mv, settlement.EventPayoutPrepared)
			events[i].Version, events[i].Detail = versions[mv.Payment], fmt.Sprintf("%s as part %d by nonce %d", mv.Purpose, mv.Part, signer.NextNonce)
		}
		var err error
		if results, err = m.r.advance(ctx, tx, events); err != nil {
			return err
		}
		for _, res := range results {
			if res.Err != nil { // the calldata is for all of them: nothing of this is kept
				return fmt.Errorf("%w: %w", errMoved, res.Err)
			}
		}
		return store.ReserveSlot(ctx, tx, signer, prepared.Call, prepared.Movements, now)
	})
	if errors.Is(err, errMoved) {
		return nil
	}
	if err != nil {
		return err
	}
	m.r.logResults(ctx, results)
	m.signer.NextNonce++
	m.leaves(prepared.Movements)
	return m.follow(ctx, store.Slot{Nonce: signer.NextNonce, Call: prepared.Call, State: store.SlotPrepared, Movements: prepared.Movements})
}

// deposits looks again at the transfers that paid, and tells those payments whose deposit is still there and final. One
// whose deposit is gone is given up.
func (m *move) deposits(ctx context.Context, payments []settlement.Payment, movements map[settlement.PaymentID]settlement.Movement) (map[settlement.PaymentID]bool, error) {
	ids := make([]settlement.PaymentID, len(payments))
	for i, p := range payments {
		ids[i] = p.ID
	}
	transfers, err := store.TransfersOf(ctx, m.r.cfg.Pool, ids)
	if err != nil {
		return nil, err
	}
	there := make(map[settlement.PaymentID]bool, len(payments))
	var gone []settlement.RefusedMovement
	for _, p := range payments {
		there[p.ID] = true
		for _, claim := range m.depositsOf(p, transfers) {
			verdict, err := m.chain.Verifier.Verify(ctx, claim)
			if err != nil {
				return nil, fmt.Errorf("look at the deposit of payment %s: %w", p.ID, err)
			}
			if verdict.Outcome() == settlement.Confirmed {
				continue
			}
			if verdict.Outcome() == settlement.Rejected && there[p.ID] {
				gone = append(gone, settlement.RefusedMovement{
					Movement: movements[p.ID], Reason: settlement.DepositNotFound,
					Detail: fmt.Sprintf("the deposit %s is now %s", m.chain.FormatTxID(claim.TxID), verdict.Code),
				})
			}
			there[p.ID] = false
		}
	}
	return there, m.giveUp(ctx, gone)
}

// depositsOf are the claims that what is moved is there. Of a direct payment they are about all transfers that count; of one into a
// vault, about the one that settled it. What is refunded of a vault may have been paid in any way: then its balance decides.
func (m *move) depositsOf(p settlement.Payment, transfers []store.SeenTransfer) []settlement.Claim {
	var claims []settlement.Claim
	if m.direct {
		for _, t := range transfers {
			if seen := t.Sighting.Transfer; t.Payment == p.ID && t.Consumed {
				claims = append(claims, settlement.Claim{
					Chain: t.Chain, TxID: t.Sighting.TxID, Payers: []settlement.Address{seen.Payer},
					Want: settlement.Transfer{Token: seen.Token, Payee: seen.Payee, Amount: seen.Amount},
				})
			}
		}
		return claims
	}
	if p.PaidBy == "" {
		return nil
	}
	claim := p.Terms.Claim(p.PaidBy)
	claim.NotBefore, claim.NotAfter, claim.NotBeforeBlock = time.Time{}, time.Time{}, 0
	for _, t := range transfers {
		if t.Payment == p.ID && t.Sighting.TxID == p.PaidBy && t.Status == store.TransferFinal {
			claim.Want.Amount = t.Sighting.Transfer.Amount
		}
	}
	return append(claims, claim)
}

// leaves adds what the movements take out of the wallet to what is on its way.
func (m *move) leaves(movements []settlement.Movement) {
	for _, mv := range movements {
		if mv.Direct != nil {
			m.underway[mv.Direct.Token] = m.underway[mv.Direct.Token].Add(mv.ToPayer)
		}
	}
}

// cover turns away a refund that the wallet has too little for when all that is on its way has left it.
func (m *move) cover(prepared *settlement.Prepared) {
	if !m.direct || len(prepared.Movements) == 0 {
		return
	}
	mv := prepared.Movements[0]
	if leaving := m.underway[mv.Direct.Token]; prepared.Available.Cmp(leaving.Add(mv.ToPayer)) < 0 {
		prepared.Movements = nil
		prepared.Refused = append(prepared.Refused, settlement.RefusedMovement{
			Movement: mv, Reason: settlement.WalletShort,
			Detail: fmt.Sprintf("the wallet has %s base units, %s of them are on their way, and %s are to be given back", prepared.Available, leaving, mv.ToPayer),
		})
	}
}

// whole leaves only movements of all that is held, where vaults are wallets: one is emptied and closed by the transaction that
// pays it out, so that a copy of it finds nothing. A movement beside which more has arrived is decided anew.
func (m *move) whole(ctx context.Context, group []settlement.Movement) ([]settlement.Movement, error) {
	if m.direct || m.chain.Escrow.Epoch == 0 || len(group) == 0 {
		return group, nil
	}
	ids := make([]settlement.PaymentID, len(group))
	for i, mv := range group {
		ids[i] = mv.Payment
	}
	held, err := store.HeldFor(ctx, m.r.cfg.Pool, ids)
	if err != nil {
		return nil, err
	}
	isWhole := func(mv settlement.Movement) bool { return mv.ToPayee.Add(mv.ToPayer) == held[mv.Payment].Amount }
	whole := slices.DeleteFunc(slices.Clone(group), func(mv settlement.Movement) bool { return !isWhole(mv) })
	less := slices.DeleteFunc(slices.Clone(group), isWhole)
	if len(less) == 0 {
		return whole, nil
	}
	return whole, m.r.begin(ctx, "movements decided anew", func(tx pgx.Tx) error {
		var ids []settlement.PaymentID
		var void []store.Asked
		was := make(map[settlement.PaymentID]settlement.Movement)
		for _, mv := range less {
			ids, void = append(ids, mv.Payment), append(void, store.Asked{Payment: mv.Payment, Problem: "more has arrived since"})
			was[mv.Payment] = mv
		}
		locked, err := store.LockPayments(ctx, tx, ids)
		if err != nil {
			return err
		}
		if held, err = store.HeldFor(ctx, tx, ids); err != nil {
			return err
		}
		if err := store.CancelMovements(ctx, tx, void, m.r.now()); err != nil {
			return err
		}
		var anew []settlement.Movement
		for _, p := range locked {
			if p.Wants(was[p.ID].Purpose) {
				anew = append(anew, redo(p, was[p.ID], held[p.ID]))
			}
		}
		return store.InsertMovements(ctx, tx, anew, m.r.now())
	})
}

// giveUp puts payments whose movement cannot be carried out before a person.
func (m *move) giveUp(ctx context.Context, refused []settlement.RefusedMovement) error {
	var events []settlement.Event
	for _, f := range refused {
		id := f.Movement.Payment
		if f.Reason == settlement.WalletShort { // the refund is decided: it waits until the wallet has more, and money moves by nobody's guess
			m.short[id] = m.r.now()
			m.r.cfg.Logger.ErrorContext(ctx, "refund waits for money", "chain", string(m.chain.ID), "payment_id", id.String(), "detail", f.Detail)
			continue
		}
		if (f.Reason == settlement.VaultShort || f.Reason == settlement.VaultUnreadable || f.Reason == settlement.VaultFrozen) && m.patient(id) {
			continue
		}
		delete(m.short, id)
		event := movementEvent(f.Movement, settlement.EventPayoutFailed)
		event.Reason, event.Detail = f.Reason, f.Detail
		events = append(events, event)
	}
	_, err := m.r.Advance(ctx, events...)
	return err
}

// patient reports whether what seems to be the matter with the payment's vault may still prove wrong.
func (m *move) patient(id settlement.PaymentID) bool {
	since, ok := m.short[id]
	if !ok {
		m.short[id] = m.r.now()
	}
	return !ok || m.r.now().Sub(since) < shortPatience
}

// movementEvent is what has become of the movement: an event of a payout, or its like of a return.
func movementEvent(mv settlement.Movement, kind settlement.EventKind) settlement.Event {
	if mv.Purpose.Returns() {
		kind = map[settlement.EventKind]settlement.EventKind{
			settlement.EventPayoutPrepared: settlement.EventReturnPrepared, settlement.EventPaidOut: settlement.EventReturned,
			settlement.EventPayoutFailed: settlement.EventReturnFailed,
		}[kind]
	}
	return settlement.Event{ID: fmt.Sprintf("%s/%d", kind, mv.Part), Payment: mv.Payment, Kind: kind}
}
