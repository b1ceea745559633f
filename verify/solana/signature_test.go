package solana

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/gagliardetto/solana-go/base58"

	"github.com/settler-pay/settler/settlement"
)

func TestCheckSignature(t *testing.T) {
	t.Parallel()
	const text = "settler: my transaction pays this payment.\nPayment: 1\nChain: solana:x\nTransaction: y"
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	signer := settlement.Address(public)
	good := ed25519.Sign(private, []byte(text))
	if block, err := CheckSignature(t.Context(), signer, text, base58.Encode(good)); err != nil || block != 0 {
		t.Errorf("block %d, %v", block, err)
	}
	// The order of the group: with it added, s is another number and the same point.
	order := []byte{
		0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	}
	malleable, carry := bytes.Clone(good), 0
	for i, b := range order {
		sum := int(malleable[32+i]) + int(b) + carry
		malleable[32+i], carry = byte(sum), sum>>8
	}
	for _, tt := range []struct {
		name            string
		signer          settlement.Address
		text, signature string
		malformed       bool
		says            string
	}{
		{"another payment", signer, strings.Replace(text, "Payment: 1", "Payment: 2", 1), base58.Encode(good), false, "not the signer's"},
		{"another transaction", signer, strings.Replace(text, "Transaction: y", "Transaction: z", 1), base58.Encode(good), false, "not the signer's"},
		{"another cluster", signer, strings.Replace(text, "solana:x", "solana:z", 1), base58.Encode(good), false, "not the signer's"},
		{"another wallet", settlement.Address(other), text, base58.Encode(good), false, "not the signer's"},
		{"an address of another chain", settlement.Address(public[:20]), text, base58.Encode(good), false, "not the signer's"},
		{"a changed s", signer, text, base58.Encode(malleable), false, "not the signer's"},
		{"hex", signer, text, "0x" + strings.Repeat("ab", 64), true, "is hex"},
		{"32 bytes", signer, text, base58.Encode(good[:32]), true, "32 bytes"},
		{"65 bytes", signer, text, base58.Encode(append(bytes.Clone(good), 1)), true, "65 bytes"},
		{"nothing", signer, text, "", true, "is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := CheckSignature(t.Context(), tt.signer, tt.text, tt.signature)
			refusal, ok := errors.AsType[*settlement.SignatureError](err)
			if !ok || refusal.Malformed != tt.malformed || !strings.Contains(refusal.Problem, tt.says) {
				t.Errorf("got %v, want malformed %t and %q", err, tt.malformed, tt.says)
			}
		})
	}
}
