package orchestrationtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// askedFault is a fault that was asked for over HTTP: for the next Times calls
// (0: for all) of Method ("" is any) whose path matches the pattern of
// path.Match.
type askedFault struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Times  int    `json:"times"`
	// Kind is refuse, delay, error, nonsense or lose-answer.
	Kind string `json:"kind"`
	// Delay before acting, as "1.5s".
	Delay string `json:"delay"`
	// Status, Code and RetryAfter (seconds) are of kind error.
	Status     int                `json:"status"`
	Code       orchestration.Code `json:"code"`
	RetryAfter int                `json:"retryAfter"`

	fault Fault
	used  int
}

func (f *askedFault) check() error {
	delay := time.Duration(0)
	if f.Delay != "" {
		var err error
		if delay, err = time.ParseDuration(f.Delay); err != nil || delay < 0 {
			return invalid("delay", "delay is not a duration such as 1.5s")
		}
	}
	if _, err := path.Match(f.Path, ""); err != nil || f.Path == "" {
		return invalid("path", "path is not a pattern")
	}
	switch f.Kind {
	case "refuse":
		f.fault = Refuse(0)
	case "delay":
		f.fault = Slow(delay)
	case "error":
		if f.Status < 400 || f.Status > 599 {
			return invalid("status", "status of an error is 400 to 599")
		}
		f.fault = Fault{Skip: true, Status: f.Status, Code: f.Code, RetryAfter: time.Duration(f.RetryAfter) * time.Second}
	case "nonsense":
		f.fault = Nonsense()
	case "lose-answer":
		f.fault = LoseAnswer()
	default:
		return invalid("kind", "kind is refuse, delay, error, nonsense or lose-answer")
	}
	f.fault.Delay = delay
	return nil
}

func (f *askedFault) next(r *http.Request) (Fault, bool) {
	matched, _ := path.Match(f.Path, r.URL.Path) // the pattern was checked
	if !matched || f.Method != "" && f.Method != r.Method || f.Times > 0 && f.used >= f.Times {
		return Fault{}, false
	}
	f.used++
	return f.fault, true
}

// Control is an API of the acting orchestrator's own, which no orchestrator has:
// faults, switches, sessions and webhooks. docs/sandbox.md describes it. It asks
// for no key.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, act func(*call) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			var value any
			body, err := readBody(w, r)
			if err == nil {
				value, err = act(&call{Request: r, body: body})
			}
			s.write(w, r, answer{status: http.StatusOK, body: value}, err)
		})
	}
	handle("POST /faults", func(c *call) (any, error) {
		added := &askedFault{}
		if err := c.decode(added); err != nil {
			return nil, err
		}
		if err := added.check(); err != nil {
			return nil, err
		}
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		s.faults.asked = append(s.faults.asked, added)
		return added, nil
	})
	handle("DELETE /faults", func(*call) (any, error) {
		s.faults.mu.Lock()
		defer s.faults.mu.Unlock()
		s.faults.asked = nil
		return nil, nil
	})
	handle("PATCH /switches", func(c *call) (value any, err error) {
		s.Switch(func(switches *Switches) {
			// A copy, so that a request that is refused in the middle changes nothing.
			changed := *switches
			if err = strictly(c.body, &changed); err == nil {
				*switches = changed
			}
			value = changed
		})
		return value, err
	})
	handle("POST /machines/{machine}/agent-pairings", func(c *call) (any, error) {
		got, err := s.act(s.pairUnsigned, c)
		return got.body, err
	})
	handle("POST /sessions/expire", func(*call) (any, error) { s.ExpireSessions(); return nil, nil })
	handle("POST /sessions/invalidate", func(*call) (any, error) { s.InvalidateTokens(); return nil, nil })
	handle("PUT /webhooks", func(c *call) (any, error) {
		var how posting
		if err := strictly(c.body, &how); err != nil {
			return nil, err
		}
		s.mu.Lock()
		s.post = how
		s.mu.Unlock()
		select {
		case s.mail <- struct{}{}: // what was held back may be due now
		default:
		}
		return how, nil
	})
	handle("POST /orders/{order}/events/{event}", func(c *call) (any, error) {
		if _, ok := s.Order(c.PathValue("order")); !ok {
			return nil, notFound("order")
		}
		s.Tell(c.PathValue("order"), c.PathValue("event"))
		return nil, nil
	})
	handle("/", func(*call) (any, error) { return nil, notFound("path") })
	return mux
}

// pairUnsigned pairs the development account with a machine, for clients that
// cannot sign a challenge.
func (s *Server) pairUnsigned(c *call) (answer, error) {
	req := struct {
		AgentRole        string      `json:"agentRole"`
		DelegationPolicy *delegation `json:"delegationPolicy"`
	}{AgentRole: "buyer"}
	if len(c.body) > 0 {
		if err := strictly(c.body, &req); err != nil {
			return answer{}, err
		}
	}
	if err := required("agentRole", req.AgentRole); err != nil {
		return answer{}, err
	}
	machine, err := s.activeMachine(c.PathValue("machine"))
	if err != nil {
		return answer{}, err
	}
	pairing := orchestration.AgentPairing{
		ID: newID("pair_"), MachineID: machine.ID, AgentAddress: DevController, AgentDID: agentDID(DevController),
		AgentProvider: "sandbox", AgentRole: req.AgentRole, Status: orchestration.PairingActive, CreatedAt: s.now(),
	}
	if req.DelegationPolicy != nil {
		if pairing.DelegationPolicy, err = req.DelegationPolicy.checked(); err != nil {
			return answer{}, err
		}
	}
	s.note("sandbox", "agent_pairing.created", "agent_pairing", pairing.ID, machine.ID, nil)
	return s.openSession(pairing)
}

// strictly decodes JSON whose every field must be known.
func strictly(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return invalid("body", fmt.Sprintf("body: %v", err))
	}
	return nil
}
