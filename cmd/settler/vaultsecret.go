package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// VaultSecretConfig is the secret that the wallets of orders on Solana are derived from. It is absent when nothing of it is
// given.
type VaultSecretConfig struct {
	File         string `yaml:"file" env:"FILE"`                   // path of the encrypted file, as vault-secret create writes it. Required
	PasswordFile string `yaml:"password_file" env:"PASSWORD_FILE"` // path of a file with its password; a last line break does not count. Required
	Epoch        uint32 `yaml:"epoch" env:"EPOCH"`                 // of the secret; a file of another epoch is refused. Required
}

func (v VaultSecretConfig) check(f *faults, key string) {
	if v == (VaultSecretConfig{}) {
		return
	}
	f.require(key+".file", v.File)
	f.require(key+".password_file", v.PasswordFile)
	if v.Epoch == 0 {
		f.add("%s.epoch is required; the first is 1", key)
	}
}

// vaultSecrets opens the secret that new wallets are derived from, and then those of earlier epochs.
func (c *Config) vaultSecrets() ([]*escrowsolana.Secret, error) {
	var secrets []*escrowsolana.Secret
	for _, v := range append([]VaultSecretConfig{c.VaultSecret}, c.EarlierVaultSecrets...) {
		secret, err := v.open()
		if err != nil {
			return nil, fmt.Errorf("epoch %d: %w", v.Epoch, err)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// vaultSecretMissing is the kind of alarm of wallets whose secret is not in the configuration: they are seen, and nothing is moved out of them.
const vaultSecretMissing = "vault_secret_missing"

// missingSecrets says of each chain which wallets wait for a secret.
func (c *Config) missingSecrets(ctx context.Context, pool *pgxpool.Pool) (map[settlement.ChainID][]string, error) {
	open, err := store.OpenVaultsByEpoch(ctx, pool, time.Now())
	if err != nil {
		return nil, err
	}
	missing := make(map[settlement.ChainID][]string)
	for _, v := range open {
		held := slices.ContainsFunc(c.Chains, func(chain ChainConfig) bool {
			id, err := chain.chainID()
			return err == nil && id == v.Chain && len(chain.Custody.Tokens) > 0
		})
		there := slices.ContainsFunc(append(c.EarlierVaultSecrets, c.VaultSecret), func(s VaultSecretConfig) bool { return s.Epoch == v.Epoch })
		if !held || !there {
			missing[v.Chain] = append(missing[v.Chain], fmt.Sprintf(
				"%d order(s) have wallets of epoch %d, whose secret is not in use: nothing can be paid out of them", v.Vaults, v.Epoch))
		}
	}
	return missing, nil
}

// open reads the secret. The error names the key of the configuration.
func (v VaultSecretConfig) open() (*escrowsolana.Secret, error) {
	password, err := passwordOf("", v.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("vault_secret.%w", err)
	}
	file, err := os.Open(v.File)
	if err != nil {
		return nil, fmt.Errorf("vault_secret.file: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	secret, err := escrowsolana.OpenSecret(file, password, v.Epoch)
	if err != nil {
		return nil, fmt.Errorf("vault_secret.file %s: %w", v.File, err)
	}
	return secret, nil
}

type vaultSecretCmd struct {
	Create vaultSecretCreateCmd `cmd:"" help:"Make the secret that the wallets of orders on Solana are derived from, in an encrypted file."`
}

type vaultSecretCreateCmd struct {
	File         string `arg:"" help:"The file to make; one that is there is left alone."`
	PasswordFile string `required:"" placeholder:"FILE" help:"A file with the password, at least 12 bytes; a last line break does not count."`
	Epoch        uint32 `default:"1" help:"The epoch of the secret: one more than the last one's (default: ${default})."`
}

// Run writes the file, reads it back, and only then says that it is there: all money of its wallets depends on it.
func (cmd *vaultSecretCreateCmd) Run(_ context.Context, std *streams) error {
	if cmd.Epoch == 0 {
		return errors.New("the first epoch is 1")
	}
	password, err := passwordOf("", cmd.PasswordFile)
	if err != nil {
		return err
	}
	create := func(file *os.File) error {
		return escrowsolana.CreateSecret(file, password, cmd.Epoch, escrowsolana.ScryptCost)
	}
	if err := writeNew(cmd.File, create); err != nil {
		return err
	}
	secret, err := VaultSecretConfig(*cmd).open()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s: %s\nKeep a copy of the file and of its password apart from this machine: without them the money of every wallet of the epoch is lost.\n", cmd.File, secret)
	return err
}

// writeNew makes the file and has it filled; one that is there is left alone, and one that could not be filled is taken away.
func writeNew(path string, fill func(*os.File) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = fill(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path)) // nothing was derived from it
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // it was only synced
	return dir.Sync()
}
