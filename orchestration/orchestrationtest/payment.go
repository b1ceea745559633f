package orchestrationtest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/settler-pay/settler/orchestration"
)

// createIntent creates the order's payment or gives the one that exists. The
// amount comes from the quote, never from the request; the rail is what was
// asked for, gaps filled from the order's recommendation.
func (s *Server) createIntent(c *call) (answer, error) {
	var req struct {
		Rail json.RawMessage `json:"rail"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	rail, err := decodeRail(req.Rail)
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	order, err := s.unfinished(c)
	if err != nil {
		return answer{}, err
	}
	if payment, ok := s.payments[order.ID]; ok {
		return item(http.StatusOK, payment), nil
	}
	advice := order.Payment
	rail.Type = cmp.Or(rail.Type, advice.DefaultRail)
	if rail.Type == "" {
		return answer{}, invalid("rail.type is required")
	}
	rail.Chain = cmp.Or(rail.Chain, advice.Chain)
	rail.Token = cmp.Or(rail.Token, advice.Token)
	rail.TokenAddress = cmp.Or(rail.TokenAddress, advice.TokenAddress)
	rail.TokenMint = cmp.Or(rail.TokenMint, advice.TokenMint)
	rail.Provider = cmp.Or(rail.Provider, advice.Provider)
	rail.WalletAddress = cmp.Or(rail.WalletAddress, advice.WalletAddress)
	rail.PayerAddress = cmp.Or(rail.PayerAddress, advice.PayerAddress)
	rail.PayeeAddress = cmp.Or(rail.PayeeAddress, advice.PayeeAddress)
	rail.PaymentIntentID = cmp.Or(rail.PaymentIntentID, newID("pi_"))

	payment := orchestration.MarketPayment{
		ID: newID("pay_"), OrderID: order.ID, MachineID: order.MachineID, Status: orchestration.PaymentIntentCreated,
		Notes: []string{}, CreatedAt: s.now(), UpdatedAt: s.now(),
	}
	if rail.Type == orchestration.RailNotRequired {
		payment.Status = orchestration.PaymentNotRequired
		order = s.moveOrder(order, orchestration.OrderReady)
	} else {
		payment.Amount, payment.Currency = s.price(order)
		rail.Metadata = s.units(order, rail.Metadata)
		order = s.moveOrder(order, orchestration.OrderPaymentPending)
	}
	payment.Rail = rail
	s.payments[order.ID] = payment
	s.intents[order.ID]++
	return s.told(item(http.StatusCreated, payment), order.ID, "order.updated"), nil
}

// decodeRail takes an object or, as the older document may be read, a bare name.
func decodeRail(text json.RawMessage) (orchestration.RailDetails, error) {
	var rail orchestration.RailDetails
	text = bytes.TrimSpace(text)
	if len(text) > 0 && text[0] == '"' {
		if json.Unmarshal(text, &rail.Type) != nil {
			return rail, invalid("rail is not text")
		}
		return rail, nil
	}
	if len(text) > 0 && json.Unmarshal(text, &rail) != nil {
		return rail, invalid("rail is not an object of texts")
	}
	return rail, nil
}

// price is what the order's quote says, or without one the service. Caller holds
// s.mu.
func (s *Server) price(order orchestration.MarketOrder) (json.Number, *string) {
	var pricing orchestration.Pricing
	if service, ok := s.service(order.ServiceID); ok {
		pricing = service.pricing()
	}
	if order.QuoteID != nil {
		if quote, ok := s.quotes[*order.QuoteID]; ok {
			pricing = quote.Pricing
		}
	}
	if pricing.Currency == "" {
		return pricing.Amount, nil
	}
	return pricing.Amount, &pricing.Currency
}

// units adds the service's decimals and base units to a rail's metadata.
func (s *Server) units(order orchestration.MarketOrder, given map[string]json.RawMessage) map[string]json.RawMessage {
	service, _ := s.service(order.ServiceID)
	known := map[string]json.RawMessage{}
	if service.TokenDecimals != nil {
		known["tokenDecimals"] = json.RawMessage(strconv.Itoa(*service.TokenDecimals))
	}
	if service.RawAmount != "" {
		known["rawAmount"] = json.RawMessage(strconv.Quote(service.RawAmount))
	}
	maps.Copy(known, given)
	return known
}

func (s *Server) getPayment(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := c.PathValue("order")
	if _, ok := s.orders.rows[id]; !ok {
		return answer{}, notFound("order")
	}
	payment, ok := s.payments[id]
	switch {
	case ok:
		return item(http.StatusOK, payment), nil
	case s.cfg.PaymentMissing404:
		return answer{}, notFound("payment")
	}
	return item(http.StatusOK, nil), nil
}

// movePayment moves the order's payment when it is in one of from, and gives it
// as it is then; nil without one. Caller holds s.mu.
func (s *Server) movePayment(orderID string, to orchestration.PaymentStatus, from ...orchestration.PaymentStatus) *orchestration.MarketPayment {
	payment, ok := s.payments[orderID]
	if !ok {
		return nil
	}
	if slices.Contains(from, payment.Status) {
		payment.Status, payment.UpdatedAt = to, s.now()
		s.payments[orderID] = payment
	}
	return &payment
}

func (s *Server) release(c *call) (answer, error) {
	return s.payOut(c, orchestration.PaymentReleased, orchestration.PaymentReleasePending)
}

func (s *Server) refund(c *call) (answer, error) {
	return s.payOut(c, orchestration.PaymentRefunded,
		orchestration.PaymentHeld, orchestration.PaymentFrozen, orchestration.PaymentReleasePending)
}

// payOut ends a payment. A closed order does not hinder it: a release follows
// the confirmation that closed it. The hash is kept in the notes, the contract
// has no field for it.
func (s *Server) payOut(c *call, to orchestration.PaymentStatus, from ...orchestration.PaymentStatus) (answer, error) {
	var req struct {
		TransactionHash string `json:"transactionHash"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	order, err := s.writable(c)
	if err != nil {
		return answer{}, err
	}
	payment, ok := s.payments[order.ID]
	if !ok {
		return answer{}, notFound("payment")
	}
	if !slices.Contains(from, payment.Status) {
		return answer{}, invalid("the payment is " + string(payment.Status))
	}
	payment.Status, payment.UpdatedAt = to, s.now()
	if req.TransactionHash != "" {
		payment.Notes = append(slices.Clone(payment.Notes), string(to)+" by "+req.TransactionHash)
	}
	s.payments[order.ID] = payment
	return s.told(item(http.StatusOK, payment), order.ID, "order.updated"), nil
}
