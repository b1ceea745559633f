package orchestration

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

// Extra holds the members of a record that its struct does not name: wire key in
// camelCase → JSON as it was. Keys that sound like a token are not kept: records
// are printed and stored. The MarshalJSON of a record writes its Extra back.
type Extra map[string]json.RawMessage

// with adds a member; of two spellings of one key camelCase stays.
func (e Extra) with(key string, value []byte) Extra {
	name := camelCase(key)
	lower := strings.ToLower(name)
	if strings.HasSuffix(lower, "token") || strings.Contains(lower, "secret") || strings.Contains(lower, "password") {
		return e
	}
	if _, found := e[name]; found && name != key {
		return e
	}
	if e == nil {
		e = Extra{}
	}
	e[name] = bytes.Clone(value) // not to hold the whole answer
	return e
}

// plan is what the tags of a struct say.
type plan struct {
	fields []fieldPlan
	extra  int // index of Extra, or -1
	bare   int // index of the field tagged bare, or -1
	// slots: every spelling of every field → whose it is
	slots map[string]slot
}

type fieldPlan struct {
	index                             int
	name                              string // in camelCase
	quoted                            string // the same with quotes and colon
	required, filled, strict, lenient bool
	omitEmpty, omitZero               bool
}

// slot says which field a key belongs to. Ranks: the field's own name in
// camelCase 4 and snake_case 3, its second name 2 and 1.
type slot struct {
	field int
	rank  int8
}

// slot finds the field of a key in quotes.
func (p *plan) slot(quoted []byte) (slot, bool) {
	if found, ok := p.slots[string(quoted[1:len(quoted)-1])]; ok {
		return found, true
	}
	// An odd spelling: escaped, or machine__id.
	key := unquote(quoted)
	name := camelCase(key)
	found, ok := p.slots[name]
	if ok && name != key {
		found.rank--
	}
	return found, ok
}

// plans remembers them: reflect.Type → *plan.
var plans sync.Map

func planOf(of reflect.Type) *plan {
	if known, ok := plans.Load(of); ok {
		return known.(*plan)
	}
	made := &plan{extra: -1, bare: -1, slots: map[string]slot{}}
	for i := range of.NumField() {
		field := of.Field(i)
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Name == "Extra":
			made.extra = i
		case name != "" && name != "-":
			rule := field.Tag.Get("wire")
			if rule == "bare" {
				made.bare = i
			}
			next := len(made.fields)
			kind := field.Type.Kind()
			made.fields = append(made.fields, fieldPlan{
				index: i, name: name, quoted: `"` + name + `":`,
				required: rule == "required" || rule == "filled" || rule == "strict",
				filled:   rule == "filled", lenient: rule == "lenient",
				strict:    rule == "strict" || rule == "required" && (kind == reflect.Struct || kind == reflect.Slice),
				omitEmpty: options == "omitempty", omitZero: options == "omitzero",
			})
			for rank, spelling := range []string{"", snakeCase(field.Tag.Get("also")), field.Tag.Get("also"), snakeCase(name), name} {
				if spelling != "" {
					made.slots[spelling] = slot{next, int8(rank)}
				}
			}
		}
	}
	plans.Store(of, made)
	return made
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

// snakeCase is the SDK's rule for answers (contract, 1.4).
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
