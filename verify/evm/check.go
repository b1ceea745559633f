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
	Took     time.Duration
}

// Check asks every endpoint, all at once, whether it serves this chain, offers the calls that we make, finds a transaction
// by its id, knows every finality rule in use, and has a contract with the configured decimals for each token. The result
// has the order of the configuration.
//
// Source: E-13, E-70, E-76 of the verification rules.
func (c *Chain) Check(ctx context.Context) []EndpointCheck {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	checks := make([]EndpointCheck, len(c.endpoints))
	var running sync.WaitGroup
	for i, e := range c.endpoints {
		running.Go(func() {
			begin := time.Now()
			checks[i] = c.check(ctx, e)
			checks[i].Took = time.Since(begin)
		})
	}
	running.Wait()
	return checks
}

func (c *Chain) check(ctx context.Context, e *endpoint) EndpointCheck {
	e.mu.Lock()
	e.identifiedAt = time.Time{}
	e.mu.Unlock()
	s := &session{chain: c, e: e, rule: c.rule}
	out := EndpointCheck{Name: e.name}
	if out.Err = s.identify(ctx); out.Err != nil {
		return out
	}
	var faults []error
	var latest header
	for _, rule := range c.finalities() {
		s.rule.Finality = rule
		final, err := s.final(ctx)
		if err != nil {
			faults = append(faults, fmt.Errorf("finality %s: %w", rule, err))
			continue
		}
		if latest, err = s.block(ctx, tagLatest); err == nil {
			err = s.checkFinality(ctx, final, latest)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	s.rule = c.rule
	if latest.hash == "" { // no rule could be read; the head alone may be
		var err error
		if latest, err = s.block(ctx, tagLatest); err != nil {
			out.Err = errors.Join(append(faults, err)...)
			return out
		}
	}
	out.Latest, out.HeadTime = latest.number, latest.time
	if err := s.checkIndex(ctx, latest.number); err != nil {
		faults = append(faults, err)
	}
	if _, native := c.tokens[""]; native || len(c.endpoints) == 1 {
		if _, err := s.call(ctx, "eth_getBlockReceipts", latest.hash.String()); err != nil {
			faults = append(faults, fmt.Errorf("all receipts of a block are needed for native coin, and where there is one endpoint only: %w", err))
		}
	}
	if c.rule.Trust.Proof {
		if err := s.checkProof(ctx, latest.number); err != nil {
			faults = append(faults, fmt.Errorf("trust %s: %w", c.rule.Trust, err))
		}
	}
	for _, token := range c.listed {
		if token.Address == "" {
			continue
		}
		if err := s.checkToken(ctx, token); err != nil {
			faults = append(faults, fmt.Errorf("token %s: %w", token.Symbol, err))
		}
	}
	out.Err = errors.Join(faults...)
	return out
}

// canaryDepth is in how many blocks, down from the head, one with a transaction is looked for.
const canaryDepth = 16

// checkIndex tests that the endpoint finds a transaction of its own by its id: where the index is broken, every payment
// would be unknown for good.
//
// Source: E-09, E-76 of the verification rules.
func (s *session) checkIndex(ctx context.Context, latest uint64) error {
	for number := latest; number > 0 && latest-number < canaryDepth; number-- {
		b, _, err := s.wholeBlock(ctx, number, false)
		if err != nil {
			return err
		}
		if len(b.txids) == 0 {
			continue
		}
		_, err = s.receiptIn(ctx, b, b.txids[0])
		return err
	}
	return nil // nothing was ever sent, or not for long
}

func (s *session) checkToken(ctx context.Context, token settlement.Token) error {
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
	err := c.ask(ctx, c.rule, c.endpoints, func(ctx context.Context, s *session) (err error) {
		decimals, err = s.decimals(ctx, token)
		return err
	})
	return decimals, err
}

// Balance asks what an address has of the chain's own coin at the latest block, in wei: enough to say whether it can pay for
// gas, not whether somebody paid.
func (c *Chain) Balance(ctx context.Context, address settlement.Address) (settlement.Amount, error) {
	var balance settlement.Amount
	err := c.ask(ctx, c.rule, c.endpoints, func(ctx context.Context, s *session) error {
		raw, err := s.call(ctx, "eth_getBalance", address.String(), "latest")
		if err != nil {
			return err
		}
		balance, err = decode(raw, func(c *cursor) (settlement.Amount, error) {
			amount, ok, err := c.amount()
			if err == nil && !ok {
				err = errors.New("is null")
			}
			return amount, err
		})
		if err != nil {
			return undecodable("balance", err)
		}
		return nil
	})
	return balance, err
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
