package jobs_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/settlement"
)

// A refund, or a release, is final for who has sent it, and leaves the chain before the watcher has come to its block: so the watcher has
// nothing to take back. A person sees it all the same, and the same bytes are sent again, and pay once.
func TestPayoutThatLeavesTheChainUnseen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		direct bool
		more   int // blocks: many are searched in ranges, and their hashes are not kept
	}{
		{"a refund", true, 0},
		{"a refund, and the watcher is far behind", true, 40},
		{"a release", false, 0},
		{"a release, and the watcher is far behind", false, 40},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var blind atomic.Pointer[func(settlement.Scan) (settlement.Scan, error)]
			kind, ended := held(), settlement.StateReleased
			if test.direct {
				kind, ended = givingBack(), settlement.StateRefunded
			}
			r := newRig(t, kind, seeThrough(&blind))
			var order string
			var p settlement.Payment
			if test.direct {
				r.fund(1_500_000)
				order, p = r.paid()
			} else {
				order, p = r.hold()
			}
			fork := r.chain.Commit()
			r.eventually("the watcher has come to the head", r.scanned)
			refuse := func(settlement.Scan) (settlement.Scan, error) {
				return settlement.Scan{}, errors.New("no block is read")
			}
			blind.Store(&refuse)
			payer, payee := r.balanceOf(address(r.payer)), r.balanceOf(r.payee)
			nonce, decide := r.operatorNonce, func() { r.confirm(order) }
			moved := func() int64 { return r.balanceOf(r.payee) - payee }
			if test.direct {
				nonce = r.walletNonce
				decide = func() {
					if _, err := r.giveBack(p, 0); err != nil {
						t.Fatal(err)
					}
				}
				moved = func() int64 { return r.balanceOf(address(r.payer)) - payer }
			}
			decide()
			paid := r.await(order, true, ended)
			halt(t, r, true) // so that it stays away until it was looked at
			head := r.head() + uint64(test.more)
			if err := r.chain.Fork(fork); err != nil {
				t.Fatal(err)
			}
			for r.head() <= head {
				r.chain.CommitEmpty()
			}
			if moved() != 0 || nonce() != 0 {
				t.Fatalf("%d were moved by %d transactions: the chain still has it", moved(), nonce())
			}
			blind.Store(nil)
			p = r.await(order, false, settlement.StateNeedsReview)
			if p.Reason != settlement.PayoutBroken || !strings.Contains(p.Detail, common.BytesToHash([]byte(paid.PaidOut)).Hex()) {
				t.Errorf("%s: %s", p.Reason, p.Detail)
			}
			if err := r.logged("ERROR", "has left the chain"); err != nil {
				t.Error(err)
			}
			halt(t, r, false)
			r.eventually("it is back", func() error {
				r.chain.Commit()
				var gone int
				err := r.pool.QueryRow(t.Context(), "select count(*) from signer_slots where gone_at is not null or unseen_hash is not null").Scan(&gone)
				if err == nil && gone > 0 {
					err = errNotYet
				}
				return err
			})
			if test.direct {
				decide()
			} else if _, err := r.runner.Advance(t.Context(), settlement.Event{ID: "decided", Payment: p.ID, Kind: settlement.EventReleaseDecided}); err != nil {
				t.Fatal(err)
			}
			p = r.await(order, true, ended)
			if moved() != 1_500_000 || nonce() != 1 || p.PaidOut != paid.PaidOut {
				t.Errorf("%d were moved by %d transactions, the last of them %x; want 1500000 by one, %x", moved(), nonce(), p.PaidOut, paid.PaidOut)
			}
		})
	}
}

// head is the number of the chain's latest block.
func (r *rig) head() uint64 {
	r.t.Helper()
	number, err := r.chain.Client().BlockNumber(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return number
}
