package orchestration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
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
func decode(text []byte, target any, path string) error {
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
	if bytes.Equal(text, []byte("null")) {
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
		var parts []json.RawMessage
		if json.Unmarshal(text, &parts) != nil {
			return shapeError(path, "is not an array")
		}
		into.Set(reflect.MakeSlice(into.Type(), len(parts), len(parts)))
		for i, part := range parts {
			if err := decodeValue(part, into.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map:
		var parts map[string]json.RawMessage
		if json.Unmarshal(text, &parts) != nil {
			return shapeError(path, "is not an object")
		}
		into.Set(reflect.MakeMapWithSize(into.Type(), len(parts)))
		for _, key := range slices.Sorted(maps.Keys(parts)) {
			value := reflect.New(into.Type().Elem()).Elem()
			if err := decodeValue(parts[key], value, path+"."+key); err != nil {
				return err
			}
			into.SetMapIndex(reflect.ValueOf(key), value)
		}
		return nil
	default: // string, bool, number
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
		if json.Unmarshal(text, &literal) != nil {
			literal = ""
		}
	}
	if literal == "" || !strings.ContainsRune("-0123456789", rune(literal[0])) || strings.TrimSpace(literal) != literal ||
		!json.Valid([]byte(literal)) {
		return shapeError(path, "is not a number")
	}
	into.SetString(literal)
	return nil
}

func decodeStruct(text []byte, into reflect.Value, path string) *APIError {
	var object map[string]json.RawMessage
	if json.Unmarshal(text, &object) != nil {
		return shapeError(path, "is not an object")
	}
	parts := make(map[string]json.RawMessage, len(object))
	for key, value := range object {
		name := camelCase(key)
		if _, taken := object[name]; name == key || !taken {
			parts[name] = value
		}
	}
	var extra reflect.Value
	for i := range into.NumField() {
		field := into.Type().Field(i)
		if field.Name == "Extra" {
			extra = into.Field(i)
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		inner := strings.TrimPrefix(path+"."+name, ".")
		part, found := parts[name]
		delete(parts, name)
		if also := field.Tag.Get("also"); also != "" {
			if !found {
				part, found = parts[also]
			}
			delete(parts, also)
		}
		rule := field.Tag.Get("wire")
		if !found {
			if rule == "required" || rule == "filled" {
				return shapeError(inner, "is missing")
			}
			continue
		}
		if err := decodeValue(part, into.Field(i), inner); err != nil {
			if rule != "lenient" {
				return err
			}
			into.Field(i).SetZero()
		}
		if rule == "filled" && into.Field(i).String() == "" {
			return shapeError(inner, "is empty")
		}
	}
	if extra.IsValid() && len(parts) > 0 {
		extra.Set(reflect.ValueOf(withoutSecrets(parts)))
	}
	return nil
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
