package store

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// LedgerAccount is an account as far as it is of one marketplace and one asset.
type LedgerAccount struct {
	Marketplace string // empty for what is of no payment: the gas of our transactions
	Chain       settlement.ChainID
	Token       settlement.Address
	Account     Account
}

// Totals is account → base units that it got in all, below zero for what it gave.
type Totals map[LedgerAccount]*big.Int

// Add adds an amount and returns what the account had before and has now.
func (t Totals) Add(a LedgerAccount, amount *big.Int) (before, after *big.Int) {
	before = t[a]
	if before == nil {
		before = new(big.Int)
	}
	after = new(big.Int).Add(before, amount)
	t[a] = after
	return before, after
}

// LedgerPlace is a place in the ledger, which is ordered by time and then by the order of posting. The zero place is before all.
type LedgerPlace struct {
	At time.Time
	ID int64 // of the entry
}

// LedgerLine is one line of an entry, with what the entry is about.
type LedgerLine struct {
	LedgerPlace
	LedgerAccount

	Amount *big.Int // never zero
	// Kind is transfer; the purpose of a movement of ours; what others had a vault do: paid or reclaimed; or gas.
	Kind     string
	Payment  *settlement.PaymentID // nil for gas
	OrderID  string
	Part     *int   // of a movement
	Symbol   string // of the token, as the payment says; empty for gas
	Decimals *uint8 // likewise; nil for gas
	TxID     settlement.TxID
	Position string // of a transfer within the transaction
}

// LedgerClosed reports whether the ledger is closed up to the time, and whether that is still ahead of Postgres's clock.
func LedgerClosed(ctx context.Context, db DB, until time.Time) (closed, ahead bool, err error) {
	r, err := sqlcgen.New(db).LedgerClosed(ctx, until)
	if err != nil {
		return false, false, fmt.Errorf("read up to when the ledger is closed: %w", err)
	}
	return r.Closed, r.Ahead, nil
}

// CloseLedger closes the ledger up to the time; what is closed further stays so. It waits, for as long as the transaction's
// lock_timeout allows, for transactions that have posted something, and holds off others until the commit.
func CloseLedger(ctx context.Context, tx pgx.Tx, until time.Time) error {
	_, err := tx.Exec(ctx, "lock table ledger_entries in share mode")
	if err == nil {
		err = sqlcgen.New(tx).CloseLedger(ctx, until)
	}
	if err != nil {
		return fmt.Errorf("close the ledger up to %s: %w", until.Format(time.RFC3339), err)
	}
	return nil
}

// TotalsAt reads the newest stored totals that are not later than the time, and of when they are: the zero time where there are none.
func TotalsAt(ctx context.Context, db DB, at time.Time) (of time.Time, totals Totals, err error) {
	rows, err := sqlcgen.New(db).TotalsAt(ctx, at)
	if err != nil {
		return time.Time{}, nil, fmt.Errorf("read totals of %s: %w", at.Format(time.RFC3339), err)
	}
	totals = make(Totals, len(rows))
	for _, r := range rows {
		amount, err := signed(r.Amount)
		if err != nil {
			return time.Time{}, nil, err
		}
		of = r.Until.UTC()
		totals[LedgerAccount{r.Marketplace, settlement.ChainID(r.Chain), settlement.Address(r.Token), Account(r.Account)}] = amount
	}
	return of, totals, nil
}

// NextEntryAt is when the first entry from a time on was posted; the zero time where there is none.
func NextEntryAt(ctx context.Context, db DB, since time.Time) (time.Time, error) {
	at, err := sqlcgen.New(db).NextEntryAt(ctx, since)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("find what was posted from %s on: %w", since.Format(time.RFC3339), err)
	}
	return at.UTC(), nil
}

// AddSums adds at most limit entries after a place and before a time to the totals. It returns the place of the last entry, and whether
// there may be more.
func AddSums(ctx context.Context, db DB, after LedgerPlace, until time.Time, limit int, totals Totals) (last LedgerPlace, more bool, err error) {
	rows, err := sqlcgen.New(db).LedgerSums(ctx, sqlcgen.LedgerSumsParams{AfterAt: after.At, AfterID: after.ID, Until: until, RowLimit: int32(limit)})
	if err != nil {
		return after, false, fmt.Errorf("add up the ledger after entry %d: %w", after.ID, err)
	}
	for _, r := range rows {
		after, more = LedgerPlace{r.At.UTC(), r.ID}, r.Entries == int64(limit)
		if r.Account == "" {
			continue
		}
		amount, err := signed(r.Amount)
		if err != nil {
			return after, false, err
		}
		totals.Add(LedgerAccount{r.Marketplace, settlement.ChainID(r.Chain), settlement.Address(r.Token), Account(r.Account)}, amount)
	}
	return after, more, nil
}

// SaveTotals stores what every account had at the beginning of a day, up to which the ledger must be closed.
func SaveTotals(ctx context.Context, db DB, day time.Time, totals Totals) error {
	p := sqlcgen.SaveTotalsParams{Until: day}
	for a, amount := range totals {
		if amount.Sign() == 0 {
			continue
		}
		p.Marketplaces = append(p.Marketplaces, a.Marketplace)
		p.Chains = append(p.Chains, string(a.Chain))
		p.Tokens = append(p.Tokens, []byte(a.Token))
		p.Accounts = append(p.Accounts, string(a.Account))
		p.Amounts = append(p.Amounts, amount.String())
	}
	if len(p.Accounts) == 0 {
		return nil
	}
	if err := sqlcgen.New(db).SaveTotals(ctx, p); err != nil {
		return fmt.Errorf("save totals of %s: %w", day.Format(time.DateOnly), err)
	}
	return nil
}

// LedgerLines calls f with the lines of at most limit entries after a place and before a time, in order. It returns the place of
// the last entry, and whether there may be more.
func LedgerLines(ctx context.Context, db DB, after LedgerPlace, until time.Time, limit int, f func(LedgerLine) error) (last LedgerPlace, more bool, err error) {
	rows, err := sqlcgen.New(db).LedgerLines(ctx, sqlcgen.LedgerLinesParams{AfterAt: after.At, AfterID: after.ID, Until: until, RowLimit: int32(limit)})
	if err != nil {
		return after, false, fmt.Errorf("read the ledger after entry %d: %w", after.ID, err)
	}
	entries := 0
	for _, r := range rows {
		if r.ID != after.ID {
			entries++
		}
		after = LedgerPlace{r.At.UTC(), r.ID}
		if r.Account == "" {
			continue
		}
		line := LedgerLine{
			LedgerPlace: after, LedgerAccount: LedgerAccount{r.Marketplace, settlement.ChainID(r.Chain), settlement.Address(r.Token), Account(r.Account)},
			Kind: r.Kind, Payment: r.PaymentID, OrderID: r.OrderID, Symbol: r.Symbol, TxID: settlement.TxID(r.Txid), Position: r.Position,
		}
		if r.Part >= 0 {
			line.Part = new(int(r.Part))
		}
		if r.Decimals >= 0 {
			line.Decimals = new(uint8(r.Decimals))
		}
		if line.Amount, err = signed(r.Amount); err != nil {
			return after, false, err
		}
		if err := f(line); err != nil {
			return after, false, err
		}
	}
	return after, entries == limit, nil
}

// signed reads a whole number, which may be below zero.
func signed(text string) (*big.Int, error) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, errors.New("the ledger holds " + text + ", which is not a whole number")
	}
	return n, nil
}
