package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

const (
	// accountsAtOnce is how many payees are looked at at a time.
	accountsAtOnce = 8
	// accountsAge is how old the list of a payee's accounts may be.
	accountsAge = 10 * time.Minute
	// keepSlots is how many slots heads are remembered, an hour or more: an intent may have been made before we saw its order.
	keepSlots = 9000
)

// accountWatch follows one chain that is asked about accounts: each payee that somebody waits at is looked at from a
// cursor of its own, which moves in the commit that takes what was found. It costs the same number of calls whatever the
// number of payments. Vaults, of which each payment has its own, are read a hundred at a time instead (vaultsweep.go).
type accountWatch struct {
	*watch
	index  chainIndex // of this chain alone, built when the chain is taken over
	payees map[watchKey]*payeeWatch
	vaults vaultSweep

	mu     sync.Mutex                  // guards what follows
	listed []settlement.Address        // accounts that were looked at last
	hinted map[settlement.Address]bool // accounts that may have something new; no false
}

// payeeWatch is what one payee gets of one token. One goroutine at a time works on it.
type payeeWatch struct {
	key      watchKey
	accounts []settlement.Address
	listedAt time.Time
	listSlot uint64 // final when the accounts were listed: one that is listed later has not existed below
	cursors  map[settlement.Address]settlement.AccountCursor
	// again is what of an account is looked at once more, for payments that were opened after it had been looked at: the look
	// under way, and at most one behind it.
	again map[settlement.Address][]settlement.AccountCursor
	// reached is the highest slot that was looked at: payments that are open from there on have missed nothing.
	reached uint64
}

// start takes the chain over.
func (w *accountWatch) start(ctx context.Context) error {
	pool, id := w.r.cfg.Pool, w.chain.ID
	heads, err := w.chain.Accounts.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	if err := store.StartChain(ctx, pool, id, settlement.Block{Number: heads.Final}, w.r.now()); err != nil {
		return err
	}
	if w.epoch, err = store.TakeChain(ctx, pool, id); err != nil {
		return err
	}
	// What was seen under a rule that the configuration has lost waits for the chain's own.
	if err := store.KeepRules(ctx, pool, id, slices.Collect(maps.Keys(heads.Rules)), heads.Own); err != nil {
		return err
	}
	if w.cursor, err = store.ChainCursor(ctx, pool, id); err != nil {
		return err
	}
	w.index, w.payees = chainIndex{newWatchIndex(), id}, make(map[watchKey]*payeeWatch)
	w.index.only = id
	return w.startSweep(ctx)
}

// step looks at every payee once, and at what has become final. A payee that cannot be looked at holds up no other.
func (w *accountWatch) step(ctx context.Context) error {
	heads, err := w.chain.Accounts.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	head := heads.Head
	w.r.headRead(w.chain.ID)
	if err := w.index.refresh(ctx, w.r.cfg.Pool); err != nil {
		return err
	}
	keys := w.index.keys()
	watched := make(map[watchKey]*payeeWatch, len(keys))
	for _, key := range keys {
		if watched[key] = w.payees[key]; watched[key] == nil {
			watched[key] = &payeeWatch{key: key, again: make(map[settlement.Address][]settlement.AccountCursor)}
		}
	}
	w.payees = watched
	faults := []error{w.lookAll(ctx, head, slices.Collect(maps.Values(watched))), w.sweep(ctx, head), w.finalize(ctx, heads), w.moveTo(ctx, head)}
	var listed []settlement.Address
	for _, p := range watched {
		listed = append(listed, p.accounts...)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listed = listed
	return errors.Join(faults...)
}

// lookAll looks at the payees, several at a time.
func (w *accountWatch) lookAll(ctx context.Context, head settlement.Head, payees []*payeeWatch) error {
	faults := make([]error, len(payees))
	var group errgroup.Group
	group.SetLimit(accountsAtOnce)
	for i, p := range payees {
		group.Go(func() error {
			if err := w.look(ctx, head, p); err != nil {
				faults[i] = fmt.Errorf("payee %s: %w", w.chain.FormatAddress(p.key.payee), err)
			}
			return nil
		})
	}
	_ = group.Wait() // faults are gathered
	return errors.Join(faults...)
}

// hints gets a value when wake has something to look at.
func (w *accountWatch) hints(ctx context.Context) <-chan struct{} {
	announced := w.chain.Accounts.Hints(ctx, func() []settlement.Address {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.listed
	})
	hints := make(chan struct{}, 1)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case account := <-announced:
				w.mu.Lock()
				w.hinted[account] = true
				w.mu.Unlock()
				select {
				case hints <- struct{}{}:
				default: // one is waiting
				}
			}
		}
	}()
	return hints
}

// wake looks at the payees whose accounts were hinted at, so that the traffic of one costs nothing at the others.
func (w *accountWatch) wake(ctx context.Context) error {
	w.mu.Lock()
	hinted := w.hinted
	w.hinted = make(map[settlement.Address]bool)
	w.mu.Unlock()
	var payees []*payeeWatch
	for _, p := range w.payees {
		if slices.ContainsFunc(p.accounts, func(a settlement.Address) bool { return hinted[a] }) {
			payees = append(payees, p)
		}
	}
	if len(payees) == 0 {
		return nil
	}
	heads, err := w.chain.Accounts.Heads(ctx)
	if err != nil {
		return fmt.Errorf("read head: %w", err)
	}
	if err := w.index.refresh(ctx, w.r.cfg.Pool); err != nil {
		return err
	}
	return errors.Join(w.lookAll(ctx, heads.Head, payees), w.finalize(ctx, heads))
}

// moveTo notes how far the chain has come.
func (w *accountWatch) moveTo(ctx context.Context, head settlement.Head) error {
	cursor := store.Cursor{Number: head.Latest, Final: head.Final, WatchXID: w.cursor.WatchXID}
	now := w.r.now()
	err := w.r.begin(ctx, "empty head", func(tx pgx.Tx) error {
		// The slot had been reached by then: what comes later is in a higher one.
		if err := store.SaveBlock(ctx, tx, w.chain.ID, settlement.Block{Number: head.Latest, Time: now}); err != nil {
			return err
		}
		if head.Final > keepSlots {
			if err := store.DropBlocksBelow(ctx, tx, w.chain.ID, head.Final-keepSlots); err != nil {
				return err
			}
		}
		return store.MoveCursor(ctx, tx, w.chain.ID, w.epoch, cursor, now)
	})
	if err == nil {
		w.cursor = cursor
	}
	return err
}

// look brings the payee's accounts to the head. What it came to before an error is not looked at again.
func (w *accountWatch) look(ctx context.Context, head settlement.Head, p *payeeWatch) error {
	from, fresh, snapshot := w.index.opened(p.key)
	if err := w.list(ctx, head, p); err != nil {
		w.index.openedAgain(p.key, from, fresh)
		return err
	}
	p.plan(from, fresh)
	for _, account := range p.accounts {
		for len(p.again[account]) > 0 {
			if err := w.chain.Accounts.Scan(ctx, head, p.again[account][0], func(scan settlement.AccountScan) error {
				if err := w.take(ctx, p, scan, "", false); err != nil {
					return err
				}
				p.again[account][0] = scan.Cursor
				return nil
			}); err != nil {
				return err
			}
			p.again[account] = p.again[account][1:]
		}
		if err := w.chain.Accounts.Scan(ctx, head, p.cursors[account], func(scan settlement.AccountScan) error {
			return w.take(ctx, p, scan, snapshot, true)
		}); err != nil {
			return err
		}
	}
	p.listSlot = head.Final
	p.reached = max(p.reached, head.Latest)
	return nil
}

// plan is what is to be looked at for payments from a slot on, which have been opened, besides what follows the cursors.
func (p *payeeWatch) plan(from uint64, fresh bool) {
	for _, account := range p.accounts {
		cursor, known := p.cursors[account]
		switch {
		case !known:
			cursor = settlement.AccountCursor{Account: account, Payee: p.key.payee, Slot: p.listSlot}
			if fresh {
				cursor.Slot = min(cursor.Slot, from)
			}
			p.cursors[account] = cursor
		case fresh && from < max(p.reached, cursor.Slot):
			// Once more for all of them; what was seen before is a duplicate.
			queue := p.again[account]
			if len(queue) < 2 {
				p.again[account] = append(queue, settlement.AccountCursor{Account: account, Payee: p.key.payee, Slot: from})
			} else {
				queue[1].Slot = min(queue[1].Slot, from)
			}
		}
	}
}

// list finds out which accounts the payee has. At first the stored cursors count, unless nobody has waited at the payee
// since they were stored.
func (w *accountWatch) list(ctx context.Context, head settlement.Head, p *payeeWatch) error {
	now := w.r.now()
	if p.cursors != nil && now.Sub(p.listedAt) < accountsAge {
		return nil
	}
	accounts, err := w.chain.Accounts.Accounts(ctx, p.key.payee, p.key.token)
	if err != nil {
		return fmt.Errorf("list accounts: %w", err)
	}
	if p.cursors == nil {
		cursors := make(map[settlement.Address]settlement.AccountCursor)
		p.listSlot = head.Final
		if w.index.vouched(p.key) {
			if cursors, err = store.AccountCursors(ctx, w.r.cfg.Pool, w.chain.ID, p.key.token, p.key.payee); err != nil {
				return err
			}
			for _, c := range cursors {
				p.listSlot = min(p.listSlot, c.Slot)
			}
			p.reached = head.Latest // whatever came before: those that are fresh are looked for again
		}
		p.cursors = cursors
	}
	p.accounts, p.listedAt = accounts, now
	return nil
}

// take commits what was found, together with the cursor if keep is set.
func (w *accountWatch) take(ctx context.Context, p *payeeWatch, scan settlement.AccountScan, snapshot string, keep bool) error {
	for _, u := range scan.Unread {
		w.r.cfg.Logger.WarnContext(ctx, "transaction not read", "chain", string(w.chain.ID), "txid", w.chain.FormatTxID(u.TxID),
			"slot", u.Slot, "reason", string(settlement.LookCode(u.Err)), "err", u.Err)
	}
	events, err := w.found(ctx, scan.Found)
	if err != nil {
		return err
	}
	var results []Result
	err = w.r.begin(ctx, commitName("scan", events), func(tx pgx.Tx) (err error) {
		if len(events) > 0 {
			if results, err = w.r.advance(ctx, tx, events); err != nil {
				return err
			}
		}
		if !keep {
			return nil
		}
		return store.SaveAccountCursor(ctx, tx, w.chain.ID, w.epoch, p.key.token, scan.Cursor, snapshot, w.r.now())
	})
	if err != nil {
		return fmt.Errorf("commit a scan: %w", err)
	}
	for _, f := range scan.Found {
		p.reached = max(p.reached, f.Block.Number)
	}
	if keep {
		p.cursors[scan.Cursor.Account] = scan.Cursor
	}
	w.r.headRead(w.chain.ID) // one that catches up for long is not one that stands still
	w.r.logResults(ctx, results)
	return nil
}

// found are the events for the transfers that concern our payments: of one that is final what it comes to, of another one
// that it was seen.
func (w *accountWatch) found(ctx context.Context, txs []settlement.FoundTx) ([]settlement.Event, error) {
	var seen []settlement.Sighting
	var of []settlement.FoundTx
	for _, tx := range txs {
		for _, t := range tx.Transfers {
			if w.index.Waits(t.Token, []byte(t.Payee)) {
				seen = append(seen, settlement.Sighting{TxID: tx.TxID, Transfer: t, Block: tx.Block})
				of = append(of, tx)
			}
		}
	}
	if len(seen) == 0 {
		return nil, nil
	}
	open, err := store.OpenForTransfers(ctx, w.r.cfg.Pool, slices.Repeat([]settlement.ChainID{w.chain.ID}, len(seen)), seen)
	if err != nil {
		return nil, err
	}
	used, err := w.consumed(ctx, seen)
	if err != nil {
		return nil, err
	}
	var events []settlement.Event
	for i, s := range seen {
		owner, taken := used[store.TransferKey{Chain: w.chain.ID, TxID: s.TxID, Position: s.Transfer.Position}]
		payments := byID(open[i])
		for _, a := range settlement.Attribute(s.Transfer, open[i]) {
			if taken && owner != a.Payment {
				continue // looked at again after it settled its order
			}
			s := s
			p := payments[a.Payment]
			claim := p.Claim(s.TxID, s.Transfer)
			claim.Part = s.Transfer.Position
			s.Verdict = of[i].Judge(claim)
			switch {
			case a.Code != "":
				s.Verdict.Code, s.Verdict.Detail = a.Code, ""
			case s.Verdict.Transfer == nil || s.Verdict.Transfer.Position != s.Transfer.Position:
				// The funnel chose another transfer of the transaction: this one is a further payment or a part of none.
				s.Verdict.Code, s.Verdict.Detail = settlement.TransferAmbiguous, ""
			}
			s.Verdict.Transfer = &s.Transfer
			if s.Verdict.Evidence == nil { // no transaction can satisfy these terms
				s.Verdict.Evidence = &settlement.Evidence{
					Chain: w.chain.ID, TxID: w.chain.FormatTxID(s.TxID), Block: s.Block.Number, BlockTime: s.Block.Time, LookedAt: w.r.now(),
				}
			}
			rule := w.chain.Accounts.Rule(s.Transfer.Token, p.Terms.Amount)
			s.Verdict.Evidence.Finality, s.Verdict.Evidence.Trust = rule.Finality, rule.Trust
			kind := settlement.EventTransferSeen
			if of[i].Final {
				kind = finalKind(s.Verdict)
			}
			events = append(events, sightingEvent(kind, a.Payment, s))
		}
	}
	// Within a batch the transfer that pays comes before those that do not.
	slices.SortStableFunc(events, func(a, b settlement.Event) int { return finalOrder(a.Kind) - finalOrder(b.Kind) })
	return events, nil
}

// finalKind is the event for a transfer that is final.
func finalKind(v settlement.Verdict) settlement.EventKind {
	switch {
	case v.Code == settlement.Verified:
		return settlement.EventPaymentConfirmed
	case v.IsPart():
		return settlement.EventPaymentPart
	}
	return settlement.EventPaymentMispaid
}

// finalize sends through the door what was seen before it was final, and what has become of it.
func (w *accountWatch) finalize(ctx context.Context, heads settlement.Heads) error {
	upTo := make(map[settlement.Finality]uint64, len(heads.Rules))
	for rule, head := range heads.Rules {
		upTo[rule] = head.Final
	}
	seen, err := store.SeenUpTo(ctx, w.r.cfg.Pool, w.chain.ID, upTo, maxFinal)
	if err != nil || len(seen) == 0 {
		return err
	}
	var txs []settlement.SeenTx
	for _, s := range seen {
		txs = append(txs, settlement.SeenTx{TxID: s.Sighting.TxID, Slot: s.Sighting.Block.Number})
	}
	asked := slices.Compact(txs) // SeenUpTo sorts by block and transaction
	told, err := w.chain.Accounts.Fates(ctx, asked)
	if err != nil {
		return fmt.Errorf("ask what became of %d transactions: %w", len(asked), err)
	}
	fates := make(map[settlement.SeenTx]settlement.Fate, len(asked))
	for i, tx := range asked {
		fates[tx] = told[i]
	}
	events := make([]settlement.Event, len(seen))
	faults := make([]error, len(seen))
	var group errgroup.Group
	group.SetLimit(accountsAtOnce)
	for i, s := range seen {
		s.Sighting.FinalHead = upTo[s.Finality]
		fate := fates[settlement.SeenTx{TxID: s.Sighting.TxID, Slot: s.Sighting.Block.Number}]
		if fate == settlement.FateOpen && s.Finality != heads.Own {
			fate = settlement.FateFinal // under the weaker rule for its price
		}
		switch fate {
		case settlement.FateGone, settlement.FateFailed:
			events[i] = sightingEvent(settlement.EventTransferWithdrawn, s.Payment, s.Sighting)
		case settlement.FateFinal:
			if finalKind(s.Sighting.Verdict) == settlement.EventPaymentMispaid {
				events[i] = sightingEvent(settlement.EventPaymentMispaid, s.Payment, s.Sighting)
				continue
			}
			group.Go(func() error {
				events[i], faults[i] = w.verified(ctx, s)
				return nil
			})
		case settlement.FateOpen:
		}
	}
	_ = group.Wait() // faults are gathered
	events = slices.DeleteFunc(events, func(e settlement.Event) bool { return e.Kind == "" })
	slices.SortStableFunc(events, func(a, b settlement.Event) int { return finalOrder(a.Kind) - finalOrder(b.Kind) })
	var results []Result
	err = w.r.begin(ctx, commitName("final transfers", events), func(tx pgx.Tx) (err error) {
		if len(events) == 0 {
			return nil
		}
		if results, err = w.r.advance(ctx, tx, events); err != nil {
			return err
		}
		return store.MoveCursor(ctx, tx, w.chain.ID, w.epoch, w.cursor, w.r.now()) // fences
	})
	if err != nil {
		return fmt.Errorf("finalize up to slot %d: %w", heads.Final, err)
	}
	w.r.logResults(ctx, results)
	return errors.Join(faults...)
}

// verified looks once more at a transfer that fitted when it was seen: what is final may be another thing than what was
// not. No event means that it is still to be looked at.
func (w *accountWatch) verified(ctx context.Context, s store.SeenTransfer) (settlement.Event, error) {
	payments, err := store.Payments(ctx, w.r.cfg.Pool, []settlement.PaymentID{s.Payment})
	if err != nil {
		return settlement.Event{}, err
	}
	signers, err := store.SignersOf(ctx, w.r.cfg.Pool, payments[0], s.Sighting.TxID)
	if err != nil {
		return settlement.Event{}, err
	}
	claim := payments[0].Terms.Claim(s.Sighting.TxID).WithSigners(signers...)
	claim.Part = s.Sighting.Transfer.Position
	used, err := w.consumed(ctx, []settlement.Sighting{s.Sighting})
	if err != nil {
		return settlement.Event{}, err
	}
	claim.Used = make(map[string]bool)
	for key, owner := range used {
		if owner != s.Payment || payments[0].Terms.Parts && key.Position != s.Sighting.Transfer.Position {
			claim.Used[key.Position] = true
		}
	}
	v, err := w.chain.Verifier.Verify(ctx, claim)
	switch {
	case err != nil:
		return settlement.Event{}, err
	case v.Outcome() == settlement.Pending: // another endpoint was asked, which is not as far
		return settlement.Event{}, nil
	case v.Transfer == nil || v.Evidence == nil:
		return sightingEvent(settlement.EventTransferWithdrawn, s.Payment, s.Sighting), nil
	case v.Transfer.Position != s.Sighting.Transfer.Position: // that one is looked at by itself
		s.Sighting.Verdict.Code = settlement.TransferAmbiguous
		return sightingEvent(settlement.EventPaymentMispaid, s.Payment, s.Sighting), nil
	}
	return sightingEvent(finalKind(v), s.Payment, settlement.Sighting{
		TxID: s.Sighting.TxID, Transfer: *v.Transfer, Verdict: v, Block: settlement.Block{Number: v.Evidence.Block, Time: v.Evidence.BlockTime},
	}), nil
}
