package orchestrationtest

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
)

// endpoint is where a machine's runtime can be reached. Its token is not kept.
type endpoint struct {
	ID              string  `json:"id"`
	MachineID       string  `json:"machineId"`
	ProviderKey     string  `json:"providerKey"`
	Source          string  `json:"source"`
	Label           string  `json:"label"`
	EndpointBaseURL string  `json:"endpointBaseUrl"`
	AuthType        string  `json:"authType"`
	HasAuthToken    bool    `json:"hasAuthToken"`
	NetworkScope    string  `json:"networkScope"`
	Status          string  `json:"status"`
	ProbePath       string  `json:"probePath"`
	AgentID         *string `json:"agentId"`
	ModelAlias      *string `json:"modelAlias"`
	LeaseExpiresAt  *string `json:"leaseExpiresAt"`
	LastCheckedAt   *string `json:"lastCheckedAt"`
	LastHealthyAt   *string `json:"lastHealthyAt"`
	CreatedAt       string  `json:"createdAt"`
	UpdatedAt       string  `json:"updatedAt"`
}

func (e endpoint) key() string { return e.MachineID + "/" + e.ProviderKey }

type endpointBody struct {
	EndpointBaseURL string `json:"endpointBaseUrl"`
	Label           string `json:"label"`
	AuthType        string `json:"authType"`
	AuthToken       string `json:"authToken"`
	ModelAlias      string `json:"modelAlias"`
	NetworkScope    string `json:"networkScope"`
	ProbePath       string `json:"probePath"`
	Status          string `json:"status"`
	LeaseExpiresAt  string `json:"leaseExpiresAt"`
}

// endpointOf is the endpoint with what req says, defaults filled in. Caller
// holds s.mu.
func (s *Server) endpointOf(machineID, providerKey string, req endpointBody) (endpoint, error) {
	providerKey = strings.ToLower(providerKey)
	base, err := url.Parse(req.EndpointBaseURL)
	switch {
	case strings.TrimSpace(providerKey) == "":
		return endpoint{}, invalid("providerKey", "providerKey is required")
	case err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		return endpoint{}, invalid("endpointBaseUrl", "endpointBaseUrl is not an http or https URL with a host")
	}
	probe := "/health"
	if providerKey == "qvac" {
		probe = "/v1/models"
	}
	row, ok := s.state.endpoints.get(machineID + "/" + providerKey)
	if !ok {
		row = endpoint{ID: newID("rte_"), MachineID: machineID, ProviderKey: providerKey, CreatedAt: s.now()}
	}
	row.EndpointBaseURL = base.Scheme + "://" + base.Host
	row.Label = cmp.Or(req.Label, row.Label, strings.ToUpper(providerKey)+" runtime")
	row.AuthType = cmp.Or(req.AuthType, row.AuthType, "none")
	row.HasAuthToken = row.HasAuthToken || req.AuthToken != ""
	row.NetworkScope = cmp.Or(req.NetworkScope, row.NetworkScope, "loopback")
	row.ProbePath = cmp.Or(req.ProbePath, row.ProbePath, probe)
	row.Status = cmp.Or(req.Status, row.Status, "active")
	if req.ModelAlias != "" {
		row.ModelAlias = &req.ModelAlias
	}
	if req.LeaseExpiresAt != "" {
		row.LeaseExpiresAt = &req.LeaseExpiresAt
	}
	row.UpdatedAt = s.now()
	return row, nil
}

func (s *Server) putEndpoint(c *call) (answer, error) {
	var req endpointBody
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	machine, err := s.machineOf(c)
	if err != nil {
		return answer{}, err
	}
	row, err := s.endpointOf(machine.ID, c.PathValue("key"), req)
	if err != nil {
		return answer{}, err
	}
	status := http.StatusOK
	if _, ok := s.state.endpoints.get(row.key()); !ok {
		status = http.StatusCreated
	}
	row.Source = "manual"
	s.state.endpoints.put(row.key(), row)
	s.note(machine.OwnerID, "runtime_endpoint.upserted", "runtime_endpoint", row.ID, machine.ID, nil)
	return item(status, row), nil
}

func (s *Server) findEndpoint(c *call) (endpoint, error) {
	row, ok := s.state.endpoints.get(c.PathValue("machine") + "/" + strings.ToLower(c.PathValue("key")))
	if !ok {
		return row, notFound("runtime endpoint")
	}
	return row, nil
}

func (s *Server) getEndpoint(c *call) (answer, error) {
	row, err := s.findEndpoint(c)
	return item(http.StatusOK, row), err
}

func (s *Server) deleteEndpoint(c *call) (answer, error) {
	row, err := s.findEndpoint(c)
	if err != nil {
		return answer{}, err
	}
	s.state.endpoints.drop(row.key())
	return answer{}, nil
}

func (s *Server) listEndpoints(c *call) (answer, error) {
	machine, err := s.machineOf(c)
	if err != nil {
		return answer{}, err
	}
	return page(s, c, s.state.endpoints, func(e endpoint) bool { return e.MachineID == machine.ID }, same)
}
