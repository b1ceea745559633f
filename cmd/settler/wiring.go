package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

// endpointCheck is what one endpoint says about itself and about the chain's tokens.
type endpointCheck struct {
	name     string
	err      error     // nil: it can be used
	latest   uint64    // 0 when it could not be read
	headTime time.Time // of the latest block, or of the latest final slot on Solana
	took     time.Duration
}

// builtChain is a configured chain that nothing was asked yet.
type builtChain struct {
	jobs.Chain
	check func(context.Context) []endpointCheck
}

// buildChain is the chain as it is configured.
func buildChain(cfg ChainConfig) (builtChain, error) {
	out, err := cfg.build()
	if err != nil {
		return builtChain{}, fmt.Errorf("chain %s: %w", cfg.ID, err)
	}
	out.Explorer, out.PollInterval = strings.TrimSuffix(cfg.Explorer, "/"), cfg.PollInterval
	out.ApprovalAbove = make(map[settlement.Address]settlement.Amount)
	for i, t := range cfg.Tokens { // in the same order as they were built
		if out.ApprovalAbove[out.Tokens[i].Address], err = t.approvalAbove(); err != nil {
			return builtChain{}, fmt.Errorf("chain %s: approval_above of %s: %w", cfg.ID, t.Symbol, err)
		}
	}
	return out, nil
}

func (c ChainConfig) build() (builtChain, error) {
	if c.isSolana() {
		return buildSolana(c)
	}
	return buildEVM(c)
}

func buildEVM(cfg ChainConfig) (builtChain, error) {
	chain, tokens, err := newEVM(cfg)
	if err != nil {
		return builtChain{}, err
	}
	return builtChain{
		Chain: jobs.Chain{
			ID: settlement.ChainID(cfg.ID), Aliases: cfg.Aliases, Tokens: tokens, Coin: cfg.coin(tokens),
			Verifier: chain, Watcher: chain,
			ParseAddress: evm.ParseAddress, FormatAddress: evm.FormatAddress, ParseTxID: evm.ParseTxID, FormatTxID: evm.FormatTxID,
			CheckSignature: chain.CheckSignature,
		},
		check: func(ctx context.Context) []endpointCheck {
			var out []endpointCheck
			for _, c := range chain.Check(ctx) {
				out = append(out, endpointCheck{c.Name, c.Err, c.Latest, c.HeadTime, c.Took})
			}
			return out
		},
	}, nil
}

// newEVM is the chain's verifier and watcher, and its tokens in the domain's terms.
func newEVM(cfg ChainConfig) (*evm.Chain, []settlement.Token, error) {
	out, err := evmConfig(cfg)
	if err != nil {
		return nil, nil, err
	}
	chain, err := evm.New(out)
	return chain, out.Tokens, err
}

// coin is the chain's own, which has 18 decimals on whatever EVM chain: that is what its RPC calls wei.
func (c ChainConfig) coin(tokens []settlement.Token) settlement.Token {
	coin := settlement.Token{Chain: settlement.ChainID(c.ID), Symbol: c.Coin, Decimals: 18}
	for _, t := range tokens {
		if t.Address == "" {
			coin.Symbol, coin.Decimals = cmp.Or(c.Coin, t.Symbol), t.Decimals
		}
	}
	return coin
}

// evmConfig is the chain's configuration in the verifier's terms.
func evmConfig(cfg ChainConfig) (evm.Config, error) {
	id, err := cfg.chainID()
	if err != nil {
		return evm.Config{}, err
	}
	rule, err := trust(cfg.Trust, evm.Trust{})
	if err != nil {
		return evm.Config{}, err
	}
	out := evm.Config{
		Chain: id, Finality: cfg.finality().rule(), Trust: rule, StallAfter: cfg.StallAfter, ZeroBlooms: cfg.ZeroBlooms, HTTPClient: outsideClient(),
	}
	for _, e := range cfg.Endpoints {
		out.Endpoints = append(out.Endpoints, evm.Endpoint{
			Name: e.Name, URL: string(e.URL), Operator: e.Operator, Header: e.header(), CallsPerSecond: uint(e.CallsPerSecond),
		})
	}
	for _, t := range cfg.Tokens {
		token := settlement.Token{Chain: id, Symbol: t.Symbol, Decimals: t.Decimals, Policy: t.policy()}
		if !t.Native {
			if token.Address, err = evm.ParseAddress(t.Address); err != nil {
				return evm.Config{}, err
			}
		}
		out.Tokens = append(out.Tokens, token)
	}
	for _, t := range cfg.Tiers {
		tier, err := cfg.tier(t)
		if err != nil {
			return evm.Config{}, fmt.Errorf("tiers%w", err)
		}
		out.Tiers = append(out.Tiers, tier)
	}
	return out, nil
}

// newChains builds the chains and asks all their endpoints who they are. An endpoint that is wrong refuses the start; one
// that does not answer is left to the verifier, which asks again, as long as another one of its chain was found right.
func newChains(ctx context.Context, cfg *Config, logger *slog.Logger) ([]jobs.Chain, error) {
	var chains []jobs.Chain
	var faults []error
	for _, c := range cfg.Chains {
		chain, err := buildChain(c)
		if err != nil {
			return nil, err
		}
		var silent []error
		for _, check := range chain.check(ctx) {
			switch {
			case check.err == nil:
			case misconfigured(check.err):
				faults = append(faults, fmt.Errorf("chain %s: endpoint %s: %w", c.ID, check.name, check.err))
			default:
				silent = append(silent, fmt.Errorf("chain %s: endpoint %s could not be checked: %w", c.ID, check.name, check.err))
			}
		}
		if len(silent) == len(c.Endpoints) {
			faults = append(faults, silent...)
		} else {
			for _, err := range silent {
				logger.WarnContext(ctx, "an endpoint does not answer; it is asked again", "chain", c.ID, "err", err)
			}
		}
		chains = append(chains, chain.Chain)
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
func newMarketplaces(cfg *Config, agent agentSigner, pool *pgxpool.Pool) ([]jobs.Marketplace, error) {
	var marketplaces []jobs.Marketplace
	for _, m := range cfg.Marketplaces {
		leniency, err := m.leniency()
		if err != nil {
			return nil, fmt.Errorf("marketplace %s: %w", m.ID, err)
		}
		gate := jobs.NewGate(outsideTransport(orchestration.NewTransport()), m.Orchestrator.RequestsPerSecond)
		client, err := newOrchestrator(m.Orchestrator, gate)
		if err != nil {
			return nil, fmt.Errorf("marketplace %s: %w", m.ID, err)
		}
		marketplaces = append(marketplaces, jobs.Marketplace{
			ID: m.ID, Client: client, Gate: gate, Machines: m.Machines, ListInterval: m.ListInterval,
			Deadline: m.Deadline, Grace: m.Grace, Skew: m.Skew, Leniency: leniency, Disputes: m.Disputes.policy(),
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

func newOrchestrator(cfg OrchestratorConfig, transport http.RoundTripper) (*orchestration.Client, error) {
	return orchestration.New(orchestration.Config{
		BaseURL: cfg.URL, APIKey: orchestration.Secret(cfg.APIKey), UserAgent: "settler/" + readBuild().Version, HTTPClient: &http.Client{Transport: transport},
	})
}

// identity is nil where nobody vouches for people.
func (a AdminConfig) identity() *api.Identity {
	if a.Issuer == "" {
		return nil
	}
	return &api.Identity{Issuer: a.Issuer, Audience: a.Audience, Client: &http.Client{
		Transport: outsideTransport(http.DefaultTransport), Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
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
