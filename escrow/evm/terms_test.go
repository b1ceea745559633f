package evm

import (
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/rawdb"
	"github.com/ethereum/go-ethereum/core/state"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/core/vm/runtime"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/triedb"

	"github.com/settler-pay/settler/contracts"
	"github.com/settler-pay/settler/settlement"
)

// deployerCode is the code of the CREATE2 deployer as it stands on the chains.
//
// Source: https://github.com/Arachnid/deterministic-deployment-proxy.
const deployerCode = "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"

// TestVaultIsWhereTheContractPutsIt deploys the factory through the standard deployer and asks it for the addresses of
// 10,000 random terms.
func TestVaultIsWhereTheContractPutsIt(t *testing.T) {
	t.Parallel()
	db, err := state.New(types.EmptyRootHash, state.NewDatabase(triedb.NewDatabase(rawdb.NewMemoryDatabase(), nil), nil))
	if err != nil {
		t.Fatal(err)
	}
	config := &runtime.Config{ChainConfig: params.AllEthashProtocolChanges, State: db, GasLimit: 20_000_000, BlockNumber: big.NewInt(1), GasPrice: new(big.Int)}
	db.SetCode(Deployer, common.FromHex(deployerCode), 0)
	if _, _, err := runtime.Call(Deployer, append(make([]byte, 32), FactoryCode()...), config); err != nil {
		t.Fatal(err)
	}
	if db.GetCodeSize(Factory) == 0 {
		t.Fatalf("no factory at %s", Factory)
	}
	factory := contracts.NewOrderVaults()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // a test's terms
	for range 10_000 {
		terms := randomTerms(t, random)
		out, _, err := runtime.Call(Factory, factory.PackVaultOf(terms.contract()), config)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := terms.Vault(), common.BytesToAddress(out); got != want {
			t.Fatalf("seed %d: %+v is at %s, want %s", seed, terms, got, want)
		}
	}
}

func randomTerms(t *testing.T, random *rand.Rand) Terms {
	t.Helper()
	fill := func(b []byte) {
		for i := range b {
			b[i] = byte(random.Uint32())
		}
	}
	amount := func() settlement.Amount {
		b := make([]byte, random.IntN(33))
		fill(b)
		a, err := settlement.AmountFromBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	terms := Terms{
		ChainID: random.Uint64(), Amount: amount(), DefaultToPayee: amount(),
		ReclaimDeadline: time.Unix(random.Int64N(1<<40), 0), DisputeDeadline: time.Unix(random.Int64N(1<<40), 0),
	}
	fill(terms.OrderKey[:])
	for _, a := range []*common.Address{&terms.Token, &terms.Payer, &terms.Payee, &terms.Operator, &terms.Arbiter} {
		fill(a[:])
	}
	return terms
}

func TestTermsThatNoVaultIsHandedOutFor(t *testing.T) {
	t.Parallel()
	good := func() Terms {
		return Terms{
			ChainID: 8453, OrderKey: [32]byte{1}, Token: common.Address{1}, Amount: settlement.NewAmount(1000), Payer: common.Address{2}, Payee: common.Address{3},
			Operator: common.Address{4}, Arbiter: common.Address{5}, ReclaimDeadline: time.Unix(100, 0), DisputeDeadline: time.Unix(200, 0), DefaultToPayee: settlement.NewAmount(1000),
		}
	}
	if err := good().Check(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*Terms){
		"chain":         func(t *Terms) { t.ChainID = 0 },
		"order key":     func(t *Terms) { t.OrderKey = [32]byte{} },
		"named":         func(t *Terms) { t.Payer = common.Address{} },
		"same":          func(t *Terms) { t.Payee = t.Payer },
		"party":         func(t *Terms) { t.Arbiter = t.Payee },
		"base units":    func(t *Terms) { t.Amount = settlement.Amount{} },
		"1 to 2^128-1":  func(t *Terms) { t.Amount, _ = settlement.AmountFromBytes(append([]byte{1}, make([]byte, 16)...)) },
		"default":       func(t *Terms) { t.DefaultToPayee = settlement.NewAmount(1001) },
		"after":         func(t *Terms) { t.DisputeDeadline = t.ReclaimDeadline },
		"whole seconds": func(t *Terms) { t.DisputeDeadline = t.DisputeDeadline.Add(1) },
	} {
		terms := good()
		change(&terms)
		if err := terms.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q expected, got %v", want, err)
		}
	}
}
