package solana

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/gagliardetto/solana-go/base58"

	"github.com/settler-pay/settler/settlement"
)

// CheckSignature returns a *settlement.SignatureError unless the signature, base58 of 64 bytes, is the signer's over the text
// as wallets sign messages: Ed25519 over the text's own bytes. It asks nobody, and block is always 0: an account that is no
// key, such as a program's or a multisig, cannot sign.
func CheckSignature(_ context.Context, signer settlement.Address, text, signature string) (block uint64, err error) {
	var raw [ed25519.SignatureSize]byte
	if err := base58.Decode64(signature, &raw); err != nil {
		return 0, &settlement.SignatureError{Malformed: true, Problem: fmt.Sprintf("it %s", explain(signature, len(raw)))}
	}
	if len(signer) != ed25519.PublicKeySize || !ed25519.Verify(ed25519.PublicKey(signer), []byte(text), raw[:]) {
		return 0, &settlement.SignatureError{Problem: "it is not the signer's over this text"}
	}
	return 0, nil
}
