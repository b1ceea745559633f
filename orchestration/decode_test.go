package orchestration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const orderText = `{"id":"ord_1","machineId":"mach_1","agentPairingId":"pair_1","serviceId":"svc","skillKey":"k","providerKey":"p",
"serviceType":"t","operation":"o","executionMode":"native","integrationStatus":"native","status":"created",
"payment":{"defaultRail":"wallet","required":true,"tokenAddress":"0x1"},
"input":{"snake_key":1,"camelKey":{"a_b":2}},"createdAt":"c","updatedAt":"u","taskId":"task_1","futureField":{"x_y":1.50}}`

func TestBothSpellingsAreOne(t *testing.T) {
	t.Parallel()
	var camel, snake MarketOrder
	if err := json.Unmarshal([]byte(orderText), &camel); err != nil {
		t.Fatal(err)
	}
	renamed := strings.NewReplacer(`"machineId"`, `"machine_id"`, `"agentPairingId"`, `"agent_pairing_id"`, `"serviceId"`, `"service_id"`,
		`"skillKey"`, `"skill_key"`, `"providerKey"`, `"provider_key"`, `"serviceType"`, `"service_type"`, `"executionMode"`, `"execution_mode"`,
		`"integrationStatus"`, `"integration_status"`, `"defaultRail"`, `"default_rail"`, `"tokenAddress"`, `"token_address"`,
		`"createdAt"`, `"created_at"`, `"updatedAt"`, `"updated_at"`, `"taskId"`, `"task_id"`, `"futureField"`, `"future_field"`,
		`"input"`, `"input_payload"`).Replace(orderText)
	if err := json.Unmarshal([]byte(renamed), &snake); err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(camel, snake); difference != "" {
		t.Error(difference)
	}
	if got := string(camel.Input["snake_key"]); got != "1" {
		t.Errorf("input's keys are not kept: %v", camel.Input)
	}
	if got := string(camel.Extra["futureField"]); got != `{"x_y":1.50}` || len(camel.Extra) != 2 {
		t.Errorf("extra %s", camel.Extra)
	}
}

func TestStoredRecordDecodesToItself(t *testing.T) {
	t.Parallel()
	var first, second MarketOrder
	if err := json.Unmarshal([]byte(orderText), &first); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &second); err != nil {
		t.Fatal(err)
	}
	second.Payment.SupportedRails, second.Payment.Notes = first.Payment.SupportedRails, first.Payment.Notes // null and absent are one
	if difference := cmp.Diff(first, second); difference != "" {
		t.Error(difference)
	}
}

func TestAmountsKeepTheirText(t *testing.T) {
	t.Parallel()
	const payment = `{"id":"pay_1","orderId":"ord_1","machineId":"m","status":"held","rail":{"railType":"wallet"},"createdAt":"","updatedAt":"","amount":`
	for text, want := range map[string]json.Number{
		"1.50": "1.50", "1e-06": "1e-06", "1E3": "1E3", "-0": "-0", "123456789012345678901234567890.000000000000000001": "123456789012345678901234567890.000000000000000001",
		`"2.5"`: "2.5", "null": "",
	} {
		var got MarketPayment
		if err := json.Unmarshal([]byte(payment+text+"}"), &got); err != nil || got.Amount != want {
			t.Errorf("%s: %q, %v; want %q", text, got.Amount, err, want)
		}
	}
	for _, text := range []string{`"abc"`, `""`, "true", "{}", "[1]", `"1.5 "`, `"0x10"`, `"NaN"`} {
		var got MarketPayment
		if err := json.Unmarshal([]byte(payment+text+"}"), &got); !errors.Is(err, CodeInvalidResponseShape) {
			t.Errorf("%s: %q, %v; want a shape error", text, got.Amount, err)
		}
	}
}

func TestShapeErrorsNameThePath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"items":[{"id":"a"}]}`:          "items[0].machineId: is missing",
		`{"items":[` + orderText + `,7]}`: "items[1]: is not an object",
		`{"items":{}}`:                    "items: is not an array",
		`{"items":[],"nextCursor":5}`:     "nextCursor: is not a string",
		`{}`:                              "items: is missing",
		`[]`:                              "answer: is not an object",
		strings.Replace(`{"items":[`+orderText+`]}`, `"id":"ord_1"`, `"id":""`, 1):         "items[0].id: is null or empty",
		strings.Replace(`{"items":[`+orderText+`]}`, `"required":true`, `"required":1`, 1): "items[0].payment.required: is not a bool",
	} {
		_, err := list[MarketOrder](answer{status: 200, body: []byte(text)})
		api, ok := errors.AsType[*APIError](err)
		if !ok || api.Code != CodeInvalidResponseShape || api.Message != want {
			t.Errorf("%.60s: got %v, want %s", text, err, want)
		}
	}
}

func TestUnknownTokensAreNotKept(t *testing.T) {
	t.Parallel()
	var pairing AgentPairing
	err := decode([]byte(`{"id":"p","machineId":"m","agentAddress":"","agentProvider":"","agentRole":"","status":"active","hasAuthToken":true,
		"delegationPolicy":{},"createdAt":"","updatedAt":"","refresh_token":"T","sessionSecret":"T","colour":"red"}`), &pairing)
	if err != nil || len(pairing.Extra) != 1 {
		t.Errorf("extra %s, %v", pairing.Extra, err)
	}
}

func TestRepeatedCursorEnds(t *testing.T) {
	t.Parallel()
	cursor, pages := "", 0
	var last error
	for _, err := range all(t.Context(), Page{}, func(_ context.Context, _ Page) (List[int], error) {
		pages++
		return List[int]{NextCursor: &cursor}, nil
	}) {
		last = err
	}
	if !errors.Is(last, CodeInvalidResponseShape) || pages != 2 {
		t.Errorf("%d pages, %v; want 2 and an error", pages, last)
	}
}

// FuzzDecode looks for answers that decode in one spelling to something that
// does not decode again, and for panics.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(orderText))
	f.Add([]byte(`{"id":null,"input":[],"amount":"1"}`))
	f.Add([]byte(`{"a__b":{},"_":1,"":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var order MarketOrder
		if decode(text, &order) != nil {
			return
		}
		again, err := json.Marshal(order)
		if err != nil {
			t.Fatalf("%q decodes to what does not encode: %v", text, err)
		}
		var second MarketOrder
		if err := decode(again, &second); err != nil {
			t.Fatalf("%q encodes to %q: %v", text, again, err)
		}
	})
}

// FuzzSplit compares our way of taking JSON apart with encoding/json's.
func FuzzSplit(f *testing.F) {
	f.Add([]byte(`{"a\\"b":[1,{"x":"]}"}], "\\u00e9" : null ,"n":-1e5}`))
	f.Add([]byte(`[ [] , {} ,"a\\\\",true]`))
	f.Add([]byte("{\"\xff\":\"\xff\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		text = bytes.TrimSpace(text)
		if !json.Valid(text) {
			return
		}
		var object map[string]json.RawMessage
		var array []json.RawMessage
		switch text[0] {
		case '{':
			got := map[string]json.RawMessage{}
			for each := members(text); each.next(); {
				got[unquote(each.name)] = each.value
			}
			if err := json.Unmarshal(text, &object); err != nil || !cmp.Equal(got, object) {
				t.Errorf("%q: %s", text, cmp.Diff(object, got))
			}
		case '[':
			var got [][]byte
			for each := elements(text); each.next(); {
				got = append(got, each.value)
			}
			if err := json.Unmarshal(text, &array); err != nil || len(got) != len(array) {
				t.Fatalf("%q: %d elements, want %d", text, len(got), len(array))
			}
			for i := range got {
				if !bytes.Equal(got[i], array[i]) {
					t.Errorf("%q: element %d is %q, want %q", text, i, got[i], array[i])
				}
			}
		}
	})
}
