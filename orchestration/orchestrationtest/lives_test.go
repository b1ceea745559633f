package orchestrationtest_test

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// signX402 makes a payment header with go-ethereum's own EIP-712 hash.
func signX402(t *testing.T, key *ecdsa.PrivateKey, wanted orchestrationtest.Requirements, change func(message map[string]any)) orchestration.Secret {
	t.Helper()
	message := map[string]any{
		"from": crypto.PubkeyToAddress(key.PublicKey).Hex(), "to": wanted.PayTo, "value": wanted.Amount, "validAfter": "0",
		"validBefore": fmt.Sprint(time.Now().Unix() + 60), "nonce": "0x" + strings.Repeat("5a", 32),
	}
	if change != nil {
		change(message)
	}
	field := func(name, kind string) apitypes.Type { return apitypes.Type{Name: name, Type: kind} }
	hash, _, err := apitypes.TypedDataAndHash(apitypes.TypedData{
		PrimaryType: "TransferWithAuthorization", Message: message,
		Domain: apitypes.TypedDataDomain{
			Name: wanted.Extra.Name, Version: wanted.Extra.Version, ChainId: (*math.HexOrDecimal256)(big.NewInt(31337)), VerifyingContract: wanted.Asset,
		},
		Types: apitypes.Types{
			"EIP712Domain": {field("name", "string"), field("version", "string"), field("chainId", "uint256"), field("verifyingContract", "address")},
			"TransferWithAuthorization": {
				field("from", "address"), field("to", "address"), field("value", "uint256"), field("validAfter", "uint256"),
				field("validBefore", "uint256"), field("nonce", "bytes32"),
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := crypto.Sign(hash, key)
	if err != nil {
		t.Fatal(err)
	}
	header := jsonOf(t, map[string]any{
		"x402Version": 2, "accepted": wanted, "payload": map[string]any{"authorization": message, "signature": fmt.Sprintf("0x%x", signature)},
	})
	return orchestration.Secret(base64.StdEncoding.EncodeToString([]byte(header)))
}

// TestX402PaysOnce: the signature is stored with the proof and settled by
// execute, when it is what the provider asked for, in time, and new.
func TestX402PaysOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pay := func(header orchestration.Secret) (payment orchestration.MarketPayment, err error) {
		order := b.place(t, "signed")
		b.intent(t, order.ID)
		err = b.as(t, func(token orchestration.Secret) error {
			payment, err = b.client.SubmitX402PaymentProof(t.Context(), token, order.ID, orchestration.X402PaymentProof{PaymentSignature: header})
			if err != nil {
				return err
			}
			if payment.Status != orchestration.PaymentHeld || payment.Proof.TransactionHash != "" {
				t.Errorf("after the proof: %+v", payment)
			}
			if strings.Contains(jsonOf(t, payment), string(header)) {
				t.Error("the payment shows the signature")
			}
			if _, err := b.client.ExecuteMarketOrder(t.Context(), token, order.ID, orchestration.ExecuteMarketOrderRequest{}); !errors.Is(err, orchestration.CodePaymentRequired) {
				t.Errorf("execute without the signature: %v", err)
			}
			_, err := b.client.ExecuteMarketOrder(t.Context(), token, order.ID, orchestration.ExecuteMarketOrderRequest{Payment: orchestration.X402Payment{PaymentSignature: header}})
			return err
		})
		payment, _ = b.Payment(order.ID)
		return payment, err
	}
	wanted := *challenge()
	stranger, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]orchestration.Secret{
		"another amount":  signX402(t, key, wanted, func(m map[string]any) { m["value"] = "9999" }),
		"another payee":   signX402(t, key, wanted, func(m map[string]any) { m["to"] = payer }),
		"over":            signX402(t, key, wanted, func(m map[string]any) { m["validBefore"] = "1000" }),
		"not yet":         signX402(t, key, wanted, func(m map[string]any) { m["validAfter"] = fmt.Sprint(time.Now().Unix() + 30) }),
		"another signer":  signX402(t, stranger, wanted, func(m map[string]any) { m["from"] = payer }),
		"another version": signX402(t, key, func() orchestrationtest.Requirements { r := wanted; r.Extra.Version = "1"; return r }(), nil),
	} {
		if payment, err := pay(header); !errors.Is(err, orchestration.CodePaymentRequired) || payment.Proof.TransactionHash != "" {
			t.Errorf("%s: %v, %+v", name, err, payment.Proof)
		}
	}
	if _, err := pay("nonsense"); !errors.Is(err, orchestration.CodeValidation) {
		t.Errorf("nonsense: %v", err)
	}
	header := signX402(t, key, wanted, nil)
	payment, err := pay(header)
	if err != nil || len(payment.Proof.TransactionHash) != 66 || !strings.Contains(string(payment.Proof.Metadata["paymentSettlement"]), `"status":"settled"`) {
		t.Errorf("right: %v, %+v", err, payment.Proof)
	}
	if _, err := pay(header); !errors.Is(err, orchestration.CodePaymentRequired) {
		t.Errorf("twice: %v", err)
	}
}

func TestEscrowLocks(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	vault := b.place(t, "vault")
	if err := b.lock(t, vault.ID, hash); !errors.Is(err, orchestration.CodeNotFound) {
		t.Errorf("without an intent: %v", err)
	}
	if payment := b.intent(t, vault.ID); payment.Rail.EscrowAddress != payee {
		t.Errorf("intent: %+v", payment)
	}
	if err := b.lock(t, vault.ID, hash); err != nil {
		t.Fatal(err)
	}
	first, _ := b.Payment(vault.ID)
	if first.Status != orchestration.PaymentHeld || first.Proof.TransactionHash != hash || first.Proof.VerificationMode != orchestration.VerificationRecorded {
		t.Errorf("locked: %+v", first)
	}
	if err := b.lock(t, vault.ID, "0x"+strings.Repeat("2f", 32)); err != nil {
		t.Errorf("again: %v", err)
	}
	if again, _ := b.Payment(vault.ID); jsonOf(t, again) != jsonOf(t, first) {
		t.Errorf("the second lock changed the payment: %+v", again)
	}
	if err := b.refund(t, vault.ID); err != nil {
		t.Fatal(err)
	}
	if err := b.lock(t, vault.ID, hash); !errors.Is(err, orchestration.CodeValidation) {
		t.Errorf("lock of a refunded payment: %v", err)
	}
}

// TestFailedOrdersMayBeRetried, and unpaid ones cancelled: announced calls.
func TestFailedOrdersMayBeRetried(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	broken := b.place(t, "broken")
	b.do(t, func(token orchestration.Secret) error {
		got, err := b.client.ExecuteMarketOrder(t.Context(), token, broken.ID, orchestration.ExecuteMarketOrderRequest{})
		if err != nil {
			return err
		}
		if got.Order.Status != orchestration.OrderFailed || got.Execution.Outcome.Status != "failed" || *got.Order.ErrorMessage != "out of order" {
			t.Errorf("executed: %+v", got)
		}
		runs, err := b.client.ListRuns(t.Context(), orchestration.Page{})
		if err != nil {
			return err
		}
		if run, err := b.client.GetRun(t.Context(), got.Execution.Run.ID); err != nil || len(runs.Items) != 1 || run.Status != "failed" {
			t.Errorf("run: %+v of %+v, %v", run, runs, err)
		}
		if _, err := b.client.CancelMarketOrder(t.Context(), token, broken.ID, orchestration.ReasonRequest{}); !errors.Is(err, orchestration.CodeOrderClosed) {
			t.Errorf("cancel of a failed order: %v", err)
		}
		retried, err := b.client.RetryMarketOrder(t.Context(), token, broken.ID, orchestration.ReasonRequest{Reason: "again"})
		if err != nil || retried.Status != orchestration.OrderReady || retried.ErrorMessage != nil {
			t.Errorf("retried: %+v, %v", retried, err)
		}
		if _, err := b.client.RetryMarketOrder(t.Context(), token, b.order.ID, orchestration.ReasonRequest{}); !errors.Is(err, orchestration.CodeValidation) {
			t.Errorf("retry of an order that did not fail: %v", err)
		}
		cancelled, err := b.client.CancelMarketOrder(t.Context(), token, b.order.ID, orchestration.ReasonRequest{Reason: "no"})
		if err != nil || cancelled.Status != orchestration.OrderCancelled {
			t.Errorf("cancelled: %+v, %v", cancelled, err)
		}
		return nil
	})
	events, err := b.client.ListMarketOrderEvents(t.Context(), b.order.ID)
	if err != nil || len(events) != 2 || events[0].Type != "order.created" || events[1].Type != "order.cancelled" {
		t.Errorf("events: %+v, %v", events, err)
	}
	held := newBench(t, orchestrationtest.Config{})
	held.held(t)
	err = held.as(t, func(token orchestration.Secret) error {
		_, err := held.client.CancelMarketOrder(t.Context(), token, held.order.ID, orchestration.ReasonRequest{})
		return err
	})
	if !errors.Is(err, orchestration.CodeValidation) {
		t.Errorf("cancel of a paid order: %v", err)
	}
}

// TestPurchaseProofsOfTheirOwnJudge: who pays may name an RPC URL, and it is not
// asked.
func TestPurchaseProofsOfTheirOwnJudge(t *testing.T) {
	t.Parallel()
	right := &chain{receipt: receiptOf("0x1", token, payer, payee, "0x7a120")} // 500_000
	liar := &chain{receipt: receiptOf("0x1", token, payer, payee, "0x7a120")}
	rightURL, liarURL := httptest.NewServer(right), httptest.NewServer(liar)
	t.Cleanup(rightURL.Close)
	t.Cleanup(liarURL.Close)
	b := newBench(t, orchestrationtest.Config{
		RPC:      map[string]string{"eip155:31337": rightURL.URL},
		Listings: []orchestrationtest.Listing{{ID: "l", MachineID: "mach_1", Amount: "0.5", Token: "USDC", TokenAddress: token, Chain: "eip155:31337", PayTo: payee}},
	})
	b.do(t, func(tok orchestration.Secret) error {
		bought, err := b.client.CreatePurchase(t.Context(), tok, orchestration.CreatePurchaseRequest{
			Resource: orchestration.PurchaseResource{Type: "stream.listing", ListingID: "l"},
			Buyer:    orchestration.PurchaseBuyer{ID: "me", PublicKey: orchestration.BuyerPublicKey{Type: "x25519", PublicKeyHex: strings.Repeat("ab", 32)}},
		})
		if err != nil {
			return err
		}
		proof := orchestration.PurchasePaymentProof{
			Rail: "transfer", TransactionHash: hash, PayerAddress: payer, RawAmount: "500000", RPCURL: orchestration.Secret(liarURL.URL),
			VerificationMode: orchestration.VerificationRPC,
		}
		if _, err := b.client.SubmitPurchasePaymentProof(t.Context(), tok, bought.ID, proof); !errors.Is(err, orchestration.CodeValidation) {
			t.Errorf("before the intent: %v", err)
		}
		intent, err := b.client.CreatePurchasePaymentIntent(t.Context(), tok, bought.ID, orchestration.PurchasePaymentIntentRequest{
			Rail: orchestration.PurchaseRail{Type: "transfer", Destination: &orchestration.TransferDestination{PayTo: payee}},
		})
		if err != nil {
			return err
		}
		if intent.Amount.Value != "0.5" {
			t.Errorf("intent: %+v", intent)
		}
		wrong := proof
		wrong.RawAmount = "499999"
		if _, err := b.client.SubmitPurchasePaymentProof(t.Context(), tok, bought.ID, wrong); !errors.Is(err, orchestration.CodePaymentTransferNotFound) {
			t.Errorf("too little: %v", err)
		}
		got, err := b.client.SubmitPurchasePaymentProof(t.Context(), tok, bought.ID, proof)
		if err != nil {
			return err
		}
		if got.PaymentStatus != "verified" || got.Receipt.Status != "verified" || liar.asked != "" || right.asked == "" {
			t.Errorf("got %+v; the payer's own RPC was asked %q", got, liar.asked)
		}
		return nil
	})
}

// TestAgentsReportInBothSpellings: the SDK sends a heartbeat's entries in
// snake_case.
func TestAgentsReportInBothSpellings(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	agent, err := b.client.EnrollMachineAgent(t.Context(), "mach_1", orchestration.EnrollMachineAgentRequest{AllowedProviderKeys: []string{"qvac"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.client.MachineAgentHeartbeat(t.Context(), orchestration.MachineAgentHeartbeatRequest{
		MachineID: "mach_1", AgentID: agent.ID, AgentToken: agent.ProvisioningToken,
		Endpoints: []orchestration.HeartbeatEndpoint{{ProviderKey: "QVAC", EndpointBaseURL: "http://10.0.0.1:80/a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	snake := fmt.Sprintf(`{"machineId":"mach_1","agentId":%q,"agentToken":%q,"leaseSeconds":30,"endpoints":[{"provider_key":"qvac","endpoint_base_url":"http://10.0.0.2","label":null}]}`,
		agent.ID, string(agent.ProvisioningToken))
	if code, status := b.post(t, "/machine-agents/heartbeat", "", snake); code != "" || status != 200 {
		t.Fatalf("%s %d", code, status)
	}
	got, err := b.client.GetRuntimeEndpoint(t.Context(), "mach_1", "qvac")
	if err != nil || got.EndpointBaseURL != "http://10.0.0.2" || got.ProbePath != "/v1/models" || got.Source != "agent" {
		t.Errorf("endpoint %+v, %v", got, err)
	}
	other := strings.Replace(snake, `"qvac"`, `"other"`, 1)
	if code, status := b.post(t, "/machine-agents/heartbeat", "", other); code != orchestration.CodeAgentPolicyDenied || status != 403 {
		t.Errorf("another provider: %s %d", code, status)
	}
	// Of two entries of which one is refused, none is kept.
	both := strings.Replace(snake, `"endpoints":[`, `"endpoints":[{"provider_key":"qvac","endpoint_base_url":"http://10.0.0.3"},{"provider_key":"other","endpoint_base_url":"http://x"},`, 1)
	if code, _ := b.post(t, "/machine-agents/heartbeat", "", both); code != orchestration.CodeAgentPolicyDenied {
		t.Errorf("one of two refused: %s", code)
	}
	if got, _ := b.client.GetRuntimeEndpoint(t.Context(), "mach_1", "qvac"); got.EndpointBaseURL != "http://10.0.0.2" {
		t.Errorf("half a heartbeat was kept: %+v", got)
	}
}

// TestTasksAndGraphs are announced only; this is what the server makes of them.
func TestTasksAndGraphs(t *testing.T) {
	t.Parallel()
	b := newBench(t, orchestrationtest.Config{})
	text := func(r orchestration.Record, name string) (value string) {
		if err := json.Unmarshal(r[name], &value); err != nil {
			t.Errorf("%s of %v: %v", name, r, err)
		}
		return value
	}
	b.do(t, func(token orchestration.Secret) error {
		task, err := b.client.CreateTask(t.Context(), token, map[string]any{"goal": "charge"})
		if err != nil {
			return err
		}
		id := text(task, "id")
		if _, err := b.client.ExecuteTask(t.Context(), token, id, nil); !errors.Is(err, orchestration.CodeValidation) {
			t.Errorf("executed before it was resolved: %v", err)
		}
		for _, step := range []func() (orchestration.Record, error){
			func() (orchestration.Record, error) { return b.client.DiscoverTask(t.Context(), token, id, nil) },
			func() (orchestration.Record, error) { return b.client.ResolveTask(t.Context(), token, id, nil) },
			func() (orchestration.Record, error) { return b.client.ExecuteTask(t.Context(), token, id, nil) },
		} {
			if task, err = step(); err != nil {
				return err
			}
		}
		if text(task, "status") != "completed" {
			t.Errorf("task %v", task)
		}
		return nil
	})
	node, err := b.client.CreateGraphNode(t.Context(), "mach_1", map[string]any{"type": "sensor", "data": map[string]any{"a": 1, "b": 2}})
	if err != nil {
		t.Fatal(err)
	}
	node, err = b.client.UpdateGraphNode(t.Context(), "mach_1", text(node, "id"), map[string]any{"status": "active", "data": map[string]any{"b": 3}})
	if err != nil || string(node["data"]) != `{"a":1,"b":3}` {
		t.Errorf("node %v, %v", node, err)
	}
	if err := b.client.DeleteGraphNode(t.Context(), "mach_1", text(node, "id")); err != nil {
		t.Error(err)
	}
	graph, err := b.client.GetMachineGraph(t.Context(), "mach_1")
	if err != nil || string(graph["nodes"]) != "[]" {
		t.Errorf("graph %v, %v", graph, err)
	}
}

// TestIdentitiesAreLookedUpAgain: a machine whose prover lost control is hidden.
func TestIdentitiesAreLookedUpAgain(t *testing.T) {
	t.Parallel()
	controllers := map[string][]string{"did:peaq:9": {}}
	b := newBench(t, orchestrationtest.Config{Controllers: controllers})
	if _, err := b.client.CreateMachineIdentityChallenge(t.Context(), "did:peaq:9"); !errors.Is(err, orchestration.CodeMachineNotActivated) {
		t.Errorf("unknown to the registry: %v", err)
	}
	b.PutMachine(orchestration.Machine{
		ID: "mach_2", Status: orchestration.MachineActive, IdentityRef: "did:peaq:2",
		IdentityProof: &orchestration.IdentityProof{SignerAddress: payer, IdentityRef: "did:peaq:2"},
	})
	if _, err := b.client.GetMachine(t.Context(), "mach_2"); !errors.Is(err, orchestration.CodeMachineNotActivated) {
		t.Errorf("read: %v", err)
	}
	if _, err := b.client.ListMarketOrders(t.Context(), "mach_2", orchestration.Page{}); !errors.Is(err, orchestration.CodeMachineNotActivated) {
		t.Errorf("orders: %v", err)
	}
	page, err := b.client.ListMachines(t.Context(), orchestration.Page{})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != "mach_1" {
		t.Errorf("list: %+v, %v", page, err)
	}
}
