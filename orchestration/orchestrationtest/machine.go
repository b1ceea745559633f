package orchestrationtest

import (
	"cmp"
	"net/http"
	"regexp"
	"strings"

	"github.com/settler-pay/settler/orchestration"
)

var identityCodes = proofCodes{
	orchestration.CodeMachineIdentityProofRequired,
	orchestration.CodeMachineIdentityProofInvalid,
	orchestration.CodeMachineIdentityProofExpired,
}

var identityForm = regexp.MustCompile(`^did:peaq:(0|[1-9][0-9]*|0x[0-9a-fA-F]{40})$`)

// normalIdentity turns the alias into the DID.
func normalIdentity(ref string) (string, error) {
	if number, ok := strings.CutPrefix(ref, "peaqos:machine:"); ok {
		ref = "did:peaq:" + number
	}
	if !identityForm.MatchString(ref) {
		return "", invalid("identityRef is not did:peaq:<decimal>")
	}
	return ref, nil
}

func (s *Server) controllers(identity string) []string {
	if addresses, ok := s.cfg.Controllers[identity]; ok {
		return addresses
	}
	return []string{DevController}
}

func (s *Server) createIdentityChallenge(c *call) (answer, error) {
	var req struct {
		IdentityRef string `json:"identityRef"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	identity, err := normalIdentity(req.IdentityRef)
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.newChallenge("mich_", "peaqOS machine identity", identity, "identity: "+identity)
	return item(http.StatusCreated, orchestration.MachineIdentityChallenge{
		ChallengeID: asked.id, IdentityRef: identity, Message: asked.message, ExpiresAt: stamp(asked.expires),
		VerificationMethod: "eip191", ControllerAddresses: s.controllers(identity),
	}), nil
}

func (s *Server) createMachine(c *call) (answer, error) {
	var req orchestration.CreateMachineRequest
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	for name, value := range map[string]string{
		"displayName": req.DisplayName, "ownerId": req.OwnerID, "machineType": req.MachineType, "runtimeProfile": req.RuntimeProfile,
	} {
		if strings.TrimSpace(value) == "" {
			return answer{}, invalid(name + " is required")
		}
	}
	if req.IdentityRef == "" {
		return answer{}, refuse(http.StatusBadRequest, identityCodes.required, "identityRef is required")
	}
	identity, err := normalIdentity(req.IdentityRef)
	if err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.machines.all(func(m orchestration.Machine) bool { return m.IdentityRef == identity })) > 0 {
		return answer{}, refuse(http.StatusConflict, orchestration.CodeMachineIdentityExists, "registered already")
	}
	proof, err := s.proveIdentity(req.IdentityProof, identity)
	if err != nil {
		return answer{}, err
	}
	machine := orchestration.Machine{
		ID: newID("mach_"), DisplayName: req.DisplayName, Status: orchestration.MachineDraft, OwnerID: req.OwnerID,
		IdentityRef: identity, IdentityProof: proof, MachineType: req.MachineType, RuntimeProfile: req.RuntimeProfile,
		Capabilities: req.Capabilities, Labels: req.Labels, PolicyIDs: req.PolicyIDs, SkillKeys: req.SkillKeys,
		CreatedAt: s.now(), UpdatedAt: s.now(),
	}
	s.machines.put(machine.ID, machine)
	return item(http.StatusCreated, machine), nil
}

// proveIdentity checks a controller's proof. Caller holds s.mu.
func (s *Server) proveIdentity(proof *orchestration.ChallengeProof, identity string) (*orchestration.IdentityProof, error) {
	asked, signer, err := s.checkProof(proof, identity, s.controllers(identity), identityCodes)
	if err != nil {
		return nil, err
	}
	return &orchestration.IdentityProof{
		Method: "eip191", IdentityRef: identity, SignerAddress: signer, ChallengeID: asked.id, VerifiedAt: s.now(),
		ChallengeExpiresAt: stamp(asked.expires), ControllerAddresses: s.controllers(identity), ResolutionSource: "peaqos-mcr",
	}, nil
}

func (s *Server) updateMachine(c *call) (answer, error) {
	var req orchestration.UpdateMachineRequest
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, ok := s.machines.rows[c.PathValue("machine")]
	if !ok {
		return answer{}, notFound("machine")
	}
	if req.IdentityRef != "" {
		identity, err := normalIdentity(req.IdentityRef)
		if err != nil {
			return answer{}, err
		}
		if identity != machine.IdentityRef {
			return answer{}, refuse(http.StatusConflict, orchestration.CodeMachineIdentityImmutable, "the identity cannot change")
		}
	}
	if req.IdentityProof != nil {
		proof, err := s.proveIdentity(req.IdentityProof, machine.IdentityRef)
		if err != nil {
			return answer{}, err
		}
		machine.IdentityProof = proof
	}
	machine.DisplayName = cmp.Or(req.DisplayName, machine.DisplayName)
	machine.Status = cmp.Or(req.Status, machine.Status)
	machine.OwnerID = cmp.Or(req.OwnerID, machine.OwnerID)
	machine.MachineType = cmp.Or(req.MachineType, machine.MachineType)
	machine.RuntimeProfile = cmp.Or(req.RuntimeProfile, machine.RuntimeProfile)
	if req.Capabilities != nil {
		machine.Capabilities = req.Capabilities
	}
	if req.Labels != nil {
		machine.Labels = req.Labels
	}
	if req.PolicyIDs != nil {
		machine.PolicyIDs = req.PolicyIDs
	}
	if req.SkillKeys != nil {
		machine.SkillKeys = req.SkillKeys
	}
	machine.UpdatedAt = s.now()
	s.machines.put(machine.ID, machine)
	return item(http.StatusOK, machine), nil
}

func (s *Server) getMachine(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, ok := s.machines.rows[c.PathValue("machine")]
	if !ok {
		return answer{}, notFound("machine")
	}
	return item(http.StatusOK, machine), nil
}

func (s *Server) listMachines(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return page(c, s.machines.all(func(orchestration.Machine) bool { return true }))
}

// activeMachine finds a machine that may trade. Caller holds s.mu.
func (s *Server) activeMachine(id string) (orchestration.Machine, error) {
	machine, ok := s.machines.rows[id]
	if !ok {
		return machine, notFound("machine")
	}
	if machine.Status != orchestration.MachineActive {
		return machine, refuse(http.StatusConflict, orchestration.CodeMachineNotActive, "the machine is "+string(machine.Status))
	}
	return machine, nil
}
