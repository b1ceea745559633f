package jobs_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/settlement"
)

func TestPairingSessionEndsInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*rig){
		"it expires":    func(r *rig) { r.market.ExpireSessions() },
		"it is refused": func(r *rig) { r.market.InvalidateTokens() },
		"we restart": func(r *rig) {
			r.stop()
			r.runner = r.newRunner(r.setup)
			r.stop = r.start(r.runner)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			order := r.order()
			r.tell(order)
			r.await(order, false, settlement.StateAwaitingPayment)
			end(r)
			r.pay(r.payer, r.payee, 1_500_000)
			r.await(order, true, settlement.StateHeld)
			if n := len(r.market.Proofs(order)); n != 1 {
				t.Errorf("%d proofs, want 1", n)
			}
			if n := len(r.market.Pairings(r.machine)); n != 2 {
				t.Errorf("%d pairings, want the buyer's and one of ours", n)
			}
		})
	}
}

// The orchestrator has no endpoint for the chain: it can only record our word.
func TestProofIsRecordedWhereItCannotBeChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.market.SetRPC(string(r.chainID()), "")
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
	proofs := r.market.Proofs(order)
	if len(proofs) != 1 || proofs[0].Proof.VerificationMode != orchestration.VerificationRecorded {
		t.Errorf("proofs %+v, want one that is recorded", proofs)
	}
}

// refuseProofs answers every proof with the code.
func (r *rig) refuseProofs(status int, code orchestration.Code) {
	r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
		if strings.HasSuffix(req.URL.Path, "/payment-proof") {
			return orchestrationtest.Fault{Skip: true, Status: status, Code: code}
		}
		return orchestrationtest.Fault{}
	})
}

func TestOrchestratorRefusesOurIdentity(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.refuseProofs(http.StatusForbidden, orchestration.CodeAgentPolicyDenied)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	r.eventually("the payment is observed", func() error {
		r.chain.Commit()
		p, err := r.payment(order)
		if err != nil {
			return err
		}
		if p.State != settlement.StateVerified || !p.Observed {
			return errNotYet
		}
		return nil
	})
}

func TestOrchestratorRefusesTheProof(t *testing.T) {
	t.Parallel()
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.refuseProofs(http.StatusConflict, orchestration.CodeOrderClosed)
		order := r.order()
		r.tell(order)
		r.await(order, false, settlement.StateAwaitingPayment)
		r.pay(r.payer, r.payee, 1_500_000)
		p := r.await(order, true, settlement.StateNeedsReview)
		if p.Reason != jobs.ProofRefused || !p.Settled() {
			t.Errorf("reason %s, settled %t; want %s and what the chain says", p.Reason, p.Settled(), jobs.ProofRefused)
		}
	})
	t.Run("because its endpoint lags", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.refuseProofs(http.StatusConflict, orchestration.CodePaymentNotMined)
		order := r.order()
		r.tell(order)
		r.await(order, false, settlement.StateAwaitingPayment)
		r.pay(r.payer, r.payee, 1_500_000)
		r.await(order, true, settlement.StateVerified)
		r.market.Fault(nil)
		r.await(order, false, settlement.StateHeld)
	})
}

// Somebody's recorded proof of another transaction holds the payment: the books differ, and a person decides.
func TestPlatformHoldsAnotherTransaction(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.vendorProof(order, "0x"+strings.Repeat("cd", 32))
	r.pay(r.payer, r.payee, 1_500_000)
	p := r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != jobs.PlatformDiffers || !p.Settled() {
		t.Errorf("reason %s, settled %t; want %s beside our own verdict", p.Reason, p.Settled(), jobs.PlatformDiffers)
	}
}
