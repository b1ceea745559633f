package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

type signersOutput struct{ Body signerList }

// signerList is the keys that have signed transactions.
type signerList struct {
	Signers []signer `json:"signers" nullable:"false" doc:"Keys that have signed transactions. Of a restart: those that sign again, each with why it was stopped; none where none was stopped."`
}

type signer struct {
	Chain     string `json:"chain" doc:"CAIP-2 id." example:"eip155:8453"`
	Address   string `json:"address" doc:"The key's account." example:"0x00000000000000000000000000000000000000A1"`
	NextNonce uint64 `json:"next_nonce" doc:"Of its next transaction."`
	Stopped   string `json:"stopped" doc:"Why it signs nothing until a person has looked; empty while it signs." example:"nonce 7 was used by a transaction that is none of ours"`
}

type restartInput struct {
	Body struct {
		Chain   string `json:"chain" minLength:"1" maxLength:"128" doc:"Its CAIP-2 id or an alias." example:"base"`
		Address string `json:"address,omitempty" minLength:"1" maxLength:"128" doc:"Only this signer. Absent: all of the chain that are stopped."`
		Reason  reason `json:"reason" minLength:"1" maxLength:"1000" doc:"What has stopped it, and why it may go on." example:"Nonce 7 was a test of ours by hand."`
	}
}

func (s *server) registerSigners() {
	register(s, s.secured(huma.Operation{
		OperationID: "list-signers", Method: http.MethodGet, Path: "/v1/admin/signers", Tags: []string{"Admin"},
		Summary: "Signers of money", Description: "The keys that have signed transactions, and why one is stopped.",
	}, scopeRead), []Code{ValidationFailed}, s.handleListSigners)
	register(s, s.secured(huma.Operation{
		OperationID: "restart-signers", Method: http.MethodPost, Path: "/v1/admin/signers/restart", Tags: []string{"Admin"},
		Summary: "Let stopped signers sign again", Description: "A signer stops when a transaction that is none of ours has used its nonce, or when the chain is ahead of our books. " +
			"A person looks at what it was; then it goes on from the nonce that the chain has come to. By admins of all marketplaces, on record. Repeating it changes nothing.",
		MaxBodyBytes: maxAction,
	}, scopeAdmin), []Code{
		RequestMalformed, NotFound, RequestTimeout, StateConflict, BodyTooLarge, MediaTypeUnsupported, ValidationFailed, CredentialYoung, MarketplaceForbidden, ChainUnavailable,
	}, s.handleRestartSigners)
}

func (s *server) handleListSigners(ctx context.Context, _ *struct{}) (*signersOutput, error) {
	signers, err := store.Signers(ctx, s.cfg.Pool)
	if err != nil {
		return nil, err
	}
	return s.signerList(signers), nil
}

func (s *server) handleRestartSigners(ctx context.Context, in *restartInput) (*signersOutput, error) {
	if caller(ctx).Marketplace != "" {
		return nil, problem(MarketplaceForbidden, "A signer moves the money of all marketplaces, so that a caller of one cannot decide about it. Ask an admin of all of them.")
	}
	chain, ok := s.cfg.Runner.ChainNamed(in.Body.Chain)
	if !ok || chain.Nonces == nil {
		return nil, invalid("body.chain", "must be the CAIP-2 id or an alias of a chain in the configuration with signers that have nonces")
	}
	var address settlement.Address
	if in.Body.Address != "" {
		var err error
		if address, err = chain.ParseAddress(in.Body.Address); err != nil {
			return nil, invalid("body.address", "must be an address of the chain")
		}
	}
	restarted, err := s.cfg.Runner.RestartSigners(ctx, by(ctx), chain, address, string(in.Body.Reason))
	if _, silent := errors.AsType[*settlement.LookError](err); silent {
		return nil, problem(ChainUnavailable, "The signer's nonces could not be read. Repeat it later.")
	}
	if errors.Is(err, jobs.ErrSignerWaits) {
		return nil, problem(StateConflict, "Transactions of the signer wait for a block that our books do not know, and may still move money. Wait until they are in one, or replace them; then repeat it.")
	}
	if err != nil {
		return nil, err
	}
	return s.signerList(restarted), nil
}

func (s *server) signerList(signers []store.Signer) *signersOutput {
	out := &signersOutput{signerList{Signers: []signer{}}}
	for _, each := range signers {
		address := each.Address.String()
		if chain, ok := s.cfg.Runner.Chain(each.Chain); ok {
			address = chain.FormatAddress(each.Address)
		}
		out.Body.Signers = append(out.Body.Signers, signer{string(each.Chain), address, each.NextNonce, each.Stopped})
	}
	return out
}
