package evm

import (
	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/settlement"
)

// mirrors: chain → pairs of which one shows the balance of the other, so that one movement appears as a transfer of
// both. The empty address is the native coin.
//
// Source: E-23 and E-24 of the verification rules; docs.peaq.xyz, token contracts.
var mirrors = map[settlement.ChainID][][2]settlement.Address{
	"eip155:100":   {{contract("0xcB444e90D8198415266c6a2724b7900fb12FC56E"), contract("0x420CA0f9B9b604cE0fd9C18EF134C705e5Fa3430")}}, // EURe 1 and 2
	"eip155:137":   {{"", contract("0x0000000000000000000000000000000000001010")}},                                                     // POL
	"eip155:324":   {{"", contract("0x000000000000000000000000000000000000800A")}},                                                     // ether on zkSync Era
	"eip155:3338":  {{"", contract("0x0000000000000000000000000000000000000809")}},                                                     // PEAQ
	"eip155:9990":  {{"", contract("0x0000000000000000000000000000000000000809")}},                                                     // AGUNG
	"eip155:42220": {{"", contract("0x471EcE3750Da237f93B8E339c536989b8978a438")}},                                                     // CELO
}

func contract(text string) settlement.Address {
	return settlement.Address(common.HexToAddress(text).Bytes())
}

// mirrored is the symbol of the listed token whose balance t shows, or "".
func mirrored(t settlement.Token, listed map[settlement.Address]settlement.Token) string {
	for _, pair := range mirrors[t.Chain] {
		for i, address := range pair {
			if other, ok := listed[pair[1-i]]; ok && t.Address == address {
				return other.Symbol
			}
		}
	}
	return ""
}
