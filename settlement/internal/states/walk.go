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
		state, back   settlement.State
		named, paidBy settlement.TxID
		terms         bool
	}
	keyOf := func(p settlement.Payment) key {
		return key{p.State, p.Back, p.Named, p.PaidBy, p.Terms.Payee != ""}
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

// events are complete events of one kind: about each of two transactions.
func events(kind settlement.EventKind) []settlement.Event {
	terms := &settlement.Terms{
		Token: settlement.Token{Chain: "eip155:1", Address: "token"}, Payee: "payee", ProvenPayer: "payer",
		Amount: settlement.NewAmount(1),
	}
	var out []settlement.Event
	for _, id := range []settlement.TxID{"A", "B"} {
		out = append(out, settlement.Event{Kind: kind, Terms: terms, TxID: id, Sighting: &settlement.Sighting{TxID: id}})
	}
	return out
}
