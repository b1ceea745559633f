package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

const (
	// maxBatch is how many movements one transaction carries out: the vaults' factory was measured with so many.
	maxBatch = 50
	// maxSlots is how many nonces are under way at once: a node keeps only so many of one account waiting.
	maxSlots = 8
	// gasOfNothing is what a transaction that does nothing may use: 21,000 on most chains, more where data is paid for by gas.
	gasOfNothing = 100_000
	// shortPatience is how long a vault may seem to hold too little, or nothing readable: an endpoint may lag behind the one that
	// saw the deposit. One that is frozen becomes the arbiter's as soon as that is read.
	shortPatience = time.Minute
	// freezePatience is how long a freeze that has failed waits before it is tried again, twice as long after each further one.
	freezePatience = 10 * time.Minute
	// fundPatience is how long a refund that the operator's wallet has too little for waits before the wallet is looked at again.
	fundPatience = 10 * time.Second
)

// lane is one signer's nonces on a chain, and what they are for.
type lane struct {
	mover     Mover
	bumpAfter time.Duration
	batch     int  // how many movements one transaction carries out at most
	slots     int  // how many nonces are under way at once
	direct    bool // the signer is the wallet that refunds of direct payments come from
	rehearsal bool // what is under way is followed, and nothing is begun
	reserves  GasReserves
	balance   func(ctx context.Context, of settlement.Address) (settlement.Amount, error)
}

// lanes are those of the chain's signers.
func (c Chain) lanes() []lane {
	var lanes []lane
	if e := c.Escrow; e != nil {
		for _, mover := range append([]Mover{e.Mover}, e.EarlierMovers...) {
			lanes = append(lanes, lane{mover: mover, bumpAfter: e.BumpAfter, batch: e.Batch, slots: maxSlots, reserves: e.GasReserves, balance: e.Balance})
		}
		if e.ArbiterMover != nil {
			lanes = append(lanes, lane{mover: e.ArbiterMover, bumpAfter: e.BumpAfter, batch: e.Batch, slots: maxSlots})
		}
	}
	if re := c.Refunds; re != nil {
		slots := maxSlots
		if re.Durable {
			slots = 1
		}
		lanes = append(lanes, lane{mover: re.Mover, bumpAfter: re.BumpAfter, batch: 1, slots: slots, direct: true})
	}
	return lanes
}

// move carries out the movements of one chain with its signer's key. Each step is stored before the next one is made:
//
//  1. commit: the payment still asks for it, nonce and calldata are reserved
//  2. sign, outside any transaction
//  3. commit: the signed bytes
//  4. send
//
// A crash between 1 and 3 signs the same calldata at the same nonce again; after 3 the same bytes are sent again. Of all
// transactions of a nonce the chain carries out one at most, and a vault pays a part once.
type move struct {
	lane

	r      *Runner
	chain  Chain
	signer store.Signer
	epoch  int64 // 0 before the signer was taken over
	// short is payment → since when its vault has seemed to hold too little, or was not to be read; of the wallet, when it was last seen
	// to have too little for the payment's refund.
	short map[settlement.PaymentID]time.Time
	// underway is token → what leaves the wallet by transactions of which none is final.
	underway map[settlement.Address]settlement.Amount
	said     string // why nothing is moved, when it was last logged
	kept     string // for whom the balance is kept, when that was last logged
	// freezeUrgent: the deadline of a vault that is to be frozen is near. Nonces below urgentBelow are urgent: they come before one whose
	// vault's deadline is near, or are such.
	freezeUrgent bool
	urgentBelow  uint64
	// refused is calldata → when the contract last would have refused it.
	refused map[string]time.Time
}

func (r *Runner) newMove(chain Chain, of lane) *move {
	return &move{
		lane: of, r: r, chain: chain, signer: store.Signer{Chain: chain.ID, Address: of.mover.Signer()},
		short: make(map[settlement.PaymentID]time.Time), refused: make(map[string]time.Time),
	}
}

func signerKey(chain settlement.ChainID, signer settlement.Address) int64 {
	return lockKey("signer", string(chain)+"\x00"+string(signer))
}

// holdSigner moves the chain's money while this process holds its lock. The lock saves double work; what keeps two
// processes apart is the signer's epoch, which is compared in every commit.
func (r *Runner) holdSigner(ctx context.Context, locks *locks, chain Chain, of lane) {
	key := signerKey(chain.ID, of.mover.Signer())
	for ctx.Err() == nil {
		ok, err := locks.take(ctx, key)
		if err == nil && ok {
			err = r.newMove(chain, of).run(ctx)
			releaseCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			_ = locks.release(releaseCtx, key) // it goes with the session at the latest
			cancel()
		}
		if err != nil && ctx.Err() == nil {
			r.cfg.Logger.WarnContext(ctx, "signer not held", "chain", string(chain.ID), "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(heartbeat):
		}
	}
}

// run returns when another process has taken the signer over, or ctx ends.
func (m *move) run(ctx context.Context) error {
	for {
		err := m.step(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrFenced):
			return err
		case err != nil:
			m.r.cfg.Logger.WarnContext(ctx, "money not moved", "chain", string(m.chain.ID), "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(m.chain.PollInterval):
		}
	}
}

// step follows what is under way and begins what waits. While there is neither it asks the chain nothing.
func (m *move) step(ctx context.Context) error {
	pool := m.r.cfg.Pool
	// Before what waits is read: all that was decided while the switch was on goes together once it is lifted.
	halted, err := m.halted(ctx, pool)
	if err != nil {
		return err
	}
	waiting, freezes, err := m.waiting(ctx)
	if err != nil {
		return err
	}
	accounts, err := m.accounts(ctx)
	if err != nil {
		return err
	}
	if m.epoch == 0 {
		if started, err := m.start(ctx, len(waiting)+len(freezes)+len(accounts) > 0); err != nil || !started {
			return err
		}
	}
	if m.signer, err = store.ReadSigner(ctx, pool, m.chain.ID, m.signer.Address); err != nil {
		return err
	}
	slots, err := store.OpenSlots(ctx, pool, m.chain.ID, m.signer.Address)
	if err != nil || len(slots)+len(waiting)+len(freezes)+len(accounts) == 0 {
		return err
	}
	still := cmp.Or(m.stopped(), halted)
	// What one slot or group of movements waits for does not hold back the others.
	var faults []error
	m.underway = make(map[settlement.Address]settlement.Amount)
	m.urgentBelow = 0
	for _, slot := range slots {
		m.leaves(slot.Movements)
		if len(slot.Movements) == 0 && m.freezeUrgent || slices.ContainsFunc(slot.Movements, m.near) {
			m.urgentBelow = slot.Nonce + 1
		}
	}
	for _, slot := range slots {
		if err := m.follow(ctx, slot); err != nil {
			faults = append(faults, fmt.Errorf("nonce %d: %w", slot.Nonce, err))
		}
	}
	if still != "" {
		if m.said != still {
			m.r.cfg.Logger.ErrorContext(ctx, "nothing is moved", "chain", string(m.chain.ID), "reason", still, "waiting", len(waiting)+len(freezes)+len(accounts))
			m.said = still
		}
		return errors.Join(faults...)
	}
	m.said = ""
	room := m.slots - len(slots)
	for _, call := range freezes {
		if room--; room < 0 {
			break
		}
		if err := m.freeze(ctx, call); err != nil {
			faults = append(faults, fmt.Errorf("freeze a vault: %w", err))
		}
	}
	if m.direct && len(waiting) > 0 { // what has left the chain leaves the wallet again
		gone, err := store.GoneRefunds(ctx, pool, m.chain.ID, m.signer.Address, m.r.now().Add(-resendFor))
		if err != nil {
			return errors.Join(append(faults, err)...)
		}
		for _, slot := range gone {
			m.leaves(slot.Movements)
		}
	}
	for _, group := range m.groups(waiting) {
		if room--; room < 0 {
			break
		}
		if err := m.carryOut(ctx, group); err != nil {
			faults = append(faults, err)
		}
	}
	for _, account := range accounts {
		if room--; room < 0 {
			break
		}
		if err := m.tokenAccount(ctx, account); err != nil {
			faults = append(faults, fmt.Errorf("token account of vault %s: %w", m.chain.FormatAddress(account.Vault), err))
		}
	}
	return errors.Join(faults...)
}

// waiting is what is to be begun: movements, and calls that freeze vaults.
func (m *move) waiting(ctx context.Context) ([]settlement.Movement, []settlement.Call, error) {
	if m.rehearsal {
		return nil, nil, nil
	}
	waits := store.Waits{Chain: m.chain.ID, Signer: m.signer.Address, Arbitrated: m.chain.Escrow != nil && m.chain.Escrow.ArbiterMover != nil, Direct: m.direct}
	waiting, err := store.WaitingMovements(ctx, m.r.cfg.Pool, waits, maxSlots*maxBatch)
	if err != nil {
		return nil, nil, err
	}
	if waiting, err = m.affordable(ctx, waits, waiting); err != nil {
		return nil, nil, err
	}
	if waiting, err = m.notBeingFrozen(ctx, waiting); err != nil {
		return nil, nil, err
	}
	waiting = slices.DeleteFunc(waiting, func(mv settlement.Movement) bool {
		return m.direct && m.r.now().Sub(m.short[mv.Payment]) < fundPatience
	})
	freezes, err := m.freezes(ctx)
	return waiting, freezes, err
}

// near reports whether the deadline of the movement's vault is: after it the signer can pay nothing out any more.
func (m *move) near(mv settlement.Movement) bool {
	switch {
	case mv.Direct != nil:
		return false
	case m.signer.Address == mv.Vault.Arbiter:
		return m.isNear(mv.Vault.DisputeAt)
	}
	return m.isNear(mv.Vault.ReclaimAt)
}

func (m *move) isNear(deadline time.Time) bool {
	left := deadline.Sub(m.r.now())
	return left > 0 && left < m.chain.Escrow.UrgentWithin
}

// groups are the movements of one transaction each, most urgent first.
func (m *move) groups(waiting []settlement.Movement) [][]settlement.Movement {
	var together, groups [][]settlement.Movement
	var free []settlement.Movement
	for _, w := range waiting {
		if w.Alone {
			groups = append(groups, []settlement.Movement{w})
		} else {
			free = append(free, w)
		}
	}
	for batch := range slices.Chunk(free, m.batch) {
		together = append(together, batch)
	}
	return append(together, groups...)
}

// start takes the signer over. One that has never signed begins at the chain's own nonce, and only when there is something
// to move.
func (m *move) start(ctx context.Context, needed bool) (bool, error) {
	_, err := store.ReadSigner(ctx, m.r.cfg.Pool, m.chain.ID, m.signer.Address)
	switch {
	case errors.Is(err, store.ErrNotFound) && !needed:
		return false, nil
	case errors.Is(err, store.ErrNotFound):
		if err := m.record(ctx); err != nil {
			return false, err
		}
	case err != nil:
		return false, err
	}
	if m.signer, err = store.ReadSigner(ctx, m.r.cfg.Pool, m.chain.ID, m.signer.Address); err != nil {
		return false, err
	}
	if err := m.r.haltIfOlder(ctx, m.chain, m.signer); err != nil {
		return false, err
	}
	m.epoch, err = store.TakeSigner(ctx, m.r.cfg.Pool, m.signer)
	return err == nil, err
}

// record makes the signer known, from the chain's own nonce on.
func (m *move) record(ctx context.Context) error {
	first, err := m.mover.Prepare(ctx, nil)
	if err != nil {
		return fmt.Errorf("read the signer's nonce: %w", err)
	}
	m.signer.NextNonce, m.signer.Durable = first.Nonce, first.Durable
	return m.r.begin(ctx, "signer", func(tx pgx.Tx) error { return store.StartSigner(ctx, tx, m.signer, m.r.now()) })
}

// still is why nothing may be signed or sent, empty when it may.
func (m *move) still(ctx context.Context, db store.DB) (string, error) {
	if stopped := m.stopped(); stopped != "" {
		return stopped, nil
	}
	return m.halted(ctx, db)
}

func (m *move) stopped() string {
	if m.signer.Stopped == "" {
		return ""
	}
	return "the signer is stopped: " + m.signer.Stopped
}

func (m *move) halted(ctx context.Context, db store.DB) (string, error) {
	halts, err := store.Halted(ctx, db, m.chain.ID)
	if err != nil || len(halts) == 0 {
		return "", err
	}
	return fmt.Sprintf("halted (%s): %s", halts[0].Scope, halts[0].Reason), nil
}

// slot names a nonce of the signer.
func (m *move) slot(nonce uint64) settlement.Slot {
	return settlement.Slot{Sender: m.signer.Address, Nonce: nonce}
}

// stop ends all signing with the key until a person has looked.
func (m *move) stop(ctx context.Context, reason string) error {
	m.r.cfg.Logger.ErrorContext(ctx, "signer stopped", "chain", string(m.chain.ID), "signer", m.chain.FormatAddress(m.signer.Address), "reason", reason)
	return store.StopSigner(ctx, m.r.cfg.Pool, m.signer, reason, m.r.now())
}
