package jobs_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

// Orders that no webhook announced are found page by page, whatever machine they belong to. A process that stops in the
// middle leaves its place to the next one, and a machine whose list is refused does not hold up the others.
func TestListingFindsUnannouncedOrders(t *testing.T) {
	t.Parallel()
	const orders = 1100 // three pages
	r := newRig(t, func(s *setup) { s.listed, s.idle = true, true })
	now := "2026-01-02T03:04:05Z"
	for _, id := range []string{"mach_aaa", "mach_refused", "mach_zzz"} {
		r.market.PutMachine(orchestration.Machine{ID: id, DisplayName: id, Status: orchestration.MachineActive, OwnerID: "acme"})
	}
	put := func(id, machine string) {
		r.market.PutOrder(orchestration.MarketOrder{
			ID: id, MachineID: machine, ServiceID: r.service, Status: orchestration.OrderCreated, CreatedAt: now, UpdatedAt: now,
			Payment: orchestration.RailRecommendation{DefaultRail: orchestration.RailNotRequired},
		})
	}
	for i := range orders {
		put(fmt.Sprintf("ord_aaa_%04d", i), "mach_aaa")
	}
	put("ord_zzz\x00", "mach_zzz") // which no text of ours can hold
	put("ord_zzz", "mach_zzz")

	var mu sync.Mutex // owns asked and read
	var asked []string
	read := 0
	answered := make(chan pgx.Tx, 1)
	lists := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(asked)
	}
	r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
		machines, list := strings.HasSuffix(req.URL.Path, "/machines"), strings.HasSuffix(req.URL.Path, "/orders")
		mu.Lock()
		defer mu.Unlock()
		if req.Method != http.MethodGet || !machines && !list {
			read++
			return orchestrationtest.Fault{}
		}
		asked = append(asked, req.URL.Path+"?"+req.URL.RawQuery)
		if len(asked) == 2 {
			tx, err := r.pool.Begin(context.Background())
			if err == nil {
				_, err = tx.Exec(context.Background(), "select from order_listings for update")
			}
			if err != nil {
				t.Error(err)
			}
			answered <- tx
		}
		if strings.Contains(req.URL.String(), "mach_refused") {
			return orchestrationtest.Refuse(http.StatusForbidden)
		}
		return orchestrationtest.Fault{}
	})
	stop := r.start(r.runner)
	held := <-answered // the second page, which the process can not store before it stops
	r.eventually("the page is being stored", func() error {
		var waits bool
		err := r.pool.QueryRow(t.Context(), "select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')").Scan(&waits)
		if err == nil && !waits {
			err = errNotYet
		}
		return err
	})
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	select {
	case <-stopped:
	case <-time.After(300 * time.Millisecond):
	}
	if err := held.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-stopped
	r.runner = r.newRunner(r.setup)
	r.stop = r.start(r.runner)
	// The next round comes a minute after this one, so that on a slow machine it would come too early: it comes when the clock is set.
	r.eventually("the round is over", func() error {
		tag, err := r.pool.Exec(t.Context(), "update order_listings set due_at = due_at + interval '1 hour' where started_at is null and $1::integer >= 7", lists())
		if err == nil && tag.RowsAffected() == 0 {
			err = errNotYet
		}
		return err
	})
	first := lists()
	r.eventually("every order has a payment", func() error {
		var n int
		if err := r.pool.QueryRow(t.Context(), "select count(*) from payments where state = 'closed'").Scan(&n); err != nil {
			return err
		}
		if n < orders+1 {
			return fmt.Errorf("%d payments", n)
		}
		return nil
	})
	// One page of machines, three of mach_aaa, one each of the other three machines; the page under way when the first
	// process stopped may have been asked for twice, a refused one is asked for once.
	if first < 7 || first > 8 {
		t.Errorf("%d lists in a round:\n%s", first, strings.Join(asked, "\n"))
	}
	r.eventually("all webhooks are read", r.read)

	// The next round costs its pages again, whatever they bring: an order that has not changed is not read again, one
	// that has is.
	mu.Lock()
	before := read
	mu.Unlock()
	r.market.PutOrder(orchestration.MarketOrder{
		ID: "ord_zzz", MachineID: "mach_zzz", ServiceID: r.service, Status: orchestration.OrderDelivered, CreatedAt: now, UpdatedAt: now,
		Payment: orchestration.RailRecommendation{DefaultRail: orchestration.RailNotRequired},
	})
	r.ahead.Store(int64(2 * time.Hour))
	second := 0
	r.eventually("the next round is over", func() error {
		var waits bool
		err := r.pool.QueryRow(t.Context(), "select started_at is null from order_listings").Scan(&waits)
		if second = lists() - first; err == nil && (!waits || second < 7) {
			err = errNotYet
		}
		return err
	})
	r.eventually("all webhooks are read", r.read)
	mu.Lock()
	defer mu.Unlock()
	if second != 7 || read != before+1 {
		t.Errorf("the second round took %d lists and read %d orders again, want 7 and 1", second, read-before)
	}
}
