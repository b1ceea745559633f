package orchestration

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// PaymentStatus is an open set.
type PaymentStatus string

// Payment statuses of the contract. "held" is a claim: with the vendor's own
// buyer nobody has looked at a chain.
const (
	PaymentNotRequired    PaymentStatus = "not_required"
	PaymentIntentCreated  PaymentStatus = "intent_created"
	PaymentHeld           PaymentStatus = "held"
	PaymentReleasePending PaymentStatus = "release_pending"
	PaymentReleased       PaymentStatus = "released"
	PaymentFrozen         PaymentStatus = "frozen"
	PaymentRefunded       PaymentStatus = "refunded"
)

// VerificationMode says what the orchestrator does with a proof.
type VerificationMode string

const (
	// VerificationRecorded stores what the caller says; nobody looks.
	VerificationRecorded VerificationMode = "recorded"
	// VerificationRPC looks once, at submission, at the EVM receipt.
	VerificationRPC VerificationMode = "rpc"
)

// MarketPayment is the orchestrator's record of paying one order.
type MarketPayment struct {
	ID        string        `json:"id" wire:"filled"`
	OrderID   string        `json:"orderId" wire:"filled"`
	MachineID string        `json:"machineId" wire:"required"`
	Status    PaymentStatus `json:"status" wire:"filled"`
	Rail      RailDetails   `json:"rail" wire:"required"`
	// Amount is in major units of Currency, as the number was written: "1.5",
	// "1e-06". "" when null or absent (x402 puts it into the challenge).
	Amount    json.Number `json:"amount,omitempty"`
	Currency  *string     `json:"currency"`
	Proof     *Proof      `json:"proof"`
	Notes     []string    `json:"notes"`
	CreatedAt string      `json:"createdAt" wire:"required"`
	UpdatedAt string      `json:"updatedAt" wire:"required"`
	// Extra holds what the contract does not name: wire key → JSON.
	Extra map[string]json.RawMessage `json:"-"`
}

// UnmarshalJSON reads the wire form in either spelling.
func (p *MarketPayment) UnmarshalJSON(text []byte) error { return decode(text, p) }

// MarshalJSON writes the wire form, Extra included.
func (p MarketPayment) MarshalJSON() ([]byte, error) {
	type plain MarketPayment
	return encode(plain(p), p.Extra)
}

// Proof is a proof as read back. The contract has no field for a Solana
// signature; TransactionSignature keeps one that a server sends all the same.
type Proof struct {
	Chain                string           `json:"chain,omitempty"`
	Token                string           `json:"token,omitempty"`
	TransactionHash      string           `json:"transactionHash,omitempty"`
	TransactionSignature string           `json:"transactionSignature,omitempty"`
	PayerAddress         string           `json:"payerAddress,omitempty"`
	VerifiedAt           string           `json:"verifiedAt,omitempty"`
	VerificationMode     VerificationMode `json:"verificationMode,omitempty"`
	// Metadata keeps its keys as they are (x402: network, headerName,
	// paymentSettlement).
	Metadata map[string]json.RawMessage `json:"metadata,omitempty" wire:"lenient"`
	// Extra holds what the contract does not name: wire key → JSON.
	Extra map[string]json.RawMessage `json:"-"`
}

// UnmarshalJSON reads the wire form in either spelling.
func (p *Proof) UnmarshalJSON(text []byte) error { return decode(text, p) }

// MarshalJSON writes the wire form, Extra included.
func (p Proof) MarshalJSON() ([]byte, error) {
	type plain Proof
	return encode(plain(p), p.Extra)
}

// PaymentIntentRequest asks for a payment. Everything may be left out; the
// vendor's buyer sends only Rail, and the server sets the amount.
type PaymentIntentRequest struct {
	Rail     *RailDetails `json:"rail,omitempty"`
	Amount   json.Number  `json:"amount,omitempty"`
	Currency string       `json:"currency,omitempty"`
}

// CreatePaymentIntent creates the payment of an order, or gives the one that
// exists unchanged: it may be repeated.
func (c *Client) CreatePaymentIntent(ctx context.Context, token Secret, orderID string, req PaymentIntentRequest) (MarketPayment, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/payment-intent", orderID).as(token).with(req)
	if req.Amount != "" && !json.Valid([]byte(req.Amount)) {
		r = r.refuse("amount", "number")
	}
	return send(ctx, c, r, item[MarketPayment])
}

// GetMarketPayment reads the payment of an order; nil when it has none yet. A
// server may say so with null or with 404: after a 404 the order itself is read,
// and only when it is not there either is NOT_FOUND returned.
func (c *Client) GetMarketPayment(ctx context.Context, orderID string) (*MarketPayment, error) {
	payment, err := send(ctx, c, read("/market/orders/{order_id}/payment", orderID), maybeItem[MarketPayment])
	if errors.Is(err, CodeNotFound) {
		if _, orderErr := c.GetMarketOrder(ctx, orderID); orderErr == nil {
			return nil, nil
		}
	}
	return payment, err
}

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

// SubmitPaymentProof hands in a proof. It fails with CodePaymentNotMined (send
// the same again later), CodePaymentTxFailed and CodePaymentTransferNotFound
// (final for that transaction), CodePaymentRPCRequired (only recorded mode
// works there), CodePaymentRPCError, CodeOrderClosed.
func (c *Client) SubmitPaymentProof(ctx context.Context, token Secret, orderID string, proof PaymentProof) (MarketPayment, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/payment-proof", orderID).as(token).with(proof)
	return send(ctx, c, r, item[MarketPayment])
}
