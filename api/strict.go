package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
)

// requireOnce refuses what would be read as if it had been left out (a null, an empty parameter), or of which one of two would be
// taken: leaving out an amount means all of it, and leaving out dry_run means doing it.
func (s *server) requireOnce(ctx huma.Context, next func(huma.Context)) {
	r, w := humachi.Unwrap(ctx)
	faults := queryFaults(r)
	if op := ctx.Operation(); op.RequestBody != nil && op.RequestBody.Content["application/json"] != nil {
		_ = ctx.SetReadDeadline(time.Now().Add(op.BodyReadTimeout)) // as huma does; what cannot be interrupted takes as long as its connection
		text, err := io.ReadAll(io.LimitReader(r.Body, op.MaxBodyBytes+1))
		faults = append(faults, bodyFaults(text)...)
		// Whoever reads it next tells that it is too large, late or cut off.
		rest := io.Reader(r.Body)
		if err != nil {
			rest = failing{err}
		}
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(text), rest), r.Body}
	}
	if len(faults) > 0 {
		p := problem(ValidationFailed, "")
		p.Errors = faults
		p.write(w, r)
		return
	}
	next(ctx)
}

// failing is a reader of nothing but its error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func queryFaults(r *http.Request) []Fault {
	var faults []Fault
	query := r.URL.Query()
	for _, name := range slices.Sorted(maps.Keys(query)) {
		switch values := query[name]; {
		case len(values) > 1:
			faults = append(faults, Fault{"query." + name, "is there more than once"})
		case strings.TrimSpace(values[0]) == "":
			faults = append(faults, Fault{"query." + name, "is empty: give it a value, or leave it out"})
		}
	}
	return faults
}

// bodyFaults finds nulls, and names that stand twice or in another case than ours. What is no JSON has none: it is refused as such.
func bodyFaults(text []byte) []Fault {
	var faults []Fault
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value func(location string) error
	value = func(location string) error {
		token, err := decoder.Token()
		switch {
		case err != nil:
			return err
		case token == nil:
			faults = append(faults, Fault{location, "is null: give it a value, or leave it out"})
		case token == json.Delim('['):
			for n := 0; err == nil && decoder.More(); n++ {
				err = value(fmt.Sprintf("%s[%d]", location, n))
			}
		case token == json.Delim('{'):
			seen := make(map[string]bool)
			for err == nil && decoder.More() {
				var named json.Token
				if named, err = decoder.Token(); err != nil {
					return err
				}
				name, _ := named.(string) // what stands before a colon is nothing else
				at := location + "." + name
				switch {
				case seen[name]:
					faults = append(faults, Fault{at, "is there more than once"})
				case strings.ContainsFunc(name, unicode.IsUpper): // would be taken for the name in lower case
					faults = append(faults, Fault{at, "unexpected property"})
				}
				seen[name] = true
				err = value(at)
			}
		default:
			return nil
		}
		if _, open := token.(json.Delim); err == nil && open {
			_, err = decoder.Token() // its end
		}
		return err
	}
	if value("body") != nil {
		return nil
	}
	return faults
}

// reason is why somebody does something. One that says nothing is none.
type reason string

// Resolve finds a reason in which there is nothing to read.
func (r *reason) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	if *r == "" || legible(string(*r)) {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: at.String(), Message: "must say something"}}
}

// legible reports whether there is something to read in the text.
func legible(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != unicode.ReplacementChar })
}
