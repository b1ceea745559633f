package orchestration_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// many makes 50 calls at once that need a token.
func many(t *testing.T, m *market, session *orchestration.Session) {
	t.Helper()
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if err := search(t, m, session); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
}

// TestSessionWithAClockThatIsOff: the session's life is the server's, measured
// here; an hour of difference neither rotates at every call nor lets it run out.
func TestSessionWithAClockThatIsOff(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"an hour ahead": time.Hour, "an hour behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newClock()
			m := newMarket(t, orchestrationtest.Config{Now: now.now, SessionTTL: 10 * time.Minute})
			session := m.session(t, nil, func(cfg *orchestration.SessionConfig) {
				cfg.Now = func() time.Time { return now.now().Add(off) }
			})
			rotations := counted(m, "/sessions", "/agent-pairings")
			for range 3 {
				if err := search(t, m, session); err != nil {
					t.Fatal(err)
				}
			}
			now.forward(9*time.Minute - time.Second)
			if err := search(t, m, session); err != nil || rotations.Load() != 1 {
				t.Errorf("61 s before the end: paired and rotated %d times, %v; want once", rotations.Load(), err)
			}
			now.forward(2 * time.Second)
			if err := search(t, m, session); err != nil || rotations.Load() != 2 {
				t.Errorf("59 s before the end: paired and rotated %d times, %v; want twice", rotations.Load(), err)
			}
		})
	}
}

// TestSessionLifeFromLess: servers that tell less about a session's life than the
// contract, or nonsense.
func TestSessionLifeFromLess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		strip   []string       // taken out of the pairing
		replace map[string]any // put into it
		after   time.Duration  // that long after pairing
		want    int32          // rotations by then
	}{
		"the token's claims, early": {strip: []string{"sessionIssuedAt", "sessionExpiresAt"}, after: 9*time.Minute - 2*time.Second},
		"the token's claims, late":  {strip: []string{"sessionIssuedAt", "sessionExpiresAt"}, after: 9*time.Minute + 2*time.Second, want: 1},
		"only the end":              {strip: []string{"sessionIssuedAt"}, replace: map[string]any{"pairingToken": "opaque"}, after: 9*time.Minute + 2*time.Second, want: 1},
		"nothing": {
			strip: []string{"sessionIssuedAt", "sessionExpiresAt"}, replace: map[string]any{"pairingToken": "opaque"}, after: 100 * time.Hour,
		},
		"nonsense":                  {replace: map[string]any{"sessionIssuedAt": "yesterday", "sessionExpiresAt": "soon", "pairingToken": "a.b.c"}, after: 100 * time.Hour},
		"ends before it was issued": {replace: map[string]any{"sessionExpiresAt": "2020-01-01T00:00:00Z"}, after: 100 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newClock()
			m := newMarket(t, orchestrationtest.Config{Now: now.now, SessionTTL: 10 * time.Minute})
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				m.ServeHTTP(answer, r)
				var body struct {
					Item map[string]any `json:"item"`
				}
				text := answer.Body.Bytes()
				if json.Unmarshal(text, &body) == nil && body.Item["pairingToken"] != nil {
					for _, field := range c.strip {
						delete(body.Item, field)
					}
					for field, value := range c.replace {
						body.Item[field] = value
					}
					text, _ = json.Marshal(body)
				}
				w.WriteHeader(answer.Code)
				_, _ = w.Write(text)
			}))
			t.Cleanup(front.Close)
			session := m.session(t, nil, func(cfg *orchestration.SessionConfig) { cfg.Client, cfg.Now = clientOf(t, front.URL), now.now })
			token(t, session)
			rotations := counted(m, "/sessions")
			now.forward(c.after)
			token(t, session)
			if rotations.Load() != c.want {
				t.Errorf("%d rotations, want %d", rotations.Load(), c.want)
			}
		})
	}
}

func TestSessionRotatesAfterAPolicyChange(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	session := m.session(t, nil, nil)
	id, err := session.PairingID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.client.UpdateAgentPairing(t.Context(), m.machine, id, orchestration.UpdateAgentPairingRequest{
		DelegationPolicy: &orchestration.DelegationPolicy{PerTransactionLimit: "10", Currency: "USDC"},
	})
	if err != nil {
		t.Fatal(err)
	}
	rotations := counted(m, "/sessions", "/agent-pairings")
	many(t, m, session)
	if after, err := session.PairingID(t.Context()); err != nil || after != id || rotations.Load() != 1 {
		t.Errorf("pairing %s, %v, %d rotations; want %s rotated once", after, err, rotations.Load(), id)
	}
}

// TestSessionRevokedInFlight: the pairing is revoked while calls are on their way.
func TestSessionRevokedInFlight(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	session := m.session(t, nil, nil)
	first, err := session.PairingID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var revoking sync.WaitGroup
	revoking.Go(func() {
		if err := m.client.RevokeAgentPairing(t.Context(), m.machine, first); err != nil {
			t.Error(err)
		}
	})
	many(t, m, session)
	revoking.Wait()
	many(t, m, session)
	if n := len(m.Pairings(m.machine)); n != 2 {
		t.Errorf("%d pairings, want the revoked one and one more", n)
	}
}

// TestSessionPaused: a pairing that a person paused is not worked around, the
// server is not asked again and again, and it goes on when it is active again.
func TestSessionPaused(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"while in use": true, "before the start": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := newClock()
			m := newMarket(t, orchestrationtest.Config{Now: now.now})
			key := newKey(t)
			session := m.session(t, key, func(cfg *orchestration.SessionConfig) { cfg.Now = now.now })
			id, err := session.PairingID(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			set := func(status orchestration.PairingStatus) {
				t.Helper()
				if _, err := m.client.UpdateAgentPairing(t.Context(), m.machine, id, orchestration.UpdateAgentPairingRequest{Status: status}); err != nil {
					t.Fatal(err)
				}
			}
			set(orchestration.PairingPaused)
			if !known {
				session = m.session(t, key, func(cfg *orchestration.SessionConfig) { cfg.Now = now.now })
			}
			var asked atomic.Int32
			m.Fault(func(*http.Request) orchestrationtest.Fault { asked.Add(1); return orchestrationtest.Fault{} })
			for range 20 {
				err := search(t, m, session)
				if !errors.Is(err, orchestration.CodeAgentPairingInactive) || !strings.Contains(err.Error(), id+": ") ||
					!strings.Contains(err.Error(), "paused") || orchestration.OutcomeOf(err) != orchestration.NotActed {
					t.Fatalf("paused: %v, %s", err, orchestration.OutcomeOf(err))
				}
			}
			if n := len(m.Pairings(m.machine)); n != 1 || asked.Load() > 4 {
				t.Errorf("%d pairings, %d requests; want 1 and at most 4", n, asked.Load())
			}
			set(orchestration.PairingActive)
			now.forward(11 * time.Second)
			if after, err := session.PairingID(t.Context()); err != nil || after != id || len(m.Pairings(m.machine)) != 1 {
				t.Errorf("active again: %s, %v", after, err)
			}
		})
	}
}

// TestSessionPausedBesideAnActiveOne: an old paused pairing does not hinder the
// active one; but the pairing that is kept is the one that a person paused.
func TestSessionPausedBesideAnActiveOne(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	key := newKey(t)
	first, err := m.session(t, key, nil).PairingID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pause := func(status orchestration.PairingStatus) {
		t.Helper()
		if _, err := m.client.UpdateAgentPairing(t.Context(), m.machine, first, orchestration.UpdateAgentPairingRequest{Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	second := pairAgain(t, m, key)
	pause(orchestration.PairingPaused)
	if id, err := m.session(t, key, nil).PairingID(t.Context()); err != nil || id != second {
		t.Errorf("nothing kept: %s, %v; want %s", id, err, second)
	}
	kept := m.session(t, key, func(cfg *orchestration.SessionConfig) {
		cfg.LoadPairing = func(context.Context) (string, error) { return first, nil }
	})
	if id, err := kept.PairingID(t.Context()); !errors.Is(err, orchestration.CodeAgentPairingInactive) {
		t.Errorf("the paused one kept: %s, %v", id, err)
	}
}

// TestSessionSurvivesARestart: what SavePairing kept is rotated, not made again
// and not searched for.
func TestSessionSurvivesARestart(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	key := newKey(t)
	var kept atomic.Value
	kept.Store("")
	store := func(cfg *orchestration.SessionConfig) {
		cfg.LoadPairing = func(context.Context) (string, error) { return kept.Load().(string), nil }
		cfg.SavePairing = func(_ context.Context, id string) error { kept.Store(id); return nil }
	}
	many(t, m, m.session(t, key, store))
	var lists atomic.Int32
	m.Fault(func(r *http.Request) orchestrationtest.Fault {
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/agent-pairings") {
			lists.Add(1)
		}
		return orchestrationtest.Fault{}
	})
	restarted := m.session(t, key, store)
	many(t, m, restarted)
	if id, err := restarted.PairingID(t.Context()); err != nil || id != kept.Load() || len(m.Pairings(m.machine)) != 1 || lists.Load() != 0 {
		t.Errorf("%s, %v, %d pairings, %d lists; want %s alone, without a list", id, err, len(m.Pairings(m.machine)), lists.Load(), kept.Load())
	}
}

// pairAgain makes one more pairing of the agent, as an older version of it might have.
func pairAgain(t *testing.T, m *market, key *agentkey.Key) string {
	t.Helper()
	challenge, err := m.client.CreateAgentPairingChallenge(t.Context(), m.machine, orchestration.AgentPairingChallengeRequest{
		AgentAddress: key.Address(), AgentProvider: "settler", AgentRole: "settlement",
	})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.SignMessage(t.Context(), []byte(challenge.Message))
	if err != nil {
		t.Fatal(err)
	}
	pairing, err := m.client.CreateAgentPairing(t.Context(), m.machine, orchestration.CreateAgentPairingRequest{
		AgentAddress: key.Address(), AgentProvider: "settler", AgentRole: "settlement",
		AgentProof: orchestration.ChallengeProof{ChallengeID: challenge.ChallengeID, Signature: signature},
	})
	if err != nil {
		t.Fatal(err)
	}
	return pairing.ID
}
