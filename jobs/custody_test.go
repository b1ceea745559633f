package jobs_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"
	"github.com/jackc/pgx/v5/pgxpool"

	escrowsolana "github.com/settler-pay/settler/escrow/solana"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// custodyBooks are the rows that a policy asks. The rig is made after its chains.
type custodyBooks struct{ pool func() *pgxpool.Pool }

func (b custodyBooks) Vault(ctx context.Context, chain settlement.ChainID, address settlement.Address) (settlement.Vault, error) {
	kept, err := store.VaultAt(ctx, b.pool(), chain, address)
	return kept.Vault, err
}

func (b custodyBooks) TokenAccount(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (settlement.Address, bool, error) {
	vault, state, err := store.TokenAccountOfSlot(ctx, b.pool(), chain, slot)
	return vault, state == store.TokenAccountClosing, err
}

func (b custodyBooks) LastHour(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (escrowsolana.Spent, error) {
	reserved, err := store.ReservedOfVaults(ctx, b.pool(), chain, slot, time.Now().Add(-time.Hour))
	return escrowsolana.Spent(reserved), err
}

// newSecret is one that guards nothing.
func newSecret(t *testing.T, epoch uint32) *escrowsolana.Secret {
	t.Helper()
	var file bytes.Buffer
	if err := escrowsolana.CreateSecret(&file, "correct horse", epoch, 10); err != nil {
		t.Fatal(err)
	}
	secret, err := escrowsolana.OpenSecret(&file, "correct horse", epoch)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// mover pays out of wallets that are derived from the secret, and has 1 SOL more for it.
func (c *cluster) mover(secret *escrowsolana.Secret) *escrowsolana.Mover {
	mover, err := escrowsolana.NewMover(context.Background(), escrowsolana.MoverConfig{
		Chain: c.id, Secret: secret, Endpoints: []escrowsolana.Endpoint{{Name: "node", URL: c.node.URL()}},
		Books:  custodyBooks{func() *pgxpool.Pool { return c.pool }},
		Tokens: []escrowsolana.Token{{Mint: c.token.Mint, Program: c.token.Program, Decimals: 6}, {}},
		Policy: escrowsolana.Policy{Tokens: map[sdk.PublicKey]escrowsolana.TokenLimit{
			c.token.Mint: {PerPayment: settlement.NewAmount(10_000_000), PerHour: settlement.NewAmount(10_000_000)},
			{}:           {PerPayment: settlement.NewAmount(sdk.LAMPORTS_PER_SOL), PerHour: settlement.NewAmount(sdk.LAMPORTS_PER_SOL)},
		}, PaymentsPerHour: 10, MaxUnitPrice: 1000, Reserve: sdk.LAMPORTS_PER_SOL / 2},
	})
	if err == nil {
		err = c.node.Fund(context.Background(), sdk.LAMPORTS_PER_SOL, sdk.PublicKeyFromBytes([]byte(mover.Signer())))
	}
	if err != nil {
		panic(err)
	}
	return mover
}

// units is what the wallet has of the token at the final slot.
func (c *cluster) units(wallet sdk.PublicKey) string {
	c.t.Helper()
	var balance struct{ Value struct{ Amount string } }
	if err := c.node.Call(c.t.Context(), &balance, "getTokenAccountBalance", c.token.Account(wallet), map[string]string{"commitment": "finalized"}); err != nil {
		return "none"
	}
	return balance.Value.Amount
}

// reluctant refuses what slot 1 is for, and what slot 2 is for once its transaction, which nobody sends, has expired.
type reluctant struct {
	jobs.Mover
	unsent []byte
}

func (m *reluctant) Sign(ctx context.Context, slot settlement.Slot, call settlement.Call, last *settlement.Fees, urgent bool) (settlement.SignedTx, error) {
	if slot.Nonce == 1 || slot.Nonce == 2 && last != nil {
		return settlement.SignedTx{}, &escrowsolana.Refusal{Code: escrowsolana.RefusedPolicy, Detail: "too much at once"}
	}
	signed, err := m.Mover.Sign(ctx, slot, call, last, urgent)
	if slot.Nonce == 2 {
		m.unsent = signed.Raw
	}
	return signed, err
}

func (m *reluctant) Send(ctx context.Context, raw []byte) error {
	if bytes.Equal(raw, m.unsent) {
		return nil
	}
	return m.Mover.Send(ctx, raw)
}

func (m *reluctant) Outcome(ctx context.Context, slot settlement.Slot, call settlement.Call, signed []settlement.SignedTx, movements []settlement.Movement) (settlement.SlotOutcome, error) {
	if slot.Nonce == 2 {
		return settlement.SlotOutcome{Fate: settlement.SlotExpired}, nil
	}
	return m.Mover.Outcome(ctx, slot, call, signed, movements)
}

// taxed makes the order's token a mint that keeps 4 % of each transfer, rounded up, of which alice has much.
func (c *cluster) taxed() {
	mint, err := devnet.NewSolanaKey()
	if err != nil {
		panic(err)
	}
	purse, alice := c.node.Purse(), c.alice.PublicKey()
	authority := purse.PublicKey()
	c.token = devnet.SolanaToken{Mint: mint.PublicKey(), Program: sdk.Token2022ProgramID, Decimals: 6}
	c.policy = settlement.Policy{Kind: settlement.Fee, Received: true}
	const length, rent = 278, (278 + 128) * 6960 // of a mint with the extension
	u64 := func(n uint64) []byte { return binary.LittleEndian.AppendUint64(nil, n) }
	program, account := c.token.Program, sdk.Meta(c.token.Mint).WRITE()
	_, err = c.node.Send(context.Background(), purse, []sdk.PrivateKey{mint},
		sdk.NewInstruction(sdk.SystemProgramID, sdk.AccountMetaSlice{sdk.Meta(authority).SIGNER().WRITE(), sdk.Meta(c.token.Mint).SIGNER().WRITE()},
			slices.Concat(make([]byte, 4), u64(rent), u64(length), program[:])),
		sdk.NewInstruction(program, sdk.AccountMetaSlice{account},
			slices.Concat([]byte{26, 0, 1}, authority[:], []byte{1}, authority[:], []byte{400 % 256, 400 / 256}, u64(1<<40))),
		sdk.NewInstruction(program, sdk.AccountMetaSlice{account}, slices.Concat([]byte{20, 6}, authority[:], []byte{0})),
		c.token.Open(authority, alice),
		sdk.NewInstruction(program, sdk.AccountMetaSlice{account, sdk.Meta(c.token.Account(alice)).WRITE(), sdk.Meta(authority).SIGNER()},
			append([]byte{7}, u64(1_000_000_000)...)))
	if err != nil {
		panic(err)
	}
}

// What a token keeps of a deposit and of a release is in the ledger, also where it keeps all of what goes back.
func solanaTokenWithAFee(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false, func(c *cluster, s *setup, _ *orchestration.RailRecommendation) {
		s.rail = orchestration.RailEscrow
		if c.escrow != nil {
			return
		}
		c.taxed()
		secret := newSecret(t, 1)
		c.escrow = func() *jobs.Escrow {
			mover := c.mover(secret)
			return &jobs.Escrow{
				Instrument: mover, Mover: mover, Arbiter: mover.Signer(), Epoch: 1, HoldFor: 24 * time.Hour, DisputeFor: time.Hour, BumpAfter: time.Second, Batch: 1,
			}
		}
	})
	order := c.order()
	c.proveRefunds(order, c.id, c.alice)
	c.tell(order)
	p := c.await(order, false, settlement.StateAwaitingPayment)
	vault := sdk.PublicKeyFromBytes([]byte(p.Terms.Payee))
	c.run(c.token.Open(c.alice.PublicKey(), vault), c.token.Transfer(c.alice.PublicKey(), vault, 1_562_502)) // one above the price arrives
	p = c.await(order, false, settlement.StateHeld)
	if got := c.ledger(p); got != "fee 62501, held 1500001, payer -1500001, payer_fee -62501" {
		t.Errorf("the ledger says %s", got)
	}
	c.confirm(order)
	p = c.await(order, false, settlement.StateReleased)
	if got := c.ledger(p); got != "fee 122502, held 0, payee 1440000, payer -1500001, payer_fee -62501" {
		t.Errorf("the ledger says %s", got)
	}
	if payee, payer := c.units(c.bob.PublicKey()), c.units(c.alice.PublicKey()); payee != "1440000" || payer != "998437498" {
		t.Errorf("the payee has %s, the payer %s", payee, payer)
	}
}

// A stranger's lamport in the wallet of an order in SOL, whose payer has no SOL, does not hold up the release: it is burnt, and the ledger says so.
func solanaDustOfAStranger(t *testing.T) {
	t.Parallel()
	c := newCluster(t, false, func(c *cluster, s *setup, a *orchestration.RailRecommendation) {
		s.rail, s.price = orchestration.RailEscrow, "0.5"
		a.Token, a.TokenMint = "SOL", ""
		if c.escrow != nil {
			return
		}
		secret := newSecret(t, 1)
		c.escrow = func() *jobs.Escrow {
			mover := c.mover(secret)
			return &jobs.Escrow{
				Instrument: mover, Mover: mover, Arbiter: mover.Signer(), Epoch: 1, HoldFor: 24 * time.Hour, DisputeFor: time.Hour, BumpAfter: time.Second, Batch: 1,
			}
		}
	})
	const price = sdk.LAMPORTS_PER_SOL / 2
	payer, err := devnet.NewSolanaKey() // has signed, and never had SOL
	if err != nil {
		t.Fatal(err)
	}
	order := c.order()
	c.proveRefunds(order, c.id, payer)
	c.tell(order)
	p := c.await(order, false, settlement.StateAwaitingPayment)
	vault := sdk.PublicKeyFromBytes([]byte(p.Terms.Payee))
	c.run(devnet.SolanaTransfer(c.alice.PublicKey(), vault, price))
	c.await(order, false, settlement.StateHeld)
	c.run(devnet.SolanaTransfer(c.alice.PublicKey(), vault, 1))
	c.eventually("the lamport is in the books", func() error {
		if got := c.ledger(p); got != "held 500000001, payer -500000001" {
			return errors.New(got)
		}
		return nil
	})
	c.confirm(order)
	p = c.await(order, false, settlement.StateReleased)
	if got := c.ledger(p); got != "fee 1, held 0, payee 500000000, payer -500000001" {
		t.Errorf("the ledger says %s", got)
	}
	if got := c.moved(p); !slices.Equal(got, []string{"release 500000000+1 final"}) {
		t.Errorf("movements %q", got)
	}
}

// An order's wallet is paid, locked, and emptied by one transaction: also of what came after the release was decided. What would
// leave money behind is refused, and a halt is obeyed. What is refused for good ends its slot, whether or not something had been
// signed that has expired, and can be decided anew. A secret that was exchanged goes on paying out its own wallets.
func solanaCustody(t *testing.T) {
	t.Parallel()
	first, second := newSecret(t, 1), newSecret(t, 2)
	var operator settlement.Address
	rotated := false
	c := newCluster(t, false, func(c *cluster, s *setup, _ *orchestration.RailRecommendation) {
		s.rail = orchestration.RailEscrow
		c.escrow = func() *jobs.Escrow {
			mover := c.mover(first)
			operator = mover.Signer()
			escrow := &jobs.Escrow{
				Instrument: mover, Mover: &reluctant{Mover: mover}, Arbiter: operator, Epoch: 1, HoldFor: 24 * time.Hour, DisputeFor: time.Hour, BumpAfter: time.Second, Batch: 1,
			}
			if rotated {
				next := c.mover(second)
				escrow.EarlierMovers = []jobs.Mover{escrow.Mover}
				escrow.Instrument, escrow.Mover, escrow.Arbiter, escrow.Epoch = next, next, next.Signer(), 2
			}
			return escrow
		}
	})
	hold := func() (string, settlement.Payment, sdk.PublicKey) {
		t.Helper()
		order := c.order()
		c.proveRefunds(order, c.id, c.alice)
		c.tell(order)
		p := c.await(order, false, settlement.StateAwaitingPayment)
		vault := sdk.PublicKeyFromBytes([]byte(p.Terms.Payee))
		c.run(c.token.Open(c.alice.PublicKey(), vault), c.token.Transfer(c.alice.PublicKey(), vault, solPrice))
		return order, c.await(order, false, settlement.StateHeld), vault
	}
	order, p, vault := hold()
	results, err := c.runner.Advance(t.Context(), decision(p, settlement.EventPartialRefundApproved, 0, 500_000))
	if err != nil || !errors.Is(results[0].Err, settlement.ErrNotAccepted) {
		t.Errorf("a refund of a part: %v, %v", err, results)
	}
	if err := store.SetHalt(t.Context(), c.pool, string(c.id), "to look", time.Now()); err != nil {
		t.Fatal(err)
	}
	c.confirm(order)
	c.await(order, false, settlement.StateReleasePending)
	c.run(c.token.Transfer(c.alice.PublicKey(), vault, 250_000))
	c.eventually("what came later is in the books", func() error {
		if got := c.ledger(p); got != "held 1750000, payer -1750000" {
			return errors.New(got)
		}
		return nil
	})
	if got := c.units(vault); got != "1750000" {
		t.Errorf("halted, the wallet holds %s", got)
	}
	before := c.units(c.alice.PublicKey())
	if _, err := store.LiftHalt(t.Context(), c.pool, string(c.id)); err != nil {
		t.Fatal(err)
	}
	p = c.await(order, false, settlement.StateReleased)
	if payee, left, after := c.units(c.bob.PublicKey()), c.units(vault), c.units(c.alice.PublicKey()); payee != "1500000" || left != "none" || before != "998250000" || after != "998500000" {
		t.Errorf("the payee has %s, the wallet %s, the payer %s after %s", payee, left, after, before)
	}
	if got := c.ledger(p); got != "held 0, payee 1500000, payer -1750000, refund 250000" {
		t.Errorf("the ledger says %s", got)
	}
	there := c.marketPayment(order)
	if note := "released by " + c.chain().FormatTxID(p.PaidOut); there.Status != orchestration.PaymentReleased || !slices.Contains(there.Notes, note) {
		t.Errorf("the orchestrator's payment is %s with %q, want %q", there.Status, there.Notes, note)
	}
	order, p, vault = hold()
	for range 2 {
		if err := c.decide(p, settlement.EventRefundApproved, 0, 0); err != nil {
			t.Fatal(err)
		}
		p = c.await(order, false, settlement.StateNeedsReview)
		if p.Reason != settlement.PayoutVoid || !strings.Contains(p.Detail, "too much at once") || p.Payout != "" {
			t.Errorf("%s: %s, payout %q", p.Reason, p.Detail, p.Payout)
		}
		if open, err := store.OpenSlots(t.Context(), c.pool, c.id, operator); err != nil || len(open) != 0 {
			t.Errorf("a slot is still taken: %+v (%v)", open, err)
		}
	}
	// The secret is exchanged: the wallet is paid out with its own, the next order gets one of the new.
	c.stop()
	rotated = true
	c.runner = c.newRunner(c.setup)
	c.stop = c.start(c.runner)
	if err := c.decide(p, settlement.EventRefundApproved, 0, 0); err != nil {
		t.Fatal(err)
	}
	p = c.await(order, false, settlement.StateRefunded)
	later := c.order()
	c.proveRefunds(later, c.id, c.alice)
	c.tell(later)
	laterPayment := c.await(later, false, settlement.StateAwaitingPayment)
	if kept, err := store.VaultAt(t.Context(), c.pool, c.id, laterPayment.Terms.Payee); err != nil || kept.Vault.Derived == nil || kept.Vault.Derived.Epoch != 2 || kept.Vault.Operator == operator {
		t.Errorf("the next order's wallet is %+v (%v)", kept.Vault, err)
	}
	if got := c.moved(p); !slices.Equal(got, []string{"refund 0+1500000 reverted", "refund 0+1500000 reverted", "refund 0+1500000 final"}) {
		t.Errorf("movements %q", got)
	}
	if left, after := c.units(vault), c.units(c.alice.PublicKey()); left != "none" || after != "998500000" {
		t.Errorf("refunded, the wallet has %s and the payer %s", left, after)
	}
	if got := c.ledger(p); got != "held 0, payer -1500000, refund 1500000" {
		t.Errorf("the ledger says %s", got)
	}
	// Limits per hour are the chain's, whichever epoch's secret signs: a release and a refund were carried out by the first.
	next := settlement.Slot{Sender: c.chain().Escrow.Mover.Signer()}
	if reserved, err := store.ReservedOfVaults(t.Context(), c.pool, c.id, next, time.Now().Add(-time.Hour)); err != nil || reserved.Payments != 2 ||
		reserved.Amounts[p.Terms.Token.Address] != settlement.NewAmount(3_250_000) {
		t.Errorf("reserved within the hour: %+v (%v)", reserved, err)
	}
}
