package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

const (
	devSolanaService  = "svc:charging-session-solana"
	devCustodyService = "svc:delivery-solana"
	// devScryptCost is low: the secret guards play money.
	devScryptCost = 10
)

// devSolana is the Solana side of `settler dev`. A nil one is none.
type devSolana struct {
	node  *devnet.Solana
	token devnet.SolanaToken
	payer sdk.PrivateKey
	payee sdk.PublicKey
}

func startDevSolana(ctx context.Context, steps *stepPrinter, stop func(func() error)) (*devSolana, error) {
	node, err := devnet.StartSolana(ctx, devnet.SolanaConfig{})
	if err != nil {
		return nil, err
	}
	stop(node.Stop)
	steps.say("solana", "solana-test-validator, slots eight times as fast as usual", "chain", string(solana.ChainOf(node.Genesis())), "rpc", node.URL())
	s, err := newDevSolana(ctx, node)
	if err != nil {
		return nil, err
	}
	steps.say("solana token", "SPL mint with 6 decimals, minted to the payer", "mint", s.token.Mint.String(), "symbol", "TSOL")
	return s, nil
}

// newDevSolana makes the parties and the token on the node.
func newDevSolana(ctx context.Context, node *devnet.Solana) (*devSolana, error) {
	s := &devSolana{node: node}
	payee, err := devnet.NewSolanaKey()
	if err != nil {
		return nil, err
	}
	s.payee = payee.PublicKey()
	if s.payer, err = devnet.NewSolanaKey(); err != nil {
		return nil, err
	}
	if err := node.Fund(ctx, sdk.LAMPORTS_PER_SOL, s.payer.PublicKey()); err != nil {
		return nil, fmt.Errorf("fund the payer: %w", err)
	}
	if s.token, err = node.DeployToken(ctx, sdk.TokenProgramID, 10_000_000_000, s.payer.PublicKey()); err != nil {
		return nil, fmt.Errorf("make a mint: %w", err)
	}
	return s, nil
}

func (s *devSolana) chain() string { return string(solana.ChainOf(s.node.Genesis())) }

// services are what the acting orchestrator sells for it.
func (s *devSolana) services() []orchestrationtest.Service {
	if s == nil {
		return nil
	}
	payment := orchestration.RailRecommendation{
		DefaultRail: "wallet", Required: true, SupportedRails: []orchestration.RailType{"wallet"},
		Chain: s.chain(), Token: "TSOL", TokenMint: s.token.Mint.String(), PayeeAddress: s.payee.String(),
	}
	held := payment
	held.DefaultRail, held.SupportedRails = orchestration.RailEscrow, []orchestration.RailType{orchestration.RailEscrow}
	return []orchestrationtest.Service{
		{ID: devSolanaService, Name: "Charging session, paid on Solana", ServiceType: "machine.commerce", Price: "12.5", Currency: "TSOL", Payment: payment},
		{ID: devCustodyService, Name: "Delivery, held on Solana until it is confirmed", ServiceType: "machine.commerce", Price: "40", Currency: "TSOL", Payment: held},
	}
}

// serve adds the cluster to the configuration, with the secret of the orders' wallets in a file of the directory.
func (s *devSolana) serve(ctx context.Context, cfg *Config, dir string) error {
	if s == nil {
		return nil
	}
	file, err := s.makeSecret(ctx, dir)
	if err != nil {
		return err
	}
	cfg.VaultSecret = file
	chain := ChainConfig{
		ID: s.chain(), Aliases: []string{"solana-dev"},
		// One node under two names: what has expired is signed again on the word of two operators only.
		Endpoints: []EndpointConfig{
			{Name: "solana-test-validator", URL: secret(s.node.URL())}, {Name: "solana-test-validator again", URL: secret(s.node.URL())},
		},
		PollInterval: 200 * time.Millisecond,
		Tokens:       []TokenConfig{{Symbol: "TSOL", Address: s.token.Mint.String(), Decimals: s.token.Decimals}},
	}
	chain.Custody.setDefaults()
	chain.Custody.Tokens, chain.Custody.PaymentsPerHour = []SignerTokenConfig{{Token: "TSOL", PerPayment: "1000", PerHour: "100000"}}, 1000
	cfg.Chains = append(cfg.Chains, chain)
	cfg.Marketplaces[0].Skew = 15 * time.Minute // the node's clock falls behind on a busy machine
	return cfg.Check()
}

// makeSecret puts the secret of the orders' wallets into a file of the directory, and gives its wallet that pays for releases some SOL.
func (s *devSolana) makeSecret(ctx context.Context, dir string) (VaultSecretConfig, error) {
	password := rand.Text()
	file := VaultSecretConfig{File: filepath.Join(dir, "vaults.age"), PasswordFile: filepath.Join(dir, "vaults.password"), Epoch: 1}
	var sealed bytes.Buffer
	err := escrowsolana.CreateSecret(&sealed, password, file.Epoch, devScryptCost)
	if err == nil {
		err = errors.Join(os.WriteFile(file.File, sealed.Bytes(), 0o600), os.WriteFile(file.PasswordFile, []byte(password), 0o600))
	}
	if err != nil {
		return file, err
	}
	opened, err := file.open()
	if err != nil {
		return file, err
	}
	payer, err := opened.FeePayer(sdk.MustHashFromBase58(s.node.Genesis()))
	if err != nil {
		return file, err
	}
	if err := s.node.Fund(ctx, sdk.LAMPORTS_PER_SOL, payer.Address()); err != nil {
		return file, fmt.Errorf("fund the wallet that pays for releases: %w", err)
	}
	return file, nil
}

// plays are an order that is paid on it like the first, by a wallet that nobody has named, from the transfer request; and the
// orders that are held, released and refunded like those on the EVM chain.
func (s *devSolana) plays(first play) []*play {
	if s == nil {
		return nil
	}
	first.pay = func(ctx context.Context, p *play) (string, error) {
		p.say("solana pay", "the payer's wallet reads the transfer request", "uri", p.terms.PaymentURI)
		signature, err := s.node.Pay(ctx, s.payer, p.terms.PaymentURI)
		return signature.String(), err
	}
	direct := first
	direct.serviceID, direct.machineRef, direct.accepted = devSolanaService, first.machineRef+"10", "proof posted in recorded mode and accepted"
	first.serviceID, first.paired, first.look = devCustodyService, s.proveRefunds, s.look
	first.found, first.accepted = "found by reading the order's wallet", "the lock was told to the orchestrator"
	released, refunded := first, first
	released.name, released.machineRef, released.after = "released", first.machineRef+"11", release
	refunded.name, refunded.machineRef, refunded.after = "refunded", first.machineRef+"12", refund
	return []*play{&direct, &released, &refunded}
}

// proveRefunds has the payer's wallet sign for the pairing, so that refunds go to it.
func (s *devSolana) proveRefunds(ctx context.Context, p *play, pairing string) error {
	signature, err := s.payer.Sign([]byte(settlement.RefundText(settlement.ChainID(s.chain()), p.marketplace, pairing)))
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{
		"pairing_id": pairing, "chain": s.chain(), "wallet": s.payer.PublicKey().String(), "signature": signature.String(),
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api+"/v1/refund-wallets", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+p.people.program)
	req.Header.Set("Content-Type", "application/json")
	if err := fetch(req, http.StatusOK, nil); err != nil {
		return err
	}
	p.say("refund wallet", "signed for the pairing by the payer's wallet", "wallet", s.payer.PublicKey().String())
	return nil
}

// look reads what payee and payer have. The verification reads the chain again: each has got what is his, and the token account
// of the order's wallet is closed.
func (s *devSolana) look(ctx context.Context, p *play) (verifyDivision, error) {
	balances := func(ctx context.Context) (payee, payer int64, err error) {
		if payee, err = s.balance(ctx, s.payee); err == nil {
			payer, err = s.balance(ctx, s.payer.PublicKey())
		}
		return payee, payer, err
	}
	payee, payer, err := balances(ctx)
	return func(ctx context.Context, step string, toPayee, toPayer *big.Int) error {
		vault, err := sdk.PublicKeyFromBase58(p.terms.Payee)
		if err != nil {
			return err
		}
		payeeNow, payerNow, err := balances(ctx)
		if err != nil {
			return err
		}
		var account struct{ Value *struct{ Lamports uint64 } }
		if err := s.node.Call(ctx, &account, "getAccountInfo", s.token.Account(vault), map[string]string{"encoding": "base64", "commitment": "finalized"}); err != nil {
			return err
		}
		switch {
		case payeeNow-payee != toPayee.Int64() || payerNow-payer != toPayer.Int64():
			return fmt.Errorf("the payee got %d base units and the payer %d, want %s and %s", payeeNow-payee, payerNow-payer, toPayee, toPayer)
		case account.Value != nil:
			return fmt.Errorf("the token account of wallet %s is not closed", vault)
		}
		p.say(step, fmt.Sprintf("the chain shows it: %s TSOL more at the payee, %s at the payer, the order's wallet is closed", devMajor(toPayee), devMajor(toPayer)),
			"payee", s.payee.String(), "payer", s.payer.PublicKey().String(), "wallet", vault.String())
		return nil
	}, err
}

// balance is what the wallet has of the token at the final slot; 0 when it has no account.
func (s *devSolana) balance(ctx context.Context, wallet sdk.PublicKey) (int64, error) {
	var found struct {
		Value []struct {
			Account struct {
				Data struct {
					Parsed struct {
						Info struct{ TokenAmount struct{ Amount string } }
					}
				}
			}
		}
	}
	err := s.node.Call(ctx, &found, "getTokenAccountsByOwner", wallet, map[string]string{"mint": s.token.Mint.String()},
		map[string]string{"encoding": "jsonParsed", "commitment": "finalized"})
	if err != nil || len(found.Value) == 0 {
		return 0, err
	}
	return strconv.ParseInt(found.Value[0].Account.Data.Parsed.Info.TokenAmount.Amount, 10, 64)
}
