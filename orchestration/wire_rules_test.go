package orchestration

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// wireRule is what this client does where a recording says that a careful client
// may differ from the SDK.
type wireRule struct {
	name   string
	reason string // part of what the recording says
	check  func(t *testing.T, each wireCase, got outcome)
}

var wireRules = []wireRule{
	{"user maps go out as given", "keys inside user maps", func(t *testing.T, each wireCase, got outcome) {
		compareRequests(t, each.exchanges(), got)
		checkUserMaps(t, each.Arguments, got)
		compareOutcome(t, each, got)
	}},
	{"nulls and empty objects inside input go out as given", "empty or null members", func(t *testing.T, each wireCase, got outcome) {
		compareRequests(t, each.exchanges(), got)
		checkUserMaps(t, each.Arguments, got)
		compareOutcome(t, each, got)
	}},
	{"heartbeats are in camelCase and have no nulls", "camelCase and no nulls", func(t *testing.T, each wireCase, got outcome) {
		if len(got.sent) != 1 {
			t.Fatalf("%d requests, %v", len(got.sent), got.err)
		}
		compareHead(t, each.Request, got.sent[0])
		compareBodies(t, folded(each.Request.Body), folded(got.sent[0].Body))
		eachMember(got.sent[0].Body, func(key string, value any) {
			if value == nil || strings.Contains(key, "_") {
				t.Errorf("%s: %v was sent", key, value)
			}
		})
		compareOutcome(t, each, got)
	}},
	{"shape errors name the path", "a shape error that names the path", func(t *testing.T, each wireCase, got outcome) {
		compareRequests(t, each.exchanges(), got)
		api, ok := errors.AsType[*APIError](got.err)
		if !ok || api.Code != CodeInvalidResponseShape || api.Status != 0 || !strings.Contains(api.Message, ": is ") {
			t.Errorf("got %v, want a shape error with a path", got.err)
		}
	}},
	{"open strings and missing newer fields are decoded", "decodes this", func(t *testing.T, each wireCase, got outcome) {
		compareRequests(t, each.exchanges(), got)
		if got.err != nil || got.value == nil {
			t.Errorf("not decoded: %v", got.err)
			return
		}
		var answer any
		decodeNumbers(t, each.Response.Body, &answer)
		compareDecoded(t, pythonNames(answer), got.value)
	}},
	{"redirects are refused", "refuses redirects", func(t *testing.T, each wireCase, got outcome) {
		compareRequests(t, each.exchanges()[:1], got)
		if len(got.sent) != 1 || !errors.Is(got.err, CodeBadResponse) || OutcomeOf(got.err) != Unknown {
			t.Errorf("%d requests, %v", len(got.sent), got.err)
		}
	}},
	{"identities of the older document are sent", "address form", checkSent},
	{"what the older document leaves out may be left out", "optional in the seed", checkSent},
	{"details are redacted", "redacts these details", func(t *testing.T, each wireCase, got outcome) {
		compareRequests(t, each.exchanges(), got)
		compareErrors(t, *each.Error, got.err) // a hidden value is equal to any
		api, ok := errors.AsType[*APIError](got.err)
		if !ok {
			return
		}
		var details any
		decodeNumbers(t, api.Details, &details)
		eachMember(details, func(key string, value any) {
			if secretKey(key) && value != redacted {
				t.Errorf("%s is shown: %v", key, value)
			}
		})
	}},
	{"an answer that is no envelope repeats nothing of the request", "any redaction", func(t *testing.T, each wireCase, got outcome) {
		compareRequests(t, each.exchanges(), got)
		compareErrors(t, *each.Error, got.err)
		if api, ok := errors.AsType[*APIError](got.err); ok && api.Details != nil {
			t.Errorf("details %s", api.Details)
		}
	}},
	{"the flat error form is read", "flat form", func(t *testing.T, each wireCase, got outcome) {
		compareRequests(t, each.exchanges(), got)
		var said struct{ Code Code }
		if err := json.Unmarshal(each.Response.Body, &said); err != nil || !errors.Is(got.err, said.Code) {
			t.Errorf("got %v, want %s", got.err, said.Code)
		}
	}},
	{"a Solana signature is kept", "keeps the signature", func(t *testing.T, each wireCase, got outcome) {
		compareRequests(t, each.exchanges(), got)
		compareOutcome(t, each, got)
		var answer struct {
			Item struct {
				Proof struct{ TransactionSignature string }
			}
		}
		if err := json.Unmarshal(each.Response.Body, &answer); err != nil {
			t.Fatal(err)
		}
		want := answer.Item.Proof.TransactionSignature
		payment, ok := got.value.(*MarketPayment)
		if want != "" && got.err == nil && (!ok || payment.Proof == nil || payment.Proof.TransactionSignature != want) {
			t.Errorf("got %+v, want signature %s", got.value, want)
		}
	}},
}

// ruleFor finds our rule by the recording's reason.
func ruleFor(t *testing.T, reason string) wireRule {
	t.Helper()
	for _, rule := range wireRules {
		if strings.Contains(reason, rule.reason) {
			t.Log("our rule: " + rule.name)
			return rule
		}
	}
	t.Fatalf("may differ, but we have no rule for it: %s", reason)
	return wireRule{}
}

// checkSent is for what the SDK refuses and we send.
func checkSent(t *testing.T, each wireCase, got outcome) {
	t.Helper()
	if len(got.sent) != 1 {
		t.Fatalf("%d requests, %v", len(got.sent), got.err)
	}
	var given any
	decodeNumbers(t, each.Arguments["params"], &given)
	delete(given.(map[string]any), "_type")
	if difference := different("body", given, pythonNames(got.sent[0].Body)); difference != "" {
		t.Error(difference)
	}
}

// userMaps are the arguments whose keys belong to the caller.
var userMaps = []string{"labels", "metadata", "evidence", "settings", "credentials", "payload", "params", "input", "input_payload"}

// checkUserMaps looks for each user map of the arguments in what was sent, as
// given.
func checkUserMaps(t *testing.T, arguments map[string]json.RawMessage, got outcome) {
	t.Helper()
	if len(got.sent) == 0 {
		return
	}
	var sent []any
	eachMember(got.sent[0].Body, func(_ string, value any) { sent = append(sent, value) })
	for name, text := range arguments {
		var argument any
		decodeNumbers(t, text, &argument)
		check := func(key string, value any) {
			if object, _ := value.(map[string]any); len(object) == 0 || !slices.Contains(userMaps, key) {
				return
			}
			if !slices.ContainsFunc(sent, func(each any) bool { return reflect.DeepEqual(each, value) }) {
				t.Errorf("%s was not sent as given: %v", key, value)
			}
		}
		if name != "params" { // there it is the SDK's name of a whole request
			check(name, argument)
		}
		eachMember(argument, check)
	}
}

// eachMember visits every member at any depth.
func eachMember(value any, visit func(key string, value any)) {
	switch value := value.(type) {
	case []any:
		for _, each := range value {
			eachMember(each, visit)
		}
	case map[string]any:
		for key, inner := range value {
			visit(key, inner)
			eachMember(inner, visit)
		}
	}
}
