package orchestration

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// AuthType says how a runtime or service wants to be called: an open set.
type AuthType string

// Ways to authorise of the contract; the last two are for skills and services.
const (
	AuthNone   AuthType = "none"
	AuthAPIKey AuthType = "api-key"
	AuthBearer AuthType = "bearer"
	AuthWallet AuthType = "wallet"
	AuthLocal  AuthType = "local"
)

// NetworkScope says from where a runtime can be reached: an open set.
type NetworkScope string

// Network scopes of the contract.
const (
	ScopeLoopback NetworkScope = "loopback"
	ScopeLAN      NetworkScope = "lan"
	ScopeVPN      NetworkScope = "vpn"
	ScopePublic   NetworkScope = "public"
)

// EndpointStatus is an open set.
type EndpointStatus string

// Runtime endpoint statuses of the contract.
const (
	EndpointActive      EndpointStatus = "active"
	EndpointDegraded    EndpointStatus = "degraded"
	EndpointUnreachable EndpointStatus = "unreachable"
)

// EndpointSource says who entered a runtime endpoint: an open set.
type EndpointSource string

// Sources of the contract.
const (
	EndpointManual EndpointSource = "manual"
	EndpointAgent  EndpointSource = "agent"
)

// RuntimeEndpoint is where a machine serves a provider's runtime. Its token is
// never shown. "" is absent.
type RuntimeEndpoint struct {
	ID              string         `json:"id" wire:"filled"`
	MachineID       string         `json:"machineId" wire:"required"`
	ProviderKey     string         `json:"providerKey" wire:"required"`
	Source          EndpointSource `json:"source" wire:"required"`
	Label           string         `json:"label" wire:"required"`
	EndpointBaseURL string         `json:"endpointBaseUrl" wire:"required"`
	AuthType        AuthType       `json:"authType" wire:"required"`
	HasAuthToken    bool           `json:"hasAuthToken" wire:"required"`
	NetworkScope    NetworkScope   `json:"networkScope" wire:"required"`
	Status          EndpointStatus `json:"status" wire:"required"`
	ProbePath       string         `json:"probePath,omitempty"`
	AgentID         string         `json:"agentId,omitempty"`
	ModelAlias      string         `json:"modelAlias,omitempty"`
	LeaseExpiresAt  string         `json:"leaseExpiresAt,omitempty"`
	LastCheckedAt   string         `json:"lastCheckedAt,omitempty"`
	LastHealthyAt   string         `json:"lastHealthyAt,omitempty"`
	CreatedAt       string         `json:"createdAt" wire:"required"`
	UpdatedAt       string         `json:"updatedAt" wire:"required"`
	Extra           Extra          `json:"-"`
}

// UpsertRuntimeEndpointRequest describes an endpoint: EndpointBaseURL is
// required. The server keeps its scheme, host and port only.
type UpsertRuntimeEndpointRequest struct {
	EndpointBaseURL string         `json:"endpointBaseUrl"`
	Label           string         `json:"label,omitempty"`
	AuthType        AuthType       `json:"authType,omitempty"`
	AuthToken       Secret         `json:"authToken,omitempty"`
	ModelAlias      string         `json:"modelAlias,omitempty"`
	NetworkScope    NetworkScope   `json:"networkScope,omitempty"`
	ProbePath       string         `json:"probePath,omitempty"`
	Status          EndpointStatus `json:"status,omitempty"`
	LeaseExpiresAt  string         `json:"leaseExpiresAt,omitempty"` // in documents only, the SDK has none
}

// ListRuntimeEndpoints reads one page of a machine's endpoints.
func (c *Client) ListRuntimeEndpoints(ctx context.Context, machineID string, page Page) (List[RuntimeEndpoint], error) {
	return send(ctx, c, read("/machines/{machine_id}/runtime-endpoints", machineID).paged(page), list[RuntimeEndpoint])
}

// AllRuntimeEndpoints walks the endpoints of a machine from page on.
func (c *Client) AllRuntimeEndpoints(ctx context.Context, machineID string, page Page) iter.Seq2[RuntimeEndpoint, error] {
	return all(ctx, page, func(ctx context.Context, page Page) (List[RuntimeEndpoint], error) {
		return c.ListRuntimeEndpoints(ctx, machineID, page)
	})
}

// GetRuntimeEndpoint reads one endpoint. The server keeps provider keys in lower
// case.
func (c *Client) GetRuntimeEndpoint(ctx context.Context, machineID, providerKey string) (RuntimeEndpoint, error) {
	r := read("/machines/{machine_id}/runtime-endpoints/{provider_key}", machineID, providerKey)
	return send(ctx, c, r, item[RuntimeEndpoint])
}

// UpsertRuntimeEndpoint makes or replaces the endpoint of a provider.
//
// After an Unknown outcome send it again, or read GetRuntimeEndpoint.
func (c *Client) UpsertRuntimeEndpoint(ctx context.Context, machineID, providerKey string, req UpsertRuntimeEndpointRequest) (RuntimeEndpoint, error) {
	r := write(http.MethodPut, "/machines/{machine_id}/runtime-endpoints/{provider_key}", machineID, providerKey).
		need("endpoint_base_url", req.EndpointBaseURL).with(req)
	if base, err := url.Parse(req.EndpointBaseURL); err != nil || base.Hostname() == "" ||
		!strings.EqualFold(base.Scheme, "http") && !strings.EqualFold(base.Scheme, "https") {
		r = r.refuse("endpoint_base_url", "valid URL")
	}
	return send(ctx, c, r, item[RuntimeEndpoint])
}

// DeleteRuntimeEndpoint takes an endpoint away.
//
// After an Unknown outcome repeat it: a second call gives CodeNotFound at worst.
func (c *Client) DeleteRuntimeEndpoint(ctx context.Context, machineID, providerKey string) error {
	r := write(http.MethodDelete, "/machines/{machine_id}/runtime-endpoints/{provider_key}", machineID, providerKey)
	_, err := send(ctx, c, r, nothing)
	return err
}
