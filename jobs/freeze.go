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

// freezes are the calls that freeze vaults of disputed payments, where the signer is the arbiter. Each is made once; one that has done
// nothing again later, as long as the vault can be frozen.
func (m *move) freezes(ctx context.Context) ([]settlement.Call, error) {
	if m.chain.Escrow == nil || m.chain.Escrow.ArbiterMover == nil || m.signer.Address != m.chain.Escrow.Arbiter {
		return nil, nil
	}
	vaults, err := store.VaultsToFreeze(ctx, m.r.cfg.Pool, m.chain.ID, m.signer.Address, m.r.now(), maxSlots)
	if err != nil {
		return nil, err
	}
	m.freezeUrgent = false
	var calls []settlement.Call
	for _, address := range vaults {
		kept, err := store.VaultAt(ctx, m.r.cfg.Pool, m.chain.ID, address)
		if err != nil {
			return nil, err
		}
		m.freezeUrgent = m.freezeUrgent || m.isNear(kept.Vault.ReclaimAt)
		call, err := m.chain.Escrow.FreezeCall(kept.Vault)
		if err != nil {
			return nil, err
		}
		slots, err := store.SlotsOfCall(ctx, m.r.cfg.Pool, m.chain.ID, m.signer.Address, call)
		if err != nil {
			return nil, err
		}
		now := m.r.now()
		early := slots.Failed > 0 && now.Sub(slots.ChangedAt) < freezePatience<<min(slots.Failed-1, 6)
		if !slots.Made && !early && now.Sub(m.refused[string(call.Data)]) >= shortPatience {
			calls = append(calls, call)
		}
	}
	return calls, nil
}

// notBeingFrozen leaves out movements whose vault is about to be frozen. Once it is, the operator's payment would fail there, and until
// it is seen the arbiter has nothing to divide; then they are the arbiter's.
func (m *move) notBeingFrozen(ctx context.Context, waiting []settlement.Movement) ([]settlement.Movement, error) {
	e := m.chain.Escrow
	if m.direct || e.ArbiterMover == nil || len(waiting) == 0 || m.signer.Address == e.Arbiter {
		return waiting, nil
	}
	slots, err := store.OpenSlots(ctx, m.r.cfg.Pool, m.chain.ID, e.Arbiter)
	if err != nil || len(slots) == 0 {
		return waiting, err
	}
	underWay := make(map[string]bool, len(slots)) // calldata → true
	for _, s := range slots {
		underWay[string(s.Call.Data)] = true
	}
	return slices.DeleteFunc(waiting, func(w settlement.Movement) bool {
		call, err := e.FreezeCall(w.Vault)
		return err == nil && underWay[string(call.Data)] // what cannot be frozen is not being frozen
	}), nil
}

// freeze begins the call in a slot without movements: it moves nothing. That the vault is frozen is told by the vault itself. What the
// contract would refuse now gets no nonce.
func (m *move) freeze(ctx context.Context, call settlement.Call) error {
	refusal, err := m.chain.Escrow.Try(ctx, m.signer.Address, call)
	if err != nil {
		return err
	}
	if refusal != "" {
		m.refused[string(call.Data)] = m.r.now()
		return errors.New(refusal)
	}
	delete(m.refused, string(call.Data))
	first, err := m.mover.Prepare(ctx, nil)
	if err != nil {
		return err
	}
	if first.Nonce > m.signer.NextNonce {
		return m.stop(ctx, fmt.Sprintf("the chain has %d transactions of it, and our books end before nonce %d", first.Nonce, m.signer.NextNonce))
	}
	signer := m.signer
	err = m.commit(ctx, "freeze prepared", func(tx pgx.Tx, now time.Time) error {
		if still, err := m.still(ctx, tx); err != nil || still != "" {
			return errors.Join(err, errMoved)
		}
		return store.ReserveSlot(ctx, tx, signer, call, nil, now)
	})
	if err != nil {
		return err
	}
	m.signer.NextNonce++
	return m.follow(ctx, store.Slot{Nonce: signer.NextNonce, Call: call, State: store.SlotPrepared})
}
