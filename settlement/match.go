package settlement

import "slices"

// Judge decides a claim on the transfers of one transaction that is final, canonical and successful. seen holds them in
// the order of their positions.
//
// Fields are checked in the order token, payee, payer, amount, consumed, time, so that the same bad payment always gets
// the same code. All fields must fit in ONE transfer. Of several that fit, the lowest unused one wins: equal transfers
// are interchangeable, and consuming one by its position keeps it from paying a second order. The verdict carries no
// evidence; the caller adds what it saw.
//
// Source: the funnel of the verification rules; E-34, E-46, E-47, E-48, C-09 to C-12.
func Judge(claim Claim, block Block, seen []Transfer) Verdict {
	if claim.Valid() != "" { // a price of nothing would be paid by anybody's transfer of nothing
		return Verdict{Code: IntentInvalid}
	}
	if len(seen) == 0 {
		return Verdict{Code: NoTransfer}
	}
	kept := keep(seen, func(t Transfer) bool { return t.Token == claim.Want.Token })
	if len(kept) == 0 {
		return Verdict{Code: TokenMismatch, Transfer: nearest(seen, claim)}
	}
	last := kept
	if kept = keep(kept, func(t Transfer) bool { return t.Payee == claim.Want.Payee }); len(kept) == 0 {
		return Verdict{Code: PayeeMismatch, Transfer: nearest(last, claim)}
	}
	last = kept
	if len(claim.Payers) > 0 {
		kept = keep(kept, func(t Transfer) bool { return slices.Contains(claim.Payers, t.Payer) })
		if len(kept) == 0 {
			return Verdict{Code: PayerMismatch, Transfer: nearest(last, claim)}
		}
	}
	last = kept
	if kept = keep(kept, func(t Transfer) bool { return t.Amount.Cmp(claim.Want.Amount) == 0 }); len(kept) == 0 {
		close := nearest(last, claim)
		detail := Over
		if close.Amount.Cmp(claim.Want.Amount) < 0 {
			detail = Under
		}
		return Verdict{Code: AmountMismatch, Detail: detail, Transfer: close}
	}
	paid := last
	last = kept
	if kept = keep(kept, func(t Transfer) bool { return !claim.Used[t.Position] }); len(kept) == 0 {
		return Verdict{Code: TransferAlreadyUsed, Transfer: &last[0]}
	}
	if returned(claim, seen, paid) {
		return Verdict{Code: AmountMismatch, Detail: Returned, Transfer: &kept[0]}
	}
	if !claim.NotBefore.IsZero() && block.Time.Before(claim.NotBefore) ||
		claim.NotBeforeBlock > 0 && block.Number <= claim.NotBeforeBlock {
		return Verdict{Code: PaymentStale, Transfer: &kept[0]}
	}
	if !claim.NotAfter.IsZero() && block.Time.After(claim.NotAfter) {
		return Verdict{Code: PaymentLate, Transfer: &kept[0]}
	}
	return Verdict{Code: Verified, Transfer: &kept[0]}
}

// returned reports whether the same transaction sends so much of the token back from the payee to the payers that less
// than the price stays. What settled other payments does not count as arrived: one sum cannot stay for two.
func returned(claim Claim, seen, paid []Transfer) bool {
	var arrived, back Amount
	for _, t := range paid {
		if !claim.Used[t.Position] {
			arrived = arrived.Add(t.Amount)
		}
	}
	for _, t := range seen {
		if t.Token == claim.Want.Token && t.Payer == claim.Want.Payee && t.Payee != claim.Want.Payee &&
			(len(claim.Payers) == 0 || slices.Contains(claim.Payers, t.Payee)) {
			back = back.Add(t.Amount)
		}
	}
	return !back.IsZero() && arrived.Sub(back).Cmp(claim.Want.Amount) < 0
}

func keep(transfers []Transfer, fits func(Transfer) bool) []Transfer {
	var kept []Transfer
	for _, t := range transfers {
		if fits(t) {
			kept = append(kept, t)
		}
	}
	return kept
}

// nearest is the transfer that shares most fields with the claim, for people to read; the first of equals.
func nearest(transfers []Transfer, claim Claim) *Transfer {
	var best *Transfer
	most := -1
	for i := range transfers {
		t, shared := &transfers[i], 0
		if t.Payee == claim.Want.Payee {
			shared += 4
		}
		if slices.Contains(claim.Payers, t.Payer) {
			shared += 2
		}
		if t.Amount.Cmp(claim.Want.Amount) == 0 {
			shared++
		}
		if shared > most {
			best, most = t, shared
		}
	}
	return best
}

// Valid reports why a claim could never be paid, or "" when it could: INTENT_INVALID in every case.
//
// Source: E-29, E-30, E-59 of the verification rules.
func (c Claim) Valid() (problem string) {
	switch {
	case c.Want.Amount.IsZero():
		return "the amount is zero"
	case c.Want.Payee == "" || isZero(c.Want.Payee):
		return "the payee is the zero address"
	case c.Want.Payee == c.Want.Token:
		return "the payee is the token itself"
	case slices.ContainsFunc(c.Payers, isZero):
		return "the payer is the zero address"
	case slices.Contains(c.Payers, c.Want.Payee):
		return "payer and payee are the same account"
	}
	return ""
}

func isZero(a Address) bool {
	for i := range len(a) {
		if a[i] != 0 {
			return false
		}
	}
	return true
}
