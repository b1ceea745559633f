package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"github.com/settler-pay/settler/api"
)

// Whoever is too young to decide is told so, with from when on he may, and not that he lacks a scope which he has.
func TestTooYoungToDecide(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, time.November, 30, 9, 15, 0, 0, time.UTC)
	f := frame{caller: api.Caller{Name: "ada", Person: true, Scope: "operate", Young: true, AdminFrom: &from}}
	for name, page := range map[string]templ.Component{
		"a payment's actions": actions(f, api.Payment{}),
		"a request":           approvalPage(f, api.Approval{State: "pending"}, from),
	} {
		var text strings.Builder
		if err := page.Render(t.Context(), &text); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text.String(), "from 2026-11-30 09:15:00 UTC on") || strings.Contains(text.String(), "scope admin") || strings.Contains(text.String(), "<textarea") {
			t.Errorf("%s: %s", name, text.String())
		}
	}
}
