package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/store"
)

const (
	// maxWebhook is the largest webhook body in bytes.
	maxWebhook = 1 << 20
	// webhookTolerance is how far a webhook's timestamp may be from our clock, both ways. Source: Standard Webhooks.
	webhookTolerance = 300 * time.Second
	// minWebhookSecret is the shortest secret in bytes. Source: Standard Webhooks.
	minWebhookSecret = 24
	// webhookReadTimeout is how long a body of that size may take.
	webhookReadTimeout = 10 * time.Second
)

// webhookTypes are the events of an order. Each is a hint to read the order; what it says of the order is not believed.
var webhookTypes = []string{"order.created", "order.updated", "order.confirmed", "order.disputed", "order.cancelled"}

// webhookBody is the body of a webhook. Other fields are ignored.
type webhookBody struct {
	Type      string      `json:"type" enum:"order.created,order.updated,order.confirmed,order.disputed,order.cancelled" doc:"What happened. Only a hint: the order is read from the orchestrator." example:"order.created"`
	Timestamp time.Time   `json:"timestamp" doc:"When it happened (RFC 3339)." example:"2026-11-25T09:30:00Z"`
	Data      webhookData `json:"data"`
}

type webhookData struct {
	MachineID string `json:"machineId" minLength:"1" maxLength:"255" doc:"The machine whose order it is." example:"mach_7Qm2"`
	OrderID   string `json:"orderId" minLength:"1" maxLength:"255" doc:"The order at the orchestrator." example:"ord_4f9a"`
}

// webhookSecrets reads a marketplace's one or two secrets.
func webhookSecrets(m Marketplace) ([]*standardwebhooks.Webhook, error) {
	if len(m.WebhookSecrets) < 1 || len(m.WebhookSecrets) > 2 {
		return nil, fmt.Errorf("marketplace %s has %d webhook secrets, 1 or 2 are needed", m.ID, len(m.WebhookSecrets))
	}
	var secrets []*standardwebhooks.Webhook
	for i, text := range m.WebhookSecrets {
		secret, err := standardwebhooks.NewWebhook(text)
		// The library's error quotes the text, so it is not passed on.
		if err != nil || len(strings.TrimPrefix(text, "whsec_"))*3/4 < minWebhookSecret {
			return nil, fmt.Errorf("webhook secret %d of marketplace %s is not base64 of at least %d bytes", i+1, m.ID, minWebhookSecret)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

type webhookInput struct {
	Marketplace string `path:"marketplace" doc:"Key of the marketplace in the configuration." example:"acme"`
	ID          string `header:"webhook-id" doc:"Names the event. A repeat has the same id and the same body." example:"msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"`
	Timestamp   string `header:"webhook-timestamp" doc:"When this attempt was signed, in Unix seconds; within 300 s of our clock." example:"1795599000"`
	Signature   string `header:"webhook-signature" doc:"One or more signatures, separated by spaces: v1 and, after a comma, base64 of HMAC-SHA-256 over id.timestamp.body." example:"v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="`
	RawBody     []byte `contentType:"application/json"`
}

type acceptedOutput struct{ Body accepted }

type accepted struct {
	Accepted bool `json:"accepted" doc:"The event is stored; it will not be lost." example:"true"`
}

func (s *server) registerWebhook() {
	op := huma.Operation{
		OperationID: "accept-order-webhook", Method: http.MethodPost, Path: "/v1/webhooks/{marketplace}/orders",
		Tags: []string{"Webhooks"}, Summary: "Tell settler about an order",
		Description: "Signed as [Standard Webhooks](https://www.standardwebhooks.com) says, with one of the marketplace's secrets. " +
			"The event is stored before it is answered, and the order is then read from the orchestrator: what the event says of the order " +
			"is not believed. Repeat it with the same id and body until it is answered 202; the same id with another body is answered 409.",
		Security:      []map[string][]string{{"webhookSignature": {}}},
		DefaultStatus: http.StatusAccepted, SkipValidateBody: true, // huma would read the signed bytes before the signature is checked
		MaxBodyBytes:    maxWebhook + 1, // huma refuses at the limit, not above it
		BodyReadTimeout: webhookReadTimeout,
	}
	register(s, op, []Code{
		RequestMalformed, SignatureInvalid, TimestampInvalid, MarketplaceUnknown, RequestTimeout, WebhookIDReused, BodyTooLarge,
	}, s.handleOrderEvent)
	// The document says what the handler checks by itself, so that every refusal has the code of its reason.
	documented := s.api.OpenAPI().Paths[op.Path].Post
	for _, p := range documented.Parameters {
		p.Required = true
	}
	documented.RequestBody.Content["application/json"].Schema = s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[webhookBody](), true, "WebhookBody")
}

func (s *server) handleOrderEvent(ctx context.Context, in *webhookInput) (*acceptedOutput, error) {
	// A marketplace's key is no secret: it is in the address that its operator was given, and nothing is accepted without
	// a signature. So a wrong address is told apart from a wrong secret.
	secrets, ok := s.secrets[in.Marketplace]
	if !ok {
		return nil, problem(MarketplaceUnknown, "The configuration has no marketplace of this name.")
	}
	if p := checkSignature(in, secrets, s.cfg.Now()); p != nil {
		s.cfg.Logger.WarnContext(ctx, "webhook refused", "marketplace", in.Marketplace, "reason", string(p.Code), "request_id", requestID(ctx))
		return nil, p
	}
	if !jobs.PlainID(in.ID) {
		return nil, problem(RequestMalformed, "The header webhook-id must have 1 to 255 printable characters.")
	}
	body, p := parseWebhook(in.RawBody)
	if p != nil {
		return nil, p
	}
	err := s.cfg.Runner.AcceptWebhook(ctx, store.Webhook{
		Marketplace: in.Marketplace, ID: in.ID, BodySHA256: sha256.Sum256(in.RawBody),
		Type: body.Type, MachineID: body.Data.MachineID, OrderID: body.Data.OrderID,
	})
	if err != nil {
		return nil, err
	}
	return &acceptedOutput{accepted{true}}, nil
}

// checkSignature checks the raw body against each secret, in constant time, and only then the age: a stranger learns
// nothing about our clock.
func checkSignature(in *webhookInput, secrets []*standardwebhooks.Webhook, now time.Time) *Problem {
	header := http.Header{}
	header.Set(standardwebhooks.HeaderWebhookID, in.ID)
	header.Set(standardwebhooks.HeaderWebhookTimestamp, in.Timestamp)
	header.Set(standardwebhooks.HeaderWebhookSignature, in.Signature)
	fits := func(secret *standardwebhooks.Webhook) bool {
		return secret.VerifyIgnoringTimestamp(in.RawBody, header) == nil
	}
	if !slices.ContainsFunc(secrets, fits) {
		return problem(SignatureInvalid, "None of the signatures in webhook-signature fits webhook-id, webhook-timestamp, the body and the marketplace's secret.")
	}
	seconds, err := strconv.ParseInt(in.Timestamp, 10, 64)
	if err != nil { // the library has read it already
		return problem(TimestampInvalid, "The header webhook-timestamp is not a number of seconds.")
	}
	if off := now.Unix() - seconds; off > int64(webhookTolerance/time.Second) || off < -int64(webhookTolerance/time.Second) {
		return problem(TimestampInvalid, fmt.Sprintf("Signed at %d, received at %d: more than 300 s apart. Sign every attempt anew.", seconds, now.Unix()))
	}
	return nil
}

func parseWebhook(raw []byte) (webhookBody, *Problem) {
	// Pointers and text tell a field that is missing from one that is empty, and name each fault.
	var b struct {
		Type      *string `json:"type"`
		Timestamp *string `json:"timestamp"`
		Data      *struct {
			MachineID *string `json:"machineId"`
			OrderID   *string `json:"orderId"`
		} `json:"data"`
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return webhookBody{}, problem(RequestMalformed, "The body is not the JSON of an order event.")
	}
	p := problem(RequestMalformed, "The body is not that of an order event.")
	fault := func(bad bool, location, message string) {
		if bad {
			p.Errors = append(p.Errors, Fault{Location: location, Message: message})
		}
	}
	var at time.Time
	var err error
	if b.Timestamp != nil {
		at, err = time.Parse(time.RFC3339, *b.Timestamp)
	}
	fault(b.Type == nil || !slices.Contains(webhookTypes, *b.Type), "body.type", "must be one of "+strings.Join(webhookTypes, ", "))
	fault(b.Timestamp == nil || err != nil, "body.timestamp", "must be a time as in RFC 3339")
	fault(b.Data == nil || b.Data.MachineID == nil || !jobs.PlainID(*b.Data.MachineID), "body.data.machineId", "must have 1 to 255 bytes, none of them a control character")
	fault(b.Data == nil || b.Data.OrderID == nil || !jobs.PlainID(*b.Data.OrderID), "body.data.orderId", "must have 1 to 255 bytes, none of them a control character")
	if len(p.Errors) > 0 {
		return webhookBody{}, p
	}
	return webhookBody{Type: *b.Type, Timestamp: at, Data: webhookData{*b.Data.MachineID, *b.Data.OrderID}}, nil
}
