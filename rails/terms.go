package rails

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/settler-pay/settler/settlement"
)

// Chain is what a chain's registry entry says about terms.
type Chain struct {
	ID           settlement.ChainID
	Aliases      []string
	Tokens       []settlement.Token
	References   bool // payments get a reference key of their own, which replaces a known payer
	ParseAddress func(string) (settlement.Address, error)
}

// Named are the terms in the orchestrator's own words: the advice that it copied into the order, or the rail of an intent.
// Empty fields are absent.
type Named struct {
	Rail         string
	Chain        string // CAIP-2 or a friendly name
	Token        string // symbol
	TokenAddress string
	TokenMint    string // the token's address in Solana's word
	Payer, Payee string
}

// Price is what is to be paid, from up to three sources. Empty fields are absent.
type Price struct {
	Quote  string // major units, JSON number text: the price of the order's quote
	Intent string // major units, JSON number text: the amount that the server put on the payment
	Raw    string // base units: rail.metadata.rawAmount of the intent
}

// Refusal says why terms cannot be agreed on.
type Refusal struct {
	Code   settlement.Code
	Detail string
}

func refuse(code settlement.Code, format string, args ...any) *Refusal {
	return &Refusal{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Agree returns the token, payee, payer and amount that the order's advice and, where one exists, its intent have in
// common, or why there is no agreement. intent is nil as long as there is none. Times and blocks are left to the caller.
//
// The advice is the server's word and the intent may be the buyer's: where both speak they must say the same, and an
// intent never adds a payee that the advice does not name. proven is the wallet that signed the order's pairing, in text
// form, or empty.
//
// Source: "Intents are adopted or created" of the design; 9.3 and 14.3 of the API contract.
func Agree(advice Named, intent *Named, price Price, proven string, chains []Chain) (settlement.Terms, *Refusal) {
	var terms settlement.Terms
	asked := advice
	if intent != nil {
		if advice.Payee == "" && intent.Payee != "" {
			return terms, refuse(IntentDiffers, "the intent names payee %s, and the order's recommendation names none", intent.Payee)
		}
		asked.Rail = intent.Rail
		if asked.Payer == "" {
			asked.Payer = intent.Payer
		}
	}
	if !Carried(asked.Rail) {
		return terms, refuse(RailUnsupported, "nothing carries out rail %q yet", asked.Rail)
	}
	chain, token, refusal := find(asked, chains)
	if refusal != nil {
		return terms, refusal
	}
	terms.Token = token
	if terms.Payee, refusal = account(chain, asked.Payee, PayeeMissing, PayeeInvalid, "payee"); refusal != nil {
		return terms, refusal
	}
	if intent != nil {
		if refusal := differs(chain, terms, *intent, chains); refusal != nil {
			return terms, refusal
		}
	}
	if asked.Payer != "" {
		if terms.NamedPayer, refusal = account(chain, asked.Payer, PayerMissing, PayerInvalid, "payer"); refusal != nil {
			return terms, refusal
		}
	}
	// Pairings are signed by EVM keys: on another chain the signer is no wallet.
	if proven != "" && chain.ID.Namespace() == "eip155" {
		if terms.ProvenPayer, refusal = account(chain, proven, PayerMissing, PayerInvalid, "pairing's signer"); refusal != nil {
			return terms, refusal
		}
	}
	switch {
	case !token.Policy.Accepts():
		return terms, refuse(settlement.TokenUnsupported, "token %s is of kind %s and not accepted", token.Symbol, token.Policy.Kind)
	case terms.ProvenPayer == "" && terms.NamedPayer == "" && !chain.References:
		return terms, refuse(PayerMissing, "the order's pairing has no verified signer and no payer is named")
	case terms.Payee == terms.ProvenPayer, terms.Payee == terms.NamedPayer:
		return terms, refuse(PayerIsPayee, "payer and payee are both %s", asked.Payee)
	}
	terms.Amount, terms.Rounded, refusal = amount(price, token.Decimals)
	return terms, refusal
}

// find resolves chain and token by our own registry. A symbol counts only where no address is given.
func find(n Named, chains []Chain) (Chain, settlement.Token, *Refusal) {
	var chain Chain
	for _, c := range chains {
		if strings.EqualFold(n.Chain, string(c.ID)) || containsFold(c.Aliases, n.Chain) {
			chain = c
		}
	}
	if chain.ID == "" {
		return chain, settlement.Token{}, refuse(settlement.ChainUnsupported, "chain %q is not in the configuration", n.Chain)
	}
	address := n.address()
	if address == "" {
		for _, t := range chain.Tokens {
			if strings.EqualFold(t.Symbol, n.Token) {
				return chain, t, nil
			}
		}
		return chain, settlement.Token{}, refuse(settlement.TokenUnsupported, "token %q is not configured for %s", n.Token, chain.ID)
	}
	if n.TokenAddress != "" && n.TokenMint != "" && n.TokenAddress != n.TokenMint {
		return chain, settlement.Token{}, refuse(settlement.TokenUnsupported, "tokenAddress %s and tokenMint %s name two tokens", n.TokenAddress, n.TokenMint)
	}
	parsed, err := chain.ParseAddress(address)
	if err != nil {
		return chain, settlement.Token{}, refuse(settlement.TokenUnsupported, "token address: %v", err)
	}
	for _, t := range chain.Tokens {
		if t.Address != parsed {
			continue
		}
		if n.Token != "" && !strings.EqualFold(t.Symbol, n.Token) && !strings.EqualFold(n.Token, address) {
			return chain, t, refuse(settlement.TokenUnsupported, "token %s is %s in the configuration, not %q", address, t.Symbol, n.Token)
		}
		return chain, t, nil
	}
	return chain, settlement.Token{}, refuse(settlement.TokenUnsupported, "token %s is not configured for %s", address, chain.ID)
}

// address is the token's address, whatever it is called.
func (n Named) address() string { return cmp.Or(n.TokenMint, n.TokenAddress) }

func containsFold(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

func account(chain Chain, text string, missing, invalid settlement.Code, role string) (settlement.Address, *Refusal) {
	if text == "" {
		return "", refuse(missing, "the order names no %s", role)
	}
	address, err := chain.ParseAddress(text)
	if err != nil {
		return "", refuse(invalid, "%s: %v", role, err)
	}
	if strings.Trim(string(address), "\x00") == "" {
		return "", refuse(invalid, "the %s is the zero address", role)
	}
	return address, nil
}

// differs compares an intent with what the advice resolved to. What the intent leaves out it does not contradict, except
// the payee: without one nobody could tell whom it tells the buyer to pay.
func differs(chain Chain, terms settlement.Terms, intent Named, chains []Chain) *Refusal {
	filled := intent
	if filled.Chain == "" {
		filled.Chain = string(chain.ID)
	}
	if filled.Token == "" && filled.address() == "" {
		filled.Token = terms.Token.Symbol
	}
	intentChain, token, refusal := find(filled, chains)
	switch {
	case refusal != nil:
		return refuse(IntentDiffers, "the intent's terms: %s", refusal.Detail)
	case intentChain.ID != chain.ID:
		return refuse(IntentDiffers, "the intent asks for chain %s, the order for %s", intentChain.ID, chain.ID)
	case token != terms.Token:
		return refuse(IntentDiffers, "the intent asks for token %s, the order for %s", token.Symbol, terms.Token.Symbol)
	}
	payee, refusal := account(chain, intent.Payee, PayeeMissing, PayeeInvalid, "payee in its intent")
	switch {
	case refusal != nil:
		return refusal
	case payee != terms.Payee:
		return refuse(IntentDiffers, "the intent names payee %s, which is not the one that the order's recommendation names", intent.Payee)
	}
	return nil
}

// amount is the price in base units. The quote is the independent word; the server's amount and the raw amount may only
// say the same.
func amount(p Price, decimals uint8) (units settlement.Amount, rounded bool, refusal *Refusal) {
	major := p.Quote
	if major == "" {
		major = p.Intent
	}
	if major == "" {
		if p.Raw != "" {
			return units, false, refuse(AmountUnconfirmed, "the intent's raw amount %s has no price beside it", p.Raw)
		}
		return units, false, refuse(AmountMissing, "neither quote nor intent has an amount")
	}
	units, rounded, err := settlement.AmountFromMajor(major, decimals)
	if err != nil {
		return units, false, refuse(AmountInvalid, "%v", err)
	}
	if p.Quote != "" && p.Intent != "" {
		asked, _, err := settlement.AmountFromMajor(p.Intent, decimals)
		if err != nil {
			return units, false, refuse(AmountInvalid, "intent: %v", err)
		}
		if asked.Cmp(units) != 0 {
			return units, false, refuse(AmountConflict, "the quote says %s and the intent %s", p.Quote, p.Intent)
		}
	}
	if p.Raw != "" {
		raw, err := settlement.ParseAmount(p.Raw)
		if err != nil {
			return units, false, refuse(AmountInvalid, "raw amount: %v", err)
		}
		if raw.Cmp(units) != 0 {
			return units, false, refuse(AmountConflict, "the price %s is %s base units and the raw amount says %s", major, units, raw)
		}
	}
	if units.IsZero() {
		return units, rounded, refuse(AmountZero, "the price %s is zero base units of a token with %d decimals", major, decimals)
	}
	return units, rounded, nil
}
