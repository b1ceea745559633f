package solana

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// Look is one look at the transaction of a claim.
type Look struct {
	Verdict settlement.Verdict
	// Transfers are all fungible transfers of the transaction that we can read, of every token and of the native coin, in
	// the order in which they ran. Empty for a failed transaction.
	Transfers []Transfer
}

// Verify reports whether the chain confirms claim.
//
// A verdict is a fact about the payment. The error is a *settlement.LookError, means that we could not look and says
// nothing about the payment. Not found and not yet final are pending, never errors. Every verdict about a transaction in
// a block carries evidence; TX_UNCONFIRMED carries the transfer that will pay once the transaction is final, if there is
// one and the cluster has voted for it.
//
// Source: sections 2 and 6 of the verification rules.
func (c *Chain) Verify(ctx context.Context, claim settlement.Claim) (settlement.Verdict, error) {
	look, err := c.Look(ctx, claim)
	return look.Verdict, err
}

// Look is Verify, and tells what else the transaction moves.
func (c *Chain) Look(ctx context.Context, claim settlement.Claim) (Look, error) {
	if code := c.refuse(claim); code != "" {
		return Look{Verdict: settlement.Verdict{Code: code}}, nil
	}
	rule := c.ruleFor(claim.Want.Token, claim.Want.Amount)
	if rule.Trust.operators() > 1 {
		return c.lookQuorum(ctx, claim, rule)
	}
	return c.lookSingle(ctx, claim, rule)
}

// Judge decides claim on the result of getTransaction as an endpoint gave it, in the encoding "json". It trusts the caller
// that the transaction is final and asks nobody; what only other calls can tell stays out of the evidence. The error is a
// *settlement.LookError.
func (c *Chain) Judge(claim settlement.Claim, result json.RawMessage) (Look, error) {
	if code := c.refuse(claim); code != "" {
		return Look{Verdict: settlement.Verdict{Code: code}}, nil
	}
	l, err := read(result, claim.TxID)
	if err != nil {
		return Look{}, err
	}
	if l.blockTime == 0 {
		return Look{}, inconsistent("the transaction has no block time")
	}
	digest := sha256.Sum256(result)
	return c.judge(claim, l, true, settlement.Evidence{Digests: []string{hex.EncodeToString(digest[:])}}), nil
}

// maxAmount is what 64 bits hold.
var maxAmount = settlement.NewAmount(math.MaxUint64)

// refuse is the code for a claim that no transaction of this chain can satisfy, or "".
func (c *Chain) refuse(claim settlement.Claim) settlement.Code {
	bad := func(a settlement.Address) bool { return len(a) != 32 }
	switch _, listed := c.tokens[claim.Want.Token]; {
	case claim.Valid() != "" || bad(claim.Want.Payee) || slices.ContainsFunc(claim.Payers, bad) ||
		claim.Want.Amount.Cmp(maxAmount) > 0 || claim.Reference != "" && bad(claim.Reference):
		return settlement.IntentInvalid
	case len(claim.TxID) != 64:
		return settlement.ProofMalformed
	case claim.Chain != c.id:
		return settlement.ChainUnsupported
	case !listed:
		return settlement.TokenUnsupported
	}
	return ""
}

// read decodes the answer and holds it against itself.
func read(raw json.RawMessage, txid settlement.TxID) (*ledger, error) {
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return nil, unavailable("the transaction is not an object")
	}
	a, err := decodeAnswer(raw)
	if err != nil {
		return nil, undecodable("the transaction", err)
	}
	return a.check(txid)
}

// look is the procedure, at one endpoint.
func (s *session) look(ctx context.Context, claim settlement.Claim) (seen, error) {
	rule := s.rule.Finality
	raw, err := s.transaction(ctx, claim.TxID, rule)
	if err != nil {
		return seen{}, err
	}
	final := true
	if isNull(raw) {
		status, err := s.status(ctx, claim.TxID)
		if err != nil {
			return seen{}, err
		}
		switch {
		case status == "":
			s.explain("found", "no: the endpoint knows nothing of it")
			return absent(settlement.TxNotFound), nil
		case status == string(rule), status == string(Finalized): // since we asked, or the node has lost it
			raw, err = s.transaction(ctx, claim.TxID, rule)
		case status == string(Confirmed):
			final = false
			raw, err = s.transaction(ctx, claim.TxID, Confirmed)
		default:
			return absent(settlement.TxUnconfirmed), nil
		}
		if err != nil {
			return seen{}, err
		}
		if isNull(raw) && final {
			return seen{}, historyUnavailable("the endpoint calls the transaction final and does not have it")
		}
		if isNull(raw) {
			return absent(settlement.TxUnconfirmed), nil
		}
	}
	s.explain("found", "yes")
	l, err := read(raw, claim.TxID)
	if err != nil {
		s.explain("coherent", "no: %v", err)
		return seen{}, err
	}
	s.explain("coherent", "yes: %d signature(s) over the message, balances of %d accounts, version %s", len(l.signatures), len(l.keys), l.message.versionText())
	head, err := s.head(ctx, rule)
	if err != nil {
		return seen{}, err
	}
	if final && head < l.slot {
		return seen{}, inconsistent("the transaction is %s in slot %d, and the cluster only in slot %d", rule, l.slot, head)
	}
	if l.blockTime == 0 {
		if l.blockTime, err = s.blockTime(ctx, l.slot); err != nil {
			return seen{}, err
		}
	}
	s.explain(string(rule), "%s: slot %d, the cluster is at %d", yes(final), l.slot, head)
	s.explain("succeeded", "%s", yes(!l.failed))
	look := s.chain.judge(claim, l, final, settlement.Evidence{
		Finality: rule, Trust: s.rule.Trust.String(), Head: head, Endpoints: []string{s.Endpoint.Name}, Digests: slices.Clone(s.Digests),
	})
	if !l.failed {
		s.explainFunnel(look.Verdict, len(look.Transfers))
	}
	return seen{look, jsonrpc.Vote{Endpoint: s.Endpoint, Facts: l.facts(), JSON: raw}}, nil
}

func absent(code settlement.Code) seen {
	return seen{Look: Look{Verdict: settlement.Verdict{Code: code}}}
}

// judge decides on a coherent answer. What was decided on completes the evidence.
func (c *Chain) judge(claim settlement.Claim, l *ledger, final bool, evidence settlement.Evidence) Look {
	token := c.tokens[claim.Want.Token]
	claim.Policy = token.Policy
	block := settlement.Block{Number: l.slot, Time: time.Unix(int64(l.blockTime), 0).UTC()}
	evidence.Chain, evidence.TxID, evidence.LookedAt = c.id, FormatTxID(claim.TxID), c.now().UTC()
	evidence.Block, evidence.BlockTime, evidence.TxSender = block.Number, block.Time, l.keys[0].String()

	verdict := settlement.Verdict{Code: settlement.TxFailed}
	var transfers []Transfer
	if !l.failed {
		transfers = l.transfers(c, claim, token)
		bare := make([]settlement.Transfer, len(transfers))
		for i := range transfers {
			bare[i] = transfers[i].Transfer
		}
		verdict = settlement.Judge(claim, block, bare)
	}
	if !final {
		if verdict.Code != settlement.Verified {
			verdict.Transfer, verdict.Parts = nil, nil
		}
		verdict = settlement.Verdict{Code: settlement.TxUnconfirmed, Transfer: verdict.Transfer, Parts: verdict.Parts}
	}
	if verdict.Transfer != nil {
		i := slices.IndexFunc(transfers, func(t Transfer) bool { return t.Position == verdict.Transfer.Position })
		t := transfers[i]
		evidence.Source, evidence.Destination, evidence.Authority = FormatAddress(t.Source), FormatAddress(t.Destination), FormatAddress(t.Authority)
	}
	verdict.Evidence = &evidence
	return Look{Verdict: verdict, Transfers: transfers}
}

// transaction asks for the transaction at that commitment. The highest version is named, because a node refuses those that
// it was not told to be understood.
func (s *session) transaction(ctx context.Context, txid settlement.TxID, at Finality) (json.RawMessage, error) {
	return s.call(ctx, "getTransaction", FormatTxID(txid), map[string]any{
		"encoding": "json", "commitment": at, "maxSupportedTransactionVersion": version1,
	})
}

// status is what the node knows of a transaction whose body it does not give out: "", "processed", "confirmed" or
// "finalized".
func (s *session) status(ctx context.Context, txid settlement.TxID) (string, error) {
	statuses, err := s.statuses(ctx, []settlement.TxID{txid})
	if err != nil {
		return "", err
	}
	return statuses[0].Level, nil
}

// head is the highest slot at that commitment.
func (s *session) head(ctx context.Context, at Finality) (uint64, error) {
	highest := s.Endpoint.Head() // before the call: a look beside this one may be told of a higher one meanwhile
	raw, err := s.call(ctx, "getSlot", map[string]any{"commitment": at})
	if err != nil {
		return 0, err
	}
	slot, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		return 0, unavailable("getSlot: the answer is not a number")
	}
	// Nodes behind one URL are never quite level, and a look at the older one still says what it says.
	if slot+maxStep < highest {
		return 0, inconsistent("the %s slot went back from %d to %d", at, highest, slot)
	}
	s.Endpoint.Reached(slot)
	return slot, nil
}

// maxStep is how many slots an endpoint's head may go back, about a minute.
const maxStep = 150

// blockTime asks for the time of a slot whose transaction did not say it.
//
// Source: S-41 of the verification rules.
func (s *session) blockTime(ctx context.Context, slot uint64) (uint64, error) {
	raw, err := s.call(ctx, "getBlockTime", slot)
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.ParseUint(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil || seconds == 0 || seconds > maxBlockTime {
		return 0, inconsistent("slot %d has no time", slot)
	}
	return seconds, nil
}
