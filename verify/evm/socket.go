package evm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ethereum/go-ethereum/rpc"

	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// socket is the connection of a WebSocket endpoint, opened when it is needed first.
type socket struct {
	e *endpoint

	mu     sync.Mutex // guards client
	client *rpc.Client
}

var errConnectionEnded = errors.New("the connection has ended")

// open returns the connection, and makes a new one after one that was closed.
func (w *socket) open(ctx context.Context) (*rpc.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client != nil {
		return w.client, nil
	}
	// The library would connect again by itself, and nobody had asked the new connection for its chain.
	var used atomic.Bool
	once := func(http.Header) error {
		if used.Swap(true) {
			return errConnectionEnded
		}
		return nil
	}
	client, err := rpc.DialOptions(ctx, w.e.url, rpc.WithHeaders(w.e.header), rpc.WithWebsocketMessageSizeLimit(maxBlockAnswer), rpc.WithHTTPAuth(once))
	if err != nil {
		return nil, w.e.transportError(err)
	}
	w.client = client
	return client, nil
}

// close forgets the connection, unless there is another one by now.
func (w *socket) close(client *rpc.Client) {
	client.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.client == client {
		w.client = nil
	}
}

// call asks one question. The library matches the answer to it; a connection that breaks is not used again.
func (w *socket) call(ctx context.Context, client *rpc.Client, method string, params []any) (json.RawMessage, error) {
	var result json.RawMessage
	err := client.CallContext(ctx, &result, method, params...)
	if err == nil {
		return result, nil
	}
	if refused, ok := errors.AsType[rpc.Error](err); ok {
		problem := &rpcError{code: int64(refused.ErrorCode()), message: w.e.redact(refused.Error()), method: method}
		return nil, problem.look(0)
	}
	if ctx.Err() == nil {
		w.close(client)
	}
	if strings.Contains(err.Error(), "read limit exceeded") {
		return nil, unavailable("%w: the answer is longer than %d MiB", errTooMuch, maxBlockAnswer>>20)
	}
	return nil, w.e.transportError(err)
}

// Hints sends a value when a WebSocket endpoint announces a block, until ctx ends. It only says that asking for the head
// may be worth while: announcements get lost, and subscriptions end without a word, so poll as if there were none.
func (c *Chain) Hints(ctx context.Context) <-chan struct{} {
	hints := make(chan struct{}, 1)
	for _, e := range c.endpoints {
		if e.ws != nil {
			go e.ws.announce(ctx, hints)
		}
	}
	return hints
}

// announce keeps a subscription alive.
func (w *socket) announce(ctx context.Context, hints chan<- struct{}) {
	for row := 1; ; row++ {
		if w.subscribe(ctx, hints) {
			row = 1
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(jsonrpc.Pause(row)):
		}
	}
}

// subscribe reports whether there was a subscription; it has ended.
func (w *socket) subscribe(ctx context.Context, hints chan<- struct{}) bool {
	client, err := w.open(ctx)
	if err != nil {
		return false
	}
	heads := make(chan json.RawMessage, 16)
	subscription, err := client.EthSubscribe(ctx, heads, "newHeads")
	if err != nil {
		if _, refused := errors.AsType[rpc.Error](err); !refused && ctx.Err() == nil {
			w.close(client)
		}
		return false
	}
	defer subscription.Unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return true
		case <-subscription.Err(): //nolint:errcheck // it ended; why is nothing to us
			w.close(client)
			return true
		case <-heads:
			select {
			case hints <- struct{}{}:
			default: // one is waiting
			}
		}
	}
}
