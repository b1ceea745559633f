package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/settler-pay/settler/internal/pgtest"
)

func TestPostgresItselfGivesSessions(t *testing.T) {
	t.Parallel()
	if err := checkSessions(t.Context(), databaseURL(pgtest.New(t))); err != nil {
		t.Error(err)
	}
}

func TestPoolerInTransactionModeIsDetected(t *testing.T) {
	t.Parallel()
	direct := databaseURL(pgtest.New(t))
	for _, backends := range []int{1, 2, 5} {
		if err := checkSessions(t.Context(), startPooler(t, direct, backends)); !errors.Is(err, errPooler) {
			t.Errorf("%d backends: got %v, want errPooler", backends, err)
		}
	}
}

// startPooler lends a few connections to the database for one transaction at a time, the one that came back last first, as
// PgBouncer with pool_mode = transaction does. It understands simple queries.
func startPooler(t *testing.T, direct string, backends int) (pooled string) {
	t.Helper()
	p := &pooler{free: sync.NewCond(&sync.Mutex{})}
	for range backends {
		conn, err := pgconn.Connect(t.Context(), direct)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := conn.Hijack()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = raw.Conn.Close() })
		p.idle = append(p.idle, raw)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // closed at the end of the test
			}
			go p.serve(client)
		}
	}()
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	u.Host, u.RawQuery = listener.Addr().String(), "sslmode=disable"
	return u.String()
}

type pooler struct {
	free *sync.Cond // on what follows
	idle []*pgconn.HijackedConn
}

// serve ends without a word on any error: the client sees its connection end.
func (p *pooler) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	backend := pgproto3.NewBackend(client, client)
	if _, err := backend.ReceiveStartupMessage(); err != nil {
		return
	}
	backend.Send(&pgproto3.AuthenticationOk{})
	backend.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	backend.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	backend.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{1, 2, 3, 4}})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if backend.Flush() != nil {
		return
	}
	var lent *pgconn.HijackedConn
	for {
		message, err := backend.Receive()
		query, ok := message.(*pgproto3.Query)
		if err != nil || !ok {
			break
		}
		if lent == nil {
			lent = p.lend()
		}
		lent.Frontend.Send(query)
		if lent.Frontend.Flush() != nil {
			return
		}
		for status := byte(0); status == 0; {
			answer, err := lent.Frontend.Receive()
			if err != nil {
				return
			}
			if ready, ok := answer.(*pgproto3.ReadyForQuery); ok {
				status = ready.TxStatus
			}
			backend.Send(answer)
			if status == 'I' { // before the client can ask again
				p.giveBack(lent)
				lent = nil
			}
			if status != 0 && backend.Flush() != nil {
				return
			}
		}
	}
	if lent != nil {
		p.giveBack(lent)
	}
}

func (p *pooler) lend() *pgconn.HijackedConn {
	p.free.L.Lock()
	defer p.free.L.Unlock()
	for len(p.idle) == 0 {
		p.free.Wait()
	}
	last := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return last
}

func (p *pooler) giveBack(conn *pgconn.HijackedConn) {
	p.free.L.Lock()
	defer p.free.L.Unlock()
	p.idle = append(p.idle, conn)
	p.free.Signal()
}

// A database that is down is not a pooler.
func TestNoDatabaseIsNoPooler(t *testing.T) {
	t.Parallel()
	err := checkSessions(context.Background(), "postgres://u:hunter2@127.0.0.1:1/db")
	if err == nil || errors.Is(err, errPooler) {
		t.Errorf("got %v", err)
	}
}
