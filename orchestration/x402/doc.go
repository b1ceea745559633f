// Package x402 pays HTTP 402 challenges ("exact" scheme, EIP-3009): it reads a
// challenge in every shape in which it travels, signs an authorisation within the
// caller's limits, and writes the header, its reference, and what the orchestrator
// takes: the proof and the body of execute.
//
// It moves no money: who holds the header can, once, until it expires. It looks at
// no chain. Amounts are base units of the token, in decimal digits.
//
// Read challenge.go, then payer.go.
package x402
