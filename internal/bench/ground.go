package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/migrations"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

const (
	marketplace = "bench"
	machine     = "mach_bench"
	// poolSize is the default of database.max_connections.
	poolSize = 20
)

// ground is where one benchmark runs: databases of its own on the server.
type ground struct {
	server *devnet.Postgres
	pools  []*pgxpool.Pool
}

// How each side speaks to Postgres: ours as `settler serve` does, the other with prepared statements.
const (
	ourMode   = pgx.QueryExecModeCacheDescribe
	plainMode = pgx.QueryExecModeCacheStatement
)

// database makes a migrated database and connects to it.
func (g *ground) database(ctx context.Context, connections int32, mode pgx.QueryExecMode) (*pgxpool.Pool, error) {
	url, err := g.server.NewDatabase(ctx, fmt.Sprintf("bench_%d_%d_%d", os.Getpid(), time.Now().UnixNano(), len(g.pools)))
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database's address: %w", err)
	}
	cfg.MaxConns = connections
	cfg.ConnConfig.DefaultQueryExecMode = mode
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	g.pools = append(g.pools, pool)
	if _, err := migrations.Up(ctx, pool); err != nil {
		return nil, err
	}
	return pool, nil
}

// clear drops the databases. One that stays behind costs space alone.
func (g *ground) clear(ctx context.Context) {
	conn, err := pgx.Connect(ctx, g.server.URL())
	if err != nil {
		return
	}
	defer conn.Close(ctx) //nolint:errcheck // nothing was left to write
	for _, pool := range g.pools {
		name := pool.Config().ConnConfig.Database
		pool.Close()
		if _, err := conn.Exec(ctx, "drop database "+pgx.Identifier{name}.Sanitize()+" with (force)"); err != nil {
			note(fmt.Sprintf("database %s stays: %v", name, err))
		}
	}
}

// newRunner makes a Runner like that of `settler serve`, its log encoded and thrown away.
func newRunner(pool *pgxpool.Pool, chain jobs.Chain, orchestrator string) (*jobs.Runner, error) {
	gate := jobs.NewGate(orchestration.NewTransport(), 0)
	client, err := orchestration.New(orchestration.Config{BaseURL: orchestrator, HTTPClient: &http.Client{Transport: gate}})
	if err != nil {
		return nil, err
	}
	key, err := agentkey.Generate()
	if err != nil {
		return nil, err
	}
	if chain.ParseAddress == nil {
		chain.ParseAddress, chain.FormatAddress, chain.ParseTxID, chain.FormatTxID = evm.ParseAddress, evm.FormatAddress, evm.ParseTxID, evm.FormatTxID
	}
	chain.CheckSignature = func(context.Context, settlement.Address, string, string) (uint64, error) {
		return 0, errors.New("nobody proves himself here")
	}
	return jobs.New(jobs.Config{
		Pool: pool, DirectURL: pool.Config().ConnString(), PayTokenKey: make([]byte, 32), Logger: discard(),
		Marketplaces: []jobs.Marketplace{{
			ID: marketplace, Client: client, Gate: gate, Deadline: time.Hour,
			Session: func(machineID string) (*orchestration.Session, error) {
				return orchestration.NewSession(orchestration.SessionConfig{
					Client: client, Signer: key, MachineID: machineID, AgentAddress: key.Address(), AgentProvider: "settler", AgentRole: "settlement",
				})
			},
		}},
		Chains: []jobs.Chain{chain},
	})
}

func discard() *slog.Logger { return slog.New(slog.NewJSONHandler(io.Discard, nil)) }

// start runs the Runner until stop, which waits for its end.
func start(ctx context.Context, runner *jobs.Runner) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

// fill opens n payments that await a native transfer, or one of the token, and returns them. Each has a payer and a payee
// of its own, so that nothing about them is shared in memory; the payer is a given one, unless it is empty.
func fill(ctx context.Context, pool *pgxpool.Pool, prefix string, n int, token settlement.Token, payer settlement.Address) ([]settlement.Payment, error) {
	return fillWith(ctx, pool, prefix, n, func(_ int, order string) settlement.Terms {
		return settlement.Terms{Token: token, Payee: addressOf(order, "payee"), ProvenPayer: cmp.Or(payer, addressOf(order, "payer"))}
	})
}

// fillWith opens n payments of 1,500,000 base units; terms says what of, who pays and who is paid.
func fillWith(ctx context.Context, pool *pgxpool.Pool, prefix string, n int, terms func(i int, order string) settlement.Terms) ([]settlement.Payment, error) {
	now := time.Now().UTC().Truncate(time.Microsecond)
	var all []settlement.Payment
	for begin := 0; begin < n; begin += fillRows {
		var fresh []store.NewPayment
		var changes []store.Change
		for i := begin; i < min(begin+fillRows, n); i++ {
			id, err := uuid.NewV7()
			if err != nil {
				return nil, fmt.Errorf("make payment id: %w", err)
			}
			order := fmt.Sprintf("%s_%07d", prefix, i)
			of := terms(i, order)
			fresh = append(fresh, store.NewPayment{
				ID: settlement.PaymentID(id), Marketplace: marketplace, OrderID: order, MachineID: machine,
				Rail: string(railOf(of)), PayTokenHash: sha256.Sum256(id[:]),
			})
			old := settlement.Payment{ID: settlement.PaymentID(id), Marketplace: marketplace, OrderID: order, MachineID: machine, Version: 1, State: settlement.StateNew}
			open := old
			open.Version, open.State = 2, settlement.StateAwaitingPayment
			open.Terms = of
			open.Terms.Amount, open.Terms.NotBefore = settlement.NewAmount(1_500_000), now.Add(-time.Hour)
			open.Terms.Deadline, open.Terms.Grace = now.Add(24*time.Hour), time.Hour
			changes = append(changes, store.Change{Old: old, New: open, DueAt: open.Terms.Deadline})
			all = append(all, open)
		}
		err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			if _, err := store.InsertPayments(ctx, tx, fresh, store.Never, now); err != nil {
				return err
			}
			return store.SavePayments(ctx, tx, changes, now)
		})
		if err != nil {
			return nil, fmt.Errorf("fill payments: %w", err)
		}
	}
	_, err := pool.Exec(ctx, "vacuum analyze payments")
	if err != nil {
		return nil, fmt.Errorf("fill payments: %w", err)
	}
	return all, nil
}

// railOf is the rail of a payment with the terms.
func railOf(t settlement.Terms) orchestration.RailType {
	if t.Custody == settlement.CustodyVault {
		return orchestration.RailEscrow
	}
	return orchestration.RailWallet
}

// fillRows is how many payments one transaction of fill opens.
const fillRows = 5000

// addressOf is an address, 20 bytes, that nobody has the key of.
func addressOf(order, role string) settlement.Address {
	sum := sha256.Sum256([]byte(role + "\x00" + order))
	return settlement.Address(sum[:20])
}

// hashOf is 32 bytes that stand for a block or a transaction.
func hashOf(kind string, number uint64) string {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(kind), number))
	return string(sum[:])
}

// alternate calls the sides in turn, the other one first in every second round, and each with a heap that was just
// collected.
func alternate(round int, ours, theirs func() error) error {
	sides := []func() error{ours, theirs}
	if round%2 == 1 {
		sides = []func() error{theirs, ours}
	}
	for _, side := range sides {
		runtime.GC()
		if err := side(); err != nil {
			return err
		}
	}
	return nil
}
