// Package agentkey signs with an agent's key: the orchestrator's challenges
// (EIP-191) and, for a buyer, x402 authorisations (EIP-712). The key is in a
// keystore file (Key) or with a remote signer (Remote). It does not sign
// transactions.
package agentkey

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/settler-pay/settler/orchestration"
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

// FromHex reads 64 hex digits, with or without 0x. The error is a
// *orchestration.ValidationError and never quotes them.
func FromHex(text string) (*Key, error) {
	bytes, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(text), "0x"))
	if err == nil {
		var private *ecdsa.PrivateKey
		if private, err = crypto.ToECDSA(bytes); err == nil {
			return &Key{private}, nil
		}
	}
	return nil, &orchestration.ValidationError{Field: "signer", Constraint: "a secp256k1 key of 64 hex digits"}
}

// Address is the key's address, 0x and 40 hex digits in the case of EIP-55.
func (k *Key) Address() string { return crypto.PubkeyToAddress(k.private.PublicKey).Hex() }

// SignMessage is EIP-191 personal_sign over the message byte for byte: 0x and 130
// hex digits, the last byte is 27 or 28.
func (k *Key) SignMessage(_ context.Context, message []byte) (string, error) {
	return k.sign(accounts.TextHash(message))
}

// SignTypedData is eth_signTypedData_v4 (EIP-712), in the form of SignMessage.
func (k *Key) SignTypedData(_ context.Context, typed apitypes.TypedData) (string, error) {
	hash, _, err := apitypes.TypedDataAndHash(typed)
	if err != nil {
		return "", fmt.Errorf("hash typed data: %w", err)
	}
	return k.sign(hash)
}

func (k *Key) sign(hash []byte) (string, error) {
	signature, err := crypto.Sign(hash, k.private)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return spell(signature), nil
}

// String shows the address.
func (k Key) String() string { return "agent key " + k.Address() }

// GoString shows the address to %#v too.
func (k Key) GoString() string { return k.String() }

// Format shows the address whatever the verb, also of a copy: %d would print the
// key's number.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }
