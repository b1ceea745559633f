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
		return "", invalid("identityRef", "identityRef is not did:peaq:<decimal>")
	}
	return ref, nil
}

// controllers looks an identity up in the registry. Caller holds s.mu.
func (s *Server) controllers(identity string) ([]string, error) {
	if s.cfg.RegistryDown {
		return nil, refuse(http.StatusServiceUnavailable, orchestration.CodeIdentityUnavailable, "the machine registry does not answer")
	}
	addresses, ok := s.cfg.Controllers[identity]
	switch {
	case !ok:
		return []string{DevController}, nil
	case len(addresses) == 0:
		return nil, refuse(http.StatusConflict, orchestration.CodeMachineNotActivated, "the registry does not know "+identity)
	}
	return addresses, nil
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
	controllers, err := s.controllers(identity)
	if err != nil {
		return answer{}, err
	}
	asked := s.newChallenge("mich_", "peaqOS machine identity", identity, "identity: "+identity)
	return item(http.StatusCreated, orchestration.MachineIdentityChallenge{
		ChallengeID: asked.ID, IdentityRef: identity, Message: asked.Message, ExpiresAt: stamp(asked.Expires),
		VerificationMethod: "eip191", ControllerAddresses: controllers,
	}), nil
}

// machineBody is what create and update take.
type machineBody struct {
	DisplayName    string                      `json:"displayName"`
	OwnerID        string                      `json:"ownerId"`
	MachineType    string                      `json:"machineType"`
	RuntimeProfile string                      `json:"runtimeProfile"`
	Status         orchestration.MachineStatus `json:"status"`
	IdentityRef    string                      `json:"identityRef"`
	IdentityProof  *signedChallenge            `json:"identityProof"`
	Capabilities   []string                    `json:"capabilities"`
	Labels         map[string]string           `json:"labels"`
	PolicyIDs      []string                    `json:"policyIds"`
	SkillKeys      []string                    `json:"skillKeys"`
}

func (s *Server) createMachine(c *call) (answer, error) {
	var req machineBody
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	err := required("displayName", req.DisplayName, "ownerId", req.OwnerID, "machineType", req.MachineType, "runtimeProfile", req.RuntimeProfile)
	if err != nil {
		return answer{}, err
	}
	machine := orchestration.Machine{
		ID: newID("mach_"), DisplayName: req.DisplayName, Status: orchestration.MachineDraft, OwnerID: req.OwnerID,
		MachineType: req.MachineType, RuntimeProfile: req.RuntimeProfile, Capabilities: req.Capabilities, Labels: req.Labels,
		PolicyIDs: req.PolicyIDs, SkillKeys: req.SkillKeys, CreatedAt: s.now(), UpdatedAt: s.now(),
	}
	switch {
	case req.IdentityRef == "" && s.cfg.NoIdentityProof:
	case req.IdentityRef == "":
		return answer{}, refuse(http.StatusBadRequest, identityCodes.required, "identityRef is required")
	default:
		if machine.IdentityRef, err = normalIdentity(req.IdentityRef); err != nil {
			return answer{}, err
		}
		taken := s.state.machines.all(func(m orchestration.Machine) bool {
			return m.IdentityRef == machine.IdentityRef && m.Status != orchestration.MachineArchived
		})
		if len(taken) > 0 {
			return answer{}, refuse(http.StatusConflict, orchestration.CodeMachineIdentityExists, "registered already")
		}
		if req.IdentityProof != nil || !s.cfg.NoIdentityProof {
			if machine.IdentityProof, err = s.proveIdentity(req.IdentityProof, machine.IdentityRef); err != nil {
				return answer{}, err
			}
		}
	}
	s.state.machines.put(machine.ID, machine)
	s.note(req.OwnerID, "machine.created", "machine", machine.ID, machine.ID, nil)
	return item(http.StatusCreated, machine), nil
}

// proveIdentity checks a controller's proof. Caller holds s.mu.
func (s *Server) proveIdentity(proof *signedChallenge, identity string) (*orchestration.IdentityProof, error) {
	controllers, err := s.controllers(identity)
	if err != nil {
		return nil, err
	}
	asked, signer, err := s.checkProof(proof, identity, controllers, identityCodes)
	if err != nil {
		return nil, err
	}
	return &orchestration.IdentityProof{
		Method: "eip191", IdentityRef: identity, SignerAddress: signer, ChallengeID: asked.ID, VerifiedAt: s.now(),
		ChallengeExpiresAt: stamp(asked.Expires), ControllerAddresses: controllers, ResolutionSource: "peaqos-mcr",
	}, nil
}

func (s *Server) updateMachine(c *call) (answer, error) {
	var req machineBody
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	machine, err := s.machineOf(c)
	if err != nil {
		return answer{}, err
	}
	switch req.Status {
	case "", orchestration.MachineDraft, orchestration.MachineActive, orchestration.MachineDegraded, orchestration.MachineBlocked, orchestration.MachineArchived:
	default:
		return answer{}, invalid("status", "status is not one of a machine")
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
	switch {
	case req.IdentityProof != nil:
		if machine.IdentityProof, err = s.proveIdentity(req.IdentityProof, machine.IdentityRef); err != nil {
			return answer{}, err
		}
	case req.Status == orchestration.MachineActive:
		if err := s.stillProven(machine); err != nil {
			return answer{}, err
		}
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
	return s.saveMachine(machine, "machine.updated"), nil
}

func (s *Server) saveMachine(machine orchestration.Machine, event string) answer {
	machine.UpdatedAt = s.now()
	s.state.machines.put(machine.ID, machine)
	s.note(machine.OwnerID, event, "machine", machine.ID, machine.ID, map[string]any{"status": machine.Status})
	return item(http.StatusOK, machine)
}

func (s *Server) archiveMachine(c *call) (answer, error) {
	machine, err := s.machineOf(c)
	if err != nil {
		return answer{}, err
	}
	machine.Status = orchestration.MachineArchived
	s.saveMachine(machine, "machine.archived")
	return answer{}, nil
}

func (s *Server) getMachine(c *call) (answer, error) {
	machine, err := s.machineOf(c)
	if err == nil {
		err = s.stillProven(machine)
	}
	if err != nil {
		return answer{}, err
	}
	return item(http.StatusOK, machine), nil
}

// listMachines hides machines whose identity is no longer theirs.
func (s *Server) listMachines(c *call) (answer, error) {
	return page(s, c, s.state.machines, func(m orchestration.Machine) bool { return s.stillProven(m) == nil }, same)
}

// machineOf finds the machine of the path. Caller holds s.mu.
func (s *Server) machineOf(c *call) (orchestration.Machine, error) {
	machine, ok := s.state.machines.get(c.PathValue("machine"))
	if !ok {
		return machine, notFound("machine")
	}
	return machine, nil
}

// stillProven looks the machine's identity up again: who proved it must still
// control it. A machine that was put here without a proof passes. Caller holds
// s.mu.
func (s *Server) stillProven(machine orchestration.Machine) error {
	if machine.IdentityRef == "" || machine.IdentityProof == nil {
		return nil
	}
	controllers, err := s.controllers(machine.IdentityRef)
	if err != nil {
		return err
	}
	for _, each := range controllers {
		if strings.EqualFold(each, machine.IdentityProof.SignerAddress) {
			return nil
		}
	}
	return refuse(http.StatusConflict, orchestration.CodeMachineNotActivated, "who proved the identity no longer controls it")
}

// activeMachine finds a machine that may trade. Caller holds s.mu.
func (s *Server) activeMachine(id string) (orchestration.Machine, error) {
	machine, ok := s.state.machines.get(id)
	if !ok {
		return machine, notFound("machine")
	}
	if machine.Status != orchestration.MachineActive {
		return machine, refuse(http.StatusConflict, orchestration.CodeMachineNotActive, "the machine is "+string(machine.Status))
	}
	return machine, s.stillProven(machine)
}
