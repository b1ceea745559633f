package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
	"github.com/settler-pay/settler/verify/solana"
)

type signersCmd struct {
	List    signersListCmd    `cmd:"" help:"List the signers that have signed, and why one is stopped."`
	Restart signersRestartCmd `cmd:"" help:"Let a stopped signer sign again, after a person has looked why."`
}

type signersListCmd struct {
	configFlag
	apiFlags
}

var signerColumns = []column{{"chain", "chain"}, {"signer", "address"}, {"next nonce", "next_nonce"}, {"stopped", "stopped"}}

// Run prints a line for each signer, as a running settler or, without a key, the database knows them.
func (cmd *signersListCmd) Run(ctx context.Context, std *streams) error {
	if cmd.Key != "" {
		answer, err := cmd.send(ctx, call{method: http.MethodGet, path: "/v1/admin/signers"})
		if err != nil {
			return err
		}
		return cmd.show(std, answer, "signers", signerColumns...)
	}
	pool, err := cmd.openDirect(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	signers, err := store.Signers(ctx, pool)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "CHAIN\tSIGNER\tNEXT NONCE\tSTOPPED") // the error comes with Flush
	for _, s := range signers {
		stopped := s.Stopped
		if stopped == "" {
			stopped = "no"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", s.Chain, formatSigner(s), s.NextNonce, stopped)
	}
	return w.Flush()
}

func formatSigner(s store.Signer) string {
	if s.Chain.Namespace() == "solana" {
		return solana.FormatAddress(s.Address)
	}
	return evm.FormatAddress(s.Address)
}

type signersRestartCmd struct {
	configFlag
	apiFlags

	Chain  string `required:"" help:"The chain whose signer is stopped: id or alias."`
	Reason string `required:"" help:"What has stopped it, and why it may go on."`
}

// Run lets the chain's stopped signers go on after the transactions that the chain has of them: at a running settler, which needs a key and
// records whose it is; or in the database itself.
func (cmd *signersRestartCmd) Run(ctx context.Context, std *streams) error {
	if cmd.Key != "" {
		answer, err := cmd.send(ctx, call{method: http.MethodPost, path: "/v1/admin/signers/restart", body: map[string]string{"chain": cmd.Chain, "reason": cmd.Reason}})
		if err != nil {
			return fmt.Errorf("%w; without a key `settler signers restart` goes to the database itself", err)
		}
		return cmd.show(std, answer, "signers", signerColumns...)
	}
	if strings.TrimSpace(cmd.Reason) == "" {
		return errors.New("--reason is empty")
	}
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	chain, _ := cfg.chainNamed(cmd.Chain)
	places := cfg.moneySigners(chain)
	refunds := chain.isSolana() && chain.Refunds.KeyFile != ""
	if len(places) == 0 && !refunds {
		return fmt.Errorf("chain %q has no signer of money in the configuration", cmd.Chain)
	}
	pool, err := cmd.openDirect(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	var nonces jobs.Nonces
	if refunds {
		wallet, err := newSolanaRefunds(ctx, chain, pool)
		if err != nil {
			return err
		}
		nonces = jobs.DurableNonces(wallet.Mover)
	} else {
		mover, err := cfg.openMover(ctx, chain, places[0][0], places[0][1], signerBooks{pool})
		if err != nil {
			return err
		}
		defer mover.Close()
		nonces = evmNonces(mover)
	}
	id, err := chain.chainID()
	if err != nil {
		return err
	}
	signers, err := store.Signers(ctx, pool)
	if err != nil {
		return err
	}
	restarted := 0
	for _, s := range signers {
		if s.Chain != id || s.Stopped == "" {
			continue
		}
		record := store.HaltRecord{Scope: string(id), Signer: s.Address, Reason: cmd.Reason, Name: "settler signers restart", At: time.Now().UTC()}
		if s, err = jobs.RestartSigner(ctx, pool, s, nonces, record, nil); err != nil {
			return err
		}
		restarted++
		if _, err := fmt.Fprintf(std.Out, "signer %s of %s signs again, from nonce %d; it was stopped because %s\n",
			formatSigner(s), s.Chain, s.NextNonce, s.Stopped); err != nil {
			return err
		}
	}
	if restarted == 0 {
		return fmt.Errorf("no signer of %s is stopped", chain.ID)
	}
	return nil
}

func evmNonces(mover *escrowevm.Mover) jobs.Nonces {
	return func(ctx context.Context, of settlement.Address) (jobs.Standing, error) {
		mined, known, err := mover.Nonces(ctx, of)
		return jobs.Standing{Mined: mined, Known: known}, err
	}
}

// moneySigners are the places of the chain's signers, and of the chain among each one's.
func (c *Config) moneySigners(chain ChainConfig) [][2]int {
	var places [][2]int
	for _, find := range []func(ChainConfig) (int, int, bool){c.escrowSigner, c.arbiterSigner, c.refundSigner} {
		if i, j, ok := find(chain); ok {
			places = append(places, [2]int{i, j})
		}
	}
	return places
}
