package orchestration

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
)

// MarketService is an offer of the market. Only what the SDK names is a field;
// the rest (pricing, payment, endpoints) is in Extra.
type MarketService struct {
	ID                      string                     `json:"id" wire:"filled"`
	SkillKey                string                     `json:"skillKey" wire:"required"`
	ProviderKey             string                     `json:"providerKey" wire:"required"`
	ProviderID              string                     `json:"providerId" wire:"required"`
	ProviderLabel           string                     `json:"providerLabel" wire:"required"`
	ServiceType             string                     `json:"serviceType" wire:"required"`
	Name                    string                     `json:"name" wire:"required"`
	Description             string                     `json:"description" wire:"required"`
	Operations              []string                   `json:"operations"`
	AuthType                string                     `json:"authType" wire:"required"`
	AccessMode              string                     `json:"accessMode" wire:"required"`
	ExecutionMode           string                     `json:"executionMode" wire:"required"`
	IntegrationStatus       string                     `json:"integrationStatus" wire:"required"`
	Distribution            string                     `json:"distribution" wire:"required"`
	Maturity                string                     `json:"maturity" wire:"required"`
	Kind                    string                     `json:"kind" wire:"required"`
	Capabilities            []string                   `json:"capabilities"`
	Region                  string                     `json:"region" wire:"required"`
	FreshnessSeconds        json.Number                `json:"freshnessSeconds" wire:"required"`
	RequiresHumanEnablement bool                       `json:"requiresHumanEnablement" wire:"required"`
	Metadata                map[string]json.RawMessage `json:"metadata,omitempty" wire:"lenient"`
	OperationContracts      []json.RawMessage          `json:"operationContracts,omitempty"`
	ReferenceURL            string                     `json:"referenceUrl,omitempty"`
	ArtifactURL             string                     `json:"artifactUrl,omitempty"`
	Handoff                 *Handoff                   `json:"handoff"`
	UpdatedAt               string                     `json:"updatedAt" wire:"required"`
	// Extra holds what the SDK does not name: wire key → JSON.
	Extra map[string]json.RawMessage `json:"-"`
}

// UnmarshalJSON reads the wire form in either spelling.
func (s *MarketService) UnmarshalJSON(text []byte) error { return decode(text, s) }

// MarshalJSON writes the wire form, Extra included.
func (s MarketService) MarshalJSON() ([]byte, error) {
	type plain MarketService
	return encode(plain(s), s.Extra)
}

// MarketServiceFilter narrows a list of services; "" does not.
type MarketServiceFilter struct{ MachineID, ServiceType, ExecutionMode, ProviderKey string }

// GetMarketService reads one service; machineID may be "".
func (c *Client) GetMarketService(ctx context.Context, serviceID, machineID string) (MarketService, error) {
	r := read("/market/services/{service_id}", serviceID).where(param{"machineId", machineID}).mayAs(c.reader)
	return send(ctx, c, r, item[MarketService])
}

// ListMarketServices reads one page of services.
func (c *Client) ListMarketServices(ctx context.Context, filter MarketServiceFilter, page Page) (List[MarketService], error) {
	r := read("/market/services").where(
		param{"machineId", filter.MachineID}, param{"serviceType", filter.ServiceType},
		param{"executionMode", filter.ExecutionMode}, param{"providerKey", filter.ProviderKey},
	).paged(page).mayAs(c.reader)
	return send(ctx, c, r, list[MarketService])
}

// AllMarketServices walks all services, page by page.
func (c *Client) AllMarketServices(ctx context.Context, filter MarketServiceFilter) iter.Seq2[MarketService, error] {
	return all(ctx, Page{}, func(ctx context.Context, page Page) (List[MarketService], error) {
		return c.ListMarketServices(ctx, filter, page)
	})
}

// Pricing has Mode provider-defined, fixed or quote-required. Amount is in major
// units of Currency, "" when absent; Rate is text for people.
type Pricing struct {
	Mode     string      `json:"mode" wire:"required"`
	Amount   json.Number `json:"amount,omitempty"`
	Currency string      `json:"currency,omitempty"`
	Rate     string      `json:"rate,omitempty"`
	Notes    []string    `json:"notes"`
}

// MarketQuote is an offer for one search; it lives until ExpiresAt.
type MarketQuote struct {
	ID                string             `json:"id" wire:"filled"`
	ServiceID         string             `json:"serviceId" wire:"required"`
	SkillKey          string             `json:"skillKey" wire:"required"`
	ProviderKey       string             `json:"providerKey" wire:"required"`
	ExecutionMode     string             `json:"executionMode" wire:"required"`
	IntegrationStatus string             `json:"integrationStatus" wire:"required"`
	Operation         string             `json:"operation" wire:"required"`
	Score             json.Number        `json:"score" wire:"required"`
	Reasons           []string           `json:"reasons"`
	Pricing           Pricing            `json:"pricing" wire:"required"`
	Payment           RailRecommendation `json:"payment" wire:"required"`
	Handoff           *Handoff           `json:"handoff"`
	ExpiresAt         string             `json:"expiresAt" wire:"required"`
}

// NormalizedTask is what the server understood of a search.
type NormalizedTask struct {
	ServiceType            string   `json:"serviceType" wire:"required"`
	Operation              string   `json:"operation,omitempty"`
	RequiredCapabilities   []string `json:"requiredCapabilities"`
	Region                 string   `json:"region,omitempty"`
	AllowExternalHandoff   bool     `json:"allowExternalHandoff" wire:"required"`
	RequireNativeExecution bool     `json:"requireNativeExecution" wire:"required"`
}

// MarketSearch is a search with its quotes. Status is completed or no_match.
type MarketSearch struct {
	ID             string  `json:"id" wire:"filled"`
	MachineID      string  `json:"machineId" wire:"required"`
	AgentPairingID *string `json:"agentPairingId"`
	// Request is what was searched for, as the server kept it.
	Request        map[string]json.RawMessage `json:"requestPayload,omitempty" also:"request" wire:"lenient"`
	NormalizedTask NormalizedTask             `json:"normalizedTask" wire:"required"`
	Status         string                     `json:"status" wire:"filled"`
	Quotes         []MarketQuote              `json:"quotes" wire:"required"`
	CreatedAt      string                     `json:"createdAt" wire:"required"`
}

// MarketSearchRequest is what a search looks for: everything may be left out.
type MarketSearchRequest struct {
	MachineID              string              `json:"machineId,omitempty"`
	AgentPairingID         string              `json:"agentPairingId,omitempty"`
	ServiceType            string              `json:"serviceType,omitempty"`
	Operation              string              `json:"operation,omitempty"`
	RequiredCapabilities   []string            `json:"requiredCapabilities,omitempty"`
	Region                 string              `json:"region,omitempty"`
	MaxResults             int                 `json:"maxResults,omitempty"`
	AllowExternalHandoff   *bool               `json:"allowExternalHandoff,omitempty"`
	RequireNativeExecution *bool               `json:"requireNativeExecution,omitempty"`
	Budget                 *Budget             `json:"budget,omitempty"`
	ProviderCredentials    ProviderCredentials `json:"-"`
}

// SearchMarket asks for quotes. It needs an active machine and pairing.
func (c *Client) SearchMarket(ctx context.Context, token Secret, req MarketSearchRequest) (MarketSearch, error) {
	r := write(http.MethodPost, "/market/search").as(token).with(struct {
		MarketSearchRequest
		Credentials map[string]map[string]string `json:"providerCredentials,omitempty"`
	}{req, req.ProviderCredentials.spelled()})
	return send(ctx, c, r, item[MarketSearch])
}

// GetMarketSearch reads a search with its quotes.
func (c *Client) GetMarketSearch(ctx context.Context, searchID string) (MarketSearch, error) {
	return send(ctx, c, read("/market/searches/{search_id}", searchID), item[MarketSearch])
}
