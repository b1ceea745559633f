package settlement_test

import (
	"testing"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// Each switch of a token's policy, turned and not.
func TestJudgePolicy(t *testing.T) {
	t.Parallel()
	const price = 1_000_000
	block := settlement.Block{Number: 200, Time: noon.Add(time.Minute)}
	fee := func(k settlement.TokenKind, received bool) settlement.Policy {
		return settlement.Policy{Kind: k, Received: received}
	}
	atLeast, sum := settlement.Policy{AtLeast: true}, settlement.Policy{Sum: true}
	seen := func(transfers ...settlement.Transfer) []settlement.Transfer { return transfers }
	exact := seen(log(0, payer, payee, price))
	halves := seen(log(0, payer, payee, price/2), log(1, payer, payee, price/2))
	for _, tt := range []struct {
		name     string
		policy   settlement.Policy
		seen     []settlement.Transfer
		used     map[string]bool
		code     settlement.Code
		detail   string
		position string
		parts    int
	}{
		{"plain", fee(settlement.Plain, false), exact, nil, settlement.Verified, "", "log/0", 0},
		{"fee, refused", fee(settlement.Fee, false), exact, nil, settlement.TokenUnsupported, "", "", 0},
		{"fee, by what arrived", fee(settlement.Fee, true), exact, nil, settlement.Verified, "", "log/0", 0},
		{"rebasing, refused", fee(settlement.Rebasing, false), exact, nil, settlement.TokenUnsupported, "", "", 0},
		{"rebasing, by what arrived", fee(settlement.Rebasing, true), exact, nil, settlement.Verified, "", "log/0", 0},
		{"switched off", fee(settlement.Refuse, false), exact, nil, settlement.TokenUnsupported, "", "", 0},
		{"switched off, whatever else is said", fee(settlement.Refuse, true), exact, nil, settlement.TokenUnsupported, "", "", 0},
		{"a kind that does not exist", fee("odd", true), exact, nil, settlement.TokenUnsupported, "", "", 0},

		{"a fee went elsewhere", fee(settlement.Fee, true), seen(log(0, payer, payee, price-50), log(1, payer, stranger, 50)), nil, settlement.AmountMismatch, "fee_withheld", "log/0", 0},
		{"the fee comes on top", fee(settlement.Fee, true), seen(log(0, payer, payee, price), log(1, payer, stranger, 50)), nil, settlement.Verified, "", "log/0", 0},
		{"what went elsewhere does not add up to the price", settlement.Policy{}, seen(log(0, payer, payee, price-50), log(1, payer, stranger, 51)), nil, settlement.AmountMismatch, "under", "log/0", 0},
		{"what went elsewhere is another token", settlement.Policy{}, seen(log(0, payer, payee, price-50), func() settlement.Transfer {
			l := log(1, payer, stranger, 50)
			l.Token = "another token-------"
			return l
		}()), nil, settlement.AmountMismatch, "under", "log/0", 0},
		{"nothing arrived, all went elsewhere", settlement.Policy{}, seen(log(0, payer, payee, 0), log(1, payer, stranger, price)), nil, settlement.AmountMismatch, "under", "log/0", 0},

		{"one unit more", atLeast, seen(log(0, payer, payee, price+1)), nil, settlement.Verified, "over", "log/0", 0},
		{"one unit less", atLeast, seen(log(0, payer, payee, price-1)), nil, settlement.AmountMismatch, "under", "log/0", 0},
		{"an exact one goes before a larger one", atLeast, seen(log(0, payer, payee, price+7), log(1, payer, payee, price)), nil, settlement.Verified, "", "log/1", 0},
		{"the larger one is used", atLeast, seen(log(0, payer, payee, price+7)), map[string]bool{"log/0": true}, settlement.TransferAlreadyUsed, "", "log/0", 0},

		{"two halves, not added up", settlement.Policy{}, halves, nil, settlement.AmountMismatch, "under", "log/0", 0},
		{"two halves, added up", sum, halves, nil, settlement.Verified, "", "log/0", 2},
		{"one half is used", sum, halves, map[string]bool{"log/0": true}, settlement.AmountMismatch, "under", "log/0", 0},
		{"two halves of two payers", sum, seen(log(0, payer, payee, price/2), log(1, stranger, payee, price/2)), nil, settlement.AmountMismatch, "under", "log/0", 0},
		{"one alone goes before a sum", sum, seen(log(0, payer, payee, price/2), log(1, payer, payee, price/2), log(2, payer, payee, price)), nil, settlement.Verified, "", "log/2", 0},
		{"nothing is no part", sum, seen(log(0, payer, payee, 0), log(1, payer, payee, price/2), log(2, payer, payee, price/2)), nil, settlement.Verified, "", "log/1", 2},
		{"a sum above the price", sum, seen(log(0, payer, payee, price/2), log(1, payer, payee, price/2+1)), nil, settlement.AmountMismatch, "under", "log/0", 0},
		{"a sum above the price, at least", settlement.Policy{Sum: true, AtLeast: true}, seen(log(0, payer, payee, price/2), log(1, payer, payee, price/2+1)), nil, settlement.Verified, "over", "log/0", 2},
		{"a part goes back", sum, append(halves, log(2, payee, payer, 1)), nil, settlement.AmountMismatch, "returned", "log/0", 0},

		{"two fit, the lower", settlement.Policy{}, append(exact, log(1, payer, payee, price)), nil, settlement.Verified, "", "log/0", 0},
		{"two fit, none", settlement.Policy{OneFit: true}, append(exact, log(1, payer, payee, price)), nil, settlement.TransferAmbiguous, "", "log/0", 0},
		{"of two that fit one is used", settlement.Policy{OneFit: true}, append(exact, log(1, payer, payee, price)), map[string]bool{"log/0": true}, settlement.Verified, "", "log/1", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			claim := terms.Claim(txA)
			claim.Policy, claim.Used = tt.policy, tt.used
			got := settlement.Judge(claim, block, tt.seen)
			position := ""
			if got.Transfer != nil {
				position = got.Transfer.Position
			}
			if got.Code != tt.code || got.Detail != tt.detail || position != tt.position || len(got.Parts) != tt.parts {
				t.Errorf("got %s %q at %q with %d parts, want %s %q at %q with %d", got.Code, got.Detail, position, len(got.Parts), tt.code, tt.detail, tt.position, tt.parts)
			}
			if tt.parts > 0 && got.Parts[0].Position != position {
				t.Errorf("parts begin at %q, the transfer is at %q", got.Parts[0].Position, position)
			}
		})
	}
}

// An authorisation that the claim demands is a reference: nothing else pays, and it pays whatever its place.
func TestJudgeAuthorization(t *testing.T) {
	t.Parallel()
	const price = 1_000_000
	claim := terms.Claim(txA)
	claim.Want.Authorization = "nonce of the order"
	with := func(t settlement.Transfer, nonce string) settlement.Transfer { t.Authorization = nonce; return t }
	for _, tt := range []struct {
		name string
		seen []settlement.Transfer
		used map[string]bool
		code settlement.Code
		at   string
	}{
		{"without any", []settlement.Transfer{log(0, payer, payee, price)}, nil, settlement.ReferenceMismatch, "log/0"},
		{"another one", []settlement.Transfer{with(log(0, payer, payee, price), "another")}, nil, settlement.ReferenceMismatch, "log/0"},
		{"the one of two", []settlement.Transfer{with(log(0, payer, payee, price), "another"), with(log(2, payer, payee, price), "nonce of the order")}, nil, settlement.Verified, "log/2"},
		{"of another amount", []settlement.Transfer{with(log(0, payer, payee, price-1), "nonce of the order"), log(2, payer, payee, price)}, nil, settlement.ReferenceMismatch, "log/2"},
		{"used", []settlement.Transfer{with(log(0, payer, payee, price), "nonce of the order")}, map[string]bool{"log/0": true}, settlement.TransferAlreadyUsed, "log/0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			claim := claim
			claim.Used = tt.used
			got := settlement.Judge(claim, settlement.Block{Number: 200, Time: noon.Add(time.Minute)}, tt.seen)
			if got.Code != tt.code || got.Transfer == nil || got.Transfer.Position != tt.at {
				t.Errorf("got %s at %+v, want %s at %s", got.Code, got.Transfer, tt.code, tt.at)
			}
		})
	}
	if got := settlement.Judge(terms.Claim(txA), settlement.Block{Number: 200, Time: noon.Add(time.Minute)}, []settlement.Transfer{with(log(0, payer, payee, price), "any")}); got.Code != settlement.Verified {
		t.Errorf("no authorisation is demanded: got %s, want VERIFIED", got.Code)
	}
}
