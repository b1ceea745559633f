package devnet

import (
	"context"
	"crypto/ecdsa"
	"fmt"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/contracts"
)

// The CREATE2 deployer stands at this address with this code on most chains, and on ours from the first block on.
//
// Source: https://github.com/Arachnid/deterministic-deployment-proxy.
var deployer = common.HexToAddress("0x4e59b44847b379578588920cA78FbF26c0B4956C")

const deployerCode = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"

// DeployVaults deploys the vaults' factory from the key's account, through the standard deployer, and waits for the block.
func DeployVaults(ctx context.Context, chain *Chain, key *ecdsa.PrivateKey) error {
	salt := make([]byte, 32)
	const gas = 8_000_000 // it costs about half of that
	tx, err := chain.send(ctx, key, &deployer, nil, append(salt, common.FromHex(contracts.OrderVaultsMetaData.Bin)...), gas)
	if err == nil {
		_, err = chain.mined(ctx, tx)
	}
	if err != nil {
		return fmt.Errorf("deploy the vaults' factory: %w", err)
	}
	return nil
}
