package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"
	qr "github.com/piglig/go-qr"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// Limits per minute of what needs no key. A page that polls every two seconds stays below them.
const (
	payReadsPerIP     = 120
	payWritesPerIP    = 30
	payWritesPerToken = 10
)

type payInput struct {
	Token string `path:"token" doc:"The last part of the payer's link." example:"Zm9vYmFyYmF6cXV4MTIzNA"`
}

type payNameInput struct {
	Token string `path:"token" doc:"The last part of the payer's link." example:"Zm9vYmFyYmF6cXV4MTIzNA"`
	Body  payNamedBody
}

// payNamedBody is a transaction that the payer names, and his proof.
type payNamedBody struct {
	TxID      string `json:"txid" minLength:"1" maxLength:"128" doc:"The transaction's id in the chain's own form." example:"0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
	Signer    string `json:"signer,omitempty" maxLength:"64" dependentRequired:"signature" doc:"The wallet that paid, which made the signature." example:"0x8617E340B3D01FA5F11F306F4090FD50E238070D"`
	Signature string `json:"signature,omitempty" maxLength:"4098" dependentRequired:"signer" doc:"The signer's signature of proof_text. EVM: hex; EIP-191 (personal_sign) by a key, or whatever the signer's contract takes (EIP-1271). Solana: base58; Ed25519 over the text's bytes." example:"0x…1b"`
}

type payOutput struct{ Body payBody }

// payBody is what a payer sees: nothing of the marketplace's own, and no evidence, which names our endpoints.
type payBody struct {
	State        state            `json:"state"`
	ActsNext     string           `json:"acts_next" enum:"us,payer,chain,marketplace,person,nobody" doc:"Who has to do something for the payment to go on." example:"payer"`
	Message      string           `json:"message" doc:"What the payer has to know now, in words." example:"Send exactly 1.500000 USDC …"`
	Flags        []flag           `json:"flags" nullable:"false"`
	Instructions *instructions    `json:"instructions,omitempty" doc:"What to pay; absent until the payment is prepared."`
	Received     *Money           `json:"received,omitempty" doc:"What has arrived for good, where the price may come in parts; absent while nothing has."`
	Named        string           `json:"named" doc:"The transaction that was named and is being looked for; empty when there is none." example:""`
	TokenAccount *tokenAccount    `json:"token_account,omitempty" doc:"The token account of the order's wallet, where settler makes it for payers who ask; absent elsewhere."`
	Transactions []payTransaction `json:"transactions" nullable:"false" doc:"The transfers that were seen for this payment."`
}

// tokenAccount is that of an order's wallet on Solana.
type tokenAccount struct {
	State  string `json:"state" enum:"offered,asked,refused,creating,failed,open,closing,closed" doc:"offered: it may be asked for; refused: none was made, and it may be asked for again; open: it can be paid into. See docs/api.md." example:"open"`
	Detail string `json:"detail" doc:"Why it was refused or failed, in words; empty elsewhere." example:""`
}

type tokenAccountOutput struct{ Body tokenAccount }

// payTransaction is a transfer as the payer sees it.
type payTransaction struct {
	TxID        string `json:"txid" example:"0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
	ExplorerURL string `json:"explorer_url" example:""`
	Token       string `json:"token" example:"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"`
	Payer       string `json:"payer"`
	Payee       string `json:"payee"`
	Money
	Block   block   `json:"block"`
	Status  string  `json:"status" enum:"seen,final,withdrawn" example:"final"`
	Waits   *waits  `json:"waits,omitempty" doc:"How far a seen transfer is from being final; absent for the others."`
	Verdict verdict `json:"verdict"`
	Settles bool    `json:"settles" doc:"This transfer paid, alone or as one of several."`
}

func (s *server) registerPay() {
	perIP := func(r *http.Request, _ huma.Context) string {
		return httprate.CanonicalizeIP(middleware.GetClientIP(r.Context()))
	}
	perToken := func(_ *http.Request, ctx huma.Context) string { return ctx.Param("token") }
	register(s, huma.Operation{
		OperationID: "get-pay", Method: http.MethodGet, Path: "/v1/pay/{token}", Tags: []string{"Payers"},
		Summary: "What to pay, and what was seen of it", Description: "For the payer, who needs no key: the link's token is the right to look.",
		Security:    []map[string][]string{{}},
		Middlewares: huma.Middlewares{limit(payReadsPerIP, perIP)},
	}, []Code{NotFound, RateLimited}, s.handlePay)
	register(s, huma.Operation{
		OperationID: "get-pay-qr", Method: http.MethodGet, Path: "/v1/pay/{token}/qr.svg", Tags: []string{"Payers"},
		Summary: "What to pay, as a QR code", Description: "The payment_uri of the instructions as an SVG image for wallets to scan. 409 while nothing is to be paid.",
		Security:    []map[string][]string{{}},
		Middlewares: huma.Middlewares{limit(payReadsPerIP, perIP)},
	}, []Code{NotFound, StateConflict, RateLimited}, s.handlePayQR)
	register(s, huma.Operation{
		OperationID: "name-pay-transaction", Method: http.MethodPost, Path: "/v1/pay/{token}/transactions", Tags: []string{"Payers"},
		Summary: "Name the transaction that paid", Description: "Makes settler look at the transaction. A payment is found without this; naming it helps when it " +
			"was missed. Naming the same one again changes nothing. With `signer` and `signature` the payer proves that it is his: his wallet's transfer in it " +
			"then pays this payment, whichever wallet that is. Sign the text that stands in `instructions.proof_text` with the transaction's id in place of `{txid}`.",
		Security:      []map[string][]string{{}},
		Middlewares:   huma.Middlewares{limit(payWritesPerIP, perIP), limit(payWritesPerToken, perToken)},
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: maxProven,
	}, []Code{
		RequestMalformed, NotFound, RequestTimeout, StateConflict, BodyTooLarge, MediaTypeUnsupported, ValidationFailed, TxIDMalformed,
		SignerMalformed, SignatureMalformed, SignatureNotSigners, RateLimited, ChainUnavailable,
	}, s.handleNamePay)
	register(s, huma.Operation{
		OperationID: "ask-token-account", Method: http.MethodPost, Path: "/v1/pay/{token}/token-account", Tags: []string{"Payers"},
		Summary: "Have the token account of the order's wallet made", Description: "For payers on Solana whose wallet or exchange makes no token account of the receiver. It is made " +
			"at the marketplace's cost where it offers that (`token_account` of the payment), once for each order. Asked again it changes nothing. 409 where none is made, " +
			"429 also where as many were asked for as may be within an hour.",
		Security:      []map[string][]string{{}},
		Middlewares:   huma.Middlewares{limit(payWritesPerIP, perIP), limit(payWritesPerToken, perToken)},
		DefaultStatus: http.StatusAccepted,
	}, []Code{NotFound, StateConflict, RateLimited}, s.handleAskTokenAccount)
}

// limit refuses what comes more often than so many times a minute from one source. It counts in this process alone: with
// several processes the limit is that many times higher, which still keeps guessing a token of 128 bits hopeless.
func limit(perMinute int, key func(*http.Request, huma.Context) string) func(huma.Context, func(huma.Context)) {
	limiter := httprate.NewRateLimiter(perMinute, time.Minute)
	return func(ctx huma.Context, next func(huma.Context)) {
		r, w := humachi.Unwrap(ctx)
		if limiter.OnLimit(w, r, key(r, ctx)) {
			problem(RateLimited, "Wait as long as Retry-After says.").write(w, r)
			return
		}
		next(ctx)
	}
}

// paymentOfToken returns store.ErrNotFound, wrapped, for every token that is nobody's, whatever its form.
func (s *server) paymentOfToken(ctx context.Context, token string) (settlement.Payment, error) {
	id, err := store.PaymentIDByPayToken(ctx, s.cfg.Pool, jobs.HashPayToken(token))
	if err != nil {
		return settlement.Payment{}, err
	}
	return s.read(ctx, id)
}

func (s *server) handlePay(ctx context.Context, in *payInput) (*payOutput, error) {
	p, err := s.paymentOfToken(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	seen, err := store.TransfersOf(ctx, s.cfg.Pool, []settlement.PaymentID{p.ID})
	if err != nil {
		return nil, err
	}
	v, err := s.renderWith(ctx, p)
	if err != nil {
		return nil, err
	}
	b := payBody{
		State: state(p.State), ActsNext: p.State.Next(), Flags: flagsOf(p), Instructions: v.instructions(p), Received: v.received(p),
		Named: v.txid(p.Terms.Token.Chain, p.Named), Transactions: make([]payTransaction, 0, len(seen)),
	}
	if b.TokenAccount, err = s.tokenAccountOf(ctx, p); err != nil {
		return nil, err
	}
	b.Message = v.payerText(p, b.Instructions)
	for _, t := range seen {
		full := v.transaction(p, t)
		switch {
		case full.Waits == nil:
		case p.State == settlement.StateConfirming:
			b.Message = "A payment was seen: " + full.Waits.Text + ". Do not pay again."
		case p.State == settlement.StateAwaitingPayment: // a further part
			b.Message = "A part of the payment was seen: " + full.Waits.Text + ". Do not pay more before it counts."
			in := b.Instructions
			in.PayNow, in.Text, in.PaymentURI, in.QRURL = false, b.Message, "", ""
		}
		b.Transactions = append(b.Transactions, payTransaction{
			TxID: full.TxID, ExplorerURL: full.ExplorerURL, Token: full.Token, Payer: full.Payer, Payee: full.Payee, Money: full.Money,
			Block: full.Block, Status: full.Status, Waits: full.Waits, Verdict: full.Verdict, Settles: full.Settles,
		})
	}
	return &payOutput{b}, nil
}

// tokenAccountOf is what has become of the token account of the payment's wallet; nil where payers are not offered one.
func (s *server) tokenAccountOf(ctx context.Context, p settlement.Payment) (*tokenAccount, error) {
	chain, _ := s.cfg.Runner.Chain(p.Terms.Token.Chain)
	if chain.Escrow == nil || chain.Escrow.TokenAccounts == nil || p.Terms.Custody != settlement.CustodyVault {
		return nil, nil
	}
	there, err := store.ReadTokenAccount(ctx, s.cfg.Pool, chain.ID, p.Terms.Payee)
	switch {
	case errors.Is(err, store.ErrNotFound) && s.cfg.Runner.OffersTokenAccount(p):
		return &tokenAccount{State: "offered"}, nil
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &tokenAccount{string(there.State), there.Problem}, nil
}

func (s *server) handleAskTokenAccount(ctx context.Context, in *payInput) (*tokenAccountOutput, error) {
	p, err := s.paymentOfToken(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	there, err := s.cfg.Runner.AskTokenAccount(ctx, p)
	switch {
	case errors.Is(err, jobs.ErrNoTokenAccount):
		return nil, problem(StateConflict, "No token account is made for this payment now: pay with a wallet that makes it itself.")
	case errors.Is(err, jobs.ErrTokenAccounts):
		return nil, problem(RateLimited, "As many token accounts were asked for as may be within an hour. Ask again later, or pay with a wallet that makes it itself.").with("Retry-After", "600")
	case err != nil:
		return nil, err
	}
	return &tokenAccountOutput{tokenAccount{string(there.State), there.Problem}}, nil
}

// qrOutput is an image.
type qrOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte `contentType:"image/svg+xml"`
}

// qrQuiet is the margin of a QR code, in modules.
//
// Source: ISO/IEC 18004.
const qrQuiet = 4

func (s *server) handlePayQR(ctx context.Context, in *payInput) (*qrOutput, error) {
	p, err := s.paymentOfToken(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	pay := s.render().instructions(p)
	if pay == nil || pay.PaymentURI == "" {
		return nil, problem(StateConflict, "The payment is "+string(p.State)+": nothing is to be paid now.")
	}
	code, err := qr.EncodeText(pay.PaymentURI, qr.Medium)
	if err != nil {
		return nil, fmt.Errorf("encode QR code: %w", err)
	}
	image, err := code.ToSVGBytes(qr.NewQrCodeImgConfig(1, qrQuiet))
	if err != nil {
		return nil, fmt.Errorf("draw QR code: %w", err)
	}
	return &qrOutput{ContentType: "image/svg+xml", Body: image}, nil
}

func (s *server) handleNamePay(ctx context.Context, in *payNameInput) (*namedOutput, error) {
	p, err := s.paymentOfToken(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	done, err := s.name(ctx, p, in.Body.TxID, in.Body.Signer, in.Body.Signature)
	if err != nil {
		return nil, err
	}
	return &namedOutput{*done}, nil
}
