package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/settlement"
)

const (
	txA = "0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"
	txB = "0x1111111111111111111111111111111111111111111111111111111111111111"
)

func TestPaymentThroughItsLife(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeRead)
	orderID, _ := r.order("acme")

	b := into[paymentBody](t, r.get("/v1/orders/"+orderID, key), http.StatusOK)
	if b.State != "new" || b.ActsNext != "us" || b.Price != nil || b.Instructions != nil || len(b.History) != 0 {
		t.Errorf("new: got %+v", b)
	}

	orderID, id := r.payable("acme")
	b = into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK)
	if b.State != "awaiting_payment" || b.ActsNext != "payer" || b.OrderID != orderID || b.Platform.Status != "pending" {
		t.Errorf("awaiting payment: got %+v", b)
	}
	wantMoney := Money{Amount: "1500000", AmountMajor: "1.500000", Symbol: "USDC", Decimals: 6}
	if b.Price == nil || b.Price.Money != wantMoney || b.Price.Token != tokenHex || b.Price.Chain != string(chainID) {
		t.Errorf("price: got %+v", b.Price)
	}
	want := &instructions{
		Text: "Send exactly 1.500000 USDC (token " + tokenHex + ") on dev (eip155:31337) to " + payeeHex + " from " + payerHex + " by " +
			clock(*b.Deadline) + ", in one transfer. It is found by itself; naming the transaction makes it no faster than its block.",
		PayNow: true, Money: wantMoney, Chain: string(chainID), ChainName: "dev", Token: tokenHex, Payee: payeeHex, Payers: []string{payerHex},
		Deadline: *b.Deadline, AcceptedUntil: b.Deadline.Add(600e9), Finality: "depth 2",
		ProofText:  "settler: my transaction pays this payment.\nPayment: " + id.String() + "\nChain: eip155:31337\nTransaction: {txid}",
		PaymentURI: "ethereum:" + tokenHex + "@31337/transfer?address=" + payeeHex + "&uint256=1500000",
		QRURL:      "https://settler.example/v1/pay/" + r.runner.PayToken(id) + "/qr.svg",
	}
	if diff := cmp.Diff(want, b.Instructions); diff != "" {
		t.Errorf("instructions (-want +got):\n%s", diff)
	}
	if want := "https://settler.example/v1/pay/" + r.runner.PayToken(id); b.PayURL != want {
		t.Errorf("pay_url: got %s, want %s", b.PayURL, want)
	}

	seen := r.sighting(txA, 1_500_000, settlement.Verified, "")
	r.advance(settlement.Event{ID: "seen", Payment: id, Kind: settlement.EventTransferSeen, Sighting: seen})
	b = into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK)
	if b.State != "confirming" || b.Instructions.PayNow || b.Instructions.PaymentURI != "" || len(b.Transactions) != 1 {
		t.Fatalf("confirming: got %+v", b)
	}
	if got := b.Transactions[0]; got.Status != "seen" || got.Verdict != (verdict{"pending", "VERIFIED", ""}) || got.Settles {
		t.Errorf("seen transfer: got %+v", got)
	}
	r.scannedTo(12)
	b = into[paymentBody](t, r.get("/v1/payments/"+id.String(), key), http.StatusOK)
	if diff := cmp.Diff(&waits{"confirming 1 of 2", "depth 2", 1, 2}, b.Transactions[0].Waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	page := into[payBody](t, r.do(http.MethodGet, "/v1/pay/"+r.runner.PayToken(id), ""), http.StatusOK)
	if page.Message != "A payment was seen: confirming 1 of 2. Do not pay again." || page.Transactions[0].Waits == nil {
		t.Errorf("the payer's page: got %q, %+v", page.Message, page.Transactions[0].Waits)
	}

	r.advance(settlement.Event{ID: "final", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: seen})
	b = into[paymentBody](t, r.get("/v1/orders/"+orderID, key), http.StatusOK)
	if b.State != "verified" || b.PaidBy != txA || b.ActsNext != "us" || len(b.Transactions) != 1 {
		t.Fatalf("verified: got %+v", b)
	}
	got := b.Transactions[0]
	if got.TxID != txA || got.ExplorerURL != "https://explorer.example/tx/"+txA || got.Payer != payerHex || got.Payee != payeeHex || got.Money != wantMoney ||
		got.Verdict != (verdict{"confirmed", "VERIFIED", ""}) || !got.Settles || got.Waits != nil || got.Evidence == nil || got.Evidence.Endpoints[0] != "alpha" || got.Block.Number != 11 {
		t.Errorf("settling transfer: got %+v", got)
	}
	var events []string
	for _, h := range b.History {
		events = append(events, h.Event+" "+string(h.From)+"→"+string(h.To))
	}
	wantEvents := []string{"order_opened new→new", "intent_ready new→awaiting_payment", "transfer_seen awaiting_payment→confirming", "payment_confirmed confirming→verified"}
	if diff := cmp.Diff(wantEvents, events); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestPaymentForReview(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.payable("acme")
	r.advance(settlement.Event{
		ID: "short", Payment: id, Kind: settlement.EventPaymentMispaid, Reason: settlement.AmountMismatch, Detail: "1.000000 of 1.500000 USDC arrived",
		Sighting: r.sighting(txA, 1_000_000, settlement.AmountMismatch, settlement.Under),
	})
	b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), r.key("acme", scopeRead)), http.StatusOK)
	if b.State != "needs_review" || b.ActsNext != "person" || b.Reason != "AMOUNT_MISMATCH" || len(b.Flags) != 1 || b.Flags[0] != "underpaid" {
		t.Errorf("got %+v", b.PaymentSummary)
	}
	if got := b.Transactions[0]; got.Verdict != (verdict{"rejected", "AMOUNT_MISMATCH", "under"}) || got.AmountMajor != "1.000000" || got.Settles {
		t.Errorf("got %+v", got)
	}
	if b.Instructions.PayNow || b.Instructions.PaymentURI != "" {
		t.Error("a payment under review invites to pay")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	orderID, id := r.payable("acme")
	read, all := r.key("acme", scopeRead), r.key("", scopeAdmin)
	foreign := r.key("other", scopeAdmin)

	for _, path := range []string{"/v1/payments", "/v1/payments/" + id.String(), "/v1/orders/" + orderID} {
		for name, authorization := range map[string]string{
			"none": "", "unknown": "Bearer sk_unknown", "no prefix": "Bearer " + strings.TrimPrefix(read, "sk_"), "basic": "Basic " + read, "long": "Bearer sk_" + strings.Repeat("x", 300),
		} {
			a := r.do(http.MethodGet, path, "", "Authorization", authorization)
			a.problem(t, APIKeyInvalid)
			if a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with key %s: no WWW-Authenticate", path, name)
			}
		}
	}

	unknown := r.get("/v1/payments/"+newID().String(), read).problem(t, NotFound)
	others := r.get("/v1/payments/"+id.String(), foreign).problem(t, NotFound)
	nonsense := r.get("/v1/payments/nonsense", read).problem(t, NotFound)
	unknown.RequestID, others.RequestID, nonsense.RequestID = "", "", ""
	if diff := cmp.Diff(unknown, others, cmp.AllowUnexported(Problem{})); diff != "" || cmp.Diff(unknown, nonsense, cmp.AllowUnexported(Problem{})) != "" {
		t.Errorf("another marketplace's payment differs from none:\n%s", diff)
	}
	r.get("/v1/orders/"+orderID, foreign).problem(t, NotFound)
	r.get("/v1/orders/"+orderID+"?marketplace=acme", foreign).problem(t, MarketplaceForbidden)
	r.get("/v1/payments?marketplace=acme", foreign).problem(t, MarketplaceForbidden)

	r.get("/v1/orders/"+orderID, all).problem(t, MarketplaceRequired)
	into[paymentBody](t, r.get("/v1/orders/"+orderID+"?marketplace=acme", all), http.StatusOK)
	into[paymentBody](t, r.get("/v1/payments/"+id.String(), all), http.StatusOK)
	into[paymentBody](t, r.get("/v1/orders/"+orderID+"?marketplace=acme", read), http.StatusOK)

	if _, err := r.pool.Exec(t.Context(), "update api_keys set revoked_at = now() where scope = 'read'"); err != nil {
		t.Fatal(err)
	}
	r.get("/v1/payments", read).problem(t, APIKeyInvalid)
}

// Order ids are the marketplace's own, whatever it puts into them.
func TestOrderIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeRead)
	for _, orderID := range []string{"a/b", "a b", "é%2F", "..", "a?b#c", "a%", strings.Repeat("x", 255)} {
		id := r.orderNamed("acme", orderID)
		if got := into[paymentBody](t, r.get("/v1/orders/"+url.PathEscape(orderID), key), http.StatusOK); got.PaymentID != id.String() || got.OrderID != orderID {
			t.Errorf("%q: got payment %s of %q", orderID, got.PaymentID, got.OrderID)
		}
		list := into[paymentList](t, r.get("/v1/payments?order_id="+url.QueryEscape(orderID), key), http.StatusOK)
		if len(list.Items) != 1 || list.Items[0].PaymentID != id.String() {
			t.Errorf("list %q: got %v", orderID, list.Items)
		}
	}
}

func TestListPayments(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeRead)
	var all []string
	var order string
	for range 5 {
		var id settlement.PaymentID
		order, id = r.payable("acme")
		all = append(all, id.String())
	}
	_, fresh := r.order("acme")
	r.order("other")

	list := func(query string) (ids []string, next *string) {
		t.Helper()
		page := into[paymentList](t, r.get("/v1/payments"+query, key), http.StatusOK)
		for _, p := range page.Items {
			ids = append(ids, p.PaymentID)
		}
		return ids, page.NextCursor
	}
	var paged []string
	query := "?state=awaiting_payment&limit=2"
	for pages := 1; ; pages++ {
		ids, next := list(query)
		paged = append(paged, ids...)
		if next == nil {
			if pages != 3 {
				t.Errorf("got %d pages, want 3", pages)
			}
			break
		}
		query = "?state=awaiting_payment&limit=2&cursor=" + *next
	}
	if diff := cmp.Diff(all, paged); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if ids, next := list(""); len(ids) != 6 || next != nil {
		t.Errorf("everything: got %v, want six payments of acme", ids)
	}
	if ids, _ := list("?state=new"); len(ids) != 1 || ids[0] != fresh.String() {
		t.Errorf("new: got %v", ids)
	}
	if ids, _ := list("?order_id=" + order); len(ids) != 1 || ids[0] != all[4] {
		t.Errorf("by order: got %v", ids)
	}
	if ids, _ := list("?flag=overpaid"); len(ids) != 0 {
		t.Errorf("by flag: got %v", ids)
	}
	if got := r.get("/v1/payments?flag=late", key); !json.Valid(got.body) || !strings.Contains(string(got.body), `"items":[]`) {
		t.Errorf("no payments: got %s, want an empty list", got.body)
	}
	for _, bad := range []string{"?limit=0", "?limit=501", "?limit=x", "?state=sleeping", "?flag=red", "?cursor=abc", "?stat=new"} {
		r.get("/v1/payments"+bad, key).problem(t, ValidationFailed)
	}
	if n := len(into[paymentList](t, r.get("/v1/payments", r.key("", scopeAdmin)), http.StatusOK).Items); n != 7 {
		t.Errorf("a key of all marketplaces sees %d payments, want 7", n)
	}
}
