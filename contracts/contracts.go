// Package contracts holds the compiled Solidity sources of this folder. build.mjs makes artifacts.json from them.
package contracts

import (
	_ "embed"
	"encoding/json"
	"fmt"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/common/hexutil"
)

//go:embed artifacts.json
var artifacts []byte

// Artifact is a compiled contract.
type Artifact struct {
	ABI      abi.ABI
	Bytecode []byte // creation code, without constructor arguments
}

// Load returns the compiled contract of that name.
func Load(name string) (Artifact, error) {
	var all struct {
		Contracts map[string]struct {
			ABI      abi.ABI       `json:"abi"`
			Bytecode hexutil.Bytes `json:"bytecode"`
		} `json:"contracts"`
	}
	if err := json.Unmarshal(artifacts, &all); err != nil {
		return Artifact{}, fmt.Errorf("read compiled contracts: %w", err)
	}
	made, ok := all.Contracts[name]
	if !ok {
		return Artifact{}, fmt.Errorf("no compiled contract %s", name)
	}
	return Artifact{ABI: made.ABI, Bytecode: made.Bytecode}, nil
}
