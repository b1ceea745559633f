package evm

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/settlement"
)

const (
	// maxSignature bounds a contract wallet's signature, in bytes: one by a passkey has some 700.
	maxSignature = 2048
	// signatureGas bounds what a contract may spend on its answer: one that checks a passkey in Solidity spends a million.
	signatureGas = 3_000_000
	// isValidSignature is the selector of isValidSignature(bytes32,bytes), and the answer that means yes.
	isValidSignature = "\x16\x26\xba\x7e"
)

// CheckSignature reports whether the signature, in hex, is the signer's over the text as wallets sign messages (EIP-191,
// personal_sign). One by a key speaks for itself, and block is 0. Any other is put to the contract at the signer's address
// (EIP-1271), at a final block, which is returned, and by as many operators as the chain's trust demands.
//
// A high s, which anybody can make of a low one, is refused. Errors are *settlement.SignatureError, and
// *settlement.LookError for a contract that could not be asked.
func (c *Chain) CheckSignature(ctx context.Context, signer settlement.Address, text, signature string) (block uint64, err error) {
	raw, ok := decodeHex(signature)
	if !ok || len(raw) > maxSignature {
		return 0, &settlement.SignatureError{Malformed: true, Problem: fmt.Sprintf("it is not 0x and up to %d hex digits", 2*maxSignature)}
	}
	if len(signer) != 20 || strings.HasPrefix(string(signer), systemPrefix) {
		return 0, &settlement.SignatureError{Problem: "nobody has the key of a system address"}
	}
	digest := crypto.Keccak256([]byte("\x19Ethereum Signed Message:\n" + strconv.Itoa(len(text)) + text))
	byKey, problem := recoverSigner(digest, []byte(raw))
	if byKey == signer {
		return 0, nil
	}
	var problems []string // one for each operator whose node does not confirm it
	type answer struct {
		block   uint64
		problem string
	}
	answers, err := gather(ctx, c, c.endpoints, c.rule, c.rule.Trust.operators(), func(ctx context.Context, s *session) (answer, error) {
		final, err := s.final(ctx)
		if err != nil {
			return answer{}, err
		}
		problem, err := s.asksContract(ctx, signer, digest, raw, final)
		return answer{final.number, problem}, err
	})
	switch {
	case errors.Is(err, errAskAnother):
		return 0, &settlement.LookError{Code: settlement.RPCHistoryUnavailable, Err: errors.New("no endpoint keeps the state of its final block")}
	case err != nil:
		return 0, err
	}
	for _, a := range answers {
		if block == 0 || a.block < block {
			block = a.block
		}
		if a.problem != "" {
			problems = append(problems, a.problem)
		}
	}
	switch {
	case len(problems) == 0:
		return block, nil
	case problem != nil && problems[0] == noContract:
		return 0, problem
	case problems[0] == noContract:
		return 0, &settlement.SignatureError{Problem: fmt.Sprintf("it is not the signer's over this text, over which it would be that of %s; "+
			"nor does a contract stand at the signer's address in a final block", FormatAddress(byKey))}
	}
	return 0, &settlement.SignatureError{Problem: problems[0]}
}

// recoverSigner is the address whose key made the signature: r, s and v of 65 bytes. v is 27 or 28, or 0 or 1.
//
// Source: EIP-191; EIP-2 for the upper half of s.
func recoverSigner(digest, signature []byte) (settlement.Address, *settlement.SignatureError) {
	malformed := func(format string, args ...any) (settlement.Address, *settlement.SignatureError) {
		return "", &settlement.SignatureError{Malformed: true, Problem: fmt.Sprintf(format, args...)}
	}
	if len(signature) != crypto.SignatureLength {
		return malformed("it has %d bytes, not the %d of a key's, and no contract stands at the signer's address in a final block",
			len(signature), crypto.SignatureLength)
	}
	r, s, v := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:64]), signature[64]
	if v >= 27 {
		v -= 27
	}
	switch {
	case v > 1:
		return malformed("its last byte is %d, not 27, 28, 0 or 1", signature[64])
	case crypto.ValidateSignatureValues(v, r, s, false) && !crypto.ValidateSignatureValues(v, r, s, true):
		return malformed("its s is in the upper half, where only a changed signature has it")
	case !crypto.ValidateSignatureValues(v, r, s, true):
		return malformed("its r or s is out of range")
	}
	key, err := crypto.SigToPub(digest, append(bytes.Clone(signature[:64]), v))
	if err != nil {
		return malformed("no key can have made it")
	}
	return settlement.Address(crypto.PubkeyToAddress(*key).Bytes()), nil
}

// noContract is the problem with a signer at whose address nothing answers.
const noContract = "no contract stands at the signer's address"

// asksContract asks the contract at the signer's address at the final block, and returns in words why it does not confirm.
// A contract may do in its call what it likes: how the call fails says nothing about the endpoint.
//
// Source: EIP-1271.
func (s *session) asksContract(ctx context.Context, signer settlement.Address, digest []byte, signature string, final finality) (problem string, err error) {
	if final.none {
		return noContract, nil
	}
	raw, err := s.call(ctx, "eth_call", map[string]string{
		"to": signer.String(), "data": "0x" + hex.EncodeToString(signatureCall(digest, signature)), "gas": hexNumber(signatureGas),
	}, hexNumber(final.number))
	if refused, ok := errors.AsType[*rpcError](err); ok && refused.code != 0 && settlement.LookCode(err) == settlement.RPCUnavailable {
		if refused.code != codeReverted && refused.stateGone() {
			return "", errAskAnother
		}
		return "the signer's contract does not take it: isValidSignature fails", nil
	}
	if err != nil {
		return "", err
	}
	result, err := hexBytes(raw, -1)
	switch {
	case err != nil:
		return "", undecodable("the contract's answer", err)
	case result == "":
		return noContract, nil
	case len(result) < 32 || result[:32] != isValidSignature+strings.Repeat("\x00", 28):
		return "the signer's contract does not call it its own", nil
	}
	return "", nil
}

// signatureCall is the ABI form of isValidSignature(digest, signature).
func signatureCall(digest []byte, signature string) []byte {
	word := func(n int) []byte { return binary.BigEndian.AppendUint64(make([]byte, 24), uint64(n)) }
	call := append([]byte(isValidSignature), digest...)
	call = append(call, word(64)...) // where the bytes begin
	call = append(call, word(len(signature))...)
	call = append(call, signature...)
	return append(call, make([]byte, (32-len(signature)%32)%32)...)
}

// codeReverted is go-ethereum's code of a call that was reverted.
const codeReverted = 3

// stateGone reports whether the node no longer has the state that a call was to run on. A revert may say so too, in words of
// the contract's own.
func (e *rpcError) stateGone() bool {
	message := strings.ToLower(e.message)
	for _, words := range []string{"missing trie node", "state is not available", "historical state", "state not available", "state already discarded"} {
		if strings.Contains(message, words) && !strings.Contains(message, "revert") {
			return true
		}
	}
	return false
}
