package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
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
	EVM    verifyEVMCmd    `cmd:"" name:"evm" help:"Look at one transaction of an EVM chain."`
	Solana verifySolanaCmd `cmd:"" name:"solana" help:"Look at one transaction of a Solana cluster."`
}

type verifyEVMCmd struct {
	configFlag
	RPC       []rpcURL   `name:"rpc" sep:"none" placeholder:"URL" help:"JSON-RPC endpoint of the chain; repeat it to ask several (default: the configured ones)."`
	Chain     string     `required:"" placeholder:"eip155:N|NAME" help:"The chain, as CAIP-2 or by a name that the configuration gives it."`
	Tx        string     `required:"" placeholder:"0x...|URL" help:"The transaction's hash, or its page at a block explorer."`
	Token     string     `required:"" placeholder:"0x...|SYMBOL|native" help:"The token's contract, its symbol in the configuration, or native for the chain's own coin."`
	Payer     string     `required:"" placeholder:"0x..." help:"Who must have paid."`
	Payee     string     `required:"" placeholder:"0x..." help:"Who must have been paid."`
	Amount    string     `required:"" placeholder:"BASEUNITS" help:"The price in the token's base units."`
	Nonce     string     `placeholder:"0x..." help:"Nonce of the EIP-3009 authorisation that must have paid."`
	NotBefore time.Time  `placeholder:"RFC3339" help:"An older block does not count."`
	NotAfter  time.Time  `placeholder:"RFC3339" help:"A younger block does not count."`
	Finality  finalityOf `placeholder:"RULE" help:"Which blocks are final: finalized, safe, or depth:N (default: the configured rule, else finalized)."`
	Trust     trustOf    `placeholder:"RULE" help:"Whose word is enough: single, quorum:K or proof:K, each host of an --rpc being an operator of its own (default: the configured rule, else single)."`
	Explain   bool       `help:"Show each check in order, with what was asked and answered."`
	Output    string     `short:"o" enum:"text,json" default:"text" help:"text or json (default: ${default})."`

	claim   settlement.Claim
	reader  evm.Config
	refused settlement.Code // what is wrong with the claim, if anything is; problem says it for people
	problem string
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
	rule, err := evm.ParseFinality(string(text))
	if err == nil && rule.Tag == "latest" {
		err = errors.New(`"latest" is no rule for a single look: the block may be replaced; use depth:1 where that is accepted`)
	}
	*f = finalityOf(rule)
	return err
}

// trustOf is a trust rule as a flag; nil when it was not given.
type trustOf struct{ rule *evm.Trust }

func (t *trustOf) UnmarshalText(text []byte) error {
	rule, err := evm.ParseTrust(string(text))
	t.rule = &rule
	return err
}

// Run looks once and answers. What the transaction's id and the price are is an answer too; mistyped names and addresses
// were refused before.
func (cmd *verifyEVMCmd) Run(ctx context.Context, std *streams) error {
	return cmd.look(ctx).print(std, cmd.Output)
}

// print writes the answer as output says and returns its exit status.
func (a verifyAnswer) print(std *streams, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(std.Out)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(a); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
	} else if _, err := io.WriteString(std.Out, a.text()); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	if status := a.exit(); status != exitConfirmed {
		return status
	}
	return nil
}

func (cmd *verifyEVMCmd) look(ctx context.Context) verifyAnswer {
	if cmd.refused != "" {
		return verifyAnswer{Verdict: settlement.Rejected, Code: cmd.refused, Reason: cmd.problem}
	}
	var told *transcript
	if cmd.Explain {
		told, cmd.reader.HTTPClient = newTranscript(cmd.reader.HTTPClient)
		for _, e := range cmd.reader.Endpoints {
			told.follow(e.Name, e.URL, e.Header)
		}
		cmd.reader.Explain = func(c evm.Check) { told.check(c.Endpoint, c.Name, c.Found) }
	}
	chain, err := evm.New(cmd.reader)
	if err != nil { // Validate has made one already
		return failedLook(err)
	}
	look, err := chain.Look(ctx, cmd.claim)
	answer := newVerifyAnswer(cmd.claim, look.Verdict, look.Transfers, evm.FormatAddress)
	if err != nil {
		answer = failedLook(err)
	}
	if told != nil {
		answer.Checks = told.end()
	}
	if err == nil && cmd.Output == "text" {
		answer.decimals = decimalsOf(ctx, chain, cmd.claim.Want.Token)
	}
	return answer
}

// Validate finds the chain and its endpoints, and reads the claim. Its errors are usage errors.
func (cmd *verifyEVMCmd) Validate() error {
	configured, err := cmd.configured()
	if err != nil {
		return err
	}
	if configured != nil {
		if cmd.reader, err = evmConfig(*configured); err != nil {
			return err
		}
	} else {
		cmd.reader = evm.Config{Chain: settlement.ChainID(cmd.Chain), Finality: evm.Finality{Tag: "finalized"}, HTTPClient: outsideClient()}
	}
	if len(cmd.RPC) > 0 {
		cmd.reader.Endpoints = nil
		for i, u := range cmd.RPC {
			e := evm.Endpoint{Name: "rpc-" + strconv.Itoa(i+1), URL: string(u)}
			if parsed, err := url.Parse(e.URL); err == nil { // rpcURL has parsed it already
				e.Operator = parsed.Host
			}
			cmd.reader.Endpoints = append(cmd.reader.Endpoints, e)
		}
	}
	if cmd.Finality != (finalityOf{}) {
		cmd.reader.Finality, cmd.reader.Tiers = evm.Finality(cmd.Finality), nil
	}
	if cmd.Trust.rule != nil {
		cmd.reader.Trust, cmd.reader.Tiers = *cmd.Trust.rule, nil
	}
	if err := cmd.readClaim(); err != nil {
		return err
	}
	cmd.readTx()
	_, err = evm.New(cmd.reader)
	return err
}

// configured is the chain's part of the configuration, which is read only if something of it is asked for.
func (cmd *verifyEVMCmd) configured() (*ChainConfig, error) {
	_, err := (ChainConfig{ID: cmd.Chain}).chainID()
	_, notContract := evm.ParseAddress(cmd.Token)
	named := err != nil || notContract != nil && cmd.Token != "native" && !strings.HasPrefix(cmd.Token, "0x")
	if !named && len(cmd.RPC) > 0 {
		return nil, nil
	}
	cfg, err := cmd.load()
	if err != nil {
		return nil, fmt.Errorf("--chain %s, --token %s without a full set of addresses and --rpc need a configuration: %w", cmd.Chain, cmd.Token, err)
	}
	var known []string
	for i, c := range cfg.Chains {
		if c.ID == cmd.Chain || slices.Contains(c.Aliases, cmd.Chain) {
			return &cfg.Chains[i], nil
		}
		known = append(append(known, c.ID), c.Aliases...)
	}
	return nil, fmt.Errorf("--chain %q is not in the configuration; there are %s", cmd.Chain, strings.Join(known, ", "))
}

// readClaim reads what must be true of the transaction.
func (cmd *verifyEVMCmd) readClaim() (err error) {
	claim := settlement.Claim{Chain: cmd.reader.Chain, NotBefore: cmd.NotBefore, NotAfter: cmd.NotAfter}
	if claim.Want.Token, err = cmd.token(); err != nil {
		return err
	}
	payer, err := evm.ParseAddress(cmd.Payer)
	if err != nil {
		return fmt.Errorf("--payer: %w", err)
	}
	claim.Want.Payer, claim.Payers = payer, []settlement.Address{payer}
	if claim.Want.Payee, err = evm.ParseAddress(cmd.Payee); err != nil {
		return fmt.Errorf("--payee: %w", err)
	}
	if claim.Want.Amount, err = settlement.ParseAmount(cmd.Amount); err != nil {
		return fmt.Errorf("--amount: %w", err)
	}
	if cmd.Nonce != "" {
		nonce, err := evm.ParseTxID(cmd.Nonce) // 32 bytes too
		if err != nil {
			return fmt.Errorf("--nonce %q is not 0x and 64 hex digits", cmd.Nonce)
		}
		claim.Want.Authorization = string(nonce)
	}
	cmd.claim = claim
	if problem := claim.Valid(); problem != "" {
		cmd.refused, cmd.problem = settlement.IntentInvalid, problem
	}
	return nil
}

// token is the contract that --token names. One that the configuration does not list is put on the list of this look.
func (cmd *verifyEVMCmd) token() (settlement.Address, error) {
	var symbols []string
	for _, t := range cmd.reader.Tokens {
		if strings.EqualFold(t.Symbol, cmd.Token) {
			return t.Address, nil
		}
		symbols = append(symbols, t.Symbol)
	}
	address := settlement.Address("")
	if cmd.Token != "native" {
		var err error
		if address, err = evm.ParseAddress(cmd.Token); err != nil && len(symbols) > 0 {
			return "", fmt.Errorf("--token %q is neither an address nor one of %s", cmd.Token, strings.Join(symbols, ", "))
		} else if err != nil {
			return "", fmt.Errorf("--token: %w", err)
		}
	}
	if !slices.ContainsFunc(cmd.reader.Tokens, func(t settlement.Token) bool { return t.Address == address }) {
		cmd.reader.Tokens = []settlement.Token{{Chain: cmd.reader.Chain, Address: address, Symbol: cmd.Token}}
		cmd.reader.Tiers = nil // they are of other tokens
	}
	return address, nil
}

// readTx reads which transaction is meant. It is the payer's word, so what is wrong with it is an answer.
func (cmd *verifyEVMCmd) readTx() {
	if cmd.refused != "" {
		return
	}
	chain, id, err := evm.ParseTransaction(cmd.Tx)
	switch {
	case err != nil:
		cmd.refused, cmd.problem = settlement.ProofMalformed, err.Error()
	case chain != "" && chain != cmd.claim.Chain:
		cmd.refused, cmd.problem = settlement.WrongChain, fmt.Sprintf("the page is of chain %s, the claim of %s", chain, cmd.claim.Chain)
	}
	cmd.claim.TxID = id
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
