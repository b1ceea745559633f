package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/settler-pay/settler/settlement"
)

// A refund of a direct payment to a wallet that nobody has proven to be the payer's, such as the hot wallet of an exchange that it came
// from, needs two other people however little it is; what they approve is that receiver and no other.
func TestRefundToAHotWalletNeedsTwoPeople(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"alice", "bob", "carol"} {
		r.person(name, "acme", scopeAdmin)
	}
	signed := r.issuer.token
	id := r.paid("acme", txid(1))
	to := func(receiver string) string {
		return `{"reason": "paid from an exchange, ticket 4711", "amount": "1000", "receiver": "` + receiver + `"}`
	}
	const doubt = "no signature shows that the receiver is the payer's wallet"
	dry := into[acted](t, r.do(http.MethodPost, "/v1/admin/payments/"+id.String()+"/actions/refund?dry_run=true", to(payerHex),
		"Authorization", "Bearer "+signed("alice"), "Idempotency-Key", "dry", "If-Match", r.version(id)), http.StatusOK)
	if dry.Done || dry.ApprovalsNeeded != 2 || dry.Because != doubt || dry.Refund == nil || dry.Refund.From != walletHex ||
		dry.Refund.Receiver != payerHex || dry.Refund.Amount != "1000" {
		t.Errorf("dry: got %+v, %+v", dry, dry.Refund)
	}
	asked := *into[acted](t, r.act(signed("alice"), id, "refund", to(payerHex)), http.StatusAccepted).Approval
	elsewhere := *into[acted](t, r.act(signed("alice"), id, "refund", to("0x00000000000000000000000000000000000000C1")), http.StatusAccepted).Approval
	if asked.Needed != 2 || asked.Because != doubt || asked.Receiver != payerHex || asked.Hash == elsewhere.Hash {
		t.Errorf("the request: got %+v", asked)
	}
	r.vote(signed("bob"), asked.ApprovalID, "approve", "{}", "If-Match", `"`+elsewhere.Hash+`"`).problem(t, ApprovalChanged)
	r.vote(signed("alice"), asked.ApprovalID, "approve", "{}").problem(t, OwnRequest)
	if one := into[approval](t, r.vote(signed("bob"), asked.ApprovalID, "approve", "{}"), http.StatusOK); one.State != "pending" {
		t.Errorf("after one approval: %+v", one)
	}
	into[approval](t, r.vote(signed("bob"), asked.ApprovalID, "approve", "{}"), http.StatusOK) // the same person once more
	b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), signed("bob")), http.StatusOK)
	if len(b.Movements) != 0 || len(b.Approvals) != 2 || b.Approvals[0].State != "pending" || len(b.Approvals[0].Votes) != 1 {
		t.Errorf("one person has approved, and the payment has %+v and %+v", b.Movements, b.Approvals)
	}
	if done := into[approval](t, r.vote(signed("carol"), asked.ApprovalID, "approve", "{}"), http.StatusOK); done.State != "executed" {
		t.Errorf("after two approvals: %+v", done)
	}
	r.vote(signed("bob"), elsewhere.ApprovalID, "approve", "{}").problem(t, ApprovalStale)
	b = into[paymentBody](t, r.get("/v1/payments/"+id.String(), signed("bob")), http.StatusOK)
	if len(b.Movements) != 1 || b.Movements[0].State != "approved" || b.Movements[0].Payer != payerHex || b.Movements[0].ToPayer != "1000" ||
		b.Movements[0].Purpose != string(settlement.PayoutPartialRefund) {
		t.Errorf("movements: %+v", b.Movements)
	}
	if last := b.History[len(b.History)-1]; last.By != "alice" || !strings.Contains(last.Detail, "to "+payerHex) {
		t.Errorf("history: %+v", last)
	}
}
