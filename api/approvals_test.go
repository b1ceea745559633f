package api

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// vote says what the person thinks of the request as it is now.
func (r *rig) vote(credential, id, vote, body string, headers ...string) answer {
	r.t.Helper()
	a := into[approval](r.t, r.get("/v1/admin/approvals/"+id, r.key("", scopeAdmin)), http.StatusOK)
	return r.do(http.MethodPost, "/v1/admin/approvals/"+id+"/"+vote, body, append([]string{
		"Authorization", "Bearer " + credential, "If-Match", `"` + a.Hash + `"`,
	}, headers...)...)
}

// overdue is a payment of 1.5 USDC that was not paid in time.
func (r *rig) overdue(marketplace string) settlement.PaymentID {
	r.t.Helper()
	_, id := r.payable(marketplace)
	r.advance(settlement.Event{ID: "deadline", Payment: id, Kind: settlement.EventDeadline})
	return id
}

// asked has the person close two payments: the second one is above the threshold of 2 USDC in a day.
func (r *rig) asked(credential string) (settlement.PaymentID, approval) {
	r.t.Helper()
	into[acted](r.t, r.act(credential, r.overdue("acme"), "close", because("nobody paid")), http.StatusOK)
	id := r.overdue("acme")
	a := into[acted](r.t, r.act(credential, id, "close", because("nobody paid")), http.StatusAccepted)
	if a.Done || a.State != "expired" || a.Becomes != "closed" || a.ApprovalsNeeded != 1 || a.Approval == nil {
		r.t.Fatalf("got %+v", a)
	}
	return id, *a.Approval
}

func (r *rig) stateOf(id settlement.PaymentID) settlement.State {
	r.t.Helper()
	payments, err := store.Payments(r.t.Context(), r.pool, []settlement.PaymentID{id})
	if err != nil {
		r.t.Fatal(err)
	}
	return payments[0].State
}

func TestTwoPeopleAboveTheThreshold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice, bob := r.person("alice", "acme", scopeAdmin), r.person("bob", "acme", scopeAdmin)
	r.person("eve", "other", scopeAdmin)
	r.person("carol", "acme", scopeOperate)
	signed := r.issuer.token
	id, asked := r.asked(signed("alice"))
	if asked.State != "pending" || asked.Amount != "1500000" || asked.Requester != "alice" || asked.Origin != "127.0.0.1" || asked.Action != "close" || asked.Needed != 1 {
		t.Errorf("the request: got %+v", asked)
	}
	if list := into[approvalPage](t, r.get("/v1/admin/approvals", signed("bob")), http.StatusOK); len(list.Items) != 1 || list.Items[0].Hash != asked.Hash {
		t.Errorf("pending: got %+v", list)
	}
	if counts := into[queueCounts](t, r.get("/v1/admin/queues", signed("bob")), http.StatusOK).Queues; counts[0].Queue != "approvals" || counts[0].Count != 1 || counts[0].OldestSince == nil {
		t.Errorf("queue: got %+v", counts[0])
	}

	a := asked.ApprovalID
	r.vote(signed("alice"), a, "approve", "{}").problem(t, OwnRequest)
	r.vote(r.keyOf(alice, "acme", scopeAdmin, 48*time.Hour), a, "approve", "{}").problem(t, PersonRequired)
	r.vote(r.keyOf(bob, "acme", scopeAdmin, 48*time.Hour), a, "approve", "{}").problem(t, PersonRequired)
	r.vote(r.key("acme", scopeAdmin), a, "approve", "{}").problem(t, PersonRequired)
	r.vote(signed("carol"), a, "approve", "{}").problem(t, ScopeInsufficient)
	r.vote(signed("eve"), a, "approve", "{}").problem(t, NotFound)
	r.get("/v1/admin/approvals/"+a, signed("eve")).problem(t, NotFound)
	r.do(http.MethodPost, "/v1/admin/approvals/"+newID().String()+"/approve", "{}", "Authorization", "Bearer "+signed("bob"), "If-Match", asked.Hash).problem(t, NotFound)
	r.vote(signed("bob"), a, "approve", "{}", "If-Match", "").problem(t, VersionRequired)
	r.vote(signed("bob"), a, "approve", "{}", "If-Match", "abc").problem(t, ValidationFailed)
	r.vote(signed("bob"), a, "approve", "{}", "If-Match", strings.Repeat("ab", 32)).problem(t, ApprovalChanged)
	r.vote(signed("bob"), a, "reject", "{}").problem(t, ValidationFailed)
	if state := r.stateOf(id); state != settlement.StateExpired {
		t.Fatalf("the payment is %s before anybody approved", state)
	}

	done := into[approval](t, r.vote(signed("bob"), a, "approve", because("I have called the buyer")), http.StatusOK)
	if done.State != "executed" || len(done.Votes) != 1 || done.Votes[0].Name != "bob" || !done.Votes[0].Approve || done.DecidedAt == nil {
		t.Errorf("approved: got %+v", done)
	}
	b := into[paymentBody](t, r.get("/v1/payments/"+id.String(), signed("alice")), http.StatusOK)
	if last := b.History[len(b.History)-1]; b.State != "closed" || last.By != "alice" || last.Detail != "nobody paid" {
		t.Errorf("after: got %s, %+v", b.State, b.History[len(b.History)-1])
	}
	into[approval](t, r.vote(signed("bob"), a, "approve", "{}"), http.StatusOK) // a repeat
	r.vote(signed("bob"), a, "reject", because("no")).problem(t, ApprovalDecided)
	if list := into[approvalPage](t, r.get("/v1/admin/approvals", signed("bob")), http.StatusOK); len(list.Items) != 0 {
		t.Errorf("pending after: got %+v", list)
	}
	about := "/v1/admin/approvals?payment_id=" + id.String()
	if list := into[approvalPage](t, r.get(about, signed("bob")), http.StatusOK); len(list.Items) != 1 || list.Items[0].State != "executed" {
		t.Errorf("about the payment: got %+v", list)
	}
	if list := into[approvalPage](t, r.get(about, signed("eve")), http.StatusOK); len(list.Items) != 0 {
		t.Errorf("about another marketplace's payment: got %+v", list)
	}
	r.get("/v1/admin/approvals?payment_id=abc", signed("bob")).problem(t, ValidationFailed)

	// The schema refuses it as well, whoever writes.
	_, err := r.pool.Exec(t.Context(), `insert into approval_votes (approval_id, requester, approver, vote, hash, reason, origin, at)
		select id, requester, requester, 'approve', hash, '', '', now() from approvals`)
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.ConstraintName != "approval_votes_not_own" {
		t.Errorf("a vote on one's own request: %v", err)
	}
}

func TestRejectedRequest(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person("alice", "acme", scopeAdmin)
	r.person("bob", "acme", scopeAdmin)
	r.person("carol", "acme", scopeAdmin)
	id, asked := r.asked(r.issuer.token("alice"))
	if done := into[approval](t, r.vote(r.issuer.token("bob"), asked.ApprovalID, "reject", because("the buyer has paid")), http.StatusOK); done.State != "rejected" {
		t.Errorf("got %+v", done)
	}
	r.vote(r.issuer.token("carol"), asked.ApprovalID, "approve", "{}").problem(t, ApprovalDecided)
	if state := r.stateOf(id); state != settlement.StateExpired {
		t.Errorf("the payment is %s", state)
	}
}

// What one person decides at once adds up as what he decides one after the other.
func TestDecisionsAtOnceAddUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person("alice", "acme", scopeAdmin)
	credential := r.issuer.token("alice")
	answers := make([]answer, 2)
	payments := make([]settlement.PaymentID, len(answers))
	for i := range payments {
		payments[i] = r.overdue("acme")
	}
	// While the audit chain is held none of them can end, so that all are weighed that can be.
	audit, err := r.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Exec(t.Context(), "select pg_advisory_xact_lock(7235102001)"); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i, id := range payments {
		group.Go(func() { answers[i] = r.act(credential, id, "close", because("nobody paid")) })
	}
	waiting := 0
	for waiting < len(answers) {
		const locked = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
		if err := r.pool.QueryRow(t.Context(), locked).Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := audit.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	group.Wait()
	done := 0
	for _, a := range answers {
		if a.status == http.StatusOK {
			done++
		} else {
			into[acted](t, a, http.StatusAccepted)
		}
	}
	if done != 1 {
		t.Errorf("%d of %d were done without another person, want 1", done, len(answers))
	}
}

// Nine decisions, each just below the threshold: they add up, with those that wait.
func TestNineDecisionsJustBelowTheThreshold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice := r.person("alice", "acme", scopeAdmin)
	credentials := []string{r.issuer.token("alice"), r.keyOf(alice, "acme", scopeAdmin, 48*time.Hour), r.keyOf(alice, "acme", scopeAdmin, 48*time.Hour)}
	for n := range 9 {
		want := http.StatusAccepted
		if n == 0 {
			want = http.StatusOK
		}
		into[acted](t, r.act(credentials[n%3], r.overdue("acme"), "close", because("nobody paid")), want)
	}
	// Another person begins anew; a payment does not.
	r.person("bob", "acme", scopeAdmin)
	into[acted](t, r.act(r.issuer.token("bob"), r.overdue("acme"), "close", because("nobody paid")), http.StatusOK)
	first := r.short("acme", txA)
	into[acted](t, r.act(r.key("acme", scopeAdmin), first, "accept", `{"reason": "x", "txid": "`+txA+`", "position": "log/3"}`), http.StatusOK)
	r.advance(settlement.Event{ID: "refused", Payment: first, Kind: settlement.EventProofRefused, Reason: "PROOF_REFUSED"})
	machine := into[acted](t, r.act(r.key("acme", scopeAdmin), first, "release", because("x")), http.StatusAccepted)
	if machine.ApprovalsNeeded != 2 {
		t.Errorf("a machine asks: %d approvals are needed, want 2", machine.ApprovalsNeeded)
	}
}

// vaulted is a payment of 1.5 USDC that is held in the n-th vault.
func (r *rig) vaulted(n byte) settlement.PaymentID {
	r.t.Helper()
	_, id := r.order("acme")
	now := time.Now().UTC().Truncate(time.Second)
	wallet := func(role byte) settlement.Address {
		return settlement.Address(strings.Repeat(string([]byte{role}), 19) + string([]byte{n}))
	}
	v := settlement.Vault{
		Chain: chainID, Address: wallet(1), OrderKey: [32]byte{n}, Token: address(r.t, tokenHex), Amount: settlement.NewAmount(1_500_000), Payer: wallet(2),
		Payee: wallet(3), Operator: wallet(4), Arbiter: wallet(5), ReclaimAt: now.Add(time.Hour), DisputeAt: now.Add(2 * time.Hour),
	}
	err := pgx.BeginFunc(r.t.Context(), r.pool, func(tx pgx.Tx) error {
		_, err := store.KeepVault(r.t.Context(), tx, "acme", "payment/"+id.String(), v, now)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	paid := r.sighting(txid(int(n)), 1_500_000, settlement.Verified, "")
	paid.Transfer.Payee = v.Address
	r.advance(settlement.Event{ID: "opened", Payment: id, Kind: settlement.EventOrderOpened},
		settlement.Event{ID: "ready", Payment: id, Kind: settlement.EventIntentReady, Platform: "pending", Terms: &settlement.Terms{
			Token: settlement.Token{Chain: chainID, Address: v.Token, Symbol: "USDC", Decimals: 6}, Payee: v.Address, Amount: v.Amount,
			ProvenPayer: v.Payer, Custody: settlement.CustodyVault, NotBefore: now.Add(-time.Minute), FromBlock: 10, Deadline: now.Add(time.Hour), Grace: 10 * time.Minute,
		}},
	)
	r.advance(
		settlement.Event{ID: "paid", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: paid},
		settlement.Event{ID: "held", Payment: id, Kind: settlement.EventProofAccepted, Platform: "held"})
	return id
}

// Nine refunds, each of a part and far below the threshold of 2 USDC: each weighs what its order is worth, and they add up.
func TestNineRefundsJustBelowTheThreshold(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	alice := r.person("alice", "acme", scopeAdmin)
	r.person("bob", "acme", scopeAdmin)
	credentials := []string{r.issuer.token("alice"), r.keyOf(alice, "acme", scopeAdmin, 48*time.Hour), r.keyOf(alice, "acme", scopeAdmin, 48*time.Hour)}
	moved := 0
	for n := range 9 {
		id := r.vaulted(byte(n + 1))
		a := r.act(credentials[n%3], id, "refund", `{"reason": "a discount", "amount": "200000"}`)
		if n == 0 {
			into[acted](t, a, http.StatusOK)
		} else if asked := into[acted](t, a, http.StatusAccepted); asked.Approval.ToPayer != "200000" || asked.Approval.Amount != "1500000" {
			t.Errorf("the request: got %+v", asked.Approval)
		}
		moved += len(into[paymentBody](t, r.get("/v1/payments/"+id.String(), credentials[1]), http.StatusOK).Movements)
	}
	if moved != 1 {
		t.Errorf("%d refunds are under way, want the first alone", moved)
	}
	// Larger than what is held: that needs nobody's approval to be refused.
	if p := r.act(credentials[0], r.vaulted(10), "refund", `{"reason": "x", "amount": "1500001"}`).problem(t, StateConflict); !strings.Contains(p.Detail, "1500000") {
		t.Errorf("the answer does not say what is held: %s", p.Detail)
	}
}

// A machine's request needs two people, and one person with two keys is one.
func TestOnePersonWithTwoKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.api.cfg.Development = true
	bob, carol := r.person("bob", "acme", scopeAdmin), r.person("carol", "acme", scopeAdmin)
	machine := r.key("acme", scopeAdmin)
	into[acted](t, r.act(machine, r.overdue("acme"), "close", because("x")), http.StatusOK)
	id := r.overdue("acme")
	a := into[acted](t, r.act(machine, id, "close", because("x")), http.StatusAccepted).Approval.ApprovalID
	for range 2 {
		if got := into[approval](t, r.vote(r.keyOf(bob, "acme", scopeAdmin, 0), a, "approve", "{}"), http.StatusOK); got.State != "pending" || len(got.Votes) != 1 {
			t.Fatalf("by bob, with another key each time: got %+v", got)
		}
	}
	if got := into[approval](t, r.vote(r.keyOf(carol, "acme", scopeAdmin, 0), a, "approve", "{}"), http.StatusOK); got.State != "executed" || len(got.Votes) != 2 {
		t.Errorf("by carol: got %+v", got)
	}
}

func TestMachineNeedsTwoPeople(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person("alice", "acme", scopeAdmin)
	r.person("bob", "acme", scopeAdmin)
	key := r.key("acme", scopeAdmin)
	into[acted](t, r.act(key, r.overdue("acme"), "close", because("x")), http.StatusOK)
	id := r.overdue("acme")
	a := into[acted](t, r.act(key, id, "close", because("x")), http.StatusAccepted).Approval.ApprovalID
	if got := into[approval](t, r.vote(r.issuer.token("alice"), a, "approve", "{}"), http.StatusOK); got.State != "pending" {
		t.Fatalf("after one person: got %+v", got)
	}
	if got := into[approval](t, r.vote(r.issuer.token("alice"), a, "approve", "{}"), http.StatusOK); got.State != "pending" || len(got.Votes) != 1 {
		t.Fatalf("after the same person twice: got %+v", got)
	}
	if got := into[approval](t, r.vote(r.issuer.token("bob"), a, "approve", "{}"), http.StatusOK); got.State != "executed" {
		t.Fatalf("after two: got %+v", got)
	}
	if state := r.stateOf(id); state != settlement.StateClosed {
		t.Errorf("the payment is %s", state)
	}
}

// What was approved is what was looked at: a request is void once the payment has changed, its time is over, or its requester
// was revoked.
func TestVoidRequests(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*rig, settlement.PaymentID){
		"the payment has changed": func(r *rig, id settlement.PaymentID) {
			r.advance(settlement.Event{
				ID: "short", Payment: id, Kind: settlement.EventPaymentMispaid, Reason: settlement.AmountMismatch,
				Sighting: r.sighting(txA, 1_000_000, settlement.AmountMismatch, settlement.Under),
			})
		},
		"it has expired": func(r *rig, _ settlement.PaymentID) {
			if _, err := r.pool.Exec(r.t.Context(), "update approvals set expires_at = now() - interval '1 second'"); err != nil {
				r.t.Fatal(err)
			}
		},
		"its requester was revoked": func(r *rig, _ settlement.PaymentID) {
			if _, err := r.pool.Exec(r.t.Context(), "update persons set revoked_at = now() where name = 'alice'"); err != nil {
				r.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.person("alice", "acme", scopeAdmin)
			r.person("bob", "acme", scopeAdmin)
			id, asked := r.asked(r.issuer.token("alice"))
			change(r, id)
			before := r.stateOf(id)
			if p := r.vote(r.issuer.token("bob"), asked.ApprovalID, "approve", "{}").problem(t, ApprovalStale); !strings.Contains(p.Detail, "ask again") {
				t.Errorf("the answer does not say what to do: %s", p.Detail)
			}
			if after := r.stateOf(id); after != before {
				t.Errorf("the payment is %s, was %s", after, before)
			}
		})
	}
}

func TestKeyRevokedInTheMiddle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeAdmin)
	who, err := r.api.actorOf(t.Context(), "Bearer "+key)
	if err != nil {
		t.Fatal(err)
	}
	id := r.overdue("acme")
	if err := store.RevokeAPIKey(t.Context(), r.pool, who.Key, time.Now()); err != nil {
		t.Fatal(err)
	}
	// The request had passed the door of the API before.
	_, err = r.runner.Act(t.Context(), jobs.Action{
		Kind: jobs.ActClose, Payment: id, Version: 4, By: jobs.By{Actor: who.ID, Key: who.Key, Name: who.Name, Origin: "192.0.2.1"}, Reason: "x", Key: "1",
	}, false)
	if !errors.Is(err, jobs.ErrRevoked) || r.api.problemOf(t.Context(), err).Code != APIKeyInvalid {
		t.Errorf("got %v", err)
	}
	if state := r.stateOf(id); state != settlement.StateExpired {
		t.Errorf("the payment is %s", state)
	}
}

func TestApprovalInDevelopment(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.api.cfg.Development = true
	alice, bob := r.person("alice", "acme", scopeAdmin), r.person("bob", "acme", scopeAdmin)
	_, asked := r.asked(r.keyOf(alice, "acme", scopeAdmin, 0))
	r.vote(r.keyOf(alice, "acme", scopeAdmin, 0), asked.ApprovalID, "approve", "{}").problem(t, OwnRequest) // one person with two keys
	r.vote(r.key("acme", scopeAdmin), asked.ApprovalID, "approve", "{}").problem(t, PersonRequired)
	if done := into[approval](t, r.vote(r.keyOf(bob, "acme", scopeAdmin, 0), asked.ApprovalID, "approve", "{}"), http.StatusOK); done.State != "executed" {
		t.Errorf("got %+v", done)
	}
}

// What follows from a dispute by itself takes nobody's decision away: who has looked before decides on what is still so, and a request
// that waits stays. What a party says may change a mind.
func TestWhatFollowsFromADisputeKeepsRequests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person("alice", "acme", scopeAdmin)
	r.person("bob", "acme", scopeAdmin)
	into[acted](t, r.act(r.issuer.token("alice"), r.overdue("acme"), "close", because("nobody paid")), http.StatusOK) // what she decides adds up
	id := r.vaulted(1)
	into[acted](t, r.act(r.issuer.token("alice"), id, "freeze", because("nothing came")), http.StatusOK)
	seen := r.version(id)
	r.advance(
		settlement.Event{ID: "told", Payment: id, Kind: settlement.EventDisputeTold},
		settlement.Event{ID: "frozen", Payment: id, Kind: settlement.EventVaultFrozen})
	body := `{"reason": "both are right", "to_payee": "500000", "to_payer": "1000000"}`
	asked := into[acted](t, r.act(r.issuer.token("alice"), id, "decide", body, "If-Match", seen), http.StatusAccepted).Approval
	r.advance(settlement.Event{ID: "reminded", Payment: id, Kind: settlement.EventDisputeReminded, Reason: settlement.DecisionDue})
	if done := into[approval](t, r.vote(r.issuer.token("bob"), asked.ApprovalID, "approve", "{}"), http.StatusOK); done.State != "executed" {
		t.Fatalf("after the reminder: %+v", done)
	}
	into[acted](t, r.act(r.issuer.token("bob"), id, "appeal", `{"reason": "x", "party": "payer"}`), http.StatusOK)
	seen = r.version(id)
	again := into[acted](t, r.act(r.issuer.token("alice"), id, "decide", body), http.StatusAccepted).Approval
	into[acted](t, r.act(r.issuer.token("bob"), id, "statement", `{"reason": "it was broken", "party": "payer"}`), http.StatusOK)
	if p := r.act(r.issuer.token("alice"), id, "decide", body, "If-Match", seen).problem(t, VersionChanged); !strings.Contains(p.Detail, "dispute statement by bob") {
		t.Errorf("the answer does not say what has changed: %s", p.Detail)
	}
	r.vote(r.issuer.token("bob"), again.ApprovalID, "approve", "{}").problem(t, ApprovalStale)
	r.act(r.issuer.token("alice"), id, "note", because("x"), "If-Match", `"99"`).problem(t, VersionChanged)
}
