// Command settler decides, by looking at the chain, whether an order's payment pays it, and tells the orchestrator.
//
// Read next: serve.go (what runs and in which order it stops), config.go (what it can be told).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/settler-pay/settler/internal/devnet"
)

// Exit codes that every command may give; docs/configuration.md lists those of each.
const (
	exitFailed exitStatus = 1
	exitUsage  exitStatus = 64 // EX_USAGE of sysexits.h
)

// streams are where a command reads and writes.
type streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// exitStatus is an exit code that needs no message: the command has said it.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

type cli struct {
	Dev          devCmd          `cmd:"" help:"Start everything on this machine and play one order on it."`
	Serve        serveCmd        `cmd:"" help:"Run the service."`
	Sandbox      sandboxCmd      `cmd:"" help:"Serve an acting orchestrator, for integrators."`
	Migrate      migrateCmd      `cmd:"" help:"Apply or show the database schema."`
	Config       configCmd       `cmd:"" help:"Check a configuration, or print one to start from."`
	Keys         keysCmd         `cmd:"" help:"Create, list and revoke keys of the API."`
	Persons      personsCmd      `cmd:"" help:"Add, list and revoke people who use the API."`
	Chains       chainsCmd       `cmd:"" help:"List the chains and how each endpoint does."`
	Doctor       doctorCmd       `cmd:"" help:"Check everything that the service depends on."`
	VaultSecret  vaultSecretCmd  `cmd:"" help:"Make the secret of the wallets of orders on Solana."`
	RefundWallet refundWalletCmd `cmd:"" help:"Make the wallet that direct payments on Solana are given back from."`
	Verify       verifyCmd       `cmd:"" help:"Look at one transaction, without a database."`
	Halt         haltCmd         `cmd:"" help:"Stop moving money, on all chains or one; everything is still seen."`
	Resume       resumeCmd       `cmd:"" help:"Move money again after halt."`
	Halts        haltsCmd        `cmd:"" help:"Show what is halted, and who has halted and resumed."`
	Signers      signersCmd      `cmd:"" help:"List the signers of money, and let a stopped one sign again."`
	Orders       ordersCmd       `cmd:"" help:"Show the payment of an order, as a running settler knows it."`
	Payments     paymentsCmd     `cmd:"" help:"Search payments at a running settler, and decide about them."`
	Queues       queuesCmd       `cmd:"" help:"Show what waits for somebody."`
	Statements   statementsCmd   `cmd:"" help:"Write what was posted to the ledger in a period, with balances."`
	Release      actCmd          `cmd:"" help:"Give the payee the money."`
	Refund       refundCmd       `cmd:"" help:"Give the payer the money back, or a part of it."`
	Split        splitCmd        `cmd:"" help:"Give both sides a part of the money."`
	Dispute      disputeCmd      `cmd:"" help:"Open, follow and decide disputes."`
	Approvals    approvalsCmd    `cmd:"" help:"Show what waits for approval."`
	Approve      voteCmd         `cmd:"" help:"Approve what somebody else has asked for."`
	Reject       voteCmd         `cmd:"" help:"Reject what somebody else has asked for."`
	Version      versionCmd      `cmd:"" help:"Show what this program was built from."`
}

func main() {
	devnet.MaybePostgresChild()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal kills
	os.Exit(run(ctx, os.Args[1:], &streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// run parses the arguments, runs the command and gives its exit code.
func run(ctx context.Context, args []string, std *streams) int {
	err := execute(ctx, args, std)
	if err == nil {
		return 0
	}
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	_, _ = fmt.Fprintf(std.Err, "settler: %v\n", err) // nobody is left to tell
	if _, ok := errors.AsType[*kong.ParseError](err); ok {
		return int(exitUsage)
	}
	return int(exitFailed)
}

func execute(ctx context.Context, args []string, std *streams) (err error) {
	// Kong ends the program after --help; here that ends execute.
	defer func() {
		switch ended := recover().(type) {
		case nil:
		case exitStatus:
			if err = ended; ended == 0 {
				err = nil
			}
		default:
			panic(ended)
		}
	}()
	var root cli
	parser, err := kong.New(&root,
		kong.Name("settler"),
		kong.Description("Settles marketplace orders by looking at the chain."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Writers(std.Out, std.Err),
		kong.Exit(func(code int) { panic(exitStatus(code)) }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		return fmt.Errorf("command line: %w", err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	command, err := parser.Parse(args)
	if err != nil {
		if parsed, ok := errors.AsType[*kong.ParseError](err); ok && parsed.Context != nil {
			name := strings.TrimSpace("settler " + parsed.Context.Command())
			_, _ = fmt.Fprintf(std.Err, "Run `%s --help` for its flags.\n", commandWords(name)) // nobody is left to tell
		}
		return err
	}
	return command.Run()
}

// commandWords is the command without the names of its arguments.
func commandWords(command string) string {
	words := strings.Fields(command)
	for i, word := range words {
		if strings.HasPrefix(word, "<") {
			return strings.Join(words[:i], " ")
		}
	}
	return strings.Join(words, " ")
}
