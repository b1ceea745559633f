package evm

import (
	"crypto/ecdsa"
	"math/big"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/settlement"
)

const liveChain settlement.ChainID = "eip155:31337"

// live is a real EVM node with a real token. Blocks are made on demand.
type live struct {
	t     *testing.T
	node  *devnet.Chain
	key   *ecdsa.PrivateKey
	payer settlement.Address
	token common.Address
}

func startLive(t *testing.T) *live {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	payer := crypto.PubkeyToAddress(key.PublicKey)
	l := &live{t: t, key: key, payer: settlement.Address(payer[:])}
	if l.node, err = devnet.StartChain(devnet.ChainConfig{ChainID: 31337, Accounts: []common.Address{payer}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.node.Close(); err != nil {
			t.Errorf("close the node: %v", err)
		}
	})
	if l.token, err = devnet.DeployTestToken(t.Context(), l.node, key, payer); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *live) listed() settlement.Token {
	return settlement.Token{Chain: liveChain, Address: settlement.Address(l.token[:]), Symbol: "TUSD", Decimals: devnet.TestTokenDecimals}
}

func (l *live) chain(tokens ...settlement.Token) *Chain {
	l.t.Helper()
	chain, err := New(Config{
		Chain: liveChain, Endpoints: []Endpoint{{Name: "node", URL: l.node.URL()}}, Tokens: tokens, Finality: Finality{Depth: 2},
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return chain
}

// pay sends base units of the token to bob.
func (l *live) pay(units int64) *types.Transaction {
	l.t.Helper()
	tx, err := devnet.SendTestToken(l.t.Context(), l.node, l.key, l.token, common.BytesToAddress([]byte(bob)), big.NewInt(units))
	if err != nil {
		l.t.Fatal(err)
	}
	return tx
}

func (l *live) latest() uint64 {
	l.t.Helper()
	number, err := l.node.Client().BlockNumber(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return number
}

func (l *live) claim(tx *types.Transaction, token settlement.Address, units uint64) settlement.Claim {
	return settlement.Claim{
		Chain: liveChain, TxID: settlement.TxID(tx.Hash().Bytes()), Payers: []settlement.Address{l.payer},
		Want: settlement.Transfer{Token: token, Payee: bob, Amount: settlement.NewAmount(units)},
	}
}

func TestRealChain(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	token := l.listed().Address
	onlyToken, withNative := l.chain(l.listed()), l.chain(l.listed(), settlement.Token{Chain: liveChain, Symbol: "ETH", Decimals: 18})
	for _, check := range withNative.Check(t.Context()) {
		if check.Err != nil || check.Latest != l.latest() || time.Since(check.HeadTime).Abs() > time.Hour {
			t.Fatalf("check: %+v", check)
		}
	}
	if decimals, err := onlyToken.Decimals(t.Context(), token); err != nil || decimals != devnet.TestTokenDecimals {
		t.Errorf("decimals %d (%v), want %d", decimals, err, devnet.TestTokenDecimals)
	}
	payerHas, err := l.node.Client().BalanceAt(t.Context(), common.BytesToAddress([]byte(l.payer)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := onlyToken.Balance(t.Context(), l.payer); err != nil || got.Big().Cmp(payerHas) != 0 || got.IsZero() {
		t.Errorf("balance %s (%v), want %s", got, err, payerHas)
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
	paid := l.pay(1_500_000)
	sent, err := l.node.Send(t.Context(), l.key, &payee, big.NewInt(77), nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := l.pay(2_000_000_000_000) // more than there is
	verify(l.claim(paid, token, 1_500_000), settlement.TxPending)
	never := l.claim(paid, token, 1_500_000)
	never.TxID = settlement.TxID(hash("never"))
	verify(never, settlement.TxNotFound)

	number := l.latest() + 1
	l.node.Commit()
	v := verify(l.claim(paid, token, 1_500_000), settlement.TxUnconfirmed)
	if v.Transfer == nil || v.Transfer.Position != "log/0" || v.Evidence.Block != number {
		t.Errorf("young: %+v %+v", v.Transfer, v.Evidence)
	}
	verify(l.claim(failed, token, 2_000_000_000_000), settlement.TxUnconfirmed)
	l.node.Commit()
	l.node.Commit()
	v = verify(l.claim(paid, token, 1_500_000), settlement.Verified)
	if v.Evidence.Head != number || v.Evidence.TxSender != FormatAddress(l.payer) {
		t.Errorf("final: %+v", v.Evidence)
	}
	verify(l.claim(paid, token, 1_500_001), settlement.AmountMismatch)
	verify(l.claim(sent, "", 77), settlement.Verified)
	verify(l.claim(sent, token, 77), settlement.NoTransfer)
	verify(l.claim(failed, token, 2_000_000_000_000), settlement.TxFailed)

	head, err := onlyToken.Head(t.Context())
	if err != nil || head.Latest != number+2 || head.Final != number {
		t.Errorf("head %+v (%v)", head, err)
	}
	parent := settlement.BlockHash("")
	for n := range head.Latest + 1 {
		logs, err := onlyToken.Scan(t.Context(), n)
		if err != nil {
			t.Fatalf("scan of %d: %v", n, err)
		}
		receipts, err := withNative.Scan(t.Context(), n)
		if err != nil {
			t.Fatalf("scan of %d with native coin: %v", n, err)
		}
		if logs.Block != receipts.Block || parent != "" && logs.Parent != parent {
			t.Errorf("block %d: %+v and %+v after %s", n, logs.Block, receipts.Block, parent)
		}
		parent = logs.Block.Hash
		if n != number {
			continue
		}
		if len(logs.Transactions) != 1 || logs.Transactions[0].TxID != settlement.TxID(paid.Hash().Bytes()) {
			t.Errorf("logs: moves %+v", logs.Transactions)
		}
		if len(receipts.Transactions) != 2 || receipts.Transactions[1].Transfers[0].Position != settlement.Native {
			t.Errorf("receipts: moves %+v", receipts.Transactions)
		}
	}
}

func TestRealReorganisation(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	chain := l.chain(l.listed())
	before, err := l.node.Client().HeaderByNumber(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	paid := l.pay(1_500_000)
	claim := l.claim(paid, l.listed().Address, 1_500_000)
	l.node.Commit()
	young, err := chain.Verify(t.Context(), claim)
	if err != nil || young.Code != settlement.TxUnconfirmed || young.Transfer == nil {
		t.Fatalf("got %+v (%v), want TX_UNCONFIRMED with its transfer", young, err)
	}
	if err := l.node.Fork(before.Hash()); err != nil {
		t.Fatal(err)
	}
	for range 4 { // longer than the old branch, and final
		l.node.CommitEmpty()
	}
	scan, err := chain.Scan(t.Context(), young.Evidence.Block)
	if err != nil {
		t.Fatal(err)
	}
	if scan.Block.Hash.String() == young.Evidence.BlockHash || len(scan.Transactions) != 0 {
		t.Fatalf("block %d was not replaced by an empty one: %+v", young.Evidence.Block, scan)
	}
	v, err := chain.Verify(t.Context(), claim)
	if err != nil {
		t.Fatal(err)
	}
	if v.Outcome() != settlement.Pending || v.Evidence != nil && v.Evidence.BlockHash == young.Evidence.BlockHash {
		t.Errorf("dropped by a reorganisation: got %s %+v", v.Code, v.Evidence)
	}

	// The payer's wallet sends the same transaction again: the same id, in another block.
	if err := l.node.Client().SendTransaction(t.Context(), paid); err != nil {
		t.Logf("send again: %v", err) // the node may have kept it
	}
	for range 3 {
		l.node.Commit()
	}
	v, err = chain.Verify(t.Context(), claim)
	if err != nil || v.Code != settlement.Verified || v.Evidence.BlockHash == young.Evidence.BlockHash {
		t.Errorf("mined again: got %+v (%v), want VERIFIED in another block", v, err)
	}
}
