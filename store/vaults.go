package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store/internal/sqlcgen"
)

// HandedOut is a vault that somebody was told of.
type HandedOut struct {
	Vault       settlement.Vault
	Marketplace string
	Payment     *settlement.PaymentID // nil until its order came in
}

// KeepVault records a vault under the marketplace's name for what it is for, and returns the one that is recorded: the new
// one, or the one that was there before under the same name, whatever its terms.
func KeepVault(ctx context.Context, tx pgx.Tx, marketplace, reference string, v settlement.Vault, now time.Time) (HandedOut, error) {
	q := sqlcgen.New(tx)
	p := sqlcgen.InsertVaultParams{
		Chain: string(v.Chain), Address: []byte(v.Address), Marketplace: marketplace, Reference: reference, OrderKey: v.OrderKey[:],
		Token: []byte(v.Token), Amount: v.Amount.String(), Payer: []byte(v.Payer), Payee: []byte(v.Payee), Operator: []byte(v.Operator),
		Arbiter: []byte(v.Arbiter), ReclaimAt: v.ReclaimAt, DisputeAt: v.DisputeAt, DefaultToPayee: v.DefaultToPayee.String(), Now: now,
	}
	if d := v.Derived; d != nil {
		generation, epoch := int64(d.Generation), int64(d.Epoch)
		p.DerivedFor, p.Generation, p.Epoch = &d.Order, &generation, &epoch
	}
	err := q.InsertVault(ctx, p)
	if err != nil {
		return HandedOut{}, fmt.Errorf("keep vault %s of %s: %w", reference, marketplace, err)
	}
	return VaultFor(ctx, tx, marketplace, reference)
}

// VaultFor reads the vault that the marketplace knows by the name; ErrNotFound when there is none.
func VaultFor(ctx context.Context, db DB, marketplace, reference string) (HandedOut, error) {
	r, err := sqlcgen.New(db).VaultByReference(ctx, sqlcgen.VaultByReferenceParams{Marketplace: marketplace, Reference: reference})
	return handedOut(r, err)
}

// VaultAt reads the vault with the address; ErrNotFound when it is none that was handed out.
func VaultAt(ctx context.Context, db DB, chain settlement.ChainID, address settlement.Address) (HandedOut, error) {
	r, err := sqlcgen.New(db).VaultAt(ctx, sqlcgen.VaultAtParams{Chain: string(chain), Address: []byte(address)})
	return handedOut(sqlcgen.VaultByReferenceRow(r), err)
}

func handedOut(r sqlcgen.VaultByReferenceRow, err error) (HandedOut, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return HandedOut{}, ErrNotFound
	}
	if err != nil {
		return HandedOut{}, fmt.Errorf("read vault: %w", err)
	}
	v, err := vault(sqlcgen.MovementsOfRow{
		Chain: r.Chain, Address: r.Address, OrderKey: r.OrderKey, Token: r.Token, Amount: r.Amount, Payer: r.Payer, Payee: r.Payee,
		Operator: r.Operator, Arbiter: r.Arbiter, ReclaimAt: r.ReclaimAt, DisputeAt: r.DisputeAt, DefaultToPayee: r.DefaultToPayee,
		Marketplace: r.Marketplace, DerivedFor: r.DerivedFor, Generation: r.Generation, Epoch: r.Epoch, RentOurs: r.RentOurs,
	})
	return HandedOut{Vault: v, Marketplace: r.Marketplace, Payment: r.PaymentID}, err
}

// vault takes the vault's columns out of a movement's row.
func vault(r sqlcgen.MovementsOfRow) (settlement.Vault, error) {
	v := settlement.Vault{
		Chain: settlement.ChainID(r.Chain), Address: settlement.Address(r.Address), Token: settlement.Address(r.Token), Payer: settlement.Address(r.Payer),
		Payee: settlement.Address(r.Payee), Operator: settlement.Address(r.Operator), Arbiter: settlement.Address(r.Arbiter),
		ReclaimAt: r.ReclaimAt.UTC(), DisputeAt: r.DisputeAt.UTC(),
	}
	if len(r.OrderKey) != len(v.OrderKey) {
		return v, fmt.Errorf("vault %s has an order key of %d bytes", v.Address, len(r.OrderKey))
	}
	copy(v.OrderKey[:], r.OrderKey)
	if r.DerivedFor != nil {
		v.Derived = &settlement.Derivation{Marketplace: r.Marketplace, Order: *r.DerivedFor, Generation: uint32(*r.Generation), Epoch: uint32(*r.Epoch), RentOurs: r.RentOurs}
	}
	var err error
	if v.Amount, err = parseAmount(r.Amount); err != nil {
		return v, err
	}
	v.DefaultToPayee, err = parseAmount(r.DefaultToPayee)
	return v, err
}

// EpochVaults counts the wallets of an epoch of a chain's secret.
type EpochVaults struct {
	Chain  settlement.ChainID
	Epoch  uint32
	Vaults int64
}

// OpenVaultsByEpoch counts wallets of orders that hold money, wait for it, or have some to be moved.
func OpenVaultsByEpoch(ctx context.Context, db DB, now time.Time) ([]EpochVaults, error) {
	rows, err := sqlcgen.New(db).OpenVaultsByEpoch(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("count the open vaults of each epoch: %w", err)
	}
	open := make([]EpochVaults, len(rows))
	for i, r := range rows {
		open[i] = EpochVaults{settlement.ChainID(r.Chain), uint32(r.Epoch), r.Vaults}
	}
	return open, nil
}

// BindVaults gives each payment the vault of its terms, and returns those that got it: a vault that belongs to a payment
// already stays with it.
func BindVaults(ctx context.Context, tx pgx.Tx, terms map[settlement.PaymentID]settlement.Terms) (map[settlement.PaymentID]bool, error) {
	if len(terms) == 0 {
		return nil, nil
	}
	var p sqlcgen.BindVaultsParams
	for id, t := range terms {
		p.Chains = append(p.Chains, string(t.Token.Chain))
		p.Addresses = append(p.Addresses, []byte(t.Payee))
		p.PaymentIds = append(p.PaymentIds, id)
	}
	rows, err := sqlcgen.New(tx).BindVaults(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("bind %d vaults: %w", len(terms), err)
	}
	bound := make(map[settlement.PaymentID]bool, len(rows))
	for _, id := range rows {
		bound[*id] = true
	}
	return bound, nil
}

// RefundWallet is a wallet that has signed to take the refunds of a pairing's orders on a chain.
type RefundWallet struct {
	Marketplace, Pairing string
	Chain                settlement.ChainID
	Wallet               settlement.Address
	Signature            string // in the chain's own text form
	Block                uint64 // as of a settlement.PayerProof
}

// KeepRefundWallet records the wallet in place of an earlier one. Vaults that were handed out keep their own.
func KeepRefundWallet(ctx context.Context, db DB, w RefundWallet, now time.Time) error {
	err := sqlcgen.New(db).UpsertRefundWallet(ctx, sqlcgen.UpsertRefundWalletParams{
		Marketplace: w.Marketplace, PairingID: w.Pairing, Chain: string(w.Chain), Wallet: []byte(w.Wallet), Signature: w.Signature,
		SignedBlock: int64(w.Block), Now: now,
	})
	if err != nil {
		return fmt.Errorf("keep the refund wallet of pairing %s: %w", w.Pairing, err)
	}
	return nil
}

// RefundWalletOf reads the wallet that takes the pairing's refunds on the chain; ErrNotFound when none has signed.
func RefundWalletOf(ctx context.Context, db DB, marketplace string, chain settlement.ChainID, pairing string) (settlement.Address, error) {
	wallet, err := sqlcgen.New(db).RefundWallet(ctx, sqlcgen.RefundWalletParams{Marketplace: marketplace, PairingID: pairing, Chain: string(chain)})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read the refund wallet of pairing %s: %w", pairing, err)
	}
	return settlement.Address(wallet), nil
}
