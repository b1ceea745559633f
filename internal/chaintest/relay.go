package chaintest

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// Relay carries connections to a server and can cut them: a WebSocket that ends, a server that is away. It does not look
// at what it carries.
type Relay struct {
	listener net.Listener
	target   string // host and port

	mu      sync.Mutex // guards the rest
	open    map[net.Conn]bool
	refuses bool
}

// NewRelay starts a relay in front of a URL. It ends with the test.
func NewRelay(t testing.TB, target string) *Relay {
	t.Helper()
	_, host, _ := strings.Cut(target, "://")
	host, _, _ = strings.Cut(host, "/")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{listener: listener, target: host, open: make(map[net.Conn]bool)}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { r.carry(t.Context(), conn) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close() // it was open
		r.Cut(true)
		running.Wait()
	})
	return r
}

// Address is the host and port where the relay listens.
func (r *Relay) Address() string { return r.listener.Addr().String() }

// Cut ends all connections; new ones are refused until it is called with false.
func (r *Relay) Cut(refuse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuses = refuse
	for conn := range r.open {
		_ = conn.Close() // whoever carries notices
	}
}

// Connections is how many are carried now.
func (r *Relay) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.open)
}

// enter notes an open connection, or refuses it.
func (r *Relay) enter(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.refuses {
		r.open[conn] = true
	}
	return !r.refuses
}

func (r *Relay) carry(ctx context.Context, near net.Conn) {
	defer near.Close()
	if !r.enter(near) {
		return
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.open, near)
	}()
	far, err := new(net.Dialer).DialContext(ctx, "tcp", r.target)
	if err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(far, near) // one side has ended
		_ = far.Close()
	}()
	_, _ = io.Copy(near, far) // one side has ended
	_ = near.Close()
	<-done
}
