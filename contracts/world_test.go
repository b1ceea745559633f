package contracts

import (
	"crypto/ecdsa"
	"fmt"
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/core"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/tracing"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm/runtime"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
	"github.com/ethereum/go-ethereum/triedb"
	"github.com/holiman/uint256"
)

// gasLimit is what each call has.
const gasLimit = 20_000_000

// world is go-ethereum's EVM with the vaults' factory and two tokens. Its time and chain are set by the test.
type world struct {
	state   *state.StateDB
	time    uint64
	chainID uint64
	gas     uint64 // of the last call, without what a transaction costs by itself

	factory, token, other, second common.Address
}

var (
	vaults  = NewOrderVaults()
	vault   = NewOrderVault()
	hostile = NewHostileToken()
)

const homeChain = 1337

// rules are those of London: no later fork is active.
var rules = params.AllEthashProtocolChanges.Rules(big.NewInt(1), false, 0)

func newWorld(t testing.TB) *world {
	t.Helper()
	db, err := state.New(types.EmptyRootHash, state.NewDatabase(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil), nil))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{state: db, time: 1_000_000, chainID: homeChain}
	w.factory = w.deploy(t, OrderVaultsMetaData.Bin)
	w.token = w.deploy(t, HostileTokenMetaData.Bin)
	w.other = w.deploy(t, HostileTokenMetaData.Bin)
	w.second = w.deploy(t, SecondEntryMetaData.Bin, common.LeftPadBytes(w.token[:], 32)...)
	return w
}

func (w *world) config(from common.Address) *runtime.Config {
	chain := *params.AllEthashProtocolChanges
	chain.ChainID = new(big.Int).SetUint64(w.chainID)
	return &runtime.Config{
		ChainConfig: &chain, Origin: from, State: w.state, Time: w.time, GasLimit: gasLimit, BlockNumber: big.NewInt(1), GasPrice: new(big.Int),
	}
}

func (w *world) deploy(t testing.TB, code string, args ...byte) common.Address {
	t.Helper()
	_, address, _, err := runtime.Create(append(common.FromHex(code), args...), w.config(named("deployer")))
	if err != nil {
		t.Fatalf("deploy: %v", err)
	}
	w.state.Finalise(rules)
	return address
}

// call carries out a transaction and returns what reverted it.
func (w *world) call(from, to common.Address, data []byte) ([]byte, error) {
	return w.callWith(from, to, data, gasLimit)
}

func (w *world) callWith(from, to common.Address, data []byte, gas uint64) ([]byte, error) {
	cfg := w.config(from)
	cfg.GasLimit = gas
	out, left, err := runtime.Call(to, data, cfg)
	w.gas = gas - left
	w.state.Finalise(rules)
	if err != nil && len(out) >= 4 {
		if failure, decodeErr := vault.UnpackError(out); decodeErr == nil {
			return nil, fmt.Errorf("%T", failure)
		}
	}
	return out, err
}

// cost is what the last call costs as a transaction.
func (w *world) cost(t testing.TB, data []byte) uint64 {
	t.Helper()
	intrinsic, err := core.IntrinsicGas(data, nil, nil, common.Address{}, &w.factory, new(uint256.Int), rules)
	if err != nil {
		t.Fatal(err)
	}
	return w.gas + intrinsic
}

func (w *world) mint(t testing.TB, token, to common.Address, amount int64) {
	t.Helper()
	if _, err := w.call(named("minter"), token, hostile.PackMint(to, big.NewInt(amount))); err != nil {
		t.Fatal(err)
	}
}

// endow gives an account the chain's own coin.
func (w *world) endow(to common.Address, amount uint64) {
	w.state.AddBalance(to, uint256.NewInt(amount), tracing.BalanceChangeUnspecified)
	w.state.Finalise(rules)
}

func (w *world) setMood(t testing.TB, mood uint8, who common.Address) {
	t.Helper()
	if _, err := w.call(named("minter"), w.token, hostile.PackSetMood(mood, who)); err != nil {
		t.Fatal(err)
	}
}

func (w *world) balance(t testing.TB, token, of common.Address) int64 {
	t.Helper()
	if token == (common.Address{}) {
		return int64(w.state.GetBalance(of).Uint64()) //nolint:gosec // amounts of a test
	}
	out, err := w.call(named("reader"), token, hostile.PackBalanceOf(of))
	if err != nil {
		t.Fatal(err)
	}
	return new(big.Int).SetBytes(out).Int64()
}

func (w *world) vaultOf(t testing.TB, terms Terms) common.Address {
	t.Helper()
	out, err := w.call(named("reader"), w.factory, vaults.PackVaultOf(terms))
	if err != nil {
		t.Fatal(err)
	}
	return common.BytesToAddress(out)
}

// books reads a vault's state; zero where it was not deployed.
func (w *world) books(t testing.TB, at common.Address) StateOutput {
	t.Helper()
	if w.state.GetCodeSize(at) == 0 {
		return StateOutput{ToPayee: new(big.Int), Parts: new(big.Int), OwedToPayee: new(big.Int), OwedToPayer: new(big.Int)}
	}
	out, err := w.call(named("reader"), at, vault.PackState())
	if err != nil {
		t.Fatal(err)
	}
	got, err := vault.UnpackState(out)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// The moods of HostileToken, in its order.
const (
	plain uint8 = iota
	fee
	answersFalse
	silent
	burning
	blocking
	reentrant
	long
	lying
)

// named is an account that nobody has the key of.
func named(name string) common.Address {
	return common.BytesToAddress(crypto.Keccak256([]byte(name))[12:])
}

func keyOf(name string) *ecdsa.PrivateKey {
	key, err := crypto.ToECDSA(crypto.Keccak256([]byte(name)))
	if err != nil {
		panic(err) // no name of these tests gives a number outside the curve's order
	}
	return key
}

func keyed(name string) common.Address { return crypto.PubkeyToAddress(keyOf(name).PublicKey) }

// releaseDigest is what is signed for a release, as go-ethereum's EIP-712 gives it.
func releaseDigest(t testing.TB, at common.Address, chainID, total int64) (digest [32]byte) {
	t.Helper()
	hash, _, err := apitypes.TypedDataAndHash(apitypes.TypedData{
		Types: apitypes.Types{
			"EIP712Domain": {{Name: "name", Type: "string"}, {Name: "version", Type: "string"}, {Name: "chainId", Type: "uint256"}, {Name: "verifyingContract", Type: "address"}},
			"Release":      {{Name: "totalToPayee", Type: "uint256"}},
		},
		PrimaryType: "Release",
		Domain:      apitypes.TypedDataDomain{Name: "OrderVault", Version: "1", ChainId: math.NewHexOrDecimal256(chainID), VerifyingContract: at.Hex()},
		Message:     apitypes.TypedDataMessage{"totalToPayee": big.NewInt(total)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return [32]byte(hash)
}

func signRelease(t testing.TB, key *ecdsa.PrivateKey, at common.Address, chainID, total int64) []byte {
	t.Helper()
	digest := releaseDigest(t, at, chainID, total)
	signature, err := crypto.Sign(digest[:], key)
	if err != nil {
		t.Fatal(err)
	}
	signature[64] += 27
	return signature
}

// termsFor are the terms of an order of 1,000 at the world's time.
func (w *world) termsFor(order string) Terms {
	return Terms{
		Version: big.NewInt(1), ChainId: big.NewInt(homeChain), OrderKey: crypto.Keccak256Hash([]byte(order)), Token: w.token, Amount: big.NewInt(1000),
		Payer: keyed("payer"), Payee: keyed("payee"), Operator: keyed("operator"), Arbiter: keyed("arbiter"),
		ReclaimDeadline: big.NewInt(int64(w.time) + 100), DisputeDeadline: big.NewInt(int64(w.time) + 200), DefaultToPayee: big.NewInt(300), //nolint:gosec // a test's time
	}
}

func payment(terms Terms, part, toPayee, toPayer int64) OrderVaultsPayment {
	return OrderVaultsPayment{Terms: terms, Part: big.NewInt(part), ToPayee: big.NewInt(toPayee), ToPayer: big.NewInt(toPayer)}
}
