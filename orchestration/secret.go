package orchestration

import (
	"fmt"
	"io"
	"log/slog"
)

// redacted stands wherever a secret would have been printed.
const redacted = "[REDACTED]"

// Secret is text that must not be seen: API keys and pairing tokens. Every way
// of printing, logging or encoding it gives "[REDACTED]", or "" when it is
// empty. string(s) is the text itself.
//
// fmt calls no methods in unexported fields, nor behind the pointers of a struct
// when the verb does not fit (%s): a struct that keeps a Secret in one needs a
// Format of its own, and no record of this package points to one that does.
type Secret string

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the text from %#v.
func (s Secret) GoString() string { return `orchestration.Secret("` + s.String() + `")` }

// LogValue hides the text from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON hides the text from encoding/json; requests spell secrets out by
// converting them to string first.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// Format hides the text from every other verb (%x would spell it in hex).
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	// fmt.State never fails to write; its error has no reader.
	_, _ = io.WriteString(f, text)
}
