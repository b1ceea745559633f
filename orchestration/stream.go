package orchestration

import (
	"context"
	"net/http"
)

// PaymentRail is a way to pay that the orchestrator takes for purchases: Type is
// x402 or transfer.
type PaymentRail struct {
	Type          string   `json:"type" wire:"filled"`
	Chains        []string `json:"chains"`
	Tokens        []string `json:"tokens"`
	RequiresProof bool     `json:"requiresProof,omitempty"`
	// Verification is what the orchestrator promises to look at:
	// destination-chain-finality. "" is absent.
	Verification string `json:"verification,omitempty"`
	Extra        Extra  `json:"-"`
}

// ListPaymentRails reads the rails for purchases; the list has no pages.
func (c *Client) ListPaymentRails(ctx context.Context) ([]PaymentRail, error) {
	return send(ctx, c, read("/payment-rails"), items[PaymentRail])
}

// StreamListingPurchaseFields changes how a stream can be bought; what is nil
// stays.
type StreamListingPurchaseFields struct {
	Resource        *StreamResource  `json:"resource,omitempty"`
	PaymentRails    []PurchaseRail   `json:"paymentRails,omitzero"`
	DeliveryOptions []DeliveryOption `json:"deliveryOptions,omitzero"`
}

// StreamResource is what a listing sells: Type is stream.bundle or stream.live.
type StreamResource struct {
	Type         string `json:"type"`
	Mode         string `json:"mode,omitempty"`
	SupportsLive *bool  `json:"supportsLive,omitempty"`
}

// DeliveryOption is one way in which a listing is delivered. The keys of Params
// go out as they are.
type DeliveryOption struct {
	TransportID string         `json:"transportId"`
	Version     string         `json:"version,omitempty"`
	Features    []string       `json:"features,omitzero"`
	Protocols   []string       `json:"protocols,omitzero"`
	Encoding    string         `json:"encoding,omitempty"`
	Params      map[string]any `json:"params,omitempty"`
}

// UpdateStreamListingPurchaseFields changes how a stream can be bought.
//
// After an Unknown outcome send it again: it sets values.
func (c *Client) UpdateStreamListingPurchaseFields(ctx context.Context, machineID, listingID string, fields StreamListingPurchaseFields) error {
	r := write(http.MethodPatch, "/machines/{machine_id}/stream/listings/{listing_id}", machineID, listingID).with(fields)
	_, err := send(ctx, c, r, nothing)
	return err
}
