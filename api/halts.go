package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// shownHaltRecords is how many of those who have halted and resumed are listed.
const shownHaltRecords = 50

type haltsOutput struct{ Body haltList }

// haltList is what stands still, and how it came about.
type haltList struct {
	Halts   []halt       `json:"halts" nullable:"false" doc:"What is halted now: everything is seen, and nothing is moved. Empty: money moves."`
	Records []haltRecord `json:"records" nullable:"false" doc:"Who has halted and resumed, newest first, the last 50; empty for callers of one marketplace."`
	Changed bool         `json:"changed" doc:"The request has changed something: false where nothing was halted that could be resumed."`
}

type halt struct {
	Chain    string    `json:"chain" doc:"CAIP-2 id of the chain; * for all." example:"*"`
	Reason   string    `json:"reason" doc:"Who or what has halted, and why." example:"Ada: a key is missing"`
	HaltedAt time.Time `json:"halted_at"`
}

type haltRecord struct {
	Chain  string    `json:"chain" doc:"CAIP-2 id of the chain; * for all." example:"*"`
	Action string    `json:"action" enum:"halt,resume,restart" doc:"restart: a signer that was stopped signs again."`
	Signer string    `json:"signer,omitempty" doc:"Of restart: its address."`
	Reason string    `json:"reason" example:"a key is missing"`
	By     string    `json:"by" doc:"Who did it." example:"Ada"`
	Origin string    `json:"origin" doc:"The network address that it came from; empty for the command line at the database." example:"192.0.2.1"`
	At     time.Time `json:"at"`
}

type haltInput struct {
	Switch string `path:"switch" enum:"halt,resume"`
	Body   struct {
		Chain  string `json:"chain,omitempty" minLength:"1" maxLength:"128" doc:"Only this chain: its CAIP-2 id or an alias. Absent: halt all chains, or lift the halt of all chains." example:"base"`
		Reason reason `json:"reason" minLength:"1" maxLength:"1000" doc:"Why, for whoever finds it." example:"A key is missing."`
	}
}

func (s *server) registerHalts() {
	register(s, s.secured(huma.Operation{
		OperationID: "list-halts", Method: http.MethodGet, Path: "/v1/admin/halts", Tags: []string{"Admin"},
		Summary: "What is halted", Description: "Whether money moves, on which chains it does not, and who has halted and resumed.",
	}, scopeRead), []Code{ValidationFailed}, s.handleListHalts)
	register(s, s.secured(huma.Operation{
		OperationID: "switch", Method: http.MethodPost, Path: "/v1/admin/halts/{switch}", Tags: []string{"Admin"},
		Summary: "Halt or resume", Description: "The kill switch of everything that moves money, on one chain or all. Everything is still seen and decided; nothing is " +
			"signed or sent until it is resumed. By admins of all marketplaces. Repeating it changes nothing but the reason.",
		MaxBodyBytes: maxAction,
	}, scopeAdmin), []Code{
		RequestMalformed, NotFound, RequestTimeout, BodyTooLarge, MediaTypeUnsupported, ValidationFailed, CredentialYoung, MarketplaceForbidden,
	}, s.handleSwitch)
}

func (s *server) handleListHalts(ctx context.Context, _ *struct{}) (*haltsOutput, error) {
	return s.haltList(ctx, false)
}

func (s *server) handleSwitch(ctx context.Context, in *haltInput) (*haltsOutput, error) {
	if caller(ctx).Marketplace != "" {
		return nil, problem(MarketplaceForbidden, "A halt stops the money of all marketplaces, so that a caller of one cannot decide about it. Ask an admin of all of them.")
	}
	scope := store.Everywhere
	if in.Body.Chain != "" && in.Body.Chain != store.Everywhere {
		chain, ok := s.cfg.Runner.ChainNamed(in.Body.Chain)
		if !ok {
			return nil, invalid("body.chain", "must be the CAIP-2 id or an alias of a chain in the configuration")
		}
		scope = string(chain.ID)
	}
	changed := true
	var err error
	if in.Switch == "halt" {
		err = s.cfg.Runner.Halt(ctx, by(ctx), scope, string(in.Body.Reason))
	} else {
		changed, err = s.cfg.Runner.Resume(ctx, by(ctx), scope, string(in.Body.Reason))
	}
	if err != nil {
		return nil, err
	}
	return s.haltList(ctx, changed)
}

func (s *server) haltList(ctx context.Context, changed bool) (*haltsOutput, error) {
	halts, err := store.Halts(ctx, s.cfg.Pool)
	if err != nil {
		return nil, err
	}
	out := &haltsOutput{haltList{Halts: []halt{}, Records: []haltRecord{}, Changed: changed}}
	for _, h := range halts {
		out.Body.Halts = append(out.Body.Halts, halt{h.Scope, h.Reason, h.HaltedAt})
	}
	if caller(ctx).Marketplace != "" {
		return out, nil
	}
	records, err := store.HaltRecords(ctx, s.cfg.Pool, shownHaltRecords)
	if err != nil {
		return nil, err
	}
	for _, h := range records {
		record := haltRecord{Chain: h.Scope, Action: h.Action(), Reason: h.Reason, By: h.Name, Origin: h.Origin, At: h.At}
		if chain, ok := s.cfg.Runner.Chain(settlement.ChainID(h.Scope)); ok && h.Signer != "" {
			record.Signer = chain.FormatAddress(h.Signer)
		}
		out.Body.Records = append(out.Body.Records, record)
	}
	return out, nil
}
