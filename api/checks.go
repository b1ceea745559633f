package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// check is one step of judging a transfer: what the payment asks for beside what was seen.
type check struct {
	Check    string `json:"check" enum:"block,final,transfers,token,payee,payer,amount,arrived,reference,unused,time" doc:"In the order in which they are made." example:"payee"`
	Outcome  string `json:"outcome" enum:"passed,failed,waiting,not_reached" doc:"The first that fails is the verdict; those after it are not reached." example:"passed"`
	Expected string `json:"expected" doc:"What the payment asks for, for people; empty where the check has no value." example:"0x52908400098527886E0F7030069857D2E4169EE7"`
	Found    string `json:"found" doc:"What was seen, for people." example:"0x52908400098527886E0F7030069857D2E4169EE7"`
}

// checks is how the verdict on the transfer came about. A rejected transfer is the one that came nearest.
func (v render) checks(p settlement.Payment, t store.SeenTransfer) []check {
	s, terms := t.Sighting, p.Terms
	chain := terms.Token.Chain
	payers := make([]string, 0, 2)
	for _, payer := range terms.Payers() {
		payers = append(payers, v.address(chain, payer))
	}
	wallets := cmp.Or(strings.Join(payers, " or "), "any wallet")
	if terms.AnyPayer && len(payers) > 0 {
		wallets += ", or another one with the exact amount"
	}
	token := v.token(p, s.Transfer.Token)
	values := map[string][2]string{
		"transfers": {"moves a token", ""}, "arrived": {"in an account that stays", ""}, "unused": {"settles no other order", ""},
		"token":  {v.tokenText(terms.Token), v.tokenText(token)},
		"payee":  {v.address(chain, terms.Payee), v.address(chain, s.Transfer.Payee)},
		"payer":  {wallets, v.address(chain, s.Transfer.Payer)},
		"amount": {amountText(terms.Amount, terms.Token), amountText(s.Transfer.Amount, token)},
		"time":   {clock(terms.NotBefore) + " to " + clock(terms.Deadline.Add(terms.Grace+terms.Late)), clock(s.Block.Time)},
	}
	if terms.Reference != "" {
		found := make([]string, 0, len(s.Transfer.References))
		for _, key := range s.Transfer.References {
			found = append(found, v.address(chain, key))
		}
		values["reference"] = [2]string{v.address(chain, terms.Reference), strings.Join(found, ", ")}
	}
	checks := []check{{Check: "block", Outcome: "passed", Expected: string(t.Chain), Found: fmt.Sprintf("block %d", s.Block.Number)}, {Check: "final", Outcome: "passed"}}
	if e := s.Verdict.Evidence; e != nil {
		checks[1].Expected = string(e.Finality)
		checks[1].Found = fmt.Sprintf("final up to block %d", e.Head)
	}
	if w := v.waits(t); w != nil {
		checks[1].Outcome, checks[1].Found = "waiting", w.Text
	}
	outcome := "passed"
	if t.Status == store.TransferWithdrawn {
		checks[0].Outcome, checks[1].Outcome, outcome = "failed", "not_reached", "not_reached"
	}
	for _, step := range settlement.Funnel {
		c := check{Check: step.Name, Outcome: outcome, Expected: values[step.Name][0], Found: values[step.Name][1]}
		if outcome == "passed" && slices.Contains(step.Codes, s.Verdict.Code) && !s.Verdict.IsPart() {
			c.Outcome, outcome = "failed", "not_reached"
		}
		checks = append(checks, c)
	}
	return checks
}

func (v render) tokenText(t settlement.Token) string {
	return strings.TrimSpace(t.Symbol + " " + v.address(t.Chain, t.Address))
}

func amountText(a settlement.Amount, t settlement.Token) string {
	return strings.TrimSpace(a.Major(t.Decimals) + " " + t.Symbol)
}
