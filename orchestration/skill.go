package orchestration

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
)

// ExecutionMode says who executes: the server, or a person elsewhere. An open
// set.
type ExecutionMode string

// Execution modes of the contract.
const (
	ExecutionNative   ExecutionMode = "native"
	ExecutionExternal ExecutionMode = "external-handoff"
)

// IntegrationStatus says what a service still lacks: an open set.
type IntegrationStatus string

// Integration statuses of the contract.
const (
	IntegrationNative              IntegrationStatus = "native"
	IntegrationCredentialsRequired IntegrationStatus = "credentials-required"
	IntegrationPartnerRequired     IntegrationStatus = "partner-required"
	IntegrationLocalConfigRequired IntegrationStatus = "local-config-required"
	IntegrationSetupRequired       IntegrationStatus = "setup-required"
	IntegrationDocsOnly            IntegrationStatus = "docs-only"
)

// Skill vocabularies of the contract: open sets.
type (
	// SkillScope is core-product, bootstrap-reference or ecosystem.
	SkillScope string
	// SkillDirection is machine-offers or machine-consumes.
	SkillDirection string
	// SkillSource is peaq, partner, clawhub or external-marketplace.
	SkillSource string
	// AuthState is unconfigured, configured, expired, invalid or restricted.
	AuthState string
	// AccessMode is public, credentialed, partner-approved, whitelisted or local.
	AccessMode string
	// Distribution is peaq-native, clawhub, openapi, mcp or docs-only.
	Distribution string
	// Maturity is reference, beta or production.
	Maturity string
	// Kind is runtime or reference.
	Kind string
)

// What ListSkills can be narrowed by.
const (
	SkillCoreProduct         SkillScope     = "core-product"
	SkillBootstrapReference  SkillScope     = "bootstrap-reference"
	SkillEcosystem           SkillScope     = "ecosystem"
	SkillOffers              SkillDirection = "machine-offers"
	SkillConsumes            SkillDirection = "machine-consumes"
	SkillPeaq                SkillSource    = "peaq"
	SkillPartner             SkillSource    = "partner"
	SkillClawhub             SkillSource    = "clawhub"
	SkillExternalMarketplace SkillSource    = "external-marketplace"
)

// SkillSummary describes a skill of the catalogue. "" is absent.
type SkillSummary struct {
	Key                     string            `json:"key" wire:"filled"`
	ProviderKey             string            `json:"providerKey" wire:"required"`
	Label                   string            `json:"label" wire:"required"`
	Description             string            `json:"description" wire:"required"`
	Direction               SkillDirection    `json:"direction" wire:"required"`
	Scope                   SkillScope        `json:"scope" wire:"required"`
	Source                  SkillSource       `json:"source" wire:"required"`
	ListedBy                string            `json:"listedBy" wire:"required"`
	LastVerifiedAt          string            `json:"lastVerifiedAt,omitempty"`
	Kind                    Kind              `json:"kind" wire:"required"`
	ServiceTypes            []ServiceType     `json:"serviceTypes"`
	Operations              []string          `json:"operations"`
	AuthType                AuthType          `json:"authType" wire:"required"`
	AuthState               AuthState         `json:"authState" wire:"required"`
	AccessMode              AccessMode        `json:"accessMode" wire:"required"`
	Distribution            Distribution      `json:"distribution" wire:"required"`
	Maturity                Maturity          `json:"maturity" wire:"required"`
	ExecutionMode           ExecutionMode     `json:"executionMode" wire:"required"`
	IntegrationStatus       IntegrationStatus `json:"integrationStatus" wire:"required"`
	RequiredEnv             []string          `json:"requiredEnv"`
	RequiresHumanEnablement bool              `json:"requiresHumanEnablement" wire:"required"`
	ReferenceURL            string            `json:"referenceUrl,omitempty"`
	ArtifactURL             string            `json:"artifactUrl,omitempty"`
	Handoff                 *Handoff          `json:"handoff,omitempty"`
	Extra                   Extra             `json:"-"`
}

// SkillManifest says what a skill takes and gives.
type SkillManifest struct {
	Key         string        `json:"key" wire:"filled"`
	ProviderKey string        `json:"providerKey" wire:"required"`
	Label       string        `json:"label" wire:"required"`
	Summary     string        `json:"summary" wire:"required"`
	Inputs      []SkillInput  `json:"inputs" wire:"required"`
	Outputs     []SkillOutput `json:"outputs" wire:"required"`
	Extra       Extra         `json:"-"`
}

// SkillInput is one thing that a skill takes.
type SkillInput struct {
	Key         string `json:"key" wire:"required"`
	Type        string `json:"type" wire:"required"`
	Required    bool   `json:"required" wire:"required"`
	Description string `json:"description" wire:"required"`
}

// SkillOutput is one thing that a skill gives.
type SkillOutput struct {
	Key         string `json:"key" wire:"required"`
	Type        string `json:"type" wire:"required"`
	Description string `json:"description" wire:"required"`
}

// SkillConfig is how a skill is set up here. Credentials are never shown.
type SkillConfig struct {
	SkillKey       string                     `json:"skillKey" wire:"filled"`
	ProviderKey    string                     `json:"providerKey" wire:"required"`
	Enabled        bool                       `json:"enabled" wire:"required"`
	Settings       map[string]json.RawMessage `json:"settings"`
	HasCredentials bool                       `json:"hasCredentials" wire:"required"`
	UpdatedAt      string                     `json:"updatedAt" wire:"required"`
	Extra          Extra                      `json:"-"`
}

// UpdateSkillConfigRequest changes what is given. Keys of both maps go out as
// they are; settings are texts, numbers and booleans.
type UpdateSkillConfigRequest struct {
	Enabled     *bool             `json:"enabled,omitempty"`
	Credentials map[string]Secret `json:"credentials,omitempty"`
	Settings    map[string]any    `json:"settings,omitempty"`
}

// SkillFilter narrows a list of skills; "" does not.
type SkillFilter struct {
	Scope     SkillScope     `json:"scope"`
	Direction SkillDirection `json:"direction"`
	Source    SkillSource    `json:"source"`
}

// ListSkills reads one page of the catalogue.
func (c *Client) ListSkills(ctx context.Context, filter SkillFilter, page Page) (List[SkillSummary], error) {
	r := read("/skills").where(
		param{"scope", string(filter.Scope)}, param{"direction", string(filter.Direction)}, param{"source", string(filter.Source)},
	).paged(page)
	return send(ctx, c, r, list[SkillSummary])
}

// AllSkills walks the catalogue from page on.
func (c *Client) AllSkills(ctx context.Context, filter SkillFilter, page Page) iter.Seq2[SkillSummary, error] {
	return all(ctx, page, func(ctx context.Context, page Page) (List[SkillSummary], error) {
		return c.ListSkills(ctx, filter, page)
	})
}

// GetSkill reads one skill.
func (c *Client) GetSkill(ctx context.Context, skillKey string) (SkillSummary, error) {
	return send(ctx, c, read("/skills/{skill_key}", skillKey), item[SkillSummary])
}

// GetSkillManifest reads what a skill takes and gives.
func (c *Client) GetSkillManifest(ctx context.Context, skillKey string) (SkillManifest, error) {
	return send(ctx, c, read("/skills/{skill_key}/manifest", skillKey), item[SkillManifest])
}

// UpdateSkillConfig sets a skill up.
//
// After an Unknown outcome send it again: it sets values, it adds nothing.
func (c *Client) UpdateSkillConfig(ctx context.Context, skillKey string, req UpdateSkillConfigRequest) (SkillConfig, error) {
	return send(ctx, c, write(http.MethodPatch, "/skills/{skill_key}/config", skillKey).with(req), item[SkillConfig])
}
