package orchestrationtest_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// as makes a call with the buyer's token and gives its error.
func (b *bench) as(t *testing.T, call func(orchestration.Secret) error) error {
	t.Helper()
	return b.session.Do(t.Context(), call)
}

func (b *bench) try(t *testing.T, service string) (order orchestration.MarketOrder, err error) {
	t.Helper()
	err = b.as(t, func(token orchestration.Secret) error {
		order, err = b.client.CreateMarketOrder(t.Context(), token, orchestration.CreateMarketOrderRequest{
			MachineID: "mach_1", AgentPairingID: b.pairing, ServiceID: service,
		})
		return err
	})
	return order, err
}

func (b *bench) lock(t *testing.T, orderID, hash string) error {
	t.Helper()
	return b.as(t, func(token orchestration.Secret) error {
		_, err := b.client.LockEscrowPayment(t.Context(), token, orderID, orchestration.LockEscrowPaymentRequest{
			TransactionHash: hash, Chain: "eip155:31337", EscrowAddress: payee,
		})
		return err
	})
}

func (b *bench) refund(t *testing.T, orderID string) error {
	t.Helper()
	return b.as(t, func(token orchestration.Secret) error {
		_, err := b.client.RefundPayment(t.Context(), token, orderID, nil)
		return err
	})
}

// recorded is a proof that nobody looks at.
func recorded(p *orchestration.PaymentProof) { p.VerificationMode = orchestration.VerificationRecorded }

// TestSwitches turns each switch: what is done without it, and with it. Either
// side is an error's code, or "" for success.
func TestSwitches(t *testing.T) {
	t.Parallel()
	type switches = orchestrationtest.Switches
	for _, test := range []struct {
		name    string
		turn    func(*switches)
		do      func(*testing.T, *bench) error
		without orchestration.Code
		with    orchestration.Code
	}{
		{"keyWithToken", func(s *switches) { s.KeyWithToken = true }, func(t *testing.T, b *bench) error {
			var tok string
			b.do(t, func(token orchestration.Secret) error { tok = string(token); return nil })
			code, _ := b.post(t, "/market/search", tok, "{}") // without the key
			return codeError(code)
		}, "", orchestration.CodeAuthRequired},
		{"noPairingAuth", func(s *switches) { s.NoPairingAuth = true }, func(t *testing.T, b *bench) error {
			code, _ := b.post(t, "/market/orders", "", `{"machineId":"mach_1","agentPairingId":"`+b.pairing+`","serviceId":"svc"}`)
			return codeError(code)
		}, orchestration.CodeAgentAuthRequired, ""},
		{"noIdentityProof", func(s *switches) { s.NoIdentityProof = true }, func(t *testing.T, b *bench) error {
			_, err := b.client.CreateMachine(t.Context(), orchestration.CreateMachineRequest{DisplayName: "d", OwnerID: "o", MachineType: "t", RuntimeProfile: "p"})
			return err
		}, orchestration.CodeMachineIdentityProofRequired, ""},
		{"registryDown", func(s *switches) { s.RegistryDown = true }, func(t *testing.T, b *bench) error {
			_, err := b.client.CreateMachineIdentityChallenge(t.Context(), "did:peaq:2")
			return err
		}, "", orchestration.CodeIdentityUnavailable},
		{"refuseTypeWithoutBody", func(s *switches) { s.RefuseTypeWithoutBody = true }, func(t *testing.T, b *bench) error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.url+"/api/v1/health", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
			if res.StatusCode == http.StatusBadRequest {
				return orchestration.CodeValidation
			}
			return nil
		}, "", orchestration.CodeValidation},
		{"allowWins", func(s *switches) { s.AllowWins = true }, func(t *testing.T, b *bench) error {
			b.limit(t, orchestration.DelegationPolicy{AllowedServiceIDs: []string{"svc"}, DeniedServiceIDs: []string{"svc"}})
			_, err := b.try(t, "svc")
			return err
		}, orchestration.CodeAgentPolicyDenied, ""},
		{"emptyAllowsNone", func(s *switches) { s.EmptyAllowsNone = true }, func(t *testing.T, b *bench) error {
			_, err := b.try(t, "svc")
			return err
		}, "", orchestration.CodeAgentPolicyDenied},
		{"keepRefundsSpent", func(s *switches) { s.KeepRefundsSpent = true }, func(t *testing.T, b *bench) error {
			b.limit(t, orchestration.DelegationPolicy{DailySpendLimit: "3"})
			b.held(t)
			if err := b.refund(t, b.order.ID); err != nil {
				t.Fatal(err)
			}
			_, err := b.try(t, "svc")
			return err
		}, "", orchestration.CodeAgentDailyLimitExceeded},
		{"enforceRails", func(s *switches) { s.EnforceRails = true }, func(t *testing.T, b *bench) error {
			return b.as(t, func(token orchestration.Secret) error {
				_, err := b.client.CreatePaymentIntent(t.Context(), token, b.order.ID, orchestration.PaymentIntentRequest{
					Rail: &orchestration.RailDetails{Type: orchestration.RailVaultStripe},
				})
				return err
			})
		}, "", orchestration.CodeValidation},
		{"proofWithoutIntent", func(s *switches) { s.ProofWithoutIntent = true }, func(t *testing.T, b *bench) error {
			_, err := b.prove(t, recorded)
			return err
		}, orchestration.CodeNotFound, ""},
		{"repeatProof", func(s *switches) { s.RepeatProof = true }, func(t *testing.T, b *bench) error {
			b.held(t)
			_, err := b.prove(t, recorded)
			return err
		}, orchestration.CodeValidation, ""},
		{"repeatProof of another transaction", func(s *switches) { s.RepeatProof = true }, func(t *testing.T, b *bench) error {
			b.held(t)
			_, err := b.prove(t, func(p *orchestration.PaymentProof) {
				recorded(p)
				p.TransactionHash = "0x" + strings.Repeat("2f", 32)
			})
			return err
		}, orchestration.CodeValidation, orchestration.CodeValidation},
		{"onceOnly", func(s *switches) { s.OnceOnly = true }, func(t *testing.T, b *bench) error {
			b.held(t)
			b.order = b.place(t, "svc")
			b.intent(t, b.order.ID)
			_, err := b.prove(t, recorded)
			return err
		}, "", orchestration.CodeValidation},
		{"onceOnly for locks", func(s *switches) { s.OnceOnly = true }, func(t *testing.T, b *bench) error {
			b.held(t)
			vault := b.place(t, "vault")
			b.intent(t, vault.ID)
			return b.lock(t, vault.ID, hash)
		}, "", orchestration.CodeValidation},
		{"compareProof", func(s *switches) { s.CompareProof = true }, func(t *testing.T, b *bench) error {
			b.intent(t, b.order.ID)
			_, err := b.prove(t, func(p *orchestration.PaymentProof) {
				recorded(p)
				p.Amount = "1.999999"
			})
			return err
		}, "", orchestration.CodeValidation},
		{"lockAnyRail", func(s *switches) { s.LockAnyRail = true }, func(t *testing.T, b *bench) error {
			b.intent(t, b.order.ID)
			return b.lock(t, b.order.ID, hash)
		}, orchestration.CodeValidation, ""},
		{"payoutCode", func(s *switches) { s.PayoutCode = "PAYMENT_NOT_RELEASABLE" }, func(t *testing.T, b *bench) error {
			b.intent(t, b.order.ID)
			return b.refund(t, b.order.ID)
		}, orchestration.CodeValidation, "PAYMENT_NOT_RELEASABLE"},
		{"refundFrom", func(s *switches) { s.RefundFrom = []orchestration.PaymentStatus{orchestration.PaymentFrozen} }, func(t *testing.T, b *bench) error {
			b.held(t)
			return b.refund(t, b.order.ID)
		}, "", orchestration.CodeValidation},
		{"disputeFrom", func(s *switches) { s.DisputeFrom = []orchestration.OrderStatus{orchestration.OrderDelivered} }, func(t *testing.T, b *bench) error {
			return b.as(t, func(token orchestration.Secret) error {
				_, err := b.client.DisputeMarketOrder(t.Context(), token, b.order.ID, orchestration.DisputeMarketOrderRequest{Reason: "r"})
				return err
			})
		}, "", orchestration.CodeValidation},
		{"closed", func(s *switches) { s.Closed = []orchestration.OrderStatus{orchestration.OrderCreated} }, func(t *testing.T, b *bench) error {
			return b.as(t, func(token orchestration.Secret) error {
				_, err := b.client.CreatePaymentIntent(t.Context(), token, b.order.ID, orchestration.PaymentIntentRequest{})
				return err
			})
		}, "", orchestration.CodeOrderClosed},
		{"noHandoffConfirm", func(s *switches) { s.NoHandoffConfirm = true }, func(t *testing.T, b *bench) error {
			away := b.place(t, "away")
			return b.as(t, func(token orchestration.Secret) error {
				if _, err := b.client.ExecuteMarketOrder(t.Context(), token, away.ID, orchestration.ExecuteMarketOrderRequest{}); err != nil {
					return err
				}
				_, err := b.client.ConfirmMarketOrder(t.Context(), token, away.ID)
				return err
			})
		}, "", orchestration.CodeOrderNotDelivered},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for turned, want := range map[bool]orchestration.Code{false: test.without, true: test.with} {
				b := newBench(t, orchestrationtest.Config{APIKey: "k", Now: noon})
				if turned {
					b.Switch(test.turn)
				}
				err := test.do(t, b)
				if want == "" && err != nil || want != "" && !errors.Is(err, want) {
					t.Errorf("turned %t: got %v, want %q", turned, err, want)
				}
			}
		})
	}
}

// codeError is a code as the error that it is; nil for "".
func codeError(code orchestration.Code) error {
	if code == "" {
		return nil
	}
	return code
}

// held brings the bench's order to a held payment.
func (b *bench) held(t *testing.T) {
	t.Helper()
	b.intent(t, b.order.ID)
	if _, err := b.prove(t, recorded); err != nil {
		t.Fatal(err)
	}
}

// limit gives the buyer's pairing a policy; the session rotates by itself.
func (b *bench) limit(t *testing.T, policy orchestration.DelegationPolicy) {
	t.Helper()
	if _, err := b.client.UpdateAgentPairing(t.Context(), "mach_1", b.pairing, orchestration.UpdateAgentPairingRequest{DelegationPolicy: &policy}); err != nil {
		t.Fatal(err)
	}
}

func TestSwitchesThatChangeAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	b.Switch(func(s *orchestrationtest.Switches) {
		s.HonourAmount, s.ChainsAsCAIP2, s.SolanaAsHash, s.NewestFirst = true, true, true, true
	})
	var payment orchestration.MarketPayment
	b.do(t, func(token orchestration.Secret) (err error) {
		payment, err = b.client.CreatePaymentIntent(t.Context(), token, b.order.ID, orchestration.PaymentIntentRequest{
			Amount: "1e-3", Currency: "EUR", Rail: &orchestration.RailDetails{Type: orchestration.RailWallet, Chain: "Base"},
		})
		return err
	})
	if payment.Amount != "1e-3" || payment.Currency == nil || *payment.Currency != "EUR" || payment.Rail.Chain != "eip155:8453" {
		t.Errorf("intent: %+v", payment)
	}
	payment, err := b.prove(t, func(p *orchestration.PaymentProof) {
		p.Chain, p.TransactionHash, p.TransactionSignature = "solana", "", "5VER"
	})
	if err != nil || payment.Proof.TransactionHash != "5VER" || payment.Proof.Chain != "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp" {
		t.Errorf("solana: %+v, %v", payment.Proof, err)
	}
	want := []string{b.place(t, "free").ID, b.order.ID}
	want = append([]string{b.place(t, "svc").ID}, want...)
	var got []string
	for order, err := range b.client.AllMarketOrders(t.Context(), "mach_1", orchestration.Page{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, order.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("newest first: got %v, want %v", got, want)
	}
}
