package orchestrationtest

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// agent is a machine's runtime agent.
type agent struct {
	ID                  string   `json:"id"`
	MachineID           string   `json:"machineId"`
	Label               string   `json:"label"`
	Status              string   `json:"status"`
	AllowedProviderKeys []string `json:"allowedProviderKeys"`
	LastSeenAt          *string  `json:"lastSeenAt"`
	CreatedAt           string   `json:"createdAt"`
	UpdatedAt           string   `json:"updatedAt"`
}

// enrolled is an agent with its token, which is kept only as a hash.
type enrolled struct {
	agent
	ProvisioningToken string `json:"provisioningToken"`
	AgentToken        string `json:"agentToken"` // the documents' name of the same
}

func (s *Server) listAgents(c *call) (answer, error) {
	machine, err := s.machineOf(c)
	if err != nil {
		return answer{}, err
	}
	return whole(s.state.agents.all(func(a agent) bool { return a.MachineID == machine.ID })), nil
}

func (s *Server) enrollAgent(c *call) (answer, error) {
	var req struct {
		Label               string   `json:"label"`
		AllowedProviderKeys []string `json:"allowedProviderKeys"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	machine, err := s.machineOf(c)
	if err != nil {
		return answer{}, err
	}
	added := agent{
		ID: newID("agent_"), MachineID: machine.ID, Label: cmp.Or(req.Label, "runtime agent"), Status: "provisioned",
		AllowedProviderKeys: append([]string{}, req.AllowedProviderKeys...), CreatedAt: s.now(), UpdatedAt: s.now(),
	}
	token := newID("mat_") + newID("")
	s.state.agents.put(added.ID, added)
	s.state.keys.put(added.ID, hashOf(token))
	s.note(machine.OwnerID, "machine_agent.enrolled", "machine_agent", added.ID, machine.ID, nil)
	return item(http.StatusCreated, enrolled{added, token, token}), nil
}

func hashOf(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func (s *Server) revokeAgent(c *call) (answer, error) {
	found, ok := s.state.agents.get(c.PathValue("agent"))
	if !ok || found.MachineID != c.PathValue("machine") {
		return answer{}, notFound("agent")
	}
	found.Status, found.UpdatedAt = "revoked", s.now()
	s.state.agents.put(found.ID, found)
	s.note(found.ID, "machine_agent.revoked", "machine_agent", found.ID, found.MachineID, nil)
	return answer{}, nil
}

// asAgent finds the agent that a secret in a body or a header names.
func (s *Server) asAgent(c *call, machineID, agentID, token string) (agent, error) {
	bearer, _ := strings.CutPrefix(c.Header.Get("Authorization"), "Bearer ")
	token = cmp.Or(token, c.Header.Get("X-Machine-Agent-Token"), bearer)
	found, ok := s.state.agents.get(agentID)
	key, _ := s.state.keys.get(agentID)
	switch {
	case !ok || found.MachineID != machineID:
		return found, notFound("agent")
	case token == "":
		return found, refuse(http.StatusUnauthorized, orchestration.CodeAgentAuthRequired, "agent token required")
	case subtle.ConstantTimeCompare(key, hashOf(token)) != 1:
		return found, refuse(http.StatusUnauthorized, orchestration.CodeAgentAuthInvalid, "agent token is wrong")
	case found.Status == "revoked":
		return found, refuse(http.StatusForbidden, orchestration.CodeAgentPairingInactive, "the agent is revoked")
	}
	return found, nil
}

// beat is one endpoint of a heartbeat; the SDK sends these keys in snake_case.
type beat map[string]json.RawMessage

func (b beat) text(camel, snake string) string {
	var text string
	for _, name := range []string{camel, snake} {
		if text == "" && json.Unmarshal(b[name], &text) != nil {
			text = ""
		}
	}
	return text
}

// heartbeat makes the agent active and renews its endpoints' lease.
func (s *Server) heartbeat(c *call) (answer, error) {
	var req struct {
		MachineID       string `json:"machineId"`
		AgentID         string `json:"agentId"`
		AgentToken      string `json:"agentToken"`
		LeaseTTLSeconds int64  `json:"leaseTtlSeconds"`
		LeaseSeconds    int64  `json:"leaseSeconds"`
		Endpoints       []beat `json:"endpoints"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := required("machineId", req.MachineID, "agentId", req.AgentID); err != nil {
		return answer{}, err
	}
	lease := cmp.Or(req.LeaseTTLSeconds, req.LeaseSeconds, 60)
	if len(req.Endpoints) == 0 || lease < 1 || lease > 86400 {
		return answer{}, invalid("endpoints", "at least one endpoint and a lease of 1 to 86400 s are required")
	}
	by, err := s.asAgent(c, req.MachineID, req.AgentID, req.AgentToken)
	if err != nil {
		return answer{}, err
	}
	ends := stamp(s.cfg.Now().Add(time.Duration(lease) * time.Second))
	said, rows := []map[string]any{}, []endpoint{}
	for _, each := range req.Endpoints {
		row, err := s.endpointOf(by.MachineID, each.text("providerKey", "provider_key"), endpointBody{
			EndpointBaseURL: each.text("endpointBaseUrl", "endpoint_base_url"), Label: each.text("label", "label"),
			AuthType: each.text("authType", "auth_type"), AuthToken: each.text("authToken", "auth_token"),
			ModelAlias: each.text("modelAlias", "model_alias"), NetworkScope: each.text("networkScope", "network_scope"),
			ProbePath: each.text("probePath", "probe_path"), LeaseExpiresAt: ends,
		})
		if err != nil {
			return answer{}, err
		}
		if len(by.AllowedProviderKeys) > 0 && !slices.Contains(by.AllowedProviderKeys, row.ProviderKey) {
			return answer{}, refuse(http.StatusForbidden, orchestration.CodeAgentPolicyDenied, "the agent may not offer "+row.ProviderKey)
		}
		row.Source, row.AgentID = "agent", &by.ID
		rows = append(rows, row)
		said = append(said, map[string]any{
			"providerKey": row.ProviderKey, "endpointBaseUrl": row.EndpointBaseURL, "status": row.Status, "leaseExpiresAt": ends, "healthError": nil,
		})
	}
	for _, row := range rows {
		s.state.endpoints.put(row.key(), row)
	}
	seen := s.now()
	by.Status, by.LastSeenAt, by.UpdatedAt = "active", &seen, seen
	s.state.agents.put(by.ID, by)
	return item(http.StatusOK, map[string]any{
		"machineId": by.MachineID, "agentId": by.ID, "leaseTtlSeconds": lease, "observedAt": seen, "endpoints": said,
	}), nil
}
