package evm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/trie"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// lastKnownType is the highest type of transaction whose receipts go-ethereum hashes; of others it leaves out all they say.
const lastKnownType = types.SetCodeTxType

// sealed is a block with what binds its receipts to it.
type sealed struct {
	block
	receiptsRoot common.Hash
	final        finality
	vote         vote
}

// sealed reads the canonical block of that number after what the endpoint calls final.
func (s *session) sealed(ctx context.Context, number uint64) (sealed, error) {
	final, err := s.final(ctx)
	if err != nil {
		return sealed{}, err
	}
	b, raw, err := s.wholeBlock(ctx, number, false)
	if err != nil {
		return sealed{}, err
	}
	out := sealed{block: b, final: final}
	if out.receiptsRoot, err = receiptsRootOf(raw); err != nil {
		return sealed{}, undecodable("the block", err)
	}
	var f jsonrpc.Facts
	f.Bytes(string(b.hash), string(b.parent), string(out.receiptsRoot[:]), string(b.bloom[:]))
	f.Number(b.number, uint64(b.time.Unix()))
	for _, txid := range b.txids {
		f.Bytes(string(txid))
	}
	out.vote = vote{s: s, facts: f.Sum(), json: raw}
	return out, nil
}

func receiptsRootOf(raw json.RawMessage) (common.Hash, error) {
	return decode(raw, func(c *cursor) (root common.Hash, err error) {
		found := false
		err = c.object(func(name []byte) (err error) {
			if string(name) != "receiptsRoot" {
				return c.skip()
			}
			found, err = c.fixed(root[:])
			return err
		})
		if err == nil && !found {
			err = errors.New("receiptsRoot is missing")
		}
		return root, err
	})
}

// agreedBlock is the block on which as many operators agree as the rule demands. It is final when so many say so.
func (c *Chain) agreedBlock(ctx context.Context, from []*endpoint, rule Rule, number uint64) (sealed, []*session, error) {
	need := rule.Trust.Operators
	look := func(ctx context.Context, s *session) (sealed, error) { return s.sealed(ctx, number) }
	answers, err := gather(ctx, c, from, rule, need, look)
	young := func(b sealed) bool { return !b.final.covers(number) }
	if n := len(c.byOperator(from)); err == nil && n > need && slices.ContainsFunc(answers, young) {
		// One that is behind must not hold up what enough others call final.
		if all, _ := gather(ctx, c, from, rule, n, look); len(all) >= need { // who fails now has been asked before
			answers = all
		}
	}
	votes := make([]vote, len(answers))
	sessions := make([]*session, len(answers))
	for i, a := range answers {
		votes[i], sessions[i] = a.vote, a.vote.s
	}
	if err := c.agreed(fmt.Sprintf("block %d", number), votes); err != nil {
		return sealed{}, nil, err
	}
	if err != nil {
		return sealed{}, nil, err
	}
	// What so many of them call final is final.
	slices.SortFunc(answers, func(a, b sealed) int {
		return cmp.Compare(b.final.number, a.final.number) // 0 where nothing is final
	})
	return answers[need-1], sessions, nil
}

// provenReceipts reads all receipts of the block and holds them against its receipts root. An endpoint whose receipts do
// not hash to it invents, or serves a type of transaction that go-ethereum does not know.
func (s *session) provenReceipts(ctx context.Context, b sealed) ([]receipt, error) {
	raws, receipts, err := s.blockReceipts(ctx, b.block)
	if err != nil {
		return nil, err
	}
	list := make(types.Receipts, len(raws))
	for i, raw := range raws {
		if list[i], err = decode(raw, (*cursor).consensusReceipt); err == nil && list[i].Type > lastKnownType {
			err = fmt.Errorf("type %d of transaction is one that go-ethereum cannot hash", list[i].Type)
		}
		if err != nil {
			return nil, undecodable(fmt.Sprintf("the receipts: [%d]", i), err)
		}
	}
	if types.DeriveSha(list, trie.NewStackTrie(nil)) != b.receiptsRoot {
		return nil, inconsistent("the receipts of block %d do not hash to its receipts root", b.number)
	}
	next := uint64(0) // the root covers the order of the logs, not the numbers that the endpoint gives them
	for _, r := range receipts {
		for i := range r.logs {
			if r.logs[i].index != next {
				return nil, inconsistent("log %d of block %d is numbered %d", next, b.number, r.logs[i].index)
			}
			next++
		}
	}
	return receipts, nil
}

// consensusReceipt reads what the receipts root covers. It takes names exactly as they are, like every decoder here:
// encoding/json would take "LOGS" for logs, and prove something else than what is used.
func (c *cursor) consensusReceipt() (*types.Receipt, error) {
	r := &types.Receipt{}
	const gas, bloom, logs, outcome = 1, 2, 4, 8
	left := need(gas | bloom | logs | outcome)
	err := c.object(func(name []byte) (err error) {
		var ok bool
		var n uint64
		switch string(name) {
		case "type":
			if n, _, err = c.quantity(); err == nil && n > 255 {
				err = errors.New("is not a type of transaction")
			}
			r.Type = uint8(n)
		case "status":
			if r.Status, ok, err = c.quantity(); ok {
				left.got(outcome)
			}
		case "root": // before Byzantium, in place of the status; some write an empty one beside a status
			var digits []byte
			if digits, ok, err = c.digits(); err != nil || !ok || len(digits) == 0 {
				return err
			}
			r.PostState = make([]byte, 32)
			if !fill(r.PostState, digits) {
				return errNotHex
			}
			left.got(outcome)
		case "cumulativeGasUsed":
			if r.CumulativeGasUsed, ok, err = c.quantity(); ok {
				left.got(gas)
			}
		case "logsBloom":
			if ok, err = c.fixed(r.Bloom[:]); ok {
				left.got(bloom)
			}
		case "logs":
			left.got(logs)
			err = c.list(func() error {
				l, err := c.consensusLog()
				r.Logs = append(r.Logs, l)
				return err
			})
		default:
			err = c.skip()
		}
		return err
	})
	if err == nil {
		err = left.missing("cumulativeGasUsed", "logsBloom", "logs", "status")
	}
	return r, err
}

func (c *cursor) consensusLog() (*types.Log, error) {
	l := &types.Log{}
	err := c.object(func(name []byte) error {
		switch string(name) {
		case "address":
			_, err := c.fixed(l.Address[:])
			return err
		case "topics":
			return c.list(func() error {
				var topic common.Hash
				_, err := c.fixed(topic[:])
				l.Topics = append(l.Topics, topic)
				return err
			})
		case "data":
			digits, _, err := c.digits()
			if err != nil {
				return err
			}
			if l.Data = make([]byte, len(digits)/2); !fill(l.Data, digits) {
				return errNotHex
			}
			return nil
		}
		return c.skip()
	})
	return l, err
}

// prove replaces what the endpoint says of a transaction by what its id commits to.
func (c *Chain) prove(raw json.RawMessage, tx *transaction) error {
	var known types.Transaction
	if err := known.UnmarshalJSON(raw); err != nil {
		return undecodable("the transaction", err)
	}
	if hash := known.Hash(); string(hash[:]) != string(tx.txid) {
		return inconsistent("transaction %s does not hash to its id", tx.txid)
	}
	id, err := strconv.ParseUint(c.id.Reference(), 10, 64)
	if err != nil { // impossible: New has checked it
		return undecodable("the chain's id", err)
	}
	from, err := types.Sender(types.LatestSignerForChainID(new(big.Int).SetUint64(id)), &known)
	if err != nil {
		return inconsistent("transaction %s: %w", tx.txid, err)
	}
	value, err := settlement.AmountFromBytes(known.Value().Bytes())
	if err != nil {
		return undecodable("the transaction", err)
	}
	tx.from, tx.to, tx.value = settlement.Address(from[:]), "", value
	if to := known.To(); to != nil {
		tx.to = settlement.Address(to[:])
	}
	return nil
}

// proofDepth is in how many blocks, down from the head, one with a transaction is looked for.
const proofDepth = 16

// checkProof tests at start that the receipts of a block hash to its receipts root.
func (s *session) checkProof(ctx context.Context, latest uint64) error {
	for number := latest; number > 0 && latest-number < proofDepth; number-- {
		b, err := s.sealed(ctx, number)
		if err != nil {
			return err
		}
		if len(b.txids) == 0 {
			continue
		}
		if _, err = s.provenReceipts(ctx, b); settlement.LookCode(err) == settlement.RPCInconsistent && err != nil {
			return misconfigured("%w; nothing can be proven on this chain through this endpoint", err)
		}
		return err
	}
	return nil // an empty chain proves nothing, and pays nobody
}

// scanProof has the operators agree on the block, and reads what happened in it from receipts and transactions that are
// bound to it.
func (c *Chain) scanProof(ctx context.Context, number uint64, q query) (settlement.Scan, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	b, sessions, err := c.agreedBlock(ctx, c.endpoints, c.rule, number)
	if err != nil {
		return settlement.Scan{}, err
	}
	var scan settlement.Scan
	if mayHold := len(q.tokens) > 0 && (c.noBlooms || q.mayHold(b.bloom)); !mayHold && !q.native {
		scan = sessions[0].result(b.block, nil)
		scan.Endpoints, scan.Digests = nil, nil // they follow with those of the others
	} else {
		scans, err := gather(ctx, c, c.endpoints, c.rule, 1, func(ctx context.Context, s *session) (settlement.Scan, error) {
			whole := b.block
			if q.native {
				if whole.txs, err = s.provenTransactions(ctx, b); err != nil {
					return settlement.Scan{}, err
				}
			}
			receipts, err := s.provenReceipts(ctx, b)
			if err != nil {
				return settlement.Scan{}, err
			}
			var seen []settlement.ScannedTx
			for i, r := range receipts {
				seen = s.pays(seen, whole, i, r, q)
			}
			return s.result(whole, seen), nil
		})
		if err != nil {
			return settlement.Scan{}, err
		}
		scan = scans[0]
	}
	for _, s := range sessions {
		scan.Endpoints, scan.Digests = append(scan.Endpoints, s.e.name), append(scan.Digests, s.digests...)
	}
	return scan, nil
}

// provenTransactions reads the transactions of the block, each of which must hash to the id that the operators agree on.
func (s *session) provenTransactions(ctx context.Context, b sealed) ([]transaction, error) {
	whole, raw, err := s.wholeBlock(ctx, b.number, true)
	if err != nil {
		return nil, err
	}
	if whole.hash != b.hash || !slices.Equal(whole.txids, b.txids) {
		return nil, inconsistent("block %d holds other transactions than the operators agree on", b.number)
	}
	raws, err := transactionsOf(raw)
	if err != nil {
		return nil, undecodable("the block", err)
	}
	for i := range whole.txs {
		if err := s.chain.prove(raws[i], &whole.txs[i]); err != nil {
			return nil, err
		}
	}
	return whole.txs, nil
}

// transactionsOf are the transactions of a block as they came.
func transactionsOf(raw json.RawMessage) ([]json.RawMessage, error) {
	return decode(raw, func(c *cursor) (list []json.RawMessage, err error) {
		err = c.object(func(name []byte) error {
			if string(name) != "transactions" {
				return c.skip()
			}
			return c.list(func() error {
				c.next()
				start := c.at
				err := c.skip()
				list = append(list, raw[start:c.at])
				return err
			})
		})
		return list, err
	})
}

// lookProof asks for the transaction's block at one endpoint, has the operators agree on that block, and judges the receipt
// that its receipts root proves.
func (c *Chain) lookProof(ctx context.Context, claim settlement.Claim, rule Rule) (Look, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	hint, err := c.lookSingle(ctx, claim, Rule{Finality: rule.Finality})
	if err != nil || hint.Verdict.Evidence == nil {
		if hint.Verdict.Outcome() == settlement.Rejected { // of one endpoint only
			return c.lookQuorum(ctx, claim, Rule{rule.Finality, Trust{Operators: rule.Trust.Operators}})
		}
		return hint, err
	}
	b, sessions, err := c.agreedBlock(ctx, c.historic(), rule, hint.Verdict.Evidence.Block)
	if err != nil {
		return Look{}, err
	}
	final := b.final.covers(b.number)
	place := slices.Index(b.txids, claim.TxID)
	switch {
	case place < 0 && !final: // the endpoint may be ahead of the others, or on a branch that they have left
		return Look{Verdict: settlement.Verdict{Code: settlement.TxNotFound}}, nil
	case place < 0:
		return Look{}, inconsistent("endpoint %s has transaction %s in final block %d, and the operators do not",
			hint.Verdict.Evidence.Endpoints[0], claim.TxID, b.number)
	}
	looks, err := gather(ctx, c, c.historic(), rule, 1, func(ctx context.Context, s *session) (Look, error) {
		receipts, err := s.provenReceipts(ctx, b)
		if err != nil {
			return Look{}, err
		}
		return s.judge(ctx, claim, receipts[place], b.final, b.header)
	})
	if err != nil {
		return Look{}, err
	}
	evidence := looks[0].Verdict.Evidence
	for _, s := range sessions {
		evidence.Endpoints, evidence.Digests = append(evidence.Endpoints, s.e.name), append(evidence.Digests, s.digests...)
	}
	return looks[0], nil
}
