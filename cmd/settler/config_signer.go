package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/ethereum/go-ethereum/common"

	escrowevm "github.com/settler-pay/settler/escrow/evm"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/evm"
)

// Kinds of signers.
const (
	kindKeystore = "keystore"
	kindRemote   = "remote"
	kindKMS      = "kms"
)

// SignerConfig is a key that moves money on EVM chains, and what it may sign. Of the keys that only one kind has, those of
// another kind are refused.
type SignerConfig struct {
	Name    string `yaml:"name" env:"NAME"`       // in logs and findings, unique. Required
	Kind    string `yaml:"kind" env:"KIND"`       // keystore, remote or kms. Required
	Address string `yaml:"address" env:"ADDRESS"` // of the key; one with another address is refused. Required

	Keystore     string `yaml:"keystore" env:"KEYSTORE"`           // keystore: path of a go-ethereum keystore file
	Password     secret `yaml:"password" env:"PASSWORD"`           // keystore: its password; or PasswordFile
	PasswordFile string `yaml:"password_file" env:"PASSWORD_FILE"` // keystore: path of a file with the password; a last line break does not count

	URL secret `yaml:"url" env:"URL"` // remote: where eth_signTransaction is spoken, http or https; may hold a key

	KeyID    string `yaml:"key_id" env:"KEY_ID"`     // kms: id, ARN or alias of the key
	Region   string `yaml:"region" env:"REGION"`     // kms: the key's region
	Endpoint string `yaml:"endpoint" env:"ENDPOINT"` // kms: URL in place of the region's, for a private one. Defaults to the region's

	Timeout time.Duration       `yaml:"timeout" env:"TIMEOUT"`      // of one signature. Defaults to 30s
	Chains  []SignerChainConfig `yaml:"chains" envPrefix:"CHAINS_"` // where it signs; at least one
}

// SignerChainConfig is what a signer may sign on one chain.
type SignerChainConfig struct {
	Chain string `yaml:"chain" env:"CHAIN"` // id or alias of one of chains. Required
	// Methods that may be called: pay, payBatch, claim, freeze and returnOther of the vaults' factory, transfer of the
	// signer's own tokens and coin. Defaults to pay, payBatch and claim.
	Methods []string `yaml:"methods" env:"METHODS"`
	// Tokens that may be moved. Required where a method moves any.
	Tokens          []SignerTokenConfig `yaml:"tokens" envPrefix:"TOKENS_"`
	PaymentsPerHour uint64              `yaml:"payments_per_hour" env:"PAYMENTS_PER_HOUR"` // most payments in any hour, each of a batch counted. Required
	MaxFeePerGas    string              `yaml:"max_fee_per_gas" env:"MAX_FEE_PER_GAS"`     // in gwei: "2.5". Required
	// Of a transaction whose vault's deadline is near (escrow.urgent_within), and of those before it, in gwei. Defaults to MaxFeePerGas
	MaxFeeUrgent string `yaml:"max_fee_per_gas_urgent" env:"MAX_FEE_PER_GAS_URGENT"`
	GasReserve   string `yaml:"gas_reserve" env:"GAS_RESERVE"` // in whole native coins: the balance below which it is an alarm. Required
}

// SignerTokenConfig bounds what is moved of one token, in whole tokens: "25.50".
type SignerTokenConfig struct {
	Token      string `yaml:"token" env:"TOKEN"`             // symbol of one of the chain's tokens. Required
	PerPayment string `yaml:"per_payment" env:"PER_PAYMENT"` // most of one payment. Required
	PerHour    string `yaml:"per_hour" env:"PER_HOUR"`       // most in any hour. Required
}

func (s *SignerConfig) setDefaults() { s.Timeout = 30 * time.Second }

func (c *SignerChainConfig) setDefaults() {
	c.Methods = []string{escrowevm.MethodPay, escrowevm.MethodPayBatch, escrowevm.MethodClaim}
}

// checkSigners finds faults of the signers, and two of one key on one chain, who would take each other's nonces.
func (c *Config) checkSigners(f *faults) {
	names, lanes := make(map[string]string), make(map[string]string)
	for i, s := range c.Signers {
		key := fmt.Sprintf("signers[%d]", i)
		f.require(key+".name", s.Name)
		unique(f, key+".name", s.Name, names)
		address, err := evm.ParseAddress(s.Address)
		if err != nil {
			f.add("%s.address: %w", key, err)
		}
		s.checkKind(f, key)
		if s.Timeout < time.Second || s.Timeout > 10*time.Minute {
			f.add("%s.timeout is %s, not 1s to 10m", key, s.Timeout)
		}
		if len(s.Chains) == 0 {
			f.add("%s.chains is required: at least one", key)
		}
		for j, at := range s.Chains {
			key := fmt.Sprintf("%s.chains[%d]", key, j)
			if chain, ok := c.chainNamed(at.Chain); !ok || chain.isSolana() {
				f.add("%s.chain %q is none of the EVM chains", key, at.Chain)
			} else {
				_, faults := at.policy(key, chain)
				*f = append(*f, faults...)
				if err == nil {
					unique(f, key+".chain", fmt.Sprintf("%s on %s", evm.FormatAddress(address), chain.ID), lanes)
				}
			}
		}
	}
}

// checkKind finds what the kind lacks and what belongs to another.
func (s SignerConfig) checkKind(f *faults, key string) {
	kinds := []string{kindKeystore, kindRemote, kindKMS}
	if !slices.Contains(kinds, s.Kind) {
		f.add("%s.kind %q is not keystore, remote or kms", key, s.Kind)
		return
	}
	for _, field := range []struct{ kind, name, value string }{
		{kindKeystore, "keystore", s.Keystore},
		{kindRemote, "url", string(s.URL)},
		{kindKMS, "key_id", s.KeyID},
		{kindKMS, "region", s.Region},
	} {
		if field.kind == s.Kind {
			f.require(key+"."+field.name, field.value)
		}
	}
	for _, field := range []struct{ kind, name, value string }{
		{kindKeystore, "keystore", s.Keystore},
		{kindKeystore, "password", string(s.Password)},
		{kindKeystore, "password_file", s.PasswordFile},
		{kindRemote, "url", string(s.URL)},
		{kindKMS, "key_id", s.KeyID},
		{kindKMS, "region", s.Region},
		{kindKMS, "endpoint", s.Endpoint},
	} {
		if field.kind != s.Kind && field.value != "" {
			f.add("%s.%s is for the kind %s", key, field.name, field.kind)
		}
	}
	switch {
	case s.Kind == kindKeystore && s.Password == "" && s.PasswordFile == "":
		f.add("%s.password or %s.password_file is required", key, key)
	case s.Kind == kindKeystore && s.Password != "" && s.PasswordFile != "":
		f.add("%s.password and %s.password_file are both given", key, key)
	case s.Kind == kindRemote && s.URL != "":
		if _, err := escrowevm.NewRemote(escrowevm.RemoteConfig{URL: string(s.URL)}); err != nil {
			f.add("%s.url: %w", key, err)
		}
	case s.Kind == kindKMS && s.Endpoint != "" && !isWebURL(s.Endpoint):
		f.add("%s.endpoint is not an http or https URL without user, query and fragment", key)
	}
}

// chainNamed is the configured chain with an id or alias.
func (c *Config) chainNamed(name string) (ChainConfig, bool) {
	i := slices.IndexFunc(c.Chains, func(chain ChainConfig) bool {
		return name != "" && (chain.ID == name || slices.Contains(chain.Aliases, name))
	})
	if i < 0 {
		return ChainConfig{}, false
	}
	return c.Chains[i], true
}

// Decimals of the units that fees and reserves are given in.
const (
	gweiDecimals   = 9
	nativeDecimals = 18
)

// evmID is the number of an EVM chain, or 0 when its id is a fault.
func (c ChainConfig) evmID() uint64 {
	n, err := strconv.ParseUint(strings.TrimPrefix(c.ID, "eip155:"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// policy is the policy of the chain, or every fault.
func (c SignerChainConfig) policy(key string, chain ChainConfig) (escrowevm.Policy, faults) {
	var f faults
	amount := func(name, text, unit string, decimals uint8) settlement.Amount {
		a, rounded, err := settlement.AmountFromMajor(text, decimals)
		switch {
		case text == "":
			f.add("%s is required", name)
		case err != nil || rounded || a.IsZero():
			f.add("%s %q is not an amount of %s above 0 with at most %d decimals", name, text, unit, decimals)
		}
		return a
	}
	p := escrowevm.Policy{ChainID: chain.evmID(), Key: key, Methods: c.Methods, PaymentsPerHour: c.PaymentsPerHour, Tokens: make(map[common.Address]escrowevm.TokenLimit)}
	known := []string{
		escrowevm.MethodPay, escrowevm.MethodPayBatch, escrowevm.MethodClaim, escrowevm.MethodFreeze, escrowevm.MethodReturnOther, escrowevm.MethodTransfer,
	}
	moves := false
	for i, method := range c.Methods {
		if !slices.Contains(known, method) {
			f.add("%s.methods[%d] %q is not %s", key, i, method, strings.Join(known, ", "))
		}
		moves = moves || method != escrowevm.MethodFreeze && method != escrowevm.MethodReturnOther
	}
	switch {
	case len(c.Methods) == 0:
		f.add("%s.methods is required: at least one", key)
	case moves && len(c.Tokens) == 0:
		f.add("%s.tokens is required: at least one", key)
	}
	for i, t := range c.Tokens {
		at := fmt.Sprintf("%s.tokens[%d]", key, i)
		j := slices.IndexFunc(chain.Tokens, func(token TokenConfig) bool { return token.Symbol == t.Token })
		if j < 0 {
			f.add("%s.token %q is none of the chain's tokens", at, t.Token)
			continue
		}
		address := common.HexToAddress(chain.Tokens[j].Address)
		if _, twice := p.Tokens[address]; twice || chain.Tokens[j].Native && p.Native != nil {
			f.add("%s.token %q stands there twice", at, t.Token)
		}
		limit := escrowevm.TokenLimit{
			Key:        at,
			PerPayment: amount(at+".per_payment", t.PerPayment, t.Token, chain.Tokens[j].Decimals),
			PerHour:    amount(at+".per_hour", t.PerHour, t.Token, chain.Tokens[j].Decimals),
		}
		if chain.Tokens[j].Native {
			p.Native = &limit
		} else {
			p.Tokens[address] = limit
		}
	}
	if c.PaymentsPerHour == 0 {
		f.add("%s.payments_per_hour is required", key)
	}
	p.MaxFeePerGas = amount(key+".max_fee_per_gas", c.MaxFeePerGas, "gwei", gweiDecimals).Big()
	if c.MaxFeeUrgent != "" {
		p.MaxFeeUrgent = amount(key+".max_fee_per_gas_urgent", c.MaxFeeUrgent, "gwei", gweiDecimals).Big()
		if p.MaxFeeUrgent.Cmp(p.MaxFeePerGas) < 0 {
			f.add("%s.max_fee_per_gas_urgent is less than max_fee_per_gas", key)
		}
	}
	amount(key+".gas_reserve", c.GasReserve, "native coins", nativeDecimals)
	return p, f
}

// openSigner opens a signer behind its policies. A keystore is read and KMS is asked for the key; a remote signer is not
// asked yet. The error names the key of the configuration.
func (c *Config) openSigner(ctx context.Context, i int, books escrowevm.Books) (*escrowevm.Guard, error) {
	s, key := c.Signers[i], fmt.Sprintf("signers[%d]", i)
	signer, err := s.open(ctx)
	if err == nil && signer.Address() != common.HexToAddress(s.Address) {
		err = fmt.Errorf("the key is that of %s, not of %s", signer.Address(), common.HexToAddress(s.Address))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	var policies []escrowevm.Policy
	for j, at := range s.Chains {
		chain, _ := c.chainNamed(at.Chain)
		policy, faults := at.policy(fmt.Sprintf("%s.chains[%d]", key, j), chain)
		if faults != nil {
			return nil, errors.Join(faults...)
		}
		policies = append(policies, policy)
	}
	return escrowevm.NewGuard(signer, key, policies, books), nil
}

func (s SignerConfig) open(ctx context.Context) (escrowevm.Signer, error) {
	switch s.Kind {
	case kindKeystore:
		password, err := passwordOf(s.Password, s.PasswordFile)
		if err != nil {
			return nil, err
		}
		return escrowevm.OpenKeystore(s.Keystore, password)
	case kindRemote:
		return escrowevm.NewRemote(escrowevm.RemoteConfig{URL: string(s.URL), Address: common.HexToAddress(s.Address), Timeout: s.Timeout})
	default:
		aws, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(s.Region))
		if err != nil {
			return nil, fmt.Errorf("AWS: %w", err)
		}
		client := kms.NewFromConfig(aws, func(o *kms.Options) {
			if s.Endpoint != "" {
				o.BaseEndpoint = &s.Endpoint
			}
		})
		return escrowevm.NewKMS(ctx, escrowevm.KMSConfig{Client: client, KeyID: s.KeyID, Timeout: s.Timeout})
	}
}

// passwordOf is a password, or what stands in its file.
func passwordOf(password secret, file string) (string, error) {
	if file == "" {
		return string(password), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("password_file: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// Modes of the service.
const (
	modeDevelopment = "development"
	modeProduction  = "production"
)

// plaintextPasswords are the keys under which the password of a key stands.
func (c *Config) plaintextPasswords() (keys []string) {
	if c.Agent.Password != "" {
		keys = append(keys, "agent")
	}
	for i, s := range c.Signers {
		if s.Password != "" {
			keys = append(keys, fmt.Sprintf("signers[%d]", i))
		}
	}
	return keys
}
