package evm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/core/types"

	"github.com/settler-pay/settler/settlement"
)

// The decoders are strict about the fields that decide and blind to all others: unknown transaction types and odd headers
// pass. Field names count with their letter case, and no name may come twice.

// maxBlockTime is the last second of the year 9999; what is later is not a time in seconds.
const maxBlockTime = 253402300799

type receipt struct {
	txid      settlement.TxID
	blockHash settlement.BlockHash // empty: null
	number    uint64
	hasNumber bool
	index     uint64 // of the transaction within its block
	sender    settlement.Address
	status    *uint64 // nil: the receipt does not say, as before Byzantium
	bloom     types.Bloom
	logs      []logEntry
}

type logEntry struct {
	address   settlement.Address
	topics    []string // raw, 32 bytes each
	data      string   // raw
	txid      settlement.TxID
	blockHash settlement.BlockHash
	number    uint64
	txIndex   uint64
	index     uint64 // counted from the start of the block
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
	hasValue  bool // false: a type of transaction that names none
}

// object reads one JSON object into name → value.
func object(raw []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("is not an object")
	}
	fields := make(map[string]json.RawMessage)
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if _, twice := fields[name]; twice {
			return nil, fmt.Errorf("holds %q twice", name)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, err
		}
		fields[name] = value
	}
	if _, err := decoder.Token(); err != nil {
		return nil, err
	}
	return fields, nil
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// reader collects the first fault of the fields that are read through it.
type reader struct {
	fields map[string]json.RawMessage
	err    error
}

func newReader(raw json.RawMessage) *reader {
	fields, err := object(raw)
	return &reader{fields: fields, err: err}
}

func (r *reader) fail(name string, err error) {
	if r.err == nil {
		r.err = fmt.Errorf("%s %w", name, err)
	}
}

// bytes reads a field of exactly so many bytes in hex; -1 is any number. Null and absent are empty.
func (r *reader) bytes(name string, length int) string {
	raw := r.fields[name]
	if isNull(raw) {
		return ""
	}
	value, err := hexBytes(raw, length)
	if err != nil {
		r.fail(name, err)
	}
	return value
}

func (r *reader) must(name string) json.RawMessage {
	raw := r.fields[name]
	if isNull(raw) {
		r.fail(name, errors.New("is missing"))
	}
	return raw
}

func (r *reader) quantity(name string) uint64 {
	raw := r.must(name)
	if r.err != nil {
		return 0
	}
	n, err := quantity(raw)
	if err != nil {
		r.fail(name, err)
	}
	return n
}

func (r *reader) list(name string) []json.RawMessage {
	raw := r.must(name)
	if r.err != nil {
		return nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		r.fail(name, errors.New("is not a list"))
	}
	return items
}

func (r *reader) bloom(name string) types.Bloom {
	r.must(name)
	var bloom types.Bloom
	if raw := r.bytes(name, types.BloomByteLength); r.err == nil {
		bloom.SetBytes([]byte(raw))
	}
	return bloom
}

func hexBytes(raw json.RawMessage, length int) (string, error) {
	text, err := jsonText(raw)
	if err != nil {
		return "", err
	}
	value, ok := decodeHex(text)
	if !ok || length >= 0 && len(value) != length {
		return "", errors.New("is not hex of the right length")
	}
	return value, nil
}

// quantity reads a number of up to 64 bits in hex; gateways that pad it with zeros are understood.
func quantity(raw json.RawMessage) (uint64, error) {
	text, err := jsonText(raw)
	if err != nil {
		return 0, err
	}
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok {
		return 0, errors.New("is not a number in hex")
	}
	n, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0, errors.New("is not a number of 64 bits in hex")
	}
	return n, nil
}

// amount reads a number of up to 256 bits in hex.
func amount(raw json.RawMessage) (settlement.Amount, error) {
	text, err := jsonText(raw)
	if err != nil {
		return settlement.Amount{}, err
	}
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok || digits == "" || len(digits) > 64 {
		return settlement.Amount{}, errors.New("is not a number of 256 bits in hex")
	}
	value, ok := decodeHex("0x" + strings.Repeat("0", len(digits)%2) + digits)
	if !ok {
		return settlement.Amount{}, errors.New("is not a number in hex")
	}
	return settlement.AmountFromBytes([]byte(value))
}

func jsonText(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", errors.New("is not a text")
	}
	var value string
	err := json.Unmarshal(raw, &value)
	return value, err
}

func decodeReceipt(raw json.RawMessage) (receipt, error) {
	r := newReader(raw)
	out := receipt{
		txid:      settlement.TxID(r.bytes("transactionHash", 32)),
		blockHash: settlement.BlockHash(r.bytes("blockHash", 32)),
		sender:    settlement.Address(r.bytes("from", 20)),
		hasNumber: !isNull(r.fields["blockNumber"]),
	}
	if r.err == nil && out.hasNumber {
		out.number = r.quantity("blockNumber")
		out.index = r.quantity("transactionIndex")
	}
	if r.err == nil && !isNull(r.fields["status"]) {
		out.status = new(r.quantity("status"))
	}
	out.bloom = r.bloom("logsBloom")
	for i, item := range r.list("logs") {
		entry, err := decodeLog(item)
		if err != nil {
			r.fail(fmt.Sprintf("logs[%d]", i), err)
			break
		}
		out.logs = append(out.logs, entry)
	}
	return out, r.err
}

func decodeLog(raw json.RawMessage) (logEntry, error) {
	r := newReader(raw)
	out := logEntry{
		address:   settlement.Address(r.bytes("address", 20)),
		data:      r.bytes("data", -1),
		txid:      settlement.TxID(r.bytes("transactionHash", 32)),
		blockHash: settlement.BlockHash(r.bytes("blockHash", 32)),
	}
	out.number = r.quantity("blockNumber")
	out.txIndex = r.quantity("transactionIndex")
	out.index = r.quantity("logIndex")
	if out.address == "" {
		r.fail("address", errors.New("is missing"))
	}
	if removed := r.fields["removed"]; r.err == nil && !isNull(removed) {
		if err := json.Unmarshal(removed, &out.removed); err != nil {
			r.fail("removed", errors.New("is neither true nor false"))
		}
	}
	for _, item := range r.list("topics") {
		topic, err := hexBytes(item, 32)
		if err != nil {
			r.fail("topics", err)
			break
		}
		out.topics = append(out.topics, topic)
	}
	return out, r.err
}

func decodeHeader(raw json.RawMessage) (header, error) {
	r := newReader(raw)
	out := r.header()
	return out, r.err
}

func (r *reader) header() header {
	seconds := r.quantity("timestamp")
	if seconds > maxBlockTime {
		r.fail("timestamp", errors.New("is not a time in seconds"))
	}
	return header{
		hash:   settlement.BlockHash(r.bytes("hash", 32)),
		number: r.quantity("number"),
		time:   time.Unix(int64(min(seconds, maxBlockTime)), 0).UTC(),
	}
}

// decodeBlock reads a header and the ids of its transactions; whole asks for the transactions too.
func decodeBlock(raw json.RawMessage, whole bool) (block, error) {
	r := newReader(raw)
	out := block{header: r.header(), parent: settlement.BlockHash(r.bytes("parentHash", 32)), bloom: r.bloom("logsBloom")}
	for i, item := range r.list("transactions") {
		if !whole {
			txid, err := hexBytes(item, 32)
			if err != nil {
				r.fail(fmt.Sprintf("transactions[%d]", i), err)
				break
			}
			out.txids = append(out.txids, settlement.TxID(txid))
			continue
		}
		tx, err := decodeTransaction(item)
		if err != nil {
			r.fail(fmt.Sprintf("transactions[%d]", i), err)
			break
		}
		out.txids, out.txs = append(out.txids, tx.txid), append(out.txs, tx)
	}
	return out, r.err
}

func decodeTransaction(raw json.RawMessage) (transaction, error) {
	r := newReader(raw)
	out := transaction{
		txid:      settlement.TxID(r.bytes("hash", 32)),
		blockHash: settlement.BlockHash(r.bytes("blockHash", 32)),
		from:      settlement.Address(r.bytes("from", 20)),
		to:        settlement.Address(r.bytes("to", 20)),
	}
	if r.err == nil && out.blockHash != "" {
		out.number = r.quantity("blockNumber")
	}
	if value := r.fields["value"]; r.err == nil && !isNull(value) {
		var err error
		if out.value, err = amount(value); err != nil {
			r.fail("value", err)
		}
		out.hasValue = true
	}
	if out.from == "" && !out.value.IsZero() {
		r.fail("from", errors.New("is missing"))
	}
	return out, r.err
}
