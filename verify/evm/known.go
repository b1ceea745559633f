package evm

import (
	"time"

	"github.com/settler-pay/settler/settlement"
)

// KnownChain is what we ship about a chain. What is shipped is a default; configuration may say otherwise.
type KnownChain struct {
	Name     string
	Finality Finality
	// Lag is how far the finality rule usually lies behind the head, an order of magnitude for people; zero where a block
	// is final at once, so that the tag may well name the latest block.
	Lag time.Duration
	// StallAfter is the age of the final block that is worth an alarm.
	StallAfter time.Duration
	// Provable says that go-ethereum can hash all of the chain's receipts, so that trust by proof is possible.
	Provable bool
	Source   string
}

// known: chain → what section 10 of the verification rules says of it. Sei, Zilliqa and Lotus are missing on purpose: there
// tags are equal or made up, so whoever uses them must test and name a rule.
var known = map[settlement.ChainID]KnownChain{
	"eip155:1":     {"Ethereum", Finality{Tag: tagFinalized}, 15 * time.Minute, time.Hour, true, "Casper FFG, two epochs; the meaning of safe is changing"},
	"eip155:10":    {"OP Mainnet", Finality{Tag: tagFinalized}, 20 * time.Minute, time.Hour, false, "OP Stack: batch in a finalized L1 block"},
	"eip155:56":    {"BNB Chain", Finality{Tag: tagFinalized}, 5 * time.Second, 5 * time.Minute, true, "BEP-126 fast finality"},
	"eip155:100":   {"Gnosis", Finality{Tag: tagFinalized}, 3 * time.Minute, 30 * time.Minute, true, "Casper FFG, two epochs of 80 s"},
	"eip155:137":   {"Polygon", Finality{Tag: tagFinalized}, 5 * time.Second, 10 * time.Minute, true, "PIP-11 milestones"},
	"eip155:3338":  {"peaq", Finality{Tag: tagFinalized}, 20 * time.Second, 10 * time.Minute, false, "docs.peaq.xyz, EVM onboarding"},
	"eip155:8453":  {"Base", Finality{Tag: tagFinalized}, 20 * time.Minute, time.Hour, false, "OP Stack: batch in a finalized L1 block"},
	"eip155:9990":  {"Agung", Finality{Tag: tagFinalized}, 20 * time.Second, 10 * time.Minute, false, "docs.peaq.xyz, EVM onboarding"},
	"eip155:42161": {"Arbitrum One", Finality{Tag: tagFinalized}, 20 * time.Minute, time.Hour, false, "docs.arbitrum.io, finality and reorgs; tags since Nitro 2.0.10"},
	"eip155:43114": {"Avalanche C", Finality{Tag: tagLatest}, 0, 5 * time.Minute, false, "a block that is accepted stays; headers do not hash with go-ethereum"},
}

// Known is what we ship about the chain.
func Known(id settlement.ChainID) (KnownChain, bool) {
	k, ok := known[id]
	return k, ok
}
