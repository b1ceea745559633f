package main

import (
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"riverqueue.com/riverui"

	"github.com/settler-pay/settler/migrations"
)

// newJobPages is River's own pages, to be started before they are served.
func newJobPages(pool *pgxpool.Pool, logger *slog.Logger) (*riverui.Handler, error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: migrations.RiverSchema, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("prepare the pages of jobs: %w", err)
	}
	pages, err := riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints[pgx.Tx](client, nil), Prefix: "/dashboard/jobs", Logger: logger,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare the pages of jobs: %w", err)
	}
	return pages, nil
}
