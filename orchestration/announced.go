package orchestration

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strings"
)

// The calls of this file are announced by the vendor and in none of its clients.
// Each says how sure its form is. A server that lacks one answers CodeNotFound or
// CodeBadResponse.

// Record is a JSON object of a shape that no source gives: wire key → JSON, keys
// as they came.
type Record map[string]json.RawMessage

// record reads a record, in an item envelope or not.
func record(a answer) (Record, error) {
	whole, err := bare[Record](a)
	if err != nil {
		return nil, err
	}
	var inner Record
	if text := whole["item"]; len(text) > 0 && text[0] == '{' {
		return inner, decodeValid(text, &inner, "item")
	}
	return whole, nil
}

// GetPolicy reads one policy. Announced; the path is a guess from its siblings.
func (c *Client) GetPolicy(ctx context.Context, policyID string) (Policy, error) {
	return send(ctx, c, read("/policies/{policy_id}", policyID), item[Policy])
}

// ReasonRequest says why; "" is left out.
type ReasonRequest struct {
	Reason string `json:"reason,omitempty"`
}

// CancelMarketOrder cancels an order that is not yet delivered. The vendor's SDK
// has its path and request but no call; from which statuses it works, and what it
// does to a payment that is held, is not stated. Read GetMarketPayment after it.
//
// After an Unknown outcome read GetMarketOrder: its status is cancelled.
func (c *Client) CancelMarketOrder(ctx context.Context, token Secret, orderID string, req ReasonRequest) (MarketOrder, error) {
	return send(ctx, c, write(http.MethodPost, "/market/orders/{order_id}/cancel", orderID).as(token).with(req), changedOrder)
}

// RetryMarketOrder tries a failed order again. The vendor's SDK has its path and
// request but no call; what it does is not stated.
//
// After an Unknown outcome read GetMarketOrder: its status is no longer failed.
func (c *Client) RetryMarketOrder(ctx context.Context, token Secret, orderID string, req ReasonRequest) (MarketOrder, error) {
	return send(ctx, c, write(http.MethodPost, "/market/orders/{order_id}/retry", orderID).as(token).with(req), changedOrder)
}

// changedOrder reads an order from {"item": order} or, like confirm and dispute,
// {"order": order, …}.
func changedOrder(a answer) (MarketOrder, error) {
	order, err := item[MarketOrder](a)
	if api, ok := errors.AsType[*APIError](err); ok && strings.HasPrefix(api.Message, "item: is missing") {
		var got struct {
			Order MarketOrder `json:"order" wire:"filled"`
		}
		err = decodeValid(a.body, &got, "")
		order = got.Order
	}
	return order, err
}

// OrderEvent is one thing that happened to an order. Payload's keys are as they
// came.
type OrderEvent struct {
	ID        string                     `json:"id" wire:"filled"`
	OrderID   string                     `json:"orderId" wire:"required"`
	Type      string                     `json:"type" wire:"required"`
	Payload   map[string]json.RawMessage `json:"payload,omitempty" wire:"lenient"`
	CreatedAt string                     `json:"createdAt" wire:"required"`
	Extra     Extra                      `json:"-"`
}

// ListMarketOrderEvents reads what happened to an order. The vendor's SDK has the
// path and the type but no call; that the list has no pages is a guess.
func (c *Client) ListMarketOrderEvents(ctx context.Context, orderID string) ([]OrderEvent, error) {
	return send(ctx, c, read("/market/orders/{order_id}/events", orderID), items[OrderEvent])
}

// ListRuns reads one page of runs. Announced by name; path and pages are guesses.
func (c *Client) ListRuns(ctx context.Context, page Page) (List[Run], error) {
	return send(ctx, c, read("/runs").paged(page), list[Run])
}

// AllRuns walks runs from page on.
func (c *Client) AllRuns(ctx context.Context, page Page) iter.Seq2[Run, error] {
	return all(ctx, page, c.ListRuns)
}

// GetRun reads one run. Announced by name; the path is a guess.
func (c *Client) GetRun(ctx context.Context, runID string) (Run, error) {
	return send(ctx, c, read("/runs/{run_id}", runID), item[Run])
}

// CreateTask makes a task. Tasks are announced by name alone: paths are guesses,
// and requests and answers are what the caller and the server make of them.
//
// After an Unknown outcome look in AllTasks before repeating.
func (c *Client) CreateTask(ctx context.Context, token Secret, task map[string]any) (Record, error) {
	return send(ctx, c, write(http.MethodPost, "/tasks").as(token).with(task), record)
}

// DiscoverTask looks for services that could do a task. See CreateTask.
//
// After an Unknown outcome read GetTask.
func (c *Client) DiscoverTask(ctx context.Context, token Secret, taskID string, params map[string]any) (Record, error) {
	return send(ctx, c, write(http.MethodPost, "/tasks/{task_id}/discover", taskID).as(token).with(params), record)
}

// ResolveTask chooses among what was discovered. See CreateTask.
//
// After an Unknown outcome read GetTask.
func (c *Client) ResolveTask(ctx context.Context, token Secret, taskID string, params map[string]any) (Record, error) {
	return send(ctx, c, write(http.MethodPost, "/tasks/{task_id}/resolve", taskID).as(token).with(params), record)
}

// ExecuteTask does a task. See CreateTask.
//
// After an Unknown outcome read GetTask.
func (c *Client) ExecuteTask(ctx context.Context, token Secret, taskID string, params map[string]any) (Record, error) {
	return send(ctx, c, write(http.MethodPost, "/tasks/{task_id}/execute", taskID).as(token).with(params), record)
}

// GetTask reads one task. See CreateTask.
func (c *Client) GetTask(ctx context.Context, taskID string) (Record, error) {
	return send(ctx, c, read("/tasks/{task_id}", taskID), record)
}

// ListTasks reads one page of tasks. See CreateTask.
func (c *Client) ListTasks(ctx context.Context, page Page) (List[Record], error) {
	return send(ctx, c, read("/tasks").paged(page), list[Record])
}

// AllTasks walks tasks from page on.
func (c *Client) AllTasks(ctx context.Context, page Page) iter.Seq2[Record, error] {
	return all(ctx, page, c.ListTasks)
}
