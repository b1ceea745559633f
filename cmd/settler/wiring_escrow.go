package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/jackc/pgx/v5/pgxpool"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

// addEscrow gives the chains on which escrow is held their vaults and the signer that operates them, and those on which direct payments
// are given back the wallet for it. It refuses a chain on
// which vaults would not be where we say.
func addEscrow(ctx context.Context, cfg *Config, chains []jobs.Chain, pool *pgxpool.Pool) (closeAll func(), err error) {
	var movers []*escrowevm.Mover
	closeAll = func() {
		for _, m := range movers {
			m.Close()
		}
	}
	var secrets []*escrowsolana.Secret
	for at, c := range cfg.Chains {
		if c.isSolana() && c.Refunds.KeyFile != "" {
			if chains[at].Refunds, err = newSolanaRefunds(ctx, c, pool); err != nil {
				closeAll()
				return nil, fmt.Errorf("chain %s: refunds: %w", c.ID, err)
			}
			chains[at].Nonces = jobs.DurableNonces(chains[at].Refunds.Mover)
		}
		if len(c.Custody.Tokens) > 0 {
			if secrets == nil {
				secrets, err = cfg.vaultSecrets()
			}
			if err == nil {
				chains[at].Escrow, err = newCustody(ctx, c, secrets, custodyBooks{pool})
			}
			if err != nil {
				closeAll()
				return nil, fmt.Errorf("chain %s: custody: %w", c.ID, err)
			}
			chains[at].Escrow.GasReserves = cfg.gasReserves(c)
			continue
		}
		if i, j, ok := cfg.refundSigner(c); ok {
			wallet, err := cfg.openMover(ctx, c, i, j, signerBooks{pool})
			if err == nil {
				movers = append(movers, wallet)
				err = wallet.CheckChain(ctx)
			}
			if err != nil {
				closeAll()
				return nil, fmt.Errorf("chain %s: refunds: %w", c.ID, err)
			}
			chains[at].Nonces = evmNonces(wallet)
			chains[at].Refunds = &jobs.Refunds{Mover: wallet, BumpAfter: c.Refunds.BumpAfter, HasCode: wallet.HasCode}
		}
		if c.Escrow.Signer == "" {
			continue
		}
		mover, err := cfg.newMover(ctx, c, signerBooks{pool})
		if err == nil {
			movers = append(movers, mover)
			chains[at].Nonces = evmNonces(mover)
			chains[at].Escrow, err = newEscrow(ctx, c.Escrow, mover)
		}
		if watched, ok := chains[at].Watcher.(*evm.Chain); ok && err == nil {
			chains[at].Escrow.GasReserves, chains[at].Escrow.Balance = cfg.gasReserves(c), watched.Balance
		}
		var code settlement.VaultCode
		if err == nil && cfg.Mode == modeProduction {
			code, err = mover.Code(ctx)
			chains[at].Escrow.Code = &code
		}
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("chain %s: escrow: %w", c.ID, err)
		}
		if i, j, ok := cfg.arbiterSigner(c); ok {
			freezer, err := cfg.openMover(ctx, c, i, j, signerBooks{pool})
			if err != nil {
				closeAll()
				return nil, fmt.Errorf("chain %s: arbiter: %w", c.ID, err)
			}
			movers = append(movers, freezer)
			chains[at].Escrow.ArbiterMover, chains[at].Escrow.FreezeCall = freezer, escrowevm.FreezeCall
		}
	}
	return closeAll, nil
}

// newEscrow is how money is held with the operator's mover, once its endpoints have shown that vaults are where we say.
func newEscrow(ctx context.Context, e EscrowConfig, mover *escrowevm.Mover) (*jobs.Escrow, error) {
	arbiter, err := evm.ParseAddress(e.Arbiter)
	if err != nil {
		return nil, err
	}
	return &jobs.Escrow{
		Instrument: escrowevm.Instrument{}, Mover: mover, Happened: mover.Happened, Try: mover.Try, Arbiter: arbiter, HoldFor: e.HoldFor,
		DisputeFor: e.DisputeFor, HoldAtLeast: e.HoldAtLeast, BumpAfter: e.BumpAfter, UrgentWithin: e.UrgentWithin, Batch: e.Batch,
	}, mover.Check(ctx)
}

// newMover opens the signer of the chain's escrow and the chain's endpoints.
func (c *Config) newMover(ctx context.Context, chain ChainConfig, books escrowevm.Books) (*escrowevm.Mover, error) {
	i, j, ok := c.escrowSigner(chain)
	if !ok {
		return nil, fmt.Errorf("no signer %q", chain.Escrow.Signer)
	}
	return c.openMover(ctx, chain, i, j, books)
}

// openMover opens the chain's endpoints for the j-th chain of the i-th signer.
func (c *Config) openMover(ctx context.Context, chain ChainConfig, i, j int, books escrowevm.Books) (*escrowevm.Mover, error) {
	guard, err := c.openSigner(ctx, i, books)
	if err != nil {
		return nil, err
	}
	return c.moverOf(ctx, chain, i, j, guard)
}

// moverOf opens the chain's endpoints for a signer, within the fees of the j-th chain of the i-th one.
func (c *Config) moverOf(ctx context.Context, chain ChainConfig, i, j int, signer escrowevm.Signer) (*escrowevm.Mover, error) {
	policy, _ := c.Signers[i].Chains[j].policy(fmt.Sprintf("signers[%d].chains[%d]", i, j), chain)
	rule := chain.finality()
	out := escrowevm.MoverConfig{
		Chain: settlement.ChainID(chain.ID), Signer: signer, Depth: rule.Depth, Tag: rule.Tag, MaxFee: policy.MaxFeePerGas, MaxFeeUrgent: policy.MaxFeeUrgent, HTTPClient: outsideClient(),
	}
	for _, e := range chain.Endpoints {
		out.Endpoints = append(out.Endpoints, escrowevm.Endpoint{Name: e.Name, URL: string(e.URL), Header: e.header()})
	}
	return escrowevm.NewMover(ctx, out)
}

// signerBooks are the rows that a signer's policy asks.
type signerBooks struct{ pool *pgxpool.Pool }

// Unknown implements escrowevm.Books.
func (b signerBooks) Unknown(ctx context.Context, chainID uint64, vaults []common.Address) ([]common.Address, error) {
	unknown, err := store.UnknownVaults(ctx, b.pool, evmChain(chainID), rawAddresses(vaults))
	out := make([]common.Address, len(unknown))
	for i, a := range unknown {
		out[i] = common.BytesToAddress([]byte(a))
	}
	return out, err
}

// Due implements escrowevm.Books.
func (b signerBooks) Due(ctx context.Context, chainID uint64, signer common.Address, nonce uint64) (*escrowevm.OwnTransfer, error) {
	slot := settlement.Slot{Sender: settlement.Address(signer[:]), Nonce: nonce}
	refund, amount, err := store.DirectRefundAt(ctx, b.pool, evmChain(chainID), slot)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &escrowevm.OwnTransfer{
		Token: common.BytesToAddress([]byte(refund.Token)), Receiver: common.BytesToAddress([]byte(refund.Receiver)), Amount: amount,
	}, nil
}

// LastHour implements escrowevm.Books.
func (b signerBooks) LastHour(ctx context.Context, chainID uint64, signer common.Address, nonce uint64) (escrowevm.Spent, error) {
	slot := settlement.Slot{Sender: settlement.Address(signer[:]), Nonce: nonce}
	reserved, err := store.ReservedSince(ctx, b.pool, evmChain(chainID), slot, time.Now().Add(-time.Hour))
	spent := escrowevm.Spent{Payments: reserved.Payments, Amounts: make(map[common.Address]settlement.Amount, len(reserved.Amounts))}
	for token, amount := range reserved.Amounts {
		spent.Amounts[common.BytesToAddress([]byte(token))] = amount
	}
	return spent, err
}

func evmChain(id uint64) settlement.ChainID { return settlement.ChainID(fmt.Sprintf("eip155:%d", id)) }

func rawAddresses(addresses []common.Address) []settlement.Address {
	out := make([]settlement.Address, len(addresses))
	for i, a := range addresses {
		out[i] = settlement.Address(a[:])
	}
	return out
}
