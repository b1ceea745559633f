package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
)

// faults collects what is wrong; none of them quotes a secret.
type faults []error

func (f *faults) add(format string, args ...any) { *f = append(*f, fmt.Errorf(format, args...)) }

func (f *faults) require(key, value string) {
	if strings.TrimSpace(value) == "" {
		f.add("%s is required", key)
	}
}

// Check returns every fault at once, each with its key. It opens no connection and no file.
func (c *Config) Check() error {
	var f faults
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || !isPort(port) {
		f.add("listen %q is not host:port", c.Listen)
	}
	if c.PublicURL != "" && !isWebURL(c.PublicURL) {
		f.add("public_url is not an http or https URL without user, query and fragment")
	}
	for i, prefix := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(prefix); err != nil {
			f.add("trusted_proxies[%d] %q is not a CIDR prefix such as 10.0.0.0/8", i, prefix)
		}
	}
	c.Database.check(&f)
	if _, err := c.payTokenKey(); err != nil {
		f = append(f, err)
	}
	c.Agent.check(&f)

	if len(c.Marketplaces) == 0 {
		f.add("marketplaces is required: at least one")
	}
	seen := make(map[string]string)
	for i, m := range c.Marketplaces {
		m.check(&f, fmt.Sprintf("marketplaces[%d]", i), seen)
	}
	if len(c.Chains) == 0 {
		f.add("chains is required: at least one")
	}
	seen = make(map[string]string)
	for i, chain := range c.Chains {
		chain.check(&f, fmt.Sprintf("chains[%d]", i), seen)
	}
	if _, err := c.Log.level(); err != nil {
		f = append(f, err)
	}
	if c.Log.Format != "json" && c.Log.Format != "text" {
		f.add("log.format %q is neither json nor text", c.Log.Format)
	}
	return errors.Join(f...)
}

func (d DatabaseConfig) check(f *faults) {
	f.require("database.url", string(d.URL))
	for _, u := range []struct {
		key  string
		text secret
	}{{"database.url", d.URL}, {"database.direct_url", d.DirectURL}} {
		if u.text == "" {
			continue
		}
		if _, err := pgxpool.ParseConfig(string(u.text)); err != nil { // it quotes parts of the text
			f.add("%s is not a Postgres connection string, such as postgres://user:password@host:5432/name", u.key)
		}
	}
	if d.MaxConnections < 4 || d.MaxConnections > 1000 {
		f.add("database.max_connections is %d, not 4 to 1000", d.MaxConnections)
	}
}

func (a AgentConfig) check(f *faults) {
	f.require("agent.keystore", a.Keystore)
	switch {
	case a.Password == "" && a.PasswordFile == "":
		f.add("agent.password or agent.password_file is required")
	case a.Password != "" && a.PasswordFile != "":
		f.add("agent.password and agent.password_file are both given")
	}
	f.require("agent.provider", a.Provider)
	f.require("agent.role", a.Role)
}

// marketplaceID is safe in a URL's path.
var marketplaceID = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

func (m MarketplaceConfig) check(f *faults, key string, seen map[string]string) {
	if !marketplaceID.MatchString(m.ID) {
		f.add("%s.id %q is not 1 to 63 of a-z, 0-9, - and _", key, m.ID)
	}
	unique(f, key+".id", m.ID, seen)
	_, err := orchestration.New(orchestration.Config{BaseURL: m.Orchestrator.URL, APIKey: orchestration.Secret(m.Orchestrator.APIKey)})
	if problem, ok := errors.AsType[*orchestration.ConfigError](err); ok {
		f.add("%s.orchestrator: %s", key, problem.Problem)
	}
	if n := len(m.WebhookSecrets); n < 1 || n > 2 {
		f.add("%s.webhook_secrets has %d entries: one is needed, two while they are exchanged", key, n)
	}
	for i, s := range m.WebhookSecrets {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(string(s), "whsec_"))
		if err != nil || len(raw) < 24 {
			f.add("%s.webhook_secrets[%d] is not base64 of at least 24 bytes, with or without whsec_ before it", key, i)
		}
	}
	for i, machine := range m.Machines {
		f.require(fmt.Sprintf("%s.machines[%d]", key, i), machine)
	}
	if m.Deadline < time.Second {
		f.add("%s.deadline is %s, at least 1s is needed", key, m.Deadline)
	}
	if m.Grace < 0 {
		f.add("%s.grace is negative", key)
	}
	if m.Skew < 0 || m.Skew > 15*time.Minute {
		f.add("%s.skew is %s, not 0s to 15m", key, m.Skew)
	}
}

func (c ChainConfig) check(f *faults, key string, seen map[string]string) {
	if _, err := c.chainID(); err != nil {
		f.add("%s.id %w", key, err)
	}
	unique(f, key+".id", c.ID, seen)
	for i, alias := range c.Aliases {
		at := fmt.Sprintf("%s.aliases[%d]", key, i)
		f.require(at, alias)
		if strings.Contains(alias, ":") {
			f.add("%s %q looks like a CAIP-2 id", at, alias)
		}
		unique(f, at, alias, seen)
	}
	if len(c.Endpoints) == 0 {
		f.add("%s.endpoints is required: at least one", key)
	}
	names := make(map[string]string)
	for i, e := range c.Endpoints {
		at := fmt.Sprintf("%s.endpoints[%d]", key, i)
		f.require(at+".name", e.Name)
		unique(f, at+".name", e.Name, names)
		if u, err := url.Parse(string(e.URL)); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			f.add("%s.url is not an http or https URL", at)
		}
	}
	c.Finality.check(f, key+".finality")
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
		t.check(f, fmt.Sprintf("%s.tokens[%d]", key, i), symbols, addresses)
	}
}

// chainID is the id in CAIP-2's form. The error continues a sentence about the key.
func (c ChainConfig) chainID() (settlement.ChainID, error) {
	namespace, reference, _ := strings.Cut(c.ID, ":")
	switch n, err := strconv.ParseUint(reference, 10, 64); {
	case c.ID == "":
		return "", errors.New("is required, such as eip155:8453")
	case namespace != "eip155" && reference != "":
		return "", fmt.Errorf("%q: only EVM chains (eip155:N) are supported", c.ID)
	case err != nil || n == 0 || strconv.FormatUint(n, 10) != reference:
		return "", fmt.Errorf("%q is not a CAIP-2 id, such as eip155:8453", c.ID)
	}
	return settlement.ChainID(c.ID), nil
}

func (r FinalityConfig) check(f *faults, key string) {
	switch {
	case r.Tag == "" && r.Depth == 0:
		f.add("%s is required: a tag (finalized, safe) or a depth of at least 1", key)
	case r.Tag != "" && r.Depth != 0:
		f.add("%s has both a tag and a depth", key)
	case r.Tag != "" && r.Tag != "finalized" && r.Tag != "safe" && r.Tag != "latest":
		f.add("%s.tag %q is not finalized, safe or latest", key, r.Tag)
	}
}

func (t TokenConfig) check(f *faults, key string, symbols, addresses map[string]string) {
	f.require(key+".symbol", t.Symbol)
	unique(f, key+".symbol", t.Symbol, symbols)
	if t.Decimals > settlement.MaxDecimals {
		f.add("%s.decimals is %d, at most %d", key, t.Decimals, settlement.MaxDecimals)
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
		address, err := evm.ParseAddress(t.Address)
		if err != nil {
			f.add("%s.address: %w", key, err)
			return
		}
		unique(f, key+".address", evm.FormatAddress(address), addresses)
	}
}

// level is the level in slog's terms.
func (l LogConfig) level() (slog.Level, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[l.Level]
	if !ok {
		return 0, fmt.Errorf("log.level %q is not debug, info, warn or error", l.Level)
	}
	return level, nil
}

// unique adds a fault when the value was seen before. seen: value → key that has it.
func unique(f *faults, key, value string, seen map[string]string) {
	if value == "" {
		return
	}
	if first, twice := seen[value]; twice {
		f.add("%s: %s is %s already", key, value, first)
		return
	}
	seen[value] = key
}

func isPort(text string) bool {
	_, err := strconv.ParseUint(text, 10, 16)
	return err == nil
}

// isWebURL reports whether text is an http or https URL that can be shown and extended.
func isWebURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}
