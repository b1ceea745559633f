package orchestration

import (
	"context"
	"encoding/json"
	"iter"
	"math/big"
	"net/http"
	"regexp"
)

// MachineStatus is an open set.
type MachineStatus string

// Machine statuses of the contract.
const (
	MachineDraft    MachineStatus = "draft"
	MachineActive   MachineStatus = "active"
	MachineDegraded MachineStatus = "degraded"
	MachineBlocked  MachineStatus = "blocked"
	MachineArchived MachineStatus = "archived"
)

// Machine is a machine of the market. ID is not its on-chain id.
type Machine struct {
	ID             string            `json:"id" wire:"filled"`
	DisplayName    string            `json:"displayName" wire:"required"`
	Status         MachineStatus     `json:"status" wire:"filled"`
	OwnerID        string            `json:"ownerId" wire:"required"`
	IdentityRef    string            `json:"identityRef,omitempty"`
	IdentityProof  *IdentityProof    `json:"identityProof"`
	MachineType    string            `json:"machineType" wire:"required"`
	RuntimeProfile string            `json:"runtimeProfile" wire:"required"`
	Capabilities   []string          `json:"capabilities"`
	Labels         map[string]string `json:"labels"`
	PolicyIDs      []string          `json:"policyIds"`
	SkillKeys      []string          `json:"skillKeys"`
	CreatedAt      string            `json:"createdAt" wire:"required"`
	UpdatedAt      string            `json:"updatedAt" wire:"required"`
	// Extra holds what the contract does not name: wire key → JSON.
	Extra map[string]json.RawMessage `json:"-"`
}

// IdentityProof is what the server checked when the machine was registered.
type IdentityProof struct {
	Method              string   `json:"method" wire:"required"`
	IdentityRef         string   `json:"identityRef" wire:"required"`
	SignerAddress       string   `json:"signerAddress" wire:"required"`
	ChallengeID         string   `json:"challengeId" wire:"required"`
	VerifiedAt          string   `json:"verifiedAt" wire:"required"`
	ChallengeExpiresAt  string   `json:"challengeExpiresAt" wire:"required"`
	ControllerAddresses []string `json:"controllerAddresses"`
	ResolutionSource    string   `json:"resolutionSource" wire:"required"`
}

// MachineIdentityChallenge is to be signed byte for byte by one of
// ControllerAddresses before ExpiresAt.
type MachineIdentityChallenge struct {
	ChallengeID         string   `json:"challengeId" wire:"filled"`
	IdentityRef         string   `json:"identityRef" wire:"required"`
	Message             string   `json:"message" wire:"filled"`
	ExpiresAt           string   `json:"expiresAt" wire:"required"`
	VerificationMethod  string   `json:"verificationMethod" wire:"required"`
	ControllerAddresses []string `json:"controllerAddresses" wire:"required"`
}

// CreateMachineRequest describes a new machine: names, owner, type and profile are required. Identity
// and its proof are required by newer servers only; older ones take a machine
// without them.
type CreateMachineRequest struct {
	DisplayName    string            `json:"displayName"`
	OwnerID        string            `json:"ownerId"`
	MachineType    string            `json:"machineType"`
	RuntimeProfile string            `json:"runtimeProfile"`
	IdentityRef    string            `json:"identityRef,omitempty"`
	IdentityProof  *ChallengeProof   `json:"identityProof,omitempty"`
	Capabilities   []string          `json:"capabilities,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	PolicyIDs      []string          `json:"policyIds,omitempty"`
	SkillKeys      []string          `json:"skillKeys,omitempty"`
}

// UpdateMachineRequest changes what is given; "" and nil change nothing. Status
// "active" activates a draft.
type UpdateMachineRequest struct {
	DisplayName    string            `json:"displayName,omitempty"`
	Status         MachineStatus     `json:"status,omitempty"`
	OwnerID        string            `json:"ownerId,omitempty"`
	IdentityRef    string            `json:"identityRef,omitempty"`
	IdentityProof  *ChallengeProof   `json:"identityProof,omitempty"`
	MachineType    string            `json:"machineType,omitempty"`
	RuntimeProfile string            `json:"runtimeProfile,omitempty"`
	Capabilities   []string          `json:"capabilities,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	PolicyIDs      []string          `json:"policyIds,omitempty"`
	SkillKeys      []string          `json:"skillKeys,omitempty"`
}

// CreateMachineIdentityChallenge asks for the text that a controller of the
// identity signs.
func (c *Client) CreateMachineIdentityChallenge(ctx context.Context, identityRef string) (MachineIdentityChallenge, error) {
	r := write(http.MethodPost, "/machine-identity/challenges").identity(identityRef).
		with(map[string]string{"identityRef": identityRef})
	return send(ctx, c, r, func(a answer) (MachineIdentityChallenge, error) {
		challenge, err := item[MachineIdentityChallenge](a)
		if err == nil && len(challenge.ControllerAddresses) == 0 {
			err = shapeError("item.controllerAddresses", "is empty")
		}
		return challenge, err
	})
}

// CreateMachine registers a machine; it starts as a draft.
func (c *Client) CreateMachine(ctx context.Context, req CreateMachineRequest) (Machine, error) {
	r := write(http.MethodPost, "/machines").need("display_name", req.DisplayName).need("owner_id", req.OwnerID).with(req)
	if req.IdentityRef != "" {
		r = r.identity(req.IdentityRef)
	}
	if req.IdentityProof != nil {
		r = r.proved("identity_proof", *req.IdentityProof)
	}
	return send(ctx, c, r, item[Machine])
}

// UpdateMachine changes a machine.
func (c *Client) UpdateMachine(ctx context.Context, machineID string, req UpdateMachineRequest) (Machine, error) {
	r := write(http.MethodPatch, "/machines/{machine_id}", machineID).with(req)
	if req.IdentityRef != "" {
		r = r.identity(req.IdentityRef)
	}
	if req.IdentityProof != nil {
		r = r.proved("identity_proof", *req.IdentityProof)
	}
	return send(ctx, c, r, item[Machine])
}

// GetMachine reads one machine.
func (c *Client) GetMachine(ctx context.Context, machineID string) (Machine, error) {
	return send(ctx, c, read("/machines/{machine_id}", machineID), item[Machine])
}

// ListMachines reads one page of machines.
func (c *Client) ListMachines(ctx context.Context, page Page) (List[Machine], error) {
	return send(ctx, c, read("/machines").paged(page), list[Machine])
}

// AllMachines walks all machines, page by page.
func (c *Client) AllMachines(ctx context.Context) iter.Seq2[Machine, error] {
	return all(ctx, Page{}, c.ListMachines)
}

// identityForm: did:peaq:<decimal>, its alias, or the address form of the older
// document.
var identityForm = regexp.MustCompile(`^(?:did:peaq|peaqos:machine):(0|[1-9][0-9]{0,77})$|^did:peaq:0x[0-9a-fA-F]{40}$`)

// identity refuses what is no machine identity. The decimal is a uint256.
func (r request) identity(ref string) request {
	match := identityForm.FindStringSubmatch(ref)
	if match == nil {
		return r.refuse("identity_ref", "canonical decimal machine DID")
	}
	if number, ok := new(big.Int).SetString(match[1], 10); ok && number.BitLen() > 256 {
		return r.refuse("identity_ref", "canonical decimal machine DID")
	}
	return r
}
