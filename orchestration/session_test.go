package orchestration_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// clock is a time that a test moves.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.nanoseconds.Store(time.Now().UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanoseconds.Load()) }
func (c *clock) forward(d time.Duration) { c.nanoseconds.Add(int64(d)) }

// counted counts the requests that end with one of these.
func counted(m *market, ends ...string) *atomic.Int32 {
	var count atomic.Int32
	m.Fault(func(r *http.Request) orchestrationtest.Fault {
		for _, end := range ends {
			if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, end) {
				count.Add(1)
			}
		}
		return orchestrationtest.Fault{}
	})
	return &count
}

// search is a call that needs a token.
func search(t *testing.T, m *market, session *orchestration.Session) error {
	return session.Do(t.Context(), func(token orchestration.Secret) error {
		_, err := m.client.SearchMarket(t.Context(), token, orchestration.MarketSearchRequest{})
		return err
	})
}

func TestSessionPairsOnce(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{Switches: orchestrationtest.Switches{OneSession: true}})
	key := newKey(t)
	var saved []string
	session := m.session(t, key, func(cfg *orchestration.SessionConfig) {
		cfg.SavePairing = func(_ context.Context, id string) error { saved = append(saved, id); return nil }
	})
	rotations := counted(m, "/sessions", "/agent-pairings")
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			if err := search(t, m, session); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if rotations.Load() != 1 || len(m.Pairings(m.machine)) != 1 || len(saved) != 1 {
		t.Errorf("%d rotations, %d pairings, saved %v; want one of each", rotations.Load(), len(m.Pairings(m.machine)), saved)
	}

	// Another process of the same agent adopts the pairing.
	other := m.session(t, key, func(cfg *orchestration.SessionConfig) {
		cfg.AgentAddress, cfg.AgentProvider = strings.ToLower(cfg.AgentAddress), "renamed"
	})
	if err := search(t, m, other); err != nil {
		t.Fatal(err)
	}
	if id, err := other.PairingID(t.Context()); err != nil || id != saved[0] || len(m.Pairings(m.machine)) != 1 {
		t.Errorf("adopted %s, %v; want %s", id, err, saved[0])
	}
	// Another role of the same agent does not.
	third := m.session(t, key, func(cfg *orchestration.SessionConfig) { cfg.AgentRole = "buyer" })
	if err := search(t, m, third); err != nil || len(m.Pairings(m.machine)) != 2 {
		t.Errorf("another role: %v, %d pairings", err, len(m.Pairings(m.machine)))
	}
}

func TestSessionRotatesBeforeExpiry(t *testing.T) {
	t.Parallel()
	now := newClock()
	m := newMarket(t, orchestrationtest.Config{Now: now.now, SessionTTL: 10 * time.Minute})
	session := m.session(t, nil, func(cfg *orchestration.SessionConfig) { cfg.Now = now.now })
	if err := search(t, m, session); err != nil {
		t.Fatal(err)
	}
	rotations := counted(m, "/sessions")
	now.forward(9*time.Minute - time.Second)
	if err := search(t, m, session); err != nil || rotations.Load() != 0 {
		t.Errorf("61 s before expiry: %d rotations, %v", rotations.Load(), err)
	}
	now.forward(2 * time.Second)
	if err := search(t, m, session); err != nil || rotations.Load() != 1 {
		t.Errorf("59 s before expiry: %d rotations, %v", rotations.Load(), err)
	}
}

// TestSessionRotatesWhenRefused has many goroutines refused at once: one
// rotation, and each call is made once more.
func TestSessionRotatesWhenRefused(t *testing.T) {
	t.Parallel()
	for name, refuse := range map[string]func(*market){
		"expired": func(m *market) { m.ExpireSessions() },
		"invalid": func(m *market) { m.InvalidateTokens() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMarket(t, orchestrationtest.Config{Switches: orchestrationtest.Switches{OneSession: true}})
			session := m.session(t, nil, nil)
			if err := search(t, m, session); err != nil {
				t.Fatal(err)
			}
			refuse(m)
			rotations := counted(m, "/sessions")
			var wait sync.WaitGroup
			for range 50 {
				wait.Go(func() {
					if err := search(t, m, session); err != nil {
						t.Error(err)
					}
				})
			}
			wait.Wait()
			if rotations.Load() != 1 || len(m.Pairings(m.machine)) != 1 {
				t.Errorf("%d rotations, %d pairings; want one of each", rotations.Load(), len(m.Pairings(m.machine)))
			}
		})
	}
}

func TestSessionPairsAgainWhenRevoked(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	session := m.session(t, nil, nil)
	first, err := session.PairingID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.client.RevokeAgentPairing(t.Context(), m.machine, first); err != nil {
		t.Fatal(err)
	}
	if err := search(t, m, session); err != nil {
		t.Fatal(err)
	}
	second, err := session.PairingID(t.Context())
	if err != nil || second == first {
		t.Errorf("pairing %s, %v; want another than %s", second, err, first)
	}
}

func TestSessionForgetsAPairingOfAnotherKey(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	stranger, err := m.session(t, nil, nil).PairingID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{stranger, "pair_none"} {
		session := m.session(t, nil, func(cfg *orchestration.SessionConfig) {
			cfg.LoadPairing = func(context.Context) (string, error) { return kept, nil }
		})
		if id, err := session.PairingID(t.Context()); err != nil || id == kept {
			t.Errorf("kept %s: %s, %v", kept, id, err)
		}
	}
}

func TestSessionFindsThePairingWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	session := m.session(t, nil, nil)
	m.Fault(at(http.MethodPost, "/agent-pairings", orchestrationtest.LoseAnswer))
	err := search(t, m, session)
	if _, ok := errors.AsType[*orchestration.NetworkError](err); !ok || orchestration.OutcomeOf(err) != orchestration.NotActed {
		t.Fatalf("got %v, %s; the search was never made", err, orchestration.OutcomeOf(err))
	}
	m.Fault(nil)
	if err := search(t, m, session); err != nil || len(m.Pairings(m.machine)) != 1 {
		t.Errorf("%v, %d pairings; want 1", err, len(m.Pairings(m.machine)))
	}
}

// TestSessionGivesUpOnlyOnce: a token that is refused again is not rotated for
// ever, and an error that is not about the token is not repeated at all.
func TestSessionGivesUpOnlyOnce(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	session := m.session(t, nil, nil)
	for code, want := range map[orchestration.Code]int{
		orchestration.CodeAgentAuthExpired: 2, orchestration.CodeAgentAuthInvalid: 2, orchestration.CodeAgentPairingInactive: 2,
		orchestration.CodeAgentAuthRequired: 1, orchestration.CodeOrderClosed: 1,
	} {
		calls := 0
		err := session.Do(t.Context(), func(orchestration.Secret) error {
			calls++
			return fmt.Errorf("call: %w", code)
		})
		if calls != want || !errors.Is(err, code) {
			t.Errorf("%s: %d calls, want %d; %v", code, calls, want, err)
		}
	}
}

// TestSessionWaiterMayLeave: who gives up takes neither the rotation nor the
// other waiters with him.
func TestSessionWaiterMayLeave(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	session := m.session(t, nil, nil)
	release := make(chan struct{})
	m.Fault(at(http.MethodPost, "/agent-pairings/challenges", func() orchestrationtest.Fault { <-release; return orchestrationtest.Fault{} }))
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, err := session.PairingID(ctx); left <- err }()
	stayed := make(chan error)
	go func() { _, err := session.PairingID(t.Context()); stayed <- err }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who left got %v", err)
	}
	close(release)
	if err := <-stayed; err != nil {
		t.Errorf("who stayed got %v", err)
	}
}

func TestSessionConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := orchestration.NewSession(orchestration.SessionConfig{})
	if _, ok := errors.AsType[*orchestration.ConfigError](err); !ok {
		t.Errorf("got %v", err)
	}
	m := newMarket(t, orchestrationtest.Config{})
	_, err = orchestration.NewSession(orchestration.SessionConfig{Client: m.client, Signer: newKey(t), MachineID: "m", AgentAddress: "0x", AgentProvider: " ", AgentRole: "r"})
	if _, ok := errors.AsType[*orchestration.ConfigError](err); !ok || !strings.Contains(err.Error(), "provider") {
		t.Errorf("got %v", err)
	}
}

// TestSessionIsNotShown prints a session that holds a token.
func TestSessionIsNotShown(t *testing.T) {
	t.Parallel()
	m := newMarket(t, orchestrationtest.Config{})
	session := m.session(t, nil, nil)
	secret := string(token(t, session))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		if text := fmt.Sprintf(verb, session); strings.Contains(text, secret) || strings.Contains(text, secret[len(secret)-10:]) {
			t.Errorf("%s shows %s", verb, text)
		}
	}
}
