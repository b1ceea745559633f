package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

func save(t *testing.T, pool *pgxpool.Pool, transfers ...store.SeenTransfer) {
	t.Helper()
	inTx(t, pool, func(tx pgx.Tx) error { return store.SaveTransfers(t.Context(), tx, transfers, now) })
}

func transfersOf(t *testing.T, pool *pgxpool.Pool, n int) []store.SeenTransfer {
	t.Helper()
	got, err := store.TransfersOf(t.Context(), pool, []settlement.PaymentID{id(n)})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestTransfersAreReadBackAsSaved(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1)
	first, native := seen(1, "a", 3), seen(1, "b", 0)
	native.Sighting.Transfer.Token, native.Sighting.Transfer.Position, native.Sighting.Transfer.Index = "", settlement.Native, -1
	native.Sighting.Transfer.References = []settlement.Address{settlement.Address(txid("key 1")), settlement.Address(txid("key 2"))}
	native.Sighting.Block.Number = 102
	native.Sighting.Verdict = settlement.Verdict{Code: settlement.AmountMismatch, Detail: settlement.Under}
	native.Finality = "" // it has no evidence
	first.Sighting.Transfer.Withheld = settlement.NewAmount(4)
	save(t, pool, first, native)

	// The verdict's transfer is the row itself and is not stored twice.
	if diff := cmp.Diff([]store.SeenTransfer{first, native}, transfersOf(t, pool, 1), amounts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	upTo, err := store.SeenUpTo(t.Context(), pool, chain, map[settlement.Finality]uint64{"depth 12": 101}, 10)
	if err != nil {
		t.Fatal(err)
	}
	from, err := store.SeenFrom(t.Context(), pool, chain, 102)
	if err != nil {
		t.Fatal(err)
	}
	bare := first
	bare.Sighting.Verdict.Evidence = nil // left out by SeenUpTo
	if diff := cmp.Diff([]store.SeenTransfer{bare, native}, append(upTo, from...), amounts); diff != "" {
		t.Errorf("by block (-want +got):\n%s", diff)
	}
	none, err := store.SeenUpTo(t.Context(), pool, "eip155:10", map[settlement.Finality]uint64{"depth 12": 1000}, 10)
	if err != nil || len(none) != 0 {
		t.Errorf("of another chain: %v, err %v", none, err)
	}
}

func TestTransfersAreWithdrawnAndSeenAgainButFinalStays(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1)
	first := seen(1, "a", 3)
	status := func(want store.TransferStatus, block uint64) {
		t.Helper()
		got := transfersOf(t, pool, 1)
		if len(got) != 1 || got[0].Status != want || got[0].Sighting.Block.Number != block {
			t.Errorf("got %+v, want one that is %s in block %d", got, want, block)
		}
	}
	withdraw := func() {
		t.Helper()
		inTx(t, pool, func(tx pgx.Tx) error { return store.WithdrawTransfers(t.Context(), tx, []store.SeenTransfer{first}) })
	}
	save(t, pool, first)
	withdraw()
	status(store.TransferWithdrawn, 101)

	again := first
	again.Sighting.Block.Number = 103
	save(t, pool, again)
	status(store.TransferSeen, 103)

	final := again
	final.Status = store.TransferFinal
	save(t, pool, final)
	withdraw()
	save(t, pool, first)
	status(store.TransferFinal, 103)
	finals, err := store.FinalFrom(t.Context(), pool, chain, 103)
	if err != nil || len(finals) != 1 {
		t.Errorf("final transfers: %v, err %v", finals, err)
	}
}

func TestFinalizedTransfersKeepWhatIsStored(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1)
	first, second := seen(1, "a", 3), seen(1, "b", 3)
	save(t, pool, first, second)
	finalize := func(head uint64, code settlement.Code) {
		t.Helper()
		f := first
		f.Sighting.FinalHead, f.Sighting.Verdict = head, settlement.Verdict{Code: code}
		inTx(t, pool, func(tx pgx.Tx) error { return store.FinalizeTransfers(t.Context(), tx, []store.SeenTransfer{f}) })
	}
	finalize(105, settlement.TransferAlreadyUsed)
	finalize(107, settlement.Verified)

	want := first
	evidence := *first.Sighting.Verdict.Evidence
	evidence.Head = 105
	want.Status, want.Sighting.Verdict = store.TransferFinal, settlement.Verdict{Code: settlement.TransferAlreadyUsed, Evidence: &evidence}
	if diff := cmp.Diff([]store.SeenTransfer{want, second}, transfersOf(t, pool, 1), amounts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAnIndexOnceReadIsKept(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1)
	first := seen(1, "a", 3)
	save(t, pool, first)
	blind := first
	blind.Sighting.Transfer.Index = -1
	save(t, pool, blind)
	if got := transfersOf(t, pool, 1); got[0].Sighting.Transfer.Index != 3 {
		t.Errorf("index %d, want 3", got[0].Sighting.Transfer.Index)
	}
}

// consume consumes transfers in one transaction and returns which of them are owned by their payment.
func consume(t *testing.T, pool *pgxpool.Pool, transfers ...store.SeenTransfer) []bool {
	t.Helper()
	owned := make([]bool, len(transfers))
	inTx(t, pool, func(tx pgx.Tx) error {
		owners, err := store.ConsumeTransfers(t.Context(), tx, transfers, now)
		for i, s := range transfers {
			owned[i] = owners[keyOf(s)] == s.Payment
		}
		return err
	})
	return owned
}

func keyOf(s store.SeenTransfer) store.TransferKey {
	return store.TransferKey{Chain: s.Chain, TxID: s.Sighting.TxID, Position: s.Sighting.Transfer.Position}
}

func TestConsumeTransfers(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1, 2)
	renumbered := seen(2, "a", 1) // the same log through a gateway that counts differently
	renumbered.Sighting.Transfer.Position = "log/99"
	elsewhere := seen(2, "a", 1)
	elsewhere.Chain = "eip155:10"
	native := seen(2, "a", 0)
	native.Sighting.Transfer.Position, native.Sighting.Transfer.Index = settlement.Native, -1
	for _, step := range []struct {
		name      string
		transfers []store.SeenTransfer
		want      []bool
	}{
		{"the first payment takes it", []store.SeenTransfer{seen(1, "a", 1)}, []bool{true}},
		{"again for the same payment", []store.SeenTransfer{seen(1, "a", 1)}, []bool{true}},
		{"another payment does not get it", []store.SeenTransfer{seen(2, "a", 1)}, []bool{false}},
		{"nor under another position", []store.SeenTransfer{renumbered}, []bool{false}},
		{"the same id on another chain is another transfer", []store.SeenTransfer{elsewhere}, []bool{true}},
		{"a second log of the transaction, and its own value", []store.SeenTransfer{seen(2, "a", 2), native}, []bool{true, true}},
		{"in one batch the first of two payments takes it", []store.SeenTransfer{seen(2, "b", 1), seen(1, "b", 1)}, []bool{true, false}},
	} {
		if got := consume(t, pool, step.transfers...); !slices.Equal(got, step.want) {
			t.Errorf("%s: owned %v, want %v", step.name, got, step.want)
		}
	}
	got, err := store.Consumed(t.Context(), pool, []string{string(chain)}, []store.SeenTransfer{seen(1, "b", 0)})
	want := []store.ConsumedTransfer{{Key: keyOf(seen(2, "b", 1)), Index: 1, Payment: id(2)}}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("consumed of a transaction (-want +got):\n%s", diff)
	}
}

func TestConcurrentConsumersInOppositeOrder(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1, 2)
	const rounds, logs = 20, 20
	for round := range rounds {
		name := fmt.Sprintf("tx%d", round)
		owned := make([]map[store.TransferKey]settlement.PaymentID, 2)
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i := range owned {
			wg.Go(func() {
				var transfers []store.SeenTransfer
				for log := range logs {
					transfers = append(transfers, seen(i+1, name, log))
				}
				if i == 1 {
					slices.Reverse(transfers)
				}
				<-start
				err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) (err error) {
					owned[i], err = store.ConsumeTransfers(t.Context(), tx, transfers, now)
					return err
				})
				if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == "40P01" {
					t.Errorf("round %d: deadlock", round)
				} else if err != nil {
					t.Error(err)
				}
			})
		}
		close(start)
		wg.Wait()
		if diff := cmp.Diff(owned[0], owned[1]); diff != "" || len(owned[0]) != logs {
			t.Fatalf("round %d: the two do not agree on the owners of %d transfers:\n%s", round, logs, diff)
		}
	}
}

// A hundred payments claim one transfer at once: one gets it.
func TestConcurrentClaimsOfOneTransfer(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	var numbers []int
	for n := range 100 {
		numbers = append(numbers, n+1)
	}
	insert(t, pool, numbers...)
	var mu sync.Mutex // guards winners
	winners := make(map[settlement.PaymentID]int)
	var wg sync.WaitGroup
	for _, n := range numbers {
		wg.Go(func() {
			err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
				owners, err := store.ConsumeTransfers(t.Context(), tx, []store.SeenTransfer{seen(n, "a", 1)}, now)
				mu.Lock()
				defer mu.Unlock()
				winners[owners[keyOf(seen(n, "a", 1))]]++
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(winners) != 1 || winners[settlement.PaymentID{}] != 0 {
		t.Errorf("owners seen by the hundred: %v, want one", winners)
	}
}

func TestOpenForTransfers(t *testing.T) {
	t.Parallel()
	const carol = settlement.Address("carol---------------")
	pool := pgtest.New(t)
	open(t, pool, 2, terms(11, alice, ""))
	open(t, pool, 3, terms(11, "", alice))
	open(t, pool, 4, terms(10, bob, ""))
	open(t, pool, 5, terms(12, bob, ""))
	later := terms(10, alice, "")
	later.FromBlock = 101 // its terms were handed out when the transfer's block was the head
	open(t, pool, 6, later)
	elsewhere := terms(10, alice, "")
	elsewhere.Payee = carol
	open(t, pool, 7, elsewhere)
	native := terms(10, alice, "")
	native.Token.Address = ""
	open(t, pool, 8, native)
	settled := open(t, pool, 9, terms(10, alice, ""))
	confirmed := settlement.Event{Kind: settlement.EventPaymentConfirmed, Sighting: &settlement.Sighting{TxID: txid("before")}}
	play(t, pool, 9, confirmed)
	open(t, pool, 10, terms(10, carol, "")) // settled by this very transaction
	play(t, pool, 10, settlement.Event{Kind: settlement.EventPaymentConfirmed, Sighting: &settlement.Sighting{TxID: txid("a")}})
	open(t, pool, 11, terms(10, alice, ""))
	play(t, pool, 11, settlement.Event{Kind: settlement.EventClosed})
	inTx(t, pool, func(tx pgx.Tx) error { return store.EndWatch(t.Context(), tx, []settlement.PaymentID{id(11)}) })
	open(t, pool, 12, terms(10, alice, ""))
	play(t, pool, 12, confirmed, settlement.Event{Kind: settlement.EventProofRefused}) // settled, and a person must decide
	insert(t, pool, 13)                                                                // without terms

	unknown := seen(0, "a", 0).Sighting
	unknown.Transfer.Payer, unknown.Transfer.Amount = carol, settlement.NewAmount(999)
	got, err := store.OpenForTransfers(t.Context(), pool, []settlement.ChainID{chain, chain}, []settlement.Sighting{seen(0, "a", 0).Sighting, unknown})
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[settlement.PaymentID]bool) // payment → settled
	for _, p := range got[0] {
		found[p.ID] = p.Settled
	}
	want := map[settlement.PaymentID]bool{id(2): false, id(3): false, id(4): false, id(9): true, id(12): true}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("payments, and whether they are settled (-want +got):\n%s", diff)
	}
	if len(got[1]) != 0 {
		t.Errorf("a transfer that concerns nobody: %v", got[1])
	}
	for _, p := range got[0] {
		if p.ID != settled.ID {
			continue
		}
		if diff := cmp.Diff(settled.Terms, p.Terms, amounts, cmp.Comparer(time.Time.Equal)); diff != "" {
			t.Errorf("terms (-want +got):\n%s", diff)
		}
	}

	// One whose proven payer pays the price decides, and each further one; the other transfer of the batch goes on as before.
	open(t, pool, 1, terms(10, alice, ""))
	open(t, pool, 14, terms(10, alice, bob))
	other := seen(0, "a", 0).Sighting
	other.Transfer.Payer = carol
	got, err = store.OpenForTransfers(t.Context(), pool, []settlement.ChainID{chain, chain}, []settlement.Sighting{seen(0, "a", 0).Sighting, other})
	if err != nil {
		t.Fatal(err)
	}
	var at [2][]settlement.PaymentID
	for i := range at {
		for _, p := range got[i] {
			at[i] = append(at[i], p.ID)
			if p.ID == id(1) && !cmp.Equal(settled.Terms, p.Terms, amounts, cmp.Comparer(time.Time.Equal)) {
				t.Errorf("terms %+v, want %+v", p.Terms, settled.Terms)
			}
		}
		slices.SortFunc(at[i], func(a, b settlement.PaymentID) int { return slices.Compare(a[:], b[:]) })
	}
	// By price alone three are enough to be ambiguous.
	if want := []settlement.PaymentID{id(1), id(14)}; !slices.Equal(at[0], want) || len(at[1]) != 3 {
		t.Errorf("payments at the price of their proven payer %v, want %v; of another payer %v, want 3", at[0], want, at[1])
	}
}

// A payer with many open orders pays one of them: the one at the price is found however many there are, of his and of
// others at the same price.
func TestOpenForTransfersFindsThePriceAmongMany(t *testing.T) {
	t.Parallel()
	for _, column := range []string{"proven_payer", "named_payer"} {
		t.Run(column, func(t *testing.T) {
			t.Parallel()
			pool := pgtest.New(t)
			_, err := pool.Exec(t.Context(), `
				insert into payments (id, marketplace, order_id, machine_id, version, state, chain, token, token_symbol, token_decimals,
				    payee, amount, `+column+`, not_before, from_block, deadline, grace_seconds, pay_token_hash, due_at, created_at, updated_at)
				select lpad(to_hex(n), 32, '0')::uuid, 'm', n::text, 'x', 1, 'awaiting_payment', $1, $2, 'USDC', 6,
				    $3, case when n between 100 and 200 then 10 else n % 9 + 1 end, case when n between 100 and 199 then $5::bytea else $4::bytea end,
				    now(), 100, now(), 60, int4send(n), now(), now(), now()
				from generate_series(1, 200) n`, chain, []byte(token), []byte(payee), []byte(alice), []byte(bob))
			if err != nil {
				t.Fatal(err)
			}
			got, err := store.OpenForTransfers(t.Context(), pool, []settlement.ChainID{chain}, []settlement.Sighting{seen(0, "a", 0).Sighting})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(got[0], func(p settlement.OpenPayment) bool { return p.ID == id(200) }) {
				t.Errorf("not found among %d", len(got[0]))
			}
			if len(got[0]) > 30 {
				t.Errorf("%d payments read for one transfer", len(got[0]))
			}
		})
	}
}

// A reference is one payment's alone, and a transfer that names it finds the payment whoever pays.
func TestReferences(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	key := func(name string) settlement.Address { return settlement.Address(txid(name)) }
	keyed := func(price uint64, reference settlement.Address) settlement.Terms {
		out := terms(price, "", "")
		out.Reference = reference
		return out
	}
	open(t, pool, 1, keyed(10, key("one")))
	open(t, pool, 2, keyed(20, key("two")))
	other := keyed(10, key("three"))
	other.Payee = bob
	open(t, pool, 3, other)

	found := func(block uint64, keys ...settlement.Address) []settlement.PaymentID {
		t.Helper()
		s := seen(0, "a", 0).Sighting
		s.Transfer.Amount, s.Transfer.References, s.Block.Number = settlement.NewAmount(7), keys, block
		payments, err := store.OpenForTransfers(t.Context(), pool, []settlement.ChainID{chain, chain}, []settlement.Sighting{seen(0, "b", 0).Sighting, s})
		if err != nil {
			t.Fatal(err)
		}
		var ids []settlement.PaymentID
		for _, p := range payments[1] {
			ids = append(ids, p.ID)
		}
		return ids
	}
	for _, tt := range []struct {
		name string
		got  []settlement.PaymentID
		want []settlement.PaymentID
	}{
		{"by its reference", found(101, key("nobody's"), key("two")), []settlement.PaymentID{id(2)}},
		{"by two references", found(101, key("one"), key("two")), []settlement.PaymentID{id(1), id(2)}},
		{"no reference", found(101), nil},
		{"of another payee", found(101, key("three")), nil},
		{"in a block before the payment", found(100, key("one")), nil},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: found %v, want %v", tt.name, tt.got, tt.want)
		}
	}

	insert(t, pool, 4)
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		locked, err := store.LockPayments(t.Context(), tx, []settlement.PaymentID{id(4)})
		if err != nil {
			return err
		}
		next, err := settlement.Next(locked[0], intentReady(keyed(10, key("one"))))
		if err != nil {
			return err
		}
		return store.SavePayments(t.Context(), tx, []store.Change{{Old: locked[0], New: next, DueAt: now}}, now)
	})
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); !ok || pgErr.ConstraintName != "payments_reference_unique" {
		t.Errorf("a reference was given twice: %v", err)
	}
}
