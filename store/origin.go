package store

import (
	"context"
	"fmt"

	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// Origin tells a database from a copy of it that has gone its own way.
type Origin struct {
	SystemIdentifier string `json:"system_identifier"` // of the cluster, for its whole life
	Timeline         int32  `json:"timeline"`          // raised by each recovery and failover
}

// ReadOrigin reads which database this is.
func ReadOrigin(ctx context.Context, db DB) (Origin, error) {
	r, err := sqlcgen.New(db).Origin(ctx)
	if err != nil {
		return Origin{}, fmt.Errorf("read which database this is: %w", err)
	}
	return Origin{SystemIdentifier: r.SystemIdentifier, Timeline: r.Timeline}, nil
}
