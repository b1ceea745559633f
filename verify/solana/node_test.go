package solana

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

func (l *lab) chain(tokens ...Token) *Chain {
	l.t.Helper()
	id := ChainOf(l.node.Genesis())
	for i := range tokens {
		tokens[i].Chain = id
	}
	chain, err := New(Config{Chain: id, Tokens: tokens, Endpoints: []Endpoint{{Name: "node", URL: l.node.URL()}}})
	if err != nil {
		l.t.Fatal(err)
	}
	return chain
}

func (m *market) listed() Token {
	return Token{Token: settlement.Token{Address: addressOf(m.mint), Symbol: "USD", Decimals: digits6}, Program: addressOf(m.program)}
}

// An account address as payee is refused, and the refusal names the wallet that owns it.
func TestCheckPayee(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	for _, m := range []*market{l.classic(), l.newMarket(sdk.Token2022ProgramID, feeMintLength, feeMint)} {
		chain := l.chain(m.listed())
		for _, wallet := range []sdk.PublicKey{m.bob.PublicKey(), newKey(t).PublicKey()} {
			if err := chain.CheckPayee(t.Context(), addressOf(wallet)); err != nil {
				t.Errorf("a wallet: %v", err)
			}
		}
		err := chain.CheckPayee(t.Context(), addressOf(m.payee))
		wrong, ok := errors.AsType[*PayeeError](err)
		if !ok || wrong.Wallet != addressOf(m.bob.PublicKey()) || !strings.Contains(err.Error(), m.bob.PublicKey().String()) {
			t.Errorf("a token account: %v", err)
		}
		err = chain.CheckPayee(t.Context(), addressOf(m.mint))
		if wrong, ok := errors.AsType[*PayeeError](err); !ok || wrong.Wallet != "" {
			t.Errorf("a mint: %v", err)
		}
	}
}

// What is listed is compared with the mint: program, decimals, and that it is one.
func TestCheck(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	m := l.classic()
	check := func(change func(*Token)) EndpointCheck {
		token := m.listed()
		change(&token)
		return l.chain(token, Token{Token: settlement.Token{Symbol: "SOL", Decimals: 9}}).Check(t.Context())[0]
	}
	if c := check(func(*Token) {}); c.Err != nil || c.Latest == 0 || c.HeadTime.IsZero() || c.Name != "node" {
		t.Errorf("got %+v", c)
	}
	for says, change := range map[string]func(*Token){
		"owned by":           func(token *Token) { token.Program = Token2022Program },
		"6 decimals":         func(token *Token) { token.Decimals = 9 },
		"is no mint":         func(token *Token) { token.Address = addressOf(m.payee) },
		"owned by \"\", not": func(token *Token) { token.Address = addressOf(newKey(t).PublicKey()) },
	} {
		if c := check(change); settlement.LookCode(c.Err) != settlement.RPCMisconfigured || !strings.Contains(c.Err.Error(), says) {
			t.Errorf("%q: got %v", says, c.Err)
		}
	}
	chain := l.chain(m.listed())
	if decimals, err := chain.Decimals(t.Context(), addressOf(m.mint)); err != nil || decimals != digits6 {
		t.Errorf("%d decimals (%v)", decimals, err)
	}
	if head, err := chain.Heads(t.Context()); err != nil || head.Final == 0 || head.Latest < head.Final {
		t.Errorf("head %+v (%v)", head, err)
	}
}

// Statuses come 256 at a time, in the order of the question.
func TestStatuses(t *testing.T) {
	t.Parallel()
	l := startLab(t)
	m := l.classic()
	paid := l.run(plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(million)}})
	broken, err := l.send(plan{payer: m.alice, instructions: []sdk.Instruction{m.checked(5000 * million)}})
	if err != nil {
		t.Fatal(err)
	}
	l.await(broken, "confirmed")
	ids := make([]settlement.TxID, MaxStatuses)
	for i := range ids {
		id := [64]byte{byte(i), 1}
		ids[i] = settlement.TxID(id[:])
	}
	ids[3], ids[255] = settlement.TxID(paid[:]), settlement.TxID(broken[:])
	got, err := l.chain(m.listed()).Statuses(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range got {
		switch known := i == 3 || i == 255; {
		case known != (s.Level != ""), known != (s.Slot > 0), s.Failed != (i == 255):
			t.Errorf("%d: %+v", i, s)
		}
	}
}

// shape lists every name in the answer with the type of its value; what is inside a list counts once.
func shape(raw json.RawMessage) []string {
	var whole any
	if json.Unmarshal(raw, &whole) != nil {
		return nil
	}
	seen := make(map[string]bool)
	var walk func(path string, v any)
	walk = func(path string, v any) {
		kind := "null"
		switch v := v.(type) {
		case map[string]any:
			kind = "object"
			for name, inner := range v {
				if path == "meta.err" || path == "meta.status" { // whatever it is, it is told by null alone
					continue
				}
				walk(strings.TrimPrefix(path+"."+name, "."), inner)
			}
		case []any:
			kind = "list"
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		case string:
			kind = "text"
		case float64:
			kind = "number"
		case bool:
			kind = "bool"
		}
		seen[path+" "+kind] = true
	}
	walk("", whole)
	var out []string
	for field := range seen {
		out = append(out, field)
	}
	slices.Sort(out)
	return out
}

// What this node answers has the names and types of what mainnet's nodes answered. Each difference is explained.
func TestShapeOfAnswers(t *testing.T) {
	t.Parallel()
	// name, with its type where only that differs → why; it covers what is inside
	explained := map[string]string{
		"transaction.message.transactionConfig":               "version 1, which this node does not run",
		"meta.returnData":                                     "no scenario runs a program that returns something",
		"meta.rewards null":                                   "taken out of a recorded block, which lists rewards elsewhere",
		"transaction.message.instructions[].stackHeight null": "nodes before Agave 3 do not tell it of top-level instructions",
		"meta.preTokenBalances[].uiTokenAmount.uiAmount null": "an amount of zero, which no recorded account had before",
	}
	public := make(map[string]bool)
	for _, r := range usable(fixtures(t)) {
		for _, field := range shape(r.Result) {
			public[field] = true
		}
	}
	own := make(map[string]bool)
	for _, r := range ours(t) {
		for _, field := range shape(r.Result) {
			own[field] = true
		}
	}
	used := make(map[string]bool)
	explain := func(who, field string) {
		for known := field; known != ""; known = known[:max(strings.LastIndexAny(known, " ."), 0)] { // it, or what it is part of
			if explained[known] != "" {
				used[known] = true
				t.Logf("only %s answers %s: %s", who, field, explained[known])
				return
			}
		}
		t.Errorf("only %s answers %s", who, field)
	}
	for field := range own {
		if !public[field] {
			explain("this node", field)
		}
	}
	for field := range public {
		if !own[field] {
			explain("mainnet", field)
		}
	}
	for known := range explained {
		if !used[known] {
			t.Errorf("%s is explained and no difference", known)
		}
	}
}
