package evm

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"
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
		scan.Parent != settlement.BlockHash(hash("block 99")) || scan.Endpoints[0] != "a" || len(scan.Digests) != 2 {
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
		}}, // the receipts have them

		// The bloom and the logs disagree: the receipts are believed.
		{name: "the logs were lost, the receipts have them", change: func(s *scene) { s.hideLogs = true }},
		{name: "a log outside the bloom that the receipts have", change: func(s *scene) {
			s.rebloom()
			s.keepBloom = true
			s.block["logsBloom"] = bloomOf([]any{fields{"address": usd.String(), "topics": []any{transferHash}}})
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
	// The bloom rules the token out.
	if got, want := n.asked(), []string{"eth_getBlockByNumber"}; !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
}

// An endpoint alone whose index of logs lags shows none to a question about few payees; asked about all, it contradicts its
// own block. With a second endpoint that one is asked, also while native coin is waited for.
func TestScanOfALaggingIndex(t *testing.T) {
	t.Parallel()
	lagging := func() *scene {
		s := newScene()
		s.answer = func(w http.ResponseWriter, q question) bool {
			var filters []struct{ Topics []any }
			raw, err := json.Marshal(q.Params)
			if err != nil || q.Method != "eth_getLogs" || json.Unmarshal(raw, &filters) != nil || len(filters[0].Topics) < 3 {
				return false
			}
			return answerResult("eth_getLogs", "", []any{})(w, question{ID: q.ID, Method: q.Method})
		}
		return s
	}
	native := func(c *Config) { c.Tokens = append(c.Tokens, nativeToken()) }
	for _, test := range []struct {
		name    string
		nodes   []*scene
		config  func(*Config)
		watched settlement.Watched
		asked   int // of the first node
	}{
		{"alone", []*scene{lagging()}, nil, watching{{usd, bob}}, 5},
		{"beside another", []*scene{lagging(), newScene()}, nil, watching{{usd, bob}}, 2},
		{"beside another, native coin is waited for", []*scene{lagging(), newScene()}, native, watching{{usd, bob}, {"", carol}}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var nodes []*node
			for _, s := range test.nodes {
				nodes = append(nodes, startNode(t, s))
			}
			scan, err := startChain(t, test.config, nodes...).ScanFor(t.Context(), 100, test.watched)
			if err != nil || len(scan.Transactions) != 1 {
				t.Errorf("got %+v (%v), want the payment", scan, err)
			}
			if asked := nodes[0].asked(); len(asked) != test.asked {
				t.Errorf("asked %v, want %d questions", asked, test.asked)
			}
		})
	}
}

// A log that is in no receipt is none.
func TestScanOfAnInventedLog(t *testing.T) {
	t.Parallel()
	s := newScene()
	invented := s.log(0)
	s.setLogs(s.transferLog(usd, alice, carol, 1_500_000))
	s.keepBloom = true
	s.receipt["logsBloom"], s.block["logsBloom"] = bloomOf(s.receipt["logs"].([]any)), bloomOf([]any{invented, s.log(0)})
	s.answer = func(w http.ResponseWriter, q question) bool {
		return q.Method == "eth_getLogs" && answerResult(q.Method, "", []any{invented})(w, question{ID: q.ID, Method: q.Method})
	}
	scan, err := startChain(t, nil, startNode(t, s)).ScanFor(t.Context(), 100, watching{{usd, bob}})
	if err == nil || settlement.LookCode(err) != settlement.RPCInconsistent {
		t.Errorf("got %+v (%v), want RPC_INCONSISTENT", scan.Transactions, err)
	}
}

// A block whose receipts are too long to read is no reason to stop: those that count are read one by one.
func TestScanOfAHugeBlock(t *testing.T) {
	t.Parallel()
	s := newScene()
	one := clone(s.receipt).(fields)
	var ids []any
	receipts := make(map[string]fields)
	for i := range fewReceipts + 1 {
		r := clone(one).(fields)
		id := settlement.TxID(hash(string(rune('a' + i)))).String()
		r["transactionHash"], r["transactionIndex"] = id, hexutil.EncodeUint64(uint64(i))
		l := r["logs"].([]any)[0].(fields)
		l["transactionHash"], l["transactionIndex"], l["logIndex"] = id, r["transactionIndex"], r["transactionIndex"]
		r["logsBloom"] = bloomOf(r["logs"].([]any))
		receipts[id], ids = r, append(ids, id)
	}
	s.block["transactions"] = ids
	s.answer = func(w http.ResponseWriter, q question) bool {
		switch q.Method {
		case "eth_getBlockReceipts":
			_, err := w.Write(bytes.Repeat([]byte(" "), maxBlockAnswer+1))
			return err == nil
		case "eth_getLogs":
			var logs []any
			for _, id := range ids {
				logs = append(logs, receipts[id.(string)]["logs"].([]any)[0])
			}
			return answerResult(q.Method, "", logs)(w, question{ID: q.ID, Method: q.Method})
		case "eth_getTransactionReceipt":
			return answerResult(q.Method, q.text(0), receipts[q.text(0)])(w, q)
		}
		return false
	}
	chain := startChain(t, nil, startNode(t, s))
	scan, err := chain.ScanFor(t.Context(), 100, watching{{usd, bob}})
	if err != nil || len(scan.Transactions) != len(ids) {
		t.Errorf("found %d (%v), want %d", len(scan.Transactions), err, len(ids))
	}
	if got := states(chain); got != "a healthy" {
		t.Errorf("states %s", got)
	}
}
