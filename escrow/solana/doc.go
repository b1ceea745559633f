// Package solana carries out escrow on Solana: the wallets of orders, derived from a secret, and the transaction that pays
// one out and closes it. It keeps nothing: what it returns is stored by whoever calls it before the next step.
//
// Read next: secret.go; custody.go; release.go; mover.go; tokenaccount.go; refund.go; docs/threats.md, what it must withstand.
package solana
