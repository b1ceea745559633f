package rails_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/settler-pay/settler/rails"
	"github.com/settler-pay/settler/settlement"
)

const (
	usdc  = "0x1111111111111111111111111111111111111111"
	stETH = "0xae7ab96520de3a18e5e111b5eaab095312d7fe84"
	payee = "0x2222222222222222222222222222222222222222"
	payer = "0x3333333333333333333333333333333333333333"
	other = "0x4444444444444444444444444444444444444444"
	zero  = "0x0000000000000000000000000000000000000000"
)

func parse(text string) (settlement.Address, error) {
	raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil || len(raw) != 20 {
		return "", errors.New("not an address")
	}
	return settlement.Address(raw), nil
}

func address(t *testing.T, text string) settlement.Address {
	t.Helper()
	a, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func chains(t *testing.T) []rails.Chain {
	base := settlement.ChainID("eip155:8453")
	return []rails.Chain{
		{ID: "eip155:1", Aliases: []string{"ethereum", "eth"}, ParseAddress: parse, Tokens: []settlement.Token{
			{Chain: "eip155:1", Address: address(t, usdc), Symbol: "USDC", Decimals: 6},
		}},
		{ID: "solana:x", Aliases: []string{"solana"}, ParseAddress: parse, References: true, Tokens: []settlement.Token{
			{Chain: "solana:x", Address: address(t, usdc), Symbol: "USDC", Decimals: 6},
		}},
		{ID: base, Aliases: []string{"base"}, ParseAddress: parse, Tokens: []settlement.Token{
			{Chain: base, Address: address(t, usdc), Symbol: "USDC", Decimals: 6},
			{Chain: base, Symbol: "ETH", Decimals: 18},
			{Chain: base, Address: address(t, stETH), Symbol: "STETH", Decimals: 18, Policy: settlement.Policy{Kind: settlement.Rebasing}},
		}},
	}
}

func advice(change ...func(*rails.Named)) rails.Named {
	n := rails.Named{Rail: rails.WDKUSDTTransfer, Chain: "base", Token: "USDC", TokenAddress: usdc, Payee: payee, Payer: payer}
	for _, c := range change {
		c(&n)
	}
	return n
}

func onSolana(change ...func(*rails.Named)) rails.Named {
	return advice(append([]func(*rails.Named){func(n *rails.Named) { n.Chain = "solana" }}, change...)...)
}

// The pairing's signer is an EVM key: it says nothing about who pays on another chain.
func TestThePairingProvesNoPayerElsewhere(t *testing.T) {
	t.Parallel()
	terms, refusal := rails.Agree(onSolana(func(n *rails.Named) { n.Payer = "" }), nil, rails.Price{Quote: "1"}, other, chains(t))
	if refusal != nil || len(terms.Payers()) != 0 {
		t.Errorf("payers %v, refusal %v", terms.Payers(), refusal)
	}
}

func TestAgree(t *testing.T) {
	t.Parallel()
	intent := func(change ...func(*rails.Named)) *rails.Named {
		n := advice(change...)
		return &n
	}
	tests := []struct {
		name   string
		advice rails.Named
		intent *rails.Named
		price  rails.Price
		proven string
		want   settlement.Code // empty: agreed
		units  uint64
	}{
		{name: "advice and quote", advice: advice(), price: rails.Price{Quote: "1.5"}, units: 1_500_000},
		{name: "exponent form", advice: advice(), price: rails.Price{Quote: "1e-06"}, units: 1},
		{name: "CAIP-2 chain", advice: advice(func(n *rails.Named) { n.Chain = "eip155:8453" }), price: rails.Price{Quote: "1"}, units: 1_000_000},
		{name: "chain alias in another case", advice: advice(func(n *rails.Named) { n.Chain = "Base" }), price: rails.Price{Quote: "1"}, units: 1_000_000},
		{name: "token by symbol alone", advice: advice(func(n *rails.Named) { n.TokenAddress = "" }), price: rails.Price{Quote: "1"}, units: 1_000_000},
		{name: "finer than the decimals rounds half up", advice: advice(), price: rails.Price{Quote: "0.0000015"}, units: 2},
		{name: "rounds to zero", advice: advice(), price: rails.Price{Quote: "0.0000004"}, want: rails.AmountZero},
		{name: "zero", advice: advice(), price: rails.Price{Quote: "0"}, want: rails.AmountZero},
		{name: "no price", advice: advice(), want: rails.AmountMissing},
		{name: "negative price", advice: advice(), price: rails.Price{Quote: "-1"}, want: rails.AmountInvalid},
		{name: "price beyond 256 bits", advice: advice(), price: rails.Price{Quote: "1e80"}, want: rails.AmountInvalid},
		{name: "raw amount alone", advice: advice(), intent: intent(), price: rails.Price{Raw: "1500000"}, want: rails.AmountUnconfirmed},
		{name: "raw amount below the price", advice: advice(), intent: intent(), price: rails.Price{Intent: "1.5", Raw: "1499999"}, want: rails.AmountConflict},
		{name: "raw amount equal to the price", advice: advice(), intent: intent(), price: rails.Price{Quote: "1.5", Intent: "1.50", Raw: "1500000"}, units: 1_500_000},
		{name: "quote and intent disagree", advice: advice(), intent: intent(), price: rails.Price{Quote: "1.5", Intent: "1.4"}, want: rails.AmountConflict},
		{name: "nonsense as raw amount", advice: advice(), intent: intent(), price: rails.Price{Quote: "1.5", Raw: "1.5"}, want: rails.AmountInvalid},

		{name: "rail without executor", advice: advice(func(n *rails.Named) { n.Rail = "x402" }), price: rails.Price{Quote: "1"}, want: rails.RailUnsupported},
		{name: "intent on another rail", advice: advice(), intent: intent(func(n *rails.Named) { n.Rail = "x402" }), price: rails.Price{Quote: "1"}, want: rails.RailUnsupported},
		{name: "unknown chain", advice: advice(func(n *rails.Named) { n.Chain = "sei" }), price: rails.Price{Quote: "1"}, want: settlement.ChainUnsupported},
		{name: "no chain", advice: advice(func(n *rails.Named) { n.Chain = "" }), price: rails.Price{Quote: "1"}, want: settlement.ChainUnsupported},
		{name: "unknown token", advice: advice(func(n *rails.Named) { n.TokenAddress = other }), price: rails.Price{Quote: "1"}, want: settlement.TokenUnsupported},
		{name: "token of a kind that is refused", advice: advice(func(n *rails.Named) { n.TokenAddress, n.Token = stETH, "STETH" }), price: rails.Price{Quote: "1"}, want: settlement.TokenUnsupported},
		{name: "unknown symbol", advice: advice(func(n *rails.Named) { n.TokenAddress, n.Token = "", "DAI" }), price: rails.Price{Quote: "1"}, want: settlement.TokenUnsupported},
		{name: "symbol of another token", advice: advice(func(n *rails.Named) { n.Token = "ETH" }), price: rails.Price{Quote: "1"}, want: settlement.TokenUnsupported},
		{name: "payee missing", advice: advice(func(n *rails.Named) { n.Payee = "" }), price: rails.Price{Quote: "1"}, want: rails.PayeeMissing},
		{name: "payee is no address", advice: advice(func(n *rails.Named) { n.Payee = "0x12" }), price: rails.Price{Quote: "1"}, want: rails.PayeeInvalid},
		{name: "payee is zero", advice: advice(func(n *rails.Named) { n.Payee = zero }), price: rails.Price{Quote: "1"}, want: rails.PayeeInvalid},
		{name: "payee is the named payer", advice: advice(func(n *rails.Named) { n.Payee = payer }), price: rails.Price{Quote: "1"}, want: rails.PayerIsPayee},
		{name: "payee is the proven payer", advice: advice(), price: rails.Price{Quote: "1"}, proven: payee, want: rails.PayerIsPayee},
		{name: "nobody pays", advice: advice(func(n *rails.Named) { n.Payer = "" }), price: rails.Price{Quote: "1"}, want: rails.PayerMissing},
		{name: "proven payer alone", advice: advice(func(n *rails.Named) { n.Payer = "" }), price: rails.Price{Quote: "1"}, proven: other, units: 1_000_000},

		{name: "a chain with references needs no payer", advice: onSolana(func(n *rails.Named) { n.Payer = "" }), price: rails.Price{Quote: "1"}, units: 1_000_000},
		{name: "the token as a mint", advice: onSolana(func(n *rails.Named) { n.TokenAddress, n.TokenMint = "", usdc }), price: rails.Price{Quote: "1"}, units: 1_000_000},
		{
			name: "the token as a mint, in intent and advice", advice: onSolana(func(n *rails.Named) { n.TokenAddress, n.TokenMint = "", usdc }),
			intent: new(onSolana(func(n *rails.Named) { n.TokenAddress, n.Token, n.TokenMint = "", "", usdc })), price: rails.Price{Quote: "1"}, units: 1_000_000,
		},
		{
			name: "intent in another mint", advice: onSolana(), intent: new(onSolana(func(n *rails.Named) { n.TokenAddress, n.TokenMint = "", other })),
			price: rails.Price{Quote: "1"}, want: rails.IntentDiffers,
		},
		{name: "a mint beside another address", advice: onSolana(func(n *rails.Named) { n.TokenMint = other }), price: rails.Price{Quote: "1"}, want: settlement.TokenUnsupported},
		{name: "unknown mint", advice: onSolana(func(n *rails.Named) { n.TokenAddress, n.TokenMint = "", other }), price: rails.Price{Quote: "1"}, want: settlement.TokenUnsupported},

		{name: "intent with an invented payee", advice: advice(), intent: intent(func(n *rails.Named) { n.Payee = other }), price: rails.Price{Quote: "1"}, want: rails.IntentDiffers},
		{name: "intent names a payee and the advice none", advice: advice(func(n *rails.Named) { n.Payee = "" }), intent: intent(), price: rails.Price{Quote: "1"}, want: rails.IntentDiffers},
		{name: "intent on another chain", advice: advice(), intent: intent(func(n *rails.Named) { n.Chain = "ethereum" }), price: rails.Price{Quote: "1"}, want: rails.IntentDiffers},
		{name: "intent in another token", advice: advice(), intent: intent(func(n *rails.Named) { n.Token, n.TokenAddress = "ETH", "" }), price: rails.Price{Quote: "1"}, want: rails.IntentDiffers},
		{name: "intent without payee", advice: advice(), intent: intent(func(n *rails.Named) { n.Payee = "" }), price: rails.Price{Quote: "1"}, want: rails.PayeeMissing},
		{name: "intent in the other spelling of everything", advice: advice(), intent: intent(func(n *rails.Named) {
			n.Chain, n.Payee, n.TokenAddress = "eip155:8453", strings.ToUpper(payee[2:]), strings.ToUpper(usdc[2:])
		}), price: rails.Price{Quote: "1"}, units: 1_000_000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			terms, refusal := rails.Agree(tt.advice, tt.intent, tt.price, tt.proven, chains(t))
			if tt.want != "" {
				if refusal == nil || refusal.Code != tt.want {
					t.Fatalf("got %+v with %+v, want refusal %s", terms, refusal, tt.want)
				}
				if refusal.Detail == "" {
					t.Error("the refusal has no detail for people")
				}
				return
			}
			if refusal != nil {
				t.Fatalf("refused: %+v", refusal)
			}
			if terms.Amount != settlement.NewAmount(tt.units) || terms.Payee != address(t, payee) || terms.Token.Symbol != "USDC" {
				t.Errorf("got %s of %s to %s, want %d of USDC to %s", terms.Amount, terms.Token.Symbol, terms.Payee, tt.units, payee)
			}
			if tt.proven != "" && terms.ProvenPayer != address(t, tt.proven) {
				t.Errorf("proven payer %s, want %s", terms.ProvenPayer, tt.proven)
			}
		})
	}
}

func TestRoundingIsRecorded(t *testing.T) {
	t.Parallel()
	for quote, rounded := range map[string]bool{"1.5": false, "0.0000015": true} {
		terms, refusal := rails.Agree(advice(), nil, rails.Price{Quote: quote}, "", chains(t))
		if refusal != nil || terms.Rounded != rounded {
			t.Errorf("%s: rounded %t (refusal %v), want %t", quote, terms.Rounded, refusal, rounded)
		}
	}
}

func TestChooseReplacesWalletWhereSupported(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		advised   string
		supported []string
		want      string
	}{
		{rails.Wallet, []string{rails.Wallet, rails.WDKUSDTTransfer}, rails.WDKUSDTTransfer},
		{rails.Wallet, []string{rails.Wallet}, rails.Wallet},
		{"escrow", []string{rails.WDKUSDTTransfer}, "escrow"},
	} {
		if got := rails.Choose(tt.advised, tt.supported); got != tt.want {
			t.Errorf("Choose(%s, %v) = %s, want %s", tt.advised, tt.supported, got, tt.want)
		}
	}
}
