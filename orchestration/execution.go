package orchestration

import (
	"context"
	"encoding/json"
	"net/http"
)

// ExecuteMarketOrderRequest is what execute takes: everything may be left out.
type ExecuteMarketOrderRequest struct {
	Input map[string]any `json:"input,omitempty"`
	// PaymentSignature is the signed x402 header of the proof; "" on other rails.
	PaymentSignature Secret `json:"-"`
}

// ExecuteMarketOrderAnswer is what execute answers: Execution tells what happened, not the HTTP status.
type ExecuteMarketOrderAnswer struct {
	Order     MarketOrder `json:"order" wire:"required"`
	Execution Execution   `json:"execution" wire:"required"`
}

// Execution has StatusCode 200 with Run and Outcome, or 202 with Handoff.
type Execution struct {
	StatusCode int             `json:"statusCode" wire:"required"`
	Task       json.RawMessage `json:"task,omitempty"`
	Route      json.RawMessage `json:"route,omitempty"`
	Run        *Run            `json:"run,omitempty"`
	Outcome    *Outcome        `json:"outcome,omitempty"`
	Handoff    *Handoff        `json:"handoff,omitempty"`
}

// Run is one attempt at executing.
type Run struct {
	ID            string `json:"id" wire:"required"`
	Status        string `json:"status" wire:"required"`
	ExecutionMode string `json:"executionMode,omitempty"`
	SkillKey      string `json:"skillKey,omitempty"`
	ServiceID     string `json:"serviceId,omitempty"`
	OutcomeID     string `json:"outcomeId,omitempty"`
}

// Outcome is what the provider gave. A failed one arrives with status 200.
type Outcome struct {
	ID            string          `json:"id" wire:"required"`
	Status        string          `json:"status" wire:"required"`
	SkillKey      string          `json:"skillKey" wire:"required"`
	ServiceID     string          `json:"serviceId" wire:"required"`
	ExecutionMode string          `json:"executionMode" wire:"required"`
	Result        json.RawMessage `json:"result,omitempty"`
	ErrorMessage  string          `json:"errorMessage,omitempty"`
	ExternalRef   string          `json:"externalRef,omitempty"`
}

// ExecuteMarketOrder executes a paid order. It fails with CodePaymentRequired,
// CodeExecutionUnsupported, CodeOrderClosed.
func (c *Client) ExecuteMarketOrder(ctx context.Context, token Secret, orderID string, req ExecuteMarketOrderRequest) (ExecuteMarketOrderAnswer, error) {
	type payment struct {
		PaymentSignature string `json:"paymentSignature"`
	}
	body := struct {
		ExecuteMarketOrderRequest
		Payment *payment `json:"payment,omitempty"`
	}{ExecuteMarketOrderRequest: req}
	if req.PaymentSignature != "" {
		body.Payment = &payment{string(req.PaymentSignature)}
	}
	r := write(http.MethodPost, "/market/orders/{order_id}/execute", orderID).as(token).with(body)
	return send(ctx, c, r, func(a answer) (ExecuteMarketOrderAnswer, error) {
		got, err := bare[ExecuteMarketOrderAnswer](a)
		if err != nil {
			return got, err
		}
		execution := got.Execution
		switch {
		case execution.StatusCode != http.StatusOK && execution.StatusCode != http.StatusAccepted:
			return got, shapeError("execution.statusCode", "is neither 200 nor 202")
		case execution.StatusCode == http.StatusOK && (execution.Run == nil || execution.Outcome == nil):
			return got, shapeError("execution", "lacks run or outcome")
		case execution.StatusCode == http.StatusAccepted && execution.Handoff == nil:
			return got, shapeError("execution.handoff", "is missing")
		}
		return got, nil
	})
}

// ConfirmMarketOrderAnswer is what confirm answers: Payment is nil when none was required.
type ConfirmMarketOrderAnswer struct {
	Order   MarketOrder    `json:"order" wire:"required"`
	Payment *MarketPayment `json:"payment"`
}

// ConfirmMarketOrder says that the buyer has what it paid for. A held payment
// becomes release_pending; releasing it is another call. It fails with
// CodeOrderNotDelivered, CodeOrderClosed.
func (c *Client) ConfirmMarketOrder(ctx context.Context, token Secret, orderID string) (ConfirmMarketOrderAnswer, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/confirm", orderID).as(token).with(struct{}{})
	return send(ctx, c, r, bare[ConfirmMarketOrderAnswer])
}

// DisputeMarketOrderRequest is what dispute takes: Reason is required.
type DisputeMarketOrderRequest struct {
	Reason   string         `json:"reason"`
	Evidence map[string]any `json:"evidence,omitempty"`
}

// DisputeMarketOrderAnswer is what dispute answers: Payment is nil when there is none.
type DisputeMarketOrderAnswer struct {
	Order   MarketOrder    `json:"order" wire:"required"`
	Payment *MarketPayment `json:"payment"`
	Dispute Dispute        `json:"dispute" wire:"required"`
}

// Dispute has Status "open" or "resolved".
type Dispute struct {
	ID        string                     `json:"id" wire:"required"`
	OrderID   string                     `json:"orderId" wire:"required"`
	MachineID string                     `json:"machineId" wire:"required"`
	Status    string                     `json:"status" wire:"required"`
	Reason    string                     `json:"reason" wire:"required"`
	Evidence  map[string]json.RawMessage `json:"evidence,omitempty" wire:"lenient"`
	CreatedAt string                     `json:"createdAt" wire:"required"`
	UpdatedAt string                     `json:"updatedAt" wire:"required"`
}

// DisputeMarketOrder opens a dispute; the payment is frozen.
func (c *Client) DisputeMarketOrder(ctx context.Context, token Secret, orderID string, req DisputeMarketOrderRequest) (DisputeMarketOrderAnswer, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/dispute", orderID).as(token).need("reason", req.Reason).with(req)
	return send(ctx, c, r, bare[DisputeMarketOrderAnswer])
}
