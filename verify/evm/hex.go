package evm

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/settler-pay/settler/settlement"
)

var errNotHex = errors.New("is not hex of the right length")

// nibbles: a hex digit → its value; anything else → 255.
var nibbles = func() (table [256]byte) {
	for i := range table {
		table[i] = 255
	}
	for _, digits := range []string{"0123456789abcdef", "0123456789ABCDEF"} {
		for value, digit := range []byte(digits) {
			table[digit] = byte(value)
		}
	}
	return table
}()

// digits moves over a text that begins with 0x and returns what follows; ok is false for null.
func (c *cursor) digits() (digits []byte, ok bool, err error) {
	if c.null() {
		return nil, false, nil
	}
	value, err := c.str()
	if err != nil {
		return nil, false, err
	}
	digits, ok = bytes.CutPrefix(value, []byte("0x"))
	if !ok {
		return nil, false, errors.New("does not begin with 0x")
	}
	return digits, true, nil
}

// fill decodes exactly 2*len(to) digits.
func fill(to, digits []byte) bool {
	if len(digits) != 2*len(to) {
		return false
	}
	bad := byte(0)
	for i := range to {
		high, low := nibbles[digits[2*i]], nibbles[digits[2*i+1]]
		bad |= high | low
		to[i] = high<<4 | low
	}
	return bad < 16
}

// fixed reads hex of exactly len(to) bytes; ok is false for null.
func (c *cursor) fixed(to []byte) (ok bool, err error) {
	digits, ok, err := c.digits()
	if err == nil && ok && !fill(to, digits) {
		return false, errNotHex
	}
	return ok, err
}

// text reads hex of that many bytes, at most 32; null is empty.
func text[T ~string](c *cursor, size int) (T, error) {
	var raw [32]byte
	ok, err := c.fixed(raw[:size])
	if err != nil || !ok {
		return "", err
	}
	return T(raw[:size]), nil
}

// data reads hex of any length, and keeps it where it is 32 bytes.
func (c *cursor) data(to *[32]byte) (size int, err error) {
	digits, _, err := c.digits()
	if err != nil {
		return 0, err
	}
	if len(digits) == 64 {
		if !fill(to[:], digits) {
			return 0, errNotHex
		}
		return 32, nil
	}
	bad := byte(len(digits) % 2 << 4)
	for _, digit := range digits {
		bad |= nibbles[digit]
	}
	if bad >= 16 {
		return 0, errNotHex
	}
	return len(digits) / 2, nil
}

// quantity reads a number of up to 64 bits; gateways that pad it with zeros are understood. ok is false for null.
func (c *cursor) quantity() (n uint64, ok bool, err error) {
	digits, ok, err := c.digits()
	if err != nil || !ok {
		return 0, false, err
	}
	if len(digits) == 0 {
		return 0, false, errNotHex
	}
	for _, digit := range digits {
		value := nibbles[digit]
		if value > 15 || n>>60 != 0 {
			return 0, false, errors.New("is not a number of 64 bits in hex")
		}
		n = n<<4 | uint64(value)
	}
	return n, true, nil
}

// amount reads a number of up to 256 bits; ok is false for null.
func (c *cursor) amount() (value settlement.Amount, ok bool, err error) {
	digits, ok, err := c.digits()
	if err != nil || !ok {
		return value, false, err
	}
	padded, raw := [64]byte([]byte(strings.Repeat("0", 64))), [32]byte{}
	if len(digits) == 0 || len(digits) > 64 {
		return value, false, errors.New("is not a number of 256 bits in hex")
	}
	copy(padded[64-len(digits):], digits)
	if !fill(raw[:], padded[:]) {
		return value, false, errNotHex
	}
	value, err = settlement.AmountFromBytes(raw[:])
	return value, err == nil, err
}

// quantity reads a number of up to 64 bits that stands alone.
func quantity(raw json.RawMessage) (uint64, error) {
	return decode(raw, func(c *cursor) (uint64, error) {
		n, ok, err := c.quantity()
		if err == nil && !ok {
			err = errors.New("is null")
		}
		return n, err
	})
}

// hexBytes reads hex that stands alone, of exactly that many bytes; -1 is any number.
func hexBytes(raw json.RawMessage, size int) (string, error) {
	return decode(raw, func(c *cursor) (string, error) {
		digits, ok, err := c.digits()
		if err != nil {
			return "", err
		}
		value := make([]byte, hex.DecodedLen(len(digits)))
		if !ok || !fill(value, digits) || size >= 0 && len(value) != size {
			return "", errNotHex
		}
		return string(value), nil
	})
}
