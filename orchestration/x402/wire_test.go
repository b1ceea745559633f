package x402_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/x402"
)

// TestWireX402 replays what the vendor's SDK 0.12.1 made of challenges: the same
// requirements and refusals, its signatures recover here, and what is signed here
// has the same shape.
func TestWireX402(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SETTLER_FIXTURES")
	text, err := os.ReadFile(filepath.Join(dir, "orchestration", "wire.json"))
	if dir == "" || errors.Is(err, os.ErrNotExist) {
		if os.Getenv("SETTLER_REQUIRE_FIXTURES") != "" {
			t.Fatalf("SETTLER_FIXTURES has no recordings: %v", err)
		}
		t.Skip("SETTLER_FIXTURES has no recordings")
	}
	var cases []wireCase
	if err := errors.Join(err, json.Unmarshal(text, &cases)); err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, c := range cases {
		play := map[string]func(*testing.T, wireCase){
			"parse_x402_payment_requirements": parseAsRecorded, "sign_x402_payment": signAsRecorded,
		}[c.Method]
		if play == nil {
			continue
		}
		played++
		t.Run(c.Method+"/"+c.Case, func(t *testing.T) {
			t.Parallel()
			play(t, c)
		})
	}
	if played == 0 {
		t.Error("nothing about x402 is recorded")
	}
}

type wireCase struct {
	Method    string `json:"method_name"`
	Case      string `json:"case"`
	Arguments struct {
		Source  json.RawMessage `json:"source"`
		Payment json.RawMessage `json:"payment"`
		Signer  string          `json:"signer"`
	} `json:"arguments"`
	Decoded json.RawMessage `json:"decoded"`
	Error   *struct {
		Class string `json:"class"`
		Field string `json:"field"`
	} `json:"error"`
}

// challengeOf reads a payment as the SDK spells it, or a challenge by itself.
func challengeOf(t *testing.T, source json.RawMessage) (x402.Challenge, error) {
	t.Helper()
	var typed struct {
		Type string `json:"_type"`
	}
	if err := json.Unmarshal(source, &typed); err != nil {
		t.Fatal(err)
	}
	if typed.Type != "MarketPayment" {
		return x402.Parse(source)
	}
	var payment orchestration.MarketPayment
	if err := json.Unmarshal(source, &payment); err != nil {
		t.Fatal(err)
	}
	return x402.FromPayment(payment)
}

// refusedAsRecorded compares an error and tells whether there was to be one.
func (c wireCase) refusedAsRecorded(t *testing.T, err error) bool {
	t.Helper()
	if c.Error == nil {
		if err != nil {
			t.Fatal(err)
		}
		return false
	}
	invalid, ok := errors.AsType[*orchestration.ValidationError](err)
	if !ok || c.Error.Class != "OrchestrationValidationError" || invalid.Field != c.Error.Field {
		t.Errorf("got %v; want %s of %s", err, c.Error.Class, c.Error.Field)
	}
	return true
}

func parseAsRecorded(t *testing.T, c wireCase) {
	got, err := challengeOf(t, c.Arguments.Source)
	if c.refusedAsRecorded(t, err) {
		return
	}
	var want struct {
		Scheme            string `json:"scheme"`
		Network           string `json:"network"`
		Asset             string `json:"asset"`
		PayTo             string `json:"pay_to"`
		Amount            string `json:"amount"`
		MaxTimeoutSeconds int    `json:"max_timeout_seconds"`
		Name              string `json:"extra_name"`
		Version           string `json:"extra_version"`
		Method            string `json:"asset_transfer_method"`
	}
	if err := json.Unmarshal(c.Decoded, &want); err != nil {
		t.Fatal(err)
	}
	have := want
	have.Scheme, have.Network, have.Asset, have.PayTo, have.Amount = got.Scheme, got.Network, got.Asset, got.PayTo, got.Amount
	have.MaxTimeoutSeconds, have.Name, have.Version, have.Method = got.MaxTimeoutSeconds, got.TokenName, got.TokenVersion, got.AssetTransferMethod
	if diff := cmp.Diff(want, have); diff != "" {
		t.Error(diff)
	}
}

func signAsRecorded(t *testing.T, c wireCase) {
	key, err := agentkey.FromHex(c.Arguments.Signer)
	if c.refusedAsRecorded(t, err) {
		return
	}
	challenge, err := challengeOf(t, c.Arguments.Payment)
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Signature orchestration.Secret `json:"payment_signature"`
		Reference string               `json:"payment_reference"`
		Network   string               `json:"network"`
		Asset     string               `json:"asset"`
		Amount    string               `json:"amount"`
		Payer     string               `json:"payer_address"`
		Header    string               `json:"header_name"`
		Payload   map[string]any       `json:"payload"`
	}
	if err := json.Unmarshal(c.Decoded, &want); err != nil {
		t.Fatal(err)
	}
	network, ok := new(big.Int).SetString(want.Network[len("eip155:"):], 10)
	if !ok {
		t.Fatalf("network %s", want.Network)
	}

	// What the vendor signed is understood and its signer recovered.
	theirs, err := x402.ReadHeader(want.Signature, challenge, network.Uint64())
	if err != nil {
		t.Fatal(err)
	}
	got := want
	got.Signature, got.Reference, got.Network, got.Asset = theirs.Header, theirs.Reference, theirs.Network, theirs.Asset
	got.Amount, got.Payer, got.Header = theirs.Value, theirs.From, theirs.HeaderName
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	// What is signed here differs in nonce, time and signature only.
	limit, _ := new(big.Int).SetString(want.Amount, 10)
	now := time.Unix(1_800_000_000, 0)
	ours, err := x402.Payer{
		Signer: key, ChainID: network.Uint64(), Asset: want.Asset, MaxAmount: limit, MaxValidity: time.Hour,
		Now: func() time.Time { return now },
	}.Sign(t.Context(), challenge)
	if err != nil {
		t.Fatal(err)
	}
	payload, recorded := decoded(t, ours.Header), decoded(t, want.Signature)
	if diff := cmp.Diff(want.Payload, recorded); diff != "" {
		t.Errorf("the header is not the payload: %s", diff)
	}
	for _, each := range []map[string]any{payload, recorded} {
		inner, _ := each["payload"].(map[string]any)
		auth, _ := inner["authorization"].(map[string]any)
		for holder, names := range map[*map[string]any][]string{&inner: {"signature"}, &auth: {"nonce", "validBefore"}} {
			for _, name := range names {
				value, _ := (*holder)[name].(string)
				(*holder)[name] = len(value)
			}
		}
	}
	if diff := cmp.Diff(recorded, payload); diff != "" {
		t.Error(diff)
	}
	if ours.From != want.Payer || ours.HeaderName != want.Header || ours.Network != want.Network || ours.Asset != want.Asset ||
		!ours.ExpiresAt.Equal(now.Add(time.Duration(challenge.MaxTimeoutSeconds)*time.Second)) || ours.Nonce == theirs.Nonce {
		t.Errorf("got %+v", ours)
	}
}

func decoded(t *testing.T, header orchestration.Secret) map[string]any {
	t.Helper()
	text, err := base64.StdEncoding.DecodeString(string(header))
	if err != nil {
		t.Fatal(err)
	}
	var payload map[string]any
	if err := json.Unmarshal(text, &payload); err != nil {
		t.Fatal(err)
	}
	return payload
}
