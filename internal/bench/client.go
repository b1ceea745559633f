package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/settler-pay/settler/orchestration"
)

// clientCalls is how often a side goes through clientMix in a round.
const clientCalls = 1000

// measureClientTime compares the time of a call of orchestration.Client with that of the same round trip made by hand with
// net/http and encoding/json.
func measureClientTime(ctx context.Context, _ *ground) ([]float64, error) {
	return compareClients(ctx, func(c cost) float64 { return c.time.Seconds() })
}

// measureClientAllocs compares what they allocate.
func measureClientAllocs(ctx context.Context, _ *ground) ([]float64, error) {
	return compareClients(ctx, func(c cost) float64 { return float64(c.allocs) })
}

// cost is what one side took for a round.
type cost struct {
	time   time.Duration
	allocs uint64
}

func compareClients(ctx context.Context, of func(cost) float64) ([]float64, error) {
	server, err := newCannedServer()
	if err != nil {
		return nil, err
	}
	defer func() { _ = server.Close() }() // its callers are gone
	base := "http://" + server.Addr().String()
	client, err := orchestration.New(orchestration.Config{BaseURL: base, APIKey: benchKey})
	if err != nil {
		return nil, fmt.Errorf("make the client: %w", err)
	}
	hand := &byHand{base: base + "/api/v1", http: &http.Client{Transport: orchestration.NewTransport()}}
	sides := []func(context.Context) error{
		func(ctx context.Context) error { return clientMix(ctx, client) },
		hand.mix,
	}
	var figures []float64
	for round := range rounds + 1 {
		var costs [2]cost
		for i := range sides {
			side := (i + round) % 2 // neither is always the first
			if costs[side], err = costOf(ctx, sides[side]); err != nil {
				return nil, err
			}
		}
		if round == 0 {
			continue // connections and type plans are made here
		}
		const calls = clientCalls * 4
		note(fmt.Sprintf("client: %v and %d allocations a call, by hand %v and %d",
			costs[0].time/calls, costs[0].allocs/calls, costs[1].time/calls, costs[1].allocs/calls))
		figures = append(figures, of(costs[0])/of(costs[1]))
	}
	return figures, nil
}

func costOf(ctx context.Context, mix func(context.Context) error) (cost, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	for range clientCalls {
		if err := mix(ctx); err != nil {
			return cost{}, err
		}
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return cost{took, after.Mallocs - before.Mallocs}, nil
}

const (
	benchKey   = "platform-key"
	benchToken = "pairing.token.text"
	benchOrder = "ord_e89c70259bdb"
)

var (
	benchProof = orchestration.PaymentProof{
		VerificationMode: orchestration.VerificationRPC, Chain: "eip155:8453", Token: "USDC", Amount: "1.5", RawAmount: "1500000",
		PayerAddress: "0x1111111111111111111111111111111111111111", PayeeAddress: "0x2222222222222222222222222222222222222222",
		TransactionHash: "0x" + strings.Repeat("ab", 32), TokenAddress: "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", TokenDecimals: new(6),
	}
	benchNewOrder = orchestration.CreateMarketOrderRequest{
		MachineID: "mach_7f3a2c", AgentPairingID: "pair_67c50f8fdd3c", ServiceID: "svc_dia_eth_usd", SearchID: "msearch_1", QuoteID: "quote_1",
		Operation: "get-latest-price", Input: map[string]any{"symbol": "ETH/USD", "maxAgeSec": 30},
	}
)

// clientMix is a buyer's order and what settler does for it: place, list, read the payment, post the proof.
func clientMix(ctx context.Context, c *orchestration.Client) error {
	_, err := c.CreateMarketOrder(ctx, benchToken, benchNewOrder)
	if err != nil {
		return fmt.Errorf("place an order: %w", err)
	}
	page, err := c.ListMarketOrders(ctx, "mach_7f3a2c", orchestration.Page{Limit: 20})
	if err != nil {
		return fmt.Errorf("list orders: %w", err)
	}
	payment, err := c.GetMarketPayment(ctx, benchOrder)
	if err != nil {
		return fmt.Errorf("read a payment: %w", err)
	}
	held, err := c.SubmitPaymentProof(ctx, benchToken, benchOrder, benchProof)
	if err != nil {
		return fmt.Errorf("post a proof: %w", err)
	}
	if len(page.Items) != 20 || payment.Amount != "1.5" || held.Proof.TransactionHash == "" {
		return errors.New("the client misread an answer")
	}
	return nil
}

// byHand makes the same calls as one would without a client.
type byHand struct {
	base string
	http *http.Client
}

// The same structs without our way of decoding them.
type (
	plainOrder   orchestration.MarketOrder
	plainProof   orchestration.Proof
	plainPayment struct {
		ID        string                      `json:"id"`
		OrderID   string                      `json:"orderId"`
		MachineID string                      `json:"machineId"`
		Status    orchestration.PaymentStatus `json:"status"`
		Rail      orchestration.RailDetails   `json:"rail"`
		Amount    json.Number                 `json:"amount"`
		Currency  *string                     `json:"currency"`
		Proof     *plainProof                 `json:"proof"`
		Notes     []string                    `json:"notes"`
		CreatedAt string                      `json:"createdAt"`
		UpdatedAt string                      `json:"updatedAt"`
	}
)

func (h *byHand) mix(ctx context.Context) error {
	var placed struct{ Item plainOrder }
	if err := h.call(ctx, http.MethodPost, "/market/orders", benchNewOrder, &placed); err != nil {
		return err
	}
	var page struct {
		Items      []plainOrder
		NextCursor *string
	}
	if err := h.call(ctx, http.MethodGet, "/market/orders?machineId=mach_7f3a2c&limit=20", nil, &page); err != nil {
		return err
	}
	var payment, held struct{ Item *plainPayment }
	if err := h.call(ctx, http.MethodGet, "/market/orders/"+benchOrder+"/payment", nil, &payment); err != nil {
		return err
	}
	if err := h.call(ctx, http.MethodPost, "/market/orders/"+benchOrder+"/payment-proof", benchProof, &held); err != nil {
		return err
	}
	if len(page.Items) != 20 || payment.Item.Amount != "1.5" || held.Item.Proof.TransactionHash == "" {
		return errors.New("by hand an answer was misread")
	}
	return nil
}

func (h *byHand) call(ctx context.Context, method, path string, body, into any) error {
	var reader io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode: %w", err)
		}
		reader = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, h.base+path, reader)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("User-Agent", "by-hand")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Api-Key", benchKey)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Agent-Pairing-Token", benchToken)
	}
	res, err := h.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		return fmt.Errorf("%s %s: status %d", method, path, res.StatusCode)
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// What the server answers: an order, a page of twenty, a payment.
const (
	cannedOrder = `{"id":"ord_e89c70259bdb","machineId":"mach_7f3a2c","agentPairingId":"pair_67c50f8fdd3c","searchId":"msearch_1","quoteId":"quote_1",` +
		`"serviceId":"svc_dia_eth_usd","skillKey":"dia-price-feed","providerKey":"dia","serviceType":"oracle.price-feed","operation":"get-latest-price",` +
		`"executionMode":"native","integrationStatus":"native","status":"created","input":{"symbol":"ETH/USD","maxAgeSec":30},"budget":null,` +
		`"payment":{"defaultRail":"wallet","supportedRails":["wallet","wdk-usdt-transfer"],"required":true,"notes":["pay before execute"],"provider":"dia",` +
		`"chain":"base","token":"USDC","tokenAddress":"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913","tokenMint":null,` +
		`"walletAddress":"0x2222222222222222222222222222222222222222","externalUrl":null,"payerAddress":"0x1111111111111111111111111111111111111111",` +
		`"payeeAddress":"0x2222222222222222222222222222222222222222"},"handoff":null,"errorMessage":null,` +
		`"createdAt":"2026-06-01T10:00:00.000Z","updatedAt":"2026-06-01T10:00:00.000Z"}`
	cannedPayment = `{"item":{"id":"pay_1","orderId":"ord_e89c70259bdb","machineId":"mach_7f3a2c","status":"held",` +
		`"rail":{"type":"wdk-usdt-transfer","chain":"eip155:8453","token":"USDC","tokenAddress":"0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913",` +
		`"payerAddress":"0x1111111111111111111111111111111111111111","payeeAddress":"0x2222222222222222222222222222222222222222",` +
		`"paymentIntentId":"pi_1","metadata":{"tokenDecimals":6,"rawAmount":"1500000"}},"amount":1.5,"currency":"USDC",` +
		`"proof":{"chain":"eip155:8453","token":"USDC","transactionHash":"0xabababababababababababababababababababababababababababababababab",` +
		`"payerAddress":"0x1111111111111111111111111111111111111111","verifiedAt":"2026-06-01T10:05:00.000Z","verificationMode":"rpc","metadata":null},` +
		`"notes":[],"createdAt":"2026-06-01T10:00:00.000Z","updatedAt":"2026-06-01T10:05:00.000Z"}}`
)

// cannedServer answers on the loopback without allocating, so that what is counted is the caller's.
type cannedServer struct{ net.Listener }

func newCannedServer() (*cannedServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it lives as long as the benchmark
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &cannedServer{listener}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveCanned(conn)
		}
	}()
	return s, nil
}

// canned is an answer as it goes over the wire.
func canned(body string) []byte {
	return []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// serveCanned reads requests by their two lengths, head and body, and tells them apart by their first line.
func serveCanned(conn net.Conn) {
	defer conn.Close()
	order := canned(`{"item":` + cannedOrder + `}`)
	page := canned(`{"items":[` + strings.TrimSuffix(strings.Repeat(cannedOrder+",", 20), ",") + `],"nextCursor":null}`)
	payment := canned(cannedPayment)
	reader := bufio.NewReaderSize(conn, 16<<10)
	for {
		answer, length := payment, 0
		for first := true; ; first = false {
			line, err := reader.ReadSlice('\n')
			if err != nil {
				return
			}
			switch {
			case first && bytes.HasPrefix(line, []byte("POST /api/v1/market/orders HTTP")):
				answer = order
			case first && bytes.HasPrefix(line, []byte("GET /api/v1/market/orders?")):
				answer = page
			case bytes.HasPrefix(line, []byte("Content-Length: ")):
				for _, digit := range bytes.TrimSpace(line[len("Content-Length: "):]) {
					length = length*10 + int(digit-'0')
				}
			}
			if len(line) == 2 { // the empty line
				break
			}
		}
		if _, err := reader.Discard(length); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}
