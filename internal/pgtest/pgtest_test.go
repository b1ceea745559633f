//go:build unix

package pgtest_test

import (
	"testing"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/migrations"
)

func TestNewIsMigratedAndItsOwn(t *testing.T) {
	t.Parallel()
	one, two := pgtest.New(t), pgtest.New(t)
	if err := migrations.Check(t.Context(), one); err != nil {
		t.Error(err)
	}
	if _, err := one.Exec(t.Context(), "create table only_here (n integer)"); err != nil {
		t.Fatal(err)
	}
	var there bool
	if err := two.QueryRow(t.Context(), "select to_regclass('only_here') is not null").Scan(&there); err != nil || there {
		t.Errorf("a table of one database is in another: %t, %v", there, err)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		pgtest.New(b)
	}
}
