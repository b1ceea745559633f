package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

type disputeCmd struct {
	Open      disputeOpenCmd      `cmd:"" help:"Freeze a payment: nothing moves until the dispute has ended."`
	Drop      disputeDropCmd      `cmd:"" help:"End a dispute without a decision."`
	Statement disputeStatementCmd `cmd:"" help:"Note what a party says."`
	Evidence  disputeEvidenceCmd  `cmd:"" help:"Hand in a document."`
	Decide    disputeDecideCmd    `cmd:"" help:"Decide who gets how much."`
	Appeal    disputeAppealCmd    `cmd:"" help:"Note that a party does not accept the decision."`
}

type disputeOpenCmd struct {
	actCmd

	Party string `default:"operator" enum:"payer,payee,operator" help:"Who complains: payer, payee or operator."`
	About string `default:"other" enum:"not_delivered,not_as_described,unauthorized,duplicate,fraud,other" help:"What about: ${enum}."`
}

// Run freezes the payment.
func (cmd *disputeOpenCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "freeze", map[string]any{"party": cmd.Party, "dispute_reason": cmd.About})
}

type disputeDropCmd struct{ actCmd }

// Run unfreezes the payment.
func (cmd *disputeDropCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "unfreeze", nil)
}

type disputeStatementCmd struct {
	actCmd

	Party string `required:"" enum:"payer,payee,operator" help:"Who says it."`
}

// Run notes what is said, which is the reason.
func (cmd *disputeStatementCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "statement", map[string]any{"party": cmd.Party})
}

type disputeAppealCmd struct {
	actCmd

	Party string `required:"" enum:"payer,payee,operator" help:"Who appeals."`
}

// Run appeals.
func (cmd *disputeAppealCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "appeal", map[string]any{"party": cmd.Party})
}

type disputeDecideCmd struct {
	actCmd

	ToPayee string `required:"" help:"Base units for the payee."`
	ToPayer string `required:"" help:"Base units for the payer."`
}

// Run decides.
func (cmd *disputeDecideCmd) Run(ctx context.Context, std *streams) error {
	return cmd.act(ctx, std, "decide", map[string]any{"to_payee": cmd.ToPayee, "to_payer": cmd.ToPayer})
}

type disputeEvidenceCmd struct {
	actCmd

	File      string `arg:"" help:"The document."`
	Party     string `required:"" enum:"payer,payee,operator" help:"Who hands it in."`
	MediaType string `help:"What it is (default: by the name of the file)."`
	Reference string `placeholder:"URL" help:"Keep the document there (https) and hand in its SHA-256 and size alone: for what is too large to keep here."`
}

// Run sends the document, or what names it.
func (cmd *disputeEvidenceCmd) Run(ctx context.Context, std *streams) error {
	mediaType := cmd.MediaType
	if mediaType == "" {
		mediaType = mime.TypeByExtension(filepath.Ext(cmd.File))
	}
	file, err := os.Open(cmd.File)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was read alone
	if cmd.Reference != "" {
		hash := sha256.New()
		size, err := io.Copy(hash, file)
		if err != nil {
			return fmt.Errorf("read %s: %w", cmd.File, err)
		}
		return cmd.act(ctx, std, "statement", map[string]any{"party": cmd.Party, "evidence": map[string]any{
			"sha256": hex.EncodeToString(hash.Sum(nil)), "size": size, "media_type": mediaType, "url": cmd.Reference,
		}})
	}
	version, err := cmd.version(ctx)
	if err != nil {
		return err
	}
	answer, err := cmd.send(ctx, call{
		method: http.MethodPost, path: "/v1/admin/payments/" + url.PathEscape(cmd.Payment) + "/evidence", query: queryOf("party", cmd.Party, "reason", cmd.Reason),
		raw: file, mediaType: mediaType, version: version, key: cmd.idempotencyKey(),
	})
	if err != nil {
		return err
	}
	return cmd.show(std, answer, "", column{"sha256", "sha256"}, column{"size", "size"}, column{"media type", "media_type"})
}
