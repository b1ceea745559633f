package evm

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/settler-pay/settler/settlement"
)

// Policy bounds what a signer signs on one chain. Without a policy for a chain nothing is signed there.
type Policy struct {
	ChainID uint64
	// Key of the configuration that the policy was read from, such as signers[0].chains[1]. Refusals name it.
	Key string
	// Methods that may be called, of MethodPay and those below it. MethodTransfer moves the signer's own tokens and native coin.
	Methods []string
	// Tokens that may be moved: address → limits.
	Tokens map[common.Address]TokenLimit
	// Native limits what is moved of the chain's own coin; nil lets none be moved.
	Native *TokenLimit
	// PaymentsPerHour is the most payments, each member of a batch counted, in any hour.
	PaymentsPerHour uint64
	// MaxFeePerGas in wei, of the fee cap or gas price. MaxFeeUrgent, not nil where it is more, is that of urgent transactions: which
	// those are the mover knows, so here it is the highest of all.
	MaxFeePerGas, MaxFeeUrgent *big.Int
}

// TokenLimit bounds what is moved of one token, in base units.
type TokenLimit struct {
	Key                 string // as Policy.Key, such as signers[0].chains[1].tokens[2]
	PerPayment, PerHour settlement.Amount
}

// Books is what only the rows of movements know. It is asked before each signature of a payment.
type Books interface {
	// Unknown gives those vaults that were not handed out by us.
	Unknown(ctx context.Context, chainID uint64, vaults []common.Address) ([]common.Address, error)
	// Due gives the transfer of the signer's own money that the nonce was reserved for; nil where it was for none.
	Due(ctx context.Context, chainID uint64, signer common.Address, nonce uint64) (*OwnTransfer, error)
	// LastHour gives what was reserved within the last hour for the signer's nonces on the chain, whether or not it was
	// signed or sent: a restart forgets nothing, and of two at once neither overlooks the other. It leaves out the nonce
	// that is asked for, which is counted from its calldata: a fee bump is no second payment.
	LastHour(ctx context.Context, chainID uint64, signer common.Address, nonce uint64) (Spent, error)
}

// OwnTransfer is a transfer of the signer's own money.
type OwnTransfer struct {
	Token    common.Address // zero: the chain's own coin
	Receiver common.Address
	Amount   settlement.Amount
}

// Spent is what was moved, or reserved to be.
type Spent struct {
	Payments uint64
	Amounts  map[common.Address]settlement.Amount // token → base units
}

// RefusalCode names why a policy refused. Codes are stable.
type RefusalCode string

// What a policy refuses.
const (
	RefusedChain           RefusalCode = "SIGNER_CHAIN_REFUSED"             // no policy for it
	RefusedValue           RefusalCode = "SIGNER_VALUE_REFUSED"             // native coin goes with a call, or may not be moved
	RefusedFee             RefusalCode = "SIGNER_FEE_REFUSED"               // the price of gas
	RefusedContract        RefusalCode = "SIGNER_CONTRACT_REFUSED"          // neither the vaults' factory nor a listed token
	RefusedMethod          RefusalCode = "SIGNER_METHOD_REFUSED"            // not one that may be called
	RefusedCalldata        RefusalCode = "SIGNER_CALLDATA_REFUSED"          // not the encoding of that call
	RefusedTerms           RefusalCode = "SIGNER_TERMS_REFUSED"             // no vault of ours has them
	RefusedDestination     RefusalCode = "SIGNER_DESTINATION_REFUSED"       // not a registered vault, or not what the nonce was reserved for
	RefusedToken           RefusalCode = "SIGNER_TOKEN_REFUSED"             //nolint:gosec // no credential; not a listed token
	RefusedAmount          RefusalCode = "SIGNER_AMOUNT_REFUSED"            // one payment is too large
	RefusedAmountPerHour   RefusalCode = "SIGNER_AMOUNT_PER_HOUR_REFUSED"   // the last hour's are too large together
	RefusedPaymentsPerHour RefusalCode = "SIGNER_PAYMENTS_PER_HOUR_REFUSED" // the last hour's are too many
)

// Refusal is the error of a transaction that a policy does not let be signed. It was not signed.
type Refusal struct {
	Code   RefusalCode
	Detail string // what was refused
	Key    string // of the configuration that can allow it; "" when nothing can
}

func (r *Refusal) Error() string {
	if r.Key == "" {
		return fmt.Sprintf("%s: %s; no configuration allows it", r.Code, r.Detail)
	}
	return fmt.Sprintf("%s: %s; %s can allow it", r.Code, r.Detail, r.Key)
}

// Is reports settlement.ErrNotSigned where neither time nor a lower fee lets the transaction be signed.
func (r *Refusal) Is(target error) bool {
	return target == settlement.ErrNotSigned && r.Code != RefusedFee && r.Code != RefusedAmountPerHour && r.Code != RefusedPaymentsPerHour
}

// Guard is a Signer that lets its policies judge each transaction before the signer sees it. Its SignTx also returns
// *Refusal.
type Guard struct {
	signer   Signer
	policies []Policy
	key      string
	books    Books
}

// NewGuard puts policies, one for each chain, before a signer. Key is the signer's own in the configuration.
func NewGuard(signer Signer, key string, policies []Policy, books Books) *Guard {
	return &Guard{signer, policies, key, books}
}

// Address is the signer's.
func (g *Guard) Address() common.Address { return g.signer.Address() }

// SignTx is Signer's, with *Refusal as one more error.
func (g *Guard) SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	if err := g.judge(ctx, tx, chainID); err != nil {
		return nil, err
	}
	return g.signer.SignTx(ctx, tx, chainID)
}

func (g *Guard) judge(ctx context.Context, tx *types.Transaction, chainID *big.Int) error {
	i := slices.IndexFunc(g.policies, func(p Policy) bool { return chainID != nil && new(big.Int).SetUint64(p.ChainID).Cmp(chainID) == 0 })
	if i < 0 {
		return &Refusal{RefusedChain, fmt.Sprintf("chain %s", chainID), g.key + ".chains"}
	}
	p := g.policies[i]
	c, err := p.read(g.signer.Address(), tx)
	if err != nil || len(c.spends) == 0 {
		return err
	}
	return g.judgeSpends(ctx, p, c, tx.Nonce())
}

// read judges what the transaction says by itself, and gives the call that it makes; one without spends when it is a
// no-op, which takes the place of a transaction of the same nonce.
func (p Policy) read(signer common.Address, tx *types.Transaction) (call, error) {
	refuse := func(code RefusalCode, key, format string, args ...any) (call, error) {
		return call{}, &Refusal{code, fmt.Sprintf(format, args...), key}
	}
	switch {
	case tx.Value().Sign() != 0 && (len(tx.Data()) > 0 || tx.To() == nil || *tx.To() == signer):
		return refuse(RefusedValue, "", "value of %s wei", tx.Value())
	case tx.GasFeeCap().Cmp(p.HighestFee()) > 0:
		return refuse(RefusedFee, p.Key+".max_fee_per_gas", "%s wei per gas, above %s", tx.GasFeeCap(), p.HighestFee())
	case tx.To() == nil:
		return refuse(RefusedContract, "", "creation of a contract")
	case *tx.To() == signer && len(tx.Data()) == 0:
		return call{}, nil
	case tx.Value().Sign() != 0:
		return p.readValue(tx, refuse)
	}
	parsed := vaultsABI
	if *tx.To() != Factory {
		if _, listed := p.Tokens[*tx.To()]; !listed {
			return refuse(RefusedContract, p.Key+".tokens", "call of %s", tx.To())
		}
		parsed = tokenABI
	}
	method := methodOf(parsed, tx.Data())
	if !slices.Contains(p.Methods, method) || (method == MethodTransfer) != (parsed == tokenABI) {
		return refuse(RefusedMethod, p.Key+".methods", "call of method %q of %s (selector %#x)", method, tx.To(), tx.Data()[:min(4, len(tx.Data()))])
	}
	c, err := readCall(method, tx.Data(), *tx.To())
	if errors.Is(err, errCalldata) {
		return refuse(RefusedCalldata, "", "%s: %v", method, err)
	}
	if err != nil {
		return refuse(RefusedTerms, "", "terms of %s: %v", method, err)
	}
	if len(c.spends) == 0 {
		return refuse(RefusedCalldata, "", "%s of nothing", method)
	}
	for _, s := range c.spends {
		if t := s.terms; t != nil {
			switch {
			case t.Operator != signer && t.Arbiter != signer:
				return refuse(RefusedTerms, "", "vault %s, whose operator is %s and whose arbiter is %s", t.Vault(), t.Operator, t.Arbiter)
			case t.ChainID != p.ChainID && method != MethodReturnOther: // money that came on a wrong chain goes back there
				return refuse(RefusedTerms, "", "vault %s of chain %d", t.Vault(), t.ChainID)
			}
		}
		limit, listed := p.Tokens[s.token]
		switch {
		case !listed && method != MethodReturnOther && method != MethodFreeze:
			return refuse(RefusedToken, p.Key+".tokens", "token %s", s.token)
		case listed && s.amount.Cmp(limit.PerPayment) > 0:
			return refuse(RefusedAmount, limit.Key+".per_payment", "%s base units of %s in one payment, above %s", s.amount, s.token, limit.PerPayment)
		}
	}
	return c, nil
}

// readValue judges a transfer of the chain's own coin.
func (p Policy) readValue(tx *types.Transaction, refuse func(RefusalCode, string, string, ...any) (call, error)) (call, error) {
	amount, err := settlement.AmountFromBig(tx.Value())
	switch {
	case p.Native == nil:
		return refuse(RefusedValue, p.Key+".tokens", "value of %s wei", tx.Value())
	case !slices.Contains(p.Methods, MethodTransfer):
		return refuse(RefusedMethod, p.Key+".methods", "value of %s wei to %s", tx.Value(), tx.To())
	case err != nil || amount.Cmp(p.Native.PerPayment) > 0:
		return refuse(RefusedAmount, p.Native.Key+".per_payment", "%s wei in one payment, above %s", tx.Value(), p.Native.PerPayment)
	}
	return call{method: MethodTransfer, spends: []spend{{receiver: *tx.To(), amount: amount}}}, nil
}

// HighestFee is what no transaction may offer more than for a unit of gas, in wei.
func (p Policy) HighestFee() *big.Int {
	if p.MaxFeeUrgent != nil {
		return p.MaxFeeUrgent
	}
	return p.MaxFeePerGas
}

// limit bounds what is moved of the token; the zero address is the chain's own coin.
func (p Policy) limit(token common.Address) TokenLimit {
	if token == (common.Address{}) && p.Native != nil {
		return *p.Native
	}
	return p.Tokens[token]
}

// judgeSpends judges a call by what the books say.
func (g *Guard) judgeSpends(ctx context.Context, p Policy, c call, nonce uint64) error {
	var vaults []common.Address
	for _, s := range c.spends {
		if s.terms != nil {
			vaults = append(vaults, s.terms.Vault())
			continue
		}
		due, err := g.books.Due(ctx, p.ChainID, g.signer.Address(), nonce)
		if err != nil {
			return fmt.Errorf("look up what nonce %d is for: %w", nonce, err)
		}
		if due == nil || *due != (OwnTransfer{s.token, s.receiver, s.amount}) {
			return &Refusal{RefusedDestination, fmt.Sprintf("%s of %s base units to %s, for which nonce %d was not reserved", c.method, s.amount, s.receiver, nonce), ""}
		}
	}
	if len(vaults) > 0 {
		unknown, err := g.books.Unknown(ctx, p.ChainID, vaults)
		if err != nil {
			return fmt.Errorf("look up the destinations: %w", err)
		}
		if len(unknown) > 0 {
			return &Refusal{RefusedDestination, fmt.Sprintf("%s of %s, which is no vault of ours", c.method, unknown[0]), ""}
		}
	}
	spent, err := g.books.LastHour(ctx, p.ChainID, g.signer.Address(), nonce)
	if err != nil {
		return fmt.Errorf("add up the last hour: %w", err)
	}
	if payments := uint64(len(c.spends)); payments > p.PaymentsPerHour || spent.Payments > p.PaymentsPerHour-payments {
		return &Refusal{RefusedPaymentsPerHour, fmt.Sprintf("%d payment(s) after %d in the last hour, above %d", payments, spent.Payments, p.PaymentsPerHour), p.Key + ".payments_per_hour"}
	}
	sums := make(map[common.Address]settlement.Amount)
	for _, s := range c.spends {
		limit := p.limit(s.token)
		sums[s.token] = sums[s.token].Add(s.amount)
		if sum := spent.Amounts[s.token].Add(sums[s.token]); sum.Cmp(limit.PerHour) > 0 {
			return &Refusal{RefusedAmountPerHour, fmt.Sprintf("%s base units of %s after %s in the last hour, above %s", sums[s.token], s.token, spent.Amounts[s.token], limit.PerHour), limit.Key + ".per_hour"}
		}
	}
	return nil
}
