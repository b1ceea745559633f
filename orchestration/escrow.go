package orchestration

import (
	"context"
	"net/http"
)

// LockEscrowPaymentRequest names the deposit: all of it is required. It carries
// neither amount nor token nor payer.
type LockEscrowPaymentRequest struct {
	TransactionHash string `json:"transactionHash"`
	Chain           string `json:"chain"` // CAIP-2
	EscrowAddress   string `json:"escrowAddress"`
}

// LockEscrowPayment records a deposit; the payment becomes held. Nothing suggests
// that the server looks at the chain. It fails with CodeNotFound, CodeOrderClosed,
// CodeValidation.
//
// After an Unknown outcome send it again: a payment that is held stays as it is.
func (c *Client) LockEscrowPayment(ctx context.Context, token Secret, orderID string, req LockEscrowPaymentRequest) (MarketPayment, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/payment/escrow-lock", orderID).as(token).
		need("transaction_hash", req.TransactionHash).need("chain", req.Chain).need("escrow_address", req.EscrowAddress).with(req)
	return send(ctx, c, r, item[MarketPayment])
}

// ReleasePaymentRequest says how the payee was paid; all of it may be left out.
type ReleasePaymentRequest struct {
	TransactionHash string `json:"transactionHash,omitempty"`
	Notes           string `json:"notes,omitempty"`
}

// ReleasePayment says that the payee has the money: release_pending becomes
// released, any other status is an error. It moves no money. A nil request is
// sent without a body, as the vendor's SDK does.
//
// After an Unknown outcome read GetMarketPayment: its status is released.
func (c *Client) ReleasePayment(ctx context.Context, token Secret, orderID string, req *ReleasePaymentRequest) (MarketPayment, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/payment/release", orderID).as(token)
	if req != nil {
		r = r.with(req)
	}
	return send(ctx, c, r, item[MarketPayment])
}

// RefundPaymentRequest says how the payer got the money back; all of it may be
// left out.
type RefundPaymentRequest struct {
	TransactionHash string `json:"transactionHash,omitempty"`
	Reason          string `json:"reason,omitempty"`
}

// RefundPayment says that the payer has the money back; the payment becomes
// refunded. It moves no money. From which statuses it may be called is not
// stated; held and frozen are likely. A nil request is sent without a body.
//
// After an Unknown outcome read GetMarketPayment: its status is refunded.
func (c *Client) RefundPayment(ctx context.Context, token Secret, orderID string, req *RefundPaymentRequest) (MarketPayment, error) {
	r := write(http.MethodPost, "/market/orders/{order_id}/payment/refund", orderID).as(token)
	if req != nil {
		r = r.with(req)
	}
	return send(ctx, c, r, item[MarketPayment])
}
