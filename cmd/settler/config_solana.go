package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

// Names of the token programs in the configuration.
const (
	classicProgram   = "token"
	token2022Program = "token-2022"
)

// isSolana reports whether the id names a Solana cluster, in whichever form.
func (c ChainConfig) isSolana() bool { return strings.HasPrefix(c.ID, "solana") }

// checkSolana finds what only EVM chains have.
func (c ChainConfig) checkSolana(f *faults, key string) {
	if c.Finality.Tag == string(solana.Confirmed) {
		f.add("%s.finality.tag: confirmed transactions may still vanish; it is for tiers", key)
	}
	for i, trust := range append([]string{c.Trust}, tierTrusts(c.Tiers)...) {
		if strings.HasPrefix(trust, "proof") {
			at := key
			if i > 0 {
				at = fmt.Sprintf("%s.tiers[%d]", key, i-1)
			}
			f.add("%s.trust is %s, and no block of Solana binds what its transactions did: single or quorum:K", at, trust)
		}
	}
	if c.ZeroBlooms {
		f.add("%s.zero_blooms is for EVM chains", key)
	}
	for i, e := range c.Endpoints {
		if strings.HasPrefix(string(e.URL), "ws") {
			f.add("%s.endpoints[%d].url: a Solana endpoint is asked over http or https", key, i)
		}
	}
	for i, t := range c.Tokens {
		if t.Native && t.Decimals != solana.NativeDecimals {
			f.add("%s.tokens[%d].decimals is %d; SOL has %d", key, i, t.Decimals, solana.NativeDecimals)
		}
	}
}

func tierTrusts(tiers []TierConfig) (trusts []string) {
	for _, t := range tiers {
		trusts = append(trusts, t.Trust)
	}
	return trusts
}

// solanaTrust reads the text, which was checked; empty is the given default.
func solanaTrust(text string, otherwise solana.Trust) (solana.Trust, error) {
	if text == "" {
		return otherwise, nil
	}
	return solana.ParseTrust(text)
}

// solanaTier is the tier, which was checked, in the verifier's terms.
func (c ChainConfig) solanaTier(t TierConfig, chain settlement.ChainID, otherwise solana.Trust) (out solana.Tier, err error) {
	i := slices.IndexFunc(c.Tokens, func(token TokenConfig) bool { return token.Symbol == t.Token })
	token, err := c.Tokens[i].solanaToken(chain)
	if err != nil {
		return out, err
	}
	out.Token, out.Finality = token.Address, solana.Finality(cmp.Or(t.Finality.Tag, c.finality().Tag))
	if out.UpTo, _, err = settlement.AmountFromMajor(t.UpTo, token.Decimals); err != nil {
		return out, err
	}
	out.Trust, err = solanaTrust(t.Trust, otherwise)
	return out, err
}

// solanaToken is the token in the verifier's terms.
func (t TokenConfig) solanaToken(chain settlement.ChainID) (solana.Token, error) {
	token := solana.Token{Token: settlement.Token{Chain: chain, Symbol: t.Symbol, Decimals: t.Decimals, Policy: t.policy()}}
	if t.Native {
		return token, nil
	}
	token.Program = solana.TokenProgram
	if t.Program == token2022Program {
		token.Program = solana.Token2022Program
	}
	var err error
	token.Address, err = solana.ParseAddress(t.Address)
	return token, err
}
