package orchestration

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"testing"
)

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
