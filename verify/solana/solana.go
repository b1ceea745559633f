package solana

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// Endpoint is one JSON-RPC server of the cluster. Its URL may hold a key: it is in no error, log or text of this package.
type Endpoint struct {
	Name string // for people, in evidence and errors; unique within the chain
	URL  string // http or https
	// WebSocket is where it announces transactions (Hints): ws or wss. Empty: nowhere. It is as secret as the URL.
	WebSocket string
	// Operator is who runs it: endpoints of one operator have one voice. Defaults to Name.
	Operator string
	// Header is sent with every request, for keys that do not stand in the URL. It is as secret as the URL.
	Header http.Header
	// CallsPerSecond is our own budget for it; calls beyond it wait. 0 is no budget.
	CallsPerSecond uint
}

func (e Endpoint) operator() string { return cmp.Or(e.Operator, e.Name) }

func (e Endpoint) String() string { return e.Name }

// GoString hides the URL.
func (e Endpoint) GoString() string { return strconv.Quote(e.Name) }

// LogValue hides the URL.
func (e Endpoint) LogValue() slog.Value { return slog.StringValue(e.Name) }

// MarshalJSON hides the URL.
func (e Endpoint) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(e.Name)), nil }

// Token is a mint that counts, or the native coin (empty Address, then nothing else matters). Wrapped SOL is a mint of its
// own, not the native coin.
type Token struct {
	settlement.Token
	// Program is the token program that owns the mint: TokenProgram or Token2022Program. Empty leaves program and decimals
	// unchecked: for looking at a transaction by hand, never for taking money.
	Program settlement.Address
	// AnyAccount accepts what arrives in any account that the payee owns, not only in the associated one. A wallet that
	// looks at its associated accounts only does not show such money.
	AnyAccount bool
}

// Finality is the commitment at which a transaction is judged.
type Finality = settlement.Finality

// Levels of finality. "processed" is none: getTransaction does not offer it, and such a transaction may vanish.
const (
	Finalized Finality = "finalized" // rooted by more than two thirds of the stake: the default
	Confirmed Finality = "confirmed" // voted for by them, about 12 s earlier: a policy for small sums
)

// Config is what New needs.
type Config struct {
	Chain     settlement.ChainID // as ParseChain gives it
	Endpoints []Endpoint         // at least one; the first healthy one is asked first
	Tokens    []Token            // those that count, at least one
	Finality  Finality           // defaults to Finalized
	// Trust believes a single endpoint unless it says otherwise. Finality and Trust hold for every look that no tier covers,
	// for heads and for scans.
	Trust Trust
	Tiers []Tier // weaker rules for small sums
	// StallAfter is for how long the final slot may stand still before Status raises an alarm. Defaults to 5 minutes.
	StallAfter time.Duration

	// HTTPClient is copied; its redirect policy is replaced. Defaults to a client of its own.
	HTTPClient *http.Client
	// LookTimeout bounds all calls of one look together. Defaults to 15 s.
	LookTimeout time.Duration
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// Explain, where set, is told each check of a look as it is made, by several goroutines where several operators are
	// asked.
	Explain func(Check)
}

const (
	defaultLookTimeout = 15 * time.Second
	defaultStall       = 5 * time.Minute
	// maxDerived bounds the associated accounts that are remembered: deriving one costs as much as reading an answer.
	maxDerived = 10_000
)

// Chain looks at one cluster through its endpoints. It is safe for use by many goroutines.
type Chain struct {
	id        settlement.ChainID
	rpc       *jsonrpc.Client
	sockets   []*socket
	listed    []Token                      // in the order of the configuration
	tokens    map[settlement.Address]Token // mint → token; empty address → native coin
	rule      rule
	tiers     []Tier // by amount, ascending
	stall     time.Duration
	timeout   time.Duration
	now       func() time.Time
	explained func(Check)

	mu      sync.Mutex                                   // owns the fields below
	derived map[[3]settlement.Address]settlement.Address // wallet, program, mint → associated account
	heads   settlement.Heads                             // as read last
	movedAt time.Time                                    // when its final slot was first that; zero: it was never read
}

// New returns an error that names every fault of the configuration. It asks the endpoints nothing; Check does.
func New(cfg Config) (*Chain, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if id, err := ParseChain(string(cfg.Chain)); err != nil {
		faults = append(faults, err)
	} else if id != cfg.Chain {
		fault("chain %q is called %s", cfg.Chain, id)
	}
	c := &Chain{
		id: cfg.Chain, listed: slices.Clone(cfg.Tokens), tokens: make(map[settlement.Address]Token),
		rule:  rule{cmp.Or(cfg.Finality, Finalized), cfg.Trust},
		stall: cfg.StallAfter, timeout: cfg.LookTimeout, now: cfg.Now, explained: cfg.Explain,
		derived: make(map[[3]settlement.Address]settlement.Address),
	}
	if err := validFinality(c.rule.Finality); err != nil {
		faults = append(faults, err)
	}
	if c.stall <= 0 {
		c.stall = defaultStall
	}
	if c.timeout <= 0 {
		c.timeout = defaultLookTimeout
	}
	if c.now == nil {
		c.now = time.Now
	}
	for _, t := range cfg.Tokens {
		_, twice := c.tokens[t.Address]
		switch {
		case t.Chain != cfg.Chain:
			fault("token %s is of chain %s, not %s", t.Symbol, t.Chain, cfg.Chain)
		case t.Address != "" && len(t.Address) != 32:
			fault("token %s has an address of %d bytes, not 32", t.Symbol, len(t.Address))
		case t.Address != "" && t.Program != "" && t.Program != TokenProgram && t.Program != Token2022Program:
			fault("token %s is of program %s, which is neither Token nor Token-2022", t.Symbol, FormatAddress(t.Program))
		case t.Decimals > settlement.MaxDecimals:
			fault("token %s has %d decimals, at most %d", t.Symbol, t.Decimals, settlement.MaxDecimals)
		case twice:
			fault("token %s is listed twice", t.Symbol)
		}
		c.tokens[t.Address] = t
	}
	if len(cfg.Tokens) == 0 {
		fault("chain %s has no token", cfg.Chain)
	}
	var servers []jsonrpc.Server
	names := make(map[string]bool)
	for _, e := range cfg.Endpoints {
		u, err := url.Parse(e.URL)
		switch {
		case e.Name == "":
			fault("an endpoint of chain %s has no name", cfg.Chain)
		case names[e.Name]:
			fault("endpoint name %q is used twice", e.Name)
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https": // the URL itself may be a secret
			fault("endpoint %q: the URL is not an http or https URL", e.Name)
		default:
			servers = append(servers, jsonrpc.Server{
				Name: e.Name, URL: u, Operator: e.Operator, Header: e.Header, CallsPerSecond: e.CallsPerSecond,
			})
		}
		switch u, err := url.Parse(e.WebSocket); {
		case e.WebSocket == "":
		case err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss":
			fault("endpoint %q: the WebSocket is not a ws or wss URL", e.Name)
		default:
			c.sockets = append(c.sockets, &socket{url: e.WebSocket, header: e.Header.Clone()})
		}
		names[e.Name] = true
	}
	if len(cfg.Endpoints) == 0 {
		fault("chain %s has no endpoint", cfg.Chain)
	}
	faults = append(faults, c.setTiers(cfg)...)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	c.rpc = jsonrpc.New(jsonrpc.Config{
		Servers: servers, HTTPClient: cfg.HTTPClient, Timeout: c.timeout, Now: c.now,
		Identify: c.identify, Classify: classify, Behind: behind, Split: split, Lag: maxStep,
	})
	return c, nil
}

// associated is AssociatedAccount, remembered; empty where none can be derived, which matches nothing.
func (c *Chain) associated(wallet, program, mint settlement.Address) settlement.Address {
	seeds := [3]settlement.Address{wallet, program, mint}
	c.mu.Lock()
	defer c.mu.Unlock()
	if address, ok := c.derived[seeds]; ok {
		return address
	}
	address, err := AssociatedAccount(wallet, program, mint)
	if err != nil { // one seed in 2^255 has no address off the curve
		return ""
	}
	if len(c.derived) >= maxDerived {
		clear(c.derived)
	}
	c.derived[seeds] = address
	return address
}
