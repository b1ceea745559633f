package dashboard

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/settler-pay/settler/store"
)

// issuer vouches for people, over HTTP: it lets in whoever is named in user, and holds to PKCE.
type issuer struct {
	t      *testing.T
	url    string
	key    crypto.PrivateKey
	server *httptest.Server
	user   string
	change func(claims map[string]any) // what a bad issuer would say
	asked  url.Values                  // of the last authorization
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key, change: func(map[string]any) {}}
	provider := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "one", Algorithm: "RS256"}}}
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.HandleFunc("/auth", i.authorize)
	mux.HandleFunc("/token", i.exchange)
	i.server = httptest.NewServer(mux)
	t.Cleanup(i.server.Close)
	i.url = i.server.URL
	provider.SetIssuer(i.url)
	return i
}

func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	i.asked = r.URL.Query()
	back := url.Values{"state": {i.asked.Get("state")}}
	if i.user == "" {
		back.Set("error", "access_denied")
	} else {
		back.Set("code", "code-of-"+i.user)
	}
	http.Redirect(w, r, i.asked.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (i *issuer) exchange(w http.ResponseWriter, r *http.Request) {
	challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if base64.RawURLEncoding.EncodeToString(challenge[:]) != i.asked.Get("code_challenge") || i.asked.Get("code_challenge_method") != "S256" {
		http.Error(w, `{"error": "invalid_grant"}`, http.StatusBadRequest)
		return
	}
	claims := map[string]any{
		"iss": i.url, "aud": "settler", "sub": strings.TrimPrefix(r.PostFormValue("code"), "code-of-"), "nonce": i.asked.Get("nonce"),
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
	}
	i.change(claims)
	text, err := json.Marshal(claims)
	if err != nil {
		i.t.Error(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": "unused", "token_type": "Bearer", "id_token": oidctest.SignIDToken(i.key, "one", "RS256", string(text)),
	})
}

func TestSignInAtIssuer(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *Config) { c.Keys = false })
	key := r.person("alice", "acme", "admin")
	b := r.browser()
	p := b.get("/dashboard/queues/needs_review?cursor=")
	if p.status != http.StatusOK || !strings.HasPrefix(p.at, "/dashboard/sign-in?next=") || strings.Contains(p.text, "API key") {
		t.Fatalf("a stranger: got %d at %s", p.status, p.at)
	}
	if p := b.post("/dashboard/sign-in", url.Values{"key": {key}}); p.status != http.StatusForbidden {
		t.Errorf("with a key: got %d", p.status)
	}
	r.issuer.user = "alice"
	p = b.get("/dashboard/sign-in/issuer?next=" + url.QueryEscape("/dashboard/queues/disputes"))
	if p.status != http.StatusOK || p.at != "/dashboard/queues/disputes" || !strings.Contains(p.text, "alice") {
		t.Fatalf("alice: got %d at %s: %s", p.status, p.at, p.text)
	}
	// The cookie alone is in no table.
	for _, c := range b.client.Jar.Cookies(must(url.Parse(r.url + "/dashboard/"))) {
		var n int
		if err := r.pool.QueryRow(t.Context(), "select count(*) from sessions where token = $1", c.Value).Scan(&n); err != nil || n != 0 {
			t.Errorf("the table holds the cookie: %d, %v", n, err)
		}
	}
	if p := b.get("/dashboard/sign-in/callback?code=x&state=" + r.issuer.asked.Get("state")); p.status != http.StatusBadRequest {
		t.Errorf("the way back a second time: got %d", p.status)
	}
	if p := b.post("/dashboard/sign-out", nil, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); p.status != http.StatusForbidden {
		t.Errorf("a form of another site: got %d", p.status)
	}
	if p := b.post("/dashboard/sign-out", nil); !strings.HasPrefix(p.at, "/dashboard/sign-in") {
		t.Errorf("sign out: at %s", p.at)
	}
	if p := b.get("/dashboard/"); !strings.HasPrefix(p.at, "/dashboard/sign-in") {
		t.Errorf("after signing out: at %s", p.at)
	}

	for name, bad := range map[string]struct {
		user   string
		change func(map[string]any)
		status int
	}{
		"somebody who is not known here": {"mallory", nil, http.StatusForbidden},
		"somebody who is refused":        {"", nil, http.StatusUnauthorized},
		"another nonce":                  {"alice", func(c map[string]any) { c["nonce"] = "x" }, http.StatusUnauthorized},
		"another audience":               {"alice", func(c map[string]any) { c["aud"] = "shop" }, http.StatusUnauthorized},
		"a token that has expired":       {"alice", func(c map[string]any) { c["exp"] = 1 }, http.StatusUnauthorized},
	} {
		r.issuer.user, r.issuer.change = bad.user, func(map[string]any) {}
		if bad.change != nil {
			r.issuer.change = bad.change
		}
		b := r.browser()
		if p := b.get("/dashboard/sign-in/issuer"); p.status != bad.status {
			t.Errorf("%s: got %d at %s", name, p.status, p.at)
		}
		if p := b.get("/dashboard/"); !strings.HasPrefix(p.at, "/dashboard/sign-in") {
			t.Errorf("%s is signed in", name)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	var late time.Duration
	r := newRig(t, func(c *Config) { c.Now = func() time.Time { return time.Now().Add(late) } })
	key := r.person("alice", "acme", "read")
	b := r.signedIn(key)
	late = 61 * time.Minute
	if p := b.get("/dashboard/"); !strings.HasPrefix(p.at, "/dashboard/sign-in") {
		t.Errorf("after its lifetime: at %s", p.at)
	}
	late = 0
	again := r.signedIn(key)
	if p := again.get("/dashboard/jobs/"); p.status != http.StatusNotFound {
		t.Errorf("jobs without River's pages: got %d", p.status)
	}
	keys, err := store.APIKeys(t.Context(), r.pool)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.RevokeAPIKey(t.Context(), r.pool, keys[0].ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	if p := again.get("/dashboard/"); !strings.HasPrefix(p.at, "/dashboard/sign-in") {
		t.Errorf("after its key was revoked: at %s", p.at)
	}
	for _, bad := range []string{"", "sk_wrong", key} {
		if p := r.browser().post("/dashboard/sign-in", url.Values{"key": {bad}}); p.status != http.StatusUnauthorized {
			t.Errorf("key %q: got %d", bad, p.status)
		}
	}
	for next, want := range map[string]string{
		"/dashboard/search?q=x": "/dashboard/search?q=x", "https://evil.example/dashboard/": "/dashboard/", "//evil.example/dashboard/": "/dashboard/",
		`/dashboard/\evil.example`: "/dashboard/", "/v1/payments": "/dashboard/", "": "/dashboard/",
	} {
		if got := ownPage(next); got != want {
			t.Errorf("after signing in from %q: to %q, want %q", next, got, want)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
