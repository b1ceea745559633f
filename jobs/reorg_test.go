package jobs_test

import (
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

var elsewhere = common.HexToAddress("0x1111111111111111111111111111111111111111")

// The block of a payment that is not final leaves the chain, and so many blocks with it, with each of the fates that the
// payment can have on the other branch.
func TestReorganisations(t *testing.T) {
	t.Parallel()
	for depth := 1; depth <= 8; depth++ {
		t.Run(fmt.Sprintf("depth %d", depth), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(s *setup) { s.evm = func(c *evm.Config) { c.Finality = evm.Finality{Depth: 9} } })
			for _, fate := range []string{"included again", "at another index", "replaced", "dropped", "fails"} {
				r.reorganise(depth, fate)
			}
		})
	}
}

func (r *rig) reorganise(depth int, fate string) {
	t := r.t
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	fork := r.chain.Commit()
	before := r.pay(r.payer, elsewhere, 1) // has the log before the payment's
	hash := r.pay(r.payer, r.payee, 1_500_000)
	for range depth {
		r.chain.Commit()
	}
	r.await(order, false, settlement.StateConfirming)
	r.eventually("the branch is scanned", r.scanned)
	old := r.transfers(p)[0].Sighting

	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	r.chain.CommitEmpty() // what left the chain is not waiting any more
	found := false
	switch fate {
	case "included again":
		found = true
		r.resend(before)
		r.resend(hash)
	case "at another index":
		found = true
		r.payNative(r.payer, elsewhere, 1)
		r.resend(hash)
	case "replaced":
		r.resend(before)
		r.pay(r.payer, elsewhere, 2)
	case "dropped":
	case "fails":
		r.pay(r.payer, elsewhere, r.balance().Int64())
		r.resend(hash)
	}
	for range depth + 1 {
		r.chain.Commit()
	}
	if !found {
		r.await(order, false, settlement.StateAwaitingPayment)
		for range 10 {
			r.chain.Commit()
		}
		r.eventually("all that could pay it is final", r.scanned)
		if q, err := r.payment(order); err != nil || q.State != settlement.StateAwaitingPayment || q.Settled() {
			t.Fatalf("%s: state %s, settled %t (%v)", fate, q.State, q.Settled(), err)
		}
		if fate == "fails" {
			if err := devnet.MintTestToken(t.Context(), r.chain, r.payer, r.token, address(r.payer), big.NewInt(100_000_000)); err != nil {
				t.Fatal(err)
			}
		}
		hash = r.pay(r.payer, r.payee, 1_500_000)
	}
	p = r.await(order, true, settlement.StateHeld)
	if p.PaidBy != txid(t, hash) || len(p.Flags) != 0 {
		t.Errorf("%s: paid by %s with flags %v, want %s", fate, p.PaidBy, p.Flags, hash)
	}
	if !slices.Contains(r.history(p), settlement.EventTransferWithdrawn) {
		t.Errorf("%s: nothing was withdrawn", fate)
	}
	for _, s := range r.transfers(p) {
		again := s.Sighting.TxID == txid(t, hash) && s.Status == store.TransferFinal
		if again && s.Sighting.Block.Hash == old.Block.Hash {
			t.Errorf("%s: it became final in the block that has left the chain", fate)
		}
		if again && fate == "at another index" && s.Sighting.Transfer.Position == old.Transfer.Position {
			t.Errorf("%s: it is still at %s", fate, old.Transfer.Position)
		}
	}
}

// balance is what the payer has of the token.
func (r *rig) balance() *big.Int {
	r.t.Helper()
	usd := contracts.NewTestUSD()
	raw, err := r.chain.Client().CallContract(r.t.Context(), ethereum.CallMsg{To: &r.token, Data: usd.PackBalanceOf(address(r.payer))}, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	balance, err := usd.UnpackBalanceOf(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	return balance
}

// The payer replaces the transaction that was named. The history says that it is dead, and the payment waits on.
func TestNamedTransactionIsReplaced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	hash := r.pay(r.payer, r.payee, 1_500_000)
	waiting := r.sent[len(r.sent)-1]
	if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
		t.Fatal(err)
	}
	r.eventually("it is seen waiting", func() error {
		var nonce *uint64
		if err := r.pool.QueryRow(t.Context(), "select named_nonce::bigint from payments where order_id = $1", order).Scan(&nonce); err != nil {
			return err
		}
		if nonce == nil || *nonce != waiting.Nonce() {
			return errNotYet
		}
		return nil
	})
	other, err := types.SignNewTx(r.payer, types.LatestSignerForChainID(new(big.Int).SetUint64(r.chain.ChainID())), &types.LegacyTx{
		Nonce: waiting.Nonce(), GasPrice: new(big.Int).Mul(waiting.GasPrice(), big.NewInt(2)), Gas: 100_000, To: &elsewhere, Value: big.NewInt(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	r.send(other)
	for range 3 {
		r.chain.Commit()
	}
	r.await(order, false, settlement.StateAwaitingPayment)
	records, err := store.History(t.Context(), r.pool, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if last := records[len(records)-1]; last.TxID != txid(t, hash) || last.Reason != settlement.ProofExpired || last.Detail != settlement.Replaced {
		t.Errorf("last event %+v, want %s (%s)", last, settlement.ProofExpired, settlement.Replaced)
	}
	hash = r.pay(r.payer, r.payee, 1_500_000)
	if p = r.await(order, true, settlement.StateHeld); p.PaidBy != txid(t, hash) {
		t.Errorf("paid by %s, want %s", p.PaidBy, hash)
	}
}
