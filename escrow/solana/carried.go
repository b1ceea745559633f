package solana

import (
	"context"
	"encoding/json"
	"fmt"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// carried is what a final transaction of ours did to the accounts that it names. The first of them paid the fee.
type carried struct {
	Meta struct {
		Err               json.RawMessage `json:"err"`
		PreBalances       []uint64        `json:"preBalances"`
		PostBalances      []uint64        `json:"postBalances"`
		PreTokenBalances  []tokenBalance  `json:"preTokenBalances"`
		PostTokenBalances []tokenBalance  `json:"postTokenBalances"`
	} `json:"meta"`
	Transaction struct {
		Message struct {
			AccountKeys []sdk.PublicKey `json:"accountKeys"`
		} `json:"message"`
	} `json:"transaction"`
}

type tokenBalance struct {
	AccountIndex  int           `json:"accountIndex"`
	Mint          sdk.PublicKey `json:"mint"`
	UITokenAmount struct {
		Amount settlement.Amount `json:"amount"`
	} `json:"uiTokenAmount"`
}

// carriedOut reads what a final transaction of ours did.
func (n nodes) carriedOut(ctx context.Context, e Endpoint, id string) (*carried, error) {
	var tx *carried
	err := n.call(ctx, e, &tx, "getTransaction", id, map[string]any{"encoding": "json", "commitment": finalized, "maxSupportedTransactionVersion": 0})
	if err != nil {
		return nil, err
	}
	if tx == nil || len(tx.keys()) == 0 || len(tx.Meta.PreBalances) != len(tx.keys()) || len(tx.Meta.PostBalances) != len(tx.keys()) {
		return nil, fmt.Errorf("transaction %s is final, and what it did is incomplete or another's", id)
	}
	return tx, nil
}

func (t *carried) keys() []sdk.PublicKey { return t.Transaction.Message.AccountKeys }

// problem is why it failed, in words; empty where it did not.
func (t *carried) problem() string {
	if len(t.Meta.Err) == 0 || string(t.Meta.Err) == "null" {
		return ""
	}
	return "the transaction failed in its block: " + string(t.Meta.Err)
}

// units are the base units of the mint that the token account had before and afterwards.
func (t *carried) units(account, mint sdk.PublicKey) (before, after settlement.Amount) {
	of := func(all []tokenBalance) settlement.Amount {
		for _, b := range all {
			if b.AccountIndex < len(t.keys()) && t.keys()[b.AccountIndex] == account && b.Mint == mint {
				return b.UITokenAmount.Amount
			}
		}
		return settlement.Amount{}
	}
	return of(t.Meta.PreTokenBalances), of(t.Meta.PostTokenBalances)
}

// withheld is what of a leg did not arrive, because the mint kept it.
func (t *carried) withheld(token Token, leg Leg) (settlement.Amount, error) {
	if token.native() {
		return settlement.Amount{}, nil
	}
	account, err := token.account(leg.To)
	if err != nil {
		return settlement.Amount{}, err
	}
	before, after := t.units(account, token.Mint)
	return settlement.NewAmount(leg.Amount).Sub(after.Sub(before)), nil
}
