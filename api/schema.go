package api

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/settlement"
)

// state and flag are the domain's own, with the list of their values in the OpenAPI document.
type (
	state         string
	flag          string
	party         string
	disputeReason string
)

// Schema lists every state.
func (state) Schema(huma.Registry) *huma.Schema {
	return listed(settlement.States, "The payment's state; docs/states.md says what is true in each.", settlement.StateAwaitingPayment)
}

// Schema lists every flag.
func (flag) Schema(huma.Registry) *huma.Schema {
	return listed(settlement.Flags, "A fact about the payment that is independent of its state.", settlement.FlagOverpaid)
}

// Schema lists every party.
func (party) Schema(huma.Registry) *huma.Schema {
	return listed(settlement.Parties, "A side of the order, or operator: who looks after payments.", settlement.PartyPayer)
}

// Schema lists every reason that can be given.
func (disputeReason) Schema(huma.Registry) *huma.Schema {
	return listed(settlement.DisputeReasons, "What is complained about.", settlement.DisputeNotDelivered)
}

func listed[T ~string](values []T, description string, example T) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Description: description, Examples: []any{string(example)}}
	for _, v := range values {
		s.Enum = append(s.Enum, string(v))
	}
	return s
}
