package orchestration

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// Recorded traffic of the vendor's SDK 0.12.1 is played to this client: it must
// send what the SDK sends and understand what the SDK understands. Where a
// careful client differs on purpose, wireDiffers says why.

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
	Class  string `json:"class"`
	Code   Code   `json:"code"`
	Status int    `json:"status_code"`
	Field  string `json:"field"`
}

// wireDiffers lists what this client does instead: case → the error we give;
// "decodes" where the SDK refuses and we do not; "sends" where we send something
// else; "flat" for the error form that only we read; "same" where the difference
// is in mapping user maps, which this test does for the client.
var wireDiffers = map[string]string{
	"create_machine/full":                                       "same",
	"create_machine/error_details_object":                       "VALIDATION_ERROR",
	"create_machine/invalid_no_identity":                        "sends",
	"create_machine/invalid_no_proof":                           "sends",
	"create_machine_identity_challenge/invalid_identity_ref_0":  "sends", // the older document's address form
	"get_machine/success_status_unknown":                        "decodes",
	"get_machine/success_identity_0x":                           "decodes",
	"get_machine/redirect_302":                                  "BAD_RESPONSE",
	"create_market_order/redirect_302_post_becomes_get":         "BAD_RESPONSE",
	"create_market_order/redirect_307_other_host_keeps_secrets": "BAD_RESPONSE",
	"create_market_order/full":                                  "sends", // empty and null members as given
	"create_market_order/error_html_body":                       "BAD_RESPONSE",
	"create_market_order/error_empty_body":                      "BAD_RESPONSE",
	"create_market_order/error_flat_shape":                      "flat", // the flat form is understood
	"create_market_order/error_message_missing":                 "BAD_RESPONSE",
	"create_agent_pairing_challenge/success_machine_absent":     "decodes",
	"get_market_order/success_field_missing":                    "INVALID_RESPONSE_SHAPE",
	"get_market_order/success_204":                              "INVALID_RESPONSE_SHAPE",
	"get_market_payment/success_rail_type_missing":              "INVALID_RESPONSE_SHAPE",
	"get_market_payment/solana_proof":                           "decodes", // and keeps the signature
	"check_health/success_not_ok":                               "INVALID_RESPONSE_SHAPE",
	"submit_payment_proof/full":                                 "same",
	"submit_payment_proof/error_html_body":                      "BAD_RESPONSE",
	"dispute_market_order/full":                                 "same",
	"create_payment_intent/full":                                "same",
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
	played := 0
	for _, each := range fixtures(t) {
		call, ok := wireCalls[each.Method]
		if !ok {
			continue // a call that this client does not have
		}
		played++
		t.Run(each.Method+"/"+each.Case, func(t *testing.T) { playWire(t, each, call) })
	}
	if played < 90 {
		t.Errorf("%d cases played, want at least 90", played)
	}
}

func playWire(t *testing.T, each wireCase, call func(context.Context, *Client, wireArgs) (any, error)) {
	exchanges := each.Exchanges
	if exchanges == nil && each.Request != nil {
		exchanges = []wireExchange{{each.Request, each.Response}}
	}
	var got []*wireRequest
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
		got = append(got, &wireRequest{r.Method, r.RequestURI, headers, body})
		if len(exchanges) == 0 {
			return // a case that the SDK refuses and we send
		}
		answer := exchanges[min(len(got), len(exchanges))-1].Response
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
	if each.Case == "network_refused" {
		server.Close()
	}
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	decoded, err := call(ctx, client, wireArgs(each.Arguments))

	differs := wireDiffers[each.Method+"/"+each.Case]
	if differs == "same" {
		differs, each.MayDiffer = "", ""
	}
	if differs == "" && each.MayDiffer != "" {
		t.Fatalf("differs on purpose, but how is not listed: %s", each.MayDiffer)
	}
	if differs != "sends" {
		compareRequests(t, exchanges, got, err)
	} else if len(got) == 0 {
		t.Errorf("nothing was sent: %v", err)
	}
	switch {
	case differs == "sends" && each.Error != nil: // what the server says to it is not recorded
	case differs == "decodes":
		if err != nil {
			t.Errorf("not decoded: %v", err)
		}
	case differs == "flat":
		if errors.Is(err, CodeBadResponse) || err == nil {
			t.Errorf("the flat form is not understood: %v", err)
		}
	case differs != "" && differs != "sends":
		if !errors.Is(err, Code(differs)) {
			t.Errorf("got %v, want %s", err, differs)
		}
	case each.Error != nil:
		compareErrors(t, *each.Error, err)
	case err != nil:
		t.Errorf("got %v", err)
	default:
		compareDecoded(t, each.Decoded, decoded)
	}
}

func compareRequests(t *testing.T, exchanges []wireExchange, got []*wireRequest, err error) {
	t.Helper()
	// A read that fails is repeated by us, never by the SDK; a redirect is
	// followed by the SDK, never by us.
	for i, exchange := range exchanges {
		want := exchange.Request
		if i > 0 && exchanges[i-1].Response != nil && exchanges[i-1].Response.Status/100 == 3 {
			break
		}
		if i >= len(got) {
			t.Fatalf("request %d was not sent: %v", i, err)
		}
		headers := map[string]string{}
		for name, value := range want.Headers {
			if name == "x-api-key" || name == "x-agent-pairing-token" || name == "content-type" {
				headers[name] = value
			}
		}
		if got[i].Method != want.Method || got[i].Path != want.Path || !reflect.DeepEqual(got[i].Headers, headers) {
			t.Errorf("sent %s %s %v\nwant %s %s %v", got[i].Method, got[i].Path, got[i].Headers, want.Method, want.Path, headers)
		}
		if difference := different("body", want.Body, got[i].Body); difference != "" {
			t.Error(difference)
		}
	}
	if len(exchanges) == 0 && len(got) > 0 {
		t.Errorf("%s %s was sent, want nothing", got[0].Method, got[0].Path)
	}
}

func compareErrors(t *testing.T, want wireError, err error) {
	t.Helper()
	switch want.Class {
	case "OrchestrationApiError":
		api, ok := errors.AsType[*APIError](err)
		if !ok || api.Code != want.Code || api.Status != want.Status {
			t.Errorf("got %v, want %s (%d)", err, want.Code, want.Status)
		}
	case "OrchestrationNetworkError":
		if _, ok := errors.AsType[*NetworkError](err); !ok {
			t.Errorf("got %v, want a network error", err)
		}
	case "OrchestrationValidationError":
		validation, ok := errors.AsType[*ValidationError](err)
		if !ok || validation.Field != want.Field {
			t.Errorf("got %v, want a refusal of %s", err, want.Field)
		}
	default: // a raw Python error that leaks: ours names the path
		if !errors.Is(err, CodeInvalidResponseShape) {
			t.Errorf("got %v, want a shape error", err)
		}
	}
}

// compareDecoded compares what the SDK made of an answer with what we made of
// it, after mapping our names to its own.
func compareDecoded(t *testing.T, want, got any) {
	t.Helper()
	if _, ok := got.(struct{}); ok { // a call without a value; health gives {ok: true}
		return
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var ours any
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&ours); err != nil {
		t.Fatal(err)
	}
	if difference := different("decoded", want, pythonNames(ours)); difference != "" {
		t.Error(difference)
	}
}

// verbatim keys keep the spelling of their values in the SDK (contract, 1.4).
var verbatim = []string{"result", "exampleInput", "exampleOutput", "default", "example"}

func pythonNames(value any) any {
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = pythonNames(value[i])
		}
	case map[string]any:
		out := map[string]any{}
		for key, inner := range value {
			if !slices.Contains(verbatim, key) {
				inner = pythonNames(inner)
			}
			out[snakeCase(key)] = inner
		}
		return out
	}
	return value
}

func snakeCase(key string) string {
	var b strings.Builder
	for i, char := range key {
		upper := char >= 'A' && char <= 'Z'
		if upper && i > 0 && (key[i-1] < 'A' || key[i-1] > 'Z' || i+1 < len(key) && key[i+1] >= 'a' && key[i+1] <= 'z') {
			b.WriteByte('_')
		}
		b.WriteString(strings.ToLower(string(char)))
	}
	return b.String()
}

// pythonOnly are the SDK's own names of wire fields, and its fields that hold
// nothing of the wire.
var pythonOnly = map[string]string{"input_payload": "input", "rail_type": "type", "request": "request_payload"}

// different says where want has something that got has not; what only we keep is
// no difference. Null, absent, empty list and empty object are one; numbers are
// compared by value; a hidden secret is any text.
func different(path string, want, got any) string {
	if isNothing(want) && isNothing(got) {
		return ""
	}
	if got == redacted {
		return ""
	}
	switch want := want.(type) {
	case map[string]any:
		ours, ok := got.(map[string]any)
		if !ok {
			break
		}
		for key, inner := range want {
			if key == "extra" {
				continue // the SDK keeps unknown fields there, we beside the others
			}
			name := key
			if _, found := ours[name]; !found {
				name = cmp.Or(pythonOnly[key], key)
			}
			if difference := different(path+"."+key, inner, ours[name]); difference != "" {
				return difference
			}
		}
		return ""
	case []any:
		ours, ok := got.([]any)
		if !ok || len(ours) != len(want) {
			break
		}
		for i := range want {
			if difference := different(fmt.Sprintf("%s[%d]", path, i), want[i], ours[i]); difference != "" {
				return difference
			}
		}
		return ""
	case json.Number:
		a, okA := new(big.Rat).SetString(want.String())
		b, okB := new(big.Rat).SetString(fmt.Sprint(got))
		if okA && okB && a.Cmp(b) == 0 {
			return ""
		}
	default:
		if reflect.DeepEqual(want, got) {
			return ""
		}
	}
	return fmt.Sprintf("%s: got %v, want %v", path, got, want)
}

func isNothing(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}

// wireArgs are the arguments of a case: parameter name → JSON, snake_case.
type wireArgs map[string]json.RawMessage

func (a wireArgs) text(name string) string {
	var text string
	_ = json.Unmarshal(a[name], &text)
	return text
}

func (a wireArgs) page() Page {
	var page Page
	if limit, ok := a["limit"]; ok {
		_ = json.Unmarshal(limit, &page.Limit)
		if page.Limit == 0 {
			page.Limit = -1 // our zero leaves it to the server
		}
	}
	page.Cursor = a.text("cursor")
	return page
}

// params decodes the SDK's request class by our rules: snake_case is one of the
// two spellings.
func params[T any](a wireArgs, name string) T {
	var value T
	var raw map[string]json.RawMessage
	_ = json.Unmarshal(a[name], &raw)
	delete(raw, "_type")
	for from, to := range map[string]string{"input_payload": "input"} {
		if part, ok := raw[from]; ok {
			delete(raw, from)
			raw[to] = part
		}
	}
	camel := map[string]json.RawMessage{}
	for key, part := range raw {
		camel[camelCase(key)] = camelKeys(camelCase(key), part)
	}
	text, err := json.Marshal(camel)
	if err != nil {
		panic(err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		panic(err)
	}
	return value
}

// camelKeys maps the keys of everything but an order's input.
func camelKeys(name string, text json.RawMessage) json.RawMessage {
	var out any
	var list []json.RawMessage
	var object map[string]json.RawMessage
	switch {
	case name == "input":
		return text
	case json.Unmarshal(text, &list) == nil:
		for i := range list {
			list[i] = camelKeys("", list[i])
		}
		out = list
	case json.Unmarshal(text, &object) == nil:
		mapped := map[string]json.RawMessage{}
		for key, part := range object {
			mapped[camelCase(key)] = camelKeys(camelCase(key), part)
		}
		out = mapped
	default:
		return text
	}
	mapped, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return mapped
}

func itemOf[T any](value T, err error) (any, error) { return map[string]any{"item": value}, err }

func listOf[T any](value List[T], err error) (any, error) {
	return map[string]any{"items": value.Items, "nextCursor": value.NextCursor}, err
}

func allOf[T any](rows iter.Seq2[T, error]) (any, error) {
	items := []T{}
	for row, err := range rows {
		if err != nil {
			return items, err
		}
		items = append(items, row)
	}
	return items, nil
}
