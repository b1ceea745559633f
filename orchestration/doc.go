// Package orchestration is a client of the Machine Markets orchestration API:
// machines, agent pairings, the market, orders and their payments.
//
// It mirrors somebody else's contract and knows nothing of our domain. Every
// status, rail, code and chain is an open string: an unknown value is decoded,
// never refused. Answers may be spelled in camelCase or snake_case. Amounts keep
// the text that was on the wire (json.Number), they never pass through a float.
//
// It does not sign (Signer is given by the caller, see agentkey), does not store
// and does not decide. Reads are repeated at most twice; a write is sent exactly
// once, and OutcomeOf tells what its error says about whether it acted.
//
// Read client.go, then call.go, then session.go. Where the contract is open, what
// we chose is in docs/divergences.md.
package orchestration
