package api

import (
	"context"
	"crypto/sha256"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/settlement"
)

// SignedIn is what a session of the dashboard remembers of who has signed in. What he may do is read anew with each request,
// so that a revocation ends it at once. Exactly one field is set.
type SignedIn struct {
	Key     [sha256.Size]byte // hash of an API key
	Subject string            // the issuer's own name of a person
}

type signedInContext struct{}

// As makes requests of this process come from who has signed in, whatever their header says.
func As(ctx context.Context, who SignedIn) context.Context {
	return context.WithValue(ctx, signedInContext{}, who)
}

type callerOutput struct{ Body callerBody }

// callerBody is who asks.
type callerBody struct {
	ID          string     `json:"id" doc:"Of the person or, of a machine's key, the key's own." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	Name        string     `json:"name" example:"Ada"`
	Person      bool       `json:"person" doc:"A person, signed in or with a key; else a machine."`
	Marketplace string     `json:"marketplace" doc:"The marketplace that is reached; empty for all." example:"acme"`
	Scope       string     `json:"scope" enum:"read,operate,admin" doc:"What the caller may do now; each includes the one before." example:"admin"`
	Young       bool       `json:"young" doc:"The scope becomes admin once key and scope are 24 hours old."`
	AdminFrom   *time.Time `json:"admin_from,omitempty" doc:"Of a young caller: when the scope becomes admin. Until then nothing that decides about money is taken."`
	Approves    bool       `json:"approves" doc:"The caller may approve what others ask for."`
}

func (s *server) registerCaller() {
	register(s, s.secured(huma.Operation{
		OperationID: "get-caller", Method: http.MethodGet, Path: "/v1/caller", Tags: []string{"Admin"},
		Summary: "Who asks", Description: "Whom the credential belongs to and what it may do now.",
	}, scopeRead), []Code{ValidationFailed}, s.handleGetCaller)
}

func (s *server) handleGetCaller(ctx context.Context, _ *struct{}) (*callerOutput, error) {
	a := caller(ctx)
	b := callerBody{
		ID: a.ID.String(), Name: a.Name, Person: a.Person, Marketplace: a.Marketplace, Scope: a.Scope, Young: a.young(),
		Approves: s.mayApprove(a) && a.Scope == scopeAdmin,
	}
	if a.young() {
		b.AdminFrom = new(a.AdminFrom.UTC())
	}
	return &callerOutput{b}, nil
}

// mayApprove reports whether the caller is a person who has signed in; in development a person's key is enough.
func (s *server) mayApprove(a actor) bool {
	return a.Person && (a.Key == (settlement.PaymentID{}) || s.cfg.Development)
}
