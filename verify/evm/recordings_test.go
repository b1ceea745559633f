package evm

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum/common/hexutil"

	"github.com/settler-pay/settler/settlement"
)

// recording is one entry of the fixtures' index: what a real node answered, and what a verifier must make of it.
type recording struct {
	ID           string             `json:"id"`
	Chain        settlement.ChainID `json:"chain"`
	TxHash       string             `json:"tx_hash"`
	Files        map[string]string  `json:"files"`
	Expectations []struct {
		Token, Payer, Payee, Amount string
		Code                        settlement.Code
		AlsoOK                      []settlement.Code `json:"also_ok"`
		Why                         string
	} `json:"expectations"`
}

// readRecordings reads the fixtures, which are not part of the repository.
func readRecordings(t testing.TB) (folder string, entries []recording) {
	t.Helper()
	folder = os.Getenv("SETTLER_FIXTURES")
	if folder == "" {
		if os.Getenv("SETTLER_REQUIRE_FIXTURES") == "1" {
			t.Fatal("SETTLER_REQUIRE_FIXTURES is set and SETTLER_FIXTURES is not")
		}
		t.Skip("SETTLER_FIXTURES names no folder with recorded chain data (evm/index.json)")
	}
	folder = filepath.Join(folder, "evm")
	raw, err := os.ReadFile(filepath.Join(folder, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Entries []recording `json:"entries"`
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Entries) == 0 {
		t.Fatal("the index of recordings is empty")
	}
	return folder, index.Entries
}

// result reads a recorded answer with or without its envelope.
func (r recording) result(t testing.TB, folder, part string) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(folder, r.Files[part]))
	if err != nil {
		t.Fatal(err)
	}
	var envelope struct{ Result json.RawMessage }
	if err := json.Unmarshal(raw, &envelope); err != nil {
		t.Fatal(err)
	}
	if envelope.Result != nil {
		return envelope.Result
	}
	return raw
}

// claim is that of the expectation.
func (r recording) claim(t testing.TB, i int) settlement.Claim {
	t.Helper()
	want := r.Expectations[i]
	claim := settlement.Claim{Chain: r.Chain}
	var err error
	if claim.TxID, err = ParseTxID(r.TxHash); err != nil {
		t.Fatal(err)
	}
	parse := func(text string) settlement.Address {
		a, err := ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if want.Token != "native" {
		claim.Want.Token = parse(want.Token)
	}
	claim.Want.Payee, claim.Payers = parse(want.Payee), []settlement.Address{parse(want.Payer)}
	if claim.Want.Amount, err = settlement.ParseAmount(want.Amount); err != nil {
		t.Fatal(err)
	}
	return claim
}

func (r recording) complete() bool { return r.Files["receipt"] != "" }

// scene is a node that gives the recorded answers and calls the block final.
func (r recording) scene(t testing.TB, folder string) *scene {
	t.Helper()
	s := newScene()
	s.keepBloom = true
	for part, into := range map[string]*fields{"receipt": &s.receipt, "block": &s.block, "transaction": &s.tx} {
		*into = nil
		if err := json.Unmarshal(r.result(t, folder, part), into); err != nil {
			t.Fatal(err)
		}
	}
	number := hexutil.MustDecodeUint64(s.block["number"].(string))
	s.chainID = hexutil.EncodeUint64(mustNumber(t, r.Chain.Reference()))
	s.latest, s.finalized = number+400, number+100
	known := answerResult("eth_getBlockByNumber", s.block["number"].(string), s.block)
	s.answer = known
	return s
}

func mustNumber(t testing.TB, text string) uint64 {
	t.Helper()
	a, err := settlement.ParseAmount(text)
	if err != nil {
		t.Fatal(err)
	}
	return a.Big().Uint64()
}

func TestRecordings(t *testing.T) {
	t.Parallel()
	folder, entries := readRecordings(t)
	for _, r := range entries {
		if !r.complete() {
			continue
		}
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, r.scene(t, folder))
			for i, want := range r.Expectations {
				claim := r.claim(t, i)
				chain := startChain(t, func(c *Config) {
					c.Chain, c.Tokens = r.Chain, []settlement.Token{{Chain: r.Chain, Address: claim.Want.Token}}
				}, n)
				v, err := chain.Verify(t.Context(), claim)
				if got := outcome(v, err); got != want.Code && !slices.Contains(want.AlsoOK, got) {
					t.Errorf("got %s (%v), want %s: %s", got, err, want.Code, want.Why)
				}
			}
		})
	}
}

// The fault that a node answered a question about logs with, whatever was asked.
func TestRecordedRefusals(t *testing.T) {
	t.Parallel()
	folder, entries := readRecordings(t)
	for _, r := range entries {
		if r.complete() {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(folder, r.Files["response"]))
		if err != nil {
			t.Fatal(err)
		}
		var answer fields
		if err := json.Unmarshal(raw, &answer); err != nil {
			t.Fatal(err)
		}
		s := newScene()
		s.answer = func(w http.ResponseWriter, q question) bool {
			if q.Method == "eth_chainId" {
				return false
			}
			answer["id"] = q.ID
			return json.NewEncoder(w).Encode(answer) == nil
		}
		chain := startChain(t, nil, startNode(t, s))
		v, err := chain.Verify(t.Context(), theClaim())
		if got := outcome(v, err); got != r.Expectations[0].Code {
			t.Errorf("%s: got %s (%v), want %s", r.ID, got, err, r.Expectations[0].Code)
		}
	}
}
