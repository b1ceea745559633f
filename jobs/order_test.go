package jobs_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

func TestOrderIsPaidFoundAndProven(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	hash := r.pay(r.payer, r.payee, 1_500_000)
	p := r.await(order, true, settlement.StateHeld)

	if got := common.BytesToHash([]byte(p.PaidBy)); got != hash {
		t.Errorf("paid by %s, want %s", got, hash)
	}
	proofs := r.market.Proofs(order)
	if len(proofs) != 1 || proofs[0].Proof.VerificationMode != orchestration.VerificationRPC || !strings.EqualFold(proofs[0].Proof.TransactionHash, hash.Hex()) {
		t.Errorf("accepted proofs %+v, want one in rpc mode of %s", proofs, hash)
	}
	if n := r.market.Intents(order); n != 1 {
		t.Errorf("%d intents, want 1", n)
	}
	read, err := r.client.GetMarketOrder(t.Context(), order)
	if err != nil || read.Status != orchestration.OrderReady {
		t.Errorf("order %s at the orchestrator (%v), want ready", read.Status, err)
	}
	want := []settlement.EventKind{
		settlement.EventOrderOpened, settlement.EventIntentReady, settlement.EventTransferSeen, settlement.EventPaymentConfirmed,
		settlement.EventProofAccepted,
	}
	if got := r.history(p); !slices.Equal(got, want) {
		t.Errorf("history %v, want %v", got, want)
	}
}

// The buyer of the vendor makes the intent and pays before the marketplace's webhook is sent.
func TestPaidBeforeTheOrderIsHeardOf(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.chain.Commit()
	order := r.order()
	r.vendorIntent(order, nil)
	r.pay(r.payer, r.payee, 1_500_000)
	r.chain.Commit()
	r.eventually("the block is scanned", func() error { return r.scanned() })
	r.tell(order)
	p := r.await(order, true, settlement.StateHeld)
	if n := r.market.Intents(order); n != 1 || !p.Settled() {
		t.Errorf("%d intents, settled %t; want the vendor's one adopted and settled", n, p.Settled())
	}
}

func TestOrdersThatNeedAPerson(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*setup)
		reason settlement.Code
	}{
		{"rail without executor", func(s *setup) { s.rail = "x402" }, rails.RailUnsupported},
		{"unknown chain", advise(func(a *orchestration.RailRecommendation) { a.Chain = "nowhere" }), settlement.ChainUnsupported},
		{"unknown token", advise(func(a *orchestration.RailRecommendation) { a.TokenAddress = "0x" + strings.Repeat("12", 20) }), settlement.TokenUnsupported},
		{"payee missing", advise(func(a *orchestration.RailRecommendation) { a.PayeeAddress = "" }), rails.PayeeMissing},
		{"zero price", func(s *setup) { s.price = "0" }, rails.AmountZero},
		{"price below one base unit", func(s *setup) { s.price = "0.0000001" }, rails.AmountZero},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, tt.change)
			order := r.order()
			r.tell(order)
			p := r.await(order, false, settlement.StateNeedsReview)
			if p.Reason != tt.reason || p.Detail == "" {
				t.Errorf("reason %s (%q), want %s with a detail", p.Reason, p.Detail, tt.reason)
			}
			if n := r.market.Intents(order); n != 0 {
				t.Errorf("%d intents were made for an order that nobody may pay", n)
			}
		})
	}
}

func TestPayeeEqualToPayerNeedsAPerson(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.orderWith(func(a *orchestration.RailRecommendation) { a.PayeeAddress = address(r.payer).Hex() })
	r.tell(order)
	if p := r.await(order, false, settlement.StateNeedsReview); p.Reason != rails.PayerIsPayee {
		t.Errorf("reason %s, want %s", p.Reason, rails.PayerIsPayee)
	}
}

func TestOrderWithoutPaymentIsClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setup) { s.rail = "not-required" }, advise(func(a *orchestration.RailRecommendation) { a.Required = false }))
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateClosed)
}

func TestRoundedPriceIsRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(s *setup) { s.price = "0.0000015" })
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	if !p.Terms.Rounded || p.Terms.Amount != settlement.NewAmount(2) {
		t.Errorf("amount %s, rounded %t; want 2, true", p.Terms.Amount, p.Terms.Rounded)
	}
}

func TestIntentOfTheBuyer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(*orchestration.RailDetails)
		reason settlement.Code // empty: adopted
	}{
		{"with the order's terms", func(*orchestration.RailDetails) {}, ""},
		{"with an invented payee", func(d *orchestration.RailDetails) { d.PayeeAddress = "0x" + strings.Repeat("66", 20) }, rails.IntentDiffers},
		{"with a raw amount below the price", func(d *orchestration.RailDetails) {
			d.Metadata = map[string]rawJSON{"rawAmount": rawJSON(`"1"`)}
		}, rails.AmountConflict},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			order := r.order()
			r.vendorIntent(order, tt.change)
			r.tell(order)
			p := r.await(order, false, settlement.StateNeedsReview, settlement.StateAwaitingPayment)
			if p.Reason != tt.reason {
				t.Errorf("%s with reason %q (%s), want reason %q", p.State, p.Reason, p.Detail, tt.reason)
			}
		})
	}
}

// Somebody's recorded proof holds the payment at the orchestrator. It is a hint where to look, no more.
func TestHeldByAnUncheckedProof(t *testing.T) {
	t.Parallel()
	t.Run("of the real payment", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		order := r.order()
		r.vendorIntent(order, nil)
		hash := r.pay(r.payer, r.payee, 1_500_000)
		r.chain.Commit()
		r.vendorProof(order, hash.Hex())
		r.tell(order)
		p := r.await(order, true, settlement.StateHeld)
		if p.Platform != string(orchestration.PaymentHeld) || !p.Settled() {
			t.Errorf("platform %q, settled %t; want held and our own verdict", p.Platform, p.Settled())
		}
	})
	t.Run("of a transaction that does not exist", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		order := r.order()
		r.vendorIntent(order, nil)
		r.vendorProof(order, "0x"+strings.Repeat("ab", 32))
		r.tell(order)
		p := r.await(order, true, settlement.StateVerifying)
		if p.Platform != string(orchestration.PaymentHeld) || p.Settled() {
			t.Errorf("platform %q, settled %t; want both facts shown and nothing settled", p.Platform, p.Settled())
		}
	})
	// differs waits for the review that shows both sides, and pays then: the review does not keep the money from being seen.
	differs := func(r *rig, order string) {
		r.t.Helper()
		p := r.await(order, true, settlement.StateNeedsReview)
		if p.Reason != jobs.PlatformDiffers || p.Platform != string(orchestration.PaymentHeld) || p.Settled() || !strings.Contains(p.Detail, "held") {
			r.t.Errorf("reason %s (%s), platform %q, settled %t", p.Reason, p.Detail, p.Platform, p.Settled())
		}
		r.pay(r.payer, r.payee, 1_500_000)
		r.eventually("the payment is seen", func() error {
			r.chain.Commit()
			if p, err := r.payment(order); err != nil || !p.Settled() {
				return errors.Join(err, errNotYet)
			}
			return nil
		})
	}
	t.Run("of a transaction that pays somebody else", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		order := r.order()
		r.vendorIntent(order, nil)
		hash := r.pay(r.payer, common.HexToAddress("0x77"), 1_500_000)
		r.chain.Commit()
		r.vendorProof(order, hash.Hex())
		r.tell(order)
		differs(r, order)
	})
	t.Run("that came after our intent", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		order := r.order()
		r.tell(order)
		r.await(order, false, settlement.StateAwaitingPayment)
		hash := r.pay(r.payer, common.HexToAddress("0x77"), 1_500_000)
		r.chain.Commit()
		r.vendorProof(order, hash.Hex())
		r.tell(order)
		differs(r, order)
	})
}

func TestUnknownOrderIsKeptAndReadLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.webhook("ord_of_tomorrow", "msg_early")
	r.eventually("the reading has failed once", func() error {
		unread, err := store.UnreadWebhooks(t.Context(), r.pool, []store.WebhookKey{{Marketplace: marketplace, ID: "msg_early"}})
		if err != nil || len(unread) != 1 || unread[0].Attempts == 0 {
			return errNotYet
		}
		return nil
	})
	order := r.order()
	read, err := r.client.GetMarketOrder(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	read.ID = "ord_of_tomorrow"
	r.market.PutOrder(read)
	r.await("ord_of_tomorrow", false, settlement.StateAwaitingPayment)
}

func TestOrderCancelledBeforePayment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = orchestration.OrderCancelled })
	r.tell(order)
	p := r.await(order, false, settlement.StateClosed)
	if p.Reason != rails.OrderClosed {
		t.Errorf("reason %s, want %s", p.Reason, rails.OrderClosed)
	}
}

func TestBuyerConfirmsBeforeOurVerdict(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.vendorIntent(order, nil)
	hash := r.pay(r.payer, r.payee, 1_500_000)
	r.chain.Commit()
	r.vendorProof(order, hash.Hex())
	r.setOrder(order, func(o *orchestration.MarketOrder) { o.Status = orchestration.OrderConfirmed })
	r.setPayment(order, func(p *orchestration.MarketPayment) { p.Status = orchestration.PaymentReleasePending })
	r.tell(order)
	r.await(order, true, settlement.StateReleased)
	there, err := r.client.GetMarketPayment(t.Context(), order)
	if err != nil || there.Status != orchestration.PaymentReleased || !slices.Contains(there.Notes, "released by "+hash.Hex()) {
		t.Errorf("the orchestrator's payment is %+v (%v), want it released by the transfer", there, err)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order, p := r.opened()
	r.later(p.Terms.Deadline.Add(p.Terms.Grace))
	r.await(order, false, settlement.StateExpired)
	r.pay(r.payer, r.payee, 1_500_000)
	p = r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.PaymentLate || !p.HasFlag(settlement.FlagLate) {
		t.Errorf("reason %s, flags %v; want %s and %s", p.Reason, p.Flags, settlement.PaymentLate, settlement.FlagLate)
	}
}

// The five ways in which a call can fail, for each write of the path and for the read before it.
func TestOrchestratorFaults(t *testing.T) {
	t.Parallel()
	faults := map[string]orchestrationtest.Fault{
		"refused":     orchestrationtest.Refuse(0),
		"500":         orchestrationtest.Refuse(http.StatusInternalServerError),
		"nonsense":    orchestrationtest.Nonsense(),
		"answer lost": orchestrationtest.LoseAnswer(),
		"slow":        orchestrationtest.Slow(time.Hour), // it acts when the caller has gone
	}
	for _, call := range []string{"/payment-intent", "/payment-proof", "/payment", "/sessions", "/agent-pairings", "/challenges", "/order"} {
		for name, fault := range faults {
			t.Run(strings.Trim(call, "/")+" "+name, func(t *testing.T) {
				t.Parallel()
				r := newRig(t, func(s *setup) { s.patience = 2 * time.Second })
				order := r.order()
				left, path := 2, call
				if call == "/order" { // the reading of the order itself
					path = order
				}
				r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
					if strings.HasSuffix(req.URL.Path, path) && left > 0 {
						left--
						return fault
					}
					return orchestrationtest.Fault{}
				})
				r.tell(order)
				r.await(order, false, settlement.StateAwaitingPayment)
				r.pay(r.payer, r.payee, 1_500_000)
				r.await(order, true, settlement.StateHeld)
				if n := r.market.Intents(order); n != 1 {
					t.Errorf("%d intents, want 1", n)
				}
				if n := len(r.market.Proofs(order)); n != 1 {
					t.Errorf("%d accepted proofs, want 1", n)
				}
			})
		}
	}
}

func advise(change func(*orchestration.RailRecommendation)) func(*setup) {
	return func(s *setup) { s.advice = change }
}

func txid(t *testing.T, hash common.Hash) settlement.TxID {
	t.Helper()
	id, err := evm.ParseTxID(hash.Hex())
	if err != nil {
		t.Fatal(err)
	}
	return id
}
