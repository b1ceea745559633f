package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/http"
	"runtime"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
)

const (
	receiptChain settlement.ChainID = "eip155:1"
	// receiptTime is how long each side reads the same receipt in a round.
	receiptTime = 300 * time.Millisecond
	// fewLogs and manyLogs are the logs of the blocks that are compared for their allocations.
	fewLogs, manyLogs = 2000, 4000
)

// transferReceipt is the receipt of a transaction with so many transfers of one token, each between accounts of its own.
func transferReceipt(logs int) *types.Receipt {
	hash := func(what string, n int) common.Hash { return crypto.Keccak256Hash(fmt.Appendf(nil, "%s %d", what, n)) }
	account := func(what string, n int) common.Hash {
		h := hash(what, n)
		return common.BytesToHash(h[12:])
	}
	r := &types.Receipt{
		Type: types.DynamicFeeTxType, Status: types.ReceiptStatusSuccessful, TxHash: hash("transaction", logs), BlockHash: hash("block", logs),
		BlockNumber: big.NewInt(100), GasUsed: 50_000, CumulativeGasUsed: 50_000, EffectiveGasPrice: big.NewInt(1e9), Logs: []*types.Log{},
	}
	for i := range logs {
		r.Logs = append(r.Logs, &types.Log{
			Address: common.Address(hash("token", 0).Bytes()[:20]), Data: common.BigToHash(big.NewInt(1_500_000)).Bytes(),
			Topics:      []common.Hash{crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)")), account("payer", i), account("payee", i)},
			BlockNumber: 100, TxHash: r.TxHash, BlockHash: r.BlockHash, Index: uint(i),
		})
	}
	r.Bloom = types.CreateBloom(r)
	return r
}

// measureReceipt compares judging a claim on a raw receipt, its bloom recomputed, with decoding the receipt into
// go-ethereum's type: the geometric mean over receipts of 1, 5 and 50 logs.
func measureReceipt(ctx context.Context, _ *ground) (figures []float64, err error) {
	for round := range rounds {
		product := 1.0
		sizes := []int{1, 5, 50}
		for _, logs := range sizes {
			receipt := transferReceipt(logs)
			raw, err := json.Marshal(receipt)
			if err != nil {
				return nil, err
			}
			last := receipt.Logs[logs-1]
			claim := settlement.Claim{
				Chain: receiptChain, TxID: settlement.TxID(receipt.TxHash[:]), Payers: []settlement.Address{settlement.Address(last.Topics[1][12:])},
				Want: settlement.Transfer{
					Token: settlement.Address(last.Address[:]), Payee: settlement.Address(last.Topics[2][12:]), Amount: settlement.NewAmount(1_500_000),
				},
			}
			var ours, theirs float64
			err = alternate(round, func() (err error) {
				ours, err = perSecond(ctx, func() error {
					read, err := evm.ReadReceipt(raw)
					if err != nil {
						return err
					}
					if v := settlement.Judge(claim, read.Block, read.Transfers); v.Code != settlement.Verified {
						return fmt.Errorf("the receipt is judged %s", v.Code)
					}
					return nil
				})
				return err
			}, func() (err error) {
				theirs, err = perSecond(ctx, func() error {
					var read types.Receipt
					return json.Unmarshal(raw, &read)
				})
				return err
			})
			if err != nil {
				return nil, err
			}
			note(fmt.Sprintf("receipt: %d logs: %.0f a second verified, %.0f decoded by go-ethereum", logs, ours, theirs))
			product *= theirs / ours
		}
		figures = append(figures, math.Pow(product, 1/float64(len(sizes))))
	}
	return figures, nil
}

// perSecond is how often f runs in a second.
func perSecond(ctx context.Context, f func() error) (float64, error) {
	begun := time.Now()
	for n := 1; ; n++ {
		if err := f(); err != nil {
			return 0, err
		}
		if took := time.Since(begun); took >= receiptTime {
			return float64(n) / took.Seconds(), ctx.Err()
		}
	}
}

// blockNode is a node with one block, whose only transaction has the receipt.
type blockNode struct{ answers map[string]json.RawMessage }

func newBlockNode(receipt *types.Receipt) (*blockNode, error) {
	answers := make(map[string]json.RawMessage)
	for method, result := range map[string]any{
		"eth_chainId":          "0x1",
		"eth_getBlockReceipts": []any{receipt},
		"eth_getBlockByNumber": map[string]any{
			"number": "0x64", "hash": receipt.BlockHash, "parentHash": receipt.TxHash, "timestamp": "0x6553f100", "logsBloom": receipt.Bloom,
			"transactions": []any{map[string]any{
				"hash": receipt.TxHash, "blockHash": receipt.BlockHash, "blockNumber": "0x64", "from": common.Address{1}, "to": common.Address{2}, "value": hexutil.Uint64(0),
			}},
		},
	} {
		raw, err := json.Marshal(result)
		if err != nil {
			return nil, err
		}
		answers[method] = raw
	}
	return &blockNode{answers}, nil
}

// RoundTrip implements http.RoundTripper.
func (n *blockNode) RoundTrip(r *http.Request) (*http.Response, error) {
	var q struct {
		ID     json.RawMessage
		Method string
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		return nil, err
	}
	body := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":%s}`, q.ID, n.answers[q.Method])
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// measureScanAllocs counts what a log adds to the allocations of a block's scan when it is a transfer of another token:
// that of a block with 4,000 of them less that of one with 2,000, per log. Buffers that grow with the answer, a few times
// for a block, are rounded away.
func measureScanAllocs(ctx context.Context, _ *ground) (figures []float64, err error) {
	for range rounds {
		few, err := scanAllocs(ctx, fewLogs)
		if err != nil {
			return nil, err
		}
		many, err := scanAllocs(ctx, manyLogs)
		if err != nil {
			return nil, err
		}
		note(fmt.Sprintf("scan-allocs: %d for a block with %d logs, %d with %d", many, manyLogs, few, fewLogs))
		figures = append(figures, math.Round(10*(float64(many)-float64(few))/(manyLogs-fewLogs))/10)
	}
	return figures, nil
}

func scanAllocs(ctx context.Context, logs int) (uint64, error) {
	node, err := newBlockNode(transferReceipt(logs))
	if err != nil {
		return 0, err
	}
	chain, err := evm.New(evm.Config{
		Chain: receiptChain, Endpoints: []evm.Endpoint{{Name: "node", URL: "http://node.invalid"}}, Finality: evm.Finality{Depth: 2},
		Tokens: []settlement.Token{
			{Chain: receiptChain, Symbol: "ETH", Decimals: 18},
			{Chain: receiptChain, Address: settlement.Address(make([]byte, 19)) + "\x01", Symbol: "OURS"},
		},
		HTTPClient: &http.Client{Transport: node},
	})
	if err != nil {
		return 0, err
	}
	scan := func() error {
		found, err := chain.Scan(ctx, 100)
		if err == nil && len(found.Transactions) > 0 {
			err = fmt.Errorf("%d transactions pay somebody", len(found.Transactions))
		}
		return err
	}
	if err := scan(); err != nil { // what is made once for a chain is made here
		return 0, err
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err = scan()
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs, err
}
