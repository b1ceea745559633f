package orchestrationtest

import (
	"cmp"
	"encoding/json"
	"net/http"

	"github.com/settler-pay/settler/orchestration"
)

// aliases of service types, in searches only (contract, section 4).
var aliases = map[string]string{
	"storage": "storage.object", "compute": "compute.marketplace", "identity": "identity.proof-of-person",
	"location": "data.location", "rtk": "data.location", "gnss": "data.location", "commerce": "machine.commerce",
}

// executionMode and integrationStatus of a service.
func (v Service) modes() (executionMode, integrationStatus string) {
	if v.External {
		return "external-handoff", "partner-required"
	}
	return "native", "native"
}

func (v Service) handoff() *orchestration.Handoff {
	if !v.External {
		return nil
	}
	return &orchestration.Handoff{Label: v.Name, URL: "https://provider.example/" + v.ID}
}

func (v Service) skillKey() string    { return cmp.Or(v.SkillKey, v.ID) }
func (v Service) providerKey() string { return cmp.Or(v.ProviderKey, "test") }
func (v Service) operation() string   { return cmp.Or(v.Operation, "run") }

func (v Service) pricing() orchestration.Pricing {
	if v.Price == "" {
		return orchestration.Pricing{Mode: "quote-required"}
	}
	return orchestration.Pricing{Mode: "fixed", Amount: v.Price, Currency: v.Currency}
}

// wire is the service as the API shows it: the SDK's fields and those of the
// documents.
func (v Service) wire() map[string]any {
	mode, status := v.modes()
	return map[string]any{
		"id": v.ID, "skillKey": v.skillKey(), "providerKey": v.providerKey(), "providerId": "prov_" + v.providerKey(),
		"providerLabel": v.providerKey(), "companyName": v.providerKey(), "serviceType": v.ServiceType, "name": v.Name, "description": v.Name,
		"operations": []string{v.operation()}, "authType": "none", "accessMode": "public", "executionMode": mode,
		"integrationStatus": status, "distribution": "peaq-native", "maturity": "production", "kind": "runtime",
		"capabilities": []string{}, "region": "global", "freshnessSeconds": 60, "requiresHumanEnablement": false,
		"metadata": map[string]any{}, "handoff": v.handoff(), "updatedAt": "2026-01-01T00:00:00.000Z",
		"operationContracts": []any{map[string]any{
			"operation": v.operation(), "inputFields": []any{map[string]any{"key": "input", "type": "object"}},
			"outputFields": []any{map[string]any{"key": "result", "type": "object"}}, "notes": []string{},
		}},
		"pricing": v.pricing(), "payment": v.Payment, "endpoints": []any{},
	}
}

// actsAs refuses a machine or pairing in a request that is not the token's.
func (s *Server) actsAs(c *call, machineID, pairingID string) error {
	if c.token.PairingID == "" || matches(machineID, c.token.MachineID) && matches(pairingID, c.token.PairingID) {
		return nil
	}
	return refuse(http.StatusUnauthorized, orchestration.CodeAgentAuthInvalid, "the token is for another machine or pairing")
}

func (s *Server) getService(c *call) (answer, error) {
	if err := s.actsAs(c, c.URL.Query().Get("machineId"), ""); err != nil {
		return answer{}, err
	}
	service, ok := s.services.get(c.PathValue("service"))
	if !ok {
		return answer{}, notFound("service")
	}
	return item(http.StatusOK, service.wire()), nil
}

func (s *Server) listServices(c *call) (answer, error) {
	query := c.URL.Query()
	if err := s.actsAs(c, query.Get("machineId"), ""); err != nil {
		return answer{}, err
	}
	return page(s, c, s.services, func(v Service) bool {
		mode, _ := v.modes()
		return matches(query.Get("serviceType"), v.ServiceType) && matches(query.Get("executionMode"), mode) &&
			matches(query.Get("providerKey"), v.providerKey())
	}, Service.wire)
}

func matches(filter, value string) bool { return filter == "" || filter == value }

// searchBody is what a search looks for.
type searchBody struct {
	MachineID              string      `json:"machineId"`
	AgentPairingID         string      `json:"agentPairingId"`
	ServiceType            string      `json:"serviceType"`
	Operation              string      `json:"operation"`
	RequiredCapabilities   []string    `json:"requiredCapabilities"`
	Region                 string      `json:"region"`
	MaxResults             int         `json:"maxResults"`
	AllowExternalHandoff   *bool       `json:"allowExternalHandoff"`
	RequireNativeExecution bool        `json:"requireNativeExecution"`
	Budget                 *budgetBody `json:"budget"`
}

// budgetBody is a budget; its amounts are numbers.
type budgetBody struct {
	Max       number `json:"max"`
	Amount    number `json:"amount"`
	Preferred number `json:"preferred"`
	Currency  string `json:"currency"`
}

// buyer finds the active machine and pairing that a market call acts for.
// Without demanded tokens the request itself names the pairing. Caller holds
// s.mu.
func (s *Server) buyer(c *call, machineID, pairingID string) (orchestration.AgentPairing, error) {
	if err := s.actsAs(c, machineID, pairingID); err != nil {
		return orchestration.AgentPairing{}, err
	}
	machineID, pairingID = cmp.Or(machineID, c.token.MachineID), cmp.Or(pairingID, c.token.PairingID)
	if _, err := s.activeMachine(machineID); err != nil {
		return orchestration.AgentPairing{}, err
	}
	pairing, ok := s.state.pairings.get(pairingID)
	switch {
	case pairingID == "":
		return pairing, refuse(http.StatusBadRequest, orchestration.CodeAgentPairingRequired, "agentPairingId is required")
	case !ok || pairing.MachineID != machineID:
		return pairing, notFound("pairing")
	case pairing.Status != orchestration.PairingActive:
		return pairing, refuse(http.StatusForbidden, orchestration.CodeAgentPairingInactive, "the pairing is "+string(pairing.Status))
	}
	return pairing, nil
}

func (s *Server) search(c *call) (answer, error) {
	var req searchBody
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	var kept map[string]json.RawMessage
	if err := c.decode(&kept); err != nil {
		return answer{}, err
	}
	delete(kept, "providerCredentials")
	pairing, err := s.buyer(c, req.MachineID, req.AgentPairingID)
	if err != nil {
		return answer{}, err
	}
	wanted := cmp.Or(aliases[req.ServiceType], req.ServiceType)
	found := orchestration.MarketSearch{
		ID: newID("msearch_"), MachineID: pairing.MachineID, AgentPairingID: &pairing.ID, Request: kept,
		NormalizedTask: orchestration.NormalizedTask{
			ServiceType: orchestration.ServiceType(wanted), Operation: req.Operation, RequiredCapabilities: req.RequiredCapabilities, Region: req.Region,
			AllowExternalHandoff:   req.AllowExternalHandoff == nil || *req.AllowExternalHandoff,
			RequireNativeExecution: req.RequireNativeExecution,
		},
		Status: "no_match", Quotes: []orchestration.MarketQuote{}, CreatedAt: s.now(),
	}
	for _, each := range s.cfg.Services {
		external := each.External && (!found.NormalizedTask.AllowExternalHandoff || found.NormalizedTask.RequireNativeExecution)
		full := req.MaxResults > 0 && len(found.Quotes) == req.MaxResults
		if !matches(wanted, each.ServiceType) || !matches(req.Operation, each.operation()) || external || full ||
			req.Budget.excludes(each) || !s.permits(pairing.DelegationPolicy, each) {
			continue
		}
		mode, status := each.modes()
		found.Quotes = append(found.Quotes, orchestration.MarketQuote{
			ID: newID("quote_"), ServiceID: each.ID, SkillKey: each.skillKey(), ProviderKey: each.providerKey(),
			ExecutionMode: orchestration.ExecutionMode(mode), IntegrationStatus: orchestration.IntegrationStatus(status), Operation: each.operation(), Score: "0.95",
			Reasons: []string{"capability match"}, Pricing: each.pricing(), Payment: each.Payment, Handoff: each.handoff(),
			ExpiresAt: stamp(s.cfg.Now().Add(s.cfg.QuoteTTL)),
		})
		found.Status = "completed"
	}
	s.keepSearch(found)
	s.note(pairing.ID, "market_search.created", "market_search", found.ID, found.MachineID, nil)
	return item(http.StatusCreated, wireSearch(found)), nil
}

// excludes reports whether the service costs more than the budget's maximum in
// the same currency.
func (b *budgetBody) excludes(service Service) bool {
	if b == nil || b.Currency != "" && service.Currency != "" && b.Currency != service.Currency {
		return false
	}
	most, limited := decimal(string(cmp.Or(b.Max, b.Amount)))
	price, priced := decimal(string(service.Price))
	return limited && priced && price.Cmp(most) > 0
}

func (s *Server) getSearch(c *call) (answer, error) {
	found, ok := s.state.searches.get(c.PathValue("search"))
	if !ok {
		return answer{}, notFound("search")
	}
	return item(http.StatusOK, wireSearch(found)), nil
}

// wireSearch sends what was searched for under both names (contract, 12.13).
func wireSearch(found orchestration.MarketSearch) any {
	return struct {
		orchestration.MarketSearch
		Also map[string]json.RawMessage `json:"request"`
	}{found, found.Request}
}

// keepSearch keeps a search and its quotes. Caller holds s.mu.
func (s *Server) keepSearch(search orchestration.MarketSearch) {
	s.state.searches.put(search.ID, search)
	for _, each := range search.Quotes {
		s.state.quotes.put(each.ID, each)
	}
}
