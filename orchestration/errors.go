package orchestration

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// APIError is an answer that says no, or that we could not read.
//
// errors.Is(err, CodeOrderClosed) compares the code. Message and Details come
// from the server; what looks like a secret in them has been taken out.
type APIError struct {
	Code Code
	// Status is the HTTP status; 0 with CodeInvalidResponseShape.
	Status  int
	Message string
	// Details is the server's JSON, nil when it sent none.
	Details json.RawMessage
	// RequestID is the x-request-id of the answer, "" when absent.
	RequestID string
	op        string // "POST /market/orders/ord_1/confirm", no query
}

func (e *APIError) Error() string {
	text := string(e.Code)
	if e.op != "" {
		text = e.op + ": " + text
	}
	if e.Status != 0 {
		text += fmt.Sprintf(" (%d)", e.Status)
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.RequestID != "" {
		text += " [request " + e.RequestID + "]"
	}
	return text
}

// Unwrap gives the code, so that errors.Is finds it.
func (e *APIError) Unwrap() error { return e.Code }

// NetworkError means that no answer came. The cause says why, without the URL's query.
type NetworkError struct {
	Cause error
	op    string
}

func (e *NetworkError) Error() string { return e.op + ": " + e.Cause.Error() }

func (e *NetworkError) Unwrap() error { return e.Cause }

// Timeout reports whether time ran out while waiting.
func (e *NetworkError) Timeout() bool {
	timeout, ok := errors.AsType[net.Error](e.Cause)
	return ok && timeout.Timeout()
}

// refused reports whether the connection was never made, so that the server
// cannot have seen the request.
func (e *NetworkError) refused() bool {
	op, ok := errors.AsType[*net.OpError](e.Cause)
	return ok && op.Op == "dial" || e.mistrusted()
}

// mistrusted reports whether the server's certificate was refused.
func (e *NetworkError) mistrusted() bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](e.Cause)
	return ok
}

// ConfigError means that a client or session cannot be built from what was given.
type ConfigError struct{ Problem string }

func (e *ConfigError) Error() string { return "orchestration config: " + e.Problem }

// ValidationError means that an argument was refused before anything was sent. Field is
// spelled as in the vendor's SDK (snake_case).
type ValidationError struct{ Field, Constraint string }

func (e *ValidationError) Error() string {
	return fmt.Sprintf("%s must be: %s", e.Field, e.Constraint)
}

// CallOutcome says whether a call did what it asks for.
type CallOutcome string

const (
	// Acted: the server did it and we have its answer.
	Acted CallOutcome = "acted"
	// NotActed: the server did not do it; the call may be changed or repeated.
	NotActed CallOutcome = "not_acted"
	// Unknown: it may or may not have acted; read back before writing again.
	Unknown CallOutcome = "unknown"
)

// OutcomeOf reads the outcome of a write from its error: nil is Acted; an
// understood 4xx answer, a connection that was never made (or whose certificate
// is not trusted) and arguments refused here are NotActed; everything else (timeout, reset, 3xx, 5xx, 408, an answer
// that we cannot read whatever its status) is Unknown.
func OutcomeOf(err error) CallOutcome {
	if err == nil {
		return Acted
	}
	if _, ok := errors.AsType[*SessionError](err); ok {
		return NotActed // whatever came of the pairing, the call itself was not made or was refused
	}
	if api, ok := errors.AsType[*APIError](err); ok {
		understood := api.Code != CodeBadResponse && api.Code != CodeInvalidResponseShape
		if understood && api.Status >= 400 && api.Status < 500 && api.Status != http.StatusRequestTimeout {
			return NotActed
		}
		return Unknown
	}
	if network, ok := errors.AsType[*NetworkError](err); ok && network.refused() {
		return NotActed
	}
	if _, ok := errors.AsType[*ValidationError](err); ok {
		return NotActed
	}
	if _, ok := errors.AsType[*ConfigError](err); ok {
		return NotActed
	}
	return Unknown
}
