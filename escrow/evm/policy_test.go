package evm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/settlement"
)

var (
	usd, otherToken = common.Address{0xaa}, common.Address{0xbb}
	payer           = common.Address{2}
	theVaults       = contracts.NewOrderVaults()
)

// orderTerms are terms of the development key as operator.
func orderTerms(order byte) Terms {
	return Terms{
		ChainID: 31337, OrderKey: [32]byte{order}, Token: usd, Amount: settlement.NewAmount(1000), Payer: payer, Payee: common.Address{3},
		Operator: devAddress, Arbiter: common.Address{5}, ReclaimDeadline: time.Unix(100, 0), DisputeDeadline: time.Unix(200, 0), DefaultToPayee: settlement.NewAmount(1000),
	}
}

func payment(t Terms, part, toPayee, toPayer int64) contracts.OrderVaultsPayment {
	return contracts.OrderVaultsPayment{Terms: t.contract(), Part: big.NewInt(part), ToPayee: big.NewInt(toPayee), ToPayer: big.NewInt(toPayer)}
}

func payData(t Terms, toPayee, toPayer int64) []byte {
	return theVaults.PackPay(payment(t, 0, toPayee, toPayer))
}

func transferData(to common.Address, amount int64) []byte {
	return contracts.NewTestUSD().PackTransfer(to, big.NewInt(amount))
}

// books keep what was reserved, as the rows of movements do.
type books struct {
	vaults   []common.Address
	due      *OwnTransfer     // of nonce 7
	reserved map[uint64]Spent // nonce → what it carries
	broken   error
}

func (b *books) Unknown(_ context.Context, _ uint64, vaults []common.Address) (unknown []common.Address, err error) {
	for _, each := range vaults {
		if !slices.Contains(b.vaults, each) {
			unknown = append(unknown, each)
		}
	}
	return unknown, b.broken
}

func (b *books) Due(_ context.Context, chainID uint64, signer common.Address, nonce uint64) (*OwnTransfer, error) {
	if chainID != 31337 || signer != devAddress || nonce != 7 {
		return nil, b.broken
	}
	return b.due, b.broken
}

func (b *books) LastHour(_ context.Context, _ uint64, signer common.Address, nonce uint64) (Spent, error) {
	sum := Spent{Amounts: make(map[common.Address]settlement.Amount)}
	for n, s := range b.reserved {
		if n == nonce || signer != devAddress {
			continue
		}
		sum.Payments += s.Payments
		for token, amount := range s.Amounts {
			sum.Amounts[token] = sum.Amounts[token].Add(amount)
		}
	}
	return sum, b.broken
}

// counted counts what the signer behind a policy is asked for.
type counted struct {
	Signer
	asked int
}

func (c *counted) SignTx(ctx context.Context, tx *types.Transaction, chainID *big.Int) (*types.Transaction, error) {
	c.asked++
	return c.Signer.SignTx(ctx, tx, chainID)
}

func everyMethod() []string {
	return []string{MethodPay, MethodPayBatch, MethodClaim, MethodFreeze, MethodReturnOther, MethodTransfer}
}

func usdPolicy(methods ...string) Policy {
	return Policy{
		ChainID: 31337, Key: "signers[0].chains[0]", Methods: methods, PaymentsPerHour: 4, MaxFeePerGas: big.NewInt(100),
		Tokens: map[common.Address]TokenLimit{usd: {Key: "signers[0].chains[0].tokens[0]", PerPayment: settlement.NewAmount(1000), PerHour: settlement.NewAmount(1500)}},
	}
}

func usdBooks() *books {
	elsewhere := orderTerms(1)
	elsewhere.ChainID = 1
	return &books{
		vaults: []common.Address{orderTerms(1).Vault(), orderTerms(2).Vault(), elsewhere.Vault()},
		due:    ownTransfer(usd, payer, 1000), reserved: make(map[uint64]Spent),
	}
}

func ownTransfer(token, receiver common.Address, amount uint64) *OwnTransfer {
	return &OwnTransfer{Token: token, Receiver: receiver, Amount: settlement.NewAmount(amount)}
}

// coin lets native coin be moved, and the nonce be reserved for so much of it.
func coin(amount uint64) func(*types.DynamicFeeTx, *Policy, *books) {
	return func(tx *types.DynamicFeeTx, p *Policy, b *books) {
		tx.Value = new(big.Int).SetUint64(amount)
		p.Native = &TokenLimit{Key: "signers[0].chains[0].tokens[1]", PerPayment: settlement.NewAmount(50), PerHour: settlement.NewAmount(60)}
		b.due = ownTransfer(common.Address{}, payer, amount)
	}
}

func callOf(to common.Address, data []byte) *types.DynamicFeeTx {
	return &types.DynamicFeeTx{ChainID: homeChain, Nonce: 7, GasFeeCap: big.NewInt(100), GasTipCap: big.NewInt(1), Gas: 300_000, To: &to, Data: data}
}

func TestPolicyLetsPass(t *testing.T) {
	t.Parallel()
	asArbiter, elsewhere := orderTerms(1), orderTerms(1)
	asArbiter.Operator, asArbiter.Arbiter = asArbiter.Arbiter, asArbiter.Operator
	elsewhere.ChainID = 1
	b := usdBooks()
	b.vaults = append(b.vaults, asArbiter.Vault())
	guard := NewGuard(devKeystore(t), "signers[0]", []Policy{{ChainID: 1, MaxFeePerGas: new(big.Int)}, usdPolicy(everyMethod()...)}, b)
	if guard.Address() != devAddress {
		t.Errorf("address %s", guard.Address())
	}
	for name, tx := range map[string]*types.DynamicFeeTx{
		"pay up to the limit":            callOf(Factory, payData(orderTerms(1), 600, 400)),
		"pay as arbiter":                 callOf(Factory, payData(asArbiter, 1, 0)),
		"pay a batch":                    callOf(Factory, theVaults.PackPayBatch([]contracts.OrderVaultsPayment{payment(orderTerms(1), 0, 1000, 0), payment(orderTerms(2), 1, 0, 500)}, big.NewInt(400_000))),
		"claim":                          callOf(Factory, theVaults.PackClaim(orderTerms(1).contract(), big.NewInt(0), common.Address{})),
		"freeze":                         callOf(Factory, theVaults.PackFreeze(orderTerms(1).contract())),
		"return another token":           callOf(Factory, theVaults.PackReturnOther(orderTerms(1).contract(), otherToken, common.Address{})),
		"return what came on this chain": callOf(Factory, theVaults.PackReturnOther(elsewhere.contract(), usd, common.Address{})),
		"transfer our own":               callOf(usd, transferData(payer, 1000)),
		"a no-op":                        callOf(devAddress, nil),
	} {
		signed, err := guard.SignTx(t.Context(), types.NewTx(tx), homeChain)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if sender, err := types.Sender(types.LatestSignerForChainID(homeChain), signed); err != nil || sender != devAddress {
			t.Errorf("%s: signed by %s, %v", name, sender, err)
		}
	}
}

func TestPolicyRefuses(t *testing.T) {
	t.Parallel()
	changed := func(change func(*Terms)) Terms {
		terms := orderTerms(1)
		change(&terms)
		return terms
	}
	raw := func(change func(*contracts.Terms)) []byte {
		terms := orderTerms(1).contract()
		change(&terms)
		return theVaults.PackFreeze(terms)
	}
	batch := func(payments ...contracts.OrderVaultsPayment) []byte {
		return theVaults.PackPayBatch(payments, big.NewInt(400_000))
	}
	pay := payData(orderTerms(1), 1, 0)
	dirty := slices.Clone(payData(orderTerms(1), 1, 0))
	dirty[len(dirty)-64] = 1 // above 2^128
	padded := slices.Clone(transferData(payer, 1))
	padded[4] = 1 // an address has 20 bytes
	moved := slices.Clone(batch(payment(orderTerms(1), 0, 1, 0)))
	moved[4+31] += 32 // the batch begins elsewhere

	const chain, token = "signers[0].chains[0]", "signers[0].chains[0].tokens[0]"
	for name, c := range map[string]struct {
		tx      *types.DynamicFeeTx
		change  func(*types.DynamicFeeTx, *Policy, *books)
		code    RefusalCode
		key     string
		mention string
	}{
		"another chain":                           {callOf(Factory, pay), func(_ *types.DynamicFeeTx, p *Policy, _ *books) { p.ChainID = 1 }, RefusedChain, "signers[0].chains", "31337"},
		"value":                                   {callOf(Factory, pay), func(tx *types.DynamicFeeTx, _ *Policy, _ *books) { tx.Value = big.NewInt(1) }, RefusedValue, "", "1 wei"},
		"value with a no-op":                      {callOf(devAddress, nil), func(tx *types.DynamicFeeTx, _ *Policy, _ *books) { tx.Value = big.NewInt(1) }, RefusedValue, "", "1 wei"},
		"fee":                                     {callOf(Factory, pay), func(tx *types.DynamicFeeTx, _ *Policy, _ *books) { tx.GasFeeCap = big.NewInt(101) }, RefusedFee, chain + ".max_fee_per_gas", "101"},
		"fee of a no-op":                          {callOf(devAddress, nil), func(tx *types.DynamicFeeTx, _ *Policy, _ *books) { tx.GasFeeCap = big.NewInt(101) }, RefusedFee, chain + ".max_fee_per_gas", "101"},
		"creation":                                {callOf(Factory, pay), func(tx *types.DynamicFeeTx, _ *Policy, _ *books) { tx.To = nil }, RefusedContract, "", "creation"},
		"another contract":                        {callOf(common.Address{9}, pay), nil, RefusedContract, chain + ".tokens", common.Address{9}.Hex()},
		"the vault itself":                        {callOf(orderTerms(1).Vault(), pay), nil, RefusedContract, chain + ".tokens", "call of"},
		"another token":                           {callOf(otherToken, transferData(payer, 1)), nil, RefusedContract, chain + ".tokens", otherToken.Hex()},
		"our wallet, with data":                   {callOf(devAddress, pay), nil, RefusedContract, chain + ".tokens", devAddress.Hex()},
		"a method not allowed":                    {callOf(Factory, pay), func(_ *types.DynamicFeeTx, p *Policy, _ *books) { p.Methods = []string{MethodFreeze} }, RefusedMethod, chain + ".methods", `"pay"`},
		"the payer's method":                      {callOf(Factory, theVaults.PackReclaim(orderTerms(1).contract(), payer)), nil, RefusedMethod, chain + ".methods", `"reclaim"`},
		"a batch's inside":                        {callOf(Factory, theVaults.PackPayFor(devAddress, payment(orderTerms(1), 0, 1, 0))), nil, RefusedMethod, chain + ".methods", `"payFor"`},
		"no method":                               {callOf(Factory, nil), nil, RefusedMethod, chain + ".methods", `""`},
		"three bytes":                             {callOf(Factory, pay[:3]), nil, RefusedMethod, chain + ".methods", "0x"},
		"an approval":                             {callOf(usd, contracts.NewTestUSD().PackApprove(payer, big.NewInt(1))), nil, RefusedMethod, chain + ".methods", `"approve"`},
		"a token's method on the factory":         {callOf(Factory, transferData(payer, 1)), nil, RefusedMethod, chain + ".methods", `""`},
		"a vault's method on a token":             {callOf(usd, pay), nil, RefusedMethod, chain + ".methods", `""`},
		"a listed token is the factory":           {callOf(Factory, transferData(payer, 1)), func(_ *types.DynamicFeeTx, p *Policy, _ *books) { p.Tokens[Factory] = TokenLimit{} }, RefusedMethod, chain + ".methods", `""`},
		"more than the arguments":                 {callOf(Factory, append(slices.Clone(pay), 0)), nil, RefusedCalldata, "", "encoded"},
		"less than the arguments":                 {callOf(Factory, pay[:len(pay)-1]), nil, RefusedCalldata, "", "encoded"},
		"an amount that is none":                  {callOf(Factory, dirty), nil, RefusedCalldata, "", "encoded"},
		"an address that is none":                 {callOf(usd, padded), nil, RefusedCalldata, "", "encoded"},
		"a batch read elsewhere":                  {callOf(Factory, moved), nil, RefusedCalldata, "", "encoded"},
		"a batch of nothing":                      {callOf(Factory, batch()), nil, RefusedCalldata, "", "nothing"},
		"another version":                         {callOf(Factory, raw(func(t *contracts.Terms) { t.Version = big.NewInt(2) })), nil, RefusedTerms, "", "version"},
		"a chain beyond numbers":                  {callOf(Factory, raw(func(t *contracts.Terms) { t.ChainId = new(big.Int).Lsh(big.NewInt(1), 64) })), nil, RefusedTerms, "", "range"},
		"a deadline beyond time":                  {callOf(Factory, raw(func(t *contracts.Terms) { t.DisputeDeadline = new(big.Int).Lsh(big.NewInt(1), 63) })), nil, RefusedTerms, "", "range"},
		"terms nobody is handed":                  {callOf(Factory, payData(changed(func(t *Terms) { t.Payee = t.Payer }), 1, 0)), nil, RefusedTerms, "", "same"},
		"our own wallet as payee":                 {callOf(Factory, payData(changed(func(t *Terms) { t.Payee = devAddress }), 1, 0)), nil, RefusedTerms, "", "party"},
		"another operator":                        {callOf(Factory, payData(changed(func(t *Terms) { t.Operator = common.Address{6} }), 1, 0)), nil, RefusedTerms, "", "operator"},
		"another chain's vault":                   {callOf(Factory, payData(changed(func(t *Terms) { t.ChainID = 1 }), 1, 0)), nil, RefusedTerms, "", "chain 1"},
		"another payee":                           {callOf(Factory, payData(changed(func(t *Terms) { t.Payee = common.Address{9} }), 1, 0)), nil, RefusedDestination, "", "no vault"},
		"an order we do not know":                 {callOf(Factory, payData(orderTerms(3), 1, 0)), nil, RefusedDestination, "", orderTerms(3).Vault().Hex()},
		"one such in a batch":                     {callOf(Factory, batch(payment(orderTerms(1), 0, 1, 0), payment(orderTerms(3), 0, 1, 0))), nil, RefusedDestination, "", orderTerms(3).Vault().Hex()},
		"freeze one such":                         {callOf(Factory, theVaults.PackFreeze(orderTerms(3).contract())), nil, RefusedDestination, "", orderTerms(3).Vault().Hex()},
		"transfer to a stranger":                  {callOf(usd, transferData(common.Address{9}, 1000)), nil, RefusedDestination, "", common.Address{9}.Hex()},
		"transfer of another amount":              {callOf(usd, transferData(payer, 999)), nil, RefusedDestination, "", "999 base units"},
		"transfer by another nonce":               {callOf(usd, transferData(payer, 1000)), func(tx *types.DynamicFeeTx, _ *Policy, _ *books) { tx.Nonce = 8 }, RefusedDestination, "", "nonce 8"},
		"transfer for which nothing was reserved": {callOf(usd, transferData(payer, 1000)), func(_ *types.DynamicFeeTx, _ *Policy, b *books) { b.due = nil }, RefusedDestination, "", "not reserved"},
		"coin where none may be moved":            {callOf(payer, nil), func(tx *types.DynamicFeeTx, _ *Policy, _ *books) { tx.Value = big.NewInt(1) }, RefusedValue, chain + ".tokens", "1 wei"},
		"coin without the method":                 {callOf(payer, nil), func(tx *types.DynamicFeeTx, p *Policy, b *books) { coin(50)(tx, p, b); p.Methods = []string{MethodPay} }, RefusedMethod, chain + ".methods", "50 wei"},
		"too much coin":                           {callOf(payer, nil), coin(51), RefusedAmount, chain + ".tokens[1].per_payment", "51 wei"},
		"coin to a stranger":                      {callOf(common.Address{9}, nil), coin(50), RefusedDestination, "", common.Address{9}.Hex()},
		"coin with a call":                        {callOf(usd, transferData(payer, 1000)), coin(50), RefusedValue, "", "50 wei"},
		"coin in place of a token": {callOf(payer, nil), func(tx *types.DynamicFeeTx, p *Policy, b *books) {
			coin(50)(tx, p, b)
			b.due = ownTransfer(usd, payer, 50)
		}, RefusedDestination, "", "not reserved"},
		"too much coin in the hour": {callOf(payer, nil), func(tx *types.DynamicFeeTx, p *Policy, b *books) {
			coin(50)(tx, p, b)
			b.reserved[1] = Spent{1, map[common.Address]settlement.Amount{{}: settlement.NewAmount(11)}}
		}, RefusedAmountPerHour, chain + ".tokens[1].per_hour", "50 base units"},
		"a token without limit": {callOf(Factory, payData(changed(func(t *Terms) { t.Token = otherToken }), 1, 0)), nil, RefusedToken, chain + ".tokens", otherToken.Hex()},
		"too much":              {callOf(Factory, payData(orderTerms(1), 600, 401)), nil, RefusedAmount, token + ".per_payment", "1001"},
		"too much in a batch":   {callOf(Factory, batch(payment(orderTerms(2), 0, 1, 0), payment(orderTerms(1), 0, 0, 1001))), nil, RefusedAmount, token + ".per_payment", "1001"},
		"too much of our own":   {callOf(usd, transferData(payer, 1001)), nil, RefusedAmount, token + ".per_payment", "1001"},
		"too much in the hour": {callOf(Factory, payData(orderTerms(1), 600, 0)), func(_ *types.DynamicFeeTx, _ *Policy, b *books) {
			b.reserved[1] = Spent{1, map[common.Address]settlement.Amount{usd: settlement.NewAmount(901)}}
		}, RefusedAmountPerHour, token + ".per_hour", "600 base units"},
		"too much in the hour by a batch": {callOf(Factory, batch(payment(orderTerms(1), 0, 800, 0), payment(orderTerms(2), 0, 701, 0))), nil, RefusedAmountPerHour, token + ".per_hour", "1501"},
		"too many in the hour": {callOf(Factory, pay), func(_ *types.DynamicFeeTx, _ *Policy, b *books) {
			b.reserved[1], b.reserved[2] = Spent{Payments: 1}, Spent{Payments: 3}
		}, RefusedPaymentsPerHour, chain + ".payments_per_hour", "after 4"},
		"too many in a batch": {callOf(Factory, batch(slices.Repeat([]contracts.OrderVaultsPayment{payment(orderTerms(1), 0, 1, 0)}, 5)...)), nil, RefusedPaymentsPerHour, chain + ".payments_per_hour", "5 payment(s)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, b, signer := usdPolicy(everyMethod()...), usdBooks(), &counted{Signer: addressOnly{}}
			if c.change != nil {
				c.change(c.tx, &p, b)
			}
			signed, err := NewGuard(signer, "signers[0]", []Policy{p}, b).SignTx(t.Context(), types.NewTx(c.tx), homeChain)
			refusal, ok := errors.AsType[*Refusal](err)
			if !ok || refusal.Code != c.code || refusal.Key != c.key || !strings.Contains(refusal.Detail, c.mention) {
				t.Errorf("got %v; want %s by %q", err, c.code, c.key)
			}
			if signed != nil || signer.asked != 0 {
				t.Error("the signer was asked")
			}
		})
	}
}

// The chain's own coin goes out only where a limit is set for it, and by the nonce that was reserved for that.
func TestPolicyLetsCoinPass(t *testing.T) {
	t.Parallel()
	p, b, tx := usdPolicy(MethodTransfer), usdBooks(), callOf(payer, nil)
	coin(50)(tx, &p, b)
	signed, err := NewGuard(devKeystore(t), "signers[0]", []Policy{p}, b).SignTx(t.Context(), types.NewTx(tx), homeChain)
	if err != nil || signed.Value().Int64() != 50 || *signed.To() != payer {
		t.Errorf("got %+v, %v", signed, err)
	}
}

// addressOnly is a signer that must not be asked to sign.
type addressOnly struct{ Signer }

func (addressOnly) Address() common.Address { return devAddress }

// What was reserved counts, whoever asks; the same nonce again is no second payment.
func TestHourlyLimitsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	b, signer := usdBooks(), devKeystore(t)
	start := func() *Guard { return NewGuard(signer, "signers[0]", []Policy{usdPolicy(MethodPay)}, b) }
	first, second := callOf(Factory, payData(orderTerms(1), 1000, 0)), callOf(Factory, payData(orderTerms(2), 501, 0))
	second.Nonce = 8
	b.reserved[7] = Spent{1, map[common.Address]settlement.Amount{usd: settlement.NewAmount(1000)}}
	if _, err := start().SignTx(t.Context(), types.NewTx(first), homeChain); err != nil {
		t.Fatal(err)
	}
	bumped := *first
	bumped.GasTipCap = big.NewInt(2)
	if _, err := start().SignTx(t.Context(), types.NewTx(&bumped), homeChain); err != nil {
		t.Errorf("a fee bump: %v", err)
	}
	b.reserved[8] = Spent{1, map[common.Address]settlement.Amount{usd: settlement.NewAmount(501)}}
	_, err := start().SignTx(t.Context(), types.NewTx(second), homeChain)
	if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Code != RefusedAmountPerHour {
		t.Errorf("after a restart: %v", err)
	}
}

func TestNothingIsSignedWithoutBooks(t *testing.T) {
	t.Parallel()
	b, signer := usdBooks(), &counted{Signer: addressOnly{}}
	b.broken = errors.New("no database")
	guard := NewGuard(signer, "signers[0]", []Policy{usdPolicy(MethodPay)}, b)
	if _, err := guard.SignTx(t.Context(), types.NewTx(callOf(Factory, payData(orderTerms(1), 1, 0))), homeChain); !errors.Is(err, b.broken) || signer.asked != 0 {
		t.Errorf("got %v", err)
	}
	if _, err := guard.SignTx(t.Context(), types.NewTx(callOf(Factory, nil)), nil); err == nil || signer.asked != 0 {
		t.Errorf("without a chain: %v", err)
	}
}

// FuzzReadCall: whatever is accepted is the one encoding of what was read.
func FuzzReadCall(f *testing.F) {
	f.Add(payData(orderTerms(1), 600, 400))
	f.Add(theVaults.PackPayBatch([]contracts.OrderVaultsPayment{payment(orderTerms(1), 0, 1, 0), payment(orderTerms(2), 95, 0, 5)}, big.NewInt(1)))
	f.Add(theVaults.PackClaim(orderTerms(1).contract(), big.NewInt(255), payer))
	f.Add(theVaults.PackFreeze(orderTerms(1).contract()))
	f.Add(theVaults.PackReturnOther(orderTerms(1).contract(), otherToken, payer))
	f.Add(transferData(payer, 7))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, parsed := range []string{methodOf(vaultsABI, data), methodOf(tokenABI, data)} {
			if !slices.Contains(everyMethod(), parsed) {
				continue
			}
			c, err := readCall(parsed, data, usd)
			if err != nil {
				continue
			}
			for _, s := range c.spends {
				if s.terms != nil && s.terms.Check() != nil {
					t.Errorf("terms %+v are accepted", s.terms)
				}
			}
			if len(c.spends) == 0 {
				continue
			}
			if again, ok := packed(c); ok && !bytes.Equal(again, data) {
				t.Errorf("%x is read as %x", data, again)
			}
		}
	})
}

// packed is calldata of a call whose arguments are all in what was read of it.
func packed(c call) ([]byte, bool) {
	switch c.method {
	case MethodFreeze:
		return theVaults.PackFreeze(c.spends[0].terms.contract()), true
	case MethodTransfer:
		return contracts.NewTestUSD().PackTransfer(c.spends[0].receiver, c.spends[0].amount.Big()), true
	}
	return nil, false
}

// Each refusal is described where an operator looks for it.
func TestRefusalsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []RefusalCode{
		RefusedChain, RefusedValue, RefusedFee, RefusedContract, RefusedMethod, RefusedCalldata, RefusedTerms, RefusedDestination, RefusedToken, RefusedAmount,
		RefusedAmountPerHour, RefusedPaymentsPerHour,
	} {
		if !bytes.Contains(text, []byte("| `"+string(code)+"` |")) {
			t.Errorf("docs/configuration.md does not describe %s", code)
		}
	}
}

// A refusal that time or a lower fee may end is asked again; any other lets the nonce be filled.
func TestRefusalsForGood(t *testing.T) {
	t.Parallel()
	for code, forGood := range map[RefusalCode]bool{
		RefusedAmount: true, RefusedDestination: true, RefusedMethod: true, RefusedFee: false, RefusedAmountPerHour: false, RefusedPaymentsPerHour: false,
	} {
		if got := errors.Is(fmt.Errorf("sign: %w", &Refusal{Code: code}), settlement.ErrNotSigned); got != forGood {
			t.Errorf("%s: for good %t, want %t", code, got, forGood)
		}
	}
}
