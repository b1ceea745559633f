package api

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
)

// openapi is the part of the served document that the tests look at.
type openapi struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string                     `json:"operationId"`
		Summary     string                     `json:"summary"`
		Description string                     `json:"description"`
		Security    []map[string][]string      `json:"security"`
		Responses   map[string]json.RawMessage `json:"responses"`
		RequestBody struct {
			Content map[string]struct {
				Schema struct {
					Ref string `json:"$ref"`
				} `json:"schema"`
			} `json:"content"`
		} `json:"requestBody"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]json.RawMessage `json:"schemas"`
	} `json:"components"`
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.do(http.MethodGet, "/openapi.json", "")
	var doc openapi
	if err := json.Unmarshal(a.body, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("got OpenAPI %s, want 3.1", doc.OpenAPI)
	}
	if a := r.do(http.MethodGet, "/openapi.yaml", ""); a.status != http.StatusOK || !strings.Contains(string(a.body), "openapi: 3.1") {
		t.Errorf("YAML: got %d", a.status)
	}
	served := []string{"/openapi.json", "/openapi.yaml", "/docs", "/docs/*"} // the document and its page do not describe themselves
	err := chi.Walk(r.api.router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if slices.Contains(served, route) {
			return nil
		}
		op, ok := doc.Paths[route][strings.ToLower(method)]
		if !ok {
			t.Errorf("%s %s is not in the document", method, route)
			return nil
		}
		if op.OperationID == "" || op.Summary == "" || op.Description == "" || op.Security == nil || len(op.Responses) < 2 {
			t.Errorf("%s %s is described too shortly: %+v", method, route, op)
		}
		// A body has its own fields alone; only webhooks may have more.
		if ref := op.RequestBody.Content["application/json"].Schema.Ref; ref != "" {
			schema := string(doc.Components.Schemas[ref[strings.LastIndex(ref, "/")+1:]])
			if strings.Contains(schema, `"additionalProperties":false`) == strings.HasPrefix(route, "/v1/webhooks/") {
				t.Errorf("%s %s takes a body that is %s", method, route, schema)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		if _, ok := doc.Components.Schemas[name]; ok {
			t.Errorf("the document shows %s, which is never answered", name)
		}
	}
	references := regexp.MustCompile(`#/components/schemas/(\w+)`)
	for _, m := range references.FindAllStringSubmatch(string(a.body), -1) {
		if _, ok := doc.Components.Schemas[m[1]]; !ok {
			t.Errorf("the document names schema %s, which it does not have", m[1])
		}
	}
}

func TestDocsPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	a := r.do(http.MethodGet, "/docs/", "")
	if a.status != http.StatusOK || !strings.Contains(string(a.body), "/openapi.json") {
		t.Fatalf("got %d %s", a.status, a.body)
	}
	// The page works without a network: everything that it loads is served from here.
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(string(a.body), -1) {
		asset := m[1]
		if strings.Contains(asset, "//") {
			t.Errorf("the page loads %s", asset)
			continue
		}
		if !strings.HasPrefix(asset, "/") {
			asset = "/docs/" + asset
		}
		if got := r.do(http.MethodGet, asset, ""); got.status != http.StatusOK || len(got.body) == 0 {
			t.Errorf("%s: got %d", asset, got.status)
		}
	}
	if a := r.do(http.MethodGet, "/docs", ""); a.status != http.StatusOK {
		t.Errorf("/docs: got %d", a.status)
	}
}

// docs/api.md names every endpoint and every problem code, with its status.
func TestDocumentation(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for code, kind := range kinds {
		row := regexp.MustCompile(`(?m)^\| ` + "`" + string(code) + "`" + ` \| (\d+) \|`).FindSubmatch(text)
		if row == nil || string(row[1]) != strconv.Itoa(kind.status) {
			t.Errorf("docs/api.md has no row for %s with status %d", code, kind.status)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z_]+)` \\| \\d+ \\|").FindAllSubmatch(text, -1) {
		if _, ok := kinds[Code(m[1])]; !ok {
			t.Errorf("docs/api.md has a row for %s, which is never answered", m[1])
		}
	}
	r := newRig(t)
	err = chi.Walk(r.api.router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !strings.Contains(string(text), route) {
			t.Errorf("docs/api.md does not name %s %s", method, route)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
