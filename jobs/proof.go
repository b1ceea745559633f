package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/riverqueue/river"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// patience is after how many attempts a refusal that time may heal is believed.
const patience = 5

// postProofs tells the orchestrator about verified payments. The payments are marked before the first call; one that
// comes with the mark may have been posted by a run that did not end, and is read back first.
func (r *Runner) postProofs(ctx context.Context, job *river.Job[postProofsArgs]) error {
	seen, err := r.transfersOf(ctx, job.Args.Payments)
	if err != nil {
		return err
	}
	return r.eachPayment(ctx, job.ID, job.Args.Payments, []settlement.State{settlement.StateVerified}, true, func(ctx context.Context, t task) outcome {
		return r.postProof(ctx, t, seen[t.payment.ID])
	})
}

// transfersOf reads the transfers of all payments at once. Those that pay were final before the job was inserted, and
// final ones never change, so that they may be read before the payments are claimed.
func (r *Runner) transfersOf(ctx context.Context, texts []string) (map[settlement.PaymentID][]store.SeenTransfer, error) {
	ids := make([]settlement.PaymentID, 0, len(texts))
	for _, text := range texts {
		if id, err := settlement.ParsePaymentID(text); err == nil { // eachPayment refuses the job for the others
			ids = append(ids, id)
		}
	}
	transfers, err := store.TransfersOf(ctx, r.cfg.Pool, ids)
	if err != nil {
		return nil, err
	}
	seen := make(map[settlement.PaymentID][]store.SeenTransfer, len(ids))
	for _, s := range transfers {
		seen[s.Payment] = append(seen[s.Payment], s)
	}
	return seen, nil
}

func (r *Runner) postProof(ctx context.Context, t task, seen []store.SeenTransfer) outcome {
	p := t.payment
	client := r.marketplaces[p.Marketplace].Client
	chain, ok := r.chains[p.Terms.Token.Chain]
	if client == nil || !ok {
		return r.again(ctx, t, fmt.Errorf("marketplace %q or chain %s is not in the configuration", p.Marketplace, p.Terms.Token.Chain))
	}
	if p.Observed {
		return outcome{}
	}
	if r.marketplaces[p.Marketplace].Gate.shut() {
		return r.again(ctx, t, ErrHeldBack)
	}
	if t.posting {
		held, err := readPayment(ctx, client, p.OrderID)
		if err != nil {
			o := r.again(ctx, t, fmt.Errorf("read payment back: %w", err))
			o.unknown = true
			return o
		}
		if o, decided := readBack(t, chain, held); decided {
			return o
		}
	}
	if rails.Escrow(p.Rail) {
		return r.lockEscrow(ctx, t, chain)
	}
	proof, err := proofOf(p, chain, seen)
	if err != nil {
		return r.again(ctx, t, err)
	}
	session, err := r.sessionOf(p.Marketplace, p.MachineID)
	if err != nil {
		return r.again(ctx, t, err)
	}
	post := func() (paid orchestration.MarketPayment, err error) {
		err = session.Do(ctx, func(token orchestration.Secret) (err error) {
			paid, err = client.SubmitPaymentProof(ctx, token, p.OrderID, proof)
			return err
		})
		if err == nil {
			err = ofOrder(paid, p.OrderID)
		}
		return paid, err
	}
	paid, err := post()
	if errors.Is(err, orchestration.CodePaymentRPCRequired) {
		// The orchestrator cannot look at this chain: it records our word, and the history says so.
		proof.VerificationMode = orchestration.VerificationRecorded
		paid, err = post()
	}
	if err != nil {
		return r.proofFailed(ctx, t, chain, err)
	}
	if o, decided := readBack(t, chain, &paid); decided {
		for i := range o.events {
			o.events[i].Detail = strings.TrimPrefix(o.events[i].Detail+", "+string(proof.VerificationMode), ", ")
		}
		return o
	}
	return r.again(ctx, t, fmt.Errorf("the proof was taken and the payment is %s", paid.Status))
}

// proofOf is our evidence in the form that the API takes. The native coin has no Transfer log for the orchestrator to
// find: it can only be recorded.
func proofOf(p settlement.Payment, chain Chain, seen []store.SeenTransfer) (orchestration.PaymentProof, error) {
	for _, s := range seen {
		if !s.Consumed || s.Sighting.TxID != p.PaidBy {
			continue
		}
		proof := orchestration.PaymentProof{
			VerificationMode: orchestration.VerificationRecorded, Chain: string(chain.ID), Token: p.Terms.Token.Symbol,
			PayerAddress: chain.FormatAddress(s.Sighting.Transfer.Payer), PayeeAddress: chain.FormatAddress(s.Sighting.Transfer.Payee),
			Amount: s.Sighting.Transfer.Amount.Major(p.Terms.Token.Decimals), RawAmount: s.Sighting.Transfer.Amount.String(),
		}
		decimals := int(p.Terms.Token.Decimals)
		proof.TokenDecimals = &decimals
		token := chain.FormatAddress(p.Terms.Token.Address)
		if chain.ID.Namespace() == "solana" { // where it looks at nothing
			proof.TransactionSignature, proof.TokenMint = chain.FormatTxID(p.PaidBy), token
			return proof, nil
		}
		proof.TransactionHash = chain.FormatTxID(p.PaidBy)
		// What a person accepted would not pass the orchestrator's own look.
		if p.Terms.Token.Address != "" && finalKind(s.Sighting.Verdict) != settlement.EventPaymentMispaid {
			proof.VerificationMode, proof.TokenAddress = orchestration.VerificationRPC, token
		}
		return proof, nil
	}
	return orchestration.PaymentProof{}, fmt.Errorf("no final transfer of %s is stored for the payment", chain.FormatTxID(p.PaidBy))
}

// readBack decides from the orchestrator's payment whether our proof stands there. Undecided means that it has to be
// posted.
func readBack(t task, chain Chain, held *orchestration.MarketPayment) (outcome, bool) {
	if held == nil || held.Status == orchestration.PaymentIntentCreated {
		return outcome{}, false
	}
	event := settlement.Event{Payment: t.payment.ID, Version: t.payment.Version, Platform: string(held.Status)}
	switch held.Status {
	case orchestration.PaymentHeld, orchestration.PaymentReleasePending, orchestration.PaymentReleased:
		// A proof that names no transaction says nothing against ours.
		by := provenBy(held.Proof)
		if by == "" || sameTx(chain, by, t.payment.PaidBy) {
			event.ID, event.Kind = "proof_accepted", settlement.EventProofAccepted
			return outcome{events: []settlement.Event{event}}, true
		}
		event.Detail = fmt.Sprintf("the orchestrator holds the payment by transaction %s, not by ours", by)
	default:
		event.Detail = fmt.Sprintf("the orchestrator's payment is %s", held.Status)
	}
	event.ID, event.Kind = fmt.Sprintf("platform_differs/%d", t.payment.Version), settlement.EventPlatformDiffers
	event.Reason = PlatformDiffers
	return outcome{events: []settlement.Event{event}}, true
}

// PlatformDiffers is the reason of a review after the orchestrator's books were found to contradict ours.
const PlatformDiffers settlement.Code = "PLATFORM_DIFFERS"

// ProofRefused is the reason of a review after the orchestrator refused our proof.
const ProofRefused settlement.Code = "PROOF_REFUSED"

// provenBy is the transaction that a proof names, empty for none. The contract gives a Solana signature no field of its
// own to be read back in: it may stand in either.
func provenBy(proof *orchestration.Proof) string {
	if proof == nil {
		return ""
	}
	return cmp.Or(proof.TransactionSignature, proof.TransactionHash)
}

func sameTx(chain Chain, text string, id settlement.TxID) bool {
	parsed, err := chain.ParseTxID(text)
	return err == nil && parsed == id
}

// proofFailed sorts the refusals of a proof.
func (r *Runner) proofFailed(ctx context.Context, t task, chain Chain, err error) outcome {
	api, ok := refusalOf(err)
	if !ok {
		return r.again(ctx, t, fmt.Errorf("post proof: %w", err))
	}
	if identityRefused(api.Code) {
		return forbidden(t, api.Code)
	}
	switch api.Code {
	case orchestration.CodePaymentNotMined, orchestration.CodePaymentRPCError, orchestration.CodeAuthRequired, orchestration.CodeAuthInvalid,
		orchestration.CodeMachineNotActive, orchestration.CodeMachineNotActivated:
		return r.again(ctx, t, fmt.Errorf("post proof: %w", err)) // time or an operator heals it
	case orchestration.CodePaymentTransferNotFound, orchestration.CodePaymentTxFailed, orchestration.CodeNotFound:
		if t.attempts < patience { // its endpoint may lag behind ours
			return r.again(ctx, t, fmt.Errorf("post proof: %w", err))
		}
	}
	// Before a person is called: it may be refused because it stands there already.
	held, readErr := readPayment(ctx, r.marketplaces[t.payment.Marketplace].Client, t.payment.OrderID)
	if readErr != nil {
		return r.again(ctx, t, fmt.Errorf("read payment back: %w, after the refusal: %w", readErr, err))
	}
	if o, decided := readBack(t, chain, held); decided {
		return o
	}
	return outcome{events: []settlement.Event{{
		ID: fmt.Sprintf("proof_refused/%d", t.payment.Version), Payment: t.payment.ID, Kind: settlement.EventProofRefused,
		Version: t.payment.Version, Reason: ProofRefused, Detail: api.Error(),
	}}}
}
