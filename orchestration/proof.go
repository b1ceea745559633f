package orchestration

import (
	"context"
	"net/http"
)

// PaymentProof is evidence of a transfer as the orchestrator takes it. The SDK
// checks none of it before sending, nor do we.
type PaymentProof struct {
	VerificationMode VerificationMode `json:"verificationMode"`
	Chain            string           `json:"chain"` // CAIP-2
	Token            string           `json:"token"` // symbol
	PayerAddress     string           `json:"payerAddress"`
	PayeeAddress     string           `json:"payeeAddress"`
	Amount           string           `json:"amount"` // major units, decimal text
	// TransactionHash is 0x and 64 hex digits; EVM only.
	TransactionHash string `json:"transactionHash,omitempty"`
	// TransactionSignature is base58; Solana only.
	TransactionSignature string         `json:"transactionSignature,omitempty"`
	TokenAddress         string         `json:"tokenAddress,omitempty"`
	TokenMint            string         `json:"tokenMint,omitempty"`
	TokenDecimals        *int           `json:"tokenDecimals,omitempty"`
	RawAmount            string         `json:"rawAmount,omitempty"` // base units, decimal text
	Metadata             map[string]any `json:"metadata,omitempty"`
}

// SubmitPaymentProof hands in a proof; the payment becomes held. It fails with CodePaymentNotMined (send
// the same again later), CodePaymentTxFailed and CodePaymentTransferNotFound
// (final for that transaction), CodePaymentRPCRequired (only recorded mode
// works there), CodePaymentRPCError, CodeOrderClosed.
//
// After an Unknown outcome (CodePaymentRPCError is one) read GetMarketPayment:
// held with this TransactionHash in its Proof means that it acted. Otherwise send
// the same proof again, never another transaction's.
func (c *Client) SubmitPaymentProof(ctx context.Context, token Secret, orderID string, proof PaymentProof) (MarketPayment, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/payment-proof", orderID).as(token).with(proof)
	return send(ctx, c, r, item[MarketPayment])
}

// X402PaymentProof hands in a signed x402 header: PaymentSignature is required.
type X402PaymentProof struct {
	PaymentSignature Secret `json:"paymentSignature"`
	// PaymentReference is x402:<network>:<24 hex digits>, see orchestration/x402.
	PaymentReference string         `json:"paymentReference,omitempty"`
	Metadata         map[string]any `json:"metadata,omitempty"`
}

// SubmitX402PaymentProof hands in a signed x402 header; the payment becomes held.
// Nothing has moved yet: the server pays the provider in ExecuteMarketOrder, which
// wants the same signature again.
//
// After an Unknown outcome read GetMarketPayment; send the same signature again,
// never a second one.
func (c *Client) SubmitX402PaymentProof(ctx context.Context, token Secret, orderID string, proof X402PaymentProof) (MarketPayment, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/payment-proof", orderID).as(token).
		need("payment_signature", string(proof.PaymentSignature)).
		with(struct {
			Payment          X402Payment    `json:"payment"`
			PaymentReference string         `json:"paymentReference,omitempty"`
			Metadata         map[string]any `json:"metadata,omitempty"`
		}{X402Payment{proof.PaymentSignature}, proof.PaymentReference, proof.Metadata})
	return send(ctx, c, r, item[MarketPayment])
}
