package solana

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// dueRefund is what each slot is for.
type dueRefund struct {
	settlement.DirectRefund
	amount uint64
	spent  Spent
}

func (d *dueRefund) Due(context.Context, settlement.ChainID, settlement.Slot) (settlement.DirectRefund, settlement.Amount, error) {
	return d.DirectRefund, settlement.NewAmount(d.amount), nil
}

func (d *dueRefund) LastHour(context.Context, settlement.ChainID, settlement.Slot) (Spent, error) {
	return d.spent, nil
}

// refundLab is a wallet that gives back, with 1 SOL less its nonce account and 1000 units of a token.
type refundLab struct {
	*lab
	*Refunder
	books *dueRefund
	token Token
	taxed Token // of which each transfer loses 4 %
}

func startRefundLab(t *testing.T) *refundLab {
	t.Helper()
	l := &refundLab{lab: startLab(t), books: &dueRefund{}}
	l.token, l.taxed = l.mint(sdk.TokenProgramID), l.mint(sdk.Token2022ProgramID, feeExtension(l.node.Purse().PublicKey()))
	var file bytes.Buffer
	if err := CreateWallet(&file, "correct horse", 10); err != nil {
		t.Fatal(err)
	}
	sealed := file.Bytes()
	wallet, err := OpenWallet(bytes.NewReader(sealed), "correct horse")
	if err == nil {
		err = l.node.Fund(t.Context(), sol, wallet.Address())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenWallet(bytes.NewReader(sealed), "wrong horse"); !errors.Is(err, ErrPassword) {
		t.Errorf("another password: %v", err)
	}
	purse := l.node.Purse().PublicKey()
	for _, token := range []Token{l.token, l.taxed} {
		kit := made(token)
		l.run(nil, kit.Open(purse, wallet.Address()),
			sdk.NewInstruction(token.Program, sdk.AccountMetaSlice{rw(token.Mint), rw(kit.Account(wallet.Address())), sdk.Meta(purse).SIGNER()}, append([]byte{7}, u64(1000)...)))
	}
	config := RefunderConfig{
		Chain: settlement.ChainID("solana:" + l.node.Genesis()[:32]), Wallet: wallet, Books: l.books, Tokens: []Token{l.token, l.taxed, {}},
		Endpoints: []Endpoint{{Name: "n", URL: l.node.URL()}},
		Policy: Policy{Key: "refunds", Tokens: map[sdk.PublicKey]TokenLimit{
			l.token.Mint: {Key: "refunds.tokens[0]", PerPayment: settlement.NewAmount(500), PerHour: settlement.NewAmount(1000)},
			l.taxed.Mint: {Key: "refunds.tokens[2]", PerPayment: settlement.NewAmount(500), PerHour: settlement.NewAmount(1000)},
			{}:           {Key: "refunds.tokens[1]", PerPayment: settlement.NewAmount(sol), PerHour: settlement.NewAmount(sol)},
		}, PaymentsPerHour: 3, MaxUnitPrice: 2000, Reserve: sol / 2},
	}
	if _, err := NewRefunder(t.Context(), config); err == nil || !strings.Contains(err.Error(), "refund-wallet setup") {
		t.Errorf("without a nonce account: %v", err)
	}
	for i := range 2 {
		if at, made, err := SetUpNonce(t.Context(), config); err != nil || made != (i == 0) || at.IsZero() {
			t.Fatalf("set up: %s, made %t, %v", at, made, err)
		}
	}
	if l.Refunder, err = NewRefunder(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *refundLab) movement(token settlement.Address, to sdk.PublicKey, amount uint64) settlement.Movement {
	l.books.DirectRefund, l.books.amount = settlement.DirectRefund{Token: token, Receiver: addressOf(to)}, amount
	return settlement.Movement{
		Payment: settlement.PaymentID(l.payer[:16]), Purpose: settlement.PayoutRefund, Division: settlement.Division{ToPayer: settlement.NewAmount(amount)},
		Direct: &settlement.DirectRefund{Token: token, Receiver: addressOf(to)},
	}
}

// ready waits until the refund can be made, as the node's final slot lags behind.
func (l *refundLab) ready(mv settlement.Movement) settlement.Prepared {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		p, err := l.Prepare(l.t.Context(), []settlement.Movement{mv})
		if err == nil && len(p.Movements) == 1 {
			return p
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("prepared %+v, err %v", p, err)
		}
	}
}

func (l *refundLab) sign(call settlement.Call, last *settlement.Fees) settlement.SignedTx {
	l.t.Helper()
	signed, err := l.Sign(l.t.Context(), settlement.Slot{}, call, last, false)
	if err != nil {
		l.t.Fatal(err)
	}
	return signed
}

func (l *refundLab) sendAll(signed ...settlement.SignedTx) {
	l.t.Helper()
	for _, s := range signed {
		if err := l.Send(l.t.Context(), s.Raw); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *refundLab) fate(call settlement.Call, fate settlement.SlotFate, signed ...settlement.SignedTx) settlement.SlotOutcome {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		out, err := l.Outcome(l.t.Context(), settlement.Slot{}, call, signed, nil)
		if err == nil && out.Fate == fate {
			return out
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("the slot is %+v, err %v; want %s", out, err, fate)
		}
	}
}

// Of all transactions of a slot, sent together and again, one is carried out; afterwards none is signed for it. A slot without a refund only uses
// the nonce up, and a use that is none of the slot's is seen.
func TestRefundIsPaidOnce(t *testing.T) {
	l := startRefundLab(t)
	token, payee := addressOf(l.token.Mint), l.payee.PublicKey()
	prepared := l.ready(l.movement(token, payee, 300))
	if prepared.Available != settlement.NewAmount(1000) || len(prepared.Durable) != 32 {
		t.Errorf("prepared %+v", prepared)
	}
	first := l.sign(prepared.Call, nil)
	dearer := l.sign(prepared.Call, &first.Fees)
	if _, err := l.Sign(t.Context(), settlement.Slot{}, prepared.Call, &dearer.Fees, false); !errors.Is(err, settlement.ErrFeeCap) {
		t.Errorf("a third one beyond the limit of fees: %v", err)
	}
	l.fate(prepared.Call, settlement.SlotWaiting, first, dearer)
	l.sendAll(dearer, first, dearer)
	out := l.fate(prepared.Call, settlement.SlotFinal, first, dearer)
	account := settlement.NewAmount(RentExempt(165)) // of the receiver, who had none
	if !out.Parts[0].Paid || out.Parts[0].Withheld != (settlement.Division{}) || l.units(l.token, payee) != 300 || bytes.Equal(out.Durable, prepared.Durable) ||
		!slices.Contains([]settlement.Amount{account.Add(settlement.NewAmount(signatureFee + 200)), account.Add(settlement.NewAmount(signatureFee + 400))}, out.Gas) {
		t.Errorf("%+v, the receiver has %d", out, l.units(l.token, payee))
	}
	if _, err := l.Sign(t.Context(), settlement.Slot{}, prepared.Call, nil, false); !errors.Is(err, settlement.ErrNotSigned) || !strings.Contains(err.Error(), "is used") {
		t.Errorf("once more: %v", err)
	}

	coin := l.ready(l.movement("", l.payer.PublicKey(), 200_000_000))
	before := l.lamports(l.payer.PublicKey())
	paid := l.sign(coin.Call, nil)
	l.sendAll(paid, first, dearer)
	if out := l.fate(coin.Call, settlement.SlotFinal, paid); !out.Parts[0].Paid || out.Gas != settlement.NewAmount(signatureFee+200) || l.lamports(l.payer.PublicKey()) != before+200_000_000 {
		t.Errorf("coin: %+v", out)
	}
	if l.units(l.token, payee) != 300 {
		t.Errorf("paid again: the receiver has %d", l.units(l.token, payee))
	}

	taxed := l.ready(l.movement(addressOf(l.taxed.Mint), payee, 260))
	paid = l.sign(taxed.Call, nil)
	l.sendAll(paid)
	kept := settlement.Division{ToPayer: settlement.NewAmount(11)} // 4 %, rounded up
	if out := l.fate(taxed.Call, settlement.SlotFinal, paid); !out.Parts[0].Paid || out.Parts[0].Withheld != kept || l.units(l.taxed, payee) != 249 {
		t.Errorf("of a token with a fee: %+v, the receiver has %d", out, l.units(l.taxed, payee))
	}

	last := l.ready(l.movement(token, payee, 1))
	unsent := l.sign(last.Call, nil)
	nothing := l.sign(settlement.Call{Target: l.Signer()}, nil)
	l.sendAll(nothing)
	if out := l.fate(last.Call, settlement.SlotFinal, nothing); out.Parts[0].Paid || out.Parts[0].Problem == "" {
		t.Errorf("void: %+v", out)
	}
	l.fate(last.Call, settlement.SlotForeign, unsent) // without the one that used the nonce
	l.sendAll(unsent)
	if l.units(l.token, payee) != 300 {
		t.Errorf("the receiver has %d", l.units(l.token, payee))
	}
}

// What the wallet keeps for fees, what nobody could get out again, and what is not what the slot is for is not given back.
func TestRefundsThatAreRefused(t *testing.T) {
	l := startRefundLab(t)
	token, payee := addressOf(l.token.Mint), l.payee.PublicKey()
	call := l.ready(l.movement(token, payee, 300)).Call
	other := l.mint(sdk.TokenProgramID)
	for name, c := range map[string]struct {
		mv     settlement.Movement
		reason settlement.Code
		detail string
	}{
		"more than the wallet has": {l.movement(token, payee, 1001), settlement.WalletShort, "has 1000 base units that may be given back, and 1001 are to be"},
		"SOL of the reserve":       {l.movement("", l.payer.PublicKey(), sol/2), settlement.WalletShort, "base units that may be given back"},
		"too little to live":       {l.movement("", payee, RentExempt(0)-1), settlement.PayoutRefused, "would hold 890879 lamports"},
		"a mint, not a wallet":     {l.movement(token, l.token.Mint, 1), settlement.PayoutRefused, "not a wallet"},
		"a token that is not listed": {
			l.movement(addressOf(other.Mint), payee, 1), settlement.PayoutRefused, "is none that is given back",
		},
	} {
		p, err := l.Prepare(t.Context(), []settlement.Movement{c.mv})
		if err != nil || len(p.Refused) != 1 || p.Refused[0].Reason != c.reason || !strings.Contains(p.Refused[0].Detail, c.detail) {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	l.movement(token, payee, 300) // what slots are for again
	for name, change := range map[string]func(){
		"more than it is for":      func() { l.books.amount = 299 },
		"another receiver":         func() { l.books.Receiver = addressOf(l.payer.PublicKey()) },
		"another token":            func() { l.books.Token = "" },
		"more than in one payment": func() { l.cfg.Policy.Tokens[l.token.Mint] = TokenLimit{PerPayment: settlement.NewAmount(299)} },
		"too many in an hour":      func() { l.books.spent.Payments = 3 },
	} {
		was, books := l.cfg.Policy.Tokens[l.token.Mint], *l.books
		change()
		if _, err := l.Sign(t.Context(), settlement.Slot{}, call, nil, false); err == nil || errors.Is(err, settlement.ErrNotSigned) == (name == "too many in an hour") {
			t.Errorf("%s: %v", name, err)
		}
		l.cfg.Policy.Tokens[l.token.Mint], *l.books = was, books
	}
	l.cfg.Policy.Reserve = 0 // what the wallet lives by stays all the same
	has := l.lamports(l.cfg.Wallet.Address())
	if p, err := l.Prepare(t.Context(), []settlement.Movement{l.movement("", l.payer.PublicKey(), has-RentExempt(0))}); err != nil || len(p.Refused) != 1 || p.Refused[0].Reason != settlement.WalletShort {
		t.Errorf("all of its SOL: %+v, %v", p, err)
	}
	l.cfg.Policy.Reserve = sol
	if p, err := l.Prepare(t.Context(), []settlement.Movement{l.movement(token, payee, 1)}); err != nil || len(p.Refused) != 1 || p.Refused[0].Reason != settlement.WalletShort {
		t.Errorf("without SOL for the receiver's account: %+v, %v", p, err)
	}
	for account, want := range map[sdk.PublicKey]bool{payee: false, l.payer.PublicKey(): false, other.Mint: true, made(l.token).Account(payee): true} {
		if code, err := l.HasCode(t.Context(), addressOf(account)); err != nil || code != want {
			t.Errorf("code at %s: %t, %v", account, code, err)
		}
	}
}
