package solana

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	sdk "github.com/gagliardetto/solana-go"
)

// knownSecret has the bytes 0 to 31, or 31 to 0.
func knownSecret(epoch uint32, reversed bool) *Secret {
	s := &Secret{epoch: epoch}
	for i := range s.key {
		s.key[i] = byte(i)
	}
	if reversed {
		slices.Reverse(s.key[:])
	}
	return s
}

func knownVault() Vault {
	v := Vault{Marketplace: "acme"}
	for i := range v.Genesis {
		v.Genesis[i] = byte(100 + i)
	}
	for i := range v.Payment {
		v.Payment[i] = byte(i)
	}
	return v
}

// The addresses were computed by a program of another language, from HMAC-SHA256 and the curve's equations.
func TestWalletsAreTheVectors(t *testing.T) {
	t.Parallel()
	generation, marketplace, genesis, payment := knownVault(), knownVault(), knownVault(), knownVault()
	generation.Generation = 1
	marketplace.Marketplace = "acm"
	slices.Reverse(genesis.Genesis[:])
	slices.Reverse(payment.Payment[:])
	for _, c := range []struct {
		name   string
		secret *Secret
		vault  Vault
		want   string
	}{
		{"the first", knownSecret(1, false), knownVault(), "cCpjK8WaBzeYdM3RQnjiaqu7RYts6epe972QV4QoDd6"},
		{"another epoch", knownSecret(2, false), knownVault(), "7mwkDTayH1SfL81272MuSUqZ31z2sU8Ez4Hsnu2yekaf"},
		{"another generation", knownSecret(1, false), generation, "HdipmMzBWmS4U7NnvdTF7tRqXcNVRN7SgWc9mAB1aSde"},
		{"another marketplace", knownSecret(1, false), marketplace, "5zUmXfcKXKSdqwEzTPAdPbC7Dyhv2WmQkp2kEmQfiik6"},
		{"another cluster", knownSecret(1, false), genesis, "AfBBHxUZSEPon6MHgPn55bn7bNexzcZ93aGiNUcnjtZm"},
		{"another payment", knownSecret(1, false), payment, "4YfnEzdhyxSC1NZK2UXeDT3d86P9gML4XjoaK7pGigKN"},
		{"another secret", knownSecret(1, true), knownVault(), "GDKSpSi3tB8TqibkQ2VsQeCMWMvdyXeEgw3JrjEuVU1D"},
	} {
		wallet, err := c.secret.Wallet(c.vault)
		if err != nil || wallet.Address().String() != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, wallet.Address(), err, c.want)
		}
	}
}

// No two orders share a wallet, also where fields run into each other.
func FuzzWalletsDiffer(f *testing.F) {
	f.Add("a", "ab", []byte{1}, []byte{2}, uint32(0), uint32(1))
	f.Add("acme", "acme", []byte{1}, []byte{1}, uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, oneMarket, otherMarket string, onePayment, otherPayment []byte, oneGeneration, otherGeneration uint32) {
		one := Vault{Marketplace: oneMarket, Generation: oneGeneration}
		other := Vault{Marketplace: otherMarket, Generation: otherGeneration}
		copy(one.Payment[:], onePayment)
		copy(other.Payment[:], otherPayment)
		first, err := knownSecret(1, false).Wallet(one)
		if err != nil {
			t.Fatal(err)
		}
		second, err := knownSecret(1, false).Wallet(other)
		if err != nil || (first.Address() == second.Address()) != (one == other) {
			t.Errorf("%+v is at %s, %+v at %s (%v)", one, first.Address(), other, second.Address(), err)
		}
	})
}

const password = "correct horse battery"

func TestSecretSurvivesItsFile(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	if err := CreateSecret(&file, password, 3, 10); err != nil {
		t.Fatal(err)
	}
	open := func(raw []byte, password string, epoch uint32) (*Secret, error) {
		return OpenSecret(bytes.NewReader(raw), password, epoch)
	}
	first, err := open(file.Bytes(), password, 3)
	if err != nil || first.Epoch() != 3 {
		t.Fatalf("%v, %v", first, err)
	}
	again, err := open(file.Bytes(), password, 3)
	if err != nil || *again != *first {
		t.Errorf("opened again it is another secret: %v", err)
	}
	if bytes.Contains(file.Bytes(), first.key[:]) || bytes.Contains(file.Bytes(), []byte(hex.EncodeToString(first.key[:]))) {
		t.Error("the file shows the secret")
	}
	changed := func(at int) []byte {
		raw := slices.Clone(file.Bytes())
		raw[at] ^= 1
		return raw
	}
	sealed := func(plain string) []byte {
		var out bytes.Buffer
		recipient, err := age.NewScryptRecipient(password)
		if err != nil {
			t.Fatal(err)
		}
		recipient.SetWorkFactor(10)
		w, err := age.Encrypt(&out, recipient)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(plain)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	length := file.Len()
	for name, c := range map[string]struct {
		raw      []byte
		password string
		epoch    uint32
		want     error
	}{
		"wrong password":         {file.Bytes(), "hunter2 hunter2", 3, ErrPassword},
		"no password":            {file.Bytes(), "", 3, ErrPassword},
		"another epoch":          {file.Bytes(), password, 2, ErrEpoch},
		"changed at its end":     {changed(length - 1), password, 3, ErrDamaged},
		"changed in its middle":  {changed(length - 60), password, 3, ErrDamaged},
		"changed at its start":   {changed(0), password, 3, ErrDamaged},
		"cut off":                {file.Bytes()[:length-1], password, 3, ErrDamaged},
		"longer":                 {append(slices.Clone(file.Bytes()), 0), password, 3, ErrDamaged},
		"empty":                  {nil, password, 3, ErrDamaged},
		"something else":         {sealed("{}"), password, 3, ErrDamaged},
		"no JSON":                {sealed("hunter2"), password, 3, ErrDamaged},
		"a secret that is short": {sealed(`{"format":"settler-vault-secret/1","epoch":3,"secret":"0011"}`), password, 3, ErrDamaged},
	} {
		secret, err := open(c.raw, c.password, c.epoch)
		if secret != nil || !errors.Is(err, c.want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "0011") {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if err := CreateSecret(&file, "hunter2", 1, ScryptCost); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a short password: %v", err)
	}
}

func TestGuessesAreExpensive(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	if err := CreateSecret(&file, password, 1, ScryptCost); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(file.String(), "\n")
	if !strings.HasPrefix(lines[1], "-> scrypt ") || !strings.HasSuffix(lines[1], " 18") {
		t.Errorf("the file begins with %q", lines[:2])
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	secret := knownSecret(1, false)
	wallet, err := secret.Wallet(knownVault())
	if err != nil {
		t.Fatal(err)
	}
	seed := hex.EncodeToString(wallet.private[:8])
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		for value, want := range map[any]string{secret: "vault secret of epoch 1", *secret: "vault secret of epoch 1", &wallet: "wallet " + wallet.Address().String()} {
			if got := fmt.Sprintf(verb, value); got != want {
				t.Errorf("%s shows %s", verb, got)
			}
		}
	}
	for _, value := range []any{secret, wallet} {
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("secret", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("secret", "value", value)
		asJSON, err := json.Marshal(value)
		if shown := log.String() + string(asJSON); err != nil || strings.Contains(shown, seed) || strings.Contains(shown, "00010203") || strings.Contains(shown, "[0 1 2") {
			t.Errorf("%s (%v)", shown, err)
		}
	}
}

func TestWalletSignsOnlyWhatNeedsIt(t *testing.T) {
	t.Parallel()
	wallet, err := knownSecret(1, false).Wallet(knownVault())
	if err != nil {
		t.Fatal(err)
	}
	transaction := func(payer sdk.PublicKey, signer *sdk.AccountMeta) *sdk.Transaction {
		tx, err := sdk.NewTransaction([]sdk.Instruction{sdk.NewInstruction(sdk.SystemProgramID, sdk.AccountMetaSlice{signer}, nil)}, sdk.Hash{}, sdk.TransactionPayer(payer))
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	other := sdk.PublicKey{9}
	tx := transaction(other, sdk.Meta(wallet.Address()).SIGNER())
	if err := wallet.Sign(tx); err != nil || tx.Signatures[1].IsZero() || !tx.Signatures[0].IsZero() {
		t.Errorf("signatures %v, %v", tx.Signatures, err)
	}
	if err := wallet.Sign(transaction(other, sdk.Meta(wallet.Address()))); err == nil {
		t.Error("signed what needs no signature of the wallet")
	}
}
