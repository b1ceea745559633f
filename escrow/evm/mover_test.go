package evm_test

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/settlement"
)

// keySigner signs with a key in memory.
type keySigner struct{ key *ecdsa.PrivateKey }

func (s keySigner) Address() common.Address { return crypto.PubkeyToAddress(s.key.PublicKey) }

func (s keySigner) SignTx(_ context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	return types.SignTx(tx, types.LatestSignerForChainID(chainID), s.key)
}

// field is a chain with the vaults' factory, a token and a Mover.
type field struct {
	*testing.T
	chain    *devnet.Chain
	token    common.Address
	rich     *ecdsa.PrivateKey // has coins and tokens
	operator keySigner
	mover    *evm.Mover
	vaults   byte
}

func newField(t *testing.T, change ...func(*evm.MoverConfig)) *field {
	t.Helper()
	f := &field{T: t}
	var err error
	if f.rich, err = crypto.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	if f.operator.key, err = crypto.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	wallet := crypto.PubkeyToAddress(f.rich.PublicKey)
	f.chain, err = devnet.StartChain(devnet.ChainConfig{ChainID: 31_337, Accounts: []common.Address{wallet, f.operator.Address()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.chain.Close() })
	if f.token, err = devnet.DeployTestToken(t.Context(), f.chain, f.rich, wallet); err != nil {
		t.Fatal(err)
	}
	if err := devnet.DeployVaults(t.Context(), f.chain, f.rich); err != nil {
		t.Fatal(err)
	}
	cfg := evm.MoverConfig{
		Chain: "eip155:31337", Endpoints: []evm.Endpoint{{Name: "devnet", URL: f.chain.URL()}}, Signer: f.operator, Depth: 2,
		MaxFee: big.NewInt(1e12),
	}
	for _, c := range change {
		c(&cfg)
	}
	if f.mover, err = evm.NewMover(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.mover.Close)
	return f
}

// movement is a release of 1,000 out of a new vault that got so much.
func (f *field) movement(deposit int64) settlement.Movement {
	f.Helper()
	f.vaults++
	at := func(b byte) settlement.Address { return settlement.Address(strings.Repeat(string(rune(b)), 20)) }
	operator := f.operator.Address()
	v := settlement.Vault{
		Chain: "eip155:31337", OrderKey: [32]byte{f.vaults}, Token: settlement.Address(f.token[:]), Amount: settlement.NewAmount(1000),
		Payer: at('p'), Payee: at('q'), Operator: settlement.Address(operator[:]), Arbiter: at('r'),
		ReclaimAt: time.Now().Add(24 * time.Hour).Truncate(time.Second), DisputeAt: time.Now().Add(48 * time.Hour).Truncate(time.Second),
	}
	var err error
	if v.Address, err = (evm.Instrument{}).Address(v); err != nil {
		f.Fatal(err)
	}
	if deposit > 0 {
		to := common.BytesToAddress([]byte(v.Address))
		if _, err := devnet.SendTestToken(f.Context(), f.chain, f.rich, f.token, to, big.NewInt(deposit)); err != nil {
			f.Fatal(err)
		}
	}
	return settlement.Movement{Payment: settlement.PaymentID{f.vaults}, Purpose: settlement.PayoutRelease, Division: settlement.Division{ToPayee: settlement.NewAmount(1000)}, Vault: v}
}

func (f *field) blocks(n int) {
	for range n {
		f.chain.Commit()
	}
}

func (f *field) prepare(movements ...settlement.Movement) settlement.Prepared {
	f.Helper()
	p, err := f.mover.Prepare(f.Context(), movements)
	if err != nil {
		f.Fatal(err)
	}
	return p
}

func (f *field) sign(nonce uint64, call settlement.Call, last *settlement.Fees) settlement.SignedTx {
	f.Helper()
	signed, err := f.mover.Sign(f.Context(), f.slot(nonce), call, last, false)
	if err != nil {
		f.Fatal(err)
	}
	return signed
}

func (f *field) slot(nonce uint64) settlement.Slot {
	return settlement.Slot{Sender: f.mover.Signer(), Nonce: nonce}
}

func (f *field) send(signed settlement.SignedTx) {
	f.Helper()
	if err := f.mover.Send(f.Context(), signed.Raw); err != nil {
		f.Fatal(err)
	}
}

func (f *field) outcome(nonce uint64, call settlement.Call, movements []settlement.Movement, signed ...settlement.SignedTx) settlement.SlotOutcome {
	f.Helper()
	out, err := f.mover.Outcome(f.Context(), f.slot(nonce), call, signed, movements)
	if err != nil {
		f.Fatal(err)
	}
	return out
}

func (f *field) balance(of settlement.Address) int64 {
	f.Helper()
	balance, err := devnet.TestTokenBalance(f.Context(), f.chain, f.token, common.BytesToAddress([]byte(of)))
	if err != nil {
		f.Fatal(err)
	}
	return balance.Int64()
}

func TestMoverPaysABatchAndSaysWhatEachPartDid(t *testing.T) {
	t.Parallel()
	f := newField(t)
	if err := f.mover.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	good, short, late := f.movement(1000), f.movement(999), f.movement(1000)
	over := f.movement(1300)
	over.ToPayer = settlement.NewAmount(300)
	f.blocks(3)
	late.Vault.ReclaimAt = time.Now().Add(time.Minute).Truncate(time.Second)
	late.Vault.Address, _ = (evm.Instrument{}).Address(late.Vault)
	if _, err := devnet.SendTestToken(t.Context(), f.chain, f.rich, f.token, common.BytesToAddress([]byte(late.Vault.Address)), big.NewInt(1000)); err != nil {
		t.Fatal(err)
	}
	f.blocks(3)
	unreadable := f.movement(0)
	unreadable.Vault.Token = settlement.Address(evm.Factory[:]) // reverts
	unreadable.Vault.Address, _ = (evm.Instrument{}).Address(unreadable.Vault)
	p := f.prepare(good, short, unreadable, late, over)
	var reasons []settlement.Code
	for _, refused := range p.Refused {
		reasons = append(reasons, refused.Reason)
	}
	if len(p.Movements) != 2 || !slices.Equal(reasons, []settlement.Code{settlement.VaultShort, settlement.VaultUnreadable, settlement.VaultReclaim}) {
		t.Fatalf("prepared %+v", p)
	}
	// One member's part is used up before the batch gets there.
	alone := f.prepare(over)
	first := f.sign(0, alone.Call, nil)
	f.send(first)
	f.blocks(1)
	if out := f.outcome(0, alone.Call, alone.Movements, first); out.Fate != settlement.SlotIncluded {
		t.Errorf("in a block that is not final: %+v", out)
	}
	second := f.sign(1, p.Call, nil)
	if out := f.outcome(1, p.Call, p.Movements, second); out.Fate != settlement.SlotWaiting {
		t.Errorf("in no block: %+v", out)
	}
	f.send(second)
	f.send(second) // the same bytes again are no harm
	f.blocks(3)
	out := f.outcome(0, alone.Call, alone.Movements, first)
	if out.Fate != settlement.SlotFinal || out.TxID != first.TxID || out.Gas.IsZero() || !out.Parts[0].Paid || out.Parts[0].Owed {
		t.Errorf("alone: %+v", out)
	}
	out = f.outcome(1, p.Call, p.Movements, second)
	if out.Fate != settlement.SlotFinal || !out.Parts[0].Paid || out.Parts[1].Paid || !strings.Contains(out.Parts[1].Problem, "PartUsed") {
		t.Errorf("batch: %+v", out)
	}
	if got := f.balance(good.Vault.Payee); got != 2000 {
		t.Errorf("the payee has %d, want 2000", got)
	}
	if got := f.balance(over.Vault.Payer); got != 300 {
		t.Errorf("the payer has %d back, want 300", got)
	}
	if p := f.prepare(over); len(p.Refused) != 1 || p.Refused[0].Reason != settlement.VaultPartUsed {
		t.Errorf("paid again: %+v", p)
	}
}

// A transaction that was carried out and moved nothing says why, and what it cost.
func TestMoverReadsARevert(t *testing.T) {
	t.Parallel()
	f := newField(t)
	m := f.movement(1000)
	f.blocks(3)
	p := f.prepare(m)
	first, again := f.sign(0, p.Call, nil), f.sign(1, p.Call, nil)
	f.send(first)
	f.send(again)
	f.blocks(4)
	if out := f.outcome(1, p.Call, p.Movements, again); out.Fate != settlement.SlotFinal || out.Parts[0].Paid || !strings.Contains(out.Parts[0].Problem, "PartUsed") || out.Gas.IsZero() {
		t.Errorf("%+v, want reverted with PartUsed", out)
	}
}

// A bump changes the fees and nothing else, replaces the transaction at the node, and ends at the cap.
func TestMoverBumpsFees(t *testing.T) {
	t.Parallel()
	f := newField(t, func(c *evm.MoverConfig) { c.MaxFee, c.MaxFeeUrgent = big.NewInt(20e9), big.NewInt(50e9) })
	m := f.movement(1000)
	f.blocks(3)
	p := f.prepare(m)
	first := f.sign(0, p.Call, nil)
	f.send(first)
	second := f.sign(0, p.Call, &first.Fees)
	f.send(second)
	var a, b types.Transaction
	if err := errors.Join(a.UnmarshalBinary(first.Raw), b.UnmarshalBinary(second.Raw)); err != nil {
		t.Fatal(err)
	}
	if a.Nonce() != b.Nonce() || *a.To() != *b.To() || string(a.Data()) != string(b.Data()) || a.Gas() != b.Gas() {
		t.Error("a bump changed more than the fees")
	}
	least := new(big.Int).Div(new(big.Int).Mul(a.GasFeeCap(), big.NewInt(11)), big.NewInt(10))
	if b.GasFeeCap().Cmp(least) < 0 || b.GasTipCap().Cmp(a.GasTipCap()) <= 0 {
		t.Errorf("fees went from %s/%s to %s/%s", a.GasFeeCap(), a.GasTipCap(), b.GasFeeCap(), b.GasTipCap())
	}
	f.blocks(4)
	if out := f.outcome(0, p.Call, p.Movements, first, second); out.TxID != second.TxID || !out.Parts[0].Paid {
		t.Errorf("%+v, want the dearer transaction", out)
	}
	last, urgent := second.Fees, false
	for range 40 {
		next, err := f.mover.Sign(t.Context(), f.slot(0), p.Call, &last, urgent)
		if errors.Is(err, settlement.ErrFeeCap) {
			if got := last.Max.Big(); got.Cmp(big.NewInt(50e9)) > 0 || got.Cmp(big.NewInt(20e9)) > 0 != urgent {
				t.Errorf("offered %s when urgent is %t", last.Max, urgent)
			}
			if urgent {
				return
			}
			urgent = true
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		last = next.Fees
	}
	t.Error("bumps never came to the cap")
}

// A nonce that is used by somebody else's transaction is found out when that is final, and not before.
func TestMoverSeesAForeignTransaction(t *testing.T) {
	t.Parallel()
	f := newField(t)
	m := f.movement(1000)
	f.blocks(3)
	p := f.prepare(m)
	signed := f.sign(0, p.Call, nil)
	if _, err := f.chain.Send(t.Context(), f.operator.key, &common.Address{1}, big.NewInt(1), nil); err != nil {
		t.Fatal(err)
	}
	f.blocks(1)
	if out := f.outcome(0, p.Call, p.Movements, signed); out.Fate != settlement.SlotWaiting {
		t.Errorf("not final: %+v", out)
	}
	f.blocks(3)
	if out := f.outcome(0, p.Call, p.Movements, signed); out.Fate != settlement.SlotForeign {
		t.Errorf("final: %+v", out)
	}
	if p := f.prepare(m); p.Nonce != 1 {
		t.Errorf("the next nonce is %d, want 1", p.Nonce)
	}
}

// A success without the part's own event is no payment.
func TestMoverBelievesTheEventAlone(t *testing.T) {
	t.Parallel()
	f := newField(t)
	m := f.movement(1000)
	f.blocks(3)
	p := f.prepare(m)
	empty := p.Call
	empty.Data = contracts.NewOrderVaults().PackPayBatch(nil, new(big.Int))
	signed := f.sign(0, empty, nil)
	f.send(signed)
	f.blocks(4)
	if out := f.outcome(0, empty, p.Movements, signed); out.Fate != settlement.SlotFinal || out.Parts[0].Paid {
		t.Errorf("%+v, want final and not paid", out)
	}
}

func TestMoverRefusesAChainWithoutTheFactory(t *testing.T) {
	t.Parallel()
	chain, err := devnet.StartChain(devnet.ChainConfig{ChainID: 31_338})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[settlement.ChainID]string{"eip155:31338": "no vaults' factory", "eip155:1": "serves chain 31338"} {
		mover, err := evm.NewMover(t.Context(), evm.MoverConfig{
			Chain: id, Endpoints: []evm.Endpoint{{Name: "devnet", URL: chain.URL()}}, Signer: keySigner{key}, Depth: 2, MaxFee: big.NewInt(1),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(mover.Close)
		if err := mover.Check(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", id, err, want)
		}
	}
}
