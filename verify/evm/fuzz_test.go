package evm

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// seedScene adds what the hand-made node answers, whole and with one byte gone.
func seedScene(f *testing.F, pick func(*scene) any) {
	f.Helper()
	s := newScene()
	s.rebloom()
	raw, err := json.Marshal(pick(s))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add(raw[:len(raw)-1])
	f.Add([]byte(strings.ReplaceAll(string(raw), `"0x`, `"0x0`)))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"logs":[null],"topics":null,"status":"0x"}`))
}

// seedRecordings adds what real nodes answered, where the recordings are at hand.
func seedRecordings(f *testing.F, part string) {
	f.Helper()
	if os.Getenv("SETTLER_FIXTURES") == "" {
		return
	}
	folder, entries := readRecordings(f)
	for _, r := range entries {
		if r.Files[part] != "" {
			f.Add([]byte(r.result(f, folder, part)))
		}
	}
}

// What a receipt that passes its own check says is in its logs: no transfer may come from elsewhere.
func FuzzReceipt(f *testing.F) {
	seedScene(f, func(s *scene) any { return s.receipt })
	seedRecordings(f, "receipt")
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := decodeReceipt(raw)
		if err != nil || r.check(false) != nil {
			return
		}
		for _, transfer := range transfersOf(r.logs) {
			l := r.logs[transfer.Index]
			if transfer.Token != settlement.Address(l.address[:]) || len(transfer.Payer) != 20 || len(transfer.Payee) != 20 || l.dataSize != 32 {
				t.Errorf("transfer %+v of log %+v", transfer, l)
			}
		}
	})
}

func FuzzLog(f *testing.F) {
	seedScene(f, func(s *scene) any { return s.log(0) })
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := decode(raw, func(c *cursor) (l logEntry, err error) { err = c.log(&l); return l, err })
		if err != nil {
			return
		}
		if transfer, ok := l.transfer(0); ok && (len(transfer.Token) != 20 || len(transfer.Payer) != 20 || len(transfer.Payee) != 20) {
			t.Errorf("transfer %+v", transfer)
		}
	})
}

// The logs of a range and of a block: no number outside the range, and no transfer that nobody waits for.
func FuzzLogs(f *testing.F) {
	seedScene(f, func(s *scene) any { return s.receipt["logs"] })
	seedScene(f, func(s *scene) any { return []any{s.log(0), s.log(0)} })
	chain, err := New(Config{Chain: testChain, Endpoints: []Endpoint{{Name: "a", URL: "http://a"}}, Tokens: []settlement.Token{usdToken()}, Finality: Finality{Depth: 1}})
	if err != nil {
		f.Fatal(err)
	}
	s := &session{chain: chain, e: chain.endpoints[0], rule: chain.rule}
	b := block{header: header{hash: paidIn, number: 100, time: paidAt}, txids: []settlement.TxID{payment}}
	q := chain.query(watching{{usd, bob}})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if numbers, err := s.numbersOf(raw, 90, 110); err == nil {
			for _, n := range numbers {
				if n < 90 || n > 110 {
					t.Errorf("block %d was not asked for", n)
				}
			}
		}
		found, count, _, err := s.readLogs(raw, b, q)
		if err != nil && (found != nil || settlement.LookCode(err).Outcome() != "") {
			t.Errorf("found %v beside %v", found, err)
		}
		for _, tx := range found {
			for _, transfer := range tx.Transfers {
				if transfer.Token != usd || transfer.Payee != bob || count == 0 {
					t.Errorf("found %+v of %d logs", transfer, count)
				}
			}
		}
	})
}

func FuzzBlock(f *testing.F) {
	seedScene(f, func(s *scene) any { return s.block })
	seedRecordings(f, "block")
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, whole := range []bool{false, true} {
			b, err := decodeBlock(raw, whole)
			if err != nil {
				continue
			}
			if _, err := json.Marshal(b.time); err != nil || b.time.Before(time.Unix(0, 0)) {
				t.Errorf("time %v: %v", b.time, err)
			}
			if len(b.txids) != len(b.txs) && whole {
				t.Errorf("%d ids of %d transactions", len(b.txids), len(b.txs))
			}
		}
	})
}

func FuzzTransaction(f *testing.F) {
	seedScene(f, func(s *scene) any { return s.tx })
	seedRecordings(f, "transaction")
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := decodeTransaction(raw)
		if err != nil {
			return
		}
		for _, transfer := range tx.transfers() {
			if transfer.Amount.IsZero() || len(transfer.Payee) != 20 || len(transfer.Payer) != 20 {
				t.Errorf("transfer %+v", transfer)
			}
		}
	})
}

// An answer is a result, or an error that says we could not look; no third thing, and nothing of the URL in it.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":7,"result":null}`, `{"jsonrpc":"2.0","id":7,"error":{"code":-32005,"message":"limit exceeded"}}`,
		`{"error":{"code":429}}`, `{"jsonrpc":"2.0","id":7,"error":"https://host/secret-key is over its rate limit"}`, `<html>`, ``, `[]`,
		`{"status":"0","result":"NOTOK"}`, `{"jsonrpc":"2.0","id":7,"result":{},"result":{}}`,
	} {
		f.Add([]byte(body), "eth_getLogs")
	}
	chain, err := New(Config{
		Chain: testChain, Endpoints: []Endpoint{{Name: "a", URL: "https://host/secret-key"}},
		Tokens: []settlement.Token{usdToken()}, Finality: Finality{Depth: 1},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, method string) {
		result, err := chain.endpoints[0].open(body, 7, method)
		if err == nil {
			if !json.Valid(result) {
				t.Errorf("the result is not JSON: %q", result)
			}
			return
		}
		if refused, ok := err.(*rpcError); ok { //nolint:errorlint // the type itself is promised
			err = refused.look(0)
		}
		look, ok := err.(*settlement.LookError) //nolint:errorlint // the type itself is promised
		if !ok || look.Code.Outcome() != "" {
			t.Errorf("got %v, want a failed look", err)
		}
		if strings.Contains(err.Error(), "secret-key") {
			t.Errorf("the error tells the URL: %v", err)
		}
	})
}
