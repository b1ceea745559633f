package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-chi/httprate"

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
	Body  namedBody
}

type payOutput struct{ Body payBody }

// payBody is what a payer sees: nothing of the marketplace's own, and no evidence, which names our endpoints.
type payBody struct {
	State        state            `json:"state"`
	ActsNext     string           `json:"acts_next" enum:"us,payer,chain,marketplace,person,nobody" doc:"Who has to do something for the payment to go on." example:"payer"`
	Message      string           `json:"message" doc:"What the payer has to know now, in words." example:"Send exactly 1.500000 USDC …"`
	Flags        []flag           `json:"flags" nullable:"false"`
	Instructions *instructions    `json:"instructions,omitempty" doc:"What to pay; absent until the payment is prepared."`
	Named        string           `json:"named" doc:"The transaction that was named and is being looked for; empty when there is none." example:""`
	Transactions []payTransaction `json:"transactions" nullable:"false" doc:"The transfers that were seen for this payment."`
}

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
	Verdict verdict `json:"verdict"`
	Settles bool    `json:"settles" doc:"This transfer paid."`
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
		OperationID: "name-pay-transaction", Method: http.MethodPost, Path: "/v1/pay/{token}/transactions", Tags: []string{"Payers"},
		Summary: "Name the transaction that paid", Description: "Makes settler look at the transaction. A payment is found without this; naming it helps when it " +
			"was missed. Naming the same one again changes nothing.",
		Security:      []map[string][]string{{}},
		Middlewares:   huma.Middlewares{limit(payWritesPerIP, perIP), limit(payWritesPerToken, perToken)},
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: maxNamed,
	}, []Code{
		RequestMalformed, NotFound, RequestTimeout, StateConflict, BodyTooLarge, MediaTypeUnsupported, ValidationFailed, TxIDMalformed, RateLimited,
	}, s.handleNamePay)
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
	v := s.render()
	b := payBody{
		State: state(p.State), ActsNext: p.State.Next(), Flags: flagsOf(p), Instructions: v.instructions(p),
		Named: v.txid(p.Terms.Token.Chain, p.Named), Transactions: make([]payTransaction, 0, len(seen)),
	}
	b.Message = v.payerText(p, b.Instructions)
	for _, t := range seen {
		full := v.transaction(p, t)
		b.Transactions = append(b.Transactions, payTransaction{
			TxID: full.TxID, ExplorerURL: full.ExplorerURL, Token: full.Token, Payer: full.Payer, Payee: full.Payee, Money: full.Money,
			Block: full.Block, Status: full.Status, Verdict: full.Verdict, Settles: full.Settles,
		})
	}
	return &payOutput{b}, nil
}

func (s *server) handleNamePay(ctx context.Context, in *payNameInput) (*namedOutput, error) {
	p, err := s.paymentOfToken(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	done, err := s.name(ctx, p, in.Body.TxID)
	if err != nil {
		return nil, err
	}
	return &namedOutput{*done}, nil
}
