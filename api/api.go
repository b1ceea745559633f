// Package api is HTTP in: order webhooks, the payments of a marketplace, and the payer's side of one payment. Problem
// documents go out. It decides nothing about a payment: it reads rows, and writes go through jobs. It never speaks to a
// chain or to the orchestrator.
//
// Read next: webhook.go (how an order comes in), payment.go (how a payment looks from outside), problem.go (every error).
package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/jackc/pgx/v5/pgxpool"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/swaggest/swgui/v5emb"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// Marketplace is one marketplace whose webhooks are accepted.
type Marketplace struct {
	ID string
	// WebhookSecrets are base64 of at least 24 bytes, with or without the prefix whsec_: one, or two while they are being
	// exchanged. Never printed.
	WebhookSecrets []string
}

// Config is what the API needs. All fields are required but those that name a default.
type Config struct {
	Runner       *jobs.Runner
	Pool         *pgxpool.Pool // for reads
	Marketplaces []Marketplace
	// PublicURL is where payers reach this API, without a slash at the end; payers' links begin with it.
	PublicURL string
	// TrustedProxies are CIDR prefixes of proxies whose X-Forwarded-For is believed. Defaults to none: the peer of the
	// connection is the client, so that nobody evades a rate limit with a header.
	TrustedProxies []string
	// Identity vouches for people who sign in. Defaults to nobody: there are keys alone.
	Identity *Identity
	// Pages builds what is served below /dashboard from the API, for whoever signs in there. Defaults to nothing.
	Pages func(api http.Handler) (http.Handler, error)
	// EvidenceMaxBytes bounds the evidence in disputes that is kept here. Defaults to 5 MiB.
	EvidenceMaxBytes int
	// Development lets a person approve with a key, and keys and scopes count from the beginning.
	Development bool
	Logger      *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now     func() time.Time
	Version string // of this build, for /healthz and the OpenAPI document
}

// server holds what handlers share. It is read-only once New has returned.
type server struct {
	cfg     Config
	router  *chi.Mux
	api     huma.API
	secrets map[string][]*standardwebhooks.Webhook // marketplace → its webhook secrets
}

// New checks the configuration and builds the API.
func New(cfg Config) (http.Handler, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return s.router, nil
}

func newServer(cfg Config) (*server, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.EvidenceMaxBytes == 0 {
		cfg.EvidenceMaxBytes = 5 << 20
	}
	cfg.PublicURL = strings.TrimSuffix(cfg.PublicURL, "/")
	s := &server{cfg: cfg, router: chi.NewRouter(), secrets: make(map[string][]*standardwebhooks.Webhook)}
	var faults []error
	if cfg.Identity != nil {
		if cfg.Identity.Issuer == "" || cfg.Identity.Audience == "" || cfg.Identity.Client == nil {
			faults = append(faults, errors.New("Identity needs Issuer, Audience and Client"))
		}
	}
	if cfg.Runner == nil || cfg.Pool == nil || cfg.Logger == nil {
		faults = append(faults, errors.New("Runner, Pool and Logger are required"))
	}
	if u, err := url.Parse(cfg.PublicURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		faults = append(faults, fmt.Errorf("PublicURL %q is not an http or https URL", cfg.PublicURL))
	}
	for _, prefix := range cfg.TrustedProxies {
		if _, err := netip.ParsePrefix(prefix); err != nil {
			faults = append(faults, fmt.Errorf("trusted proxy %q is not a CIDR prefix", prefix))
		}
	}
	for _, m := range cfg.Marketplaces {
		var err error
		if s.secrets[m.ID], err = webhookSecrets(m); err != nil {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	clientIP := middleware.ClientIPFromRemoteAddr
	if len(cfg.TrustedProxies) > 0 {
		clientIP = middleware.ClientIPFromXFF(cfg.TrustedProxies...)
	}
	s.router.Use(identify, s.logRequests, s.survive, harden, clientIP, middleware.GetHead)
	s.router.NotFound(unknownRoute)
	s.router.MethodNotAllowed(unknownMethod(s.router))
	s.api = humachi.New(s.router, document(cfg))
	s.registerWebhook()
	s.registerPayments()
	s.registerTransactions()
	s.registerInstruments()
	s.registerSearch()
	s.registerActions()
	s.registerApprovals()
	s.registerLedger()
	s.registerCaller()
	s.registerEvidence()
	s.registerHalts()
	s.registerSigners()
	s.registerPay()
	s.registerHealth()
	if cfg.Pages != nil {
		pages, err := cfg.Pages(s.router)
		if err != nil {
			return nil, err
		}
		s.router.Mount("/dashboard", pages)
	}
	return s, s.serveDocument()
}

// document is the head of the OpenAPI document. Operations add themselves.
func document(cfg Config) huma.Config {
	c := huma.DefaultConfig("settler", cfg.Version)
	// Served by serveDocument; bodies keep to their fields instead of linking to schemas.
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.Transformers = []huma.Transformer{transform}
	c.AllowAdditionalPropertiesByDefault = true // clients must accept fields that later versions add
	c.Info.Description = "Payment settlement verification: whether an order's payment is on the chain, and what has become of it.\n\n" +
		"Amounts are strings in base units, with the major units beside them. Times are RFC 3339 in UTC. " +
		"Chains are named by CAIP-2; addresses and transaction ids have the chain's own form. " +
		"Every answer that is not a success is a problem (RFC 9457) with a stable `code`. New fields may be added to answers at any time."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: "/", Description: "Where this document was served."}}
	c.Tags = []*huma.Tag{
		{Name: "Webhooks", Description: "What a marketplace tells settler."},
		{Name: "Payments", Description: "What settler tells a marketplace. Needs an API key."},
		{Name: "Admin", Description: "For the people who look after payments. Needs an API key."},
		{Name: "Payers", Description: "What a payer sees and does, with the token of the pay_url."},
		{Name: "Health", Description: "For whoever runs the process."},
	}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"apiKey": {
			Type: "http", Scheme: "bearer", BearerFormat: "sk_…",
			Description: "A key from `settler keys create`, or a token of the configured OpenID Connect issuer for somebody whom `settler persons add` has made known. " +
				"It reaches one marketplace, or all with scope admin. Scopes include each other: read, operate, admin.",
		},
		"webhookSignature": {
			Type: "apiKey", In: "header", Name: "webhook-signature",
			Description: "Standard Webhooks: HMAC-SHA-256 over webhook-id, webhook-timestamp and the raw body, joined by dots.",
		},
	}
	return c
}

// serveDocument serves the OpenAPI document and its page, which loads nothing from elsewhere.
func (s *server) serveDocument() error {
	openapi := s.api.OpenAPI()
	for _, name := range []string{"ErrorModel", "ErrorDetail"} { // huma's own errors never leave the server
		delete(openapi.Components.Schemas.Map(), name)
	}
	asJSON, err := openapi.MarshalJSON()
	if err != nil {
		return fmt.Errorf("encode OpenAPI document: %w", err)
	}
	asYAML, err := openapi.YAML()
	if err != nil {
		return fmt.Errorf("encode OpenAPI document: %w", err)
	}
	serve := func(mediaType string, text []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			_, _ = w.Write(text) // the client has gone: nobody is left to tell
		}
	}
	s.router.Get("/openapi.json", serve("application/vnd.oai.openapi+json", asJSON))
	s.router.Get("/openapi.yaml", serve("application/vnd.oai.openapi", asYAML))
	s.router.Get("/docs", http.RedirectHandler("/docs/", http.StatusMovedPermanently).ServeHTTP)
	page := v5emb.New("settler API", "/openapi.json", "/docs/")
	s.router.Get("/docs/*", func(w http.ResponseWriter, r *http.Request) {
		// The page has a script and styles of its own inline; everything it loads is ours.
		w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "+
			"img-src 'self' data:; frame-ancestors 'none'")
		page.ServeHTTP(w, r)
	})
	return nil
}

// register adds an operation whose errors all become problems; codes are those that it may answer beside INTERNAL.
func register[I, O any](s *server, op huma.Operation, codes []Code, handle func(context.Context, *I) (*O, error)) {
	for _, asked := range op.Security {
		if scope, ok := asked["apiKey"]; ok {
			codes = append([]Code{APIKeyInvalid, ScopeInsufficient, IssuerUnavailable}, codes...)
			if scope[0] == scopeAdmin {
				codes = append(codes, CredentialYoung)
			}
		}
	}
	op.Responses = responses(s.api, codes)
	huma.Register(s.api, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := handle(ctx, in)
		if err != nil {
			return nil, s.problemOf(ctx, err)
		}
		return out, nil
	})
	if path := s.api.OpenAPI().Paths[op.Path]; path.Post != nil && path.Post.RequestBody != nil && !slices.Contains(op.Tags, "Webhooks") {
		s.refuseUnknown(path.Post.RequestBody.Content["application/json"])
	}
}

// refuseUnknown lets a body have its own fields alone: without its misspelt amount a refund would be of everything.
func (s *server) refuseUnknown(body *huma.MediaType) {
	if body == nil {
		return
	}
	for open := []*huma.Schema{body.Schema}; len(open) > 0; open = open[1:] {
		schema := open[0]
		if schema.Ref != "" {
			schema = s.api.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
		}
		if schema.Type == huma.TypeObject {
			schema.AdditionalProperties = false
		}
		open = append(open, slices.Collect(maps.Values(schema.Properties))...)
	}
}

// secured makes an operation ask for an API key with the scope.
func (s *server) secured(op huma.Operation, scope string) huma.Operation {
	op.Security = []map[string][]string{{"apiKey": {scope}}}
	op.RejectUnknownQueryParameters = true // a misspelt filter would select everything; payers' links may carry anything
	op.Middlewares = append(op.Middlewares, s.requireKey(scope), s.requireOnce)
	return op
}

func (s *server) render() render { return render{s: s, now: s.cfg.Now().UTC()} }

// renderWith also knows how far the payment's chain is, so that transfers can be shown.
func (s *server) renderWith(ctx context.Context, p settlement.Payment) (render, error) {
	v := s.render()
	cursor, err := store.ChainCursor(ctx, s.cfg.Pool, p.Terms.Token.Chain)
	if err != nil && !errors.Is(err, store.ErrNotFound) { // a payment without terms has no chain yet
		return v, err
	}
	v.latest = cursor.Number
	return v, nil
}

func (s *server) payURL(id settlement.PaymentID) string {
	return s.cfg.PublicURL + "/v1/pay/" + s.cfg.Runner.PayToken(id)
}
