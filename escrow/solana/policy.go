package solana

import (
	"context"
	"fmt"
	"math/big"

	sdk "github.com/gagliardetto/solana-go"

	"github.com/settler-pay/settler/settlement"
)

// Codes of releases that the policy does not let be signed.
const (
	RefusedPolicy RefusalCode = "POLICY_REFUSED"
	RefusedNonce  RefusalCode = "NONCE_USED"              // of a refund: the durable nonce that it stands on
	RefusedHour   RefusalCode = "POLICY_PER_HOUR_REFUSED" // what was reserved within the last hour leaves no room
)

// Policy bounds what is signed on one cluster.
type Policy struct {
	Key             string                       // of the configuration that it was read from; refusals name it
	Tokens          map[sdk.PublicKey]TokenLimit // mint → limits; the zero key is SOL. Others are not moved
	PaymentsPerHour uint64
	MaxUnitPrice    uint64 // millionths of a lamport for a compute unit
	Reserve         uint64 // lamports that are for releases alone: no token account is made at their cost
}

// TokenLimit bounds what is moved of one token, in base units.
type TokenLimit struct {
	Key                 string // as Policy.Key
	PerPayment, PerHour settlement.Amount
}

// Books is what only our rows know. It is asked before each signature.
type Books interface {
	// Vault is the vault that was handed out with the address; the error says that there is none, or that it could not be read.
	Vault(ctx context.Context, chain settlement.ChainID, address settlement.Address) (settlement.Vault, error)
	// TokenAccount is the vault whose token account the slot was reserved to make or close; the error also says that there is none.
	TokenAccount(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (vault settlement.Address, closes bool, err error)
	// LastHour gives what was reserved within the last hour for slots that pay out of the chain's vaults, without the one that is asked for.
	LastHour(ctx context.Context, chain settlement.ChainID, slot settlement.Slot) (Spent, error)
}

// Spent is what was moved, or reserved to be.
type Spent struct {
	Payments uint64
	Amounts  map[settlement.Address]settlement.Amount // token → base units
}

// judge returns a *Refusal for a release that must not be signed: money goes from a vault of ours to the two parties of its terms
// and to nobody else, within the limits.
func (p Policy) judge(ctx context.Context, books Books, chain settlement.ChainID, r Release, slot settlement.Slot) error {
	if _, listed := p.Tokens[r.Token.Mint]; !listed {
		return refused(RefusedPolicy, "mint %s; %s.tokens can allow it", r.Token.Mint, p.Key)
	}
	if r.UnitPrice > p.MaxUnitPrice {
		return refused(RefusedPolicy, "%d millionths of a lamport for a compute unit, above %d; %s.max_unit_price can allow it", r.UnitPrice, p.MaxUnitPrice, p.Key)
	}
	v, err := books.Vault(ctx, chain, addressOf(r.Vault))
	if err != nil {
		return fmt.Errorf("look up vault %s: %w", r.Vault, err)
	}
	mint := settlement.Address("")
	if !r.Token.native() {
		mint = addressOf(r.Token.Mint)
	}
	rentTo := v.Payer
	if v.Derived != nil && v.Derived.RentOurs {
		rentTo = addressOf(r.FeePayer)
	}
	if v.Token != mint || r.Burn > 0 || !r.Nonce.IsZero() || addressOf(r.RentTo) != rentTo {
		return refused(RefusedPolicy, "vault %s is of another token, or the release does more than to pay and close; no configuration allows it", r.Vault)
	}
	sum := new(big.Int)
	for _, leg := range r.Legs {
		amount := new(big.Int).SetUint64(leg.Amount)
		switch to := addressOf(leg.To); {
		case to != v.Payee && to != v.Payer:
			return refused(RefusedPolicy, "%s is no party of vault %s; no configuration allows it", leg.To, r.Vault)
		case to == v.Payee && leg.To == r.Dust:
			return refused(RefusedPolicy, "%s is the payee of vault %s, and what is his is not burnt; no configuration allows it", leg.To, r.Vault)
		case to == v.Payee && amount.Cmp(v.Amount.Big()) > 0:
			return refused(RefusedPolicy, "%d base units for the payee of vault %s, above %s; no configuration allows it", leg.Amount, r.Vault, v.Amount)
		}
		sum.Add(sum, amount)
	}
	return p.within(ctx, books.LastHour, chain, r.Token.Mint, mint, sum, slot)
}

// within returns a *Refusal for a payment that is not within the limits of payment and hour.
func (p Policy) within(
	ctx context.Context, lastHour func(context.Context, settlement.ChainID, settlement.Slot) (Spent, error), chain settlement.ChainID,
	mint sdk.PublicKey, token settlement.Address, sum *big.Int, slot settlement.Slot,
) error {
	limit, listed := p.Tokens[mint]
	if !listed {
		return refused(RefusedPolicy, "mint %s; %s.tokens can allow it", mint, p.Key)
	}
	if sum.Cmp(limit.PerPayment.Big()) > 0 {
		return refused(RefusedPolicy, "%s base units in one payment, above %s; %s.per_payment can allow it", sum, limit.PerPayment, limit.Key)
	}
	spent, err := lastHour(ctx, chain, slot)
	if err != nil {
		return fmt.Errorf("add up the last hour: %w", err)
	}
	if spent.Payments >= p.PaymentsPerHour {
		return refused(RefusedHour, "a payment after %d in the last hour, above %d; %s.payments_per_hour can allow it", spent.Payments, p.PaymentsPerHour, p.Key)
	}
	if sum.Add(sum, spent.Amounts[token].Big()); sum.Cmp(limit.PerHour.Big()) > 0 {
		return refused(RefusedHour, "%s base units in the last hour, above %s; %s.per_hour can allow it", sum, limit.PerHour, limit.Key)
	}
	return nil
}

// judgeAccount returns a *Refusal for a token account that must not be made or closed: it is that of a vault of ours, by a slot that was
// reserved for just this.
func (p Policy) judgeAccount(ctx context.Context, books Books, chain settlement.ChainID, t TokenAccount, slot settlement.Slot) error {
	if _, listed := p.Tokens[t.Token.Mint]; !listed {
		return refused(RefusedPolicy, "mint %s; %s.tokens can allow it", t.Token.Mint, p.Key)
	}
	vault, closes, err := books.TokenAccount(ctx, chain, slot)
	if err != nil {
		return fmt.Errorf("look up what slot %d is for: %w", slot.Nonce, err)
	}
	if vault != addressOf(t.Wallet) || closes != t.Closes {
		return refused(RefusedPolicy, "the token account of %s is not what slot %d is for; no configuration allows it", t.Wallet, slot.Nonce)
	}
	return nil
}
