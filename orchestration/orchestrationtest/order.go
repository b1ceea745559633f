package orchestrationtest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

func (s *Server) listOrders(c *call) (answer, error) {
	machineID := c.URL.Query().Get("machineId")
	if err := required("machineId", machineID); err != nil {
		return answer{}, err
	}
	if _, err := s.activeMachine(machineID); err != nil {
		return answer{}, err
	}
	return page(s, c, s.state.orders, func(o orchestration.MarketOrder) bool { return o.MachineID == machineID }, same)
}

func (s *Server) getOrder(c *call) (answer, error) {
	order, ok := s.state.orders.get(c.PathValue("order"))
	if !ok {
		return answer{}, notFound("order")
	}
	if err := s.actsAs(c, order.MachineID, ""); err != nil {
		return answer{}, err
	}
	return item(http.StatusOK, order), nil
}

func (s *Server) createOrder(c *call) (answer, error) {
	var req struct {
		MachineID      string                     `json:"machineId"`
		AgentPairingID string                     `json:"agentPairingId"`
		ServiceID      string                     `json:"serviceId"`
		SearchID       string                     `json:"searchId"`
		QuoteID        string                     `json:"quoteId"`
		Operation      string                     `json:"operation"`
		Input          map[string]json.RawMessage `json:"input"`
		Budget         *budgetBody                `json:"budget"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if req.AgentPairingID == "" {
		return answer{}, refuse(http.StatusBadRequest, orchestration.CodeAgentPairingRequired, "agentPairingId is required")
	}
	if err := required("machineId", req.MachineID, "serviceId", req.ServiceID); err != nil {
		return answer{}, err
	}
	pairing, err := s.buyer(c, req.MachineID, req.AgentPairingID)
	if err != nil {
		return answer{}, err
	}
	service, ok := s.services.get(req.ServiceID)
	if !ok {
		return answer{}, notFound("service")
	}
	mode, status := service.modes()
	order := orchestration.MarketOrder{
		ID: newID("ord_"), MachineID: pairing.MachineID, AgentPairingID: pairing.ID, ServiceID: service.ID,
		SkillKey: service.skillKey(), ProviderKey: service.providerKey(), ServiceType: orchestration.ServiceType(service.ServiceType),
		Operation: cmp.Or(req.Operation, service.operation()), ExecutionMode: orchestration.ExecutionMode(mode), IntegrationStatus: orchestration.IntegrationStatus(status),
		Status: orchestration.OrderCreated, Payment: service.Payment, Input: req.Input, CreatedAt: s.now(), UpdatedAt: s.now(),
	}
	if req.Budget != nil {
		order.Budget = &orchestration.Budget{
			Amount: json.Number(req.Budget.Amount), Max: json.Number(req.Budget.Max), Currency: req.Budget.Currency,
		}
	}
	if req.SearchID != "" {
		if _, ok := s.state.searches.get(req.SearchID); !ok {
			return answer{}, notFound("search")
		}
		order.SearchID = &req.SearchID
	}
	if req.QuoteID != "" {
		quote, ok := s.state.quotes.get(req.QuoteID)
		switch {
		case !ok:
			return answer{}, notFound("quote")
		case quote.ServiceID != service.ID:
			return answer{}, invalid("quoteId", "the quote is for another service")
		case s.expired(quote):
			return answer{}, refuse(http.StatusConflict, orchestration.CodeQuoteExpired, "the quote expired at "+quote.ExpiresAt)
		}
		order.QuoteID, order.Payment = &req.QuoteID, quote.Payment
	}
	if err := s.maySpend(pairing, service, s.pricing(order)); err != nil {
		return answer{}, err
	}
	s.state.orders.put(order.ID, order)
	return s.told(c, item(http.StatusCreated, order), order, "order.created"), nil
}

func (s *Server) expired(quote orchestration.MarketQuote) bool {
	ends, err := time.Parse(time.RFC3339, quote.ExpiresAt)
	return err != nil || !s.cfg.Now().Before(ends)
}

// told notes what happened to an order, puts it into the outbox, and lets the
// hook hear of it before the answer is sent. Caller holds s.mu.
func (s *Server) told(c *call, a answer, order orchestration.MarketOrder, event string) answer {
	payment, _ := s.state.payments.get(order.ID)
	s.note(c.token.PairingID, event, "market_order", order.ID, order.MachineID, map[string]any{"status": order.Status, "paymentStatus": payment.Status})
	s.enqueue(order.ID, event)
	a.then = func() { s.tellHook(order.ID, event) }
	return a
}

// writable finds the order that an agent's call writes to. Caller holds s.mu.
func (s *Server) writable(c *call) (orchestration.MarketOrder, error) {
	order, ok := s.state.orders.get(c.PathValue("order"))
	acts := c.token.PairingID != "" // else tokens are not demanded
	switch {
	case !ok:
		return order, notFound("order")
	case acts && order.MachineID != c.token.MachineID:
		return order, refuse(http.StatusUnauthorized, orchestration.CodeAgentAuthInvalid, "the token is for another machine")
	case acts && s.cfg.BuyerOnly && order.AgentPairingID != c.token.PairingID:
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
	closed := s.cfg.Closed
	if closed == nil {
		closed = []orchestration.OrderStatus{orchestration.OrderConfirmed, orchestration.OrderCancelled, orchestration.OrderFailed, orchestration.OrderDisputed}
	}
	if slices.Contains(closed, order.Status) {
		return order, refuse(http.StatusConflict, orchestration.CodeOrderClosed, "the order is "+string(order.Status))
	}
	return order, nil
}

// moveOrder saves an order's new status. Caller holds s.mu.
func (s *Server) moveOrder(order orchestration.MarketOrder, status orchestration.OrderStatus) orchestration.MarketOrder {
	order.Status, order.UpdatedAt = status, s.now()
	s.state.orders.put(order.ID, order)
	return order
}

func (s *Server) confirm(c *call) (answer, error) {
	order, err := s.unfinished(c)
	if err != nil {
		return answer{}, err
	}
	if order.Status != orchestration.OrderDelivered && (order.Status != orchestration.OrderHandoff || s.cfg.NoHandoffConfirm) {
		return answer{}, refuse(http.StatusConflict, orchestration.CodeOrderNotDelivered, "the order is "+string(order.Status))
	}
	order = s.moveOrder(order, orchestration.OrderConfirmed)
	body := map[string]any{
		"order": order, "payment": s.movePayment(order.ID, orchestration.PaymentReleasePending, orchestration.PaymentHeld),
	}
	return s.told(c, answer{status: http.StatusOK, body: body}, order, "order.confirmed"), nil
}

func (s *Server) dispute(c *call) (answer, error) {
	var req struct {
		Reason   string                     `json:"reason"`
		Evidence map[string]json.RawMessage `json:"evidence"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := required("reason", req.Reason); err != nil {
		return answer{}, err
	}
	order, err := s.unfinished(c)
	if err != nil {
		return answer{}, err
	}
	if s.cfg.DisputeFrom != nil && !slices.Contains(s.cfg.DisputeFrom, order.Status) {
		return answer{}, invalid("status", "the order is "+string(order.Status))
	}
	if req.Evidence == nil {
		req.Evidence = map[string]json.RawMessage{}
	}
	order = s.moveOrder(order, orchestration.OrderDisputed)
	body := map[string]any{
		"order":   order,
		"payment": s.movePayment(order.ID, orchestration.PaymentFrozen, orchestration.PaymentHeld, orchestration.PaymentReleasePending),
		"dispute": map[string]any{
			"id": newID("disp_"), "orderId": order.ID, "machineId": order.MachineID, "status": "open", "reason": req.Reason,
			"evidence": req.Evidence, "createdAt": s.now(), "updatedAt": s.now(),
		},
	}
	return s.told(c, answer{status: http.StatusOK, body: body}, order, "order.disputed"), nil
}

// cancel and retry are announced, not in the SDK (contract, 3.6 and 8.1): an
// order is cancelled before it is paid for; a failed one may be executed again.
func (s *Server) cancel(c *call) (answer, error) {
	order, err := s.unfinished(c)
	if err != nil {
		return answer{}, err
	}
	payment, paid := s.state.payments.get(order.ID)
	paid = paid && payment.Status != orchestration.PaymentIntentCreated && payment.Status != orchestration.PaymentNotRequired
	if paid || !slices.Contains([]orchestration.OrderStatus{orchestration.OrderCreated, orchestration.OrderPaymentPending, orchestration.OrderReady}, order.Status) {
		return answer{}, invalid("status", "the order is "+string(order.Status)+" and cannot be cancelled")
	}
	order = s.moveOrder(order, orchestration.OrderCancelled)
	return s.told(c, item(http.StatusOK, order), order, "order.cancelled"), nil
}

func (s *Server) retry(c *call) (answer, error) {
	order, err := s.writable(c)
	if err != nil {
		return answer{}, err
	}
	if order.Status != orchestration.OrderFailed {
		return answer{}, invalid("status", "the order is "+string(order.Status)+", not failed")
	}
	order.ErrorMessage = nil
	order = s.moveOrder(order, orchestration.OrderReady)
	return s.told(c, item(http.StatusOK, order), order, "order.updated"), nil
}
