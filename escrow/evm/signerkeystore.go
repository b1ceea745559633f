package evm

import (
	"context"
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"os"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// Keystore is a Signer whose key was read from an encrypted file. Printing it shows its address only.
type Keystore struct {
	private *ecdsa.PrivateKey
	address common.Address
}

// OpenKeystore opens a go-ethereum keystore file (Web3 Secret Storage, version 3 or 1). A wrong password, and a file that
// was changed, is keystore.ErrDecrypt. A key that is not encrypted is not read.
func OpenKeystore(path, password string) (*Keystore, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read keystore: %w", err)
	}
	key, err := keystore.DecryptKey(text, password)
	if err != nil {
		return nil, fmt.Errorf("open keystore %s: %w", path, err)
	}
	return &Keystore{key.PrivateKey, key.Address}, nil
}

// Address is the key's address.
func (k *Keystore) Address() common.Address { return k.address }

// SignTx is Signer's.
func (k *Keystore) SignTx(_ context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	return sign(tx, chainID, k.address, func(hash common.Hash) ([]byte, error) { return crypto.Sign(hash[:], k.private) })
}

// Format shows the address whatever the verb, also of a copy: %d would print the key's number.
func (k Keystore) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "keystore of %s", k.address.Hex())
}
