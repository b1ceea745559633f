package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

type approvalsInput struct {
	Marketplace string `query:"marketplace" maxLength:"255" doc:"Only of this marketplace; of use with keys of all marketplaces." example:"acme"`
	PaymentID   string `query:"payment_id" maxLength:"64" doc:"Every request about this payment, also those that wait no more." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	Limit       int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many at most."`
	Cursor      string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`
}

type approvalsOutput struct{ Body approvalPage }

type approvalPage struct {
	Items      []approval `json:"items" nullable:"false" doc:"Longest waiting first."`
	NextCursor *string    `json:"next_cursor,omitempty" doc:"Ask for the next page with it; absent on the last one." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
}

type approvalInput struct {
	ApprovalID string `path:"approval_id" maxLength:"64" example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
}

type approvalOutput struct {
	ETag string `header:"ETag" doc:"The request's hash."`
	Body approval
}

type voteInput struct {
	ApprovalID string `path:"approval_id" maxLength:"64" example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	Vote       string `path:"vote" enum:"approve,reject"`
	IfMatch    string `header:"If-Match" maxLength:"128" doc:"The hash of the request that was looked at, as its ETag says it."`
	Body       voteBody
}

type voteBody struct {
	Reason reason `json:"reason,omitempty" maxLength:"1000" doc:"Why; a rejection needs it."`
}

func (s *server) registerApprovals() {
	register(s, s.secured(huma.Operation{
		OperationID: "list-approvals", Method: http.MethodGet, Path: "/v1/admin/approvals", Tags: []string{"Admin"},
		Summary: "What waits for approval", Description: "Pending requests, longest waiting first. Those that have expired, or whose payment has changed, wait no more; with payment_id they are listed too.",
	}, scopeRead), []Code{MarketplaceForbidden, ValidationFailed}, s.handleListApprovals)
	register(s, s.secured(huma.Operation{
		OperationID: "get-approval", Method: http.MethodGet, Path: "/v1/admin/approvals/{approval_id}", Tags: []string{"Admin"},
		Summary: "A request for approval", Description: "What was asked for, by whom, and what other people have said.",
	}, scopeRead), []Code{NotFound, ValidationFailed}, s.handleGetApproval)
	register(s, s.secured(huma.Operation{
		OperationID: "vote", Method: http.MethodPost, Path: "/v1/admin/approvals/{approval_id}/{vote}", Tags: []string{"Admin"},
		Summary: "Approve or reject", Description: "By a person who has signed in, and is not the requester. With the last approval that is needed the action is done. " +
			"Repeating one's vote changes nothing.",
		MaxBodyBytes: maxAction,
	}, scopeAdmin), []Code{
		RequestMalformed, NotFound, RequestTimeout, StateConflict, BodyTooLarge, MediaTypeUnsupported, ValidationFailed, VersionRequired, ApprovalChanged,
		ApprovalStale, ApprovalDecided, OwnRequest, PersonRequired,
	}, s.handleVote)
}

func (s *server) handleListApprovals(ctx context.Context, in *approvalsInput) (*approvalsOutput, error) {
	marketplace, err := marketplaceOf(ctx, in.Marketplace)
	if err != nil {
		return nil, err
	}
	var after settlement.PaymentID
	if in.Cursor != "" {
		if after, err = settlement.ParsePaymentID(in.Cursor); err != nil {
			return nil, invalid("query.cursor", "must be next_cursor of the page before")
		}
	}
	out := &approvalsOutput{approvalPage{Items: []approval{}}}
	if !plain(marketplace) {
		return out, nil
	}
	filter := store.ApprovalFilter{Marketplace: marketplace, After: after, Limit: in.Limit + 1, Now: s.cfg.Now().UTC()}
	if in.PaymentID != "" {
		if filter.Payment, err = settlement.ParsePaymentID(in.PaymentID); err != nil {
			return nil, invalid("query.payment_id", "must be a UUID")
		}
	}
	pending, err := store.ListApprovals(ctx, s.cfg.Pool, filter)
	if err != nil {
		return nil, err
	}
	if len(pending) > in.Limit {
		pending = pending[:in.Limit]
		out.Body.NextCursor = new(pending[in.Limit-1].ID.String())
	}
	v := s.render()
	for _, a := range pending {
		out.Body.Items = append(out.Body.Items, v.approval(a))
	}
	return out, nil
}

func (s *server) handleGetApproval(ctx context.Context, in *approvalInput) (*approvalOutput, error) {
	id, err := settlement.ParsePaymentID(in.ApprovalID)
	if err != nil {
		return nil, problem(NotFound, "")
	}
	a, err := store.ReadApproval(ctx, s.cfg.Pool, id, s.cfg.Now().UTC())
	if err != nil {
		return nil, err
	}
	if own := caller(ctx).Marketplace; own != "" && own != a.Marketplace {
		return nil, problem(NotFound, "")
	}
	return s.approvalOutput(a), nil
}

func (s *server) approvalOutput(a store.Approval) *approvalOutput {
	b := s.render().approval(a)
	return &approvalOutput{ETag: `"` + b.Hash + `"`, Body: b}
}

func (s *server) handleVote(ctx context.Context, in *voteInput) (*approvalOutput, error) {
	if !s.mayApprove(caller(ctx)) {
		return nil, problem(PersonRequired, "A machine approves nothing, and a person approves after signing in with the issuer, not with a key.")
	}
	id, err := settlement.ParsePaymentID(in.ApprovalID)
	if err != nil {
		return nil, problem(NotFound, "")
	}
	if in.IfMatch == "" {
		return nil, problem(VersionRequired, "Send If-Match with the hash of the request that you have looked at; its answer has it as ETag.")
	}
	if in.Vote == "reject" && in.Body.Reason == "" {
		return nil, invalid("body.reason", "is needed to reject")
	}
	verdict := jobs.Verdict{Approval: id, Approve: in.Vote == "approve", By: by(ctx), Reason: string(in.Body.Reason)}
	raw, err := hex.DecodeString(strings.Trim(in.IfMatch, `"`))
	if err != nil || copy(verdict.Hash[:], raw) != len(verdict.Hash) {
		return nil, invalid("header.If-Match", "must be the hash of a request")
	}
	a, err := s.cfg.Runner.Decide(ctx, verdict)
	if err != nil {
		return nil, err
	}
	return s.approvalOutput(a), nil
}
