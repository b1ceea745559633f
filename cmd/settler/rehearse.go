package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5/pgxpool"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// rehearsable are the tokens that vaults of the chain hold.
func rehearsable(chain jobs.Chain) []settlement.Token {
	var tokens []settlement.Token
	for _, t := range chain.Tokens {
		if t.Address != "" && t.Policy.Accepts() {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// unrehearsed are those of the chain's tokens of which no vault is handed out yet.
func unrehearsed(ctx context.Context, pool *pgxpool.Pool, chain jobs.Chain, code settlement.VaultCode) ([]settlement.Token, error) {
	var out []settlement.Token
	for _, t := range rehearsable(chain) {
		done, err := store.Rehearsed(ctx, pool, chain.ID, t.Address, code)
		if err != nil {
			return nil, err
		}
		if !done {
			out = append(out, t)
		}
	}
	return out, nil
}

func symbols(tokens []settlement.Token) string {
	names := make([]string, len(tokens))
	for i, t := range tokens {
		names[i] = t.Symbol
	}
	return strings.Join(names, ", ")
}

// checkRehearsals looks whether vaults of each token may be handed out, which in production they may after a rehearsal.
func (d doctor) checkRehearsals(ctx context.Context, cfg *Config) {
	if cfg.Mode != modeProduction {
		return
	}
	for _, c := range cfg.Chains {
		if c.Escrow.Signer == "" {
			continue
		}
		var missing []settlement.Token
		err := cfg.withEscrow(ctx, c, func(pool *pgxpool.Pool, chain jobs.Chain, code settlement.VaultCode) (err error) {
			missing, err = unrehearsed(ctx, pool, chain, code)
			return err
		})
		if err == nil && len(missing) > 0 {
			err = fmt.Errorf("no vault of %s is handed out before one was rehearsed", symbols(missing))
		}
		d.report("chain "+c.ID+" rehearsals", "vaults were rehearsed with each token", err, fmt.Sprintf("run `settler doctor --rehearse %s --wallet FILE --wallet-password-file FILE`", c.ID))
	}
}

// withEscrow opens the chain, its escrow and the database, for as long as do runs.
func (c *Config) withEscrow(ctx context.Context, entry ChainConfig, do func(*pgxpool.Pool, jobs.Chain, settlement.VaultCode) error) error {
	pool, err := openPool(ctx, c.directURL(), 4)
	if err != nil {
		return err
	}
	defer pool.Close()
	built, err := buildChain(entry)
	if err != nil {
		return err
	}
	mover, err := c.newMover(ctx, entry, signerBooks{pool})
	if err != nil {
		return err
	}
	defer mover.Close()
	if built.Escrow, err = newEscrow(ctx, entry.Escrow, mover); err != nil {
		return err
	}
	code, err := mover.Code(ctx)
	if err != nil {
		return err
	}
	return do(pool, built.Chain, code)
}

// rehearse brings one base unit of each token that was not rehearsed through the chain's vaults, and reports each.
func (cmd *doctorCmd) rehearse(ctx context.Context, std *streams, cfg *Config, d doctor) {
	name := "rehearsal on " + cmd.Rehearse
	const again = "read the reason, then run it again: it goes on where it stopped, and a unit that stays in a vault is the wallet's to reclaim"
	entry, ok := cfg.chainNamed(cmd.Rehearse)
	if !ok || entry.Escrow.Signer == "" {
		d.report(name, "", errors.New("no chain of that name holds escrow in vaults"), "name one of the chains that have escrow")
		return
	}
	wallet, err := cmd.wallet(cfg)
	if err != nil {
		d.report(name, "", err, "name a wallet's keystore file and its password's file")
		return
	}
	err = cfg.withEscrow(ctx, entry, func(pool *pgxpool.Pool, chain jobs.Chain, code settlement.VaultCode) error {
		i, j, _ := cfg.escrowSigner(entry)
		payer, err := cfg.moverOf(ctx, entry, i, j, wallet)
		if err != nil {
			return err
		}
		defer payer.Close()
		runner, err := cfg.doctorRunner(std, pool, chain)
		if err != nil {
			return err
		}
		tokens, err := unrehearsed(ctx, pool, chain, code)
		if cmd.Token != "" {
			tokens = slices.DeleteFunc(rehearsable(chain), func(t settlement.Token) bool { return t.Symbol != cmd.Token })
		}
		switch {
		case err != nil:
			return err
		case len(tokens) == 0 && cmd.Token != "":
			return fmt.Errorf("token %q is none that vaults hold", cmd.Token)
		case len(tokens) == 0:
			d.report(name, "vaults were rehearsed with each token before", nil, "")
		}
		for _, t := range tokens {
			err := runner.Rehearse(ctx, jobs.Rehearsing{
				Chain: chain.ID, Token: t.Address, Code: code, Wallet: payer, Transfer: escrowevm.TransferCall, Pay: escrowevm.PayCall, Reclaim: escrowevm.ReclaimCall,
				Say: func(format string, args ...any) {
					if cmd.Output == "text" {
						_, _ = io.WriteString(std.Out, "      "+fmt.Sprintf(format, args...)+"\n") // the findings tell the result
					}
				},
			})
			d.report(fmt.Sprintf("rehearsal of %s on %s", t.Symbol, chain.ID), "one base unit was paid into a vault, paid out, reclaimed, and is final", err, again)
		}
		return nil
	})
	if err != nil {
		d.report(name, "", err, again)
	}
}

// wallet opens the rehearsal's wallet, which has none of the service's keys: their nonces and money are the service's.
func (cmd *doctorCmd) wallet(cfg *Config) (escrowevm.Signer, error) {
	if cmd.Wallet == "" || cmd.WalletPasswordFile == "" {
		return nil, errors.New("--wallet and --wallet-password-file are required with --rehearse")
	}
	password, err := passwordOf("", cmd.WalletPasswordFile)
	if err != nil {
		return nil, err
	}
	wallet, err := escrowevm.OpenKeystore(cmd.Wallet, password)
	if err != nil {
		return nil, err
	}
	for _, s := range cfg.Signers {
		if common.HexToAddress(s.Address) == wallet.Address() {
			return nil, fmt.Errorf("the wallet has the key of signer %s: it needs one of its own", s.Name)
		}
	}
	return wallet, nil
}

// doctorRunner moves nothing by itself.
func (c *Config) doctorRunner(std *streams, pool *pgxpool.Pool, chain jobs.Chain) (*jobs.Runner, error) {
	payTokenKey, err := c.payTokenKey()
	if err != nil {
		return nil, err
	}
	agent, err := c.Agent.signer()
	if err != nil {
		return nil, err
	}
	logger, err := newLogger(c.Log, std.Err)
	if err != nil {
		return nil, err
	}
	marketplaces, err := newMarketplaces(c, agent, pool)
	if err != nil {
		return nil, err
	}
	highWater, err := c.Database.highWater()
	if err != nil {
		return nil, err
	}
	return jobs.New(jobs.Config{
		Pool: pool, DirectURL: c.directURL(), Marketplaces: marketplaces, Chains: []jobs.Chain{chain}, PayTokenKey: payTokenKey, Logger: logger, HighWater: highWater,
	})
}

// highWater opens the file that remembers what was sent; nil where there is none.
func (d DatabaseConfig) highWater() (*jobs.HighWater, error) {
	if d.HighWaterFile == "" {
		return nil, nil //nolint:nilnil // a nil one remembers nothing
	}
	return jobs.OpenHighWater(d.HighWaterFile)
}
