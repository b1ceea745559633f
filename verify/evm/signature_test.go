package evm

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/settlement"
)

const proofText = "settler: my transaction pays this payment.\nPayment: 1\nChain: eip155:31337\nTransaction: 0x2"

// signed is what a wallet of the key answers to personal_sign.
func signed(t *testing.T, key *ecdsa.PrivateKey, text string) []byte {
	t.Helper()
	signature, err := crypto.Sign(accounts.TextHash([]byte(text)), key)
	if err != nil {
		t.Fatal(err)
	}
	signature[64] += 27
	return signature
}

func addressOfKey(key *ecdsa.PrivateKey) settlement.Address {
	return settlement.Address(crypto.PubkeyToAddress(key.PublicKey).Bytes())
}

// refusedBecause checks that the signature was looked at and proves nothing.
func refusedBecause(t *testing.T, err error, malformed bool, says string) {
	t.Helper()
	refusal, ok := errors.AsType[*settlement.SignatureError](err)
	if !ok || refusal.Malformed != malformed || !strings.Contains(refusal.Problem, says) {
		t.Errorf("got %v, want malformed %t and %q", err, malformed, says)
	}
}

func TestSignatureOfAKey(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	chain := l.chain(l.listed())
	other, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	good := signed(t, l.key, proofText)
	change := func(f func([]byte)) []byte {
		out := bytes.Clone(good)
		f(out)
		return out
	}
	for _, v := range []byte{27, 28, 0, 1} {
		text := proofText + string(rune('a'+v)) // until both recovery ids have come
		for good := signed(t, l.key, text); ; good = signed(t, l.key, text) {
			if good[64]-27 == v%27 {
				good[64] = v
				if block, err := chain.CheckSignature(t.Context(), l.payer, text, hexutil.Encode(good)); err != nil || block != 0 {
					t.Errorf("v %d: block %d, %v", v, block, err)
				}
				break
			}
			text += "."
		}
	}
	if _, err := chain.CheckSignature(t.Context(), l.payer, proofText, strings.ToUpper(hexutil.Encode(good)[2:])); err == nil {
		t.Error("hex without 0x was taken")
	}
	if _, err := chain.CheckSignature(t.Context(), l.payer, proofText, "0x"+strings.ToUpper(hexutil.Encode(good)[2:])); err != nil {
		t.Errorf("upper case: %v", err)
	}
	for _, tt := range []struct {
		name      string
		signer    settlement.Address
		text      string
		signature []byte
		malformed bool
		says      string
	}{
		{"another payment", l.payer, strings.Replace(proofText, "Payment: 1", "Payment: 3", 1), good, false, "not the signer's"},
		{"another transaction", l.payer, strings.Replace(proofText, "0x2", "0x3", 1), good, false, "not the signer's"},
		{"another chain", l.payer, strings.Replace(proofText, "31337", "31338", 1), good, false, "not the signer's"},
		{"another wallet", addressOfKey(other), proofText, good, false, FormatAddress(l.payer)},
		{"by another wallet", l.payer, proofText, signed(t, other, proofText), false, FormatAddress(addressOfKey(other))},
		{"the other s of the same signature", l.payer, proofText, change(func(b []byte) {
			s := new(big.Int).Sub(crypto.S256().Params().N, new(big.Int).SetBytes(b[32:64]))
			s.FillBytes(b[32:64])
			b[64] = 27 + 28 - b[64]
		}), true, "upper half"},
		{"s of zero", l.payer, proofText, change(func(b []byte) { clear(b[32:64]) }), true, "out of range"},
		{"r above the order", l.payer, proofText, change(func(b []byte) { copy(b, bytes.Repeat([]byte{0xff}, 32)) }), true, "out of range"},
		{"r that is on no curve", l.payer, proofText, change(func(b []byte) { copy(b, common.LeftPadBytes([]byte{5}, 32)) }), true, "no key"},
		{"v of another kind", l.payer, proofText, change(func(b []byte) { b[64] = 37 }), true, "last byte"},
		{"64 bytes", l.payer, proofText, good[:64], true, "64 bytes"},
		{"66 bytes", l.payer, proofText, append(bytes.Clone(good), 0), true, "66 bytes"},
		{"nothing", l.payer, proofText, nil, true, "0 bytes"},
		{"longer than any wallet's", l.payer, proofText, make([]byte, maxSignature+1), true, "hex digits"},
		{"the precompile that answers what it is asked", settlement.Address(common.HexToAddress("0x4").Bytes()), proofText, good, false, "system address"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := chain.CheckSignature(t.Context(), tt.signer, tt.text, hexutil.Encode(tt.signature))
			refusedBecause(t, err, tt.malformed, tt.says)
		})
	}
	for _, text := range []string{"", "nonsense", "0x1", "0xzz"} {
		_, err := chain.CheckSignature(t.Context(), l.payer, proofText, text)
		refusedBecause(t, err, true, "hex digits")
	}
}

// deploy puts code on the chain as a contract, and makes the block.
func (l *live) deploy(runtime string) settlement.Address {
	l.t.Helper()
	code := common.FromHex(runtime)
	tx, err := l.node.Send(l.t.Context(), l.key, nil, nil, append(common.FromHex("60"+hexutil.EncodeUint64(0x100 + uint64(len(code)))[3:]+"80600b6000396000f3"), code...))
	if err != nil {
		l.t.Fatal(err)
	}
	l.node.Commit()
	receipt, err := l.node.Client().TransactionReceipt(l.t.Context(), tx.Hash())
	if err != nil || receipt.Status != 1 {
		l.t.Fatalf("deploy: %v, %+v", err, receipt)
	}
	return settlement.Address(receipt.ContractAddress.Bytes())
}

// A contract wallet is asked (EIP-1271) as it is at the final block. Whatever it does in its call, the endpoint stays well.
func TestSignatureOfAContract(t *testing.T) {
	t.Parallel()
	l := startLive(t)
	chain := l.chain(l.listed())
	deployed, err := devnet.DeployTestWallet(t.Context(), l.node, l.key)
	if err != nil {
		t.Fatal(err)
	}
	wallet := settlement.Address(deployed.Bytes())
	check := func(signer settlement.Address, signature []byte) (uint64, error) {
		return chain.CheckSignature(t.Context(), signer, proofText, hexutil.Encode(signature))
	}
	good := signed(t, l.key, proofText)
	_, err = check(wallet, good)
	refusedBecause(t, err, false, "in a final block") // it is deployed in the latest
	contracts := map[string]settlement.Address{
		"answers no":              l.deploy("60206000f3"),
		"answers four bytes":      l.deploy("631626ba7e60e01b60005260046000f3"),
		"answers yes and more":    l.deploy("631626ba7e60e01b60010160005260206000f3"),
		"answers a megabyte":      l.deploy("621000006000f3"),
		"reverts":                 l.deploy("60006000fd"),
		"reverts as a lost state": l.deploy("7f6d697373696e672074726965206e6f646500000000000000000000000000000060005260206000fd"),
		"does what is not there":  l.deploy("fe"),
		"jumps astray":            l.deploy("600556"),
		"runs for ever":           l.deploy("5b600056"),
		"answers nothing":         l.deploy("00"),
	}
	yes := l.deploy("631626ba7e60e01b60005260206000f3")
	for range 2 {
		l.node.Commit()
	}
	latest := l.latest()
	if block, err := check(wallet, good); err != nil || block != latest-2 {
		t.Errorf("its owner's signature: block %d, %v; want block %d", block, err, latest-2)
	}
	other, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	_, err = check(wallet, signed(t, other, proofText))
	refusedBecause(t, err, false, "does not call it its own")
	_, err = check(wallet, signed(t, l.key, proofText+"."))
	refusedBecause(t, err, false, "does not call it its own")
	_, err = check(wallet, good[:64])
	refusedBecause(t, err, false, "isValidSignature fails")
	for _, signature := range [][]byte{nil, good, bytes.Repeat([]byte{7}, 66), bytes.Repeat([]byte{7}, maxSignature)} {
		if block, err := check(yes, signature); err != nil || block == 0 {
			t.Errorf("%d bytes that the contract takes: block %d, %v", len(signature), block, err)
		}
	}
	for name, contract := range contracts {
		for range breakAfter {
			_, err := check(contract, bytes.Repeat([]byte{7}, 80))
			if _, ok := errors.AsType[*settlement.SignatureError](err); !ok {
				t.Errorf("a contract that %s: got %v", name, err)
			}
		}
	}
	if s := chain.Status().Endpoints[0]; s.State != Healthy {
		t.Errorf("the endpoint is %s: %s", s.State, s.LastError)
	}
}

// What the contract said is not believed of one endpoint where several must agree, and an endpoint that cannot be asked is
// no answer.
func TestSignatureOfAContractUnderTrust(t *testing.T) {
	t.Parallel()
	l := startLiars(t)
	deployed, err := devnet.DeployTestWallet(t.Context(), l.node, l.key)
	if err != nil {
		t.Fatal(err)
	}
	wallet := settlement.Address(deployed.Bytes())
	for range 3 {
		l.node.Commit()
	}
	other, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	good, forged := hexutil.Encode(signed(t, l.key, proofText)), hexutil.Encode(signed(t, other, proofText))
	yes := json.RawMessage(`"0x1626ba7e` + strings.Repeat("0", 56) + `"`)
	answer := func(a chaintest.Answer) {
		l.proxy.Handle(func(method string) chaintest.Answer {
			if method == "eth_call" {
				return a
			}
			return chaintest.Pass
		})
	}
	answer(chaintest.Answer{Result: yes})
	if _, err := l.under("single", l.listed()).CheckSignature(t.Context(), wallet, proofText, forged); err != nil {
		t.Errorf("single is fooled, as documented: %v", err)
	}
	for _, trust := range []string{"quorum:2", "proof:2"} {
		chain := l.under(trust, l.listed())
		_, err := chain.CheckSignature(t.Context(), wallet, proofText, forged)
		refusedBecause(t, err, false, "does not call it its own")
		if _, err := chain.CheckSignature(t.Context(), wallet, proofText, good); err != nil {
			t.Errorf("%s: %v", trust, err)
		}
	}
	// The state of the final block is gone at one endpoint: another one is asked.
	answer(chaintest.Answer{Error: &chaintest.RPCError{Code: -32000, Message: "missing trie node 0123 (path ) state 0x45 is not available"}})
	single := l.under("single", l.listed())
	if _, err := single.CheckSignature(t.Context(), wallet, proofText, good); err != nil {
		t.Errorf("the next endpoint was to be asked: %v", err)
	}
	if s := single.Status().Endpoints[0]; s.State != Healthy {
		t.Errorf("the endpoint is %s: %s", s.State, s.LastError)
	}
	alone, err := New(Config{
		Chain: liveChain, Endpoints: []Endpoint{{Name: "proxy", URL: l.proxy.URL()}}, Tokens: []settlement.Token{l.listed()}, Finality: Finality{Depth: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		answer chaintest.Answer
		code   settlement.Code
	}{
		{chaintest.Answer{Error: &chaintest.RPCError{Code: -32000, Message: "missing trie node 0123"}}, settlement.RPCHistoryUnavailable},
		{chaintest.Answer{Result: json.RawMessage(`"yes"`)}, settlement.RPCDecodeFailed},
		{chaintest.Answer{Status: 429, Body: "slow down"}, settlement.RPCRateLimited},
	} {
		answer(tt.answer)
		_, err := alone.CheckSignature(t.Context(), wallet, proofText, good)
		if look, ok := errors.AsType[*settlement.LookError](err); !ok || look.Code != tt.code {
			t.Errorf("got %v, want %s", err, tt.code)
		}
	}
}

func FuzzSignature(f *testing.F) {
	key, err := crypto.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	digest := accounts.TextHash([]byte(proofText))
	good, err := crypto.Sign(digest, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:64])
	f.Add(bytes.Repeat([]byte{0xff}, 65))
	f.Fuzz(func(t *testing.T, signature []byte) {
		signer, problem := recoverSigner(digest, signature)
		if (signer == "") != (problem != nil) {
			t.Fatalf("signer %q, problem %v", signer, problem)
		}
		if signer == addressOfKey(key) && !bytes.Equal(signature[:64], good[:64]) {
			t.Fatalf("another signature of the key: %x", signature)
		}
	})
}
