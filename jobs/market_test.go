package jobs_test

import (
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

type rawJSON = json.RawMessage

func jsonNumber(text string) json.Number { return json.Number(text) }

// nextChainID gives every chain of this test program a number of its own.
var nextChainID atomic.Uint64

func chainID() uint64 { return 31_000_000 + nextChainID.Add(1) }

// vendorIntent makes the order's intent as the vendor's buyer does: it copies the recommendation's rail.
func (r *rig) vendorIntent(order string, change func(*orchestration.RailDetails)) {
	r.t.Helper()
	r.intentOf(r.buyer, r.payer, order, change)
}

func (r *rig) intentOf(buyer *orchestration.Session, payer *ecdsa.PrivateKey, order string, change func(*orchestration.RailDetails)) {
	r.t.Helper()
	read, err := r.client.GetMarketOrder(r.t.Context(), order)
	if err != nil {
		r.t.Fatal(err)
	}
	rail := orchestration.RailDetails{
		Type: read.Payment.DefaultRail, Chain: read.Payment.Chain, Token: read.Payment.Token, TokenAddress: read.Payment.TokenAddress,
		PayerAddress: address(payer).Hex(), PayeeAddress: read.Payment.PayeeAddress,
	}
	if change != nil {
		change(&rail)
	}
	err = buyer.Do(r.t.Context(), func(token orchestration.Secret) error {
		_, err := r.client.CreatePaymentIntent(r.t.Context(), token, order, orchestration.PaymentIntentRequest{Rail: &rail})
		return err
	})
	if err != nil {
		r.t.Fatalf("make the buyer's intent: %v", err)
	}
}

// vendorProof posts a recorded proof, which nobody checks.
func (r *rig) vendorProof(order, hash string) {
	r.t.Helper()
	payment, err := r.client.GetMarketPayment(r.t.Context(), order)
	if err != nil || payment == nil {
		r.t.Fatalf("read payment: %v", err)
	}
	err = r.buyer.Do(r.t.Context(), func(token orchestration.Secret) error {
		_, err := r.client.SubmitPaymentProof(r.t.Context(), token, order, orchestration.PaymentProof{
			VerificationMode: orchestration.VerificationRecorded, Chain: string(r.chainID()), Token: "TUSD",
			PayerAddress: payment.Rail.PayerAddress, PayeeAddress: payment.Rail.PayeeAddress, Amount: payment.Amount.String(), TransactionHash: hash,
		})
		return err
	})
	if err != nil {
		r.t.Fatalf("post the buyer's proof: %v", err)
	}
}

// orderWith creates an order whose recommendation is changed.
func (r *rig) orderWith(change func(*orchestration.RailRecommendation)) string {
	r.t.Helper()
	order := r.order()
	r.setOrder(order, func(o *orchestration.MarketOrder) { change(&o.Payment) })
	return order
}

// setOrder changes the order at the orchestrator by hand.
func (r *rig) setOrder(order string, change func(*orchestration.MarketOrder)) {
	r.t.Helper()
	o, ok := r.market.Order(order)
	if !ok {
		r.t.Fatalf("no order %s", order)
	}
	change(&o)
	r.market.PutOrder(o)
}

// setPayment changes the payment at the orchestrator by hand.
func (r *rig) setPayment(order string, change func(*orchestration.MarketPayment)) {
	r.t.Helper()
	p, ok := r.market.Payment(order)
	if !ok {
		r.t.Fatalf("no payment of order %s", order)
	}
	change(&p)
	r.market.PutPayment(p)
}

// transfers are those seen for the payment.
func (r *rig) transfers(p settlement.Payment) []store.SeenTransfer {
	r.t.Helper()
	seen, err := store.TransfersOf(r.t.Context(), r.pool, []settlement.PaymentID{p.ID})
	if err != nil {
		r.t.Fatal(err)
	}
	return seen
}

// scanned reports whether the watcher has reached the chain's head.
func (r *rig) scanned() error {
	head, err := r.chain.Client().BlockNumber(r.t.Context())
	if err != nil {
		return err
	}
	cursor, err := r.cursor()
	if err != nil {
		return err
	}
	if cursor < head {
		return fmt.Errorf("block %d of %d", cursor, head)
	}
	return nil
}
