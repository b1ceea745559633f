package agentkey

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
)

// ErrSignature means that a signature is none, or not that of the address.
var ErrSignature = errors.New("bad signature")

// Recover is the address (EIP-55) whose key made an EIP-191 signature of message:
// 0x and 130 hex digits, the last byte 0, 1, 27 or 28. Any well-formed signature
// gives some address: compare it, or use Verify. The error is ErrSignature.
func Recover(message []byte, signature string) (string, error) {
	return recoverHash(accounts.TextHash(message), signature)
}

// RecoverTypedData is Recover for SignTypedData.
func RecoverTypedData(typed apitypes.TypedData, signature string) (string, error) {
	hash, _, err := apitypes.TypedDataAndHash(typed)
	if err != nil {
		return "", fmt.Errorf("hash typed data: %w", err)
	}
	return recoverHash(hash, signature)
}

// Verify tells whether the key of an address made an EIP-191 signature of message:
// nil, or ErrSignature. Addresses are compared as bytes.
func Verify(address string, message []byte, signature string) error {
	signer, err := Recover(message, signature)
	if err != nil {
		return err
	}
	return mustBe(signer, address)
}

// mustBe compares who signed with who should have.
func mustBe(signer, address string) error {
	if !common.IsHexAddress(address) || common.HexToAddress(signer) != common.HexToAddress(address) {
		return fmt.Errorf("%w: made by %s, not by %q", ErrSignature, signer, address)
	}
	return nil
}

func recoverHash(hash []byte, signature string) (string, error) {
	text, prefixed := strings.CutPrefix(signature, "0x")
	raw, err := hex.DecodeString(text)
	if err != nil || !prefixed || len(raw) != crypto.SignatureLength {
		return "", fmt.Errorf("%w: not 0x and 130 hex digits", ErrSignature)
	}
	if raw[crypto.RecoveryIDOffset] >= 27 {
		raw[crypto.RecoveryIDOffset] -= 27
	}
	public, err := crypto.SigToPub(hash, raw)
	if err != nil {
		return "", fmt.Errorf("%w: no key makes it", ErrSignature)
	}
	return crypto.PubkeyToAddress(*public).Hex(), nil
}

// spell writes a signature whose last byte is 0 or 1 with 27 or 28, as the
// orchestrator's servers and token contracts take it.
func spell(signature []byte) string {
	signature[crypto.RecoveryIDOffset] += 27
	return "0x" + hex.EncodeToString(signature)
}
