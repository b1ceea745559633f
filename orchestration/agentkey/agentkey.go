// Package agentkey holds the agent's key: it signs the orchestrator's challenges
// (EIP-191) and nothing else. It does not sign transactions.
package agentkey

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/crypto"
)

// Key is a secp256k1 key. Printing it shows its address only.
type Key struct{ private *ecdsa.PrivateKey }

// Generate makes a new key.
func Generate() (*Key, error) {
	private, err := crypto.GenerateKey()
	if err != nil {
		return nil, fmt.Errorf("generate agent key: %w", err)
	}
	return &Key{private}, nil
}

// LoadKeystore opens a go-ethereum keystore file (Web3 Secret Storage, version 3
// or 1). A wrong password is keystore.ErrDecrypt.
func LoadKeystore(path, password string) (*Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("load agent key: %w", err)
	}
	key, err := keystore.DecryptKey(text, password)
	if err != nil {
		return nil, fmt.Errorf("open agent key %s: %w", path, err)
	}
	return &Key{key.PrivateKey}, nil
}

// FromHex reads 64 hex digits, with or without 0x. The error never quotes them.
func FromHex(text string) (*Key, error) {
	bytes, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), "0x"))
	if err != nil {
		return nil, errors.New("agent key: not 64 hex digits")
	}
	private, err := crypto.ToECDSA(bytes)
	if err != nil {
		return nil, errors.New("agent key: not a secp256k1 key of 64 hex digits")
	}
	return &Key{private}, nil
}

// Address is the key's address, 0x and 40 hex digits in the case of EIP-55.
func (k *Key) Address() string { return crypto.PubkeyToAddress(k.private.PublicKey).Hex() }

// SignMessage is EIP-191 personal_sign: 0x and 130 hex digits, the last byte is
// 27 or 28.
func (k *Key) SignMessage(_ context.Context, message []byte) (string, error) {
	signature, err := crypto.Sign(accounts.TextHash(message), k.private)
	if err != nil {
		return "", fmt.Errorf("sign message: %w", err)
	}
	signature[crypto.RecoveryIDOffset] += 27
	return "0x" + hex.EncodeToString(signature), nil
}

// String shows the address.
func (k *Key) String() string { return "agent key " + k.Address() }

// GoString shows the address to %#v too.
func (k *Key) GoString() string { return k.String() }

// Format shows the address whatever the verb: %d would print the key's number.
func (k *Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }
