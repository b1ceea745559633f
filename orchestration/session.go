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
	// pauseHold is for how long a session believes that its pairing is paused: a
	// person must act, asking more often finds nothing.
	pauseHold = 10 * time.Second
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
	//
	// Only the id is kept, never a token: it is no secret, and after a restart one
	// rotation, which needs Signer all the same, gives a new token. A stored one
	// would need a key to seal it and could be stale, for that rotation once in a
	// process's life.
	LoadPairing func(ctx context.Context) (pairingID string, err error)
	// SavePairing keeps the pairing's id. May be nil.
	SavePairing func(ctx context.Context, pairingID string) error
	// Now defaults to time.Now. Only differences are taken: it may be off.
	Now func() time.Time
}

// Session keeps a valid pairing token. It adopts the agent's own active pairing
// of the machine or makes one, rotates the session a minute before it expires
// and when a call is refused (expired, revoked, policy changed), and does so once
// for all goroutines that wait. A pairing that a person has paused is neither
// rotated nor replaced by another: see Do. It is safe for concurrent use.
type Session struct {
	cfg SessionConfig

	mu        sync.Mutex // owns what follows
	pairingID string     // "" until known
	provider  string     // of the pairing, which may be older than the configuration
	token     Secret     // "" until there is one
	rotateAt  time.Time  // zero: only when a call is refused
	flight    *rotation  // the one in flight, nil when none
	paused    error      // what to answer until pausedTo
	pausedTo  time.Time  // zero when the pairing was never paused
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

// Do calls call with a valid token. When the answer is AGENT_AUTH_EXPIRED,
// AGENT_AUTH_INVALID or AGENT_PAIRING_INACTIVE, the call did not act: the session
// is rotated, or a revoked pairing replaced, and the call made once more.
//
// errors.Is(err, CodeAgentPairingInactive) without a call means that the pairing is
// paused: it stays so until a person makes it active, or revokes it to have
// another made. OutcomeOf is NotActed whenever there was no valid token, which is a
// *SessionError.
func (s *Session) Do(ctx context.Context, call func(token Secret) error) error {
	token, err := s.valid(ctx, "")
	if err != nil {
		return err
	}
	err = call(token)
	if !errors.Is(err, CodeAgentAuthExpired) && !errors.Is(err, CodeAgentAuthInvalid) && !errors.Is(err, CodeAgentPairingInactive) {
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
		if s.cfg.Now().Before(s.pausedTo) {
			defer s.mu.Unlock()
			return "", s.paused
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
			return "", &SessionError{MachineID: s.cfg.MachineID, Cause: ctx.Err()}
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

	asked := s.cfg.Now()
	pairing, err := s.establish(ctx, known, provider)

	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.pairingID, s.provider, s.token = pairing.ID, pairing.AgentProvider, pairing.PairingToken
		s.rotateAt = rotationTime(pairing, asked)
	} else {
		flight.err = &SessionError{MachineID: s.cfg.MachineID, Cause: err}
		if errors.Is(err, errPaused) {
			s.token, s.paused, s.pausedTo = "", flight.err, s.cfg.Now().Add(pauseHold)
		}
	}
	s.flight = nil
	close(flight.done)
}

// SessionError means that there is no valid token, so that the call that needs one
// was not made, or was refused. Its Cause, often an *APIError, is about the pairing
// and says nothing of that call.
type SessionError struct {
	MachineID string
	Cause     error
}

func (e *SessionError) Error() string {
	return "pair with machine " + e.MachineID + ": " + e.Cause.Error()
}

func (e *SessionError) Unwrap() error { return e.Cause }

// errPaused is an AGENT_PAIRING_INACTIVE that time does not heal.
var errPaused = fmt.Errorf("%w: paused; make the pairing active, or revoke it to have another made", CodeAgentPairingInactive)

// establish rotates the known pairing; without one it adopts an active pairing
// of the same agent and role, and only then makes one. A pairing that an earlier
// create made although its answer was lost is found by the same list. A paused
// one stops it, unless it is an old one beside an active one.
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
	var active []AgentPairing
	paused := ""
	for each, err := range s.cfg.Client.AllAgentPairings(ctx, s.cfg.MachineID, Page{}) {
		if err != nil {
			return AgentPairing{}, err
		}
		ours := each.AgentRole == s.cfg.AgentRole && strings.EqualFold(each.AgentAddress, s.cfg.AgentAddress)
		switch {
		case ours && each.Status == PairingActive:
			active = append(active, each)
		case ours && each.Status == PairingPaused && (paused == "" || each.ID == known):
			paused = each.ID
		}
	}
	if paused != "" && (paused == known || len(active) == 0) {
		return AgentPairing{}, fmt.Errorf("pairing %s: %w", paused, errPaused)
	}
	for _, each := range active {
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

// rotationTime is when to rotate a session that was asked for at that time: a
// minute before it ends, but not before half of its life is over. Its life is
// taken from the server's clock alone (issued to expires, else the token's iat to
// exp), so that ours may be off; a server that tells only the end is believed to
// have our time. Zero when the end is not known, or past already.
func rotationTime(pairing AgentPairing, asked time.Time) time.Time {
	issued, expires := timestamp(pairing.SessionIssuedAt), timestamp(pairing.SessionExpiresAt)
	if issued.IsZero() || expires.IsZero() {
		if iat, exp := lifeOf(pairing.PairingToken); !exp.IsZero() {
			issued, expires = iat, exp
		}
	}
	if issued.IsZero() {
		issued = asked
	}
	life := expires.Sub(issued)
	if expires.IsZero() || life <= 0 {
		return time.Time{}
	}
	return asked.Add(life - min(sessionMargin, life/2))
}

// timestamp is zero for text that is none.
func timestamp(text string) time.Time {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return at
}

// lifeOf reads the claims iat and exp of a JWT, unverified: they are only hints
// for us, the server decides. Zero for what is not there.
func lifeOf(token Secret) (issued, expires time.Time) {
	parts := strings.Split(string(token), ".")
	if len(parts) != 3 {
		return issued, expires
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return issued, expires
	}
	var claims struct {
		Issued  json.Number `json:"iat"`
		Expires json.Number `json:"exp"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return issued, expires
	}
	seconds := func(claim json.Number) time.Time {
		value, err := claim.Float64()
		if err != nil || value <= 0 || value > 1<<40 {
			return time.Time{}
		}
		return time.Unix(int64(value), 0)
	}
	return seconds(claims.Issued), seconds(claims.Expires)
}
