package orchestration_test

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/settler-pay/settler/orchestration"
	"github.com/settler-pay/settler/settlement"
)

func TestBaseUnits(t *testing.T) {
	t.Parallel()
	largest := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)).String()
	for _, c := range []struct {
		major    string
		decimals uint8
		want     string
		rounded  bool
	}{
		{"1.5", 6, "1500000", false},
		{"15e-1", 6, "1500000", false},
		{"1.0", 6, "1000000", false},
		{"1e-06", 6, "1", false}, // as Python prints it
		{"1E+2", 0, "100", false},
		{"0", 18, "0", false},
		{"0.1", 18, "100000000000000000", false},
		{"0.00000049", 6, "0", true},
		{"0.0000005", 6, "1", true},
		{"1.0000014999", 6, "1000001", true},
		{"1e-999", 77, "0", true},
		{"0e999", 77, "0", false},
		{largest, 0, largest, false},
	} {
		units, rounded, err := orchestration.BaseUnitsRounded(c.major, c.decimals)
		if err != nil || units.String() != c.want || rounded != c.rounded {
			t.Errorf("%s with %d decimals: %v, rounded %t, %v; want %s, %t", c.major, c.decimals, units, rounded, err, c.want, c.rounded)
		}
		exact, err := orchestration.BaseUnits(c.major, c.decimals)
		if c.rounded && err == nil || !c.rounded && (err != nil || exact.String() != c.want) {
			t.Errorf("exactly, %s with %d decimals: %v, %v", c.major, c.decimals, exact, err)
		}
	}
	for _, bad := range []string{
		"", " ", "-1", "+1", "01", "1.", ".5", "1e", "1e+", "1e++1", "1e+-1", "1e1.5", "1e1000", "1e-1000", "0x10", "1_000", "1,5", "NaN", "Inf", "1 ",
		"٣", "1" + strings.Repeat("0", 128), "1e77", largest + "0",
	} {
		if units, _, err := orchestration.BaseUnitsRounded(bad, 6); !isValidation(err) || units != nil {
			t.Errorf("%q is taken for %v, %v", bad, units, err)
		}
	}
	if _, err := orchestration.BaseUnits("1", 78); !isValidation(err) {
		t.Errorf("78 decimals: %v", err)
	}
}

func TestMajorUnits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		units    int64
		decimals uint8
		want     string
	}{{1_500_000, 6, "1.5"}, {0, 6, "0"}, {1, 6, "0.000001"}, {100, 0, "100"}, {1_000_000, 6, "1"}, {10_000_000, 6, "10"}} {
		if got, err := orchestration.MajorUnits(big.NewInt(c.units), c.decimals); err != nil || got != c.want {
			t.Errorf("%d with %d decimals: %s, %v; want %s", c.units, c.decimals, got, err, c.want)
		}
	}
	for _, units := range []*big.Int{nil, big.NewInt(-1)} {
		if got, err := orchestration.MajorUnits(units, 6); !isValidation(err) {
			t.Errorf("%v: %s, %v", units, got, err)
		}
	}
	if got, err := orchestration.MajorUnits(big.NewInt(1), 78); !isValidation(err) {
		t.Errorf("78 decimals: %s, %v", got, err)
	}
}

func isValidation(err error) bool {
	_, ok := errors.AsType[*orchestration.ValidationError](err)
	return ok
}

// FuzzBaseUnits: the domain has arithmetic of its own, which this package may not
// import; both must agree on every text, and an exact amount comes back.
func FuzzBaseUnits(f *testing.F) {
	for _, seed := range []string{"1.5", "1e-06", "0.0000005", "1e77", "9e-999", "-1", "01", "1.e5", "0e0", "115792089237316195423570985008687907853269984665640564039457584007913129639935"} {
		f.Add(seed, uint8(6))
		f.Add(seed, uint8(0))
	}
	f.Fuzz(func(t *testing.T, major string, decimals uint8) {
		units, rounded, err := orchestration.BaseUnitsRounded(major, decimals)
		domain, domainRounded, domainErr := settlement.AmountFromMajor(major, decimals)
		if (err == nil) != (domainErr == nil) {
			t.Fatalf("%q with %d decimals: %v here, %v in the domain", major, decimals, err, domainErr)
		}
		if err != nil {
			return
		}
		if units.String() != domain.String() || rounded != domainRounded {
			t.Fatalf("%q with %d decimals: %s, %t here, %s, %t in the domain", major, decimals, units, rounded, domain, domainRounded)
		}
		text, err := orchestration.MajorUnits(units, decimals)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := orchestration.BaseUnits(text, decimals); len(text) <= 128 && (err != nil || back.Cmp(units) != 0) {
			t.Fatalf("%s with %d decimals is %s, and back %v, %v", units, decimals, text, back, err)
		}
	})
}

func ExampleBaseUnits() {
	payment := orchestration.MarketPayment{Amount: "1.5"}
	units, err := orchestration.BaseUnits(payment.Amount.String(), 6)
	fmt.Println(units, err)
	_, err = orchestration.BaseUnits("0.0000005", 6)
	fmt.Println(err)
	units, rounded, err := orchestration.BaseUnitsRounded("0.0000005", 6)
	fmt.Println(units, rounded, err)
	// Output:
	// 1500000 <nil>
	// amount must be: a number with at most 6 decimals
	// 1 true <nil>
}
