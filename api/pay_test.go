package api

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/settlement"
)

func TestPay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	orderID, id := r.payable("acme")
	path := "/v1/pay/" + r.runner.PayToken(id)

	got := r.do(http.MethodGet, path, "")
	b := into[payBody](t, got, http.StatusOK)
	if b.State != "awaiting_payment" || b.ActsNext != "payer" || b.Message != b.Instructions.Text || !b.Instructions.PayNow || !strings.HasPrefix(b.Message, "Send exactly 1.500000 USDC") {
		t.Errorf("got %+v", b)
	}

	if got := into[named](t, r.do(http.MethodPost, path+"/transactions", `{"txid":"`+txA+`"}`), http.StatusAccepted); got.State != "verifying" {
		t.Errorf("named: got %+v", got)
	}
	into[named](t, r.do(http.MethodPost, path+"/transactions", `{"txid":"`+txA+`"}`), http.StatusAccepted) // again
	r.do(http.MethodPost, path+"/transactions", `{"txid":"0xzz"}`).problem(t, TxIDMalformed)
	if b = into[payBody](t, r.do(http.MethodGet, path, ""), http.StatusOK); b.Named != txA || b.Instructions.PayNow || b.Instructions.PaymentURI == "" {
		t.Errorf("verifying: got %+v", b)
	}

	r.advance(settlement.Event{ID: "final", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(txA, 1_500_000, settlement.Verified, "")})
	got = r.do(http.MethodGet, path, "")
	b = into[payBody](t, got, http.StatusOK)
	if b.State != "verified" || b.Message != "Paid. Do not pay again." || len(b.Transactions) != 1 || !b.Transactions[0].Settles {
		t.Errorf("paid: got %+v", b)
	}
	for _, internal := range []string{"acme", "mach_1", "alpha", orderID, id.String(), "history", "evidence", "platform"} {
		if strings.Contains(string(got.body), `"`+internal) {
			t.Errorf("the payer sees %s: %s", internal, got.body)
		}
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestPayUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.payable("acme")
	read := r.key("acme", scopeRead)
	// One answer for everything that is not there, so that nothing can be learnt by asking.
	want := r.do(http.MethodGet, "/v1/payments/"+newID().String(), "", "Authorization", "Bearer "+read).problem(t, NotFound)
	want.RequestID = ""
	for _, a := range []answer{
		r.do(http.MethodGet, "/v1/pay/AAAAAAAAAAAAAAAAAAAAAA", ""),
		r.do(http.MethodGet, "/v1/pay/x", ""),
		r.do(http.MethodGet, "/v1/pay/"+strings.Repeat("x", 1000), ""),
		r.do(http.MethodGet, "/v1/pay/%00%ff", ""),
		r.do(http.MethodGet, "/v1/pay/"+id.String(), ""),
		r.do(http.MethodPost, "/v1/pay/AAAAAAAAAAAAAAAAAAAAAA/transactions", `{"txid":"`+txA+`"}`),
		r.do(http.MethodPost, "/v1/pay/AAAAAAAAAAAAAAAAAAAAAA/transactions", `{"txid":"nonsense"}`),
	} {
		got := a.problem(t, NotFound)
		got.RequestID = ""
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Problem{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestPayRateLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, one := r.payable("acme")
	_, two := r.payable("acme")
	post := func(id settlement.PaymentID) answer {
		return r.do(http.MethodPost, "/v1/pay/"+r.runner.PayToken(id)+"/transactions", `{"txid":"`+txA+`"}`)
	}
	for range payWritesPerToken {
		into[named](t, post(one), http.StatusAccepted)
	}
	limited := post(one)
	limited.problem(t, RateLimited)
	if seconds, err := strconv.Atoi(limited.header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After: got %q", limited.header.Get("Retry-After"))
	}
	into[named](t, post(two), http.StatusAccepted) // another payer at the same address is not held up

	// One client that tries many tokens is held up, whatever it says about where it comes from.
	for i := range payWritesPerIP {
		a := r.do(http.MethodPost, "/v1/pay/guess"+strconv.Itoa(i)+"/transactions", `{"txid":"`+txA+`"}`, "X-Forwarded-For", "192.0.2."+strconv.Itoa(i))
		if a.status == http.StatusTooManyRequests {
			return
		}
	}
	t.Errorf("%d tokens were tried without a limit", payWritesPerIP)
}
