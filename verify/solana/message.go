package solana

import (
	"encoding/binary"
)

// message is what the signers signed.
type message struct {
	version                                  int
	signers, readonlySigners, readonlyOthers byte
	keys                                     []key
	blockhash                                key
	instructions                             []instruction
	lookups                                  []lookup   // of version 0 only
	priorityFee                              request    // of version 1 only, 64 bits
	limits                                   [3]request // of version 1 only, 32 bits: compute units, loaded data, heap
}

// lookup names accounts by their place in an on-chain table.
type lookup struct {
	table              key
	writable, readonly []byte
}

// request is one value of a version 1 message's configuration.
type request struct {
	set   bool
	value uint64
}

// bytes is the message in the form that was signed.
//
// Source: solana_message::{legacy, v0, v1}; SIMD-0385 for version 1.
func (m *message) bytes() []byte {
	out := make([]byte, 0, 1280)
	if m.version == version1 {
		return m.bytesV1(out)
	}
	if m.version == version0 {
		out = append(out, 0x80)
	}
	out = append(out, m.signers, m.readonlySigners, m.readonlyOthers)
	out = appendKeys(appendLength(out, len(m.keys)), m.keys)
	out = append(out, m.blockhash[:]...)
	out = appendLength(out, len(m.instructions))
	for i := range m.instructions {
		in := &m.instructions[i]
		out = appendShort(append(out, in.program), in.accounts)
		out = appendShort(out, in.data)
	}
	if m.version == legacy {
		return out
	}
	out = appendLength(out, len(m.lookups))
	for i := range m.lookups {
		l := &m.lookups[i]
		out = appendShort(append(out, l.table[:]...), l.writable)
		out = appendShort(out, l.readonly)
	}
	return out
}

func (m *message) bytesV1(out []byte) []byte {
	out = append(out, 0x81, m.signers, m.readonlySigners, m.readonlyOthers)
	var mask uint32
	if m.priorityFee.set {
		mask = 0b11
	}
	for i, limit := range m.limits {
		if limit.set {
			mask |= 0b100 << i
		}
	}
	out = binary.LittleEndian.AppendUint32(out, mask)
	out = append(out, m.blockhash[:]...)
	out = append(out, byte(len(m.instructions)), byte(len(m.keys)))
	out = appendKeys(out, m.keys)
	if m.priorityFee.set {
		out = binary.LittleEndian.AppendUint64(out, m.priorityFee.value)
	}
	for _, limit := range m.limits {
		if limit.set {
			out = binary.LittleEndian.AppendUint32(out, uint32(limit.value))
		}
	}
	for i := range m.instructions {
		in := &m.instructions[i]
		out = append(out, in.program, byte(len(in.accounts)))
		out = binary.LittleEndian.AppendUint16(out, uint16(len(in.data)))
	}
	for i := range m.instructions {
		out = append(append(out, m.instructions[i].accounts...), m.instructions[i].data...)
	}
	return out
}

func appendKeys(out []byte, keys []key) []byte {
	for i := range keys {
		out = append(out, keys[i][:]...)
	}
	return out
}

func appendShort(out, list []byte) []byte { return append(appendLength(out, len(list)), list...) }

// appendLength writes a length in groups of 7 bits, the lowest first.
func appendLength(out []byte, n int) []byte {
	for n >= 0x80 {
		out = append(out, byte(n)|0x80)
		n >>= 7
	}
	return append(out, byte(n))
}
