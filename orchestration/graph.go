package orchestration

import (
	"context"
	"net/http"
)

// A machine's graph is documented with its paths and a few fields, and is in no
// client of the vendor: requests and answers are open.

// GetMachineGraph reads the graph of a machine. Its path is documented, its answer
// is not.
func (c *Client) GetMachineGraph(ctx context.Context, machineID string) (Record, error) {
	return send(ctx, c, read("/machines/{machine_id}/graph", machineID), record)
}

// CreateGraphNode adds a node. Path documented, fields not.
//
// After an Unknown outcome look in GetMachineGraph before repeating.
func (c *Client) CreateGraphNode(ctx context.Context, machineID string, node map[string]any) (Record, error) {
	return send(ctx, c, write(http.MethodPost, "/machines/{machine_id}/graph/nodes", machineID).with(node), record)
}

// UpdateGraphNode changes a node. Documented: everything is optional, data is
// merged one level deep, status is draft, active, blocked or degraded.
//
// After an Unknown outcome send it again: it sets values.
func (c *Client) UpdateGraphNode(ctx context.Context, machineID, nodeID string, change map[string]any) (Record, error) {
	r := write(http.MethodPatch, "/machines/{machine_id}/graph/nodes/{node_id}", machineID, nodeID).with(change)
	return send(ctx, c, r, record)
}

// DeleteGraphNode takes a node away. Documented.
//
// After an Unknown outcome repeat it.
func (c *Client) DeleteGraphNode(ctx context.Context, machineID, nodeID string) error {
	r := write(http.MethodDelete, "/machines/{machine_id}/graph/nodes/{node_id}", machineID, nodeID)
	_, err := send(ctx, c, r, nothing)
	return err
}

// CreateGraphEdge adds an edge. Documented as being like a node.
//
// After an Unknown outcome look in GetMachineGraph before repeating.
func (c *Client) CreateGraphEdge(ctx context.Context, machineID string, edge map[string]any) (Record, error) {
	return send(ctx, c, write(http.MethodPost, "/machines/{machine_id}/graph/edges", machineID).with(edge), record)
}

// UpdateGraphEdge changes an edge. Documented as being like a node.
//
// After an Unknown outcome send it again: it sets values.
func (c *Client) UpdateGraphEdge(ctx context.Context, machineID, edgeID string, change map[string]any) (Record, error) {
	r := write(http.MethodPatch, "/machines/{machine_id}/graph/edges/{edge_id}", machineID, edgeID).with(change)
	return send(ctx, c, r, record)
}

// DeleteGraphEdge takes an edge away. Documented as being like a node.
//
// After an Unknown outcome repeat it.
func (c *Client) DeleteGraphEdge(ctx context.Context, machineID, edgeID string) error {
	r := write(http.MethodDelete, "/machines/{machine_id}/graph/edges/{edge_id}", machineID, edgeID)
	_, err := send(ctx, c, r, nothing)
	return err
}
