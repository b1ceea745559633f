package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/store"
)

// The kill switch: by admins of all marketplaces, on record, for one chain or all.
func TestHaltAndResume(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := r.key("", scopeAdmin)
	press := func(key, which, body string) answer {
		t.Helper()
		return r.do(http.MethodPost, "/v1/admin/halts/"+which, body, "Authorization", "Bearer "+key)
	}
	press(r.key("acme", scopeOperate), "halt", because("x")).problem(t, ScopeInsufficient)
	if p := press(r.key("acme", scopeAdmin), "halt", because("x")).problem(t, MarketplaceForbidden); !strings.Contains(p.Detail, "Ask an admin of all") {
		t.Errorf("the answer does not say what to do: %s", p.Detail)
	}
	press(all, "halt", "{}").problem(t, ValidationFailed)
	press(all, "halt", `{"reason": "x", "chain": "moon"}`).problem(t, ValidationFailed)
	press(all, "resume", `{"reason": "x", "chain": ""}`).problem(t, ValidationFailed)
	press(all, "pause", because("x")).problem(t, ValidationFailed)
	if got := into[haltList](t, r.get("/v1/admin/halts", all), http.StatusOK); len(got.Halts)+len(got.Records) != 0 {
		t.Errorf("at first: got %+v", got)
	}

	into[haltList](t, press(all, "halt", because("a key is missing")), http.StatusOK)
	got := into[haltList](t, press(all, "halt", `{"reason": "a fork", "chain": "dev"}`), http.StatusOK)
	if len(got.Halts) != 2 || got.Halts[0].Chain != "*" || got.Halts[0].Reason != "test: a key is missing" || got.Halts[1].Chain != string(chainID) || !got.Changed {
		t.Errorf("halted: got %+v", got.Halts)
	}
	if seen := into[haltList](t, r.get("/v1/admin/halts", r.key("acme", scopeRead)), http.StatusOK); len(seen.Halts) != 2 || len(seen.Records) != 0 {
		t.Errorf("what a caller of one marketplace sees: got %+v", seen)
	}
	if got := into[haltList](t, press(all, "resume", because("found")), http.StatusOK); len(got.Halts) != 1 || !got.Changed {
		t.Errorf("resumed: got %+v", got)
	}
	got = into[haltList](t, press(all, "resume", because("found")), http.StatusOK)
	if len(got.Halts) != 1 || got.Changed || len(got.Records) != 3 {
		t.Errorf("resumed twice: got %+v", got)
	}
	if last := got.Records[0]; last.Action != "resume" || last.Reason != "found" || last.By != "test" || last.Origin != "127.0.0.1" || time.Since(last.At) > time.Hour {
		t.Errorf("the record: got %+v", last)
	}
	into[haltList](t, press(all, "resume", `{"reason": "over", "chain": "`+string(chainID)+`"}`), http.StatusOK)
	if halts, err := store.Halts(t.Context(), r.pool); err != nil || len(halts) != 0 {
		t.Errorf("at last: got %+v, %v", halts, err)
	}
}
