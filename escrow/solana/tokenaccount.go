package solana

import (
	"context"
	"encoding/json"
	"fmt"

	sdk "github.com/gagliardetto/solana-go"
	associated "github.com/gagliardetto/solana-go/programs/associated-token-account"
	computebudget "github.com/gagliardetto/solana-go/programs/compute-budget"
	"github.com/gagliardetto/solana-go/programs/token"

	"github.com/settler-pay/settler/settlement"
)

// RefusedAccount is the code of a token account that is not made, or not closed.
const RefusedAccount RefusalCode = "TOKEN_ACCOUNT_REFUSED"

// plan is a transaction as it is decided: Accounts are those that Build must be given, all read at the same slot. Build's error is a
// *Refusal when the accounts are the reason.
type plan interface {
	Accounts() ([]sdk.PublicKey, error)
	Build(accounts map[sdk.PublicKey]*Account, blockhash sdk.Hash) (*sdk.Transaction, error)
}

// TokenAccount makes the token account of an order's wallet, at the fee payer's cost, or closes it while it is empty and gives the fee
// payer its rent back. A copy of either fails: nobody makes an account that is there, or closes one that is not.
type TokenAccount struct {
	Wallet    sdk.PublicKey // the order's
	Token     Token
	Closes    bool
	FeePayer  sdk.PublicKey
	UnitPrice uint64 // as of a Release
	// Reserve is what the fee payer must have left when it has made one, in lamports.
	Reserve uint64
}

// largestAccount is more than the bytes of any token account with the extensions that a mint which may be held demands.
const largestAccount = 256

// signatureFee is the fee for a signature, in lamports.
//
// Source: solana-sdk, FeeStructure::default.
const signatureFee = 5000

// Accounts are those that Build must be given.
func (t TokenAccount) Accounts() ([]sdk.PublicKey, error) {
	account, err := t.Token.account(t.Wallet)
	return []sdk.PublicKey{t.Token.Mint, account, t.FeePayer}, err
}

// Build makes the transaction, unsigned.
func (t TokenAccount) Build(accounts map[sdk.PublicKey]*Account, blockhash sdk.Hash) (*sdk.Transaction, error) {
	at, err := t.Token.account(t.Wallet)
	if err != nil {
		return nil, err
	}
	var b builder
	b.add(computebudget.NewSetComputeUnitLimitInstruction(UnitLimit).ValidateAndBuild())
	b.add(computebudget.NewSetComputeUnitPriceInstruction(t.UnitPrice).ValidateAndBuild())
	there, err := t.Token.open(accounts[at], t.Wallet)
	if t.Closes {
		switch {
		case err != nil:
			return nil, refused(RefusedAccount, "token account %s: %v", at, err)
		case there == nil:
			return nil, refused(RefusedAccount, "token account %s is not there", at)
		case there.Account.Amount > 0:
			return nil, refused(RefusedAccount, "token account %s holds %d base units", at, there.Account.Amount)
		}
		b.under(t.Token.Program)(token.NewCloseAccountInstruction(at, t.FeePayer, t.Wallet, nil).ValidateAndBuild())
	} else {
		mint := accounts[t.Token.Mint]
		if err := t.Token.CheckMint(mint); err != nil {
			return nil, err
		}
		has, needs := uint64(0), max(t.Reserve, RentExempt(0))+RentExempt(largestAccount)+2*signatureFee+UnitLimit*t.UnitPrice/1_000_000
		if payer := accounts[t.FeePayer]; payer != nil {
			has = payer.Lamports
		}
		switch {
		case err != nil || there != nil:
			return nil, refused(RefusedAccount, "token account %s is there already", at)
		case has < needs:
			return nil, refused(RefusedAccount, "the wallet that pays has %d lamports, and %d are needed to leave the reserve for releases", has, needs)
		}
		b.add(associated.NewCreateInstructionWithTokenProgram(t.FeePayer, t.Wallet, t.Token.Mint, t.Token.Program).ValidateAndBuild())
	}
	if b.err != nil {
		return nil, b.err
	}
	tx, err := sdk.NewTransaction(b.instructions, blockhash, sdk.TransactionPayer(t.FeePayer))
	if err != nil {
		return nil, fmt.Errorf("make the transaction: %w", err)
	}
	return tx, nil
}

// TokenAccountCall is the call that makes the token account of the vault, or closes it, if that can be done as things are at the final
// slot. The error is a *Refusal when it cannot.
func (m *Mover) TokenAccountCall(ctx context.Context, v settlement.Vault, closes bool) (settlement.Call, error) {
	p, err := m.payoutFrom(v)
	if err != nil {
		return settlement.Call{}, fmt.Errorf("vault %s: %w", p.Vault, err)
	}
	if p.Do = opens; closes {
		p.Do = closesAccount
	}
	err = m.nodes.ask(ctx, func(ctx context.Context, e Endpoint) error {
		plan, err := m.plan(p, firstPrice)
		if err != nil {
			return err
		}
		_, err = m.build(ctx, e, plan, 0, sdk.Hash{})
		return err
	})
	if err != nil {
		return settlement.Call{}, err
	}
	data, err := json.Marshal(p)
	return settlement.Call{Target: v.Address, Data: data, Gas: UnitLimit}, err
}
