package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/solana"
)

// disputeFor is what a vault's terms say of disputes where no program enforces it.
const disputeFor = 720 * time.Hour

// newCustody is the escrow of a Solana cluster, whose new wallets are derived from the first of the secrets. It asks the cluster who it
// is, and for the mints of what is held.
func newCustody(ctx context.Context, chain ChainConfig, secrets []*escrowsolana.Secret, books escrowsolana.Books) (*jobs.Escrow, error) {
	id, err := solana.ParseChain(chain.ID)
	if err != nil {
		return nil, err
	}
	tokens, policy, _ := chain.custody("chains." + string(id) + ".custody") // which was checked
	config := escrowsolana.MoverConfig{Chain: id, Tokens: tokens, Policy: policy, Books: books, HTTPClient: outsideClient(), Endpoints: chain.solanaEndpoints()}
	movers := make(map[settlement.Address]*escrowsolana.Mover) // signer → its mover
	escrow := &jobs.Escrow{HoldFor: chain.Custody.HoldFor, DisputeFor: disputeFor, BumpAfter: resendAfter, Batch: 1}
	escrow.TokenAccounts = &jobs.TokenAccounts{Call: func(ctx context.Context, v settlement.Vault, closes bool) (settlement.Call, error) {
		return movers[v.Operator].TokenAccountCall(ctx, v, closes) // the operator's own lane asks
	}}
	escrow.Balance = func(ctx context.Context, of settlement.Address) (settlement.Amount, error) {
		return movers[of].Balance(ctx)
	}
	if chain.Custody.PrecreateTokenAccount {
		escrow.TokenAccounts.PerHour = chain.Custody.PrecreatePerHour
	}
	for _, secret := range secrets {
		config.Secret = secret
		mover, err := escrowsolana.NewMover(ctx, config)
		if err != nil {
			return nil, err
		}
		movers[mover.Signer()] = mover
		if escrow.Mover != nil {
			escrow.EarlierMovers = append(escrow.EarlierMovers, mover)
			continue
		}
		escrow.Instrument, escrow.Mover, escrow.Arbiter, escrow.Epoch = mover, mover, mover.Signer(), secret.Epoch()
	}
	return escrow, nil
}

// solanaEndpoints are those that transactions of ours are sent to.
func (c ChainConfig) solanaEndpoints() (out []escrowsolana.Endpoint) {
	for _, e := range c.Endpoints {
		out = append(out, escrowsolana.Endpoint{Name: e.Name, URL: string(e.URL), Operator: e.Operator, Header: e.header()})
	}
	return out
}

// custodyBooks are the rows that the policy of a custody asks.
type custodyBooks struct{ pool *pgxpool.Pool }

// Vault implements escrowsolana.Books.
func (b custodyBooks) Vault(ctx context.Context, chain settlement.ChainID, address settlement.Address) (settlement.Vault, error) {
	kept, err := store.VaultAt(ctx, b.pool, chain, address)
	return kept.Vault, err
}

// TokenAccount implements escrowsolana.Books.
func (b custodyBooks) TokenAccount(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (settlement.Address, bool, error) {
	vault, state, err := store.TokenAccountOfSlot(ctx, b.pool, chain, slot)
	return vault, state == store.TokenAccountClosing, err
}

// LastHour implements escrowsolana.Books.
func (b custodyBooks) LastHour(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (escrowsolana.Spent, error) {
	reserved, err := store.ReservedOfVaults(ctx, b.pool, chain, slot, time.Now().Add(-time.Hour))
	return escrowsolana.Spent(reserved), err
}
