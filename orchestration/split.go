package orchestration

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// What follows takes JSON apart without decoding it, so that each level of an
// answer is read once. It relies on its input being valid: json.Valid is asked
// once, about the whole answer.

// members yields the members of an object in their order: name, value.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for i := blank(object, 1); object[i] != '}'; {
			end := skip(object, i)
			name := unquote(object[i:end])
			i = blank(object, blank(object, end)+1) // over the colon
			end = skip(object, i)
			if !yield(name, object[i:end]) {
				return
			}
			i = next(object, end)
		}
	}
}

// elements are the elements of an array.
func elements(array []byte) [][]byte {
	var parts [][]byte
	for i := blank(array, 1); array[i] != ']'; {
		end := skip(array, i)
		parts = append(parts, array[i:end])
		i = next(array, end)
	}
	return parts
}

// next is the start of what follows the value that ends at i, or of the closing
// bracket.
func next(text []byte, i int) int {
	i = blank(text, i)
	if text[i] == ',' {
		i = blank(text, i+1)
	}
	return i
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
