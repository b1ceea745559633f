package evm

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/settlement"
)

// call signs a call of the token and sends it. price orders the transactions of a block.
func (l *live) call(key *ecdsa.PrivateKey, nonce uint64, price int64, data []byte) *types.Transaction {
	l.t.Helper()
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(new(big.Int).SetUint64(l.node.ChainID())), &types.LegacyTx{
		Nonce: nonce, GasPrice: big.NewInt(price * params.GWei), Gas: 200_000, To: &l.token, Data: data,
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.send(tx)
	return tx
}

// pooled waits until all of the key's transactions below the nonce wait for a block.
func (l *live) pooled(key *ecdsa.PrivateKey, nonce uint64) {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Millisecond) {
		got, err := l.node.Client().PendingNonceAt(l.t.Context(), crypto.PubkeyToAddress(key.PublicKey))
		if err != nil || time.Now().After(deadline) {
			l.t.Fatalf("nonce %d (%v), want %d", got, err, nonce)
		}
		if got >= nonce {
			return
		}
	}
}

func (l *live) nonce(key *ecdsa.PrivateKey) uint64 {
	l.t.Helper()
	nonce, err := l.node.Client().NonceAt(l.t.Context(), crypto.PubkeyToAddress(key.PublicKey), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return nonce
}

func (l *live) send(tx *types.Transaction) {
	l.t.Helper()
	if err := l.node.Client().SendTransaction(l.t.Context(), tx); err != nil && !strings.Contains(err.Error(), "already known") {
		l.t.Fatal(err)
	}
}

// The block of a payment leaves the chain, and so many blocks after it, with each of the fates that the payment can have on
// the other branch. What was seen must be withdrawn at once, and what is true then found, by a look and by a scan.
func TestReorganisations(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	minter, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	to := crypto.PubkeyToAddress(minter.PublicKey)
	if _, err := l.node.Send(t.Context(), l.key, &to, big.NewInt(params.Ether), nil); err != nil {
		t.Fatal(err)
	}
	l.node.Commit()
	for depth := 1; depth <= 8; depth++ {
		for _, fate := range []string{"included again", "at another index", "replaced", "dropped", "fails"} {
			t.Run(fmt.Sprintf("%s at depth %d", fate, depth), func(t *testing.T) {
				l.t = t
				l.reorganise(minter, depth, fate)
			})
		}
	}
}

func (l *live) reorganise(minter *ecdsa.PrivateKey, depth int, fate string) {
	t := l.t
	chain, err := New(Config{
		Chain: liveChain, Endpoints: []Endpoint{{Name: "node", URL: l.node.URL()}}, Tokens: []settlement.Token{l.listed()},
		Finality: Finality{Depth: uint64(depth)},
	})
	if err != nil {
		t.Fatal(err)
	}
	token, usd := l.listed().Address, contracts.NewTestUSD()
	waits := watching{{token, bob}}
	before, err := l.node.Client().HeaderByNumber(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	// The payment is more than the payer has; it succeeds after the minting that comes first.
	const much = 5_000_000_000_000
	mint := usd.PackMint(common.Address([]byte(l.payer)), big.NewInt(much))
	pay := usd.PackTransfer(common.Address([]byte(bob)), big.NewInt(much))
	mints, pays := l.nonce(minter), l.nonce(l.key)
	minted, paid := l.call(minter, mints, 30, mint), l.call(l.key, pays, 20, pay)
	l.pooled(minter, mints+1)
	l.pooled(l.key, pays+1)
	for range depth {
		l.node.Commit()
	}
	number := l.latest() - uint64(depth) + 1
	claim := l.claim(paid, token, much)
	young, err := chain.Verify(t.Context(), claim)
	if err != nil || young.Code != settlement.TxUnconfirmed || young.Transfer == nil || young.Evidence.Block != number {
		t.Fatalf("got %+v (%v), want TX_UNCONFIRMED in block %d", young, err, number)
	}
	old, err := chain.ScanFor(t.Context(), number, waits)
	if err != nil || len(old.Transactions) != 1 {
		t.Fatalf("got %+v (%v), want the payment", old, err)
	}

	if err := l.node.Fork(before.Hash()); err != nil {
		t.Fatal(err)
	}
	l.node.CommitEmpty() // what had returned to the pool is gone
	want, position := settlement.TxNotFound, ""
	switch fate {
	case "included again":
		want, position = settlement.Verified, "log/1"
		l.send(minted)
		l.send(paid)
		l.pooled(minter, mints+1)
		l.pooled(l.key, pays+1)
	case "at another index":
		want, position = settlement.Verified, "log/2"
		l.send(minted)
		l.call(minter, mints+1, 30, usd.PackMint(common.Address([]byte(carol)), big.NewInt(1)))
		l.send(paid)
		l.pooled(minter, mints+2)
		l.pooled(l.key, pays+1)
	case "replaced":
		l.call(l.key, pays, 20, usd.PackTransfer(common.Address([]byte(carol)), big.NewInt(1)))
	case "dropped":
	case "fails":
		want = settlement.TxFailed
		l.send(paid)
	}
	for range depth + 2 {
		l.node.Commit()
	}
	v, err := chain.Verify(t.Context(), claim)
	if err != nil || v.Code != want {
		t.Fatalf("got %s (%v), want %s", v.Code, err, want)
	}
	if v.Evidence != nil && v.Evidence.BlockHash == young.Evidence.BlockHash {
		t.Errorf("the evidence is of the block that has left the chain")
	}
	if position != "" && v.Transfer.Position != position {
		t.Errorf("at %s, want %s", v.Transfer.Position, position)
	}
	var found []string
	parent := old.Parent
	for n := number; n <= l.latest(); n++ {
		scan, err := chain.ScanFor(t.Context(), n, waits)
		if err != nil {
			t.Fatal(err)
		}
		if scan.Block.Hash == old.Block.Hash || scan.Parent != parent {
			t.Errorf("block %d is %s on %s", n, scan.Block.Hash, scan.Parent)
		}
		parent = scan.Block.Hash
		for _, tx := range scan.Transactions {
			found = append(found, tx.Transfers[0].Position)
		}
	}
	if got := strings.Join(found, " "); got != position {
		t.Errorf("the scan found it at %q, want %q", got, position)
	}
}
