// Package orchestrationtest is a server that acts like the orchestrator, over
// HTTP and with state of its own, for tests and for `settler dev`.
//
// It serves the calls that package orchestration makes and follows the contract's
// state tables. Proofs in rpc mode really look at the chain, challenges and
// tokens are really checked. Where the contract is open, docs/divergences.md says
// what it does. It keeps everything in memory and enforces no delegation policy.
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
	"sync"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// DevController is the address of the well-known development key (mnemonic
// "test test … junk", first account). It controls every identity unless
// Config.Controllers says otherwise.
const DevController = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"

// maxBody bounds a request, in bytes.
const maxBody = 1 << 20

// Config describes an acting orchestrator. The zero value works.
type Config struct {
	// RPC gives the endpoint that rpc proofs look at: CAIP-2 → URL. A chain that
	// is absent answers PAYMENT_RPC_REQUIRED.
	RPC map[string]string
	// APIKey is demanded on platform calls. Defaults to none.
	APIKey string
	// Controllers gives who may sign for an identity: did:peaq:… → addresses.
	// Defaults to DevController for all.
	Controllers map[string][]string
	// Now defaults to time.Now.
	Now func() time.Time
	// SessionTTL is the life of a pairing token. Defaults to 24 h.
	SessionTTL time.Duration
	// QuoteTTL is the life of a quote. Defaults to 5 min.
	QuoteTTL time.Duration
	// ChallengeTTL is the life of a challenge. Defaults to 5 min.
	ChallengeTTL time.Duration
	// Services are the market's offers.
	Services []Service
	// OneSession makes a rotation end the tokens before it. Defaults to letting
	// them live until they expire.
	OneSession bool
	// BuyerOnly refuses writes to an order by another pairing of its machine
	// (AGENT_POLICY_DENIED). Defaults to taking them.
	BuyerOnly bool
	// PaymentMissing404 answers 404 NOT_FOUND for an order without a payment.
	// Defaults to {"item": null}.
	PaymentMissing404 bool
	// Logger gets one line per request. Defaults to none.
	Logger *slog.Logger
}

// Service is one offer with its price.
type Service struct {
	ID, Name, ServiceType string
	// SkillKey, ProviderKey and Operation default to ID, "test", "run".
	SkillKey, ProviderKey, Operation string
	// Price is in major units of Currency; "" is no price: the payment's amount
	// is then null.
	Price    json.Number
	Currency string
	// External makes execute answer a handoff instead of an outcome.
	External bool
	// Payment is copied to quotes and orders.
	Payment orchestration.RailRecommendation
	// TokenDecimals and RawAmount go into an intent's rail metadata unless the
	// request has them. Defaults to neither.
	TokenDecimals *int
	RawAmount     string
}

// Server is the acting orchestrator, an http.Handler. Safe for concurrent use.
type Server struct {
	cfg  Config
	mux  *http.ServeMux
	http *http.Client // for rpc proofs

	faultMu sync.Mutex
	fault   func(*http.Request) Fault

	mu         sync.Mutex // owns what follows
	jwtKey     []byte
	rpc        map[string]string // CAIP-2 → URL
	hook       func(machineID, orderID, event string)
	machines   table[orchestration.Machine]         // machine id → machine
	pairings   table[orchestration.AgentPairing]    // pairing id → pairing
	sessions   map[string]time.Time                 // session id → end
	challenges map[string]challenge                 // challenge id → challenge, until used
	searches   table[orchestration.MarketSearch]    // search id → search
	quotes     map[string]orchestration.MarketQuote // quote id → quote of a search
	orders     table[orchestration.MarketOrder]     // order id → order
	payments   map[string]orchestration.MarketPayment
	intents    map[string]int           // order id → payments created by intent calls
	proofs     map[string][]ProofRecord // order id → accepted proofs
}

// table is a map that keeps the order of insertion, for lists.
type table[T any] struct {
	rows map[string]T
	ids  []string
}

func (t *table[T]) put(id string, row T) {
	if t.rows == nil {
		t.rows = map[string]T{}
	}
	if _, ok := t.rows[id]; !ok {
		t.ids = append(t.ids, id)
	}
	t.rows[id] = row
}

// New makes a server.
func New(cfg Config) *Server {
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
		cfg: cfg, mux: http.NewServeMux(), http: &http.Client{Timeout: 10 * time.Second},
		jwtKey: randomBytes(32), rpc: maps.Clone(cfg.RPC), sessions: map[string]time.Time{}, challenges: map[string]challenge{},
		quotes: map[string]orchestration.MarketQuote{}, payments: map[string]orchestration.MarketPayment{}, intents: map[string]int{}, proofs: map[string][]ProofRecord{},
	}
	if s.rpc == nil {
		s.rpc = map[string]string{}
	}
	s.routes()
	return s
}

// OnOrder sets what the platform tells its marketplace: event is order.created,
// order.updated, order.confirmed or order.disputed. It is called before the
// answer is sent, with no lock held; one hook at a time is set.
func (s *Server) OnOrder(hook func(machineID, orderID, event string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = hook
}

// Tell calls the hook as if the order had had an event.
func (s *Server) Tell(orderID, event string) {
	s.mu.Lock()
	hook, machineID := s.hook, s.orders.rows[orderID].MachineID
	s.mu.Unlock()
	if hook != nil {
		hook(machineID, orderID, event)
	}
}

func (s *Server) routes() {
	const v1 = "/api/v1"
	for pattern, handle := range map[string]handler{
		"GET /health":        open(s.health),
		"GET /api/v1/health": open(s.health),

		"POST " + v1 + "/machine-identity/challenges": s.platform(s.createIdentityChallenge),
		"GET " + v1 + "/machines":                     s.platform(s.listMachines),
		"POST " + v1 + "/machines":                    s.platform(s.createMachine),
		"GET " + v1 + "/machines/{machine}":           s.platform(s.getMachine),
		"PATCH " + v1 + "/machines/{machine}":         s.platform(s.updateMachine),

		"GET " + v1 + "/machines/{machine}/agent-pairings":                     s.platform(s.listPairings),
		"POST " + v1 + "/machines/{machine}/agent-pairings":                    s.platform(s.createPairing),
		"POST " + v1 + "/machines/{machine}/agent-pairings/challenges":         s.platform(s.createPairingChallenge),
		"POST " + v1 + "/machines/{machine}/agent-pairings/{pairing}/sessions": s.platform(s.rotateSession),
		"DELETE " + v1 + "/machines/{machine}/agent-pairings/{pairing}":        s.platform(s.revokePairing),

		"GET " + v1 + "/market/services":           s.platform(s.listServices),
		"GET " + v1 + "/market/services/{service}": s.platform(s.getService),
		"POST " + v1 + "/market/search":            s.agent(s.search),
		"GET " + v1 + "/market/searches/{search}":  s.platform(s.getSearch),

		"GET " + v1 + "/market/orders":                  s.platform(s.listOrders),
		"POST " + v1 + "/market/orders":                 s.agent(s.createOrder),
		"GET " + v1 + "/market/orders/{order}":          s.platform(s.getOrder),
		"POST " + v1 + "/market/orders/{order}/execute": s.agent(s.execute),
		"POST " + v1 + "/market/orders/{order}/confirm": s.agent(s.confirm),
		"POST " + v1 + "/market/orders/{order}/dispute": s.agent(s.dispute),

		"POST " + v1 + "/market/orders/{order}/payment-intent":  s.agent(s.createIntent),
		"GET " + v1 + "/market/orders/{order}/payment":          s.platform(s.getPayment),
		"POST " + v1 + "/market/orders/{order}/payment-proof":   s.agent(s.submitProof),
		"POST " + v1 + "/market/orders/{order}/payment/release": s.agent(s.release),
		"POST " + v1 + "/market/orders/{order}/payment/refund":  s.agent(s.refund),
	} {
		s.mux.HandleFunc(pattern, s.serve(handle))
	}
	s.mux.HandleFunc("/", s.serve(open(func(*call) (answer, error) {
		return answer{}, refuse(http.StatusNotFound, orchestration.CodeNotFound, "no such path")
	})))
}

// ServeHTTP serves the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// call is one request; token is set on agent calls.
type call struct {
	*http.Request
	body  []byte
	token claims
}

// decode reads the body, {} when there is none. Numbers keep their text.
func (c *call) decode(into any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(c.body))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return invalid("body: " + err.Error())
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

type handler func(*call) (answer, error)

func open(handle handler) handler { return handle }

// platform wraps a call that takes the API key, and a pairing token if given.
func (s *Server) platform(handle handler) handler {
	return func(c *call) (answer, error) {
		key := c.Header.Get("X-Api-Key")
		switch {
		case s.cfg.APIKey == "":
		case key == "":
			return answer{}, refuse(http.StatusUnauthorized, orchestration.CodeAuthRequired, "API key required")
		case subtle.ConstantTimeCompare([]byte(key), []byte(s.cfg.APIKey)) != 1:
			return answer{}, refuse(http.StatusUnauthorized, orchestration.CodeAuthInvalid, "API key is wrong")
		}
		return handle(c)
	}
}

// agent wraps a call that takes a pairing token. The API key is not demanded
// with it, as older SDKs do not send it; a wrong one is refused.
func (s *Server) agent(handle handler) handler {
	return func(c *call) (answer, error) {
		key := c.Header.Get("X-Api-Key")
		if s.cfg.APIKey != "" && key != "" && key != s.cfg.APIKey {
			return answer{}, refuse(http.StatusUnauthorized, orchestration.CodeAuthInvalid, "API key is wrong")
		}
		var err error
		if c.token, err = s.checkToken(c.Header.Get("X-Agent-Pairing-Token")); err != nil {
			return answer{}, err
		}
		return handle(c)
	}
}

// refusal is an error answer.
type refusal struct {
	status  int
	code    orchestration.Code
	message string
}

func (r *refusal) Error() string { return fmt.Sprintf("%s: %s", r.code, r.message) }

func refuse(status int, code orchestration.Code, message string) error {
	return &refusal{status, code, message}
}

func invalid(message string) error {
	return refuse(http.StatusBadRequest, orchestration.CodeValidation, message)
}

func notFound(what string) error {
	return refuse(http.StatusNotFound, orchestration.CodeNotFound, what+" not found")
}

// serve reads the request, lets the fault have its say, and writes the answer.
func (s *Server) serve(handle handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			s.write(w, r, answer{}, invalid("body cannot be read"))
			return
		}
		fault := s.faultFor(r)
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
			got, err = handle(&call{Request: r, body: body})
			if err == nil && got.then != nil {
				got.then()
			}
		}
		if fault.replaces() {
			fault.write(w)
			return
		}
		s.write(w, r, got, err)
	}
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, got answer, err error) {
	if err != nil {
		said, ok := errors.AsType[*refusal](err)
		if !ok {
			said = &refusal{http.StatusInternalServerError, "INTERNAL_ERROR", err.Error()}
		}
		got = answer{status: said.status, body: map[string]any{
			"error": map[string]any{"code": said.code, "message": said.message},
		}}
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

func (s *Server) health(*call) (answer, error) {
	return answer{status: http.StatusOK, body: map[string]bool{"ok": true}}, nil
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
