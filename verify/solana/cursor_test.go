package solana

import (
	"encoding/json"
	"strings"
	"testing"
)

// The cursor takes what encoding/json takes, but for what is too deep.
func FuzzJSON(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,-0.5e+3,"x\u0041\"",null,true,false,{}],"a":{}}`, ` [ ] `, `01`, `1.`, `"\x"`, "\"\x01\"", `{"a" 1}`, `[1,]`, `{,}`, `-`, `1e`, ``,
		`[1 2]`, `nul`, `"open`, `{"a":1`, `1 1`, `"\`, strings.Repeat("[", 70) + strings.Repeat("]", 70),
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := cursor{text: text}
		c.skip()
		c.end()
		if got, want := c.err == nil, json.Valid(text); got != want && (c.err == nil || !strings.Contains(c.err.Error(), "too deeply")) {
			t.Errorf("%q: taken %t, valid %t (%v)", text, got, want, c.err)
		}
	})
}
