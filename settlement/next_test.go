package settlement_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/settler-pay/settler/settlement"
)

const (
	payer    = settlement.Address("payer---------------")
	stranger = settlement.Address("stranger------------")
	payee    = settlement.Address("payee---------------")
	token    = settlement.Address("token---------------")

	txA = settlement.TxID("A-------------------------------")
	txB = settlement.TxID("B-------------------------------")
)

var (
	noon  = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	terms = settlement.Terms{
		Token: settlement.Token{Chain: "eip155:1", Address: token, Symbol: "USDC", Decimals: 6},
		Payee: payee, Amount: settlement.NewAmount(1_000_000), ProvenPayer: payer,
		NotBefore: noon, FromBlock: 100, Deadline: noon.Add(time.Hour), Grace: time.Minute,
	}
)

// amounts lets cmp compare amounts as a whole.
var amounts = cmpopts.EquateComparable(settlement.Amount{})

// paymentIn is a payment as it usually is in the state.
func paymentIn(state settlement.State) settlement.Payment {
	p := settlement.Payment{Version: 7, State: state, Terms: terms}
	p.Terms.Parts = true
	switch state {
	case settlement.StateNew:
		p.Terms = settlement.Terms{}
	case settlement.StateVerifying:
		p.Back, p.Named = settlement.StateAwaitingPayment, txA
	case settlement.StateConfirming:
		p.Back = settlement.StateExpired
	case settlement.StateFrozen:
		p.Back, p.PaidBy = settlement.StateHeld, txA
	case settlement.StateVerified, settlement.StateHeld, settlement.StateReleasePending, settlement.StateReleased,
		settlement.StateRefundPending, settlement.StateRefunded, settlement.StateSplitPending, settlement.StateSplit:
		p.PaidBy = txA
	}
	if state == settlement.StateRefundPending || state == settlement.StateRefunded { // given back
		p.Payout, p.PaidOut = settlement.PayoutRefund, txB
	}
	return p
}

// eventOf is a complete event about transaction A.
func eventOf(kind settlement.EventKind) settlement.Event {
	e := settlement.Event{ID: "1", Kind: kind, TxID: txA}
	switch kind {
	case settlement.EventIntentReady:
		e.Terms = &terms
	case settlement.EventTransactionNamed:
		e.TxID = txB
	case settlement.EventPaymentPart:
		e.Sighting = &settlement.Sighting{
			TxID: txA, Transfer: settlement.Transfer{Amount: settlement.NewAmount(1)},
			Verdict: settlement.Verdict{Code: settlement.AmountMismatch, Detail: settlement.Part},
		}
	case settlement.EventPayerProved:
		e.Proof = &settlement.PayerProof{TxID: txA, Signer: stranger}
	case settlement.EventTransferSeen, settlement.EventTransferWithdrawn, settlement.EventPaymentConfirmed,
		settlement.EventFinalityBroken, settlement.EventAcceptedAsPaid:
		e.Sighting = &settlement.Sighting{TxID: txA, Verdict: settlement.Verdict{Code: settlement.Verified}}
	case settlement.EventTransferAccepted:
		e.Sighting = &settlement.Sighting{TxID: txB, Verdict: settlement.Verdict{Code: settlement.Verified}}
	case settlement.EventPaymentMispaid:
		e.Sighting = &settlement.Sighting{TxID: txA, Verdict: settlement.Verdict{
			Code: settlement.AmountMismatch, Detail: settlement.Under,
		}}
	}
	return e
}

// golden is the whole table, written by hand from the design and not from the code: state, event → state. A pair that
// is absent is not accepted.
var golden = map[settlement.State]map[settlement.EventKind]settlement.State{
	settlement.StateNew: {
		"noted":    "new",
		"returned": "new", "return_failed": "new",
		"retried":         "new",
		"order_opened":    "new",
		"order_refused":   "needs_review",
		"order_free":      "closed",
		"intent_ready":    "awaiting_payment",
		"order_canceled":  "closed",
		"proof_forbidden": "new",
	},
	settlement.StateAwaitingPayment: {
		"noted":    "awaiting_payment",
		"returned": "awaiting_payment", "return_failed": "awaiting_payment",
		"order_canceled":    "closed",
		"deadline":          "expired",
		"transaction_named": "verifying",
		"payer_proved":      "verifying",
		"transfer_seen":     "confirming",
		"payment_confirmed": "verified",
		"payment_part":      "awaiting_payment",
		"payment_mispaid":   "needs_review",
		"platform_differs":  "needs_review",
		"closed":            "closed",
	},
	settlement.StateVerifying: { // from awaiting_payment
		"noted":    "verifying",
		"returned": "verifying", "return_failed": "verifying",
		"retried":            "verifying",
		"order_canceled":     "needs_review",
		"transaction_named":  "verifying",
		"payer_proved":       "verifying",
		"transaction_absent": "awaiting_payment",
		"transfer_seen":      "confirming",
		"transfer_withdrawn": "verifying",
		"payment_confirmed":  "verified",
		"payment_part":       "verifying",
		"payment_mispaid":    "needs_review",
	},
	settlement.StateConfirming: { // from expired
		"noted":    "confirming",
		"returned": "confirming", "return_failed": "confirming",
		"order_canceled":     "needs_review",
		"transaction_named":  "confirming",
		"payer_proved":       "confirming",
		"transaction_absent": "confirming",
		"transfer_seen":      "confirming",
		"transfer_withdrawn": "expired",
		"payment_confirmed":  "verified",
		"payment_part":       "expired",
		"payment_mispaid":    "needs_review",
	},
	settlement.StateVerified: {
		"noted":    "verified",
		"returned": "verified", "return_failed": "verified", "return_prepared": "verified",
		"retried":         "verified",
		"order_canceled":  "needs_review",
		"order_disputed":  "frozen",
		"payment_mispaid": "verified",
		"finality_broken": "needs_review",
		"proof_accepted":  "held",
		"proof_refused":   "needs_review",
		"proof_forbidden": "verified", "platform_differs": "needs_review",
		"partial_refund_approved": "verified", "surplus_refund_approved": "verified",
		"transfer_accepted": "verified",
		"refund_approved":   "refund_pending",
	},
	settlement.StateHeld: {
		"noted":    "held",
		"returned": "held", "return_failed": "held", "return_prepared": "held",
		"order_canceled":          "needs_review",
		"order_accepted":          "release_pending",
		"order_disputed":          "frozen",
		"payment_mispaid":         "held",
		"finality_broken":         "needs_review",
		"platform_differs":        "needs_review",
		"refund_approved":         "refund_pending",
		"partial_refund_approved": "held", "surplus_refund_approved": "held",
		"transfer_accepted": "held",
	},
	settlement.StateReleasePending: {
		"noted":    "release_pending",
		"returned": "release_pending", "return_failed": "release_pending", "return_prepared": "release_pending",
		"retried":           "release_pending",
		"order_disputed":    "frozen",
		"payment_mispaid":   "release_pending",
		"finality_broken":   "needs_review",
		"platform_differs":  "needs_review",
		"proof_forbidden":   "release_pending",
		"released":          "released",
		"refund_approved":   "refund_pending",
		"transfer_accepted": "release_pending",
	},
	settlement.StateReleased: {
		"noted":            "released",
		"platform_differs": "needs_review",
		"returned":         "released", "return_failed": "released", "return_prepared": "released",
		"order_disputed":          "released",
		"payment_mispaid":         "released",
		"finality_broken":         "released",
		"partial_refund_approved": "released", "surplus_refund_approved": "released",
		"transfer_accepted": "released",
	},
	settlement.StateFrozen: { // from held
		"noted":    "frozen",
		"returned": "frozen", "return_failed": "frozen",
		"payment_mispaid":  "frozen",
		"finality_broken":  "frozen",
		"platform_differs": "needs_review",
		"refund_approved":  "refund_pending",
		"order_disputed":   "frozen",
		"dispute_dropped":  "held",
		"dispute_appealed": "frozen", "dispute_decided": "frozen", "dispute_reminded": "frozen",
		"dispute_statement": "frozen", "dispute_told": "frozen",
		"release_decided": "release_pending",
		"closed":          "closed",
	},
	settlement.StateRefundPending: {
		"noted":    "refund_pending",
		"returned": "refund_pending", "return_failed": "refund_pending", "return_prepared": "refund_pending",
		"retried":          "refund_pending",
		"payment_mispaid":  "refund_pending",
		"finality_broken":  "needs_review",
		"platform_differs": "needs_review",
		"proof_forbidden":  "refund_pending",
		"refunded":         "refunded",
		"payout_broken":    "needs_review",
	},
	settlement.StateRefunded: {
		"noted":            "refunded",
		"platform_differs": "needs_review",
		"returned":         "refunded", "return_failed": "refunded", "return_prepared": "refunded",
		"order_disputed":  "refunded",
		"payment_mispaid": "refunded",
		"finality_broken": "refunded",
		"payout_broken":   "needs_review", "surplus_refund_approved": "refunded",
		"transfer_accepted": "refunded",
	},
	settlement.StateSplitPending: {
		"noted":    "split_pending",
		"returned": "split_pending", "return_failed": "split_pending",
		"retried":          "split_pending",
		"payment_mispaid":  "split_pending",
		"finality_broken":  "needs_review",
		"platform_differs": "needs_review",
		"proof_forbidden":  "split_pending",
		"split":            "split",
	},
	settlement.StateSplit: {
		"noted":            "split",
		"platform_differs": "needs_review",
		"returned":         "split", "return_failed": "split", "return_prepared": "split",
		"order_disputed":          "split",
		"payment_mispaid":         "split",
		"finality_broken":         "split",
		"surplus_refund_approved": "split",
	},
	settlement.StateExpired: {
		"noted":    "expired",
		"returned": "expired", "return_failed": "expired",
		"order_canceled":    "closed",
		"transaction_named": "verifying",
		"payer_proved":      "verifying",
		"transfer_seen":     "confirming",
		"payment_confirmed": "verified",
		"payment_part":      "expired",
		"payment_mispaid":   "needs_review",
		"platform_differs":  "needs_review",
		"closed":            "closed",
	},
	settlement.StateNeedsReview: { // not settled
		"noted":    "needs_review",
		"returned": "needs_review", "return_failed": "needs_review",
		"order_canceled":     "needs_review",
		"transaction_named":  "needs_review",
		"payer_proved":       "needs_review",
		"transaction_absent": "needs_review",
		"transfer_seen":      "needs_review",
		"transfer_withdrawn": "needs_review",
		"payment_confirmed":  "verified",
		"payment_part":       "needs_review",
		"payment_mispaid":    "needs_review",
		"finality_broken":    "needs_review",
		"platform_differs":   "needs_review",
		"refund_approved":    "refund_pending",
		"accepted_as_paid":   "verified",
		"closed":             "closed",
	},
	settlement.StateClosed: {
		"noted":    "closed",
		"returned": "closed", "return_failed": "closed", "return_prepared": "closed",
		"payment_mispaid":         "closed",
		"finality_broken":         "closed",
		"partial_refund_approved": "closed", "surplus_refund_approved": "closed",
		"transfer_accepted": "closed",
	},
}

func TestNextDecidesEveryPairOfStateAndEvent(t *testing.T) {
	t.Parallel()
	if len(golden) != len(settlement.States) {
		t.Fatalf("the golden table has %d states, the code %d", len(golden), len(settlement.States))
	}
	for _, state := range settlement.States {
		for kind := range golden[state] {
			if !slices.Contains(settlement.EventKinds, kind) {
				t.Errorf("the golden table names an event that is none: %s", kind)
			}
		}
		for _, kind := range settlement.EventKinds {
			before, e := paymentIn(state), eventOf(kind)
			if kind.Returns() { // of a direct payment somebody must be named
				e.Receiver, e.Division = stranger, &settlement.Division{ToPayer: settlement.NewAmount(1)}
			}
			got, err := settlement.Next(before, e)
			want, accepted := golden[state][kind]
			switch {
			case !accepted:
				if !errors.Is(err, settlement.ErrNotAccepted) {
					t.Errorf("%s in %s: got state %s, want not accepted (err %v)", kind, state, got.State, err)
				}
				if diff := cmp.Diff(before, got, amounts); diff != "" {
					t.Errorf("%s in %s is not accepted and changes the payment:\n%s", kind, state, diff)
				}
			case err != nil:
				t.Errorf("%s in %s: %v, want state %s", kind, state, err, want)
			case got.State != want:
				t.Errorf("%s in %s: got state %s, want %s", kind, state, got.State, want)
			case got.Version != before.Version+1:
				t.Errorf("%s in %s: version %d after %d", kind, state, got.Version, before.Version)
			}
		}
	}
}

func TestNextRefusesWhatLacksItsReason(t *testing.T) {
	t.Parallel()
	settled := paymentIn(settlement.StateNeedsReview)
	settled.PaidBy = txA
	canceled := paymentIn(settlement.StateNeedsReview)
	canceled.Flags = []settlement.Flag{settlement.FlagCanceled}
	withoutTerms := settlement.Payment{Version: 1, State: settlement.StateNeedsReview}
	nowhere := paymentIn(settlement.StateConfirming)
	nowhere.Back = ""
	with := func(kind settlement.EventKind, change func(*settlement.Event)) settlement.Event {
		e := eventOf(kind)
		change(&e)
		return e
	}
	for _, tt := range []struct {
		name    string
		payment settlement.Payment
		event   settlement.Event
	}{
		{"a result of an older version", paymentIn(settlement.StateVerified), with("proof_accepted", func(e *settlement.Event) { e.Version = 6 })},
		{"a result of a version that is not there yet", paymentIn(settlement.StateVerified), with("proof_accepted", func(e *settlement.Event) { e.Version = 8 })},
		{"an intent without terms", paymentIn(settlement.StateNew), with("intent_ready", func(e *settlement.Event) { e.Terms = nil })},
		{"a confirmation without its transfer", paymentIn(settlement.StateAwaitingPayment), with("payment_confirmed", func(e *settlement.Event) { e.Sighting = nil })},
		{"a confirmation of a settled payment", settled, eventOf("payment_confirmed")},
		{"money accepted that nobody named", paymentIn(settlement.StateNeedsReview), with("accepted_as_paid", func(e *settlement.Event) { e.Sighting = nil })},
		{"money accepted for an order that has no terms", withoutTerms, eventOf("accepted_as_paid")},
		{"money accepted for an order that is cancelled", canceled, eventOf("accepted_as_paid")},
		{"another transfer that nobody named", paymentIn(settlement.StateHeld), with("transfer_accepted", func(e *settlement.Event) { e.Sighting = nil })},
		{"another transfer into a vault", vaulted(settlement.StateHeld, "", ""), eventOf("transfer_accepted")},
		{"another transfer of the transaction whose proof is to be posted", paymentIn(settlement.StateVerified), with("transfer_accepted", func(e *settlement.Event) { e.Sighting.TxID = txA })},
		{"a refund of an order that has no terms", withoutTerms, eventOf("refund_approved")},
		{"a release of what is not settled", paymentIn(settlement.StateNeedsReview), eventOf("release_decided")},
		{"a transaction named for an order that has no terms", withoutTerms, eventOf("transaction_named")},
		{"a transaction without id", paymentIn(settlement.StateAwaitingPayment), with("transaction_named", func(e *settlement.Event) { e.TxID = "" })},
		{"the transaction that has settled the payment", settled, with("transaction_named", func(e *settlement.Event) { e.TxID = txA })},
		{"a proof for an order that has no terms", withoutTerms, eventOf("payer_proved")},
		{"a proof without its wallet", paymentIn(settlement.StateAwaitingPayment), with("payer_proved", func(e *settlement.Event) { e.Proof = nil })},
		{"a proof by nobody", paymentIn(settlement.StateAwaitingPayment), with("payer_proved", func(e *settlement.Event) { e.Proof = &settlement.PayerProof{TxID: txA} })},
		{"a proof by the payee", paymentIn(settlement.StateAwaitingPayment), with("payer_proved", func(e *settlement.Event) { e.Proof = &settlement.PayerProof{TxID: txA, Signer: payee} })},
		{"a proof about another transaction", paymentIn(settlement.StateAwaitingPayment), with("payer_proved", func(e *settlement.Event) { e.TxID = txB })},
		{"a proof about the transaction that has settled the payment", settled, eventOf("payer_proved")},
		{"a withdrawal that leads nowhere", nowhere, eventOf("transfer_withdrawn")},
		{"an unknown event", paymentIn(settlement.StateHeld), eventOf("unheard_of")},
		{"an unknown state", settlement.Payment{State: "unheard_of"}, eventOf("closed")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := settlement.Next(tt.payment, tt.event)
			if !errors.Is(err, settlement.ErrNotAccepted) {
				t.Errorf("got state %s, err %v, want ErrNotAccepted", got.State, err)
			}
			if diff := cmp.Diff(tt.payment, got, amounts); diff != "" {
				t.Errorf("the payment changed:\n%s", diff)
			}
		})
	}
}

func TestNextAcceptsTheVersionItWasSentFor(t *testing.T) {
	t.Parallel()
	e := eventOf(settlement.EventProofAccepted)
	e.Version, e.Platform = 7, "held"
	got, err := settlement.Next(paymentIn(settlement.StateVerified), e)
	if err != nil || got.State != settlement.StateHeld || got.Version != 8 || got.Platform != "held" {
		t.Errorf("got %+v, err %v", got, err)
	}
}

// steps plays events from a state on; each must be accepted.
func steps(t *testing.T, p settlement.Payment, events ...settlement.Event) settlement.Payment {
	t.Helper()
	for _, e := range events {
		next, err := settlement.Next(p, e)
		if err != nil {
			t.Fatalf("%s: %v", e.Kind, err)
		}
		p = next
	}
	return p
}

func named(id settlement.TxID) settlement.Event {
	return settlement.Event{Kind: settlement.EventTransactionNamed, TxID: id}
}

func absent(id settlement.TxID) settlement.Event {
	return settlement.Event{Kind: settlement.EventTransactionAbsent, TxID: id, Reason: settlement.ProofExpired}
}

func TestNextReturnsToWhereItCameFrom(t *testing.T) {
	t.Parallel()
	seen, withdrawn := eventOf(settlement.EventTransferSeen), eventOf(settlement.EventTransferWithdrawn)
	broken := settlement.Event{Kind: settlement.EventFinalityBroken, Reason: "FINALITY_BROKEN", Detail: "block 7 is gone"}
	dispute, drop := eventOf(settlement.EventOrderDisputed), eventOf(settlement.EventDisputeDropped)
	for _, tt := range []struct {
		name   string
		from   settlement.State
		events []settlement.Event
		want   settlement.State
		back   settlement.State
		named  settlement.TxID
	}{
		{"a named transaction that was none, in time", "awaiting_payment", []settlement.Event{named(txB), absent(txB)}, "awaiting_payment", "", ""},
		{"a named transaction that was none, after the deadline", "expired", []settlement.Event{named(txB), absent(txB)}, "expired", "", ""},
		{"a transfer that was withdrawn", "awaiting_payment", []settlement.Event{seen, withdrawn}, "awaiting_payment", "", ""},
		{"named, seen, withdrawn: still looked for", "expired", []settlement.Event{named(txA), seen, withdrawn}, "verifying", "expired", txA},
		{"named, seen, withdrawn, never found", "expired", []settlement.Event{named(txA), seen, withdrawn, absent(txA)}, "expired", "", ""},
		{"named, seen, found to be none, the seen one withdrawn", "awaiting_payment", []settlement.Event{named(txB), seen, absent(txB), withdrawn}, "awaiting_payment", "", ""},
		{"another was named before the first was found to be none", "awaiting_payment", []settlement.Event{named(txA), named(txB), absent(txA)}, "verifying", "awaiting_payment", txB},
		{"a proof makes us look", "expired", []settlement.Event{eventOf("payer_proved")}, "verifying", "expired", txA},
		{"a proof that the transaction does not bear out", "awaiting_payment", []settlement.Event{eventOf("payer_proved"), absent(txA)}, "awaiting_payment", "", ""},
		{"a dispute that was dropped while held", "held", []settlement.Event{dispute, drop}, "held", "", ""},
		{"a dispute that was dropped while verified", "verified", []settlement.Event{dispute, drop}, "verified", "", ""},
		{"a dispute that was dropped during release", "release_pending", []settlement.Event{dispute, drop}, "release_pending", "", ""},
		{"a dispute during which the money left the chain", "held", []settlement.Event{dispute, broken, drop}, "needs_review", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := steps(t, paymentIn(tt.from), tt.events...)
			if got.State != tt.want || got.Back != tt.back || got.Named != tt.named {
				t.Errorf("got %s, back %q, named %q; want %s, back %q, named %q", got.State, got.Back, got.Named, tt.want, tt.back, tt.named)
			}
			if got.State == settlement.StateNeedsReview && got.Reason != "FINALITY_BROKEN" {
				t.Errorf("reason %q, want the broken finality", got.Reason)
			}
		})
	}
}

func TestNextKeepsWhyAPersonMustDecide(t *testing.T) {
	t.Parallel()
	mispaid := func(id settlement.TxID, code settlement.Code) settlement.Event {
		return settlement.Event{
			Kind: settlement.EventPaymentMispaid, Reason: code, Detail: "as seen",
			Sighting: &settlement.Sighting{TxID: id, Verdict: settlement.Verdict{Code: code}},
		}
	}
	canceled := settlement.Event{Kind: settlement.EventOrderCanceled, Reason: "ORDER_CLOSED"}
	refused := settlement.Event{Kind: settlement.EventProofRefused, Reason: "PAYMENT_RPC_ERROR", Detail: "platform says no"}
	for _, tt := range []struct {
		name   string
		from   settlement.State
		events []settlement.Event
		state  settlement.State
		reason settlement.Code
	}{
		{"a mispayment is the reason", "awaiting_payment", []settlement.Event{mispaid(txA, settlement.PaymentLate)}, "needs_review", settlement.PaymentLate},
		{"the latest mispayment is the reason", "expired", []settlement.Event{mispaid(txA, settlement.PaymentLate), mispaid(txB, settlement.AmountMismatch)}, "needs_review", settlement.AmountMismatch},
		{"a stranger's nonsense does not hide it", "expired", []settlement.Event{mispaid(txA, settlement.PaymentLate), named(txB), absent(txB)}, "needs_review", settlement.PaymentLate},
		{"a second transfer does not hide a refused proof", "verified", []settlement.Event{refused, mispaid(txB, settlement.PayerMismatch)}, "needs_review", "PAYMENT_RPC_ERROR"},
		{"a rejected transaction leaves no reason where nobody must decide", "awaiting_payment", []settlement.Event{named(txB), absent(txB)}, "awaiting_payment", ""},
		{"the right payment ends the review", "expired", []settlement.Event{mispaid(txA, settlement.PaymentLate), eventOf("payment_confirmed")}, "verified", ""},
		{"a mispayment of a settled payment is no review", "held", []settlement.Event{mispaid(txB, settlement.PayerMismatch)}, "held", ""},
		{"the right payment of a cancelled order stays before a person", "confirming", []settlement.Event{canceled, eventOf("payment_confirmed")}, "needs_review", "ORDER_CLOSED"},
		{"a payment that was closed says why", "new", []settlement.Event{canceled}, "closed", "ORDER_CLOSED"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := steps(t, paymentIn(tt.from), tt.events...)
			if got.State != tt.state || got.Reason != tt.reason {
				t.Errorf("got %s because %q, want %s because %q", got.State, got.Reason, tt.state, tt.reason)
			}
		})
	}
}

func TestNextFlags(t *testing.T) {
	t.Parallel()
	mispaid := func(code settlement.Code, detail string) settlement.Event {
		return settlement.Event{
			Kind: settlement.EventPaymentMispaid, Reason: code,
			Sighting: &settlement.Sighting{TxID: txB, Verdict: settlement.Verdict{Code: code, Detail: detail}},
		}
	}
	under, over := mispaid(settlement.AmountMismatch, settlement.Under), mispaid(settlement.AmountMismatch, settlement.Over)
	returned, late := mispaid(settlement.AmountMismatch, settlement.Returned), mispaid(settlement.PaymentLate, "")
	for _, tt := range []struct {
		name   string
		from   settlement.State
		events []settlement.Event
		want   []settlement.Flag
	}{
		{"less than the price", "awaiting_payment", []settlement.Event{under}, []settlement.Flag{"underpaid"}},
		{"more than the price", "awaiting_payment", []settlement.Event{over}, []settlement.Flag{"overpaid"}},
		{"more than the price, accepted by the token's policy", "awaiting_payment", []settlement.Event{{
			Kind:     settlement.EventPaymentConfirmed,
			Sighting: &settlement.Sighting{TxID: txB, Verdict: settlement.Verdict{Code: settlement.Verified, Detail: settlement.Over}},
		}}, []settlement.Flag{"overpaid"}},
		{"sent back in the same transaction", "awaiting_payment", []settlement.Event{returned}, []settlement.Flag{"underpaid"}},
		{"late", "expired", []settlement.Event{late}, []settlement.Flag{"late"}},
		{"flags add up, each once, in one order", "expired", []settlement.Event{late, under, late, under, over}, []settlement.Flag{"underpaid", "overpaid", "late"}},
		{"somebody else's wallet leaves no flag", "awaiting_payment", []settlement.Event{mispaid(settlement.PayerMismatch, "")}, nil},
		{"a flag outlives the review", "expired", []settlement.Event{late, eventOf("payment_confirmed")}, []settlement.Flag{"late"}},
		{"money for a payment that is settled", "held", []settlement.Event{under}, []settlement.Flag{"duplicate_transfer"}},
		{"money after the end", "refunded", []settlement.Event{late}, []settlement.Flag{"duplicate_transfer"}},
		{"money after an unpaid payment was closed", "closed", []settlement.Event{under}, []settlement.Flag{"late"}},
		{"cancelled before the payment", "awaiting_payment", []settlement.Event{eventOf("order_canceled"), under}, []settlement.Flag{"late", "canceled"}},
		{"cancelled while money was on its way", "confirming", []settlement.Event{eventOf("order_canceled"), eventOf("payment_confirmed")}, []settlement.Flag{"canceled"}},
		{"a person accepted it", "expired", []settlement.Event{late, eventOf("accepted_as_paid")}, []settlement.Flag{"late", "manual"}},
		{"what has settled it has left the chain", "held", []settlement.Event{eventOf("finality_broken")}, nil},
		{"a person closed it", "expired", []settlement.Event{eventOf("closed")}, []settlement.Flag{"manual"}},
		{"a person decided for the payee", "frozen", []settlement.Event{eventOf("release_decided")}, []settlement.Flag{"manual"}},
		{"a person approved a refund", "held", []settlement.Event{{Kind: "refund_approved", Receiver: stranger}}, []settlement.Flag{"manual"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := steps(t, paymentIn(tt.from), tt.events...)
			if diff := cmp.Diff(tt.want, got.Flags); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}

// A transfer that is accepted beside what pays adds up, changes no state, and never settles anything.
func TestNextAcceptsAnotherTransfer(t *testing.T) {
	t.Parallel()
	another := eventOf(settlement.EventTransferAccepted)
	another.Sighting.Transfer.Amount = settlement.NewAmount(300_000)
	held, closed := paymentIn(settlement.StateHeld), paymentIn(settlement.StateClosed)
	held.Received = terms.Amount
	p := steps(t, held, another)
	if p.State != settlement.StateHeld || p.PaidBy != txA || p.Received != settlement.NewAmount(1_300_000) || !slices.Equal(p.Flags, []settlement.Flag{"overpaid", "manual"}) {
		t.Errorf("held: %+v", p)
	}
	gone := eventOf(settlement.EventFinalityBroken)
	gone.Sighting.TxID = txB
	if p = steps(t, p, gone); p.State != settlement.StateNeedsReview || !p.HasFlag(settlement.FlagReorged) {
		t.Errorf("it has left the chain: %s, flags %v", p.State, p.Flags)
	}
	p = steps(t, closed, another)
	if p.State != settlement.StateClosed || p.Settled() || !slices.Equal(p.Flags, []settlement.Flag{"manual"}) {
		t.Errorf("closed: %+v", p)
	}
	if got := p.Surplus(settlement.Held{Direct: true, Amount: p.Received, Received: p.Received}); got != settlement.NewAmount(300_000) {
		t.Errorf("of a closed one %s can be given back", got)
	}
}

func TestNextDoesNotTouchTheFlagsItWasGiven(t *testing.T) {
	t.Parallel()
	before := paymentIn(settlement.StateNeedsReview)
	before.Flags = make([]settlement.Flag, 1, 8)
	before.Flags[0] = settlement.FlagLate
	a := steps(t, before, eventOf(settlement.EventPaymentMispaid))
	b := steps(t, before, eventOf(settlement.EventAcceptedAsPaid))
	if diff := cmp.Diff([]settlement.Flag{"underpaid", "late"}, a.Flags); diff != "" {
		t.Errorf("first branch: %s", diff)
	}
	if diff := cmp.Diff([]settlement.Flag{"late", "manual"}, b.Flags); diff != "" {
		t.Errorf("second branch: %s", diff)
	}
	if diff := cmp.Diff([]settlement.Flag{"late"}, before.Flags); diff != "" {
		t.Errorf("the payment before: %s", diff)
	}
}

func TestNextSettles(t *testing.T) {
	t.Parallel()
	accepted := eventOf(settlement.EventAcceptedAsPaid)
	other := accepted
	other.Sighting = &settlement.Sighting{TxID: txB}

	got := steps(t, paymentIn(settlement.StateAwaitingPayment), named(txA), eventOf(settlement.EventPaymentConfirmed))
	if !got.Settled() || got.PaidBy != txA || got.Named != "" || got.Back != "" {
		t.Errorf("confirmed: %+v", got)
	}
	got = steps(t, paymentIn(settlement.StateNeedsReview), named(txB), accepted)
	if got.PaidBy != txA || got.Named != "" {
		t.Errorf("accepted as paid: %+v", got)
	}
	got = steps(t, got, eventOf(settlement.EventProofRefused))
	if _, err := settlement.Next(got, other); !errors.Is(err, settlement.ErrNotAccepted) {
		t.Errorf("another transaction accepted for a payment that is settled: %v", err)
	}
	got = steps(t, got, accepted)
	if got.PaidBy != txA || got.State != settlement.StateVerified {
		t.Errorf("accepted again, the transfer that settled it stays: %+v", got)
	}

	// A transaction that was named for a settled payment must not be looked for without end.
	second := eventOf(settlement.EventPaymentMispaid)
	second.TxID, second.Sighting = txB, &settlement.Sighting{TxID: txB}
	got = steps(t, got, eventOf(settlement.EventFinalityBroken), named(txB), second)
	if got.Named != "" || !got.HasFlag(settlement.FlagDuplicateTransfer) {
		t.Errorf("a second transfer of a settled payment: %+v", got)
	}
}

// The look at a named transaction ends with what the look came to, not with what the watcher saw meanwhile: a payer may have
// proven himself in between.
func TestNextLooksUntilTheLookHasEnded(t *testing.T) {
	t.Parallel()
	seen := eventOf(settlement.EventPaymentMispaid)
	seen.TxID = ""
	canceled := eventOf(settlement.EventOrderCanceled)
	for _, tt := range []struct {
		name   string
		events []settlement.Event
		named  settlement.TxID
	}{
		{"mispaid, as the watcher saw it", []settlement.Event{eventOf("payer_proved"), seen}, txA},
		{"mispaid, as the look found", []settlement.Event{eventOf("payer_proved"), seen, eventOf("payment_mispaid")}, ""},
		{"of another transaction", []settlement.Event{named(txB), eventOf("payment_mispaid")}, txB},
		{"paid, for a person to decide", []settlement.Event{named(txA), canceled, eventOf("payment_confirmed")}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := steps(t, paymentIn(settlement.StateAwaitingPayment), tt.events...); got.State != settlement.StateNeedsReview || got.Named != tt.named {
				t.Errorf("got %s, named %q; want named %q", got.State, got.Named, tt.named)
			}
		})
	}
}

func TestNextObserves(t *testing.T) {
	t.Parallel()
	for _, state := range []settlement.State{settlement.StateNew, settlement.StateVerified} {
		got := steps(t, paymentIn(state), eventOf(settlement.EventProofForbidden))
		if !got.Observed || got.State != state {
			t.Errorf("%s: got %+v", state, got)
		}
	}
}

// What was refused before anybody was told to pay is agreed on anew.
func TestNextAgreesAnew(t *testing.T) {
	t.Parallel()
	refused := steps(t, paymentIn(settlement.StateNew), settlement.Event{Kind: settlement.EventOrderRefused, Reason: "R", Detail: "d"})
	if got := steps(t, refused, eventOf(settlement.EventRetried)); got.State != settlement.StateNew || got.Reason != "" {
		t.Errorf("got %+v", got)
	}
	refused.Flags = []settlement.Flag{settlement.FlagCanceled}
	if _, err := settlement.Next(refused, eventOf(settlement.EventRetried)); !errors.Is(err, settlement.ErrNotAccepted) {
		t.Errorf("of a cancelled order: %v", err)
	}
}

func TestStatesSayWhoActsNext(t *testing.T) {
	t.Parallel()
	want := map[settlement.State]string{
		"new": "us", "awaiting_payment": "payer", "verifying": "us", "confirming": "chain", "verified": "us",
		"held": "marketplace", "release_pending": "us", "released": "nobody", "frozen": "person", "refund_pending": "us",
		"refunded": "nobody", "split_pending": "us", "split": "nobody", "expired": "payer", "needs_review": "person", "closed": "nobody",
	}
	open := map[settlement.State]bool{"awaiting_payment": true, "verifying": true, "confirming": true, "expired": true, "needs_review": true}
	for _, state := range settlement.States {
		if got := state.Next(); got != want[state] {
			t.Errorf("%s: %s acts next, want %s", state, got, want[state])
		}
		if state.Final() != (want[state] == "nobody") {
			t.Errorf("%s: final is %v", state, state.Final())
		}
		if state.Open() != open[state] {
			t.Errorf("%s: open is %v", state, state.Open())
		}
	}
}
