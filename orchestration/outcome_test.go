package orchestration

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// TestOutcomeOfEveryError says for each class of error what a caller may believe of its write.
func TestOutcomeOfEveryError(t *testing.T) {
	t.Parallel()
	api := func(status int, code Code) error { return &APIError{Code: code, Status: status} }
	network := func(cause error) error { return &NetworkError{Cause: cause} }
	for name, c := range map[string]struct {
		err  error
		want CallOutcome
	}{
		"none":                         {nil, Acted},
		"refused, 400":                 {api(400, CodeValidation), NotActed},
		"refused, 401":                 {api(401, CodeAgentAuthInvalid), NotActed},
		"refused, 404":                 {api(404, CodeNotFound), NotActed},
		"refused, 409":                 {api(409, CodeOrderClosed), NotActed},
		"refused, a new code":          {api(418, "SOMETHING_NEW"), NotActed},
		"too many requests":            {api(429, "RATE_LIMITED"), NotActed},
		"request timeout":              {api(408, "TIMEOUT"), Unknown},
		"server error":                 {api(500, "INTERNAL_ERROR"), Unknown},
		"RPC error, 502":               {api(502, CodePaymentRPCError), Unknown},
		"unavailable":                  {api(503, CodeIdentityUnavailable), Unknown},
		"not JSON, 200":                {api(200, CodeBadResponse), Unknown},
		"not JSON, 403":                {api(403, CodeBadResponse), Unknown},
		"redirect":                     {api(302, CodeBadResponse), Unknown},
		"wrong shape":                  {api(0, CodeInvalidResponseShape), Unknown},
		"connection refused":           {network(&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}), NotActed},
		"no such host":                 {network(&net.OpError{Op: "dial", Err: &net.DNSError{Name: "h"}}), NotActed},
		"certificate not trusted":      {network(&tls.CertificateVerificationError{Err: io.EOF}), NotActed},
		"reset while reading":          {network(&net.OpError{Op: "read", Err: syscall.ECONNRESET}), Unknown},
		"broken while writing":         {network(&net.OpError{Op: "write", Err: syscall.EPIPE}), Unknown},
		"closed without an answer":     {network(io.EOF), Unknown},
		"timeout":                      {network(context.DeadlineExceeded), Unknown},
		"given up":                     {network(context.Canceled), Unknown},
		"argument":                     {&ValidationError{"order_id", "non-empty string"}, NotActed},
		"configuration":                {&ConfigError{"no host"}, NotActed},
		"no token":                     {&SessionError{"m", network(io.EOF)}, NotActed},
		"wrapped":                      {fmt.Errorf("post proof: %w", api(409, CodeOrderClosed)), NotActed},
		"something that is not ours":   {errors.New("disk full"), Unknown},
		"joined, an unknown one first": {errors.Join(api(500, "INTERNAL_ERROR"), api(409, CodeOrderClosed)), Unknown},
	} {
		if got := OutcomeOf(c.err); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// FuzzRefusal reads whatever a server answers with an error status: nothing panics, no secret of ours comes back, and
// every answer is a usable error.
func FuzzRefusal(f *testing.F) {
	for _, seed := range []string{
		"", "null", "<html>", `{"error":{"code":"ORDER_CLOSED","message":"m"}}`, `{"code":"A","message":"b"}`, `{"error":"text"}`,
		`{"error":{"code":5,"message":"m"}}`, `{"error":{"code":"A","message":"SECRETSECRET at peaqos-p2p://SECRETSECRET","details":{"apiKey":[1],"connect":{"url":"x"},"n":1e400}}}`,
		"{\"error\":{\"code\":\"A\\n\\u0000\",\"message\":\"\xff\"}}",
	} {
		f.Add(seed, 400)
		f.Add(seed, 502)
	}
	const secret = "SECRETSECRET"
	client := &Client{key: secret}
	f.Fuzz(func(t *testing.T, text string, status int) {
		if status < 400 || status > 599 {
			return
		}
		err := client.refusal(request{method: http.MethodPost, path: "/x"}, &http.Response{StatusCode: status}, []byte(text))
		if strings.Contains(err.Error()+string(err.Details), secret) || strings.ContainsAny(err.Error(), "\r\n\x00") {
			t.Errorf("%q gives %q with details %s", text, err, err.Details)
		}
		if err.Details != nil && !json.Valid(err.Details) {
			t.Errorf("%q gives details that are no JSON: %s", text, err.Details)
		}
		if OutcomeOf(err) == Acted || err.Status != status {
			t.Errorf("%q: %s, status %d", text, OutcomeOf(err), err.Status)
		}
	})
}
