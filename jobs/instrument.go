package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// VaultRequest asks for a vault for an order that is still to be answered.
type VaultRequest struct {
	Marketplace string // key of the configuration
	Reference   string // the marketplace's own name for what the vault is for
	// MachineID and PairingID name the pairing of the buyer at the orchestrator. Whoever signed it gets refunds.
	MachineID, PairingID string
	Chain                string // CAIP-2 id or alias
	Token                string // symbol or address
	Amount               settlement.Amount
	Payee                string
	DefaultToPayee       settlement.Amount // the payee's total when a dispute is decided by nobody
}

// What a request for a vault comes to when none is handed out.
var (
	// ErrMarketplaceUnknown: the configuration has no such marketplace.
	ErrMarketplaceUnknown = errors.New("the configuration has no marketplace of this name")
	// ErrReferenceReused: the reference stands for a vault of other terms.
	ErrReferenceReused = errors.New("the reference was used for a vault of other terms")
	// ErrOrchestrator: the buyer's pairing could not be read.
	ErrOrchestrator = errors.New("the orchestrator could not be asked")
)

// VaultRefusal says why no vault is handed out for the request; its code is one of rails' or of verdicts'.
type VaultRefusal struct{ rails.Refusal }

func (r *VaultRefusal) Error() string { return fmt.Sprintf("%s: %s", r.Code, r.Detail) }

// HandOutVault gives the vault for the request, recorded before anybody is told of it. The same request gives the same
// vault. It returns *VaultRefusal, ErrReferenceReused and ErrOrchestrator, wrapped.
func (r *Runner) HandOutVault(ctx context.Context, q VaultRequest) (settlement.Vault, error) {
	refuse := func(code settlement.Code, format string, args ...any) (settlement.Vault, error) {
		return settlement.Vault{}, &VaultRefusal{rails.Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}}
	}
	m, ok := r.marketplaces[q.Marketplace]
	if !ok {
		return settlement.Vault{}, fmt.Errorf("marketplace %q: %w", q.Marketplace, ErrMarketplaceUnknown)
	}
	chain, _ := r.ChainNamed(q.Chain)
	if chain.Escrow == nil {
		return refuse(settlement.ChainUnsupported, "nothing is held on chain %q", q.Chain)
	}
	v := settlement.Vault{Amount: q.Amount, DefaultToPayee: q.DefaultToPayee}
	known := false
	for _, t := range chain.Tokens {
		address := chain.FormatAddress(t.Address)
		if q.Token != "" && t.Policy.Accepts() && (strings.EqualFold(q.Token, t.Symbol) || strings.EqualFold(q.Token, address)) {
			v.Token, known = t.Address, true
		}
	}
	if !known {
		return refuse(settlement.TokenUnsupported, "token %q is none that is held on %s", q.Token, chain.ID)
	}
	var err error
	if v.Payee, err = chain.ParseAddress(q.Payee); err != nil {
		return refuse(rails.PayeeInvalid, "payee: %v", err)
	}
	wallet, err := provenWallet(ctx, m.Client, q.MachineID, q.PairingID)
	switch {
	case errors.Is(err, orchestration.CodeNotFound):
		return refuse(rails.RefundAddressMissing, "the orchestrator has no machine %q", q.MachineID)
	case err != nil:
		return settlement.Vault{}, fmt.Errorf("%w: %w", ErrOrchestrator, err)
	}
	v.Payer, err = r.refundWallet(ctx, chain, q.Marketplace, q.PairingID, wallet)
	switch {
	case err != nil:
		return settlement.Vault{}, err
	case v.Payer == "":
		return settlement.Vault{}, &VaultRefusal{*refundAddressMissing()}
	}
	kept, err := r.keepVault(ctx, chain, q.Marketplace, "instrument/"+q.Reference, r.now().Add(m.Deadline+m.Grace), v, nil)
	if err != nil {
		return settlement.Vault{}, err
	}
	if k := kept.Vault; k.Chain != chain.ID || k.Token != v.Token || k.Amount != v.Amount || k.Payer != v.Payer || k.Payee != v.Payee || k.DefaultToPayee != v.DefaultToPayee {
		return settlement.Vault{}, fmt.Errorf("reference %q: %w", q.Reference, ErrReferenceReused)
	}
	return kept.Vault, nil
}

// ProveRefundWallet records a wallet that takes the refunds of a pairing's orders, once its signature over RefundText holds. It
// returns *settlement.SignatureError and *settlement.LookError, wrapped.
func (r *Runner) ProveRefundWallet(ctx context.Context, w store.RefundWallet) error {
	chain, ok := r.chains[w.Chain]
	if !ok {
		return fmt.Errorf("chain %q is not in the configuration", w.Chain)
	}
	if _, ok := r.marketplaces[w.Marketplace]; !ok {
		return fmt.Errorf("marketplace %q: %w", w.Marketplace, ErrMarketplaceUnknown)
	}
	var err error
	if w.Block, err = chain.CheckSignature(ctx, w.Wallet, settlement.RefundText(w.Chain, w.Marketplace, w.Pairing), w.Signature); err != nil {
		return err
	}
	return store.KeepRefundWallet(ctx, r.cfg.Pool, w, r.now())
}
