package evm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/settlement"
)

// EndpointCheck is what one endpoint says about itself and about our tokens.
type EndpointCheck struct {
	Name     string
	Err      error     // nil: it can be used; else every fault found, joined
	Latest   uint64    // highest block; 0 when it could not be read
	HeadTime time.Time // of that block
}

// Check asks every endpoint, all at once, whether it serves this chain, offers the calls that we make, knows the finality
// rule, and has a contract with the configured decimals for each token. The result has the order of the configuration.
//
// Source: E-13, E-70 of the verification rules.
func (c *Chain) Check(ctx context.Context) []EndpointCheck {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	checks := make([]EndpointCheck, len(c.endpoints))
	var running sync.WaitGroup
	for i, e := range c.endpoints {
		running.Go(func() { checks[i] = c.check(ctx, e) })
	}
	running.Wait()
	return checks
}

func (c *Chain) check(ctx context.Context, e *endpoint) EndpointCheck {
	e.mu.Lock()
	e.identifiedAt = time.Time{}
	e.mu.Unlock()
	s := &session{chain: c, e: e}
	out := EndpointCheck{Name: e.name}
	if out.Err = s.identify(ctx); out.Err != nil {
		return out
	}
	var faults []error
	final, err := s.final(ctx)
	if err != nil {
		faults = append(faults, fmt.Errorf("finality %s: %w", c.finality, err))
	}
	latest, err := s.block(ctx, "latest")
	if err != nil {
		out.Err = errors.Join(append(faults, err)...)
		return out
	}
	out.Latest, out.HeadTime = latest.number, latest.time
	if len(faults) == 0 {
		if err := s.checkFinality(ctx, final, latest); err != nil {
			faults = append(faults, err)
		}
	}
	for _, token := range c.listed {
		if err := s.checkToken(ctx, token, latest.hash); err != nil {
			faults = append(faults, fmt.Errorf("token %s: %w", token.Symbol, err))
		}
	}
	out.Err = errors.Join(faults...)
	return out
}

func (s *session) checkFinality(ctx context.Context, final finality, latest header) error {
	if final.number > latest.number {
		return misconfigured("the %s block %d is above the latest, %d", s.chain.finality, final.number, latest.number)
	}
	if final.hash == "" {
		return nil
	}
	byNumber, err := s.canonical(ctx, final.number)
	if err == nil && byNumber.hash != final.hash && s.chain.finality.Tag != "latest" {
		err = misconfigured("the %s block is not the block with its number %d", s.chain.finality, final.number)
	}
	return err
}

func (s *session) checkToken(ctx context.Context, token settlement.Token, latest settlement.BlockHash) error {
	if token.Address == "" { // native coin is found in receipts
		_, err := s.call(ctx, "eth_getBlockReceipts", latest.String())
		return err
	}
	raw, err := s.call(ctx, "eth_getCode", token.Address.String(), "latest")
	if err != nil {
		return err
	}
	if code, err := hexBytes(raw, -1); err != nil || code == "" {
		return misconfigured("there is no contract at %s", FormatAddress(token.Address))
	}
	decimals, err := s.decimals(ctx, token.Address)
	if err != nil {
		return err
	}
	if decimals != token.Decimals {
		return misconfigured("the contract has %d decimals, the configuration %d", decimals, token.Decimals)
	}
	return nil
}

// Decimals asks the contract of a token how many decimals it has, for people to read amounts: nothing is decided by it.
func (c *Chain) Decimals(ctx context.Context, token settlement.Address) (uint8, error) {
	var decimals uint8
	err := c.ask(ctx, func(ctx context.Context, s *session) (err error) {
		decimals, err = s.decimals(ctx, token)
		return err
	})
	return decimals, err
}

// decimalsCall is the selector of decimals().
var decimalsCall = settlement.BlockHash(crypto.Keccak256([]byte("decimals()"))[:4]).String()

func (s *session) decimals(ctx context.Context, token settlement.Address) (uint8, error) {
	raw, err := s.call(ctx, "eth_call", map[string]string{"to": token.String(), "data": decimalsCall}, "latest")
	if err != nil {
		return 0, err
	}
	return decodeDecimals(raw)
}

// decodeDecimals reads a uint8 that is padded to 32 bytes.
func decodeDecimals(raw json.RawMessage) (uint8, error) {
	value, err := hexBytes(raw, 32)
	if err != nil {
		return 0, misconfigured("the contract has no decimals()")
	}
	for i := range 31 {
		if value[i] != 0 {
			return 0, misconfigured("the contract's decimals() is above 255")
		}
	}
	return value[31], nil
}

func misconfigured(format string, args ...any) error {
	return &settlement.LookError{Code: settlement.RPCMisconfigured, Err: fmt.Errorf(format, args...)}
}
