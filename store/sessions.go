package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// SaveSession stores what is known of a browser, under the hash of its cookie, until expiresAt.
func SaveSession(ctx context.Context, db DB, token string, data []byte, expiresAt, now time.Time) error {
	err := sqlcgen.New(db).SaveSession(ctx, sqlcgen.SaveSessionParams{Token: token, Data: data, ExpiresAt: expiresAt, Now: now})
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}

// FindSession returns ErrNotFound for a session that does not exist or is over.
func FindSession(ctx context.Context, db DB, token string, now time.Time) ([]byte, error) {
	data, err := sqlcgen.New(db).FindSession(ctx, sqlcgen.FindSessionParams{Token: token, Now: now})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read session: %w", err)
	}
	return data, nil
}

// DeleteSession ends a session; one that does not exist is ended.
func DeleteSession(ctx context.Context, db DB, token string) error {
	if err := sqlcgen.New(db).DeleteSession(ctx, token); err != nil {
		return fmt.Errorf("delete session: %w", err)
	}
	return nil
}
