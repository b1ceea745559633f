package solana

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/settlement"
)

// oneBook knows one vault.
type oneBook struct {
	vault  settlement.Vault
	spent  Spent
	closes bool // what slots are for that make or close its token account
}

func (b *oneBook) TokenAccount(context.Context, settlement.ChainID, settlement.Slot) (settlement.Address, bool, error) {
	return b.vault.Address, b.closes, nil
}

func (b *oneBook) Vault(_ context.Context, _ settlement.ChainID, address settlement.Address) (settlement.Vault, error) {
	if address != b.vault.Address {
		return settlement.Vault{}, errors.New("no such vault")
	}
	return b.vault, nil
}

func (b *oneBook) LastHour(context.Context, settlement.ChainID, settlement.Slot) (Spent, error) {
	return b.spent, nil
}

// newMover is a mover of the lab's node, under so many names, and a vault of its own that holds units of the token.
func (l *lab) newMover(token Token, operators int, units uint64) (*Mover, *oneBook) {
	l.t.Helper()
	books := &oneBook{}
	config := MoverConfig{
		Chain: settlement.ChainID("solana:" + l.node.Genesis()[:32]), Secret: &Secret{key: [32]byte(l.payer[:32]), epoch: 1}, Tokens: []Token{token}, Books: books,
		Policy: Policy{Key: "custody", Tokens: map[sdk.PublicKey]TokenLimit{
			token.Mint: {Key: "custody.tokens[0]", PerPayment: settlement.NewAmount(2000), PerHour: settlement.NewAmount(3000)},
		}, PaymentsPerHour: 3, MaxUnitPrice: 1500},
	}
	for i := range operators {
		config.Endpoints = append(config.Endpoints, Endpoint{Name: strings.Repeat("n", i+1), URL: l.node.URL()})
	}
	m, err := NewMover(l.t.Context(), config)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.node.Fund(l.t.Context(), sol, m.payer.Address()); err != nil {
		l.t.Fatal(err)
	}
	v := settlement.Vault{
		Chain: config.Chain, Token: addressOf(token.Mint), Amount: settlement.NewAmount(1000), Payer: addressOf(l.payer.PublicKey()),
		Payee: addressOf(l.payee.PublicKey()), Derived: &settlement.Derivation{Marketplace: l.t.Name(), Order: settlement.PaymentID(l.payer[:16]), Epoch: 1},
	}
	if v.Address, err = m.Address(v); err != nil {
		l.t.Fatal(err)
	}
	if l.vault, err = m.wallet(v); err != nil {
		l.t.Fatal(err)
	}
	books.vault = v
	if units > 0 {
		l.deposit(token, units)
	}
	return m, books
}

// move is a movement of the vault that pays so much to the payee, and so much back.
func move(v settlement.Vault, toPayee, toPayer uint64) settlement.Movement {
	return settlement.Movement{
		Payment: v.Derived.Order, Purpose: settlement.PayoutRelease, Division: settlement.Division{ToPayee: settlement.NewAmount(toPayee), ToPayer: settlement.NewAmount(toPayer)}, Vault: v,
	}
}

// prepared waits until the deposit is final and gives the call of the movement.
func (l *lab) prepared(m *Mover, mv settlement.Movement) settlement.Call {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		p, err := m.Prepare(l.t.Context(), []settlement.Movement{mv})
		if err == nil && len(p.Movements) == 1 {
			return p.Call
		}
		if err != nil || time.Now().After(deadline) {
			l.t.Fatalf("prepared %+v, err %v", p, err)
		}
	}
}

// until waits for the slot's fate.
func (l *lab) until(m *Mover, call settlement.Call, fate settlement.SlotFate, signed ...settlement.SignedTx) settlement.SlotOutcome {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out, err := m.Outcome(l.t.Context(), settlement.Slot{}, call, signed, nil)
		if err == nil && out.Fate == fate {
			return out
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("the slot is %+v, err %v; want %s", out, err, fate)
		}
	}
}

// A transaction that was signed and never sent expires; then, on the word of two operators, another one is signed, which pays both
// parties and closes the wallet's account.
func TestMoverSignsAgainWhatHasExpired(t *testing.T) {
	l := startLab(t)
	token := l.mint(sdk.TokenProgramID)
	m, books := l.newMover(token, 2, 1200)
	mv := move(books.vault, 1000, 200)
	call := l.prepared(m, mv)
	sign := func(last *settlement.Fees) settlement.SignedTx {
		t.Helper()
		signed, err := m.Sign(t.Context(), settlement.Slot{}, call, last, false)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	first := sign(nil)
	if first.LastHeight < lifetime || first.Fees.Max != settlement.NewAmount(firstPrice) {
		t.Errorf("signed %+v", first)
	}
	// It waits until it has expired, which a busy machine may see first.
	if out, err := m.Outcome(t.Context(), settlement.Slot{}, call, []settlement.SignedTx{first}, nil); err == nil && (out.TxID != "" ||
		out.Fate != settlement.SlotWaiting && out.Fate != settlement.SlotExpired) {
		t.Errorf("outcome %+v", out)
	}
	l.until(m, call, settlement.SlotExpired, first)
	alone := *m
	alone.cfg.Endpoints = m.cfg.Endpoints[:1]
	if out, err := alone.Outcome(t.Context(), settlement.Slot{}, call, []settlement.SignedTx{first}, nil); err == nil || out.Fate != "" {
		t.Errorf("on the word of one operator the slot is %q (%v)", out.Fate, err)
	}
	if err := m.Send(t.Context(), first.Raw); err != nil {
		t.Logf("the expired transaction is not taken: %v", err)
	}
	second := sign(&first.Fees)
	if second.Fees.Max != settlement.NewAmount(1500) {
		t.Errorf("the second offers %s, want the limit", second.Fees.Max)
	}
	if err := m.Send(t.Context(), second.Raw); err != nil {
		t.Fatal(err)
	}
	out := l.until(m, call, settlement.SlotFinal, first, second)
	if out.TxID != second.TxID || len(out.Parts) != 1 || !out.Parts[0].Paid || out.Gas.Big().Uint64() < RentExempt(165) {
		t.Errorf("outcome %+v", out)
	}
	if payee, payer, left := l.units(token, l.payee.PublicKey()), l.units(token, l.payer.PublicKey()), l.units(token, l.vault.Address()); payee != 1000 || payer != 200 || left != 0 {
		t.Errorf("the payee has %d, the payer %d, the vault %d", payee, payer, left)
	}
	if p, err := m.Prepare(t.Context(), []settlement.Movement{mv}); err != nil || len(p.Refused) != 1 || p.Refused[0].Reason != settlement.VaultShort {
		t.Errorf("a second release is %+v, err %v", p, err)
	}
	if _, err := m.Sign(t.Context(), settlement.Slot{}, call, nil, false); err == nil {
		t.Error("the same release was signed once more")
	}
}

// What a token with a fee keeps of each side's part is told.
func TestMoverTellsWhatWasWithheld(t *testing.T) {
	l := startLab(t)
	token := l.mint(sdk.Token2022ProgramID, feeExtension(l.node.Purse().PublicKey()))
	m, books := l.newMover(token, 1, 1200)
	mv := move(books.vault, 1000, 152) // of the deposit 48 were kept
	call := l.prepared(m, mv)
	signed, err := m.Sign(t.Context(), settlement.Slot{}, call, nil, false)
	if err == nil {
		err = m.Send(t.Context(), signed.Raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.until(m, call, settlement.SlotFinal, signed)
	out, err := m.Outcome(t.Context(), settlement.Slot{}, call, []settlement.SignedTx{signed}, []settlement.Movement{mv})
	want := settlement.Division{ToPayee: settlement.NewAmount(40), ToPayer: settlement.NewAmount(7)}
	if err != nil || !out.Parts[0].Paid || out.Parts[0].Withheld != want || l.units(token, l.payee.PublicKey()) != 960 || l.units(token, l.payer.PublicKey()) != 145 {
		t.Errorf("%+v, err %v; the payee has %d, the payer %d", out, err, l.units(token, l.payee.PublicKey()), l.units(token, l.payer.PublicKey()))
	}
}

// What seems to have expired has not, unless nothing says otherwise: not the blockhash itself, and no node that is behind.
func TestMoverDoubtsWhatHasExpired(t *testing.T) {
	l := startLab(t)
	m, books := l.newMover(l.mint(sdk.TokenProgramID), 2, 1000)
	call := l.prepared(m, move(books.vault, 1000, 0))
	answer := func(result string) chaintest.Answer { return chaintest.Answer{Result: json.RawMessage(result)} }
	expired := answer(`{"context": {"slot": 1}, "value": false}`)
	for name, c := range map[string]struct {
		handle func(chaintest.Call) chaintest.Answer
		want   string // "" lets it expire
	}{
		"its blockhash is valid": {func(chaintest.Call) chaintest.Answer { return chaintest.Pass }, "has not expired"},
		"a node that is behind knows of no transaction": {func(c chaintest.Call) chaintest.Answer {
			switch c.Method {
			case "isBlockhashValid":
				return expired
			case "getSignatureStatuses":
				return answer(`{"context": {"slot": 1}, "value": [null]}`)
			}
			return chaintest.Pass
		}, "of transactions at slot 1"},
		"a node that is behind knows of no payment": {func(c chaintest.Call) chaintest.Answer {
			switch {
			case c.Method == "isBlockhashValid":
				return expired
			case c.Method == "getMultipleAccounts" && !strings.Contains(string(c.Params), `"minContextSlot":0`):
				return chaintest.Answer{Error: &chaintest.RPCError{Code: -32016, Message: "Minimum context slot has not been reached"}}
			}
			return chaintest.Pass
		}, "Minimum context slot"},
		"it has expired": {func(c chaintest.Call) chaintest.Answer {
			if c.Method == "isBlockhashValid" {
				return expired
			}
			return chaintest.Pass
		}, ""},
	} {
		proxy := chaintest.NewProxy(t, l.node.URL())
		proxy.Intercept(c.handle)
		asked := *m
		asked.nodes.endpoints = []Endpoint{{Name: "one", URL: proxy.URL()}, {Name: "two", URL: proxy.URL()}}
		asked.cfg.Endpoints = asked.nodes.endpoints
		signed, err := m.Sign(t.Context(), settlement.Slot{}, call, nil, false) // now: its blockhash is valid for some seconds
		if err != nil {
			t.Fatal(err)
		}
		signed.LastHeight = 1 // as an endpoint would have it that tells too low a height
		out, err := asked.Outcome(t.Context(), settlement.Slot{}, call, []settlement.SignedTx{signed}, nil)
		if c.want == "" && (err != nil || out.Fate != settlement.SlotExpired) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %+v, %v; want %q", name, out, err, c.want)
		}
	}
}

// The wallet is paid again with the same sum after its release, and everybody who has seen the release sends it once more, for as long as its
// blockhash lives and longer: it is not carried out again.
func TestCopyAfterAnotherDeposit(t *testing.T) {
	l := startLab(t)
	token := l.mint(sdk.TokenProgramID)
	m, books := l.newMover(token, 1, 1000)
	call := l.prepared(m, move(books.vault, 1000, 0))
	signed, err := m.Sign(t.Context(), settlement.Slot{}, call, nil, false)
	if err == nil {
		err = m.Send(t.Context(), signed.Raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.until(m, call, settlement.SlotFinal, signed)
	l.deposit(token, 1000)
	copies := 0
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(200 * time.Millisecond) {
		_ = m.Send(t.Context(), signed.Raw) // refused, or taken and dropped
		copies++
		_, height, err := m.nodes.final(t.Context(), m.cfg.Endpoints[0])
		if err != nil || time.Now().After(deadline) {
			t.Fatal(height, err)
		}
		if height > signed.LastHeight {
			break
		}
	}
	if payee, left := l.units(token, l.payee.PublicKey()), l.units(token, l.vault.Address()); payee != 1000 || left != 1000 {
		t.Errorf("after %d copies the payee has %d, the vault %d", copies, payee, left)
	}
}

// What moves between the decision and the signature, and what no party or policy allows, is not signed.
func TestMoverRefuses(t *testing.T) {
	l := startLab(t)
	token := l.mint(sdk.TokenProgramID)
	m, books := l.newMover(token, 1, 1200)
	good := books.vault
	call := l.prepared(m, move(good, 1000, 200))
	if p, err := m.Prepare(t.Context(), []settlement.Movement{move(good, 1000, 199)}); err != nil || len(p.Refused) != 1 || p.Refused[0].Reason != settlement.VaultShort {
		t.Errorf("a release that leaves something behind is %+v, err %v", p, err)
	}
	for _, c := range []struct {
		name   string
		change func(*Mover, *oneBook)
		want   string
	}{
		{"another payee", func(_ *Mover, b *oneBook) { b.vault.Payee = wallet32("\x09") }, "is no party"},
		{"another payer", func(_ *Mover, b *oneBook) { b.vault.Payer = wallet32("\x09") }, "does more than to pay"},
		{"more than the price", func(_ *Mover, b *oneBook) { b.vault.Amount = settlement.NewAmount(999) }, "for the payee"},
		{"another token's vault", func(_ *Mover, b *oneBook) { b.vault.Token = "" }, "of another token"},
		{"a vault that was never handed out", func(_ *Mover, b *oneBook) { b.vault.Address = wallet32("\x09") }, "no such vault"},
		{"too much at once", func(m *Mover, _ *oneBook) { m.limit(token, 1199, 3000) }, "per_payment"},
		{"too much in an hour", func(m *Mover, b *oneBook) {
			b.spent.Amounts = map[settlement.Address]settlement.Amount{good.Token: settlement.NewAmount(1801)}
		}, "per_hour"},
		{"too often in an hour", func(_ *Mover, b *oneBook) { b.spent.Payments = 3 }, "payments_per_hour"},
		{"a token that is not listed", func(m *Mover, _ *oneBook) { m.cfg.Policy.Tokens = nil }, "custody.tokens"},
		{"another secret", func(m *Mover, _ *oneBook) { m.secret = knownSecret(1, true) }, "the secret makes wallet"},
		{"an account that was frozen meanwhile", func(*Mover, *oneBook) {
			purse := l.node.Purse().PublicKey()
			l.run(nil, made(token).Open(purse, l.payee.PublicKey()), sdk.NewInstruction(token.Program,
				sdk.AccountMetaSlice{rw(made(token).Account(l.payee.PublicKey())), sdk.Meta(token.Mint), sdk.Meta(purse).SIGNER()}, []byte{10}))
			l.final()
		}, "DESTINATION_REFUSED"},
	} {
		changed, book, custody := *m, *books, *m.Custody
		changed.Custody, changed.cfg.Books = &custody, &book
		c.change(&changed, &book)
		if signed, err := changed.Sign(t.Context(), settlement.Slot{}, call, nil, false); err == nil || !strings.Contains(err.Error(), c.want) || signed.Raw != nil {
			t.Errorf("%s: signed %x, err %v; want %q", c.name, signed.Raw, err, c.want)
		}
	}
	if p, err := m.Prepare(t.Context(), []settlement.Movement{move(good, 1000, 200)}); err != nil || len(p.Refused) != 1 || p.Refused[0].Reason != settlement.PayoutRefused {
		t.Errorf("a release to a frozen account is %+v, err %v", p, err)
	}
}

// limit gives the token other limits.
func (m *Mover) limit(token Token, perPayment, perHour uint64) {
	m.cfg.Policy.Tokens = map[sdk.PublicKey]TokenLimit{
		token.Mint: {Key: "custody.tokens[0]", PerPayment: settlement.NewAmount(perPayment), PerHour: settlement.NewAmount(perHour)},
	}
}

// final waits until what was confirmed is final.
func (l *lab) final() {
	l.t.Helper()
	var now, slot uint64
	if err := l.node.Call(l.t.Context(), &now, "getSlot", map[string]string{"commitment": confirmed}); err != nil {
		l.t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); slot < now; time.Sleep(50 * time.Millisecond) {
		if err := l.node.Call(l.t.Context(), &slot, "getSlot", map[string]string{"commitment": finalized}); err != nil || time.Now().After(deadline) {
			l.t.Fatal(slot, err)
		}
	}
}

// What neither time nor another look changes lets the slot be ended.
func TestRefusalsForGood(t *testing.T) {
	t.Parallel()
	for code, want := range map[RefusalCode]error{
		RefusedMint: settlement.ErrNotSigned, RefusedDestination: settlement.ErrNotSigned, RefusedPolicy: settlement.ErrNotSigned,
		RefusedVault: settlement.ErrNotHeld, RefusedBalance: settlement.ErrNotHeld, RefusedHour: nil,
	} {
		err := fmt.Errorf("sign: %w", &Refusal{Code: code})
		for _, is := range []error{settlement.ErrNotSigned, settlement.ErrNotHeld} {
			if got := errors.Is(err, is); got != errors.Is(want, is) {
				t.Errorf("%s: %q %t", code, is, got)
			}
		}
	}
}
