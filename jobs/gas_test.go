package jobs_test

import (
	"context"
	"math/big"
	"sync/atomic"
	"testing"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
)

// What of the operator's coin is kept for another marketplace's payments pays for none of this one's; its own reserve does.
func TestGasIsKeptForOthers(t *testing.T) {
	t.Parallel()
	all, err := settlement.ParseAmount("1000000000000000000000") // what each account of the chain has at first
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		reserves jobs.GasReserves
		waits    bool
	}{
		"for another marketplace": {jobs.GasReserves{"another": all}, true},
		"for this one":            {jobs.GasReserves{marketplace: all, "another": settlement.NewAmount(1)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var of atomic.Pointer[rig]
			var looks atomic.Int64
			r := newRig(t, held(func(e *jobs.Escrow) {
				e.GasReserves = test.reserves
				e.Balance = func(ctx context.Context, address settlement.Address) (settlement.Amount, error) {
					looks.Add(1)
					balance, err := of.Load().chain.Client().BalanceAt(ctx, [20]byte([]byte(address)), nil)
					if err != nil {
						return settlement.Amount{}, err
					}
					return settlement.ParseAmount(balance.String())
				}
			}))
			of.Store(r)
			order, p := r.hold()
			r.confirm(order)
			if test.waits {
				r.eventually("it is said that the balance is kept", func() error { return r.logged("ERROR", "kept by gas_reserves", "moved=[another]") })
				r.eventually("it waits on", func() error {
					if looks.Load() < 10 { // each while it waits
						return errNotYet
					}
					return nil
				})
				if m := r.movements(p); len(m) != 1 || m[0].State != settlement.MovementApproved || r.operatorNonce() != 0 {
					t.Fatalf("movements %+v, %d transactions", m, r.operatorNonce())
				}
				operator := address(r.operator)
				if _, err := r.chain.Send(t.Context(), r.payer, &operator, big.NewInt(1), nil); err != nil {
					t.Fatal(err)
				}
			}
			r.await(order, true, settlement.StateReleased)
			if n := r.operatorNonce(); n != 1 {
				t.Errorf("%d transactions", n)
			}
		})
	}
}
