package solana

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/settler-pay/settler/settlement"
)

// recording is what a node said of one transaction, and what must be made of it. Ours lie in testdata and come out of
// TestScenarios; the others come with the fixtures.
type recording struct {
	About        string             `json:"about"`
	Node         string             `json:"node"` // what ran it, and when
	Chain        settlement.ChainID `json:"chain"`
	Signature    string             `json:"signature"`
	Expectations []expectation      `json:"expectations"`
	Result       json.RawMessage    `json:"result"` // of getTransaction, encoding json

	name string
}

type expectation struct {
	Token      string          `json:"token"`              // mint or native
	Program    string          `json:"program,omitempty"`  // empty: not pinned
	Decimals   uint8           `json:"decimals,omitempty"` // with program
	AnyAccount bool            `json:"any_account,omitempty"`
	Payer      string          `json:"payer"`
	Payee      string          `json:"payee"`
	Amount     string          `json:"amount"`
	Memo       string          `json:"memo,omitempty"`
	Reference  string          `json:"reference,omitempty"`
	Used       []string        `json:"used,omitempty"`
	Code       settlement.Code `json:"code"`
	Detail     string          `json:"detail,omitempty"`
	Position   string          `json:"position,omitempty"`
	Why        string          `json:"why"`

	AlsoOK          []settlement.Code `json:"also_ok,omitempty"`
	PolicyDependent bool              `json:"policy_dependent,omitempty"`
}

func address(t testing.TB, text string) settlement.Address {
	t.Helper()
	if text == "" || text == "native" {
		return ""
	}
	a, err := ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (r recording) claim(t testing.TB, x expectation) settlement.Claim {
	t.Helper()
	txid, err := ParseTxID(r.Signature)
	if err != nil {
		t.Fatal(err)
	}
	amount, err := settlement.ParseAmount(x.Amount)
	if err != nil {
		t.Fatal(err)
	}
	claim := settlement.Claim{
		Chain: r.Chain, TxID: txid, Memo: x.Memo, Reference: address(t, x.Reference), Payers: []settlement.Address{address(t, x.Payer)},
		Want: settlement.Transfer{Token: address(t, x.Token), Payee: address(t, x.Payee), Amount: amount}, Used: make(map[string]bool),
	}
	for _, position := range x.Used {
		claim.Used[position] = true
	}
	return claim
}

func (x expectation) token(t testing.TB, chain settlement.ChainID) Token {
	t.Helper()
	return Token{
		Token:   settlement.Token{Chain: chain, Address: address(t, x.Token), Symbol: "T", Decimals: x.Decimals},
		Program: address(t, x.Program), AnyAccount: x.AnyAccount,
	}
}

// judge decides the expectation's claim on an answer.
func (r recording) judge(t testing.TB, x expectation, result json.RawMessage) (settlement.Verdict, error) {
	t.Helper()
	chain := newChain(t, r.Chain, x.token(t, r.Chain), "http://localhost")
	look, err := chain.Judge(r.claim(t, x), result)
	return look.Verdict, err
}

func newChain(t testing.TB, id settlement.ChainID, token Token, urls ...string) *Chain {
	t.Helper()
	cfg := Config{Chain: id, Tokens: []Token{token}}
	for i, url := range urls {
		cfg.Endpoints = append(cfg.Endpoints, Endpoint{Name: string(rune('a' + i)), URL: url})
	}
	chain, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return chain
}

func outcome(v settlement.Verdict, err error) settlement.Code {
	if err != nil {
		return settlement.LookCode(err)
	}
	return v.Code
}

func (r recording) check(t testing.TB) {
	t.Helper()
	for _, x := range r.Expectations {
		v, err := r.judge(t, x, r.Result)
		got := outcome(v, err)
		if got != x.Code && !slices.Contains(x.AlsoOK, got) && !x.PolicyDependent || v.Detail != x.Detail && got == x.Code && x.Detail != "" {
			t.Errorf("got %s %q (%v), want %s %q: %s", got, v.Detail, err, x.Code, x.Detail, x.Why)
		}
		if x.Position != "" && (v.Transfer == nil || v.Transfer.Position != x.Position) {
			t.Errorf("the transfer is %+v, want that at %s: %s", v.Transfer, x.Position, x.Why)
		}
	}
}

// ours are the recordings in testdata.
func ours(t testing.TB) []recording {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings in testdata: %v", err)
	}
	var out []recording
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := recording{name: filepath.Base(file)}
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, r)
	}
	return out
}

// fixtures are the recordings of public clusters, which are not part of the repository.
func fixtures(t testing.TB) []recording {
	t.Helper()
	folder := os.Getenv("SETTLER_FIXTURES")
	if folder == "" {
		if os.Getenv("SETTLER_REQUIRE_FIXTURES") == "1" {
			t.Fatal("SETTLER_REQUIRE_FIXTURES is set and SETTLER_FIXTURES is not")
		}
		t.Skip("SETTLER_FIXTURES names no folder with recorded chain data (solana/index.json)")
	}
	raw, err := os.ReadFile(filepath.Join(folder, "solana", "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Entries []struct {
			ID, File, Format string
			recording
		}
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	var out []recording
	for _, entry := range index.Entries {
		raw, err := os.ReadFile(filepath.Join(folder, "solana", entry.File))
		if err != nil {
			t.Fatal(err)
		}
		r := entry.recording
		r.name = entry.ID
		if err := json.Unmarshal(raw, &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// usable are those in the encoding that we read.
func usable(list []recording) []recording {
	return slices.DeleteFunc(list, func(r recording) bool {
		_, err := decodeAnswer(r.Result)
		return err != nil
	})
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	for _, r := range ours(t) {
		t.Run(r.name, func(t *testing.T) { r.check(t) })
	}
}

func TestFixtures(t *testing.T) {
	t.Parallel()
	read := 0
	for _, r := range fixtures(t) {
		t.Run(r.name, func(t *testing.T) {
			if _, err := decodeAnswer(r.Result); err != nil {
				if v, err := r.judge(t, r.Expectations[0], r.Result); outcome(v, err) != settlement.RPCDecodeFailed {
					t.Errorf("an answer in another encoding is %s (%v)", v.Code, err)
				}
				return
			}
			read++
			r.check(t)
		})
	}
	if read < 13 {
		t.Errorf("only %d recordings were read", read)
	}
}
