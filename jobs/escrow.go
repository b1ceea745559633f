package jobs

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// agreeEscrow is agree for an order whose money is to be held until it is confirmed. Who holds it follows from the payee
// that is named:
//
//   - a vault that we handed out: we do, if the vault is for exactly this
//   - another account, and there is no intent yet: we do, in a vault that we make for this payment and whose payee it is
//   - another account, in an intent: whoever that is; we look at the deposit and move nothing
func (r *Runner) agreeEscrow(ctx context.Context, p settlement.Payment, seen market) (settlement.Terms, *rails.Refusal, error) {
	named := seen.order.Payment.PayeeAddress
	at, _ := r.ChainNamed(seen.order.Payment.Chain)
	refund, err := r.refundWallet(ctx, at, p.Marketplace, seen.order.AgentPairingID, seen.proven)
	if err != nil {
		return settlement.Terms{}, nil, err
	}
	if seen.payment != nil {
		named = cmp.Or(seen.payment.Rail.PayeeAddress, named)
	}
	kept, err := r.vaultNamed(ctx, p.Marketplace, seen, named)
	switch {
	case err == nil:
		return r.agreeVault(p, seen, kept, refund)
	case !errors.Is(err, store.ErrNotFound):
		return settlement.Terms{}, nil, err
	case seen.payment == nil && refund == "":
		return settlement.Terms{}, refundAddressMissing(), nil
	}
	terms, refusal := r.compare(seen)
	if refusal != nil {
		return terms, refusal, nil
	}
	if seen.payment != nil {
		terms.Custody = settlement.CustodyNone
		return terms, nil, nil
	}
	chain := r.chains[terms.Token.Chain]
	if chain.Escrow == nil {
		return terms, &rails.Refusal{Code: rails.RailUnsupported, Detail: fmt.Sprintf("nothing holds escrow on %s", chain.ID)}, nil
	}
	m := r.marketplaces[p.Marketplace]
	until := r.now().Add(m.Deadline + m.Grace)
	v := settlement.Vault{
		Token: terms.Token.Address, Amount: terms.Amount, Payer: refund, Payee: terms.Payee,
	}
	kept, err = r.keepVault(ctx, chain, p.Marketplace, "payment/"+p.ID.String(), until, v, &p.ID)
	if refused, ok := errors.AsType[*VaultRefusal](err); ok {
		return terms, &refused.Refusal, nil
	}
	if err != nil {
		return terms, nil, err
	}
	return r.agreeVault(p, seen, kept, refund)
}

func refundAddressMissing() *rails.Refusal {
	return &rails.Refusal{
		Code: rails.RefundAddressMissing, Detail: "there is no proven wallet that the money could go back to: neither is the pairing's verified signer one on this chain, nor has one signed for the pairing",
	}
}

// vaultNamed is the vault that the order or its intent names as the payee; store.ErrNotFound when it is none of ours.
func (r *Runner) vaultNamed(ctx context.Context, marketplace string, seen market, payee string) (store.HandedOut, error) {
	c, _ := r.ChainNamed(seen.order.Payment.Chain)
	if c.Escrow == nil {
		return store.HandedOut{}, store.ErrNotFound
	}
	address, err := c.ParseAddress(payee)
	if err != nil {
		return store.HandedOut{}, store.ErrNotFound
	}
	kept, err := store.VaultAt(ctx, r.cfg.Pool, c.ID, address)
	if err == nil && kept.Marketplace != marketplace {
		return kept, store.ErrNotFound // to this marketplace it is somebody else's address
	}
	return kept, err
}

// refundWallet is the proven wallet that money of the pairing's orders goes back to on the chain, empty when there is none:
// the pairing's verified signer where such keys are wallets, else one that has signed by itself.
func (r *Runner) refundWallet(ctx context.Context, chain Chain, marketplace, pairing, signer string) (settlement.Address, error) {
	if chain.ID == "" {
		return "", nil
	}
	if wallet, err := chain.ParseAddress(signer); err == nil {
		return wallet, nil
	}
	wallet, err := store.RefundWalletOf(ctx, r.cfg.Pool, marketplace, chain.ID, pairing)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return wallet, err
}

func containsFold(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// agreeVault compares an order with the vault that it is to be paid into. refund is the proven wallet that its money goes back
// to.
func (r *Runner) agreeVault(p settlement.Payment, seen market, kept store.HandedOut, refund settlement.Address) (settlement.Terms, *rails.Refusal, error) {
	if refund == "" {
		return settlement.Terms{}, refundAddressMissing(), nil
	}
	v := kept.Vault
	chain := r.chains[v.Chain]
	at := chain.FormatAddress(v.Address)
	if advised, err := chain.ParseAddress(seen.order.Payment.PayeeAddress); err == nil && advised != v.Address && advised != v.Payee {
		return settlement.Terms{}, &rails.Refusal{
			Code: rails.IntentDiffers, Detail: fmt.Sprintf("the order's recommendation names %s, and the vault %s pays %s", seen.order.Payment.PayeeAddress, at, chain.FormatAddress(v.Payee)),
		}, nil
	}
	seen.order.Payment.PayeeAddress = at
	terms, refusal := r.compare(seen)
	if refusal != nil {
		return terms, refusal, nil
	}
	differs := func(format string, args ...any) (settlement.Terms, *rails.Refusal, error) {
		return terms, &rails.Refusal{Code: rails.IntentDiffers, Detail: fmt.Sprintf("vault %s %s", at, fmt.Sprintf(format, args...))}, nil
	}
	switch {
	case kept.Payment != nil && *kept.Payment != p.ID:
		return differs("belongs to another order")
	case terms.Token.Chain != v.Chain || terms.Token.Address != v.Token:
		return differs("is for another token than the order's")
	case terms.Amount.Cmp(v.Amount) != 0:
		return differs("is for %s base units, and the order's price is %s", v.Amount, terms.Amount)
	case refund != v.Payer:
		return differs("gives refunds to %s, and the order's pairing has proven %s", chain.FormatAddress(v.Payer), chain.FormatAddress(refund))
	case seen.payment != nil && seen.payment.Rail.EscrowAddress != "" && !strings.EqualFold(seen.payment.Rail.EscrowAddress, at):
		return differs("is the payee, and the intent names %s as the escrow", seen.payment.Rail.EscrowAddress)
	}
	terms.Custody, terms.ProvenPayer = settlement.CustodyVault, refund
	return terms, nil, nil
}

// keepVault records a vault for what the marketplace calls by the reference, before anybody is told of it: no address that
// was handed out may ever be forgotten. Asked again, it gives the same one. until is the last moment of the payer; payment is
// nil as long as there is none. It returns *VaultRefusal when there can be none.
func (r *Runner) keepVault(ctx context.Context, chain Chain, marketplace, reference string, until time.Time, v settlement.Vault, payment *settlement.PaymentID) (store.HandedOut, error) {
	kept, err := store.VaultFor(ctx, r.cfg.Pool, marketplace, reference)
	if !errors.Is(err, store.ErrNotFound) {
		return kept, err
	}
	e := chain.Escrow
	if e.Code != nil {
		switch rehearsed, err := store.Rehearsed(ctx, r.cfg.Pool, chain.ID, v.Token, *e.Code); {
		case err != nil:
			return kept, err
		case !rehearsed:
			return kept, &VaultRefusal{rails.Refusal{
				Code: rails.VaultUnrehearsed, Detail: fmt.Sprintf("no vault of this token was rehearsed on %s yet: `settler doctor --rehearse` does it", chain.ID),
			}}
		}
	}
	v.Chain, v.OrderKey, v.Operator, v.Arbiter = chain.ID, r.orderKey(marketplace, reference), e.Mover.Signer(), e.Arbiter
	v.ReclaimAt = until.Add(e.HoldFor).UTC().Truncate(time.Second)
	v.DisputeAt = v.ReclaimAt.Add(e.DisputeFor).Truncate(time.Second)
	if e.Epoch > 0 {
		v.Derived = &settlement.Derivation{Marketplace: marketplace, Order: settlement.PaymentID(v.OrderKey[:16]), Epoch: e.Epoch}
		if payment != nil {
			v.Derived.Order = *payment
		}
	}
	if v.Address, err = e.Instrument.Address(v); err != nil {
		return kept, &VaultRefusal{rails.Refusal{Code: rails.VaultImpossible, Detail: err.Error()}}
	}
	err = r.begin(ctx, "vault", func(tx pgx.Tx) (err error) {
		kept, err = store.KeepVault(ctx, tx, marketplace, reference, v, r.now())
		return err
	})
	return kept, err
}

// orderKey makes a vault differ from every other, in a way that nobody can know beforehand.
func (r *Runner) orderKey(marketplace, reference string) [32]byte {
	mac := hmac.New(sha256.New, r.cfg.PayTokenKey)
	mac.Write([]byte("settler order key\x00" + marketplace + "\x00" + reference))
	return [32]byte(mac.Sum(nil))
}

// lockEscrow tells the orchestrator of the deposit, which is final: its payment becomes held.
func (r *Runner) lockEscrow(ctx context.Context, t task, chain Chain) outcome {
	p := t.payment
	client := r.marketplaces[p.Marketplace].Client
	at := chain.FormatAddress(p.Terms.Payee)
	if p.Terms.Custody == settlement.CustodyVault {
		kept, err := store.VaultAt(ctx, r.cfg.Pool, chain.ID, p.Terms.Payee)
		if err != nil {
			return r.again(ctx, t, fmt.Errorf("read the vault: %w", err))
		}
		if left := kept.Vault.ReclaimAt.Sub(r.now()); chain.Escrow != nil && left < chain.Escrow.HoldAtLeast {
			return outcome{events: []settlement.Event{{
				ID: fmt.Sprintf("proof_refused/%d", p.Version), Payment: p.ID, Kind: settlement.EventProofRefused, Version: p.Version, Reason: rails.HoldTooShort,
				Detail: fmt.Sprintf("the payer may take the money back in %s, and at least %s are needed", left.Round(time.Second), chain.Escrow.HoldAtLeast),
			}}}
		}
	} else {
		there, err := readPayment(ctx, client, p.OrderID)
		if err != nil {
			return r.again(ctx, t, fmt.Errorf("read payment: %w", err))
		}
		if there != nil {
			at = cmp.Or(there.Rail.EscrowAddress, at)
		}
	}
	session, err := r.sessionOf(p.Marketplace, p.MachineID)
	if err != nil {
		return r.again(ctx, t, err)
	}
	var held orchestration.MarketPayment
	err = session.Do(ctx, func(token orchestration.Secret) (err error) {
		held, err = client.LockEscrowPayment(ctx, token, p.OrderID, orchestration.LockEscrowPaymentRequest{
			TransactionHash: chain.FormatTxID(p.PaidBy), Chain: string(chain.ID), EscrowAddress: at,
		})
		return err
	})
	if err == nil {
		err = ofOrder(held, p.OrderID)
	}
	if err != nil {
		return r.proofFailed(ctx, t, chain, err)
	}
	if o, decided := readBack(t, chain, &held); decided {
		return o
	}
	return r.again(ctx, t, fmt.Errorf("the lock was taken and the payment is %s", held.Status))
}
