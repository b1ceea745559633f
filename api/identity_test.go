package api

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc/oidctest"

	"github.com/settler-pay/settler/store"
)

// issuer vouches for people, over HTTP.
type issuer struct {
	t      *testing.T
	url    string
	key    crypto.PrivateKey
	server *httptest.Server
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	provider := &oidctest.Server{PublicKeys: []oidctest.PublicKey{{PublicKey: key.Public(), KeyID: "one", Algorithm: "RS256"}}}
	server := httptest.NewServer(provider)
	t.Cleanup(server.Close)
	provider.SetIssuer(server.URL)
	return &issuer{t: t, url: server.URL, key: key, server: server}
}

// token is one for the subject, with some claims changed.
func (i *issuer) token(subject string, changes ...func(map[string]any)) string {
	i.t.Helper()
	claims := map[string]any{
		"iss": i.url, "aud": "settler", "sub": subject, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for _, change := range changes {
		change(claims)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		i.t.Fatal(err)
	}
	return oidctest.SignIDToken(i.key, "one", "RS256", string(text))
}

func TestPeopleSignIn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person("alice", "acme", scopeRead)
	_, id := r.payable("acme")
	_, others := r.payable("other")
	into[paymentBody](t, r.get("/v1/payments/"+id.String(), r.issuer.token("alice")), http.StatusOK)
	r.get("/v1/payments/"+others.String(), r.issuer.token("alice")).problem(t, NotFound)
	r.do(http.MethodPost, "/v1/payments/"+id.String()+"/transactions", `{"txid": "`+txA+`"}`, "Authorization", "Bearer "+r.issuer.token("alice"),
		"Idempotency-Key", "1").problem(t, ScopeInsufficient)

	stranger := newIssuer(t)
	for name, token := range map[string]string{
		"somebody who is not known here": r.issuer.token("bob"),
		"another audience":               r.issuer.token("alice", func(c map[string]any) { c["aud"] = "shop" }),
		"another issuer":                 stranger.token("alice"),
		"another issuer in our name":     stranger.token("alice", func(c map[string]any) { c["iss"] = r.issuer.url }),
		"a token that has expired":       r.issuer.token("alice", func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }),
		"a token without a signature":    r.issuer.token("alice")[:strings.LastIndex(r.issuer.token("alice"), ".")+1],
		"no token":                       "abc",
		"a very long one":                strings.Repeat("a", 10_000),
	} {
		if p := r.get("/v1/payments", token).problem(t, APIKeyInvalid); strings.Contains(p.Detail, "oidc") {
			t.Errorf("%s: the answer says why: %s", name, p.Detail)
		}
	}
	if _, err := r.pool.Exec(t.Context(), "update persons set revoked_at = now()"); err != nil {
		t.Fatal(err)
	}
	r.get("/v1/payments", r.issuer.token("alice")).problem(t, APIKeyInvalid)
}

func TestIssuerDown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person("alice", "acme", scopeRead)
	token := r.issuer.token("alice")
	r.issuer.server.Close()
	r.get("/v1/payments", token).problem(t, IssuerUnavailable)
	into[paymentList](t, r.get("/v1/payments", r.key("acme", scopeRead)), http.StatusOK)
}

// A person's key is the person, and can do no more.
func TestKeysOfPeople(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	alice := r.person("alice", "acme", scopeOperate)
	_, others := r.payable("other")
	actorOf := func(key string) actor {
		t.Helper()
		a, err := r.api.actorOf(ctx, "Bearer "+key)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	wide, narrow := r.keyOf(alice, "", scopeAdmin, 48*time.Hour), r.keyOf(alice, "acme", scopeRead, 48*time.Hour)
	if a := actorOf(wide); a.ID != alice.ID || !a.Person || a.Scope != scopeOperate || a.Marketplace != "acme" {
		t.Errorf("a key wider than its person: got %+v", a)
	}
	if a := actorOf(narrow); a.ID != alice.ID || a.Scope != scopeRead {
		t.Errorf("a key narrower than its person: got %+v", a)
	}
	if a := actorOf(r.issuer.token("alice")); a.ID != alice.ID || a.Key == a.ID {
		t.Errorf("signed in: got %+v", a)
	}
	r.get("/v1/payments/"+others.String(), wide).problem(t, NotFound)
	r.get("/v1/payments", r.keyOf(alice, "other", scopeRead, 48*time.Hour)).problem(t, APIKeyInvalid)
	if machine := actorOf(r.key("acme", scopeAdmin)); machine.Person || machine.ID != machine.Key {
		t.Errorf("a machine: got %+v", machine)
	}
	if err := store.RevokePerson(ctx, r.pool, alice.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{wide, narrow} {
		r.get("/v1/payments", key).problem(t, APIKeyInvalid)
	}
}

func TestYoungKeysAndScopes(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	alice := r.person("alice", "acme", scopeAdmin)
	scope := func(credential string) string {
		t.Helper()
		a, err := r.api.actorOf(ctx, "Bearer "+credential)
		if err != nil {
			t.Fatal(err)
		}
		return a.Scope
	}
	young := r.keyOf(nil, "acme", scopeAdmin, 23*time.Hour)
	if got := scope(young); got != scopeOperate {
		t.Errorf("a machine's key of 23 hours has scope %s", got)
	}
	if got := scope(r.keyOf(nil, "acme", scopeAdmin, 25*time.Hour)); got != scopeAdmin {
		t.Errorf("a machine's key of 25 hours has scope %s", got)
	}
	if got := scope(r.keyOf(alice, "acme", scopeAdmin, time.Hour)); got != scopeOperate {
		t.Errorf("a person's key of an hour has scope %s", got)
	}
	old := r.keyOf(alice, "acme", scopeAdmin, 25*time.Hour)
	if got := scope(old); got != scopeAdmin {
		t.Errorf("a person's key of 25 hours has scope %s", got)
	}
	if err := store.SetPersonScope(ctx, r.pool, alice.ID, scopeAdmin, "acme", time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, credential := range []string{old, r.issuer.token("alice")} {
		if got := scope(credential); got != scopeOperate {
			t.Errorf("a scope that was just given counts as %s", got)
		}
	}
	r.api.cfg.Development = true
	if got := scope(young); got != scopeAdmin {
		t.Errorf("in development a new key has scope %s", got)
	}
}
