package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

// newEVM is the chain's verifier and watcher, and its tokens in the domain's terms.
func newEVM(cfg ChainConfig) (*evm.Chain, []settlement.Token, error) {
	id, err := cfg.chainID()
	if err != nil {
		return nil, nil, err
	}
	var endpoints []evm.Endpoint
	for _, e := range cfg.Endpoints {
		endpoints = append(endpoints, evm.Endpoint{Name: e.Name, URL: string(e.URL)})
	}
	var tokens []settlement.Token
	for _, t := range cfg.Tokens {
		token := settlement.Token{Chain: id, Symbol: t.Symbol, Decimals: t.Decimals}
		if !t.Native {
			if token.Address, err = evm.ParseAddress(t.Address); err != nil {
				return nil, nil, err
			}
		}
		tokens = append(tokens, token)
	}
	chain, err := evm.New(evm.Config{Chain: id, Endpoints: endpoints, Tokens: tokens, Finality: cfg.Finality.rule(), HTTPClient: outsideClient()})
	return chain, tokens, err
}

func (r FinalityConfig) rule() evm.Finality { return evm.Finality{Tag: r.Tag, Depth: r.Depth} }

// newChains builds the chains and asks all their endpoints who they are. An endpoint that is wrong refuses the start; one
// that does not answer is left to the verifier, which asks again, as long as another one of its chain was found right.
func newChains(ctx context.Context, cfg *Config, logger *slog.Logger) ([]jobs.Chain, error) {
	var chains []jobs.Chain
	var faults []error
	for _, c := range cfg.Chains {
		chain, tokens, err := newEVM(c)
		if err != nil {
			return nil, fmt.Errorf("chain %s: %w", c.ID, err)
		}
		var silent []error
		for _, check := range chain.Check(ctx) {
			switch {
			case check.Err == nil:
			case misconfigured(check.Err):
				faults = append(faults, fmt.Errorf("chain %s: endpoint %s: %w", c.ID, check.Name, check.Err))
			default:
				silent = append(silent, fmt.Errorf("chain %s: endpoint %s could not be checked: %w", c.ID, check.Name, check.Err))
			}
		}
		if len(silent) == len(c.Endpoints) {
			faults = append(faults, silent...)
		} else {
			for _, err := range silent {
				logger.WarnContext(ctx, "an endpoint does not answer; it is asked again", "chain", c.ID, "err", err)
			}
		}
		chains = append(chains, jobs.Chain{
			ID: settlement.ChainID(c.ID), Aliases: c.Aliases, Tokens: tokens, Explorer: strings.TrimSuffix(c.Explorer, "/"),
			Finality: c.Finality.rule().String(), PollInterval: c.PollInterval, Verifier: chain, Watcher: chain,
			ParseAddress: evm.ParseAddress, FormatAddress: evm.FormatAddress, ParseTxID: evm.ParseTxID, FormatTxID: evm.FormatTxID,
		})
	}
	return chains, errors.Join(faults...)
}

// misconfigured reports whether any of the errors joined in err says that the endpoint or a token is not what the
// configuration says.
func misconfigured(err error) bool {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, each := range joined.Unwrap() {
			if misconfigured(each) {
				return true
			}
		}
		return false
	}
	return settlement.LookCode(err) == settlement.RPCMisconfigured
}

// newMarketplaces builds the clients, and how a session with one of a marketplace's machines is made.
func newMarketplaces(cfg *Config, agent *agentkey.Key, pool *pgxpool.Pool) ([]jobs.Marketplace, error) {
	var marketplaces []jobs.Marketplace
	for _, m := range cfg.Marketplaces {
		client, err := newOrchestrator(m.Orchestrator)
		if err != nil {
			return nil, fmt.Errorf("marketplace %s: %w", m.ID, err)
		}
		marketplaces = append(marketplaces, jobs.Marketplace{
			ID: m.ID, Client: client, Machines: m.Machines, Deadline: m.Deadline, Grace: m.Grace, Skew: m.Skew,
			Session: func(machine string) (*orchestration.Session, error) {
				return orchestration.NewSession(orchestration.SessionConfig{
					Client: client, Signer: agent, MachineID: machine,
					AgentAddress: agent.Address(), AgentProvider: cfg.Agent.Provider, AgentRole: cfg.Agent.Role,
					LoadPairing: func(ctx context.Context) (string, error) {
						id, address, err := store.Pairing(ctx, pool, m.ID, machine)
						if errors.Is(err, store.ErrNotFound) || err == nil && address != agent.Address() { // none, or another key's
							return "", nil
						}
						return id, err
					},
					SavePairing: func(ctx context.Context, id string) error {
						return store.SavePairing(ctx, pool, m.ID, machine, id, agent.Address(), time.Now().UTC())
					},
				})
			},
		})
	}
	return marketplaces, nil
}

func newOrchestrator(cfg OrchestratorConfig) (*orchestration.Client, error) {
	return orchestration.New(orchestration.Config{
		BaseURL: cfg.URL, APIKey: orchestration.Secret(cfg.APIKey), UserAgent: "settler/" + readBuild().Version, HTTPClient: outsideClient(),
	})
}

func webhookSecrets(cfg *Config) []api.Marketplace {
	var marketplaces []api.Marketplace
	for _, m := range cfg.Marketplaces {
		marketplace := api.Marketplace{ID: m.ID}
		for _, s := range m.WebhookSecrets {
			marketplace.WebhookSecrets = append(marketplace.WebhookSecrets, string(s))
		}
		marketplaces = append(marketplaces, marketplace)
	}
	return marketplaces
}

// publicURL is public_url or what it defaults to.
func publicURL(cfg *Config, listening string) string {
	if cfg.PublicURL != "" {
		return cfg.PublicURL
	}
	return listening
}
