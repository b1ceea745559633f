package evm

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"
)

// devKey is the well-known development key: mnemonic "test test … junk", first account.
const devKey = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"

var (
	devAddress = common.HexToAddress("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")
	homeChain  = big.NewInt(31337)
)

func devKeystore(t *testing.T) *Keystore {
	t.Helper()
	private, err := crypto.HexToECDSA(devKey)
	if err != nil {
		t.Fatal(err)
	}
	account, err := keystore.NewKeyStore(t.TempDir(), keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(private, "right")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := OpenKeystore(account.URL.Path, "right")
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// eachSigner is one of every kind, all with the development key.
func eachSigner(t *testing.T) map[string]Signer {
	t.Helper()
	inKeystore := devKeystore(t)
	return map[string]Signer{
		"keystore": inKeystore,
		"remote":   remoteTo(t, signingServer(t, inKeystore, nil)),
		"KMS":      kmsOf(t, newKMSServer(t, devKey)),
	}
}

func calls() map[string]*types.Transaction {
	to, data := common.Address{7}, []byte{1, 2, 3, 4}
	return map[string]*types.Transaction{
		"legacy": types.NewTx(&types.LegacyTx{Nonce: 3, GasPrice: big.NewInt(5), Gas: 90_000, To: &to, Value: big.NewInt(8), Data: data}),
		"dynamic fee": types.NewTx(&types.DynamicFeeTx{
			ChainID: homeChain, Nonce: 3, GasFeeCap: big.NewInt(5), GasTipCap: big.NewInt(2), Gas: 90_000, To: &to, Value: new(big.Int), Data: data,
			AccessList: types.AccessList{{Address: to, StorageKeys: []common.Hash{{9}}}},
		}),
		"first nonce, no data": types.NewTx(&types.DynamicFeeTx{ChainID: homeChain, GasFeeCap: big.NewInt(5), GasTipCap: new(big.Int), Gas: 21_000, To: &to}),
	}
}

func TestEachSignerSignsCalls(t *testing.T) {
	t.Parallel()
	for kind, signer := range eachSigner(t) {
		if signer.Address() != devAddress {
			t.Errorf("%s: address %s", kind, signer.Address())
		}
		for name, tx := range calls() {
			signed, err := signer.SignTx(t.Context(), tx, homeChain)
			if err != nil {
				t.Errorf("%s, %s: %v", kind, name, err)
				continue
			}
			scheme := types.LatestSignerForChainID(homeChain)
			if sender, err := types.Sender(scheme, signed); err != nil || sender != devAddress || scheme.Hash(signed) != scheme.Hash(tx) {
				t.Errorf("%s, %s: signed by %s, %v", kind, name, sender, err)
			}
			if signed.ChainId().Cmp(homeChain) != 0 {
				t.Errorf("%s, %s: for chain %s", kind, name, signed.ChainId())
			}
		}
		if err := Probe(t.Context(), signer, homeChain); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestNoSignerSignsMoreThanACall(t *testing.T) {
	t.Parallel()
	to := common.Address{7}
	signers := eachSigner(t)
	call := &types.DynamicFeeTx{ChainID: homeChain, GasFeeCap: big.NewInt(1), GasTipCap: big.NewInt(1), Gas: 21_000, To: &to}
	elsewhere, creation := *call, *call
	elsewhere.ChainID, creation.To = big.NewInt(1), nil
	for name, c := range map[string]struct {
		tx    types.TxData
		chain *big.Int
	}{
		"no chain":             {call, nil},
		"chain 0":              {&types.LegacyTx{To: &to}, new(big.Int)},
		"another chain":        {&elsewhere, homeChain},
		"no receiver":          {&creation, homeChain},
		"no receiver, legacy":  {&types.LegacyTx{}, homeChain},
		"a delegation to code": {&types.SetCodeTx{ChainID: uint256.NewInt(31337), To: to}, homeChain},
		"blobs":                {&types.BlobTx{ChainID: uint256.NewInt(31337), To: to}, homeChain},
		"the type of EIP-2930": {&types.AccessListTx{ChainID: homeChain, To: &to}, homeChain},
	} {
		for kind, signer := range signers {
			if signed, err := signer.SignTx(t.Context(), types.NewTx(c.tx), c.chain); !errors.Is(err, ErrUnsignable) || signed != nil {
				t.Errorf("%s, %s: %v", kind, name, err)
			}
		}
	}
}

func TestSignersShowTheirAddressOnly(t *testing.T) {
	t.Parallel()
	inKeystore := devKeystore(t)
	remote, err := NewRemote(RemoteConfig{URL: "https://signer.example/s3cret", Address: devAddress})
	if err != nil {
		t.Fatal(err)
	}
	inKMS := kmsOf(t, newKMSServer(t, devKey))
	for _, value := range []any{inKeystore, *inKeystore, remote, *remote, inKMS, *inKMS} {
		shown := []string{}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			shown = append(shown, fmt.Sprintf(verb, value))
		}
		for _, text := range shown {
			if !strings.HasSuffix(text, " of "+devAddress.Hex()) {
				t.Errorf("%T shows %s", value, text)
			}
		}
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("signer", "signer", value)
		asJSON, err := json.Marshal(value)
		if err != nil || strings.Contains(log.String()+string(asJSON), "s3cret") || strings.Contains(log.String()+string(asJSON), devKey[:16]) {
			t.Errorf("%T: %s %s %v", value, log.String(), asJSON, err)
		}
	}
}

func TestOpenKeystore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	account, err := keystore.StoreKey(dir, "right", keystore.LightScryptN, keystore.LightScryptP)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(account.URL.Path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, password, want string }{
		"wrong password": {string(text), "hunter2", keystore.ErrDecrypt.Error()},
		"changed":        {strings.Replace(string(text), `"ciphertext":"`, `"ciphertext":"00`, 1), "right", keystore.ErrDecrypt.Error()},
		"plain key":      {`{"address":"` + devAddress.Hex()[2:] + `","privatekey":"` + devKey + `","id":"6c38a0b2-8d70-4b28-b4c1-5a3d1c0e3c5f","version":3}`, "", "open keystore"},
		"hex key":        {devKey, "", "open keystore"},
		"empty":          {"", "", "open keystore"},
	} {
		path := dir + "/" + name
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		signer, err := OpenKeystore(path, c.password)
		if signer != nil || err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), devKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenKeystore(dir+"/none", "right"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
