package solana

import (
	"errors"
	"strings"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// accountCall waits until the call can be made, as the node's final slot lags behind.
func (l *lab) accountCall(m *Mover, v settlement.Vault, closes bool) settlement.Call {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		call, err := m.TokenAccountCall(l.t.Context(), v, closes)
		if err == nil {
			return call
		}
		if time.Now().After(deadline) {
			l.t.Fatal(err)
		}
	}
}

// carried signs and sends the call, and waits until it is final.
func (l *lab) carried(m *Mover, call settlement.Call) settlement.SlotOutcome {
	l.t.Helper()
	signed, err := m.Sign(l.t.Context(), settlement.Slot{}, call, nil, false)
	if err == nil {
		err = m.Send(l.t.Context(), signed.Raw)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return l.until(m, call, settlement.SlotFinal, signed)
}

// A wallet's token account is made at the fee payer's cost, not out of the reserve for releases, and not twice. One that has got money in
// the meantime is not closed; the release that pays it out gives the fee payer the rent back.
func TestTokenAccountIsMadeAndPaidOut(t *testing.T) {
	l := startLab(t)
	m, books := l.newMover(l.mint(sdk.TokenProgramID), 1, 0)
	payer := m.payer.Address()
	token := m.cfg.Tokens[0]
	m.cfg.Policy.Reserve = sol
	l.eventuallyRefused(m, books.vault, false, "1000000000 lamports, and 1002682840 are needed to leave the reserve for releases")
	m.cfg.Policy.Reserve = sol / 2
	call := l.accountCall(m, books.vault, false)
	books.closes = true
	if _, err := m.Sign(t.Context(), settlement.Slot{}, call, nil, false); !errors.Is(err, settlement.ErrNotSigned) || !strings.Contains(err.Error(), "is not what slot 0 is for") {
		t.Errorf("by a slot that is for something else: %v", err)
	}
	books.closes = false
	made := l.carried(m, call)
	if rent := RentExempt(165); !made.Parts[0].Paid || made.Rent != settlement.NewAmount(rent) || made.Gas != settlement.NewAmount(signatureFee+200) || l.lamports(payer) != sol-rent-signatureFee-200 {
		t.Errorf("made: %+v, the fee payer has %d", made, l.lamports(payer))
	}
	l.eventuallyRefused(m, books.vault, false, "is there already")

	books.closes = true
	closing := l.accountCall(m, books.vault, true)
	l.deposit(token, 1000) // which opens nothing that is there
	failed := l.carried(m, closing)
	if failed.Parts[0].Paid || !failed.RentBack.IsZero() || l.units(token, l.vault.Address()) != 1000 {
		t.Errorf("closed in spite of a deposit: %+v", failed)
	}
	l.eventuallyRefused(m, books.vault, true, "holds 1000 base units")

	mv := move(books.vault, 1000, 0)
	derived := *mv.Vault.Derived
	derived.RentOurs = true
	mv.Vault.Derived = &derived
	call = l.prepared(m, mv)
	if _, err := m.Sign(t.Context(), settlement.Slot{}, call, nil, false); !errors.Is(err, settlement.ErrNotSigned) {
		t.Errorf("the payer's rent goes to us: %v", err)
	}
	books.vault = mv.Vault
	paid := l.carried(m, call)
	account := settlement.NewAmount(RentExempt(165))
	if !paid.Parts[0].Paid || paid.RentBack != account || paid.Gas != account.Add(settlement.NewAmount(2*signatureFee+200)) || l.units(token, l.payee.PublicKey()) != 1000 {
		t.Errorf("paid out: %+v", paid) // the payee's account is new, and his
	}
}

// One that nobody has paid into is closed, and its rent comes back; with extensions its account is larger.
func TestTokenAccountIsClosedEmpty(t *testing.T) {
	l := startLab(t)
	m, books := l.newMover(l.mint(sdk.Token2022ProgramID, feeExtension(l.node.Purse().PublicKey())), 1, 0)
	m.cfg.Policy.Reserve = sol / 2
	account := made(m.cfg.Tokens[0]).Account(l.vault.Address())
	if err := l.node.Fund(t.Context(), RentExempt(0), account); err != nil { // somebody's lamports at its address make no account
		t.Fatal(err)
	}
	opened := l.carried(m, l.accountCall(m, books.vault, false))
	books.closes = true
	closed := l.carried(m, l.accountCall(m, books.vault, true))
	if back, has := closed.RentBack.Big().Uint64(), l.lamports(m.payer.Address()); !opened.Parts[0].Paid || !closed.Parts[0].Paid ||
		back <= RentExempt(165) || back > RentExempt(largestAccount) || has != sol+RentExempt(0)-3*signatureFee-400 {
		t.Errorf("opened %+v, closed %+v, the fee payer has %d", opened, closed, has)
	}
	l.eventuallyRefused(m, books.vault, true, "is not there")
}

// eventuallyRefused waits until the call is refused for the reason.
func (l *lab) eventuallyRefused(m *Mover, v settlement.Vault, closes bool, reason string) {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		_, err := m.TokenAccountCall(l.t.Context(), v, closes)
		if errors.Is(err, settlement.ErrNotSigned) && strings.Contains(err.Error(), reason) {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%v, want %q", err, reason)
		}
	}
}
