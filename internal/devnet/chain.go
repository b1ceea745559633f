package devnet

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/txpool"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/eth"
	"github.com/ethereum/go-ethereum/eth/catalyst"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/eth/filters"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/p2p"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rpc"
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

// Chain is go-ethereum's own node and EVM with a simulated beacon, served over HTTP and WebSocket on a loopback port. It starts at block
// 0. Its finalized tag jumps: treat blocks as final by depth. Block times are at least a second apart, so blocks made
// faster than that run ahead of the clock.
type Chain struct {
	id     uint64
	url    string
	node   *node.Node
	pool   *txpool.TxPool
	client *ethclient.Client
	end    chan struct{} // closed by Close
	ended  sync.WaitGroup
	close  sync.Once

	sealing sync.Mutex // guards beacon, which seals one block at a time, and pool.Sync
	beacon  *catalyst.SimulatedBeacon
	sending sync.Mutex // held from a nonce to its transaction
}

// StartChain starts a chain.
func StartChain(cfg ChainConfig) (*Chain, error) {
	// go-ethereum/ethclient/simulated does the same, but on a port that must be chosen before, and without its pool.
	stack, err := node.New(&node.Config{
		HTTPHost: "127.0.0.1", HTTPPort: 0, HTTPModules: []string{"eth", "net", "web3"}, HTTPVirtualHosts: []string{"localhost"},
		WSHost: "127.0.0.1", WSPort: 0, WSModules: []string{"eth"}, HTTPTimeouts: rpc.DefaultHTTPTimeouts, HTTPBodyLimit: node.DefaultConfig.HTTPBodyLimit,
		BatchRequestLimit: node.DefaultConfig.BatchRequestLimit, BatchResponseMaxSize: node.DefaultConfig.BatchResponseMaxSize,
		P2P: p2p.Config{NoDiscovery: true, NoDial: true},
	})
	if err != nil {
		return nil, fmt.Errorf("make the chain's node: %w", err)
	}
	backend, err := eth.New(stack, ethConfig(cfg))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the chain: %w", err), stack.Close())
	}
	stack.RegisterAPIs([]rpc.API{{
		Namespace: "eth", Service: filters.NewFilterAPI(filters.NewFilterSystem(backend.APIBackend, filters.Config{})),
	}})
	if err := stack.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the chain's node: %w", err), stack.Close())
	}
	c := &Chain{id: cfg.ChainID, url: stack.HTTPEndpoint(), node: stack, pool: backend.TxPool(), end: make(chan struct{})}
	const onDemand = 0
	if c.beacon, err = catalyst.NewSimulatedBeacon(onDemand, common.Address{}, backend); err != nil {
		return nil, errors.Join(fmt.Errorf("start the chain's beacon: %w", err), stack.Close())
	}
	if c.client, err = ethclient.Dial(c.url); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the chain: %w", err), stack.Close())
	}
	if cfg.BlockTime > 0 {
		c.ended.Go(func() { c.seal(cfg.BlockTime) })
	}
	return c, nil
}

// ethConfig is the chain in memory, with every fork that Ethereum has today.
func ethConfig(cfg ChainConfig) *ethconfig.Config {
	rules := *params.AllDevChainProtocolChanges
	// The development rules have a fork that no network has yet, and it would change the price of gas.
	rules.BogotaTime = nil
	rules.ChainID = new(big.Int).SetUint64(cfg.ChainID)
	alloc := core.SystemContractAllocs()
	coins := new(big.Int).Mul(big.NewInt(1000), big.NewInt(params.Ether))
	alloc[deployer] = types.Account{Balance: new(big.Int), Nonce: 1, Code: common.FromHex(deployerCode)}
	for _, account := range cfg.Accounts {
		alloc[account] = types.Account{Balance: coins}
	}
	config := ethconfig.Defaults
	config.Genesis = &core.Genesis{Config: &rules, GasLimit: config.Miner.GasCeil, Alloc: alloc}
	config.NetworkId = cfg.ChainID
	config.SyncMode = ethconfig.FullSync
	config.TxPool.NoLocals = true
	config.LogNoHistory = true // logs are searched block by block: an index lags behind the head
	return &config
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

// Commit seals a block with the transactions that wait, and returns its hash. The pool knows the new balances then.
func (c *Chain) Commit() common.Hash {
	c.sealing.Lock()
	defer c.sealing.Unlock()
	hash := c.beacon.Commit()
	_ = c.pool.Sync() // it errs only after Close
	return hash
}

// Skip seals a block that is so much later than the last one. No transaction may wait.
func (c *Chain) Skip(time time.Duration) error {
	c.sealing.Lock()
	defer c.sealing.Unlock()
	if err := c.beacon.AdjustTime(time); err != nil {
		return fmt.Errorf("skip %s: %w", time, err)
	}
	return nil
}

// Fork makes the block with the hash the head: the blocks after it have left the chain, and the next ones follow it. The
// transactions of the blocks that left wait again, as they do on a real node; those that waited before are lost. A real
// node would show the other branch only once it is longer.
func (c *Chain) Fork(head common.Hash) error {
	c.sealing.Lock()
	defer c.sealing.Unlock()
	const tries = 100
	for try := 1; ; try++ {
		if err := c.dropWaiting(); err != nil {
			return err
		}
		err := c.beacon.Fork(head)
		if err == nil {
			return nil
		}
		// It refuses while a transaction waits, and one may have come since.
		if waiting, _ := c.pool.Stats(); waiting == 0 || try == tries {
			return fmt.Errorf("fork at %s: %w", head, err)
		}
	}
}

// CommitEmpty seals a block without the transactions that wait; they are lost, and so are those that come meanwhile.
func (c *Chain) CommitEmpty() common.Hash {
	c.sealing.Lock()
	defer c.sealing.Unlock()
	c.pool.SetGasTip(new(big.Int).Lsh(big.NewInt(1), 255)) // nobody pays as much
	defer c.pool.SetGasTip(new(big.Int).SetUint64(ethconfig.Defaults.TxPool.PriceLimit))
	_ = c.dropWaiting() // it errs only after Close, and then there is no block either
	return c.beacon.Commit()
}

// dropWaiting empties the pool, after it has taken back what a fork returned to it.
func (c *Chain) dropWaiting() error {
	if err := c.pool.Sync(); err != nil {
		return fmt.Errorf("wait for the chain's pool: %w", err)
	}
	c.pool.Clear()
	return nil
}

// Close ends the node. Calling it again does nothing.
func (c *Chain) Close() (err error) {
	c.close.Do(func() {
		close(c.end)
		c.ended.Wait()
		c.client.Close()
		c.sealing.Lock()
		defer c.sealing.Unlock()
		err = errors.Join(c.beacon.Stop(), c.node.Close())
	})
	return err
}

// Send signs a transaction with the next nonce of the key's account and sends it, without waiting for its block. to is nil
// to deploy data.
func (c *Chain) Send(ctx context.Context, key *ecdsa.PrivateKey, to *common.Address, value *big.Int, data []byte) (*types.Transaction, error) {
	return c.send(ctx, key, to, value, data, 2_000_000)
}

func (c *Chain) send(ctx context.Context, key *ecdsa.PrivateKey, to *common.Address, value *big.Int, data []byte, gas uint64) (*types.Transaction, error) {
	c.sending.Lock()
	defer c.sending.Unlock()
	from := addressOf(key)
	nonce, err := c.client.PendingNonceAt(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("read nonce of %s: %w", from, err)
	}
	head, err := c.client.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("read base fee: %w", err)
	}
	// Not the suggested price: it follows what was paid last, so that a multiple of it grows without end.
	price := new(big.Int).Mul(head.BaseFee, big.NewInt(4))
	price.Add(price, big.NewInt(params.GWei))
	// Gas is not estimated: a transaction that will be reverted must be sent all the same.
	tx, err := types.SignNewTx(key, types.LatestSignerForChainID(new(big.Int).SetUint64(c.id)), &types.LegacyTx{
		Nonce: nonce, GasPrice: price, Gas: gas, To: to, Value: value, Data: data,
	})
	if err != nil {
		return nil, fmt.Errorf("sign transaction: %w", err)
	}
	return tx, c.submit(ctx, tx)
}

// Submit sends a transaction that is signed, without waiting for its block. One that waits already is no error.
func (c *Chain) Submit(ctx context.Context, tx *types.Transaction) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	return c.submit(ctx, tx)
}

func (c *Chain) submit(ctx context.Context, tx *types.Transaction) error {
	if err := c.client.SendTransaction(ctx, tx); err != nil && err.Error() != txpool.ErrAlreadyKnown.Error() {
		return fmt.Errorf("send transaction: %w", err)
	}
	// The pool counts it a moment later; the next nonce is right only then. Of two that wait for the pool at once, as
	// sealing a block does too, the pool answers one.
	c.sealing.Lock()
	defer c.sealing.Unlock()
	if err := c.pool.Sync(); err != nil {
		return fmt.Errorf("wait for the chain's pool: %w", err)
	}
	return nil
}
