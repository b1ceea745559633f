package settlement

// OpenPayment is a payment that a transfer could pay, or pay twice, as far as whose transfer it is needs to know.
type OpenPayment struct {
	ID    PaymentID
	Terms Terms
	// Settled: another transfer has paid it already; this one would be a second.
	Settled bool
	// Received is what its consumed transfers brought.
	Received Amount
	// Signed: the transfer's payer has signed that the transaction pays this payment.
	Signed bool
}

// Claim is the claim that the transaction pays the payment, on behalf of the transfer's payer where he has signed it.
func (p OpenPayment) Claim(id TxID, t Transfer) Claim {
	if p.Signed {
		return p.Terms.Claim(id).WithSigners(t.Payer)
	}
	return p.Terms.Claim(id)
}

// Attribution says that a transfer concerns a payment. With an empty Code the transfer is this payment's and the funnel
// decides; else the code is the verdict whatever the funnel says.
type Attribution struct {
	Payment PaymentID
	Code    Code
}

// Attribute decides which of the open payments the transfer concerns. open holds payments of one chain that were open
// when the transfer's block was made, with the transfer's token and payee.
//
// A reference of the payment alone, or a vault of its own as the payee, decides first; then what the payer himself signed: at
// the price which payment this very transaction pays, before whose pairing he made, and both at any amount after that.
// Without, a payer that is merely named counts only when no other open payment asks for the same token, payee and amount: an
// unproven name could be somebody else's wallet, named by a stranger who saw him pay. A payment that takes anybody's money
// comes last, where no other one fits in any way, open or settled. The price of a payment that has parts is what is still
// missing. Who handed in a transaction id never matters. Two payments left: ambiguous, never a guess.
//
// Source: "Which order does a transfer pay?" of the design; C-01, C-02, E-29 of the verification rules.
func Attribute(t Transfer, open []OpenPayment) []Attribution {
	if t.Amount.IsZero() { // anybody can log a transfer of nothing in another's name
		return nil
	}
	is := func(payer Address) bool { return payer != "" && payer == t.Payer }
	var bound, signed, signedExact, proven, provenExact, named, namedExact, exact, settled []OpenPayment
	for _, p := range open {
		if t.names(p.Terms.Reference) || p.Terms.Custody == CustodyVault && p.Terms.Payee == t.Payee {
			bound = append(bound, p)
		}
		isExact := p.Terms.Amount.Sub(p.Received).Cmp(t.Amount) == 0
		if p.Settled {
			if p.Terms.Amount.Cmp(t.Amount) == 0 && (is(p.Terms.ProvenPayer) || is(p.Terms.NamedPayer)) {
				settled = append(settled, p)
			}
			continue
		}
		if isExact {
			exact = append(exact, p)
		}
		switch {
		case p.Signed:
			signed = append(signed, p)
			if isExact {
				signedExact = append(signedExact, p)
			}
		case is(p.Terms.ProvenPayer):
			proven = append(proven, p)
			if isExact {
				provenExact = append(provenExact, p)
			}
		case is(p.Terms.NamedPayer):
			named = append(named, p)
			if isExact {
				namedExact = append(namedExact, p)
			}
		}
	}
	switch {
	case len(bound) == 1:
		return attribute(bound, "")
	case len(bound) > 1:
		return attribute(bound, TransferAmbiguous)
	case len(signedExact) == 1:
		return attribute(signedExact, "")
	case len(signedExact) > 1:
		return attribute(signedExact, TransferAmbiguous)
	case len(provenExact) == 1:
		return attribute(provenExact, "")
	case len(provenExact) > 1:
		return attribute(provenExact, TransferAmbiguous)
	case len(signed) == 1:
		return attribute(signed, "")
	case len(signed) > 1:
		return attribute(signed, TransferAmbiguous)
	case len(proven) == 1:
		return attribute(proven, "")
	case len(proven) > 1:
		return attribute(proven, TransferAmbiguous)
	case len(namedExact) == 1 && len(exact) == 1:
		return attribute(namedExact, "")
	case len(namedExact) > 0:
		return attribute(namedExact, TransferAmbiguous)
	case len(exact) == 1 && exact[0].Terms.AnyPayer && len(named) == 0 && len(settled) == 0 && t.fromOutside():
		return attribute(exact, "")
	case len(exact) == 1 && len(exact[0].Terms.Payers()) == 0:
		return attribute(exact, ReferenceMismatch)
	case len(exact) == 1:
		return attribute(exact, PayerMismatch)
	case len(exact) == 0 && len(named) == 1:
		return attribute(named, "")
	case len(exact) == 0 && len(settled) == 1:
		return attribute(settled, "") // a second payment of the same price by the same payer
	case len(exact) == 0 && len(settled) > 1:
		return attribute(settled, TransferAmbiguous)
	}
	return nil
}

func attribute(payments []OpenPayment, code Code) []Attribution {
	attributions := make([]Attribution, len(payments))
	for i, p := range payments {
		attributions[i] = Attribution{Payment: p.ID, Code: code}
	}
	return attributions
}
