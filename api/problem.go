package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// Code is the stable, machine-readable name of a problem. A code, once released, keeps its meaning and its status.
type Code string

// Every code, with when it is given.
const (
	RequestMalformed        Code = "REQUEST_MALFORMED"         // the body is not what the endpoint reads
	APIKeyInvalid           Code = "API_KEY_INVALID"           // no key, an unknown one, or a revoked one
	SignatureInvalid        Code = "WEBHOOK_SIGNATURE_INVALID" // no signature fits the body and one of the secrets
	TimestampInvalid        Code = "WEBHOOK_TIMESTAMP_INVALID" // signed more than 300 s ago or ahead
	ScopeInsufficient       Code = "SCOPE_INSUFFICIENT"        // the caller may not do this
	CredentialYoung         Code = "CREDENTIAL_YOUNG"          // the key or the person's scope is younger than 24 h
	MarketplaceForbidden    Code = "MARKETPLACE_FORBIDDEN"     // the key belongs to another marketplace
	NotFound                Code = "NOT_FOUND"                 // no such order, payment or token, or not visible to the caller
	MarketplaceUnknown      Code = "MARKETPLACE_UNKNOWN"       // the configuration has no such marketplace
	RouteUnknown            Code = "ROUTE_UNKNOWN"             // no endpoint has this path
	MethodNotAllowed        Code = "METHOD_NOT_ALLOWED"        // the path exists, with other methods
	RequestTimeout          Code = "REQUEST_TIMEOUT"           // the body did not arrive in time
	WebhookIDReused         Code = "WEBHOOK_ID_REUSED"         // the id came before with another body
	StateConflict           Code = "STATE_CONFLICT"            // the payment's state does not accept this
	ReleaseInFlight         Code = "RELEASE_IN_FLIGHT"         // the money can no longer be stopped
	OwnRequest              Code = "OWN_REQUEST"               // nobody approves his own request
	PersonRequired          Code = "PERSON_REQUIRED"           // a person who has signed in has to do this
	ApprovalStale           Code = "APPROVAL_STALE"            // the request is void: the payment has changed, or it has expired
	ApprovalDecided         Code = "APPROVAL_DECIDED"          // the request waits no more
	ApprovalChanged         Code = "APPROVAL_CHANGED"          // the request is not the one that was looked at
	VersionChanged          Code = "VERSION_CHANGED"           // the payment is not as it was looked at
	VersionRequired         Code = "VERSION_REQUIRED"          // If-Match is missing
	BodyTooLarge            Code = "BODY_TOO_LARGE"            // above the endpoint's limit
	MediaTypeUnsupported    Code = "MEDIA_TYPE_UNSUPPORTED"    // not application/json
	ValidationFailed        Code = "VALIDATION_FAILED"         // a field or parameter breaks its rule; `errors` says which
	TxIDMalformed           Code = "TXID_MALFORMED"            // not a transaction id of the payment's chain
	SignerMalformed         Code = "SIGNER_MALFORMED"          // not an address of the payment's chain
	SignatureMalformed      Code = "SIGNATURE_MALFORMED"       // has no form in which the chain's wallets sign
	SignatureNotSigners     Code = "SIGNATURE_NOT_SIGNERS"     // not the signer's over the text that the payment asks for
	IdempotencyKeyReused    Code = "IDEMPOTENCY_KEY_REUSED"    // the key came before with another request
	MarketplaceRequired     Code = "MARKETPLACE_REQUIRED"      // a key of all marketplaces has to say which one it means
	ReferenceReused         Code = "REFERENCE_REUSED"          // the reference stands for a vault of other terms
	RefundAddressMissing    Code = "REFUND_ADDRESS_MISSING"    // the buyer's pairing has no verified signer
	RefundWalletMissing     Code = "REFUND_WALLET_MISSING"     // the configuration names no wallet that the refund could come from
	RefundReceiverMissing   Code = "REFUND_RECEIVER_MISSING"   // the refund's receiver must be named
	RefundReceiverRefused   Code = "REFUND_RECEIVER_REFUSED"   // nobody's refund goes there
	InstrumentRefused       Code = "INSTRUMENT_REFUSED"        // no vault can be handed out for these terms
	RateLimited             Code = "RATE_LIMITED"              // too many requests; Retry-After says how long to wait
	Internal                Code = "INTERNAL"                  // our fault; repeat it later
	NotReady                Code = "NOT_READY"                 // this process should get no traffic now
	ChainUnavailable        Code = "CHAIN_UNAVAILABLE"         // a contract, or the receiver of a refund, could not be looked at; repeat it later
	OrchestratorUnavailable Code = "ORCHESTRATOR_UNAVAILABLE"  // the orchestrator could not be asked; repeat it later
	LedgerBusy              Code = "LEDGER_BUSY"               // the ledger could not be closed at once; repeat it
	IssuerUnavailable       Code = "ISSUER_UNAVAILABLE"        // who vouches for people does not answer
)

// kinds is code → status and title, which never vary between occurrences of a problem.
var kinds = map[Code]struct {
	status int
	title  string
}{
	RequestMalformed:        {http.StatusBadRequest, "The request cannot be read"},
	APIKeyInvalid:           {http.StatusUnauthorized, "A valid API key is required"},
	SignatureInvalid:        {http.StatusUnauthorized, "The webhook's signature is not valid"},
	TimestampInvalid:        {http.StatusUnauthorized, "The webhook is too old or from the future"},
	ScopeInsufficient:       {http.StatusForbidden, "The caller's scope does not allow this"},
	CredentialYoung:         {http.StatusForbidden, "The key or the scope is too young"},
	MarketplaceForbidden:    {http.StatusForbidden, "The API key belongs to another marketplace"},
	NotFound:                {http.StatusNotFound, "Not found"},
	MarketplaceUnknown:      {http.StatusNotFound, "No such marketplace"},
	RouteUnknown:            {http.StatusNotFound, "No such endpoint"},
	MethodNotAllowed:        {http.StatusMethodNotAllowed, "The endpoint does not take this method"},
	RequestTimeout:          {http.StatusRequestTimeout, "The request did not arrive in time"},
	WebhookIDReused:         {http.StatusConflict, "The webhook id was used with another body"},
	StateConflict:           {http.StatusConflict, "The payment's state does not accept this"},
	ReleaseInFlight:         {http.StatusConflict, "The release is in flight"},
	OwnRequest:              {http.StatusForbidden, "Nobody approves his own request"},
	PersonRequired:          {http.StatusForbidden, "A person has to do this"},
	ApprovalStale:           {http.StatusConflict, "The request for approval is void"},
	ApprovalDecided:         {http.StatusConflict, "The request for approval waits no more"},
	ApprovalChanged:         {http.StatusPreconditionFailed, "The request for approval is another one"},
	VersionChanged:          {http.StatusPreconditionFailed, "The payment has changed"},
	VersionRequired:         {http.StatusPreconditionRequired, "If-Match is required"},
	BodyTooLarge:            {http.StatusRequestEntityTooLarge, "The body is too large"},
	MediaTypeUnsupported:    {http.StatusUnsupportedMediaType, "The body's media type is not supported"},
	ValidationFailed:        {http.StatusUnprocessableEntity, "The request breaks a rule"},
	TxIDMalformed:           {http.StatusUnprocessableEntity, "Not a transaction id of the payment's chain"},
	SignerMalformed:         {http.StatusUnprocessableEntity, "Not an address of the payment's chain"},
	SignatureMalformed:      {http.StatusUnprocessableEntity, "Not a signature of the payment's chain"},
	SignatureNotSigners:     {http.StatusUnprocessableEntity, "Not the signer's signature of the text"},
	IdempotencyKeyReused:    {http.StatusUnprocessableEntity, "The idempotency key was used with another request"},
	MarketplaceRequired:     {http.StatusUnprocessableEntity, "The marketplace must be named"},
	ReferenceReused:         {http.StatusConflict, "The reference was used with other terms"},
	RefundAddressMissing:    {http.StatusUnprocessableEntity, "No proven wallet that refunds could go to"},
	RefundWalletMissing:     {http.StatusConflict, "No wallet pays this refund"},
	RefundReceiverMissing:   {http.StatusUnprocessableEntity, "The refund's receiver must be named"},
	RefundReceiverRefused:   {http.StatusUnprocessableEntity, "No refund goes to this receiver"},
	InstrumentRefused:       {http.StatusUnprocessableEntity, "No vault is handed out for these terms"},
	RateLimited:             {http.StatusTooManyRequests, "Too many requests"},
	Internal:                {http.StatusInternalServerError, "Something went wrong on our side"},
	NotReady:                {http.StatusServiceUnavailable, "Not ready"},
	ChainUnavailable:        {http.StatusServiceUnavailable, "The chain could not be asked"},
	OrchestratorUnavailable: {http.StatusServiceUnavailable, "The orchestrator could not be asked"},
	LedgerBusy:              {http.StatusServiceUnavailable, "The ledger is being written to"},
	IssuerUnavailable:       {http.StatusServiceUnavailable, "Nobody can be identified now"},
}

// ofStatus are the codes of errors that huma makes by itself while it reads a request.
var ofStatus = map[int]Code{
	http.StatusBadRequest:            RequestMalformed,
	http.StatusRequestTimeout:        RequestTimeout,
	http.StatusRequestEntityTooLarge: BodyTooLarge,
	http.StatusUnsupportedMediaType:  MediaTypeUnsupported,
	http.StatusUnprocessableEntity:   ValidationFailed,
}

// Problem is the body of every answer that is not a success (RFC 9457).
type Problem struct {
	Type      string  `json:"type" doc:"Names the problem: urn:settler:problem: and the code." example:"urn:settler:problem:NOT_FOUND"`
	Title     string  `json:"title" doc:"What the code means, always the same." example:"Not found"`
	Status    int     `json:"status" doc:"The HTTP status." example:"404"`
	Code      Code    `json:"code" doc:"Stable, for programs." example:"NOT_FOUND"`
	Detail    string  `json:"detail,omitempty" doc:"What happened this time, for people."`
	RequestID string  `json:"request_id" doc:"Names the request in our log; also in the header X-Request-Id." example:"01jd3v8m2c9qk4tr"`
	Errors    []Fault `json:"errors,omitempty" doc:"With VALIDATION_FAILED and REQUEST_MALFORMED: every rule that the request breaks."`

	headers http.Header
}

// Fault is one broken rule.
type Fault struct {
	Location string `json:"location,omitempty" doc:"Where: body, query, path or header, then the name." example:"body.txid"`
	Message  string `json:"message" doc:"Which rule." example:"expected required property txid to be present"`
}

func problem(code Code, detail string) *Problem {
	k := kinds[code]
	return &Problem{Type: "urn:settler:problem:" + string(code), Title: k.title, Status: k.status, Code: code, Detail: detail}
}

// with adds a header to the answer.
func (p *Problem) with(name, value string) *Problem {
	if p.headers == nil {
		p.headers = make(http.Header)
	}
	p.headers.Set(name, value)
	return p
}

func (p *Problem) Error() string { return string(p.Code) + ": " + p.Detail }

// GetStatus is the HTTP status, as huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are headers of the answer, as huma asks for them.
func (p *Problem) GetHeaders() http.Header { return p.headers }

// ContentType is the media type of the answer, as huma asks for it.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// problemOf is the one map from errors to problems. What is not the caller's fault is logged here, and its detail withheld.
func (s *server) problemOf(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if s, ok := errors.AsType[*settlement.SignatureError](err); ok {
		code := SignatureNotSigners
		if s.Malformed {
			code = SignatureMalformed
		}
		return problem(code, "The signature proves nothing: "+s.Problem+".")
	}
	if p := actProblem(err); p != nil {
		return p
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return problem(NotFound, "")
	case errors.Is(err, jobs.ErrMarketplaceUnknown):
		return problem(MarketplaceUnknown, "The configuration has no marketplace of this name.")
	case errors.Is(err, jobs.ErrWebhookConflict):
		return problem(WebhookIDReused, "Send every event under an id of its own; a repeat must have the same body.")
	case errors.Is(err, ErrIssuer):
		s.cfg.Logger.WarnContext(ctx, "nobody can sign in", "request_id", requestID(ctx), "err", err)
		return problem(IssuerUnavailable, "Repeat it later, or use a key.")
	}
	level := slog.LevelError
	if ctx.Err() != nil {
		level = slog.LevelInfo // the client has gone, and nobody reads the answer
	}
	s.cfg.Logger.Log(ctx, level, "request failed", "request_id", requestID(ctx), "err", err)
	return problem(Internal, "")
}

// transform makes problems of huma's own errors and stamps every problem with the id of its request.
func transform(ctx huma.Context, _ string, v any) (any, error) {
	switch e := v.(type) {
	case *huma.ErrorModel:
		code, ok := ofStatus[e.Status]
		if !ok {
			return stamp(ctx.Context(), problem(Internal, "")), nil
		}
		p := problem(code, e.Detail)
		for _, d := range e.Errors {
			if d != nil { // the value is left out: it may be a secret
				p.Errors = append(p.Errors, Fault{Location: d.Location, Message: d.Message})
			}
		}
		return stamp(ctx.Context(), p), nil
	case *Problem:
		return stamp(ctx.Context(), e), nil
	}
	return v, nil
}

func stamp(ctx context.Context, p *Problem) *Problem {
	stamped := *p
	stamped.RequestID = requestID(ctx)
	return &stamped
}

// write answers a request that huma does not see, or does not see any more.
func (p *Problem) write(w http.ResponseWriter, r *http.Request) {
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(stamp(r.Context(), p)) // the client has gone: nobody is left to tell
}

// responses documents the problems of an operation, one answer per status.
func responses(api huma.API, codes []Code) map[string]*huma.Response {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	names := make(map[int][]string)
	for _, c := range append(slices.Clone(codes), Internal) {
		names[kinds[c].status] = append(names[kinds[c].status], "`"+string(c)+"`")
	}
	answers := make(map[string]*huma.Response, len(names))
	for status, codes := range names {
		answers[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status) + ": " + strings.Join(codes, ", "),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	return answers
}
