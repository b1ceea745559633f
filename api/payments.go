package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

type orderInput struct {
	OrderID     string `path:"order_id" maxLength:"255" doc:"The marketplace's order." example:"ord_4f9a"`
	Marketplace string `query:"marketplace" maxLength:"255" doc:"Only for keys of all marketplaces, and then required: an order id is unique within a marketplace." example:"acme"`
}

type paymentInput struct {
	PaymentID string `path:"payment_id" maxLength:"64" doc:"Our id of the payment." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
}

type paymentOutput struct {
	ETag string `header:"ETag" doc:"The payment's version, for If-Match."`
	Body paymentBody
}

type listInput struct {
	Marketplace string `query:"marketplace" maxLength:"255" doc:"Only payments of this marketplace; of use with keys of all marketplaces." example:"acme"`
	State       state  `query:"state" doc:"Only payments in this state."`
	Flag        flag   `query:"flag" doc:"Only payments that carry this flag."`
	OrderID     string `query:"order_id" maxLength:"255" doc:"Only the payment of this order." example:"ord_4f9a"`
	Limit       int    `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many payments at most."`
	Cursor      string `query:"cursor" maxLength:"64" doc:"next_cursor of the page before."`
}

type listOutput struct{ Body paymentList }

type paymentList struct {
	Items      []PaymentSummary `json:"items" nullable:"false" doc:"Oldest first."`
	NextCursor *string          `json:"next_cursor,omitempty" doc:"Ask for the next page with it; absent on the last one." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
}

func (s *server) registerPayments() {
	register(s, s.secured(huma.Operation{
		OperationID: "get-order", Method: http.MethodGet, Path: "/v1/orders/{order_id}", Tags: []string{"Payments"},
		Summary: "The payment of an order", Description: "Everything about the payment that settles the order. An order that settler has not read yet is NOT_FOUND.",
	}, scopeRead), []Code{MarketplaceForbidden, NotFound, ValidationFailed, MarketplaceRequired}, s.handleGetOrder)
	register(s, s.secured(huma.Operation{
		OperationID: "get-payment", Method: http.MethodGet, Path: "/v1/payments/{payment_id}", Tags: []string{"Payments"},
		Summary: "A payment", Description: "Its state and who acts next, instructions, the transfers seen with verdicts and evidence, and its history.",
	}, scopeRead), []Code{NotFound, ValidationFailed}, s.handleGetPayment)
	register(s, s.secured(huma.Operation{
		OperationID: "list-payments", Method: http.MethodGet, Path: "/v1/payments", Tags: []string{"Payments"},
		Summary: "Payments", Description: "In the order in which they were recorded, oldest first. Filters narrow each other. For watching changes " +
			"ask for a state again rather than for the end of the list: of payments recorded in the same moment one may appear before the other's cursor.",
	}, scopeRead), []Code{MarketplaceForbidden, ValidationFailed}, s.handleListPayments)
}

func (s *server) handleGetOrder(ctx context.Context, in *orderInput) (*paymentOutput, error) {
	marketplace, err := marketplaceOf(ctx, in.Marketplace)
	if err != nil {
		return nil, err
	}
	if marketplace == "" {
		return nil, problem(MarketplaceRequired, "This key reaches all marketplaces: add ?marketplace= to say whose order it is.")
	}
	if !jobs.PlainID(in.OrderID) || !jobs.PlainID(marketplace) {
		return nil, problem(NotFound, "")
	}
	ids, err := store.PaymentsOfOrders(ctx, s.cfg.Pool, []string{marketplace}, []string{in.OrderID})
	if err != nil {
		return nil, err
	}
	id, ok := ids[[2]string{marketplace, in.OrderID}]
	if !ok {
		return nil, problem(NotFound, "")
	}
	return s.payment(ctx, id)
}

func (s *server) handleGetPayment(ctx context.Context, in *paymentInput) (*paymentOutput, error) {
	id, err := settlement.ParsePaymentID(in.PaymentID)
	if err != nil {
		return nil, problem(NotFound, "")
	}
	return s.payment(ctx, id)
}

// payment reads everything about a payment that the caller may see. The rows are read one after the other: a change in
// between shows in the later ones, and the version says so.
func (s *server) payment(ctx context.Context, id settlement.PaymentID) (*paymentOutput, error) {
	p, err := s.visible(ctx, id)
	if err != nil {
		return nil, err
	}
	about, err := jobs.ReadSubject(ctx, s.cfg.Pool, p)
	if err != nil {
		return nil, err
	}
	movements, err := store.MovementsOf(ctx, s.cfg.Pool, []settlement.PaymentID{id})
	if err != nil {
		return nil, err
	}
	records, err := store.History(ctx, s.cfg.Pool, id)
	if err != nil {
		return nil, err
	}
	proofs, err := store.PayerProofs(ctx, s.cfg.Pool, p)
	if err != nil {
		return nil, err
	}
	statements, err := store.Statements(ctx, s.cfg.Pool, id)
	if err != nil {
		return nil, err
	}
	approvals, err := store.ListApprovals(ctx, s.cfg.Pool, store.ApprovalFilter{Payment: id, Limit: 100, Now: s.cfg.Now().UTC()})
	if err != nil {
		return nil, err
	}
	v, err := s.renderWith(ctx, p)
	if err != nil {
		return nil, err
	}
	body := v.payment(about, movements, proofs, records, statements, approvals)
	body.Actions = slices.DeleteFunc(body.Actions, func(a action) bool { return !mayAct(caller(ctx), jobs.ActionKind(a)) })
	return &paymentOutput{ETag: strconv.Quote(strconv.FormatInt(p.Version, 10)), Body: body}, nil
}

// visible reads a payment; that of another marketplace than the key's is not found, like one that does not exist.
func (s *server) visible(ctx context.Context, id settlement.PaymentID) (settlement.Payment, error) {
	p, err := s.read(ctx, id)
	if own := caller(ctx).Marketplace; err == nil && own != "" && own != p.Marketplace {
		err = fmt.Errorf("payment %s is not of %s: %w", id, own, store.ErrNotFound)
	}
	return p, err
}

// read returns store.ErrNotFound, wrapped, for a payment that does not exist.
func (s *server) read(ctx context.Context, id settlement.PaymentID) (settlement.Payment, error) {
	payments, err := store.Payments(ctx, s.cfg.Pool, []settlement.PaymentID{id})
	if err == nil && len(payments) == 0 {
		err = fmt.Errorf("payment %s: %w", id, store.ErrNotFound)
	}
	if err != nil {
		return settlement.Payment{}, err
	}
	return payments[0], nil
}

func (s *server) handleListPayments(ctx context.Context, in *listInput) (*listOutput, error) {
	marketplace, err := marketplaceOf(ctx, in.Marketplace)
	if err != nil {
		return nil, err
	}
	filter := store.PaymentFilter{
		Marketplace: marketplace, State: settlement.State(in.State), Flag: settlement.Flag(in.Flag), OrderID: in.OrderID,
		Limit: in.Limit + 1, // one more tells whether there is a next page
	}
	if in.Cursor != "" {
		if filter.After, err = settlement.ParsePaymentID(in.Cursor); err != nil {
			return nil, invalid("query.cursor", "must be next_cursor of the page before")
		}
	}
	out := &listOutput{paymentList{Items: []PaymentSummary{}}}
	if !plain(marketplace, in.OrderID) {
		return out, nil
	}
	payments, err := store.ListPayments(ctx, s.cfg.Pool, filter)
	if err != nil {
		return nil, err
	}
	if len(payments) > in.Limit {
		payments = payments[:in.Limit]
		out.Body.NextCursor = new(payments[in.Limit-1].ID.String())
	}
	v := s.render()
	for _, p := range payments {
		out.Body.Items = append(out.Body.Items, v.summary(p))
	}
	return out, nil
}
