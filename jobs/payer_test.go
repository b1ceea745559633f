package jobs_test

import (
	"crypto/ecdsa"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/store"
)

func (r *rig) deployToken(owner *ecdsa.PrivateKey) common.Address {
	r.t.Helper()
	token, err := devnet.DeployTestToken(r.t.Context(), r.chain, owner, address(owner))
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// pay sends base units of the order's token, and makes no block.
func (r *rig) pay(from *ecdsa.PrivateKey, to common.Address, amount int64) common.Hash {
	r.t.Helper()
	return r.payToken(r.token, from, to, amount)
}

func (r *rig) payToken(token common.Address, from *ecdsa.PrivateKey, to common.Address, amount int64) common.Hash {
	r.t.Helper()
	tx, err := devnet.SendTestToken(r.t.Context(), r.chain, from, token, to, big.NewInt(amount))
	if err != nil {
		r.t.Fatal(err)
	}
	r.sent = append(r.sent, tx)
	return tx.Hash()
}

// payReverted sends more than the wallet has.
func (r *rig) payReverted(from *ecdsa.PrivateKey, to common.Address) common.Hash {
	r.t.Helper()
	return r.pay(from, to, 1<<62)
}

func (r *rig) payNative(from *ecdsa.PrivateKey, to common.Address, amount int64) common.Hash {
	r.t.Helper()
	tx, err := r.chain.Send(r.t.Context(), from, &to, big.NewInt(amount), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return tx.Hash()
}

// stranger is a wallet with money that no order knows.
func (r *rig) stranger(amount int64) *ecdsa.PrivateKey {
	r.t.Helper()
	key := newKey(r.t)
	to := address(key)
	coins := new(big.Int).Mul(big.NewInt(10), big.NewInt(1e18))
	if _, err := r.chain.Send(r.t.Context(), r.payer, &to, coins, nil); err != nil {
		r.t.Fatal(err)
	}
	if err := devnet.MintTestToken(r.t.Context(), r.chain, r.payer, r.token, to, big.NewInt(amount)); err != nil {
		r.t.Fatal(err)
	}
	return key
}

// resend puts a transaction that has left the chain back into the pool.
func (r *rig) resend(hash common.Hash) {
	r.t.Helper()
	for _, tx := range r.sent {
		if tx.Hash() == hash {
			r.send(tx)
			return
		}
	}
	r.t.Fatalf("transaction %s was never sent", hash)
}

func (r *rig) send(tx *types.Transaction) {
	r.t.Helper()
	if err := r.chain.Submit(r.t.Context(), tx); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) cursor() (uint64, error) {
	cursor, err := store.ChainCursor(r.t.Context(), r.pool, r.chainID())
	return cursor.Number, err
}
