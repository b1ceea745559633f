package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

// CustodyConfig says how the money of escrow rails is held on a Solana cluster: in wallets whose keys are derived from
// VaultSecretConfig. It is absent when no token is listed.
type CustodyConfig struct {
	Tokens          []SignerTokenConfig `yaml:"tokens" envPrefix:"TOKENS_"`                // that are held, and what may be moved of them. Defaults to none: nothing is held
	PaymentsPerHour uint64              `yaml:"payments_per_hour" env:"PAYMENTS_PER_HOUR"` // most payments moved in any hour. Required with a token
	MaxUnitPrice    uint64              `yaml:"max_unit_price" env:"MAX_UNIT_PRICE"`       // priority fee at most, in millionths of a lamport for a compute unit. Defaults to 1000000
	GasReserve      string              `yaml:"gas_reserve" env:"GAS_RESERVE"`             // in SOL: what the wallet that pays for releases should have at least; below it is an alarm. Defaults to 0.1
	Allow           []string            `yaml:"allow" env:"ALLOW"`                         // extensions of mints that are accepted although somebody could move or stop held money. Defaults to none
	HoldFor         time.Duration       `yaml:"hold_for" env:"HOLD_FOR"`                   // from the payer's last moment until a decision is promised. Defaults to 336h

	PrecreateTokenAccount bool   `yaml:"precreate_token_account" env:"PRECREATE_TOKEN_ACCOUNT"` // on a payer's request, make the token account of the order's wallet at our cost. Defaults to false
	PrecreatePerHour      uint64 `yaml:"precreate_per_hour" env:"PRECREATE_PER_HOUR"`           // most that are asked for in any hour. Defaults to 20
	PrecreateReserve      string `yaml:"precreate_reserve" env:"PRECREATE_RESERVE"`             // in SOL, at least gas_reserve: what is for releases alone. Defaults to 0.5
}

func (c *CustodyConfig) setDefaults() {
	c.MaxUnitPrice, c.GasReserve, c.HoldFor = 1_000_000, "0.1", 336*time.Hour
	c.PrecreatePerHour, c.PrecreateReserve = 20, "0.5"
}

// resendAfter is how long a transaction waits for a block before it is sent again.
const resendAfter = 2 * time.Second

// maxPrecreated is how many token accounts are made in an hour at most: one after the other, each when the last is final.
const maxPrecreated = 200

// checkCustody finds faults of the chain's custody.
func (c *Config) checkCustody(f *faults, key string, chain ChainConfig) {
	e := chain.Custody
	key += ".custody"
	switch {
	case len(e.Tokens) == 0:
		return
	case !chain.isSolana():
		f.add("%s is for Solana: on EVM chains escrow is held in contracts", key)
		return
	case c.VaultSecret == (VaultSecretConfig{}):
		f.add("%s needs vault_secret, from which the wallets are derived", key)
	}
	if e.PaymentsPerHour == 0 {
		f.add("%s.payments_per_hour is required", key)
	}
	if e.HoldFor < time.Hour {
		f.add("%s.hold_for is %s, at least %s", key, e.HoldFor, time.Hour)
	}
	var reserves [2]settlement.Amount
	for i, each := range []struct{ name, text string }{{"gas_reserve", e.GasReserve}, {"precreate_reserve", e.PrecreateReserve}} {
		amount, rounded, err := settlement.AmountFromMajor(each.text, solana.NativeDecimals)
		if reserves[i] = amount; err != nil || rounded || !amount.Big().IsUint64() {
			f.add("%s.%s %q is not an amount of SOL with at most %d decimals", key, each.name, each.text, solana.NativeDecimals)
		}
	}
	if e.PrecreateTokenAccount && (e.PrecreatePerHour == 0 || e.PrecreatePerHour > maxPrecreated) {
		f.add("%s.precreate_per_hour is %d, 1 to %d", key, e.PrecreatePerHour, maxPrecreated)
	}
	if e.PrecreateTokenAccount && reserves[1].Cmp(reserves[0]) < 0 {
		f.add("%s.precreate_reserve is %s, below gas_reserve: token accounts would raise its alarm", key, e.PrecreateReserve)
	}
	_, _, faults := chain.custody(key)
	*f = append(*f, faults...)
	operators := make(map[string]bool)
	for _, endpoint := range chain.Endpoints {
		operators[cmp.Or(endpoint.Operator, endpoint.Name)] = true
	}
	if c.Mode == modeProduction && len(operators) < 2 {
		f.add("%s needs endpoints of two operators: on the word of one alone nothing that has expired is signed again", key)
	}
}

// custody is what is held of the chain's tokens, and the policy of what is moved.
func (c ChainConfig) custody(key string) (tokens []escrowsolana.Token, policy escrowsolana.Policy, f faults) {
	e := c.Custody
	policy = escrowsolana.Policy{
		Key: key, PaymentsPerHour: e.PaymentsPerHour, MaxUnitPrice: e.MaxUnitPrice,
	}
	reserve, _, err := settlement.AmountFromMajor(e.PrecreateReserve, solana.NativeDecimals)
	if err == nil { // else it is told of the custody
		policy.Reserve = reserve.Big().Uint64()
	}
	tokens, policy.Tokens, f = c.moved(key, e.Tokens, e.Allow)
	return tokens, policy, f
}

// moved is what is moved of the listed tokens, in a Solana cluster's terms.
func (c ChainConfig) moved(key string, listed []SignerTokenConfig, allow []string) (tokens []escrowsolana.Token, limits map[sdk.PublicKey]escrowsolana.TokenLimit, f faults) {
	limits = make(map[sdk.PublicKey]escrowsolana.TokenLimit)
	for i, t := range listed {
		at := fmt.Sprintf("%s.tokens[%d]", key, i)
		j := slices.IndexFunc(c.Tokens, func(token TokenConfig) bool { return token.Symbol == t.Token })
		if j < 0 {
			f.add("%s.token %q is none of the chain's tokens", at, t.Token)
			continue
		}
		token, err := c.Tokens[j].solanaToken("")
		if err != nil {
			continue // told of the chain's tokens
		}
		held := escrowsolana.Token{Decimals: token.Decimals, Allowed: allow}
		copy(held.Mint[:], token.Address)
		copy(held.Program[:], token.Program)
		if _, twice := limits[held.Mint]; twice {
			f.add("%s.token %q stands there twice", at, t.Token)
		}
		tokens = append(tokens, held)
		limit := escrowsolana.TokenLimit{Key: at}
		for _, each := range []struct {
			name, text string
			to         *settlement.Amount
		}{{"per_payment", t.PerPayment, &limit.PerPayment}, {"per_hour", t.PerHour, &limit.PerHour}} {
			amount, rounded, err := settlement.AmountFromMajor(each.text, token.Decimals)
			if err != nil || rounded || amount.IsZero() {
				f.add("%s.%s %q is not an amount of %s above 0 with at most %d decimals", at, each.name, each.text, t.Token, token.Decimals)
			}
			*each.to = amount
		}
		limits[held.Mint] = limit
	}
	return tokens, limits, f
}
