package orchestrationtest

import (
	"encoding/json"
	"net/http"

	"github.com/settler-pay/settler/orchestration"
)

// run is one attempt at executing.
type run struct {
	ID            string `json:"id"`
	Status        string `json:"status"`
	MachineID     string `json:"machineId"`
	OrderID       string `json:"orderId,omitempty"`
	ExecutionMode string `json:"executionMode"`
	SkillKey      string `json:"skillKey"`
	ServiceID     string `json:"serviceId"`
	OutcomeID     string `json:"outcomeId"`
	CreatedAt     string `json:"createdAt"`
}

// provide lets the service's provider work, as it does in the same moment here.
// Caller holds s.mu.
func (s *Server) provide(service Service, serviceID, machineID, orderID string) (execution map[string]any, failed string) {
	mode, _ := service.modes()
	done := run{
		ID: newID("run_"), Status: "completed", MachineID: machineID, OrderID: orderID, ExecutionMode: mode, SkillKey: service.skillKey(),
		ServiceID: serviceID, OutcomeID: newID("out_"), CreatedAt: s.now(),
	}
	result := service.Result
	if result == nil {
		result = json.RawMessage(`{"done":true}`)
	}
	outcome := map[string]any{
		"id": done.OutcomeID, "status": "completed", "skillKey": done.SkillKey, "serviceId": serviceID, "executionMode": mode, "result": result,
	}
	if service.Fails != "" {
		done.Status, outcome["status"], outcome["errorMessage"] = "failed", "failed", service.Fails
		delete(outcome, "result")
	}
	s.state.runs.put(done.ID, done)
	return map[string]any{
		"statusCode": http.StatusOK, "run": done, "outcome": outcome,
		"task": map[string]any{"id": newID("task_")}, "route": map[string]any{"id": newID("route_")},
	}, service.Fails
}

func (s *Server) execute(c *call) (answer, error) {
	var req struct {
		Input   map[string]json.RawMessage `json:"input"`
		Payment *struct {
			PaymentSignature string `json:"paymentSignature"`
		} `json:"payment"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	order, err := s.unfinished(c)
	if err != nil {
		return answer{}, err
	}
	free := order.Payment.DefaultRail == orchestration.RailNotRequired && !order.Payment.Required
	switch {
	case order.Status == orchestration.OrderReady || order.Status == orchestration.OrderCreated && free:
	case order.Status == orchestration.OrderCreated || order.Status == orchestration.OrderPaymentPending:
		return answer{}, refuse(http.StatusPaymentRequired, orchestration.CodePaymentRequired, "the payment is not held")
	default:
		return answer{}, refuse(http.StatusConflict, orchestration.CodeExecutionUnsupported, "the order is "+string(order.Status))
	}
	if payment, ok := s.state.payments.get(order.ID); ok && payment.Rail.Type == orchestration.RailX402 {
		signature := ""
		if req.Payment != nil {
			signature = req.Payment.PaymentSignature
		}
		if err := s.settleX402(order, payment, signature); err != nil {
			return answer{}, err
		}
	}
	if req.Input != nil {
		order.Input = req.Input
	}
	service, known := s.services.get(order.ServiceID)
	if !known { // of a test that sets its orders itself
		service = Service{ID: order.ServiceID, Name: order.ServiceID, SkillKey: order.SkillKey, External: order.ExecutionMode == "external-handoff"}
	}
	if service.External {
		order.Handoff = service.handoff()
		order = s.moveOrder(order, orchestration.OrderHandoff)
		body := map[string]any{"order": order, "execution": map[string]any{"statusCode": http.StatusAccepted, "handoff": order.Handoff}}
		return s.told(c, answer{status: http.StatusAccepted, body: body}, order, "order.updated"), nil
	}
	execution, failed := s.provide(service, order.ServiceID, order.MachineID, order.ID)
	if failed != "" {
		order.ErrorMessage = &failed
		order = s.moveOrder(order, orchestration.OrderFailed)
	} else {
		order = s.moveOrder(order, orchestration.OrderDelivered)
	}
	body := map[string]any{"order": order, "execution": execution}
	return s.told(c, answer{status: http.StatusOK, body: body}, order, "order.updated"), nil
}

// executeService is a free read without an order (contract, 16.3).
func (s *Server) executeService(c *call) (answer, error) {
	var req struct {
		MachineID      string      `json:"machineId"`
		AgentPairingID string      `json:"agentPairingId"`
		Operation      string      `json:"operation"`
		Budget         *budgetBody `json:"budget"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := required("machineId", req.MachineID, "agentPairingId", req.AgentPairingID, "operation", req.Operation); err != nil {
		return answer{}, err
	}
	pairing, err := s.buyer(c, req.MachineID, req.AgentPairingID)
	if err != nil {
		return answer{}, err
	}
	service, ok := s.services.get(c.PathValue("service"))
	switch {
	case !ok:
		return answer{}, notFound("service")
	case service.Payment.Required || service.External:
		return answer{}, refuse(http.StatusConflict, orchestration.CodeExecutionUnsupported, "only free native services are executed without an order")
	case !s.permits(pairing.DelegationPolicy, service):
		return answer{}, refuse(http.StatusForbidden, orchestration.CodeAgentPolicyDenied, "the pairing's policy does not allow "+service.ID)
	}
	execution, _ := s.provide(service, service.ID, pairing.MachineID, "")
	return answer{status: http.StatusOK, body: map[string]any{"service": service.wire(), "execution": execution}}, nil
}

// listRuns and getRun are announced, not in the SDK (contract, 3.6).
func (s *Server) listRuns(c *call) (answer, error) {
	machineID := c.URL.Query().Get("machineId")
	return page(s, c, s.state.runs, func(r run) bool { return matches(machineID, r.MachineID) }, same)
}

func (s *Server) getRun(c *call) (answer, error) {
	row, ok := s.state.runs.get(c.PathValue("run"))
	if !ok {
		return answer{}, notFound("run")
	}
	return item(http.StatusOK, row), nil
}
