package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
	"github.com/settler-pay/settler/verify/solana"
)

// ChainConfig is one chain that settler serves.
type ChainConfig struct {
	ID           string           `yaml:"id" env:"ID"`                       // CAIP-2: eip155:8453, or solana: and a name of its cluster. Required
	Aliases      []string         `yaml:"aliases" env:"ALIASES"`             // friendly names, such as base. Defaults to none
	Endpoints    []EndpointConfig `yaml:"endpoints" envPrefix:"ENDPOINTS_"`  // at least one
	Finality     FinalityConfig   `yaml:"finality" envPrefix:"FINALITY_"`    // Defaults to what is shipped for the chain; else required
	Trust        string           `yaml:"trust" env:"TRUST"`                 // single, quorum:K or proof:K. Defaults to single
	Tiers        []TierConfig     `yaml:"tiers" envPrefix:"TIERS_"`          // weaker rules for small sums. Defaults to none
	StallAfter   time.Duration    `yaml:"stall_after" env:"STALL_AFTER"`     // age of the final block that is an alarm. Defaults to the chain's, else 1h
	ZeroBlooms   bool             `yaml:"zero_blooms" env:"ZERO_BLOOMS"`     // the chain's blooms are empty. Defaults to false
	PollInterval time.Duration    `yaml:"poll_interval" env:"POLL_INTERVAL"` // how often the head is asked for. Defaults to 2s
	Explorer     string           `yaml:"explorer" env:"EXPLORER"`           // URL before /tx/<id>. Defaults to none
	Coin         string           `yaml:"coin" env:"COIN"`                   // symbol of its own coin, for people. Defaults to that of the native token, SOL, or none
	Tokens       []TokenConfig    `yaml:"tokens" envPrefix:"TOKENS_"`        // at least one
	Escrow       EscrowConfig     `yaml:"escrow" envPrefix:"ESCROW_"`        // how escrow is held. Defaults to not at all
	Refunds      RefundsConfig    `yaml:"refunds" envPrefix:"REFUNDS_"`      // from what direct payments are given back. Defaults to not at all
	Custody      CustodyConfig    `yaml:"custody" envPrefix:"CUSTODY_"`      // how escrow is held on Solana. Defaults to not at all
}

// EndpointConfig is one JSON-RPC server.
type EndpointConfig struct {
	Name      string `yaml:"name" env:"NAME"`           // in evidence and errors, unique within the chain. Required
	URL       secret `yaml:"url" env:"URL"`             // http, https, ws or wss; it may hold a key. Required
	WebSocket secret `yaml:"websocket" env:"WEBSOCKET"` // Solana: ws or wss, announces transactions. Defaults to none
	Operator  string `yaml:"operator" env:"OPERATOR"`   // who runs it; those of one operator have one voice. Defaults to the name
	// Headers go with every request, each "Name: value". Defaults to none.
	Headers []secret `yaml:"headers" env:"HEADERS"`
	// CallsPerSecond is our own budget for it; calls beyond it wait. Defaults to 0, which is none.
	CallsPerSecond uint64 `yaml:"calls_per_second" env:"CALLS_PER_SECOND"`
}

// FinalityConfig says which blocks are final: exactly one of its fields.
type FinalityConfig struct {
	Tag   string `yaml:"tag" env:"TAG"`     // finalized, safe or latest
	Depth uint64 `yaml:"depth" env:"DEPTH"` // blocks above
}

// TierConfig is the rule for payments of one token up to an amount.
type TierConfig struct {
	Token    string         `yaml:"token" env:"TOKEN"`              // symbol of one of the chain's tokens. Required
	UpTo     string         `yaml:"up_to" env:"UP_TO"`              // inclusive, in whole tokens: "25.50". Required
	Finality FinalityConfig `yaml:"finality" envPrefix:"FINALITY_"` // Defaults to the chain's
	Trust    string         `yaml:"trust" env:"TRUST"`              // single or quorum:K. Defaults to the chain's
}

// TokenConfig is one token that counts on its chain.
type TokenConfig struct {
	Symbol   string `yaml:"symbol" env:"SYMBOL"`     // unique within the chain. Required
	Address  string `yaml:"address" env:"ADDRESS"`   // the contract or mint; or Native
	Native   bool   `yaml:"native" env:"NATIVE"`     // the chain's own coin
	Decimals uint8  `yaml:"decimals" env:"DECIMALS"` // of the contract or mint, compared at start. Defaults to 0
	Program  string `yaml:"program" env:"PROGRAM"`   // Solana: the mint's program, token or token-2022. Defaults to token
	Kind     string `yaml:"kind" env:"KIND"`         // plain, fee, rebasing or refuse. Defaults to plain
	Received bool   `yaml:"received" env:"RECEIVED"` // accepts a fee or rebasing token by what arrived. Defaults to false
	AtLeast  bool   `yaml:"at_least" env:"AT_LEAST"` // accepts more than the price. Defaults to false
	OneFit   bool   `yaml:"one_fit" env:"ONE_FIT"`   // refuses to choose between two transfers that fit. Defaults to false
	// ApprovalAbove is in whole tokens: who decides by hand about more, alone and in a day, needs another person. Defaults to 0:
	// every such decision does.
	ApprovalAbove string `yaml:"approval_above" env:"APPROVAL_ABOVE"`
}

// approvalAbove is the threshold in base units.
func (t TokenConfig) approvalAbove() (settlement.Amount, error) {
	if t.ApprovalAbove == "" {
		return settlement.Amount{}, nil
	}
	amount, rounded, err := settlement.AmountFromMajor(t.ApprovalAbove, t.Decimals)
	if err == nil && rounded {
		err = fmt.Errorf("it has more than %d decimals", t.Decimals)
	}
	return amount, err
}

func (c *ChainConfig) setDefaults() {
	c.PollInterval = 2 * time.Second
	c.Escrow.setDefaults()
	c.Refunds.setDefaults()
	c.Custody.setDefaults()
}

func (c ChainConfig) check(f *faults, key string, seen map[string]string) {
	id, err := c.chainID()
	if err != nil {
		f.add("%s.id %w", key, err)
		id = settlement.ChainID(c.ID)
	}
	unique(f, key+".id", string(id), seen)
	for i, alias := range c.Aliases {
		at := fmt.Sprintf("%s.aliases[%d]", key, i)
		f.require(at, alias)
		if strings.Contains(alias, ":") {
			f.add("%s %q looks like a CAIP-2 id", at, alias)
		}
		unique(f, at, alias, seen)
	}
	for _, name := range solana.Names(id) {
		if seen[string(id)] == key+".id" && !slices.Contains(c.Aliases, name) {
			unique(f, key+".id", name, seen)
		}
	}
	if len(c.Endpoints) == 0 {
		f.add("%s.endpoints is required: at least one", key)
	}
	names, operators := make(map[string]string), make(map[string]bool)
	for i, e := range c.Endpoints {
		e.check(f, fmt.Sprintf("%s.endpoints[%d]", key, i), names)
		operators[e.operator()] = true
	}
	if c.isSolana() {
		c.checkSolana(f, key)
	} else if i := slices.IndexFunc(c.Endpoints, func(e EndpointConfig) bool { return e.WebSocket != "" }); i >= 0 {
		f.add("%s.endpoints[%d].websocket is for Solana; the URL of an EVM endpoint may be that of a WebSocket", key, i)
	}
	if c.finality() == (FinalityConfig{}) {
		f.add("%s.finality is required, nothing is shipped for this chain: a tag (finalized, safe) or a depth of at least 1", key)
	}
	c.Finality.check(f, key+".finality", c.isSolana())
	checkTrust(f, key+".trust", c.Trust, len(operators))
	if c.StallAfter < 0 {
		f.add("%s.stall_after is negative", key)
	}
	if c.PollInterval < 50*time.Millisecond || c.PollInterval > time.Minute {
		f.add("%s.poll_interval is %s, not 50ms to 1m", key, c.PollInterval)
	}
	if c.Explorer != "" && !isWebURL(c.Explorer) {
		f.add("%s.explorer is not an http or https URL without user, query and fragment", key)
	}
	if len(c.Tokens) == 0 {
		f.add("%s.tokens is required: at least one", key)
	}
	symbols, addresses := make(map[string]string), make(map[string]string)
	for i, t := range c.Tokens {
		t.check(f, fmt.Sprintf("%s.tokens[%d]", key, i), c.isSolana(), symbols, addresses)
	}
	for i, t := range c.Tiers {
		at := fmt.Sprintf("%s.tiers[%d]", key, i)
		if _, err := c.tier(t); err != nil {
			f.add("%s%w", at, err)
		}
		t.Finality.check(f, at+".finality", c.isSolana())
		checkTrust(f, at+".trust", t.Trust, len(operators))
		if strings.HasPrefix(t.Trust, "proof") && !strings.HasPrefix(c.Trust, "proof") {
			f.add("%s.trust demands a proof, which %s.trust does not", at, key)
		}
	}
}

// chainID is the id in CAIP-2's form. The error continues a sentence about the key.
func (c ChainConfig) chainID() (settlement.ChainID, error) {
	if c.isSolana() {
		id, err := solana.ParseChain(c.ID)
		if err != nil {
			return "", fmt.Errorf("%q is not solana:, a name such as solana or solana:devnet, or the first 32 characters of a genesis hash", c.ID)
		}
		return id, nil
	}
	namespace, reference, _ := strings.Cut(c.ID, ":")
	switch n, err := strconv.ParseUint(reference, 10, 64); {
	case c.ID == "":
		return "", errors.New("is required, such as eip155:8453")
	case namespace != "eip155" && reference != "":
		return "", fmt.Errorf("%q: only EVM chains (eip155:N) and Solana are supported", c.ID)
	case err != nil || n == 0 || strconv.FormatUint(n, 10) != reference:
		return "", fmt.Errorf("%q is not a CAIP-2 id, such as eip155:8453", c.ID)
	}
	return settlement.ChainID(c.ID), nil
}

// finality is the rule that was configured, or the one that is shipped; zero when there is neither.
func (c ChainConfig) finality() FinalityConfig {
	if c.Finality != (FinalityConfig{}) {
		return c.Finality
	}
	if c.isSolana() {
		return FinalityConfig{Tag: string(solana.Finalized)}
	}
	known, _ := evm.Known(settlement.ChainID(c.ID))
	return FinalityConfig{Tag: known.Finality.Tag, Depth: known.Finality.Depth}
}

// trust reads the text, which was checked; empty is the given default.
func trust(text string, otherwise evm.Trust) (evm.Trust, error) {
	if text == "" {
		return otherwise, nil
	}
	return evm.ParseTrust(text)
}

func checkTrust(f *faults, key, text string, operators int) {
	t, err := trust(text, evm.Trust{})
	switch {
	case err != nil:
		f.add("%s: %w", key, err)
	case t.Operators > operators:
		f.add("%s is %s, and the endpoints are of %d operator(s) only", key, t, operators)
	}
}

// tier is the tier in the verifier's terms. The error continues the key.
func (c ChainConfig) tier(t TierConfig) (evm.Tier, error) {
	i := slices.IndexFunc(c.Tokens, func(token TokenConfig) bool { return token.Symbol == t.Token })
	if i < 0 {
		return evm.Tier{}, fmt.Errorf(".token %q is none of the chain's tokens", t.Token)
	}
	upTo, rounded, err := settlement.AmountFromMajor(t.UpTo, c.Tokens[i].Decimals)
	if err != nil || rounded || upTo.IsZero() {
		return evm.Tier{}, fmt.Errorf(".up_to %q is not an amount of %s above 0 with at most %d decimals", t.UpTo, t.Token, c.Tokens[i].Decimals)
	}
	chain, err := trust(c.Trust, evm.Trust{})
	if err != nil {
		return evm.Tier{}, nil //nolint:nilerr // reported where it stands
	}
	out := evm.Tier{UpTo: upTo, Finality: c.finality().rule()}
	if t.Finality != (FinalityConfig{}) {
		out.Finality = t.Finality.rule()
	}
	if out.Trust, err = trust(t.Trust, chain); err != nil {
		return evm.Tier{}, nil //nolint:nilerr // reported where it stands
	}
	if !c.Tokens[i].Native {
		if out.Token, err = evm.ParseAddress(c.Tokens[i].Address); err != nil {
			return evm.Tier{}, nil //nolint:nilerr // reported where it stands
		}
	}
	return out, nil
}

func (e EndpointConfig) operator() string {
	if e.Operator == "" {
		return e.Name
	}
	return e.Operator
}

func (e EndpointConfig) check(f *faults, key string, names map[string]string) {
	f.require(key+".name", e.Name)
	unique(f, key+".name", e.Name, names)
	if u, err := url.Parse(string(e.URL)); err != nil || u.Host == "" || !slices.Contains([]string{"http", "https", "ws", "wss"}, u.Scheme) {
		f.add("%s.url is not an http, https, ws or wss URL", key)
	}
	if u, err := url.Parse(string(e.WebSocket)); e.WebSocket != "" && (err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss") {
		f.add("%s.websocket is not a ws or wss URL", key)
	}
	for i, h := range e.Headers {
		if name, value, ok := strings.Cut(string(h), ":"); !ok || strings.TrimSpace(name) == "" || strings.TrimSpace(value) == "" {
			f.add("%s.headers[%d] is not Name: value", key, i)
		}
	}
	if e.CallsPerSecond > 100_000 {
		f.add("%s.calls_per_second is %d, at most 100000", key, e.CallsPerSecond)
	}
}

// header is the endpoint's headers as net/http takes them.
func (e EndpointConfig) header() http.Header {
	header := make(http.Header)
	for _, h := range e.Headers {
		name, value, _ := strings.Cut(string(h), ":")
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return header
}

func (r FinalityConfig) rule() evm.Finality { return evm.Finality{Tag: r.Tag, Depth: r.Depth} }

func (r FinalityConfig) check(f *faults, key string, onSolana bool) {
	switch {
	case r.Tag != "" && r.Depth != 0:
		f.add("%s has both a tag and a depth", key)
	case onSolana && r != (FinalityConfig{}) && r.Tag != string(solana.Finalized) && r.Tag != string(solana.Confirmed):
		f.add("%s is not the tag finalized or confirmed, which are Solana's", key)
	case !onSolana && r.Tag != "" && r.Tag != "finalized" && r.Tag != "safe" && r.Tag != "latest":
		f.add("%s.tag %q is not finalized, safe or latest", key, r.Tag)
	}
}

func (t TokenConfig) check(f *faults, key string, onSolana bool, symbols, addresses map[string]string) {
	f.require(key+".symbol", t.Symbol)
	unique(f, key+".symbol", t.Symbol, symbols)
	if _, err := t.approvalAbove(); err != nil && t.Decimals <= settlement.MaxDecimals {
		f.add("%s.approval_above %q is not an amount of whole tokens with at most %d decimals", key, t.ApprovalAbove, t.Decimals)
	}
	if t.Decimals > settlement.MaxDecimals {
		f.add("%s.decimals is %d, at most %d", key, t.Decimals, settlement.MaxDecimals)
	}
	switch kind := settlement.TokenKind(t.Kind); kind {
	case "", settlement.Plain, settlement.Fee, settlement.Rebasing, settlement.Refuse:
		if t.Received && kind != settlement.Fee && kind != settlement.Rebasing {
			f.add("%s.received is for the kinds fee and rebasing", key)
		}
	default:
		f.add("%s.kind %q is not plain, fee, rebasing or refuse", key, t.Kind)
	}
	switch {
	case t.Native && t.Address != "":
		f.add("%s is native and has an address", key)
	case t.Native && t.Decimals == 0: // no contract could contradict it at start
		f.add("%s.decimals is required for a native coin", key)
	case t.Native:
		unique(f, key+".native", "the native coin", addresses)
	case t.Address == "":
		f.add("%s.address is required, or native: true", key)
	default:
		parse, format := evm.ParseAddress, evm.FormatAddress
		if onSolana {
			parse, format = solana.ParseAddress, solana.FormatAddress
		}
		address, err := parse(t.Address)
		if err != nil {
			f.add("%s.address: %w", key, err)
			return
		}
		unique(f, key+".address", format(address), addresses)
	}
	switch {
	case t.Program != "" && (!onSolana || t.Native):
		f.add("%s.program is for mints on Solana", key)
	case t.Program != "" && t.Program != classicProgram && t.Program != token2022Program:
		f.add("%s.program %q is not %s or %s", key, t.Program, classicProgram, token2022Program)
	}
}

// policy is what may differ from token to token, in the domain's terms.
func (t TokenConfig) policy() settlement.Policy {
	return settlement.Policy{Kind: settlement.TokenKind(t.Kind), Received: t.Received, AtLeast: t.AtLeast, OneFit: t.OneFit}
}
