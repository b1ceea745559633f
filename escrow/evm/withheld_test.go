package evm

import (
	"math/big"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/settler-pay/settler/settlement"
)

// What a token has kept is what its log to the receiver lacks. A log of somebody else's, of another token, or of more than was sent tells of none.
func TestWithheld(t *testing.T) {
	t.Parallel()
	token, vault, payee, other := common.Address{1}, common.Address{2}, common.Address{3}, common.Address{4}
	transfer := func(token, from, to common.Address, value int64) *types.Log {
		topic := func(a common.Address) common.Hash { return common.BytesToHash(a[:]) }
		return &types.Log{
			Address: token, Topics: []common.Hash{crypto.Keccak256Hash([]byte("Transfer(address,address,uint256)")), topic(from), topic(to)},
			Data: common.BigToHash(big.NewInt(value)).Bytes(),
		}
	}
	for _, tt := range []struct {
		name string
		logs []*types.Log
		want uint64
	}{
		{"a fee that goes elsewhere", []*types.Log{transfer(token, vault, other, 4), transfer(token, vault, payee, 96)}, 4},
		{"a fee that no log shows", []*types.Log{transfer(token, vault, payee, 96)}, 4},
		{"all of it", []*types.Log{transfer(token, vault, payee, 0)}, 100},
		{"none", []*types.Log{transfer(token, vault, payee, 100)}, 0},
		{"more than was sent", []*types.Log{transfer(token, vault, payee, 101)}, 0},
		{"no log", nil, 0},
		{"logs of others", []*types.Log{transfer(token, other, payee, 1), transfer(other, vault, payee, 1), transfer(token, vault, other, 1), {Address: token}}, 0},
	} {
		if got := withheld(&types.Receipt{Logs: tt.logs}, token, vault, payee, settlement.NewAmount(100)); got != settlement.NewAmount(tt.want) {
			t.Errorf("%s: got %s, want %d", tt.name, got, tt.want)
		}
	}
}
