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
	Rail      RailDetails   `json:"rail" wire:"filled"`
	// Amount is in major units of Currency, as the number was written: "1.5",
	// "1e-06". "" when null or absent (x402 puts it into the challenge).
	Amount    json.Number `json:"amount,omitempty"`
	Currency  *string     `json:"currency"`
	Proof     *Proof      `json:"proof"`
	Notes     []string    `json:"notes"`
	CreatedAt string      `json:"createdAt" wire:"required"`
	UpdatedAt string      `json:"updatedAt" wire:"required"`
	Extra     Extra       `json:"-"`
}

// UnmarshalJSON reads the wire form in either spelling.
func (p *MarketPayment) UnmarshalJSON(text []byte) error { return decode(text, p) }

// MarshalJSON writes the wire form, Extra included.
func (p MarketPayment) MarshalJSON() ([]byte, error) { return encodeRecord(p) }

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
	Extra    Extra                      `json:"-"`
}

// UnmarshalJSON reads the wire form in either spelling.
func (p *Proof) UnmarshalJSON(text []byte) error { return decode(text, p) }

// MarshalJSON writes the wire form, Extra included.
func (p Proof) MarshalJSON() ([]byte, error) { return encodeRecord(p) }

// PaymentIntentRequest asks for a payment. Everything may be left out; the
// vendor's buyer sends only Rail, and the server sets the amount.
type PaymentIntentRequest struct {
	Rail     *RailDetails `json:"rail,omitempty"`
	Amount   json.Number  `json:"amount,omitempty"`
	Currency string       `json:"currency,omitempty"`
}

// CreatePaymentIntent creates the payment of an order, or gives the one that
// exists unchanged. It fails with CodeValidation (a rail that the service does not
// take), CodeNotFound, CodeOrderClosed, CodePaymentRequired.
//
// After an Unknown outcome send it again, or read GetMarketPayment.
func (c *Client) CreatePaymentIntent(ctx context.Context, token Secret, orderID string, req PaymentIntentRequest) (MarketPayment, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/payment-intent", orderID).as(token).with(req)
	if req.Amount != "" && !isNumber(string(req.Amount)) {
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
