package orchestrationtest

import (
	"net/http"
	"strings"

	"github.com/settler-pay/settler/orchestration"
)

// routes are the calls: method, path below /api/v1, who may call.
func (s *Server) routes() {
	for pattern, handle := range map[string]handler{
		"POST /machine-identity/challenges":                  s.platform(s.createIdentityChallenge),
		"GET /machines":                                      s.platform(s.listMachines),
		"POST /machines":                                     s.platform(s.createMachine),
		"GET /machines/{machine}":                            s.platform(s.getMachine),
		"PATCH /machines/{machine}":                          s.platform(s.updateMachine),
		"DELETE /machines/{machine}":                         s.platform(s.archiveMachine),
		"GET /machines/{machine}/agents":                     s.platform(s.listAgents),
		"POST /machines/{machine}/agents/enrollment":         s.platform(s.enrollAgent),
		"DELETE /machines/{machine}/agents/{agent}":          s.platform(s.revokeAgent),
		"POST /machine-agents/heartbeat":                     s.heartbeat,
		"GET /machines/{machine}/runtime-endpoints":          s.platform(s.listEndpoints),
		"GET /machines/{machine}/runtime-endpoints/{key}":    s.platform(s.getEndpoint),
		"PUT /machines/{machine}/runtime-endpoints/{key}":    s.platform(s.putEndpoint),
		"DELETE /machines/{machine}/runtime-endpoints/{key}": s.platform(s.deleteEndpoint),

		"GET /machines/{machine}/agent-pairings":                     s.platform(s.listPairings),
		"POST /machines/{machine}/agent-pairings":                    s.platform(s.createPairing),
		"POST /machines/{machine}/agent-pairings/challenges":         s.platform(s.createPairingChallenge),
		"POST /machines/{machine}/agent-pairings/{pairing}/sessions": s.platform(s.rotateSession),
		"PATCH /machines/{machine}/agent-pairings/{pairing}":         s.platform(s.updatePairing),
		"DELETE /machines/{machine}/agent-pairings/{pairing}":        s.platform(s.revokePairing),
		"GET /machines/{machine}/agent-pairings/{pairing}/spend":     s.platform(s.getSpend),

		"GET /skills":                  s.platform(s.listSkills),
		"GET /skills/{skill}":          s.platform(s.getSkill),
		"GET /skills/{skill}/manifest": s.platform(s.getSkillManifest),
		"PATCH /skills/{skill}/config": s.platform(s.updateSkillConfig),

		"GET /market/services":                    s.either(s.listServices),
		"GET /market/services/{service}":          s.either(s.getService),
		"POST /market/services/{service}/execute": s.agent(s.executeService),
		"POST /market/search":                     s.agent(s.search),
		"GET /market/searches/{search}":           s.platform(s.getSearch),
		"GET /market/orders":                      s.platform(s.listOrders),
		"POST /market/orders":                     s.agent(s.createOrder),
		"GET /market/orders/{order}":              s.either(s.getOrder),
		"POST /market/orders/{order}/execute":     s.agent(s.execute),
		"POST /market/orders/{order}/confirm":     s.agent(s.confirm),
		"POST /market/orders/{order}/dispute":     s.agent(s.dispute),
		"POST /market/orders/{order}/cancel":      s.agent(s.cancel),
		"POST /market/orders/{order}/retry":       s.agent(s.retry),
		"GET /market/orders/{order}/events":       s.platform(s.listOrderEvents),

		"POST /market/orders/{order}/payment-intent":      s.agent(s.createIntent),
		"GET /market/orders/{order}/payment":              s.platform(s.getPayment),
		"POST /market/orders/{order}/payment-proof":       s.agent(s.submitProof),
		"POST /market/orders/{order}/payment/escrow-lock": s.agent(s.lockEscrow),
		"POST /market/orders/{order}/payment/release":     s.agent(s.release),
		"POST /market/orders/{order}/payment/refund":      s.agent(s.refund),

		"GET /policies":            s.platform(s.listPolicies),
		"POST /policies":           s.platform(s.createPolicy),
		"GET /policies/{policy}":   s.platform(s.getPolicy),
		"PATCH /policies/{policy}": s.platform(s.updatePolicy),
		"GET /audit-events":        s.platform(s.listAuditEvents),
		"GET /runs":                s.platform(s.listRuns),
		"GET /runs/{run}":          s.platform(s.getRun),
		"GET /health":              s.health,
		"GET /readiness":           s.readiness,

		"POST /tasks":                                 s.agent(s.createTask),
		"GET /tasks":                                  s.platform(s.listTasks),
		"GET /tasks/{task}":                           s.platform(s.getTask),
		"POST /tasks/{task}/{step}":                   s.agent(s.advanceTask),
		"GET /machines/{machine}/graph":               s.platform(s.getGraph),
		"POST /machines/{machine}/graph/nodes":        s.platform(s.createGraphPart(s.state.nodes)),
		"PATCH /machines/{machine}/graph/nodes/{id}":  s.platform(s.updateGraphPart(s.state.nodes)),
		"DELETE /machines/{machine}/graph/nodes/{id}": s.platform(s.deleteGraphPart(s.state.nodes)),
		"POST /machines/{machine}/graph/edges":        s.platform(s.createGraphPart(s.state.edges)),
		"PATCH /machines/{machine}/graph/edges/{id}":  s.platform(s.updateGraphPart(s.state.edges)),
		"DELETE /machines/{machine}/graph/edges/{id}": s.platform(s.deleteGraphPart(s.state.edges)),

		"GET /payment-rails":                                  s.platform(s.listPaymentRails),
		"GET /delivery-transports":                            s.platform(s.listDeliveryTransports),
		"PUT /machines/{machine}/delivery-capabilities":       s.platform(s.putCapabilities),
		"PATCH /machines/{machine}/stream/listings/{listing}": s.platform(s.updateListing),
		"POST /purchases":                                     s.agent(s.createPurchase),
		"GET /purchases/{purchase}":                           s.platform(s.getPurchase),
		"POST /purchases/{purchase}/payment-intent":           s.agent(s.createPurchaseIntent),
		"POST /purchases/{purchase}/payment-proof":            s.agent(s.submitPurchaseProof),
		"GET /purchases/{purchase}/delivery":                  s.agent(s.getPurchaseDelivery),
		"POST /purchases/{purchase}/events":                   s.platform(s.createPurchaseEvent),
		"POST /stream/orders/{purchase}/prepare-access":       s.platform(s.prepareAccess),
	} {
		method, path, _ := strings.Cut(pattern, " ")
		s.mux.HandleFunc(method+" /api/v1"+path, s.serve(handle))
	}
	s.mux.HandleFunc("GET /health", s.serve(s.health)) // where one document has it
	s.mux.HandleFunc("/", s.serve(func(*call) (answer, error) {
		return answer{}, refuse(http.StatusNotFound, orchestration.CodeNotFound, "no such path")
	}))
}
