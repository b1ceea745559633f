package api

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

func TestCaller(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice := r.person("alice", "acme", scopeAdmin)
	key := r.keyOf(alice, "", scopeAdmin, time.Hour)
	want := callerBody{ID: alice.ID.String(), Name: "alice", Person: true, Marketplace: "acme", Scope: "admin", Approves: true}
	if diff := cmp.Diff(want, into[callerBody](t, r.get("/v1/caller", r.issuer.token("alice")), http.StatusOK)); diff != "" {
		t.Errorf("signed in (-want +got):\n%s", diff)
	}
	young := want
	young.Scope, young.Young, young.Approves = "operate", true, false
	got := into[callerBody](t, r.get("/v1/caller", key), http.StatusOK)
	if got.AdminFrom == nil || time.Until(*got.AdminFrom) > 23*time.Hour || time.Until(*got.AdminFrom) < 22*time.Hour {
		t.Errorf("a key of an hour is admin from %v", got.AdminFrom)
	}
	young.AdminFrom = got.AdminFrom
	if diff := cmp.Diff(young, got); diff != "" {
		t.Errorf("a key of an hour (-want +got):\n%s", diff)
	}
	machine := into[callerBody](t, r.get("/v1/caller", r.key("", scopeAdmin)), http.StatusOK)
	if machine.Person || machine.Approves || machine.Marketplace != "" || machine.Scope != "admin" {
		t.Errorf("a machine: got %+v", machine)
	}

	// Who has signed in to the dashboard is read anew with each request.
	as := func(who SignedIn) int {
		req := httptest.NewRequestWithContext(As(t.Context(), who), http.MethodGet, "/v1/caller", nil)
		req.Header.Set("Authorization", "Bearer "+r.key("", scopeAdmin))
		w := httptest.NewRecorder()
		r.api.router.ServeHTTP(w, req)
		return w.Code
	}
	sessions := map[string]SignedIn{"a key": {Key: sha256.Sum256([]byte(key))}, "a person": {Subject: "alice"}}
	for name, who := range sessions {
		if got := as(who); got != http.StatusOK {
			t.Errorf("%s: got %d", name, got)
		}
	}
	if err := store.RevokePerson(t.Context(), r.pool, alice.ID, time.Now()); err != nil {
		t.Fatal(err)
	}
	sessions["nobody"], sessions["a stranger"] = SignedIn{}, SignedIn{Subject: "mallory"}
	for name, who := range sessions {
		if got := as(who); got != http.StatusUnauthorized {
			t.Errorf("%s after the revocation: got %d", name, got)
		}
	}
	r.api.cfg.Identity = nil
	if got := as(SignedIn{Subject: "alice"}); got != http.StatusUnauthorized {
		t.Errorf("a person without an issuer: got %d", got)
	}
}

func TestChecksOfTransfers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeRead)
	outcomes := func(id settlement.PaymentID) (got []string) {
		b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK)
		for _, c := range b.Transactions[0].Checks {
			got = append(got, c.Check+" "+c.Outcome)
			if c.Check == "amount" && (c.Expected != "1.500000 USDC" || c.Found == "") {
				t.Errorf("amount: got %+v", c)
			}
		}
		return got
	}
	passed := []string{"block passed", "final passed", "transfers passed", "token passed", "payee passed", "payer passed"}
	paid, short := r.paid("acme", txid(1)), r.short("acme", txA)
	_, waiting := r.payable("acme")
	r.scannedTo(12)
	r.advance(settlement.Event{ID: "seen", Payment: waiting, Kind: settlement.EventTransferSeen, Sighting: r.sighting(txB, 1_500_000, settlement.Verified, "")})
	for name, tt := range map[string]struct {
		payment settlement.PaymentID
		want    []string
	}{
		"one that pays": {paid, append(passed[:6:6], "amount passed", "arrived passed", "reference passed", "unused passed", "time passed")},
		"too little":    {short, append(passed[:6:6], "amount failed", "arrived not_reached", "reference not_reached", "unused not_reached", "time not_reached")},
		"not final yet": {waiting, append([]string{"block passed", "final waiting"}, append(passed[2:6:6], "amount passed", "arrived passed", "reference passed", "unused passed", "time passed")...)},
	} {
		if diff := cmp.Diff(tt.want, outcomes(tt.payment)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	r.advance(settlement.Event{
		ID: "gone", Payment: waiting, Kind: settlement.EventTransferWithdrawn, Sighting: r.sighting(txB, 1_500_000, settlement.TxReorged, ""),
	})
	if got := outcomes(waiting); got[0] != "block failed" || got[2] != "transfers not_reached" {
		t.Errorf("withdrawn: got %v", got)
	}
	b := into[paymentBody](t, r.get("/v1/payments/"+waiting.String(), r.key("acme", scopeAdmin)), http.StatusOK)
	if diff := cmp.Diff([]action{"close", "attach", "reverify", "note"}, b.Actions); diff != "" {
		t.Errorf("actions in state %s (-want +got):\n%s", b.State, diff)
	}
}
