package jobs_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/settler-pay/settler/orchestration/orchestrationtest"
	"github.com/settler-pay/settler/settlement"
)

// While the orchestrator fails, orders wait in the database: it gets a few calls, not one for each. Once it is back they
// go on, the oldest first and within the budget.
func TestOutageOfOrchestrator(t *testing.T) {
	t.Parallel()
	const n = 100
	r := newRig(t, func(s *setup) { s.idle, s.perSecond = true, 60 })
	orders := make([]string, n)
	place := make(map[string]int, n)
	for i := range orders {
		orders[i] = r.order()
		place[orders[i]] = i
	}
	var mu sync.Mutex
	down, calls := true, 0
	var read []int // places of the orders, as they are read for the first time
	r.market.Fault(func(req *http.Request) orchestrationtest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if down {
			calls++
			return orchestrationtest.Refuse(http.StatusServiceUnavailable)
		}
		if i, ok := place[req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]]; ok && req.Method == http.MethodGet {
			read = append(read, i)
			delete(place, orders[i])
		}
		return orchestrationtest.Fault{}
	})
	r.stop = r.start(r.runner)
	for i, order := range orders {
		r.webhook(order, fmt.Sprintf("msg_%03d", i))
	}
	r.eventually("all orders wait for the orchestrator", func() error {
		mu.Lock() // so that none is tried between the look and the orchestrator's return
		defer mu.Unlock()
		var parked int
		if err := r.pool.QueryRow(t.Context(), "select count(*) from inbox where due_at = '9998-01-01 00:00:00+00'").Scan(&parked); err != nil {
			return err
		}
		if parked < n {
			return fmt.Errorf("%d of %d", parked, n)
		}
		down = false
		return nil
	})
	if calls > 3*n/4 { // those of the first second, whose failures are not known yet, and then one now and then
		t.Errorf("%d calls to an orchestrator that fails, for %d orders", calls, n)
	}
	for _, order := range orders {
		r.await(order, false, settlement.StateAwaitingPayment)
	}
	for k, i := range read {
		if k-i > n/3 || i-k > n/3 { // those of one second are read together
			t.Errorf("order %d was read as number %d", i, k)
		}
	}
	if len(read) != n {
		t.Errorf("%d orders were read", len(read))
	}
}
