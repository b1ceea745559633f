package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/settler-pay/settler/settlement"
)

const (
	source   = "../.."
	document = "../../../docs/states.md"
)

func TestDocumentIsUpToDate(t *testing.T) {
	t.Parallel()
	got, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	fresh := filepath.Join(t.TempDir(), "states.md")
	if err := write(source, fresh); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(fresh)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run `go generate ./settlement` (-generated +committed):\n%s", diff)
	}
}

func TestEveryPaymentThatCanComeToBeKeepsTheRules(t *testing.T) {
	t.Parallel()
	reached, _ := walk()
	states := make(map[settlement.State]bool)
	for _, p := range reached {
		states[p.State] = true
		remembers := slices.Contains([]settlement.State{"verifying", "confirming", "frozen"}, p.State)
		settled := slices.Contains([]settlement.State{"verified", "held", "release_pending", "released", "split"}, p.State)
		unpaid := slices.Contains([]settlement.State{"new", "awaiting_payment", "verifying", "confirming", "expired"}, p.State)
		switch {
		case !slices.Contains(settlement.States, p.State):
			t.Errorf("a payment in state %q", p.State)
		case (p.Back != "") != remembers:
			t.Errorf("%s remembers %q", p.State, p.Back)
		case p.State == settlement.StateFrozen && !slices.Contains([]settlement.State{"verified", "held", "release_pending", "needs_review"}, p.Back):
			t.Errorf("frozen returns to %s", p.Back)
		case p.State != settlement.StateFrozen && p.Back != "" && p.Back != settlement.StateAwaitingPayment && p.Back != settlement.StateExpired:
			t.Errorf("%s returns to %s", p.State, p.Back)
		case settled && !p.Settled():
			t.Errorf("%s without a transfer", p.State)
		case unpaid && p.Settled():
			t.Errorf("%s although a transfer has settled it", p.State)
		case p.Terms.Payee == "" && !slices.Contains([]settlement.State{"new", "needs_review", "closed"}, p.State):
			t.Errorf("%s without terms", p.State)
		case p.Named != "" && !slices.Contains([]settlement.State{"verifying", "confirming", "needs_review"}, p.State):
			t.Errorf("%s and %q is still looked for", p.State, p.Named)
		case p.State == settlement.StateVerifying && p.Named == "":
			t.Error("verifying without a transaction")
		}
	}
	for _, s := range settlement.States {
		if !states[s] {
			t.Errorf("no payment ever gets to %s", s)
		}
	}
}

// A payment that has ended stays where it is, unless the chain takes back what has ended it, or the orchestrator what it took; every other one has a way to an end.
func TestEveryStateLeadsToAnEnd(t *testing.T) {
	t.Parallel()
	_, outcomes := walk()
	ends := make(map[settlement.State]bool)
	for _, s := range settlement.States {
		if !s.Final() {
			continue
		}
		ends[s] = true
		for _, e := range settlement.EventKinds {
			for to := range outcomes[pair{s, e}].targets {
				if to != s && e != settlement.EventPayoutBroken && e != settlement.EventPlatformDiffers {
					t.Errorf("%s is final and %s leads to %s", s, e, to)
				}
			}
		}
	}
	for range settlement.States {
		for at, o := range outcomes {
			for to := range o.targets {
				if ends[to] {
					ends[at.state] = true
				}
			}
		}
	}
	for _, s := range settlement.States {
		if !ends[s] {
			t.Errorf("%s never ends", s)
		}
	}
}

func TestRenderIsDeterministic(t *testing.T) {
	t.Parallel()
	first, err := render(source)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		again, err := render(source)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(first), string(again)); diff != "" {
			t.Fatalf("two runs differ:\n%s", diff)
		}
	}
}
