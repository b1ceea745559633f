package orchestration

import (
	"context"
	"encoding/json"
	"net/http"
)

// Policy limits what machines may use. It is named by Machine.PolicyIDs, and is
// not the DelegationPolicy of a pairing.
type Policy struct {
	ID                   string     `json:"id" wire:"filled"`
	Name                 string     `json:"name" wire:"required"`
	AllowedSkillKeys     []string   `json:"allowedSkillKeys"`
	DeniedSkillKeys      []string   `json:"deniedSkillKeys"`
	BudgetCap            *BudgetCap `json:"budgetCap"`
	RegionRules          []string   `json:"regionRules"`
	NativeOnly           bool       `json:"nativeOnly" wire:"required"`
	HandoffAllowed       bool       `json:"handoffAllowed" wire:"required"`
	RequiredCapabilities []string   `json:"requiredCapabilities"`
	CreatedAt            string     `json:"createdAt" wire:"required"`
	UpdatedAt            string     `json:"updatedAt" wire:"required"`
	Extra                Extra      `json:"-"`
}

// BudgetCap is an amount in major units of Currency.
type BudgetCap struct {
	Currency string      `json:"currency" wire:"required"`
	Amount   json.Number `json:"amount" wire:"required"`
}

// CreatePolicyRequest describes a policy: Name is required. Nil is left out, an
// empty list is sent.
type CreatePolicyRequest struct {
	Name                 string     `json:"name"`
	AllowedSkillKeys     []string   `json:"allowedSkillKeys,omitzero"`
	DeniedSkillKeys      []string   `json:"deniedSkillKeys,omitzero"`
	BudgetCap            *BudgetCap `json:"budgetCap,omitempty"`
	RegionRules          []string   `json:"regionRules,omitzero"`
	NativeOnly           *bool      `json:"nativeOnly,omitempty"`
	HandoffAllowed       *bool      `json:"handoffAllowed,omitempty"`
	RequiredCapabilities []string   `json:"requiredCapabilities,omitzero"`
}

// UpdatePolicyRequest changes what is given: "" and nil change nothing, an empty
// list empties.
type UpdatePolicyRequest struct {
	Name                 string     `json:"name,omitempty"`
	AllowedSkillKeys     []string   `json:"allowedSkillKeys,omitzero"`
	DeniedSkillKeys      []string   `json:"deniedSkillKeys,omitzero"`
	BudgetCap            *BudgetCap `json:"budgetCap,omitempty"`
	RegionRules          []string   `json:"regionRules,omitzero"`
	NativeOnly           *bool      `json:"nativeOnly,omitempty"`
	HandoffAllowed       *bool      `json:"handoffAllowed,omitempty"`
	RequiredCapabilities []string   `json:"requiredCapabilities,omitzero"`
}

// ListPolicies reads all policies; the list has no pages.
func (c *Client) ListPolicies(ctx context.Context) ([]Policy, error) {
	return send(ctx, c, read("/policies"), items[Policy])
}

// CreatePolicy makes a policy.
//
// After an Unknown outcome look for its name in ListPolicies before repeating.
func (c *Client) CreatePolicy(ctx context.Context, req CreatePolicyRequest) (Policy, error) {
	return send(ctx, c, write(http.MethodPost, "/policies").need("name", req.Name).with(req), item[Policy])
}

// UpdatePolicy changes a policy.
//
// After an Unknown outcome send it again: it sets values, it adds nothing.
func (c *Client) UpdatePolicy(ctx context.Context, policyID string, req UpdatePolicyRequest) (Policy, error) {
	return send(ctx, c, write(http.MethodPatch, "/policies/{policy_id}", policyID).with(req), item[Policy])
}
