package settlement

import (
	"fmt"
	"strconv"
	"strings"
)

// Finality is the rule that says which blocks of a chain are final, in words: a tag of the chain ("finalized", "safe",
// "latest"), or "depth N": block B is final when the latest block is B+N or higher.
type Finality string

// Progress says for people how far a payment in the block has come: "confirming n of m" under a depth; under a tag m is 0,
// because nobody knows beforehand how many blocks it lies behind.
func (f Finality) Progress(latest, block uint64) (text string, n, m uint64) {
	depth, ok := strings.CutPrefix(string(f), "depth ")
	m, err := strconv.ParseUint(depth, 10, 64)
	if !ok || err != nil {
		return "waiting for " + string(f), 0, 0
	}
	if latest > block {
		n = min(latest-block, m)
	}
	return fmt.Sprintf("confirming %d of %d", n, m), n, m
}

// Rule is what must hold before a payment of some amount counts.
type Rule struct {
	Finality Finality
	Trust    string // whose word is enough: "single", "quorum:2", "proof:2"
}

// Head is how far a chain has come, from one endpoint's coherent set of answers.
type Head struct {
	Latest uint64
	// Final is the highest block that the chain's finality rule calls final; FinalHash is its hash where the rule is a
	// tag, and empty where it is a depth.
	Final     uint64
	FinalHash BlockHash
}

// Heads is how far a chain has come under every finality rule that is in use.
type Heads struct {
	Head                    // under the chain's own rule
	Own   Finality          // that rule
	Rules map[Finality]Head // the chain's own rule and those of its tiers
}

// Watched says which payees are waited at. A scan asks it once what to look for, before its first call, and then which of
// the transfers it saw count; so what is added meanwhile is in no scan that has begun.
type Watched interface {
	// Payees are those that are waited at for the token, if they are at most limit; else ok is false.
	Payees(token Address, limit int) (payees []Address, ok bool)
	// Waits reports whether the payee, in raw bytes, is waited at for the token.
	Waits(token Address, payee []byte) bool
}

// Scan is one block as seen for all payees at once.
type Scan struct {
	Block  Block
	Parent BlockHash
	// Transactions holds, in order of position, those that pay somebody who is waited at, each with all of its transfers
	// of listed tokens, so that money sent back within one transaction is seen.
	Transactions []ScannedTx
	Trust        string   // whose word was enough, as in Rule
	Endpoints    []string // names from configuration
	Digests      []string // SHA-256 of the answers relied on, hex
}

// ScannedTx is one transaction of a scanned block.
type ScannedTx struct {
	TxID      TxID
	Sender    Address // empty where the scan did not have to read it
	Transfers []Transfer
}

// Span is a stretch of final blocks that was searched.
type Span struct {
	From, To uint64
	Last     Block  // the block To
	Blocks   []Scan // those that pay somebody, ascending
}
