package jobs_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
)

// Bad days between the service and the orchestrator, each with the state that it must end in. The orchestrator is the
// acting one over HTTP; what goes wrong happens between two of our calls, or while one is on its way.

// ours is the pairing that the service made for itself.
func (r *rig) ours() orchestration.AgentPairing {
	r.t.Helper()
	for _, each := range r.market.Pairings(r.machine) {
		if each.AgentRole == "settlement" && each.Status != orchestration.PairingRevoked {
			return each
		}
	}
	r.t.Fatal("the service has no pairing")
	return orchestration.AgentPairing{}
}

// update changes our pairing as the machine's owner does.
func (r *rig) update(change orchestration.UpdateAgentPairingRequest) {
	r.t.Helper()
	if _, err := r.client.UpdateAgentPairing(r.t.Context(), r.machine, r.ours().ID, change); err != nil {
		r.t.Fatal(err)
	}
}

// before does something just before the first call of the method whose path ends so is answered.
func (r *rig) before(method, end string, do func()) {
	var done atomic.Bool
	r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
		if req.Method == method && strings.HasSuffix(req.URL.Path, end) && !done.Swap(true) {
			do()
		}
		return orchestrationtest.Fault{}
	})
}

// placed is an order that the payer knows how to pay.
func (r *rig) placed() string {
	r.t.Helper()
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	return order
}

// proven fails unless the order is held by one proof of ours.
func (r *rig) proven(order string) {
	r.t.Helper()
	r.await(order, true, settlement.StateHeld)
	if n := len(r.market.Proofs(order)); n != 1 {
		r.t.Errorf("%d proofs, want 1", n)
	}
}

func TestTokenRevokedInFlight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.placed()
	first := r.ours()
	r.before(http.MethodPost, "/payment-proof", func() { // it carries the token of the pairing that ends now
		first.Status = orchestration.PairingRevoked
		r.market.PutPairing(first)
	})
	r.pay(r.payer, r.payee, 1_500_000)
	r.proven(order)
	if second := r.ours(); second.ID == first.ID {
		t.Errorf("it still acts with the revoked pairing %s", first.ID)
	}
}

func TestPairingPaused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.placed()
	r.update(orchestration.UpdateAgentPairingRequest{Status: orchestration.PairingPaused})
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateVerified)
	r.eventually("the log says that the pairing is paused", func() error { return r.logged("WARN", "work postponed", order, "paused") })
	if p, err := r.payment(order); err != nil || p.State != settlement.StateVerified || p.Observed {
		t.Errorf("%s, observed %t, %v; a person paused the pairing and may let it go on", p.State, p.Observed, err)
	}
	if n := len(r.market.Pairings(r.machine)); n != 2 {
		t.Errorf("%d pairings, want the buyer's and ours: a paused one is not worked around", n)
	}
	r.update(orchestration.UpdateAgentPairingRequest{Status: orchestration.PairingActive})
	r.proven(order)
}

func TestPolicyChanged(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.placed()
	pairing := r.ours()
	// Any change of the policy ends the session.
	r.update(orchestration.UpdateAgentPairingRequest{DelegationPolicy: &orchestration.DelegationPolicy{PerTransactionLimit: "10", Currency: "TUSD"}})
	r.pay(r.payer, r.payee, 1_500_000)
	r.proven(order)
	if after := r.ours(); after.ID != pairing.ID {
		t.Errorf("pairing %s, want %s with a new session", after.ID, pairing.ID)
	}
}

func TestQuoteExpired(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	r := newRig(t, func(s *setup) {
		s.market.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	order := r.order()
	ahead.Store(int64(time.Hour))
	// The buyer who comes too late has no order.
	late := r.buyer.Do(t.Context(), func(token orchestration.Secret) error {
		placed, err := r.client.GetMarketOrder(t.Context(), order)
		if err != nil {
			return err
		}
		_, err = r.client.CreateMarketOrder(t.Context(), token, orchestration.CreateMarketOrderRequest{
			MachineID: r.machine, AgentPairingID: r.agentID, ServiceID: r.service, SearchID: *placed.SearchID, QuoteID: *placed.QuoteID,
		})
		return err
	})
	if !errors.Is(late, orchestration.CodeQuoteExpired) || orchestration.OutcomeOf(late) != orchestration.NotActed {
		t.Errorf("got %v, want QUOTE_EXPIRED", late)
	}
	// An order that was placed in time keeps its price.
	r.tell(order)
	if p := r.await(order, false, settlement.StateAwaitingPayment); p.Terms.Amount != settlement.NewAmount(1_500_000) {
		t.Errorf("amount %s, want the quote's", p.Terms.Amount)
	}
}

func TestOrderClosedBetweenTwoCalls(t *testing.T) {
	t.Parallel()
	t.Run("before our intent", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		order := r.order()
		r.before(http.MethodPost, "/payment-intent", func() {
			r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = orchestration.OrderCancelled })
		})
		r.tell(order)
		if p := r.await(order, false, settlement.StateNeedsReview); p.Reason != rails.OrderClosed || p.Terms.Payee != "" {
			t.Errorf("reason %s, payee %q; want %s, and nobody told to pay", p.Reason, p.Terms.Payee, rails.OrderClosed)
		}
	})
	t.Run("before our proof", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		order := r.placed()
		r.before(http.MethodPost, "/payment-proof", func() {
			r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = orchestration.OrderCancelled })
		})
		r.pay(r.payer, r.payee, 1_500_000)
		if p := r.await(order, true, settlement.StateNeedsReview); p.Reason != jobs.ProofRefused || !p.Settled() {
			t.Errorf("reason %s, settled %t; want %s and the money known", p.Reason, p.Settled(), jobs.ProofRefused)
		}
	})
}

// The buyer's own tool proves the same transaction a moment before us: our proof is refused, and it stands there.
func TestSameProofTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.placed()
	hash := r.pay(r.payer, r.payee, 1_500_000)
	var posted atomic.Bool
	r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
		if req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/payment-proof") && !posted.Swap(true) {
			payment, _ := r.market.Payment(order)
			payment.Status = orchestration.PaymentHeld
			payment.Proof = &orchestration.Proof{TransactionHash: hash.Hex(), VerificationMode: orchestration.VerificationRecorded}
			r.market.PutPayment(payment)
		}
		return orchestrationtest.Fault{}
	})
	p := r.await(order, true, settlement.StateHeld)
	if n := len(r.market.Proofs(order)); n != 0 || !posted.Load() || !p.Settled() {
		t.Errorf("%d proofs of ours were taken, posted %t, settled %t; want the one that stood there", n, posted.Load(), p.Settled())
	}
}

// A buyer proves a second order with the transaction that paid the first.
func TestProofForAnotherOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.placed()
	hash := r.pay(r.payer, r.payee, 1_500_000)
	r.proven(first)
	second := r.placed()
	r.vendorProof(second, hash.Hex())
	r.tell(second)
	p := r.await(second, true, settlement.StateNeedsReview)
	if p.Settled() || p.Platform != string(orchestration.PaymentHeld) || p.Reason != jobs.PlatformDiffers {
		t.Errorf("settled %t, platform %q, reason %s (%s); want both sides shown", p.Settled(), p.Platform, p.Reason, p.Detail)
	}
}

// Either clock may be an hour off: the payment is found and proven all the same.
func TestClockAnHourOff(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ ours, theirs time.Duration }{
		"ours ahead":           {ours: time.Hour},
		"ours behind":          {ours: -time.Hour},
		"orchestrator's ahead": {theirs: time.Hour}, "orchestrator's behind": {theirs: -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(s *setup) {
				s.idle, s.deadline = true, 2*time.Hour
				s.market.Now = func() time.Time { return time.Now().Add(c.theirs) }
			})
			r.ahead.Store(int64(c.ours))
			r.stop = r.start(r.runner)
			order := r.placed()
			r.pay(r.payer, r.payee, 1_500_000)
			r.proven(order)
		})
	}
	// Behind by more than the payer has: the money is seen and a person is asked, who is told why.
	t.Run("ours behind by more than the deadline", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, func(s *setup) { s.idle, s.deadline, s.grace = true, 10*time.Minute, time.Minute })
		r.ahead.Store(int64(-time.Hour))
		r.stop = r.start(r.runner)
		order := r.placed()
		r.pay(r.payer, r.payee, 1_500_000)
		p := r.await(order, true, settlement.StateNeedsReview)
		if p.Reason != settlement.PaymentLate || !p.HasFlag(settlement.FlagLate) {
			t.Errorf("reason %s, flags %v; want %s", p.Reason, p.Flags, settlement.PaymentLate)
		}
	})
}

// What is said about our pairing on the way to a write is no refusal of the write.
func TestPairingRefusedOnTheWay(t *testing.T) {
	t.Parallel()
	refuse := func(r *rig, code orchestration.Code) {
		r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
			if req.Method == http.MethodPost && (strings.HasSuffix(req.URL.Path, "/challenges") || strings.HasSuffix(req.URL.Path, "/sessions")) {
				return orchestrationtest.Fault{Skip: true, Status: http.StatusBadRequest, Code: code}
			}
			return orchestrationtest.Fault{}
		})
	}
	for _, code := range []orchestration.Code{orchestration.CodeValidation, orchestration.CodeOrderClosed, orchestration.CodeAgentPolicyDenied} {
		t.Run("intent "+string(code), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			refuse(r, code)
			order := r.order()
			r.tell(order)
			r.eventually("it was tried", func() error { return r.logged("WARN", "work postponed", order, "pair with machine") })
			if p, err := r.payment(order); err != nil || p.State != settlement.StateNew || p.Observed {
				t.Errorf("%s (%s), observed %t, %v; want it to wait", p.State, p.Reason, p.Observed, err)
			}
			r.market.Fault(nil)
			r.await(order, false, settlement.StateAwaitingPayment)
		})
		t.Run("proof "+string(code), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			order := r.placed()
			r.market.ExpireSessions()
			refuse(r, code)
			r.pay(r.payer, r.payee, 1_500_000)
			r.await(order, true, settlement.StateVerified)
			r.eventually("it was tried", func() error { return r.logged("WARN", "work postponed", order, "pair with machine") })
			if p, err := r.payment(order); err != nil || p.State != settlement.StateVerified || p.Observed {
				t.Errorf("%s (%s), observed %t, %v; want it to wait", p.State, p.Reason, p.Observed, err)
			}
			r.market.Fault(nil)
			r.proven(order)
		})
	}
}

// The orchestrator takes writes from the order's own pairing only: the order is looked after all the same.
func TestOrchestratorTakesTheBuyersWritesOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setup) { s.market.BuyerOnly = true })
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	if !p.Observed || p.Terms.Amount != settlement.NewAmount(1_500_000) {
		t.Errorf("observed %t, amount %s; want the order's own terms", p.Observed, p.Terms.Amount)
	}
	r.pay(r.payer, r.payee, 1_500_000)
	p = r.await(order, true, settlement.StateVerified)
	if !p.Observed || r.market.Intents(order) != 0 || len(r.market.Proofs(order)) != 0 {
		t.Errorf("observed %t, %d intents, %d proofs; want our verdict alone", p.Observed, r.market.Intents(order), len(r.market.Proofs(order)))
	}
}

// An answer about something else is not believed of what was asked for.
func TestAnswerOfAnotherOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	paid := r.placed()
	r.pay(r.payer, r.payee, 1_500_000)
	r.proven(paid)
	other, _ := r.market.Payment(paid)
	order := r.order()
	r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
		if req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, order+"/payment") {
			text, err := other.MarshalJSON()
			if err != nil {
				t.Error(err)
			}
			return orchestrationtest.Fault{Skip: true, Body: `{"item":` + string(text) + `}`}
		}
		return orchestrationtest.Fault{}
	})
	r.tell(order)
	r.eventually("it was tried", func() error { return r.logged("WARN", "work postponed", order, "answers that of "+paid) })
	if p, err := r.payment(order); err != nil || p.State != settlement.StateNew || p.Platform != "" {
		t.Errorf("%s, platform %q, %v; want it to wait", p.State, p.Platform, err)
	}
	r.market.Fault(nil)
	r.await(order, false, settlement.StateAwaitingPayment)
}
