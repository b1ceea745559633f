package solana

import (
	"strings"
	"testing"

	"github.com/settler-pay/settler/settlement"
)

// S-49: pages of explorers name the transaction, and the cluster.
func TestParseTransaction(t *testing.T) {
	t.Parallel()
	id := settlement.TxID(strings.Repeat("\x07", 64))
	text := FormatTxID(id)
	devnet := ChainOf(devnetGenesis)
	for in, want := range map[string]settlement.ChainID{
		text:                            "",
		" " + text + "\n":               "",
		"https://solscan.io/tx/" + text: Mainnet,
		"https://www.solscan.io/tx/" + text + "?cluster=devnet":                           devnet,
		"https://explorer.solana.com/tx/" + text + "?cluster=mainnet-beta":                Mainnet,
		"https://explorer.solana.com/tx/" + text + "/?cluster=testnet":                    ChainOf(testnetGenesis),
		"https://explorer.solana.com/tx/" + text + "?cluster=custom&customUrl=http%3A%2F": "",
		"https://solana.fm/tx/" + text + "?cluster=devnet-solana":                         devnet,
		"https://elsewhere.example/tx/" + text:                                            "",
	} {
		chain, got, err := ParseTransaction(in)
		if err != nil || got != id || chain != want {
			t.Errorf("%q: %q %v, want %q", in, chain, err, want)
		}
	}
	for _, in := range []string{"", "0x12", "https://solscan.io/account/" + text, "https://solscan.io/tx/" + text[1:]} {
		if _, _, err := ParseTransaction(in); err == nil {
			t.Errorf("%q is taken", in)
		}
	}
}
