package orchestration

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"
)

// Recorded traffic of the vendor's SDK 0.12.1 is played to this client: it must
// send what the SDK sends and understand what the SDK understands. Where the
// recording says that a careful client may differ, wireRules tests our own rule.

type wireCase struct {
	Method    string                     `json:"method_name"`
	Case      string                     `json:"case"`
	Arguments map[string]json.RawMessage `json:"arguments"`
	Client    *struct {
		Key  *bool  `json:"key"`
		Base string `json:"base"`
	} `json:"client"`
	Request   *wireRequest   `json:"request"`
	Response  *wireResponse  `json:"response"`
	Exchanges []wireExchange `json:"exchanges"`
	Decoded   any            `json:"decoded"`
	Error     *wireError     `json:"error"`
	MayDiffer string         `json:"client_may_differ"`
}

type wireRequest struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    any               `json:"body"`
}

type wireResponse struct {
	Status  int               `json:"status"`
	Body    json.RawMessage   `json:"body"`
	Headers map[string]string `json:"headers"`
}

type wireExchange struct {
	Request  *wireRequest  `json:"request"`
	Response *wireResponse `json:"response"`
}

type wireError struct {
	Class      string `json:"class"`
	Code       Code   `json:"code"`
	Status     int    `json:"status_code"`
	Details    any    `json:"details"`
	Field      string `json:"field"`
	Constraint string `json:"constraint"`
}

// outcome is what playing a recording gave.
type outcome struct {
	sent  []*wireRequest
	value any // nil for a call without one
	err   error
}

// fixtures finds the recorded traffic through SETTLER_FIXTURES.
func fixtures(t *testing.T) []wireCase {
	t.Helper()
	dir := os.Getenv("SETTLER_FIXTURES")
	if dir == "" {
		const how = "SETTLER_FIXTURES is not set: set it to the directory that holds orchestration/wire.json, " +
			"the recorded traffic of the vendor's SDK (ask whoever gave you the API contract)"
		if os.Getenv("SETTLER_REQUIRE_FIXTURES") == "1" {
			t.Fatal(how)
		}
		t.Skip(how)
	}
	text, err := os.ReadFile(filepath.Join(dir, "orchestration", "wire.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []wireCase
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestWire(t *testing.T) {
	t.Parallel()
	for _, each := range fixtures(t) {
		if wireElsewhere[each.Method] != "" {
			continue
		}
		t.Run(each.Method+"/"+each.Case, func(t *testing.T) {
			t.Parallel()
			if _, known := wireArguments[each.Method]; !known {
				t.Fatalf("a recording of %s, which this client has not: bind it, or say why not (%s)", each.Method, wireNotBound[each.Method])
			}
			got := playWire(t, each)
			if each.MayDiffer != "" {
				ruleFor(t, each.MayDiffer).check(t, each, got)
				return
			}
			compareRequests(t, each.exchanges(), got)
			checkUserMaps(t, each.Arguments, got)
			compareOutcome(t, each, got)
		})
	}
}

// TestWireKnowsEveryMethod keeps the tables complete: every method has a
// recording or a reason, and every call of the SDK that is recorded has a method.
func TestWireKnowsEveryMethod(t *testing.T) {
	t.Parallel()
	recorded := map[string]bool{}
	for _, each := range fixtures(t) {
		recorded[each.Method] = true
	}
	bound := map[string]bool{}
	for sdk := range wireArguments {
		bound[methodOf(sdk)] = true
		if !recorded[sdk] {
			t.Errorf("%s has no recording", sdk)
		}
	}
	for method := range reflect.TypeFor[*Client]().Methods() {
		if why := wireUnrecorded[method.Name]; bound[method.Name] == (why != "") {
			t.Errorf("%s: needs either a recording or a reason why there is none (%q)", method.Name, why)
		}
		delete(bound, method.Name)
	}
	for name := range bound {
		t.Errorf("no method %s", name)
	}
	for sdk := range wireNotBound {
		if recorded[sdk] {
			t.Errorf("%s is recorded and not bound", sdk)
		}
	}
}

// exchanges are the requests of a recording with their answers.
func (c wireCase) exchanges() []wireExchange {
	if c.Exchanges == nil && c.Request != nil {
		return []wireExchange{{c.Request, c.Response}}
	}
	return c.Exchanges
}

// playWire makes the recorded call to a server that gives the recorded answers.
func playWire(t *testing.T, each wireCase) outcome {
	t.Helper()
	exchanges := each.exchanges()
	var mu sync.Mutex // a cut connection orders nothing
	var sent []*wireRequest
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body any
		decoder := json.NewDecoder(r.Body)
		decoder.UseNumber()
		_ = decoder.Decode(&body)
		headers := map[string]string{}
		for _, name := range []string{"x-api-key", "x-agent-pairing-token", "content-type"} {
			if value := r.Header.Get(name); value != "" {
				headers[name] = value
			}
		}
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, &wireRequest{r.Method, r.RequestURI, headers, body})
		if len(exchanges) == 0 {
			return // a case that the SDK refuses and we send
		}
		answer := exchanges[min(len(sent), len(exchanges))-1].Response
		if answer == nil {
			panic(http.ErrAbortHandler)
		}
		for name, value := range answer.Headers {
			w.Header().Set(name, strings.ReplaceAll(value, "PORT", r.Host[strings.LastIndex(r.Host, ":")+1:]))
		}
		w.WriteHeader(answer.Status)
		var text string
		if json.Unmarshal(answer.Body, &text) == nil && answer.Body[0] == '"' {
			_, _ = w.Write([]byte(text))
		} else if !bytes.Equal(answer.Body, []byte("null")) {
			_, _ = w.Write(answer.Body)
		}
	}))
	defer server.Close()
	cfg := Config{BaseURL: server.URL, APIKey: "fake-platform-key-0001"}
	if each.Client != nil {
		cfg.BaseURL += each.Client.Base
		if each.Client.Key != nil && !*each.Client.Key {
			cfg.APIKey = ""
		}
	}
	if strings.HasSuffix(each.Case, "network_refused") {
		server.Close()
	}
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	value, err := callWire(ctx, client, each.Method, each.Arguments)
	mu.Lock()
	defer mu.Unlock()
	return outcome{sent, value, err}
}
