package dashboard

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/settlement"
)

// actionNames is action → what people call it.
var actionNames = map[string]string{
	"freeze": "Freeze", "unfreeze": "Unfreeze", "release": "Release to the payee", "refund": "Refund to the payer", "accept": "Accept a transfer",
	"close": "Close", "attach": "Attach a transaction", "reverify": "Look again", "retry": "Retry", "note": "Leave a note",
	"statement": "Write down a statement", "evidence": "Hand in evidence", "decide": "Decide the dispute", "appeal": "Appeal",
	"split": "Split", "surplus": "Return the surplus",
}

// actionHelp is action → what it does.
var actionHelp = map[string]string{
	"freeze":   "Nothing moves until a person has decided.",
	"unfreeze": "The dispute ends without a decision; the payment goes on.",
	"release":  "The payee gets the money. Of a direct payment he has it: the orchestrator is told.",
	"refund":   "The payer gets the money back: what is held or, of a direct payment, from the operator's wallet.",
	"accept":   "A transfer that was seen counts: as what pays the order or, of a direct payment that is paid or closed, to be given back.",
	"close":    "Nothing more is to be done about it.",
	"attach":   "Look at this transaction. Only what the chain shows counts.",
	"reverify": "Look once more at the last transaction that was seen.",
	"retry":    "Do again what is for settler to do.",
	"note":     "Stays in the history.",

	"statement": "What a party of the dispute says.",
	"evidence":  "A document of a party: an image, PDF, ZIP, MP4 or text. It is kept for ever, under its SHA-256. What is too large is handed in by reference: settler dispute evidence --reference.",
	"decide":    "Who gets how much. Both parts together are what is held.",
	"appeal":    "A party does not accept the decision. There is one appeal.",
	"split":     "Both sides get a part of what is held.",
	"surplus":   "What came above the price goes back to the payer.",
}

// waitsFor is who acts next → how people say it.
var waitsFor = map[string]string{
	"us": "settler acts next", "payer": "waits for the payer", "chain": "waits for the chain", "marketplace": "waits for the marketplace",
	"person": "waits for a person", "nobody": "over",
}

// reasons is code, or code and detail → what it means for the payment.
var reasons = map[string]string{
	"AMOUNT_MISMATCH under": "Less than the price has arrived", "AMOUNT_MISMATCH over": "More than the price has arrived",
	"AMOUNT_MISMATCH fee_withheld": "A fee was taken on the way, so less than the price has arrived",
	"AMOUNT_MISMATCH returned":     "The money went back in the same transaction",
	"PAYER_MISMATCH":               "Another wallet has paid than those that count",
	"PAYMENT_LATE":                 "The money came too late",
	"PAYMENT_STALE":                "The money came before the order asked for it",
	"TRANSFER_AMBIGUOUS":           "The transfer fits several orders, or can be read in two ways",
	"TRANSFER_ALREADY_USED":        "The transfer settles another order",
	"DESTINATION_CLOSED":           "The money arrived in an account that is gone",
	"REFERENCE_MISMATCH":           "The transfer does not name the payment's reference",
	"TX_REORGED":                   "A block that was called final has left the chain",
	"RAIL_UNSUPPORTED":             "settler cannot carry out this way of paying",
	"CLOSED_BY_PERSON":             "Closed by a person",
}

// why says why a person must decide, or why the payment was closed.
func why(p api.PaymentSummary) string {
	if text, ok := reasons[p.Reason+" "+p.Detail]; ok {
		return text
	}
	text, ok := reasons[p.Reason]
	switch {
	case p.Reason == "":
		return "–"
	case !ok:
		text = words(p.Reason)
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// whyWaits is why for a list: of a dispute what is contested, and until when somebody must decide.
func whyWaits(i api.QueueItem, now time.Time) string {
	d := i.Dispute
	if d == nil {
		return why(i.PaymentSummary)
	}
	text := "Disputed without a reason; "
	if d.Reason != string(settlement.DisputeUnstated) {
		text = words(d.Reason) + ", says the " + d.Party + "; "
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	switch {
	case d.Decided:
		text += "decided"
	case d.DecideBy.After(now):
		text += "to be decided within " + age(d.DecideBy.Sub(now))
	default:
		text += "its decision is overdue by " + age(now.Sub(d.DecideBy))
	}
	if i.Reason != "" {
		text = why(i.PaymentSummary) + ". " + text
	}
	return text
}

// words makes words of a name: needs_review is needs review.
func words(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", " ") }

// tone is the colour of a state: who waits for whom.
func tone(state string) string {
	switch state {
	case "needs_review", "frozen", "failed", "reverted", "rejected":
		return "alert"
	case "released", "held", "verified", "passed", "confirmed", "final", "executed":
		return "good"
	case "closed", "expired", "refunded", "split", "cancelled", "not_reached", "stale":
		return "quiet"
	}
	return "busy"
}

// age is a duration as people say it, in its two largest units at most.
func age(d time.Duration) string {
	d = max(d, 0)
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case days >= 7 || days > 0 && hours == 0:
		return fmt.Sprintf("%d d", days)
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, hours)
	case hours > 0 && minutes > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	case hours > 0:
		return fmt.Sprintf("%d h", hours)
	case minutes > 0:
		return fmt.Sprintf("%d min", minutes)
	}
	return fmt.Sprintf("%d s", int(d.Seconds()))
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// adminFrom says from when on a caller who is young may decide about money.
func adminFrom(c api.Caller) string {
	if c.AdminFrom == nil {
		return ""
	}
	return "from " + clock(*c.AdminFrom) + " UTC on"
}

// short keeps the ends of an id, which is where people compare it.
func short(id string) string {
	if len(id) <= 20 {
		return id
	}
	return id[:10] + "…" + id[len(id)-6:]
}

func approvalsNeeded(n int) string {
	if n == 1 {
		return "Another person has to approve it"
	}
	return fmt.Sprintf("%d other people have to approve it", n)
}

// since is when the payment came into its state.
func since(p api.Payment) time.Time {
	at := p.CreatedAt
	for _, h := range p.History {
		if h.From != h.To {
			at = h.At
		}
	}
	return at
}

// major is an amount in major units, without zeros at its end beyond two digits.
func major(m api.Money) string {
	text := m.AmountMajor
	if whole, rest, ok := strings.Cut(text, "."); ok {
		rest = strings.TrimRight(rest, "0")
		for len(rest) < min(2, m.Decimals) {
			rest += "0"
		}
		text = whole
		if rest != "" {
			text += "." + rest
		}
	}
	return strings.TrimSpace(text + " " + m.Symbol)
}

// coins is an amount of a chain's own coin, which may have no name.
func coins(m api.Money) string {
	if m.Symbol == "" {
		m.Symbol = "of the chain's own coin"
	}
	return major(m)
}

// toDivide is what a decision divides, and how people say it: what is held or, of a direct payment, what the payee has.
func toDivide(p api.Payment) (there *api.Money, how string) {
	if p.Custody == "" {
		return p.Received, "have arrived at the payee"
	}
	return p.Held, "are held"
}

// units is an amount of the price's token in base units, for people.
func units(p api.Payment, amount string) string {
	if p.Price == nil {
		return amount
	}
	return unitsOf(p.Price.Money, amount)
}

// part is an amount of a request's token in base units, for people.
func part(a api.Approval, amount string) string { return unitsOf(a.Money, amount) }

// unitsOf is an amount in base units of the same token as the money's, for people.
func unitsOf(like api.Money, amount string) string {
	digits := strings.Repeat("0", max(0, like.Decimals+1-len(amount))) + amount
	point := len(digits) - like.Decimals
	return major(api.Money{Amount: amount, AmountMajor: digits[:point] + "." + digits[point:], Symbol: like.Symbol, Decimals: like.Decimals})
}

func actionName(action string) string {
	if name, ok := actionNames[action]; ok {
		return name
	}
	return words(action)
}

func actURL(payment, action string) string {
	return root + "/payments/" + payment + "/actions/" + action
}

func escape(text string) string { return url.QueryEscape(text) }

func orNative(token string) string {
	if token == "" {
		return "the chain's own coin"
	}
	return token
}

// custodyNames is who holds the money → how people say it.
var custodyNames = map[string]string{"": "a direct payment", "vault": "in a vault of this order", "none": "held by somebody else, not moved by us"}

func flagsOf(p api.PaymentSummary) []string {
	flags := make([]string, len(p.Flags))
	for i, f := range p.Flags {
		flags[i] = string(f)
	}
	return flags
}

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

var (
	states         = texts(settlement.States)
	flagNames      = texts(settlement.Flags)
	parties        = texts(settlement.Parties)
	disputeReasons = texts(settlement.DisputeReasons)
)

// checksText sums up the checks of a transfer.
func checksText(t api.Transfer) string {
	for _, c := range t.Checks {
		if c.Outcome == "failed" {
			return "Fails at the check: " + c.Check
		}
	}
	for _, c := range t.Checks {
		if c.Outcome == "waiting" {
			return "Every check passes, but it is not final yet"
		}
	}
	return fmt.Sprintf("All %d checks pass", len(t.Checks))
}

func waitsText(next string) string {
	if next == "nobody" {
		return "nothing more has to be done"
	}
	return waitsFor[next]
}

func approvers(a api.Approval) int {
	n := 0
	for _, v := range a.Votes {
		if v.Approve {
			n++
		}
	}
	return n
}

// people is how many people have to approve still.
func people(a api.Approval) string {
	if n := a.Needed - approvers(a); n != 1 {
		return fmt.Sprintf("%d people", n)
	}
	return "another person"
}

// defaultNames is what becomes of a dispute that nobody decides in time → how people say it.
var defaultNames = map[string]string{"none": "it stays frozen", "release": "the payee gets the money", "refund": "the payer gets it back"}

func reasonLabel(action string) string {
	switch action {
	case "statement":
		return "What is said"
	case "evidence":
		return "What it shows"
	}
	return "Reason"
}

// everywhere is what a halt is about.
func everywhere(chain string) string {
	if chain == "*" {
		return "on all chains"
	}
	return "on " + chain
}

func from(origin string) string {
	if origin == "" {
		return "at the database"
	}
	return "from " + origin
}
