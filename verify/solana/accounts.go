package solana

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/settler-pay/settler/settlement"
)

// Accounts are those to watch for what the payee gets of the token: the associated account under the mint's own program,
// whether it exists or not, and the other accounts of the mint that the payee owns now; for the native coin the wallet.
// What arrives in an account that does not count is found, and judged to be that.
func (c *Chain) Accounts(ctx context.Context, payee, token settlement.Address) ([]settlement.Address, error) {
	t, listed := c.tokens[token]
	switch {
	case !listed:
		return nil, misconfigured("token %s is not listed", FormatAddress(token))
	case token == "":
		return []settlement.Address{payee}, nil
	case t.Program == "":
		return nil, misconfigured("token %s is listed without its program", FormatAddress(token))
	}
	owned, err := gather(ctx, c, c.rule, func(ctx context.Context, s *session) ([]settlement.Address, error) {
		return s.owned(ctx, payee, token)
	})
	if err != nil {
		return nil, err
	}
	accounts := []settlement.Address{c.associated(payee, t.Program, token)}
	for _, account := range slices.Concat(owned...) {
		if !slices.Contains(accounts, account) {
			accounts = append(accounts, account)
		}
	}
	return accounts, nil
}

// owned are the wallet's token accounts of the mint.
func (s *session) owned(ctx context.Context, wallet, mint settlement.Address) ([]settlement.Address, error) {
	raw, err := s.call(ctx, "getTokenAccountsByOwner", FormatAddress(wallet), map[string]string{"mint": FormatAddress(mint)},
		map[string]any{"encoding": "base64", "commitment": Confirmed, "dataSlice": map[string]int{"offset": 0, "length": 0}})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Value []struct {
			Pubkey string `json:"pubkey"`
		} `json:"value"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, unavailable("the accounts are not in the form asked for")
	}
	accounts := make([]settlement.Address, len(answer.Value))
	for i, v := range answer.Value {
		if accounts[i], err = ParseAddress(v.Pubkey); err != nil {
			return nil, unavailable("the accounts are not in the form asked for")
		}
	}
	return accounts, nil
}
