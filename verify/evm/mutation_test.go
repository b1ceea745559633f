package evm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/settler-pay/settler/settlement"
)

// accepted is a recorded payment that a claim accepts.
type accepted struct {
	id                 string
	claim              settlement.Claim
	receipt, tx, block fields
	chainID            string
	number             uint64
}

// acceptedOf are all claims of the recordings that must be confirmed.
func acceptedOf(t *testing.T) []accepted {
	t.Helper()
	folder, entries := readRecordings(t)
	var out []accepted
	for _, r := range entries {
		for i, want := range r.Expectations {
			if !r.complete() || want.Code != settlement.Verified {
				continue
			}
			a := accepted{id: fmt.Sprintf("%s#%d", r.ID, i), claim: r.claim(t, i)}
			s := r.scene(t, folder)
			a.receipt, a.tx, a.block, a.chainID = s.receipt, s.tx, s.block, s.chainID
			a.number = hexutil.MustDecodeUint64(s.block["number"].(string))
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		t.Fatal("no recording is accepted")
	}
	return out
}

// mutant is a node that gives the answers of an accepted payment, one of them changed, and a claim, perhaps changed too.
type mutant struct {
	accepted
	random    *rand.Rand
	finalized uint64
	cut       int // bytes that the receipt's answer lacks
}

// RoundTrip implements http.RoundTripper without a network.
func (m *mutant) RoundTrip(r *http.Request) (*http.Response, error) {
	var q question
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		return nil, err
	}
	var result any
	switch q.Method {
	case "eth_chainId":
		result = m.chainID
	case "eth_getTransactionReceipt":
		result = m.receipt
	case "eth_getTransactionByHash":
		result = m.tx
	case "eth_getBlockByNumber":
		number := m.finalized
		if tag := q.text(0); tag != "finalized" {
			number = hexutil.MustDecodeUint64(tag)
		}
		result = newScene().head(number)
		if number == m.number {
			result = m.block
		}
	}
	body, err := json.Marshal(fields{"jsonrpc": "2.0", "id": q.ID, "result": result})
	if err != nil {
		return nil, err
	}
	if q.Method == "eth_getTransactionReceipt" {
		body = body[:len(body)-m.cut]
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

func clone(v any) any {
	switch v := v.(type) {
	case fields:
		out := make(fields, len(v))
		for name, value := range v {
			out[name] = clone(value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = clone(item)
		}
		return out
	}
	return v
}

func (m *mutant) logs() []any { return m.receipt["logs"].([]any) }

// some is one of the receipt's logs, one that fits the claim if it can be, and -1 without any.
func (m *mutant) some() int {
	var fit []int
	for i, l := range m.logs() {
		if t, ok := readTransfer(l.(fields)); ok && t == wanted(m.claim) {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		return -1
	}
	return fit[m.random.IntN(len(fit))]
}

// flip changes a hex digit of text at or after from.
func (m *mutant) flip(text string, from int) string {
	at := from + m.random.IntN(len(text)-from)
	digit := "0123456789abcdef"[m.random.IntN(16)]
	for strings.EqualFold(string(digit), text[at:at+1]) {
		digit = "0123456789abcdef"[m.random.IntN(16)]
	}
	return text[:at] + string(digit) + text[at+1:]
}

// plain is a transfer as an index of plain text would have it; the oracle's own reading.
type plain struct{ token, payer, payee, amount string }

func wanted(c settlement.Claim) plain {
	value := fmt.Sprintf("0x%064x", c.Want.Amount.Big())
	return plain{c.Want.Token.String(), c.Payers[0].String(), c.Want.Payee.String(), value}
}

func readTransfer(l fields) (plain, bool) {
	topics := l["topics"].([]any)
	data, _ := l["data"].(string)
	if len(topics) != 3 || topics[0] != transferHash || len(data) != 66 {
		return plain{}, false
	}
	payer, payee := topics[1].(string), topics[2].(string)
	zeros := "0x" + strings.Repeat("0", 24)
	if !strings.HasPrefix(payer, zeros) || !strings.HasPrefix(payee, zeros) {
		return plain{}, false
	}
	return plain{strings.ToLower(l["address"].(string)), "0x" + payer[26:], "0x" + payee[26:], data}, true
}

// oracle is the funnel over plain text: what a receipt that contradicts itself nowhere must come to.
func (m *mutant) oracle() settlement.Code {
	want := wanted(m.claim)
	var seen []plain
	if value, _ := m.tx["value"].(string); want.token == "" && value != "0x0" && m.tx["to"] != nil {
		value = strings.TrimPrefix(value, "0x")
		seen = append(seen, plain{"", m.tx["from"].(string), m.tx["to"].(string), "0x" + strings.Repeat("0", 64-len(value)) + value})
	}
	for _, l := range m.logs() {
		if t, ok := readTransfer(l.(fields)); ok {
			seen = append(seen, t)
		}
	}
	if len(seen) == 0 {
		return settlement.NoTransfer
	}
	for _, step := range []struct {
		code settlement.Code
		fits func(plain) bool
	}{
		{settlement.TokenMismatch, func(p plain) bool { return p.token == want.token }},
		{settlement.PayeeMismatch, func(p plain) bool { return p.payee == want.payee }},
		{settlement.PayerMismatch, func(p plain) bool { return p.payer == want.payer }},
		{settlement.AmountMismatch, func(p plain) bool { return p.amount == want.amount }},
	} {
		if seen = slices.DeleteFunc(seen, func(p plain) bool { return !step.fits(p) }); len(seen) == 0 {
			return step.code
		}
	}
	return settlement.Verified
}

// content is what a change of what logs say must come to. Half of the nodes make the bloom fit; the others are found out,
// if what changed is in it.
func (m *mutant) content() settlement.Code {
	if bloom := bloomOf(m.logs()); bloom != m.receipt["logsBloom"] {
		if m.random.IntN(2) == 0 {
			return settlement.RPCInconsistent
		}
		m.receipt["logsBloom"] = bloom
	}
	return m.oracle()
}

// mutationsOf change one field each and return the code that must follow; empty where there is nothing to change.
var mutationsOf = map[string]func(*mutant) settlement.Code{
	"token of the log": onLog(func(m *mutant, l fields) settlement.Code {
		l["address"] = m.flip(l["address"].(string), 2)
		return m.content()
	}),
	"a topic": onLog(func(m *mutant, l fields) settlement.Code {
		topics := l["topics"].([]any)
		i := m.random.IntN(len(topics))
		topics[i] = m.flip(topics[i].(string), 2)
		return m.content()
	}),
	"payer or payee": onLog(func(m *mutant, l fields) settlement.Code {
		i := 1 + m.random.IntN(2)
		l["topics"].([]any)[i] = m.flip(l["topics"].([]any)[i].(string), 26)
		return m.content()
	}),
	"payer and payee exchanged": onLog(func(m *mutant, l fields) settlement.Code {
		topics := l["topics"].([]any)
		topics[1], topics[2] = topics[2], topics[1]
		return m.content()
	}),
	"a topic less": onLog(func(m *mutant, l fields) settlement.Code {
		topics := l["topics"].([]any)
		i := m.random.IntN(len(topics))
		l["topics"] = slices.Delete(topics, i, i+1)
		return m.content()
	}),
	"a topic more": onLog(func(m *mutant, l fields) settlement.Code {
		topics := l["topics"].([]any)
		l["topics"] = append(topics, topics[m.random.IntN(len(topics))])
		return m.content()
	}),
	"two topics more": onLog(func(_ *mutant, l fields) settlement.Code {
		topics := l["topics"].([]any)
		l["topics"] = append(topics, topics[0], topics[0])
		return settlement.RPCDecodeFailed
	}),
	"an amount": onLog(func(m *mutant, l fields) settlement.Code {
		l["data"] = m.flip(l["data"].(string), 2)
		return m.content()
	}),
	"an amount by one": onLog(func(m *mutant, l fields) settlement.Code {
		value := hexutil.MustDecode(l["data"].(string))
		number, err := settlement.AmountFromBytes(value)
		if err != nil {
			return ""
		}
		if one := settlement.NewAmount(1); m.random.IntN(2) == 0 {
			number = number.Add(one)
		} else {
			number = number.Sub(one)
		}
		l["data"] = fmt.Sprintf("0x%064x", number.Big())
		return m.content()
	}),
	"length of the data": onLog(func(m *mutant, l fields) settlement.Code {
		l["data"] = l["data"].(string)[:2+2*m.random.IntN(32)]
		if m.random.IntN(2) == 0 {
			l["data"] = l["data"].(string) + strings.Repeat("00", 33+m.random.IntN(64))
		}
		return m.content()
	}),
	"a log less": onLog(func(m *mutant, l fields) settlement.Code {
		m.receipt["logs"] = slices.DeleteFunc(m.logs(), func(other any) bool { return other.(fields)["logIndex"] == l["logIndex"] })
		return m.content()
	}),
	"a log twice": onLog(func(m *mutant, l fields) settlement.Code {
		m.receipt["logs"] = append(m.logs(), l)
		return settlement.RPCInconsistent
	}),
	"removed": onLog(func(_ *mutant, l fields) settlement.Code {
		l["removed"] = true
		return settlement.RPCInconsistent
	}),
	"block or transaction of the log": onLog(func(m *mutant, l fields) settlement.Code {
		name := []string{"blockHash", "transactionHash", "blockNumber", "transactionIndex"}[m.random.IntN(4)]
		l[name] = m.flip(l[name].(string), len(l[name].(string))-1)
		return settlement.RPCInconsistent
	}),
	"index of the log": onLog(func(m *mutant, l fields) settlement.Code {
		old := l["logIndex"]
		l["logIndex"] = hexutil.EncodeUint64(m.random.Uint64N(1000))
		last := int64(-1)
		for _, other := range m.logs() {
			index := int64(hexutil.MustDecodeUint64(other.(fields)["logIndex"].(string)))
			if index <= last {
				return settlement.RPCInconsistent
			}
			last = index
		}
		if l["logIndex"] == old {
			return ""
		}
		return settlement.Verified
	}),
	"logs in another order": func(m *mutant) settlement.Code {
		logs := m.logs()
		if len(logs) < 2 {
			return ""
		}
		i := m.random.IntN(len(logs) - 1)
		logs[i], logs[i+1] = logs[i+1], logs[i]
		return settlement.RPCInconsistent
	},
	"status": func(m *mutant) settlement.Code {
		switch m.random.IntN(4) {
		case 0:
			m.receipt["status"] = "0x0"
			return settlement.TxFailed
		case 1:
			m.receipt["status"] = nil
		case 2:
			delete(m.receipt, "status")
		default:
			m.receipt["status"] = hexutil.EncodeUint64(2 + m.random.Uint64N(1<<62))
			return settlement.RPCDecodeFailed
		}
		return settlement.TxStatusUnprovable
	},
	"bloom": func(m *mutant) settlement.Code {
		m.receipt["logsBloom"] = m.flip(m.receipt["logsBloom"].(string), 2)
		return settlement.RPCInconsistent
	},
	"transaction of the receipt": func(m *mutant) settlement.Code {
		m.receipt["transactionHash"] = m.flip(m.receipt["transactionHash"].(string), 2)
		return settlement.RPCInconsistent
	},
	"transaction of the claim": func(m *mutant) settlement.Code {
		id, err := ParseTxID(m.flip(m.claim.TxID.String(), 2))
		if err != nil {
			return ""
		}
		m.claim.TxID = id
		return settlement.RPCInconsistent
	},
	"block of the receipt": func(m *mutant) settlement.Code {
		m.receipt["blockHash"] = m.flip(m.receipt["blockHash"].(string), 2)
		if len(m.logs()) > 0 {
			return settlement.RPCInconsistent
		}
		return settlement.TxReorged
	},
	"block of all": func(m *mutant) settlement.Code {
		other := m.flip(m.receipt["blockHash"].(string), 2)
		m.receipt["blockHash"], m.tx["blockHash"] = other, other
		for _, l := range m.logs() {
			l.(fields)["blockHash"] = other
		}
		return settlement.TxReorged
	},
	"number of the receipt": func(m *mutant) settlement.Code {
		m.receipt["blockNumber"] = hexutil.EncodeUint64(m.number - 1 - m.random.Uint64N(100))
		if len(m.logs()) > 0 {
			return settlement.RPCInconsistent
		}
		return settlement.TxReorged
	},
	"index of the transaction": func(m *mutant) settlement.Code {
		if len(m.logs()) == 0 {
			return ""
		}
		m.receipt["transactionIndex"] = hexutil.EncodeUint64(hexutil.MustDecodeUint64(m.receipt["transactionIndex"].(string)) + 1 + m.random.Uint64N(9))
		return settlement.RPCInconsistent
	},
	"hash of the block": func(m *mutant) settlement.Code {
		m.block["hash"] = m.flip(m.block["hash"].(string), 2)
		return settlement.TxReorged
	},
	"number of the block": func(m *mutant) settlement.Code {
		m.block["number"] = hexutil.EncodeUint64(m.number + 1 + m.random.Uint64N(9))
		return settlement.RPCInconsistent
	},
	"finality": func(m *mutant) settlement.Code {
		m.finalized = m.number - 1 - m.random.Uint64N(1000)
		return settlement.TxUnconfirmed
	},
	"chain": func(m *mutant) settlement.Code {
		m.chainID = hexutil.EncodeUint64(hexutil.MustDecodeUint64(m.chainID) + 1 + m.random.Uint64N(1<<40))
		return settlement.RPCMisconfigured
	},
	"payee of the claim": func(m *mutant) settlement.Code {
		m.claim.Want.Payee = m.stranger(m.claim.Want.Payee)
		return m.oracle()
	},
	"payer of the claim": func(m *mutant) settlement.Code {
		m.claim.Payers = []settlement.Address{m.stranger(m.claim.Payers[0])}
		return m.oracle()
	},
	"token of the claim": func(m *mutant) settlement.Code {
		if m.claim.Want.Token == "" {
			return ""
		}
		m.claim.Want.Token = m.stranger(m.claim.Want.Token)
		return m.oracle()
	},
	"amount of the claim": func(m *mutant) settlement.Code {
		m.claim.Want.Amount = m.claim.Want.Amount.Add(settlement.NewAmount(1 + m.random.Uint64N(1<<40)))
		return m.oracle()
	},
	"value of the transaction": onCoin(func(m *mutant) settlement.Code {
		m.tx["value"] = hexutil.EncodeBig(m.claim.Want.Amount.Add(settlement.NewAmount(1 + m.random.Uint64N(9))).Big())
		return settlement.AmountMismatch
	}),
	"payee of the transaction": onCoin(func(m *mutant) settlement.Code {
		m.tx["to"] = m.flip(m.tx["to"].(string), 2)
		return settlement.PayeeMismatch
	}),
	"sender of the transaction": onCoin(func(m *mutant) settlement.Code {
		m.tx["from"] = m.flip(m.tx["from"].(string), 2)
		if m.random.IntN(2) == 0 {
			return settlement.RPCInconsistent
		}
		m.receipt["from"] = m.tx["from"]
		return settlement.PayerMismatch
	}),
	"place of the transaction": onCoin(func(m *mutant) settlement.Code {
		name := []string{"hash", "blockHash", "blockNumber"}[m.random.IntN(3)]
		m.tx[name] = m.flip(m.tx[name].(string), len(m.tx[name].(string))-1)
		return settlement.RPCInconsistent
	}),
	"what decides nothing": func(m *mutant) settlement.Code {
		name := []string{"gasUsed", "cumulativeGasUsed", "effectiveGasPrice", "type", "contractAddress", "to", "l1Fee", "a name of its own"}[m.random.IntN(8)]
		m.receipt[name] = []any{nil, "0x" + strconv.FormatUint(m.random.Uint64(), 16), 7, fields{"x": []any{1.5e3}}, "text"}[m.random.IntN(5)]
		return settlement.Verified
	},
	"a field that is none": func(m *mutant) settlement.Code {
		name := []string{"transactionHash", "blockHash", "blockNumber", "transactionIndex", "status", "logsBloom", "logs"}[m.random.IntN(7)]
		m.receipt[name] = []any{7, "0xzz", "0x", "", true, fields{}, []any{nil}}[m.random.IntN(7)]
		return settlement.RPCDecodeFailed
	},
	"an answer cut off": func(m *mutant) settlement.Code {
		m.cut = 1 + m.random.IntN(100)
		return settlement.RPCUnavailable
	},
}

func onLog(change func(*mutant, fields) settlement.Code) func(*mutant) settlement.Code {
	return func(m *mutant) settlement.Code {
		i := m.some()
		if i < 0 {
			return ""
		}
		return change(m, m.logs()[i].(fields))
	}
}

func onCoin(change func(*mutant) settlement.Code) func(*mutant) settlement.Code {
	return func(m *mutant) settlement.Code {
		if m.claim.Want.Token != "" {
			return ""
		}
		return change(m)
	}
}

func (m *mutant) stranger(a settlement.Address) settlement.Address {
	other, err := ParseAddress(m.flip(a.String(), 2))
	if err != nil { // impossible: lower-case hex
		return a
	}
	return other
}

// Each accepted recording with one field changed gets the code that the change must get. SETTLER_MUTATIONS says how many;
// `make mutations` takes a million.
func TestMutations(t *testing.T) {
	t.Parallel()
	all := acceptedOf(t)
	n := 20_000
	if text := os.Getenv("SETTLER_MUTATIONS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("SETTLER_MUTATIONS: %v", err)
		}
	}
	names := make([]string, 0, len(mutationsOf))
	for name := range mutationsOf {
		names = append(names, name)
	}
	slices.Sort(names)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	workers := runtime.GOMAXPROCS(0)
	var mu sync.Mutex
	codes := make(map[settlement.Code]int)
	ran := make(map[string]int)
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			for i := w; i < n && !t.Failed(); {
				a, name := all[random.IntN(len(all))], names[random.IntN(len(names))]
				m := &mutant{accepted: a, random: random, finalized: a.number + 100}
				m.receipt, m.tx, m.block = clone(a.receipt).(fields), clone(a.tx).(fields), clone(a.block).(fields)
				want := mutationsOf[name](m)
				if want == "" {
					continue
				}
				i += workers
				chain, err := New(Config{
					Chain: a.claim.Chain, Endpoints: []Endpoint{{Name: "mutant", URL: "http://mutant.invalid"}}, Finality: Finality{Tag: "finalized"},
					Tokens:     []settlement.Token{{Chain: a.claim.Chain, Address: m.claim.Want.Token}},
					HTTPClient: &http.Client{Transport: m}, LookTimeout: time.Minute, // nothing here is slow but a busy machine
				})
				if err != nil {
					t.Error(err)
					return
				}
				v, err := chain.Verify(t.Context(), m.claim)
				got := outcome(v, err)
				if got != want {
					raw, _ := json.Marshal(m.receipt)
					t.Errorf("%s, %s: got %s (%v), want %s\n%.3000s", a.id, name, got, err, want, raw)
				}
				mu.Lock()
				codes[got]++
				ran[name]++
				mu.Unlock()
			}
		})
	}
	running.Wait()
	t.Logf("%v", codes)
	for _, name := range names {
		if ran[name] == 0 {
			t.Errorf("no recording has anything to change for %q", name)
		}
	}
}
