package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// An order whose price may come in parts, as its payer and its marketplace see it.
func TestPaymentInParts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.order("acme")
	now := time.Now().UTC().Truncate(time.Second)
	r.advance(settlement.Event{ID: "opened", Payment: id, Kind: settlement.EventOrderOpened},
		settlement.Event{ID: "ready", Payment: id, Kind: settlement.EventIntentReady, Terms: &settlement.Terms{
			Token: settlement.Token{Chain: chainID, Address: address(t, tokenHex), Symbol: "USDC", Decimals: 6},
			Payee: address(t, payeeHex), Amount: settlement.NewAmount(1_500_000), NamedPayer: address(t, payerHex), Parts: true,
			NotBefore: now.Add(-time.Minute), FromBlock: 10, Deadline: now.Add(time.Hour), Grace: 10 * time.Minute,
		}})
	path := "/v1/pay/" + r.runner.PayToken(id)
	pay := func() payBody { return into[payBody](t, r.do(http.MethodGet, path, ""), http.StatusOK) }
	b := pay()
	if in := b.Instructions; b.Received != nil || !in.Parts || in.Amount != "1500000" || !in.PayNow || !strings.Contains(in.Text, "in one transfer or several") {
		t.Errorf("nothing paid: %+v, %+v", b, b.Instructions)
	}
	first := r.sighting(txA, 600_000, settlement.AmountMismatch, settlement.Part)
	r.advance(settlement.Event{ID: "part", Payment: id, Kind: settlement.EventPaymentPart, Sighting: first})
	b = pay()
	if in := b.Instructions; b.State != "awaiting_payment" || b.Received == nil || b.Received.Amount != "600000" || in.Amount != "900000" || !in.PayNow ||
		!strings.Contains(in.PaymentURI, "uint256=900000") || !strings.HasPrefix(b.Message, "Send exactly 0.900000") || b.Transactions[0].Settles {
		t.Errorf("a part: %+v, %+v", b, b.Instructions)
	}
	// The next one is seen: nobody shall pay what may be on its way.
	second := r.sighting(txB, 900_000, settlement.AmountMismatch, settlement.Part)
	r.advance(settlement.Event{ID: "seen", Payment: id, Kind: settlement.EventTransferSeen, Sighting: second},
		settlement.Event{ID: "tiny", Payment: id, Kind: settlement.EventPaymentPart, Sighting: func() *settlement.Sighting {
			s := r.sighting("0x"+strings.Repeat("22", 32), 1, settlement.AmountMismatch, settlement.Part)
			s.Transfer.Position = "log/9"
			return s
		}()})
	if b = pay(); b.State != "awaiting_payment" || b.Instructions.PayNow || b.Instructions.PaymentURI != "" || !strings.HasPrefix(b.Message, "A part of the payment was seen") {
		t.Errorf("the next part is seen: %+v, %+v", b, b.Instructions)
	}
	third := r.sighting("0x"+strings.Repeat("33", 32), 899_999, settlement.AmountMismatch, settlement.Part)
	r.advance(settlement.Event{ID: "rest", Payment: id, Kind: settlement.EventPaymentPart, Sighting: third})
	p := into[paymentBody](t, r.get("/v1/payments/"+id.String(), r.key("acme", scopeRead)), http.StatusOK)
	if p.State != "verified" || p.Received == nil || p.Received.Amount != "1500000" || p.Instructions.Amount != "1500000" || len(p.Flags) != 0 {
		t.Errorf("all parts: %+v", p)
	}
	settled := 0
	for _, transfer := range p.Transactions {
		if transfer.Settles {
			settled++
		}
	}
	if settled != 3 {
		t.Errorf("%d transfers settle, want the three that are final", settled)
	}
}
