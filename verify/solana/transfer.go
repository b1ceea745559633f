package solana

import (
	"bytes"
	"slices"

	"github.com/settler-pay/settler/settlement"
)

// Transfer is one transfer, with the accounts that it names. Its Index is always -1: the path of an instruction is the
// same through every endpoint.
type Transfer struct {
	settlement.Transfer
	// Source and Destination are the token accounts; for the native coin the wallets themselves. Authority is who allowed
	// it: the owner, a delegate, a multisig or a program.
	Source, Destination, Authority settlement.Address
	Program                        settlement.Address // that moved it: System, Token or Token-2022
}

func addressOf(k key) settlement.Address { return settlement.Address(k[:]) }

// ownerOf is empty for an owner that is not known, which is nobody.
func ownerOf(b *tokenBalance) settlement.Address {
	if b == nil || b.owner.IsZero() {
		return ""
	}
	return addressOf(b.owner)
}

// transfers are all transfers that we can read, in the order in which they ran, each with the reason, if there is one, why
// it pays nothing under this claim.
//
// Source: steps 7 to 10 and S-09 to S-19, S-25 to S-30, S-43 of the verification rules.
func (l *ledger) transfers(c *Chain, claim settlement.Claim, token Token) []Transfer {
	out := make([]Transfer, 0, len(l.acts))
	bound := l.hasMemo(claim.Memo)
	for i := range l.acts {
		a := &l.acts[i]
		if a.kind != actNative && a.kind != actTransfer {
			continue
		}
		t := l.transfer(c, claim, token, a)
		if t.Fault == "" && !(bound && l.refers(a, claim.Reference)) {
			t.Fault = settlement.ReferenceMismatch
		}
		out = append(out, t)
	}
	l.faultReturned(claim, out)
	return out
}

// transfer is the act as a transfer, with the fault that it has whatever the claim's amount and binding are.
func (l *ledger) transfer(c *Chain, claim settlement.Claim, token Token, a *act) Transfer {
	t := Transfer{
		Transfer: settlement.Transfer{Amount: settlement.NewAmount(a.amount), Position: a.place.String(), Index: -1},
		Source:   addressOf(l.keys[a.source]), Destination: addressOf(l.keys[a.destination]),
		Authority: addressOf(l.keys[a.authority]), Program: addressOf(a.program),
	}
	for _, account := range a.more {
		t.References = append(t.References, addressOf(l.keys[account]))
	}
	if a.kind == actTransfer {
		l.tokens(c, claim, token, a, &t)
		return t
	}
	t.Payer, t.Payee = t.Source, t.Destination
	if l.tokenBefore[a.destination] != nil || l.tokenAfter[a.destination] != nil { // lamports for a token account
		t.Fault = settlement.PayeeMismatch
	}
	return t
}

// listed are the transfers of listed tokens to whomever, each with the fault that it has for its payee. payee is whose
// account it may be that is gone at the end.
func (l *ledger) listed(c *Chain, payee settlement.Address) []settlement.Transfer {
	var out []settlement.Transfer
	for i := range l.acts {
		a := &l.acts[i]
		var mint settlement.Address // empty: the native coin
		switch a.kind {
		case actNative:
		case actTransfer:
			mint = addressOf(a.mint)
		default:
			continue
		}
		token, ok := c.tokens[mint]
		if !ok {
			continue
		}
		want := settlement.Transfer{Token: mint, Payee: payee}
		for _, b := range []*tokenBalance{l.tokenBefore[a.destination], l.tokenAfter[a.destination]} {
			if owner := ownerOf(b); owner != "" {
				want.Payee = owner
			}
		}
		out = append(out, l.transfer(c, settlement.Claim{Want: want}, token, a).Transfer)
	}
	return out
}

func (l *ledger) memos() []string {
	var out []string
	for i := range l.acts {
		if l.acts[i].kind == actMemo {
			out = append(out, string(l.acts[i].memo))
		}
	}
	return out
}

// tokens fills in what the balances say about a transfer of tokens.
func (l *ledger) tokens(c *Chain, claim settlement.Claim, token Token, a *act, t *Transfer) {
	t.Token, t.Payer = addressOf(a.mint), ownerOf(l.tokenBefore[a.source])
	after := l.tokenAfter[a.destination]
	if t.Payee = ownerOf(after); after == nil {
		t.Payee = ownerOf(l.tokenBefore[a.destination])
	}
	wanted := t.Token == claim.Want.Token
	var associated settlement.Address
	if wanted && (t.Payee == claim.Want.Payee || t.Payee == "") {
		associated = c.associated(claim.Want.Payee, t.Program, t.Token)
		if after == nil && t.Payee == "" && t.Destination == associated {
			t.Payee = claim.Want.Payee
		}
	}
	arrived, withheld, known := l.arrived(a)
	t.Amount, t.Withheld = settlement.NewAmount(arrived), settlement.NewAmount(withheld)
	switch {
	case wanted && token.Program != "" && (token.Program != t.Program || !l.hasDecimals(a, token.Decimals)):
		t.Fault = settlement.TokenMismatch
	case associated != "" && t.Destination != associated && !token.AnyAccount:
		t.Fault = settlement.PayeeMismatch
	case after == nil:
		t.Fault = settlement.DestinationClosed
	case !known:
		t.Fault = settlement.TransferAmbiguous
	}
}

// hasDecimals: the balances of the accounts carry the decimals of the mint.
func (l *ledger) hasDecimals(a *act, decimals uint8) bool {
	for _, b := range []*tokenBalance{l.tokenBefore[a.source], l.tokenAfter[a.destination]} {
		if b != nil && b.decimals != decimals {
			return false
		}
	}
	return true
}

// arrived is what the transfer added to its destination, and what the mint withheld. It is not known when the
// destination's balance changed by something that we did not read.
func (l *ledger) arrived(a *act) (arrived, withheld uint64, known bool) {
	arrived, withheld = a.amount-a.fee, a.fee
	after := l.tokenAfter[a.destination]
	if after == nil {
		return arrived, withheld, false
	}
	var in, out total // of the destination: what it had and got, what went away and is left
	in.add(amountOf(l.tokenBefore[a.destination]))
	out.add(after.amount)
	touches := 0
	for i := range l.acts {
		other := &l.acts[i]
		if other.kind != actTransfer && other.kind != actMint && other.kind != actBurn {
			continue
		}
		if other.kind != actBurn && other.destination == a.destination {
			in.add(other.amount - other.fee)
			touches++
		}
		if other.kind != actMint && other.source == a.destination {
			out.add(other.amount)
			touches++
		}
	}
	switch missing := in.low - out.low; {
	case in == out:
		return arrived, withheld, true
	case touches == 1 && in.cmp(out) > 0 && in.high == out.high && missing <= arrived && addressOf(a.program) == token2022Program:
		return arrived - missing, withheld + missing, true
	}
	return arrived, withheld, false
}

func amountOf(b *tokenBalance) uint64 {
	if b == nil {
		return 0
	}
	return b.amount
}

// faultReturned marks what arrived in an account and left it again in the same transaction, by whoever's hand, so that
// less than the price stays. What settled other payments does not stay for this one.
//
// Source: step 9 and S-19 of the verification rules.
func (l *ledger) faultReturned(claim settlement.Claim, transfers []Transfer) {
	for i := range transfers {
		t := &transfers[i]
		if t.Fault != "" || t.Token == "" || t.Token != claim.Want.Token || t.Payee != claim.Want.Payee {
			continue
		}
		place := slices.IndexFunc(l.keys, func(k key) bool { return addressOf(k) == t.Destination })
		before, after := settlement.NewAmount(amountOf(l.tokenBefore[place])), settlement.NewAmount(amountOf(l.tokenAfter[place]))
		left := false
		for j := range l.acts {
			a := &l.acts[j]
			left = left || (a.kind == actTransfer || a.kind == actBurn) && int(a.source) == place
		}
		for _, other := range transfers {
			if other.Destination == t.Destination && claim.Used[other.Position] {
				after = after.Sub(other.Amount)
			}
		}
		if left && after.Cmp(before.Add(claim.Want.Amount)) < 0 {
			t.Fault = settlement.AmountMismatch
		}
	}
}

// hasMemo reports whether a Memo instruction holds exactly that text; no text is always there.
func (l *ledger) hasMemo(memo string) bool {
	return memo == "" || slices.ContainsFunc(l.acts, func(a act) bool { return a.kind == actMemo && bytes.Equal(a.memo, []byte(memo)) })
}

// refers reports whether the transfer's own instruction names the reference beyond the accounts that it needs.
func (l *ledger) refers(a *act, reference settlement.Address) bool {
	return reference == "" || slices.ContainsFunc(a.more, func(i byte) bool { return addressOf(l.keys[i]) == reference })
}
