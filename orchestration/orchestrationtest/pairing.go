package orchestrationtest

import (
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

func (s *Server) createPairingChallenge(c *call) (answer, error) {
	var req orchestration.AgentPairingChallengeRequest
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := checkAgent(req.AgentAddress, req.AgentProvider, req.AgentRole, req.AgentDID); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	machine, err := s.activeMachine(c.PathValue("machine"))
	if err != nil {
		return answer{}, err
	}
	asked := s.newChallenge("apch_", "peaqOS agent pairing",
		subjectOf(machine.ID, req.AgentAddress, req.AgentProvider, req.AgentRole),
		"machine: "+machine.ID, "identity: "+machine.IdentityRef, "agent: "+req.AgentAddress,
		"provider: "+req.AgentProvider, "role: "+req.AgentRole)
	return item(http.StatusCreated, orchestration.AgentPairingChallenge{
		ChallengeID: asked.id, MachineID: machine.ID, MachineIdentityRef: machine.IdentityRef, AgentAddress: req.AgentAddress,
		AgentDID: agentDID(req.AgentAddress), AgentProvider: req.AgentProvider, AgentRole: req.AgentRole, Message: asked.message,
		ExpiresAt: stamp(asked.expires), VerificationMethod: "eip191",
	}), nil
}

func checkAgent(address, provider, role, did string) error {
	switch {
	case !isAddress(address):
		return invalid("agentAddress is not 0x and 40 hex digits")
	case strings.TrimSpace(provider) == "" || strings.TrimSpace(role) == "":
		return invalid("agentProvider and agentRole are required")
	case did != "" && !strings.EqualFold(did, agentDID(address)):
		return invalid("agentDid is not of agentAddress")
	}
	return nil
}

func agentDID(address string) string { return "did:pkh:eip155:1:" + address }

func (s *Server) createPairing(c *call) (answer, error) {
	var req struct {
		orchestration.CreateAgentPairingRequest
		AgentProof *orchestration.ChallengeProof `json:"agentProof"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	if err := checkAgent(req.AgentAddress, req.AgentProvider, req.AgentRole, req.AgentDID); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
			Method: "eip191", SignerAddress: signer, VerifiedAt: s.now(), ChallengeExpiresAt: stamp(asked.expires),
		},
		CreatedAt: s.now(),
	}
	if req.DelegationPolicy != nil {
		pairing.DelegationPolicy = *req.DelegationPolicy
	}
	return s.openSession(pairing)
}

func (s *Server) rotateSession(c *call) (answer, error) {
	var req struct {
		AgentProof *orchestration.ChallengeProof `json:"agentProof"`
	}
	if err := c.decode(&req); err != nil {
		return answer{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
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
		delete(s.sessions, pairing.SessionID)
	}
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
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, session).SignedString(s.jwtKey)
	if err != nil {
		return answer{}, fmt.Errorf("sign pairing token: %w", err)
	}
	s.sessions[session.SessionID] = expires
	pairing.HasAuthToken, pairing.TokenLastFour = true, token[len(token)-4:]
	pairing.SessionID, pairing.SessionTokenID = session.SessionID, session.ID
	pairing.SessionIssuedAt, pairing.SessionExpiresAt, pairing.UpdatedAt = stamp(now), stamp(expires), stamp(now)
	s.pairings.put(pairing.ID, pairing)

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
	pairing, ok := s.pairings.rows[c.PathValue("pairing")]
	if !ok || pairing.MachineID != c.PathValue("machine") {
		return pairing, notFound("pairing")
	}
	return pairing, nil
}

func (s *Server) revokePairing(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pairing, err := s.pairingOf(c)
	if err != nil {
		return answer{}, err
	}
	pairing.Status, pairing.UpdatedAt = orchestration.PairingRevoked, s.now()
	s.pairings.put(pairing.ID, pairing)
	return answer{}, nil
}

func (s *Server) listPairings(c *call) (answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	machineID := c.PathValue("machine")
	if _, ok := s.machines.rows[machineID]; !ok {
		return answer{}, notFound("machine")
	}
	return page(c, s.pairings.all(func(p orchestration.AgentPairing) bool { return p.MachineID == machineID }))
}

// checkToken says who acts.
func (s *Server) checkToken(text string) (claims, error) {
	deny := func(code orchestration.Code, message string) (claims, error) {
		return claims{}, refuse(http.StatusUnauthorized, code, message)
	}
	if text == "" {
		return deny(orchestration.CodeAgentAuthRequired, "pairing token required")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var token claims
	_, err := jwt.ParseWithClaims(text, &token, func(*jwt.Token) (any, error) { return s.jwtKey, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithTimeFunc(s.cfg.Now), jwt.WithExpirationRequired())
	if errors.Is(err, jwt.ErrTokenExpired) {
		return deny(orchestration.CodeAgentAuthExpired, "the session has expired")
	}
	if err != nil {
		return deny(orchestration.CodeAgentAuthInvalid, "the pairing token is not valid")
	}
	pairing, ok := s.pairings.rows[token.PairingID]
	ends, live := s.sessions[token.SessionID]
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
