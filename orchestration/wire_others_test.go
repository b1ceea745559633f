package orchestration

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// Other recordings of the same kind must agree as these do: the same calls with other ids and texts, answers that say more
// or spell it otherwise. They are made of the recordings here, by changes whose effect on what the SDK makes of them is
// known.
func TestWireOfOthers(t *testing.T) {
	t.Parallel()
	changes := map[string]func(*wireCase) bool{
		"other texts":           otherTexts,
		"unknown fields":        func(c *wireCase) bool { return changeAnswers(c, addUnknown) },
		"answers in snake_case": func(c *wireCase) bool { return changeAnswers(c, inSnakeCase) },
		"numbers with exponent": func(c *wireCase) bool { return changeAnswers(c, withExponents) },
		"absent for null":       func(c *wireCase) bool { return changeAnswers(c, withoutNulls) },
	}
	played := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		for _, each := range fixtures(t) {
			if wireElsewhere[each.Method] != "" || each.MayDiffer != "" || !changes[name](&each) {
				continue
			}
			played[name]++
			t.Run(name+"/"+each.Method+"/"+each.Case, func(t *testing.T) {
				t.Parallel()
				got := playWire(t, each)
				compareRequests(t, each.exchanges(), got)
				compareOutcome(t, each, got)
			})
		}
	}
	for name := range changes {
		if played[name] < 30 {
			t.Errorf("%s: %d recordings were changed", name, played[name])
		}
	}
}

// otherTexts puts another text in place of every one that stands in arguments, requests and answers alike, such as ids.
func otherTexts(c *wireCase) bool {
	texts := map[string]string{}
	for name, argument := range c.Arguments {
		if name == "pairing_token" || name == "limit" {
			continue
		}
		collectTexts(argument, texts)
	}
	if len(texts) == 0 || c.Error != nil && c.Error.Field != "" {
		return false
	}
	whole := string(mustJSON(c))
	// The longest first: one may be a part of another.
	keys := slices.SortedFunc(maps.Keys(texts), func(a, b string) int { return len(b) - len(a) })
	for i, text := range keys {
		whole = strings.ReplaceAll(whole, text, fmt.Sprintf("%s_%d", texts[text], i))
	}
	*c = mustCase(whole)
	return true
}

// collectTexts notes ids: mach_7f3a2c, svc_dia_eth_usd, ord_e89c70259bdb.
func collectTexts(argument json.RawMessage, texts map[string]string) {
	var value any
	_ = json.Unmarshal(argument, &value)
	note := func(value any) {
		text, _ := value.(string)
		for _, prefix := range []string{"mach_", "pair_", "svc_", "ord_", "pur_", "agent_", "msearch_", "quote_", "pol_", "listing_"} {
			if strings.HasPrefix(text, prefix) {
				texts[text] = strings.ReplaceAll(prefix, "_", "-") + "Other"
			}
		}
	}
	note(value)
	eachMember(value, func(_ string, value any) { note(value) })
}

func mustCase(text string) wireCase {
	var c wireCase
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&c); err != nil {
		panic(err) // it came from JSON
	}
	return c
}

// changeAnswers changes the recorded answers that are objects and no errors; false when none is.
func changeAnswers(c *wireCase, change func(any) any) bool {
	changed := false
	// A copy: the recordings are shared.
	*c = mustCase(string(mustJSON(c)))
	for _, exchange := range c.exchanges() {
		answer := exchange.Response
		if answer == nil || answer.Status >= 400 || len(answer.Body) == 0 || answer.Body[0] != '{' {
			continue
		}
		var value any
		decoder := json.NewDecoder(strings.NewReader(string(answer.Body)))
		decoder.UseNumber()
		if decoder.Decode(&value) != nil {
			continue
		}
		answer.Body = mustJSON(change(value))
		changed = true
	}
	return changed
}

// members of free maps are the provider's or the user's: they are left as they are.
func isFree(key string) bool {
	return slices.Contains(userMaps, key) || slices.Contains(verbatim, key) || key == "paymentRequest" || key == "extra"
}

func addUnknown(value any) any {
	return eachObject(value, func(object map[string]any) {
		object["futureField"] = map[string]any{"deepOne": []any{nil, 1}}
		object["another_one"] = "x"
	})
}

func inSnakeCase(value any) any {
	return eachObject(value, func(object map[string]any) {
		for _, key := range slices.Collect(maps.Keys(object)) {
			inner := object[key]
			delete(object, key)
			object[snakeCase(key)] = inner
		}
	})
}

func withoutNulls(value any) any {
	return eachObject(value, func(object map[string]any) {
		for _, key := range slices.Collect(maps.Keys(object)) {
			if object[key] == nil && key != "item" {
				delete(object, key)
			}
		}
	})
}

func withExponents(value any) any {
	return eachObject(value, func(object map[string]any) {
		for key, inner := range object {
			number, ok := inner.(json.Number)
			if amount, valid := new(big.Rat).SetString(number.String()); ok && valid && !amount.IsInt() {
				object[key] = json.Number(amount.Mul(amount, big.NewRat(1000, 1)).FloatString(12) + "e-3")
			}
		}
	})
}

// eachObject changes every object at any depth, but not inside free maps.
func eachObject(value any, change func(map[string]any)) any {
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = eachObject(value[i], change)
		}
	case map[string]any:
		for key, inner := range value {
			if !isFree(key) {
				value[key] = eachObject(inner, change)
			}
		}
		change(value)
	}
	return value
}
