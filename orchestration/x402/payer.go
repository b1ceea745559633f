package x402

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/settler-pay/settler/orchestration"
)

// Signer signs typed data with a wallet's key, as agentkey.Key and agentkey.Remote
// do.
type Signer interface {
	// Address is 0x and 40 hex digits.
	Address() string
	// SignTypedData is eth_signTypedData_v4: 0x and 130 hex digits.
	SignTypedData(ctx context.Context, typed apitypes.TypedData) (signature string, err error)
}

// Payer signs payments of one wallet in one token, within limits. A challenge
// comes from the provider, through the orchestrator: neither is to be trusted
// with what may be spent. All fields but ChainNames and Now are required.
type Payer struct {
	Signer  Signer
	ChainID uint64
	// ChainNames are names of the chain, other than eip155:<ChainID>, that a
	// challenge may use; version 1 has "base" for 8453. Compared as they are.
	ChainNames []string
	Asset      string   // address of the token
	MaxAmount  *big.Int // base units; more is refused
	// MaxValidity is how long an authorisation may be good, in whole seconds. A
	// challenge that wants longer is refused, one that names no time gets this.
	MaxValidity time.Duration
	Now         func() time.Time // defaults to time.Now
}

// Sign authorises what the challenge asks for. Each call makes an authorisation of
// its own, with a new nonce: sign once for an order, keep the Payment, and after a
// failed execute read the order's payment, for the provider may have been paid all
// the same.
//
// The error is a *orchestration.ValidationError that names the limit, a
// *orchestration.ConfigError about the Payer, or the signer's.
func (p Payer) Sign(ctx context.Context, c Challenge) (Payment, error) {
	seconds, err := p.check(c)
	if err != nil {
		return Payment{}, err
	}
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	nonce := make([]byte, 32)
	if _, err := rand.Read(nonce); err != nil {
		return Payment{}, fmt.Errorf("make a nonce: %w", err)
	}
	auth := Authorization{
		From: p.Signer.Address(), To: c.PayTo, Value: c.Amount,
		ValidAfter: "0", ValidBefore: strconv.FormatInt(now().Unix()+seconds, 10), Nonce: "0x" + hex.EncodeToString(nonce),
	}
	typed, err := c.typedData(auth, p.ChainID)
	if err != nil {
		return Payment{}, err
	}
	signature, err := p.Signer.SignTypedData(ctx, typed)
	if err != nil {
		return Payment{}, fmt.Errorf("sign x402 payment: %w", err)
	}
	header, err := c.write(auth, signature)
	if err != nil {
		return Payment{}, err
	}
	return ReadHeader(header, c, p.ChainID)
}

// check holds the challenge against the limits and says for how many seconds to
// sign.
func (p Payer) check(c Challenge) (seconds int64, err error) {
	longest := int64(p.MaxValidity / time.Second)
	switch {
	case p.Signer == nil, p.ChainID == 0, !isAddress(p.Asset), p.MaxAmount == nil, longest < 1:
		return 0, &orchestration.ConfigError{Problem: "x402 payer needs a signer, chain id, asset, largest amount and longest validity of a second or more"}
	case c.Network != caip2(p.ChainID) && !slices.Contains(p.ChainNames, c.Network):
		return 0, refuse("payment_requirements.network", caip2(p.ChainID)+" or one of ["+strings.Join(p.ChainNames, " ")+"]")
	case !sameAddress(c.Asset, p.Asset):
		return 0, refuse("payment_requirements.asset", p.Asset)
	case !isAddress(c.PayTo):
		return 0, refuse("payment_requirements.payTo", "0x and 40 hex digits")
	case int64(c.MaxTimeoutSeconds) > longest:
		return 0, refuse("payment_requirements.maxTimeoutSeconds", "at most "+strconv.FormatInt(longest, 10))
	}
	amount, ok := uint256(c.Amount)
	switch {
	case !ok || amount.Sign() == 0:
		return 0, refuse("payment_requirements.amount", "base units in decimal digits, more than zero")
	case amount.Cmp(p.MaxAmount) > 0:
		return 0, refuse("payment_requirements.amount", "at most "+p.MaxAmount.String()+" base units")
	case c.MaxTimeoutSeconds == 0:
		return longest, nil
	}
	return int64(c.MaxTimeoutSeconds), nil
}

// Proof is what SubmitX402PaymentProof takes, with the metadata of the vendor's
// buyer. serviceID is the order's.
func (p Payment) Proof(serviceID string) orchestration.X402PaymentProof {
	return orchestration.X402PaymentProof{
		PaymentSignature: p.Header, PaymentReference: p.Reference,
		Metadata: map[string]any{
			"headerName": p.HeaderName, "network": p.Network, "asset": p.Asset, "amount": p.Value, "serviceId": serviceID,
		},
	}
}

// Execute is what ExecuteMarketOrder takes after that proof. input may be nil.
func (p Payment) Execute(input map[string]any) orchestration.ExecuteMarketOrderRequest {
	return orchestration.ExecuteMarketOrderRequest{Input: input, Payment: orchestration.X402Payment{PaymentSignature: p.Header}}
}
