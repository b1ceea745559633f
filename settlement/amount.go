package settlement

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/holiman/uint256"
)

// MaxDecimals is the largest number of decimals a token may have: 10^77 is the largest power of ten below 2^256.
const MaxDecimals = 77

// maxAmountText bounds what is parsed: no price is longer, and an exponent of a few digits can already name a number
// that no machine can hold.
const maxAmountText = 128

// Amount is a number of base units, 0 to 2^256-1. With 6 decimals 1_500_000 is 1.50. The zero value is zero.
type Amount struct{ units uint256.Int }

// NewAmount is the amount of so many base units.
func NewAmount(units uint64) Amount { return Amount{*uint256.NewInt(units)} }

// AmountFromBig returns an error when b is negative or does not fit 256 bits.
func AmountFromBig(b *big.Int) (Amount, error) {
	units, overflow := uint256.FromBig(b)
	if overflow || b.Sign() < 0 {
		return Amount{}, fmt.Errorf("amount %s is not between 0 and 2^256-1", b)
	}
	return Amount{*units}, nil
}

// AmountFromBytes reads a big-endian number of at most 32 bytes.
func AmountFromBytes(b []byte) (Amount, error) {
	if len(b) > 32 {
		return Amount{}, fmt.Errorf("amount of %d bytes, at most 32", len(b))
	}
	var a Amount
	a.units.SetBytes(b)
	return a, nil
}

// ParseAmount reads base units from decimal digits: no sign, point, exponent or leading zero.
func ParseAmount(text string) (Amount, error) {
	if text == "" || (len(text) > 1 && text[0] == '0') || strings.Trim(text, "0123456789") != "" {
		return Amount{}, fmt.Errorf("amount %q is not a decimal number of base units", clip(text))
	}
	units, err := uint256.FromDecimal(text)
	if err != nil {
		return Amount{}, fmt.Errorf("amount %q is above 2^256-1", clip(text))
	}
	return Amount{*units}, nil
}

// AmountFromMajor converts the text of a JSON number in major units ("1.5", "1e-06") into base units of a token with so
// many decimals, exactly, without floats. What is finer than one base unit is rounded half up, as the vendor's own buyer
// does, and reported as rounded.
func AmountFromMajor(text string, decimals uint8) (amount Amount, rounded bool, err error) {
	if decimals > MaxDecimals {
		return Amount{}, false, fmt.Errorf("%d decimals, at most %d", decimals, MaxDecimals)
	}
	mantissa, exponent, err := splitNumber(text)
	if err != nil {
		return Amount{}, false, err
	}
	exponent += int(decimals)
	units := new(big.Int)
	if _, ok := units.SetString(mantissa, 10); !ok {
		return Amount{}, false, fmt.Errorf("amount %q is not a number", clip(text))
	}
	if exponent >= 0 {
		units.Mul(units, pow10(exponent))
	} else {
		divisor := pow10(-exponent)
		remainder := new(big.Int)
		units.QuoRem(units, divisor, remainder)
		rounded = remainder.Sign() != 0
		if remainder.Lsh(remainder, 1).Cmp(divisor) >= 0 {
			units.Add(units, big.NewInt(1))
		}
	}
	amount, err = AmountFromBig(units)
	if err != nil {
		return Amount{}, false, fmt.Errorf("amount %q with %d decimals is above 2^256-1", clip(text), decimals)
	}
	return amount, rounded, nil
}

// splitNumber reads JSON's number syntax into an integer mantissa and a power of ten. Negative numbers are refused.
func splitNumber(text string) (mantissa string, exponent int, err error) {
	bad := func() (string, int, error) {
		return "", 0, fmt.Errorf("amount %q is not a decimal number, zero or more", clip(text))
	}
	if text == "" || len(text) > maxAmountText {
		return bad()
	}
	number, exponentText, hasExponent := strings.Cut(strings.ReplaceAll(text, "E", "e"), "e")
	if hasExponent {
		if exponent, err = parseExponent(exponentText); err != nil {
			return bad()
		}
	}
	whole, fraction, hasPoint := strings.Cut(number, ".")
	if whole == "" || (hasPoint && fraction == "") || (len(whole) > 1 && whole[0] == '0') ||
		strings.Trim(whole+fraction, "0123456789") != "" {
		return bad()
	}
	return whole + fraction, exponent - len(fraction), nil
}

func parseExponent(text string) (int, error) {
	negative := strings.HasPrefix(text, "-")
	digits := strings.TrimPrefix(strings.TrimPrefix(text, "-"), "+")
	// Three digits reach far beyond 2^256 in both directions; more would only make big.Int work hard on nonsense.
	if digits == "" || len(digits) > 3 || strings.Trim(digits, "0123456789") != "" || len(text)-len(digits) > 1 {
		return 0, errors.New("bad exponent")
	}
	n := 0
	for _, d := range digits {
		n = n*10 + int(d-'0')
	}
	if negative {
		n = -n
	}
	return n, nil
}

func pow10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func clip(text string) string {
	if len(text) > 48 {
		return text[:48] + "…"
	}
	return text
}

// String is the base units in decimal digits.
func (a Amount) String() string { return a.units.Dec() }

// Major is the amount in major units with exactly as many digits after the point as the token has decimals.
func (a Amount) Major(decimals uint8) string {
	digits := a.units.Dec()
	if decimals == 0 {
		return digits
	}
	if missing := int(decimals) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - int(decimals)
	return digits[:point] + "." + digits[point:]
}

// Big is the amount as a big.Int of its own.
func (a Amount) Big() *big.Int { return a.units.ToBig() }

// IsZero reports whether the amount is zero.
func (a Amount) IsZero() bool { return a.units.IsZero() }

// Cmp is -1, 0 or +1 for a below, equal to or above b.
func (a Amount) Cmp(b Amount) int { return a.units.Cmp(&b.units) }

// Add saturates at 2^256-1: a sum that large is above every price, which is all that callers ask of it.
func (a Amount) Add(b Amount) Amount {
	var sum Amount
	if _, overflow := sum.units.AddOverflow(&a.units, &b.units); overflow {
		sum.units.SetAllOne()
	}
	return sum
}

// atMost is a, or limit where that is less.
func (a Amount) atMost(limit Amount) Amount {
	if a.Cmp(limit) > 0 {
		return limit
	}
	return a
}

// Complement is what is left of the largest amount.
func (a Amount) Complement() Amount {
	var rest Amount
	rest.units.Not(&a.units)
	return rest
}

// Sub stops at zero.
func (a Amount) Sub(b Amount) Amount {
	var difference Amount
	if _, underflow := difference.units.SubOverflow(&a.units, &b.units); underflow {
		return Amount{}
	}
	return difference
}

// MarshalText writes the base units; JSON shows them as a string.
func (a Amount) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what ParseAmount accepts.
func (a *Amount) UnmarshalText(text []byte) error {
	parsed, err := ParseAmount(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}
