package x402

import (
	"encoding/hex"
	"math/big"
	"strconv"
	"strings"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/math"
	"github.com/ethereum/go-ethereum/signer/core/apitypes"
)

// transferTypes are the EIP-712 types of EIP-3009.
var transferTypes = apitypes.Types{
	"EIP712Domain": {
		{Name: "name", Type: "string"},
		{Name: "version", Type: "string"},
		{Name: "chainId", Type: "uint256"},
		{Name: "verifyingContract", Type: "address"},
	},
	"TransferWithAuthorization": {
		{Name: "from", Type: "address"},
		{Name: "to", Type: "address"},
		{Name: "value", Type: "uint256"},
		{Name: "validAfter", Type: "uint256"},
		{Name: "validBefore", Type: "uint256"},
		{Name: "nonce", Type: "bytes32"},
	},
}

// typedData is what is signed. It checks every field: EIP-712 libraries read
// numbers and addresses more freely than a token contract does.
func (c Challenge) typedData(auth Authorization, chainID uint64) (apitypes.TypedData, error) {
	if strings.HasPrefix(c.Network, "eip155:") && c.Network != caip2(chainID) {
		return apitypes.TypedData{}, refuse("payment_requirements.network", caip2(chainID))
	}
	for name, address := range map[string]string{"asset": c.Asset, "payTo": auth.To, "payer": auth.From} {
		if !isAddress(address) {
			return apitypes.TypedData{}, refuse("payment_requirements."+name, "0x and 40 hex digits")
		}
	}
	for name, number := range map[string]string{"amount": auth.Value, "validAfter": auth.ValidAfter, "validBefore": auth.ValidBefore} {
		if _, ok := uint256(number); !ok {
			return apitypes.TypedData{}, refuse("payment_requirements."+name, "decimal digits below 2^256")
		}
	}
	if c.TokenName == "" || c.TokenVersion == "" {
		return apitypes.TypedData{}, refuse("payment_requirements.extra", "name and version of the token's EIP-712 domain")
	}
	nonce, prefixed := strings.CutPrefix(auth.Nonce, "0x")
	if raw, err := hex.DecodeString(nonce); err != nil || !prefixed || len(raw) != 32 {
		return apitypes.TypedData{}, refuse("payment_signature", "a nonce of 0x and 64 hex digits")
	}
	return apitypes.TypedData{
		Types: transferTypes, PrimaryType: "TransferWithAuthorization",
		Domain: apitypes.TypedDataDomain{
			Name: c.TokenName, Version: c.TokenVersion, VerifyingContract: c.Asset,
			ChainId: (*math.HexOrDecimal256)(new(big.Int).SetUint64(chainID)),
		},
		Message: apitypes.TypedDataMessage{
			"from": auth.From, "to": auth.To, "value": auth.Value,
			"validAfter": auth.ValidAfter, "validBefore": auth.ValidBefore, "nonce": auth.Nonce,
		},
	}, nil
}

func caip2(chainID uint64) string { return "eip155:" + strconv.FormatUint(chainID, 10) }

// uint256 reads decimal digits without leading zeros.
func uint256(digits string) (*big.Int, bool) {
	if digits == "" || len(digits) > 78 || digits[0] == '0' && len(digits) > 1 || strings.Trim(digits, "0123456789") != "" {
		return nil, false
	}
	n, ok := new(big.Int).SetString(digits, 10)
	return n, ok && n.BitLen() <= 256
}

func isAddress(text string) bool { return strings.HasPrefix(text, "0x") && common.IsHexAddress(text) }

// sameAddress compares as bytes; what is no address is the same as nothing.
func sameAddress(a, b string) bool {
	return isAddress(a) && isAddress(b) && common.HexToAddress(a) == common.HexToAddress(b)
}
