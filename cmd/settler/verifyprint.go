package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
)

// unknown is the answer of a look that could not be made: it says nothing about the payment.
const unknown settlement.Outcome = "unknown"

// verifyAnswer is what settler verify prints.
type verifyAnswer struct {
	Verdict    settlement.Outcome `json:"verdict"` // confirmed, rejected, pending, unknown
	Code       settlement.Code    `json:"code"`
	Detail     string             `json:"detail,omitempty"` // under, over, fee_withheld, returned, replaced
	Reason     string             `json:"reason"`           // for people
	MoneyMoved bool               `json:"money_moved,omitempty"`
	RetryAfter string             `json:"retry_after,omitempty"` // what the endpoint asked for: "30s"
	Transfer   *verifyTransfer    `json:"transfer,omitempty"`    // the one that pays, or came nearest
	Transfers  []verifyTransfer   `json:"transfers,omitempty"`   // all that were seen
	Evidence   *verifyEvidence    `json:"evidence,omitempty"`

	// Checks are those of the look in their order, where they were asked for.
	Checks []verifyCheck `json:"checks,omitempty"`

	claim    settlement.Claim
	format   func(settlement.Address) string // as this chain writes addresses
	nearest  *settlement.Transfer
	decimals *uint8 // of the claim's token; nil when not known
}

type verifyTransfer struct {
	Token    string            `json:"token"` // contract or mint, or "native"
	Payer    string            `json:"payer"`
	Payee    string            `json:"payee"`
	Amount   settlement.Amount `json:"amount"` // base units
	Position string            `json:"position"`
	Index    *int              `json:"index,omitempty"` // among the transaction's own logs
	Fault    settlement.Code   `json:"fault,omitempty"` // why it pays nothing although it may fit
}

// verifyEvidence leaves the time out when the block could not be read.
type verifyEvidence struct {
	settlement.Evidence
	BlockTime *time.Time `json:"block_time,omitempty"`
}

func newVerifyAnswer(
	claim settlement.Claim, v settlement.Verdict, transfers []settlement.Transfer, format func(settlement.Address) string,
) verifyAnswer {
	answer := verifyAnswer{
		Verdict: v.Outcome(), Code: v.Code, Detail: v.Detail, Reason: reasonOf(v), MoneyMoved: v.Code.MoneyMoved(),
		claim: claim, format: format, nearest: v.Transfer,
	}
	for _, t := range transfers {
		answer.Transfers = append(answer.Transfers, answer.transfer(t))
	}
	if v.Transfer != nil {
		answer.Transfer = new(answer.transfer(*v.Transfer))
	}
	if v.Evidence != nil {
		answer.Evidence = &verifyEvidence{Evidence: *v.Evidence}
		if at := v.Evidence.BlockTime; !at.IsZero() {
			answer.Evidence.BlockTime = &at
		}
	}
	return answer
}

func (a *verifyAnswer) transfer(t settlement.Transfer) verifyTransfer {
	out := verifyTransfer{
		Token: a.token(t.Token), Payer: a.format(t.Payer), Payee: a.format(t.Payee), Amount: t.Amount,
		Position: t.Position, Fault: t.Fault,
	}
	if t.Index >= 0 {
		out.Index = &t.Index
	}
	return out
}

func failedLook(err error) verifyAnswer {
	answer := verifyAnswer{
		Verdict: unknown, Code: settlement.LookCode(err), Reason: "the chain could not be read: " + err.Error(),
	}
	if look, ok := errors.AsType[*settlement.LookError](err); ok {
		answer.Reason = "the chain could not be read: " + look.Err.Error()
		if look.RetryAfter > 0 {
			answer.RetryAfter = look.RetryAfter.Round(time.Second).String()
		}
	}
	return answer
}

func (a *verifyAnswer) exit() exitStatus {
	switch a.Verdict {
	case settlement.Confirmed:
		return exitConfirmed
	case settlement.Rejected:
		return exitRejected
	case settlement.Pending:
		return exitPending
	}
	return exitUnknown
}

func (a *verifyAnswer) token(address settlement.Address) string {
	if address == "" {
		return "native"
	}
	return a.format(address)
}

// text is the answer for people.
func (a *verifyAnswer) text() string {
	var out strings.Builder
	code := string(a.Code)
	if a.Detail != "" {
		code += " (" + a.Detail + ")"
	}
	fmt.Fprintf(&out, "%s  %s\n%s\n", strings.ToUpper(string(a.Verdict)), code, a.Reason)
	if a.RetryAfter != "" {
		fmt.Fprintf(&out, "The endpoint asks to be left alone for %s.\n", a.RetryAfter)
	}
	if a.claim.TxID != "" {
		a.writeFields(&out)
	}
	if e := a.Evidence; e != nil {
		at := "not known"
		if e.BlockTime != nil {
			at = e.BlockTime.Format("2006-01-02 15:04:05 UTC")
		}
		fmt.Fprintf(&out, "\nblock     %d, %s\n", e.Block, at)
		if e.BlockHash != "" {
			fmt.Fprintf(&out, "          %s\n", e.BlockHash)
		}
		fmt.Fprintf(&out, "finality  %s: final up to block %d\n", e.Finality, e.Head)
		if e.TxSender != "" {
			fmt.Fprintf(&out, "sent by   %s\n", e.TxSender)
		}
	}
	if len(a.Transfers) > 0 {
		out.WriteString("\ntransfers in this transaction\n")
		a.writeTransfers(&out)
	}
	writeChecks(&out, a.Checks)
	return out.String()
}

// writeFields sets what was wanted beside what came nearest.
func (a *verifyAnswer) writeFields(out *strings.Builder) {
	want := a.claim.Want
	rows := [][2]string{
		{"token", a.token(want.Token)},
		{"payee", a.format(want.Payee)},
		{"payer", a.format(want.Payer)},
		{"amount", a.amountText(want.Amount)},
	}
	var got []string
	if near := a.nearest; near != nil {
		amount := near.Amount.String()
		if near.Token == want.Token {
			amount = a.amountText(near.Amount)
		}
		got = []string{a.token(near.Token), a.format(near.Payee), a.format(near.Payer), amount}
	}
	width := 0
	for _, row := range rows {
		width = max(width, len(row[1]))
	}
	if got == nil {
		out.WriteString("\n          want\n")
	} else {
		fmt.Fprintf(out, "\n          %-*s  got (%s)\n", width, "want", a.nearest.Position)
	}
	for i, row := range rows {
		switch {
		case got == nil:
			fmt.Fprintf(out, "%-8s  %s\n", row[0], row[1])
		case got[i] == row[1]:
			fmt.Fprintf(out, "%-8s  %-*s  same\n", row[0], width, row[1])
		default:
			fmt.Fprintf(out, "%-8s  %-*s  %s\n", row[0], width, row[1], got[i])
		}
	}
	for _, bound := range []struct {
		name string
		at   time.Time
	}{{"from", a.claim.NotBefore}, {"until", a.claim.NotAfter}} {
		if !bound.at.IsZero() {
			fmt.Fprintf(out, "%-8s  %s\n", bound.name, bound.at.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
	}
}

func (a *verifyAnswer) amountText(amount settlement.Amount) string {
	if a.decimals == nil {
		return amount.String()
	}
	return amount.String() + " (" + amount.Major(*a.decimals) + ")"
}

func (a *verifyAnswer) writeTransfers(out *strings.Builder) {
	position, amount, token := 0, 0, 0
	for _, t := range a.Transfers {
		position, amount, token = max(position, len(t.Position)), max(amount, len(t.Amount.String())), max(token, len(t.Token))
	}
	for _, t := range a.Transfers {
		fmt.Fprintf(out, "%-*s  %s -> %s  %*s  %-*s\n", position, t.Position, t.Payer, t.Payee, amount, t.Amount.String(), token, t.Token)
	}
}

// reasonOf says in a sentence what a code means for the reader.
func reasonOf(v settlement.Verdict) string {
	switch v.Code {
	case settlement.Verified:
		return "A final transfer fits in every field."
	case settlement.TokenUnsupported:
		return "The token is not one that counts."
	case settlement.TxFailed:
		return "The transaction was carried out and failed: it moved nothing."
	case settlement.TxStatusUnprovable:
		return "The receipt does not say whether the transaction succeeded."
	case settlement.NoTransfer:
		return "The transaction succeeded and moves no token in a form that counts (native coin: only a transaction's own value)."
	case settlement.TokenMismatch:
		return "The transaction moves tokens, but not this one."
	case settlement.PayeeMismatch:
		return "The transaction moves this token, but not to the payee."
	case settlement.PayerMismatch:
		return "The payee was paid in this token, by somebody else."
	case settlement.AmountMismatch:
		switch v.Detail {
		case settlement.Under:
			return "The payer paid the payee in this token, too little."
		case settlement.Over:
			return "The payer paid the payee in this token, too much."
		case settlement.Returned:
			return "The payment fits, and the same transaction sends so much back that less than the price stays."
		}
		if v.Detail == settlement.FeeWithheld {
			return "The payer sent the price in this token, and a part of it went elsewhere: less arrived."
		}
		return "The payer paid the payee in this token, another amount."
	case settlement.DestinationClosed:
		return "The payer paid into an account that no longer exists at the end of the transaction."
	case settlement.TransferAmbiguous:
		return "More than this transfer moved the payee's balance, in a form that does not count: a person must look."
	case settlement.ReferenceMismatch:
		return "The transfer fits, but the memo or reference that was demanded is not there."
	case settlement.PaymentStale:
		return "The transfer fits and is older than it may be."
	case settlement.PaymentLate:
		return "The transfer fits and is younger than it may be."
	case settlement.TransferAlreadyUsed:
		return "The transfer fits and has settled another order."
	case settlement.ProofExpired:
		return "The transaction is gone: another one of its sender took its place. Name that one."
	case settlement.TxNotFound:
		return "The endpoint does not know the transaction. That may change: look again."
	case settlement.TxPending:
		return "The transaction is known and in no block yet."
	case settlement.TxUnconfirmed:
		if v.Transfer != nil {
			return "A transfer fits; its block is not final yet."
		}
		return "The transaction's block is not final yet; nothing is judged before that."
	case settlement.TxReorged:
		return "The transaction's block was replaced by another."
	}
	return "The claim cannot be satisfied: " + string(v.Code) + "."
}
