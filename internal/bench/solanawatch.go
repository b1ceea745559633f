package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/internal/chaintest"
	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/jobs"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/verify/solana"
)

const (
	// solanaPayees are paid, however many payments are open at them.
	solanaPayees = 100
	// ticksEach is how many times a round of solana-calls looks at them.
	ticksEach = 10
	// knownSignatures is of how many transactions solana-status asks what became.
	knownSignatures = 10_000
)

// steppedAccounts is stepped for an AccountWatcher.
type steppedAccounts struct {
	jobs.AccountWatcher
	*barrier
}

// Heads waits until it is told to go on.
func (s *steppedAccounts) Heads(ctx context.Context) (settlement.Heads, error) {
	if err := s.pass(ctx); err != nil {
		return settlement.Heads{}, err
	}
	return s.AccountWatcher.Heads(ctx)
}

// solanaSide is a made-up cluster, whose payees are paid in SOL.
type solanaSide struct {
	*chaintest.Cluster
	server *httptest.Server
	id     settlement.ChainID
	sol    settlement.Token
	payees []sdk.PublicKey
}

func newSolanaSide() (*solanaSide, error) {
	s := &solanaSide{Cluster: chaintest.NewCluster(1, 1_000_000)}
	s.server, s.id = httptest.NewServer(s.Cluster), solana.ChainOf(s.Genesis())
	s.sol = settlement.Token{Chain: s.id, Symbol: "SOL", Decimals: 9}
	for range solanaPayees {
		key, err := devnet.NewSolanaKey()
		if err != nil {
			return nil, err
		}
		s.payees = append(s.payees, key.PublicKey())
	}
	return s, nil
}

// terms are those of the payment with that number.
func (s *solanaSide) terms(i int, order string) settlement.Terms {
	payee := s.payees[i%len(s.payees)]
	return settlement.Terms{
		Token: s.sol, Payee: settlement.Address(payee[:]), Reference: settlement.Address(hashOf(order, uint64(i))),
		FromBlock: 1_000_000,
	}
}

// chain is the cluster's entry in a Runner's configuration.
func (s *solanaSide) chain(transport http.RoundTripper) (*solana.Chain, jobs.Chain, *barrier, error) {
	chain, err := solana.New(solana.Config{
		Chain: s.id, Endpoints: []solana.Endpoint{{Name: "made", URL: s.server.URL}}, Tokens: []solana.Token{{Token: s.sol}},
		HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		return nil, jobs.Chain{}, nil, err
	}
	watcher := &steppedAccounts{chain, newBarrier()}
	return chain, jobs.Chain{
		ID: s.id, Tokens: []settlement.Token{s.sol}, PollInterval: 10 * time.Millisecond, Verifier: chain, Accounts: watcher, References: true,
		ParseAddress: solana.ParseAddress, FormatAddress: solana.FormatAddress, ParseTxID: solana.ParseTxID, FormatTxID: solana.FormatTxID,
	}, watcher.barrier, nil
}

// measureSolanaCalls compares the RPC calls for the same ticks with 100,000 open payments at 100 payees and with 100 at as
// many. In each tick a stranger pays one of them.
func measureSolanaCalls(ctx context.Context, g *ground) (figures []float64, err error) {
	side, err := newSolanaSide()
	if err != nil {
		return nil, err
	}
	defer side.server.Close()
	type watched struct {
		counter counter
		*barrier
	}
	begin := func(payments int) (*watched, func() error, error) {
		w := &watched{}
		pool, err := g.database(ctx, poolSize, ourMode)
		if err != nil {
			return nil, nil, err
		}
		if _, err := fillWith(ctx, pool, "ord", payments, side.terms); err != nil {
			return nil, nil, err
		}
		_, chain, steps, err := side.chain(&w.counter)
		if err != nil {
			return nil, nil, err
		}
		w.barrier = steps
		runner, err := newRunner(pool, chain, "http://127.0.0.1:1")
		if err != nil {
			return nil, nil, err
		}
		stop := start(ctx, runner)
		return w, stop, warm(ctx, steps)
	}
	few, stopFew, err := begin(fewPayments)
	if err != nil {
		return nil, err
	}
	defer stopFew() //nolint:errcheck // Run returns nil
	many, stopMany, err := begin(manyPayments)
	if err != nil {
		return nil, err
	}
	defer stopMany() //nolint:errcheck // Run returns nil
	stranger, err := devnet.NewSolanaKey()
	if err != nil {
		return nil, err
	}
	for round := range rounds {
		few.counter.calls.Store(0)
		many.counter.calls.Store(0)
		for i := range ticksEach {
			if _, err := side.Pay(chaintest.ClusterPayment{From: stranger, To: side.payees[i], Lamports: 1}); err != nil {
				return nil, err
			}
			side.Advance(1)
			err := alternate(round, func() error { return few.step(ctx) }, func() error { return many.step(ctx) })
			if err != nil {
				return nil, err
			}
		}
		a, b := few.counter.calls.Load(), many.counter.calls.Load()
		note(fmt.Sprintf("solana-calls: %.1f a tick with %d payments, %.1f with %d", float64(b)/ticksEach, manyPayments, float64(a)/ticksEach, fewPayments))
		figures = append(figures, float64(b)/float64(a))
	}
	return figures, nil
}

const (
	// openVaults are open while nothing happens.
	openVaults = 10_000
	// idleTime is for how long their calls are counted in each round.
	idleTime = 10 * time.Second
)

// measureSolanaVaults counts the RPC calls a second while 10,000 vaults are open and nothing happens, with the poll interval
// that is the default.
func measureSolanaVaults(ctx context.Context, g *ground) (figures []float64, err error) {
	side, err := newSolanaSide()
	if err != nil {
		return nil, err
	}
	defer side.server.Close()
	pool, err := g.database(ctx, poolSize, ourMode)
	if err != nil {
		return nil, err
	}
	if _, err := fillWith(ctx, pool, "ord", openVaults, func(i int, order string) settlement.Terms {
		terms := side.terms(i, order)
		terms.Payee, terms.ProvenPayer, terms.Reference = settlement.Address(hashOf("vault", uint64(i))), settlement.Address(hashOf("payer", uint64(i))), ""
		terms.Custody = settlement.CustodyVault
		return terms
	}); err != nil {
		return nil, err
	}
	var calls counter
	accounts, chain, _, err := side.chain(&calls)
	if err != nil {
		return nil, err
	}
	chain.Accounts, chain.PollInterval = accounts, 2*time.Second
	runner, err := newRunner(pool, chain, "http://127.0.0.1:1")
	if err != nil {
		return nil, err
	}
	stop := start(ctx, runner)
	defer stop() //nolint:errcheck // Run returns nil
	for range rounds {
		calls.calls.Store(0)
		read := side.Calls("getMultipleAccounts")
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(idleTime):
		}
		n := calls.calls.Load()
		note(fmt.Sprintf("solana-vaults: %d calls in %s, %d of them for %d vaults", n, idleTime, side.Calls("getMultipleAccounts")-read, openVaults))
		figures = append(figures, float64(n)/idleTime.Seconds())
	}
	return figures, nil
}

// measureSolanaStatus counts the calls for statuses that it takes to learn what became of 10,000 known transactions.
func measureSolanaStatus(ctx context.Context, _ *ground) (figures []float64, err error) {
	side, err := newSolanaSide()
	if err != nil {
		return nil, err
	}
	defer side.server.Close()
	chain, _, _, err := side.chain(nil)
	if err != nil {
		return nil, err
	}
	stranger, err := devnet.NewSolanaKey()
	if err != nil {
		return nil, err
	}
	var seen []settlement.SeenTx
	for range knownSignatures {
		signatures, err := side.Pay(chaintest.ClusterPayment{From: stranger, To: side.payees[0], Lamports: 1})
		if err != nil {
			return nil, err
		}
		seen = append(seen, settlement.SeenTx{TxID: settlement.TxID(signatures[0][:]), Slot: side.Latest()})
	}
	side.Advance(100)
	for range rounds {
		before := side.Calls("getSignatureStatuses")
		fates, err := chain.Fates(ctx, seen)
		if err != nil {
			return nil, err
		}
		for i, fate := range fates {
			if fate != settlement.FateFinal {
				return nil, fmt.Errorf("transaction %d is %s, and it is final", i, fate)
			}
		}
		figures = append(figures, float64(side.Calls("getSignatureStatuses")-before))
	}
	return figures, nil
}

// measureSolanaMemory is measureMemory for payments at 100 payees of Solana.
func measureSolanaMemory(ctx context.Context, g *ground) (figures []float64, err error) {
	side, err := newSolanaSide()
	if err != nil {
		return nil, err
	}
	defer side.server.Close()
	return compareHeaps(ctx, g, "solana-memory", side.terms, func() (jobs.Chain, *barrier, error) {
		_, chain, steps, err := side.chain(nil)
		return chain, steps, err
	})
}
