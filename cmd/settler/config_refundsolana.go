package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/solana"
)

// checkSolanaRefunds finds faults of the refunds of a Solana cluster.
func (c ChainConfig) checkSolanaRefunds(f *faults, key string) {
	re := c.Refunds
	if re.KeyFile == "" && re.PasswordFile == "" && len(re.Tokens) == 0 {
		return
	}
	f.require(key+".key_file", re.KeyFile)
	f.require(key+".password_file", re.PasswordFile)
	if len(re.Tokens) == 0 {
		f.add("%s.tokens is required: at least one", key)
	}
	if re.PaymentsPerHour == 0 {
		f.add("%s.payments_per_hour is required", key)
	}
	if re.BumpAfter < time.Second {
		f.add("%s.bump_after is %s, at least 1s", key, re.BumpAfter)
	}
	if amount, rounded, err := settlement.AmountFromMajor(re.GasReserve, solana.NativeDecimals); err != nil || rounded || !amount.Big().IsUint64() {
		f.add("%s.gas_reserve %q is not an amount of SOL with at most %d decimals", key, re.GasReserve, solana.NativeDecimals)
	}
	_, _, faults := c.moved(key, re.Tokens, nil)
	*f = append(*f, faults...)
}

// refunderConfig is the wallet that direct payments on the cluster are given back from; its configuration was checked.
func (c ChainConfig) refunderConfig(books escrowsolana.RefundBooks) (escrowsolana.RefunderConfig, error) {
	re, key := c.Refunds, fmt.Sprintf("chains.%s.refunds", c.ID)
	id, err := c.chainID()
	if err != nil {
		return escrowsolana.RefunderConfig{}, err
	}
	out := escrowsolana.RefunderConfig{Chain: id, Books: books, HTTPClient: outsideClient(), Endpoints: c.solanaEndpoints()}
	out.Policy = escrowsolana.Policy{Key: key, PaymentsPerHour: re.PaymentsPerHour, MaxUnitPrice: re.MaxUnitPrice}
	out.Tokens, out.Policy.Tokens, _ = c.moved(key, re.Tokens, nil)
	reserve, _, err := settlement.AmountFromMajor(re.GasReserve, solana.NativeDecimals)
	if err != nil {
		return out, err
	}
	out.Policy.Reserve = reserve.Big().Uint64()
	password, err := passwordOf("", re.PasswordFile)
	if err != nil {
		return out, fmt.Errorf("refunds.%w", err)
	}
	file, err := os.Open(re.KeyFile)
	if err != nil {
		return out, fmt.Errorf("refunds.key_file: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	if out.Wallet, err = escrowsolana.OpenWallet(file, password); err != nil {
		return out, fmt.Errorf("refunds.key_file %s: %w", re.KeyFile, err)
	}
	return out, nil
}

// newSolanaRefunds asks the cluster for the wallet's nonce account.
func newSolanaRefunds(ctx context.Context, chain ChainConfig, pool *pgxpool.Pool) (*jobs.Refunds, error) {
	config, err := chain.refunderConfig(refundBooks{pool})
	if err != nil {
		return nil, err
	}
	refunder, err := escrowsolana.NewRefunder(ctx, config)
	if err != nil {
		return nil, err
	}
	return &jobs.Refunds{Mover: refunder, BumpAfter: chain.Refunds.BumpAfter, HasCode: refunder.HasCode, Durable: true}, nil
}

// refundPurse is the wallet that direct payments on a Solana cluster are given back from.
func refundPurse(c ChainConfig, refunder *escrowsolana.Refunder, id settlement.ChainID) (purse, error) {
	p := purse{
		chain: id, name: "refunds", address: solana.FormatAddress(refunder.Signer()), text: c.Refunds.GasReserve, units: solana.NativeDecimals, balance: refunder.Balance,
	}
	var err error
	p.reserve, _, err = settlement.AmountFromMajor(p.text, p.units)
	return p, err
}

// refundBooks are the rows that the policy of refunds asks.
type refundBooks struct{ pool *pgxpool.Pool }

// Due implements escrowsolana.RefundBooks.
func (b refundBooks) Due(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (settlement.DirectRefund, settlement.Amount, error) {
	return store.DirectRefundAt(ctx, b.pool, chain, slot)
}

// LastHour implements escrowsolana.RefundBooks.
func (b refundBooks) LastHour(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (escrowsolana.Spent, error) {
	reserved, err := store.ReservedSince(ctx, b.pool, chain, slot, time.Now().Add(-time.Hour))
	return escrowsolana.Spent(reserved), err
}

type refundWalletCmd struct {
	Create refundWalletCreateCmd `cmd:"" help:"Make the key of the wallet that direct payments on Solana are given back from, in an encrypted file."`
	Setup  refundWalletSetupCmd  `cmd:"" help:"Make the wallet's nonce account on the cluster, on which its transactions stand; the wallet pays 0.0015 SOL. Safe to repeat."`
}

type refundWalletCreateCmd struct {
	File         string `arg:"" help:"The file to make; one that is there is left alone."`
	PasswordFile string `required:"" placeholder:"FILE" help:"A file with the password, at least 12 bytes; a last line break does not count."`
}

// Run writes the file, reads it back, and only then says what is in it.
func (cmd *refundWalletCreateCmd) Run(_ context.Context, std *streams) error {
	password, err := passwordOf("", cmd.PasswordFile)
	if err != nil {
		return err
	}
	if err := writeNew(cmd.File, func(file *os.File) error { return escrowsolana.CreateWallet(file, password, escrowsolana.ScryptCost) }); err != nil {
		return err
	}
	file, err := os.Open(cmd.File)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // it was only read
	wallet, err := escrowsolana.OpenWallet(file, password)
	if err == nil {
		_, err = fmt.Fprintf(std.Out, "%s: %s\nSend it SOL for fees, run `settler refund-wallet setup`, and then fund it with what you are ready to give back.\n", cmd.File, wallet)
	}
	return err
}

type refundWalletSetupCmd struct {
	configFlag
	Chain string `required:"" help:"The cluster: id or alias."`
}

// Run makes the account and waits until the cluster has it.
func (cmd *refundWalletSetupCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	chain, ok := cfg.chainNamed(cmd.Chain)
	if !ok || !chain.isSolana() || chain.Refunds.KeyFile == "" {
		return fmt.Errorf("chain %q is no Solana cluster with refunds.key_file in the configuration", cmd.Chain)
	}
	config, err := chain.refunderConfig(nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	account, made, err := escrowsolana.SetUpNonce(ctx, config)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the cluster has no nonce account %s yet: repeat it", account)
	case err != nil:
		return err
	}
	done := "was there already"
	if made {
		done = "was made"
	}
	_, err = fmt.Fprintf(std.Out, "nonce account %s of %s %s\n", account, config.Wallet, done)
	return err
}
