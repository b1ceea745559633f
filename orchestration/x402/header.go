package x402

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
)

// Authorization is EIP-3009's TransferWithAuthorization; numbers are decimal
// digits, times in Unix seconds, the nonce is 0x and 64 hex digits.
type Authorization struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Value       string `json:"value"`
	ValidAfter  string `json:"validAfter"`
	ValidBefore string `json:"validBefore"`
	Nonce       string `json:"nonce"`
}

// Payment is a signed authorisation. Keep Header until the order has an outcome:
// the same one goes into the proof and into execute, and a second one would be a
// second payment.
type Payment struct {
	// HeaderName is PAYMENT-SIGNATURE, or X-PAYMENT in version 1.
	HeaderName string
	// Header is what goes there, base64.
	Header orchestration.Secret
	// Reference is x402:<network>:<first 24 hex digits of SHA-256 of the header>.
	Reference string
	Network   string // as the challenge spells it, like Asset
	Asset     string
	Authorization
	// ExpiresAt is when the authorisation ends.
	ExpiresAt time.Time
}

// payload is the decoded header; version 1 has Scheme and Network, version 2 the
// rest.
type payload struct {
	Version    int             `json:"x402Version"`
	Scheme     string          `json:"scheme,omitempty"`
	Network    string          `json:"network,omitempty"`
	Payload    signed          `json:"payload"`
	Accepted   *requirements   `json:"accepted,omitempty"`
	Resource   json.RawMessage `json:"resource,omitempty"`
	Extensions json.RawMessage `json:"extensions,omitempty"`
}

type signed struct {
	Authorization Authorization `json:"authorization"`
	Signature     string        `json:"signature"`
}

// requirements is the offer as it is repeated to the provider.
type requirements struct {
	Scheme            string                     `json:"scheme"`
	Network           string                     `json:"network"`
	Asset             string                     `json:"asset"`
	Amount            string                     `json:"amount"`
	PayTo             string                     `json:"payTo"`
	MaxTimeoutSeconds int                        `json:"maxTimeoutSeconds"`
	Extra             map[string]json.RawMessage `json:"extra"`
}

// write makes the header's text.
func (c Challenge) write(auth Authorization, signature string) (orchestration.Secret, error) {
	p := payload{Version: c.Version, Payload: signed{auth, signature}}
	if c.Version == 1 {
		p.Scheme, p.Network = c.Scheme, c.Network
	} else {
		p.Accepted = &requirements{c.Scheme, c.Network, c.Asset, c.Amount, c.PayTo, c.MaxTimeoutSeconds, c.extra}
		p.Resource, p.Extensions = c.resource, c.extensions
	}
	text, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("write x402 header: %w", err)
	}
	return orchestration.Secret(base64.StdEncoding.EncodeToString(text)), nil
}

// ReadHeader reads a header that answers a challenge, signed here earlier or by
// somebody else: the authorisation must be for the challenge's payee and amount,
// and signed by the wallet that it names, for the challenge's token on that chain.
// Its times are given, not judged. The error is agentkey.ErrSignature, or a
// *orchestration.ValidationError about payment_signature or the challenge.
func ReadHeader(header orchestration.Secret, c Challenge, chainID uint64) (Payment, error) {
	var p payload
	text, err := decode64(string(header))
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	auth := p.Payload.Authorization
	switch {
	case err != nil:
		return Payment{}, refuse("payment_signature", "base64 of a signed x402 payload")
	case p.Version != c.Version:
		return Payment{}, refuse("payment_signature", "x402Version "+strconv.Itoa(c.Version))
	case !sameAddress(auth.To, c.PayTo) || auth.Value != c.Amount:
		return Payment{}, refuse("payment_signature", "an authorisation of "+c.Amount+" to "+c.PayTo)
	}
	typed, err := c.typedData(auth, chainID)
	if err != nil {
		return Payment{}, err
	}
	signer, err := agentkey.RecoverTypedData(typed, p.Payload.Signature)
	if err != nil {
		return Payment{}, err
	}
	if !sameAddress(signer, auth.From) {
		return Payment{}, fmt.Errorf("%w: made by %s, not by %s", agentkey.ErrSignature, signer, auth.From)
	}
	before, err := strconv.ParseInt(auth.ValidBefore, 10, 64)
	if err != nil {
		return Payment{}, refuse("payment_signature", "validBefore in Unix seconds")
	}
	sum := sha256.Sum256([]byte(header))
	name := "PAYMENT-SIGNATURE"
	if c.Version == 1 {
		name = "X-PAYMENT"
	}
	return Payment{
		HeaderName: name, Header: header, Reference: "x402:" + c.Network + ":" + hex.EncodeToString(sum[:12]),
		Network: c.Network, Asset: c.Asset, Authorization: auth, ExpiresAt: time.Unix(before, 0).UTC(),
	}, nil
}
