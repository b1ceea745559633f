package orchestrationtest

import (
	"slices"

	"github.com/settler-pay/settler/orchestration"
)

// What follows looks at and changes the state past the API, for tests. Nothing
// is checked and no hook is called.

// PutMachine sets a machine.
func (s *Server) PutMachine(machine orchestration.Machine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machines.put(machine.ID, machine)
}

// PutPairing sets a pairing; its token is not affected unless the policy is.
func (s *Server) PutPairing(pairing orchestration.AgentPairing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pairings.put(pairing.ID, pairing)
}

// PutSearch sets a search with its quotes, the price of orders that name them.
func (s *Server) PutSearch(search orchestration.MarketSearch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keepSearch(search)
}

// PutOrder sets an order.
func (s *Server) PutOrder(order orchestration.MarketOrder) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders.put(order.ID, order)
}

// PutPayment sets the payment of its order.
func (s *Server) PutPayment(payment orchestration.MarketPayment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.payments[payment.OrderID] = payment
}

// Order is the order as it is now.
func (s *Server) Order(orderID string) (orchestration.MarketOrder, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	order, ok := s.orders.rows[orderID]
	return order, ok
}

// Payment is the payment of an order as it is now.
func (s *Server) Payment(orderID string) (orchestration.MarketPayment, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	payment, ok := s.payments[orderID]
	return payment, ok
}

// Pairings are the pairings of a machine, oldest first.
func (s *Server) Pairings(machineID string) []orchestration.AgentPairing {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pairings.all(func(p orchestration.AgentPairing) bool { return p.MachineID == machineID })
}

// Proofs are the accepted proofs of an order, oldest first.
func (s *Server) Proofs(orderID string) []ProofRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.proofs[orderID])
}

// Intents counts the payments that intent calls created for an order; a repeat
// that gave the existing one does not count.
func (s *Server) Intents(orderID string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.intents[orderID]
}

// ExpireSessions makes every pairing token answer AGENT_AUTH_EXPIRED.
func (s *Server) ExpireSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.sessions {
		s.sessions[id] = s.cfg.Now()
	}
}

// InvalidateTokens makes every pairing token answer AGENT_AUTH_INVALID.
func (s *Server) InvalidateTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jwtKey = randomBytes(32)
}

// SetRPC sets the endpoint that rpc proofs of a chain look at; "" removes it.
func (s *Server) SetRPC(chain, url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rpc[chain] = url
}
