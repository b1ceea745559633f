package dashboard

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/store"
)

// Values of a session. Before somebody has signed in it holds what the issuer must give back.
const (
	sessionKey      = "key"      // hash of the API key that was signed in with
	sessionSubject  = "subject"  // of the person who has signed in at the issuer
	sessionState    = "state"    // guards the way back against other sites
	sessionNonce    = "nonce"    // binds the token to this browser
	sessionVerifier = "verifier" // PKCE
	sessionNext     = "next"     // the page that was asked for
	sessionNotice   = "notice"   // what was done, for the next page
)

func (p *pages) newSessions(secure bool) *scs.SessionManager {
	m := scs.New()
	m.Store, m.Lifetime, m.HashTokenInStore = &sessionStore{p}, p.cfg.SessionLifetime, true
	m.Cookie.Name, m.Cookie.Secure = "settler", secure
	if secure {
		m.Cookie.Name = "__Host-settler" // no other host can set it
	}
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) { p.fail(w, r, err) }
	return m
}

// sessionStore keeps sessions in Postgres.
type sessionStore struct{ p *pages }

var _ scs.CtxStore = (*sessionStore)(nil)

func (s *sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	data, err := store.FindSession(ctx, s.p.cfg.Pool, token, s.p.cfg.Now().UTC())
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return data, err == nil, err
}

func (s *sessionStore) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return store.SaveSession(ctx, s.p.cfg.Pool, token, data, expiry, s.p.cfg.Now().UTC())
}

func (s *sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return store.DeleteSession(ctx, s.p.cfg.Pool, token)
}

// Find, Commit and Delete are part of the interface; the library calls those with a context instead.
func (s *sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

func (s *sessionStore) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

func (s *sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

type (
	whoContext    struct{}
	callerContext struct{}
)

// signedIn is who has signed in with this browser.
func (p *pages) signedIn(ctx context.Context) (who api.SignedIn, ok bool) {
	if subject := p.sessions.GetString(ctx, sessionSubject); subject != "" {
		return api.SignedIn{Subject: subject}, true
	}
	ok = p.cfg.Keys && copy(who.Key[:], p.sessions.GetBytes(ctx, sessionKey)) == len(who.Key)
	return who, ok
}

// requireSignedIn lets requests pass of somebody whom the API knows, and sends others to sign in.
func (p *pages) requireSignedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := r.Context()
		who, ok := p.signedIn(ctx)
		var caller api.Caller
		var err error
		if ok {
			r = r.WithContext(context.WithValue(ctx, whoContext{}, who))
			caller, err = get[api.Caller](p, r, "/v1/caller", nil)
			if problem, refused := errors.AsType[*api.Problem](err); refused && problem.Code == api.APIKeyInvalid { // revoked meanwhile
				if err = p.sessions.Destroy(ctx); err == nil {
					ok = false
				}
			}
		}
		switch {
		case err != nil:
			p.fail(w, r, err)
		case !ok:
			to := root + "/sign-in"
			if r.Method == http.MethodGet && !partial(r) {
				to += "?next=" + url.QueryEscape(r.URL.RequestURI())
			}
			goTo(w, r, to)
		default:
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), callerContext{}, caller)))
		}
	})
}

// requireOperator lets admins of all marketplaces pass.
func (p *pages) requireOperator(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !operator(callerOf(r)) {
			p.fail(w, r, &api.Problem{
				Title: "Not allowed", Status: http.StatusForbidden, Code: api.ScopeInsufficient, Detail: "The jobs of all marketplaces are for admins of all marketplaces.",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func operator(c api.Caller) bool { return c.Scope == "admin" && c.Marketplace == "" }

func callerOf(r *http.Request) api.Caller {
	caller, _ := r.Context().Value(callerContext{}).(api.Caller)
	return caller
}

func (p *pages) handleSignInPage(w http.ResponseWriter, r *http.Request) {
	p.showSignIn(w, r, http.StatusOK, ownPage(r.URL.Query().Get("next")), "")
}

func (p *pages) showSignIn(w http.ResponseWriter, r *http.Request, status int, next, fault string) {
	p.show(w, r, status, signInPage(frame{assets: p.assets, title: "Sign in"}, signIn{
		keys: p.cfg.Keys, issuer: p.cfg.Identity != nil, next: next, fault: fault,
	}))
}

// ownPage is the page to go to after signing in: one of ours, whatever was asked for.
func ownPage(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, root+"/") || strings.Contains(next, `\`) {
		return root + "/"
	}
	return next
}

// maxForm is the largest form in bytes.
const maxForm = 32 << 10

func (p *pages) handleSignInWithKey(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	next := ownPage(r.PostFormValue("next"))
	if !p.cfg.Keys {
		p.showSignIn(w, r, http.StatusForbidden, next, "Keys are for programs here. Sign in at your issuer.")
		return
	}
	key := strings.TrimSpace(r.PostFormValue("key"))
	_, err := ask[api.Caller](p, r, question{method: http.MethodGet, path: "/v1/caller", headers: map[string]string{"Authorization": "Bearer " + key}})
	if _, refused := errors.AsType[*api.Problem](err); refused || err == nil && !strings.HasPrefix(key, "sk_") {
		p.showSignIn(w, r, http.StatusUnauthorized, next, "This is no key that counts. It may be mistyped, or revoked.")
		return
	}
	if err == nil {
		hash := sha256.Sum256([]byte(key))
		err = p.begin(r.Context(), sessionKey, hash[:])
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// begin makes the browser's session one of who has signed in, under a new token.
func (p *pages) begin(ctx context.Context, name string, value any) error {
	if err := p.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := p.sessions.RenewToken(ctx); err != nil {
		return err
	}
	p.sessions.Put(ctx, name, value)
	return nil
}

// oauth is how codes of the issuer become tokens.
func (p *pages) oauth(ctx context.Context) (*oauth2.Config, error) {
	endpoint, err := p.cfg.Identity.Endpoint(ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Config{
		ClientID: p.cfg.Identity.Audience, ClientSecret: p.cfg.ClientSecret, Endpoint: endpoint,
		RedirectURL: p.cfg.PublicURL + root + "/sign-in/callback", Scopes: []string{oidc.ScopeOpenID},
	}, nil
}

// handleSignInAtIssuer begins the authorization code flow with PKCE.
func (p *pages) handleSignInAtIssuer(w http.ResponseWriter, r *http.Request) {
	if p.cfg.Identity == nil {
		p.handleNotFound(w, r)
		return
	}
	ctx := r.Context()
	config, err := p.oauth(ctx)
	if err != nil {
		p.issuerFailed(w, r, err)
		return
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	p.sessions.Put(ctx, sessionState, state)
	p.sessions.Put(ctx, sessionNonce, nonce)
	p.sessions.Put(ctx, sessionVerifier, verifier)
	p.sessions.Put(ctx, sessionNext, ownPage(r.URL.Query().Get("next")))
	http.Redirect(w, r, config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

func (p *pages) handleCallback(w http.ResponseWriter, r *http.Request) {
	if p.cfg.Identity == nil {
		p.handleNotFound(w, r)
		return
	}
	ctx, query := r.Context(), r.URL.Query()
	state, nonce := p.sessions.PopString(ctx, sessionState), p.sessions.PopString(ctx, sessionNonce)
	verifier, next := p.sessions.PopString(ctx, sessionVerifier), ownPage(p.sessions.PopString(ctx, sessionNext))
	if state == "" || subtle.ConstantTimeCompare([]byte(state), []byte(query.Get("state"))) != 1 {
		p.showSignIn(w, r, http.StatusBadRequest, next, "This sign-in was not begun in this browser, or was used already. Begin again.")
		return
	}
	if query.Get("code") == "" {
		p.showSignIn(w, r, http.StatusUnauthorized, next, "The issuer did not let you in.")
		return
	}
	config, err := p.oauth(ctx)
	if err != nil {
		p.issuerFailed(w, r, err)
		return
	}
	token, err := config.Exchange(oidc.ClientContext(ctx, p.cfg.Identity.Client), query.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		p.issuerFailed(w, r, err)
		return
	}
	text, _ := token.Extra("id_token").(string)
	verified, err := p.cfg.Identity.Verify(ctx, text)
	switch {
	case errors.Is(err, api.ErrIssuer):
		p.issuerFailed(w, r, err)
		return
	case err != nil || subtle.ConstantTimeCompare([]byte(verified.Nonce), []byte(nonce)) != 1:
		p.cfg.Logger.WarnContext(ctx, "the issuer's token does not count", "err", err)
		p.showSignIn(w, r, http.StatusUnauthorized, next, "The issuer's answer is not valid. Begin again.")
		return
	}
	known := r.WithContext(context.WithValue(ctx, whoContext{}, api.SignedIn{Subject: verified.Subject}))
	_, err = get[api.Caller](p, known, "/v1/caller", nil)
	if problem, refused := errors.AsType[*api.Problem](err); refused && problem.Code == api.APIKeyInvalid {
		p.showSignIn(w, r, http.StatusForbidden, next, "You are not known here. Ask an operator to add the subject "+verified.Subject+" with `settler persons add`.")
		return
	}
	if err == nil {
		err = p.begin(ctx, sessionSubject, verified.Subject)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// issuerFailed says that nobody can sign in now; the log says why.
func (p *pages) issuerFailed(w http.ResponseWriter, r *http.Request, err error) {
	p.cfg.Logger.WarnContext(r.Context(), "nobody can sign in", "err", err)
	p.showSignIn(w, r, http.StatusServiceUnavailable, root+"/", "The issuer does not answer as it should. Try again later.")
}

func (p *pages) handleSignOut(w http.ResponseWriter, r *http.Request) {
	if err := p.sessions.Destroy(r.Context()); err != nil {
		p.fail(w, r, err)
		return
	}
	goTo(w, r, root+"/sign-in")
}
