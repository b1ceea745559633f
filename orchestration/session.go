package orchestration

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// sessionMargin before expiry at which the session is rotated; at most half
	// of the session's life.
	sessionMargin = time.Minute
	// rotationTimeout bounds one rotation, which may take a list, a challenge and
	// a write.
	rotationTimeout = 3 * time.Minute
	// maxChallenge in bytes; the vendor's are a few lines.
	maxChallenge = 4096
)

// Signer signs challenges with the agent's key: EIP-191 personal_sign over
// message, the answer is 0x and 130 hex digits.
type Signer interface {
	SignMessage(ctx context.Context, message []byte) (signature string, err error)
}

// SessionConfig describes the agent and the machine that it acts for.
type SessionConfig struct {
	// Client, Signer and MachineID are required.
	Client    *Client
	Signer    Signer
	MachineID string
	// AgentAddress is the address of Signer's key. Required, as are the next two.
	AgentAddress  string
	AgentProvider string
	AgentRole     string
	// LoadPairing gives the pairing that SavePairing kept; "" for none. May be
	// nil: the pairing is then found again in the machine's list.
	LoadPairing func(ctx context.Context) (pairingID string, err error)
	// SavePairing keeps the pairing's id. May be nil.
	SavePairing func(ctx context.Context, pairingID string) error
	// Now defaults to time.Now.
	Now func() time.Time
}

// Session keeps a valid pairing token. It adopts the agent's own active pairing
// of the machine or makes one, rotates the session a minute before it expires
// and when a call is refused, and does so once for all goroutines that wait.
// It is safe for concurrent use.
type Session struct {
	cfg SessionConfig

	mu        sync.Mutex // owns what follows
	pairingID string     // "" until known
	provider  string     // of the pairing, which may be older than the configuration
	token     Secret     // "" until there is one
	rotateAt  time.Time  // zero: only when a call is refused
	flight    *rotation  // the one in flight, nil when none
}

// rotation is one renewal; err may be read after done is closed.
type rotation struct {
	done chan struct{}
	err  error
}

// NewSession makes a session. Nothing is sent. The error is a *ConfigError.
func NewSession(cfg SessionConfig) (*Session, error) {
	switch {
	case cfg.Client == nil:
		return nil, &ConfigError{Problem: "session needs a client"}
	case cfg.Signer == nil:
		return nil, &ConfigError{Problem: "session needs a signer"}
	}
	for _, each := range []param{
		{"machine id", cfg.MachineID},
		{"agent address", cfg.AgentAddress},
		{"agent provider", cfg.AgentProvider},
		{"agent role", cfg.AgentRole},
	} {
		if strings.TrimSpace(each.value) == "" {
			return nil, &ConfigError{Problem: "session needs the " + each.name}
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Session{cfg: cfg}, nil
}

// Do calls call with a valid token. When the answer is AGENT_AUTH_EXPIRED or
// AGENT_AUTH_INVALID, the call did not act: the session is rotated and the call
// made once more.
func (s *Session) Do(ctx context.Context, call func(token Secret) error) error {
	token, err := s.valid(ctx, "")
	if err != nil {
		return err
	}
	err = call(token)
	if !errors.Is(err, CodeAgentAuthExpired) && !errors.Is(err, CodeAgentAuthInvalid) {
		return err
	}
	if token, err = s.valid(ctx, token); err != nil {
		return err
	}
	return call(token)
}

// PairingID is the id of the pairing that Do acts with.
func (s *Session) PairingID(ctx context.Context) (string, error) {
	if _, err := s.valid(ctx, ""); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pairingID, nil
}

// valid gives a token that is neither refused nor about to expire, rotating when
// there is none. Goroutines that come meanwhile wait for the same rotation; its
// life is its own, so that a caller who gives up takes nobody with him.
func (s *Session) valid(ctx context.Context, refused Secret) (Secret, error) {
	for first := true; ; first = false {
		s.mu.Lock()
		token, rotateAt := s.token, s.rotateAt
		fresh := token != "" && token != refused && (rotateAt.IsZero() || s.cfg.Now().Before(rotateAt))
		// A token that was just made and is already stale, or the same again,
		// comes from an odd server: better to use it than to rotate for ever.
		if fresh || !first {
			s.mu.Unlock()
			return token, nil
		}
		flight := s.flight
		if flight == nil {
			flight = &rotation{done: make(chan struct{})}
			s.flight = flight
			go s.rotate(context.WithoutCancel(ctx), flight)
		}
		s.mu.Unlock()

		select {
		case <-flight.done:
			if flight.err != nil {
				return "", flight.err
			}
		case <-ctx.Done():
			return "", fmt.Errorf("wait for pairing of machine %s: %w", s.cfg.MachineID, ctx.Err())
		}
	}
}

// rotate gets a new token and ends the flight.
func (s *Session) rotate(ctx context.Context, flight *rotation) {
	ctx, cancel := context.WithTimeout(ctx, rotationTimeout)
	defer cancel()
	s.mu.Lock()
	known, provider := s.pairingID, s.provider
	s.mu.Unlock()

	pairing, err := s.establish(ctx, known, provider)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.pairingID, s.provider, s.token = pairing.ID, pairing.AgentProvider, pairing.PairingToken
		s.rotateAt = s.deadline(pairing)
	} else {
		flight.err = fmt.Errorf("pair with machine %s: %w", s.cfg.MachineID, err)
	}
	s.flight = nil
	close(flight.done)
}

// establish rotates the known pairing; without one it adopts an active pairing
// of the same agent and role, and only then makes one. A pairing that an earlier
// create made although its answer was lost is found by the same list.
func (s *Session) establish(ctx context.Context, known, provider string) (AgentPairing, error) {
	if known == "" && s.cfg.LoadPairing != nil {
		var err error
		if known, err = s.cfg.LoadPairing(ctx); err != nil {
			return AgentPairing{}, fmt.Errorf("load pairing: %w", err)
		}
	}
	if known != "" {
		pairing, err := s.renew(ctx, known, provider)
		if err == nil || !gone(err) {
			return s.keep(ctx, known, pairing, err)
		}
	}
	for each, err := range s.cfg.Client.AllAgentPairings(ctx, s.cfg.MachineID) {
		if err != nil {
			return AgentPairing{}, err
		}
		if each.Status != PairingActive || each.AgentRole != s.cfg.AgentRole ||
			!strings.EqualFold(each.AgentAddress, s.cfg.AgentAddress) {
			continue
		}
		pairing, err := s.renew(ctx, each.ID, each.AgentProvider)
		if err == nil || !gone(err) {
			return s.keep(ctx, known, pairing, err)
		}
	}
	proof, err := s.prove(ctx, s.cfg.AgentProvider)
	if err != nil {
		return AgentPairing{}, err
	}
	pairing, err := s.cfg.Client.CreateAgentPairing(ctx, s.cfg.MachineID, CreateAgentPairingRequest{
		AgentAddress: s.cfg.AgentAddress, AgentProvider: s.cfg.AgentProvider, AgentRole: s.cfg.AgentRole, AgentProof: proof,
	})
	return s.keep(ctx, known, pairing, err)
}

// keep saves the id of a pairing that is new to us.
func (s *Session) keep(ctx context.Context, known string, pairing AgentPairing, err error) (AgentPairing, error) {
	if err != nil || pairing.ID == known || s.cfg.SavePairing == nil {
		return pairing, err
	}
	if err := s.cfg.SavePairing(ctx, pairing.ID); err != nil {
		return AgentPairing{}, fmt.Errorf("save pairing %s: %w", pairing.ID, err)
	}
	return pairing, nil
}

// gone reports whether a pairing cannot be rotated any more: revoked, paused,
// deleted, or made for another key.
func gone(err error) bool {
	return errors.Is(err, CodeNotFound) || errors.Is(err, CodeAgentPairingInactive) ||
		errors.Is(err, CodeAgentPairingProofInvalid)
}

// renew rotates the session of a pairing. Its challenge repeats the pairing's
// provider; "" is the configured one.
func (s *Session) renew(ctx context.Context, pairingID, provider string) (AgentPairing, error) {
	proof, err := s.prove(ctx, cmp.Or(provider, s.cfg.AgentProvider))
	if err != nil {
		return AgentPairing{}, err
	}
	return s.cfg.Client.CreateAgentPairingSession(ctx, s.cfg.MachineID, pairingID, proof)
}

// prove asks for a challenge and signs it byte for byte.
func (s *Session) prove(ctx context.Context, provider string) (ChallengeProof, error) {
	challenge, err := s.cfg.Client.CreateAgentPairingChallenge(ctx, s.cfg.MachineID, AgentPairingChallengeRequest{
		AgentAddress: s.cfg.AgentAddress, AgentProvider: provider, AgentRole: s.cfg.AgentRole,
	})
	if err != nil {
		return ChallengeProof{}, err
	}
	if len(challenge.Message) > maxChallenge {
		return ChallengeProof{}, &APIError{
			Code: CodeInvalidResponseShape, op: http.MethodPost + " challenge",
			Message: fmt.Sprintf("item.message: longer than %d bytes", maxChallenge),
		}
	}
	signature, err := s.cfg.Signer.SignMessage(ctx, []byte(challenge.Message))
	if err != nil {
		return ChallengeProof{}, fmt.Errorf("sign challenge %s: %w", challenge.ChallengeID, err)
	}
	return ChallengeProof{ChallengeID: challenge.ChallengeID, Signature: signature}, nil
}

// String names the session, without its token.
func (s *Session) String() string { return "orchestration.Session(" + s.cfg.MachineID + ")" }

// Format is String for every verb: %d would print the token in its own way.
func (s *Session) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// deadline is when to rotate: a minute before the session expires, but not
// before half of its life is over. Without a readable expiry, also in the token,
// it is zero.
func (s *Session) deadline(pairing AgentPairing) time.Time {
	expires, err := time.Parse(time.RFC3339, pairing.SessionExpiresAt)
	if err != nil {
		if expires = expiryOf(pairing.PairingToken); expires.IsZero() {
			return time.Time{}
		}
	}
	return expires.Add(-min(sessionMargin, expires.Sub(s.cfg.Now())/2))
}

// expiryOf reads the claim exp of a JWT, unverified: it is only a hint for us,
// the server decides. Zero when there is none.
func expiryOf(token Secret) time.Time {
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires json.Number `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return time.Time{}
	}
	seconds, err := claims.Expires.Float64()
	if err != nil || seconds <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}
