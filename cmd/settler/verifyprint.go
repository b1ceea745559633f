package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
)

// unknown is the answer of a look that could not be made: it says nothing about the payment.
const unknown settlement.Outcome = "unknown"

// evmAnswer is what settler verify evm prints.
type evmAnswer struct {
	Verdict    settlement.Outcome `json:"verdict"` // confirmed, rejected, pending, unknown
	Code       settlement.Code    `json:"code"`
	Detail     string             `json:"detail,omitempty"` // of AMOUNT_MISMATCH
	Reason     string             `json:"reason"`           // for people
	MoneyMoved bool               `json:"money_moved,omitempty"`
	RetryAfter string             `json:"retry_after,omitempty"` // what the endpoint asked for: "30s"
	Transfer   *evmTransfer       `json:"transfer,omitempty"`    // the one that pays, or came nearest
	Transfers  []evmTransfer      `json:"transfers,omitempty"`   // all that were seen
	Evidence   *evmEvidence       `json:"evidence,omitempty"`

	claim    settlement.Claim
	nearest  *settlement.Transfer
	decimals *uint8 // of the claim's token; nil when not known
}

type evmTransfer struct {
	Token    string            `json:"token"` // contract, or "native"
	Payer    string            `json:"payer"`
	Payee    string            `json:"payee"`
	Amount   settlement.Amount `json:"amount"` // base units
	Position string            `json:"position"`
	Index    *int              `json:"index,omitempty"` // among the transaction's own logs
}

// evmEvidence leaves the time out when the block could not be read.
type evmEvidence struct {
	settlement.Evidence
	BlockTime *time.Time `json:"block_time,omitempty"`
}

func newEVMAnswer(claim settlement.Claim, look evm.Look) evmAnswer {
	v := look.Verdict
	answer := evmAnswer{
		Verdict: v.Outcome(), Code: v.Code, Detail: v.Detail, Reason: reasonOf(v), MoneyMoved: v.Code.MoneyMoved(),
		claim: claim, nearest: v.Transfer,
	}
	for _, t := range look.Transfers {
		answer.Transfers = append(answer.Transfers, newEVMTransfer(t))
	}
	if v.Transfer != nil {
		answer.Transfer = new(newEVMTransfer(*v.Transfer))
	}
	if v.Evidence != nil {
		answer.Evidence = &evmEvidence{Evidence: *v.Evidence}
		if at := v.Evidence.BlockTime; !at.IsZero() {
			answer.Evidence.BlockTime = &at
		}
	}
	return answer
}

func newEVMTransfer(t settlement.Transfer) evmTransfer {
	out := evmTransfer{
		Token: tokenText(t.Token), Payer: evm.FormatAddress(t.Payer), Payee: evm.FormatAddress(t.Payee), Amount: t.Amount,
		Position: t.Position,
	}
	if t.Index >= 0 {
		out.Index = &t.Index
	}
	return out
}

func failedLook(err error) evmAnswer {
	answer := evmAnswer{
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

func (a *evmAnswer) exit() exitStatus {
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

func tokenText(a settlement.Address) string {
	if a == "" {
		return "native"
	}
	return evm.FormatAddress(a)
}

// text is the answer for people.
func (a *evmAnswer) text() string {
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
		fmt.Fprintf(&out, "\nblock     %d, %s\n          %s\n", e.Block, at, e.BlockHash)
		fmt.Fprintf(&out, "finality  %s: final up to block %d\n", e.Finality, e.Head)
		if e.TxSender != "" {
			fmt.Fprintf(&out, "sent by   %s\n", e.TxSender)
		}
	}
	if len(a.Transfers) > 0 {
		out.WriteString("\ntransfers in this transaction\n")
		a.writeTransfers(&out)
	}
	return out.String()
}

// writeFields sets what was wanted beside what came nearest.
func (a *evmAnswer) writeFields(out *strings.Builder) {
	want := a.claim.Want
	rows := [][2]string{
		{"token", tokenText(want.Token)},
		{"payee", evm.FormatAddress(want.Payee)},
		{"payer", evm.FormatAddress(want.Payer)},
		{"amount", a.amountText(want.Amount)},
	}
	var got []string
	if near := a.nearest; near != nil {
		amount := near.Amount.String()
		if near.Token == want.Token {
			amount = a.amountText(near.Amount)
		}
		got = []string{tokenText(near.Token), evm.FormatAddress(near.Payee), evm.FormatAddress(near.Payer), amount}
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

func (a *evmAnswer) amountText(amount settlement.Amount) string {
	if a.decimals == nil {
		return amount.String()
	}
	return amount.String() + " (" + amount.Major(*a.decimals) + ")"
}

func (a *evmAnswer) writeTransfers(out *strings.Builder) {
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
		return "The payer paid the payee in this token, another amount."
	case settlement.PaymentStale:
		return "The transfer fits and is older than it may be."
	case settlement.PaymentLate:
		return "The transfer fits and is younger than it may be."
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
