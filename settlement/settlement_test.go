package settlement_test

import (
	"strings"
	"testing"

	"github.com/settler-pay/settler/settlement"
)

func TestParsePaymentID(t *testing.T) {
	t.Parallel()
	const text = "01932f9a-7c31-7abc-8def-0123456789ab"
	for _, good := range []string{text, strings.ToUpper(text)} {
		id, err := settlement.ParsePaymentID(good)
		if err != nil || id.String() != text {
			t.Errorf("%q: got %s, err %v", good, id, err)
		}
	}
	for _, bad := range []string{
		"", text[1:], text + "0", strings.ReplaceAll(text, "-", ""), strings.Replace(text, "a", "g", 1),
		"0-932f9a-7c31-7abc-8def-0123456789ab", "{" + text[1:35] + "}", "01932f9a-7c31-7abc-8def-01234567-9ab",
	} {
		if id, err := settlement.ParsePaymentID(bad); err == nil {
			t.Errorf("%q was read as %s", bad, id)
		}
	}
}

func TestChainID(t *testing.T) {
	t.Parallel()
	c := settlement.ChainID("eip155:8453")
	if c.Namespace() != "eip155" || c.Reference() != "8453" {
		t.Errorf("got %q and %q", c.Namespace(), c.Reference())
	}
}

func TestRawBytesAreShownInHex(t *testing.T) {
	t.Parallel()
	if got := settlement.Address("\x00\xff").String(); got != "0x00ff" {
		t.Errorf("address: %s", got)
	}
	if got := settlement.TxID("\x01").String() + settlement.BlockHash("\x02").String(); got != "0x010x02" {
		t.Errorf("ids: %s", got)
	}
	if got := settlement.Address("").String(); got != "" {
		t.Errorf("the native coin: %q", got)
	}
}
