package orchestration

import "context"

// CheckHealth asks whether the orchestrator is up; no secret is sent.
func (c *Client) CheckHealth(ctx context.Context) error {
	r := read("/health")
	r.auth = open
	_, err := send(ctx, c, r, func(a answer) (struct{}, error) {
		health, err := bare[struct {
			OK bool `json:"ok" wire:"required"`
		}](a)
		if err == nil && !health.OK {
			err = shapeError("ok", "is not true")
		}
		return struct{}{}, err
	})
	return err
}

// Readiness says whether the orchestrator can work: Status is ready or
// not_ready.
type Readiness struct {
	Status string           `json:"status" wire:"filled"`
	Checks []ReadinessCheck `json:"checks"`
	Extra  Extra            `json:"-"`
}

// ReadinessCheck has Status pass or fail.
type ReadinessCheck struct {
	Name    string `json:"name" wire:"required"`
	Status  string `json:"status" wire:"required"`
	Message string `json:"message,omitempty"`
}

// GetReadiness asks what the orchestrator depends on; no secret is sent. A server
// that is not ready may answer 503, which is an *APIError.
func (c *Client) GetReadiness(ctx context.Context) (Readiness, error) {
	r := read("/readiness")
	r.auth = open
	return send(ctx, c, r, bare[Readiness])
}
