package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// maxInstrument is the largest body of a request for an instrument in bytes.
const maxInstrument = 8 << 10

// maxRefundWallet likewise of a refund wallet: a contract wallet's signature is long.
const maxRefundWallet = 32 << 10

type instrumentInput struct {
	Marketplace string `query:"marketplace" maxLength:"255" doc:"Only for keys of all marketplaces, and then required." example:"acme"`
	Body        instrumentRequest
}

type instrumentRequest struct {
	Reference      string `json:"reference" minLength:"1" maxLength:"255" doc:"The marketplace's own name for what is to be paid. The same name with the same terms gives the same vault." example:"quote_81c2"`
	MachineID      string `json:"machine_id" minLength:"1" maxLength:"255" doc:"Machine of the buyer's pairing at the orchestrator." example:"mach_7Qm2"`
	PairingID      string `json:"pairing_id" minLength:"1" maxLength:"255" doc:"The buyer's pairing. The wallet that signed it is the payer, and gets refunds." example:"pair_51aa"`
	Chain          string `json:"chain" minLength:"1" maxLength:"64" doc:"CAIP-2 id or alias." example:"eip155:8453"`
	Token          string `json:"token" minLength:"1" maxLength:"64" doc:"Symbol or contract of a configured token." example:"USDC"`
	Amount         string `json:"amount" pattern:"^[1-9][0-9]*$" maxLength:"39" doc:"The price in base units: what the payee may receive at most." example:"1500000"`
	Payee          string `json:"payee" minLength:"1" maxLength:"64" doc:"Who is paid when the order is confirmed." example:"0x52908400098527886E0F7030069857D2E4169EE7"`
	DefaultToPayee string `json:"default_to_payee,omitempty" pattern:"^(0|[1-9][0-9]*)$" maxLength:"39" default:"0" doc:"The payee's total in base units when a dispute is decided by nobody in time; the rest is the payer's." example:"0"`
}

type refundWalletInput struct {
	Marketplace string `query:"marketplace" maxLength:"255" doc:"Only for keys of all marketplaces, and then required." example:"acme"`
	Body        refundWallet
}

type refundWallet struct {
	PairingID string `json:"pairing_id" minLength:"1" maxLength:"255" doc:"The buyer's pairing at the orchestrator." example:"pair_51aa"`
	Chain     string `json:"chain" minLength:"1" maxLength:"64" doc:"CAIP-2 id or alias." example:"solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"`
	Wallet    string `json:"wallet" minLength:"1" maxLength:"64" doc:"Where refunds of the pairing's orders go on the chain." example:"9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"`
	Signature string `json:"signature" minLength:"1" maxLength:"16384" doc:"The wallet's own, over the four lines that docs/api.md gives: base58 on Solana." example:"3AMDVKmSGHzw6tJ9wUzj5Yb1oWGqqFcbTUPhpMi6t8yhzM9e1wXWPhU1GhWGqrPgLkhqTw1UDzCqJqyrpKkNU8bC"`
}

type refundWalletOutput struct{ Body refundWalletAnswer }

type refundWalletAnswer struct {
	PairingID string `json:"pairing_id" example:"pair_51aa"`
	Chain     string `json:"chain" example:"solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"`
	Wallet    string `json:"wallet" example:"9xQeWvG816bUx9EPjHmaT23yvVM2ZWbrrpZb9PusVFin"`
}

type instrumentOutput struct{ Body instrument }

// instrument is a vault as a marketplace needs it for an order.
type instrument struct {
	Reference      string    `json:"reference" example:"quote_81c2"`
	Chain          string    `json:"chain" example:"eip155:8453"`
	Token          string    `json:"token" example:"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"`
	Amount         string    `json:"amount" example:"1500000"`
	Address        string    `json:"address" doc:"The vault: payeeAddress of the order's recommendation, and its escrow address." example:"0x6F46CF5569AEfA1acC1009290c8E043747172d89"`
	Payer          string    `json:"payer" doc:"Gets refunds, and may take the money back from reclaim_at on." example:"0x8617E340B3D01FA5F11F306F4090FD50E238070D"`
	Payee          string    `json:"payee" example:"0x52908400098527886E0F7030069857D2E4169EE7"`
	Operator       string    `json:"operator" doc:"Our key, which divides the money between payer and payee until reclaim_at." example:"0x90F79bf6EB2c4f870365E785982E1f101E93b906"`
	Arbiter        string    `json:"arbiter" doc:"May freeze the vault, and then divides it until dispute_at." example:"0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65"`
	Custody        string    `json:"custody" enum:"contract,operator" doc:"contract: a program on the chain holds the money by these terms. operator: it is in a wallet whose key we have, and the deadlines are our word." example:"contract"`
	ReclaimAt      time.Time `json:"reclaim_at"`
	DisputeAt      time.Time `json:"dispute_at"`
	DefaultToPayee string    `json:"default_to_payee" example:"0"`
}

func (s *server) registerInstruments() {
	register(s, s.secured(huma.Operation{
		OperationID: "create-instrument", Method: http.MethodPost, Path: "/v1/instruments", Tags: []string{"Payments"},
		Summary: "A vault for an order", Description: "Hands out the address that an escrow order is to be paid at, before the order is answered, so that its " +
			"recommendation already names it. The address belongs to these terms alone and is watched from then on. Asking again with the same reference and terms gives the same one.",
		DefaultStatus: http.StatusOK, MaxBodyBytes: maxInstrument,
	}, scopeOperate), []Code{
		RequestMalformed, MarketplaceForbidden, MarketplaceUnknown, RequestTimeout, ReferenceReused, BodyTooLarge, MediaTypeUnsupported, ValidationFailed, MarketplaceRequired,
		RefundAddressMissing, InstrumentRefused, OrchestratorUnavailable,
	}, s.handleInstrument)
	register(s, s.secured(huma.Operation{
		OperationID: "prove-refund-wallet", Method: http.MethodPost, Path: "/v1/refund-wallets", Tags: []string{"Payments"},
		Summary: "A wallet that takes refunds", Description: "On chains where the buyer's pairing is signed by a key that is no wallet, as on Solana: a wallet signs " +
			"for the pairing, and gets the refunds of its orders from the next vault on. Without it no vault is handed out there.",
		DefaultStatus: http.StatusOK, MaxBodyBytes: maxRefundWallet,
	}, scopeOperate), []Code{
		RequestMalformed, MarketplaceForbidden, MarketplaceUnknown, RequestTimeout, BodyTooLarge, MediaTypeUnsupported, ValidationFailed, MarketplaceRequired, SignerMalformed,
		SignatureMalformed, SignatureNotSigners, ChainUnavailable,
	}, s.handleRefundWallet)
}

func (s *server) handleRefundWallet(ctx context.Context, in *refundWalletInput) (*refundWalletOutput, error) {
	marketplace, err := marketplaceOf(ctx, in.Marketplace)
	if err != nil {
		return nil, err
	}
	chain, ok := s.cfg.Runner.ChainNamed(in.Body.Chain)
	switch {
	case marketplace == "":
		return nil, problem(MarketplaceRequired, "This key reaches all marketplaces: add ?marketplace= to say whose pairing it is.")
	case !ok:
		return nil, problem(ValidationFailed, "chain is none that is served.")
	case !jobs.PlainID(in.Body.PairingID):
		return nil, problem(ValidationFailed, "pairing_id must not hold control characters.")
	}
	w := store.RefundWallet{Marketplace: marketplace, Pairing: in.Body.PairingID, Chain: chain.ID, Signature: in.Body.Signature}
	if w.Wallet, err = chain.ParseAddress(in.Body.Wallet); err != nil {
		return nil, problem(SignerMalformed, "On "+string(chain.ID)+": "+err.Error()+".")
	}
	if err := s.cfg.Runner.ProveRefundWallet(ctx, w); err != nil {
		if look, ok := errors.AsType[*settlement.LookError](err); ok {
			return nil, s.signerUnread(ctx, chain.ID, look)
		}
		return nil, err
	}
	return &refundWalletOutput{refundWalletAnswer{PairingID: w.Pairing, Chain: string(chain.ID), Wallet: chain.FormatAddress(w.Wallet)}}, nil
}

func (s *server) handleInstrument(ctx context.Context, in *instrumentInput) (*instrumentOutput, error) {
	marketplace, err := marketplaceOf(ctx, in.Marketplace)
	if err != nil {
		return nil, err
	}
	if marketplace == "" {
		return nil, problem(MarketplaceRequired, "This key reaches all marketplaces: add ?marketplace= to say whose order it is.")
	}
	q := jobs.VaultRequest{
		Marketplace: marketplace, Reference: in.Body.Reference, MachineID: in.Body.MachineID, PairingID: in.Body.PairingID, Chain: in.Body.Chain,
		Token: in.Body.Token, Payee: in.Body.Payee,
	}
	for _, id := range []string{q.Reference, q.MachineID, q.PairingID} {
		if !jobs.PlainID(id) {
			return nil, problem(ValidationFailed, "reference, machine_id and pairing_id must not hold control characters.")
		}
	}
	if q.Amount, err = settlement.ParseAmount(in.Body.Amount); err == nil {
		q.DefaultToPayee, err = settlement.ParseAmount(in.Body.DefaultToPayee)
	}
	if err != nil {
		return nil, problem(ValidationFailed, err.Error())
	}
	v, err := s.cfg.Runner.HandOutVault(ctx, q)
	if refusal, ok := errors.AsType[*jobs.VaultRefusal](err); ok {
		if refusal.Code == settlement.Code(RefundAddressMissing) {
			return nil, problem(RefundAddressMissing, refusal.Detail)
		}
		return nil, problem(InstrumentRefused, refusal.Error())
	}
	switch {
	case errors.Is(err, jobs.ErrReferenceReused):
		return nil, problem(ReferenceReused, "Use a new reference for other terms.")
	case errors.Is(err, jobs.ErrOrchestrator):
		s.cfg.Logger.WarnContext(ctx, "pairing not read", "marketplace", marketplace, "err", err)
		return nil, problem(OrchestratorUnavailable, "The buyer's pairing could not be read.").with("Retry-After", "5")
	case err != nil:
		return nil, err
	}
	r, custody := s.render(), "contract"
	if v.Derived != nil {
		custody = "operator"
	}
	return &instrumentOutput{instrument{
		Custody:   custody,
		Reference: q.Reference, Chain: string(v.Chain), Token: r.address(v.Chain, v.Token), Amount: v.Amount.String(), Address: r.address(v.Chain, v.Address),
		Payer: r.address(v.Chain, v.Payer), Payee: r.address(v.Chain, v.Payee), Operator: r.address(v.Chain, v.Operator), Arbiter: r.address(v.Chain, v.Arbiter),
		ReclaimAt: v.ReclaimAt, DisputeAt: v.DisputeAt, DefaultToPayee: v.DefaultToPayee.String(),
	}}, nil
}
