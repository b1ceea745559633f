package main

import (
	"crypto/ecdsa"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/settlement"
)

// In production the doctor demands a rehearsal and makes it, and then serve has no alarm of it.
func TestDoctorRehearses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := t.TempDir()
	var keys [2]*ecdsa.PrivateKey
	var files [2]string
	var accounts []common.Address
	for i := range keys {
		key, err := crypto.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		account, err := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(key, "hunter2")
		if err != nil {
			t.Fatal(err)
		}
		keys[i], files[i], accounts = key, account.URL.Path, append(accounts, account.Address)
	}
	wallet, operator := accounts[0], accounts[1]
	const id = 424243
	chain, err := devnet.StartChain(devnet.ChainConfig{ChainID: id, Accounts: accounts, BlockTime: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	token, err := devnet.DeployTestToken(t.Context(), chain, keys[1], operator)
	if err == nil {
		err = devnet.DeployVaults(t.Context(), chain, keys[1])
	}
	if err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("mode: development", "mode: production", "password: hunter2", "password_file: "+password).Replace(w.config) + fmt.Sprintf(`  - id: eip155:%d
    aliases: [new]
    endpoints: [{name: devnet, url: %q}]
    finality: {depth: 2}
    poll_interval: 50ms
    tokens: [{symbol: TUSD, address: %q, decimals: 6}]
    escrow: {signer: operator, arbiter: "0x00000000000000000000000000000000000000b0"}
signers:
  - name: operator
    kind: keystore
    address: %q
    keystore: %q
    password_file: %q
    chains:
      - {chain: new, tokens: [{token: TUSD, per_payment: "1000", per_hour: "1000"}], payments_per_hour: 10, max_fee_per_gas: "1000", gas_reserve: "0.01"}
`, id, chain.URL(), token, operator, files[1], password)
	highWater := filepath.Join(dir, "high-water.json")
	text = strings.Replace(text, "max_connections: 4", "max_connections: 4, high_water_file: "+highWater, 1)
	path := writeConfig(t, text)
	doctor := func(want string, flags ...string) {
		t.Helper()
		_, out, errOut := runSettler(t, append([]string{"doctor", "-c", path}, flags...)...)
		if !strings.Contains(out, want) {
			t.Errorf("%v:\n%s%s\nwant %s", flags, out, errOut, want)
		}
	}
	doctor("FAIL  chain eip155:424243 rehearsals: no vault of TUSD is handed out before one was rehearsed. Do: run `settler doctor --rehearse eip155:424243 ")
	doctor("FAIL  rehearsal on new: --wallet and --wallet-password-file are required", "--rehearse", "new")
	doctor("FAIL  rehearsal on new: the wallet has the key of signer operator", "--rehearse", "new", "--wallet", files[1], "--wallet-password-file", password)
	flags := []string{"--rehearse", "new", "--wallet", files[0], "--wallet-password-file", password}
	doctor(`FAIL  rehearsal on new: token "DAI" is none that vaults hold`, append(flags, "--token", "DAI")...)
	doctor("the wallet must have one base unit of the token", flags...)
	if err := devnet.MintTestToken(t.Context(), chain, keys[1], token, wallet, big.NewInt(1)); err != nil {
		t.Fatal(err)
	}
	doctor("ok    rehearsal of TUSD on eip155:424243: one base unit was paid into a vault, paid out, reclaimed, and is final\n"+
		"ok    chain eip155:424243 rehearsals: vaults were rehearsed with each token\n", flags...)
	doctor("ok    rehearsal on new: vaults were rehearsed with each token before\n", flags...)
	if balance, err := devnet.TestTokenBalance(t.Context(), chain, token, wallet); err != nil || balance.Int64() != 1 {
		t.Errorf("the wallet has %s (%v), want its unit back", balance, err)
	}
	// A database from before it would be known to be older.
	mark, err := os.ReadFile(highWater)
	if err != nil {
		t.Fatal(err)
	}
	for i, account := range accounts {
		sent, err := chain.Client().NonceAt(t.Context(), account, nil)
		want := fmt.Sprintf("\"eip155:%d %s\": %d", id, settlement.Address(account[:]), sent)
		if err != nil || !strings.Contains(string(mark), want) {
			t.Errorf("high-water mark of account %d: %s (%v), want %s", i, mark, err, want)
		}
	}
	cfg, err := loadConfig(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	chains, err := newChains(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	closeEscrow, err := addEscrow(t.Context(), cfg, chains, w.pool)
	if err != nil {
		t.Fatal(err)
	}
	defer closeEscrow()
	conditions, err := newConditions(cfg, chains, w.pool, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"", "no vault of TUSD is handed out before `settler doctor --rehearse eip155:424243`"} {
		conditions.look(t.Context())
		got := ""
		for _, a := range conditions.alarms(chains[1].ID) {
			if a.kind == vaultsUnrehearsed {
				got = a.detail
			}
		}
		if got != want {
			t.Errorf("the alarm says %q, want %q", got, want)
		}
		chains[1].Escrow.Code.Hash[0]++ // as after an exchange of the code
	}
}
