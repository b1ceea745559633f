package jobs_test

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/vm"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

// One transaction moves the money of several orders: each is settled once, whether the transaction is found, named, or both.
func TestOneTransactionPaysSeveralOrders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const wallets = 3
	batch := crypto.CreateAddress(address(r.payer), r.nonce()+2*wallets)
	usd := contracts.NewTestUSD()
	var orders []string
	var calls [][]byte
	keys := make([]*ecdsa.PrivateKey, wallets)
	for i := range keys {
		keys[i] = r.stranger(5_000_000) // two transactions of the payer
		if _, err := r.chain.Send(t.Context(), keys[i], &r.token, nil, usd.PackApprove(batch, big.NewInt(5_000_000))); err != nil {
			t.Fatal(err)
		}
		r.chain.Commit()
		buyer, pairing := r.pair(keys[i])
		order := r.orderOf(buyer, pairing)
		r.tell(order)
		orders = append(orders, order)
		calls = append(calls, append(crypto.Keccak256([]byte("transferFrom(address,address,uint256)"))[:4],
			words(address(keys[i]).Bytes(), r.payee.Bytes(), big.NewInt(1_500_000).Bytes())...))
	}
	named := r.await(orders[0], false, settlement.StateAwaitingPayment)
	for _, order := range orders {
		r.await(order, false, settlement.StateAwaitingPayment)
	}
	tx, err := r.chain.Send(t.Context(), r.payer, nil, nil, callAll(r.token, calls))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.runner.NameTransaction(t.Context(), named.ID, txid(t, tx.Hash())); err != nil {
		t.Fatal(err)
	}
	r.chain.Commit()
	positions := make(map[string]bool)
	for _, order := range orders {
		p := r.await(order, true, settlement.StateHeld)
		seen := r.transfers(p)
		if p.PaidBy != txid(t, tx.Hash()) || len(p.Flags) != 0 || len(seen) != 1 {
			t.Errorf("paid by %s, flags %v, %d transfers", p.PaidBy, p.Flags, len(seen))
			continue
		}
		positions[seen[0].Sighting.Transfer.Position] = true
	}
	if len(positions) != wallets {
		t.Errorf("the orders were paid at %v, want %d positions", positions, wallets)
	}
}

func (r *rig) nonce() uint64 {
	r.t.Helper()
	nonce, err := r.chain.Client().PendingNonceAt(r.t.Context(), address(r.payer))
	if err != nil {
		r.t.Fatal(err)
	}
	return nonce
}

func words(values ...[]byte) (packed []byte) {
	for _, v := range values {
		packed = append(packed, common.LeftPadBytes(v, 32)...)
	}
	return packed
}

// callAll is the code of a contract that does nothing but call another one as it is created.
func callAll(to common.Address, calls [][]byte) (code []byte) {
	for _, data := range calls {
		for at := 0; at < len(data); at += 32 {
			word := common.RightPadBytes(data[at:min(at+32, len(data))], 32)
			code = append(code, byte(vm.PUSH32))
			code = append(code, word...)
			code = append(code, byte(vm.PUSH2), byte(at>>8), byte(at), byte(vm.MSTORE))
		}
		// out size, out offset, in size, in offset, value, address, gas
		code = append(code, byte(vm.PUSH1), 0, byte(vm.PUSH1), 0, byte(vm.PUSH1), byte(len(data)), byte(vm.PUSH1), 0, byte(vm.PUSH1), 0, byte(vm.PUSH20))
		code = append(code, to.Bytes()...)
		code = append(code, byte(vm.GAS), byte(vm.CALL), byte(vm.POP))
	}
	return append(code, byte(vm.STOP))
}

// A payment is opened in the moment in which the block that pays it arrives, a thousand times: none is missed.
func TestPaymentsOpenedAsTheirBlockArrives(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const payments, perBlock = 1000, 5
	r.eventually("the chain is scanned", r.scanned)
	now := time.Now().UTC().Truncate(time.Second)
	token := settlement.Token{Chain: r.chainID(), Address: settlement.Address(r.token.Bytes()), Symbol: "TUSD", Decimals: 6}
	ids := make([]settlement.PaymentID, payments)
	var rows []store.NewPayment
	for i := range ids {
		ids[i] = settlement.PaymentID(uuid.Must(uuid.NewV7()))
		rows = append(rows, store.NewPayment{
			ID: ids[i], Marketplace: marketplace, OrderID: fmt.Sprintf("at-once-%d", i), MachineID: r.machine, Rail: "wdk-usdt-transfer",
			PayTokenHash: [32]byte{byte(i), byte(i >> 8), 1},
		})
	}
	if err := pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error {
		_, err := store.InsertPayments(t.Context(), tx, rows, store.Never, now)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for at := 0; at < payments; at += perBlock {
		head, err := r.chain.Client().BlockNumber(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var events []settlement.Event
		for i := at; i < at+perBlock; i++ {
			amount := settlement.NewAmount(uint64(1_000 + i))
			r.pay(r.payer, r.payee, int64(1_000+i))
			events = append(events, settlement.Event{ID: "ready", Payment: ids[i], Kind: settlement.EventIntentReady, Terms: &settlement.Terms{
				Token: token, Payee: settlement.Address(r.payee.Bytes()), Amount: amount, ProvenPayer: settlement.Address(address(r.payer).Bytes()),
				NotBefore: now.Add(-time.Minute), FromBlock: head, Deadline: now.Add(time.Hour), Grace: time.Minute,
			}})
		}
		var together sync.WaitGroup
		together.Go(func() { r.chain.Commit() })
		together.Go(func() {
			if _, err := r.runner.Advance(t.Context(), events...); err != nil {
				t.Error(err)
			}
		})
		together.Wait()
	}
	r.eventually("every payment is settled", func() error {
		r.chain.Commit()
		var paid int
		err := r.pool.QueryRow(t.Context(), "select count(*) from payments where paid_by is not null and cardinality(flags) = 0").Scan(&paid)
		if err == nil && paid != payments {
			err = fmt.Errorf("%d of %d", paid, payments)
		}
		return err
	})
}
