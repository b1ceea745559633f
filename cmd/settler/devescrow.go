package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/accounts/keystore"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/contracts"
	escrowevm "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// devEscrow is what the orders need that are paid into vaults, and the wallet from which people give back what was paid directly.
type devEscrow struct {
	chain                      *devnet.Chain
	token                      common.Address
	operator, arbiter, refunds *ecdsa.PrivateKey
	orders                     []devEscrowOrder
}

// devEscrowOrder has a payee and a payer of its own, so that what either has got tells what became of it.
type devEscrowOrder struct {
	name, service string
	payee         common.Address
	payer         *ecdsa.PrivateKey
}

// newDevEscrow makes the keys.
func newDevEscrow() (*devEscrow, error) {
	e := &devEscrow{orders: []devEscrowOrder{
		{name: "released", service: "svc:delivery", payee: common.HexToAddress("0xfeed00000000000000000000000000000000bee1")},
		{name: "refunded", service: "svc:delivery-late", payee: common.HexToAddress("0xfeed00000000000000000000000000000000bee2")},
		{name: "disputed", service: "svc:delivery-damaged", payee: common.HexToAddress("0xfeed00000000000000000000000000000000bee3")},
	}}
	keys := []**ecdsa.PrivateKey{&e.operator, &e.arbiter, &e.refunds}
	for i := range e.orders {
		keys = append(keys, &e.orders[i].payer)
	}
	for _, key := range keys {
		var err error
		if *key, err = crypto.GenerateKey(); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// accounts are to have coins from the first block on.
func (e *devEscrow) accounts() []common.Address {
	out := []common.Address{addressOf(e.operator), addressOf(e.arbiter), addressOf(e.refunds)}
	for _, o := range e.orders {
		out = append(out, addressOf(o.payer))
	}
	return out
}

// share gives each payer, and the wallet of refunds, some of the holder's tokens, in one block.
func (e *devEscrow) share(ctx context.Context, chain *devnet.Chain, token common.Address, holder *ecdsa.PrivateKey) error {
	e.chain, e.token = chain, token
	to := []*ecdsa.PrivateKey{e.refunds}
	for _, o := range e.orders {
		to = append(to, o.payer)
	}
	for _, key := range to {
		if _, err := devnet.SendTestToken(ctx, chain, holder, token, addressOf(key), big.NewInt(1_000_000_000)); err != nil {
			return err
		}
	}
	chain.Commit()
	return nil
}

// services are what the acting orchestrator sells for it.
func (e *devEscrow) services(chain string) []orchestrationtest.Service {
	var out []orchestrationtest.Service
	for _, o := range e.orders {
		out = append(out, orchestrationtest.Service{
			ID: o.service, Name: "Delivery, held until it is confirmed", ServiceType: "machine.commerce", Price: "40", Currency: "TUSD",
			Payment: orchestration.RailRecommendation{
				DefaultRail: orchestration.RailEscrow, Required: true, SupportedRails: []orchestration.RailType{orchestration.RailEscrow},
				Chain: chain, Token: "TUSD", TokenAddress: e.token.Hex(), PayeeAddress: o.payee.Hex(),
			},
		})
	}
	return out
}

// serve adds the signers, in keystores of the directory, and the escrow and the refunds of the chain to the configuration.
func (e *devEscrow) serve(cfg *Config, dir string) error {
	signer := func(name string, key *ecdsa.PrivateKey, methods ...string) error {
		password := rand.Text()
		account, err := keystore.NewKeyStore(dir, keystore.LightScryptN, keystore.LightScryptP).ImportECDSA(key, password)
		if err != nil {
			return err
		}
		at := SignerChainConfig{
			Chain: cfg.Chains[0].ID, Tokens: []SignerTokenConfig{{Token: "TUSD", PerPayment: "1000", PerHour: "100000"}}, PaymentsPerHour: 1000,
			MaxFeePerGas: "1000", GasReserve: "0.01",
		}
		at.Methods = methods
		s := SignerConfig{
			Name: name, Kind: kindKeystore, Address: account.Address.Hex(), Keystore: filepath.Clean(account.URL.Path), Password: secret(password),
			Chains: []SignerChainConfig{at},
		}
		s.setDefaults()
		cfg.Signers = append(cfg.Signers, s)
		return nil
	}
	err := errors.Join(
		signer("operator", e.operator, escrowevm.MethodPay, escrowevm.MethodPayBatch, escrowevm.MethodClaim),
		signer("arbiter", e.arbiter, escrowevm.MethodPay, escrowevm.MethodPayBatch, escrowevm.MethodFreeze),
		signer("refunds", e.refunds, escrowevm.MethodTransfer),
	)
	if err != nil {
		return err
	}
	escrow, refunds := &cfg.Chains[0].Escrow, &cfg.Chains[0].Refunds
	escrow.setDefaults()
	refunds.setDefaults()
	escrow.Signer, escrow.Arbiter, refunds.Signer = "operator", addressOf(e.arbiter).Hex(), "refunds"
	return cfg.Check()
}

// plays are an order that is delivered and confirmed, one that is not and is refunded, and one that is disputed and split.
func (e *devEscrow) plays(first play) []*play {
	first.found, first.accepted = "found in its block by watching the vault", "the lock was told to the orchestrator"
	afters := map[string]func(context.Context, *play, verifyDivision) error{"released": release, "refunded": refund, "disputed": dispute}
	var plays []*play
	for i, o := range e.orders {
		p := first
		p.name, p.serviceID, p.payer, p.machineRef = o.name, o.service, o.payer, fmt.Sprintf("%s%d", first.machineRef, i+2)
		p.look = func(ctx context.Context, p *play) (verifyDivision, error) { return e.look(ctx, p, o.payee) }
		p.after = afters[o.name]
		plays = append(plays, &p)
	}
	return plays
}

// confirm has the order executed and confirmed by its buyer.
func (p *play) confirm(ctx context.Context, order string) error {
	return p.buyer.Do(ctx, func(token orchestration.Secret) error {
		if _, err := p.market.ExecuteMarketOrder(ctx, token, order, orchestration.ExecuteMarketOrderRequest{}); err != nil {
			return err
		}
		_, err := p.market.ConfirmMarketOrder(ctx, token, order)
		return err
	})
}

// look reads what payee and payer have. The verification reads it again: each has got what is his, the vault is empty, and its
// one event of a payment says the same.
func (e *devEscrow) look(ctx context.Context, p *play, payee common.Address) (verifyDivision, error) {
	vault, payer := common.HexToAddress(p.terms.Payee), addressOf(p.payer)
	balances := func(ctx context.Context) (out [3]*big.Int, err error) {
		for i, of := range []common.Address{payee, payer, vault} {
			if out[i], err = devnet.TestTokenBalance(ctx, e.chain, e.token, of); err != nil {
				return out, err
			}
		}
		return out, nil
	}
	before, err := balances(ctx)
	return func(ctx context.Context, step string, toPayee, toPayer *big.Int) error {
		after, err := balances(ctx)
		if err != nil {
			return err
		}
		logs, err := e.chain.Client().FilterLogs(ctx, ethereum.FilterQuery{
			Addresses: []common.Address{escrowevm.Factory}, Topics: [][]common.Hash{nil, {common.BytesToHash(vault[:])}},
		})
		if err != nil {
			return fmt.Errorf("read the vault's events: %w", err)
		}
		var paid []*contracts.OrderVaultsPaid
		for i := range logs {
			if event, err := contracts.NewOrderVaults().UnpackPaidEvent(&logs[i]); err == nil { // else it tells of a freeze
				paid = append(paid, event)
			}
		}
		gotPayee, gotPayer := new(big.Int).Sub(after[0], before[0]), new(big.Int).Sub(after[1], before[1])
		switch {
		case gotPayee.Cmp(toPayee) != 0 || gotPayer.Cmp(toPayer) != 0:
			return fmt.Errorf("the payee got %s base units and the payer %s, want %s and %s", gotPayee, gotPayer, toPayee, toPayer)
		case after[2].Sign() != 0:
			return fmt.Errorf("%s base units are left in vault %s", after[2], vault)
		case len(paid) != 1:
			return fmt.Errorf("vault %s has %d events of a payment, want one", vault, len(paid))
		case paid[0].ToPayee.Cmp(toPayee) != 0 || paid[0].ToPayer.Cmp(toPayer) != 0 || !paid[0].PayeePaid || !paid[0].PayerPaid:
			return errors.New("the vault's event says something else")
		}
		p.say(step, fmt.Sprintf("the chain shows it: %s TUSD more at the payee, %s at the payer, the vault is empty", devMajor(toPayee), devMajor(toPayer)),
			"payee", payee.Hex(), "payer", payer.Hex(), "vault", vault.Hex(), "txid", paid[0].Raw.TxHash.Hex())
		return nil
	}, err
}
