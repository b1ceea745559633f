package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/settler-pay/settler/jobs"
)

func TestVaultSecretCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, password := filepath.Join(dir, "secret.age"), filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("correct horse battery\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errOut := runSettler(t, "vault-secret", "create", path, "--password-file", password, "--epoch", "2")
	if code != 0 || !strings.HasPrefix(out, path+": vault secret of epoch 2\n") || errOut != "" {
		t.Fatalf("exit code %d, %q, %q", code, out, errOut)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errOut := runSettler(t, "vault-secret", "create", path, "--password-file", password); code != 1 || !strings.Contains(errOut, "file exists") {
		t.Errorf("a file that is there: exit code %d, %q", code, errOut)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file that was there has changed, %v", err)
	}
	short := filepath.Join(dir, "short")
	if err := os.WriteFile(short, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "other.age")
	for _, args := range [][]string{{"--password-file", short}, {"--password-file", path + ".none"}, {"--password-file", password, "--epoch", "0"}} {
		code, _, errOut := runSettler(t, append([]string{"vault-secret", "create", other}, args...)...)
		if _, err := os.Stat(other); code != 1 || err == nil || strings.Contains(errOut, "hunter2") {
			t.Errorf("%q: exit code %d, %q", args, code, errOut)
		}
	}

	for _, c := range []struct {
		epoch          int
		password, want string
	}{
		{2, password, "ok    vault secret: vault secret of epoch 2\n"},
		{1, password, "FAIL  vault secret: vault_secret.file " + path + ": the vault secret is of another epoch: 2, not 1. Do: "},
		{2, short, "FAIL  vault secret: vault_secret.file " + path + ": the password does not open the vault secret. Do: "},
	} {
		text := goodConfig + fmt.Sprintf("vault_secret: {file: %q, password_file: %q, epoch: %d}\n", path, c.password, c.epoch)
		if _, out, _ := runSettler(t, "doctor", "-c", writeConfig(t, text)); !strings.Contains(out, c.want) {
			t.Errorf("got\n%s\nwant %s", out, c.want)
		}
	}
}

// A wallet whose secret was taken out of the configuration too early is named by the doctor and by an alarm, as long as it may hold money.
func TestSecretThatIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const chain = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
	for i, reclaim := range []string{"1 day", "2 days", "-1 day"} {
		if _, err := w.pool.Exec(t.Context(), `
			insert into vaults (chain, address, marketplace, reference, order_key, token, amount, payer, payee, operator, arbiter, reclaim_at, dispute_at,
			                    default_to_payee, derived_for, generation, epoch, created_at)
			select $1, sha256($2::text::bytea), 'acme', $2, sha256('k'), '', 1, 'a', 'b', 'c', 'd', now() + $3::text::interval, now() + interval '9 days', 0,
			       gen_random_uuid(), 0, 7, now()`, chain, fmt.Sprint("r", i), reclaim); err != nil {
			t.Fatal(err)
		}
	}
	path := writeConfig(t, w.config)
	const want = "2 order(s) have wallets of epoch 7, whose secret is not in use: nothing can be paid out of them"
	if _, out, _ := runSettler(t, "doctor", "-c", path); !strings.Contains(out, "FAIL  wallets of orders: chain "+chain+": "+want+". Do: ") {
		t.Errorf("the doctor says\n%s", out)
	}
	cfg, err := loadConfig(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	alarms := func() []alarm {
		t.Helper()
		chains := make([]jobs.Chain, len(cfg.Chains))
		chains[0].ID = chain
		conditions, err := newConditions(cfg, chains, w.pool, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		conditions.look(t.Context())
		return statusOf(jobs.Chain{ID: chain}, conditions).alarms
	}
	if got := alarms(); len(got) != 1 || got[0] != (alarm{"vault_secret_missing", want}) {
		t.Errorf("alarms %q", got)
	}
	cfg.EarlierVaultSecrets = []VaultSecretConfig{{Epoch: 7}}
	cfg.Chains = append(cfg.Chains, ChainConfig{ID: chain, Custody: CustodyConfig{Tokens: make([]SignerTokenConfig, 1)}})
	if got := alarms(); len(got) != 0 {
		t.Errorf("with its secret, alarms %q", got)
	}
}
