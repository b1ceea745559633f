package orchestrationtest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

func (s *Server) listOrders(c *call) (answer, error) {
	machineID := c.URL.Query().Get("machineId")
	if strings.TrimSpace(machineID) == "" {
		return answer{}, invalid("machineId is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.activeMachine(machineID); err != nil {
		return answer{}, err
	}
	return page(c, s.orders.all(func(o orchestration.MarketOrder) bool { return o.MachineID == machineID }))
}

func (s *Server) getOrder(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order, ok := s.orders.rows[c.PathValue("order")]
	if !ok {
		return answer{}, notFound("order")
	}
	return item(http.StatusOK, order), nil
}

func (s *Server) createOrder(c *call) (answer, error) {
	var req orchestration.CreateMarketOrderRequest
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	var input struct {
		Input map[string]json.RawMessage `json:"input"`
	}
	if err := c.decode(&input); err != nil {
		return answer{}, err
	}
	switch {
	case req.AgentPairingID == "":
		return answer{}, refuse(http.StatusBadRequest, orchestration.CodeAgentPairingRequired, "agentPairingId is required")
	case req.MachineID == "" || req.ServiceID == "":
		return answer{}, invalid("machineId and serviceId are required")
	case req.MachineID != c.token.MachineID || req.AgentPairingID != c.token.PairingID:
		return answer{}, refuse(http.StatusUnauthorized, orchestration.CodeAgentAuthInvalid, "the token is for another machine or pairing")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.activeMachine(req.MachineID); err != nil {
		return answer{}, err
	}
	service, ok := s.service(req.ServiceID)
	if !ok {
		return answer{}, notFound("service")
	}
	mode, status := service.modes()
	order := orchestration.MarketOrder{
		ID: newID("ord_"), MachineID: req.MachineID, AgentPairingID: req.AgentPairingID, ServiceID: service.ID,
		SkillKey: service.skillKey(), ProviderKey: service.providerKey(), ServiceType: service.ServiceType,
		Operation: cmp.Or(req.Operation, service.operation()), ExecutionMode: mode, IntegrationStatus: status,
		Status: orchestration.OrderCreated, Payment: service.Payment, Input: input.Input, Budget: req.Budget,
		CreatedAt: s.now(), UpdatedAt: s.now(),
	}
	if req.SearchID != "" {
		order.SearchID = &req.SearchID
	}
	if req.QuoteID != "" {
		quote, ok := s.quotes[req.QuoteID]
		switch {
		case !ok:
			return answer{}, notFound("quote")
		case quote.ServiceID != service.ID:
			return answer{}, invalid("the quote is for another service")
		case s.expired(quote):
			return answer{}, refuse(http.StatusConflict, orchestration.CodeQuoteExpired, "the quote expired at "+quote.ExpiresAt)
		}
		order.QuoteID, order.Payment = &req.QuoteID, quote.Payment
	}
	s.orders.put(order.ID, order)
	return s.told(item(http.StatusCreated, order), order.ID, "order.created"), nil
}

func (s *Server) expired(quote orchestration.MarketQuote) bool {
	ends, err := time.Parse(time.RFC3339, quote.ExpiresAt)
	return err != nil || !s.cfg.Now().Before(ends)
}

// told lets the hook hear of an order before the answer is sent.
func (s *Server) told(a answer, orderID, event string) answer {
	a.then = func() { s.Tell(orderID, event) }
	return a
}

// writable finds the order that an agent's call writes to. Caller holds s.mu.
func (s *Server) writable(c *call) (orchestration.MarketOrder, error) {
	order, ok := s.orders.rows[c.PathValue("order")]
	switch {
	case !ok:
		return order, notFound("order")
	case order.MachineID != c.token.MachineID:
		return order, refuse(http.StatusUnauthorized, orchestration.CodeAgentAuthInvalid, "the token is for another machine")
	case s.cfg.BuyerOnly && order.AgentPairingID != c.token.PairingID:
		return order, refuse(http.StatusForbidden, orchestration.CodeAgentPolicyDenied, "the order belongs to another pairing")
	}
	return order, nil
}

// unfinished is writable for calls that a closed order refuses.
func (s *Server) unfinished(c *call) (orchestration.MarketOrder, error) {
	order, err := s.writable(c)
	if err != nil {
		return order, err
	}
	switch order.Status {
	case orchestration.OrderConfirmed, orchestration.OrderCancelled, orchestration.OrderFailed, orchestration.OrderDisputed:
		return order, refuse(http.StatusConflict, orchestration.CodeOrderClosed, "the order is "+string(order.Status))
	}
	return order, nil
}

// moveOrder saves an order's new status. Caller holds s.mu.
func (s *Server) moveOrder(order orchestration.MarketOrder, status orchestration.OrderStatus) orchestration.MarketOrder {
	order.Status, order.UpdatedAt = status, s.now()
	s.orders.put(order.ID, order)
	return order
}

func (s *Server) execute(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	execution := orchestration.Execution{StatusCode: http.StatusOK}
	if order.ExecutionMode == "external-handoff" {
		service, _ := s.service(order.ServiceID)
		execution.StatusCode = http.StatusAccepted
		execution.Handoff = &orchestration.Handoff{Label: cmp.Or(service.Name, order.ServiceID), URL: "https://provider.example/" + order.ServiceID}
		order.Handoff = execution.Handoff
		order = s.moveOrder(order, orchestration.OrderHandoff)
	} else {
		outcome := newID("out_")
		execution.Run = &orchestration.Run{
			ID: newID("run_"), Status: "completed", ExecutionMode: order.ExecutionMode, SkillKey: order.SkillKey,
			ServiceID: order.ServiceID, OutcomeID: outcome,
		}
		execution.Outcome = &orchestration.Outcome{
			ID: outcome, Status: "completed", SkillKey: order.SkillKey, ServiceID: order.ServiceID,
			ExecutionMode: order.ExecutionMode, Result: json.RawMessage(`{"done":true}`),
		}
		order = s.moveOrder(order, orchestration.OrderDelivered)
	}
	body := orchestration.ExecuteMarketOrderAnswer{Order: order, Execution: execution}
	return s.told(answer{status: execution.StatusCode, body: body}, order.ID, "order.updated"), nil
}

func (s *Server) confirm(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order, err := s.unfinished(c)
	if err != nil {
		return answer{}, err
	}
	if order.Status != orchestration.OrderDelivered && order.Status != orchestration.OrderHandoff {
		return answer{}, refuse(http.StatusConflict, orchestration.CodeOrderNotDelivered, "the order is "+string(order.Status))
	}
	order = s.moveOrder(order, orchestration.OrderConfirmed)
	body := orchestration.ConfirmMarketOrderAnswer{
		Order: order, Payment: s.movePayment(order.ID, orchestration.PaymentReleasePending, orchestration.PaymentHeld),
	}
	return s.told(answer{status: http.StatusOK, body: body}, order.ID, "order.confirmed"), nil
}

func (s *Server) dispute(c *call) (answer, error) {
	var req struct {
		Reason   string                     `json:"reason"`
		Evidence map[string]json.RawMessage `json:"evidence"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if strings.TrimSpace(req.Reason) == "" {
		return answer{}, invalid("reason is required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	order, err := s.unfinished(c)
	if err != nil {
		return answer{}, err
	}
	order = s.moveOrder(order, orchestration.OrderDisputed)
	body := orchestration.DisputeMarketOrderAnswer{
		Order:   order,
		Payment: s.movePayment(order.ID, orchestration.PaymentFrozen, orchestration.PaymentHeld, orchestration.PaymentReleasePending),
		Dispute: orchestration.Dispute{
			ID: newID("disp_"), OrderID: order.ID, MachineID: order.MachineID, Status: "open", Reason: req.Reason,
			Evidence: req.Evidence, CreatedAt: s.now(), UpdatedAt: s.now(),
		},
	}
	return s.told(answer{status: http.StatusOK, body: body}, order.ID, "order.disputed"), nil
}
