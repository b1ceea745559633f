package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/orchestrationtest"
)

const (
	sandboxCallers = 16
	sandboxRound   = time.Second
)

// measureSandboxReads is how many payments a second our client reads from the acting orchestrator in memory, over HTTP and in
// one process with it, so that it is not what other benchmarks measure.
func measureSandboxReads(ctx context.Context, _ *ground) ([]float64, error) {
	return measureSandbox(ctx, "reads", func(ctx context.Context, c *orchestration.Client, _ orchestration.Secret, order orchestration.MarketOrder) error {
		_, err := c.GetMarketPayment(ctx, order.ID)
		return err
	})
}

// measureSandboxWrites is the same for orders that are created, each with its intent: two writes.
func measureSandboxWrites(ctx context.Context, _ *ground) ([]float64, error) {
	figures, err := measureSandbox(ctx, "orders with intents", func(ctx context.Context, c *orchestration.Client, token orchestration.Secret, like orchestration.MarketOrder) error {
		order, err := c.CreateMarketOrder(ctx, token, orchestration.CreateMarketOrderRequest{
			MachineID: like.MachineID, AgentPairingID: like.AgentPairingID, ServiceID: like.ServiceID,
		})
		if err == nil {
			_, err = c.CreatePaymentIntent(ctx, token, order.ID, orchestration.PaymentIntentRequest{})
		}
		return err
	})
	for i := range figures {
		figures[i] *= 2
	}
	return figures, err
}

// measureSandbox returns how many calls a second were answered, round by round.
func measureSandbox(ctx context.Context, what string, call func(context.Context, *orchestration.Client, orchestration.Secret, orchestration.MarketOrder) error) (figures []float64, err error) {
	market := orchestrationtest.New(orchestrationtest.Config{
		Machines: []orchestration.Machine{{ID: machine, Status: orchestration.MachineActive}},
		Services: []orchestrationtest.Service{{
			ID: "svc:charge", Name: "Charging", ServiceType: "machine.commerce", Price: "1.5", Currency: "USDC",
			Payment: orchestration.RailRecommendation{DefaultRail: orchestration.RailWallet, Required: true, Chain: string(scriptID), Token: "USDC"},
		}},
	})
	server := httptest.NewServer(market)
	defer server.Close()
	client, err := orchestration.New(orchestration.Config{BaseURL: server.URL})
	if err != nil {
		return nil, err
	}
	key, err := agentkey.Generate()
	if err != nil {
		return nil, err
	}
	session, err := orchestration.NewSession(orchestration.SessionConfig{
		Client: client, Signer: key, MachineID: machine, AgentAddress: key.Address(), AgentProvider: "bench", AgentRole: "buyer",
	})
	if err != nil {
		return nil, err
	}
	pairing, err := session.PairingID(ctx)
	if err != nil {
		return nil, err
	}
	err = session.Do(ctx, func(token orchestration.Secret) error {
		order, err := client.CreateMarketOrder(ctx, token, orchestration.CreateMarketOrderRequest{MachineID: machine, AgentPairingID: pairing, ServiceID: "svc:charge"})
		if err != nil {
			return err
		}
		if _, err := client.CreatePaymentIntent(ctx, token, order.ID, orchestration.PaymentIntentRequest{}); err != nil {
			return err
		}
		// Round -1 opens connections; it is not measured.
		for round := -1; round < rounds; round++ {
			var done atomic.Int64
			group, groupCtx := errgroup.WithContext(ctx)
			begin := time.Now()
			for range sandboxCallers {
				group.Go(func() error {
					for time.Since(begin) < sandboxRound {
						if err := call(groupCtx, client, token, order); err != nil {
							return err
						}
						done.Add(1)
					}
					return nil
				})
			}
			if err := group.Wait(); err != nil {
				return err
			}
			rate := float64(done.Load()) / time.Since(begin).Seconds()
			if round >= 0 {
				note(fmt.Sprintf("sandbox: %.0f %s/s", rate, what))
				figures = append(figures, rate)
			}
		}
		return nil
	})
	return figures, err
}
