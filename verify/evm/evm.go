package evm

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
	"sync/atomic"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// Endpoint is one JSON-RPC server of the chain. Its URL may hold a key: it is in no error, log or text of this package.
type Endpoint struct {
	Name string // for people, in evidence and errors; unique within the chain
	URL  string // http, https, ws or wss
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

// Config is what New needs.
type Config struct {
	Chain     settlement.ChainID // "eip155:8453"
	Endpoints []Endpoint         // at least one; the first healthy one is asked first
	// Tokens are those that count on this chain, at least one; the empty Address is the native coin.
	Tokens []settlement.Token
	// Finality is required, and Trust believes a single endpoint unless it says otherwise. Both hold for every look that
	// no tier covers, for heads and for scans.
	Finality Finality
	Trust    Trust
	Tiers    []Tier // weaker rules for small sums
	// StallAfter is the age of the highest final block (with a depth: of the latest one) at which Status raises an alarm.
	// Defaults to what Known says of the chain, else to an hour.
	StallAfter time.Duration
	// ZeroBlooms says that the chain's blocks and receipts have empty blooms whatever they log.
	ZeroBlooms bool

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
	defaultStall       = time.Hour
	maxIdlePerHost     = 16
)

// Chain looks at one EVM chain through its endpoints. It is safe for use by many goroutines.
type Chain struct {
	id        settlement.ChainID
	endpoints []*endpoint
	listed    []settlement.Token                      // in the order of the configuration
	tokens    map[settlement.Address]settlement.Token // contract → token; empty address → native coin
	rule      Rule
	tiers     []Tier // by amount, ascending
	stall     time.Duration
	noBlooms  bool
	timeout   time.Duration
	now       func() time.Time
	explained func(Check)
	calls     atomic.Uint64 // ids of JSON-RPC calls
	width     rangeWidth    // of queries for logs

	mu           sync.Mutex // owns the fields below
	comparedAt   time.Time  // when the endpoints' heads were last compared
	head         header     // the newest that an endpoint told
	final        finality   // as Heads read it last
	finalRead    bool
	disagreement *Disagreement
	disagreedAt  time.Time
}

// New returns an error that names every fault of the configuration. It asks the endpoints nothing; Check does.
func New(cfg Config) (*Chain, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if !validChainID(cfg.Chain) {
		fault("chain %q is not an EVM chain: eip155:N", cfg.Chain)
	}
	if err := cfg.Finality.validate(); err != nil {
		faults = append(faults, err)
	}
	c := &Chain{
		id: cfg.Chain, listed: slices.Clone(cfg.Tokens), tokens: make(map[settlement.Address]settlement.Token),
		rule: Rule{cfg.Finality, cfg.Trust}, stall: cfg.StallAfter, noBlooms: cfg.ZeroBlooms, timeout: cfg.LookTimeout, now: cfg.Now,
		explained: cfg.Explain, width: rangeWidth{width: maxRange},
	}
	if known, ok := Known(cfg.Chain); ok {
		if c.stall <= 0 {
			c.stall = known.StallAfter
		}
		if cfg.Trust.Proof && !known.Provable {
			fault("chain %s (%s) has receipts that go-ethereum cannot hash: trust %s is not possible", cfg.Chain, known.Name, cfg.Trust)
		}
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
		case t.Address != "" && len(t.Address) != 20:
			fault("token %s has an address of %d bytes, not 20", t.Symbol, len(t.Address))
		case t.Decimals > settlement.MaxDecimals:
			fault("token %s has %d decimals, at most %d", t.Symbol, t.Decimals, settlement.MaxDecimals)
		case twice:
			fault("token %s is listed twice", t.Symbol)
		case mirrored(t, c.tokens) != "":
			fault("token %s shows the balance of %s a second time, so one payment would count twice: list one of them", t.Symbol, mirrored(t, c.tokens))
		}
		c.tokens[t.Address] = t
	}
	if len(cfg.Tokens) == 0 {
		fault("chain %s has no token", cfg.Chain)
	}
	client := jsonrpc.HTTPClient(cfg.HTTPClient)
	names := make(map[string]bool)
	for _, e := range cfg.Endpoints {
		u, err := url.Parse(e.URL)
		switch {
		case e.Name == "":
			fault("an endpoint of chain %s has no name", cfg.Chain)
		case names[e.Name]:
			fault("endpoint name %q is used twice", e.Name)
		case err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "ws", "wss"}, u.Scheme): // the URL itself may be a secret
			fault("endpoint %q: the URL is not an http, https, ws or wss URL", e.Name)
		default:
			c.endpoints = append(c.endpoints, newEndpoint(e, u, client))
		}
		names[e.Name] = true
	}
	if len(cfg.Endpoints) == 0 {
		fault("chain %s has no endpoint", cfg.Chain)
	}
	faults = append(faults, c.setTiers(cfg)...)
	if known, ok := Known(cfg.Chain); ok && known.Lag > 0 && slices.Contains(c.finalities(), Finality{Tag: tagLatest}) {
		fault("chain %s (%s) may still replace its latest block: finality latest promises nothing there", cfg.Chain, known.Name)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return c, nil
}

func validChainID(id settlement.ChainID) bool {
	n, err := strconv.ParseUint(id.Reference(), 10, 64)
	return err == nil && n > 0 && id == settlement.ChainID("eip155:"+strconv.FormatUint(n, 10))
}
