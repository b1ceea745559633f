package jobs

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// claimedPayment is what the orchestrator says of a payment that it takes for paid where we do not, or whose money is by its
// books elsewhere than by ours. Somebody else's proof that stands there, perhaps recorded and never checked, is a hint where to
// look, and a contradiction when nothing is there.
type claimedPayment struct {
	payment orchestration.MarketPayment
	ours    settlement.Payment // as it was before theirs was read
	chain   Chain
}

// readClaims reads the orchestrator's payments of those orders that are paid there and open here, and of those that are settled
// here: one more call each.
func (r *Runner) readClaims(ctx, calls context.Context, read []readOrder, place map[[2]string]int) error {
	var marketplaces, orders []string
	for key, i := range place {
		if read[i].err == nil && !read[i].late {
			marketplaces, orders = append(marketplaces, key[0]), append(orders, key[1])
		}
	}
	if len(orders) == 0 {
		return nil
	}
	recorded, err := store.PaymentsOfOrders(ctx, r.cfg.Pool, marketplaces, orders)
	if err != nil || len(recorded) == 0 {
		return err
	}
	ids := make([]settlement.PaymentID, 0, len(recorded))
	for _, id := range recorded {
		ids = append(ids, id)
	}
	payments, err := store.Payments(ctx, r.cfg.Pool, ids)
	if err != nil {
		return err
	}
	var group errgroup.Group
	group.SetLimit(maxCalls)
	for _, p := range payments {
		m, i := r.marketplaces[p.Marketplace], place[[2]string{p.Marketplace, p.OrderID}]
		chain, ok := r.chains[p.Terms.Token.Chain]
		unpaid := p.State.Open() && !p.Settled() && paidThere(read[i].order.Status) // an intent that is still to be made looks for itself
		if !ok || !unpaid && !comparable(p) {
			continue
		}
		group.Go(func() error {
			payment, err := readPayment(calls, m.Client, p.OrderID)
			switch {
			case err != nil:
				read[i].err = fmt.Errorf("read the payment of an order that is %s: %w", read[i].order.Status, err)
			case payment != nil && (!unpaid || heldThere(string(payment.Status))):
				read[i].claimed = &claimedPayment{payment: *payment, ours: p, chain: chain}
			}
			return nil
		})
	}
	_ = group.Wait() // errors are kept with their order
	return nil
}

// readPayment reads the orchestrator's payment of an order; nil when it has none. What it says of another order is not
// believed of this one.
func readPayment(ctx context.Context, client *orchestration.Client, orderID string) (*orchestration.MarketPayment, error) {
	payment, err := client.GetMarketPayment(ctx, orderID)
	if err == nil && payment != nil {
		err = ofOrder(*payment, orderID)
	}
	if err != nil {
		return nil, err
	}
	return payment, nil
}

func ofOrder(payment orchestration.MarketPayment, orderID string) error {
	if payment.OrderID != orderID {
		return fmt.Errorf("asked for the payment of order %s, the orchestrator answers that of %s", orderID, plainText(payment.OrderID))
	}
	return nil
}

// events of nothing claimed are none.
func (c *claimedPayment) events(id settlement.PaymentID) []settlement.Event {
	if c == nil {
		return nil
	}
	status := string(c.payment.Status)
	if c.ours.Settled() {
		ours := c.contradicts()
		if ours == "" {
			return nil
		}
		return []settlement.Event{{
			ID: fmt.Sprintf("platform_differs/%d", c.ours.Version), Payment: id, Kind: settlement.EventPlatformDiffers, Version: c.ours.Version,
			Reason: PlatformDiffers, Platform: status, Detail: fmt.Sprintf("the orchestrator's payment is %s; on the chain %s", status, ours),
		}}
	}
	if hint, ok := hinted(id, c.chain, c.payment); ok {
		return []settlement.Event{hint}
	}
	return []settlement.Event{{
		ID: "platform_differs/" + status, Payment: id, Kind: settlement.EventPlatformDiffers, Reason: PlatformDiffers, Platform: status,
		Detail: fmt.Sprintf("the orchestrator's payment is %s and names no transaction; we have seen no payment", status),
	}}
}

// comparable reports whether the orchestrator's books of the settled payment can contradict the chain: it was told of it, and we
// know where the money is.
func comparable(p settlement.Payment) bool {
	return p.Settled() && !p.Observed && p.Terms.Custody != settlement.CustodyNone && p.State != settlement.StateVerified && p.State != settlement.StateClosed
}

// contradicts says where the money of a settled payment is on the chain when the orchestrator's books have it elsewhere, and is
// empty when they agree. While the chain is ahead and we are still to tell it, they agree. A payment that is frozen there is a
// dispute, which is an event of its own.
func (c *claimedPayment) contradicts() string {
	p, there := c.ours, c.payment.Status
	if p.State == settlement.StateNeedsReview && p.Reason == PlatformDiffers && p.Platform == string(there) {
		return "" // a person has it already
	}
	ours := fmt.Sprintf("the money was moved by %s", c.chain.FormatTxID(p.PaidOut))
	moved := p.Payout // what the money was moved for
	switch {
	case p.PaidOut != "":
	case p.Terms.Custody == settlement.CustodyVault:
		ours, moved = fmt.Sprintf("nothing has left vault %s for good", c.chain.FormatAddress(p.Terms.Payee)), ""
	default:
		ours, moved = fmt.Sprintf("the payee was paid by %s", c.chain.FormatTxID(p.PaidBy)), settlement.PayoutRelease
	}
	agrees := true
	switch there {
	case orchestration.PaymentReleased:
		agrees = moved == settlement.PayoutRelease || moved == settlement.PayoutSplit
	case orchestration.PaymentRefunded:
		agrees = moved == settlement.PayoutRefund || moved == settlement.PayoutSplit
	case orchestration.PaymentHeld, orchestration.PaymentReleasePending:
		agrees = !p.State.Final() // it has known better
	}
	if agrees {
		return ""
	}
	return ours
}

// hinted names the transaction of somebody's proof, if it is one of the chain.
func hinted(id settlement.PaymentID, chain Chain, payment orchestration.MarketPayment) (settlement.Event, bool) {
	txid, err := chain.ParseTxID(provenBy(payment.Proof))
	if err != nil {
		return settlement.Event{}, false
	}
	return settlement.Event{
		ID: "hinted/" + txid.String(), Payment: id, Kind: settlement.EventTransactionNamed, TxID: txid, Platform: string(payment.Status),
		Detail: "named by the proof that the orchestrator holds",
	}, true
}

// paidThere reports whether an order in this status has been paid, as far as the orchestrator knows.
func paidThere(s orchestration.OrderStatus) bool {
	switch s {
	case orchestration.OrderReady, orchestration.OrderExecuting, orchestration.OrderDelivered, orchestration.OrderConfirmed,
		orchestration.OrderDisputed, orchestration.OrderHandoff:
		return true
	}
	return false
}

// heldThere reports whether the orchestrator's payment counts as paid there.
func heldThere(platform string) bool {
	switch orchestration.PaymentStatus(platform) {
	case orchestration.PaymentHeld, orchestration.PaymentReleasePending, orchestration.PaymentReleased, orchestration.PaymentFrozen:
		return true
	}
	return false
}
