package main

import (
	"slices"
	"strings"
	"time"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
)

// RefundsConfig says from which wallet direct payments are given back. It is absent when no signer is named, on Solana no key_file.
type RefundsConfig struct {
	Signer    string        `yaml:"signer" env:"SIGNER"`         // EVM: name of the signer whose key is the wallet's. Defaults to none: none is given back
	BumpAfter time.Duration `yaml:"bump_after" env:"BUMP_AFTER"` // how long a transaction waits before its fees are raised. Defaults to 1m

	// The rest is for Solana.
	KeyFile         string              `yaml:"key_file" env:"KEY_FILE"`                   // path of the wallet's encrypted key, as refund-wallet create writes it. Defaults to none: none is given back
	PasswordFile    string              `yaml:"password_file" env:"PASSWORD_FILE"`         // path of a file with its password; a last line break does not count. Required with key_file
	Tokens          []SignerTokenConfig `yaml:"tokens" envPrefix:"TOKENS_"`                // that are given back, and limits. Required with key_file
	PaymentsPerHour uint64              `yaml:"payments_per_hour" env:"PAYMENTS_PER_HOUR"` // most refunds in any hour. Required with key_file
	MaxUnitPrice    uint64              `yaml:"max_unit_price" env:"MAX_UNIT_PRICE"`       // priority fee at most, in millionths of a lamport for a compute unit. Defaults to 1000000
	GasReserve      string              `yaml:"gas_reserve" env:"GAS_RESERVE"`             // in SOL: what the wallet keeps for fees; less is an alarm. Defaults to 0.05
}

func (r *RefundsConfig) setDefaults() {
	r.BumpAfter, r.MaxUnitPrice, r.GasReserve = time.Minute, 1_000_000, "0.05"
}

// checkRefunds finds faults of the chains' refunds.
func (c *Config) checkRefunds(f *faults, key string, chain ChainConfig) {
	re := chain.Refunds
	key += ".refunds"
	switch {
	case chain.isSolana():
		if re.Signer != "" {
			f.add("%s.signer is for EVM chains: on Solana the wallet is key_file", key)
		}
		chain.checkSolanaRefunds(f, key)
		return
	case re.KeyFile != "" || re.PasswordFile != "" || len(re.Tokens) > 0:
		f.add("%s.key_file, password_file and tokens are for Solana: on EVM chains the wallet is a signer's", key)
		return
	case re.Signer == "":
		return
	case re.BumpAfter < time.Second:
		f.add("%s.bump_after is %s, at least 1s", key, re.BumpAfter)
	}
	i, _, ok := c.refundSigner(chain)
	if !ok {
		f.add("%s.signer %q is no signer that may call transfer on this chain", key, re.Signer)
		return
	}
	others := map[string]string{"the arbiter": chain.Escrow.Arbiter}
	if j, _, ok := c.escrowSigner(chain); ok {
		others["the signer of its escrow"] = c.Signers[j].Address
	}
	for who, address := range others {
		if strings.EqualFold(c.Signers[i].Address, address) {
			f.add("%s.signer %q has the key of %s: each needs a key of its own", key, re.Signer, who)
		}
	}
}

// refundSigner is the place of the signer that direct payments of the chain are given back with, and of the chain among that signer's.
func (c *Config) refundSigner(chain ChainConfig) (signer, at int, ok bool) {
	return c.signerNamed(chain, chain.Refunds.Signer, escrowevm.MethodTransfer)
}

// signerNamed is the place of a signer that may call the methods on the chain, and of the chain among that signer's.
func (c *Config) signerNamed(chain ChainConfig, name string, methods ...string) (signer, at int, ok bool) {
	signer = slices.IndexFunc(c.Signers, func(s SignerConfig) bool { return s.Name == name })
	if signer < 0 {
		return 0, 0, false
	}
	at = slices.IndexFunc(c.Signers[signer].Chains, func(s SignerChainConfig) bool {
		named, found := c.chainNamed(s.Chain)
		return found && named.ID == chain.ID && !slices.ContainsFunc(methods, func(m string) bool { return !slices.Contains(s.Methods, m) })
	})
	return signer, at, at >= 0
}
