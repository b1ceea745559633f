package orchestration

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
)

// OrderStatus is an open set.
type OrderStatus string

// Order statuses of the contract.
const (
	OrderCreated        OrderStatus = "created"
	OrderPaymentPending OrderStatus = "payment_pending"
	OrderReady          OrderStatus = "ready"
	OrderExecuting      OrderStatus = "executing"
	OrderDelivered      OrderStatus = "delivered"
	OrderConfirmed      OrderStatus = "confirmed"
	OrderDisputed       OrderStatus = "disputed"
	OrderCancelled      OrderStatus = "cancelled"
	OrderFailed         OrderStatus = "failed"
	OrderHandoff        OrderStatus = "handoff"
)

// MarketOrder is an order. It has no price: that is in its quote, and the amount
// due is in its payment.
type MarketOrder struct {
	ID                string             `json:"id" wire:"filled"`
	MachineID         string             `json:"machineId" wire:"required"`
	AgentPairingID    string             `json:"agentPairingId" wire:"required"`
	SearchID          *string            `json:"searchId"`
	QuoteID           *string            `json:"quoteId"`
	ServiceID         string             `json:"serviceId" wire:"required"`
	SkillKey          string             `json:"skillKey" wire:"required"`
	ProviderKey       string             `json:"providerKey" wire:"required"`
	ServiceType       ServiceType        `json:"serviceType" wire:"required"`
	Operation         string             `json:"operation" wire:"required"`
	ExecutionMode     ExecutionMode      `json:"executionMode" wire:"required"`
	IntegrationStatus IntegrationStatus  `json:"integrationStatus" wire:"required"`
	Status            OrderStatus        `json:"status" wire:"filled"`
	Payment           RailRecommendation `json:"payment" wire:"required"`
	// Input keeps its keys as they are.
	Input        map[string]json.RawMessage `json:"input,omitempty" also:"inputPayload" wire:"lenient"`
	Budget       *Budget                    `json:"budget"`
	Handoff      *Handoff                   `json:"handoff"`
	ErrorMessage *string                    `json:"errorMessage"`
	CreatedAt    string                     `json:"createdAt" wire:"required"`
	UpdatedAt    string                     `json:"updatedAt" wire:"required"`
	// Extra has, among others, serviceSnapshot, taskId, routeId, runId and
	// outcomeId.
	Extra Extra `json:"-"`
}

// UnmarshalJSON reads the wire form in either spelling.
func (o *MarketOrder) UnmarshalJSON(text []byte) error { return decode(text, o) }

// MarshalJSON writes the wire form, Extra included.
func (o MarketOrder) MarshalJSON() ([]byte, error) { return encodeRecord(o) }

// Budget is in major units of Currency. "" is absent.
type Budget struct {
	Amount    json.Number `json:"amount,omitempty"`
	Max       json.Number `json:"max,omitempty"`
	Preferred json.Number `json:"preferred,omitempty"` // searches only
	Currency  string      `json:"currency,omitempty"`
}

// Handoff is where a person goes on when the server does not execute.
type Handoff struct {
	Label string   `json:"label" wire:"required"`
	URL   string   `json:"url" wire:"required"`
	Notes []string `json:"notes"`
}

// ProviderCredentials are given per request and never stored in clear by the
// server: provider → field → value, names as on the wire (walrus, worldId).
type ProviderCredentials map[string]map[string]Secret

// GetMarketOrder reads one order. With a pairing token (As) some providers' orders
// come with their saved execution, which is in Extra.
func (c *Client) GetMarketOrder(ctx context.Context, orderID string) (MarketOrder, error) {
	r := read("/market/orders/{order_id}", orderID).mayAs(c.reader)
	return send(ctx, c, r, func(a answer) (MarketOrder, error) {
		order, err := item[MarketOrder](a)
		// It stands beside the item.
		if text, missing := a.member("execution"); err == nil && missing == nil && string(text) != "null" {
			order.Extra = order.Extra.with("execution", text)
		}
		return order, err
	})
}

// ListMarketOrders reads one page of a machine's orders. Their order is not
// stated.
func (c *Client) ListMarketOrders(ctx context.Context, machineID string, page Page) (List[MarketOrder], error) {
	r := read("/market/orders").need("machine_id", machineID).where(param{"machineId", machineID}).paged(page)
	return send(ctx, c, r, list[MarketOrder])
}

// AllMarketOrders walks the orders of a machine from page on.
func (c *Client) AllMarketOrders(ctx context.Context, machineID string, page Page) iter.Seq2[MarketOrder, error] {
	return all(ctx, page, func(ctx context.Context, page Page) (List[MarketOrder], error) {
		return c.ListMarketOrders(ctx, machineID, page)
	})
}

// CreateMarketOrderRequest describes a new order: MachineID, AgentPairingID and ServiceID are required.
type CreateMarketOrderRequest struct {
	MachineID           string              `json:"machineId"`
	AgentPairingID      string              `json:"agentPairingId"`
	ServiceID           string              `json:"serviceId"`
	SearchID            string              `json:"searchId,omitempty"`
	QuoteID             string              `json:"quoteId,omitempty"`
	Operation           string              `json:"operation,omitempty"`
	Input               map[string]any      `json:"input,omitempty"`
	Budget              *Budget             `json:"budget,omitempty"`
	ProviderCredentials ProviderCredentials `json:"providerCredentials,omitempty"`
}

// CreateMarketOrder places an order. It fails with CodeQuoteExpired (search again),
// CodeAgentPairingRequired, CodeAgentPairingInactive, CodeAgentPolicyDenied,
// CodeAgentSpendLimitExceeded, CodeAgentDailyLimitExceeded, CodeMachineNotActive,
// CodeMachineNotActivated, CodeNotFound.
//
// After an Unknown outcome look for it with AllMarketOrders (pairing, service and
// quote name it) before repeating: there is no idempotency key, each call that acts
// makes another order.
func (c *Client) CreateMarketOrder(ctx context.Context, token Secret, req CreateMarketOrderRequest) (MarketOrder, error) {
	r := write(http.MethodPost, "/market/orders").as(token).
		need("machine_id", req.MachineID).need("agent_pairing_id", req.AgentPairingID).need("service_id", req.ServiceID).
		with(req)
	return send(ctx, c, r, item[MarketOrder])
}
