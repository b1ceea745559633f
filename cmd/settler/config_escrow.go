package main

import (
	"slices"
	"strings"
	"time"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/verify/evm"
)

// EscrowConfig says how the money of escrow rails is held on an EVM chain. It is absent when no signer is named.
type EscrowConfig struct {
	Signer      string        `yaml:"signer" env:"SIGNER"`               // name of the signer that operates the vaults. Defaults to none: nothing is held
	Arbiter     string        `yaml:"arbiter" env:"ARBITER"`             // address that freezes vaults and divides what is frozen. Required with a signer
	HoldFor     time.Duration `yaml:"hold_for" env:"HOLD_FOR"`           // from the payer's last moment until he may take the money back. Defaults to 336h
	DisputeFor  time.Duration `yaml:"dispute_for" env:"DISPUTE_FOR"`     // how long after that the arbiter may decide. Defaults to 720h
	HoldAtLeast time.Duration `yaml:"hold_at_least" env:"HOLD_AT_LEAST"` // of hold_for when the deposit is final, or a person decides. Defaults to 24h
	BumpAfter   time.Duration `yaml:"bump_after" env:"BUMP_AFTER"`       // how long a transaction waits before its fees are raised. Defaults to 1m
	// UrgentWithin is how long before its deadline a vault's transaction may cost up to max_fee_per_gas_urgent, and is an alarm. Defaults to 6h
	UrgentWithin time.Duration `yaml:"urgent_within" env:"URGENT_WITHIN"`
	Batch        int           `yaml:"batch" env:"BATCH"` // payments in one transaction at most, 1 to 50. Defaults to 50
}

func (e *EscrowConfig) setDefaults() {
	e.HoldFor, e.DisputeFor, e.HoldAtLeast, e.BumpAfter, e.UrgentWithin, e.Batch = 336*time.Hour, 720*time.Hour, 24*time.Hour, time.Minute, 6*time.Hour, 50
}

// checkEscrow finds faults of the chains' escrow.
func (c *Config) checkEscrow(f *faults, key string, chain ChainConfig) {
	e := chain.Escrow
	key += ".escrow"
	if e.Signer == "" {
		if e.Arbiter != "" {
			f.add("%s.signer is required with an arbiter", key)
		}
		return
	}
	if chain.isSolana() {
		f.add("%s is for EVM chains: on Solana escrow is held in custody", key)
		return
	}
	if _, _, ok := c.escrowSigner(chain); !ok {
		f.add("%s.signer %q is no signer that may call pay and payBatch on this chain", key, e.Signer)
	}
	if _, err := evm.ParseAddress(e.Arbiter); err != nil {
		f.add("%s.arbiter: %w", key, err)
	}
	for _, d := range []struct {
		name       string
		value, min time.Duration
	}{
		{"hold_for", e.HoldFor, time.Hour}, {"dispute_for", e.DisputeFor, time.Hour}, {"hold_at_least", e.HoldAtLeast, 0}, {"bump_after", e.BumpAfter, time.Second}, {"urgent_within", e.UrgentWithin, 0},
	} {
		if d.value < d.min {
			f.add("%s.%s is %s, at least %s", key, d.name, d.value, d.min)
		}
	}
	if e.HoldAtLeast >= e.HoldFor {
		f.add("%s.hold_at_least is %s, and the money is held for %s only", key, e.HoldAtLeast, e.HoldFor)
	}
	if e.Batch < 1 || e.Batch > 50 {
		f.add("%s.batch is %d, not 1 to 50", key, e.Batch)
	}
}

// escrowSigner is the place of the chain's escrow signer, and of the chain among that signer's.
func (c *Config) escrowSigner(chain ChainConfig) (signer, at int, ok bool) {
	return c.signerNamed(chain, chain.Escrow.Signer, escrowevm.MethodPay, escrowevm.MethodPayBatch)
}

// arbiterSigner is the place of the signer that has the key of the chain's arbiter, and of the chain among that signer's.
func (c *Config) arbiterSigner(chain ChainConfig) (signer, at int, ok bool) {
	for i, s := range c.Signers {
		at := slices.IndexFunc(s.Chains, func(s SignerChainConfig) bool {
			named, found := c.chainNamed(s.Chain)
			return found && named.ID == chain.ID && !slices.ContainsFunc([]string{escrowevm.MethodFreeze, escrowevm.MethodPay, escrowevm.MethodPayBatch}, func(m string) bool {
				return !slices.Contains(s.Methods, m)
			})
		})
		if at >= 0 && strings.EqualFold(s.Address, chain.Escrow.Arbiter) {
			return i, at, true
		}
	}
	return 0, 0, false
}
