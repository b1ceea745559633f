package evm

import (
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
)

// bloomer makes a bloom of what logs name. Most logs of a receipt name the same contract, event and accounts, and hashing
// is what costs: it remembers the last values.
type bloomer struct {
	bloom  types.Bloom
	hasher crypto.KeccakState
	hash   [6]byte
	last   [64]bloomed // by the value's last byte, which differs among accounts
}

// bloomed is a value and the bits that it sets.
type bloomed struct {
	value [32]byte
	size  int
}

func newBloomer() *bloomer { return &bloomer{hasher: crypto.NewKeccakState()} }

func (b *bloomer) addLog(l *logEntry) {
	b.add(l.address[:])
	for t := range l.topicSize {
		b.add(l.topics[t][:])
	}
}

func (b *bloomer) add(value []byte) {
	slot := &b.last[(value[len(value)-1]^value[0])%byte(len(b.last))]
	if slot.size == len(value) && string(slot.value[:slot.size]) == string(value) {
		return // its bits are set
	}
	slot.size = copy(slot.value[:], value)
	hash := b.hash[:]
	b.hasher.Reset()
	b.hasher.Write(value)
	b.hasher.Read(hash) //nolint:errcheck // the state never fails
	for i := 0; i < len(hash); i += 2 {
		bit := (uint(hash[i])<<8 | uint(hash[i+1])) % types.BloomBitLength
		b.bloom[types.BloomByteLength-1-bit/8] |= 1 << (bit % 8)
	}
}

// bloomOfLogs is the bloom of all of them.
//
// Source: the Ethereum yellow paper, 4.3.1.
func bloomOfLogs(logs []logEntry) types.Bloom {
	if len(logs) == 0 {
		return types.Bloom{}
	}
	b := newBloomer()
	for i := range logs {
		b.addLog(&logs[i])
	}
	return b.bloom
}
