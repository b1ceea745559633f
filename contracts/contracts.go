// Package contracts holds the Solidity sources of this folder, what build.mjs compiles them into, and the Go bindings to
// them: the vaults of orders, the token of development chains, and tokens for tests that misbehave. It deploys nothing.
package contracts

//go:generate go tool -modfile=../tools/go.mod abigen --v2 --combined-json combined.json --pkg contracts --out bindings.go
