package devnet_test

import (
	"crypto/ecdsa"
	"errors"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/internal/devnet"
)

func startChain(t *testing.T, cfg devnet.ChainConfig) (chain *devnet.Chain, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Accounts = append(cfg.Accounts, crypto.PubkeyToAddress(key.PublicKey))
	if chain, err = devnet.StartChain(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for range 2 {
			if err := chain.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	})
	return chain, key
}

func head(t *testing.T, chain *devnet.Chain) uint64 {
	t.Helper()
	number, err := chain.Client().BlockNumber(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// transactions is how many the head's block holds.
func transactions(t *testing.T, chain *devnet.Chain) int {
	t.Helper()
	block, err := chain.Client().BlockByNumber(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return len(block.Transactions())
}

func balance(t *testing.T, chain *devnet.Chain, token, holder common.Address) *big.Int {
	t.Helper()
	answer, err := chain.Client().CallContract(t.Context(), ethereum.CallMsg{To: &token, Data: contracts.NewTestUSD().PackBalanceOf(holder)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	units, err := contracts.NewTestUSD().UnpackBalanceOf(answer)
	if err != nil {
		t.Fatal(err)
	}
	return units
}

func TestChainsAreApart(t *testing.T) {
	t.Parallel()
	for _, id := range []uint64{4_000_000_001, 4_000_000_002} {
		chain, _ := startChain(t, devnet.ChainConfig{ChainID: id})
		got, err := chain.Client().ChainID(t.Context())
		if err != nil || got.Uint64() != id || chain.ChainID() != id {
			t.Errorf("chain says it is %s (%v), want %d", got, err, id)
		}
		if number := head(t, chain); number != 0 {
			t.Errorf("chain begins at block %d", number)
		}
	}
}

func TestChainMakesBlocks(t *testing.T) {
	t.Parallel()
	t.Run("on demand", func(t *testing.T) {
		t.Parallel()
		chain, _ := startChain(t, devnet.ChainConfig{ChainID: 31337})
		for want := range uint64(3) {
			if got := head(t, chain); got != want {
				t.Errorf("block %d, want %d", got, want)
			}
			hash := chain.Commit()
			block, err := chain.Client().HeaderByNumber(t.Context(), nil)
			if err != nil || block.Hash() != hash {
				t.Errorf("head %v (%v), want %s", block, err, hash)
			}
		}
	})
	t.Run("by time", func(t *testing.T) {
		t.Parallel()
		chain, _ := startChain(t, devnet.ChainConfig{ChainID: 31337, BlockTime: 30 * time.Millisecond})
		for deadline := time.Now().Add(2 * time.Minute); head(t, chain) < 3; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no three blocks in 20 s")
			}
		}
	})
}

func TestTokenMoves(t *testing.T) {
	t.Parallel()
	chain, key := startChain(t, devnet.ChainConfig{ChainID: 31337})
	holder, payee := crypto.PubkeyToAddress(key.PublicKey), common.HexToAddress("0xbeef")
	token, err := devnet.DeployTestToken(t.Context(), chain, key, holder)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := balance(t, chain, token, holder), int64(1_000_000_000_000); got.Int64() != want {
		t.Errorf("holder has %s, want %d", got, want)
	}
	// Twenty at once from one wallet, in one block: none takes another's nonce.
	before := head(t, chain)
	var senders sync.WaitGroup
	for range 20 {
		senders.Go(func() {
			if _, err := devnet.SendTestToken(t.Context(), chain, key, token, payee, big.NewInt(1_500_000)); err != nil {
				t.Errorf("send: %v", err)
			}
		})
	}
	senders.Wait()
	chain.Commit()
	if got := transactions(t, chain); head(t, chain) != before+1 || got != 20 {
		t.Errorf("block %d holds %d transactions, want block %d with 20", head(t, chain), got, before+1)
	}
	if got := balance(t, chain, token, payee); got.Int64() != 20*1_500_000 {
		t.Errorf("payee has %s", got)
	}
	// What is reverted is in a block all the same.
	tx, err := devnet.SendTestToken(t.Context(), chain, key, token, payee, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	chain.Commit()
	receipt, err := chain.Client().TransactionReceipt(t.Context(), tx.Hash())
	if err != nil || receipt.Status != types.ReceiptStatusFailed || len(receipt.Logs) != 0 {
		t.Errorf("receipt %+v (%v), want a failed one without logs", receipt, err)
	}
}

func TestChainForks(t *testing.T) {
	t.Parallel()
	chain, key := startChain(t, devnet.ChainConfig{ChainID: 31337})
	payee := common.HexToAddress("0xbeef")
	pay := func() common.Hash {
		tx, err := chain.Send(t.Context(), key, &payee, big.NewInt(7), nil)
		if err != nil {
			t.Fatal(err)
		}
		return tx.Hash()
	}
	included := func(hash common.Hash) bool {
		_, err := chain.Client().TransactionReceipt(t.Context(), hash)
		if err != nil && !errors.Is(err, ethereum.NotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	fork := chain.Commit()
	paid := pay()
	left := chain.Commit()
	if !included(paid) {
		t.Fatal("not in the block")
	}
	pay() // waits, and is lost by the fork

	if err := chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	if included(paid) {
		t.Error("still in a block that has left the chain")
	}
	if hash := chain.CommitEmpty(); hash == left || transactions(t, chain) != 0 {
		t.Errorf("block %s holds %d transactions, want another one without any", hash, transactions(t, chain))
	}
	chain.Commit()
	if included(paid) || head(t, chain) != 3 {
		t.Errorf("head %d, want 3 without the transaction", head(t, chain))
	}

	// Without CommitEmpty the transaction comes back by itself.
	again := pay()
	chain.Commit()
	if err := chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	chain.Commit()
	if !included(again) || head(t, chain) != 2 {
		t.Errorf("head %d, included %t: want 2 with the transaction", head(t, chain), included(again))
	}
	if err := chain.Fork(common.Hash{1}); err == nil {
		t.Error("forked at a block that is not there")
	}
}

// TestSendingWhileBlocksAreSealed sends as fast as it can to a chain that seals all the time: neither may wait for ever.
func TestSendingWhileBlocksAreSealed(t *testing.T) {
	t.Parallel()
	chain, key := startChain(t, devnet.ChainConfig{ChainID: 31337, BlockTime: time.Millisecond})
	to := crypto.PubkeyToAddress(key.PublicKey)
	for range 300 {
		if _, err := chain.Send(t.Context(), key, &to, new(big.Int), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// Whoever sends while the chain forks or seals an empty block neither disturbs that nor gets into the block.
func TestForkWhileSomebodySends(t *testing.T) {
	t.Parallel()
	chain, key := startChain(t, devnet.ChainConfig{ChainID: 31338})
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(big.NewInt(31338)), &types.LegacyTx{
		GasPrice: big.NewInt(100e9), Gas: 21_000, To: &common.Address{1}, Value: big.NewInt(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended, senders := make(chan struct{}), sync.WaitGroup{}
	for range 2 {
		senders.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
					_ = chain.Client().SendTransaction(t.Context(), tx) // known already, or refused
				}
			}
		})
	}
	fork := chain.CommitEmpty()
	for range 30 {
		chain.CommitEmpty()
		if n := transactions(t, chain); n != 0 {
			t.Errorf("%d transactions in an empty block", n)
		}
		if err := chain.Fork(fork); err != nil {
			t.Error(err)
		}
	}
	close(ended)
	senders.Wait()
	if err := chain.Submit(t.Context(), tx); err != nil {
		t.Fatal(err)
	}
	chain.Commit()
	if n := transactions(t, chain); n != 1 {
		t.Errorf("%d transactions in the block afterwards, want the one", n)
	}
}
