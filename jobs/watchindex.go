package jobs

import (
	"context"
	"sync"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// watchIndex knows in memory which payees of which tokens are watched, so that blocks full of other people's transfers
// cost no query. It is rebuilt at start and follows the payments table by its changes.
type watchIndex struct {
	mu       sync.Mutex // guards everything
	built    bool
	snapshot string
	payments map[settlement.PaymentID]watchKey // payment → what it watches
	payees   map[watchKey]int                  // what is watched → by how many payments
	from     map[settlement.ChainID]uint64     // chain → lowest FromBlock of payments that were added since missed was asked
}

type watchKey struct {
	chain        settlement.ChainID
	token, payee settlement.Address
}

func newWatchIndex() *watchIndex {
	return &watchIndex{
		payments: make(map[settlement.PaymentID]watchKey), payees: make(map[watchKey]int), from: make(map[settlement.ChainID]uint64),
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
		_, known := x.payments[p.ID]
		switch {
		case p.Watched && !known:
			x.add(p)
		case !p.Watched && known:
			x.remove(p.ID)
		}
	}
	x.built, x.snapshot = true, snapshot
	return nil
}

func (x *watchIndex) add(p store.WatchedPayment) {
	key := watchKey{p.Chain, p.Token, p.Payee}
	x.payments[p.ID] = key
	x.payees[key]++
	if from, ok := x.from[p.Chain]; p.Fresh && (!ok || p.FromBlock < from) {
		x.from[p.Chain] = p.FromBlock
	}
}

func (x *watchIndex) remove(id settlement.PaymentID) {
	key := x.payments[id]
	delete(x.payments, id)
	if x.payees[key]--; x.payees[key] == 0 {
		delete(x.payees, key)
	}
}

// watched reports whether any payment waits for the token at the payee.
func (x *watchIndex) watched(chain settlement.ChainID, token, payee settlement.Address) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.payees[watchKey{chain, token, payee}] > 0
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
