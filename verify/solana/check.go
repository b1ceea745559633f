package solana

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/internal/jsonrpc"
)

// EndpointCheck is what one endpoint says about itself and about our tokens.
type EndpointCheck struct {
	Name     string
	Err      error     // nil: it can be used; else every fault found, joined
	Latest   uint64    // highest confirmed slot; 0 when it could not be read
	HeadTime time.Time // of the highest slot that the chain's finality calls final
	// FirstBlock is the oldest slot that the endpoint still has: older transactions are RPC_HISTORY_UNAVAILABLE.
	FirstBlock uint64
}

// Check asks every endpoint, all at once, whether it serves this cluster, offers the calls that we make, and has each
// token's mint under the configured program with the configured decimals. The result has the order of the configuration.
//
// Source: S-32, S-33, S-47 of the verification rules.
func (c *Chain) Check(ctx context.Context) []EndpointCheck {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	checks := make([]EndpointCheck, len(c.rpc.Endpoints))
	var running sync.WaitGroup
	for i, e := range c.rpc.Endpoints {
		running.Go(func() { checks[i] = c.check(ctx, e) })
	}
	running.Wait()
	return checks
}

func (c *Chain) check(ctx context.Context, e *jsonrpc.Endpoint) EndpointCheck {
	e.Forget()
	s := &session{Session: c.rpc.At(e), chain: c, rule: c.rule}
	out := EndpointCheck{Name: e.Name}
	if out.Err = s.Identify(ctx); out.Err != nil {
		return out
	}
	var faults []error
	final, err := s.head(ctx, c.rule.Finality)
	if err == nil {
		var seconds uint64
		if seconds, err = s.blockTime(ctx, final); err == nil {
			out.HeadTime = time.Unix(int64(seconds), 0).UTC()
		}
	}
	faults = append(faults, err)
	out.Latest, err = s.head(ctx, Confirmed)
	faults = append(faults, err)
	out.FirstBlock, err = s.firstBlock(ctx)
	faults = append(faults, err)
	for _, token := range c.listed {
		if token.Address == "" || token.Program == "" {
			continue
		}
		if err := s.checkMint(ctx, token); err != nil {
			faults = append(faults, fmt.Errorf("token %s: %w", token.Symbol, err))
		}
	}
	out.Err = errors.Join(faults...)
	return out
}

// Layouts of the two token programs' accounts: a mint's length without extensions and where its decimals stand, a token
// account's length without extensions, and the byte behind that which tells the kinds apart in Token-2022.
const (
	mintLength     = 82
	mintDecimals   = 44
	accountLength  = 165
	kindOfMint     = 1
	kindOfAccount  = 2
	multisigLength = 355
)

func (s *session) checkMint(ctx context.Context, token Token) error {
	owner, data, err := s.account(ctx, token.Address)
	switch {
	case err != nil:
		return err
	case owner != token.Program:
		return misconfigured("the mint %s is owned by %q, not by %s", FormatAddress(token.Address), FormatAddress(owner), FormatAddress(token.Program))
	case !isMint(data):
		return misconfigured("%s is no mint", FormatAddress(token.Address))
	case data[mintDecimals] != token.Decimals:
		return misconfigured("the mint has %d decimals, the configuration %d", data[mintDecimals], token.Decimals)
	}
	return nil
}

func isMint(data []byte) bool {
	return len(data) == mintLength || len(data) > accountLength && len(data) != multisigLength && data[accountLength] == kindOfMint
}

func isTokenAccount(data []byte) bool {
	return len(data) == accountLength || len(data) > accountLength && len(data) != multisigLength && data[accountLength] == kindOfAccount
}

// Decimals asks for a mint's decimals, for people to read amounts: nothing is decided by it.
func (c *Chain) Decimals(ctx context.Context, mint settlement.Address) (uint8, error) {
	var decimals uint8
	err := c.ask(ctx, func(ctx context.Context, s *session) error {
		_, data, err := s.account(ctx, mint)
		if err == nil && !isMint(data) {
			err = misconfigured("%s is no mint", FormatAddress(mint))
		}
		if err == nil {
			decimals = data[mintDecimals]
		}
		return err
	})
	return decimals, err
}

// PayeeError says that an address cannot be an intent's payee. Wallet is who owns it, where it is a token account.
type PayeeError struct {
	Payee, Wallet settlement.Address
}

func (e *PayeeError) Error() string {
	if e.Wallet == "" {
		return fmt.Sprintf("%s is not a wallet: it belongs to a token program", FormatAddress(e.Payee))
	}
	return fmt.Sprintf("%s is a token account of the wallet %s: name the wallet as payee", FormatAddress(e.Payee), FormatAddress(e.Wallet))
}

// CheckPayee returns a *PayeeError when the address is a token account, a mint or a multisig of a token program instead of
// a wallet. An address that nobody has used yet is a wallet. Other errors are *settlement.LookError.
//
// Source: section 3 and S-09 of the verification rules.
func (c *Chain) CheckPayee(ctx context.Context, payee settlement.Address) error {
	var wrong *PayeeError
	err := c.ask(ctx, func(ctx context.Context, s *session) error {
		owner, data, err := s.account(ctx, payee)
		if err != nil || owner != TokenProgram && owner != Token2022Program {
			return err
		}
		wrong = &PayeeError{Payee: payee}
		const ownerAt = 32
		if isTokenAccount(data) {
			wrong.Wallet = settlement.Address(data[ownerAt : ownerAt+32])
		}
		return nil
	})
	if err == nil && wrong != nil {
		return wrong
	}
	return err
}

// account reads an account's owner and data; both are empty when there is no such account.
func (s *session) account(ctx context.Context, address settlement.Address) (owner settlement.Address, data []byte, err error) {
	raw, err := s.call(ctx, "getAccountInfo", FormatAddress(address), map[string]any{"encoding": "base64", "commitment": Confirmed})
	if err != nil {
		return "", nil, err
	}
	var answer struct {
		Value *struct {
			Owner string   `json:"owner"`
			Data  []string `json:"data"`
		} `json:"value"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return "", nil, unavailable("the account is not in the form asked for")
	}
	if answer.Value == nil {
		return "", nil, nil
	}
	if owner, err = ParseAddress(answer.Value.Owner); err != nil || len(answer.Value.Data) != 2 || answer.Value.Data[1] != "base64" {
		return "", nil, unavailable("the account is not in the form asked for")
	}
	if data, err = base64.StdEncoding.DecodeString(strings.TrimSpace(answer.Value.Data[0])); err != nil {
		return "", nil, unavailable("the account's data is not base64")
	}
	return owner, data, nil
}
