package x402_test

import (
	"encoding/json"
	"math/big"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/orchestration/x402"
)

// TestOrderIsPaid buys from a server that checks the signature with arithmetic of
// its own: intent, proof, execute, and the payment read back.
func TestOrderIsPaid(t *testing.T) {
	t.Parallel()
	asked := &orchestrationtest.Requirements{Network: "eip155:8453", Asset: usdc, PayTo: payee, Amount: "20000", MaxTimeoutSeconds: 300}
	asked.Extra.Name, asked.Extra.Version = "USD Coin", "2"
	host := httptest.NewServer(orchestrationtest.New(orchestrationtest.Config{Services: []orchestrationtest.Service{{
		ID: "svc_price", Name: "Price", ServiceType: "oracle.price-feed", X402: asked,
		Payment: orchestration.RailRecommendation{
			DefaultRail: orchestration.RailX402, Required: true, Chain: "eip155:8453", Token: "USDC", SupportedRails: []orchestration.RailType{orchestration.RailX402},
		},
	}}}))
	t.Cleanup(host.Close)
	client, err := orchestration.New(orchestration.Config{BaseURL: host.URL})
	if err != nil {
		t.Fatal(err)
	}
	wallet, err := agentkey.FromHex(devKey) // it also controls the server's identities
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	challenged, err := client.CreateMachineIdentityChallenge(ctx, "did:peaq:42")
	if err != nil {
		t.Fatal(err)
	}
	signature, err := wallet.SignMessage(ctx, []byte(challenged.Message))
	if err != nil {
		t.Fatal(err)
	}
	machine, err := client.CreateMachine(ctx, orchestration.CreateMachineRequest{
		DisplayName: "Charger", OwnerID: "op", MachineType: "ev-charger", RuntimeProfile: "linux", IdentityRef: "did:peaq:42",
		IdentityProof: &orchestration.ChallengeProof{ChallengeID: challenged.ChallengeID, Signature: signature},
	})
	if err != nil {
		t.Fatal(err)
	}
	if machine, err = client.UpdateMachine(ctx, machine.ID, orchestration.UpdateMachineRequest{Status: orchestration.MachineActive}); err != nil {
		t.Fatal(err)
	}
	session, err := orchestration.NewSession(orchestration.SessionConfig{
		Client: client, Signer: wallet, MachineID: machine.ID, AgentAddress: wallet.Address(), AgentProvider: "test", AgentRole: "buyer",
	})
	if err != nil {
		t.Fatal(err)
	}
	pairing, err := session.PairingID(ctx)
	if err != nil {
		t.Fatal(err)
	}
	err = session.Do(ctx, func(token orchestration.Secret) error {
		order, err := client.CreateMarketOrder(ctx, token, orchestration.CreateMarketOrderRequest{
			MachineID: machine.ID, AgentPairingID: pairing, ServiceID: "svc_price",
		})
		if err != nil {
			return err
		}
		intent, err := client.CreatePaymentIntent(ctx, token, order.ID, orchestration.PaymentIntentRequest{
			Rail: &orchestration.RailDetails{Type: orchestration.RailX402},
		})
		if err != nil {
			return err
		}
		challenge, err := x402.FromPayment(intent)
		if err != nil {
			return err
		}
		payment, err := x402.Payer{
			Signer: wallet, ChainID: 8453, Asset: usdc, MaxAmount: big.NewInt(20000), MaxValidity: time.Hour,
		}.Sign(ctx, challenge)
		if err != nil {
			return err
		}
		if held, err := client.SubmitX402PaymentProof(ctx, token, order.ID, payment.Proof("svc_price")); err != nil || held.Status != orchestration.PaymentHeld {
			t.Errorf("proof: %s, %v", held.Status, err)
		}
		if answer, err := client.ExecuteMarketOrder(ctx, token, order.ID, payment.Execute(nil)); err != nil || answer.Order.Status != orchestration.OrderDelivered {
			t.Errorf("execute: %s, %v", answer.Order.Status, err)
		}
		settled, err := client.GetMarketPayment(ctx, order.ID)
		if err != nil {
			return err
		}
		var reference, network string
		_ = json.Unmarshal(settled.Proof.Metadata["paymentReference"], &reference)
		_ = json.Unmarshal(settled.Proof.Metadata["network"], &network)
		if settled.Proof.TransactionHash == "" || settled.Proof.PayerAddress != wallet.Address() || reference != payment.Reference || network != "eip155:8453" {
			t.Errorf("settled: %+v", settled.Proof)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
