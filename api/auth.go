package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/settler-pay/settler/store"
)

// keyPrefix lets people and secret scanners see what a leaked key is.
const keyPrefix = "sk_"

// maxKey bounds what is hashed; a key has 46 characters.
const maxKey = 256

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

type keyContext struct{}

// caller is the API key of the request; requireKey has put it there.
func caller(ctx context.Context) store.APIKey {
	k, _ := ctx.Value(keyContext{}).(store.APIKey)
	return k
}

// requireKey lets requests pass that bear a key with the scope. Keys are looked up by their hash: how long that takes
// says nothing about a key of 256 random bits.
func (s *server) requireKey(scope string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		k, err := s.keyOf(ctx.Context(), ctx.Header("Authorization"))
		if err == nil && slices.Index(scopes, k.Scope) < slices.Index(scopes, scope) {
			err = problem(ScopeInsufficient, "This needs a key with scope "+scope+"; the key has scope "+k.Scope+".")
		}
		if err != nil {
			r, w := humachi.Unwrap(ctx)
			s.problemOf(ctx.Context(), err).write(w, r)
			return
		}
		next(huma.WithValue(ctx, keyContext{}, k))
	}
}

func (s *server) keyOf(ctx context.Context, authorization string) (store.APIKey, error) {
	// One answer for a key that is missing, unknown or revoked.
	refused := problem(APIKeyInvalid, "Send the header Authorization: Bearer sk_… with a key that was not revoked.").
		with("WWW-Authenticate", `Bearer realm="settler"`)
	scheme, key, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(key, keyPrefix) || len(key) > maxKey {
		return store.APIKey{}, refused
	}
	k, err := store.APIKeyByHash(ctx, s.cfg.Pool, sha256.Sum256([]byte(key)))
	if errors.Is(err, store.ErrNotFound) {
		return store.APIKey{}, refused
	}
	return k, err
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
