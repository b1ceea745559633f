package evm

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
			for _, want := range r.Expectations {
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
				chain := startChain(t, func(c *Config) {
					c.Chain, c.Tokens = r.Chain, []settlement.Token{{Chain: r.Chain, Address: claim.Want.Token}}
				}, n)
				v, err := chain.Verify(t.Context(), claim)
				if got := outcome(v, err); got != want.Code && !slices.Contains(want.AlsoOK, got) {
					t.Errorf("got %s (%v), want %s: %s", got, err, want.Code, want.Why)
				}
				if v.Code != settlement.Verified {
					continue
				}
				for name, change := range mutations(claim) {
					s := r.scene(t, folder)
					s.answer = nil
					if !change(s) {
						continue
					}
					s.answer = answerResult("eth_getBlockByNumber", s.block["number"].(string), s.block)
					lying := startNode(t, s)
					chain := startChain(t, func(c *Config) {
						c.Chain, c.Tokens = r.Chain, []settlement.Token{{Chain: r.Chain, Address: claim.Want.Token}}
					}, lying)
					if v, err := chain.Verify(t.Context(), claim); outcome(v, err) == settlement.Verified {
						t.Errorf("%s: still VERIFIED", name)
					}
					lying.Close()
				}
			}
		})
	}
}

// mutations change one field of a recording from which a claim was confirmed; none may leave it confirmed. They report
// whether there was something to change.
func mutations(claim settlement.Claim) map[string]func(*scene) bool {
	paying := func(s *scene) []fields {
		var found []fields
		for i := range s.receipt["logs"].([]any) {
			if l := s.log(i); l["address"] == claim.Want.Token.String() {
				found = append(found, l)
			}
		}
		return found
	}
	onLogs := func(change func(fields)) func(*scene) bool {
		return func(s *scene) bool {
			logs := paying(s)
			for _, l := range logs {
				change(l)
			}
			return len(logs) > 0
		}
	}
	topic := func(i int, value string) func(fields) {
		return func(l fields) {
			if topics := l["topics"].([]any); i < len(topics) {
				topics[i] = value
			}
		}
	}
	stranger := topicOf(account("stranger"))
	other := payment.String()
	return map[string]func(*scene) bool{
		"token":              onLogs(func(l fields) { l["address"] = euro.String() }),
		"payer":              onLogs(topic(1, stranger)),
		"payee":              onLogs(topic(2, stranger)),
		"event":              onLogs(topic(0, other)),
		"one topic more":     onLogs(func(l fields) { l["topics"] = append(l["topics"].([]any), stranger) }),
		"no data":            onLogs(func(l fields) { l["data"] = "0x" }),
		"another amount":     onLogs(func(l fields) { l["data"] = "0x" + strings.Repeat("00", 31) + "01" }),
		"log of other block": onLogs(func(l fields) { l["blockHash"] = other }),
		"log of other tx":    onLogs(func(l fields) { l["transactionHash"] = other }),
		"removed":            onLogs(func(l fields) { l["removed"] = true }),
		"no logs": func(s *scene) bool {
			had := len(s.receipt["logs"].([]any)) > 0
			s.receipt["logs"] = []any{}
			return had
		},
		"swapped logs": func(s *scene) bool {
			logs := s.receipt["logs"].([]any)
			if len(logs) < 2 {
				return false
			}
			slices.Reverse(logs)
			return true
		},
		"status":         func(s *scene) bool { s.receipt["status"] = "0x0"; return true },
		"no status":      func(s *scene) bool { delete(s.receipt, "status"); return true },
		"block hash":     func(s *scene) bool { s.block["hash"] = other; return true },
		"receipt's hash": func(s *scene) bool { s.receipt["transactionHash"] = other; return true },
		"not final":      func(s *scene) bool { s.finalized -= 101; return true },
		"another chain":  func(s *scene) bool { s.chainID = "0xabcdef"; return true },
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
