// Package dashboard is the operator's pages: what waits for a person, one payment's whole story, and what may be done about it.
// Each page is put together from answers of the API, which it asks in the same process on behalf of who has signed in: the
// same checks, scopes and problems hold as for everybody. It reads no tables but that of its sessions, and decides nothing.
//
// Read next: pages.go (which answers a page needs), client.go (how the API is asked), session.go (who has signed in).
package dashboard

import (
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/alexedwards/scs/v2"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
)

//go:generate go tool -modfile=../tools/go.mod templ generate

// Config is what the pages need. All fields are required but those that name a default.
type Config struct {
	API  http.Handler
	Pool *pgxpool.Pool // for sessions
	// PublicURL is where people reach the API, without a path; the issuer sends them back to it.
	PublicURL string
	// Identity lets people sign in at their issuer, where ClientSecret is our own; empty for a public client. Defaults to nobody.
	Identity     *api.Identity
	ClientSecret string
	// Keys lets people sign in with an API key: for development. Without it and without Identity nobody can sign in.
	Keys bool
	// SessionLifetime is how long somebody stays signed in.
	SessionLifetime time.Duration
	// Jobs, where not nil, is River's own page; it is shown to admins of all marketplaces alone.
	Jobs   http.Handler
	Logger *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// pages is read-only once New has returned.
type pages struct {
	cfg      Config
	sessions *scs.SessionManager
	assets   map[string]string // name → path that changes with the content
}

//go:embed static
var static embed.FS

// root is the path that the pages are below.
const root = "/dashboard"

// New checks the configuration and builds the pages, to be mounted at /dashboard.
func New(cfg Config) (http.Handler, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	public, err := url.Parse(cfg.PublicURL)
	switch {
	case err != nil || public.Host == "":
		return nil, fmt.Errorf("dashboard: PublicURL %q is not a URL", cfg.PublicURL)
	case cfg.API == nil || cfg.Pool == nil || cfg.Logger == nil || cfg.SessionLifetime <= 0:
		return nil, errors.New("dashboard: API, Pool, Logger and SessionLifetime are required")
	}
	p := &pages{cfg: cfg, assets: make(map[string]string)}
	p.cfg.PublicURL = public.Scheme + "://" + public.Host
	p.sessions = p.newSessions(public.Scheme == "https")
	// Forms of other sites are refused; cookies of ours would go with them.
	origins := http.NewCrossOriginProtection()
	if err := origins.AddTrustedOrigin(p.cfg.PublicURL); err != nil {
		return nil, fmt.Errorf("dashboard: PublicURL: %w", err)
	}
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.show(w, r, http.StatusForbidden, faultPage(frame{title: "Refused"}, api.Problem{
			Title: "Refused", Detail: "The form was not sent by a page of this dashboard. Nothing was done.", Code: "CROSS_ORIGIN",
		}))
	}))
	router := chi.NewRouter()
	router.Use(protect, middleware.Compress(5))
	if err := p.serveStatic(router); err != nil {
		return nil, err
	}
	router.Group(func(r chi.Router) {
		r.Use(origins.Handler, p.sessions.LoadAndSave)
		r.Get("/sign-in", p.handleSignInPage)
		r.Post("/sign-in", p.handleSignInWithKey)
		r.Get("/sign-in/issuer", p.handleSignInAtIssuer)
		r.Get("/sign-in/callback", p.handleCallback)
		r.Post("/sign-out", p.handleSignOut)
		r.Group(func(r chi.Router) {
			r.Use(p.requireSignedIn)
			r.Get("/", p.handleOverview)
			r.Get("/search", p.handleSearch)
			r.Get("/queues/{queue}", p.handleQueue)
			r.Get("/statements", p.handleStatements)
			r.Get("/statements/file", p.handleStatement)
			r.Get("/payments/{id}", p.handlePayment)
			r.Get("/payments/{id}/news", p.handleNews)
			r.Get("/payments/{id}/evidence/{sha256}", p.handleEvidence)
			r.Post("/payments/{id}/actions/{action}", p.handleAct)
			r.Post("/payments/{id}/evidence", p.handleAddEvidence)
			r.Get("/halts", p.handleHalts)
			r.Post("/halts/{switch}", p.handleSwitch)
			r.Post("/signers/restart", p.handleRestart)
			r.Get("/approvals/{id}", p.handleApproval)
			r.Post("/approvals/{id}/{vote}", p.handleVote)
			r.Get("/*", p.handleNotFound)
			if cfg.Jobs != nil {
				r.Handle("/jobs", http.RedirectHandler(root+"/jobs/", http.StatusSeeOther))
				r.With(p.requireOperator, loosen).Handle("/jobs/*", cfg.Jobs)
			}
		})
	})
	return router, nil
}

// policy lets the pages load what is served with them and nothing else. No script and no style is inline.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

// protect narrows what browsers do with the pages, beyond what the API's own headers say.
func protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// loosen lets River's pages, which are not ours, set styles and draw pictures of their own.
func loosen(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		next.ServeHTTP(w, r)
	})
}

// serveStatic serves the embedded files under names that change with their content, so that browsers keep them.
func (p *pages) serveStatic(router chi.Router) error {
	files, err := static.ReadDir("static")
	if err != nil {
		return fmt.Errorf("dashboard: embedded files: %w", err)
	}
	for _, f := range files {
		text, err := static.ReadFile("static/" + f.Name())
		if err != nil {
			return fmt.Errorf("dashboard: embedded files: %w", err)
		}
		sum := sha256.Sum256(text)
		at := fmt.Sprintf("/static/%x/%s", sum[:6], f.Name())
		p.assets[f.Name()] = root + at
		mediaType := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}[path.Ext(f.Name())]
		if mediaType == "" {
			mediaType = "text/plain; charset=utf-8"
		}
		router.Get(at, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mediaType)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			_, _ = w.Write(text) // the client has gone: nobody is left to tell
		})
	}
	return nil
}

// show answers with a page or a part of one.
func (p *pages) show(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
	var text strings.Builder
	if err := page.Render(r.Context(), &text); err != nil {
		p.cfg.Logger.ErrorContext(r.Context(), "page not drawn", "err", err)
		http.Error(w, "The page could not be drawn.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text.String())) // the client has gone: nobody is left to tell
}

// partial reports whether a part of a page was asked for, by its script.
func partial(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// goTo sends the browser to another page, also when its script has asked.
func goTo(w http.ResponseWriter, r *http.Request, to string) {
	if partial(r) {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusNoContent)
		return
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}
