// Package evm looks at an EVM chain: one transaction (Verify), or a block for many payees (Scan); it returns verdicts. It
// keeps nothing, moves nothing and traces nothing: native coin counts only as the value of a transaction itself.
//
// Read next: verify.go (the procedure), decode.go (what an answer must look like), rpc.go (how we ask).
package evm

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// Endpoint is one JSON-RPC server of the chain. Its URL may hold a key: it is in no error, log or text of this package.
type Endpoint struct {
	Name string // for people, in evidence and errors; unique within the chain
	URL  string // http or https
}

func (e Endpoint) String() string { return e.Name }

// GoString hides the URL.
func (e Endpoint) GoString() string { return strconv.Quote(e.Name) }

// LogValue hides the URL.
func (e Endpoint) LogValue() slog.Value { return slog.StringValue(e.Name) }

// MarshalJSON hides the URL.
func (e Endpoint) MarshalJSON() ([]byte, error) { return []byte(strconv.Quote(e.Name)), nil }

// Finality is the rule that says which blocks are final: exactly one of Depth and Tag.
type Finality struct {
	// Depth makes block N final when the latest block is N+Depth or higher.
	Depth uint64
	// Tag is the block tag whose block, and all below it, are final: "finalized", "safe", or "latest" on a chain that
	// accepts a block for good at once (Avalanche).
	Tag string
}

// String is the rule in words: "finalized", "depth 12".
func (f Finality) String() string {
	if f.Tag != "" {
		return f.Tag
	}
	return "depth " + strconv.FormatUint(f.Depth, 10)
}

func (f Finality) validate() error {
	switch {
	case f.Tag != "" && f.Depth != 0:
		return errors.New("finality is either a tag or a depth, not both")
	case f.Tag == "" && f.Depth == 0:
		return errors.New(`finality is required: a depth of at least 1, or the tag "finalized" or "safe"`)
	case f.Tag != "" && !slices.Contains([]string{"finalized", "safe", "latest"}, f.Tag):
		return fmt.Errorf(`finality tag %q is unknown: "finalized", "safe" or "latest"`, f.Tag)
	}
	return nil
}

// Config is what New needs.
type Config struct {
	Chain     settlement.ChainID // "eip155:8453"
	Endpoints []Endpoint         // at least one; the first healthy one is asked first
	// Tokens are those that count on this chain, at least one; the empty Address is the native coin.
	Tokens   []settlement.Token
	Finality Finality

	// HTTPClient is copied; its redirect policy is replaced. Defaults to a client of its own.
	HTTPClient *http.Client
	// LookTimeout bounds all calls of one look together. Defaults to 15 s.
	LookTimeout time.Duration
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

const (
	defaultLookTimeout = 15 * time.Second
	maxIdlePerHost     = 16
)

// Chain looks at one EVM chain through its endpoints. It is safe for use by many goroutines.
type Chain struct {
	id        settlement.ChainID
	endpoints []*endpoint
	listed    []settlement.Token                      // in the order of the configuration
	tokens    map[settlement.Address]settlement.Token // contract → token; empty address → native coin
	finality  Finality
	timeout   time.Duration
	now       func() time.Time
	calls     atomic.Uint64 // ids of JSON-RPC calls
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
		id: cfg.Chain, listed: slices.Clone(cfg.Tokens), tokens: make(map[settlement.Address]settlement.Token), finality: cfg.Finality,
		timeout: cfg.LookTimeout, now: cfg.Now,
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
		}
		c.tokens[t.Address] = t
	}
	if len(cfg.Tokens) == 0 {
		fault("chain %s has no token", cfg.Chain)
	}
	client := httpClient(cfg.HTTPClient)
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
			c.endpoints = append(c.endpoints, newEndpoint(e.Name, u, client))
		}
		names[e.Name] = true
	}
	if len(cfg.Endpoints) == 0 {
		fault("chain %s has no endpoint", cfg.Chain)
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

// Head is how far the chain has come, from one endpoint.
func (c *Chain) Head(ctx context.Context) (settlement.Head, error) {
	var head settlement.Head
	err := c.ask(ctx, func(ctx context.Context, s *session) error {
		final, err := s.final(ctx)
		if err != nil {
			return err
		}
		head = settlement.Head{Latest: final.latest, Final: final.number, FinalHash: final.hash}
		if c.finality.Tag == "" || c.finality.Tag == "latest" {
			return nil
		}
		latest, err := s.block(ctx, "latest")
		if err != nil {
			return err
		}
		if head.Latest = latest.number; head.Latest < head.Final {
			return inconsistent("the %s block %d is above the latest, %d", c.finality.Tag, head.Final, head.Latest)
		}
		return nil
	})
	return head, err
}
