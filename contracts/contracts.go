// Package contracts holds the Solidity sources of this folder, what build.mjs compiles them into, and the Go bindings to
// them. So far it is the token of development chains. It deploys nothing: internal/devnet does.
package contracts

//go:generate go tool -modfile=../tools/go.mod abigen --v2 --combined-json combined.json --pkg contracts --out bindings.go
