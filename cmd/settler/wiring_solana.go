package main

import (
	"context"
	"errors"
	"time"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

// solanaConfig is the cluster's configuration in the verifier's terms.
func solanaConfig(cfg ChainConfig) (solana.Config, error) {
	id, err := cfg.chainID()
	if err != nil {
		return solana.Config{}, err
	}
	rule, err := solanaTrust(cfg.Trust, 0)
	if err != nil {
		return solana.Config{}, err
	}
	config := solana.Config{
		Chain: id, Finality: solana.Finality(cfg.finality().Tag), Trust: rule, StallAfter: cfg.StallAfter, HTTPClient: outsideClient(),
	}
	for _, e := range cfg.Endpoints {
		config.Endpoints = append(config.Endpoints, solana.Endpoint{
			Name: e.Name, URL: string(e.URL), WebSocket: string(e.WebSocket), Operator: e.Operator, Header: e.header(), CallsPerSecond: uint(e.CallsPerSecond),
		})
	}
	for _, t := range cfg.Tiers {
		tier, err := cfg.solanaTier(t, id, rule)
		if err != nil {
			return solana.Config{}, err
		}
		config.Tiers = append(config.Tiers, tier)
	}
	for _, t := range cfg.Tokens {
		token, err := t.solanaToken(id)
		if err != nil {
			return solana.Config{}, err
		}
		config.Tokens = append(config.Tokens, token)
	}
	return config, nil
}

func buildSolana(cfg ChainConfig) (builtChain, error) {
	config, err := solanaConfig(cfg)
	if err != nil {
		return builtChain{}, err
	}
	out := builtChain{Chain: jobs.Chain{
		ID: config.Chain, Aliases: append(cfg.Aliases, solana.Names(config.Chain)...),
		ParseAddress: solana.ParseAddress, FormatAddress: solana.FormatAddress, ParseTxID: solana.ParseTxID, FormatTxID: solana.FormatTxID,
		CheckSignature: solana.CheckSignature, Coin: settlement.Token{Chain: config.Chain, Symbol: "SOL", Decimals: solana.NativeDecimals},
	}}
	for _, t := range config.Tokens {
		out.Tokens = append(out.Tokens, t.Token)
	}
	chain, err := solana.New(config)
	if err != nil {
		return builtChain{}, err
	}
	out.Verifier, out.Accounts, out.References, out.CheckPayee = chain, chain, true, payeeProblem(chain)
	out.check = func(ctx context.Context) []endpointCheck {
		began := time.Now()
		var out []endpointCheck
		for _, c := range chain.Check(ctx) {
			out = append(out, endpointCheck{c.Name, c.Err, c.Latest, c.HeadTime, time.Since(began)})
		}
		return out
	}
	return out, nil
}

// payeeProblem says in words why an address cannot be paid; empty when it can.
func payeeProblem(chain *solana.Chain) func(context.Context, settlement.Address) (string, error) {
	return func(ctx context.Context, payee settlement.Address) (string, error) {
		err := chain.CheckPayee(ctx, payee)
		if wrong, ok := errors.AsType[*solana.PayeeError](err); ok {
			return wrong.Error(), nil
		}
		return "", err
	}
}
