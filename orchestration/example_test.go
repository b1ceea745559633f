package orchestration_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// exampleMarket is an acting orchestrator with one active machine and one service.
func exampleMarket() (client *orchestration.Client, closing func()) {
	server := httptest.NewServer(orchestrationtest.New(orchestrationtest.Config{
		Services: []orchestrationtest.Service{tokenService},
		Machines: []orchestration.Machine{{
			ID: "mach_1", DisplayName: "Charger", Status: orchestration.MachineActive, OwnerID: "op",
			IdentityRef: "did:peaq:42", MachineType: "ev-charger", RuntimeProfile: "linux",
		}},
	}))
	client, err := orchestration.New(orchestration.Config{BaseURL: server.URL})
	if err != nil {
		panic(err)
	}
	return client, server.Close
}

func exampleSession(client *orchestration.Client) *orchestration.Session {
	key, err := agentkey.Generate()
	if err != nil {
		panic(err)
	}
	session, err := orchestration.NewSession(orchestration.SessionConfig{
		Client: client, Signer: key, MachineID: "mach_1",
		AgentAddress: key.Address(), AgentProvider: "example", AgentRole: "machine-market-buyer",
	})
	if err != nil {
		panic(err)
	}
	return session
}

func ExampleNew() {
	client, err := orchestration.New(orchestration.Config{
		BaseURL: "https://orchestration.example",
		APIKey:  "read it from a file",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(client)
	// Output: orchestration.Client(https://orchestration.example/api/v1)
}

// A buyer's whole order: quote, order, payment, execution, confirmation.
func ExampleSession_Do() {
	client, closing := exampleMarket()
	defer closing()
	session := exampleSession(client)
	ctx := context.Background()

	pairing, err := session.PairingID(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = session.Do(ctx, func(token orchestration.Secret) error {
		search, err := client.SearchMarket(ctx, token, orchestration.MarketSearchRequest{ServiceType: orchestration.ServicePriceFeed})
		if err != nil {
			return err
		}
		quote := search.Quotes[0]
		order, err := client.CreateMarketOrder(ctx, token, orchestration.CreateMarketOrderRequest{
			MachineID: "mach_1", AgentPairingID: pairing, ServiceID: quote.ServiceID, SearchID: search.ID, QuoteID: quote.ID,
		})
		if err != nil {
			return err
		}
		payment, err := client.CreatePaymentIntent(ctx, token, order.ID, orchestration.PaymentIntentRequest{
			Rail: &orchestration.RailDetails{Type: orchestration.RailWDKUSDTTransfer},
		})
		if err != nil {
			return err
		}
		fmt.Println("due:", payment.Amount, *payment.Currency, "to", payment.Rail.PayeeAddress)

		payment, err = client.SubmitPaymentProof(ctx, token, order.ID, orchestration.PaymentProof{
			VerificationMode: orchestration.VerificationRecorded, Chain: "eip155:8453", Token: payment.Rail.Token,
			PayerAddress: payment.Rail.PayerAddress, PayeeAddress: payment.Rail.PayeeAddress, Amount: payment.Amount.String(),
			TransactionHash: "0xabababababababababababababababababababababababababababababababab",
		})
		if err != nil {
			return err
		}
		fmt.Println("payment:", payment.Status)

		done, err := client.ExecuteMarketOrder(ctx, token, order.ID, orchestration.ExecuteMarketOrderRequest{})
		if err != nil {
			return err
		}
		fmt.Println("order:", done.Order.Status)
		confirmed, err := client.ConfirmMarketOrder(ctx, token, order.ID)
		if err != nil {
			return err
		}
		fmt.Println("payment:", confirmed.Payment.Status)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// due: 1.50 USDC to 0x2222222222222222222222222222222222222222
	// payment: held
	// order: delivered
	// payment: release_pending
}

// Walking a list reads its pages one after the other, as they are needed.
func ExampleClient_AllMarketServices() {
	client, closing := exampleMarket()
	defer closing()
	for service, err := range client.AllMarketServices(context.Background(), orchestration.MarketServiceFilter{}, orchestration.Page{Limit: 50}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(service.ID, service.Name)
	}
	// Output: svc_price Price
}

// Codes of the contract are found with errors.Is; what the server said is in the
// *APIError.
func ExampleAPIError() {
	client, closing := exampleMarket()
	defer closing()
	_, err := client.GetMarketOrder(context.Background(), "ord_unknown")
	fmt.Println(errors.Is(err, orchestration.CodeNotFound))
	if api, ok := errors.AsType[*orchestration.APIError](err); ok {
		fmt.Println(api.Code, api.Status)
	}
	// Output:
	// true
	// NOT_FOUND 404
}

// After a write that failed, its outcome says whether it may be repeated.
func ExampleOutcomeOf() {
	client, err := orchestration.New(orchestration.Config{BaseURL: "http://127.0.0.1:1"}) // nobody listens there
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.ReleasePayment(context.Background(), "token", "ord_1", nil)
	switch orchestration.OutcomeOf(err) {
	case orchestration.Acted:
		fmt.Println("released")
	case orchestration.NotActed:
		fmt.Println("not sent: safe to repeat")
	case orchestration.Unknown:
		fmt.Println("read GetMarketPayment before doing anything")
	}
	// Output: not sent: safe to repeat
}

// Arguments are checked before anything is sent.
func ExampleValidationError() {
	client, closing := exampleMarket()
	defer closing()
	_, err := client.ListMarketOrders(context.Background(), "mach_1", orchestration.Page{Limit: 501})
	fmt.Println(err)
	// Output: limit must be: integer between 1 and 500
}

// A secret is spelled out by a conversion, and on the wire; nowhere else.
func ExampleSecret() {
	key := orchestration.Secret("pk_live_1")
	text, _ := json.Marshal(key)
	fmt.Printf("%v %q %+v %s\n", key, key, struct{ Key orchestration.Secret }{key}, text)
	fmt.Println(string(key))
	// Output:
	// [REDACTED] [REDACTED] {Key:[REDACTED]} "[REDACTED]"
	// pk_live_1
}

// What a record does not name is in its Extra, as it came.
func ExampleMarketOrder() {
	var order orchestration.MarketOrder
	err := json.Unmarshal([]byte(`{"id":"ord_1","machine_id":"m","agentPairingId":"p","serviceId":"s","skillKey":"k","providerKey":"p",
		"serviceType":"t","operation":"o","executionMode":"native","integrationStatus":"native","status":"paused by moonlight",
		"payment":{"defaultRail":"wallet","required":true},"createdAt":"c","updatedAt":"u","taskId":"task_1"}`), &order)
	fmt.Println(err, order.MachineID, order.Status, string(order.Extra["taskId"]))
	// Output: <nil> m paused by moonlight "task_1"
}
