package devnet

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/ethclient/simulated"
	"github.com/ethereum/go-ethereum/node"
)

// ChainConfig describes a development chain.
type ChainConfig struct {
	// ChainID tells the chain from every other; payments of one must never count on another.
	ChainID uint64
	// BlockTime makes a block so often. 0 makes blocks on demand only, by Commit.
	BlockTime time.Duration
	// Accounts have 1,000 coins each in the first block.
	Accounts []common.Address
}

// Chain is go-ethereum's own node and EVM with a simulated beacon, served over HTTP on a loopback port. It starts at block
// 0. Its finalized tag jumps: treat blocks as final by depth. Block times are at least a second apart, so blocks made
// faster than that run ahead of the clock.
type Chain struct {
	id     uint64
	url    string
	client *ethclient.Client
	end    chan struct{} // closed by Close
	ended  sync.WaitGroup

	mu      sync.Mutex // guards backend: it seals one block at a time
	backend *simulated.Backend
}

// StartChain starts a chain.
func StartChain(cfg ChainConfig) (*Chain, error) {
	port, err := freeLoopbackPort()
	if err != nil {
		return nil, err
	}
	alloc := make(types.GenesisAlloc)
	coins := new(big.Int).Mul(big.NewInt(1000), big.NewInt(1e18))
	for _, account := range cfg.Accounts {
		alloc[account] = types.Account{Balance: coins}
	}
	backend := simulated.NewBackend(alloc, func(n *node.Config, e *ethconfig.Config) {
		n.HTTPHost, n.HTTPPort, n.HTTPModules = "127.0.0.1", port, []string{"eth", "net", "web3"}
		// The development configuration has every fork there is: the one that no network has yet would change the price of gas.
		chain := *e.Genesis.Config
		chain.BogotaTime = nil
		chain.ChainID = new(big.Int).SetUint64(cfg.ChainID)
		e.Genesis.Config, e.NetworkId = &chain, cfg.ChainID
	})
	c := &Chain{id: cfg.ChainID, url: fmt.Sprintf("http://127.0.0.1:%d", port), backend: backend, end: make(chan struct{})}
	if c.client, err = ethclient.Dial(c.url); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the chain: %w", err), backend.Close())
	}
	if cfg.BlockTime > 0 {
		c.ended.Go(func() { c.seal(cfg.BlockTime) })
	}
	return c, nil
}

func freeLoopbackPort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // loopback
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = l.Close() }() // only its number is wanted
	return l.Addr().(*net.TCPAddr).Port, nil
}

func (c *Chain) seal(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-c.end:
			return
		case <-ticker.C:
			c.Commit()
		}
	}
}

// URL is the JSON-RPC endpoint.
func (c *Chain) URL() string { return c.url }

// ChainID is the chain's number.
func (c *Chain) ChainID() uint64 { return c.id }

// Client speaks to the node over HTTP.
func (c *Chain) Client() *ethclient.Client { return c.client }

// Commit seals a block with the transactions that wait, and returns its hash.
func (c *Chain) Commit() common.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.backend.Commit()
}

// Fork makes the next blocks follow the block with the hash. The new branch is the chain once it is longer.
func (c *Chain) Fork(parent common.Hash) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.backend.Fork(parent); err != nil {
		return fmt.Errorf("fork at %s: %w", parent, err)
	}
	return nil
}

// CommitEmpty seals a block without the transactions that wait; they are lost.
func (c *Chain) CommitEmpty() common.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.backend.Rollback()
	return c.backend.Commit()
}

// Close ends the node.
func (c *Chain) Close() error {
	close(c.end)
	c.ended.Wait()
	c.client.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.backend.Close()
}

// Send signs a transaction with the next nonce of the key's account and sends it, without waiting for its block. to is nil
// to deploy data.
func (c *Chain) Send(ctx context.Context, key *ecdsa.PrivateKey, to *common.Address, value *big.Int, data []byte) (*types.Transaction, error) {
	from := addressOf(key)
	nonce, err := c.client.PendingNonceAt(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("read nonce of %s: %w", from, err)
	}
	price, err := c.client.SuggestGasPrice(ctx)
	if err != nil {
		return nil, fmt.Errorf("read gas price: %w", err)
	}
	// Gas is not estimated: a transaction that will be reverted must be sent all the same.
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(new(big.Int).SetUint64(c.id)), &types.LegacyTx{
		Nonce: nonce, GasPrice: price.Mul(price, big.NewInt(4)), Gas: 2_000_000, To: to, Value: value, Data: data,
	})
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	if err := c.client.SendTransaction(ctx, tx); err != nil {
		return nil, fmt.Errorf("send transaction: %w", err)
	}
	return tx, nil
}
