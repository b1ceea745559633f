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
func (v Service) wire(updatedAt string) (orchestration.MarketService, error) {
	mode, status := v.modes()
	service := orchestration.MarketService{
		ID: v.ID, SkillKey: v.skillKey(), ProviderKey: v.providerKey(), ProviderID: "prov_" + v.providerKey(),
		ProviderLabel: v.providerKey(), ServiceType: v.ServiceType, Name: v.Name, Description: v.Name,
		Operations: []string{v.operation()}, AuthType: "none", AccessMode: "public", ExecutionMode: mode,
		IntegrationStatus: status, Distribution: "peaq-native", Maturity: "production", Kind: "runtime", Region: "global",
		FreshnessSeconds: "60", Handoff: v.handoff(), UpdatedAt: updatedAt, Extra: map[string]json.RawMessage{},
	}
	for name, value := range map[string]any{"pricing": v.pricing(), "payment": v.Payment} {
		text, err := json.Marshal(value)
		if err != nil {
			return service, err
		}
		service.Extra[name] = text
	}
	return service, nil
}

func (s *Server) service(id string) (Service, bool) {
	for _, each := range s.cfg.Services {
		if each.ID == id {
			return each, true
		}
	}
	return Service{}, false
}

func (s *Server) getService(c *call) (answer, error) {
	service, ok := s.service(c.PathValue("service"))
	if !ok {
		return answer{}, notFound("service")
	}
	wire, err := service.wire(s.now())
	return item(http.StatusOK, wire), err
}

func (s *Server) listServices(c *call) (answer, error) {
	query, rows := c.URL.Query(), []orchestration.MarketService{}
	for _, each := range s.cfg.Services {
		wire, err := each.wire(s.now())
		if err != nil {
			return answer{}, err
		}
		if matches(query.Get("serviceType"), wire.ServiceType) && matches(query.Get("executionMode"), wire.ExecutionMode) &&
			matches(query.Get("providerKey"), wire.ProviderKey) {
			rows = append(rows, wire)
		}
	}
	return page(c, rows)
}

func matches(filter, value string) bool { return filter == "" || filter == value }

func (s *Server) search(c *call) (answer, error) {
	var req orchestration.MarketSearchRequest
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	var kept map[string]json.RawMessage
	if err := c.decode(&kept); err != nil {
		return answer{}, err
	}
	delete(kept, "providerCredentials")
	if !matches(req.MachineID, c.token.MachineID) || !matches(req.AgentPairingID, c.token.PairingID) {
		return answer{}, refuse(http.StatusUnauthorized, orchestration.CodeAgentAuthInvalid, "the token is for another machine or pairing")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.activeMachine(c.token.MachineID); err != nil {
		return answer{}, err
	}
	wanted := cmp.Or(aliases[req.ServiceType], req.ServiceType)
	found := orchestration.MarketSearch{
		ID: newID("msearch_"), MachineID: c.token.MachineID, AgentPairingID: &c.token.PairingID, Request: kept,
		NormalizedTask: orchestration.NormalizedTask{
			ServiceType: wanted, Operation: req.Operation, RequiredCapabilities: req.RequiredCapabilities, Region: req.Region,
			AllowExternalHandoff:   req.AllowExternalHandoff == nil || *req.AllowExternalHandoff,
			RequireNativeExecution: req.RequireNativeExecution != nil && *req.RequireNativeExecution,
		},
		Status: "no_match", Quotes: []orchestration.MarketQuote{}, CreatedAt: s.now(),
	}
	for _, each := range s.cfg.Services {
		external := each.External && (!found.NormalizedTask.AllowExternalHandoff || found.NormalizedTask.RequireNativeExecution)
		full := req.MaxResults > 0 && len(found.Quotes) == req.MaxResults
		if !matches(wanted, each.ServiceType) || !matches(req.Operation, each.operation()) || external || full {
			continue
		}
		mode, status := each.modes()
		found.Quotes = append(found.Quotes, orchestration.MarketQuote{
			ID: newID("quote_"), ServiceID: each.ID, SkillKey: each.skillKey(), ProviderKey: each.providerKey(),
			ExecutionMode: mode, IntegrationStatus: status, Operation: each.operation(), Score: "0.95",
			Reasons: []string{"capability match"}, Pricing: each.pricing(), Payment: each.Payment, Handoff: each.handoff(),
			ExpiresAt: stamp(s.cfg.Now().Add(s.cfg.QuoteTTL)),
		})
		found.Status = "completed"
	}
	s.keepSearch(found)
	return item(http.StatusCreated, wireSearch(found)), nil
}

func (s *Server) getSearch(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found, ok := s.searches.rows[c.PathValue("search")]
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
	s.searches.put(search.ID, search)
	for _, each := range search.Quotes {
		s.quotes[each.ID] = each
	}
}
