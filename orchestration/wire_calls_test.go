package orchestration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// wireArguments names the arguments of each call of the vendor's SDK in the order
// in which our method takes them: SDK name → SDK parameter names. "params.x" is
// one field of an argument, "page" is limit and cursor, "*" is every argument
// that is left, as the fields of one request. A pairing_token that is given and
// not named here is for Client.As.
var wireArguments = map[string]string{
	"create_machine_identity_challenge": "params.identity_ref",
	"list_machines":                     "page",
	"list_machines_all":                 "page",
	"create_machine":                    "params",
	"get_machine":                       "machine_id",
	"update_machine":                    "machine_id params",
	"archive_machine":                   "machine_id",

	"list_machine_agents":     "machine_id",
	"enroll_machine_agent":    "machine_id params",
	"revoke_machine_agent":    "machine_id agent_id",
	"machine_agent_heartbeat": "params",

	"list_agent_pairings":            "machine_id page",
	"list_agent_pairings_all":        "machine_id page",
	"create_agent_pairing_challenge": "machine_id params",
	"create_agent_pairing":           "machine_id params",
	"create_agent_pairing_session":   "machine_id pairing_id params.agent_proof",
	"update_agent_pairing":           "machine_id pairing_id params",
	"revoke_agent_pairing":           "machine_id pairing_id",

	"list_runtime_endpoints":     "machine_id page",
	"list_runtime_endpoints_all": "machine_id page",
	"get_runtime_endpoint":       "machine_id provider_key",
	"upsert_runtime_endpoint":    "machine_id provider_key params",
	"delete_runtime_endpoint":    "machine_id provider_key",

	"list_skills":         "options page",
	"list_skills_all":     "options page",
	"get_skill":           "skill_key",
	"get_skill_manifest":  "skill_key",
	"update_skill_config": "skill_key params",

	"list_market_services":     "options page",
	"list_market_services_all": "options page",
	"get_market_service":       "service_id options.machine_id",
	"execute_market_service":   "pairing_token service_id params",
	"search_market":            "pairing_token params",
	"get_market_search":        "search_id",

	"list_market_orders":     "machine_id page",
	"list_market_orders_all": "machine_id page",
	"create_market_order":    "pairing_token params",
	"get_market_order":       "order_id",
	"execute_market_order":   "pairing_token order_id params",
	"confirm_market_order":   "pairing_token order_id",
	"dispute_market_order":   "pairing_token order_id params",

	"create_payment_intent":     "pairing_token order_id params",
	"get_market_payment":        "order_id",
	"submit_payment_proof":      "pairing_token order_id params",
	"submit_x402_payment_proof": "pairing_token order_id params",
	"lock_escrow_payment":       "pairing_token order_id params",
	"release_payment":           "pairing_token order_id params",
	"refund_payment":            "pairing_token order_id params",

	"list_policies":     "",
	"create_policy":     "params",
	"update_policy":     "policy_id params",
	"list_audit_events": "*",
	"check_health":      "",
	"get_readiness":     "",

	"create_purchase":                "pairing_token *",
	"get_purchase":                   "purchase_id",
	"create_purchase_payment_intent": "pairing_token purchase_id *",
	"submit_purchase_payment_proof":  "pairing_token purchase_id *",
	"get_purchase_delivery":          "pairing_token purchase_id",
	"create_purchase_event":          "pairing_token purchase_id *",
	"prepare_buyer_access":           "purchase_id *",

	"list_payment_rails":                    "",
	"list_delivery_transports":              "",
	"put_delivery_capabilities":             "machine_id *",
	"update_stream_listing_purchase_fields": "machine_id listing_id fields",
}

// wireElsewhere are calls of the SDK that send nothing: SDK name → where ours is
// tested.
var wireElsewhere = map[string]string{
	"parse_x402_payment_requirements": "orchestration/x402",
	"sign_x402_payment":               "orchestration/x402",
}

// wireUnrecorded are methods without a recording: ours → why.
var wireUnrecorded = map[string]string{
	"As": "chooses the pairing token of reads", "String": "prints", "Format": "prints",
	"GetPolicy":             announcedOnly,
	"CancelMarketOrder":     announcedOnly,
	"RetryMarketOrder":      announcedOnly,
	"ListMarketOrderEvents": announcedOnly,
	"ListRuns":              announcedOnly,
	"AllRuns":               announcedOnly,
	"GetRun":                announcedOnly,
	"CreateTask":            announcedOnly,
	"DiscoverTask":          announcedOnly,
	"ResolveTask":           announcedOnly,
	"ExecuteTask":           announcedOnly,
	"GetTask":               announcedOnly,
	"ListTasks":             announcedOnly,
	"AllTasks":              announcedOnly,
	"GetMachineGraph":       announcedOnly,
	"CreateGraphNode":       announcedOnly,
	"UpdateGraphNode":       announcedOnly,
	"DeleteGraphNode":       announcedOnly,
	"CreateGraphEdge":       announcedOnly,
	"UpdateGraphEdge":       announcedOnly,
	"DeleteGraphEdge":       announcedOnly,
}

const announcedOnly = "announced, in no SDK; see TestAnnouncedCalls"

// wireNotBound are calls of the SDK that this client has not: SDK name → why.
var wireNotBound = map[string]string{
	"list_iot_subscriptions":  noIoT,
	"delete_iot_subscription": noIoT,
	"stream_iot_events":       noIoT,
}

const noIoT = "outside settlement, and no source gives the fields of its records"

// methodOf is our name of a call of the SDK.
func methodOf(sdk string) string {
	if inner, ok := strings.CutSuffix(sdk, "_all"); ok {
		sdk = "all_" + strings.TrimPrefix(inner, "list_")
	}
	var b strings.Builder
	for word := range strings.SplitSeq(sdk, "_") {
		if word == "iot" {
			word = "IoT"
		}
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

// callWire makes the recorded call. The value is nil for a call without one.
func callWire(ctx context.Context, client *Client, sdk string, recorded map[string]json.RawMessage) (value any, err error) {
	names := strings.Fields(wireArguments[sdk])
	left := map[string]json.RawMessage{}
	for name, text := range recorded {
		if string(text) != "null" {
			left[name] = text
		}
	}
	if token, found := left["pairing_token"]; found && !slices.Contains(names, "pairing_token") {
		client = client.As(Secret(mustText(token)))
		delete(left, "pairing_token")
	}
	method := reflect.ValueOf(client).MethodByName(methodOf(sdk))
	if !method.IsValid() || method.Type().NumIn() != len(names)+1 {
		return nil, fmt.Errorf("no method %s with %d arguments", methodOf(sdk), len(names))
	}
	in := []reflect.Value{reflect.ValueOf(ctx)}
	for i, name := range names {
		value := reflect.New(method.Type().In(i + 1))
		if err := take(left, name, value); err != nil {
			return nil, err
		}
		in = append(in, value.Elem())
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("%s: no place for arguments %v", sdk, reflect.ValueOf(left).MapKeys())
	}
	out := method.Call(in)
	if len(out) == 1 && out[0].Kind() == reflect.Func {
		rows := []any{}
		for row, failed := range out[0].Seq2() {
			if !failed.IsNil() {
				return rows, failed.Interface().(error)
			}
			rows = append(rows, row.Interface())
		}
		return rows, nil
	}
	if last := out[len(out)-1]; !last.IsNil() {
		return nil, last.Interface().(error)
	}
	if len(out) == 1 {
		return nil, nil
	}
	return out[0].Interface(), nil
}

// take moves a recorded argument to value, a pointer.
func take(left map[string]json.RawMessage, name string, value reflect.Value) error {
	var text json.RawMessage
	switch outer, field, dotted := strings.Cut(name, "."); {
	case name == "page":
		page := value.Interface().(*Page)
		if limit, found := left["limit"]; found {
			page.Limit = refusedZero(limit)
		}
		if cursor, found := left["cursor"]; found {
			page.Cursor = new(mustText(cursor))
		}
		delete(left, "limit")
		delete(left, "cursor")
		return nil
	case name == "*":
		request := map[string]json.RawMessage{}
		if params, found := left["params"]; found {
			if err := json.Unmarshal(params, &request); err != nil {
				return err
			}
			delete(left, "params")
		}
		for key, part := range left {
			if key == "limit" {
				part = json.RawMessage(fmt.Sprint(refusedZero(part)))
			}
			request[key] = part
			delete(left, key)
		}
		text = mustJSON(request)
	case dotted:
		var object map[string]json.RawMessage
		if err := json.Unmarshal(left[outer], &object); err != nil && left[outer] != nil {
			return err
		}
		text = object[field]
		delete(object, field)
		delete(object, "_type")
		if len(object) == 0 {
			delete(left, outer)
		}
	default:
		text = left[name]
		delete(left, name)
	}
	if text == nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(ourNames(text)))
	decoder.UseNumber()
	decoder.DisallowUnknownFields() // a field that our request has not
	if err := decoder.Decode(value.Interface()); err != nil {
		return fmt.Errorf("argument %s: %w", name, err)
	}
	return nil
}

// refusedZero: our limit 0 leaves it to the server, the SDK's is refused.
func refusedZero(text json.RawMessage) int {
	var limit int
	if json.Unmarshal(text, &limit) != nil || limit == 0 {
		return -1
	}
	return limit
}

func mustText(text json.RawMessage) string {
	var value string
	_ = json.Unmarshal(text, &value)
	return value
}

// ourNames gives the fields of a recorded argument our names, and takes out what
// names the SDK's classes. Keys of user maps stay.
func ourNames(text json.RawMessage) json.RawMessage {
	var object map[string]json.RawMessage
	var list []json.RawMessage
	switch {
	case json.Unmarshal(text, &list) == nil && list != nil:
		for i := range list {
			list[i] = ourNames(list[i])
		}
		return mustJSON(list)
	case json.Unmarshal(text, &object) != nil || object == nil:
		return text
	}
	out := map[string]json.RawMessage{}
	for key, part := range object {
		switch {
		case key == "_type":
			continue
		case key == "input_payload":
			key = "input"
		case key == "event_type":
			key = "type"
		case key == "provider_credentials": // classes in the SDK, a map here
			var named any
			_ = json.Unmarshal(part, &named)
			part = mustJSON(folded(named))
		case !slices.Contains(userMaps, key):
			part = ourNames(part)
		}
		out[camelCase(key)] = part
	}
	return mustJSON(out)
}

func mustJSON(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it came from JSON
	}
	return text
}
