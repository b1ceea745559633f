package jobs

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// watchIndex knows in memory which payees of which tokens are watched, so that blocks full of other people's transfers
// cost no query. It is rebuilt at start and follows the payments table by its changes.
type watchIndex struct {
	mu       sync.Mutex // guards everything
	built    bool
	snapshot string
	payments map[settlement.PaymentID]watchKey    // payment → what it watches
	payees   map[asset]map[settlement.Address]int // token → payee → how many payments wait there; no zeros
	from     map[settlement.ChainID]uint64        // chain → lowest FromBlock of payments that were added since missed was asked
	only     settlement.ChainID                   // when not empty, payments of other chains are left out

	fresh map[watchKey]uint64 // what is watched → lowest FromBlock of payments that were added since opened was asked; with only
	old   map[watchKey]bool   // what is watched by a payment that was looked for before; with only

	vaults map[watchKey]watchedVault // with only
}

// watchedVault is a vault of one payment.
type watchedVault struct {
	from    uint64 // FromBlock of the payment
	awaited bool   // the payment's money is expected, or on its way
	since   time.Time
}

type asset struct {
	chain settlement.ChainID
	token settlement.Address
}

type watchKey struct {
	asset
	payee settlement.Address
}

func newWatchIndex() *watchIndex {
	return &watchIndex{
		payments: make(map[settlement.PaymentID]watchKey), payees: make(map[asset]map[settlement.Address]int),
		from:  make(map[settlement.ChainID]uint64),
		fresh: make(map[watchKey]uint64), old: make(map[watchKey]bool), vaults: make(map[watchKey]watchedVault),
	}
}

// refresh takes over what has changed since the last time: one query.
func (x *watchIndex) refresh(ctx context.Context, db store.DB) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var changed []store.WatchedPayment
	var snapshot string
	var err error
	if x.built {
		changed, snapshot, err = store.WatchChanges(ctx, db, x.snapshot)
	} else {
		changed, snapshot, err = store.WatchedPayments(ctx, db)
	}
	if err != nil {
		return err
	}
	for _, p := range changed {
		if x.only != "" && p.Chain != x.only {
			continue
		}
		_, known := x.payments[p.ID]
		switch {
		case p.Watched && !known:
			x.add(p)
		case !p.Watched && known:
			x.remove(p.ID)
		case p.Watched && p.Vault && x.only != "":
			x.vaults[x.payments[p.ID]] = vaultOf(p)
		}
	}
	x.built, x.snapshot = true, snapshot
	return nil
}

func vaultOf(p store.WatchedPayment) watchedVault {
	return watchedVault{from: p.FromBlock, awaited: p.Awaited, since: p.CreatedAt}
}

func (x *watchIndex) add(p store.WatchedPayment) {
	key := watchKey{asset{p.Chain, p.Token}, p.Payee}
	x.payments[p.ID] = key
	if x.payees[key.asset] == nil {
		x.payees[key.asset] = make(map[settlement.Address]int)
	}
	x.payees[key.asset][key.payee]++
	if from, ok := x.from[p.Chain]; p.Fresh && (!ok || p.FromBlock < from) {
		x.from[p.Chain] = p.FromBlock
	}
	switch from, ok := x.fresh[key]; {
	case x.only == "":
	case p.Vault:
		x.vaults[key] = vaultOf(p)
	case !p.Fresh:
		x.old[key] = true
	case !ok || p.FromBlock < from:
		x.fresh[key] = p.FromBlock
	}
}

func (x *watchIndex) remove(id settlement.PaymentID) {
	key := x.payments[id]
	delete(x.payments, id)
	counts := x.payees[key.asset]
	if counts[key.payee]--; counts[key.payee] == 0 {
		delete(counts, key.payee)
		delete(x.fresh, key)
		delete(x.old, key)
		delete(x.vaults, key)
	}
}

// keys are what is watched beside vaults.
func (x *watchIndex) keys() []watchKey {
	x.mu.Lock()
	defer x.mu.Unlock()
	var keys []watchKey
	for token, counts := range x.payees {
		for payee := range counts {
			if key := (watchKey{token, payee}); !x.isVault(key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// isVault: the caller holds mu.
func (x *watchIndex) isVault(key watchKey) bool {
	_, ok := x.vaults[key]
	return ok
}

// watchedVaults are the vaults that are watched, and the snapshot in which they are.
func (x *watchIndex) watchedVaults() (vaults map[watchKey]watchedVault, snapshot string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.vaults), x.snapshot
}

// vouched reports whether a payment watches the key that was looked for before the index was built.
func (x *watchIndex) vouched(key watchKey) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.old[key]
}

// opened is missed for one key.
func (x *watchIndex) opened(key watchKey) (from uint64, ok bool, snapshot string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	from, ok = x.fresh[key]
	delete(x.fresh, key)
	return from, ok, x.snapshot
}

// openedAgain puts back what opened returned: the look was not completed.
func (x *watchIndex) openedAgain(key watchKey, from uint64, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if old, there := x.fresh[key]; ok && x.payees[key.asset][key.payee] > 0 && (!there || from < old) {
		x.fresh[key] = from
	}
}

// chainIndex is what is watched on one chain, as a scan asks for it.
type chainIndex struct {
	*watchIndex
	chain settlement.ChainID
}

// Payees implements settlement.Watched.
func (x chainIndex) Payees(token settlement.Address, limit int) ([]settlement.Address, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return payeesOf(x.payees[asset{x.chain, token}], limit)
}

func payeesOf(counts map[settlement.Address]int, limit int) ([]settlement.Address, bool) {
	if len(counts) > limit {
		return nil, false
	}
	return slices.Collect(maps.Keys(counts)), true
}

// Waits implements settlement.Watched.
func (x chainIndex) Waits(token settlement.Address, payee []byte) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.payees[asset{x.chain, token}][settlement.Address(payee)] > 0
}

// view is a copy of what is watched now, for a search that takes long.
func (x chainIndex) view() indexView {
	x.mu.Lock()
	defer x.mu.Unlock()
	view := make(indexView)
	for token, counts := range x.payees {
		if token.chain == x.chain {
			view[token.token] = maps.Clone(counts)
		}
	}
	return view
}

// indexView: token → payee → how many payments wait there.
type indexView map[settlement.Address]map[settlement.Address]int

// Payees implements settlement.Watched.
func (v indexView) Payees(token settlement.Address, limit int) ([]settlement.Address, bool) {
	return payeesOf(v[token], limit)
}

// Waits implements settlement.Watched.
func (v indexView) Waits(token settlement.Address, payee []byte) bool {
	return v[token][settlement.Address(payee)] > 0
}

// missed is the block after which payments were waiting that have been added since it was asked last, and the snapshot
// that a cursor may vouch for once the blocks after it have been looked at again.
func (x *watchIndex) missed(chain settlement.ChainID) (from uint64, ok bool, snapshot string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	from, ok = x.from[chain]
	delete(x.from, chain)
	return from, ok, x.snapshot
}

// missAgain puts back what missed returned, from a block on: the look was not completed.
func (x *watchIndex) missAgain(chain settlement.ChainID, from uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if old, ok := x.from[chain]; !ok || from < old {
		x.from[chain] = from
	}
}
