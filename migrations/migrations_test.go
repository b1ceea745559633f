package migrations_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/settler-pay/settler/internal/pgtest"
	"github.com/settler-pay/settler/migrations"
)

// emptyDatabase is a database that was never migrated.
func emptyDatabase(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.NewEmptyURL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func TestUpCanBeRepeated(t *testing.T) {
	t.Parallel()
	pool := emptyDatabase(t)
	if err := migrations.Check(t.Context(), pool); !errors.Is(err, migrations.ErrBehind) {
		t.Fatalf("check of an empty database: %v, want ErrBehind", err)
	}
	steps, err := migrations.Status(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range steps {
		all = append(all, s.Name)
		if s.Applied {
			t.Errorf("%s is applied to an empty database", s.Name)
		}
	}
	applied, err := migrations.Up(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(applied, all) {
		t.Errorf("applied %v, the status names %v", applied, all)
	}
	if err := migrations.Check(t.Context(), pool); err != nil {
		t.Errorf("check after up: %v", err)
	}
	again, err := migrations.Up(t.Context(), pool)
	if err != nil || len(again) != 0 {
		t.Errorf("up again applied %v, err %v", again, err)
	}
	steps, err = migrations.Status(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if !s.Applied {
			t.Errorf("%s is not applied after up", s.Name)
		}
	}
}

func TestProcessesThatStartTogetherMigrateOnce(t *testing.T) {
	t.Parallel()
	first := emptyDatabase(t)
	steps, err := migrations.Status(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	const processes = 3
	applied := make([][]string, processes)
	errs := make([]error, processes)
	var wg sync.WaitGroup
	for i := range processes {
		wg.Go(func() {
			pool, err := pgxpool.NewWithConfig(t.Context(), first.Config())
			if err != nil {
				errs[i] = err
				return
			}
			defer pool.Close()
			applied[i], errs[i] = migrations.Up(t.Context(), pool)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got := slices.Concat(applied...); len(got) != len(steps) {
		t.Errorf("together they applied %v, there are %d steps", got, len(steps))
	}
	if err := migrations.Check(t.Context(), first); err != nil {
		t.Error(err)
	}
}

func TestDownLeavesNothingAndUpComesBack(t *testing.T) {
	t.Parallel()
	pool := pgtest.New(t)
	db := stdlib.OpenDBFromPool(pool)
	t.Cleanup(func() { _ = db.Close() })
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	rows, err := pool.Query(t.Context(), `
		select 'table ' || relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'v') and relname <> 'goose_db_version'
		union all select 'function ' || proname from pg_proc where pronamespace = 'public'::regnamespace
		union all select 'type ' || typname from pg_type where typnamespace = 'public'::regnamespace and typname not like '%goose_db_version'`)
	if err != nil {
		t.Fatal(err)
	}
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %s", strings.Join(left, ", "))
	}
	if err := migrations.Check(t.Context(), pool); !errors.Is(err, migrations.ErrBehind) {
		t.Errorf("check after down: %v, want ErrBehind", err)
	}
	if _, err := migrations.Up(t.Context(), pool); err != nil {
		t.Fatal(err)
	}
	if err := migrations.Check(t.Context(), pool); err != nil {
		t.Error(err)
	}
}

func TestEveryTableAndColumnIsExplained(t *testing.T) {
	t.Parallel()
	rows, err := pgtest.New(t).Query(t.Context(), `
		select c.relname || coalesce('.' || a.attname, '')
		from pg_class c
		left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
		where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') and c.relname <> 'goose_db_version'
		  and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, 'pg_class') is null)
		union all
		select p.proname || '()' from pg_proc p
		where p.pronamespace = 'public'::regnamespace and obj_description(p.oid, 'pg_proc') is null
		order by 1`)
	if err != nil {
		t.Fatal(err)
	}
	bare, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	if len(bare) > 0 {
		t.Errorf("without a comment: %s", strings.Join(bare, ", "))
	}
}
