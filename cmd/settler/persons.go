package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

type personsCmd struct {
	Add    personsAddCmd    `cmd:"" help:"Let somebody use the API."`
	List   personsListCmd   `cmd:"" help:"List everybody, revoked ones too."`
	Scope  personsScopeCmd  `cmd:"" help:"Give somebody another scope; it counts from now on."`
	Revoke personsRevokeCmd `cmd:"" help:"Revoke somebody with all keys; it ends at once."`
}

// reach is how much a key or a person may see and do.
type reach struct {
	Marketplace *string `placeholder:"ID" help:"The marketplace that is reached; without it all of them, which needs the scope admin."`
	Scope       string  `required:"" enum:"read,operate,admin" help:"read, operate or admin; each includes the one before."`
}

func (r reach) check(cfg *Config) error {
	if r.Marketplace == nil && r.Scope != "admin" {
		return errors.New("to reach all marketplaces needs the scope admin; name one with --marketplace")
	}
	for _, m := range cfg.Marketplaces {
		if r.Marketplace == nil || m.ID == *r.Marketplace {
			return nil
		}
	}
	return fmt.Errorf("marketplace %q is not in the configuration", *r.Marketplace)
}

// of is the marketplace, empty for all.
func (r reach) of() string {
	if r.Marketplace == nil {
		return ""
	}
	return *r.Marketplace
}

type personsAddCmd struct {
	configFlag
	reach

	Subject string `required:"" help:"The issuer's own name of the person (claim sub)."`
	Name    string `required:"" help:"The name, for people."`
}

// Run adds the person and prints the id.
func (cmd *personsAddCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	if err := cmd.check(cfg); err != nil {
		return err
	}
	pool, err := openPool(ctx, cfg.directURL(), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	err = store.CreatePerson(ctx, pool, store.Person{
		ID: settlement.PaymentID(id), Issuer: cfg.Admin.Issuer, Subject: cmd.Subject, Name: cmd.Name, Marketplace: cmd.of(),
		Scope: cmd.Scope, CreatedAt: time.Now().UTC(),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.Out, id)
	return err
}

type personsListCmd struct {
	configFlag
}

// Run prints one person a line.
func (cmd *personsListCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	pool, err := openPool(ctx, cfg.directURL(), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	persons, err := store.Persons(ctx, pool)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tSCOPE\tMARKETPLACE\tSCOPE SINCE\tREVOKED\tISSUER\tSUBJECT\tNAME") // Flush reports what went wrong
	for _, p := range persons {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", uuid.UUID(p.ID), p.Scope, orAll(p.Marketplace), p.ScopeSince.Format(time.RFC3339),
			orNever(p.RevokedAt), p.Issuer, p.Subject, p.Name)
	}
	return table.Flush()
}

func orAll(marketplace string) string {
	if marketplace == "" {
		return "(all)"
	}
	return marketplace
}

func orNever(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}

type personsScopeCmd struct {
	configFlag
	reach

	ID string `arg:"" help:"The person's id, as persons list shows it."`
}

// Run changes the scope.
func (cmd *personsScopeCmd) Run(ctx context.Context, std *streams) error {
	return changePerson(ctx, std, cmd.configFlag, cmd.ID, "changed", func(cfg *Config, db store.DB, id settlement.PaymentID) error {
		if err := cmd.check(cfg); err != nil {
			return err
		}
		return store.SetPersonScope(ctx, db, id, cmd.Scope, cmd.of(), time.Now().UTC())
	})
}

type personsRevokeCmd struct {
	configFlag

	ID string `arg:"" help:"The person's id, as persons list shows it."`
}

// Run revokes the person.
func (cmd *personsRevokeCmd) Run(ctx context.Context, std *streams) error {
	return changePerson(ctx, std, cmd.configFlag, cmd.ID, "revoked", func(_ *Config, db store.DB, id settlement.PaymentID) error {
		return store.RevokePerson(ctx, db, id, time.Now().UTC())
	})
}

func changePerson(ctx context.Context, std *streams, flag configFlag, text, done string, change func(*Config, store.DB, settlement.PaymentID) error) error {
	id, err := settlement.ParsePaymentID(text)
	if err != nil {
		return fmt.Errorf("%q is not the id of a person; `settler persons list` shows them", text)
	}
	cfg, err := flag.load()
	if err != nil {
		return err
	}
	pool, err := openPool(ctx, cfg.directURL(), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	err = change(cfg, pool, id)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no person %s who was not revoked", text)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s %s\n", done, text)
	return err
}
