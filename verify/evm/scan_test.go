package evm

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/settlement"
)

var compareAmounts = cmp.Comparer(func(a, b settlement.Amount) bool { return a.Cmp(b) == 0 })

func moved(token, payer, payee settlement.Address, units uint64, position string, index int) settlement.Transfer {
	return settlement.Transfer{Token: token, Payer: payer, Payee: payee, Amount: settlement.NewAmount(units), Position: position, Index: index}
}

func TestScanOfLogs(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.setLogs(s.transferLog(euro, alice, bob, 5), s.transferLog(usd, alice, bob, 1_500_000), s.transferLog(usd, bob, carol, 2))
	n := startNode(t, s)
	chain := startChain(t, nil, n)
	scan, err := chain.Scan(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []settlement.ScannedTx{{TxID: payment, Transfers: []settlement.Transfer{
		moved(usd, alice, bob, 1_500_000, "log/8", -1), moved(usd, bob, carol, 2, "log/9", -1),
	}}}
	if diff := cmp.Diff(want, scan.Transactions, compareAmounts); diff != "" {
		t.Errorf("transactions (-want +got):\n%s", diff)
	}
	if scan.Block.Number != 100 || scan.Block.Hash != paidIn || !scan.Block.Time.Equal(paidAt) ||
		scan.Parent != settlement.BlockHash(hash("block 99")) || scan.Endpoint != "a" || len(scan.Digests) != 2 {
		t.Errorf("scan %+v", scan)
	}
	if got, want := n.asked(), []string{"eth_getBlockByNumber", "eth_getLogs"}; !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
}

func TestScanWithNativeCoin(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.setLogs(s.transferLog(euro, alice, bob, 5), s.transferLog(usd, alice, bob, 1_500_000))
	s.tx["to"], s.tx["value"] = carol.String(), "0x7"
	n := startNode(t, s)
	chain := startChain(t, func(c *Config) { c.Tokens = append(c.Tokens, nativeToken()) }, n)
	scan, err := chain.Scan(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	want := []settlement.ScannedTx{{TxID: payment, Sender: alice, Transfers: []settlement.Transfer{
		moved("", alice, carol, 7, settlement.Native, -1), moved(usd, alice, bob, 1_500_000, "log/8", 1),
	}}}
	if diff := cmp.Diff(want, scan.Transactions, compareAmounts); diff != "" {
		t.Errorf("transactions (-want +got):\n%s", diff)
	}
	if got, want := n.asked(), []string{"eth_getBlockByNumber", "eth_getBlockReceipts"}; !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
	n.change(func(s *scene) { s.receipt["status"] = "0x0" })
	if scan, err = chain.Scan(t.Context(), 100); err != nil || len(scan.Transactions) != 0 {
		t.Errorf("a failed transaction moved %+v (%v)", scan.Transactions, err)
	}
}

func TestScanRefusesContradictions(t *testing.T) {
	t.Parallel()
	native := func(c *Config) { c.Tokens = append(c.Tokens, nativeToken()) }
	other := settlement.BlockHash(hash("other")).String()
	tests := []struct {
		name   string
		config func(*Config)
		change func(*scene)
		want   settlement.Code // empty: the payment is found
	}{
		{name: "all is well"},
		{name: "all is well with native coin", config: native},
		{name: "the block is absent", change: func(s *scene) { s.answer = answerNull("eth_getBlockByNumber", "0x64") }, want: settlement.RPCInconsistent},
		{name: "another block", change: func(s *scene) { s.block["number"] = "0x65" }, want: settlement.RPCInconsistent},
		{name: "a log of another block", change: func(s *scene) { s.log(0)["blockHash"] = other }, want: settlement.RPCInconsistent},
		{name: "a log of another number", change: func(s *scene) { s.log(0)["blockNumber"] = "0x65" }, want: settlement.RPCInconsistent},
		{name: "a removed log", change: func(s *scene) { s.log(0)["removed"] = true }, want: settlement.RPCInconsistent},
		{name: "logs out of order", change: func(s *scene) {
			s.setLogs(s.transferLog(usd, alice, bob, 1), s.transferLog(usd, alice, bob, 1_500_000))
			s.log(1)["logIndex"] = "0x6"
		}, want: settlement.RPCInconsistent},
		{name: "two transactions at one place", change: func(s *scene) {
			s.setLogs(s.transferLog(usd, alice, bob, 1), s.transferLog(usd, alice, bob, 1_500_000))
			s.log(1)["transactionHash"] = other
		}, want: settlement.RPCInconsistent},
		{name: "a log that was not asked for", change: func(s *scene) {
			s.answer = answerRaw("eth_getLogs", 200, `{"jsonrpc":"2.0","id":ID,"result":[{"address":"`+euro.String()+`","topics":["`+transferHash+
				`"],"data":"0x","blockHash":"`+paidIn.String()+`","blockNumber":"0x64","transactionHash":"`+payment.String()+
				`","transactionIndex":"0x2","logIndex":"0x7"}]}`)
		}, want: settlement.RPCInconsistent},
		{name: "the logs are null", change: func(s *scene) { s.null = []string{"eth_getLogs"} }, want: settlement.RPCUnavailable},
		{name: "the logs are too many", change: func(s *scene) {
			s.answer = answerRaw("eth_getLogs", 200, `{"jsonrpc":"2.0","id":ID,"error":{"code":-32005,"message":"query returned more than 10000 results"}}`)
		}, want: settlement.RPCUnavailable},

		// The bloom and the logs disagree: the receipts are believed.
		{name: "the logs were lost, the receipts have them", change: func(s *scene) { s.hideLogs = true }},
		{name: "a log outside the bloom that the receipts have", change: func(s *scene) {
			s.rebloom()
			s.keepBloom = true
			s.block["logsBloom"] = bloomOf(nil)
		}},
		{name: "a log outside the block", change: func(s *scene) { s.block["transactions"] = []any{} }, want: settlement.RPCInconsistent},
		{name: "logs and receipts were lost", change: func(s *scene) {
			s.hideLogs = true
			empty := maps.Clone(s.receipt)
			empty["logs"], empty["logsBloom"] = []any{}, bloomOf(nil)
			s.receipts = []fields{empty}
		}, want: settlement.RPCInconsistent},
		{name: "logs and receipts are null", change: func(s *scene) { s.hideLogs, s.null = true, []string{"eth_getBlockReceipts"} }, want: settlement.RPCInconsistent},
		{name: "logs were lost, no receipts to be had", change: func(s *scene) { s.hideLogs, s.noReceipts = true, true }, want: settlement.RPCMisconfigured},

		// Receipts.
		{name: "a transaction of a type without value", config: native, change: func(s *scene) { delete(s.tx, "value"); delete(s.tx, "from") }},
		{name: "a receipt is missing", config: native, change: func(s *scene) { s.receipts = []fields{} }, want: settlement.RPCInconsistent},
		{name: "a receipt of another block", config: native, change: func(s *scene) { s.receipt["blockHash"] = other }, want: settlement.RPCInconsistent},
		{name: "a receipt of another transaction", config: native, change: func(s *scene) { s.receipt["transactionHash"] = other }, want: settlement.RPCInconsistent},
		{name: "a receipt lost its logs", config: native, change: func(s *scene) { s.rebloom(); s.keepBloom = true; s.setLogs() }, want: settlement.RPCInconsistent},
		{name: "a transaction of another block", config: native, change: func(s *scene) { s.tx["blockHash"] = other }, want: settlement.RPCInconsistent},
		{name: "no receipts of blocks", config: native, change: func(s *scene) { s.noReceipts = true }, want: settlement.RPCMisconfigured},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newScene()
			if test.change != nil {
				test.change(s)
			}
			chain := startChain(t, test.config, startNode(t, s))
			scan, err := chain.Scan(t.Context(), 100)
			if test.want != "" {
				if settlement.LookCode(err) != test.want || err == nil {
					t.Errorf("got %+v (%v), want %s", scan, err, test.want)
				}
				return
			}
			if err != nil || len(scan.Transactions) != 1 || len(scan.Transactions[0].Transfers) != 1 ||
				scan.Transactions[0].Transfers[0].Position != "log/7" {
				t.Errorf("got %+v (%v), want the payment", scan.Transactions, err)
			}
		})
	}
}

// Without receipts, the absence of logs that the bloom allows counts only when two endpoints see it.
func TestScanBelievesTwo(t *testing.T) {
	t.Parallel()
	hiding := func() *scene {
		s := newScene()
		s.hideLogs = true
		s.answer = answerRaw("eth_getBlockReceipts", http.StatusForbidden, "")
		return s
	}
	scan, err := startChain(t, nil, startNode(t, hiding()), startNode(t, hiding())).Scan(t.Context(), 100)
	if err != nil || len(scan.Transactions) != 0 || scan.Block.Hash != paidIn {
		t.Errorf("two endpoints without logs: got %+v (%v), want an empty block", scan, err)
	}
	scan, err = startChain(t, nil, startNode(t, hiding()), startNode(t, newScene())).Scan(t.Context(), 100)
	if err != nil || len(scan.Transactions) != 1 {
		t.Errorf("one endpoint without logs: got %+v (%v), want the payment", scan, err)
	}
}

func TestScanOfAQuietBlock(t *testing.T) {
	t.Parallel()
	s := newScene()
	s.setLogs()
	n := startNode(t, s)
	scan, err := startChain(t, nil, n).Scan(t.Context(), 100)
	if err != nil || len(scan.Transactions) != 0 {
		t.Errorf("got %+v (%v), want an empty block", scan, err)
	}
	if got, want := n.asked(), []string{"eth_getBlockByNumber", "eth_getLogs"}; !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
}
