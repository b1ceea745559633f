package api

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// period is the query of a statement.
func period(from, to time.Time, more string) string {
	return "/v1/admin/statements?from=" + url.QueryEscape(from.Format(time.RFC3339Nano)) + "&to=" + url.QueryEscape(to.Format(time.RFC3339Nano)) + more
}

// settled is a payment of the order that is paid.
func (r *rig) settled(marketplace, order, txid string) settlement.PaymentID {
	r.t.Helper()
	id := r.orderNamed(marketplace, order)
	r.open(id)
	r.advance(settlement.Event{ID: "paid", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(txid, 1_500_000, settlement.Verified, "")})
	return id
}

func TestStatement(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key, all := r.key("acme", scopeRead), r.key("", scopeAdmin)
	begin := time.Now().Add(-time.Hour)
	// Names that others have chosen, as a spreadsheet would run them.
	hostile := []string{`=HYPERLINK("http://evil.example","x")`, "+1", "-1+2", "@SUM(1)"}
	for i, order := range hostile {
		r.settled("acme", order, txid(i+1))
	}
	middle := time.Now()
	last := r.settled("acme", "ord_last", txid(5))
	r.settled("other", "ord_1", txid(6))
	end := time.Now()

	whole := into[ledgerStatement](t, r.get(period(begin, end, ""), key), http.StatusOK)
	if len(whole.Opening) != 0 || len(whole.Lines) != 10 || whole.Count != 10 {
		t.Fatalf("got %d balances before and %d lines, counted as %d, want 0 and 10", len(whole.Opening), len(whole.Lines), whole.Count)
	}
	asset := LedgerAsset{Marketplace: "acme", Chain: string(chainID), Token: tokenHex, Symbol: "USDC", Decimals: new(uint8(6)), Account: "payee"}
	payer := asset
	payer.Account = "payer"
	if diff := cmp.Diff([]ledgerBalance{{asset, "7500000", "7.500000"}, {payer, "-7500000", "-7.500000"}}, whole.Closing); diff != "" {
		t.Errorf("closing balances (-want +got):\n%s", diff)
	}
	got := whole.Lines[9]
	if diff := cmp.Diff(ledgerLine{
		Entry: got.Entry, At: got.At, Kind: "transfer", OrderID: "ord_last", PaymentID: last.String(), LedgerAsset: payer, Amount: "-1500000", AmountMajor: "-1.500000",
		BalanceBefore: "-6000000", BalanceAfter: "-7500000", TxID: txid(5), Position: "log/3",
	}, got); diff != "" {
		t.Errorf("last line (-want +got):\n%s", diff)
	}

	// Two periods that meet share no line and miss none, and what the first ends with the second begins with.
	first := into[ledgerStatement](t, r.get(period(begin, middle, ""), key), http.StatusOK)
	second := into[ledgerStatement](t, r.get(period(middle, end, ""), key), http.StatusOK)
	if diff := cmp.Diff(whole.Lines, slices.Concat(first.Lines, second.Lines)); diff != "" || len(first.Lines) != 8 {
		t.Errorf("lines of two periods (-whole +both):\n%s", diff)
	}
	if diff := cmp.Diff(first.Closing, second.Opening); diff != "" || len(first.Closing) != 2 {
		t.Errorf("balances between two periods (-closing +opening):\n%s", diff)
	}
	if diff := cmp.Diff(whole.Closing, second.Closing); diff != "" {
		t.Errorf("closing balances (-whole +second):\n%s", diff)
	}

	for _, tt := range []struct {
		name, key, query string
		lines            int
	}{
		{"all marketplaces", all, "", 12},
		{"one of all", all, "&marketplace=other", 2},
		{"a marketplace without payments", all, "&marketplace=third", 0},
		{"the chain", key, "&chain=dev", 10},
		{"another chain", key, "&chain=solana", 0},
		{"the token", key, "&chain=dev&token=usdc", 10},
		{"the native coin", key, "&chain=dev&token=native", 0},
	} {
		s := into[ledgerStatement](t, r.get(period(begin, end, tt.query), tt.key), http.StatusOK)
		if len(s.Lines) != tt.lines {
			t.Errorf("%s: got %d lines, want %d", tt.name, len(s.Lines), tt.lines)
		}
	}
	for _, bad := range []string{
		period(begin, time.Now().Add(time.Hour), ""), period(end, begin, ""), period(begin, begin, ""), period(begin, end, "&token=USDC"), period(begin, end, "&chain=moon"),
		period(begin, end, "&chain=dev&token=DOGE"), period(begin, end, "&format=pdf"), "/v1/admin/statements?from=2026-01-01T00:00:00Z", "/v1/admin/statements?from=yesterday&to=today",
	} {
		r.get(bad, key).problem(t, ValidationFailed)
	}
	r.get(period(begin, end, "&marketplace=other"), key).problem(t, MarketplaceForbidden)

	a := r.get(period(middle, end, "&format=csv"), key)
	if got, want := a.header.Get("Content-Type"), "text/csv; charset=utf-8"; a.status != http.StatusOK || got != want {
		t.Fatalf("got %d %s, want %s", a.status, got, want)
	}
	if got := a.header.Get("Content-Disposition"); !strings.HasPrefix(got, `attachment; filename="statement-`) || !strings.HasSuffix(got, `.csv"`) {
		t.Errorf("content disposition: %s", got)
	}
	if a := r.do(http.MethodHead, period(middle, end, ""), "", "Authorization", "Bearer "+key); a.status != http.StatusOK || len(a.body) != 0 {
		t.Errorf("HEAD: got %d %s", a.status, a.body)
	}
	rows := csvRows(t, a)
	want := []map[string]string{
		{"record": "opening", "account": "payee", "balance_after": "6000000"},
		{"record": "opening", "account": "payer", "balance_after": "-6000000"},
		{"record": "line", "account": "payee", "amount": "1500000", "balance_before": "6000000", "balance_after": "7500000", "order_id": "ord_last"},
		{"record": "line", "account": "payer", "amount": "-1500000", "balance_before": "-6000000", "balance_after": "-7500000", "order_id": "ord_last"},
		{"record": "closing", "account": "payee", "balance_after": "7500000", "balance_after_major": "7.500000"},
		{"record": "closing", "account": "payer", "balance_after": "-7500000", "balance_after_major": "-7.500000"},
		{"record": "end", "entry": "2", "account": "", "balance_after": ""},
	}
	if len(rows) != len(want) {
		t.Fatalf("got %d rows, want %d:\n%s", len(rows), len(want), a.body)
	}
	for i := range want {
		for column, value := range want[i] {
			if rows[i][column] != value {
				t.Errorf("row %d: %s is %q, want %q", i, column, rows[i][column], value)
			}
		}
	}
	// Numbers are numbers, and no text begins like a formula.
	numbers := []string{"amount", "amount_major", "balance_before", "balance_after", "balance_after_major"}
	orders := make(map[string]bool)
	for _, row := range csvRows(t, r.get(period(begin, end, "&format=csv"), key)) {
		orders[row["order_id"]] = true
		for column, value := range row {
			if !slices.Contains(numbers, column) && strings.IndexAny(value, "=+-@") == 0 {
				t.Errorf("%s is the formula %s", column, value)
			}
			if _, ok := new(big.Rat).SetString(value); slices.Contains(numbers, column) && value != "" && !ok {
				t.Errorf("%s is no number: %s", column, value)
			}
		}
	}
	for _, order := range hostile {
		if !orders["'"+order] {
			t.Errorf("order %s is not named", order)
		}
	}
}

// csvRows are column → value of each row.
func csvRows(t *testing.T, a answer) []map[string]string {
	t.Helper()
	all, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	if err != nil || len(all) == 0 {
		t.Fatalf("read %s: %v", a.body, err)
	}
	var rows []map[string]string
	for _, values := range all[1:] {
		row := make(map[string]string)
		for i, column := range all[0] {
			row[column] = values[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// A transaction posts with an earlier time than others and commits after them: a statement of that time waits for it, and once
// the statement was given nothing can come into its period any more.
func TestStatementMissesNoLateEntry(t *testing.T) {
	t.Parallel()
	r := rigOn(t, pgtest.New(t)) // what is posted here by hand was not decided by anybody
	key := r.key("acme", scopeRead)
	begin := time.Now().Add(-time.Hour)
	post := func(tx pgx.Tx, n int, at time.Time) {
		t.Helper()
		id := r.short("acme", txid(n))
		err := store.PostTransfers(t.Context(), tx, []store.Posting{{
			Transfer: store.SeenTransfer{Payment: id, Chain: chainID, Sighting: *r.sighting(txid(n), 1_000_000, settlement.AmountMismatch, settlement.Under)},
			Account:  store.AccountPayee,
		}}, at)
		if err != nil {
			t.Fatal(err)
		}
	}
	late, err := r.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	early := time.Now()
	post(late, 1, early)
	end := time.Now()
	r.get(period(begin, end, ""), key).problem(t, LedgerBusy)
	answered := make(chan answer, 1)
	go func() { answered <- r.get(period(begin, end, ""), key) }()
	if err := late.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	statement := into[ledgerStatement](t, <-answered, http.StatusOK)
	if len(statement.Lines) != 2 || !statement.Lines[0].At.Equal(early.UTC().Truncate(time.Microsecond)) {
		t.Fatalf("the late entry is not in the statement: %+v", statement.Lines)
	}

	if err := pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error { post(tx, 2, early); return nil }); err != nil {
		t.Fatal(err)
	}
	again := into[ledgerStatement](t, r.get(period(begin, end, ""), key), http.StatusOK)
	if diff := cmp.Diff(statement, again); diff != "" {
		t.Errorf("a statement has changed (-before +after):\n%s", diff)
	}
	next := into[ledgerStatement](t, r.get(period(end, time.Now(), ""), key), http.StatusOK)
	if len(next.Lines) != 2 || !next.Lines[0].At.Equal(end.UTC().Truncate(time.Microsecond)) {
		t.Errorf("what was posted late is not in the next period: %+v", next.Lines)
	}
}

// What came before is added up once: the totals of a day are kept, and a later statement begins with them.
func TestStatementBeginsWithKeptTotals(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("acme", scopeRead)
	r.settled("acme", "old", txid(1))
	r.settled("acme", "new", txid(2))
	// Two days and a half ago, and today.
	const day = 24 * time.Hour
	today := time.Now().UTC().Truncate(day)
	if _, err := r.pool.Exec(t.Context(), `set session_replication_role = replica; update ledger_entries set at = '`+
		today.Add(-5*day/2).Format(time.RFC3339)+`' where id = (select min(id) from ledger_entries); set session_replication_role = origin`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s := into[ledgerStatement](t, r.get(period(today.Add(-day/2), time.Now(), ""), key), http.StatusOK)
		var opening []string
		for _, b := range s.Opening {
			opening = append(opening, b.Account+" "+b.Balance)
		}
		if diff := cmp.Diff([]string{"payee 1500000", "payer -1500000"}, opening); diff != "" || len(s.Lines) != 2 {
			t.Errorf("opening balances (-want +got), and %d lines:\n%s", len(s.Lines), diff)
		}
		var kept string
		err := r.pool.QueryRow(t.Context(), "select string_agg(concat_ws(' ', (until at time zone 'UTC')::date, marketplace, account, amount), ', ' order by until, account) from ledger_totals").Scan(&kept)
		next := today.Add(-2 * day).Format(time.DateOnly) // the midnight after what was posted
		if want := fmt.Sprintf("%s acme payee 1500000, %s acme payer -1500000", next, next); err != nil || kept != want {
			t.Errorf("kept totals: %q, want %q (%v)", kept, want, err)
		}
	}
}

// The ledger cannot be read to its end when half of the statement is out: then the connection breaks, and what has come says nowhere
// that it is whole.
func TestStatementIsCutOff(t *testing.T) {
	t.Parallel()
	r := rigOn(t, pgtest.New(t)) // its books are broken here
	if _, err := r.pool.Exec(t.Context(), pgtest.BrokenLedger); err != nil {
		t.Fatal(err)
	}
	key := r.key("", scopeAdmin)
	for format, end := range map[string]string{"json": "line_count", "csv": "\nend,"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+period(time.Now().Add(-time.Hour), time.Now(), "&format="+format), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close() // it has ended
		if res.StatusCode != http.StatusOK || len(text) == 0 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %d, %d bytes, %v; want the beginning of a statement that breaks off", format, res.StatusCode, len(text), err)
		}
		if strings.Contains(string(text), end) || json.Valid(text) {
			t.Errorf("%s: what was cut off looks whole: %s", format, text[max(0, len(text)-200):])
		}
	}
	if !strings.Contains(r.log.String(), "statement cut off") {
		t.Error("nothing in the log says that a statement was cut off")
	}
}
