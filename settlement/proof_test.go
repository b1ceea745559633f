package settlement_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/settlement"
)

// What is signed never changes: wallets and their users' tools have it built in.
func TestProofText(t *testing.T) {
	t.Parallel()
	id, err := settlement.ParsePaymentID("019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11")
	if err != nil {
		t.Fatal(err)
	}
	want := "settler: my transaction pays this payment.\nPayment: 019ab7c4-5d1e-7c3a-9f00-2b1f6d0c8a11\nChain: eip155:8453\nTransaction: 0xab"
	if got := settlement.ProofText(id, "eip155:8453", "0xab"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSignersArePayers(t *testing.T) {
	t.Parallel()
	plain := terms.Claim(txA)
	if diff := cmp.Diff([]settlement.Address{payer, stranger}, plain.WithSigners(payer, stranger, stranger).Payers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]settlement.Address{payer}, plain.Payers); diff != "" {
		t.Errorf("the claim before:\n%s", diff)
	}
	vault := terms
	vault.Custody = settlement.CustodyVault
	if got := vault.Claim(txA).WithSigners(stranger).Payers; len(got) != 0 {
		t.Errorf("anybody may pay into a vault, got payers %v", got)
	}
	t1 := transferOf(stranger, 1_000_000)
	block := settlement.Block{Number: 101, Time: noon}
	for _, signed := range []bool{false, true} {
		want := map[bool]settlement.Code{false: settlement.PayerMismatch, true: settlement.Verified}[signed]
		p := settlement.OpenPayment{Terms: terms, Signed: signed}
		if got := settlement.Judge(p.Claim(txA, t1), block, []settlement.Transfer{t1}); got.Code != want {
			t.Errorf("signed %t: %s, want %s", signed, got.Code, want)
		}
	}
}
