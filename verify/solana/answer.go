package solana

import (
	"errors"
	"math"

	sdk "github.com/gagliardetto/solana-go"
	"github.com/gagliardetto/solana-go/base58"
)

// The decoder is strict about the fields that decide and blind to all others. Field names count with their letter case,
// and none that decides may come twice. It reads the encoding "json" only.

// answer is what getTransaction says.
type answer struct {
	slot       uint64
	blockTime  uint64 // seconds since 1970; 0: not told
	message    message
	signatures []sdk.Signature

	hasMeta                   bool
	failed                    bool // meta.err is not null, whatever it is
	fee                       uint64
	before, after             []uint64 // lamports of each account, by its index
	tokensBefore, tokensAfter []tokenBalance
	inner                     []innerInstructions
	writable, readonly        []key // addresses loaded from lookup tables
}

// key is an account's address.
type key = sdk.PublicKey

// tokenBalance is one entry of pre- or postTokenBalances. An owner or program that older nodes left out is zero, which
// matches nobody.
type tokenBalance struct {
	account              byte
	mint, owner, program key
	amount               uint64
	decimals             byte
}

// instruction names its program and accounts by their indices.
type instruction struct {
	program  byte
	accounts []byte
	data     []byte // of a top-level one: decoded
	text     []byte // of an inner one: base58, decoded only where the program is one that we read
}

type innerInstructions struct {
	index byte // of the top-level instruction
	list  []instruction
}

// versions of messages.
const (
	legacy   = -1
	version0 = 0
	version1 = 1
)

// decodeAnswer reads the result of getTransaction, which is an object. An error means that it is not in a form that we
// know.
func decodeAnswer(raw []byte) (*answer, error) {
	c := cursor{text: raw}
	a := &answer{}
	a.message.version = legacy
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "slot":
			c.once(&seen, 1)
			a.slot = c.uint()
		case "blockTime":
			c.once(&seen, 2)
			if !c.null() {
				if a.blockTime = c.uint(); a.blockTime > maxBlockTime {
					c.fail("not a time in seconds")
				}
			}
		case "version":
			c.once(&seen, 4)
			a.message.version = c.version()
		case "transaction":
			c.once(&seen, 8)
			c.transaction(a)
		case "meta":
			c.once(&seen, 16)
			if !c.null() {
				c.meta(a)
			}
		default:
			c.skip()
		}
	}
	c.end()
	if c.err == nil && seen&(1|8) != 1|8 {
		c.err = errors.New("slot or transaction is missing")
	}
	return a, c.err
}

// maxBlockTime is the last second of the year 9999; what is later is not a time in seconds.
const maxBlockTime = 253402300799

// version is "legacy" or null for a message without one.
func (c *cursor) version() int {
	if c.null() {
		return legacy
	}
	if c.next() == '"' {
		if string(c.str()) != "legacy" {
			c.fail("an unknown version")
		}
		return legacy
	}
	n := c.uint()
	if n > version1 {
		c.fail("an unknown version")
	}
	return int(min(n, math.MaxInt8))
}

func (c *cursor) transaction(a *answer) {
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "signatures":
			c.once(&seen, 1)
			c.list()
			for c.item(len(a.signatures)) {
				var s sdk.Signature
				c.base58(base58.Decode64(string(c.str()), (*[64]byte)(&s)))
				a.signatures = append(a.signatures, s)
			}
		case "message":
			c.once(&seen, 2)
			c.message(&a.message)
		default:
			c.skip()
		}
	}
	c.need(seen, 3, "signatures or message are missing")
}

func (c *cursor) need(seen, bits uint32, problem string) {
	if seen&bits != bits {
		c.fail(problem)
	}
}

func (c *cursor) message(m *message) {
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "header":
			c.once(&seen, 1)
			c.header(m)
		case "accountKeys":
			c.once(&seen, 2)
			m.keys = c.keys()
		case "recentBlockhash":
			c.once(&seen, 4)
			m.blockhash = c.key()
		case "instructions":
			c.once(&seen, 8)
			m.instructions = c.instructions(false)
		case "addressTableLookups":
			c.once(&seen, 16)
			if c.null() {
				break
			}
			c.list()
			for c.item(len(m.lookups)) {
				m.lookups = append(m.lookups, c.lookup())
			}
		case "transactionConfig":
			c.once(&seen, 32)
			if !c.null() {
				c.config(m)
			}
		default:
			c.skip()
		}
	}
	c.need(seen, 15, "a part of the message is missing")
}

func (c *cursor) header(m *message) {
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "numRequiredSignatures":
			c.once(&seen, 1)
			m.signers = c.byte()
		case "numReadonlySignedAccounts":
			c.once(&seen, 2)
			m.readonlySigners = c.byte()
		case "numReadonlyUnsignedAccounts":
			c.once(&seen, 4)
			m.readonlyOthers = c.byte()
		default:
			c.skip()
		}
	}
	c.need(seen, 7, "a part of the header is missing")
}

func (c *cursor) lookup() lookup {
	var l lookup
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "accountKey":
			c.once(&seen, 1)
			l.table = c.key()
		case "writableIndexes":
			c.once(&seen, 2)
			l.writable = c.indices()
		case "readonlyIndexes":
			c.once(&seen, 4)
			l.readonly = c.indices()
		default:
			c.skip()
		}
	}
	c.need(seen, 7, "a part of a lookup is missing")
	return l
}

// config reads the requests of a version 1 message, in the order of their bits.
func (c *cursor) config(m *message) {
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "priorityFee":
			c.unlessNull(&seen, 1, func() { m.priorityFee = request{true, c.uint()} })
		case "computeUnitLimit":
			c.unlessNull(&seen, 2, func() { m.limits[0] = request{true, c.uint()} })
		case "loadedAccountsDataSizeLimit":
			c.unlessNull(&seen, 4, func() { m.limits[1] = request{true, c.uint()} })
		case "heapSize":
			c.unlessNull(&seen, 8, func() { m.limits[2] = request{true, c.uint()} })
		default:
			c.skip()
		}
	}
	for _, limit := range m.limits {
		if limit.value > math.MaxUint32 {
			c.fail("not a number of 32 bits")
		}
	}
}

func (c *cursor) instructions(inner bool) []instruction {
	list := make([]instruction, 0, 8)
	c.list()
	for c.item(len(list)) {
		var in instruction
		var seen uint32
		c.object()
		for name, ok := c.field(); ok; name, ok = c.field() {
			switch string(name) {
			case "programIdIndex":
				c.once(&seen, 1)
				in.program = c.byte()
			case "accounts":
				c.once(&seen, 2)
				in.accounts = c.indices()
			case "data":
				c.once(&seen, 4)
				in.text = c.str()
			default:
				c.skip()
			}
		}
		c.need(seen, 7, "a part of an instruction is missing")
		if !inner && c.err == nil {
			var err error
			if in.data, err = decodeData(in.text); err != nil {
				c.fail(err.Error())
			}
		}
		list = append(list, in)
	}
	return list
}

// maxData bounds an instruction's data in base58: 10,240 bytes, what one program may hand to another.
const maxData = 14_000

func decodeData(text []byte) ([]byte, error) {
	if len(text) > maxData {
		return nil, errors.New("the data of an instruction is too long")
	}
	data, err := base58.Decode(string(text))
	if err != nil {
		return nil, errors.New("the data of an instruction is not base58")
	}
	return data, nil
}

func (c *cursor) meta(a *answer) {
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "err":
			c.once(&seen, 1)
			if !c.null() {
				a.failed = true
				c.skip()
			}
		case "fee":
			c.once(&seen, 2)
			a.fee = c.uint()
		case "preBalances":
			c.once(&seen, 4)
			a.before = c.uints()
		case "postBalances":
			c.once(&seen, 8)
			a.after = c.uints()
		case "preTokenBalances":
			c.unlessNull(&seen, 16, func() { a.tokensBefore = c.tokenBalances() })
		case "postTokenBalances":
			c.unlessNull(&seen, 32, func() { a.tokensAfter = c.tokenBalances() })
		case "innerInstructions":
			c.unlessNull(&seen, 64, func() { c.innerInstructions(a) })
		case "loadedAddresses":
			c.once(&seen, 128)
			if !c.null() {
				c.loadedAddresses(a)
			}
		default:
			c.skip()
		}
	}
	a.hasMeta = seen&127 == 127
}

// unlessNull reads a field that a node without the record leaves null; it then counts as absent.
func (c *cursor) unlessNull(seen *uint32, bit uint32, read func()) {
	if c.null() {
		return
	}
	c.once(seen, bit)
	read()
}

func (c *cursor) loadedAddresses(a *answer) {
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "writable":
			c.once(&seen, 1)
			a.writable = c.keys()
		case "readonly":
			c.once(&seen, 2)
			a.readonly = c.keys()
		default:
			c.skip()
		}
	}
}

func (c *cursor) innerInstructions(a *answer) {
	c.list()
	for c.item(len(a.inner)) {
		var group innerInstructions
		var seen uint32
		c.object()
		for name, ok := c.field(); ok; name, ok = c.field() {
			switch string(name) {
			case "index":
				c.once(&seen, 1)
				group.index = c.byte()
			case "instructions":
				c.once(&seen, 2)
				group.list = c.instructions(true)
			default:
				c.skip()
			}
		}
		c.need(seen, 3, "a part of the inner instructions is missing")
		a.inner = append(a.inner, group)
	}
}

func (c *cursor) tokenBalances() []tokenBalance {
	list := make([]tokenBalance, 0, 8)
	c.list()
	for c.item(len(list)) {
		var b tokenBalance
		var seen uint32
		c.object()
		for name, ok := c.field(); ok; name, ok = c.field() {
			switch string(name) {
			case "accountIndex":
				c.once(&seen, 1)
				b.account = c.byte()
			case "mint":
				c.once(&seen, 2)
				b.mint = c.key()
			case "uiTokenAmount":
				c.once(&seen, 4)
				c.tokenAmount(&b)
			case "owner":
				c.unlessNull(&seen, 8, func() { b.owner = c.key() })
			case "programId":
				c.unlessNull(&seen, 16, func() { b.program = c.key() })
			default:
				c.skip()
			}
		}
		c.need(seen, 7, "a part of a token balance is missing")
		list = append(list, b)
	}
	return list
}

// tokenAmount reads base units; the fields for people hold what a mint's extensions make of them.
func (c *cursor) tokenAmount(b *tokenBalance) {
	var seen uint32
	c.object()
	for name, ok := c.field(); ok; name, ok = c.field() {
		switch string(name) {
		case "amount":
			c.once(&seen, 1)
			b.amount = c.digits()
		case "decimals":
			c.once(&seen, 2)
			b.decimals = c.byte()
		default:
			c.skip()
		}
	}
	c.need(seen, 3, "amount or decimals are missing")
}

func (c *cursor) key() key {
	var k key
	c.base58(base58.Decode32(string(c.str()), (*[32]byte)(&k)))
	return k
}

func (c *cursor) base58(err error) {
	if err != nil {
		c.fail("not base58 of the right length")
	}
}

func (c *cursor) keys() []key {
	list := make([]key, 0, 16)
	c.list()
	for c.item(len(list)) {
		list = append(list, c.key())
	}
	return list
}

func (c *cursor) indices() []byte {
	list := make([]byte, 0, 8)
	c.list()
	for c.item(len(list)) {
		list = append(list, c.byte())
	}
	return list
}

func (c *cursor) uints() []uint64 {
	list := make([]uint64, 0, 16)
	c.list()
	for c.item(len(list)) {
		list = append(list, c.uint())
	}
	return list
}
