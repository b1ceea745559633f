package evm

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	t.Parallel()
	const checksummed = "0xE21c192cD270286DBBb0fBa10a8B8D9957d431E5"
	for _, text := range []string{checksummed, strings.ToLower(checksummed), "0x" + strings.ToUpper(checksummed[2:])} {
		a, err := ParseAddress(text)
		if err != nil || FormatAddress(a) != checksummed {
			t.Errorf("%s: got %s (%v)", text, FormatAddress(a), err)
		}
	}
	for name, text := range map[string]string{
		"empty":                "",
		"no 0x":                checksummed[2:],
		"0X":                   "0X" + checksummed[2:],
		"19 bytes":             checksummed[:40],
		"21 bytes":             checksummed + "00",
		"a letter's case":      strings.Replace(checksummed, "E21c", "e21c", 1),
		"a digit":              strings.Replace(checksummed, "E21c", "E31c", 1),
		"a blank":              checksummed + " ",
		"no hex":               "0x" + strings.Repeat("g", 40),
		"odd":                  checksummed[:41],
		"a transaction's hash": payment.String(),
	} {
		if a, err := ParseAddress(text); err == nil {
			t.Errorf("%s: %q is read as %s", name, text, a)
		}
	}
	if FormatAddress("") != "" {
		t.Error("the empty address is not printed empty")
	}
}

func TestParseTxID(t *testing.T) {
	t.Parallel()
	for _, text := range []string{payment.String(), "0x" + strings.ToUpper(payment.String()[2:])} {
		id, err := ParseTxID(text)
		if err != nil || id != payment || FormatTxID(id) != payment.String() {
			t.Errorf("%s: got %s (%v)", text, id, err)
		}
	}
	for _, text := range []string{"", "0x", payment.String()[2:], payment.String()[:42], payment.String() + "00", payment.String()[:65] + "g", "0x" + strings.Repeat("a", 1000)} {
		_, err := ParseTxID(text)
		if err == nil || len(err.Error()) > 200 {
			t.Errorf("%q: got %v, want a short error", text, err)
		}
	}
}
