package solana

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

const (
	// announcedAtOnce is how many hints wait to be taken; what comes beside them is dropped.
	announcedAtOnce = 64
	// accountsEvery is how often the accounts to listen at are asked for.
	accountsEvery = time.Second
	// maxAnnouncement bounds one message; a transaction's logs are cut at 10 kB by the node.
	maxAnnouncement = 1 << 20
	// quiet is how long a connection may say nothing at all, not even answer a ping.
	quiet = time.Minute
)

// Hints sends an account when a transaction that names it is announced by an endpoint with a WebSocket, until ctx ends.
// accounts is asked now and then which are to be listened at. A hint only says that looking at the account may be worth
// while: announcements get lost, and subscriptions end without a word, so poll as if there were none.
func (c *Chain) Hints(ctx context.Context, accounts func() []settlement.Address) <-chan settlement.Address {
	hints := make(chan settlement.Address, announcedAtOnce)
	for _, s := range c.sockets {
		go func() {
			for row := 1; ctx.Err() == nil; row++ {
				if s.listen(ctx, accounts, hints) {
					row = 1
				}
				select {
				case <-ctx.Done():
				case <-time.After(jsonrpc.Pause(row)):
				}
			}
		}()
	}
	return hints
}

// socket is an endpoint's WebSocket. Its URL and headers may hold keys, so nothing that goes wrong with it is told.
type socket struct {
	url    string
	header http.Header
}

// announcement is what the other side sends: an answer to a subscription, or a transaction.
type announcement struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"` // the subscription's number
	Method string          `json:"method"`
	Params struct {
		Subscription uint64 `json:"subscription"`
	} `json:"params"`
}

// listen opens the connection and subscribes; it reports whether there was a subscription. It has ended.
func (s *socket) listen(ctx context.Context, accounts func() []settlement.Address, hints chan<- settlement.Address) (heard bool) {
	conn, response, err := websocket.DefaultDialer.DialContext(ctx, s.url, s.header)
	if err != nil {
		return false
	}
	_ = response.Body.Close() // it holds nothing
	defer conn.Close()        //nolint:errcheck // it has ended in any case
	conn.SetReadLimit(maxAnnouncement)
	alive := func(string) error { return conn.SetReadDeadline(time.Now().Add(quiet)) }
	conn.SetPongHandler(alive)
	arrived, ended := make(chan announcement), make(chan struct{})
	done := make(chan struct{})
	defer close(done)
	go func() {
		defer close(ended)
		for alive("") == nil {
			var a announcement
			if conn.ReadJSON(&a) != nil {
				return
			}
			select {
			case arrived <- a:
			case <-done:
				return
			}
		}
	}()
	asked := make(map[int]settlement.Address)       // call → account
	listened := make(map[uint64]settlement.Address) // subscription → account
	calls := 0
	call := func(method string, params ...any) error {
		calls++
		return conn.WriteJSON(map[string]any{"jsonrpc": "2.0", "id": calls, "method": method, "params": params})
	}
	// follow subscribes to what is new and ends what is no longer waited for.
	follow := func() error {
		wanted := accounts()
		known := make(map[settlement.Address]bool)
		for _, account := range asked {
			known[account] = true
		}
		for number, account := range listened {
			if known[account] = true; slices.Contains(wanted, account) {
				continue
			}
			delete(listened, number)
			if err := call("logsUnsubscribe", number); err != nil {
				return err
			}
		}
		for _, account := range wanted {
			if known[account] {
				continue
			}
			err := call("logsSubscribe", map[string][]string{"mentions": {FormatAddress(account)}}, map[string]any{"commitment": Confirmed})
			if err != nil {
				return err
			}
			asked[calls] = account
		}
		return conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(quiet))
	}
	for follow() == nil {
		tick := time.After(accountsEvery)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return heard
			case <-ended:
				return heard
			case <-tick:
				waiting = false
			case a := <-arrived:
				account, isAnswer := asked[a.ID]
				var number uint64
				switch {
				case isAnswer && json.Unmarshal(a.Result, &number) == nil:
					listened[number], heard = account, true
					delete(asked, a.ID)
				case isAnswer: // refused; it is not asked for again on this connection
				case a.Method == "logsNotification":
					if account, ok := listened[a.Params.Subscription]; ok {
						select {
						case hints <- account:
						default:
						}
					}
				}
			}
		}
	}
	return heard
}
