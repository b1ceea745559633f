package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	escrow "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
)

// rehearse rehearses with the rig's token and wallet, and makes blocks meanwhile; say is told how far it is.
func (r *rig) rehearse(ctx context.Context, runner *jobs.Runner, wallet func(jobs.Mover) jobs.Mover, say func(string)) error {
	r.t.Helper()
	mover, err := escrow.NewMover(r.t.Context(), escrow.MoverConfig{
		Chain: r.chainID(), Endpoints: []escrow.Endpoint{{Name: "proxy", URL: r.rpc.URL()}}, Signer: keySigner{r.wallet}, Depth: 2, MaxFee: big.NewInt(1e12),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	defer mover.Close()
	code, err := mover.Code(ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- runner.Rehearse(ctx, jobs.Rehearsing{
			Chain: r.chainID(), Token: raw(r.token), Code: code, Wallet: wallet(mover), Transfer: escrow.TransferCall, Pay: escrow.PayCall, Reclaim: escrow.ReclaimCall,
			Say: func(format string, args ...any) { say(fmt.Sprintf(format, args...)) },
		})
	}()
	for {
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Millisecond):
			r.chain.Commit()
		}
	}
}

func (r *rig) mintToWallet() {
	r.t.Helper()
	if err := devnet.MintTestToken(r.t.Context(), r.chain, r.payer, r.token, address(r.wallet), big.NewInt(1)); err != nil {
		r.t.Fatal(err)
	}
}

// rehearsed makes a rig whose vaults must be rehearsed first.
func (r *rig) rehearsed(e *jobs.Escrow) {
	code, err := e.Mover.(*escrow.Mover).Code(r.t.Context()) //nolint:forcetypeassert // as newEscrow made it
	if err != nil {
		r.t.Fatal(err)
	}
	e.Code = &code
}

// No vault is handed out before one base unit went the whole way; a rehearsal that is broken off anywhere is continued, beside a running
// service that holds the operator's nonces, and moves nothing twice.
func TestVaultsWaitForARehearsal(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(), func(s *setup) { s.idle = true })
	r.setup.escrow = r.rehearsed
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	doctor := r.newRunner(r.setup)
	_, err := r.instrument(nil)
	if refusal, ok := errors.AsType[*jobs.VaultRefusal](err); !ok || refusal.Code != rails.VaultUnrehearsed {
		t.Errorf("asked for a vault: %v", err)
	}
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateNeedsReview)
	if p.Reason != rails.VaultUnrehearsed || !strings.Contains(p.Detail, "doctor --rehearse") {
		t.Errorf("%s: %s", p.Reason, p.Detail)
	}
	plain := func(m jobs.Mover) jobs.Mover { return m }
	if err := r.rehearse(t.Context(), doctor, plain, func(string) {}); err == nil || !strings.Contains(err.Error(), "one base unit") || r.walletNonce() != 0 {
		t.Errorf("a wallet without the token: %v, %d transactions", err, r.walletNonce())
	}
	r.mintToWallet()
	for _, point := range []string{"before the deposit is signed", "deposit is final", "pay is final"} {
		ctx, cancel := context.WithCancel(t.Context())
		err := r.rehearse(ctx, doctor, func(m jobs.Mover) jobs.Mover {
			return signing{m, func(*settlement.Call) error {
				if strings.HasPrefix(point, "before") {
					cancel()
				}
				return ctx.Err()
			}}
		}, func(said string) {
			if strings.HasPrefix(said, point) {
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("broken off %s: %v", point, err)
		}
	}
	if _, err := r.instrument(nil); err == nil {
		t.Error("a vault is handed out after half a rehearsal")
	}
	if err := r.chain.Skip(2 * time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := r.rehearse(t.Context(), doctor, plain, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if r.walletNonce() != 2 || r.operatorNonce() != 1 || r.balanceOf(address(r.wallet)) != 1 {
		t.Errorf("the wallet has made %d transactions and the operator %d, and the wallet has %d; want 2, 1 and the unit", r.walletNonce(), r.operatorNonce(), r.balanceOf(address(r.wallet)))
	}
	if _, err := r.instrument(nil); err != nil {
		t.Error(err)
	}
	if results, err := r.runner.Advance(t.Context(), settlement.Event{ID: "again", Payment: p.ID, Kind: settlement.EventRetried}); err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	r.await(order, false, settlement.StateAwaitingPayment)

	other := r.setup
	other.escrow = func(e *jobs.Escrow) {
		e.Code = &settlement.VaultCode{Factory: settlement.Address(escrow.Factory[:]), Hash: [32]byte{1}}
	}
	r.runner = r.newRunner(other)
	_, err = r.instrument(func(q *jobs.VaultRequest) { q.Reference = "quote 2" })
	if refusal, ok := errors.AsType[*jobs.VaultRefusal](err); !ok || refusal.Code != rails.VaultUnrehearsed {
		t.Errorf("asked for a vault of other code: %v", err)
	}
}

// A rehearsal whose payment is reverted is given up, and the next one begins anew; the first unit stays its payer's.
func TestRehearsalThatFails(t *testing.T) {
	t.Parallel()
	r := newRig(t, held(), func(s *setup) { s.idle = true })
	var payments atomic.Int64
	r.setup.escrow = func(e *jobs.Escrow) {
		e.Mover = signing{e.Mover, func(call *settlement.Call) error {
			if payments.Add(1) == 1 {
				call.Gas = 60_000
			}
			return nil
		}}
	}
	r.runner = r.newRunner(r.setup)
	plain := func(m jobs.Mover) jobs.Mover { return m }
	r.mintToWallet()
	var asked atomic.Int64 // an endpoint that does not answer at first is asked again
	r.rpc.Handle(func(method string) chaintest.Answer {
		if method == "eth_getTransactionCount" && asked.Add(1) <= 3 {
			return chaintest.Answer{Status: http.StatusServiceUnavailable}
		}
		return chaintest.Pass
	})
	if err := r.rehearse(t.Context(), r.runner, plain, func(string) {}); err == nil || !strings.Contains(err.Error(), "it would be carried out") {
		t.Fatalf("a payment that is reverted: %v", err)
	}
	r.mintToWallet()
	if err := r.rehearse(t.Context(), r.runner, plain, func(said string) {
		if strings.Contains(said, "is possible from") {
			if err := r.chain.Skip(2 * time.Minute); err != nil {
				t.Error(err)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if r.walletNonce() != 3 || r.operatorNonce() != 2 || r.balanceOf(address(r.wallet)) != 1 {
		t.Errorf("the wallet has made %d transactions and the operator %d, and the wallet has %d; want 3, 2 and a unit", r.walletNonce(), r.operatorNonce(), r.balanceOf(address(r.wallet)))
	}
}
