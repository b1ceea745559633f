package store_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

func read(t *testing.T, db store.DB, n int) settlement.Payment {
	t.Helper()
	payments, err := store.Payments(t.Context(), db, []settlement.PaymentID{id(n)})
	if err != nil || len(payments) != 1 {
		t.Fatalf("payment %d: %d rows, err %v", n, len(payments), err)
	}
	return payments[0]
}

func TestInsertPaymentsKeepsTheFirstOfAnOrder(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1)
	again, other := newPayment(2), newPayment(3)
	again.OrderID = "o1"
	elsewhere := newPayment(4)
	elsewhere.OrderID, elsewhere.Marketplace = "o1", "n"
	inTx(t, pool, func(tx pgx.Tx) error {
		got, err := store.InsertPayments(t.Context(), tx, []store.NewPayment{again, other, elsewhere}, now, now)
		want := map[[2]string]settlement.PaymentID{{"m", "o1"}: id(1), {"m", "o3"}: id(3), {"n", "o1"}: id(4)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("payments of orders (-want +got):\n%s", diff)
		}
		return err
	})
	want := settlement.Payment{
		ID: id(1), Marketplace: "m", OrderID: "o1", MachineID: "x", Version: 1, State: settlement.StateNew, Rail: "wallet",
		CreatedAt: now, UpdatedAt: now,
	}
	if diff := cmp.Diff(want, read(t, pool, 1), amounts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConcurrentInsertsOfAnOrderMakeOnePayment(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	ids := make([]settlement.PaymentID, 8)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			p := newPayment(i + 1)
			p.OrderID = "o"
			err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
				got, err := store.InsertPayments(t.Context(), tx, []store.NewPayment{p}, now, now)
				ids[i] = got[[2]string{"m", "o"}]
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(slices.Compact(ids)) != 1 || ids[0] == (settlement.PaymentID{}) {
		t.Errorf("got %v", ids)
	}
}

func TestSavePaymentsStoresEveryField(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1)
	full := terms(1_500_000, alice, bob)
	full.Rounded = true
	late := settlement.Sighting{TxID: txid("late"), Verdict: settlement.Verdict{Code: settlement.PaymentLate}}
	events := []settlement.Event{
		intentReady(full),
		{Kind: settlement.EventDeadline},
		{Kind: settlement.EventPaymentMispaid, Reason: settlement.PaymentLate, Detail: "an hour late", Sighting: &late},
		{Kind: settlement.EventTransactionNamed, TxID: txid("named")},
		{Kind: settlement.EventAcceptedAsPaid, Sighting: &late},
		{Kind: settlement.EventProofForbidden, Platform: "created"},
		{Kind: settlement.EventOrderDisputed},
		{Kind: settlement.EventClosed, Reason: "SETTLED_OUTSIDE", Detail: "by hand"},
	}
	for i := range events { // each step is stored and read back
		want := play(t, pool, 1, events[i])
		got := read(t, pool, 1)
		if diff := cmp.Diff(want, got, amounts); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", events[i].Kind, diff)
		}
	}
	got := read(t, pool, 1)
	want := settlement.Payment{
		ID: id(1), Marketplace: "m", OrderID: "o1", MachineID: "x", Version: 9, State: settlement.StateClosed, Rail: "wallet",
		Flags: []settlement.Flag{"late", "manual"}, Reason: "SETTLED_OUTSIDE", Detail: "by hand", Terms: full,
		PaidBy: txid("late"), Platform: "created", Observed: true, CreatedAt: now, UpdatedAt: now,
	}
	if diff := cmp.Diff(want, got, amounts); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
}

func TestSavePaymentsGuardsTheVersion(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	p := open(t, pool, 1, terms(10, alice, ""))
	open(t, pool, 2, terms(10, alice, ""))
	stale := p
	stale.Version--
	changed := p
	changed.Version, changed.State = p.Version+1, settlement.StateExpired
	fine := read(t, pool, 2)
	fineChanged := fine
	fineChanged.Version, fineChanged.State = fine.Version+1, settlement.StateExpired
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		return store.SavePayments(t.Context(), tx, []store.Change{{Old: fine, New: fineChanged, DueAt: now}, {Old: stale, New: changed, DueAt: now}}, now)
	})
	if err == nil {
		t.Error("a change of an older version was saved")
	}
	if got := read(t, pool, 2); got.State != settlement.StateAwaitingPayment {
		t.Errorf("the rest of the batch was saved: %s", got.State)
	}
}

// Batches that lock the same payments in opposite order wait for each other and each sees the change of the one before.
func TestConcurrentBatchesChangePaymentsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1, 2)
	const batches = 10
	var wg sync.WaitGroup
	for i := range batches {
		wg.Go(func() {
			ids := []settlement.PaymentID{id(1), id(2)}
			if i%2 == 0 {
				slices.Reverse(ids)
			}
			err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
				locked, err := store.LockPayments(t.Context(), tx, ids)
				if err != nil {
					return err
				}
				var changes []store.Change
				for _, p := range locked {
					next, err := settlement.Next(p, settlement.Event{Kind: settlement.EventOrderOpened})
					if err != nil {
						return err
					}
					changes = append(changes, store.Change{Old: p, New: next, DueAt: now})
				}
				return store.SavePayments(t.Context(), tx, changes, now)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for n := 1; n <= 2; n++ {
		if got := read(t, pool, n).Version; got != 1+batches {
			t.Errorf("payment %d has version %d after %d changes", n, got, batches)
		}
	}
}

func TestTermsAreNeverChanged(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	p := open(t, pool, 1, terms(10, alice, ""))
	forgetful, changed := p, p
	forgetful.Terms = settlement.Terms{}
	changed.Version, changed.Terms = p.Version+1, terms(11, bob, "")
	err := pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
		return store.SavePayments(t.Context(), tx, []store.Change{{Old: forgetful, New: changed, DueAt: now}}, now)
	})
	if err == nil {
		t.Error("other terms were stored over the first ones")
	}
	if diff := cmp.Diff(p.Terms, read(t, pool, 1).Terms, amounts); diff != "" {
		t.Errorf("terms changed:\n%s", diff)
	}
}

// Every state with the columns that it needs is accepted, and the schema's generated columns say what the domain says.
func TestSchemaKnowsTheStates(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	for i, state := range settlement.States {
		p := open(t, pool, i+1, terms(10, alice, ""))
		next := p
		next.Version, next.State = p.Version+1, state
		switch state {
		case settlement.StateVerifying, settlement.StateConfirming:
			next.Back = settlement.StateAwaitingPayment
		case settlement.StateFrozen:
			next.Back, next.PaidBy = settlement.StateHeld, txid("a")
		case settlement.StateRefunded:
			next.PaidBy, next.Payout, next.PaidOut = txid("a"), settlement.PayoutRefund, txid("b")
		default:
			if !state.Open() {
				next.PaidBy = txid("a")
			}
		}
		inTx(t, pool, func(tx pgx.Tx) error {
			return store.SavePayments(t.Context(), tx, []store.Change{{Old: p, New: next, DueAt: now}}, now)
		})
		var isOpen, watched bool
		var finishedAt *time.Time
		err := pool.QueryRow(t.Context(), "select open, watched, finished_at from payments where id = $1", p.ID).Scan(&isOpen, &watched, &finishedAt)
		if err != nil {
			t.Fatal(err)
		}
		if isOpen != state.Open() || (finishedAt != nil) != state.Final() || !watched {
			t.Errorf("%s: open %v, watched %v, finished %v", state, isOpen, watched, finishedAt)
		}
	}
}

func TestClaimPaymentsLeases(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1, 2)
	open(t, pool, 3, terms(10, alice, ""))
	ids := []settlement.PaymentID{id(1), id(2), id(3), id(4)}
	claim := func(job int64, posting bool, at time.Time) []store.ClaimedPayment {
		t.Helper()
		got, err := store.ClaimPayments(t.Context(), pool, job, ids, []settlement.State{settlement.StateNew}, posting, at, at.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(got, func(a, b store.ClaimedPayment) int { return slices.Compare(a.ID[:], b.ID[:]) })
		return got
	}
	both := func(posting bool, attempts int) []store.ClaimedPayment {
		return []store.ClaimedPayment{
			{Payment: read(t, pool, 1), Posting: posting, Attempts: attempts}, {Payment: read(t, pool, 2), Posting: posting, Attempts: attempts},
		}
	}
	expect := func(what string, got, want []store.ClaimedPayment) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), amounts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	expect("those in the state", claim(1, false, now), both(false, 0))
	expect("another job while the lease runs", claim(2, false, now.Add(59*time.Second)), nil)
	expect("the same job again", claim(1, true, now.Add(time.Second)), both(false, 0))
	expect("the same job after a crash while it posted", claim(1, true, now.Add(2*time.Second)), both(true, 0))
	expect("another job after the lease", claim(2, false, now.Add(time.Hour)), both(true, 0))

	// Given back: one may have acted, the other has not.
	err := store.PostponePayments(t.Context(), pool, 2, []store.Postponed{
		{ID: id(1), Version: 1, DueAt: now.Add(2 * time.Hour), Unknown: true},
		{ID: id(2), Version: 1, DueAt: now.Add(2 * time.Hour)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := both(true, 1)
	want[1].Posting = false
	expect("after they were given back", claim(3, false, now.Add(time.Hour)), want)

	// A change of the payment ends every mark.
	play(t, pool, 1, settlement.Event{Kind: settlement.EventOrderOpened})
	got := claim(4, false, now.Add(time.Hour))
	expect("after a change", got, []store.ClaimedPayment{{Payment: read(t, pool, 1)}})
	for what, late := range map[string]struct{ job, version int64 }{
		"of an older version":             {4, 1},
		"of a job that another took over": {3, 2},
	} {
		err = store.PostponePayments(t.Context(), pool, late.job, []store.Postponed{{ID: id(1), Version: late.version, DueAt: now, Unknown: true}})
		if err != nil {
			t.Fatal(err)
		}
		expect("a late result "+what+" gives nothing back", claim(5, false, now.Add(time.Hour)), nil)
	}
}

func TestConcurrentClaimsGiveAPaymentToOneJob(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1, 2, 3, 4)
	ids := []settlement.PaymentID{id(1), id(2), id(3), id(4)}
	claims := make([][]store.ClaimedPayment, 6)
	var wg sync.WaitGroup
	for i := range claims {
		wg.Go(func() {
			mine := slices.Clone(ids)
			if i%2 == 0 {
				slices.Reverse(mine)
			}
			var err error
			if claims[i], err = store.ClaimPayments(t.Context(), pool, int64(i+1), mine, []settlement.State{settlement.StateNew}, false, now, now.Add(time.Minute)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all := slices.Concat(claims...); len(all) != len(ids) {
		t.Errorf("%d claims of %d payments: %v", len(all), len(ids), all)
	}
}

func TestTakeDuePaymentsGivesEachOnce(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1, 2, 3)
	open(t, pool, 4, terms(10, alice, ""))
	if _, err := pool.Exec(t.Context(), "update payments set due_at = $1 where id = $2", store.Never, id(3)); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // guards taken
	taken := make(map[store.DuePayment]int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			due, err := store.TakeDuePayments(t.Context(), pool, now, now.Add(time.Minute), 2)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, d := range due {
				taken[d]++
			}
		})
	}
	wg.Wait()
	for range 2 { // skipped rows were locked by another take; what is left comes now
		due, err := store.TakeDuePayments(t.Context(), pool, now, now.Add(time.Minute), 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range due {
			taken[d]++
		}
	}
	want := map[store.DuePayment]int{
		{ID: id(1), State: "new", Version: 1}: 1, {ID: id(2), State: "new", Version: 1}: 1,
		{ID: id(4), State: "awaiting_payment", Version: 2}: 1,
	}
	if diff := cmp.Diff(want, taken); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	due, err := store.TakeDuePayments(t.Context(), pool, now.Add(time.Minute), now.Add(time.Hour), 10)
	if err != nil || len(due) != 3 {
		t.Errorf("after the lease: %d due, err %v, want 3", len(due), err)
	}
}

func TestListPayments(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1, 2)
	open(t, pool, 3, terms(10, alice, ""))
	play(t, pool, 3, settlement.Event{Kind: settlement.EventClosed})
	other := newPayment(4)
	other.Marketplace = "n"
	inTx(t, pool, func(tx pgx.Tx) error {
		_, err := store.InsertPayments(t.Context(), tx, []store.NewPayment{other}, now, now)
		return err
	})
	for _, tt := range []struct {
		name   string
		filter store.PaymentFilter
		want   []int
	}{
		{"all", store.PaymentFilter{}, []int{1, 2, 3, 4}},
		{"a page", store.PaymentFilter{After: id(1), Limit: 2}, []int{2, 3}},
		{"newest first", store.PaymentFilter{NewestFirst: true}, []int{4, 3, 2, 1}},
		{"a page of the newest", store.PaymentFilter{NewestFirst: true, After: id(4), Limit: 2}, []int{3, 2}},
		{"by an address", store.PaymentFilter{Addresses: []settlement.Address{alice}}, []int{3}},
		{"by an address that nobody names", store.PaymentFilter{Addresses: []settlement.Address{"nobody"}}, nil},
		{"of a marketplace", store.PaymentFilter{Marketplace: "m"}, []int{1, 2, 3}},
		{"in a state", store.PaymentFilter{State: settlement.StateNew}, []int{1, 2, 4}},
		{"with a flag", store.PaymentFilter{Flag: settlement.FlagManual}, []int{3}},
		{"of an order", store.PaymentFilter{OrderID: "o2"}, []int{2}},
		{"none", store.PaymentFilter{OrderID: "o2", Marketplace: "n"}, nil},
	} {
		if tt.filter.Limit == 0 {
			tt.filter.Limit = 100
		}
		payments, err := store.ListPayments(t.Context(), pool, tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []settlement.PaymentID
		for _, n := range tt.want {
			want = append(want, id(n))
		}
		for _, p := range payments {
			got = append(got, p.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestPaymentIDByPayToken(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	insert(t, pool, 1, 2)
	if got, err := store.PaymentIDByPayToken(t.Context(), pool, newPayment(2).PayTokenHash); err != nil || got != id(2) {
		t.Errorf("got %s, err %v", got, err)
	}
	if _, err := store.PaymentIDByPayToken(t.Context(), pool, newPayment(3).PayTokenHash); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody's token: %v", err)
	}
}
