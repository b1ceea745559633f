package main

import (
	"github.com/settler-pay/settler/settlement"
)

// pair is a state and an event.
type pair struct {
	state settlement.State
	event settlement.EventKind
}

// outcome is what an event makes of the payments in a state.
type outcome struct {
	targets map[settlement.State]bool
	refused bool // by some payment in the state
}

// walk plays every event on every payment that can come to be, from a new one on, and returns those payments and what
// each pair of state and event came to.
func walk() ([]settlement.Payment, map[pair]outcome) {
	// What decides about a payment's way; everything else it carries does not.
	type key struct {
		state, back     settlement.State
		named, paidBy   settlement.TxID
		terms, canceled bool
		reorged         bool
		custody         settlement.Custody
		payout          settlement.Payout
		paidOut, parts  bool
		received        settlement.Amount
	}
	keyOf := func(p settlement.Payment) key {
		return key{
			p.State, p.Back, p.Named, p.PaidBy, p.Terms.Payee != "", p.HasFlag(settlement.FlagCanceled), p.HasFlag(settlement.FlagReorged), p.Terms.Custody, p.Payout, p.PaidOut != "",
			p.Terms.Parts, p.Received,
		}
	}
	first := settlement.Payment{Version: 1, State: settlement.StateNew}
	reached := []settlement.Payment{first}
	known := map[key]bool{keyOf(first): true}
	outcomes := make(map[pair]outcome)
	for i := 0; i < len(reached); i++ {
		p := reached[i]
		for _, kind := range settlement.EventKinds {
			at := pair{p.State, kind}
			o := outcomes[at]
			for _, e := range events(kind) {
				if kind == settlement.EventTransferAccepted && p.Received.Cmp(settlement.NewAmount(2)) > 0 {
					continue // no transfer is accepted twice: the door sees to that
				}
				next, err := settlement.Next(p, e)
				if err != nil {
					o.refused = true
					continue
				}
				if o.targets == nil {
					o.targets = make(map[settlement.State]bool)
				}
				o.targets[next.State] = true
				if k := keyOf(next); !known[k] {
					known[k] = true
					reached = append(reached, next)
				}
			}
			outcomes[at] = o
		}
	}
	return reached, outcomes
}

// events are complete events of one kind: about each of two transactions that bring half of the price. The terms are with
// and without a vault, for one transfer and for several.
func events(kind settlement.EventKind) []settlement.Event {
	var out []settlement.Event
	if kind == settlement.EventIntentReady {
		for _, custody := range []settlement.Custody{"", settlement.CustodyVault} {
			for _, parts := range []bool{false, true} {
				out = append(out, settlement.Event{Kind: kind, Terms: &settlement.Terms{
					Token: settlement.Token{Chain: "eip155:1", Address: "token"}, Payee: "payee", ProvenPayer: "payer",
					Amount: settlement.NewAmount(2), Custody: custody, Parts: parts,
				}})
			}
		}
		return out
	}
	half := settlement.Transfer{Amount: settlement.NewAmount(1)}
	for _, id := range []settlement.TxID{"A", "B"} {
		e := settlement.Event{
			Kind: kind, TxID: id, Sighting: &settlement.Sighting{TxID: id, Transfer: half},
			Proof: &settlement.PayerProof{TxID: id, Signer: "signer"}, Division: &settlement.Division{ToPayer: half.Amount},
		}
		if kind == settlement.EventSplitApproved {
			e.Division.ToPayee = half.Amount
		}
		out = append(out, e)
		if kind.Returns() { // of direct payments
			e.Receiver = "receiver"
			out = append(out, e)
		}
		if kind == settlement.EventPaidOut || kind == settlement.EventPayoutFailed { // what their reason is makes a difference
			e.Reason = "REASON"
			out = append(out, e)
		}
	}
	return out
}
