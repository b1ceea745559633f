package solana

import (
	"net/url"
	"slices"
	"strings"

	"github.com/settler-pay/settler/settlement"
)

// explorers are the hosts of block explorers whose pages of transactions (/tx/SIGNATURE) name the cluster in the query, as
// ?cluster=devnet, and are of the main cluster without.
var explorers = []string{"solscan.io", "explorer.solana.com", "solana.fm"}

// ParseTransaction reads a transaction's first signature, or the address of its page at a block explorer. The chain is empty
// for a signature alone, and for an explorer or a cluster that we do not know.
func ParseTransaction(text string) (chain settlement.ChainID, id settlement.TxID, err error) {
	text = strings.TrimSpace(text)
	if id, err = ParseTxID(text); err != nil {
		return "", "", err
	}
	page, err := url.Parse(text)
	if err != nil || !slices.Contains(explorers, strings.TrimPrefix(strings.ToLower(page.Hostname()), "www.")) {
		return "", id, nil // ParseTxID has read it all the same
	}
	cluster, _, _ := strings.Cut(page.Query().Get("cluster"), "-") // mainnet-beta, devnet-solana
	if cluster == "" {
		cluster = "mainnet"
	}
	if chain, err = ParseChain("solana:" + cluster); err != nil { // a cluster of somebody's own
		return "", id, nil
	}
	return chain, id, nil
}
