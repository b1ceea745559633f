package jobs_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// statement is the part of a statement that is compared with the ledger.
type statement struct {
	Opening, Closing []statementBalance
	Lines            []statementLine
}

type statementAccount struct{ Marketplace, Chain, Token, Account string }

type statementBalance struct {
	statementAccount
	Balance string
}

type statementLine struct {
	statementAccount
	Entry         int64
	At            time.Time
	Kind, TxID    string
	Symbol        string
	Decimals      int
	Amount        string
	BalanceBefore string `json:"balance_before"`
	BalanceAfter  string `json:"balance_after"`
}

// statement asks the API for what was posted from a time on and before another.
func (r *rig) statement(key string, handler http.Handler, from, to time.Time) statement {
	r.t.Helper()
	q := url.Values{"from": {from.Format(time.RFC3339Nano)}, "to": {to.Format(time.RFC3339Nano)}}
	req := httptest.NewRequestWithContext(r.t.Context(), http.MethodGet, "/v1/admin/statements?"+q.Encode(), nil)
	req.Header.Set("Authorization", "Bearer "+key)
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, req)
	var s statement
	if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil || w.Code != http.StatusOK {
		r.t.Fatalf("statement: %d %s (%v)", w.Code, w.Body, err)
	}
	return s
}

// statementsTie checks statements of all that the rig has moved against the ledger's own sums. The runner must have stopped.
func (r *rig) statementsTie(kinds ...string) {
	t := r.t
	t.Helper()
	handler, err := api.New(api.Config{Runner: r.runner, Pool: r.pool, PublicURL: "http://settler.example", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	key, hash := api.NewKey()
	err = store.CreateAPIKey(t.Context(), r.pool, store.APIKey{
		ID: settlement.PaymentID(uuid.New()), Name: "auditor", Scope: "admin", CreatedAt: time.Now().Add(-48 * time.Hour),
	}, hash)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := time.Now().Add(-time.Hour), time.Now()
	whole := r.statement(key, handler, begin, end)

	// Every account has what the ledger says that it has.
	rows, err := r.pool.Query(t.Context(), `
		select concat_ws(' ', coalesce(p.marketplace, ''), e.chain, encode(e.token, 'hex'), l.account, sum(l.amount), count(*))
		from ledger_entries e join ledger_lines l on l.entry_id = e.id left join payments p on p.id = e.payment_id
		group by p.marketplace, e.chain, e.token, l.account order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	want, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	count := make(map[statementAccount]int)
	sums := make(map[statementAccount]*big.Int)
	entries := make(map[int64]*big.Int)
	seen := make(map[string]bool)
	for _, l := range whole.Lines {
		if sums[l.statementAccount] == nil {
			sums[l.statementAccount] = new(big.Int)
		}
		if entries[l.Entry] == nil {
			entries[l.Entry] = new(big.Int)
		}
		count[l.statementAccount]++
		seen[l.Kind] = true
		if before := sums[l.statementAccount].String(); l.BalanceBefore != before {
			t.Errorf("entry %d: %s had %s before, and the lines add up to %s", l.Entry, l.Account, l.BalanceBefore, before)
		}
		amount, ok := new(big.Int).SetString(l.Amount, 10)
		if !ok {
			t.Fatalf("entry %d: amount %q", l.Entry, l.Amount)
		}
		entries[l.Entry].Add(entries[l.Entry], amount)
		if after := sums[l.statementAccount].Add(sums[l.statementAccount], amount).String(); l.BalanceAfter != after {
			t.Errorf("entry %d: %s has %s afterwards, and the lines add up to %s", l.Entry, l.Account, l.BalanceAfter, after)
		}
		if unit := fmt.Sprint(l.Symbol, l.Decimals); unit != map[bool]string{true: "ETH18", false: "TUSD6"}[l.Kind == "gas"] {
			t.Errorf("entry %d: %s in %s", l.Entry, l.Kind, unit)
		}
		if len(l.TxID) != 66 {
			t.Errorf("entry %d: %s by transaction %q", l.Entry, l.Kind, l.TxID)
		}
	}
	var got []string
	for _, b := range whole.Closing {
		got = append(got, fmt.Sprintf("%s %s %s %s %s %d", b.Marketplace, b.Chain, strings.ToLower(strings.TrimPrefix(b.Token, "0x")), b.Account, b.Balance, count[b.statementAccount]))
		if sum := sums[b.statementAccount]; sum.String() != b.Balance {
			t.Errorf("%s ends with %s, and its lines add up to %s", b.Account, b.Balance, sum)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("balances and how many lines made them (-ledger +statement):\n%s", diff)
	}
	for entry, sum := range entries {
		if sum.Sign() != 0 {
			t.Errorf("the lines of entry %d add up to %s", entry, sum)
		}
	}
	for _, kind := range kinds {
		if !seen[kind] {
			t.Errorf("no line is of kind %s", kind)
		}
	}

	// Wherever the period is cut, no line is lost or told twice.
	middle := whole.Lines[len(whole.Lines)/2].At
	first, second := r.statement(key, handler, begin, middle), r.statement(key, handler, middle, end)
	if diff := cmp.Diff(whole.Lines, slices.Concat(first.Lines, second.Lines), cmp.AllowUnexported(statementLine{})); diff != "" {
		t.Errorf("lines of two periods that meet (-whole +both):\n%s", diff)
	}
	if diff := cmp.Diff(first.Closing, second.Opening, cmp.AllowUnexported(statementBalance{})); diff != "" {
		t.Errorf("balances where they meet (-closing +opening):\n%s", diff)
	}
}

// A day that is over is closed by itself, and what every account had at its end is kept: no statement has to add up more than a day.
func TestDaysAreClosed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.paid()
	r.stop()
	if _, err := r.pool.Exec(t.Context(), `
		set session_replication_role = replica; update ledger_entries set at = at - interval '3 days'; update ledger_closed set until = '1970-01-01 00:00:00+00';
		set session_replication_role = origin`); err != nil {
		t.Fatal(err)
	}
	r.stop = r.start(r.runner)
	r.eventually("the days are closed", func() error {
		var closed bool
		var kept string
		err := r.pool.QueryRow(t.Context(), `
			select (select until = date_trunc('day', now(), 'UTC') from ledger_closed),
			       (select coalesce(string_agg(concat_ws(' ', date_trunc('day', now(), 'UTC') - until, account, amount), ', ' order by account), '') from ledger_totals)`).
			Scan(&closed, &kept)
		if want := "2 days payee 1500000, 2 days payer -1500000"; err == nil && (!closed || kept != want) {
			err = fmt.Errorf("closed %t, kept %q", closed, kept)
		}
		return err
	})
}
