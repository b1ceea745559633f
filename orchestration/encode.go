package orchestration

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// encoder writes the wire form of requests and records. It differs from
// encoding/json in what this API needs:
//
//   - a nil slice or map is empty, not null
//   - an optional object with nothing in it is left out, as in the vendor's SDK
//   - the members of Extra are put back in beside the known ones
//   - secrets are spelled out when secrets is set, in requests; else hidden
type encoder struct {
	secrets bool
	buf     []byte
}

// encodeRequest writes what is sent. The error is about a value that JSON cannot
// hold.
func encodeRequest(body any) ([]byte, error) {
	e := encoder{secrets: true, buf: make([]byte, 0, 512)}
	err := e.value(reflect.ValueOf(body))
	return e.buf, err
}

// encodeRecord is the MarshalJSON of records, so that one that was stored
// decodes to itself.
func encodeRecord(record any) ([]byte, error) {
	e := encoder{buf: make([]byte, 0, 512)}
	err := e.value(reflect.ValueOf(record))
	return e.buf, err
}

var secretType = reflect.TypeFor[Secret]()

func (e *encoder) value(v reflect.Value) error {
	switch v.Type() {
	case secretType:
		text := v.String()
		if !e.secrets {
			text = Secret(text).String()
		}
		e.text(text)
		return nil
	case rawType:
		return e.raw(v.Bytes())
	case numberType:
		return e.number(v.String())
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		switch {
		case v.IsNil():
			e.buf = append(e.buf, "null"...)
		case v.Kind() == reflect.Pointer:
			return e.value(v.Elem())
		default: // what users make up
			text, err := json.Marshal(v.Interface())
			if err != nil {
				return fmt.Errorf("encode %T: %w", v.Interface(), err)
			}
			e.buf = append(e.buf, text...)
		}
		return nil
	case reflect.Struct:
		return e.structure(v)
	case reflect.Slice:
		e.buf = append(e.buf, '[')
		for i := range v.Len() {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			if err := e.value(v.Index(i)); err != nil {
				return err
			}
		}
		e.buf = append(e.buf, ']')
		return nil
	case reflect.Map:
		return e.object(v)
	case reflect.String:
		e.text(v.String())
	case reflect.Bool:
		e.buf = strconv.AppendBool(e.buf, v.Bool())
	case reflect.Int:
		e.buf = strconv.AppendInt(e.buf, v.Int(), 10)
	default: // no request or record has one
		return fmt.Errorf("encode: no JSON for %s", v.Type())
	}
	return nil
}

func (e *encoder) structure(v reflect.Value) error {
	plan := planOf(v.Type())
	e.buf = append(e.buf, '{')
	start := len(e.buf)
	for i := range plan.fields {
		field := &plan.fields[i]
		value := v.Field(field.index)
		if field.omitZero && value.IsZero() || field.omitEmpty && isEmpty(value) {
			continue
		}
		before := len(e.buf)
		e.comma(start)
		e.buf = append(e.buf, field.quoted...)
		inner := len(e.buf)
		if err := e.value(value); err != nil {
			return err
		}
		if field.omitEmpty && string(e.buf[inner:]) == "{}" {
			e.buf = e.buf[:before]
		}
	}
	if plan.extra >= 0 {
		extra, _ := v.Field(plan.extra).Interface().(Extra)
		for _, name := range slices.Sorted(maps.Keys(extra)) {
			if _, known := plan.slots[name]; known {
				continue
			}
			e.comma(start)
			e.text(name)
			e.buf = append(e.buf, ':')
			if err := e.raw(extra[name]); err != nil {
				return err
			}
		}
	}
	e.buf = append(e.buf, '}')
	return nil
}

func (e *encoder) object(v reflect.Value) error {
	e.buf = append(e.buf, '{')
	start := len(e.buf)
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		e.comma(start)
		e.text(key.String())
		e.buf = append(e.buf, ':')
		if err := e.value(v.MapIndex(key)); err != nil {
			return err
		}
	}
	e.buf = append(e.buf, '}')
	return nil
}

// comma goes before every member but the first, which is at start.
func (e *encoder) comma(start int) {
	if len(e.buf) > start {
		e.buf = append(e.buf, ',')
	}
}

// text writes a string; what needs escapes is left to encoding/json.
func (e *encoder) text(text string) {
	for i := range len(text) {
		if char := text[i]; char < ' ' || char == '"' || char == '\\' || char >= utf8.RuneSelf {
			quoted, err := json.Marshal(text)
			if err == nil { // a string always has a form
				e.buf = append(e.buf, quoted...)
			}
			return
		}
	}
	e.buf = append(append(append(e.buf, '"'), text...), '"')
}

func (e *encoder) raw(text json.RawMessage) error {
	switch {
	case text == nil:
		e.buf = append(e.buf, "null"...)
	case !json.Valid(text):
		return fmt.Errorf("encode: raw text is not JSON")
	default:
		e.buf = append(e.buf, text...)
	}
	return nil
}

// number writes an amount as it is; "" is null.
func (e *encoder) number(text string) error {
	switch {
	case text == "":
		e.buf = append(e.buf, "null"...)
	case !isNumber(text):
		return fmt.Errorf("encode: %q is not a number", text)
	default:
		e.buf = append(e.buf, text...)
	}
	return nil
}

// isEmpty is the rule of omitempty.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	default:
		return v.IsZero()
	}
}
