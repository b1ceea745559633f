package evm

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/settler-pay/settler/settlement"
)

// ParseAddress reads 0x and 40 hex digits. Digits of one letter case are taken as they are; mixed case must carry a valid
// EIP-55 checksum, because it is there to catch a mistyped address.
func ParseAddress(text string) (settlement.Address, error) {
	raw, err := parseHex(text, 20)
	if err != nil {
		return "", fmt.Errorf("address %w", err)
	}
	address := settlement.Address(raw)
	digits := text[2:]
	if digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) && text != FormatAddress(address) {
		return "", fmt.Errorf("address %q has a wrong checksum: a digit or the case of a letter is mistyped", text)
	}
	return address, nil
}

// FormatAddress is the address with its EIP-55 checksum; empty for the empty address.
func FormatAddress(a settlement.Address) string {
	if a == "" {
		return ""
	}
	return common.BytesToAddress([]byte(a)).Hex()
}

// ParseTxID reads 0x and 64 hex digits of any case.
func ParseTxID(text string) (settlement.TxID, error) {
	raw, err := parseHex(text, 32)
	if err != nil {
		return "", fmt.Errorf("transaction id %w", err)
	}
	return settlement.TxID(raw), nil
}

// FormatTxID is 0x and 64 lower-case hex digits.
func FormatTxID(id settlement.TxID) string { return id.String() }

func parseHex(text string, bytes int) (string, error) {
	raw, ok := decodeHex(text)
	if !ok || len(raw) != bytes {
		if len(text) > 80 {
			text = text[:80] + "…"
		}
		return "", fmt.Errorf("%q is not 0x and %d hex digits", text, 2*bytes)
	}
	return raw, nil
}

// decodeHex reads 0x and an even number of hex digits into raw bytes.
func decodeHex(text string) (string, bool) {
	digits, ok := strings.CutPrefix(text, "0x")
	if !ok {
		return "", false
	}
	raw, err := hex.DecodeString(digits)
	return string(raw), err == nil
}
