package evm

import (
	"slices"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/settler-pay/settler/settlement"
)

// query is what one scan looks for.
type query struct {
	watched settlement.Watched   // nil: every transfer of a listed token
	tokens  []settlement.Address // contracts whose logs are wanted
	payees  []settlement.Address // to filter by; empty: the transfers are compared in memory
	native  bool                 // values of transactions are wanted
}

func (c *Chain) query(w settlement.Watched) query {
	q := query{watched: w}
	narrow := true
	for _, t := range c.listed {
		if w == nil {
			narrow, q.native = false, q.native || t.Address == ""
			if t.Address != "" {
				q.tokens = append(q.tokens, t.Address)
			}
			continue
		}
		payees, ok := w.Payees(t.Address, maxTopicValues)
		switch {
		case ok && len(payees) == 0:
		case t.Address == "":
			q.native = true
		default:
			q.tokens = append(q.tokens, t.Address)
			q.payees = append(q.payees, payees...)
			narrow = narrow && ok && len(q.payees) <= maxTopicValues
		}
	}
	if !narrow {
		q.payees = nil
	}
	return q
}

// wants reports whether the transfer counts.
func (q *query) wants(token settlement.Address, payee []byte) bool {
	return q.watched == nil || q.watched.Waits(token, payee)
}

// mayHold reports whether a block with that bloom may hold a log of the query; it never misses one.
func (q *query) mayHold(bloom types.Bloom) bool {
	if !bloom.Test([]byte(transferTopic)) || !slices.ContainsFunc(q.tokens, func(t settlement.Address) bool { return bloom.Test([]byte(t)) }) {
		return false
	}
	return len(q.payees) == 0 || slices.ContainsFunc(q.payees, func(p settlement.Address) bool {
		return bloom.Test([]byte(addressPadding + string(p)))
	})
}

// filter is the query as eth_getLogs takes it, without the blocks.
func (q *query) filter() map[string]any {
	addresses := make([]string, len(q.tokens))
	for i, t := range q.tokens {
		addresses[i] = t.String()
	}
	topics := []any{settlement.BlockHash(transferTopic).String()}
	if len(q.payees) > 0 {
		padded := make([]string, len(q.payees))
		for i, p := range q.payees {
			padded[i] = settlement.BlockHash(addressPadding + string(p)).String()
		}
		topics = append(topics, nil, padded)
	}
	return map[string]any{"address": addresses, "topics": topics}
}
