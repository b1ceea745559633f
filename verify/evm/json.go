package evm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	// maxDepth bounds how deep a value that is passed over may be nested; a block with access lists needs 6.
	maxDepth = 32
	// maxFields bounds the names of one object; blocks of the chains we know have about 40.
	maxFields = 256
)

var errNotJSON = errors.New("is not JSON")

// cursor walks once over one JSON text and keeps nothing of it. It takes exactly what RFC 8259 allows, and no name twice
// in an object: what one reader takes from the first and another from the second is a lie in waiting.
type cursor struct {
	text []byte
	at   int
	room []logEntry // holds the logs of all receipts in the text
}

// next is the first byte of what comes, 0 at the end.
func (c *cursor) next() byte {
	for c.at < len(c.text) {
		switch b := c.text[c.at]; b {
		case ' ', '\n', '\r', '\t':
			c.at++
		default:
			return b
		}
	}
	return 0
}

// take moves over b, if it comes next.
func (c *cursor) take(b byte) bool {
	if c.next() != b || c.at >= len(c.text) {
		return false
	}
	c.at++
	return true
}

// object calls visit for each name, with the cursor at its value, which visit moves over.
func (c *cursor) object(visit func(name []byte) error) error {
	if !c.take('{') {
		return errors.New("is not an object")
	}
	var few [32][]byte
	names := few[:0]
	for first := true; !c.take('}'); first = false {
		if !first && !c.take(',') {
			return errNotJSON
		}
		name, err := c.str()
		if err != nil || !c.take(':') {
			return errNotJSON
		}
		for _, other := range names {
			if bytes.Equal(name, other) {
				return fmt.Errorf("holds %q twice", clip(name))
			}
		}
		if names = append(names, name); len(names) > maxFields {
			return fmt.Errorf("holds more than %d names", maxFields)
		}
		if err := visit(name); err != nil {
			return fmt.Errorf("%s %w", clip(name), err)
		}
	}
	return nil
}

// list calls visit with the cursor at each item, which visit moves over.
func (c *cursor) list(visit func() error) error {
	if !c.take('[') {
		return errors.New("is not a list")
	}
	for i := 0; !c.take(']'); i++ {
		if i > 0 && !c.take(',') {
			return errNotJSON
		}
		if err := visit(); err != nil {
			return fmt.Errorf("[%d] %w", i, err)
		}
	}
	return nil
}

// null moves over null, if it comes next.
func (c *cursor) null() bool { return c.next() == 'n' && c.word("null") }

func (c *cursor) word(word string) bool {
	if len(c.text)-c.at < len(word) || string(c.text[c.at:c.at+len(word)]) != word {
		return false
	}
	c.at += len(word)
	return true
}

// str moves over a text and returns its characters; they are part of the JSON text unless that has escapes.
func (c *cursor) str() ([]byte, error) {
	if !c.take('"') {
		return nil, errors.New("is not a text")
	}
	start := c.at
	for c.at < len(c.text) {
		switch b := c.text[c.at]; {
		case b == '"':
			c.at++
			return c.text[start : c.at-1], nil
		case b == '\\':
			return c.escaped(start)
		case b < ' ':
			return nil, errNotJSON
		}
		c.at++
	}
	return nil, errNotJSON
}

// escaped reads the rest of a text that has an escape; none that we use needs any.
func (c *cursor) escaped(start int) ([]byte, error) {
	for c.at < len(c.text) && c.text[c.at] != '"' {
		if c.text[c.at] == '\\' {
			c.at++
		}
		c.at++
	}
	if c.at++; c.at > len(c.text) {
		return nil, errNotJSON
	}
	var text string
	if json.Unmarshal(c.text[start-1:c.at], &text) != nil {
		return nil, errNotJSON
	}
	return []byte(text), nil
}

// skip moves over a value of any kind.
func (c *cursor) skip() error { return c.skipAt(0) }

func (c *cursor) skipAt(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("is nested deeper than %d", maxDepth)
	}
	switch b := c.next(); {
	case b == '"':
		_, err := c.str()
		return err
	case b == '{':
		c.at++
		for first := true; !c.take('}'); first = false {
			if !first && !c.take(',') {
				return errNotJSON
			}
			if _, err := c.str(); err != nil || !c.take(':') {
				return errNotJSON
			}
			if err := c.skipAt(depth + 1); err != nil {
				return err
			}
		}
		return nil
	case b == '[':
		return c.list(func() error { return c.skipAt(depth + 1) })
	case c.word("true"), c.word("false"), c.word("null"):
		return nil
	default:
		return c.number()
	}
}

func (c *cursor) number() error {
	start := c.at
	for c.at < len(c.text) && bytes.IndexByte([]byte("+-.0123456789Ee"), c.text[c.at]) >= 0 {
		c.at++
	}
	if !json.Valid(c.text[start:c.at]) { // short, and rare among the answers of an EVM node
		return errNotJSON
	}
	return nil
}

// end tells whether nothing follows.
func (c *cursor) end() error {
	if c.next() != 0 || c.at < len(c.text) {
		return errors.New("is followed by more")
	}
	return nil
}

// object reads one JSON object into name → value.
func object(raw []byte) (map[string]json.RawMessage, error) {
	c := cursor{text: raw}
	fields := make(map[string]json.RawMessage)
	err := c.object(func(name []byte) error {
		c.next()
		start := c.at
		err := c.skip()
		fields[string(name)] = raw[start:c.at]
		return err
	})
	if err == nil {
		err = c.end()
	}
	return fields, err
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

func clip(name []byte) string {
	if len(name) > 40 {
		return string(name[:40]) + "…"
	}
	return string(name)
}
