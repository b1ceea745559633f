package orchestration

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// What follows takes JSON apart without decoding it. It relies on its input
// being valid: json.Valid is asked once, about the whole answer.

// walk goes over the members of an object or the elements of an array. After
// next, value is the current one without blanks around it, and name, of a
// member, its name in quotes.
type walk struct {
	text        []byte
	at          int // start of what comes next
	object      bool
	name, value []byte
}

// members walks over an object.
func members(object []byte) walk { return walk{text: object, at: blank(object, 1), object: true} }

// elements walks over an array.
func elements(array []byte) walk { return walk{text: array, at: blank(array, 1)} }

// next moves on; false at the end.
func (w *walk) next() bool {
	if w.text[w.at] == '}' || w.text[w.at] == ']' {
		return false
	}
	if w.object {
		end := skipString(w.text, w.at)
		w.name = w.text[w.at:end]
		w.at = blank(w.text, blank(w.text, end)+1) // over the colon
	}
	end := skip(w.text, w.at)
	w.value = w.text[w.at:end]
	if w.at = blank(w.text, end); w.text[w.at] == ',' {
		w.at = blank(w.text, w.at+1)
	}
	return true
}

// blank passes over white space.
func blank(text []byte, i int) int {
	for text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r' {
		i++
	}
	return i
}

// skip is the end of the value that starts at i.
func skip(text []byte, i int) int {
	switch text[i] {
	case '"':
		return skipString(text, i)
	case '{', '[':
		depth := 0
		for {
			switch text[i] {
			case '"':
				i = skipString(text, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			i++
			if depth == 0 {
				return i
			}
		}
	}
	if length := bytes.IndexAny(text[i:], ",]} \n\t\r"); length >= 0 {
		return i + length
	}
	return len(text)
}

func skipString(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// unquote reads a string.
func unquote(text []byte) string {
	inner := text[1 : len(text)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var value string
	// Valid JSON in quotes is always a string; "" would be safe all the same.
	_ = json.Unmarshal(text, &value)
	return value
}
