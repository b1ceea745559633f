package orchestration

import (
	"context"
	"encoding/json"
)

// AuditEvent is one line of the orchestrator's own record.
type AuditEvent struct {
	ID           string                     `json:"id" wire:"filled"`
	Actor        string                     `json:"actor" wire:"required"`
	Type         string                     `json:"type" wire:"required"`
	ResourceType string                     `json:"resourceType" wire:"required"`
	ResourceID   string                     `json:"resourceId" wire:"required"`
	Payload      map[string]json.RawMessage `json:"payload,omitempty" wire:"lenient"`
	CreatedAt    string                     `json:"createdAt" wire:"required"`
	Extra        Extra                      `json:"-"`
}

// AuditEventFilter narrows a list of audit events; "" does not.
type AuditEventFilter struct {
	MachineID    string `json:"machineId"`
	ResourceType string `json:"resourceType"`
	// Limit is 1..500; 0 leaves it to the server. The list has no cursor.
	Limit int `json:"limit"`
}

// ListAuditEvents reads audit events; their order is not stated.
func (c *Client) ListAuditEvents(ctx context.Context, filter AuditEventFilter) ([]AuditEvent, error) {
	r := read("/audit-events").
		where(param{"machineId", filter.MachineID}, param{"resourceType", filter.ResourceType}).paged(Page{Limit: filter.Limit})
	return send(ctx, c, r, items[AuditEvent])
}
