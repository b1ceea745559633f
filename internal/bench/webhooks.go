package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/api"
)

const (
	webhookConnections = 64
	// webhooksEach is how many webhooks one connection sends in a round.
	webhooksEach = 150
)

// measureWebhooks compares webhooks that are answered 202, thus stored durably, with the same rows of the inbox inserted
// by as many connections in transactions of one prepared statement. Ours also parses HTTP, checks signatures and inserts
// the jobs; its requests are signed before the clock starts, because that is the marketplace's work.
func measureWebhooks(ctx context.Context, g *ground) (figures []float64, err error) {
	pool, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	plain, err := g.database(ctx, webhookConnections, plainMode)
	if err != nil {
		return nil, err
	}
	runner, err := newRunner(pool, scriptedChain(nil), "http://127.0.0.1:1")
	if err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return nil, fmt.Errorf("make a secret: %w", err)
	}
	text := "whsec_" + base64.StdEncoding.EncodeToString(secret)
	handler, err := api.New(api.Config{
		Runner: runner, Pool: pool, Marketplaces: []api.Marketplace{{ID: marketplace, WebhookSecrets: []string{text}}},
		PublicURL: "http://127.0.0.1", Logger: discard(), Version: "bench",
	})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener)             //nolint:errcheck // it ends with Close
	defer func() { _ = server.Close() }() // nothing is under way any more
	signer, err := standardwebhooks.NewWebhook(text)
	if err != nil {
		return nil, fmt.Errorf("read the secret: %w", err)
	}

	// Round -1 opens connections and fills caches; it is not measured.
	for round := -1; round < rounds; round++ {
		requests, err := signedRequests(signer, round)
		if err != nil {
			return nil, err
		}
		var ours, theirs time.Duration
		err = alternate(round, func() (err error) {
			ours, err = sendWebhooks(ctx, listener.Addr().String(), requests)
			return err
		}, func() (err error) {
			theirs, err = insertWebhooks(ctx, plain, round)
			return err
		})
		if err != nil {
			return nil, err
		}
		if round < 0 {
			continue
		}
		const total = webhookConnections * webhooksEach
		note(fmt.Sprintf("webhooks: %.0f accepted/s against %.0f inserted/s", total/ours.Seconds(), total/theirs.Seconds()))
		figures = append(figures, theirs.Seconds()/ours.Seconds())
	}
	return figures, sameRows(ctx, pool, plain)
}

// sameRows checks that both sides did the same work.
func sameRows(ctx context.Context, ours, theirs *pgxpool.Pool) error {
	var a, b int
	const count = "select count(*) from inbox"
	if err := ours.QueryRow(ctx, count).Scan(&a); err != nil {
		return fmt.Errorf("count webhooks: %w", err)
	}
	if err := theirs.QueryRow(ctx, count).Scan(&b); err != nil {
		return fmt.Errorf("count webhooks: %w", err)
	}
	if want := (rounds + 1) * webhookConnections * webhooksEach; a != want || b != want {
		return fmt.Errorf("%d and %d webhooks are stored, want %d", a, b, want)
	}
	return nil
}

func webhookNames(round, connection, i int) (id, order string) {
	return fmt.Sprintf("msg_%d_%d_%d", round, connection, i), fmt.Sprintf("ord_%d_%d_%d", round, connection, i)
}

// signedRequests are the bytes of a round's requests, one list for each connection.
func signedRequests(signer *standardwebhooks.Webhook, round int) ([][][]byte, error) {
	now := time.Now()
	requests := make([][][]byte, webhookConnections)
	for c := range requests {
		for i := range webhooksEach {
			id, order := webhookNames(round, c, i)
			body := fmt.Appendf(nil, `{"type":"order.created","timestamp":%q,"data":{"machineId":%q,"orderId":%q}}`, now.UTC().Format(time.RFC3339), machine, order)
			signature, err := signer.Sign(id, now, body)
			if err != nil {
				return nil, fmt.Errorf("sign: %w", err)
			}
			requests[c] = append(requests[c], fmt.Appendf(nil, "POST /v1/webhooks/%s/orders HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"+
				"Webhook-Id: %s\r\nWebhook-Timestamp: %d\r\nWebhook-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
				marketplace, id, now.Unix(), signature, len(body), body))
		}
	}
	return requests, nil
}

// sendWebhooks sends each connection's requests one after the other and returns how long all of them took.
func sendWebhooks(ctx context.Context, address string, requests [][][]byte) (time.Duration, error) {
	conns := make([]net.Conn, len(requests))
	for i := range conns {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return 0, fmt.Errorf("connect: %w", err)
		}
		defer conn.Close()
		conns[i] = conn
	}
	var group errgroup.Group
	begin := time.Now()
	for i, conn := range conns {
		group.Go(func() error {
			reader := bufio.NewReader(conn)
			for _, request := range requests[i] {
				if _, err := conn.Write(request); err != nil {
					return fmt.Errorf("send webhook: %w", err)
				}
				answer, err := http.ReadResponse(reader, nil)
				if err != nil {
					return fmt.Errorf("read answer: %w", err)
				}
				body, err := io.ReadAll(answer.Body)
				err = errors.Join(err, answer.Body.Close())
				if err != nil || answer.StatusCode != http.StatusAccepted {
					return fmt.Errorf("answered %s: %s, %w", answer.Status, body, err)
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return time.Since(begin), err
}

// insertWebhooks inserts the same rows, each in a transaction of its own: one prepared statement that commits itself, the
// least that a transaction can be.
func insertWebhooks(ctx context.Context, pool *pgxpool.Pool, round int) (time.Duration, error) {
	const insert = `insert into inbox (marketplace, webhook_id, body_sha256, type, machine_id, order_id, received_at, due_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8)`
	var group errgroup.Group
	begin := time.Now()
	for c := range webhookConnections {
		group.Go(func() error {
			conn, err := pool.Acquire(ctx)
			if err != nil {
				return fmt.Errorf("connect: %w", err)
			}
			defer conn.Release()
			for i := range webhooksEach {
				id, order := webhookNames(round, c, i)
				hash, now := sha256.Sum256([]byte(id)), time.Now()
				_, err := conn.Exec(ctx, insert, marketplace, id, hash[:], "order.created", machine, order, now, now)
				if err != nil {
					return fmt.Errorf("insert webhook: %w", err)
				}
			}
			return nil
		})
	}
	err := group.Wait()
	return time.Since(begin), err
}
