// Package orchestrationtest is a server that acts like the orchestrator, over
// HTTP and with state of its own, for tests, for `settler dev` and for `settler
// sandbox`.
//
// It serves the calls of the vendor's SDK and those that are announced, follows
// the contract's state tables and enforces its rules. Challenges and tokens are
// really checked, and proofs in rpc mode really look at the chain. It reads
// requests by itself, without the client's code, so that a fault of the client
// shows. Where the contract is open, Switches has both sides and
// docs/divergences.md the reason for the likely one. It does not serve IoT and
// oneM2M calls, nor the sellers' control socket.
//
// Read server.go, then order.go, payment.go and proof.go.
package orchestrationtest

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// maxBody bounds a request, in bytes.
const maxBody = 1 << 20

// Server is the acting orchestrator, an http.Handler. Safe for concurrent use.
type Server struct {
	cfg     Config // its Switches are owned by mu
	mux     *http.ServeMux
	http    *http.Client // for rpc proofs and webhooks
	journal *journal
	mail    chan struct{} // told when the outbox has something

	faults faults

	services *table[Service] // id → service; not changed
	skills   *table[Service] // skill key → service; not changed

	mu    sync.Mutex // owns what follows, and the rows of the tables
	rpc   map[string]string
	hook  func(machineID, orderID, event string)
	post  posting
	state state
	// signed is the last pairing token whose signature was right under the key: a session sends its token with every call.
	signed struct {
		text   string
		key    []byte
		claims claims
	}
}

// state is what survives a restart.
type state struct {
	keys         *table[[]byte] // "jwt" → key
	machines     *table[orchestration.Machine]
	pairings     *table[orchestration.AgentPairing]
	sessions     *table[time.Time] // session id → end
	challenges   *table[challenge] // challenge id → challenge, until used
	agents       *table[agent]
	endpoints    *table[endpoint] // machine id/provider key → endpoint
	skills       *table[skillConfig]
	policies     *table[policy]
	audit        *table[auditEvent]
	searches     *table[orchestration.MarketSearch]
	quotes       *table[orchestration.MarketQuote] // quote id → quote of a search
	orders       *table[orchestration.MarketOrder]
	payments     *table[orchestration.MarketPayment] // order id → payment
	intents      *table[int]                         // order id → payments created by intent calls
	proofs       *table[[]ProofRecord]               // order id → accepted proofs
	paid         *table[string]                      // chain/transaction → order id it first paid
	authorised   *table[string]                      // x402 payer/nonce → order id it was settled for
	runs         *table[run]
	tasks        *table[task]
	nodes        *table[graphPart]
	edges        *table[graphPart]
	listings     *table[listing]
	capabilities *table[capabilities] // machine id → what it can deliver by
	purchases    *table[purchase]
	outbox       *table[message] // message id → webhook not yet accepted
}

// New makes a server that keeps everything in memory.
func New(cfg Config) *Server {
	s := newServer(cfg)
	s.seed()
	return s
}

// Open makes a server that keeps its state in a directory, which one process at
// a time may use. A call is answered when what it changed is on disk.
func Open(cfg Config, dir string) (*Server, error) {
	s := newServer(cfg)
	if err := s.journal.open(dir); err != nil {
		return nil, err
	}
	s.change(s.seed)
	return s, s.journal.broken
}

// Close ends the keeping of state. No call may be on its way.
func (s *Server) Close() error { return s.journal.end() }

func newServer(cfg Config) *Server {
	cfg.SessionTTL = cmp.Or(cfg.SessionTTL, 24*time.Hour)
	cfg.QuoteTTL = cmp.Or(cfg.QuoteTTL, 5*time.Minute)
	cfg.ChallengeTTL = cmp.Or(cfg.ChallengeTTL, 5*time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(), http: &http.Client{Timeout: 10 * time.Second}, rpc: maps.Clone(cfg.RPC),
		journal: &journal{tables: map[string]loader{}}, mail: make(chan struct{}, 1),
		services: newCatalogue(cfg.Services, func(v Service) string { return v.ID }), skills: newCatalogue(cfg.Services, Service.skillKey),
	}
	if s.rpc == nil {
		s.rpc = map[string]string{}
	}
	s.state = state{
		keys: newTable[[]byte](s, "keys"), machines: newTable[orchestration.Machine](s, "machines"),
		pairings: newTable[orchestration.AgentPairing](s, "pairings"), sessions: newTable[time.Time](s, "sessions"),
		challenges: newTable[challenge](s, "challenges"), agents: newTable[agent](s, "agents"), endpoints: newTable[endpoint](s, "endpoints"),
		skills: newTable[skillConfig](s, "skills"), policies: newTable[policy](s, "policies"), audit: newTable[auditEvent](s, "audit"),
		searches: newTable[orchestration.MarketSearch](s, "searches"), quotes: newTable[orchestration.MarketQuote](s, "quotes"),
		orders: newTable[orchestration.MarketOrder](s, "orders"), payments: newTable[orchestration.MarketPayment](s, "payments"),
		intents: newTable[int](s, "intents"), proofs: newTable[[]ProofRecord](s, "proofs"), paid: newTable[string](s, "paid"),
		authorised: newTable[string](s, "authorised"), runs: newTable[run](s, "runs"), tasks: newTable[task](s, "tasks"),
		nodes: newTable[graphPart](s, "nodes"), edges: newTable[graphPart](s, "edges"), listings: newTable[listing](s, "listings"),
		capabilities: newTable[capabilities](s, "capabilities"), purchases: newTable[purchase](s, "purchases"),
		outbox: newTable[message](s, "outbox"),
	}
	s.routes()
	return s
}

// seed adds what a server has from the start. Caller holds s.mu, or is alone.
func (s *Server) seed() {
	if _, ok := s.state.keys.get("jwt"); !ok {
		s.state.keys.put("jwt", randomBytes(32))
	}
	for _, machine := range s.cfg.Machines {
		if _, ok := s.state.machines.get(machine.ID); !ok {
			machine.CreatedAt, machine.UpdatedAt = cmp.Or(machine.CreatedAt, s.now()), cmp.Or(machine.UpdatedAt, s.now())
			s.state.machines.put(machine.ID, machine)
		}
	}
	for _, each := range s.cfg.Listings {
		if _, ok := s.state.listings.get(each.ID); !ok {
			s.state.listings.put(each.ID, listing{Listing: each, UpdatedAt: s.now()})
		}
	}
}

// change runs a change of the state that no call asks for.
func (s *Server) change(do func()) {
	s.mu.Lock()
	do()
	line := s.journal.close()
	s.mu.Unlock()
	if err := s.journal.sync(line); err != nil {
		s.cfg.Logger.Error("orchestrator cannot keep its state", "err", err)
	}
}

// OnOrder sets what the platform tells its marketplace: event is order.created,
// order.updated, order.confirmed, order.disputed or order.cancelled. It is called
// before the answer is sent, with no lock held; one hook at a time is set.
func (s *Server) OnOrder(hook func(machineID, orderID, event string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// Tell tells hook and webhook as if the order had had an event.
func (s *Server) Tell(orderID, event string) {
	s.change(func() { s.enqueue(orderID, event) })
	s.tellHook(orderID, event)
}

func (s *Server) tellHook(orderID, event string) {
	s.mu.Lock()
	hook := s.hook
	order, _ := s.state.orders.get(orderID)
	s.mu.Unlock()
	if hook != nil {
		hook(order.MachineID, orderID, event)
	}
}

// ServeHTTP serves the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// call is one request; token is set when a pairing's token came with it.
type call struct {
	*http.Request
	body  []byte
	token claims
}

// decode reads the body, {} when there is none. Fields that are not known are
// passed over, as the contract has it.
func (c *call) decode(into any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, into); err != nil {
		return invalid("body", "body: "+err.Error())
	}
	return nil
}

// number is a JSON number as it was written, never one in quotes. "" is absent
// or null.
type number string

func (n *number) UnmarshalJSON(text []byte) error {
	switch {
	case bytes.Equal(text, []byte("null")):
	case text[0] == '-' || text[0] >= '0' && text[0] <= '9':
		*n = number(text)
	default:
		return fmt.Errorf("%s is not a number", text)
	}
	return nil
}

// answer is what is sent: body nil is 204. then runs after the state is left and
// before the answer is sent.
type answer struct {
	status int
	body   any
	then   func()
}

func item(status int, value any) answer {
	return answer{status: status, body: map[string]any{"item": value}}
}

// handler acts on one call. It is called with s.mu held.
type handler func(*call) (answer, error)

// checkKey refuses a wrong API key, and one that is absent if it is demanded.
func (s *Server) checkKey(c *call, demanded bool) error {
	key := c.Header.Get("X-Api-Key")
	switch {
	case s.cfg.APIKey == "" || key == "" && !demanded:
	case key == "":
		return refuse(http.StatusUnauthorized, orchestration.CodeAuthRequired, "API key required")
	case subtle.ConstantTimeCompare([]byte(key), []byte(s.cfg.APIKey)) != 1:
		return refuse(http.StatusUnauthorized, orchestration.CodeAuthInvalid, "API key is wrong")
	}
	return nil
}

// platform wraps a call that takes the API key.
func (s *Server) platform(handle handler) handler {
	return func(c *call) (answer, error) {
		if err := s.checkKey(c, true); err != nil {
			return answer{}, err
		}
		return handle(c)
	}
}

// agent wraps a call that takes a pairing token. Older SDKs send no key with it.
func (s *Server) agent(handle handler) handler {
	return func(c *call) (answer, error) {
		if err := s.checkKey(c, s.cfg.KeyWithToken); err != nil {
			return answer{}, err
		}
		text := c.Header.Get("X-Agent-Pairing-Token")
		if text == "" && s.cfg.NoPairingAuth {
			return handle(c)
		}
		var err error
		if c.token, err = s.checkToken(text); err != nil {
			return answer{}, err
		}
		return handle(c)
	}
}

// either wraps a call that takes the API key or a pairing token.
func (s *Server) either(handle handler) handler {
	asPlatform, asAgent := s.platform(handle), s.agent(handle)
	return func(c *call) (answer, error) {
		if c.Header.Get("X-Agent-Pairing-Token") != "" {
			return asAgent(c)
		}
		return asPlatform(c)
	}
}

// refusal is an error answer.
type refusal struct {
	status  int
	code    orchestration.Code
	message string
	details map[string]any
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %s", r.code, r.message) }

func refuse(status int, code orchestration.Code, message string) error {
	return &refusal{status: status, code: code, message: message}
}

// invalid refuses the field of a request.
func invalid(field, message string) error {
	return &refusal{http.StatusBadRequest, orchestration.CodeValidation, message, map[string]any{"field": field}}
}

func notFound(what string) error {
	return refuse(http.StatusNotFound, orchestration.CodeNotFound, what+" not found")
}

// required refuses the first of pairs (field, value) that is blank.
func required(pairs ...string) error {
	for i := 0; i+1 < len(pairs); i += 2 {
		if strings.TrimSpace(pairs[i+1]) == "" {
			return invalid(pairs[i], pairs[i]+" is required")
		}
	}
	return nil
}

// serve reads the request, lets the fault have its say, and writes the answer.
func (s *Server) serve(handle handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := readBody(w, r)
		if err != nil {
			s.write(w, r, answer{}, err)
			return
		}
		fault := s.faults.of(r)
		if fault.Delay > 0 {
			timer := time.NewTimer(fault.Delay)
			select {
			case <-timer.C:
			case <-r.Context().Done(): // the client left; a server acts all the same
				timer.Stop()
			}
		}
		var got answer
		if !fault.Skip {
			got, err = s.act(handle, &call{Request: r, body: body})
		}
		if fault.replaces() {
			fault.write(w)
			return
		}
		s.write(w, r, got, err)
	}
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, invalid("body", "body cannot be read, or is longer than 1 MiB")
	}
	return body, nil
}

// act runs a call and returns when its changes are durable and told.
func (s *Server) act(handle handler, c *call) (answer, error) {
	s.mu.Lock()
	var got answer
	var err error
	if s.cfg.RefuseTypeWithoutBody && len(c.body) == 0 && c.Header.Get("Content-Type") == "application/json" {
		err = invalid("body", "content type without a body")
	} else {
		got, err = handle(c)
	}
	line := s.journal.close()
	s.mu.Unlock()
	if failed := s.journal.sync(line); failed != nil {
		return answer{}, failed
	}
	if err == nil && got.then != nil {
		got.then()
	}
	return got, err
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, got answer, err error) {
	if err != nil {
		said, ok := errors.AsType[*refusal](err)
		if !ok {
			said = &refusal{status: http.StatusInternalServerError, code: "INTERNAL_ERROR", message: err.Error()}
		}
		problem := map[string]any{"code": said.code, "message": said.message}
		if said.details != nil {
			problem["details"] = said.details
		}
		got = answer{status: said.status, body: map[string]any{"error": problem}}
	}
	s.cfg.Logger.Debug("orchestrator answered", "method", r.Method, "path", r.URL.Path, "status", got.status, "err", err)
	if got.body == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(got.status)
	// A client that left has no use for the answer.
	_ = json.NewEncoder(w).Encode(got.body)
}

// now is the time as the API writes it.
func (s *Server) now() string { return stamp(s.cfg.Now()) }

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// newID is prefix and 12 hex digits.
func newID(prefix string) string { return prefix + hex.EncodeToString(randomBytes(6)) }
