package orchestration

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config describes one orchestrator.
type Config struct {
	// BaseURL is scheme, host and optional path, without /api/v1. Required. It
	// may not carry a user, a query or a fragment: those end up in logs.
	BaseURL string
	// APIKey is the platform key, sent as x-api-key on every call but health.
	// Defaults to none: a deployment need not demand one.
	APIKey Secret
	// HTTPClient sends the requests. Its redirect policy is replaced: redirects
	// are never followed, they would carry both secrets to another host.
	// Defaults to a client of its own that keeps 100 idle connections.
	HTTPClient *http.Client
	// UserAgent defaults to "settler".
	UserAgent string
	// ReadTimeout bounds a read with all its repetitions. Defaults to 30 s, as
	// in the vendor's SDK.
	ReadTimeout time.Duration
	// WriteTimeout bounds a write. Defaults to 60 s, as in the vendor's SDK.
	WriteTimeout time.Duration
}

// Client calls one orchestrator. It is safe for concurrent use.
type Client struct {
	base         string // without trailing slash, with /api/v1
	key          Secret
	http         *http.Client
	userAgent    string
	readTimeout  time.Duration
	writeTimeout time.Duration
	reader       Secret // pairing token of As; "" for none
}

// New makes a client. Nothing is sent. The error is a *ConfigError.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.BaseURL)
	switch {
	case cfg.BaseURL == "":
		return nil, &ConfigError{Problem: "base URL is missing"}
	case err != nil:
		// The parse error quotes the URL, which may hold a secret.
		return nil, &ConfigError{Problem: "base URL cannot be parsed"}
	case base.Scheme != "http" && base.Scheme != "https":
		return nil, &ConfigError{Problem: "base URL must start with http:// or https://"}
	case base.Hostname() == "":
		return nil, &ConfigError{Problem: "base URL has no host"}
	case base.User != nil || base.RawQuery != "" || base.Fragment != "":
		return nil, &ConfigError{Problem: "base URL must not carry a user, a query or a fragment"}
	}
	if strings.ContainsAny(string(cfg.APIKey), "\r\n") {
		return nil, &ConfigError{Problem: "API key contains a line break"}
	}
	c := &Client{
		base:         strings.TrimSuffix(base.String(), "/") + "/api/v1",
		key:          cfg.APIKey,
		userAgent:    cfg.UserAgent,
		readTimeout:  cfg.ReadTimeout,
		writeTimeout: cfg.WriteTimeout,
	}
	if c.userAgent == "" {
		c.userAgent = "settler"
	}
	if c.readTimeout <= 0 {
		c.readTimeout = 30 * time.Second
	}
	if c.writeTimeout <= 0 {
		c.writeTimeout = 60 * time.Second
	}
	hc := http.Client{Transport: NewTransport()}
	if cfg.HTTPClient != nil {
		hc = *cfg.HTTPClient
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &hc
	return c, nil
}

// NewTransport is what a client sends with when it is given no HTTPClient; a caller
// wraps it to count or hold back calls. It is the default transport with room for
// the proofs that are posted at the same time: the two idle connections per host
// of net/http would make every other proof open a new one.
func NewTransport() http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok { // replaced by the program; it decides
		return http.DefaultTransport
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = 100
	return transport
}

// As is the same client acting with a pairing token on the reads that may carry
// one: services and single orders. "" goes back to none.
func (c *Client) As(token Secret) *Client {
	as := *c
	as.reader = token
	return &as
}

// String names the orchestrator, without secrets.
func (c Client) String() string { return "orchestration.Client(" + c.base + ")" }

// Format is String for every verb: %d would print the key in its own way.
func (c Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }
