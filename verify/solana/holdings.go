package solana

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"github.com/settler-pay/settler/settlement"
)

// MaxHoldings is how many accounts one call reads at most.
//
// Source: Agave, MAX_MULTIPLE_ACCOUNTS.
const MaxHoldings = 100

// amountAt is where a token account of either program holds its amount, 8 bytes, little endian.
//
// Source: spl-token, Account::LEN and its Pack.
const amountAt, amountLength = 64, 8

// Holdings tells what wallets hold of tokens in the accounts that count, at the final slot, MaxHoldings in one call: the associated
// account under the mint's own program, or the wallet itself for the native coin. One that does not exist holds nothing. It
// believes one endpoint.
func (c *Chain) Holdings(ctx context.Context, of []settlement.Holder) ([]settlement.Holding, error) {
	out := make([]settlement.Holding, len(of))
	for i, h := range of {
		t, listed := c.tokens[h.Token]
		switch {
		case !listed || h.Token != "" && t.Program == "":
			return nil, misconfigured("token %s is not listed with its program", FormatAddress(h.Token))
		case h.Token == "":
			out[i].Account = h.Payee
		default:
			out[i].Account = c.associated(h.Payee, t.Program, h.Token)
		}
	}
	for from := 0; from < len(of); from += MaxHoldings {
		to := min(from+MaxHoldings, len(of))
		err := c.ask(ctx, func(ctx context.Context, s *session) error { return s.holdings(ctx, of[from:to], out[from:to]) })
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// holdings fills in the amounts.
func (s *session) holdings(ctx context.Context, holders []settlement.Holder, of []settlement.Holding) error {
	accounts := make([]string, len(of))
	for i, h := range of {
		accounts[i] = FormatAddress(h.Account)
	}
	raw, err := s.call(ctx, "getMultipleAccounts", accounts, map[string]any{
		"encoding": "base64", "commitment": Finalized, "dataSlice": map[string]int{"offset": amountAt, "length": amountLength},
	})
	if err != nil {
		return err
	}
	var answer struct {
		Value []*struct {
			Lamports uint64   `json:"lamports"`
			Owner    string   `json:"owner"`
			Data     []string `json:"data"`
		} `json:"value"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || len(answer.Value) != len(of) {
		return unavailable("the accounts are not in the form asked for")
	}
	for i, a := range answer.Value {
		of[i].Amount = settlement.Amount{}
		if a == nil {
			continue
		}
		owner, err := ParseAddress(a.Owner)
		if err != nil || len(a.Data) != 2 || a.Data[1] != "base64" {
			return unavailable("account %s is not in the form asked for", accounts[i])
		}
		if holders[i].Token == "" {
			of[i].Amount = settlement.NewAmount(a.Lamports)
			continue
		}
		if owner != TokenProgram && owner != Token2022Program {
			continue // lamports that somebody sent to where the token account would be
		}
		data, err := base64.StdEncoding.DecodeString(a.Data[0])
		if err != nil || len(data) != amountLength {
			return unavailable("account %s is not in the form asked for", accounts[i])
		}
		of[i].Amount = settlement.NewAmount(binary.LittleEndian.Uint64(data))
	}
	return nil
}
