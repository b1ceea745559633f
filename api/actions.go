package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// maxAction is the largest body of an action in bytes.
const maxAction = 8 << 10

// action is the jobs' own, with the list of its values in the OpenAPI document.
type action string

// Schema lists every action.
func (action) Schema(huma.Registry) *huma.Schema {
	return listed(jobs.Actions, "What is to be done; docs/api.md says what each does and needs.", jobs.ActFreeze)
}

type actInput struct {
	PaymentID      string `path:"payment_id" maxLength:"64" doc:"Our id of the payment." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	Action         action `path:"action"`
	DryRun         bool   `query:"dry_run" doc:"Say what would happen, and do nothing."`
	IfMatch        string `header:"If-Match" maxLength:"64" doc:"The version of the payment that was looked at, as its ETag says it." example:"\"4\""`
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" doc:"Chosen by the caller. The same key with the same request is answered alike and acts once." example:"5f0c1f0e-2d5b-4b8a-9c57-6a1f3e8d7b20"`
	Body           actBody
}

// actBody is what an action needs beside its name.
type actBody struct {
	Reason   reason `json:"reason" minLength:"1" maxLength:"1000" doc:"Why. It stays in the history for ever." example:"The buyer agreed to a late payment, ticket 4711."`
	TxID     string `json:"txid,omitempty" minLength:"1" maxLength:"128" doc:"attach: the transaction to look at. accept: the transaction of the transfer." example:"0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
	Position string `json:"position,omitempty" minLength:"1" maxLength:"64" doc:"accept: the position of the transfer, as the payment's transactions show it." example:"log/17"`

	Party         party            `json:"party,omitempty" doc:"freeze: who complains. statement: who says it. appeal: who appeals."`
	DisputeReason disputeReason    `json:"dispute_reason,omitempty" doc:"freeze: what about, in one word."`
	Evidence      *evidencePointer `json:"evidence,omitempty" doc:"statement: a document that is kept elsewhere. To hand in bytes send them to .../evidence."`
	ToPayee       string           `json:"to_payee,omitempty" minLength:"1" maxLength:"78" doc:"decide, split: base units that the payee gets." example:"1500000"`
	ToPayer       string           `json:"to_payer,omitempty" minLength:"1" maxLength:"78" doc:"decide, split: base units that the payer gets." example:"0"`
	Amount        string           `json:"amount,omitempty" minLength:"1" maxLength:"78" doc:"refund: base units of a partial refund; absent for all that is held or, of a direct payment, was not given back yet." example:"500000"`
	Receiver      string           `json:"receiver,omitempty" minLength:"1" maxLength:"128" doc:"refund, surplus of a direct payment: who gets it; absent for the wallet that is proven to be the payer's. Another one, or a contract, needs the approval of two other people." example:"0x8617E340B3D01FA5F11F306F4090FD50E238070D"`
}

// needs is action → the fields of its body beside the reason: those that it needs, and those that it takes.
var needs = map[jobs.ActionKind]struct{ needed, taken []string }{
	jobs.ActAttach:    {needed: []string{"txid"}},
	jobs.ActAccept:    {needed: []string{"txid", "position"}},
	jobs.ActFreeze:    {taken: []string{"party", "dispute_reason"}},
	jobs.ActStatement: {needed: []string{"party"}, taken: []string{"evidence"}},
	jobs.ActAppeal:    {needed: []string{"party"}},
	jobs.ActDecide:    {needed: []string{"to_payee", "to_payer"}},
	jobs.ActSplit:     {needed: []string{"to_payee", "to_payer"}},
	jobs.ActRefund:    {taken: []string{"amount", "receiver"}},
	jobs.ActSurplus:   {taken: []string{"receiver"}},
}

// check finds fields that the action lacks, or that are another's.
func (b actBody) check(kind jobs.ActionKind) error {
	for _, field := range []struct {
		name  string
		given bool
	}{
		{"txid", b.TxID != ""},
		{"position", b.Position != ""},
		{"party", b.Party != ""},
		{"dispute_reason", b.DisputeReason != ""},
		{"evidence", b.Evidence != nil},
		{"to_payee", b.ToPayee != ""},
		{"to_payer", b.ToPayer != ""},
		{"amount", b.Amount != ""},
		{"receiver", b.Receiver != ""},
	} {
		n := needs[kind]
		switch needed := slices.Contains(n.needed, field.name); {
		case needed && !field.given:
			return invalid("body."+field.name, string(kind)+" needs it")
		case field.given && !needed && !slices.Contains(n.taken, field.name):
			return invalid("body."+field.name, string(kind)+" does not take it")
		}
	}
	return nil
}

type actOutput struct {
	Status int
	Body   acted
}

// acted is what became of an action, or would.
type acted struct {
	Action          action    `json:"action"`
	PaymentID       string    `json:"payment_id" example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	DryRun          bool      `json:"dry_run" doc:"Nothing was done."`
	Done            bool      `json:"done" doc:"It was done. False in a dry run, and while other people must approve."`
	State           state     `json:"state" doc:"The payment's state now."`
	Version         int64     `json:"version" doc:"The payment's version now." example:"5"`
	Becomes         state     `json:"becomes" doc:"The state that the action led to, or leads to."`
	ActsNext        string    `json:"acts_next" enum:"us,payer,chain,marketplace,person,nobody" doc:"Who has to do something then." example:"us"`
	ApprovalsNeeded int       `json:"approvals_needed" doc:"How many other people must approve before it is done." example:"0"`
	Because         string    `json:"approvals_because" doc:"Why they must, in words; empty where nobody must." example:""`
	Refund          *refund   `json:"refund,omitempty" doc:"refund, surplus: what is given back, from where and to whom; absent where it was given back before."`
	Approval        *approval `json:"approval,omitempty" doc:"The request that waits for them; absent in a dry run."`
}

// refund is what is given back.
type refund struct {
	From     string `json:"from" doc:"The vault or, of a direct payment, the operator's wallet." example:"0x52908400098527886E0F7030069857D2E4169EE7"`
	Receiver string `json:"receiver" example:"0x8617E340B3D01FA5F11F306F4090FD50E238070D"`
	Money
}

func (s *server) registerActions() {
	op := s.secured(huma.Operation{
		OperationID: "act", Method: http.MethodPost, Path: "/v1/admin/payments/{payment_id}/actions/{action}", Tags: []string{"Admin"},
		Summary: "Decide about a payment", Description: "Done at once (200), or, above the token's threshold, once other people have approved (202). Freeze, unfreeze, " +
			"release, refund, split, surplus, accept, close, attach, decide and appeal need the scope admin. docs/api.md describes each action.",
		MaxBodyBytes: maxAction,
	}, scopeOperate)
	register(s, op, []Code{
		RequestMalformed, NotFound, RequestTimeout, StateConflict, BodyTooLarge, MediaTypeUnsupported, ValidationFailed, TxIDMalformed, IdempotencyKeyReused,
		VersionRequired, VersionChanged, CredentialYoung, ReleaseInFlight, RefundWalletMissing, RefundReceiverMissing,
		RefundReceiverRefused, ChainUnavailable,
	}, s.handleAct)
	documented := s.api.OpenAPI().Paths[op.Path].Post
	waits := *documented.Responses["200"]
	waits.Description = "Accepted: it waits for approval."
	documented.Responses["202"] = &waits
}

// requireAdmin is requireKey for what needs the scope admin in some cases only.
func requireAdmin(a actor) error {
	switch {
	case a.young():
		return a.tooYoung()
	case a.Scope != scopeAdmin:
		return problem(ScopeInsufficient, "This needs the scope admin; the caller has scope "+a.Scope+".")
	}
	return nil
}

// mayAct reports whether the caller may ask for the action.
func mayAct(a actor, kind jobs.ActionKind) bool {
	return a.Scope != scopeRead && (kind.Harmless() || requireAdmin(a) == nil)
}

// by is who the request comes from, for the history.
func by(ctx context.Context) jobs.By {
	a := caller(ctx)
	return jobs.By{Actor: a.ID, Name: a.Name, Origin: middleware.GetClientIP(ctx), Person: a.Person, Key: a.Key, Marketplace: a.Marketplace}
}

func (s *server) handleAct(ctx context.Context, in *actInput) (*actOutput, error) {
	id, err := settlement.ParsePaymentID(in.PaymentID)
	if err != nil {
		return nil, problem(NotFound, "")
	}
	kind := jobs.ActionKind(in.Action)
	if !kind.Harmless() {
		if err := requireAdmin(caller(ctx)); err != nil {
			return nil, err
		}
	}
	version, err := versionOf(in.IfMatch)
	if err != nil {
		return nil, err
	}
	act := func() (int, *acted, error) {
		a, err := s.actionOf(ctx, id, kind, version, in)
		if err != nil {
			return 0, nil, err
		}
		done, err := s.cfg.Runner.Act(ctx, a, in.DryRun)
		if err != nil {
			return 0, nil, err
		}
		return s.acted(in, done)
	}
	var out actOutput
	var body *acted
	if in.DryRun {
		out.Status, body, err = act()
	} else {
		var asked []byte
		if asked, err = json.Marshal(in.Body); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		request := sha256.Sum256(fmt.Appendf(nil, "act\x00%s\x00%s\x00%d\x00%s", id, kind, version, asked))
		out.Status, body, err = once(ctx, s, in.IdempotencyKey, request, act)
	}
	if err != nil {
		return nil, err
	}
	out.Body = *body
	return &out, nil
}

// versionOf reads an entity tag that is a payment's version.
func versionOf(tag string) (int64, error) {
	if tag == "" {
		return 0, problem(VersionRequired, "Send If-Match with the version of the payment that you have looked at; its answer has it as ETag.")
	}
	version, err := strconv.ParseInt(strings.Trim(tag, `"`), 10, 64)
	if err != nil || version < 1 {
		return 0, invalid("header.If-Match", "must be the version of a payment")
	}
	return version, nil
}

func (s *server) actionOf(ctx context.Context, id settlement.PaymentID, kind jobs.ActionKind, version int64, in *actInput) (jobs.Action, error) {
	a := jobs.Action{
		Kind: kind, Payment: id, Version: version, By: by(ctx), Reason: string(in.Body.Reason), Key: in.IdempotencyKey, Position: in.Body.Position,
		Dispute: settlement.DisputeStep{Party: settlement.Party(in.Body.Party), Reason: settlement.DisputeReason(in.Body.DisputeReason)},
	}
	err := in.Body.check(kind)
	switch {
	case err != nil:
		return a, err
	case kind == jobs.ActFreeze:
		a.Dispute.Party, a.Dispute.Reason = cmp.Or(a.Dispute.Party, settlement.PartyOperator), cmp.Or(a.Dispute.Reason, settlement.DisputeOther)
	case kind == jobs.ActRefund && in.Body.Amount != "":
		a.Dispute.Award = new(settlement.Division)
		if a.Dispute.Award.ToPayer, err = settlement.ParseAmount(in.Body.Amount); err != nil {
			return a, invalid("body.amount", "must be an amount in base units, decimal digits alone")
		}
		if a.Dispute.Award.ToPayer.IsZero() {
			return a, invalid("body.amount", "must be above zero")
		}
	case kind == jobs.ActDecide || kind == jobs.ActSplit:
		a.Dispute.Award = new(settlement.Division)
		for _, part := range []struct {
			location, text string
			to             *settlement.Amount
		}{{"body.to_payee", in.Body.ToPayee, &a.Dispute.Award.ToPayee}, {"body.to_payer", in.Body.ToPayer, &a.Dispute.Award.ToPayer}} {
			if *part.to, err = settlement.ParseAmount(part.text); err != nil {
				return a, invalid(part.location, "must be an amount in base units, decimal digits alone")
			}
		}
	case in.Body.Evidence != nil:
		a.Dispute.Evidence, err = in.Body.Evidence.evidence()
		return a, err
	}
	if in.Body.TxID == "" && in.Body.Receiver == "" {
		return a, nil
	}
	p, err := s.visible(ctx, id)
	if err != nil {
		return a, err
	}
	chain, ok := s.cfg.Runner.Chain(p.Terms.Token.Chain)
	if !ok {
		return a, problem(StateConflict, "The payment has no instructions yet, so nothing can have paid it.")
	}
	if in.Body.Receiver != "" {
		if a.Receiver, err = chain.ParseAddress(in.Body.Receiver); err != nil {
			return a, invalid("body.receiver", "must be an address on "+string(chain.ID)+": "+err.Error())
		}
		return a, nil
	}
	if a.TxID, err = chain.ParseTxID(in.Body.TxID); err != nil {
		return a, problem(TxIDMalformed, "On "+string(chain.ID)+": "+err.Error()+".")
	}
	return a, nil
}

func (s *server) acted(in *actInput, done jobs.Acted) (int, *acted, error) {
	now := done.After
	if done.Needed > 0 || in.DryRun {
		now = done.Before
	}
	b := &acted{
		Action: in.Action, PaymentID: done.After.ID.String(), DryRun: in.DryRun, Done: done.Needed == 0 && !in.DryRun,
		State: state(now.State), Version: now.Version, Becomes: state(done.After.State), ActsNext: done.After.State.Next(), ApprovalsNeeded: done.Needed,
		Because: done.Because,
	}
	if r, t, v := done.Refund, done.After.Terms.Token, s.render(); r != nil {
		b.Refund = &refund{From: v.address(t.Chain, r.From), Receiver: v.address(t.Chain, r.Receiver), Money: money(r.Amount, t)}
	}
	if done.Approval != nil {
		b.Approval = new(s.render().approval(*done.Approval))
		return http.StatusAccepted, b, nil
	}
	return http.StatusOK, b, nil
}

// happened says in a sentence what has happened to a payment since somebody looked at it.
func happened(since []store.Record) string {
	if len(since) == 0 {
		return "It never had that version."
	}
	const told = 3 // the others are in its history
	var what []string
	for _, r := range since[max(0, len(since)-told):] {
		text := strings.ReplaceAll(string(r.Kind), "_", " ")
		if r.Decision != nil {
			text += " by " + r.Decision.Name
		}
		if r.From != r.To {
			text += " (" + strings.ReplaceAll(string(r.To), "_", " ") + ")"
		}
		what = append(what, text)
	}
	if more := len(since) - len(what); more > 0 {
		what = append([]string{fmt.Sprintf("%d more", more)}, what...)
	}
	return "Since then: " + strings.Join(what, ", ") + "."
}

// approval is a request that waits, or has waited, for other people.
type approval struct {
	ApprovalID  string     `json:"approval_id" doc:"A UUIDv7." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	PaymentID   string     `json:"payment_id" example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	OrderID     string     `json:"order_id" example:"ord_4f9a"`
	Marketplace string     `json:"marketplace" example:"acme"`
	Version     int64      `json:"version" doc:"The payment's version that is decided about; with another one the request is stale." example:"4"`
	Action      action     `json:"action"`
	Reason      string     `json:"reason" doc:"Why, in the requester's words."`
	TxID        string     `json:"txid" doc:"The transaction that the action names, if any." example:""`
	Position    string     `json:"position" doc:"The position of the transfer that the action names, if any." example:""`
	Money                  // what is decided about
	ToPayee     string     `json:"to_payee" doc:"decide, split, refund of a part: base units for the payee; else empty." example:""`
	ToPayer     string     `json:"to_payer" doc:"The same for the payer." example:""`
	Chain       string     `json:"chain" doc:"CAIP-2 id of the chain." example:"eip155:8453"`
	Token       string     `json:"token" example:"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"`
	Receiver    string     `json:"receiver" doc:"Who gets or keeps the money: the payee, a vault whose terms name the payee, or the payer." example:"0x52908400098527886E0F7030069857D2E4169EE7"`
	Part        int        `json:"part" doc:"The payment's next movement; 0 where none is ours to make." example:"0"`
	Requester   string     `json:"requester" doc:"The name of who asks."`
	Origin      string     `json:"origin" doc:"The network address that the request came from." example:"192.0.2.1"`
	Needed      int        `json:"needed" doc:"How many other people must approve: two where a machine asks, or where it is in doubt whose the receiver is." example:"1"`
	Because     string     `json:"because" doc:"Why, in words." example:"no signature shows that the receiver is the payer's wallet"`
	State       string     `json:"state" enum:"pending,executed,rejected,expired,stale" doc:"stale: the payment has changed since; ask again." example:"pending"`
	Votes       []vote     `json:"votes" nullable:"false"`
	CreatedAt   time.Time  `json:"created_at"`
	ExpiresAt   time.Time  `json:"expires_at"`
	DecidedAt   *time.Time `json:"decided_at,omitempty"`
	Hash        string     `json:"hash" doc:"Over all of the above that is approved; also the ETag. Who approves names it." example:"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"`
}

// vote is what a person said to a request.
type vote struct {
	Name    string    `json:"name"`
	Approve bool      `json:"approve"`
	Reason  string    `json:"reason"`
	Origin  string    `json:"origin" example:"192.0.2.1"`
	At      time.Time `json:"at"`
}

func (v render) approval(a store.Approval) approval {
	b := approval{
		ApprovalID: a.ID.String(), PaymentID: a.Payment.String(), OrderID: a.OrderID, Marketplace: a.Marketplace, Version: a.Version,
		Action: action(a.Action), Reason: a.Reason, TxID: v.txid(a.Token.Chain, a.TxID), Position: a.Position, Money: money(a.Amount, a.Token),
		Chain: string(a.Token.Chain), Token: v.address(a.Token.Chain, a.Token.Address), Receiver: v.address(a.Token.Chain, a.Receiver), Part: int(a.Part),
		Requester: a.RequesterName, Origin: a.Origin, Needed: a.Needed, Because: a.Because, State: string(a.State), Votes: []vote{}, CreatedAt: a.CreatedAt,
		ExpiresAt: a.ExpiresAt, DecidedAt: a.DecidedAt, Hash: fmt.Sprintf("%x", a.Hash),
	}
	if a.Award != nil {
		b.ToPayee, b.ToPayer = a.Award.ToPayee.String(), a.Award.ToPayer.String()
	}
	for _, said := range a.Votes {
		b.Votes = append(b.Votes, vote{said.Name, said.Approve, said.Reason, said.Origin, said.At})
	}
	return b
}

// actProblem is the problem of an action or approval that was not done; nil for another error.
func actProblem(err error) *Problem {
	if award, ok := errors.AsType[*jobs.AwardError](err); ok {
		p := problem(ValidationFailed, "")
		p.Errors = []Fault{{Location: "body.to_payee", Message: award.Error()}, {Location: "body.to_payer", Message: award.Error()}}
		return p
	}
	if state, ok := errors.AsType[*jobs.StateError](err); ok {
		return problem(StateConflict, strings.ToUpper(state.Error()[:1])+strings.ReplaceAll(state.Error()[1:], "_", " ")+".")
	}
	if refusal, ok := errors.AsType[*jobs.RefundError](err); ok {
		return problem(Code(refusal.Refusal), strings.ToUpper(refusal.Detail[:1])+refusal.Detail[1:]+".")
	}
	if changed, ok := errors.AsType[*jobs.VersionError](err); ok {
		return problem(VersionChanged, happened(changed.Since)+" Look at it again before you decide.")
	}
	if _, ok := errors.AsType[*settlement.LookError](err); ok {
		return problem(ChainUnavailable, "It was not to be seen whether the receiver is a contract. Repeat it later.")
	}
	switch {
	case errors.Is(err, settlement.ErrInFlight):
		return problem(ReleaseInFlight, "The transaction that pays the money out is made and can no longer be stopped. Wait for it, and settle what is contested between the parties.")
	case errors.Is(err, jobs.ErrDisputed):
		return problem(StateConflict, "The payment is disputed, so nothing is released. Decide the dispute (decide), against which its parties may appeal, or end it without a decision (unfreeze).")
	case errors.Is(err, jobs.ErrStale):
		return problem(ApprovalStale, "The payment has changed since, the request has expired, or its requester was revoked. Look at the payment, and ask again.")
	case errors.Is(err, jobs.ErrRevoked):
		return problem(APIKeyInvalid, "The key or its person was revoked meanwhile; nothing was done.")
	case errors.Is(err, jobs.ErrDecided):
		return problem(ApprovalDecided, "Read the request to see what became of it.")
	case errors.Is(err, jobs.ErrOwnRequest):
		return problem(OwnRequest, "Another person has to approve or reject it.")
	case errors.Is(err, jobs.ErrOtherHash):
		return problem(ApprovalChanged, "Read the request again, and send its ETag as If-Match if you still approve.")
	case errors.Is(err, jobs.ErrNothing):
		return problem(StateConflict, "No transfer was seen for the payment yet. Attach its transaction.")
	case errors.Is(err, jobs.ErrNoVault):
		return problem(StateConflict, "settler holds nothing of this payment that it could move. The payee has the money, or somebody else holds it.")
	case errors.Is(err, jobs.ErrNobodyHolds):
		return problem(StateConflict, "The payee has the money and nobody holds it, so a decision can only say that the payee keeps the price. What came above it goes back by surplus afterwards; to give back more, end the dispute by refund.")
	case errors.Is(err, settlement.ErrNotAccepted):
		// The domain's own words: they name the action's event, the state, and what does not fit.
		text := err.Error()
		if _, after, ok := strings.Cut(text, ": "); ok {
			text = after
		}
		return problem(StateConflict, "Read the payment: "+strings.TrimSuffix(text, ": "+settlement.ErrNotAccepted.Error())+".")
	}
	return nil
}
