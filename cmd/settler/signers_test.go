package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
)

func TestSignersListAndRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keystore := regexp.MustCompile(`keystore: "[^"]*"`).FindString(w.config)
	id := fmt.Sprintf("eip155:%d", testChainID)
	path := writeConfig(t, w.config+fmt.Sprintf(`    escrow: {signer: operator, arbiter: "0x00000000000000000000000000000000000000b0"}
signers:
  - name: operator
    kind: keystore
    address: %q
    %s
    password: hunter2
    chains:
      - {chain: %q, tokens: [{token: TUSD, per_payment: "1000", per_hour: "1000"}], payments_per_hour: 10, max_fee_per_gas: "1000", gas_reserve: "0.01"}
`, w.agent.Hex(), keystore, id))
	signer := store.Signer{Chain: settlement.ChainID(id), Address: settlement.Address(w.agent[:]), NextNonce: 3}
	run := func(want int, words string, args ...string) {
		t.Helper()
		if code, out, errOut := runSettler(t, append(args, "-c", path)...); code != want || !strings.Contains(out+errOut, words) {
			t.Errorf("%v: exit code %d\n%s%s\nwant %d with %q", args, code, out, errOut, want, words)
		}
	}
	run(1, "has no signer of money", "signers", "restart", "--chain", "nowhere", "--reason", "x")
	run(1, "no signer of "+id+" is stopped", "signers", "restart", "--chain", id, "--reason", "by hand")
	if err := pgx.BeginFunc(t.Context(), w.pool, func(tx pgx.Tx) error { return store.StartSigner(t.Context(), tx, signer, time.Now()) }); err != nil {
		t.Fatal(err)
	}
	run(1, "no signer of "+id+" is stopped", "signers", "restart", "--chain", id, "--reason", "by hand")
	if err := store.StopSigner(t.Context(), w.pool, signer, "a test", time.Now()); err != nil {
		t.Fatal(err)
	}
	run(0, w.agent.Hex()+"  3           a test\n", "signers", "list")
	run(0, "signs again, from nonce 3; it was stopped because a test\n", "signers", "restart", "--chain", id, "--reason", "by hand")
	run(0, w.agent.Hex()+"  3           no\n", "signers", "list")
	records, err := store.HaltRecords(t.Context(), w.pool, 9)
	if err != nil || len(records) != 1 || records[0].Action() != "restart" || records[0].Signer != signer.Address || records[0].Reason != "by hand" {
		t.Errorf("records %+v (%v)", records, err)
	}
}
