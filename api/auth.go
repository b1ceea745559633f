package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// keyPrefix lets people and secret scanners see what a leaked key is.
const keyPrefix = "sk_"

// maxCredential bounds what is looked at, in characters; a key has 46, a token some thousand.
const maxCredential = 8 << 10

// NewKey makes an API key: "sk_" and 256 random bits in base64url. The key is shown once; its hash is what is stored.
func NewKey() (key string, hash [sha256.Size]byte) {
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // documented never to fail
	key = keyPrefix + base64.RawURLEncoding.EncodeToString(secret[:])
	return key, sha256.Sum256([]byte(key))
}

// The scopes of API keys. Each includes the ones before it.
const (
	scopeRead    = "read"    // look
	scopeOperate = "operate" // also name transactions
	scopeAdmin   = "admin"   // also decide about money
)

var scopes = []string{scopeRead, scopeOperate, scopeAdmin}

// probation is how long a key, or a person's scope, must be known before it may decide about money: whoever gets hold of the
// command line for a moment cannot make himself two people and pay himself out.
const probation = 24 * time.Hour

// actor is who a request comes from.
type actor struct {
	// ID is a person's or, of a machine's key, the key's own: a person with two keys is one actor.
	ID          settlement.PaymentID
	Name        string
	Marketplace string // empty: all
	Scope       string // what the request may do
	Person      bool
	// Key is the key that the request came with; zero for a person who has signed in.
	Key settlement.PaymentID
	// AdminFrom is when the scope becomes admin, because the key or the person's scope is younger than the probation; else zero.
	AdminFrom time.Time
}

func (a actor) young() bool { return !a.AdminFrom.IsZero() }

// tooYoung is the refusal of what the caller may do from AdminFrom on.
func (a actor) tooYoung() *Problem {
	return problem(CredentialYoung, "A key, and a person's scope, may decide about money once they are 24 hours old: this one from "+
		a.AdminFrom.UTC().Format(time.RFC3339)+" on.")
}

type actorContext struct{}

// caller is who the request comes from; requireKey has put it there.
func caller(ctx context.Context) actor {
	a, _ := ctx.Value(actorContext{}).(actor)
	return a
}

// requireKey lets requests pass that come from somebody with the scope.
func (s *server) requireKey(scope string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		a, err := s.actorOfRequest(ctx)
		switch {
		case err != nil:
		case a.young() && scope == scopeAdmin:
			err = a.tooYoung()
		case slices.Index(scopes, a.Scope) < slices.Index(scopes, scope):
			err = problem(ScopeInsufficient, "This needs the scope "+scope+"; the caller has scope "+a.Scope+".")
		}
		if err != nil {
			r, w := humachi.Unwrap(ctx)
			s.problemOf(ctx.Context(), err).write(w, r)
			return
		}
		next(huma.WithValue(ctx, actorContext{}, a))
	}
}

// refused is the one answer for a credential that is missing, unknown or revoked.
func refused() *Problem {
	return problem(APIKeyInvalid, "Send the header Authorization: Bearer with a key (sk_…) that was not revoked, or a token of the issuer for somebody who is known here.").
		with("WWW-Authenticate", `Bearer realm="settler"`)
}

// actorOfRequest is who has signed in to the dashboard, whose pages ask in this process, or who bears the credential.
func (s *server) actorOfRequest(ctx huma.Context) (actor, error) {
	who, ok := ctx.Context().Value(signedInContext{}).(SignedIn)
	if !ok {
		return s.actorOf(ctx.Context(), ctx.Header("Authorization"))
	}
	var a actor
	var err error
	if who.Subject != "" {
		a, err = s.actorOfSubject(ctx.Context(), who.Subject)
	} else {
		a, err = s.actorOfKey(ctx.Context(), who.Key)
	}
	return known(a, err)
}

// actorOf is who bears the credential: a key of ours, or a token by which the issuer vouches for a person. Keys are looked up
// by their hash: how long that takes says nothing about a key of 256 random bits.
func (s *server) actorOf(ctx context.Context, authorization string) (actor, error) {
	scheme, credential, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || len(credential) > maxCredential {
		return actor{}, refused()
	}
	var a actor
	var err error
	switch {
	case strings.HasPrefix(credential, keyPrefix):
		a, err = s.actorOfKey(ctx, sha256.Sum256([]byte(credential)))
	case s.cfg.Identity != nil && credential != "":
		a, err = s.actorOfToken(ctx, credential)
	default:
		err = store.ErrNotFound
	}
	return known(a, err)
}

// known is the actor with the scope that counts now, or the refusal of one that was not found.
func known(a actor, err error) (actor, error) {
	if errors.Is(err, store.ErrNotFound) {
		return actor{}, refused()
	}
	if err == nil && a.young() {
		a.Scope = scopeOperate
	}
	return a, err
}

// actorOfKey returns store.ErrNotFound for a key that is unknown or revoked.
func (s *server) actorOfKey(ctx context.Context, hash [sha256.Size]byte) (actor, error) {
	k, err := store.APIKeyByHash(ctx, s.cfg.Pool, hash)
	if err != nil {
		return actor{}, err
	}
	a := actor{ID: k.ID, Name: k.Name, Marketplace: k.Marketplace, Scope: k.Scope, Key: k.ID}
	since := k.CreatedAt
	if p := k.Person; p != nil { // the key can do no more than its person
		a.ID, a.Name, a.Person = p.ID, p.Name, true
		a.Scope = scopes[min(slices.Index(scopes, k.Scope), slices.Index(scopes, p.Scope))]
		if p.ScopeSince.After(since) {
			since = p.ScopeSince
		}
		switch {
		case p.Marketplace != "" && a.Marketplace != "" && p.Marketplace != a.Marketplace:
			return actor{}, store.ErrNotFound
		case p.Marketplace != "":
			a.Marketplace = p.Marketplace
		}
	}
	return s.onProbation(a, since), nil
}

// actorOfToken returns store.ErrNotFound for a token that is not valid, or whose person is not known here.
func (s *server) actorOfToken(ctx context.Context, token string) (actor, error) {
	verified, err := s.cfg.Identity.Verify(ctx, token)
	if err != nil {
		return actor{}, err
	}
	return s.actorOfSubject(ctx, verified.Subject)
}

// actorOfSubject returns store.ErrNotFound for somebody who is unknown or revoked.
func (s *server) actorOfSubject(ctx context.Context, subject string) (actor, error) {
	if s.cfg.Identity == nil { // signed in before the issuer was taken out of the configuration
		return actor{}, store.ErrNotFound
	}
	p, err := store.PersonBySubject(ctx, s.cfg.Pool, s.cfg.Identity.Issuer, subject)
	if err != nil {
		return actor{}, err
	}
	return s.onProbation(actor{ID: p.ID, Name: p.Name, Marketplace: p.Marketplace, Scope: p.Scope, Person: true}, p.ScopeSince), nil
}

// onProbation is the actor with when he may decide about money, if that is not yet.
func (s *server) onProbation(a actor, since time.Time) actor {
	if from := since.Add(probation); a.Scope == scopeAdmin && !s.cfg.Development && s.cfg.Now().Before(from) {
		a.AdminFrom = from
	}
	return a
}

// marketplaceOf is the marketplace that the caller asks about: that of the key or, with a key of all marketplaces, the
// one it names. Empty means all of them.
func marketplaceOf(ctx context.Context, named string) (string, error) {
	own := caller(ctx).Marketplace
	if own != "" && named != "" && own != named {
		return "", problem(MarketplaceForbidden, "This key belongs to one marketplace, and the request names another.")
	}
	if own != "" {
		return own, nil
	}
	return named, nil
}
