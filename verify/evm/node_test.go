package evm

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/settlement"
)

const testChain settlement.ChainID = "eip155:8453"

// The parties of the hand-made scene.
var (
	usd, euro    = account("usd"), account("euro")
	alice, bob   = account("alice"), account("bob") // payer and payee
	carol        = account("carol")
	payment      = settlement.TxID(hash("payment"))
	paidIn       = settlement.BlockHash(hash("block 100"))
	paidAt       = time.Unix(1_700_000_000, 0).UTC()
	price        = settlement.NewAmount(1_500_000)
	transferHash = settlement.BlockHash(transferTopic).String()
)

func account(name string) settlement.Address {
	return settlement.Address(crypto.Keccak256([]byte(name))[12:])
}

func hash(name string) string { return string(crypto.Keccak256([]byte(name))) }

// fields is one JSON object of an answer.
type fields = map[string]any

// scene is what one node knows: a payment of 1.50 in block 100 of a chain whose head is 120 and whose final block is 110.
type scene struct {
	chainID           string
	latest, finalized uint64
	block             fields // number 100, as eth_getBlockByNumber gives it, with ids of transactions
	receipt           fields
	tx                fields
	null              []string // methods that answer null
	receipts          []fields // eth_getBlockReceipts; nil: that of the payment
	noReceipts        bool     // eth_getBlockReceipts does not exist
	hideLogs          bool     // eth_getLogs answers an empty list
	keepBloom         bool     // the bloom stays as it is after a change
	code              string
	count             string // the payer's next nonce
	decimals          string
	// answer may write an answer of its own; false leaves it to the scene.
	answer func(w http.ResponseWriter, q question) bool
}

type question struct {
	ID     json.RawMessage   `json:"id"`
	Method string            `json:"method"`
	Params []json.RawMessage `json:"params"`
}

func (q question) text(i int) string {
	var text string
	if i < len(q.Params) && json.Unmarshal(q.Params[i], &text) != nil {
		return ""
	}
	return text
}

func newScene() *scene {
	s := &scene{
		chainID: "0x2105", latest: 120, finalized: 110, code: "0x60016002",
		decimals: "0x0000000000000000000000000000000000000000000000000000000000000006",
	}
	s.tx = fields{
		"hash": payment.String(), "blockHash": paidIn.String(), "blockNumber": "0x64", "transactionIndex": "0x2",
		"from": alice.String(), "to": usd.String(), "value": "0x0", "type": "0x7e", "input": "0x",
	}
	s.receipt = fields{
		"transactionHash": payment.String(), "blockHash": paidIn.String(), "blockNumber": "0x64", "transactionIndex": "0x2",
		"from": alice.String(), "to": usd.String(), "status": "0x1", "type": "0x7e", "logs": []any{},
	}
	s.block = fields{
		"number": "0x64", "hash": paidIn.String(), "parentHash": settlement.BlockHash(hash("block 99")).String(),
		"timestamp": hexutil.EncodeUint64(uint64(paidAt.Unix())), "transactions": []any{payment.String()},
	}
	s.setLogs(s.transferLog(usd, alice, bob, 1_500_000))
	return s
}

func topicOf(a settlement.Address) string { return common.BytesToHash([]byte(a)).Hex() }

func (s *scene) transferLog(token, payer, payee settlement.Address, units uint64) fields {
	return fields{
		"address": token.String(), "topics": []any{transferHash, topicOf(payer), topicOf(payee)},
		"data": hexutil.Encode(common.LeftPadBytes(settlement.NewAmount(units).Big().Bytes(), 32)),
	}
}

// setLogs puts the logs into the receipt, numbered from 7, each saying where it is.
func (s *scene) setLogs(logs ...fields) {
	list := make([]any, 0, len(logs))
	for i, l := range logs {
		place := fields{
			"transactionHash": s.receipt["transactionHash"], "blockHash": s.receipt["blockHash"], "blockNumber": s.receipt["blockNumber"],
			"transactionIndex": s.receipt["transactionIndex"], "logIndex": hexutil.EncodeUint64(uint64(7 + i)), "removed": false,
		}
		maps.Copy(place, l)
		list = append(list, place)
	}
	s.receipt["logs"] = list
}

func (s *scene) log(i int) fields { return s.receipt["logs"].([]any)[i].(fields) }

func bloomOf(logs []any) string {
	var bloom types.Bloom
	for _, l := range logs {
		l := l.(fields)
		if address, ok := l["address"].(string); ok {
			bloom.Add(common.FromHex(address))
		}
		for _, topic := range l["topics"].([]any) {
			bloom.Add(common.FromHex(topic.(string)))
		}
	}
	return hexutil.Encode(bloom[:])
}

func (s *scene) rebloom() {
	if logs, ok := s.receipt["logs"].([]any); ok && !s.keepBloom {
		s.receipt["logsBloom"] = bloomOf(logs)
		s.block["logsBloom"] = s.receipt["logsBloom"]
	}
}

func (s *scene) head(number uint64) fields {
	return fields{
		"number": hexutil.EncodeUint64(number), "hash": settlement.BlockHash(hash("block " + hexutil.EncodeUint64(number))).String(),
		"timestamp": hexutil.EncodeUint64(uint64(paidAt.Unix()) + 2*(number-100)), "transactions": []any{},
		"parentHash": settlement.BlockHash(hash("block " + hexutil.EncodeUint64(number-1))).String(), "logsBloom": bloomOf(nil),
	}
}

// result is what the node knows; ok is false for a method that it does not offer.
func (s *scene) result(q question) (result any, ok bool) {
	if slices.Contains(s.null, q.Method) {
		return nil, true
	}
	switch q.Method {
	case "eth_chainId":
		return s.chainID, true
	case "eth_getTransactionReceipt":
		return s.receipt, true
	case "eth_getTransactionByHash":
		return s.tx, true
	case "eth_getTransactionCount":
		return s.count, true
	case "eth_getCode":
		return s.code, true
	case "eth_call":
		return s.decimals, true
	case "eth_getBlockReceipts":
		if s.receipts != nil {
			return s.receipts, true
		}
		return []any{s.receipt}, !s.noReceipts
	case "eth_getLogs":
		if s.hideLogs {
			return []any{}, true
		}
		return slices.DeleteFunc(slices.Clone(s.receipt["logs"].([]any)), func(l any) bool {
			return l.(fields)["address"] != usd.String() || l.(fields)["topics"].([]any)[0] != transferHash
		}), true
	case "eth_getBlockByNumber":
		switch tag := q.text(0); tag {
		case "latest":
			return s.head(s.latest), true
		case "finalized", "safe":
			return s.head(s.finalized), true
		case "0x64":
			if len(q.Params) > 1 && string(q.Params[1]) == "true" {
				whole := maps.Clone(s.block)
				whole["transactions"] = []any{s.tx}
				return whole, true
			}
			return s.block, true
		default:
			number, err := hexutil.DecodeUint64(tag)
			if err != nil || number > s.latest {
				return nil, true
			}
			return s.head(number), true
		}
	}
	return nil, false
}

// node serves a scene over HTTP and remembers what it was asked.
type node struct {
	*httptest.Server
	mu    sync.Mutex
	scene *scene
	calls []string
}

func startNode(t *testing.T, s *scene) *node {
	t.Helper()
	s.rebloom()
	n := &node{scene: s}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		var q question
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		n.calls = append(n.calls, q.Method)
		if n.scene.answer != nil && n.scene.answer(w, q) {
			return
		}
		answer := fields{"jsonrpc": "2.0", "id": q.ID}
		if result, ok := n.scene.result(q); ok {
			answer["result"] = result
		} else {
			answer["error"] = fields{"code": -32601, "message": "the method " + q.Method + " does not exist/is not available"}
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Errorf("encode answer: %v", err)
		}
	}))
	t.Cleanup(n.Close)
	return n
}

// asked returns the calls since the last time, without the chain id that a first look asks for.
func (n *node) asked() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	calls := slices.DeleteFunc(n.calls, func(m string) bool { return m == "eth_chainId" })
	n.calls = nil
	return calls
}

func (n *node) change(f func(*scene)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(n.scene)
	n.scene.rebloom()
}

func usdToken() settlement.Token {
	return settlement.Token{Chain: testChain, Address: usd, Symbol: "USD", Decimals: 6}
}

func nativeToken() settlement.Token {
	return settlement.Token{Chain: testChain, Symbol: "ETH", Decimals: 18}
}

func startChain(t *testing.T, change func(*Config), nodes ...*node) *Chain {
	t.Helper()
	cfg := Config{
		Chain: testChain, Tokens: []settlement.Token{usdToken()}, Finality: Finality{Tag: "finalized"},
		LookTimeout: 30 * time.Second,
	}
	for i, n := range nodes {
		cfg.Endpoints = append(cfg.Endpoints, Endpoint{Name: string(rune('a' + i)), URL: n.URL + "/v2/secret-key-" + strings.Repeat("x", i+1)})
	}
	if change != nil {
		change(&cfg)
	}
	chain, err := New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return chain
}

// theClaim is what the scene's payment satisfies.
func theClaim() settlement.Claim {
	return settlement.Claim{
		Chain: testChain, TxID: payment, Payers: []settlement.Address{alice},
		Want: settlement.Transfer{Token: usd, Payee: bob, Amount: price},
	}
}

// outcome is the code of a verdict or of a failed look.
func outcome(v settlement.Verdict, err error) settlement.Code {
	if err != nil {
		return settlement.LookCode(err)
	}
	return v.Code
}
