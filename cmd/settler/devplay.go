package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"
	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
)

// play is one order as its marketplace and its payer live it. Each of them has public HTTP interfaces and the chain's RPC,
// nothing else.
type play struct {
	api          string // settler's URL
	apiKey       string
	orchestrator string // its URL
	rpc          string
	webhookKey   string
	marketplace  string
	serviceID    string
	machineRef   string            // identity that the machine registers under
	controller   *agentkey.Key     // controls the identity
	payer        *ecdsa.PrivateKey // the payer's wallet and agent key in one
	say          func(step, message string, details ...any)

	// What run has done so far, for whoever wants to look at it.
	payURL string       // the payer's link
	terms  instructions // what it asked for
	txid   string       // the transfer's; empty before there is one
}

// run plays the order and returns its id when the orchestrator calls it ready.
func (p *play) run(ctx context.Context) (orderID string, err error) {
	market, err := orchestration.New(orchestration.Config{BaseURL: p.orchestrator})
	if err != nil {
		return "", err
	}
	machine, err := p.register(ctx, market)
	if err != nil {
		return "", fmt.Errorf("register machine: %w", err)
	}
	agent, err := agentkey.FromHex(common.Bytes2Hex(crypto.FromECDSA(p.payer)))
	if err != nil {
		return "", err
	}
	session, err := orchestration.NewSession(orchestration.SessionConfig{
		Client: market, Signer: agent, MachineID: machine, AgentAddress: agent.Address(), AgentProvider: "settler-dev", AgentRole: "buyer",
	})
	if err != nil {
		return "", err
	}
	pairing, err := session.PairingID(ctx)
	if err != nil {
		return "", fmt.Errorf("pair: %w", err)
	}
	p.say("pairing", "the payer's agent signed its challenge", "pairing", pairing, "wallet", agent.Address())

	order, err := p.order(ctx, market, session, machine, pairing)
	if err != nil {
		return "", fmt.Errorf("create order: %w", err)
	}
	p.say("order", "created, rail "+string(order.Payment.DefaultRail), "order", order.ID, "payee", order.Payment.PayeeAddress)
	if err := p.webhook(ctx, machine, order.ID); err != nil {
		return order.ID, fmt.Errorf("send webhook: %w", err)
	}
	p.say("webhook", "signed, sent and accepted", "type", "order.created")

	paid, err := p.await(ctx, order.ID, "awaiting_payment")
	if err != nil {
		return order.ID, err
	}
	p.say("intent", "ready: the payer can be told", "payment", paid.ID, "amount", paid.Price.AmountMajor+" "+paid.Price.Symbol)
	p.payURL = paid.PayURL
	for {
		if p.terms, err = p.instructions(ctx, paid.PayURL); err == nil || pause(ctx) != nil {
			break
		}
	}
	if err != nil {
		return order.ID, fmt.Errorf("read payment instructions: %w", err)
	}
	terms := p.terms
	p.say("instructions", "pay "+terms.AmountMajor+" "+terms.Symbol+" to "+terms.Payee, "token", terms.Token, "until", terms.Deadline)
	hash, err := p.pay(ctx, terms)
	if err != nil {
		return order.ID, fmt.Errorf("pay: %w", err)
	}
	p.txid = hash.Hex()
	p.say("transfer", "sent; its id is told to nobody", "txid", p.txid)
	for _, state := range []struct{ name, message string }{
		{"confirming", "found in its block by watching the payee"},
		{"verified", "fits and is final; the transfer is consumed"},
		{"held", "proof posted in rpc mode and accepted"},
	} {
		if _, err := p.await(ctx, order.ID, state.name); err != nil {
			return order.ID, err
		}
		p.say(state.name, state.message)
	}
	for {
		order, err = market.GetMarketOrder(ctx, order.ID)
		if err == nil && order.Status == orchestration.OrderReady {
			p.say("ready", "the orchestrator lets the marketplace deliver", "order", order.ID)
			return order.ID, nil
		}
		if waitErr := pause(ctx); waitErr != nil {
			return order.ID, errors.Join(fmt.Errorf("order %s is %s at the orchestrator, not ready", order.ID, order.Status), err)
		}
	}
}

// register makes an active machine for the marketplace.
func (p *play) register(ctx context.Context, market *orchestration.Client) (string, error) {
	challenge, err := market.CreateMachineIdentityChallenge(ctx, p.machineRef)
	if err != nil {
		return "", err
	}
	signature, err := p.controller.SignMessage(ctx, []byte(challenge.Message))
	if err != nil {
		return "", err
	}
	machine, err := market.CreateMachine(ctx, orchestration.CreateMachineRequest{
		DisplayName: "Charger 1", OwnerID: p.marketplace, MachineType: "ev-charger", RuntimeProfile: "settler-dev", IdentityRef: p.machineRef,
		IdentityProof: &orchestration.ChallengeProof{ChallengeID: challenge.ChallengeID, Signature: signature},
	})
	if err != nil {
		return "", err
	}
	active := orchestration.MachineActive
	_, err = market.UpdateMachine(ctx, machine.ID, orchestration.UpdateMachineRequest{Status: active})
	return machine.ID, err
}

func (p *play) order(ctx context.Context, market *orchestration.Client, session *orchestration.Session, machine, pairing string) (orchestration.MarketOrder, error) {
	var order orchestration.MarketOrder
	err := session.Do(ctx, func(token orchestration.Secret) error {
		search, err := market.SearchMarket(ctx, token, orchestration.MarketSearchRequest{MachineID: machine, AgentPairingID: pairing})
		if err != nil {
			return err
		}
		for _, quote := range search.Quotes {
			if quote.ServiceID != p.serviceID {
				continue
			}
			order, err = market.CreateMarketOrder(ctx, token, orchestration.CreateMarketOrderRequest{
				MachineID: machine, AgentPairingID: pairing, ServiceID: quote.ServiceID, SearchID: search.ID, QuoteID: quote.ID,
				Operation: quote.Operation,
			})
			return err
		}
		return fmt.Errorf("the search found no quote of %s", p.serviceID)
	})
	return order, err
}

// webhook tells settler about the order as a marketplace does.
func (p *play) webhook(ctx context.Context, machine, order string) error {
	body, err := json.Marshal(map[string]any{
		"type": "order.created", "timestamp": time.Now().UTC(), "data": map[string]string{"machineId": machine, "orderId": order},
	})
	if err != nil {
		return err
	}
	signer, err := standardwebhooks.NewWebhook(p.webhookKey)
	if err != nil {
		return err
	}
	id := "msg_" + uuid.NewString()
	for { // as every sender of webhooks does: the same id and body until it is accepted
		now := time.Now()
		signature, err := signer.Sign(id, now, body)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.api+"/v1/webhooks/"+p.marketplace+"/orders", bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", fmt.Sprint(now.Unix()))
		req.Header.Set("webhook-signature", signature)
		if err = fetch(req, http.StatusAccepted, nil); err == nil {
			return nil
		}
		if pause(ctx) != nil {
			return err
		}
	}
}

// shown is what the play reads of a payment in our own API.
type shown struct {
	ID     string `json:"payment_id"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
	PayURL string `json:"pay_url"`
	Price  struct {
		AmountMajor string `json:"amount_major"`
		Symbol      string `json:"symbol"`
	} `json:"price"`
}

// await reads the order until it has reached the state. States that lie behind it count: a fast chain is no failure.
func (p *play) await(ctx context.Context, order, state string) (shown, error) {
	path := []string{"new", "awaiting_payment", "verifying", "confirming", "verified", "held"}
	at := func(s string) int {
		for i, known := range path {
			if known == s {
				return i
			}
		}
		return -1
	}
	var last shown
	var lastErr error
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.api+"/v1/orders/"+order, nil)
		if err != nil {
			return last, err
		}
		req.Header.Set("Authorization", "Bearer "+p.apiKey)
		if lastErr = fetch(req, http.StatusOK, &last); lastErr == nil {
			switch {
			case at(last.State) >= at(state):
				return last, nil
			case at(last.State) < 0:
				return last, fmt.Errorf("the payment is %s (%s: %s), want %s", last.State, last.Reason, last.Detail, state)
			}
		}
		if err := pause(ctx); err != nil {
			return last, errors.Join(fmt.Errorf("waiting for %s, the payment is %q", state, last.State), lastErr)
		}
	}
}

// instructions are what our API tells a payer.
type instructions struct {
	Chain       string `json:"chain"`
	Token       string `json:"token"`
	Symbol      string `json:"symbol"`
	Payee       string `json:"payee"`
	Amount      string `json:"amount"`
	AmountMajor string `json:"amount_major"`
	Deadline    string `json:"deadline"`
}

func (p *play) instructions(ctx context.Context, payURL string) (instructions, error) {
	var page struct {
		Instructions instructions `json:"instructions"`
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, payURL, nil)
	if err != nil {
		return page.Instructions, err
	}
	err = fetch(req, http.StatusOK, &page)
	return page.Instructions, err
}

// pay sends the ERC-20 transfer that the instructions ask for.
func (p *play) pay(ctx context.Context, terms instructions) (common.Hash, error) {
	client, err := ethclient.DialContext(ctx, p.rpc)
	if err != nil {
		return common.Hash{}, err
	}
	defer client.Close()
	amount, ok := new(big.Int).SetString(terms.Amount, 10)
	if !ok {
		return common.Hash{}, fmt.Errorf("amount %q is no number", terms.Amount)
	}
	from := crypto.PubkeyToAddress(p.payer.PublicKey)
	nonce, err := client.PendingNonceAt(ctx, from)
	if err != nil {
		return common.Hash{}, err
	}
	price, err := client.SuggestGasPrice(ctx)
	if err != nil {
		return common.Hash{}, err
	}
	chainID, err := client.ChainID(ctx)
	if err != nil {
		return common.Hash{}, err
	}
	data := crypto.Keccak256([]byte("transfer(address,uint256)"))[:4]
	data = append(data, common.LeftPadBytes(common.HexToAddress(terms.Payee).Bytes(), 32)...)
	data = append(data, common.LeftPadBytes(amount.Bytes(), 32)...)
	token := common.HexToAddress(terms.Token)
	tx, err := types.SignNewTx(p.payer, types.LatestSignerForChainID(chainID), &types.LegacyTx{
		Nonce: nonce, GasPrice: new(big.Int).Mul(price, big.NewInt(2)), Gas: 100_000, To: &token, Data: data,
	})
	if err != nil {
		return common.Hash{}, err
	}
	return tx.Hash(), client.SendTransaction(ctx, tx)
}

// fetch sends the request and decodes the answer; another status than want is an error with the answer's own words.
func fetch(req *http.Request, want int, into any) error {
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end or given up
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != want {
		return fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, strings.TrimSpace(string(body)))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}

// pause waits a moment between two looks.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(50 * time.Millisecond):
		return nil
	}
}
