package api

import (
	"bufio"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

type ledgerInput struct {
	From        time.Time `query:"from" required:"true" doc:"What was posted at this time or later." example:"2026-11-01T00:00:00Z"`
	To          time.Time `query:"to" required:"true" doc:"What was posted before this time, which must have come." example:"2026-12-01T00:00:00Z"`
	Marketplace string    `query:"marketplace" maxLength:"255" doc:"Only payments of this marketplace; of use with keys of all marketplaces." example:"acme"`
	Chain       string    `query:"chain" maxLength:"128" doc:"Only this chain: its CAIP-2 id or an alias." example:"base"`
	Token       string    `query:"token" maxLength:"128" doc:"Only this token of the chain: its symbol or contract, or native for the chain's own coin. Needs chain." example:"USDC"`
	Format      string    `query:"format" enum:"json,csv" default:"json" doc:"csv: one row for each opening balance, line and closing balance, in this order, and one for the end. Text that a spreadsheet would take for a formula has an apostrophe before it."`
}

// ledgerStatement is what was posted to the ledger in a period. It is written piece by piece: a year may have a million lines.
type ledgerStatement struct {
	From    time.Time       `json:"from"`
	To      time.Time       `json:"to"`
	Opening []ledgerBalance `json:"opening" nullable:"false" doc:"What each account had at from; those with nothing are left out."`
	Lines   []ledgerLine    `json:"lines" nullable:"false" doc:"By time. The lines of an entry are zero together."`
	Closing []ledgerBalance `json:"closing" nullable:"false" doc:"What each account had at to: its opening balance and its lines."`
	Count   int64           `json:"line_count" doc:"How many lines there are. It comes last: an answer that was cut off lacks it, and is not JSON."`
}

// LedgerAsset is an account of one marketplace and asset. Exported for the same reason as PaymentSummary.
type LedgerAsset struct {
	Marketplace string `json:"marketplace" doc:"Empty for what is of no payment: gas, which one transaction may have cost for several." example:"acme"`
	Chain       string `json:"chain" doc:"CAIP-2 id of the chain." example:"eip155:8453"`
	Token       string `json:"token" doc:"The token's contract in the chain's own form; empty for the chain's native coin." example:"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"`
	Symbol      string `json:"symbol" doc:"For people; empty for an asset that is not in the configuration." example:"USDC"`
	Decimals    *uint8 `json:"decimals,omitempty" doc:"Digits after the point in major units; absent for an asset that is not in the configuration." example:"6"`
	Account     string `json:"account" enum:"payer,held,payee,refund,fee,payer_fee,gas,rent,operator" doc:"payer: came from outside and arrived; held: in our vaults; payee, refund: arrived there; fee: kept on the way by a token that takes a fee, or burnt because no account could live by it; payer_fee: left the payer beside what arrived, for the token to keep; gas: spent; rent: in token accounts that we have made, from which it comes back; operator: our own wallets." example:"held"`
}

type ledgerBalance struct {
	LedgerAsset
	Balance      string `json:"balance" doc:"Base units that the account got, below zero for what it gave." example:"1500000"`
	BalanceMajor string `json:"balance_major" doc:"The same in major units; empty without decimals." example:"1.500000"`
}

type ledgerLine struct {
	Entry     int64     `json:"entry" doc:"Names the entry that the line is of." example:"4711"`
	At        time.Time `json:"at" doc:"When it was posted."`
	Kind      string    `json:"kind" enum:"transfer,release,refund,split,partial_refund,surplus,paid,reclaimed,gas" doc:"transfer: a confirmed transfer; release to surplus: a movement of ours; paid, reclaimed: what others had a vault do; gas: what a transaction of ours cost." example:"transfer"`
	OrderID   string    `json:"order_id" doc:"Empty for gas." example:"ord_4f9a"`
	PaymentID string    `json:"payment_id" doc:"Empty for gas." example:"019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11"`
	Part      *int      `json:"part,omitempty" doc:"Of a movement: its part." example:"0"`
	LedgerAsset
	Amount        string `json:"amount" doc:"Base units that the account got, below zero for what it gave." example:"1500000"`
	AmountMajor   string `json:"amount_major" doc:"The same in major units; empty without decimals." example:"1.500000"`
	BalanceBefore string `json:"balance_before" doc:"What the account had before, in base units." example:"0"`
	BalanceAfter  string `json:"balance_after" doc:"What it had afterwards." example:"1500000"`
	TxID          string `json:"txid" doc:"The transaction." example:"0x8b1f4a2d6c3e5b7a9d0c1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b"`
	Position      string `json:"position" doc:"Of a transfer: which of the transaction's transfers." example:"log/17"`
}

func (s *server) registerLedger() {
	const path = "/v1/admin/statements"
	register(s, s.secured(huma.Operation{
		OperationID: "get-statement", Method: http.MethodGet, Path: path, Tags: []string{"Admin"},
		Summary: "Statement of a period", Description: "What was posted to the ledger from a time on and before another: confirmed transfers, movements, fees and gas, " +
			"with the balance of each account before and after. A period that is over never changes: the same request gets the same answer, and of two " +
			"periods that meet no line is in both or in none. For that the ledger is closed up to `to`: what is posted afterwards counts as posted after it.",
	}, scopeRead), []Code{MarketplaceForbidden, ValidationFailed, LedgerBusy}, s.handleStatement)
	schema := s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[ledgerStatement](), true, "")
	s.api.OpenAPI().Paths[path].Get.Responses["200"] = &huma.Response{
		Description: "The statement. One that was cut off lacks its end: line_count or, in CSV, the row end, whose entry is how many lines there are.",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: schema}, "text/csv": {Schema: &huma.Schema{Type: huma.TypeString, Description: strings.Join(ledgerColumns, ", ")}},
		},
	}
}

// ledgerFilter selects lines and balances; empty fields select all.
type ledgerFilter struct {
	marketplace string
	chain       settlement.ChainID
	token       *settlement.Address
}

func (f ledgerFilter) takes(a store.LedgerAccount) bool {
	return (f.marketplace == "" || a.Marketplace == f.marketplace) && (f.chain == "" || a.Chain == f.chain) && (f.token == nil || a.Token == *f.token)
}

func (s *server) ledgerFilter(ctx context.Context, in *ledgerInput) (f ledgerFilter, err error) {
	if f.marketplace, err = marketplaceOf(ctx, in.Marketplace); err != nil {
		return f, err
	}
	switch {
	case in.Token != "" && in.Chain == "":
		return f, invalid("query.token", "needs chain: a token is one of a chain")
	case in.Chain == "":
		return f, nil
	}
	chain, ok := chainNamed(s.cfg.Runner.Chains(), in.Chain)
	if !ok {
		return f, invalid("query.chain", "must be the CAIP-2 id or an alias of a chain in the configuration")
	}
	f.chain = chain.ID
	switch token, ok := tokenNamed(chain, in.Token); {
	case ok:
		f.token = &token.Address
	case in.Token == settlement.Native:
		f.token = new(settlement.Address)
	case in.Token != "":
		return f, invalid("query.token", "must be native, or the symbol or the contract of one of the chain's tokens in the configuration")
	}
	return f, nil
}

func (s *server) handleStatement(ctx context.Context, in *ledgerInput) (*huma.StreamResponse, error) {
	filter, err := s.ledgerFilter(ctx, in)
	if err != nil {
		return nil, err
	}
	// Postgres keeps microseconds.
	from, to := in.From.UTC().Truncate(time.Microsecond), in.To.UTC().Truncate(time.Microsecond)
	if !from.Before(to) {
		return nil, invalid("query.from", "must be before to")
	}
	totals, err := s.cfg.Runner.OpenStatement(ctx, from, to)
	switch {
	case errors.Is(err, jobs.ErrLedgerAhead):
		return nil, invalid("query.to", "must have come: what is posted until then is not known yet")
	case errors.Is(err, jobs.ErrLedgerBusy):
		return nil, problem(LedgerBusy, "What is being posted has to end first. Repeat the request.").with("Retry-After", "5")
	case err != nil:
		return nil, err
	}
	return &huma.StreamResponse{Body: func(out huma.Context) {
		r, w := humachi.Unwrap(out)
		name, mediaType := "statement-"+from.Format("20060102T150405Z")+"-"+to.Format("20060102T150405Z"), "application/json"
		if in.Format == "csv" {
			mediaType = "text/csv; charset=utf-8"
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+"."+in.Format+`"`)
		w.WriteHeader(http.StatusOK)
		if r.Method == http.MethodHead {
			return
		}
		if err := s.writeStatement(ctx, w, in.Format, filter, from, to, totals); err != nil {
			if ctx.Err() == nil { // else the client has gone
				s.cfg.Logger.ErrorContext(ctx, "statement cut off", "request_id", requestID(ctx), "err", err)
			}
			panic(http.ErrAbortHandler) // half of it is out: cut it off rather than let it look whole
		}
	}}, nil
}

// statementPatience is how long a client may take for what is written at a time. The server's own limit is for a whole answer.
const statementPatience = time.Minute

// patient writes with a new deadline each time.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w patient) Write(text []byte) (int, error) {
	// Where there is no connection of its own, as in the dashboard's answers, there is no deadline either.
	if err := w.control.SetWriteDeadline(time.Now().Add(statementPatience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return w.ResponseWriter.Write(text)
}

// statementWriter writes the parts of a statement in a format.
type statementWriter interface {
	begin(list string) error // opening, lines, closing, in this order
	opening(ledgerBalance) error
	line(ledgerLine) error
	closing(ledgerBalance) error
	end(lines int64) error
}

func (s *server) writeStatement(ctx context.Context, w http.ResponseWriter, format string, filter ledgerFilter, from, to time.Time, totals store.Totals) error {
	buffer := bufio.NewWriterSize(patient{w, http.NewResponseController(w)}, 64<<10)
	var out statementWriter = &jsonStatement{w: buffer, from: from, to: to}
	if format == "csv" {
		out = &csvStatement{csv.NewWriter(buffer), from, to}
	}
	v := s.render()
	assets := make(map[store.LedgerAccount]LedgerAsset)
	for a := range totals {
		if !filter.takes(a) {
			delete(totals, a)
		}
	}
	if err := out.begin("opening"); err != nil {
		return err
	}
	for _, a := range accountsOf(totals) {
		assets[a] = v.ledgerAsset(a)
		if err := out.opening(balanceOf(assets[a], totals[a])); err != nil {
			return err
		}
	}
	if err := out.begin("lines"); err != nil {
		return err
	}
	var lines int64
	err := s.cfg.Runner.ReadLedger(ctx, from, to, func(l store.LedgerLine) error {
		if !filter.takes(l.LedgerAccount) {
			return nil
		}
		lines++
		before, after := totals.Add(l.LedgerAccount, l.Amount)
		asset := v.ledgerAsset(l.LedgerAccount)
		if l.Decimals != nil { // the payment knows better than today's configuration
			asset.Symbol, asset.Decimals = l.Symbol, l.Decimals
		}
		assets[l.LedgerAccount] = asset
		line := ledgerLine{
			Entry: l.ID, At: l.At, Kind: l.Kind, OrderID: l.OrderID, Part: l.Part, LedgerAsset: asset, Amount: l.Amount.String(), AmountMajor: major(l.Amount, asset.Decimals),
			BalanceBefore: before.String(), BalanceAfter: after.String(), TxID: v.txid(l.Chain, l.TxID), Position: l.Position,
		}
		if l.Payment != nil {
			line.PaymentID = l.Payment.String()
		}
		return out.line(line)
	})
	if err != nil {
		return err
	}
	if err := out.begin("closing"); err != nil {
		return err
	}
	for _, a := range accountsOf(totals) {
		if err := out.closing(balanceOf(assets[a], totals[a])); err != nil {
			return err
		}
	}
	if err := out.end(lines); err != nil {
		return err
	}
	return buffer.Flush()
}

// accountsOf lists the accounts in a fixed order.
func accountsOf(totals store.Totals) []store.LedgerAccount {
	accounts := make([]store.LedgerAccount, 0, len(totals))
	for a := range totals {
		accounts = append(accounts, a)
	}
	slices.SortFunc(accounts, func(a, b store.LedgerAccount) int {
		return cmp.Or(strings.Compare(a.Marketplace, b.Marketplace), cmp.Compare(a.Chain, b.Chain), cmp.Compare(a.Token, b.Token), cmp.Compare(a.Account, b.Account))
	})
	return accounts
}

// ledgerAsset is the account with what the configuration knows of its asset.
func (v render) ledgerAsset(a store.LedgerAccount) LedgerAsset {
	out := LedgerAsset{Marketplace: a.Marketplace, Chain: string(a.Chain), Token: v.address(a.Chain, a.Token), Account: string(a.Account)}
	chain, ok := v.s.cfg.Runner.Chain(a.Chain)
	if ok && a.Token == "" {
		out.Symbol, out.Decimals = chain.Coin.Symbol, &chain.Coin.Decimals
	}
	for _, t := range chain.Tokens {
		if t.Address == a.Token {
			out.Symbol, out.Decimals = t.Symbol, &t.Decimals
		}
	}
	return out
}

func balanceOf(a LedgerAsset, amount *big.Int) ledgerBalance {
	return ledgerBalance{a, amount.String(), major(amount, a.Decimals)}
}

// major is the amount in major units, with all of the token's decimals; empty where they are not known.
func major(amount *big.Int, decimals *uint8) string {
	if decimals == nil {
		return ""
	}
	digits := new(big.Int).Abs(amount).String()
	if missing := int(*decimals) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	if point := len(digits) - int(*decimals); *decimals > 0 {
		digits = digits[:point] + "." + digits[point:]
	}
	if amount.Sign() < 0 {
		return "-" + digits
	}
	return digits
}

// jsonStatement writes a ledgerStatement.
type jsonStatement struct {
	w        io.Writer
	from, to time.Time
	between  string // what comes before the next item
}

func (j *jsonStatement) begin(list string) error {
	head := "\n],\n"
	if list == "opening" {
		head = fmt.Sprintf("{\"from\":%q,\"to\":%q,\n", j.from.Format(time.RFC3339Nano), j.to.Format(time.RFC3339Nano))
	}
	j.between = "\n"
	_, err := fmt.Fprintf(j.w, "%s%q:[", head, list)
	return err
}

func (j *jsonStatement) item(item any) error {
	text, err := json.Marshal(item)
	if err != nil {
		return fmt.Errorf("encode statement: %w", err)
	}
	_, err = fmt.Fprintf(j.w, "%s%s", j.between, text)
	j.between = ",\n"
	return err
}

func (j *jsonStatement) opening(b ledgerBalance) error { return j.item(b) }
func (j *jsonStatement) line(l ledgerLine) error       { return j.item(l) }
func (j *jsonStatement) closing(b ledgerBalance) error { return j.item(b) }

func (j *jsonStatement) end(lines int64) error {
	_, err := fmt.Fprintf(j.w, "\n],\n\"line_count\":%d}\n", lines)
	return err
}

// ledgerColumns are those of a statement in CSV.
var ledgerColumns = []string{
	"record", "at", "entry", "kind", "marketplace", "order_id", "payment_id", "part", "chain", "token", "symbol", "decimals", "account",
	"amount", "amount_major", "balance_before", "balance_after", "balance_after_major", "txid", "position",
}

// csvStatement writes a row for each balance and line.
type csvStatement struct {
	w        *csv.Writer
	from, to time.Time
}

func (c *csvStatement) begin(list string) error {
	if list != "opening" {
		return nil
	}
	return c.w.Write(ledgerColumns)
}

func (c *csvStatement) opening(b ledgerBalance) error {
	return c.row("opening", c.from, b.LedgerAsset, ledgerLine{BalanceAfter: b.Balance}, b.BalanceMajor)
}

func (c *csvStatement) closing(b ledgerBalance) error {
	return c.row("closing", c.to, b.LedgerAsset, ledgerLine{BalanceAfter: b.Balance}, b.BalanceMajor)
}

func (c *csvStatement) line(l ledgerLine) error {
	after, _ := new(big.Int).SetString(l.BalanceAfter, 10) // which made it
	return c.row("line", l.At, l.LedgerAsset, l, major(after, l.Decimals))
}

func (c *csvStatement) row(record string, at time.Time, a LedgerAsset, l ledgerLine, balance string) error {
	var entry, part, decimals string
	if l.Entry != 0 || record == "end" {
		entry = strconv.FormatInt(l.Entry, 10)
	}
	if l.Part != nil {
		part = strconv.Itoa(*l.Part)
	}
	if a.Decimals != nil {
		decimals = strconv.Itoa(int(*a.Decimals))
	}
	return c.w.Write([]string{
		record, at.Format(time.RFC3339Nano), entry, l.Kind, harmless(a.Marketplace), harmless(l.OrderID), l.PaymentID, part, a.Chain, harmless(a.Token),
		harmless(a.Symbol), decimals, a.Account, l.Amount, l.AmountMajor, l.BalanceBefore, l.BalanceAfter, balance, harmless(l.TxID), l.Position,
	})
}

func (c *csvStatement) end(lines int64) error {
	if err := c.row("end", c.to, LedgerAsset{}, ledgerLine{Entry: lines}, ""); err != nil {
		return err
	}
	c.w.Flush()
	return c.w.Error()
}

// harmless keeps a spreadsheet from taking text, which others may have chosen, for a formula. Source: OWASP, CSV Injection.
func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
