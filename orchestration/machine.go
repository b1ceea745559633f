package orchestration

import (
	"context"
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
	DisplayName    string            `json:"displayName" wire:"strict"`
	Status         MachineStatus     `json:"status" wire:"filled"`
	OwnerID        string            `json:"ownerId" wire:"strict"`
	IdentityRef    string            `json:"identityRef,omitempty"`
	IdentityProof  *IdentityProof    `json:"identityProof"`
	MachineType    string            `json:"machineType" wire:"strict"`
	RuntimeProfile string            `json:"runtimeProfile" wire:"strict"`
	Capabilities   []string          `json:"capabilities"`
	Labels         map[string]string `json:"labels"`
	PolicyIDs      []string          `json:"policyIds"`
	SkillKeys      []string          `json:"skillKeys"`
	CreatedAt      string            `json:"createdAt" wire:"strict"`
	UpdatedAt      string            `json:"updatedAt" wire:"strict"`
	Extra          Extra             `json:"-"`
}

// IdentityProof is what the server checked when the machine was registered.
type IdentityProof struct {
	Method              string   `json:"method" wire:"strict"`
	IdentityRef         string   `json:"identityRef" wire:"strict"`
	SignerAddress       string   `json:"signerAddress" wire:"strict"`
	ChallengeID         string   `json:"challengeId" wire:"strict"`
	VerifiedAt          string   `json:"verifiedAt" wire:"strict"`
	ChallengeExpiresAt  string   `json:"challengeExpiresAt" wire:"strict"`
	ControllerAddresses []string `json:"controllerAddresses"`
	ResolutionSource    string   `json:"resolutionSource" wire:"strict"`
}

// MachineIdentityChallenge is to be signed byte for byte by one of
// ControllerAddresses before ExpiresAt.
type MachineIdentityChallenge struct {
	ChallengeID         string   `json:"challengeId" wire:"filled"`
	IdentityRef         string   `json:"identityRef" wire:"strict"`
	Message             string   `json:"message" wire:"filled"`
	ExpiresAt           string   `json:"expiresAt" wire:"strict"`
	VerificationMethod  string   `json:"verificationMethod" wire:"strict"`
	ControllerAddresses []string `json:"controllerAddresses" wire:"strict"`
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
	Capabilities   []string          `json:"capabilities,omitzero"`
	Labels         map[string]string `json:"labels,omitempty"`
	PolicyIDs      []string          `json:"policyIds,omitzero"`
	SkillKeys      []string          `json:"skillKeys,omitzero"`
}

// UpdateMachineRequest changes what is given; "" and nil change nothing, an empty
// list empties. MachineActive activates a draft, with the proof that the server
// keeps or with a fresh one.
type UpdateMachineRequest struct {
	DisplayName    string            `json:"displayName,omitempty"`
	Status         MachineStatus     `json:"status,omitempty"`
	OwnerID        string            `json:"ownerId,omitempty"`
	IdentityRef    string            `json:"identityRef,omitempty"`
	IdentityProof  *ChallengeProof   `json:"identityProof,omitempty"`
	MachineType    string            `json:"machineType,omitempty"`
	RuntimeProfile string            `json:"runtimeProfile,omitempty"`
	Capabilities   []string          `json:"capabilities,omitzero"`
	Labels         map[string]string `json:"labels,omitempty"`
	PolicyIDs      []string          `json:"policyIds,omitzero"`
	SkillKeys      []string          `json:"skillKeys,omitzero"`
}

// CreateMachineIdentityChallenge asks for the text that a controller of the
// identity signs: did:peaq:<decimal>, or its alias peaqos:machine:<decimal>.
//
// After an Unknown outcome ask again; a challenge that is not used expires.
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

// CreateMachine registers a machine; it starts as a draft. It fails with
// CodeMachineIdentityExists and the codes of the identity proof.
//
// After an Unknown outcome look for the identity with AllMachines: there is one
// machine for each identity, so a repetition gives CodeMachineIdentityExists.
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

// UpdateMachine changes a machine; its identity cannot be changed
// (CodeMachineIdentityImmutable).
//
// After an Unknown outcome read GetMachine, or send it again: it sets values.
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

// ArchiveMachine takes a machine out of the market.
//
// After an Unknown outcome read GetMachine, or repeat it.
func (c *Client) ArchiveMachine(ctx context.Context, machineID string) error {
	_, err := send(ctx, c, write(http.MethodDelete, "/machines/{machine_id}", machineID), nothing)
	return err
}

// GetMachine reads one machine. The server looks at its identity again: it may
// fail with CodeMachineNotActivated.
func (c *Client) GetMachine(ctx context.Context, machineID string) (Machine, error) {
	return send(ctx, c, read("/machines/{machine_id}", machineID), item[Machine])
}

// ListMachines reads one page of machines. Those whose identity does not resolve
// any more are left out by the server.
func (c *Client) ListMachines(ctx context.Context, page Page) (List[Machine], error) {
	return send(ctx, c, read("/machines").paged(page), list[Machine])
}

// AllMachines walks machines from page on.
func (c *Client) AllMachines(ctx context.Context, page Page) iter.Seq2[Machine, error] {
	return all(ctx, page, c.ListMachines)
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
