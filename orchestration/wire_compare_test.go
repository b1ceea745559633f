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

// compareRequests compares what was sent with what the SDK sent.
func compareRequests(t *testing.T, exchanges []wireExchange, got outcome) {
	t.Helper()
	if len(exchanges) == 0 {
		if len(got.sent) > 0 {
			t.Errorf("%s %s was sent, want nothing", got.sent[0].Method, got.sent[0].Path)
		}
		return
	}
	for i := range max(len(exchanges), len(got.sent)) {
		// A read that fails is repeated by us, never by the SDK.
		want := exchanges[min(i, len(exchanges)-1)].Request
		if i >= len(got.sent) {
			if !refusedConnection(got.err) {
				t.Errorf("request %d was not sent: %v", i, got.err)
			}
			return
		}
		if i >= len(exchanges) && want.Method != "GET" {
			t.Errorf("%s %s was sent %d times", want.Method, want.Path, i+1)
		}
		if i >= len(exchanges) && got.sent[i].Path == strings.TrimSuffix(want.Path, "/payment") {
			continue // after a 404 we look whether it is the order that is missing
		}
		compareHead(t, want, got.sent[i])
		compareBodies(t, foldedMaps(want.Body), foldedMaps(got.sent[i].Body))
	}
}

// compareBodies compares in both directions: nothing less and nothing more.
func compareBodies(t *testing.T, want, got any) {
	t.Helper()
	if difference := different("body", want, got); difference != "" {
		t.Error(difference)
	}
	if difference := different("sent body", got, want); difference != "" {
		t.Error(difference)
	}
}

// foldedMaps folds the user maps of a body: the SDK maps their keys, we do not.
// That ours are as given is looked at by checkUserMaps.
func foldedMaps(value any) any {
	switch value := value.(type) {
	case []any:
		out := []any{}
		for _, each := range value {
			out = append(out, foldedMaps(each))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, inner := range value {
			if slices.Contains(userMaps, key) {
				out[key] = folded(inner)
			} else {
				out[key] = foldedMaps(inner)
			}
		}
		return out
	}
	return value
}

// folded has every key in camelCase, and neither nulls nor empty objects.
func folded(value any) any {
	switch value := value.(type) {
	case []any:
		out := []any{}
		for _, each := range value {
			out = append(out, folded(each))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key, inner := range value {
			if inner = folded(inner); inner != nil && !reflect.DeepEqual(inner, map[string]any{}) {
				out[camelCase(key)] = inner
			}
		}
		return out
	}
	return value
}

func refusedConnection(err error) bool {
	network, ok := errors.AsType[*NetworkError](err)
	return ok && network.refused()
}

// compareHead compares all but the body.
func compareHead(t *testing.T, want, got *wireRequest) {
	t.Helper()
	headers := map[string]string{}
	for name, value := range want.Headers {
		if name == "x-api-key" || name == "x-agent-pairing-token" || name == "content-type" {
			headers[name] = value
		}
	}
	if got.Method != want.Method || got.Path != want.Path || !reflect.DeepEqual(got.Headers, headers) {
		t.Errorf("sent %s %s %v\nwant %s %s %v", got.Method, got.Path, got.Headers, want.Method, want.Path, headers)
	}
}

// compareOutcome compares what came out with what the SDK made of it.
func compareOutcome(t *testing.T, each wireCase, got outcome) {
	t.Helper()
	switch {
	case each.Error != nil:
		compareErrors(t, *each.Error, got.err)
	case got.err != nil:
		t.Errorf("got %v", got.err)
	case got.value != nil:
		compareDecoded(t, each.Decoded, got.value)
	}
}

func compareErrors(t *testing.T, want wireError, err error) {
	t.Helper()
	switch want.Class {
	case "OrchestrationApiError", "StreamDeliveryNotReadyError":
		api, ok := errors.AsType[*APIError](err)
		if !ok || api.Code != want.Code || api.Status != want.Status {
			t.Errorf("got %v, want %s (%d)", err, want.Code, want.Status)
			return
		}
		if want.Code == CodeBadResponse {
			return // the SDK repeats the request there, we do not
		}
		var details any
		decodeNumbers(t, api.Details, &details)
		if difference := different("details", want.Details, pythonNames(details)); difference != "" {
			t.Error(difference)
		}
	case "OrchestrationNetworkError":
		if _, ok := errors.AsType[*NetworkError](err); !ok {
			t.Errorf("got %v, want a network error", err)
		}
	case "OrchestrationConfigError":
		if _, ok := errors.AsType[*ConfigError](err); !ok {
			t.Errorf("got %v, want a config error", err)
		}
	case "OrchestrationValidationError":
		refusal, ok := errors.AsType[*ValidationError](err)
		if !ok || refusal.Field != want.Field || refusal.Constraint != want.Constraint {
			t.Errorf("got %v, want a refusal of %s (%s)", err, want.Field, want.Constraint)
		}
	default: // a raw Python exception that leaks from the SDK
		if _, refused := errors.AsType[*ValidationError](err); !refused && !errors.Is(err, CodeInvalidResponseShape) {
			t.Errorf("got %v, want a shape error (%s in the SDK)", err, want.Class)
		}
	}
}

// decodeNumbers keeps the text of numbers; no text is no value.
func decodeNumbers(t *testing.T, text []byte, into *any) {
	t.Helper()
	if text == nil {
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

// compareDecoded compares what the SDK made of an answer with what we made of
// it, secrets included, after mapping our names to its own.
func compareDecoded(t *testing.T, want, got any) {
	t.Helper()
	ours := wireForm(t, got)
	if object, ok := want.(map[string]any); ok {
		inner, isItem := object["item"]
		_, isList := object["items"]
		array, isArray := ours.([]any)
		record, _ := ours.(map[string]any)
		_, bare := record["item"]
		switch {
		case isItem && !bare:
			// An order's execution stands beside the item; we keep it in Extra.
			if of, ok := inner.(map[string]any); ok && object["execution"] != nil {
				of["execution"] = object["execution"]
			}
			want = inner
		case isList && isArray: // a list that has no pages
			ours = map[string]any{"items": array}
		}
	}
	if difference := different("decoded", want, pythonNames(ours)); difference != "" {
		t.Error(difference)
	}
}

// wireForm is a value of ours as JSON, with its secrets.
func wireForm(t *testing.T, value any) any {
	t.Helper()
	if rows, ok := value.([]any); ok {
		forms := []any{}
		for _, row := range rows {
			forms = append(forms, wireForm(t, row))
		}
		return forms
	}
	text, err := encodeRequest(value)
	if err != nil {
		t.Fatal(err)
	}
	var form any
	decodeNumbers(t, text, &form)
	return form
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

// pythonOnly are the SDK's own names of wire fields.
var pythonOnly = map[string]string{"input_payload": "input", "rail_type": "type", "request": "request_payload"}

// pythonDefaults are what the SDK's classes say whether or not it was on the
// wire: key → value.
var pythonDefaults = map[string]string{"mode": "p2p", "signaling": "peaqos-socket", "type": "peaqos-socket"}

// different says where want has something that got has not; what only got has is
// no difference. Null, absent, empty list and empty object are one; numbers are
// compared by value, also when one is in quotes; a hidden secret is any text.
func different(path string, want, got any) string {
	if isNothing(want) && isNothing(got) || got == redacted {
		return ""
	}
	if want == nil && got == false && strings.HasPrefix(path, "decoded") {
		return "" // null, in an answer
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
			if _, found := ours[name]; !found && inner == pythonDefaults[key] {
				continue
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
	default:
		if reflect.DeepEqual(want, got) {
			return ""
		}
		_, isNumber := want.(json.Number)
		_, wasNumber := got.(json.Number)
		a, okA := new(big.Rat).SetString(fmt.Sprint(want))
		b, okB := new(big.Rat).SetString(fmt.Sprint(got))
		if (isNumber || wasNumber) && okA && okB && a.Cmp(b) == 0 {
			return ""
		}
	}
	return fmt.Sprintf("%s: got %v, want %v", path, got, want)
}

func isNothing(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case string:
		return value == "" // the SDK has null or "" where we have ""
	case []any:
		return len(value) == 0
	case map[string]any:
		return len(value) == 0
	}
	return false
}
