package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
)

// Exit codes of settler verify, one for each answer.
const (
	exitConfirmed exitStatus = 0
	exitRejected  exitStatus = 1
	exitPending   exitStatus = 2
	exitUnknown   exitStatus = 3 // we could not look
)

type verifyCmd struct {
	EVM verifyEVMCmd `cmd:"" name:"evm" help:"Look at one transaction of an EVM chain."`
}

type verifyEVMCmd struct {
	RPC       []rpcURL   `required:"" name:"rpc" sep:"none" placeholder:"URL" help:"JSON-RPC endpoint of the chain; repeat it to ask a second one when the first is unsure."`
	Chain     string     `required:"" placeholder:"eip155:N" help:"The chain, as CAIP-2."`
	Tx        string     `required:"" placeholder:"0x..." help:"The transaction's hash."`
	Token     string     `required:"" placeholder:"0x...|native" help:"The token's contract, or native for the chain's own coin."`
	Payer     string     `required:"" placeholder:"0x..." help:"Who must have paid."`
	Payee     string     `required:"" placeholder:"0x..." help:"Who must have been paid."`
	Amount    string     `required:"" placeholder:"BASEUNITS" help:"The price in the token's base units."`
	NotBefore time.Time  `placeholder:"RFC3339" help:"An older block does not count."`
	NotAfter  time.Time  `placeholder:"RFC3339" help:"A younger block does not count."`
	Finality  finalityOf `default:"finalized" placeholder:"RULE" help:"Which blocks are final: finalized, safe, or depth:N (default: ${default})."`
	Output    string     `short:"o" enum:"text,json" default:"text" help:"text or json (default: ${default})."`
}

// rpcURL may hold a key: no text shows it.
type rpcURL string

func (u *rpcURL) UnmarshalText(text []byte) error {
	parsed, err := url.Parse(string(text))
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return errors.New("not an http or https URL")
	}
	*u = rpcURL(text)
	return nil
}

func (u rpcURL) String() string { return "(hidden)" }

// finalityOf is a finality rule as a flag.
type finalityOf evm.Finality

func (f *finalityOf) UnmarshalText(text []byte) error {
	switch rule := string(text); {
	case rule == "finalized", rule == "safe":
		*f = finalityOf{Tag: rule}
		return nil
	case strings.HasPrefix(rule, "depth:"):
		depth, err := strconv.ParseUint(strings.TrimPrefix(rule, "depth:"), 10, 32)
		if err != nil || depth == 0 {
			return fmt.Errorf("%q: the depth is a number of blocks, at least 1", rule)
		}
		*f = finalityOf{Depth: depth}
		return nil
	default:
		return fmt.Errorf("%q is not finalized, safe or depth:N", rule)
	}
}

// Run looks once and answers. What is wrong with the claim is an answer too, not a usage error.
func (cmd *verifyEVMCmd) Run(ctx context.Context, std *streams) error {
	answer := cmd.look(ctx)
	if cmd.Output == "json" {
		encoder := json.NewEncoder(std.Out)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(answer); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
	} else if _, err := io.WriteString(std.Out, answer.text()); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	if status := answer.exit(); status != exitConfirmed {
		return status
	}
	return nil
}

func (cmd *verifyEVMCmd) look(ctx context.Context) evmAnswer {
	claim, code, problem := cmd.claim()
	if code != "" {
		return evmAnswer{Verdict: settlement.Rejected, Code: code, Reason: problem}
	}
	var endpoints []evm.Endpoint
	for i, u := range cmd.RPC {
		endpoints = append(endpoints, evm.Endpoint{Name: "rpc-" + strconv.Itoa(i+1), URL: string(u)})
	}
	chain, err := evm.New(evm.Config{
		Chain: claim.Chain, Endpoints: endpoints, Finality: evm.Finality(cmd.Finality),
		Tokens: []settlement.Token{{Chain: claim.Chain, Address: claim.Want.Token, Symbol: cmd.Token}},
	})
	if err != nil { // all that can be wrong by now is the chain's name
		return evmAnswer{Verdict: settlement.Rejected, Code: settlement.ChainUnsupported, Reason: err.Error()}
	}
	look, err := chain.Look(ctx, claim)
	if err != nil {
		return failedLook(err)
	}
	answer := newEVMAnswer(claim, look)
	if cmd.Output == "text" {
		answer.decimals = decimalsOf(ctx, chain, claim.Want.Token)
	}
	return answer
}

// claim reads what must be true of the transaction. A code says that no transaction can make it true, problem why.
func (cmd *verifyEVMCmd) claim() (claim settlement.Claim, code settlement.Code, problem string) {
	invalid := func(field string, err error) (settlement.Claim, settlement.Code, string) {
		return claim, settlement.IntentInvalid, field + ": " + err.Error()
	}
	claim = settlement.Claim{Chain: settlement.ChainID(cmd.Chain), NotBefore: cmd.NotBefore, NotAfter: cmd.NotAfter}
	var err error
	if cmd.Token != "native" {
		if claim.Want.Token, err = evm.ParseAddress(cmd.Token); err != nil {
			return invalid("token", err)
		}
	}
	payer, err := evm.ParseAddress(cmd.Payer)
	if err != nil {
		return invalid("payer", err)
	}
	claim.Want.Payer, claim.Payers = payer, []settlement.Address{payer}
	if claim.Want.Payee, err = evm.ParseAddress(cmd.Payee); err != nil {
		return invalid("payee", err)
	}
	if claim.Want.Amount, err = settlement.ParseAmount(cmd.Amount); err != nil {
		return invalid("amount", err)
	}
	if problem = claim.Valid(); problem != "" {
		return claim, settlement.IntentInvalid, problem
	}
	if claim.TxID, err = evm.ParseTxID(cmd.Tx); err != nil {
		return claim, settlement.ProofMalformed, err.Error()
	}
	return claim, "", ""
}

// decimalsOf is nil when the contract does not say; amounts are then shown in base units only.
func decimalsOf(ctx context.Context, chain *evm.Chain, token settlement.Address) *uint8 {
	if token == "" {
		return new(uint8(18))
	}
	decimals, err := chain.Decimals(ctx, token)
	if err != nil || decimals > settlement.MaxDecimals {
		return nil // it only makes an amount easier to read
	}
	return &decimals
}
