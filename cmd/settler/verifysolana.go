package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

type verifySolanaCmd struct {
	configFlag
	RPC       []rpcURL  `name:"rpc" sep:"none" placeholder:"URL" help:"JSON-RPC endpoint of the cluster; repeat it to ask several (default: the configured ones)."`
	Chain     string    `default:"solana" placeholder:"solana:GENESIS|NAME" help:"The cluster, as CAIP-2, as solana, solana:devnet, solana:testnet, or by a name that the configuration gives it (default: ${default}, the main cluster)."`
	Signature string    `required:"" aliases:"tx" placeholder:"BASE58|URL" help:"The transaction's first signature, or its page at a block explorer (also --tx)."`
	Token     string    `required:"" placeholder:"MINT|SYMBOL|native" help:"The token's mint, its symbol in the configuration, or native for SOL."`
	Payer     string    `required:"" placeholder:"WALLET" help:"Who must have paid: the owner of the tokens, not of a token account."`
	Payee     string    `required:"" placeholder:"WALLET" help:"Who must have been paid: the wallet, not a token account."`
	Amount    string    `required:"" placeholder:"BASEUNITS" help:"The price in the token's base units (lamports for native)."`
	Memo      string    `placeholder:"TEXT" help:"A memo that the transaction must carry, exactly."`
	Reference string    `placeholder:"ADDRESS" help:"A reference key that the transfer must name."`
	NotBefore time.Time `placeholder:"RFC3339" help:"An older block does not count."`
	NotAfter  time.Time `placeholder:"RFC3339" help:"A younger block does not count."`
	Finality  string    `enum:",finalized,confirmed" default:"" placeholder:"LEVEL" help:"Which blocks are final: finalized or confirmed (default: the configured rule, else finalized)."`
	Trust     string    `placeholder:"RULE" help:"Whose word is enough: single or quorum:K, each --rpc being an operator of its own (default: the configured rule, else single)."`
	Explain   bool      `help:"Show each check in order, with what was asked and answered."`
	Output    string    `short:"o" enum:"text,json" default:"text" help:"text or json (default: ${default})."`

	reader solana.Config // without the claim's chain and token
}

// Validate finds the endpoints and the rules. Its errors are usage errors.
func (cmd *verifySolanaCmd) Validate() error {
	configured, err := cmd.configured()
	if err != nil {
		return err
	}
	cmd.reader = solana.Config{HTTPClient: outsideClient()}
	if configured != nil {
		if cmd.reader, err = solanaConfig(*configured); err != nil {
			return err
		}
		cmd.Chain = string(cmd.reader.Chain)
	}
	if len(cmd.RPC) > 0 {
		cmd.reader.Endpoints = nil
		for i, u := range cmd.RPC {
			cmd.reader.Endpoints = append(cmd.reader.Endpoints, solana.Endpoint{Name: "rpc-" + strconv.Itoa(i+1), URL: string(u)})
		}
	}
	if cmd.Finality != "" {
		cmd.reader.Finality, cmd.reader.Tiers = solana.Finality(cmd.Finality), nil
	}
	if cmd.Trust != "" {
		if cmd.reader.Trust, err = solana.ParseTrust(cmd.Trust); err != nil {
			return fmt.Errorf("--trust: %w", err)
		}
		cmd.reader.Tiers = nil
	}
	operators := make(map[string]bool)
	for _, e := range cmd.reader.Endpoints {
		operators[cmp.Or(e.Operator, e.Name)] = true
	}
	if int(cmd.reader.Trust) > len(operators) {
		return fmt.Errorf("trust %s needs that many operators to ask, there are %d", cmd.reader.Trust, len(operators))
	}
	return nil
}

// configured is the cluster's part of the configuration, which is read only if something of it is asked for: a name, or its
// endpoints. With --rpc a name that no configuration knows is part of the claim, and answered as such.
func (cmd *verifySolanaCmd) configured() (*ChainConfig, error) {
	id, unknown := solana.ParseChain(cmd.Chain)
	_, noMint := solana.ParseAddress(cmd.Token)
	asked := len(cmd.RPC) == 0
	if !asked && unknown == nil && (noMint == nil || cmd.Token == "native") {
		return nil, nil
	}
	cfg, err := cmd.load()
	if err != nil && (asked || cmd.Config != "") {
		return nil, fmt.Errorf("without --rpc, or with names, a configuration is needed: %w", err)
	}
	if err != nil {
		return nil, nil //nolint:nilerr // the claim is answered as it stands
	}
	for i, c := range cfg.Chains {
		known, err := c.chainID()
		if err == nil && c.isSolana() && (unknown == nil && known == id || slices.Contains(c.Aliases, cmd.Chain)) {
			return &cfg.Chains[i], nil
		}
	}
	if asked {
		return nil, fmt.Errorf("--chain %q is no cluster of the configuration, and there is no --rpc", cmd.Chain)
	}
	return nil, nil
}

// Run looks once and answers. What is wrong with the claim is an answer too, not a usage error.
func (cmd *verifySolanaCmd) Run(ctx context.Context, std *streams) error {
	return cmd.look(ctx).print(std, cmd.Output)
}

func (cmd *verifySolanaCmd) look(ctx context.Context) verifyAnswer {
	claim, code, problem := cmd.claim()
	if code != "" {
		return verifyAnswer{Verdict: settlement.Rejected, Code: code, Reason: problem}
	}
	reader := cmd.reader
	reader.Chain = claim.Chain
	if !slices.ContainsFunc(reader.Tokens, func(t solana.Token) bool { return t.Address == claim.Want.Token }) {
		reader.Tokens = []solana.Token{{Token: settlement.Token{Chain: claim.Chain, Address: claim.Want.Token, Symbol: cmd.Token}}}
		reader.Tiers = nil // they are of other tokens
	}
	var told *transcript
	if cmd.Explain {
		told, reader.HTTPClient = newTranscript(reader.HTTPClient)
		reader.Explain = func(c solana.Check) { told.check(c.Endpoint, c.Name, c.Found) }
		for _, e := range reader.Endpoints {
			told.follow(e.Name, e.URL, e.Header)
		}
	}
	chain, err := solana.New(reader)
	if err != nil { // all that can be wrong by now is the chain's name
		return verifyAnswer{Verdict: settlement.Rejected, Code: settlement.ChainUnsupported, Reason: err.Error()}
	}
	look, err := chain.Look(ctx, claim)
	if err != nil {
		answer := failedLook(err)
		if told != nil {
			answer.Checks = told.end()
		}
		return answer
	}
	transfers := make([]settlement.Transfer, len(look.Transfers))
	for i, t := range look.Transfers {
		transfers[i] = t.Transfer
	}
	answer := newVerifyAnswer(claim, look.Verdict, transfers, solana.FormatAddress)
	if told != nil {
		answer.Checks = told.end()
	}
	if cmd.Output == "text" {
		answer.decimals = mintDecimals(ctx, chain, claim.Want.Token)
	}
	return answer
}

// claim reads what must be true of the transaction. A code says that no transaction can make it true, problem why.
func (cmd *verifySolanaCmd) claim() (claim settlement.Claim, code settlement.Code, problem string) {
	invalid := func(field string, err error) (settlement.Claim, settlement.Code, string) {
		return claim, settlement.IntentInvalid, field + ": " + err.Error()
	}
	claim = settlement.Claim{NotBefore: cmd.NotBefore, NotAfter: cmd.NotAfter, Memo: cmd.Memo}
	var err error
	if claim.Chain, err = solana.ParseChain(cmd.Chain); err != nil {
		return claim, settlement.ChainUnsupported, err.Error()
	}
	if i := slices.IndexFunc(cmd.reader.Tokens, func(t solana.Token) bool { return strings.EqualFold(t.Symbol, cmd.Token) }); i >= 0 {
		claim.Want.Token = cmd.reader.Tokens[i].Address
	} else if cmd.Token != "native" {
		if claim.Want.Token, err = solana.ParseAddress(cmd.Token); err != nil {
			return invalid("token", err)
		}
	}
	if cmd.Reference != "" {
		if claim.Reference, err = solana.ParseAddress(cmd.Reference); err != nil {
			return invalid("reference", err)
		}
	}
	payer, err := solana.ParseAddress(cmd.Payer)
	if err != nil {
		return invalid("payer", err)
	}
	claim.Want.Payer, claim.Payers = payer, []settlement.Address{payer}
	if claim.Want.Payee, err = solana.ParseAddress(cmd.Payee); err != nil {
		return invalid("payee", err)
	}
	if claim.Want.Amount, err = settlement.ParseAmount(cmd.Amount); err != nil {
		return invalid("amount", err)
	}
	if problem = claim.Valid(); problem != "" {
		return claim, settlement.IntentInvalid, problem
	}
	page, id, err := solana.ParseTransaction(cmd.Signature)
	if err != nil {
		return claim, settlement.ProofMalformed, err.Error()
	}
	if page != "" && page != claim.Chain {
		return claim, settlement.WrongChain, fmt.Sprintf("the page is of %s, the claim of %s", page, claim.Chain)
	}
	claim.TxID = id
	return claim, "", ""
}

// mintDecimals is nil when the mint does not say; amounts are then shown in base units only.
func mintDecimals(ctx context.Context, chain *solana.Chain, mint settlement.Address) *uint8 {
	if mint == "" {
		return new(uint8(solana.NativeDecimals))
	}
	decimals, err := chain.Decimals(ctx, mint)
	if err != nil {
		return nil // it only makes an amount easier to read
	}
	return &decimals
}
