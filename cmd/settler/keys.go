package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/settler-pay/settler/api"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

type keysCmd struct {
	Create keysCreateCmd `cmd:"" help:"Make a key and print it; it is shown this once."`
	List   keysListCmd   `cmd:"" help:"List all keys, revoked ones too."`
	Revoke keysRevokeCmd `cmd:"" help:"Revoke a key; it ends at once."`
}

type keysCreateCmd struct {
	configFlag
	reach

	Name   string `required:"" help:"What the key is for, for people."`
	Person string `placeholder:"ID" help:"The person whose key it is, as persons list shows it; without it the key is a machine's."`
}

// Run prints the key alone on standard output, for scripts, and what belongs to it on standard error.
func (cmd *keysCreateCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	if err := cmd.check(cfg); err != nil {
		return err
	}
	var person *store.Person
	if cmd.Person != "" {
		id, err := settlement.ParsePaymentID(cmd.Person)
		if err != nil {
			return fmt.Errorf("%q is not the id of a person; `settler persons list` shows them", cmd.Person)
		}
		person = &store.Person{ID: id}
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
	key, hash := api.NewKey()
	err = store.CreateAPIKey(ctx, pool, store.APIKey{
		ID: settlement.PaymentID(id), Marketplace: cmd.of(), Name: cmd.Name, Scope: cmd.Scope, Person: person, CreatedAt: time.Now().UTC(),
	}, hash)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(std.Out, key); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Err, "This key is shown once. To revoke it: settler keys revoke %s\n", id)
	return err
}

type keysListCmd struct {
	configFlag
}

// Run prints one key a line; the keys themselves are not known any more.
func (cmd *keysListCmd) Run(ctx context.Context, std *streams) error {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	pool, err := openPool(ctx, cfg.directURL(), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	keys, err := store.APIKeys(ctx, pool)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(std.Out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tSCOPE\tMARKETPLACE\tCREATED\tREVOKED\tPERSON\tNAME") // Flush reports what went wrong
	for _, k := range keys {
		person := "-"
		if k.Person != nil {
			person = k.Person.Name
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", uuid.UUID(k.ID), k.Scope, orAll(k.Marketplace), k.CreatedAt.Format(time.RFC3339),
			orNever(k.RevokedAt), person, k.Name)
	}
	return table.Flush()
}

type keysRevokeCmd struct {
	configFlag

	ID string `arg:"" help:"The key's id, as keys list shows it."`
}

// Run revokes the key.
func (cmd *keysRevokeCmd) Run(ctx context.Context, std *streams) error {
	id, err := settlement.ParsePaymentID(cmd.ID)
	if err != nil {
		return fmt.Errorf("%q is not the id of a key; `settler keys list` shows them", cmd.ID)
	}
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	pool, err := openPool(ctx, cfg.directURL(), 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	err = store.RevokeAPIKey(ctx, pool, id, time.Now().UTC())
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no key %s that was not revoked", cmd.ID)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "revoked %s\n", cmd.ID)
	return err
}
