package x402_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/signer/core/apitypes"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/orchestration/agentkey"
	"github.com/settler-pay/settler/orchestration/x402"
)

const (
	devKey = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
	usdc   = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
	payee  = "0x2222222222222222222222222222222222222222"

	requirements = `{"scheme":"exact","network":"eip155:8453","asset":"` + usdc + `","payTo":"` + payee +
		`","amount":"20000","maxTimeoutSeconds":300,"extra":{"name":"USD Coin","version":"2","kept":{"a":1}}}`
	body = `{"x402Version":2,"error":"pay","accepts":[` + requirements + `,{"scheme":"upto"}],"resource":{"url":"https://p.example/q?a=1&b"},"extensions":{"e":[1]}}`
	v1   = `{"x402Version":1,"accepts":[{"scheme":"exact","network":"base","asset":"` + usdc + `","payTo":"` + payee +
		`","maxAmountRequired":"20000","maxTimeoutSeconds":60,"resource":"https://p.example","extra":{"name":"USD Coin","version":"2"}}]}`
)

var snake = strings.NewReplacer("payTo", "pay_to", "maxTimeoutSeconds", "max_timeout_seconds", "x402Version", "x402_version").Replace

func payer(t testing.TB) x402.Payer {
	t.Helper()
	key, err := agentkey.FromHex(devKey)
	if err != nil {
		t.Fatal(err)
	}
	return x402.Payer{
		Signer: key, ChainID: 8453, ChainNames: []string{"base"}, Asset: strings.ToLower(usdc), MaxAmount: big.NewInt(20000), MaxValidity: 5 * time.Minute,
		Now: func() time.Time { return time.Unix(1_800_000_000, 999) },
	}
}

func parse(t testing.TB, text string) x402.Challenge {
	t.Helper()
	challenge, err := x402.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return challenge
}

func TestParseShapes(t *testing.T) {
	t.Parallel()
	std := base64.StdEncoding.EncodeToString([]byte(body))
	for name, text := range map[string]string{
		"body":                        body,
		"body in snake_case":          snake(body),
		"header":                      std,
		"header with line break":      std + "\r\n",
		"header, other alphabet":      base64.RawURLEncoding.EncodeToString([]byte(body)),
		"header in quotes":            `"` + std + `"`,
		"payment request":             `{"statusCode":402,"paymentRequired":"` + std + `","accepts":[{"scheme":"upto"}]}`,
		"payment request, snake":      `{"payment_required":"` + std + `"}`,
		"payment request, object":     `{"paymentRequired":` + body + `}`,
		"metadata":                    `{"rawAmount":"1","paymentRequest":{"paymentRequired":"` + std + `"}}`,
		"metadata, header at the top": `{"payment_request":"` + std + `"}`,
		"header is no base64":         `{"paymentRequired":"%%%","accepts":[` + requirements + `]}`,
		"header is null":              `{"paymentRequired":null,"accepts":[` + requirements + `]}`,
		"list":                        `{"accepts":[` + requirements + `]}`,
		"requirements":                requirements,
		"requirements in snake_case":  snake(requirements),
		"numbers":                     strings.NewReplacer(`"20000"`, `20000`, `300`, `"300"`, `"2"`, `2`).Replace(requirements),
	} {
		got := parse(t, text)
		want := parse(t, requirements)
		if got.Version != 2 || got.Scheme != "exact" || got.Network != want.Network || got.Asset != usdc || got.PayTo != payee ||
			got.Amount != "20000" || got.MaxTimeoutSeconds != 300 || got.TokenName != "USD Coin" || got.TokenVersion != "2" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	old := parse(t, v1)
	if untold := parse(t, strings.Replace(v1, `"x402Version":1,`, "", 1)); untold.Version != 1 {
		t.Errorf("maxAmountRequired without a version: %+v", untold)
	}
	if old.Version != 1 || old.Network != "base" || old.Amount != "20000" || old.MaxTimeoutSeconds != 60 {
		t.Errorf("version 1: %+v", old)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	without := func(part string) string { return strings.Replace(requirements, part, "", 1) }
	with := func(old, with string) string { return strings.Replace(requirements, old, with, 1) }
	deep := requirements
	for range 8 {
		deep = `{"paymentRequest":` + deep + `}`
	}
	for text, field := range map[string]string{
		"": "payment_requirements", "null": "payment_requirements", "[]": "payment_requirements", "7": "payment_requirements", "{": "payment_requirements",
		`{"accepts":[]}`: "payment_requirements", `{"statusCode":401}`: "payment_requirements", `"%%%"`: "payment_requirements", "bm9uc2Vuc2U=": "payment_requirements", deep: "payment_requirements",
		requirements + strings.Repeat(" ", 1<<17):            "payment_requirements",
		without(`"payTo":"` + payee + `",`):                  "payment_requirements",
		with(`"20000"`, `{}`):                                "payment_requirements",
		with(`300`, `1.5`):                                   "payment_requirements",
		with(`300`, `-1`):                                    "payment_requirements",
		with(`300`, `99999999999999999999`):                  "payment_requirements",
		`{"x402Version":3,"accepts":[` + requirements + `]}`: "payment_requirements",
		with(`"exact"`, `"upto"`):                            "scheme",
		with(`"exact"`, `7`):                                 "scheme",
		with(`"name":"USD Coin",`, ``):                       "payment_requirements.extra",
		with(`"extra":{"name":"USD Coin"`, `"extra":null,"other":{"name":"x"`): "payment_requirements.extra",
		with(`"kept":{"a":1}`, `"assetTransferMethod":"permit2"`):              "asset_transfer_method",
		with(`"kept":{"a":1}`, `"asset_transfer_method":{}`):                   "asset_transfer_method",
	} {
		_, err := x402.Parse([]byte(text))
		if invalid, ok := errors.AsType[*orchestration.ValidationError](err); !ok || invalid.Field != field {
			t.Errorf("%.200s: %v; want %s", text, err, field)
		}
	}
	if _, err := x402.FromPayment(orchestration.MarketPayment{}); err == nil || !strings.Contains(err.Error(), "payment.rail.metadata") {
		t.Errorf("no metadata: %v", err)
	}
}

func TestSignStaysWithinTheLimits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*x402.Payer, *x402.Challenge)
		want   string
	}{
		"another chain":          {func(_ *x402.Payer, c *x402.Challenge) { c.Network = "eip155:1" }, "network"},
		"a name not given":       {func(_ *x402.Payer, c *x402.Challenge) { c.Network = "base-sepolia" }, "network"},
		"another namespace":      {func(_ *x402.Payer, c *x402.Challenge) { c.Network = "solana:8453" }, "network"},
		"a name for a chain":     {func(p *x402.Payer, c *x402.Challenge) { c.Network, p.ChainNames = "eip155:1", []string{"eip155:1"} }, "network"},
		"another token":          {func(_ *x402.Payer, c *x402.Challenge) { c.Asset = payee }, "asset"},
		"no token":               {func(_ *x402.Payer, c *x402.Challenge) { c.Asset = "USDC" }, "asset"},
		"no payee":               {func(_ *x402.Payer, c *x402.Challenge) { c.PayTo = "0x22" }, "payTo"},
		"payee without 0x":       {func(_ *x402.Payer, c *x402.Challenge) { c.PayTo = payee[2:] }, "payTo"},
		"one unit too much":      {func(_ *x402.Payer, c *x402.Challenge) { c.Amount = "20001" }, "amount"},
		"nothing":                {func(_ *x402.Payer, c *x402.Challenge) { c.Amount = "0" }, "amount"},
		"negative":               {func(_ *x402.Payer, c *x402.Challenge) { c.Amount = "-1" }, "amount"},
		"hex":                    {func(_ *x402.Payer, c *x402.Challenge) { c.Amount = "0x10" }, "amount"},
		"major units":            {func(_ *x402.Payer, c *x402.Challenge) { c.Amount = "1.5" }, "amount"},
		"exponent":               {func(_ *x402.Payer, c *x402.Challenge) { c.Amount = "1e3" }, "amount"},
		"leading zero":           {func(_ *x402.Payer, c *x402.Challenge) { c.Amount = "01" }, "amount"},
		"more than 256 bits":     {func(_ *x402.Payer, c *x402.Challenge) { c.Amount = strings.Repeat("9", 78) }, "amount"},
		"a second too long":      {func(_ *x402.Payer, c *x402.Challenge) { c.MaxTimeoutSeconds = 301 }, "maxTimeoutSeconds"},
		"no domain":              {func(_ *x402.Payer, c *x402.Challenge) { c.TokenVersion = "" }, "extra"},
		"payer without limit":    {func(p *x402.Payer, _ *x402.Challenge) { p.MaxAmount = nil }, "x402 payer needs"},
		"payer without chain":    {func(p *x402.Payer, _ *x402.Challenge) { p.ChainID = 0 }, "x402 payer needs"},
		"payer without signer":   {func(p *x402.Payer, _ *x402.Challenge) { p.Signer = nil }, "x402 payer needs"},
		"payer without validity": {func(p *x402.Payer, _ *x402.Challenge) { p.MaxValidity = time.Millisecond }, "x402 payer needs"},
		"wallet that is none":    {func(p *x402.Payer, _ *x402.Challenge) { p.Signer = odd{p.Signer, "me"} }, "payer"},
		"another wallet's key":   {func(p *x402.Payer, _ *x402.Challenge) { p.Signer = odd{p.Signer, payee} }, "bad signature"},
	} {
		p, challenge := payer(t), parse(t, body)
		c.change(&p, &challenge)
		if got, err := p.Sign(t.Context(), challenge); err == nil || !strings.Contains(err.Error(), c.want) || got.Header != "" {
			t.Errorf("%s: %+v, %v; want an error about %s", name, got, err, c.want)
		}
	}
}

// odd says that it has another address.
type odd struct {
	x402.Signer
	address string
}

func (o odd) Address() string { return o.address }

func (o odd) SignTypedData(ctx context.Context, typed apitypes.TypedData) (string, error) {
	return o.Signer.SignTypedData(ctx, typed)
}

func TestSignWritesTheHeader(t *testing.T) {
	t.Parallel()
	first, err := payer(t).Sign(t.Context(), parse(t, body))
	if err != nil {
		t.Fatal(err)
	}
	second, err := payer(t).Sign(t.Context(), parse(t, body))
	if err != nil || first.Nonce == second.Nonce || first.ValidBefore != "1800000300" {
		t.Errorf("nonces %s and %s, good until %s, %v", first.Nonce, second.Nonce, first.ValidBefore, err)
	}
	sent := decoded(t, first.Header)
	accepted, _ := json.Marshal(sent["accepted"])
	resource, _ := json.Marshal([]any{sent["resource"], sent["extensions"]})
	var want, got any
	_ = json.Unmarshal([]byte(requirements), &want)
	_ = json.Unmarshal(accepted, &got)
	if fmt.Sprint(want) != fmt.Sprint(got) || string(resource) != `[{"url":"https://p.example/q?a=1\u0026b"},{"e":[1]}]` {
		t.Errorf("accepted %s, resource and extensions %s", accepted, resource)
	}

	old, err := payer(t).Sign(t.Context(), parse(t, v1))
	if err != nil {
		t.Fatal(err)
	}
	sent = decoded(t, old.Header)
	if old.HeaderName != "X-PAYMENT" || sent["x402Version"] != 1.0 || sent["network"] != "base" || sent["scheme"] != "exact" ||
		sent["accepted"] != nil || !strings.HasPrefix(old.Reference, "x402:base:") {
		t.Errorf("version 1: %v, %+v", sent, old)
	}

	// A challenge without a time gets the payer's.
	untimed := parse(t, strings.Replace(requirements, `"maxTimeoutSeconds":300,`, "", 1))
	if got, err := payer(t).Sign(t.Context(), untimed); err != nil || got.ValidBefore != "1800000300" {
		t.Errorf("no time asked for: %s, %v", got.ValidBefore, err)
	}
}

func TestReadHeaderRefuses(t *testing.T) {
	t.Parallel()
	challenge := parse(t, body)
	signed, err := payer(t).Sign(t.Context(), challenge)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := x402.ReadHeader(signed.Header, challenge, 8453); err != nil || again != signed {
		t.Errorf("%+v, %v; want %+v", again, err, signed)
	}
	text, err := base64.StdEncoding.DecodeString(string(signed.Header))
	if err != nil {
		t.Fatal(err)
	}
	forged := func(old, with string) orchestration.Secret {
		return orchestration.Secret(base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(text), old, with, 1))))
	}
	for name, header := range map[string]orchestration.Secret{
		"nothing":       "",
		"no base64":     "%%%",
		"no JSON":       "e30gZTMw",
		"version 1":     forged(`"x402Version":2`, `"x402Version":1`),
		"less":          forged(`"value":"20000"`, `"value":"19999"`),
		"other payee":   forged(`"to":"`+payee, `"to":"`+usdc),
		"other payer":   forged(signed.From, payee),
		"longer":        forged(`"validBefore":"1800000300"`, `"validBefore":"1800000301"`),
		"hex time":      forged(`"validBefore":"1800000300"`, `"validBefore":"0x6b49d32c"`),
		"other nonce":   forged(signed.Nonce, "0x"+strings.Repeat("0", 64)),
		"short nonce":   forged(signed.Nonce, "0x00"),
		"no signature":  forged(`"signature":"0x`, `"signature":"`),
		"authorization": forged(`"authorization"`, `"permit"`),
	} {
		_, err := x402.ReadHeader(header, challenge, 8453)
		_, invalid := errors.AsType[*orchestration.ValidationError](err)
		if !invalid && !errors.Is(err, agentkey.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(*x402.Challenge){
		"token":   func(c *x402.Challenge) { c.Asset = payee },
		"amount":  func(c *x402.Challenge) { c.Amount = "20001" },
		"payee":   func(c *x402.Challenge) { c.PayTo = usdc },
		"domain":  func(c *x402.Challenge) { c.TokenName = "USDC" },
		"network": func(c *x402.Challenge) { c.Network = "eip155:1" },
	} {
		other := challenge
		change(&other)
		if _, err := x402.ReadHeader(signed.Header, other, 8453); err == nil {
			t.Errorf("another %s is taken", name)
		}
	}
	if _, err := x402.ReadHeader(signed.Header, parse(t, strings.Replace(body, "eip155:8453", "base", 1)), 1); !errors.Is(err, agentkey.ErrSignature) {
		t.Errorf("another chain: %v", err)
	}
}

// FuzzParse: whatever is parsed is the same behind base64, and is signed only
// within the limits.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{body, v1, requirements, snake(body), base64.StdEncoding.EncodeToString([]byte(body)), `{"paymentRequest":{"paymentRequired":"e30="}}`, `{"accepts":[null]}`, `{"asset":"` + usdc + `","extra":[]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		challenge, err := x402.Parse(source)
		if err != nil {
			if _, ok := errors.AsType[*orchestration.ValidationError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		if bytesOf := strings.TrimSpace(string(source)); bytesOf[0] == '{' && len(bytesOf) < 32<<10 {
			again, err := x402.Parse([]byte(base64.StdEncoding.EncodeToString(source)))
			if err != nil || again.Amount != challenge.Amount || again.PayTo != challenge.PayTo {
				t.Fatalf("behind base64: %+v, %v", again, err)
			}
		}
		p := payer(t)
		payment, err := p.Sign(t.Context(), challenge)
		if err != nil {
			return
		}
		value, ok := new(big.Int).SetString(payment.Value, 10)
		if !ok || value.Sign() <= 0 || value.Cmp(p.MaxAmount) > 0 || !strings.EqualFold(payment.Asset, p.Asset) ||
			payment.ExpiresAt.After(p.Now().Add(p.MaxValidity)) {
			t.Fatalf("beyond the limits: %+v", payment)
		}
	})
}
