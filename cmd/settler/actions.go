package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/alecthomas/kong"
)

// actCmd does something about a payment: what its command is called.
type actCmd struct {
	apiFlags

	Payment        string `arg:"" help:"Our id of the payment."`
	Reason         string `required:"" help:"Why; it stays in the history for ever."`
	DryRun         bool   `help:"Say what would happen, and do nothing."`
	Version        int64  `help:"Only if the payment has this version (default: as it is now)."`
	IdempotencyKey string `help:"Names this decision, so that a repeated command acts once (default: a new one)."`
}

// Run does what the command is called.
func (cmd *actCmd) Run(ctx context.Context, std *streams, selected *kong.Context) error {
	return cmd.act(ctx, std, selected.Selected().Name, nil)
}

// act sends an action with its fields beside the reason.
func (cmd *actCmd) act(ctx context.Context, std *streams, action string, fields map[string]any) error {
	version, err := cmd.version(ctx)
	if err != nil {
		return err
	}
	body := map[string]any{"reason": cmd.Reason}
	for name, value := range fields {
		if given, ok := value.(*string); value == "" || ok && given == nil {
			continue
		}
		body[name] = value // also an empty amount, as of a variable that is not set: it is refused
	}
	c := call{
		method: http.MethodPost, path: "/v1/admin/payments/" + url.PathEscape(cmd.Payment) + "/actions/" + action, body: body, version: version,
		key: cmd.idempotencyKey(),
	}
	if cmd.DryRun {
		c.query = url.Values{"dry_run": {"true"}}
	}
	answer, err := cmd.send(ctx, c)
	if err != nil {
		return err
	}
	return cmd.show(std, answer, "", column{"action", "action"}, column{"payment", "payment_id"}, column{"done", "done"}, column{"dry run", "dry_run"},
		column{"state", "state"}, column{"becomes", "becomes"}, column{"acts next", "acts_next"}, column{"version", "version"},
		column{"approvals needed", "approvals_needed"}, column{"because", "approvals_because"},
		column{"amount", "refund.amount_major"}, column{"from", "refund.from"}, column{"receiver", "refund.receiver"}, column{"approval", "approval.approval_id"})
}

func (cmd *actCmd) version(ctx context.Context) (string, error) {
	if cmd.Version != 0 {
		return fmt.Sprintf("%q", fmt.Sprint(cmd.Version)), nil
	}
	return cmd.versionOf(ctx, cmd.Payment)
}

func (cmd *actCmd) idempotencyKey() string {
	if cmd.IdempotencyKey != "" {
		return cmd.IdempotencyKey
	}
	return newKey()
}

type acceptCmd struct {
	actCmd

	Txid     string `required:"" help:"The transaction of the transfer."`
	Position string `required:"" help:"The transfer's position, as the payment's transactions show it."`
}

// Run accepts the transfer.
func (cmd *acceptCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "accept", map[string]any{"txid": cmd.Txid, "position": cmd.Position})
}

type attachCmd struct {
	actCmd

	Txid string `required:"" help:"The transaction to look at."`
}

// Run names the transaction.
func (cmd *attachCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "attach", map[string]any{"txid": cmd.Txid})
}

type refundCmd struct {
	actCmd

	Amount   *string `help:"Base units of a partial refund (default: all that is held, or was paid directly and not given back)."`
	Receiver *string `help:"Who gets it, of a direct payment (default: the wallet that is proven to be the payer's)."`
}

// Run refunds.
func (cmd *refundCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "refund", map[string]any{"amount": cmd.Amount, "receiver": cmd.Receiver})
}

type surplusCmd struct {
	actCmd

	Receiver *string `help:"Who gets it, of a direct payment (default: the wallet that is proven to be the payer's)."`
}

// Run gives back what came above the price.
func (cmd *surplusCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "surplus", map[string]any{"receiver": cmd.Receiver})
}

type splitCmd struct {
	actCmd

	ToPayee string `required:"" help:"Base units for the payee."`
	ToPayer string `required:"" help:"Base units for the payer."`
}

// Run splits.
func (cmd *splitCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "split", map[string]any{"to_payee": cmd.ToPayee, "to_payer": cmd.ToPayer})
}
