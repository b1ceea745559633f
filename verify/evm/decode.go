package evm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/settler-pay/settler/settlement"
)

// The decoders are strict about the fields that decide and blind to all others: unknown transaction types and odd headers
// pass. Field names count with their letter case. A log takes no memory of its own: blocks hold thousands that are not ours.

const (
	// maxBlockTime is the last second of the year 9999; what is later is not a time in seconds.
	maxBlockTime = 253402300799
	// maxTopics is how many topics the EVM gives to a log at most.
	maxTopics = 4
	// minLog is less than the JSON of a log with all its names takes, in bytes.
	minLog = 256
)

type receipt struct {
	txid      settlement.TxID      // empty: absent
	blockHash settlement.BlockHash // empty: null
	number    uint64
	hasNumber bool
	index     uint64 // of the transaction within its block
	sender    settlement.Address
	status    *uint64 // nil: the receipt does not say, as before Byzantium
	bloom     types.Bloom
	logs      []logEntry
}

// logEntry is one log. What is absent is zero, and equal to nothing that a receipt may name.
type logEntry struct {
	address   [20]byte
	topics    [maxTopics][32]byte // the first topicCount of them
	data      [32]byte            // where dataSize is 32
	txid      [32]byte
	blockHash [32]byte
	number    uint64
	txIndex   uint64
	index     uint64 // counted from the start of the block
	dataSize  int    // in bytes
	topicSize int    // number of topics
	removed   bool
}

// header is what every block must say; an odd chain may lack the rest.
type header struct {
	hash   settlement.BlockHash // empty: null
	number uint64
	time   time.Time
}

type block struct {
	header
	parent settlement.BlockHash
	bloom  types.Bloom
	txids  []settlement.TxID
	txs    []transaction // filled where the block was asked for with whole transactions
}

type transaction struct {
	txid      settlement.TxID
	blockHash settlement.BlockHash // empty: in no block
	number    uint64
	from, to  settlement.Address // to is empty where a contract is created
	value     settlement.Amount
	hasValue  bool   // false: a type of transaction that names none
	nonce     uint64 // of the sender
	hasNonce  bool   // false: a type of transaction that has none
}

// need is the set of fields that must come.
type need uint

func (n *need) got(field need) { *n &^= field }

// missing is the error for the first of names whose bit is left.
func (n need) missing(names ...string) error {
	for i, name := range names {
		if n&(1<<i) != 0 {
			return fmt.Errorf("%s is missing", name)
		}
	}
	return nil
}

// decodeObject tells an answer that is no object at all (a sentence of some gateway) from one we cannot read.
func decodeObject[T any](raw json.RawMessage, what string, read func(json.RawMessage) (T, error)) (T, error) {
	if len(raw) == 0 || raw[0] != '{' {
		var zero T
		return zero, unavailable("%s is not an object", what)
	}
	value, err := read(raw)
	if err != nil {
		return value, undecodable(what, err)
	}
	return value, nil
}

// decode reads the whole text through one of the cursor's methods.
func decode[T any](raw json.RawMessage, read func(*cursor) (T, error)) (T, error) {
	c := cursor{text: raw}
	value, err := read(&c)
	if err == nil {
		err = c.end()
	}
	return value, err
}

func decodeReceipt(raw json.RawMessage) (receipt, error) { return decode(raw, (*cursor).receipt) }

func decodeHeader(raw json.RawMessage) (header, error) {
	b, err := decode(raw, func(c *cursor) (block, error) { return c.block(onlyHeader) })
	return b.header, err
}

func decodeTransaction(raw json.RawMessage) (transaction, error) {
	return decode(raw, (*cursor).transaction)
}

// decodeBlock reads a header and the ids of its transactions; whole asks for the transactions too.
func decodeBlock(raw json.RawMessage, whole bool) (block, error) {
	depth := withIDs
	if whole {
		depth = withTransactions
	}
	return decode(raw, func(c *cursor) (block, error) { return c.block(depth) })
}

func (c *cursor) receipt() (receipt, error) {
	var r receipt
	const bloom, logs, index = 1, 2, 4
	left := need(bloom | logs)
	err := c.object(func(name []byte) (err error) {
		switch string(name) {
		case "transactionHash":
			r.txid, err = text[settlement.TxID](c, 32)
		case "blockHash":
			r.blockHash, err = text[settlement.BlockHash](c, 32)
		case "from":
			r.sender, err = text[settlement.Address](c, 20)
		case "blockNumber":
			r.number, r.hasNumber, err = c.quantity()
		case "transactionIndex":
			var ok bool
			if r.index, ok, err = c.quantity(); !ok {
				left |= index
			}
		case "status":
			var status uint64
			var ok bool
			if status, ok, err = c.quantity(); ok {
				r.status = new(status)
			}
		case "logsBloom":
			var ok bool
			if ok, err = c.fixed(r.bloom[:]); ok {
				left.got(bloom)
			}
		case "logs":
			left.got(logs)
			r.logs, err = c.logs()
		default:
			err = c.skip()
		}
		return err
	})
	if err == nil {
		err = left.missing("logsBloom", "logs", "transactionIndex")
	}
	return r, err
}

// logs reads a list of logs into the room that the cursor has for those of the whole text, made once.
func (c *cursor) logs() ([]logEntry, error) {
	if c.room == nil {
		rest := c.text[c.at:]
		c.room = make([]logEntry, 0, min(bytes.Count(rest, []byte(`"logIndex"`)), len(rest)/minLog))
	}
	first := len(c.room)
	err := c.list(func() error {
		c.room = append(c.room, logEntry{})
		return c.log(&c.room[len(c.room)-1])
	})
	return c.room[first:len(c.room):len(c.room)], err
}

func (c *cursor) log(l *logEntry) error {
	const address, number, txIndex, index, topics = 1, 2, 4, 8, 16
	left := need(address | number | txIndex | index | topics)
	err := c.object(func(name []byte) (err error) {
		var ok bool
		switch string(name) {
		case "address":
			if ok, err = c.fixed(l.address[:]); ok {
				left.got(address)
			}
		case "transactionHash":
			_, err = c.fixed(l.txid[:])
		case "blockHash":
			_, err = c.fixed(l.blockHash[:])
		case "blockNumber":
			if l.number, ok, err = c.quantity(); ok {
				left.got(number)
			}
		case "transactionIndex":
			if l.txIndex, ok, err = c.quantity(); ok {
				left.got(txIndex)
			}
		case "logIndex":
			if l.index, ok, err = c.quantity(); ok {
				left.got(index)
			}
		case "removed":
			switch c.next(); {
			case c.word("true"):
				l.removed = true
			case c.word("false"), c.word("null"):
			default:
				return errors.New("is neither true nor false")
			}
		case "data":
			if !c.null() {
				l.dataSize, err = c.data(&l.data)
			}
		case "topics":
			left.got(topics)
			err = c.list(func() error {
				if l.topicSize == maxTopics {
					return fmt.Errorf("is one more than the %d of the EVM", maxTopics)
				}
				l.topicSize++
				ok, err := c.fixed(l.topics[l.topicSize-1][:])
				if err == nil && !ok {
					err = errors.New("is null")
				}
				return err
			})
		default:
			err = c.skip()
		}
		return err
	})
	if err == nil {
		err = left.missing("address", "blockNumber", "transactionIndex", "logIndex", "topics")
	}
	return err
}

// How much of a block is read.
const (
	onlyHeader = iota
	withIDs
	withTransactions
)

func (c *cursor) block(depth int) (block, error) {
	var b block
	const number, timestamp, bloom, transactions = 1, 2, 4, 8
	left := need(number | timestamp)
	if depth > onlyHeader {
		left |= bloom | transactions
	}
	err := c.object(func(name []byte) (err error) {
		var ok bool
		switch string(name) {
		case "hash":
			b.hash, err = text[settlement.BlockHash](c, 32)
			return err
		case "number":
			if b.number, ok, err = c.quantity(); ok {
				left.got(number)
			}
			return err
		case "timestamp":
			var seconds uint64
			if seconds, ok, err = c.quantity(); ok {
				left.got(timestamp)
			}
			if seconds > maxBlockTime {
				return errors.New("is not a time in seconds")
			}
			b.time = time.Unix(int64(seconds), 0).UTC()
			return err
		}
		if depth == onlyHeader {
			return c.skip()
		}
		switch string(name) {
		case "parentHash":
			b.parent, err = text[settlement.BlockHash](c, 32)
		case "logsBloom":
			if ok, err = c.fixed(b.bloom[:]); ok {
				left.got(bloom)
			}
		case "transactions":
			left.got(transactions)
			err = c.list(func() error {
				if depth == withTransactions {
					tx, err := c.transaction()
					b.txids, b.txs = append(b.txids, tx.txid), append(b.txs, tx)
					return err
				}
				txid, err := text[settlement.TxID](c, 32)
				if err == nil && txid == "" {
					err = errors.New("is null")
				}
				b.txids = append(b.txids, txid)
				return err
			})
		default:
			err = c.skip()
		}
		return err
	})
	if err == nil {
		err = left.missing("number", "timestamp", "logsBloom", "transactions")
	}
	return b, err
}

func (c *cursor) transaction() (transaction, error) {
	var t transaction
	const number, from = 1, 2
	left := need(number | from)
	err := c.object(func(name []byte) (err error) {
		switch string(name) {
		case "hash":
			t.txid, err = text[settlement.TxID](c, 32)
		case "blockHash":
			t.blockHash, err = text[settlement.BlockHash](c, 32)
		case "blockNumber":
			var ok bool
			if t.number, ok, err = c.quantity(); ok {
				left.got(number)
			}
		case "from":
			t.from, err = text[settlement.Address](c, 20)
		case "to":
			t.to, err = text[settlement.Address](c, 20)
		case "nonce":
			t.nonce, t.hasNonce, err = c.quantity()
		case "value":
			t.value, t.hasValue, err = c.amount()
		default:
			err = c.skip()
		}
		return err
	})
	if t.blockHash == "" {
		left.got(number)
	}
	if t.from != "" || t.value.IsZero() {
		left.got(from)
	}
	if err == nil {
		err = left.missing("blockNumber", "from")
	}
	return t, err
}
