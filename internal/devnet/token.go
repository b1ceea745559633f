package devnet

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/contracts"
)

// TestTokenDecimals of the test token TUSD.
const TestTokenDecimals = 6

func addressOf(key *ecdsa.PrivateKey) common.Address { return crypto.PubkeyToAddress(key.PublicKey) }

// DeployTestToken deploys TUSD from the key's account and mints a million to the holder. Both are in blocks when it returns:
// it seals them itself, also where blocks are made by time.
func DeployTestToken(ctx context.Context, chain *Chain, key *ecdsa.PrivateKey, holder common.Address) (common.Address, error) {
	tx, err := chain.Send(ctx, key, nil, nil, common.FromHex(contracts.TestUSDMetaData.Bin))
	if err != nil {
		return common.Address{}, fmt.Errorf("deploy test token: %w", err)
	}
	receipt, err := chain.mined(ctx, tx)
	if err != nil {
		return common.Address{}, fmt.Errorf("deploy test token: %w", err)
	}
	million := new(big.Int).Mul(big.NewInt(1_000_000), big.NewInt(1_000_000))
	return receipt.ContractAddress, MintTestToken(ctx, chain, key, receipt.ContractAddress, holder, million)
}

// MintTestToken mints base units to the holder and waits for the block.
func MintTestToken(ctx context.Context, chain *Chain, key *ecdsa.PrivateKey, token, holder common.Address, amount *big.Int) error {
	tx, err := chain.Send(ctx, key, &token, nil, contracts.NewTestUSD().PackMint(holder, amount))
	if err == nil {
		_, err = chain.mined(ctx, tx)
	}
	if err != nil {
		return fmt.Errorf("mint test token: %w", err)
	}
	return nil
}

// SendTestToken sends base units from the key's account and does not wait for the block.
func SendTestToken(ctx context.Context, chain *Chain, key *ecdsa.PrivateKey, token, to common.Address, amount *big.Int) (*types.Transaction, error) {
	return chain.Send(ctx, key, &token, nil, contracts.NewTestUSD().PackTransfer(to, amount))
}

// mined waits for the transaction's block.
func (c *Chain) mined(ctx context.Context, tx *types.Transaction) (*types.Receipt, error) {
	for {
		c.Commit()
		receipt, err := c.client.TransactionReceipt(ctx, tx.Hash())
		if err == nil {
			if receipt.Status != types.ReceiptStatusSuccessful {
				return nil, fmt.Errorf("transaction %s was reverted", tx.Hash())
			}
			return receipt, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for transaction %s: %w", tx.Hash(), ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// DeployTestWallet deploys a contract wallet of the key's: it does what the key sends, and signs (EIP-1271) what the key
// signs. It is in a block when it returns.
func DeployTestWallet(ctx context.Context, chain *Chain, key *ecdsa.PrivateKey) (common.Address, error) {
	code := append(common.FromHex(contracts.OwnedWalletMetaData.Bin), contracts.NewOwnedWallet().PackConstructor(addressOf(key))...)
	tx, err := chain.Send(ctx, key, nil, nil, code)
	if err == nil {
		var receipt *types.Receipt
		if receipt, err = chain.mined(ctx, tx); err == nil {
			return receipt.ContractAddress, nil
		}
	}
	return common.Address{}, fmt.Errorf("deploy test wallet: %w", err)
}

// SendTestTokenFrom has the key's contract wallet send base units, a transfer for each amount in one transaction, and does
// not wait for the block.
func SendTestTokenFrom(ctx context.Context, chain *Chain, key *ecdsa.PrivateKey, wallet, token, to common.Address, amounts ...*big.Int) (*types.Transaction, error) {
	transfers := make([][]byte, len(amounts))
	for i, amount := range amounts {
		transfers[i] = contracts.NewTestUSD().PackTransfer(to, amount)
	}
	return chain.Send(ctx, key, &wallet, nil, contracts.NewOwnedWallet().PackCall(token, transfers))
}

// TestTokenBalance reads what an account has at the latest block, in base units.
func TestTokenBalance(ctx context.Context, chain *Chain, token, of common.Address) (*big.Int, error) {
	usd := contracts.NewTestUSD()
	out, err := chain.client.CallContract(ctx, ethereum.CallMsg{To: &token, Data: usd.PackBalanceOf(of)}, nil)
	if err != nil {
		return nil, fmt.Errorf("read the balance of %s: %w", of, err)
	}
	return usd.UnpackBalanceOf(out)
}
