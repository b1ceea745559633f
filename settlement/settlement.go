// Package settlement is the domain of settler: payments, their states, amounts, claims, verdicts, and the rule that says
// which transfer pays which order. It is pure: no network, no clock, no database, no chain SDK.
//
// # Glossary
//
//   - order: the marketplace's order; we keep its id. Never our own record.
//   - payment: our record of settling one order. Never the transfer of money.
//   - intent: what the orchestrator asked to be paid.
//   - transfer: token, payer, payee and amount, at one position of one transaction.
//   - claim: a transaction id and the transfer that it must contain.
//   - verdict: confirmed, rejected or pending, about a claim. Never an error.
//   - evidence: what was seen on chain that led to a verdict.
//   - proof: evidence in the form the orchestration API takes.
//   - tx: a Postgres transaction; a transaction on a chain is named by its txid.
//
// Read next: state.go (every state, and who acts next), next.go (the table of all transitions), match.go (the funnel),
// owner.go (whose transfer is it).
package settlement

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// PaymentID is a UUIDv7, unique across marketplaces and deployments.
type PaymentID [16]byte

// ParsePaymentID reads the canonical 36-character text of a UUID in either letter case.
func ParsePaymentID(text string) (PaymentID, error) {
	var id PaymentID
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, fmt.Errorf("payment id %q is not a UUID", text)
	}
	if _, err := hex.Decode(id[:], []byte(strings.ReplaceAll(text, "-", ""))); err != nil {
		return PaymentID{}, fmt.Errorf("payment id %q is not a UUID", text)
	}
	return id, nil
}

func (id PaymentID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ChainID is a CAIP-2 chain identifier, such as "eip155:8453". Aliases ("base") are resolved at the edge and never stored.
type ChainID string

// Namespace is the part before the colon: "eip155", "solana".
func (c ChainID) Namespace() string {
	namespace, _, _ := strings.Cut(string(c), ":")
	return namespace
}

// Reference is the part after the colon: the decimal chain id of an EVM chain.
func (c ChainID) Reference() string {
	_, reference, _ := strings.Cut(string(c), ":")
	return reference
}

// Address is the raw bytes of an account: 20 on EVM, 32 on Solana. As a token, the empty Address is the chain's native
// coin. Addresses are compared as bytes, never as text; String is for people and logs.
type Address string

func (a Address) String() string { return hexOrEmpty(string(a)) }

// TxID is the raw bytes of a transaction id: 32 on EVM (the hash), 64 on Solana (the first signature).
type TxID string

func (id TxID) String() string { return hexOrEmpty(string(id)) }

// BlockHash is the raw 32 bytes that identify a block.
type BlockHash string

func (h BlockHash) String() string { return hexOrEmpty(string(h)) }

func hexOrEmpty(raw string) string {
	if raw == "" {
		return ""
	}
	return "0x" + hex.EncodeToString([]byte(raw))
}
