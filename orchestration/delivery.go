package orchestration

import (
	"context"
	"encoding/json"
	"net/http"
)

// DeliveryCapability is one way in which a machine or buyer can move data. Mode
// and Signaling are in answers only: p2p over the peaqos-socket is all there is.
type DeliveryCapability struct {
	Mode        string   `json:"mode,omitempty"`
	TransportID string   `json:"transportId" wire:"required"`
	Version     string   `json:"version" wire:"required"`
	Features    []string `json:"features,omitzero"`
	Signaling   string   `json:"signaling,omitempty"`
	Protocols   []string `json:"protocols,omitzero"`
	Encoding    string   `json:"encoding,omitempty"`
	Extra       Extra    `json:"-"`
}

// DeliveryTransport is a way to move data that the orchestrator knows: Mode is
// p2p, storage or tunnel. "" is absent; what a mode has of its own is in Extra.
type DeliveryTransport struct {
	Mode          string          `json:"mode" wire:"filled"`
	TransportID   string          `json:"transportId,omitempty"`
	Version       string          `json:"version,omitempty"`
	Provider      string          `json:"provider,omitempty"`
	Features      []string        `json:"features"`
	Signaling     string          `json:"signaling,omitempty"`
	Protocols     []string        `json:"protocols,omitzero"`
	Encoding      string          `json:"encoding,omitempty"`
	Handoff       string          `json:"handoff,omitempty"`
	ConnectSchema json.RawMessage `json:"connectSchema,omitempty"`
	ParamsSchema  json.RawMessage `json:"paramsSchema,omitempty"`
	Extra         Extra           `json:"-"`
}

// ListDeliveryTransports reads the known transports; the list has no pages.
func (c *Client) ListDeliveryTransports(ctx context.Context) ([]DeliveryTransport, error) {
	return send(ctx, c, read("/delivery-transports"), items[DeliveryTransport])
}

// DeliveryCapabilitiesRequest says what an agent can do now; ResourceTypes and
// ExpiresAt may be left out.
type DeliveryCapabilitiesRequest struct {
	AgentID       string               `json:"agentId"`
	Capabilities  []DeliveryCapability `json:"capabilities"`
	ResourceTypes []string             `json:"resourceTypes,omitzero"`
	ExpiresAt     string               `json:"expiresAt,omitempty"`
}

// DeliveryCapabilities is what the server noted: Status is active or expired.
type DeliveryCapabilities struct {
	MachineID     string               `json:"machineId" wire:"required"`
	AgentID       string               `json:"agentId" wire:"required"`
	Capabilities  []DeliveryCapability `json:"capabilities"`
	ResourceTypes []string             `json:"resourceTypes"`
	Status        string               `json:"status" wire:"required"`
	UpdatedAt     string               `json:"updatedAt" wire:"required"`
	ExpiresAt     string               `json:"expiresAt,omitempty"`
	Extra         Extra                `json:"-"`
}

// PutDeliveryCapabilities replaces what an agent can do.
//
// After an Unknown outcome send it again.
func (c *Client) PutDeliveryCapabilities(ctx context.Context, machineID string, req DeliveryCapabilitiesRequest) (DeliveryCapabilities, error) {
	r := write(http.MethodPut, "/machines/{machine_id}/delivery-capabilities", machineID).need("agent_id", req.AgentID).with(req)
	return send(ctx, c, r, item[DeliveryCapabilities])
}

// PurchaseAccess is what a buyer needs to take and open the data.
type PurchaseAccess struct {
	PurchaseID string         `json:"purchaseId" wire:"filled"`
	Delivery   StreamDelivery `json:"delivery" wire:"filled"`
	Access     []StreamAccess `json:"access"`
	Extra      Extra          `json:"-"`
}

// StreamDelivery says how the data comes. Which fields are there depends on Mode;
// "" and nil are absent. Connect and URL give access and are hidden in print.
type StreamDelivery struct {
	Status        string                     `json:"status,omitempty"`
	Mode          string                     `json:"mode,omitempty"`
	TransportID   string                     `json:"transportId,omitempty"`
	SessionID     string                     `json:"sessionId,omitempty"`
	Signaling     *Signaling                 `json:"signaling,omitempty"`
	Protocols     []string                   `json:"protocols"`
	Encoding      string                     `json:"encoding,omitempty"`
	Connect       Connect                    `json:"connect,omitzero"`
	URL           Secret                     `json:"url,omitempty"`
	AccessToken   Secret                     `json:"accessToken,omitempty"`
	ExpiresAt     string                     `json:"expiresAt,omitempty"`
	MaxDownloads  json.Number                `json:"maxDownloads,omitempty"`
	DownloadCount json.Number                `json:"downloadCount,omitempty"`
	Message       string                     `json:"message,omitempty"`
	Params        map[string]json.RawMessage `json:"params,omitempty" wire:"lenient"`
	Extra         Extra                      `json:"-"`
}

// Signaling is where the two sides of a p2p delivery meet. Some answers have the
// channel's id alone; Type is then "", which means peaqos-socket.
type Signaling struct {
	Type      string `json:"type,omitempty"`
	ChannelID string `json:"channelId" wire:"bare"`
}

// Connect opens a p2p delivery.
type Connect struct {
	Type      string `json:"type" wire:"required"`
	URL       Secret `json:"url" wire:"required"`
	ExpiresAt string `json:"expiresAt,omitempty"`
	Extra     Extra  `json:"-"`
}

// StreamAccess is the key of one chunk, wrapped for the buyer.
type StreamAccess struct {
	SchemaVersion string            `json:"schemaVersion,omitempty"`
	ChunkID       string            `json:"chunkId" wire:"required"`
	Buyer         StreamAccessGrant `json:"buyer" wire:"required"`
	Extra         Extra             `json:"-"`
}

// StreamAccessGrant is a wrapped key; only the buyer's private key opens it.
type StreamAccessGrant struct {
	RecipientID   string `json:"recipientId" wire:"required"`
	RecipientType string `json:"recipientType" wire:"required"`
	Algorithm     string `json:"algorithm" wire:"required"`
	PublicKeyHex  string `json:"publicKeyHex" wire:"required"`
	WrappedKeyHex string `json:"wrappedKeyHex" wire:"required"`
}

// GetPurchaseDelivery reads how a paid purchase is delivered. The token may be "".
// It fails with CodeStreamDeliveryNotReady until the seller has prepared access.
func (c *Client) GetPurchaseDelivery(ctx context.Context, token Secret, purchaseID string) (PurchaseAccess, error) {
	return send(ctx, c, read("/purchases/{purchase_id}/delivery", purchaseID).mayAs(token), bare[PurchaseAccess])
}

// PrepareBuyerAccessRequest is the seller's side of a delivery: the first three
// are required. The shape of Items is not in any source.
type PrepareBuyerAccessRequest struct {
	MachineID  string           `json:"machineId"`
	AgentID    string           `json:"agentId"`
	AgentToken Secret           `json:"agentToken"`
	Items      []map[string]any `json:"items,omitzero"`
	Delivery   PrepareDelivery  `json:"delivery,omitzero"`
}

// PrepareDelivery says where the seller serves the data.
type PrepareDelivery struct {
	Mode        string  `json:"mode,omitempty"`
	TransportID string  `json:"transportId,omitempty"`
	Connect     Connect `json:"connect,omitzero"`
	ChannelID   string  `json:"channelId,omitempty"`
}

// PrepareBuyerAccessAnswer holds the order of the stream, the wrapped keys and
// the session that was opened, which is zero when there is none.
type PrepareBuyerAccessAnswer struct {
	Item            StreamOrder     `json:"item" wire:"filled"`
	Access          []StreamAccess  `json:"access"`
	DeliverySession DeliverySession `json:"deliverySession,omitzero"`
	Extra           Extra           `json:"-"`
}

// StreamOrder is a purchase as the seller sees it. Amount is in major units.
type StreamOrder struct {
	ID                string          `json:"id" wire:"filled"`
	ListingID         string          `json:"listingId" wire:"required"`
	MachineID         string          `json:"machineId" wire:"required"`
	BuyerID           string          `json:"buyerId" wire:"required"`
	ChunkIDs          []string        `json:"chunkIds"`
	Amount            json.Number     `json:"amount,omitempty"`
	Currency          string          `json:"currency,omitempty"`
	Status            string          `json:"status" wire:"required"`
	Payment           PurchasePayment `json:"payment" wire:"required"`
	AccessGrantIDs    []string        `json:"accessGrantIds"`
	DeliverySessionID string          `json:"deliverySessionId,omitempty"`
	Extra             Extra           `json:"-"`
}

// DeliverySession is one delivery to one buyer.
type DeliverySession struct {
	ID             string          `json:"id" wire:"filled"`
	MachineID      string          `json:"machineId" wire:"required"`
	OrderID        string          `json:"orderId" wire:"required"`
	BuyerID        string          `json:"buyerId" wire:"required"`
	ChunkIDs       []string        `json:"chunkIds"`
	Delivery       StreamDelivery  `json:"delivery" wire:"required"`
	Status         string          `json:"status" wire:"required"`
	RequestedRange json.RawMessage `json:"requestedRange,omitempty"`
	CreatedAt      string          `json:"createdAt" wire:"required"`
	UpdatedAt      string          `json:"updatedAt" wire:"required"`
	Extra          Extra           `json:"-"`
}

// PrepareBuyerAccess opens a purchase's data to its buyer. It is the seller's
// call: the agent's credentials are in the body, no pairing token is sent.
//
// After an Unknown outcome read GetPurchase, or send it again.
func (c *Client) PrepareBuyerAccess(ctx context.Context, purchaseID string, req PrepareBuyerAccessRequest) (PrepareBuyerAccessAnswer, error) {
	r := write(http.MethodPost, "/stream/orders/{purchase_id}/prepare-access", purchaseID).
		need("machine_id", req.MachineID).need("agent_id", req.AgentID).need("agent_token", string(req.AgentToken)).with(req)
	r.token = req.AgentToken // not sent as a header, but hidden in errors
	return send(ctx, c, r, bare[PrepareBuyerAccessAnswer])
}
