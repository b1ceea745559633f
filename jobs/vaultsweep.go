package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

const (
	// readEvery is the least time between two calls that read what vaults hold; there is one in a step at most. With a step every
	// two seconds, as by default, and the two calls of each for the head that makes 1.5 calls a second, however many vaults are open.
	readEvery = time.Second
	// readAtOnce is how many of them a call reads.
	readAtOnce = 100
	// longestPause is between two looks at a history that does not explain what the account holds. The first pause is readEvery,
	// and each is twice the one before: nodes write their indices late, and what came by no transfer is never explained.
	longestPause = time.Hour
)

// vaultSweep finds deposits in vaults that are wallets, by reading what their accounts hold, round after round; only of an
// account that holds something else than its history has explained is the history looked at. A round takes as long as there
// are vaults. Nobody but us moves what a vault holds, so what it holds changes by nothing that is missed between two reads.
//
// The older a vault, the less is a deposit to be expected, and vaults only become more: so each call gives every ring a share, and
// those that wait for money do not wait for those that have had theirs.
type vaultSweep struct {
	held   map[store.VaultAccount]settlement.Amount // by what was found so far; a vault that is not there held nothing
	quiet  map[store.VaultAccount]quietLook         // of those whose last look found nothing although they hold something else
	rounds [rings][]watchKey                        // still to be read in each ring's round
	readAt time.Time
}

// Rings of vaults: the payer was told to pay within the last youngFor; he was told earlier; nothing is awaited any more.
const (
	ringYoung = iota
	ringOld
	ringDone
	rings
)

const youngFor = time.Hour

// ringShare is how many of a call's vaults a ring has for itself; what it has no use for is the others', in their order.
var ringShare = [rings]int{ringYoung: 50, ringOld: 30, ringDone: 20}

// next takes the vaults of the next call out of the rounds, and begins the round of a ring that is through.
func (s *vaultSweep) next(watched map[watchKey]watchedVault, now time.Time) (some []watchKey) {
	var begins [rings]bool
	for ring := range s.rounds {
		begins[ring] = len(s.rounds[ring]) == 0
	}
	for key, v := range watched {
		ring := ringYoung
		switch {
		case !v.awaited:
			ring = ringDone
		case now.Sub(v.since) > youngFor:
			ring = ringOld
		}
		if begins[ring] {
			s.rounds[ring] = append(s.rounds[ring], key)
		}
	}
	take := func(ring, n int) {
		for ; n > 0 && len(s.rounds[ring]) > 0; s.rounds[ring] = s.rounds[ring][1:] {
			if key := s.rounds[ring][0]; !slices.Contains(some, key) { // else it has changed its ring since the other's round began
				some = append(some, key)
				n--
			}
		}
	}
	for ring, share := range ringShare {
		take(ring, share)
	}
	for ring := range ringShare {
		take(ring, readAtOnce-len(some))
	}
	return some
}

// quietLook is the last of some looks in a row that found nothing.
type quietLook struct {
	holds settlement.Amount // what the account held then; once it holds something else it is looked at without a pause
	pause time.Duration
	at    time.Time
}

// startSweep goes on from what the books say was explained.
func (w *accountWatch) startSweep(ctx context.Context) error {
	held, err := store.HeldAccounts(ctx, w.r.cfg.Pool, w.chain.ID)
	w.vaults = vaultSweep{held: held, quiet: make(map[store.VaultAccount]quietLook)}
	return err
}

// sweep reads what some of the vaults hold, and looks at those whose history has not explained it.
func (w *accountWatch) sweep(ctx context.Context, head settlement.Head) error {
	s, now := &w.vaults, w.r.now()
	if since := now.Sub(s.readAt); since >= 0 && since < readEvery {
		return nil
	}
	watched, snapshot := w.index.watchedVaults()
	before := s.rounds
	some := s.next(watched, now)
	if len(some) == 0 {
		return nil
	}
	holders := make([]settlement.Holder, len(some))
	for i, key := range some {
		holders[i] = settlement.Holder{Token: key.token, Payee: key.payee}
	}
	holdings, err := w.chain.Accounts.Holdings(ctx, holders)
	if err != nil {
		s.rounds = before
		return fmt.Errorf("read what %d vaults hold: %w", len(some), err)
	}
	s.readAt = now
	looks := make([]vaultLook, len(some))
	var group errgroup.Group
	group.SetLimit(accountsAtOnce)
	for i, key := range some {
		vault, ok := watched[key]
		of := store.VaultAccount{Token: key.token, Vault: key.payee}
		if !ok || holdings[i].Amount == s.held[of] {
			delete(s.quiet, of)
			continue
		}
		if q := s.quiet[of]; q.holds == holdings[i].Amount && now.Sub(q.at) < q.pause {
			continue
		}
		looks[i] = vaultLook{key: key, of: of, holding: holdings[i], held: s.held[of], from: vault.from, snapshot: snapshot}
		group.Go(func() error {
			looks[i].err = w.lookAtVault(ctx, head, &looks[i])
			return nil
		})
	}
	_ = group.Wait() // faults are gathered
	var faults []error
	for _, look := range looks {
		if look.key.payee == "" {
			continue
		}
		s.held[look.of] = look.held
		switch {
		case look.err != nil:
			faults = append(faults, fmt.Errorf("vault %s: %w", w.chain.FormatAddress(look.key.payee), look.err))
			continue
		case look.held != look.holding.Amount && look.found:
			delete(s.quiet, look.of) // there may be more
			continue
		case look.held != look.holding.Amount:
			q := s.quiet[look.of]
			if q.holds != look.holding.Amount {
				q = quietLook{holds: look.holding.Amount}
			}
			s.quiet[look.of] = quietLook{holds: q.holds, pause: min(max(2*q.pause, readEvery), longestPause), at: now}
			continue
		}
		delete(s.quiet, look.of)
		err := store.HoldAccount(ctx, w.r.cfg.Pool, w.chain.ID, w.epoch, look.of, look.holding.Account, look.holding.Amount, now)
		if err != nil && (look.found || !errors.Is(err, store.ErrFenced)) { // an account of which nothing was ever found has no row
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// vaultLook is one look at the history of a vault's account.
type vaultLook struct {
	key      watchKey
	of       store.VaultAccount
	holding  settlement.Holding
	from     uint64 // block of which on payments count
	snapshot string
	held     settlement.Amount // what the history explains
	found    bool              // something new
	err      error
}

// lookAtVault takes what is new in the history of the vault's account.
func (w *accountWatch) lookAtVault(ctx context.Context, head settlement.Head, look *vaultLook) error {
	cursors, err := store.AccountCursors(ctx, w.r.cfg.Pool, w.chain.ID, look.key.token, look.key.payee)
	if err != nil {
		return err
	}
	cursor, known := cursors[look.holding.Account]
	if !known {
		cursor = settlement.AccountCursor{Account: look.holding.Account, Payee: look.key.payee, Slot: look.from}
	}
	p := &payeeWatch{key: look.key, cursors: cursors}
	return w.chain.Accounts.Scan(ctx, head, cursor, func(scan settlement.AccountScan) error {
		if err := w.take(ctx, p, scan, look.snapshot, true); err != nil {
			return err
		}
		for _, tx := range scan.Found {
			for _, t := range tx.Transfers {
				if t.Token != look.key.token {
					continue
				}
				if t.Payee == look.key.payee {
					look.held, look.found = look.held.Add(t.Amount), true
				}
				if t.Payer == look.key.payee {
					look.held, look.found = look.held.Sub(t.Amount.Add(t.Withheld)), true
				}
			}
		}
		return nil
	})
}
