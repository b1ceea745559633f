package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/settler-pay/settler/settlement"
	"github.com/settler-pay/settler/store"
	"github.com/settler-pay/settler/verify/evm"
)

// A stopped signer goes on when an admin of all marketplaces says so, on record, and not while it has transactions that nobody knows.
func TestRestartOfASigner(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	all := r.key("", scopeAdmin)
	restart := func(key, body string) answer {
		t.Helper()
		return r.do(http.MethodPost, "/v1/admin/signers/restart", body, "Authorization", "Bearer "+key)
	}
	const body = `{"chain": "dev", "reason": "a test by hand"}`
	stopped := store.Signer{Chain: chainID, Address: settlement.Address("aaaaaaaaaaaaaaaaaaaa"), NextNonce: 3}
	other := store.Signer{Chain: chainID, Address: settlement.Address("bbbbbbbbbbbbbbbbbbbb"), NextNonce: 1}
	for _, s := range []store.Signer{stopped, other} {
		if err := pgx.BeginFunc(t.Context(), r.pool, func(tx pgx.Tx) error { return store.StartSigner(t.Context(), tx, s, time.Now()) }); err != nil {
			t.Fatal(err)
		}
	}
	if got := into[signerList](t, restart(all, body), http.StatusOK); len(got.Signers) != 0 {
		t.Errorf("none is stopped: got %+v", got)
	}
	if err := store.StopSigner(t.Context(), r.pool, stopped, "nonce 3 is foreign", time.Now()); err != nil {
		t.Fatal(err)
	}
	want := signer{string(chainID), evm.FormatAddress(stopped.Address), 3, "nonce 3 is foreign"}
	if got := into[signerList](t, r.get("/v1/admin/signers", r.key("acme", scopeRead)), http.StatusOK); len(got.Signers) != 2 || got.Signers[0] != want {
		t.Errorf("got %+v, want %+v first", got, want)
	}
	restart(r.key("acme", scopeOperate), body).problem(t, ScopeInsufficient)
	restart(r.key("acme", scopeAdmin), body).problem(t, MarketplaceForbidden)
	restart(all, `{"chain": "dev"}`).problem(t, ValidationFailed)
	restart(all, `{"chain": "solana", "reason": "x"}`).problem(t, ValidationFailed)
	restart(all, `{"chain": "dev", "address": "0x1", "reason": "x"}`).problem(t, ValidationFailed)
	r.nonces = [2]uint64{4, 5}
	restart(all, body).problem(t, StateConflict)
	r.nonces = [2]uint64{4, 4}
	if got := into[signerList](t, restart(all, `{"chain": "dev", "reason": "x", "address": "`+evm.FormatAddress(other.Address)+`"}`), http.StatusOK); len(got.Signers) != 0 {
		t.Errorf("the other one: got %+v", got)
	}
	want.NextNonce = 4
	if got := into[signerList](t, restart(all, body), http.StatusOK); len(got.Signers) != 1 || got.Signers[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if s, err := store.ReadSigner(t.Context(), r.pool, chainID, stopped.Address); err != nil || s.Stopped != "" || s.NextNonce != 4 {
		t.Errorf("afterwards %+v (%v)", s, err)
	}
	records := into[haltList](t, r.get("/v1/admin/halts", all), http.StatusOK).Records
	if len(records) != 1 || records[0].Action != "restart" || records[0].Signer != want.Address || records[0].Reason != "a test by hand" || records[0].By != "test" {
		t.Errorf("the record: %+v", records)
	}
}
