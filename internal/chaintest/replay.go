package chaintest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Recording is what an endpoint once answered to a call.
type Recording struct {
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"` // compared as JSON without its white space
	Result json.RawMessage `json:"result,omitempty"`
	Error  *RPCError       `json:"error,omitempty"`
}

// Replay starts an endpoint that gives the recorded answers, and returns its URL. It ends with the test. A call that was not
// recorded is answered with an error that names it, and fails the test.
func Replay(t testing.TB, recordings ...Recording) (url string) {
	t.Helper()
	known := make(map[string]Recording, len(recordings)) // key of a call → its answer
	for _, r := range recordings {
		key, err := keyOf(r.Method, r.Params)
		if err != nil {
			t.Fatalf("recording of %s: %v", r.Method, err)
		}
		known[key] = r
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the caller has gone
		}
		messages, batch, err := parse(body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answers := make([]answer, len(messages))
		for i, m := range messages {
			answers[i] = answer{Version: "2.0", ID: m.ID}
			key, err := keyOf(m.Method, m.Params)
			recorded, is := known[key]
			switch {
			case err != nil || !is:
				t.Errorf("no answer is recorded for %s %s", m.Method, m.Params)
				const invalidRequest = -32600 // JSON-RPC 2.0, 5.1
				answers[i].Error = &RPCError{Code: invalidRequest, Message: "not recorded: " + m.Method}
			case recorded.Error != nil:
				answers[i].Error = recorded.Error
			case recorded.Result == nil:
				answers[i].Result = json.RawMessage("null")
			default:
				answers[i].Result = recorded.Result
			}
		}
		w.Header().Set("Content-Type", "application/json")
		var out any = answers
		if !batch {
			out = answers[0]
		}
		_ = json.NewEncoder(w).Encode(out) // a caller that has gone misses nothing
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// keyOf names a call. Calls without parameters are one, however that is written.
func keyOf(method string, params json.RawMessage) (string, error) {
	var text bytes.Buffer
	if len(params) > 0 {
		if err := json.Compact(&text, params); err != nil {
			return "", fmt.Errorf("decode parameters: %w", err)
		}
	}
	if text.String() == "[]" || text.String() == "null" {
		text.Reset()
	}
	return method + " " + text.String(), nil
}
