package orchestration

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
)

// ServiceType says what a service is for: an open set.
type ServiceType string

// Service types of the contract.
const (
	ServicePriceFeed         ServiceType = "oracle.price-feed"
	ServiceCompute           ServiceType = "compute.marketplace"
	ServiceStorage           ServiceType = "storage.object"
	ServiceLocation          ServiceType = "data.location"
	ServicePartnerConsole    ServiceType = "network.partner-console"
	ServiceProofOfPersonhood ServiceType = "identity.proof-of-person"
	ServiceDeviceControl     ServiceType = "device.control"
	ServiceMachineCommerce   ServiceType = "machine.commerce"
)

// MarketService is an offer of the market. Only what the SDK names is a field;
// the rest (pricing, payment, endpoints) is in Extra. "" is absent.
type MarketService struct {
	ID                      string                     `json:"id" wire:"filled"`
	SkillKey                string                     `json:"skillKey" wire:"required"`
	ProviderKey             string                     `json:"providerKey" wire:"required"`
	ProviderID              string                     `json:"providerId" wire:"required"`
	ProviderLabel           string                     `json:"providerLabel" wire:"required"`
	ServiceType             ServiceType                `json:"serviceType" wire:"required"`
	Name                    string                     `json:"name" wire:"required"`
	Description             string                     `json:"description" wire:"required"`
	Operations              []string                   `json:"operations"`
	AuthType                AuthType                   `json:"authType" wire:"required"`
	AccessMode              AccessMode                 `json:"accessMode" wire:"required"`
	ExecutionMode           ExecutionMode              `json:"executionMode" wire:"required"`
	IntegrationStatus       IntegrationStatus          `json:"integrationStatus" wire:"required"`
	Distribution            Distribution               `json:"distribution" wire:"required"`
	Maturity                Maturity                   `json:"maturity" wire:"required"`
	Kind                    Kind                       `json:"kind" wire:"required"`
	Capabilities            []string                   `json:"capabilities"`
	Region                  string                     `json:"region" wire:"required"`
	FreshnessSeconds        json.Number                `json:"freshnessSeconds" wire:"required"`
	RequiresHumanEnablement bool                       `json:"requiresHumanEnablement" wire:"required"`
	Metadata                map[string]json.RawMessage `json:"metadata,omitempty" wire:"lenient"`
	OperationContracts      []OperationContract        `json:"operationContracts,omitempty"`
	ReferenceURL            string                     `json:"referenceUrl,omitempty"`
	ArtifactURL             string                     `json:"artifactUrl,omitempty"`
	Handoff                 *Handoff                   `json:"handoff"`
	UpdatedAt               string                     `json:"updatedAt" wire:"required"`
	Extra                   Extra                      `json:"-"`
}

// UnmarshalJSON reads the wire form in either spelling.
func (s *MarketService) UnmarshalJSON(text []byte) error { return decode(text, s) }

// MarshalJSON writes the wire form, Extra included.
func (s MarketService) MarshalJSON() ([]byte, error) { return encodeRecord(s) }

// OperationContract says what one operation of a service takes and gives.
type OperationContract struct {
	Operation       string           `json:"operation" wire:"required"`
	Summary         string           `json:"summary,omitempty"`
	InputFields     []OperationField `json:"inputFields"`
	OutputFields    []OperationField `json:"outputFields"`
	ExampleInput    json.RawMessage  `json:"exampleInput,omitempty"`
	ProviderRequest json.RawMessage  `json:"providerRequest,omitempty"`
	Notes           []string         `json:"notes"`
	Extra           Extra            `json:"-"`
}

// OperationField is one field of an operation's input or output.
type OperationField struct {
	Key         string `json:"key" wire:"required"`
	Type        string `json:"type" wire:"required"`
	Description string `json:"description,omitempty"`
}

// MarketServiceFilter narrows a list of services; "" does not.
type MarketServiceFilter struct {
	MachineID     string        `json:"machineId"`
	ServiceType   ServiceType   `json:"serviceType"`
	ExecutionMode ExecutionMode `json:"executionMode"`
	ProviderKey   string        `json:"providerKey"`
}

// GetMarketService reads one service; machineID may be "".
func (c *Client) GetMarketService(ctx context.Context, serviceID, machineID string) (MarketService, error) {
	r := read("/market/services/{service_id}", serviceID).where(param{"machineId", machineID}).mayAs(c.reader)
	return send(ctx, c, r, item[MarketService])
}

// ListMarketServices reads one page of services.
func (c *Client) ListMarketServices(ctx context.Context, filter MarketServiceFilter, page Page) (List[MarketService], error) {
	r := read("/market/services").where(
		param{"machineId", filter.MachineID}, param{"serviceType", string(filter.ServiceType)},
		param{"executionMode", string(filter.ExecutionMode)}, param{"providerKey", filter.ProviderKey},
	).paged(page).mayAs(c.reader)
	return send(ctx, c, r, list[MarketService])
}

// AllMarketServices walks services from page on.
func (c *Client) AllMarketServices(ctx context.Context, filter MarketServiceFilter, page Page) iter.Seq2[MarketService, error] {
	return all(ctx, page, func(ctx context.Context, page Page) (List[MarketService], error) {
		return c.ListMarketServices(ctx, filter, page)
	})
}

// PricingMode is an open set.
type PricingMode string

// Pricing modes of the contract.
const (
	PricingProviderDefined PricingMode = "provider-defined"
	PricingFixed           PricingMode = "fixed"
	PricingQuoteRequired   PricingMode = "quote-required"
)

// Pricing is a price. Amount is in major units of Currency, "" when absent; Rate
// is text for people.
type Pricing struct {
	Mode     PricingMode `json:"mode" wire:"required"`
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
	ExecutionMode     ExecutionMode      `json:"executionMode" wire:"required"`
	IntegrationStatus IntegrationStatus  `json:"integrationStatus" wire:"required"`
	Operation         string             `json:"operation" wire:"required"`
	Score             json.Number        `json:"score" wire:"required"`
	Reasons           []string           `json:"reasons"`
	Pricing           Pricing            `json:"pricing" wire:"required"`
	Payment           RailRecommendation `json:"payment" wire:"required"`
	Handoff           *Handoff           `json:"handoff"`
	ExpiresAt         string             `json:"expiresAt" wire:"required"`
	Extra             Extra              `json:"-"`
}

// NormalizedTask is what the server understood of a search.
type NormalizedTask struct {
	ServiceType            ServiceType `json:"serviceType" wire:"required"`
	Operation              string      `json:"operation,omitempty"`
	RequiredCapabilities   []string    `json:"requiredCapabilities"`
	Region                 string      `json:"region,omitempty"`
	AllowExternalHandoff   bool        `json:"allowExternalHandoff" wire:"required"`
	RequireNativeExecution bool        `json:"requireNativeExecution" wire:"required"`
}

// SearchStatus is an open set.
type SearchStatus string

// Search statuses of the contract.
const (
	SearchCompleted SearchStatus = "completed"
	SearchNoMatch   SearchStatus = "no_match"
)

// MarketSearch is a search with its quotes.
type MarketSearch struct {
	ID             string  `json:"id" wire:"filled"`
	MachineID      string  `json:"machineId" wire:"required"`
	AgentPairingID *string `json:"agentPairingId"`
	// Request is what was searched for, as the server kept it.
	Request        map[string]json.RawMessage `json:"requestPayload,omitempty" also:"request" wire:"lenient"`
	NormalizedTask NormalizedTask             `json:"normalizedTask" wire:"required"`
	Status         SearchStatus               `json:"status" wire:"filled"`
	Quotes         []MarketQuote              `json:"quotes" wire:"required"`
	CreatedAt      string                     `json:"createdAt" wire:"required"`
	Extra          Extra                      `json:"-"`
}

// MarketSearchRequest is what a search looks for: everything may be left out.
type MarketSearchRequest struct {
	MachineID      string `json:"machineId,omitempty"`
	AgentPairingID string `json:"agentPairingId,omitempty"`
	// ServiceType may be an alias here: storage, compute, identity, location, rtk,
	// gnss, defi, commerce.
	ServiceType            ServiceType         `json:"serviceType,omitempty"`
	Operation              string              `json:"operation,omitempty"`
	RequiredCapabilities   []string            `json:"requiredCapabilities,omitzero"`
	Region                 string              `json:"region,omitempty"`
	MaxResults             int                 `json:"maxResults,omitempty"`
	AllowExternalHandoff   *bool               `json:"allowExternalHandoff,omitempty"`
	RequireNativeExecution *bool               `json:"requireNativeExecution,omitempty"`
	Budget                 *Budget             `json:"budget,omitempty"`
	ProviderCredentials    ProviderCredentials `json:"providerCredentials,omitempty"`
}

// SearchMarket asks for quotes. It needs an active machine and pairing.
//
// After an Unknown outcome search again: a search obliges to nothing.
func (c *Client) SearchMarket(ctx context.Context, token Secret, req MarketSearchRequest) (MarketSearch, error) {
	r := write(http.MethodPost, "/market/search").as(token).with(req)
	return send(ctx, c, r, item[MarketSearch])
}

// GetMarketSearch reads a search with its quotes.
func (c *Client) GetMarketSearch(ctx context.Context, searchID string) (MarketSearch, error) {
	return send(ctx, c, read("/market/searches/{search_id}", searchID), item[MarketSearch])
}
