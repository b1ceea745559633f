package main

import (
	"encoding/asn1"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"
)

// secp256k1Key begins the SubjectPublicKeyInfo of a point on secp256k1.
var secp256k1Key = common.FromHex("3056301006072a8648ce3d020106052b8104000a034200")

// TestDoctorAsksTheSigners: one of each kind; one with gas and one without; one whose key is another; one that is down.
func TestDoctorAsksTheSigners(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKID")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	w := newWorld(t)
	chain, err := testChain()
	if err != nil {
		t.Fatal(err)
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	account, err := keystore.NewKeyStore(t.TempDir(), keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(key, "hunter2")
	if err != nil {
		t.Fatal(err)
	}
	aws := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		answer := map[string]any{"KeySpec": "ECC_SECG_P256K1", "KeyUsage": "SIGN_VERIFY", "PublicKey": append(common.CopyBytes(secp256k1Key), crypto.FromECDSAPub(&key.PublicKey)...)}
		if r.Header.Get("X-Amz-Target") == "TrentService.Sign" {
			var in struct{ Message []byte }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				t.Error(err)
			}
			raw, err := crypto.Sign(in.Message, key)
			if err != nil {
				t.Error(err)
			}
			der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:64])})
			if err != nil {
				t.Error(err)
			}
			answer = map[string]any{"Signature": der}
		}
		rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(rw).Encode(answer)
	}))
	t.Cleanup(aws.Close)
	signer := func(name, address, rest string) string {
		return fmt.Sprintf(`  - {name: %s, address: %q, %s, chains: [{chain: "eip155:%d", methods: [freeze], payments_per_hour: 1, max_fee_per_gas: "1", gas_reserve: "1.5"}]}`+"\n", name, address, rest, testChainID)
	}
	poor := account.Address.Hex()
	text := w.config + "signers:\n" +
		signer("file", poor, fmt.Sprintf("kind: keystore, keystore: %q, password: hunter2", account.URL.Path)) +
		signer("rich", chain.wallet, `kind: remote, url: "http://127.0.0.1:1/hunter2"`) +
		signer("aws", "0x00000000000000000000000000000000000000a1", fmt.Sprintf("kind: kms, key_id: k, region: eu-central-1, endpoint: %q", aws.URL)) +
		signer("locked", "0x00000000000000000000000000000000000000a2", fmt.Sprintf("kind: keystore, keystore: %q, password: hunter3", account.URL.Path))
	_, out, errOut := runSettler(t, "doctor", "-c", writeConfig(t, text))
	for _, want := range []string{
		"ok    signer file: signs on 1 chain(s) as " + poor + "\n",
		"FAIL  gas of file on eip155:424242: 0.000000000000000000, below the reserve of 1.5. Do: send the chain's own coin to " + poor + "\n",
		"FAIL  signer rich: on eip155:424242: remote signer: dial tcp 127.0.0.1:1: connect: connection refused. Do: see whether the signer is up and has the key, or correct signers[1]\n",
		"ok    gas of rich on eip155:424242: 9",
		"FAIL  signer aws: signers[2]: the key is that of " + poor + ", not of 0x00000000000000000000000000000000000000A1",
		"FAIL  signer locked: signers[3]: open keystore " + account.URL.Path + ": could not decrypt key with given password",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("got\n%s%s\nwant %s", out, errOut, want)
		}
	}
	if strings.Contains(out+errOut, "hunter") {
		t.Errorf("a secret is shown:\n%s%s", out, errOut)
	}

	text = w.config + "signers:\n" + signer("aws", poor, fmt.Sprintf("kind: kms, key_id: k, region: eu-central-1, endpoint: %q", aws.URL))
	if _, out, _ := runSettler(t, "doctor", "-c", writeConfig(t, text)); !strings.Contains(out, "ok    signer aws: signs on 1 chain(s) as "+poor+"\n") {
		t.Error(out)
	}
}
