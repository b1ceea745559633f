package api

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// instructions tell the payer what to pay, where, from which wallet and until when.
type instructions struct {
	Text   string `json:"text" doc:"What the payer has to know now, in words." example:"Send exactly 1.500000 USDC …"`
	PayNow bool   `json:"pay_now" doc:"The payer should pay now. False once a transaction is named or seen: paying again would be paying twice."`
	Money
	Parts         bool      `json:"parts" doc:"amount may come in several transfers, and is then what is still missing of the price."`
	Chain         string    `json:"chain" doc:"CAIP-2 id of the chain." example:"eip155:8453"`
	ChainName     string    `json:"chain_name" doc:"The chain's friendly name." example:"base"`
	Token         string    `json:"token" doc:"The token's contract; empty for the chain's native coin." example:"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"`
	Payee         string    `json:"payee" doc:"The account that must receive the money." example:"0x52908400098527886E0F7030069857D2E4169EE7"`
	Payers        []string  `json:"payers" nullable:"false" doc:"The wallets whose payment counts: it must come from one of these, or name the reference. Empty: it must name the reference, or where there is none may come from any wallet." example:"[\"0x8617E340B3D01FA5F11F306F4090FD50E238070D\"]"`
	Deadline      time.Time `json:"deadline" doc:"Until when to pay."`
	AcceptedUntil time.Time `json:"accepted_until" doc:"A payment in a block up to this time still counts; a later one is decided by a person."`
	Finality      string    `json:"finality" doc:"When a payment of this price counts: the chain's rule for it." example:"depth 12"`
	Reference     string    `json:"reference" doc:"On Solana: the key that the transfer's instruction must name, which makes the payment this order's whoever sends it. Else empty." example:""`
	Memo          string    `json:"memo" doc:"On Solana: a memo for the payment, for people; nothing depends on it. Else empty." example:""`
	ProofText     string    `json:"proof_text" doc:"What a wallet signs to prove that its transaction pays this payment, with the transaction's id in place of {txid}. Needed when it is none of payers, or when several orders fit." example:"settler: my transaction pays this payment.\nPayment: 019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11\nChain: eip155:8453\nTransaction: {txid}"`
	PaymentURI    string    `json:"payment_uri" doc:"For wallets, while a payment is asked for, else empty: EIP-681 on EVM chains, Solana Pay on Solana." example:"ethereum:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913@8453/transfer?address=0x52908400098527886E0F7030069857D2E4169EE7&uint256=1500000"`
	QRURL         string    `json:"qr_url" doc:"payment_uri as a QR code, an SVG image; empty when that is." example:"https://settler.example/v1/pay/Zm9vYmFyYmF6cXV4MTIzNA/qr.svg"`
}

func (v render) instructions(p settlement.Payment) *instructions {
	t := p.Terms
	if t.Payee == "" {
		return nil
	}
	chain, ok := v.s.cfg.Runner.Chain(t.Token.Chain)
	in := &instructions{
		PayNow: p.State == settlement.StateAwaitingPayment && !v.now.After(t.Deadline),
		Money:  money(t.Amount, t.Token), Parts: t.Parts, Chain: string(t.Token.Chain), ChainName: string(t.Token.Chain),
		Token: v.address(t.Token.Chain, t.Token.Address), Payee: v.address(t.Token.Chain, t.Payee),
		Deadline: t.Deadline, AcceptedUntil: t.Deadline.Add(t.Grace), ProofText: settlement.ProofText(p.ID, t.Token.Chain, "{txid}"),
	}
	if t.Parts && !p.Settled() {
		in.Money = money(p.Missing(), t.Token)
	}
	if ok {
		in.Finality = string(chain.Rule(t.Token.Address, t.Amount).Finality)
	}
	if len(chain.Aliases) > 0 {
		in.ChainName = chain.Aliases[0]
	}
	for _, payer := range t.Payers() {
		in.Payers = append(in.Payers, v.address(t.Token.Chain, payer))
	}
	if t.Reference != "" {
		in.Reference, in.Memo = v.address(t.Token.Chain, t.Reference), p.ID.String()
	}
	// In every other state a wallet that opens the link would pay twice, or for nothing.
	payable := p.State == settlement.StateAwaitingPayment || p.State == settlement.StateVerifying
	if payable && !v.now.After(in.AcceptedUntil) {
		in.PaymentURI = in.paymentURI(t.Token.Chain)
		in.QRURL = v.s.payURL(p.ID) + "/qr.svg"
	}
	in.Text = v.payerText(p, in)
	return in
}

// paymentURI is what wallets read as a link or a QR code.
//
// Source: EIP-681; the transfer request of the Solana Pay specification, whose amount is in major units.
func (in *instructions) paymentURI(chain settlement.ChainID) string {
	switch {
	case chain.Namespace() == "solana":
		query := "?amount=" + in.AmountMajor
		if in.Token != "" {
			query += "&spl-token=" + in.Token
		}
		if in.Reference != "" { // a payee of this order alone needs none
			query += "&reference=" + in.Reference + "&memo=" + url.QueryEscape(in.Memo)
		}
		return "solana:" + in.Payee + query
	case in.Token == "":
		return fmt.Sprintf("ethereum:%s@%s?value=%s", in.Payee, chain.Reference(), in.Amount)
	}
	return fmt.Sprintf("ethereum:%s@%s/transfer?address=%s&uint256=%s", in.Token, chain.Reference(), in.Payee, in.Amount)
}

// payerText says what the payer has to know in the payment's state. in is nil while there are no terms.
func (v render) payerText(p settlement.Payment, in *instructions) string {
	switch p.State {
	case settlement.StateNew:
		return "The payment is being prepared. Do not pay yet."
	case settlement.StateAwaitingPayment:
		if in.PayNow {
			return in.send()
		}
		return fmt.Sprintf("The time to pay ended at %s. A payment that is in a block by %s still counts; do not start one later.",
			clock(in.Deadline), clock(in.AcceptedUntil))
	case settlement.StateVerifying:
		return "A transaction was named and is being looked at. Do not pay again unless you know that it is not yours."
	case settlement.StateConfirming:
		return "A payment was seen and waits until it is final (" + cmp.Or(in.Finality, "the chain's rule") + "). Do not pay again."
	case settlement.StateVerified, settlement.StateHeld, settlement.StateReleasePending, settlement.StateReleased:
		return "Paid. Do not pay again."
	case settlement.StateExpired:
		return "Not paid in time. Do not pay any more; ask the marketplace."
	case settlement.StateNeedsReview:
		return "A person has to look at this. Do not pay until the marketplace says so."
	case settlement.StateFrozen:
		return "The order is disputed. Do not pay."
	case settlement.StateRefundPending, settlement.StateRefunded:
		return "The payment goes back to the payer. Do not pay."
	case settlement.StateSplitPending, settlement.StateSplit:
		return "The payment is divided between payer and payee. Do not pay."
	case settlement.StateClosed:
		return "The order is closed. Do not pay."
	}
	return "Do not pay." // no other state exists
}

func (in *instructions) send() string {
	what := fmt.Sprintf("Send exactly %s %s", in.AmountMajor, in.Symbol)
	if in.Token != "" {
		what += " (token " + in.Token + ")"
	} else {
		what += " (the chain's own coin)"
	}
	where := in.Chain
	if in.ChainName != in.Chain {
		where = in.ChainName + " (" + in.Chain + ")"
	}
	var from []string
	if len(in.Payers) > 0 {
		from = append(from, "from "+strings.Join(in.Payers, " or "))
	}
	if in.Reference != "" {
		from = append(from, "with the reference "+in.Reference)
	}
	if len(from) == 0 {
		from = append(from, "from any wallet")
	}
	how := "in one transfer"
	if in.Parts {
		how = "in one transfer or several"
	}
	return fmt.Sprintf("%s on %s to %s %s by %s, %s. It is found by itself; naming the transaction makes it no faster than its block.",
		what, where, in.Payee, strings.Join(from, ", or "), clock(in.Deadline), how)
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
