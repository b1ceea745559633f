// Package jobs moves payments: the one door (Advance), one River worker per outside effect, the watchers' loops and the
// sweeper. It owns every commit. It neither reads a chain itself nor speaks HTTP to clients.
//
// Read next: advance.go, then the path of an order: inbox.go, orders.go, intent.go, watch.go, proof.go.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
)

// Verifier looks at one transaction of one chain.
type Verifier interface {
	// Verify reports whether the chain confirms the claim. A verdict is a fact about the payment; an error means that we
	// could not look and says nothing about it. Not found and not yet final are pending, never errors.
	Verify(ctx context.Context, claim settlement.Claim) (settlement.Verdict, error)
}

// Watcher looks at the blocks of one chain, each once for all payments.
type Watcher interface {
	// Head is how far the chain has come and how much of it is final.
	Head(ctx context.Context) (settlement.Head, error)
	// Scan returns the transfers of listed tokens in one block of the canonical chain.
	Scan(ctx context.Context, number uint64) (settlement.Scan, error)
}

// Chain is one chain that settler serves.
type Chain struct {
	ID       settlement.ChainID
	Aliases  []string // friendly names, such as "base"
	Tokens   []settlement.Token
	Explorer string // URL to which "/tx/<id>" is appended; empty for none
	Finality string // the rule in words for people: "finalized", "depth 12"
	// PollInterval is how often the head is asked for.
	PollInterval time.Duration

	Verifier Verifier
	Watcher  Watcher

	// The chain's own text forms. Parsing is strict and its errors are for people.
	ParseAddress  func(string) (settlement.Address, error)
	FormatAddress func(settlement.Address) string
	ParseTxID     func(string) (settlement.TxID, error)
	FormatTxID    func(settlement.TxID) string
}

// Marketplace is one marketplace that settler serves.
type Marketplace struct {
	ID     string
	Client *orchestration.Client
	// Session keeps our pairing with a machine; it is called once per machine and kept.
	Session func(machineID string) (*orchestration.Session, error)

	// Machines are those whose orders are listed regularly, to find what webhooks missed.
	Machines []string

	Deadline time.Duration // how long a payer has
	Grace    time.Duration // how long after the deadline a payment still counts
	Skew     time.Duration // by how much a block may be older than the intent
}

// Config is what a Runner needs. All fields are required but those that name a default.
type Config struct {
	Pool *pgxpool.Pool
	// DirectURL reaches Postgres itself, not a pooler in transaction mode: locks and notifications need a session.
	DirectURL    string
	Marketplaces []Marketplace
	Chains       []Chain
	// PayTokenKey derives the tokens in payers' links; at least 32 bytes, the same in every process.
	PayTokenKey []byte
	Logger      *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

func (c *Config) validate() error {
	var faults []error
	missing := func(name string, absent bool) {
		if absent {
			faults = append(faults, fmt.Errorf("%s is required", name))
		}
	}
	missing("Pool", c.Pool == nil)
	missing("DirectURL", c.DirectURL == "")
	missing("Logger", c.Logger == nil)
	missing("Marketplaces", len(c.Marketplaces) == 0)
	missing("Chains", len(c.Chains) == 0)
	missing("PayTokenKey of at least 32 bytes", len(c.PayTokenKey) < 32)
	for _, m := range c.Marketplaces {
		missing("Client and Session of marketplace "+m.ID, m.Client == nil || m.Session == nil)
		missing("Deadline of marketplace "+m.ID, m.Deadline <= 0)
	}
	for _, ch := range c.Chains {
		missing("Verifier and Watcher of chain "+string(ch.ID), ch.Verifier == nil || ch.Watcher == nil)
		missing("PollInterval of chain "+string(ch.ID), ch.PollInterval <= 0)
		missing("text forms of chain "+string(ch.ID),
			ch.ParseAddress == nil || ch.FormatAddress == nil || ch.ParseTxID == nil || ch.FormatTxID == nil)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return errors.Join(faults...)
}
