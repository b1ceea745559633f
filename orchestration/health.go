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
