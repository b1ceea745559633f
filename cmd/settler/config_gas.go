package main

import (
	"fmt"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

// GasReserveConfig is what of the wallet that pays for a chain's payouts is for one marketplace's payments alone: those of others wait
// below it.
type GasReserveConfig struct {
	Chain  string `yaml:"chain" env:"CHAIN"`   // id or alias of a chain with escrow or custody. Required
	Amount string `yaml:"amount" env:"AMOUNT"` // in whole native coins. Required
}

// checkGasReserves finds faults of what is kept for marketplaces.
func (c *Config) checkGasReserves(f *faults) {
	for i, m := range c.Marketplaces {
		seen := make(map[string]string)
		for j, r := range m.GasReserves {
			key := fmt.Sprintf("marketplaces[%d].gas_reserves[%d]", i, j)
			chain, ok := c.chainNamed(r.Chain)
			if ok {
				_, ok = c.gasReserve(chain)
				unique(f, key+".chain", chain.ID, seen)
			}
			if !ok {
				f.add("%s.chain %q is none of the chains with escrow or custody", key, r.Chain)
				continue
			}
			if amount, rounded, err := settlement.AmountFromMajor(r.Amount, chain.coinDecimals()); err != nil || rounded || amount.IsZero() {
				f.add("%s.amount %q is not an amount of native coins above 0 with at most %d decimals", key, r.Amount, chain.coinDecimals())
			}
		}
	}
	for i, chain := range c.Chains {
		text, ok := c.gasReserve(chain)
		if !ok {
			continue
		}
		var sum settlement.Amount
		for _, amount := range c.gasReserves(chain) {
			sum = sum.Add(amount)
		}
		// Then the alarm is raised before any payment waits.
		if all, _, err := settlement.AmountFromMajor(text, chain.coinDecimals()); err == nil && sum.Cmp(all) > 0 {
			f.add("the gas_reserves of marketplaces for chains[%d] are %s together, above the gas_reserve of %s of the wallet that pays there",
				i, sum.Major(chain.coinDecimals()), text)
		}
	}
}

// gasReserve is the balance, in whole coins, below which the wallet that pays for the chain's payouts raises an alarm; false where there
// are none.
func (c *Config) gasReserve(chain ChainConfig) (string, bool) {
	if chain.isSolana() {
		return chain.Custody.GasReserve, len(chain.Custody.Tokens) > 0
	}
	if i, j, ok := c.escrowSigner(chain); ok && chain.Escrow.Signer != "" {
		return c.Signers[i].Chains[j].GasReserve, true
	}
	return "", false
}

// gasReserves are what marketplaces keep on the chain. What is no amount is left out.
func (c *Config) gasReserves(chain ChainConfig) jobs.GasReserves {
	out := make(jobs.GasReserves)
	for _, m := range c.Marketplaces {
		for _, r := range m.GasReserves {
			amount, _, err := settlement.AmountFromMajor(r.Amount, chain.coinDecimals())
			if named, ok := c.chainNamed(r.Chain); ok && named.ID == chain.ID && err == nil {
				out[m.ID] = amount
			}
		}
	}
	return out
}

func (c ChainConfig) coinDecimals() uint8 {
	if c.isSolana() {
		return solana.NativeDecimals
	}
	return nativeDecimals
}
