package store_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

const (
	chain = settlement.ChainID("eip155:1")
	token = settlement.Address("token---------------")
	payee = settlement.Address("payee---------------")
	alice = settlement.Address("alice---------------")
	bob   = settlement.Address("bob-----------------")
)

var (
	now     = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	amounts = cmpopts.EquateComparable(settlement.Amount{})
)

// inTx runs f in a transaction that commits.
func inTx(t *testing.T, pool *pgxpool.Pool, f func(pgx.Tx) error) {
	t.Helper()
	if err := pgx.BeginFunc(t.Context(), pool, f); err != nil {
		t.Fatal(err)
	}
}

// id is the payment id of a number; ids have the order of their numbers.
func id(n int) settlement.PaymentID {
	var out settlement.PaymentID
	binary.BigEndian.PutUint64(out[8:], uint64(n))
	return out
}

func newPayment(n int) store.NewPayment {
	return store.NewPayment{
		ID: id(n), Marketplace: "m", OrderID: fmt.Sprintf("o%d", n), MachineID: "x", Rail: "wallet",
		PayTokenHash: sha256.Sum256([]byte{byte(n)}),
	}
}

// insert records orders with these numbers, in state new.
func insert(t *testing.T, pool *pgxpool.Pool, numbers ...int) {
	t.Helper()
	var payments []store.NewPayment
	for _, n := range numbers {
		payments = append(payments, newPayment(n))
	}
	inTx(t, pool, func(tx pgx.Tx) error {
		_, err := store.InsertPayments(t.Context(), tx, payments, now, now)
		return err
	})
}

func terms(price uint64, proven, named settlement.Address) settlement.Terms {
	return settlement.Terms{
		Token: settlement.Token{Chain: chain, Address: token, Symbol: "USDC", Decimals: 6},
		Payee: payee, Amount: settlement.NewAmount(price), ProvenPayer: proven, NamedPayer: named,
		NotBefore: now, FromBlock: 100, Deadline: now.Add(time.Hour), Grace: time.Minute,
	}
}

// play saves what the events make of a payment.
func play(t *testing.T, pool *pgxpool.Pool, n int, events ...settlement.Event) settlement.Payment {
	t.Helper()
	var p settlement.Payment
	inTx(t, pool, func(tx pgx.Tx) error {
		locked, err := store.LockPayments(t.Context(), tx, []settlement.PaymentID{id(n)})
		if err != nil {
			return err
		}
		p = locked[0]
		for _, e := range events {
			if p, err = settlement.Next(p, e); err != nil {
				return err
			}
		}
		return store.SavePayments(t.Context(), tx, []store.Change{{Old: locked[0], New: p, DueAt: now}}, now)
	})
	return p
}

func intentReady(t settlement.Terms) settlement.Event {
	return settlement.Event{Kind: settlement.EventIntentReady, Terms: &t}
}

// open records a payment that awaits its money.
func open(t *testing.T, pool *pgxpool.Pool, n int, terms settlement.Terms) settlement.Payment {
	t.Helper()
	insert(t, pool, n)
	return play(t, pool, n, intentReady(terms))
}

func txid(name string) settlement.TxID { return settlement.TxID(fmt.Sprintf("%-32s", name)) }

// seen is a transfer by alice at a log of a transaction, seen for a payment in block 101.
func seen(n int, name string, log int) store.SeenTransfer {
	t := settlement.Transfer{
		Token: token, Payer: alice, Payee: payee, Amount: settlement.NewAmount(10), Position: fmt.Sprintf("log/%d", log), Index: log,
	}
	block := settlement.Block{Number: 101, Hash: settlement.BlockHash(fmt.Sprintf("%-32s", "block 101")), Time: now}
	return store.SeenTransfer{
		Payment: id(n), Chain: chain, Status: store.TransferSeen, SeenAt: now, Finality: "depth 12",
		Sighting: settlement.Sighting{
			TxID: txid(name), Transfer: t, Block: block,
			Verdict: settlement.Verdict{Code: settlement.Verified, Evidence: &settlement.Evidence{Chain: chain, Block: 101, Finality: "depth 12", Endpoints: []string{"a"}, BlockTime: now}},
		},
	}
}
