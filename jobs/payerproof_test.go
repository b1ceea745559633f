package jobs_test

import (
	"crypto/ecdsa"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/accounts"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/internal/devnet"
	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

// prove hands in that the wallet, whose owner has the key, paid the payment with the transaction.
func (r *rig) prove(p settlement.Payment, hash common.Hash, wallet common.Address, owner *ecdsa.PrivateKey) {
	r.t.Helper()
	text := settlement.ProofText(p.ID, r.chainID(), hash.Hex())
	signature, err := crypto.Sign(accounts.TextHash([]byte(text)), owner)
	if err != nil {
		r.t.Fatal(err)
	}
	signature[64] += 27
	signer, err := evm.ParseAddress(wallet.Hex())
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = r.runner.ProvePayer(r.t.Context(), p, settlement.PayerProof{TxID: txid(r.t, hash), Signer: signer, Signature: hexutil.Encode(signature)})
	if err != nil {
		r.t.Fatal(err)
	}
}

// lookedAt waits until nothing is looked for.
func (r *rig) lookedAt(order string) {
	r.t.Helper()
	r.eventually("the named transaction was looked at", func() error {
		p, err := r.payment(order)
		if err == nil && p.Named != "" {
			err = errNotYet
		}
		return err
	})
}

// A wallet that no order knows pays, and its owner signs for it: before the block, while the transfer waits to be final, or
// when it is with a person already. A contract wallet's owner signs for it alike.
func TestPayerProvesHimself(t *testing.T) {
	t.Parallel()
	for _, contract := range []bool{false, true} {
		name := "a key"
		if contract {
			name = "a contract"
		}
		for _, when := range []string{"before the block", "before it is final", "after it is final"} {
			t.Run(name+", "+when, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				owner := r.stranger(5_000_000)
				wallet := address(owner)
				if contract {
					var err error
					if wallet, err = devnet.DeployTestWallet(t.Context(), r.chain, owner); err != nil {
						t.Fatal(err)
					}
					if err := devnet.MintTestToken(t.Context(), r.chain, r.payer, r.token, wallet, big.NewInt(5_000_000)); err != nil {
						t.Fatal(err)
					}
					r.chain.Commit()
					r.chain.Commit() // the wallet is final
				}
				order := r.order()
				r.tell(order)
				p := r.await(order, false, settlement.StateAwaitingPayment)
				var hash common.Hash
				if contract {
					tx, err := devnet.SendTestTokenFrom(t.Context(), r.chain, owner, wallet, r.token, r.payee, big.NewInt(1_500_000))
					if err != nil {
						t.Fatal(err)
					}
					hash = tx.Hash()
				} else {
					hash = r.pay(owner, r.payee, 1_500_000)
				}
				switch when {
				case "before it is final":
					r.chain.Commit()
					r.await(order, false, settlement.StateConfirming)
				case "after it is final":
					if p := r.await(order, true, settlement.StateNeedsReview); p.Reason != settlement.PayerMismatch {
						t.Fatalf("reason %s", p.Reason)
					}
				}
				r.prove(p, hash, wallet, owner)
				paid := r.await(order, true, settlement.StateHeld)
				if paid.PaidBy != txid(t, hash) {
					t.Errorf("paid by %s", paid.PaidBy)
				}
				proofs, err := store.PayerProofs(t.Context(), r.pool, paid)
				if err != nil || len(proofs) != 1 || (proofs[0].Block != 0) != contract {
					t.Errorf("proofs %+v, %v", proofs, err)
				}
				proof := r.market.Proofs(order)
				if len(proof) != 1 || !strings.EqualFold(proof[0].Proof.PayerAddress, wallet.Hex()) {
					t.Errorf("the orchestrator was told %+v", proof)
				}
			})
		}
	}
}

// Which of two orders of the same terms a transfer pays, its payer may say: then it is that one's, and the other one waits
// for its own. Where that is with a person already, it stays there, and its own payment settles it.
func TestPayerSaysWhichOfTwoOrders(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before the block", "before it is final", "after both were reviewed"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			one, two := r.order(), r.order()
			r.tell(one)
			r.tell(two)
			first := r.await(one, false, settlement.StateAwaitingPayment)
			second := r.await(two, false, settlement.StateAwaitingPayment)
			hash := r.pay(r.payer, r.payee, 1_500_000)
			want := settlement.StateAwaitingPayment
			switch when {
			case "before it is final":
				r.chain.Commit()
				r.await(one, false, settlement.StateConfirming)
				r.await(two, false, settlement.StateConfirming)
			case "after both were reviewed":
				want = settlement.StateNeedsReview
				r.await(one, true, want)
				r.await(two, true, want)
			}
			r.prove(second, hash, address(r.payer), r.payer)
			if when == "before it is final" { // not final before the look that the signature asks for
				r.eventually("the look has found whose it is", func() error {
					if seen := r.transfers(second); len(seen) != 1 || seen[0].Sighting.Verdict.Code != settlement.Verified {
						return errNotYet
					}
					return nil
				})
			}
			r.await(two, true, settlement.StateHeld)
			if p := r.await(one, false, want); p.Settled() {
				t.Errorf("the other order is settled by %s", p.PaidBy)
			}
			own := r.pay(r.payer, r.payee, 1_500_000)
			r.prove(first, own, address(r.payer), r.payer)
			if p := r.await(one, true, settlement.StateHeld); p.PaidBy != txid(t, own) {
				t.Errorf("settled by %s", p.PaidBy)
			}
		})
	}
}

// What a wallet says of somebody else's transfer wins nothing and blocks nothing, whoever hands it in first.
func TestStrangersSignature(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{false, true} {
		name := "for an order of her own"
		if alone {
			name = "for the payer's order"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			honest := r.order()
			r.tell(honest)
			p := r.await(honest, false, settlement.StateAwaitingPayment)
			wallet := newKey(t)
			hers := honest
			if !alone {
				buyer, pairing := r.pair(wallet)
				hers = r.orderOf(buyer, pairing)
				r.tell(hers)
				p = r.await(hers, false, settlement.StateAwaitingPayment)
			}
			hash := r.pay(r.payer, r.payee, 1_500_000)
			r.prove(p, hash, address(wallet), wallet)
			paid := r.await(honest, true, settlement.StateHeld)
			if paid.PaidBy != txid(t, hash) {
				t.Errorf("paid by %s", paid.PaidBy)
			}
			if alone {
				return
			}
			if other := r.await(hers, true, settlement.StateAwaitingPayment); other.Settled() {
				t.Errorf("the stranger's order is settled by %s", other.PaidBy)
			}
		})
	}
}

// A transfer that has settled an order stays that order's, whatever its payer signs afterwards.
func TestSignatureForAConsumedTransfer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	order, other := r.order(), r.order()
	r.tell(order)
	r.tell(other)
	first := r.await(order, false, settlement.StateAwaitingPayment)
	p := r.await(other, false, settlement.StateAwaitingPayment)
	hash := r.pay(r.payer, r.payee, 1_500_000)
	r.prove(first, hash, address(r.payer), r.payer)
	r.await(order, true, settlement.StateHeld)
	r.prove(p, hash, address(r.payer), r.payer)
	r.lookedAt(other)
	if p := r.await(other, false, settlement.StateAwaitingPayment); p.Settled() {
		t.Errorf("settled by %s", p.PaidBy)
	}
	paid := r.await(order, false, settlement.StateHeld)
	if paid.HasFlag(settlement.FlagDuplicateTransfer) {
		t.Errorf("flags %v", paid.Flags)
	}
}

// A signature under another price or for a transfer that does not fit makes the payment a person's, as of any payer.
func TestSignatureDoesNotMakeItFit(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	owner := r.stranger(5_000_000)
	order := r.order()
	r.tell(order)
	p := r.await(order, false, settlement.StateAwaitingPayment)
	hash := r.pay(owner, r.payee, 1_400_000)
	r.prove(p, hash, address(owner), owner)
	p = r.await(order, true, settlement.StateNeedsReview)
	if p.Reason != settlement.AmountMismatch || !p.HasFlag(settlement.FlagUnderpaid) {
		t.Errorf("reason %s (%s), flags %v", p.Reason, p.Detail, p.Flags)
	}
	r.lookedAt(order)
}

// The watcher counts a transfer as final that was judged without its payer's proof, in the moment in which the proof comes:
// whichever comes first, the transfer pays.
func TestProofMeetsFinality(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		r := newRig(t)
		owner := r.stranger(5_000_000)
		order := r.order()
		r.tell(order)
		p := r.await(order, false, settlement.StateAwaitingPayment)
		hash := r.pay(owner, r.payee, 1_500_000)
		r.chain.Commit()
		r.await(order, false, settlement.StateConfirming)
		r.chain.Commit()
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.chain.Commit() // final now
		}()
		time.Sleep(time.Duration(round) * 10 * time.Millisecond)
		r.prove(p, hash, address(owner), owner)
		<-done
		r.await(order, true, settlement.StateHeld)
	}
}
