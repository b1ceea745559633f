package x402_test

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/x402"
)

func Example() {
	// The public key of development nodes; a real one comes from agentkey.LoadKeystore.
	wallet, err := agentkey.FromHex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
	if err != nil {
		fmt.Println(err)
		return
	}
	payer := x402.Payer{
		Signer: wallet, ChainID: 8453, Asset: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
		MaxAmount:   big.NewInt(50_000), // 0.05 USDC
		MaxValidity: 10 * time.Minute,
	}
	// With an order, the challenge comes from x402.FromPayment(intent).
	challenge, err := x402.Parse([]byte(`{"x402Version": 2, "accepts": [{
		"scheme": "exact", "network": "eip155:8453", "asset": "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",
		"payTo": "0x2222222222222222222222222222222222222222", "amount": "20000", "maxTimeoutSeconds": 300,
		"extra": {"name": "USD Coin", "version": "2"}}]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	payment, err := payer.Sign(context.Background(), challenge)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(payment.HeaderName, payment.Value, "from", payment.From)
	// Then client.SubmitX402PaymentProof(ctx, token, orderID, payment.Proof(serviceID))
	// and client.ExecuteMarketOrder(ctx, token, orderID, payment.Execute(input)).

	challenge.Amount = "50001"
	_, err = payer.Sign(context.Background(), challenge)
	fmt.Println(err)
	// Output:
	// PAYMENT-SIGNATURE 20000 from 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
	// payment_requirements.amount must be: at most 50000 base units
}
