package agentkey_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
)

var _ orchestration.Signer = (*agentkey.Key)(nil)

// The well-known development key: mnemonic "test test … junk", first account.
const (
	devKey     = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
	devAddress = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
)

func TestSignatureRecoversToTheAddress(t *testing.T) {
	t.Parallel()
	key, err := agentkey.FromHex("0x" + devKey)
	if err != nil || key.Address() != devAddress {
		t.Fatalf("%v, %v", key, err)
	}
	message := []byte("peaqOS agent pairing\nnonce: ü\n")
	text, err := key.SignMessage(t.Context(), message)
	if err != nil || len(text) != 132 || !strings.HasPrefix(text, "0x") {
		t.Fatalf("signature %q, %v; want 0x and 130 digits", text, err)
	}
	signature, err := hex.DecodeString(text[2:])
	if err != nil || signature[64] != 27 && signature[64] != 28 {
		t.Fatalf("last byte of %s is not 27 or 28", text)
	}
	signature[64] -= 27
	public, err := crypto.SigToPub(accounts.TextHash(message), signature)
	if err != nil || crypto.PubkeyToAddress(*public).Hex() != devAddress {
		t.Errorf("recovers to %v, %v", public, err)
	}

	short := "0x" + hex.EncodeToString(signature) // last byte 0 or 1
	for _, each := range []string{text, short} {
		if signer, err := agentkey.Recover(message, each); err != nil || signer != devAddress {
			t.Errorf("%s recovers to %s, %v", each, signer, err)
		}
		if err := agentkey.Verify(strings.ToLower(devAddress), message, each); err != nil {
			t.Error(err)
		}
	}
	for name, err := range map[string]error{
		"one byte of the message more": agentkey.Verify(devAddress, append(message, '\n'), text),
		"another address":              agentkey.Verify("0x2222222222222222222222222222222222222222", message, text),
		"no address":                   agentkey.Verify("", message, text),
		"no signature":                 agentkey.Verify(devAddress, message, ""),
		"no prefix":                    agentkey.Verify(devAddress, message, text[2:]),
		"too short":                    agentkey.Verify(devAddress, message, text[:130]),
		"last byte 2":                  agentkey.Verify(devAddress, message, text[:130]+"02"),
		"zeros":                        agentkey.Verify(devAddress, message, "0x"+strings.Repeat("0", 130)),
	} {
		if !errors.Is(err, agentkey.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadKeystore(t *testing.T) {
	t.Parallel()
	account, err := keystore.StoreKey(t.TempDir(), "right", keystore.LightScryptN, keystore.LightScryptP)
	if err != nil {
		t.Fatal(err)
	}
	path := account.URL.Path
	key, err := agentkey.LoadKeystore(path, "right")
	if err != nil || key.Address() != account.Address.Hex() {
		t.Errorf("got %v, %v", key, err)
	}
	if _, err := agentkey.LoadKeystore(path, "wrong"); !errors.Is(err, keystore.ErrDecrypt) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := agentkey.LoadKeystore(path+".none", "right"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestKeyIsNotShown(t *testing.T) {
	t.Parallel()
	key, err := agentkey.FromHex(devKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		for _, value := range []any{key, *key} {
			if got := fmt.Sprintf(verb, value); got != "agent key "+devAddress {
				t.Errorf("%s of %T shows %s", verb, value, got)
			}
		}
	}
	for _, text := range []string{"", "0x12", devKey + "00", devKey[:62] + "zz", strings.Repeat("0", 64), strings.Repeat("f", 64)} {
		if _, err := agentkey.FromHex(text); err == nil || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestGeneratedKeysDiffer(t *testing.T) {
	t.Parallel()
	first, err := agentkey.Generate()
	if err != nil {
		t.Fatal(err)
	}
	second, err := agentkey.Generate()
	if err != nil || first.Address() == second.Address() {
		t.Errorf("%v and %v, %v", first, second, err)
	}
}

// FuzzRecover reads whatever is handed in as a signature: what is none is ErrSignature, and what is one is its signer's
// alone.
func FuzzRecover(f *testing.F) {
	key, err := agentkey.FromHex(devKey)
	if err != nil {
		f.Fatal(err)
	}
	signature, err := key.SignMessage(f.Context(), []byte("message"))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{signature, signature[:130] + "01", signature[2:], "", "0x", "0x" + strings.Repeat("0", 130), "0x" + strings.Repeat("f", 130)} {
		f.Add([]byte("message"), seed)
	}
	f.Fuzz(func(t *testing.T, message []byte, signature string) {
		signer, err := agentkey.Recover(message, signature)
		if err != nil {
			if !errors.Is(err, agentkey.ErrSignature) {
				t.Errorf("%q: %v", signature, err)
			}
			return
		}
		if err := agentkey.Verify(signer, message, signature); err != nil {
			t.Errorf("%q of %s: %v", signature, signer, err)
		}
		if signer == devAddress && string(message) != "message" {
			t.Errorf("%q of another message is taken for ours", signature)
		}
	})
}
