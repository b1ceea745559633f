package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
	"github.com/settler-pay/settler/verify/solana"
)

// purse is a wallet that pays for transactions of ours.
type purse struct {
	chain   settlement.ChainID
	name    string // of the signer, or custody
	address string
	text    string // of the reserve, in whole coins, as it is configured
	reserve settlement.Amount
	units   uint8 // decimals of the coin
	balance func(context.Context) (settlement.Amount, error)
	// kept is what of the balance is for single marketplaces, all are those of the configuration.
	kept jobs.GasReserves
	all  []string
}

// low says that the balance is below the reserve, empty when it is not.
func (p purse) low(balance settlement.Amount) string {
	if balance.Cmp(p.reserve) >= 0 {
		return ""
	}
	text := fmt.Sprintf("%s (%s) has %s, below the reserve of %s", p.name, p.address, balance.Major(p.units), p.text)
	var waiting []string
	for _, marketplace := range p.all {
		if !p.kept.Spares(marketplace, balance) {
			waiting = append(waiting, marketplace)
		}
	}
	if len(waiting) > 0 {
		text += "; what it has is kept for others than " + strings.Join(waiting, ", ") + ", whose payouts wait"
	}
	return text
}

// condition is the alarm of a wallet that is low.
func (p purse) condition() condition {
	return condition{p.chain, gasLow, func(ctx context.Context) (string, error) {
		balance, err := p.balance(ctx)
		if err != nil {
			return "", fmt.Errorf("balance for fees of %s: %w", p.address, err)
		}
		return p.low(balance), nil
	}}
}

// signerPurse is that of a signer on its j-th chain, whose endpoints are asked through chain.
func signerPurse(s SignerConfig, j int, chain *evm.Chain, id settlement.ChainID) (purse, error) {
	p := purse{chain: id, name: s.Name, address: s.Address, text: s.Chains[j].GasReserve, units: nativeDecimals}
	address, err := evm.ParseAddress(s.Address)
	if err != nil {
		return p, err
	}
	p.balance = func(ctx context.Context) (settlement.Amount, error) { return chain.Balance(ctx, address) }
	p.reserve, _, err = settlement.AmountFromMajor(p.text, p.units)
	return p, err
}

// custodyPurse is the wallet that pays for releases on a Solana cluster.
func custodyPurse(c ChainConfig, mover *escrowsolana.Mover, id settlement.ChainID) (purse, error) {
	p := purse{
		chain: id, name: "custody", address: solana.FormatAddress(mover.Signer()), text: c.Custody.GasReserve, units: solana.NativeDecimals, balance: mover.Balance,
	}
	var err error
	p.reserve, _, err = settlement.AmountFromMajor(p.text, p.units)
	return p, err
}

// newPurses is of everything that the configuration lets pay for transactions.
func newPurses(cfg *Config, chains []jobs.Chain) ([]purse, error) {
	var out []purse
	ids := make([]string, len(cfg.Marketplaces))
	for i, m := range cfg.Marketplaces {
		ids[i] = m.ID
	}
	for at, c := range cfg.Chains {
		if re := chains[at].Refunds; re != nil {
			if refunder, ok := re.Mover.(*escrowsolana.Refunder); ok {
				p, err := refundPurse(c, refunder, chains[at].ID)
				if err != nil {
					return nil, err
				}
				out = append(out, p)
			}
		}
		if chains[at].Escrow == nil {
			continue
		}
		for _, mover := range append([]jobs.Mover{chains[at].Escrow.Mover}, chains[at].Escrow.EarlierMovers...) {
			paying, ok := mover.(*escrowsolana.Mover)
			if !ok {
				continue
			}
			p, err := custodyPurse(c, paying, chains[at].ID)
			if err != nil {
				return nil, err
			}
			p.kept, p.all = chains[at].Escrow.GasReserves, ids
			out = append(out, p)
		}
	}
	for _, s := range cfg.Signers {
		for j := range s.Chains {
			c, _ := cfg.chainNamed(s.Chains[j].Chain) // which was checked
			at := slices.IndexFunc(cfg.Chains, func(each ChainConfig) bool { return each.ID == c.ID })
			watched, ok := chains[at].Watcher.(*evm.Chain)
			if !ok {
				continue
			}
			p, err := signerPurse(s, j, watched, chains[at].ID)
			if err != nil {
				return nil, err
			}
			if escrow := chains[at].Escrow; escrow != nil && s.Name == c.Escrow.Signer {
				p.kept, p.all = escrow.GasReserves, ids
			}
			out = append(out, p)
		}
	}
	return out, nil
}
