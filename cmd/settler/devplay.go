package main

import (
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/ethclient"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
)

// play is one order as its marketplace and its payer live it. Each of them has public HTTP interfaces and the chain's RPC,
// nothing else.
type play struct {
	name         string // what becomes of it
	steps        *stepPrinter
	api          string // settler's URL
	people       devPeople
	orchestrator string // its URL
	rpc          string
	marketplace  string
	serviceID    string
	machineRef   string                                                                // identity that the machine registers under
	controller   *agentkey.Key                                                         // controls the identity
	payer        *ecdsa.PrivateKey                                                     // the payer's agent key, and wallet on the EVM chain
	pay          func(ctx context.Context, p *play) (txid string, err error)           // as the terms say
	paired       func(ctx context.Context, p *play, pairing string) error              // what the buyer does for its orders beforehand, if anything
	found        string                                                                // how the transfer is found
	accepted     string                                                                // how the orchestrator came to hold the payment
	look         func(ctx context.Context, p *play) (verify verifyDivision, err error) // reads what payee and payer have
	after        func(ctx context.Context, p *play, verify verifyDivision) error       // what follows when the order is ready, if anything

	// What run has done so far, for whoever wants to look at it.
	machine   string       // id of the machine; empty before it is registered
	orderID   string       // empty before there is one
	paymentID string       // settler's own
	payURL    string       // the payer's link
	terms     instructions // what it asked for
	txid      string       // the transfer's; empty before there is one
	market    *orchestration.Client
	buyer     *orchestration.Session
}

// verifyDivision verifies on the chain that payee and payer have got so many base units since, and says so in one step.
type verifyDivision func(ctx context.Context, step string, toPayee, toPayer *big.Int) error

func (p *play) say(step, message string, details ...any) {
	p.steps.sayOf(p.name, step, message, details...)
}

func addressOf(key *ecdsa.PrivateKey) common.Address { return crypto.PubkeyToAddress(key.PublicKey) }

// enter registers the machine, unless it is.
func (p *play) enter(ctx context.Context) (err error) {
	if p.machine != "" {
		return nil
	}
	if p.market, err = orchestration.New(orchestration.Config{BaseURL: p.orchestrator}); err != nil {
		return err
	}
	if p.machine, err = p.register(ctx, p.market); err != nil {
		return fmt.Errorf("register machine: %w", err)
	}
	return nil
}

// run plays the order to its end.
func (p *play) run(ctx context.Context) error {
	if err := p.enter(ctx); err != nil {
		return err
	}
	market, machine := p.market, p.machine
	agent, err := agentkey.FromHex(common.Bytes2Hex(crypto.FromECDSA(p.payer)))
	if err != nil {
		return err
	}
	session, err := orchestration.NewSession(orchestration.SessionConfig{
		Client: market, Signer: agent, MachineID: machine, AgentAddress: agent.Address(), AgentProvider: "settler-dev", AgentRole: "buyer",
	})
	if err != nil {
		return err
	}
	p.buyer = session
	pairing, err := session.PairingID(ctx)
	if err != nil {
		return fmt.Errorf("pair: %w", err)
	}
	p.say("pairing", "the payer's agent signed its challenge", "pairing", pairing, "wallet", agent.Address())
	if p.paired != nil {
		if err := p.paired(ctx, p, pairing); err != nil {
			return err
		}
	}

	order, err := p.order(ctx, market, session, machine, pairing)
	if err != nil {
		return fmt.Errorf("create order: %w", err)
	}
	p.orderID = order.ID
	p.say("order", "created, rail "+string(order.Payment.DefaultRail), "order", order.ID, "payee", order.Payment.PayeeAddress)

	paid, err := p.await(ctx, "awaiting_payment")
	if err != nil {
		return err
	}
	p.say("webhook", "signed and sent by the orchestrator, accepted by settler", "type", "order.created")
	p.say("intent", "ready: the payer can be told", "payment", paid.ID, "amount", paid.Price.AmountMajor+" "+paid.Price.Symbol)
	p.paymentID, p.payURL = paid.ID, paid.PayURL
	for {
		if p.terms, err = p.instructions(ctx, paid.PayURL); err == nil || pause(ctx) != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("read payment instructions: %w", err)
	}
	terms := p.terms
	p.say("instructions", "pay "+terms.AmountMajor+" "+terms.Symbol+" to "+terms.Payee, "token", terms.Token, "until", terms.Deadline)
	if p.txid, err = p.pay(ctx, p); err != nil {
		return fmt.Errorf("pay: %w", err)
	}
	p.say("transfer", "sent; its id is told to nobody", "txid", p.txid)
	for _, state := range []struct{ name, message string }{
		{"confirming", p.found},
		{"verified", "fits and is final; the transfer is consumed"},
		{"held", p.accepted},
	} {
		seen, err := p.await(ctx, state.name)
		if err != nil {
			return err
		}
		message := state.message
		for _, t := range seen.Transactions {
			if t.Waits.Text != "" {
				message += ", " + t.Waits.Text
			}
		}
		p.say(state.name, message)
	}
	for {
		order, err = market.GetMarketOrder(ctx, order.ID)
		if err == nil && order.Status == orchestration.OrderReady {
			p.say("ready", "the orchestrator lets the marketplace deliver", "order", order.ID)
			break
		}
		if waitErr := pause(ctx); waitErr != nil {
			return errors.Join(fmt.Errorf("order %s is %s at the orchestrator, not ready", order.ID, order.Status), err)
		}
	}
	if p.after == nil {
		return nil
	}
	verify, err := p.look(ctx, p)
	if err != nil {
		return err
	}
	return p.after(ctx, p, verify)
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

// event is what the play reads of a payment's history.
type event struct {
	Event string `json:"event"`
}

// shown is what the play reads of a payment in our own API.
type shown struct {
	ID      string  `json:"payment_id"`
	Version int64   `json:"version"`
	History []event `json:"history"`
	State   string  `json:"state"`
	Reason  string  `json:"reason"`
	Detail  string  `json:"detail"`
	PayURL  string  `json:"pay_url"`
	Price   struct {
		AmountMajor string `json:"amount_major"`
		Symbol      string `json:"symbol"`
	} `json:"price"`
	Transactions []struct {
		Waits struct {
			Text string `json:"text"`
		} `json:"waits"`
	} `json:"transactions"`
}

// read reads the order's payment.
func (p *play) read(ctx context.Context) (now shown, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.api+"/v1/orders/"+p.orderID, nil)
	if err != nil {
		return now, err
	}
	req.Header.Set("Authorization", "Bearer "+p.people.program)
	return now, fetch(req, http.StatusOK, &now)
}

// await reads the order until it has reached the state. States that lie behind it count: a fast chain is no failure.
func (p *play) await(ctx context.Context, state string) (shown, error) {
	path := []string{"new", "awaiting_payment", "verifying", "confirming", "verified", "held", "release_pending", "released"}
	switch state {
	case "refunded":
		path = append(path[:6:6], "refund_pending", "refunded")
	case "frozen", "split":
		path = append(path[:6:6], "frozen", "split_pending", "split")
	}
	at := func(s string) int { return slices.Index(path, s) }
	var last shown
	var lastErr error
	for {
		var now shown
		if now, lastErr = p.read(ctx); lastErr == nil {
			last = now
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
	PaymentURI  string `json:"payment_uri"`
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

// payEVM sends the ERC-20 transfer that the instructions ask for.
func payEVM(ctx context.Context, p *play) (string, error) {
	terms := p.terms
	client, err := ethclient.DialContext(ctx, p.rpc)
	if err != nil {
		return "", err
	}
	defer client.Close()
	amount, ok := new(big.Int).SetString(terms.Amount, 10)
	if !ok {
		return "", fmt.Errorf("amount %q is no number", terms.Amount)
	}
	nonce, err := client.PendingNonceAt(ctx, addressOf(p.payer))
	if err != nil {
		return "", err
	}
	price, err := client.SuggestGasPrice(ctx)
	if err != nil {
		return "", err
	}
	chainID, err := client.ChainID(ctx)
	if err != nil {
		return "", err
	}
	data := crypto.Keccak256([]byte("transfer(address,uint256)"))[:4]
	data = append(data, common.LeftPadBytes(common.HexToAddress(terms.Payee).Bytes(), 32)...)
	data = append(data, common.LeftPadBytes(amount.Bytes(), 32)...)
	token := common.HexToAddress(terms.Token)
	tx, err := types.SignNewTx(p.payer, types.LatestSignerForChainID(chainID), &types.LegacyTx{
		Nonce: nonce, GasPrice: new(big.Int).Mul(price, big.NewInt(2)), Gas: 100_000, To: &token, Data: data,
	})
	if err != nil {
		return "", err
	}
	return tx.Hash().Hex(), client.SendTransaction(ctx, tx)
}

// statusError is an answer with another status than was wanted, in its own words.
type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return e.text }

// fetch sends the request and decodes the answer; another status than want is a *statusError.
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
		return &statusError{resp.StatusCode, fmt.Sprintf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, strings.TrimSpace(string(body)))}
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
