package solana

import (
	"encoding/json"
	"fmt"
)

const (
	// maxDepth bounds how deep a value may be nested; an answer needs 6, an error in it a few more.
	maxDepth = 64
	// maxItems bounds a list; the longest that a transaction can bring are some hundred.
	maxItems = 4096
)

// cursor walks once over one JSON text, without copying it. The first fault stays in err, and every later call does
// nothing. It takes exactly what RFC 8259 allows.
type cursor struct {
	text  []byte
	at    int
	depth int
	first bool // an object or list was opened and nothing read since
	err   error
}

func (c *cursor) fail(problem string) {
	if c.err == nil {
		c.err = fmt.Errorf("byte %d: %s", c.at, problem)
		c.at = len(c.text)
	}
}

// next moves over white space and returns the byte after it, 0 at the end.
func (c *cursor) next() byte {
	for c.at < len(c.text) {
		b := c.text[c.at]
		if b > ' ' || b != ' ' && b != '\n' && b != '\r' && b != '\t' {
			return b
		}
		c.at++
	}
	return 0
}

func (c *cursor) take(b byte, problem string) {
	if c.next() != b || c.at >= len(c.text) {
		c.fail(problem)
		return
	}
	c.at++
}

// object enters an object; then field is called until it is false.
func (c *cursor) object() { c.open('{', "not an object") }

// list enters a list; then item is called until it is false.
func (c *cursor) list() { c.open('[', "not a list") }

func (c *cursor) open(b byte, problem string) {
	c.take(b, problem)
	c.first = true
	if c.depth++; c.depth > maxDepth {
		c.fail("nested too deeply")
	}
}

// field moves to the next value of the object and returns its name; false after the last.
func (c *cursor) field() (name []byte, ok bool) {
	if !c.more('}') {
		return nil, false
	}
	name = c.str()
	c.take(':', "a name without a value")
	return name, c.err == nil
}

// item moves to the next value of the list, whose count it is told; false after the last.
func (c *cursor) item(count int) bool {
	if !c.more(']') {
		return false
	}
	if count >= maxItems {
		c.fail("a list is too long")
	}
	return c.err == nil
}

func (c *cursor) more(end byte) bool {
	b := c.next()
	switch {
	case c.err != nil:
		return false
	case b == end:
		c.at++
		c.depth--
		c.first = false
		return false
	case c.first:
		c.first = false
		return true
	case b != ',':
		c.fail("a comma or the end is missing")
		return false
	}
	c.at++
	return true
}

// once fails when the bit is set in seen already: a name that decides comes once.
func (c *cursor) once(seen *uint32, bit uint32) {
	if *seen&bit != 0 {
		c.fail("a name comes twice")
	}
	*seen |= bit
}

// null moves over null, if it comes next.
func (c *cursor) null() bool {
	if c.next() != 'n' || c.err != nil {
		return false
	}
	c.word("null")
	return c.err == nil
}

func (c *cursor) word(word string) {
	if len(c.text)-c.at < len(word) || string(c.text[c.at:c.at+len(word)]) != word {
		c.fail("not JSON")
		return
	}
	c.at += len(word)
}

// plain holds the bytes that a text may hold as they are.
var plain = func() (table [256]bool) {
	for b := ' '; b < 256; b++ {
		table[b] = b != '"' && b != '\\'
	}
	return table
}()

// str moves over a text and returns its characters, which are part of the JSON text unless that has escapes.
func (c *cursor) str() []byte {
	c.take('"', "not a text")
	start := c.at
	at := start
	for at < len(c.text) && plain[c.text[at]] {
		at++
	}
	c.at = at
	switch {
	case c.err != nil:
		return nil
	case at == len(c.text) || c.text[at] < ' ':
		c.fail("a text has no end")
		return nil
	case c.text[at] == '\\':
		return c.escaped(start)
	}
	c.at++
	return c.text[start:at]
}

// escaped reads the rest of a text with an escape; the texts that we use need none.
func (c *cursor) escaped(start int) []byte {
	for c.at < len(c.text) && c.text[c.at] != '"' {
		if c.text[c.at] == '\\' {
			c.at++
		}
		c.at++
	}
	if c.at >= len(c.text) {
		c.fail("a text has no end")
		return nil
	}
	c.at++
	var text string
	if json.Unmarshal(c.text[start-1:c.at], &text) != nil {
		c.fail("a text with a wrong escape")
	}
	return []byte(text)
}

// uint reads a number of up to 64 bits, without point or exponent.
func (c *cursor) uint() uint64 {
	c.next()
	n, length := leadingUint(c.text[c.at:])
	if length == 0 {
		c.fail("not a number of 64 bits")
		return 0
	}
	c.at += length
	if c.at < len(c.text) {
		if b := c.text[c.at]; b == '.' || b == 'e' || b == 'E' || b >= '0' && b <= '9' {
			c.fail("not a whole number")
		}
	}
	return n
}

func (c *cursor) byte() byte {
	n := c.uint()
	if n > 255 {
		c.fail("not a number of 8 bits")
	}
	return byte(n)
}

// digits reads a text that holds a number of up to 64 bits.
func (c *cursor) digits() uint64 {
	text := c.str()
	n, length := leadingUint(text)
	if c.err == nil && (length == 0 || length != len(text)) {
		c.fail("not a number of 64 bits in a text")
	}
	return n
}

// leadingUint reads the digits that text begins with; length is 0 when there is no number that fits.
func leadingUint(text []byte) (n uint64, length int) {
	const most = 1<<64 - 1
	for _, b := range text {
		d := uint64(b - '0')
		if d > 9 {
			break
		}
		if length == 1 && n == 0 || n > (most-d)/10 {
			return 0, 0
		}
		n = n*10 + d
		length++
	}
	return n, length
}

// raw moves over a value of any kind and returns its text.
func (c *cursor) raw() []byte {
	c.next()
	start := c.at
	c.skip()
	if c.err != nil {
		return nil
	}
	return c.text[start:c.at]
}

// skip moves over a value of any kind.
func (c *cursor) skip() {
	switch b := c.next(); b {
	case '"':
		c.str()
	case '{':
		c.object()
		for _, ok := c.field(); ok; _, ok = c.field() {
			c.skip()
		}
	case '[':
		c.list()
		for c.item(0) {
			c.skip()
		}
	case 't':
		c.word("true")
	case 'f':
		c.word("false")
	case 'n':
		c.word("null")
	default:
		c.number()
	}
}

func (c *cursor) number() {
	start := c.at
	digits := func() bool {
		from := c.at
		for c.at < len(c.text) && c.text[c.at]-'0' <= 9 {
			c.at++
		}
		return c.at > from
	}
	is := func(set string) bool {
		for i := range len(set) {
			if c.at < len(c.text) && c.text[c.at] == set[i] {
				c.at++
				return true
			}
		}
		return false
	}
	is("-")
	whole := c.at
	valid := digits() && (c.text[whole] != '0' || c.at == whole+1)
	if valid && is(".") {
		valid = digits()
	}
	if valid && is("eE") {
		is("+-")
		valid = digits()
	}
	if !valid || c.at == start {
		c.fail("not JSON")
	}
}

// end fails when anything follows.
func (c *cursor) end() {
	if c.next() != 0 || c.at < len(c.text) {
		c.fail("more follows")
	}
}
