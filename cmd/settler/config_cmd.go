package main

import (
	"context"
	_ "embed"
	"fmt"
	"io"
)

// exampleConfig passes the check once its placeholders, which stand in <>, are filled.
//
//go:embed settler.example.yaml
var exampleConfig string

type configCmd struct {
	Check   configCheckCmd   `cmd:"" help:"Read the configuration and name every fault of it."`
	Example configExampleCmd `cmd:"" help:"Print a commented configuration to start from."`
}

type configCheckCmd struct {
	configFlag
}

// Run reads file and environment as serve does, and opens nothing else.
func (cmd *configCheckCmd) Run(_ context.Context, std *streams) error {
	cfg, err := cmd.load()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "ok: %d marketplace(s), %d chain(s)\n", len(cfg.Marketplaces), len(cfg.Chains))
	return err
}

type configExampleCmd struct{}

// Run prints the example.
func (cmd *configExampleCmd) Run(_ context.Context, std *streams) error {
	_, err := io.WriteString(std.Out, exampleConfig)
	return err
}
