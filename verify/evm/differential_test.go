package evm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/trie"
	"github.com/google/go-cmp/cmp"
	"github.com/holiman/uint256"

	"github.com/settler-pay/settler/settlement"
)

// What go-ethereum makes is what we read, and what both read is the same to both.

// sameLog compares what both made of a log.
func sameLog(ours *logEntry, theirs *types.Log) string {
	topics := make([]common.Hash, ours.topicSize)
	for i := range topics {
		topics[i] = ours.topics[i]
	}
	left := []any{ours.address, topics, ours.dataSize, ours.txid, ours.blockHash, ours.number, ours.txIndex, ours.index, ours.removed}
	right := []any{
		[20]byte(theirs.Address), append([]common.Hash{}, theirs.Topics...), len(theirs.Data), [32]byte(theirs.TxHash), [32]byte(theirs.BlockHash),
		theirs.BlockNumber, uint64(theirs.TxIndex), uint64(theirs.Index), theirs.Removed,
	}
	if len(theirs.Data) == 32 {
		left, right = append(left, ours.data[:]), append(right, theirs.Data)
	}
	return cmp.Diff(left, right)
}

// sameReceipt compares what both made of a receipt.
func sameReceipt(ours receipt, theirs *types.Receipt) string {
	number := theirs.BlockNumber
	if number == nil {
		number = new(big.Int)
	}
	left := []any{ours.txid.String(), ours.number, ours.index, ours.bloom, len(ours.logs)}
	right := []any{theirs.TxHash.Hex(), number.Uint64(), uint64(theirs.TransactionIndex), theirs.Bloom, len(theirs.Logs)}
	if ours.txid == "" {
		left[0] = common.Hash{}.Hex()
	}
	if ours.status != nil && len(theirs.PostState) == 0 { // theirs cannot tell failure from no answer
		left, right = append(left, *ours.status), append(right, theirs.Status)
	}
	if ours.blockHash != "" {
		left, right = append(left, ours.blockHash.String()), append(right, theirs.BlockHash.Hex())
	}
	if diff := cmp.Diff(left, right); diff != "" {
		return diff
	}
	for i := range ours.logs {
		if diff := sameLog(&ours.logs[i], theirs.Logs[i]); diff != "" {
			return fmt.Sprintf("log %d: %s", i, diff)
		}
	}
	return ""
}

func sameHeader(ours block, theirs *types.Header) string {
	return cmp.Diff([]any{ours.number, uint64(ours.time.Unix()), ours.bloom, ours.parent.String()},
		[]any{theirs.Number.Uint64(), theirs.Time, theirs.Bloom, theirs.ParentHash.Hex()})
}

func sameTransaction(ours transaction, theirs *types.Transaction) string {
	to := ""
	if theirs.To() != nil {
		to = strings.ToLower(theirs.To().Hex())
	}
	mine := ""
	if ours.to != "" {
		mine = ours.to.String()
	}
	return cmp.Diff([]any{mine, ours.value.String(), ours.nonce}, []any{to, theirs.Value().String(), theirs.Nonce()})
}

// exact reports whether every name in the value that we read is written as we read it: encoding/json takes other letter case.
func exact(value any, known map[string]bool) bool {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if !exact(item, known) {
				return false
			}
		}
	case fields:
		for name, item := range v {
			for k := range known {
				if name != k && strings.EqualFold(name, k) {
					return false
				}
			}
			if !exact(item, known) {
				return false
			}
		}
	}
	return true
}

var namesWeRead = map[string]bool{
	"transactionHash": true, "blockHash": true, "from": true, "to": true, "blockNumber": true, "transactionIndex": true, "status": true, "root": true,
	"logsBloom": true, "logs": true, "address": true, "logIndex": true, "removed": true, "data": true, "topics": true, "hash": true, "number": true,
	"timestamp": true, "parentHash": true, "transactions": true, "nonce": true, "value": true, "type": true, "cumulativeGasUsed": true, "input": true,
}

// Whatever both of us take for a receipt, log, header or transaction says the same to both, and has the same hash.
func FuzzLikeGoEthereum(f *testing.F) {
	s := newScene()
	s.rebloom()
	for kind, value := range []any{s.receipt, s.log(0), s.block, s.tx} {
		raw, err := json.Marshal(value)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(kind), raw)
	}
	for seed := range uint64(8) {
		for kind, raw := range newMaker(seed, 1).all(f) {
			f.Add(uint8(kind), []byte(raw))
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		var value any
		if json.Unmarshal(raw, &value) != nil || !exact(value, namesWeRead) {
			return
		}
		switch kind % 4 {
		case 0:
			ours, err := decodeReceipt(raw)
			var theirs types.Receipt
			if err != nil || json.Unmarshal(raw, &theirs) != nil || theirs.BlockNumber != nil && !theirs.BlockNumber.IsUint64() {
				return
			}
			if diff := sameReceipt(ours, &theirs); diff != "" {
				t.Errorf("receipt (-ours +theirs):\n%s", diff)
			}
			if hashed, err := decode(raw, (*cursor).consensusReceipt); err == nil && hashed.Type <= lastKnownType {
				if a, b := receiptHash(hashed), receiptHash(&theirs); a != b {
					t.Errorf("hash %s, theirs is %s", a, b)
				}
			}
		case 1:
			ours, err := decode(raw, func(c *cursor) (l logEntry, err error) { err = c.log(&l); return l, err })
			var theirs types.Log
			if err != nil || json.Unmarshal(raw, &theirs) != nil {
				return
			}
			if diff := sameLog(&ours, &theirs); diff != "" {
				t.Errorf("log (-ours +theirs):\n%s", diff)
			}
		case 2:
			ours, err := decodeBlock(raw, false)
			var theirs types.Header
			if err != nil || json.Unmarshal(raw, &theirs) != nil || !theirs.Number.IsUint64() {
				return
			}
			if diff := sameHeader(ours, &theirs); diff != "" {
				t.Errorf("header (-ours +theirs):\n%s", diff)
			}
		case 3:
			ours, err := decodeTransaction(raw)
			var theirs types.Transaction
			if err != nil || theirs.UnmarshalJSON(raw) != nil || !ours.hasNonce || !ours.hasValue {
				return
			}
			if diff := sameTransaction(ours, &theirs); diff != "" {
				t.Errorf("transaction (-ours +theirs):\n%s", diff)
			}
		}
	})
}

func receiptHash(r *types.Receipt) common.Hash {
	return types.DeriveSha(types.Receipts{r}, trie.NewStackTrie(nil))
}

// Every receipt, log, header and transaction that go-ethereum can make is read, and means to us what it means to it.
func FuzzOfGoEthereum(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, seed*seed)
	}
	f.Fuzz(func(t *testing.T, a, b uint64) {
		m := newMaker(a, b)
		made := m.all(t)
		ours, err := decodeReceipt(made[0])
		if err == nil {
			err = ours.check(false)
		}
		if err != nil {
			t.Fatalf("receipt: %v\n%s", err, made[0])
		}
		if diff := sameReceipt(ours, m.receipt); diff != "" {
			t.Errorf("receipt (-ours +theirs):\n%s", diff)
		}
		hashed, err := decode(made[0], (*cursor).consensusReceipt)
		if err != nil || receiptHash(hashed) != receiptHash(m.receipt) {
			t.Errorf("the receipt hashes differently (%v)", err)
		}
		if diff := cmp.Diff(m.transfers(), transfersOf(ours.logs), compareAmounts); diff != "" {
			t.Errorf("transfers (-theirs +ours):\n%s", diff)
		}
		if len(m.receipt.Logs) > 0 {
			l, err := decode(made[1], func(c *cursor) (l logEntry, err error) { err = c.log(&l); return l, err })
			if diff := sameLog(&l, m.receipt.Logs[0]); err != nil || diff != "" {
				t.Errorf("log (%v) (-ours +theirs):\n%s", err, diff)
			}
		}
		read, err := decodeBlock(made[2], false)
		if diff := sameHeader(read, m.header); err != nil || diff != "" || read.hash.String() != m.header.Hash().Hex() {
			t.Errorf("header %s (%v) (-ours +theirs):\n%s", read.hash, err, diff)
		}
		tx, err := decodeTransaction(made[3])
		if diff := sameTransaction(tx, m.tx); err != nil || diff != "" || tx.txid.String() != m.tx.Hash().Hex() {
			t.Fatalf("transaction %s (%v) (-ours +theirs):\n%s", tx.txid, err, diff)
		}
		tx.from, tx.to, tx.value = "", "", settlement.Amount{}
		chain := &Chain{id: "eip155:31337"}
		if err := chain.prove(made[3], &tx); err != nil || FormatAddress(tx.from) != m.sender.Hex() {
			t.Errorf("proven sender %s (%v), want %s", FormatAddress(tx.from), err, m.sender)
		}
		if diff := sameTransaction(tx, m.tx); diff != "" {
			t.Errorf("proven transaction (-ours +theirs):\n%s", diff)
		}
	})
}

// maker makes one of each with go-ethereum, all that is in them chosen by its seeds.
type maker struct {
	random  *rand.Rand
	receipt *types.Receipt
	header  *types.Header
	tx      *types.Transaction
	sender  common.Address
}

func newMaker(a, b uint64) *maker { return &maker{random: rand.New(rand.NewPCG(a, b))} }

func (m *maker) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(m.random.Uint32())
	}
	return out
}

func (m *maker) number() uint64 { return m.random.Uint64() >> m.random.IntN(64) }

// all are the JSON texts of the receipt, its first log, the header and the transaction.
func (m *maker) all(t testing.TB) (texts [4]json.RawMessage) {
	t.Helper()
	m.makeReceipt()
	m.header = &types.Header{
		ParentHash: common.Hash(m.bytes(32)), UncleHash: common.Hash(m.bytes(32)), Coinbase: common.Address(m.bytes(20)), Root: common.Hash(m.bytes(32)),
		TxHash: common.Hash(m.bytes(32)), ReceiptHash: common.Hash(m.bytes(32)), Bloom: types.Bloom(m.bytes(256)), Difficulty: big.NewInt(int64(m.number() >> 1)),
		Number: new(big.Int).SetUint64(m.number()), GasLimit: m.number(), GasUsed: m.number(), Time: m.number() % (maxBlockTime + 1), Extra: m.bytes(m.random.IntN(40)),
	}
	if m.random.IntN(2) == 0 {
		m.header.BaseFee, m.header.WithdrawalsHash = new(big.Int).SetUint64(m.number()), new(common.Hash(m.bytes(32)))
	}
	m.makeTransaction(t)
	var firstLog any
	if len(m.receipt.Logs) > 0 {
		firstLog = m.receipt.Logs[0]
	}
	for i, part := range []struct {
		value any
		more  fields
	}{
		{m.receipt, nil},
		{firstLog, nil},
		{m.header, fields{"transactions": []any{m.tx.Hash()}}},
		{m.tx, fields{"from": m.sender, "blockHash": m.header.Hash(), "blockNumber": hexutil.Uint64(m.number())}},
	} {
		raw, err := json.Marshal(part.value)
		if err != nil {
			t.Fatal(err)
		}
		if part.more != nil {
			var object map[string]any
			if err := json.Unmarshal(raw, &object); err != nil {
				t.Fatal(err)
			}
			maps.Copy(object, part.more)
			if raw, err = json.Marshal(object); err != nil {
				t.Fatal(err)
			}
		}
		texts[i] = raw
	}
	return texts
}

func (m *maker) makeReceipt() {
	r := &types.Receipt{
		Type: uint8(m.random.IntN(lastKnownType + 1)), Status: uint64(m.random.IntN(2)), CumulativeGasUsed: m.number(), TxHash: common.Hash(m.bytes(32)),
		GasUsed: m.number(), BlockHash: common.Hash(m.bytes(32)), BlockNumber: new(big.Int).SetUint64(m.number() | 1), TransactionIndex: uint(m.random.IntN(500)),
		EffectiveGasPrice: new(big.Int).SetUint64(m.number()), Logs: []*types.Log{},
	}
	r.BlockHash[0] |= 1
	index, token := uint(m.random.IntN(1000)), common.Address(m.bytes(20))
	for range m.random.IntN(6) {
		l := &types.Log{
			Address: token, Topics: []common.Hash{}, BlockNumber: r.BlockNumber.Uint64(), TxHash: r.TxHash, TxIndex: r.TransactionIndex, BlockHash: r.BlockHash, Index: index,
		}
		index++
		switch m.random.IntN(3) {
		case 0:
			for range m.random.IntN(5) {
				l.Topics = append(l.Topics, common.Hash(m.bytes(32)))
			}
			l.Data = m.bytes(m.random.IntN(100))
		default:
			l.Topics = []common.Hash{common.Hash([]byte(transferTopic)), common.BytesToHash(m.bytes(20)), common.BytesToHash(m.bytes(20))}
			l.Data = m.bytes([]int{32, 32, 32, 31, 33}[m.random.IntN(5)])
			if m.random.IntN(8) == 0 {
				l.Topics = l.Topics[:m.random.IntN(3)]
			}
		}
		r.Logs = append(r.Logs, l)
	}
	r.Bloom = types.CreateBloom(r)
	m.receipt = r
}

// transfers reads the receipt's transfers out of go-ethereum's types.
func (m *maker) transfers() (out []settlement.Transfer) {
	for i, l := range m.receipt.Logs {
		if len(l.Topics) != 3 || string(l.Topics[0][:]) != transferTopic || len(l.Data) != 32 ||
			!bytes.Equal(l.Topics[1][:12], make([]byte, 12)) || !bytes.Equal(l.Topics[2][:12], make([]byte, 12)) {
			continue
		}
		value, err := settlement.AmountFromBytes(new(big.Int).SetBytes(l.Data).Bytes())
		if err != nil {
			continue
		}
		out = append(out, settlement.Transfer{
			Token: settlement.Address(l.Address[:]), Payer: settlement.Address(l.Topics[1][12:]), Payee: settlement.Address(l.Topics[2][12:]),
			Amount: value, Position: fmt.Sprintf("log/%d", l.Index), Index: i,
		})
	}
	return out
}

func (m *maker) makeTransaction(t testing.TB) {
	t.Helper()
	key, err := crypto.ToECDSA(crypto.Keccak256(m.bytes(32)))
	if err != nil {
		t.Fatal(err)
	}
	m.sender = crypto.PubkeyToAddress(key.PublicKey)
	to := new(common.Address(m.bytes(20)))
	chain, value := big.NewInt(31337), new(big.Int).SetBytes(m.bytes(m.random.IntN(33)))
	small := func() *uint256.Int { return uint256.NewInt(m.number()) }
	var data types.TxData
	switch m.random.IntN(5) {
	case 0:
		data = &types.LegacyTx{Nonce: m.number(), GasPrice: new(big.Int).SetUint64(m.number()), Gas: m.number(), To: to, Value: value, Data: m.bytes(m.random.IntN(80))}
	case 1:
		data = &types.LegacyTx{Nonce: m.number(), GasPrice: new(big.Int).SetUint64(m.number()), Gas: m.number(), Value: value, Data: m.bytes(m.random.IntN(80))}
	case 2:
		data = &types.DynamicFeeTx{ChainID: chain, Nonce: m.number(), GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(2), Gas: m.number(), To: to, Value: value}
	case 3:
		data = &types.BlobTx{
			ChainID: uint256.MustFromBig(chain), Nonce: m.number(), GasTipCap: small(), GasFeeCap: small(), Gas: m.number(), To: *to, Value: uint256.MustFromBig(value),
			BlobFeeCap: small(), BlobHashes: []common.Hash{common.Hash(append([]byte{1}, m.bytes(31)...))},
		}
	default:
		data = &types.SetCodeTx{
			ChainID: uint256.MustFromBig(chain), Nonce: m.number(), GasTipCap: small(), GasFeeCap: small(), Gas: m.number(), To: *to, Value: uint256.MustFromBig(value),
			AuthList: []types.SetCodeAuthorization{{ChainID: *uint256.MustFromBig(chain), Address: *to, Nonce: m.number(), R: *small(), S: *small()}},
		}
	}
	if m.tx, err = types.SignNewTx(key, types.LatestSignerForChainID(chain), data); err != nil {
		t.Fatal(err)
	}
}
