package orchestrationtest

import (
	"slices"

	"github.com/settler-pay/settler/orchestration"
)

// What follows looks at and changes the state past the API, for tests. Nothing
// is checked and no hook is called.

// PutMachine sets a machine.
func (s *Server) PutMachine(machine orchestration.Machine) {
	s.change(func() { s.state.machines.put(machine.ID, machine) })
}

// PutPairing sets a pairing; its token is not affected unless the policy is.
func (s *Server) PutPairing(pairing orchestration.AgentPairing) {
	s.change(func() { s.state.pairings.put(pairing.ID, pairing) })
}

// PutSearch sets a search with its quotes, the price of orders that name them.
func (s *Server) PutSearch(search orchestration.MarketSearch) {
	s.change(func() { s.keepSearch(search) })
}

// PutOrder sets an order.
func (s *Server) PutOrder(order orchestration.MarketOrder) {
	s.change(func() { s.state.orders.put(order.ID, order) })
}

// PutPayment sets the payment of its order.
func (s *Server) PutPayment(payment orchestration.MarketPayment) {
	s.change(func() { s.state.payments.put(payment.OrderID, payment) })
}

// Order is the order as it is now.
func (s *Server) Order(orderID string) (orchestration.MarketOrder, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.orders.get(orderID)
}

// Payment is the payment of an order as it is now.
func (s *Server) Payment(orderID string) (orchestration.MarketPayment, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.payments.get(orderID)
}

// Pairings are the pairings of a machine, oldest first.
func (s *Server) Pairings(machineID string) []orchestration.AgentPairing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.pairings.all(func(p orchestration.AgentPairing) bool { return p.MachineID == machineID })
}

// Proofs are the accepted proofs of an order, oldest first.
func (s *Server) Proofs(orderID string) []ProofRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	proofs, _ := s.state.proofs.get(orderID)
	return slices.Clone(proofs)
}

// Intents counts the payments that intent calls created for an order; a repeat
// that gave the existing one does not count.
func (s *Server) Intents(orderID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count, _ := s.state.intents.get(orderID)
	return count
}

// ExpireSessions makes every pairing token answer AGENT_AUTH_EXPIRED.
func (s *Server) ExpireSessions() {
	s.change(func() {
		for id := range s.state.sessions.rows {
			s.state.sessions.put(id, s.cfg.Now())
		}
	})
}

// InvalidateTokens makes every pairing token answer AGENT_AUTH_INVALID.
func (s *Server) InvalidateTokens() {
	s.change(func() { s.state.keys.put("jwt", randomBytes(32)) })
}

// SetRPC sets the endpoint that rpc proofs of a chain look at; "" removes it.
func (s *Server) SetRPC(chain, url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rpc[chain] = url
}

// Switch changes the switches; calls that follow see them.
func (s *Server) Switch(change func(*Switches)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.cfg.Switches)
}

// Undelivered counts the webhooks that nobody has accepted yet.
func (s *Server) Undelivered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.state.outbox.rows)
}
