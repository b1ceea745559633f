// Package store is the SQL of settler: reads and set-based writes that speak the domain. It decides nothing, begins no
// transaction and enqueues nothing; jobs does. Read next: queries/*.sql, where the SQL is, and jobs/advance.go.
package store

import (
	"errors"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// DB is a pool, a connection or a transaction.
type DB = sqlcgen.DBTX

// ErrNotFound means that there is no such row.
var ErrNotFound = errors.New("not found")

// Never is the due time of a payment that asks for no work.
var Never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// nullable is nil, SQL's null, for the empty value.
func nullable[T ~string](v T) []byte {
	if v == "" {
		return nil
	}
	return []byte(v)
}

func texts[T ~string](values []T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// parseAmounts reads several at once.
func parseAmounts(texts []string, to ...*settlement.Amount) (err error) {
	for i, text := range texts {
		if *to[i], err = parseAmount(text); err != nil {
			return err
		}
	}
	return nil
}

func parseAmount(text string) (settlement.Amount, error) { return settlement.ParseAmount(text) }
