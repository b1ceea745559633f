package api

import (
	"encoding/xml"
	"fmt"
	"image"
	"image/draw"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	qr "github.com/piglig/go-qr"

	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/solana"
)

func TestPay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	orderID, id := r.payable("acme")
	path := "/v1/pay/" + r.runner.PayToken(id)

	got := r.do(http.MethodGet, path, "")
	b := into[payBody](t, got, http.StatusOK)
	if b.State != "awaiting_payment" || b.ActsNext != "payer" || b.Message != b.Instructions.Text || !b.Instructions.PayNow || !strings.HasPrefix(b.Message, "Send exactly 1.500000 USDC") {
		t.Errorf("got %+v", b)
	}

	if got := into[named](t, r.do(http.MethodPost, path+"/transactions", `{"txid":"`+txA+`"}`), http.StatusAccepted); got.State != "verifying" {
		t.Errorf("named: got %+v", got)
	}
	into[named](t, r.do(http.MethodPost, path+"/transactions", `{"txid":"`+txA+`"}`), http.StatusAccepted) // again
	r.do(http.MethodPost, path+"/transactions", `{"txid":"0xzz"}`).problem(t, TxIDMalformed)
	if b = into[payBody](t, r.do(http.MethodGet, path, ""), http.StatusOK); b.Named != txA || b.Instructions.PayNow || b.Instructions.PaymentURI == "" {
		t.Errorf("verifying: got %+v", b)
	}

	r.advance(settlement.Event{ID: "final", Payment: id, Kind: settlement.EventPaymentConfirmed, Sighting: r.sighting(txA, 1_500_000, settlement.Verified, "")})
	got = r.do(http.MethodGet, path, "")
	b = into[payBody](t, got, http.StatusOK)
	if b.State != "verified" || b.Message != "Paid. Do not pay again." || len(b.Transactions) != 1 || !b.Transactions[0].Settles {
		t.Errorf("paid: got %+v", b)
	}
	for _, internal := range []string{"acme", "mach_1", "alpha", orderID, id.String(), "history", "evidence", "platform"} {
		if strings.Contains(string(got.body), `"`+internal) {
			t.Errorf("the payer sees %s: %s", internal, got.body)
		}
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := got.header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

// The instructions of a payment on Solana, and their QR code read as a wallet reads it.
func TestPayOnSolana(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const (
		mint      = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
		wallet    = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
		reference = "8XnvkrYqB4wgNVuhPMcYPXmbPYnFMfHTwGTHsQBkbZKs"
	)
	parse := func(text string) settlement.Address {
		t.Helper()
		a, err := solana.ParseAddress(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	for _, tt := range []struct {
		name           string
		token          settlement.Token
		payer          settlement.Address
		message, query string
	}{
		{"a mint", settlement.Token{Chain: solana.Mainnet, Address: parse(mint), Symbol: "USDC", Decimals: 6}, "", "Send exactly 1.500000 USDC (token " + mint + ") on solana (" +
			string(solana.Mainnet) + ") to " + wallet + " with the reference " + reference + " by ", "amount=1.500000&spl-token=" + mint},
		{"SOL, and a payer", settlement.Token{Chain: solana.Mainnet, Symbol: "SOL", Decimals: 9}, parse(mint), "Send exactly 0.001500000 SOL (the chain's own coin) on solana (" +
			string(solana.Mainnet) + ") to " + wallet + " from " + mint + ", or with the reference " + reference + " by ", "amount=0.001500000"},
	} {
		_, id := r.order("acme")
		now := time.Now().UTC().Truncate(time.Second)
		key := parse(reference)
		if tt.payer != "" {
			key = parse(wallet) // each payment has a reference of its own
			tt.message = strings.Replace(tt.message, "reference "+reference, "reference "+wallet, 1)
		}
		r.advance(settlement.Event{ID: "opened", Payment: id, Kind: settlement.EventOrderOpened},
			settlement.Event{ID: "ready", Payment: id, Kind: settlement.EventIntentReady, Terms: &settlement.Terms{
				Token: tt.token, Payee: parse(wallet), Amount: settlement.NewAmount(1_500_000), Reference: key, NamedPayer: tt.payer,
				NotBefore: now.Add(-time.Minute), FromBlock: 10, Deadline: now.Add(time.Hour), Grace: 10 * time.Minute,
			}})
		path := "/v1/pay/" + r.runner.PayToken(id)
		in := into[payBody](t, r.do(http.MethodGet, path, ""), http.StatusOK).Instructions
		uri := "solana:" + wallet + "?" + tt.query + "&reference=" + solana.FormatAddress(key) + "&memo=" + id.String()
		if !strings.HasPrefix(in.Text, tt.message) || in.PaymentURI != uri || in.Reference != solana.FormatAddress(key) || in.Memo != id.String() ||
			in.QRURL != "https://settler.example"+path+"/qr.svg" {
			t.Errorf("%s: got %+v, want %s", tt.name, in, uri)
		}
		image := r.do(http.MethodGet, path+"/qr.svg", "")
		if got := scan(t, image); got != uri || image.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the QR code says %s, want %s; headers %v", tt.name, got, uri, image.header)
		}
		r.advance(settlement.Event{ID: "canceled", Payment: id, Kind: settlement.EventOrderCanceled})
		r.do(http.MethodGet, path+"/qr.svg", "").problem(t, StateConflict)
	}
	r.do(http.MethodGet, "/v1/pay/AAAAAAAAAAAAAAAAAAAAAA/qr.svg", "").problem(t, NotFound)
}

// scan reads the QR code in an SVG image.
func scan(t *testing.T, a answer) string {
	t.Helper()
	if got := a.header.Get("Content-Type"); a.status != http.StatusOK || got != "image/svg+xml" {
		t.Fatalf("got %d, %s: %s", a.status, got, a.body)
	}
	var drawing struct {
		ViewBox string `xml:"viewBox,attr"`
		Path    struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(a.body, &drawing); err != nil {
		t.Fatal(err)
	}
	var x, y, side int
	if _, err := fmt.Sscanf(drawing.ViewBox, "%d %d %d", &x, &y, &side); err != nil {
		t.Fatal(err)
	}
	const scale = 4
	picture := image.NewGray(image.Rect(0, 0, side*scale, side*scale))
	draw.Draw(picture, picture.Bounds(), image.White, image.Point{}, draw.Src)
	for module := range strings.FieldsSeq(strings.ReplaceAll(drawing.Path.D, "M", " ")) {
		if _, err := fmt.Sscanf(module, "%d,%dh1v1h-1z", &x, &y); err != nil {
			t.Fatalf("%q: %v", module, err)
		}
		draw.Draw(picture, image.Rect(x*scale, y*scale, (x+1)*scale, (y+1)*scale), image.Black, image.Point{}, draw.Src)
	}
	text, err := qr.Decode(picture)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestPayUnknown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, id := r.payable("acme")
	read := r.key("acme", scopeRead)
	// One answer for everything that is not there, so that nothing can be learnt by asking.
	want := r.do(http.MethodGet, "/v1/payments/"+newID().String(), "", "Authorization", "Bearer "+read).problem(t, NotFound)
	want.RequestID = ""
	for _, a := range []answer{
		r.do(http.MethodGet, "/v1/pay/AAAAAAAAAAAAAAAAAAAAAA", ""),
		r.do(http.MethodGet, "/v1/pay/x", ""),
		r.do(http.MethodGet, "/v1/pay/"+strings.Repeat("x", 1000), ""),
		r.do(http.MethodGet, "/v1/pay/%00%ff", ""),
		r.do(http.MethodGet, "/v1/pay/"+id.String(), ""),
		r.do(http.MethodPost, "/v1/pay/AAAAAAAAAAAAAAAAAAAAAA/transactions", `{"txid":"`+txA+`"}`),
		r.do(http.MethodPost, "/v1/pay/AAAAAAAAAAAAAAAAAAAAAA/transactions", `{"txid":"nonsense"}`),
	} {
		got := a.problem(t, NotFound)
		got.RequestID = ""
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(Problem{})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestPayRateLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, one := r.payable("acme")
	_, two := r.payable("acme")
	post := func(id settlement.PaymentID) answer {
		return r.do(http.MethodPost, "/v1/pay/"+r.runner.PayToken(id)+"/transactions", `{"txid":"`+txA+`"}`)
	}
	for range payWritesPerToken {
		into[named](t, post(one), http.StatusAccepted)
	}
	limited := post(one)
	limited.problem(t, RateLimited)
	if seconds, err := strconv.Atoi(limited.header.Get("Retry-After")); err != nil || seconds < 1 {
		t.Errorf("Retry-After: got %q", limited.header.Get("Retry-After"))
	}
	into[named](t, post(two), http.StatusAccepted) // another payer at the same address is not held up

	// One client that tries many tokens is held up, whatever it says about where it comes from.
	for i := range payWritesPerIP {
		a := r.do(http.MethodPost, "/v1/pay/guess"+strconv.Itoa(i)+"/transactions", `{"txid":"`+txA+`"}`, "X-Forwarded-For", "192.0.2."+strconv.Itoa(i))
		if a.status == http.StatusTooManyRequests {
			return
		}
	}
	t.Errorf("%d tokens were tried without a limit", payWritesPerIP)
}

// A payer asks for the token account of his order's wallet, as often as he likes; the marketplace bounds how many are made in an hour.
func TestTokenAccountForAPayer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.hold()
	r.runner = r.api.cfg.Runner
	chain, _ := r.runner.Chain(solanaName)
	chain.Escrow.TokenAccounts = &jobs.TokenAccounts{PerHour: 1}
	vaultOrder := func(n byte) string {
		t.Helper()
		_, id := r.order("acme")
		key := func(b byte) settlement.Address { return settlement.Address(strings.Repeat(string(rune(b)), 32)) }
		now := time.Now().UTC().Truncate(time.Second)
		v := settlement.Vault{
			Chain: solanaName, Address: key(10 + n), OrderKey: [32]byte{n}, Token: key(1), Amount: settlement.NewAmount(1_500_000), Payer: key(2), Payee: key(3),
			Operator: chain.Escrow.Mover.Signer(), Arbiter: chain.Escrow.Mover.Signer(), ReclaimAt: now.Add(time.Hour), DisputeAt: now.Add(2 * time.Hour),
		}
		if err := pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error {
			_, err := store.KeepVault(t.Context(), tx, "acme", id.String(), v, now)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		r.advance(settlement.Event{ID: "opened", Payment: id, Kind: settlement.EventOrderOpened},
			settlement.Event{ID: "ready", Payment: id, Kind: settlement.EventIntentReady, Terms: &settlement.Terms{
				Token: settlement.Token{Chain: solanaName, Address: v.Token, Symbol: "USDC", Decimals: 6}, Payee: v.Address, Amount: v.Amount, ProvenPayer: v.Payer,
				Custody: settlement.CustodyVault, NotBefore: now, FromBlock: 10, Deadline: now.Add(time.Hour),
			}})
		return "/v1/pay/" + r.runner.PayToken(id)
	}
	shown := func(path string) *tokenAccount {
		t.Helper()
		return into[payBody](t, r.do(http.MethodGet, path, ""), http.StatusOK).TokenAccount
	}
	_, direct := r.payable("acme")
	if path := "/v1/pay/" + r.runner.PayToken(direct); shown(path) != nil {
		t.Error("a direct payment is offered a token account")
	} else {
		r.do(http.MethodPost, path+"/token-account", "").problem(t, StateConflict)
	}
	r.do(http.MethodPost, "/v1/pay/AAAAAAAAAAAAAAAAAAAAAA/token-account", "").problem(t, NotFound)
	first, second := vaultOrder(1), vaultOrder(2)
	if got := shown(first); got == nil || *got != (tokenAccount{State: "offered"}) {
		t.Errorf("before, %+v", got)
	}
	for range 2 {
		if got := into[tokenAccount](t, r.do(http.MethodPost, first+"/token-account", ""), http.StatusAccepted); got != (tokenAccount{State: "asked"}) {
			t.Errorf("asked: %+v", got)
		}
	}
	if got := shown(first); got == nil || *got != (tokenAccount{State: "asked"}) {
		t.Errorf("after, %+v", got)
	}
	limited := r.do(http.MethodPost, second+"/token-account", "")
	limited.problem(t, RateLimited)
	if limited.header.Get("Retry-After") == "" || shown(second).State != "offered" {
		t.Errorf("a second one within the hour: %v, %+v", limited.header, shown(second))
	}
	chain.Escrow.TokenAccounts.PerHour = 0
	r.do(http.MethodPost, second+"/token-account", "").problem(t, StateConflict)
}
