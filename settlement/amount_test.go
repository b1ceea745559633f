package settlement_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/settler-pay/settler/settlement"
)

// maxAmount is 2^256-1.
var maxAmount = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))

func TestParseAmount(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"0", "1", "10", "9007199254740993", "18446744073709551616", maxAmount.String()} {
		got, err := settlement.ParseAmount(good)
		if err != nil || got.String() != good {
			t.Errorf("%s: got %s, err %v", good, got, err)
		}
	}
	for _, bad := range []string{
		"", "00", "01", "-1", "+1", "1.0", "1e3", "0x10", " 1", "1 ", "1_000", "1,000", "٣", "1\x00", "abc", "1a2",
		new(big.Int).Add(maxAmount, big.NewInt(1)).String(), strings.Repeat("9", 1000),
	} {
		if got, err := settlement.ParseAmount(bad); err == nil {
			t.Errorf("%q was read as %s", bad, got)
		}
	}
}

func TestAmountFromMajor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text     string
		decimals uint8
		want     string
		rounded  bool
	}{
		{"0", 6, "0", false},
		{"1", 6, "1000000", false},
		{"1.5", 6, "1500000", false},
		{"1.50", 2, "150", false},
		{"1e-06", 6, "1", false},
		{"1E-6", 6, "1", false},
		{"1e-7", 6, "0", true},
		{"5e-7", 6, "1", true},
		{"0.0000005", 6, "1", true},
		{"0.00000049999", 6, "0", true},
		{"0.1", 0, "0", true},
		{"0.5", 0, "1", true},
		{"2.5", 0, "3", true},
		{"1.0000000", 6, "1000000", false},
		{"0.1", 18, "100000000000000000", false},
		{"0.30000000000000004", 18, "300000000000000040", false},
		{"9007199254740993", 0, "9007199254740993", false},
		{"1e3", 0, "1000", false},
		{"1.5e+3", 2, "150000", false},
		{"0e999", 18, "0", false},
		{"1e-999", 77, "0", true},
		{"1", 77, "1" + strings.Repeat("0", 77), false},
	} {
		got, rounded, err := settlement.AmountFromMajor(tt.text, tt.decimals)
		if err != nil || got.String() != tt.want || rounded != tt.rounded {
			t.Errorf("%s with %d decimals: got %s, rounded %v, err %v; want %s, %v", tt.text, tt.decimals, got, rounded, err, tt.want, tt.rounded)
		}
	}
	for _, bad := range []string{
		"", "-1", "-0", "+1", ".5", "5.", "01", "00.1", "1e", "1e+", "1e1.5", "1e1000", "1e-1000", "1e2e3", "0x1p4", "1_0", "1 ", " 1",
		"NaN", "Infinity", "1/2", "1e78", strings.Repeat("1", 129), "1.2.3", "1ee2", "1e--2",
	} {
		if got, _, err := settlement.AmountFromMajor(bad, 6); err == nil {
			t.Errorf("%q was read as %s", bad, got)
		}
	}
	if _, _, err := settlement.AmountFromMajor("1", settlement.MaxDecimals+1); err == nil {
		t.Error("78 decimals were accepted")
	}
}

// roundHalfUp is the oracle: exact arithmetic on the same text, by another road.
func roundHalfUp(text string, decimals uint8) (units *big.Int, rounded bool, ok bool) {
	value, ok := new(big.Rat).SetString(text)
	if !ok || value.Sign() < 0 {
		return nil, false, false
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(decimals)), nil)
	value.Mul(value, new(big.Rat).SetInt(scale))
	rounded = !value.IsInt()
	value.Add(value, big.NewRat(1, 2))
	return new(big.Int).Div(value.Num(), value.Denom()), rounded, true
}

func TestAmountFromMajorAgreesWithExactArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "text")
		decimals := uint8(rapid.IntRange(0, settlement.MaxDecimals).Draw(t, "decimals"))
		units, rounded, ok := roundHalfUp(text, decimals)
		if !ok {
			t.Fatalf("the oracle cannot read %q", text)
		}
		got, gotRounded, err := settlement.AmountFromMajor(text, decimals)
		if units.Cmp(maxAmount) > 0 {
			if err == nil {
				t.Fatalf("%s: got %s, want too large", text, got)
			}
			return
		}
		if err != nil || got.Big().Cmp(units) != 0 || gotRounded != rounded {
			t.Fatalf("%s with %d decimals: got %s, rounded %v, err %v; want %s, %v", text, decimals, got, gotRounded, err, units, rounded)
		}
	})
}

func TestAmountMajorIsReadBackExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := drawAmount(t, "amount")
		decimals := uint8(rapid.IntRange(0, settlement.MaxDecimals).Draw(t, "decimals"))
		text := want.Major(decimals)
		if _, fraction, _ := strings.Cut(text, "."); len(fraction) != int(decimals) {
			t.Fatalf("%s has not %d decimals", text, decimals)
		}
		got, rounded, err := settlement.AmountFromMajor(text, decimals)
		if err != nil || rounded || got != want {
			t.Fatalf("%s: got %s, rounded %v, err %v", text, got, rounded, err)
		}
	})
}

func drawAmount(t *rapid.T, label string) settlement.Amount {
	a, err := settlement.AmountFromBytes(rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, label))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAmountArithmetic(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawAmount(t, "a"), drawAmount(t, "b")
		sum, difference := new(big.Int).Add(a.Big(), b.Big()), new(big.Int).Sub(a.Big(), b.Big())
		if sum.Cmp(maxAmount) > 0 {
			sum = maxAmount
		}
		if difference.Sign() < 0 {
			difference.SetInt64(0)
		}
		if got := a.Add(b).Big(); got.Cmp(sum) != 0 {
			t.Fatalf("%s + %s = %s", a, b, got)
		}
		if got := a.Sub(b).Big(); got.Cmp(difference) != 0 {
			t.Fatalf("%s - %s = %s", a, b, got)
		}
		if a.Cmp(b) != a.Big().Cmp(b.Big()) || a.IsZero() != (a.Big().Sign() == 0) {
			t.Fatalf("%s and %s compare wrongly", a, b)
		}
		text, err := json.Marshal(a)
		if err != nil || string(text) != fmt.Sprintf("%q", a) {
			t.Fatalf("JSON of %s is %s, err %v", a, text, err)
		}
		var back settlement.Amount
		if err := json.Unmarshal(text, &back); err != nil || back != a {
			t.Fatalf("%s is read back as %s, err %v", text, back, err)
		}
	})
}

func TestAmountFromBigAndBytes(t *testing.T) {
	t.Parallel()
	if got, err := settlement.AmountFromBig(maxAmount); err != nil || got.String() != maxAmount.String() {
		t.Errorf("2^256-1: got %s, err %v", got, err)
	}
	for _, bad := range []*big.Int{big.NewInt(-1), new(big.Int).Lsh(big.NewInt(1), 256), new(big.Int).Neg(maxAmount)} {
		if got, err := settlement.AmountFromBig(bad); err == nil {
			t.Errorf("%s was read as %s", bad, got)
		}
	}
	if _, err := settlement.AmountFromBytes(make([]byte, 33)); err == nil {
		t.Error("33 bytes were accepted")
	}
	var a settlement.Amount
	if err := json.Unmarshal([]byte("1"), &a); err == nil {
		t.Error("a JSON number was accepted")
	}
}

func FuzzParseAmount(f *testing.F) {
	for _, seed := range []string{"0", "1", "01", "-1", "1e5", maxAmount.String(), "115792089237316195423570985008687907853269984665640564039457584007913129639936"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := settlement.ParseAmount(text)
		if err == nil && a.String() != text {
			t.Errorf("%q was read as %s", text, a)
		}
	})
}

func FuzzAmountFromMajor(f *testing.F) {
	for _, seed := range []string{"0", "1.5", "1e-06", "5e-7", "-1", "1e999", "0.1e+3", "01", "1.2.3"} {
		f.Add(seed, uint8(6))
	}
	f.Fuzz(func(t *testing.T, text string, decimals uint8) {
		got, rounded, err := settlement.AmountFromMajor(text, decimals)
		if err != nil {
			return
		}
		if !json.Valid([]byte(text)) {
			t.Fatalf("%q is no JSON number and was read as %s", text, got)
		}
		units, wantRounded, ok := roundHalfUp(text, decimals)
		if !ok || got.Big().Cmp(units) != 0 || rounded != wantRounded {
			t.Fatalf("%q with %d decimals: got %s, rounded %v; want %s, %v", text, decimals, got, rounded, units, wantRounded)
		}
	})
}
