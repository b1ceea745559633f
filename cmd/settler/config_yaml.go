package main

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// readYAML reads text over cfg and returns every fault: keys that do not exist with their line and the nearest key that
// does, and values of the wrong kind.
func readYAML(cfg *Config, text []byte) error {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return syntaxFault(err)
	}
	var r yamlReader
	for i, doc := range file.Docs {
		switch {
		case doc.Body == nil: // empty, or comments only
		case i > 0:
			r.fault(doc.Body, "", "a second document; the configuration is one")
		default:
			r.readStruct(doc.Body, reflect.ValueOf(cfg).Elem(), "")
		}
	}
	return errors.Join(r.faults...)
}

// syntaxFault is the parser's error without the excerpt of the file, which may show a secret.
func syntaxFault(err error) error {
	if e, ok := errors.AsType[yaml.Error](err); ok && e.GetToken() != nil {
		return fmt.Errorf("line %d: %s", e.GetToken().Position.Line, e.GetMessage())
	}
	return errors.New("not YAML")
}

type yamlReader struct{ faults []error }

// fault never quotes the value, which may be a secret.
func (r *yamlReader) fault(at ast.Node, path, format string, args ...any) {
	text := fmt.Sprintf("line %d: ", at.GetToken().Position.Line)
	if path != "" {
		text += path + " "
	}
	r.faults = append(r.faults, errors.New(text+fmt.Sprintf(format, args...)))
}

func (r *yamlReader) readStruct(node ast.Node, into reflect.Value, path string) {
	entries, ok := mappingOf(node)
	if !ok {
		what := "is not a mapping of keys to values"
		if path == "" {
			what = "the file " + what
		}
		r.fault(node, path, "%s", what)
		return
	}
	fields := fieldsOf(into.Type())
	for _, entry := range entries {
		key := entry.Key.GetToken().Value
		at := under(path, key)
		index, known := fields[key]
		if !known {
			hint := ""
			if near := nearest(key, fields); near != "" {
				hint = fmt.Sprintf("; did you mean %s?", under(path, near))
			}
			r.fault(entry.Key, at, "does not exist%s", hint)
			continue
		}
		r.readValue(entry.Value, into.Field(index), at)
	}
}

func (r *yamlReader) readValue(node ast.Node, into reflect.Value, path string) {
	switch node.(type) {
	case *ast.NullNode: // the key without a value: as if it were absent
		return
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		r.fault(node, path, "uses an anchor, an alias or a tag; write the value out")
		return
	}
	switch {
	case into.Kind() == reflect.Struct:
		r.readStruct(node, into, path)
	case into.Kind() == reflect.Slice:
		r.readList(node, into, path)
	case into.Kind() == reflect.String:
		text, ok := textOf(node)
		if !ok {
			r.fault(node, path, "is not text")
			return
		}
		if strings.HasPrefix(text, "<") && strings.HasSuffix(text, ">") {
			r.fault(node, path, "still holds the placeholder of the example")
			return
		}
		into.SetString(text)
	default:
		if err := yaml.NodeToValue(node, into.Addr().Interface()); err != nil {
			r.fault(node, path, "is not %s", kindOf(into.Type()))
		}
	}
}

func (r *yamlReader) readList(node ast.Node, into reflect.Value, path string) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		r.fault(node, path, "is not a list")
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(list.Values), len(list.Values)))
	for i, value := range list.Values {
		element := into.Index(i)
		if d, ok := element.Addr().Interface().(defaulter); ok {
			d.setDefaults()
		}
		r.readValue(value, element, fmt.Sprintf("%s[%d]", path, i))
	}
}

func mappingOf(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

// textOf is a scalar as it was written: an address of digits only is text here, not a number.
func textOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case ast.ScalarNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// fieldsOf maps the keys of a configuration struct to the indices of their fields.
func fieldsOf(t reflect.Type) map[string]int {
	fields := make(map[string]int)
	for i := range t.NumField() {
		fields[t.Field(i).Tag.Get("yaml")] = i
	}
	return fields
}

func under(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// kindOf is what a value must be, for people.
func kindOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 30m or 2s"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Uint8:
		return "a whole number from 0 to 255"
	default:
		return "a whole number"
	}
}

// nearest is the known key that differs least from the given one, or "" when all differ much.
func nearest[V any](key string, known map[string]V) string {
	best, least := "", max(2, len(key)/3)+1
	for candidate := range known {
		d := distance(strings.ToLower(key), strings.ToLower(candidate))
		if d < least || d == least && best != "" && candidate < best {
			best, least = candidate, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or replace to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
