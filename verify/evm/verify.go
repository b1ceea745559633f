package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

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
// and the block is known to the endpoint.
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
	var found Look
	absences := 0
	err := c.ask(ctx, func(ctx context.Context, s *session) error {
		look, err := s.look(ctx, claim)
		if err != nil {
			return err
		}
		if look.Verdict.Evidence != nil {
			found = look
			return nil
		}
		// One endpoint's null is not "it is not there"; two say so, or the only one there is.
		if absences++; absences == 1 || look.Verdict.Code == settlement.TxPending {
			found = look
		}
		if absences < 2 {
			return errAskAnother
		}
		return nil
	})
	if err != nil && !errors.Is(err, errAskAnother) {
		return Look{}, err
	}
	return found, nil
}

// refuse is the code for a claim that no transaction of this chain can satisfy, or "".
func (c *Chain) refuse(claim settlement.Claim) settlement.Code {
	bad := func(a settlement.Address) bool { return len(a) != 20 }
	switch _, listed := c.tokens[claim.Want.Token]; {
	case claim.Valid() != "" || bad(claim.Want.Payee) || slices.ContainsFunc(claim.Payers, bad):
		return settlement.IntentInvalid
	case len(claim.TxID) != 32:
		return settlement.ProofMalformed
	case claim.Chain != c.id:
		return settlement.ChainUnsupported
	case !listed:
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
		return s.absent(ctx, claim.TxID)
	}
	receipt, err := decodeObject(raw, "the receipt", decodeReceipt)
	if err != nil {
		return Look{}, err
	}
	if receipt.txid != claim.TxID {
		return Look{}, inconsistent("the receipt is of transaction %s", receipt.txid)
	}
	if err := receipt.check(); err != nil {
		return Look{}, err
	}
	// What is final is read before the block: otherwise two nodes behind one URL could make a replaced block look final.
	final, err := s.final(ctx)
	if err != nil {
		return Look{}, err
	}
	inBlock, err := s.canonical(ctx, receipt.number)
	if err != nil {
		return Look{}, err
	}
	evidence := func() *settlement.Evidence {
		return &settlement.Evidence{
			Chain: s.chain.id, TxID: claim.TxID.String(), Block: receipt.number, BlockHash: receipt.blockHash.String(),
			BlockTime: inBlock.time, Finality: s.chain.finality.String(), Head: final.number,
			TxSender: FormatAddress(receipt.sender), Endpoints: []string{s.e.name}, Digests: slices.Clone(s.digests),
			LookedAt: s.chain.now().UTC(),
		}
	}
	verdict := func(code settlement.Code) (Look, error) {
		return Look{Verdict: settlement.Verdict{Code: code, Evidence: evidence()}}, nil
	}
	known := inBlock.hash == receipt.blockHash
	isFinal := final.covers(receipt.number)
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
	if !isFinal {
		if judged.Code != settlement.Verified {
			judged.Transfer = nil
		}
		judged = settlement.Verdict{Code: settlement.TxUnconfirmed, Transfer: judged.Transfer}
	}
	judged.Evidence = evidence()
	return Look{Verdict: judged, Transfers: seen}, nil
}

// absent tells a transaction that the endpoint does not know from one that waits, and from an index that lags behind.
func (s *session) absent(ctx context.Context, txid settlement.TxID) (Look, error) {
	raw, err := s.call(ctx, "eth_getTransactionByHash", txid.String())
	if err != nil {
		return Look{}, err
	}
	if isNull(raw) {
		return Look{Verdict: settlement.Verdict{Code: settlement.TxNotFound}}, nil
	}
	tx, err := decodeObject(raw, "the transaction", decodeTransaction)
	switch {
	case err != nil:
		return Look{}, err
	case tx.txid != txid:
		return Look{}, inconsistent("the transaction is %s", tx.txid)
	case tx.blockHash != "":
		return Look{}, inconsistent("the transaction is in block %d and has no receipt", tx.number)
	}
	return Look{Verdict: settlement.Verdict{Code: settlement.TxPending}}, nil
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
	return tx.transfers(), nil
}

// check holds the receipt against itself.
//
// Every log must say where the receipt says it is, and the bloom must be that of the logs: a log that was lost on the way
// would otherwise become a rejection, and an added one a payment.
//
// Source: step 3 of the verification rules.
func (r *receipt) check() error {
	if r.blockHash == "" || isZero(r.blockHash) || !r.hasNumber || r.number == 0 {
		return inconsistent("the receipt names no block")
	}
	var bloom types.Bloom
	for i, l := range r.logs {
		switch {
		case l.removed:
			return inconsistent("log %d was removed", l.index)
		case l.blockHash != r.blockHash || l.number != r.number:
			return inconsistent("log %d is of another block than its receipt", l.index)
		case l.txid != r.txid || l.txIndex != r.index:
			return inconsistent("log %d is of another transaction than its receipt", l.index)
		case i > 0 && l.index <= r.logs[i-1].index:
			return inconsistent("log %d does not follow log %d", l.index, r.logs[i-1].index)
		}
		l.addTo(&bloom)
	}
	if bloom != r.bloom {
		return inconsistent("the receipt's logsBloom is not that of its logs")
	}
	return nil
}

func (l *logEntry) addTo(bloom *types.Bloom) {
	bloom.Add([]byte(l.address))
	for _, topic := range l.topics {
		bloom.Add([]byte(topic))
	}
}

func isZero(hash settlement.BlockHash) bool {
	for i := range len(hash) {
		if hash[i] != 0 {
			return false
		}
	}
	return true
}

// decodeObject tells an answer that is no object at all (a sentence of some gateway) from one we cannot read.
func decodeObject[T any](raw json.RawMessage, what string, decode func(json.RawMessage) (T, error)) (T, error) {
	if len(raw) == 0 || raw[0] != '{' {
		var zero T
		return zero, unavailable("%s is not an object", what)
	}
	value, err := decode(raw)
	if err != nil {
		return value, undecodable(what, err)
	}
	return value, nil
}

// finality is what one endpoint calls final.
type finality struct {
	number uint64               // the highest final block
	hash   settlement.BlockHash // of that block; empty where the rule is a depth
	latest uint64               // of a depth only, and of the tag "latest"
	none   bool                 // the chain is younger than the depth: nothing is final
	time   time.Time
}

func (f finality) covers(number uint64) bool { return !f.none && number <= f.number }

// final reads the highest final block. The tag's block must not go backwards at one endpoint: that is an old answer out
// of some cache.
//
// Source: step 4 and R-08 of the verification rules.
func (s *session) final(ctx context.Context) (finality, error) {
	rule := s.chain.finality
	if rule.Tag == "" {
		latest, err := s.block(ctx, "latest")
		if err != nil {
			return finality{}, err
		}
		if latest.number < rule.Depth {
			return finality{latest: latest.number, none: true, time: latest.time}, nil
		}
		return finality{number: latest.number - rule.Depth, latest: latest.number, time: latest.time}, nil
	}
	highest := s.e.finalAtLeast(0) // before the call: a look beside this one may be told of a higher one meanwhile
	tagged, err := s.block(ctx, rule.Tag)
	if err != nil {
		return finality{}, err
	}
	if rule.Tag != "latest" && tagged.number < highest {
		return finality{}, inconsistent("the %s block went back from %d to %d", rule.Tag, highest, tagged.number)
	}
	s.e.finalAtLeast(tagged.number)
	return finality{number: tagged.number, hash: tagged.hash, latest: tagged.number, time: tagged.time}, nil
}

// block reads the header that a tag names.
func (s *session) block(ctx context.Context, tag string) (header, error) {
	raw, err := s.call(ctx, "eth_getBlockByNumber", tag, false)
	if err != nil {
		return header{}, err
	}
	if isNull(raw) {
		return header{}, &settlement.LookError{
			Code: settlement.RPCMisconfigured, Err: fmt.Errorf("the endpoint names no %s block", tag),
		}
	}
	head, err := decodeObject(raw, "the "+tag+" block", decodeHeader)
	if err == nil && (head.hash == "" || isZero(head.hash)) {
		err = inconsistent("the %s block has no hash", tag)
	}
	return head, err
}

// canonical reads the header of the block with that number; the zero header when the endpoint has none.
func (s *session) canonical(ctx context.Context, number uint64) (header, error) {
	raw, err := s.call(ctx, "eth_getBlockByNumber", hexNumber(number), false)
	if err != nil || isNull(raw) {
		return header{}, err
	}
	head, err := decodeObject(raw, "the block", decodeHeader)
	if err == nil && (head.number != number || head.hash == "" || isZero(head.hash)) {
		err = inconsistent("asked for block %d, the answer is block %d with hash %q", number, head.number, head.hash)
	}
	return head, err
}

func hexNumber(n uint64) string { return "0x" + strconv.FormatUint(n, 16) }
