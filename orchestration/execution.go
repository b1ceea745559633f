package orchestration

import (
	"context"
	"encoding/json"
	"net/http"
)

// ExecuteMarketOrderRequest is what execute takes: everything may be left out.
type ExecuteMarketOrderRequest struct {
	// Input is what the operation needs; its keys go out as they are.
	Input map[string]any `json:"input,omitempty"`
	// Payment repeats the signature of the proof; x402 only.
	Payment X402Payment `json:"payment,omitzero"`
}

// X402Payment carries the text of a signed x402 header (see orchestration/x402).
type X402Payment struct {
	PaymentSignature Secret `json:"paymentSignature"`
}

// ExecuteMarketOrderAnswer is what execute answers: Execution tells what happened, not the HTTP status.
type ExecuteMarketOrderAnswer struct {
	Order     MarketOrder `json:"order" wire:"filled"`
	Execution Execution   `json:"execution" wire:"filled"`
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

// RunStatus is the status of a run or of its outcome: an open set.
type RunStatus string

// Run and outcome statuses of the contract.
const (
	RunCompleted RunStatus = "completed"
	RunFailed    RunStatus = "failed"
	RunExternal  RunStatus = "external"
)

// Run is one attempt at executing.
type Run struct {
	ID            string        `json:"id" wire:"required"`
	Status        RunStatus     `json:"status" wire:"required"`
	ExecutionMode ExecutionMode `json:"executionMode,omitempty"`
	SkillKey      string        `json:"skillKey,omitempty"`
	ServiceID     string        `json:"serviceId,omitempty"`
	OutcomeID     string        `json:"outcomeId,omitempty"`
	Extra         Extra         `json:"-"`
}

// Outcome is what the provider gave. A failed one arrives with status 200.
type Outcome struct {
	ID            string          `json:"id" wire:"required"`
	Status        RunStatus       `json:"status" wire:"required"`
	SkillKey      string          `json:"skillKey" wire:"required"`
	ServiceID     string          `json:"serviceId" wire:"required"`
	ExecutionMode ExecutionMode   `json:"executionMode" wire:"required"`
	Result        json.RawMessage `json:"result,omitempty"`
	ErrorMessage  string          `json:"errorMessage,omitempty"`
	ExternalRef   string          `json:"externalRef,omitempty"`
	Extra         Extra           `json:"-"`
}

// ExecuteMarketOrder executes a paid order; on x402 this is when the money moves.
// It fails with CodePaymentRequired, CodeExecutionUnsupported, CodeOrderClosed. A
// failed Outcome is no error.
//
// After an Unknown outcome read GetMarketOrder and GetMarketPayment, also when an
// x402 execution failed: the provider may have been paid. Never sign twice.
func (c *Client) ExecuteMarketOrder(ctx context.Context, token Secret, orderID string, req ExecuteMarketOrderRequest) (ExecuteMarketOrderAnswer, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/execute", orderID).as(token).with(req)
	return send(ctx, c, r, func(a answer) (ExecuteMarketOrderAnswer, error) {
		got, err := bare[ExecuteMarketOrderAnswer](a)
		if err == nil {
			err = got.Execution.check()
		}
		return got, err
	})
}

// check reports what an execution lacks for its status code.
func (e Execution) check() error {
	switch {
	case e.StatusCode != http.StatusOK && e.StatusCode != http.StatusAccepted:
		return shapeError("execution.statusCode", "is neither 200 nor 202")
	case e.StatusCode == http.StatusOK && (e.Run == nil || e.Outcome == nil):
		return shapeError("execution", "lacks run or outcome")
	case e.StatusCode == http.StatusAccepted && (e.Handoff == nil || e.Handoff.Label == "" || e.Handoff.URL == ""):
		return shapeError("execution.handoff", "is missing, or lacks label or url")
	}
	return nil
}

// ConfirmMarketOrderAnswer is what confirm answers: Payment is nil when none was required.
type ConfirmMarketOrderAnswer struct {
	Order   MarketOrder    `json:"order" wire:"filled"`
	Payment *MarketPayment `json:"payment"`
}

// ConfirmMarketOrder says that the buyer has what it paid for. A held payment
// becomes release_pending; releasing it is another call. It fails with
// CodeOrderNotDelivered, CodeOrderClosed.
//
// After an Unknown outcome read GetMarketOrder: its status is confirmed.
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
	Order   MarketOrder    `json:"order" wire:"filled"`
	Payment *MarketPayment `json:"payment"`
	Dispute Dispute        `json:"dispute" wire:"filled"`
}

// DisputeStatus is an open set.
type DisputeStatus string

// Dispute statuses of the contract.
const (
	DisputeOpen     DisputeStatus = "open"
	DisputeResolved DisputeStatus = "resolved"
)

// Dispute is what a buyer objects to.
type Dispute struct {
	ID        string                     `json:"id" wire:"required"`
	OrderID   string                     `json:"orderId" wire:"required"`
	MachineID string                     `json:"machineId" wire:"required"`
	Status    DisputeStatus              `json:"status" wire:"required"`
	Reason    string                     `json:"reason" wire:"required"`
	Evidence  map[string]json.RawMessage `json:"evidence,omitempty" wire:"lenient"`
	CreatedAt string                     `json:"createdAt" wire:"required"`
	UpdatedAt string                     `json:"updatedAt" wire:"required"`
	Extra     Extra                      `json:"-"`
}

// DisputeMarketOrder opens a dispute; the payment is frozen. It fails with
// CodeOrderClosed.
//
// After an Unknown outcome read GetMarketOrder: its status is disputed.
func (c *Client) DisputeMarketOrder(ctx context.Context, token Secret, orderID string, req DisputeMarketOrderRequest) (DisputeMarketOrderAnswer, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/dispute", orderID).as(token).need("reason", req.Reason).with(req)
	return send(ctx, c, r, bare[DisputeMarketOrderAnswer])
}

// ExecuteMarketServiceRequest asks for a free operation without an order:
// MachineID, AgentPairingID and Operation are required.
type ExecuteMarketServiceRequest struct {
	MachineID           string              `json:"machineId"`
	AgentPairingID      string              `json:"agentPairingId"`
	Operation           string              `json:"operation"`
	Input               map[string]any      `json:"input,omitempty" also:"inputPayload"`
	Budget              *Budget             `json:"budget,omitempty"`
	ProviderCredentials ProviderCredentials `json:"providerCredentials,omitempty"`
}

// ExecuteMarketServiceAnswer has an Execution with StatusCode 200.
type ExecuteMarketServiceAnswer struct {
	Service   MarketService `json:"service" wire:"filled"`
	Execution Execution     `json:"execution" wire:"filled"`
}

// ExecuteMarketService executes a free read of a service, without an order. A
// failed Outcome is no error.
//
// After an Unknown outcome repeat it when the operation only reads.
func (c *Client) ExecuteMarketService(ctx context.Context, token Secret, serviceID string, req ExecuteMarketServiceRequest) (ExecuteMarketServiceAnswer, error) {
	r := write(http.MethodPost, "/market/services/{service_id}/execute", serviceID).as(token).
		need("machine_id", req.MachineID).need("agent_pairing_id", req.AgentPairingID).need("operation", req.Operation).with(req)
	return send(ctx, c, r, func(a answer) (ExecuteMarketServiceAnswer, error) {
		got, err := bare[ExecuteMarketServiceAnswer](a)
		if err == nil {
			err = got.Execution.check()
		}
		switch e := got.Execution; {
		case err != nil:
		case e.StatusCode != http.StatusOK:
			err = shapeError("execution.statusCode", "is not 200")
		case e.Task == nil || e.Route == nil:
			err = shapeError("execution", "lacks task or route")
		}
		return got, err
	})
}
