package jobs_test

import (
	"fmt"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

func lenient(l settlement.Leniency) func(*setup) { return func(s *setup) { s.leniency = l } }

// opened makes an order and waits until it can be paid.
func (r *rig) opened() (order string, p settlement.Payment) {
	r.t.Helper()
	order = r.order()
	r.tell(order)
	return order, r.await(order, false, settlement.StateAwaitingPayment)
}

// received waits until so much counts for the order, making blocks.
func (r *rig) received(order string, units uint64) settlement.Payment {
	r.t.Helper()
	var last settlement.Payment
	r.eventually(fmt.Sprintf("%d units count", units), func() (err error) {
		if last, err = r.payment(order); err != nil || last.Received == settlement.NewAmount(units) {
			return err
		}
		r.chain.Commit()
		return fmt.Errorf("%s units in state %s", last.Received, last.State)
	})
	return last
}

// Each policy and value on each side of its limits, found by the watcher or named by the payer.
func TestLeniency(t *testing.T) {
	t.Parallel()
	const price = 1_500_000
	points := func(n uint16) settlement.Tolerance { return settlement.Tolerance{BasisPoints: n} }
	units := func(n uint64) settlement.Tolerance { return settlement.Tolerance{Units: settlement.NewAmount(n)} }
	for _, tt := range []struct {
		name     string
		leniency settlement.Leniency
		pays     int64
		stranger bool
		state    settlement.State
		reason   settlement.Code
		flag     settlement.Flag
	}{
		{"under within basis points", settlement.Leniency{Under: points(100)}, price - 15_000, false, settlement.StateHeld, "", settlement.FlagUnderpaid},
		{"under beyond basis points", settlement.Leniency{Under: points(100)}, price - 15_001, false, settlement.StateNeedsReview, settlement.AmountMismatch, settlement.FlagUnderpaid},
		{"under within units", settlement.Leniency{Under: units(7)}, price - 7, false, settlement.StateHeld, "", settlement.FlagUnderpaid},
		{"under beyond the narrower of two limits", settlement.Leniency{Under: settlement.Tolerance{BasisPoints: 100, Units: settlement.NewAmount(7)}}, price - 8, false, settlement.StateNeedsReview, settlement.AmountMismatch, settlement.FlagUnderpaid},
		{"over within basis points", settlement.Leniency{Over: points(100)}, price + 15_000, false, settlement.StateHeld, "", settlement.FlagOverpaid},
		{"over beyond basis points", settlement.Leniency{Over: points(100)}, price + 15_001, false, settlement.StateNeedsReview, settlement.AmountMismatch, settlement.FlagOverpaid},
		{"over by any amount", settlement.Leniency{Over: settlement.Tolerance{Any: true}}, 3 * price, false, settlement.StateHeld, "", settlement.FlagOverpaid},
		{"over is not under", settlement.Leniency{Over: settlement.Tolerance{Any: true}}, price - 1, false, settlement.StateNeedsReview, settlement.AmountMismatch, settlement.FlagUnderpaid},
		{"from another payer", settlement.Leniency{AnyPayer: true}, price, true, settlement.StateHeld, "", ""},
	} {
		for _, named := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, named %t", tt.name, named), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, lenient(tt.leniency))
				from := r.payer
				if tt.stranger {
					from = r.stranger(5_000_000)
				}
				order, p := r.opened()
				hash := r.pay(from, r.payee, tt.pays)
				if named {
					if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, hash)); err != nil {
						t.Fatal(err)
					}
				}
				p = r.await(order, true, tt.state)
				if p.Reason != tt.reason || (tt.flag == "") != (len(p.Flags) == 0) || tt.flag != "" && !p.HasFlag(tt.flag) {
					t.Errorf("reason %s (%s), flags %v; want %s, %s", p.Reason, p.Detail, p.Flags, tt.reason, tt.flag)
				}
				if want := settlement.NewAmount(uint64(tt.pays)); p.Settled() && p.Received != want {
					t.Errorf("received %s, want %s", p.Received, want)
				}
			})
		}
	}
}

// What comes after the grace counts within the time that the marketplace gives, and is flagged; after that a person decides.
func TestLateLeniency(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{time.Hour, time.Second} {
		t.Run(late.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, lenient(settlement.Leniency{Late: late}), func(s *setup) { s.grace = 0 })
			order, p := r.opened()
			after := p.Terms.Deadline
			if late < time.Minute {
				after = after.Add(late)
			}
			r.later(after)
			r.await(order, false, settlement.StateExpired)
			r.pay(r.payer, r.payee, 1_500_000)
			if late < time.Minute {
				if p := r.await(order, true, settlement.StateNeedsReview); p.Reason != settlement.PaymentLate || !p.HasFlag(settlement.FlagLate) {
					t.Errorf("reason %s, flags %v", p.Reason, p.Flags)
				}
				return
			}
			if p := r.await(order, true, settlement.StateHeld); !p.HasFlag(settlement.FlagLate) {
				t.Errorf("flags %v", p.Flags)
			}
		})
	}
}

// later brings the runners' clock and the chain's past the time. No transaction may wait.
func (r *rig) later(than time.Time) {
	r.t.Helper()
	header, err := r.chain.Client().HeaderByNumber(r.t.Context(), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	const more = 2 * time.Second // block times are whole seconds
	if err := r.chain.Skip(than.Add(more).Sub(time.Unix(int64(header.Time), 0))); err != nil {
		r.t.Fatal(err)
	}
	r.ahead.Add(int64(than.Add(more).Sub(time.Now().Add(time.Duration(r.ahead.Load())))))
}

// Several small ones add up: in one block, in different blocks, found or named; each counts once and for ever.
func TestPartsAddUp(t *testing.T) {
	t.Parallel()
	for _, oneBlock := range []bool{false, true} {
		for _, named := range []bool{false, true} {
			t.Run(fmt.Sprintf("one block %t, named %t", oneBlock, named), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, lenient(settlement.Leniency{Parts: true}))
				order, p := r.opened()
				var sum uint64
				var last common.Hash
				for _, part := range []int64{600_000, 500_000, 400_000} {
					last = r.pay(r.payer, r.payee, part)
					sum += uint64(part)
					if named {
						if _, err := r.runner.NameTransaction(t.Context(), p.ID, txid(t, last)); err != nil {
							t.Fatal(err)
						}
					}
					if !oneBlock {
						r.received(order, sum)
					}
				}
				p = r.await(order, true, settlement.StateHeld)
				if p.Received != p.Terms.Amount || !oneBlock && p.PaidBy != txid(t, last) || len(p.Flags) != 0 {
					t.Errorf("received %s, paid by %s, flags %v", p.Received, p.PaidBy, p.Flags)
				}
				if proofs := r.market.Proofs(order); len(proofs) != 1 || proofs[0].Proof.TransactionHash != evm.FormatTxID(p.PaidBy) {
					t.Errorf("the orchestrator was told %+v", proofs)
				}
				if seen := r.transfers(p); len(seen) != 3 || slices.ContainsFunc(seen, func(s store.SeenTransfer) bool { return !s.Sighting.Verdict.IsPart() }) {
					t.Errorf("transfers %+v", seen)
				}
			})
		}
	}
}

// One transaction brings several parts, of which each counts: seen by the watcher, or proven by their payer afterwards, when
// a look at the transaction finds them one after the other.
func TestPartsInOneTransaction(t *testing.T) {
	t.Parallel()
	for _, proven := range []bool{false, true} {
		t.Run(fmt.Sprintf("proven %t", proven), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, lenient(settlement.Leniency{Parts: true}))
			owner := r.stranger(0)
			wallet, err := devnet.DeployTestWallet(t.Context(), r.chain, owner)
			if err != nil {
				t.Fatal(err)
			}
			if err := devnet.MintTestToken(t.Context(), r.chain, r.payer, r.token, wallet, big.NewInt(5_000_000)); err != nil {
				t.Fatal(err)
			}
			r.chain.Commit()
			r.chain.Commit() // the wallet is final
			order, p := r.opened()
			tx, err := devnet.SendTestTokenFrom(t.Context(), r.chain, owner, wallet, r.token, r.payee, big.NewInt(700_000), big.NewInt(500_000), big.NewInt(300_000))
			if err != nil {
				t.Fatal(err)
			}
			if proven {
				for range 4 {
					r.chain.Commit()
				}
			}
			r.prove(p, tx.Hash(), wallet, owner)
			p = r.await(order, true, settlement.StateHeld)
			if p.Received != p.Terms.Amount || p.PaidBy != txid(t, tx.Hash()) || len(p.Flags) != 0 {
				t.Errorf("received %s, paid by %s, flags %v", p.Received, p.PaidBy, p.Flags)
			}
		})
	}
}

// What is more than the price with the parts before it is a person's matter, and does not count.
func TestPartsThatAreTooMuch(t *testing.T) {
	t.Parallel()
	r := newRig(t, lenient(settlement.Leniency{Parts: true}))
	order, _ := r.opened()
	r.pay(r.payer, r.payee, 1_000_000)
	r.received(order, 1_000_000)
	r.pay(r.payer, r.payee, 500_001)
	p := r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.AmountMismatch || !p.HasFlag(settlement.FlagOverpaid) || p.Received != settlement.NewAmount(1_000_000) {
		t.Errorf("reason %s, flags %v, received %s", p.Reason, p.Flags, p.Received)
	}
	// What was missing still settles it.
	r.pay(r.payer, r.payee, 500_000)
	r.await(order, true, settlement.StateHeld)
}

// The exact price settles an order that has a part already; the part is then too much.
func TestWholePriceAfterAPart(t *testing.T) {
	t.Parallel()
	r := newRig(t, lenient(settlement.Leniency{Parts: true}))
	order, _ := r.opened()
	r.pay(r.payer, r.payee, 100_000)
	r.received(order, 100_000)
	r.pay(r.payer, r.payee, 1_500_000)
	p := r.await(order, true, settlement.StateHeld)
	if p.Received != settlement.NewAmount(1_600_000) || !p.HasFlag(settlement.FlagOverpaid) {
		t.Errorf("received %s, flags %v", p.Received, p.Flags)
	}
}

// At the deadline something has arrived and not all: a person decides, and what comes until the end of the late window still
// adds up.
func TestPartsAtTheDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, lenient(settlement.Leniency{Parts: true, Late: time.Hour}), func(s *setup) { s.grace = 0 })
	order, p := r.opened()
	r.pay(r.payer, r.payee, 1_000_000)
	r.received(order, 1_000_000)
	r.later(p.Terms.Deadline)
	p = r.await(order, false, settlement.StateNeedsReview)
	if p.Reason != settlement.AmountMismatch || p.Detail != settlement.Under || !p.HasFlag(settlement.FlagUnderpaid) {
		t.Errorf("reason %s (%s), flags %v", p.Reason, p.Detail, p.Flags)
	}
	r.pay(r.payer, r.payee, 500_000)
	if p = r.await(order, true, settlement.StateHeld); p.Received != p.Terms.Amount || !p.HasFlag(settlement.FlagLate) {
		t.Errorf("received %s, flags %v", p.Received, p.Flags)
	}
}

// A part whose block leaves the chain counts for nothing, and counts once when it comes back.
func TestPartIsReorganised(t *testing.T) {
	t.Parallel()
	r := newRig(t, lenient(settlement.Leniency{Parts: true}))
	r.chain.Commit()
	order, p := r.opened()
	r.pay(r.payer, r.payee, 1_000_000)
	r.received(order, 1_000_000)
	fork := r.chain.Commit()
	hash := r.pay(r.payer, r.payee, 500_000)
	r.chain.Commit()
	r.await(order, false, settlement.StateConfirming)
	if err := r.chain.Fork(fork); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.chain.CommitEmpty()
	}
	if p = r.await(order, false, settlement.StateAwaitingPayment); p.Received != settlement.NewAmount(1_000_000) {
		t.Errorf("received %s", p.Received)
	}
	r.resend(hash)
	if p = r.await(order, true, settlement.StateHeld); p.Received != p.Terms.Amount || p.PaidBy != txid(t, hash) {
		t.Errorf("received %s, paid by %s", p.Received, p.PaidBy)
	}
	if kinds := r.history(p); !slices.Contains(kinds, settlement.EventTransferWithdrawn) {
		t.Errorf("history %v", kinds)
	}
}

// A block that counted as final and is gone takes a part with it: a person, and no word that the order is paid.
func TestPartLeavesTheChainAfterFinality(t *testing.T) {
	t.Parallel()
	r := newRig(t, lenient(settlement.Leniency{Parts: true}))
	r.chain.Commit()
	order, _ := r.opened()
	fork := r.chain.Commit()
	r.pay(r.payer, r.payee, 1_000_000)
	r.received(order, 1_000_000)
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
	if p := r.await(order, false, settlement.StateNeedsReview); p.Reason != settlement.TxReorged || !p.HasFlag(settlement.FlagReorged) {
		t.Errorf("reason %s, flags %v", p.Reason, p.Flags)
	}
	// The rest does not make it paid: what came before may be gone.
	r.pay(r.payer, r.payee, 500_000)
	p := r.received(order, 1_500_000)
	if p.State != settlement.StateNeedsReview {
		t.Errorf("state %s after the rest", p.State)
	}
}

// A part that could belong to two orders counts for neither.
func TestPartOfTwoOrders(t *testing.T) {
	t.Parallel()
	r := newRig(t, lenient(settlement.Leniency{Parts: true}))
	one, _ := r.opened()
	two, _ := r.opened()
	r.pay(r.payer, r.payee, 1_000_000)
	for _, order := range []string{one, two} {
		if p := r.await(order, true, settlement.StateNeedsReview); p.Reason != settlement.TransferAmbiguous || !p.Received.IsZero() {
			t.Errorf("reason %s, received %s", p.Reason, p.Received)
		}
	}
}

// A payer with two orders, of which one has a part: the price is the other one's, and what is missing is this one's.
func TestPriceAndRestAreToldApart(t *testing.T) {
	t.Parallel()
	r := newRig(t, lenient(settlement.Leniency{Parts: true}))
	one, _ := r.opened()
	r.pay(r.payer, r.payee, 1_499_999)
	r.received(one, 1_499_999)
	two, _ := r.opened()
	r.pay(r.payer, r.payee, 1_500_000) // the price of the other one, and not what is missing here
	if p := r.await(two, true, settlement.StateHeld); p.Received != p.Terms.Amount {
		t.Errorf("received %s", p.Received)
	}
	r.pay(r.payer, r.payee, 1)
	if p := r.await(one, true, settlement.StateHeld); p.Received != p.Terms.Amount {
		t.Errorf("received %s", p.Received)
	}
}

// Anybody's exact price counts for the one order that it fits, and for none where it fits two, or where it may be another
// order's money.
func TestAnyPayerNeedsOneOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, lenient(settlement.Leniency{AnyPayer: true}))
	one, _ := r.opened()
	two, p := r.opened()
	stranger := r.stranger(9_000_000)
	hash := r.pay(stranger, r.payee, 1_500_000)
	for range 4 {
		r.chain.Commit()
	}
	r.eventually("the transfer was scanned", func() error {
		number, err := r.cursor()
		latest, _ := r.chain.Client().BlockNumber(t.Context())
		if err == nil && number < latest {
			err = errNotYet
		}
		return err
	})
	for _, order := range []string{one, two} {
		if p := r.await(order, false, settlement.StateAwaitingPayment); p.Settled() {
			t.Errorf("settled by %s", p.PaidBy)
		}
	}
	// The payer says which.
	r.prove(p, hash, address(stranger), stranger)
	r.await(two, true, settlement.StateHeld)
	// Now it fits one alone.
	r.pay(stranger, r.payee, 1_500_000)
	r.await(one, true, settlement.StateHeld)
	// A second payment of a settled order by its own payer is not somebody else's payment of an open one.
	buyer, pairing := r.pair(newKey(t))
	third := r.orderOf(buyer, pairing)
	r.tell(third)
	r.await(third, false, settlement.StateAwaitingPayment)
	r.pay(r.payer, r.payee, 1_500_000)
	if p := r.await(third, true, settlement.StateNeedsReview); p.Reason != settlement.PayerMismatch || p.Settled() {
		t.Errorf("reason %s", p.Reason)
	}
}
