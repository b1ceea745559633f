package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/settler-pay/settler/verify/evm"
	"github.com/settler-pay/settler/verify/solana"
)

type chainsCmd struct {
	configFlag

	Output string `short:"o" enum:"text,json" default:"text" help:"text or json (default: ${default})."`
}

// chainView is one configured chain and how it does now.
type chainView struct {
	Chain     string         `json:"chain"`
	Name      string         `json:"name"` // its first alias, or the name that we ship
	Finality  string         `json:"finality"`
	Trust     string         `json:"trust"`
	Tiers     []string       `json:"tiers,omitempty"`
	Tokens    []string       `json:"tokens"`
	Latest    uint64         `json:"latest"` // 0: no endpoint told
	Final     uint64         `json:"final"`
	Problem   string         `json:"problem,omitempty"` // why the head could not be read
	Alarms    []string       `json:"alarms,omitempty"`
	Endpoints []endpointView `json:"endpoints"`
}

// endpointView is one endpoint.
type endpointView struct {
	Name     string `json:"name"`
	Operator string `json:"operator"`
	State    string `json:"state"`
	Latest   uint64 `json:"latest"`
	Took     string `json:"took"` // for the questions of the check
	Fault    string `json:"fault,omitempty"`
}

// Run asks every endpoint; exit 1 when a chain cannot be looked at as it is configured.
func (cmd *chainsCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	var views []chainView
	failed := false
	for _, c := range cfg.Chains {
		view, err := viewOf(ctx, c)
		if err != nil {
			return fmt.Errorf("chain %s: %w", c.ID, err)
		}
		failed = failed || view.Problem != ""
		views = append(views, view)
	}
	if cmd.Output == "json" {
		encoder := json.NewEncoder(std.Out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		err = encoder.Encode(views)
	} else {
		err = printChains(std.Out, views)
	}
	if err != nil {
		return fmt.Errorf("print the chains: %w", err)
	}
	if failed {
		return exitFailed
	}
	return nil
}

func viewOf(ctx context.Context, cfg ChainConfig) (chainView, error) {
	if cfg.isSolana() {
		return solanaView(ctx, cfg)
	}
	chain, tokens, err := newEVM(cfg)
	if err != nil {
		return chainView{}, err
	}
	view := chainView{Chain: cfg.ID, Finality: cfg.finality().rule().String()}
	if known, ok := evm.Known(tokens[0].Chain); ok {
		view.Name = known.Name
	}
	if len(cfg.Aliases) > 0 {
		view.Name = cfg.Aliases[0]
	}
	for _, t := range tokens {
		view.Tokens = append(view.Tokens, t.Symbol)
	}
	for _, t := range cfg.Tiers {
		tier, err := cfg.tier(t)
		if err != nil {
			return chainView{}, err
		}
		view.Tiers = append(view.Tiers, fmt.Sprintf("up to %s %s: %s, %s", t.UpTo, t.Token, tier.Finality, tier.Trust))
	}
	checks := chain.Check(ctx)
	if _, err := chain.Heads(ctx); err != nil {
		view.Problem = oneLine(err.Error())
	}
	status := chain.Status()
	view.Trust, view.Latest, view.Final = status.Rule.Trust.String(), status.Latest, status.Final
	for _, a := range status.Alarms {
		view.Alarms = append(view.Alarms, string(a.Kind)+": "+a.Detail)
	}
	for i, e := range status.Endpoints {
		out := endpointView{
			Name: e.Name, Operator: e.Operator, State: string(e.State), Latest: e.Latest, Took: checks[i].Took.Round(time.Millisecond).String(),
		}
		if checks[i].Err != nil {
			out.Fault = oneLine(checks[i].Err.Error())
		}
		view.Endpoints = append(view.Endpoints, out)
	}
	return view, nil
}

func solanaView(ctx context.Context, cfg ChainConfig) (chainView, error) {
	chain, err := buildChain(cfg)
	if err != nil {
		return chainView{}, err
	}
	view := chainView{Chain: string(chain.ID), Finality: cfg.finality().Tag, Trust: cmp.Or(cfg.Trust, "single")}
	if len(chain.Aliases) > 0 {
		view.Name = chain.Aliases[0]
	}
	for _, t := range chain.Tokens {
		view.Tokens = append(view.Tokens, t.Symbol)
	}
	for _, t := range cfg.Tiers {
		finality, trust := cmp.Or(t.Finality.Tag, view.Finality), cmp.Or(t.Trust, view.Trust)
		view.Tiers = append(view.Tiers, fmt.Sprintf("up to %s %s: %s, %s", t.UpTo, t.Token, finality, trust))
	}
	checks := chain.check(ctx)
	heads, err := chain.Accounts.Heads(ctx)
	if err != nil {
		view.Problem = oneLine(err.Error())
	}
	view.Latest, view.Final = heads.Latest, heads.Final
	status := chain.Accounts.(*solana.Chain).Status() //nolint:forcetypeassert // as buildSolana made it
	for _, a := range status.Alarms {
		view.Alarms = append(view.Alarms, string(a.Kind)+": "+a.Detail)
	}
	for i, e := range status.Endpoints {
		out := endpointView{
			Name: e.Name, Operator: e.Operator, State: string(e.State), Latest: checks[i].latest, Took: checks[i].took.Round(time.Millisecond).String(),
		}
		if checks[i].err != nil {
			out.Fault = oneLine(checks[i].err.Error())
		}
		view.Endpoints = append(view.Endpoints, out)
	}
	return view, nil
}

func printChains(out io.Writer, views []chainView) error {
	for _, v := range views {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintf(table, "%s %s\ttrust %s, finality %s\tblock %d, final %d\ttokens %s\n",
			v.Chain, v.Name, v.Trust, v.Finality, v.Latest, v.Final, strings.Join(v.Tokens, ", "))
		for _, t := range v.Tiers {
			fmt.Fprintf(table, "  tier\t%s\n", t)
		}
		for _, e := range v.Endpoints {
			fmt.Fprintf(table, "  %s\t%s, of %s\tblock %d in %s\t%s\n", e.Name, e.State, e.Operator, e.Latest, e.Took, e.Fault)
		}
		for _, a := range v.Alarms {
			fmt.Fprintf(table, "  ALARM\t%s\n", a)
		}
		if v.Problem != "" {
			fmt.Fprintf(table, "  PROBLEM\t%s\n", v.Problem)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	return nil
}
