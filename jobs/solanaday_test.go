package jobs_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

// madeUp is a rig whose orders are paid in SOL on a made-up cluster behind a proxy, and a second one where it is asked for.
type madeUp struct {
	*rig
	cluster       *chaintest.Cluster
	first, second *chaintest.Proxy
	payer, other  sdk.PrivateKey
	payee         sdk.PublicKey
}

const (
	madePrice = sdk.LAMPORTS_PER_SOL / 2
	// slotsOfADay are those of Solana, 400 ms each.
	slotsOfADay = 216_000
)

func newMadeUp(t *testing.T, endpoints int, change ...func(*setup, *jobs.Chain)) *madeUp {
	t.Helper()
	m := &madeUp{cluster: chaintest.NewCluster(1, 1_000_000)}
	server := httptest.NewServer(m.cluster)
	t.Cleanup(server.Close)
	m.first, m.second = chaintest.NewProxy(t, server.URL), chaintest.NewProxy(t, server.URL)
	var payee sdk.PrivateKey
	for _, k := range []*sdk.PrivateKey{&m.payer, &m.other, &payee} {
		var err error
		if *k, err = devnet.NewSolanaKey(); err != nil {
			t.Fatal(err)
		}
	}
	m.payee = payee.PublicKey()
	id := solana.ChainOf(m.cluster.Genesis())
	sol := settlement.Token{Chain: id, Symbol: "SOL", Decimals: 9}
	m.rig = newRig(t, func(s *setup) {
		s.price, s.deadline, s.skew = "0.5", 100*time.Hour, 15*time.Minute
		s.advice = func(a *orchestration.RailRecommendation) {
			a.Chain, a.Token, a.TokenAddress, a.PayeeAddress = string(id), "SOL", "", m.payee.String()
		}
		s.more = func() jobs.Chain {
			config := solana.Config{Chain: id, Tokens: []solana.Token{{Token: sol}}, Endpoints: []solana.Endpoint{{Name: "first", URL: m.first.URL()}}}
			if endpoints > 1 {
				config.Endpoints = append(config.Endpoints, solana.Endpoint{Name: "second", URL: m.second.URL()})
			}
			chain, err := solana.New(config)
			if err != nil {
				panic(err)
			}
			out := jobs.Chain{
				ID: id, Tokens: []settlement.Token{sol}, PollInterval: 50 * time.Millisecond, Verifier: chain, Accounts: chain, References: true,
				ParseAddress: solana.ParseAddress, FormatAddress: solana.FormatAddress, ParseTxID: solana.ParseTxID, FormatTxID: solana.FormatTxID,
				CheckSignature: solana.CheckSignature,
			}
			for _, c := range change {
				c(s, &out)
			}
			return out
		}
		for _, c := range change {
			c(s, &jobs.Chain{})
		}
	})
	return m
}

// due is an order that waits for its payment.
type due struct {
	order     string
	payment   settlement.PaymentID
	reference sdk.PublicKey
}

func (m *madeUp) open() due {
	m.t.Helper()
	order := m.order()
	m.tell(order)
	p := m.await(order, false, settlement.StateAwaitingPayment)
	m.cluster.Advance(1) // nobody pays in the slot in which he is told what to pay
	return due{order, p.ID, sdk.PublicKeyFromBytes([]byte(p.Terms.Reference))}
}

// pay pays the order in the latest slot.
func (m *madeUp) pay(d due) settlement.TxID {
	m.t.Helper()
	return m.send(madePrice, d.reference)
}

func (m *madeUp) send(lamports uint64, references ...sdk.PublicKey) settlement.TxID {
	m.t.Helper()
	signatures, err := m.cluster.Pay(chaintest.ClusterPayment{From: m.payer, To: m.payee, Lamports: lamports, References: references})
	if err != nil {
		m.t.Fatal(err)
	}
	return settlement.TxID(signatures[0][:])
}

// settled waits until the transaction has settled the order, while slots pass.
func (m *madeUp) settled(d due, by settlement.TxID) {
	m.t.Helper()
	m.eventually("order "+d.order+" is settled", func() error {
		p, err := m.payment(d.order)
		if err == nil && p.State != settlement.StateHeld {
			m.cluster.Advance(1)
			err = fmt.Errorf("it is %s (%s: %s)", p.State, p.Reason, p.Detail)
		}
		if err == nil && p.PaidBy != by {
			m.t.Fatalf("paid by %s, want %s", solana.FormatTxID(p.PaidBy), solana.FormatTxID(by))
		}
		return err
	})
}

// After a day away 10,000 transactions name one payee. All orders among them are settled, within what the endpoint allows,
// though it refuses now and then and the service is restarted in the middle.
func TestSolanaCatchesUpWithADay(t *testing.T) {
	t.Parallel()
	m := newMadeUp(t, 1)
	var orders []due
	for range 10 {
		orders = append(orders, m.open())
	}
	m.settled(orders[0], m.pay(orders[0]))
	m.stop()
	const many = 10_000
	paid := make(map[string]settlement.TxID)
	next := 1
	for i := range many {
		m.cluster.Advance(slotsOfADay / many)
		switch {
		case i%(many/(len(orders)-1)) == 5:
			paid[orders[next].order] = m.pay(orders[next])
			next++
		case i%10 == 0: // somebody else's money
			m.send(uint64(i + 1))
		default:
			m.cluster.Fail(m.payee)
		}
	}
	var calls atomic.Int64
	m.first.Intercept(func(chaintest.Call) chaintest.Answer {
		if calls.Add(1)%300 == 0 {
			return chaintest.Answer{Status: http.StatusTooManyRequests}
		}
		return chaintest.Pass
	})
	lists := m.cluster.Calls("getSignaturesForAddress")
	m.runner = m.newRunner(m.setup)
	stop := m.start(m.runner)
	m.eventually("half of it is read", func() error {
		if m.cluster.Calls("getTransaction") < many/20 {
			return errNotYet
		}
		return nil
	})
	stop()
	m.runner = m.newRunner(m.setup)
	m.stop = m.start(m.runner)
	for _, d := range orders[1:] {
		m.settled(d, paid[d.order])
	}
	if reads := m.cluster.Calls("getTransaction"); reads > many/5 {
		t.Errorf("%d transactions were read, want each of the successful ones about once", reads)
	}
	t.Logf("%d lists, %d reads", m.cluster.Calls("getSignaturesForAddress")-lists, m.cluster.Calls("getTransaction"))
}

// What is looked at once more for an order that no stored cursor vouches for is not begun anew after each refusal.
func TestSolanaLooksAgainDespiteRefusals(t *testing.T) {
	t.Parallel()
	m := newMadeUp(t, 1)
	first, _ := m.open(), m.open()
	m.settled(first, m.pay(first)) // a cursor is stored that vouches for the other one
	late := m.open()
	m.stop()
	paid := m.pay(late)
	for range 400 {
		m.cluster.Advance(1)
		m.send(1)
	}
	var calls atomic.Int64
	m.first.Intercept(func(chaintest.Call) chaintest.Answer {
		if calls.Add(1)%200 == 0 {
			return chaintest.Answer{Status: http.StatusTooManyRequests}
		}
		return chaintest.Pass
	})
	m.runner = m.newRunner(m.setup)
	m.stop = m.start(m.runner)
	m.settled(late, paid)
}

// What an endpoint cannot or will not tell says nothing about a payment. Each trouble has its code in the log, and the
// payment is found once somebody can tell.
func TestSolanaEndpointTrouble(t *testing.T) {
	t.Parallel()
	refuse := func(code int, message string, methods ...string) func(chaintest.Call) chaintest.Answer {
		return func(c chaintest.Call) chaintest.Answer {
			for _, method := range methods {
				if c.Method == method {
					return chaintest.Answer{Error: &chaintest.RPCError{Code: code, Message: message}}
				}
			}
			return chaintest.Pass
		}
	}
	for _, tt := range []struct {
		name   string
		answer func(chaintest.Call) chaintest.Answer
		reason settlement.Code
	}{
		{"behind", refuse(-32005, "Node is behind by 4711 slots", "getSlot", "getSignaturesForAddress", "getTransaction"), settlement.RPCUnavailable},
		{"not at the slot yet", refuse(-32016, "Minimum context slot has not been reached", "getSignaturesForAddress"), settlement.RPCUnavailable},
		{"rate limit", func(chaintest.Call) chaintest.Answer { return chaintest.Answer{Status: http.StatusTooManyRequests} }, settlement.RPCRateLimited},
		{"rate limit in words", refuse(-32000, "Too many requests for a specific RPC call", "getSignaturesForAddress"), settlement.RPCRateLimited},
		{"history pruned", nil, settlement.RPCHistoryUnavailable},
		{"another cluster", func(c chaintest.Call) chaintest.Answer {
			if c.Method == "getGenesisHash" {
				return chaintest.Answer{Result: json.RawMessage(`"5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"`)}
			}
			return chaintest.Answer{}
		}, settlement.RPCMisconfigured},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := newMadeUp(t, 1)
			d := m.open()
			m.stop()
			m.first.Intercept(tt.answer)
			m.cluster.Advance(1000)
			paid := m.pay(d)
			m.cluster.Advance(100)
			if tt.answer == nil {
				m.cluster.Forget(m.cluster.Latest() - 50)
			}
			m.runner = m.newRunner(m.setup)
			m.stop = m.start(m.runner)
			m.eventually("the log says what is wrong", func() error { return m.logged("WARN", "chain not read", "reason="+string(tt.reason)) })
			if p, err := m.payment(d.order); err != nil || p.State != settlement.StateAwaitingPayment {
				t.Errorf("state %s (%v), want it to wait", p.State, err)
			}
			m.first.Intercept(nil)
			m.cluster.Forget(1)
			m.settled(d, paid)
		})
	}
	// With a second endpoint nobody has to wait for the first.
	t.Run("behind, beside another", func(t *testing.T) {
		t.Parallel()
		m := newMadeUp(t, 2)
		m.first.Intercept(refuse(-32005, "Node is behind by 4711 slots", "getSlot", "getSignaturesForAddress", "getTransaction"))
		d := m.open()
		m.settled(d, m.pay(d))
	})
}

// A transaction has the signatures of all who signed it, and the first one is its name. Whoever hands in another one is not
// believed, and the payment is found by itself.
func TestSolanaSignatureOfACosigner(t *testing.T) {
	t.Parallel()
	for _, knows := range []bool{false, true} { // the endpoint answers with the transaction all the same
		t.Run(fmt.Sprintf("answered %t", knows), func(t *testing.T) {
			t.Parallel()
			m := newMadeUp(t, 1)
			d := m.open()
			var named, stopped atomic.Pointer[sdk.Signature]
			m.first.Intercept(func(c chaintest.Call) chaintest.Answer {
				switch first, cosigned := stopped.Load(), named.Load(); {
				case c.Method == "getSignaturesForAddress" && first != nil: // for as long as the other one is looked for
					return chaintest.Answer{Status: http.StatusServiceUnavailable}
				case knows && cosigned != nil && c.Method == "getTransaction" && strings.Contains(string(c.Params), cosigned.String()):
					return chaintest.Answer{Result: m.transaction(*first)}
				}
				return chaintest.Pass
			})
			m.stop() // nobody finds the payment before it is hidden
			signatures, err := m.cluster.Pay(chaintest.ClusterPayment{
				From: m.payer, To: m.payee, Lamports: madePrice, References: []sdk.PublicKey{d.reference}, Cosigner: m.other,
			})
			if err != nil {
				t.Fatal(err)
			}
			stopped.Store(&signatures[0])
			named.Store(&signatures[1])
			m.cluster.Advance(100)
			m.runner = m.newRunner(m.setup)
			m.stop = m.start(m.runner)
			if _, err := m.runner.NameTransaction(t.Context(), d.payment, settlement.TxID(signatures[1][:])); err != nil {
				t.Fatal(err)
			}
			looked := m.first.Calls("getTransaction")
			m.eventually("it is looked for", func() error {
				if m.first.Calls("getTransaction") == looked {
					return errNotYet
				}
				return nil
			})
			if p := m.await(d.order, false, settlement.StateVerifying); p.Settled() {
				t.Error("settled by a co-signer's signature")
			}
			named.Store(nil)
			stopped.Store(nil)
			m.settled(d, settlement.TxID(signatures[0][:]))
		})
	}
}

// transaction is what the cluster says of it.
func (m *madeUp) transaction(signature sdk.Signature) json.RawMessage {
	result, err := m.cluster.Transaction(signature)
	if err != nil {
		m.t.Error(err)
	}
	return result
}
