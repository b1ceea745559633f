package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/rpc"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
)

const (
	// paidAtOnce is how many payments one block holds.
	paidAtOnce = 300
	// strangers is how many transfers of the token in a block of block-cpu pay nobody that is waited for.
	strangers = 100
)

// payingNode is a real node with a token and a wallet that pays in it.
type payingNode struct {
	*devnet.Chain
	key      *ecdsa.PrivateKey
	wallet   settlement.Address
	contract common.Address
	token    settlement.Token
}

// startPayingNode starts the node; others beside the wallet have coins too.
func startPayingNode(ctx context.Context, blockTime time.Duration, others ...common.Address) (*payingNode, error) {
	key, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	wallet := crypto.PubkeyToAddress(key.PublicKey)
	node, err := devnet.StartChain(devnet.ChainConfig{ChainID: 1337, BlockTime: blockTime, Accounts: append(others, wallet)})
	if err != nil {
		return nil, err
	}
	contract, err := devnet.DeployTestToken(ctx, node, key, wallet)
	if err != nil {
		_ = node.Close() // why it cannot be used says more
		return nil, err
	}
	return &payingNode{node, key, settlement.Address(wallet[:]), contract, settlement.Token{
		Chain: scriptID, Address: settlement.Address(contract[:]), Symbol: "TUSD", Decimals: devnet.TestTokenDecimals,
	}}, nil
}

func (n *payingNode) pay(ctx context.Context, to settlement.Address, units int64) (*types.Transaction, error) {
	return devnet.SendTestToken(ctx, n.Chain, n.key, n.contract, common.Address([]byte(to)), big.NewInt(units))
}

// measureSettledCalls counts all RPC calls of a Runner from the arrival of a block that pays 300 orders until all of them
// are verified, at the next block, for each payment.
func measureSettledCalls(ctx context.Context, g *ground) (figures []float64, err error) {
	node, err := startPayingNode(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer node.Close() //nolint:errcheck // nothing is kept
	f, err := follow(ctx, g, following{url: node.URL(), token: node.token, payments: rounds * paidAtOnce, payer: node.wallet, depth: 1})
	if err != nil {
		return nil, err
	}
	defer f.stop() //nolint:errcheck // Run returns nil
	for round := range rounds {
		for _, p := range f.payments[round*paidAtOnce : (round+1)*paidAtOnce] {
			if _, err := node.pay(ctx, p.Terms.Payee, 1_500_000); err != nil {
				return nil, err
			}
		}
		f.counter.calls.Store(0)
		for range 2 {
			node.Commit()
			if err := f.watcher.step(ctx); err != nil {
				return nil, err
			}
		}
		if err := awaitState(ctx, f.pool, settlement.StateVerified, (round+1)*paidAtOnce, settlement.StateVerifying, settlement.StateConfirming); err != nil {
			return nil, err
		}
		calls := f.counter.calls.Load()
		note(fmt.Sprintf("calls-paid: %d calls for %d payments", calls, paidAtOnce))
		figures = append(figures, float64(calls)/paidAtOnce)
	}
	return figures, nil
}

// link is how long a call takes to a node that is near: in the same region. Over none at all the node's own work for 300
// receipts is most of what both sides measure.
const link = 2 * time.Millisecond

// linked is a transport over the link.
type linked struct{}

// RoundTrip implements http.RoundTripper.
func (linked) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(link)
	return http.DefaultTransport.RoundTrip(r)
}

// measureFinding compares the wall time to find 300 payments in a block, 100,000 being waited for, with that to read the
// receipts of the same 300 transactions one after the other, as a verifier does that is handed their ids; both over the link.
func measureFinding(ctx context.Context, _ *ground) (figures []float64, err error) {
	node, err := startPayingNode(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer node.Close() //nolint:errcheck // nothing is kept
	waits := make(watched)
	for i := range manyPayments {
		waits[addressOf(fmt.Sprint(i), "payee")] = true
	}
	ids := make([]common.Hash, paidAtOnce)
	for i := range ids {
		tx, err := node.pay(ctx, addressOf(fmt.Sprint(i), "payee"), 1)
		if err != nil {
			return nil, err
		}
		ids[i] = tx.Hash()
	}
	node.Commit()
	number, err := node.Client().BlockNumber(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the head: %w", err)
	}
	chain, err := evm.New(evm.Config{
		Chain: scriptID, Endpoints: []evm.Endpoint{{Name: "dev", URL: node.URL()}}, Tokens: []settlement.Token{node.token}, Finality: evm.Finality{Depth: 1},
		HTTPClient: &http.Client{Transport: linked{}},
	})
	if err != nil {
		return nil, err
	}
	connection, err := rpc.DialOptions(ctx, node.URL(), rpc.WithHTTPClient(&http.Client{Transport: linked{}}))
	if err != nil {
		return nil, fmt.Errorf("dial the node: %w", err)
	}
	defer connection.Close()
	client := ethclient.NewClient(connection)
	find := func() error {
		scan, err := chain.ScanFor(ctx, number, waits)
		if err == nil && len(scan.Transactions) != paidAtOnce {
			err = fmt.Errorf("%d payments of %d were found", len(scan.Transactions), paidAtOnce)
		}
		return err
	}
	read := func() error {
		for _, id := range ids {
			if _, err := client.TransactionReceipt(ctx, id); err != nil {
				return fmt.Errorf("read a receipt: %w", err)
			}
		}
		return nil
	}
	for round := range rounds + 1 {
		var ours, theirs time.Duration
		err := alternate(round, func() (err error) { ours, err = timed(find); return err }, func() (err error) { theirs, err = timed(read); return err })
		if err != nil {
			return nil, err
		}
		if round == 0 { // connections are made
			continue
		}
		note(fmt.Sprintf("find-time: %.1f ms for the block, %.1f ms for its receipts one by one", ours.Seconds()*1e3, theirs.Seconds()*1e3))
		figures = append(figures, ours.Seconds()/theirs.Seconds())
	}
	return figures, nil
}

func timed(f func() error) (time.Duration, error) {
	begin := time.Now()
	err := f()
	return time.Since(begin), err
}

// watched holds the payees that are waited for, for every token.
type watched map[settlement.Address]bool

func (w watched) Payees(_ settlement.Address, limit int) (payees []settlement.Address, ok bool) {
	if len(w) > limit {
		return nil, false
	}
	for payee := range w {
		payees = append(payees, payee)
	}
	return payees, true
}

func (w watched) Waits(_ settlement.Address, payee []byte) bool { return w[settlement.Address(payee)] }

// measureBlockCPU compares what a block costs a Runner in CPU time of this process with 100,000 open payments and with 100:
// a block with a transfer to one that is waited for, among 100 to strangers. The node's answers were made before.
func measureBlockCPU(ctx context.Context, g *ground) (figures []float64, err error) {
	type side struct {
		*follower
		node *cannedNode
		cpu  time.Duration
	}
	var sides [2]side
	for i, n := range []int{fewPayments, manyPayments} {
		s := &sides[i]
		if s.node, err = newCannedNode(); err != nil {
			return nil, err
		}
		s.follower, err = follow(ctx, g, following{url: "http://canned.invalid", token: s.node.token, payments: n, depth: 2, transport: s.node})
		if err != nil {
			return nil, err
		}
		defer s.stop() //nolint:errcheck // Run returns nil
	}
	few, many := &sides[0], &sides[1]
	for round := range rounds {
		few.cpu, many.cpu = 0, 0
		for i := range blocksEach {
			for _, s := range []*side{few, many} {
				if err := s.node.add(s.payments[(round*blocksEach+i)%fewPayments].Terms.Payee); err != nil {
					return nil, err
				}
			}
			step := func(s *side) func() error {
				return func() error {
					begin := cpuTime()
					err := s.watcher.step(ctx)
					s.cpu += cpuTime() - begin
					return err
				}
			}
			if err := alternate(i, step(few), step(many)); err != nil {
				return nil, err
			}
		}
		note(fmt.Sprintf("block-cpu: %.2f ms a block with %d payments, %.2f ms with %d",
			many.cpu.Seconds()*1e3/blocksEach, manyPayments, few.cpu.Seconds()*1e3/blocksEach, fewPayments))
		figures = append(figures, many.cpu.Seconds()/few.cpu.Seconds())
	}
	return figures, nil
}

// cpuTime is what this process has used, its own and the kernel's for it.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// cannedNode is a node whose blocks are written down as they are added, so that answering costs next to nothing.
type cannedNode struct {
	token settlement.Token

	mu       sync.Mutex // guards the rest
	latest   uint64
	blocks   map[string]json.RawMessage    // number → header with ids
	logs     map[string][2]json.RawMessage // block hash → all logs, and those to who is waited for
	receipts map[string]json.RawMessage    // transaction → receipt
}

func newCannedNode() (*cannedNode, error) {
	n := &cannedNode{
		token:  settlement.Token{Chain: scriptID, Address: addressOf("canned", "token"), Symbol: "TUSD", Decimals: 6},
		blocks: make(map[string]json.RawMessage), logs: make(map[string][2]json.RawMessage), receipts: make(map[string]json.RawMessage),
	}
	for range 3 {
		if err := n.add(""); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// add makes a block that pays payee and strangers, one transaction each; an empty payee is a block without any.
func (n *cannedNode) add(payee settlement.Address) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.latest++
	hash := func(number uint64) common.Hash { return common.BytesToHash([]byte(hashOf("canned", number))) }
	all, ours := []*types.Log{}, []*types.Log{}
	ids := []common.Hash{}
	var bloom types.Bloom
	for i := range strangers + 1 {
		if payee == "" {
			break
		}
		to := payee
		if i < strangers {
			to = addressOf(fmt.Sprint(n.latest, " ", i), "stranger")
		}
		id := common.BytesToHash([]byte(hashOf("canned tx", n.latest<<32|uint64(i))))
		l := &types.Log{
			Address: common.Address([]byte(n.token.Address)), Data: common.BigToHash(big.NewInt(1_500_000)).Bytes(),
			Topics: []common.Hash{
				crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)")), common.BytesToHash([]byte(addressOf(fmt.Sprint(n.latest, " ", i), "payer"))), common.BytesToHash([]byte(to)),
			},
			BlockNumber: n.latest, BlockHash: hash(n.latest), TxHash: id, TxIndex: uint(i), Index: uint(i),
		}
		r := &types.Receipt{
			Status: types.ReceiptStatusSuccessful, Logs: []*types.Log{l}, TxHash: id, BlockHash: l.BlockHash, BlockNumber: new(big.Int).SetUint64(n.latest), TransactionIndex: uint(i),
		}
		r.Bloom = types.CreateBloom(r)
		for j := range bloom {
			bloom[j] |= r.Bloom[j]
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("write a receipt: %w", err)
		}
		all, ids, n.receipts[id.Hex()] = append(all, l), append(ids, id), raw
		if to == payee {
			ours = append(ours, l)
		}
	}
	block, err := json.Marshal(map[string]any{
		"number": hexutil.Uint64(n.latest), "hash": hash(n.latest), "parentHash": hash(n.latest - 1), "timestamp": hexutil.Uint64(time.Now().Unix()), "logsBloom": bloom, "transactions": ids,
	})
	if err != nil {
		return fmt.Errorf("write a block: %w", err)
	}
	n.blocks[hexutil.EncodeUint64(n.latest)] = block
	var texts [2]json.RawMessage
	for i, logs := range [][]*types.Log{all, ours} {
		if texts[i], err = json.Marshal(logs); err != nil {
			return fmt.Errorf("write logs: %w", err)
		}
	}
	n.logs[hash(n.latest).Hex()] = texts
	return nil
}

// RoundTrip implements http.RoundTripper.
func (n *cannedNode) RoundTrip(r *http.Request) (*http.Response, error) {
	var q struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	var result json.RawMessage
	switch q.Method {
	case "eth_chainId":
		result = json.RawMessage(`"0x539"`)
	case "eth_getLogs":
		var filter struct {
			BlockHash string
			Topics    []json.RawMessage
		}
		if err := json.Unmarshal(q.Params[0], &filter); err != nil {
			return nil, err
		}
		result = n.logs[filter.BlockHash][min(len(filter.Topics)/3, 1)] // a third topic is the list of payees
	case "eth_getTransactionReceipt", "eth_getBlockByNumber":
		var key string
		if err := json.Unmarshal(q.Params[0], &key); err != nil {
			return nil, err
		}
		if result = n.receipts[key]; q.Method == "eth_getBlockByNumber" {
			if key == "latest" {
				key = hexutil.EncodeUint64(n.latest)
			}
			result = n.blocks[key]
		}
	}
	if result == nil {
		result = json.RawMessage("null")
	}
	body := fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"result":%s}`, q.ID, result)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// following says what a Runner follows, and with what.
type following struct {
	url       string
	token     settlement.Token
	payments  int                // open ones
	payer     settlement.Address // of all of them; empty: one each
	depth     uint64             // at which a block is final
	transport http.RoundTripper  // nil: the network
}

// follow starts a Runner with open payments, at the head of the chain, and counts its calls.
func follow(ctx context.Context, g *ground, cfg following) (*follower, error) {
	pool, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	f := &follower{pool: pool}
	if f.payments, err = fill(ctx, pool, "ord", cfg.payments, cfg.token, cfg.payer); err != nil {
		return nil, err
	}
	transport := cfg.transport
	if transport == nil {
		transport = &f.counter
	}
	chain, err := evm.New(evm.Config{
		Chain: cfg.token.Chain, Endpoints: []evm.Endpoint{{Name: "dev", URL: cfg.url}}, Tokens: []settlement.Token{cfg.token},
		Finality: evm.Finality{Depth: cfg.depth}, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		return nil, err
	}
	f.watcher = newStepped(chain)
	runner, err := newRunner(pool, jobs.Chain{
		ID: cfg.token.Chain, Tokens: []settlement.Token{cfg.token}, PollInterval: 10 * time.Millisecond, Verifier: chain, Watcher: f.watcher,
	}, "http://127.0.0.1:1")
	if err != nil {
		return nil, err
	}
	f.stop = start(ctx, runner)
	return f, warm(ctx, f.watcher.barrier)
}
