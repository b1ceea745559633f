package x402

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/settler-pay/settler/orchestration"
)

// maxChallenge in bytes: a challenge comes in a header, and a few kilobytes are
// many. maxDepth of wrappings: metadata, payment request, challenge.
const (
	maxChallenge = 64 << 10
	maxDepth     = 4
)

// Challenge is what a provider wants to be paid. Parse fills it with what was
// written there; Payer checks it.
type Challenge struct {
	Version int    // 1 or 2
	Scheme  string // "exact"
	Network string // CAIP-2 (eip155:8453); in version 1 a name (base)
	Asset   string // address of the token
	PayTo   string // address
	Amount  string // base units, decimal digits
	// MaxTimeoutSeconds bounds how long an authorisation may be valid; 0 when absent.
	MaxTimeoutSeconds int
	// Name and Version of the token's EIP-712 domain.
	TokenName, TokenVersion string
	// AssetTransferMethod is "" or eip3009, in any letter case.
	AssetTransferMethod string

	extra                map[string]json.RawMessage // as written: wire key → JSON
	resource, extensions json.RawMessage            // echoed in version 2; nil when absent
}

// Parse reads a challenge: the text of a PAYMENT-REQUIRED header (base64), the
// body of a 402 answer, an intent's payment request that holds either under
// paymentRequired, a list accepts, or bare requirements; camelCase or snake_case.
// Of several offers only the first counts, as for the vendor's buyer. The header
// wins over a list beside it, which is for display.
//
// The error is a *orchestration.ValidationError with the vendor's field names:
// payment_requirements, payment_requirements.extra, scheme, asset_transfer_method.
func Parse(source []byte) (Challenge, error) {
	if len(source) > maxChallenge {
		return Challenge{}, refuse("payment_requirements", "at most "+strconv.Itoa(maxChallenge)+" bytes")
	}
	offer, ok := find(source, maxDepth)
	if !ok {
		return Challenge{}, refuse("payment_requirements", "accepts[] or a paymentRequired challenge")
	}
	return offer.read()
}

// FromPayment reads the challenge that an intent's answer carries.
func FromPayment(payment orchestration.MarketPayment) (Challenge, error) {
	metadata, err := json.Marshal(payment.Rail.Metadata)
	if err != nil || len(payment.Rail.Metadata) == 0 {
		return Challenge{}, refuse("payment.rail.metadata", "an object with an x402 challenge")
	}
	return Parse(metadata)
}

func refuse(field, constraint string) error {
	return &orchestration.ValidationError{Field: field, Constraint: constraint}
}

// object is a JSON object whose keys may be spelled in either way.
type object map[string]json.RawMessage

// get gives the value under a camelCase name or its snake_case; null is absent.
func (o object) get(name string) json.RawMessage {
	var snake strings.Builder
	for _, r := range name {
		if r >= 'A' && r <= 'Z' {
			snake.WriteByte('_')
			r += 'a' - 'A'
		}
		snake.WriteRune(r)
	}
	for _, spelling := range []string{name, snake.String()} {
		if value := o[spelling]; value != nil && string(value) != "null" {
			return value
		}
	}
	return nil
}

// text gives a string, or a number as it is written; "" for anything else.
func (o object) text(name string) string {
	value := o.get(name)
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text
	}
	var number json.Number
	_ = json.Unmarshal(value, &number) // else it is ""
	return number.String()
}

// offer is an entry of accepts and the challenge that it was found in.
type offer struct{ challenge, requirements object }

// find looks for an offer below text: JSON, or base64 of it, quoted or not.
func find(text []byte, depth int) (offer, bool) {
	text = bytes.TrimSpace(text)
	if depth == 0 || len(text) == 0 {
		return offer{}, false
	}
	if text[0] != '{' {
		encoded := string(text)
		if text[0] == '"' && json.Unmarshal(text, &encoded) != nil {
			return offer{}, false
		}
		decoded, err := decode64(encoded)
		if err != nil || !bytes.HasPrefix(bytes.TrimSpace(decoded), []byte("{")) {
			return offer{}, false
		}
		return find(decoded, depth)
	}
	var o object
	if json.Unmarshal(text, &o) != nil {
		return offer{}, false
	}
	for _, name := range []string{"paymentRequest", "paymentRequired"} {
		if found, ok := find(o.get(name), depth-1); ok {
			return found, true
		}
	}
	var accepts []object
	if json.Unmarshal(o.get("accepts"), &accepts) == nil && len(accepts) > 0 {
		return offer{o, accepts[0]}, true
	}
	if o.get("asset") != nil || o.get("payTo") != nil {
		return offer{o, o}, true
	}
	return offer{}, false
}

// decode64 takes either alphabet, with or without padding.
func decode64(text string) ([]byte, error) {
	text = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(text)), "=")
	return base64.RawStdEncoding.DecodeString(text)
}

func (f offer) read() (Challenge, error) {
	r := f.requirements
	c := Challenge{
		Version: 2, Scheme: "exact", Network: r.text("network"), Asset: r.text("asset"), PayTo: r.text("payTo"), Amount: r.text("amount"),
	}
	if version := f.challenge.text("x402Version"); version == "1" || version == "" && r.get("amount") == nil {
		c.Version = 1
	} else if version != "2" && version != "" {
		return Challenge{}, refuse("payment_requirements", "x402Version 1 or 2")
	}
	if c.Amount == "" {
		c.Amount = r.text("maxAmountRequired")
	}
	if r.get("scheme") != nil {
		c.Scheme = r.text("scheme")
	}
	if c.Scheme != "exact" {
		return Challenge{}, refuse("scheme", "exact")
	}
	if slices.Contains([]string{c.Network, c.Asset, c.PayTo, c.Amount}, "") {
		return Challenge{}, refuse("payment_requirements", "network, asset, payTo and amount")
	}
	if r.get("maxTimeoutSeconds") != nil {
		seconds, err := strconv.Atoi(r.text("maxTimeoutSeconds"))
		if err != nil || seconds < 0 {
			return Challenge{}, refuse("payment_requirements", "maxTimeoutSeconds in whole seconds, zero or more")
		}
		c.MaxTimeoutSeconds = seconds
	}
	var extra object
	if json.Unmarshal(r.get("extra"), &extra) != nil || extra.get("name") == nil || extra.get("version") == nil {
		return Challenge{}, refuse("payment_requirements.extra", "name and version of the token's EIP-712 domain")
	}
	c.TokenName, c.TokenVersion, c.extra = extra.text("name"), extra.text("version"), extra
	if method := extra.get("assetTransferMethod"); method != nil {
		if c.AssetTransferMethod = extra.text("assetTransferMethod"); !strings.EqualFold(c.AssetTransferMethod, "eip3009") {
			return Challenge{}, refuse("asset_transfer_method", "eip3009")
		}
		delete(extra, "asset_transfer_method")
		extra["assetTransferMethod"] = method
	}
	c.resource, c.extensions = f.challenge.get("resource"), f.challenge.get("extensions")
	return c, nil
}
