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
	if c.Mode != modeDevelopment && c.Mode != modeProduction {
		f.add("mode %q is neither development nor production", c.Mode)
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil || !isPort(port) {
		f.add("listen %q is not host:port", c.Listen)
	}
	if _, port, err := net.SplitHostPort(c.MetricsListen); c.MetricsListen != "" && (err != nil || !isPort(port)) {
		f.add("metrics_listen %q is not host:port", c.MetricsListen)
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
		key, before := fmt.Sprintf("chains[%d]", i), len(f)
		chain.check(&f, key, seen)
		c.checkEscrow(&f, key, chain)
		c.checkRefunds(&f, key, chain)
		if c.checkCustody(&f, key, chain); len(f) > before {
			continue
		}
		if _, err := chain.build(); err != nil {
			f.add("%s: %s", key, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	c.checkSigners(&f)
	c.checkGasReserves(&f)
	c.VaultSecret.check(&f, "vault_secret")
	epochs := map[uint32]bool{c.VaultSecret.Epoch: true}
	for i, v := range c.EarlierVaultSecrets {
		key := fmt.Sprintf("earlier_vault_secrets[%d]", i)
		v.check(&f, key)
		if epochs[v.Epoch] {
			f.add("%s.epoch %d stands there twice", key, v.Epoch)
		}
		epochs[v.Epoch] = true
	}
	switch {
	case (c.Admin.Issuer == "") != (c.Admin.Audience == ""):
		f.add("admin.issuer and admin.audience are given together or not at all")
	case c.Admin.Issuer != "" && !isWebURL(c.Admin.Issuer):
		f.add("admin.issuer is not an http or https URL without user, query and fragment")
	}
	if c.Admin.Issuer == "" && c.Admin.ClientSecret != "" {
		f.add("admin.client_secret belongs to an admin.issuer")
	}
	if c.Admin.SessionLifetime < time.Minute {
		f.add("admin.session_lifetime is %s, at least 1m is needed", c.Admin.SessionLifetime)
	}
	if c.Admin.ApprovalExpiry < time.Minute {
		f.add("admin.approval_expiry is %s, at least 1m is needed", c.Admin.ApprovalExpiry)
	}
	if c.Admin.EvidenceMaxBytes < 1<<10 || c.Admin.EvidenceMaxBytes > 64<<20 {
		f.add("admin.evidence_max_bytes is %d, not 1024 to 67108864", c.Admin.EvidenceMaxBytes)
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
	remote := a.Remote != RemoteSignerConfig{}
	switch {
	case a.Keystore == "" && !remote:
		f.add("agent.keystore or agent.remote is required")
	case a.Keystore != "" && remote:
		f.add("agent.keystore and agent.remote are both given")
	}
	if remote {
		_, err := a.Remote.signer()
		if problem, ok := errors.AsType[*orchestration.ConfigError](err); ok {
			f.add("agent.remote: %s", strings.TrimPrefix(problem.Problem, "remote signer: "))
		}
	}
	switch {
	case a.Keystore == "" && (a.Password != "" || a.PasswordFile != ""):
		f.add("agent.password and agent.password_file are for agent.keystore, which is absent")
	case a.Keystore != "" && a.Password == "" && a.PasswordFile == "":
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
	if m.Orchestrator.RequestsPerSecond < 0 {
		f.add("%s.orchestrator.requests_per_second is negative; 0 is no limit", key)
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
	if m.ListInterval != 0 && m.ListInterval < 100*time.Millisecond {
		f.add("%s.list_interval is %s: 0 turns the listing off, else at least 100ms is needed", key, m.ListInterval)
	}
	if m.Deadline < time.Second {
		f.add("%s.deadline is %s, at least 1s is needed", key, m.Deadline)
	}
	if m.Grace < 0 {
		f.add("%s.grace is negative", key)
	}
	m.checkLeniency(f, key)
	m.Disputes.check(f, key+".disputes")
	if m.Skew < 0 || m.Skew > 15*time.Minute {
		f.add("%s.skew is %s, not 0s to 15m", key, m.Skew)
	}
}

func (d DisputesConfig) check(f *faults, key string) {
	if d.RespondWithin < time.Minute || d.DecideWithin < d.RespondWithin {
		f.add("%s.respond_within is %s and decide_within %s: at least 1m, and no less to decide than to respond", key, d.RespondWithin, d.DecideWithin)
	}
	if d.AppealWithin < 0 || d.RemindBefore < 0 {
		f.add("%s.appeal_within and remind_before must not be negative", key)
	}
	f.oneOf(key+".default", d.Default, string(settlement.DefaultNone), string(settlement.DefaultRelease), string(settlement.DefaultRefund))
}

func (d DisputesConfig) policy() settlement.DisputePolicy {
	return settlement.DisputePolicy{
		RespondWithin: d.RespondWithin, DecideWithin: d.DecideWithin, AppealWithin: d.AppealWithin, RemindBefore: d.RemindBefore,
		Default: settlement.DisputeDefault(d.Default),
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
