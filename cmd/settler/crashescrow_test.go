package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/contracts"
	escrowevm "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// TestCrashMovingMoney kills the real program before and after each commit, signature and broadcast by which money moves, and each
// call that tells the orchestrator, starts it again, and wants the money moved once, the books to agree, and the orchestrator told
// once. It wants the same of a node that takes the transaction and answers when nobody waits any more, or neither takes it nor
// answers. One world serves all points of a way, one after the other.
func TestCrashMovingMoney(t *testing.T) {
	if testing.Short() {
		t.Skip("a crash at each of 34 points takes minutes on a slow machine; run without -short")
	}
	t.Parallel()
	program := crashProgram(t)
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			r := newCrashRun(t, program, nil)
			if !w.direct {
				r.play.serviceID = r.escrow.orders[0].service
			}
			log := filepath.Join(t.TempDir(), "points")
			r.moveMoney("", log, w)
			text, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			passed := strings.Split(strings.TrimSpace(string(text)), "\n")
			points := w.points
			if os.Getenv("SETTLER_CRASH_POINTS") == "all" {
				points = slices.Concat(w.first, movingPoints, w.last)
			}
			for _, point := range points {
				if !slices.Contains(passed, point) {
					t.Errorf("a %s does not pass %q: %q", w.name, point, passed)
				}
				if t.Failed() {
					return
				}
				r.moveMoney(point, "", w)
			}
			for name, fault := range w.faults {
				var met atomic.Bool
				r.rpc.Intercept(func(c chaintest.Call) chaintest.Answer {
					if c.Method == "eth_sendRawTransaction" && met.CompareAndSwap(false, true) {
						return fault(c)
					}
					return chaintest.Pass
				})
				if r.moveMoney("", "", w); !met.Load() {
					t.Errorf("no transaction met a node that answers %s", name)
				}
				r.rpc.Intercept(nil)
			}
		})
	}
}

// way is one in which money leaves vaults or, where it is direct, the wallet that direct payments are given back from.
type way struct {
	name   string
	direct bool
	orders int // whose money moves together
	state  settlement.State
	status orchestration.PaymentStatus // at the orchestrator
	// toPayee and toPayer are what each order's vault or refund pays, in base units.
	toPayee, toPayer int64
	decide           func(ctx context.Context, r *crashRun, p *play, orders []string) error
	first, last      []string // points before and after movingPoints
	points           []string // at which the program is killed, unless all are asked for (make crash)
	faults           map[string]func(chaintest.Call) chaintest.Answer
}

// movingPoints are passed by all money that moves.
var movingPoints = []string{
	"before commit of movements prepared", "after commit of movements prepared", "before signature", "after signature",
	"before commit of signed transaction", "after commit of signed transaction", "before broadcast", "after broadcast",
	"before commit of sent transaction", "after commit of sent transaction", "before commit of final movements", "after commit of final movements",
}

var (
	lockPoints = []string{
		"before commit of vault", "after commit of vault", "before POST /api/v1/market/orders/ID/payment/escrow-lock", "after POST /api/v1/market/orders/ID/payment/escrow-lock",
	}
	releasePoints = []string{"before POST /api/v1/market/orders/ID/payment/release", "after POST /api/v1/market/orders/ID/payment/release"}
	refundPoints  = []string{"before POST /api/v1/market/orders/ID/payment/refund", "after POST /api/v1/market/orders/ID/payment/refund"}
)

// wayOf is the way of the name.
func wayOf(name string) *way {
	return &ways[slices.IndexFunc(ways, func(w way) bool { return w.name == name })]
}

// ways of money. A release is killed at every point; of the others, which go the same way in between, those points are taken
// that leave most behind, unless all are asked for.
var ways = []way{
	{
		name: "release", orders: 1, state: settlement.StateReleased, status: orchestration.PaymentReleased, toPayee: 40_000_000,
		decide: func(ctx context.Context, _ *crashRun, p *play, orders []string) error {
			return p.confirm(ctx, orders[0])
		},
		first: lockPoints, last: releasePoints, points: slices.Concat(lockPoints, movingPoints, releasePoints),
		faults: map[string]func(chaintest.Call) chaintest.Answer{"late": answerLate},
	},
	{
		name: "refund", orders: 1, state: settlement.StateRefunded, status: orchestration.PaymentRefunded, toPayer: 40_000_000,
		decide: func(ctx context.Context, r *crashRun, _ *play, orders []string) error {
			return r.decide(ctx, orders, settlement.Event{Kind: settlement.EventRefundApproved})
		},
		last:   refundPoints,
		points: slices.Concat([]string{"after commit of movements prepared", "after broadcast", "before commit of final movements"}, refundPoints),
	},
	{
		name: "split", orders: 1, state: settlement.StateSplit, status: orchestration.PaymentRefunded, toPayee: 15_000_000, toPayer: 25_000_000,
		decide: func(ctx context.Context, r *crashRun, _ *play, orders []string) error {
			return r.decide(ctx, orders, settlement.Event{
				Kind: settlement.EventSplitApproved, Division: &settlement.Division{ToPayee: settlement.NewAmount(15_000_000), ToPayer: settlement.NewAmount(25_000_000)},
			})
		},
		last: refundPoints, points: []string{"after commit of movements prepared", "after broadcast", "after commit of final movements", refundPoints[1]},
		faults: map[string]func(chaintest.Call) chaintest.Answer{"never": answerNever},
	},
	{
		name: "direct refund", direct: true, orders: 1, state: settlement.StateRefunded, status: orchestration.PaymentRefunded, toPayer: 12_500_000,
		decide: func(ctx context.Context, r *crashRun, p *play, orders []string) error {
			return r.decide(ctx, orders, settlement.Event{Kind: settlement.EventRefundApproved, Receiver: r.payerOf(p)})
		},
		last: refundPoints, points: []string{"after broadcast", "before commit of final movements"},
	},
	{
		name: "batch", orders: 2, state: settlement.StateReleased, status: orchestration.PaymentReleased, toPayee: 40_000_000,
		// Both orders are accepted in one commit: webhooks would come one after the other.
		decide: func(ctx context.Context, r *crashRun, _ *play, orders []string) error {
			for _, id := range orders {
				there, _ := r.market.Payment(id)
				there.Status = orchestration.PaymentReleasePending
				r.market.PutPayment(there)
			}
			return r.decide(ctx, orders, settlement.Event{Kind: settlement.EventOrderAccepted})
		},
		last: releasePoints, points: []string{"after commit of movements prepared", "after signature", "after broadcast", "before commit of final movements", releasePoints[1]},
	},
}

// What a node may do with a transaction: answer when nobody waits any more, having taken it, or never have heard of it.
func answerLate(c chaintest.Call) chaintest.Answer {
	result, _ := c.Forward()
	return chaintest.Answer{Delay: time.Minute, Result: result}
}

func answerNever(chaintest.Call) chaintest.Answer { return chaintest.Answer{Delay: time.Minute} }

// moveMoney plays the way's orders to their end, with a crash at the point when one is named, and checks what the chain, the books
// and the orchestrator say.
func (r *crashRun) moveMoney(point, log string, w way) {
	t := r.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	plays := make([]*play, w.orders)
	ids := make([]string, w.orders)
	for i := range plays {
		order := r.play
		r.orders++
		order.machineRef = fmt.Sprintf("%s%04d", r.play.machineRef, r.orders)
		plays[i] = &order
	}
	parties := []common.Address{r.escrow.orders[0].payee, addressOf(r.play.payer)}
	plays[0].look = func(context.Context, *play) (verifyDivision, error) { return nil, nil }
	plays[0].after = func(ctx context.Context, p *play, _ verifyDivision) error {
		for _, other := range plays[1:] {
			if err := other.run(ctx); err != nil {
				return err
			}
		}
		before := make([]*big.Int, len(parties))
		for i, of := range parties {
			var err error
			if before[i], err = r.balance(ctx, of); err != nil {
				return err
			}
		}
		for i, each := range plays {
			ids[i] = each.orderID
		}
		if err := w.decide(ctx, r, p, ids); err != nil {
			return err
		}
		for _, id := range ids {
			if err := r.reach(ctx, id, w.state); err != nil {
				return err
			}
		}
		for i, of := range parties {
			after, err := r.balance(ctx, of)
			if err != nil {
				return err
			}
			want := int64(w.orders) * []int64{w.toPayee, w.toPayer}[i]
			if got := new(big.Int).Sub(after, before[i]).Int64(); got != want {
				t.Errorf("crash %q of a %s: %s got %d base units, want %d", point, w.name, of, got, want)
			}
		}
		return nil
	}
	r.survive(ctx, point, log, plays[0])
	transactions := make(map[common.Hash]bool)
	for i, id := range ids {
		if w.direct {
			transactions[r.checkWallet(ctx, w)] = true
		} else {
			transactions[r.checkVault(ctx, w, common.HexToAddress(plays[i].terms.Payee))] = true
		}
		there, _ := r.market.Payment(id)
		told := 0
		for _, note := range there.Notes {
			if strings.HasPrefix(note, string(w.status)+" by 0x") {
				told++
			}
		}
		if there.Status != w.status || told != 1 {
			t.Errorf("crash %q of a %s: the orchestrator's payment is %s, told %d times", point, w.name, there.Status, told)
		}
	}
	if len(transactions) != 1 {
		t.Errorf("crash %q of a %s: %d transactions moved the money of %d orders, want one", point, w.name, len(transactions), w.orders)
	}
	pgtest.CheckBooks(t, r.pool)
}

// payment is the order's payment by the books.
func (r *crashRun) payment(ctx context.Context, order string) (settlement.Payment, error) {
	found, err := store.ListPayments(ctx, r.pool, store.PaymentFilter{Marketplace: r.play.marketplace, OrderID: order, Limit: 1})
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("order %s: %w", order, store.ErrNotFound)
	}
	if err != nil {
		return settlement.Payment{}, err
	}
	return found[0], nil
}

func (r *crashRun) balance(ctx context.Context, of common.Address) (*big.Int, error) {
	return devnet.TestTokenBalance(ctx, r.escrow.chain, r.escrow.token, of)
}

// reach waits until the order's payment is in the state.
func (r *crashRun) reach(ctx context.Context, order string, state settlement.State) error {
	for {
		p, err := r.payment(ctx, order)
		switch {
		case err != nil:
			return err
		case p.State == state:
			return nil
		case p.State == settlement.StateNeedsReview:
			return fmt.Errorf("the payment is %s (%s: %s), want %s", p.State, p.Reason, p.Detail, state)
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("the payment is %s, want %s: %w", p.State, state, err)
		}
	}
}

// decide sends what was decided about the orders through the door, in one commit.
func (r *crashRun) decide(ctx context.Context, orders []string, e settlement.Event) error {
	events := make([]settlement.Event, len(orders))
	for i, order := range orders {
		p, err := r.payment(ctx, order)
		if err != nil {
			return err
		}
		events[i] = e
		events[i].ID, events[i].Payment = "decided", p.ID
	}
	results, err := r.door().Advance(ctx, events...)
	for _, res := range results {
		err = errors.Join(err, res.Err)
	}
	return err
}

// checkVault wants the vault empty, by one payment that divided it as the way does, and returns the payment's transaction.
func (r *crashRun) checkVault(ctx context.Context, w way, vault common.Address) common.Hash {
	t := r.t
	t.Helper()
	left, err := r.balance(ctx, vault)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := r.escrow.chain.Client().FilterLogs(ctx, ethereum.FilterQuery{
		Addresses: []common.Address{escrowevm.Factory}, Topics: [][]common.Hash{nil, {common.BytesToHash(vault[:])}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(logs) != 1 || left.Sign() != 0 {
		t.Fatalf("vault %s has %d events and %s base units, want one and none", vault, len(logs), left)
	}
	paid, err := contracts.NewOrderVaults().UnpackPaidEvent(&logs[0])
	if err != nil {
		t.Fatal(err)
	}
	if paid.ToPayee.Int64() != w.toPayee || paid.ToPayer.Int64() != w.toPayer || !paid.PayeePaid || !paid.PayerPaid {
		t.Errorf("vault %s has paid %+v", vault, paid)
	}
	return logs[0].TxHash
}

// checkWallet wants one refund of each order that was played out of the wallet, and returns the last one's transaction.
func (r *crashRun) checkWallet(ctx context.Context, w way) common.Hash {
	t := r.t
	t.Helper()
	wallet, payer := addressOf(r.escrow.refunds), addressOf(r.play.payer)
	logs, err := r.escrow.chain.Client().FilterLogs(ctx, ethereum.FilterQuery{
		Addresses: []common.Address{r.escrow.token}, Topics: [][]common.Hash{nil, {common.BytesToHash(wallet[:])}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(logs) != r.orders {
		t.Fatalf("the wallet has made %d transfers for %d orders", len(logs), r.orders)
	}
	last := logs[len(logs)-1]
	moved, err := contracts.NewTestUSD().UnpackTransferEvent(&last)
	if err != nil || moved.To != payer || moved.Value.Int64() != w.toPayer {
		t.Errorf("the wallet has transferred %+v (%v)", moved, err)
	}
	return last.TxHash
}

// payerOf is the wallet that pays the order.
func (r *crashRun) payerOf(p *play) settlement.Address {
	if r.cluster != nil {
		return settlement.Address(r.cluster.payer.PublicKey().Bytes())
	}
	payer := addressOf(p.payer)
	return settlement.Address(payer[:])
}

// door is a Runner that works on nothing: a decision goes through it as through the program's own.
func (r *crashRun) door() *jobs.Runner {
	t := r.t
	t.Helper()
	if r.runner != nil {
		return r.runner
	}
	cfg, err := loadConfig(r.config, nil)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.DiscardHandler)
	chains, err := newChains(t.Context(), cfg, logger)
	for range 4 { // a busy machine may not answer at once
		if err == nil {
			break
		}
		chains, err = newChains(t.Context(), cfg, logger)
	}
	if err != nil {
		t.Fatal(err)
	}
	agent, err := cfg.Agent.signer()
	if err != nil {
		t.Fatal(err)
	}
	marketplaces, err := newMarketplaces(cfg, agent, r.pool)
	if err != nil {
		t.Fatal(err)
	}
	r.runner, err = jobs.New(jobs.Config{
		Pool: r.pool, DirectURL: cfg.directURL(), Marketplaces: marketplaces, Chains: chains, PayTokenKey: common.FromHex(strings.Repeat("ab", 32)), Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.runner
}
