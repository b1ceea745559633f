package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/settler-pay/settler/store"
)

// Identity is who vouches for people: an OpenID Connect issuer. What it says of itself is read when it is first needed, so
// that a start does not depend on it. One is shared by all that believe it.
type Identity struct {
	Issuer   string // URL
	Audience string // what its tokens for us name: our client id there
	// Client makes the calls to the issuer.
	Client *http.Client

	mu       sync.Mutex // guards provider
	provider *oidc.Provider
}

// Verify returns what the token says. It returns store.ErrNotFound, wrapped, for a token that is not valid.
func (i *Identity) Verify(ctx context.Context, token string) (*oidc.IDToken, error) {
	provider, err := i.prepared(ctx)
	if err != nil {
		return nil, err
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: i.Audience}).Verify(ctx, token)
	if err != nil {
		// Keys that cannot be fetched end here too: the library tells them apart in words alone.
		return nil, fmt.Errorf("token: %w: %w", store.ErrNotFound, err)
	}
	return verified, nil
}

// Endpoint is where people sign in and where codes become tokens.
func (i *Identity) Endpoint(ctx context.Context) (oauth2.Endpoint, error) {
	provider, err := i.prepared(ctx)
	if err != nil {
		return oauth2.Endpoint{}, err
	}
	return provider.Endpoint(), nil
}

// ErrIssuer means that the issuer cannot be asked.
var ErrIssuer = errors.New("the issuer of identities does not answer")

func (i *Identity) prepared(ctx context.Context) (*oidc.Provider, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.provider != nil {
		return i.provider, nil
	}
	// Its keys are fetched again later, so not with the context of this request.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), i.Client), i.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	i.provider = provider
	return provider, nil
}
