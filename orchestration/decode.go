package orchestration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// decode fills target, a pointer, from JSON by the rules of this API:
//
//   - a struct's keys may be spelled in camelCase or snake_case; camelCase wins
//   - null is the zero value
//   - user maps (map[string]…) and json.RawMessage keep their keys as they are
//   - keys that the struct does not know go to its field Extra, if it has one
//   - a wrong type, or a missing key of a field tagged wire:"required", is a
//     *APIError with CodeInvalidResponseShape that names the path
//
// Tags: json gives the name; also gives a second one; wire is "required" (the
// key must be there, null passes), "filled" (a string that is not empty) or
// "lenient" (a wrong type reads as the zero value).
func decode(text []byte, target any) error {
	if !json.Valid(text) {
		return shapeError("", "is not JSON")
	}
	return decodeValid(text, target, "")
}

// decodeValid is decode for text that is known to be JSON.
func decodeValid(text []byte, target any, path string) error {
	if err := decodeValue(text, reflect.ValueOf(target).Elem(), path); err != nil {
		return err
	}
	return nil
}

var (
	rawType    = reflect.TypeFor[json.RawMessage]()
	numberType = reflect.TypeFor[json.Number]()
)

func decodeValue(text []byte, into reflect.Value, path string) *APIError {
	text = bytes.TrimSpace(text)
	if string(text) == "null" {
		into.SetZero()
		return nil
	}
	switch into.Type() {
	case rawType:
		into.SetBytes(bytes.Clone(text))
		return nil
	case numberType:
		return decodeNumber(text, into, path)
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return decodeValue(text, into.Elem(), path)
	case reflect.Struct:
		return decodeStruct(text, into, path)
	case reflect.Slice:
		if text[0] != '[' {
			return shapeError(path, "is not an array")
		}
		parts := elements(text)
		into.Set(reflect.MakeSlice(into.Type(), len(parts), len(parts)))
		for i, part := range parts {
			if err := decodeValue(part, into.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		if text[0] != '{' {
			return shapeError(path, "is not an object")
		}
		into.Set(reflect.MakeMap(into.Type()))
		for key, part := range members(text) {
			value := reflect.New(into.Type().Elem()).Elem()
			if err := decodeValue(part, value, path+"."+key); err != nil {
				return err
			}
			into.SetMapIndex(reflect.ValueOf(key), value)
		}
		return nil
	case reflect.String:
		if text[0] != '"' {
			return shapeError(path, "is not a string")
		}
		into.SetString(unquote(text))
		return nil
	default: // bool, int
		if json.Unmarshal(text, into.Addr().Interface()) != nil {
			return shapeError(path, "is not a "+into.Kind().String())
		}
		return nil
	}
}

// decodeNumber keeps the number's text. A number in quotes is taken too: the
// vendor's SDK does not check the type of an amount.
func decodeNumber(text []byte, into reflect.Value, path string) *APIError {
	literal := string(text)
	if text[0] == '"' {
		literal = unquote(text)
	}
	if literal == "" || !strings.ContainsRune("-0123456789", rune(literal[0])) || strings.TrimSpace(literal) != literal ||
		!json.Valid([]byte(literal)) {
		return shapeError(path, "is not a number")
	}
	into.SetString(literal)
	return nil
}

func decodeStruct(text []byte, into reflect.Value, path string) *APIError {
	if text[0] != '{' {
		return shapeError(path, "is not an object")
	}
	parts := make(map[string]json.RawMessage)
	camel := make(map[string]bool) // names that were spelled in camelCase
	for key, value := range members(text) {
		name := camelCase(key)
		if name == key {
			camel[name] = true
		} else if camel[name] {
			continue
		}
		parts[name] = value
	}
	plan := planOf(into.Type())
	for _, field := range plan.fields {
		part, found := parts[field.name]
		delete(parts, field.name)
		if field.also != "" {
			if !found {
				part, found = parts[field.also]
			}
			delete(parts, field.also)
		}
		if !found {
			if field.rule == "required" || field.rule == "filled" {
				return shapeError(strings.TrimPrefix(path+"."+field.name, "."), "is missing")
			}
			continue
		}
		value := into.Field(field.index)
		if err := decodeValue(part, value, strings.TrimPrefix(path+"."+field.name, ".")); err != nil {
			if field.rule != "lenient" {
				return err
			}
			value.SetZero()
		}
		if field.rule == "filled" && value.String() == "" {
			return shapeError(strings.TrimPrefix(path+"."+field.name, "."), "is empty")
		}
	}
	if plan.extra >= 0 && len(parts) > 0 {
		for name, part := range parts {
			parts[name] = bytes.Clone(part) // not to hold the whole answer
		}
		into.Field(plan.extra).Set(reflect.ValueOf(withoutSecrets(parts)))
	}
	return nil
}

// plan is what the tags of a struct say. extra is the index of Extra, or -1.
type plan struct {
	fields []fieldPlan
	extra  int
}

type fieldPlan struct {
	index            int
	name, also, rule string
}

// plans remembers them: reflect.Type → plan.
var plans sync.Map

func planOf(of reflect.Type) plan {
	if known, ok := plans.Load(of); ok {
		return known.(plan)
	}
	made := plan{extra: -1}
	for i := range of.NumField() {
		field := of.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Name == "Extra":
			made.extra = i
		case name != "" && name != "-":
			made.fields = append(made.fields, fieldPlan{i, name, field.Tag.Get("also"), field.Tag.Get("wire")})
		}
	}
	plans.Store(of, made)
	return made
}

// withoutSecrets drops unknown keys that sound like a token: Extra is printed
// and stored.
func withoutSecrets(parts map[string]json.RawMessage) map[string]json.RawMessage {
	maps.DeleteFunc(parts, func(key string, _ json.RawMessage) bool {
		key = strings.ToLower(key)
		return strings.HasSuffix(key, "token") || strings.Contains(key, "secret") || strings.Contains(key, "password")
	})
	return parts
}

// camelCase is the SDK's rule for requests (contract, 1.4), which undoes its
// rule for answers: world_id is worldId; a key without _ stays.
func camelCase(key string) string {
	if !strings.Contains(key, "_") {
		return key
	}
	var b strings.Builder
	for part := range strings.SplitSeq(key, "_") {
		switch {
		case part == "":
		case b.Len() == 0:
			b.WriteString(strings.ToLower(part))
		default:
			if first := part[0]; 'a' <= first && first <= 'z' {
				part = string(first-'a'+'A') + part[1:]
			}
			b.WriteString(part)
		}
	}
	if b.Len() == 0 {
		return key
	}
	return b.String()
}

// encode is encoding/json with the keys of extra put back in, so that a record
// that was stored decodes to itself. Known fields win.
func encode(known any, extra map[string]json.RawMessage) ([]byte, error) {
	text, err := json.Marshal(known)
	if err != nil || len(extra) == 0 {
		return text, err
	}
	fields := maps.Clone(extra)
	var own map[string]json.RawMessage
	if err := json.Unmarshal(text, &own); err != nil {
		return nil, fmt.Errorf("encode with extra fields: %w", err)
	}
	maps.Copy(fields, own)
	return json.Marshal(fields)
}
