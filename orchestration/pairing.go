package orchestration

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
)

// PairingStatus is an open set.
type PairingStatus string

// Pairing statuses of the contract.
const (
	PairingActive  PairingStatus = "active"
	PairingPaused  PairingStatus = "paused"
	PairingRevoked PairingStatus = "revoked"
)

// AgentPairing lets an agent act for a machine.
type AgentPairing struct {
	ID               string               `json:"id" wire:"filled"`
	MachineID        string               `json:"machineId" wire:"filled"`
	AgentAddress     string               `json:"agentAddress" wire:"strict"`
	AgentDID         string               `json:"agentDid,omitempty"`
	AgentProvider    string               `json:"agentProvider" wire:"strict"`
	AgentRole        string               `json:"agentRole" wire:"strict"`
	Status           PairingStatus        `json:"status" wire:"filled"`
	Description      string               `json:"description,omitempty"`
	HasAuthToken     bool                 `json:"hasAuthToken" wire:"strict"`
	TokenLastFour    string               `json:"tokenLastFour,omitempty"`
	DelegationPolicy DelegationPolicy     `json:"delegationPolicy" wire:"strict"`
	Verification     *PairingVerification `json:"verification"`
	SessionID        string               `json:"sessionId,omitempty"`
	SessionTokenID   string               `json:"sessionTokenId,omitempty"`
	SessionIssuedAt  string               `json:"sessionIssuedAt,omitempty"`
	SessionExpiresAt string               `json:"sessionExpiresAt,omitempty"` // ISO 8601
	CreatedAt        string               `json:"createdAt" wire:"strict"`
	UpdatedAt        string               `json:"updatedAt" wire:"strict"`
	// PairingToken is given once, by create and by rotate; "" elsewhere.
	PairingToken Secret `json:"pairingToken,omitempty"`
	Extra        Extra  `json:"-"`
}

// PairingVerification is what the server checked when the pairing was made:
// SignerAddress signed the challenge.
type PairingVerification struct {
	Method             string `json:"method" wire:"strict"`
	SignerAddress      string `json:"signerAddress" wire:"strict"`
	VerifiedAt         string `json:"verifiedAt" wire:"strict"`
	ChallengeExpiresAt string `json:"challengeExpiresAt" wire:"strict"`
}

// DelegationPolicy limits a pairing. Limits are in major units of Currency.
type DelegationPolicy struct {
	AllowedSkillKeys    []string    `json:"allowedSkillKeys"`
	DeniedSkillKeys     []string    `json:"deniedSkillKeys"`
	AllowedServiceIDs   []string    `json:"allowedServiceIds"`
	DeniedServiceIDs    []string    `json:"deniedServiceIds"`
	PerTransactionLimit json.Number `json:"perTransactionLimit,omitempty"`
	DailySpendLimit     json.Number `json:"dailySpendLimit,omitempty"`
	Currency            string      `json:"currency,omitempty"`
}

// ChallengeProof answers a challenge: Signature is 0x and 130 hex digits over
// its message, EIP-191.
type ChallengeProof struct {
	ChallengeID string `json:"challengeId"`
	Signature   string `json:"signature"`
}

// AgentPairingChallengeRequest says who wants to pair: all but AgentDID is required.
type AgentPairingChallengeRequest struct {
	AgentAddress  string `json:"agentAddress"`
	AgentProvider string `json:"agentProvider"`
	AgentRole     string `json:"agentRole"`
	AgentDID      string `json:"agentDid,omitempty"`
}

// AgentPairingChallenge is to be signed byte for byte before ExpiresAt. The
// older document lets the server leave out MachineID, MachineIdentityRef and
// AgentDID.
type AgentPairingChallenge struct {
	ChallengeID        string `json:"challengeId" wire:"filled"`
	MachineID          string `json:"machineId,omitempty"`
	MachineIdentityRef string `json:"machineIdentityRef,omitempty"`
	AgentAddress       string `json:"agentAddress" wire:"filled"`
	AgentDID           string `json:"agentDid,omitempty"`
	AgentProvider      string `json:"agentProvider" wire:"filled"`
	AgentRole          string `json:"agentRole" wire:"filled"`
	Message            string `json:"message" wire:"filled"`
	ExpiresAt          string `json:"expiresAt" wire:"filled"`
	VerificationMethod string `json:"verificationMethod" wire:"strict"`
}

// CreateAgentPairingRequest repeats the challenge's agent, provider and role.
type CreateAgentPairingRequest struct {
	AgentAddress     string            `json:"agentAddress"`
	AgentProvider    string            `json:"agentProvider"`
	AgentRole        string            `json:"agentRole"`
	AgentDID         string            `json:"agentDid,omitempty"`
	AgentProof       ChallengeProof    `json:"agentProof"`
	Description      string            `json:"description,omitempty"`
	DelegationPolicy *DelegationPolicy `json:"delegationPolicy,omitempty"`
}

// ListAgentPairings reads one page of a machine's pairings. They carry no token.
func (c *Client) ListAgentPairings(ctx context.Context, machineID string, page Page) (List[AgentPairing], error) {
	r := read("/machines/{machine_id}/agent-pairings", machineID).paged(page)
	pairings, err := send(ctx, c, r, list[AgentPairing])
	for i := range pairings.Items {
		pairings.Items[i].PairingToken = "" // a stray one is not ours to hold
	}
	return pairings, err
}

// AllAgentPairings walks the pairings of a machine from page on.
func (c *Client) AllAgentPairings(ctx context.Context, machineID string, page Page) iter.Seq2[AgentPairing, error] {
	return all(ctx, page, func(ctx context.Context, page Page) (List[AgentPairing], error) {
		return c.ListAgentPairings(ctx, machineID, page)
	})
}

// CreateAgentPairingChallenge asks for the text to sign, for a new pairing or
// for a rotation (then with the agent, provider and role of the pairing).
//
// After an Unknown outcome ask again; a challenge that is not used expires.
func (c *Client) CreateAgentPairingChallenge(ctx context.Context, machineID string, req AgentPairingChallengeRequest) (AgentPairingChallenge, error) {
	r := write(http.MethodPost, "/machines/{machine_id}/agent-pairings/challenges", machineID).
		need("agent_address", req.AgentAddress).need("agent_provider", req.AgentProvider).need("agent_role", req.AgentRole).with(req)
	return send(ctx, c, r, item[AgentPairingChallenge])
}

// CreateAgentPairing makes a pairing; the answer holds its first token. It fails
// with the codes of the agent's proof, CodeAgentPairingUnavailable,
// CodeMachineNotActive, CodeMachineIdentityProofRequired.
//
// After an Unknown outcome look for the agent's address and role with
// AllAgentPairings and rotate what is there, as Session does.
func (c *Client) CreateAgentPairing(ctx context.Context, machineID string, req CreateAgentPairingRequest) (AgentPairing, error) {
	r := write(http.MethodPost, "/machines/{machine_id}/agent-pairings", machineID).
		need("agent_address", req.AgentAddress).need("agent_provider", req.AgentProvider).need("agent_role", req.AgentRole).
		proved("agentProof", req.AgentProof).with(req)
	return send(ctx, c, r, withToken)
}

// CreateAgentPairingSession rotates the session; the answer holds a new token.
//
// After an Unknown outcome rotate again: the token of a lost answer is lost.
func (c *Client) CreateAgentPairingSession(ctx context.Context, machineID, pairingID string, proof ChallengeProof) (AgentPairing, error) {
	r := write(http.MethodPost, "/machines/{machine_id}/agent-pairings/{pairing_id}/sessions", machineID, pairingID).
		proved("agentProof", proof).with(map[string]ChallengeProof{"agentProof": proof})
	return send(ctx, c, r, withToken)
}

// UpdateAgentPairingRequest changes what is given; "" and nil change nothing. A
// changed policy ends the session of the pairing: rotate it.
type UpdateAgentPairingRequest struct {
	AgentProvider    string            `json:"agentProvider,omitempty"`
	AgentRole        string            `json:"agentRole,omitempty"`
	Description      *string           `json:"description,omitempty"` // "" empties it
	Status           PairingStatus     `json:"status,omitempty"`
	DelegationPolicy *DelegationPolicy `json:"delegationPolicy,omitempty"`
}

// UpdateAgentPairing changes a pairing: PairingPaused stops it, PairingActive lets
// it go on. The answer has no token.
//
// After an Unknown outcome read AllAgentPairings, or send it again: it sets
// values.
func (c *Client) UpdateAgentPairing(ctx context.Context, machineID, pairingID string, req UpdateAgentPairingRequest) (AgentPairing, error) {
	r := write(http.MethodPatch, "/machines/{machine_id}/agent-pairings/{pairing_id}", machineID, pairingID).with(req)
	pairing, err := send(ctx, c, r, item[AgentPairing])
	pairing.PairingToken = "" // a stray one is not ours to hold
	return pairing, err
}

// RevokeAgentPairing ends a pairing for good.
//
// After an Unknown outcome read AllAgentPairings, or repeat it.
func (c *Client) RevokeAgentPairing(ctx context.Context, machineID, pairingID string) error {
	_, err := send(ctx, c, write(http.MethodDelete, "/machines/{machine_id}/agent-pairings/{pairing_id}", machineID, pairingID), nothing)
	return err
}

// proved refuses a proof with a blank part.
func (r request) proved(field string, proof ChallengeProof) request {
	if field == "agentProof" {
		return r.need(field+".challengeId", proof.ChallengeID).need(field+".signature", proof.Signature)
	}
	return r.need(field+".challenge_id", proof.ChallengeID).need(field+".signature", proof.Signature)
}

// withToken reads a pairing that must come with its token.
func withToken(a answer) (AgentPairing, error) {
	pairing, err := item[AgentPairing](a)
	if err == nil && pairing.PairingToken == "" {
		err = shapeError("item.pairingToken", "is missing")
	}
	return pairing, err
}
