package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// conditionInterval is how often each condition is looked at: one call or query.
const conditionInterval = time.Minute

// Kinds of alarms of conditions.
const (
	gasLow            = "gas_low"            // a wallet has less than its reserve
	deadlineNear      = "deadline_near"      // a vault's money must be moved or frozen before its deadline
	feeCapReached     = "fee_cap_reached"    // and the second fee cap is not enough
	vaultsUnrehearsed = "vaults_unrehearsed" // no vault of a token is handed out before a rehearsal
)

// condition of a chain is an alarm as long as it says why.
type condition struct {
	chain settlement.ChainID
	kind  string
	why   func(context.Context) (string, error)
}

// conditions knows which of them hold.
type conditions struct {
	all    []condition
	logger *slog.Logger

	mu   sync.Mutex     // guards what follows
	hold map[int]string // place in all → why
}

func newConditions(cfg *Config, chains []jobs.Chain, pool *pgxpool.Pool, logger *slog.Logger) (*conditions, error) {
	out := &conditions{logger: logger, hold: make(map[int]string)}
	purses, err := newPurses(cfg, chains)
	for _, p := range purses {
		out.all = append(out.all, p.condition())
	}
	for _, chain := range chains {
		out.all = append(out.all, condition{chain.ID, vaultSecretMissing, func(ctx context.Context) (string, error) {
			missing, err := cfg.missingSecrets(ctx, pool)
			return strings.Join(missing[chain.ID], "; "), err
		}})
		if chain.Escrow == nil {
			continue
		}
		if chain.Escrow.UrgentWithin > 0 {
			out.all = append(out.all, cfg.deadlines(chain, pool)...)
		}
		if chain.Escrow.Code == nil {
			continue
		}
		out.all = append(out.all, condition{chain.ID, vaultsUnrehearsed, func(ctx context.Context) (string, error) {
			tokens, err := unrehearsed(ctx, pool, chain, *chain.Escrow.Code)
			if err != nil || len(tokens) == 0 {
				return "", err
			}
			return fmt.Sprintf("no vault of %s is handed out before `settler doctor --rehearse %s`", symbols(tokens), chain.ID), nil
		}})
	}
	return out, err
}

// deadlines are the alarms of vaults whose deadline is near.
func (c *Config) deadlines(chain jobs.Chain, pool *pgxpool.Pool) []condition {
	at := func(kind string, why func(store.NearDeadlines) string) condition {
		return condition{chain.ID, kind, func(ctx context.Context) (string, error) {
			now := time.Now()
			near, err := store.ReadNearDeadlines(ctx, pool, chain.ID, now, now.Add(chain.Escrow.UrgentWithin))
			if err != nil || near.Vaults == 0 {
				return "", err
			}
			return why(near), nil
		}}
	}
	entry, _ := c.chainNamed(string(chain.ID))
	i, j, _ := c.escrowSigner(entry) // which was opened
	policy, _ := c.Signers[i].Chains[j].policy("", entry)
	enough := new(big.Int).Mul(policy.HighestFee(), big.NewInt(8)) // a bump is an eighth
	return []condition{
		at(deadlineNear, func(near store.NearDeadlines) string {
			return fmt.Sprintf("the money of %d vault(s) is to be moved or frozen; after %s, the first deadline, it cannot be", near.Vaults, near.Earliest.Format(time.RFC3339))
		}),
		at(feeCapReached, func(near store.NearDeadlines) string {
			if new(big.Int).Mul(near.MaxFee.Big(), big.NewInt(9)).Cmp(enough) <= 0 {
				return ""
			}
			return fmt.Sprintf("a transaction offers all that max_fee_per_gas_urgent lets it and is in no final block; the deadline is %s", near.Earliest.Format(time.RFC3339))
		}),
	}
}

// run looks at them until ctx ends.
func (c *conditions) run(ctx context.Context) {
	for {
		c.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(conditionInterval):
		}
	}
}

// look keeps what was known of a condition that cannot be looked at: endpoints and database have alarms of their own.
func (c *conditions) look(ctx context.Context) {
	for i, each := range c.all {
		why, err := each.why(ctx)
		if err != nil {
			c.logger.WarnContext(ctx, "condition not read", "chain", string(each.chain), "kind", each.kind, "err", err)
			continue
		}
		c.mu.Lock()
		c.hold[i] = why
		c.mu.Unlock()
	}
}

// alarms of the chain.
func (c *conditions) alarms(chain settlement.ChainID) (raised []alarm) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, each := range c.all {
		if why := c.hold[i]; why != "" && each.chain == chain {
			raised = append(raised, alarm{each.kind, why})
		}
	}
	return raised
}
