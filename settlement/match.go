package settlement

import "slices"

// Judge decides a claim on the transfers of one transaction that is final, canonical and successful. seen holds them in
// the order of their positions.
//
// Fields are checked in the order token, payee, payer, amount, reference, consumed, time, so that the same bad payment
// always gets the same code. All fields must fit in ONE transfer, unless the policy adds up. Of several that fit, the
// lowest unused one wins: equal transfers are interchangeable, and consuming one by its position keeps it from paying a
// second order. The verdict carries no evidence; the caller adds what it saw.
//
// Source: the funnel of the verification rules; E-34, E-40, E-46, E-47, E-48, E-52, S-12, S-14, S-17, S-19, S-38, S-39,
// C-09 to C-12.
func Judge(claim Claim, block Block, seen []Transfer) Verdict {
	switch {
	case claim.Valid() != "": // a price of nothing would be paid by anybody's transfer of nothing
		return Verdict{Code: IntentInvalid}
	case !claim.Policy.Accepts():
		return Verdict{Code: TokenUnsupported}
	case len(seen) == 0:
		return Verdict{Code: NoTransfer}
	}
	kept := keep(seen, func(t Transfer) bool { return t.Token == claim.Want.Token && t.Fault != TokenMismatch })
	if len(kept) == 0 {
		return Verdict{Code: TokenMismatch, Transfer: nearest(seen, claim)}
	}
	last := kept
	kept = keep(kept, func(t Transfer) bool { return t.Payee == claim.Want.Payee && t.Fault != PayeeMismatch })
	if len(kept) == 0 {
		return Verdict{Code: PayeeMismatch, Transfer: nearest(last, claim)}
	}
	last = kept
	named := keep(kept, func(t Transfer) bool { return t.names(claim.Instrument) })
	switch {
	case len(named) > 0:
		kept, claim.Payers = named, nil
	case len(claim.Payers) > 0 || claim.Instrument != "":
		kept = keep(kept, func(t Transfer) bool { return slices.Contains(claim.Payers, t.Payer) })
		if len(kept) == 0 && claim.AnyPayer {
			kept = keep(last, func(t Transfer) bool { return t.fromOutside() && t.Amount.Cmp(claim.Want.Amount) == 0 })
			for _, t := range kept {
				claim.Payers = append(slices.Clip(claim.Payers), t.Payer)
			}
		}
		switch {
		case len(kept) > 0:
		case len(claim.Payers) > 0:
			return Verdict{Code: PayerMismatch, Transfer: nearest(last, claim)}
		default:
			return Verdict{Code: ReferenceMismatch, Transfer: nearest(last, claim)}
		}
	}
	paid := kept
	detail := ""
	if kept = keep(paid, func(t Transfer) bool { return t.Amount.Cmp(claim.Want.Amount) == 0 }); len(kept) == 0 {
		kept = keep(paid, claim.tolerates)
	}
	var parts []Transfer
	if len(kept) == 0 && claim.Policy.Sum {
		if parts, detail = sum(claim, paid); parts != nil {
			kept = parts[:1]
		}
	}
	part := len(kept) == 0 && claim.Parts
	if part {
		kept = keep(paid, func(t Transfer) bool { return !t.Amount.IsZero() && t.Amount.Cmp(claim.Want.Amount) < 0 })
	}
	if len(kept) == 0 {
		close := nearest(paid, claim)
		return Verdict{Code: AmountMismatch, Detail: difference(claim, seen, *close), Transfer: close}
	}
	last = kept
	if kept = keep(kept, func(t Transfer) bool { return t.Fault == "" }); len(kept) == 0 {
		fault := Verdict{Code: last[0].Fault, Transfer: &last[0]}
		if fault.Code == AmountMismatch {
			fault.Detail = Returned
		}
		return fault
	}
	last = kept
	if claim.Want.Authorization != "" {
		kept = keep(kept, func(t Transfer) bool { return t.Authorization == claim.Want.Authorization })
		if len(kept) == 0 {
			return Verdict{Code: ReferenceMismatch, Transfer: &last[0]}
		}
	}
	last = kept
	if kept = keep(kept, func(t Transfer) bool { return !claim.Used[t.Position] }); len(kept) == 0 {
		return Verdict{Code: TransferAlreadyUsed, Transfer: &last[0]}
	}
	if part && claim.Part != "" {
		last = kept
		if kept = keep(kept, func(t Transfer) bool { return t.Position == claim.Part }); len(kept) == 0 {
			return Verdict{Code: AmountMismatch, Detail: Under, Transfer: &last[0]}
		}
	}
	pays, least := &kept[0], claim.Want.Amount
	if parts == nil && pays.Amount.Cmp(least) < 0 {
		least = pays.Amount
	}
	switch {
	case len(kept) > 1 && claim.Policy.OneFit && !part:
		return Verdict{Code: TransferAmbiguous, Transfer: pays}
	case returned(claim, seen, paid, least, part):
		return Verdict{Code: AmountMismatch, Detail: Returned, Transfer: pays}
	case !claim.NotBefore.IsZero() && block.Time.Before(claim.NotBefore),
		claim.NotBeforeBlock > 0 && block.Number <= claim.NotBeforeBlock:
		return Verdict{Code: PaymentStale, Transfer: pays}
	case !claim.NotAfter.IsZero() && block.Time.After(claim.NotAfter):
		return Verdict{Code: PaymentLate, Transfer: pays}
	case part:
		return Verdict{Code: AmountMismatch, Detail: Part, Transfer: pays}
	case parts == nil && pays.Amount.Cmp(claim.Want.Amount) < 0:
		return Verdict{Code: Verified, Detail: Under, Transfer: pays}
	case parts == nil && pays.Amount.Cmp(claim.Want.Amount) > 0:
		return Verdict{Code: Verified, Detail: Over, Transfer: pays}
	default:
		return Verdict{Code: Verified, Detail: detail, Transfer: pays, Parts: parts}
	}
}

// Funnel names the steps of Judge and, for each, the codes that say what is missing there; in its order, for people to read.
var Funnel = []struct {
	Name  string
	Codes []Code
}{
	{"transfers", []Code{NoTransfer}},
	{"token", []Code{TokenMismatch}},
	{"payee", []Code{PayeeMismatch}},
	{"payer", []Code{PayerMismatch}},
	{"amount", []Code{AmountMismatch}},
	{"arrived", []Code{DestinationClosed}},
	{"reference", []Code{ReferenceMismatch}},
	{"unused", []Code{TransferAlreadyUsed, TransferAmbiguous}},
	{"time", []Code{PaymentStale, PaymentLate}},
}

// sum is the unused transfers of the first payer whose together are the price; nil when nobody's are.
func sum(claim Claim, paid []Transfer) (parts []Transfer, detail string) {
	for _, first := range paid {
		parts := keep(paid, func(t Transfer) bool {
			return t.Payer == first.Payer && !t.Amount.IsZero() && t.Fault == "" && !claim.Used[t.Position]
		})
		var total Amount
		for _, t := range parts {
			total = total.Add(t.Amount)
		}
		switch cmp := total.Cmp(claim.Want.Amount); {
		case len(parts) < 2:
		case cmp == 0:
			return parts, ""
		case cmp > 0 && claim.Policy.AtLeast:
			return parts, Over
		}
	}
	return nil, ""
}

// tolerates reports whether a transfer that is not the price pays all the same.
func (c Claim) tolerates(t Transfer) bool {
	if t.Amount.Cmp(c.Want.Amount) < 0 {
		return !t.Amount.IsZero() && t.Amount.Cmp(c.Want.Amount.Sub(c.Under)) >= 0
	}
	return c.Policy.AtLeast || t.Amount.Cmp(c.Want.Amount.Add(c.Over)) <= 0
}

// difference says in which way the amount is not the price.
func difference(claim Claim, seen []Transfer, close Transfer) string {
	if close.Amount.Cmp(claim.Want.Amount) > 0 {
		return Over
	}
	if !close.Withheld.IsZero() && close.Amount.Add(close.Withheld).Cmp(claim.Want.Amount) >= 0 {
		return FeeWithheld
	}
	var sent Amount
	for _, t := range seen {
		if t.Token == close.Token && t.Payer == close.Payer && t.Payee != close.Payer {
			sent = sent.Add(t.Amount)
		}
	}
	if !close.Amount.IsZero() && sent.Cmp(close.Amount) > 0 && sent.Cmp(claim.Want.Amount) == 0 &&
		!slices.ContainsFunc(seen, func(t Transfer) bool { return t.Payee == close.Payee && t.Position != close.Position }) {
		return FeeWithheld
	}
	return Under
}

// returned reports whether the same transaction sends so much of the token back from the payee to the payers that less
// than the price stays. What settled other payments does not count as arrived: one sum cannot stay for two.
func returned(claim Claim, seen, paid []Transfer, least Amount, part bool) bool {
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
	return !back.IsZero() && (part || arrived.Sub(back).Cmp(least) < 0)
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
