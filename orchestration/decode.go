package orchestration

import (
	"bytes"
	"encoding/json"
	"reflect"
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
// key must be there; null passes, but for objects and lists), "strict" (and not
// null), "filled" (and neither null nor empty), "lenient" (a wrong type reads as the zero value) or "bare" (the
// field that plain text in place of the object goes to).
func decode(text []byte, target any) error {
	if !json.Valid(text) {
		return shapeError("", "is not JSON")
	}
	return decodeValid(bytes.TrimSpace(text), target, "")
}

// decodeValid is decode for text that is known to be JSON, without blanks around
// it; path is where in the answer it was.
func decodeValid(text []byte, target any, path string) error {
	if f := decodeValue(text, reflect.ValueOf(target).Elem()); f != nil {
		return shapeError(strings.TrimPrefix(path+f.path, "."), f.problem)
	}
	return nil
}

// fault is what is wrong and where, below the value that was being decoded:
// ".payment.rail" or "[0].id".
type fault struct{ path, problem string }

// at puts a step before the path.
func (f *fault) at(step string) *fault {
	f.path = step + f.path
	return f
}

var (
	rawType    = reflect.TypeFor[json.RawMessage]()
	numberType = reflect.TypeFor[json.Number]()
)

// decodeValue fills into. text has no blanks around it.
func decodeValue(text []byte, into reflect.Value) *fault {
	if string(text) == "null" {
		into.SetZero()
		return nil
	}
	switch into.Type() {
	case rawType:
		into.SetBytes(bytes.Clone(text))
		return nil
	case numberType:
		return decodeNumber(text, into)
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return decodeValue(text, into.Elem())
	case reflect.Struct:
		return decodeStruct(text, into)
	case reflect.Slice:
		return decodeSlice(text, into)
	case reflect.Map:
		return decodeMap(text, into)
	case reflect.String:
		if text[0] != '"' {
			return &fault{problem: "is not a string"}
		}
		into.SetString(unquote(text))
	case reflect.Bool:
		if text[0] != 't' && text[0] != 'f' {
			return &fault{problem: "is not a bool"}
		}
		into.SetBool(text[0] == 't')
	case reflect.Int:
		number, ok := integer(text)
		if !ok {
			return &fault{problem: "is not an integer"}
		}
		into.SetInt(number)
	default: // any, in what users make up
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if decoder.Decode(into.Addr().Interface()) != nil {
			return &fault{problem: "is not a " + into.Kind().String()}
		}
	}
	return nil
}

// integer reads 60 and 60.0, which are one number in JSON.
func integer(text []byte) (int64, bool) {
	if number, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return number, true
	}
	const exact = 1 << 53 // up to here a float64 holds every integer
	number, err := strconv.ParseFloat(string(text), 64)
	if err != nil || number != float64(int64(number)) || number < -exact || number > exact {
		return 0, false
	}
	return int64(number), true
}

// decodeNumber keeps the number's text. A number in quotes is taken too: the
// vendor's SDK does not check the type of an amount.
func decodeNumber(text []byte, into reflect.Value) *fault {
	literal := string(text)
	if text[0] == '"' {
		literal = unquote(text)
	}
	if !isNumber(literal) {
		return &fault{problem: "is not a number"}
	}
	into.SetString(literal)
	return nil
}

// isNumber reports whether text is a JSON number and nothing else.
func isNumber(text string) bool {
	return text != "" && strings.ContainsRune("-0123456789", rune(text[0])) && strings.TrimSpace(text) == text &&
		json.Valid([]byte(text))
}

func decodeSlice(text []byte, into reflect.Value) *fault {
	if text[0] != '[' {
		return &fault{problem: "is not an array"}
	}
	length := 0
	for each := elements(text); each.next(); {
		length++
	}
	into.Set(reflect.MakeSlice(into.Type(), length, length))
	record := into.Type().Elem().Kind() == reflect.Struct
	i := 0
	for each := elements(text); each.next(); i++ {
		if record && string(each.value) == "null" {
			return (&fault{problem: "is null"}).at("[" + strconv.Itoa(i) + "]")
		}
		if f := decodeValue(each.value, into.Index(i)); f != nil {
			return f.at("[" + strconv.Itoa(i) + "]")
		}
	}
	return nil
}

func decodeMap(text []byte, into reflect.Value) *fault {
	if text[0] != '{' {
		return &fault{problem: "is not an object"}
	}
	into.Set(reflect.MakeMap(into.Type()))
	for each := members(text); each.next(); {
		key := unquote(each.name)
		value := reflect.New(into.Type().Elem()).Elem()
		if value.Kind() == reflect.String && string(each.value) == "null" {
			return (&fault{problem: "is null"}).at("." + key)
		}
		if f := decodeValue(each.value, value); f != nil {
			return f.at("." + key)
		}
		into.SetMapIndex(reflect.ValueOf(key), value)
	}
	return nil
}

// part is a member of an object that belongs to a field; the highest rank wins.
type part struct {
	text []byte
	rank int8
}

func decodeStruct(text []byte, into reflect.Value) *fault {
	plan := planOf(into.Type())
	if text[0] == '"' && plan.bare >= 0 {
		return decodeValue(text, into.Field(plan.bare))
	}
	if text[0] != '{' {
		return &fault{problem: "is not an object"}
	}
	var room [40]part // on the stack for every struct of this package
	parts := room[:]
	if len(plan.fields) > len(room) {
		parts = make([]part, len(plan.fields))
	}
	var extra Extra
	for each := members(text); each.next(); {
		slot, known := plan.slot(each.name)
		switch {
		case known:
			if slot.rank >= parts[slot.field].rank {
				parts[slot.field] = part{each.value, slot.rank}
			}
		case plan.extra >= 0:
			extra = extra.with(unquote(each.name), each.value)
		}
	}
	if extra != nil {
		into.Field(plan.extra).Set(reflect.ValueOf(extra))
	}
	for i := range plan.fields {
		field := &plan.fields[i]
		if parts[i].text == nil {
			if field.required {
				return (&fault{problem: "is missing"}).at("." + field.name)
			}
			continue
		}
		if field.strict && string(parts[i].text) == "null" {
			return (&fault{problem: "is null"}).at("." + field.name)
		}
		value := into.Field(field.index)
		if f := decodeValue(parts[i].text, value); f != nil {
			if !field.lenient {
				return f.at("." + field.name)
			}
			value.SetZero()
		}
		if field.filled && value.IsZero() {
			return (&fault{problem: "is null or empty"}).at("." + field.name)
		}
	}
	return nil
}
