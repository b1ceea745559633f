package evm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/settler-pay/settler/settlement"
)

// Look is one look at the transaction of a claim.
type Look struct {
	Verdict settlement.Verdict
	// Transfers are all fungible transfers of the transaction that we can read, of every token, in the order of their
	// logs; native value first, read only for a claim of native coin. Empty for a failed transaction.
	Transfers []settlement.Transfer
}

// Verify reports whether the chain confirms claim.
//
// A verdict is a fact about the payment. The error is a *settlement.LookError, means that we could not look and says
// nothing about the payment. Not found and not yet final are pending, never errors. Every verdict about a transaction in
// a block carries evidence; TX_UNCONFIRMED carries the transfer that will pay once the block is final, if there is one
// and the block is known to the endpoint. TX_PENDING carries the transaction's slot: a later claim that has it is answered
// PROOF_EXPIRED (replaced) once the transaction is gone and another one is final in its place. Claim.Policy is taken from
// the chain's own list of tokens.
//
// Checks are made in this order, and the first that fails is the verdict: claim, endpoint's chain, found, final and
// canonical, success, token, payee, payer, amount, reference, not used, time.
//
// Source: sections 2 and 4 of the verification rules.
func (c *Chain) Verify(ctx context.Context, claim settlement.Claim) (settlement.Verdict, error) {
	look, err := c.Look(ctx, claim)
	return look.Verdict, err
}

// Look is Verify, and tells what else the transaction moves.
func (c *Chain) Look(ctx context.Context, claim settlement.Claim) (Look, error) {
	if code := c.refuse(claim); code != "" {
		return Look{Verdict: settlement.Verdict{Code: code}}, nil
	}
	claim.Policy = c.tokens[claim.Want.Token].Policy
	switch rule := c.ruleFor(claim.Want.Token, claim.Want.Amount); {
	case rule.Trust.Proof:
		return c.lookProof(ctx, claim, rule)
	case rule.Trust.Operators > 1:
		return c.lookQuorum(ctx, claim, rule)
	default:
		return c.lookSingle(ctx, claim, rule)
	}
}

// systemPrefix begins the addresses up to 0xffff: precompiles and what chains themselves run there. Nobody has their keys.
const systemPrefix = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// refuse is the code for a claim that no transaction of this chain can satisfy, or "".
func (c *Chain) refuse(claim settlement.Claim) settlement.Code {
	bad := func(a settlement.Address) bool { return len(a) != 20 || strings.HasPrefix(string(a), systemPrefix) }
	switch token, listed := c.tokens[claim.Want.Token]; {
	case claim.Valid() != "" || bad(claim.Want.Payee) || slices.ContainsFunc(claim.Payers, bad),
		claim.Want.Authorization != "" && len(claim.Want.Authorization) != 32:
		return settlement.IntentInvalid
	case len(claim.TxID) != 32:
		return settlement.ProofMalformed
	case claim.Chain != c.id:
		return settlement.ChainUnsupported
	case !listed, !token.Policy.Accepts():
		return settlement.TokenUnsupported
	}
	return ""
}

// look is the procedure, at one endpoint.
func (s *session) look(ctx context.Context, claim settlement.Claim) (Look, error) {
	raw, err := s.call(ctx, "eth_getTransactionReceipt", claim.TxID.String())
	if err != nil {
		return Look{}, err
	}
	if isNull(raw) {
		return s.absent(ctx, claim)
	}
	receipt, err := decodeObject(raw, "the receipt", decodeReceipt)
	if err != nil {
		return Look{}, err
	}
	if receipt.txid != claim.TxID {
		return Look{}, inconsistent("the receipt is of transaction %s", receipt.txid)
	}
	if err := receipt.check(s.chain.noBlooms); err != nil {
		return Look{}, err
	}
	s.said, s.facts = raw, receipt.facts()
	s.explain("found", "in block %d, transaction %d of it, with %d logs", receipt.number, receipt.index, len(receipt.logs))
	s.explain("coherent", "every log is where the receipt is, in order, and the bloom is that of the logs")
	// What is final is read before the block: otherwise two nodes behind one URL could make a replaced block look final.
	final, err := s.final(ctx)
	if err != nil {
		return Look{}, err
	}
	inBlock, err := s.canonical(ctx, receipt.number)
	if err != nil {
		return Look{}, err
	}
	return s.judge(ctx, claim, receipt, final, inBlock)
}

// judge is the rest of the procedure, from what is known of the transaction, of the block in its place, and of finality.
func (s *session) judge(ctx context.Context, claim settlement.Claim, receipt receipt, final finality, inBlock header) (Look, error) {
	evidence := func() *settlement.Evidence {
		return &settlement.Evidence{
			Chain: s.chain.id, TxID: claim.TxID.String(), Block: receipt.number, BlockHash: receipt.blockHash.String(),
			BlockTime: inBlock.time, Finality: s.rule.Finality.Words(), Head: final.number, Trust: s.rule.Trust.String(),
			TxSender: FormatAddress(receipt.sender), Endpoints: []string{s.e.name}, Digests: slices.Clone(s.digests),
			LookedAt: s.chain.now().UTC(),
		}
	}
	verdict := func(code settlement.Code) (Look, error) {
		return Look{Verdict: settlement.Verdict{Code: code, Evidence: evidence()}}, nil
	}
	known := inBlock.hash == receipt.blockHash
	isFinal := final.covers(receipt.number)
	s.explain("final", "%s: %s, up to block %d", s.rule.Finality, yes(isFinal), final.number)
	s.explain("canonical", "%s: block %d is %s", yes(known), receipt.number, cmp.Or(inBlock.hash.String(), "absent"))
	switch {
	case !isFinal && !known: // a receipt given out ahead of its block, or of a block that was replaced
		inBlock = header{}
		return verdict(settlement.TxUnconfirmed)
	case inBlock.hash == "":
		return Look{}, inconsistent("block %d is final and absent", receipt.number)
	case !known:
		inBlock = header{}
		return verdict(settlement.TxReorged)
	}
	status := receipt.status
	s.explain("succeeded", "%s", yes(status != nil && *status == 1))
	switch {
	case !isFinal && (status == nil || *status != 1):
		return verdict(settlement.TxUnconfirmed)
	case status == nil:
		return verdict(settlement.TxStatusUnprovable)
	case *status == 0:
		return verdict(settlement.TxFailed)
	case *status != 1:
		return Look{}, undecodable("the receipt", fmt.Errorf("status %d is neither success nor failure", *status))
	}
	seen := transfersOf(receipt.logs)
	if claim.Want.Token == "" {
		native, err := s.native(ctx, receipt)
		if err != nil {
			return Look{}, err
		}
		seen = append(native, seen...)
	}
	judged := settlement.Judge(claim, settlement.Block{Number: receipt.number, Hash: receipt.blockHash, Time: inBlock.time}, seen)
	s.explainFunnel(judged, len(seen))
	switch {
	case isFinal:
	case judged.Code == settlement.Verified:
		judged.Code = settlement.TxUnconfirmed
	default:
		judged = settlement.Verdict{Code: settlement.TxUnconfirmed}
	}
	judged.Evidence = evidence()
	return Look{Verdict: judged, Transfers: seen}, nil
}

// absent tells a transaction that the endpoint does not know from one that waits, from one that another has replaced, and
// from an index that lags behind.
//
// Source: step 2 and E-08 of the verification rules.
func (s *session) absent(ctx context.Context, claim settlement.Claim) (Look, error) {
	raw, err := s.call(ctx, "eth_getTransactionByHash", claim.TxID.String())
	if err != nil {
		return Look{}, err
	}
	if isNull(raw) {
		gone, err := s.replaced(ctx, claim.Slot)
		switch {
		case err != nil:
			return Look{}, err
		case gone:
			s.explain("found", "no: another transaction of its sender is final in its place")
			return Look{Verdict: settlement.Verdict{Code: settlement.ProofExpired, Detail: settlement.Replaced}}, nil
		}
		s.explain("found", "no")
		return Look{Verdict: settlement.Verdict{Code: settlement.TxNotFound}}, nil
	}
	tx, err := decodeObject(raw, "the transaction", decodeTransaction)
	switch {
	case err != nil:
		return Look{}, err
	case tx.txid != claim.TxID:
		return Look{}, inconsistent("the transaction is %s", tx.txid)
	case tx.blockHash != "":
		return Look{}, inconsistent("the transaction is in block %d and has no receipt", tx.number)
	}
	s.explain("found", "in no block yet")
	pending := settlement.Verdict{Code: settlement.TxPending}
	if tx.hasNonce && tx.from != "" {
		pending.Slot = &settlement.Slot{Sender: tx.from, Nonce: tx.nonce}
	}
	return Look{Verdict: pending}, nil
}

// replaced reports whether the sender has used up the slot at what is final.
func (s *session) replaced(ctx context.Context, slot *settlement.Slot) (bool, error) {
	if slot == nil {
		return false, nil
	}
	final, err := s.final(ctx)
	if err != nil || final.none {
		return false, err
	}
	raw, err := s.call(ctx, "eth_getTransactionCount", slot.Sender.String(), hexNumber(final.number))
	if _, refused := errors.AsType[*rpcError](err); refused && settlement.LookCode(err) != settlement.RPCRateLimited {
		return false, nil // it keeps no state of that age, and is sound otherwise
	}
	if err != nil {
		return false, err
	}
	count, err := quantity(raw)
	if err != nil {
		return false, undecodable("the sender's nonce", err)
	}
	return count > slot.Nonce, nil
}

// native is the value of the transaction itself, as a list of at most one transfer. Value that contracts pass on is
// invisible without tracing.
//
// Source: step 8 and E-58 of the verification rules.
func (s *session) native(ctx context.Context, in receipt) ([]settlement.Transfer, error) {
	raw, err := s.call(ctx, "eth_getTransactionByHash", in.txid.String())
	if err != nil {
		return nil, err
	}
	if isNull(raw) {
		return nil, inconsistent("the transaction has a receipt and is unknown")
	}
	tx, err := decodeObject(raw, "the transaction", decodeTransaction)
	switch {
	case err != nil:
		return nil, err
	case tx.txid != in.txid:
		return nil, inconsistent("the transaction is %s", tx.txid)
	case tx.blockHash != in.blockHash || tx.number != in.number:
		return nil, inconsistent("transaction and receipt name different blocks")
	case !tx.hasValue: // a type of transaction that we do not know; it may have moved something
		return nil, undecodable("the transaction", errors.New("value is missing"))
	case in.sender != "" && tx.from != in.sender:
		return nil, inconsistent("transaction and receipt name different senders")
	}
	if s.rule.Trust.Proof {
		if err := s.chain.prove(raw, &tx); err != nil {
			return nil, err
		}
	}
	s.facts += tx.facts()
	return tx.transfers(), nil
}

// check holds the receipt against itself.
//
// Every log must say where the receipt says it is, and the bloom must be that of the logs: a log that was lost on the way
// would otherwise become a rejection, and an added one a payment.
//
// Source: step 3 of the verification rules.
func (r *receipt) check(noBlooms bool) error {
	if r.blockHash == "" || isZero(r.blockHash) || !r.hasNumber || r.number == 0 || r.txid == "" {
		return inconsistent("the receipt names no block or no transaction")
	}
	txid, blockHash := [32]byte([]byte(r.txid)), [32]byte([]byte(r.blockHash))
	for i := range r.logs {
		switch l := &r.logs[i]; {
		case l.removed:
			return inconsistent("log %d was removed", l.index)
		case l.blockHash != blockHash || l.number != r.number:
			return inconsistent("log %d is of another block than its receipt", l.index)
		case l.txid != txid || l.txIndex != r.index:
			return inconsistent("log %d is of another transaction than its receipt", l.index)
		case i > 0 && l.index <= r.logs[i-1].index:
			return inconsistent("log %d does not follow log %d", l.index, r.logs[i-1].index)
		}
	}
	if !noBlooms && bloomOfLogs(r.logs) != r.bloom {
		return inconsistent("the receipt's logsBloom is not that of its logs")
	}
	return nil
}

func isZero(hash settlement.BlockHash) bool {
	for i := range len(hash) {
		if hash[i] != 0 {
			return false
		}
	}
	return true
}
