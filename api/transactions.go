package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// maxNamed is the largest body of a named transaction in bytes; a Solana id has 88 characters. With a payer's proof it is
// maxProven: a contract wallet's signature has up to 4098.
const (
	maxNamed  = 4 << 10
	maxProven = 8 << 10
)

// minRetry is after how many seconds, at least, a chain that could not be asked is worth another try.
const minRetry = 2

// namedBody is a transaction that somebody names.
type namedBody struct {
	TxID string `json:"txid" minLength:"1" maxLength:"128" doc:"The transaction's id in the chain's own form." example:"0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
}

type nameInput struct {
	PaymentID      string `path:"payment_id" maxLength:"64" doc:"Our id of the payment." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	IdempotencyKey string `header:"Idempotency-Key" required:"true" minLength:"1" maxLength:"255" doc:"Chosen by the caller. The same key with the same request is answered alike and acts once." example:"5f0c1f0e-2d5b-4b8a-9c57-6a1f3e8d7b20"`
	Body           namedBody
}

type namedOutput struct{ Body named }

// named is the answer to a named transaction.
type named struct {
	TxID      string `json:"txid" example:"0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
	State     state  `json:"state"`
	ActsNext  string `json:"acts_next" enum:"us,payer,chain,marketplace,person,nobody" example:"us"`
	ProofText string `json:"proof_text" doc:"What the wallet that paid may sign, to the byte, to prove that this transaction is the payer's." example:"settler: my transaction pays this payment.\nPayment: 019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11\nChain: eip155:8453\nTransaction: 0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
}

func (s *server) registerTransactions() {
	register(s, s.secured(huma.Operation{
		OperationID: "name-transaction", Method: http.MethodPost, Path: "/v1/payments/{payment_id}/transactions", Tags: []string{"Payments"},
		Summary: "Name a transaction for a payment", Description: "Makes settler look at the transaction. Payments are found without this; " +
			"it helps when one was missed. It proves nothing: only what the chain shows counts.",
		DefaultStatus: http.StatusAccepted, MaxBodyBytes: maxNamed,
	}, scopeOperate), []Code{
		RequestMalformed, NotFound, RequestTimeout, StateConflict, BodyTooLarge, MediaTypeUnsupported,
		ValidationFailed, TxIDMalformed, IdempotencyKeyReused,
	}, s.handleNameTransaction)
}

func (s *server) handleNameTransaction(ctx context.Context, in *nameInput) (*namedOutput, error) {
	id, err := settlement.ParsePaymentID(in.PaymentID)
	if err != nil {
		return nil, problem(NotFound, "")
	}
	// Field by field: two bodies that say the same are the same request, whatever their spaces.
	request := sha256.Sum256([]byte("POST\x00transactions\x00" + id.String() + "\x00" + in.Body.TxID))
	_, done, err := once(ctx, s, in.IdempotencyKey, request, func() (int, *named, error) {
		p, err := s.visible(ctx, id)
		if err != nil {
			return 0, nil, err
		}
		done, err := s.name(ctx, p, in.Body.TxID, "", "")
		return http.StatusAccepted, done, err
	})
	if err != nil {
		return nil, err
	}
	return &namedOutput{*done}, nil
}

// once lets a write act once per idempotency key of a caller. The key is bound to the request before it acts, so another
// request under it never does. A crash after that leaves the key bound and unanswered: the repeat acts again, which every
// write here allows.
func once[T any](ctx context.Context, s *server, key string, request [sha256.Size]byte, act func() (int, *T, error)) (int, *T, error) {
	if !jobs.PlainID(key) {
		return 0, nil, problem(ValidationFailed, "The Idempotency-Key must have 1 to 255 bytes, none of them a control character.")
	}
	owner := caller(ctx).ID.String()
	kept, err := store.ReserveIdempotencyKey(ctx, s.cfg.Pool, owner, key, request, s.cfg.Now().UTC())
	if err != nil {
		return 0, nil, err
	}
	if kept.Request != request {
		return 0, nil, problem(IdempotencyKeyReused, "Use a new key for every new request.")
	}
	if kept.Status == 0 {
		var answer any
		status, done, err := act()
		if err == nil {
			answer = done
		} else {
			p := s.problemOf(ctx, err)
			if p.Status >= http.StatusInternalServerError {
				return 0, nil, p // not an answer: the repeat tries again
			}
			status, answer = p.Status, p
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return 0, nil, fmt.Errorf("encode answer: %w", err)
		}
		if kept, err = store.SaveIdempotentAnswer(ctx, s.cfg.Pool, owner, key, status, text); err != nil {
			return 0, nil, err
		}
	}
	if kept.Status >= http.StatusBadRequest {
		var p Problem
		if err := json.Unmarshal(kept.Answer, &p); err != nil {
			return 0, nil, fmt.Errorf("decode stored answer: %w", err)
		}
		return 0, nil, &p
	}
	out := new(T)
	if err := json.Unmarshal(kept.Answer, out); err != nil {
		return 0, nil, fmt.Errorf("decode stored answer: %w", err)
	}
	return kept.Status, out, nil
}

// name hands a transaction to the payment, and what its payer signed where there is a signer.
func (s *server) name(ctx context.Context, p settlement.Payment, text, signer, signature string) (*named, error) {
	if p.Terms.Payee == "" {
		return nil, problem(StateConflict, "The payment has no instructions yet, so nothing can have paid it.")
	}
	chain, ok := s.cfg.Runner.Chain(p.Terms.Token.Chain)
	if !ok {
		return nil, fmt.Errorf("payment %s: chain %s is not in the configuration any more", p.ID, p.Terms.Token.Chain)
	}
	txid, err := chain.ParseTxID(text)
	if err != nil {
		return nil, problem(TxIDMalformed, "On "+string(chain.ID)+": "+err.Error()+".")
	}
	var after settlement.Payment
	if signer == "" {
		after, err = s.cfg.Runner.NameTransaction(ctx, p.ID, txid)
	} else {
		proof := settlement.PayerProof{TxID: txid, Signature: signature}
		if proof.Signer, err = chain.ParseAddress(signer); err != nil {
			return nil, problem(SignerMalformed, "On "+string(chain.ID)+": "+err.Error()+".")
		}
		after, err = s.cfg.Runner.ProvePayer(ctx, p, proof)
	}
	if look, ok := errors.AsType[*settlement.LookError](err); ok {
		return nil, s.signerUnread(ctx, chain.ID, look)
	}
	if errors.Is(err, settlement.ErrNotAccepted) {
		return nil, problem(StateConflict, "The payment is "+string(after.State)+" and takes no transaction.")
	}
	if err != nil {
		return nil, err
	}
	id := chain.FormatTxID(txid)
	return &named{TxID: id, State: state(after.State), ActsNext: after.State.Next(), ProofText: settlement.ProofText(p.ID, chain.ID, id)}, nil
}

// signerUnread is the problem of a signature that only the signer's contract can judge, which could not be asked.
func (s *server) signerUnread(ctx context.Context, chain settlement.ChainID, look *settlement.LookError) *Problem {
	s.cfg.Logger.WarnContext(ctx, "signature not checked", "request_id", requestID(ctx), "chain", string(chain), "reason", string(look.Code), "err", look)
	return problem(ChainUnavailable, "The signer's contract could not be asked. Repeat it later.").
		with("Retry-After", strconv.Itoa(max(minRetry, int(look.RetryAfter.Seconds()))))
}
