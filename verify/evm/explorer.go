package evm

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/settler-pay/settler/settlement"
)

// explorers: host of a block explorer → its chain. Their pages of a transaction are at /tx/<id>.
var explorers = map[string]settlement.ChainID{
	"etherscan.io": "eip155:1", "optimistic.etherscan.io": "eip155:10", "bscscan.com": "eip155:56", "gnosisscan.io": "eip155:100",
	"polygonscan.com": "eip155:137", "peaq.subscan.io": "eip155:3338", "basescan.org": "eip155:8453", "agung-testnet.subscan.io": "eip155:9990",
	"arbiscan.io": "eip155:42161", "snowtrace.io": "eip155:43114", "snowscan.xyz": "eip155:43114",
	"eth.blockscout.com": "eip155:1", "optimism.blockscout.com": "eip155:10", "gnosis.blockscout.com": "eip155:100",
	"polygon.blockscout.com": "eip155:137", "base.blockscout.com": "eip155:8453", "arbitrum.blockscout.com": "eip155:42161",
}

// ParseTransaction reads a transaction's id, or the address of its page at a block explorer: https://basescan.org/tx/0x…
// The chain is empty for an id alone and for an explorer that we do not know.
func ParseTransaction(text string) (chain settlement.ChainID, id settlement.TxID, err error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		id, err = ParseTxID(text)
		return "", id, err
	}
	page, err := url.Parse(text)
	if err != nil {
		return "", "", fmt.Errorf("%q is not the address of a page", clip([]byte(text)))
	}
	parts := strings.Split(strings.Trim(page.Path, "/"), "/")
	for i, part := range parts[:len(parts)-1] {
		if part == "tx" || part == "extrinsic" {
			id, err = ParseTxID(parts[i+1])
			return explorers[strings.TrimPrefix(strings.ToLower(page.Hostname()), "www.")], id, err
		}
	}
	return "", "", fmt.Errorf("%q is not the page of a transaction: /tx/0x… is missing", clip([]byte(text)))
}
