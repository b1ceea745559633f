// Package evm carries out escrow on EVM chains: the per-order vaults, what a vault's terms are and at which address it is;
// payments out of them, prepared, signed, sent and read back; the signers of transactions with the policy before each. It
// keeps nothing: jobs stores what each step returns before it makes the next.
//
// Read next: terms.go; mover.go; send.go; direct.go; outcome.go; signer.go; policy.go; contracts/OrderVaults.sol, which holds the money;
// docs/threats.md, what it must withstand.
package evm
