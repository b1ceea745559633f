package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// readyTimeout bounds what a readiness probe waits for; probes usually give up after a second or more.
const readyTimeout = 2 * time.Second

type healthOutput struct{ Body health }

type health struct {
	Status  string `json:"status" example:"ok"`
	Version string `json:"version" doc:"Of this build." example:"v0.1.0"`
}

func (s *server) registerHealth() {
	register(s, huma.Operation{
		OperationID: "health", Method: http.MethodGet, Path: "/healthz", Tags: []string{"Health"},
		Summary: "Is the process alive", Description: "Looks at nothing else. Restart the process when this does not answer.",
		Security: []map[string][]string{{}},
	}, nil, func(context.Context, *struct{}) (*healthOutput, error) {
		return &healthOutput{health{"ok", s.cfg.Version}}, nil
	})
	register(s, huma.Operation{
		OperationID: "ready", Method: http.MethodGet, Path: "/readyz", Tags: []string{"Health"},
		Summary:     "Should the process get traffic",
		Description: "Looks at the database and at how fresh the watched chains are. What is wrong stands in the log.",
		Security:    []map[string][]string{{}},
	}, []Code{NotReady}, func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, readyTimeout)
		defer cancel()
		if err := s.cfg.Runner.Ready(ctx); err != nil {
			// Anybody may ask, so the reason, which may name hosts, is not in the answer.
			s.cfg.Logger.WarnContext(ctx, "not ready", "request_id", requestID(ctx), "err", err)
			return nil, problem(NotReady, "")
		}
		return &healthOutput{health{"ready", s.cfg.Version}}, nil
	})
}
