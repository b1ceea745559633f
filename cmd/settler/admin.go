package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
)

// paymentLines are what people want to know of one payment.
var paymentLines = []column{
	{"payment", "payment_id"},
	{"order", "order_id"},
	{"marketplace", "marketplace"},
	{"state", "state"},
	{"acts next", "acts_next"},
	{"flags", "flags"},
	{"reason", "reason"},
	{"detail", "detail"},
	{"price", "price.amount_major"},
	{"symbol", "price.symbol"},
	{"chain", "price.chain"},
	{"received", "received.amount_major"},
	{"paid by", "paid_by"},
	{"custody", "custody"},
	{"held", "held.amount_major"},
	{"orchestrator", "platform.status"},
	{"actions", "actions"},
	{"version", "version"},
	{"created", "created_at"},
	{"updated", "updated_at"},
}

type ordersCmd struct {
	apiFlags

	Order       string `arg:"" help:"The marketplace's order."`
	Marketplace string `help:"Whose order; only for keys of all marketplaces."`
}

// Run shows the payment of an order.
func (cmd *ordersCmd) Run(ctx context.Context, std *streams) error {
	answer, err := cmd.send(ctx, call{method: http.MethodGet, path: "/v1/orders/" + url.PathEscape(cmd.Order), query: queryOf("marketplace", cmd.Marketplace)})
	if err != nil {
		return err
	}
	return cmd.show(std, answer, "", paymentLines...)
}

// queryOf makes a query of pairs, without those that are empty.
func queryOf(pairs ...string) url.Values {
	q := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}

type paymentsCmd struct {
	List     paymentsListCmd `cmd:"" help:"Search payments."`
	Show     paymentsShowCmd `cmd:"" help:"Show a payment."`
	Accept   acceptCmd       `cmd:"" help:"Let a transfer count as what pays or, once a direct payment is paid or closed, to be given back."`
	Close    actCmd          `cmd:"" help:"Nothing more is to be done about a payment."`
	Attach   attachCmd       `cmd:"" help:"Have a transaction looked at."`
	Reverify actCmd          `cmd:"" help:"Have the last transaction that was seen looked at again."`
	Retry    actCmd          `cmd:"" help:"Have done again what is for settler to do."`
	Note     actCmd          `cmd:"" help:"Leave a note."`
	Surplus  surplusCmd      `cmd:"" help:"Give back what came above the price."`
}

type paymentsListCmd struct {
	apiFlags

	Order       string `help:"Only the payment of this order."`
	Payment     string `help:"Only this payment."`
	Txid        string `help:"Only payments for which this transaction was seen or named."`
	Address     string `help:"Only payments that name the address, or that it has paid."`
	State       string `help:"Only payments in this state."`
	Flag        string `help:"Only payments that carry this flag."`
	Chain       string `help:"Only payments on this chain: id or alias."`
	Token       string `help:"Only payments in this token of the chain: symbol or contract."`
	MinAmount   string `help:"Only prices of at least so many base units; needs --token."`
	MaxAmount   string `help:"Only prices of at most so many base units; needs --token."`
	From        string `help:"Only payments recorded at this time (RFC 3339) or later."`
	To          string `help:"Only payments recorded before this time."`
	Marketplace string `help:"Only payments of this marketplace."`
	Limit       int    `default:"50" help:"How many at most, 1 to 500."`
	Cursor      string `help:"Where the page before ended."`
}

// Run lists payments, newest first.
func (cmd *paymentsListCmd) Run(ctx context.Context, std *streams) error {
	answer, err := cmd.send(ctx, call{method: http.MethodGet, path: "/v1/admin/payments", query: queryOf(
		"order_id", cmd.Order, "payment_id", cmd.Payment, "txid", cmd.Txid, "address", cmd.Address, "state", cmd.State, "flag", cmd.Flag, "chain", cmd.Chain,
		"token", cmd.Token, "min_amount", cmd.MinAmount, "max_amount", cmd.MaxAmount, "from", cmd.From, "to", cmd.To, "marketplace", cmd.Marketplace,
		"limit", strconv.Itoa(cmd.Limit), "cursor", cmd.Cursor,
	)})
	if err != nil {
		return err
	}
	return cmd.show(std, answer, "items", column{"payment", "payment_id"}, column{"order", "order_id"}, column{"state", "state"},
		column{"next", "acts_next"}, column{"price", "price.amount_major"}, column{"symbol", "price.symbol"}, column{"flags", "flags"},
		column{"reason", "reason"}, column{"updated", "updated_at"})
}

type paymentsShowCmd struct {
	apiFlags

	Payment string `arg:"" help:"Our id of the payment."`
}

// paymentLists are what belongs to a payment beside its own lines.
var paymentLists = []struct {
	name    string
	columns []column
}{
	{"transactions", []column{
		{"transaction", "txid"},
		{"position", "position"},
		{"amount", "amount_major"},
		{"symbol", "symbol"},
		{"status", "status"},
		{"verdict", "verdict.code"},
		{"detail", "verdict.detail"},
		{"settles", "settles"},
		{"counts", "counts"},
	}},
	{"movements", []column{
		{"part", "part"},
		{"purpose", "purpose"},
		{"state", "state"},
		{"to payee", "to_payee"},
		{"to payer", "to_payer"},
		{"receiver", "payer"},
		{"transaction", "txid"},
		{"fee", "fee.amount_major"},
		{"coin", "fee.symbol"},
		{"problem", "problem"},
	}},
	{"disputes", []column{
		{"dispute", "number"},
		{"about", "reason"},
		{"party", "party"},
		{"decide by", "decide_by"},
		{"to payee", "decision.to_payee"},
		{"to payer", "decision.to_payer"},
		{"outcome", "outcome"},
	}},
	{"approvals", []column{
		{"approval", "approval_id"}, {"action", "action"}, {"state", "state"}, {"requester", "requester"}, {"needed", "needed"}, {"reason", "reason"},
	}},
	{"history", []column{
		{"version", "version"}, {"at", "at"}, {"event", "event"}, {"from", "from"}, {"to", "to"}, {"by", "by"}, {"reason", "reason"}, {"detail", "detail"},
	}},
}

// Run shows a payment with all that belongs to it.
func (cmd *paymentsShowCmd) Run(ctx context.Context, std *streams) error {
	answer, err := cmd.send(ctx, call{method: http.MethodGet, path: paymentPath(cmd.Payment)})
	if err != nil {
		return err
	}
	if err := cmd.show(std, answer, "", paymentLines...); err != nil || cmd.Output == "json" {
		return err
	}
	var lists map[string]json.RawMessage
	if err := json.Unmarshal(answer, &lists); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	for _, list := range paymentLists {
		if text := string(lists[list.name]); text == "" || text == "[]" {
			continue
		}
		if _, err := fmt.Fprintln(std.Out); err != nil {
			return err
		}
		if err := cmd.show(std, answer, list.name, list.columns...); err != nil {
			return err
		}
	}
	return nil
}

type queuesCmd struct {
	apiFlags

	Queue       string `arg:"" optional:"" help:"List this queue: needs_review, disputes, stuck or parked (default: count all)."`
	Marketplace string `help:"Only of this marketplace."`
	Cursor      string `help:"Where the page before ended."`
}

// Run shows what waits for somebody.
func (cmd *queuesCmd) Run(ctx context.Context, std *streams) error {
	path := "/v1/admin/queues"
	if cmd.Queue != "" {
		path += "/" + url.PathEscape(cmd.Queue)
	}
	answer, err := cmd.send(ctx, call{method: http.MethodGet, path: path, query: queryOf("marketplace", cmd.Marketplace, "cursor", cmd.Cursor)})
	switch {
	case err != nil:
		return err
	case cmd.Queue == "":
		return cmd.show(std, answer, "queues", column{"queue", "queue"}, column{"count", "count"}, column{"oldest since", "oldest_since"})
	}
	return cmd.show(std, answer, "items", column{"payment", "payment_id"}, column{"order", "order_id"}, column{"since", "since"}, column{"state", "state"},
		column{"reason", "reason"}, column{"detail", "detail"}, column{"dispute", "dispute.reason"}, column{"by", "dispute.party"},
		column{"decide by", "dispute.decide_by"})
}

type statementsCmd struct {
	apiAccess

	From        string `required:"" help:"What was posted at this time (RFC 3339) or later."`
	To          string `required:"" help:"What was posted before this time, which must have come."`
	Marketplace string `help:"Only of this marketplace."`
	Chain       string `help:"Only on this chain: id or alias."`
	Token       string `help:"Only this token of the chain: symbol, contract, or native."`
	Output      string `short:"o" enum:"csv,json" default:"csv" help:"csv or json."`
	File        string `type:"path" help:"Write it to this file, which is there once the statement is whole (default: to the standard output)."`
}

// Run writes the statement as it comes: a year may have a million lines. It is an error when its end has not come.
func (cmd *statementsCmd) Run(ctx context.Context, std *streams) error {
	res, err := cmd.ask(ctx, call{method: http.MethodGet, path: "/v1/admin/statements", query: queryOf(
		"from", cmd.From, "to", cmd.To, "marketplace", cmd.Marketplace, "chain", cmd.Chain, "token", cmd.Token, "format", cmd.Output,
	)})
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // nothing is lost with it
	if cmd.File == "" {
		return cmd.copy(std.Out, res.Body)
	}
	file, err := os.CreateTemp(filepath.Dir(cmd.File), filepath.Base(cmd.File)+".*.part")
	if err != nil {
		return err
	}
	err = cmd.copy(file, res.Body)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), cmd.File)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// copy copies a whole statement, which its last line tells from one that was cut off.
func (cmd *statementsCmd) copy(to io.Writer, from io.Reader) error {
	end := map[string]string{"csv": "\nend,", "json": "\n\"line_count\":"}[cmd.Output]
	var tail []byte
	_, err := io.Copy(to, io.TeeReader(from, writerFunc(func(text []byte) {
		tail = append(tail, text...)
		tail = append(tail[:0], tail[max(0, len(tail)-256):]...)
	})))
	last := bytes.TrimSuffix(tail, []byte("\n"))
	if err == nil && (len(last) == len(tail) || !bytes.HasPrefix(last[max(0, bytes.LastIndexByte(last, '\n')):], []byte(end))) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("the statement was cut off, ask for it again: %w", err)
	}
	return nil
}

// writerFunc is called with what is written, and takes all of it.
type writerFunc func([]byte)

func (f writerFunc) Write(text []byte) (int, error) {
	f(text)
	return len(text), nil
}

// approvalLines are what somebody must know before he approves.
var approvalLines = []column{
	{"approval", "approval_id"},
	{"state", "state"},
	{"action", "action"},
	{"payment", "payment_id"},
	{"order", "order_id"},
	{"amount", "amount_major"},
	{"symbol", "symbol"},
	{"chain", "chain"},
	{"receiver", "receiver"},
	{"to payee", "to_payee"},
	{"to payer", "to_payer"},
	{"transaction", "txid"},
	{"reason", "reason"},
	{"requester", "requester"},
	{"from", "origin"},
	{"needed", "needed"},
	{"because", "because"},
	{"expires", "expires_at"},
	{"hash", "hash"},
}

type approvalsCmd struct {
	apiFlags

	Approval    string `arg:"" optional:"" help:"Show this request (default: list what waits)."`
	Marketplace string `help:"Only of this marketplace."`
	Cursor      string `help:"Where the page before ended."`
}

// Run shows what waits for approval.
func (cmd *approvalsCmd) Run(ctx context.Context, std *streams) error {
	path, list, columns := "/v1/admin/approvals", "items", []column{
		{"approval", "approval_id"},
		{"action", "action"},
		{"order", "order_id"},
		{"amount", "amount_major"},
		{"symbol", "symbol"},
		{"requester", "requester"},
		{"expires", "expires_at"},
	}
	if cmd.Approval != "" {
		path, list, columns = path+"/"+url.PathEscape(cmd.Approval), "", approvalLines
	}
	answer, err := cmd.send(ctx, call{method: http.MethodGet, path: path, query: queryOf("marketplace", cmd.Marketplace, "cursor", cmd.Cursor)})
	if err != nil {
		return err
	}
	return cmd.show(std, answer, list, columns...)
}

// voteCmd says what a person thinks of a request: what its command is called.
type voteCmd struct {
	apiFlags

	Approval string `arg:"" help:"The request, as approvals shows it."`
	Hash     string `required:"" help:"The hash of the request that you have looked at, as approvals shows it: what is approved is that, and nothing else."`
	Reason   string `help:"Why; a rejection needs it."`
}

// Run approves or rejects.
func (cmd *voteCmd) Run(ctx context.Context, std *streams, selected *kong.Context) error {
	body := map[string]any{}
	if cmd.Reason != "" {
		body["reason"] = cmd.Reason
	}
	answer, err := cmd.send(ctx, call{
		method: http.MethodPost, path: "/v1/admin/approvals/" + url.PathEscape(cmd.Approval) + "/" + selected.Selected().Name, body: body,
		version: `"` + strings.Trim(cmd.Hash, `"`) + `"`,
	})
	if err != nil {
		return err
	}
	return cmd.show(std, answer, "", approvalLines...)
}
