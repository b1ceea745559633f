package evm

import (
	"crypto/ecdsa"
	"math/big"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/ethclient/simulated"
	gethnode "github.com/ethereum/go-ethereum/node"

	"github.com/settler-pay/settler/settlement"
)

// tokenCode is a contract that logs Transfer(caller, first argument, second argument) when it is called with two
// arguments, and returns 6 to any shorter call, such as decimals(). It keeps no balances.
func tokenCode() []byte {
	runtime := common.FromHex("0x" +
		"6044361060" + "00" + "57" + // fewer than 68 bytes of calldata: jump to the end
		"602435" + "5f52" + // memory[0] = second argument
		"600435" + "33" + // first argument, caller
		"7f" + transferHash[2:] + // topic 0
		"60205f" + "a3" + "00") // log the 32 bytes with three topics, stop
	runtime[5] = byte(len(runtime)) // where the jump goes
	runtime = append(runtime, common.FromHex("0x5b60065f5260205ff3")...)
	return deployed(runtime)
}

// deployed is the code that deploys runtime.
func deployed(runtime []byte) []byte {
	return append([]byte{0x60, byte(len(runtime)), 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3}, runtime...)
}

// evmNode is a real EVM node in this process, served over HTTP; blocks are made on demand.
type evmNode struct {
	t       *testing.T
	backend *simulated.Backend
	url     string
	key     *ecdsa.PrivateKey
	payer   settlement.Address
	chainID *big.Int
}

func startEVM(t *testing.T) *evmNode {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	payer := crypto.PubkeyToAddress(key.PublicKey)
	n := &evmNode{
		t: t, key: key, payer: settlement.Address(payer[:]), chainID: big.NewInt(31337),
		url: "http://127.0.0.1:" + strconv.Itoa(port),
	}
	alloc := types.GenesisAlloc{payer: {Balance: new(big.Int).Exp(big.NewInt(10), big.NewInt(21), nil)}}
	n.backend = simulated.NewBackend(alloc, func(cfg *gethnode.Config, e *ethconfig.Config) {
		cfg.HTTPHost, cfg.HTTPPort, cfg.HTTPModules = "127.0.0.1", port, []string{"eth"}
		genesis := *e.Genesis.Config
		genesis.ChainID, genesis.BogotaTime = n.chainID, nil
		e.Genesis.Config, e.NetworkId = &genesis, n.chainID.Uint64()
	})
	t.Cleanup(func() {
		if err := n.backend.Close(); err != nil {
			t.Errorf("close the node: %v", err)
		}
	})
	return n
}

// send signs a transaction and gives it to the node; to is nil where a contract is created.
func (n *evmNode) send(to *common.Address, value int64, data []byte) *types.Transaction {
	n.t.Helper()
	client, ctx := n.backend.Client(), n.t.Context()
	nonce, err := client.PendingNonceAt(ctx, common.BytesToAddress([]byte(n.payer)))
	if err != nil {
		n.t.Fatal(err)
	}
	tx, err := types.SignNewTx(n.key, types.LatestSignerForChainID(n.chainID), &types.DynamicFeeTx{
		ChainID: n.chainID, Nonce: nonce, GasTipCap: big.NewInt(1e9), GasFeeCap: big.NewInt(1e12), Gas: 300_000, To: to,
		Value: big.NewInt(value), Data: data,
	})
	if err != nil {
		n.t.Fatal(err)
	}
	if err := client.SendTransaction(ctx, tx); err != nil {
		n.t.Fatal(err)
	}
	return tx
}

func (n *evmNode) deploy(code []byte) common.Address {
	n.t.Helper()
	tx := n.send(nil, 0, code)
	n.backend.Commit()
	receipt, err := n.backend.Client().TransactionReceipt(n.t.Context(), tx.Hash())
	if err != nil || receipt.Status != 1 {
		n.t.Fatalf("deploy: %+v, %v", receipt, err)
	}
	return receipt.ContractAddress
}

// pay is the calldata of transfer(payee, units).
func pay(payee settlement.Address, units int64) []byte {
	data := append([]byte{0xa9, 0x05, 0x9c, 0xbb}, common.LeftPadBytes([]byte(payee), 32)...)
	return append(data, common.BigToHash(big.NewInt(units)).Bytes()...)
}

func TestRealChain(t *testing.T) {
	t.Parallel()
	n := startEVM(t)
	token, reverting := n.deploy(tokenCode()), n.deploy(deployed([]byte{0x5f, 0x5f, 0xfd}))
	id := settlement.ChainID("eip155:31337")
	listed := settlement.Token{Chain: id, Address: settlement.Address(token[:]), Symbol: "USD", Decimals: 6}
	start := func(tokens ...settlement.Token) *Chain {
		chain, err := New(Config{
			Chain: id, Endpoints: []Endpoint{{Name: "node", URL: n.url}}, Tokens: tokens, Finality: Finality{Depth: 2},
		})
		if err != nil {
			t.Fatal(err)
		}
		return chain
	}
	onlyToken, withNative := start(listed), start(listed, settlement.Token{Chain: id, Symbol: "ETH", Decimals: 18})
	for _, check := range withNative.Check(t.Context()) {
		if check.Err != nil || check.Latest != 2 || time.Since(check.HeadTime).Abs() > time.Hour {
			t.Fatalf("check: %+v", check)
		}
	}
	claim := func(tx *types.Transaction, token settlement.Address, units uint64) settlement.Claim {
		return settlement.Claim{
			Chain: id, TxID: settlement.TxID(tx.Hash().Bytes()), Payers: []settlement.Address{n.payer},
			Want: settlement.Transfer{Token: token, Payee: bob, Amount: settlement.NewAmount(units)},
		}
	}
	verify := func(claim settlement.Claim, want settlement.Code) settlement.Verdict {
		t.Helper()
		v, err := withNative.Verify(t.Context(), claim)
		if got := outcome(v, err); got != want {
			t.Fatalf("got %s (%v), want %s", got, err, want)
		}
		return v
	}
	payee := common.BytesToAddress([]byte(bob))

	paid := n.send(&token, 0, pay(bob, 1_500_000))
	sent := n.send(&payee, 77, nil)
	failed := n.send(&reverting, 0, pay(bob, 1_500_000))
	verify(claim(paid, listed.Address, 1_500_000), settlement.TxPending)
	never := claim(paid, listed.Address, 1_500_000)
	never.TxID = settlement.TxID(hash("never"))
	verify(never, settlement.TxNotFound)

	n.backend.Commit() // block 3
	v := verify(claim(paid, listed.Address, 1_500_000), settlement.TxUnconfirmed)
	if v.Transfer == nil || v.Transfer.Position != "log/0" || v.Evidence.Block != 3 {
		t.Errorf("young: %+v %+v", v.Transfer, v.Evidence)
	}
	verify(claim(failed, listed.Address, 1_500_000), settlement.TxUnconfirmed)
	n.backend.Commit()
	n.backend.Commit() // block 5
	v = verify(claim(paid, listed.Address, 1_500_000), settlement.Verified)
	if v.Evidence.Head != 3 || v.Evidence.TxSender != FormatAddress(n.payer) {
		t.Errorf("final: %+v", v.Evidence)
	}
	verify(claim(paid, listed.Address, 1_500_001), settlement.AmountMismatch)
	verify(claim(sent, "", 77), settlement.Verified)
	verify(claim(sent, listed.Address, 77), settlement.NoTransfer)
	verify(claim(failed, listed.Address, 1_500_000), settlement.TxFailed)

	head, err := onlyToken.Head(t.Context())
	if err != nil || head.Latest != 5 || head.Final != 3 {
		t.Errorf("head %+v (%v)", head, err)
	}
	parent := settlement.BlockHash("")
	for number := range head.Latest + 1 {
		logs, err := onlyToken.Scan(t.Context(), number)
		if err != nil {
			t.Fatalf("scan of %d: %v", number, err)
		}
		receipts, err := withNative.Scan(t.Context(), number)
		if err != nil {
			t.Fatalf("scan of %d with native coin: %v", number, err)
		}
		if logs.Block != receipts.Block || parent != "" && logs.Parent != parent {
			t.Errorf("block %d: %+v and %+v after %s", number, logs.Block, receipts.Block, parent)
		}
		parent = logs.Block.Hash
		if number != 3 {
			if len(logs.Transactions)+len(receipts.Transactions) > 0 {
				t.Errorf("block %d moves %+v %+v", number, logs.Transactions, receipts.Transactions)
			}
			continue
		}
		if len(logs.Transactions) != 1 || logs.Transactions[0].TxID != settlement.TxID(paid.Hash().Bytes()) {
			t.Errorf("block 3 moves %+v", logs.Transactions)
		}
		if len(receipts.Transactions) != 2 || receipts.Transactions[1].Transfers[0].Position != settlement.Native {
			t.Errorf("block 3 moves, with native coin, %+v", receipts.Transactions)
		}
	}
}

func TestRealReorganisation(t *testing.T) {
	t.Parallel()
	n := startEVM(t)
	token := n.deploy(tokenCode())
	id := settlement.ChainID("eip155:31337")
	address := settlement.Address(token[:])
	chain, err := New(Config{
		Chain: id, Endpoints: []Endpoint{{Name: "node", URL: n.url}}, Finality: Finality{Depth: 2},
		Tokens: []settlement.Token{{Chain: id, Address: address, Symbol: "USD", Decimals: 6}},
	})
	if err != nil {
		t.Fatal(err)
	}
	paid := n.send(&token, 0, pay(bob, 1_500_000))
	claim := settlement.Claim{
		Chain: id, TxID: settlement.TxID(paid.Hash().Bytes()), Payers: []settlement.Address{n.payer},
		Want: settlement.Transfer{Token: address, Payee: bob, Amount: price},
	}
	before, err := n.backend.Client().HeaderByNumber(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n.backend.Commit()
	young, err := chain.Verify(t.Context(), claim)
	if err != nil || young.Code != settlement.TxUnconfirmed {
		t.Fatalf("got %+v (%v), want TX_UNCONFIRMED", young, err)
	}
	if err := n.backend.Fork(before.Hash()); err != nil {
		t.Fatal(err)
	}
	n.backend.Commit()
	n.backend.Commit() // the new branch is the longer one
	scan, err := chain.Scan(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if scan.Block.Hash.String() == young.Evidence.BlockHash {
		t.Fatal("the block was not replaced")
	}
	n.backend.Commit()
	n.backend.Commit()
	v, err := chain.Verify(t.Context(), claim)
	if err != nil {
		t.Fatal(err)
	}
	switch v.Code {
	case settlement.TxNotFound, settlement.TxPending: // dropped, or back in the pool
	case settlement.Verified, settlement.TxUnconfirmed: // mined again
		if v.Evidence.BlockHash == young.Evidence.BlockHash {
			t.Errorf("%s in the block that was replaced", v.Code)
		}
	default:
		t.Errorf("got %s", v.Code)
	}
}
