package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
)

// defaultConfigFile is read when neither --config nor SETTLER_CONFIG names a file.
const defaultConfigFile = "settler.yaml"

// Config is all that settler can be told. Every key can be overridden by an environment variable: SETTLER_ and the path in
// capitals, with the index of a list's element as a number (SETTLER_CHAINS_0_ENDPOINTS_0_URL). docs/configuration.md
// describes each key.
type Config struct {
	// Mode is production or development. In production the password of a key must not stand in the file,
	// keys of the API approve nothing, and they and scopes count after a day. Defaults to
	// development.
	Mode string `yaml:"mode" env:"MODE"`
	// Listen is host:port of the HTTP server; port 0 takes a free one. Defaults to 127.0.0.1:8080.
	Listen string `yaml:"listen" env:"LISTEN"`
	// MetricsListen is host:port of /metrics, which asks nobody who he is. Defaults to none: no metrics are served.
	MetricsListen string `yaml:"metrics_listen" env:"METRICS_LISTEN"`
	// PublicURL is where payers reach the API; the links that they get begin with it. Defaults to http:// and the
	// address that is listened on.
	PublicURL string `yaml:"public_url" env:"PUBLIC_URL"`
	// TrustedProxies are CIDR prefixes of proxies whose X-Forwarded-For is believed, so that rate limits count payers and
	// not the proxy. Defaults to none.
	TrustedProxies []string       `yaml:"trusted_proxies" env:"TRUSTED_PROXIES"`
	Database       DatabaseConfig `yaml:"database" envPrefix:"DATABASE_"`
	// PayTokenKey derives the tokens in payers' links: at least 32 bytes in hex or base64, the same in every process; with
	// another key all links change. Required.
	PayTokenKey  secret              `yaml:"pay_token_key" env:"PAY_TOKEN_KEY"`
	Agent        AgentConfig         `yaml:"agent" envPrefix:"AGENT_"`
	Marketplaces []MarketplaceConfig `yaml:"marketplaces" envPrefix:"MARKETPLACES_"` // at least one
	Chains       []ChainConfig       `yaml:"chains" envPrefix:"CHAINS_"`             // at least one
	Signers      []SignerConfig      `yaml:"signers" envPrefix:"SIGNERS_"`           // keys that move money. Defaults to none
	VaultSecret  VaultSecretConfig   `yaml:"vault_secret" envPrefix:"VAULT_SECRET_"`
	// EarlierVaultSecrets are those of earlier epochs, as long as wallets derived from them may hold money. Defaults to none.
	EarlierVaultSecrets []VaultSecretConfig `yaml:"earlier_vault_secrets" envPrefix:"EARLIER_VAULT_SECRETS_"`

	Admin AdminConfig `yaml:"admin" envPrefix:"ADMIN_"`
	Log   LogConfig   `yaml:"log" envPrefix:"LOG_"`
}

// DatabaseConfig says where Postgres is.
type DatabaseConfig struct {
	// URL is a Postgres connection string; it may lead through a pooler. Required.
	URL secret `yaml:"url" env:"URL"`
	// DirectURL reaches Postgres itself: locks and notifications need a session. Defaults to URL.
	DirectURL secret `yaml:"direct_url" env:"DIRECT_URL"`
	// MaxConnections of the pool on URL; the work behind DirectURL takes up to about ten more. Defaults to 20.
	MaxConnections int32 `yaml:"max_connections" env:"MAX_CONNECTIONS"`
	// HighWaterFile is the path of a file that remembers, outside Postgres, what was sent to chains; each process that serves has its own,
	// which a rehearsal beside it shares, where no restore of the database reaches it. Defaults to none: an older database is then known by the chain alone.
	HighWaterFile string `yaml:"high_water_file" env:"HIGH_WATER_FILE"`
}

// AgentConfig is the key that signs the orchestrator's challenges, and who we say we are. The key is in Keystore or with
// Remote: exactly one.
type AgentConfig struct {
	Keystore     string             `yaml:"keystore" env:"KEYSTORE"`           // path of a go-ethereum keystore file
	Password     secret             `yaml:"password" env:"PASSWORD"`           // of the keystore; or PasswordFile
	PasswordFile string             `yaml:"password_file" env:"PASSWORD_FILE"` // path of a file with the password; a last line break does not count
	Remote       RemoteSignerConfig `yaml:"remote" envPrefix:"REMOTE_"`
	Provider     string             `yaml:"provider" env:"PROVIDER"` // agentProvider of our pairings. Defaults to settler
	Role         string             `yaml:"role" env:"ROLE"`         // agentRole of our pairings. Defaults to settlement
}

// RemoteSignerConfig is a signer that keeps the agent's key to itself and is asked over JSON-RPC. It is absent when nothing
// of it is given.
type RemoteSignerConfig struct {
	URL     secret `yaml:"url" env:"URL"`         // http or https; may hold a key. Required
	Address string `yaml:"address" env:"ADDRESS"` // of the key; no signature of another one is taken. Required
	Method  string `yaml:"method" env:"METHOD"`   // personal_sign or eth_sign. Defaults to personal_sign
}

// MarketplaceConfig is one marketplace that settler serves.
type MarketplaceConfig struct {
	ID           string             `yaml:"id" env:"ID"` // stands in URLs and rows, so it never changes. Required
	Orchestrator OrchestratorConfig `yaml:"orchestrator" envPrefix:"ORCHESTRATOR_"`
	// WebhookSecrets sign the marketplace's webhooks: base64 of at least 24 bytes, with or without whsec_; one, or two
	// while they are exchanged. Required.
	WebhookSecrets []secret      `yaml:"webhook_secrets" env:"WEBHOOK_SECRETS"`
	Machines       []string      `yaml:"machines" env:"MACHINES"`           // ids whose orders are listed, to find what webhooks missed. Defaults to all machines that the orchestrator shows us
	ListInterval   time.Duration `yaml:"list_interval" env:"LIST_INTERVAL"` // time between two pages (500 orders) of that listing; 0 turns it off. Defaults to 1s
	Deadline       time.Duration `yaml:"deadline" env:"DEADLINE"`           // how long a payer has. Defaults to 30m
	Grace          time.Duration `yaml:"grace" env:"GRACE"`                 // how long after it a payment still counts. Defaults to 10m
	Skew           time.Duration `yaml:"skew" env:"SKEW"`                   // by how much a block may be older than the intent. Defaults to 60s
	// What is done with money that is not one exact payment in time by one of the payers; by default a person decides.
	Under      DifferenceConfig `yaml:"under" envPrefix:"UNDER_"`      // less than the price
	Over       DifferenceConfig `yaml:"over" envPrefix:"OVER_"`        // more than the price
	Late       LateConfig       `yaml:"late" envPrefix:"LATE_"`        // after the deadline and its grace
	OtherPayer string           `yaml:"other_payer" env:"OTHER_PAYER"` // from a wallet that is none of the payers: review or accept. Defaults to review
	Disputes   DisputesConfig   `yaml:"disputes" envPrefix:"DISPUTES_"`
	// GasReserves keep a part of what the wallets that pay for payouts have for this marketplace's payments. Defaults to none.
	GasReserves []GasReserveConfig `yaml:"gas_reserves" envPrefix:"GAS_RESERVES_"`
}

// DisputesConfig is how long people have in a dispute.
type DisputesConfig struct {
	RespondWithin time.Duration `yaml:"respond_within" env:"RESPOND_WITHIN"` // for the other party to answer. Defaults to 72h
	DecideWithin  time.Duration `yaml:"decide_within" env:"DECIDE_WITHIN"`   // for somebody to decide, from the opening or the appeal on. Defaults to 240h
	AppealWithin  time.Duration `yaml:"appeal_within" env:"APPEAL_WITHIN"`   // before a decision takes effect; 0 leaves no appeal. Defaults to 72h
	RemindBefore  time.Duration `yaml:"remind_before" env:"REMIND_BEFORE"`   // each deadline. Defaults to 24h
	// Default is what becomes of the money when nobody decides in time: none, where it stays frozen, release or refund.
	// Defaults to none.
	Default string `yaml:"default" env:"DEFAULT"`
}

// OrchestratorConfig is the orchestrator of one marketplace.
type OrchestratorConfig struct {
	URL    string `yaml:"url" env:"URL"`         // without /api/v1. Required
	APIKey secret `yaml:"api_key" env:"API_KEY"` // Defaults to none: a deployment need not demand one
	// RequestsPerSecond is the most calls that one process makes; 0 is no limit. Defaults to 100.
	RequestsPerSecond int `yaml:"requests_per_second" env:"REQUESTS_PER_SECOND"`
}

// AdminConfig says who the people are that look after payments.
type AdminConfig struct {
	// Issuer is the URL of the OpenID Connect issuer that vouches for people, Audience what its tokens for us name (the client
	// id). Both or neither. Defaults to nobody: there are keys alone.
	Issuer   string `yaml:"issuer" env:"ISSUER"`
	Audience string `yaml:"audience" env:"AUDIENCE"`
	// ClientSecret is our own at the issuer, for the dashboard's sign-in. Defaults to none: a public client, which PKCE protects.
	ClientSecret secret `yaml:"client_secret" env:"CLIENT_SECRET"`
	// SessionLifetime is how long somebody stays signed in to the dashboard. Defaults to 8h.
	SessionLifetime time.Duration `yaml:"session_lifetime" env:"SESSION_LIFETIME"`
	// ApprovalExpiry is how long a request waits for other people's approval. Defaults to 72h.
	ApprovalExpiry time.Duration `yaml:"approval_expiry" env:"APPROVAL_EXPIRY"`
	// EvidenceMaxBytes bounds a document in a dispute that is kept in the database. Defaults to 5242880 (5 MiB).
	EvidenceMaxBytes int `yaml:"evidence_max_bytes" env:"EVIDENCE_MAX_BYTES"`
}

// LogConfig is what is written to standard error.
type LogConfig struct {
	Level  string `yaml:"level" env:"LEVEL"`   // debug, info, warn or error. Defaults to info
	Format string `yaml:"format" env:"FORMAT"` // json or text. Defaults to json
}

// defaulter gives a struct its defaults before anything is read into it, so that an explicit zero stays one.
type defaulter interface{ setDefaults() }

func (c *Config) setDefaults() {
	c.Mode, c.Listen = modeProduction, "127.0.0.1:8080"
	c.Database.MaxConnections = 20
	c.Agent.Provider, c.Agent.Role = "settler", "settlement"
	c.Admin.ApprovalExpiry, c.Admin.SessionLifetime, c.Admin.EvidenceMaxBytes = 72*time.Hour, 8*time.Hour, 5<<20
	c.Log = LogConfig{Level: "info", Format: "json"}
}

func (m *MarketplaceConfig) setDefaults() {
	m.Deadline, m.Grace, m.Skew, m.ListInterval = 30*time.Minute, 10*time.Minute, time.Minute, time.Second
	m.Orchestrator.RequestsPerSecond = 100
	m.Under.Policy, m.Over.Policy, m.Late.Policy, m.OtherPayer = policyReview, policyReview, policyReview, policyReview
	d := jobs.DefaultDisputes
	m.Disputes = DisputesConfig{d.RespondWithin, d.DecideWithin, d.AppealWithin, d.RemindBefore, string(d.Default)}
}

// defaultConfig is a configuration in which nothing was said.
func defaultConfig() *Config {
	c := &Config{}
	c.setDefaults()
	return c
}

// configFlag is the flag of every command that needs the configuration.
type configFlag struct {
	Config string `short:"c" env:"SETTLER_CONFIG" placeholder:"FILE" help:"The configuration file (default: settler.yaml)."`
}

// load reads the configuration and returns every fault of it at once.
func (f configFlag) load() (*Config, error) { return loadConfig(f.Config, os.Environ()) }

// loadConfig reads the file, then the environment (as of os.Environ), and checks the result. With path "" it reads
// settler.yaml, which may be absent when the environment says it all.
func loadConfig(path string, environ []string) (*Config, error) {
	name := path
	if name == "" {
		name = defaultConfigFile
	}
	cfg := defaultConfig()
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist) && path == "" && len(variablesOf(environ)) > 0:
		name = "of the environment"
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("configuration: there is no file %s; `settler config example` prints one to start from", name)
	case err != nil:
		return nil, fmt.Errorf("configuration: %w", err)
	}
	// What cannot be read is not checked as well: a value that is missing for that reason would be reported twice.
	inFile := readYAML(cfg, text)
	passwords := cfg.plaintextPasswords()
	if err := errors.Join(inFile, readEnvironment(cfg, environ)); err != nil {
		return nil, configFaults(name, err)
	}
	var f faults
	if cfg.Mode == modeProduction {
		for _, key := range passwords {
			f.add("%s.password stands in the file, which mode production refuses; it belongs into the environment or the file of %s.password_file", key, key)
		}
	}
	if err := errors.Join(cfg.Check(), errors.Join(f...)); err != nil {
		return nil, configFaults(name, err)
	}
	return cfg, nil
}

// configFaults puts each fault on a line of its own below the file's name.
func configFaults(name string, err error) error {
	return fmt.Errorf("configuration %s:\n  %w", name, indented{err})
}

type indented struct{ error }

func (e indented) Error() string { return strings.ReplaceAll(e.error.Error(), "\n", "\n  ") }

func (e indented) Unwrap() error { return e.error }

// directURL is database.direct_url or what it defaults to.
func (c *Config) directURL() string {
	if c.Database.DirectURL != "" {
		return string(c.Database.DirectURL)
	}
	return string(c.Database.URL)
}

// agentSigner is the agent's key, wherever it is.
type agentSigner interface {
	orchestration.Signer
	Address() string // as EIP-55 writes it
}

// signer opens the keystore, or prepares to ask the remote signer, which is not asked yet. The error names the key of the
// configuration.
func (a AgentConfig) signer() (agentSigner, error) {
	if a.Remote != (RemoteSignerConfig{}) {
		remote, err := a.Remote.signer()
		if err != nil {
			return nil, fmt.Errorf("agent.remote: %w", err)
		}
		return remote, nil
	}
	password, err := passwordOf(a.Password, a.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("agent.%w", err)
	}
	key, err := agentkey.LoadKeystore(a.Keystore, password)
	if err != nil {
		return nil, fmt.Errorf("agent.keystore: %w", err)
	}
	return key, nil
}

func (r RemoteSignerConfig) signer() (*agentkey.Remote, error) {
	return agentkey.NewRemote(agentkey.RemoteConfig{URL: orchestration.Secret(r.URL), Address: r.Address, Method: r.Method})
}

// payTokenKey decodes pay_token_key. Text that is both hex and base64 is hex.
func (c *Config) payTokenKey() ([]byte, error) {
	text := strings.TrimSpace(string(c.PayTokenKey))
	key, err := hex.DecodeString(text)
	if err != nil {
		key, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil {
		key, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	}
	switch {
	case text == "":
		return nil, errors.New("pay_token_key is required; `openssl rand -hex 32` makes one")
	case err != nil:
		return nil, errors.New("pay_token_key is neither hex nor base64")
	case len(key) < 32:
		return nil, fmt.Errorf("pay_token_key has %d bytes, at least 32 are needed; `openssl rand -hex 32` makes them", len(key))
	}
	return key, nil
}
