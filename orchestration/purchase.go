package orchestration

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
)

// Purchase vocabularies of the contract: open sets.
type (
	// PurchaseStatus is the status of a purchase.
	PurchaseStatus string
	// PurchaseEventType is what a buyer or seller reports.
	PurchaseEventType string
)

// Purchase statuses of the contract.
const (
	PurchaseDeliveryReserving PurchaseStatus = "delivery_reserving"
	PurchaseDeliveryReserved  PurchaseStatus = "delivery_reserved"
	PurchasePaymentPending    PurchaseStatus = "payment_pending"
	PurchasePaymentVerified   PurchaseStatus = "payment_verified"
	PurchaseDeliveryReleased  PurchaseStatus = "delivery_released"
	PurchaseActive            PurchaseStatus = "active"
	PurchaseCompleted         PurchaseStatus = "completed"
	PurchaseCancelled         PurchaseStatus = "cancelled"
	PurchaseFailed            PurchaseStatus = "failed"
)

// Purchase events of the contract. CreatePurchaseEvent takes no others, like the
// vendor's SDK.
const (
	EventDeliveryStarted   PurchaseEventType = "delivery.started"
	EventDeliveryCompleted PurchaseEventType = "delivery.completed"
	EventDeliveryFailed    PurchaseEventType = "delivery.failed"
	EventBuyerConnected    PurchaseEventType = "buyer.connected"
	EventSellerReady       PurchaseEventType = "seller.ready"
	EventSellerOffline     PurchaseEventType = "seller.offline"
)

// Purchase is the purchase of a data stream, paid and delivered apart from market
// orders.
type Purchase struct {
	ID        string           `json:"id" wire:"filled"`
	Status    PurchaseStatus   `json:"status" wire:"filled"`
	Resource  PurchaseResource `json:"resource" wire:"required"`
	Buyer     PurchaseBuyer    `json:"buyer" wire:"required"`
	Payment   PurchasePayment  `json:"payment" wire:"required"`
	Delivery  PurchaseDelivery `json:"delivery" wire:"required"`
	CreatedAt string           `json:"createdAt" wire:"required"`
	UpdatedAt string           `json:"updatedAt" wire:"required"`
	Extra     Extra            `json:"-"`
}

// PurchaseResource is what is bought: Type is stream.listing.
type PurchaseResource struct {
	Type      string             `json:"type" wire:"required"`
	ListingID string             `json:"listingId" wire:"required"`
	Mode      string             `json:"mode,omitempty"` // in answers only
	Selection *PurchaseSelection `json:"selection,omitempty"`
	Extra     Extra              `json:"-"`
}

// PurchaseSelection narrows what is bought. Times are ISO 8601.
type PurchaseSelection struct {
	ChunkIDs  []string `json:"chunkIds,omitzero"`
	Topic     string   `json:"topic,omitempty"`
	StartTime string   `json:"startTime,omitempty"`
	EndTime   string   `json:"endTime,omitempty"`
}

// PurchaseBuyer is who buys: the data is encrypted to PublicKey.
type PurchaseBuyer struct {
	ID                   string               `json:"id" wire:"required"`
	PublicKey            BuyerPublicKey       `json:"publicKey" wire:"required"`
	DeliveryCapabilities []DeliveryCapability `json:"deliveryCapabilities,omitzero"`
	MachineID            string               `json:"machineId,omitempty"`
	Extra                Extra                `json:"-"`
}

// BuyerPublicKey has Type x25519 and 64 hex digits.
type BuyerPublicKey struct {
	Type         string `json:"type" wire:"required"`
	PublicKeyHex string `json:"publicKeyHex" wire:"required"`
}

// PurchasePayment has Status pending or verified. Rail is JSON of a shape that no
// source gives.
type PurchasePayment struct {
	Status     string          `json:"status" wire:"required"`
	Rail       json.RawMessage `json:"rail,omitempty"`
	Reference  string          `json:"reference,omitempty"`
	RecordedAt string          `json:"recordedAt,omitempty"`
	Extra      Extra           `json:"-"`
}

// PurchaseDelivery has Status requested, ready, active, completed or failed.
type PurchaseDelivery struct {
	Status      string   `json:"status" wire:"required"`
	Mode        string   `json:"mode,omitempty"`
	TransportID string   `json:"transportId,omitempty"`
	Protocols   []string `json:"protocols"`
	Encoding    string   `json:"encoding,omitempty"`
	SessionID   string   `json:"sessionId,omitempty"`
	Extra       Extra    `json:"-"`
}

// CreatePurchaseRequest says what is bought and by whom. Delivery may be nil.
type CreatePurchaseRequest struct {
	Resource PurchaseResource              `json:"resource"`
	Buyer    PurchaseBuyer                 `json:"buyer"`
	Delivery *PurchaseDeliveryRequirements `json:"delivery,omitempty"`
}

// PurchaseDeliveryRequirements say how the buyer can take the data.
type PurchaseDeliveryRequirements struct {
	AcceptableModes     []string `json:"acceptableModes,omitzero"`
	PreferredTransports []string `json:"preferredTransports,omitzero"`
}

// CreatePurchase begins a purchase. The token may be "": whether a server demands
// one for purchases is not stated.
//
// After an Unknown outcome there is no list to look in: a repetition may make a
// second purchase, which costs nothing until it is paid.
func (c *Client) CreatePurchase(ctx context.Context, token Secret, req CreatePurchaseRequest) (Purchase, error) {
	req.Resource.Mode = ""
	r := write(http.MethodPost, "/purchases").mayAs(token).
		need("resource.type", req.Resource.Type).need("resource.listing_id", req.Resource.ListingID).
		need("buyer.id", req.Buyer.ID).need("buyer.public_key.type", req.Buyer.PublicKey.Type).
		need("buyer.public_key.public_key_hex", req.Buyer.PublicKey.PublicKeyHex).with(req)
	return send(ctx, c, r, item[Purchase])
}

// GetPurchase reads one purchase.
func (c *Client) GetPurchase(ctx context.Context, purchaseID string) (Purchase, error) {
	return send(ctx, c, read("/purchases/{purchase_id}", purchaseID), item[Purchase])
}

// PurchaseRail is a way to pay a purchase. Type is transfer, with Destination, or
// x402, with Chain and Token.
type PurchaseRail struct {
	Type           string               `json:"type,omitempty"`
	Destination    *TransferDestination `json:"destination,omitempty"`
	Chain          string               `json:"chain,omitempty"` // bare name: base, peaq, ethereum, solana
	Token          string               `json:"token,omitempty"` // symbol
	FacilitatorURL string               `json:"facilitatorUrl,omitempty"`
	Extra          Extra                `json:"-"`
}

// TransferDestination is where a transfer goes: PayTo is required.
type TransferDestination struct {
	PayTo        string `json:"payTo,omitempty"`
	Chain        string `json:"chain,omitempty"`
	Token        string `json:"token,omitempty"`
	TokenAddress string `json:"tokenAddress,omitempty"`
	Extra        Extra  `json:"-"`
}

// PurchasePaymentIntentRequest says how the buyer will pay. Payer may be nil.
type PurchasePaymentIntentRequest struct {
	Rail  PurchaseRail   `json:"rail"`
	Payer *PurchasePayer `json:"payer,omitempty"`
}

// PurchasePayer is the wallet that pays.
type PurchasePayer struct {
	Address string `json:"address"`
	Chain   string `json:"chain,omitempty"`
}

// PurchasePaymentIntent is what is due. Instructions are for the payer, keys as
// they are.
type PurchasePaymentIntent struct {
	PurchaseID   string                     `json:"purchaseId" wire:"filled"`
	Status       PurchaseStatus             `json:"status" wire:"required"`
	Rail         PurchaseRail               `json:"rail" wire:"filled"`
	Amount       PurchaseAmount             `json:"amount" wire:"filled"`
	Instructions map[string]json.RawMessage `json:"instructions" wire:"required"`
	Extra        Extra                      `json:"-"`
}

// PurchaseAmount is in major units of Token.
type PurchaseAmount struct {
	Value json.Number `json:"value" wire:"required"`
	Token string      `json:"token" wire:"required"`
	Chain string      `json:"chain" wire:"required"`
}

// CreatePurchasePaymentIntent asks what is due. The token may be "".
//
// After an Unknown outcome ask again: an intent moves nothing.
func (c *Client) CreatePurchasePaymentIntent(ctx context.Context, token Secret, purchaseID string, req PurchasePaymentIntentRequest) (PurchasePaymentIntent, error) {
	r := write(http.MethodPost, "/purchases/{purchase_id}/payment-intent", purchaseID).mayAs(token).with(req)
	return send(ctx, c, r, item[PurchasePaymentIntent])
}

// PurchasePaymentProof is evidence of paying a purchase. With Rail transfer all
// but the last two are sent; with x402 only those and PayerAddress.
type PurchasePaymentProof struct {
	Rail             string               `json:"rail"`
	TransactionHash  string               `json:"transactionHash,omitempty"`
	Chain            string               `json:"chain,omitempty"`
	Token            string               `json:"token,omitempty"`
	PayerAddress     string               `json:"payerAddress,omitempty"`
	PayeeAddress     string               `json:"payeeAddress,omitempty"`
	TokenAddress     string               `json:"tokenAddress,omitempty"`
	Amount           string               `json:"amount,omitempty"`    // major units, decimal text
	RawAmount        string               `json:"rawAmount,omitempty"` // base units, decimal text
	RPCURL           Secret               `json:"rpcUrl,omitempty"`    // often holds a key
	VerificationMode VerificationMode     `json:"verificationMode,omitempty"`
	Bridge           *PurchaseProofBridge `json:"bridge,omitempty"`
	// PaymentHeader is the signed x402 header, required with Rail x402.
	PaymentHeader Secret `json:"paymentHeader,omitempty"`
	// PaymentResponse is the provider's settlement header.
	PaymentResponse string `json:"paymentResponse,omitempty"`
}

// PurchaseProofBridge says where the money came from before it was bridged.
type PurchaseProofBridge struct {
	Provider              string `json:"provider,omitempty"`
	SourceChain           string `json:"sourceChain,omitempty"`
	SourceTransactionHash string `json:"sourceTransactionHash,omitempty"`
}

// PurchasePaymentResult says what the server made of a proof. PaymentStatus is
// verified whatever the mode: Receipt.Status tells whether anybody looked.
type PurchasePaymentResult struct {
	PurchaseID     string           `json:"purchaseId" wire:"filled"`
	PaymentStatus  string           `json:"paymentStatus" wire:"required"`
	DeliveryStatus string           `json:"deliveryStatus" wire:"required"` // blocked, releasable
	Receipt        *PurchaseReceipt `json:"receipt"`
	Extra          Extra            `json:"-"`
}

// PurchaseReceipt has Status recorded (a claim) or verified. "" is absent.
type PurchaseReceipt struct {
	VerifiedAt       string           `json:"verifiedAt" wire:"required"`
	Chain            string           `json:"chain,omitempty"`
	TransactionHash  string           `json:"transactionHash,omitempty"`
	VerificationMode VerificationMode `json:"verificationMode,omitempty"`
	Status           string           `json:"status,omitempty"`
	BlockNumber      json.Number      `json:"blockNumber,omitempty"`
	Extra            Extra            `json:"-"`
}

// SubmitPurchasePaymentProof hands in a proof for a purchase. The token may be "".
//
// After an Unknown outcome read GetPurchase: its payment is verified. Otherwise
// send the same proof again, never another transaction's.
func (c *Client) SubmitPurchasePaymentProof(ctx context.Context, token Secret, purchaseID string, proof PurchasePaymentProof) (PurchasePaymentResult, error) {
	r := write(http.MethodPost, "/purchases/{purchase_id}/payment-proof", purchaseID).mayAs(token).need("rail", proof.Rail)
	if proof.Rail != "transfer" { // as in the SDK
		r = r.need("payment_header", string(proof.PaymentHeader))
		proof = PurchasePaymentProof{
			Rail: proof.Rail, PayerAddress: proof.PayerAddress,
			PaymentHeader: proof.PaymentHeader, PaymentResponse: proof.PaymentResponse,
		}
	} else {
		proof.PaymentHeader, proof.PaymentResponse = "", ""
	}
	return send(ctx, c, r.with(proof), item[PurchasePaymentResult])
}

// CreatePurchaseEventRequest says who reports what. Payload's keys go out as they
// are.
type CreatePurchaseEventRequest struct {
	Actor   PurchaseEventActor `json:"actor"`
	Type    PurchaseEventType  `json:"type"`
	Payload map[string]any     `json:"payload,omitempty"`
}

// PurchaseEventActor is who reports; all of it may be left out.
type PurchaseEventActor struct {
	Type      string `json:"type,omitempty"`
	ID        string `json:"id,omitempty"`
	MachineID string `json:"machineId,omitempty"`
	AgentID   string `json:"agentId,omitempty"`
}

// PurchaseEvent is an event as recorded.
type PurchaseEvent struct {
	ID         string            `json:"id" wire:"filled"`
	PurchaseID string            `json:"purchaseId" wire:"required"`
	Type       PurchaseEventType `json:"type" wire:"required"`
	CreatedAt  string            `json:"createdAt" wire:"required"`
	Extra      Extra             `json:"-"`
}

// CreatePurchaseEvent reports an event of a purchase. The token may be "".
//
// After an Unknown outcome read GetPurchase; a repetition may be recorded twice.
func (c *Client) CreatePurchaseEvent(ctx context.Context, token Secret, purchaseID string, req CreatePurchaseEventRequest) (PurchaseEvent, error) {
	r := write(http.MethodPost, "/purchases/{purchase_id}/events", purchaseID).mayAs(token).with(req)
	if !slices.Contains([]PurchaseEventType{
		EventDeliveryStarted, EventDeliveryCompleted, EventDeliveryFailed, EventBuyerConnected, EventSellerReady, EventSellerOffline,
	}, req.Type) {
		r = r.refuse("event_type", "valid PurchaseEventType")
	}
	return send(ctx, c, r, item[PurchaseEvent])
}
