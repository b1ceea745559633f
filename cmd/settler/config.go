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
)

// defaultConfigFile is read when neither --config nor SETTLER_CONFIG names a file.
const defaultConfigFile = "settler.yaml"

// Config is all that settler can be told. Every key can be overridden by an environment variable: SETTLER_ and the path in
// capitals, with the index of a list's element as a number (SETTLER_CHAINS_0_ENDPOINTS_0_URL). docs/configuration.md
// describes each key.
type Config struct {
	// Listen is host:port of the HTTP server; port 0 takes a free one. Defaults to 127.0.0.1:8080.
	Listen string `yaml:"listen" env:"LISTEN"`
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
	Log          LogConfig           `yaml:"log" envPrefix:"LOG_"`
}

// DatabaseConfig says where Postgres is.
type DatabaseConfig struct {
	// URL is a Postgres connection string; it may lead through a pooler. Required.
	URL secret `yaml:"url" env:"URL"`
	// DirectURL reaches Postgres itself: locks and notifications need a session. Defaults to URL.
	DirectURL secret `yaml:"direct_url" env:"DIRECT_URL"`
	// MaxConnections of the pool on URL; the work behind DirectURL takes up to about ten more. Defaults to 20.
	MaxConnections int32 `yaml:"max_connections" env:"MAX_CONNECTIONS"`
}

// AgentConfig is the key that signs the orchestrator's challenges, and who we say we are.
type AgentConfig struct {
	Keystore     string `yaml:"keystore" env:"KEYSTORE"`           // path of a go-ethereum keystore file. Required
	Password     secret `yaml:"password" env:"PASSWORD"`           // of the keystore; or PasswordFile
	PasswordFile string `yaml:"password_file" env:"PASSWORD_FILE"` // path of a file with the password; a last line break does not count
	Provider     string `yaml:"provider" env:"PROVIDER"`           // agentProvider of our pairings. Defaults to settler
	Role         string `yaml:"role" env:"ROLE"`                   // agentRole of our pairings. Defaults to settlement
}

// MarketplaceConfig is one marketplace that settler serves.
type MarketplaceConfig struct {
	ID           string             `yaml:"id" env:"ID"` // stands in URLs and rows, so it never changes. Required
	Orchestrator OrchestratorConfig `yaml:"orchestrator" envPrefix:"ORCHESTRATOR_"`
	// WebhookSecrets sign the marketplace's webhooks: base64 of at least 24 bytes, with or without whsec_; one, or two
	// while they are exchanged. Required.
	WebhookSecrets []secret      `yaml:"webhook_secrets" env:"WEBHOOK_SECRETS"`
	Machines       []string      `yaml:"machines" env:"MACHINES"` // ids whose orders are listed regularly. Defaults to none
	Deadline       time.Duration `yaml:"deadline" env:"DEADLINE"` // how long a payer has. Defaults to 30m
	Grace          time.Duration `yaml:"grace" env:"GRACE"`       // how long after it a payment still counts. Defaults to 10m
	Skew           time.Duration `yaml:"skew" env:"SKEW"`         // by how much a block may be older than the intent. Defaults to 60s
}

// OrchestratorConfig is the orchestrator of one marketplace.
type OrchestratorConfig struct {
	URL    string `yaml:"url" env:"URL"`         // without /api/v1. Required
	APIKey secret `yaml:"api_key" env:"API_KEY"` // Defaults to none: a deployment need not demand one
}

// ChainConfig is one chain that settler serves.
type ChainConfig struct {
	ID           string           `yaml:"id" env:"ID"`                       // CAIP-2: eip155:8453. Required
	Aliases      []string         `yaml:"aliases" env:"ALIASES"`             // friendly names, such as base. Defaults to none
	Endpoints    []EndpointConfig `yaml:"endpoints" envPrefix:"ENDPOINTS_"`  // at least one
	Finality     FinalityConfig   `yaml:"finality" envPrefix:"FINALITY_"`    // Required
	PollInterval time.Duration    `yaml:"poll_interval" env:"POLL_INTERVAL"` // how often the head is asked for. Defaults to 2s
	Explorer     string           `yaml:"explorer" env:"EXPLORER"`           // URL before /tx/<id>. Defaults to none
	Tokens       []TokenConfig    `yaml:"tokens" envPrefix:"TOKENS_"`        // at least one
}

// EndpointConfig is one JSON-RPC server.
type EndpointConfig struct {
	Name string `yaml:"name" env:"NAME"` // in evidence and errors, unique within the chain. Required
	URL  secret `yaml:"url" env:"URL"`   // http or https; it may hold a key. Required
}

// FinalityConfig says which blocks are final: exactly one of its fields.
type FinalityConfig struct {
	Tag   string `yaml:"tag" env:"TAG"`     // finalized, safe or latest
	Depth uint64 `yaml:"depth" env:"DEPTH"` // blocks above
}

// TokenConfig is one token that counts on its chain.
type TokenConfig struct {
	Symbol   string `yaml:"symbol" env:"SYMBOL"`     // unique within the chain. Required
	Address  string `yaml:"address" env:"ADDRESS"`   // the contract; or Native
	Native   bool   `yaml:"native" env:"NATIVE"`     // the chain's own coin
	Decimals uint8  `yaml:"decimals" env:"DECIMALS"` // of the contract, compared at start. Defaults to 0
}

// LogConfig is what is written to standard error.
type LogConfig struct {
	Level  string `yaml:"level" env:"LEVEL"`   // debug, info, warn or error. Defaults to info
	Format string `yaml:"format" env:"FORMAT"` // json or text. Defaults to json
}

// defaulter gives a struct its defaults before anything is read into it, so that an explicit zero stays one.
type defaulter interface{ setDefaults() }

func (c *Config) setDefaults() {
	c.Listen = "127.0.0.1:8080"
	c.Database.MaxConnections = 20
	c.Agent.Provider, c.Agent.Role = "settler", "settlement"
	c.Log = LogConfig{Level: "info", Format: "json"}
}

func (m *MarketplaceConfig) setDefaults() {
	m.Deadline, m.Grace, m.Skew = 30*time.Minute, 10*time.Minute, time.Minute
}

func (c *ChainConfig) setDefaults() { c.PollInterval = 2 * time.Second }

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
	if err := errors.Join(readYAML(cfg, text), readEnvironment(cfg, environ)); err != nil {
		return nil, configFaults(name, err)
	}
	if err := cfg.Check(); err != nil {
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

// password is that of the keystore, from wherever it is.
func (a AgentConfig) password() (string, error) {
	if a.PasswordFile == "" {
		return string(a.Password), nil
	}
	text, err := os.ReadFile(a.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("agent.password_file: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
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
