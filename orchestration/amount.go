package orchestration

import (
	"math/big"
	"strconv"
	"strings"
)

const (
	// maxDecimals of a token: 10^77 is the largest power of ten below 2^256.
	maxDecimals = 77
	// maxAmountText bounds the text of an amount, maxExponentDigits that of its
	// exponent: beyond them there is no amount, only work for the reader.
	maxAmountText     = 128
	maxExponentDigits = 3
)

// BaseUnits converts an amount in major units into base units of a token with so
// many decimals: "1.5" and "15e-1" with 6 decimals are 1_500_000. The text is a
// JSON number that is not negative, as MarketPayment.Amount has it; no float is
// involved. The result is below 2^256.
//
// An amount that is finer than one base unit is refused; see BaseUnitsRounded.
// The error is a *ValidationError.
func BaseUnits(major string, decimals uint8) (*big.Int, error) {
	units, rounded, err := BaseUnitsRounded(major, decimals)
	if rounded {
		return nil, &ValidationError{"amount", "a number with at most " + strconv.Itoa(int(decimals)) + " decimals"}
	}
	return units, err
}

// BaseUnitsRounded is BaseUnits, but rounds what is finer than one base unit half
// up, as the vendor's buyer does, and says whether it did.
func BaseUnitsRounded(major string, decimals uint8) (units *big.Int, rounded bool, err error) {
	if decimals > maxDecimals {
		return nil, false, &ValidationError{"decimals", "at most " + strconv.Itoa(maxDecimals)}
	}
	digits, exponent, ok := scientific(major)
	if !ok {
		return nil, false, &ValidationError{"amount", "a decimal number, zero or more, of at most " + strconv.Itoa(maxAmountText) + " characters"}
	}
	units, _ = new(big.Int).SetString(digits, 10) // nothing but digits, and at least one
	exponent += int(decimals)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	if exponent >= 0 {
		units.Mul(units, scale)
	} else {
		rest := new(big.Int)
		units.QuoRem(units, scale, rest)
		rounded = rest.Sign() != 0
		if rest.Lsh(rest, 1).Cmp(scale) >= 0 {
			units.Add(units, big.NewInt(1))
		}
	}
	if units.BitLen() > 256 {
		return nil, false, &ValidationError{"amount", "below 2^256 base units"}
	}
	return units, rounded, nil
}

// scientific takes a JSON number that is not negative apart: its digits without
// the point, and the power of ten that they are multiplied with.
func scientific(text string) (digits string, exponent int, ok bool) {
	if len(text) > maxAmountText {
		return "", 0, false
	}
	number := text
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		var err error
		if exponent, err = strconv.Atoi(text[at+1:]); err != nil || len(strings.TrimLeft(text[at+1:], "+-")) > maxExponentDigits {
			return "", 0, false
		}
		number = text[:at]
	}
	whole, fraction, point := strings.Cut(number, ".")
	switch {
	case whole == "", point && fraction == "", whole[0] == '0' && len(whole) > 1, strings.Trim(whole+fraction, "0123456789") != "":
		return "", 0, false
	}
	return whole + fraction, exponent - len(fraction), true
}

// MajorUnits is the way back: 1_500_000 with 6 decimals is "1.5". It is exact, has
// no exponent and no zeros at the end. The error, a *ValidationError, is about
// units that are nil or negative, or about decimals.
func MajorUnits(units *big.Int, decimals uint8) (string, error) {
	switch {
	case units == nil || units.Sign() < 0:
		return "", &ValidationError{"amount", "zero or more base units"}
	case decimals > maxDecimals:
		return "", &ValidationError{"decimals", "at most " + strconv.Itoa(maxDecimals)}
	}
	digits := units.String()
	if missing := int(decimals) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - int(decimals)
	return strings.TrimSuffix(digits[:point]+"."+strings.TrimRight(digits[point:], "0"), "."), nil
}
