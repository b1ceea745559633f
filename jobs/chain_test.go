package jobs_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

func TestPaymentsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		pay    func(r *rig)
		reason settlement.Code
		flag   settlement.Flag
	}{
		{"too little", func(r *rig) { r.pay(r.payer, r.payee, 1_499_999) }, settlement.AmountMismatch, settlement.FlagUnderpaid},
		{"too much", func(r *rig) { r.pay(r.payer, r.payee, 1_500_001) }, settlement.AmountMismatch, settlement.FlagOverpaid},
		{"by somebody else", func(r *rig) { r.pay(r.stranger(5_000_000), r.payee, 1_500_000) }, settlement.PayerMismatch, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			order := r.order()
			r.tell(order)
			r.await(order, false, settlement.StateAwaitingPayment)
			tt.pay(r)
			p := r.await(order, true, settlement.StateNeedsReview)
			if p.Reason != tt.reason || (tt.flag != "" && !p.HasFlag(tt.flag)) {
				t.Errorf("reason %s, flags %v; want %s, %s", p.Reason, p.Flags, tt.reason, tt.flag)
			}
			// The right payment still arrives and settles it.
			r.pay(r.payer, r.payee, 1_500_000)
			r.await(order, true, settlement.StateHeld)
		})
	}
}

// What the token's policy lets pass settles the payment, found by the watcher or named by the payer.
func TestTokenPolicy(t *testing.T) {
	t.Parallel()
	for _, named := range []bool{false, true} {
		t.Run(fmt.Sprintf("named %t", named), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, func(s *setup) { s.policy = settlement.Policy{Kind: settlement.Fee, Received: true, AtLeast: true} })
			order := r.order()
			r.tell(order)
			p := r.await(order, false, settlement.StateAwaitingPayment)
			hash := r.pay(r.payer, r.payee, 1_500_001)
			if named {
				if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
					t.Fatal(err)
				}
			}
			if p = r.await(order, true, settlement.StateHeld); !p.HasFlag(settlement.FlagOverpaid) {
				t.Errorf("flags %v, want overpaid", p.Flags)
			}
		})
	}
}

func TestTransactionsThatPayNothing(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		named  func(r *rig) common.Hash
		reason settlement.Code
	}{
		{"to somebody else", func(r *rig) common.Hash { return r.pay(r.payer, common.HexToAddress("0x77"), 1_500_000) }, settlement.PayeeMismatch},
		{"of another token", func(r *rig) common.Hash {
			return r.payToken(r.deployToken(r.payer), r.payer, r.payee, 1_500_000)
		}, settlement.TokenMismatch},
		{"that was reverted", func(r *rig) common.Hash { return r.payReverted(r.payer, r.payee) }, settlement.TxFailed},
		{"of native coin", func(r *rig) common.Hash { return r.payNative(r.payer, r.payee, 1_500_000) }, settlement.NoTransfer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			order := r.order()
			r.tell(order)
			p := r.await(order, false, settlement.StateAwaitingPayment)
			hash := tt.named(r)
			if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
				t.Fatal(err)
			}
			r.await(order, false, settlement.StateVerifying)
			r.chain.Commit()
			r.await(order, true, settlement.StateAwaitingPayment)
			records, err := store.History(t.Context(), r.pool, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			if last := records[len(records)-1]; last.Kind != settlement.EventTransactionAbsent || last.Reason != tt.reason {
				t.Errorf("last event %s with %s, want %s with %s", last.Kind, last.Reason, settlement.EventTransactionAbsent, tt.reason)
			}
		})
	}
}

func TestTwoPaymentsForOneOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	first := r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
	r.pay(r.payer, r.payee, 1_500_000)
	r.eventually("the second payment is flagged", func() error {
		r.chain.Commit()
		p, err := r.payment(order)
		switch {
		case err != nil:
			return err
		case !p.HasFlag(settlement.FlagDuplicateTransfer):
			return errNotYet
		case p.State != settlement.StateHeld || p.PaidBy != txid(t, first):
			return fmt.Errorf("state %s, paid by %s", p.State, p.PaidBy)
		}
		return nil
	})
}

// One payer, two orders of the same terms, one transfer: which of them it pays nobody can know.
func TestTwinOrders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.order(), r.order()
	r.tell(one)
	r.tell(two)
	r.await(one, false, settlement.StateAwaitingPayment)
	r.await(two, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	for _, order := range []string{one, two} {
		p := r.await(order, true, settlement.StateNeedsReview)
		if p.Reason != settlement.TransferAmbiguous {
			t.Errorf("order %s: reason %s, want %s", order, p.Reason, settlement.TransferAmbiguous)
		}
	}
}

// A transfer that could pay two orders pays the one that is left, once somebody names it again; naming it before changes
// nothing and leaves nothing to do.
func TestAmbiguousTransferIsNamedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	one, two := r.order(), r.order()
	r.tell(one)
	r.tell(two)
	r.await(one, false, settlement.StateAwaitingPayment)
	r.await(two, false, settlement.StateAwaitingPayment)
	hash := r.pay(r.payer, r.payee, 1_500_000)
	p := r.await(one, true, settlement.StateNeedsReview)
	other := r.await(two, true, settlement.StateNeedsReview)
	for range 2 {
		if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
			t.Fatal(err)
		}
		r.eventually("it was looked at", func() error {
			q, err := r.payment(one)
			if err == nil && q.Named != "" {
				err = errNotYet
			}
			return err
		})
		time.Sleep(1100 * time.Millisecond) // a transaction is named once a second
	}
	if p = r.await(one, false, settlement.StateNeedsReview); p.Settled() {
		t.Fatal("settled by a transfer that may be another order's")
	}
	results, err := r.runner.Advance(t.Context(), settlement.Event{ID: "test", Payment: other.ID, Kind: settlement.EventClosed, Reason: "TEST"})
	if err != nil || results[0].Err != nil {
		t.Fatal(err, results)
	}
	if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
		t.Fatal(err)
	}
	r.await(one, false, settlement.StateHeld)
	if seen := r.transfers(p); len(seen) != 1 || seen[0].Sighting.Verdict.Code != settlement.Verified {
		t.Errorf("transfers %+v, want the one with %s", seen, settlement.Verified)
	}
}

// Mallory sees the transfer of an honest payer and hands it in for an order of her own with equal terms, first.
func TestStrangerHandsInFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	honest := r.order()
	buyer, pairing := r.pair(newKey(t))
	mallory := r.orderOf(buyer, pairing)
	r.tell(honest)
	r.tell(mallory)
	r.await(honest, false, settlement.StateAwaitingPayment)
	p := r.await(mallory, false, settlement.StateAwaitingPayment)
	hash := r.pay(r.payer, r.payee, 1_500_000)
	if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
		t.Fatal(err)
	}
	paid := r.await(honest, true, settlement.StateHeld)
	r.chain.Commit()
	other := r.await(mallory, true, settlement.StateAwaitingPayment)
	if paid.PaidBy != txid(t, hash) || other.Settled() {
		t.Errorf("honest order paid by %s, stranger's settled %t", paid.PaidBy, other.Settled())
	}
	if len(r.market.Proofs(mallory)) != 0 {
		t.Error("a proof was posted for the stranger's order")
	}
}

func TestReorganisation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.chain.Commit()
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	fork := r.chain.Commit()
	hash := r.pay(r.payer, r.payee, 1_500_000)
	r.chain.Commit()
	r.await(order, false, settlement.StateConfirming)

	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the other branch is longer and does not hold the transfer
		r.chain.CommitEmpty()
	}
	p := r.await(order, false, settlement.StateAwaitingPayment)
	if p.Settled() {
		t.Fatal("settled by a transfer that has left the chain")
	}
	r.resend(hash)
	p = r.await(order, true, settlement.StateHeld)
	if p.PaidBy != txid(t, hash) {
		t.Errorf("paid by %s, want %s", p.PaidBy, hash)
	}
}

func TestReorganisationBeyondFinality(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.chain.Commit()
	order := r.order()
	r.tell(order)
	r.await(order, false, settlement.StateAwaitingPayment)
	fork := r.chain.Commit()
	r.pay(r.payer, r.payee, 1_500_000)
	r.await(order, true, settlement.StateHeld)
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	r.eventually("the other branch is the longer one and was scanned", func() error {
		r.chain.CommitEmpty()
		if p, err := r.payment(order); err != nil || p.State != settlement.StateNeedsReview {
			return errNotYet
		}
		return nil
	})
	p := r.await(order, false, settlement.StateNeedsReview)
	if p.Reason != settlement.TxReorged {
		t.Errorf("reason %s, want %s", p.Reason, settlement.TxReorged)
	}
}

func TestEndpointTrouble(t *testing.T) {
	t.Parallel()
	for trouble, reason := range map[string]settlement.Code{
		"refused": settlement.RPCUnavailable, "rate limited": settlement.RPCRateLimited, "nonsense": settlement.RPCUnavailable,
		"nulls": settlement.RPCMisconfigured, "slow": settlement.RPCUnavailable, "another chain": settlement.RPCMisconfigured,
	} {
		t.Run(trouble, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			order := r.order()
			r.tell(order)
			p := r.await(order, false, settlement.StateAwaitingPayment)
			hash := r.pay(r.payer, r.payee, 1_500_000)
			heal := r.breakRPC(trouble)
			if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				r.chain.Commit()
			}
			r.eventually("the trouble was met", func() error { return r.troubled() })
			r.eventually("the log says what is wrong", func() error { return r.logged("WARN", "chain not read", "reason="+string(reason)) })
			if q, err := r.payment(order); err != nil || q.State != settlement.StateVerifying {
				t.Errorf("state %s (%v): a look that fails says nothing about a payment", q.State, err)
			}
			heal()
			r.await(order, true, settlement.StateHeld)
		})
	}
}

// A node that has lost its receipts, or does not give them out yet: the transaction is neither rejected nor forgotten, and
// the watcher, which needs none, finds it.
func TestReceiptsAreMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	r.rpc.Handle(func(method string) chaintest.Answer {
		if method == "eth_getTransactionReceipt" {
			return chaintest.Hide
		}
		return chaintest.Pass
	})
	hash := r.pay(r.payer, r.payee, 1_500_000)
	if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
		t.Fatal(err)
	}
	r.eventually("the receipt is asked for", func() error {
		if r.rpc.Calls("eth_getTransactionReceipt") == 0 {
			return errNotYet
		}
		return nil
	})
	r.await(order, true, settlement.StateHeld)
	if kinds := r.history(p); slices.Contains(kinds, settlement.EventTransactionAbsent) {
		t.Errorf("history %v: a receipt that is missing says nothing", kinds)
	}
}

func TestOneBadEventInABatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var orders []string
	for range 100 {
		order := r.order()
		r.tell(order)
		orders = append(orders, order)
	}
	var events []settlement.Event
	for i, order := range orders {
		p := r.await(order, false, settlement.StateAwaitingPayment)
		e := settlement.Event{ID: "test", Payment: p.ID, Kind: settlement.EventClosed, Reason: "TEST"}
		if i == 57 {
			e.Kind = settlement.EventReleased // nothing to release
		}
		events = append(events, e)
	}
	results, err := r.runner.Advance(t.Context(), events...)
	if err != nil {
		t.Fatal(err)
	}
	for i, res := range results {
		switch {
		case i == 57 && !errors.Is(res.Err, settlement.ErrNotAccepted):
			t.Errorf("event 57: %v, want %v", res.Err, settlement.ErrNotAccepted)
		case i != 57 && (res.Err != nil || res.Payment.State != settlement.StateClosed):
			t.Errorf("event %d: %s, %v; want closed", i, res.Payment.State, res.Err)
		}
	}
	again, err := r.runner.Advance(t.Context(), events[0])
	if err != nil || !errors.Is(again[0].Err, jobs.ErrDuplicate) {
		t.Errorf("repeated event: %v, %v; want %v", again, err, jobs.ErrDuplicate)
	}
}

// Two batches claim the same transfers in opposite order, at the same time: one for the orders whose payers sent them, one
// for a stranger's orders of the same terms. A third one repeats the first backwards.
func TestBatchesClaimTheSameTransfersInOppositeOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	stranger, strangers := r.pair(newKey(t))
	var honest, others []settlement.Event
	for i := range 20 {
		buyer, pairing := r.pair(newKey(t))
		order, other := r.orderOf(buyer, pairing), r.orderOf(stranger, strangers)
		r.tell(order)
		r.tell(other)
		e := confirmation(r.await(order, false, settlement.StateAwaitingPayment), byte(i))
		e.Sighting.Block.Number += 1000 // after both orders were opened
		honest = append(honest, e)
		e.Payment = r.await(other, false, settlement.StateAwaitingPayment).ID
		others = append(others, e)
	}
	slices.Reverse(others)
	repeated := slices.Clone(honest)
	slices.Reverse(repeated)
	done := make(chan []jobs.Result, 3)
	for _, batch := range [][]settlement.Event{honest, others, repeated} {
		go func() {
			results, err := r.runner.Advance(t.Context(), batch...)
			if err != nil {
				t.Error(err)
			}
			done <- results
		}()
	}
	accepted := make(map[settlement.PaymentID]int)
	for range 3 {
		for _, res := range <-done {
			switch {
			case errors.Is(res.Err, jobs.ErrDuplicate):
			case res.Err != nil:
				t.Errorf("%v, want accepted or duplicate", res.Err)
			case res.Payment.Settled():
				accepted[res.Payment.ID]++
			}
		}
	}
	for i, e := range honest {
		if accepted[e.Payment] != 1 {
			t.Errorf("payment %d was settled %d times, want once", i, accepted[e.Payment])
		}
	}
	if len(accepted) != len(honest) {
		t.Errorf("%d payments are settled, want %d", len(accepted), len(honest))
	}
}

// confirmation is a final transfer that pays the payment.
func confirmation(p settlement.Payment, n byte) settlement.Event {
	id := settlement.TxID(strings.Repeat(string([]byte{n + 1}), 32))
	transfer := settlement.Transfer{
		Token: p.Terms.Token.Address, Payer: p.Terms.ProvenPayer, Payee: p.Terms.Payee, Amount: p.Terms.Amount, Position: "log/0",
	}
	block := settlement.Block{Number: p.Terms.FromBlock + 1, Hash: settlement.BlockHash(strings.Repeat("b", 32)), Time: p.Terms.NotBefore}
	evidence := &settlement.Evidence{Chain: p.Terms.Token.Chain, Block: block.Number, BlockHash: block.Hash.String(), BlockTime: block.Time}
	return settlement.Event{
		ID: "confirmed/" + id.String(), Payment: p.ID, Kind: settlement.EventPaymentConfirmed,
		Sighting: &settlement.Sighting{
			TxID: id, Transfer: transfer, Block: block,
			Verdict: settlement.Verdict{Code: settlement.Verified, Transfer: &transfer, Evidence: evidence},
		},
	}
}
