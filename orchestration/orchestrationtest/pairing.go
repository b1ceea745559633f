package orchestrationtest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/settler-pay/settler/orchestration"
)

var pairingCodes = proofCodes{
	orchestration.CodeAgentPairingProofRequired,
	orchestration.CodeAgentPairingProofInvalid,
	orchestration.CodeAgentPairingProofExpired,
}

// claims are those of a pairing token (contract, 2.3).
type claims struct {
	MachineID            string `json:"machineId"`
	PairingID            string `json:"pairingId"`
	SessionID            string `json:"sessionId"`
	AgentAddress         string `json:"agentAddress"`
	AgentDID             string `json:"agentDid"`
	DelegationPolicyHash string `json:"delegationPolicyHash"`
	jwt.RegisteredClaims
}

// subjectOf binds a challenge to all that it was asked for.
func subjectOf(machineID, address, provider, role string) string {
	return strings.Join([]string{machineID, strings.ToLower(address), provider, role}, "\n")
}

// agentBody is who wants to pair.
type agentBody struct {
	AgentAddress  string `json:"agentAddress"`
	AgentProvider string `json:"agentProvider"`
	AgentRole     string `json:"agentRole"`
	AgentDID      string `json:"agentDid"`
}

func (s *Server) createPairingChallenge(c *call) (answer, error) {
	var req agentBody
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := checkAgent(req.AgentAddress, req.AgentProvider, req.AgentRole, req.AgentDID); err != nil {
		return answer{}, err
	}
	machine, err := s.activeMachine(c.PathValue("machine"))
	if err != nil {
		return answer{}, err
	}
	asked := s.newChallenge("apch_", "peaqOS agent pairing",
		subjectOf(machine.ID, req.AgentAddress, req.AgentProvider, req.AgentRole),
		"machine: "+machine.ID, "identity: "+machine.IdentityRef, "agent: "+req.AgentAddress,
		"provider: "+req.AgentProvider, "role: "+req.AgentRole)
	return item(http.StatusCreated, orchestration.AgentPairingChallenge{
		ChallengeID: asked.ID, MachineID: machine.ID, MachineIdentityRef: machine.IdentityRef, AgentAddress: req.AgentAddress,
		AgentDID: agentDID(req.AgentAddress), AgentProvider: req.AgentProvider, AgentRole: req.AgentRole, Message: asked.Message,
		ExpiresAt: stamp(asked.Expires), VerificationMethod: "eip191",
	}), nil
}

func checkAgent(address, provider, role, did string) error {
	switch {
	case !isAddress(address):
		return invalid("agentAddress", "agentAddress is not 0x and 40 hex digits")
	case strings.TrimSpace(provider) == "" || strings.TrimSpace(role) == "":
		return invalid("agentProvider", "agentProvider and agentRole are required")
	case did != "" && !strings.EqualFold(did, agentDID(address)):
		return invalid("agentDid", "agentDid is not of agentAddress")
	}
	return nil
}

func agentDID(address string) string { return "did:pkh:eip155:1:" + address }

func (s *Server) createPairing(c *call) (answer, error) {
	var req struct {
		agentBody
		AgentProof       *signedChallenge `json:"agentProof"`
		Description      string           `json:"description"`
		DelegationPolicy *delegation      `json:"delegationPolicy"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := checkAgent(req.AgentAddress, req.AgentProvider, req.AgentRole, req.AgentDID); err != nil {
		return answer{}, err
	}
	machine, err := s.activeMachine(c.PathValue("machine"))
	if err != nil {
		return answer{}, err
	}
	asked, signer, err := s.checkProof(req.AgentProof,
		subjectOf(machine.ID, req.AgentAddress, req.AgentProvider, req.AgentRole), []string{req.AgentAddress}, pairingCodes)
	if err != nil {
		return answer{}, err
	}
	pairing := orchestration.AgentPairing{
		ID: newID("pair_"), MachineID: machine.ID, AgentAddress: req.AgentAddress, AgentDID: agentDID(req.AgentAddress),
		AgentProvider: req.AgentProvider, AgentRole: req.AgentRole, Status: orchestration.PairingActive, Description: req.Description,
		Verification: &orchestration.PairingVerification{
			Method: "eip191", SignerAddress: signer, VerifiedAt: s.now(), ChallengeExpiresAt: stamp(asked.Expires),
		},
		CreatedAt: s.now(),
	}
	if req.DelegationPolicy != nil {
		if pairing.DelegationPolicy, err = req.DelegationPolicy.checked(); err != nil {
			return answer{}, err
		}
	}
	s.note(pairing.AgentAddress, "agent_pairing.created", "agent_pairing", pairing.ID, machine.ID, nil)
	return s.openSession(pairing)
}

func (s *Server) rotateSession(c *call) (answer, error) {
	var req struct {
		AgentProof *signedChallenge `json:"agentProof"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	pairing, err := s.pairingOf(c)
	if err != nil {
		return answer{}, err
	}
	if pairing.Status != orchestration.PairingActive {
		return answer{}, refuse(http.StatusForbidden, orchestration.CodeAgentPairingInactive, "the pairing is "+string(pairing.Status))
	}
	_, _, err = s.checkProof(req.AgentProof,
		subjectOf(pairing.MachineID, pairing.AgentAddress, pairing.AgentProvider, pairing.AgentRole),
		[]string{pairing.AgentAddress}, pairingCodes)
	if err != nil {
		return answer{}, err
	}
	if s.cfg.OneSession {
		s.state.sessions.drop(pairing.SessionID)
	}
	s.note(pairing.AgentAddress, "agent_pairing.rotated", "agent_pairing", pairing.ID, pairing.MachineID, nil)
	return s.openSession(pairing)
}

// openSession gives the pairing a new session and answers it with the token.
// Caller holds s.mu.
func (s *Server) openSession(pairing orchestration.AgentPairing) (answer, error) {
	now := s.cfg.Now()
	expires := now.Add(s.cfg.SessionTTL)
	session := claims{
		MachineID: pairing.MachineID, PairingID: pairing.ID, SessionID: newID("sess_"), AgentAddress: pairing.AgentAddress,
		AgentDID: pairing.AgentDID, DelegationPolicyHash: policyHash(pairing.DelegationPolicy),
		RegisteredClaims: jwt.RegisteredClaims{
			ID: newID("stok_"), IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
	}
	key, _ := s.state.keys.get("jwt")
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, session).SignedString(key)
	if err != nil {
		return answer{}, fmt.Errorf("sign pairing token: %w", err)
	}
	s.state.sessions.put(session.SessionID, expires)
	pairing.HasAuthToken, pairing.TokenLastFour = true, token[len(token)-4:]
	pairing.SessionID, pairing.SessionTokenID = session.SessionID, session.ID
	pairing.SessionIssuedAt, pairing.SessionExpiresAt, pairing.UpdatedAt = stamp(now), stamp(expires), stamp(now)
	s.state.pairings.put(pairing.ID, pairing)

	// The token is spelled out here and only here: the client's type hides it.
	text, err := json.Marshal(pairing)
	if err != nil {
		return answer{}, err
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		return answer{}, err
	}
	body["pairingToken"] = token
	return item(http.StatusCreated, body), nil
}

func policyHash(policy orchestration.DelegationPolicy) string {
	text, err := json.Marshal(policy)
	if err != nil {
		return "" // a limit that is no number; the hash only has to differ from others
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// pairingOf finds the pairing of the path. Caller holds s.mu.
func (s *Server) pairingOf(c *call) (orchestration.AgentPairing, error) {
	pairing, ok := s.state.pairings.get(c.PathValue("pairing"))
	if !ok || pairing.MachineID != c.PathValue("machine") {
		return pairing, notFound("pairing")
	}
	return pairing, nil
}

func (s *Server) updatePairing(c *call) (answer, error) {
	var req struct {
		AgentProvider    *string                     `json:"agentProvider"`
		AgentRole        *string                     `json:"agentRole"`
		Description      *string                     `json:"description"`
		Status           orchestration.PairingStatus `json:"status"`
		DelegationPolicy *delegation                 `json:"delegationPolicy"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	pairing, err := s.pairingOf(c)
	if err != nil {
		return answer{}, err
	}
	for name, text := range map[string]*string{"agentProvider": req.AgentProvider, "agentRole": req.AgentRole} {
		if text != nil && strings.TrimSpace(*text) == "" {
			return answer{}, invalid(name, name+" is blank")
		}
	}
	switch req.Status {
	case "", orchestration.PairingActive, orchestration.PairingPaused, orchestration.PairingRevoked:
	default:
		return answer{}, invalid("status", "status is not one of a pairing")
	}
	if pairing.Status == orchestration.PairingRevoked {
		return answer{}, refuse(http.StatusForbidden, orchestration.CodeAgentPairingInactive, "the pairing is revoked")
	}
	if req.DelegationPolicy != nil { // tokens carry the hash of the one before
		if pairing.DelegationPolicy, err = req.DelegationPolicy.checked(); err != nil {
			return answer{}, err
		}
	}
	pairing.AgentProvider = *cmp.Or(req.AgentProvider, &pairing.AgentProvider)
	pairing.AgentRole = *cmp.Or(req.AgentRole, &pairing.AgentRole)
	pairing.Description = *cmp.Or(req.Description, &pairing.Description)
	pairing.Status = cmp.Or(req.Status, pairing.Status)
	return s.savePairing(pairing, "agent_pairing.updated"), nil
}

func (s *Server) savePairing(pairing orchestration.AgentPairing, event string) answer {
	pairing.UpdatedAt = s.now()
	s.state.pairings.put(pairing.ID, pairing)
	s.note(pairing.AgentAddress, event, "agent_pairing", pairing.ID, pairing.MachineID, map[string]any{"status": pairing.Status})
	return item(http.StatusOK, pairing)
}

func (s *Server) revokePairing(c *call) (answer, error) {
	pairing, err := s.pairingOf(c)
	if err != nil {
		return answer{}, err
	}
	pairing.Status = orchestration.PairingRevoked
	s.savePairing(pairing, "agent_pairing.revoked")
	return answer{}, nil
}

func (s *Server) listPairings(c *call) (answer, error) {
	machineID := c.PathValue("machine")
	if _, err := s.machineOf(c); err != nil {
		return answer{}, err
	}
	return page(s, c, s.state.pairings, func(p orchestration.AgentPairing) bool { return p.MachineID == machineID }, same)
}

// checkToken says who acts. Caller holds s.mu.
func (s *Server) checkToken(text string) (claims, error) {
	deny := func(code orchestration.Code, message string) (claims, error) {
		return claims{}, refuse(http.StatusUnauthorized, code, message)
	}
	if text == "" {
		return deny(orchestration.CodeAgentAuthRequired, "pairing token required")
	}
	var token claims
	var err error
	key, _ := s.state.keys.get("jwt")
	if text == s.signed.text && bytes.Equal(key, s.signed.key) { // the signature stays right, the time does not
		token = s.signed.claims
		err = jwt.NewValidator(jwt.WithTimeFunc(s.cfg.Now), jwt.WithExpirationRequired()).Validate(token)
	} else {
		_, err = jwt.ParseWithClaims(text, &token, func(*jwt.Token) (any, error) { return key, nil },
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithTimeFunc(s.cfg.Now), jwt.WithExpirationRequired())
		if err == nil {
			s.signed.text, s.signed.key, s.signed.claims = text, key, token
		}
	}
	if errors.Is(err, jwt.ErrTokenExpired) {
		return deny(orchestration.CodeAgentAuthExpired, "the session has expired")
	}
	if err != nil {
		return deny(orchestration.CodeAgentAuthInvalid, "the pairing token is not valid")
	}
	pairing, ok := s.state.pairings.get(token.PairingID)
	ends, live := s.state.sessions.get(token.SessionID)
	switch {
	case !ok || pairing.Status == orchestration.PairingRevoked:
		return deny(orchestration.CodeAgentAuthInvalid, "the pairing is revoked")
	case pairing.Status != orchestration.PairingActive:
		return claims{}, refuse(http.StatusForbidden, orchestration.CodeAgentPairingInactive, "the pairing is "+string(pairing.Status))
	case !live || token.DelegationPolicyHash != policyHash(pairing.DelegationPolicy):
		return deny(orchestration.CodeAgentAuthInvalid, "the session is no longer valid")
	case !s.cfg.Now().Before(ends):
		return deny(orchestration.CodeAgentAuthExpired, "the session has expired")
	}
	return token, nil
}
