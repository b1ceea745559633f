package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/store"
)

// switchFlags say where a halt is switched: at a running settler, which needs a key and records whose it is; or in the database
// itself, which works also while no settler answers.
type switchFlags struct {
	configFlag
	apiFlags

	Chain  *string `help:"Only this chain: id or alias (default: all)."`
	Reason string  `required:"" help:"Why, for whoever finds it."`
}

// haltCmd is the kill switch: everything is still seen, and nothing is signed or sent any more.
type haltCmd struct{ switchFlags }

// Run halts every process: each reads it again before it reserves a nonce, signs or sends.
func (cmd *haltCmd) Run(ctx context.Context, std *streams) error {
	if cmd.Key != "" {
		return cmd.press(ctx, std, "halt")
	}
	return cmd.atDatabase(ctx, func(tx pgx.Tx, scope string, now time.Time) error {
		if err := store.SetHalt(ctx, tx, scope, cmd.Reason, now); err != nil {
			return err
		}
		if err := store.InsertHaltRecord(ctx, tx, store.HaltRecord{Scope: scope, Reason: cmd.Reason, Name: "settler halt", At: now}); err != nil {
			return err
		}
		_, err := fmt.Fprintf(std.Out, "halted: %s\n", scopeWords(scope))
		return err
	})
}

type resumeCmd struct{ switchFlags }

// Run lifts a halt, of one chain or that of all chains, and says which others still stand.
func (cmd *resumeCmd) Run(ctx context.Context, std *streams) error {
	if cmd.Key != "" {
		return cmd.press(ctx, std, "resume")
	}
	return cmd.atDatabase(ctx, func(tx pgx.Tx, scope string, now time.Time) error {
		lifted, err := store.LiftHalt(ctx, tx, scope)
		if err != nil {
			return err
		}
		others, err := store.Halts(ctx, tx)
		if err != nil {
			return err
		}
		if !lifted {
			return fmt.Errorf("%s: nothing was halted%s", scopeWords(scope), stillHalted(others))
		}
		if err := store.InsertHaltRecord(ctx, tx, store.HaltRecord{Scope: scope, Resume: true, Reason: cmd.Reason, Name: "settler resume", At: now}); err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.Out, "resumed: %s%s\n", scopeWords(scope), stillHalted(others))
		return err
	})
}

// atDatabase does it in one transaction on the configuration's database.
func (f switchFlags) atDatabase(ctx context.Context, do func(tx pgx.Tx, scope string, now time.Time) error) error {
	scope, err := f.scope(f.Chain)
	if err != nil {
		return err
	}
	if strings.TrimSpace(f.Reason) == "" {
		return fmt.Errorf("--reason is empty")
	}
	pool, err := f.openDirect(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return do(tx, scope, time.Now().UTC()) })
}

// press asks a running settler.
func (f switchFlags) press(ctx context.Context, std *streams, which string) error {
	body := map[string]string{"reason": f.Reason}
	if f.Chain != nil {
		body["chain"] = *f.Chain // also an empty one, as of a variable that is not set: it is refused
	}
	answer, err := f.send(ctx, call{method: http.MethodPost, path: "/v1/admin/halts/" + which, body: body})
	if err != nil {
		return fmt.Errorf("%w; without a key `settler %s` goes to the database itself", err, which)
	}
	var now struct{ Changed bool }
	if err := json.Unmarshal(answer, &now); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if err := f.showHalts(std, answer); err != nil || now.Changed {
		return err
	}
	return errors.New("nothing was halted there")
}

func (f apiFlags) showHalts(std *streams, answer []byte) error {
	return f.show(std, answer, "halts", column{"halted", "chain"}, column{"since", "halted_at"}, column{"reason", "reason"})
}

type haltsCmd struct{ apiFlags }

// Run shows what is halted at a running settler.
func (cmd *haltsCmd) Run(ctx context.Context, std *streams) error {
	answer, err := cmd.send(ctx, call{method: http.MethodGet, path: "/v1/admin/halts"})
	if err != nil {
		return err
	}
	if err := cmd.showHalts(std, answer); err != nil || cmd.Output == "json" {
		return err
	}
	if _, err := fmt.Fprintln(std.Out); err != nil {
		return err
	}
	return cmd.show(std, answer, "records", column{"at", "at"}, column{"action", "action"}, column{"chain", "chain"}, column{"by", "by"}, column{"from", "origin"},
		column{"reason", "reason"})
}

func stillHalted(halts []store.Halt) string {
	text := ""
	for _, h := range halts {
		text += fmt.Sprintf("\n  still halted since %s: %s (%s)", h.HaltedAt.Format(time.RFC3339), scopeWords(h.Scope), h.Reason)
	}
	return text
}

// scope is the chain's id, or that of all chains where none is named.
func (f configFlag) scope(chain *string) (string, error) {
	if chain == nil {
		return store.Everywhere, nil
	}
	cfg, err := f.load()
	if err != nil {
		return "", err
	}
	named, ok := cfg.chainNamed(*chain)
	if !ok {
		return "", fmt.Errorf("chain %q is not in the configuration", *chain)
	}
	id, err := named.chainID()
	return string(id), err
}

func scopeWords(scope string) string {
	if scope == store.Everywhere {
		return "all chains"
	}
	return scope
}
