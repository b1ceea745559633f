package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// Account is an account of the ledger.
type Account string

// The accounts. What an account got is above zero, what it gave below.
const (
	AccountPayer    Account = "payer"     // came from outside, and arrived
	AccountHeld     Account = "held"      // in our vault
	AccountPayee    Account = "payee"     // at the payee
	AccountRefund   Account = "refund"    // back at the payer
	AccountFee      Account = "fee"       // kept on the way by the token, or burnt
	AccountPayerFee Account = "payer_fee" // left the payer beside what arrived, for the token to keep
	AccountGas      Account = "gas"       // spent on transactions of ours
	AccountRent     Account = "rent"      // in token accounts that we have made, from which it comes back
	AccountOperator Account = "operator"  // our own wallet
)

// Posting is a confirmed transfer and the account that got it. What the token kept of it is posted as it is stored with the transfer.
type Posting struct {
	Transfer SeenTransfer
	Account  Account
}

// PostTransfers posts confirmed transfers, each once for ever. They must be stored as seen or final.
func PostTransfers(ctx context.Context, tx pgx.Tx, postings []Posting, now time.Time) error {
	if len(postings) == 0 {
		return nil
	}
	p := sqlcgen.PostTransfersParams{Now: now}
	for _, n := range postings {
		t := n.Transfer.Sighting.Transfer
		p.PaymentIds = append(p.PaymentIds, n.Transfer.Payment)
		p.Chains = append(p.Chains, string(n.Transfer.Chain))
		p.Tokens = append(p.Tokens, []byte(t.Token))
		p.Txids = append(p.Txids, []byte(n.Transfer.Sighting.TxID))
		p.Positions = append(p.Positions, t.Position)
		p.Accounts = append(p.Accounts, string(n.Account))
		p.Amounts = append(p.Amounts, t.Amount.String())
	}
	if err := sqlcgen.New(tx).PostTransfers(ctx, p); err != nil {
		return fmt.Errorf("post %d transfers: %w", len(postings), err)
	}
	return nil
}

// PaidMovement is a movement that is final, and what of it did not arrive.
type PaidMovement struct {
	settlement.Movement
	Withheld settlement.Division
}

// PostMovements posts movements that are final; a second time is an error.
func PostMovements(ctx context.Context, tx pgx.Tx, movements []PaidMovement, now time.Time) error {
	if len(movements) == 0 {
		return nil
	}
	p := sqlcgen.PostMovementsParams{Now: now}
	for _, m := range movements {
		p.PaymentIds = append(p.PaymentIds, m.Payment)
		p.Parts = append(p.Parts, int16(m.Part))
		p.PayeeFees = append(p.PayeeFees, m.Withheld.ToPayee.String())
		p.PayerFees = append(p.PayerFees, m.Withheld.ToPayer.String())
	}
	if err := sqlcgen.New(tx).PostMovements(ctx, p); err != nil {
		return fmt.Errorf("post %d movements: %w", len(movements), err)
	}
	return nil
}

// PostGas posts what the final transaction of a slot cost, and what it moved into or out of the rent of token accounts; a second time is an error.
func PostGas(ctx context.Context, tx pgx.Tx, chain settlement.ChainID, slot settlement.Slot, did settlement.SlotOutcome, now time.Time) error {
	err := sqlcgen.New(tx).PostGas(ctx, sqlcgen.PostGasParams{
		Chain: string(chain), Signer: []byte(slot.Sender), Nonce: int64(slot.Nonce), Amount: did.Gas.String(), Rent: did.Rent.String(),
		RentBack: did.RentBack.String(), Now: now,
	})
	if err != nil {
		return fmt.Errorf("post gas of nonce %d: %w", slot.Nonce, err)
	}
	return nil
}

// Balance is what one account has of one asset for one payment.
type Balance struct {
	Payment settlement.PaymentID
	Chain   settlement.ChainID
	Token   settlement.Address
	Account Account
	Amount  string // base units in decimal digits, with a minus sign for what the account gave
}

// Balances reads the accounts of payments.
func Balances(ctx context.Context, db DB, ids []settlement.PaymentID) ([]Balance, error) {
	rows, err := sqlcgen.New(db).Balances(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read balances of %d payments: %w", len(ids), err)
	}
	balances := make([]Balance, len(rows))
	for i, r := range rows {
		balances[i] = Balance{
			Chain: settlement.ChainID(r.Chain), Token: settlement.Address(r.Token), Account: Account(r.Account), Amount: r.Amount,
		}
		if r.PaymentID != nil {
			balances[i].Payment = *r.PaymentID
		}
	}
	return balances, nil
}
