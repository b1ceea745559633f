package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// PayerProof is a payer's proof as it is stored.
type PayerProof struct {
	settlement.PayerProof
	Payment settlement.PaymentID
	Chain   settlement.ChainID
	At      time.Time
}

// SavePayerProofs stores proofs; what the same wallet has signed for the same transaction and payment before stays.
func SavePayerProofs(ctx context.Context, tx pgx.Tx, proofs []PayerProof) error {
	if len(proofs) == 0 {
		return nil
	}
	p := sqlcgen.SavePayerProofsParams{Now: proofs[0].At}
	for _, proof := range proofs {
		p.Chains = append(p.Chains, string(proof.Chain))
		p.Txids = append(p.Txids, []byte(proof.TxID))
		p.Signers = append(p.Signers, []byte(proof.Signer))
		p.PaymentIds = append(p.PaymentIds, proof.Payment)
		p.Signatures = append(p.Signatures, proof.Signature)
		p.Blocks = append(p.Blocks, int64(proof.Block))
	}
	if err := sqlcgen.New(tx).SavePayerProofs(ctx, p); err != nil {
		return fmt.Errorf("save %d proofs of payers: %w", len(proofs), err)
	}
	return nil
}

// PayerProofs returns the proofs for a payment, oldest first.
func PayerProofs(ctx context.Context, db DB, p settlement.Payment) ([]PayerProof, error) {
	rows, err := sqlcgen.New(db).PayerProofs(ctx, p.ID)
	if err != nil {
		return nil, fmt.Errorf("read payer proofs of %s: %w", p.ID, err)
	}
	proofs := make([]PayerProof, len(rows))
	for i, r := range rows {
		proofs[i] = PayerProof{
			PayerProof: settlement.PayerProof{TxID: settlement.TxID(r.Txid), Signer: settlement.Address(r.Signer), Signature: r.Signature},
			Payment:    p.ID, Chain: p.Terms.Token.Chain, At: r.ProvedAt.UTC(),
		}
		if r.Block != nil {
			proofs[i].Block = uint64(*r.Block)
		}
	}
	return proofs, nil
}

// SignersOf returns the wallets that have signed that the transaction pays the payment.
func SignersOf(ctx context.Context, db DB, p settlement.Payment, txid settlement.TxID) ([]settlement.Address, error) {
	proofs, err := PayerProofs(ctx, db, p)
	if err != nil {
		return nil, err
	}
	var signers []settlement.Address
	for _, proof := range proofs {
		if proof.TxID == txid {
			signers = append(signers, proof.Signer)
		}
	}
	return signers, nil
}
