package orchestrationtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Webhook is where orders' events are sent, as Standard Webhooks
// (github.com/standard-webhooks/standard-webhooks, spec). Secret is "whsec_" and
// base64.
type Webhook struct{ URL, Secret string }

// message is one webhook until it is accepted: its id and body never change.
type message struct {
	ID   string          `json:"id"`
	Body json.RawMessage `json:"body"`
}

// posting is how webhooks are sent on demand.
type posting struct {
	// Double sends each twice, with the same id.
	Double bool `json:"double"`
	// Hold keeps webhooks back until there are so many, and sends the newest first.
	Hold int `json:"hold"`
}

// webhookPause is the first pause after a webhook was not accepted; it doubles up
// to webhookPauseMax.
const (
	webhookPause    = time.Second
	webhookPauseMax = time.Minute
)

// enqueue puts an order's event into the outbox. Caller holds s.mu.
func (s *Server) enqueue(orderID, event string) {
	if s.cfg.Webhook.URL == "" {
		return
	}
	order, _ := s.state.orders.get(orderID)
	body, err := json.Marshal(map[string]any{
		"type": event, "timestamp": s.now(), "data": map[string]any{"machineId": order.MachineID, "orderId": orderID},
	})
	if err != nil {
		return // impossible: texts
	}
	m := message{ID: newID("msg_"), Body: body}
	s.state.outbox.put(m.ID, m)
	select {
	case s.mail <- struct{}{}:
	default: // told already
	}
}

// SetWebhook sets who is told about orders from now on.
func (s *Server) SetWebhook(webhook Webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Webhook = webhook
}

// Deliver sends webhooks until ctx ends, each until it is answered with 2xx. One
// that was sent when the program ended is sent again by the next.
func (s *Server) Deliver(ctx context.Context) {
	pause := webhookPause
	for ctx.Err() == nil {
		refused := false
		for _, m := range s.due() {
			if err := s.send(ctx, m); err != nil {
				s.cfg.Logger.Warn("webhook not accepted", "id", m.ID, "err", err)
				refused = true
				break
			}
			s.change(func() { s.state.outbox.drop(m.ID) })
		}
		if !refused {
			pause = webhookPause
			select {
			case <-ctx.Done():
			case <-s.mail:
			}
			continue
		}
		timer := time.NewTimer(pause)
		pause = min(2*pause, webhookPauseMax)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// due are the webhooks to send now, in the order to send them.
func (s *Server) due() []message {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.state.outbox.all(func(message) bool { return true })
	if s.post.Hold > 0 {
		if len(waiting) < s.post.Hold {
			return nil
		}
		slices.Reverse(waiting)
	}
	return waiting
}

func (s *Server) send(ctx context.Context, m message) error {
	s.mu.Lock()
	to, times := s.cfg.Webhook, 1
	if s.post.Double {
		times = 2
	}
	s.mu.Unlock()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(to.Secret, "whsec_"))
	if err != nil {
		return fmt.Errorf("the webhook secret is not whsec_ and base64")
	}
	for range times {
		at := fmt.Sprint(s.cfg.Now().Unix())
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", m.ID, at, m.Body)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(m.Body))
		if err != nil {
			return fmt.Errorf("the webhook URL is not one")
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Webhook-Id", m.ID)
		req.Header.Set("Webhook-Timestamp", at)
		req.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		res, err := s.http.Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16)) // so that the connection is used again
		res.Body.Close()
		if res.StatusCode/100 != 2 {
			return fmt.Errorf("answered %d", res.StatusCode)
		}
	}
	return nil
}
