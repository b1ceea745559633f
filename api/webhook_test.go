package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/settler-pay/settler/jobs"
)

const webhookPath = "/v1/webhooks/acme/orders"

const orderCreated = `{"type":"order.created","timestamp":"2026-11-25T09:30:00Z","data":{"machineId":"mach_1","orderId":"ord_1","extra":1},"extra":[]}`

func TestWebhook(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	now := time.Now()
	r.api.cfg.Now = func() time.Time { return now } // nothing has been served yet
	for _, test := range []struct {
		name    string
		path    string
		body    string
		headers []string
		want    Code // "": accepted
	}{
		{name: "signed with the current secret", body: orderCreated, headers: sign(t, r.secret, "m1", now, orderCreated)},
		{name: "signed with the secret before", body: orderCreated, headers: sign(t, r.old, "m2", now, orderCreated)},
		{name: "signed with both", body: orderCreated, headers: twoSignatures(t, r, "m3", now, orderCreated)},
		{name: "300 s old", body: orderCreated, headers: sign(t, r.secret, "m4", now.Add(-300*time.Second), orderCreated)},
		{name: "300 s ahead", body: orderCreated, headers: sign(t, r.secret, "m5", now.Add(300*time.Second), orderCreated)},
		{name: "301 s old", body: orderCreated, headers: sign(t, r.secret, "m6", now.Add(-301*time.Second), orderCreated), want: TimestampInvalid},
		{name: "301 s ahead", body: orderCreated, headers: sign(t, r.secret, "m7", now.Add(301*time.Second), orderCreated), want: TimestampInvalid},
		{name: "another's secret", body: orderCreated, headers: sign(t, newSecret(), "m8", now, orderCreated), want: SignatureInvalid},
		{name: "one space more than was signed", body: orderCreated + " ", headers: sign(t, r.secret, "m9", now, orderCreated), want: SignatureInvalid},
		{name: "no headers", body: orderCreated, want: SignatureInvalid},
		{name: "old and wrongly signed", body: orderCreated, headers: sign(t, newSecret(), "m10", now.Add(-time.Hour), orderCreated), want: SignatureInvalid},
		{name: "a marketplace that is not there", path: "/v1/webhooks/nobody/orders", body: orderCreated, headers: sign(t, r.secret, "m11", now, orderCreated), want: MarketplaceUnknown},
		{name: "another marketplace's address", path: "/v1/webhooks/other/orders", body: orderCreated, headers: sign(t, r.secret, "m12", now, orderCreated), want: SignatureInvalid},
		{name: "not JSON", body: "order=1", headers: sign(t, r.secret, "m13", now, "order=1"), want: RequestMalformed},
		{name: "a JSON array", body: "[]", headers: sign(t, r.secret, "m14", now, "[]"), want: RequestMalformed},
		{name: "no body", body: "", headers: sign(t, r.secret, "m15", now, ""), want: RequestMalformed},
		{name: "an id that is not UTF-8", body: orderCreated, headers: sign(t, r.secret, "m\xff", now, orderCreated), want: RequestMalformed},
		{name: "an id too long", body: orderCreated, headers: sign(t, r.secret, strings.Repeat("m", 256), now, orderCreated), want: RequestMalformed},
		{name: "too large", body: orderCreated + strings.Repeat(" ", 1<<20), headers: sign(t, r.secret, "m16", now, orderCreated), want: BodyTooLarge},
		{name: "exactly 1 MiB", body: pad(orderCreated, 1<<20), headers: sign(t, r.secret, "m17", now, pad(orderCreated, 1<<20))},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := test.path
			if path == "" {
				path = webhookPath
			}
			got := r.do(http.MethodPost, path, test.body, test.headers...)
			if test.want != "" {
				got.problem(t, test.want)
				return
			}
			if into[accepted](t, got, http.StatusAccepted) != (accepted{true}) {
				t.Errorf("got %s, want accepted", got.body)
			}
		})
	}
}

func TestWebhookMissingFields(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for field, body := range map[string]string{
		"body.type":           `{"timestamp":"2026-11-25T09:30:00Z","data":{"machineId":"m","orderId":"o"}}`,
		"body.type ":          `{"type":"order.eaten","timestamp":"2026-11-25T09:30:00Z","data":{"machineId":"m","orderId":"o"}}`,
		"body.timestamp":      `{"type":"order.created","data":{"machineId":"m","orderId":"o"}}`,
		"body.timestamp ":     `{"type":"order.created","timestamp":"today","data":{"machineId":"m","orderId":"o"}}`,
		"body.data.machineId": `{"type":"order.created","timestamp":"2026-11-25T09:30:00Z","data":{"orderId":"o"}}`,
		"body.data.orderId":   `{"type":"order.created","timestamp":"2026-11-25T09:30:00Z","data":{"machineId":"m","orderId":"\u0000"}}`,
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			p := r.do(http.MethodPost, webhookPath, body, sign(t, r.secret, "id", time.Now(), body)...).problem(t, RequestMalformed)
			if len(p.Errors) != 1 || p.Errors[0].Location != strings.TrimSpace(field) {
				t.Errorf("got faults %v, want one at %s", p.Errors, field)
			}
		})
	}
}

func TestWebhookRepeated(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	send := func(marketplace, secret, body string, at time.Time) answer {
		return r.do(http.MethodPost, "/v1/webhooks/"+marketplace+"/orders", body, sign(t, secret, "same", at, body)...)
	}
	now := time.Now()
	into[accepted](t, send("acme", r.secret, orderCreated, now), http.StatusAccepted)
	into[accepted](t, send("acme", r.secret, orderCreated, now.Add(time.Second)), http.StatusAccepted) // signed anew
	send("acme", r.secret, strings.Replace(orderCreated, "ord_1", "ord_2", 1), now).problem(t, WebhookIDReused)

	var rows int
	var order string
	if err := r.pool.QueryRow(t.Context(), "select count(*), min(order_id) from inbox").Scan(&rows, &order); err != nil {
		t.Fatal(err)
	}
	if rows != 1 || order != "ord_1" {
		t.Errorf("got %d rows, order %s, want the first body alone", rows, order)
	}
}

func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	for name, secrets := range map[string][]string{
		"none": nil, "three": {newSecret(), newSecret(), newSecret()}, "too short": {"whsec_c2hvcnQ="}, "not base64": {"whsec_" + strings.Repeat("!", 40)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := webhookSecrets(Marketplace{ID: "acme", WebhookSecrets: secrets})
			if err == nil {
				t.Fatal("got no error")
			}
			for _, s := range secrets {
				if strings.Contains(err.Error(), strings.TrimPrefix(s, "whsec_")) {
					t.Errorf("error shows the secret: %v", err)
				}
			}
		})
	}
}

func FuzzWebhook(f *testing.F) {
	secret, err := standardwebhooks.NewWebhook(newSecret())
	if err != nil {
		f.Fatal(err)
	}
	f.Add("m", "1795599000", "v1,AAAA v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=", []byte(orderCreated))
	f.Add("", "", ",", []byte("{"))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		in := &webhookInput{ID: id, Timestamp: timestamp, Signature: signature, RawBody: body}
		if checkSignature(in, []*standardwebhooks.Webhook{secret}, time.Now()) == nil {
			t.Errorf("signature %q fits although nobody had the secret", signature)
		}
		if b, p := parseWebhook(body); p == nil && (!jobs.PlainID(b.Data.OrderID) || !jobs.PlainID(b.Data.MachineID) || b.Type == "") {
			t.Errorf("%q was read as %+v", body, b)
		}
	})
}

func twoSignatures(t *testing.T, r *rig, id string, at time.Time, body string) []string {
	t.Helper()
	stranger, current := sign(t, newSecret(), id, at, body), sign(t, r.secret, id, at, body)
	current[5] = fmt.Sprintf("v1a,xyz %s %s", stranger[5], current[5])
	return current
}

func pad(text string, size int) string { return text + strings.Repeat(" ", size-len(text)) }
