package main

import (
	"fmt"
	"io"
	"log/slog"
)

// secret is text that must not be seen. Every way of printing, logging or encoding it gives "[REDACTED]", or "" when it is
// empty. string(s) is the text itself.
type secret string

func (s secret) String() string {
	if s == "" {
		return ""
	}
	return "[REDACTED]"
}

// GoString hides the text from %#v.
func (s secret) GoString() string { return `secret("` + s.String() + `")` }

// LogValue hides the text from slog.
func (s secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the text from encoding/json.
func (s secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// MarshalYAML hides the text from YAML.
func (s secret) MarshalYAML() (any, error) { return s.String(), nil }

// Format hides the text from every other verb: %x would spell it in hex.
func (s secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	_, _ = io.WriteString(f, text) // fmt.State never fails to write
}
