package jobs

import (
	"context"
	"fmt"
	"slices"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// GasReserves is marketplace → what of the balance of a wallet that pays for transactions is for that marketplace's payments alone,
// so that however many payouts another one causes, its own can be paid for.
type GasReserves map[string]settlement.Amount

// Spares reports whether a payment of the marketplace may be moved at the cost of a wallet with the balance: more than what is kept
// for others is left.
func (g GasReserves) Spares(marketplace string, balance settlement.Amount) bool {
	var others settlement.Amount
	for of, reserve := range g {
		if of != marketplace {
			others = others.Add(reserve)
		}
	}
	return others.IsZero() || balance.Cmp(others) > 0
}

// affordable leaves out what waits because the signer's balance is kept for others. The balance is that of now: what the transactions
// under way cost may yet be taken from it.
func (m *move) affordable(ctx context.Context, waits store.Waits, waiting []settlement.Movement) ([]settlement.Movement, error) {
	if len(m.reserves) == 0 || len(waiting) == 0 {
		return waiting, nil
	}
	balance, err := m.balance(ctx, m.signer.Address)
	if err != nil {
		return nil, fmt.Errorf("read the signer's balance: %w", err)
	}
	if m.reserves.Spares("", balance) { // and so for everybody
		m.kept = ""
		return waiting, nil
	}
	waits.Only = []string{}
	for marketplace := range m.reserves {
		if m.reserves.Spares(marketplace, balance) {
			waits.Only = append(waits.Only, marketplace)
		}
	}
	slices.Sort(waits.Only)
	if kept := fmt.Sprint(waits.Only); m.kept != kept {
		m.r.cfg.Logger.ErrorContext(ctx, "the signer's balance is kept by gas_reserves", "chain", string(m.chain.ID),
			"signer", m.chain.FormatAddress(m.signer.Address), "balance", balance.String(), "moved", waits.Only)
		m.kept = kept
	}
	return store.WaitingMovements(ctx, m.r.cfg.Pool, waits, maxSlots*maxBatch)
}
