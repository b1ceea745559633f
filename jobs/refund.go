package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// RefundRefusal says why a refund is not even asked for. Codes are stable.
type RefundRefusal string

// What refuses a refund.
const (
	RefundWalletMissing   RefundRefusal = "REFUND_WALLET_MISSING"   // the configuration names no wallet to pay it from
	RefundReceiverMissing RefundRefusal = "REFUND_RECEIVER_MISSING" // no proven wallet of the payer is known, or several are: somebody must be named
	RefundReceiverRefused RefundRefusal = "REFUND_RECEIVER_REFUSED" // nobody's refund goes there
)

// RefundError is the error of a refund that is refused as it was asked for.
type RefundError struct {
	Refusal RefundRefusal
	Detail  string // what to do, for people
}

func (e *RefundError) Error() string { return string(e.Refusal) + ": " + e.Detail }

// Refund is what an action gives back, or would.
type Refund struct {
	From     settlement.Address // the vault, or the operator's wallet
	Receiver settlement.Address
	Amount   settlement.Amount
}

// recipient is who gets a refund, as far as one must look before the action's transaction.
type recipient struct {
	receiver settlement.Address
	doubt    string // why two other people must approve whatever the amount; empty where the receiver is a wallet of the payer
	err      error
}

// recipientOf finds out who gets the refund that the action asks for, and what is known of him. What speaks against it is told once the
// action is not a repeat, and is about the payment as it was looked at.
func (r *Runner) recipientOf(ctx context.Context, a Action) recipient {
	payments, err := store.Payments(ctx, r.cfg.Pool, []settlement.PaymentID{a.Payment})
	if err != nil || len(payments) == 0 || a.By.Marketplace != "" && payments[0].Marketplace != a.By.Marketplace {
		return recipient{err: err} // not found, as the action says
	}
	p := payments[0]
	switch {
	case p.Terms.Custody == settlement.CustodyVault:
		if a.Receiver != "" && a.Receiver != p.Terms.ProvenPayer {
			return recipient{err: &RefundError{RefundReceiverRefused, "a vault pays back the payer of its terms and nobody else: leave the receiver out"}}
		}
		return recipient{receiver: p.Terms.ProvenPayer}
	case p.Terms.Payee == "" || p.Terms.Custody != "" || p.PaidOut != "" && a.Kind == ActRefund: // nothing is to be moved
		return recipient{}
	}
	chain, err := r.refundsOf(p)
	if err != nil {
		return recipient{err: err}
	}
	proven, usual, err := r.payersWallets(ctx, p)
	if err != nil {
		return recipient{err: err}
	}
	to := recipient{receiver: a.Receiver}
	if to.receiver == "" {
		if usual == "" {
			return recipient{err: &RefundError{RefundReceiverMissing, receiverMissing(chain, proven)}}
		}
		to.receiver = usual
	}
	if why, err := r.noReceiver(ctx, chain, p, to.receiver); err != nil || why != "" {
		return recipient{err: errors.Join(err, refusedReceiver(chain, to.receiver, why))}
	}
	switch code, err := chain.Refunds.HasCode(ctx, to.receiver); {
	case err != nil:
		return recipient{err: err}
	case !slices.Contains(proven, to.receiver):
		to.doubt = "no signature shows that the receiver is the payer's wallet"
	case code:
		to.doubt = "the receiver is a contract, which may keep what it gets"
	}
	return to
}

func receiverMissing(chain Chain, proven []settlement.Address) string {
	if len(proven) == 0 {
		return "no signature shows a wallet of the payer: name the receiver; two other people must approve"
	}
	names := make([]string, len(proven))
	for i, wallet := range proven {
		names[i] = chain.FormatAddress(wallet)
	}
	return "several wallets have paid and are proven to be the payer's: name one of " + strings.Join(names, ", ")
}

func refusedReceiver(chain Chain, receiver settlement.Address, why string) error {
	if why == "" {
		return nil
	}
	return &RefundError{RefundReceiverRefused, fmt.Sprintf("%s %s: name a wallet of the payer", chain.FormatAddress(receiver), why)}
}

// refundsOf is the chain of a direct payment with the wallet that its refunds come from.
func (r *Runner) refundsOf(p settlement.Payment) (Chain, error) {
	chain, ok := r.chains[p.Terms.Token.Chain]
	if ok && chain.Refunds != nil {
		return chain, nil
	}
	if ok && chain.Accounts != nil {
		return chain, &RefundError{RefundWalletMissing, fmt.Sprintf("set refunds.key_file of the chain %s in the configuration (chains[].refunds) to the wallet that direct payments are given back from", chain.ID)}
	}
	return chain, &RefundError{RefundWalletMissing, fmt.Sprintf("set refunds.signer of the chain %s in the configuration (chains[].refunds.signer) to the wallet that direct payments are given back from", p.Terms.Token.Chain)}
}

// payersWallets are the wallets that are proven to be the payer's: those that have sent what counts and signed for it, and the one that
// signed the pairing. The usual one is empty where they do not agree: then nobody guesses.
func (r *Runner) payersWallets(ctx context.Context, p settlement.Payment) (proven []settlement.Address, usual settlement.Address, err error) {
	transfers, err := store.TransfersOf(ctx, r.cfg.Pool, []settlement.PaymentID{p.ID})
	if err != nil {
		return nil, "", err
	}
	proofs, err := store.PayerProofs(ctx, r.cfg.Pool, p)
	if err != nil {
		return nil, "", err
	}
	for _, t := range transfers {
		sender := t.Sighting.Transfer.Payer
		signed := slices.ContainsFunc(proofs, func(f store.PayerProof) bool { return f.TxID == t.Sighting.TxID && f.Signer == sender })
		if t.Consumed && (signed || sender == p.Terms.ProvenPayer) && !slices.Contains(proven, sender) {
			proven = append(proven, sender)
		}
	}
	switch pairing := p.Terms.ProvenPayer; {
	case len(proven) == 1:
		usual = proven[0]
	case len(proven) == 0:
		usual = pairing
	}
	if pairing := p.Terms.ProvenPayer; pairing != "" && !slices.Contains(proven, pairing) {
		proven = append(proven, pairing)
	}
	return proven, usual, nil
}

// noReceiver says of an account why no refund goes there; empty where one may.
func (r *Runner) noReceiver(ctx context.Context, chain Chain, p settlement.Payment, receiver settlement.Address) (string, error) {
	switch {
	case receiver == p.Terms.Payee:
		return "is the payee's", nil
	case receiver == chain.Refunds.Mover.Signer():
		return "is the wallet that refunds come from", nil
	case strings.Trim(string(receiver), "\x00") == "":
		return "is nobody's", nil
	case slices.ContainsFunc(chain.Tokens, func(t settlement.Token) bool { return t.Address == receiver }):
		return "is a token's contract", nil
	}
	if chain.CheckPayee != nil {
		switch problem, err := chain.CheckPayee(ctx, receiver); {
		case err != nil:
			return "", err
		case problem != "":
			return "is no wallet (" + problem + ")", nil
		}
	}
	_, err := store.VaultAt(ctx, r.cfg.Pool, chain.ID, receiver)
	switch {
	case err == nil:
		return "is the vault of an order", nil
	case errors.Is(err, store.ErrNotFound):
		return "", nil
	}
	return "", err
}

// refundPlan is what the refund gives back of what is held now.
func (r *Runner) refundPlan(a Action, p settlement.Payment, receiver settlement.Address, h settlement.Held) *Refund {
	plan := &Refund{From: p.Terms.Payee, Receiver: receiver, Amount: h.Amount}
	if h.Direct {
		plan.From = r.chains[p.Terms.Token.Chain].Refunds.Mover.Signer()
	}
	switch {
	case a.Kind == ActSurplus:
		plan.Amount = p.Surplus(h)
	case a.Dispute.Award != nil:
		plan.Amount = a.Dispute.Award.ToPayer
	}
	return plan
}

// directRefund is the event of a refund of a direct payment. All that is left goes back without another state where the payment has ended.
func (r *Runner) directRefund(e settlement.Event, a Action, p Subject) (settlement.Event, error) {
	chain, err := r.refundsOf(p.Payment)
	if err != nil {
		return e, err
	}
	if e.Kind == settlement.EventRefundApproved && p.State.Final() {
		e.Kind, e.Division = settlement.EventPartialRefundApproved, &settlement.Division{ToPayer: p.Held.Amount}
	}
	e.Receiver, e.Detail = a.Receiver, fmt.Sprintf("to %s: %s", chain.FormatAddress(a.Receiver), e.Detail)
	return e, nil
}
