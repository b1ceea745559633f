package orchestration

import (
	"context"
	"net/http"
)

// MachineAgentStatus is an open set.
type MachineAgentStatus string

// Machine agent statuses of the contract.
const (
	MachineAgentProvisioned MachineAgentStatus = "provisioned"
	MachineAgentActive      MachineAgentStatus = "active"
	MachineAgentRevoked     MachineAgentStatus = "revoked"
)

// MachineAgent is a program on the machine that reports its runtime endpoints by
// heartbeats. It has nothing to do with an AgentPairing.
type MachineAgent struct {
	ID                  string             `json:"id" wire:"filled"`
	MachineID           string             `json:"machineId" wire:"required"`
	Label               string             `json:"label" wire:"required"`
	AllowedProviderKeys []string           `json:"allowedProviderKeys"`
	Status              MachineAgentStatus `json:"status" wire:"filled"`
	LastSeenAt          string             `json:"lastSeenAt,omitempty"`
	CreatedAt           string             `json:"createdAt" wire:"required"`
	UpdatedAt           string             `json:"updatedAt" wire:"required"`
	// ProvisioningToken is given once, by enrolment; heartbeats carry it as their
	// AgentToken. Some documents call it agentToken: both are read.
	ProvisioningToken Secret `json:"provisioningToken,omitempty" also:"agentToken"`
	Extra             Extra  `json:"-"`
}

// EnrollMachineAgentRequest may be left empty.
type EnrollMachineAgentRequest struct {
	Label               string   `json:"label,omitempty"`
	AllowedProviderKeys []string `json:"allowedProviderKeys,omitzero"`
}

// ListMachineAgents reads the agents of a machine; the list has no pages.
func (c *Client) ListMachineAgents(ctx context.Context, machineID string) ([]MachineAgent, error) {
	return send(ctx, c, read("/machines/{machine_id}/agents", machineID), items[MachineAgent])
}

// EnrollMachineAgent makes an agent; the answer holds its token, which is not
// shown again.
//
// After an Unknown outcome look for a new agent with ListMachineAgents and revoke
// it: its token is lost.
func (c *Client) EnrollMachineAgent(ctx context.Context, machineID string, req EnrollMachineAgentRequest) (MachineAgent, error) {
	r := write(http.MethodPost, "/machines/{machine_id}/agents/enrollment", machineID).with(req)
	return send(ctx, c, r, item[MachineAgent])
}

// RevokeMachineAgent ends an agent.
//
// After an Unknown outcome read ListMachineAgents, or repeat: a second call gives
// CodeNotFound at worst.
func (c *Client) RevokeMachineAgent(ctx context.Context, machineID, agentID string) error {
	r := write(http.MethodDelete, "/machines/{machine_id}/agents/{agent_id}", machineID, agentID)
	_, err := send(ctx, c, r, nothing)
	return err
}

// MachineAgentHeartbeatRequest says which endpoints an agent offers: all but
// LeaseTTLSeconds is required.
type MachineAgentHeartbeatRequest struct {
	MachineID       string              `json:"machineId"`
	AgentID         string              `json:"agentId"`
	AgentToken      Secret              `json:"agentToken"`
	Endpoints       []HeartbeatEndpoint `json:"endpoints"`
	LeaseTTLSeconds int                 `json:"leaseTtlSeconds,omitempty"` // 0 leaves it to the server
}

// HeartbeatEndpoint is one runtime that an agent reports: ProviderKey (qvac) and
// EndpointBaseURL are required.
type HeartbeatEndpoint struct {
	ProviderKey     string       `json:"providerKey"`
	EndpointBaseURL string       `json:"endpointBaseUrl"`
	Label           string       `json:"label,omitempty"`
	AuthType        AuthType     `json:"authType,omitempty"`
	AuthToken       Secret       `json:"authToken,omitempty"`
	ModelAlias      string       `json:"modelAlias,omitempty"`
	NetworkScope    NetworkScope `json:"networkScope,omitempty"`
	ProbePath       string       `json:"probePath,omitempty"`
}

// MachineAgentHeartbeat is what the server noted of a heartbeat.
type MachineAgentHeartbeat struct {
	MachineID       string           `json:"machineId" wire:"required"`
	AgentID         string           `json:"agentId" wire:"required"`
	LeaseTTLSeconds int              `json:"leaseTtlSeconds" also:"leaseSeconds" wire:"required"`
	ObservedAt      string           `json:"observedAt" wire:"required"`
	Endpoints       []EndpointHealth `json:"endpoints" wire:"required"`
	Extra           Extra            `json:"-"`
}

// EndpointHealth is what the server found when it probed a reported endpoint.
type EndpointHealth struct {
	ProviderKey     string         `json:"providerKey" wire:"required"`
	EndpointBaseURL string         `json:"endpointBaseUrl" wire:"required"`
	Status          EndpointStatus `json:"status" wire:"required"`
	LeaseExpiresAt  string         `json:"leaseExpiresAt" wire:"required"`
	HealthError     string         `json:"healthError,omitempty"`
}

// MachineAgentHeartbeat reports the endpoints of an agent. It carries neither
// API key nor pairing token: the agent's own token is in the body. It fails with
// CodeAgentAuthRequired, CodeAgentAuthInvalid, CodeAgentPairingInactive,
// CodeAgentPolicyDenied, CodeNotFound.
//
// After an Unknown outcome send it again: a heartbeat replaces the one before.
func (c *Client) MachineAgentHeartbeat(ctx context.Context, req MachineAgentHeartbeatRequest) (MachineAgentHeartbeat, error) {
	r := write(http.MethodPost, "/machine-agents/heartbeat").
		need("machine_id", req.MachineID).need("agent_id", req.AgentID).need("agent_token", string(req.AgentToken)).with(req)
	if len(req.Endpoints) == 0 {
		r = r.refuse("endpoints", "non-empty array")
	}
	r.auth, r.token = open, req.AgentToken // not sent as a header, but hidden in errors
	return send(ctx, c, r, item[MachineAgentHeartbeat])
}
